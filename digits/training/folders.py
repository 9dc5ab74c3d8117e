"""A run's folder: its name, its lock, and the files in it."""
import argparse
import ast
import contextlib
import dataclasses
import datetime
import hashlib
import sys
import time
import tokenize
from pathlib import Path
from typing import Any, List, Optional, Tuple

import numpy as np

from digits import STARTED, files, locks, paths
from digits.datasets.dataset import Datasets
from digits.errors import UserError
from digits.training import record as records
from digits.training.checkpoints import Checkpoints
from digits.training.models import Model
from digits.training.record import LESSON_NAME, Record


class RunFolder:
    """The folder of a run during training, as a context: locked, with its record and lesson's text.

    `path` is the folder, `record` its Record, `resumed` whether the run was there before.
    With args.resume it is args.run_dir, otherwise a new one. Raises UserError if another process is
    training in it, if its data set is another one, or if it cannot be written to. If a new run
    fails before it has saved a step, nothing of it is left.
    """

    def __init__(self, args: argparse.Namespace, data: Datasets, model: Model,
                 total_steps: int):
        self._args, self._data, self._model = args, data, model
        self._total_steps = total_steps
        self.resumed = bool(args.resume)
        self.record: Any = None  # a Record, once it is entered

    def __enter__(self) -> 'RunFolder':
        args, data, model = self._args, self._data, self._model
        one, _ = next(data.train.in_order(1))
        made = not self.resumed and not (args.run_dir and Path(args.run_dir).exists())
        self.path = Path(args.run_dir) if self.resumed else new_folder(args)
        with contextlib.ExitStack() as stack:
            if made:
                stack.push(self._remove_if_failed)
            stack.enter_context(locks.held(self.path))
            stack.push(self._empty_if_failed)
            if self.resumed:
                self.record = Record.read(self.path)
                if self.record.status == 'finished' or self.record.seed != args.seed:
                    raise UserError(f'{self.path} is one run, and main begins another: a main that '
                                    'trains several cannot be resumed', 1)
                if self.record.dataset != data.name:
                    raise UserError(f'{self.path} was trained on {self.record.dataset}, but '
                                    f'{args.data_dir} has {data.name}')
            else:
                self.record = Record.new(args, data.name, self._total_steps)
            self.record = dataclasses.replace(
                self.record, parameters=model.parameters, convolutions=model.convolutions,
                arrays=model.arrays, placeholders=model.placeholders, precision=model.precision,
                pixel_max=255 if one.dtype == np.uint8 else 1)
            if not self.resumed:  # from here on, a killed run can be resumed
                self._keep_lesson()
                self.record.write(self.path)
            self._stack = stack.pop_all()
        return self

    def begin(self, step: int) -> float:
        """Record that the run starts after `step`; return the seconds of training before it.

        Evaluations after the checkpoint are discarded.
        """
        record = self.record
        if self.resumed:
            self._keep_lesson()
        record.evaluations = {done: entry for done, entry in record.evaluations.items()
                              if done.isdecimal() and int(done) <= step}
        record.seconds['import'] = round(self._model.import_seconds, 3)
        record.versions.update(self._model.versions)
        self._whole_before = record.seconds['whole']
        record.status, record.steps = 'running', step
        record.write(self.path)
        return record.seconds['training']

    def write(self, status: str, step: int, images: int, training_seconds: float,
              training_accuracy: Optional[float] = None) -> None:
        """Write the record after a step; images: how many have been trained on so far."""
        record = self.record
        record.status, record.steps = status, int(step)
        record.seconds.update(
            data=round(self._data.seconds, 3), training=round(training_seconds, 3),
            whole=round(self._whole_before + time.perf_counter() - STARTED, 3))
        if training_seconds:
            record.images_per_second = round(images / training_seconds)
        if training_accuracy is not None:
            record.training_accuracy = round(float(training_accuracy), 4)
        record.write(self.path)

    def _keep_lesson(self):
        """Save the lesson's text; if a resumed run has a different one, save both."""
        text, path = lesson_text(self._args.script), self.path / LESSON_NAME
        try:
            kept = ''
            if self.resumed and path.exists():
                kept = path.read_text(encoding='utf-8', errors='replace')
            if not path.exists() or not kept.endswith(text):
                if kept:
                    print(f'{self._args.script}.py was changed after this run began; it continues '
                          'with the new text', file=sys.stderr)
                    text = f'{kept}\n\n# ---- resumed with:\n\n{text}'
                files.write_whole(path, text.encode())
        except OSError as error:
            raise locks.unkept(self.path, error) from error
        self.record.lesson_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    def _empty_if_failed(self, kind, error, trace):
        """After an exception, delete the files of a new run that has saved no step."""
        if kind is None or self.resumed or self.record and self.record.steps:
            return
        for path in (self.path / records.NAME, self.path / LESSON_NAME,
                     *self.path.glob('events.out.tfevents.*'),
                     *self.path.glob('validation/events.out.tfevents.*')):
            with contextlib.suppress(OSError):
                path.unlink()
        remove_if_empty(self.path / 'validation')

    def _remove_if_failed(self, kind, error, trace):
        if kind is not None:
            remove_if_empty(self.path)

    def keep_checkpoints(self, checkpoints: Checkpoints) -> None:
        """Delete all checkpoints but the last two and that of the best evaluation."""
        best = self.record.best['step'] if self.record.best else None
        for step in checkpoints.steps()[:-2]:
            if step != best:
                checkpoints.remove(step)

    def __exit__(self, kind, error, trace):
        self._stack.__exit__(kind, error, trace)


