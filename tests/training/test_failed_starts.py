"""A run that fails before it has saved a step leaves no folder for compare.py and --resume."""
import shutil

import pytest

import compare
import mnist_cnn
import mnist_numpy_sigmoid
import mnist_softmax
from digits.errors import UserError
from digits.tensorflow_v1 import tf
from digits.training import folders


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))


@pytest.mark.parametrize(('lesson', 'flags'), [
    (mnist_softmax, ['--device', 'gpu']), (mnist_softmax, ['--batch-size', '7000']),
    (mnist_softmax, ['--validation-size', '6000']), (mnist_cnn, ['--validation-size', '6001']),
    (mnist_numpy_sigmoid, ['--dataset', 'mnist', '--data-dir', 'none\0where'])])
def test_a_refused_run_leaves_nothing(small_dir, tmp_path, lesson, flags):
    if 'gpu' in flags and tf.config.experimental.list_physical_devices('GPU'):
        pytest.skip('there is a GPU here')
    with pytest.raises((UserError, ValueError)):
        lesson.main(['--data-dir', str(small_dir), '--run-dir', str(tmp_path / 'run'), *flags])
    assert left(tmp_path) == []


@pytest.mark.parametrize('there', [False, True], ids=['new', 'empty'])
def test_a_first_step_that_fails_leaves_nothing(small_dir, tmp_path, monkeypatch, there):
    """Only what was there before: the folder, if the user made it, and files that are not ours."""
    folder = tmp_path / 'run'
    if there:
        folder.mkdir()

    def fail(session, *_):
        assert (folder / 'run.json').exists()
        (folder / 'notes.txt').write_text('mine')
        raise tf.errors.ResourceExhaustedError(None, None, 'no memory')

    monkeypatch.setattr(mnist_softmax.tensorflow_v1.tf.Session, 'run', fail)
    with pytest.raises((UserError, tf.errors.ResourceExhaustedError)):
        mnist_softmax.main(['--data-dir', str(small_dir), '--run-dir', str(folder)])
    assert left(tmp_path) == ['run', 'run/notes.txt']
    (folder / 'notes.txt').unlink()


def test_a_run_that_fails_later_is_kept(small_dir, tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError('a mistake in the lesson')

    monkeypatch.setattr(mnist_softmax.training.Run, 'finish', fail)
    with pytest.raises(ValueError, match='a mistake'):
        mnist_softmax.main(['--data-dir', str(small_dir), '--steps', '10', '--quiet', '--run-dir',
                            str(tmp_path / 'run')])
    assert {'run.json', 'lesson.txt', 'model.ckpt-10.index'} <= set(left(tmp_path / 'run'))


def test_compare_leaves_no_folder_of_a_script_that_did_not_begin(tmp_path):
    with pytest.raises(UserError, match='status 2'):
        compare.train(tmp_path, 'mnist_softmax', [], ['--data-dir', str(tmp_path), '--batch-size',
                                                      'x'], 0)
    assert list(tmp_path.glob('*/*')) == []


@pytest.mark.parametrize('flags', [['--device', 'gpu'], ['--batch-size', '9000']])
def test_a_local_cluster_that_cannot_start_leaves_nothing(called, tmp_path, flags):
    if 'gpu' in flags and tf.config.experimental.list_physical_devices('GPU'):
        pytest.skip('there is a GPU here')
    result = called('mnist_distributed.py', '--local', '2', '--run-dir', tmp_path / 'run', *flags)
    assert result.returncode == 2, result.stderr
    assert 'Traceback' not in result.stderr and '--resume continues' not in result.stderr
    assert flags[0] in result.stderr
    assert left(tmp_path) == []


def test_only_an_empty_folder_is_removed(tmp_path):
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'x').mkdir()
    folders.remove_if_empty(tmp_path / 'full')
    assert left(tmp_path) == ['full', 'full/x']
    shutil.rmtree(str(tmp_path / 'full' / 'x'))
    folders.remove_if_empty(tmp_path / 'full')
    assert left(tmp_path) == []
