"""Many pictures: from words on the command line to names, and to images, read on all cores."""
import collections
import glob
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from digits import picture
from digits.errors import UserError

BATCH = 64  # pictures that are read, classified and printed at once
AHEAD = 64  # batches that are read before they are asked for: TensorFlow takes seconds to start


def named(words) -> tuple:
    """(names of the pictures that words on the command line stand for, sentences about mistakes).

    A folder stands for what ends like a picture in it, sorted; folders in it are left out.
    """
    names, mistakes = [], []
    for word in words:
        # Not every shell turns data/*.jpg into names.
        for name in (sorted(glob.glob(word)) if '*' in word else []) or [word]:
            if not os.path.isdir(name):
                names.append(name)
                continue
            inside = [path for path in sorted(glob.glob(os.path.join(glob.escape(name), '*')))
                      if path.lower().endswith(picture.ENDINGS) and not os.path.isdir(path)]
            names += inside
            if not inside:
                mistakes.append(f'{name}: no picture in it; name a folder with pictures')
    return names, mistakes


def read_pictures(names) -> tuple:
    """(names that could be read, their images uint8 [n, 28, 28], sentences about the others)."""
    readable, images, mistakes = [], [], []
    for name in names:
        try:
            images.append(picture.read(name))
            readable.append(name)
        except UserError as error:
            mistakes.append(str(error))
    return readable, np.array(images, np.uint8).reshape(-1, 28, 28), mistakes


def in_batches(names):
    """Yield what read_pictures gives of BATCH names after the other; many are read on all cores.

    AHEAD batches wait for their turn at most: memory does not grow with the number of names.
    """
    batches = [names[start:start + BATCH] for start in range(0, len(names), BATCH)]
    if len(batches) < 2:
        yield from map(read_pictures, batches)
        return
    # Spawned, not forked: a copy of a process with TensorFlow's threads in it may hang.
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 8, len(batches)),
                             multiprocessing.get_context('spawn')) as pool:
        answer = signal.signal(signal.SIGINT, signal.SIG_IGN)  # whom we start leaves Ctrl-C to us
        under_way = collections.deque(
            pool.submit(read_pictures, batch) for batch in batches[:AHEAD])
        signal.signal(signal.SIGINT, answer)
        try:
            for batch in batches[AHEAD:]:
                yield under_way.popleft().result()
                under_way.append(pool.submit(read_pictures, batch))
            while under_way:
                yield under_way.popleft().result()
        except BrokenProcessPool:
            raise UserError('a process that reads pictures was killed; is memory short?', 1
                            ) from None
        finally:
            for future in under_way:
                future.cancel()
