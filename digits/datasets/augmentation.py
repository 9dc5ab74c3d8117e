"""Random affine warps: turn, slant, stretch and move images slightly."""
from typing import Sequence, Union

import cv2
import numpy as np

SIDE = 28  # pixels
MIDDLE = (SIDE - 1) / 2


def warped(images: np.ndarray, most: float, seed: Union[int, Sequence[int]]) -> np.ndarray:
    """Warp images float32 [batch, 784], each by a random affine map of its own, onto black.

    most: the maximum of each change, at least 0: radians turned, pixels slanted per pixel, 0.7 of
    the logarithm stretched in either direction, tens of pixels moved. 0 changes nothing.
    The maps are a function of the seed, so that a resumed run repeats them.
    """
    if not most:
        return images
    n = len(images)
    random = np.random.RandomState(seed)
    turn, slant = random.uniform(-most, most, (2, n))
    stretch = np.exp(0.7 * random.uniform(-most, most, (2, n)))
    move = 10 * random.uniform(-most, most, (2, n))
    # Where each pixel (x, y) of the result comes from, relative to the middle.
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    zero = np.zeros(n)
    shaped = np.array([[stretch[0], slant], [zero, stretch[1]]])
    source = np.einsum('ijn,jkn->nik', turned, shaped)
    offset = move.T + MIDDLE - MIDDLE * source.sum(axis=2)
    maps = np.concatenate([source, offset[:, :, np.newaxis]], axis=2)
    changed = np.empty_like(images)
    for image, into, each in zip(images.reshape(n, SIDE, SIDE), changed.reshape(n, SIDE, SIDE),
                                 maps):
        cv2.warpAffine(image, each, (SIDE, SIDE), dst=into,
                       flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return changed
