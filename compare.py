"""Compare all runs: test accuracy and time of each script and recipe, over its seeds.

$ python compare.py
script               data set  seeds      test accuracy    parameters  seconds  recipe
mnist_cnn            MNIST     0 1 2 3 4  0.9957 ± 0.0003   3,274,634    117.1  defaults
mnist_softmax        MNIST     0 1 2 3 4  0.9181 ± 0.0013       7,850      2.6  defaults
mnist_numpy_sigmoid  MNIST     0 1 2 3 4  0.8457 ± 0.0215       7,850      2.3  defaults
"""
import json
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from digits import command_line, figures, paths, signals
from digits.errors import UserError
from digits.training import articles, comparison, folders, plots

SCRIPTS = ('mnist_numpy_sigmoid', 'mnist_softmax', 'mnist_cnn')


def train(root: Path, script: str, flags: Sequence[str], options: Sequence[str], seed: int,
          dataset: str = 'auto') -> None:
    """Train one script, or continue an unfinished run; its output goes to stderr.

    flags: those of the recipe; options: others; dataset: that of --dataset.
    Raises UserError (status 1, 130 after Ctrl-C, 143 after SIGTERM) if it does not finish.
    """
    recipe = ' '.join(flags)
    for folder, record in comparison.read_runs(root):
        if (record.script, record.recipe, record.seed, record.flags.get('dataset')) == (
                script, recipe, seed, dataset) and record.status in ('running', 'interrupted'):
            options = [*options, '--resume', '--run-dir', str(folder)]
            break
    else:
        folder = folders.timed_folder(root, script, seed)
        options = [*options, '--run-dir', str(folder)]
    command = [f'{script}.py', *flags, *options, '--dataset', dataset, '--seed', str(seed)]
    print('$ python', *command, file=sys.stderr)
    status = signals.wait_for(subprocess.Popen(
        [sys.executable, str(paths.PROJECT_ROOT / command[0]), *command[1:]], stdout=sys.stderr))
    if status:
        folders.remove_if_empty(folder)  # it has not begun
        raise UserError(f'{script}.py ended with status {status}; the same command continues it',
                        status if status > 128 else 1)


def main(argv=None):
    """Print the table; returns nothing."""
    parser = command_line.Parser('compare.py', __doc__)
    parser.add_argument('runs', nargs='?', type=Path, default=paths.RUNS, metavar='FOLDER',
                        help='where the runs are (default: runs/)')
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument('--train', nargs='?', const=1, type=command_line.positive_int,
                         metavar='SEEDS', help='first train the first three lessons with their '
                         'defaults and this number of seeds (1)')
    instead.add_argument('--articles', nargs='*', metavar='NAME',
                         choices=[row.name for row in articles.ROWS],
                         help="instead compare the tutorials' figures with ours, after training "
                         'what is missing of all or of '
                         f'{", ".join(row.name for row in articles.ROWS)}')
    instead.add_argument('--diff', nargs=2, type=Path, metavar='RUN',
                         help='instead show what differs between two runs: lesson, flags, results')
    parser.add_argument('--json', action='store_true', help='print one JSON object per line')
    parser.add_argument('--plot', metavar='FILE', help='draw accuracy against seconds')
    command_line.data_flags(parser)
    args = parser.parse_args(argv)

    if args.plot:
        figures.check(args.plot)
    options = ['--data-dir', args.data_dir]
    if args.diff:
        print(*comparison.difference(*args.diff), sep='\n')
        return
    if args.articles is not None:
        rows = [row for row in articles.ROWS if row.name in args.articles or not args.articles]
        articles.run_missing(args.runs, rows, args.data_dir, lambda row, seed: train(
            args.runs, row.script[:-len('.py')], row.flags, options, seed, 'mnist'))
        print(*articles.table(args.runs), sep='\n')
        return
    if args.train:
        for script in SCRIPTS:
            for seed in range(args.train):
                train(args.runs, script, [], options, seed, args.dataset)
    rows = comparison.group(comparison.read_runs(args.runs))
    if not rows:
        raise UserError(f'no runs in {args.runs} yet: add --train')
    if args.json:
        print(*map(json.dumps, rows), sep='\n')
    else:
        print(*comparison.table(rows), sep='\n')
    if args.plot:
        plots.accuracy_against_seconds(
            [(row['seconds'], row['mean'], f'{row["script"]} {row["recipe"]}'.strip())
             for row in rows if row['seeds']], args.plot)


if __name__ == '__main__':
    command_line.run(main)
