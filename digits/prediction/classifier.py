"""A run's checkpoint as a function: images in, probabilities out."""
import ast
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from digits import paths
from digits.errors import UserError
from digits.training import calibration, checkpoints, evaluation, folders
from digits.training.models import logits_in_chunks
from digits.training.record import PROBE, Record

# Lessons under the names that they had in earlier versions.
EARLIER_SCRIPTS = {'mnist_cnn_3x3': 'c_cnn_3x3'}


def newest_run() -> Path:
    """The newest run with a checkpoint in runs/, of a convolutional network if there is one."""
    return newest_runs()[0]


def newest_runs() -> List[Path]:
    """newest_run() and, if that is of a convolutional network, the newest of one that is not."""
    found = []
    for folder in paths.RUNS.glob('*/*'):
        if (folder / 'run.json').is_file() and checkpoints.exist(folder):
            try:
                record = Record.read(folder)
            except UserError as error:
                print(f'skipped: {error}', file=sys.stderr)
                continue
            convolutional = record.convolutions or (
                record.convolutions is None and record.script not in (
                    'mnist_softmax', 'mnist_numpy_sigmoid'))
            found.append((bool(convolutional), record.started, folder.name, folder))
    if not found:
        raise UserError(f'no checkpoint in {paths.RUNS} yet: run  python mnist_cnn.py  first')
    kinds = {each[0]: each[-1] for each in sorted(found)}  # the newest of each
    return [kinds[kind] for kind in sorted(kinds, reverse=True)]


class Classifier:
    """A trained network: classify(images uint8 [n, 28, 28]) -> (probabilities, doubts).

    probabilities: float [n, 10]; doubts: n strings, '' or a short reason not to be sure.
    logits: images -> their logits [n, 10].
    maps: image -> [(title, float [h, w, filters])].
    layers: () -> a layers.Layers, which adds to the graph; None without a graph.
    """

    def __init__(self, script: str, logits: Callable[[np.ndarray], np.ndarray],
                 fitted: Optional[Dict[str, float]],
                 maps: Callable[[np.ndarray], List[Tuple[str, np.ndarray]]] = lambda image: [],
                 layers: Callable[[], Any] = lambda: None):
        self._script, self.logits, self._fitted, self._maps = script, logits, fitted, maps
        self.layers = layers

    def __call__(self, images: np.ndarray) -> Tuple[np.ndarray, List[str]]:
        logits = self.logits(images)
        if self._fitted is None:
            return calibration.probabilities(logits), [''] * len(images)
        scale, least = self._fitted['scale'], self._fitted['least']
        return (calibration.probabilities(logits, scale),
                calibration.reasons(logits, least, scale))

    def feature_maps(self, image: np.ndarray) -> List[Tuple[str, np.ndarray]]:
        """[(title, float [h, w, filters])]: feature maps of an image uint8 [28, 28].

        Of each convolution its output and the output of its activation, in the graph's order.
        Raises UserError if the run's script has no convolution.
        """
        maps = self._maps(image)
        if not maps:
            raise UserError(f'{self._script} has no convolutions of images [n, h, w, channels], so '
                            'no feature maps; name a run of mnist_cnn or of a copy of it with '
                            '--run-dir')
        return maps


def restore(folder: Path) -> Classifier:
    """The trained network of a run.

    The graph is built by the lesson that run.json names, a file of this project; the folder
    supplies numbers only. Raises UserError if there is no such lesson or no fitting checkpoint.
    """
    record = Record.read(folder)

    def rows(images):
        return evaluation.scaled(images, record)

    if is_numpy(record):
        lesson, arrays = load_lesson(folder, record), restore_arrays(folder, record)
        flags = _inference_flags(folder, record, lesson)
        # Given that exactly one of ten independent sigmoids h is 1, the probability of each is
        # proportional to h / (1 - h) = exp(z): again the softmax of the logits z.
        return _compared(folder, record, Classifier(record.script, lambda images: logits_in_chunks(
            lambda chunk: lesson.inference(rows(chunk), **arrays, **flags), images),
            record.calibration))

    from digits.tensorflow_v1 import open_session, tf  # weights.npz needs no TensorFlow
    from digits.training import graph
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 784], name='images')
        logits = build_graph(folder, record, x)
        found = graph.feature_maps(logits)
        session = open_session(precision='float32')
        checkpoints.SaverCheckpoints(folder, session).restore()

    def maps(image):
        if not found:
            return []
        values = session.run([tensor for _, tensor in found], {x: rows(image)})
        return [(title, value[0]) for (title, _), value in zip(found, values)]

    def layers():
        from digits.prediction.layers import Layers
        return Layers(session, logits, lambda image: {x: rows(image)}, found)

    return _compared(folder, record, Classifier(record.script, lambda images: logits_in_chunks(
        lambda chunk: session.run([logits], {x: rows(chunk)})[0], images), record.calibration,
        maps, layers))


