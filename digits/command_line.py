"""The words that all scripts share on the command line, and how they end."""
import argparse
import contextlib
import copy
import os
import sys
from pathlib import Path

from digits import paths
from digits.errors import UserError
from digits.training import records

# Between a run and its resume, or between two runs of one recipe.
MAY_DIFFER = {'run_dir', 'resume', 'quiet', 'data_dir', 'device', 'plots', 'local', 'job_name',
              'task_index', 'ps_hosts', 'worker_hosts', 'wait', 'checkpoint_every'}
NO_RECIPE = MAY_DIFFER | {'seed', 'dataset', 'summary_every'}  # it has columns of its own


def whole(text: str) -> int:
    """argparse type: a whole number from 1 to a thousand million, of steps or epochs."""
    return _within(text, 1, 10 ** 9)


def _within(text, least, most):
    if not text.isdecimal() or len(text) > 20 or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(
            f'{text[:40]!r} is not a whole number from {least} to {most:,}')
    return int(text)


def seed(text: str) -> int:
    """argparse type: what every random generator here takes as a seed."""
    return _within(text, 0, 2 ** 31 - 2)


def count(text: str) -> int:
    """argparse type: a whole number from 0 to a million, of images: they are held in memory."""
    return _within(text, 0, 10 ** 6)


def port(text: str) -> int:
    """argparse type: a TCP port, 0 for any."""
    return _within(text, 0, 65535)


def share(text: str) -> float:
    """argparse type: a number from 0 up to, but not, 1."""
    value = spread(text)
    if value >= 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not below 1')
    return value


def spread(text: str) -> float:
    """argparse type: a number from 0 to 1e38."""
    return 0.0 if text in ('0', '0.0') else rate(text)


def rate(text: str) -> float:
    """argparse type: a number above 0, up to 1e38: near the end of float32."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e38:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number above 0 and up to 1e38')
    return value


def data_flags(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir and --dataset: where digits come from."""
    parser.add_argument('--data-dir', metavar='DIR', default=os.environ.get('MNIST_DATA_DIR')
                        or str(paths.PROJECT_ROOT / 'data'),
                        help='folder of the MNIST files (default: $MNIST_DATA_DIR, or data/)')
    parser.add_argument('--dataset', choices=['auto', 'mnist', 'strokes'], default='auto',
                        help='mnist; strokes (drawn by a program, no download); auto: MNIST if it '
                        'can be had, else strokes (default)')


