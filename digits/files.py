"""Atomic writing of files."""
import contextlib
import os
from pathlib import Path

UNFINISHED = '.unfinished'  # suffix of a file that is being written


def fsync(path: Path) -> None:
    """Flush the file to the disk, so that it survives a power cut."""
    with open(str(path), 'rb+') as file:
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically; raise OSError if that fails."""
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with open(str(unfinished), 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(str(unfinished), str(path))
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
