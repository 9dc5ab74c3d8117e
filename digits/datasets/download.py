"""Downloads that end whole or not at all: mirrors, checksums, progress, going on after a kill.

Until a file is complete and verified its bytes are in NAME.part. The process that works on
NAME.part holds a lock on it, which the system drops when the process dies: what is there is then
continued with a Range request (RFC 9110, section 14). A process that finds it locked downloads
into a .part of its own, and whoever is first gives the file its name.
"""
import contextlib
import hashlib
import http.client
import os
import queue
import re
import secrets
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple, Optional, Sequence

from tqdm import tqdm

from digits import locks
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
LARGEST = 2**30  # bytes: where the size is not known, the end of our patience


class DownloadError(UserError):
    """A file that is not here and could not be had: what, from where, why, and what to do."""


class _Order(NamedTuple):
    """What to get from where; the words are fetch's."""
    url: str
    name: str
    size: Optional[int]
    sha256: Optional[str]
    quiet: bool
    timeout: float
    slowest: int


class _MirrorFailed(Exception):
    """One mirror's failure; the text is the reason. The bytes in .part may be continued."""


class _WrongBytes(_MirrorFailed):
    """The same, and the bytes in .part are not to be trusted."""


def fetch_mnist(folder: str, quiet: bool = False, mirrors=MIRRORS, names=tuple(FILES)) -> list:
    """The paths of MNIST's four files, or those named, in `folder`; downloads those not there.

    Raises DownloadError at the first file that cannot be had: without a network all four fail
    alike, and nobody should wait four times.
    """
    return [fetch(name, folder, mirrors, *FILES[name], quiet) for name in names]


def complete(folder: Path, mirrors: Sequence[str] = MIRRORS, quiet: bool = False) -> None:
    """Download the files of a data set that are not in `folder`, in any form that idx finds.

    What comes from MNIST's own mirrors is verified by its SHA-256.
    """
    for name in (name + '.gz' for name in idx.NAMES if idx.find(folder, name) is None):
        known = FILES[name] if set(mirrors) <= set(MIRRORS) else ()
        fetch(name, str(folder), mirrors, *known, quiet=quiet)


def fetch(name: str, folder: str, mirrors=MIRRORS, size: Optional[int] = None,
          sha256: Optional[str] = None, quiet: bool = False, timeout: float = 4.0,
          slowest: int = 8000) -> str:
    """The path of file `name` in `folder`, downloaded from the first mirror that gives it whole.

    A file that is there is returned as it is, and no mirror is asked. `mirrors` are addresses of
    folders, http or https. `size` (bytes) and `sha256` (hex) are checked before the file gets its
    name; without `sha256` a download must be as long as its server says, a .gz must begin as gzip
    does, and nothing is continued, since the bytes of two servers might not belong together.

    `timeout` is in seconds: to reach one address of a mirror, and for a pause in its answer. A
    mirror must begin to answer within 1.5 times that, whatever name resolution or many addresses
    take, so two mirrors that swallow every packet cost 12 s. `slowest` is in bytes per second,
    averaged over 2.5 times `timeout`.

    Proxies come from the environment, as urllib does it. Redirects are followed, also from https
    to http: a known SHA-256 does not care, and without one you trust the mirror that you named.

    Raises DownloadError, one sentence, also if the folder cannot be written to or is full.
    """
    path = os.path.join(folder, name)
    if os.path.isfile(path):
        return path
    reasons = []
    try:
        os.makedirs(folder, exist_ok=True)
        with _open_part(path, sha256 is not None) as part:
            for mirror in mirrors:
                if os.path.isfile(path):  # another process was quicker
                    return path
                url = mirror.rstrip('/') + '/' + name
                try:
                    _download(part, _Order(url, name, size, sha256, quiet, timeout, slowest))
                except _MirrorFailed as failure:
                    # A server's own words may hold line ends or a terminal's control characters.
                    reason = ''.join(c if c.isprintable() else ' ' for c in str(failure)).strip()
                    reasons.append(f'{_host(url)} ({reason})')
                else:
                    _give_name(part, path)
                    return path
    except OSError as error:
        raise DownloadError(
            f'cannot write {name} to {os.path.abspath(folder)} ({error.strerror}): point '
            '--data-dir or MNIST_DATA_DIR at a folder that you may write to and that has room'
        ) from error
    raise DownloadError(
        f'cannot download {name} from {" or ".join(reasons)}: put the file into '
        f'{os.path.abspath(folder)} yourself, or point --data-dir or MNIST_DATA_DIR at '
        'a folder that has it')


