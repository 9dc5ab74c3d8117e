"""read_data_sets against the classic module itself, and against files that are not what they say.

The digests in classic_batches.json were made by tensorflow.examples.tutorials.mnist.input_data of
TensorFlow 1.15.5. Where that module exists they are made again, and must be the same.
"""
import hashlib
import itertools
import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from gzipped_idx import write_gzipped

from digits import input_data
from digits.datasets import idx, loading, outliers
from digits.tensorflow_v1 import tf

GOLDEN = Path(__file__).with_name('classic_batches.json')
try:
    from tensorflow.examples.tutorials.mnist import input_data as classic
except ImportError:
    classic = None

# 211 training images: batches end with an epoch, reach over its end, and over two epochs' ends.
CASES = ['-'.join(map(str, case)) for case in itertools.product(
    [0, 1, 777, 2 ** 31 + 5], [1, 50, 191, 200], ['dense', 'one_hot'], ['shuffle', 'in_order'])]


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
    assert trace(input_data, folder, case) == json.loads(GOLDEN.read_text(encoding='utf-8'))[case]


@pytest.mark.skipif(classic is None, reason='TensorFlow 1.15 alone has the classic module')
def test_digests_are_the_classic_modules_own(folder):
    golden = json.loads(GOLDEN.read_text(encoding='utf-8'))
    assert {case: trace(classic, folder, case) for case in CASES} == golden


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


def test_strokes_are_kept_for_the_next_time_and_never_half(tmp_path, monkeypatch):
    """What `load` gives for --dataset strokes, drawn once; drawing is made short here."""
    calls = []

    def few(count, seed, progress):
        calls.append(count)
        random = np.random.RandomState(seed)
        return (random.randint(0, 256, (count, 28, 28)).astype('u1'),
                random.randint(0, 10, count).astype('u1'))
    monkeypatch.setattr(loading.strokes, 'make', few)
    monkeypatch.setattr(loading.paths, 'DATA', tmp_path)
    args = Namespace(data_dir=str(tmp_path / 'other'), dataset='strokes', seed=3, quiet=True,
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
        outliers.add(mnist.train, 60)
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
