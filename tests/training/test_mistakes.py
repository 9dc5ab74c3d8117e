"""Mistakes in a copied lesson: one sentence, at the start where that can be; and what is none."""
import re

import numpy as np
import pytest
from helpers import assert_same_weights

from digits.errors import UserError
from digits.prediction import classifier
from digits.training.record import Record


@pytest.mark.parametrize(('line', 'mistake', 'status', 'sentence'), [
    ('_, run.loss = session.run([train_step, loss], feed_dict)',
     'session.run(train_step, feed_dict)', 1, 'the loop does not set run.loss to a number'),
    ('_, run.loss = session.run(', 'run.loss = session.run(', 1,
     'the loop does not set run.loss to a number'),
    ('        return run.finish()', '    return run.finish()', 1,
     r'run.finish\(\) is called after the end of the with block'),
    ('tf.reduce_mean(tf.cast(correct, tf.float32))', 'tf.cast(correct, tf.float32)', 2,
     r'accuracy has the shape \(.*,\): take tf.reduce_mean of it'),
    ('minimize(loss, global_step)', 'minimize(loss)', 1, 'global_step is still 0: give it'),
    ('accuracy) as run', "accuracy, tf.placeholder(tf.float32, [], 'rate')) as run", 2,
     'the placeholder rate has no value when the run is evaluated: give it one'),
    ('784', '196', 2,
     r'images has the shape \(.*, 196\): make it \[None, 784\], and change the size in inference'),
    ('tf.int64, [None]', 'tf.int64, [None, 1]', 2,
     r'labels has the shape \(.*, 1\): make it \[None\]'),
    ('inference(images)\n', "inference(images * tf.placeholder(tf.float32, [], 'k'))\n", 2,
     'the placeholder k has no value when the run is evaluated: give it one'),
    ('tf.float32, [None, 784]', 'tf.half, [None, 784]', 2,
     'images has the type float16: make it tf.float32'),
    ('10]', '11]', 2, r'logits has the shape \(.*, 11\): make it \[None, 10\], a column for each'),
    ('tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=logits)',
     'tf.reduce_mean(tf.log(tf.one_hot(labels, 10) * tf.nn.softmax(logits)))', 1,
     'step 1: the loss is -inf, diverged before anything was learned: it takes the log of 0'),
    ('tf.train.Saver(', 'tf.train.Saver(tf.trainable_variables(), ', 2,
     'the Saver does not save global_step whole and under this name, without which no run can'),
    ('tf.train.Saver(', "tf.Variable('text', trainable=False, name='note')\n"
     '    saver = tf.train.Saver(', 2, 'the variable note is text, which no run can resume'),
    ('            _, run.loss =', '            tf.constant(1)\n            _, run.loss =', 1,
     'the graph is complete once training begins: make all operations, also those of tf.assign'),
    ('in run.batches():', 'in [mnist.train.next_batch(9)]:', 1,
     r'run.finish\(\) comes before a loop over run.batches\(\)'),
    ('    mnist = input_data.load(args)\n', '    mnist = input_data.load(args)\n'
     '    from digits.datasets import outliers\n    outliers.add(mnist.train, 500)\n', 1,
     'the loss takes no label 10, that of images which are not digits: use cross_entropy of'),
], ids=['no loss', 'a list', 'end outside', 'not reduced', 'no global_step', 'rate', 'size',
       'shape', 'no default', 'type', 'classes', 'log', 'saver', 'text', 'in the loop', 'own loop',
       'label'])
def test_a_mistake_in_the_loop_is_one_sentence(project, line, mistake, status, sentence):
    project.copy('mine.py', 'tf.matmul(images', 'tf.matmul(tf.to_float(images)', line, mistake,
                 of='mnist_softmax.py')
    with pytest.raises(UserError, match=f'^{sentence}') as told:
        project.train('mine.py', '--steps', '5', '--quiet')
    assert told.value.exit_status == status


@pytest.mark.parametrize('changes', [
    # Gradients that are applied at every fourth step.
    ('session.run([train_step, loss], feed_dict)',
     'session.run([train_step if run.step % 4 == 3 else loss, loss], feed_dict)'),
    ('accuracy) as run', 'accuracy, __import__("numpy").float32(0.5)) as run'),
    ('    args = training', '    parser.set_defaults(steps=9, validation_size=300)\n'
     '    args = training'),
], ids=['every fourth', 'a number of NumPy', 'set_defaults'])
def test_what_is_no_mistake_with_a_graph(project, changes):
    project.copy('mine.py', *changes, of='mnist_softmax.py')
    project.train('mine.py', '--epochs', '1', '--summary-every', '2', '--validation-size', '500')


