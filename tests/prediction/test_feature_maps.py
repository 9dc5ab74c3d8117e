"""predict.py --feature-maps: what is drawn is what the convolutions make of a picture."""
import io
import re

import numpy as np
import pytest
from helpers import PICTURES
from PIL import Image

import predict
from digits.datasets import idx
from digits.errors import UserError
from digits.prediction import batches, classifier
from digits.tensorflow_v1 import tf


def convolution(x, W):
    """x [h, w, c] with zeros around it, W [k, k, c, filters] -> [h, w, filters], offset by offset.
    """
    reach = len(W) // 2
    padded = np.pad(x, [(reach, reach), (reach, reach), (0, 0)], mode='constant')
    height, width = x.shape[:2]
    return sum(padded[row:row + height, column:column + width] @ W[row, column]
               for row in range(len(W)) for column in range(len(W)))


def test_feature_maps_are_the_checkpoints_convolutions(trained, small_dir):
    """Against weights that TensorFlow's own reader gives, and arithmetic in NumPy."""
    name, layers = 'mnist_cnn', 2
    image = idx.read_folder(small_dir)[2][7, ..., 0]
    weights = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(trained[name])) or str(
        next(trained[name].glob('*.index')))[:-len('.index')])
    maps = classifier.restore(trained[name]).feature_maps(image)
    assert len(maps) == 2 * layers
    x = image[..., None] / 255
    for layer in range(layers):
        (title, before), (title_after, after) = maps[2 * layer:2 * layer + 2]
        W = weights.get_tensor(f'conv{layer + 1}/W')
        x = convolution(x, W)
        np.testing.assert_allclose(before, x, rtol=1e-3, atol=1e-4 * np.abs(x).max())
        x = np.maximum(x + weights.get_tensor(f'conv{layer + 1}/b'), 0)
        assert after.shape == [(28, 28, 32), (14, 14, 64)][layer]
        np.testing.assert_allclose(after, x, rtol=1e-3, atol=1e-4 * x.max())
        assert (title, title_after) == (f'conv{layer + 1}, before bias and ReLU',
                                        f'conv{layer + 1}, after bias and ReLU')
        x = x.reshape(len(x) // 2, 2, len(x) // 2, 2, -1).max(axis=(1, 3))


@pytest.mark.parametrize('name', ['mnist_softmax', 'mnist_numpy_sigmoid'])
def test_without_convolutions_there_are_no_feature_maps(trained, tmp_path, capsys, name):
    with pytest.raises(UserError, match=f'^{name} has no convolution') as refused:
        predict.main(['--run-dir', str(trained[name]), str(PICTURES[0]), '--feature-maps',
                      str(tmp_path / 'maps.png')])
    assert refused.value.exit_status == 2 and not capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_both_drawings_are_written_at_once(trained, tmp_path, monkeypatch, capsys):
    """Of a picture on standard input, which is read once and drawn twice."""
    with open(str(PICTURES[0]), 'rb') as file:
        monkeypatch.setattr('sys.stdin', io.TextIOWrapper(file))
        batches.standard_input.cache_clear()
        predict.main(['-', '--run-dir', str(trained['mnist_cnn']), '--plot',
                      str(tmp_path / 'plot.png'), '--feature-maps', str(tmp_path / 'maps.png')])
    assert re.match(r'-  \d  ', capsys.readouterr().out)
    sizes = []
    for name in ('plot.png', 'maps.png'):
        with Image.open(str(tmp_path / name)) as image:
            sizes.append(image.size)
            assert len(np.unique(np.asarray(image.convert('L')))) > 50
    assert sizes == [(900, pytest.approx(220, abs=1)), (900, pytest.approx(980, abs=60))]
