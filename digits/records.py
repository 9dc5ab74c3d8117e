"""run.json: what a run did, with which flags, on what, and how well; and where runs lie."""
import datetime
import json
import os
import platform
from pathlib import Path

import numpy as np

from digits import processor
from digits.errors import UserError

HOME = Path(__file__).resolve().parent.parent  # data/ and runs/ lie beside the scripts
ROOT = HOME / 'runs'

# What a run.json must have to be one; `new` says what each means.
FIELDS = {'script': str, 'status': str, 'recipe': str, 'flags': dict, 'dataset': str, 'seed': int,
          'steps': int, 'of_steps': int, 'parameters': (int, type(None)), 'precision': str,
          'test_accuracy': (float, type(None)), 'training_accuracy': (float, type(None)),
          'seconds': dict, 'versions': dict, 'processor': str, 'epoch_losses': dict,
          'looks': list}


def new(args, dataset: str, steps: int) -> dict:
    """The record of a run that begins. Seconds add up over its interruptions.

    `steps` counts the steps done, `of_steps` those to do; accuracies are in [0, 1], None until
    they are known; `best` is the best look at the validation set, `images_per_second` the speed of
    training alone. `recipe` is the flags that shape the run, as one would type them, without those
    at their defaults. `epoch_losses` has, for the step of each checkpoint, the sum of losses since
    its epoch began, for the average that --loss-every prints. `looks` has, for each time that the
    validation set was scored, the step and what was found. `doubt` is what doubt.fit found.
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
        'looks': [],
        'seconds': {'import': 0.0, 'data': 0.0, 'training': 0.0, 'whole': 0.0},
        'images_per_second': None,
        'precision': 'float32',
        'versions': {'tensorflow': None, 'numpy': np.__version__,
                     'python': platform.python_version()},
        'processor': processor.name(),
    }


def write(folder: Path, record: dict) -> None:
    """Write folder/run.json, whole or not at all."""
    unfinished = folder / 'run.json.unfinished'
    unfinished.write_text(json.dumps(record, indent=2) + '\n', encoding='utf-8')
    os.replace(unfinished, folder / 'run.json')


def read(folder) -> dict:
    """A run's record; UserError if the folder holds none."""
    path = Path(folder, 'run.json')
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise UserError(f'{folder} is not the folder of a run: it has no run.json') from None
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: damaged ({error})') from error
    if not isinstance(record, dict):
        record = {}
    for name, kind in FIELDS.items():
        if not isinstance(record.get(name), kind):
            raise UserError(f'{path}: not the record of a run ({name} is missing or wrong)')
    return record


def new_folder(args) -> Path:
    """Make --run-dir, or runs/SCRIPT/TIME-seedN; UserError if it holds something already."""
    if args.run_dir:
        folder = Path(args.run_dir)
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f'{folder} is not empty: add --resume to go on with the run in it, or '
                            'name another folder')
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    return timed_folder(ROOT, args.script, args.seed)


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
    raise UserError(f'{folder}: too many runs in one second')


def folders(script: str) -> list:
    """The folders in runs/ of a script's runs, oldest first."""
    return sorted(path.parent for path in (ROOT / script).glob('*/run.json'))


def newest_unfinished(script: str) -> Path:
    """The folder of the script's newest run that did not finish; UserError if there is none."""
    for folder in reversed(folders(script)):
        if read(folder)['status'] in ('running', 'interrupted'):
            return folder
    raise UserError(f'no run of {script}.py in {ROOT} waits to be resumed')
