"""Any picture of one handwritten digit -> 28 x 28 as MNIST made its own: white ink on black.

A network reads only what looks like the images it learned from, so a photo or a drawing goes
the way MNIST's own digits went: ink found, cropped, scaled to fit 20 x 20 with its shape kept,
pasted into 28 x 28 with its centre of mass in the middle. Sources: LeCun, Bottou, Bengio and
Haffner, "Gradient-Based Learning Applied to Document Recognition", Proceedings of the IEEE,
1998, section III.A, and http://yann.lecun.com/exdb/mnist/.
"""
import contextlib
import os

import numpy as np
from PIL import Image

from digits.errors import UserError
from digits.pictures.decoding import opened, upright

LONGEST = 400  # pixels: a digit a tenth of a photo wide still has 2 for each of MNIST's 20
# Sentences that draw.py's page says in its own words.
NO_INK = 'no ink found; give a picture of one digit, darker or lighter than the paper'
NO_DIGIT = 'no digit found: this does not look like ink on paper'
SEVERAL = 'several digits; give one alone, or read them all with predict.py --page'
FAINTEST = 0.06  # of the paper's brightness: less contrast than this is paper, not ink


def read(path, **bounds):
    """The picture in `path`, a file's name or an open binary file, as to_mnist gives it.

    bounds: what it may cost to decode, as decoding.opened has them.
    """
    with named(path):
        return to_mnist(opened(path, LONGEST, **bounds))


def to_mnist(image):
    """A PIL image of one digit, any mode and size -> uint8 [28, 28], white ink on black."""
    ink, mask = ink_of(upright(image), LONGEST)
    if not mask.any():
        raise UserError(NO_INK)
    # Otsu's measure of a threshold: the share of the variance that lies between ink and paper.
    share = mask.mean()
    between = ((ink * mask).mean() - share * ink.mean()) ** 2
    if between < 0.65 * ink.var() * share * (1 - share):
        raise UserError(NO_DIGIT)
    return normalised(ink, _digit(ink, mask))


def ink_of(image, longest):
    """An upright PIL image -> (ink, mask), float and bool [h, w], neither side over `longest`.

    Ink is the share of the paper's light that is missing, about 0 to 1; the mask says where that
    is enough to be ink, which may be nowhere. The sides are the picture's divided by a whole
    number, rounded up.
    """
    grey = _grey(_opaque_or_alpha(image, longest))
    small = _small(grey)
    if _light_on_dark(small):
        grey, small = 1 - grey, 1 - small
    ink = _ink(grey, _paper(grey, small))
    return ink, ink > _threshold(ink)


def normalised(ink, mask):
    """The digit where `mask` [h, w] is True of `ink` [h, w], as MNIST has it: uint8 [28, 28]."""
    return _centred(_fit_20(_pen_of_mnist(_levels(ink, mask))))


@contextlib.contextmanager
def named(path):
    """What is raised inside as UserError begins with the name of `path`, a name or an open file."""
    try:
        yield
    except UserError as error:
        name = getattr(path, 'name', 'the picture') if hasattr(path, 'read') else os.fspath(path)
        raise UserError(f'{name}: {error}') from error


