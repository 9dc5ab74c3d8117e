"""The embedded data set: digits made from pen strokes, with nothing to download.

    images, labels = make(60000)     # uint8 [60000, 28, 28] and [60000], white ink on black

No picture of a digit is stored here. What is stored is how people write: for each digit the
ways of writing it (`SKELETONS`), each a few lists of points the pen passes. To make an image,

1. mix the examples of one way at random, and displace every point a little;
2. bend the whole digit: proportions, waves, slant, width, rotation, each within the range in which
   a digit can be read;
3. draw a natural cubic spline through the points, in centripetal parameterisation (Lee, "Choosing
   nodes in parametric curve interpolation", 1989): it keeps clear of loops nobody drew;
4. lay ink along it, with a pen of random width, pressure, softness and roughness, not so broad
   that it fills a loop;
5. frame it as MNIST is (LeCun et al., "Gradient-based learning applied to document recognition",
   1998): scaled to fit 20 x 20, in which a scanner leaves a speck of dust on some, then moved in
   28 x 28, by whole pixels, to put its centre of mass at index 14.

digits/datasets/skeletons.py says how to add a way of writing a digit.

The same seed makes the same bytes, whatever the version of NumPy and the processor: the random
numbers come from RandomState, whose stream NumPy has frozen, and what is drawn with them does not
depend on the order of sums (digits/datasets/ink.py).
"""
import math
from typing import Any, Callable, NamedTuple, Optional, Tuple, Union

import numpy as np

from digits.datasets.dataset import DataSet
from digits.datasets.ink import (
    BROADEST,
    FRAME,
    PEN_RADIUS,
    centre,
    choose_pen,
    frame,
    leave_specks,
    limit_radius,
)
from digits.datasets.skeletons import SKELETONS, Way
from digits.datasets.splines import Skeleton, compile_way
from digits.datasets.world import WORLD

# The hand. Lengths are in heights of the digit; an sd is that of a TruncatedNormal.
BLEND = 1.6             # how evenly a way's examples mix (sum of a Dirichlet distribution's alphas)
EXAGGERATION = 1.25     # the mix goes this far from the mean of the examples: over 1, beyond them
MISS = 0.030            # sd of a point's displacement, for a hand of average care
MISS_AT_ENDS = 1.6      # the same at both ends of a stroke, as a multiple
MISS_OF_STROKE = 0.03   # sd of the displacement of a whole stroke
PROPORTIONS = 0.3       # sd of taper, of the shift of the waist, and of bow, about Style's
WAVE = 0.05             # sd of the amplitude of one slow wave through the plane
WAVE_NUMBER = 4.4       # sd of that wave's number in x and in y, in radians per height
SLANT = 0.14, 0.24      # mean and sd: how far right the top leans, per height
ROTATION = 0.10         # sd, in radians
WIDTH = 0.17            # sd of the logarithm of the width; the height shrinks by 0.3 of it
PRESSURE = 0.18         # sd of the amplitude with which the ink's weight varies along a stroke

BATCH = 64  # images drawn together: what they need fits a processor's cache


class Style(NamedTuple):
    """How the hand differs from digit to digit.

    Chosen so that a digit's images, 1 apart, are spread as MNIST's training images of it are:
    bench/README.md.
    """

    width: float            # factor on x: the skeletons are narrow
    slant: float            # added to the mean of SLANT
    pen: float              # factor on a pen's median width: digits with much ink are written finer
    taper: float = 0.0      # means of what PROPORTIONS spreads: how much wider the foot is,
    waist: float = 0.0      # how much lower the middle,
    bow: float = 0.0        # and how much further left than the ends
    freedom: float = 1.0    # factor on the sd of rotation and slant: a 1 is read at any angle
    pen_spread: float = 1.0    # factor on the sd of the pen's width
    width_spread: float = 1.0  # factor on the sd of the digit's width
    broadest: float = PEN_RADIUS[1]  # the largest radius of a pen, in pixels
    max_radius: float = math.inf  # of the pen, in the digit's spread across its length
    max_sd: float = 2.0     # where the normal distributions of the hand are truncated, in sd
    specks: float = 0.04    # share of the images with a speck of dust


