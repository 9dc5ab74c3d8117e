"""A picture of several handwritten digits -> each of them, in reading order, as MNIST has it.

Connected parts of the ink are put together to digits (strokes that do not touch) or taken apart
(digits that do: about two thirds of such pairs). Left out is what is not a digit: specks, commas,
dashes, slashes, printed lines and boxes. Letters are not told from digits; of digits much fainter
than the others none is found; a dark desk around the sheet must be cut off.
Survey: Casey and Lecolinet, "A Survey of Methods and Strategies in Character Segmentation", IEEE
Trans. PAMI 18(7), 1996.
"""
from typing import Tuple

import numpy as np
from PIL import Image

from digits.errors import UserError
from digits.pictures import one_digit, parts, ruled_lines, segmentation
from digits.pictures.decoding import Picture, naming_errors, open_picture, upright
from digits.pictures.ink import ink_of
from digits.pictures.normalisation import normalised

MAX_SIDE = 2000  # pixels: a digit of a hundredth of a page still has MNIST's 20
NO_INK = 'no ink found; give a picture of digits, darker or lighter than the paper'


def read(path: Picture) -> Tuple[np.ndarray, np.ndarray]:
    """The digits in the picture `path`, a file's name or an open binary file, as find gives them.

    Raises UserError, with the file's name, also if it cannot be decoded.
    """
    with naming_errors(path):
        return find(open_picture(path))


def find(image: Image.Image) -> Tuple[np.ndarray, np.ndarray]:
    """The digits in a PIL image -> (boxes int [n, 4], images uint8 [n, 28, 28]), n >= 1.

    In reading order: lines from top to bottom, each from left to right. A box is left, top, right
    and bottom in pixels of the picture held upright (turned as its EXIF says), right and bottom
    exclusive. An image is white ink on black, as one_digit.to_mnist makes it of one digit alone.
    Raises UserError if there is no ink, or if segmentation.digits_in does.
    """
    image = upright(image)
    ink, mask = ink_of(image, MAX_SIDE)
    if mask.any():  # printed lines may be fainter than the faintest ink that counts
        printed = ruled_lines.find(ink > 0.6 * ink[mask].min())
        ink[printed], mask = 0, mask & ~printed
    found = parts.Parts.of(parts.label(mask))
    found = found.kept(found.sizes.max(1, initial=0) >= 0.12 * found.digit_height())  # no dust
    if not len(found):
        raise UserError(NO_INK)
    found = segmentation.digits_in(found)
    order = np.concatenate(segmentation.lines_of(found.boxes))
    labels = found.labels(len(ink))
    images = np.array([_cut(ink, labels, number + 1, found.boxes[number]) for number in order])
    boxes = np.minimum(found.boxes[order] * -(-max(image.size) // MAX_SIDE), image.size * 2)
    return boxes, images if len(boxes) > 1 else _alone(image, boxes[0], images)


def _alone(image, box, images):
    """`images` [1, 28, 28] as to_mnist has it, if it takes the same part for the digit."""
    ink, mask = ink_of(image, one_digit.MAX_SIDE)
    try:
        mask = one_digit.digit_in(ink, mask) if mask.any() else mask
    except UserError:  # it would not be taken for one digit alone
        return images
    if mask.any():
        other = np.array(parts.bounds(mask)) * -(-max(image.size) // one_digit.MAX_SIDE)
        if abs(other - box).max() <= 0.1 * max(box[2:] - box[:2]):
            return normalised(ink, mask)[None]
    return images


def _cut(ink, labels, label, box):
    """uint8 [28, 28] of one part."""
    edge = 2 + max(box[2:] - box[:2]) // 10
    left, top = np.maximum(box[:2] - edge, 0)
    area = slice(top, box[3] + edge), slice(left, box[2] + edge)
    labels = labels[area]
    mask = labels == label
    return normalised(np.where((labels > 0) & ~mask, 0, ink[area]), mask)