@pytest.mark.parametrize('changes', [
    # A learning rate that begins at 0.
    ('W -= args.learning_rate * dW', 'W -= (run.step > 0) * args.learning_rate * dW',
     'b -= args.learning_rate * db', 'b -= (run.step > 0) * args.learning_rate * db'),
    ('random.uniform(-1, 1, [784, 10]).astype(np.float32)',
     'random.uniform(-1, 1, [784, 10]).astype(np.float32, order="F")'),
], ids=['warm-up', 'columns first'])
def test_what_is_no_mistake_with_arrays(project, changes, tmp_path):
    project.copy('mine.py', *changes, of='mnist_numpy_sigmoid.py')
    project.train('mine.py', '--epochs', '3', '--run-dir', tmp_path / 'run')
    with project.in_place():
        assert classifier.restore(tmp_path / 'run').logits(np.zeros([2, 28, 28])).shape == (2, 10)


def test_a_forgotten_end_is_told(project, capsys):
    project.copy('mine.py', 'run.finish()', 'run', of='mnist_softmax.py')
    project.train('mine.py', '--steps', '5', '--quiet')
    assert re.fullmatch('mine.py: the run in .* is not scored: end the with block with  '
                        r'return run.finish\(\)\n', capsys.readouterr().err)


@pytest.mark.parametrize(('changes', 'status', 'sentence'), [
    (['W -= args.learning_rate * dW', 'W = W - args.learning_rate * dW',
      'b -= args.learning_rate * db', 'b = b - args.learning_rate * db'], 1,
     'no step has changed an array of the run: update them in place, with -= or [:] ='),
    (['random.uniform(-1, 1, [784, 10]).astype(np.float32)', 'random.uniform(-1, 1, [784, 10])'], 2,
     'the array W is float64: make it float32, with W = W.astype(np.float32)'),
    (["{'W': W, 'b': b}", "{'weights': W, 'b': b}"], 2,
     'inference cannot be called with the arrays of the run (missing a required argument: '
     "'W'): give them the names of its parameters"),
], ids=['replaced', 'type', 'names'])
def test_a_mistake_with_arrays_is_one_sentence(project, changes, status, sentence):
    project.copy('mine.py', *changes, of='mnist_numpy_sigmoid.py')
    with pytest.raises(UserError, match=f'^{re.escape(sentence)}$') as told:
        project.train('mine.py', '--epochs', '2', '--quiet')
    assert told.value.exit_status == status


def test_labels_of_read_data_sets(project, small_dir, capsys):
    project.copy('mine.py', 'input_data.load(args)', 'input_data.read_data_sets(args.data_dir)',
                 of='mnist_softmax.py')
    project.train('mine.py', '--steps', '5')
    assert capsys.readouterr().out.endswith(f' ({small_dir.name}, not MNIST)\n')
    project.change('mine.py', '(args.data_dir)', '(args.data_dir, one_hot=True)')
    with pytest.raises(UserError, match='^labels are to be digits: leave one_hot out, and use'):
        project.train('mine.py', '--steps', '5')


@pytest.mark.parametrize(('changes', 'sentence'), [
    (['return tf.matmul(images, W) + b', 'return tf.matmul(images, W) + b)'],
     r'.*mine.py: no Python script \(.*\)'),
    (["if __name__ == '__main__':\n    command_line.run(main)", 'command_line.run(main)'],
     r'.*mine.py: trains whenever it is imported; its last lines must be  if __name__ == .*'),
    (['+ b\n', '+ b, W\n'],
     r'.*: mine.py cannot build its graph .*\(inference returns a tuple, not the logits alone\)'),
    (['    logits = inference(images)\n', "    with tf.variable_scope('model'):\n"
      '        logits = inference(images)\n'],
     r'.*: does not fit the graph that inference builds now .* such as a scope; name another run'),
], ids=['syntax', 'no condition', 'a pair', 'a scope'])
def test_a_lesson_that_can_no_longer_be_restored_is_told(project, changes, sentence, tmp_path):
    project.copy('mine.py', of='mnist_softmax.py')
    if 'variable_scope' in changes[1]:
        project.change('mine.py', *changes)
    project.train('mine.py', '--steps', '2', '--run-dir', tmp_path / 'run')
    if 'variable_scope' not in changes[1]:
        project.change('mine.py', *changes)
    with project.in_place(), pytest.raises(UserError, match=f'^{sentence}$'):
        classifier.restore(tmp_path / 'run')


@pytest.mark.parametrize(('place', 'steps'), [(7, 7), (8, 8)], ids=['between', 'evaluated'])
@pytest.mark.parametrize('after', [True, False], ids=['after', 'before'])
def test_a_break_leaves_what_was_scored(project, place, steps, after, tmp_path):
    """After a step's work or before it: the checkpoint has the weights of the printed scores."""
    line = '            _, run.loss = session.run([train_step, loss], feed_dict)\n'
    stop = f'            if run.step == {place - after}:\n                break\n'
    project.copy('mine.py', line, line + stop if after else stop + line, of='mnist_softmax.py')
    accuracy = project.train('mine.py', '--steps', '20', '--run-dir', tmp_path / 'cut')
    assert accuracy == project.train('mnist_softmax.py', '--steps', steps, '--run-dir',
                                     tmp_path / 'whole')
    assert_same_weights(tmp_path / 'cut', tmp_path / 'whole')
    record = Record.read(tmp_path / 'cut')
    assert (record.steps, record.status) == (steps, 'finished')
