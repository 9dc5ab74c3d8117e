"""The flags of all training scripts, and how a resumed run gets its own."""
import argparse
import copy
import random
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from digits import command_line
from digits.command_line import non_negative_int, positive_float, positive_int
from digits.datasets import idx
from digits.errors import UserError
from digits.training import folders
from digits.training.record import Record

# Flags that may differ when a run is resumed.
MAY_DIFFER = {'run_dir', 'resume', 'quiet', 'data_dir', 'device', 'plots', 'local', 'job_name',
              'task_index', 'ps_hosts', 'worker_hosts', 'wait', 'checkpoint_every'}
# Those of them that a command which continues a run repeats, if they were given.
REPEATED = ('data_dir', 'device', 'plots', 'quiet')
# Flags that are not part of the recipe: compare.py has columns for them, or ignores them.
NOT_IN_RECIPE = MAY_DIFFER | {'seed', 'dataset', 'summary_every'}
PLAIN = (None, str, int, float)  # argparse types that give one value
MAX_COUNT = 100  # how often a switch is repeated at most, whatever a run.json says


class Parser(command_line.Parser):
    """A Parser that knows the actions of each flag, also of those in groups."""

    def __init__(self, prog: str, description: Optional[str]):
        self.options: Dict[str, List[argparse.Action]] = {}  # by name, 'batch_size'
        super().__init__(prog, description)

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """As ArgumentParser.add_argument."""
        return self._noted(super().add_argument(*names, **options))

    def add_argument_group(self, *names: Any, **options: Any) -> Any:
        """As ArgumentParser.add_argument_group."""
        return self._noting(super().add_argument_group(*names, **options))

    def add_mutually_exclusive_group(self, **options: Any) -> Any:
        """As ArgumentParser.add_mutually_exclusive_group."""
        return self._noting(super().add_mutually_exclusive_group(**options))

    def _noted(self, action):
        self.options.setdefault(action.dest, []).append(action)
        return action

    def _noting(self, group):
        add = group.add_argument
        group.add_argument = lambda *names, **options: self._noted(add(*names, **options))
        return group

    def typed(self, name: str, value: Any) -> List[str]:
        """The command-line words that set the flag `name` to a value."""
        if value is None:
            return []
        action = self.options[name][-1]
        if action.nargs == 0 and type(value) is int and action.const is None:  # action='count'
            return list(action.option_strings[-1:]) * min(value - (action.default or 0), MAX_COUNT)
        if action.nargs is None and isinstance(value, list) and action.type in PLAIN:  # 'append'
            return [f'{action.option_strings[-1]}={each}' for each in value]
        if action.nargs == 0:  # a switch, of which there may be several
            for action in self.options[name]:
                for word in action.option_strings:  # of BooleanOptionalAction two, without const
                    means = not word.startswith('--no-') if action.const is None else action.const
                    if means == value:
                        return [word]
            return []
        # The shorter of 1e-05 and 0.00001, but only if it is the same number.
        words = ['True' * each if isinstance(each, bool) else
                 f'{each:g}' if isinstance(each, float) and float(f'{each:g}') == each else
                 str(each) for each in (value if isinstance(value, list) else [value])]
        if action.nargs is None:
            words = [','.join(words)]
        option = action.option_strings[-1:]
        if option and len(words) == 1 and words[0].startswith('-'):
            return [f'{option[0]}={words[0]}']
        return [*option, *words]

    def require_none(self) -> None:
        """Make all flags optional: a resumed run has them in run.json."""
        for actions in self.options.values():
            for action in actions:
                action.required = action.required and not action.option_strings

    def given(self, argv: Optional[Sequence[str]] = None) -> Dict[str, Any]:
        """The flags on the command line, without defaults."""
        parser = copy.deepcopy(self)
        parser.require_none()
        for name, actions in parser.options.items():
            parser.set_defaults(**{name: None})  # also in the place of those set before
            for action in actions:
                action.default = argparse.SUPPRESS
        found = vars(parser.parse_args(argv))
        return {name: value for name, value in found.items()
                if name in self.options and value is not None}


