"""tensor_bundle on .index files made by hand: entries and tables that lie, however large."""
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from bundle_tables import block, checksum, made_by_hand, table, varint

from digits.tensorflow_v1 import tf
from digits.training import tensor_bundle


def test_tables_made_by_hand_are_read(tmp_path):
    prefix = made_by_hand(tmp_path)
    assert tensor_bundle.read(prefix, {'W': ('f4', [3])})['W'].tolist() == [1, 2, 3]
    assert tf.train.load_checkpoint(str(prefix)).get_tensor('W').tolist() == [1, 2, 3]


@pytest.mark.parametrize(('made', 'words'), [
    ({'change': {'size': -1}}, 'its .index is wrong about W'),
    ({'change': {'size': 2 ** 62}}, 'its .index is wrong about W'),
    ({'change': {'offset': -4}}, 'its .index is wrong about W'),
    ({'change': {'offset': 1}}, 'cut short'),
    ({'change': {'offset': 2 ** 63 - 1}}, 'cut short'),
    ({'change': {'shard_id': 1}}, 'its .index is wrong about W'),
    ({'change': {'shard_id': -1}}, 'its .index is wrong about W'),
    ({'change': {'crc32c': 1}}, 'the checksum of W is wrong'),
    ({'parts': [{'rows': 10 ** 15}, {'rows': 3 - 10 ** 15}]}, 'wrong about the slices of W'),
    ({'parts': [{'rows': 2}]}, 'wrong about the slices of W'),
    ({'parts': [{'rows': 3, 'dtype': 3}]}, 'wrong about the slices of W'),
    ({'parts': [{'rows': 3, 'size': 8}]}, 'its .index is wrong about W'),
    ({'settings': {'restarts': 2 ** 32 - 1}}, 'its .index is wrong'),
    ({'settings': {'restarts': 20}}, 'its .index is wrong'),
    ({'settings': {'times': 2}}, 'blocks of its .index overlap'),
    ({'raw': b'\x0b' * 3000}, 'its .index is wrong'),  # a group in a group in a group ...
    ({'raw': b'\x12\x05abc'}, 'its .index is wrong'),
    ({'raw': b'\x08' + b'\xff' * 11}, 'its .index is wrong')])
def test_entries_that_lie_are_refused(tmp_path, made, words):
    with pytest.raises(tensor_bundle.CorruptCheckpoint, match=words):
        tensor_bundle.read(made_by_hand(tmp_path, **made), {'W': ('f4', [3])})


def test_the_largest_index_takes_neither_long_nor_much_memory(tmp_path):
    """Many names for the same block, a hundred thousand short entries, names as long as may be."""
    from tensorflow.core.protobuf import tensor_bundle_pb2
    header = {b'': tensor_bundle_pb2.BundleHeaderProto(num_shards=1).SerializeToString()}
    twice = table({**header, **{b'%05d' % number: b'' for number in range(10000)}}, 8000)
    key = b'k' * 990
    content = b'\0' + varint(len(key)) + b'\0' + key
    for number in range(30000):
        content += varint(990) + b'\x03\0' + b'%03x' % (number // 8)
    content += bytes(4) + b'\1\0\0\0\0'
    first, meta = content + checksum(content), block([])
    index = block([(b'\xff', varint(0) + varint(len(first) - 5))])
    footer = (varint(len(first)) + varint(len(meta) - 5) + varint(len(first + meta))
              + varint(len(index) - 5))
    long_names = first + meta + index + footer.ljust(40, b'\0') + tensor_bundle.MAGIC
    for data in (twice, long_names):
        assert 0.5 * tensor_bundle.MAX_INDEX_BYTES < len(data) <= tensor_bundle.MAX_INDEX_BYTES
        (tmp_path / 'made.index').write_bytes(data)
        start = time.perf_counter()
        tracemalloc.start()
        with pytest.raises(tensor_bundle.CorruptCheckpoint):
            tensor_bundle.read(tmp_path / 'made', {'W': ('f4', [3])})
        assert tracemalloc.get_traced_memory()[1] < 10 ** 8
        tracemalloc.stop()
        assert time.perf_counter() - start < 30


def test_pure_python_protocol_buffers_refuse_the_same(tmp_path):
    """Their errors are of other types, and nested groups are a recursion there."""
    prefix = made_by_hand(tmp_path, raw=b'\x0b' * 3000)
    code = ('import sys\nfrom pathlib import Path\nfrom digits.training import tensor_bundle\n'
            'try:\n    tensor_bundle.read(Path(sys.argv[1]), {"W": ("f4", [3])})\n'
            'except tensor_bundle.CorruptCheckpoint as error:\n    print(error)')
    root = Path(tensor_bundle.__file__).resolve().parent.parent.parent
    shown = subprocess.run([sys.executable, '-c', code, str(prefix)], cwd=str(root), check=True,
                           stdout=subprocess.PIPE, text=True, timeout=120,
                           env={**os.environ, 'PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION': 'python'})
    assert shown.stdout == 'its .index is wrong\n'
