"""A server on loopback that fails in every way we could think of, for the tests of downloads."""
import contextlib
import hashlib
import http.server
import os
import pathlib
import random
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = 'digits.gz'
BODY = b'\x1f\x8b' + random.Random(0).getrandbits(8 * 299998).to_bytes(299998, 'big')
KNOWN = {'size': len(BODY), 'sha256': hashlib.sha256(BODY).hexdigest()}
PAGE = b'<html>Welcome to the hotel. Please accept our terms.</html>'


def mnist_folder():
    return pathlib.Path(os.environ.get('MNIST_DATA_DIR') or ROOT / 'data')


class Handler(http.server.BaseHTTPRequestHandler):
    """The first folder of the address says how to behave: GET /cut/digits.gz is cut off."""
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.server.requests.append(self.path)
        kind = urllib.parse.urlsplit(self.path).path.split('/')[1]
        if kind.isdigit():
            self.reply(b'no', int(kind))
        else:
            getattr(self, 'get_' + kind)()

    def head(self, status=200, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace('_', '-'), str(value))
        self.send_header('Connection', 'close')
        self.end_headers()

    def reply(self, body, status=200, **headers):
        self.head(status, **{'Content_Length': len(body), **headers})
        self.wfile.write(body)

    def chunks(self, *bodies):
        self.head(Transfer_Encoding='chunked')
        for body in bodies:
            self.wfile.write(b'%x\r\n%s\r\n' % (len(body), body))

    def log_message(self, *args):
        pass

    # What works
    def get_good(self):
        self.reply(BODY)

    def get_chunked(self):
        self.chunks(BODY[:1000], BODY[1000:], b'')

    def get_no_length(self):
        self.head()
        self.wfile.write(BODY)

    def get_redirect(self):
        self.reply(b'', 302, Location=f'{self.server.plain}good/{NAME}')

    def get_steady(self):
        """200 kB/s."""
        self.head(Content_Length=len(BODY))
        for start in range(0, len(BODY), 20000):
            self.wfile.write(BODY[start:start + 20000])
            time.sleep(0.1)

    def get_meeting(self):
        """Answers when two are asking."""
        self.server.meeting.wait(20)
        self.reply(BODY)

    # What fails
    def get_cut(self):
        self.head(Content_Length=len(BODY))
        self.wfile.write(BODY[:len(BODY) // 2])

    def get_chunked_cut(self):
        self.chunks(BODY[:1000])

    def get_overtaken(self):
        self.server.meanwhile()
        self.get_cut()

    def get_no_length_cut(self):
        self.head()
        self.wfile.write(BODY[:1000])

    def get_silent(self):
        self.server.over.wait(20)

    def get_slow_head(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\n')
        while not self.server.over.wait(0.1):
            self.wfile.write(b'X-Patience: 1\r\n')

    def get_stall(self):
        self.head(Content_Length=len(BODY))
        self.wfile.write(BODY[:1000])
        self.server.over.wait(20)

    def get_drip(self):
        self.head(Content_Length=len(BODY))
        for start in range(0, len(BODY), 50):
            self.wfile.write(BODY[start:start + 50])
            time.sleep(0.02)

    def get_wrong(self):
        self.reply(BODY[::-1])

    def get_raw(self):
        self.reply(b'\0\0\x08\x03' + BODY[4:])

    def get_longer(self):
        self.reply(BODY + b'x')

    def get_endless(self):
        self.head()
        while True:
            self.wfile.write(BODY)

    def get_endless_chunks(self):
        self.chunks(*[BODY] * 1000)

    def get_html(self):
        self.reply(PAGE, Content_Type='text/html; charset=utf-8')

    def get_rude(self):
        self.wfile.write(b'220 mail.example \x1b[31mESMTP\r\n')
        self.close_connection = True

    def get_hang_up(self):
        self.close_connection = True

    def get_loop(self):
        self.reply(b'', 302, Location=self.path)

    def get_to_file(self):
        self.reply(b'', 302, Location=pathlib.Path(__file__).as_uri())

    def get_to_ftp(self):
        self.reply(b'', 302, Location=f'ftp://127.0.0.1:1/{NAME}')

    def get_mnist(self):
        self.reply((mnist_folder() / os.path.basename(self.path)).read_bytes())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, context=None, plain=None):
        super().__init__(('127.0.0.1', 0), Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f'{"https" if context else "http"}://127.0.0.1:{self.server_port}/'
        self.plain = plain or self.url
        self.requests, self.over, self.meeting = [], threading.Event(), threading.Barrier(2)
        self.meanwhile = None  # what happens before /overtaken/ is cut off

    def handle_error(self, request, client_address):
        """Clients that hang up are what we are here for."""

    def base(self, kind):
        return f'{self.url}{kind}/'


@contextlib.contextmanager
def serving(**how):
    with Server(**how) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
