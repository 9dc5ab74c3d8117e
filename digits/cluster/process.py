"""One process of a cluster: configuration, waiting for the others, hooks, shutdown.

The communication is TensorFlow's own. local.py starts a whole cluster.
"""
import argparse
import math
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Dict, List, Set, Tuple

from digits import tensorflow_v1
from digits.cluster.flags import CHILD
from digits.errors import UserError
from digits.tensorflow_v1 import tf

if TYPE_CHECKING:
    from digits.cluster.worker import WorkerRun

OFF = 2  # of a RewriterConfig in tf.ConfigProto


def configuration(args: argparse.Namespace) -> Tuple[Any, str]:
    """(tf.ConfigProto, precision) of this process.

    Raises UserError if its port is already in use.
    """
    _check_port(getattr(args, f'{args.job_name}_hosts')[args.task_index])
    config, precision = tensorflow_v1.configure(
        'cpu' if args.job_name == 'ps' else args.device, args.precision)
    # That executor runs one operation at a time: one that waits for another process could prevent
    # this process from sending what the other waits for.
    config.experimental.ClearField('executor_type')
    # It would put convolution, bias and ReLU into one operation, which has no bfloat16 here.
    config.graph_options.rewrite_options.remapping = OFF
    if args.job_name == 'worker':
        # Without this a session waits for all workers, even one that has died.
        config.device_filters.extend(['/job:ps', f'/job:worker/task:{args.task_index}'])
    # gRPC must not use a proxy for these hosts.
    addresses = args.ps_hosts + args.worker_hosts
    os.environ.update(no_grpc_proxy=','.join(host.rpartition(':')[0] for host in addresses))
    return config, precision


def _check_port(address):
    port = int(address.rpartition(':')[2])
    with socket.socket() as probe:
        if os.name != 'nt':  # there it would allow a port in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('', port))
        except OSError as error:
            raise UserError(f'{address}: cannot listen on port {port} here ({error.strerror}); is '
                            'this process running already?') from None


def names(args: argparse.Namespace) -> Dict[str, str]:
    """{'ps 0': 'HOST:PORT', ...} of all processes of the cluster but this one."""
    everyone = {f'{job} {index}': address for job in ('ps', 'worker')
                for index, address in enumerate(getattr(args, f'{job}_hosts'))}
    del everyone[f'{args.job_name} {args.task_index}']
    return everyone


def listed(addresses: Dict[str, str]) -> str:
    """'worker 1 (HOST:PORT), worker 2 (HOST:PORT)'."""
    return ', '.join(f'{name} ({address})' for name, address in addresses.items())


def silent(addresses: Dict[str, str]) -> Dict[str, str]:
    """Those of {name: address} that do not listen."""
    found = {}
    for name, address in addresses.items():
        host, _, port = address.rpartition(':')
        try:
            socket.create_connection((host.strip('[]'), int(port)), 1.0).close()
        except OSError:
            found[name] = address
    return found


def warn(args: argparse.Namespace) -> None:
    """Warn on stderr, unless --quiet, that TensorFlow's Server is open to the network.

    It binds 0.0.0.0 even if its address names a host (grpc_server_lib.cc; `ss -ltn` shows it), in
    1.15 and 2.21, without a setting for that.
    """
    if not args.quiet:
        print('no password, no encryption, and the port is open on all addresses of this machine: '
              'use this on a private network only', file=sys.stderr)


def wait_for_all(args: argparse.Namespace) -> None:
    """Wait until all processes of the cluster listen; UserError (status 1) after --wait seconds."""
    if CHILD not in os.environ:
        warn(args)
    deadline, missing = time.monotonic() + args.wait, names(args)
    while True:
        missing = silent(missing)
        if not missing:
            return
        if time.monotonic() > deadline:
            raise UserError(f'{listed(missing)} did not start within {args.wait} s: start '
                            'what is missing, or wait longer with --wait', 1)
        time.sleep(0.2)


