"""A picture of one handwritten digit -> 28 x 28 as MNIST has it.

A network reads only what looks like the images it learned from, so a photo or a drawing goes
the way MNIST's own digits went: ink found, cropped, and normalised.
"""
from typing import Any

import numpy as np
from PIL import Image

from digits.errors import UserError
from digits.pictures import parts, shades, sheets
from digits.pictures.decoding import Picture, naming_errors, open_picture, upright
from digits.pictures.ink import MIN_DISTINCTNESS, distinctness, ink_of
from digits.pictures.normalisation import normalised

MAX_SIDE = 400  # pixels: a digit a tenth of a photo wide still has 2 for each of MNIST's 20
MIN_LENGTH = 12  # pixels: of a digit in a picture with something else
MAX_FRAMES = 20  # parts that may be one, the heaviest: each is compared with all others
# Sentences that draw.py's page says in its own words.
NO_INK = 'no ink found; give a picture of one digit, darker or lighter than the paper'
NO_DIGIT = 'no digit found: this does not look like ink on paper'
SEVERAL = 'several digits; give one alone, or read them all with predict.py --page'


def read(path: Picture, **bounds: Any) -> np.ndarray:
    """The picture in `path`, a file's name or an open binary file, as to_mnist gives it.

    bounds: what it may cost to decode, as decoding.open_picture has them. Raises UserError, with
    the file's name.
    """
    with naming_errors(path):
        return to_mnist(open_picture(path, MAX_SIDE, **bounds))


def to_mnist(image: Image.Image) -> np.ndarray:
    """A PIL image of one digit, any mode and size -> uint8 [28, 28], white ink on black.

    Raises UserError if there is no ink, no digit or more than one.
    """
    ink, mask = ink_of(upright(image), MAX_SIDE, alone=True)
    if not mask.any():
        raise UserError(NO_INK)
    ink, mask = shades.without(ink, mask)
    if distinctness(ink, mask) < MIN_DISTINCTNESS:
        raise UserError(NO_DIGIT)
    digit = digit_in(ink, mask)
    ink, written = sheets.written_on(ink, digit)
    return normalised(ink, digit if written is digit else digit_in(ink, written))


