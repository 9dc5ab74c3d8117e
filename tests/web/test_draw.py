"""draw.py as a process, asked over sockets: what it answers, refuses, logs, and how it ends."""
import base64
import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from digits import idx
from digits.paths import PROJECT_ROOT as HOME
from digits.web import report

server_room = pytest.importorskip('digits.web.server')
PICTURES = sorted(path for path in (HOME / 'data').iterdir() if path.suffix in ('.png', '.jpg'))
THREE = (HOME / 'data' / '3-pencil-photo.jpg').read_bytes()
CANVAS = (HOME / 'data' / '8-dark-canvas.png').read_bytes()


@pytest.fixture(scope='module')
def log(tmp_path_factory):
    return tmp_path_factory.mktemp('log') / 'requests.log'


@pytest.fixture(scope='module')
def server(serving, cnn_run, log):
    with serving(cnn_run, '--log', log) as started:
        yield started
        assert started.stop() == 0
        assert len(started.stderr) == 1  # the address: nothing went wrong behind the answers


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


def test_the_same_answers_as_predict(server, script, cnn_run):
    lines = script('predict.py', '--run-dir', cnn_run, '--json', *PICTURES).stdout.splitlines()
    assert len(lines) == len(PICTURES) >= 10
    for path, line in zip(PICTURES, lines):
        expected = json.loads(line)
        kind = 'image/png' if path.suffix == '.png' else 'image/jpeg'
        status, _, answer = read(server, path.read_bytes(), kind)
        assert status == 200
        assert set(answer) == set(expected) - {'file'}
        assert answer['probabilities'] == pytest.approx(expected['probabilities'], abs=1e-5)
        assert (answer['digit'], answer['sure'], answer.get('doubt')) == (
            expected['digit'], expected['sure'], expected.get('doubt'))


def test_pixels_of_the_lessons_are_read_as_they_are(server, small_dir, cnn_run):
    from digits import classifier
    images = idx.read_folder(small_dir)[2][:5, ..., 0]
    for image, expected in zip(images, classifier.restore(cnn_run)(images)[0]):
        body = json.dumps({'pixels': (np.float32(image.ravel()) / np.float32(255)).tolist()})
        status, _, answer = read(server, body, 'application/json', '/predict?with=image')
        assert status == 200
        assert answer['probabilities'] == pytest.approx(expected.tolist(), abs=1e-5)
        seen = Image.open(io.BytesIO(base64.b64decode(answer['image'])))
        assert np.array_equal(np.asarray(seen), image)


