"""A picture of several handwritten digits -> each of them, in reading order, as MNIST made its own.

Connected parts of the ink are put together to digits (strokes that do not touch) or taken apart
(digits that do: about two thirds of such pairs). Left out is what is no digit: specks, commas,
dashes, slashes, printed lines and boxes. Letters are not told from digits; of digits much fainter
than the others none is found; a dark desk around the sheet must be cut off.
Survey: Casey and Lecolinet, "A Survey of Methods and Strategies in Character Segmentation", IEEE
Trans. PAMI 18(7), 1996.
"""
import numpy as np

from digits.errors import UserError
from digits.pictures import picture, ruled_lines

LONGEST = 2000  # pixels: a digit of a hundredth of a page still has MNIST's 20
MOST = 500  # digits


def read(path):
    """The digits in the picture `path`, a file's name or an open binary file, as find gives them.

    Raises UserError, with the file's name, if it is no picture that can be read, as picture.read.
    """
    with picture.named(path):
        return find(picture.opened(path))


def find(image):
    """The digits in a PIL image -> (boxes int [n, 4], images uint8 [n, 28, 28]), n >= 1.

    In reading order: lines from top to bottom, each from left to right. A box is left, top, right
    and bottom in pixels of the picture held upright (turned as its EXIF says), right and bottom
    exclusive. An image is white ink on black, as picture.to_mnist makes it of one digit alone.
    Raises UserError if there is no ink, or more than MOST digits.
    """
    image = picture.upright(image)
    ink, mask = picture.ink_of(image, LONGEST)
    if mask.any():  # printed lines may be fainter than the faintest ink that counts
        printed = ruled_lines.find(ink > 0.6 * ink[mask].min())
        ink, mask = np.where(printed, 0, ink), mask & ~printed
    labels = _without_dust(picture._components(mask))
    if not labels.any():
        raise UserError('no ink found; give a picture of digits, darker or lighter than the paper')
    if labels.max() <= 2 * MOST:  # else too many anyhow, and time grows as their square
        labels = _without_marks(_apart(_together(labels)))
    boxes, _ = ruled_lines.boxes_of(labels)
    if len(boxes) > MOST:
        raise UserError(f'more than {MOST} digits found; cut the picture into smaller ones')
    order = np.concatenate(_lines(boxes))
    boxes = boxes[order]
    images = np.array([_cut(ink, labels, label + 1, box) for label, box in zip(order, boxes)])
    factor = -(-max(image.size) // LONGEST)
    boxes = np.minimum(boxes * factor, image.size * 2)
    return boxes, images if len(boxes) > 1 else _alone(image, boxes[0], images)


def _alone(image, box, images):
    """`images` [1, 28, 28] as picture.to_mnist has it, if it takes the same part for the digit."""
    ink, mask = picture.ink_of(image, picture.LONGEST)
    try:
        mask = picture._digit(ink, mask) if mask.any() else mask
    except UserError:  # picture.py would not take it for one digit alone
        return images
    if mask.any():
        top, bottom, left, right = picture._box(mask)
        other = np.array([left, top, right, bottom]) * (-(-max(image.size) // picture.LONGEST))
        if abs(other - box).max() <= 0.1 * max(box[2:] - box[:2]):
            return picture.normalised(ink, mask)[None]
    return images


def _kept(labels, keep):
    """`labels` with only those parts for which `keep` [n] is True, numbered anew."""
    return np.append(0, np.cumsum(keep) * keep)[labels]


def _without_dust(labels):
    """`labels` without parts that are small next to a digit."""
    boxes, counts = ruled_lines.boxes_of(labels)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(1, initial=0)
    return _kept(labels, sides >= 0.12 * ruled_lines.height_of(boxes, counts))


def _overlap(boxes, axis):
    """How many pixels each two of the boxes share along an axis [n, n]; less than 0 is a gap."""
    low, high = boxes[:, axis], boxes[:, axis + 2]
    return np.minimum(high[:, None], high) - np.maximum(low[:, None], low)


def _together(labels):
    """`labels` with strokes of one digit that do not touch as one part."""
    while True:
        boxes, counts = ruled_lines.boxes_of(labels)
        size = boxes[:, 2:] - boxes[:, :2]
        across, down = _overlap(boxes, 0), _overlap(boxes, 1)
        narrower, lower = (np.minimum(side[:, None], side) for side in size.T)
        # Of both together: less than their sum by what they share, more by the gap.
        width, height = (size[:, None, axis] + size[:, axis] - shared
                         for axis, shared in enumerate((across, down)))
        tall = 1.2 * ruled_lines.height_of(boxes, counts)
        # Two strokes of full height are two digits, and what is too tall are two lines.
        stroke = (lower < 0.65 * height) & (height <= tall)
        above = (across >= 0.5 * narrower) & (down >= -0.1 * height)
        tall = np.minimum(tall, 1.35 * np.maximum(size[:, None, 1], size[:, 1]))
        beside = (across >= -0.1 * height) & (height <= tall) & (width <= 1.1 * tall)
        pairs = np.argwhere(np.triu(stroke & (above | beside), 1))
        a, b = pairs.T
        distances = np.array([_distance(labels, boxes, pair) for pair in pairs])
        # A 5's hat hangs over its body; what stands beside it must be very near.
        near = distances <= height[a, b] * np.where(across[a, b] >= 0.3 * narrower[a, b], 0.3, 0.08)
        if not near.any():
            return labels
        new, joined = np.arange(len(boxes) + 1), set()
        for pair in np.argsort(distances, kind='stable'):  # each with its nearest, in one turn
            if near[pair] and joined.isdisjoint(pairs[pair]):
                new[b[pair] + 1] = a[pair] + 1
                joined.update(pairs[pair])
        labels = np.searchsorted(np.unique(new), new)[labels]


def _distance(labels, boxes, pair):
    """About how many pixels lie between two parts."""
    points = []
    for part in pair:
        left, top, right, bottom = boxes[part]
        inside = np.argwhere(labels[top:bottom, left:right] == part + 1) + (top, left)
        points.append(inside[::max(1, len(inside) // 250)])
    return np.sqrt(((points[0][:, None] - points[1]) ** 2).sum(-1).min()) - 1


def _lines(boxes):
    """Lines from top to bottom, each an array of the places of its boxes from left to right."""
    ends = boxes[:, 1::2] - _slope(boxes) * (boxes[:, :1] + boxes[:, 2:3]) / 2
    lines, last = [], []  # last: where the last three of each line begin and end
    for k in np.argsort(boxes[:, 0], kind='stable'):
        above, below = np.array(last).reshape(-1, 2).T
        top, bottom = ends[k]
        share = ((np.minimum(bottom, below) - np.maximum(top, above)) /
                 np.maximum(bottom - top, below - above))
        if share.max(initial=0) < 0.3:
            lines.append([])
            last.append(None)
        chosen = share.argmax() if share.max(initial=0) >= 0.3 else -1
        lines[chosen].append(k)
        last[chosen] = np.median(ends[lines[chosen][-3:]], axis=0)
    return [np.array(line) for line in sorted(lines, key=lambda line: ends[line].mean())]


def _line_heights(boxes):
    """The median height of the boxes in each box's line [n]."""
    heights = np.zeros(len(boxes))
    for line in _lines(boxes):
        heights[line] = np.median(boxes[line, 3] - boxes[line, 1])
    return heights


def _apart(labels):
    """`labels` with digits that touch as parts of their own, where one path parts them well.

    What is wider than a digit is cut along the path from top to bottom that crosses least ink,
    if that is one stroke and leaves two parts as large as digits.
    """
    boxes, _ = ruled_lines.boxes_of(labels)
    count = len(boxes)
    waiting = list(zip(range(1, count + 1), boxes, _line_heights(boxes)))
    while waiting:
        label, (left, top, right, bottom), height = waiting.pop()
        if right - left <= max(4, 1.1 * height):
            continue
        area = labels[top:bottom, left:right]
        mask = area == label
        crossed, beyond = _seam(mask)
        halves = np.where(mask, 1 + beyond, 0)
        parts, _ = ruled_lines.boxes_of(halves)
        large = parts[:, 2:] - parts[:, :2] >= (0.15 * height, 0.7 * height)
        if crossed <= 1.7 * _pen(mask) and large.all():
            count += 1
            area[halves == 2] = count
            waiting += zip((label, count), parts + (left, top, left, top), (height, height))
    return labels


def _pen(mask):
    """About how wide the pen was: pixels for each two of the strokes' edges."""
    padded = np.pad(mask, 1, mode='constant')
    inner = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return 2 * mask.sum() / (mask & ~inner).sum()


def _seam(mask):
    """(pixels crossed, what lies beyond bool [h, w]) of the best path down through `mask` [h, w].

    The best crosses little ink, no hole as in a 0, and the part near its middle.
    """
    h, w = mask.shape
    columns = np.arange(w)
    outside = picture._components(np.pad(~mask, 1, mode='constant', constant_values=True))
    holes = (outside != outside[0, 0])[1:-1, 1:-1] & ~mask
    cost = mask + holes + 6 * _pen(mask) / h * abs(columns / w - 0.5)
    cost[:, [0, -1]] = np.inf
    # The cheapest way down to each pixel, and whence: from above, or above to the left or right.
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
    return mask[np.arange(h), path].sum(), columns >= path[:, None]


def _without_marks(labels):
    """`labels` without what is too small beside its neighbours for a digit, and slashes."""
    boxes, counts = ruled_lines.boxes_of(labels)
    tall = boxes[:, 3] - boxes[:, 1]
    heights = _line_heights(boxes)
    # Commas below the digits make a line of their own: the digits beside them count too.
    beside = (_overlap(boxes, 0) > -heights) & (_overlap(boxes, 1) > 0)
    keep = ((tall >= 0.4 * np.max(beside * heights, axis=1, initial=0)) &
            (heights >= 0.3 * ruled_lines.height_of(boxes, counts)))
    for line in _lines(boxes):
        for before, part, after in zip(line, line[1:], np.append(line[2:], line[-2:-1])):
            beyond = min(boxes[[before, after], 1].min() - boxes[part, 1],
                         boxes[part, 3] - boxes[[before, after], 3].max())
            if beyond > 0.05 * heights[part] and _leans(labels, part + 1, boxes[part]):
                keep[part] = False
    return _kept(labels, keep)


def _leans(labels, label, box):
    """Whether a part is a straight stroke from the lower left to the upper right, a slash."""
    left, top, right, bottom = box
    rows, columns = np.nonzero(labels[top:bottom, left:right] == label)
    dy, dx = rows - rows.mean(), columns - columns.mean()
    lean = (dx * dy).mean() / (dy * dy).mean()
    return lean < -0.2 and (dx - lean * dy).std() < 0.07 * (bottom - top)


def _slope(boxes):
    """How far lines go down for each pixel to the right: the median between neighbours."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    tall = boxes[:, 3] - boxes[:, 1]
    slopes = []
    for k in range(len(boxes)):
        step = middle - middle[k]
        near = ((step[:, 0] > 0) & (step[:, 0] < 4 * tall[k]) &
                (abs(step[:, 1]) < 0.5 * np.minimum(tall, tall[k])))
        if near.any():
            other = np.flatnonzero(near)[step[near, 0].argmin()]
            slopes.append((boxes[other, 3] - boxes[k, 3]) / step[other, 0])
    return np.median(slopes) if slopes else 0


def _cut(ink, labels, label, box):
    """uint8 [28, 28] of one part."""
    edge = 2 + max(box[2:] - box[:2]) // 10
    left, top = np.maximum(box[:2] - edge, 0)
    area = slice(top, box[3] + edge), slice(left, box[2] + edge)
    labels = labels[area]
    return picture.normalised(np.where((labels > 0) & (labels != label), 0, ink[area]),
                              labels == label)