def training_flags(script: str, doc: str, *, steps=None, epochs=None, batch_size=None,
                   learning_rate=None, precision='float32', loss_every=None,
                   watched=True) -> argparse.ArgumentParser:
    """The parser of a training script; the keywords are that script's defaults.

    script: its __file__; doc: its __doc__. steps and epochs exclude each other. A script without
    batch_size trains on all images at once; one with precision=None does not use TensorFlow; one
    that is not watched cannot print or draw what happens on the way.
    """
    parser = argparse.ArgumentParser(prog=Path(script).name, description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    data_flags(parser)
    length = parser.add_mutually_exclusive_group()
    length.add_argument('--epochs', type=whole, default=epochs, metavar='N',
                        help='passes over the training images' + _default(epochs))
    length.add_argument('--steps', type=whole, default=steps, metavar='N',
                        help='or: minibatches to train on' + _default(steps))
    if batch_size:
        parser.add_argument('--batch-size', type=whole, default=batch_size, metavar='N',
                            help='images a step' + _default(batch_size))
        parser.add_argument('--validation-size', type=count, default=5000, metavar='N',
                            help='training images to watch instead of learning from (default 5000)')
    if batch_size and watched:
        parser.add_argument('--loss-every', type=whole, default=loss_every, metavar='N',
                            help="print every N-th epoch's average loss" + _default(loss_every))
        parser.add_argument('--score-test-every', type=whole, metavar='N',
                            help='print loss and accuracy of the test set every N steps: how the '
                            'first tutorials watched training')
    parser.add_argument('--learning-rate', type=rate, default=learning_rate, metavar='RATE',
                        help='size of the steps' + _default(learning_rate))
    parser.add_argument('--seed', type=seed, default=0, metavar='N',
                        help='of weights and shuffles; the same seed gives the same numbers (0)')
    if precision:
        parser.add_argument('--device', default='auto', metavar='NAME', type=device,
                            help='auto, cpu, gpu, or gpu:1 for the second one (auto)')
        parser.add_argument('--precision', choices=['auto', 'float32', 'bfloat16'],
                            default=precision, help='of matrix products; auto: bfloat16 where '
                            f'the processor is made for it{_default(precision)}')
    if watched:
        parser.add_argument('--summary-every', type=count, default=100, metavar='N',
                            help='write to TensorBoard every N steps; 0: nothing (default 100)')
        parser.add_argument('--plots', action='store_true',
                            help='draw digits, learning curves, weights and what was missed')
    parser.add_argument('--run-dir', metavar='DIR',
                        help='the folder to write (default: a new one in runs/), '
                        'or with --resume the one to go on in')
    parser.add_argument('--resume', action='store_true',
                        help='go on with the interrupted run in --run-dir, or with the newest')
    parser.add_argument('--quiet', action='store_true', help='print results only')
    parser.set_defaults(script=Path(script).stem)
    return parser


def parse(parser: argparse.ArgumentParser, argv=None) -> argparse.Namespace:
    """The flags; with --resume those of the interrupted run, which args.run_dir then names.

    Raises UserError if no run waits to be resumed, or if a flag contradicts the one that does.
    """
    args, given = parser.parse_args(argv), _given(parser, argv)
    for flag, other in (('epochs', 'steps'), ('steps', 'epochs')):
        if flag in given:  # the other one's default does not count then
            setattr(args, other, None)
    args.recipe = _recipe(parser, args)
    if not args.resume:
        return args
    folder = Path(args.run_dir) if args.run_dir else records.newest_unfinished(args.script)
    record = records.read(folder)
    if record['script'] != args.script:
        raise UserError(f'{folder} is a run of {record["script"]}.py')
    if record['status'] == 'finished':
        raise UserError(f'{folder} is finished (test accuracy {record["test_accuracy"]}): there is '
                        'nothing to resume')
    kept = _kept(parser, folder, record['flags'])
    for name, value in given.items():
        if name not in MAY_DIFFER and kept.get(name) != value:
            raise UserError(f'--{name.replace("_", "-")} {value}: the run to resume has '
                            f'{kept.get(name)}; leave the flag out')
    vars(args).update(kept, run_dir=str(folder))
    if record['dataset'] == 'strokes':  # 'auto' might find MNIST by now
        args.dataset = 'strokes'
    if 'precision' in kept:  # and choose otherwise on another machine
        args.precision = record['precision']
    return args


def _kept(parser, folder, flags):
    """The flags that run.json records, held to the rules for typed ones; UserError otherwise."""
    def refuse(reason):
        raise UserError(f'{folder}: its run.json is not the record of a run ({reason})')

    kept, words = {}, []
    for action in parser._actions:
        if action.dest in MAY_DIFFER | {'help'} or action.dest not in flags:
            continue
        value = kept[action.dest] = flags[action.dest]
        if value is not None and value is not False:
            words.append(action.option_strings[0])
            if value is not True:
                words.extend(map(str, value if isinstance(value, list) else [value]))
    parser = copy.deepcopy(parser)
    parser.error = refuse
    if any(vars(parser.parse_args(words))[name] != value for name, value in kept.items()
           if value is not None):
        refuse('a flag in it is of a wrong type')
    lengths = 'steps', 'epochs'
    if any(map(parser.get_default, lengths)) and not any(map(kept.get, lengths)):
        refuse('neither steps nor epochs')
    return kept


def _recipe(parser, args):
    """The flags that shape a run and are not at their defaults, in the order of --help."""
    words = []
    for action in parser._actions:
        value = getattr(args, action.dest, None)
        if action.dest in NO_RECIPE or value in (None, action.default):
            continue
        words.append(action.option_strings[0])
        if value is not True:
            words.extend(f'{number:g}' if isinstance(number, float) else str(number)
                         for number in (value if isinstance(value, list) else [value]))
    return ' '.join(words)


def _given(parser, argv):
    """The flags that are really on the command line, without the defaults."""
    parser = copy.deepcopy(parser)
    for action in parser._actions:
        action.default = argparse.SUPPRESS
    parser._defaults.clear()
    return vars(parser.parse_args(argv))


def device(text: str) -> str:
    """argparse type: auto, cpu, gpu or gpu:N."""
    kind, colon, number = text.partition(':')
    if text in ('auto', 'cpu', 'gpu') or (kind == 'gpu' and colon and number.isdecimal()):
        return text
    raise argparse.ArgumentTypeError(f'{text!r} is none of auto, cpu, gpu, gpu:N')


def _default(value):
    return '' if value is None else f' (default {value})'


@contextlib.contextmanager
def waiting(text, quiet=False):
    """Show a text on a terminal for as long as what is in the block takes."""
    shown = sys.stderr.isatty() and not quiet
    if shown:
        print(f'{text} ...', end='', file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print('\r' + ' ' * (len(text) + 4) + '\r', end='', file=sys.stderr, flush=True)


def run(main) -> None:
    """Call a script's main() and leave with its exit status: mistakes end in a sentence."""
    sys.stdout.reconfigure(errors='backslashreplace')  # as stderr: any file's name can be shown
    try:
        main()
    except UserError as error:
        _leave(error, error.exit_status)
    except KeyboardInterrupt:
        _leave('interrupted', 130)
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except OSError as error:  # a full disk, a folder without permission
        if error.strerror is None:
            raise
        _leave(f'{error.filename or "writing"}: {error.strerror}', 1)


def _leave(sentence, status):
    print(f'{Path(sys.argv[0]).name}: {sentence}', file=sys.stderr)
    raise SystemExit(status) from None
