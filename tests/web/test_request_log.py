"""The line of JSON for each request, where it goes, and the report of a day of them."""
import json
import os
import re
import subprocess
import sys
import time

import hypothesis
import pytest
from clients import CANVAS, ask, png_header, raw, read
from hypothesis import strategies as st

from digits.paths import PROJECT_ROOT
from digits.web import report


@pytest.fixture(scope='module')
def log(tmp_path_factory):
    return tmp_path_factory.mktemp('log') / 'requests.log'


@pytest.fixture(scope='module')
def server(serving, cnn_run, log):
    with serving(cnn_run, '--log', log) as started:
        yield started
        assert started.stop() == 0
        assert len(started.stderr) == 1


def test_a_line_is_logged_for_each_request_and_the_report_counts_them(server, log):
    before = len(log.read_text(encoding='utf-8').splitlines())
    read(server, CANVAS, path='/predict?final=false')
    read(server, png_header(5000, 5000))
    ask(server, 'GET', '/?a=%22%0A', User_Agent='a "browser"')
    raw(server, b'\0\r\n\r\n')
    for _ in range(100):
        lines = log.read_text(encoding='utf-8').splitlines()[before:]
        if len(lines) == 4:
            break
        time.sleep(0.05)
    first, second, third, fourth = map(json.loads, lines)
    assert set(first) == {'time', 'severity', 'message', 'httpRequest', 'digit', 'probability',
                          'sure', 'final', 'run'}
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', first['time'])
    assert (first['severity'], first['message']) == ('INFO', f'POST /predict: {first["digit"]}')
    http_request = first['httpRequest']
    assert http_request['status'] == 200 and http_request['requestMethod'] == 'POST'
    assert http_request['requestUrl'] == f'http://{server.host}:{server.port}/predict?final=false'
    assert http_request['remoteIp'] == '127.0.0.1'
    assert re.fullmatch(r'\d+\.\d{6}s', http_request['latency'])
    assert first['final'] is False and second['final'] is True and 'final' not in third
    assert 'pixels' in second['error'] and second['severity'] == 'WARNING'
    assert third['httpRequest']['userAgent'] == 'a "browser"'
    assert fourth['httpRequest']['status'] == 400
    said = subprocess.run([sys.executable, '-m', 'digits.web.report', str(log)], text=True,
                          capture_output=True, check=True, cwd=str(PROJECT_ROOT)).stdout
    assert re.search(r'^requests +[\d,]+ \(.*x 200', said)
    assert 'bad lines' not in said


def test_drawings_are_logged_only_when_asked_for(serving, cnn_run, tmp_path):
    with serving(cnn_run, '--log', tmp_path / 'log', '--log-drawings') as server:
        answer = read(server, CANVAS, path='/predict?with=image')[2]
        read(server, CANVAS)
        assert server.stop() == 0
    text = (tmp_path / 'log').read_text(encoding='utf-8')
    entries = [json.loads(line) for line in text.splitlines()]
    assert [entry['drawing'] for entry in entries] == [answer['image']] * 2


def test_stdout_has_the_log_and_nothing_else(serving, cnn_run, tmp_path):
    with open(str(tmp_path / 'out'), 'w') as file, serving(cnn_run, stdout=file) as server:
        ask(server, 'GET', '/healthz')
        assert server.stop() == 0
    line, = (tmp_path / 'out').read_text(encoding='utf-8').splitlines()
    assert json.loads(line)['httpRequest']['requestUrl'].endswith('/healthz')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full to stand for a full disk')
@pytest.mark.parametrize('where', ['--log', pytest.param('stdout', marks=pytest.mark.slow)])
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
    monkeypatch.setattr(request_log, 'MAX_FILE_BYTES', 2000)
    log = request_log.RequestLog(str(tmp_path / 'log'), 'run')
    for number in range(100):
        log.write(f'request {number}', 200, {'latency': '0.001s'}, digit=number % 10)
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['log', *(f'log.{number}' for number in range(1, request_log.OLD_FILES + 1))]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    text = (tmp_path / 'log').read_text(encoding='utf-8')
    last = [json.loads(line)['message'] for line in text.splitlines()]
    assert last[-1] == 'request 99'


def test_report_of_a_known_log(tmp_path, capsys):
    lines = [{'httpRequest': {'status': 200, 'latency': f'{number / 1000:.6f}s'},
              'digit': number % 3, 'sure': number > 10, 'final': number % 2 == 0}
             for number in range(1, 101)]
    lines += [{'httpRequest': {'status': 200, 'latency': '0.1s'}, 'digit': 7, 'sure': True},
              {'httpRequest': {'status': 200, 'latency': '0.1s'}, 'digits': [8, 8, 9],
               'sure': False, 'final': True},
              {'httpRequest': {'status': 422, 'latency': '0.5s'}, 'final': True},
              {'httpRequest': {'status': 422, 'latency': '0.5s'}, 'final': False}]
    bad = ['', 'no JSON', '[]', '{"httpRequest": 1}', '{"httpRequest": {"status": 200}}',
           '{"httpRequest": {"status": 200, "latency": "nans"}}', '[' * 100000]
    (tmp_path / 'log').write_text('\n'.join([*map(json.dumps, lines), *bad]) + '\n',
                                 encoding='utf-8')
    report.main([str(tmp_path / 'log')])
    assert capsys.readouterr().out.splitlines() == [
        'requests   104 (102 x 200, 2 x 422)', 'bad lines  7',
        'on the way 50 answers before a drawing was finished',
        'latency    p50 51.5 ms, p99 100.0 ms', 'drawings   52 read, 1 not',
        'doubtful   6 (11.5%)', 'digit      drawings',
        '    0            16', '    1            17', '    2            17',
        *(f'{digit:5}             0' for digit in range(3, 7)),
        '    7             1', '    8             2', '    9             1']
    (tmp_path / 'empty').write_text('')
    report.main([str(tmp_path / 'empty')])
    assert capsys.readouterr().out == 'requests   0\ndrawings   0 read, 0 not\n'


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.binary() | st.text().map(json.dumps) | st.builds(
    lambda **entry: json.dumps({'httpRequest': entry, **entry}),
    status=st.integers() | st.text(), latency=st.floats() | st.text(), digit=st.integers()
    | st.lists(st.integers())))
def test_no_line_stops_the_report(line):
    counted = report.Report()
    counted.add(line)
    assert list(counted.lines())


def test_no_request_makes_a_long_line(server, log):
    """Else a dozen would push out all lines before them."""
    before = len(log.read_text(encoding='utf-8'))
    raw(server, b'GET /' + b'\xff' * 100_000 + b' HTTP/1.1\r\nHost: localhost\r\n\r\n')
    ask(server, 'GET', '/', User_Agent='x' * 60_000)
    raw(server, b'\xff' * 100_000 + b'\r\n\r\n')
    for _ in range(100):
        lines = log.read_text(encoding='utf-8')[before:].splitlines()
        if len(lines) == 3:
            break
        time.sleep(0.05)
    assert len(lines) == 3 and max(map(len, lines)) < 20_000
