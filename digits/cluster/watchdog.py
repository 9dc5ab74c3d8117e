"""A thread that detects signals and stalls while a step waits for another process."""
import argparse
import math
import os
import signal
import socket
import sys
import threading
import time
from typing import Any, Dict, Optional

from digits import signals
from digits.cluster.process import listed, names, silent

GRACE_SECONDS = 10  # that a step may take to end after Ctrl-C


class Watchdog(threading.Thread):
    """Detects signals and stalls, since a step may wait for another process for ever.

    A signal is stored in `signal`, to be handled after the step. If the step does not end within
    GRACE_SECONDS, the process exits. After --wait seconds without a step, the processes that do not
    respond are named on stderr.
    """

    def __init__(self, args: argparse.Namespace):
        super().__init__(daemon=True)
        self.signal: Optional[int] = None
        self._args, self._others = args, names(args)
        self._last = time.monotonic()
        self._told = False
        # A Python signal handler runs only between two bytecode instructions, which may take long;
        # the signal's number is written to this socket at once.
        self._here, self._there = socket.socketpair()
        self._there.setblocking(False)
        self._handlers: Dict[int, Any] = {}
        self._wakeup: Optional[int] = None

    def start(self) -> None:
        """Start, from the main thread; signals can be caught only there."""
        if threading.current_thread() is threading.main_thread():
            self._wakeup = signal.set_wakeup_fd(self._there.fileno())
            self._handlers = signals.catch(lambda *_: None)
        super().start()

    def alive(self) -> None:
        """Record that a step has ended."""
        self._last, self._told = time.monotonic(), False

    def close(self) -> None:
        """Restore the signal handlers, and end the thread."""
        if self._wakeup is not None:
            signal.set_wakeup_fd(self._wakeup)
            signals.restore(self._handlers)
        self._there.close()
        self.join()
        self._here.close()

    def run(self) -> None:
        """The thread: ends when the other end of the socket is closed."""
        self._here.settimeout(1.0)
        deadline = math.inf
        while True:
            try:
                received = self._here.recv(1)
                if not received:
                    return
                if self.signal:
                    os._exit(128 + self.signal)  # a second signal takes effect at once
                self.signal, deadline = received[0], time.monotonic() + GRACE_SECONDS
            except socket.timeout:
                self._check()
            if self.signal and time.monotonic() > deadline:
                print(f'no step has ended within {GRACE_SECONDS} s: stopped at the last checkpoint',
                      file=sys.stderr, flush=True)
                os._exit(128 + self.signal)

    def _check(self):
        if self._told or time.monotonic() - self._last < self._args.wait:
            return
        self._told = True
        absent = silent(self._others)
        print(f'no step for {self._args.wait} s: ' + (
            f'{listed(absent)} does not respond; training continues when it is back' if absent
            else 'all processes respond; is one of them very slow?'), file=sys.stderr, flush=True)
