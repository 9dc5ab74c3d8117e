"""A digit's ink -> 28 x 28 as MNIST made its own: white ink on black.

Scaled to fit 20 x 20 with its shape kept, pasted into 28 x 28 with its centre of mass in the
middle. Sources: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE, 1998, section III.A, and http://yann.lecun.com/exdb/mnist/.
"""
import cv2
import numpy as np
from PIL import Image

from digits.pictures import parts

SIDE = 20  # pixels that a digit may fill of MNIST's 28
FINE = 4  # for each of those 20, where a pen's width is measured


def normalised(ink: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The digit where `mask` [h, w] is True of `ink` float [h, w], as MNIST has it.

    Returns uint8 [28, 28]. The mask must not be empty.
    """
    return centred(fitted(_pen_of_mnist(_levels(ink, mask))))


def _levels(ink, mask):
    """The digit's box of `ink` in 0..1: paper 0, pen 1, grey edges kept, nothing else."""
    left, top, right, bottom = parts.bounds(mask)
    # MNIST's edges fade out within a pixel of its 20, a blurred photo's within two.
    edge = max(1, (max(bottom - top, right - left) + SIDE // 2) // SIDE)
    area = (slice(max(0, top - edge), bottom + edge), slice(max(0, left - edge), right + edge))
    ink, mask = ink[area], np.ascontiguousarray(mask[area])
    near = parts.pixels(parts.dilated(parts.blocks(mask, edge), 1), edge, mask.shape)
    pen = _median(ink[mask])
    paper = 0 if mask.all() else min(_median(ink[~mask]), pen / 2)
    ink = np.clip((ink - paper) / (pen - paper), 0, 1) * near
    return _cropped(ink, 0.2)


def _median(values):
    """The median of some 5,000 of the values or, of two in the middle, the larger.

    Sorted: np.median and np.partition take ten times as long where many values are equal.
    """
    values = np.sort(values[::values.size // 5000 + 1])
    return values[values.size // 2]


def _cropped(ink, least):
    """The box of what is more than `least`."""
    left, top, right, bottom = parts.bounds(ink > least)
    return ink[top:bottom, left:right]


def _resized(ink, side, area_below):
    """`ink` [h, w] with its longer side `side`, shape kept; area-averaged if scaled below that.

    By Pillow: OpenCV's cubic filter does not average where it makes smaller.
    """
    height, width = ink.shape
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = Image.BOX if scale < area_below else Image.BICUBIC
    return np.asarray(Image.fromarray(np.float32(ink)).resize(size, how))


def _pen_of_mnist(ink):
    """`ink` [h, w], or if its lines are thinner than those of MNIST, with thicker ones.

    A line has two edges as long as itself, so its width is twice its area over their length. Of a
    digit's 20 pixels that is 1.5 to 4.3 in 98 % of MNIST's training images.
    """
    enlarged = cv2.copyMakeBorder(_resized(ink, SIDE * FINE, 1), *[2 * FINE] * 4,
                                  cv2.BORDER_CONSTANT, value=0)
    np.clip(enlarged, 0, 1, out=enlarged)
    inner = enlarged[1:, 1:]
    edges = cv2.magnitude(inner - enlarged[:-1, 1:], inner - enlarged[1:, :-1])
    pen = 2 * enlarged.sum() / edges.sum() / FINE
    if pen > 1.6:
        return ink
    enlarged = parts.dilated(enlarged, int(round((2.1 - pen) / 2 * FINE)))
    # A line thinner than a pixel was grey; the pen that drew it was not.
    enlarged = np.minimum(enlarged / _median(enlarged[enlarged > enlarged.max() / 5]), 1)
    return _cropped(enlarged, 0.1)


def fitted(ink: np.ndarray) -> np.ndarray:
    """`ink` float [h, w] with its longer side 20, shape kept, area-averaged, peak 1."""
    ink = _resized(ink, SIDE, 0.5)
    return np.clip(ink / ink.max(), 0, 1)


def centred(ink: np.ndarray) -> np.ndarray:
    """uint8 [28, 28] with `ink` in 0..1 moved by whole pixels: centre of mass at index 14, 14."""
    image = np.zeros([28, 28], np.uint8)
    corner = []
    for axis in (0, 1):
        mass = ink.sum(1 - axis)
        middle = (np.arange(len(mass)) * mass).sum() / mass.sum()
        corner.append(max(0, min(int(round(14 - middle)), 28 - len(mass))))
    top, left = corner
    image[top:top + ink.shape[0], left:left + ink.shape[1]] = np.rint(255 * ink)
    return image
