"""Files that appear whole or not at all."""
import contextlib
import os
from pathlib import Path

UNFINISHED = '.unfinished'  # behind the name of a file that is being written


def fsync(path: Path) -> None:
    """Return when the file is on the disk, not in a buffer: a power cut must not take it."""
    with open(str(path), 'rb+') as file:
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; OSError if the disk refuses."""
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
