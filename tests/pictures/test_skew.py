"""digits.pictures.skew: the angle of printed lines, turned by Pillow, and boxes turned back."""
import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits.pictures import parts, skew


def ruled(angle, across=range(60, 700, 60), down=range(40, 1000, 90)):
    """bool [h, w]: a form's lines that fall to the right by so many degrees."""
    image = Image.new('L', (1000, 760))
    for y in across:
        ImageDraw.Draw(image).line((0, y, 1000, y), 255, 3)
    for x in down:
        ImageDraw.Draw(image).line((x, 0, x, 760), 255, 3)
    return np.asarray(image.rotate(-angle, Image.BICUBIC, expand=True)) > 127


@pytest.mark.parametrize('angle', [-14, -7.3, -3, 3, 5.5, 10, 14.5])
def test_the_angle_of_a_form(angle):
    assert skew.angle_of(ruled(angle)) == pytest.approx(angle, abs=0.3)


def test_level_ones_and_what_has_no_lines_both_ways():
    assert skew.angle_of(ruled(0)) == skew.angle_of(ruled(1.5)) == skew.angle_of(ruled(-2)) == 0
    assert skew.angle_of(ruled(5, down=())) == skew.angle_of(ruled(5, across=())) == 0
    assert skew.angle_of(np.random.RandomState(0).rand(500, 700) > 0.8) == 0
    assert skew.angle_of(np.zeros((50, 70), bool)) == skew.angle_of(np.ones((1, 1), bool)) == 0


@pytest.mark.parametrize('angle', [-12, 4])
def test_boxes_go_back_to_where_they_were(angle):
    box = np.array([300, 80, 320, 120])
    ink = np.zeros((400, 600), np.float32)
    ink[box[1]:box[3], box[0]:box[2]] = 1
    level = skew.deskewed(ink, angle)
    assert level.ink.sum() == pytest.approx(ink.sum(), rel=0.02)
    back = level.boxes_before(np.array([parts.bounds(level.ink > 0.5)]))[0]
    assert (back[:2] <= box[:2] + 1).all() and (back[2:] >= box[2:] - 1).all()
    # Of a box around a turned box, no more than turning it twice makes it larger.
    spare = 2 * np.sin(np.radians(abs(angle))) * (box[2:] - box[:2])[::-1] + 3
    assert (back[2:] - back[:2] <= box[2:] - box[:2] + spare).all()
