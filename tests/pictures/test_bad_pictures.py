"""Files that are no pictures, that are damaged, or that were made to harm whoever reads them."""
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from bad_files import (
    FILES,
    FOUR,
    HARMLESS,
    PEAK,
    bmp,
    chunk,
    jpeg,
    names_of_no_files,
    page,
    png,
    posix,
    scans,
    written,
)
from PIL import Image

from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.pictures import decoding, one_digit

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


@pytest.mark.parametrize('start, module, sentence', [
    (b'\0\0\0\x18ftypheic', 'pillow_heif',
     'is HEIC; to read it run  pip install pillow-heif  or save it as JPEG'),
    (b'\0\0\0\x18ftypavif', 'PIL.AvifImagePlugin',
     'is AVIF; to read it run  pip install --upgrade pillow  or save it as JPEG')])
def test_a_kind_that_needs_a_package_names_it(monkeypatch, start, module, sentence):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(UserError) as error:
        one_digit.read(io.BytesIO(start))
    assert str(error.value) == f'the picture: {sentence}'
