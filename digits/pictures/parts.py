"""What every step on a picture's way needs: connected parts, their boxes, windows over a picture.

Masks are bool [h, w]. A box is left, top, right, bottom in pixels, right and bottom exclusive.
"""
from typing import Tuple

import cv2
import numpy as np

cv2.setNumThreads(1)  # folders are read by one process per core

CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def dilated(values: np.ndarray, radius: int) -> np.ndarray:
    """The largest of `values` [h, w] up to `radius` rows and columns away; also of a mask."""
    return _filtered(cv2.dilate, values, radius)


def eroded(values: np.ndarray, radius: int) -> np.ndarray:
    """The smallest of `values` [h, w] up to `radius` rows and columns away; also of a mask."""
    return _filtered(cv2.erode, values, radius)


def closed(values: np.ndarray, radius: int) -> np.ndarray:
    """`values` [h, w], or a mask, without what is lower and narrower than 2 * `radius` + 1 pixels.

    A closing (Serra, "Image Analysis and Mathematical Morphology", 1982): dilated, then eroded.
    """
    return eroded(dilated(values, radius), radius)


def _filtered(how, values, radius):
    window = np.ones([2 * radius + 1] * 2, np.uint8)
    if values.dtype == bool:
        return how(values.view(np.uint8), window).view(bool)
    return how(values, window)


def long_runs(mask: np.ndarray, least: int, down: bool = False) -> np.ndarray:
    """`mask` without what is shorter than `least` pixels along its rows; `down`: its columns."""
    window, first, last = ((np.ones([least, 1], np.uint8), (0, 0), (0, least - 1)) if down else
                           (np.ones([1, least], np.uint8), (0, 0), (least - 1, 0)))
    # The anchors make it an exact opening for even lengths too; outside there is nothing.
    inner = cv2.erode(mask.view(np.uint8), window, anchor=first, borderType=cv2.BORDER_CONSTANT,
                      borderValue=0)
    return cv2.dilate(inner, window, anchor=last).view(bool)


def bridged(mask: np.ndarray, least: int, gap: int) -> np.ndarray:
    """`mask` with gaps of fewer than `gap` pixels in its rows filled, then what is long."""
    return long_runs(~long_runs(~mask, gap), least)


def least_line(shape: Tuple[int, int]) -> int:
    """How many pixels a printed line of a page of that shape is long, at least."""
    return max(24, max(shape) // 60)


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float = 0.5) -> float:
    """The least of `values` [n] such that it and the smaller ones have that share of the weight."""
    order = np.argsort(values)
    heavy = np.cumsum(weights[order])
    return values[order][np.searchsorted(heavy, share * heavy[-1])]


def band(middle: np.ndarray, half: int, height: int) -> Tuple[np.ndarray, np.ndarray]:
    """(rows, columns) of a line's pixels: up to `half` rows from `middle` float [w], of `height`.
    """
    rows = np.floor(middle + 0.5).astype(int) + np.arange(-half, half + 1)[:, None]
    inside = (rows >= 0) & (rows < height)
    return rows[inside], np.nonzero(inside)[1]


