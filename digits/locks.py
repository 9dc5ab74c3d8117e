"""Locks that the operating system holds for a process, and drops when it dies, however it dies."""
import contextlib
import datetime
import os
import socket
from pathlib import Path

from digits.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt
    fcntl = None

NAME = 'run.lock'
FAR = 2 ** 30  # bytes: Windows bars everybody else from a locked byte; no file here has this one


def take(file) -> bool:
    """Whether `file` is now this process's, until it is closed, and still has its name."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between open and lock another process may have removed or renamed it.
            return os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))
        os.lseek(file.fileno(), FAR, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def unkept(folder: Path, error: OSError) -> UserError:
    """What to raise where the operating system lets nothing be written into a run's folder."""
    return UserError(f'{folder}: no run can be kept there ({error.strerror}); name another folder '
                     'with --run-dir')


@contextlib.contextmanager
def held(folder: Path):
    """One process at a time in a run's folder; the file in it says which, and goes at the end.

    Raises UserError if another process has it, or if nothing can be written there. After a kill the
    file stays, and binds nobody. Where the disk knows no locks, everybody is refused.
    """
    path = folder / NAME
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(str(path), 'a+', encoding='utf-8'))
        except OSError as error:
            raise unkept(folder, error) from error
        if not take(file):
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
            if not fcntl:  # Windows removes closed files only
                file.close()
            with contextlib.suppress(OSError):  # the folder is gone, or another was quicker
                path.unlink()
