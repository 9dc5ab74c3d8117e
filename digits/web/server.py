"""What draw.py serves: the page, and POST /predict for it and for programs.

It trusts nobody who asks. A web page of somebody else's reaches a server on loopback too, under a
name that its owner lets point there (DNS rebinding), so the Host that a browser names must be ours.
What a picture may cost is bounded in bytes, pixels and seconds, what waits is bounded in number.
"""
import base64
import io
import ipaddress
import json
import logging
import re
import select
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

import numpy as np
from PIL import Image

from digits import answers, decoding, picture, plots
from digits.errors import UserError

try:
    from flask import Flask, Response, abort, g, request
    from waitress.channel import HTTPChannel
    from waitress.server import create_server
    from waitress.task import ErrorTask
    from werkzeug.exceptions import HTTPException
except ImportError as lacking:
    raise UserError(f'{lacking.name or "Flask"} is not installed: run  '
                    'python -m pip install -r requirements.txt') from None

# page.js has the first two too, and makes smaller what is larger.
MOST_BYTES = 8_000_000  # of a request's body
MOST_PIXELS = 16_000_000
MOST_SECONDS = 2  # of one core, to decode a picture
THREADS = 4  # two cores are busy with two; another two wait for neither
# Seconds that a thread may hold the interpreter while others wait. Reading a picture lets go of
# it often, and waits to have it back (bugs.python.org/issue7946): with Python's 0.005, 200 clients
# had a quarter of the answers (bench/RESULTS.md).
SWITCH_INTERVAL = 5e-5
MOST_WAITING = 256  # requests that no thread has taken yet; those behind them get a 503
MOST_CONNECTIONS = 512
GRACE = 10  # seconds that a request has to end after SIGTERM
PAGE = Path(__file__).resolve().parent / 'page'
FILES = {'/': ('index.html', 'text/html; charset=utf-8'),
         '/page.js': ('page.js', 'text/javascript; charset=utf-8'),
         '/page.css': ('page.css', 'text/css; charset=utf-8'),
         '/icon.svg': ('icon.svg', 'image/svg+xml')}
PICTURES = {'image/png': 'Png', 'image/jpeg': 'Jpeg'}
KINDS = {picture.NO_INK: 'no ink', picture.NO_DIGIT: 'no digit', picture.SEVERAL: 'several digits'}
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
    404: 'nothing is here; the page is /, programs ask POST /predict',
    405: 'not with this method; the page is GET /, programs ask POST /predict',
    413: f'the body has more than {MOST_BYTES:,} bytes; make the picture smaller',
    415: 'the body must be a PNG with Content-Type image/png, a JPEG with image/jpeg, or '
         '{"pixels": [...]} with application/json',
    421: 'this server is not the host that was asked for; ask it under the address that it printed',
    431: 'the header is too long; leave fields out',
    500: 'something went wrong in the server; its log says what',
    503: 'too many requests are waiting; ask again in a second',
}


class _Misdirected(HTTPException):
    code = 421  # which werkzeug 2.2, the last one for Python 3.7, does not know


def is_loopback(name) -> bool:
    """Whether an IP address is this machine alone; False for what is none."""
    try:
        return ipaddress.ip_address(name.partition('%')[0]).is_loopback
    except ValueError:
        return False


def is_ours(host, listens) -> bool:
    """Whether `host`, a Host header, may name a server that was told to listen on `listens`.

    A name can be made to point here by anybody, a number cannot.
    """
    name = re.sub(r':\d*$', '', host).lower().rstrip('.')
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


