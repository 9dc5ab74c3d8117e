"""The pen of strokes: paths through points, and the ink along them."""
import numpy as np
import pytest

from digits.datasets import ink, skeletons, splines, strokes
from digits.datasets.skeletons import Way

# The path.

def test_natural_spline_is_the_smoothest_curve_through_its_points():
    knots, values = np.array([0, 1, 2.5, 3, 5]), np.array([0, 2, -1, 0.5, 1])
    np.testing.assert_allclose(splines.natural_spline(knots, knots) @ values, values, atol=1e-12)
    np.testing.assert_allclose(splines.natural_spline(knots, np.linspace(0, 5, 31)) @ knots,
                               np.linspace(0, 5, 31), atol=1e-12)       # a line stays a line

    # No other curve through the points bends less: its second derivative, squared and summed.
    at = np.linspace(0, 5, 1001)
    curve = splines.natural_spline(knots, at) @ values

    def bending(y):
        return (np.diff(y, 2) ** 2).sum()

    bump = np.prod([at - knot for knot in knots], axis=0)       # zero at all knots
    assert bending(curve) < min(bending(curve + 1e-3 * bump), bending(curve - 1e-3 * bump))


def test_corners_are_sharp_and_other_points_smooth():
    def sharpest_turn(example):
        way = splines.compile_way(Way('bend', 1, example))
        step = way.step @ way.examples[0]
        angle = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
        return abs(np.diff(angle)).max()

    assert sharpest_turn('0,0 60,0 | 60,100') == pytest.approx(np.pi / 2, abs=1e-6)
    assert sharpest_turn('0,0 60,0 60,100') < np.pi / 8


def test_ink_of_a_path_is_its_length():
    way = splines.compile_way(Way('L and bar', 1, '0,0 0,100 | 60,100 / 0,50 40,50'))
    length = np.hypot(*(way.step @ way.examples[0]).T).sum()
    assert length == pytest.approx(1 + 0.6 + 0.4)       # nothing where the pen is lifted


# The ink.

def drawn_line(radius, slope):
    """An image of a long line through the middle."""
    x = np.linspace(-10, 38, 400)
    path = np.stack([x, 14 + slope * (x - 14)], axis=1)[None]
    inside = (path > 0).all(axis=2) & (path < 28).all(axis=2)
    amount = np.where(inside, 48 / 399 * np.hypot(1, slope), 0)
    pen = ink.Pen(np.float32([radius]), np.float32([1]), np.zeros((1, 28, 28), np.float32))
    return ink.draw(path, amount, pen)[0]


@pytest.mark.parametrize('slope', [0, 0.5, -1])
@pytest.mark.parametrize('radius', [1, 1.5, 2.5])
def test_a_line_is_as_wide_as_its_pen(radius, slope):
    """Counted along a column, across: to a sixth of a pixel."""
    image = drawn_line(radius, slope)
    measured = image[:, 14].sum() / np.hypot(1, slope)
    assert measured == pytest.approx(2 * radius, abs=0.17)


def test_a_rougher_edge_lies_further_out():
    x = np.linspace(4, 24, 100)
    path = np.stack([x, np.full(100, 14.0)], axis=1)[None]
    edge = np.zeros((1, 28, 28), np.float32)
    edge[:, :, 14:] = 0.25
    pen = ink.Pen(np.float32([1.5]), np.float32([1]), edge)
    image = ink.draw(path, np.full((1, 100), 0.2), pen)[0]
    assert image[:, 18].sum() - image[:, 10].sum() == pytest.approx(2 * 0.25, abs=0.05)


def test_a_broad_pen_leaves_loops_open(monkeypatch):
    """0s drawn with the broadest pen there is: with no limit, many would be blots."""
    monkeypatch.setattr(ink, 'PEN_WIDTH', (9.0, 0.0))
    oval = next(way for way in skeletons.SKELETONS[0] if way.name == 'oval')

    def blots(style):
        images = strokes.draw_way(np.random.RandomState(0), style, oval, 100)
        return (images[:, 13:15, 13:15] > 127).all(axis=(1, 2)).sum()

    assert blots(strokes.STYLES[0]) <= 3
    assert blots(strokes.STYLES[0]._replace(max_radius=np.inf)) > 10


def test_ink_adds_up_exactly_in_any_order():
    """What makes the bytes the same on every machine: no BLAS can round differently."""
    rng = np.random.RandomState(0)
    path = rng.uniform(4, 24, (300, 100, 2))
    amount = rng.uniform(0, 1, (300, 100))
    pen = ink.choose_pen(rng, 300)
    backwards = ink.draw(path[:, ::-1], amount[:, ::-1], pen)
    assert (ink.draw(path, amount, pen) == backwards).all()
