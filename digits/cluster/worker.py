"""The loop around the steps of a cluster's worker: save, evaluate, show progress.

    with worker.WorkerRun(args, mnist, saver, precision, images, labels, logits, loss,
                          accuracy) as run:
        with tf.train.MonitoredTrainingSession(...) as session:
            run.begin(session, global_step)
            while run.goes_on():
                batch_images, batch_labels = run.batch()
                run.step, run.loss = session.run(...)
        return run.finish(inference, cross_entropy)
"""
import argparse
import contextlib
import json
import math
import os
import sys
import time
from typing import Any, Callable, Optional

from digits import training
from digits.cluster import flags
from digits.cluster.flags import CHILD, MARK
from digits.cluster.watchdog import Watchdog
from digits.datasets.dataset import Batch, Datasets
from digits.errors import UserError
from digits.tensorflow_v1 import open_session, tf, uses_gpu
from digits.training import evaluation, memory, progress
from digits.training.checkpoints import SaverCheckpoints
from digits.training.folders import RunFolder
from digits.training.models import GraphModel

REPORT_SECONDS = 0.2  # between two progress lines for local.py


class RawSession:
    """A MonitoredSession without its hooks, which would count an evaluation as a step."""

    def __init__(self, session: Any):
        self._session, self.graph = session, session.graph

    def run(self, fetches: Any, feed_dict: Optional[dict] = None) -> Any:
        """As Session.run."""
        return self.call(lambda session: session.run(fetches, feed_dict))

    def call(self, function: Callable[[Any], Any]) -> Any:
        """Call a function with the underlying tf.Session, and return its result."""
        return self._session.run_step_fn(lambda step_context: function(step_context.session))


