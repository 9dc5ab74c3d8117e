"""digits.pictures.page on pages with a logo, a photo or a bar beside the digits, as forms have."""
import drawn_digits
import drawn_tables
import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits.pictures import page as pages


@pytest.fixture(scope='module')
def hand(clean_strokes):
    return clean_strokes(400, seed=5)


def blotted(image, kind, size):
    """A copy of a PIL image of mode L with a blot at its top left, `size` pixels wide."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    if kind == 'disc':
        draw.ellipse((40, 40, 40 + size, 40 + size), fill=50)
    elif kind == 'ring':
        draw.ellipse((40, 40, 40 + size, 40 + size), outline=50, width=size // 5)
    elif kind == 'bar':
        draw.rectangle((40, 40, 40 + size, 40 + size // 9), fill=50)
    else:
        noise = np.random.RandomState(1).randint(0, 190, (9, 9)).astype(np.uint8)
        image.paste(Image.fromarray(noise).resize((size, size), Image.BICUBIC), (40, 40))
    return image


def lost_and_more(before, after):
    """(how many of the boxes int [n, 4] `before` are not in `after`, how many more are there)."""
    same = (abs(before[:, None] - after) <= 2).all(2)
    return np.count_nonzero(~same.any(1)), np.count_nonzero(~same.any(0))


@pytest.mark.parametrize('count', [8, 30])
@pytest.mark.parametrize('kind, sizes, more', [
    ('disc', (100, 200, 400), 0), ('bar', (300, 600), 0), ('ring', (100, 160), 1),
    ('photo', (100, 200), 3)])
def test_digits_beside_a_blot_are_found(hand, count, kind, sizes, more):
    page = drawn_digits.page(hand[0], count, 70, (60, 600), (110, 120), (1000, 1500), columns=12)
    before = pages.find(page).boxes
    assert len(before) == count
    for size in sizes:
        found = lost_and_more(before, pages.find(blotted(page, kind, size)).boxes)
        assert found <= (0, more), size


@pytest.mark.parametrize('kind', ['disc', 'bar', 'ring', 'photo'])
def test_a_table_under_a_blot_is_read(hand, kind):
    """With a margin of 500 pixels; the blots are as large as two to five rows."""
    drawn = drawn_tables.table(hand, 0, margin=500, width=2, rows=14, columns=12).image.convert('L')
    before = pages.find(drawn)
    for size in (150, 200, 350):
        found = pages.find(blotted(drawn, kind, size))
        lost, _ = lost_and_more(before.boxes, found.boxes)
        assert lost == 0 and found.tables == before.tables
        assert np.count_nonzero(found.rows < 0) <= 9
