"""A run's events for TensorBoard, written without TensorFlow.

The subfolder `validation` of the run's folder has loss and accuracy on validation images, under the
same names as those of training in the run's folder: TensorBoard draws both into one chart.
"""
import io
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterable, Optional, Tuple

import numpy as np
import tensorboard
from PIL import Image, ImageDraw
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.pr_curve import metadata as pr_curve
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util
from tqdm import tqdm

from digits.datasets.dataset import Batch, Datasets
from digits.training.flags import NOT_IN_RECIPE
from digits.training.models import Model
from digits.training.record import Record

BUCKETS = 30  # of a histogram, as in TensorBoard
THRESHOLDS = 101  # of a precision-recall curve: 0, 0.01, ..., 1
MAX_MISSED = 64  # missed digits in one image
# Shown beside a chart: why training can be above validation.
DESCRIPTIONS = {
    'loss': 'Training: of the last minibatch, with what makes training harder, such as dropout, '
            'warped images and images that are not digits. Validation: without these, so it can be '
            'lower.',
    'accuracy': 'Training: of the last minibatch. Validation: of images that are not trained on.'}
FIRST = ('script', 'seed')  # of the columns of HParams
COLUMNS = (*FIRST, 'steps', 'epochs', 'batch_size', 'learning_rate', 'validation_size', 'precision')
WATCHED = 200  # validation images for histograms of activations


class Events:
    """A new events file in `folder`, from step `start` on.

    If a crash cuts the file short, TensorBoard reads up to there. It discards events of step
    `start` and later in older files of the folder.
    """

    def __init__(self, folder: Path, start: int):
        folder.mkdir(exist_ok=True)
        name = f'events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}'
        self._records = RecordWriter(io.BufferedWriter(io.FileIO(str(folder / name), 'xb')))
        self.add(0, file_version='brain.Event:2')
        self.add(start, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))

    def add(self, step: int, **what: Any) -> None:
        """Write an event: summary, graph_def, session_log or file_version."""
        event = event_pb2.Event(wall_time=time.time(), step=step, **what)
        self._records.write(event.SerializeToString())

    def values(self, step: int, values: Iterable[Any]) -> None:
        """Write values of a summary, protocol buffers of summary_pb2.Summary.Value."""
        self.add(step, summary=summary_pb2.Summary(value=values))

    def flush(self) -> None:
        """Flush buffered events, so that TensorBoard can read them."""
        self._records.flush()

    def close(self) -> None:
        """Write what is left."""
        self._records.close()