def _opaque_or_alpha(image, longest):
    """Mode L or RGB without transparency, neither side over `longest`.

    Where strokes were drawn on nothing, their shape is the alpha channel whatever their colour.
    Where a page has transparent parts, they are filled with the page's brightness.
    """
    if 0 in image.size:
        raise UserError('no pixel in it; give a picture of one digit')
    if image.mode == 'F' or image.mode.startswith('I'):
        image = _shrunk(image if image.mode in 'FI' else image.convert('I'), longest)
        return Image.fromarray(_stretched(np.asarray(image)))
    if image.mode == 'LAB':  # Pillow turns it into nothing else
        return _shrunk(image.getchannel(0), longest)
    if not (image.getbands()[-1] in 'Aa' or 'transparency' in image.info):
        if image.mode not in ('L', 'RGB'):
            image = image.convert('L' if image.mode == '1' else 'RGB')
        return _shrunk(image, longest)
    if image.mode == 'La':  # Pillow turns it into nothing else
        image = image.convert('LA')
    if image.mode in ('LA', 'RGBA'):  # a large picture is not held four times over
        image = _shrunk(image, longest)
    image = _shrunk(image.convert('RGBA'), longest)
    alpha = image.getchannel('A')
    if alpha.getextrema()[0] == alpha.getextrema()[1]:
        return image.convert('RGB')
    seen = np.asarray(alpha) > 127
    grey = np.asarray(image.convert('L'))[seen]
    box = np.asarray(alpha.crop(alpha.getbbox())) > 127
    # Strokes fill little of their box, and a straight 1 that fills it is of one colour.
    if grey.size == 0 or box.mean() < 0.5 or grey.std() < 12:
        return alpha
    page = Image.new('RGBA', image.size, (int(np.median(grey)),) * 3 + (255,))
    return Image.alpha_composite(page, image).convert('RGB')


def _stretched(values):
    """16-bit, 32-bit or float [h, w], no agreed range -> uint8, darkest 0 and lightest 255."""
    values = np.nan_to_num(values, posinf=0, neginf=0).astype(np.float64)
    low, high = values.min(), values.max()
    return np.uint8((values - low) / (high - low or 1) * 255)


