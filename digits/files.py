"""Atomic writing of files."""
import contextlib
import os
from pathlib import Path
from typing import Iterator

UNFINISHED = '.unfinished'  # suffix of a file that is being written


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
