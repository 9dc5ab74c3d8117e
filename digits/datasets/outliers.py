"""Images that are not digits, for outlier exposure.

A network trained on digits alone predicts a digit with a high probability for any image. Trained
also on images that are not digits, with a uniform distribution as their label, it gives unfamiliar
images lower probabilities (Hendrycks et al., "Deep anomaly detection with outlier exposure", 2019).
"""
import math
from typing import Union

import numpy as np
from tqdm import tqdm

from digits.datasets import strokes
from digits.datasets.dataset import DataSet
from digits.datasets.idx import ImagesOnDisk
from digits.datasets.skeletons import Way
from digits.errors import UserError

PART = 10000  # images made at once, which needs three times their own memory
NO_DIGIT = 10  # the label of these images: tf.one_hot(10, 10) is ten zeros
# Scribbles need not be legible. Signs are to be: a square that is drawn round is a 0.
SCRIBBLE_STYLE = strokes.Style(width=1.15, slant=0.08, pen=1.15, max_sd=math.inf, specks=0)
SIGN_STYLE = strokes.Style(width=1.15, slant=-0.04, pen=1.0, max_radius=0.4, specks=0)
# Letters and symbols, in the notation of digits/datasets/skeletons.py. None is near a digit as
# anyone writes it: not B, O, S or U, not the Korean letters like 0, 1, 2 and 7, no spiral.
SIGNS = {
    'A': '4,100 32,0 | 60,100 / 14,62 50,62',
    'E': '50,2 6,2 | 6,98 | 52,98 / 6,50 44,50',
    'F': '52,2 6,2 | 6,100 / 6,48 44,48',
    'H': '6,0 6,100 / 54,0 54,100 / 6,50 54,50',
    'K': '6,0 6,100 / 52,0 8,54 | 54,100',
    'M': '2,100 8,0 | 34,64 | 60,0 | 66,100',
    'N': '6,100 6,0 | 54,100 | 54,0',
    'P': '6,100 6,2 | 44,8 48,34 8,52',
    'R': '6,100 6,2 | 44,8 48,34 8,50 | 54,100',
    'V': '0,0 32,100 | 64,0',
    'W': '0,0 16,100 | 34,36 | 52,100 | 70,0',
    'X': '6,0 54,100 / 54,0 6,100',
    'm': '4,30 6,100 | 10,46 26,32 34,50 34,100 | 40,46 56,32 66,50 66,100',
    'digeut': '56,8 8,8 | 8,92 | 60,92',
    'mieum': """
        8,8 8,92 / 8,8 56,8 | 56,92 / 8,92 56,92
        4,20 4,80 / 4,20 76,20 | 76,80 / 4,80 76,80
    """,
    'bieup': '6,4 6,96 / 54,4 54,96 / 6,48 54,48 / 6,96 54,96',
    'hieut': '22,0 42,0 / 2,20 62,20 / 32,38 8,50 10,88 32,98 56,86 56,50 32,38',
    'ga': '2,16 40,16 | 34,60 6,92 / 66,0 66,100 / 66,48 92,48',
    'square': """
        2,2 2,98 | 60,98 | 60,2 | 2,2
        2,30 2,70 | 90,70 | 90,30 | 2,30
        16,0 16,100 | 44,100 | 44,0 | 16,0
    """,
    'triangle': """
        40,2 0,98 | 80,98 | 40,2
        2,4 2,96 | 70,96 | 2,4
    """,
    'triangle, point down': '0,4 80,4 | 40,98 | 0,4',
    'diamond': """
        32,0 2,50 | 32,100 | 62,50 | 32,0
        46,14 2,50 | 46,86 | 90,50 | 46,14
    """,
    'heart': '40,26 28,6 6,10 4,40 18,72 40,98 | 62,72 76,40 74,10 52,6 40,26',
    'half moon': '50,2 16,12 2,50 16,88 50,98 | 32,80 24,50 32,20 50,2',
    'semicircle': '0,78 6,40 40,20 74,40 80,78 | 0,78',
    'star': '18,98 40,2 | 62,98 | 2,36 | 78,36 | 18,98',
    'check': """
        0,56 26,98 | 80,4
        0,70 12,98 | 70,20
    """,
    'plus': '32,6 32,94 / 0,50 64,50',
    'equals': '0,34 72,34 / 0,66 72,66',
    'arrow to the right': '0,50 90,50 / 60,22 90,50 | 60,78',
    'arrow to the left': '90,50 0,50 / 30,22 0,50 | 30,78',
    'hash': '26,4 18,96 / 54,4 46,96 / 4,34 70,34 / 2,66 68,66',
    'percent': '18,8 6,22 18,36 30,22 18,8 / 66,2 6,98 / 54,64 42,78 54,92 66,78 54,64',
}


