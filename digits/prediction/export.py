"""A run's network as a file for other programs: a SavedModel, TFLite or ONNX.

In every format the input is `images` uint8 [n, 28, 28], 0 to 255, white ink on black as in MNIST,
and the outputs are `logits` and `probabilities` float32 [n, 10]: predict.py's, calibrated.
"""
import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, Optional

import numpy as np

from digits import files, input_data, paths
from digits.errors import UserError
from digits.prediction import classifier
from digits.training import checkpoints, flags
from digits.training.record import Record

FORMATS = 'saved-model', 'tflite', 'onnx'
CALIBRATION_IMAGES = 500  # to find the range of each 8-bit tensor


def check(form: str, out: Path) -> None:
    """Raise UserError if nothing can be written at `out`, or if there is no converter."""
    if out.exists() or out.is_symlink():
        raise UserError(f'{out} exists; give another --out')
    if not out.parent.is_dir():
        raise UserError(f'{out}: there is no folder {out.parent}; make it, or give another --out')
    from digits.tensorflow_v1 import tf
    if form != 'saved-model' and tf.__version__.startswith('1.'):
        raise UserError(f'--format {form} needs TensorFlow 2.16 or later, and this is '
                        f'{tf.__version__}; it reads the same run, or use --format saved-model')
    if form == 'onnx' and importlib.util.find_spec('tf2onnx') is None:
        raise UserError('--format onnx: tf2onnx is not installed; run  python -m pip install -r '
                        'requirements-export.txt')


def write(folder: Path, form: str, out: Path, images: Optional[np.ndarray] = None) -> None:
    """Export the run in `folder` to `out`, which appears whole or not at all.

    form: one of FORMATS, for which `check` has passed. images: uint8 [n, 28, 28] of the training
    set, for TFLite in 8-bit integers. Raises UserError if the run cannot be restored, and (status
    1) if nothing can be written.
    """
    from digits.tensorflow_v1 import tf
    try:
        with tempfile.TemporaryDirectory(prefix=f'{out.name}.', suffix=files.UNFINISHED,
                                         dir=str(out.parent.resolve())) as unfinished:
            saved, converted = Path(unfinished, 'saved'), Path(unfinished, 'converted')
            save(folder, saved)
            if form == 'tflite':
                arrays = []
                if images is not None:
                    arrays = [str(Path(unfinished, 'images.npy'))]
                    np.save(arrays[0], images)
                _convert(['digits.prediction.tflite', str(saved), str(converted), *arrays])
            elif form == 'onnx':
                _convert(['tf2onnx.convert', '--saved-model', str(saved),
                          '--output', str(converted)])
            else:
                converted = saved
            for path in [converted, *converted.rglob('*')]:
                if path.is_file():
                    files.fsync(path)
            converted.rename(out)
    except (tf.errors.OpError, OSError) as error:
        raise UserError(f'{out} could not be written, is the disk full or the folder gone? '
                        f'({str(error).splitlines()[0]})', 1) from error


def save(folder: Path, path: Path) -> None:
    """Write the run's network as a SavedModel with one signature; `path` must not exist.

    Raises UserError as `classifier.restore` does, and for a lesson in NumPy of another form than
    images @ W + b, or a graph that calls Python; OSError or TensorFlow's OpError if that cannot be
    written.
    """
    from digits.tensorflow_v1 import open_session, tf
    record = Record.read(folder)
    with tf.Graph().as_default():
        images = tf.placeholder(tf.uint8, [None, 28, 28], name='images')
        rows = tf.reshape(tf.cast(images, tf.float32), [-1, 784])
        rows = rows * np.float32(record.pixel_max) / np.float32(255)
        if classifier.is_numpy(record):
            W, b = _affine(folder, record)
            logits = tf.matmul(rows, tf.constant(W)) + tf.constant(b)
        else:
            logits = classifier.build_graph(folder, record, rows)
        for op in tf.get_default_graph().get_operations():
            if op.type in ('PyFunc', 'PyFuncStateless', 'EagerPyFunc'):
                raise UserError(f'{folder}: inference in {record.script}.py calls Python '
                                f'({op.name}), which no exported file can')
        scale = (record.calibration or {'scale': 1.0})['scale']
        outputs = {'logits': tf.identity(logits, 'logits'),
                   'probabilities': tf.nn.softmax(scale * logits, name='probabilities')}
        with open_session('cpu', 'float32') as session:
            if not classifier.is_numpy(record):
                checkpoints.SaverCheckpoints(folder, session).restore()
            signature = tf.saved_model.predict_signature_def({'images': images}, outputs)
            builder = tf.saved_model.Builder(str(path))
            builder.add_meta_graph_and_variables(
                session, [tf.saved_model.tag_constants.SERVING],
                {tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY: signature})
            builder.save()


def _affine(folder, record):
    """W [784, 10] and b [10] of a lesson in NumPy; UserError if its logits are not rows @ W + b."""
    arrays = classifier.restore_arrays(folder, record)
    if {name: array.shape for name, array in arrays.items()} == {'W': (784, 10), 'b': (10,)}:
        images = np.random.RandomState(0).randint(0, 256, [20, 28, 28]).astype(np.uint8)
        found = classifier.restore(folder).logits(images)
        scale = record.pixel_max / 255
        expected = scale * images.reshape(-1, 784) @ arrays['W'].astype(float) + arrays['b']
        if np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max():
            return arrays['W'], arrays['b']
    raise UserError(f'{folder}: inference in {record.script}.py is NumPy, and other than '
                    'images @ W + b; only lessons in TensorFlow can be exported with more layers')


def training_images(folder: Path, data_dir: Optional[str] = None) -> np.ndarray:
    """CALIBRATION_IMAGES uint8 [n, 28, 28] that the run in `folder` was trained on.

    data_dir: the folder of its data set, by default where it was in training. Raises UserError if
    it is there no longer, or if another data set is.
    """
    record = Record.read(folder)
    recorded, held_out = record.flags.get('data_dir'), record.flags.get('validation_size', 0)
    if not (isinstance(held_out, int) and held_out >= 0):
        raise UserError(f'{folder}: its run.json is not the record of a run (validation_size)')
    if not (data_dir or record.dataset == 'strokes' or flags.holds_data(recorded)):
        raise UserError(f'{folder}: the images that it was trained on are not in {recorded!r} '
                        '(anymore); name their folder with --data-dir')
    args = argparse.Namespace(
        data_dir=data_dir or str(recorded),
        dataset='strokes' if record.dataset == 'strokes' else 'mnist',
        validation_size=held_out, seed=record.seed, quiet=False)
    mnist = input_data.load(args, dtype=np.uint8)
    if mnist.name != record.dataset:
        raise UserError(f'{args.data_dir}: {folder} was trained on {record.dataset}, and this is '
                        f'{mnist.name}; name the folder of its data with --data-dir')
    return mnist.train.images[:CALIBRATION_IMAGES].reshape(-1, 28, 28)


def _convert(command: List[str]) -> None:
    """Run a converter's module in a process of its own: it needs eager mode, and logs much."""
    process = subprocess.run([sys.executable, '-m', *command], cwd=str(paths.PROJECT_ROOT),
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, check=False)
    if process.returncode:
        said = process.stderr.decode(errors='replace').strip().splitlines() or ['']
        raise UserError(f'{command[0]} failed ({said[-1][:300]})', 1)
