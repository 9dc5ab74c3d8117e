"""Images that are not digits, for outlier exposure.

A network trained on digits alone predicts a digit with a high probability for any image. Trained
also on images that are not digits, with a uniform distribution as their label, it gives unfamiliar
images lower probabilities (Hendrycks et al., "Deep anomaly detection with outlier exposure", 2019).
"""
import math

import numpy as np
from tqdm import tqdm

from digits.datasets import strokes
from digits.datasets.dataset import DataSet
from digits.datasets.skeletons import Way
from digits.errors import UserError

PART = 10000  # images made at once, which needs three times their own memory
NO_DIGIT = 10  # the label of these images: tf.one_hot(10, 10) is ten zeros
# For scribbles and letters, which need not be legible.
STYLE = strokes.Style(width=1.15, slant=0.08, pen=1.15, max_sd=math.inf, specks=0)
# In the notation of digits/datasets/strokes.py; without B, C, D, O, S, U, Z: too like digits.
LETTERS = {
    'A': '4,100 32,0 | 60,100 / 14,62 50,62', 'E': '50,2 6,2 | 6,98 | 52,98 / 6,50 44,50',
    'F': '52,2 6,2 | 6,100 / 6,48 44,48', 'H': '6,0 6,100 / 54,0 54,100 / 6,50 54,50',
    'K': '6,0 6,100 / 52,0 8,54 | 54,100', 'M': '2,100 8,0 | 34,64 | 60,0 | 66,100',
    'N': '6,100 6,0 | 54,100 | 54,0', 'R': '6,100 6,2 | 44,8 48,34 8,50 | 54,100',
    'W': '0,0 16,100 | 34,36 | 52,100 | 70,0', 'X': '6,0 54,100 / 54,0 6,100',
}


def add(train: DataSet, count: int) -> None:
    """Add `count` images that are not digits, made from those of `train`, with label NO_DIGIT.

    More than PART are made in parts, with seeds 0, 1, ..., and progress is shown on a terminal.
    """
    digits = np.asarray(train.pixels)
    labels = train.labels[:len(digits)]
    images = np.empty([count, 28, 28], np.uint8)
    with tqdm(total=count, desc='making images that are not digits', leave=False,
              disable=count <= PART or None) as bar:
        for seed, start in enumerate(range(0, count, PART)):
            part = images[start:start + PART]
            part[:] = make(digits, labels, len(part), seed)
            bar.update(len(part))
    train.add(images, NO_DIGIT)


def make(images: np.ndarray, labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Make images uint8 [count, 28, 28] that are not digits, from digits and pen strokes.

    images: uint8 [n, 784] or [n, 28, 28] of digits, white ink on black; labels: [n], 0 to 9.
    In equal parts: digits turned by 90 degrees or mirrored, where that is not a digit; halves of
    two; two crossed; two side by side; scribbles; letters. The same seed gives the same images.
    Raises UserError if there are no digits to make them from.
    """
    random = np.random.RandomState(seed)
    images = np.reshape(images, [-1, 28, 28])
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
                           _letters(random, parts[5])])


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
        images.append(strokes.draw_way(random, STYLE, way, min(8, count - start)))
    return np.concatenate(images or [np.empty([0, 28, 28], np.uint8)])


def _letters(random, count):
    """Draw LETTERS, each as often as the others (to within one): uint8 [count, 28, 28]."""
    images = [strokes.draw_way(random, STYLE, Way(letter, 1, points),
                               len(range(place, count, len(LETTERS))))
              for place, (letter, points) in enumerate(LETTERS.items()) if place < count]
    return np.concatenate(images or [np.empty([0, 28, 28], np.uint8)])
