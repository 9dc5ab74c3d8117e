"""digits.locks between processes: one holds a folder, and nothing stays when it dies."""
import contextlib
import errno
import os
import pathlib
import re
import subprocess
import sys
import types

import pytest

from digits import locks
from digits.errors import UserError
from digits.paths import PROJECT_ROOT

HOLD = ('import pathlib, sys\n'
        'from digits import locks\n'
        'with locks.held(pathlib.Path(sys.argv[1])):\n'
        '    print("held", flush=True)\n'
        '    sys.stdin.read()\n')


@contextlib.contextmanager
def holder(folder):
    """Another process that holds the folder until its standard input ends."""
    process = subprocess.Popen([sys.executable, '-c', HOLD, str(folder)], cwd=str(PROJECT_ROOT),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'held\n'
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def refusal(folder):
    """The sentence with which the folder is refused."""
    with pytest.raises(UserError) as caught, locks.held(folder):
        pass
    return str(caught.value)


def test_another_process_is_refused_and_told_who_has_it(tmp_path):
    with holder(tmp_path) as process:
        for _ in range(2):  # a refusal leaves the file as it was
            sentence = refusal(tmp_path)
            assert re.match(rf'{re.escape(str(tmp_path))}: process {process.pid} on \S+, since '
                            r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, is training in it; wait', sentence)
        process.communicate()
        assert not (tmp_path / locks.NAME).exists()
        with locks.held(tmp_path):
            text = (tmp_path / locks.NAME).read_text(encoding='utf-8')
            assert f'process {os.getpid()} on' in text
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_holds_nothing(tmp_path):
    with holder(tmp_path):
        pass
    assert (tmp_path / locks.NAME).exists()
    with locks.held(tmp_path):
        assert (tmp_path / locks.NAME).read_text(encoding='utf-8').count('process') == 1
    assert list(tmp_path.iterdir()) == []


def test_an_error_gives_the_folder_free(tmp_path):
    with pytest.raises(ZeroDivisionError), locks.held(tmp_path):
        raise ZeroDivisionError
    with locks.held(tmp_path):
        pass


@pytest.mark.skipif(not locks.fcntl, reason='Windows removes no file that is open')
def test_a_file_that_was_removed_between_open_and_lock_is_no_lock(tmp_path, monkeypatch):
    """Else two processes would hold the folder: one the removed file, one its successor."""
    flock = locks.fcntl.flock

    def removed_meanwhile(file, how):
        (tmp_path / locks.NAME).unlink()
        (tmp_path / locks.NAME).write_text('process 1 on here,')
        flock(file, how)

    monkeypatch.setattr(locks.fcntl, 'flock', removed_meanwhile)
    assert 'another process is training in it' in refusal(tmp_path)
    assert (tmp_path / locks.NAME).read_text(encoding='utf-8') == 'process 1 on here,'


def test_a_folder_that_is_not_there(tmp_path):
    assert refusal(tmp_path / 'none') == (
        f'{tmp_path / "none"}: cannot write a run there (No such file or directory); name another '
        'folder with --run-dir')


def test_the_windows_way_played_elsewhere(tmp_path, monkeypatch):
    """Without fcntl: locks a byte far behind the text, and removes a file that is closed."""
    locked, opened, removed = [], [], []

    def locking(fd, mode, count):
        opened.append(fd)
        locked.append((os.lseek(fd, 0, os.SEEK_CUR), mode, count))

    monkeypatch.setattr(locks, 'fcntl', None)
    monkeypatch.setattr(locks, 'msvcrt', types.SimpleNamespace(locking=locking, LK_NBLCK=2),
                        raising=False)
    with locks.held(tmp_path):
        assert f'process {os.getpid()} on' in (tmp_path / locks.NAME).read_text(encoding='utf-8')
        assert (tmp_path / locks.NAME).stat().st_size < 200

        def closed_only(path):
            with pytest.raises(OSError):
                os.fstat(opened[0])
            removed.append(path)
        monkeypatch.setattr(pathlib.Path, 'unlink', closed_only)
    assert locked == [(2 ** 30, 2, 1)]
    assert removed == [tmp_path / locks.NAME]


@pytest.mark.skipif(os.name == 'nt', reason='Windows locks in another way')
def test_a_file_system_without_locks_is_not_taken_for_a_lock(tmp_path, monkeypatch):
    def flock(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, 'flock', flock)
    assert 'cannot write a run there (No locks available); name another' in refusal(tmp_path)
