"""One process of a cluster: which one it is, who the others are, and what goes on around its steps.

    args = cluster.parse(parser, argv)
    ...
    with cluster.Work(args, mnist) as work:
        with tf.train.MonitoredTrainingSession(...) as session:
            while work.goes_on():
                images, labels = work.batch()
                work.step, work.loss = session.run(...)
        return work.finish()

The cluster itself is TensorFlow's: here is no transport. local_cluster.py starts one.
"""
import argparse
import json
import math
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from digits import STARTED, command_line, tensorflow_v1
from digits.errors import UserError
from digits.prediction import classifier
from digits.tensorflow_v1 import tf
from digits.training import calibration, records

CHILD = 'MNIST_CLUSTER_CHILD'  # set by local_cluster.py: report on stdout, end with the parent
MARK = '\x1e'  # begins a line on stdout that is meant for the parent
GRACE = 10  # seconds that a step may take to end after Ctrl-C
SAYS_WHERE = ('name this process: --local N, or --job-name, --task-index, --ps-hosts and '
              '--worker-hosts, or the environment variable TF_CONFIG')


def flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which process of which cluster this is."""
    parser.add_argument('--local', type=command_line.whole, metavar='N',
                        help='start a parameter server and N workers on this machine')
    parser.add_argument('--job-name', choices=['ps', 'worker'],
                        help='what this process is: keeps variables, or computes')
    parser.add_argument('--task-index', type=command_line.count, metavar='N',
                        help='which of them, from 0; worker 0 is the chief, with the run folder')
    for job in ('ps', 'worker'):
        parser.add_argument(f'--{job}-hosts', type=hosts, metavar='HOST:PORT,...',
                            help=f'where all of job {job} listen, the same list everywhere')
    parser.add_argument('--asynchronous', action='store_true',
                        help='apply every gradient when it comes, instead of the mean of all')
    parser.add_argument('--wait', type=command_line.whole, default=60, metavar='SECONDS',
                        help='for processes that do not answer (default %(default)s)')
    parser.add_argument('--checkpoint-every', type=command_line.whole, default=30,
                        metavar='SECONDS', help='what a crash may cost (default %(default)s)')


def hosts(text: str) -> list:
    """argparse type: HOST:PORT,HOST:PORT,... -> ['HOST:PORT', ...], all different."""
    found = text.split(',')
    for address in found:
        host, _, port = address.rpartition(':')
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise argparse.ArgumentTypeError(f'{address!r} is not HOST:PORT')
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f'{text!r} names an address twice')
    return found


def parse(parser: argparse.ArgumentParser, argv=None) -> argparse.Namespace:
    """The flags, with what TF_CONFIG says where they say nothing, and args.workers: how many.

    A chief whose --run-dir holds an unfinished run goes on with it, whoever started it again.
    Raises UserError if this is no process of a cluster, or not one that it has.
    """
    if CHILD in os.environ:
        end_with_parent()
    argv = list(sys.argv[1:] if argv is None else argv)
    args = parser.parse_args(argv)
    if not args.local:
        argv += _from_environment(args)
        args = parser.parse_args(argv)
        _check(args)
    chief = args.local or (args.job_name == 'worker' and args.task_index == 0)
    if chief and not args.local and args.run_dir and Path(args.run_dir, 'run.json').exists():
        argv.append('--resume')
    elif not chief:  # only the chief keeps a folder
        argv = [word for word in argv if word != '--resume']
    workers = args.local or len(args.worker_hosts)
    args = command_line.parse(parser, argv)
    if args.resume and records.read(args.run_dir)['flags'].get('workers') != workers:
        raise UserError(f'{args.run_dir}: the run to resume has another number of workers than '
                        f'{workers}')
    args.workers = workers
    args.recipe = f'--local {workers} {args.recipe}'.strip()
    return args


def end_with_parent() -> None:
    """In a child: end when the parent has, however it ended.

    The parent holds the other end of standard input, and never writes: an end of file is the end of
    the parent, also by SIGKILL, and on every system.
    """
    def wait():
        while os.read(0, 1):
            pass
        os._exit(1)
    threading.Thread(target=wait, daemon=True).start()


def _from_environment(args):
    """TF_CONFIG as flags, those left out that are given."""
    text = os.environ.get('TF_CONFIG')
    if not text:
        return []
    try:
        config = json.loads(text)
        jobs, task = config['cluster'], config['task']
        job, index = str(task['type']), int(task['index'])
        chiefs = list(jobs.get('chief', jobs.get('master', [])))
        lists = {'ps_hosts': list(jobs['ps']), 'worker_hosts': chiefs + list(jobs['worker'])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f'TF_CONFIG is not {{"cluster": {{"ps": [...], "worker": [...]}}, '
                        f'"task": {{"type": ..., "index": ...}}}} ({error!r})') from None
    if job in ('chief', 'master'):
        job = 'worker'
    elif job == 'worker':
        index += len(chiefs)
    values = {'job_name': job, 'task_index': str(index),
              **{name: ','.join(map(str, found)) for name, found in lists.items()}}
    return [f'--{name.replace("_", "-")}={value}' for name, value in values.items()
            if getattr(args, name) is None]


def _check(args):
    """UserError unless the flags name one process of a cluster."""
    if None in (args.job_name, args.task_index, args.ps_hosts, args.worker_hosts):
        raise UserError(SAYS_WHERE)
    count = len(getattr(args, f'{args.job_name}_hosts'))
    if args.task_index >= count:
        raise UserError(f'--task-index {args.task_index}: there are {count} of job '
                        f'{args.job_name}, counted from 0')
    both = set(args.ps_hosts) & set(args.worker_hosts)
    if both:
        raise UserError(f'{both.pop()} is in --ps-hosts and in --worker-hosts')


def configuration(args):
    """(tf.ConfigProto, precision) of this process, which talks to itself and parameter servers.

    Raises UserError if somebody listens on its port already.
    """
    _check_port(getattr(args, f'{args.job_name}_hosts')[args.task_index])
    config, precision = tensorflow_v1.configure(
        'cpu' if args.job_name == 'ps' else args.device, args.precision)
    # That executor does one operation after the other: one that waits for another process would
    # keep it from sending what the other waits for.
    config.experimental.ClearField('executor_type')
    if args.job_name == 'worker':
        # Without this a session waits for all workers, also for one that has died.
        config.device_filters.extend(['/job:ps', f'/job:worker/task:{args.task_index}'])
    # gRPC would ask a proxy for hosts that it cannot know.
    addresses = args.ps_hosts + args.worker_hosts
    os.environ.update(no_grpc_proxy=','.join(host.rpartition(':')[0] for host in addresses))
    return config, precision


def _check_port(address):
    port = int(address.rpartition(':')[2])
    with socket.socket() as probe:
        if os.name != 'nt':  # there it would allow what is taken
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('', port))
        except OSError as error:
            raise UserError(f'{address}: cannot listen on port {port} here ({error.strerror}); is '
                            'this process running already?') from None


def names(args) -> dict:
    """{'ps 0': 'HOST:PORT', ...} of all processes of the cluster but this one."""
    everyone = {f'{job} {index}': address for job in ('ps', 'worker')
                for index, address in enumerate(getattr(args, f'{job}_hosts'))}
    del everyone[f'{args.job_name} {args.task_index}']
    return everyone


def silent(addresses: dict, seconds: float = 1.0) -> list:
    """['worker 1 (HOST:PORT)', ...]: of these {name: address}, those where nobody listens."""
    found = []
    for name, address in addresses.items():
        host, _, port = address.rpartition(':')
        try:
            socket.create_connection((host.strip('[]'), int(port)), seconds).close()
        except OSError:
            found.append(f'{name} ({address})')
    return found


def warn(args) -> None:
    """Say on stderr, unless --quiet, what TensorFlow's Server leaves open.

    It binds 0.0.0.0 whatever host its address has (grpc_server_lib.cc; `ss -ltn` shows it), in 1.15
    and in 2.21, and has no setting for that.
    """
    if not args.quiet:
        print('no password, and every address of this machine listens: '
              'use this on a network that only you can reach', file=sys.stderr)


def gather(args) -> None:
    """Return when all processes of the cluster listen; UserError (status 1) after --wait seconds.
    """
    if CHILD not in os.environ:
        warn(args)
    deadline, missing = time.monotonic() + args.wait, names(args)
    while True:
        absent = silent(missing)
        if not absent:
            return
        if time.monotonic() > deadline:
            raise UserError(f'{", ".join(absent)} did not appear within {args.wait} s: start '
                            'what is missing, or give more time with --wait', 1)
        missing = {name: missing[name] for name in missing
                   if f'{name} ({missing[name]})' in absent}
        time.sleep(0.2)


def serve(args, server) -> None:
    """Be a parameter server until all workers have said goodbye and their processes have ended.

    Or until --wait seconds after the chief has: a worker that died late may have nobody to start it
    again. Ctrl-C ends it at once; what it keeps is then lost since the last checkpoint.
    """
    with tf.Graph().as_default(), tf.device(f'/job:ps/task:{args.task_index}'):
        queue = _goodbyes(args.task_index)
        size, leave = queue.size(), queue.dequeue()
        # Only itself: it need not wait for anybody.
        config = tf.ConfigProto(device_filters=[f'/job:ps/task:{args.task_index}'])
        with tf.Session(server.target, config=config) as session:
            workers = {name: address for name, address in names(args).items() if 'ps' not in name}
            gone, deadline = set(), math.inf
            # A session that is being closed talks to the servers once more.
            while time.monotonic() < deadline and (
                    len(gone) < args.workers or len(silent(workers)) < args.workers):
                time.sleep(0.2)
                gone.update(int(session.run(leave)) for _ in range(session.run(size)))
                if 0 in gone and deadline == math.inf:
                    deadline = time.monotonic() + args.wait


def _goodbyes(index):
    """The queue on parameter server `index` into which a worker that is done puts its number."""
    with tf.device(f'/job:ps/task:{index}'):
        return tf.FIFOQueue(-1, tf.int32, [[]], shared_name=f'goodbyes{index}')


class Goodbye(tf.train.SessionRunHook):
    """Tells the parameter servers that this worker is done, if it is when its session ends."""

    def __init__(self, work):
        self._work = work

    def begin(self):
        """Add the operations."""
        self._say = [_goodbyes(index).enqueue(self._work.args.task_index)
                     for index in range(len(self._work.args.ps_hosts))]

    def end(self, session):
        """Say it; a server that is gone need not hear it."""
        if self._work.step >= self._work.steps:
            session.run(self._say)


def initialized(args, server, config) -> bool:
    """Whether the default graph's variables have values: for a chief, whether it has come back.

    The other workers wait here until they have: their MonitoredTrainingSession would look only
    every 30 s.
    """
    missing = tf.report_uninitialized_variables(tf.global_variables())
    with tf.Session(server.target, config=config) as session:
        while True:
            ready = not len(session.run(missing))
            if ready or args.task_index == 0:
                return ready
            time.sleep(0.3)


def sync_hook(optimizer, args, come_back) -> tf.train.SessionRunHook:
    """What a SyncReplicasOptimizer needs around its session.

    A token is the leave to begin the next step: the chief hands out one a worker when it has
    applied a step's gradients. The first step needs none; but of a chief that died, tokens may have
    been lost, and everybody waits: one that has come back hands out new ones.
    """
    runner = optimizer.get_chief_queue_runner()
    # At its end, the optimizer's own thread would close the queue of tokens, for every chief to
    # come. And it is still waiting for gradients when the session is closed: that is no error.
    gentle = tf.train.QueueRunner(
        runner.queue, runner.enqueue_ops, close_op=tf.no_op(), cancel_op=tf.no_op(),
        queue_closed_exception_types=(tf.errors.OutOfRangeError, tf.errors.CancelledError))
    optimizer.get_chief_queue_runner = lambda: gentle
    return optimizer.make_session_run_hook(args.task_index == 0,
                                           num_tokens=args.workers if come_back else 0)


class Work:
    """The steps of one worker, with everything around them.

    args: the flags. data: Datasets to train on, watch and score. precision: what it computes in.
    `step` is the global step, `steps` the last one; the script sets step and loss every time.
    On the chief, `folder` is the run's folder; on the others it is None.
    """

    def __init__(self, args, data, precision):
        self.args, self.data, self._precision = args, data, precision
        self.step, self.loss = 0, math.nan
        together = 1 if args.asynchronous else args.workers
        self.steps = args.steps or math.ceil(
            args.epochs * data.train.num_examples / (args.batch_size * together))
        self.chief = args.task_index == 0
        self.folder = self._own_steps = self._signal = None
        self._begun = self._training_seconds = 0
        self._said = time.perf_counter()

    def __enter__(self):
        if self.chief:
            self._open_folder()
        self._progress = tqdm(total=self.steps, unit=' steps', leave=False,
                              disable=True if CHILD in os.environ else self.args.quiet or None)
        self._watch = Watch(self.args)
        self._watch.start()
        return self

    def _open_folder(self):
        args = self.args
        if args.resume:
            self.folder = Path(args.run_dir)
            self.record = records.read(self.folder)
        else:
            self.folder = records.new_folder(args)
            self.record = records.new(args, self.data.name, self.steps)
        self.record['precision'] = self._precision
        self.record['versions']['tensorflow'] = tf.__version__
        self.record['seconds']['import'] = round(tensorflow_v1.IMPORT_SECONDS, 3)
        self._before = dict(self.record['seconds'])
        self._write('running')
        if not args.quiet:
            how = 'asynchronous' if args.asynchronous else 'synchronous'
            print(f'{self.data.name}, {self.data.train.num_examples:,} training images; {how}, '
                  f'{args.workers} workers with batches of {args.batch_size} in '
                  f'{self._precision}', file=sys.stderr)

    def goes_on(self) -> bool:
        """Whether another step is due, after a word about the last one.

        Raises UserError (status 1) once the loss is not finite.
        """
        now = time.perf_counter()
        if self._own_steps is None:  # the first: step has been read from the parameter server
            self._own_steps = self.step // self.args.workers
            self._first_step, self._first = self.step, now
            self._progress.update(self.step)
        else:
            self._own_steps += 1
            if not math.isfinite(self.loss):
                if self.chief:
                    self._write('diverged')
                raise UserError(f'step {self.step:,}: the loss is {self.loss}, training has '
                                'diverged; try a smaller --learning-rate', 1)
        self._training_seconds = now - self._first
        self._watch.alive()
        self._tell(now)
        return self.step < self.steps and not self._watch.signal

    def _tell(self, now):
        """How far it is: a bar of its own, a line for the parent, or from time to time a line."""
        if CHILD in os.environ:
            if now - self._said > 0.2 or self.step >= self.steps:
                self._said = now
                print(MARK + json.dumps([self.args.task_index, int(self.step), self.steps,
                                         float(self.loss)]), flush=True)
            return
        self._progress.n = int(self.step)
        self._progress.set_postfix_str(f'loss {self.loss:.4f}', refresh=False)
        self._progress.update(0)
        if self._progress.disable and not self.args.quiet and now - self._said > 10:
            self._said = now
            print(f'step {self.step:,} of {self.steps:,}: loss {self.loss:.4f}', file=sys.stderr)

    def batch(self):
        """This worker's (images, labels) for the step that is due, float32 [batch, 784].

        The seed's order is dealt out: in a synchronous step worker k gets the k-th share of what
        one process would learn from, so that all together see each image once an epoch. Without
        steps in common, each worker takes every N-th share in its own time.
        """
        args = self.args
        turn = self._own_steps if args.asynchronous else int(self.step)
        self.data.train.seek((turn * args.workers + args.task_index) * args.batch_size)
        return self.data.train.next_batch(args.batch_size)

    def finish(self):
        """After the session: the chief scores and completes run.json, and returns test accuracy.

        Raises SystemExit (128 + the signal's number) if Ctrl-C or SIGTERM ended the steps.
        """
        self._progress.close()
        if self._watch.signal:
            if self.chief:
                self._write('interrupted')
                print(f'Stopped after step {self.step:,} of {self.steps:,}; the run is kept in '
                      f'{self.folder}: started again with --run-dir {self.folder} it goes on',
                      file=sys.stderr)
            raise SystemExit(128 + self._watch.signal)
        if not self.chief:
            return None
        trained = classifier.restore(self.folder)
        if self.data.validation.num_examples:
            logits = trained.logits(self.data.validation.pixels)
            accuracy = _accuracy(logits, self.data.validation)
            self.record['validation_accuracy'] = round(accuracy, 4)
            self.record['doubt'] = calibration.fit(logits, self.data.validation.labels)
            print(f'validation accuracy: {accuracy:.4f}{self.data.label}')
        accuracy = _accuracy(trained.logits(self.data.test.pixels), self.data.test)
        self.record['test_accuracy'] = round(accuracy, 4)
        self._write('finished')
        if not self.args.quiet:
            print(f'{self.record["seconds"]["training"]:.1f} s of training; kept in {self.folder}',
                  file=sys.stderr)
        print(f'test accuracy: {accuracy:.4f}{self.data.label}', flush=True)
        return accuracy

    def _write(self, status):
        seconds, before = self.record['seconds'], self._before
        seconds['data'] = round(self.data.seconds, 3)
        seconds['training'] = round(before['training'] + self._training_seconds, 3)
        seconds['whole'] = round(before['whole'] + time.perf_counter() - STARTED, 3)
        if self._training_seconds:
            together = 1 if self.args.asynchronous else self.args.workers
            images = (self.step - self._first_step) * self.args.batch_size * together
            self.record['images_per_second'] = round(images / self._training_seconds)
        self.record['parameters'] = int(sum(np.prod(variable.shape.as_list())
                                            for variable in tf.trainable_variables())) or None
        self.record.update(status=status, steps=int(self.step))
        records.write(self.folder, self.record)

    def __exit__(self, kind, error, trace):
        self._watch.close()


def _accuracy(logits, dataset):
    return float((logits.argmax(axis=1) == dataset.labels).mean())


class Watch(threading.Thread):
    """Sees, while a step may wait for another process for ever, signals and that nothing goes on.

    A signal is noted in `signal`, for the step's end; if that does not come within GRACE seconds,
    the process ends here. After --wait seconds without a step it says on stderr who is silent.
    """

    def __init__(self, args):
        super().__init__(daemon=True)
        self.signal = None
        self._args, self._others = args, names(args)
        self._last = time.monotonic()
        self._told = False
        # Python runs a signal's handler between two of its own instructions, and there may be none
        # for a long time; but it writes the signal's number here at once.
        self._here, self._there = socket.socketpair()
        self._there.setblocking(False)
        self._handlers = {}

    def start(self):
        """From the main thread: only there can signals be caught."""
        if threading.current_thread() is threading.main_thread():
            self._wakeup = signal.set_wakeup_fd(self._there.fileno())
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, lambda *_: None)
        super().start()

    def alive(self):
        """A step is done."""
        self._last, self._told = time.monotonic(), False

    def close(self):
        """Give signals back, and end."""
        if self._handlers:
            signal.set_wakeup_fd(self._wakeup)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        self._there.close()
        self.join()
        self._here.close()

    def run(self):
        """The thread: ends when the other end of the socket is closed."""
        self._here.settimeout(1.0)
        deadline = math.inf
        while True:
            try:
                received = self._here.recv(1)
                if not received:
                    return
                if self.signal:
                    os._exit(128 + self.signal)  # a second one does not wait
                self.signal, deadline = received[0], time.monotonic() + GRACE
            except socket.timeout:
                self._look()
            if time.monotonic() > deadline:
                print(f'no step has ended within {GRACE} s: stopped at the last checkpoint',
                      file=sys.stderr, flush=True)
                os._exit(128 + self.signal)

    def _look(self):
        if self._told or time.monotonic() - self._last < self._args.wait:
            return
        self._told = True
        absent = silent(self._others)
        print(f'no step for {self._args.wait} s: ' + (
            f'{", ".join(absent)} does not answer; training goes on when it is back' if absent else
            'all processes answer; is one of them very slow?'), file=sys.stderr, flush=True)
