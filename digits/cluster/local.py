"""Start, watch and stop a whole cluster on this machine."""
import argparse
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from tqdm import tqdm

from digits import input_data, paths, signals, tensorflow_v1
from digits.cluster import flags, process
from digits.errors import UserError
from digits.training import checkpoints, folders
from digits.training.record import Record

LINGER_SECONDS = 15  # for a process to exit after training or an interruption


def run(args: argparse.Namespace, argv: Optional[Sequence[str]] = None) -> Optional[float]:
    """Start a parameter server and args.local workers; returns the chief's test accuracy.

    Raises UserError (status 1) if one of them fails, SystemExit (128 + the signal's number) after
    Ctrl-C or SIGTERM, once the chief has saved. Afterwards, all of them have ended.
    """
    tensorflow_v1.configure(args.device, args.precision)  # a UserError before there is a folder
    input_data.load(args)  # download once, not in every process
    if not args.resume:
        args.run_dir = str(folders.new_folder(args))
    process.warn(args)
    ports = free_ports(args.local + 1)
    addresses = [f'127.0.0.1:{port}' for port in ports]
    place = ['--ps-hosts', addresses[0], '--worker-hosts', ','.join(addresses[1:]),
             '--run-dir', args.run_dir]
    script = str(paths.PROJECT_ROOT / f'{args.script}.py')
    given = _without_local(sys.argv[1:] if argv is None else argv)
    try:
        with ProcessGroup(quiet=args.quiet) as group:
            for job, index in [('ps', 0), *(('worker', index) for index in range(args.local))]:
                group.start(f'{job} {index}', [script, *given, *place, '--job-name', job,
                                                '--task-index', str(index)])
            group.wait()
    except UserError as error:
        if checkpoints.exist(Path(args.run_dir)):
            raise UserError(f'{error}; --resume continues', error.exit_status) from error
        raise
    finally:
        folders.remove_if_empty(Path(args.run_dir))  # the run has not begun
    return Record.read(args.run_dir).test_accuracy


def free_ports(count: int) -> List[int]:
    """`count` different ports that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(('127.0.0.1', 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _without_local(argv):
    """The flags for the children: without --local and --run-dir."""
    kept, words = [], iter(map(str, argv))
    for word in words:
        if word in ('--local', '--run-dir'):
            next(words)
        elif not word.startswith(('--local=', '--run-dir=')):
            kept.append(word)
    return kept


class ProcessGroup:
    """Processes that end together."""

    def __init__(self, quiet: bool):
        self._children: Dict[str, subprocess.Popen] = {}
        self._lines: queue.Queue = queue.Queue()
        self._readers: List[Tuple[subprocess.Popen, threading.Thread]] = []
        self._signal: Optional[int] = None
        self._bar = tqdm(unit=' steps', leave=False, disable=quiet or None)
        self._losses: Dict[int, float] = {}

    def __enter__(self):
        self._handlers = signals.catch(self._on_signal)
        return self

    def _on_signal(self, number, frame):
        if self._signal:  # a second Ctrl-C stops them at once
            self._kill()
        self._signal = number

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a Python script; messages call it `name`."""
        child = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, encoding='utf-8', errors='replace',
            env={**os.environ, flags.CHILD: '1', 'TF_CONFIG': '', 'PYTHONIOENCODING': 'utf-8'},
            start_new_session=os.name != 'nt')  # Ctrl-C in the terminal goes to the parent only
        self._children[name] = child
        for stream in (child.stdout, child.stderr):
            reader = threading.Thread(target=self._read, daemon=True,
                                      args=(name, stream, stream is child.stdout))
            reader.start()
            self._readers.append((child, reader))

    def _read(self, name, stream, results):
        for line in stream:
            self._lines.put((name, line.rstrip('\n'), results))

    def wait(self) -> None:
        """Wait until all workers have ended, showing their output; UserError if a process fails."""
        while any(name != 'ps 0' and child.poll() is None
                  for name, child in self._children.items()):
            self._show(0.1)
            for name, child in self._children.items():
                if child.poll():
                    self._drain()
                    if child.returncode == 2:  # nothing was done
                        raise UserError(f'{name} could not start')
                    raise UserError(f'{name} has failed with status {child.returncode}: stopped '
                                    'the others', 1)
            if self._signal:
                self._stop_chief()
                raise SystemExit(128 + self._signal)
        self._drain()

    def _stop_chief(self):
        """Let the chief save. The others run until then, since its step needs them."""
        chief = self._children['worker 0']
        chief.terminate()
        deadline = time.monotonic() + LINGER_SECONDS
        while chief.poll() is None and time.monotonic() < deadline:
            self._show(0.1)
        self._drain()

    def _drain(self):
        """Show the output that has not yet been shown."""
        for child, reader in self._readers:
            if child.poll() is not None:
                reader.join(LINGER_SECONDS)  # to the end of its output
        while not self._lines.empty():
            self._show(0)

    def _show(self, seconds):
        try:
            name, line, results = self._lines.get(timeout=seconds)
        except queue.Empty:
            return
        if line.startswith(flags.MARK):
            index, step, steps, loss = json.loads(line[1:])
            self._losses[index] = loss
            self._bar.total, self._bar.n = steps, max(step, self._bar.n)
            mean = sum(self._losses.values()) / len(self._losses)
            self._bar.set_postfix_str(f'loss {mean:.4f}, {len(self._losses)} workers',
                                      refresh=False)
            self._bar.update(0)
        elif results:
            tqdm.write(line)
        else:
            tqdm.write(line if name == 'worker 0' else f'{name}: {line}', file=sys.stderr)

    def _kill(self):
        for child in self._children.values():
            if child.poll() is None:
                child.kill()

    def __exit__(self, kind, error, trace):
        self._bar.close()
        try:
            if kind is None:  # the parameter server exits
                self._children['ps 0'].wait(LINGER_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._kill()
            for child in self._children.values():
                child.wait()
            signals.restore(self._handlers)
