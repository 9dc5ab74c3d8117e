"""draw.py under many clients, and slow ones: its limits, its deadlines, and how it ends."""
import contextlib
import gc
import http.client
import os
import queue
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import types

import pytest
from clients import (
    CANVAS,
    HEAD,
    MemoryLog,
    Undecided,
    answering,
    ask,
    connections,
    read,
    server_room,
)
from conftest import IN_BACKGROUND

from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.web import predictions


def test_two_hundred_at_once_are_all_answered(server):
    """More than there are threads, fewer than may wait."""
    sockets = [socket.create_connection((server.host, server.port), 60) for _ in range(200)]
    request = (b'POST /predict HTTP/1.0\r\nHost: localhost\r\nContent-Type: image/png\r\n'
               b'Content-Length: %d\r\n\r\n' % len(CANVAS)) + CANVAS
    for it in sockets:
        it.sendall(request)
    answers = [it.makefile('rb').readline() for it in sockets]
    for it in sockets:
        it.close()
    assert answers == [b'HTTP/1.1 200 OK\r\n'] * 200


def connect(server, data=b''):
    """A connection over which that was sent."""
    sock = socket.create_connection((server.host, server.port), 30)
    sock.sendall(data)
    return sock


def is_closed(sock, within):
    """Whether the server closes that connection, or has, within so many seconds."""
    if not select.select([sock], [], [], within)[0]:
        return False
    try:
        return not sock.recv(1)
    except ConnectionError:
        return True


def test_too_many_waiting_get_a_503_and_the_rest_their_answers(monkeypatch):
    monkeypatch.setattr(server_room, 'MAX_WAITING', 3)
    classify, answers = Undecided(), queue.Queue()
    with answering(classify) as server:
        classify.go.clear()
        threads = [threading.Thread(target=lambda: answers.put(read(server, CANVAS)))
                   for _ in range(server_room.THREADS + 4)]
        for thread in threads:
            thread.start()
        status, headers, answer = answers.get(timeout=30)
        assert (status, answer) == (503, {'error': server_room.SENTENCES[503]})
        assert headers['Retry-After'] == '1'
        assert ask(server, 'GET', '/')[0] == 200  # which needs no thread
        assert answers.empty()
        classify.go.set()
        for thread in threads:
            thread.join(30)
        assert [answers.get_nowait()[0] for _ in threads[1:]] == [200] * len(threads[1:])


@pytest.mark.parametrize('start', [b'', HEAD[:30], HEAD, HEAD + CANVAS[:9]])
def test_a_request_has_a_deadline_as_a_whole(start, monkeypatch):
    """However steadily its bytes drip."""
    monkeypatch.setattr(connections, 'MAX_HEADER_SECONDS', 0.6)
    monkeypatch.setattr(connections, 'MAX_BODY_SECONDS', 0.6)
    with answering(Undecided()) as server, contextlib.closing(connect(server, start)) as slow:
        begin = time.monotonic()
        while not is_closed(slow, 0.1):
            assert time.monotonic() - begin < 10
            with contextlib.suppress(OSError):
                slow.sendall(b'a')
        assert time.monotonic() - begin > 0.4
        assert read(server, CANVAS)[0] == 200


def test_a_client_that_does_not_take_its_answer_is_dropped(monkeypatch):
    monkeypatch.setattr(connections, 'MAX_ANSWER_SECONDS', 0.5)
    classify = Undecided()
    with answering(classify) as server:
        classify.go.clear()
        with contextlib.closing(connect(server, HEAD + CANVAS)) as waiting:
            assert is_closed(waiting, 10)
        classify.go.set()


def test_clients_that_leave_early_are_no_faults():
    """In the header, in the body, and while their picture waits for a thread: it is not read then.
    """
    classify, log = Undecided(), MemoryLog()
    with answering(classify, log) as server:
        classify.go.clear()
        for data in [HEAD[:30], HEAD, HEAD + CANVAS[:9]] + [HEAD + CANVAS] * 8:
            sock = connect(server, data)
            time.sleep(0.1)
            sock.close()
        time.sleep(0.5)
        classify.go.set()
        assert read(server, CANVAS)[0] == 200
    gc.collect()  # an unfinished task would be told of
    assert sorted(status for (_, status, _), _ in log.entries) == [200] * 5 + [499] * 4


def test_when_all_connections_are_taken_the_longest_incomplete_request_is_dropped(monkeypatch):
    monkeypatch.setattr(connections, 'MAX_CONNECTIONS', 3)
    classify = Undecided()
    with answering(classify) as server, contextlib.ExitStack() as stack:
        def new(data):
            sock = stack.enter_context(contextlib.closing(connect(server, data)))
            time.sleep(0.1)  # for the server to read it
            return sock

        classify.go.clear()
        whole, slow, other = new(HEAD + CANVAS), new(HEAD + CANVAS[:9]), new(HEAD[:20])
        third = new(HEAD + CANVAS)
        assert is_closed(slow, 10)
        fourth = new(HEAD + CANVAS)
        assert is_closed(other, 10)
        assert is_closed(new(HEAD + CANVAS), 10)  # the others wait for us, not we for them
        classify.go.set()
        for each in (whole, third, fourth):
            assert each.recv(15) == b'HTTP/1.1 200 OK'


