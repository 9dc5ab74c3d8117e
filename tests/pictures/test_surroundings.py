"""digits.pictures.one_digit on pictures with more than a digit: beside it, or across it."""
import numpy as np
import pytest
from drawn_digits import alike, read, sheets

Y, X = np.indices((300, 400))
U, V = ((X - 200) * np.cos(turn) + (Y - 150) * np.sin(turn) for turn in (0.14, 0.14 + np.pi / 2))
BESIDE = {
    'a black edge at all sides': (X < 14) | (Y < 10) | (X > 388) | (Y > 286),
    'one that slants': X < 0.08 * Y,
    'the corners of a turned picture': (abs(U) > 200) | (abs(V) > 150),
    'a desk around the sheet': (abs(X - 200) > 170) | (abs(Y - 150) > 125),
    'a desk at one side': X < 60,
    'a finger': np.hypot(X - 400, Y - 300) < 110,
    'a pen': abs(X - 330 - 0.3 * (Y - 150)) < 9,
    'the end of a pen': (abs(X - 330 - 0.3 * (Y - 150)) < 9) & (Y > 110),
    'a thick pen': (abs(X - 340 - 0.2 * (Y - 150)) < 12) & (Y > 50),
    'a box': (abs(abs(X - 200) - 95) < 3) & (abs(Y - 150) < 98) |
             (abs(abs(Y - 150) - 95) < 3) & (abs(X - 200) < 98),
    'a circle': abs(np.hypot(X - 200, Y - 150) - 105) < 3,
    'the buttons of a program': (Y < 24) & (Y > 6) & (X % 40 < 20),
    "a pad's binding": (np.hypot(X - 16, Y % 30 - 15) < 7) | (X < 16) & (abs(Y % 30 - 15) < 2),
    'a full stop': np.hypot(X - 270, Y - 204) < 7,
    'a punched hole': np.hypot(X - 40, Y - 150) < 18,
}
ACROSS = {
    'lines of a sheet': Y % 36 < 2,
    'squares': (Y % 36 < 2) | (X % 36 < 2),
    'the shadow of a pen': abs(X - 0.3 * Y - 90) < 40,
    'a ring of coffee': abs(np.hypot(X - 200, Y - 150) - 120) < 6,
    'a fold': abs(X - 200) < 4,
    'the shadow of a finger': np.hypot(X - 400, Y - 300) < 160,
}


@pytest.fixture(scope='module')
def sixty(clean_strokes):
    """[(a digit on a sheet, as it is read)]."""
    return [(sheet, read(sheet)) for sheet in sheets(clean_strokes(60, seed=11)[0])]


@pytest.mark.parametrize('kind', BESIDE)
@pytest.mark.parametrize('shade', [20, 90])
def test_a_digit_is_read_as_without(sixty, kind, shade):
    for sheet, expected in sixty:
        assert alike(expected, np.where(BESIDE[kind], shade, sheet))


@pytest.mark.parametrize('kind', ACROSS)
@pytest.mark.parametrize('light', [0.6, 0.68])
def test_what_is_fainter_may_lie_across(sixty, kind, light):
    same = [alike(expected, sheet * np.where(ACROSS[kind], light, 1)) for sheet, expected in sixty]
    assert sum(same) >= 57
