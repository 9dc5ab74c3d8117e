"""Sheets and pages that are drawn here with digits on them, and how alike two images are."""
import numpy as np
from PIL import Image

from digits.errors import UserError
from digits.pictures import one_digit


def difference(a, b):
    """Mean over pixels of 0..255, whichever way a centre of mass near a half was rounded."""
    moved = (np.roll(a.astype(int), (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1))
    return min(np.abs(image - b).mean() for image in moved)


def sheets(digits, size=120, shape=(300, 400), light=220, dark=0.8):
    """Each of the digits [28, 28], `size` pixels high, in the middle of a sheet, float `shape`."""
    random = np.random.RandomState(1)
    top, left = ((side - size) // 2 for side in shape)
    for digit in digits:
        ink = np.zeros(shape)
        ink[top:top + size, left:left + size] = Image.fromarray(digit).resize((size, size),
                                                                              Image.BICUBIC)
        yield light * (1 - dark * ink / 255) + random.normal(0, 2, shape)


def page(digits, count, size, corner, pitch, shape, columns=10):
    """A PIL image of that `shape` (rows, columns) with `count` of the digits [n, 28, 28] in lines.

    size: of each, in pixels; corner: left and top of the first; pitch: from one to the next.
    """
    random = np.random.RandomState(0)
    image = Image.new('L', shape[::-1], 222)
    for number in range(count):
        digit = Image.fromarray(digits[random.randint(len(digits))])
        down, right = divmod(number, columns)
        image.paste(44, (corner[0] + right * pitch[0], corner[1] + down * pitch[1]),
                    digit.resize((size, size), Image.BICUBIC))
    return image


def read(grey):
    """one_digit.to_mnist of 0..255 [h, w] or [h, w, 3], int [28, 28]."""
    return one_digit.to_mnist(Image.fromarray(np.uint8(np.clip(grey, 0, 255)))).astype(int)


def alike(expected, other, most=25):
    """Whether `other` is read, and as `expected` [28, 28]: a mean difference below `most` of 255.
    """
    try:
        return np.abs(read(other) - expected).mean() < most
    except UserError:
        return False
