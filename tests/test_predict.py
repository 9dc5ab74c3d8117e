"""predict.py on real checkpoints of all scripts, trained for a few seconds each."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from digits import classifier, idx, picture, records
from digits.errors import UserError
from digits.tensorflow_v1 import tf

PICTURES = sorted(path for path in (records.HOME / 'data').iterdir()
                  if path.suffix in ('.png', '.jpg', '.gif'))
RUNS = {  # name: the script and its flags; some change the graph that predict must build
    'mnist_softmax': ('mnist_softmax', '--steps', '300'),
    'raw pixels': ('mnist_softmax', '--steps', '300', '--raw-pixels', '--learning-rate', '1e-4'),
    'mnist_cnn': ('mnist_cnn', '--steps', '60'),
    'mnist_cnn_3x3': ('mnist_cnn_3x3', '--steps', '120'),
    'deep': ('mnist_cnn_3x3', '--deep', '--steps', '160'),
    'mnist_numpy_sigmoid': ('mnist_numpy_sigmoid', '--steps', '60'),
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory, small_dir):
    """The run folders, by the names of RUNS."""
    folders = {}
    for name, (lesson, *flags) in RUNS.items():
        folders[name] = tmp_path_factory.mktemp('trained') / 'run'
        __import__(lesson).main([*flags, '--data-dir', str(small_dir), '--quiet',
                                 '--run-dir', str(folders[name])])
    return folders


@pytest.mark.parametrize('name', RUNS)
def test_restored_scores_what_the_run_scored(trained, small_dir, name):
    """The accuracy in run.json comes out again from predict's own graph and weights."""
    images, labels = idx.read_folder(small_dir)[2:]
    probabilities = classifier.restore(trained[name])(images[..., 0])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    # Training may have computed in bfloat16: an image or two on the border may fall otherwise.
    assert accuracy == pytest.approx(records.read(trained[name])['test_accuracy'], abs=0.005)
    assert accuracy > 0.6


@pytest.mark.parametrize('name', ['mnist_softmax', 'mnist_cnn', 'mnist_numpy_sigmoid'])
def test_a_line_for_each_picture_and_the_same_as_json(script, trained, name):
    lines = script('predict.py', '--run-dir', trained[name], *PICTURES).stdout.splitlines()
    result = script('predict.py', '--run-dir', trained[name], '--json', *PICTURES)
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == len(objects) == len(PICTURES)
    images = np.array([picture.read(str(path)) for path in PICTURES])
    expected = classifier.restore(trained[name])(images)
    for path, line, found, row in zip(PICTURES, lines, objects, expected):
        assert set(found) == {'file', 'digit', 'probability', 'probabilities'}
        assert found['file'] == str(path)
        assert found['digit'] == row.argmax()
        assert found['probabilities'] == pytest.approx(row.tolist(), abs=1e-5)
        assert found['probability'] == max(found['probabilities'])
        said = re.fullmatch(r'(.+?) +(\d) +([\d.]+)% +\(then (\d): ([\d.]+)%\)', line)
        runner_up = sorted(range(10), key=lambda digit: -row[digit])[1]
        assert said.group(1) == str(path) and said.group(2) == str(row.argmax())
        assert float(said.group(3)) == pytest.approx(100 * row.max(), abs=0.01)
        assert float(said.group(5)) == pytest.approx(100 * row[runner_up], abs=0.01)


def test_unreadable_pictures_are_named_and_the_others_read(script, trained, tmp_path):
    broken = tmp_path / 'broken.png'
    broken.write_bytes(PICTURES[0].read_bytes()[:60])
    run = ('predict.py', '--run-dir', trained['mnist_softmax'])
    some = script(*run, broken, PICTURES[0], tmp_path / 'nowhere.png')
    assert some.returncode == 1
    assert len(some.stdout.splitlines()) == 1
    assert 'broken.png' in some.stderr and 'nowhere.png' in some.stderr
    assert len(some.stderr.splitlines()) == 2
    assert script(*run, broken).returncode == 2


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