def digit_in(ink: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`mask` [h, w] of the digit alone: its heaviest part and, step by step, what is beside that.

    Left out are specks; a box or a circle around the rest; parts that the picture's edge cuts off
    (a desk, a finger, a pen), if a whole digit is there; a full stop; parts at most half as dark as
    the digit (shade); longer parts with less ink (ruled lines). A digit in several strokes needs
    none of these.
    Raises UserError if there are several digits, or too many parts for one. The mask is not empty.
    """
    side = -(-max(mask.shape) // 200)
    labels = parts.label(parts.blocks(mask, side))
    if labels.max() == 1:
        return mask
    found = parts.Parts.of(labels)
    part = parts.pixels(labels, side, mask.shape)[mask] - 1
    weights = np.bincount(part, ink[mask])
    darkness = weights / np.bincount(part)
    height, width = labels.shape
    cut = parts.cut_off(found.boxes, (width, height))
    lengths, blots = found.sizes.max(1), found.are_blots()
    could_be = ~cut & ~blots & (lengths >= max(MIN_LENGTH / side, max(height, width) / 12))
    if could_be.any():
        weights[_along_an_edge(labels)] = 0
    weights[weights < weights.max() / 30] = 0
    for number in np.sort(weights.argsort()[-MAX_FRAMES:]).tolist():
        if (weights[number] and _holds_more(found.boxes, weights, number) and
                _is_frame(found.mask_of(number))):
            weights[number] = 0
    unlikely = np.where(blots, 16, np.where(cut, 16 if could_be.any() else 4, 1))
    main = (weights / unlikely).argmax()
    if not cut[main]:
        weights[cut] = 0
    weights[darkness < darkness[main] / 2] = 0
    weights[blots & _full_stops(found.boxes, main)] = 0
    weights[lengths > 2.5 * lengths[main]] = 0
    chosen = _grown(found, main, weights > 0, max(height, width) // 4)
    if np.count_nonzero(chosen) > 8:
        raise UserError(NO_DIGIT)
    kept = np.append(False, chosen)[labels]
    tall = found.boxes[chosen, 3].max() - found.boxes[chosen, 1].min()
    boxes = sorted(box for box in found.boxes[chosen].tolist() if box[3] - box[1] > 0.6 * tall)
    if _side_by_side(boxes) and not _is_open_4(boxes, kept, tall):
        raise UserError(SEVERAL)
    return mask & parts.pixels(kept, side, mask.shape)


def _full_stops(boxes, main):
    """bool [n]: which of the boxes lie to the right of box `main`, at its foot."""
    _, top, right, bottom = boxes[main]
    return (boxes[:, 0] >= right) & (boxes[:, 1] > bottom - (bottom - top) / 3)


def _along_an_edge(labels):
    """bool [parts]: what runs along a quarter of an edge of the picture, as a desk or a finger."""
    return np.any([np.bincount(edge, minlength=labels.max() + 1)[1:] > len(edge) / 4
                   for edge in parts.edges(labels)], axis=0)


def _grown(found, main, candidates, least):
    """bool [parts]: the part `main` and those candidates that lie beside it, or beside such a one.

    Beside is within half the length of what is chosen so far, or of `least` if that is longer.
    """
    places = found.sorted_pixels()
    chosen = np.arange(len(found)) == main
    while True:
        top_left, bottom_right = found.boxes[chosen, :2].min(0), found.boxes[chosen, 2:].max(0)
        reach = max((bottom_right - top_left).max(), least) // 2 + 1
        rows, columns = places
        near = ((columns >= top_left[0] - reach) & (columns < bottom_right[0] + reach) &
                (rows >= top_left[1] - reach) & (rows < bottom_right[1] + reach))
        grown = np.logical_or.reduceat(near, found.starts) & candidates
        if (grown == chosen).all():
            return chosen
        chosen = grown


def _side_by_side(boxes):
    """Whether two of the boxes, from left to right, stand next to each other."""
    return any(end - left < 0.25 * min(end - start, right - left)
               for (start, _, end, _), (left, _, right, _) in zip(boxes, boxes[1:]))


def _is_open_4(boxes, kept, height):
    """Whether the boxes are of the strokes of a 4: the right one is lower, the left one reaches it.

    kept: bool [h, w], these strokes and what is between them.
    """
    if len(boxes) != 2:
        return False
    (_, top, _, bottom), (_, right_top, _, right_bottom) = boxes
    lower = right_top > top and right_bottom > bottom + 0.15 * height
    return lower and parts.label(parts.dilated(kept, 1 + height // 20)).max() == 1


def _holds_more(boxes, weights, number):
    """Whether in the box of part `number` there is what is a third as long and weighs a little."""
    within = ((boxes[:, :2] > boxes[number, :2]) & (boxes[:, 2:] < boxes[number, 2:])).all(1)
    within &= weights > 0
    if weights[within].sum() <= weights[number] / 16:
        return False
    length = (boxes[within, 2:].max(0) - boxes[within, :2].min(0)).max()
    return length > 0.35 * (boxes[number, 2:] - boxes[number, :2]).max()


def _is_frame(mask):
    """Whether a part, bool [h, w] of its box, is drawn around something: a box, or a circle."""
    height, width = mask.shape
    y, x = np.ogrid[-1:1:height * 1j, -1:1:width * 1j]
    if mask[y * y + x * x < 0.5].any():
        return False
    y, x = height // 8 + 1, width // 8 + 1
    sides = mask[:y].any(0), mask[-y:].any(0), mask[:, :x].any(1), mask[:, -x:].any(1)
    return min(side.mean() for side in sides) > 0.9 or 0.75 < width / height < 1.35
