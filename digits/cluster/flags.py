"""The flags of a cluster, also from TF_CONFIG, and their validation."""
import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import List, Optional, Sequence

from digits import command_line, training
from digits.errors import UserError
from digits.training import flags as training_flags
from digits.training.record import Record

CHILD = 'MNIST_CLUSTER_CHILD'  # set by local.py: report progress on stdout, end with the parent
MARK = '\x1e'  # first character of a progress line for local.py
SAYS_WHERE = ('name this process: --local N, or --job-name, --task-index, --ps-hosts and '
              '--worker-hosts, or the environment variable TF_CONFIG')


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the cluster and for the role of this process in it."""
    parser.add_argument('--local', type=command_line.positive_int, metavar='N',
                        help='start a parameter server and N workers on this machine')
    parser.add_argument('--job-name', choices=['ps', 'worker'],
                        help='role of this process: parameter server or worker')
    parser.add_argument('--task-index', type=command_line.non_negative_int, metavar='N',
                        help='its index, from 0; worker 0 is the chief, with the run folder')
    for job in ('ps', 'worker'):
        parser.add_argument(f'--{job}-hosts', type=hosts, metavar='HOST:PORT,...',
                            help=f'addresses of all processes of job {job}, the same everywhere')
    parser.add_argument('--asynchronous', action='store_true',
                        help='apply each gradient when it arrives, not the mean of all')
    parser.add_argument('--wait', type=command_line.positive_int, default=60, metavar='SECONDS',
                        help='how long to wait for a process (default %(default)s)')
    parser.add_argument('--checkpoint-every', type=command_line.positive_int, default=30,
                        metavar='SECONDS', help='time between checkpoints (default %(default)s)')


def hosts(text: str) -> List[str]:
    """argparse type: HOST:PORT,HOST:PORT,... -> ['HOST:PORT', ...], all different."""
    found = text.split(',')
    for address in found:
        host, _, port = address.rpartition(':')
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise argparse.ArgumentTypeError(f'{address!r} is not HOST:PORT')
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f'{text!r} names an address twice')
    return found


def parse_args(parser: training_flags.Parser, argv: Optional[Sequence[str]] = None
               ) -> argparse.Namespace:
    """The flags, completed from TF_CONFIG; args.workers is the number of workers.

    A chief whose --run-dir holds an unfinished run resumes it, even without --resume.
    Raises UserError if the flags do not name one process of a cluster.
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
    elif not chief and CHILD not in os.environ:  # the run's folder is on the chief's machine
        argv = [word for word in argv if word != '--resume']
    workers = args.local or len(args.worker_hosts)
    args = training.parse_args(parser, argv)
    if args.resume and Record.read(args.run_dir).flags.get('workers') != workers:
        raise UserError(f'{args.run_dir}: the run to resume does not have {workers} '
                        'workers')
    args.workers = workers
    if not args.resume:
        args.recipe = f'--local {workers} {args.recipe}'.strip()
    return args


def place(args: argparse.Namespace) -> List[str]:
    """The words that name this process's place in its cluster, or with --local the whole cluster.
    """
    if CHILD in os.environ:
        return ['--local', str(args.workers)]
    return ['--job-name', args.job_name, '--task-index', str(args.task_index),
            '--ps-hosts', ','.join(args.ps_hosts), '--worker-hosts', ','.join(args.worker_hosts)]


def end_with_parent() -> None:
    """In a child process: exit when the parent has ended, even by SIGKILL.

    The parent has the other end of standard input and never writes: an end of file means that it
    has ended, on every operating system.
    """
    def wait():
        while os.read(0, 1):
            pass
        os._exit(1)
    threading.Thread(target=wait, daemon=True).start()


def _from_environment(args):
    """TF_CONFIG as flags, without those on the command line."""
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
    """Raise UserError unless the flags name one process of a cluster."""
    if None in (args.job_name, args.task_index, args.ps_hosts, args.worker_hosts):
        raise UserError(SAYS_WHERE)
    count = len(getattr(args, f'{args.job_name}_hosts'))
    if args.task_index >= count:
        raise UserError(f'--task-index {args.task_index}: there are {count} of job '
                        f'{args.job_name}, counted from 0')
    both = set(args.ps_hosts) & set(args.worker_hosts)
    if both:
        raise UserError(f'{both.pop()} is in --ps-hosts and in --worker-hosts')
