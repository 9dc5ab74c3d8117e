"""The articles' experiments as a table: run what is missing, compare their figures with ours.

A row is a lesson or a script in articles/. The results of a lesson are in its run folders; the
results of a script are read from its output and saved:

    runs/articles/ROW/seedN.json   result: script, seed, SHA-256 of its text, figures, seconds ...
    runs/articles/ROW/seedN.txt    its output
    runs/articles/ROW/seedN/       its files: events, checkpoints
"""
import argparse
import contextlib
import hashlib
import json
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterable, List, NamedTuple, Optional

import numpy as np

from digits import files, input_data, paths, processor, signals
from digits.errors import UserError
from digits.training import comparison

FIGURES = {  # figures in a script's output: the last match of each
    'test_accuracy': r'^test accuracy: (\d\.\d{4})$',
    'training_accuracy': r'^training accuracy: (\d\.\d{4})$',
    'epochs_above': r'^epochs above \d\.\d+: (\d+) of \d+$',
}


class Row(NamedTuple):
    """One experiment of an article."""

    name: str
    command: str  # script and flags, from the project's folder
    figure: str  # the article's
    measure: str  # which of our figures is compared with it
    seeds: int  # how many seeds to run, from 0
    steps: Optional[int] = None  # of a script in articles/; a lesson's are in run.json
    writes: bool = False  # whether it has --log-dir

    @property
    def script(self) -> str:
        """The script's path in the project's folder."""
        return shlex.split(self.command)[0]

    @property
    def flags(self) -> List[str]:
        """The flags of the recipe."""
        return shlex.split(self.command)[1:]

    @property
    def is_lesson(self) -> bool:
        """Whether its results are run folders."""
        return not self.script.startswith('articles/')


ROWS = (
    Row('A-softmax', 'mnist_softmax.py', '0.9163', 'test_accuracy', 5),
    Row('A-cnn', 'articles/a_cnn.py', '0.992', 'test_accuracy', 2, 20000, writes=True),
    Row('B-numpy', 'mnist_numpy_sigmoid.py', '0.8147', 'training_accuracy', 5),
    Row('B-twin', 'articles/b_softmax_raw_pixels.py', '0.9092', 'training_accuracy', 5, 1000),
    Row('C', 'articles/c_cnn_3x3.py', '0.9885', 'test_accuracy', 5, 8250),
    Row('C-deep', 'articles/c_cnn_3x3.py --deep', '0.993', 'test_accuracy', 2, 8250),
    Row('D', 'articles/d_softmax_tensorboard.py', '0.9118', 'test_accuracy', 5, 12870, writes=True),
    Row('E1', 'articles/e_cnn_checkpoints.py', '-', 'test_accuracy', 2, 10000, writes=True),
)


def text_sha256(script: str, project: Path = paths.PROJECT_ROOT) -> str:
    """The SHA-256 of a script's text, in hexadecimal, independent of its line ends."""
    return hashlib.sha256((project / script).read_bytes().replace(b'\r\n', b'\n')).hexdigest()


def run_missing(root: Path, rows: Iterable[Row], data_dir: str,
                train: Callable[[Row, int], None], project: Path = paths.PROJECT_ROOT) -> None:
    """Run every seed of these rows that has no result of the script's present text.

    root: the folder of the runs. train: runs a lesson, given its row and a seed.
    Raises UserError if a script fails, or after Ctrl-C; finished results are kept.
    """
    missing = [(row, seed) for row in rows
               for seed in sorted(set(range(row.seeds)) - set(results(root, row, project)))]
    if missing:
        require_mnist(data_dir)
    for row, seed in missing:
        if row.is_lesson:
            train(row, seed)
        else:
            run_script(root, row, seed, data_dir, project)


def require_mnist(data_dir: str) -> None:
    """Download MNIST if it is not there; UserError if that fails or data_dir has other data."""
    name = input_data.load(argparse.Namespace(
        data_dir=data_dir, dataset='mnist', validation_size=5000, seed=0, quiet=False)).name
    if name != 'MNIST':
        raise UserError(f'{data_dir} has {name}, but the articles use MNIST; name the folder of '
                        'its files with --data-dir')


def results(root: Path, row: Row, project: Path = paths.PROJECT_ROOT) -> dict:
    """{seed: result} of the row's finished runs by the script's present text.

    A result has at least the row's measure, 'steps' and 'seconds' (of the whole process).
    """
    sha256 = text_sha256(row.script, project)
    if row.is_lesson:
        return {record.seed: {row.measure: getattr(record, row.measure), 'steps': record.steps,
                              'seconds': record.seconds['whole']}
                for _, record in comparison.read_runs(root)
                if _is_of(record, row, sha256) and getattr(record, row.measure) is not None}
    found = {}
    for path in sorted((root / 'articles' / row.name).glob('seed*.json')):
        result = _read(path, row)
        if result and (result['sha256'], result['flags']) == (sha256, row.flags):
            found[result['seed']] = result
    return found


