"""tensor_bundle against TensorFlow's own reader, and against thousands of damaged checkpoints."""
import io
import random
import shutil
import zipfile

import google_crc32c
import numpy as np
import pytest
from bundle_tables import checksum, crc32c

from digits.errors import UserError
from digits.tensorflow_v1 import tf
from digits.training import checkpoints, tensor_bundle

SHAPES = {'conv1/W': [5, 5, 1, 32], 'conv1/W/Adam': [5, 5, 1, 32], 'conv1/b': [32],
          'fc1/W': [100, 200], 'global_step': [], 'beta1_power': []}


def wanted():
    return {name: ('i8' if name == 'global_step' else 'f4', shape)
            for name, shape in SHAPES.items()}


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """(prefix, arrays) of a checkpoint that TensorFlow's Saver has written."""
    folder, rng = tmp_path_factory.mktemp('bundle'), np.random.RandomState(0)
    with tf.Graph().as_default(), tf.Session() as session:
        for name, (dtype, shape) in wanted().items():
            value = np.asarray(rng.uniform(-9, 9, shape)).astype(dtype)
            tf.get_variable(name, initializer=value)
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(folder / 'model.ckpt'), global_step=7,
                                       write_meta_graph=False)
    reader = tf.train.load_checkpoint(prefix)
    return folder / 'model.ckpt-7', {name: reader.get_tensor(name) for name in SHAPES}


def test_reads_what_tensorflow_reads(written):
    prefix, arrays = written
    read = tensor_bundle.read(prefix, wanted())
    assert sorted(read) == sorted(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape
        assert read[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(('data', 'checksum'), [
    (b'', 0), (b'123456789', 0xe3069283),  # the second and those below: RFC 3720, B.4
    (bytes(32), 0x8a9136aa), (b'\xff' * 32, 0x62a8ab43), (bytes(range(32)), 0x46dd794e),
    (bytes(range(31, -1, -1)), 0x113fdb5c)])
def test_checksums_are_those_of_the_standard(data, checksum):
    assert crc32c(data) == checksum
    assert google_crc32c.value(data) == checksum


@pytest.mark.parametrize('length', [1, 59, 60, 61, 65535, 65536, 65537, 200000])
def test_checksums_of_any_length_are_those_of_the_definition(length):
    data = random.Random(length).getrandbits(8 * length).to_bytes(length, 'big')
    assert google_crc32c.value(data) == crc32c(data)


@pytest.mark.parametrize('dtype', [
    'float16', 'bfloat16', 'float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32',
    'int64', 'bool', 'complex64'])
def test_every_type_of_number_is_read(tmp_path, dtype):
    """What a lesson of one's own may keep in a variable."""
    expected = np.arange(12).reshape(3, 4).astype(tf.as_dtype(dtype).as_numpy_dtype)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable('v', initializer=tf.constant(expected), use_resource=True)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), write_meta_graph=False)
    read = tensor_bundle.read(tmp_path / 'model.ckpt', {'v': (expected.dtype, [3, 4])})['v']
    assert read.dtype == expected.dtype and read.tobytes() == expected.tobytes()
    assert read.flags.writeable  # TensorFlow copies what is read-only slowly
    for other in {'float32', 'int32'} - {dtype}:
        with pytest.raises(tensor_bundle.MismatchedCheckpoint, match=f'its v is not {other}'):
            tensor_bundle.read(tmp_path / 'model.ckpt', {'v': (other, [3, 4])})


def test_text_is_no_number(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable('v', initializer=tf.constant(['a', 'b']), use_resource=True)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), write_meta_graph=False)
    with pytest.raises(tensor_bundle.MismatchedCheckpoint, match='its v is not object'):
        tensor_bundle.read(tmp_path / 'model.ckpt', {'v': (object, [2])})