def test_a_folder_is_the_pictures_in_it_in_order(script, trained, many, tmp_path):
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
    run = ('predict.py', '--run-dir', trained['mnist_numpy_sigmoid'])
    result = script(*run, '--json', PICTURES[0], tmp_path / 'nowhere.png', folder, PICTURES[1])
    assert result.returncode == 1
    assert [line.split(': ')[1] for line in result.stderr.splitlines()] == [
        str(tmp_path / 'nowhere.png'), str(folder / names[1])]
    found = [json.loads(line) for line in result.stdout.splitlines()]
    paths = [str(PICTURES[0]), *(str(folder / name) for name in [*names[2:], 'zero.PNG']),
             str(PICTURES[1])]
    assert [row['file'] for row in found] == paths
    classify = classifier.restore(trained['mnist_numpy_sigmoid'])
    for row in found:
        expected = classify(picture.read(row['file'])[None])[0]
        assert row['probabilities'] == pytest.approx(expected.tolist(), abs=1e-6)
    lines = script(*run, folder, PICTURES[1]).stdout.splitlines()
    width = max(map(len, paths[1:]))
    assert [line[:width].rstrip() for line in lines] == paths[1:]
    assert [int(line[width:].split()[0]) for line in lines] == [row['digit'] for row in found[1:]]


def test_a_folder_without_pictures_is_a_sentence(script, trained, tmp_path):
    (tmp_path / 'notes.txt').write_text('seven')
    run = ('predict.py', '--run-dir', trained['mnist_numpy_sigmoid'])
    result = script(*run, tmp_path)
    assert result.returncode == 2
    assert result.stderr == (f'predict.py: {tmp_path}: no picture in it; '
                             'name a folder with pictures\n')
    assert script(*run, tmp_path, PICTURES[0]).returncode == 1


def test_endings_are_those_that_pillow_knows():
    Image.init()
    known = {ending for ending, kind in Image.registered_extensions().items()
             if kind in picture.FORMATS}
    assert known <= set(picture.ENDINGS) <= known | {'.pfm'}  # which Pillow 9.5 does not know


@pytest.mark.skipif(os.name == 'nt', reason='Windows does not tell a process its peak memory')
def test_memory_does_not_grow_with_the_folder(trained, many, tmp_path):
    """4,000 pictures take what 400 take: their names, and the batches that wait, a MB or two."""
    for path in sorted(many.iterdir())[:400]:
        shutil.copy(str(path), str(tmp_path))
    code = ('import resource, sys, predict\n'
            'from digits import reading\n'
            'reading.AHEAD = 4\n'
            'predict.main(sys.argv[1:])\n'
            'print(*(resource.getrusage(who).ru_maxrss for who in '
            '(resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))\n')
    peaks = []
    for folder, count in ((tmp_path, 400), (many, 4000)):
        result = subprocess.run(
            [sys.executable, '-c', code, '--run-dir', str(trained['mnist_numpy_sigmoid']),
             str(folder)], stdout=subprocess.PIPE, text=True, check=True, cwd=str(records.HOME))
        *lines, last = result.stdout.splitlines()
        assert len(lines) == count
        peaks.append([int(number) for number in last.split()])
    unit = 1 if sys.platform == 'darwin' else 1000  # bytes there, kB elsewhere
    assert (np.subtract(peaks[1], peaks[0]) * unit < 4e6).all(), peaks  # decoded: 43 MB


@pytest.mark.skipif(os.name == 'nt', reason='there are no process groups to interrupt')
def test_ctrl_c_is_one_word_from_all_processes(trained, many):
    process = subprocess.Popen(
        [sys.executable, str(records.HOME / 'predict.py'), '--run-dir',
         str(trained['mnist_numpy_sigmoid']), str(many)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True)
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, 'predict.py: interrupted\n')


