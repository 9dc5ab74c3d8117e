"""Lines that are printed along a page: straight or a little bent, slanting, dotted or crossed.

They are looked for in strips: in each, what is long and thin is a piece of a line, and pieces of
neighbouring strips that go on with each other are one.
"""
from typing import List, NamedTuple, Tuple

import numpy as np

from digits.pictures import parts

MAX_PIECES = 300  # in a strip: what has more is a texture
MAX_LINES = 200  # each way
STRIPS = 48  # along the longer side
DASH = 16  # pixels: of a dash and the gap behind it at most
MAX_SLOPE = 0.14  # 8 degrees


class Lines(NamedTuple):
    """Lines along the rows of a picture [h, w], from top to bottom.

    at: float [n, w], the row of each in each column, also beyond its ends
    start, end: int [n], the columns where it begins and ends
    thickness: float [n], in pixels
    printed: bool [n, w], where there is ink on it, or between dots
    """

    at: np.ndarray
    start: np.ndarray
    end: np.ndarray
    thickness: np.ndarray
    printed: np.ndarray

    def of(self, chosen: np.ndarray) -> 'Lines':
        """Only the `chosen`, in that order."""
        return Lines(*(values[chosen] for values in self))

    def draw(self, mask: np.ndarray, wider: float) -> None:
        """Set `mask`, bool [h, w], where they are, and in so many more rows at each side."""
        for at, thickness, printed in zip(self.at, self.thickness, self.printed):
            if not thickness:
                continue  # an edge that is not printed
            along = np.flatnonzero(parts.dilated(printed[None], int(thickness + 3))[0])
            half = thickness / 2 + wider
            rows, columns = parts.band(at[along], int(half + 0.5), len(mask))
            mask[rows, along[columns]] = True