@pytest.mark.parametrize(('change', 'words'), [
    ({'fc1/W': ('f4', [100, 301])}, r'its fc1/W is not float32 \[100, 301\]'),
    ({'fc1/W': ('i4', [100, 200])}, r'its fc1/W is not int32 \[100, 200\]'),
    ({'fc2/W': ('f4', [2])}, r'holds no fc2/W of float32 \[2\]')])
def test_what_another_graph_has_written_is_foreign(written, change, words):
    with pytest.raises(tensor_bundle.MismatchedCheckpoint, match=words):
        tensor_bundle.read(written[0], {**wanted(), **change})


def test_numbers_that_are_not_finite_are_no_checkpoint(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable('W', initializer=np.array([1, np.nan], np.float32))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), write_meta_graph=False)
    with pytest.raises(tensor_bundle.CorruptCheckpoint,
                       match='W holds numbers that are not finite'):
        tensor_bundle.read(tmp_path / 'model.ckpt', {'W': ('f4', [2])})


# Mutants

def damaged(data, rng):
    """The bytes after an accident: bits flipped, cut short, zeros, a piece lost, doubled, moved."""
    data, kind = bytearray(data), rng.randrange(6)
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((1, 4, 64, 4096)))
    if kind == 0:
        for _ in range(rng.choice((1, 1, 2, 20))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[start:]
    elif kind == 2:
        data[start:end] = bytes(end - start)
    elif kind == 3:
        del data[start:end]
    elif kind == 4:
        data[start:start] = data[start:end]
    else:
        data[start:end] = rng.getrandbits(8 * (end - start)).to_bytes(end - start, 'big')
    return bytes(data)


def numbers(data, count):
    """The first numbers of a protocol buffer or LevelDB file, 7 bits a byte."""
    found, number, place = [], 0, 0
    for byte in data:
        number |= (byte & 127) << place
        place += 7
        if byte < 128:
            found.append(number)
            number = place = 0
        if len(found) == count:
            break
    return found


def hostile(index, rng):
    """An .index with bytes of one's choice in it, all of its checksums made right again."""
    index = bytearray(index)
    meta, _, begin, size = numbers(index[-48:], 4)
    blocks = [(0, meta - 5), (begin, size)]  # TensorFlow has written a single block of entries
    for _ in range(rng.choice((1, 1, 2, 5))):
        start, length = rng.choice(blocks)
        index[start + rng.randrange(length)] = rng.choice((
            0, 1, 127, 128, 255, rng.randrange(256)))
    for start, length in blocks:
        end = start + length + 1
        index[end:end + 4] = checksum(index[start:end])
    return bytes(index)


def outcome(prefix, arrays):
    """'same', 'refused' or, checksums being right, 'other': finite numbers in the asked shapes."""
    try:
        read = tensor_bundle.read(prefix, wanted())
    except (tensor_bundle.CorruptCheckpoint, tensor_bundle.MismatchedCheckpoint):
        return 'refused'
    for name, (dtype, shape) in wanted().items():
        assert read[name].dtype == dtype and list(read[name].shape) == shape
        assert np.isfinite(read[name]).all()
    return 'same' if all(read[name].tobytes() == arrays[name].tobytes() for name in arrays) \
        else 'other'


@pytest.mark.parametrize('mutants', [500, pytest.param(2500, marks=pytest.mark.slow)])
@pytest.mark.parametrize('kind', ['index', 'data', 'hostile index'])
def test_mutants_are_refused_or_read_the_same(written, tmp_path, kind, mutants):
    """No mutant raises anything else, or takes long; by accident none gives other numbers."""
    prefix, arrays = written
    for path in prefix.parent.glob('model.ckpt-7.*'):
        shutil.copy(str(path), str(tmp_path))
    target = next(tmp_path.glob('*.data*' if kind == 'data' else '*.index'))
    whole, rng = target.read_bytes(), random.Random(kind)
    counts = {'same': 0, 'refused': 0, 'other': 0}
    for _ in range(mutants):
        mutant = (hostile if kind == 'hostile index' else damaged)(whole, rng)
        target.write_bytes(mutant)
        counts['same' if mutant == whole else outcome(tmp_path / 'model.ckpt-7', arrays)] += 1
    print(f'{kind}: {counts}')
    if kind == 'hostile index':
        assert counts['refused'] > 0.5 * mutants
    else:
        assert counts['other'] == 0 and counts['refused'] > 0.8 * mutants


# weights.npz

def npz_bytes(folder, **arrays):
    np.savez(str(folder / 'made.npz'), **arrays)
    return (folder / 'made.npz').read_bytes()


@pytest.mark.parametrize('mutants', [500, pytest.param(2500, marks=pytest.mark.slow)])
def test_mutants_of_weights_are_refused_or_read_the_same(tmp_path, mutants):
    rng, W, b = random.Random(0), np.ones([784, 10], np.float32), np.full(10, 7, np.float32)
    whole = npz_bytes(tmp_path, step=np.int64(5), W=W, b=b)
    counts = {'same': 0, 'refused': 0}
    for _ in range(mutants):
        (tmp_path / 'weights.npz').write_bytes(damaged(whole, rng))
        arrays = {'W': np.zeros_like(W), 'b': np.zeros_like(b)}
        try:
            assert checkpoints.ArrayCheckpoints(tmp_path, arrays).restore() == 5
            assert (arrays['W'] == 1).all() and (arrays['b'] == 7).all()
            counts['same'] += 1
        except UserError as error:
            assert str(error).startswith(str(tmp_path)) and not arrays['W'].any()
            counts['refused'] += 1
    print(f'weights.npz: {counts}')
    assert counts['refused'] > 0.7 * mutants


@pytest.mark.parametrize('header', [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (784, 1000000000000)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (784, 10)}",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (784, 10)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (784, " + '(' * 700 + ')}',
    "__import__('os').system('false')", '', '\0' * 50])
