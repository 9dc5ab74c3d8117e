"""Checkpoints cross between TensorFlow 1.15 and 2.x, in all directions.

OTHER_PYTHON names interpreters with other TensorFlows, separated as in PATH; .ci/run sets it.
"""
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from digits.datasets import strokes
from digits.paths import PROJECT_ROOT

PYTHONS = [sys.executable, *filter(None, os.environ.get('OTHER_PYTHON', '').split(os.pathsep))]
# Of the largest logit: float32 sums in another order. Measured: 6e-7 at most.
TOLERANCE = 1e-5


@pytest.fixture(scope='module')
def written(small_dir, tmp_path_factory):
    """written(python, script) -> the folder of a run trained under that interpreter."""
    folders = {}

    def run(python, name):
        if (python, name) not in folders:
            folder = folders[python, name] = tmp_path_factory.mktemp('written') / 'run'
            flags = ['--precision', 'float32'] if 'numpy' not in name else []
            subprocess.run([python, str(PROJECT_ROOT / name), '--steps', '40', *flags, '--run-dir',
                            str(folder)], check=True, capture_output=True,
                           env={**os.environ, 'MNIST_DATA_DIR': str(small_dir)})
        return folders[python, name]
    return run


def logits(python, folder, images):
    """The logits of images that a run gives, restored under that interpreter."""
    code = ('import sys, numpy as np\n'
            'from pathlib import Path\n'
            'from digits.prediction import classifier\n'
            'folder, images, out = map(Path, sys.argv[1:])\n'
            'np.save(str(out), classifier.restore(folder).logits(np.load(str(images))))\n')
    out = images.with_name('logits.npy')
    subprocess.run([python, '-c', code, str(folder), str(images), str(out)], check=True,
                   env={**os.environ, 'PYTHONPATH': str(PROJECT_ROOT)})
    return np.load(str(out))


@pytest.mark.skipif(len(PYTHONS) < 2, reason='OTHER_PYTHON names no other interpreter')
@pytest.mark.parametrize('name', ['mnist_softmax.py', 'mnist_cnn.py', 'mnist_numpy_sigmoid.py'])
@pytest.mark.parametrize(('writer', 'reader'), [*itertools.permutations(PYTHONS, 2)])
def test_a_checkpoint_gives_the_same_logits_under_the_other_tensorflow(
        written, tmp_path, name, writer, reader):
    np.save(str(tmp_path / 'images.npy'), strokes.make(200, seed=5)[0])
    folder = written(writer, name)
    ours, theirs = (logits(python, folder, tmp_path / 'images.npy') for python in (writer, reader))
    assert ours.dtype == theirs.dtype == np.float32
    difference = np.abs(ours - theirs).max() / np.abs(ours).max()
    print(f'{name}: {difference:.1e}')
    assert difference <= TOLERANCE
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
