"""The training scripts as a person runs them: output, run folders, interruptions, mistakes."""
import contextlib
import dataclasses
import json
import os
import re
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest
from helpers import assert_same_weights, change_record, start, wait_for_checkpoint

import mnist_cnn
import mnist_numpy_sigmoid
import mnist_softmax
from digits import paths
from digits.datasets import idx
from digits.errors import UserError
from digits.tensorflow_v1 import tf
from digits.training import checkpoints
from digits.training.record import Record

PROJECT_ROOT = paths.PROJECT_ROOT
SIGKILL = getattr(signal, 'SIGKILL', None)  # not on Windows
SHORT = {  # enough steps to meet an epoch's end (1,000 training images), and to be quick
    'mnist_softmax.py': ['--steps', '60', '--batch-size', '50'],
    'mnist_cnn.py': ['--steps', '30', '--batch-size', '40', '--validation-size', '500'],
    'mnist_numpy_sigmoid.py': ['--epochs', '12'],
}


@pytest.fixture(params=SHORT)
def name(request):
    return request.param


def test_output_record_and_repetition(script, called, name, tmp_path):
    """Results on stdout, the rest on stderr; run.json whole; the same seed gives the same bits."""
    first = script(name, *SHORT[name], '--run-dir', tmp_path / 'first')
    assert first.returncode == 0, first.stderr
    last = first.stdout.splitlines()[-1]
    accuracy = re.fullmatch(r'test accuracy: (\d\.\d{4}) \(small, not MNIST\)', last)
    assert accuracy, first.stdout
    assert 'step' in first.stderr and 'kept in' in first.stderr

    record = Record.read(tmp_path / 'first')
    assert record.script == name[:-3]
    assert record.status == 'finished'
    assert record.test_accuracy == float(accuracy.group(1))
    assert record.dataset == 'small'
    assert record.steps == record.total_steps == int(SHORT[name][1])
    assert record.parameters == (3274634 if name == 'mnist_cnn.py' else 7850)
    assert record.versions['python'] == '.'.join(map(str, sys.version_info[:3]))
    assert record.versions['numpy'] == np.__version__
    with_tensorflow = name != 'mnist_numpy_sigmoid.py'
    assert record.versions['tensorflow'] == (tf.__version__ if with_tensorflow else None)
    seconds = record.seconds
    assert seconds['data'] > 0 and (seconds['import'] > 0) == with_tensorflow
    assert seconds['import'] + seconds['data'] + seconds['training'] < seconds['whole']
    assert record.images_per_second > 0 and record.processor is not None

    again = called(name, *SHORT[name], '--run-dir', tmp_path / 'again', '--quiet')
    assert again.stdout == first.stdout
    assert again.stderr == ''
    assert_same_weights(tmp_path / 'first', tmp_path / 'again')


def test_another_seed_gives_other_numbers(called, tmp_path):
    seeds = [called('mnist_softmax.py', *SHORT['mnist_softmax.py'], '--seed', seed, '--run-dir',
                    tmp_path / seed) for seed in ('0', '1')]
    assert seeds[0].stdout != seeds[1].stdout


LONG = {  # long enough to be hit in the middle
    'mnist_softmax.py': ['--steps', '3000', '--batch-size', '70'],
    'mnist_cnn.py': ['--steps', '50', '--batch-size', '70', '--validation-size', '500'],
    'mnist_numpy_sigmoid.py': ['--epochs', '200'],
}


