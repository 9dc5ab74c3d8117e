"""A report on draw.py's log: requests, latencies, drawings, digits, uncertain predictions.

$ python -m digits.web.report requests.log
"""
import collections
import json
from typing import Iterator, NamedTuple, Optional, Sequence, Union

import numpy as np

from digits import command_line
from digits.errors import UserError


class Entry(NamedTuple):
    """One request: latency in seconds; the digits that were read, whether surely.

    final: False if it asked about a drawing that was not finished.
    """

    status: int
    latency: float
    digits: Sequence[int]
    sure: Optional[bool]
    final: bool


def parse(line: Union[str, bytes]) -> Optional[Entry]:
    """Return the Entry in a line of the log, or None if it is not an entry."""
    try:
        entry = json.loads(line)
        http = entry['httpRequest']
        latency = float(http['latency'].rstrip('s'))
        digits = entry['digits'] if 'digits' in entry else [entry.get('digit')]
        digits = [digit for digit in digits if digit is not None]
        valid = (isinstance(http['status'], int) and 0 <= latency < float('inf')
                 and all(digit in range(10) for digit in digits))
        found = Entry(http['status'], latency, digits, entry.get('sure'),
                      entry.get('final') is not False)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return found if valid else None


class Report:
    """Counts over the lines of logs; bad lines are only counted."""

    def __init__(self):
        self.statuses, self.digits = collections.Counter(), collections.Counter()
        self.latencies, self.bad = [], 0
        self.drawings = self.unread = self.doubtful = 0

    def add(self, line: Union[str, bytes]) -> None:
        """Count a line."""
        entry = parse(line)
        if entry is None:
            self.bad += 1
            return
        self.statuses[entry.status] += 1
        if entry.digits:
            self.latencies.append(entry.latency)
        if entry.final and entry.digits:
            self.drawings += 1
            self.digits.update(entry.digits)
            self.doubtful += entry.sure is False
        self.unread += entry.final and entry.status == 422

    def lines(self) -> Iterator[str]:
        """Yield the lines to print."""
        by_status = ', '.join(f'{count:,} x {status}'
                              for status, count in sorted(self.statuses.items()))
        yield f'requests   {sum(self.statuses.values()):,}' + (by_status and f' ({by_status})')
        if self.bad:
            yield f'bad lines  {self.bad:,}'
        answers = len(self.latencies)
        if answers:
            middle, high = np.percentile(self.latencies, [50, 99]) * 1000
            yield f'on the way {answers - self.drawings:,} answers before a drawing was finished'
            yield f'latency    p50 {middle:.1f} ms, p99 {high:.1f} ms'
        yield f'drawings   {self.drawings:,} read, {self.unread:,} not'
        if self.drawings:
            yield f'doubtful   {self.doubtful:,} ({self.doubtful / self.drawings:.1%})'
            yield 'digit      drawings'
            for digit in range(10):
                yield f'{digit:5}      {self.digits[digit]:8,}'


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Print the report; SystemExit (2) if a log cannot be read."""
    parser = command_line.Parser('report.py', __doc__)
    parser.add_argument('logs', nargs='+', metavar='LOG', help='log of draw.py; - for stdin')
    report = Report()
    for name in parser.parse_args(argv).logs:
        try:
            with open(0 if name == '-' else name, 'rb') as file:
                for line in file:
                    report.add(line)
        except OSError as error:
            raise UserError(f'{name}: cannot be read ({error.strerror}); name a log of '
                            'draw.py --log') from None
    print('\n'.join(report.lines()))


if __name__ == '__main__':
    command_line.run(main)
