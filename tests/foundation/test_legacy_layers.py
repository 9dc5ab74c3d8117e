"""tf.layers, tf.keras and tf.contrib, as scripts written for TensorFlow 1 find them in `tf`."""
import math
import re
import subprocess
import sys

import numpy as np
import pytest

from digits import contrib
from digits.paths import PROJECT_ROOT
from digits.tensorflow_v1 import tf

pytestmark = pytest.mark.filterwarnings('ignore:`tf:UserWarning')  # pytest shows them all again
TENSORFLOW_1 = tf.__version__.startswith('1.')
# Where TensorFlow has a tf.contrib of its own, that one has to pass too.
CONTRIB = [contrib.layers, tf.contrib.layers][:1 + TENSORFLOW_1]
each_contrib = pytest.mark.parametrize('layers', CONTRIB, ids=['ours', 'tensorflow'][:len(CONTRIB)])


def evaluate(tensors, feed_dict=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(tensors, feed_dict)


def python(code):
    return subprocess.run([sys.executable, '-c', code], cwd=str(PROJECT_ROOT), check=False,
                          capture_output=True, text=True)


@pytest.fixture
def rows():
    """A graph of its own, and 20 rows of 6 numbers."""
    with tf.Graph().as_default():
        yield np.random.RandomState(0).normal(3, 2, [20, 6]).astype(np.float32)


def test_dense_is_a_matrix_product_and_conv2d_one_at_each_place(rows):
    images = rows.reshape(5, 4, 6, 1)
    tf.layers.dense(rows, 3, tf.nn.relu, name='dense',
                    bias_initializer=tf.random_normal_initializer())
    dense = tf.get_default_graph().get_tensor_by_name('dense/Relu:0')
    convolved = tf.layers.conv2d(images, 2, 3, name='conv')
    values, (W, b, filters, c) = evaluate([[dense, convolved], tf.trainable_variables()])
    np.testing.assert_allclose(values[0], np.maximum(rows @ W + b, 0), rtol=1e-5, atol=1e-5)
    expected = [[np.tensordot(images[:, y:y + 3, x:x + 3], filters, 3) + c for x in range(4)]
                for y in range(2)]
    np.testing.assert_allclose(values[1], np.moveaxis(expected, 2, 0), rtol=1e-5, atol=1e-5)


def test_batch_normalization_moves_its_averages_by_update_ops(rows):
    training = tf.placeholder(tf.bool)
    normalized = tf.layers.batch_normalization(rows, momentum=0.9, epsilon=0.01, training=training)
    update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    averages = [v for v in tf.global_variables() if 'moving' in v.op.name]
    assert len(update_ops) == len(averages) == 2
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        value, _ = session.run([normalized, update_ops], {training: True})
        expected = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 0.01)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
        mean, variance = session.run(averages)
        np.testing.assert_allclose(mean, 0.1 * rows.mean(0), rtol=1e-4)
        np.testing.assert_allclose(variance, 0.9 + 0.1 * rows.var(0), rtol=1e-4)
        value = session.run(normalized, {training: False})
        np.testing.assert_allclose(value, (rows - mean) / np.sqrt(variance + 0.01), rtol=1e-4)


def test_dropout_drops_when_training_only(rows):
    training = tf.placeholder(tf.bool)
    dropped = tf.layers.dropout(tf.ones([100, 100]), rate=0.25, training=training)
    assert set(np.unique(evaluate(dropped, {training: False}))) == {1}
    value = evaluate(dropped, {training: True})
    np.testing.assert_allclose(np.unique(value), [0, 1 / 0.75], rtol=1e-6)
    assert abs((value == 0).mean() - 0.25) < 0.02  # 4.6 standard deviations


def test_keras_trains_in_graph_mode(rows):
    model = tf.keras.models.Sequential([tf.keras.layers.Dense(1, input_shape=(6,))])
    model.compile(optimizer=tf.train.GradientDescentOptimizer(0.01), loss='mse')
    W, b = model.get_weights()
    model.fit(rows, np.zeros([20, 1], np.float32), batch_size=20, epochs=1, verbose=0)
    gradient = 2 * rows.T @ (rows @ W + b) / 20
    np.testing.assert_allclose(model.get_weights()[0], W - 0.01 * gradient, rtol=1e-3, atol=1e-4)


@each_contrib
@pytest.mark.parametrize(('shape', 'fan_in', 'fan_out'), [
    ([784, 300], 784, 300), ([5, 5, 16, 96], 400, 2400), ([40000], 40000, 40000)])
def test_xavier_is_what_glorot_and_bengio_say(rows, layers, shape, fan_in, fan_out):
    bound = math.sqrt(6) / math.sqrt(fan_in + fan_out)  # their equation 16
    assert layers.xavier_initializer_conv2d is layers.xavier_initializer
    for uniform, most in ((True, bound), (False, 2 * math.sqrt(1.3 / 3) * bound)):
        initializer = layers.xavier_initializer(uniform, seed=1)
        value = evaluate(tf.get_variable(f'W{uniform}', shape, initializer=initializer))
        assert 0.99 * most < np.abs(value).max() <= most
        assert abs(value.var() * (fan_in + fan_out) / 2 - 1) < 0.03


@each_contrib
def test_initializers_give_the_numbers_of_tensorflow_1(rows, layers):
    values = [
        np.ravel(evaluate(initializer(shape)))[0] for shape in ([], [5], [784, 10], [5, 5, 1, 32])
        for initializer in (layers.xavier_initializer(seed=3),
                            layers.xavier_initializer(False, seed=3),
                            layers.variance_scaling_initializer(seed=3))]
    np.testing.assert_allclose(values, [  # tf.contrib's in TensorFlow 1.15.5
        -0.3916881, 1.210481, 1.7118787, -0.17516822, 0.54134357, 0.76557547,
        -0.01965826, 0.0607523, 0.06113853, -0.01928539, 0.05959997, 0.34237573], rtol=1e-5)


