"""export.py: files that programs without this project read, with predict.py's probabilities.

Each file is loaded in a process that has nothing of ours in its path.
"""
import importlib.util
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers import change_record
from PIL import Image, ImageOps

import export as script_export
import mnist_numpy_sigmoid
from digits.datasets import idx
from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.pictures import one_digit
from digits.prediction import classifier, export
from digits.tensorflow_v1 import tf
from digits.training.record import Record

ON_1 = tf.__version__.startswith('1.')
# Programs of somebody else: model file, images.npy, file for the outputs.
LOAD = {'saved-model': """
import sys, numpy, tensorflow as tf
load = tf.saved_model.load
if tf.__version__.startswith('1.'):
    tf.compat.v1.enable_eager_execution()
    load = tf.saved_model.load_v2
predict = load(sys.argv[1]).signatures['serving_default']
found = predict(images=tf.constant(numpy.load(sys.argv[2])))
assert not any(module.split('.')[0] == 'digits' for module in sys.modules)
numpy.savez(sys.argv[3], **{name: tensor.numpy() for name, tensor in found.items()})
""", 'tflite': """
import sys, numpy
from ai_edge_litert.interpreter import Interpreter
predict = Interpreter(sys.argv[1]).get_signature_runner('serving_default')
numpy.savez(sys.argv[3], **predict(images=numpy.load(sys.argv[2])))
""", 'onnx': """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])
names = ['logits', 'probabilities']
found = session.run(names, {'images': numpy.load(sys.argv[2])})
numpy.savez(sys.argv[3], **dict(zip(names, found)))
"""}
PACKAGES = {'saved-model': ['tensorflow'], 'tflite': ['ai_edge_litert'],
            'onnx': ['tf2onnx', 'onnxruntime']}


def need(form):
    """Skip the test where what converts or reads the format is not installed."""
    if form != 'saved-model' and ON_1:
        pytest.skip(f'TensorFlow {tf.__version__} exports SavedModels only')
    for package in PACKAGES[form]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f'{package} is not installed: pip install -r requirements-export.txt')


@pytest.fixture
def outputs(tmp_path):
    """outputs(file, form, images) -> its logits and probabilities, found by a foreign program."""
    def load(file, form, images):
        np.save(str(tmp_path / 'images.npy'), images)
        subprocess.run([sys.executable, '-I', '-c', LOAD[form], str(file),
                        str(tmp_path / 'images.npy'), str(tmp_path / 'found.npz')],
                       check=True, cwd=str(tmp_path), timeout=120)
        with np.load(str(tmp_path / 'found.npz')) as found:
            assert sorted(found) == ['logits', 'probabilities']
            return found['logits'], found['probabilities']
    return load


@pytest.fixture(scope='module')
def images(small_dir):
    return np.ascontiguousarray(idx.read_folder(small_dir)[2][..., 0])


@pytest.fixture(scope='module')
def some_run(trained):
    return trained['mnist_softmax']


def assert_same(found, folder, images):
    """Assert that outputs are predict.py's, but for the order of float32 sums."""
    logits, probabilities = found
    classify = classifier.restore(folder)
    expected, _ = classify(images)
    largest = np.abs(classify.logits(images)).max()
    np.testing.assert_allclose(logits, classify.logits(images), atol=2e-6 * largest)
    np.testing.assert_allclose(probabilities, expected, atol=2e-6 * max(largest, 10))


@pytest.mark.parametrize('form', export.FORMATS)
@pytest.mark.parametrize('lesson', [
    pytest.param('mnist_softmax', marks=pytest.mark.slow), 'mnist_cnn', 'mnist_numpy_sigmoid'])
