"""TensorFlow's checkpoint files (V2, a "tensor bundle") read in Python, checksums and all.

TensorFlow's own reader, in C++, can crash on a damaged .index. This one knows beforehand which
arrays there must be and how large, reads nothing else, and answers with a Damaged or a Foreign.

    MODEL.index                 a LevelDB table: name of a variable -> where its bytes are
    MODEL.data-00000-of-00001   the bytes, little-endian, one variable behind the other
"""
import functools
from pathlib import Path

import numpy as np

LARGEST_INDEX = 2 ** 20  # bytes; that of a network with 30 variables has a thousand
LONGEST_NAME = 1000
MOST_SHARDS = 100
FOOTER = 48  # bytes: where two blocks are, zeros, and the magic number
MAGIC = b'\x57\xfb\x80\x8b\x24\x75\x47\xdb'
TYPES = {1: np.dtype('<f4'), 2: np.dtype('<f8'), 3: np.dtype('<i4'), 9: np.dtype('<i8')}


class Damaged(ValueError):
    """A file that no checkpoint's writer has left like this; the text says where it shows."""


class Foreign(ValueError):
    """A whole checkpoint that lacks what was asked for, or has it in another shape."""


def read(prefix: Path, wanted: dict) -> dict:
    """The arrays of the checkpoint PREFIX.index by name, for each name: (dtype, shape) in `wanted`.

    Raises Damaged if a file is missing, cut short, fails its checksums or holds numbers that are
    not finite; Foreign if it is the checkpoint of something else; OSError if it cannot be read.
    """
    path = Path(f'{prefix}.index')
    if not path.is_file():
        raise Damaged('its .index is missing')
    if path.stat().st_size > LARGEST_INDEX:
        raise Damaged(f'an .index of {path.stat().st_size:,} bytes')
    table = _table(path.read_bytes())
    header = _fields(table.get(b'', b''))
    shards = _number(header, 1)
    if not 1 <= shards <= MOST_SHARDS or _number(header, 2) != 0:  # 0: little-endian
        raise Damaged('its header is wrong')
    return {name: _array(prefix, shards, name, table, np.dtype(dtype), shape)
            for name, (dtype, shape) in wanted.items()}


def _array(prefix, shards, name, table, dtype, shape):
    """One variable's array, if the .index agrees with what is asked for."""
    asked = f'{name} of {dtype} {list(shape)}'
    if name.encode() not in table:
        raise Foreign(f'holds no {asked}')
    fields = _fields(table[name.encode()])
    if TYPES.get(fields.get(1)) != dtype or _shape(fields.get(2, b'')) != list(shape):
        raise Foreign(f'its {name} is not {asked[len(name) + 4:]}')
    if 7 not in fields:
        return _stored(prefix, shards, name, fields, dtype, shape)
    # Cut along its first dimension, for several parameter servers: an entry for each slice, whose
    # key begins with a zero and the name, and goes on with where the slice begins.
    slices = [_fields(value) for key, value in sorted(table.items())
              if key.startswith(b'\0' + name.encode() + b'\0\1')]
    shapes = [_shape(part.get(2, b'')) for part in slices]
    if (not shape or any(part[1:] != list(shape[1:]) or not part for part in shapes)
            or sum(part[0] for part in shapes) != shape[0]):
        raise Damaged(f'its .index is wrong about the slices of {name}')
    return np.concatenate([_stored(prefix, shards, name, part, dtype, rows)
                           for part, rows in zip(slices, shapes)])


def _stored(prefix, shards, name, fields, dtype, shape):
    """The array of this shape that an entry tells the place of, if its checksum is right."""
    shard, offset, size = (_number(fields, number) for number in (3, 4, 5))
    array = np.empty(shape, dtype)
    if size != array.nbytes or shard >= shards or TYPES.get(fields.get(1)) != dtype:
        raise Damaged(f'its .index is wrong about {name}')
    path = Path(f'{prefix}.data-{shard:05d}-of-{shards:05d}')
    if not path.is_file():
        raise Damaged(f'{path.name} is missing')
    with open(path, 'rb') as file:
        if offset + size > path.stat().st_size:
            raise Damaged(f'{path.name} is cut short')
        file.seek(offset)
        data = file.read(size)
    if len(data) != size or _masked(crc32c(data)) != fields.get(6):
        raise Damaged(f'the checksum of {name} is wrong')
    array[...] = np.frombuffer(data, dtype).reshape(shape)
    return finite(array, name)


def finite(array, name):
    """The array; Damaged if a number in it is not finite: no run here has kept such."""
    if not np.isfinite(array).all():
        raise Damaged(f'{name} holds numbers that are not finite')
    return array


def _shape(message):
    """The sizes in a TensorShapeProto."""
    return [_number(_fields(dim), 1) for dim in _fields(message, repeated=2).get(2, [])]


def _number(fields, number):
    """A field that is a whole number; what is 0 is not written."""
    value = fields.get(number, 0)
    if not isinstance(value, int):
        raise Damaged('its .index is wrong')
    return value


