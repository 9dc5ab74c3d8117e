"""A picture of several handwritten digits -> each of them, in reading order, as MNIST has it.

Connected parts of the ink are put together to digits (strokes that do not touch) or taken apart
(digits that do: about two thirds of such pairs); in a printed table, they are put together by cell.
Left out is what is not a digit: specks, blots, commas, slashes, printed lines and boxes. Letters
are not told from digits. What touches a dark edge of the picture, or of a sheet, may be lost.
Survey: Casey and Lecolinet, "A Survey of Methods and Strategies in Character Segmentation", IEEE
Trans. PAMI 18(7), 1996.
"""
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from digits.errors import UserError
from digits.pictures import (
    cells,
    one_digit,
    parts,
    ruled_lines,
    segmentation,
    skew,
    strips,
    tables,
    thresholds,
)
from digits.pictures.decoding import Picture, naming_errors, open_picture, upright
from digits.pictures.ink import ink_of, reduction
from digits.pictures.normalisation import normalised

MAX_SIDE = 2400  # pixels: an A4 sheet of 200 dpi stays as it is
MAX_OVERLAP = 4  # of the picture: the areas of all digits' boxes together
NO_INK = 'no ink found; give a picture of digits, darker or lighter than the paper'


class Page(NamedTuple):
    """The digits of a page, in reading order.

    boxes: int [n, 4], left, top, right and bottom in pixels of the picture held upright
    images: uint8 [n, 28, 28], white ink on black
    rows, columns: int [n], where each lies in the page's table, from 0, or -1 if it lies beside
        it; None if there is no table. Of several tables the rows are counted on.
    tables: (rows, columns) of each
    """

    boxes: np.ndarray
    images: np.ndarray
    rows: Optional[np.ndarray] = None
    columns: Optional[np.ndarray] = None
    tables: Sequence[Tuple[int, int]] = ()


def read(path: Picture) -> Page:
    """The digits in the picture `path`, a file's name or an open binary file, as find gives them.

    Raises UserError, with the file's name, also if it cannot be decoded.
    """
    with naming_errors(path):
        return find(open_picture(path))


def find(image: Image.Image) -> Page:
    """The digits in a PIL image, at least one, as a Page.

    In reading order: lines from top to bottom, each from left to right. A box is left, top, right
    and bottom in pixels of the picture held upright (turned as its EXIF says), right and bottom
    exclusive. An image is white ink on black, as one_digit.to_mnist makes it of one digit alone.
    Raises UserError if there is no ink, if the digits' boxes overlap too much, or if
    segmentation.digits_in does.
    """
    image = upright(image)
    ink, mask = strips.without(*ink_of(image, MAX_SIDE))
    if not mask.any():
        raise UserError(NO_INK)
    lines = tables.may_be_lines(ink, mask)
    angle = skew.angle_of(lines)
    if angle:
        level = skew.deskewed(ink, angle)
        turned = level.ink > ink[mask].min()
        if turned.any():
            found = _digits_in(level.ink, turned, tables.may_be_lines(level.ink, turned))
            return _of_picture(image, found, level.boxes_before(found.boxes))
    found = _digits_in(ink, mask, lines)
    found = _of_picture(image, found, found.boxes)
    return found if len(found.boxes) > 1 else found._replace(
        images=_alone(image, found.boxes[0], found.images))


def _of_picture(image, found, boxes):
    """`found` with the boxes in pixels of the picture.

    Without what lies beside a table and is cut off by the picture's edge: corners of a desk.
    """
    boxes = np.clip(boxes * reduction(image, MAX_SIDE), 0, image.size * 2)
    found = found._replace(boxes=boxes)
    if found.rows is None:
        return found
    cut = parts.cut_off(boxes, image.size)
    kept = (found.rows >= 0) | ~cut
    if not kept.any():
        return found
    return found._replace(boxes=boxes[kept], images=found.images[kept], rows=found.rows[kept],
                          columns=found.columns[kept])