def test_a_file_gives_predicts_probabilities(trained, outputs, images, tmp_path, lesson, form):
    need(form)
    folder, out = trained[lesson], tmp_path / 'exported'
    if lesson == 'mnist_cnn':
        assert Record.read(folder).calibration['scale'] != 1
    script_export.main([str(folder), '--format', form, '--out', str(out)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ['exported']
    images = images[:7 if lesson == 'mnist_cnn' else 1]
    assert_same(outputs(out, form, images), folder, images)


def test_eight_bits_are_a_quarter_of_the_size_and_answer_alike(
        cnn_run, outputs, images, tmp_path, capsys):
    need('tflite')
    sizes = []
    for name, flags in ('float32', []), ('int8', ['--int8']):
        script_export.main([str(cnn_run), '--format', 'tflite', '--out', str(tmp_path / name),
                            *flags])
        sizes.append((tmp_path / name).stat().st_size)
        assert f'{sizes[-1]:,} bytes' in capsys.readouterr().out
    assert sizes[1] < 0.26 * sizes[0]
    found = outputs(tmp_path / 'int8', 'tflite', images)[1]
    expected, _ = classifier.restore(cnn_run)(images)
    assert np.mean(found.argmax(1) == expected.argmax(1)) > 0.98
    assert np.abs(found - expected).mean() < 0.01


def test_ranges_come_from_images_that_were_trained_on(cnn_run, small_dir):
    """They are of the training set, and neither of the test set nor held out for validation."""
    found = export.training_images(cnn_run)
    assert found.shape == (export.CALIBRATION_IMAGES, 28, 28)
    assert found.dtype == np.uint8
    training, _, test, _ = idx.read_folder(small_dir)
    held_out = Record.read(cnn_run).flags['validation_size']
    places = {image.tobytes(): place for place, image in enumerate(training)}
    assert min(places[image.tobytes()] for image in found) >= held_out > 0
    assert not {image.tobytes() for image in test} & {image.tobytes() for image in found}


def test_ranges_do_not_come_from_another_data_set(cnn_run, small_dir, tmp_path):
    other = tmp_path / 'other'
    shutil.copytree(str(small_dir), str(other))
    with pytest.raises(UserError, match='trained on small, and this is other; .*--data-dir'):
        export.training_images(cnn_run, str(other))


@pytest.mark.parametrize(('flags', 'sentence'), [
    ({'data_dir': 'gone'}, "not in 'gone'.*--data-dir"),
    ({'data_dir': 5}, 'not in 5'),
    ({}, 'not in None'),
    ({'validation_size': 'five'}, 'not the record of a run .validation_size'),
    ({'validation_size': -1}, 'not the record of a run .validation_size')])
def test_a_record_names_no_folder_to_download_into(
        cnn_run, tmp_path, monkeypatch, flags, sentence):
    run = tmp_path / 'run'
    shutil.copytree(str(cnn_run), str(run))
    change_record(run, dataset='MNIST', flags=flags)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence):
        export.training_images(run)
    assert [path.name for path in tmp_path.iterdir()] == ['run']


@pytest.mark.slow
def test_a_changed_copy_of_a_lesson_is_exported(project, outputs, images, tmp_path):
    shutil.copy(str(project.folder / 'mnist_softmax.py'), str(project.folder / 'mine.py'))
    project.change('mine.py', 'return tf.matmul(images, W) + b',
                   'h = tf.nn.tanh(tf.matmul(images, W) + b)\n'
                   "        return tf.matmul(h, tf.get_variable('V', [10, 10])) * 3.0")
    run, out = tmp_path / 'run', tmp_path / 'out'
    trained = project.run('mine.py', '--steps', '50', '--quiet', '--run-dir', run)
    assert trained.returncode == 0, trained.stderr
    done = project.run('export.py', run, '--format', 'saved-model', '--out', out)
    assert done.returncode == 0, done.stderr
    logits, probabilities = outputs(out, 'saved-model', images)
    reader = tf.train.load_checkpoint(str(run / 'model.ckpt-50'))
    W, b, V = (reader.get_tensor(f'softmax/{name}') for name in 'WbV')
    expected = np.tanh(images.reshape(-1, 784) / 255 @ W + b) @ V * 3
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    odds = np.exp(Record.read(run).calibration['scale'] * expected)
    np.testing.assert_allclose(probabilities, odds / odds.sum(1, keepdims=True), atol=1e-4)


def test_numpy_of_another_form_is_refused(numpy_run, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_numpy_sigmoid, 'inference',
                        lambda images, W, b: np.tanh(images @ W + b))
    with pytest.raises(UserError, match='only lessons in TensorFlow'):
        export.write(numpy_run, 'saved-model', tmp_path / 'out')
    assert not list(tmp_path.iterdir())


def test_the_steps_of_the_documentation_are_those_of_pictures(clean_strokes):
    """Drawn digits, enlarged and dark on light paper: the page's 30 lines find the same images."""
    page = (PROJECT_ROOT / 'docs/export.md').read_text(encoding='utf-8')
    (code,) = (block for block in re.findall(r'```python\n(.*?)```', page, re.DOTALL)
               if 'def to_mnist' in block)
    names = {}
    exec(code, names)
    drawn, _ = clean_strokes(60, seed=5)
    differences = []
    for number, image in enumerate(drawn):
        large = Image.fromarray(image).resize((280, 280), Image.BICUBIC)
        picture = large if number % 2 else ImageOps.invert(large)
        found = names['to_mnist'](picture)[0].astype(float)
        differences.append(np.abs(found - one_digit.to_mnist(picture)).mean())
    assert np.median(differences) < 1  # grey levels of 255
    assert np.mean(np.array(differences) < 2) > 0.9  # the rest is moved by a pixel


# What cannot be done is one sentence, and leaves nothing behind

def no_checkpoint(folder):
    for path in folder.glob('model.ckpt-*'):
        path.unlink()


def cut(folder):
    for path in folder.glob('model.ckpt-*.data*'):
        os.truncate(str(path), 100)


@pytest.mark.parametrize(('fault', 'sentence'), [
    (shutil.rmtree, 'is not the folder of a run'),
    (no_checkpoint, 'no checkpoint in it yet'),
    (cut, 'damaged'),
    (lambda folder: change_record(folder, script='theirs'), "names 'theirs', and there is"),
    (lambda folder: (folder / 'run.json').write_text('{}'), 'not the record of a run')])
def test_an_unfinished_or_foreign_run_is_refused(some_run, tmp_path, fault, sentence):
    run, outside = tmp_path / 'run', tmp_path / 'outside'
    shutil.copytree(str(some_run), str(run))
    outside.mkdir()
    fault(run)
    with pytest.raises(UserError, match=sentence) as caught:
        script_export.main([str(run), '--format', 'saved-model', '--out', str(outside / 'out')])
    assert '\n' not in str(caught.value)
    assert not list(outside.iterdir())


def test_a_graph_that_calls_python_is_not_exported(project, tmp_path):
    """The function is in this process only: whoever loads the file cannot call it."""
    project.copy('mine.py', 'tf.matmul(images, W)',
                 'tf.matmul(tf.reshape(tf.py_func(abs, [images], tf.float32), [-1, 784]), W)',
                 of='mnist_softmax.py')
    project.train('mine.py', '--steps', '5', '--run-dir', tmp_path / 'run')
    with project.in_place(), pytest.raises(UserError, match=r'calls Python \(.*PyFunc'):
        export.write(tmp_path / 'run', 'saved-model', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_what_exists_is_not_overwritten(script, some_run, tmp_path):
    out = tmp_path / 'out'
    out.write_text('mine')
    done = script('export.py', some_run, '--format', 'saved-model', '--out', out)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == f'export.py: {out} exists; give another --out\n'
    assert out.read_text() == 'mine'
    with pytest.raises(UserError, match='there is no folder'):
        export.check('saved-model', tmp_path / 'no' / 'out')


def test_int8_is_for_tflite(capsys):
    with pytest.raises(SystemExit, match='2'):
        script_export.main(['run', '--format', 'onnx', '--out', 'x', '--int8'])
    assert '--int8 is for --format tflite' in capsys.readouterr().err


def test_a_missing_converter_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='2.16 or later' if ON_1 else
                       'tf2onnx is not installed; run .*requirements-export.txt'):
        export.check('onnx', tmp_path / 'out')


@pytest.mark.parametrize('form', ['tflite', 'onnx'])
def test_a_converter_that_fails_leaves_nothing(some_run, tmp_path, monkeypatch, form):
    monkeypatch.setattr(subprocess, 'run', lambda command, **_: subprocess.CompletedProcess(
        command, 1, stderr=b'Traceback\nOSError: no such operation\n'))
    with pytest.raises(UserError, match=r'failed \(OSError: no such operation\)') as caught:
        export.write(some_run, form, tmp_path / 'out')
    assert caught.value.exit_status == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_full_disk_leaves_nothing(trained, tmp_path):
    """A CNN of 13 MB onto a disk of 2 MB."""
    command = (f'mount -t tmpfs -o size=2m tmpfs {tmp_path} || exit 99\n'
               f'"$@"; status=$?; ls -A {tmp_path}; exit $status')
    unshare = shutil.which('unshare')
    if unshare is None:
        pytest.skip('no unshare: a small disk cannot be mounted')
    done = subprocess.run(
        [unshare, '-rm', 'sh', '-c', command, 'sh', sys.executable, script_export.__file__,
         str(trained['mnist_cnn']), '--format', 'saved-model', '--out', str(tmp_path / 'out')],
        capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 99 or 'unshare:' in done.stderr:
        pytest.skip('a small disk cannot be mounted here')
    assert (done.returncode, done.stdout) == (1, '')
    (line,) = done.stderr.splitlines()
    assert line.startswith(f'export.py: {tmp_path / "out"} could not be written, is the disk full')
