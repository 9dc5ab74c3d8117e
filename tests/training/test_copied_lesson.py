"""A lesson is a file that people copy and change: everything around the copy still works."""
import json
import os
import re
import shutil
import signal
import urllib.request

import numpy as np
import pytest
from helpers import assert_same_weights, weights

from digits.datasets import idx
from digits.prediction import classifier
from digits.training.record import Record

# What a learner may do to a copy of mnist_cnn.py: each old text is followed by the new one.
BATCH_NORMALISATION = (
    'def inference(images, drop_rate=0.0):',
    'def inference(images, drop_rate=0.0, learns=False, filters=24):',
    """            return tf.nn.relu(tf.nn.bias_add(h_pool, b))
""", """            axes = [0, 1, 2]
            mean = tf.get_variable(f'mean{number}', [filters], initializer=zeros, trainable=False)
            variance = tf.get_variable(f'variance{number}', [filters], trainable=False,
                                       initializer=tf.ones_initializer())
            now = tf.nn.moments(h_pool, axes)
            for kept, new in zip((mean, variance), now):
                tf.add_to_collection(tf.GraphKeys.UPDATE_OPS,
                                     tf.assign(kept, 0.9 * kept + 0.1 * new))
            learning = tf.cast(learns, tf.float32)
            h_pool = tf.nn.batch_normalization(
                h_pool, *(learning * new + (1 - learning) * old
                          for new, old in zip(now, (mean, variance))), b, None, 1e-3)
            return tf.nn.relu(h_pool)
""",
    'h_pool2 = conv_pool(h_pool1, 2, 64)',
    'h_pool2 = conv_pool(h_pool1, 2, filters)',
    '7 * 7 * 64', '7 * 7 * filters',
    '    args = training.parse_args(parser, argv)\n',
    "    parser.add_argument('--filters', type=int, default=24)\n"
    "    args = training.parse_args(parser, argv)\n",
    "name='drop_rate')\n",
    "name='drop_rate')\n        learns = tf.placeholder_with_default(False, [], name='learns')\n",
    'inference(images, drop_rate)', 'inference(images, drop_rate, learns, args.filters)',
    'tf.train.AdamOptimizer(rate)', 'tf.train.MomentumOptimizer(10 * rate, 0.9)',
    'train_step = optimizer.minimize(loss, global_step)',
    'with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):\n'
    '            train_step = optimizer.minimize(loss, global_step)',
    'drop_rate: DROP_RATE}', 'drop_rate: DROP_RATE, learns: True}',
    'OUTLIERS = 6000', 'OUTLIERS = 500')
FLAGS = ['--steps', '60', '--batch-size', '40', '--validation-size', '500', '--filters', '16',
         '--summary-every', '10']


