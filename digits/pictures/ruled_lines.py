"""Printed lines of a page, as ink: of lined or squared paper, of a form's boxes.

A line is long, straight and thin. So is a 1, or the bar of a 7: a printed line is much longer than
the digits are high, or its ends meet other printed lines or the picture's edge.
"""
from typing import NamedTuple

import numpy as np

from digits.pictures import picture

MOST = 1000  # lines each way: what has more is noise


def boxes_of(labels):
    """Left, top, right, bottom int [n, 4] and pixels int [n] of the parts labelled 1 to n."""
    rows, columns = np.nonzero(labels)
    if not len(rows):
        return np.zeros([0, 4], int), np.zeros(0, int)
    label = labels[rows, columns]
    order = np.argsort(label, kind='stable')
    counts = np.bincount(label)[1:]
    starts = np.cumsum(counts) - counts
    ends = [(np.minimum, columns, 0), (np.minimum, rows, 0),
            (np.maximum, columns, 1), (np.maximum, rows, 1)]
    return np.stack([extreme.reduceat(at[order], starts) + more
                     for extreme, at, more in ends], 1), counts


def height_of(boxes, counts):
    """Height of a large digit: the median over parts, each as heavy as its pixels x its height."""
    if not len(boxes):
        return np.inf
    heights = boxes[:, 3] - boxes[:, 1]
    order = np.argsort(heights)
    weights = np.cumsum((counts * heights)[order])
    return heights[order][np.searchsorted(weights, weights[-1] / 2)]


