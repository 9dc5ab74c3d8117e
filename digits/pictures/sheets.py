"""A sheet with one digit on it, well inside the picture: a note on a desk, which looks like ink."""
from typing import Tuple

import cv2
import numpy as np

from digits.pictures import parts
from digits.pictures.ink import threshold

MIN_SIDE = 36  # pixels of a picture
MIN_AREA = 0.05  # of the picture that is a sheet; of a sheet, a tenth of this is written on
CORNERS = 5  # or fewer, of what is straight but for a fiftieth of the way around it: no bold 0
NARROW = 0.3  # of the length of what is written: its pen, but not the hole of a bold 0


def written_on(ink: np.ndarray, mask: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """If `mask` [h, w] is a sheet, (ink, mask) of what is written on it; else the same arrays.

    ink: float [h, w], in which the sheet looks like ink. The mask is not empty.
    """
    if max(mask.shape) < MIN_SIDE:
        return ink, mask
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL,
                                   cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)
    if not _is_sheet(outline, MIN_AREA * mask.size):
        return ink, mask
    sheet = cv2.drawContours(np.zeros(mask.shape, np.uint8), [outline], 0, 1, -1).view(bool)
    sheet = parts.eroded(sheet, 1 + max(mask.shape) // 80)
    paper = ink[sheet & mask]
    if not paper.size:
        return ink, mask
    on_it = np.where(sheet, np.maximum(1 - ink / np.median(paper), 0), 0)
    written = on_it > threshold(on_it)
    if written.sum() < MIN_AREA / 10 * sheet.sum():
        return ink, mask
    left, top, right, bottom = parts.bounds(written)
    if parts.pen_width(written) > NARROW * max(right - left, bottom - top):
        return ink, mask
    return on_it, written


def _is_sheet(outline, least):
    """Whether a contour, int [n, 1, 2], is around a sheet of an area of `least` or more."""
    area = cv2.contourArea(outline)
    _, sides, _ = cv2.minAreaRect(outline)
    return (area >= least and min(sides) > 0.4 * max(sides) and
            area > 0.9 * cv2.contourArea(cv2.convexHull(outline)) and
            len(cv2.approxPolyDP(outline, 0.02 * cv2.arcLength(outline, True), True)) <= CORNERS)
