"""Evaluation of a model: during training, and once, at the end, on the test set."""
import argparse
import math
import sys
from pathlib import Path
from typing import Any, List, Optional, Tuple

import numpy as np

from digits.datasets.dataset import DataSet, Datasets
from digits.errors import UserError
from digits.training import calibration
from digits.training.models import CHUNK, Model
from digits.training.progress import from_here
from digits.training.record import PROBE, Record


def scaled(images: np.ndarray, record: Record) -> np.ndarray:
    """float32 [n, 784] of images uint8 [n, 28, 28], in [0, 1] or [0, 255] as in the training."""
    return images.reshape(-1, 784) * np.float32(record.pixel_max) / np.float32(255)


def evaluate(model: Model, dataset: DataSet) -> Tuple[float, float]:
    """Mean loss and accuracy over a data set."""
    scores = [(*model.evaluate(images, labels), len(images))
              for images, labels in dataset.in_order(CHUNK)]
    losses, accuracies, counts = zip(*scores)
    return (float(np.average(losses, weights=counts)),
            float(np.average(accuracies, weights=counts)))


def interval(total_steps: int, steps_an_epoch: float) -> int:
    """The number of steps between two evaluations.

    An epoch, but at most a fifth of the run; in a long run, a multiple of that, for at most twenty
    evaluations. If every step is an epoch, a fifth of the run.
    """
    every = math.ceil(total_steps / 5)
    if steps_an_epoch > 1:
        every = min(every, math.ceil(steps_an_epoch))
    return every * math.ceil(total_steps / 20 / every)


def validate(model: Model, data: Datasets, record: Record, step: int, loss: Optional[float],
             summaries: Any) -> Optional[float]:
    """Evaluate on the validation images, if there are any; note it in the record.

    loss: of the step; summaries: tensorboard.RunSummaries to note it in too, or None.
    Returns the loss on the validation images; if it is not finite, nothing is noted.
    """
    scores = evaluate(model, data.validation) if data.validation.num_examples else None
    if scores is not None and not math.isfinite(scores[0]):
        return scores[0]
    note(record, step, loss, scores)
    if summaries:
        summaries.evaluation(step, scores)
    return None if scores is None else scores[0]


def note(record: Record, step: int, loss: Optional[float],
         scores: Optional[Tuple[float, float]]) -> None:
    """Add to the record the training loss, and the (loss, accuracy) on validation images."""
    entry = record.evaluations.setdefault(str(step), {})
    if loss is not None:  # it is None if the run was resumed after its last step
        entry['loss'] = float(loss)
    if scores is None:
        return
    entry['validation_loss'], accuracy = scores
    entry['validation_accuracy'] = accuracy
    record.validation_accuracy = round(accuracy, 4)
    if record.best is None or accuracy > record.best['validation_accuracy']:
        record.best = {'step': step, 'validation_accuracy': accuracy}


def diverged(args: argparse.Namespace, record: Record, loss: str, initial: bool,
             good_step: Optional[int], folder: Path) -> UserError:
    """The exception for a loss that is not finite, such as 'the loss is nan'.

    initial: whether it is that of the initial values.
    good_step: of the last good checkpoint, or None.
    """
    if initial:
        return UserError(f'step 1: {loss}, diverged before anything was learned: it takes the log '
                         'of 0 or divides by 0, which those of the lessons do not, given logits, '
                         'or the initial values are too large', 1)
    kept = 'no checkpoint was written before' if good_step is None else \
        f'the last good checkpoint is that of step {good_step:,}'
    return UserError(f'step {record.steps:,}: {loss}, training has diverged; '
                     f'usually --learning-rate {args.learning_rate:g} is too large: try a smaller '
                     f'one ({kept}, in {from_here(folder)})', 1)


class Final:
    """The scores of a trained model at the end of a run.

    accuracy: of the test set. probabilities: calibrated, of the validation images, or None.
    """

    def __init__(self, model: Model, data: Datasets, record: Record):
        self._model, self._data, self._record = model, data, record
        self.probabilities: Optional[np.ndarray] = None
        self._lines: List[str] = []
        if data.validation.num_examples:
            logits = np.concatenate([model.logits(images)
                                     for images, _ in data.validation.in_order(CHUNK)])
            self._lines.append(
                f'validation accuracy: {record.validation_accuracy:.4f}{data.label}')
            record.calibration = calibration.fit(logits, data.validation.labels)
            self.probabilities = calibration.probabilities(logits, record.calibration['scale'])
        elif record.training_accuracy is None:
            _, accuracy = evaluate(model, data.train)
            record.training_accuracy = round(accuracy, 4)
            self._lines.append(f'training accuracy: {accuracy:.4f}{data.label}')
        _, self.accuracy = evaluate(model, data.test)
        record.test_accuracy = round(self.accuracy, 4)
        logits = model.logits(scaled(PROBE, record))[0].tolist()
        record.probe = [round(value, 4) for value in logits] if np.isfinite(logits).all() else None

    def summarize(self, summaries: Any, step: int) -> None:
        """Write the accuracy, the first layer, missed digits and fc1's activations for TensorBoard.

        summaries: tensorboard.RunSummaries, which not every run imports.
        """
        summaries.training(step, test_accuracy=self.accuracy)
        summaries.filters(step, *next(iter(self._model.weights().items())))
        if self.probabilities is not None:
            validation = self._data.validation
            summaries.missed(step, validation.pixels.reshape(-1, 28, 28), validation.labels,
                             self.probabilities)
        few = self._data.test.pixels[:summaries.PROJECTED]
        images, labels = next(self._data.test.in_order(summaries.PROJECTED))
        hidden = self._model.activations(images).get('fc1/activations')
        if hidden is not None:
            summaries.projector(few.reshape(-1, 28, 28), labels, hidden)

    def draw(self, folder: Path) -> None:
        """Draw digits.png, curves.png, missed.png, weights.png and maps.png into the folder."""
        from digits.training import plots  # imports matplotlib
        plots.of_run(folder, self._record, self._data, self._model)

    def print_results(self, folder: Path, quiet: bool) -> None:
        """Print the results on stdout; on stderr, unless quiet, the times and the folder."""
        print(*self._lines, sep='\n', end='\n' * bool(self._lines))
        seconds = self._record.seconds
        if not quiet:
            print(f'{seconds["training"]:.1f} s of training, {seconds["whole"]:.1f} s in all; '
                  f'kept in {from_here(folder)}', file=sys.stderr)
        print(f'test accuracy: {self.accuracy:.4f}{self._data.label}', flush=True)
