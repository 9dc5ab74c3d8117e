"""Ctrl-C and SIGTERM during a step take effect at its end."""
from digits import signals


class Signals:
    """As a context: store SIGINT or SIGTERM in `received`; a second one takes effect at once.

    Only the main thread can catch signals, and what is ignored stays so: see digits.signals.
    """

    def __init__(self):
        self.received = None  # the number of the first signal
        self._handlers = {}

    def __enter__(self):
        self._handlers = signals.catch(self._receive)
        return self

    def _receive(self, number, frame):
        self.received = number
        self._restore()

    def _restore(self):
        signals.restore(self._handlers)
        self._handlers = {}

    def __exit__(self, kind, error, trace):
        self._restore()
