"""The result for a picture, as a line of text or as an object for programs."""
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from digits import texts
from digits.training import calibration


class Result:
    """A picture and its predictions.

    name: of its file, if `file`; else what it is called
    error: the sentence that says why it cannot be read, or ''
    images: uint8 [n, 28, 28], its digits; n is 1 unless it is a page
    boxes: of a page's digits, int [n, 4], left, top, right, bottom in pixels; else None
    rows, columns: int [n], where each lies in the page's table, from 0, -1 if beside it; None if
        there is none
    tables: (rows, columns) of each of the page's tables
    label: the correct digit, or None if unknown
    probabilities, doubts: float [n, 10] and n strings, set by `classify`
    """

    probabilities: np.ndarray
    doubts: Sequence[str]

    def __init__(self, name: str, images: Any = (), boxes: Optional[np.ndarray] = None,
                 error: str = '', label: Optional[int] = None, file: bool = True,
                 rows: Optional[np.ndarray] = None, columns: Optional[np.ndarray] = None,
                 tables: Sequence[Tuple[int, int]] = ()):
        self.rows, self.columns, self.tables = rows, columns, tables
        self.name, self.images, self.boxes, self.file = name, images, boxes, file
        self.error, self.label = error, label

    def digits(self) -> List[Tuple[int, float, str]]:
        """(most probable digit, its probability, doubt) for each digit in the picture."""
        return [(int(row.argmax()), float(row.max()), doubt)
                for row, doubt in zip(self.probabilities, self.doubts)]

    def answers(self) -> List[str]:
        """Each digit as text, with ? where it is not sure."""
        return [f'{digit}{"?"[:bool(doubt)]}' for digit, _, doubt in self.digits()]

    def line(self, width: int = 0) -> str:
        """The name, padded to `width` columns of a terminal, and the result."""
        known = '' if self.label is None else f'label {self.label}, '
        if self.error:
            answer = 'unreadable'
        elif self.boxes is not None:
            answer = _page(self.boxes, self.rows, self.answers())
        else:
            known = known and known + 'prediction '
            answer = describe(self.probabilities[0], self.doubts[0])
        return f'{self.name}{" " * (width - texts.columns(self.name))}  {known}{answer}'

    def as_object(self) -> Dict[str, Any]:
        """The result with all probabilities, for json.dumps."""
        digits = [] if self.error else [
            {'digit': digit, 'probability': probability, 'probabilities': row.tolist(),
             'sure': not doubt, **({'doubt': doubt} if doubt else {})}
            for (digit, probability, doubt), row in zip(self.digits(), self.probabilities)]
        if self.error:
            answer: Dict[str, Any] = {'error': self.error}
        elif self.boxes is not None:
            answer = {'digits': [{'box': [int(side) for side in box], **self._place(k), **digit}
                                 for k, (box, digit) in enumerate(zip(self.boxes, digits))]}
        else:
            answer = digits[0]
        known = {} if self.label is None else {'label': self.label}
        return {'file': self.name, **answer, **known}

    def _place(self, number):
        """{'row': 3, 'column': 0} of a digit that lies in a table."""
        if self.rows is None or self.columns is None or self.rows[number] < 0:
            return {}
        return {'row': int(self.rows[number]), 'column': int(self.columns[number])}


def describe(probabilities: np.ndarray, doubt: str = '') -> str:
    """'3   99.8%   (then 8: 0.1%)', or '5?  41.2%   (then 3: 38.0%)  not sure: faint'.

    No probability is shown if the picture is unlike any digit.
    """
    digit, runner_up = np.argsort(-probabilities, kind='stable')[:2]  # as argmax: first of equals
    if doubt == calibration.UNLIKE:
        return f'{f"{digit}?":29}not sure: {doubt}'
    then = f'(then {runner_up}: {texts.percent(probabilities[runner_up])})'
    return (f'{digit}{"?" if doubt else " "} {texts.percent(probabilities[digit]):>6}   '
            + (f'{then:15}  not sure: {doubt}' if doubt else then))


def _page(boxes, rows, answers):
    """'5 digits: 4 7 / 1? 0 3': a slash between lines, or a table's rows, in reading order."""
    words = [f'{len(answers)} digit{"s"[:len(answers) != 1]}:']
    for number, answer in enumerate(answers):
        if number:
            (left, _, _, bottom), (next_left, next_top, _, _) = boxes[number - 1:number + 1]
            words += ['/'] * bool(next_left < left or next_top > bottom if rows is None else
                                  rows[number] != rows[number - 1])
        words.append(answer)
    return ' '.join(words)


def classify(results: Sequence[Result],
             classifier: Callable[[np.ndarray], Tuple[np.ndarray, List[str]]]) -> None:
    """Set probabilities and doubts of Results that could be read, classified together."""
    probabilities, doubts = classifier(np.concatenate([result.images for result in results]))
    start = 0
    for result in results:
        end = start + len(result.images)
        result.probabilities, result.doubts = probabilities[start:end], doubts[start:end]
        start = end
