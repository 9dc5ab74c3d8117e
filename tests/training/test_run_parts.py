"""The parts that a run is made of, each alone."""
import argparse
import dataclasses
import json
import os
import signal

import numpy as np
import pytest

from digits.errors import UserError
from digits.signals import Signals
from digits.training import evaluation, flags, folders, progress, runs
from digits.training.models import ArrayModel
from digits.training.record import Record


def namespace(folder, **changes):
    return argparse.Namespace(**{
        'script': 'mine', 'recipe': '', 'seed': 3, 'run_dir': str(folder), 'resume': False,
        'data_dir': 'data', 'learning_rate': 0.1, **changes})


@pytest.mark.parametrize('grouped', [False, True])
@pytest.mark.parametrize(('flag', 'options', 'words'), [
    ('--no-bias', {'dest': 'bias', 'action': 'store_false'}, ['--no-bias']),
    ('--bias', {'action': 'store_true'}, ['--bias']),
    ('--augment', {'action': getattr(argparse, 'BooleanOptionalAction', 'store_true'),
                   'default': True}, ['--no-augment']),
    ('--shift', {'type': float}, ['--shift=-0.00001']),
    ('--note', {}, ['--note=-x']),
    ('--sides', {'type': float, 'nargs': '+'}, ['--sides', '1.5', '2e-7']),
    ('--layers', {'type': lambda text: [int(word) for word in text.split(',')]},
     ['--layers', '32,16']),
    ('--fast', {'type': bool, 'default': False}, ['--fast', '1'])])
def test_flags_of_a_lesson_can_be_typed_again(flag, options, words, grouped):
    if words == ['--no-augment'] and not hasattr(argparse, 'BooleanOptionalAction'):
        pytest.skip('argparse has it since Python 3.9')
    parser = flags.parser('mine.py', 'A lesson.', steps=10)
    name = (parser.add_argument_group('mine') if grouped else parser).add_argument(
        flag, **options).dest
    args = flags.parse_args(parser, words)
    value = vars(args)[name]
    assert value != parser.get_default(name)
    assert vars(parser.parse_args(args.recipe.split()))[name] == value
    assert parser.given(words) == {name: value} and parser.given([]) == {}


@pytest.mark.parametrize(('options', 'value'), [
    ({'type': int, 'nargs': '+', 'default': (32, 64)}, [32, 64]),
    ({'type': lambda text: tuple(map(int, text.split(','))), 'default': (32, 64)}, (32, 64)),
], ids=['numbers', 'a type'])
def test_a_flag_with_a_tuple_is_resumed(tmp_path, options, value):
    def parse(*words):
        parser = flags.parser('mine.py', 'A lesson.', steps=10)
        parser.add_argument('--sides', **options)
        return flags.parse_args(parser, words)

    args = parse()
    args.data_dir, args.run_dir = 'data', str(tmp_path)
    Record.new(args, 'small', 10).write(tmp_path)
    assert parse('--resume', '--run-dir', str(tmp_path)).sides == value


def test_a_required_flag_is_not_required_again(tmp_path):
    def parse(*words):
        parser = flags.parser('mine.py', 'A lesson.', steps=10)
        parser.add_argument('--units', type=int, required=True)
        return flags.parse_args(parser, words)

    with pytest.raises(SystemExit):
        parse()
    args = parse('--units', '30')
    args.data_dir, args.run_dir = 'data', str(tmp_path)
    Record.new(args, 'small', 10).write(tmp_path)
    assert parse('--resume', '--run-dir', str(tmp_path)).units == 30


class Data:
    """One data set of 30 images of two pixels, as a model is fed them."""

    name, label, seconds = 'small', ' (small, not MNIST)', 0.5
    images = np.arange(60, dtype=np.float32).reshape(30, 2)
    labels = np.arange(30) % 10

    def __init__(self):
        self.train = self.validation = self.test = self
        self.num_examples = 30

    def in_order(self, size):
        for start in range(0, 30, size):
            yield self.images[start:start + size], self.labels[start:start + size]


@pytest.fixture
def model():
    """Logits of images that a matrix gives, with the squared error as the loss."""
    W = np.random.RandomState(0).rand(2, 10).astype(np.float32)
    return ArrayModel({'W': W}, lambda images, W: images @ W,
                      lambda logits, labels: float(np.mean((logits - np.eye(10)[labels]) ** 2)))


