"""How names, probabilities and tables are written: on a terminal and in drawings."""
import unicodedata
from typing import Container, Iterable, List, Sequence


def columns(text: str) -> int:
    """The columns that `text` takes on a terminal: two for each Korean letter."""
    if text.isascii():  # else ten thousand names take half a second
        return len(text)
    return sum(0 if unicodedata.combining(letter) else
               2 if unicodedata.east_asian_width(letter) in 'WF' else 1 for letter in text)


def percent(probability: float) -> str:
    """A probability in [0, 1] with one decimal place, '99.9%' at most: no network is certain.

    The one rule wherever a probability is shown; answer.js has the same for draw.py's page.
    """
    return f'{min(probability, 0.999):.1%}'


def aligned(rows: Iterable[Sequence[str]], right: Container[int] = ()) -> List[str]:
    """Lines of a table whose columns are aligned: those in `right` to the right, others left."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ['  '.join(cell.rjust(width) if number in right else cell.ljust(width)
                      for number, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in rows]
