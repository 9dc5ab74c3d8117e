"""Ctrl-C and SIGTERM during a step take effect at its end."""
import signal
import threading


class Signals:
    """As a context: store SIGINT or SIGTERM in `received`; a second one takes effect at once.

    Only the main thread can catch signals; elsewhere nothing is changed.
    """

    def __init__(self):
        self.received = None  # the number of the first signal
        self._handlers = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._receive)
        return self

    def _receive(self, number, frame):
        self.received = number
        self._restore()

    def _restore(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def __exit__(self, kind, error, trace):
        self._restore()
