"""Read TensorFlow's checkpoint files (format V2, a "tensor bundle"), with checks.

TensorFlow's own reader, in C++, can crash on a hostile .index. This one is given the names, types
and shapes of the arrays, reads nothing else, and raises CorruptCheckpoint or MismatchedCheckpoint.

    MODEL.index                 a LevelDB table: name of a variable -> BundleEntryProto
    MODEL.data-00000-of-00001   the bytes of the arrays, one array after the other
"""
import sys
from pathlib import Path
from typing import Any, Container, Dict, Iterator, List, Mapping, Sequence, Tuple

import numpy as np

MAX_INDEX_BYTES = 2 ** 18  # with 30 variables it has about a thousand
MAX_NAME_BYTES = 1000
MAX_SHARDS = 100
FOOTER_BYTES = 48  # the places of two blocks, zeros, and the magic number
MAGIC = b'\x57\xfb\x80\x8b\x24\x75\x47\xdb'


class CorruptCheckpoint(ValueError):
    """A corrupt file; the message says where."""


class MismatchedCheckpoint(ValueError):
    """An intact checkpoint without a requested array, or with another type or shape."""


def read(prefix: Path, wanted: Mapping[str, Tuple[Any, Sequence[int]]],
         infinite: Container[str] = ()) -> Dict[str, np.ndarray]:
    """Return the arrays of the checkpoint PREFIX.index by name, for each name in `wanted`.

    wanted: name -> (NumPy dtype, shape); infinite: names of those that may hold infinities.

    Raises CorruptCheckpoint if a file is missing, cut short, fails its checksums or holds numbers
    that are not finite; MismatchedCheckpoint if an array is absent or has another type or shape;
    OSError if a file cannot be read.
    """
    from digits.tensorflow_v1 import tf  # here: the NumPy lesson runs without it
    path = Path(f'{prefix}.index')
    if not path.is_file():
        raise CorruptCheckpoint('its .index is missing')
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise CorruptCheckpoint(f'an .index of {path.stat().st_size:,} bytes')
    header, entries = _parsed(dict(_table(path.read_bytes())))
    if not 1 <= header.num_shards <= MAX_SHARDS or (
            header.endianness != header.Endianness.Value(sys.byteorder.upper())):
        raise CorruptCheckpoint('its header is wrong')

    arrays = {}
    for name, (dtype_like, shape_like) in wanted.items():
        dtype, shape = np.dtype(dtype_like), list(shape_like)
        described = f'{dtype} {shape}'
        entry = entries.get(name.encode())
        if entry is None:
            raise MismatchedCheckpoint(f'holds no {name} of {described}')
        if (dtype.hasobject or entry.dtype != tf.as_dtype(dtype).as_datatype_enum
                or _shape(entry) != shape):
            raise MismatchedCheckpoint(f'its {name} is not {described}')
        if entry.slices:
            arrays[name] = np.concatenate([_stored(prefix, header.num_shards, name, part, dtype)
                                           for part in _slices(name, entries, shape)])
        else:
            arrays[name] = _stored(prefix, header.num_shards, name, entry, dtype)
        if name not in infinite or np.isnan(arrays[name]).any():
            finite(arrays[name], name)
    return arrays


def finite(array: np.ndarray, name: str) -> np.ndarray:
    """Return the array; raise CorruptCheckpoint if a number in it is not finite."""
    if not np.isfinite(array).all():
        raise CorruptCheckpoint(f'{name} holds numbers that are not finite')
    return array