def find(mask):
    """Printed lines in `mask` [h, w], without the strokes that cross them: bool [h, w]."""
    least = max(24, max(mask.shape) // 60)
    lines = [_straight(mask, least), _straight(mask.T, least)]
    ruled = [np.ones(len(each.end), bool) for each in lines]
    across, down = _on(lines[0], ruled[0], mask.shape), _on(lines[1], ruled[1], mask.T.shape).T
    # Digits' height without straight strokes, or only without level ones: a 1 has no others. So
    # what is long by the second measure is printed, by the first if one end is held as well.
    heights = [height_of(*boxes_of(picture._components(mask & ~across & ~down))),
               height_of(*boxes_of(picture._components(mask & ~across)))]
    long = [[each.end - each.start > 2.5 * height for each in lines] for height in heights]
    long[1][1][:] = False
    while True:  # fewer each time, until those that are left hold each other
        held = [_held(lines[k], lines[1 - k], ruled[1 - k], mask.shape[1 - k], least // 4)
                for k in (0, 1)]
        kept = [(held[k] >= 2) | (held[k] == 1) & long[0][k] | long[1][k] for k in (0, 1)]
        if all((a == b).all() for a, b in zip(kept, ruled)):
            break
        ruled = kept
    for k in (0, 1):  # where digits cover the ends of a printed line
        far = ruled[k] & (lines[k].end - lines[k].start > 0.3 * mask.shape[1 - k])
        lines[k].start[far], lines[k].end[far] = 0, mask.shape[1 - k]
    across, down = _on(lines[0], ruled[0], mask.shape), _on(lines[1], ruled[1], mask.T.shape).T
    if not (across | down).any():
        return across
    thick = int(max(np.percentile(each.thickness[kept], 75) for each, kept in zip(lines, ruled)
                    if kept.any())) + 3
    # Where a line is crossed, the ink goes on beyond it.
    crossing = (across & _long_runs((mask & ~down).T, thick + 1).T |
                down & _long_runs(mask & ~across, thick + 1))
    rulings = (across | down) & ~crossing
    reach = thick // 2 + 1
    closed = picture._in_window(np.minimum, picture._in_window(
        np.maximum, mask & ~rulings, reach), reach)
    return rulings & ~closed


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
    thin = mask & ~_long_runs(mask.T, least // 2 + 1).T  # not what crosses the line
    grown = picture._in_window(np.maximum, thin, 1)  # slanting lines are steps
    # Across gaps, where digits cross; but not from one box to the next.
    return _Straight(*(np.concatenate(values) for values in zip(*(
        _fitted(picture._components(_long_runs(~_long_runs(~grown, gap), 3 * least // 2)) * thin,
                least) for gap in (least // 2, least)))))


def _fitted(labels, least):
    """The parts of `labels` [h, w] that are straight lines, but for a few pixels beside them."""
    rows, columns = np.nonzero(labels)
    label = labels[rows, columns]
    near = np.ones(len(label))
    for _ in range(4):  # fitted again without what lies beside the line: parts of digits
        count = np.maximum(np.bincount(label, near), 1)
        x, y = (np.bincount(label, near * at) / count for at in (columns, rows))
        dx, dy = columns - x[label], rows - y[label]
        variance = np.maximum(np.bincount(label, near * dx * dx) / count, 1e-9)
        slope = np.bincount(label, near * dx * dy) / count / variance
        off = dy - slope[label] * dx
        spread = np.sqrt(np.bincount(label, near * off * off) / count)
        near = abs(off) <= np.maximum(1.5, 1.5 * spread[label])
    covered = np.bincount(np.unique(label[near] * labels.shape[1] + columns[near]) //
                          labels.shape[1], minlength=len(count))
    start, end = np.full(len(count), labels.shape[1]), np.zeros(len(count), int)
    np.minimum.at(start, label[near], columns[near])
    np.maximum.at(end, label[near], columns[near] + 1)
    length = np.maximum(end - start, 1)
    thickness = count / length
    longest = np.sort(length)[-MOST:][0] if len(length) else 0
    good = ((length >= max(longest, 1.5 * least)) & (length > 8 * thickness) &
            (covered > 0.7 * length) & (abs(slope) < 0.1) &
            (spread < 0.3 * thickness + 0.6))
    return _Straight(*(values[good] for values in (
        start, end, y - slope * x, slope, thickness, spread)))


def _held(lines, others, kept, side, reach):
    """How many ends of each line, 0 to 2, meet one of those across that are `kept` or the edge."""
    middle = (lines.at + lines.slope * (lines.start + lines.end) / 2)[:, None]
    there = others.at + others.slope * middle
    meets = (kept & (others.start - reach < middle) & (middle < others.end + reach) &
             (lines.start[:, None] < there) & (there < lines.end[:, None]))
    # Found twice, with two gaps, a printed line counts twice.
    held = np.where(meets.sum(1) >= 10, 2, 0)
    for column in (lines.start, lines.end):
        row = (lines.at + lines.slope * column)[:, None]
        there = others.at + others.slope * row
        meets = (kept & (abs(there - column[:, None]) < reach + others.thickness) &
                 (others.start - reach < row) & (row < others.end + reach)).any(1)
        edge = ((np.minimum(column, side - column) < reach) &
                (lines.end - lines.start > 40 * lines.thickness))
        held += meets | edge
    return held


def _on(lines, kept, shape):
    """bool [h, w]: the pixels of those lines that are `kept`."""
    mask = np.zeros(shape, bool)
    for k in np.flatnonzero(kept):
        columns = np.arange(lines.start[k], lines.end[k])
        middle = lines.at[k] + lines.slope[k] * columns
        half = lines.thickness[k] / 2 + 1.5 + lines.spread[k]
        for off in range(-int(half), int(half) + 1):
            rows = (middle + off + 0.5).astype(int)
            inside = (rows >= 0) & (rows < shape[0])
            mask[rows[inside], columns[inside]] = True
    return mask


def _long_runs(mask, least):
    """`mask` [h, w] without what is shorter than `least` pixels along its rows."""
    width = mask.shape[1] + 1  # an empty column keeps one row's runs from the next row's
    flat = np.zeros(len(mask) * width + 1, np.int8)
    flat[1:].reshape(-1, width)[:, :-1] = mask
    changes = np.flatnonzero(np.diff(flat))
    starts, ends = changes[::2], changes[1::2]
    long = ends - starts >= least
    marks = np.zeros(len(flat) - 1, np.int8)
    marks[starts[long]] = 1
    marks[ends[long]] -= 1
    return marks.cumsum(dtype=np.int8).reshape(-1, width)[:, :-1] > 0
