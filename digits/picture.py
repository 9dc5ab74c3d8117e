"""Any picture of one handwritten digit -> 28 x 28 as MNIST made its own: white ink on black.

A network reads only what looks like the images it learned from, so a photo or a drawing goes
the way MNIST's own digits went: ink found, cropped, scaled to fit 20 x 20 with its shape kept,
pasted into 28 x 28 with its centre of mass in the middle. Sources: LeCun, Bottou, Bengio and
Haffner, "Gradient-Based Learning Applied to Document Recognition", Proceedings of the IEEE,
1998, section III.A, and http://yann.lecun.com/exdb/mnist/.
"""
import os
import warnings

import numpy as np
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from digits.errors import UserError

FORMATS = ('PNG', 'JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM')
LONGEST = 400  # pixels: a digit a tenth of a photo wide still has 2 for each of MNIST's 20
FAINTEST = 0.06  # of the paper's brightness: less contrast than this is paper, not ink

# What Pillow has to say about a picture is said in a UserError or not at all.
warnings.filterwarnings('ignore', module='PIL')


def read(path):
    """The picture in `path`, a file's name or an open binary file, as to_mnist gives it."""
    name = getattr(path, 'name', 'the picture') if hasattr(path, 'read') else os.fspath(path)
    try:
        return to_mnist(_open(path))
    except UserError as error:
        raise UserError(f'{name}: {error}') from error


def to_mnist(image):
    """A PIL image of one digit, any mode and size -> uint8 [28, 28], white ink on black."""
    image = _upright(image)
    grey = _dark_on_light(_grey(_shrunk(_opaque_or_alpha(image))))
    ink = _ink(grey, _paper(grey))
    mask = _digit(ink, ink > _threshold(ink))
    if not mask.any():
        raise UserError('no ink found; give a picture of one digit, darker or lighter '
                        'than the paper')
    return _centred(_fit_20(_levels(ink, mask)))


def _open(path):
    """The decoded picture, at a fraction of its size where JPEG allows that for nothing."""
    if not hasattr(path, 'read') and os.path.isdir(path):
        raise UserError('is a folder; give a picture in it')
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError
            image.draft(None, (LONGEST, LONGEST))
            image.load()
            return image
    except FileNotFoundError:
        raise UserError('no such file; check the name') from None
    except UnidentifiedImageError:
        raise UserError('not a picture of a kind read here; save it as PNG or JPEG '
                        '(also read: BMP, GIF, TIFF, WebP, PPM)') from None
    except Image.DecompressionBombError:
        most = Image.MAX_IMAGE_PIXELS
        raise UserError(f'has more than {most:,} pixels; make it smaller') from None
    # Decoders meet broken bytes with IndexError, struct.error, zlib.error, SyntaxError and more.
    except Exception as error:
        if getattr(error, 'errno', None):
            why = f'cannot be read ({error.strerror}); check its name and permissions'
        else:
            reason = str(error).strip('. ') or type(error).__name__
            why = f'is cut short or damaged ({reason}); save or copy it again'
        raise UserError(why) from error


def _upright(image):
    """The picture as its camera's EXIF orientation says it was held."""
    if image.format == 'TIFF':  # turned by Pillow when loaded; Pillow 9.5 leaves the tag behind
        image.load()
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken tag beside whole pixels: how it was held stays unknown
        return image


def _opaque_or_alpha(image):
    """Mode L or RGB without transparency.

    Where strokes were drawn on nothing, their shape is the alpha channel whatever their colour.
    Where a page has transparent parts, they are filled with the page's brightness.
    """
    if image.mode == 'F' or image.mode.startswith('I'):
        return Image.fromarray(_stretched(np.asarray(image)))
    if image.mode == 'LAB':  # Pillow turns it into nothing else
        return image.getchannel(0)
    if not (image.getbands()[-1] in 'Aa' or 'transparency' in image.info):
        return image.convert('L' if image.mode in ('1', 'L') else 'RGB')
    image = image.convert('RGBA')
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


