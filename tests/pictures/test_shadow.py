"""digits.pictures.ink: neither a shadow with hard edges nor what it leaves lit is ink."""
import numpy as np
import pytest
from drawn_digits import alike, read, sheets


@pytest.fixture(scope='module')
def sixty(clean_strokes):
    """[(a digit on a sheet, as it is read)]."""
    drawn = sheets(clean_strokes(60, seed=11)[0], 112, (200, 280), 200, 0.75)
    return [(sheet, read(sheet)) for sheet in drawn]


@pytest.mark.parametrize('darkness, least', [(0.4, 58), (0.5, 55), (0.6, 42)])
@pytest.mark.parametrize('cover', [-0.4, -0.2, 0.2])
def test_a_digit_on_a_sheet_in_half_shadow(sixty, darkness, least, cover):
    """As without it: `least` of 60 digits, across its edge or not.

    darkness: of the shadow; cover: where it begins, in halves of the sheet from the middle.
    """
    y, x = np.mgrid[-1:1:200j, -1:1:280j]
    random = np.random.RandomState(1)
    same = 0
    for sheet, expected in sixty:
        angle = random.uniform(0, 2 * np.pi)
        depth = x * np.cos(angle) + y * np.sin(angle) - cover
        shaded = sheet * (1 - darkness * np.clip(40 * depth + 0.5, 0, 1))
        same += alike(expected, shaded, 30)
    assert same >= least
