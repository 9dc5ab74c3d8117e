"""What learners change in the graph of a copied lesson: it trains, and is restored the same."""
import os
import sys
import warnings

import numpy as np
import pytest
from helpers import assert_same_weights

from digits.datasets import idx
from digits.prediction import classifier
from digits.tensorflow_v1 import tf
from digits.training.record import Record


@pytest.fixture
def trained(project, small_dir, tmp_path):
    """trained('--seed', 3): train mine.py, and restore it; its accuracy comes out again."""
    def train(*flags, steps=20):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        accuracy = project.train('mine.py', '--steps', steps, '--run-dir', folder, *flags)
        with project.in_place():
            restored = classifier.restore(folder)
        images, labels = idx.read_folder(small_dir)[2:]
        found = restored.logits(images[..., 0]).argmax(axis=1)
        assert np.mean(found == labels) == pytest.approx(accuracy, abs=0.003)
        return folder, restored
    return train


@pytest.mark.parametrize('graph', [
    'tf.map_fn(lambda image: 2.0 * image, images)',
    'tf.cond(tf.reduce_sum(images) > 0, lambda: 2.0 * images, lambda: images)',
    'tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, 1.1 * x), [0, images])[1]',
], ids=['map_fn', 'cond', 'while_loop'])
def test_branches_and_loops(project, trained, graph):
    """On 1.15 all had failed: its single-threaded executor has none."""
    project.copy('mine.py', 'tf.matmul(images, W)', f'tf.matmul({graph}, W)',
                 of='mnist_softmax.py')
    trained()


def test_branches_within_branches(project):
    """On 2.21 these had waited for each other for ever, where there are two cores."""
    project.copy('mine.py', 'GradientDescentOptimizer(args.learning_rate)',
                 'GradientDescentOptimizer(tf.train.piecewise_constant('
                 'global_step, [3, 6, 9], [0.5, 0.2, 0.1, 0.05]))', of='mnist_softmax.py')
    process = project.start('mine.py', '--steps', '12')
    try:
        assert process.wait(120) == 0, process.stderr.read()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize('how', ['tf.get_variable(name, shape, initializer=zeros, '
                                 'use_resource=False)', 'tf.Variable(tf.zeros(shape), name=name)'])
def test_variables_of_other_kinds(project, trained, how):
    """Those that are no resources have an executor of their own."""
    project.copy(
        'mine.py', "tf.get_variable('W', [784, 10], initializer=zeros)", "made('W', [784, 10])",
        "tf.get_variable('b', [10], initializer=zeros)", "made('b', [10])",
        '    zeros = tf.zeros_initializer()\n',
        f'    zeros = tf.zeros_initializer()\n    made = lambda name, shape: {how}\n',
        of='mnist_softmax.py')
    trained()


@pytest.mark.parametrize('changes', [
    ('logits = inference(images)\n', 'logits = inference((images - 0.1307) / 0.3081)\n'),
    ('logits = inference(images)\n', 'logits = inference(images) + tf.range(10.0)\n'),
], ids=['images', 'logits'])
def test_a_network_that_main_changes_is_told(project, tmp_path, changes, capsys):
    project.copy('mine.py', *changes, of='mnist_softmax.py')
    for name in ('mine', 'mnist_softmax'):
        project.train(f'{name}.py', '--steps', '20', '--run-dir', tmp_path / name)
        capsys.readouterr()
        with project.in_place():
            classifier.restore(tmp_path / name)
        told = capsys.readouterr().err
        assert ('does not compute the logits that were scored' in told) == (name == 'mine')


@pytest.mark.parametrize('line', [
    'from model import *', 'import model\ninference = model.network',
    'from model import inference', 'import model\ninference: type(model.network) = model.network',
], ids=['all', 'assigned', 'named', 'annotated'])
def test_a_network_in_a_file_of_its_own(project, trained, line, monkeypatch):
    monkeypatch.syspath_prepend(str(project.folder))
    monkeypatch.delitem(sys.modules, 'model', raising=False)
    text = (project.folder / 'mnist_softmax.py').read_text(encoding='utf-8')
    start, end = text.index('def inference'), text.index('def main')
    (project.folder / 'model.py').write_text(
        'from digits.tensorflow_v1 import tf\n' + text[start:end] + '\nnetwork = inference\n')
    (project.folder / 'mine.py').write_text(text[:start] + line + '\n\n\n' + text[end:])
    folder, _ = trained()
    assert '# ---- model.py' in (folder / 'lesson.txt').read_text(encoding='utf-8')
    del sys.modules['model']


