"""Scripts by other people keep working: eight in the style of TensorFlow 1.x's MNIST tutorials.

Each file in classic/ runs with its two imports replaced and not a word more. Where TensorFlow
is 1.x, each also runs as it is, on TensorFlow's own module, and must print the same.
"""
import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from digits.datasets import idx, strokes
from digits.paths import PROJECT_ROOT
from digits.tensorflow_v1 import tf

CLASSIC = Path(__file__).with_name('classic')
SCRIPTS = ('fully_connected', 'convolutional', 'recurrent', 'autoencoder', 'nearest_neighbour',
           'tensorboard_summaries', 'layers', 'xavier')
TENSORFLOW = ('import tensorflow as tf', 'from digits.tensorflow_v1 import tf')
INPUT_DATA = ('from tensorflow.examples.tutorials.mnist import input_data',
              'from digits import input_data')
SAID_BY_THE_CLASSIC_MODULE = {
    'Extracting ' + os.path.join('MNIST_data', name + '.gz') for name in idx.NAMES}


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """run('recurrent', TENSORFLOW, INPUT_DATA): the folder where it ran, and the lines it printed.

    Without replacements the script runs as it is. The same call twice runs it once.
    """
    data = tmp_path_factory.mktemp('classic') / 'MNIST_data'
    data.mkdir()
    images, labels = strokes.make(11000, seed=1)
    images = images[..., None]
    idx.write_folder(data, [images[:10500], labels[:10500], images[10500:], labels[10500:]])
    for name in idx.NAMES:  # the classic module wants them gzipped
        (data / (name + '.gz')).write_bytes(gzip.compress((data / name).read_bytes(), 1))
        (data / name).unlink()
    ran = {}

    def run(name, *replacements):
        if (name, replacements) not in ran:
            folder = tmp_path_factory.mktemp(name)
            shutil.copytree(str(data), str(folder / 'MNIST_data'))
            lines = (CLASSIC / f'{name}.py').read_text(encoding='utf-8').split('\n')
            for old, new in replacements:
                assert lines.count(old) == 1
                lines[lines.index(old)] = new
            (folder / f'{name}.py').write_text('\n'.join(lines), encoding='utf-8')
            path = {'PYTHONPATH': str(PROJECT_ROOT)} if replacements else {}
            result = subprocess.run(
                [sys.executable, f'{name}.py'], cwd=str(folder), stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=120, check=False,
                env={**os.environ, **path})
            assert result.returncode == 0, result.stderr
            ran[name, replacements] = folder, result.stdout.splitlines()
        return ran[name, replacements]
    return run


def numbers(lines, before):
    """The numbers at the ends of the lines that have only `before`, a pattern, in front of them."""
    matches = [re.fullmatch(before + r'(\d+\.\d+)', line) for line in lines]
    return [float(match.group(1)) for match in matches if match]


@pytest.mark.parametrize(('name', 'before', 'least'), [
    pytest.param('fully_connected', 'Accuracy: ', 0.88, marks=pytest.mark.slow),
    ('convolutional', 'test accuracy ', 0.88),
    pytest.param('recurrent', 'Testing Accuracy: ', 0.87, marks=pytest.mark.slow),
    pytest.param('nearest_neighbour', 'Accuracy: ', 0.8, marks=pytest.mark.slow),
    ('tensorboard_summaries', 'Test accuracy: ', 0.82),
    pytest.param('layers', 'Testing Accuracy: ', 0.87, marks=pytest.mark.slow),
    pytest.param('xavier', 'Accuracy: ', 0.87, marks=pytest.mark.slow),
])
def test_it_learns(run, name, before, least):
    _, lines = run(name, TENSORFLOW, INPUT_DATA)
    accuracy, = numbers(lines, before)
    assert accuracy > least


@pytest.mark.slow
def test_the_autoencoder_learns(run):
    _, lines = run('autoencoder', TENSORFLOW, INPUT_DATA)
    losses = numbers(lines, r'Step \d+: Minibatch Loss: ')
    loss, = numbers(lines, 'Test Loss: ')
    assert len(losses) == 7
    assert max(losses[-1], loss) < 0.2 * losses[0]  # the mean image, again and again: 0.28


def test_tensorboard_gets_the_printed_numbers(run):
    folder, lines = run('tensorboard_summaries', TENSORFLOW, INPUT_DATA)
    kept = {'cross_entropy': {}, 'accuracy': {}}
    file, = (folder / 'logs' / 'validation').glob('events.out.tfevents.*')
    for event in tf.train.summary_iterator(str(file)):
        for value in event.summary.value:
            if value.tag in kept:
                kept[value.tag][event.step] = f'{value.simple_value:.4f}'
    printed = [f'{word} at step {step}: {kept[tag][step]}' for step in range(0, 201, 20)
               for word, tag in (('Loss', 'cross_entropy'), ('Accuracy', 'accuracy'))]
    assert printed == [line for line in lines if ' at step ' in line]


@pytest.mark.skipif(not tf.__version__.startswith('1.'),
                    reason='TensorFlow 1.x alone runs them as they are, on its own input_data')
@pytest.mark.parametrize('name', SCRIPTS)
def test_it_prints_what_it_prints_as_it_is(run, name):
    _, lines = run(name)
    original = [line for line in lines if line not in SAID_BY_THE_CLASSIC_MODULE]
    assert len(original) == len(lines) - 4
    assert run(name, INPUT_DATA)[1] == original
    assert run(name, TENSORFLOW, INPUT_DATA)[1] == original
