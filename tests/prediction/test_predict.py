"""predict.py on real checkpoints of all scripts, trained for a few seconds each."""
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers import PICTURES, change_record
from PIL import Image

import predict
from digits import paths
from digits.datasets import idx
from digits.errors import UserError
from digits.pictures import one_digit
from digits.prediction import classifier, results
from digits.tensorflow_v1 import tf
from digits.training import calibration
from digits.training.record import Record


@pytest.mark.parametrize('name', ['mnist_softmax', 'mnist_cnn', 'mnist_numpy_sigmoid'])
def test_restored_scores_what_the_run_scored(trained, small_dir, name):
    """The accuracy in run.json comes out again from predict's own graph and weights."""
    images, labels = idx.read_folder(small_dir)[2:]
    probabilities, doubts = classifier.restore(trained[name])(images[..., 0])
    assert len(doubts) == len(images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    # Training may have computed in bfloat16: an image or two on the border may fall otherwise.
    assert accuracy == pytest.approx(Record.read(trained[name]).test_accuracy, abs=0.005)
    assert accuracy > 0.6


@pytest.mark.parametrize('name', [
    pytest.param('mnist_softmax', marks=pytest.mark.slow), 'mnist_cnn', 'mnist_numpy_sigmoid'])
def test_a_line_for_each_picture_and_the_same_as_json(script, called, trained, name):
    lines = script('predict.py', '--run-dir', trained[name], *PICTURES).stdout.splitlines()
    result = called('predict.py', '--run-dir', trained[name], '--json', *PICTURES)
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == len(objects) == len(PICTURES)
    images = np.array([one_digit.read(str(path)) for path in PICTURES])
    expected = classifier.restore(trained[name])(images)[0]
    for path, line, found, row in zip(PICTURES, lines, objects, expected):
        assert set(found) - {'doubt'} == {'file', 'digit', 'probability', 'probabilities', 'sure'}
        assert found['file'] == str(path)
        assert found['digit'] == row.argmax()
        assert found['probabilities'] == pytest.approx(row.tolist(), abs=1e-5)
        assert found['probability'] == max(found['probabilities'])
        if found.get('doubt') == calibration.UNLIKE:
            assert re.fullmatch(rf'.+? +{row.argmax()}\? +not sure: unlike any digit', line)
            continue
        said = re.fullmatch(r'(.+?) +(\d)\?? +([\d.]+)% +\(then (\d): ([\d.]+)%\)(  +not sure.+)?',
                            line)
        runner_up = sorted(range(10), key=lambda digit: -row[digit])[1]
        assert said.group(1) == str(path) and said.group(2) == str(row.argmax())
        assert float(said.group(3)) == pytest.approx(min(100 * row.max(), 99.9), abs=0.06)
        assert float(said.group(5)) == pytest.approx(100 * row[runner_up], abs=0.06)


def test_unreadable_pictures_are_named_and_the_others_read(script, trained, tmp_path):
    broken, nowhere = tmp_path / 'broken.png', tmp_path / 'nowhere.png'
    broken.write_bytes(PICTURES[0].read_bytes()[:60])
    run = ('predict.py', '--run-dir', trained['mnist_numpy_sigmoid'])
    some = script(*run, broken, PICTURES[0], nowhere)
    assert some.returncode == 1
    assert len(some.stdout.splitlines()) == 1
    assert 'broken.png' in some.stderr and 'nowhere.png' in some.stderr
    assert len(some.stderr.splitlines()) == 2
    found = script(*run, '--json', broken, PICTURES[0], nowhere)
    assert (found.returncode, found.stderr) == (1, some.stderr)
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert [row['file'] for row in rows] == [str(broken), str(PICTURES[0]), str(nowhere)]
    assert [f'predict.py: {row["error"]}' for row in rows if 'error' in row] == \
        some.stderr.splitlines()
    assert [set(row) for row in rows[::2]] == [{'file', 'error'}] * 2
    assert script(*run, broken).returncode == 2


def test_random_shows_a_test_image_with_its_label(called, trained, small_dir):
    labels = idx.read_folder(small_dir)[3]
    result = called('predict.py', '--run-dir', trained['mnist_cnn'], '--random')
    found = re.match(r'test image (\d+)  label (\d), prediction \d[ ?]', result.stdout)
    assert labels[int(found.group(1))] == int(found.group(2))
    row = json.loads(called('predict.py', '--run-dir', trained['mnist_cnn'], '--random',
                            '--json').stdout)
    assert row['label'] in range(10) and len(row['probabilities']) == 10


def test_newest_run_is_found_a_cnn_first(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, 'RUNS', tmp_path)
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
    (lambda folder: change_record(folder, script='os'),
     "names 'os', and there is no os.py here that defines inference"),
    (lambda folder: change_record(folder, script='mnist_cnn'),
     'does not fit the graph that inference builds now '
     '(holds no conv1/W of float32 [5, 5, 1, 32])'),
    (lambda folder: [path.unlink() for path in folder.glob('model*')], 'no checkpoint in it yet'),
])
def test_a_foreign_or_damaged_run_is_one_sentence(called, trained, tmp_path, change, words):
    folder = tmp_path / 'run'
    shutil.copytree(str(trained['mnist_softmax']), str(folder))
    change(folder)
    result = called('predict.py', '--run-dir', folder, PICTURES[0])
    assert result.returncode == 2
    assert words in result.stderr and 'Traceback' not in result.stderr