def _shrunk(image, longest):
    """The picture with its longer side at most `longest`, area-averaged."""
    factor = -(-max(image.size) // longest)
    return image.reduce(factor) if factor > 1 else image


def _grey(image):
    """Float [h, w] in 0..1: colours seen along the line on which the picture's differ most.

    Luminance would lose yellow ink on white. Only positive weights: light stays light.
    """
    if image.mode == 'L':
        return np.asarray(image, np.float32) / 255
    # Each colour in a row of its own: what walks over all pixels in steps of three takes longer.
    bands = np.asarray(image).reshape(-1, 3).T.astype(np.float32, order='C') / 255
    spread = bands - bands.mean(axis=1, keepdims=True)
    # BLAS is made for larger matrices than 3 x 3 and takes twice as long as einsum.
    axis = np.linalg.eigh(np.einsum('in,jn->ij', spread, spread))[1][:, -1]
    weights = np.maximum(axis if axis.sum() > 0 else -axis, 0)
    return (weights / weights.sum() @ bands).reshape(image.size[::-1])


def _small(grey):
    """`grey` with its longer side at most 64, area-averaged: shades of paper need no more."""
    image = Image.fromarray(grey)
    scale = min(1, 64 / max(image.size))
    return np.asarray(image.resize([max(1, round(side * scale)) for side in image.size],
                                   Image.BOX))


def _reach(small):
    """How far a window of a quarter of the picture reaches from its middle."""
    return max(1, max(small.shape) // 8)


def _in_window(extreme, values, reach):
    """The extreme (np.maximum, np.minimum) of `values` [h, w] up to `reach` rows and columns away.

    Of ever longer stretches: that of 2 n pixels is the extreme of two stretches of n.
    """
    for _ in ('down', 'across'):
        values = values.take(np.arange(-reach, len(values) + reach), 0, mode='clip')
        seen = 1
        while seen < 2 * reach + 1:
            step = min(seen, 2 * reach + 1 - seen)
            values = extreme(values[:-step], values[step:])
            seen += step
        values = values.T
    return values


def _light_on_dark(small):
    """Whether the ink is the lighter.

    Where light and dark meet, within a window, ink is the smaller part, above all at the
    picture's edge. Looked at window by window because uneven light can make the shade on a
    white page darker than ink elsewhere. Where that leaves doubt, ink is in narrower strokes.
    """
    low = _in_window(np.minimum, small, _reach(small))
    high = _in_window(np.maximum, small, _reach(small))
    meet = high - low >= (high - low).max() / 2
    votes = np.where(small > (high + low) / 2, 1, -1) * meet
    rows, columns = (np.ones(side) for side in votes.shape)
    # The outermost pixels count four times: a bold digit cropped close fills half the picture.
    rows[[0, -1]] = columns[[0, -1]] = 4
    lead = rows @ votes @ columns / (rows @ meet @ columns)
    if abs(lead) < 0.3:
        lead += _narrower(small) / 2
    return lead < 0


def _narrower(small):
    """Which is in narrower strokes: 1 if all the dark is, -1 if all the light is.

    By granulometry (Matheron, 1975): what a closing fills is dark and narrower than its window,
    what an opening cuts off is light; the narrower the window, the more it counts. The edge of a
    shadow is neither, on whatever side of it there is more.
    """
    dark = light = 0
    for reach in (1, 2, 4, 8):
        closed = _in_window(np.minimum, _in_window(np.maximum, small, reach), reach)
        opened = _in_window(np.maximum, _in_window(np.minimum, small, reach), reach)
        dark += (closed - small).sum() / reach
        light += (small - opened).sum() / reach
    return (dark - light) / max(dark + light, 1e-9)


def _mirrored(rows, count):
    """`rows` with `count` more at both ends: the next ones there, mirrored at the outermost.

    Mirrored in place and in brightness: so they go on with the light's slope, and a margin that
    grows darker does not look like ink.
    """
    return np.concatenate([2 * rows[:1] - rows[count:0:-1], rows,
                           2 * rows[-1:] - rows[-2:-count - 2:-1]])


def _paper(grey, small):
    """Brightness [h, w] of the paper behind the ink, never 0.

    If it is the same everywhere, as in drawings, the brightness that is seen most. Else a closing
    (largest in a window, then smallest of those): what is darker than its surroundings and
    narrower than a quarter of the picture is gone, shade and its edges stay.
    """
    middle = (small.min() + small.max()) / 2
    darker, most, lighter = np.percentile(small[small >= middle], [20, 50, 95])
    if lighter - darker < 0.08 * np.ptp(small):
        return np.maximum(most, grey)
    reach = _reach(small)
    top, left = (min(reach, side - 1) for side in small.shape)
    padded = _mirrored(_mirrored(small, top).T, left).T
    closed = _in_window(np.minimum, _in_window(np.maximum, padded, reach), reach + 1)
    closed = closed[top:top + small.shape[0], left:left + small.shape[1]]
    closed = Image.fromarray(closed).resize(grey.shape[::-1], Image.BILINEAR)
    return np.maximum(np.asarray(closed), grey)


def _ink(grey, paper):
    """Share [h, w] of the paper's light that is missing: 0 on paper, in shade as in light.

    Where the paper is next to black, its noise would be the largest share of all.
    """
    return (paper - grey) / np.maximum(paper, max(paper.max() / 4, 1 / 255))


def _threshold(ink):
    """Least share that is ink: Otsu's, and at least 0.4 of the way from paper to strongest ink.

    Otsu's alone splits the texture of the paper where the ink covers little of it.
    """
    counts = np.bincount(np.minimum(ink * 256, 255).astype(np.uint8).ravel(), minlength=256)
    bins = np.searchsorted(np.cumsum(counts), ink.size * np.array([0.5, 0.998]))
    paper, strongest = (bins + 0.5) / 256
    return max(_otsu(counts), paper + 0.4 * (strongest - paper), FAINTEST)


def _otsu(counts):
    """The threshold (0..1) that best splits values counted in 256 bins: Otsu, IEEE Trans. SMC 9(1),
    1979.
    """
    below, sums = np.cumsum(counts, dtype=float), np.cumsum(counts * np.arange(256.0))
    above = below[-1] - below
    # Variance between the two parts, but for a factor; 0 where one of them is empty.
    between = (sums * below[-1] - sums[-1] * below) ** 2 / np.maximum(below * above, 1)
    return (between.argmax() + 1) / 256


def _blocks(mask, side):
    """`mask` in squares of `side` pixels: True where one has any ink."""
    if side == 1:
        return mask
    rows, columns = (np.arange(0, length, side) for length in mask.shape)
    return np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, 0), columns, 1)


