"""Values that are large, equal or not finite end no run by way of its summaries."""
from types import SimpleNamespace

import numpy as np
import pytest

import mnist_softmax
from digits.errors import UserError
from digits.training import evaluation, tensorboard
from digits.training.record import Record

LARGE = [np.float32(60000), np.float32(-60000), np.float32(1e30), np.finfo(np.float32).max,
         np.float32(1e-40), np.float64(1e300), np.float32(0)]


def new_summaries(folder):
    """The summaries of a run without a graph and without validation images."""
    nothing = SimpleNamespace(num_examples=0, in_order=lambda _: iter(()))
    record = SimpleNamespace(script='mine', seconds={'training': 0.0}, flags={'learning_rate': 0.1})
    return tensorboard.RunSummaries(folder, SimpleNamespace(graph=None),
                                    SimpleNamespace(validation=nothing), record, 0)


@pytest.mark.parametrize('value', LARGE)
def test_equal_and_nearly_equal_values_have_a_histogram(tmp_path, value):
    near = np.nextafter(value, value.dtype.type(0)) if value else value
    summaries = new_summaries(tmp_path)
    summaries.histograms(1, {'a': np.full(7, value), 'b': np.array([near, value, value]),
                          'c': np.array([-value, value])})
    summaries.close()
    found = histograms(tmp_path)
    assert [found[name].num for name in 'abc'] == [7, 3, 2]
    for name in 'abc':
        assert sum(found[name].bucket) == found[name].num
        edges = np.array(found[name].bucket_limit)
        assert len(edges) == 30 and (np.diff(edges) > 0).all()


def histograms(folder):
    event_file_loader = pytest.importorskip('tensorboard.backend.event_processing'
                                            '.event_file_loader')
    file, = folder.glob('events.*')
    loader = getattr(event_file_loader, 'LegacyEventFileLoader', event_file_loader.EventFileLoader)
    return {value.tag: value.histo for event in loader(str(file)).Load()
            for value in event.summary.value if value.HasField('histo')}


def test_what_cannot_be_shown_is_left_out_with_one_notice(tmp_path, capsys):
    summaries = new_summaries(tmp_path)
    for step in (1, 2):
        summaries.histograms(step, {'fine': np.ones(3), 'wrong': np.array([1, np.inf]),
                                 'other': np.array([np.nan]), 'none': np.zeros([0])})
        summaries.filters(step, 'wrong', np.full([784, 10], np.nan))
    summaries.close()
    assert list(histograms(tmp_path)) == ['fine']
    assert capsys.readouterr().err.splitlines() == [
        'TensorBoard does not show wrong of step 1: not all of its values are finite']


@pytest.mark.slow
@pytest.mark.parametrize('lesson', ['mnist_softmax.py', 'mnist_cnn.py'])
@pytest.mark.parametrize('value', ['60000.0', '1e30', '3e38'])
def test_a_copied_lesson_with_large_weights(project, lesson, value):
    """It ends well, or is said to have diverged."""
    project.change(lesson, 'zeros = tf.zeros_initializer()',
                   f'zeros = tf.constant_initializer({value})')
    if lesson == 'mnist_cnn.py':
        project.change(lesson, 'OUTLIERS = 6000', 'OUTLIERS = 10')
    result = project.run(lesson, '--steps', '5', '--batch-size', '10', '--plots')
    assert 'Traceback' not in result.stderr and 'Warning' not in result.stderr
    assert result.returncode == 0 or 'diverged' in result.stderr, result.stderr


def test_a_validation_loss_that_is_not_finite_is_diverged(small_dir, tmp_path, monkeypatch):
    """run.json stays one that can be read."""
    monkeypatch.setattr(evaluation, 'evaluate', lambda *_: (float('inf'), 0.1))
    with pytest.raises(UserError, match='loss on the validation images is inf, training has dive'):
        mnist_softmax.main(['--data-dir', str(small_dir), '--steps', '10', '--quiet', '--run-dir',
                            str(tmp_path / 'run')])
    assert Record.read(tmp_path / 'run').status == 'diverged'
