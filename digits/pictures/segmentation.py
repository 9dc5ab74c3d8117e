"""Connected parts of a page -> digits: strokes joined, touching digits cut, marks left out."""
import statistics
from typing import List

import cv2
import numpy as np

from digits.errors import UserError
from digits.pictures import parts
from digits.pictures.parts import Parts

MAX_DIGITS = 4000
MAX_PAIRS = 12000  # of strokes that may belong together: a page of 500 digits has some hundred
MAX_COMPARED = 6 * 10 ** 7  # pairs of parts, whether near each other or not: three seconds
MAX_CUTTING = 10 ** 8  # pixels, and 600 for each row, of parts that are cut: three seconds
CHUNK = 256  # parts that are compared with all at once
NO_DIGITS = 'no digits found: this does not look like ink on paper'
SAMPLE = 250  # pixels of a stroke that its distance to others is measured from, or up to twice that


def digits_in(found: Parts) -> Parts:
    """The digits, made of the `found` parts of a page without dust.

    Raises UserError if there are more than MAX_DIGITS, or if the parts lie among each other as no
    strokes of digits do.
    """
    if len(found) <= 1.5 * MAX_DIGITS:  # else too many anyhow, and time grows as their square
        found = _apart(_together(found))
        if len(found) <= 2 * MAX_DIGITS:
            found = _without_marks(found)
    if len(found) > MAX_DIGITS:
        raise UserError(f'more than {MAX_DIGITS} digits found; cut the picture into smaller ones')
    return found


def lines_of(boxes: np.ndarray) -> List[np.ndarray]:
    """Lines from top to bottom, each an array of the places of its boxes from left to right."""
    ends = boxes[:, 1::2] - _slope(boxes) * (boxes[:, :1] + boxes[:, 2:3]) / 2
    lines: List[List[int]] = []
    above, below = np.zeros(len(boxes)), np.zeros(len(boxes))
    for k in np.lexsort(boxes[:, [3, 0]].T):  # from left to right
        top, bottom = ends[k]
        first, last = above[:len(lines)], below[:len(lines)]  # of the last three of each line
        share = ((np.minimum(bottom, last) - np.maximum(top, first)) /
                 np.maximum(bottom - top, last - first))
        chosen = share.argmax() if lines else 0
        if not lines or share[chosen] < 0.3:
            chosen = len(lines)
            lines.append([])
        lines[chosen].append(k)
        above[chosen], below[chosen] = map(statistics.median, ends[lines[chosen][-3:]].T.tolist())
    return [np.array(line) for line in sorted(lines, key=lambda line: ends[line].mean())]


