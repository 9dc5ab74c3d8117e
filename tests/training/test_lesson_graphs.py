"""The arithmetic of the lessons: gradients, logits, parameters, dropout."""
import numpy as np
import pytest

import mnist_cnn
import mnist_cnn_deep
import mnist_cnn_long
import mnist_numpy_sigmoid
import mnist_softmax
from articles import c_cnn_3x3
from digits.layers import dropout
from digits.tensorflow_v1 import tf


def test_numpy_gradients_are_those_of_finite_differences():
    random = np.random.RandomState(0)
    X = random.randint(0, 256, (20, 784)).astype(np.float32) / 1000
    y = np.eye(10)[random.randint(0, 10, 20)]
    W, b = random.uniform(-1, 1, (784, 10)), random.uniform(-1, 1, 10)

    def loss(W, b):
        return mnist_numpy_sigmoid.cross_entropy(mnist_numpy_sigmoid.sigmoid(X @ W + b), y)

    dW, db = mnist_numpy_sigmoid.gradients(X, mnist_numpy_sigmoid.sigmoid(X @ W + b), y)
    for row, column in [(0, 0), (400, 3), (783, 9)]:
        change = np.zeros_like(W)
        change[row, column] = 1e-5
        slope = (loss(W + change, b) - loss(W - change, b)) / 2e-5
        assert dW[row, column] / (20 * 10) == pytest.approx(slope, rel=1e-4)
        change = np.zeros_like(b)
        change[column] = 1e-5
        slope = (loss(W, b + change) - loss(W, b - change)) / 2e-5
        assert db[column] / 10 == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize(('lesson', 'flags', 'parameters'), [
    (mnist_softmax, {}, 7850), (mnist_cnn, {}, 3274634), (mnist_cnn_deep, {}, 813994),
    (mnist_cnn_long, {}, 813994), (c_cnn_3x3, {}, 50090),
    (c_cnn_3x3, {'deep': True}, 1379333)])
def test_inference_gives_ten_logits_and_has_its_parameters(lesson, flags, parameters):
    with tf.Graph().as_default():
        logits = lesson.inference(tf.placeholder(tf.float32, [None, 784]), **flags)
        assert logits.shape.as_list() == [None, 10]
        assert sum(int(np.prod(variable.shape.as_list()))
                   for variable in tf.trainable_variables()) == parameters


def test_dropout_in_a_scope_leaves_the_step_its_name():
    """Else a run could not be resumed after its lesson's dropout has moved."""
    with tf.Graph().as_default():
        with tf.variable_scope('fc2'):
            dropout(tf.ones([2, 3]), 0.5)
        assert tf.train.get_or_create_global_step().op.name == 'global_step'
        with tf.variable_scope('fc3'):
            W = tf.get_variable('W', [1])
        assert W.op.name == 'fc3/W'


def test_dropout_is_a_function_of_the_step_and_keeps_the_mean():
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.set_random_seed(3)
        mnist_cnn.inference(tf.constant(np.full([8, 784], 0.5, np.float32)), tf.constant(0.5))
        session.run(tf.global_variables_initializer())
        step = tf.train.get_global_step()
        mask = graph.get_tensor_by_name('fc2/dropout/Cast:0')
        at_0 = session.run(mask)
        np.testing.assert_array_equal(at_0, session.run(mask))
        session.run(step.assign_add(1))
        assert (at_0 != session.run(mask)).mean() == pytest.approx(0.5, abs=0.03)
        assert at_0.mean() == pytest.approx(0.5, abs=0.03)
