"""predict.py on folders of pictures: which they are, in order, on all cores, in little memory."""
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from helpers import PICTURES
from PIL import Image

from digits import paths
from digits.datasets import idx
from digits.pictures import ENDINGS, FORMATS, one_digit
from digits.prediction import classifier


@pytest.fixture(scope='module')
def many(tmp_path_factory, small_dir):
    """A folder of 4,000 pictures of 60 x 60: more than are read at once, and than are read ahead.
    """
    folder = tmp_path_factory.mktemp('many')
    random = np.random.RandomState(0)
    images = idx.read_folder(small_dir)[2][:100, ..., 0]
    for number, image in enumerate(images):
        page = np.full([60, 60, 3], random.randint(150, 256, 3))
        page[16:44, 16:44] -= np.uint8(image[..., None] * 0.5)
        first = folder / f'{number:04}.{"png" if number % 2 else "jpg"}'
        Image.fromarray(np.uint8(page)).save(str(first))
        for copy in range(1, 40):
            shutil.copy(str(first), str(folder / f'{100 * copy + number:04}{first.suffix}'))
    return folder


def test_a_folder_is_the_pictures_in_it_in_order(script, numpy_run, many, tmp_path):
    """As many as are read by several processes give what each gives when read alone."""
    folder = tmp_path / 'fol[der]'
    (folder / 'inside').mkdir(parents=True)
    names = sorted(path.name for path in many.iterdir())[:200]
    for name in names:
        shutil.copy(str(many / name), str(folder / name))
    (folder / names[0]).rename(folder / 'zero.PNG')
    (folder / names[1]).write_bytes(b'no picture')
    for word in ('notes.txt', 'README', '.hidden.png', 'inside/one.png'):
        (folder / word).write_bytes(b'no picture')
    run = ('predict.py', '--run-dir', numpy_run)
    result = script(*run, '--json', PICTURES[0], tmp_path / 'nowhere.png', folder, PICTURES[1], '-',
                    standard_input=PICTURES[2])
    assert result.returncode == 1
    wrong = [str(tmp_path / 'nowhere.png'), str(folder / names[1])]
    assert [line.split(': ')[1] for line in result.stderr.splitlines()] == wrong
    found = [json.loads(line) for line in result.stdout.splitlines()]
    paths = [str(PICTURES[0]), *(str(folder / name) for name in [*names[2:], 'zero.PNG']),
             str(PICTURES[1])]
    assert [row['file'] for row in found] == [
        paths[0], *wrong, *paths[1:], '-']  # names[1] comes first in its folder
    classify = classifier.restore(numpy_run)
    assert found[-1]['probabilities'] == pytest.approx(
        classify(one_digit.read(str(PICTURES[2]))[None])[0][0].tolist(), abs=1e-6)
    found = [row for row in found[:-1] if 'error' not in row]
    for row in found:
        expected = classify(one_digit.read(row['file'])[None])[0][0]
        assert row['probabilities'] == pytest.approx(expected.tolist(), abs=1e-6)
    lines = script(*run, folder, PICTURES[1]).stdout.splitlines()
    width = max(map(len, paths[1:]))
    assert [line[:width].rstrip() for line in lines] == paths[1:]
    assert [int(line[width:].split()[0]) for line in lines] == [row['digit'] for row in found[1:]]


def test_a_folder_without_pictures_is_a_sentence(script, numpy_run, tmp_path):
    (tmp_path / 'notes.txt').write_text('seven')
    run = ('predict.py', '--run-dir', numpy_run)
    result = script(*run, tmp_path)
    assert result.returncode == 2
    assert result.stderr == (f'predict.py: {tmp_path}: no picture in it; '
                             'name a folder with pictures, or add -r for those in its folders\n')
    assert script(*run, tmp_path, PICTURES[0]).returncode == 1


def test_endings_are_those_that_pillow_knows():
    Image.init()
    known = {ending for ending, kind in Image.registered_extensions().items()
             if kind in map(str.upper, FORMATS)}
    later = {'.pfm', '.avif', '.avifs', '.heic', '.heics', '.heif', '.heifs', '.hif'}
    assert known <= set(ENDINGS) <= known | later  # not known to every Pillow


@pytest.mark.skipif(os.name == 'nt', reason='Windows does not tell a process its peak memory')
def test_memory_does_not_grow_with_the_folder(numpy_run, many, tmp_path):
    """4,000 pictures take what 400 take: their names, and the batches that wait, a MB or two."""
    for path in sorted(many.iterdir())[:400]:
        shutil.copy(str(path), str(tmp_path))
    code = ('import resource, sys, predict\n'
            'from digits.prediction import batches\n'
            'batches.AHEAD = 4\n'
            'predict.main(sys.argv[1:])\n'
            'print(*(resource.getrusage(who).ru_maxrss for who in '
            '(resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))\n')
    peaks = []
    for folder, count in ((tmp_path, 400), (many, 4000)):
        result = subprocess.run(
            [sys.executable, '-c', code, '--run-dir', str(numpy_run),
             str(folder)], stdout=subprocess.PIPE, text=True, check=True,
             cwd=str(paths.PROJECT_ROOT))
        *lines, last = result.stdout.splitlines()
        assert len(lines) == count
        peaks.append([int(number) for number in last.split()])
    unit = 1 if sys.platform == 'darwin' else 1000  # bytes there, kB elsewhere
    assert (np.subtract(peaks[1], peaks[0]) * unit < 4e6).all(), peaks  # decoded: 43 MB


@pytest.mark.skipif(os.name == 'nt', reason='there are no process groups to interrupt')
def test_ctrl_c_is_one_word_from_all_processes(numpy_run, many):
    process = subprocess.Popen(
        [sys.executable, str(paths.PROJECT_ROOT / 'predict.py'), '--run-dir',
         str(numpy_run), str(many)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True)
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, 'predict.py: interrupted\n')
