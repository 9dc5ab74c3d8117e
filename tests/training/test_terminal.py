"""What a narrow terminal shows, and mistakes on the command line: one line each."""
import os
import re
import struct
import subprocess
import sys

import pytest

from digits import paths
from digits.training import progress


def test_60_columns_show_the_time_left(tmp_path):
    pty = pytest.importorskip('pty')
    fcntl, termios = pytest.importorskip('fcntl'), pytest.importorskip('termios')
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 60, 0, 0))  # rows, columns
    code = ('import time\nfrom digits.training.progress import Progress\n'
            'shown = Progress(2460, 0, False)\n'
            'for step in range(1, 30):\n'
            '    time.sleep(0.02)\n'
            '    shown.show(step, 0.1 * step, 12345, 0.1234, 0.9876, False)\n'
            'shown.close()')
    process = subprocess.Popen([sys.executable, '-c', code], stderr=theirs,
                               cwd=str(paths.PROJECT_ROOT))
    os.close(theirs)
    assert process.wait(60) == 0
    said = os.read(ours, 100000).decode()
    os.close(ours)
    frames = [frame for frame in said.split('\r') if 'loss' in frame]
    assert frames and all(re.search(r'\d\d:\d\d left, loss 0.1234', frame) for frame in frames)
    assert all(len(frame) <= 60 for frame in frames)


def test_images_that_are_no_digits_are_counted_apart(capsys):
    from types import SimpleNamespace as Thing

    import numpy as np
    labels = np.array([1, 2, 3, 10, 10])
    record = Thing(parameters=10, precision='float32', steps=0)
    model = Thing(unrepeatable=lambda: [])
    for some in (labels, labels[:3]):
        data = Thing(name='MNIST', train=Thing(num_examples=len(some), labels=some))
        progress.announce(data, record, model)
    with_outliers, without = capsys.readouterr().err.splitlines()
    assert with_outliers.startswith('MNIST, 5 training images (3 digits, 2 non-digits); ')
    assert without.startswith('MNIST, 3 training images; ')


@pytest.mark.parametrize(('words', 'said'), [
    (['mnist_softmax.py', '--leraning-rate', '3'],
     'unrecognized arguments: --leraning-rate 3; did you mean --learning-rate?'),
    (['predict.py', '--pages', 'x.png'], 'did you mean --page?'),
    (['compare.py', '--trian=3'], 'did you mean --train?'),
    (['draw.py', '--xyz'], 'unrecognized arguments: --xyz; --help lists all flags'),
    (['mnist_cnn.py', '--steps'], 'argument --steps: expected one argument'),
    (['mnist_distributed.py', '--job-name', 'x'], 'argument --job-name: invalid choice'),
    (['draw.py', 'a picture'], 'unrecognized arguments: a picture')])
def test_a_mistake_is_one_line(called, words, said):
    result = called(*words)
    assert (result.returncode, result.stdout) == (2, '')
    sentence, = result.stderr.splitlines()
    assert sentence.startswith(f'{words[0]}: ') and said in sentence


@pytest.mark.parametrize('flags', [['--run-dir', 'x\x1b[2J', '--resume'], ['--xyz\x1b[2J'],
                                   ['--seed', 'a\nb'], ['--seed=--']])
def test_what_a_terminal_would_obey_is_escaped(called, flags):
    result = called('mnist_softmax.py', *flags)
    assert result.returncode == 2
    sentence, = result.stderr.splitlines()
    assert sentence.isprintable() and sentence.startswith('mnist_softmax.py: ')