@pytest.mark.parametrize('compression', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_headers_of_weights_that_lie_are_refused(tmp_path, header, compression):
    numbers = bytes(4 * 7840)
    npy = b'\x93NUMPY\1\0' + len(header).to_bytes(2, 'little') + header.encode() + numbers
    with zipfile.ZipFile(str(tmp_path / 'weights.npz'), 'w', compression) as archive:
        archive.writestr('step.npy', npz_member(np.int64(5)))
        archive.writestr('W.npy', npy)
    arrays = {'W': np.zeros([784, 10], np.float32)}
    with pytest.raises(UserError, match='damaged|of another script'):
        checkpoints.ArrayCheckpoints(tmp_path, arrays).restore()


def npz_member(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_slices_are_joined_as_tensorflow_joins_them(tmp_path):
    """What several parameter servers keep of one variable."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(3)
        with tf.variable_scope('', partitioner=tf.min_max_variable_partitioner(
                3, min_slice_size=16)):
            cut = tf.get_variable('fc/W', [200, 3], initializer=tf.random_normal_initializer())
            tf.get_variable('fc/b', [1], initializer=tf.random_normal_initializer())
        assert len(list(cut)) == 3
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), write_meta_graph=False)
        expected = session.run(tf.convert_to_tensor(cut))
    read = tensor_bundle.read(tmp_path / 'model.ckpt', {'fc/W': (np.float32, [200, 3])})['fc/W']
    np.testing.assert_array_equal(read, expected)
    with pytest.raises(tensor_bundle.MismatchedCheckpoint):
        tensor_bundle.read(tmp_path / 'model.ckpt', {'fc/W': (np.float32, [201, 3])})


def test_variables_with_one_initial_tensor_are_restored_each(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        start = tf.zeros([3])
        variables = [tf.Variable(start, name=name) for name in 'abc']
        session.run([variable.assign([number] * 3) for number, variable in enumerate(variables)])
        saved = checkpoints.SaverCheckpoints(tmp_path, session, tf.train.Saver())
        saved.save(7)
        session.run(tf.global_variables_initializer())
        assert saved.resume() == 7
        np.testing.assert_array_equal(session.run(variables), [[0] * 3, [1] * 3, [2] * 3])
