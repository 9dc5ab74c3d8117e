"""Downloads with pooch: from the first mirror that serves a file whole, as expected and in time.

pooch gets a file over HTTP (through the environment's proxies) and verifies its SHA-256. Here are
what it lacks: several mirrors, bounds on time and bytes, one sentence in place of a traceback.
"""
import contextlib
import logging
import os
import re
import secrets
import shutil
import ssl
import sys
import threading
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence

from tqdm import tqdm

from digits.datasets import idx
from digits.errors import UserError

MIRRORS = ('https://ossci-datasets.s3.amazonaws.com/mnist/',
           'https://storage.googleapis.com/cvdf-datasets/mnist/')
# name: (bytes, SHA-256)
FILES = {
    'train-images-idx3-ubyte.gz':
        (9912422, '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609'),
    'train-labels-idx1-ubyte.gz':
        (28881, '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c'),
    't10k-images-idx3-ubyte.gz':
        (1648877, '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6'),
    't10k-labels-idx1-ubyte.gz':
        (4542, 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6'),
}
MAX_BYTES = 2 ** 30  # of a file whose size is not known


class DownloadError(UserError):
    """A file that could not be downloaded or written: which, from where, why, and what to do."""


class _MirrorFailed(Exception):
    """Why one mirror failed."""


def complete(folder: Path, mirrors: Sequence[str] = MIRRORS, quiet: bool = False) -> None:
    """Download the files of a data set that are not in `folder`, in any form that idx finds.

    What comes from MNIST's own mirrors is verified by its SHA-256. Raises DownloadError at the
    first file that fails: without a network all four would, each after its time-outs.
    """
    for name in (name + '.gz' for name in idx.NAMES if idx.find(folder, name) is None):
        size, sha256 = FILES[name] if set(mirrors) <= set(MIRRORS) else (None, None)
        fetch(name, folder, mirrors, size, sha256, quiet)


def fetch(name: str, folder: Path, mirrors: Sequence[str], size: Optional[int] = None,
          sha256: Optional[str] = None, quiet: bool = False, timeout: float = 4.0,
          min_rate: int = 8000) -> None:
    """Download file `name` into `folder`, if it is not there, from the first mirror that gives it.

    `mirrors` are addresses of folders, http or https. The file gets its name when it is whole and
    has that SHA-256 (hex), if one is given, and begins as gzip does.

    `timeout` is in seconds, for one address of a mirror to answer and for a pause in its answer. A
    mirror that has sent nothing after 1.5 times that, or less than `min_rate` bytes per second in a
    later period as long, is given up, so two mirrors that swallow every packet cost 12 s.

    Raises DownloadError, one sentence, also if the folder cannot be written to or is full.
    """
    path, reasons = folder / name, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for mirror in mirrors:
            if path.is_file():  # also if another process was quicker
                return
            url = mirror.rstrip('/') + '/' + name
            host = re.sub(r'^\w+://([^/]*@)?', '', url).split('/')[0] or url  # without a password
            if not quiet:  # before asking: a mirror may be silent for seconds
                amount = f' ({tqdm.format_sizeof(size)}B)' if size else ''
                print(f'downloading {name} from {host}{amount}', file=sys.stderr, flush=True)
            try:
                with _attempt(path) as part, _Bar(unit='B', unit_scale=True,
                                                  disable=quiet or None) as bar:
                    bar.max_bytes = size or MAX_BYTES
                    _retrieve(url, part, sha256, bar, timeout, min_rate)
                    return
            except _MirrorFailed as failure:
                # A server's own words may hold line ends or a terminal's control characters.
                reason = ''.join(c if c.isprintable() else ' ' for c in str(failure)).strip()
                reasons.append(f'{host} ({reason})')
    except OSError as error:
        raise DownloadError(
            f'cannot write {name} to {folder.absolute()} ({error.strerror}): point --data-dir or '
            'MNIST_DATA_DIR at a folder that you may write to and that has room') from error
    if not path.is_file():
        raise DownloadError(
            f'cannot download {name} from {" or ".join(reasons)}: put the file into '
            f'{folder.absolute()} yourself, or point --data-dir or MNIST_DATA_DIR at a folder that '
            'has it')


@contextlib.contextmanager
def _attempt(path: Path) -> Iterator[Path]:
    """Yield the path of a file to download, which is moved to `path` at the end.

    It is in a folder of its own, so that neither another process nor a thread that was given up
    meets it.
    """
    folder = path.with_name(f'{path.name}.{secrets.token_hex(4)}.part')
    folder.mkdir()
    try:
        yield folder / path.name
        os.chmod(str(folder / path.name), folder.stat().st_mode & 0o666)  # pooch's are private
        os.replace(str(folder / path.name), str(path))
    except PermissionError:  # Windows: another process was quicker, and somebody reads its file
        if not path.is_file():
            raise
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)


class _Bar(tqdm):
    """pooch's progress bar, which can also end a download: pooch reports every chunk to it."""

    received, max_bytes = 0, MAX_BYTES  # 0: this download was given up

    def __bool__(self) -> bool:  # what pooch asks, and tqdm answers by the total, which it may lack
        return True

    def update(self, n: Any = 1) -> Any:
        self.received += n
        if self.received >= self.max_bytes + n:
            raise _MirrorFailed(f'sent more than {self.max_bytes:,} bytes')
        return super().update(n)

    def reset(self, total: Any = None) -> None:  # before the last update, of the sum
        self.received = 0
        super().reset(total)


def _retrieve(url: str, part: Path, sha256: Optional[str], bar: _Bar, timeout: float,
              min_rate: int) -> None:
    """Download `part` in a thread, which is left to itself if it takes too long.

    No time-out of requests bounds name resolution, all addresses of a name, or a dripping answer.
    """
    import pooch  # not before it is needed: with requests it takes 0.1 to 0.3 s
    import requests
    pooch.get_logger().setLevel(logging.WARNING)
    # The system's certificates, which may have a company's own, before those that requests brings.
    system = ssl.get_default_verify_paths()
    get = pooch.HTTPDownloader(
        progressbar=bar, timeout=timeout, headers={'Accept-Encoding': 'identity'},
        verify=os.environ.get('REQUESTS_CA_BUNDLE') or system.cafile or system.capath or True)
    failures: List[Exception] = []

    def work() -> None:
        try:
            pooch.retrieve(url, sha256, part.name, str(part.parent), downloader=get)
            with part.open('rb') as file:
                if file.read(2) != b'\x1f\x8b':
                    raise _MirrorFailed('sent something that is not gzip')
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    period = 1.5 * timeout
    while thread.is_alive():
        before = bar.received
        thread.join(period)
        if thread.is_alive() and bar.received < before + (min_rate * period if before else 1):
            bar.max_bytes = 0
            raise _MirrorFailed(f'slower than {min_rate:,} bytes/s' if bar.received else
                                f'no answer within {period:g} s')
    for error in failures:
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            raise error  # of the disk
        raise _MirrorFailed(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Say in a few words what went wrong: the server's status, or the first cause."""
    response = getattr(error, 'response', None)
    if response is not None:
        return f'answered {response.status_code}'
    cause = error.__cause__ or error.__context__
    while cause and not isinstance(cause, ValueError):  # a parser's own words
        error, cause = cause, cause.__cause__ or cause.__context__
    reason = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return reason.split(': expected ')[0]  # pooch goes on with both SHA-256
