"""Pages as predict.py draws them: a box around each digit, and beside it what was read."""
from pathlib import Path
from typing import List, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from digits import figures
from digits.figures import BLUE, DPI, ORANGE, show, write
from digits.prediction import batches
from digits.prediction.results import Result

MIN_WIDTH, MAX_SIDE = 8.8, 36.0  # inches of a page
MAX_AREA, MAX_HEIGHT = 3000.0, 600.0  # square inches and inches of all pages in a file
DIGIT_HEIGHT = 0.34  # inches that the middle digit of a page is high, where there is so much room
TITLE_HEIGHT, MARGIN = 0.35, 0.1  # inches
FONT_SIZES = (5, 10)  # points, the least and the most
SCALES = (1, 0.8, 0.65)  # of the font, where an answer finds no room
PAD = 1.5  # points around an answer, filled with its colour
GAP, APART = 1.0, 2.0  # points from a digit to its box, from an answer to other boxes and answers


def draw(found: Sequence[Result], path: Union[str, Path]) -> None:
    """Draw each Result of a page below the one before.

    Answers stand beside their boxes, on no other digit and no other answer wherever there is room.
    A page is drawn so large that its digits are legible. Doubtful digits are orange, with ? and
    a dashed box.
    """
    seen = [batches.for_display(picture, int(MAX_SIDE * DPI)) for picture in found]
    sizes = _sizes(found, [(width, height) for _, width, height in seen])
    width = max([MIN_WIDTH, *(width for width, _ in sizes)]) + 2 * MARGIN
    height = sum(height + TITLE_HEIGHT for _, height in sizes) + MARGIN
    figure = figures.new(width, height, tight_layout=False)
    bottom = height
    for picture, (pixels, *size), inches in zip(found, seen, sizes):
        bottom -= TITLE_HEIGHT + inches[1]
        axes = figure.add_axes([MARGIN / width, bottom / height,
                                inches[0] / width, inches[1] / height])
        show(axes, _reduced(pixels, inches), extent=(0, size[0], size[1], 0))
        write(axes.set_title('', fontsize=9, loc='left'), picture.name, width - 2 * MARGIN,
              _summary(picture))
        _draw_answers(axes, picture, size, inches[0])
    figures.save(figure, path)


def _sizes(found, sizes):
    """[(width, height)] in inches of pages of so many pixels."""
    inches = []
    for picture, (width, height) in zip(found, sizes):
        wide = max(MIN_WIDTH, width / _digit_height(picture) * DIGIT_HEIGHT)
        wide = min(wide, MAX_SIDE, MAX_SIDE * width / height)
        inches.append((wide, wide * height / width))
    scale = min(1, (MAX_AREA / sum(width * height for width, height in inches)) ** 0.5,
                MAX_HEIGHT / sum(height for _, height in inches))
    return [(scale * width, scale * height) for width, height in inches]


def _reduced(pixels, inches):
    """The picture with no more pixels than are drawn: matplotlib takes longer to reduce it."""
    image = Image.fromarray(pixels)
    image.thumbnail((round(inches[0] * DPI), round(inches[1] * DPI)))
    return np.asarray(image)


def _digit_height(picture):
    return float(np.median(picture.boxes[:, 3] - picture.boxes[:, 1]))


def _summary(picture):
    """':  12 digits, 2 not sure (orange, with ?)'."""
    count, unsure = len(picture.boxes), sum(map(bool, picture.doubts))
    text = f':  {count:,} digit{"s"[:count != 1]}'
    return text + (f', {unsure:,} not sure (orange, with ?)' if unsure else '')


