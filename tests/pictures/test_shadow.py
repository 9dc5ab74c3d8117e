"""digits.pictures.ink: neither a shadow with hard edges nor what it leaves lit is ink."""
import numpy as np
import pytest
from PIL import Image

from digits.errors import UserError
from digits.pictures import one_digit


@pytest.mark.parametrize('darkness, least', [(0.4, 58), (0.5, 55), (0.6, 42)])
@pytest.mark.parametrize('cover', [-0.4, -0.2, 0.2])
def test_a_digit_on_a_sheet_in_half_shadow(clean_strokes, darkness, least, cover):
    """As without it: `least` of 60 digits, across its edge or not.

    darkness: of the shadow; cover: where it begins, in halves of the sheet from the middle.
    """
    y, x = np.mgrid[-1:1:200j, -1:1:280j]
    random = np.random.RandomState(1)
    same = 0
    for digit in clean_strokes(60, seed=11)[0]:
        ink = np.zeros(x.shape)
        ink[44:156, 84:196] = np.asarray(Image.fromarray(digit).resize((112, 112), Image.BICUBIC))
        sheet = 200 * (1 - 0.75 * ink / 255) + random.normal(0, 2, ink.shape)
        angle = random.uniform(0, 2 * np.pi)
        depth = x * np.cos(angle) + y * np.sin(angle) - cover
        shaded = sheet * (1 - darkness * np.clip(40 * depth + 0.5, 0, 1))
        plain, found = (to_mnist(values) for values in (sheet, shaded))
        same += np.abs(plain.astype(int) - found).mean() < 30
    assert same >= least


def to_mnist(grey):
    """one_digit.to_mnist, black if it finds no digit."""
    try:
        return one_digit.to_mnist(Image.fromarray(np.uint8(grey.clip(0, 255))))
    except UserError:
        return np.zeros((28, 28), np.uint8)
