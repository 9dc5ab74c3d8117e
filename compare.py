"""Every run side by side: which script and recipe reads best, over which seeds, in what time.

$ python compare.py
script               data set  seeds      test accuracy    parameters  seconds  recipe
mnist_cnn            MNIST     0 1 2 3 4  0.9957 ± 0.0003   3,274,634     79.7  defaults
mnist_cnn_3x3        MNIST     0 1        0.9943 ± 0.0001   1,379,333    285.0  --deep
mnist_cnn_3x3        MNIST     0 1 2 3 4  0.9878 ± 0.0014      50,090     99.1  defaults
mnist_softmax        MNIST     0 1 2 3 4  0.9181 ± 0.0013       7,850      2.6  defaults
mnist_numpy_sigmoid  MNIST     0 1 2 3 4  0.8457 ± 0.0215       7,850      2.3  defaults
"""
import argparse
import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

from digits import command_line, paths
from digits.errors import UserError
from digits.training import comparison, folders, plots

SCRIPTS = ('mnist_numpy_sigmoid', 'mnist_softmax', 'mnist_cnn')

# What the tutorials did, as commands of this repository: name, command (flags in --help's order,
# defaults left out), the tutorial's own figure, which of ours stands beside it, and seeds to run.
ARTICLES = (
    ('A-softmax', 'mnist_softmax.py', '0.9163', 'test_accuracy', 5),
    ('A-cnn', 'mnist_cnn.py --steps 20000 --batch-size 50 --learning-rate 0.0001 '
     '--schedule constant --label-smoothing 0 --drop-rate 0.5 --warp 0 --outliers 0 '
     '--initial-stddev 0.1 0.1 0.1 0.1 --initial-bias 0.1', '0.992', 'test_accuracy', 2),
    ('B-numpy', 'mnist_numpy_sigmoid.py', '0.8147', 'training_accuracy', 5),
    ('B-twin', 'mnist_softmax.py --epochs 1000 --batch-size 60000 --validation-size 0 '
     '--loss-every 10 --learning-rate 0.01 --initial-stddev 1 1 --raw-pixels', '0.9092',
     'training_accuracy', 5),
    ('C', 'mnist_cnn_3x3.py', '0.9885', 'test_accuracy', 5),
    ('C-deep', 'mnist_cnn_3x3.py --deep', '0.993', 'test_accuracy', 2),
    ('D', 'mnist_softmax.py --epochs 30 --batch-size 128 --loss-every 1 --learning-rate 0.01 '
     '--initial-stddev 0.01 0', '0.9118', 'test_accuracy', 5),
    ('E1', 'mnist_cnn.py --steps 10000 --batch-size 50 --score-test-every 500 '
     '--learning-rate 0.0001 --schedule constant --label-smoothing 0 --drop-rate 0.5 '
     '--warp 0 --outliers 0 --initial-stddev 0.1 0.1 1 0 --initial-bias 0.1', '-',
     'test_accuracy', 2),
)


def train(root: Path, script: str, flags, options, seed: int) -> None:
    """Train one script, or go on with a run that stopped; what it prints goes to stderr.

    flags make the recipe; options, which do not, say where the data is.
    Raises UserError (status 1, or 130 after Ctrl-C) if it does not come to its end.
    """
    recipe = ' '.join(flags)
    for folder, record in comparison.read_runs(root):
        if (record.script, record.recipe, record.seed) == (script, recipe, seed) \
                and record.status in ('running', 'interrupted'):
            options = [*options, '--resume', '--run-dir', str(folder)]
            break
    else:
        options = [*options, '--run-dir', str(folders.timed_folder(root, script, seed))]
    command = [f'{script}.py', *flags, *options, '--seed', str(seed)]
    print('$ python', *command, file=sys.stderr)
    status = subprocess.run([sys.executable, str(paths.PROJECT_ROOT / command[0]), *command[1:]],
                            stdout=sys.stderr, check=False).returncode
    if status:
        raise UserError(f'{script}.py ended with status {status}; the same command goes on',
                        130 if status == 130 else 1)


def articles(root: Path, names, options) -> list:
    """Train what `names` lack, or all; returns the articles' rows in Markdown, for README.md."""
    lines = ['| article | command | its figure | ours | steps | seconds |',
             '|---|---|---|---|---|---|']
    for name, command, figure, measure, seeds in ARTICLES:
        script, *flags = shlex.split(command)
        script = script[:-len('.py')]

        def finished(script=script, flags=flags):
            return {record.seed: record for _, record in comparison.read_runs(root) if (
                record.script, record.recipe, record.dataset, record.status) == (
                    script, ' '.join(flags), 'MNIST', 'finished')}
        for seed in range(seeds) if name in names or not names else ():
            if seed not in finished():
                train(root, script, flags, options, seed)
        done = list(finished().values())
        cells = ['not run yet', '-', '-']
        if done:
            accuracies = [getattr(record, measure) for record in done]
            on = ' on the training images' if measure == 'training_accuracy' else ''
            steps = sorted({record.steps for record in done})
            seconds = statistics.median(record.seconds['whole'] for record in done)
            cells = [f'{statistics.mean(accuracies):.4f} ({min(accuracies):.4f} to '
                     f'{max(accuracies):.4f}, n = {len(done)}){on}',
                     ' to '.join(f'{step:,}' for step in (steps[0], steps[-1])[:len(steps)]),
                     f'{seconds:.1f}']
        lines.append(f'| {name} | `python {command}` | {figure} | {" | ".join(cells)} |')
    return lines


def main(argv=None):
    """Print the table; returns nothing."""
    parser = argparse.ArgumentParser(prog='compare.py', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='?', type=Path, default=paths.RUNS, metavar='FOLDER',
                        help='where the runs are (default: runs/)')
    parser.add_argument('--train', nargs='?', const=1, type=command_line.positive_int,
                        metavar='SEEDS', help='first train every script at its defaults, '
                        'with so many seeds (1)')
    parser.add_argument('--articles', nargs='*', metavar='NAME',
                        choices=[name for name, *_ in ARTICLES],
                        help='instead: what the tutorials printed beside ours, after training what '
                        f'is missing of all or of {", ".join(name for name, *_ in ARTICLES)}')
    parser.add_argument('--diff', nargs=2, type=Path, metavar='RUN',
                        help='instead: what was changed from one run to another, the text of the '
                        'lesson and flags, and what it brought')
    parser.add_argument('--json', action='store_true', help='print one JSON object a line')
    parser.add_argument('--plot', metavar='FILE', help='draw accuracy against seconds')
    command_line.data_flags(parser)
    args = parser.parse_args(argv)

    if args.diff:
        print(*comparison.difference(*args.diff), sep='\n')
        return
    if args.articles is not None:
        options = ['--data-dir', args.data_dir, '--dataset', 'mnist']
        print(*articles(args.runs, args.articles, options), sep='\n')
        return
    if args.train:
        options = ['--data-dir', args.data_dir, '--dataset', args.dataset]
        for script in SCRIPTS:
            for seed in range(args.train):
                train(args.runs, script, [], options, seed)
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
