"""Connections to the server: how many there are, how long each may take, and how they end.

Tornado reads requests of many connections in one thread, so a slow one holds nobody up. What it
leaves to us is their number and the time that a request has as a whole.
"""
import asyncio
import socket
import time
from typing import Any, Awaitable, Optional, Set

from digits.errors import UserError

try:
    from tornado import http1connection, httputil, iostream, netutil, web
except ImportError:
    raise UserError('Tornado is not installed: run  '
                    'python -m pip install -r requirements.txt') from None

MAX_CONNECTIONS = 400  # select() on Windows takes 512 sockets
# What is longer is not read to its end. The application takes less, and says so in an answer.
MAX_HEADER_BYTES = 2 ** 19
MAX_BODY_BYTES = 16_000_000
MAX_HEADER_SECONDS = 15  # from the end of the answer before, or from the connection's start
MAX_BODY_SECONDS = 30  # from the end of the header
MAX_ANSWER_SECONDS = 60  # from the end of the body until the client has the answer
SHUTDOWN_SECONDS = 10  # for requests that have begun when the server is stopped
POLL_SECONDS = 0.05


class Connection(httputil.HTTPServerConnectionDelegate, httputil.HTTPMessageDelegate):
    """One client: passes its requests on to the application, and closes when time is over.

    begun: whether the header of a request has arrived that is not answered yet
    complete: whether all of the request has arrived
    since: when the server began to wait for this request, time.monotonic()
    remote_ip, protocol: what Tornado puts into the request
    """

    def __init__(self, stream: iostream.IOStream, address: tuple, application: web.Application,
                 connections: Set['Connection']):
        self.stream, self.remote_ip, self.protocol = stream, address[0], 'http'
        self._application, self._connections = application, connections
        self._request: Any = None  # Tornado's delegate of the present request
        self._timer = None  # type: Optional[asyncio.TimerHandle]
        self.begun = self.complete = False
        self.since = time.monotonic()

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection
                      ) -> httputil.HTTPMessageDelegate:
        """Wait for the next request, which is passed through this object."""
        self.begun = self.complete = False
        self.since = time.monotonic()
        self._request = self._application.start_request(server_conn, request_conn)
        self._limit(MAX_HEADER_SECONDS)
        return self

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders
                         ) -> Optional[Awaitable[None]]:
        """Give the body its time; the application may answer already."""
        self._limit(MAX_BODY_SECONDS)
        waiting = self._request.headers_received(start_line, headers)
        self.begun = True
        return waiting

    def data_received(self, chunk: bytes) -> Optional[Awaitable[None]]:
        """Pass on a part of the body."""
        return self._request.data_received(chunk)

    def finish(self) -> None:
        """The request is complete: the application answers."""
        self.complete = True
        self._limit(MAX_ANSWER_SECONDS)
        self._request.finish()

    def on_connection_close(self) -> None:
        """The request will never be complete."""
        if self.begun:
            self._request.on_connection_close()

    def on_close(self, server_conn: object) -> None:
        """The connection has ended, whoever closed it."""
        self._limit(None)
        self._connections.discard(self)

    def _limit(self, seconds: Optional[float]) -> None:
        """Close the connection after so many seconds, or never; replaces what was set before."""
        if self._timer:
            self._timer.cancel()
        if seconds:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.stream.close)


class Listener:
    """Accepts connections on a socket, up to MAX_CONNECTIONS; needs a running event loop.

    Where all are taken, the one whose request has been incomplete for longest is closed for a new
    one: clients that send a byte a second cannot keep others out.
    """

    def __init__(self, sock: socket.socket, application: web.Application):
        self._socket, self._application = sock, application
        self._parameters = http1connection.HTTP1ConnectionParameters(
            max_header_size=MAX_HEADER_BYTES, max_body_size=MAX_BODY_BYTES)
        self._connections = set()  # type: Set[Connection]
        self._max_connections = min(MAX_CONNECTIONS, _max_open_files() - 50)
        sock.setblocking(False)
        self._stop_accepting = netutil.add_accept_handler(sock, self._accept)

    def _accept(self, sock, address):
        stream = iostream.IOStream(sock)
        if len(self._connections) >= self._max_connections and not self._drop_slowest():
            stream.close()
            return
        connection = Connection(stream, address, self._application, self._connections)
        self._connections.add(connection)
        http1connection.HTTP1ServerConnection(
            stream, self._parameters, context=connection).start_serving(connection)

    def _drop_slowest(self):
        """Whether there was one to close."""
        incomplete = [each for each in self._connections if not each.complete]
        if not incomplete:
            return False
        slowest = min(incomplete, key=lambda each: each.since)
        self._connections.discard(slowest)  # on_close comes in a later turn of the loop
        slowest.stream.close()
        return True

    async def stop(self) -> None:
        """Take no more connections, and answer the requests that have begun: SHUTDOWN_SECONDS."""
        until = time.monotonic() + SHUTDOWN_SECONDS
        await asyncio.sleep(POLL_SECONDS)  # for those who wait to be accepted
        self._stop_accepting()
        self._socket.close()
        while self._connections and time.monotonic() < until:
            await asyncio.sleep(POLL_SECONDS)
            for each in list(self._connections):
                if not each.begun:
                    each.stream.close()
        for each in list(self._connections):
            each.stream.close()


def _max_open_files():
    """How many files and sockets this process may have open."""
    try:
        import resource
    except ImportError:  # Windows
        return 8192
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 8192 if soft == resource.RLIM_INFINITY else soft


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on that host and port; UserError if it cannot."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM,
                                                       flags=socket.AI_PASSIVE)[0]
        sock = socket.socket(family, kind)
        if hasattr(socket, 'SO_REUSEADDR') and not hasattr(socket, 'SO_EXCLUSIVEADDRUSE'):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not so on Windows
        sock.bind(place)
        sock.listen(MAX_CONNECTIONS)
    except (OSError, UnicodeError) as error:
        raise UserError(f'cannot listen on {host}, port {port} '
                        f'({getattr(error, "strerror", None) or error}); '
                        'name another with --host or --port') from None
    return sock


def address(sock: socket.socket) -> str:
    """The URL of a socket that listens."""
    host, port = sock.getsockname()[:2]
    return f'http://{f"[{host}]" if ":" in host else host}:{port}/'
