"""What draw.py refuses, and that no bytes make it fail."""
import contextlib
import json
import re
import socket
import time

import hypothesis
import pytest
from clients import (
    CANVAS,
    THREE,
    MemoryLog,
    Undecided,
    answering,
    ask,
    png_header,
    raw,
    read,
    server_room,
)
from hypothesis import strategies as st

from digits.paths import PROJECT_ROOT
from digits.web import predictions


@pytest.mark.parametrize(('method', 'path', 'body', 'headers', 'status'), [
    ('GET', '/nothing', None, {}, 404),
    ('GET', '/page/', None, {}, 404),
    ('GET', '/../draw.py', None, {}, 404),
    ('GET', '//evil.example/', None, {}, 404),
    ('GET', '/static/page.js', None, {}, 404),
    ('GET', '/predict', None, {}, 405),
    ('PUT', '/predict', CANVAS, {'Content_Type': 'image/png'}, 405),
    ('OPTIONS', '/predict', None, {'Origin': 'http://evil.example'}, 405),
    ('POST', '/', CANVAS, {'Content_Type': 'image/png'}, 405),
    ('POST', '/predict', CANVAS, {}, 415),
    ('POST', '/predict', CANVAS, {'Content_Type': 'text/plain'}, 415),
    ('POST', '/predict', CANVAS, {'Content_Type': 'application/x-www-form-urlencoded'}, 415),
    ('POST', '/predict', CANVAS, {'Content_Type': 'image/jpeg'}, 415),
    ('POST', '/predict', b'II*\0' + bytes(99), {'Content_Type': 'image/tiff'}, 415),
    ('POST', '/predict', b'II*\0' + bytes(99), {'Content_Type': 'image/png'}, 415),
    ('POST', '/predict', b'', {'Content_Type': 'image/png'}, 415),
    ('POST', '/predict', CANVAS[:200], {'Content_Type': 'image/png'}, 422),
    ('POST', '/predict', png_header(5000, 5000), {'Content_Type': 'image/png'}, 422),
    ('POST', '/predict', png_header(2 ** 31 - 1, 2 ** 31 - 1), {'Content_Type': 'image/png'}, 422),
    ('POST', '/predict', b'{"pixels": []}', {'Content_Type': 'application/json'}, 400),
    ('POST', '/predict', b'[' * 10 ** 5, {'Content_Type': 'application/json'}, 400),
    ('POST', '/predict', json.dumps({'pixels': [255] * 784}),
     {'Content_Type': 'application/json'}, 400),
    ('POST', '/predict', b'{"pixels": [' + b'NaN,' * 783 + b'NaN]}',
     {'Content_Type': 'application/json'}, 400),
    ('POST', '/predict', b'{"pixels": [' + b'"1",' * 783 + b'"1"]}',
     {'Content_Type': 'application/json'}, 400),
    ('POST', '/predict', bytes(8_000_001), {'Content_Type': 'image/png'}, 413),
    ('GET', '/', None, {'Host': 'evil.example'}, 421),
    ('GET', '/', None, {'Host': '127.0.0.1.evil.example'}, 421),
    ('GET', '/', None, {'Host': '192.168.0.7'}, 421),
    ('POST', '/predict', CANVAS, {'Content_Type': 'image/png', 'Host': 'evil.example:8000'}, 421),
    ('GET', '/', None, {'X': 'x' * 100_000}, 431),
    ('GET', '/', None, {'Host': 'localhost:' + 5000 * '1'}, 421),
    ('GET', '/', None, {'Host': '127.0.0.1%25.evil.example'}, 421),
    ('POST', '/predict', CANVAS, {'Content_Type': 'image/png', 'Content_Length': '+4'}, 400),
    ('POST', '/predict', b'{"pixels": [' + b'[' * 50_000 + b']' * 50_000 + b']}',
     {'Content_Type': 'application/json'}, 413),
], ids=lambda value: str(value)[:30] if not isinstance(value, (bytes, dict)) else '')
def test_what_is_refused_gets_a_sentence(server, method, path, body, headers, status):
    found, fields, answer = ask(server, method, path, body, **headers)
    assert found == status
    assert set(answer) == ({'error', 'kind'} if status == 422 else {'error'})
    assert 'Traceback' not in answer['error'] and 10 < len(answer['error']) < 250
    assert fields['X-Content-Type-Options'] == 'nosniff'
    assert 'Access-Control-Allow-Origin' not in fields
    if status == 405:
        assert fields['Allow'] == ('POST' if path == '/predict' else 'GET, HEAD')


