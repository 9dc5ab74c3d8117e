"""Altered files, any bytes, any image: an image or one sentence comes of each."""
import io
import struct
import time
import warnings
import zlib

import hypothesis
import numpy as np
import pytest
from bad_files import bmp, exif, file_of, grey_tiff, jpeg, page, scans, segment, tiff
from hypothesis import strategies as st
from PIL import Image

from digits.errors import UserError
from digits.pictures import decoding, one_digit


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