def parser(script: str, doc: Optional[str], *, steps: Optional[int] = None,
           epochs: Optional[int] = None, batch_size: Optional[int] = None,
           learning_rate: Optional[float] = None, precision: Optional[str] = 'float32') -> Parser:
    """The parser of a training script; the keywords are that script's defaults.

    script: its __file__; doc: its __doc__. steps and epochs exclude each other. A script without
    batch_size trains on all images at once; one with precision=None does not use TensorFlow.
    A lesson may add flags of its own: run.json keeps them and --resume restores them. Those named
    like parameters of the lesson's inference are passed to it when a classifier is restored.
    Raises UserError if the script's name is none that Python can import, or if it is in a folder
    where other scripts do not look for lessons.
    """
    place = Path(script).resolve()
    if not place.stem.isidentifier():
        raise UserError('a lesson is imported by the name of its file: rename this one, to '
                        'letters, digits and _ only')
    if place.exists() and folders.lesson_path(place.stem) != place:
        raise UserError(f'predict.py and the others look for {place.name} beside them, and then in '
                        'articles/: move this lesson there, or rename it if there is another one')
    made = Parser(Path(script).name, doc)
    command_line.data_flags(made)
    made.add_argument('--epochs', type=positive_int, default=epochs, metavar='N',
                      help='passes over the training images' + _default(epochs))
    made.add_argument('--steps', type=positive_int, default=steps, metavar='N',
                      help='or: minibatches to train on' + _default(steps))
    if batch_size:
        made.add_argument('--batch-size', type=positive_int, default=batch_size, metavar='N',
                          help='images per step' + _default(batch_size))
        made.add_argument('--validation-size', type=non_negative_int, default=5000, metavar='N',
                          help='training images kept for validation (default 5000)')
    made.add_argument('--learning-rate', type=positive_float, default=learning_rate, metavar='RATE',
                      help='learning rate of the optimizer' + _default(learning_rate))
    made.add_argument('--seed', type=command_line.seed, default=0, metavar='N',
                      help='random seed; the same seed gives the same numbers (default 0)')
    if precision:
        made.add_argument('--device', default='auto', metavar='NAME', type=command_line.device,
                          help='auto, cpu, gpu, or gpu:1 for the second one (auto)')
        made.add_argument('--precision', choices=['auto', 'float32', 'bfloat16'], default=precision,
                          help='of matrix products; auto: bfloat16 where the processor has '
                          f'instructions for it{_default(precision)}')
    made.add_argument('--summary-every', type=non_negative_int, default=100, metavar='N',
                      help='write to TensorBoard every N steps; 0: nothing (default 100)')
    made.add_argument('--plots', action='store_true',
                      help='draw digits, learning curves, weights and missed digits')
    made.add_argument('--run-dir', metavar='DIR',
                      help='folder of the run (default: a new one in runs/), '
                      'or with --resume the run to continue')
    made.add_argument('--resume', action='store_true',
                      help='continue the run in --run-dir, or the newest unfinished one')
    made.add_argument('--quiet', action='store_true', help='print results only')
    made.set_defaults(script=Path(script).stem)
    return made


def parse_args(parser: Parser, argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """The flags; with --resume those of the unfinished run, whose folder is then args.run_dir.

    args.recipe: the flags that shape the run and differ from their defaults, as typed.
    args.repeated: the given flags that run.json does not supply to a resumed run, as words.
    A resumed run reads its own data folder, if it still holds data, unless --data-dir is given.
    Raises UserError if there is no unfinished run, or if a flag contradicts the one there is.
    """
    given = parser.given(argv)
    if given.get('resume'):
        parser.require_none()
    args = parser.parse_args(argv)
    random.seed(args.seed)  # tf.layers and tf.keras draw the seeds of initial values from it
    np.random.seed(args.seed)  # for a lesson that uses it: each run begins alike
    if {'epochs', 'steps'} <= set(given):
        parser.error('argument --steps: not allowed with argument --epochs')
    for flag, other in (('epochs', 'steps'), ('steps', 'epochs')):
        if flag in given:  # the other one's default does not apply then
            setattr(args, other, None)
    args.recipe = ' '.join(
        word for name, value in vars(args).items()
        if name in parser.options and name not in NOT_IN_RECIPE
        and value != parser.get_default(name) for word in parser.typed(name, value))
    args.repeated = [word for name in REPEATED if name in given
                     for word in parser.typed(name, given[name])]
    if not args.resume:
        return args
    folder = Path(args.run_dir) if args.run_dir else folders.newest_unfinished(args.script)
    record = Record.read(folder)
    if record.script != args.script:
        raise UserError(f'{folder} is a run of {record.script}.py')
    if record.status == 'finished':
        raise UserError(f'{folder} is finished (test accuracy {record.test_accuracy}): there is '
                        'nothing to resume')
    kept = _kept(parser, folder, record.flags)
    for name, value in given.items():
        if name not in MAY_DIFFER and name in kept and kept[name] != value:
            raise UserError(f'{" ".join(parser.typed(name, value))}: the run to resume has '
                            f'{kept[name]}; leave the flag out')
    vars(args).update(kept, run_dir=str(folder), recipe=record.recipe)
    # 'auto' might now find MNIST, or not find it.
    args.dataset = 'strokes' if record.dataset == 'strokes' else 'mnist'
    if 'data_dir' not in given and holds_data(record.flags.get('data_dir')):
        args.data_dir = record.flags['data_dir']
    if 'precision' in kept:  # 'auto' may differ on another machine
        args.precision = record.precision
    return args


def holds_data(folder: Any) -> bool:
    """Whether `folder`, of a run.json, names one with the four files: no download then."""
    try:
        return isinstance(folder, str) and all(idx.find(Path(folder), name) for name in idx.NAMES)
    except (ValueError, OSError):  # no possible name, several data sets, no permission
        return False


def _kept(parser, folder, flags):
    """The flags in run.json, validated like those on the command line; UserError otherwise."""
    def refuse(reason):
        raise UserError(f'{folder}: its run.json is not the record of a run ({reason})')

    kept = {name: value for name, value in flags.items()
            if name in parser.options and name not in MAY_DIFFER}
    checking = copy.deepcopy(parser)
    checking.error = refuse
    words = [word for name, value in kept.items() for word in parser.typed(name, value)]
    typed = vars(checking.parse_args(words))
    for name, value in kept.items():
        if value is None:
            continue
        if type(typed[name]) not in (bool, int, float, str, list):  # converted by an argparse type
            kept[name] = typed[name]
        elif typed[name] != value:
            refuse('a flag in it is of a wrong type')
    lengths = 'steps', 'epochs'
    if any(map(parser.get_default, lengths)) and not any(map(kept.get, lengths)):
        refuse('neither steps nor epochs')
    return kept


def _default(value):
    return '' if value is None else f' (default {value})'
