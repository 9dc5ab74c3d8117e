"""What the README promises, on the official files: minutes of training, so --slow."""
import re

import numpy as np
import pytest

import mnist_cnn
import mnist_numpy_sigmoid
import mnist_softmax
from digits import classifier, idx

pytestmark = [pytest.mark.slow, pytest.mark.mnist]


def train(lesson, mnist_dir, folder, *flags):
    return lesson.main(['--data-dir', str(mnist_dir), '--dataset', 'mnist', '--run-dir',
                        str(folder), *flags])


def test_softmax(mnist_dir, tmp_path, capfd):
    first, again = (train(mnist_softmax, mnist_dir, tmp_path / name) for name in ('a', 'b'))
    assert 0.915 <= first <= 0.925
    printed = re.findall(r'^test accuracy: (.*)$', capfd.readouterr().out, re.MULTILINE)
    assert printed[0] == printed[1] == f'{first:.4f}'
    assert first == again


def test_cnn_and_the_shipped_pictures(script, mnist_dir, tmp_path):
    assert train(mnist_cnn, mnist_dir, tmp_path / 'cnn') >= 0.994
    result = script('predict.py', '--run-dir', tmp_path / 'cnn', 'data/*.png', 'data/*.jpg',
                    'data/*.gif')
    lines = result.stdout.splitlines()
    assert len(lines) >= 10 and result.returncode == 0
    wrong = [line for line in lines if not re.match(r'data.(\d)\S+ +\1 ', line)]
    assert not wrong


def test_numpy(mnist_dir, tmp_path, capfd):
    assert train(mnist_numpy_sigmoid, mnist_dir, tmp_path / 'numpy') > 0.78
    rows = re.findall(r'^ +(\d+) +(0\.\d{4}) +[\d.]+$', capfd.readouterr().out, re.MULTILINE)
    assert [row[0] for row in rows[:3]] == ['0', '10', '20']
    assert float(rows[-1][1]) > 0.80


@pytest.mark.parametrize(('lesson', 'flags', 'least'), [
    (mnist_softmax, ['--steps', '5500', '--learning-rate', '0.1'], 0.87),
    (mnist_cnn, [], 0.978),
])
def test_strokes_alone_teach_to_read_mnist(lesson, flags, least, mnist_dir, tmp_path, capfd):
    """Trained on digits that a program draws, scored on all of MNIST's 10,000 test images."""
    lesson.main(['--dataset', 'strokes', '--data-dir', str(tmp_path), '--run-dir',
                 str(tmp_path / 'run'), *flags])
    images, labels = idx.read_folder(mnist_dir)[2:]
    probabilities = classifier.restore(tmp_path / 'run')(images[..., 0])[0]
    accuracy = np.mean(probabilities.argmax(axis=1) == labels)
    with capfd.disabled():
        print(f'\n{lesson.__name__}.py, trained on strokes: {accuracy:.4f} on MNIST')
    assert accuracy >= least
