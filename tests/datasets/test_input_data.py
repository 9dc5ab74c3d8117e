"""read_data_sets against the classic module itself, and against files that are not what they say.

The digests in classic_batches.json were made by tensorflow.examples.tutorials.mnist.input_data of
TensorFlow 1.15.5. Where that module exists they are made again, and must be the same.
"""
import gzip
import hashlib
import itertools
import json
import zlib
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from digits import input_data
from digits.datasets import idx, loading
from digits.errors import UserError
from digits.tensorflow_v1 import tf

GOLDEN = Path(__file__).with_name('classic_batches.json')
try:
    from tensorflow.examples.tutorials.mnist import input_data as classic
except ImportError:
    classic = None

# 211 training images: batches end with an epoch, reach over its end, and over two epochs' ends.
CASES = ['-'.join(map(str, case)) for case in itertools.product(
    [0, 1, 777, 2 ** 31 + 5], [1, 50, 191, 200], ['dense', 'one_hot'], ['shuffle', 'in_order'])]


def write_gzipped(folder):
    random = np.random.RandomState(0)
    for part, count in (('train', 211), ('t10k', 53)):
        images = random.randint(0, 256, (count, 28, 28)).astype('u1')
        labels = random.randint(0, 10, count).astype('u1')
        header = np.array([2051, count, 28, 28], '>u4').tobytes()
        (folder / f'{part}-images-idx3-ubyte.gz').write_bytes(
            gzip.compress(header + images.tobytes()))
        header = np.array([2049, count], '>u4').tobytes()
        (folder / f'{part}-labels-idx1-ubyte.gz').write_bytes(
            gzip.compress(header + labels.tobytes()))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('gzipped')
    write_gzipped(folder)
    return folder


@pytest.fixture(autouse=True)
def fresh_graph():
    tf.reset_default_graph()  # with no seed of its own


def update(digest, array):
    digest.update(f'{array.dtype} {array.shape}'.encode())
    digest.update(np.ascontiguousarray(array).tobytes())


