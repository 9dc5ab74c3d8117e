"""Ink: a pen's path as an image of 28 x 28 pixels, framed as MNIST frames its digits.

The same path gives the same bytes everywhere: geometry is in float64 and then rounded, far more
coarsely than computers differ in it; from there on, every sum is exact.
"""
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

# The frame, in pixels.
FRAME = 28                      # an image's side
BOX = 20                        # the longer side of the ink in it
BORDER = (FRAME - BOX) // 2     # from the frame to the box, before the move to the centre of mass
CENTRE = 14.0                   # index of the centre of mass, in x and in y

# The pen. Lengths in pixels of the finished image.
PEN_WIDTH = 2.35, 0.29      # median, and sd of the logarithm
PEN_RADIUS = 0.65, 2.75     # least and greatest: other pens are brought to these
BROADEST = 4.0              # the greatest for the ways of world.py
SOFTNESS = 0.81, 1.19       # least and greatest width of the ramp from black to white at an edge
ROUGHNESS = 0.16            # edges wander by 0 to this (sd), from pixel to pixel
BLUR = 0.62                 # sd of the blots that lay the ink, in pen radii: see draw()
MIN_BLUR = 0.5              # the least of it, in pixels, or the blots would show one by one
SPECK_RADIUS = 0.3, 1.2     # of the scanner's dust: least and greatest, in pixels

# The drawing.
SUBPIXELS = 16              # blots are placed to 1/16 pixel,
BLUR_LEVELS = 16            # their sd is a multiple of 1/16 pixel,
UNIT = 1024                 # their density, one of 1/1024,
DEPTHS = 4096               # and the ink they add up to, one of 1/4096: all of it from tables


class Pen(NamedTuple):
    """n pens; lengths in pixels."""

    radius: np.ndarray      # float32 [n]
    softness: np.ndarray    # float32 [n]: width of the ramp from black to white
    edge: np.ndarray        # float32 [n, 28, 28]: by how much the ink's edge is further out here


def choose_pen(rng: Any, n: int, width: float = 1.0, spread: float = 1.0,
               broadest: float = PEN_RADIUS[1]) -> Pen:
    """Draw n random pens; `width` and `spread` multiply PEN_WIDTH's median and sd.

    rng: a RandomState, or what has its methods.
    """
    widths = PEN_WIDTH[0] * width * np.exp(rng.normal(0, PEN_WIDTH[1] * spread, n))
    softness = rng.uniform(*SOFTNESS, size=n)
    roughness = rng.uniform(0, ROUGHNESS, (n, 1, 1)).astype(np.float32)
    grain = paper()
    y, x = rng.randint(0, len(grain), (2, n), dtype=np.int64)
    radius = np.clip(widths / 2, PEN_RADIUS[0], broadest)
    return Pen(radius.astype(np.float32), softness.astype(np.float32), roughness * grain[y, x])


def limit_radius(pen: Pen, path: np.ndarray, max_radius: float) -> Pen:
    """Bound the pens' radii to `max_radius` times the spread of their digit, so loops stay open.

    path: float64 [n, M, 2] in heights. The spread is the standard deviation of the path along the
    shorter of its two axes.
    """
    if np.isinf(max_radius):
        return pen
    x, y = (path - path.mean(axis=1, keepdims=True)).transpose(2, 0, 1)
    xx, yy, xy = (x * x).mean(axis=1), (y * y).mean(axis=1), (x * y).mean(axis=1)
    variance = (xx + yy) / 2 - np.sqrt((xx - yy) ** 2 / 4 + xy ** 2)
    spread = np.sqrt(np.maximum(variance, 0))  # a straight line's may come out below
    spread *= BOX / (path.max(axis=1) - path.min(axis=1)).max(axis=1)
    limit = np.rint(max_radius * spread * SUBPIXELS) / SUBPIXELS
    limit = np.maximum(limit, PEN_RADIUS[0]).astype(np.float32)
    return pen._replace(radius=np.minimum(pen.radius, limit))


@lru_cache(maxsize=None)
def paper() -> np.ndarray:
    """Make noise of variance 1, correlated over 2 x 2 pixels: [256, 256, 28, 28], of one sheet."""
    side = 256
    noise = np.random.RandomState(0).normal(size=(side + FRAME, side + FRAME))
    noise = (noise[1:, 1:] + noise[1:, :-1] + noise[:-1, 1:] + noise[:-1, :-1]) / 2
    noise = noise.astype(np.float32)
    return np.lib.stride_tricks.as_strided(noise, (side, side, FRAME, FRAME), noise.strides * 2,
                                           writeable=False)


@lru_cache(maxsize=None)
def gaussians() -> np.ndarray:
    """Tabulate Gaussians of several sd at each place of the frame: float32 [levels * places, 28].

    A row has the density relative to its peak, in whole UNITs, at the centres of 28 pixels. Places
    are SUBPIXELS to a pixel; levels BLUR_LEVELS, from sd 0, which stands for the least.
    """
    levels = int(BLUR_LEVELS * BLUR * BROADEST) + 2
    sd = np.maximum(np.arange(levels), 1)[:, None, None] / BLUR_LEVELS
    place = np.arange(FRAME * SUBPIXELS)[:, None] / SUBPIXELS
    bell = np.exp(-((np.arange(FRAME) + 0.5 - place) / sd) ** 2 / 2)
    return np.rint(bell * UNIT).astype(np.float32).reshape(-1, FRAME)


