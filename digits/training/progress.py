"""Progress of training: a bar on a terminal, otherwise a line every few seconds."""
import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Optional, Sequence, Union

import numpy as np
from tqdm import tqdm

from digits import command_line
from digits.datasets.dataset import Datasets
from digits.training.folders import lesson_path
from digits.training.models import Model
from digits.training.record import Record

LINE_SECONDS = 5  # between two lines where there is no bar


def from_here(folder: Union[str, Path]) -> str:
    """The folder, relative to the working directory."""
    try:
        return os.path.relpath(str(folder))
    except ValueError:  # on another drive of a Windows machine
        return str(folder)


def announce(data: Datasets, record: Record, model: Model) -> None:
    """Describe the run on stderr, and warn if it cannot be resumed exactly."""
    count, outliers = data.train.num_examples, int(np.sum(data.train.labels > 9))
    kinds = f' ({count - outliers:,} digits, {outliers:,} non-digits)' if outliers else ''
    parts = [f'{data.name}, {count:,} training images{kinds}',
             f'{record.parameters:,} parameters in {record.precision}']
    if record.steps:
        parts.append(f'continuing after step {record.steps:,} of {record.total_steps:,}')
    print('; '.join(parts), file=sys.stderr)
    for name in model.unrepeatable()[:1]:
        print(f'{name} draws random numbers or data from a state that is in no checkpoint: a '
              'resumed run will draw others; digits.layers.dropout and run.batches() resume '
              'exactly', file=sys.stderr)


def print_interruption(args: argparse.Namespace, record: Record, folder: Path,
                       words: Sequence[str] = ()) -> None:
    """Print on stderr how far an interrupted run got, and the command that continues it.

    words: more flags of that command.
    """
    script = from_here(lesson_path(args.script) or f'{args.script}.py')
    command = [_python(), script, '--resume', '--run-dir', from_here(folder), *words,
               *args.repeated]
    print(f'Stopped after step {record.steps:,} of {record.total_steps:,}; continue with:\n'
          f'    {command_line.quoted(command)}', file=sys.stderr)


def print_unscored(args: argparse.Namespace, folder: Path) -> None:
    """Say on stderr that a lesson ended without scoring its run."""
    print(f'{args.script}.py: the run in {from_here(folder)} is not scored: end the with block '
          'with  return run.finish()', file=sys.stderr)


def _python():
    """'python' if a shell finds this interpreter by that name, else its path."""
    found = shutil.which('python')
    if found and os.path.dirname(os.path.abspath(found)) == os.path.dirname(sys.executable):
        return 'python'
    return sys.executable


class Progress:
    """The progress of a run on stderr; nothing if quiet."""

    def __init__(self, total_steps: int, step: int, quiet: bool):
        self._total, self._bar = total_steps, tqdm(
            total=total_steps, initial=step, desc='first step', leave=False,
            bar_format='step {n_fmt} of {total_fmt} {bar} {remaining} left, {desc}',
            disable=quiet or None)
        self._plain, self._printed = self._bar.disable and not quiet, time.perf_counter()

    def show(self, step: int, seconds: float, images_per_second: float, loss: float,
             accuracy: Optional[float], evaluated: bool) -> None:
        """Show a finished step; evaluated: whether it ended with an evaluation.

        seconds: of training so far; accuracy: of the last evaluation, or None.
        """
        if self._plain:
            if not evaluated and time.perf_counter() - self._printed < LINE_SECONDS:
                return
            self._printed = time.perf_counter()
            left = seconds / step * (self._total - step)
            text = _text(loss, accuracy, 'validation accuracy', images_per_second)
            print(f'step {step:,} of {self._total:,}: {text}, {left:.0f} s left', file=sys.stderr)
        elif not self._bar.disable:
            self._bar.set_description_str(
                _text(loss, accuracy, 'validation', images_per_second), refresh=False)
            self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


def _text(loss, accuracy, name, images_per_second):
    parts = [f'loss {loss:.4f}']
    if accuracy is not None:
        parts.append(f'{name} {accuracy:.4f}')
    return ', '.join([*parts, f'{images_per_second:,.0f} images/s'])
