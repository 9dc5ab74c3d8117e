"""What learners change in the graph of a copied lesson: it trains, and predict.py reads with it."""
import os
import re

import pytest
from helpers import assert_same_weights

from digits.tensorflow_v1 import tf
from digits.training.record import Record

PICTURE = 'data/7-chalk.jpg'


def trained(project, *flags, steps=20):
    """Run mine.py; its CompletedProcess, which was successful."""
    result = project.run('mine.py', '--steps', steps, *flags)
    assert result.returncode == 0, result.stderr
    return result


def read(project, *flags):
    """What predict.py says of a picture."""
    result = project.run('predict.py', *flags, project.folder / PICTURE)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize('graph', [
    'tf.map_fn(lambda image: 2.0 * image, images)',
    'tf.cond(tf.reduce_sum(images) > 0, lambda: 2.0 * images, lambda: images)',
    'tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, 1.1 * x), [0, images])[1]',
], ids=['map_fn', 'cond', 'while_loop'])
def test_branches_and_loops(project, graph):
    """On 1.15 all had failed: its single-threaded executor has none."""
    project.copy('mine.py', 'tf.matmul(images, W)', f'tf.matmul({graph}, W)',
                 of='mnist_softmax.py')
    trained(project)
    assert re.search(r' \d\??  ', read(project))


def test_swish_is_an_activation_as_a_whole(project, tmp_path):
    """Its inner sigmoid is none: fetched alone, TensorFlow 2.21 fails, as it computes both in one.
    """
    project.copy('mine.py', 'tf.nn.relu(', 'tf.nn.swish(', 'OUTLIERS = 6000', 'OUTLIERS = 500')
    maps = tmp_path / 'maps.png'
    trained(project, '--precision', 'float32', '--summary-every', '5', '--plots',
            '--batch-size', '20', '--validation-size', '200')
    assert re.search(r' \d\??  ', read(project, '--feature-maps', maps)) and maps.exists()
    (project.folder / 'titles.py').write_text(
        'from digits.prediction import classifier\nimport numpy as np\n'
        'restored = classifier.restore(classifier.newest_run())\n'
        'image = np.full([28, 28], 99, np.uint8)\n'
        'before, after = restored.feature_maps(image)[:2]\n'
        'names = [layer.stage for layer in restored.layers().values(image, 3)]\n'
        'print(after[0], *names, -0.3 < after[1].min() < 0, sep=";")\n')
    stage = 'after bias and pooling and swish'
    result = project.run('titles.py')
    assert result.stdout == f'conv1, {stage};{stage};{stage};;True\n', result.stderr


def test_layers_of_keras_begin_as_the_seed_says(project, tmp_path):
    """On TensorFlow 2 they draw seeds from Python's own random numbers."""
    project.copy('mine.py', 'return tf.matmul(images, W) + b',
                 'return tf.layers.dense(tf.layers.dense(images, 20, tf.nn.relu), 10)',
                 of='mnist_softmax.py')
    for name in 'ab':
        trained(project, '--run-dir', tmp_path / name, '--learning-rate', '0.1')
    assert_same_weights(tmp_path / 'a', tmp_path / 'b')


@pytest.mark.parametrize('changes', [
    ('minimize(loss, global_step)', 'minimize(loss + tf.reduce_mean('
     'tf.nn.dropout(logits, rate=0.5)), global_step)'),
    ('        train_step = optimizer.minimize(loss, global_step)',
     '        pairs = [(g + tf.random_normal(g.shape), v)\n'
     '                 for g, v in optimizer.compute_gradients(loss)]\n'
     '        train_step = optimizer.apply_gradients(pairs, global_step)'),
    ('minimize(loss, global_step)', 'minimize(loss + tf.cond(loss > 0, '
     'lambda: tf.random_uniform([]), lambda: 0.0), global_step)'),
], ids=['loss', 'gradients', 'branch'])
def test_random_numbers_outside_the_evaluation_are_told(project, changes):
    project.copy('mine.py', *changes, of='mnist_softmax.py')
    assert 'draws random numbers from a state' in trained(project).stderr


def test_random_initial_values_are_not_told(project):
    project.copy('mine.py', "'W', [784, 10], initializer=zeros)", "'W', [784, 10])",
                 of='mnist_softmax.py')
    assert 'random' not in trained(project).stderr


def test_dropout_with_a_flag_is_off_when_digits_are_read(project):
    """The flag is named like the parameter of inference that only training gives."""
    project.copy(
        'mine.py', 'inference(images)', 'inference(images, drop_rate=0.0)',
        'tf.matmul(images, W)', 'tf.matmul(dropout(images, drop_rate), W)',
        'from digits.tensorflow_v1', 'from digits.layers import dropout\nfrom digits.tensorflow_v1',
        '    logits = inference(images, drop_rate=0.0)\n',
        "    logits = inference(images)\n    with tf.variable_scope('', reuse=True):\n"
        '        training_logits = inference(images, args.drop_rate)\n',
        'logits=logits', 'logits=training_logits',
        '    args = training.parse_args(parser, argv)\n',
        "    parser.add_argument('--drop-rate', type=float, default=0.9)\n"
        "    args = training.parse_args(parser, argv)\n", of='mnist_softmax.py')
    trained(project)
    answer = read(project)
    project.change('mine.py', 'dropout(images, drop_rate)', 'images')
    assert read(project) == answer


@pytest.mark.slow
@pytest.mark.skipif(tf.__version__.startswith('1.'), reason='has no bfloat16 on processors')
@pytest.mark.skipif(os.name == 'nt', reason='a cluster needs signals')
def test_a_bias_after_a_convolution_in_a_cluster(project, tmp_path):
    """TensorFlow 2.21 makes one operation of these, which has no bfloat16."""
    project.change('mnist_cnn.py', 'h_pool = tf.nn.max_pool2d(h_conv,',
                   'h_pool = tf.nn.max_pool2d(tf.nn.relu(tf.nn.bias_add(h_conv, b)),',
                   'return tf.nn.relu(tf.nn.bias_add(h_pool, b))', 'return h_pool')
    one = project.run('mnist_distributed.py', '--local', '1', '--batch-size', '20', '--steps', '3',
                      '--validation-size', '500', '--precision', 'bfloat16',
                      '--run-dir', tmp_path / 'one')
    assert one.returncode == 0, one.stderr
    assert Record.read(tmp_path / 'one').precision == 'bfloat16'
