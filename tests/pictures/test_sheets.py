"""digits.pictures.sheets: a digit on a note that lies on a desk of another brightness."""
import numpy as np
import pytest
from drawn_digits import alike, read, sheets

Y, X = np.indices((300, 400))
TURNS = 0, 0.2, 0.5


@pytest.fixture(scope='module')
def sixty(clean_strokes):
    """[(a digit on a sheet, as it is read)]."""
    return [(sheet, read(sheet)) for sheet in sheets(clean_strokes(60, seed=11)[0], size=80)]


@pytest.mark.parametrize(('some', 'turn'), [
    *((slice(first, None, 3), turn) for first, turn in enumerate(TURNS)),
    *(pytest.param(slice(None), turn, marks=pytest.mark.slow) for turn in TURNS)])
@pytest.mark.parametrize('side', [75, 95, 130])
@pytest.mark.parametrize('desk', [40, 90, 150])
def test_a_digit_on_a_note(sixty, desk, side, some, turn):
    """desk: its brightness, of the note's 220; side: half of the note's; some: of the digits,
    all of them only where there is time.
    """
    across, down = (abs((X - 200) * np.cos(angle) + (Y - 150) * np.sin(angle))
                    for angle in (turn, turn + np.pi / 2))
    for sheet, expected in sixty[some]:
        note = np.where((across < side) & (down < side), sheet, desk)
        assert alike(expected, note)
        assert alike(expected, 255 - note)


def test_a_digit_on_a_yellow_note(sixty):
    for sheet, expected in sixty:
        coloured = sheet[..., None] / 220 * (250, 235, 110)
        note = np.where(((abs(X - 200) < 80) & (abs(Y - 150) < 80))[..., None], coloured,
                        (140, 110, 80))
        assert alike(expected, note)


@pytest.mark.parametrize('hole', [(10, 40), (20, 50), (30, 60)])
def test_a_bold_zero_is_no_note(hole):
    """hole: half of its width and height."""
    ring = np.hypot((X - 200) / 60, (Y - 150) / 90) < 1
    ring &= np.hypot((X - 200) / hole[0], (Y - 150) / hole[1]) > 1
    image = read(np.where(ring, 40, 220))
    assert image[14, 14] < 100 and (image[14] == 255).sum() >= 6
