"""Batch normalization: the arithmetic, and runs with it from training to reading."""
import numpy as np
import pytest

import mnist_cnn_deep
import mnist_cnn_long
from digits.datasets import idx
from digits.prediction import classifier
from digits.tensorflow_v1 import tf
from digits.training.record import Record


def test_in_training_it_is_the_formula_of_the_paper_and_the_averages_move():
    """Algorithm 1 of Ioffe and Szegedy, in NumPy; the running variance is the unbiased one."""
    random = np.random.RandomState(0)
    x = random.normal(3, 2, (6, 5, 5, 4)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        normal = mnist_cnn_deep.batch_norm(tf.constant(x), is_training=True)
        scale, shift, mean, variance = tf.global_variables()
        assert tf.trainable_variables() == [scale, shift]
        session.run(tf.global_variables_initializer())
        factor, term = random.uniform(0.5, 2, (2, 4)).astype(np.float32)
        session.run([scale.assign(factor), shift.assign(term)])
        flat = x.reshape(-1, 4).astype(float)
        expected = (x - flat.mean(0)) / np.sqrt(flat.var(0) + 0.001) * factor + term
        np.testing.assert_allclose(session.run(normal), expected, atol=1e-4)
        session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        np.testing.assert_allclose(session.run(mean), 0.01 * flat.mean(0), rtol=1e-4)
        np.testing.assert_allclose(session.run(variance), 0.99 + 0.01 * flat.var(0, ddof=1),
                                   rtol=1e-4)


@pytest.mark.parametrize('lesson', [
    mnist_cnn_deep, pytest.param(mnist_cnn_long, marks=pytest.mark.slow)])
def test_a_run_reads_each_image_by_itself(small_dir, tmp_path, monkeypatch, lesson):
    """As predict.py restores it, whatever else is in the batch, and as well as the run said."""
    monkeypatch.setattr(mnist_cnn_deep, 'OUTLIERS', 100)
    said = lesson.main(['--steps', '25', '--batch-size', '40', '--validation-size', '500',
                        '--quiet', '--data-dir', str(small_dir), '--run-dir',
                        str(tmp_path / 'run')])
    assert Record.read(tmp_path / 'run').test_accuracy == pytest.approx(said, abs=5e-5)
    images, labels = idx.read_folder(small_dir)[2:]
    classify = classifier.restore(tmp_path / 'run')
    logits = classify.logits(images[..., 0])
    assert np.mean(logits.argmax(axis=1) == labels) == pytest.approx(said, abs=0.005)
    alone = np.concatenate([classify.logits(image[None, ..., 0]) for image in images[:5]])
    np.testing.assert_allclose(alone, logits[:5], atol=1e-4)