def _draw_answers(axes, picture, size, inches):
    """Draw boxes and answers of a page of `size` pixels that is `inches` wide."""
    from matplotlib.collections import LineCollection
    point = size[0] / inches / 72  # pixels
    digit = _digit_height(picture) / point
    boxes = picture.boxes + GAP * point * np.array([-1, -1, 1, 1])
    unsure = np.array([bool(doubt) for doubt in picture.doubts])
    for which, colour, style in (~unsure, BLUE, '-'), (unsure, ORANGE, '--'):
        axes.add_collection(LineCollection(
            boxes[which][:, [[0, 1], [2, 1], [2, 3], [0, 3], [0, 1]]], colors=colour,
            linestyles=style, linewidths=min(max(digit / 20, 0.7), 1.5)), autolim=False)

    font = min(max(digit / 2, FONT_SIZES[0]), FONT_SIZES[1])
    answers = [axes.text(0, 0, answer, fontsize=font, ha='left', va='bottom')
               for answer in picture.answers()]
    pad = PAD * point
    sample = {bool(doubt): answer for answer, doubt in zip(answers, unsure)}
    room = {doubt: 72 * point * np.array(figures.extent(answer)) + 2 * pad
            for doubt, answer in sample.items()}  # all digits are equally wide
    places = place(boxes, [room[doubt] for doubt in unsure], size, APART * point)
    for answer, (left, _, _, bottom), scale, doubtful in zip(answers, *places, unsure):
        answer.set(position=(left + scale * pad, bottom - scale * pad), fontsize=scale * font,
                   color='black' if doubtful else 'white', bbox={
                       'facecolor': ORANGE if doubtful else BLUE, 'edgecolor': 'none',
                       'pad': scale * PAD})


def place(boxes: np.ndarray, room: Sequence[np.ndarray], size: Sequence[float], gap: float
          ) -> Tuple[np.ndarray, List[float]]:
    """(boxes [n, 4] for answers beside `boxes` [n, 4], the part of their `room` that they have).

    room: width and height of each answer; size: of the page, which they do not leave; gap: to
    other boxes and answers. An answer touches its box on the side where most of the page's have
    room, else on another; smaller if it must; and else where it covers least, its own digit rather
    than another.
    """
    edge, taken = np.asarray(size), np.concatenate([boxes, np.zeros_like(boxes)])
    weights = np.repeat([1.0, 100.0], len(boxes))  # an answer on an answer is worst
    apart = gap * np.array([-1, -1, 1, 1])

    def choices(number, scale):
        """(places [9, 4] on the page, how much they cover)."""
        spots = _around(boxes[number], scale * room[number])
        spots -= np.tile(np.maximum(spots[:, 2:] - edge, 0), 2)
        spots -= np.tile(np.minimum(spots[:, :2], 0), 2)
        near = ((taken[:, :2] < spots[:, 2:].max(0) + gap) &
                (taken[:, 2:] > spots[:, :2].min(0) - gap)).all(1)
        near[number] = False
        own = _covered(spots, boxes[[number]])[:, 0]
        own[own < 1e-6 * room[number].prod()] = 0  # rounded
        return spots, _covered(spots + apart, taken[near]) @ weights[near] + own / 2

    free = [choices(number, 1)[1] == 0 for number in range(len(boxes))]
    order = np.argsort(-np.sum(free, axis=0), kind='stable')
    scales = []
    for number in range(len(boxes)):
        for scale in SCALES:
            spots, covers = choices(number, scale)
            if not covers.min():
                break
        taken[len(boxes) + number] = spots[order[covers[order].argmin()]]
        scales.append(scale)
    return taken[len(boxes):], scales


def _around(box, room):
    """Places [9, 4] for an answer at a box: above, below, right, left, and in its corner."""
    (left, top, right, bottom), (width, height) = box, room
    corners = np.array([
        (left, top - height), (right - width, top - height), (left, bottom),
        (right - width, bottom), (right, top), (right, bottom - height), (left - width, top),
        (left - width, bottom - height), (left, top)])
    return np.concatenate([corners, corners + room], axis=1)


def _covered(spots, taken):
    """How much each of spots [k, 4] covers of each of taken [m, 4], float [k, m]."""
    sides = (np.minimum(spots[:, None, 2:], taken[None, :, 2:]) -
             np.maximum(spots[:, None, :2], taken[None, :, :2]))
    return np.maximum(sides, 0).prod(axis=2)