IN_CHUNKS = (b'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n'
             b'Transfer-Encoding: chunked\r\n\r\n')


def test_a_body_without_end_is_cut_off(server):
    """Chunked, more than is taken, and never finished: no length was ever said."""
    with socket.create_connection((server.host, server.port), 30) as it:
        it.sendall(IN_CHUNKS)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(300):
                it.sendall(b'20000\r\n' + bytes(0x20000) + b'\r\n')
            pytest.fail('40 MB were taken')
    assert ask(server, 'GET', '/healthz')[0] == 200


@pytest.mark.parametrize('chunks', [b'-1\r\n', b'-5\r\nabcdefgh\r\n0\r\n\r\n', b'x\r\n', b'\r\n',
                                    b'4\r\nabcde\r\n0\r\n\r\n', b'\xb2\r\nab\r\n'])
def test_wrong_chunks_are_refused(server, chunks):
    """With Tornado 6.2, a negative length had kept the server busy for ever."""
    answer = raw(server, IN_CHUNKS + chunks)
    assert answer.startswith(b'HTTP/1.1 400 ') or not answer  # cut off
    assert ask(server, 'GET', '/healthz', timeout=10)[0] == 200


def test_short_chunks_keep_nobody_out(server):
    """With Tornado 6.2, nobody else was answered while they came."""
    with socket.create_connection((server.host, server.port), 30) as it:
        it.sendall(IN_CHUNKS)
        end = time.monotonic() + 2
        with contextlib.suppress(OSError):
            it.setblocking(False)
            while time.monotonic() < end:
                with contextlib.suppress(BlockingIOError):
                    it.send(b'1\r\na\r\n' * 20000)
        begin = time.monotonic()
        assert ask(server, 'GET', '/healthz', timeout=30)[0] == 200
        assert time.monotonic() - begin < 1


def test_chunks_may_have_extensions(server):
    chunks = b'%x;a=1\r\n%s\r\n0\r\n\r\n' % (len(CANVAS), CANVAS)
    with socket.create_connection((server.host, server.port), 30) as it:
        it.sendall(IN_CHUNKS + chunks)
        assert it.recv(15) == b'HTTP/1.1 200 OK'


STARTS = [b'POST /predict HTTP/1.1\r\n', b'GET / HTTP/1.1\r\n', b'GET /healthz HTTP/1.0\r\n', b'',
          b'POST /predict?with=image,maps&with=%ff HTTP/1.1\r\n', b'HEAD /page.js HTTP/1.1\r\n',
          b'POST http://localhost/predict HTTP/1.1\r\n', b'CONNECT evil:1 HTTP/1.1\r\n']
FIELDS = [b'Host: localhost\r\n', b'Host: 127.0.0.1:99999\r\n', b'Host: \xff\r\n',
          b'Content-Type: image/png\r\n', b'Content-Type: image/jpeg\r\n', b'Content-Type: ;\r\n',
          b'Content-Type: application/json\r\n', b'Content-Type: application/json; charset=x\r\n',
          b'Content-Length: 4\r\n', b'Content-Length: -1\r\n', b'Content-Length: 9e9\r\n',
          b'Content-Length: 99999999999999999999\r\n', b'Transfer-Encoding: chunked\r\n',
          b'Transfer-Encoding: gzip\r\n', b'Expect: 100-continue\r\n', b'Connection: close\r\n',
          b'Range: bytes=5-2\r\n', b'X-Forwarded-For: evil\r\n', b': \r\n', b'\0\r\n', b' a\r\n',
          b'If-None-Match: "\r\n', b'Cookie: a=\xff\r\n', b'Content-Encoding: gzip\r\n']