def lesson_text(script: str) -> str:
    """The text of a script and of the scripts beside it that it imports.

    The text is empty for a script that is not a file of the project, such as a test's.
    """
    texts, names = {}, [script]
    while names:
        name = names.pop(0)
        path = lesson_path(name)
        if path is None or name in texts:
            continue
        texts[name], tree = source(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or '')
            elif isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
    return ''.join(text if name == script else f'\n# ---- {name}.py\n\n{text}'
                   for name, text in texts.items())


def source(path: Path) -> Tuple[str, ast.Module]:
    """The text of a script, in the coding that it says it is in, and its syntax tree.

    Raises UserError if it is no Python.
    """
    try:
        with tokenize.open(str(path)) as file:
            text = file.read()
        return text, ast.parse(text)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UserError(f'{path}: no Python script ({error})') from error


def lesson_path(script: str) -> Optional[Path]:
    """The file of a lesson: beside predict.py, or in articles/; None if there is none."""
    if not script.isidentifier():
        return None
    found = (paths.PROJECT_ROOT / f'{script}.py', paths.PROJECT_ROOT / 'articles' / f'{script}.py')
    return next((path for path in found if path.is_file()), None)


def new_folder(args: argparse.Namespace) -> Path:
    """Make --run-dir, or runs/SCRIPT/TIME-seedN; UserError if it is not empty."""
    if not args.run_dir:
        return timed_folder(paths.RUNS, args.script, args.seed)
    folder = Path(args.run_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = {path.name for path in folder.iterdir()
                if path.name not in (locks.NAME, LESSON_NAME)
                and not path.name.endswith(files.UNFINISHED)}
    except OSError as error:
        raise locks.unkept(folder, error) from error
    if held:
        raise UserError(f'{folder} is not empty: add --resume to continue the run in it, or '
                        'name another folder')
    return folder


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that has nothing in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def timed_folder(root: Path, script: str, seed: int) -> Path:
    """Make root/SCRIPT/TIME-seedN, for a new run."""
    name = f'{datetime.datetime.now():%Y%m%d-%H%M%S}-seed{seed}'
    for suffix in ('', *(f'-{number}' for number in range(2, 100))):
        folder = root / script / (name + suffix)
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:  # another run began in this second
            continue
        except OSError as error:
            raise locks.unkept(folder, error) from error
    raise UserError(f'{folder}: too many runs in one second')


def of_script(script: str) -> List[Path]:
    """The folders in runs/ of a script's runs, oldest first."""
    return sorted(path.parent for path in (paths.RUNS / script).glob(f'*/{records.NAME}'))


def newest_unfinished(script: str) -> Path:
    """The folder of the script's newest run that did not finish; UserError if there is none."""
    for folder in reversed(of_script(script)):
        try:
            if Record.read(folder).status in ('running', 'interrupted'):
                return folder
        except UserError as error:  # a damaged run does not prevent resuming another
            print(f'skipped: {error}', file=sys.stderr)
    raise UserError(f'there is no unfinished run of {script}.py in {paths.RUNS}')
