"""IDX files, the format that MNIST is published in: a header, then a byte for each pixel or label.

The format is described at http://yann.lecun.com/exdb/mnist: a magic number whose last byte is the
number of dimensions, the size of each, big-endian, and the values. Files may be gzipped.
"""
import zlib
from pathlib import Path
from typing import Any, List, Optional, Sequence, Union

import numpy as np

from digits.errors import UserError

# The four files of a data set, by their classic names.
TRAIN_IMAGES = 'train-images-idx3-ubyte'
TRAIN_LABELS = 'train-labels-idx1-ubyte'
TEST_IMAGES = 't10k-images-idx3-ubyte'
TEST_LABELS = 't10k-labels-idx1-ubyte'
NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049
MAX_BYTES_IN_MEMORY = 2 ** 30  # 1.3 million images of 28 x 28
MIN_BYTES_ON_DISK = 2 ** 27  # plain image files above this are mapped, not read into memory
REMEDY = 'delete it to download it again'


def find(folder: Path, name: str) -> Optional[Path]:
    """Return the path of this file in `folder`, or None.

    Its name may end in .gz and have a prefix (emnist-digits-). Raises UserError if several do.
    """
    for candidate in (folder / name, folder / (name + '.gz')):
        if candidate.exists():
            return candidate
    prefixed = sorted(folder.glob('*-' + name)) + sorted(folder.glob('*-' + name + '.gz'))
    if len(prefixed) > 1:
        raise UserError(f'{folder} holds several data sets ({prefixed[0].name}, '
                        f'{prefixed[1].name}): move one to another folder')
    return prefixed[0] if prefixed else None


