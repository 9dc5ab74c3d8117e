"""datasets.download against a real server on loopback that fails in every way we could think of."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import pytest
from failing_mirror import BODY, KNOWN, NAME, ROOT, mnist_folder, serving

from digits.datasets import download, idx
from digits.datasets.download import DownloadError, complete, fetch
from digits.errors import UserError

IMPORTS = 'import os, pathlib, socket, time\nfrom digits.datasets.download import *\n'


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
    """The tests mean loopback, whatever proxy this machine goes through."""
    for key in [key for key in os.environ if key.lower().endswith('_proxy')]:
        monkeypatch.delenv(key)
    monkeypatch.setenv('no_proxy', '127.0.0.1')


@pytest.fixture
def dead():
    """The address of a port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))  # bound, not listening: refused, and nobody else gets it
        yield f'http://127.0.0.1:{listener.getsockname()[1]}/'


def failure(*args, **kwargs):
    """The one sentence that fetch(*args) fails with."""
    with pytest.raises(DownloadError) as caught:
        fetch(*args, **kwargs)
    sentence = str(caught.value)
    assert isinstance(caught.value, UserError) and caught.value.exit_status == 2
    assert sentence.isprintable() and '--data-dir or MNIST_DATA_DIR' in sentence
    return sentence


def is_whole(folder):
    return os.listdir(folder) == [NAME] and (folder / NAME).read_bytes() == BODY


def python(code, wrap=(), **kwargs):
    """A process of its own that knows `fetch`, started as `wrap` + [python, ...]."""
    command = [*wrap, sys.executable, '-c', IMPORTS + code]
    return subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': str(ROOT)},
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)


def fetching(folder, mirror, **more):
    words = ''.join(f', {key}={value!r}' for key, value in {**KNOWN, **more}.items())
    return f'fetch({NAME!r}, pathlib.Path({str(folder)!r}), [{mirror!r}]{words})\n'


def namespace(*flags):
    """unshare with these flags, or a skipped test."""
    command = ['unshare', *flags]
    if not starts_python(command):
        pytest.skip(f'{" ".join(command)} is not permitted here')
    return command


def starts_python(command):
    return bool(shutil.which(command[0])) and not subprocess.run(
        [*command, sys.executable, '-c', ''], check=False, stderr=subprocess.DEVNULL).returncode


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


@pytest.mark.parametrize('kind', FAILURES)
def test_failure_is_one_sentence_and_the_second_mirror_rescues(kind, server, tmp_path):
    bad, folder = server.base(kind), tmp_path / 'data'
    began = time.monotonic()
    sentence = failure(NAME, folder, [bad, server.base('404')], **KNOWN, timeout=0.6)
    assert time.monotonic() - began < 5
    host = re.escape(bad.split('/')[2])
    assert re.match(rf'cannot download {NAME} from {host} \(.*{FAILURES[kind]}.*\) or '
                    rf'{host} \(answered 404\): put the file into {re.escape(str(folder))} ',
                    sentence)
    assert not (folder / NAME).exists()

    fetch(NAME, folder, [bad, server.base('good')], **KNOWN, timeout=0.6)
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
    code = 'import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n'
    process = python(code + fetching(tmp_path, server.base('steady')))
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob('*.part/*')):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert 'KeyboardInterrupt' in process.communicate(timeout=20)[1]
    assert os.listdir(tmp_path) == []


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


# The way there: proxies, TLS, no network at all

def test_proxy_from_the_environment(server, dead, tmp_path, monkeypatch):
    monkeypatch.setenv('http_proxy', server.url)
    fetch(NAME, tmp_path, ['http://mnist.example/good/'], **KNOWN)
    # The server's log has the path only if it was asked directly, all of it as a proxy.
    assert server.requests == [f'http://mnist.example/good/{NAME}']
    assert is_whole(tmp_path)

    monkeypatch.setenv('http_proxy', dead)
    failure(NAME, tmp_path / 'a', ['http://mnist.example/good/'], **KNOWN)
    fetch(NAME, tmp_path / 'b', [server.base('good')], **KNOWN)  # no_proxy has 127.0.0.1
    assert is_whole(tmp_path / 'b')


@pytest.mark.skipif(not shutil.which('openssl'), reason='openssl, to make a certificate, is absent')
def test_certificates(server, tmp_path, monkeypatch):
    certificate, key = str(tmp_path / 'certificate.pem'), str(tmp_path / 'key.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                    '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
                    '-out', certificate, '-keyout', key], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(context=context, plain=server.url) as secure:
        sentence = failure(NAME, tmp_path / 'a', [secure.base('good')], **KNOWN)
        assert 'certificate verify failed' in sentence
        assert secure.requests == [] and os.listdir(tmp_path / 'a') == []

        monkeypatch.delenv('REQUESTS_CA_BUNDLE', raising=False)
        monkeypatch.setenv('SSL_CERT_FILE', certificate)
        fetch(NAME, tmp_path / 'b', [secure.base('good')], **KNOWN)
        fetch(NAME, tmp_path / 'c', [secure.base('redirect')], **KNOWN)  # to plain http
        assert is_whole(tmp_path / 'b') and is_whole(tmp_path / 'c')
        assert server.requests == [f'/good/{NAME}']