def served_maps(project, run):
    """What draw.py answers with the feature maps of a picture."""
    process = project.start('draw.py', '--port', '0', '--run-dir', run)
    try:
        found = (re.search(r'http://\S+', line) for line in process.stderr)
        url = next(filter(None, found)).group()
        request = urllib.request.Request(
            f'{url}predict?with=maps', headers={'Content-Type': 'image/jpeg'},
            data=(project.folder / 'data' / '7-chalk.jpg').read_bytes())
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read().decode())['maps']
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')
def test_a_changed_copy_works_whole(project, small_dir, tmp_path):
    """Trained, killed, resumed to the same bits, calibrated, scored, compared, and read with."""
    project.copy('mine.py', *BATCH_NORMALISATION)
    straight = project.run('mine.py', *FLAGS, '--run-dir', tmp_path / 'straight')
    assert straight.returncode == 0, straight.stderr
    assert re.search(r'^step 60 of 60: loss .*validation accuracy', straight.stderr, re.MULTILINE)
    folder = project.folder / 'runs' / 'mine' / 'cut'
    process = project.start('mine.py', *FLAGS, '--run-dir', folder)
    while not (folder / 'model.ckpt-24.index').exists():
        assert process.poll() is None, process.stderr.read()
    process.kill()
    process.communicate()
    assert Record.read(folder).status == 'running'
    resumed = project.run('mine.py', '--resume')
    assert resumed.returncode == 0 and 'continuing after step' in resumed.stderr, resumed.stderr
    assert resumed.stdout == straight.stdout
    assert_same_weights(folder, tmp_path / 'straight')
    assert any(np.any(weights(folder)[f'mean{layer}'] != 0) for layer in (1, 2))

    record = Record.read(folder)
    assert (record.script, record.status, record.flags['filters']) == ('mine', 'finished', 16)
    assert record.calibration['scale'] > 0 and record.calibration['least'] > 0
    kept, mine = (path.read_text(encoding='utf-8')
                  for path in (folder / 'lesson.txt', project.folder / 'mine.py'))
    assert kept == mine
    assert list(folder.glob('events.*')) and list((folder / 'validation').glob('events.*'))
    table = project.run('compare.py').stdout.splitlines()[1]
    assert re.match(rf'mine +small \(not MNIST\) +0 +{record.test_accuracy:.4f} ', table)
    assert '--filters 16' in table

    # Its accuracy comes out of predict.py again, with the moving averages, whoever restores it.
    images, labels = idx.read_folder(small_dir)[2:]
    read = project.run('predict.py', '--json', '--feature-maps', tmp_path / 'maps.png',
                       project.folder / 'data' / '7-chalk.jpg')
    assert read.returncode == 0, read.stderr
    assert len(json.loads(read.stdout)['probabilities']) == 10 and (tmp_path / 'maps.png').exists()
    np.savez(str(tmp_path / 'test.npz'), images=images[..., 0])
    (project.folder / 'score.py').write_text(
        'import sys, numpy as np\nfrom pathlib import Path\n'
        'from digits.prediction import classifier\n'
        'images = np.load(sys.argv[1])["images"]\n'
        'restored = classifier.restore(Path(sys.argv[2]))\n'
        'print(*restored(images)[0].argmax(axis=1))\n'
        'print(*(title for title, _ in restored.feature_maps(images[0])), sep=";")\n')
    answers, titles = project.run(
        'score.py', tmp_path / 'test.npz', folder).stdout.splitlines()
    accuracy = np.mean(np.array(answers.split(), int) == labels)
    assert accuracy == pytest.approx(record.test_accuracy, abs=0.005)
    assert [title.split(', ')[0] for title in titles.split(';')] == ['conv1'] * 2 + ['conv2'] * 2
    assert titles.endswith('after pooling and normalisation and ReLU')
    assert titles.split(';') == [each['title'] for each in served_maps(project, folder)]

    # The lesson is edited after the run: one sentence, which names the variable.
    project.change('mine.py', '[5, 5, x.shape[3], filters]', '[3, 3, x.shape[3], filters]')
    refused = project.run('predict.py', project.folder / 'data' / '7-chalk.jpg')
    sentence, = refused.stderr.splitlines()
    assert refused.returncode == 2 and 'conv1/W is not float32 [3, 3, 1, 32]' in sentence
    assert 'lesson.txt' in sentence


def test_a_copy_of_the_numpy_lesson_with_a_hidden_layer(project, tmp_path):
    project.copy(
        'hidden.py',
        'def inference(images, W, b):', 'def inference(images, V, W, b):',
        'np.asarray(images, np.float32) @ W + b',
        'np.maximum(np.asarray(images, np.float32) / 255 @ V, 0) @ W + b',
        'random.uniform(-1, 1, [784, 10])', 'random.uniform(-1, 1, [20, 10])',
        '    b = random', '    V = random.uniform(-0.1, 0.1, [784, 20]).astype(np.float32)\n'
        '    b = random',
        "{'W': W, 'b': b}", "{'V': V, 'W': W, 'b': b}", 'inference(X, W, b)',
        'inference(X, V, W, b)', 'gradients(X, h, y)',
        'gradients(np.maximum(X / 255 @ V, 0), h, y)',
        'W -= args.learning_rate * dW', 'W -= args.learning_rate * dW / 1000',
        of='mnist_numpy_sigmoid.py')
    project.change('hidden.py', 'def gradients(np.maximum(X / 255 @ V, 0), h, y)',
                   'def gradients(X, h, y)')
    result = project.run('hidden.py', '--epochs', '10')
    assert result.returncode == 0, result.stderr
    read = project.run('predict.py', project.folder / 'data' / '7-chalk.jpg')
    assert read.returncode == 0 and re.search(r' \d\??  ', read.stdout), read.stderr


@pytest.mark.slow
def test_runs_of_different_texts_are_never_averaged(project, tmp_path):
    flags = ['--steps', '20']
    for seed in (0, 1):
        assert project.run('mnist_softmax.py', *flags, '--seed', seed).returncode == 0
    project.change('mnist_softmax.py', 'zeros_initializer', 'ones_initializer')
    assert project.run('mnist_softmax.py', *flags, '--seed', 2).returncode == 0
    first, second = sorted(project.run('compare.py').stdout.splitlines()[1:],
                           key=lambda line: '0 1' not in line)
    assert ' 0 1 ' in first and re.search(r' 2  +0\.', second)
    texts = [re.search(r'text ([0-9a-f]{7})$', line).group(1) for line in (first, second)]
    assert texts[0] != texts[1]
    runs = sorted((project.folder / 'runs' / 'mnist_softmax').iterdir(),
                  key=lambda path: path.name[-1])
    shown = project.run('compare.py', '--diff', runs[0], runs[2]).stdout
    assert '-    zeros = tf.zeros_initializer()\n+    zeros = tf.ones_initializer()\n' in shown
    assert 'seed: 0 -> 2' in shown
    for run in (runs[0], runs[2]):
        assert f'{Record.read(run).test_accuracy:.4f}' in shown