def _digits_in(ink, mask, lines):
    """The Page of a page's ink, with boxes in its own pixels; lines: all that may be a line."""
    ruled = ruled_lines.find(lines)
    bare, found, held = _in_tables(ink, mask, lines, ruled, tables.find(lines))
    if not held:
        bare = np.where(ruled, 0, ink)
        found = _without_dust(thresholds.by_part(bare, mask & ~ruled))
    if not len(found):
        raise UserError(NO_INK)
    if held:
        found, rows, columns = cells.digits_in(found, held)
        order = cells.order_of(found.boxes, rows, columns, held)
        rows, columns = rows[order], columns[order]
    else:
        found, rows, columns = segmentation.digits_in(found), None, None
        order = np.concatenate(segmentation.lines_of(found.boxes))
    if not len(found) or found.sizes.prod(1).sum() > MAX_OVERLAP * ink.size:
        raise UserError(segmentation.NO_DIGITS)
    labels = found.labels(len(ink))
    images = np.array([_cut(bare, labels, number + 1, found.boxes[number]) for number in order])
    return Page(found.boxes[order], images, rows, columns,
                [table.cells.shape for table in held])


def _in_tables(ink, mask, lines, ruled, found_tables):
    """(ink without the tables' lines, the parts of the page, those of the tables that hold digits).

    lines: all that may be a line; ruled: what of it is one. On squared paper digits lie across the
    lines: what looks like a table there is none.
    """
    if not found_tables:
        return ink, None, []
    printed = tables.drawn(found_tables, mask.shape)
    printed |= cells.outside(ruled, found_tables)
    printed |= _large_outside(lines & ~printed, found_tables)
    bare = np.where(printed, 0, ink)
    thick = max(np.median(each.thickness) for table in found_tables for each in table[:2])
    own = thresholds.by_part(bare, mask & ~printed, even=False)
    kept = cells.without_lines(own, printed & lines, thick)
    bare[kept] = ink[kept]
    found = _without_dust(kept)
    near = tables.drawn(found_tables, mask.shape, 5)
    found = found.kept(~(_remains(found, near, 2 * thick + 1) |
                         _are_long(found, found_tables) & cells.lie_outside(found, found_tables)))
    beside = parts.dilated(printed, 1)
    held = [table for table in found_tables if cells.hold(found, table, beside)]
    if len(held) == len(found_tables):
        return bare, found, held
    return _in_tables(ink, mask, lines, ruled, held)


def _large_outside(mask, found_tables):
    """What of `mask` lies in no cell and is longer than three rows are high: a desk, a photo."""
    found = parts.Parts.of(parts.label(cells.outside(mask, found_tables)))
    return found.kept(_are_long(found, found_tables)).labels(len(mask)) > 0


def _are_long(found, found_tables):
    """bool [parts]: those longer than three rows are high."""
    row = np.median(np.concatenate([np.diff(table.across.at.mean(1)) for table in found_tables]))
    return found.sizes.max(1) > 3 * row


def _remains(found, near, thick):
    """bool [parts]: what is left of printed lines, `near` which it lies, or both of its ends."""
    beside = np.add.reduceat(near[found.sorted_pixels()], found.starts, dtype=int)
    left, top, right, bottom = found.boxes.T
    ends = near[top, left] & near[bottom - 1, right - 1] & (found.sizes.min(1) <= thick)
    height, width = near.shape
    edge = (((left == 0) | (right == width)) & (bottom - top > height / 3) |
            ((top == 0) | (bottom == height)) & (right - left > width / 3))
    return (beside >= 0.7 * found.counts) | ends | edge


def _without_dust(mask):
    """The Parts of `mask`, without those much smaller than a digit, and without large blots."""
    found = parts.Parts.of(parts.label(mask))
    height = found.digit_height()
    blots = found.are_blots() & (found.sizes[:, 1] > 0.5 * height)
    return found.kept((found.sizes.max(1) >= 0.12 * height) & (~blots | blots.all()))


def _alone(image, box, images):
    """`images` [1, 28, 28] as to_mnist has it, if it takes the same part for the digit."""
    ink, mask = ink_of(image, one_digit.MAX_SIDE)
    try:
        mask = one_digit.digit_in(ink, mask) if mask.any() else mask
    except UserError:  # it would not be taken for one digit alone
        return images
    if mask.any():
        other = np.array(parts.bounds(mask)) * reduction(image, one_digit.MAX_SIDE)
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
