"""Files that are no pictures, that are damaged, or that were made to harm; what is said of them."""
import io
import os
import socket
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from digits.paths import PROJECT_ROOT

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


def png(*chunks, side=9, colours=0):
    header = struct.pack('>LLBBBBB', side, side, 8, colours, 0, 0, 0)
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
    'transparent.png': (png(side=8000, colours=6), 'has more than 60,000,000 pixels'),
    'transparent colour.png': (png(chunk(b'tRNS', bytes(2)), chunk(b'IDAT'), side=8000),
                               'has more than 60,000,000 pixels'),
    'long.ppm': (b'P5 1 65536 255\n', 'is longer than 65,535 pixels; cut it into smaller ones'),
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

def written(folder, files):
    """Paths of `files`, {name: bytes}, written into `folder`."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


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
