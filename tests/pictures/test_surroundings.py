"""digits.pictures.one_digit on pictures that show something dark beside the sheet or the digit."""
import numpy as np
import pytest
from PIL import Image

from digits.pictures import one_digit

SHAPE = 300, 400
Y, X = np.indices(SHAPE)
KINDS = {
    'a black edge at all sides': (X < 14) | (Y < 10) | (X > 388) | (Y > 286),
    'one that slants': X < 0.08 * Y,
    'a desk around the sheet': (abs(X - 200) > 170) | (abs(Y - 150) > 125),
    'a desk at one side': X < 60,
    'a finger': np.hypot(X - 400, Y - 300) < 110,
    'a punched hole': np.hypot(X - 40, Y - 150) < 18,
}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('shade', [20, 90])
def test_a_digit_is_read_as_without(clean_strokes, kind, shade):
    random = np.random.RandomState(1)
    for digit in clean_strokes(60, seed=11)[0]:
        ink = np.zeros(SHAPE)
        ink[90:210, 140:260] = np.asarray(Image.fromarray(digit).resize((120, 120), Image.BICUBIC))
        sheet = 220 * (1 - 0.8 * ink / 255) + random.normal(0, 2, SHAPE)
        plain, found = (one_digit.to_mnist(Image.fromarray(np.uint8(values.clip(0, 255))))
                        for values in (sheet, np.where(KINDS[kind], shade, sheet)))
        assert np.abs(plain.astype(int) - found).mean() < 25
