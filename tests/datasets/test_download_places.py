"""datasets.download through proxies and TLS, without a network, and into folders that refuse."""
import os
import shutil
import ssl
import subprocess
import time

import pytest
from downloading import (
    failure,
    fetching,
    is_whole,
    namespace,
    python,
    refusing,
    starts_python,
    without_proxy,
)
from failing_mirror import KNOWN, NAME, serving

from digits.datasets.download import fetch


@pytest.fixture
def server(monkeypatch):
    without_proxy(monkeypatch)
    with serving() as started:
        yield started


# The way there: proxies, TLS, no network at all

def test_proxy_from_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv('http_proxy', server.url)
    fetch(NAME, tmp_path, ['http://mnist.example/good/'], **KNOWN)
    # The server's log has the path only if it was asked directly, all of it as a proxy.
    assert server.requests == [f'http://mnist.example/good/{NAME}']
    assert is_whole(tmp_path)

    with refusing() as address:
        monkeypatch.setenv('http_proxy', address)
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
