"""Printed lines along the edges of a picture of one digit: of the table or the frame around it.

A cell that is cut out of a table has pieces of its lines at some of its sides. They may be darker
than the digit, and touch it. A digit that is cropped close also has strokes along the edges, but
what is left without them reaches another edge.
"""
from typing import NamedTuple

import numpy as np

from digits.pictures import parts

DEPTH = 0.2  # of a side: how far from the edge a line of the frame lies at most
MAX_THICKNESS = 0.09  # of a side
MAX_SLOPE = 0.12
MIN_PAPER = 0.65  # of the picture: where it is less, paper may be taken for ink
MIN_SIDE = 36  # pixels
SLIVER = 2  # pixels
FAR = 0.05  # of the shorter side: from the digit to what the next cell's reaches across a line


def erased(grey: np.ndarray) -> np.ndarray:
    """`grey` float32 [h, w] with paper in place of lines along its edges and what is beyond them.

    The same array if there are none.
    """
    if min(grey.shape) < MIN_SIDE or _even(grey):
        return grey
    for sign in (1, -1):  # dark lines on light paper, then light ones on dark
        paper, beyond = _lines(sign * grey)
        if beyond is not None:
            return np.where(beyond, sign * paper, grey)
    return grey


def _even(grey):
    """Whether no line can leave the picture: its outermost pixels are much the same."""
    ring = np.concatenate(parts.edges(grey))
    return np.ptp(ring) < 0.25 * np.ptp(grey)


def _lines(light):
    """(paper [h, w], bool [h, w]: lines at the edges and what is beyond), for dark ink on light.

    The second is None where there is no such line.
    """
    height, width = light.shape
    if (light > (light.min() + light.max()) / 2).mean() < MIN_PAPER:
        return light, None
    side = int(max(height, width) * MAX_THICKNESS) + 2
    paper = parts.closed(light, side)
    hat = paper - light  # black hat: strokes, whatever the shade behind them
    thin = hat > 0.25 * hat.max()
    sides = [_at_the_top(np.ascontiguousarray(np.rot90(thin, turn))) for turn in range(4)]
    found = [(turn, through, np.rot90(line.beyond, -turn)) for turn, line, through in
             _ends([(turn, line) for turn, line in enumerate(sides) if line])]
    found = [each for each in found if _ends_suddenly(hat, thin, each[2])]
    if not found:
        return paper, None
    beyond = np.logical_or.reduce([each for _, _, each in found])
    middle = np.median(light)
    dark = middle - light > 0.15 * (middle - light.min())
    rest = _rest(dark, beyond)
    if not rest.any() or rest.sum() > 0.45 * np.count_nonzero(~beyond):
        return paper, None
    left, top, right, bottom = parts.bounds(rest)
    if max(right - left, bottom - top) < 0.15 * max(height, width):
        return paper, None
    near = parts.dilated(rest, 2)
    reaches = (top <= 0.06 * height, width - right <= 0.06 * width,
               height - bottom <= 0.06 * height, left <= 0.06 * width)
    ruled = {turn for turn, _, _ in found}
    close = sum(reach for turn, reach in enumerate(reaches) if turn not in ruled)
    # What touches the digit may be a stroke of it, unless that digit is well inside the picture
    # and the stroke goes from edge to edge, or it is one side of a frame that has others.
    touching = [(near & each).any() for _, _, each in found]
    framed = (sum(through for _, through, _ in found) >= 2 and sum(touching) == 1 and
              bottom - top >= 0.5 * height)
    kept = [each for (_, through, each), touches in zip(found, touching)
            if close < 2 and (not touches or framed or through and not close)]
    if not kept:
        return paper, None
    beyond = parts.dilated(np.logical_or.reduce(kept), 1)
    ends = _from_next_cell(dark & ~parts.dilated(beyond, 1), beyond)
    return paper, beyond | parts.dilated(ends, 2)


def _ends_suddenly(hat, thin, beyond):
    """Whether the line is darker than the paper beside it: light that falls off is not."""
    rim = parts.dilated(beyond, 4) & ~parts.dilated(beyond, 2)
    return not rim.any() or np.median(hat[rim]) < np.median(hat[beyond & thin]) / 3


