"""SIGINT (Ctrl-C) and SIGTERM, the signals that end a script.

One rule for all scripts: a signal that is ignored when a script starts stays ignored. Shell scripts
start so what they put into the background, and Ctrl-C is then meant for other programs.
"""
import signal
import subprocess
import threading
from typing import Any, Callable, Dict


def catch(handler: Callable[[int, Any], Any]) -> Dict[int, Any]:
    """Install `handler` for SIGINT and SIGTERM, and return those that it replaces, for `restore`.

    Only the main thread can catch signals; elsewhere nothing is changed, and the result is empty.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)
            if signal.getsignal(number) != signal.SIG_IGN}


def restore(handlers: Dict[int, Any]) -> None:
    """Install the handlers that `catch` has returned."""
    for number, handler in handlers.items():
        signal.signal(number, handler or signal.SIG_DFL)  # None: not installed by Python


class Signals:
    """As a context: store SIGINT or SIGTERM in `received`; a second one takes effect at once.

    Only the main thread can catch signals, and what is ignored stays so, as in `catch`.
    """

    def __init__(self):
        self.received = None  # the number of the first signal
        self._handlers = {}

    def __enter__(self):
        self._handlers = catch(self._receive)
        return self

    def _receive(self, number, frame):
        self.received = number
        self._restore()

    def _restore(self):
        restore(self._handlers)
        self._handlers = {}

    def __exit__(self, kind, error, trace):
        self._restore()


def wait_for(child: subprocess.Popen) -> int:
    """Wait for a script that saves its work after a signal, and return its exit status.

    Ctrl-C in a terminal reaches it without us, SIGTERM is passed on. After a second Ctrl-C it is
    killed, and KeyboardInterrupt is raised.
    """
    def receive(number, frame):
        restore(handlers)
        if number == signal.SIGTERM:
            child.terminate()

    handlers = catch(receive)
    try:
        return child.wait()
    except BaseException:
        child.kill()
        raise
    finally:
        restore(handlers)
