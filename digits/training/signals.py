"""Ctrl-C and SIGTERM wait for the end of a step."""
from digits import signals


class Signals:
    """As a context: SIGINT and SIGTERM are noted in `received`; a second one acts at once.

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
