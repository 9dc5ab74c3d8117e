"""Atomic writing of files."""
import contextlib
import os
from pathlib import Path
from typing import Iterator, Sequence, Union

from digits.errors import UserError

UNFINISHED = '.unfinished'  # suffix of a file that is being written


def check(path: Union[str, Path], names: Sequence[str] = ()) -> None:
    """Raise UserError unless `path` can be a new file, other than the pictures `names`."""
    folder = os.path.dirname(str(path))
    if not os.path.isdir(folder or os.curdir):
        raise UserError(f'{path}: there is no folder {folder}; make it first')
    if os.path.isdir(str(path)):
        raise UserError(f'{path}: is a folder; name a file')
    if os.path.realpath(str(path)) in map(os.path.realpath, names):
        raise UserError(f'{path}: is one of the pictures to read; name another file')


def fsync(path: Path) -> None:
    """Flush the file to the disk, so that it survives a power cut."""
    with open(str(path), 'rb+') as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces `path` at the end of the block."""
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        yield unfinished
        fsync(unfinished)
        os.replace(str(unfinished), str(path))
    finally:
        with contextlib.suppress(OSError):  # it is gone if all went well
            unfinished.unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically; raise OSError if that fails."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)