@pytest.fixture(scope='module')
def uninterrupted(small_dir, tmp_path_factory):
    """uninterrupted(name) -> the folder and the output of that script's LONG run."""
    done = {}

    def run(name):
        if name not in done:
            folder = tmp_path_factory.mktemp('straight') / 'run'
            process = start(name, small_dir, *LONG[name], '--run-dir', folder)
            done[name] = folder, process.communicate(timeout=300)[0]
        return done[name]
    return run


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')
@pytest.mark.parametrize(('name', 'blow'), [
    ('mnist_softmax.py', signal.SIGINT), ('mnist_numpy_sigmoid.py', SIGKILL),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in (
        ('mnist_softmax.py', SIGKILL), ('mnist_numpy_sigmoid.py', signal.SIGINT),
        ('mnist_softmax.py', signal.SIGTERM), ('mnist_cnn.py', signal.SIGTERM))),
])
def test_an_interrupted_run_goes_on_to_the_same_numbers(script, small_dir, tmp_path, name, blow,
                                                         uninterrupted):
    folder = tmp_path / 'cut'
    process = start(name, small_dir, *LONG[name], '--run-dir', folder)
    wait_for_checkpoint(folder, process)
    process.send_signal(blow)
    _, said = process.communicate(timeout=60)
    record = Record.read(folder)
    assert record.steps < record.total_steps, 'it was over before the signal came'
    if blow == SIGKILL:
        assert (process.returncode, record.status) == (-9, 'running')
    else:
        assert process.returncode == 128 + blow
        assert record.status == 'interrupted'
        assert f' {name} --resume --run-dir' in said  # after a Python that may be quoted
        assert 'Traceback' not in said

    resumed = script(name, '--resume', '--run-dir', folder)
    assert resumed.returncode == 0, resumed.stderr
    assert 'continuing after step' in resumed.stderr
    straight, output = uninterrupted(name)
    assert resumed.stdout.splitlines()[-1] == output.splitlines()[-1]
    assert_same_weights(folder, straight)
    assert Record.read(folder).status == 'finished'


@pytest.mark.parametrize('precision', ['auto', 'float32', 'bfloat16'])
def test_killed_before_it_has_a_session_a_run_chooses_its_precision_again(
        parsed, tmp_path, precision):
    """Its run.json knows only what was asked for. It said float32, and the run went on in that."""
    args = parsed(mnist_cnn, ['--precision', precision, '--run-dir', str(tmp_path)])
    Record.new(args, 'small', 100).write(tmp_path)
    assert parsed(mnist_cnn, ['--resume', '--run-dir', str(tmp_path)]).precision == precision


def test_kept_are_the_last_two_checkpoints_and_the_best(called, tmp_path):
    called('mnist_softmax.py', '--steps', '50', '--learning-rate', '30', '--run-dir', tmp_path)
    best = Record.read(tmp_path).best['step']
    steps = {int(path.name.split('-')[1].split('.')[0])
             for path in tmp_path.glob('model.ckpt-*.index')}
    assert steps == {40, 50, best}


def test_events_hold_what_was_printed(called, tmp_path):
    """Read by TensorFlow's own reader: the validation accuracies of the plain progress lines."""
    result = called('mnist_softmax.py', '--steps', '50', '--summary-every', '10', '--run-dir',
                    tmp_path)
    printed = {int(step): (float(loss), float(accuracy)) for step, loss, accuracy in re.findall(
        r'^step (\d+) of .* loss ([\d.]+), validation accuracy ([\d.]+), [\d,]+ images/s, \d+ s',
        result.stderr, re.MULTILINE)}
    assert sorted(printed) == [10, 20, 30, 40, 50]

    def written(folder, tag):
        path, = folder.glob('events.*')
        return {event.step: round(value.simple_value, 4)
                for event in tf.train.summary_iterator(str(path))
                for value in event.summary.value if value.tag == tag}
    assert written(tmp_path / 'validation', 'accuracy') == {
        step: accuracy for step, (_, accuracy) in printed.items()}
    assert written(tmp_path, 'loss') == {step: loss for step, (loss, _) in printed.items()}


def test_zero_writes_nothing_for_tensorboard(called, tmp_path):
    called('mnist_softmax.py', '--steps', '50', '--summary-every', '0', '--run-dir', tmp_path)
    assert Record.read(tmp_path).status == 'finished'
    assert not list(tmp_path.rglob('*tfevents*'))


