"""A decoded picture -> where it is ink and how much: colours, transparency, polarity, paper."""
from typing import Tuple

import cv2
import numpy as np
from PIL import Image

from digits.errors import UserError
from digits.pictures import edge_lines, parts
from digits.pictures.decoding import is_transparent

MIN_CONTRAST = 0.06  # of the paper's brightness: less than this is paper, not ink
MIN_DISTINCTNESS = 0.65  # of ink from paper; half of a normal distribution from the other has 0.64
THUMBNAIL = 64  # pixels: shades of paper need no more
SHARPER = 512  # but for their edges
MAX_DESK = 0.7  # of the picture
LIGHT_DESK = 0.8  # of the sheet's brightness: lighter is not told from paper


def ink_of(image: Image.Image, max_side: int, alone: bool = False
           ) -> Tuple[np.ndarray, np.ndarray]:
    """An upright PIL image -> (ink, mask), float and bool [h, w], neither side over `max_side`.

    alone: of one digit, without the lines of a table or a frame along the picture's edges.

    Ink is the share of the paper's light that is missing, about 0 to 1; the mask says where that
    is enough to be ink, which may be nowhere. The sides are the picture's divided by a whole
    number, rounded up. Raises UserError if the picture has no pixel.
    """
    grey = _grey(_opaque_or_alpha(image, max_side))
    if alone:
        grey = edge_lines.erased(grey)
    small = _thumbnail(grey)
    if (_light_on_dark if alone else _is_light_writing)(grey, small):
        grey, small = 1 - grey, 1 - small
    paper = _paper(grey, small)
    ink = _ink(grey, paper) if alone else _ink_of_sheet(grey, paper)
    return ink, ink > threshold(ink)


def threshold(ink: np.ndarray) -> float:
    """Least share of `ink` [h, w] that is ink: Otsu's, at least 0.4 of the way to the strongest.

    Otsu's alone (IEEE Trans. SMC 9(1), 1979) splits the texture of the paper where the ink covers
    little of it.
    """
    levels = np.minimum(ink * 256, 255).astype(np.uint8)
    counts = np.cumsum(cv2.calcHist([levels], [0], None, [256], [0, 256]), dtype=float)
    paper, strongest = (np.searchsorted(counts, ink.size * np.array([0.5, 0.998])) + 0.5) / 256
    otsu, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    return max((otsu + 1) / 256, paper + 0.4 * (strongest - paper), MIN_CONTRAST)


def distinctness(ink: np.ndarray, mask: np.ndarray) -> float:
    """How well a `mask` tells ink from paper, both [h, w]: 0, as noise, to 1, if both are even.

    Otsu's measure of a threshold: the share of the ink's variance that lies between the two.
    """
    share = mask.mean()
    variance = ink.var() * share * (1 - share)
    return (share * (ink[mask].mean() - ink.mean())) ** 2 / variance if variance else 0.0


