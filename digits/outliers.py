"""Images that hold no digit, for a network to learn doubt from.

A network that has seen nothing but digits is sure of a digit whatever it is shown. Trained also on
images that are none, with all ten digits equally likely as their answer, it doubts what it does not
know: Hendrycks, Mazeika and Dietterich, "Deep anomaly detection with outlier exposure", 2019.
"""
import numpy as np

from digits import strokes

LABEL = 10  # of what is no digit: tf.one_hot(10, 10) is ten zeros


def make(images, labels, count, seed=0):
    """`count` images uint8 [count, 28, 28] of no digit, made from digits and from pen strokes.

    images: uint8 [n, 784] or [n, 28, 28] of digits, white ink on black; labels: [n], 0 to 9.
    In equal parts: digits turned or mirrored, where that leaves no digit; the halves of two;
    two on each other; two side by side; scribbles. The same seed gives the same images.
    """
    random = np.random.RandomState(seed)
    images = np.reshape(images, [-1, 28, 28])
    parts = [count // 5 + (part < count % 5) for part in range(5)]

    def pick(n, digits=range(10)):
        return images[random.choice(np.flatnonzero(np.isin(labels, digits)), n)]

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
    return np.concatenate([turned, halves, crossed, pairs, _scribbles(random, parts[4])])


def _scribbles(random, count):
    """Images uint8 [count, 28, 28] of two or three strokes through random points, round or bent."""
    images = []
    for start in range(0, count, 8):
        lines = []
        for _ in range(random.randint(2, 4)):
            points = random.permutation(101)[:3], random.permutation(101)[:3]
            first, second, third = (f'{x},{y}' for x, y in zip(*points))
            lines.append(f'{first} {second} {random.choice(["", "| "])}{third}')
        way = strokes.Way('scribble', 1, ' / '.join(lines))
        images.append(strokes.draw_way(random, 0, way, min(8, count - start)))
    return np.concatenate(images or [np.empty([0, 28, 28], np.uint8)])
