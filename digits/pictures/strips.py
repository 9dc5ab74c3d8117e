"""What a page shows that nobody wrote: a scanner's lid, a book's gutter, a fold, a highlighter."""
from typing import Tuple

import numpy as np

from digits.pictures import parts
from digits.pictures.ink import threshold

MIN_LENGTH = 1 / 3  # of a side of the picture
MIN_INK = 0.1  # share of the paper's light that is missing
MAX_INK = 0.75  # such a share: nothing is written on what is darker
MIN_HEIGHT = 10  # pixels: of a digit


def without(ink: np.ndarray, mask: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(`ink`, `mask`), float and bool [h, w], without broad strips: only what is written on them.

    A strip is broader than a stroke and much longer than a digit of the page. So nothing is left
    out of a number that is cropped close.
    """
    radius = 2 + max(mask.shape) // 400
    height = len(mask)
    long = MIN_LENGTH * np.array(mask.shape[::-1])
    found = _longer(parts.eroded(mask | (ink > MIN_INK), radius), long)
    if not len(found):
        return ink, mask
    strips = parts.dilated(found.labels(height) > 0, 2 * radius)
    rest = parts.Parts.of(parts.label(mask & ~strips))
    rest = rest.kept((rest.sizes[:, 1] >= MIN_HEIGHT) & ~rest.are_blots() &
                     (rest.sizes <= long).any(1))  # without a table
    if len(rest) < 2 or found.sizes.max() < 2.5 * rest.digit_height():
        return ink, mask
    own = _on_strips(ink, parts.pen_width(rest.labels(height) > 0))
    least = ink[mask].min()
    own[own < least / 2] = 0  # noise
    # What is left of a strip that is narrow, or dark in its middle.
    core = parts.eroded(strips & (own > least), radius // 2)
    cores = _longer(parts.dilated(core, radius), long)
    own[parts.dilated(cores.labels(height) > 0, 2 * radius)] = 0
    ink = np.where(strips, own, ink)
    return ink, ink > min(least, threshold(ink))  # less, if a desk was most of the picture


def _longer(mask, sizes):
    """The Parts of `mask` that are wider or higher than `sizes`, (width, height)."""
    found = parts.Parts.of(parts.label(mask))
    return found.kept((found.sizes > sizes).any(1))


def _on_strips(ink, pen):
    """The share [h, w] missing of the light that strips leave; pen: the width of strokes.

    Their light is that of the paper around strokes: a closing in a window broader than a pen's
    strokes are where they meet.
    """
    light = 1 - ink
    paper = parts.closed(light, int(pen) + 2)
    return np.where(paper > 1 - MAX_INK, (paper - light) / np.maximum(paper, 1 - MAX_INK), 0)
