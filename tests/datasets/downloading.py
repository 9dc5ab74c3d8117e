"""What the tests of downloads share: fetches in processes of their own, and how they fail."""
import contextlib
import os
import shutil
import socket
import subprocess
import sys

import pytest
from failing_mirror import BODY, KNOWN, NAME, ROOT

from digits.datasets.download import DownloadError, fetch
from digits.errors import UserError

IMPORTS = 'import os, pathlib, socket, time\nfrom digits.datasets.download import *\n'


def without_proxy(monkeypatch):
    """The tests mean loopback, whatever proxy this machine goes through."""
    for key in [key for key in os.environ if key.lower().endswith('_proxy')]:
        monkeypatch.delenv(key)
    monkeypatch.setenv('no_proxy', '127.0.0.1')


@contextlib.contextmanager
def refusing():
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
