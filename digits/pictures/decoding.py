"""An untrusted file -> a decoded picture, a PIL image, in bounded time and memory."""
import io
import logging
import os
import re
import stat
import struct
import sys
import time
import warnings
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import BinaryIO, Iterator, Optional, Union

from PIL import Image

from digits.errors import UserError

FORMATS = {  # as Pillow names their modules: how such a file begins
    'Png': rb'\x89PNG\r\n\x1a\n', 'Jpeg': rb'\xff\xd8\xff', 'Bmp': rb'BM', 'Gif': rb'GIF8[79]a',
    'Ppm': rb'P[1-6f]\s', 'Tiff': rb'II[*+]\0|MM\0[*+]', 'WebP': rb'RIFF....WEBP',
    'Avif': rb'....ftypavi[fs]', 'Heif': rb'....ftyp(hei[cmsx]|hev[cmsx]|m[is]f1)',
}
ENDINGS = ('.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.bmp', '.gif', '.tif', '.tiff',
           '.webp', '.ppm', '.pgm', '.pbm', '.pnm', '.pfm', '.heic', '.heics', '.heif', '.heifs',
           '.hif', '.avif', '.avifs')
# What a file may cost: 1 GB and some seconds at worst, whoever made it.
MAX_FILE_BYTES = 2 ** 28
MAX_SIDE = 2 ** 16 - 1  # pixels: a JPEG has no longer one; Pillow has a pointer for each row
MAX_PIXELS = 90_000_000
MAX_PIXELS_TRANSPARENT = 60_000_000  # Pillow copies them to make them smaller
MAX_PIXELS_BY_FORMAT = {
    'Jpeg': 201_000_000,  # decoded at an eighth of its size; phones make 200 million
    'Heif': 110_000_000,  # phones make 108 million
    'WebP': 50_000_000,  # its decoder holds a picture four times over
}
MAX_EXIF_BYTES = 2 ** 16  # bytes: what a JPEG has room for
MAX_TIFF_TAGS, MAX_TIFF_STRIPS = 2 ** 12, 2 ** 18  # of a TIFF; strips or tiles
MAX_PPM_COMMENTS = 1000  # of a PPM in text: Pillow copies what is read for each
MAX_SECONDS = 10  # of one core, checked whenever a block of the file is read
TIFF_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # bytes, by type of field
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
         4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
         6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
Picture = Union[str, 'os.PathLike[str]', BinaryIO]  # a file's name, or an open binary file

# Warnings of Pillow become a UserError or are dropped.
warnings.filterwarnings('ignore', module='PIL|pillow_heif')
logging.getLogger('PIL').addHandler(logging.NullHandler())


class _BoundedFile(io.BytesIO):
    """A file in memory that raises UserError after so many seconds of its reader's computing.

    A JPEG of a thousand scans, a PNG of a million chunks: a small file can take hours to decode.
    """

    def __init__(self, data, seconds):
        super().__init__(data)
        self.seconds, self.until = seconds, time.thread_time() + seconds

    def read(self, size=-1):
        if time.thread_time() > self.until:
            raise UserError(f'takes more than {self.seconds:g} seconds to decode; '
                            'save it as PNG or JPEG')
        return super().read(size)


@contextmanager
def naming_errors(path: Picture) -> Iterator[None]:
    """Put the name of `path`, a file's name or an open file, before a UserError raised inside."""
    try:
        yield
    except UserError as error:
        name = getattr(path, 'name', 'the picture') if hasattr(path, 'read') else os.fspath(path)
        raise UserError(f'{name}: {error}') from error


