"""A run: its folder, its steps, and all that goes on around them while a lesson trains.

    with runs.Run(args, mnist, score) as run:
        for images, labels in run.batches():
            _, run.loss = run.session.run([train_step, loss], {x: images, y: labels})
        return run.finish()
"""
import argparse
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from digits import records
from digits.checkpoints import ArrayCheckpoints, SaverCheckpoints
from digits.errors import UserError

_started = time.perf_counter()  # scripts import this first of all: the process's own start


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
    score: (images, labels) -> the accuracy over these images, in [0, 1].
    arrays: what a run without TensorFlow trains, by name; otherwise it is the default graph's
    variables, in `session`. `step` counts the steps done; the script sets `loss` in every one.
    """

    def __init__(self, args, data, score, arrays=None):
        self.args, self.data, self.loss = args, data, math.nan
        self.session = None
        self._score, self._arrays = score, arrays
        self.step = self._saved_step = 0
        self._looked_step = None
        if getattr(args, 'batch_size', None):
            self.steps = total_steps(args, data.train.num_examples)
            epoch = math.ceil(data.train.num_examples / args.batch_size)
        else:
            self.steps, epoch = args.steps or args.epochs, math.inf
        # Between two looks at the validation set: an epoch, or a fifth of a short run.
        self._every = min(epoch, math.ceil(self.steps / 5))
        self._signal = None

    def __enter__(self):
        if self.args.resume:
            self.folder = Path(self.args.run_dir)
            self.record = records.read(self.folder)
            if self.record['dataset'] != self.data.name:
                raise UserError(f'{self.folder} was trained on {self.record["dataset"]}, and '
                                f'{self.args.data_dir} holds {self.data.name}')
        else:
            self.folder = records.new_folder(self.args)
            self.record = records.new(self.args, self.data.name, self.steps)
        if self._arrays is None:
            self._open_graph()
        else:
            self._checkpoints = ArrayCheckpoints(self.folder, self._arrays)
            self.record['parameters'] = sum(array.size for array in self._arrays.values())
        if self.args.resume and self._checkpoints.steps():
            self.step = self._saved_step = self._checkpoints.restore()
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
        with tqdm(total=self.steps, initial=self.step, unit=' steps', leave=False,
                  disable=self.args.quiet or None) as bar:
            while self.step < self.steps:
                started = time.perf_counter()
                yield self.step
                self._training_seconds += time.perf_counter() - started
                self.step += 1
                if not math.isfinite(self.loss):
                    self._write_record('diverged')
                    raise UserError(
                        f'step {self.step:,}: the loss is {self.loss}, training has diverged; '
                        f'try a smaller --learning-rate (kept in {_from_here(self.folder)})',
                        1)
                bar.set_postfix_str(self._watched(), refresh=False)
                bar.update()
                if self.step % self._every == 0 or self.step == self.steps:
                    self._look(plain=bar.disable and not self.args.quiet)
                if self._signal:
                    raise SystemExit(128 + self._signal)

    @staticmethod
    def print(text):
        """Print a line on stdout, above the progress bar if there is one."""
        tqdm.write(text)

    def _watched(self):
        accuracy = self.record['validation_accuracy']
        text = f'loss {self.loss:.4f}'
        return text if accuracy is None else f'{text}, validation accuracy {accuracy:.4f}'

    def _look(self, plain):
        """Score the validation set, note it, save; say so in a plain line if there is no bar."""
        scalars = {'loss': float(self.loss)}
        if self.data.validation.num_examples:
            accuracy = scalars['accuracy'] = self.score(self.data.validation)
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
        self._checkpoints.save(self.step)
        self._saved_step = self.step
        best = (self.record['best'] or {'step': None})['step']
        for step in self._checkpoints.steps()[:-2]:
            if step != best:
                self._checkpoints.remove(step)
        self._write_record('running')

    def score(self, dataset) -> float:
        """Accuracy over a whole data set, 1,000 images at a time, so that memory stays small."""
        hits = sum(self._score(images, labels) * len(images)
                   for images, labels in dataset.in_order(1000))
        return float(hits / dataset.num_examples)

    def finish(self) -> float:
        """Score the test set, print the results, complete run.json; returns the test accuracy."""
        if self._looked_step != self.step:
            self._look(plain=False)
        if self.record['validation_accuracy'] is not None:
            print(f'validation accuracy: {self.record["validation_accuracy"]:.4f}'
                  f'{self.data.label}')
        accuracy = self.score(self.data.test)
        self.record['test_accuracy'] = round(accuracy, 4)
        self._write_record('finished')
        if not self.args.quiet:
            print(f'kept in {_from_here(self.folder)}', file=sys.stderr)
        print(f'test accuracy: {accuracy:.4f}{self.data.label}')
        return accuracy

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

    def _write_record(self, status):
        seconds, before = self.record['seconds'], self._seconds_before
        seconds['data'] = round(self.data.seconds, 3)
        seconds['training'] = round(self._training_seconds, 3)
        seconds['whole'] = round(before['whole'] + time.perf_counter() - _started, 3)
        images = self.step * getattr(self.args, 'batch_size', self.data.train.num_examples)
        if self._training_seconds:
            self.record['images_per_second'] = round(images / self._training_seconds)
        self.record.update(status=status, steps=self.step)
        records.write(self.folder, self.record)
