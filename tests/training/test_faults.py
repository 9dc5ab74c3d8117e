"""What can happen to a run's folder, and to the flags: a sentence, and nothing that was whole lost.
"""
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import assert_same_weights, change_record, start, wait_for_checkpoint

import mnist_numpy_sigmoid
import mnist_softmax
from digits import locks, paths
from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.prediction import classifier
from digits.tensorflow_v1 import tf
from digits.training import checkpoints, folders
from digits.training.record import Record

PICTURE = PROJECT_ROOT / 'data' / '7-chalk.jpg'
LESSONS = {'mnist_softmax': (mnist_softmax, ['--steps', '50']),
           'mnist_numpy_sigmoid': (mnist_numpy_sigmoid, ['--epochs', '10'])}


@pytest.fixture(scope='module')
def finished(small_dir, tmp_path_factory):
    """finished[name] -> the folder of a run with a checkpoint at its end, and one before it."""
    folders = {}
    for name, (lesson, flags) in LESSONS.items():
        folders[name] = tmp_path_factory.mktemp('finished') / name
        lesson.main([*flags, '--quiet', '--data-dir', str(small_dir), '--run-dir',
                     str(folders[name])])
    return folders


@pytest.fixture
def stopped(finished, tmp_path):
    """stopped(name) -> a copy of the finished run that says it was interrupted."""
    def copy(name):
        folder = tmp_path / name
        shutil.copytree(str(finished[name]), str(folder))
        change_record(folder, status='interrupted')
        return folder
    return copy


def resume(name, folder, small_dir):
    return LESSONS[name][0].main(['--resume', '--quiet', '--data-dir', str(small_dir),
                                  '--run-dir', str(folder)])


# Checkpoints

def newest(folder, ending):
    """The file of the newest checkpoint: its .index or .data-*, or weights.npz."""
    if ending == '.npz':
        return folder / 'weights.npz'
    step = Record.read(folder).total_steps
    return next(folder.glob(f'model.ckpt-{step}{ending}*'))


def cut(path):
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(bytes(data))


def empty(path):
    path.write_bytes(b'')


def unlink(path):
    path.unlink()


def save_variables(path, arrays):
    """A whole checkpoint of other variables under this name."""
    with tf.Graph().as_default(), tf.Session() as session:
        for name, array in arrays.items():
            tf.get_variable(name, initializer=array)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(path.with_suffix('')), write_meta_graph=False)


def another_model(path):
    if path.suffix == '.npz':
        np.savez(str(path), step=10, filters=np.zeros(3))
    else:
        save_variables(path, {'conv1/W': np.zeros([5, 5, 1, 32], np.float32)})


def another_shape(path):
    W, b = np.zeros([784, 12], np.float32), np.zeros(12, np.float32)
    if path.suffix == '.npz':
        np.savez(str(path), step=10, W=W, b=b)
    else:
        save_variables(path, {'softmax/W': W, 'softmax/b': b, 'global_step': np.int64(50)})


FAULTS = [(ending, fault) for ending in ('.index', '.data', '.npz')
          for fault in (cut, flip, empty, unlink)]
FAULTS += [(ending, fault) for ending in ('.index', '.npz')
           for fault in (another_model, another_shape)]


@pytest.mark.parametrize(('ending', 'fault'), FAULTS)
def test_a_damaged_checkpoint_costs_one_sentence_and_no_number(
        finished, stopped, small_dir, capsys, ending, fault):
    """predict.py says what is wrong; --resume says it too, and ends at the same weights."""
    name = 'mnist_numpy_sigmoid' if ending == '.npz' else 'mnist_softmax'
    folder = stopped(name)
    fault(newest(folder, ending))
    gone = fault is unlink and ending != '.data'  # then there is only the one before
    if not gone:
        with pytest.raises(UserError, match='damaged|of another') as caught:
            classifier.restore(folder)
        assert 'name another run, or delete' in str(caught.value)
    capsys.readouterr()
    resume(name, folder, small_dir)
    assert ('going back to the checkpoint before it' in capsys.readouterr().err) != gone
    assert_same_weights(folder, finished[name])
    assert Record.read(folder).test_accuracy == Record.read(finished[name]).test_accuracy


@pytest.mark.parametrize('name', LESSONS)
def test_when_no_checkpoint_is_whole_nothing_is_touched(stopped, small_dir, name):
    folder = stopped(name)
    for path in (*folder.glob('*.npz'), *folder.glob('*.data*')):
        flip(path)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(UserError, match='none of its checkpoints .* is intact'):
        resume(name, folder, small_dir)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()
                      if path.is_file() and path.name != locks.NAME}