def _rest(dark, beyond):
    """What is `dark`, bool [h, w], without what is `beyond`, specks, and the outermost pixels.

    A printed line that is cut along its length leaves a sliver there, too faint to be found.
    """
    inner = slice(SLIVER, -SLIVER), slice(SLIVER, -SLIVER)
    rest = np.zeros_like(dark)
    rest[inner] = (dark & ~parts.dilated(beyond, 1))[inner]
    labels = parts.label(rest)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes > sizes.max() / 8)[labels]


def _from_next_cell(dark, beyond):
    """The ends, bool [h, w], of strokes across a line: `dark` parts at what is `beyond` it.

    They are small, and far from the digit; a 5's bar is near it.
    """
    labels = parts.label(dark)
    found = parts.Parts.of(labels)
    if not len(found):
        return dark
    left, top, right, bottom = found.boxes.T
    main = found.counts.argmax()
    gap = np.maximum.reduce([left - right[main], left[main] - right,
                             top - bottom[main], top[main] - bottom])
    rows, columns = found.sorted_pixels()
    meets = np.logical_or.reduceat(parts.dilated(beyond, 2)[rows, columns], found.starts)
    end = meets & (found.counts < found.counts[main] / 3) & (gap > FAR * min(dark.shape))
    return np.append(False, end)[labels]


class _Line(NamedTuple):
    """A line along the top edge: row = at + slope * column, from column start to end."""

    start: int
    end: int
    at: float
    slope: float
    thickness: float
    width: int
    height: int

    @property
    def beyond(self) -> np.ndarray:
        """The line and all above it, bool [height, width]."""
        lower = self.at + self.slope * np.arange(self.width) + self.thickness / 2 + 0.5
        return np.arange(self.height)[:, None] < lower


def _at_the_top(thin):
    """The _Line along the top edge of `thin`, bool [h, w], or None."""
    height, width = thin.shape
    deep = max(3, int(DEPTH * height))
    # Slanting lines are steps.
    band = parts.dilated(thin[:deep + 2], 1)
    long = parts.bridged(band, max(4, width // 6), max(2, width // 20))
    labels = parts.label(long[:deep] & thin[:deep])
    for number in range(1, labels.max() + 1):
        rows, columns = np.nonzero(labels == number)
        start, end = columns.min(), columns.max() + 1
        if end - start < 0.3 * width:
            continue
        # A digit that touches the line does so from inside: its outer side is straight.
        along, first, counts = np.unique(columns, return_index=True, return_counts=True)
        thick = np.median(counts)
        middle = rows[first] + (thick - 1) / 2
        slope, at = np.polyfit(along, middle, 1)
        off = abs(middle - slope * along - at)
        if abs(slope) <= MAX_SLOPE and thick <= MAX_THICKNESS * height + 1 and (
                np.percentile(off, 90) <= 0.6 * thick + 1):
            return _Line(start, end, at, slope, thick, width, height)
    return None


def _ends(lines):
    """[(turn, line, through)] of those lines that go from edge to edge or to each other.

    through is False where it only hugs a part of its edge.
    """
    held = dict(lines)
    while True:
        result = []
        for turn, line in held.items():
            # Seen with this edge at the top, the next turn's is at the left.
            ends = [line.start <= _reach(held.get((turn + 3) % 4), line.width),
                    line.width - line.end <= _reach(held.get((turn + 1) % 4), line.width)]
            hugs = min(line.at, line.at + line.slope * line.width) <= line.thickness and any(ends)
            if all(ends) or hugs:
                result.append((turn, line, all(ends)))
        if len(result) == len(held):
            return result
        held = {turn: line for turn, line, _ in result}


def _reach(other, width):
    """How far from the edge a line ends at most: at the `other` line along that edge, if any."""
    edge = max(2, width // 25)
    if other is None:
        return edge
    return edge + max(other.at, other.at + other.slope * other.width)