STYLES = (
    # width, slant, pen, taper, waist, bow, freedom, pen_spread
    Style(1.15, 0.13, 1.17, 0.20, 0.15, -0.50, max_radius=0.5),  # 0
    Style(1.15, 0.09, 1.13, 0.00, 0.00, 0.00, 1.3, 1.3),    # 1
    Style(1.20, -0.03, 1.02, 0.25, 0.15, -0.45),            # 2
    Style(1.28, -0.04, 0.98, 0.20, 0.00, 0.65),             # 3
    Style(1.02, 0.07, 0.94, -0.10, 0.00, 0.47),             # 4
    Style(1.42, 0.03, 0.95, -0.20, 0.30, 0.30),             # 5
    Style(1.13, -0.03, 0.98, 0.00, 0.07, -0.45, max_radius=0.5),  # 6
    Style(1.22, -0.07, 1.07, 0.10, 0.07, -0.20),            # 7
    Style(1.10, 0.00, 0.94, -0.40, 0.15, 0.30, max_radius=0.5),  # 8
    Style(1.02, 0.05, 0.90, -0.10, 0.07, 0.00, max_radius=0.5),  # 9
)

# Of the ways in digits/datasets/world.py: fitted to no data set, so one style for all, with more
# spread; but a 1 is also written with so broad a pen that flag and base become one with it.
WORLD_STYLE = Style(1.30, 0.0, 1.05, freedom=1.1, pen_spread=1.3, width_spread=1.5,
                    broadest=BROADEST, max_radius=0.45)
WORLD_STYLES = tuple(
    WORLD_STYLE._replace(pen=1.4, pen_spread=1.6, max_radius=math.inf, freedom=0.9)
    if digit == 1 else WORLD_STYLE for digit in range(10))


class TruncatedNormal:
    """A RandomState whose normal samples are truncated at max_sd standard deviations.

    normal() widens what is left to the standard deviation asked for; gamma() returns at most
    max_sd. The other distributions are the RandomState's own, as all of them are if max_sd is
    infinite.
    """

    def __init__(self, rng: np.random.RandomState, max_sd: float):
        self._rng, self._max_sd = rng, max_sd
        density = math.exp(-max_sd ** 2 / 2) * math.sqrt(2 / math.pi)
        within = math.erf(max_sd / math.sqrt(2))
        # The standard deviation of standard normal samples after truncation.
        self._sd = math.sqrt(1 - (max_sd * density / within if density else 0.0))

    def normal(self, mean: float = 0.0, sd: float = 1.0, size: Any = 1) -> np.ndarray:
        """Draw normal samples; what falls outside is drawn again."""
        z = self._rng.normal(size=size)
        while True:
            beyond = abs(z) > self._max_sd
            if not beyond.any():
                return mean + z * (sd / self._sd)
            z[beyond] = self._rng.normal(size=beyond.sum())

    def gamma(self, shape: float, scale: float, size: Any) -> np.ndarray:
        """Draw gamma samples, each at most max_sd."""
        return np.minimum(self._rng.gamma(shape, scale, size), self._max_sd)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rng, name)


RandomNumbers = Union[np.random.RandomState, TruncatedNormal]


def write(rng: RandomNumbers, skeleton: Skeleton, n: int) -> np.ndarray:
    """Mix the skeleton's examples, each point displaced a little: [n, K, 2] in heights."""
    e = len(skeleton.examples)
    mix = rng.dirichlet([BLEND / e] * e, n)
    mix = 1 / e + EXAGGERATION * (mix - 1 / e)
    points = np.einsum('ne,ekd->nkd', mix, skeleton.examples)
    carelessness = MISS * rng.gamma(3, 1 / 3, (n, 1, 1))
    carelessness = carelessness * np.where(skeleton.is_end, MISS_AT_ENDS, 1)[:, None]
    points += carelessness * rng.normal(size=points.shape)
    shift = rng.normal(0, MISS_OF_STROKE, (n, skeleton.stroke[-1] + 1, 2))
    return points + shift[:, skeleton.stroke]