def _parsed(table: Dict[bytes, bytes]) -> Tuple[Any, Dict[bytes, Any]]:
    """Return (BundleHeaderProto, {key: BundleEntryProto}) of the table's messages."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto
    try:
        header = BundleHeaderProto.FromString(table.pop(b'', b''))
        return header, {key: BundleEntryProto.FromString(value) for key, value in table.items()}
    except (DecodeError, ValueError, RecursionError) as error:
        # protobuf's implementation in Python raises the last two instead of the first.
        raise CorruptCheckpoint('its .index is wrong') from error


def _shape(entry: Any) -> List[int]:
    return [dim.size for dim in entry.shape.dim]


def _slices(name: str, entries: Dict[bytes, Any], shape: List[int]) -> List[Any]:
    """Return the entries of a variable cut along its first axis, for several parameter servers.

    Their keys are a zero byte, the name, and the start of the slice.
    """
    start = b'\0' + name.encode() + b'\0\1'
    slices = [entries[key] for key in sorted(key for key in entries if key.startswith(start))]
    shapes = [_shape(entry) for entry in slices]
    if (not shape or any(not part or part[0] < 0 or part[1:] != shape[1:] for part in shapes)
            or sum(part[0] for part in shapes) != shape[0]
            or any(entry.dtype != entries[name.encode()].dtype for entry in slices)):
        raise CorruptCheckpoint(f'its .index is wrong about the slices of {name}')
    return slices


def _stored(prefix: Path, shards: int, name: str, entry: Any, dtype: np.dtype) -> np.ndarray:
    """Return the array at an entry's place; the caller has checked its shape."""
    array = np.empty(_shape(entry), dtype)
    if entry.size != array.nbytes or entry.offset < 0 or not 0 <= entry.shard_id < shards:
        raise CorruptCheckpoint(f'its .index is wrong about {name}')
    path = Path(f'{prefix}.data-{entry.shard_id:05d}-of-{shards:05d}')
    if not path.is_file():
        raise CorruptCheckpoint(f'{path.name} is missing')
    with open(path, 'rb') as file:
        if entry.offset + entry.size > path.stat().st_size:
            raise CorruptCheckpoint(f'{path.name} is cut short')
        file.seek(entry.offset)
        data = file.read(entry.size)
    if len(data) != entry.size or _masked_crc32c(data) != entry.crc32c:
        raise CorruptCheckpoint(f'the checksum of {name} is wrong')
    array[...] = np.frombuffer(data, dtype).reshape(array.shape)
    return array


def _masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C as TensorFlow stores it: rotated by 15 bits, plus a constant."""
    import google_crc32c  # here: version 1.5.0 takes 60 ms to import
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


# The LevelDB table, which no library reads alone. Its blocks must not overlap: each is read once,
# so that a small file cannot take much time or memory.

def _table(data: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """Yield each (key, value) of a LevelDB table, the checksums of all blocks checked."""
    if len(data) < FOOTER_BYTES or data[-len(MAGIC):] != MAGIC:
        raise CorruptCheckpoint('its .index does not end as one')
    footer = data[-FOOTER_BYTES:]
    _, at = _handle(footer, 0)  # of the block of metadata, which is empty
    (offset, size), _ = _handle(footer, at)
    previous_end = 0
    for _, handle in _block(data, offset, size):
        (offset, size), _ = _handle(handle, 0)
        if offset < previous_end:
            raise CorruptCheckpoint('blocks of its .index overlap')
        previous_end = offset + size
        yield from _block(data, offset, size)


def _handle(data: bytes, at: int) -> Tuple[Tuple[int, int], int]:
    """Return ((offset, size) of a block, where the next handle begins)."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int) -> List[Tuple[bytes, bytes]]:
    """Return [(key, value)] of a block; its compression (1 byte) and checksum (4) follow."""
    end = offset + size
    if end + 5 > len(data) - FOOTER_BYTES or size < 4:
        raise CorruptCheckpoint('its .index is cut short')
    if _masked_crc32c(data[offset:end + 1]) != int.from_bytes(data[end + 1:end + 5], 'little'):
        raise CorruptCheckpoint('the checksum of its .index is wrong')
    if data[end]:
        raise CorruptCheckpoint('its .index is compressed')
    restarts = int.from_bytes(data[end - 4:end], 'little')  # an offset of 4 bytes for each
    if 4 * (restarts + 1) > size:
        raise CorruptCheckpoint('its .index is wrong')
    content = data[offset:end - 4 * (restarts + 1)]
    pairs: List[Tuple[bytes, bytes]] = []
    key, at = b'', 0
    while at < len(content):
        shared, at = _varint(content, at)  # bytes that the key shares with the previous key
        own, at = _varint(content, at)
        length, at = _varint(content, at)
        if shared > len(key) or shared + own > MAX_NAME_BYTES or at + own + length > len(content):
            raise CorruptCheckpoint('its .index is wrong')
        key = key[:shared] + content[at:at + own]
        pairs.append((key, content[at + own:at + own + length]))
        at += own + length
    return pairs


def _varint(data: bytes, at: int) -> Tuple[int, int]:
    """Return (number below 2^63, where the next one begins): 7 bits a byte, the lowest first."""
    number = 0
    for place in range(9):
        if at >= len(data):
            break
        number |= (data[at] & 127) << 7 * place
        at += 1
        if data[at - 1] < 128:
            return number, at
    raise CorruptCheckpoint('its .index is wrong')
