"""digits.pictures.page on tables that are drawn here: each digit is found once, in its cell."""
import drawn_tables
import numpy as np
import pytest
from PIL import Image

from digits.pictures import page as pages


@pytest.fixture(scope='module')
def hand(clean_strokes):
    """(images, labels) of digits without specks."""
    return clean_strokes(400, seed=5)


def found_in(drawn, page):
    """(bool [n]: which of the digits are found, bool [n]: and in their cell, how many boxes more).

    A digit is found if a box is its own, but for a few pixels.
    """
    middle = (page.boxes[:, :2] + page.boxes[:, 2:]) / 2
    found, placed = np.zeros((2, len(drawn.boxes)), bool)
    used = set()
    for number, box in enumerate(drawn.boxes):
        within = ((middle > box[:2]) & (middle < box[2:])).all(1)
        near = abs(page.boxes - box).max(1) <= max(6, 0.3 * (box[3] - box[1]))
        own = np.flatnonzero(within & near)
        if len(own):
            found[number] = True
            used.add(own[0])
            placed[number] = page.rows is not None and (
                page.rows[own[0]], page.columns[own[0]]) == (drawn.rows[number],
                                                             drawn.columns[number])
    return found, placed, len(page.boxes) - len(used)


@pytest.mark.parametrize('kind, share', [
    ({}, 1),
    ({'width': 1, 'shade': 0.4}, 1),
    ({'border': False}, 1),
    ({'skew': -3, 'width': 2, 'shade': 0.6}, 0.99),
    ({'skew': -14, 'margin': 220, 'width': 2}, 0.98),
    ({'bow': -12, 'skew': 1}, 0.99),
    ({'bow': -40, 'width': 2}, 0.98),
    ({'dots': 3, 'width': 2}, 0.99),
    ({'faint': 0.8}, 0.99),
    ({'empty': 0.7}, 0.97),
    ({'wander': 0.9, 'size': (0.6, 0.8)}, 0.97),  # some touch the lines
    ({'margin': 0}, 0.97),
    ({'header': True}, 0.99),
    ({'shadow': 0.6, 'rows': 23, 'columns': 25, 'cell': (60, 48), 'margin': 0, 'width': 2,
      'size': (0.3, 0.45)}, 0.98),
    ({'desk': 40, 'skew': 1.5}, 0.99),
    ({'desk': 80, 'grain': 15, 'width': 2, 'rows': 16, 'columns': 20, 'margin': 6}, 0.98),
    ({'falloff': 0.35, 'width': 2}, 0.98),
    ({'desk': 100, 'margin': 4, 'faint': 1, 'rows': 16, 'columns': 20, 'width': 2}, 0.985),
    ({'cell': (200, 70), 'columns': 6, 'lengths': (2, 3)}, 0.96),
    ({'cell': (160, 70), 'columns': 6, 'lengths': (1, 3)}, 0.97),
    ({'rows': 1, 'columns': 8}, 1),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in (
        ({'width': 6}, 1), ({'skew': 1}, 0.99), ({'skew': 3}, 0.99), ({'bow': 8}, 0.99),
        ({'bow': 40}, 0.98), ({'skew': 6, 'margin': 120}, 0.99), ({'faint': 0.3}, 1),
        ({'desk': 60}, 0.99),
        ({'desk': 80, 'grain': 8, 'width': 2, 'rows': 16, 'columns': 20}, 0.99),
        ({'rows': 4, 'columns': 5, 'cell': (220, 180)}, 1)))
], ids=str)
def test_each_digit_of_a_table_in_its_cell(hand, kind, share):
    """`share` of the digits of three tables are found in their cells, and few boxes are more."""
    placed, more = [], 0
    for seed in range(3):
        drawn = drawn_tables.table(hand, seed, **kind)
        page = pages.find(drawn.image)
        _, right, extra = found_in(drawn, page)
        placed.append(right)
        more += extra
        key = page.rows * 1000 + page.columns
        assert (np.diff(key) >= 0).all()  # row by row
    placed = np.concatenate(placed)
    assert placed.mean() >= share
    assert more <= (1 - share) * 1.5 * len(placed) + 1


@pytest.mark.parametrize('angle', [-4, 7])
def test_a_sheet_that_lies_askew_on_a_dark_desk(hand, angle):
    """Of the desk, triangles are left beside the sheet, larger than any digit: none is one."""
    for seed in range(2):
        drawn = drawn_tables.table(hand, seed, rows=23, columns=25, cell=(60, 48), width=2)
        page = pages.find(drawn.image.rotate(angle, Image.BICUBIC, expand=True, fillcolor=60))
        assert list(page.tables) == [(23, 25)]
        assert np.count_nonzero(page.rows < 0) <= 2
        found = set(zip(page.rows, page.columns)) - {(-1, -1)}
        assert len(found ^ set(zip(drawn.rows, drawn.columns))) <= 5


def test_ones_below_each_other_are_no_line(hand):
    """Upright and tall, so that some go on with those above and below them."""
    images, labels = hand
    ones = (labels == 1) & ((images.max(axis=1) > 100).sum(axis=1) <= 5)
    drawn = drawn_tables.table((images[ones], labels[ones]), 0, rows=23, columns=25, cell=(60, 48),
                               width=2, wander=0.3, size=(0.6, 0.8))
    page = pages.find(drawn.image)
    assert list(page.tables) == [(23, 25)]
    _, placed, more = found_in(drawn, page)
    assert placed.mean() > 0.98 and more <= 3


def test_a_sheet_of_a_thousand_digits(hand):
    drawn = drawn_tables.table(hand, 0, rows=46, columns=25, cell=(60, 48), wander=0.8, skew=0.7)
    _, placed, more = found_in(drawn, pages.find(drawn.image))
    assert len(placed) > 1000 and placed.mean() > 0.99 and more < 10
