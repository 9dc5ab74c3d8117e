"""Absurd values for every flag of every script: a result or one sentence, never a crash.

Scripts and flags are taken from the parsers themselves. Each trial is a process of its own in an
empty folder, forked from a fresh process that has imported TensorFlow and not used it: threads do
not survive a fork. `--slow -s` tries all values and prints the counts that SECURITY.md has;
otherwise one in EACH is tried.
"""
import argparse
import collections
import contextlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from digits import command_line, paths

SCRIPTS = ('mnist_numpy_sigmoid', 'mnist_softmax', 'mnist_cnn', 'mnist_distributed', 'predict',
           'draw', 'compare')
EACH = 400  # of the command lines one is tried
SECONDS = 6  # then a trial that trains or serves is asked to end, and GRACE later killed
GRACE = 15
SOON = 2  # in place of SECONDS where few are tried
VALUES = ('', ' ', '0', '-0', '1', '-1', '+1', '1.5', '1e3', '1e38', '1e39', '1e999', 'nan', 'inf',
          '-inf', 'None', 'True', '0x10', '1_000', '٣', '²', '59999', '6000', '5999', '1000000',
          '1000000000', '99999999999999999999', '9' * 5000, 'x' * 300, 'x' * 5000, '--', '-', '.',
          '..', '/', '~', '../up', '/dev/null', '/dev/full', '/proc/self/mem', 'a b', 'a\nb',
          '%s%n', '{}', '$HOME', '*', '\x1b[2J', '\u202e', '한글', '💥', '\udcff', 'cpu:0',
          'gpu:99', 'localhost', '256.256.256.256', 'a.png', 'no/such/file.png',
          '127.0.0.1:1,127.0.0.1:1')
BASE = {  # short, and quick to end
    'mnist_numpy_sigmoid': ['--epochs', '2', '--run-dir', 'run'],
    'mnist_softmax': ['--steps', '3', '--run-dir', 'run'],
    'mnist_cnn': ['--steps', '1', '--batch-size', '4', '--run-dir', 'run'],
    'mnist_distributed': [], 'predict': [], 'draw': ['--port', '0'], 'compare': ['runs']}
pytestmark = pytest.mark.skipif(not hasattr(os, 'fork'), reason='Windows has no fork')


class Stopped(Exception):
    """The parser is complete."""


def flags(module):
    """[(flag, takes a value)] of a script, from the usage of the parser that it makes."""
    def stop(parser, *_):
        raise Stopped(parser)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, 'parse_known_args', stop)
        with pytest.raises(Stopped) as caught:
            module.main([])
    usage = ' '.join(caught.value.args[0].format_usage().split())
    found = re.findall(r'(--[\w-]+)( (?:[A-Z{\[])|)', usage)
    assert len(found) >= 5
    return [(flag, bool(value)) for flag, value in found if flag != '--help']


def trials(module):
    """The command lines to try: each value for each flag, and each flag without one or with one."""
    for flag, takes_value in flags(module):
        yield [flag]
        for value in VALUES:
            yield [flag, value] if takes_value else [f'{flag}={value}']
            if takes_value and value:
                yield [f'{flag}={value}']
    for value in VALUES:  # no flag
        yield [value]


def tried(module, words, folder, environment, seconds):
    """The status (negative: the signal that killed it) and the stderr of main(words) in a fork."""
    folder.mkdir(parents=True)
    path = str(folder) + '.err'
    child = os.fork()
    if child == 0:
        status = 70
        with contextlib.suppress(BaseException):
            os.setpgid(0, 0)
            os.chdir(str(folder))
            os.environ.update(environment)
            for number, name in ((0, os.devnull), (1, os.devnull), (2, path)):
                os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
            sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, 'w', closefd=False)
            sys.stderr = os.fdopen(2, 'w', 1, errors='backslashreplace', closefd=False)
            sys.argv = [f'{module.__name__}.py', *words]
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                command_line.run(module.main)
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                import traceback
                traceback.print_exc()
        os._exit(status)
    began, asked, ended = time.monotonic(), False, 0
    while not ended and time.monotonic() < began + seconds + GRACE:
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended and not asked and time.monotonic() > began + seconds:
            asked = True
            os.kill(child, signal.SIGTERM)
        time.sleep(0.01)
    if not ended:
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ProcessLookupError):  # what compare.py has started
        os.killpg(child, signal.SIGKILL)
    with open(path, encoding='utf-8', errors='replace') as file:
        said = file.read()
    return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)), said


def try_all(name, folder, data_dir, each):
    """Print the number of trials, of each status, and the wrong ones with their reasons, as JSON.

    One of `each` command lines is tried. To be called in a process of its own.
    """
    module = importlib.import_module(name)
    if hasattr(module, 'OUTLIERS'):
        module.OUTLIERS = 10
    environment = {'MNIST_DATA_DIR': data_dir, 'http_proxy': 'http://127.0.0.1:9',
                   'https_proxy': 'http://127.0.0.1:9', 'TF_CONFIG': ''}
    lines = list(trials(module))[len(name) % each::each]
    counts, wrong = collections.Counter(), []
    for number, words in enumerate(lines):
        status, said = tried(module, [*BASE[name], *words], Path(folder) / str(number) / 'a' / 'b',
                             environment, SECONDS if each == 1 else SOON)
        counts[str(status)] += 1
        fault = [what for what, there in (
            # By SIGTERM: asked to end, before the first step or in it.
            (f'status {status}', status not in (0, 1, 2, 128 + signal.SIGTERM, -signal.SIGTERM)),
            ('Traceback', 'Traceback' in said), ('no sentence', status in (1, 2) and not said),
            ('\x1b', '\x1b' in said and '\x1b[A' not in said)) if there]
        if fault:
            wrong.append((words, fault, said[-300:]))
    print(json.dumps([len(lines), counts, wrong]))


@pytest.mark.parametrize('name', SCRIPTS)
def test_no_value_of_a_flag_is_a_crash(name, small_dir, tmp_path, request):
    each = 1 if request.config.getoption('--slow') else EACH
    fresh = subprocess.run(
        [sys.executable, '-c', 'import sys, test_absurd_flags as these\n'
         'these.try_all(*sys.argv[1:4], int(sys.argv[4]))', name, str(tmp_path), str(small_dir),
         str(each)], stdout=subprocess.PIPE, check=True, cwd=str(paths.PROJECT_ROOT),
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            [str(paths.PROJECT_ROOT), str(Path(__file__).resolve().parent)])})
    count, statuses, wrong = json.loads(fresh.stdout.decode().splitlines()[-1])
    print(f'\n{name}: {count} command lines, statuses {statuses}, {len(wrong)} wrong')
    assert count > 0 and not wrong, '\n'.join(map(str, wrong[:20]))
