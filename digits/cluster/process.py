"""One process of a cluster: how it finds the others, and how it ends with them.

The cluster itself is TensorFlow's: here is no transport. local.py starts one.
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


def configuration(args: argparse.Namespace) -> Tuple[Any, str]:
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
    # gRPC would ask a proxy, which cannot know these hosts.
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


def names(args: argparse.Namespace) -> Dict[str, str]:
    """{'ps 0': 'HOST:PORT', ...} of all processes of the cluster but this one."""
    everyone = {f'{job} {index}': address for job in ('ps', 'worker')
                for index, address in enumerate(getattr(args, f'{job}_hosts'))}
    del everyone[f'{args.job_name} {args.task_index}']
    return everyone


def silent(addresses: Dict[str, str], seconds: float = 1.0) -> List[str]:
    """['worker 1 (HOST:PORT)', ...]: those of {name: address} where nobody listens."""
    found = []
    for name, address in addresses.items():
        host, _, port = address.rpartition(':')
        try:
            socket.create_connection((host.strip('[]'), int(port)), seconds).close()
        except OSError:
            found.append(f'{name} ({address})')
    return found


def warn(args: argparse.Namespace) -> None:
    """Say on stderr, unless --quiet, that TensorFlow's Server is open to everybody.

    It binds 0.0.0.0 whatever host its address has (grpc_server_lib.cc; `ss -ltn` shows it), in 1.15
    and in 2.21, and has no setting for that.
    """
    if not args.quiet:
        print('no password, and every address of this machine listens: '
              'use this on a network that only you can reach', file=sys.stderr)


def wait_for_all(args: argparse.Namespace) -> None:
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


def serve(args: argparse.Namespace, server: Any) -> None:
    """Be a parameter server until all workers have said goodbye and their processes have ended.

    At the latest until --wait seconds after the chief's goodbye: a worker that died late may never
    be started again. Ctrl-C ends it at once; steps since the last checkpoint are then lost.
    """
    with tf.Graph().as_default(), tf.device(f'/job:ps/task:{args.task_index}'):
        queue = _goodbyes(args.task_index)
        size, leave = queue.size(), queue.dequeue()
        # Filtered to this server, the session waits for no other process.
        config = tf.ConfigProto(device_filters=[f'/job:ps/task:{args.task_index}'])
        with tf.Session(server.target, config=config) as session:
            workers = {name: address for name, address in names(args).items() if 'ps' not in name}
            gone: Set[int] = set()
            deadline = math.inf
            # A session that is being closed talks to the servers once more.
            while time.monotonic() < deadline and (
                    len(gone) < args.workers or len(silent(workers)) < args.workers):
                time.sleep(0.2)
                gone.update(int(session.run(leave)) for _ in range(session.run(size)))
                if 0 in gone and deadline == math.inf:
                    deadline = time.monotonic() + args.wait


def _goodbyes(index):
    """The queue on parameter server `index` into which finished workers put their numbers."""
    with tf.device(f'/job:ps/task:{index}'):
        return tf.FIFOQueue(-1, tf.int32, [[]], shared_name=f'goodbyes{index}')


class WorkerDoneHook(tf.train.SessionRunHook):
    """Tells the parameter servers that this worker is done, if it is when its session ends."""

    def __init__(self, run: 'WorkerRun'):
        self._run = run

    def begin(self) -> None:
        """Add the operations."""
        args = self._run.args
        self._enqueue = [_goodbyes(index).enqueue(args.task_index)
                         for index in range(len(args.ps_hosts))]

    def end(self, session: Any) -> None:
        """Tell them, if the last step is done."""
        if self._run.step >= self._run.total_steps:
            session.run(self._enqueue)


def hooks(run: 'WorkerRun', server: Any, config: Any, optimizer: Any = None) -> List[Any]:
    """The SessionRunHooks of a worker; optimizer: its SyncReplicasOptimizer, if it has one.

    Returns when the variables have values; on the chief, which initializes them, at once.
    """
    restarted = initialized(run.args, server, config)
    found = [WorkerDoneHook(run)]
    if optimizer:
        # When the chief is done, tokens release workers that still wait for the others.
        found += [sync_hook(optimizer, run.args, restarted),
                  tf.train.FinalOpsHook(optimizer.get_init_tokens_op(run.args.workers))]
    return found


def initialized(args: argparse.Namespace, server: Any, config: Any) -> bool:
    """Whether the default graph's variables have values: on the chief, whether it was restarted.

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


def sync_hook(optimizer: Any, args: argparse.Namespace, restarted: bool) -> Any:
    """The SessionRunHook that a SyncReplicasOptimizer needs.

    A token permits a worker to start the next step: the chief hands out one a worker when it has
    applied a step's gradients. The first step needs none. When a chief dies, tokens may be lost and
    all workers wait: a restarted one hands out new tokens.
    """
    runner = optimizer.get_chief_queue_runner()
    # When it ends, the optimizer's own thread would close the queue of tokens for good, also for a
    # restarted chief. And that it waits for gradients when the session is closed is no error.
    gentle = tf.train.QueueRunner(
        runner.queue, runner.enqueue_ops, close_op=tf.no_op(), cancel_op=tf.no_op(),
        queue_closed_exception_types=(tf.errors.OutOfRangeError, tf.errors.CancelledError))
    optimizer.get_chief_queue_runner = lambda: gentle
    return optimizer.make_session_run_hook(args.task_index == 0,
                                           num_tokens=args.workers if restarted else 0)