def _pixels(blocks, side, shape):
    """The mask of `shape` whose squares of `side` pixels are `blocks`."""
    return blocks.repeat(side, 0).repeat(side, 1)[:shape[0], :shape[1]]


def _components(mask):
    """Labels [h, w] of the connected parts (8 neighbours) of `mask`: 0 outside, then 1, 2, ...

    Along the rows, pixels make runs; from row to row, runs make parts, numbered by their last runs.
    """
    width = mask.shape[1] + 1  # an empty column keeps one row's runs from the next row's
    flat = np.zeros(len(mask) * width + 1, bool)
    flat[1:].reshape(-1, width)[:, :-1] = mask
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    starts, ends = changes[::2], changes[1::2]
    # Of each run, the runs of the row above that it touches, by a corner at least: first to last.
    first = np.searchsorted(ends, starts - width)
    last = np.searchsorted(starts, ends - width, 'right') - 1
    joined = list(range(len(starts)))  # a run -> a later one of its part; the last one -> itself

    def newest(run):
        while joined[run] != run:
            joined[run] = joined[joined[run]]
            run = joined[run]
        return run

    for run, (a, b) in enumerate(zip(first.tolist(), last.tolist())):
        for above in range(a, b + 1):
            joined[newest(above)] = run
    _, parts = np.unique([newest(run) for run in joined], return_inverse=True)
    labels = np.zeros(mask.shape, np.intp)
    labels[mask] = np.repeat(parts + 1, ends - starts)
    return labels


