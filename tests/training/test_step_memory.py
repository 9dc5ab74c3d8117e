"""A batch that does not fit into memory is refused before the run, with the largest that does."""
import re
import subprocess
import sys

import numpy as np
import pytest

import mnist_cnn
import mnist_softmax
from digits import command_line, paths, tensorflow_v1
from digits.errors import UserError
from digits.tensorflow_v1 import tf
from digits.training import memory
from digits.training.models import GraphModel

GB = 10 ** 9


def train(lesson, small_dir, folder, batch):
    return lesson.main(['--steps', '1', '--batch-size', str(batch), '--validation-size', '500',
                        '--device', 'cpu', '--quiet', '--data-dir', str(small_dir), '--run-dir',
                        str(folder)])


def test_the_largest_batch_that_fits_is_named_and_fits(small_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_cnn, 'OUTLIERS', 0)
    monkeypatch.setattr(memory, 'available', lambda: GB // 5)
    with pytest.raises(UserError, match='0.2 GB are free; use [1-9]') as caught:
        train(mnist_cnn, small_dir, tmp_path / 'run', 5000)
    assert not (tmp_path / 'run').exists()
    most = int(re.search(r'use ([\d,]+) or less', str(caught.value)).group(1).replace(',', ''))
    with pytest.raises(UserError, match=f'use {most} or less'):
        train(mnist_cnn, small_dir, tmp_path / 'run', most + 1)
    train(mnist_cnn, small_dir, tmp_path / 'run', most)
    train(mnist_softmax, small_dir, tmp_path / 'other', 5000)  # it needs a hundredth of that
    monkeypatch.setattr(memory, 'available', lambda: 1000)
    with pytest.raises(UserError, match='no batch fits'):
        train(mnist_cnn, small_dir, tmp_path / 'none', 1)
    monkeypatch.setattr(memory, 'available', lambda: None)  # Windows, macOS
    train(mnist_softmax, small_dir, tmp_path / 'unknown', 5000)


PEAK = """if True:
    import resource, sys
    import mnist_cnn
    mnist_cnn.OUTLIERS = 0
    mnist_cnn.main(['--dataset', 'strokes', '--steps', '1', '--summary-every', '0', '--device',
                    'cpu', '--validation-size', '500', '--precision', 'float32', *sys.argv[1:]])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='ru_maxrss has other units')
def test_the_estimate_is_near_what_a_step_takes(tmp_path):
    """The peak grows by at most the estimate for each image, and by at least a third of it."""
    peaks = [1024 * int(subprocess.run(
        [sys.executable, '-c', PEAK, '--batch-size', batch, '--run-dir', str(tmp_path / batch)],
        cwd=str(paths.PROJECT_ROOT), capture_output=True, text=True, check=True
    ).stdout.split()[-1]) for batch in ('3000', '9000')]
    with tf.Graph().as_default():
        images, labels = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.int64, [None])
        logits = mnist_cnn.inference(images, tf.placeholder_with_default(0.3, []))
        loss = mnist_cnn.cross_entropy(logits, labels)
        model = GraphModel(None, None, images, labels, logits, loss, accuracy=tf.exp(-loss))
        estimate = model.step_bytes()[1]
    assert estimate / 3 < (peaks[1] - peaks[0]) / 6000 < estimate


@pytest.mark.parametrize(('files', 'bytes_'), [
    ({}, None),
    ({'meminfo': 'MemFree: 1 kB\nMemAvailable:    2000 kB\n'}, 2048000),
    ({'meminfo': 'MemAvailable: 2000 kB\n', 'memory.max': 'max\n', 'memory.current': '5\n'},
     2048000),
    ({'meminfo': 'MemAvailable: 2000 kB\n', 'memory.max': '9000\n', 'memory.current': '5000\n',
      'memory.stat': 'anon 4000\ninactive_file 700\n'}, 4700),
    ({'memory/memory.limit_in_bytes': '9000', 'memory/memory.usage_in_bytes': '9500',
      'memory/memory.stat': 'cache 1\ntotal_inactive_file 100\n'}, 0)])
def test_available_is_the_least_of_machine_and_cgroup(tmp_path, monkeypatch, files, bytes_):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, 'CGROUPS', tmp_path)
    monkeypatch.setattr(memory, 'MEMINFO', tmp_path / 'meminfo')
    assert memory.available() == bytes_


@pytest.mark.slow  # TensorFlow tries for ten seconds
def test_a_failed_allocation_in_a_session_is_a_sentence():
    with tf.Graph().as_default(), tensorflow_v1.open_session('cpu', 'float32') as session:
        size = tf.placeholder(tf.int64, [])
        huge = tf.fill([size, 2 ** 20], 1.0) + 1.0
        with pytest.raises(UserError, match='use a smaller --batch-size'):
            session.run([huge], {size: 2 ** 26})  # 256 TiB


def test_a_failed_allocation_is_a_sentence(capsys):
    def main():
        np.zeros([2 ** 46, 784])

    with pytest.raises(SystemExit) as caught:
        command_line.run(main)
    assert caught.value.code == 1 and 'not enough memory' in capsys.readouterr().err