def test_what_a_killed_writer_leaves_is_swept_away(stopped, small_dir):
    folder = stopped('mnist_softmax')
    for name in ('model.ckpt-60.data-00000-of-00001', 'run.json.unfinished', locks.NAME,
                 'model.ckpt-50.data-00000-of-00001.tempstate123', 'weights.npz.unfinished'):
        (folder / name).write_bytes(b'half')
    resume('mnist_softmax', folder, small_dir)
    left = {path.name for path in folder.iterdir()}
    assert not left & {locks.NAME, 'run.json.unfinished'}
    assert not any('tempstate' in name or '-60.' in name for name in left), left


def test_corrupt_events_do_not_keep_a_run_from_going_on(finished, stopped, small_dir):
    folder = stopped('mnist_softmax')
    newest(folder, '.index').unlink()
    for path in folder.glob('events.*'):
        path.write_bytes(os.urandom(500))
    resume('mnist_softmax', folder, small_dir)
    assert_same_weights(folder, finished['mnist_softmax'])


@pytest.mark.parametrize('name', ['predict.py', 'draw.py'])
def test_scripts_end_with_a_sentence(script, stopped, name):
    if name == 'draw.py':
        pytest.importorskip('flask')
    folder = stopped('mnist_softmax')
    empty(newest(folder, '.index'))
    flags = [PICTURE] if name == 'predict.py' else ['--port', '0']
    result = script(name, '--run-dir', folder, *flags)
    assert (result.returncode, result.stdout) == (2, '')
    sentence, = result.stderr.splitlines()
    assert sentence.startswith(f'{name}: {folder}') and 'damaged' in sentence


def test_a_damaged_run_does_not_keep_others_from_going_on(stopped, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, 'RUNS', tmp_path / 'runs')
    for name in ('a', 'b'):
        shutil.copytree(str(stopped('mnist_softmax')),
                        str(paths.RUNS / 'mnist_softmax' / name))
        shutil.rmtree(str(tmp_path / 'mnist_softmax'))
    empty(paths.RUNS / 'mnist_softmax' / 'b' / 'run.json')
    assert folders.newest_unfinished('mnist_softmax').name == 'a'
    assert 'skipped: ' in capsys.readouterr().err


# Two at once

def test_the_second_process_in_a_folder_says_so_and_leaves(script, small_dir, tmp_path):
    folder = tmp_path / 'run'
    process = start('mnist_numpy_sigmoid.py', small_dir, '--epochs', '100000', '--run-dir', folder)
    try:
        wait_for_record(folder, process)
        second = script('mnist_numpy_sigmoid.py', '--resume', '--run-dir', folder)
        assert second.returncode == 2
        assert f'process {process.pid} on ' in second.stderr
        assert 'is training in it' in second.stderr.splitlines()[-1]
    finally:
        process.kill()
        process.communicate()
    with locks.held(folder):  # the kill has given it free
        pass
    assert not (folder / locks.NAME).exists()


def wait_for_record(folder, process):
    deadline = time.monotonic() + 120
    while not (folder / 'run.json').exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


# Disks