def test_scores_of_a_data_set_are_means_over_its_images(model, monkeypatch):
    """In chunks of 7, of which the last is smaller: as all at once, by NumPy."""
    monkeypatch.setattr(evaluation, 'CHUNK', 7)
    data = Data()
    loss, accuracy = evaluation.evaluate(model, data)
    logits = data.images @ model.weights()['W']
    assert loss == pytest.approx(np.mean((logits - np.eye(10)[data.labels]) ** 2), rel=1e-5)
    assert accuracy == pytest.approx(np.mean(logits.argmax(axis=1) == data.labels))
    np.testing.assert_allclose(model.logits(data.images), logits)


@pytest.mark.parametrize(('total', 'epoch', 'every'), [
    (1000, 550, 200),  # a short run: a fifth
    (2150, 430, 430),  # five epochs: an epoch
    (8600, 430, 430), (43000, 430, 2150),  # twenty epochs, a hundred: twenty evaluations
    (100, 1, 20), (3, 430, 1)])
def test_how_often_it_is_evaluated(total, epoch, every):
    assert evaluation.interval(total, epoch) == every
    assert total / every <= 20


def test_the_best_evaluation_is_noted(tmp_path):
    record = Record.new(namespace(tmp_path), 'small', 50)
    for step, accuracy in ((10, 0.5), (20, 0.8), (30, 0.7)):
        evaluation.note(record, step, 1.0 / step, (2.0 / step, accuracy))
    evaluation.note(record, 40, None, None)
    assert record.best == {'step': 20, 'validation_accuracy': 0.8}
    assert record.validation_accuracy == 0.7
    assert record.evaluations['30'] == {
        'loss': 1 / 30, 'validation_loss': 2 / 30, 'validation_accuracy': 0.7}
    assert record.evaluations['40'] == {}


def test_a_folder_is_locked_and_has_its_record_until_it_is_left(model, tmp_path):
    args = namespace(tmp_path / 'run')
    with folders.RunFolder(args, Data(), model, 50) as folder:
        record = Record.read(tmp_path / 'run')
        assert (record.status, record.total_steps, record.seed) == ('running', 50, 3)
        assert record.arrays == {'W': [2, 10]} and record.parameters == 20
        with pytest.raises(UserError, match=f'process {os.getpid()} on .* is training in it'), \
                folders.RunFolder(namespace(tmp_path / 'run', resume=True), Data(), model, 50):
            pass
        assert folder.begin(0) == 0.0
        folder.write('interrupted', 20, 400, 2.0, 0.75)
    record = Record.read(tmp_path / 'run')
    assert (record.status, record.steps, record.images_per_second) == ('interrupted', 20, 200)
    assert record.training_accuracy == 0.75 and record.seconds['data'] == 0.5
    with folders.RunFolder(namespace(tmp_path / 'run', resume=True), Data(), model, 50) as folder:
        assert folder.resumed and folder.begin(15) == 2.0
        assert Record.read(tmp_path / 'run').steps == 15
    other = Data()
    other.name = 'other'
    with pytest.raises(UserError, match='was trained on small, but data has other'), \
            folders.RunFolder(namespace(tmp_path / 'run', resume=True), other, model, 50):
        pass


@pytest.mark.parametrize(('best', 'kept'), [(None, [40, 50]), (20, [20, 40, 50]), (50, [40, 50])])
def test_of_the_checkpoints_the_last_two_and_the_best_stay(model, tmp_path, best, kept):
    class Checkpoints:
        def __init__(self):
            self.there = [10, 20, 30, 40, 50]

        def steps(self):
            return list(self.there)

        def remove(self, step):
            self.there.remove(step)

    checkpoints = Checkpoints()
    with folders.RunFolder(namespace(tmp_path / 'run'), Data(), model, 50) as folder:
        folder.record.best = best and {'step': best, 'validation_accuracy': 0.9}
        folder.keep_checkpoints(checkpoints)
    assert checkpoints.there == kept


