"""Runs that are killed again and again end as if nothing had been; the same seed, the same bits."""
import os
import random
import shutil
import signal
import time

import pytest
from helpers import assert_same_weights, start

from digits.training.record import Record

RUNS = {  # several evaluations, each with a checkpoint, and epochs that end
    'mnist_softmax.py': ['--steps', '1500', '--batch-size', '70'],
    'mnist_cnn.py': ['--steps', '40', '--batch-size', '70', '--validation-size', '500'],
    'mnist_cnn_deep.py': ['--steps', '20', '--batch-size', '40', '--validation-size', '500'],
    'mnist_cnn_long.py': ['--steps', '20', '--batch-size', '40', '--validation-size', '500'],
    'mnist_numpy_sigmoid.py': ['--epochs', '150'],
}
KILLS = {'mnist_softmax.py': 8, 'mnist_cnn.py': 8, 'mnist_cnn_deep.py': 4, 'mnist_cnn_long.py': 4,
         'mnist_numpy_sigmoid.py': 10}
LIKE_CNN = 'mnist_cnn_deep.py', 'mnist_cnn_long.py'  # they train as mnist_cnn.py does
NAMES = [pytest.param(name, marks=pytest.mark.rare) if name in LIKE_CNN else name
         for name in RUNS]
UNFINISHED = ('.tempstate', '.unfinished')


def writing(folder, since):
    """Whether a checkpoint or run.json is being written; files from before `since` are leftovers.
    """
    try:
        return any(part in entry.name and entry.stat().st_mtime >= since
                   for entry in os.scandir(str(folder)) for part in UNFINISHED)
    except OSError:
        return False


def wait_to_kill(process, folder, kills, seconds):
    """Return when it is time for the next kill, or when the process has ended.

    The first comes as soon as there is a run.json, before there is a session; the others after so
    many seconds, and every second one of them when something is being written.
    """
    since = time.time()
    while process.poll() is None:
        if kills == 0:
            due = (folder / 'run.json').exists()
        else:
            due = time.time() > since + seconds and (kills % 2 == 0 or writing(folder, since))
        if due:
            return
        time.sleep(0.0005)


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')
@pytest.mark.parametrize('name', NAMES)
def test_killed_at_random_times_and_resumed_it_ends_with_the_same_bits(
        small_dir, tmp_path, name):
    """No run starts over: all go on."""
    began = time.monotonic()
    straight = start(name, small_dir, *RUNS[name], '--run-dir', tmp_path / 'straight')
    output = straight.communicate(timeout=600)[0]
    assert straight.returncode == 0
    length = time.monotonic() - began

    rng, kills, writes, runs, folder = random.Random(0), 0, 0, 1, tmp_path / 'killed'
    while kills < KILLS[name]:
        since = time.time()
        process = start(name, small_dir, *flags_for(name, folder), '--run-dir', folder)
        wait_to_kill(process, folder, kills, rng.uniform(0.2, 0.9) * length)
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP)  # to see what it was doing
            writes += writing(folder, since)
            process.kill()
            kills += 1
        said = process.communicate()[1]
        assert process.returncode in (0, -signal.SIGKILL), said
        if finished(folder):  # it has come to its end before it was to be killed: on with another
            check(folder, tmp_path / 'straight')
            shutil.rmtree(str(folder))
            runs += 1
    last = start(name, small_dir, *flags_for(name, folder), '--run-dir', folder)
    resumed, said = last.communicate(timeout=600)
    assert last.returncode == 0, said
    assert resumed.splitlines()[-1] == output.splitlines()[-1]
    check(folder, tmp_path / 'straight')
    print(f'{name}: {kills} kills, {writes} of them during a write; {runs} runs')


def check(folder, straight):
    """That the run in `folder` has ended as the one that nobody killed, and left nothing behind."""
    assert finished(folder) and not any(folder.glob('*.tempstate*'))
    assert_same_weights(folder, straight)
    assert Record.read(folder).test_accuracy == Record.read(straight).test_accuracy


def finished(folder):
    return (folder / 'run.json').exists() and Record.read(folder).status == 'finished'


def flags_for(name, folder):
    """--resume; for a run that was killed before it had a run.json, all flags again."""
    return ['--resume'] if (folder / 'run.json').exists() else RUNS[name]


@pytest.mark.slow
@pytest.mark.parametrize('threads', ['1', '2'])
@pytest.mark.parametrize('name', NAMES)
def test_the_same_seed_gives_the_same_bits(small_dir, tmp_path, name, threads):
    """TF_NUM_INTRAOP_THREADS is TensorFlow's own variable, the other one NumPy's OpenBLAS's."""
    environment = {'TF_NUM_INTRAOP_THREADS': threads, 'OPENBLAS_NUM_THREADS': threads}
    for folder in ('first', 'second'):
        process = start(name, small_dir, *RUNS[name], '--quiet', '--run-dir', tmp_path / folder,
                        environment=environment)
        assert process.wait(300) == 0
    assert_same_weights(tmp_path / 'first', tmp_path / 'second')