class WorkerRun:
    """The steps of one worker, as a context; the chief also keeps the run's folder.

    `step` is the global step, `total_steps` the last one; the script sets step and loss in each.
    On the chief, `folder` is the path of the run's folder; on the others it is None. tensors: those
    of GraphModel.
    """

    def __init__(self, args: argparse.Namespace, data: Datasets, saver: Any, precision: str,
                 *tensors: Any):
        self.args, self._data, self._saver = args, data, saver
        self.step, self.loss = 0, math.nan
        self._images_a_step = images_a_step(args)
        count = data.train.num_examples
        self.total_steps = total_steps(args, count)
        self.chief = args.task_index == 0
        self.folder: Optional[str] = None
        self._model = GraphModel(None, saver, *tensors)
        self._model.precision = precision
        if not uses_gpu(args.device):
            memory.check(self._model, args.batch_size, args.workers if CHILD in os.environ else 1)
        self._every = evaluation.interval(self.total_steps, count / self._images_a_step)
        self._own_steps = 0
        self._summaries: Any = None
        self.training_accuracy: Optional[float] = None
        self._training_seconds, self._reported = 0.0, time.perf_counter()

    def __enter__(self) -> 'WorkerRun':
        with contextlib.ExitStack() as stack:
            if self.chief:
                self._folder = stack.enter_context(RunFolder(
                    self.args, self._data, self._model, self.total_steps))
                self.folder, self.record = str(self._folder.path), self._folder.record
            self._watchdog = Watchdog(self.args)
            self._watchdog.start()
            stack.callback(self._watchdog.close)
            self._stack = stack.pop_all()
        return self

    def begin(self, session: Any, global_step: tf.Tensor) -> None:
        """Start from the cluster's global step; the chief announces the run."""
        args, self._session = self.args, RawSession(session)
        self.step = self._noted_step = int(self._session.run(global_step))
        self._own_steps = self.step // args.workers
        self._seconds_before, self._begun_at = 0.0, time.perf_counter()
        self._saved_at, self._under_way = self._begun_at, False
        quiet = args.quiet or CHILD in os.environ
        self._progress = progress.Progress(self.total_steps, self.step, quiet)
        self._stack.callback(self._progress.close)
        if not self.chief:
            return
        self._model.session = self._session
        self._seconds_before = self._folder.begin(self.step)
        if args.summary_every:
            from digits.training import tensorboard  # imported here: it takes 0.25 s
            self._summaries = tensorboard.RunSummaries(self._folder.path, self._model, self._data,
                                                       self.record, self.step)
            self._stack.callback(self._summaries.close)
        if not args.quiet:
            progress.announce(self._data, self.record, self._model)
            how = 'asynchronous' if args.asynchronous else 'synchronous'
            print(f'{how}, {args.workers} workers with batches of {args.batch_size}',
                  file=sys.stderr)

    def goes_on(self) -> bool:
        """Finish a step; return whether to do another. The chief also evaluates and saves.

        Raises UserError (status 1) if the loss is not finite.
        """
        if not self._under_way:
            self._under_way = True
            return self.step < self.total_steps and not self._watchdog.signal
        self._own_steps += 1
        self.step = int(self.step)  # for JSON: the script sets a NumPy number
        self._training_seconds = self._seconds_before + time.perf_counter() - self._begun_at
        self._check_finite(self.loss, 'loss')
        ended = self.step >= self.total_steps or bool(self._watchdog.signal)
        evaluated = False
        if self.chief:
            evaluated = self._summarize_and_evaluate()
            if ended or time.perf_counter() - self._saved_at > self.args.checkpoint_every:
                self._save()
        self._watchdog.alive()
        self._show(evaluated)
        return not ended

    def _images(self):
        """The number of images that the cluster has trained on."""
        return self.step * self._images_a_step

    def _summarize_and_evaluate(self):
        """Write summaries and evaluate, if due; return whether it has evaluated."""
        every = self.args.summary_every
        # Other asynchronous workers may have done any number of steps since.
        before, self._noted_step = self._noted_step, self.step
        if self._summaries and self.step // every > before // every:
            self._summaries.step(self, self._batch, self._images(), self._training_seconds)
        if self.step // self._every == before // self._every and self.step < self.total_steps:
            return False
        loss = evaluation.validate(self._model, self._data, self.record, self.step, self.loss,
                                   self._summaries)
        if loss is not None:
            self._check_finite(loss, 'loss on the validation images')
        return True

    def _check_finite(self, loss, name):
        if not math.isfinite(loss):
            if self.chief:
                self._write('diverged')
            raise UserError(f'step {self.step:,}: the {name} is {loss}, training has diverged; '
                            'try a smaller --learning-rate', 1)

    def _save(self):
        self._write('running')
        self._session.call(lambda session: self._checkpoints(session).save(self.step))
        self._saved_at = time.perf_counter()
        self._folder.keep_checkpoints(self._session.call(self._checkpoints))

    def _checkpoints(self, session):
        return SaverCheckpoints(self._folder.path, session, self._saver)

    def _show(self, evaluated):
        """Show progress: a line for the parent, a bar, or a line every few seconds."""
        now = time.perf_counter()
        if CHILD in os.environ:
            if now - self._reported > REPORT_SECONDS or self.step >= self.total_steps:
                self._reported = now
                print(MARK + json.dumps([self.args.task_index, self.step, self.total_steps,
                                         float(self.loss)]), flush=True)
            return
        accuracy = self.record.validation_accuracy if self.chief else None
        self._progress.show(self.step, self._training_seconds,
                            self._images() / self._training_seconds, self.loss, accuracy,
                            evaluated)

    def batch(self) -> Batch:
        """This worker's (images, labels) for the next step, images [batch, 784]."""
        self._data.train.seek(position(self.args, self.step, self._own_steps))
        self._batch = self._data.train.next_batch(self.args.batch_size)
        return self._batch

    def finish(self, inference: Callable[..., tf.Tensor],
               cross_entropy: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Optional[float]:
        """After the session: the chief scores the last checkpoint, and returns the test accuracy.

        It does so on a separate graph, built by the lesson's functions, since the servers with the
        variables may have ended. Raises SystemExit (128 + the signal's number) if Ctrl-C or
        SIGTERM ended the steps.
        """
        self._progress.close()
        if self._watchdog.signal:
            if self.chief:
                self._write('interrupted')
                progress.print_interruption(self.args, self.record, self._folder.path,
                                            flags.place(self.args))
            raise SystemExit(128 + self._watchdog.signal)
        if not self.chief:
            return None
        with tf.Graph().as_default():
            images = tf.placeholder(tf.float32, [None, 784], name='images')
            labels = tf.placeholder(tf.int64, [None], name='labels')
            logits = inference(images)
            correct = tf.equal(tf.argmax(logits, 1), labels)
            accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
            model = GraphModel(None, None, images, labels, logits, cross_entropy(logits, labels),
                               accuracy)
            model.begin(maps=self.args.plots)
            session = open_session(self.args.device, 'float32')
        with session:
            model.session = session
            SaverCheckpoints(self._folder.path, session).restore()
            final = evaluation.Final(model, self._data, self.record)
            if self._summaries:
                final.summarize(self._summaries, self.step)
            if self.args.plots:
                final.draw(self._folder.path)
        self._write('finished')
        final.print_results(self._folder.path, self.args.quiet)
        return final.accuracy

    def _write(self, status):
        self._folder.write(status, self.step, self._images(), self._training_seconds)

    def __exit__(self, kind, error, trace):
        self._stack.__exit__(kind, error, trace)


def workers_a_step(args: argparse.Namespace) -> int:
    """How many workers' minibatches make a step: all of them if they are synchronous."""
    return 1 if args.asynchronous else args.workers


def images_a_step(args: argparse.Namespace) -> int:
    """The number of images per step."""
    return args.batch_size * workers_a_step(args)


def total_steps(args: argparse.Namespace, num_examples: int) -> int:
    """The number of steps, from --steps or --epochs; UserError as training.total_steps."""
    return training.total_steps(args, num_examples, workers_a_step(args))


def position(args: argparse.Namespace, step: int, own_steps: int) -> int:
    """Where in the seed's order of images a worker's next minibatch begins.

    In a synchronous step, worker k takes the k-th part of the minibatch of a single process, so
    that all together see each image once per epoch. An asynchronous worker takes every N-th part,
    at its own speed.
    """
    turn = own_steps if args.asynchronous else step
    return (turn * args.workers + args.task_index) * args.batch_size