def _download(part, order):
    """Completes and verifies `part`; starts over, once, if what was there turns out wrong."""
    offset = part.seek(0, os.SEEK_END)
    try:
        if offset == 0 or offset != order.size:  # else killed between the last byte and the name
            _transfer(part, offset, order)
        part.flush()
        os.fsync(part.fileno())
        _verify(part, order)
    except _WrongBytes:
        part.truncate(0)
        if offset == 0:
            raise
        _download(part, order)


def _verify(part, order):
    """Reads back what is on the disk."""
    part.seek(0)
    if order.sha256:
        digest = hashlib.sha256()
        for block in iter(lambda: part.read(2**20), b''):
            digest.update(block)
        if digest.hexdigest() != order.sha256:
            raise _WrongBytes('wrong SHA-256')
    elif order.name.endswith('.gz') and part.read(2) != b'\x1f\x8b':
        raise _WrongBytes('sent something that is not gzip')


def _transfer(part, offset, order):
    """Appends what the server sends to the `offset` bytes of `part`, or replaces them by it."""
    if not order.quiet:  # before asking, so that nobody looks at nothing while a mirror is silent
        amount = f' ({tqdm.format_sizeof(order.size)}B)' if order.size else ''
        print(f'downloading {order.name} from {_host(order.url)}{amount}',
              file=sys.stderr, flush=True)
    with _network(order.timeout):
        headers = {'Range': f'bytes={offset}-'} if offset else {}
        response = _ask(urllib.request.Request(order.url, headers=headers), order.timeout)
    with response:
        if response.status == 206:
            first = re.match(r'bytes (\d+)-', response.headers.get('Content-Range', ''))
            if not first or int(first.group(1)) != offset:
                raise _WrongBytes('sent another part of the file than asked for')
        elif response.status == 200:  # the whole file, also where a part was asked for
            offset = 0
        else:
            raise _MirrorFailed(f'answered {response.status}')

        declared = response.length  # bytes to come; None: the server does not say
        whole = order.size if declared is None else offset + declared
        most = order.size or LARGEST
        if whole is None and order.sha256 is None and not response.chunked:
            raise _MirrorFailed('does not say how long the file is')
        if whole is not None and (whole > most or order.size not in (None, whole)):
            kind = response.headers.get('Content-Type', 'unknown type')
            raise (_WrongBytes if offset else _MirrorFailed)(
                f'offers {whole:,} bytes of {kind}, not {"" if order.size else "at most "}{most:,}')
        part.truncate(offset)
        # One byte too many is enough to see that a server goes on and on.
        end = most + 1 if declared is None else whole
        offset = _copy(response, part, offset, end, whole, order)
    if offset > most:
        raise _WrongBytes(f'sent more than {most:,} bytes')
    if whole is not None and offset < whole:
        raise _MirrorFailed(f'broke off after {offset:,} of {whole:,} bytes')