def test_weights_that_would_run_code_are_refused(trained, tmp_path):
    folder = tmp_path / 'run'
    shutil.copytree(str(trained['mnist_numpy_sigmoid']), str(folder))
    np.savez(str(folder / 'weights.npz'), step=1, b=np.zeros(10), W=np.array([{}], dtype=object))
    with pytest.raises(UserError, match='weights.npz: .*its W is not float32'):
        classifier.restore(folder)


def test_no_graph_is_written_with_a_checkpoint(trained):
    assert not list(trained['mnist_cnn'].glob('*.meta'))
    assert list(trained['mnist_cnn'].glob('model.ckpt-150.index'))


def test_drawing_is_imported_only_to_draw(trained):
    code = ('import sys, predict\n'
            'predict.main(sys.argv[1:])\n'
            'print(*{"matplotlib", "tensorflow", "digits.pictures.page"} & set(sys.modules))\n')
    result = subprocess.run(
        [sys.executable, '-c', code, '--run-dir', str(trained['mnist_numpy_sigmoid']),
         str(PICTURES[0])], stdout=subprocess.PIPE, text=True, check=True,
         cwd=str(paths.PROJECT_ROOT))
    assert result.stdout.splitlines()[1:] == ['']


def test_a_doubt_is_a_question_mark_and_a_reason():
    """Lines stay aligned, and programs are told."""
    rows = np.full([3, 10], 0.025)
    rows[[0, 1, 2], [5, 6, 7]] = 0.412, 0.95, 0.412
    rows[[0, 1, 2], [3, 1, 2]] = 0.38, 0.03, 0.3801
    pictures = [results.Result(name, np.zeros([1, 28, 28], np.uint8))
                for name in ('5.png', 'six.png', '7.png')]
    results.classify(pictures, lambda images: (rows, ['faint ink', '', 'two digits']))
    unlike = results.describe(rows[1], calibration.UNLIKE)
    assert unlike == '6?                           not sure: unlike any digit'
    assert [picture.line(7) for picture in pictures] == [
        '5.png    5?  41.2%   (then 3: 38.0%)  not sure: faint ink',
        'six.png  6   95.0%   (then 1: 3.0%)',
        '7.png    7?  41.2%   (then 2: 38.0%)  not sure: two digits']
    found = [picture.as_object() for picture in pictures]
    assert [(row['sure'], row.get('doubt')) for row in found] == [
        (False, 'faint ink'), (True, None), (False, 'two digits')]
    page = results.Result('page.png', np.zeros([3, 28, 28], np.uint8),
                           np.array([[50, 0, 60, 9], [70, 2, 80, 11], [10, 20, 20, 30]]))
    results.classify([page], lambda images: (rows, ['faint ink', '', 'two digits']))
    assert page.line() == 'page.png  3 digits: 5? 6 / 7?'
    assert [digit['box'] for digit in page.as_object()['digits']] == [
        [50, 0, 60, 9], [70, 2, 80, 11], [10, 20, 20, 30]]
    assert [digit['sure'] for digit in page.as_object()['digits']] == [False, True, False]