def trace(module, folder, case):
    """A digest of everything that a script sees in three epochs and more."""
    seed, size, one_hot, order = case.split('-')
    size = int(size)
    mnist = module.read_data_sets(str(folder), one_hot=one_hot == 'one_hot', seed=int(seed),
                                  validation_size=11)
    digest = hashlib.sha256()
    for number in range(3 * 200 // size + 3):
        sets = [mnist.train]
        if number % 4 == 1 and size <= 11:  # the three draw their shuffles from one stream
            sets += [mnist.validation, mnist.test]
        for data in sets:
            for array in data.next_batch(size, shuffle=order == 'shuffle'):
                update(digest, array)
            digest.update(str(data.epochs_completed).encode())
    for data in mnist:
        update(digest, data.images)
        update(digest, data.labels)
        digest.update(str(data.num_examples).encode())
    return digest.hexdigest()


@pytest.mark.parametrize('case', CASES)
def test_batches_are_the_classic_ones(folder, case):
    assert trace(input_data, folder, case) == json.loads(GOLDEN.read_text())[case]


@pytest.mark.skipif(classic is None, reason='TensorFlow 1.15 alone has the classic module')
def test_digests_are_the_classic_modules_own(folder):
    assert {case: trace(classic, folder, case) for case in CASES} == json.loads(GOLDEN.read_text())


@pytest.mark.skipif(classic is None, reason='TensorFlow 1.15 alone has the classic module')
@pytest.mark.parametrize('dtype', ['float32', 'uint8'])
@pytest.mark.parametrize('reshape', [True, False])
@pytest.mark.parametrize('graph_seed', [0, 777])
def test_other_options_agree_with_the_classic_module(folder, dtype, reshape, graph_seed):
    """Also without a seed of its own, where tf.set_random_seed decides."""
    def batches(module):
        mnist = module.read_data_sets(str(folder), dtype=getattr(tf, dtype), reshape=reshape,
                                      validation_size=0)
        assert mnist.validation.num_examples == 0
        return [array for _ in range(9) for array in mnist.train.next_batch(60)]
    tf.set_random_seed(graph_seed)
    for mine, original in zip(batches(input_data), batches(classic)):
        assert mine.dtype == original.dtype
        np.testing.assert_array_equal(mine, original)


def draw_between(module, folder):
    """What a script sees that uses np.random itself, as the classic module did."""
    seen = []
    mnist = module.read_data_sets(str(folder), seed=5, validation_size=11)
    seen.append(np.random.rand(3))
    mnist = module.read_data_sets(str(folder), validation_size=11)
    np.random.seed(7)
    for _ in range(9):
        seen += [*mnist.train.next_batch(60), np.random.rand(3)]  # noise for a denoiser, say
    return seen


def test_batches_follow_numpy_s_global_stream(folder):
    """Against its definition: seeded with the seed, shuffled with from then on."""
    seen = draw_between(input_data, folder)
    random = np.random.RandomState(5)
    np.testing.assert_array_equal(seen[0], random.rand(3))
    random = np.random.RandomState(7)
    order = np.arange(200)
    random.shuffle(order)
    labels = input_data.read_data_sets(str(folder), validation_size=11).train.labels
    np.testing.assert_array_equal(seen[2], labels[order[:60]])
    np.testing.assert_array_equal(seen[3], random.rand(3))
    for mine, again in zip(seen, draw_between(input_data, folder)):
        np.testing.assert_array_equal(mine, again)


@pytest.mark.skipif(classic is None, reason='TensorFlow 1.15 alone has the classic module')
def test_scripts_that_draw_in_between_see_what_they_saw(folder):
    for mine, original in zip(draw_between(input_data, folder), draw_between(classic, folder)):
        np.testing.assert_array_equal(mine, original)


@pytest.mark.skipif(classic is None, reason='TensorFlow 1.15 alone has the classic module')
@pytest.mark.parametrize('one_hot', [True, False])
def test_fake_data_agree_with_the_classic_module(one_hot):
    ours, theirs = (module.read_data_sets('', fake_data=True, one_hot=one_hot).train
                    for module in (input_data, classic))
    assert ours.next_batch(3, fake_data=True) == theirs.next_batch(3, fake_data=True)
    assert ours.num_examples == theirs.num_examples


def test_signature_is_the_classic_one():
    import inspect
    assert list(inspect.signature(input_data.read_data_sets).parameters) == [
        'train_dir', 'fake_data', 'one_hot', 'dtype', 'reshape', 'validation_size', 'seed',
        'source_url']
    assert list(inspect.signature(input_data.DataSet).parameters) == [
        'images', 'labels', 'fake_data', 'one_hot', 'dtype', 'reshape', 'seed']
    with pytest.raises(TypeError, match='expected uint8 or float32'):
        input_data.DataSet(np.zeros([1, 28, 28, 1], 'u1'), np.zeros(1, 'u1'), dtype=np.float64)


@pytest.mark.parametrize('position', [0, 1, 60, 199, 200, 201, 399, 400, 401, 1000, 1234])
def test_seek_goes_where_drawing_would_have_gone(folder, position):
    images, labels = idx.read_folder(folder)[:2]
    drawn, sought = (input_data.DataSet(images[:200], labels[:200], seed=np.random.RandomState(5))
                     for _ in range(2))
    for _ in range(position):
        drawn.next_batch(1)
    sought.next_batch(77)  # wherever it was before
    sought.seek(position)
    for _ in range(7):
        for one, other in zip(drawn.next_batch(60), sought.next_batch(60)):
            np.testing.assert_array_equal(one, other)
    assert drawn.epochs_completed == sought.epochs_completed


def test_memory_holds_bytes_until_floats_are_asked_for(folder):
    train = input_data.read_data_sets(str(folder), validation_size=11, seed=5).train
    train.next_batch(100)
    held = sum(value.nbytes for value in vars(train).values() if isinstance(value, np.ndarray)
               and value.dtype != np.int64)
    assert held == 200 * 784 + 200
    assert train.images.dtype == np.float32
    assert train.images is train.images  # made once, not once a look


def test_plain_files_and_prefixed_names_read_the_same(folder, tmp_path):
    expected = idx.read_folder(folder)
    idx.write_folder(tmp_path, expected)
    for name in idx.NAMES:
        (tmp_path / name).rename(tmp_path / f'emnist-digits-{name}')
    for array, other in zip(expected, idx.read_folder(tmp_path)):
        np.testing.assert_array_equal(array, other)
    for name in idx.NAMES:
        (tmp_path / f'emnist-mnist-{name}').write_bytes(b'')
    with pytest.raises(UserError, match='several data sets'):
        idx.read_folder(tmp_path)


def test_an_unzipped_file_that_kept_its_gz_name_is_read(folder, tmp_path):
    """Some browsers unpack what they download and leave the name as it was."""
    write_gzipped(tmp_path)
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    path.write_bytes(gzip.decompress(path.read_bytes()))
    np.testing.assert_array_equal(idx.read_images(path), idx.read_folder(folder)[0])


def regzip(change):
    return lambda data: gzip.compress(change(gzip.decompress(data)))


def header(*numbers):
    return np.array(numbers, '>u4').tobytes()


DAMAGE = {
    'wrong magic': (regzip(lambda raw: header(2049) + raw[4:]), 'Invalid magic number 2049'),
    'short header': (regzip(lambda raw: raw[:9]), 'cut short in its header'),
    'empty': (lambda data: b'', 'cut short in its header'),
    'truncated inside': (regzip(lambda raw: raw[:-1]), r'cut short, 165423 of 165424 bytes'),
    'truncated gzip': (lambda data: data[:len(data) // 2], 'cut short'),
    'checksum missing': (lambda data: data[:-8], 'cut short'),
    'trailing bytes': (regzip(lambda raw: raw + b'x'), 'goes on after'),
    'trailing after gzip': (lambda data: data + b'x', 'goes on after'),
    'gzip damage': (lambda data: data[:5000] + b'\0\0\0\0' + data[5004:], 'gzip data are damaged'),
    'checksum wrong': (lambda data: data[:-8] + b'\0\0\0\0' + data[-4:], 'gzip data are damaged'),
    'promises too much': (regzip(lambda raw: header(2051, 2 ** 31, 28, 28) + raw[16:]),
                          'its header promises'),
    'web page': (lambda data: b'\n<!DOCTYPE html><title>404</title>', 'a web page was saved'),
    'plain, truncated': (lambda data: gzip.decompress(data)[:-1], 'cut short'),
    'plain, trailing': (lambda data: gzip.decompress(data) + b'x', 'goes on after'),
    'other count': (regzip(lambda raw: header(2051, 210, 28, 28) + raw[16:-784]),
                    '210 training images but 211 labels'),
}


@pytest.mark.parametrize('damage', DAMAGE)
def test_a_damaged_file_is_named_in_one_sentence(tmp_path, damage):
    write_gzipped(tmp_path)
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    change, words = DAMAGE[damage]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=words) as caught:
        input_data.read_data_sets(str(tmp_path), validation_size=11)
    assert str(path if damage != 'other count' else tmp_path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_bomb_is_read_no_further_than_its_header_promises(tmp_path):
    """256 MB of zeros behind an honest header: more than the promised bytes are never unpacked."""
    write_gzipped(tmp_path)
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = [squeeze.compress(header(2051, 211, 28, 28))]
    megabytes = bytes(2 ** 24)
    bomb += [squeeze.compress(megabytes) for _ in range(16)]
    path.write_bytes(b''.join(bomb) + squeeze.flush())

    import tracemalloc
    tracemalloc.start()
    with pytest.raises(UserError, match='goes on after the 165424 bytes'):
        idx.read_images(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 ** 21


def test_labels_out_of_range_and_missing_files(tmp_path):
    write_gzipped(tmp_path)
    path = tmp_path / 't10k-labels-idx1-ubyte.gz'
    path.write_bytes(gzip.compress(header(2049, 53) + b'\x0a' * 53))
    with pytest.raises(UserError, match='a label is 10, but digits are 0 to 9'):
        input_data.read_data_sets(str(tmp_path), validation_size=11)
    with pytest.raises(UserError, match='Validation size should be between 0 and 211'):
        path.write_bytes(gzip.compress(header(2049, 53) + bytes(53)))
        input_data.read_data_sets(str(tmp_path))
    with pytest.raises(UserError, match='has no file train-images-idx3-ubyte'):
        idx.read_folder(tmp_path / 'empty')


def test_strokes_are_kept_for_the_next_time_and_never_half(tmp_path, monkeypatch):
    """What `load` gives for --dataset strokes, drawn once; drawing is made short here."""
    calls = []

    def few(count, seed, progress):
        calls.append(count)
        random = np.random.RandomState(seed)
        return (random.randint(0, 256, (count, 28, 28)).astype('u1'),
                random.randint(0, 10, count).astype('u1'))
    monkeypatch.setattr(loading.strokes, 'make', few)
    args = Namespace(data_dir=str(tmp_path), dataset='strokes', seed=3, quiet=True,
                     validation_size=5000)
    drawn, kept = input_data.load(args), input_data.load(args)
    assert calls == [70000]
    assert drawn.name == kept.name == 'strokes'
    assert kept.label == ' (strokes, not MNIST)'
    assert [data.num_examples for data in kept] == [55000, 5000, 10000]
    for one, other in zip(drawn.train.next_batch(100), kept.train.next_batch(100)):
        np.testing.assert_array_equal(one, other)
    assert len(list(tmp_path.iterdir())) == 1  # nothing unfinished stays


@pytest.mark.mnist
def test_the_official_files(mnist_dir):
    mnist = input_data.load(Namespace(data_dir=str(mnist_dir), dataset='mnist', seed=0,
                                      validation_size=5000, quiet=True))
    assert (mnist.name, mnist.label) == ('MNIST', '')
    assert [data.num_examples for data in mnist] == [55000, 5000, 10000]
    # Counted in the files as published: the digits 0 to 9 among the test labels.
    assert np.bincount(mnist.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.test.images.max() == 1.0


def test_images_on_disk_are_those_in_memory(small_dir, monkeypatch):
    """Every access of a lesson: batches over epochs' ends, in order, seek, all at once."""
    def seen():
        mnist = input_data.load(Namespace(data_dir=str(small_dir), dataset='mnist', seed=3,
                                          quiet=True, validation_size=700))
        batches = [mnist.train.next_batch(900) for _ in range(8)]
        mnist.train.seek(6000)
        batches += [mnist.train.next_batch(11), *mnist.validation.in_order(300),
                    (mnist.train.images, mnist.train.labels), (mnist.test.images, [])]
        return batches
    in_memory = seen()
    monkeypatch.setattr(idx, 'MIN_BYTES_ON_DISK', 1000)
    assert isinstance(idx.read_folder(small_dir)[0], idx.ImagesOnDisk)
    for ours, expected in zip(seen(), in_memory):
        np.testing.assert_array_equal(ours[0], expected[0])
        np.testing.assert_array_equal(ours[1], expected[1])
        assert ours[0].dtype == expected[0].dtype


@pytest.mark.parametrize(('bytes_more', 'words'), [(-1, 'cut short'), (1, 'goes on after')])
def test_images_on_disk_have_the_size_that_their_header_promises(tmp_path, monkeypatch,
                                                                bytes_more, words):
    path = tmp_path / 'train-images-idx3-ubyte'
    path.write_bytes(np.array([2051, 50, 28, 28], '>u4').tobytes()
                     + bytes(50 * 28 * 28 + bytes_more))
    monkeypatch.setattr(idx, 'MIN_BYTES_ON_DISK', 1000)
    with pytest.raises(UserError, match=words):
        idx.read_images(path)


def test_what_is_added_is_learned_from_and_not_scored(small_dir):
    """An epoch has every image once, with its own label; in order there are only those given."""
    train = input_data.read_data_sets(str(small_dir), dtype=np.uint8).train
    given = [images.copy() for images, _ in train.in_order(300)]
    count = train.num_examples
    own = {image.tobytes(): label for image, label in zip(train.pixels, train.labels)}
    more = np.random.RandomState(0).randint(0, 256, (200, 28, 28)).astype(np.uint8)
    train.add(more[:150], 10)
    train.add(more[150:], np.full(50, 7))
    assert train.num_examples == count + 200
    own.update({image.tobytes(): 10 if i < 150 else 7 for i, image in enumerate(more)})
    for _ in range(2):
        images, labels = zip(*(train.next_batch(200) for _ in range(train.num_examples // 200)))
        images, labels = np.concatenate(images), np.concatenate(labels)
        assert {image.tobytes() for image in images} == set(own)
        assert all(own[image.tobytes()] == label for image, label in zip(images, labels))
    assert all((a == b).all() for a, (b, _) in zip(given, train.in_order(300)))
    first = train.num_examples  # of the second epoch
    train.seek(first + 600)
    assert (train.next_batch(200)[0] == images[600:800]).all()