def _copy(response, part, offset, end, whole, order):
    """Appends to `part` until it has `end` bytes or the server closes; returns how many it has."""
    with tqdm(total=whole, initial=offset, unit='B', unit_scale=True,
              disable=True if order.quiet else None) as bar:  # None: not if stderr is no terminal
        since, received = time.monotonic(), 0
        while offset < end:
            with _network(order.timeout):
                # read1 returns what has arrived; read would wait for all of it
                chunk = response.read1(min(2**16, end - offset))
            if not chunk:
                break
            part.write(chunk)
            bar.update(len(chunk))
            offset += len(chunk)
            received += len(chunk)
            elapsed = time.monotonic() - since
            if elapsed > 2.5 * order.timeout:
                if received < order.slowest * elapsed:
                    raise _MirrorFailed(f'slower than {order.slowest:,} bytes/s')
                since, received = time.monotonic(), 0
    return offset


def _ask(request, timeout):
    """urlopen, with a bound on all that it does before the first byte of an answer.

    No time-out of Python's covers name resolution, and a socket's counts for each address of a
    name again (Amazon gives several). So the asking is done in a thread, which is left to itself if
    it takes too long.
    """
    answers = queue.Queue()

    def ask():
        try:
            # Built for each request, so that it knows today's proxies; neither file: nor ftp:.
            opener = urllib.request.OpenerDirector()
            for handler in (urllib.request.ProxyHandler, urllib.request.UnknownHandler,
                            urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
                            urllib.request.HTTPDefaultErrorHandler,
                            urllib.request.HTTPRedirectHandler,
                            urllib.request.HTTPErrorProcessor):
                opener.add_handler(handler())
            answers.put(opener.open(request, timeout=timeout))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=1.5 * timeout)
    except queue.Empty:
        raise _MirrorFailed(f'no answer within {1.5 * timeout:g} s') from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@contextlib.contextmanager
def _network(timeout):
    """Turns what urllib raises into the reason why a mirror failed."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # RFC 9110, 15.5.17: no such range, so .part is not of this file
            raise _WrongBytes('answered 416') from error
        what = ', a redirect that is not followed' if 300 <= error.code < 400 else ''
        raise _MirrorFailed(f'answered {error.code}{what}') from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, socket.timeout):
            reason = f'timed out after {timeout:g} s'
        elif isinstance(cause, socket.gaierror):
            reason = 'name not resolved'
        elif isinstance(cause, http.client.IncompleteRead):
            reason = 'broke off'
        else:
            reason = getattr(cause, 'strerror', None) or str(cause) or type(cause).__name__
        raise _MirrorFailed(reason) from error


def _host(url):
    """The host and port of an address, without the password that may stand before them."""
    return re.sub(r'^\w+://([^/]*@)?', '', url).split('/')[0] or url


@contextlib.contextmanager
def _open_part(path, resumable):
    """The file to download into: NAME.part if it may be continued and is free, else a new one."""
    suffix = '.part' if resumable else f'.{secrets.token_hex(4)}.part'
    with open(path + suffix, 'a+b') as part:
        if not resumable or locks.take(part):
            try:
                yield part
            except OSError:
                resumable = False  # the disk is full: give the room back
                raise
            finally:
                if not part.closed and (not resumable or os.path.isfile(path)
                                        or os.path.getsize(part.name) == 0):
                    _remove(part)
            return
    with _open_part(path, resumable=False) as part:
        yield part


def _give_name(part, path):
    """Renames the verified file. Windows does that to closed files only; elsewhere the lock is
    held until it is done, so that nobody else takes the file for a part to be continued."""
    if not locks.fcntl:
        part.close()
    for attempt in range(50):
        try:
            os.replace(part.name, path)
            break
        except OSError:
            if os.path.isfile(path):  # another process was quicker
                _remove(part)
                break
            if locks.fcntl or attempt == 49:
                raise
            time.sleep(0.1)  # somebody, a virus scanner say, has it open
    part.close()


def _remove(part):
    """Deletes the file: as in _give_name, closed on Windows, elsewhere under the lock."""
    if not locks.fcntl:
        part.close()
    with contextlib.suppress(OSError):
        os.remove(part.name)
