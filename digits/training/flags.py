"""The flags of all training scripts, and how a resumed run gets its own."""
import argparse
import copy
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

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


class Parser(command_line.Parser):
    """A Parser that knows the option string of each flag."""

    def __init__(self, prog: str, description: Optional[str]):
        self.options: Dict[str, str] = {}  # {'batch_size': '--batch-size'}
        super().__init__(prog, description)

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """As ArgumentParser.add_argument."""
        action = super().add_argument(*names, **options)
        self.options[action.dest] = (action.option_strings or [''])[-1]
        return action

    def typed(self, name: str, value: Any) -> List[str]:
        """The command-line words that set the flag `name` to a value."""
        if value is None or value is False:
            return []
        values = [] if value is True else value if isinstance(value, list) else [value]
        # The shorter of 1e-05 and 0.00001, but only if it is the same number.
        return [self.options[name], *(
            f'{word:g}' if isinstance(word, float) and float(f'{word:g}') == word else str(word)
            for word in values)]

    def given(self, argv: Optional[Sequence[str]] = None) -> Dict[str, Any]:
        """The flags on the command line, without defaults."""
        absent = object()  # argparse sets a default only for a missing attribute
        found = self.parse_args(argv, argparse.Namespace(
            **dict.fromkeys(vars(self.parse_args(argv)), absent)))
        return {name: value for name, value in vars(found).items() if value is not absent}


def parser(script: str, doc: Optional[str], *, steps: Optional[int] = None,
           epochs: Optional[int] = None, batch_size: Optional[int] = None,
           learning_rate: Optional[float] = None, precision: Optional[str] = 'float32') -> Parser:
    """The parser of a training script; the keywords are that script's defaults.

    script: its __file__; doc: its __doc__. steps and epochs exclude each other. A script without
    batch_size trains on all images at once; one with precision=None does not use TensorFlow.
    A lesson may add flags of its own: run.json keeps them and --resume restores them. Those named
    like parameters of the lesson's inference are passed to it when a classifier is restored.
    """
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
    args, given = parser.parse_args(argv), parser.given(argv)
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