def test_a_page_of_digits(trained, small_dir, tmp_path, capsys):
    """Boxes lie where the digits were put, in reading order, and each digit is read as if alone."""
    images = idx.read_folder(small_dir)[2]
    page = np.full([300, 420], 240, np.uint8)
    places = [(30, 100), (30, 200), (30, 300), (170, 40), (170, 140)]  # rows, columns
    for number, (row, column) in enumerate(places):
        image = Image.fromarray(images[number, ..., 0]).resize((84, 84), Image.BICUBIC)
        page[row:row + 84, column:column + 84] -= np.uint8(np.asarray(image) * 0.8)
    path = tmp_path / 'page.png'
    Image.fromarray(page).save(str(path))
    run = ['--page', '--run-dir', str(trained['mnist_cnn']), str(path), str(PICTURES[0])]
    predict.main([*run, '--json', '--plot', str(tmp_path / 'plot.png')])
    found, alone = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found['file'] == str(path) and len(found['digits']) == 5 and len(alone['digits']) == 1
    classify = classifier.restore(trained['mnist_cnn'])
    right = 0
    for (row, column), digit in zip(places, found['digits']):
        left, top, end, bottom = digit['box']
        assert column <= left < end <= column + 84 and row <= top < bottom <= row + 84
        ink = np.argwhere(page[row:row + 84, column:column + 84] < 140)
        assert [top - row, left - column] == pytest.approx(ink.min(axis=0).tolist(), abs=4)
        assert [bottom - row, end - column] == pytest.approx((ink.max(axis=0) + 1).tolist(), abs=4)
        assert digit['digit'] == np.argmax(digit['probabilities'])
        expected = classify(one_digit.to_mnist(Image.fromarray(
            page[row:row + 84, column:column + 84]))[None])[0][0]
        right += digit['digit'] == expected.argmax()
    assert right >= 4
    predict.main(run)
    line = capsys.readouterr().out.splitlines()[0]
    numbers = [str(digit['digit']) + '?' * (not digit['sure']) for digit in found['digits']]
    assert line.split('  ')[-1] == (
        f'5 digits: {" ".join(numbers[:3])} / {" ".join(numbers[3:])}')
    with Image.open(str(tmp_path / 'plot.png')) as drawn:
        assert drawn.width == 900 < drawn.height


def test_an_mnist_image_saved_as_a_picture_reads_as_itself(trained, small_dir, tmp_path):
    """Through a file, a data set's own image gives nearly its own probabilities."""
    images = idx.read_folder(small_dir)[2][:50, ..., 0]
    read = []
    for number, image in enumerate(images):
        path = tmp_path / f'{number}.png'
        Image.fromarray(image).save(str(path))
        read.append(one_digit.read(str(path)))
    classify = classifier.restore(trained['mnist_cnn'])
    same = classify(np.array(read))[0].argmax(axis=1) == classify(images)[0].argmax(axis=1)
    assert same.mean() >= 0.96


def test_graphs_of_predict_do_not_add_to_the_default_graph(trained):
    before = len(tf.get_default_graph().get_operations())
    classifier.restore(trained['mnist_cnn'])
    assert len(tf.get_default_graph().get_operations()) == before
