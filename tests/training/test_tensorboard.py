"""What TensorBoard's own server finds in runs: what they printed, and what they learned.

With --screenshots DIR the README's picture of it is made, too.
"""
import contextlib
import io
import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest
from helpers import start, wait_for_checkpoint
from PIL import Image

from digits.tensorflow_v1 import tf
from digits.training.record import Record

SERVER = [sys.executable, '-c', 'import sys; from tensorboard.main import run_main; '
          'sys.argv[0] = "tensorboard"; run_main()']
pytestmark = pytest.mark.slow
EPOCHS = ['--epochs', '60', '--summary-every', '10']
LONG = ['--steps', '120', '--batch-size', '50', '--validation-size', '500',
        '--summary-every', '10']


@contextlib.contextmanager
def serving(folder, *flags):
    """tensorboard --logdir FOLDER in a process of its own; gives its URL."""
    process = subprocess.Popen(
        [*SERVER, '--logdir', str(folder), '--port', '0', '--host', '127.0.0.1', *flags],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            found = re.search(r'at (http://\S+)', line)
            if found:
                yield found.group(1).rstrip('/')
                break
        else:
            raise AssertionError(''.join(said))
    finally:
        process.kill()
        process.wait(30)


@pytest.fixture(scope='module')
def runs(tmp_path_factory, small_dir):
    """A folder of runs: two of the CNN, one killed and resumed, and one of NumPy; what they said.
    """
    root = tmp_path_factory.mktemp('watched')
    said = {}
    for name, script, flags in (('cnn/seed0', 'mnist_cnn.py', LONG),
                                ('numpy/seed0', 'mnist_numpy_sigmoid.py', EPOCHS)):
        process = start(script, small_dir, *flags, '--run-dir', root / name)
        said[name] = process.communicate(timeout=300)[1]
    folder = root / 'cnn/seed1'
    process = start('mnist_cnn.py', small_dir, *LONG, '--seed', '1', '--run-dir', folder)
    wait_for_checkpoint(folder, process)
    while Record.read(folder).steps < 48:
        time.sleep(0.02)
    time.sleep(0.3)  # some steps later, whose events are written too
    process.kill()
    process.communicate()
    process = start('mnist_cnn.py', small_dir, '--resume', '--run-dir', folder)
    said['cnn/seed1'] = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    return root, said


def asked(url, path, **query):
    """What the server answers, from JSON."""
    with urllib.request.urlopen(f'{url}/data/{path}?{urllib.parse.urlencode(query)}') as answer:
        return json.loads(answer.read().decode())


def scalars(url, run, tag):
    """{step: value}, each step once and in ascending order."""
    events = asked(url, 'plugin/scalars/scalars', run=run, tag=tag)
    steps = [step for _, step, _ in events]
    assert steps == sorted(set(steps)), f'{run} {tag}: {steps}'
    return {step: value for _, step, value in events}


@pytest.fixture(scope='module')
def url(runs):
    with serving(runs[0]) as found:
        deadline = time.monotonic() + 60  # it answers before it has read everything
        while 'cnn/seed1/validation' not in asked(found, 'runs'):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(2)
        yield found


def test_every_run_is_there_with_two_lines_in_a_chart(runs, url):
    assert set(asked(url, 'runs')) == {
        'cnn/seed0', 'cnn/seed0/validation', 'cnn/seed1', 'cnn/seed1/validation', 'numpy/seed0'}
    tags = asked(url, 'plugin/scalars/tags')
    assert set(tags['cnn/seed0']) == {'loss', 'accuracy', 'learning_rate', 'images_per_second',
                                      'test_accuracy'}
    assert set(tags['cnn/seed0/validation']) == {'loss', 'accuracy'}
    assert set(tags['numpy/seed0']) == set(tags['cnn/seed0'])


def test_scalars_are_what_was_printed(runs, url):
    root, said = runs
    for name in ('cnn/seed0', 'cnn/seed1'):
        printed = {int(step): (float(loss), float(accuracy)) for step, loss, accuracy in re.findall(
            r'^step (\d+) of 120: loss ([\d.]+), validation accuracy ([\d.]+),', said[name],
            re.MULTILINE)}
        assert 120 in printed
        accuracies = scalars(url, f'{name}/validation', 'accuracy')
        losses = scalars(url, name, 'loss')
        assert set(losses) == set(range(10, 121, 10))
        for step, (loss, accuracy) in printed.items():
            if step in accuracies:  # not where a line was due because time had passed
                assert accuracies[step] == pytest.approx(accuracy, abs=6e-5)
                # 24 steps apart, and summaries ten: they meet at the end
                assert step != 120 or losses[step] == pytest.approx(loss, abs=6e-5)
        record = Record.read(root / name)
        assert scalars(url, name, 'test_accuracy')[120] == pytest.approx(
            record.test_accuracy, abs=6e-5)
        assert list(accuracies.values()) == pytest.approx(
            [entry['validation_accuracy'] for entry in record.evaluations.values()], abs=1e-6)
        # One cycle: up to 0.003 in a quarter of the run, then down. A step's own is one before.
        rates = scalars(url, name, 'learning_rate')
        assert rates[30] == pytest.approx(0.003) and rates[120] == pytest.approx(0, abs=1e-9)
        assert rates[60] == pytest.approx(0.003 * (1 - 60 / 120) / 0.75)


def test_a_killed_and_resumed_run_is_one_curve(url):
    """Whole, each step once, and, at the places where nothing but the clock differs, smooth."""
    for run, tag, steps in (('cnn/seed1', 'loss', range(10, 121, 10)),
                            ('cnn/seed1', 'accuracy', range(10, 121, 10)),
                            ('cnn/seed1', 'images_per_second', range(10, 121, 10)),
                            ('cnn/seed1/validation', 'loss', range(24, 121, 24))):
        assert list(scalars(url, run, tag)) == list(steps)


def test_without_the_fast_loader_it_is_the_same(runs):
    if tf.__version__.startswith('1.'):
        pytest.skip('TensorBoard 1.15 has one loader')
    with serving(runs[0], '--load_fast=false') as url:
        deadline = time.monotonic() + 60
        while len(asked(url, 'runs')) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(2)
        test_a_killed_and_resumed_run_is_one_curve(url)
        test_scalars_are_what_was_printed(runs, url)


def test_histograms_are_of_the_checkpoint_s_weights(runs, url):
    root, _ = runs
    tags = set(asked(url, 'plugin/histograms/tags')['cnn/seed0'])
    layers = ('conv1', 'conv2', 'fc1', 'fc2')
    assert tags == {f'{layer}/{part}' for layer in layers for part in 'Wb'} | {
        f'{layer}/activations' for layer in ('pool1', 'pool2', 'fc1', 'fc2')}
    reader = tf.train.load_checkpoint(str(root / 'cnn/seed0/model.ckpt-120'))
    for tag in ('conv1/W', 'fc1/W', 'fc2/b'):
        histograms = asked(url, 'plugin/histograms/histograms', run='cnn/seed0', tag=tag)
        assert [step for _, step, _ in histograms] == [24, 48, 72, 96, 120]
        buckets = np.array(histograms[-1][2])
        weights = reader.get_tensor(tag)
        assert buckets[:, 2].sum() == pytest.approx(weights.size, rel=1e-3)
        assert buckets[0, 0] >= weights.min() - 1e-6 and buckets[-1, 1] <= weights.max() + 1e-6
        inside = np.histogram(weights, [*buckets[:, 0], buckets[-1, 1]])[0]
        assert np.abs(inside - buckets[:, 2]).sum() < 0.02 * weights.size
    maps = np.array(asked(url, 'plugin/histograms/histograms', run='cnn/seed0',
                          tag='pool1/activations')[-1][2])
    assert maps[:, 2].sum() == pytest.approx(200 * 14 * 14 * 32, rel=1e-3) and maps[0, 0] >= 0


def test_images_are_filters_and_what_was_missed(url):
    for run, tag, least in (('cnn/seed0', 'conv1/W/images', (336, 168)),
                            ('numpy/seed0', 'W/images', (464, 136)),
                            ('cnn/seed0/validation', 'missed', (464, 68))):
        image = asked(url, 'plugin/images/images', run=run, tag=tag)[-1]
        with urllib.request.urlopen(f'{url}/data/plugin/images/individualImage?{image["query"]}'
                                    ) as answer:
            pixels = np.asarray(Image.open(io.BytesIO(answer.read())).convert('L'))
        assert pixels.std() > 10 and pixels.shape[1] == least[0] and pixels.shape[0] >= least[1]


def test_the_graph_has_the_names_of_the_lesson(url):
    with urllib.request.urlopen(f'{url}/data/plugin/graphs/graph?run=cnn%2Fseed0') as answer:
        text = answer.read().decode()
    scopes = {name.split('/')[0] for name in re.findall(r'name: "([^"]+)"', text)}
    assert {'input', 'conv1', 'pool1', 'conv2', 'pool2', 'fc1', 'fc2', 'loss', 'train',
            'accuracy'} <= scopes
    assert 'name: "fc2/dropout/' in text
    loose = {name for name in scopes if f'name: "{name}"' in text}
    assert len(scopes) < 20 and len(loose) <= 4, (scopes, loose)


def test_hyperparameters_and_result(url):
    request = urllib.request.Request(
        f'{url}/data/plugin/hparams/session_groups', method='POST',
        headers={'Content-Type': 'application/json'}, data=json.dumps({
            'experimentName': '', 'startIndex': 0, 'sliceSize': 10, 'colParams': [
                {'hparam': 'seed'}, {'hparam': 'batch_size'},
                {'metric': {'group': '', 'tag': 'test_accuracy'}}],
            'allowedStatuses': ['STATUS_UNKNOWN', 'STATUS_RUNNING', 'STATUS_SUCCESS',
                                'STATUS_FAILURE']}).encode())
    with urllib.request.urlopen(request) as answer:
        groups = json.loads(answer.read().decode())['sessionGroups']
    found = {(group['hparams'].get('batch_size'), group['hparams']['seed']) for group in groups}
    assert {(50.0, 0.0), (50.0, 1.0)} <= found
    assert {(group['name'], group['hparams']['script']) for group in groups} == {
        ('cnn/seed0', 'mnist_cnn'), ('cnn/seed1', 'mnist_cnn'),
        ('numpy/seed0', 'mnist_numpy_sigmoid')}
    request = urllib.request.Request(
        f'{url}/data/plugin/hparams/experiment', method='POST',
        headers={'Content-Type': 'application/json'}, data=b'{"experimentName": ""}')
    with urllib.request.urlopen(request) as answer:
        experiment = json.loads(answer.read().decode())
    assert [info['name'] for info in experiment['hparamInfos']][:2] == ['script', 'seed']
    assert [info['name'] for info in experiment['metricInfos']][:1] == [
        {'group': '', 'tag': 'test_accuracy'}]


def test_the_chart_says_why_training_can_be_above_validation(url):
    tags = asked(url, 'plugin/scalars/tags')
    for run in ('cnn/seed0', 'cnn/seed0/validation', 'numpy/seed0'):
        assert 'it can be lower' in tags[run]['loss']['description']


def test_precision_and_recall_of_each_digit(runs, url):
    tags = asked(url, 'plugin/pr_curves/tags')['cnn/seed0/validation']
    assert set(tags) == {f'digit {digit}' for digit in range(10)}
    curve = asked(url, 'plugin/pr_curves/pr_curves', tag='digit 3', run='cnn/seed0/validation')
    entry = curve['cnn/seed0/validation'][-1]
    assert entry['step'] == 120 and max(entry['recall']) == 1
    positives = entry['true_positives'][0] + entry['false_negatives'][0]
    assert 20 < positives < 90  # of 500
    assert min(np.diff(entry['recall'])) >= -1e-6 or max(np.diff(entry['recall'])) <= 1e-6


def test_projector_has_fc1_with_labels_and_sprites(runs, url):
    if tf.__version__.startswith('1.'):
        pytest.skip('TensorBoard 1.15 reads no binary tensors')
    found = asked(url, 'plugin/projector/info', run='cnn/seed0')['embeddings'][0]
    count, units = found['tensorShape']
    assert (found['tensorName'], units) == ('fc1', 1024)
    query = urllib.parse.urlencode({'run': 'cnn/seed0', 'name': 'fc1'})
    with urllib.request.urlopen(f'{url}/data/plugin/projector/tensor?{query}') as answer:
        activations = np.frombuffer(answer.read(), '<f4').reshape(count, units)
    assert activations.min() == 0 and 0.05 < (activations > 0).mean() < 0.95
    with urllib.request.urlopen(f'{url}/data/plugin/projector/metadata?{query}') as answer:
        labels = answer.read().decode().split()
    assert len(labels) == count and set(labels) == set('0123456789')
    with urllib.request.urlopen(f'{url}/data/plugin/projector/sprite_image?{query}') as answer:
        sprites = Image.open(io.BytesIO(answer.read()))
    assert sprites.size[0] >= 28 * int(np.sqrt(count))


def test_two_runs_overlaid_in_a_browser(browser, runs, request, tmp_path):
    """Both runs' lines are in one chart; --screenshots DIR writes it as tensorboard.png."""
    folder = request.config.getoption('--screenshots')
    with serving(runs[0]) as url:
        page = browser.new_page(viewport={'width': 1200, 'height': 600})
        page.goto(f'{url}/?darkMode=false&smoothing=0#timeseries')
        page.locator('input[placeholder="Filter tags (regex)"]').fill('^(loss|accuracy)$')
        page.get_by_role('button', name='Settings').last.click()
        chart = page.locator('scalar-card').first
        chart.wait_for(timeout=60000)
        page.wait_for_timeout(5000)
        text = page.inner_text('body')
        for name in ('cnn/seed0', 'cnn/seed0/validation', 'cnn/seed1', 'cnn/seed1/validation'):
            assert name in text
        pixels = page.screenshot()
        path = type(tmp_path)(folder or tmp_path) / 'tensorboard.png'
        Image.open(io.BytesIO(pixels)).convert('RGB').quantize(128).save(str(path), optimize=True)
        colours = chart.evaluate("""card => new Set([...card.querySelectorAll(
            "line-chart svg path, line-chart path")].map(path => path.style.stroke)).size""")
        assert colours >= 4 or chart.locator('canvas').count()
        page.close()
