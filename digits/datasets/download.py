"""Downloads with pooch from several mirrors, with limits on time and bytes.

pooch gets a file over HTTP (through the environment's proxies) and verifies its SHA-256. This
module adds several mirrors, limits, and one sentence instead of a traceback.
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
    """A file could not be downloaded or written; the sentence says why and what to do."""


class _MirrorFailed(Exception):
    """One mirror failed; the message says why."""


def complete(folder: Path, mirrors: Sequence[str] = MIRRORS, quiet: bool = False) -> None:
    """Download those files of a data set that idx does not find in `folder`.

    Files from MNIST's mirrors are verified by SHA-256. Raises DownloadError at the first file that
    fails: offline, all four would, each after its time-outs.
    """
    for name in (name + '.gz' for name in idx.NAMES if idx.find(folder, name) is None):
        size, sha256 = FILES[name] if set(mirrors) <= set(MIRRORS) else (None, None)
        fetch(name, folder, mirrors, size, sha256, quiet)


def fetch(name: str, folder: Path, mirrors: Sequence[str], size: Optional[int] = None,
          sha256: Optional[str] = None, quiet: bool = False, timeout: float = 4.0,
          min_rate: int = 8000) -> None:
    """Download file `name` into `folder`, unless it is there, from the first mirror that works.

    mirrors: URLs of folders, http or https. The file gets its final name when it is complete, is
    gzip, and has the SHA-256 (hex), if one is given.

    timeout: seconds for one address of a mirror to respond, and for a pause in its response. A
    mirror is abandoned if it has sent nothing after 1.5 times that, or less than `min_rate` bytes
    per second in a later period of that length, so two mirrors that drop every packet take 12 s.

    Raises DownloadError, also if the folder cannot be written to or is full.
    """
    path, reasons = folder / name, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for mirror in mirrors:
            if path.is_file():  # also if another process has downloaded it meanwhile
                return
            url = mirror.rstrip('/') + '/' + name
            host = re.sub(r'^\w+://([^/]*@)?', '', url).split('/')[0] or url  # without a password
            if not quiet:  # before the request, which may take seconds
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
            'MNIST_DATA_DIR at a writable folder with free space') from error
    if not path.is_file():
        raise DownloadError(
            f'cannot download {name} from {" or ".join(reasons)}: put the file into '
            f'{folder.absolute()} yourself, or point --data-dir or MNIST_DATA_DIR at a folder that '
            'has it')


@contextlib.contextmanager
def _attempt(path: Path) -> Iterator[Path]:
    """Yield the path of a file to download, which is moved to `path` at the end.

    It is in a separate folder, which no other process and no abandoned thread uses.
    """
    folder = path.with_name(f'{path.name}.{secrets.token_hex(4)}.part')
    folder.mkdir()
    try:
        yield folder / path.name
        os.chmod(str(folder / path.name), folder.stat().st_mode & 0o666)  # pooch's are private
        os.replace(str(folder / path.name), str(path))
    except PermissionError:  # Windows: another process has it open
        if not path.is_file():
            raise
    finally:
        for _ in range(5):  # an abandoned thread may yet create a file in it
            shutil.rmtree(str(folder), ignore_errors=True)


class _Bar(tqdm):
    """pooch's progress bar, which can also end a download: pooch calls it for every chunk."""

    received, max_bytes = 0, MAX_BYTES  # max_bytes 0: the download was abandoned

    def __bool__(self) -> bool:  # for pooch; tqdm's is False without a total
        return True

    def update(self, n: Any = 1) -> Any:
        self.received += n
        if self.received >= self.max_bytes + n:
            raise _MirrorFailed(f'sent more than {self.max_bytes:,} bytes')
        return super().update(n)

    def reset(self, total: Any = None) -> None:  # called before the last update, with the sum
        self.received = 0
        super().reset(total)


def _retrieve(url: str, part: Path, sha256: Optional[str], bar: _Bar, timeout: float,
              min_rate: int) -> None:
    """Download `part` in a thread, which is abandoned if it takes too long.

    The time-outs of requests do not limit name resolution, several addresses of a name, or a server
    that sends a byte now and then.
    """
    import pooch  # imported here: with requests it takes 0.1 to 0.3 s
    import requests
    pooch.get_logger().setLevel(logging.WARNING)
    # The system's certificates, which may include a company's, rather than those of requests.
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
            raise error  # the disk's, not the network's
        raise _MirrorFailed(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Return a short reason: the server's status, or the first cause."""
    response = getattr(error, 'response', None)
    if response is not None:
        return f'answered {response.status_code}'
    cause = error.__cause__ or error.__context__
    while cause and not isinstance(cause, ValueError):  # a parser's message, not its cause
        error, cause = cause, cause.__cause__ or cause.__context__
    reason = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return reason.split(': expected ')[0]  # pooch adds both SHA-256