BODIES = [b'', b'{}', b'{"pixels": 1}', b'4\r\n{"pi\r\n0\r\n\r\n', b'fffffffffffffff\r\n',
          b'-1\r\n', b'[1, 2', b'"\xff"', CANVAS, CANVAS[:99], THREE[:999],
          b'GET /nix HTTP/1.1\r\n\r\n']


def fuzzed(examples, *given):
    """A property tested as often."""
    def wrap(test):
        return hypothesis.settings(
            max_examples=examples, deadline=None, database=None,
            suppress_health_check=list(hypothesis.HealthCheck))(hypothesis.given(*given)(test))
    return wrap


def test_no_bytes_over_a_socket_give_a_500(server):
    @fuzzed(500, st.tuples(st.sampled_from(STARTS), st.lists(st.sampled_from(FIELDS), max_size=5),
                            st.sampled_from(BODIES) | st.binary(max_size=60), st.booleans(),
                            st.integers(0, 200), st.binary(max_size=2)))
    def check(parts):
        start, fields, body, proper, place, noise = parts
        length = b'Content-Length: %d\r\n' % len(body) if proper else b''
        data = start + b''.join(fields) + length + b'\r\n' + body
        data = data[:place] + noise + data[place:] if noise else data
        answer = raw(server, data)
        for status in re.findall(rb'^HTTP/1\.[01] (\d+)', answer, re.MULTILINE):
            assert status in (b'100', b'200', b'400', b'404', b'405', b'413', b'415', b'421',
                              b'422', b'431', b'501'), (data, answer)
        assert b'Traceback' not in answer and PROJECT_ROOT.name.encode() + b'/' not in answer
    check()
    assert ask(server, 'GET', '/healthz')[0] == 200


@pytest.mark.parametrize('times', [1, pytest.param(9, marks=pytest.mark.slow)])
def test_no_picture_and_no_json_gives_a_500(cnn_run, times):
    """Hundreds or thousands of bodies straight into the predictor: pictures, JSON of all kinds."""
    from digits.prediction import classifier
    predictor = predictions.Predictor(classifier.restore(cnn_run))

    def status(content_type, body):
        try:
            return 200 if 'digit' in predictor.answer(content_type, body)[0] else None
        except predictions.Refusal as refusal:
            assert refusal.sentence or refusal.status in server_room.SENTENCES
            return refusal.status

    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    trees = st.recursive(values, lambda inner: st.lists(inner, max_size=5)
                         | st.dictionaries(st.sampled_from(['pixels', 'a']), inner, max_size=2))

    @fuzzed(200 * times, trees | values.map(lambda value: {'pixels': [value] * 784})
            | st.integers(700, 900).map(lambda count: {'pixels': [0] * count}))
    def json_of_any_shape(tree):
        assert status('application/json', json.dumps(tree).encode()) in (200, 400)

    @fuzzed(100 * times, st.sampled_from([(CANVAS, 'image/png'), (THREE[:20000], 'image/jpeg')]),
            st.lists(st.tuples(st.integers(0, 2 ** 20), st.integers(0, 255)), max_size=8),
            st.integers(0, 2 ** 20))
    def broken_pictures(picture, changes, end):
        data = bytearray(picture[0])
        for place, value in changes:
            data[place % min(len(data), 700)] = value
        assert status(picture[1], bytes(data[:end])) in (200, 415, 422)
    json_of_any_shape()
    broken_pictures()


def test_a_fault_of_ours_is_told_to_the_log_and_not_to_the_client():
    class Faulty(Undecided):
        def __call__(self, images):
            if images.any():
                raise RuntimeError('a secret')
            return super().__call__(images)

    log = MemoryLog()
    with answering(Faulty(), log) as server:
        status, _, answer = read(server, CANVAS)
    assert (status, answer) == (500, {'error': server_room.SENTENCES[500]})
    (_, status, _), known = log.entries[-1]
    assert status == 500 and 'a secret' in known['stack_trace']
