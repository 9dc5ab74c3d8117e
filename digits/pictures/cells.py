"""The ink in the cells of a page's tables -> digits: what lies in one cell is one number."""
from typing import List, Tuple

import numpy as np

from digits.pictures import parts, segmentation
from digits.pictures.parts import Parts
from digits.pictures.tables import Table

WIDE = 1.35  # in heights of a digit: what is wider is more than one
MAX_TOUCHING = 0.95  # of the ink in a table, in parts that touch its lines
MAX_ACROSS = 0.22  # in parts that lie in several cells
OUTSIDE = -1  # in place of a cell's number


def without_lines(mask: np.ndarray, printed: np.ndarray, thick: float) -> np.ndarray:
    """`mask` [h, w] without the `printed` lines, but with the strokes that cross them.

    thick: of the lines, in pixels
    """
    rest = mask & ~printed
    radius = int(thick / 2 + 2.5) + 1
    return rest | printed & parts.closed(rest, radius)


def outside(mask: np.ndarray, tables: List[Table]) -> np.ndarray:
    """What of `mask` [h, w] lies in no cell."""
    rows, columns = np.nonzero(mask)
    out = _cells_at(rows, columns, tables) == OUTSIDE
    mask = np.zeros_like(mask)
    mask[rows[out], columns[out]] = True
    return mask


def lie_outside(found: Parts, tables: List[Table]) -> np.ndarray:
    """bool [parts]: those that have no pixel in a cell."""
    return np.maximum.reduceat(_cells_of(found, tables), found.starts) == OUTSIDE


def hold(found: Parts, table: Table, beside: np.ndarray) -> bool:
    """Whether what is written in the table lies in its cells, not across its lines.

    beside: bool [h, w], where it is next to one of the lines
    """
    _, cell, counts, first = _shares(found, _cells_of(found, [table]))
    inside = cell[first] >= 0
    inside &= found.sizes.max(1) > 0.4 * found.kept(inside).digit_height()
    if not inside.any():
        return False
    touching = np.logical_or.reduceat(beside[found.sorted_pixels()], found.starts)
    across = counts[first] < 0.75 * found.counts
    weight = found.counts * inside
    return (weight[touching].sum() <= MAX_TOUCHING * weight.sum() and
            weight[across].sum() <= MAX_ACROSS * weight.sum())


def digits_in(found: Parts, tables: List[Table]) -> Tuple[Parts, np.ndarray, np.ndarray]:
    """(the digits, row int [n], column int [n]) of the parts of a page that has tables.

    The rows of the second table follow those of the first. What lies in no cell has row and column
    -1.
    """
    places, above = [(OUTSIDE, OUTSIDE)], 0
    for table in tables:
        n, m = table.cells.shape
        places += [(above + row, column) for row in range(n) for column in range(m)]
        above += n
    found, cells = _assigned(found, _cells_of(found, tables))
    found, cells = _numbers(found, cells, tables, np.array(places))
    rows, columns = np.array(places)[cells + 1].T
    return found, rows, columns


