"""datasets.download against a real server on loopback that fails in every way we could think of."""
import contextlib
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest
from downloading import (
    IMPORTS,
    failure,
    fetching,
    is_whole,
    python,
    refusing,
    without_proxy,
)
from failing_mirror import BODY, KNOWN, NAME, ROOT, mnist_folder, serving

from digits.datasets import download, idx
from digits.datasets.download import DownloadError, complete, fetch


@pytest.fixture(scope='module')
def running():
    with serving() as server:
        yield server


@pytest.fixture
def server(running):
    running.requests.clear()
    return running


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    without_proxy(monkeypatch)


@pytest.fixture
def dead():
    with refusing() as address:
        yield address


# Every way to fail

FAILURES = {
    '404': r'answered 404',
    '403': r'answered 403',
    '500': r'answered 500',
    '204': r'hash of downloaded file \(digits.gz\) does not match the known hash',
    'cut': r'150000 bytes read',
    'chunked_cut': r'(ended prematurely|InvalidChunkLength)',  # urllib3 2.8, 2.0
    'no_length_cut': r'does not match the known hash',
    'silent': r'timed out',
    'slow_head': r'no answer within 0.9 s',
    'stall': r'timed out',
    'drip': r'slower than 8,000 bytes/s',
    'wrong': r'does not match the known hash',
    'longer': r'does not match the known hash',
    'endless': r'sent more than 300,000 bytes',
    'endless_chunks': r'sent more than 300,000 bytes',
    'html': r'does not match the known hash',
    'rude': r'220 mail.example',
    'hang_up': r'Remote end closed connection without response',
    'loop': r'answered 302',
    'to_file': r'No connection adapters were found for .file:',
    'to_ftp': r'No connection adapters were found for .ftp:',
}


TIMED_OUT = {'silent', 'slow_head', 'stall', 'drip'}  # the others have time, on a busy machine too


@pytest.mark.parametrize('kind', FAILURES)
def test_failure_is_one_sentence_and_the_second_mirror_rescues(kind, server, tmp_path):
    bad, folder = server.base(kind), tmp_path / 'data'
    timeout = 0.6 if kind in TIMED_OUT else 10
    began = time.monotonic()
    sentence = failure(NAME, folder, [bad, server.base('404')], **KNOWN, timeout=timeout)
    assert time.monotonic() - began < 5
    host = re.escape(bad.split('/')[2])
    assert re.match(rf'cannot download {NAME} from {host} \(.*{FAILURES[kind]}.*\) or '
                    rf'{host} \(answered 404\): put the file into {re.escape(str(folder))} ',
                    sentence)
    assert not (folder / NAME).exists()

    fetch(NAME, folder, [bad, server.base('good')], **KNOWN, timeout=timeout)
    assert is_whole(folder)


@pytest.mark.parametrize('kind, reason', [
    ('cut', FAILURES['cut']),
    ('chunked_cut', FAILURES['chunked_cut']),
    ('html', 'sent something that is not gzip'),
    ('raw', 'sent something that is not gzip'),
    ('endless', 'sent more than 300,000 bytes'),
    ('endless_chunks', 'sent more than 300,000 bytes'),
])
def test_failure_when_neither_size_nor_hash_is_known(kind, reason, server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, 'MAX_BYTES', 300000)
    sentence = failure(NAME, tmp_path, [server.base(kind)])
    assert re.search(reason, sentence)
    assert os.listdir(tmp_path) == []

    fetch(NAME, tmp_path, [server.base(kind), server.base('good')])
    assert is_whole(tmp_path)


@pytest.mark.parametrize('kind', ['good', 'chunked', 'no_length', 'redirect'])
def test_ways_to_succeed(kind, server, tmp_path):
    fetch(NAME, tmp_path, [server.base(kind)], **KNOWN)
    assert is_whole(tmp_path)


