"""Random affine warps: turn, slant, stretch and move images slightly."""
from typing import Sequence, Union

import numpy as np

# Row and column of each of the 784 pixels, from the image's middle.
PIXELS = np.indices([28, 28]).reshape(2, 784) - 13.5


def warped(images: np.ndarray, most: float, seed: Union[int, Sequence[int]]) -> np.ndarray:
    """Warp images float32 [batch, 784] by one random affine map, onto black.

    most: the maximum of each change, at least 0: radians turned, pixels slanted per pixel, 0.7 of
    the logarithm stretched in either direction, tens of pixels moved. 0 changes nothing.
    The map is a function of the seed, so that a resumed run repeats it. Indexing the whole batch is
    4 to 5 times as fast as scipy.ndimage.affine_transform, and the last bits differ.
    """
    if not most:
        return images
    random = np.random.RandomState(seed)
    turn, slant = random.uniform(-most, most, 2)
    stretch = np.exp(0.7 * random.uniform(-most, most, 2))
    move = 10 * random.uniform(-most, most, 2)
    there = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    there = there @ np.array([[stretch[0], 0], [slant, stretch[1]]])
    # The source position of each pixel; bilinear interpolation between its four neighbours.
    source = there @ PIXELS + move[:, None] + 13.5
    corner = np.floor(source).astype(int)
    part = source - corner
    changed = np.zeros_like(images)
    for down in (0, 1):
        for right in (0, 1):
            y, x = corner + [[down], [right]]
            inside = (np.minimum(y, x) >= 0) & (np.maximum(y, x) < 28)
            weight = inside * np.abs(1 - down - part[0]) * np.abs(1 - right - part[1])
            changed += images[:, (28 * y + x) * inside] * weight.astype(np.float32)
    return changed
