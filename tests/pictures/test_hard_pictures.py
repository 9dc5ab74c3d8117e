"""digits.pictures on hard pictures of known digits: it finds all of the ink, nothing else."""
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

PROJECT_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT_ROOT / 'bench'))

import hard_pictures  # noqa: E402
from pictures import otsu  # noqa: E402

from digits.errors import UserError  # noqa: E402
from digits.pictures import one_digit  # noqa: E402

DIFFERENT = 4  # stray() of two different digits


def as_mnist(ink, pen):
    """The digit drawn clean and brought to MNIST's size by Pillow alone: uint8 [28, 28].

    `pen` is in shares of the digit's height. Lines thinner than MNIST's become as wide as those:
    2 pixels of its 20.
    """
    image = Image.fromarray(np.uint8(255 * ink((600, 600), 400, 400 * max(pen, 0.1))))
    image = image.crop(image.getbbox())
    scale = 20 / max(image.size)
    small = np.asarray(image.resize([max(1, round(side * scale)) for side in image.size],
                                    Image.BOX), float)
    rows, columns = np.indices(small.shape)
    top, left = (int(np.clip(round(14 - (index * small).sum() / small.sum()), 0, 28 - side))
                 for index, side in zip((rows, columns), small.shape))
    result = np.zeros([28, 28], np.uint8)
    result[top:top + small.shape[0], left:left + small.shape[1]] = np.rint(small)
    return result


def stray(a, b):
    """Ink of one that is more than a pixel away from the other's: mean over pixels, of 0..255.

    That allows another width of the pen and a shift by a pixel. Of two different digits, 98 in 100
    pairs are over DIFFERENT, which is asserted below.
    """
    def beyond(a, b):
        near = np.asarray(Image.fromarray(b).filter(ImageFilter.MaxFilter(3)), int)
        return np.maximum(a - near, 0).mean()
    return beyond(a, b) + beyond(b, a)


def strays(name, count, read):
    """stray() of what `read` makes of `count` pictures of a kind and what it should."""
    drawn = []

    def hand(random, digit):
        ink = hard_pictures.written(random, digit)

        def remembered(size, height, pen, *where, **how):
            drawn.append((ink, pen / height))
            return ink(size, height, pen, *where, **how)
        return remembered

    found = []
    for _, *file in hard_pictures.pictures(name, count, hand=hand):
        try:
            image = read(io.BytesIO(hard_pictures.encoded(*file)))
        except UserError:
            image = np.zeros([28, 28], np.uint8)
        found.append(stray(image, as_mnist(*drawn[-1])))
    return found


@pytest.mark.parametrize('name', hard_pictures.KINDS)
def test_finds_the_digit(name):
    """In as many pictures as Otsu's threshold does, the usual way; of ten it misses one at most."""
    count = {'tiny-digit': 5, 'twelve-megapixels': 4}.get(name, 10)  # those take long
    ours, usual = strays(name, count, one_digit.read), strays(name, count, otsu)
    found = sum(amount < DIFFERENT for amount in ours)
    assert found >= sum(amount < DIFFERENT for amount in usual), (ours, usual)
    assert found >= count - (count >= 10), [f'{amount:.1f}' for amount in ours]


def test_stray_ink_tells_other_digits_apart():
    random = np.random.RandomState(0)
    images = [as_mnist(hard_pictures.written(random, number % 10), 0.1) for number in range(40)]
    pairs = [stray(images[a], images[b]) for a in range(40) for b in range(a) if (a - b) % 10]
    assert np.mean(np.array(pairs) > DIFFERENT) > 0.98
    moved = [stray(np.roll(image, (1, -1), (0, 1)), image) for image in images]
    assert max(moved) < 1


def test_same_seed_same_files(tmp_path):
    def write(folder, *flags):
        hard_pictures.main(['--out', str(tmp_path / folder), '--count', '1', *flags])
        return {path.relative_to(tmp_path / folder).as_posix(): path.read_bytes()
                for path in (tmp_path / folder).rglob('*.*')}

    first, again, other = write('a'), write('b'), write('c', '--seed', '1')
    assert first == again
    differ = [name for name in first if name != 'labels.csv' and first[name] != other.get(name)]
    assert len(differ) == len(hard_pictures.KINDS)
    rows = first['labels.csv'].decode().splitlines()
    assert rows[0] == 'file,label,kind'
    assert {row.split(',')[0] for row in rows[1:]} == set(first) - {'labels.csv'}
    assert rows[1] == 'clean/000-0.png,0,clean'
