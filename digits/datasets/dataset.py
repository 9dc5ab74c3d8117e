"""read_data_sets and DataSet, as in tensorflow.examples.tutorials.mnist.input_data.

They have the classic module's signature, split, types and, for the same seed, its batches bit for
bit. Unlike there, images stay uint8 in memory and are scaled one batch at a time.
"""
import hashlib
import sys
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from digits.datasets import download, idx
from digits.errors import UserError

DEFAULT_SOURCE_URL = download.MIRRORS[1]
# Tells MNIST from other data sets with the same file names.
MNIST_TEST_LABELS = 'ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5'
Batch = Tuple[np.ndarray, np.ndarray]  # images and their labels


class _Datasets(NamedTuple):
    train: 'DataSet'
    validation: 'DataSet'
    test: 'DataSet'


class Datasets(_Datasets):
    """The three DataSets of a data set; `name` is 'MNIST', 'strokes' or its folder's name."""

    name = ''
    seconds = 0.0  # spent on loading

    @property
    def label(self) -> str:
        """The text after a score on this data set: '' for MNIST."""
        return '' if self.name == 'MNIST' else f' ({self.name}, not MNIST)'


class DataSet:
    """Images and labels in shuffled batches, epoch after epoch.

    images: uint8 [num_examples, rows, columns, 1]; labels: [num_examples] or one-hot.
    dtype: float32 gives pixels in [0, 1], uint8 leaves them in [0, 255].
    seed: an int or None, to seed NumPy's global stream as the classic module did, or a RandomState
    to share.
    fake_data: without images; next_batch(n, fake_data=True) gives ones, labelled 0 (one-hot if
    `one_hot`), as the classic module does.
    """

    def __init__(self, images: Any, labels: Any, fake_data: bool = False, one_hot: bool = False,
                 dtype: Any = np.float32, reshape: bool = True, seed: Any = None):
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
        # Separate from the others, which may be on disk.
        self._added = np.empty([0, *np.shape(self._pixels)[1:]], np.uint8)
        self._rewind()

    def reseed(self, seed: int) -> None:
        """Begin again, with a random stream of its own: whatever else draws, the order is the same.
        """
        self._random = np.random.RandomState(seed)
        self._first_state = self._random.get_state()
        self._rewind()

    def _rewind(self):
        self._order = None  # in the given order, until the first shuffle
        self._images = None
        self._epochs_completed = 0
        self._index_in_epoch = 0

    @property
    def images(self) -> np.ndarray:
        """All images in this epoch's order: [num_examples, 784] (or rows, columns, 1)."""
        if self._images is None:
            self._images = self._scaled(
                self._kept(slice(None) if self._order is None else self._order))
        return self._images

    @property
    def labels(self) -> np.ndarray:
        """All labels in this epoch's order: uint8 [num_examples], or float64 one-hot."""
        return self._targets if self._order is None else self._targets[self._order]

    @property
    def pixels(self) -> Union[np.ndarray, idx.ImagesOnDisk]:
        """All images as they were given, without the added ones: uint8 [n, 784]."""
        return self._pixels

    @property
    def num_examples(self) -> int:
        """The number of images in an epoch, including the added ones."""
        return self._count

    def add(self, images: np.ndarray, labels: Any) -> None:
        """Add images to train on, uint8 [n, 28, 28], with labels [n] or one for all.

        Call it before the first batch. in_order, and so evaluation, leaves them out.
        """
        rows = images.reshape(-1, self._pixels.shape[1])
        self._added = np.concatenate([self._added, rows]) if len(self._added) else rows
        labels = np.broadcast_to(np.asarray(labels, self._targets.dtype), len(images))
        self._targets = np.concatenate([self._targets, labels])
        self._count += len(images)

    @property
    def epochs_completed(self) -> int:
        """The number of epochs that next_batch has completed."""
        return self._epochs_completed

    def next_batch(self, batch_size: int, fake_data: bool = False, shuffle: bool = True) -> Any:
        """Return the next `batch_size` images and labels; the order is shuffled for every epoch.

        A batch at the end of an epoch has the rest of it and the start of the next.
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

    def seek(self, position: int) -> None:
        """Go to the state after `position` images in shuffled batches since the start.

        Takes a shuffle for every epoch in between, from the start if the position is earlier. The
        three DataSets of read_data_sets share one random stream, as in the classic module: seek
        assumes that the others have not shuffled.
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

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Yield (images, labels) once, in the order given; the last batch may be smaller."""
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
        """Return the images of some rows, unscaled; the added ones come after those given."""
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
    """Seed NumPy's global stream as the classic module did, which shuffled with it; return it.

    So batches also depend on a script's own np.random.seed and draws. As the classic module used
    TensorFlow's get_seed, they also depend on tf.set_random_seed.
    """
    tensorflow = sys.modules.get('tensorflow')
    if tensorflow:
        graph_seed, op_seed = tensorflow.compat.v1.get_seed(seed)
        np.random.seed(graph_seed if seed is None else op_seed)
    else:
        np.random.seed(None if seed is None else seed % (2 ** 31 - 1))
    return np.random


def read_data_sets(train_dir: str, fake_data: bool = False, one_hot: bool = False,
                   dtype: Any = np.float32, reshape: bool = True, validation_size: int = 5000,
                   seed: Optional[int] = None,
                   source_url: Optional[str] = DEFAULT_SOURCE_URL) -> Datasets:
    """Read the IDX files in `train_dir`; download those that are not there.

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
    if not source_url or source_url in download.MIRRORS:
        download.complete(folder)
    else:
        download.complete(folder, [source_url])
    arrays = idx.read_folder(folder)
    datasets = split(arrays, one_hot, validation_size, _classic_stream(seed), **options)
    datasets.name = name_of(folder, arrays)
    return datasets


def name_of(folder: Path, arrays: Sequence[Any]) -> str:
    """'MNIST' if the four arrays of a folder are MNIST's, else the folder's name."""
    is_mnist = hashlib.sha256(arrays[3].tobytes()).hexdigest() == MNIST_TEST_LABELS
    return 'MNIST' if is_mnist else folder.resolve().name


def split(arrays: Sequence[Any], one_hot: bool, validation_size: int,
          random: np.random.RandomState, **options: Any) -> Datasets:
    """Make Datasets of four arrays, as idx.read_folder returns them.

    They share one random stream, `random`, as in the classic module; `options` are DataSet's.
    Raises UserError if validation_size is more than the number of training images.
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
