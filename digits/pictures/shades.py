"""Marks across a picture of one digit, fainter than the digit: a sheet's lines, a shadow, a ring.

Where one touches the digit, both are one connected part; a higher threshold separates them.
"""
from typing import Tuple

import cv2
import numpy as np

from digits.pictures import parts
from digits.pictures.ink import MIN_DISTINCTNESS, distinctness, threshold

MIN_SIDE = 60  # pixels: in fewer, an edge of a stroke is as broad as a line of the sheet
MIN_DIGIT = 0.6  # of the darkest ink: a digit is darker
MIN_SHADE = 0.45  # of the least that is ink: paper is fainter
MIN_LENGTH = 0.19  # of the picture's longer side
LEVEL = 90  # percentile of a shade's ink


def without(ink: np.ndarray, mask: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(`ink`, `mask`), float and bool [h, w], with ink counted from that of long shades on.

    A shade is what is faint, and not beside dark ink: the edge of a stroke is. The same arrays if
    there is none, or if what is left is no ink on paper. The mask is not empty.
    """
    if max(mask.shape) < MIN_SIDE:
        return ink, mask
    step = max(mask.shape) // 100 + 1
    sample = np.sort(ink[::step, ::step], axis=None)
    dark = ink > MIN_DIGIT * sample[int(0.998 * len(sample))]
    shade = (ink > MIN_SHADE * ink[mask].min()) & ~parts.dilated(dark, 2 + max(mask.shape) // 40)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(shade.view(np.uint8))
    long = stats[:, 2:4].max(1) > MIN_LENGTH * max(mask.shape)  # its box's width or height
    long[0] = False  # what is no shade
    if not long.any():
        return ink, mask
    level = np.percentile(ink[long[labels]], LEVEL)
    rest = np.maximum(ink - level, 0)
    left = rest > threshold(rest)
    if distinctness(rest, left) < min(MIN_DISTINCTNESS, distinctness(ink, mask)):
        return ink, mask
    return rest, left
