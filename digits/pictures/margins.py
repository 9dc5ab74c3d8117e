"""What a page shows along its edges that nobody wrote: a scanner's lid, a fold, a book's gutter."""
from typing import Tuple

import numpy as np

from digits.pictures import parts

LONG = 1 / 3  # of a side of the picture
FAINT = 0.1  # share of the paper's light that is missing
LEAST = 10  # pixels: the height of a digit


def without(ink: np.ndarray, mask: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(`ink`, `mask`), float and bool [h, w], without broad strips that begin at an edge.

    Broad is what is broader than a stroke, long what is much longer than a digit of the page: of a
    number that is cropped close, nothing is left out.
    """
    radius = 2 + max(mask.shape) // 400
    broad = parts.Parts.of(parts.label(parts.eroded(mask, radius)))
    height, width = mask.shape
    long = (parts.cut_off(broad.boxes, (width, height)) &
            (broad.sizes > LONG * np.array([width, height])).any(1))
    if not long.any():
        return ink, mask
    length = broad.sizes[long].max()
    labels = parts.label(parts.eroded(mask | (ink > FAINT), radius))
    chosen = np.unique(labels[broad.kept(long).labels(height) > 0])
    strips = parts.dilated(np.isin(labels, chosen), 2 * radius)
    rest = parts.Parts.of(parts.label(mask & ~strips))
    rest = rest.kept((rest.sizes[:, 1] >= LEAST) & ~rest.are_blots())
    if len(rest) < 2 or length < 2.5 * rest.digit_height():
        return ink, mask
    return np.where(strips, 0, ink), mask & ~strips