def add(train: DataSet, count: int) -> None:
    """Add `count` images that are not digits, made from those of `train`, with label NO_DIGIT.

    More than PART are made in parts, with seeds 0, 1, ..., and progress is shown on a terminal.
    """
    digits = train.pixels  # not as an array: many may be on the disk
    labels = train.labels[:len(digits)]
    images = np.empty([count, 28, 28], np.uint8)
    with tqdm(total=count, desc='making images that are not digits', leave=False,
              disable=count <= PART or None) as bar:
        for seed, start in enumerate(range(0, count, PART)):
            part = images[start:start + PART]
            part[:] = make(digits, labels, len(part), seed)
            bar.update(len(part))
    train.add(images, NO_DIGIT)


def make(images: Union[np.ndarray, ImagesOnDisk], labels: np.ndarray, count: int, seed: int = 0
         ) -> np.ndarray:
    """Make images uint8 [count, 28, 28] that are not digits, from digits and pen strokes.

    images: uint8 [n, 784] or [n, 28, 28] of digits, white ink on black; labels: [n], 0 to 9.
    In equal parts: digits turned by 90 degrees or mirrored, where that is not a digit; halves of
    two; two crossed; two side by side; scribbles; letters and symbols. The same seed gives the
    same images.
    Raises UserError if there are no digits to make them from.
    """
    random = np.random.RandomState(seed)
    images = images.reshape(-1, 28, 28)
    parts = [count // 6 + (part < count % 6) for part in range(6)]

    def pick(n, digits=range(10)):
        found = np.flatnonzero(np.isin(labels, digits))
        if n and not found.size:
            raise UserError(f'this data set has none of the digits {", ".join(map(str, digits))}: '
                            'images that are not digits cannot be made from it; set OUTLIERS to 0')
        return images[random.choice(found, n)]

    lying = pick(parts[0], [2, 3, 4, 5, 6, 7, 9])
    mirrored = pick(parts[0], [3, 4, 6, 7, 9])
    turned = np.where(random.rand(parts[0], 1, 1) < 0.5, np.rot90(lying, axes=(1, 2)),
                      mirrored[:, :, ::-1])
    halves = np.concatenate([pick(parts[1])[:, :14], pick(parts[1])[:, :13:-1]], axis=1)
    halves = np.where(random.rand(parts[1], 1, 1) < 0.5, halves, halves.transpose(0, 2, 1))
    crossed = np.maximum(pick(parts[2], [0, 2, 3, 4, 5, 6, 7, 8, 9]),
                         np.rot90(pick(parts[2], [0, 2, 3, 4, 5, 6, 7, 8, 9]), axes=(1, 2)))
    pairs = np.concatenate([pick(parts[3])[:, :, 4:24], pick(parts[3])[:, :, 4:24]], axis=2)
    pairs = pairs.reshape(-1, 14, 2, 20, 2).mean(axis=(2, 4))  # half as large
    pairs = np.pad(np.minimum(1.5 * pairs, 255), [(0, 0), (7, 7), (4, 4)]).astype(np.uint8)
    return np.concatenate([turned, halves, crossed, pairs, _scribbles(random, parts[4]),
                           _signs(random, parts[5])])


def _scribbles(random, count):
    """Draw two or three strokes through random points, smooth or angular: uint8 [count, 28, 28]."""
    images = []
    for start in range(0, count, 8):
        lines = []
        for _ in range(random.randint(2, 4)):
            points = random.permutation(101)[:3], random.permutation(101)[:3]
            first, second, third = (f'{x},{y}' for x, y in zip(*points))
            lines.append(f'{first} {second} {random.choice(["", "| "])}{third}')
        way = Way('scribble', 1, ' / '.join(lines))
        images.append(strokes.draw_way(random, SCRIBBLE_STYLE, way, min(8, count - start)))
    return np.concatenate(images or [np.empty([0, 28, 28], np.uint8)])


def _signs(random, count):
    """Draw SIGNS, each as often as the others (to within one): uint8 [count, 28, 28]."""
    images = [strokes.draw_way(random, SIGN_STYLE, Way(name, 1, examples),
                               len(range(place, count, len(SIGNS))))
              for place, (name, examples) in enumerate(SIGNS.items()) if place < count]
    return np.concatenate(images or [np.empty([0, 28, 28], np.uint8)])
