"""The scripts of articles/: what they print and write, and their arithmetic against NumPy's."""
import ast
import importlib
import json
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from digits import input_data
from digits.datasets import idx
from digits.paths import PROJECT_ROOT
from digits.prediction import classifier
from digits.tensorflow_v1 import tf

SCRIPTS = sorted((PROJECT_ROOT / 'articles').glob('*.py'))


@pytest.fixture
def run(small_dir, tmp_path):
    """run('a_cnn.py', '--steps', '5') -> its lines; started from a folder elsewhere."""
    def run(name, *flags):
        result = subprocess.run(
            [sys.executable, str(PROJECT_ROOT / 'articles' / name), *map(str, flags)],
            cwd=str(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=300, check=False,
            env={**os.environ, 'MNIST_DATA_DIR': str(small_dir)})
        assert 'Traceback' not in result.stderr, result.stderr
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()
    return run


@pytest.fixture
def main(small_dir, monkeypatch, capsys):
    """main('b_softmax_raw_pixels', zeros, '--epochs', '3') -> its lines, run in this process.

    tf.random_normal gives what the function `initial` makes of the shape, if there is one.
    """
    def main(name, initial, *flags):
        module = importlib.import_module('articles.' + name)
        if initial:
            monkeypatch.setattr(tf, 'random_normal', lambda shape, stddev=1.0: tf.constant(
                initial(shape), tf.float32))
        monkeypatch.setattr(sys, 'argv', [name, '--data-dir', str(small_dir), *map(str, flags)])
        with tf.Graph().as_default():
            module.main()
        return capsys.readouterr().out.splitlines()
    return main


@pytest.fixture
def refused(main, capsys):
    """refused('a_cnn', '--steps', '5') -> the sentence with which it ends, with status 2."""
    def refused(name, *flags):
        with pytest.raises(SystemExit) as caught:
            main(name, None, *flags)
        out, said = capsys.readouterr()
        assert (caught.value.code, out) == (2, '')
        return said.splitlines()[-1]
    return refused


def values(folder):
    """{tag: {step: value}} of a folder's events, by TensorFlow's own reader; histograms are None.
    """
    file, = folder.glob('events.out.tfevents.*')
    found = {}
    for event in tf.train.summary_iterator(str(file)):
        for value in event.summary.value:
            number = value.simple_value if value.WhichOneof('value') == 'simple_value' else None
            found.setdefault(value.tag, {})[event.step] = number
    return found


def graph_of(folder):
    """The GraphDef in a folder's events."""
    file, = folder.glob('events.out.tfevents.*')
    graph = tf.GraphDef()
    graph.ParseFromString(next(event.graph_def for event in tf.train.summary_iterator(str(file))
                               if event.graph_def))
    return graph


def accuracy_of(line, name='test'):
    return float(re.fullmatch(name + r' accuracy: (\d\.\d{4})', line).group(1))


def correlated(x, W):
    """x [h, w, channels] by a filter W [k, k, channels, filters], zeros around it; [h, w, filters].
    """
    k = len(W) // 2
    padded = np.pad(x, [(k, k), (k, k), (0, 0)], 'constant')
    return sum(padded[row:row + x.shape[0], column:column + x.shape[1]] @ W[row, column]
               for row in range(len(W)) for column in range(len(W)))


def pooled(x):
    """The largest of every 2 x 2; what is beyond the edge does not count."""
    h, w, filters = x.shape
    padded = np.full([h + h % 2, w + w % 2, filters], -np.inf)
    padded[:h, :w] = x
    return padded.reshape(len(padded) // 2, 2, -1, 2, filters).max(axis=(1, 3))


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_there_are_five_of_at_most_80_lines():
    assert [path.name[0] for path in SCRIPTS] == list('abcde')
    assert all(len(path.read_text(encoding='utf-8').splitlines()) <= 80 for path in SCRIPTS)


@pytest.mark.parametrize('path', SCRIPTS, ids=[path.name for path in SCRIPTS])
def test_of_digits_they_read_two_modules_only(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom):
            found |= {f'{node.module}.{alias.name}' for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    assert {name for name in found if name.startswith('digits')} == {
        'digits.input_data', 'digits.tensorflow_v1.tf'}


@pytest.mark.parametrize('path', SCRIPTS, ids=[path.name for path in SCRIPTS])
def test_damaged_data_is_a_sentence(refused, path, tmp_path):
    for name in idx.NAMES:
        (tmp_path / name).write_bytes(b'no images')
    sentence = refused(path.stem, '--data-dir', tmp_path)
    assert str(tmp_path) in sentence and sentence.startswith(path.stem + ': error: ')


def test_a_prints_and_shows_the_training_accuracy(main, tmp_path):
    *lines, last = main('a_cnn', None, '--steps', '101', '--log-dir', tmp_path / 'log')
    printed = {int(step): float(accuracy) for step, accuracy in (
        re.fullmatch(r'step (\d+), training accuracy (\d(?:\.\d+)?)', line).groups()
        for line in lines)}
    assert list(printed) == [0, 100]
    shown = values(tmp_path / 'log')
    assert shown['accuracy'] == pytest.approx(printed, abs=1e-6)
    assert sorted(shown['cross_entropy']) == [0, 100]
    assert accuracy_of(last) > 0.5


def test_a_has_the_article_s_network(main, tmp_path):
    """3,274,634 parameters, Adam's copies left out; two convolutions that keep the size."""
    main('a_cnn', None, '--steps', '0', '--log-dir', tmp_path)
    nodes = graph_of(tmp_path).node
    sizes = [int(np.prod([side.size for side in node.attr['shape'].shape.dim])) for node in nodes
             if node.op == 'VarHandleOp' and 'Adam' not in node.name and 'beta' not in node.name]
    assert sorted(sizes) == sorted([5 * 5 * 32, 32, 5 * 5 * 32 * 64, 64, 7 * 7 * 64 * 1024, 1024,
                                    1024 * 10, 10])
    convolutions = [node for node in nodes if node.op == 'Conv2D']
    assert [(node.attr['padding'].s, list(node.attr['strides'].list.i))
            for node in convolutions] == [(b'SAME', [1, 1, 1, 1])] * 2


def test_b_is_gradient_descent_on_raw_pixels(main, small_dir):
    """The same trajectory in NumPy, float64, on 0..255: 21 full batches from the same weights."""
    random = np.random.RandomState(3)
    initial = {10: random.normal(size=10), 7840: random.normal(size=[784, 10])}
    lines = main('b_softmax_raw_pixels', lambda shape: initial[int(np.prod(shape))],
                 '--epochs', '21', '--learning-rate', '1e-4')
    images, labels, test_images, test_labels = idx.read_folder(small_dir)
    X, y = images.reshape(-1, 784).astype(np.float64), np.eye(10)[labels]
    W, b, losses, accuracies = initial[7840].copy(), initial[10].copy(), [], []
    for _ in range(21):
        z = X @ W + b
        p = softmax(z)
        largest = z.max(axis=1)
        log_sum = largest + np.log(np.exp(z - largest[:, None]).sum(axis=1))
        losses.append(np.mean(log_sum - z[np.arange(len(z)), labels]))
        accuracies.append(np.mean(z.argmax(axis=1) == labels))
        W -= 1e-4 * X.T @ (p - y) / len(X)
        b -= 1e-4 * np.mean(p - y, axis=0)
    found = [re.fullmatch(r'Epoch: (\d+), Loss: (\d+\.\d{6}), Accuracy: (\d\.\d{4})', line).groups()
             for line in lines[:3]]
    assert [int(epoch) for epoch, _, _ in found] == [0, 10, 20]
    assert losses[20] < 0.9 * losses[0]  # it moves
    assert [float(loss) for _, loss, _ in found] == pytest.approx(losses[::10], rel=1e-4)
    assert [float(accuracy) for *_, accuracy in found] == pytest.approx(accuracies[::10], abs=4e-4)
    assert lines[3] == 'epochs above 0.9092: 0 of 21'
    right = np.mean((X @ W + b).argmax(axis=1) == labels)
    assert accuracy_of(lines[4], 'training') == pytest.approx(right, abs=4e-4)
    right = np.mean((test_images.reshape(-1, 784) @ W + b).argmax(axis=1) == test_labels)
    assert accuracy_of(lines[5]) == pytest.approx(right, abs=4e-3)
    assert len(lines) == 6


def test_b_counts_the_epochs_above_the_article_s_figure(main, monkeypatch):
    monkeypatch.setattr(importlib.import_module('articles.b_softmax_raw_pixels'), 'ARTICLE', 0.5)
    lines = main('b_softmax_raw_pixels', np.zeros, '--epochs', '60', '--learning-rate', '1e-5')
    every_tenth = [float(line[-6:]) > 0.5 for line in lines[:6]]
    count = int(re.fullmatch(r'epochs above 0\.5000: (\d+) of 60', lines[6]).group(1))
    # From the first that is above on, all are: this descent is smooth.
    first = every_tenth.index(True)
    assert all(every_tenth[first:])
    assert 60 - 10 * first <= count < 60 - 10 * (first - 1)


@pytest.mark.parametrize('flags', [[], ['--deep']], ids=['shallow', 'deep'])
def test_c_prints_costs_and_one_test_image(main, small_dir, flags):
    *epochs, image, last = main('c_cnn_3x3', None, '--epochs', '3', *flags)
    found = [re.fullmatch(r'Epoch: (\d{4}) cost = (\d\.\d{9})', line).groups() for line in epochs]
    assert [epoch for epoch, _ in found] == ['0001', '0002', '0003']
    costs = [float(cost) for _, cost in found]
    assert math.log(10) + 1 > costs[0] > costs[1] > costs[2]
    index, label, prediction = map(int, re.fullmatch(
        r'Test image: (\d+), Label: (\d), Prediction: (\d)', image).groups())
    assert label == idx.read_folder(small_dir)[3][index]
    assert prediction in range(10)
    accuracy_of(last)


SHAPES = {'conv1/W': [3, 3, 1, 32], 'conv2/W': [3, 3, 32, 64], 'fc/W': [3136, 10], 'fc/b': [10]}
DEEP_SHAPES = {**SHAPES, 'conv3/W': [3, 3, 64, 128], 'fc1/W': [2048, 625], 'fc1/b': [625],
               'fc/W': [625, 10]}


@pytest.mark.parametrize('shapes', [SHAPES, DEEP_SHAPES], ids=['shallow', 'deep'])
def test_an_old_run_of_mnist_cnn_3x3_is_read_through_c(shapes, small_dir, tmp_path):
    """A run folder as the lesson wrote it, by its variables' names; logits and maps by NumPy."""
    deep, random = 'conv3/W' in shapes, np.random.RandomState(5)
    arrays = {name: random.normal(0, 1 / math.sqrt(np.prod(shape[:-1])), shape)
              for name, shape in shapes.items()}
    with tf.Graph().as_default(), tf.Session() as session:
        for name, array in arrays.items():
            tf.get_variable(name, initializer=tf.constant(array, tf.float32))
        tf.train.get_or_create_global_step()
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), global_step=8250,
                              write_meta_graph=False)
    (tmp_path / 'run.json').write_text(json.dumps({
        'script': 'mnist_cnn_3x3', 'status': 'finished', 'recipe': '--deep' if deep else '',
        'flags': {'deep': deep}, 'dataset': 'MNIST', 'seed': 0, 'steps': 8250, 'of_steps': 8250,
        'parameters': sum(array.size for array in arrays.values()), 'precision': 'float32',
        'test_accuracy': 0.99, 'training_accuracy': None, 'validation_accuracy': 0.99,
        'images_per_second': None, 'best': None, 'epoch_losses': {}, 'looks': {}, 'processor': '',
        'seconds': {'import': 1.0, 'data': 1.0, 'training': 1.0, 'whole': 3.0}, 'versions': {}}))
    image = idx.read_folder(small_dir)[2][7, ..., 0]
    classify = classifier.restore(tmp_path)
    maps, h = classify.feature_maps(image), image[..., None] / 255
    assert len(maps) == (6 if deep else 4)
    for layer in range(len(maps) // 2):
        before = correlated(h, arrays[f'conv{layer + 1}/W'])
        for (title, found), expected, when in zip(
                maps[2 * layer:], (before, np.maximum(before, 0)), ('before', 'after')):
            assert title == f'conv{layer + 1}, {when} ReLU'
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * before.max())
        h = pooled(np.maximum(before, 0))
    h = h.reshape(-1)
    if deep:
        h = np.maximum(h @ arrays['fc1/W'] + arrays['fc1/b'], 0)
    np.testing.assert_allclose(classify.logits(image[None])[0], h @ arrays['fc/W'] + arrays['fc/b'],
                               rtol=1e-3, atol=1e-4)


def test_c_drops_units_of_the_deep_network_only():
    c = importlib.import_module('articles.c_cnn_3x3')
    for deep, varies in ((True, True), (False, False)):
        with tf.Graph().as_default(), tf.Session() as session:
            rate = tf.placeholder_with_default(0.0, [])
            logits = c.inference(tf.constant(np.full([8, 784], 0.5, np.float32)), rate, deep)
            session.run(tf.global_variables_initializer())
            once, again = (session.run(logits, {rate: 0.5}) for _ in range(2))
            assert (np.abs(once - again).max() > 1e-6) == varies
            np.testing.assert_array_equal(session.run(logits), session.run(logits))


def test_d_is_gradient_descent_on_the_seed_s_batches(main, small_dir, tmp_path):
    """Its average losses by NumPy, float64; the same are in the events, in a dated folder."""
    lines = main('d_softmax_tensorboard', np.zeros, '--epochs', '3', '--seed', '5', '--log-dir',
                 tmp_path)
    mnist = input_data.read_data_sets(str(small_dir), seed=5)
    W, b, averages = np.zeros([784, 10]), np.zeros(10), []
    for _ in range(3):
        losses = []
        for _ in range(1000 // 128):
            x, labels = mnist.train.next_batch(128)
            p = softmax(x @ W + b)
            losses.append(-np.mean(np.log(p[np.arange(128), labels])))
            change = (p - np.eye(10)[labels]) / 128
            W, b = W - 0.01 * x.T @ change, b - 0.01 * change.sum(axis=0)
        averages.append(np.mean(losses))
    found = [re.fullmatch(r'Average loss epoch (\d): (\d\.\d{5})', line).groups()
             for line in lines[:3]]
    assert [int(epoch) for epoch, _ in found] == [0, 1, 2]
    assert [float(loss) for _, loss in found] == pytest.approx(averages, abs=1e-5)
    assert re.fullmatch(r'Total time: \d+\.\d\d seconds', lines[3])
    right = np.mean((mnist.test.images @ W + b).argmax(axis=1) == mnist.test.labels)
    assert accuracy_of(lines[4]) == pytest.approx(right, abs=0.004)
    folder, = tmp_path.iterdir()
    assert re.fullmatch(r'run-20\d{10}', folder.name)
    assert list(values(folder)['average_loss'].values()) == pytest.approx(averages, abs=1e-5)
    scopes = {node.name.split('/')[0] for node in graph_of(folder).node if '/' in node.name}
    assert {'input', 'softmax', 'loss', 'train', 'accuracy'} <= scopes


@pytest.mark.slow
def test_e_is_restored_to_the_network_that_was_saved(run, small_dir, tmp_path):
    """Ten probabilities and 64 maps from the checkpoint's weights by NumPy, and the test scores."""
    line, last = run('e_cnn_checkpoints.py', '--steps', '200', '--log-dir', tmp_path / 'e')
    loss, accuracy = map(float, re.fullmatch(
        r'Step: 200, Loss: (\d+\.\d{6}), Accuracy: (\d\.\d{6})', line).groups())
    assert accuracy_of(last) == pytest.approx(accuracy, abs=1e-4)
    shown = values(tmp_path / 'e')
    assert {tag: sorted(steps) for tag, steps in shown.items()} == dict.fromkeys(
        ['loss', 'accuracy', 'conv1/weights', 'conv2/weights', 'fc1/weights',
         'fc2/weights'], [100, 200])

    reader = tf.train.load_checkpoint(str(tmp_path / 'e' / 'cnn_session'))
    W1, b1, W2, b2, W3, b3, W4, b4 = (reader.get_tensor(f'{layer}/{name}') for layer in (
        'conv1', 'conv2', 'fc1', 'fc2') for name in 'Wb')
    images, labels = idx.read_folder(small_dir)[2:]

    def network(image):
        before = correlated(image / 255, W1)
        after = np.maximum(before + b1, 0)
        h = pooled(np.maximum(correlated(pooled(after), W2) + b2, 0)).reshape(-1)
        return before, after, softmax(np.maximum(h @ W3 + b3, 0) @ W4 + b4)

    every = np.array([network(image)[2] for image in images])
    assert accuracy == pytest.approx(np.mean(every.argmax(axis=1) == labels), abs=0.004)
    assert loss == pytest.approx(-np.mean(np.log(every[np.arange(len(labels)), labels])), rel=1e-3)

    lines = run('e_cnn_checkpoints.py', '--predict', '7', '--log-dir', tmp_path / 'e')
    assert [line[:3] for line in lines] == [f'{digit}: ' for digit in range(10)]
    before, after, probabilities = network(images[7])
    assert [float(line[3:]) for line in lines] == pytest.approx(probabilities, abs=1e-4)
    drawn = np.asarray(Image.open(str(tmp_path / 'e' / 'feature_maps.png')).convert('L'))
    assert drawn.shape == (4 * 28 * 3, 16 * 28 * 3)
    maps = [stage[..., number] for stage in (before, after) for number in range(32)]
    rows = np.vstack([np.hstack(maps[16 * row:16 * row + 16]) for row in range(4)])
    rows = (rows - rows.min()) / (rows.max() - rows.min()) * 255
    assert np.abs(drawn[1::3, 1::3] - rows).max() < 3


def test_e_says_what_it_cannot_read(refused, tmp_path):
    assert 'train first' in refused('e_cnn_checkpoints', '--predict', '7', '--log-dir',
                                    tmp_path / 'none')
    assert '500' in refused('e_cnn_checkpoints', '--predict', '500')