@each_contrib
def test_initializers_refuse(layers):
    with pytest.raises(TypeError):
        layers.variance_scaling_initializer(mode='fan_in')
    with pytest.raises(TypeError):
        layers.xavier_initializer(dtype=tf.int32)


@each_contrib
def test_l2_regularizer_halves_and_is_collected(rows, layers):
    tf.layers.dense(rows, 3, kernel_regularizer=layers.l2_regularizer(0.25))
    loss, = tf.losses.get_regularization_losses()
    value, W = evaluate([loss, tf.trainable_variables()[0]])
    np.testing.assert_allclose(value, 0.25 * (W ** 2).sum() / 2, rtol=1e-5)
    assert layers.l2_regularizer(0.0)(W) is None
    for wrong in (-0.1, 1):
        with pytest.raises(ValueError):
            layers.l2_regularizer(wrong)


@each_contrib
def test_flatten_keeps_what_is_known_of_the_shape(rows, layers):
    images = tf.placeholder(tf.float32, [None, 2, 3, 1])
    flat = layers.flatten(images)
    assert flat.shape.as_list() == [None, 6]
    np.testing.assert_array_equal(evaluate(flat, {images: rows.reshape(20, 2, 3, 1)}), rows)
    assert layers.flatten(tf.placeholder(tf.float32, [7, None, 3])).shape.as_list() == [7, None]


def test_contrib_rnn_is_what_nn_has(rows):
    for rnn in (contrib.rnn, tf.contrib.rnn):
        assert rnn.BasicLSTMCell is tf.nn.rnn_cell.BasicLSTMCell
        assert rnn.static_rnn is tf.nn.static_rnn
    images = rows.reshape(10, 3, 4)
    cell = tf.contrib.rnn.MultiRNNCell([tf.contrib.rnn.BasicLSTMCell(5) for _ in range(2)])
    outputs, _ = tf.contrib.rnn.static_rnn(cell, tf.unstack(images, 3, 1), dtype=tf.float32)
    assert evaluate(outputs[-1]).shape == (10, 5)


@pytest.mark.skipif(TENSORFLOW_1, reason='TensorFlow 1.15 has all of tf.contrib')
def test_what_contrib_has_no_more_is_one_sentence():
    for namespace, name in ((tf.contrib, 'slim'), (tf.contrib.layers, 'fully_connected')):
        with pytest.raises(AttributeError, match=rf'^tf\.contrib\.\S*{name} does not exist '
                           r'in TensorFlow 2: docs/classic-scripts\.md says what to use'):
            getattr(namespace, name)


def test_tf_stays_the_module_and_keras_and_contrib_unloaded():
    result = python(
        'import sys\n'
        'from digits.tensorflow_v1 import tf\n'
        'import tensorflow.compat.v1\n'
        'print(tf is tensorflow.compat.v1,'
        '      {"keras", "tf_keras", "digits.contrib"} & set(sys.modules))\n'
        'tf.layers.dense\n'
        'from tensorflow.keras.layers import Dense\n'
        'print(Dense is tf.keras.layers.Dense)')
    assert result.stdout == 'True set()\nTrue\n', result.stderr


@pytest.mark.skipif(TENSORFLOW_1, reason='TensorFlow 1.15 brings its Keras')
@pytest.mark.parametrize(('code', 'touched'), [
    ('tf.layers.dense(tf.zeros([1, 2]), 3)', 'tf.layers'),
    pytest.param('tf.keras.layers.Dense', 'tf.keras', marks=pytest.mark.slow),
    pytest.param('tf.contrib.rnn.BasicLSTMCell', 'tf.nn.rnn_cell', marks=pytest.mark.slow),
])
def test_a_missing_tf_keras_is_one_sentence_until_it_is_installed(code, touched):
    result = python(
        'import sys\n'
        'sys.modules["tf_keras"] = None\n'
        'from digits.tensorflow_v1 import tf\n'
        f'{touched}.__doc__\n'
        'try:\n'
        f'    {code}\n'
        'except ImportError as error:\n'
        '    print(error, error.name)\n'
        'del sys.modules["tf_keras"]\n'
        f'{code}')
    minor = '.'.join(tf.__version__.split('.')[:2])
    assert result.stdout == (
        f'{touched} needs the package tf-keras on TensorFlow {minor}: '
        f'run  python -m pip install tf-keras~={minor}.0 tf_keras\n')
    assert result.returncode == 0, result.stderr
    assert result.stderr == ''


def documented():
    """The rows of the table in docs/classic-scripts.md: (what was written, what is today)."""
    text = (PROJECT_ROOT / 'docs' / 'classic-scripts.md').read_text(encoding='utf-8')
    return re.findall(r'^\| `(tf\.contrib.+)` \| `(tf\..+)` \|$', text, re.M)


@pytest.mark.parametrize(('before', 'today'), documented())
def test_documented_successors_give_what_their_predecessors_gave(rows, before, today):
    names = {'tf': tf, 'rows': tf.constant(rows), 'images': tf.constant(rows.reshape(5, 4, 6, 1))}
    shapes = []
    for expression in (before, today)[not TENSORFLOW_1:]:
        tensors = eval(expression, names)  # of our own documentation
        shapes.append([array.shape for array in map(np.asarray, evaluate([tensors]))])
    assert shapes[0] == shapes[-1]


def test_the_table_is_found():
    assert len(documented()) > 8
