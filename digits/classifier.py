"""A run's checkpoint as a function: images in, probabilities out."""
import importlib
import inspect
from pathlib import Path

import numpy as np

from digits import checkpoints, doubt, paths, records
from digits.errors import UserError

MOVED = {'mnist_cnn_3x3': 'articles.c_cnn_3x3'}  # its old runs are still read
# That make checkpoints, best first.
SCRIPTS = ('mnist_cnn', 'mnist_distributed', 'mnist_cnn_3x3', 'mnist_softmax',
           'mnist_numpy_sigmoid')


def newest_run() -> Path:
    """The folder of the newest run with a checkpoint, of the best script that has one."""
    for script in SCRIPTS:
        for folder in reversed(records.folders(script)):
            if checkpoints.exist(folder):
                return folder
    raise UserError(f'no checkpoint in {paths.RUNS} yet: run  python mnist_cnn.py  first')


class Classifier:
    """What a run has learned: classify(images uint8 [n, 28, 28]) -> (probabilities, doubts).

    probabilities: float [n, 10]; doubts: n strings, '' or a short reason not to be sure.
    logits: images -> the logits [n, 10] behind them.
    """

    def __init__(self, script, logits, fitted, session=None, x=None):
        self._script, self.logits, self._fitted = script, logits, fitted
        self._session, self._x = session, x  # of a graph in TensorFlow
        self._maps = None

    def __call__(self, images):
        logits = self.logits(images)
        if self._fitted is None:
            return doubt.probabilities(logits), [''] * len(images)
        return (doubt.probabilities(logits, self._fitted['scale']),
                doubt.reasons(logits, **self._fitted))

    def feature_maps(self, image) -> list:
        """[(title, float [h, w, filters])]: what each convolution makes of an image uint8 [28, 28].

        Its output, then that after bias (if it has one) and ReLU, in the graph's order.
        Raises UserError if the run's script has no convolution.
        """
        if self._maps is None:
            self._maps = self._find_maps()
        if not self._maps:
            raise UserError(f'{self._script} has no convolution and so no feature maps; name a '
                            'run of mnist_cnn or mnist_cnn_3x3 with --run-dir')
        titles, tensors = zip(*self._maps)
        maps = self._session.run(list(tensors), {self._x: _rows(image)})
        return [(title, values[0]) for title, values in zip(titles, maps)]

    def _find_maps(self):
        """[(title, tensor)], which adds operations to the graph: once, however many ask."""
        found = []
        if self._session:
            from digits.tensorflow_v1 import tf
            with self._session.graph.as_default() as graph:
                for conv in graph.get_operations():
                    if conv.type != 'Conv2D':
                        continue
                    layer, output, after = conv.name.split('/')[0], conv.outputs[0], conv
                    while after.type in ('Conv2D', 'MaxPool'):  # pooled before bias and ReLU
                        after = after.outputs[0].consumers()[0]
                    biased = after.type == 'BiasAdd'
                    steps = 'bias and ReLU' if biased else 'ReLU'
                    found += [(f'{layer}, before {steps}', output),
                              (f'{layer}, after {steps}', tf.nn.relu(
                                  tf.nn.bias_add(output, after.inputs[1]) if biased else output))]
        return found


def restore(folder: Path) -> Classifier:
    """The classifier that a run has trained.

    The graph is built by the script that run.json names, one of SCRIPTS; the folder gives numbers
    only. Raises UserError if there is no such run, or no checkpoint that fits its graph.
    """
    record = records.read(folder)
    script = record['script']
    if script not in SCRIPTS:
        raise UserError(f'{folder}: its run.json names {script!r}, which is none of our scripts')
    fitted = _doubt(folder, record)
    lesson = importlib.import_module(MOVED.get(script, script))
    if script == 'mnist_numpy_sigmoid':
        return Classifier(script, _restore_numpy(folder, lesson), fitted)
    from digits.tensorflow_v1 import open_session, tf  # weights.npz is read without it
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 784], name='x')
        # Flags that change the graph, not only how it was trained.
        shape = {flag: bool(record['flags'].get(flag)) for flag in ('deep', 'raw_pixels')
                 if flag in inspect.signature(lesson.inference).parameters}
        logits = lesson.inference(x, **shape)
        session, _ = open_session(precision='float32')
        checkpoints.SaverCheckpoints(folder, session, saves=False).restore()
    return Classifier(script, lambda images: np.concatenate([
        session.run(logits, {x: _rows(chunk)})
        for chunk in np.array_split(images, -(-len(images) // 1000))]), fitted, session, x)


def _doubt(folder, record):
    """What doubt.fit found for the run; None if it had no validation images."""
    kept = record.get('doubt')
    try:
        return kept and {name: float(kept[name]) for name in ('scale', 'least')}
    except (KeyError, TypeError, ValueError):
        raise UserError(f'{folder}: its run.json is not the record of a run (doubt is wrong)'
                        ) from None


def _rows(images):
    """uint8 [n, 28, 28] or [28, 28] -> float32 [n, 784] in [0, 1], what the scripts' graphs take.
    """
    return images.reshape(-1, 784) / np.float32(255)


def _restore_numpy(folder, lesson):
    W, b = np.empty([784, 10], np.float32), np.empty(10, np.float32)
    checkpoints.ArrayCheckpoints(folder, {'W': W, 'b': b}).restore()

    # That digit k is the one, if exactly one of ten sigmoids h is right, has odds h / (1 - h),
    # which is exp(z): the softmax of the logits here too.
    return lambda images: lesson.inference(images.reshape(-1, 784), W, b)
