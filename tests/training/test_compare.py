"""compare.py: the table of all runs, and the runs that it starts."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import change_record
from PIL import Image

import compare
import mnist_numpy_sigmoid
from digits import paths
from digits.errors import UserError
from digits.training import articles, comparison, folders

SECONDS = {'import': 1.0, 'data': 0.5, 'training': 1.0}
RECORD = {  # as an earlier version wrote it

    'script': 'mnist_softmax', 'status': 'finished', 'recipe': '', 'flags': {},
    'dataset': 'MNIST', 'seed': 0, 'steps': 1000, 'of_steps': 1000, 'parameters': 7850,
    'precision': 'float32', 'test_accuracy': 0.9, 'training_accuracy': None,
    'validation_accuracy': None, 'images_per_second': None, 'best': None,
    'seconds': {**SECONDS, 'whole': 3.0}, 'versions': {'tensorflow': '2.21.0', 'numpy': '2.4.6'},
    'processor': 'A', 'epoch_losses': {}, 'looks': {}}
ACCURACIES = [0.91, 0.925, 0.914]


@pytest.fixture
def root(tmp_path):
    """A folder of runs: three seeds of one recipe, others, and things that are no runs."""
    def add(name, **changes):
        folder = tmp_path / changes.get('script', 'mnist_softmax') / name
        folder.mkdir(parents=True)
        (folder / 'run.json').write_text(json.dumps({**RECORD, **changes}))

    for seed, accuracy in enumerate(ACCURACIES):
        add(f'a{seed}', seed=seed, test_accuracy=accuracy, seconds={**SECONDS, 'whole': 3.0 + seed})
    add('fewer', recipe='--steps 10', seed=4, test_accuracy=0.7)
    add('cut', recipe='--steps 10', status='interrupted', steps=4, of_steps=10,
        test_accuracy=None)
    add('drawn', script='mnist_cnn', dataset='strokes', test_accuracy=0.98, parameters=3274634)
    add('killed', script='mnist_cnn', status='running', steps=300, test_accuracy=None)
    add('numpy', script='mnist_numpy_sigmoid', test_accuracy=0.85,
        versions={'tensorflow': None, 'numpy': '2.4.6'})
    (tmp_path / 'mnist_cnn' / 'empty').mkdir()
    for name, text in (('cut.json', '{"script": "mn'), ('foreign', '{}'), ('list', '[1]'),
                       ('types', json.dumps({**RECORD, 'test_accuracy': 'high'}))):
        (tmp_path / 'other' / name).mkdir(parents=True)
        (tmp_path / 'other' / name / 'run.json').write_text(text)
    return tmp_path


def test_the_table(script, root):
    result = script('compare.py', root)
    assert result.returncode == 0
    header, *lines = result.stdout.splitlines()
    columns = [match.start() for match in re.finditer(r'(?<=  )\S|^\S', header)]
    assert [header[column:].split('  ')[0].strip() for column in columns] == [
        'script', 'data set', 'seeds', 'test accuracy', 'parameters', 'seconds', 'recipe']
    cells = [[cell.strip() for cell in re.split(r' {2,}', line)] for line in lines]
    mean, sd = np.mean(ACCURACIES), np.std(ACCURACIES, ddof=1)
    assert cells == [
        ['mnist_softmax', 'MNIST', '0 1 2', f'{mean:.4f} ± {sd:.4f}', '7,850', '4.0', 'defaults'],
        ['mnist_numpy_sigmoid', 'MNIST', '0', '0.8500', '7,850', '3.0', 'defaults'],
        ['mnist_softmax', 'MNIST', '4', '0.7000; seed 0 interrupted at 4 of 10', '7,850', '3.0',
         '--steps 10'],
        ['mnist_cnn', 'strokes (not MNIST)', '0', '0.9800', '3,274,634', '3.0', 'defaults'],
        ['mnist_cnn', 'MNIST', '-', 'seed 0 unfinished at 300 of 1,000', '7,850', '-', 'defaults'],
    ]
    assert len({line.rindex(cell[-1]) for line, cell in zip(lines, cells)}) == 1  # aligned
    for name in ('empty', 'cut.json', 'foreign', 'list', 'types'):
        assert len(re.findall(rf'^skipped: .*{name}', result.stderr, re.MULTILINE)) == 1
    assert len(result.stderr.splitlines()) == 5


def test_json_has_the_same_groups(script, root):
    rows = [json.loads(line) for line in script('compare.py', root, '--json').stdout.splitlines()]
    assert rows[0]['test_accuracies'] == ACCURACIES and rows[0]['seeds'] == [0, 1, 2]
    assert rows[0]['mean'] == pytest.approx(np.mean(ACCURACIES))
    assert rows[0]['sd'] == pytest.approx(np.std(ACCURACIES, ddof=1))
    assert [row['mean'] is None for row in rows] == [False] * 4 + [True]


def test_what_the_recipe_does_not_say_is_said_where_it_tells_runs_apart(root):
    folder = root / 'mnist_softmax' / 'old'
    folder.mkdir()
    (folder / 'run.json').write_text(json.dumps(
        {**RECORD, 'versions': {'tensorflow': '1.15.5', 'numpy': '1.18.5'}}))
    lines = comparison.table(comparison.group(comparison.read_runs(root)))
    told = [line.split('  ')[-1] for line in lines if 'TensorFlow' in line]
    assert told == ['defaults, TensorFlow 2.21.0', 'defaults, TensorFlow 1.15.5']


def test_the_plot_is_a_picture(script, root):
    result = script('compare.py', root, '--plot', root / 'plot.png')
    assert result.returncode == 0, result.stderr
    picture = np.asarray(Image.open(str(root / 'plot.png')).convert('RGB')).reshape(-1, 3)
    assert (picture == (31, 119, 180)).all(axis=1).sum() > 100  # matplotlib's first colour: points


def test_a_plot_that_cannot_be_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(UserError, match=r'plot\.odd') as caught:
        compare.main([str(tmp_path), '--train', '--plot', str(tmp_path / 'plot.odd')])
    assert caught.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


def test_no_runs_is_a_sentence(script, tmp_path):
    result = script('compare.py', tmp_path)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith('yet: add --train')


@pytest.mark.slow
@pytest.mark.rare
def test_train_runs_every_script_at_its_defaults(script, tmp_path):
    result = script('compare.py', tmp_path, '--train')
    assert result.returncode == 0, result.stderr
    found = {record.script: record for _, record in comparison.read_runs(tmp_path)}
    assert sorted(found) == sorted(compare.SCRIPTS)
    assert all(record.recipe == '' and record.status == 'finished'
               for record in found.values())
    lines = result.stdout.splitlines()
    assert len(lines) == 1 + len(found) and all('small (not MNIST)' in line for line in lines[1:])


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')
def test_an_unfinished_run_is_gone_on_with(small_dir, tmp_path):
    flags = ['--epochs', '500']
    folder = folders.timed_folder(tmp_path, 'mnist_numpy_sigmoid', 3)
    process = subprocess.Popen(
        [sys.executable, str(paths.PROJECT_ROOT / 'mnist_numpy_sigmoid.py'), *flags, '--seed', '3',
         '--data-dir', str(small_dir), '--run-dir', str(folder)], stderr=subprocess.DEVNULL)
    while not list(folder.glob('weights.npz')):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    compare.train(tmp_path, 'mnist_numpy_sigmoid', flags, ['--data-dir', str(small_dir)], 3)
    (kept, record), = comparison.read_runs(tmp_path)
    assert (kept, record.status, record.steps) == (folder, 'finished', 500)


def test_an_unfinished_run_with_another_dataset_flag_is_left_alone(small_dir, tmp_path):
    """Resuming refuses to change that flag."""
    folder = folders.timed_folder(tmp_path, 'mnist_numpy_sigmoid', 3)
    options = ['--data-dir', str(small_dir)]
    mnist_numpy_sigmoid.main(['--epochs', '2', '--seed', '3', *options, '--run-dir', str(folder)])
    change_record(folder, status='interrupted')
    compare.train(tmp_path, 'mnist_numpy_sigmoid', ['--epochs', '2'], options, 3, 'mnist')
    assert sorted(record.status for _, record in comparison.read_runs(tmp_path)) == [
        'finished', 'interrupted']


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')
@pytest.mark.parametrize('end', [signal.SIGTERM, signal.SIGINT], ids=['SIGTERM', 'Ctrl-C'])
def test_ended_it_lets_the_lesson_save(small_dir, tmp_path, end):
    """SIGTERM goes to compare.py alone; Ctrl-C in a terminal goes to both."""
    code = ('import pathlib, sys\nimport compare\nfrom digits import command_line\n'
            'command_line.run(lambda: compare.train(pathlib.Path(sys.argv[1]), '
            '"mnist_numpy_sigmoid", ["--epochs", "500"], ["--data-dir", sys.argv[2]], 0))\n')
    process = subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path), str(small_dir)], stderr=subprocess.PIPE,
        cwd=str(paths.PROJECT_ROOT), start_new_session=True, universal_newlines=True)
    while not list(tmp_path.glob('*/*/weights.npz')):
        assert process.poll() is None
        time.sleep(0.01)
    (process.send_signal if end == signal.SIGTERM else
     lambda number: os.killpg(process.pid, number))(end)
    said = process.communicate(timeout=60)[1]  # at the end of the lesson, which has stderr too
    (_, record), = comparison.read_runs(tmp_path)
    assert record.status == 'interrupted'
    assert process.returncode == 128 + end
    assert said.splitlines()[-1].endswith(
        f'mnist_numpy_sigmoid.py ended with status {128 + end}; the same command continues it')


@pytest.mark.slow
@pytest.mark.mnist
def test_an_article_s_row(script, mnist_dir, tmp_path):
    """Trained where it is missing, not again where it is there; the numbers are run.json's."""
    call = ('compare.py', tmp_path, '--data-dir', mnist_dir, '--articles', 'A-softmax')
    first = script(*call)
    assert first.returncode == 0, first.stderr
    found = [record for _, record in comparison.read_runs(tmp_path)]
    accuracies = [record.test_accuracy for record in found]
    assert sorted(record.seed for record in found) == [0, 1, 2, 3, 4]
    row = next(line for line in first.stdout.splitlines() if line.startswith('| A-softmax |'))
    assert row.startswith('| A-softmax | `python mnist_softmax.py` | 0.9163 | '
                          f'{np.mean(accuracies):.4f} ({min(accuracies):.4f} to '
                          f'{max(accuracies):.4f}, n = 5) | 1,000 | ')
    assert first.stdout.count('not run yet') == len(articles.ROWS) - 1
    again = script(*call)
    assert again.stdout == first.stdout
    assert len(comparison.read_runs(tmp_path)) == 5