def test_without_a_network(tmp_path):
    began = time.monotonic()
    process = python(f'complete(pathlib.Path({str(tmp_path)!r}))', namespace('-rn'))
    error = process.communicate()[1]
    assert process.returncode == 1
    assert ('cannot download train-images-idx3-ubyte.gz from '
            'ossci-datasets.s3.amazonaws.com (Temporary failure in name resolution) or '
            'storage.googleapis.com (Temporary failure in name resolution): put the file into'
            ) in error
    assert 'train-labels' not in error and os.listdir(tmp_path) == []
    assert time.monotonic() - began < 5


def test_name_server_that_swallows_every_packet(tmp_path):
    """glibc would wait 10 s for each name."""
    conf = tmp_path / 'resolv.conf'
    conf.write_text('nameserver 127.0.0.1\n')
    script = f'ip link set lo up && mount --bind {conf} /etc/resolv.conf && exec "$@"'
    wrap = [*namespace('-rnm'), 'sh', '-c', script, 'sh']
    if not starts_python(wrap):
        pytest.skip('a resolv.conf of our own is not permitted here')
    code = ('name_server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
            'name_server.bind(("127.0.0.1", 53))\n'
            'began = time.monotonic()\n'
            'try:\n'
            '    fetch("a", pathlib.Path("data"), MIRRORS, timeout=0.5)\n'
            'except DownloadError as error:\n'
            '    print(time.monotonic() - began, error)\n')
    answer = python(code, wrap, cwd=tmp_path).communicate()
    seconds, sentence = answer[0].split(' ', 1)
    assert 1.4 < float(seconds) < 4
    assert sentence.startswith('cannot download a from '
                               'ossci-datasets.s3.amazonaws.com (no answer within 0.75 s) or '
                               'storage.googleapis.com (no answer within 0.75 s): put')


# The folder

def test_folder_that_is_a_file(server, tmp_path):
    (tmp_path / 'file').write_bytes(b'')
    for folder in (tmp_path / 'file', tmp_path / 'file' / 'data'):
        assert failure(NAME, folder, [server.base('good')], **KNOWN).startswith(
            f'cannot write {NAME} to {folder} (')
    assert server.requests == []


@pytest.mark.skipif(os.name != 'posix', reason='a folder bars writing by its mode on POSIX only')
def test_folder_that_is_read_only(server, tmp_path):
    wrap = []
    if os.geteuid() == 0:  # root writes anywhere, unless this capability is taken away
        wrap = ['setpriv', '--bounding-set=-dac_override', '--inh-caps=-dac_override']
        if not starts_python(wrap):
            pytest.skip('as root permissions are not enforced, and setpriv is not at hand')
    tmp_path.chmod(0o555)
    error = python(fetching(tmp_path, server.base('good')), wrap).communicate()[1]
    tmp_path.chmod(0o755)
    assert f'DownloadError: cannot write {NAME} to {tmp_path} (Permission denied): point' in error
    assert server.requests == [] and os.listdir(tmp_path) == []


def test_disk_that_fills(server, tmp_path):
    mount = f'mount -t tmpfs -o size=128k tmpfs {tmp_path} && exec "$@"'
    wrap = [*namespace('-rm'), 'sh', '-c', mount, 'sh']
    if not starts_python(wrap):
        pytest.skip('mounting a small disk is not permitted here')
    code = ('try:\n'
            '    ' + fetching(tmp_path, server.base('good')) +
            'finally:\n'
            f'    print(os.listdir({str(tmp_path)!r}))\n')
    out, error = python(code, wrap).communicate()
    assert (f'DownloadError: cannot write {NAME} to {tmp_path} (No space left on device): point '
            '--data-dir or MNIST_DATA_DIR at a writable folder with free space') in error
    assert out == '[]\n'


@pytest.mark.skipif(os.name != 'posix', reason='a umask is POSIX')
def test_others_may_read_the_file(server, tmp_path):
    before = os.umask(0o022)
    for folder, known in (('a', KNOWN), ('b', {})):
        fetch(NAME, tmp_path / folder, [server.base('good')], **known)
        assert (tmp_path / folder / NAME).stat().st_mode & 0o777 == 0o644
    os.umask(before)


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
