"""The whole program with bad files among good ones, and with names of any kind."""
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_files import FILES, FOUR, PEAK, file_of, names_of_no_files, page, posix, written

from digits.paths import PROJECT_ROOT


@pytest.fixture
def predict(numpy_run):
    """predict(*words) -> the finished process of predict.py, its output as bytes."""
    def process(*words, **environment):
        return subprocess.run(
            [sys.executable, str(PROJECT_ROOT / 'predict.py'), '--run-dir', str(numpy_run),
             *words],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False,
            env={**os.environ, **environment})
    return process


GOOD = ['a name with spaces.png', '-dash.png', '--help.png', '일곱.png', '%s {x} * [7].png',
        "it's.png"]


@posix
def test_bad_files_among_good_ones(tmp_path, predict):
    """A line for each good one, a sentence for each bad one, both in the order they came in."""
    bad = {str(path): said for path, said in names_of_no_files(tmp_path).items()}
    paths = written(tmp_path, {name: data for name, (data, _) in FILES.items()})
    bad.update((str(path), FILES[path.name][1]) for path in paths)
    good = [str(tmp_path / name) for name in GOOD]
    for path in good:
        shutil.copy(str(FOUR), path)
    words = [*bad, *good]
    random.Random(0).shuffle(words)
    result = predict(*words)
    lines = result.stdout.decode().splitlines()
    sentences = result.stderr.decode().splitlines()
    assert result.returncode == 1
    read = [word for word in words if word in good]
    assert len(lines) == len(read)
    assert all(line.startswith(word) for line, word in zip(lines, read))
    assert len({line[len(word):].strip() for line, word in zip(lines, read)}) == 1  # one picture
    folder = str(tmp_path / 'folder.png')  # is looked into for pictures, maybe before any is read
    bad[folder] = 'no picture in it; name a folder with pictures'
    wrong = [word for word in words if word in bad]
    found = [next(word for word in wrong if sentence.startswith(f'predict.py: {word}: {bad[word]}'))
             for sentence in sentences]
    assert sorted(found) == sorted(wrong)
    for names in (found, wrong):
        names.remove(folder)
    assert found == wrong
    result = predict(*bad)
    assert (result.returncode, result.stdout) == (2, b'')
    assert len(result.stderr.splitlines()) == len(bad)


def test_names_with_a_leading_dash_come_after_two(tmp_path, predict):
    for name in ('-4.png', '--json'):
        shutil.copy(str(FOUR), str(tmp_path / name))
    here = os.getcwd()
    os.chdir(str(tmp_path))
    try:
        result = predict('--', '-4.png', '--json')
        assert (result.returncode, result.stderr) == (0, b'')
        assert [line.split()[0] for line in result.stdout.splitlines()] == [b'-4.png', b'--json']
        assert predict('-4.png').returncode == 2
    finally:
        os.chdir(here)


@pytest.mark.skipif(sys.platform != 'linux', reason='names are Unicode elsewhere')
def test_names_that_the_terminal_cannot_show(tmp_path, predict):
    for name in ('일곱.png'.encode(), b'\xff.png'):
        with open(os.path.join(os.fsencode(str(tmp_path)), name), 'wb') as file:
            file.write(FOUR.read_bytes())
    for encoding in ('ascii', 'utf-8'):
        result = predict(str(tmp_path), PYTHONIOENCODING=encoding)
        assert (result.returncode, result.stderr) == (0, b'')
        assert len(result.stdout.splitlines()) == 2
        assert b'\\udcff.png ' in result.stdout


@pytest.mark.slow
@pytest.mark.rare
@posix
def test_ten_thousand_files(tmp_path, numpy_run):
    """Every line and every sentence is there, in order, and memory is that of a few."""
    bad = [data for data, _ in FILES.values() if len(data) < 10 ** 5]
    good = [file_of(page(side), kind) for side in (28, 60, 200) for kind in ('PNG', 'JPEG')]
    names = [f'{number:05}.png' for number in range(10 ** 4)]
    for number, name in enumerate(names):
        kind = bad if number % 3 == 0 else good
        (tmp_path / name).write_bytes(kind[number // 3 % len(kind)])
    code = PEAK + """
import os, resource, sys, predict
try:
    predict.main(sys.argv[1:])
except SystemExit as end:
    readers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(end.code, peak(), readers * (1 if sys.platform == 'darwin' else 1024))
"""
    result = subprocess.run(
        [sys.executable, '-c', code, '--run-dir', str(numpy_run), str(tmp_path)], text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False,
        cwd=str(PROJECT_ROOT))
    *lines, last = result.stdout.splitlines()
    assert [Path(line.split()[0]).name for line in lines] == [
        name for number, name in enumerate(names) if number % 3]
    assert [Path(line.split(': ')[1]).name for line in result.stderr.splitlines()] == names[::3]
    status, *peaks = map(int, last.split())
    assert status == 1 and max(peaks) < 3e8, last
