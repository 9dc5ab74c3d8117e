"""Peak memory of whole processes, as the operating system counts it."""
import os
import subprocess
import sys

import numpy as np
import pytest

import mnist_softmax
from digits.datasets import idx
from digits.paths import PROJECT_ROOT
from digits.tensorflow_v1 import tf

pytestmark = pytest.mark.skipif(not hasattr(os, 'wait4'), reason='asks the system for a child')


def peak_mb(*command):
    """The most megabytes that a Python process had in memory."""
    process = subprocess.Popen([sys.executable, *map(str, command)], cwd=str(PROJECT_ROOT),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status  # it has been waited for
    assert status == 0
    return usage.ru_maxrss / (2 ** 20 if sys.platform == 'darwin' else 2 ** 10)


def black_images(folder, count):
    """A data set whose training images are a hole in a file: they take no room on the disk."""
    folder.mkdir()
    for name, images in ((idx.TRAIN_IMAGES, count), (idx.TEST_IMAGES, 100)):
        (folder / name).write_bytes(np.array([2051, images, 28, 28], '>u4').tobytes())
        os.truncate(str(folder / name), 16 + images * 784)
        (folder / name.replace('images-idx3', 'labels-idx1')).write_bytes(
            np.array([2049, images], '>u4').tobytes() + bytes(images))
    return folder


@pytest.mark.slow
def test_images_on_the_disk_do_not_come_into_memory(tmp_path):
    """A thousand batches from all over 400 MB, against 160 MB."""
    def peak(count):
        return peak_mb('-c', 'from digits import input_data\n'
                       'mnist = input_data.read_data_sets('
                       f'{str(black_images(tmp_path / str(count), count))!r}, seed=0)\n'
                       'for _ in range(1000): mnist.train.next_batch(200)')
    # 235 MB more on the disk; an order of 8 bytes and a label for each image are in memory.
    assert peak(500000) - peak(200000) < 40


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'batch', 'few', 'many'), [
    ('mnist_softmax.py', '50', 500, 5000),
    ('mnist_cnn.py', '4', 200, 800)])
def test_memory_does_not_grow_with_steps(small_dir, tmp_path, name, batch, few, many):
    first, second = (peak_mb(name, '--data-dir', small_dir, '--batch-size', batch, '--steps', steps,
                             '--run-dir', tmp_path / str(steps)) for steps in (few, many))
    assert second - first < 25


def test_nothing_can_be_added_to_a_graph_that_trains(small_dir, tmp_path):
    mnist_softmax.main(['--data-dir', str(small_dir), '--steps', '5', '--run-dir', str(tmp_path)])
    with pytest.raises(RuntimeError, match='finalized'):
        tf.constant(1)
    tf.reset_default_graph()


@pytest.mark.slow
@pytest.mark.mnist
def test_the_cnn_needs_little_more_than_tensorflow_and_the_data(mnist_dir, tmp_path):
    """At most half as much again as TensorFlow's own after its import, and 55 MB of images."""
    tensorflow = peak_mb('-c', 'from digits.tensorflow_v1 import tf')
    images = 70000 * 784 / 2 ** 20
    cnn = peak_mb('mnist_cnn.py', '--data-dir', mnist_dir, '--dataset', 'mnist', '--steps', '200',
                  '--run-dir', tmp_path)
    assert cnn < 1.5 * (tensorflow + images)
