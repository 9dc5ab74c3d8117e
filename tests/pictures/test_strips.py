"""digits.pictures.page on pages with something broad: along their edges, or under the digits."""
import drawn_digits
import numpy as np
import pytest
from PIL import Image

from digits.pictures import page as pages
from digits.pictures import strips

SHAPE = 1000, 1300
Y, X = np.indices(SHAPE)
LINES = [(abs(Y - middle) < 40) & (abs(X - 650) < 550) for middle in (180, 290, 400)]
KINDS = {
    "a scanner's lid at two sides": lambda paper: np.where((X < 25) | (Y < 20), 12, paper),
    'at all sides': lambda paper: np.where(
        (X < 25) | (Y < 20) | (X >= 1282) | (Y >= 970), 12, paper),
    'of a sheet that lies askew': lambda paper: np.where(X < 0.06 * Y, 12, paper),
    "a book's gutter": lambda paper: paper * (1 - 0.7 * np.exp(-X / 60)),
    'a fold': lambda paper: paper * (1 - 0.3 * np.exp(-((X - 755) / 16) ** 2)),
    'a deeper fold': lambda paper: paper * (1 - 0.35 * np.exp(-((X - 655) / 25) ** 2)),
    'two folds': lambda paper: paper * (1 - 0.35 * np.exp(-((X - 755) / 14) ** 2)) * (
        1 - 0.35 * np.exp(-((Y - 490) / 14) ** 2)),
    'a grey band': lambda paper: paper * np.where(LINES[1], 0.6, 1),
    'a yellow highlighter': lambda paper: paper[..., None] * np.where(
        (LINES[0] | LINES[2])[..., None], (1, 1, 0.35), 1),
    'a finger': lambda paper: np.where(np.hypot(X - 1300, (Y - 1000) / 2.5) < 170, 150, paper),
    'half in shadow': lambda paper: paper * np.where(0.8 * X + Y > 900, 0.5, 1),
    'most in shadow': lambda paper: paper * np.where(0.8 * X + Y > 500, 0.4, 1),
    'on a dark desk': lambda paper: np.where(
        (abs(X - 650) < 600) & (abs(Y - 500) < 460), paper, 90),
}


def noisy(values):
    """A PIL image of 0..255 [h, w] or [h, w, 3]."""
    noise = np.random.RandomState(0).normal(0, 3, values.shape)
    return Image.fromarray(np.uint8((values + noise).clip(0, 255)))


@pytest.mark.parametrize('kind', KINDS)
def test_digits_are_found_as_without(clean_strokes, kind):
    page = drawn_digits.page(clean_strokes(400, seed=5)[0], 40, 60, (120, 150), (100, 110), SHAPE)
    page = np.asarray(page, float)
    plain, with_it = (pages.find(noisy(values)).boxes for values in (page, KINDS[kind](page)))
    assert len(plain) >= 40
    same = (abs(plain[:, None] - with_it) <= 3).all(2)
    assert same.any(1).sum() >= len(plain) - 1 and len(with_it) <= len(plain) + 1


@pytest.mark.parametrize('desk', [60, 110, 160])
@pytest.mark.parametrize('larger', [1.4, 1.8, 2.5])
def test_a_note_on_a_desk_is_read(clean_strokes, desk, larger):
    """larger: the picture than the note, which has half of its area or less."""
    digits, _ = clean_strokes(400, seed=5)
    note = drawn_digits.page(digits, 12, 60, (60, 50), (100, 110), (420, 520), columns=4)
    picture = Image.new('L', tuple(int(larger * side) for side in note.size), desk)
    left, top = ((outer - inner) // 2 for outer, inner in zip(picture.size, note.size))
    picture.paste(note, (left, top))
    plain, found = (pages.find(noisy(np.asarray(image, float))).boxes
                    for image in (note, picture))
    assert len(plain) == len(found) == 12
    assert abs(plain + (left, top, left, top) - found).max() <= 3


def test_a_number_that_is_cropped_close_stays():
    """Its digits begin at the edges, and are as long as each other."""
    ink = np.zeros((200, 600))
    for left in (0, 150, 300, 450):
        ink[:, left:left + 40] = ink[80:120, left:left + 100] = 1
    mask = ink > 0.5
    same = strips.without(ink, mask)
    assert same[0] is ink and same[1] is mask


def test_a_strip_on_a_faint_page_is_left_out():
    """All ink is fainter than what counts as the soft side of a strip."""
    ink = np.zeros((400, 600))
    ink[:, :20] = 0.08
    digits = np.zeros(ink.shape, bool)
    for left in (100, 200, 300):
        digits[100:140, left:left + 6] = digits[120:126, left:left + 20] = True
    ink[digits] = 0.08
    _, mask = strips.without(ink, ink > 0.07)
    assert (mask == digits).all()
