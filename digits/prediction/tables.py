"""The printed tables of pages as CSV: a row a table's row, a field a cell."""
import csv
import io
from pathlib import Path
from typing import List, Sequence

from digits import files
from digits.errors import UserError
from digits.prediction.results import Result


def cells(page: Result) -> List[List[str]]:
    """The fields of a page's tables, below each other: '' where nothing is written, '4?' if unsure.

    Raises UserError if there is no table.
    """
    if not page.tables or page.rows is None or page.columns is None:
        raise UserError(f'{page.name}: no table found, so none is written; read the page without '
                        '--table, or draw its lines darker')
    fields = [[''] * columns for rows, columns in page.tables for _ in range(rows)]
    for row, column, answer in zip(page.rows, page.columns, page.answers()):
        if row >= 0:
            fields[row][column] += answer
    return fields


def write(path: str, rows: Sequence[Sequence[str]]) -> None:
    """Write the rows, whole or not at all; UserError if that cannot be done."""
    text = io.StringIO(newline='')
    csv.writer(text, lineterminator='\n').writerows(rows)
    try:
        files.write_whole(Path(path), text.getvalue().encode('utf-8', 'surrogateescape'))
    except OSError as error:
        raise UserError(f'{path}: cannot be written ({error.strerror}); name another file', 1
                        ) from error