def open_picture(path: Picture, max_side: Optional[int] = None,
                 max_pixels: int = MAX_PIXELS_BY_FORMAT['Jpeg'],
                 max_seconds: Optional[float] = None) -> Image.Image:
    """Decode the picture in `path`, a file's name or an open binary file.

    max_side: decode a JPEG at a half, a quarter or an eighth of its size where both sides stay as
        long as that: a large photo then takes less time. A JPEG of more pixels than other
        formats may have is decoded so as well, to 4096 pixels a side or more.
    max_pixels: a bound below that of its format
    max_seconds: of one core, MAX_SECONDS by default

    Raises UserError, one sentence without the file's name, if it cannot be decoded.
    """
    data = _bytes_of(path)
    kind = next((kind for kind, start in FORMATS.items() if re.match(start, data, re.DOTALL)), '')
    if not kind:
        raise UserError('not a picture of a kind read here; save it as PNG or JPEG '
                        '(also read: BMP, GIF, TIFF, WebP, HEIC, AVIF, PPM)' if data else
                        'is empty; save or copy it again')
    decoder = _decoder(kind)
    most = min(MAX_PIXELS_BY_FORMAT.get(kind, MAX_PIXELS), max_pixels)
    try:
        _check(kind, data)
        libtiff = kind == 'Tiff' and sys.stderr  # which is None where there is none
        with _BoundedFile(data, max_seconds or MAX_SECONDS) as file, (
                _stderr_discarded() if libtiff else nullcontext()):
            image = decoder(file)
            if kind == 'Jpeg' and _in_several_scans(image, data, file.tell()):
                most = min(MAX_PIXELS, max_pixels)
            if is_transparent(image):
                most = min(MAX_PIXELS_TRANSPARENT, most)
            pixels = image.width * image.height
            if pixels > most:
                raise Image.DecompressionBombError
            if max(image.size) > MAX_SIDE:
                raise UserError(f'is longer than {MAX_SIDE:,} pixels; cut it into smaller ones')
            if max_side or pixels > MAX_PIXELS:
                image.draft(None, (max_side or 2 ** 12,) * 2)
            if 'progressive' in image.info:  # 64 kB of this JPEG can be half a minute's work
                image.decodermaxblock = 2 ** 12
            image.load()
            return image
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(f'has more than {most:,} pixels; make it smaller') from None
    except MemoryError:
        raise UserError('needs more memory than there is; make it smaller') from None
    # Decoders meet broken bytes with IndexError, struct.error, zlib.error, SyntaxError and more.
    except Exception as error:
        # Some of them quote the file, control characters and all.
        reason = ''.join(letter if letter.isprintable() else ' ' for letter in str(error))
        reason = ' '.join(reason.split()).strip('. ') or type(error).__name__
        raise UserError(f'is cut short or damaged ({reason}); save or copy it again') from error


@contextmanager
def _stderr_discarded():
    """Discard what is written to standard error, where libtiff prints what it finds wrong."""
    saved = os.dup(2)
    with open(os.devnull, 'w') as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _decoder(kind):
    """The Pillow class that reads files of that format, imported when first needed."""
    try:
        if kind == 'Heif':
            from pillow_heif import HeifImageFile
            return HeifImageFile
        return getattr(import_module(f'PIL.{kind}ImagePlugin'), f'{kind}ImageFile')
    except ImportError:
        name, package = (('HEIC', 'pillow-heif') if kind == 'Heif' else
                         (kind.upper(), '--upgrade pillow'))
        raise UserError(f'is {name}; to read it run  pip install {package}  or save it as JPEG'
                        ) from None


def _bytes_of(path):
    """Read `path`, a file's name or an open binary file."""
    if hasattr(path, 'read'):
        data = path.read(MAX_FILE_BYTES + 1)
        _check_size(len(data))
        return data
    try:
        _size(os.stat(path))
        with open(path, 'rb', opener=_non_blocking) as file:
            return file.read(_size(os.fstat(file.fileno())))
    except FileNotFoundError:
        raise UserError('is a link to a file that is not there; copy the file itself'
                        if os.path.islink(path) else 'no such file; check the name') from None
    except OSError as error:
        raise UserError(f'cannot be read ({error.strerror}); check its name and permissions'
                        ) from error


