"""What all tests share: a small data set, runs of the scripts as a person starts them."""
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from digits import command_line, paths
from digits.datasets import idx, strokes

# Several processes share one GPU badly, and expected values are a processor's.
os.environ['CUDA_VISIBLE_DEVICES'] = '-1'
PROJECT_ROOT = Path(__file__).resolve().parent.parent
MNIST = Path(os.environ.get('MNIST_DATA_DIR') or PROJECT_ROOT / 'data')
# Before a command: starts it as a shell starts what runs in the background, SIGINT is ignored.
IN_BACKGROUND = ['sh', '-c', 'trap "" INT; exec "$@"', 'sh']
NO_BROWSER = ('no browser: python -m pip install playwright, then apt-get install chromium or '
              'python -m playwright install chromium')


def pytest_addoption(parser):
    parser.addoption('--slow', action='store_true', help='also run the tests that take minutes')
    parser.addoption('--screenshots', metavar='DIR',
                     help="the tests in a browser write the README's there")


def pytest_configure(config):
    """Let tests send SIGINT wherever they run: what runs in the background starts ignoring it.

    Processes that ignore a signal hand that on to those that they start.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config):
    """How many processes -n auto is: none where a person looks on, xdist's number elsewhere.

    A debugger and what tests print need this process: -s, --trace, or tests that are named one by
    one. (xdist itself has none with --pdb.)
    """
    looked_at = config.getoption('capture') == 'no' or config.getoption('trace')
    return 0 if looked_at or all('::' in arg for arg in config.args) else None


def pytest_collection_modifyitems(config, items):
    has_mnist = all(idx.find(MNIST, name) for name in idx.NAMES)
    for item in items:
        asked = config.getoption('--slow') or config.getoption('--screenshots')
        if 'slow' in item.keywords and not asked:
            item.add_marker(pytest.mark.skip(reason='takes minutes: add --slow'))
        if 'mnist' in item.keywords and not has_mnist:
            item.add_marker(pytest.mark.skip(reason=f'no MNIST in {MNIST}'))


@pytest.fixture(scope='session')
def mnist_dir():
    """The folder of the official files."""
    return MNIST


@pytest.fixture(scope='session')
def small_dir(tmp_path_factory):
    """A data set of 6,000 training and 500 test images, digits made from strokes."""
    folder = tmp_path_factory.mktemp('data') / 'small'
    folder.mkdir()
    images, labels = strokes.make(6500, seed=1)
    images = images[..., None]
    idx.write_folder(folder, [images[:6000], labels[:6000], images[6000:], labels[6000:]])
    return folder


@pytest.fixture(scope='session')
def clean_strokes():
    """clean_strokes(400, seed=5): as strokes.make, without specks of dust."""
    def make(count, seed):
        with pytest.MonkeyPatch.context() as patch:
            for name in ('STYLES', 'WORLD_STYLES'):
                patch.setattr(strokes, name, [style._replace(specks=0)
                                              for style in getattr(strokes, name)])
            return strokes.make(count, seed)
    return make


@pytest.fixture
def parsed(monkeypatch):
    """parsed(mnist_cnn, ['--epochs', '3']) -> the flags as the lesson's main has them."""
    class Parsed(Exception):
        pass

    def stop(args, **_):
        raise Parsed(args)

    def parse(lesson, flags):
        monkeypatch.setattr(lesson.input_data, 'load', stop)
        with pytest.raises(Parsed) as caught:
            lesson.main(flags)
        return caught.value.args[0]
    return parse


@pytest.fixture
def script(small_dir):
    """Run a script in a process of its own: script('predict.py', '--random') -> CompletedProcess.

    It learns from the small data set unless the flags or `environment` say otherwise.
    `standard_input` is the file that it gets there.
    """
    def run(name, *flags, environment=None, timeout=300, standard_input=os.devnull):
        with open(str(standard_input), 'rb') as file:
            return subprocess.run(
                [sys.executable, str(PROJECT_ROOT / name), *map(str, flags)], stdin=file,
                capture_output=True, text=True,
                timeout=timeout, check=False, cwd=str(PROJECT_ROOT),
                env={**os.environ, 'MNIST_DATA_DIR': str(small_dir), **(environment or {})})
    return run


@pytest.fixture
def called(small_dir, monkeypatch, capsys):
    """As `script`, in this process, which has TensorFlow: for what a start of its own adds nothing.
    """
    def call(name, *flags):
        module = importlib.import_module(name[:-len('.py')])
        monkeypatch.setattr(sys, 'argv', [name, *map(str, flags)])
        monkeypatch.setenv('MNIST_DATA_DIR', str(small_dir))
        capsys.readouterr()
        status = 0
        try:
            command_line.run(module.main)
        except SystemExit as end:
            status = end.code
        return subprocess.CompletedProcess(sys.argv, status, *capsys.readouterr())
    return call


