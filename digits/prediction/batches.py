"""Many pictures: from words on the command line to names, and to images, read on all cores."""
import collections
import functools
import glob
import io
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from digits.errors import UserError
from digits.pictures import (
    ENDINGS,
    is_transparent,
    naming_errors,
    one_digit,
    open_picture,
    upright,
)
from digits.prediction.results import Result

BATCH = 64  # pictures that are read, classified and printed at once
AHEAD = 64  # batches that are read before they are asked for: TensorFlow takes seconds to start
MAX_INPUT_BYTES = 100 * 10 ** 6  # of standard input, which is kept in memory


def named(words: Sequence[str], recursive: bool = False) -> List[str]:
    """The names of the pictures that words on the command line stand for.

    A folder stands for what ends like a picture in it, sorted, with `recursive` also in the
    folders in it; hidden ones are left out. A folder without a picture stays as it is: reading it
    raises.
    """
    names: List[str] = []
    for word in words:
        # Not every shell turns data/*.jpg into names; a name that is there is no pattern.
        for name in [word] if os.path.lexists(word) else sorted(glob.glob(word)) or [word]:
            names += (_inside(name, recursive) if os.path.isdir(name) else []) or [name]
    return names


def _inside(folder, recursive):
    found, unreadable = [], []
    # Links to folders are not followed, so none leads round in circles.
    for path, folders, files in os.walk(
            folder, onerror=lambda error: unreadable.append(error.filename)):
        found += [os.path.join(path, file) for file in files
                  if file.lower().endswith(ENDINGS) and not file.startswith('.')]
        folders[:] = [name for name in folders if recursive and not name.startswith('.')]
    return sorted(found + unreadable)


@functools.lru_cache(maxsize=None)
def standard_input() -> bytes:
    """What comes in on standard input, cut after MAX_INPUT_BYTES + 1; read once."""
    return sys.stdin.buffer.read(MAX_INPUT_BYTES + 1) if sys.stdin else b''  # None if it is closed


def source(name: str, data: Optional[bytes] = None) -> Union[str, io.BytesIO]:
    """What open_picture takes for a name; for '-' a file in memory of `data` or of standard input.

    Raises UserError if the name is that of a folder, or if there is nothing or too much in data.
    """
    if os.path.isdir(name):
        try:
            os.listdir(name)
        except OSError as error:
            raise UserError(f'{name}: cannot be read ({error.strerror}); check its permissions'
                            ) from None
        raise UserError(f'{name}: no picture in it; name a folder with pictures, or add -r for '
                        'those in its folders')
    if name != '-':
        return name
    data = standard_input() if data is None else data
    if not data:
        raise UserError('-: nothing comes in on standard input; pipe a picture into it')
    if len(data) > MAX_INPUT_BYTES:
        raise UserError(f'-: more than {MAX_INPUT_BYTES // 10 ** 6} MB on standard input; make the '
                        'picture smaller')
    file = io.BytesIO(data)
    file.name = name
    return file


def for_display(each: Result, longest: int) -> Tuple[np.ndarray, int, int]:
    """Return a Result's picture for figures, and the picture's width and height in pixels.

    The array is uint8 [h, w, 3], or float [h, w] if its levels have no agreed range, neither side
    over `longest`; what is transparent is grey.
    """
    if not each.file:
        return each.images[0], 28, 28
    file = source(each.name)
    with naming_errors(file):
        image = upright(open_picture(file))
    size = image.size
    if image.mode == 'F' or image.mode.startswith('I'):
        image = Image.fromarray(np.asarray(image, np.float32))
    elif image.mode == 'LAB':  # Pillow turns it into nothing else
        image = image.getchannel(0).convert('RGB')
    elif not is_transparent(image):
        image = image.convert('RGB')
    else:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', size, (160, 160, 160)), image
                                      ).convert('RGB')
    image.thumbnail((longest, longest))
    return np.asarray(image), size[0], size[1]


def read_pictures(names: Sequence[str], page: bool = False, data: Optional[bytes] = None
                  ) -> List[Result]:
    """A Result for each name; `page`: with all digits in it; data: what '-' stands for."""
    pictures = []
    for name in names:
        try:
            file = source(name, data)
            if page:
                from digits.pictures import page as several  # one digit needs none
                pictures.append(Result(name, **several.read(file)._asdict()))
            else:
                pictures.append(Result(name, one_digit.read(file)[np.newaxis]))
        except UserError as error:
            sentence = str(error)
            if sentence.endswith(one_digit.NO_DIGIT) and _has_several(name, data):
                sentence = sentence.replace(one_digit.NO_DIGIT, one_digit.SEVERAL)
            pictures.append(Result(name, error=sentence))
    return pictures


def _end_with_parent(alive):
    """In a child process: end at once when the parent, which has the other end of `alive`, ends."""
    def watch():
        multiprocessing.connection.wait([alive])
        os._exit(1)
    threading.Thread(target=watch, daemon=True).start()


def _has_several(name, data):
    """Whether a picture that is not one digit has several, most of them of one height."""
    from digits.pictures import page
    try:
        boxes = page.read(source(name, data)).boxes
    except UserError:
        return False
    heights = boxes[:, 3] - boxes[:, 1]
    return len(boxes) > 1 and np.mean(abs(heights / np.median(heights) - 1) < 0.35) >= 0.75


def in_batches(names: Sequence[str], page: bool = False) -> Iterator[List[Result]]:
    """Yield read_pictures of BATCH names at a time, in order; many are read on all cores.

    AHEAD batches wait for their turn at most: memory does not grow with the number of names.
    """
    batches = [names[start:start + BATCH] for start in range(0, len(names), BATCH)]
    if len(batches) < 2:
        for batch in batches:
            yield read_pictures(batch, page)
        return
    data = standard_input() if '-' in names else None  # a child process has none
    # Spawned, not forked: a copy of a process with TensorFlow's threads in it may hang.
    context = multiprocessing.get_context('spawn')
    alive, ours = context.Pipe(duplex=False)  # SIGTERM and SIGKILL end us without a word to them
    with alive, ours, ProcessPoolExecutor(min(os.cpu_count() or 1, 8, len(batches)), context,
                                          _end_with_parent, (alive,)) as pool:
        def submit(batch):
            return pool.submit(read_pictures, batch, page, data if '-' in batch else None)

        answer = signal.signal(signal.SIGINT, signal.SIG_IGN)  # children leave Ctrl-C to us
        under_way = collections.deque(map(submit, batches[:AHEAD]))
        signal.signal(signal.SIGINT, answer)
        try:
            for batch in batches[AHEAD:]:
                yield under_way.popleft().result()
                under_way.append(submit(batch))
            while under_way:
                yield under_way.popleft().result()
        except BrokenProcessPool:
            raise UserError('a process that reads pictures was killed; is memory short?', 1
                            ) from None
        finally:
            for future in under_way:
                future.cancel()
