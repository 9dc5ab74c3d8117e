"""A line of JSON for each request, in the format of Google Cloud Logging's structured entries.

Fields: https://cloud.google.com/logging/docs/structured-logging and, of httpRequest,
https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest
"""
import contextlib
import datetime
import json
import logging
import logging.handlers
import sys
from typing import Any, Dict, Optional

from digits.errors import UserError
from digits.web import connections

MAX_FILE_BYTES = 10 ** 7  # then LOG becomes LOG.1, and so on
OLD_FILES = 5  # up to LOG.5
MAX_LOGGED = 1000  # letters of what a client sends


class RequestLog:
    """Writes entries to a file, or to stdout; `run` is the name of the run that is served.

    Raises UserError if the file cannot be opened. Later errors do not affect requests.
    """

    def __init__(self, file: Optional[str], run: str):
        try:
            self._handler = _File(file) if file else _Stdout()
        except OSError as error:
            raise UserError(f'--log {file}: {error.strerror}; name a file in an existing '
                            'folder') from None
        self._run = run

    def write(self, message: str, status: int, http: Dict[str, str], **known: Any
              ) -> None:
        """Write an entry: message, status, other fields of httpRequest, further fields."""
        severity = 'ERROR' if status >= 500 else 'WARNING' if status >= 400 else 'INFO'
        now = datetime.datetime.now(datetime.timezone.utc)
        entry = {'time': now.isoformat(timespec='milliseconds').replace('+00:00', 'Z'),
                 'severity': severity, 'message': message,
                 'httpRequest': {**http, 'status': status}, **known, 'run': self._run}
        self._handler.handle(logging.makeLogRecord({'msg': json.dumps(entry)}))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


class _Forgiving:
    """A handler that ignores errors, of a full disk or a closed pipe."""

    _said = False

    def handleError(self, record):
        """Report the first error, and reopen the file for the next entry."""
        if not self._said:
            self._said = True
            print(f'draw.py: the log cannot be written ({sys.exc_info()[1]}); requests are '
                  'still answered', file=sys.stderr)
        with contextlib.suppress(OSError):
            self.close()  # flushes its buffer, and fails again


class _File(_Forgiving, logging.handlers.RotatingFileHandler):
    def __init__(self, name):
        super().__init__(name, maxBytes=MAX_FILE_BYTES, backupCount=OLD_FILES, encoding='utf-8')


class _Stdout(_Forgiving, logging.FileHandler):
    def __init__(self):
        super().__init__('stdout', delay=True)

    def _open(self):
        return open(sys.stdout.fileno(), 'w', encoding='utf-8', closefd=False)


class FaultLog(logging.Handler):
    """Copy Tornado's messages about malformed requests and errors to the request log."""

    def __init__(self, log: RequestLog):
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log a malformed request with status 400, and any other error with 500."""
        args = record.args if isinstance(record.args, tuple) else ()
        http = {'requestMethod': '', 'responseSize': '0', 'latency': '0s', 'remoteIp': ''}
        if args and isinstance(args[0], connections.Connection):
            http['remoteIp'] = args[0].remote_ip
            self._log.write('refused: 400', 400, http, error=str(args[1])[:MAX_LOGGED])
        elif record.levelno >= logging.ERROR:
            self._log.write('refused: 500', 500, http, stack_trace=self.format(record))