def privileged(*flags):
    """unshare with these flags, or a skipped test."""
    command = ['unshare', *flags]
    if not shutil.which('unshare') or subprocess.run(
            [*command, 'true'], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip(f'{" ".join(command)} is not permitted here')
    return command


def in_shell(commands, small_dir, **places):
    """A shell that may mount, with $python, $home and these places; returns what it did."""
    places.update(MNIST_DATA_DIR=small_dir, python=sys.executable, home=PROJECT_ROOT)
    return subprocess.run(
        [*privileged('-rm'), 'sh', '-c', commands], capture_output=True, text=True, check=False,
        timeout=300, env={**os.environ, **{name: str(place) for name, place in places.items()}})


@pytest.mark.slow
def test_a_full_disk_costs_a_sentence_and_no_number(small_dir, tmp_path):
    """100 MB hold two checkpoints of the CNN and not three; with more, the run goes on."""
    for name in ('disk', 'saved', 'straight'):
        (tmp_path / name).mkdir()
    result = in_shell(
        'mount -t tmpfs -o size=100m tmpfs $disk || exit 99\n'
        'train="$python $home/mnist_cnn.py --quiet"\n'
        'flags="--steps 10 --batch-size 20 --validation-size 500  "\n'
        '$train $flags --run-dir $disk/run; echo status $?; ls $disk/run\n'
        'mount -o remount,size=300m $disk; $train --resume --run-dir $disk/run\n'
        'cp $disk/run/*-10.* $disk/run/checkpoint $disk/run/run.json $saved\n'
        '$train $flags --run-dir $straight', small_dir, disk=tmp_path / 'disk',
        saved=tmp_path / 'saved', straight=tmp_path / 'straight')
    if result.returncode == 99:
        pytest.skip('mounting a small disk is not permitted here')
    assert 'Traceback' not in result.stderr
    sentence = result.stderr.splitlines()[0]
    assert sentence.startswith(f'mnist_cnn.py: {tmp_path}/disk/run: no checkpoint could be written')
    assert 'No space left on device' in sentence
    lines = result.stdout.splitlines()
    assert lines[0] == 'status 1'
    assert {'model.ckpt-2.index', 'model.ckpt-4.index'} <= set(lines)
    assert not any('tempstate' in line or 'ckpt-6' in line for line in lines), lines
    assert_same_weights(tmp_path / 'saved', tmp_path / 'straight')
    assert lines.count(lines[-1]) == 2  # the same test accuracy


@pytest.mark.slow
def test_a_disk_that_only_reads(script, stopped, small_dir, tmp_path):
    """Pictures are read with a run from it, data is learned from it, and training says no."""
    folder, disk = stopped('mnist_softmax'), tmp_path / 'disk'
    disk.mkdir()
    result = in_shell(
        'mount -t tmpfs tmpfs $disk && cp -r $run $disk/run && cp -r $MNIST_DATA_DIR $disk/data &&'
        ' mount -o remount,ro $disk || exit 99\n'
        '$python $home/predict.py --run-dir $disk/run $picture; echo status $?\n'
        '$python $home/mnist_softmax.py --steps 5 --quiet --data-dir $disk/data --run-dir $new; '
        'echo status $?\n'
        '$python $home/mnist_softmax.py --run-dir $disk/new; echo status $?\n'
        '$python $home/mnist_softmax.py --resume --run-dir $disk/run; echo status $?\n',
        small_dir, disk=disk, run=folder, picture=PICTURE, new=tmp_path / 'new')
    if result.returncode == 99:
        pytest.skip('mounting a disk is not permitted here')
    assert [line for line in result.stdout.splitlines() if line.startswith('status')] == [
        'status 0', 'status 0', 'status 2', 'status 2']
    new, again = result.stderr.splitlines()
    for sentence, name in ((new, 'new'), (again, 'run')):
        assert f'{disk}/{name}: cannot write a run there (Read-only file system)' in sentence


def test_strokes_need_no_folder_that_can_be_written(small_dir, tmp_path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    result = in_shell(
        'mount -t tmpfs -o ro tmpfs $disk && mount --bind $disk $home/data && '
        'mount -o remount,ro,bind $home/data || exit 99\n'
        'XDG_CACHE_HOME=$disk $python $home/mnist_numpy_sigmoid.py --epochs 1 --dataset strokes '
        '--run-dir $new',
        small_dir, disk=disk, new=tmp_path / 'new')
    if result.returncode == 99:
        pytest.skip('mounting a disk is not permitted here')
    assert result.returncode == 0, result.stderr
    assert 'The drawn digits cannot be saved' in result.stderr and 'Traceback' not in result.stderr


@pytest.mark.skipif(os.name == 'nt', reason='Windows keeps folders with open files in them')
@pytest.mark.parametrize('name', [
    'mnist_softmax.py', pytest.param('mnist_numpy_sigmoid.py', marks=pytest.mark.slow)])
def test_a_folder_that_vanishes_is_a_sentence(small_dir, tmp_path, name):
    folder = tmp_path / 'run'
    length = '--steps' if name == 'mnist_softmax.py' else '--epochs'
    process = start(name, small_dir, length, '20000' if length == '--steps' else '1000', '--quiet',
                    '--run-dir', folder)
    wait_for_checkpoint(folder, process)
    os.rename(str(folder), str(tmp_path / 'moved'))
    sentence = process.communicate(timeout=120)[1].splitlines()[-1]
    assert process.returncode == 1
    assert 'could be written' in sentence or 'could not be written' in sentence
    assert checkpoints.exist(tmp_path / 'moved')


# Numbers

@pytest.mark.parametrize(('bad_update', 'step', 'good'), [(9, 10, 8), (8, 9, 4), (1, 2, None)])
def test_diverging_names_the_step_the_cause_and_the_last_good_checkpoint(
        small_dir, tmp_path, monkeypatch, bad_update, step, good):
    """A checkpoint after an update that overflowed is none to go back to."""
    calls, gradients = [], mnist_numpy_sigmoid.gradients

    def overflowing(X, h, y):
        calls.append(1)
        dW, db = gradients(X, h, y)
        return (dW * np.float32('nan'), db) if len(calls) == bad_update else (dW, db)

    monkeypatch.setattr(mnist_numpy_sigmoid, 'gradients', overflowing)
    with pytest.raises(UserError) as caught:
        mnist_numpy_sigmoid.main(['--epochs', '20', '--quiet', '--data-dir', str(small_dir),
                                  '--run-dir', str(tmp_path)])
    assert caught.value.exit_status == 1
    kept = 'no checkpoint was written before' if good is None else \
        f'the last good checkpoint is that of step {good}'
    assert str(caught.value).startswith(
        f'step {step}: the loss is nan, training has diverged; usually --learning-rate 0.1 is '
        f'too large: try a smaller one ({kept}, in ')
    assert Record.read(tmp_path).status == 'diverged'
    assert checkpoints.exist(tmp_path) == (good is not None)