def test_refused_and_nonsense(dead, server, tmp_path):
    mirrors = [dead, 'nonsense', 'file:///etc/', 'http://[::1/']
    sentence = failure(NAME, tmp_path, mirrors, **KNOWN)
    assert re.search(r'127.0.0.1:\d+ \(.*refused.*\) or nonsense \(Invalid URL .*\) or '
                     r'file:///etc/digits.gz \(No connection adapters were found for .*\) or '
                     r'\[::1 \(.+\): put', sentence)
    fetch(NAME, tmp_path, [*mirrors, server.base('good')], **KNOWN)
    assert is_whole(tmp_path)


def test_a_file_that_is_there_is_left_as_it_is(dead, tmp_path):
    (tmp_path / NAME).write_bytes(b'mine')
    fetch(NAME, tmp_path, [dead], **KNOWN)
    assert os.listdir(tmp_path) == [NAME] and (tmp_path / NAME).read_bytes() == b'mine'


def test_a_killed_download_leaves_nothing_that_is_used(server, tmp_path):
    process = python(fetching(tmp_path, server.base('steady')))
    deadline = time.monotonic() + 20
    while not sum(path.stat().st_size for path in tmp_path.glob('*.part/*')) >= 60000:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    if os.name == 'posix':
        assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / NAME).exists()

    fetch(NAME, tmp_path, [server.base('steady')], **KNOWN)
    assert (tmp_path / NAME).read_bytes() == BODY


@pytest.mark.skipif(os.name != 'posix', reason='an interrupt of one process is a signal')
def test_an_interrupted_download_leaves_nothing(server, tmp_path):
    process = python(fetching(tmp_path, server.base('steady')))
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob('*.part/*')):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert 'KeyboardInterrupt' in process.communicate(timeout=20)[1]
    assert os.listdir(tmp_path) == []


def test_a_file_of_an_abandoned_thread_goes_too(server, tmp_path, monkeypatch):
    """pooch's thread creates it while the folder is being deleted."""
    really, created = os.rmdir, []

    def rmdir(path, **kwargs):
        if not created:
            created.extend(folder / 'late' for folder in tmp_path.glob('*.part'))
            created[0].touch()
        really(path, **kwargs)

    monkeypatch.setattr(os, 'rmdir', rmdir)
    fetch(NAME, tmp_path, [server.base('good')], **KNOWN)
    assert created and os.listdir(tmp_path) == [NAME]


# Several at once

def test_two_processes_at_once(server, tmp_path):
    # The server answers only when both are asking, so that neither can be done before.
    both = [python(fetching(tmp_path, server.base('meeting'), timeout=10)) for _ in range(2)]
    for process in both:
        assert process.communicate()[1].count('downloading') == 1 and process.returncode == 0
    assert server.requests == [f'/meeting/{NAME}'] * 2
    assert is_whole(tmp_path)


def test_another_process_is_quicker(server, dead, tmp_path):
    server.meanwhile = lambda: (tmp_path / NAME).write_bytes(BODY)
    fetch(NAME, tmp_path, [server.base('overtaken'), dead], **KNOWN)
    assert is_whole(tmp_path)


