"""The lock of a run's folder. The operating system releases it when the process ends or is killed.

filelock was tried: 3.12, the last for Python 3.7, empties the file before it asks for the lock, so
an error message could not name the process, and the file could not be removed without a race.
"""
import contextlib
import datetime
import os
import socket
from pathlib import Path
from typing import IO, Iterator

from digits.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt
    fcntl = None  # type: ignore[assignment]

NAME = 'run.lock'
LOCKED_BYTE = 2 ** 30  # far behind the text: on Windows no other process can read a locked byte


def unkept(folder: Path, error: OSError) -> UserError:
    """Return the exception for a run's folder that cannot be written to."""
    return UserError(f'{folder}: cannot write a run there ({error.strerror}); name another folder '
                     'with --run-dir')


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock a run's folder. The lock file names this process, and is removed afterwards.

    Raises UserError if another process has the lock, if the folder cannot be written to, or if the
    file system has no locks. A stale lock file, of a process that was killed, is ignored.
    """
    path = folder / NAME
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(str(path), 'a+', encoding='utf-8'))
            locked = _lock(file)
        except OSError as error:
            raise unkept(folder, error) from error
        if not locked:
            file.seek(0)
            holder = ' '.join(file.read(200).split()) or 'another process'
            raise UserError(f'{folder}: {holder} is training in it; wait until it is done, stop '
                            'it, or name another folder with --run-dir')
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}, since '
                   f'{datetime.datetime.now():%Y-%m-%d %H:%M:%S},\n')
        file.flush()
        try:
            yield
        finally:
            if not fcntl:  # Windows cannot remove an open file
                file.close()
            with contextlib.suppress(OSError):  # the folder is gone, or the file
                path.unlink()


def _lock(file: IO) -> bool:
    """Lock a file until it is closed; return whether that succeeded and the file still exists.

    Raises OSError if the file system has no locks.
    """
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between open and lock the process that held it may have removed it.
            return os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))
        os.lseek(file.fileno(), LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except (BlockingIOError, PermissionError, FileNotFoundError):  # PermissionError: on Windows
        return False
    return True
