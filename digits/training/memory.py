"""Whether a training step fits into memory: what it needs, and what the machine has."""
from pathlib import Path
from typing import Any, Optional

from digits.errors import UserError

CGROUPS = Path('/sys/fs/cgroup')  # limits of a container or a batch system, on Linux
MEMINFO = Path('/proc/meminfo')


def available() -> Optional[int]:
    """The bytes that this process can still get: of the machine and of its cgroup, version 1 or 2.

    None on other systems than Linux.
    """
    kilobytes = _fields(MEMINFO).get('MemAvailable:')
    found = [] if kilobytes is None else [1024 * kilobytes]
    for limit, usage, stat, cache in (
            ('memory.max', 'memory.current', 'memory.stat', 'inactive_file'),
            ('memory/memory.limit_in_bytes', 'memory/memory.usage_in_bytes', 'memory/memory.stat',
             'total_inactive_file')):
        most, used = _number(CGROUPS / limit), _number(CGROUPS / usage)
        if most is not None and used is not None:  # file caches are dropped when memory is short
            found.append(most - used + _fields(CGROUPS / stat).get(cache, 0))
    return max(min(found), 0) if found else None


def check(model: Any, batch_size: int, processes: int = 1) -> None:
    """Raise UserError, with the largest batch that fits, if a step needs more than there is.

    model: a GraphModel that does not run on a GPU; processes: how many on this machine do the same
    at once.
    """
    free = available()
    if free is None:
        return
    fixed, an_image = model.step_bytes()
    needed = processes * (fixed + batch_size * an_image)
    if needed > free:
        most = max((free // processes - fixed) // max(an_image, 1), 0)
        what = f'use {most:,} or less' if most else 'no batch fits: free some memory'
        raise UserError(f'--batch-size {batch_size}: a step needs about {needed / 1e9:.1f} GB of '
                        f'memory, and {free / 1e9:.1f} GB are free; {what}')


def _number(path):
    """The number in a file; None if there is none, as in 'max'."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _fields(path):
    """{'MemFree:': 123} of lines such as 'MemFree: 123 kB'; {} without the file."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}
