"""A run's checkpoint as a function: images in, probabilities out."""
import importlib
import inspect
from pathlib import Path

import numpy as np

from digits import checkpoints, records
from digits.errors import UserError

# That make checkpoints, best first.
SCRIPTS = ('mnist_cnn', 'mnist_cnn_3x3', 'mnist_softmax', 'mnist_numpy_sigmoid')


def newest_run() -> Path:
    """The folder of the newest run with a checkpoint, of the best script that has one."""
    for script in SCRIPTS:
        for folder in reversed(records.folders(script)):
            if checkpoints.exist(folder):
                return folder
    raise UserError(f'no checkpoint in {records.ROOT} yet: run  python mnist_cnn.py  first')


def restore(folder: Path):
    """The classifier that a run has trained: uint8 [n, 28, 28] -> probabilities [n, 10].

    The graph is built by the script that run.json names, one of SCRIPTS; the folder gives numbers
    only. Raises UserError if there is no such run, or no checkpoint that fits its graph.
    """
    record = records.read(folder)
    script = record['script']
    if script not in SCRIPTS:
        raise UserError(f'{folder}: its run.json names {script!r}, which is none of our scripts')
    lesson = importlib.import_module(script)
    if script == 'mnist_numpy_sigmoid':
        return _restore_numpy(folder, lesson)
    from digits.tensorflow_v1 import open_session, tf  # weights.npz is read without it
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 784], name='x')
        # Flags that change the graph, not only how it was trained.
        shape = {flag: bool(record['flags'].get(flag)) for flag in ('deep', 'raw_pixels')
                 if flag in inspect.signature(lesson.inference).parameters}
        probabilities = tf.nn.softmax(lesson.inference(x, **shape))
        session, _ = open_session(precision='float32')
        checkpoints.SaverCheckpoints(folder, session).restore()
    return lambda images: np.concatenate([
        session.run(probabilities, {x: chunk.reshape(-1, 784) / np.float32(255)})
        for chunk in np.array_split(images, -(-len(images) // 1000))])


def _restore_numpy(folder, lesson):
    W, b = np.empty([784, 10], np.float32), np.empty(10, np.float32)
    checkpoints.ArrayCheckpoints(folder, {'W': W, 'b': b}).restore()

    def probabilities(images):
        # That digit k is the one, if exactly one of ten sigmoids h is right, has odds h / (1 - h),
        # which is exp(z): the softmax of the logits.
        z = lesson.inference(images.reshape(-1, 784), W, b)
        odds = np.exp(z - z.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)
    return probabilities
