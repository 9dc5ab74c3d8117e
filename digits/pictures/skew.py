"""A page that lies askew: how far its printed lines are turned, and its ink with them level."""
from typing import NamedTuple

import cv2
import numpy as np

from digits.pictures import parts

MIN_ANGLE, MAX_ANGLE = 2.5, 15  # degrees: less is read as it is
STEP = 0.25
SIDE = 480  # pixels that are enough to tell the angle
MAX_PIXELS = 15000  # with ink; of more, as many are looked at
LINE = 0.3  # of the page's side: a row with so much ink is a printed line
MIN_LINES = 2  # each way


class Deskewed(NamedTuple):
    """The ink of a page, turned.

    ink: float [h, w], 0 where there was no page
    turn: float [2, 3], the affine map from the page's pixels x, y to those of `ink`
    """

    ink: np.ndarray
    turn: np.ndarray

    def boxes_before(self, boxes: np.ndarray) -> np.ndarray:
        """The boxes, int [n, 4], around what `boxes` of the turned page are around."""
        back = cv2.invertAffineTransform(self.turn)
        corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]] @ back[:, :2].T + back[:, 2]
        return np.concatenate([np.floor(corners.min(1)), np.ceil(corners.max(1))], 1).astype(int)


def angle_of(lines: np.ndarray) -> float:
    """How many degrees the printed lines of a page fall to the right, MIN_ANGLE to MAX_ANGLE, or 0.

    lines: bool [h, w], all ink that may be a line. At the right angle their rows have most of the
    ink, and the columns of those across (Postl, "Detection of linear oblique structures and skew
    scan in digitized documents", ICPR 1986).
    """
    small = parts.blocks(lines, -(-max(lines.shape) // SIDE))
    few = small.sum() // MAX_PIXELS + 1  # one in so many
    y, x = (at[::few].astype(np.float32) for at in np.nonzero(small))
    angles = np.arange(-MAX_ANGLE, MAX_ANGLE + STEP / 2, STEP)
    found = [(_projection(y - slope * x), _projection(x + slope * y))
             for slope in np.tan(np.radians(angles))]
    best = int(np.argmax([(across ** 2).sum() + (down ** 2).sum() for across, down in found]))
    height, width = small.shape
    are_lines = all((few * counts > LINE * side).sum() >= MIN_LINES
                    for counts, side in zip(found[best], (width, height)))
    return float(angles[best]) if are_lines and abs(angles[best]) >= MIN_ANGLE else 0.0


def _projection(places):
    """How many of the places lie in each row: a projection profile."""
    return np.bincount((places - places.min()).astype(int)) if len(places) else np.zeros(1, int)


def deskewed(ink: np.ndarray, angle: float) -> Deskewed:
    """The ink float [h, w] turned by `angle` degrees, so that what falls to the right is level."""
    height, width = ink.shape
    turn = cv2.getRotationMatrix2D((0, 0), angle, 1)
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ turn[:, :2].T
    turn[:, 2] = -corners.min(0)
    size = tuple(int(side) for side in np.ceil(np.ptp(corners, axis=0)))
    return Deskewed(np.maximum(cv2.warpAffine(ink, turn, size, flags=cv2.INTER_CUBIC), 0), turn)