def test_clients_that_read_nothing_keep_nobody_out(monkeypatch):
    """All that there may be, each with more answers on their way than the system's buffers take."""
    monkeypatch.setattr(connections, 'MAX_CONNECTIONS', 5)
    with answering(Undecided()) as server, contextlib.ExitStack() as stack:
        for _ in range(5):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.settimeout(30)
            sock.connect((server.host, server.port))
            sock.sendall(b'GET /page.css HTTP/1.1\r\nHost: localhost\r\n\r\n' * 1500)
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask(server, 'GET', '/healthz', timeout=5)[0] == 200:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_pages_are_read_one_by_one_and_digits_beside_them(monkeypatch):
    """However many pages come, which take seconds each."""
    go, under_way, read_pages = threading.Event(), [], []

    def find(picture):
        under_way.append(picture)
        assert len(under_way) == 1 and go.wait(30)
        read_pages.append(under_way.pop())
        raise UserError('nothing that is sure')

    monkeypatch.setattr(predictions.page, 'find', find)
    several = (PROJECT_ROOT / 'data' / 'pages' / 'numbers.jpg').read_bytes()
    answers = queue.Queue()
    with answering(Undecided()) as server:
        threads = [threading.Thread(target=lambda: answers.put(read(
            server, several, 'image/jpeg', '/predict?with=page'))) for _ in range(6)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 20
        while not under_way:
            assert time.monotonic() < deadline and answers.empty(), answers.get_nowait()
            time.sleep(0.05)
        assert read(server, CANVAS)[0] == 200 and answers.empty()
        go.set()
        for thread in threads:
            thread.join(30)
        assert [answers.get_nowait()[0] for _ in threads] == [422] * 6 and len(read_pages) == 6


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='Windows has no limit on open files')
def test_where_few_files_may_be_open_large_bodies_keep_nobody_out(cnn_run, tmp_path):
    """256, as on macOS: a body of more than half a megabyte is in a file until it is whole."""
    log = tmp_path / 'log'
    command = ['sh', '-c', 'ulimit -n 256; exec "$@"', 'sh', sys.executable,
               str(PROJECT_ROOT / 'draw.py'), '--port', '0', '--run-dir', str(cnn_run), '--log',
               str(log)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        host, port = re.search(r'http://(.*):(\d+)/', process.stderr.readline()).groups()
        server = types.SimpleNamespace(host=host, port=int(port))
        start = HEAD.replace(b'%d' % len(CANVAS), b'2000000') + bytes(700_000)
        sockets = []
        for _ in range(230):
            with contextlib.suppress(OSError):
                sockets.append(connect(server, start))
        assert ask(server, 'GET', '/healthz', timeout=10)[0] == 200
        for sock in sockets:
            sock.close()
        process.terminate()
        assert process.wait(30) == 0
    assert 'Too many open files' not in log.read_text(encoding='utf-8')


def test_six_hundred_that_drip_keep_nobody_out(server):
    """Half of them in the header, half in the body, a byte a second each; dropped, they come again.
    """
    resource = pytest.importorskip('resource', reason='no limit on open files to look at')
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 800:
        pytest.skip('this process may not open 600 connections: ulimit -n 1024')
    starts, seconds, dropped = [HEAD, HEAD[:40]] * 300, [], 0
    dripping = [connect(server, start) for start in starts]
    for _ in range(5):
        for number, sock in enumerate(dripping):
            with contextlib.suppress(OSError):
                sock.sendall(b'a')
            if is_closed(sock, 0):
                dropped += 1
                sock.close()
                dripping[number] = connect(server, starts[number])
        begin = time.monotonic()
        assert ask(server, 'POST', '/predict', CANVAS, timeout=20,
                   Content_Type='image/png')[0] == 200
        seconds.append(time.monotonic() - begin)
        time.sleep(1)
    for sock in dripping:
        sock.close()
    print(f'answered in {max(seconds):.2f} s at most; {dropped:,} connections dropped')
    assert max(seconds) < 5
    assert dropped >= 600 - connections.MAX_CONNECTIONS
    assert ask(server, 'GET', '/healthz')[0] == 200


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGTERM')
def test_sigterm_finishes_what_has_begun_and_leaves_with_0(serving, cnn_run):
    """Twenty pictures on their way, one of them not yet whole, and a connection that is idle."""
    with serving(cnn_run) as server:
        sockets = [socket.create_connection((server.host, server.port), 30) for _ in range(22)]
        for it in sockets[:20]:
            it.sendall(HEAD + CANVAS)
        sockets[20].sendall(HEAD + CANVAS[:50])
        time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        sockets[20].sendall(CANVAS[50:])
        answers = [it.makefile('rb').read() for it in sockets]
        assert server.process.wait(15) == 0
        with pytest.raises(OSError):
            socket.create_connection((server.host, server.port), 1)
    assert all(answer.startswith(b'HTTP/1.1 200') for answer in answers[:21])
    assert answers[21] == b''


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGTERM')
@pytest.mark.slow
def test_sigterm_from_the_browser_that_it_opens_leaves_with_0(cnn_run, tmp_path):
    browser = tmp_path / 'browser'
    browser.write_text('#!/bin/sh\nkill -TERM $PPID\n')
    browser.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(PROJECT_ROOT / 'draw.py'), '--port', '0', '--open', '--run-dir',
         str(cnn_run)], check=False, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, 'BROWSER': f'{browser} %s'})
    assert done.returncode == 0 and done.stderr.count(b'\n') == 1


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGINT for one process')
def test_ctrl_c_leaves_with_130(serving, cnn_run):
    with serving(cnn_run) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(15) == 130
        time.sleep(0.2)
    assert server.stderr[1:] == ['draw.py: interrupted\n']


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGINT for one process')
def test_in_the_background_of_a_shell_only_sigterm_stops_it(cnn_run):
    """Where SIGINT is ignored from the start."""
    command = [*IN_BACKGROUND, sys.executable, str(PROJECT_ROOT / 'draw.py'), '--port', '0',
               '--run-dir', str(cnn_run)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert b'reads with' in process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.terminate()
        assert process.wait(30) == 0