def order_of(boxes: np.ndarray, rows: np.ndarray, columns: np.ndarray, tables: List[Table]
             ) -> np.ndarray:
    """The order in which digits are read, int [n]: row by row, with what stands beside each."""
    x, y = ((boxes[:, k] + boxes[:, k + 2]) // 2 for k in (0, 1))
    bands, lines, offset, above = np.zeros(len(boxes), int), np.zeros(len(boxes), int), 0, 0
    for table in tables:
        n = len(table.cells)
        band = (y > table.across.at[:, x]).sum(0)  # 0 is above it, n + 1 below
        mine = (rows >= above) & (rows < above + n)
        band[mine] = rows[mine] - above + 1
        chosen = (band > 0) & ((rows < 0) | mine)
        bands = np.where(chosen, offset + band, bands)
        lines = np.where(chosen, (x > table.down.at[:, y]).sum(0), lines)
        offset, above = offset + n + 1, above + n
    for band in np.unique(bands[rows < 0]):
        if (rows[bands == band] < 0).all():  # lines of their own
            those = np.flatnonzero(bands == band)
            for number, line in enumerate(segmentation.lines_of(boxes[those])):
                lines[those[line]] = number
    lines = np.where(rows < 0, lines, columns + 1)
    return np.lexsort([x, lines, bands])


def _cells_of(found, tables):
    """The cell, int [n], of each pixel in the order of sorted_pixels: numbered over all tables."""
    return _cells_at(*found.sorted_pixels(), tables)


def _cells_at(rows, columns, tables):
    cells, offset = np.full(len(rows), OUTSIDE), 0
    for table in tables:
        place = table.places_of(rows, columns)
        number = np.where(place < 0, OUTSIDE, table.cells.ravel()[place])
        cells = np.where(number < 0, cells, number + offset)
        offset += table.cells.size
    return cells


def _shares(found, cells):
    """(part [k], cell [k], pixels [k]) of each cell that a part has pixels in, and which of these k
    is the largest of each part; `cells`: of each pixel in the order of sorted_pixels.
    """
    most = cells.max(initial=0) + 2
    pairs, counts = np.unique(found.sorted_numbers() * most + cells + 1, return_counts=True)
    whose, cell = np.divmod(pairs, most)
    order = np.lexsort([-counts, whose])
    return whose, cell - 1, counts, order[np.unique(whose[order], return_index=True)[1]]


def _assigned(found, cells):
    """(parts, cell of each): a part in several cells belongs to one, or is divided if it is two
    digits that touch.
    """
    whose, cell, counts, first = _shares(found, cells)
    taken = np.bincount(cell[first] + 1, counts[first], minlength=cell.max(initial=0) + 2)
    # What goes on in a cell with a digit of its own is the end of a long stroke.
    own = (counts >= 0.25 * found.counts[whose]) & (taken[cell + 1] < counts / 2) & (cell >= 0)
    own[first] = False
    belongs = np.append(cell[first], cell[own])
    if own.any():
        new = whose.copy()
        new[own] = len(found) + np.arange(np.count_nonzero(own))
        most = cell.max() + 2
        which = np.searchsorted(whose * most + cell, found.sorted_numbers() * most + cells)
        found = found.divided(new[which])
    return found, belongs


def _union(found, cells):
    """(cell [k], box int [k, 4], which of these each part is in) of the cells that have parts."""
    numbers, which = np.unique(cells, return_inverse=True)
    which = which.ravel()
    box = np.empty((len(numbers), 4), int)
    box[:, :2] = np.iinfo(int).max
    box[:, 2:] = 0
    np.minimum.at(box[:, :2], which, found.boxes[:, :2])
    np.maximum.at(box[:, 2:], which, found.boxes[:, 2:])
    return numbers, box, which


def _numbers(found, cells, tables, places):
    """(the digits, the cell of each): the parts of each cell joined, or told apart if several."""
    keep = _is_ink_of_its_cell(found, cells)
    found, cells = found.kept(keep), cells[keep]
    numbers, box, which = _union(found, cells)
    wide, tall = (box[:, 2:] - box[:, :2]).T
    inside = numbers >= 0
    usual = np.median(tall[inside]) if inside.any() else np.inf
    several = wide > WIDE * np.maximum(tall, 0.8 * usual)
    # A column of single digits, or of numbers of several.
    column = places[numbers + 1, 1]
    share = several[inside].mean() if inside.any() else 0
    for each in np.unique(column[inside]):
        those = inside & (column == each)
        # Where few are written, the whole table says which.
        if (several[those].sum() + 4 * share) / (those.sum() + 4) > 0.2:
            several[those] = wide[those] > 0.6 * np.minimum(tall[those], usual)
        else:
            for k in np.flatnonzero(those & several & (wide <= 2 * usual)):
                several[k] = _side_by_side(found.boxes[which == k], tall[k])
    apart = (several | ~inside)[which]
    whole = found.renumbered(np.where(apart, -1, which))
    if not apart.any():
        return whole, numbers
    told = segmentation.digits_in(found.kept(apart))
    _, cell, _, first = _shares(told, _cells_of(told, tables))
    return whole.with_those_of(told), np.append(numbers[~several & inside], cell[first])


def _side_by_side(boxes, tall):
    """Whether two of them, tall for a digit, stand next to each other."""
    left, _, right, _ = boxes[boxes[:, 3] - boxes[:, 1] > 0.7 * tall].T
    return len(left) > 1 and left.max() > right.min()


def _is_ink_of_its_cell(found, cells):
    """bool [parts]: all but specks, ends of strokes from other cells, and words in small print."""
    numbers, box, which = _union(found, cells)
    largest, height = np.zeros((2, len(numbers)))
    np.maximum.at(largest, which, found.counts)
    np.maximum.at(height, which, found.sizes.max(1))
    inside = numbers >= 0
    usual = np.median(height[inside]) if inside.any() else 0
    wide, tall = (box[:, 2:] - box[:, :2]).T
    words = (tall < 0.55 * usual) & ((np.bincount(which) >= 3) | (wide > 1.2 * tall))
    keep = (found.counts >= 0.04 * largest[which]) & (height >= 0.35 * usual)[which]
    return keep & ~words[which] | (cells < 0)