def _compared(folder, record, classify):
    """The classifier, after a notice on stderr if it computes other logits than were scored."""
    scored = np.array(record.probe or ())
    found = classify.logits(PROBE[np.newaxis])[0] if len(scored) else scored
    if len(scored) and (len(scored) != len(found)
                        or abs(found - scored).max() > 0.05 + 0.03 * np.ptp(scored)):
        print(f'{folder}: inference in {record.script}.py does not compute the logits that were '
              'scored: what main does to images or logits belongs into inference', file=sys.stderr)
    return classify


def is_numpy(record: Record) -> bool:
    """Whether a run's lesson computes with NumPy alone."""
    return bool(record.arrays) or record.script == 'mnist_numpy_sigmoid'


def restore_arrays(folder: Path, record: Record) -> Dict[str, np.ndarray]:
    """The arrays of a NumPy lesson's newest checkpoint, by name; UserError as in `restore`."""
    shapes = record.arrays or {'W': [784, 10], 'b': [10]}
    arrays = {name: np.empty(shape, np.float32) for name, shape in shapes.items()}
    checkpoints.ArrayCheckpoints(folder, arrays).restore()
    return arrays


def build_graph(folder: Path, record: Record, images: Any) -> Any:
    """Add the lesson's graph to the default one; returns the logits [n, 10].

    images: a tensor [n, 784], scaled as in training, to [0, record.pixel_max]. The variables are
    not restored. Raises UserError as `restore` does.
    """
    lesson = load_lesson(folder, record)
    flags = _inference_flags(folder, record, lesson)
    try:
        logits = lesson.inference(images, **_without_randomness(lesson, flags))
        if not hasattr(logits, 'shape'):
            raise TypeError(f'inference returns a {type(logits).__name__}, not the logits alone')
    except (TypeError, ValueError) as error:
        raise UserError(f'{folder}: {record.script}.py cannot build its graph with the flags '
                        f'in run.json ({error})') from error
    return logits


def _without_randomness(lesson, flags):
    """The flags but for one, with a default, that makes the logits random: a rate of dropout."""
    from digits.tensorflow_v1 import tf
    from digits.training import graph

    def is_random(flags):
        with tf.Graph().as_default() as probe:
            lesson.inference(tf.placeholder(tf.float32, [None, 784]), **flags)
            return graph.is_random(probe)

    parameters = inspect.signature(lesson.inference).parameters
    optional = [name for name in flags if parameters[name].default is not inspect.Parameter.empty]
    if optional and is_random(flags):
        for left_out in optional:
            fewer = {name: value for name, value in flags.items() if name != left_out}
            if not is_random(fewer):
                return fewer
    return flags


def load_lesson(folder: Path, record: Record) -> ModuleType:
    """The module of the lesson that trained a run: a script beside predict.py or in articles/.

    It must define inference, and train only if it is run as a script. Nothing from the run's folder
    is executed.
    """
    script = EARLIER_SCRIPTS.get(record.script, record.script)
    path = folders.lesson_path(script)
    tree = folders.source(path)[1] if path else None
    if tree is None or not _defines_inference(tree):
        raise UserError(f'{folder}: its run.json names {record.script!r}, and there is no '
                        f'{script}.py here that defines inference')
    if _trains(tree):
        raise UserError(f'{path}: trains whenever it is imported; its last lines must be  '
                        "if __name__ == '__main__':  and below that, indented, the call of main")
    module = sys.modules.get(script)
    if module is not None and Path(getattr(module, '__file__', None) or '.') == path:
        return module
    spec = importlib.util.spec_from_file_location(script, str(path))
    assert spec is not None and spec.loader is not None  # the file's name ends in .py
    lesson = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lesson)
    return lesson


def _trains(tree):
    """Whether a script calls main outside of all functions and conditions."""
    return any(isinstance(name, ast.Name) and name.id == 'main'
               for node in tree.body if isinstance(node, ast.Expr) for name in ast.walk(node))


def _defines_inference(tree):
    """Whether a script defines inference or imports it, found without executing the script."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == 'inference':
            return True
        if isinstance(node, ast.ImportFrom) and any(
                {'inference', '*'} & {alias.name, alias.asname} for alias in node.names):
            return True
        targets = getattr(node, 'targets', None) or [getattr(node, 'target', None)]
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and any(
                isinstance(target, ast.Name) and target.id == 'inference' for target in targets):
            return True
    return False


def _inference_flags(folder, record, lesson):
    """The flags to pass to the lesson's inference, by the names of its parameters.

    Not those that training fed through a placeholder of that name, such as a dropout rate.
    """
    if record.flags.get('raw_pixels'):
        raise UserError(f'{folder} was trained with --raw-pixels, which mnist_softmax.py no longer '
                        'supports; train it again')
    parameters = list(inspect.signature(lesson.inference).parameters.values())[1:]
    found = {parameter.name: record.flags[parameter.name] for parameter in parameters
             if record.flags.get(parameter.name) is not None
             and parameter.name not in record.placeholders}
    missing = [parameter.name for parameter in parameters
               if parameter.default is parameter.empty and parameter.name not in found
               and parameter.name not in (record.arrays or {'W', 'b'})
               and parameter.kind == parameter.POSITIONAL_OR_KEYWORD]
    if missing:
        raise UserError(f'{folder}: inference in {record.script}.py needs {missing[0]!r}, which is '
                        'not a flag of the run; give it a default value')
    return found