def test_many_at_once(server, tmp_path):
    """The races around the last rename, often enough to meet them."""
    errors = []

    def work(folder, start):
        start.wait()
        try:
            fetch(NAME, folder, [server.base('good')], **KNOWN, timeout=10, quiet=True)
            assert (folder / NAME).read_bytes() == BODY
        except Exception as error:
            errors.append(error)

    for turn in range(25):
        folder, start = tmp_path / str(turn), threading.Barrier(6)
        threads = [threading.Thread(target=work, args=(folder, start)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors and is_whole(folder)


def test_windows_lets_nobody_replace_a_file_that_is_open(server, tmp_path, monkeypatch):
    """What os.replace says there where another process was quicker and reads its file."""
    def replace(source, target):
        pathlib.Path(target).write_bytes(BODY)
        raise PermissionError(13, 'Access is denied')

    monkeypatch.setattr(os, 'replace', replace)
    fetch(NAME, tmp_path, [server.base('good')], **KNOWN)
    assert is_whole(tmp_path)


# What is said

def test_signs_of_life(server, tmp_path, capfd):
    host = server.url.split('/')[2]
    fetch(NAME, tmp_path / 'a', [server.base('404'), server.base('good')], **KNOWN)
    assert capfd.readouterr() == ('', f'downloading {NAME} from {host} (300kB)\n' * 2)
    fetch(NAME, tmp_path / 'b', [server.base('good')])
    assert capfd.readouterr() == ('', f'downloading {NAME} from {host}\n')
    fetch(NAME, tmp_path / 'c', [server.base('good')], **KNOWN, quiet=True)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('quiet', [False, True])
def test_bar_on_a_terminal(quiet, server, tmp_path):
    pty = pytest.importorskip('pty')
    fcntl, termios = pytest.importorskip('fcntl'), pytest.importorskip('termios')
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))  # rows, columns
    code = fetching(tmp_path, server.base('good'), quiet=quiet)
    process = subprocess.Popen(
        [sys.executable, '-c', IMPORTS + code], stderr=theirs,
        env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert process.wait(20) == 0
    os.close(theirs)
    shown = b''
    with contextlib.suppress(OSError):  # Linux: the other end is closed
        while not shown.endswith(b'the end'):
            shown += os.read(ours, 4096) or b'the end'
    os.close(ours)
    assert (b'100%' in shown and b'300k/300k' in shown) is not quiet
    assert (shown == b'') is quiet


# MNIST

def test_complete_gives_up_at_the_first_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, 'MIRRORS', (server.base('404'), server.base('403')))
    folder = tmp_path / 'new' / 'data'
    with pytest.raises(DownloadError, match='cannot download train-images-idx3-ubyte.gz'):
        complete(folder, download.MIRRORS)
    first = 'train-images-idx3-ubyte.gz'
    assert server.requests == [f'/404/{first}', f'/403/{first}']
    assert os.listdir(folder) == []


@pytest.mark.parametrize('official', [True, False])
def test_only_what_mnists_own_mirrors_send_is_held_against_mnists_checksums(
        official, server, tmp_path, monkeypatch):
    mirrors = [server.base('good')]
    if official:
        monkeypatch.setattr(download, 'MIRRORS', tuple(mirrors))
        with pytest.raises(DownloadError, match='does not match the known hash'):
            complete(tmp_path, mirrors)
        assert os.listdir(tmp_path) == []
    else:
        complete(tmp_path, mirrors)  # BODY is no digits: idx, which reads it, says so
        assert sorted(os.listdir(tmp_path)) == sorted(name + '.gz' for name in idx.NAMES)


@pytest.mark.mnist
def test_complete_with_the_official_files(server, tmp_path, monkeypatch):
    missing = [name for name in download.FILES if not (mnist_folder() / name).exists()]
    if missing:
        pytest.skip(f'{missing[0]} is not in {mnist_folder()}')
    monkeypatch.setattr(download, 'MIRRORS', (server.base('mnist'),))
    (tmp_path / 't10k-labels-idx1-ubyte').write_bytes(b'unpacked')
    complete(tmp_path, download.MIRRORS)
    expected = {*download.FILES, 't10k-labels-idx1-ubyte'} - {'t10k-labels-idx1-ubyte.gz'}
    assert set(os.listdir(tmp_path)) == expected
    for name in expected & set(download.FILES):
        assert (tmp_path / name).read_bytes() == (mnist_folder() / name).read_bytes()
    complete(tmp_path, download.MIRRORS)
    assert len(server.requests) == 3


def test_importing_data_sets_does_not_import_what_downloads():
    code = 'import sys\nprint({"pooch", "requests", "urllib3"} & set(sys.modules))\n'
    assert python('from digits import input_data\n' + code).communicate()[0] == 'set()\n'