def application(classify, run, log, listens, log_drawings=False):
    """The WSGI application. classify: a Classifier; run: its name; log: a RequestLog.

    application.config['WAITING']() is how many requests wait for a thread.
    """
    app = Flask(__name__, static_folder=None)
    app.config.update(PROPAGATE_EXCEPTIONS=False, WAITING=lambda: 0)
    app.url_map.merge_slashes = False  # by redirecting
    files = {path: ((PAGE / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}
    has_maps = _warm_up(classify)

    @app.before_request
    def check():
        g.started, g.known = time.perf_counter(), {}
        if not is_ours(request.headers.get('Host', ''), listens):
            raise _Misdirected
        if app.config['WAITING']() > MOST_WAITING:
            abort(503)

    def page():
        return Response(files[request.path][0], content_type=files[request.path][1],
                        headers={'Cache-Control': 'no-cache'})

    for path in FILES:
        app.add_url_rule(path, path, page, methods=['GET'], provide_automatic_options=False)

    @app.route('/healthz', methods=['GET'], provide_automatic_options=False)
    def healthz():
        return _json({'status': 'ok', 'run': run, 'feature_maps': has_maps})

    @app.route('/predict', methods=['POST'], provide_automatic_options=False)
    def predict():
        try:
            image = _image_of_request()
        except UserError as error:
            g.known = {'error': str(error)}
            kind = next((KINDS[key] for key in KINDS if key in str(error)), 'unreadable')
            return _json({'error': str(error), 'kind': kind}, 422)
        read = answers.Picture('', image[np.newaxis])
        answers.classify([read], classify)
        answer = read.as_object()
        del answer['file']
        answer['probability'] = round(answer['probability'], 6)
        answer['probabilities'] = [round(share, 6) for share in answer['probabilities']]
        g.known = {name: answer[name] for name in ('digit', 'probability', 'sure')}
        if log_drawings:
            g.known['drawing'] = png(image)
        wanted = request.args.get('with', '').split(',')
        if 'image' in wanted:
            answer['image'] = png(image)
        if 'maps' in wanted:
            answer['maps'] = [
                {'title': title, 'image': png(plots.feature_maps_image(values))}
                for title, values in (classify.feature_maps(image) if has_maps else [])]
        return _json(answer)

    @app.errorhandler(Exception)
    def refuse(error):
        status = error.code if isinstance(error, HTTPException) else 500
        sentence = SENTENCES.get(status) or error.description
        if status == 500:
            g.known = {'stack_trace': traceback.format_exc()}
        response = _json({'error': sentence}, status)
        if status == 405:
            response.headers['Allow'] = ', '.join(sorted(error.valid_methods))
        if status == 503:
            response.headers['Retry-After'] = '1'
        return response

    @app.after_request
    def finish(response):
        response.headers.update({**HEADERS, **response.headers})
        _log_request(log, response)
        return response

    return app


def _warm_up(classify):
    """Whether it has feature maps; what is made at a graph's first use is made now."""
    blank = np.zeros([28, 28], np.uint8)
    classify(blank[np.newaxis])
    try:
        return bool(classify.feature_maps(blank))
    except UserError:  # softmax regression has none
        return False


def _image_of_request():
    """uint8 [28, 28]; UserError if there is no digit in the picture."""
    kind = (request.mimetype or '').lower()
    if kind not in PICTURES and kind != 'application/json':
        abort(415)
    if (request.content_length or 0) > MOST_BYTES:
        abort(413)
    data = request.stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        abort(413)
    if kind == 'application/json':
        return _pixels(data)
    if not re.match(decoding.FORMATS[PICTURES[kind]], data, re.DOTALL):
        abort(415)
    return picture.read(io.BytesIO(data), most_pixels=MOST_PIXELS, seconds=MOST_SECONDS)


def _pixels(data):
    """uint8 [28, 28] of {"pixels": 784 numbers from 0, paper, to 1, ink}, as the lessons have them.
    """
    try:
        pixels = json.loads(data.decode('utf-8'))['pixels']
        if not isinstance(pixels, list) or not all(
                isinstance(value, (int, float)) and not isinstance(value, bool)
                and 0 <= value <= 1 for value in pixels) or len(pixels) != 784:
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        abort(400, 'the JSON must be {"pixels": [...]} with 784 numbers from 0, paper, to 1, ink, '
                   'row by row; divide those up to 255 by 255')
    return np.rint(255 * np.array(pixels, np.float64)).astype(np.uint8).reshape(28, 28)


def png(image) -> str:
    """uint8 [h, w] or a PIL image as a PNG, in base64."""
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, 'PNG')
    return base64.b64encode(file.getvalue()).decode('ascii')


def _json(answer, status=200):
    return Response(json.dumps(answer) + '\n', status, content_type='application/json',
                    headers={'Cache-Control': 'no-store'})


def _log_request(log, response):
    seconds = time.perf_counter() - g.started
    what = f'{g.known["digit"]}' if 'digit' in g.known else f'{response.status_code}'
    log.write(f'{request.method} {request.path}: {what}', response.status_code, {
        'requestMethod': request.method, 'requestUrl': request.url,
        'responseSize': str(response.calculate_content_length() or 0),
        'userAgent': request.headers.get('User-Agent', ''), 'remoteIp': request.remote_addr or '',
        'latency': f'{seconds:.6f}s', 'protocol': request.environ.get('SERVER_PROTOCOL', ''),
    }, **g.known)


class _Refusal(ErrorTask):
    """What waitress refuses before it is a request, answered and logged as the others are."""

    def execute(self):
        error = self.request.error
        for name in ('command', 'path'):  # which waitress itself asks for, and may not have read
            vars(self.request).setdefault(name, '')
        sentence = SENTENCES.get(error.code) or 'this is not a request of HTTP'
        body = (json.dumps({'error': sentence}) + '\n').encode()
        error.to_response = lambda ident=None: (
            f'{error.code} {error.reason}',
            [('Content-Type', 'application/json'), *HEADERS.items()], body)
        super().execute()
        self.channel.server.request_log.write(
            f'refused: {error.code}', error.code,
            {'requestMethod': self.request.command, 'responseSize': str(len(body)),
             'remoteIp': self.channel.addr[0], 'latency': '0s'}, error=str(error.body))


class _Channel(HTTPChannel):
    error_task_class = _Refusal


def listen(host, port):
    """A socket that listens on that host and port; UserError if it cannot."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM,
                                                       flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind)
        if hasattr(socket, 'SO_REUSEADDR') and not hasattr(socket, 'SO_EXCLUSIVEADDRUSE'):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not so on Windows
        listener.bind(place)
        listener.listen(MOST_CONNECTIONS)
    except (OSError, UnicodeError) as error:
        raise UserError(f'cannot listen on {host}, port {port} '
                        f'({getattr(error, "strerror", None) or error}); '
                        'name another with --host or --port') from None
    return listener


def address(listener) -> str:
    """The URL of a socket that listens."""
    host, port = listener.getsockname()[:2]
    return f'http://{f"[{host}]" if ":" in host else host}:{port}/'


def serve(app, listener, log):
    """Answer until SIGTERM or Ctrl-C, then what has begun; KeyboardInterrupt after Ctrl-C."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    logging.getLogger('waitress').setLevel(logging.ERROR)  # it warns of every queue
    server = create_server(
        app, sockets=[listener], threads=THREADS, ident=None, connection_limit=MOST_CONNECTIONS,
        backlog=MOST_CONNECTIONS, channel_timeout=60, cleanup_interval=10,
        # Twice what the application takes: what is a little larger is read to its end, and refused
        # in our words. Bodies over half a megabyte wait in a temporary file, not in memory.
        max_request_body_size=2 * MOST_BYTES,
        asyncore_use_poll=True, clear_untrusted_proxy_headers=True)
    server.channel_class, server.request_log = _Channel, log
    app.config['WAITING'] = lambda: len(server.task_dispatcher.queue)
    caught = []

    def on_signal(number, frame):
        caught.append(number)
        for each, handler in handlers.items():
            signal.signal(each, handler)  # the second one does not wait
        server.pull_trigger()

    def turn(seconds):
        server.asyncore.loop(timeout=seconds, map=server._map, use_poll=True, count=1)

    handlers = {each: signal.signal(each, on_signal) for each in (signal.SIGINT, signal.SIGTERM)}
    while not caught:
        turn(1)
    _finish(server, listener, turn)
    log.close()
    if caught[0] == signal.SIGINT:
        raise KeyboardInterrupt


def _finish(server, listener, turn):
    """Answer the requests that have begun, within GRACE seconds, and take no others."""
    until = time.monotonic() + GRACE
    while select.select([listener], [], [], 0)[0] and time.monotonic() < until:
        turn(0)  # who waited for us to accept
    server.accepting = False
    listener.close()
    turn(0)
    while server.active_channels and time.monotonic() < until:
        for channel in list(server.active_channels.values()):
            if not (channel.requests or channel.request or channel.total_outbufs_len):
                channel.will_close = True
        turn(0.05)
    server.task_dispatcher.shutdown(timeout=1)
