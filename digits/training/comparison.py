"""Runs as a table; those that differ only by seed are one line."""
import difflib
import json
import statistics
import sys
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

from digits import command_line
from digits.errors import UserError
from digits.training import folders
from digits.training.record import Record


def read_runs(root: Path) -> List[Tuple[Path, Record]]:
    """(folder, record) of all runs in root/SCRIPT/RUN; unreadable ones are named on stderr."""
    found = []
    for folder in sorted(path for path in root.glob('*/*')
                         if path.is_dir() and path.parent.name != 'articles'):
        try:
            found.append((folder, Record.read(folder)))
        except UserError as error:
            print(f'skipped: {error}', file=sys.stderr)
    return found


def group(runs: Iterable[Tuple[Path, Record]]) -> List[dict]:
    """Group runs that differ only by seed; MNIST first, the best first, unfinished ones last.

    Runs with different lesson texts, processors or versions are in different groups.
    Returns dictionaries: script, dataset, recipe, precision, versions, processor, lesson_sha256,
    seeds (of the finished runs), test_accuracies (one a seed), mean, sd (None for one seed),
    parameters, seconds (median of whole processes), unfinished (their progress).
    """
    groups: Dict[str, dict] = {}
    for _, record in runs:
        same = {name: getattr(record, name) for name in (
            'script', 'dataset', 'recipe', 'precision', 'versions', 'processor', 'lesson_sha256')}
        row = groups.setdefault(json.dumps(same, sort_keys=True), {
            **same, 'runs': {}, 'unfinished': [], 'parameters': record.parameters})
        if record.status == 'finished' and record.test_accuracy is not None:
            row['runs'][record.seed] = record
        else:
            status = 'unfinished' if record.status == 'running' else record.status
            row['unfinished'].append(
                f'seed {record.seed} {status} at {record.steps:,} of {record.total_steps:,}')
    for row in groups.values():
        finished = [record for _, record in sorted(row.pop('runs').items())]
        accuracies = [record.test_accuracy for record in finished]
        row.update(
            seeds=[record.seed for record in finished], test_accuracies=accuracies,
            mean=statistics.mean(accuracies) if finished else None,
            sd=statistics.stdev(accuracies) if len(finished) > 1 else None,
            seconds=statistics.median(record.seconds['whole'] for record in finished)
            if finished else None)
    return sorted(groups.values(), key=lambda row: (row['mean'] is None, row['dataset'] != 'MNIST',
                                                    -(row['mean'] or 0)))


def table(rows: List[dict]) -> List[str]:
    """The groups as aligned lines; data sets other than MNIST are marked."""
    lines = [('script', 'data set', 'seeds', 'test accuracy', 'parameters', 'seconds', 'recipe')]
    for row in rows:
        accuracy = f'{row["mean"]:.4f}' if row['seeds'] else ''
        if row['sd'] is not None:
            accuracy += f' ± {row["sd"]:.4f}'
        accuracy = '; '.join([accuracy] * bool(accuracy) + row['unfinished'])
        lines.append((
            row['script'], row['dataset'] + ('' if row['dataset'] == 'MNIST' else ' (not MNIST)'),
            ' '.join(map(str, row['seeds'])) or '-', accuracy,
            f'{row["parameters"]:,}' if row['parameters'] else '-',
            f'{row["seconds"]:.1f}' if row['seconds'] is not None else '-',
            ', '.join([row['recipe'] or 'defaults', *_differences(row, rows)])))
    return command_line.aligned(lines, right=(4, 5))


def _differences(row, rows):
    """How a group differs from others with the same script, data set and recipe."""
    alike = [other for other in rows if all(
        other[name] == row[name] for name in ('script', 'dataset', 'recipe'))]

    def differs(name):
        return any(other[name] != row[name] for other in alike)

    found = []
    if differs('lesson_sha256'):
        found.append(f'text {row["lesson_sha256"][:7]}' if row['lesson_sha256'] else 'text unknown')
    if differs('precision'):
        found.append(row['precision'])
    if differs('versions'):
        versions = row['versions']
        found.append(f'TensorFlow {versions["tensorflow"]}' if versions.get('tensorflow') else
                     f'NumPy {versions.get("numpy")}')
    if differs('processor'):
        found.append(row['processor'])
    return found


def difference(before: Path, after: Path) -> List[str]:
    """Lines that compare two runs: lessons, flags and results.

    The differences of the lessons' texts and of the flags, then test accuracy, parameters and
    seconds of both. Raises UserError if one of the folders has no run.
    """
    records = [Record.read(folder) for folder in (before, after)]
    texts = _text(before), _text(after)
    lines = [line.rstrip('\n') for line in difflib.unified_diff(
        texts[0].splitlines(True), texts[1].splitlines(True),
        str(before / folders.LESSON_NAME), str(after / folders.LESSON_NAME), n=2)]
    if not all(texts):
        lines = [f'{folder}: no {folders.LESSON_NAME}: a run of an earlier version'
                 for folder, text in zip((before, after), texts) if not text]
    elif not lines:
        lines = ['the lessons have the same text']
    for name in ('script', 'dataset', 'seed', 'precision', 'recipe', 'versions', 'processor'):
        values = [getattr(record, name) for record in records]
        if values[0] != values[1]:
            before_text, after_text = ('defaults' if value == '' else value for value in values)
            lines.append(f'{name}: {before_text} -> {after_text}')
    lines.append('')
    rows = [('', 'test accuracy', 'validation accuracy', 'parameters', 'seconds', 'status')]
    for folder, record in zip((before, after), records):
        rows.append((str(folder), _number(record.test_accuracy, '.4f'),
                     _number(record.validation_accuracy, '.4f'), _number(record.parameters, ','),
                     _number(record.seconds['whole'], '.1f'), record.status))
    return lines + command_line.aligned(rows)


def _number(value, style):
    return '-' if value is None else format(value, style)


def _text(folder):
    path = folder / folders.LESSON_NAME
    try:
        return path.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return ''