def _digit(ink, mask):
    """`mask` [h, w] of the digit alone: its heaviest part and, step by step, what is beside that.

    Left out are specks, a box drawn around all, what the picture's edge cuts off beside a whole
    digit, ink half as dark as the digit's or less (shade), and what is longer than the digit
    though less ink (ruled lines): nothing that a digit in several strokes could need.
    """
    side = -(-max(mask.shape) // 200)
    labels = _components(_blocks(mask, side))
    if labels.max() == 1:
        return mask
    part = _pixels(labels, side, mask.shape)[mask]
    weights = np.bincount(part, ink[mask])
    darkness = weights / np.maximum(np.bincount(part), 1)
    weights[weights < weights.max() / 30] = 0
    if np.count_nonzero(weights) > 8:
        raise UserError(NO_DIGIT)
    for label in np.flatnonzero(weights):
        others = np.count_nonzero(weights > weights[label] / 16) > 1
        if others and _is_frame(labels == label):
            weights[label] = 0
    cut = np.zeros(len(weights), bool)
    cut[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    main = np.where(cut, weights / 4, weights).argmax()
    if not cut[main]:
        weights[cut] = 0
    weights[darkness < darkness[main] / 2] = 0
    for label in np.flatnonzero(weights):
        if _length(labels == label) > 2.5 * _length(labels == main):
            weights[label] = 0
    labels = np.where(weights > 0, np.arange(len(weights)), 0)[labels]
    chosen = np.arange(len(weights)) == main
    while True:
        top, bottom, left, right = _box(chosen[labels])
        reach = max(bottom - top, right - left, max(labels.shape) // 4) // 2 + 1
        near = labels[max(0, top - reach):bottom + reach, max(0, left - reach):right + reach]
        grown = np.bincount(near.ravel(), minlength=len(weights)) > 0
        grown[0] = False
        if (grown == chosen).all():
            break
        chosen = grown
    if _side_by_side([_box(labels == label) for label in np.flatnonzero(chosen)], bottom - top):
        raise UserError(SEVERAL)
    return mask & _pixels(chosen[labels], side, mask.shape)


def _side_by_side(boxes, height):
    """Whether two of the parts' boxes, tall for a digit of that `height`, stand next to each other.
    """
    tall = sorted((left, right) for top, bottom, left, right in boxes
                  if bottom - top > 0.6 * height)
    return any(end - left < 0.25 * min(end - start, right - left)
               for (start, end), (left, right) in zip(tall, tall[1:]))


def _length(part):
    """The longer side of a part's box."""
    top, bottom, left, right = _box(part)
    return max(bottom - top, right - left)


def _is_frame(part):
    """Whether a part is a drawn box: half the picture or more, four straight sides, hollow."""
    top, bottom, left, right = _box(part)
    box = part[top:bottom, left:right]
    y, x = (side // 8 + 1 for side in box.shape)
    sides = box[:y].any(0), box[-y:].any(0), box[:, :x].any(1), box[:, -x:].any(1)
    return (min(np.array(box.shape) / part.shape) >= 0.5 and
            min(side.mean() for side in sides) > 0.9 and
            box[y:-y, x:-x].sum() < part.sum() / 20)


def _levels(ink, mask):
    """The digit's box of `ink` in 0..1: paper 0, pen 1, grey edges kept, nothing else."""
    top, bottom, left, right = _box(mask)
    # MNIST's edges fade out within a pixel of its 20, a blurred photo's within two.
    edge = max(1, (max(bottom - top, right - left) + 10) // 20)
    area = (slice(max(0, top - edge), bottom + edge), slice(max(0, left - edge), right + edge))
    ink, mask = ink[area], mask[area]
    near = _pixels(_in_window(np.maximum, _blocks(mask, edge), 1), edge, mask.shape)
    pen = _median(ink[mask])
    paper = 0 if mask.all() else min(_median(ink[~mask]), pen / 2)
    ink = np.clip((ink - paper) / (pen - paper), 0, 1) * near
    top, bottom, left, right = _box(ink > 0.2)
    return ink[top:bottom, left:right]


def _median(values):
    """The median or, of two in the middle, the larger: np.median thinks twice as long."""
    return np.partition(values, values.size // 2)[values.size // 2]


def _box(mask):
    """Top, bottom, left, right of what is True: rows top to bottom - 1."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def _pen_of_mnist(ink):
    """`ink` [h, w], or if its lines are thinner than those of MNIST, with thicker ones.

    A line has two edges as long as itself, so its width is twice its area over their length. Of a
    digit's 20 pixels that is 1.5 to 4.3 in 98 % of MNIST's training images.
    """
    height, width = ink.shape
    fine = 4  # for each of the 20 pixels
    scale = 20 * fine / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    enlarged = Image.fromarray(np.float32(ink)).resize(
        size, Image.BOX if scale < 1 else Image.BICUBIC)
    enlarged = np.pad(np.asarray(enlarged), 2 * fine).clip(0, 1)
    down, across = np.diff(enlarged, axis=0)[:, 1:], np.diff(enlarged, axis=1)[1:]
    pen = 2 * enlarged.sum() / np.hypot(down, across).sum() / fine
    if pen > 1.6:
        return ink
    enlarged = _in_window(np.maximum, enlarged, int(round((2.1 - pen) / 2 * fine)))
    # A line thinner than a pixel was grey; the pen that drew it was not.
    enlarged = np.minimum(enlarged / _median(enlarged[enlarged > enlarged.max() / 5]), 1)
    top, bottom, left, right = _box(enlarged > 0.1)
    return enlarged[top:bottom, left:right]


def _fit_20(ink):
    """`ink` [h, w] with its longer side 20, shape kept, area-averaged, peak 1."""
    height, width = ink.shape
    scale = 20 / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = Image.BOX if scale < 0.5 else Image.BICUBIC
    ink = np.asarray(Image.fromarray(np.float32(ink)).resize(size, how))
    return np.clip(ink / ink.max(), 0, 1)


def _centred(ink):
    """uint8 [28, 28] with `ink` moved by whole pixels: centre of mass at index 14, 14."""
    image = np.zeros([28, 28], np.uint8)
    corner = []
    for axis in (0, 1):
        mass = ink.sum(1 - axis)
        middle = (np.arange(len(mass)) * mass).sum() / mass.sum()
        corner.append(max(0, min(int(round(14 - middle)), 28 - len(mass))))
    top, left = corner
    image[top:top + ink.shape[0], left:left + ink.shape[1]] = np.rint(255 * ink)
    return image