@pytest.mark.parametrize(('name', 'sentence'), [
    ('my-own.py', 'my-own.py: .* rename this one, to letters, digits and _ only'),
    ('copy.py', 'copy.py: Python has a module of this name: rename the script'),
    pytest.param('math.py', 'math.py: Python has a module of this name: rename the script',
                 marks=pytest.mark.slow),
    ('tests/mine.py', 'mine.py: .* look for mine.py beside them, .*: move this lesson there, .*'),
    pytest.param('tests/mnist_cnn.py', 'mnist_cnn.py: .* look for mnist_cnn.py beside them, .*',
                 marks=pytest.mark.slow),
])
def test_a_name_that_cannot_be_imported_is_refused_at_once(project, name, sentence, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(project.folder))
    (project.folder / 'tests').mkdir()
    project.copy(name, of='mnist_softmax.py')
    result = project.run(name, '--steps', '2')
    assert result.returncode == 2 and not (project.folder / 'runs').exists()
    assert re.fullmatch(f'{sentence}\n', result.stderr)


def test_lessons_are_read_in_their_own_coding(project, tmp_path):
    """A byte order mark and a Korean coding, as editors on Windows save them."""
    project.copy('mine.py', 'To try an idea', '숫자. To try an idea', of='mnist_softmax.py')
    text = (project.folder / 'mine.py').read_text(encoding='utf-8')
    for data in ('\ufeff'.encode() + text.encode(), b'# coding: cp949\n' + text.encode('cp949')):
        (project.folder / 'mine.py').write_bytes(data)
        folder = tmp_path / str(len(data))
        project.train('mine.py', '--steps', '2', '--run-dir', folder)
        assert '숫자' in (folder / 'lesson.txt').read_text(encoding='utf-8')
        with project.in_place():
            assert classifier.restore(folder).logits(np.zeros([1, 784])).shape == (1, 10)


def test_a_run_folder_supplies_no_code(project, trained, tmp_path):
    """Nor does its name of a script lead to one that is no lesson: that is not even executed."""
    (project.folder / 'evil.py').write_text('open("executed", "w")\n')
    shutil.copytree(str(trained['mnist_softmax']), str(tmp_path / 'run'))
    record = json.loads((tmp_path / 'run' / 'run.json').read_text(encoding='utf-8'))
    (tmp_path / 'run' / 'mnist_cnn.py').write_text('open("executed", "w")\n')
    folders = []
    for script in ('evil', '../evil', 'os', 'digits.evil', 'predict', str(tmp_path / 'run/x')):
        folders.append(shutil.copytree(str(tmp_path / 'run'), str(tmp_path / str(len(folders)))))
        (tmp_path / folders[-1] / 'run.json').write_text(json.dumps({**record, 'script': script}))
    (project.folder / 'restore.py').write_text(
        'import sys\nfrom pathlib import Path\nfrom digits.errors import UserError\n'
        'from digits.prediction import classifier\n'
        'for folder in sys.argv[1:]:\n'
        '    try:\n        classifier.restore(Path(folder))\n'
        '    except UserError as error:\n        print(error)\n')
    result = project.run('restore.py', *folders)
    assert result.returncode == 0 and len(result.stdout.splitlines()) == 6, result.stderr
    result = project.run('predict.py', '--run-dir', folders[0],
                         project.folder / 'data' / '7-chalk.jpg')
    assert result.returncode == 2 and 'Traceback' not in result.stderr
    assert not (project.folder / 'executed').exists()


@pytest.mark.slow
def test_signals_are_named(project):
    """SIGTERM's line, pasted, goes on with the run of a copy."""
    project.copy('mine.py', of='mnist_softmax.py')
    process = project.start('mine.py', '--steps', '20000', '--batch-size', '50')
    while not list(project.folder.glob('runs/mine/*/*.index')):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    words = said.splitlines()[-1].split()
    assert words[1] == 'mine.py' and process.returncode == 143
    assert Record.read(project.folder / words[-1]).status == 'interrupted'
