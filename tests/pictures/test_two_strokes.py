"""digits.pictures.one_digit: strokes that do not touch are one digit, digits beside it are not."""
import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits.errors import UserError
from digits.pictures import one_digit


def open_4(random, gap, joined=False):
    """A 4 whose strokes stand `gap` pixels apart, about a hundred high; or joined by a third."""
    def near(x, y):
        return x + random.uniform(-4, 4), y + random.uniform(-4, 4)

    image = Image.new('L', (200, 180), 240)
    pen = ImageDraw.Draw(image)
    end = near(105, 85)
    pen.line([near(85, 30), near(60, 90), end], 40, 7, joint='curve')
    middle = end[0] + 7 + gap, end[1] + 2
    pen.line([(end[0] + 18 + gap, end[1] - 33), middle, near(100 + gap, 138)], 40, 7,
             joint='curve')
    if joined:
        pen.line([end, middle], 40, 7)
    return image


@pytest.mark.parametrize('gap', [0, 2, 4])
def test_an_open_4_is_one_digit(gap):
    """The same as one whose strokes are joined."""
    random = np.random.RandomState(gap)
    for _ in range(30):
        state = random.get_state()
        apart = one_digit.to_mnist(open_4(random, gap))
        random.set_state(state)
        assert np.abs(apart.astype(int) - one_digit.to_mnist(open_4(random, gap, True))).mean() < 3


def test_two_digits_are_refused(clean_strokes):
    """Also where the second is smaller or lower."""
    drawn, _ = clean_strokes(400, seed=3)
    random, refused, tried = np.random.RandomState(0), 0, 0
    for first, second in zip(drawn[::2], drawn[1::2]):
        a, b = (Image.fromarray(each).crop(Image.fromarray(each).getbbox()).resize((60, height))
                for each, height in ((first, 90), (second, random.randint(75, 105))))
        image = Image.new('L', (240, 220))
        image.paste(a, (40, 50))
        image.paste(b, (40 + 60 + 16, 50 + random.randint(-20, 20)))
        tried += 1
        try:
            one_digit.to_mnist(image)
        except UserError as error:
            refused += str(error) == one_digit.SEVERAL
    assert refused > 0.97 * tried