class Project:
    """A copy of the project's scripts and of digits/, to be changed and run."""

    def __init__(self, folder, data_dir):
        self.folder, self._data_dir = folder, data_dir
        for path in (*PROJECT_ROOT.glob('*.py'),
                     *(PROJECT_ROOT / folder for folder in ('digits', 'articles', 'data'))):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            if path.exists():
                copy(str(path), str(folder / path.name))

    def change(self, name, *changes):
        """Replace texts of a script, old and new in turns; each old one is there."""
        path = self.folder / name
        text = path.read_text(encoding='utf-8')
        for old, new in zip(changes[::2], changes[1::2]):
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text, encoding='utf-8')

    def copy(self, name, *changes, of='mnist_cnn.py'):
        """Copy a lesson, and change the copy."""
        shutil.copy(str(self.folder / of), str(self.folder / name))
        self.change(name, *changes)

    @contextlib.contextmanager
    def in_place(self):
        """Here, this process looks for lessons, data and runs in the copy, with its own digits/."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paths, 'PROJECT_ROOT', self.folder)
            patch.setattr(paths, 'RUNS', self.folder / 'runs')
            patch.setenv('MNIST_DATA_DIR', str(self._data_dir))
            yield

    def train(self, name, *flags):
        """Call a lesson's main in this process, which is sooner than in one of its own."""
        spec = importlib.util.spec_from_file_location(name[:-3], str(self.folder / name))
        lesson = importlib.util.module_from_spec(spec)
        with self.in_place():
            spec.loader.exec_module(lesson)
            return lesson.main([str(flag) for flag in flags])

    def start(self, name, *flags):
        """A script of the copy in a process of its own, which learns from the small data set."""
        return subprocess.Popen(
            [sys.executable, str(self.folder / name), *map(str, flags)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=str(self.folder),
            env={**os.environ, 'MNIST_DATA_DIR': str(self._data_dir)})

    def run(self, name, *flags):
        """The same to its end: a CompletedProcess."""
        process = self.start(name, *flags)
        out, said = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, said)


@pytest.fixture
def project(tmp_path_factory, small_dir):
    """A Project: lessons are copied and changed there, beside their own predict.py."""
    return Project(tmp_path_factory.mktemp('project'), small_dir)


def _trained(tmp_path_factory, small_dir, script, *flags):
    folder = tmp_path_factory.mktemp('trained') / 'run'
    importlib.import_module(script).main([*flags, '--data-dir', str(small_dir), '--quiet',
                                          '--run-dir', str(folder)])
    return folder


@pytest.fixture(scope='session')
def numpy_run(tmp_path_factory, small_dir):
    """The folder of a run of the NumPy script: what reads its weights imports no TensorFlow."""
    return _trained(tmp_path_factory, small_dir, 'mnist_numpy_sigmoid', '--steps', '60')


@pytest.fixture(scope='session')
def trained(tmp_path_factory, small_dir, cnn_run, numpy_run):
    """{script: the folder of its run}, trained for a few seconds each."""
    return {
        'mnist_softmax': _trained(tmp_path_factory, small_dir, 'mnist_softmax', '--steps', '300'),
        'mnist_cnn': cnn_run, 'mnist_numpy_sigmoid': numpy_run}


@pytest.fixture(scope='session')
def cnn_run(tmp_path_factory, small_dir):
    """The folder of a CNN that has learned enough to read digits that are drawn with care."""
    import mnist_cnn
    folder = tmp_path_factory.mktemp('cnn') / 'drawn'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist_cnn, 'OUTLIERS', 500)  # as many as suit so few digits
        mnist_cnn.main(['--steps', '150', '--batch-size', '64', '--validation-size', '500',
                        '--quiet', '--data-dir', str(small_dir), '--run-dir', str(folder)])
    return folder


class Serving:
    """draw.py in a process of its own: its url, host and port, and what it says on stderr."""

    def __init__(self, run, flags, stdout):
        self.process = subprocess.Popen(
            [sys.executable, str(PROJECT_ROOT / 'draw.py'), '--port', '0', '--run-dir', str(run),
             *map(str, flags)], cwd=str(PROJECT_ROOT), stdout=stdout, stderr=subprocess.PIPE,
            text=True)
        self.stderr = []
        for line in self.process.stderr:
            self.stderr.append(line)
            match = re.search(r'(http://(\S+):(\d+)/) reads with', line)
            if match:
                self.url, self.host, self.port = match.group(1), match.group(2), int(match.group(3))
                break
        else:
            raise AssertionError(f'draw.py left with {self.process.wait()}: {self.stderr}')
        threading.Thread(target=lambda: self.stderr.extend(self.process.stderr)).start()

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture(scope='session')
def serving():
    """with serving(run, '--log', file) as server: draw.py answers under server.url."""
    @contextlib.contextmanager
    def start(run, *flags, stdout=subprocess.DEVNULL):
        server = Serving(run, flags, stdout)
        try:
            yield server
        finally:
            server.process.kill()
            server.process.wait(30)
    return start


@pytest.fixture(scope='session')
def server(serving, cnn_run):
    """draw.py with the run of cnn_run."""
    with serving(cnn_run) as started:
        yield started
        assert started.stop() == 0
        assert len(started.stderr) == 1  # the address: nothing went wrong behind the answers


@pytest.fixture(scope='session')
def browser():
    """Chromium without a window: the system's, or the one that Playwright has installed."""
    sync_api = pytest.importorskip('playwright.sync_api', reason=NO_BROWSER)
    with sync_api.sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser',
                                                     'google-chrome'))), None)
        if not found and not os.path.exists(playwright.chromium.executable_path):
            pytest.skip(NO_BROWSER)
        root = hasattr(os, 'geteuid') and os.geteuid() == 0  # Chromium's sandbox is not for root
        with playwright.chromium.launch(executable_path=found, chromium_sandbox=not root) as it:
            yield it
