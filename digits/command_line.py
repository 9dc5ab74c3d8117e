"""Flags that all scripts share, and exit statuses."""
import argparse
import contextlib
import difflib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, NoReturn, Optional, Sequence

from digits import environment, paths
from digits.errors import UserError

environment.check()


def positive_int(text: str) -> int:
    """argparse type: an integer from 1 to 1e9, of steps or epochs."""
    return _int_within(text, 1, 10 ** 9)


def non_negative_int(text: str) -> int:
    """argparse type: an integer from 0 to a million, a number of images in memory."""
    return _int_within(text, 0, 10 ** 6)


def seed(text: str) -> int:
    """argparse type: what every random generator here takes as a seed."""
    return _int_within(text, 0, 2 ** 31 - 2)


def port(text: str) -> int:
    """argparse type: a TCP port, 0 for any."""
    return _int_within(text, 0, 65535)


def _int_within(text, minimum, maximum):
    if not text.isdecimal() or len(text) > 20 or not minimum <= int(text) <= maximum:
        raise argparse.ArgumentTypeError(
            f'{text[:40]!r} is not a whole number from {minimum} to {maximum:,}')
    return int(text)


def positive_float(text: str) -> float:
    """argparse type: a number above 0, up to 1e38, nearly the largest float32."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e38:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number above 0 and up to 1e38')
    return value


def device(text: str) -> str:
    """argparse type: auto, cpu, gpu or gpu:N."""
    kind, colon, number = text.partition(':')
    if text in ('auto', 'cpu', 'gpu') or (kind == 'gpu' and colon and number.isdecimal()):
        return text
    raise argparse.ArgumentTypeError(f'{text!r} is none of auto, cpu, gpu, gpu:N')


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with the script's docstring, whose errors are one sentence."""

    def __init__(self, prog: str, description: Optional[str]):
        super().__init__(prog=prog, description=description,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ArgumentParser.parse_known_args, but --seed=-- is an error: argparse drops it."""
        for word in sys.argv[1:] if args is None else args:
            flag, is_given, value = word.partition('=')
            if flag[:1] == '-' and is_given and value == '--':
                self.error(f"argument {flag}: '--' is not a value")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the message, with the flag that was probably meant; SystemExit(2)."""
        head, _, words = message.partition('unrecognized arguments: ')
        wrong = [word.split('=')[0] for word in words.split() if not head and word[0] == '-']
        flags = re.findall(r'--[\w-]+', self.format_usage())
        meant = [flag for word in wrong for flag in difflib.get_close_matches(word, flags, 1)]
        hint = f'; did you mean {" and ".join(meant)}?' if meant else \
            '; --help lists all flags' if wrong else ''
        line = printable(' '.join(f'{message}{hint}'.split('\n')))
        self.exit(2, f'{self.prog}: {line}\n')


def data_flags(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir and --dataset: where digits come from."""
    parser.add_argument('--data-dir', metavar='DIR', default=os.environ.get('MNIST_DATA_DIR')
                        or str(paths.DATA),
                        help='folder of the MNIST files (default: $MNIST_DATA_DIR, or data/)')
    parser.add_argument('--dataset', choices=['auto', 'mnist', 'strokes'], default='auto',
                        help='mnist; strokes (drawn by a program, no download); auto: MNIST if '
                        'present or downloadable, else strokes (default)')


def printable(text: Any) -> str:
    """The text with control characters escaped: a name may hold what a terminal would obey."""
    return ''.join(letter if letter.isprintable() or letter == '\n' else
                   letter.encode('unicode_escape').decode() for letter in str(text))


def quoted(words: Sequence[str]) -> str:
    """The words as one line for this system's shell."""
    if os.name == 'nt':
        return subprocess.list2cmdline(words)
    return ' '.join(map(shlex.quote, words))


@contextlib.contextmanager
def waiting(text: str, quiet: bool = False) -> Iterator[None]:
    """Show a text on the terminal while the block runs."""
    shown = sys.stderr.isatty() and not quiet
    if shown:
        print(f'{text} ...', end='', file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print('\r' + ' ' * (len(text) + 4) + '\r', end='', file=sys.stderr, flush=True)


def run(main: Callable[[], Any]) -> None:
    """Call a script's main(); exit with a message and a status if it raises a UserError."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # like stderr, for any file name
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        main()
    except UserError as error:
        _leave(error, error.exit_status)
    except ModuleNotFoundError as error:  # of a package that is imported late
        package = environment.PACKAGES.get((error.name or '').split('.')[0])
        if package is None:
            raise
        environment.leave([package])
    except KeyboardInterrupt:
        _leave('interrupted', 130)
    except MemoryError:
        _leave('there is not enough memory; use a smaller --batch-size, or fewer images', 1)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except OSError as error:  # a full disk, a folder without permission
        if error.strerror is None:
            raise
        _leave(f'{error.filename or "writing"}: {error.strerror}', 1)


def _leave(sentence, status):
    print(f'{Path(sys.argv[0]).name}: {printable(sentence)}', file=sys.stderr)
    raise SystemExit(status) from None