def _shrunk(image):
    """The picture with its longer side at most LONGEST, area-averaged."""
    factor = -(-max(image.size) // LONGEST)
    return image.reduce(factor) if factor > 1 else image


def _grey(image):
    """Float [h, w] in 0..1: colours seen along the line on which the picture's differ most.

    Luminance would lose yellow ink on white. Only positive weights: light stays light.
    """
    pixels = np.asarray(image, np.float32) / 255
    if pixels.ndim == 2:
        return pixels
    spread = pixels.reshape(-1, 3) - pixels.mean((0, 1))
    axis = np.linalg.eigh(spread.T @ spread)[1][:, -1]
    weights = np.maximum(axis if axis.sum() > 0 else -axis, 0)
    return (pixels @ (weights / weights.sum())).astype(np.float32)


def _small(grey):
    """`grey` as a PIL image of mode F, longer side at most 64, and how far a third of it reaches.

    A filter of size 3 repeated so often sees a window of a third of the picture.
    """
    image = Image.fromarray(grey)
    scale = min(1, 64 / max(image.size))
    small = image.resize([max(1, round(side * scale)) for side in image.size], Image.BOX)
    return small, max(1, max(small.size) // 6)


def _repeated(image, which, times):
    """A window of 2 times + 1 in many small steps: one large step takes ten times as long."""
    for _ in range(times):
        image = image.filter(which)
    return image


def _dark_on_light(grey):
    """`grey`, inverted where its ink is the lighter.

    Where light and dark meet, within a window, ink is the smaller part, above all at the
    picture's edge. Looked at window by window because uneven light can make the shade on a
    white page darker than ink elsewhere.
    """
    small, reach = _small(grey)
    low = np.asarray(_repeated(small, ImageFilter.MinFilter(3), reach))
    high = np.asarray(_repeated(small, ImageFilter.MaxFilter(3), reach))
    meet = high - low >= (high - low).max() / 2
    lighter = np.asarray(small) > (high + low) / 2
    # The outermost pixels count four times: a bold digit cropped close fills half the picture.
    meet, lighter = np.pad(meet, 3, 'edge'), np.pad(lighter, 3, 'edge')
    return 1 - grey if lighter[meet].mean() < 0.5 else grey


def _paper(grey):
    """Brightness [h, w] of the paper behind the ink, never 0.

    A closing (largest in a window, then smallest of those): what is darker than its
    surroundings and narrower than a third of the picture is gone, shade and its edges stay.
    """
    small, reach = _small(grey)
    # Odd reflection goes on with the light's slope: without it, darker margins look like ink.
    margin = [min(reach, side - 1) for side in small.size[::-1]]
    padded = np.pad(np.asarray(small), [(m, m) for m in margin], 'reflect', reflect_type='odd')
    closed = _repeated(Image.fromarray(padded), ImageFilter.MaxFilter(3), reach)
    closed = _repeated(closed, ImageFilter.MinFilter(3), reach + 1)
    top, left = margin
    closed = closed.crop((left, top, left + small.width, top + small.height))
    return np.maximum(np.asarray(closed.resize(grey.shape[::-1], Image.BILINEAR)), grey)


def _ink(grey, paper):
    """Share [h, w] of the paper's light that is missing: 0 on paper, in shade as in light.

    Where the paper is next to black, its noise would be the largest share of all.
    """
    return (paper - grey) / np.maximum(paper, max(paper.max() / 4, 1 / 255))


def _threshold(ink):
    """Least share that is ink: Otsu's, and at least 0.4 of the way from paper to strongest ink.

    Otsu's alone splits the texture of the paper where the ink covers little of it.
    """
    paper, strongest = np.percentile(ink, [50, 99.8])
    return max(_otsu(ink), paper + 0.4 * (strongest - paper), FAINTEST)


def _otsu(values):
    """The threshold that best splits `values` (0..1) in two: Otsu, IEEE Trans. SMC 9(1), 1979."""
    counts, edges = np.histogram(values, 256, (0, 1))
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide='ignore', invalid='ignore'):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return edges[1:][np.nan_to_num(between).argmax()]


def _blocks(mask, side):
    """`mask` in squares of `side` pixels: True where one has any ink."""
    rows, columns = (np.arange(0, length, side) for length in mask.shape)
    return np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, 0), columns, 1)


def _pixels(blocks, side, shape):
    """The mask of `shape` whose squares of `side` pixels are `blocks`."""
    return blocks.repeat(side, 0).repeat(side, 1)[:shape[0], :shape[1]]


def _components(mask):
    """Labels [h, w] of the connected parts (8 neighbours) of `mask`: 0 outside, then 1, 2, ..."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0).astype(np.int32)
    while True:
        # The largest neighbour's label, then that pixel's own: long strokes take few rounds.
        grown = np.asarray(Image.fromarray(labels).filter(ImageFilter.MaxFilter(3))) * mask
        grown = np.append(0, grown).astype(np.int32)[grown]
        if (grown == labels).all():
            return np.unique(np.append(0, labels), return_inverse=True)[1][1:].reshape(mask.shape)
        labels = grown


def _digit(ink, mask):
    """`mask` [h, w] of the digit alone: its heaviest part and, step by step, what is beside that.

    Left out are specks far away, shadows and halves of neighbours at the picture's edge, a box
    drawn around all: nothing that a digit in several strokes could need.
    """
    side = -(-max(mask.shape) // 200)
    labels = _components(_blocks(mask, side))
    weights = np.bincount((_pixels(labels, side, mask.shape) * mask).ravel(), ink.ravel())
    weights[0] = 0
    labels[weights[labels] < weights.max() / 30] = 0
    for label in np.unique(labels[labels > 0]):
        if np.delete(weights, label).max() > weights[label] / 8 and _is_frame(labels == label):
            labels[labels == label] = weights[label] = 0
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    weights[edge] /= 4
    part = labels == weights.argmax()
    while part.any():
        top, bottom, left, right = _box(part)
        reach = max(bottom - top, right - left, max(labels.shape) // 4) // 2 + 1
        near = labels[max(0, top - reach):bottom + reach, max(0, left - reach):right + reach]
        grown = np.isin(labels, near[near > 0])
        if (grown == part).all():
            break
        part = grown
    return mask & _pixels(part, side, mask.shape)


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
    near = Image.fromarray(_blocks(mask, edge).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))
    near = _pixels(np.asarray(near) > 0, edge, mask.shape)
    pen = np.median(ink[mask])
    paper = 0 if mask.all() else min(np.median(ink[~mask]), pen / 2)
    ink = np.clip((ink - paper) / (pen - paper), 0, 1) * near
    top, bottom, left, right = _box(ink > 0.1)
    return ink[top:bottom, left:right]


def _box(mask):
    """Top, bottom, left, right of what is True: rows top to bottom - 1."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


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
        corner.append(int(np.clip(round(14 - middle), 0, 28 - len(mass))))
    top, left = corner
    image[top:top + ink.shape[0], left:left + ink.shape[1]] = np.rint(255 * ink)
    return image
