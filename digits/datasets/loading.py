"""The data set that a script's flags select: MNIST, another one in IDX files, or strokes."""
import argparse
import hashlib
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any, List

import numpy as np
from tqdm import tqdm

from digits import command_line, paths
from digits.datasets import dataset, download, idx, ink, skeletons, splines, strokes, world
from digits.errors import UserError

STROKES_SEED = 0  # --seed does not change the data set


def load(args: argparse.Namespace, dtype: Any = np.float32) -> dataset.Datasets:
    """Load the data set for args.dataset, .data_dir, .validation_size, .seed and .quiet.

    'mnist': the files in data_dir, downloaded if they are not there. 'strokes': digits drawn by a
    program. 'auto': MNIST if it is there or can be downloaded, else strokes, after a notice on
    stderr. dtype: float32, or uint8 for pixels in [0, 255].
    Raises UserError for corrupt files, for a validation_size that leaves no image of some digit to
    train on, and with 'mnist' where a download fails.
    """
    started = time.perf_counter()
    folder = Path(args.data_dir)
    name = 'strokes' if args.dataset == 'strokes' else 'MNIST'
    if name == 'MNIST':
        try:
            download.complete(folder, quiet=args.quiet)
        except download.DownloadError as error:
            if args.dataset == 'mnist':
                raise
            print(f'{command_line.printable(error)}\nUntil then this learns from strokes: digits '
                  'drawn by a program, not MNIST.', file=sys.stderr)
            name = 'strokes'
    arrays = _strokes(args.quiet) if name == 'strokes' else idx.read_folder(folder)
    if name == 'MNIST':
        name = dataset.name_of(folder, arrays)
    if arrays[0].shape[1:] != (28, 28, 1):
        raise UserError(f'{folder}: images of {arrays[0].shape[1]} x {arrays[0].shape[2]} pixels; '
                        'these scripts read 28 x 28')
    largest = min((int(np.flatnonzero(arrays[1] == digit)[-1]) for digit in np.unique(arrays[1])),
                  default=0)
    if args.validation_size > largest:
        raise UserError(f'--validation-size {args.validation_size}: give a number from 0 to '
                        f'{largest:,}, so that every digit is left to train on')
    datasets = dataset.split(arrays, False, args.validation_size, np.random.RandomState(args.seed),
                             dtype=dtype, reshape=True)
    datasets.name = name
    datasets.seconds = time.perf_counter() - started
    return datasets


def _strokes(quiet: bool) -> List[Any]:
    """Draw 60,000 training and 10,000 test images, or read those of an earlier run.

    They are saved as IDX files in data/ or, if that cannot be written to, in the platform's cache
    folder: never in a folder that the user named for other data. The name has a hash of the
    generator's source; images of other generators are removed.
    """
    modules = strokes, skeletons, world, splines, ink
    source = hashlib.sha256(b''.join(Path(str(module.__file__)).read_bytes()
                                     for module in modules))
    name = f'strokes-{source.hexdigest()[:8]}'
    if (paths.DATA / name).is_dir():
        return idx.read_folder(paths.DATA / name)
    cache = _cache_folder()
    if (cache / name).is_dir():
        return idx.read_folder(cache / name)
    with tqdm(total=70000, desc='drawing digits', unit=' images', leave=False,
              disable=quiet or None) as bar:
        images, labels = strokes.make(70000, STROKES_SEED, bar.update)
    images = images[..., np.newaxis]
    arrays = [images[:60000], labels[:60000], images[60000:], labels[60000:]]
    try:
        try:
            _keep(arrays, paths.DATA / name)
        except OSError:
            _keep(arrays, cache / name)
    except OSError as error:
        print(f'The drawn digits cannot be saved for the next run: {error}', file=sys.stderr)
    return arrays


def _cache_folder():
    """The platform's cache folder for this project."""
    import pooch  # imported here: with requests it takes 0.1 to 0.3 s
    return Path(pooch.os_cache('mnist-tutorials'))


def _keep(arrays, folder):
    """Save strokes in a folder, atomically, and remove those of other generators beside it."""
    unfinished = folder.with_name(f'strokes-unfinished-{os.getpid()}')
    try:
        unfinished.mkdir(parents=True)
        idx.write_folder(unfinished, arrays)
        unfinished.rename(folder)
    except OSError:
        shutil.rmtree(str(unfinished), ignore_errors=True)
        if not folder.is_dir():  # no other process has written it, so this is an error
            raise
    for other in folder.parent.glob('strokes-*'):
        if re.fullmatch('strokes-[0-9a-f]{8}', other.name) and other != folder:
            shutil.rmtree(str(other), ignore_errors=True)