def find(mask: np.ndarray, least: int) -> Lines:
    """The Lines along the rows of `mask` bool [h, w], none shorter than `least` pixels."""
    height, width = mask.shape
    thin = mask & ~parts.long_runs(mask, least // 2 + 1, down=True)  # not what crosses the line
    grown = parts.dilated(thin, 1)  # slanting lines are steps
    long = parts.bridged(grown, 5 * least // 4, least // 2)
    inked = long & thin
    step = max(8, max(mask.shape) // STRIPS)
    starts = np.arange(0, width, step)
    middles = (starts + np.append(starts[1:], width) - 1) / 2
    counts = np.add.reduceat(inked, starts, axis=1, dtype=np.int32).T / np.diff(
        np.append(starts, width))[:, None]
    chains: List[List[Tuple[float, float, float]]] = []  # of (column, row, thickness)
    slope = 0.0
    for column, count in zip(middles, counts):
        pieces = _pieces(count, least // 2)
        if len(pieces) > MAX_PIECES:
            continue
        _extend(chains, column, pieces, step, slope)
        going = [_slope_of(chain) for chain in chains if len(chain) > 3]
        slope = float(np.median(going)) if going else slope
    whole = [np.array(part) for chain in chains for part in _unbroken(chain, step)]
    return _measured(_rejoined(whole, step), mask, long, step, least)


def _pieces(count, tallest):
    """[(row, thickness)] of what is long in a strip; count: share of it that is ink, [h]."""
    on = np.flatnonzero(np.diff(np.concatenate([[0], count > 0.12, [0]]).astype(int)))
    pieces = []
    for first, last in zip(on[::2], on[1::2]):
        weights = count[first:last]
        total = weights.sum()
        if total > 0.5 and last - first <= tallest:
            pieces.append(((weights * np.arange(first, last)).sum() / total, total))
    return pieces


def _unbroken(chain, step):
    """The chain, or if it wobbles or has many gaps, what lies between them; of three strips at
    least. One or two strips beyond a gap at its ends are none of it.
    """
    columns = np.array(chain)[:, 0]
    ends = np.flatnonzero(np.diff(columns) > 1.5 * step) + 1
    parted = [chain[i:j] for i, j in zip([0, *ends], [*ends, len(chain)])]
    for end in (0, -1):
        while parted and len(parted[end]) < 3:
            parted.pop(end)
    chain = sum(parted, [])
    if chain and len(chain) >= 0.5 * ((chain[-1][0] - chain[0][0]) / step + 1) and not _wobbles(
            np.array(chain)):
        return [chain]
    return [part for part in parted if len(part) >= 3]


def _wobbles(chain):
    """Whether it is further from a smooth curve than a line is whose edges are a little rough."""
    if len(chain) < 3:
        return True
    x, y, thick = chain.T
    smooth = np.polyval(np.polyfit(x, y, min(4, len(x) - 2)), x)
    return np.sqrt(((y - smooth) ** 2).mean()) > 0.4 + 0.2 * np.median(thick)


def _rejoined(chains, step):
    """The chains, two as one where the end of one leads into the other: digits can hide a line."""
    chains = sorted(chains, key=len, reverse=True)
    if len(chains) > MAX_PIECES:
        return chains
    kept = []
    for chain in chains:
        x, y = chain[:, 0], chain[:, 1]
        for number, longer in enumerate(kept):
            beyond = (x < longer[0, 0]) | (x > longer[-1, 0])
            end = longer[:12] if x[0] < longer[0, 0] else longer[-12:]
            far = max(longer[0, 0] - x[-1], x[0] - longer[-1, 0], 0)
            if beyond.mean() < 0.5 or far > 8 * step:
                continue
            off = min(np.median(abs(np.polyval(np.polyfit(*near[:, :2].T, 1), x) - y))
                      for near in (end, longer))
            # Side by side for a while, they are one; lines of two rows of boxes are not.
            if off <= (1.5 + 0.01 * far if beyond.all() else 6):
                joined = np.concatenate([longer, chain[beyond]])
                kept[number] = joined[np.argsort(joined[:, 0])]
                break
        else:
            kept.append(chain)
    return kept


def _slope_of(chain):
    first, last = chain[-min(len(chain), 6)], chain[-1]
    return (last[1] - first[1]) / (last[0] - first[0])


def _extend(chains, column, pieces, step, slope):
    """Add each of the pieces in the strip at `column` to the chain that leads to it, or begin one.
    """
    if not pieces:
        return
    rows = np.array([row for row, _ in pieces])
    taken = set()
    leads = []
    for number, chain in enumerate(chains):
        far = column - chain[-1][0]
        if far > 8 * step:
            continue
        way = _slope_of(chain) if len(chain) > 3 else slope
        off = abs(rows - chain[-1][1] - way * far)
        nearest = int(off.argmin())
        limit = 2 + 0.02 * far + (0.05 * far if len(chain) <= 3 else 0)
        if off[nearest] <= limit:
            leads.append((-len(chain), off[nearest], number, nearest))
    for _, _, number, nearest in sorted(leads):
        if nearest not in taken:
            taken.add(nearest)
            chains[number].append((column, *pieces[nearest]))
    for k, piece in enumerate(pieces):
        if k not in taken:
            chains.append([(column, *piece)])


def _measured(chains, mask, long, step, least):
    """The Lines through chains of (column, row, thickness)."""
    height, width = long.shape
    columns = np.arange(width)
    lines = []
    for chain in chains:
        x, y, thick = chain.T
        if _wobbles(chain):
            continue  # strokes of digits that happen to stand below each other
        slope = [(y[k + 2] - y[k]) / (x[k + 2] - x[k]) for k in (0, -3)]
        if max(map(abs, slope)) > MAX_SLOPE:
            continue
        at = np.interp(columns, x, y)
        for side, end in ((columns < x[0], 0), (columns > x[-1], -1)):
            at[side] = y[end] + slope[end] * (columns[side] - x[end])
        on, inked = np.zeros((2, width), bool)
        reach = int(np.median(thick) / 2 + 2)
        rows, those = parts.band(at, reach, height)
        on[those[long[rows, those]]] = True
        inked[those[mask[rows, those]]] = True
        near = (columns > x[0] - 0.75 * step) & (columns < x[-1] + 0.75 * step)
        printed = np.flatnonzero(on & near)
        if len(printed) and printed[-1] + 1 - printed[0] >= 1.5 * least:
            whole = (on | inked) & near
            inked = inked[printed[0]:printed[-1] + 1]
            # Strokes below each other have gaps as well, though not as near as dots or dashes.
            if inked.mean() > 0.85 or np.count_nonzero(np.diff(inked)) * DASH > 2 * len(inked):
                lines.append((at, printed[0], printed[-1] + 1, np.median(thick), whole,
                              inked.mean()))
    if lines:  # a table's lines are about as thick as each other, and dotted alike
        lengths = np.array([line[2] - line[1] for line in lines])
        thick, inked = (parts.weighted_quantile(np.array([line[k] for line in lines]), lengths)
                        for k in (3, 5))
        lines = [line[:5] for line in lines
                 if thick / 2 <= line[3] <= 2.5 * thick and line[5] >= inked - 0.15]
    lines.sort(key=lambda line: line[0][width // 2])
    lines = lines[:MAX_LINES]
    if not lines:
        return Lines(np.zeros((0, width)), *np.zeros((2, 0), int), np.zeros(0),
                     np.zeros((0, width), bool))
    return Lines(*map(np.array, zip(*lines)))
