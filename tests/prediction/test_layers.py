"""Layers on the way to an answer, held against feature maps, a checkpoint and small graphs."""
import numpy as np
import pytest

from digits.datasets import strokes
from digits.errors import UserError
from digits.prediction import classifier
from digits.prediction.layers import Layers
from digits.tensorflow_v1 import tf
from digits.training import graph


@pytest.fixture(scope='module')
def drawn():
    return strokes.make(1, seed=3)[0][0]


def test_a_convolution_has_its_feature_maps_and_a_dense_layer_adds_up_to_the_answer(cnn_run, drawn):
    classify = classifier.restore(cnn_run)
    logits = classify.logits(drawn[np.newaxis])[0]
    digit = int(logits.argmax())
    conv1, conv2, fc1 = classify.layers().values(drawn, digit)
    assert [conv1.name, conv2.name, fc1.name] == ['conv1', 'conv2', 'fc1']
    for layer, (title, values) in zip((conv1, conv2), classify.feature_maps(drawn)[1::2]):
        assert title == f'{layer.name}, {layer.stage}'
        assert np.array_equal(layer.values, values)
        assert layer.contribution.shape == values.shape[2:]
    # Behind the last hidden layer all is linear: what its units add is the logit but for the bias.
    bias = tf.train.load_checkpoint(str(cnn_run)).get_tensor('fc2/b')
    assert fc1.values.shape == fc1.contribution.shape == (1024,)
    assert fc1.contribution.sum() == pytest.approx(
        logits[digit] - logits.mean() - bias[digit] + bias.mean(), abs=1e-3)
    # Of the others to first order, which of a network of ReLUs is nearly all.
    for layer in (conv1, conv2):
        assert layer.contribution.sum() == pytest.approx(logits[digit] - logits.mean(), rel=0.3)


def test_a_pixel_is_the_sum_of_its_patch_times_its_filter(cnn_run, drawn):
    classify = classifier.restore(cnn_run)
    layers, maps = classify.layers(), classify.feature_maps(drawn)
    for layer, number, row, column in ((0, 3, 7, 9), (0, 31, 27, 0), (1, 5, 0, 13), (1, 63, 6, 7)):
        found = layers.pixel(drawn, layer, number, row, column)
        before, after = (maps[2 * layer + k][1][row, column, number] for k in (0, 1))
        assert (found['sum'], found['after']) == pytest.approx((before, after), abs=1e-3)
        assert len(found['channels']) == (3 if layer else 1)
        for channel in found['channels']:
            product = np.sum(np.array(channel['patch']) * np.array(channel['filter']))
            assert channel['sum'] == pytest.approx(product, abs=0.02)
    for place in ((2, 0, 0, 0), (0, 32, 0, 0), (0, 0, 28, 0), (1, 0, 0, 14)):
        with pytest.raises(UserError):
            layers.pixel(drawn, *place)


@pytest.mark.parametrize('padding', ['SAME', 'VALID', [[0, 0], [3, 1], [0, 2], [0, 0]]])
@pytest.mark.parametrize(('stride', 'step'), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)])
def test_strides_and_padding(padding, stride, step, drawn):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 784])
        tf.set_random_seed(0)
        kernel = tf.random_normal([4, 3, 1, 2], seed=1)
        h = tf.nn.relu(tf.nn.conv2d(tf.reshape(x, [-1, 28, 28, 1]), tf.constant(
            session.run(kernel)), strides=[1, stride, stride, 1], padding=padding,
            dilations=[1, step, step, 1]))
        width = int(np.prod(h.shape.as_list()[1:]))
        logits = tf.matmul(tf.reshape(h, [-1, width]), tf.ones([width, 10]))
        maps = graph.feature_maps(logits)
        layers = Layers(session, logits,
                        lambda image: {x: image.reshape(1, 784) / np.float32(255)}, maps)
        sums = session.run(maps[0][1], {x: drawn.reshape(1, 784) / np.float32(255)})[0]
        for row, column in ((0, 0), (3, 4), (sums.shape[0] - 1, sums.shape[1] - 1)):
            found = layers.pixel(drawn, 0, 1, row, column)
            assert found['sum'] == pytest.approx(sums[row, column, 1], abs=1e-4)
            assert found['channels'][0]['sum'] == pytest.approx(found['sum'], abs=1e-3)


def test_a_layer_behind_which_no_gradient_goes_contributes_nothing(drawn):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 784])
        h = tf.stop_gradient(tf.nn.relu(tf.nn.conv2d(
            tf.reshape(x, [-1, 28, 28, 1]), tf.ones([3, 3, 1, 2]), strides=[1, 2, 2, 1],
            padding='SAME')))
        hidden = tf.nn.relu(tf.matmul(tf.reshape(h, [-1, 392]), tf.ones([392, 5])), 'hidden')
        logits = tf.matmul(hidden, tf.constant(np.float32(np.eye(5, 10))))
        layers = Layers(session, logits, lambda image: {x: image.reshape(1, 784) / 255},
                        graph.feature_maps(logits))
        conv, dense = layers.values(drawn, 2)
        assert conv.values.max() > 0 and not conv.contribution.any()
        assert dense.contribution.argmax() == 2


def test_a_network_without_hidden_layers_has_none(drawn):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 784])
        logits = tf.matmul(x, tf.ones([784, 10]))
        assert not Layers(session, logits, lambda image: {x: image.reshape(1, 784)}, [])