def test_random_shows_a_test_image_with_its_label(script, trained, small_dir):
    labels = idx.read_folder(small_dir)[3]
    result = script('predict.py', '--run-dir', trained['mnist_cnn'], '--random')
    found = re.match(r'test image (\d+)  label (\d), prediction \d ', result.stdout)
    assert labels[int(found.group(1))] == int(found.group(2))
    row = json.loads(script('predict.py', '--run-dir', trained['mnist_cnn'], '--random',
                            '--json').stdout)
    assert row['label'] in range(10) and len(row['probabilities']) == 10


def test_newest_run_is_found_a_cnn_first(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(records, 'ROOT', tmp_path)
    with pytest.raises(UserError, match='run  python mnist_cnn.py  first'):
        classifier.newest_run()
    for script, name in (('mnist_softmax', '20260101-000000-seed0'),
                         ('mnist_cnn', '20200101-000000-seed0'),
                         ('mnist_cnn', '20210101-000000-seed0')):
        shutil.copytree(str(trained[script]), str(tmp_path / script / name))
    empty = tmp_path / 'mnist_cnn' / '20990101-000000-seed0'
    empty.mkdir()
    (empty / 'run.json').write_text('{}')
    assert classifier.newest_run() == tmp_path / 'mnist_cnn' / '20210101-000000-seed0'


@pytest.mark.parametrize(('change', 'words'), [
    (lambda folder: (folder / 'run.json').unlink(), 'has no run.json'),
    (lambda folder: records.write(folder, {**records.read(folder), 'script': 'os'}),
     'none of our scripts'),
    (lambda folder: records.write(folder, {**records.read(folder), 'script': 'mnist_cnn'}),
     'damaged, or of another graph (Key '),
    (lambda folder: [path.unlink() for path in folder.glob('model*')], 'no checkpoint in it yet'),
])
def test_a_foreign_or_damaged_run_is_one_sentence(script, trained, tmp_path, change, words):
    folder = tmp_path / 'run'
    shutil.copytree(str(trained['mnist_softmax']), str(folder))
    change(folder)
    result = script('predict.py', '--run-dir', folder, PICTURES[0])
    assert result.returncode == 2
    assert words in result.stderr and 'Traceback' not in result.stderr


def test_weights_that_would_run_code_are_refused(trained, tmp_path):
    folder = tmp_path / 'run'
    shutil.copytree(str(trained['mnist_numpy_sigmoid']), str(folder))
    np.savez(str(folder / 'weights.npz'), step=1, b=np.zeros(10), W=np.array([{}], dtype=object))
    with pytest.raises(UserError, match='weights.npz: damaged'):
        classifier.restore(folder)


def test_no_graph_is_written_with_a_checkpoint(trained):
    assert not list(trained['mnist_cnn'].glob('*.meta'))
    assert list(trained['mnist_cnn'].glob('model.ckpt-60.index'))


def test_nothing_to_read_is_a_usage_error(script):
    assert script('predict.py').returncode == 2
    assert script('predict.py', 'x.png', '--random').returncode == 2


def test_an_mnist_image_saved_as_a_picture_reads_as_itself(trained, small_dir, tmp_path):
    """Through a file and picture.py, a data set's own image gives nearly its own probabilities."""
    images = idx.read_folder(small_dir)[2][:50, ..., 0]
    read = []
    for number, image in enumerate(images):
        path = tmp_path / f'{number}.png'
        Image.fromarray(image).save(str(path))
        read.append(picture.read(str(path)))
    classify = classifier.restore(trained['mnist_cnn'])
    same = classify(np.array(read)).argmax(axis=1) == classify(images).argmax(axis=1)
    assert same.mean() >= 0.96


def test_graphs_of_predict_do_not_add_to_the_default_graph(trained):
    before = len(tf.get_default_graph().get_operations())
    classifier.restore(trained['mnist_cnn'])
    assert len(tf.get_default_graph().get_operations()) == before
