"""run.json: what a run did, with which flags, on what, and how well; and where runs lie."""
import contextlib
import datetime
import json
import math
import os
import platform
import sys
from pathlib import Path

import numpy as np

from digits import locks, paths, processor
from digits.errors import UserError

UNFINISHED = 'run.json.unfinished'
LARGEST = 2 ** 20  # bytes: a thousand times a run.json

# What a run.json must have to be one; `new` says what each means. [float] is a dictionary of such.
NONE = type(None)
FIELDS = {'script': str, 'status': str, 'recipe': str, 'flags': dict, 'dataset': str, 'seed': int,
          'steps': int, 'of_steps': int, 'parameters': (int, NONE), 'precision': str,
          'training_accuracy': (float, NONE), 'validation_accuracy': (float, NONE),
          'test_accuracy': (float, NONE), 'images_per_second': (float, NONE),
          'best': (NONE, {'step': int, 'validation_accuracy': float}), 'epoch_losses': [float],
          'seconds': {'import': float, 'data': float, 'training': float, 'whole': float},
          'versions': [str, NONE], 'processor': str, 'looks': [[float]]}


def new(args, dataset: str, steps: int) -> dict:
    """The record of a run that begins. Seconds add up over its interruptions.

    `steps` counts the steps done, `of_steps` those to do; accuracies are in [0, 1], None until
    they are known; `best` is the best look at the validation set, `images_per_second` the speed of
    training alone. `recipe` is the flags that shape the run, as one would type them, without those
    at their defaults. `epoch_losses` has, for the step of each checkpoint, the sum of losses since
    its epoch began, for the average that --loss-every prints. `looks` has, for each step at which
    the validation set was scored, losses and accuracy. `doubt` is what doubt.fit found. `precision`
    is what was asked for ('auto') until there is a session, and then what that computes in.
    """
    return {
        'script': args.script,
        'status': 'running',  # or 'interrupted', 'diverged', 'finished'; if killed, still 'running'
        'started': datetime.datetime.now().isoformat(timespec='seconds'),
        'recipe': args.recipe,
        'flags': {name: value for name, value in vars(args).items()
                  if name not in ('script', 'recipe')},
        'dataset': dataset,
        'seed': args.seed,
        'steps': 0,
        'of_steps': steps,
        'parameters': None,
        'training_accuracy': None,
        'validation_accuracy': None,
        'test_accuracy': None,
        'best': None,
        'doubt': None,
        'epoch_losses': {},
        'looks': {},
        'seconds': {'import': 0.0, 'data': 0.0, 'training': 0.0, 'whole': 0.0},
        'images_per_second': None,
        'precision': getattr(args, 'precision', 'float32'),
        'versions': {'tensorflow': None, 'numpy': np.__version__,
                     'python': platform.python_version()},
        'processor': processor.name(),
    }


def write(folder: Path, record: dict) -> None:
    """Write folder/run.json, whole or not at all; UserError (status 1) if the disk refuses."""
    unfinished = folder / UNFINISHED
    try:
        with open(str(unfinished), 'w', encoding='utf-8') as file:
            file.write(json.dumps(record, indent=2) + '\n')
            file.flush()
            os.fsync(file.fileno())  # a power cut must not take it
        os.replace(str(unfinished), str(folder / 'run.json'))
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise UserError(f'{folder}: run.json could not be written, is the disk full or the folder '
                        f'gone? ({error.strerror})', 1) from error


def read(folder) -> dict:
    """A run's record; UserError if the folder holds none. Whoever wrote it, its types are right."""
    path = Path(folder, 'run.json')
    if not path.is_file():
        raise UserError(f'{folder} is not the folder of a run: it has no run.json')
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f'{path.stat().st_size:,} bytes')
        record = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path}: damaged ({error})') from error
    if not isinstance(record, dict):
        record = {}
    for name, kinds in FIELDS.items():
        if name not in record or not _is(record[name], kinds):
            raise UserError(f'{path}: not the record of a run ({name} is missing or wrong)')
    return record


def _is(value, kinds):
    """Whether a value of run.json is what FIELDS asks for: types, or what a dictionary must have.
    """
    if isinstance(kinds, dict):
        return isinstance(value, dict) and all(
            name in value and _is(value[name], inner) for name, inner in kinds.items())
    if isinstance(kinds, list):  # a dictionary with values of these types
        return isinstance(value, dict) and all(_is(inner, tuple(kinds)) for inner in value.values())
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return any(_is(value, kind) if isinstance(kind, (dict, list)) else _is_a(value, kind)
               for kind in kinds)


def _is_a(value, kind):
    """isinstance, but True is no number, neither are infinities, and 1 is also a float.

    Text is printable and short: a terminal may show it.
    """
    if isinstance(value, str) and not (value.isprintable() and len(value) <= 1000):
        return False
    if kind is not bool and isinstance(value, bool):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if isinstance(value, int) and abs(value) > 2 ** 63:
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def new_folder(args) -> Path:
    """Make --run-dir, or runs/SCRIPT/TIME-seedN; UserError if it holds something already."""
    if args.run_dir:
        folder = Path(args.run_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = {path.name for path in folder.iterdir()} - {locks.NAME, UNFINISHED}
        except OSError as error:
            raise locks.unkept(folder, error) from error
        if held:
            raise UserError(f'{folder} is not empty: add --resume to go on with the run in it, or '
                            'name another folder')
        return folder
    return timed_folder(paths.RUNS, args.script, args.seed)


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


def folders(script: str) -> list:
    """The folders in runs/ of a script's runs, oldest first."""
    return sorted(path.parent for path in (paths.RUNS / script).glob('*/run.json'))


def newest_unfinished(script: str) -> Path:
    """The folder of the script's newest run that did not finish; UserError if there is none."""
    for folder in reversed(folders(script)):
        try:
            if read(folder)['status'] in ('running', 'interrupted'):
                return folder
        except UserError as error:  # one damaged run must not keep the others from going on
            print(f'skipped: {error}', file=sys.stderr)
    raise UserError(f'no run of {script}.py in {paths.RUNS} waits to be resumed')