@lru_cache(maxsize=None)
def distances() -> np.ndarray:
    """Tabulate the distance from a line, in sd, where its ink is 0, 1 ... DEPTHS / DEPTHS."""
    ink = np.maximum(np.arange(DEPTHS + 1), 0.5) / DEPTHS
    return np.sqrt(-2 * np.log(ink)).astype(np.float32)


def draw(path: np.ndarray, ink: np.ndarray, pen: Pen) -> np.ndarray:
    """Draw a path [n, M, 2] and its ink [n, M], in pixels: float32 [n, 28, 28], 0 to 1 (ink).

    A long line of Gaussian blots has the profile of one Gaussian across, so the ink at a pixel
    tells its distance from the line; it is white up to the pen's radius. Where lines meet, the
    Gaussians add up and corners fill, as they do with ink. The blots are separable: an image is
    the product of two matrices [28, samples] and [samples, 28].
    """
    sd = np.maximum(BLUR * pen.radius, MIN_BLUR)[:, None, None]
    level = np.rint(sd * BLUR_LEVELS).astype(np.intp)
    sd = level.astype(np.float32) / BLUR_LEVELS
    places = FRAME * SUBPIXELS
    rows = np.clip(np.rint(path * SUBPIXELS), 0, places - 1).astype(np.intp) + level * places
    across = gaussians().take(rows[:, :, 0], axis=0)
    down = gaussians().take(rows[:, :, 1], axis=0)
    down *= ink[:, :, None].astype(np.float32) / (np.float32(np.sqrt(2 * np.pi)) * sd)
    np.rint(down, out=down)
    # Whole numbers below 2 ** 24 (one line makes 2 ** 20, and the most seen is four times that):
    # float32 adds them without error, in whatever order a BLAS likes.
    total = np.matmul(down.transpose(0, 2, 1), across)
    depth = np.minimum(total * np.float32(DEPTHS / UNIT ** 2), DEPTHS).astype(np.intp)
    outside = sd * distances().take(depth) - pen.radius[:, None, None] - pen.edge
    return np.clip(np.float32(0.5) - outside / pen.softness[:, None, None], 0, 1)


def frame(path: np.ndarray, ink: np.ndarray, pen: Pen) -> np.ndarray:
    """Draw a path in heights, its ink's longer side filling the box: float32 [n, 28, 28]."""
    low, high = path.min(axis=1), path.max(axis=1)          # of the line, [n, 2]

    def fitted(before, after):
        """The drawing, and the pen line's limits in it, if ink is `before` and `after` the line."""
        scale = ((BOX - before - after) / np.maximum(high - low, 1e-3)).min(axis=1, keepdims=True)
        start = BORDER + before
        in_pixels = (path - low[:, None]) * scale[:, None] + start[:, None]
        return draw(in_pixels, ink * scale, pen), start, start + (high - low) * scale

    # How far ink reaches beyond the line is seen on a first drawing: a stroke's end reaches less
    # far than its side.
    guess = np.repeat(0.55 * pen.radius[:, None].astype(np.float64), 2, axis=1)
    image, start, stop = fitted(guess, guess)
    first, last = ink_limits(image)
    image, _, _ = fitted(np.clip(start - first, 0, 3), np.clip(last - stop, 0, 3))
    image[:, :BORDER] = image[:, -BORDER:] = 0
    image[:, :, :BORDER] = image[:, :, -BORDER:] = 0
    return image


def ink_limits(image: np.ndarray) -> np.ndarray:
    """Find where ink begins and ends in x and in y, in pixels: float64 [2, n, 2]."""
    n = np.arange(len(image))
    limits = []
    for axis in (1, 2):
        profile = image.max(axis=axis)
        inked = profile > 0.25
        first, last = inked.argmax(axis=1), FRAME - 1 - inked[:, ::-1].argmax(axis=1)
        # A pixel three quarters white is taken for three quarters covered.
        limits.append((first + 1 - profile[n, first], last + profile[n, last]))
    return np.array(limits, dtype=np.float64).transpose(1, 2, 0)


def centre(images: np.ndarray) -> np.ndarray:
    """Move images uint8 [n, 28, 28] by whole pixels so that their centres of mass are at CENTRE.

    That is to within half a pixel, except that no ink leaves the frame: one in 1,000, a 7 with most
    of its ink at the top or a 1 with a speck far off, stays a pixel off, or up to four.
    """
    index = np.arange(FRAME)
    shifted = []
    for axis in (1, 2):
        profile = images.sum(axis=axis)     # exact: integers
        middle = (profile * index).sum(axis=1) / profile.sum(axis=1)
        before, after = (inked.argmax(axis=1) for inked in (profile > 0, profile[:, ::-1] > 0))
        move = np.clip(np.rint(CENTRE - middle), -before, after)
        shifted.append((index - move.astype(np.intp)[:, None]) % FRAME)
    x, y = shifted
    return images[np.arange(len(images))[:, None, None], y[:, :, None], x[:, None, :]]


def leave_specks(rng: Any, images: np.ndarray, share: float) -> None:
    """Draw a speck of dust in the box of a share of the images uint8 [n, 28, 28], in place."""
    dusty = np.flatnonzero(rng.uniform(size=len(images)) < share)
    x, y = rng.uniform(0, BOX - 1, (2, len(dusty), 1, 1))
    radius = rng.uniform(*SPECK_RADIUS, size=(len(dusty), 1, 1))
    index = np.arange(BOX)
    distance = np.sqrt((index - x) ** 2 + (index[:, None] - y) ** 2)
    specks = np.rint(255 * np.clip(0.5 + radius - distance, 0, 1)).astype(np.uint8)
    box = slice(BORDER, BORDER + BOX)
    images[dusty, box, box] = np.maximum(images[dusty, box, box], specks)
