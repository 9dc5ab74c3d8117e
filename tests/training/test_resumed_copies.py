"""What learners change in a lesson's loop: an interrupted run goes on to the same numbers."""
import os
import signal

import pytest
from helpers import assert_same_weights

from digits import training
from digits.errors import UserError
from digits.training import folders
from digits.training.record import Record

STEP = '            _, run.loss = session.run([train_step, loss], feed_dict)\n'
FEED = '            feed_dict = {images: batch_images, labels: batch_labels}\n'
SAVER = '    saver = tf.train.Saver('
FLAGS = '    args = training.parse_args(parser, argv)\n'
# Where $STOP is the number of a step, the lesson sends itself SIGTERM in it.
STOP = ("            if __import__('os').environ.get('STOP') == str(run.step):\n"
        "                __import__('os').kill(__import__('os').getpid(), 15)\n")

pytestmark = pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')


def stopped(project, monkeypatch, *flags, step=10):
    """Train mine.py until a step in which SIGTERM comes."""
    with monkeypatch.context() as patch:
        patch.setenv('STOP', str(step))
        with pytest.raises(SystemExit) as ended:
            project.train('mine.py', *flags)
    assert ended.value.code == 128 + signal.SIGTERM


@pytest.mark.parametrize(('changes', 'flags'), [
    (['        for batch_images, batch_labels in run.batches():\n',
      '        for epoch in range(3):\n'
      '          for batch_images, batch_labels in run.batches():\n',
      STEP, STEP + '            if run.step % 8 == 7:\n                break\n'], []),
    (['        for batch_images, batch_labels in run.batches():\n',
      '        for epoch in range(3):\n'
      '          for batch_images, batch_labels in run.batches():\n'], ['--plots']),
    ([FEED, '            import numpy as np, random\n'
      '            batch_images = batch_images * np.random.uniform(0.5, 1.5)\n'
      '            batch_labels = random.sample(list(batch_labels), len(batch_labels))\n' + FEED],
     []),
    ([FEED, '            others, _ = mnist.train.next_batch(args.batch_size)\n'
      '            batch_images = 0.8 * batch_images + 0.2 * others\n' + FEED,
      STEP, STEP + '            mnist.validation.next_batch(100)\n'], ['--validation-size', '500']),
    ([FLAGS, "    parser.add_argument('--hidden', type=int, action='append')\n"
      "    parser.add_argument('-v', '--verbose', action='count')\n" + FLAGS],
     ['--hidden', '30', '--hidden=-20', '-vv']),
    ([SAVER, "    tf.Variable(float('inf'), trainable=False, name='lowest_loss')\n" + SAVER], []),
    (['input_data.load(args)\n', 'input_data.read_data_sets(args.data_dir)\n'
      '    mnist.train.next_batch(9)\n'], []),
], ids=['epochs with break', 'epochs', 'random', 'two batches', 'flags', 'infinity',
        'classic data'])
def test_a_changed_loop_is_resumed_exactly(project, tmp_path, monkeypatch, capsys, changes, flags):
    project.copy('mine.py', *changes, of='mnist_softmax.py')
    text = project.folder / 'mine.py'
    lesson = text.read_text(encoding='utf-8')
    text.write_text(lesson.replace(STEP, STEP + STOP), encoding='utf-8')
    flags = ['--steps', '24', *flags]
    accuracy = project.train('mine.py', *flags, '--run-dir', tmp_path / 'straight')
    capsys.readouterr()
    stopped(project, monkeypatch, *flags, '--run-dir', tmp_path / 'cut')
    assert project.train('mine.py', '--resume', '--run-dir', tmp_path / 'cut') == accuracy
    assert 'changed after this run' not in capsys.readouterr().err
    assert_same_weights(tmp_path / 'cut', tmp_path / 'straight')
    records = [Record.read(tmp_path / name) for name in ('straight', 'cut')]
    assert records[0].steps == records[1].steps == 24
    for name in ('hidden', 'verbose'):
        assert records[0].flags.get(name) == records[1].flags.get(name)


def test_a_count_of_a_damaged_run_json_takes_no_memory():
    parser = training.parser('mnist_softmax.py', '', steps=9)
    parser.add_argument('-v', '--verbose', action='count')
    assert parser.typed('verbose', 3) == ['--verbose'] * 3
    assert len(parser.typed('verbose', 10 ** 15)) == 100
    assert parser.typed('verbose', -1) == []


def test_a_main_that_trains_with_several_seeds_is_not_resumed_as_one(project, monkeypatch):
    project.copy('mine.py', STEP, STEP + STOP, FLAGS, FLAGS + '    return [train(args, seed) for '
                 'seed in range(2)]\n\n\ndef train(args, seed):\n    args.seed = seed\n',
                 of='mnist_softmax.py')
    stopped(project, monkeypatch, '--steps', '24')
    with pytest.raises(UserError, match='a main that trains several cannot be resumed'):
        project.train('mine.py', '--resume')
    with project.in_place():
        kept = [Record.read(folder) for folder in folders.of_script('mine')]
    assert [(record.seed, record.status) for record in kept] == [(0, 'finished')]


def test_a_resumption_that_fails_leaves_the_lessons_text(project, tmp_path, monkeypatch):
    project.copy('mine.py', STEP, STEP + STOP, of='mnist_softmax.py')
    stopped(project, monkeypatch, '--steps', '24', '--run-dir', tmp_path / 'run')
    before = [(tmp_path / 'run' / name).read_bytes() for name in ('lesson.txt', 'run.json')]
    project.change('mine.py', 'GradientDescentOptimizer', 'AdamOptimizer')
    with pytest.raises(UserError, match='none of its checkpoints'):
        project.train('mine.py', '--resume', '--run-dir', tmp_path / 'run')
    assert before == [(tmp_path / 'run' / name).read_bytes() for name in ('lesson.txt', 'run.json')]