def _table(data):
    """{key: value} of a LevelDB table, every block held to its checksum."""
    if len(data) < FOOTER or data[-len(MAGIC):] != MAGIC:
        raise Damaged('its .index does not end as one')
    footer = data[-FOOTER:]
    _, at = _handle(footer, 0)  # of the block of metadata, which is empty
    (offset, size), _ = _handle(footer, at)
    entries = {}
    for _, handle in _block(data, offset, size):
        (offset, size), _ = _handle(handle, 0)
        entries.update(_block(data, offset, size))
    return entries


def _handle(data, at):
    """((offset, size) of a block, where the next handle begins)."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _block(data, offset, size):
    """[(key, value)] of the block there; its last bytes say how it is packed, and its checksum."""
    end = offset + size
    if end + 5 > len(data) - FOOTER or size < 4:
        raise Damaged('its .index is cut short')
    if _masked(crc32c(data[offset:end + 1])) != int.from_bytes(data[end + 1:end + 5], 'little'):
        raise Damaged('the checksum of its .index is wrong')
    if data[end]:
        raise Damaged('its .index is packed in an unknown way')
    restarts = int.from_bytes(data[end - 4:end], 'little')
    content = data[offset:end - 4 * (restarts + 1)]
    pairs, key, at = [], b'', 0
    while at < len(content):
        shared, at = _varint(content, at)
        own, at = _varint(content, at)
        length, at = _varint(content, at)
        if shared > len(key) or shared + own > LONGEST_NAME or at + own + length > len(content):
            raise Damaged('its .index is wrong')
        key = key[:shared] + content[at:at + own]
        pairs.append((key, content[at + own:at + own + length]))
        at += own + length
    return pairs


def _fields(message, repeated=None):
    """{number: value} of a protocol buffer's message; of number `repeated` a list of all."""
    if not isinstance(message, bytes):
        raise Damaged('its .index is wrong')
    fields, at = {}, 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(message, at)
        elif kind in (2, 5):
            length, at = _varint(message, at) if kind == 2 else (4, at)
            value, at = message[at:at + length], at + length
            if at > len(message):
                raise Damaged('its .index is wrong')
            if kind == 5:
                value = int.from_bytes(value, 'little')
        else:
            raise Damaged('its .index is wrong')
        if number == repeated:
            fields.setdefault(number, []).append(value)
        else:
            fields[number] = value
    return fields


def _varint(data, at):
    """(number below 2^63, where the next one begins): seven bits a byte, the lowest first."""
    number = 0
    for place in range(9):
        if at >= len(data):
            break
        number |= (data[at] & 127) << 7 * place
        at += 1
        if data[at - 1] < 128:
            return number, at
    raise Damaged('its .index is wrong')


def _masked(crc):
    """As checksums are kept: rotated and shifted, for those of data that holds checksums."""
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def _byte_table():
    """What each value of a byte does to CRC-32C's register (Castagnoli, bits reversed)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = table >> 1 ^ (table & 1) * np.uint32(0x82f63b78)
    return table


def _two_bytes(register, bytes_behind):
    """What each value of two bytes does to the register after so many more bytes of zero."""
    for _ in range(bytes_behind + 2):
        register = BYTE[register & 255] ^ register >> 8
    return register


BYTE = _byte_table()
LOW, HIGH = (_two_bytes(np.arange(65536, dtype=np.uint32), behind) for behind in (2, 0))
# Four bytes that turn a register of zeros into the one of ones that the checksum begins with.
START = b'Td\x1fd'


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes: many lanes at once, word by word, then lane joined to lane.

    A register of zeros stays that while zeros come, so the first lanes are filled up in front.
    """
    lane = 4096 if len(data) > 65536 else 64  # bytes
    lanes = 1
    while lanes * lane < len(data) + len(START):
        lanes *= 2
    words = np.frombuffer((START + data).rjust(lanes * lane, b'\0'), '<u4').reshape(lanes, -1)
    registers = np.zeros(lanes, np.uint32)
    for column in np.ascontiguousarray(words.T):
        registers ^= column
        registers = LOW[registers & 0xffff] ^ HIGH[registers >> 16]
    while len(registers) > 1:
        registers = _applied(_zeros_behind(lane), registers[::2]) ^ registers[1::2]
        lane *= 2
    return int(registers[0]) ^ 0xffffffff


@functools.lru_cache(maxsize=None)
def _zeros_behind(count):
    """What so many bytes of zero (a power of 2) behind it make of each bit of the register."""
    if count == 1:
        bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
        return BYTE[bits & 255] ^ bits >> 8
    half = _zeros_behind(count // 2)
    return _applied(half, half)


def _applied(behind, registers):
    """The registers after what `behind` knows of each of their bits."""
    result = np.zeros_like(registers)
    for bit in range(32):
        result ^= (registers >> np.uint32(bit) & 1) * behind[bit]
    return result
