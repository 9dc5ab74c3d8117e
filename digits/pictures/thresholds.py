"""The ink of a page on which some is much fainter than the rest: a threshold for each part."""
import cv2
import numpy as np

from digits.pictures import parts
from digits.pictures.ink import MIN_CONTRAST

EVEN = 0.65  # of the dark parts: if all others are darker than this, one threshold serves all
FAINTEST = 0.2  # of the dark parts: what is fainter is dirt, or shows through the paper
SHARE = 0.45  # of a part's darkest ink


def by_part(ink: np.ndarray, mask: np.ndarray, even: bool = True) -> np.ndarray:
    """The ink of a page, bool [h, w]: `mask`, or where contrast is uneven, with faint parts too.

    ink: float [h, w], the printed lines erased
    mask: the ink at one threshold for the whole page
    even: whether to return that where contrast is even

    Parts are what is connected at a low threshold. The own threshold of each is a share of the
    darkest ink in it.
    """
    sample = ink[::4, ::4]
    paper = np.median(sample)
    noise = 1.5 * np.median(abs(sample - paper))
    found = parts.Parts.of(parts.label(ink > max(MIN_CONTRAST, paper + 5 * noise)))
    size = found.sizes.max(1)
    found = found.kept(size >= 0.2 * found.digit_height())
    if not len(found):
        return mask
    rows, columns = found.sorted_pixels()
    values = cv2.blur(ink, (3, 3))[rows, columns]
    darkest = np.maximum.reduceat(values, found.starts)
    dark = parts.weighted_quantile(darkest, found.counts, 0.8)
    ratio = darkest / dark
    faint = ratio[found.sizes.max(1) > 0.4 * found.digit_height()] < EVEN
    if even and faint.mean() < 0.01:
        return mask
    least = np.where(darkest < FAINTEST * dark, np.inf, SHARE * darkest)
    own = np.zeros_like(mask)
    own[rows, columns] = ink[rows, columns] > np.repeat(least, found.counts)
    return own
