"""The models that a run trains, a graph or arrays, with one interface."""
import abc
import inspect
import numbers
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from digits.errors import UserError
from digits.training.checkpoints import ArrayCheckpoints, Checkpoints, SaverCheckpoints

CHUNK = 1000  # images at a time, to save memory


def logits_in_chunks(logits: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """logits(images) float [n, 10] of images [n, ...], CHUNK at a time."""
    return np.concatenate([logits(images[start:start + CHUNK])
                           for start in range(0, max(len(images), 1), CHUNK)])


class Model(abc.ABC):
    """The interface of a run to its model; the defaults are for a model without a graph.

    parameters: their number; arrays: the shapes of the arrays of a model without TensorFlow, by
    name; versions: of the libraries that it uses, by name.
    """

    graph: Any = None
    placeholders: List[str] = []
    convolutions = 0
    precision = 'float32'
    import_seconds = 0.0
    parameters: int
    arrays: Dict[str, list]
    versions: Dict[str, str]

    def begin(self, maps: bool) -> None:  # noqa: B027
        """Prepare the first step. maps: whether feature maps will be needed."""

    def unrepeatable(self) -> List[str]:
        """The names of operations whose random numbers differ in a resumed run."""
        return []

    @abc.abstractmethod
    def checkpoints(self, folder: Path) -> Checkpoints:
        """The checkpoints in a run's folder."""

    @abc.abstractmethod
    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Tuple[float, float]:
        """The loss and the accuracy, means over these images."""

    @abc.abstractmethod
    def logits(self, images: np.ndarray) -> np.ndarray:
        """float [n, 10] for images [n, 784], scaled as in training."""

    @abc.abstractmethod
    def weights(self) -> Dict[str, np.ndarray]:
        """The trained parameters, by name, the first layer's weights first."""

    def activations(self, images: np.ndarray) -> Dict[str, np.ndarray]:
        """The layers' activations for images [n, 784], by name."""
        return {}

    def feature_maps(self, image: np.ndarray) -> List[Tuple[str, np.ndarray]]:
        """[(title, float [h, w, filters])] of each convolution for one image [1, 784]."""
        return []

    def learning_rate(self) -> Optional[float]:
        """The learning rate of the next step, None if it is constant."""
        return None

    def check_step(self) -> None:  # noqa: B027
        """Raise UserError (status 1) if no step has changed what is saved."""


class GraphModel(Model):
    """A TensorFlow graph in a session: tensors of images, labels, logits [n, 10], loss, accuracy.

    session: may be None and set later; saver: the tf.train.Saver that writes checkpoints;
    learning_rate: a number, or a tensor if it is not constant.
    Raises UserError for a tensor of another shape than evaluations need, [n, 784], [n], [n, 10]
    and scalars, for images that are not float32, and for a further placeholder without a default.
    """

    def __init__(self, session: Any, saver: Any, images: Any, labels: Any, logits: Any, loss: Any,
                 accuracy: Any, learning_rate: Any = None):
        from digits import tensorflow_v1  # the NumPy script runs without it
        from digits.training import graph
        for name, tensor, sides, advice in (
                ('images', images, 2, 'make it [None, 784], and reshape it in inference'),
                ('labels', labels, 1, 'make it [None]; tf.one_hot(labels, 10) has a row for each'),
                ('loss', loss, 0, 'take tf.reduce_mean of it, one number'),
                ('accuracy', accuracy, 0, 'take tf.reduce_mean of it, one number')):
            if tensor.shape.ndims not in (None, sides):
                raise UserError(f'{name} has the shape {tensor.shape}: {advice}')
        if logits.shape.ndims is not None and logits.shape.as_list()[1:] not in ([10], [None]):
            raise UserError(f'logits has the shape {logits.shape}: make it [None, 10], a column '
                            'for each digit')
        if images.shape.ndims and images.shape.as_list()[1] not in (784, None):
            raise UserError(f'images has the shape {images.shape}: make it [None, 784], and change '
                            'the size in inference')
        if images.dtype != tensorflow_v1.tf.float32:
            raise UserError(f'images has the type {images.dtype.name}: make it tf.float32, as all '
                            'that reads with the run does')
        evaluated = [logits, loss, accuracy]
        if isinstance(learning_rate, numbers.Real):
            learning_rate = float(learning_rate)
        elif learning_rate is not None:
            evaluated.append(learning_rate)
        for name in graph.unfed(evaluated, [images, labels]):
            raise UserError(f'the placeholder {name} has no value when the run is evaluated: give '
                            'it one, with tf.placeholder_with_default')
        self._tf, self._found = tensorflow_v1.tf, graph
        self.session, self._saver = session, saver
        self._images, self._labels, self._logits = images, labels, logits
        self._loss, self._accuracy, self._learning_rate = loss, accuracy, learning_rate
        self._activations = graph.activations(logits)
        self._maps: Optional[list] = None
        with logits.graph.as_default():
            trained = self._tf.trainable_variables()
        self._trained = {variable.op.name: variable for variable in trained}
        self.graph = logits.graph
        self.parameters = int(sum(np.prod(variable.shape.as_list()) for variable in trained))
        self.convolutions = graph.count_convolutions(logits)
        self.precision = getattr(session, 'precision', 'float32')
        self.versions = {'tensorflow': self._tf.__version__}
        self.import_seconds = tensorflow_v1.IMPORT_SECONDS
        self.arrays = {}
        self.placeholders = graph.placeholders(logits)

    def begin(self, maps: bool) -> None:
        """Finalize the graph; if `maps`, first add operations for feature maps.

        Raises UserError for a variable that the Saver leaves out, and for one of text.
        """
        for name in self._found.unsaved(self._saver, self.graph) if self._saver else ():
            raise UserError(f'the Saver does not save {name} whole and under this name, without '
                            'which no run can be resumed: make it after the optimizer, as '
                            'tf.train.Saver(), and leave partitioners out')
        for variable in self.graph.get_collection(self._tf.GraphKeys.GLOBAL_VARIABLES):
            if variable.dtype.base_dtype == self._tf.string:
                raise UserError(f'the variable {variable.op.name} is text, which no run can '
                                'resume: keep it outside of the graph')
        if maps:
            self._maps = self._found.feature_maps(self._logits)
        self.graph.finalize()

    def step_bytes(self) -> Tuple[int, int]:
        """About how many bytes a training step needs: in any case, and for each image.

        In any case: parameters, their gradients, the two moments of Adam. For each image: a factor
        times what is computed on the way to the loss. Measured for mnist_cnn.py: up to 1.2 times
        that in float32 (gradients need memory too, but buffers are used again), 0.5 to 0.6 in
        bfloat16.
        """
        factor = 0.7 if self.precision == 'bfloat16' else 1.3
        return 16 * self.parameters, int(factor * self._found.bytes_an_image(self._loss))

    def unrepeatable(self) -> List[str]:
        return self._found.unrepeatable(self.graph)

    def checkpoints(self, folder: Path) -> SaverCheckpoints:
        return SaverCheckpoints(folder, self.session, self._saver)

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Tuple[float, float]:
        loss, accuracy = self.session.run([self._loss, self._accuracy],
                                           {self._images: images, self._labels: labels})
        return loss, accuracy

    def logits(self, images: np.ndarray) -> np.ndarray:
        return logits_in_chunks(lambda chunk: self.session.run(
            [self._logits], {self._images: chunk})[0], images)

    def weights(self) -> Dict[str, np.ndarray]:
        return dict(zip(self._trained, self.session.run(list(self._trained.values()))))

    def activations(self, images: np.ndarray) -> Dict[str, np.ndarray]:
        return dict(zip(self._activations, self.session.run(
            list(self._activations.values()), {self._images: images})))

    def feature_maps(self, image: np.ndarray) -> List[Tuple[str, np.ndarray]]:
        if not self._maps:
            return []
        titles, tensors = zip(*self._maps)
        return [(title, values[0]) for title, values in
                zip(titles, self.session.run(list(tensors), {self._images: image}))]

    def learning_rate(self) -> Optional[float]:
        if self._learning_rate is None or isinstance(self._learning_rate, float):
            return self._learning_rate
        return float(self.session.run(self._learning_rate))

    def check_step(self) -> None:
        counter = self._tf.train.get_global_step(self.graph)
        if counter is not None and not self.session.run(counter):
            raise UserError('global_step is still 0: give it to the optimizer, minimize(loss, '
                            'global_step)', 1)


class ArrayModel(Model):
    """NumPy arrays that a script trains in place, by name.

    inference(images, **arrays) gives logits [n, 10]; loss(logits, labels) the mean loss.
    Raises UserError for an array that is not float32 or whose name inference does not take.
    """

    def __init__(self, arrays: Dict[str, np.ndarray], inference: Callable[..., np.ndarray],
                 loss: Callable[[np.ndarray, np.ndarray], float]):
        for name, array in arrays.items():
            if array.dtype != np.float32:
                raise UserError(f'the array {name} is {array.dtype}: make it float32, with '
                                f'{name} = {name}.astype(np.float32)')
        try:
            inspect.signature(inference).bind(None, **arrays)
        except TypeError as error:
            raise UserError(f'inference cannot be called with the arrays of the run ({error}): '
                            'give them the names of its parameters') from error
        self._arrays, self._inference, self._loss = arrays, inference, loss
        self.parameters = sum(array.size for array in arrays.values())
        self.arrays = {name: list(array.shape) for name, array in arrays.items()}
        self.versions = {}
        self._first = {name: array.copy() for name, array in arrays.items()}

    def check_step(self) -> None:
        if all(np.array_equal(array, self._first[name]) for name, array in self._arrays.items()):
            raise UserError('no step has changed an array of the run: update them in place, with '
                            '-= or [:] =', 1)

    def checkpoints(self, folder: Path) -> ArrayCheckpoints:
        return ArrayCheckpoints(folder, self._arrays)

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Tuple[float, float]:
        logits = self._inference(images, **self._arrays)
        return self._loss(logits, labels), float(np.mean(logits.argmax(axis=1) == labels))

    def logits(self, images: np.ndarray) -> np.ndarray:
        return logits_in_chunks(lambda chunk: self._inference(chunk, **self._arrays), images)

    def weights(self) -> Dict[str, np.ndarray]:
        return self._arrays