@pytest.mark.parametrize(('seconds', 'saved'), [(1000, 0), (0, 3)])
def test_it_is_saved_between_evaluations_too(model, tmp_path, monkeypatch, seconds, saved):
    """In the fourth of 100 steps; the first evaluation is after 20."""
    monkeypatch.setattr(runs, 'SAVE_SECONDS', seconds)
    args = namespace(tmp_path / 'run', summary_every=0, plots=False, quiet=True)
    with runs.Run(args, Data(), model, 100) as run:
        for step in run.remaining_steps():
            if step == 3:
                break
            run.loss = 1.0
            model.weights()['W'][:] += 1
    assert Record.read(tmp_path / 'run').steps == saved
    kept = [int(np.load(str(path))['step']) for path in (tmp_path / 'run').glob('weights.npz')]
    assert kept == [saved] * bool(saved)


def test_a_lesson_s_text_has_those_of_the_lessons_that_it_imports():
    text = folders.lesson_text('mnist_distributed')
    distributed, own = text.split('# ---- mnist_cnn.py')
    assert distributed.startswith('"""mnist_cnn.py\'s network on several processes')
    assert 'def one_cycle(' in own and 'def one_cycle(' not in distributed
    assert folders.lesson_text('mnist_softmax').count('# ----') == 0
    assert folders.lesson_text('../mnist_softmax') == folders.lesson_text('none') == ''


def test_where_there_is_no_terminal_progress_is_a_line_for_each_evaluation(capsys, monkeypatch):
    monkeypatch.setattr(progress, 'LINE_SECONDS', 1000)
    shown = progress.Progress(40, 0, quiet=False)
    shown.show(10, 2.0, 500.0, 0.25, 0.75, evaluated=True)
    shown.show(11, 2.2, 500.0, 0.24, 0.75, evaluated=False)
    shown.show(20, 4.0, 1500.0, 0.125, None, evaluated=True)
    shown.close()
    quiet = progress.Progress(40, 0, quiet=True)
    quiet.show(10, 2.0, 500.0, 0.25, 0.75, evaluated=True)
    assert capsys.readouterr().err.splitlines() == [
        'step 10 of 40: loss 0.2500, validation accuracy 0.7500, 500 images/s, 6 s left',
        'step 20 of 40: loss 0.1250, 1,500 images/s, 4 s left']


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')
def test_the_first_signal_is_noted_and_the_second_acts():
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        assert signals.received is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = Record.new(namespace(tmp_path, filters=[16, 32], name='ä' * 50), 'small', 50)
    record.evaluations['10'] = {'loss': 1.5}
    record.write(tmp_path)
    assert dataclasses.asdict(Record.read(tmp_path)) == dataclasses.asdict(record)


def test_an_earlier_version_s_record_is_read(tmp_path):
    record = dataclasses.asdict(Record.new(namespace(tmp_path), 'small', 50))
    for name, earlier in (('total_steps', 'of_steps'), ('evaluations', 'looks'),
                          ('calibration', 'doubt')):
        record[earlier] = record.pop(name)
    record.update(doubt={'scale': 1.5, 'least': 3, 'error': 0.01}, epoch_losses={'10': 3.5})
    for name in ('lesson_sha256', 'convolutions', 'arrays', 'pixel_max', 'placeholders'):
        del record[name]
    (tmp_path / 'run.json').write_text(json.dumps(record), encoding='utf-8')
    found = Record.read(tmp_path)
    assert (found.total_steps, found.calibration['scale'], found.pixel_max) == (50, 1.5, 1)
    assert found.placeholders == ['drop_rate'] and found.lesson_sha256 is None


def test_results_are_the_last_lines(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, 'scaled', lambda images, record: np.float32([[3, 5]]))
    data = Data()
    data.pixels = np.zeros([30, 784], np.uint8)
    record = Record.new(namespace(tmp_path), 'small', 50)
    evaluation.note(record, 50, 0.5, evaluation.evaluate(model, data))
    final = evaluation.Final(model, data, record)
    final.print_results(tmp_path, quiet=True)
    out = capsys.readouterr().out.splitlines()
    expected = np.mean((data.images @ model.weights()['W']).argmax(axis=1) == data.labels)
    assert out == [f'validation accuracy: {expected:.4f} (small, not MNIST)',
                   f'test accuracy: {expected:.4f} (small, not MNIST)']
    assert record.probe == pytest.approx(np.float32([3, 5]) @ model.weights()['W'], abs=1e-4)
    assert record.test_accuracy == round(float(expected), 4)
