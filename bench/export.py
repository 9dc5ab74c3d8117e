"""Accuracy, size and speed of export.py's files on MNIST's 10,000 test images; write RESULTS.md.

$ python bench/export.py runs/mnist_cnn/... runs/mnist_softmax/... runs/mnist_numpy_sigmoid/...

Each file is read by its own runtime, on one thread. Needs requirements-export.txt, and MNIST in
$MNIST_DATA_DIR or data/.
"""
import argparse
import datetime
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import turns

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from digits import paths  # noqa: E402
from digits.datasets import idx  # noqa: E402
from digits.prediction import classifier  # noqa: E402
from digits.training.record import Record  # noqa: E402

FLAGS = {'SavedModel': ['--format', 'saved-model'], 'TFLite, float32': ['--format', 'tflite'],
         'TFLite, int8': ['--format', 'tflite', '--int8'], 'ONNX': ['--format', 'onnx']}


def reader(name, file):
    """A function: images uint8 [n, 28, 28] -> probabilities [n, 10], by the format's runtime."""
    if name == 'ONNX':
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(file), options)
        return lambda images: session.run(['probabilities'], {'images': images})[0]
    if name.startswith('TFLite'):
        from ai_edge_litert.interpreter import Interpreter
        predict = Interpreter(str(file), num_threads=1).get_signature_runner('serving_default')
        return lambda images: predict(images=images)['probabilities']
    from digits.tensorflow_v1 import tf
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    session = tf.Session(graph=tf.Graph(), config=config)
    signature = tf.saved_model.load(session, ['serve'], str(file)).signature_def['serving_default']
    images_name, found = signature.inputs['images'].name, signature.outputs['probabilities'].name
    return lambda images: session.run(found, {images_name: images})


def measured(predict, images, labels, expected):
    """(accuracy, largest difference from predict.py, median ms of one image, range)."""
    found = np.concatenate([predict(images[start:start + 100])
                            for start in range(0, len(images), 100)])
    predict(images[:1])
    times = []
    for start in range(200):
        began = time.perf_counter()
        predict(images[start:start + 1])
        times.append(1000 * (time.perf_counter() - began))
    low, high = np.quantile(times, [0.1, 0.9])
    return (np.mean(found.argmax(1) == labels), np.abs(found - expected).max(),
            statistics.median(times), f'{low:.3f} to {high:.3f}')


def main():
    """Export each run in each format, and write the section `export`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('runs', nargs='+', metavar='RUN')
    args = parser.parse_args()
    _, _, images, labels = idx.read_folder(Path(os.environ.get('MNIST_DATA_DIR') or paths.DATA))
    images = np.ascontiguousarray(images[..., 0])
    lines = ['## export', '', '`bench/export.py`: accuracy on the 10,000 test images; the largest '
             "difference of a probability from predict.py's; ms for one image, on one thread "
             '(median of 200, 10 % to 90 %).', '',
             '| run | format | accuracy | difference | bytes | ms an image | range |',
             '|---|---|---|---|---|---|---|']
    for run in map(Path, args.runs):
        expected, _ = classifier.restore(run)(images)
        for name, flags in FLAGS.items():
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, 'exported')
                subprocess.run([sys.executable, str(paths.PROJECT_ROOT / 'export.py'), str(run),
                                *flags, '--out', str(file)], check=True, stdout=subprocess.DEVNULL)
                size = sum(path.stat().st_size for path in [file, *file.rglob('*')]
                           if path.is_file())
                accuracy, difference, ms, spread = measured(reader(name, file), images, labels,
                                                            expected)
            lines.append(f'| {Record.read(run).script} | {name} | {accuracy:.4f} | '
                         f'{difference:.1e} | {size:,} | {ms:.3f} | {spread} |')
            print(lines[-1])
    turns.write('export', '\n'.join([*lines, '', f'{turns.machine()}; '
                                     f'{datetime.date.today()}.']))


if __name__ == '__main__':
    main()