def test_feature_maps_are_those_of_the_classifier(server, cnn_run):
    from digits import classifier, picture
    answer = read(server, CANVAS, path='/predict?with=maps,image')[2]
    maps = classifier.restore(cnn_run).feature_maps(picture.read(io.BytesIO(CANVAS)))
    assert [each['title'] for each in answer['maps']] == [title for title, _ in maps]
    for each, (_, values) in zip(answer['maps'], maps):
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(each['image']))))
        side = values.shape[0]
        gap = side // 14
        assert image.shape == (values.shape[2] // 8 * (side + gap) + gap, 8 * (side + gap) + gap, 2)
        strongest = np.unravel_index(values[..., 0].argmax(), values.shape[:2])
        first = image[gap:gap + side, gap:gap + side, 0]
        assert first[strongest] == first.max()
        assert (image[:gap, :, 1] == 0).all() and (image[gap:gap + side, gap, 1] == 255).all()


def test_the_page_and_its_parts_are_served_safely(server):
    for path, (name, kind) in server_room.FILES.items():
        status, headers, body = ask(server, 'GET', path)
        assert (status, headers['Content-Type']) == (200, kind)
        assert body == (HOME / 'digits' / 'web' / 'page' / name).read_bytes()
        for field, value in server_room.HEADERS.items():
            assert headers[field] == value
        assert 'Server' not in headers
        text = body.decode()
        assert not re.search(r'(https?:)?//(?!www\.w3\.org/2000/svg)[\w-]+\.\w', text)
        assert not re.search(r'<script(?! src="page.js" defer)|<style|\sstyle=|\son\w+=', text)
    policy = server_room.HEADERS['Content-Security-Policy']
    assert "default-src 'none'" in policy and 'unsafe' not in policy
    assert ask(server, 'GET', '/healthz')[2]['status'] == 'ok'


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
    ('GET', '/', None, {'X': 'x' * 300_000}, 431),
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


def test_a_body_without_end_is_cut_off(server):
    """Chunked, more than is taken, and never finished: no length was ever said."""
    with socket.create_connection((server.host, server.port), 30) as it:
        it.sendall(b'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n'
                   b'Transfer-Encoding: chunked\r\n\r\n')
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(300):
                it.sendall(b'20000\r\n' + bytes(0x20000) + b'\r\n')
            pytest.fail('40 MB were taken')
    assert ask(server, 'GET', '/healthz')[0] == 200


def test_a_picture_in_chunks_is_read(server):
    answer = ask(server, 'POST', '/predict', iter([CANVAS[:100], CANVAS[100:]]),
                 Content_Type='image/png')
    assert answer[2] == read(server, CANVAS)[2]


@pytest.mark.parametrize(('host', 'listens', 'ours'), [
    ('127.0.0.1:8000', '127.0.0.1', True), ('localhost', '127.0.0.1', True),
    ('LOCALHOST.:1', '127.0.0.1', True), ('[::1]:8000', '::1', True), ('', '127.0.0.1', False),
    ('evil.example', '0.0.0.0', False), ('192.168.0.7:8000', '0.0.0.0', True),
    ('192.168.0.7', '127.0.0.1', False), ('digits.lan', 'digits.lan', True),
    ('[::1', '127.0.0.1', False), ('localhost@evil.example', '127.0.0.1', False),
    (socket.gethostname(), '0.0.0.0', True),
])
def test_hosts(host, listens, ours):
    assert server_room.is_ours(host, listens) is ours


def test_answers_do_not_mix_when_many_ask_at_once(server):
    bodies = [(path.read_bytes(), 'image/png' if path.suffix == '.png' else 'image/jpeg')
              for path in PICTURES[:8]]
    expected = [read(server, *body)[2] for body in bodies]
    wrong = []

    def worker(start):
        for turn in range(16):
            number = (start + turn) % len(bodies)
            status, _, answer = read(server, *bodies[number])
            if status != 200 or answer['probabilities'] != pytest.approx(
                    expected[number]['probabilities'], abs=1e-5):
                wrong.append((status, answer))
    threads = [threading.Thread(target=worker, args=[start]) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


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
        assert b'Traceback' not in answer and HOME.name.encode() + b'/' not in answer
    check()
    assert ask(server, 'GET', '/healthz')[0] == 200


def test_no_picture_and_no_json_gives_a_500(cnn_run):
    """Thousands of bodies straight into the application: broken pictures, JSON of all shapes."""
    from digits import classifier
    app = server_room.application(classifier.restore(cnn_run), 'run', Silent(), '127.0.0.1')
    client = app.test_client()
    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    trees = st.recursive(values, lambda inner: st.lists(inner, max_size=5)
                         | st.dictionaries(st.sampled_from(['pixels', 'a']), inner, max_size=2))

    @fuzzed(1000, trees | values.map(lambda value: {'pixels': [value] * 784})
            | st.integers(700, 900).map(lambda count: {'pixels': [0] * count}))
    def json_of_any_shape(tree):
        response = client.post('/predict', data=json.dumps(tree),
                               content_type='application/json')
        assert response.status_code in (200, 400)

    @fuzzed(600, st.sampled_from([(CANVAS, 'image/png'), (THREE[:20000], 'image/jpeg')]),
            st.lists(st.tuples(st.integers(0, 2 ** 20), st.integers(0, 255)), max_size=8),
            st.integers(0, 2 ** 20))
    def broken_pictures(picture, changes, end):
        data = bytearray(picture[0])
        for place, value in changes:
            data[place % min(len(data), 700)] = value
        response = client.post('/predict', data=bytes(data[:end]), content_type=picture[1])
        assert response.status_code in (200, 415, 422)
        assert 'error' in response.get_json() or response.status_code == 200
    json_of_any_shape()
    broken_pictures()


class Silent:
    """A log that keeps its entries."""

    def __init__(self):
        self.entries = []

    def write(self, *entry, **known):
        self.entries.append((entry, known))


def test_a_fault_of_ours_is_told_to_the_log_and_not_to_the_client():
    def classify(images):
        if images.any():
            raise RuntimeError('a secret')
        return np.full([1, 10], .1), ['']

    classify.feature_maps = lambda image: []
    log = Silent()
    client = server_room.application(classify, 'run', log, '127.0.0.1').test_client()
    response = client.post('/predict', data=CANVAS, content_type='image/png')
    assert response.status_code == 500
    assert response.get_json() == {'error': server_room.SENTENCES[500]}
    (_, status, _), known = log.entries[-1]
    assert status == 500 and 'a secret' in known['stack_trace']


def test_too_many_waiting_get_a_503(cnn_run):
    def classify(images):
        return np.full([1, 10], .1), ['']

    classify.feature_maps = lambda image: []
    app = server_room.application(classify, 'run', Silent(), '127.0.0.1')
    app.config['WAITING'] = lambda: server_room.MOST_WAITING + 1
    response = app.test_client().get('/healthz')
    assert response.status_code == 503
    assert response.headers['Retry-After'] == '1'


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
    assert answers == [b'HTTP/1.0 200 OK\r\n'] * 200


def test_a_line_is_logged_for_each_request_and_the_report_counts_them(server, log):
    before = len(log.read_text().splitlines())
    read(server, CANVAS)
    read(server, png_header(5000, 5000))
    ask(server, 'GET', '/?a=%22%0A', User_Agent='a "browser"')
    raw(server, b'\0\r\n\r\n')
    for _ in range(100):
        lines = log.read_text().splitlines()[before:]
        if len(lines) == 4:
            break
        time.sleep(0.05)
    first, second, third, fourth = map(json.loads, lines)
    assert set(first) == {'time', 'severity', 'message', 'httpRequest', 'digit', 'probability',
                          'sure', 'run'}
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', first['time'])
    assert (first['severity'], first['message']) == ('INFO', f'POST /predict: {first["digit"]}')
    http_request = first['httpRequest']
    assert http_request['status'] == 200 and http_request['requestMethod'] == 'POST'
    assert http_request['requestUrl'] == f'http://{server.host}:{server.port}/predict'
    assert http_request['remoteIp'] == '127.0.0.1'
    assert re.fullmatch(r'\d+\.\d{6}s', http_request['latency'])
    assert 'pixels' in second['error'] and second['severity'] == 'WARNING'
    assert third['httpRequest']['userAgent'] == 'a "browser"'
    assert fourth['httpRequest']['status'] in (400, 421)  # waitress 2 takes it for a request
    said = subprocess.run([sys.executable, '-m', 'digits.web.report', str(log)], text=True,
                          capture_output=True, check=True, cwd=str(HOME)).stdout
    assert re.search(r'^requests +[\d,]+ \(.*x 200', said)
    assert 'bad lines' not in said


def test_drawings_are_logged_only_when_asked_for(serving, cnn_run, tmp_path):
    with serving(cnn_run, '--log', tmp_path / 'log', '--log-drawings') as server:
        answer = read(server, CANVAS, path='/predict?with=image')[2]
        read(server, CANVAS)
        assert server.stop() == 0
    entries = [json.loads(line) for line in (tmp_path / 'log').read_text().splitlines()]
    assert [entry['drawing'] for entry in entries] == [answer['image']] * 2


def test_stdout_has_the_log_and_nothing_else(serving, cnn_run, tmp_path):
    with open(str(tmp_path / 'out'), 'w') as file, serving(cnn_run, stdout=file) as server:
        ask(server, 'GET', '/healthz')
        assert server.stop() == 0
    line, = (tmp_path / 'out').read_text().splitlines()
    assert json.loads(line)['httpRequest']['requestUrl'].endswith('/healthz')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full to stand for a full disk')
@pytest.mark.parametrize('where', ['--log', 'stdout'])
def test_a_full_disk_fails_no_request(serving, cnn_run, where):
    flags = ('--log', '/dev/full') if where == '--log' else ()
    with open('/dev/full', 'w') as full, serving(cnn_run, *flags, stdout=full) as server:
        for _ in range(5):
            assert read(server, CANVAS)[0] == 200
        assert server.stop() == 0
        time.sleep(0.2)
    assert len(server.stderr) == 2
    assert 'the log cannot be written' in server.stderr[1]
    assert 'No space left' in server.stderr[1]


def test_the_log_rotates(tmp_path, monkeypatch):
    from digits.web import request_log
    monkeypatch.setattr(request_log, 'MOST_BYTES', 2000)
    log = request_log.RequestLog(str(tmp_path / 'log'), 'run')
    for number in range(100):
        log.write(f'request {number}', 200, {'latency': '0.001s'}, digit=number % 10)
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['log', *(f'log.{number}' for number in range(1, request_log.FILES + 1))]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    last = [json.loads(line)['message'] for line in (tmp_path / 'log').read_text().splitlines()]
    assert last[-1] == 'request 99'


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGTERM')
def test_sigterm_finishes_what_has_begun_and_leaves_with_0(serving, cnn_run):
    """Twenty pictures on their way, one of them not yet whole, and a connection that is idle."""
    head = (b'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n'
            b'Content-Length: %d\r\n\r\n' % len(CANVAS))
    with serving(cnn_run) as server:
        sockets = [socket.create_connection((server.host, server.port), 30) for _ in range(22)]
        for it in sockets[:20]:
            it.sendall(head + CANVAS)
        sockets[20].sendall(head + CANVAS[:50])
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


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGINT for one process')
def test_ctrl_c_leaves_with_130(serving, cnn_run):
    with serving(cnn_run) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(15) == 130
        time.sleep(0.2)
    assert server.stderr[1:] == ['draw.py: interrupted\n']


def test_mistakes_get_a_sentence(script, server, cnn_run, tmp_path):
    for flags, words in (
            (['--port', server.port], 'name another with --host or --port'),
            (['--host', '203.0.113.1'], 'cannot listen on 203.0.113.1'),
            (['--port', '99999'], 'is not a whole number from 0 to 65,535'),
            (['--port', '0', '--log', tmp_path / 'nowhere' / 'log'], 'No such file'),
            (['--port', '0', '--run-dir', tmp_path], 'run.json')):
        result = script('draw.py', '--run-dir', cnn_run, *flags)
        assert (result.returncode, result.stdout) == (2, '')
        assert words in result.stderr and 'Traceback' not in result.stderr


def test_another_host_is_warned_of(serving, cnn_run):
    with serving(cnn_run, '--host', '0.0.0.0') as server:
        assert 'everybody' in server.stderr[0] and len(server.stderr) == 2
        assert ask(server, 'GET', '/healthz', Host='192.168.0.7')[0] == 200
        assert ask(server, 'GET', '/healthz', Host='evil.example')[0] == 421


def test_report_of_a_known_log(tmp_path, capsys):
    lines = [{'httpRequest': {'status': 200, 'latency': f'{number / 1000:.6f}s'},
              'digit': number % 3, 'sure': number > 10} for number in range(1, 101)]
    lines += [{'httpRequest': {'status': 422, 'latency': '0.5s'}}]
    bad = ['', 'no JSON', '[]', '{"httpRequest": 1}', '{"httpRequest": {"status": 200}}',
           '{"httpRequest": {"status": 200, "latency": "nans"}}', '[' * 100000]
    (tmp_path / 'log').write_text('\n'.join([*map(json.dumps, lines), *bad]) + '\n')
    report.main([str(tmp_path / 'log')])
    assert capsys.readouterr().out.splitlines() == [
        'requests   101 (100 x 200, 1 x 422)', 'bad lines  7', 'answers    100',
        'latency    p50 50.5 ms, p99 99.0 ms', 'doubtful   10 (10.0%)', 'digit      answers',
        '    0           33', '    1           34', '    2           33',
        *(f'{digit:5}            0' for digit in range(3, 10))]
    (tmp_path / 'empty').write_text('')
    report.main([str(tmp_path / 'empty')])
    assert capsys.readouterr().out == 'requests   0\nanswers    0\n'


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.binary() | st.text().map(json.dumps) | st.builds(
    lambda **entry: json.dumps({'httpRequest': entry, **entry}),
    status=st.integers() | st.text(), latency=st.floats() | st.text(), digit=st.integers()
    | st.lists(st.integers())))
def test_no_line_stops_the_report(line):
    counted = report.Report()
    counted.add(line)
    assert list(counted.lines())
