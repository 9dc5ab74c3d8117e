"""Skeletons made ready to draw: their examples parsed, and smooth curves through their points."""
from functools import lru_cache
from typing import List, NamedTuple, Tuple

import numpy as np

from digits.datasets.skeletons import Way

SAMPLES_PER_HEIGHT = 36     # blots of ink along the path, which are drawn one by one


class Skeleton(NamedTuple):
    """A way of writing, made ready: E examples of K points, S strokes, M samples of the path."""

    examples: np.ndarray    # float64 [E, K, 2]: the points, in heights
    position: np.ndarray    # float64 [M, K]: times points [K, 2], the samples of the path,
    step: np.ndarray        # float64 [M, K]: and the piece of path each sample stands for
    stroke: np.ndarray      # int [K]: the stroke a point belongs to
    is_end: np.ndarray      # bool [K]: whether it begins or ends one


Topology = Tuple[Tuple[int, ...], ...]  # for each stroke, how many points each of its pieces has


def parse(example: str) -> Tuple[np.ndarray, Topology]:
    """Parse one example: points [K, 2] in heights, and the topology.

    '0,0 0,100 | 60,100 / 0,50 40,50' has strokes of two pieces and of one: ((2, 1), (2,)).
    Raises ValueError where the notation is malformed.
    """
    strokes = [[piece.split() for piece in stroke.split('|')] for stroke in example.split('/')]
    topology = tuple(tuple(len(piece) for piece in stroke) for stroke in strokes)
    if any(pieces[0] < 2 or min(pieces) < 1 for pieces in topology):
        raise ValueError('a stroke begins with two points or more, and a corner leads to another '
                         f'point: {example!r}')
    points = [word.split(',') for stroke in strokes for piece in stroke for word in piece]
    if any(len(point) != 2 for point in points):
        raise ValueError(f'a point is x,y: {example!r}')
    return np.array(points, dtype=np.float64) / 100, topology


@lru_cache(maxsize=None)
def compile_way(way: Way) -> Skeleton:
    """Make a Way ready; raise ValueError if its examples are malformed or cannot be mixed."""
    parsed = [parse(line) for line in way.examples.strip().split('\n')]
    examples, topologies = zip(*parsed)
    for line, topology in enumerate(topologies, 1):
        if topology != topologies[0]:
            raise ValueError(f'{way.name!r}: example {line} has the topology {topology}, '
                             f'the first one {topologies[0]}')

    mean = np.mean(examples, axis=0)
    begins: List[np.ndarray] = []
    ends: List[np.ndarray] = []
    stroke: List[int] = []
    is_end: List[bool] = []
    for number, pieces in enumerate(topologies[0]):
        first = len(stroke)
        corners = first - 1 + np.cumsum(pieces)
        for start, stop in zip(np.append(first, corners[:-1]), corners):
            spline = piece_of_path(mean, start, stop)
            begins.append(spline[:-1])
            ends.append(spline[1:])
        stroke += [number] * sum(pieces)
        is_end += [True] + [False] * (sum(pieces) - 2) + [True]
    begin, end = np.concatenate(begins), np.concatenate(ends)
    return Skeleton(np.array(examples), (begin + end) / 2, end - begin,
                    np.array(stroke), np.array(is_end))


def piece_of_path(points: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Compute weights [samples + 1, K] of a smooth curve through points `start` to `stop` of K."""
    chords = np.hypot(*np.diff(points[start:stop + 1], axis=0).T)
    if not chords.all():
        raise ValueError(f'points {start + 1} to {stop + 1}: two in a row are the same')
    knots = np.append(0, np.cumsum(np.sqrt(chords)))    # the centripetal parameter
    samples = max(6, int(round(SAMPLES_PER_HEIGHT * chords.sum())))
    weights = np.zeros((samples + 1, len(points)))
    weights[:, start:stop + 1] = natural_spline(knots, np.linspace(0, knots[-1], samples + 1))
    return weights


def natural_spline(knots: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return a matrix [len(at), len(knots)]: times values at the knots, the natural cubic spline.

    scipy.interpolate.CubicSpline gives the same images, but importing it takes 0.1 to 0.5 s, longer
    than a training run spends on all its splines.
    """
    n, gaps = len(knots), np.diff(knots)
    # Second derivatives: none at both ends; between, such that first derivatives are continuous.
    left, right = np.eye(n), np.zeros((n, n))
    for i in range(1, n - 1):
        before, after = gaps[i - 1], gaps[i]
        left[i, i - 1:i + 2] = before, 2 * (before + after), after
        right[i, i - 1:i + 2] = 6 / before, -6 / before - 6 / after, 6 / after
    curvature = np.linalg.solve(left, right)
    piece = np.clip(np.searchsorted(knots, at, side='right') - 1, 0, n - 2)
    gap = gaps[piece][:, None]
    b = (at - knots[piece])[:, None] / gap
    a = 1 - b
    value = np.eye(n)
    return (a * value[piece] + b * value[piece + 1] +
            ((a ** 3 - a) * curvature[piece] + (b ** 3 - b) * curvature[piece + 1]) * gap ** 2 / 6)
