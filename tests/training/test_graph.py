"""digits.training.graph: what it finds in graphs of other forms than the lessons'."""
import math

import numpy as np
import pytest

from digits.tensorflow_v1 import open_session, tf
from digits.training import graph

IMAGE = np.random.RandomState(0).rand(1, 784).astype(np.float32)


def network(convolve):
    """(images, logits): convolve [n, 28, 28, 1] -> [n, h, w, filters], and a dense layer."""
    images = tf.placeholder(tf.float32, [None, 784])
    h = convolve(tf.reshape(images, [-1, 28, 28, 1]))
    width = int(np.prod(h.shape.as_list()[1:]))
    return images, tf.matmul(tf.reshape(h, [-1, width]), tf.ones([width, 10]))


def maps(convolve):
    """[(title, values)] of the network's feature maps for IMAGE, all fetched at once."""
    with tf.Graph().as_default():
        images, logits = network(convolve)
        found = graph.feature_maps(logits)
        with open_session('cpu', 'float32') as session:
            values = session.run([tensor for _, tensor in found], {images: IMAGE})
        return [(title, value) for (title, _), value in zip(found, values)]


def conv(x, filters=4, **options):
    """A convolution with random weights, some of whose sums are negative."""
    W = np.random.RandomState(1).normal(0, 0.5, [3, 3, x.shape.as_list()[-1], filters])
    return tf.nn.conv2d(x, tf.constant(W, tf.float32), strides=[1, 1, 1, 1], padding='SAME',
                        name='conv/Conv2D', **options)


def biased(x):
    return tf.nn.bias_add(conv(x), tf.constant([0.1, -0.2, 0.3, 0.0]))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def erf_gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2


@pytest.mark.parametrize(('name', 'gated', 'formula'), [
    ('swish', tf.nn.swish, lambda x: x * sigmoid(x)),
    ('swish', lambda x: x * tf.nn.sigmoid(1.5 * x), lambda x: x * sigmoid(1.5 * x)),
    ('mish', lambda x: x * tf.tanh(tf.nn.softplus(x)), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    ('GELU', lambda x: 0.5 * x * (1 + tf.tanh(0.7978846 * (x + 0.044715 * tf.pow(x, 3)))),
     lambda x: 0.5 * x * (1 + np.tanh(0.7978846 * (x + 0.044715 * x ** 3)))),
    ('GELU', lambda x: x * 0.5 * (1 + tf.math.erf(x / 1.4142135)), erf_gelu),
    ('hard swish', lambda x: x * tf.nn.relu6(x + 3) / 6, lambda x: x * np.clip(x + 3, 0, 6) / 6),
])
def test_x_times_a_gate_of_x_is_one_activation(name, gated, formula):
    (before, sums), (after, values) = maps(lambda x: gated(biased(x)))
    assert (before, after) == (f'conv, before bias and {name}', f'conv, after bias and {name}')
    expected = formula(sums + np.float32([0.1, -0.2, 0.3, 0.0]))
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
    assert values.min() < 0


def test_a_gate_that_other_sums_give_is_an_activation_by_itself():
    """As in highway networks."""
    with tf.Graph().as_default():
        _, logits = network(lambda x: tf.nn.relu(conv(x)) * tf.nn.sigmoid(biased(x)))
        found = graph.activations(logits)
        assert sorted(tensor.op.type for tensor in found.values()) == ['MatMul', 'Relu', 'Sigmoid']


@pytest.mark.parametrize(('steps', 'convolve'), [
    ('pooling and ReLU', lambda x: tf.nn.relu(tf.nn.avg_pool2d(conv(x), 2, 2, 'SAME'))),
    ('bias and sum and ReLU', lambda x: tf.nn.relu(biased(x) + conv(x))),
    ('bias and ReLU', lambda x: tf.nn.relu(conv(x) + tf.constant([0.1, -0.2, 0.3, 0.0]))),
    ('normalisation and ReLU', lambda x: tf.nn.relu(tf.nn.batch_normalization(
        conv(x), 0.1, 2.0, 0.3, 0.4, 1e-3))),
    ('bias and Elu', lambda x: tf.nn.elu(biased(x))),
])
def test_what_comes_between_a_convolution_and_its_activation_is_named(steps, convolve):
    assert maps(convolve)[1][0] == f'conv, after {steps}'


@pytest.mark.parametrize('convolve', [
    lambda x: tf.nn.relu(tf.nn.conv2d(tf.transpose(x, [0, 3, 1, 2]), tf.ones([3, 3, 1, 2]),
                                      [1, 1, 1, 1], 'SAME', data_format='NCHW')),
    lambda x: tf.nn.relu(tf.nn.atrous_conv2d(x, tf.ones([3, 3, 1, 2]), 2, 'SAME')),
], ids=['NCHW', 'atrous'])
def test_convolutions_of_another_layout_are_left_out(convolve):
    with tf.Graph().as_default():
        _, logits = network(convolve)
        assert graph.count_convolutions(logits) == 1
        assert graph.feature_maps(logits) == []
