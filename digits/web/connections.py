"""Connections to the server: limits on their number and on the time of a request.

Tornado reads requests of many connections in one thread, so a slow one does not delay others. It
limits neither the number of connections nor the time of a request as a whole.
"""
import asyncio
import re
import socket
import time
from typing import Any, Awaitable, Optional, Set

from tornado import http1connection, httputil, iostream, netutil, web

from digits.errors import UserError

MAX_CONNECTIONS = 400  # select() on Windows is limited to 512 sockets
# Longer requests are cut off. The application has lower limits, with an error response. Tornado
# searches the whole header again after each piece of it.
MAX_HEADER_BYTES = 2 ** 17
MAX_BODY_BYTES = 16_000_000
MAX_HOST_BYTES = 300
MAX_HEADER_SECONDS = 15  # from the end of the previous response, or the start of the connection
MAX_BODY_SECONDS = 30  # from the end of the header
MAX_ANSWER_SECONDS = 60  # from the end of the body until the client has the response
SHUTDOWN_SECONDS = 10  # for requests that have begun when the server is stopped
POLL_SECONDS = 0.05


class Connection(httputil.HTTPServerConnectionDelegate, httputil.HTTPMessageDelegate):
    """A client's connection: passes requests to the application, and closes after time-outs.

    begun: whether the header of an unanswered request has arrived
    complete: whether the whole request has arrived
    since: when the server began to wait for this request, time.monotonic()
    remote_ip, protocol: for Tornado, which copies them into the request
    """

    def __init__(self, stream: iostream.IOStream, address: tuple, application: web.Application,
                 connections: Set['Connection']):
        self.stream, self.remote_ip, self.protocol = stream, address[0], 'http'
        self._application, self._connections = application, connections
        self._request: Any = None  # Tornado's delegate for the present request
        self._timer = None  # type: Optional[asyncio.TimerHandle]
        self.begun = self.complete = False
        self.since = time.monotonic()

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection
                      ) -> httputil.HTTPMessageDelegate:
        """Start a request, whose parts pass through this object."""
        self.begun = self.complete = False
        self.since = time.monotonic()
        self._request = self._application.start_request(server_conn, request_conn)
        self._limit(MAX_HEADER_SECONDS)
        return self

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders
                         ) -> Optional[Awaitable[None]]:
        """Start the time-out of the body; the application may already respond."""
        if len(headers.get('Host', '')) > MAX_HOST_BYTES:  # Tornado would convert any port
            headers['Host'] = 'too-long'
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
        """The connection was closed, by either side."""
        self._limit(None)
        self._connections.discard(self)

    def _limit(self, seconds: Optional[float]) -> None:
        """Close the connection after this time, or never; replaces the previous limit."""
        if self._timer:
            self._timer.cancel()
        if seconds:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.stream.close)


class _Stream(iostream.IOStream):
    """Reads a body in chunks as new versions of Tornado do; 6.2 is the last for Python 3.7.

    That lets nobody else in while it reads many short chunks, for ever if a length is negative, and
    takes a chunk without a length, or with an extension, for a fault of its own.
    """

    async def read_until(self, delimiter: bytes, max_bytes: Optional[int] = None) -> bytes:
        """The line before a chunk, without extensions: Tornado reads nothing else by this."""
        await asyncio.sleep(0)
        line = await super().read_until(delimiter, max_bytes)
        length = re.fullmatch(rb'([0-9a-fA-F]{1,8})\s*(;.*)?\r\n', line)
        if not length:
            raise httputil.HTTPInputError('a chunk without a length')
        return length.group(1) + delimiter

    async def read_bytes(self, num_bytes: int, partial: bool = False) -> bytes:
        """A part of a body or, not `partial`, the line end after a chunk."""
        found = await super().read_bytes(num_bytes, partial)
        if not partial and found != b'\r\n':
            raise httputil.HTTPInputError('a chunk of another length')
        return found


class Listener:
    """Accepts connections on a socket, up to MAX_CONNECTIONS; needs a running event loop.

    At the limit, a new connection replaces the one that has kept us waiting for the longest time,
    for the rest of a request or to take an answer, so clients that send a byte a second, or read
    nothing, cannot block others.
    """

    def __init__(self, sock: socket.socket, application: web.Application):
        self._socket, self._application = sock, application
        self._parameters = http1connection.HTTP1ConnectionParameters(
            max_header_size=MAX_HEADER_BYTES, max_body_size=MAX_BODY_BYTES)
        self._connections = set()  # type: Set[Connection]
        # A large body has a temporary file, too.
        self._max_connections = min(MAX_CONNECTIONS, (_max_open_files() - 50) // 2)
        sock.setblocking(False)
        self._stop_accepting = netutil.add_accept_handler(sock, self._accept)

    def _accept(self, sock, address):
        stream = _Stream(sock)
        if len(self._connections) >= self._max_connections and not self._drop_slowest():
            stream.close()
            return
        connection = Connection(stream, address, self._application, self._connections)
        self._connections.add(connection)
        http1connection.HTTP1ServerConnection(
            stream, self._parameters, context=connection).start_serving(connection)

    def _drop_slowest(self):
        """Close the connection that kept us waiting the longest; return whether there was one."""
        awaited = [each for each in self._connections
                   if not each.complete or each.stream.writing()]
        if not awaited:
            return False
        slowest = min(awaited, key=lambda each: each.since)
        self._connections.discard(slowest)  # on_close is called only later
        slowest.stream.close()
        return True

    async def stop(self) -> None:
        """Stop accepting connections; answer requests that have begun, within SHUTDOWN_SECONDS."""
        until = time.monotonic() + SHUTDOWN_SECONDS
        await asyncio.sleep(POLL_SECONDS)  # accept those that are waiting
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
    """The limit on open files and sockets of this process."""
    try:
        import resource
    except ImportError:  # Windows
        return 8192
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 8192 if soft == resource.RLIM_INFINITY else soft


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on this host and port; UserError if that fails."""
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
    """The URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f'http://{f"[{host}]" if ":" in host else host}:{port}/'
