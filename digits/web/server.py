"""The server of draw.py: the page, and POST /predict for it and for programs.

Requests are not trusted. Another site's page can reach a server on loopback through a host name
that its owner points to 127.0.0.1 (DNS rebinding), so the Host of a request must be this server's.
Bytes, pixels and decoding time of a picture are limited, and so is the number of waiting ones.
"""
import asyncio
import concurrent.futures
import ipaddress
import json
import logging
import re
import signal
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Sequence, Tuple

from tornado import web

from digits import signals
from digits.prediction.classifier import Classifier
from digits.web import connections, predictions
from digits.web.request_log import MAX_LOGGED, FaultLog, RequestLog

MAX_HEADER_BYTES = 65536
THREADS = 4  # two keep two cores busy, two more fill the gaps
# Seconds that a thread may hold the interpreter lock while others wait. Decoding releases it often
# and waits to get it back (bugs.python.org/issue7946): with Python's default of 0.005, 200 clients
# got a quarter of the responses (bench/RESULTS.md).
SWITCH_INTERVAL = 5e-5
MAX_WAITING = 256  # pictures waiting for a thread; further requests get a 503
MAX_WAITING_PAGES = 16  # as many with several digits, which take seconds and up to 1 GB: one by one
PAGE = Path(__file__).resolve().parent / 'page'
FILES = {'/': ('index.html', 'text/html; charset=utf-8'),
         '/page.css': ('page.css', 'text/css; charset=utf-8'),
         '/icon.svg': ('icon.svg', 'image/svg+xml'),
         **{f'/{path.name}': (path.name, 'text/javascript; charset=utf-8')
            for path in sorted(PAGE.glob('*.js'))}}
HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
                               "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; "
                               "form-action 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
}
SENTENCES = {
    400: 'this is not a valid HTTP request',
    404: 'nothing is here; the page is /, programs send POST /predict',
    405: 'wrong method; the page is GET /, programs send POST /predict',
    413: f'the body has more than {predictions.MAX_BODY_BYTES:,} bytes; make the picture smaller',
    415: 'the body must be a PNG with Content-Type image/png, a JPEG with image/jpeg, or '
         '{"pixels": [...]} with application/json',
    421: 'this server does not have the requested host name; use the address that it printed',
    431: 'the header is too long; send fewer or shorter fields',
    500: 'internal error; the log of the server has the details',
    503: 'too many requests are waiting; try again in a second',
}


def is_loopback(name: str) -> bool:
    """Whether `name` is a loopback IP address; False if it is not an IP address."""
    try:
        return ipaddress.ip_address(name.partition('%')[0]).is_loopback
    except ValueError:
        return False


def is_ours(host: str, listens: str) -> bool:
    """Whether `host`, a Host header, is one of a server that listens on `listens`.

    Anybody can make a host name point here, so only known names are accepted, and IP addresses.
    """
    name = re.sub(r':\d*$', '', host).lower().rstrip('.')
    if not re.fullmatch(r'[\w.-]+|\[[\da-f.:]+(%\w+)?\]', name):
        return False
    if name[:1] + name[-1:] == '[]':  # IPv6
        name = name[1:-1]
    if name in ('localhost', listens.lower()) or is_loopback(name):
        return True
    if listens.lower() == 'localhost' or is_loopback(listens):
        return False
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return name == socket.gethostname().lower()


