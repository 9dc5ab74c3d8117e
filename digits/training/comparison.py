"""Runs as a table: those that differ only by their seed are one line of it."""
import json
import statistics
import sys
from pathlib import Path

from digits.errors import UserError
from digits.training import records


def read_runs(root: Path) -> list:
    """(folder, run.json) of all runs in root/SCRIPT/RUN; what is none is named on stderr."""
    found = []
    for folder in sorted(path for path in root.glob('*/*') if path.is_dir()):
        try:
            found.append((folder, records.read(folder)))
        except UserError as error:
            print(f'skipped: {error}', file=sys.stderr)
    return found


def group(runs) -> list:
    """Runs that differ only by seed, together; MNIST first, the best first, the unfinished last.

    Returns dictionaries: script, dataset, recipe, precision, versions, processor, seeds (of the
    finished runs), test_accuracies (one a seed), mean, sd (None for one seed), parameters,
    seconds (median of whole processes), unfinished (how far those came).
    """
    groups = {}
    for _, record in runs:
        same = {name: record[name] for name in
                ('script', 'dataset', 'recipe', 'precision', 'versions', 'processor')}
        row = groups.setdefault(json.dumps(same, sort_keys=True), {**same, 'runs': {},
                                                                   'unfinished': []})
        row['parameters'] = record['parameters']
        if record['status'] == 'finished' and record['test_accuracy'] is not None:
            row['runs'][record['seed']] = record
        else:
            row['unfinished'].append(
                f'seed {record["seed"]} {_state(record)} {record["steps"]:,} of '
                f'{record["of_steps"]:,}')
    for row in groups.values():
        finished = [record for _, record in sorted(row.pop('runs').items())]
        accuracies = [record['test_accuracy'] for record in finished]
        row.update(
            seeds=[record['seed'] for record in finished], test_accuracies=accuracies,
            mean=statistics.mean(accuracies) if finished else None,
            sd=statistics.stdev(accuracies) if len(finished) > 1 else None,
            seconds=statistics.median(record['seconds']['whole'] for record in finished)
            if finished else None)
    return sorted(groups.values(), key=lambda row: (row['mean'] is None, row['dataset'] != 'MNIST',
                                                    -(row['mean'] or 0)))


def _state(record):
    return 'unfinished at' if record['status'] == 'running' else f'{record["status"]} at'


def table(rows) -> list:
    """The groups as aligned lines; scores on anything but MNIST say so."""
    lines = [('script', 'data set', 'seeds', 'test accuracy', 'parameters', 'seconds', 'recipe')]
    for row in rows:
        accuracy = f'{row["mean"]:.4f}' if row['seeds'] else ''
        if row['sd'] is not None:
            accuracy += f' ± {row["sd"]:.4f}'
        accuracy = '; '.join([accuracy] * bool(accuracy) + row['unfinished'])
        recipe = row['recipe'] or 'defaults'
        twins = [other for other in rows if all(other[name] == row[name] for name in
                                                ('script', 'dataset', 'recipe'))]
        if len(twins) > 1:  # tell apart what the recipe does not
            recipe += f' ({row["precision"]}, {_where(row)})'
        lines.append((
            row['script'], row['dataset'] + ('' if row['dataset'] == 'MNIST' else ' (not MNIST)'),
            ' '.join(map(str, row['seeds'])) or '-', accuracy,
            f'{row["parameters"]:,}' if row['parameters'] else '-',
            f'{row["seconds"]:.1f}' if row['seconds'] is not None else '-', recipe))
    widths = [max(map(len, column)) for column in zip(*lines)]
    return ['  '.join(f'{cell:>{width}}' if number in (4, 5) else f'{cell:{width}}'
                      for number, (cell, width) in enumerate(zip(line, widths))).rstrip()
            for line in lines]


def _where(row):
    """On what a group ran: 'TensorFlow 2.21.0, AMD EPYC'."""
    version = row['versions'].get('tensorflow')
    return (f'TensorFlow {version}' if version else 'NumPy ' + str(row['versions'].get('numpy'))) \
        + f', {row["processor"]}'
