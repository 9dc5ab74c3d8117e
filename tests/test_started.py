"""How tests are started, and scripts in the background, where SIGINT is ignored."""
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import IN_BACKGROUND
from helpers import wait_for_checkpoint
from PIL import Image

from digits.paths import PROJECT_ROOT
from digits.training.record import Record

in_background = pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGINT for one process')
FILE = 'tests/foundation/test_locks.py'


def start(*command, **kwargs):
    """A Python script in the background, in a process group of its own."""
    return subprocess.Popen(
        [*IN_BACKGROUND, sys.executable, *map(str, command)], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding='utf-8',
        cwd=str(PROJECT_ROOT), start_new_session=True, **kwargs)


@pytest.mark.parametrize(('flags', 'several'), [
    ([], True), ([FILE], True), ([FILE, f'{FILE}::test_a'], True), (['-n', '2', '-s'], True),
    ([f'{FILE}::test_a'], False), ([f'{FILE}::test_a', f'{FILE}::test_b[1]'], False),
    (['-s', FILE], False), (['--capture=no'], False), (['--trace'], False), (['--pdb'], False),
])
def test_a_debugger_has_the_process_to_itself(flags, several):
    """What xdist makes of the settings and these flags, in a pytest that ends before it starts."""
    code = """import sys, pytest
class Seen:
    def pytest_configure(self, config):
        self.workers = config.getoption('numprocesses')
        pytest.exit('seen')
seen = Seen()
pytest.main(sys.argv[1:], plugins=[seen])
print('workers:', seen.workers)
"""
    result = subprocess.run([sys.executable, '-c', code, *flags], cwd=str(PROJECT_ROOT), check=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                            encoding='utf-8')
    workers = int(re.search(r'^workers: (\d+)$', result.stdout, re.MULTILINE).group(1))
    assert (workers > 0) == several


@in_background
@pytest.mark.parametrize('workers', [0, 1])
def test_a_test_of_ctrl_c_passes(workers, tmp_path):
    """One that sends SIGINT, in a pytest of its own."""
    process = start('-m', 'pytest', '-n', workers, '-p', 'no:cacheprovider', '--basetemp',
                    tmp_path / 'temp', 'tests/datasets/test_download.py', '-k',
                    'test_an_interrupted_download_leaves_nothing')
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, out + said
    assert '1 passed' in out


@in_background
def test_training_goes_on_after_sigint_and_is_saved_at_sigterm(small_dir, tmp_path):
    process = start('mnist_numpy_sigmoid.py', '--epochs', '500', '--data-dir', small_dir,
                    '--run-dir', tmp_path)
    wait_for_checkpoint(tmp_path, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert Record.read(tmp_path).status == 'interrupted' and 'Traceback' not in said


@in_background
@pytest.mark.parametrize('end', [
    pytest.param(signal.SIGTERM, id='SIGTERM'),
    pytest.param(signal.SIGKILL, id='SIGKILL', marks=pytest.mark.slow)])
def test_predict_stops_with_all_its_processes(end, small_dir, tmp_path):
    """Those that read pictures had waited for ever for a parent that was gone."""
    run, many = tmp_path / 'run', tmp_path / 'many'
    subprocess.run([sys.executable, 'mnist_numpy_sigmoid.py', '--steps', '10', '--data-dir',
                    str(small_dir), '--run-dir', str(run)], check=True, cwd=str(PROJECT_ROOT),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    many.mkdir()
    Image.open(str(PROJECT_ROOT / 'data' / '8-dark-canvas.png')).save(str(tmp_path / 'one.png'))
    for number in range(1500):
        os.link(str(tmp_path / 'one.png'), str(many / f'{number}.png'))
    process = start('predict.py', '--run-dir', run, many)
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(end)
    assert process.wait(30) == -end
    deadline = time.monotonic() + 20
    with pytest.raises(ProcessLookupError):  # when no process of the group is left
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)  # some are
        pytest.fail('some of its processes are left')
    assert 'Traceback' not in process.communicate()[1]
