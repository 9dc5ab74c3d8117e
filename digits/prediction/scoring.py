"""Labelled pictures: the table of labels, and the score."""
import csv
import os
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from digits import command_line
from digits.errors import UserError
from digits.prediction.results import Result


def read_labels(path: str, folder: Optional[str] = None) -> Dict[str, int]:
    """{name of a picture: its label, 0 to 9} from a CSV file with the columns file and label.

    The names in it are relative to `folder`, by default the CSV file's; other columns are ignored.
    Raises UserError, with the line number, for any other file, or if the folder does not exist.
    """
    if folder is not None and not os.path.isdir(folder):
        raise UserError(f'{folder}: not a folder; --labels names the pictures, give at most their '
                        'folder')
    folder = os.path.dirname(path) if folder is None else folder
    labels: Dict[str, int] = {}
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:  # Excel writes a BOM
            rows = csv.DictReader(file, skipinitialspace=True)
            columns = rows.fieldnames or []
            if not {'file', 'label'} <= set(columns):
                raise UserError(f'{path}: its first line must have the columns file and '
                                f'label; it has '
                                f'{", ".join(columns) or "none"}')
            for row in rows:
                where = f'{path}, line {rows.line_num}'
                label = (row['label'] or '').strip()
                if label not in list('0123456789'):
                    raise UserError(f'{where}: the label {label!r} is not a digit from 0 to 9')
                if not row['file']:
                    raise UserError(f'{where}: names no file')
                name = os.path.join(folder, row['file'])
                if name in labels:
                    raise UserError(f'{where}: {row["file"]} is listed twice')
                labels[name] = int(label)
    except UnicodeDecodeError:
        raise UserError(f'{path}: not in UTF-8; save it as CSV UTF-8') from None
    except csv.Error as error:
        raise UserError(f'{path}: not a CSV file ({error})') from None
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror}); check its name') from None
    if not labels:
        raise UserError(f'{path}: no pictures after its first line')
    return labels


class Score:
    """The score of labelled pictures, {name: label}.

    confusion: int [10, 10], rows are labels, columns predictions; unreadable and doubted: int [10],
    by label (doubted pictures are in confusion too); missed: the Results that were unreadable or
    predicted wrongly.
    """

    def __init__(self, labels: Dict[str, int]):
        self._labels = labels
        self.confusion = np.zeros([10, 10], int)
        self.unreadable, self.doubted = np.zeros([2, 10], int)
        self.missed: List[Result] = []
        self._right_if_sure = 0

    def add(self, pictures: Sequence[Result]) -> List[Result]:
        """Count Results and set their labels; return those that were missed."""
        before = len(self.missed)
        for picture in pictures:
            label = picture.label = self._labels[picture.name]
            digit = None
            if picture.error:
                self.unreadable[label] += 1
            else:
                (digit, _, doubt), = picture.digits()
                self.confusion[label, digit] += 1
                self.doubted[label] += bool(doubt)
                self._right_if_sure += digit == label and not doubt
            if digit != label:
                self.missed.append(picture)
        return self.missed[before:]

    def summary(self) -> Dict[str, Any]:
        """The counts; accuracy is right / of, in [0, 1], unreadable pictures included."""
        read, right = int(self.confusion.sum()), int(self.confusion.trace())
        of = read + int(self.unreadable.sum())
        return {'accuracy': right / of, 'right': right, 'of': of,
                'sure': read - int(self.doubted.sum()), 'right_if_sure': self._right_if_sure,
                'confusion': self.confusion.tolist(), 'unreadable': self.unreadable.tolist(),
                'not_sure': self.doubted.tolist()}

    def lines(self) -> List[str]:
        """The confusion matrix, rows labels and columns predictions, and the accuracy, as text."""
        def texts(counts):
            return [str(count or '.') for count in counts]

        columns = [['label', *map(str, range(10))]]
        columns += [[str(digit), *texts(self.confusion[:, digit])] for digit in range(10)]
        if self.unreadable.any():
            columns.append(['unreadable', *texts(self.unreadable)])
        if self.doubted.any():  # in brackets: they are also in the column of a digit
            columns.append(['(not sure)', *(f'({count})' for count in texts(self.doubted))])
        lines = [''] * bool(self.missed)
        lines += command_line.aligned(zip(*columns), right=range(len(columns)))
        found = self.summary()
        if self.doubted.any():
            lines.append(f'sure: {found["sure"]} of {found["of"]}, of these right: '
                         f'{found["right_if_sure"]}')
        return [*lines, f'accuracy: {found["accuracy"]:.4f} ({found["right"]} of {found["of"]})']