def test_a_run_on_images_that_stay_on_the_disk_is_that_on_images_in_memory(called, tmp_path,
                                                                           monkeypatch):
    """To its end, with all that is drawn of them: the same files, byte for byte."""
    drawn = []
    for limit in (10 ** 9, 1000):
        monkeypatch.setattr(idx, 'MIN_BYTES_ON_DISK', limit)
        folder = tmp_path / str(limit)
        called('mnist_softmax.py', '--steps', '20', '--plots', '--run-dir', folder)
        drawn.append({path.relative_to(folder): path.read_bytes()
                      for path in folder.rglob('*') if path.suffix in ('.png', '.bytes', '.tsv')})
    assert len(drawn[0]) >= 4 and drawn[0] == drawn[1]


@pytest.mark.parametrize('quiet', [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_terminal_sees_a_sign_of_life_at_once(small_dir, tmp_path, quiet):
    pty = pytest.importorskip('pty')
    fcntl, termios = pytest.importorskip('fcntl'), pytest.importorskip('termios')
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 100, 0, 0))  # rows, columns
    process = subprocess.Popen(
        [sys.executable, str(PROJECT_ROOT / 'mnist_softmax.py'), '--steps', '2000', '--run-dir',
         str(tmp_path / 'run'), *['--quiet'][:quiet]], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, 'MNIST_DATA_DIR': str(small_dir)})
    os.close(theirs)
    said = b''
    with contextlib.suppress(OSError):  # Linux's end of file, here
        while True:
            more = os.read(ours, 10000)
            if not more:
                break
            said += more
    results = process.communicate()[0].decode()
    os.close(ours)
    assert process.returncode == 0 and 'test accuracy: ' in results
    text = said.decode().replace('\r\n', '\n')
    if quiet:
        assert text == ''
        return
    assert text.startswith('starting TensorFlow ...\r')
    assert re.search(r'\rstep \d+ of 2000 .* [\d:]+ left, loss [\d.]+, validation [\d.]+, '
                     r'[\d,]+ images/s', text)
    assert 'scoring the test images ...\r' in text
    shown = [line.split('\r')[-1] for line in text.split('\n')]  # what is left of each line
    assert not any('...' in line for line in shown)
    assert shown[-2].endswith(f'kept in {os.path.relpath(str(tmp_path / "run"))}')


def test_numpy_script_does_without_tensorflow(small_dir, tmp_path):
    code = ('import sys; sys.modules["tensorflow"] = None\n'
            'import mnist_numpy_sigmoid\n'
            f'mnist_numpy_sigmoid.main(["--epochs", "1", "--run-dir", {str(tmp_path)!r}])')
    result = subprocess.run([sys.executable, '-c', code], cwd=str(PROJECT_ROOT), check=False,
                            capture_output=True,
                            env={**os.environ, 'MNIST_DATA_DIR': str(small_dir)})
    assert result.returncode == 0, result.stderr


# A proxy at which nobody listens: the same to a script as no network, on every machine.
NO_NETWORK = {'http_proxy': 'http://127.0.0.1:9', 'https_proxy': 'http://127.0.0.1:9'}


@pytest.mark.parametrize(('flags', 'words'), [
    (['--batch-size', '0'], "'0' is not a whole number from 1 to 1,000,000,000"),
    (['--learning-rate', '-1'], "'-1' is not a number above 0"),
    (['--learning-rate', 'nan'], "'nan' is not a number above 0"),
    (['--seed', '-3'], "'-3' is not a whole number from 0 to 2,147,483,646"),
    (['--device', 'tpu'], "'tpu' is none of auto, cpu, gpu"),
    (['--steps', '5', '--epochs', '1'], 'not allowed with argument'),
])
def test_a_wrong_flag_is_a_usage_error(capsys, flags, words):
    with pytest.raises(SystemExit) as caught:
        mnist_softmax.main(flags)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize('lesson', [mnist_softmax, mnist_cnn, mnist_numpy_sigmoid])
