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

from digits import STARTED, command_line, locks
from digits.errors import UserError
from digits.prediction import plots
from digits.training import records
from digits.training.checkpoints import ArrayCheckpoints, SaverCheckpoints

SAY_EVERY = 5  # seconds between two lines of progress where there is no bar


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
    learning_rate: a tensor that has it, if it changes. arrays: what a run without TensorFlow
    trains, by name; otherwise it is the default graph's variables, in `session`. steps: how many,
    if they are not minibatches.
    `step` counts the steps done; the script sets `loss` in every one, and `training_accuracy` if it
    knows that of all training images.
    """

    def __init__(self, args, data, score, learning_rate=None, arrays=None, steps=None):
        batch_size = getattr(args, 'batch_size', 1)
        if batch_size > data.train.num_examples:
            raise UserError(f'--batch-size {batch_size}: there are {data.train.num_examples:,} '
                            'training images; give a number from 1 to that')
        self.args, self.data, self.loss = args, data, math.nan
        self.training_accuracy = None
        self.session = None
        self._score, self._learning_rate, self._arrays = score, learning_rate, arrays
        self._batch = self._summaries = None
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
        self.record['looks'] = {step: look for step, look in self.record['looks'].items()
                                if step.isdecimal() and int(step) <= self.step}
        self._seconds_before = dict(self.record['seconds'])
        self._training_seconds = self._seconds_before['training']
        if self.args.summary_every:
            self._open_summaries()
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

    def _open_summaries(self):
        """Begin or go on with what TensorBoard shows; what lies beyond the checkpoint is void."""
        from digits.training import tensorboard  # a quarter of a second, only for who wants them
        flags = {name: value for name, value in self.record['flags'].items()
                 if name not in command_line.NO_RECIPE or name == 'seed'}
        self._summaries = tensorboard.Summaries(self.folder, flags, self.step + 1,
                                              bool(self.data.validation.num_examples))
        if self.session is not None:
            self._summaries.graph(self.session.graph)
        self._summarized = self.step, self._training_seconds

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
            self._batch = self.data.train.next_batch(self.args.batch_size)
            yield self._batch

    def remaining_steps(self):
        """Yield the number of every step that is left, from 0 or where the checkpoint ends.

        After a step: progress and, from time to time, a look at the validation set and a
        checkpoint. Raises UserError (status 1) once the loss is not finite, SystemExit (128 + the
        signal's number) after Ctrl-C or SIGTERM, when the step is done.
        """
        if getattr(self.args, 'loss_every', None):
            self.print('epoch  loss')
        with tqdm(total=self.steps, initial=self.step, desc='first step', leave=False,
                  bar_format='step {n_fmt} of {total_fmt} {bar} {desc}, {remaining} left',
                  disable=self.args.quiet or None) as bar:
            plain, self._said = bar.disable and not self.args.quiet, time.perf_counter()
            while self.step < self.steps:
                started = time.perf_counter()
                yield self.step
                self._training_seconds += time.perf_counter() - started
                self.step += 1
                if not math.isfinite(self.loss):
                    self._write_record('diverged')
                    raise UserError(self._divergence(), 1)
                bar.set_description_str(self._watched('validation'), refresh=False)
                bar.update()
                self._print_rows()
                if self._summaries and self.step % self.args.summary_every == 0:
                    self._summarize()
                if self.step % self._every == 0 or self.step == self.steps:
                    self._look(plain)
                elif plain and time.perf_counter() - self._said > SAY_EVERY:
                    self._say()
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

    def _watched(self, name='validation accuracy'):
        accuracy, text = self.record['validation_accuracy'], f'loss {self.loss:.4f}'
        if accuracy is not None:
            text += f', {name} {accuracy:.4f}'
        return f'{text}, {self._images(self.step) / self._training_seconds:,.0f} images/s'

    def _images(self, steps):
        """How many images so many steps learn from."""
        return steps * getattr(self.args, 'batch_size', self.data.train.num_examples)

    def _summarize(self):
        """Note what this step knows of training; of its minibatch as the validation set is scored.
        """
        scalars = {'loss': self.loss, 'learning_rate': self.args.learning_rate}
        step, seconds = self._summarized
        self._summarized = self.step, self._training_seconds
        scalars['images_per_second'] = (self._images(self.step - step)
                                        / max(self._training_seconds - seconds, 1e-9))
        if self._learning_rate is not None and not isinstance(self._learning_rate, float):
            scalars['learning_rate'] = self.session.run(self._learning_rate)
        if self.training_accuracy is not None:
            scalars['accuracy'] = self.training_accuracy
        elif self._batch is not None:
            images, labels = self._batch
            digits = labels < 10  # not the images of no digit
            if digits.any():
                _, scalars['accuracy'] = self._score(images[digits], labels[digits])
        self._summaries.training(self.step, **scalars)

    def _look(self, plain):
        """Score the validation set, note it, save; say so in a plain line if there is no bar."""
        look = self.record['looks'].setdefault(str(self.step), {})
        if math.isfinite(self.loss):  # not where a run was resumed after its last step
            look['loss'] = float(self.loss)
        if self.data.validation.num_examples:
            loss, accuracy = self.score(self.data.validation)
            look.update(validation_loss=loss, validation_accuracy=accuracy)
            if self._summaries:
                self._summaries.validation(self.step, loss=loss, accuracy=accuracy)
            self.record['validation_accuracy'] = round(accuracy, 4)
            if accuracy > (self.record['best'] or {'validation_accuracy': -1})[
                    'validation_accuracy']:
                self.record['best'] = {'step': self.step, 'validation_accuracy': accuracy}
        if self._summaries:
            self._summaries.weights(self.step, {**self._trained(), **self._activations()})
        self._save()
        self._looked_step = self.step
        if plain:
            self._say()

    def _say(self):
        """A line of progress, where there is no bar."""
        left = self._training_seconds / self.step * (self.steps - self.step)
        print(f'step {self.step:,} of {self.steps:,}: {self._watched()}, {left:.0f} s left',
              file=sys.stderr)
        self._said = time.perf_counter()

    def _trained(self):
        """What is trained, by name, the first layer's weights first."""
        if self._arrays is not None:
            return self._arrays
        from digits.tensorflow_v1 import tf
        variables = {variable.op.name: variable for variable in tf.trainable_variables()}
        return dict(zip(variables, self.session.run(list(variables.values()))))

    def _activations(self):
        """What layers make of a few validation images, by name."""
        from digits.training import tensorboard
        few = next(self.data.validation.in_order(tensorboard.WATCHED), None)
        if self.session is None or few is None:
            return {}
        from digits import tensorflow_v1
        outputs = tensorflow_v1.activations(self.session.graph)
        x = self.session.graph.get_tensor_by_name('input/x:0')
        return dict(zip(outputs, self.session.run(list(outputs.values()), {x: few[0]})))

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
        with command_line.waiting('scoring the test images', self.args.quiet):
            logits = self._fit_doubt() if self.data.validation.num_examples else None
            _, accuracy = self.score(self.data.test)
            self.record['test_accuracy'] = round(accuracy, 4)
            if self._summaries:
                self._summaries.training(self.step, test_accuracy=accuracy)
                self._show(logits)
        if self.args.plots:
            with command_line.waiting('drawing', self.args.quiet):
                first = next(iter(self._trained().values()))
                plots.of_run(self.folder, self.record['looks'], self.data, first)
        self._write_record('finished')
        if not self.args.quiet:
            seconds = self.record['seconds']
            print(f'{seconds["training"]:.1f} s of training, {seconds["whole"]:.1f} s in all; '
                  f'kept in {_from_here(self.folder)}', file=sys.stderr)
        print(f'test accuracy: {accuracy:.4f}{self.data.label}')
        return accuracy

    def _fit_doubt(self):
        """Note how sure what predict.py restores may be; returns the validation images' logits."""
        from digits.prediction import classifier
        from digits.training import calibration
        images, labels = self.data.validation.pixels, self.data.validation.labels
        logits = classifier.restore(self.folder).logits(images.reshape(-1, 28, 28))
        self.record['doubt'] = calibration.fit(logits, labels)
        return logits

    def _show(self, logits):
        """Show in TensorBoard what was missed on validation images with these logits, what the
        first layer looks for, and what fc1 makes of test images.
        """
        from digits.training import calibration, tensorboard
        self._summaries.filters(self.step, *next(iter(self._trained().items())))
        if logits is not None:
            validation = self.data.validation
            self._summaries.missed(
                self.step, validation.pixels.reshape(-1, 28, 28), validation.labels,
                calibration.probabilities(logits, self.record['doubt']['scale']))
        if self.session is None:
            return
        from digits import tensorflow_v1
        graph = self.session.graph
        fc1 = tensorflow_v1.activations(graph).get('fc1/activations')
        if fc1 is not None:
            count = tensorboard.PROJECTED
            images, labels = next(self.data.test.in_order(count))
            self._summaries.projector(
                self.data.test.pixels[:count].reshape(-1, 28, 28), labels,
                self.session.run([fc1], {graph.get_tensor_by_name('input/x:0'): images})[0])

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
            if self._summaries:
                self._summaries.close()
            if self.session is not None:
                self.session.close()
            self._lock.close()

    def _write_record(self, status):
        seconds, before = self.record['seconds'], self._seconds_before
        seconds['data'] = round(self.data.seconds, 3)
        seconds['training'] = round(self._training_seconds, 3)
        seconds['whole'] = round(before['whole'] + time.perf_counter() - STARTED, 3)
        if self._training_seconds:
            self.record['images_per_second'] = round(
                self._images(self.step) / self._training_seconds)
        if self.training_accuracy is not None:
            self.record['training_accuracy'] = round(float(self.training_accuracy), 4)
        self.record.update(status=status, steps=self.step)
        records.write(self.folder, self.record)
