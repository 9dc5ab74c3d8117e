"""MNIST as tensorflow.examples.tutorials.mnist.input_data gave it, and the lessons' own door to it.

    from digits import input_data
    mnist = input_data.read_data_sets('data', one_hot=True, seed=1)
    images, labels = mnist.train.next_batch(100)

`read_data_sets` and `DataSet` keep the classic module's signature, split, types and, for the same
seed, its batches bit for bit; only images stay uint8 in memory and are scaled a batch at a time.
`load` is what the lessons call: it decides which data set there is to learn from.
"""
import collections
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from digits.datasets import download, idx, strokes
from digits.errors import UserError

DEFAULT_SOURCE_URL = 'https://storage.googleapis.com/cvdf-datasets/mnist/'
# What makes a folder's files MNIST and not another data set under the same names.
MNIST_TEST_LABELS = 'ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5'
STROKES_SEED = 0  # the embedded data set is one data set: --seed does not change it


class Datasets(collections.namedtuple('Datasets', 'train validation test')):
    """The three DataSets of a data set; `name` is 'MNIST', 'strokes' or its folder's name."""

    name = ''
    seconds = 0.0  # spent on loading

    @property
    def label(self):
        """What must stand behind a score on this data set: nothing if it is MNIST."""
        return '' if self.name == 'MNIST' else f' ({self.name}, not MNIST)'


class DataSet:
    """Images and labels that come in shuffled batches, epoch after epoch.

    images: uint8 [num_examples, rows, columns, 1]; labels: [num_examples] or one-hot.
    dtype: float32 gives pixels in [0, 1], uint8 leaves them in [0, 255].
    seed: an int or None, for NumPy's global stream as the classic module seeded it, or a stream to
    share: a RandomState.
    fake_data: every batch is ones, labelled 0 (one-hot if `one_hot`), as the classic module does.
    """

    def __init__(self, images, labels, fake_data=False, one_hot=False,
                 dtype=np.float32, reshape=True, seed=None):
        self._dtype = np.dtype(getattr(dtype, 'as_numpy_dtype', dtype))  # tf.float32 has that
        if self._dtype not in (np.dtype(np.uint8), np.dtype(np.float32)):
            raise TypeError(f'Invalid image dtype {dtype!r}, expected uint8 or float32')
        self._random = seed if hasattr(seed, 'shuffle') else _classic_stream(seed)
        self._first_state = self._random.get_state()
        self.one_hot = one_hot
        if fake_data:
            self._count = 10000
            self._pixels, self._targets = images, labels
        else:
            if images.shape[0] != labels.shape[0]:
                raise UserError(f'images.shape: {images.shape} labels.shape: {labels.shape}')
            self._count = images.shape[0]
            rows, columns = images.shape[1:3]
            self._pixels = images.reshape(self._count, rows * columns) if reshape else images
            self._targets = labels
        self._given = self._count
        # Apart from the others, which may be on the disk still.
        self._added = np.empty([0, *np.shape(self._pixels)[1:]], np.uint8)
        self._rewind()

    def _rewind(self):
        self._order = None  # as given, until the first shuffle
        self._images = None
        self._epochs_completed = 0
        self._index_in_epoch = 0

    @property
    def images(self):
        """All images in today's order: [num_examples, 784] (or rows, columns, 1), made if asked."""
        if self._images is None:
            self._images = self._scaled(
                self._kept(slice(None) if self._order is None else self._order))
        return self._images

    @property
    def labels(self):
        """All labels in today's order: uint8 [num_examples], or float64 one-hot."""
        return self._targets if self._order is None else self._targets[self._order]

    @property
    def pixels(self):
        """All images as they were given, without what was added: uint8 [n, 784]."""
        return self._pixels

    @property
    def num_examples(self):
        return self._count

    def add(self, images, labels):
        """More to learn from, uint8 [n, 28, 28] with labels [n] or one for all; not to score.

        Before the first batch. What is drawn in_order stays as it was.
        """
        self._added = np.concatenate([self._added, images.reshape(-1, self._pixels.shape[1])])
        labels = np.broadcast_to(np.asarray(labels, self._targets.dtype), len(images))
        self._targets = np.concatenate([self._targets, labels])
        self._count += len(images)

    @property
    def epochs_completed(self):
        return self._epochs_completed

    def next_batch(self, batch_size, fake_data=False, shuffle=True):
        """The next `batch_size` images and labels; the order is drawn anew for every epoch.

        A batch may reach over the end of an epoch: it has the rest of one and the start of the
        next.
        """
        if fake_data:
            label = [1] + [0] * 9 if self.one_hot else 0
            return [[1] * 784] * batch_size, [label] * batch_size
        start = self._index_in_epoch
        if shuffle and start == 0 and self._epochs_completed == 0:
            self._shuffle()
        end = start + batch_size
        if end <= self._count:
            self._index_in_epoch = end
            return self._rows(start, end)
        rest_images, rest_labels = self._rows(start, self._count)
        self._epochs_completed += 1
        if shuffle:
            self._shuffle()
        self._index_in_epoch = end - self._count
        images, labels = self._rows(0, self._index_in_epoch)
        return np.concatenate([rest_images, images]), np.concatenate([rest_labels, labels])

    def seek(self, position):
        """Go where `position` images have been drawn, all in shuffled batches, since the start.

        Costs a shuffle for every epoch that begins on the way: since the start if the way is back.
        The three DataSets of read_data_sets draw their shuffles from one stream, as in the classic
        module: seek counts on the others having drawn none.
        """
        now = self._epochs_completed * self._count + self._index_in_epoch
        if self._order is None or position < now:
            self._random.set_state(self._first_state)
            self._rewind()
        if position == 0:
            return
        epochs = (position - 1) // self._count
        begun = self._epochs_completed + (self._order is not None)
        for _ in range(epochs + 1 - begun):
            self._shuffle()
        self._epochs_completed = epochs
        self._index_in_epoch = position - epochs * self._count

    def in_order(self, batch_size):
        """Yield (images, labels) once through, as they were given; the last may be smaller."""
        for start in range(0, self._given, batch_size):
            rows = slice(start, min(start + batch_size, self._given))
            yield self._scaled(np.asarray(self._pixels[rows])), self._targets[rows]

    def _shuffle(self):
        shuffled = np.arange(self._count)
        self._random.shuffle(shuffled)
        self._order = shuffled if self._order is None else self._order[shuffled]
        self._images = None

    def _rows(self, start, end):
        rows = slice(start, end) if self._order is None else self._order[start:end]
        return self._scaled(self._kept(rows)), self._targets[rows]

    def _kept(self, rows):
        """The images of some rows, those given and then those added, as they are kept."""
        if not len(self._added):
            return np.asarray(self._pixels[rows])
        rows = np.arange(self._count)[rows]
        given = rows < self._given
        pixels = np.empty([len(rows), *self._added.shape[1:]], np.uint8)
        pixels[given] = self._pixels[rows[given]]
        pixels[~given] = self._added[rows[~given] - self._given]
        return pixels

    def _scaled(self, pixels):
        if self._dtype == np.uint8:
            return pixels
        return np.multiply(pixels, np.float32(1 / 255), dtype=np.float32)