@pytest.mark.parametrize(('name', 'least', 'function'), [
    ('swish', -0.3, 'tf.nn.swish(x)'),
    pytest.param('mish', -0.31, 'x * tf.tanh(tf.nn.softplus(x))', marks=pytest.mark.slow)])
def test_an_activation_with_a_gate_is_one_as_a_whole(project, trained, name, least, function):
    """Fetched alone, TensorFlow 2.21 fails at its inside, as it computes all in one."""
    project.copy('mine.py', 'tf.nn.relu(', 'gated(', 'OUTLIERS = 6000', 'OUTLIERS = 100',
                 'def inference(', f'def gated(x):\n    return {function}\n\n\ndef inference(')
    _, restored = trained('--precision', 'float32', '--batch-size', '20', '--validation-size',
                          '100', steps=5)
    image = np.full([28, 28], 99, np.uint8)
    _, (title, values) = restored.feature_maps(image)[:2]
    stage = f'after pooling and bias and {name}'
    assert title == f'conv1, {stage}' and least < values.min() < 0 < values.max()
    assert [layer.stage for layer in restored.layers().values(image, 3)] == [stage, stage, '']


def test_layers_of_keras_begin_as_the_seed_says(project, trained):
    """On TensorFlow 2 they draw seeds from Python's own random numbers."""
    project.copy('mine.py', 'return tf.matmul(images, W) + b',
                 'return tf.layers.dense(tf.layers.dense(images, 20, tf.nn.relu), 10)',
                 of='mnist_softmax.py')
    warnings.filterwarnings('ignore', '`tf.layers.dense` is deprecated')  # pytest shows it again
    assert_same_weights(*(trained('--learning-rate', '0.1')[0] for _ in range(2)))


@pytest.mark.parametrize('changes', [
    ('tf.matmul(images, W)', 'tf.matmul(tf.nn.dropout(images, rate=0.1), W)'),
    ('tf.matmul(images, W)', 'tf.matmul(images, W) + tf.reduce_mean(tf.nn.fractional_max_pool('
     'tf.reshape(images, [-1, 28, 28, 1]), [1, 1.4, 1.4, 1])[0])'),
    ('minimize(loss, global_step)', 'minimize(loss + tf.reduce_mean('
     'tf.nn.dropout(logits, rate=0.5)), global_step)'),
    ('        train_step = optimizer.minimize(loss, global_step)',
     '        pairs = [(g + tf.random_normal(g.shape), v)\n'
     '                 for g, v in optimizer.compute_gradients(loss)]\n'
     '        train_step = optimizer.apply_gradients(pairs, global_step)'),
    ('minimize(loss, global_step)', 'minimize(loss + tf.cond(loss > 0, '
     'lambda: tf.random_uniform([]), lambda: 0.0), global_step)'),
    ('minimize(loss, global_step)', 'minimize(loss + tf.data.make_one_shot_iterator('
     'tf.data.Dataset.range(9).map(tf.to_float).repeat()).get_next(), global_step)'),
], ids=['dropout', 'pooling', 'loss', 'gradients', 'branch', 'iterator'])
def test_random_numbers_and_data_that_no_checkpoint_has_are_told(project, changes, capsys):
    project.copy('mine.py', *changes, of='mnist_softmax.py')
    project.train('mine.py', '--steps', '2')
    assert 'draws random numbers or data from a state that is in' in capsys.readouterr().err


def test_random_initial_values_are_not_told(project, trained, capsys):
    project.copy('mine.py', "'W', [784, 10], initializer=zeros)", "'W', [784, 10])",
                 of='mnist_softmax.py')
    trained()
    assert 'random numbers' not in capsys.readouterr().err


def test_dropout_with_a_flag_is_off_when_digits_are_read(project, trained):
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
    folder, _ = trained()
    assert Record.read(folder).flags['drop_rate'] == 0.9


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