def serve(args: argparse.Namespace, server: Any) -> None:
    """Run a parameter server until all workers have finished and their processes have ended.

    It ends at most --wait seconds after the chief has finished, since a worker that died may not be
    restarted. Ctrl-C ends it at once; steps since the last checkpoint are then lost.
    """
    with tf.Graph().as_default(), tf.device(f'/job:ps/task:{args.task_index}'):
        queue = _done_queue(args.task_index)
        size, leave = queue.size(), queue.dequeue()
        # With this filter the session does not wait for other processes.
        config = tf.ConfigProto(device_filters=[f'/job:ps/task:{args.task_index}'])
        with tf.Session(server.target, config=config) as session:
            workers = {name: address for name, address in names(args).items() if 'ps' not in name}
            gone: Set[int] = set()
            deadline = math.inf
            # The processes too: while a worker closes its session, it still needs the servers.
            while time.monotonic() < deadline and (
                    len(gone) < args.workers or len(silent(workers)) < args.workers):
                time.sleep(0.2)
                gone.update(int(session.run(leave)) for _ in range(session.run(size)))
                if 0 in gone and deadline == math.inf:
                    deadline = time.monotonic() + args.wait


def _done_queue(index):
    """The queue on parameter server `index` into which finished workers put their numbers."""
    with tf.device(f'/job:ps/task:{index}'):
        return tf.FIFOQueue(-1, tf.int32, [[]], shared_name=f'done{index}')


class WorkerDoneHook(tf.train.SessionRunHook):
    """Tells the parameter servers when this worker has finished training."""

    def __init__(self, run: 'WorkerRun'):
        self._run = run

    def begin(self) -> None:
        """Add the operations."""
        args = self._run.args
        self._enqueue = [_done_queue(index).enqueue(args.task_index)
                         for index in range(len(args.ps_hosts))]

    def end(self, session: Any) -> None:
        """Tell them, if the last step is finished."""
        if self._run.step >= self._run.total_steps:
            session.run(self._enqueue)


def hooks(run: 'WorkerRun', server: Any, config: Any, optimizer: Any = None) -> List[Any]:
    """The SessionRunHooks of a worker; optimizer: its SyncReplicasOptimizer, if it has one.

    Waits until the variables have values, except on the chief, which initializes them.
    """
    restarted = initialized(run.args, server, config)
    found = [WorkerDoneHook(run)]
    if optimizer:
        # When the chief has finished, tokens release workers that still wait for the others.
        found += [sync_hook(optimizer, run.args, restarted),
                  tf.train.FinalOpsHook(optimizer.get_init_tokens_op(run.args.workers))]
    return found


def initialized(args: argparse.Namespace, server: Any, config: Any) -> bool:
    """Whether the default graph's variables have values: on the chief, whether it was restarted.

    The other workers wait here until they have: MonitoredTrainingSession checks only every 30 s.
    """
    missing = tf.report_uninitialized_variables(tf.global_variables())
    with tf.Session(server.target, config=config) as session:
        while True:
            ready = not len(session.run(missing))
            if ready or args.task_index == 0:
                return ready
            time.sleep(0.3)


def sync_hook(optimizer: Any, args: argparse.Namespace, restarted: bool) -> Any:
    """The SessionRunHook that a SyncReplicasOptimizer needs.

    A token permits a worker to start the next step. The chief gives one to each worker after it has
    applied a step's gradients; the first step needs none. When a chief dies, tokens may be lost and
    all workers wait, so a restarted chief gives out new tokens.
    """
    runner = optimizer.get_chief_queue_runner()
    # The optimizer's own queue runner closes the queue of tokens when it ends, also for a restarted
    # chief, and reports an error if it waits for gradients while the session is closed.
    gentle = tf.train.QueueRunner(
        runner.queue, runner.enqueue_ops, close_op=tf.no_op(), cancel_op=tf.no_op(),
        queue_closed_exception_types=(tf.errors.OutOfRangeError, tf.errors.CancelledError))
    optimizer.get_chief_queue_runner = lambda: gentle
    return optimizer.make_session_run_hook(args.task_index == 0,
                                           num_tokens=args.workers if restarted else 0)
