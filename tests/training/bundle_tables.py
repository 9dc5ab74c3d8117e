""".index files of checkpoints that are made by hand, their checksums right: LevelDB tables."""
import numpy as np


def crc32c(data):
    """CRC-32C by its definition, a byte at a time."""
    register = 2 ** 32 - 1
    for byte in data:
        register = CRC_TABLE[(register ^ byte) & 255] ^ register >> 8
    return register ^ 0xffffffff


def crc_of_byte(value):
    for _ in range(8):
        value = value >> 1 ^ (value & 1) * 0x82f63b78
    return value


CRC_TABLE = [crc_of_byte(value) for value in range(256)]


def checksum(block):
    """The four bytes behind a block of a LevelDB table and its byte of compression."""
    crc = crc32c(block)
    return (((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff).to_bytes(4, 'little')


def varint(number):
    data = b''
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])


def block(pairs, restarts=1):
    """A block of a LevelDB table: each key in full, one restart, no compression, checksum."""
    content = b''.join(b'\0' + varint(len(key)) + varint(len(value)) + key + value
                       for key, value in pairs)
    content += bytes(4) + restarts.to_bytes(4, 'little') + b'\0'
    return content + checksum(content)


def table(entries, times=1, **settings):
    """A LevelDB table of {key: value}, whose only block its index names so many times."""
    first, meta = block(sorted(entries.items()), **settings), block([])
    handle = varint(0) + varint(len(first) - 5)
    index = block([(b'\xff%08d' % number, handle) for number in range(times)])
    footer = (varint(len(first)) + varint(len(meta) - 5) + varint(len(first + meta))
              + varint(len(index) - 5))
    return first + meta + index + footer.ljust(40, b'\0') + b'\x57\xfb\x80\x8b\x24\x75\x47\xdb'


def made_by_hand(folder, change=None, parts=None, settings=None, raw=None):
    """Write W = [1, 2, 3] as a checkpoint; returns its prefix. `change` is made to W's entry.

    parts: a dict of changes for each slice of W; raw: bytes in place of W's entry.
    """
    data = np.array([1, 2, 3], '<f4').tobytes()
    from tensorflow.core.protobuf import tensor_bundle_pb2
    entry = tensor_bundle_pb2.BundleEntryProto(dtype=1, size=12,
                                               crc32c=int.from_bytes(checksum(data), 'little'))
    entry.shape.dim.add(size=3)
    entries = {b'': tensor_bundle_pb2.BundleHeaderProto(num_shards=1).SerializeToString()}
    for number, part_change in enumerate(parts or []):
        part = tensor_bundle_pb2.BundleEntryProto(dtype=1)
        part.shape.dim.add(size=part_change.get('rows', 0))
        altered(part, part_change)
        entries[b'\0W\0\1%d' % number] = part.SerializeToString()
        entry.slices.add()
    altered(entry, change or {})
    entries[b'W'] = entry.SerializeToString() if raw is None else raw
    (folder / 'made.index').write_bytes(table(entries, **(settings or {})))
    (folder / 'made.data-00000-of-00001').write_bytes(data)
    return folder / 'made'


def altered(message, change):
    for name, value in change.items():
        if name != 'rows':
            setattr(message, name, value)
