"""Files that are no pictures, that are damaged, or that were made to harm whoever reads them."""
import io
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.pictures import decoding, one_digit

try:
    import pillow_heif
    pillow_heif.register_heif_opener()
except ImportError:  # HEIC is left out then
    pass
Image.init()

FOUR = sorted((PROJECT_ROOT / 'data').glob('4-*'))[0]
KIND = 'not a picture of a kind read here; save it as PNG or JPEG (also read: '
CUT = 'is cut short or damaged ('
MUCH = 'asks for more than a picture needs ('
LARGE = 'has more than 90,000,000 pixels; make it smaller'
posix = pytest.mark.skipif(os.name == 'nt', reason='Windows has neither these files nor a way to '
                           'ask a process for its peak memory')


def file_of(image, kind, **options):
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def page(side=24, mode='RGB'):
    return Image.open(str(FOUR)).convert('RGB').resize((side, side)).convert(mode)


# Of files made by hand: PNG's chunks, JPEG's segments, TIFF's fields, a BMP.

def chunk(kind, data=b''):
    return struct.pack('>L', len(data)) + kind + data + struct.pack('>L', zlib.crc32(kind + data))


def png(*chunks, side=9):
    header = struct.pack('>LLBBBBB', side, side, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + b''.join(chunks) + chunk(b'IEND')


def segment(kind, data):
    return b'\xff' + kind + struct.pack('>H', len(data) + 2) + data


def jpeg(*segments):
    whole = file_of(page(), 'JPEG')
    return whole[:2] + b''.join(segments) + whole[2:]


def scans(side, count):
    """A JPEG of `side` x `side` pixels, all grey, in `count` progressive scans of 80 bytes."""
    left, bits = (-(-side // 8)) ** 2, ''
    while left > 0:  # runs of up to 32767 empty blocks: a code of one bit and 14 that say how many
        run = min(32767, max(16384, left))
        bits, left = bits + f'0{run - 16384:014b}', left - run
    bits += '1' * (-len(bits) % 8)
    body = b''.join(bytes([int(bits[at:at + 8], 2)]) for at in range(0, len(bits), 8))
    body = body.replace(b'\xff', b'\xff\0')
    first, later = (segment(b'\xda', bytes([1, 1, 0, 1, 63, which])) + body for which in (1, 16))
    return (b'\xff\xd8' + segment(b'\xdb', bytes([0] + [1] * 64)) +
            segment(b'\xc2', struct.pack('>BHHBBBB', 8, side, side, 1, 1, 0x11, 0)) +
            segment(b'\xc4', bytes([0x10, 1] + [0] * 15 + [0xe0])) +
            first + later * (count - 1) + b'\xff\xd9')


def tiff(fields, *parts):
    """A TIFF of fields {tag: (type, count, value)}, its `parts` from byte 256 on."""
    entries = [struct.pack('<HHLL', tag, *fields[tag]) for tag in sorted(fields)]
    head = b'II*\0\x08\0\0\0' + struct.pack('<H', len(entries)) + b''.join(entries) + bytes(4)
    return head.ljust(256, b'\0') + b''.join(parts)


def grey_tiff(width, height, **fields):
    return {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1),
            262: (3, 1, 1), 277: (3, 1, 1), **{int(tag[1:]): fields[tag] for tag in fields}}


def exif(size, kind=3):
    """EXIF of `size` bytes in which every field has nearly all of them as its value."""
    count, unit = min(65535, (size - 20) // 12), (0, 1, 1, 2, 4, 8)[kind]
    fields = (struct.pack('>HHLL', tag, kind, (size - 16) // unit, 8) for tag in range(count))
    return (b'MM\0*\0\0\0\x08' + struct.pack('>H', count) + b''.join(fields)).ljust(size, b'\0')


def bmp(side, body):
    """A BMP of RLE: pairs of a count and a colour."""
    palette = b''.join(bytes([index, 255 - index, 7, 0]) for index in range(256))
    return (b'BM' + struct.pack('<LLL', 54 + 1024 + len(body), 0, 54 + 1024) +
            struct.pack('<LLLHHLLLLLL', 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0) +
            palette + body)


FILES = {  # name: the bytes, and what is said of them
    'empty.png': (b'', 'is empty; save or copy it again'),
    'text.png': (b'a seven, drawn with words\n', KIND),
    'drawing.eps': (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', KIND),
    'half.png': (FOUR.read_bytes()[:FOUR.stat().st_size // 2], CUT),
    'half.jpg': (file_of(page(99), 'JPEG')[:900], CUT),
    'start.png': (b'\x89PNG\r\n\x1a\n', CUT),
    'no size.png': (png(chunk(b'IDAT', zlib.compress(b'')), side=0), CUT),
    'no size.jpg': (file_of(page(), 'JPEG').replace(b'\0\x18\0\x18', bytes(4)), CUT),
    'no size.ppm': (b'P6 0 0 255\n', CUT),
    'blank.png': (file_of(Image.new('L', (9, 9), 255), 'PNG'),
                  'no ink found; give a picture of one digit, darker or lighter than the paper'),
    'large.ppm': (b'P6 10000 9001 255\n', LARGE),
    'large.png': (png(side=30000), LARGE),
    'canvas.gif': (b'GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0;', LARGE),
    'frame.gif': (b'GIF89a\1\0\1\0\0\0\0,\xff\xff\xff\xff\xff\xff\xff\xff\0\2\2\x44\1\0;', LARGE),
    'large.jpg': (file_of(page(), 'JPEG').replace(b'\0\x18\0\x18', b'\x40\0\x40\0'),
                  'has more than 201,000,000 pixels; make it smaller'),
    'progressive.jpg': (scans(9500, 1), LARGE),
    'colours.jpg': (jpeg().replace(b'\0\x18\0\x18', b'\x30\0\x30\0')
                    .replace(b'\xff\xda\0\x0c\3', b'\xff\xda\0\x0c\1'), LARGE),
    'text.ppm': (b'P2 99 99 255\n' + b'#\n' * 2000, MUCH + '2,000 comments)'),
    'strips.tif': (tiff(grey_tiff(9, 10 ** 6, t278=(4, 1, 1), t273=(4, 10 ** 6, 256)),
                        bytes(4 * 10 ** 6)), MUCH + '1,000,000 strips or tiles)'),
    'tile.tif': (tiff(grey_tiff(16, 16, t322=(4, 1, 30000), t323=(3, 1, 30000),
                                t324=(4, 1, 256)), bytes(256)),
                 MUCH + 'tiles of 30,000 x 30,000 pixels)'),
    'tags.tif': (exif(10 ** 5), MUCH + '8,331 tags)'),
    'overlap.tif': (exif(2 ** 15), CUT + 'its tags reach beyond its end)'),
    'samples.tif': (tiff({**grey_tiff(9, 9), 277: (3, 1, 55811)}), CUT),
    'escape.ppm': (b'P5 \x1b[31m\x07\x08\x0e\x0f\x10\x11 9 255\n', CUT),
    'damaged.tif': (file_of(page(99), 'TIFF', compression='tiff_adobe_deflate')
                    .replace(b'\x78', b'\x79', 1), CUT),
    'nowhere.tif': (b'II*\0\xff\xff\xff\xff', CUT),
    'text.zip.png': (png(chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(10 ** 8)))), CUT),
    'international.zip.png': (png(chunk(b'iTXt', b'a\0\1\0\0\0' + zlib.compress(bytes(10 ** 8)))),
                              CUT),
    'texts.zip.png': (png(*[chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(10 ** 6)))] * 99), CUT),
    'profile.zip.png': (png(chunk(b'iCCP', b'a\0\0' + zlib.compress(bytes(10 ** 8)))), CUT),
}
HARMLESS = {  # pictures that come with more than is read of it
    'exif.jpg': jpeg(segment(b'\xe1', b'Exif\0\0' + exif(65000))),
    'exifs.jpg': jpeg(*(segment(b'\xe1', b'Exif\0\0' + exif(10 ** 6)[at:at + 65000])
                        for at in range(0, 10 ** 6, 65000))),
    'several.jpg': jpeg(segment(b'\xe2', b'MPF\0' + exif(65000))),
    'exif.png': file_of(page(), 'PNG', exif=exif(10 ** 6)),
    'exif.webp': file_of(page(), 'WEBP', exif=exif(10 ** 6)),
    'exif.text.png': png(chunk(b'tEXt', b'Raw profile type exif\0\nexif\n 9\n' +
                               exif(490000).hex().encode()),
                         chunk(b'IDAT', zlib.compress(b''.join(
                             b'\0' + bytes([255] * 4 + [0] + [255] * 4) for _ in range(9))))),
}
PEAK = """
def peak():
    'Bytes of memory that this process had at most; 0 on Windows, which does not tell.'
    if os.path.exists('/proc/self/status'):  # getrusage's would be that of pytest, if larger
        with open('/proc/self/status') as file:
            return 1024 * int(file.read().split('VmHWM:')[1].split()[0])
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
"""
CHILD = PEAK + """
import json, os, sys, time
from digits.errors import UserError
from digits.pictures import decoding, one_digit
seconds, user, *paths = sys.argv[1:]
decoding.MAX_SECONDS = float(seconds)
if int(user):
    os.seteuid(int(user))
for path in paths:
    start, said = time.thread_time(), None
    try:
        one_digit.read(path)
    except UserError as error:
        said = str(error)
    print(json.dumps([said, time.thread_time() - start, peak()]), flush=True)
"""


def read_in_a_child(paths, max_seconds=decoding.MAX_SECONDS, user=0, timeout=60):
    """A row for each path: [what was said or None, seconds, bytes at most until then]."""
    child = subprocess.run(
        [sys.executable, '-c', CHILD, str(max_seconds), str(user), *map(str, paths)],
        capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
        cwd=str(PROJECT_ROOT))
    assert (child.returncode, child.stderr) == (0, '')
    return [json.loads(line) for line in child.stdout.splitlines()]


def written(folder, files):
    """Paths of `files`, {name: bytes}, written into `folder`."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def test_each_file_has_its_sentence_soon_and_in_little_memory(tmp_path):
    paths = written(tmp_path, {name: data for name, (data, _) in FILES.items()})
    rows = read_in_a_child(paths)
    for path, (said, seconds, peak) in zip(paths, rows):
        assert said.startswith(f'{path}: {FILES[path.name][1]}'), said
        assert said.isprintable() and len(said) < len(str(path)) + 200, said
        assert seconds < 1 and peak < 3e8, (said, seconds, peak)


def test_a_picture_with_more_in_its_file_than_a_picture_is_read(tmp_path):
    paths = written(tmp_path, HARMLESS)
    for path, (said, seconds, peak) in zip(paths, read_in_a_child(paths)):
        assert said is None, said
        assert seconds < 1.5 and peak < 6e8, (path, seconds, peak)  # Pillow 9.5: 0.4 GB


def names_of_no_files(folder):
    """{path: what is said of it}, made in `folder`: everything but a regular file."""
    (folder / 'folder.png').mkdir()
    (folder / 'broken link.png').symlink_to(folder / 'nowhere.png')
    (folder / 'ring.png').symlink_to(folder / 'ring.png')
    (folder / 'zero.png').symlink_to('/dev/zero')
    os.mkfifo(str(folder / 'pipe.png'))
    with socket.socket(socket.AF_UNIX) as listener, open(str(folder / '5 GB.png'), 'wb') as large:
        here = os.getcwd()
        os.chdir(str(folder))  # a socket's name has 108 bytes at most
        listener.bind('socket.png')
        os.chdir(here)
        large.write(b'\x89PNG\r\n\x1a\n')
        large.truncate(5 * 10 ** 9)
    device = 'is not a file; give the name of a picture'
    return {
        folder / 'missing.png': 'no such file; check the name',
        folder / 'folder.png': 'is a folder; give a picture in it',
        folder / 'broken link.png': 'is a link to a file that is not there; copy the file itself',
        folder / 'ring.png': 'cannot be read (Too many levels of symbolic links); check its name '
                             'and permissions',
        folder / 'zero.png': device, folder / 'pipe.png': device, folder / 'socket.png': device,
        Path('/dev/zero'): device, Path('/dev/random'): device, Path('/dev/stdin'): device,
        folder / '5 GB.png': 'has more than 268,435,456 bytes; save it as PNG or JPEG',
        folder / ('long' * 99): 'cannot be read (File name too long); check its name and '
                                'permissions',
    }


@posix
def test_only_files_are_read_and_nothing_is_waited_for(tmp_path):
    names = names_of_no_files(tmp_path)
    rows = read_in_a_child(names)
    assert [row[0] for row in rows] == [f'{path}: {said}' for path, said in names.items()]
    assert max(row[1] for row in rows) < 1
    assert rows[-1][2] < 1e8


@posix
def test_a_pipe_put_in_the_place_of_a_file_is_not_waited_for_either(tmp_path, monkeypatch):
    path = tmp_path / 'pipe.png'
    os.mkfifo(str(path))
    regular = os.stat(str(FOUR))
    monkeypatch.setattr(decoding.os, 'stat', lambda _: regular)  # as it was a moment ago
    with pytest.raises(UserError, match='is not a file; give the name of a picture'):
        one_digit.read(path)


@posix
def test_a_file_without_permission_is_a_sentence(tmp_path):
    path = tmp_path / 'four.png'
    shutil.copy(str(FOUR), str(path))
    path.chmod(0)
    nobody = 0 if os.geteuid() else 65534  # permissions do not bind root
    (said, _, _), = read_in_a_child([path], user=nobody)
    assert said == f'{path}: cannot be read (Permission denied); check its name and permissions'


def test_what_takes_too_long_is_stopped(tmp_path):
    paths = written(tmp_path, {
        'scans.jpg': scans(3000, 20000),
        'comments.jpg': jpeg(b'\xff\xfe\0\2' * 5 * 10 ** 5),
        'chunks.png': png(chunk(b'teSt') * 2 * 10 ** 5),
        'data.png': png(chunk(b'IDAT') * 5 * 10 ** 5),
        'extensions.gif': b'GIF89a\1\0\1\0\0\0\0' + b'!\xfe\1a\0' * 10 ** 6,
        'spaces.ppm': b'P5 ' + b' ' * 3 * 10 ** 6,
        'numbers.ppm': b'P2 2000 2000 255\n' + b'7 ' * 2000 * 2000,
        'runs.bmp': bmp(1500, b'\1\7' * 1500 * 1500),
    })
    for path, (said, seconds, peak) in zip(paths, read_in_a_child(paths, max_seconds=0.1)):
        assert said == (f'{path}: takes more than 0.1 seconds to decode; save it as PNG or JPEG')
        assert seconds < 2 and peak < 3e8, (said, seconds, peak)


@pytest.mark.slow
@pytest.mark.rare
@posix
def test_the_largest_picture_of_each_format_costs_a_gigabyte_and_some_seconds(tmp_path):
    side = 9400
    noise = np.random.RandomState(0).randint(0, 60, [side, side, 1], np.uint8)
    whole = Image.fromarray(np.asarray(page(side)) // 2 + noise)
    grey, clear = whole.convert('L'), whole.convert('RGBA')
    clear.putalpha(grey)
    large = {
        'rgba.png': (clear, {'compress_level': 1}),
        '16.png': (Image.fromarray(np.asarray(grey).astype(np.uint16) * 200),
                   {'compress_level': 1}),
        'palette.png': (whole.convert('P'), {'transparency': bytes(range(256)),
                                             'compress_level': 1}),
        'rgb.bmp': (whole, {}), 'grey.gif': (grey, {}),
        'rgba.tif': (clear, {'compression': 'tiff_lzw'}),
        'jpeg.tif': (whole, {'compression': 'jpeg'}),
        'float.tif': (Image.fromarray(np.asarray(grey).astype(np.float32)),
                      {'compression': 'tiff_lzw', 'tiffinfo': {278: side}}),
        'rgba.webp': (clear.crop((0, 0, 7000, 7000)), {'lossless': True, 'quality': 0,
                                                       'method': 0}),
        'progressive.jpg': (whole, {'progressive': True, 'subsampling': 0}),
        'cmyk.jpg': (whole.convert('CMYK'), {'progressive': True}),
        'phone.jpg': (page(12000).crop((0, 0, 12000, 9000)), {'quality': 95}),
    }
    for name in list(large):
        image, options = large.pop(name)
        path = tmp_path / name
        image.save(str(path), **options)
        (said, seconds, peak), = read_in_a_child([path])
        assert said is None, said
        assert seconds < decoding.MAX_SECONDS and peak < 1.1e9, (name, seconds, peak)
        if name == 'phone.jpg':
            assert seconds < 2 and peak < 1e8, (seconds, peak)
        path.unlink()
    path, = written(tmp_path, {'scans.jpg': scans(9480, 20000)})
    (said, seconds, _), = read_in_a_child([path])
    assert 'takes more than 10 seconds' in said and seconds < 13


# The whole program.

@pytest.fixture
def predict(numpy_run):
    """predict(*words) -> the finished process of predict.py, its output as bytes."""
    def process(*words, **environment):
        return subprocess.run(
            [sys.executable, str(PROJECT_ROOT / 'predict.py'), '--run-dir', str(numpy_run),
             *words],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False,
            env={**os.environ, **environment})
    return process


GOOD = ['a name with spaces.png', '-dash.png', '--help.png', '일곱.png', '%s {x} * [7].png',
        "it's.png"]


@posix
def test_bad_files_among_good_ones(tmp_path, predict):
    """A line for each good one, a sentence for each bad one, both in the order they came in."""
    bad = {str(path): said for path, said in names_of_no_files(tmp_path).items()}
    paths = written(tmp_path, {name: data for name, (data, _) in FILES.items()})
    bad.update((str(path), FILES[path.name][1]) for path in paths)
    good = [str(tmp_path / name) for name in GOOD]
    for path in good:
        shutil.copy(str(FOUR), path)
    words = [*bad, *good]
    random.Random(0).shuffle(words)
    result = predict(*words)
    lines = result.stdout.decode().splitlines()
    sentences = result.stderr.decode().splitlines()
    assert result.returncode == 1
    read = [word for word in words if word in good]
    assert len(lines) == len(read)
    assert all(line.startswith(word) for line, word in zip(lines, read))
    assert len({line[len(word):].strip() for line, word in zip(lines, read)}) == 1  # one picture
    folder = str(tmp_path / 'folder.png')  # is looked into for pictures, maybe before any is read
    bad[folder] = 'no picture in it; name a folder with pictures'
    wrong = [word for word in words if word in bad]
    found = [next(word for word in wrong if sentence.startswith(f'predict.py: {word}: {bad[word]}'))
             for sentence in sentences]
    assert sorted(found) == sorted(wrong)
    for names in (found, wrong):
        names.remove(folder)
    assert found == wrong
    result = predict(*bad)
    assert (result.returncode, result.stdout) == (2, b'')
    assert len(result.stderr.splitlines()) == len(bad)


def test_names_with_a_leading_dash_come_after_two(tmp_path, predict):
    for name in ('-4.png', '--json'):
        shutil.copy(str(FOUR), str(tmp_path / name))
    here = os.getcwd()
    os.chdir(str(tmp_path))
    try:
        result = predict('--', '-4.png', '--json')
        assert (result.returncode, result.stderr) == (0, b'')
        assert [line.split()[0] for line in result.stdout.splitlines()] == [b'-4.png', b'--json']
        assert predict('-4.png').returncode == 2
    finally:
        os.chdir(here)


@pytest.mark.skipif(sys.platform != 'linux', reason='names are Unicode elsewhere')
def test_names_that_the_terminal_cannot_show(tmp_path, predict):
    for name in ('일곱.png'.encode(), b'\xff.png'):
        with open(os.path.join(os.fsencode(str(tmp_path)), name), 'wb') as file:
            file.write(FOUR.read_bytes())
    for encoding in ('ascii', 'utf-8'):
        result = predict(str(tmp_path), PYTHONIOENCODING=encoding)
        assert (result.returncode, result.stderr) == (0, b'')
        assert len(result.stdout.splitlines()) == 2
        assert b'\\udcff.png ' in result.stdout


@pytest.mark.slow
@pytest.mark.rare
@posix
def test_ten_thousand_files(tmp_path, numpy_run):
    """Every line and every sentence is there, in order, and memory is that of a few."""
    bad = [data for data, _ in FILES.values() if len(data) < 10 ** 5]
    good = [file_of(page(side), kind) for side in (28, 60, 200) for kind in ('PNG', 'JPEG')]
    names = [f'{number:05}.png' for number in range(10 ** 4)]
    for number, name in enumerate(names):
        kind = bad if number % 3 == 0 else good
        (tmp_path / name).write_bytes(kind[number // 3 % len(kind)])
    code = PEAK + """
import os, resource, sys, predict
try:
    predict.main(sys.argv[1:])
except SystemExit as end:
    readers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(end.code, peak(), readers * (1 if sys.platform == 'darwin' else 1024))
"""
    result = subprocess.run(
        [sys.executable, '-c', code, '--run-dir', str(numpy_run), str(tmp_path)], text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False,
        cwd=str(PROJECT_ROOT))
    *lines, last = result.stdout.splitlines()
    assert [Path(line.split()[0]).name for line in lines] == [
        name for number, name in enumerate(names) if number % 3]
    assert [Path(line.split(': ')[1]).name for line in result.stderr.splitlines()] == names[::3]
    status, *peaks = map(int, last.split())
    assert status == 1 and max(peaks) < 3e8, last


# Files that nobody thought of.

def seeds():
    """Small files of all formats, and of as many of their variants as Pillow writes."""
    small, grey = page(), page(mode='L')
    clear = page(mode='RGBA')
    clear.putalpha(grey)
    frames = {'save_all': True, 'append_images': [small.rotate(90), small.rotate(180)]}
    grey16 = Image.fromarray(np.asarray(grey).astype(np.uint16) * 200)
    files = [
        *(file_of(page(mode=mode), 'PNG') for mode in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA')),
        file_of(grey16, 'PNG'), file_of(small.convert('P'), 'PNG', transparency=bytes(range(99))),
        file_of(small, 'PNG', **frames),
        *(file_of(page(mode=mode), 'JPEG') for mode in ('L', 'RGB', 'CMYK')),
        file_of(small, 'JPEG', progressive=True, quality=30), scans(24, 3),
        jpeg(segment(b'\xe1', b'Exif\0\0' + exif(200))),
        *(file_of(page(mode=mode), 'BMP') for mode in ('1', 'L', 'P', 'RGB', 'RGBA')),
        bmp(24, b'\5\7\0\4\1\2\3\4\0\0\0\2\3\3' * 9),
        *(file_of(page(mode=mode), 'GIF') for mode in ('1', 'L', 'P')),
        file_of(small, 'GIF', **frames),
        *(file_of(page(mode=mode), 'PPM') for mode in ('1', 'L', 'I', 'RGB')),
        b'P2 3 3 9\n9 9 9 9 0 9 9 9 9\n', b'P1\n# four\n3 3\n000 010 000\n',
        b'P3 2 2 7 ' + b'7 1 7 ' * 4, b'P5 3 3 7\n' + bytes([7] * 4 + [0] + [7] * 4),
        b'Pf\n3 3\n-1.0\n' + np.float32([9] * 4 + [0] + [9] * 4).tobytes(),
        *(file_of(page(mode=mode), 'TIFF') for mode in ('1', 'L', 'P', 'RGBA', 'CMYK', 'F')),
        file_of(Image.merge('LAB', small.split()), 'TIFF'),
        *(file_of(small, 'TIFF', compression=how)
          for how in ('tiff_lzw', 'tiff_adobe_deflate', 'jpeg', 'packbits')),
        file_of(page(mode='1'), 'TIFF', compression='group4'), file_of(grey16, 'TIFF'),
        file_of(small, 'TIFF', **frames),
        tiff(grey_tiff(20, 20, t322=(4, 1, 16), t323=(4, 1, 16), t324=(4, 4, 300)),
             bytes(44), struct.pack('<4L', *range(316, 1340, 256)), bytes(range(256)) * 4),
        file_of(small, 'WEBP'), file_of(clear, 'WEBP', lossless=True),
        file_of(small, 'WEBP', **frames),
    ]
    if 'AVIF' in Image.SAVE:
        files.append(file_of(small, 'AVIF'))
    if 'HEIF' in Image.SAVE:
        files += [file_of(small, 'HEIF'), file_of(clear, 'HEIF')]
    return files


SEEDS = seeds()
EXTREMES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff,
            0x80000000, 0xffffffff]


def place(data, length):
    """Where to alter a file of that length: mostly in its header."""
    return data.draw(st.one_of(st.integers(0, min(99, length)), st.integers(0, length)))


def with_true_checksums(file):
    """A PNG whose chunks' checksums are right, so that what is in them is looked at."""
    file, at = bytearray(file), 8
    while at + 12 <= len(file):
        end = at + 8 + int.from_bytes(file[at:at + 4], 'big')
        file[end:end + 4] = struct.pack('>L', zlib.crc32(file[at + 4:end]))
        at = end + 4
        if end > len(file):
            break
    return bytes(file)


def altered(data, file):
    """`file` after one of the ways to break one."""
    at = place(data, len(file))
    how = data.draw(st.sampled_from(['bytes', 'number', 'number', 'cut', 'drop', 'repeat',
                                     'insert', 'splice']))
    if how == 'bytes':
        new = data.draw(st.binary(min_size=1, max_size=4))
        return file[:at] + new + file[at + len(new):]
    if how == 'number':
        size, order = data.draw(st.sampled_from([1, 2, 4])), data.draw(st.sampled_from('<>'))
        number = data.draw(st.sampled_from(EXTREMES)) % 256 ** size
        new = number.to_bytes(size, 'big' if order == '>' else 'little')
        return file[:at] + new + file[at + size:]
    if how == 'cut':
        return file[:at]
    if how == 'insert':
        return file[:at] + data.draw(st.binary(max_size=40)) + file[at:]
    if how == 'splice':
        other = data.draw(st.sampled_from(SEEDS))
        return file[:at] + other[place(data, len(other)):]
    length = data.draw(st.integers(1, 40))
    if how == 'drop':
        return file[:at] + file[at + length:]
    return file[:at] + file[at:at + length] * data.draw(st.integers(2, 50)) + file[at + length:]


def image_or_sentence(read, *args):
    """Call `read`: uint8 [28, 28], or one short sentence; no other error, no warning, soon."""
    start = time.thread_time()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        # As digits.decoding has it: pytest puts its own filters in the place of the program's.
        warnings.filterwarnings('ignore', module='PIL|pillow_heif')
        try:
            image = read(*args)
        except UserError as error:
            assert str(error).isprintable() and 20 < len(str(error)) < 400, str(error)
            image = None
    assert time.thread_time() - start < 5
    if image is not None:
        assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() > 200
    return image


def explore(examples, test, *strategies):
    hypothesis.settings(max_examples=examples, deadline=None, database=None,
                        suppress_health_check=list(hypothesis.HealthCheck))(
        hypothesis.given(*strategies)(test))()


def read_altered(examples):
    """Read that many altered files; how many were read, how many refused."""
    outcomes = {True: 0, False: 0}

    def check(data):
        file = data.draw(st.sampled_from(SEEDS))
        for _ in range(data.draw(st.integers(0, 4))):
            file = altered(data, file)
        if file.startswith(b'\x89PNG') and data.draw(st.booleans()):
            file = with_true_checksums(file)
        outcomes[image_or_sentence(one_digit.read, io.BytesIO(file)) is not None] += 1
    explore(examples, check, st.data())
    return outcomes


def test_every_seed_is_a_picture():
    for file in SEEDS:
        if not file.startswith(b'Pf'):  # which Pillow 9.5 does not know
            size = decoding.open_picture(io.BytesIO(file)).size
            assert size in ((24, 24), (20, 20), (3, 3), (2, 2)), file


def test_altered_files_give_an_image_or_a_sentence():
    outcomes = read_altered(400)
    assert min(outcomes.values()) > 20, outcomes


@pytest.mark.slow
@pytest.mark.rare
def test_thousands_of_altered_files_do_so():
    outcomes = read_altered(6000)
    assert min(outcomes.values()) > 300, outcomes


def read_any_bytes(examples):
    start = st.sampled_from([b'', *{file[:size] for file in SEEDS for size in (2, 4, 12, 16)}])

    def check(head, tail):
        image_or_sentence(one_digit.read, io.BytesIO(head + tail))
    explore(examples, check, start, st.binary(max_size=200))


def test_any_bytes_give_an_image_or_a_sentence():
    read_any_bytes(200)


@pytest.mark.slow
@pytest.mark.rare
def test_thousands_of_any_bytes_do():
    read_any_bytes(6000)


MODES = {'1': 1, 'L': 1, 'P': 1, 'LA': 2, 'PA': 2, 'La': 2, 'RGB': 3, 'YCbCr': 3, 'LAB': 3,
         'HSV': 3, 'RGBA': 4, 'RGBa': 4, 'RGBX': 4, 'CMYK': 4, 'I;16': 2, 'I;16L': 2, 'I;16B': 2,
         'I': 4, 'F': 4}
SIZES = st.one_of(st.tuples(st.integers(1, 40), st.integers(1, 40)),
                  st.tuples(st.integers(0, 2), st.integers(0, 5000)),
                  st.tuples(st.integers(0, 5000), st.integers(0, 2)),
                  st.tuples(st.integers(300, 900), st.integers(300, 900)))


def some_image(data):
    """An image of any mode and size: noise, few values, extremes, or a digit among them."""
    mode, (width, height) = data.draw(st.sampled_from(sorted(MODES))), data.draw(SIZES)
    noise = np.random.RandomState(data.draw(st.integers(0, 2 ** 31)))
    numbers = {'F': np.float32, 'I': np.int32}.get(mode, np.uint8)
    shape = [height, width] if mode in 'IF' else [height, width, MODES[mode]]
    if mode == 'F':
        values = data.draw(st.lists(st.floats(width=32), min_size=1, max_size=4))
    else:
        kind = np.iinfo(numbers)
        values = data.draw(st.lists(st.one_of(st.sampled_from([kind.min, kind.max, 0, 1]),
                                              st.integers(kind.min, kind.max)),
                                    min_size=1, max_size=4))
    pixels = np.array(values, numbers)[noise.randint(len(values), size=shape)]
    if pixels.size and data.draw(st.booleans()):  # a background of one value
        pixels[:, :width // 3] = pixels[:, width // 2:] = pixels.ravel()[:1]
    if mode == '1':
        return Image.fromarray(pixels[..., 0]).convert('1')
    image = Image.new(mode, (width, height))
    if pixels.size:
        image.frombytes(pixels.tobytes())
    if mode in ('P', 'L', 'RGB') and data.draw(st.booleans()):
        image.info['transparency'] = {'RGB': (0, 0, 0)}.get(mode, 0)
    return image


def turn_any_image(examples):
    outcomes = {True: 0, False: 0}

    def check(data):
        outcomes[image_or_sentence(one_digit.to_mnist, some_image(data)) is not None] += 1
    explore(examples, check, st.data())
    assert min(outcomes.values()) > examples / 50, outcomes


def test_any_image_gives_an_image_or_a_sentence():
    turn_any_image(200)


@pytest.mark.slow
@pytest.mark.rare
def test_thousands_of_any_images_do():
    turn_any_image(4000)