@pytest.mark.parametrize(('flag', 'left_out'), [('--epochs', 'steps'), ('--steps', 'epochs')])
def test_epochs_and_steps_each_replace_the_other_s_default(lesson, flag, left_out, parsed):
    args = parsed(lesson, [flag, '3'])
    assert getattr(args, flag[2:]) == 3
    assert getattr(args, left_out) is None


@pytest.mark.parametrize(('flags', 'words'), [
    (['--device', 'gpu'], 'TensorFlow finds no GPU'),
    (['--resume', '--run-dir', 'nowhere'], 'has no run.json'),
    (['--run-dir', str(PROJECT_ROOT)], 'is not empty: add --resume'),
])
def test_a_mistake_is_told_in_a_sentence(small_dir, tmp_path, flags, words):
    if 'gpu' in flags and tf.config.experimental.list_physical_devices('GPU'):
        pytest.skip('there is a GPU here')
    with pytest.raises(UserError, match=words):
        mnist_softmax.main(['--data-dir', str(small_dir), '--run-dir', str(tmp_path / 'run'),
                            *flags])


def test_a_sentence_ends_a_script_with_status_2(script, tmp_path):
    result = script('mnist_softmax.py', '--dataset', 'mnist', '--data-dir', tmp_path / 'empty',
                    environment=NO_NETWORK)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith('mnist_softmax.py: cannot download')
    assert 'Traceback' not in result.stderr and result.stdout == ''


def test_without_network_and_data_it_trains_on_strokes_and_says_so(script, tmp_path):
    result = script('mnist_softmax.py', '--steps', '100', '--run-dir', tmp_path / 'run',
                    '--data-dir', tmp_path / 'data', environment=NO_NETWORK)
    assert result.returncode == 0
    assert re.search(r'\ntest accuracy: 0\.\d{4} \(strokes, not MNIST\)\n$', result.stdout)
    assert 'cannot download train-images-idx3-ubyte.gz' in result.stderr
    assert 'learns from strokes' in result.stderr
    assert Record.read(tmp_path / 'run').dataset == 'strokes'


def test_resume_refuses_what_contradicts_the_run(small_dir, tmp_path):
    def refused(lesson, words, *flags):
        with pytest.raises(UserError, match=words):
            lesson.main(['--data-dir', str(small_dir), '--run-dir', str(folder), '--resume',
                         *flags])

    folder = tmp_path / 'run'
    mnist_softmax.main(['--data-dir', str(small_dir), '--run-dir', str(folder), '--steps', '20'])
    refused(mnist_softmax, r'is finished \(test accuracy 0\.\d+\): there')
    record = Record.read(folder)
    change_record(folder, status='interrupted')
    refused(mnist_softmax, '--seed 7: the run to resume has 0', '--seed', '7')
    refused(mnist_cnn, 'is a run of mnist_softmax.py')
    change_record(folder, status='interrupted', dataset='MNIST')
    refused(mnist_softmax, 'was trained on MNIST')
    (folder / 'run.json').write_text(json.dumps(dataclasses.asdict(record))[:100])
    refused(mnist_softmax, 'run.json: damaged')


def test_diverging_ends_with_a_sentence(called, tmp_path):
    result = called('mnist_softmax.py', '--learning-rate', '1e38', '--run-dir', tmp_path)
    assert result.returncode == 1
    assert 'training has diverged' in result.stderr and 'Traceback' not in result.stderr
    assert Record.read(tmp_path).status == 'diverged'


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no limit on the size of files')
def test_a_checkpoint_that_does_not_fit_on_the_disk_is_a_sentence(small_dir, tmp_path):
    """The CNN writes 39 MB; files may have 5 MB here."""
    command = [sys.executable, str(PROJECT_ROOT / 'mnist_cnn.py'), '--steps', '5', '--data-dir',
               str(small_dir), '--run-dir', str(tmp_path)]
    result = subprocess.run(['sh', '-c', 'ulimit -f 10000; exec "$@"', 'sh', *command],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    assert re.search(r'no checkpoint could be written, .*\(.*File too large\)$', result.stderr)
    assert not checkpoints.exist(tmp_path)
