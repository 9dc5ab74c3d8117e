"""What an interrupted run prints is pasted into a shell, and continues it: always."""
import os
import shutil
import signal
import subprocess
import sys

import pytest
from helpers import assert_same_weights, change_record, wait_for_checkpoint

import mnist_softmax
from digits import paths
from digits.errors import UserError
from digits.training.record import Record

posix = pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send, and no sh')
SOFTMAX = ['mnist_softmax.py', '--steps', '3000', '--batch-size', '70', '--precision', 'float32']
CASES = {
    'numpy': ['mnist_numpy_sigmoid.py', '--epochs', '300'],
    'device': [*SOFTMAX, '--device', 'cpu', '--quiet'],
    'cluster': ['mnist_distributed.py', '--local', '2', '--steps', '60', '--batch-size', '24',
                '--validation-size', '500', '--precision', 'float32', '--checkpoint-every', '1'],
}


def without_data():
    """The environment, in which no variable says where data is, and downloads fail."""
    names = {name: value for name, value in os.environ.items() if name != 'MNIST_DATA_DIR'}
    return {**names, 'http_proxy': 'http://127.0.0.1:9', 'https_proxy': 'http://127.0.0.1:9'}


def interrupt(words, where, folder, environment):
    """Start a script in the folder `where`, stop it after its first checkpoint; its stderr."""
    process = subprocess.Popen(
        [sys.executable, str(paths.PROJECT_ROOT / words[0]), *words[1:], '--run-dir', folder],
        cwd=str(where), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for_checkpoint(where / folder, process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM, said
    return said


def paste(said, where, environment):
    """Run the command that was printed, in a shell."""
    line = said.split('continue with:\n')[1].splitlines()[0]
    return subprocess.run(['sh', '-c', line], cwd=str(where), env=environment, text=True,
                          capture_output=True, check=False, timeout=240)


@posix
@pytest.mark.parametrize('case', [
    'numpy', *(pytest.param(case, marks=pytest.mark.slow) for case in ('device', 'cluster'))])
def test_the_printed_command_continues_the_run(small_dir, tmp_path, case):
    """From another folder, with spaces in names, --data-dir relative to it, and no `python`."""
    where = tmp_path / 'some where'
    where.mkdir()
    shutil.copytree(str(small_dir), str(where / 'my data'))
    words = [*CASES[case], '--data-dir', 'my data']
    said = interrupt(words, where, 'my run', without_data())
    resumed = paste(said, where, without_data())
    assert resumed.returncode == 0, resumed.stderr
    assert 'test accuracy' in resumed.stdout
    assert 'strokes' not in resumed.stderr and 'downloading' not in resumed.stderr
    assert Record.read(where / 'my run').status == 'finished'
    if case in ('device', 'cluster'):
        typed = {'device': '--device cpu --quiet', 'cluster': '--local 2'}[case]
        assert typed in said and (case != 'device' or resumed.stderr == '')
    if case == 'cluster':  # the other workers too have the run's own flags
        straight = subprocess.run(
            [sys.executable, str(paths.PROJECT_ROOT / words[0]), *words[1:], '--run-dir', 'other'],
            cwd=str(where), env=without_data(), capture_output=True, text=True, check=True)
        assert straight.stdout == resumed.stdout
        assert_same_weights(where / 'my run', where / 'other')


def test_a_run_that_moved_needs_its_data_named_and_says_so(small_dir, tmp_path, monkeypatch,
                                                           script):
    """Its own folder is gone: no strokes instead; another folder counts, and is printed again."""
    data = tmp_path / 'data'
    shutil.copytree(str(small_dir), str(data))
    monkeypatch.chdir(tmp_path)
    mnist_softmax.main(['--data-dir', 'data', '--steps', '5', '--quiet', '--run-dir', 'run'])
    change_record(tmp_path / 'run', status='interrupted')
    moved = tmp_path / 'moved'
    moved.mkdir()
    data.rename(moved / 'data')
    (tmp_path / 'run').rename(moved / 'run')
    words = ['mnist_softmax.py', '--resume', '--run-dir', moved / 'run']
    lost = script(*words, environment={
        **without_data(), 'MNIST_DATA_DIR': str(tmp_path / 'nothing')})
    assert lost.returncode == 2
    assert 'learns from strokes' not in lost.stderr and '--data-dir' in lost.stderr
    monkeypatch.delenv('MNIST_DATA_DIR', raising=False)
    mnist_softmax.main([*map(str, words[1:]), '--data-dir', str(moved / 'data')])
    assert Record.read(moved / 'run').status == 'finished'


def test_a_resumed_run_reads_its_own_data_unless_told_otherwise(small_dir, tmp_path, monkeypatch,
                                                                parsed):
    folder = tmp_path / 'run'
    mnist_softmax.main(['--data-dir', os.path.relpath(str(small_dir)), '--steps', '5', '--quiet',
                        '--run-dir', str(folder)])
    change_record(folder, status='interrupted')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MNIST_DATA_DIR', str(tmp_path))
    resume = ['--resume', '--run-dir', str(folder)]
    args = parsed(mnist_softmax, resume)
    assert (args.data_dir, args.dataset) == (str(small_dir), 'mnist')
    assert parsed(mnist_softmax, [*resume, '--data-dir', 'b']).data_dir == 'b'
    # A folder without data, or none, in a run.json from elsewhere: nothing is written there.
    for other in (str(tmp_path / 'none'), 7, None, 'x\0y'):
        record = Record.read(folder)
        change_record(folder, flags={**record.flags, 'data_dir': other})
        assert parsed(mnist_softmax, resume).data_dir == str(tmp_path)
        assert not (tmp_path / 'none').exists()
    with pytest.raises(UserError, match='the run to resume has'):
        parsed(mnist_softmax, [*resume, '--seed', '7'])