def _slope(boxes):
    """How far lines go down for each pixel to the right: the median between neighbours."""
    tall = boxes[:, 3] - boxes[:, 1]
    x, y = ((boxes[:, axis] + boxes[:, axis + 2]) / 2 for axis in (0, 1))
    slopes = []
    for some in _chunks(np.arange(0, len(boxes), -(-len(boxes) // 1500) or 1)):
        across, down = x - x[some, None], y - y[some, None]
        near = ((across > 0) & (across < 4 * tall[some, None]) &
                (abs(down) < 0.5 * np.minimum(tall, tall[some, None])))
        k = np.flatnonzero(near.any(1))
        other = np.where(near, across, np.inf)[k].argmin(1)
        slopes.append((boxes[other, 3] - boxes[some[k], 3]) / across[k, other])
    slopes = np.concatenate([np.zeros(0), *slopes])
    return np.median(slopes) if len(slopes) else 0


def _chunks(numbers):
    """Yield `numbers` CHUNK at a time: what compares them with all parts takes little memory."""
    for start in range(0, len(numbers), CHUNK):
        yield numbers[start:start + CHUNK]


def _overlap(boxes, axis, some):
    """How many pixels `some` of the boxes share with all along an axis [k, n]; below 0 is a gap."""
    low, high = boxes[:, axis], boxes[:, axis + 2]
    return np.minimum(high[some, None], high) - np.maximum(low[some, None], low)


def _together(found):
    """Join strokes of one digit that do not touch."""
    compared = measured = 0
    while True:
        compared += len(found) ** 2
        if compared > MAX_COMPARED:
            raise UserError(NO_DIGITS)
        pairs = [_may_join(found.boxes, some, 1.2 * found.digit_height(), measured)
                 for some in _chunks(np.arange(len(found)))]
        pairs, height, limit = map(np.concatenate, zip(*pairs))
        measured += len(pairs)
        if measured > MAX_PAIRS:
            raise UserError(NO_DIGITS)
        distances = _distances(found, pairs)
        # A 5's hat hangs over its body; what stands beside it must be very near.
        near = distances <= height * limit
        if not near.any():
            return found
        new, joined = np.arange(len(found)), set()
        a, b = pairs.T
        for pair in np.argsort(distances, kind='stable'):  # each joins its nearest, once per pass
            if near[pair] and joined.isdisjoint(pairs[pair]):
                new[b[pair]] = a[pair]
                joined.update(pairs[pair])
        found = found.renumbered(new)


def _may_join(boxes, some, tallest, measured):
    """(pairs [k, 2] of `some` and later parts that may be one digit, height together [k], how far
    apart they may be in such heights [k]).
    """
    across, down = _overlap(boxes, 0, some), _overlap(boxes, 1, some)
    size = boxes[:, 2:] - boxes[:, :2]
    narrower, lower = (np.minimum(size[some, None, axis], size[:, axis]) for axis in (0, 1))
    # Of both together: less than their sum by what they share, more by the gap.
    width, height = (size[some, None, axis] + size[:, axis] - shared
                     for axis, shared in enumerate((across, down)))
    # Two strokes of full height are two digits, and what is too tall are two lines.
    stroke = (lower < 0.65 * height) & (height <= tallest)
    above = (across >= 0.5 * narrower) & (down >= -0.1 * height)
    tall = np.minimum(tallest, 1.35 * np.maximum(size[some, None, 1], size[:, 1]))
    beside = (across >= -0.1 * height) & (height <= tall) & (width <= 1.1 * tall)
    later = np.arange(len(boxes)) > some[:, None]
    a, b = np.nonzero(stroke & (above | beside) & later)
    if measured + len(a) > MAX_PAIRS:
        raise UserError(NO_DIGITS)
    limit = np.where(across[a, b] >= 0.3 * narrower[a, b], 0.3, 0.08)
    return np.stack([some[a], b], 1), height[a, b], limit


def _distances(found, pairs):
    """About how many pixels lie between the two parts of each pair [n]."""
    points = {}
    for number in np.unique(pairs):
        pixels = np.stack(found.pixels_of(number), 1).astype(np.float32)
        points[number] = pixels[::max(1, len(pixels) // SAMPLE)]
    return np.array([cv2.batchDistance(points[a], points[b], cv2.CV_32F, K=1)[0].min()
                     for a, b in pairs]) - 1


def _line_heights(boxes, lines):
    """The median height of the boxes in each box's line [n]."""
    heights = np.zeros(len(boxes))
    for line in lines:
        heights[line] = np.median(boxes[line, 3] - boxes[line, 1])
    return heights


def _apart(found):
    """Separate digits that touch, where one path divides them well.

    What is wider than a digit is cut along the path from top to bottom that crosses least ink,
    if that is one stroke and leaves two parts as large as digits.
    """
    rows, columns = found.sorted_pixels()
    numbers, count = found.sorted_numbers(), len(found)
    work = 0
    waiting = list(zip(np.split(np.arange(len(rows)), found.starts[1:]), found.sizes[:, 0],
                       _line_heights(found.boxes, lines_of(found.boxes))))
    while waiting and count <= 2 * MAX_DIGITS:
        which, width, height = waiting.pop()
        if width <= max(4, 1.1 * height):
            continue
        y, x = (at[which] - at[which].min() for at in (rows, columns))
        work += (y.max() + 1) * (width + 600)
        if work > MAX_CUTTING:
            break
        mask = np.zeros([y.max() + 1, width], bool)
        mask[y, x] = True
        crossed, path = _seam(mask)
        beyond = x >= path[y]
        halves = which[~beyond], which[beyond]
        if crossed <= 1.7 * parts.pen_width(mask) and beyond.any() and not beyond.all():
            wide, tall = ([np.ptp(at[half]) + 1 for half in halves] for at in (columns, rows))
            if min(wide) >= 0.15 * height and min(tall) >= 0.7 * height:
                numbers[halves[1]] = count
                count += 1
                waiting += zip(halves, wide, (height, height))
    return found.divided(numbers) if count > len(found) else found


def _seam(mask):
    """(pixels crossed, column int [h] of the best path down through `mask` [h, w]).

    The best path crosses little ink, no hole as in a 0, and the part near its middle.
    """
    h, w = mask.shape
    columns = np.arange(w)
    outside = parts.label(np.pad(~mask, 1, mode='constant', constant_values=True))
    holes = (outside != outside[0, 0])[1:-1, 1:-1] & ~mask
    cost = mask + holes + 6 * parts.pen_width(mask) / h * abs(columns / w - 0.5)
    cost[:, [0, -1]] = np.inf
    # The cheapest way down to each pixel, and its last step: from above, or from above to the left
    # or right.
    down, steps = cost[0], []
    for row in cost[1:]:
        ways = np.stack([down, np.append(np.inf, down[:-1]), np.append(down[1:], np.inf)])
        ways[1:] += 0.01
        steps.append(np.array([0, -1, 1])[ways.argmin(0)])
        down = row + ways.min(0)
    path = [down.argmin()]
    for step in steps[::-1]:
        path.append(path[-1] + step[path[-1]])
    path = np.array(path[::-1])
    return mask[np.arange(h), path].sum(), path


def _without_marks(found):
    """Without what is too small for a digit, compared with its neighbours, and without slashes.

    All of them if nothing would be left.
    """
    boxes, tall = found.boxes, found.sizes[:, 1]
    lines = lines_of(boxes)
    heights = _line_heights(boxes, lines)
    # Commas below the digits make a line of their own: the digits beside them count too.
    tallest = [np.max(heights * ((_overlap(boxes, 0, some) > -heights) &
                                 (_overlap(boxes, 1, some) > 0)), axis=1, initial=0)
               for some in _chunks(np.arange(len(found)))]
    keep = ((tall >= 0.4 * np.concatenate([np.zeros(0), *tallest])) &
            (heights >= 0.3 * found.digit_height()))
    for line in lines:
        for before, part, after in zip(line, line[1:], np.append(line[2:], line[-2:-1])):
            beyond = min(boxes[[before, after], 1].min() - boxes[part, 1],
                         boxes[part, 3] - boxes[[before, after], 3].max())
            if beyond > 0.05 * heights[part] and _leans(*found.pixels_of(part)):
                keep[part] = False
    return found.kept(keep | (not keep.any()))


def _leans(rows, columns):
    """Whether these pixels are a straight stroke from the lower left to the upper right, a slash.
    """
    dy, dx = rows - rows.mean(), columns - columns.mean()
    lean = (dx * dy).mean() / (dy * dy).mean()
    return lean < -0.2 and (dx - lean * dy).std() < 0.07 * (np.ptp(rows) + 1)
