"""The loop around a lesson's steps: save, resume, evaluate, show progress."""
import argparse
import contextlib
import math
import random
import time
from typing import Any, Iterator, Optional

import numpy as np
from tqdm import tqdm

from digits import command_line
from digits.datasets.dataset import Batch, Datasets
from digits.errors import UserError
from digits.signals import Signals
from digits.training import evaluation, progress
from digits.training.folders import RunFolder
from digits.training.models import Model

CHECK_STEPS = 100  # until which something must have changed
SAVE_SECONDS = 60  # between two checkpoints, at most: what SIGKILL may cost


class Run:
    """A training run, as a context.

    `step` is the number of finished steps, of `total_steps`. The lesson sets `loss` in every step,
    and `training_accuracy` if it computes that over all training images. Raises UserError for
    one-hot labels.
    """

    def __init__(self, args: argparse.Namespace, data: Datasets, model: Model, total_steps: int):
        if data.train.labels.ndim != 1:
            raise UserError('labels are to be digits: leave one_hot out, and use '
                            'tf.one_hot(labels, 10) in the graph')
        self.step, self.total_steps = 0, total_steps
        self.loss = self.training_accuracy = None  # type: Optional[float]
        self._args, self._data, self._model = args, data, model
        self._batch_size = getattr(args, 'batch_size', data.train.num_examples)
        self._every = evaluation.interval(total_steps, data.train.num_examples / self._batch_size)
        self._batch: Optional[Batch] = None
        self._summaries: Any = None
        self._checkpoints: Any = None  # once the loop has begun
        self._saved_step, self._evaluated_step, self._training_seconds = 0, -1, 0.0
        self._saved_at = time.monotonic()
        self._left = False

    def __enter__(self) -> 'Run':
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(RunFolder(
                self._args, self._data, self._model, self.total_steps))
            self._signals = stack.enter_context(Signals())
            self._stack = stack.pop_all()
        self.record = self._folder.record
        return self

    def _begin(self):
        """Restore and announce the run: before the first step, after variable initialization."""
        self._checkpoints = self._model.checkpoints(self._folder.path)
        self._model.begin(maps=self._args.plots)
        if self._folder.resumed:
            self.step = self._saved_step = self._checkpoints.resume()
            if self.step > self.total_steps:
                raise UserError(f'{self._folder.path}: its checkpoint is of step {self.step:,}, and'
                                f' the run has {self.total_steps:,}; train again in another folder')
        self._training_seconds = self._folder.begin(self.step)
        if self._args.summary_every:
            from digits.training import tensorboard  # imported here: it takes 0.25 s
            self._summaries = tensorboard.RunSummaries(self._folder.path, self._model, self._data,
                                                       self.record, self.step)
            self._stack.callback(self._summaries.close)
        if not self._args.quiet:
            progress.announce(self._data, self.record, self._model)

    def batches(self) -> Iterator[Batch]:
        """Yield (images, labels) for each remaining step, in the seed's order."""
        for step in self.remaining_steps():
            if self._batch is None:
                self._data.train.reseed(self._args.seed)  # read_data_sets shares NumPy's stream
            self._data.train.seek(step * self._batch_size)  # the lesson may have drawn more
            self._batch = batch = self._data.train.next_batch(self._batch_size)
            yield batch

    def remaining_steps(self) -> Iterator[int]:
        """Yield the number of each remaining step, from 0 or the checkpoint's step.

        After a step: progress and, from time to time, an evaluation on the validation set. There is
        a checkpoint at each evaluation and every SAVE_SECONDS. Raises UserError (status 1) if the
        loss is not finite or the first CHECK_STEPS change nothing, SystemExit (128 + the signal's
        number) after a step with Ctrl-C or SIGTERM. NumPy's and Python's global random numbers are
        seeded for each step, so that a resumed run draws the same.
        """
        if self._checkpoints is None:  # else the lesson has had a loop before
            self._begin()
        first = self.step
        with contextlib.closing(progress.Progress(
                self.total_steps, self.step, self._args.quiet)) as shown:
            while self.step < self.total_steps:
                started, loss_before = time.perf_counter(), self.loss
                self._evaluated_step = -1
                drawn = (self._args.seed * 1000003 + self.step) % 2 ** 32
                random.seed(drawn)
                np.random.seed(drawn)
                try:
                    yield self.step
                except GeneratorExit:  # a break in the lesson's loop, before or after its step
                    self.step += self.loss is not loss_before
                    raise
                self._training_seconds += time.perf_counter() - started
                self.step += 1
                loss = self._finite_loss()
                if self.step == min(first + CHECK_STEPS, self.total_steps):
                    self._model.check_step()
                images = self.step * self._batch_size
                if self._summaries and self.step % self._args.summary_every == 0:
                    self._summaries.step(self, self._batch, images, self._training_seconds)
                due = self.step % self._every == 0 or self.step == self.total_steps
                if due:
                    self._evaluate()
                elif time.monotonic() - self._saved_at > SAVE_SECONDS:
                    self._save()
                shown.show(self.step, self._training_seconds, images / self._training_seconds,
                           loss, self.record.validation_accuracy, evaluated=due)
                if self._signals.received:
                    raise SystemExit(128 + self._signals.received)

    def _finite_loss(self):
        if self.loss is None or np.ndim(self.loss):
            raise UserError('the loop does not set run.loss to a number; end a step with  '
                            '_, run.loss = session.run([train_step, loss], ...)', 1)
        self._check_finite(self.loss, 'loss')
        return self.loss

    def _check_finite(self, loss, name):
        if not math.isfinite(loss):
            self._write('diverged')
            raise evaluation.diverged(self._args, self.record, f'the {name} is {loss}',
                                      self.step == 1 and name == 'loss',
                                      self._checkpoints.newest_whole(), self._folder.path)

    @staticmethod
    def print(text: str) -> None:
        """Print a line on stdout, above the progress bar if there is one."""
        tqdm.write(text)

    def _evaluate(self):
        """Evaluate on the validation set, note it, save."""
        loss = evaluation.validate(self._model, self._data, self.record, self.step, self.loss,
                                   self._summaries)
        if loss is not None:
            self._check_finite(loss, 'loss on the validation images')
        self._save()
        self._evaluated_step = self.step

    def _save(self):
        self._write('running')  # first: then every checkpoint has a record after a crash
        self._checkpoints.save(self.step)
        self._saved_step, self._saved_at = self.step, time.monotonic()
        self._folder.keep_checkpoints(self._checkpoints)

    def finish(self) -> float:
        """Score the test set, print the results, complete run.json; returns the test accuracy.

        Raises UserError (status 1) after the end of the run's context.
        """
        if self._left:
            raise UserError('run.finish() is called after the end of the with block, where the '
                            'session is closed; indent it', 1)
        if self._checkpoints is None:
            raise UserError('run.finish() comes before a loop over run.batches(), which gives the '
                            'minibatches and keeps the run', 1)
        if self._evaluated_step != self.step:
            self._evaluate()
        with command_line.waiting('scoring the test images', self._args.quiet):
            final = evaluation.Final(self._model, self._data, self.record)
            if self._summaries:
                final.summarize(self._summaries, self.step)
        if self._args.plots:
            with command_line.waiting('drawing', self._args.quiet):
                final.draw(self._folder.path)
        self._write('finished')
        final.print_results(self._folder.path, self._args.quiet)
        return final.accuracy

    def __exit__(self, kind, error, trace):
        self._left = True
        try:
            if kind is None and self.record.status != 'finished':
                progress.print_unscored(self._args, self._folder.path)
            if self._signals.received and kind is SystemExit:
                if self._saved_step != self.step:
                    self._save()
                self._write('interrupted')
                progress.print_interruption(self._args, self.record, self._folder.path)
        finally:
            self._stack.__exit__(kind, error, trace)
        if kind is RuntimeError and 'finalized' in str(error):
            raise UserError('the graph is complete once training begins: make all operations, also '
                            'those of tf.assign and metrics, before the with block', 1) from error

    def _write(self, status):
        self._folder.write(status, self.step, self.step * self._batch_size, self._training_seconds,
                           self.training_accuracy)