def _is_of(record, row, sha256):
    """Whether a run.json is a finished run of this lesson, recipe and text, on MNIST."""
    return (record.script == Path(row.script).stem and record.recipe == ' '.join(row.flags)
            and record.dataset == 'MNIST' and record.status == 'finished'
            and record.lesson_sha256 == sha256)


def _read(path, row):
    """A result that `run_script` has written; None, and a line on stderr, if it is damaged."""
    try:
        result = json.loads(path.read_text(encoding='utf-8'))
        for name, kind in (('sha256', str), ('flags', list), ('seed', int), ('steps', int),
                           ('seconds', float), (row.measure, float)):
            if not isinstance(result[name], kind):
                raise ValueError(f'{name} is {result[name]!r}')
        return result
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        print(f'skipped: {path} is damaged ({error})', file=sys.stderr)
        return None


def run_script(root: Path, row: Row, seed: int, data_dir: str,
               project: Path = paths.PROJECT_ROOT) -> None:
    """Run a script of articles/ with one seed, and save its output and the result.

    Its stdout is also copied to stderr. Raises UserError (status 1, 130 after Ctrl-C, 143 after
    SIGTERM) if it fails; its stderr is then kept in seedN.stderr.
    """
    def stop(number, frame):
        raise UserError(f'interrupted; finished runs are kept in {root}, and the same command '
                        'continues', 128 + number)

    kept = root / 'articles' / row.name / f'seed{seed}'
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(str(kept), ignore_errors=True)  # of an older text, or of an unfinished run
    command = [row.script, *row.flags, '--seed', str(seed)]
    options = ['--data-dir', data_dir, *(['--log-dir', str(kept)] if row.writes else [])]
    print('$ python', *command, file=sys.stderr)
    sha256, started = text_sha256(row.script, project), time.perf_counter()
    messages = kept.with_suffix('.stderr')
    handlers = signals.catch(stop)
    try:
        status = _run([sys.executable, '-u', str(project / row.script), *command[1:], *options],
                      kept.with_suffix('.txt'), messages)
    finally:
        signals.restore(handlers)
    seconds = time.perf_counter() - started
    output = kept.with_suffix('.txt').read_text(encoding='utf-8')
    figures = {name: re.findall(pattern, output, re.MULTILINE)[-1:]
               for name, pattern in FIGURES.items()}
    if status or not figures[row.measure]:
        last = messages.read_text(encoding='utf-8', errors='replace').strip().split('\n')[-1]
        what = f'ended with status {status}' if status else 'printed no ' + row.measure.replace(
            '_', ' ')
        raise UserError(f'{" ".join(command)} {what}; see {messages}' + (last and f' ({last})'), 1)
    messages.unlink()
    from digits.tensorflow_v1 import tf  # imported here: it takes seconds
    result = {
        'script': row.script, 'flags': row.flags, 'seed': seed, 'sha256': sha256,
        **{name: json.loads(found[0]) for name, found in figures.items() if found},
        'steps': row.steps, 'seconds': round(seconds, 3),
        'versions': {'tensorflow': tf.__version__, 'numpy': np.__version__,
                     'python': platform.python_version()},
        'processor': processor.name()}
    files.write_whole(kept.with_suffix('.json'), (json.dumps(result, indent=2) + '\n').encode())


def _run(command, output, messages):
    """Run a command, copy its stdout to a file and to stderr, its stderr to another file."""
    with open(str(output), 'w', encoding='utf-8') as out, open(str(messages), 'wb') as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=err, universal_newlines=True, encoding='utf-8')
        with process:
            try:
                for line in process.stdout:
                    out.write(line)
                    print(line, end='', file=sys.stderr, flush=True)
            except BaseException:
                with contextlib.suppress(OSError):
                    process.kill()
                raise
    return process.returncode


def table(root: Path, project: Path = paths.PROJECT_ROOT) -> List[str]:
    """All rows in Markdown: the article's figure, our mean and range over seeds, steps, seconds."""
    lines = ['| article | command | its figure | ours | steps | seconds |',
             '|---|---|---|---|---|---|']
    for row in ROWS:
        done = list(results(root, row, project).values())
        cells = _cells(row, done) if done else ['not run yet', '-', '-']
        lines.append(f'| {row.name} | `python {row.command}` | {row.figure} | '
                     f'{" | ".join(cells)} |')
    return lines


def _cells(row, done):
    """The cells of the columns ours, steps and seconds."""
    accuracies = [result[row.measure] for result in done]
    ours = (f'{statistics.mean(accuracies):.4f} ({min(accuracies):.4f} to {max(accuracies):.4f}, '
            f'n = {len(done)})')
    if row.measure == 'training_accuracy':
        ours += ' on the training images'
    above = [result['epochs_above'] for result in done if 'epochs_above' in result]
    if above:
        ours += (f'; above {row.figure} in {_range(above)} of {row.steps:,} epochs, with '
                 f'{sum(map(bool, above))} of {len(above)} seeds at all')
    seconds = statistics.median(result['seconds'] for result in done)
    return [ours, _range([result['steps'] for result in done]), f'{seconds:.1f}']


def _range(numbers):
    return ' to '.join(f'{number:,}' for number in sorted({min(numbers), max(numbers)}))