def reduction(image: Image.Image, max_side: int) -> int:
    """The whole number by which ink_of divides the sides of the picture."""
    return -(-max(image.size) // max_side)


def _opaque_or_alpha(image, max_side):
    """Mode L or RGB without transparency, neither side over `max_side`.

    Where strokes were drawn on nothing, their shape is the alpha channel whatever their colour.
    Where a page has transparent parts, they are filled with the page's brightness.
    """
    if 0 in image.size:
        raise UserError('no pixel in it; give a picture of one digit')
    if image.mode == 'F' or image.mode.startswith('I'):
        image = _shrunk(image if image.mode in 'FI' else image.convert('I'), max_side)
        return Image.fromarray(_stretched(np.asarray(image)))
    if image.mode == 'LAB':  # Pillow cannot convert it
        return _shrunk(image.getchannel(0), max_side)
    if not is_transparent(image):
        if image.mode not in ('L', 'RGB'):
            image = image.convert('L' if image.mode == '1' else 'RGB')
        return _shrunk(image, max_side)
    if image.mode == 'La':  # Pillow converts it to nothing else
        image = image.convert('LA')
    if image.mode in ('LA', 'RGBA'):  # before the conversion, which would copy all of it
        image = _shrunk(image, max_side)
    image = _shrunk(image.convert('RGBA'), max_side)
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


def _shrunk(image, max_side):
    """The picture with its longer side at most `max_side`, area-averaged."""
    factor = reduction(image, max_side)
    return image.reduce(factor) if factor > 1 else image


def _grey(image):
    """Float32 [h, w] in 0..1: colours seen along the line on which the picture's differ most.

    Luminance would lose yellow ink on white. Only positive weights: light stays light.
    """
    values = np.asarray(image, np.float32) / 255
    if image.mode == 'L':
        return values
    # Each colour in a contiguous row: strided access takes longer.
    spread = np.stack([band.ravel() - np.float32(mean)
                       for band, mean in zip(cv2.split(values), cv2.mean(values))])
    # For a result of 3 x 3, einsum is faster than BLAS.
    axis = np.linalg.eigh(np.einsum('in,jn->ij', spread, spread))[1][:, -1]
    weights = np.maximum(axis if axis.sum() > 0 else -axis, 0)
    return np.minimum(cv2.transform(values, (weights / weights.sum())[None]), 1)


def _thumbnail(grey, longest=THUMBNAIL):
    """`grey` with its longer side at most `longest`, area-averaged."""
    if max(grey.shape) <= longest:
        return grey
    image = Image.fromarray(grey)
    scale = longest / max(image.size)
    return np.asarray(image.resize([max(1, round(side * scale)) for side in image.size],
                                   Image.BOX))


def _radius(small):
    """The radius of a window that is a quarter of the picture."""
    return max(1, max(small.shape) // 8)


def _is_light_writing(grey, small):
    """Whether the ink of a page is the lighter.

    Narrow strokes differ more from the mean brightness around them than paper does, so these
    differences are skewed towards the ink, in shade as in light. Where they are not, as beside a
    few bold digits, _light_on_dark decides.
    """
    half = grey[::2, ::2].copy()
    off = half - cv2.blur(half, (max(half.shape) // 40 + 1,) * 2)
    squares = off * off
    skewness = (squares * off).mean() / max(squares.mean(), 1e-9) ** 1.5
    return skewness > 0 if abs(skewness) > 1 else _light_on_dark(grey, small)


def _light_on_dark(grey, small):
    """Whether the ink is the lighter.

    Where light and dark meet, within a window, ink is the smaller part, above all at the
    picture's edge. Looked at window by window because uneven light can make the shade on a
    white page darker than ink elsewhere. Where that leaves doubt, ink is in narrower strokes, and
    more distinct from paper than what is lit is from a shadow.
    """
    low, high = parts.eroded(small, _radius(small)), parts.dilated(small, _radius(small))
    contrast = high - low
    meet = (contrast >= contrast.max() / 2).astype(np.float32)
    votes = np.where(small > (high + low) / 2, meet, -meet)
    rows, columns = (np.ones(side, np.float32) for side in votes.shape)
    # The outermost pixels count four times: a bold digit cropped close fills half the picture.
    rows[[0, -1]] = columns[[0, -1]] = 4
    lead = rows @ votes @ columns / (rows @ meet @ columns)
    if abs(lead) < 0.3:
        lead += _narrower(small) / 2 + _more_distinct(grey, small)
    return lead < 0


def _narrower(small):
    """Which is in narrower strokes: 1 if all the dark is, -1 if all the light is.

    By granulometry (Matheron, 1975): what a closing fills is dark and narrower than its window,
    what an opening cuts off is light; the narrower the window, the more it counts. The edge of a
    shadow is neither, on whatever side of it there is more.
    """
    dark = light = 0
    for radius in (1, 2, 4, 8):
        closed = parts.closed(small, radius)
        opened = parts.dilated(parts.eroded(small, radius), radius)
        dark += (closed - small).sum() / radius
        light += (small - opened).sum() / radius
    return (dark - light) / max(dark + light, 1e-9)


def _more_distinct(grey, small):
    """Which is told better from the rest: above 0 if the dark is, below if the light is.

    It counts as much as there is of the picture that is ink neither way: on a page in shadow, but
    not around a digit that is cropped close.
    """
    distinct, neither = [], 1.0
    for values, shades in ((grey, small), (1 - grey, 1 - small)):
        ink = _ink(values, _paper(values, shades))
        mask = ink > threshold(ink)
        distinct.append(distinctness(ink, mask))
        neither -= mask.mean()
    return (distinct[0] - distinct[1]) * max(neither, 0)


def _paper(grey, small):
    """Brightness [h, w] of the paper behind the ink, never 0.

    If it is the same everywhere, as in drawings, the brightness that is seen most. Else a closing
    (largest in a window, then smallest of those): what is darker than its surroundings and
    narrower than a quarter of the picture is gone, shade and its edges stay. What stays between a
    quarter and half of the way from ink to paper is a shadow on even paper.
    """
    low, high = small.min(), small.max()
    light = np.sort(small[small >= (low + high) / 2])
    # As np.quantile, which takes a tenth of a small picture's time.
    darker, most, lighter = np.interp(np.array([0.2, 0.5, 0.95]) * (len(light) - 1),
                                      np.arange(len(light)), light)

    def in_shadow(values):
        """Whether a tenth of the picture is."""
        return (abs(values - low - 0.375 * (high - low)) < 0.125 * (high - low)).mean() >= 0.1

    if lighter - darker < 0.08 * (high - low) and not (
            in_shadow(small) and in_shadow(_closing(small, _radius(small)))):
        return np.maximum(np.float32(most), grey)
    return np.maximum(_enlarged(_closing(small, _radius(small)), grey.shape), grey)


def _ink_of_sheet(grey, paper):
    """_ink of a page, up to its shades' edges: those of a shadow, of a sheet on a desk.

    _paper lets the dark reach over such an edge by a pixel of the thumbnail, where a page may have
    digits. A sharper picture tells, though only from what is narrower, how light it is there.
    """
    sharp = _thumbnail(grey, SHARPER)
    near = _enlarged(_closing(sharp, max(1, max(sharp.shape) // 32)), grey.shape)
    paper = np.where(near > 1.25 * paper, np.maximum(near, grey), paper)
    return np.where(_desk(paper, near), 0, _ink(grey, paper))


def _desk(paper, near):
    """Where a page shows what lies around the sheet, bool [h, w]: a desk, whose grain is no ink.

    A desk is much darker than the sheet, covers most of the picture's edges but not most of the
    picture, and ends abruptly. A shadow covers fewer of the edges, or more of the picture; light
    that falls off ends gradually.
    """
    around = np.percentile(np.concatenate(parts.edges(paper)), 70)
    sheet = np.percentile(near[::8, ::8], 90)
    if around > LIGHT_DESK * sheet:
        return np.zeros(paper.shape, bool)
    least = np.sqrt(around * sheet)
    labels = parts.label(np.minimum(paper, near) < least)
    is_desk = np.zeros(labels.max() + 1, bool)
    is_desk[np.concatenate(parts.edges(labels))] = True
    is_desk[0] = False
    desk = is_desk[labels]
    if desk.mean() > MAX_DESK:
        return np.zeros(paper.shape, bool)
    rim = parts.dilated(desk, 3 * (max(paper.shape) // SHARPER + 1)) & ~desk
    return desk & (np.median(paper[rim]) > np.sqrt(least * sheet)) if rim.any() else desk


def _closing(small, radius):
    """A closing of `small`, its dark parts wider by a pixel."""
    top, left = (min(radius, side - 1) for side in small.shape)
    closed = parts.eroded(parts.dilated(parts.extended(small, top, left), radius), radius + 1)
    return closed[top:top + small.shape[0], left:left + small.shape[1]]


def _enlarged(small, shape):
    """`small` [h, w] enlarged to `shape`."""
    return cv2.resize(small, shape[::-1])


def _ink(grey, paper):
    """Share [h, w] of the paper's light that is missing: 0 on paper, in shade as in light.

    Paper that is nearly black counts as brighter than it is: its noise would look like ink.
    """
    return (paper - grey) / np.maximum(paper, max(paper.max() / 4, np.float32(1 / 255)))