class ImagesOnDisk:
    """uint8 images in a plain file; only the rows that are indexed are read into memory.

    Slicing gives another ImagesOnDisk; an array of indices, or np.asarray, gives the values.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, offset: int, shape: Sequence[int]):
        self._path, self._offset, self.shape = path, offset, tuple(shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            assert step == 1
            row_bytes = int(np.prod(self.shape[1:]))
            return ImagesOnDisk(self._path, self._offset + start * row_bytes,
                                (max(stop - start, 0), *self.shape[1:]))
        return self._map()[rows]

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        return np.array(self._map(), dtype or self.dtype)

    def reshape(self, *shape: int) -> 'ImagesOnDisk':
        """Return the same images in another shape, of which one side may be -1, as of an array."""
        known = int(np.prod([side for side in shape if side != -1]))
        whole = int(np.prod(self.shape))
        return ImagesOnDisk(self._path, self._offset,
                            [whole // known if side == -1 else side for side in shape])

    def _map(self):  # for one access only: mapped pages count as this process's memory
        if not len(self):
            return np.zeros(self.shape, np.uint8)
        return np.memmap(str(self._path), np.uint8, 'r', self._offset, self.shape)


def read_folder(folder: Path) -> List[Any]:
    """Read the four arrays in `folder`, in the order of NAMES.

    Images are uint8 [count, rows, columns, 1], labels uint8 [count], 0 to 9. Images of a plain file
    over 128 MB are ImagesOnDisk.
    Raises UserError if a file is missing or corrupt, or if the counts do not match.
    """
    arrays = []
    for name in NAMES:
        path = find(folder, name)
        if path is None:
            raise UserError(f'{folder} has no file {name} (or {name}.gz)')
        arrays.append(read_images(path) if 'images' in name else read_labels(path))
    for part, images, labels in (('training', *arrays[:2]), ('test', *arrays[2:])):
        if len(images) != len(labels):
            raise UserError(f'{folder}: {len(images)} {part} images but {len(labels)} labels: '
                            'are these files from different data sets?')
    return arrays


def read_images(path: Path) -> Union[np.ndarray, ImagesOnDisk]:
    """Read an image file, uint8 [count, rows, columns, 1]; raise UserError if it is not one."""
    images = _read(path, IMAGES_MAGIC)
    return images.reshape(*images.shape, 1)


def read_labels(path: Path) -> np.ndarray:
    """Read a label file, uint8 [count], each 0 to 9; raise UserError if it is not one."""
    labels = _read(path, LABELS_MAGIC)
    if labels.size and labels.max() > 9:
        raise UserError(f'{path}: a label is {labels.max()}, but digits are 0 to 9')
    return labels


def write_folder(folder: Path, arrays: Sequence[np.ndarray]) -> None:
    """Write four arrays, as read_folder returns them, as plain files under the classic names."""
    for name, array in zip(NAMES, arrays):
        is_images = 'images' in name
        shape = array.shape[:3] if is_images else array.shape
        header = np.array([IMAGES_MAGIC if is_images else LABELS_MAGIC, *shape], '>u4')
        (folder / name).write_bytes(header.tobytes() + array.tobytes())


def _read(path, magic):
    """Return the values in the header's shape; read no more bytes than the header says."""
    header_bytes = 4 + 4 * (magic & 0xff)
    try:
        stored_bytes = path.stat().st_size
        with open(path, 'rb') as file:
            stored = file.read(header_bytes)
            plain = not (stored[:2] == b'\x1f\x8b' or stored.lstrip()[:1] == b'<')
            if plain and magic == IMAGES_MAGIC and stored_bytes > MIN_BYTES_ON_DISK:
                return _map(path, stored, stored_bytes, header_bytes)
            if stored_bytes > MAX_BYTES_IN_MEMORY + header_bytes:
                raise UserError(f'{path}: {stored_bytes} bytes are too many for this file')
            stored += file.read()
    except OSError as error:
        raise UserError(f'{path}: {error.strerror}') from error
    if stored.lstrip()[:1] == b'<':
        raise UserError(f'{path}: a web page was saved under this name; {REMEDY}')
    gzipped = stored[:2] == b'\x1f\x8b'
    if gzipped:
        stream = zlib.decompressobj(wbits=31)
    try:
        header = stream.decompress(stored, header_bytes) if gzipped else stored[:header_bytes]
        shape, size = _parse_header(path, header, header_bytes, magic)
        if gzipped:
            values = stream.decompress(stream.unconsumed_tail, size + 1)
            ended, trailing = stream.eof, stream.unused_data
        else:
            values, ended, trailing = stored[header_bytes:], True, b''
    except zlib.error as error:
        raise UserError(f'{path}: its gzip data are damaged ({error}); {REMEDY}') from error
    _check_size(path, len(values), size, whole=ended, trailing=trailing)
    return np.frombuffer(values, np.uint8).reshape(shape)


def _map(path, header, stored_bytes, header_bytes):
    shape, size = _parse_header(path, header, header_bytes, IMAGES_MAGIC, max_bytes=float('inf'))
    _check_size(path, stored_bytes - header_bytes, size)
    return ImagesOnDisk(path, header_bytes, shape)


def _check_size(path, found, promised, whole=True, trailing=b''):
    if found > promised or trailing:
        raise UserError(f'{path}: has data after the {promised} bytes that its header gives; '
                        f'{REMEDY}')
    if found < promised or not whole:
        raise UserError(f'{path}: cut short, {found} of {promised} bytes; {REMEDY}')


def _parse_header(path, header, header_bytes, magic, max_bytes=MAX_BYTES_IN_MEMORY):
    """Return the shape that a header gives, and its product; UserError if it is not as expected."""
    if len(header) < header_bytes:
        raise UserError(f'{path}: cut short in its header; {REMEDY}')
    found, *shape = np.frombuffer(header, '>u4').tolist()
    if found != magic:
        kind = 'images' if magic == IMAGES_MAGIC else 'labels'
        raise UserError(f'{path}: Invalid magic number {found}, an IDX file of {kind} has {magic}; '
                        f'{REMEDY}')
    size = 1
    for length in shape:
        size *= length
    if size > max_bytes:
        raise UserError(f'{path}: its header gives {size} bytes, more than {max_bytes}')
    return shape, size
