"""Checkpoints cross between TensorFlow 1.15 and 2.x.

OTHER_PYTHON names an interpreter with the other TensorFlow; .ci/run sets it where it has both.
"""
import json
import os
import subprocess
import sys

import pytest

from digits.records import HOME

OTHER = os.environ.get('OTHER_PYTHON')


def predict(python, folder):
    """The probabilities that predict.py prints for the shipped pictures, under that interpreter."""
    pictures = sorted(path for path in (HOME / 'data').iterdir()
                      if path.suffix in ('.png', '.jpg', '.gif'))
    result = subprocess.run(
        [python, str(HOME / 'predict.py'), '--json', '--run-dir', str(folder),
         *map(str, pictures)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line)['probabilities'] for line in result.stdout.splitlines()]
    assert len(rows) == len(pictures) >= 10
    return rows


@pytest.mark.skipif(not OTHER, reason='OTHER_PYTHON names no interpreter with another TensorFlow')
@pytest.mark.parametrize('name', ['mnist_softmax.py', 'mnist_cnn.py', 'mnist_numpy_sigmoid.py'])
@pytest.mark.parametrize('direction', ['written here', 'written there'])
def test_a_checkpoint_reads_the_same_under_the_other_tensorflow(script, small_dir, tmp_path, name,
                                                                 direction):
    writer, reader = ((sys.executable, OTHER) if direction == 'written here'
                      else (OTHER, sys.executable))
    flags = ['--steps', '40', '--run-dir', str(tmp_path / 'run')]
    subprocess.run([writer, str(HOME / name), *flags], check=True, capture_output=True,
                   env={**os.environ, 'MNIST_DATA_DIR': str(small_dir)})
    for ours, theirs in zip(predict(writer, tmp_path / 'run'), predict(reader, tmp_path / 'run')):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)