class RunSummaries:
    """The events of a Run after `step`; older events of later steps are discarded."""

    PROJECTED = 2000  # test images in the projector

    def __init__(self, folder: Path, model: Model, data: Datasets, record: Record, step: int):
        self._folder, self._model, self._noticed = folder, model, False
        self._few = next(data.validation.in_order(WATCHED), (None,))[0]
        self._before, self._rate = (step, record.seconds['training']), record.flags['learning_rate']
        self._training = Events(folder, step + 1)
        self._validation = (Events(folder / 'validation', step + 1)
                            if data.validation.num_examples else None)
        self._hyperparameters(step + 1, record)
        if model.graph is not None:
            self._training.add(0, graph_def=model.graph.as_graph_def(
                add_shapes=True).SerializeToString())

    def _hyperparameters(self, step, record):
        """Write script and flags, under the run's name, and the columns that HParams begins with.
        """
        flags = {'script': record.script, **record.flags}
        flags = {name: value if isinstance(value, (bool, int, float, str)) else str(value)
                 for name, value in flags.items()
                 if value is not None and (name not in NOT_IN_RECIPE or name == 'seed')}
        columns = hparams.hparams_config_pb(
            [hparams.HParam(name) for name in dict.fromkeys([*COLUMNS, *flags])],
            [hparams.Metric('test_accuracy', display_name='test accuracy'),
             hparams.Metric('accuracy', 'validation', 'validation accuracy')])
        content = columns.value[0].metadata.plugin_data
        described = plugin_data_pb2.HParamsPluginData.FromString(content.content)
        for info in described.experiment.hparam_infos:
            if info.name in FIRST and hasattr(info, 'differs'):  # newer ones sort by it
                info.differs = True
        content.content = described.SerializeToString()
        name = '/'.join(self._folder.resolve().parts[-2:])
        for part in columns, hparams.hparams_pb(flags, trial_id=name):
            self._training.add(step, summary=summary_pb2.Summary.FromString(
                part.SerializeToString()))

    def training(self, step: int, **scalars: float) -> None:
        """Write scalars of training after a step, by name."""
        self._training.values(step, _scalars(scalars))

    def histograms(self, step: int, arrays: Dict[str, np.ndarray]) -> None:
        """Write histograms of arrays by name; those that are not finite are left out."""
        self._training.values(step, [_histogram(name, array) for name, array in arrays.items()
                                     if self._is_shown(step, name, array)])
        self._training.flush()

    def _is_shown(self, step, name, array):
        """Whether an array can be shown; print a notice about the first that cannot."""
        shown = array.size > 0 and bool(np.isfinite(array).all())
        if not shown and not self._noticed:
            self._noticed = True
            tqdm.write(f'TensorBoard does not show {name} of step {step:,}: '
                       f'{"not all of its values are finite" if array.size else "it is empty"}',
                       file=sys.stderr)
        return shown

    def filters(self, step: int, name: str, weights: np.ndarray) -> None:
        """Write the first layer as images, weights [784, n] or [h, w, 1, filters].

        Weights of another shape, of a changed lesson, are left out, and what is not finite.
        """
        if not self._is_shown(step, name, weights):
            return
        if weights.ndim == 4:
            grid = _grid(weights[:, :, 0].transpose(2, 0, 1), 8)
        elif weights.ndim == 2 and len(weights) == 784:
            names = list(map(str, range(10))) if weights.shape[1] == 10 else []
            grid = _grid(weights.T.reshape(-1, 28, 28), 2, names)
        else:
            return
        self._training.values(step, [_image(f'{name}/images', grid)])

    def missed(self, step: int, images: np.ndarray, labels: np.ndarray,
               probabilities: np.ndarray) -> None:
        """Write misclassified images uint8 [n, 28, 28], and precision and recall of each digit.

        Below each image are its label and the prediction: 4 as 9.
        """
        wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)[:MAX_MISSED]
        values = [_precision_recall(digit, labels == digit, probabilities[:, digit])
                  for digit in range(10)]
        if wrong.size:
            found = probabilities[wrong].argmax(axis=1)
            values.append(_image('missed', _grid(
                images[wrong].astype(np.float32), 2,
                [f'{label} as {digit}' for label, digit in zip(labels[wrong], found)])))
        assert self._validation is not None
        self._validation.values(step, values)

    def projector(self, images: np.ndarray, labels: np.ndarray, activations: np.ndarray) -> None:
        """Put activations float [n, units] of images uint8 [n, 28, 28] into the projector.

        TensorBoard 1.15 cannot read them.
        """
        if tensorboard.__version__.startswith('1.'):
            return
        folder = self._folder / 'projector'
        folder.mkdir(exist_ok=True)
        activations.astype('<f4').tofile(str(folder / 'fc1.bytes'))
        (folder / 'labels.tsv').write_text(''.join(f'{label}\n' for label in labels))
        wide = int(np.ceil(np.sqrt(len(images))))
        sprite = np.zeros([wide * wide, 28, 28], np.uint8)
        sprite[:len(images)] = images
        sprite = sprite.reshape(wide, wide, 28, 28).swapaxes(1, 2).reshape(wide * 28, wide * 28)
        Image.fromarray(sprite).save(str(folder / 'sprites.png'))
        (self._folder / 'projector_config.pbtxt').write_text(
            'embeddings {\n  tensor_name: "fc1"\n  tensor_path: "projector/fc1.bytes"\n'
            f'  tensor_shape: {len(images)}\n  tensor_shape: {activations.shape[1]}\n'
            '  metadata_path: "projector/labels.tsv"\n  sprite {\n'
            '    image_path: "projector/sprites.png"\n'
            '    single_image_dim: 28\n    single_image_dim: 28\n  }\n}\n')

    def step(self, run: Any, batch: Optional[Batch], images: int, seconds: float) -> None:
        """Write loss, learning rate and speed of a step, and the accuracy on its minibatch.

        run: a Run, or a cluster's WorkerRun; images, seconds: of training so far.
        """
        before, seconds_before = self._before
        self._before = run.step, seconds
        rate = self._model.learning_rate()
        scalars = {'loss': run.loss, 'learning_rate': self._rate if rate is None else rate,
                   'images_per_second': images * (1 - before / run.step)
                   / max(seconds - seconds_before, 1e-9)}
        if run.training_accuracy is not None:
            scalars['accuracy'] = run.training_accuracy
        elif batch is not None:
            pixels, labels = batch
            digits = labels < 10  # without outliers
            if digits.any():
                _, scalars['accuracy'] = self._model.evaluate(pixels[digits], labels[digits])
        self.training(run.step, **scalars)

    def evaluation(self, step: int, scores: Optional[Tuple[float, float]]) -> None:
        """Write an evaluation, (loss, accuracy) or None, and histograms of finite arrays."""
        if scores is not None:
            assert self._validation is not None
            self._validation.values(step, _scalars(dict(zip(('loss', 'accuracy'), scores))))
            self._validation.flush()
        watched = {} if self._few is None else self._model.activations(self._few)
        self.histograms(step, {**self._model.weights(), **watched})

    def close(self) -> None:
        """Write what is left."""
        self._training.close()
        if self._validation:
            self._validation.close()