def extended(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """`values` [h, w] with so many rows and columns more at each side, fewer than there are.

    Mirrored about the outermost, in place and in value (np.pad's 'reflect' and 'odd'): the light's
    slope continues, so that a margin that grows darker does not look like ink.
    """
    return np.pad(values, [(rows, rows), (columns, columns)], 'reflect', reflect_type='odd')


def label(mask: np.ndarray) -> np.ndarray:
    """The connected parts (8 neighbours) of `mask`, int32 [h, w]: 0 outside, then 1, 2, ..."""
    return cv2.connectedComponents(mask.view(np.uint8))[1]


def pen_width(mask: np.ndarray) -> float:
    """About how wide the pen was that drew `mask`: pixels for each two of the strokes' edges."""
    inner = cv2.erode(mask.view(np.uint8), CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return 2 * mask.sum() / (mask & (inner == 0)).sum()


def bounds(mask: np.ndarray) -> Tuple[int, int, int, int]:
    """The box of what is True in `mask`, which is not empty."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return left, top, left + width, top + height


def edges(values: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The outermost of `values` [h, w]: at the top, the bottom, the left, the right."""
    return values[0], values[-1], values[:, 0], values[:, -1]


def cut_off(boxes: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """bool [n]: which of the boxes [n, 4] reach an edge of a picture of that (width, height)."""
    return ((boxes[:, :2] == 0) | (boxes[:, 2:] == size)).any(1)


def blocks(mask: np.ndarray, side: int) -> np.ndarray:
    """`mask` in squares of `side` pixels: True where one has any ink."""
    if side == 1:
        return mask
    rows, columns = (np.arange(0, length, side) for length in mask.shape)
    return np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, 0), columns, 1)


def pixels(squares: np.ndarray, side: int, shape: Tuple[int, int]) -> np.ndarray:
    """The array of `shape` whose squares of `side` pixels are `squares` [h, w]."""
    if side == 1:
        return squares
    return squares.repeat(side, 0).repeat(side, 1)[:shape[0], :shape[1]]


class Parts:
    """The parts of a picture, numbered from 0: their pixels, boxes and sizes.

    boxes: int [parts, 4]
    counts: int [parts], how many pixels each has
    starts: int [parts], where the pixels of each begin in what sorted_pixels gives
    """

    def __init__(self, places: np.ndarray, part: np.ndarray, width: int):
        """places: int [n], each pixel's row * `width` + column, ascending; width: the picture's."""
        counts = np.bincount(part)
        if not counts.all():  # numbers without a pixel
            part = (np.cumsum(counts > 0) - 1)[part]
            counts = counts[counts > 0]
        self.places, self.part, self.width = places, part, width
        self.counts, self.starts = counts, np.cumsum(counts) - counts
        # NumPy sorts integers of 16 bits many times as fast.
        self._order = np.argsort(part.astype(np.uint16) if len(counts) < 2 ** 16 else part,
                                 kind='stable')
        self._rows, self._columns = np.divmod(places[self._order], width)
        self.boxes = np.stack([
            np.minimum.reduceat(self._columns, self.starts), self._rows[self.starts],
            np.maximum.reduceat(self._columns, self.starts) + 1,
            self._rows[self.starts + counts - 1] + 1], 1)

    @classmethod
    def of(cls, labels: np.ndarray) -> 'Parts':
        """The parts in what `label` gives, [h, w]: the part labelled 1 is number 0."""
        places = np.flatnonzero(labels.ravel() != 0)
        return cls(places, labels.ravel()[places] - 1, labels.shape[1])

    def __len__(self):
        return len(self.boxes)

    @property
    def sizes(self) -> np.ndarray:
        """Width and height of each part's box, int [parts, 2]."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    def are_blots(self) -> np.ndarray:
        """bool [parts]: which are filled and not narrow, as specks, discs and bars are."""
        width, height = self.sizes.T
        return (self.counts > 0.7 * width * height) & (width > 0.8 * height)

    def digit_height(self) -> float:
        """Height of a large digit: the median over parts, each as heavy as its height times the
        root of its pixels; without blots, unless there is nothing else.

        Infinite where there is no part.
        """
        if not len(self):
            return np.inf
        heights = self.sizes[:, 1]
        weights = heights * np.sqrt(self.counts) * ~self.are_blots()
        if not weights.any():
            weights = heights
        return weighted_quantile(heights, weights)

    def sorted_pixels(self) -> Tuple[np.ndarray, np.ndarray]:
        """(rows int [n], columns int [n]) of all pixels, part after part; `starts` says where."""
        return self._rows, self._columns

    def sorted_numbers(self) -> np.ndarray:
        """The number of the part, int [n], of each of these pixels."""
        return np.repeat(np.arange(len(self)), self.counts)

    def pixels_of(self, number: int) -> Tuple[np.ndarray, np.ndarray]:
        """(rows, columns) of one part's pixels."""
        of = slice(self.starts[number], self.starts[number] + self.counts[number])
        return self._rows[of], self._columns[of]

    def mask_of(self, number: int) -> np.ndarray:
        """One part, bool [h, w] of its box."""
        left, top, right, bottom = self.boxes[number]
        mask = np.zeros([bottom - top, right - left], bool)
        rows, columns = self.pixels_of(number)
        mask[rows - top, columns - left] = True
        return mask

    def renumbered(self, numbers: np.ndarray) -> 'Parts':
        """Part k as number numbers[k], together with others of that number; without it if -1.

        Gaps in the numbers are closed.
        """
        part = numbers[self.part]
        kept = part >= 0
        return Parts(self.places[kept], part[kept], self.width)

    def divided(self, numbers: np.ndarray) -> 'Parts':
        """Each pixel, in the order of sorted_pixels, in a part of its number in `numbers` [n]."""
        part = np.empty_like(self.part)
        part[self._order] = numbers
        return Parts(self.places, part, self.width)

    def kept(self, keep: np.ndarray) -> 'Parts':
        """Only those parts for which `keep`, bool [parts], is True, numbered anew."""
        return self if keep.all() else self.renumbered(np.where(keep, np.arange(len(self)), -1))

    def with_those_of(self, other: 'Parts') -> 'Parts':
        """These parts, then those of `other`, of the same picture and without a pixel in common."""
        places = np.concatenate([self.places, other.places])
        order = np.argsort(places, kind='stable')
        part = np.concatenate([self.part, other.part + len(self)])
        return Parts(places[order], part[order], self.width)

    def labels(self, height: int) -> np.ndarray:
        """As `label` gives them: int32 [height, width], 0 outside, then 1, 2, ..."""
        labels = np.zeros(height * self.width, np.int32)
        labels[self.places] = self.part + 1
        return labels.reshape(height, self.width)