def _size(status):
    """The size of a regular file. Of a device, reading may never end; of a pipe, never begin."""
    if stat.S_ISDIR(status.st_mode):
        raise UserError('is a folder; give a picture in it')
    if not stat.S_ISREG(status.st_mode):
        raise UserError('is not a file; give the name of a picture')
    _check_size(status.st_size)
    return status.st_size


def _check_size(size):
    if size > MAX_FILE_BYTES:
        raise UserError(f'has more than {MAX_FILE_BYTES:,} bytes; save it as PNG or JPEG')


def _non_blocking(path, flags):
    """Open without waiting for a writer: the file may have become a pipe since it was checked."""
    return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))


def _in_several_scans(image, data, end):
    """Whether libjpeg holds a whole JPEG until its last scan; `end`: of its first scan's header."""
    colours = data[data.rindex(b'\xff\xda', 0, end) + 4]
    return 'progressive' in image.info or colours < image.layers


def _check(kind, data):
    """Raise UserError if a small file makes Pillow work as for a large one."""
    if kind == 'Tiff':
        asked = _asked_by_tiff(data)
    else:
        comments = data.count(b'#') if kind == 'Ppm' and data[1:2] in b'123' else 0
        asked = f'{comments:,} comments' if comments > MAX_PPM_COMMENTS else ''
    if asked:
        raise UserError(f'asks for more than a picture needs ({asked}); save it as PNG or JPEG')


def _asked_by_tiff(data):
    """Return what a TIFF's first directory declares that is too much, or ''.

    Pillow and libtiff trust it: they copy what a tag points to, for each tag that does, list all
    strips or tiles, and decode a whole tile of any size for a picture of one pixel.
    """
    end = 'little' if data[:1] == b'I' else 'big'
    big = 43 in data[2:4]  # BigTIFF: 8 bytes where others have 4
    order = '<' if end == 'little' else '>'
    start, = struct.unpack_from(order + ('8xQ' if big else '4xL'), data)
    count, = struct.unpack_from(order + ('Q' if big else 'H'), data, start)
    entry = struct.Struct(order + ('HHQ8s' if big else 'HHL4s'))
    first = start + (8 if big else 2)
    if count > MAX_TIFF_TAGS:
        return f'{count:,} tags'
    total, strips, sides = 0, 0, {}
    for place in range(first, min(first + count * entry.size, len(data) - entry.size + 1),
                       entry.size):
        tag, kind, number, value = entry.unpack_from(data, place)
        size = TIFF_SIZES[kind] if kind < len(TIFF_SIZES) else 0
        total += number * size
        if tag in (273, 324):
            strips = max(strips, number)
        if tag in (322, 323):
            sides[tag] = max(sides.get(tag, 0), int.from_bytes(value[:size], end))
    if strips > MAX_TIFF_STRIPS:
        return f'{strips:,} strips or tiles'
    if len(sides) == 2 and sides[322] * sides[323] > MAX_PIXELS:
        return f'tiles of {sides[322]:,} x {sides[323]:,} pixels'
    if total > len(data):
        raise ValueError('its tags reach beyond its end')
    return ''


def is_transparent(image: Image.Image) -> bool:
    """Whether an image has an alpha channel, or a colour that stands for nothing."""
    return image.getbands()[-1] in 'Aa' or 'transparency' in image.info


def upright(image: Image.Image) -> Image.Image:
    """Turn the picture as its camera's EXIF orientation says."""
    if image.format == 'TIFF':  # turned by Pillow when loaded; Pillow 9.5 leaves the tag behind
        image.load()
        return image
    try:
        # ImageOps.exif_transpose would also write all EXIF anew, however much that is.
        if any(len(image.info.get(key) or '') > MAX_EXIF_BYTES
               for key in ('exif', 'Raw profile type exif')):
            return image
        turn = TURNS.get(image.getexif().get(0x0112, 1))
    except Exception:  # a broken tag beside whole pixels: how it was held stays unknown
        return image
    return image if turn is None else image.transpose(turn)