def _scalars(scalars):
    return [summary_pb2.Summary.Value(tag=name, simple_value=float(value), metadata=_metadata(name))
            for name, value in scalars.items()]


def _metadata(name):
    """A scalar's description; TensorBoard's fast loader keeps it only with a data class."""
    found = summary_pb2.SummaryMetadata(summary_description=DESCRIPTIONS.get(name, ''))
    found.plugin_data.plugin_name = 'scalars'
    if hasattr(summary_pb2, 'DataClass'):  # not in 1.15
        found.data_class = summary_pb2.DataClass.Value('DATA_CLASS_SCALAR')
    return found


def _histogram(name, array):
    values = array.astype(np.float64).ravel()
    least, most = values.min(), values.max()
    # At least so wide that the edges of 30 buckets differ, however large the values are.
    wider = max(0.5 if least == most else 0, 1e-6 * max(-least, most) - (most - least))
    counts, edges = np.histogram(values, BUCKETS, (least - wider, most + wider))
    with np.errstate(over='ignore'):
        squares = values @ values
    return summary_pb2.Summary.Value(tag=name, histo=summary_pb2.HistogramProto(
        min=least, max=most, num=values.size, sum=values.sum(), sum_squares=squares,
        bucket_limit=edges[1:], bucket=counts))


def _image(name, pixels):
    """pixels: uint8 [h, w]."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'PNG')
    height, width = pixels.shape
    return summary_pb2.Summary.Value(tag=name, image=summary_pb2.Summary.Image(
        height=height, width=width, colorspace=1, encoded_image_string=file.getvalue()))


def _caption(text, width):
    """A line of text below a tile: uint8 [12, width]."""
    line = Image.new('L', (width, 12))
    ImageDraw.Draw(line).text((2, 0), text, fill=255)
    return np.asarray(line)


def _grid(tiles, scale, captions=()):
    """float [n, h, w] -> uint8: eight tiles per row, enlarged by `scale`, grey between.

    captions: a text below each tile, or none.
    White is the largest magnitude. Black is 0, or its negative if there are negative values.
    """
    most = np.abs(tiles).max() or 1.0
    least = -most if tiles.min() < 0 else 0.0
    pixels = np.rint(255 * (tiles - least) / (most - least)).astype(np.uint8)
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    if captions:
        lines = np.stack([_caption(text, pixels.shape[2]) for text in captions])
        pixels = np.concatenate([pixels, lines], axis=1)
    pixels = np.pad(pixels, ((0, -len(pixels) % 8), (1, 1), (1, 1)), 'constant',
                    constant_values=96)
    count, height, width = pixels.shape
    return pixels.reshape(count // 8, 8, height, width).swapaxes(1, 2).reshape(
        count // 8 * height, 8 * width)


def _precision_recall(digit, right, share):
    """The curve of one digit. right: whether it is the label, bool [n]; share: probability [n]."""
    thresholds = np.linspace(0, 1, THRESHOLDS)
    above = share[:, np.newaxis] >= thresholds
    true, false = above[right].sum(axis=0), above[~right].sum(axis=0)
    curve = np.stack([
        true, false, np.count_nonzero(~right) - false, np.count_nonzero(right) - true,
        true / np.maximum(true + false, 1), true / max(np.count_nonzero(right), 1)])
    return summary_pb2.Summary.Value(
        tag=f'digit {digit}', tensor=tensor_util.make_tensor_proto(curve.astype(np.float32)),
        metadata=pr_curve.create_summary_metadata(f'digit {digit}', '', THRESHOLDS))
