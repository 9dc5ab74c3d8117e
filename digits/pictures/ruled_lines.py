"""Printed lines of a page, as ink: of lined or squared paper, of a form's boxes.

A line is long, straight and thin. So is a 1, or the bar of a 7: a printed line is much longer than
the digits are high, or its ends meet other printed lines or the picture's edge.
"""
from typing import NamedTuple

import numpy as np

from digits.pictures import parts

MAX_LINES = 1000  # each way: what has more is noise


def find(mask: np.ndarray) -> np.ndarray:
    """The printed lines in `mask` bool [h, w], without the strokes that cross them, as a mask."""
    least = parts.least_line(mask.shape)
    turned = np.ascontiguousarray(mask.T)
    lines = [_straight(mask, least), _straight(turned, least)]
    ruled = [np.ones(len(each.end), bool) for each in lines]
    across, down = _on(lines[0], ruled[0], mask.shape), _on(lines[1], ruled[1], turned.shape).T
    # Two measures of the digits' height: without all straight strokes, and without the level ones
    # only, for a 1 is a straight stroke itself. A line is printed if it is long by the second
    # measure, or if it is long by the first and one of its ends is held.
    heights = [parts.Parts.of(parts.label(rest)).digit_height()
               for rest in (mask & ~across & ~down, mask & ~across)]
    long = [[each.end - each.start > 2.5 * height for each in lines] for height in heights]
    long[1][1][:] = False
    meetings = [_meetings(lines[k], lines[1 - k], mask.shape[1 - k], least // 4) for k in (0, 1)]
    while True:  # fewer each time, until those that are left hold each other
        held = [_held(meetings[k], ruled[1 - k]) for k in (0, 1)]
        kept = [(held[k] >= 2) | (held[k] == 1) & long[0][k] | long[1][k] for k in (0, 1)]
        if all((a == b).all() for a, b in zip(kept, ruled)):
            break
        ruled = kept
    for k in (0, 1):  # where digits cover the ends of a printed line
        far = ruled[k] & (lines[k].end - lines[k].start > 0.3 * mask.shape[1 - k])
        lines[k].start[far], lines[k].end[far] = 0, mask.shape[1 - k]
    across, down = _on(lines[0], ruled[0], mask.shape), _on(lines[1], ruled[1], turned.shape).T
    if not (ruled[0].any() or ruled[1].any()):
        return across
    thick = int(max(np.percentile(each.thickness[kept], 75) for each, kept in zip(lines, ruled)
                    if kept.any())) + 3
    # Where a line is crossed, the ink goes on beyond it.
    crossing = (across & parts.long_runs(mask & ~down, thick + 1, down=True) |
                down & parts.long_runs(mask & ~across, thick + 1))
    printed = (across | down) & ~crossing
    radius = thick // 2 + 1
    return printed & ~parts.closed(mask & ~printed, radius)


class _Straight(NamedTuple):
    """Straight stretches along the rows: row = at + slope * column, from column start to end."""

    start: np.ndarray
    end: np.ndarray
    at: np.ndarray
    slope: np.ndarray
    thickness: np.ndarray
    spread: np.ndarray


def _straight(mask, least):
    """The thin straight stretches, at least `least` pixels long, along the rows of `mask`."""
    thin = mask & ~parts.long_runs(mask, least // 2 + 1, down=True)  # not what crosses the line
    grown = parts.dilated(thin, 1)  # slanting lines are steps
    found = []
    for gap in (least // 2, least):  # across gaps, where digits cross; not from box to box
        joined = parts.bridged(grown, 3 * least // 2, gap)
        found.append(_fitted(parts.Parts.of(parts.label(joined) * thin), least))
    return _Straight(*map(np.concatenate, zip(*found)))


def _fitted(found, least):
    """Those of the parts that are straight lines, but for a few pixels beside them."""
    found = found.kept(found.sizes[:, 0] >= 1.5 * least)
    if not len(found):
        return _Straight(*np.zeros([2, 0], int), *np.zeros([4, 0]))
    rows, columns = found.sorted_pixels()

    def sums(values):
        return np.add.reduceat(values, found.starts)

    def spread_out(values):
        return np.repeat(values, found.counts)

    near = np.ones(len(rows))
    for _ in range(4):  # fitted again without what lies beside the line: parts of digits
        count = np.maximum(sums(near), 1)
        x, y = (sums(near * at) / count for at in (columns, rows))
        dx, dy = columns - spread_out(x), rows - spread_out(y)
        weighted = near * dx
        variance = np.maximum(sums(weighted * dx) / count, 1e-9)
        slope = sums(weighted * dy) / count / variance
        off = dy - spread_out(slope) * dx
        spread = np.sqrt(sums(near * off * off) / count)
        near = (abs(off) <= spread_out(np.maximum(1.5, 1.5 * spread))).astype(float)
    near = near > 0
    left, _, right, _ = found.boxes.T
    # Of each part, a flag for each column of its box.
    first = np.cumsum(right - left) - (right - left)
    covered = np.zeros((right - left).sum(), bool)
    covered[(columns + spread_out(first - left))[near]] = True
    covered = np.add.reduceat(covered, first, dtype=int)
    start = np.minimum.reduceat(np.where(near, columns, found.width), found.starts)
    end = np.maximum.reduceat(np.where(near, columns + 1, 0), found.starts)
    length = np.maximum(end - start, 1)
    thickness = count / length
    longest = np.sort(length)[-MAX_LINES:][0]
    good = ((length >= max(longest, 1.5 * least)) & (length > 8 * thickness) &
            (covered > 0.7 * length) & (abs(slope) < 0.1) &
            (spread < 0.3 * thickness + 0.6))
    return _Straight(*(values[good] for values in (
        start, end, y - slope * x, slope, thickness, spread)))


def _meetings(lines, others, side, reach):
    """Which lines [n] meet which of those across [m]: between their ends, bool [n, m], and at each
    end, bool [2, n, m]; and which ends meet the picture's edge, bool [2, n].
    """
    middle = (lines.at + lines.slope * (lines.start + lines.end) / 2)[:, None]
    there = others.at + others.slope * middle
    between = ((others.start - reach < middle) & (middle < others.end + reach) &
               (lines.start[:, None] < there) & (there < lines.end[:, None]))
    ends, edges = [], []
    for column in (lines.start, lines.end):
        row = (lines.at + lines.slope * column)[:, None]
        there = others.at + others.slope * row
        ends.append((abs(there - column[:, None]) < reach + others.thickness) &
                    (others.start - reach < row) & (row < others.end + reach))
        edges.append((np.minimum(column, side - column) < reach) &
                     (lines.end - lines.start > 40 * lines.thickness))
    return between, np.array(ends), np.array(edges)


def _held(meetings, kept):
    """How many ends of each line, 0 to 2, meet one of those across that are `kept` or the edge."""
    between, ends, edges = meetings
    # Found twice, with two gaps, a printed line counts twice.
    held = np.where((between & kept).sum(1) >= 10, 2, 0)
    return held + ((ends & kept).any(2) | edges).sum(0)


def _on(lines, kept, shape):
    """bool [h, w]: the pixels of those lines that are `kept`."""
    mask = np.zeros(shape, bool)
    for k in np.flatnonzero(kept):
        columns = np.arange(lines.start[k], lines.end[k])
        middle = lines.at[k] + lines.slope[k] * columns
        half = lines.thickness[k] / 2 + 1.5 + lines.spread[k]
        rows, those = parts.band(middle, int(half), shape[0])
        mask[rows, columns[those]] = True
    return mask
