"""How the tests of draw.py ask it, what they send, and its application in their own process."""
import asyncio
import contextlib
import http.client
import json
import queue
import socket
import struct
import threading
import types
import zlib

import numpy as np
import pytest

from digits.paths import PROJECT_ROOT

server_room = pytest.importorskip('digits.web.server')
connections = pytest.importorskip('digits.web.connections')
PICTURES = sorted(path for path in (PROJECT_ROOT / 'data').iterdir()
                  if path.suffix in ('.png', '.jpg'))
THREE = (PROJECT_ROOT / 'data' / '3-pencil-photo.jpg').read_bytes()
CANVAS = (PROJECT_ROOT / 'data' / '8-dark-canvas.png').read_bytes()
HEAD = (b'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n'
        b'Content-Length: %d\r\n\r\n' % len(CANVAS))


def ask(server, method, path, body=None, timeout=60, **headers):
    """(status, headers, the answer: parsed if it is JSON)."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request(method, path, body,
                           {name.replace('_', '-'): value for name, value in headers.items()})
        response = connection.getresponse()
        data = response.read()
    is_json = response.headers.get('Content-Type') == 'application/json'
    return response.status, response.headers, json.loads(data) if is_json else data


def read(server, data, kind='image/png', path='/predict'):
    return ask(server, 'POST', path, data, Content_Type=kind)


def raw(server, data, timeout=10):
    """What comes back for bytes sent as they are: nothing for what is not yet a whole request."""
    answer = b''
    with socket.create_connection((server.host, server.port), 0.04) as it:
        with contextlib.suppress(OSError):  # it need not listen to the end
            it.sendall(data)
            answer += it.recv(65536)
        it.settimeout(timeout)
        with contextlib.suppress(OSError):
            it.shutdown(socket.SHUT_WR)
            for part in iter(lambda: it.recv(65536), b''):
                answer += part
    return answer


def png_header(width, height):
    """A PNG that says it is that large, and ends."""
    def chunk(kind, data):
        return struct.pack('>L', len(data)) + kind + data + struct.pack('>L',
                                                                        zlib.crc32(kind + data))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>LLBBBBB', width, height, 8, 0, 0,
                                                              0, 0))
            + chunk(b'IDAT', zlib.compress(bytes(1000))) + chunk(b'IEND', b''))


class MemoryLog:
    """A log that keeps its entries."""

    def __init__(self):
        self.entries = []

    def write(self, *entry, **known):
        self.entries.append((entry, known))


class Undecided:
    """A Classifier of no run: all digits are as probable. Waits for `go`, unless for the warm-up.
    """

    def __init__(self):
        self.go = threading.Event()
        self.go.set()

    def __call__(self, images):
        assert not images.any() or self.go.wait(30)
        return np.full([1, 10], .1), ['']

    def feature_maps(self, image):
        return []

    def layers(self):
        return None


@contextlib.contextmanager
def answering(classify, log=None):
    """The application in a thread of this process, under host and port."""
    sock = connections.listen('127.0.0.1', 0)
    app = server_room.application(classify, 'run', log or MemoryLog(), '127.0.0.1')
    started = queue.Queue()

    async def answer():
        stop = asyncio.Event()
        listener = connections.Listener(sock, app)
        started.put((asyncio.get_running_loop(), stop))
        await stop.wait()
        await listener.stop()

    server = types.SimpleNamespace(host='127.0.0.1', port=sock.getsockname()[1])
    thread = threading.Thread(target=lambda: asyncio.run(answer()))
    thread.start()
    loop, stop = started.get(timeout=10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
