"""Printed tables of a page: lines that cross each other, and the cells between them."""
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from digits.pictures import parts, table_lines
from digits.pictures.table_lines import Lines


class Table(NamedTuple):
    """One table: its lines, and which cells lie between them.

    across: the Lines between its rows, n + 1 with those at the edges
    down: the Lines between its columns of the picture turned by transposing it, m + 1
    cells: int [n, m], the number of the cell in each place: joined ones share the smallest; -1
        where a place is open to the outside
    """

    across: Lines
    down: Lines
    cells: np.ndarray

    def places_of(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The place in `cells`, flat, of each pixel [n]; -1 outside the table."""
        n, m = self.cells.shape
        left, right = _range(self.down.at, self.across.at.shape[1])
        top, bottom = _range(self.across.at[:, left:right], self.down.at.shape[1])
        row = _lines_before(self.across.at[:, left:right] - top, bottom - top) - 1
        column = _lines_before(self.down.at[:, top:bottom] - left, right - left).T - 1
        place = np.where((row >= 0) & (row < n) & (column >= 0) & (column < m),
                         row.astype(int) * m + column, -1)
        near = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
        result = np.full(len(rows), -1)
        result[near] = place[rows[near] - top, columns[near] - left]
        return result


def drawn(tables: Sequence[Table], shape: Tuple[int, int], wider: float = 2) -> np.ndarray:
    """The pixels of the tables' lines, bool [h, w], and so many more at each side."""
    mask = np.zeros(shape, bool)
    for table in tables:
        table.across.draw(mask, wider)
        table.down.draw(mask.T, wider)
    return mask


def _range(at, size):
    """The first of `size` rows that lines lie in, `at` [lines, w], and the one after the last."""
    first, last = np.clip([np.floor(at.min()), np.floor(at.max()) + 2], 0, size).astype(int)
    return first, last


def _lines_before(at, height):
    """How many lines each pixel of a picture lies below, int16 [height, w]; `at` [lines, w]."""
    width = at.shape[1]
    counts = np.zeros([height + 1, width], np.int16)
    for first in np.clip(np.floor(at) + 1, 0, height).astype(int):  # the first row below a line
        counts[first, np.arange(width)] += 1
    return np.cumsum(counts, axis=0, out=counts)[:height]


def may_be_lines(ink: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Where a page's printed lines may be, bool [h, w]: they may be fainter than other ink.

    ink: float [h, w]; mask: where that is enough to be ink, not empty
    """
    return ink > 0.6 * ink[mask].min()


def find(mask: np.ndarray) -> List[Table]:
    """The tables in `mask`, bool [h, w], the ink and all that may be a line; top to bottom."""
    least = parts.least_line(mask.shape)
    turned = np.ascontiguousarray(mask.T)
    across, down = table_lines.find(mask, least), table_lines.find(turned, least)
    if len(across.at) < 2 or len(down.at) < 2:
        return []
    x, y, meets = _crossings(across, down, 4)
    while True:  # lines that two or more others cross, printed from one to the next
        kept = (meets & _holds(across.printed, x, meets)[:, None] &
                _holds(down.printed, y.T, meets.T))
        if (kept == meets).all():
            break
        meets = kept
    tables = []
    for rows, columns in _connected(meets):
        lines, others = across.of(rows), down.of(columns)
        tables += _tables(_with_edges(lines, others), _with_edges(others, lines))
    return sorted(tables, key=lambda table: table.across.at[0].mean())


def _crossings(across, down, reach):
    """(x, y, whether they meet), each [n, m], of each line across and each down."""
    height, width = down.at.shape[1], across.at.shape[1]
    n, m = len(across.at), len(down.at)
    x = np.tile(down.at[:, height // 2], (n, 1))
    for _ in range(3):
        at = np.clip(np.rint(x).astype(int), 0, width - 1)
        y = across.at[np.arange(n)[:, None], at]
        at = np.clip(np.rint(y).astype(int), 0, height - 1)
        x = down.at[np.arange(m), at]
    meets = ((across.start[:, None] - reach <= x) & (x <= across.end[:, None] + reach) &
             (down.start - reach <= y) & (y <= down.end + reach))
    return x, y, meets


def _holds(printed, places, meets):
    """bool [n]: the lines that are printed along as many cells as others of the table are.

    places, meets: [n, m], where each crosses the others, and whether.
    """
    sides = np.zeros(len(printed), int)
    share, beyond = np.zeros((2, len(printed)))
    for k in np.flatnonzero(meets.sum(1) >= 2):
        at = np.sort(places[k, meets[k]])
        shares = np.array([_share(printed[k], *pair) for pair in zip(at, at[1:])])
        sides[k] = (shares > 0.75).sum()
        share[k] = np.average(shares, weights=np.diff(at) + 1e-9)
        first, last = np.flatnonzero(printed[k])[[0, -1]]
        beyond[k] = max(at[0] - first, last - at[-1])
    # Strokes may go from line to line; a printed line as short has no gap, and ends at lines.
    is_short = sides < 0.3 * sides.max()
    return (sides >= 1) & np.where(is_short, (share > 0.9) & (beyond <= 8), share > 0.5)


def _connected(meets):
    """Yield (lines across, lines down) of each set of lines that hang together."""
    n = len(meets)
    left = set(np.flatnonzero(meets.any(1)))
    while left:
        rows = np.zeros(n, bool)
        rows[min(left)] = True
        while True:
            columns = meets[rows].any(0)
            grown = meets[:, columns].any(1)
            if (grown == rows).all():
                break
            rows = grown
        left -= set(np.flatnonzero(rows))
        yield np.flatnonzero(rows), np.flatnonzero(columns)


def _tables(across, down):
    """The Tables of lines that cross each other: rows of boxes close below each other are several.
    """
    n, m = len(across.at) - 1, len(down.at) - 1
    if n < 1 or m < 1 or n * m < 2:
        return []
    x, y, _ = _crossings(across, down, 0)
    upper, left = _sides(across.printed, x), _sides(down.printed, y.T).T
    _clear(across.printed, x, upper)
    _clear(down.printed, y.T, left.T)
    cells = _joined(~upper, ~left)
    for blank, lines, others, sides in (((cells < 0).all(1), across, down, left),
                                        ((cells < 0).all(0), down, across, upper.T)):
        if blank.any():
            ends = np.flatnonzero(np.diff(np.concatenate([[1], blank, [1]]).astype(int)))
            found = []
            for first, last in zip(ends[::2], ends[1::2]):
                pair = (lines.of(np.arange(first, last + 1)),
                        others.of(np.flatnonzero(sides[first:last].any(0))))
                found += _tables(*(pair if lines is across else pair[::-1]))
            return found
    return [Table(across, down, cells)]


def _sides(printed, places):
    """bool [n, m - 1]: whether each line is printed between its places [n, m], two by two."""
    shares = np.array([[_share(line, *pair) for pair in zip(at, at[1:])]
                       for line, at in zip(printed, places)])
    return shares > 0.87 * shares.max(1, keepdims=True)


def _share(printed, first, last):
    """The share that is printed between two columns."""
    first, last = sorted(int(np.clip(each, 0, len(printed))) for each in (first, last))
    edge = (last - first) // 12
    between = printed[first + edge:last - edge]
    return between.mean() if len(between) else 1.0


def _clear(printed, places, sides):
    """Set to False what is `printed` beside the `sides` of cells: strokes."""
    places = np.clip(np.rint(places).astype(int), 0, printed.shape[1])
    for line, ends, side in zip(printed, places, sides):
        line[:max(0, ends[0] - 4)] = line[ends[-1] + 5:] = False
        for first, last in zip(ends[:-1][~side], ends[1:][~side]):
            line[first + 4:last - 3] = False


def _joined(open_up, open_left):
    """The cells int [n, m]: one number for those that no printed line parts; -1 if open outside.

    open_up: bool [n + 1, m]; open_left: bool [n, m + 1]
    """
    n, m = len(open_left), open_up.shape[1]
    space = np.zeros([2 * n + 1, 2 * m + 1], bool)  # a cell, a side or a corner in each place
    space[1::2, 1::2] = True
    space[::2, 1::2], space[1::2, ::2] = open_up, open_left
    labels = parts.label(np.pad(space, 1, mode='constant', constant_values=True))
    cells = labels[2:-1:2, 2:-1:2]
    _, first, which = np.unique(cells, return_index=True, return_inverse=True)
    return np.where(cells == labels[0, 0], -1, first[which.reshape(n, m)])


def _with_edges(lines, others):
    """`lines` and, where the `others` go on beyond the first or last, one more at their ends."""
    places = np.array([[line[int(np.clip(at, 0, len(line) - 1))] for at in
                        (others.at[k].mean() for k in (0, -1))] for line in lines.at]).mean(1)
    order = np.argsort(places)
    lines = lines.of(order)
    if len(lines.at) < 2:
        return lines
    pitch = np.median(np.diff(places[order]))
    columns = lines.at.shape[1]
    for last, ends in ((0, others.start), (-1, others.end)):
        edge = lines.at[last][np.clip(np.rint(others.at.mean(1)).astype(int), 0, columns - 1)]
        beyond = (edge - ends) if last == 0 else (ends - edge)
        far = np.median(beyond)
        if far < 0.4 * pitch or (beyond > 0.4 * pitch).mean() < 0.6:
            continue
        new = lines.of(np.array([last]))
        new = new._replace(at=new.at + (-far if last == 0 else far) * 1.02,
                           thickness=np.zeros(1), printed=np.ones((1, columns), bool))
        order = (new, lines) if last == 0 else (lines, new)
        lines = Lines(*map(np.concatenate, zip(*order)))
    return lines