def _classic_stream(seed):
    """NumPy's global stream, seeded as the classic module did, which shuffled with it.

    So batches also follow a script's own np.random.seed, and its draws in between, as they did. The
    classic module asked TensorFlow's get_seed: a script's tf.set_random_seed counts too.
    """
    tensorflow = sys.modules.get('tensorflow')
    if tensorflow:
        graph_seed, op_seed = tensorflow.compat.v1.get_seed(seed)
        np.random.seed(graph_seed if seed is None else op_seed)
    else:
        np.random.seed(None if seed is None else seed % (2 ** 31 - 1))
    return np.random


def read_data_sets(train_dir, fake_data=False, one_hot=False, dtype=np.float32, reshape=True,
                   validation_size=5000, seed=None, source_url=DEFAULT_SOURCE_URL):
    """The classic call: Datasets of the IDX files in `train_dir`, downloaded if they are not there.

    The first `validation_size` training images become the validation set. Images are float32 in
    [0, 1], [num_examples, 784]; dtype=uint8 and reshape=False change that; labels are uint8 or,
    with one_hot, float64 [num_examples, 10]. Files may be gzipped or plain; Fashion-MNIST, KMNIST
    and others of this layout work from a folder of their own.
    Raises UserError, a ValueError, naming the file that is missing or damaged.
    """
    options = {'dtype': dtype, 'reshape': reshape}
    if fake_data:
        return Datasets(*(DataSet([], [], True, one_hot, seed=seed, **options) for _ in range(3)))
    folder = Path(train_dir)
    _complete(folder, source_url)
    return _split(idx.read_folder(folder), one_hot, validation_size, _classic_stream(seed),
                  **options)


def load(args, dtype=np.float32):
    """The Datasets that a lesson's flags ask for: args.dataset, .data_dir, .validation_size, .seed
    and .quiet.

    'mnist': the files in data_dir, downloaded if they are not there. 'strokes': the embedded digits
    made from pen strokes. 'auto': MNIST if it can be had, else strokes, after a notice.
    Raises UserError for damaged files, and with 'mnist' if there are none and no way to get them.
    """
    started = time.perf_counter()
    folder = Path(args.data_dir)
    name = 'strokes' if args.dataset == 'strokes' else 'MNIST'
    if name == 'MNIST':
        try:
            _complete(folder, DEFAULT_SOURCE_URL, args.quiet)
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
    datasets = _split(arrays, False, args.validation_size, np.random.RandomState(args.seed),
                      dtype=dtype, reshape=True)
    datasets.name = name
    datasets.seconds = time.perf_counter() - started
    return datasets


def _split(arrays, one_hot, validation_size, random, **options):
    """Datasets of (train images, train labels, test images, test labels).

    They draw their shuffles from one stream, `random`, as in the classic module.
    """
    train_images, train_labels, test_images, test_labels = arrays
    if not 0 <= validation_size <= len(train_images):
        raise UserError(f'Validation size should be between 0 and {len(train_images)}. '
                        f'Received: {validation_size}.')
    if one_hot:
        train_labels, test_labels = np.eye(10)[train_labels], np.eye(10)[test_labels]
    validation, train = slice(validation_size), slice(validation_size, None)
    return Datasets(DataSet(train_images[train], train_labels[train], seed=random, **options),
                    DataSet(train_images[validation], train_labels[validation], seed=random,
                            **options),
                    DataSet(test_images, test_labels, seed=random, **options))


def _complete(folder, source_url, quiet=False):
    """Download what is missing; official sources are checked against the official checksums."""
    missing = [name + '.gz' for name in idx.NAMES if idx.find(folder, name) is None]
    if source_url in ('', None, DEFAULT_SOURCE_URL, *download.MIRRORS):
        download.fetch_mnist(str(folder), quiet, names=missing)
    else:
        for name in missing:
            download.fetch(name, str(folder), mirrors=[source_url], quiet=quiet)


def _strokes(folder, quiet):
    """The embedded data set's four arrays: 60,000 images to train on, 10,000 for the test.

    Kept as IDX files in a folder of `folder` that is named after the generator's source, so that
    another generator never meets the digits of an older one.
    """
    source = hashlib.sha256(Path(strokes.__file__).read_bytes()).hexdigest()
    kept = folder / f'strokes-{source[:8]}'
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