class Queue:
    """A pool of threads for predictions, with a limit on the number of waiting requests."""

    def __init__(self, threads: int, max_waiting: int):
        self._threads = concurrent.futures.ThreadPoolExecutor(threads)
        self._pending, self._most = 0, threads + max_waiting

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in a thread and return its result; Refusal (503) if too many wait."""
        if self._pending >= self._most:
            raise predictions.Refusal(503)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        finally:
            self._pending -= 1


@web.stream_request_body
class _Handler(web.RequestHandler):
    """Base of all handlers. Bodies are read to the end, so that clients get the response."""

    allowed = 'GET, HEAD'

    def initialize(self):
        self.started, self.known, self.response_size = time.perf_counter(), {}, 0

    def set_default_headers(self):
        self.clear_header('Server')
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self):
        """Refuse bodies over connections.MAX_BODY_BYTES at once; smaller ones are read first."""
        length = self.request.headers.get('Content-Length', '0')
        if not re.fullmatch(r'\d{1,20}', length):
            raise predictions.Refusal(400)
        if int(length) > connections.MAX_BODY_BYTES:
            raise predictions.Refusal(413)

    def check(self):
        """Raise Refusal if a request is for another host, or if its header is too long."""
        if not is_ours(self.request.headers.get('Host', ''), self.settings['listens']):
            raise predictions.Refusal(421)
        fields = self.request.headers.get_all()
        if sum(len(name) + len(value) + 4 for name, value in fields) > MAX_HEADER_BYTES:
            raise predictions.Refusal(431)

    def data_received(self, chunk):
        """Ignore the body; only POST /predict uses one."""

    def compute_etag(self):
        """None: there are no responses with status 304."""

    def send(self, body, content_type, cache_control):
        """Send a response of bytes."""
        self.set_header('Content-Type', content_type)
        self.set_header('Cache-Control', cache_control)
        self.response_size = len(body)
        self.finish(body)

    def send_json(self, answer):
        """Send a JSON response."""
        self.send((json.dumps(answer) + '\n').encode(), 'application/json', 'no-store')

    def log_exception(self, kind, error, trace):
        """Add the stack trace of an unexpected error to the log entry."""
        if not isinstance(error, (web.HTTPError, predictions.Refusal)):
            self.known = {'stack_trace': ''.join(traceback.format_exception(kind, error, trace))}

    def write_error(self, status_code, exc_info=(None, None), **_):
        """Send an error as JSON instead of a page."""
        error, answer = exc_info[1], {}
        if isinstance(error, predictions.Refusal):
            self.set_status(error.status)
            answer = {'error': error.sentence} if error.sentence else {}
            if error.kind:
                self.known.update(answer)
                answer['kind'] = error.kind
        status = self.get_status()
        if status == 405:
            self.set_header('Allow', self.allowed)
        if status == 503:
            self.set_header('Retry-After', '1')
        self.send_json({'error': SENTENCES.get(status, 'this cannot be answered'), **answer})


class _NotFound(_Handler):
    def refuse(self):
        self.check()
        raise web.HTTPError(404)

    get = head = post = put = patch = delete = options = refuse


class _File(_Handler):
    def initialize(self, body, content_type):
        super().initialize()
        self.body, self.content_type = body, content_type

    def get(self):
        self.check()
        self.send(self.body, self.content_type, 'no-cache')

    head = get


class _Health(_Handler):
    def get(self):
        self.check()
        self.send_json({'status': 'ok', 'run': self.settings['run'],
                        'others': self.settings['predictor'].others,
                        'feature_maps': self.settings['predictor'].has_maps})

    head = get


class _Predict(_Handler):
    allowed = 'POST'

    def initialize(self):
        super().initialize()
        self.is_complete = self.has_left = False
        # In memory up to half a megabyte; on_finish closes it.
        self.body = tempfile.SpooledTemporaryFile(2 ** 19)  # noqa: SIM115

    def data_received(self, chunk):
        if self.body.tell() <= predictions.MAX_BODY_BYTES:
            self.body.write(chunk)

    async def post(self):
        self.is_complete = True
        self.check()
        # Of a drawing that goes on, the page asks many times: only the last is counted.
        self.known = {'final': self.get_query_argument('final', '') != 'false'}
        try:
            answer, image = await self.settings['queue'].run(self.predict)
        except predictions.SeveralDigits as refusal:
            answer, image = await self.settings['pages'].run(self.read_page, refusal)
        if 'digits' in answer:
            self.known.update(digits=[each['digit'] for each in answer['digits']],
                              sure=all(each['sure'] for each in answer['digits']))
        else:
            self.known.update({name: answer[name] for name in ('digit', 'probability', 'sure')})
        if self.settings['log_drawings']:
            self.known['drawing'] = predictions.png(image)
        self.send_json(answer)

    def predict(self):
        """Predictor.answer, in a thread."""
        self.check_presence()
        content_type = self.request.headers.get('Content-Type', '').partition(';')[0]
        self.body.seek(0)
        return self.settings['predictor'].answer(
            content_type.strip().lower(), self.body.read(),
            self.get_query_argument('with', '').split(','), self.get_query_argument('pixel', ''))

    def read_page(self, refusal):
        """Predictor.page, in a thread."""
        self.check_presence()
        self.body.seek(0)
        return self.settings['predictor'].page(self.body.read(), refusal)

    def check_presence(self):
        """Raise Refusal if nobody waits for the answer any more."""
        if self.has_left:
            raise predictions.Refusal(499, 'the client has left')

    def on_finish(self):
        self.body.close()

    def on_connection_close(self):
        super().on_connection_close()
        self.has_left = True
        if not self.is_complete:  # otherwise a thread may be reading it
            self.body.close()


def application(classify: Classifier, run: str, log: RequestLog, listens: str,
                log_drawings: bool = False, others: Sequence[Tuple[str, Classifier]] = ()
                ) -> web.Application:
    """Return the application.

    run: the classifier's name; listens: the value of --host; others: networks that read the same
    digits for comparison, with their names.
    """
    def log_request(handler):
        request, status = handler.request, handler.get_status()
        method, path, url, agent = (text[:MAX_LOGGED] for text in (
            request.method, request.path, request.full_url(),
            request.headers.get('User-Agent', '')))
        what = handler.known.get('digit', handler.known.get('digits', status))
        log.write(f'{method} {path}: {what}', status, {
            'requestMethod': method, 'requestUrl': url,
            'responseSize': str(handler.response_size),
            'userAgent': agent, 'remoteIp': request.remote_ip or '',
            'latency': f'{time.perf_counter() - handler.started:.6f}s',
            'protocol': request.version}, **handler.known)

    pages = [(re.escape(path), _File, {'body': (PAGE / name).read_bytes(), 'content_type': kind})
             for path, (name, kind) in FILES.items()]
    return web.Application(
        [*pages, ('/healthz', _Health), ('/predict', _Predict)], default_handler_class=_NotFound,
        log_function=log_request, predictor=predictions.Predictor(classify, others),
        queue=Queue(THREADS, MAX_WAITING), pages=Queue(1, MAX_WAITING_PAGES), run=run,
        listens=listens, log_drawings=log_drawings)


def serve(app: web.Application, sock: socket.socket, log: RequestLog,
          announce: Callable[[], Any]) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish requests; KeyboardInterrupt after Ctrl-C.

    announce: called when both signals are caught, to say that the server is there. A SIGINT that is
    ignored stays so: see digits.signals.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    for name in ('tornado', 'asyncio'):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(FaultLog(log))

    async def answer():
        listener = connections.Listener(sock, app)
        while not caught.received:
            await asyncio.sleep(0.1)
        await listener.stop()

    with signals.Signals() as caught:
        announce()
        asyncio.run(answer())
    log.close()
    if caught.received == signal.SIGINT:
        raise KeyboardInterrupt
