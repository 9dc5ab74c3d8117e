"""The data set that a script's flags ask for: MNIST, another one in IDX files, or strokes."""
import argparse
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, List

import numpy as np
from tqdm import tqdm

from digits.datasets import dataset, download, idx, ink, skeletons, splines, strokes, world
from digits.errors import UserError

# What makes a folder's files MNIST and not another data set under the same names.
MNIST_TEST_LABELS = 'ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5'
STROKES_SEED = 0  # the embedded data set is one data set: --seed does not change it


def load(args: argparse.Namespace, dtype: Any = np.float32) -> dataset.Datasets:
    """Load what args.dataset, .data_dir, .validation_size, .seed and .quiet ask for.

    'mnist': the files in data_dir, downloaded if they are not there. 'strokes': the embedded digits
    drawn from pen strokes. 'auto': MNIST if it is there or can be downloaded, else strokes, after a
    notice on stderr. dtype: float32, or uint8 for pixels in [0, 255].
    Raises UserError for corrupt files, and with 'mnist' where a download fails.
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
            print(f'{error}\nUntil then this learns from strokes: digits that a program draws, '
                  'not MNIST.', file=sys.stderr)
            name = 'strokes'
    arrays = _strokes(folder, args.quiet) if name == 'strokes' else idx.read_folder(folder)
    if name == 'MNIST' and hashlib.sha256(arrays[3].tobytes()).hexdigest() != MNIST_TEST_LABELS:
        name = folder.resolve().name
    if arrays[0].shape[1:] != (28, 28, 1):
        raise UserError(f'{folder}: images of {arrays[0].shape[1]} x {arrays[0].shape[2]} pixels; '
                        'these scripts read 28 x 28')
    datasets = dataset.split(arrays, False, args.validation_size, np.random.RandomState(args.seed),
                             dtype=dtype, reshape=True)
    datasets.name = name
    datasets.seconds = time.perf_counter() - started
    return datasets


def _strokes(folder: Path, quiet: bool) -> List[Any]:
    """Draw the embedded data set, or read it again: 60,000 images to train on, 10,000 to test.

    It is kept as IDX files in a subfolder of `folder` whose name has a hash of the generator's
    source, so that a changed generator never meets the digits of an older one.
    """
    modules = strokes, skeletons, world, splines, ink
    source = hashlib.sha256(b''.join(Path(str(module.__file__)).read_bytes()
                                     for module in modules))
    kept = folder / f'strokes-{source.hexdigest()[:8]}'
    if kept.is_dir():
        return idx.read_folder(kept)
    with tqdm(total=70000, desc='drawing digits', unit=' images', leave=False,
              disable=quiet or None) as bar:
        images, labels = strokes.make(70000, STROKES_SEED, bar.update)
    images = images[..., np.newaxis]
    arrays = [images[:60000], labels[:60000], images[60000:], labels[60000:]]
    unfinished = folder / f'strokes-unfinished-{os.getpid()}'
    try:
        unfinished.mkdir(parents=True)
        idx.write_folder(unfinished, arrays)
        unfinished.rename(kept)  # whole or not at all
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not kept.is_dir():  # another process was not faster, so something is wrong
            print(f'The drawn digits cannot be kept for the next time: {error}', file=sys.stderr)
    return arrays
