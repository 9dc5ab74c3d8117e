"""A run: its folder, its steps, and all that goes on around them while a lesson trains.

    with runs.Run(args, mnist, score) as run:
        for images, labels in run.batches():
            _, run.loss = run.session.run([train_step, loss], {x: images, y: labels})
        return run.finish()
"""
import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from digits import STARTED, locks, records
from digits.checkpoints import ArrayCheckpoints, SaverCheckpoints
from digits.errors import UserError


def total_steps(args: argparse.Namespace, num_examples: int) -> int:
    """The number of minibatches that --steps or --epochs ask for."""
    return args.steps or math.ceil(args.epochs * num_examples / args.batch_size)


def _from_here(folder):
    """The folder as one would type it here."""
    try:
        return os.path.relpath(str(folder))
    except ValueError:  # on another drive of a Windows machine
        return str(folder)


class Run:
    """The steps of a training run, with everything around them.

    args: a training script's flags. data: Datasets to train on, watch and score.
    score: (images, labels) -> loss and accuracy (in [0, 1]), both the mean over these images.
    arrays: what a run without TensorFlow trains, by name; otherwise it is the default graph's
    variables, in `session`. steps: how many, if they are not minibatches.
    `step` counts the steps done; the script sets `loss` in every one, and `training_accuracy` if it
    knows that of all training images.
    """

    def __init__(self, args, data, score, arrays=None, steps=None):
        batch_size = getattr(args, 'batch_size', 1)
        if batch_size > data.train.num_examples:
            raise UserError(f'--batch-size {batch_size}: there are {data.train.num_examples:,} '
                            'training images; give a number from 1 to that')
        self.args, self.data, self.loss = args, data, math.nan
        self.training_accuracy = None
        self.session = None
        self._score, self._arrays = score, arrays
        self.step = self._saved_step = 0
        self._looked_step = None
        self.steps = steps or total_steps(args, data.train.num_examples)
        epoch = math.inf if steps else math.ceil(data.train.num_examples / args.batch_size)
        # Between two looks at the validation set: an epoch, or a fifth of a short run, or of a long
        # run as many epochs as make twenty looks.
        self._every = min(epoch, math.ceil(self.steps / 5))
        self._every *= math.ceil(self.steps / 20 / self._every)
        self._epoch_loss = 0.0  # summed over the steps of the epoch that has begun
        self._signal = None

    def __enter__(self):
        self._lock = contextlib.ExitStack()
        if self.args.resume:
            self.folder = Path(self.args.run_dir)
            self._lock.enter_context(locks.held(self.folder))
            self.record = records.read(self.folder)
            if self.record['dataset'] != self.data.name:
                raise UserError(f'{self.folder} was trained on {self.record["dataset"]}, and '
                                f'{self.args.data_dir} holds {self.data.name}')
        else:
            self.folder = records.new_folder(self.args)
            self._lock.enter_context(locks.held(self.folder))
            self.record = records.new(self.args, self.data.name, self.steps)
            records.write(self.folder, self.record)  # a kill from here on leaves a run to resume
        if self._arrays is None:
            self._open_graph()
        else:
            self._checkpoints = ArrayCheckpoints(self.folder, self._arrays)
            self.record['parameters'] = sum(array.size for array in self._arrays.values())
        if self.args.resume:
            self.step = self._saved_step = self._checkpoints.resume()
            if self.step > self.steps:
                raise UserError(f'{self.folder}: its checkpoint is of step {self.step:,}, and the '
                                f'run has {self.steps:,}; train again, in another folder')
            self._epoch_loss = self.record['epoch_losses'].get(str(self.step), 0.0)
        self._open_events()
        self._seconds_before = dict(self.record['seconds'])
        self._training_seconds = self._seconds_before['training']
        self._write_record('running')
        if not self.args.quiet:
            parts = [f'{self.data.name}, {self.data.train.num_examples:,} training images',
                     f'{self.record["parameters"]:,} parameters in {self.record["precision"]}']
            if self.step:
                parts.append(f'going on after step {self.step:,} of {self.steps:,}')
            print('; '.join(parts), file=sys.stderr)
        self._handlers = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def _open_graph(self):
        from digits import tensorflow_v1  # the NumPy script runs without it
        tf = tensorflow_v1.tf
        self.session, precision = tensorflow_v1.open_session(self.args.device, self.args.precision)
        self.session.run(tf.global_variables_initializer())
        self._checkpoints = SaverCheckpoints(self.folder, self.session)
        self.record['parameters'] = int(sum(np.prod(variable.shape.as_list())
                                            for variable in tf.trainable_variables()))
        self.record['precision'] = precision
        self.record['seconds']['import'] = round(tensorflow_v1.IMPORT_SECONDS, 3)
        self.record['versions']['tensorflow'] = tf.__version__
        tf.get_default_graph().finalize()  # from here on, nothing may add operations

    def _open_events(self):
        """Begin or go on with the TensorBoard events; what lies beyond the checkpoint is void."""
        self._events = None
        if self.session is not None:
            from digits.tensorflow_v1 import tf
            self._tf = tf
            self._events = tf.summary.FileWriter(str(self.folder), self.session.graph)
            self._events.add_session_log(tf.SessionLog(status=tf.SessionLog.START),
                                         global_step=self.step + 1)

    def _on_signal(self, number, frame):
        self._signal = number
        self._restore_handlers()  # a second Ctrl-C does not wait for the step's end

    def _restore_handlers(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def batches(self):
        """Yield (images, labels) of every step that is left, in the seed's order."""
        self.data.train.seek(self.step * self.args.batch_size)
        for _ in self.remaining_steps():
            yield self.data.train.next_batch(self.args.batch_size)

    def remaining_steps(self):
        """Yield the number of every step that is left, from 0 or where the checkpoint ends.

        After a step: progress and, from time to time, a look at the validation set and a
        checkpoint. Raises UserError (status 1) once the loss is not finite, SystemExit (128 + the
        signal's number) after Ctrl-C or SIGTERM, when the step is done.
        """
        if getattr(self.args, 'loss_every', None):
            self.print('epoch  loss')
        with tqdm(total=self.steps, initial=self.step, unit=' steps', leave=False,
                  disable=self.args.quiet or None) as bar:
            while self.step < self.steps:
                started = time.perf_counter()
                yield self.step
                self._training_seconds += time.perf_counter() - started
                self.step += 1
                if not math.isfinite(self.loss):
                    self._write_record('diverged')
                    raise UserError(self._divergence(), 1)
                bar.set_postfix_str(self._watched(), refresh=False)
                bar.update()
                self._print_rows()
                if self.step % self._every == 0 or self.step == self.steps:
                    self._look(plain=bar.disable and not self.args.quiet)
                if self._signal:
                    raise SystemExit(128 + self._signal)

    def _divergence(self):
        """What is to be said when the loss is not finite."""
        good = self._checkpoints.newest_whole()
        kept = 'no checkpoint was written before' if good is None else \
            f'the last good checkpoint is that of step {good:,}'
        return (f'step {self.step:,}: the loss is {self.loss}, training has diverged; most often '
                f'--learning-rate {self.args.learning_rate:g} is too large: try a smaller one '
                f'({kept}, in {_from_here(self.folder)})')

    @staticmethod
    def print(text):
        """Print a line on stdout, above the progress bar if there is one."""
        tqdm.write(text)

    def _print_rows(self):
        """What --loss-every and --score-test-every ask for, as the first tutorials printed it."""
        if getattr(self.args, 'loss_every', None):
            self._epoch_loss += float(self.loss)
            count, size = self.data.train.num_examples, self.args.batch_size
            epoch, before = self.step * size // count, (self.step - 1) * size // count
            if epoch > before:
                if epoch % self.args.loss_every == 0:
                    steps = self.step - math.ceil(before * count / size)
                    self.print(f'{epoch:5}  {self._epoch_loss / steps:.6f}')
                self._epoch_loss = 0.0
        every = getattr(self.args, 'score_test_every', None)
        if every and self.step % every == 0:
            loss, accuracy = self.score(self.data.test)
            self.print(f'Step: {self.step}, Loss: {loss:.6f}, Accuracy: {accuracy:.6f}')

    def _watched(self):
        accuracy = self.record['validation_accuracy']
        text = f'loss {self.loss:.4f}'
        return text if accuracy is None else f'{text}, validation accuracy {accuracy:.4f}'

    def _look(self, plain):
        """Score the validation set, note it, save; say so in a plain line if there is no bar."""
        scalars = {'loss': float(self.loss)}
        if self.data.validation.num_examples:
            _, accuracy = self.score(self.data.validation)
            scalars['accuracy'] = accuracy
            self.record['validation_accuracy'] = round(accuracy, 4)
            if accuracy > (self.record['best'] or {'validation_accuracy': -1})[
                    'validation_accuracy']:
                self.record['best'] = {'step': self.step, 'validation_accuracy': accuracy}
        if self._events:
            value = self._tf.Summary.Value
            self._events.add_summary(self._tf.Summary(value=[
                value(tag=tag, simple_value=number) for tag, number in scalars.items()]),
                self.step)
            self._events.flush()
        self._save()
        self._looked_step = self.step
        if plain:
            left = self._training_seconds / self.step * (self.steps - self.step)
            print(f'step {self.step:,} of {self.steps:,}: {self._watched()}, {left:.0f} s left',
                  file=sys.stderr)

    def _save(self):
        """Write a checkpoint and the record; of the checkpoints keep the last two and the best."""
        # The record goes first: whichever checkpoint a crash leaves, what belongs to it is known.
        self.record['epoch_losses'][str(self.step)] = self._epoch_loss
        self._write_record('running')
        self._checkpoints.save(self.step)
        self._saved_step = self.step
        best = (self.record['best'] or {'step': None})['step']
        for step in self._checkpoints.steps()[:-2]:
            if step != best:
                self._checkpoints.remove(step)
        kept = set(map(str, self._checkpoints.steps()))
        self.record['epoch_losses'] = {
            step: loss for step, loss in self.record['epoch_losses'].items() if step in kept}
        self._write_record('running')

    def score(self, dataset) -> tuple:
        """Loss and accuracy over a whole data set, 1,000 images at a time: memory stays small."""
        scores = [(*self._score(images, labels), len(images))
                  for images, labels in dataset.in_order(1000)]
        losses, accuracies, counts = zip(*scores)
        loss = np.average(losses, weights=counts)
        accuracy = np.average(accuracies, weights=counts)
        return float(loss), float(accuracy)

    def finish(self) -> float:
        """Score the test set, print the results, complete run.json; returns the test accuracy."""
        if self._looked_step != self.step:
            self._look(plain=False)
        if self.record['validation_accuracy'] is not None:
            print(f'validation accuracy: {self.record["validation_accuracy"]:.4f}'
                  f'{self.data.label}')
        elif self.session is not None:  # no validation set: trained on everything
            _, self.training_accuracy = self.score(self.data.train)
            print(f'training accuracy: {self.training_accuracy:.4f}{self.data.label}')
        if self.data.validation.num_examples:
            self.record['doubt'] = self._fit_doubt()
        _, accuracy = self.score(self.data.test)
        self.record['test_accuracy'] = round(accuracy, 4)
        self._write_record('finished')
        if not self.args.quiet:
            seconds = self.record['seconds']
            print(f'{seconds["training"]:.1f} s of training, {seconds["whole"]:.1f} s in all; '
                  f'kept in {_from_here(self.folder)}', file=sys.stderr)
        print(f'test accuracy: {accuracy:.4f}{self.data.label}')
        return accuracy

    def _fit_doubt(self):
        """How sure what predict.py restores may be, from the validation images."""
        from digits import classifier, doubt
        images = self.data.validation.pixels.reshape(-1, 28, 28)
        return doubt.fit(classifier.restore(self.folder).logits(images),
                         self.data.validation.labels)

    def __exit__(self, kind, error, trace):
        self._restore_handlers()
        try:
            if self._signal and kind is SystemExit:
                if self._saved_step != self.step:
                    self._save()
                self._write_record('interrupted')
                print(f'Stopped after step {self.step:,} of {self.steps:,}; go on with:\n'
                      f'    python {self.args.script}.py --resume --run-dir '
                      f'{_from_here(self.folder)}', file=sys.stderr)
        finally:
            if self._events:
                self._events.close()
            if self.session is not None:
                self.session.close()
            self._lock.close()

    def _write_record(self, status):
        seconds, before = self.record['seconds'], self._seconds_before
        seconds['data'] = round(self.data.seconds, 3)
        seconds['training'] = round(self._training_seconds, 3)
        seconds['whole'] = round(before['whole'] + time.perf_counter() - STARTED, 3)
        images = self.step * getattr(self.args, 'batch_size', self.data.train.num_examples)
        if self._training_seconds:
            self.record['images_per_second'] = round(images / self._training_seconds)
        if self.training_accuracy is not None:
            self.record['training_accuracy'] = round(float(self.training_accuracy), 4)
        self.record.update(status=status, steps=self.step)
        records.write(self.folder, self.record)