def bend(rng: RandomNumbers, points: np.ndarray, style: Style) -> np.ndarray:
    """Bend points [n, K, 2] as another hand would write them; centred at the origin, y still down.
    """
    n = len(points)
    usual = np.array([style.taper, style.waist, style.bow])[:, None, None]
    taper, waist, bow = usual + rng.normal(0, PROPORTIONS, (3, n, 1))
    x, y = points[:, :, 0] - 0.3, points[:, :, 1] - 0.5     # the middle of the skeleton
    points = np.stack([style.width * x * (1 + taper * y) + 0.25 * bow * (y ** 2 - 0.25),
                       y + waist * (0.25 - y ** 2)], axis=2)
    points -= points.mean(axis=1, keepdims=True)

    wave = rng.normal(0, WAVE_NUMBER, (n, 2, 2))
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 2))
    amplitude = rng.normal(0, WAVE, (n, 1, 2))
    points += amplitude * np.sin(np.einsum('nkd,nde->nke', points, wave) + phase)

    slant = style.slant + rng.normal(SLANT[0], SLANT[1] * style.freedom, n)
    turn = rng.normal(0, ROTATION * style.freedom, n)
    width = rng.normal(0, WIDTH * style.width_spread, n)
    affine = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn) - slant, np.cos(turn)]])
    affine *= np.exp([width, -0.3 * width])[:, None]
    return np.einsum('nkd,den->nke', points, affine)


def lay_path(rng: RandomNumbers, skeleton: Skeleton,
             points: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Sample where the pen goes: [n, M, 2] in heights, and the ink [n, M] of each in heights."""
    path, step = (np.einsum('mk,nkd->nmd', weights, points, optimize=True)
                  for weights in (skeleton.position, skeleton.step))
    n, m, _ = path.shape
    swing = PRESSURE * rng.normal(size=(n, 1))
    turns = rng.uniform(0.5, 3, (n, 1))         # how often the pressure swings in one digit
    phase = rng.uniform(0, 1, (n, 1))
    pressure = 1 + swing * np.sin(2 * np.pi * (turns * np.linspace(0, 1, m) + phase))
    return path, np.sqrt((step ** 2).sum(axis=2)) * np.clip(pressure, 0.4, 1.6)


def draw_way(rng: np.random.RandomState, style: Style, way: Way, n: int) -> np.ndarray:
    """Draw a digit, or another sign, n times, written in one way, in a Style: uint8 [n, 28, 28]."""
    skeleton, hand = compile_way(way), TruncatedNormal(rng, style.max_sd)
    points = bend(hand, write(hand, skeleton, n), style)
    path, ink = lay_path(hand, skeleton, points)
    pen = choose_pen(hand, n, style.pen, style.pen_spread, style.broadest)
    pen = limit_radius(pen, path, style.max_radius)
    images = np.rint(frame(path, ink, pen) * 255).astype(np.uint8)
    if style.specks:
        leave_specks(rng, images, style.specks)
    return centre(images)


def make(count: int, seed: int = 0, progress: Optional[Callable[[int], Any]] = None,
         world: float = 0.0) -> Tuple[np.ndarray, np.ndarray]:
    """Draw `count` images uint8 [count, 28, 28], and their labels uint8 [count], in random order.

    White ink (255) on black (0), each digit as often as the others (to within one). The same
    `count` and `seed` (0 to 2 ** 32 - 1) give the same images. `progress`, if given, is called
    with the number of images newly done. `world` is the share, 0 to 1, that is written as in
    digits/datasets/world.py.
    """
    rng = np.random.RandomState(seed)
    labels = rng.permutation(np.arange(count) % 10).astype(np.uint8)
    images = np.empty((count, FRAME, FRAME), np.uint8)
    for digit in range(10):
        ways = [(way, STYLES[digit], share) for way, share in _shares(SKELETONS[digit], 1 - world)]
        ways += [(way, WORLD_STYLES[digit], share) for way, share in _shares(WORLD[digit], world)]
        mine = np.flatnonzero(labels == digit)
        choice = rng.choice(len(ways), len(mine), p=[share for _, _, share in ways])
        for number, (way, style, _) in enumerate(ways):
            chosen = mine[choice == number]
            for start in range(0, len(chosen), BATCH):
                batch = chosen[start:start + BATCH]
                images[batch] = draw_way(rng, style, way, len(batch))
                if progress is not None:
                    progress(len(batch))
    return images, labels


def add(train: DataSet, share: float) -> None:
    """Add digits in the ways of digits/datasets/world.py to the batches of `train`.

    share: how many, at least 0, for each of the digits that `train` was given.
    """
    train.add(*make(round(share * len(train.pixels)), seed=1, world=1.0))


def _shares(ways, total):
    """Pair each way with its share of the digit's images; the shares add up to `total`."""
    weights = sum(way.weight for way in ways)
    return [(way, total * way.weight / weights) for way in ways]
