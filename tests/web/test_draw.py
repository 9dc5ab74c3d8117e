"""draw.py as a process, asked over sockets: what it answers, and to whom."""
import base64
import io
import json
import re
import socket
import threading

import numpy as np
import pytest
from clients import CANVAS, PICTURES, ask, read, server_room
from PIL import Image

from digits import pictures
from digits.datasets import idx
from digits.paths import PROJECT_ROOT


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


def test_several_digits_are_read_as_predict_reads_a_page(server, called, cnn_run):
    path = PROJECT_ROOT / 'data/pages/numbers.jpg'
    line = called('predict.py', '--run-dir', cnn_run, '--json', '--page', path).stdout
    status, _, answer = read(server, path.read_bytes(), 'image/jpeg', '/predict?with=page')
    assert status == 200
    expected = json.loads(line)['digits']
    assert len(expected) == 10
    assert [(each['box'], each['digit'], each['sure']) for each in answer['digits']] == [
        (each['box'], each['digit'], each['sure']) for each in expected]
    status, _, answer = read(server, path.read_bytes(), 'image/jpeg')  # only who asks for it
    assert (status, set(answer)) == (422, {'error', 'kind'})


def test_predict_says_of_several_digits_what_reads_them(called, cnn_run, tmp_path):
    path = PROJECT_ROOT / 'data/pages/numbers.jpg'
    result = called('predict.py', '--run-dir', cnn_run, path)
    assert result.stderr == f'predict.py: {path}: {pictures.SEVERAL}\n'
    assert '--page' in pictures.SEVERAL
    # Blotches in rows of no height are not taken for digits.
    grey = np.random.RandomState(0).randint(0, 256, [50, 50]).astype(np.uint8)
    Image.fromarray(grey).resize((400, 400), Image.BICUBIC).save(str(tmp_path / 'noise.png'))
    result = called('predict.py', '--run-dir', cnn_run, tmp_path / 'noise.png')
    assert result.stderr == f'predict.py: {tmp_path / "noise.png"}: {pictures.NO_DIGIT}\n'


def test_pixels_of_the_lessons_are_read_as_they_are(server, small_dir, cnn_run):
    from digits.prediction import classifier
    images = idx.read_folder(small_dir)[2][:5, ..., 0]
    for image, expected in zip(images, classifier.restore(cnn_run)(images)[0]):
        body = json.dumps({'pixels': (np.float32(image.ravel()) / np.float32(255)).tolist()})
        status, _, answer = read(server, body, 'application/json', '/predict?with=image')
        assert status == 200
        assert answer['probabilities'] == pytest.approx(expected.tolist(), abs=1e-5)
        seen = Image.open(io.BytesIO(base64.b64decode(answer['image'])))
        assert np.array_equal(np.asarray(seen), image)


def test_feature_maps_are_those_of_the_classifier(server, cnn_run):
    from digits.prediction import classifier
    answer = read(server, CANVAS, path='/predict?with=maps,image')[2]
    maps = classifier.restore(cnn_run).feature_maps(pictures.read(io.BytesIO(CANVAS)))
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


def test_layers_are_those_of_the_classifier(server, cnn_run):
    from digits.prediction import classifier
    answer = read(server, CANVAS, path='/predict?with=layers&pixel=1,5,6,7')[2]
    image = pictures.read(io.BytesIO(CANVAS))
    layers = classifier.restore(cnn_run).layers()
    expected = layers.values(image, answer['digit'])
    assert [each['name'] for each in answer['layers']] == [each.name for each in expected]
    assert [each['shape'] for each in answer['layers']] == [[32, 28, 28], [64, 14, 14], [1024]]
    for found, layer in zip(answer['layers'], expected):
        values = np.frombuffer(base64.b64decode(found['values']), np.uint8).reshape(found['shape'])
        by_map = layer.values if layer.values.ndim == 1 else np.moveaxis(layer.values, 2, 0)
        assert values / 255 * found['most'] == pytest.approx(
            np.minimum(by_map, found['most']), abs=found['most'] / 400)
        assert found['contribution'] == pytest.approx(layer.contribution, abs=1e-3)
    assert answer['pixel']['sum'] == pytest.approx(layers.pixel(image, 1, 5, 6, 7)['sum'], abs=1e-3)
    for wrong in ('1', '1,2,3,a', '9,0,0,0', '0,0,28,0', '0,0,-1,0'):
        status, _, refused = read(server, CANVAS, path=f'/predict?pixel={wrong}')
        assert (status, set(refused)) == (400, {'error'})


def test_the_page_and_its_parts_are_served_safely(server):
    for path, (name, kind) in server_room.FILES.items():
        status, headers, body = ask(server, 'GET', path)
        assert (status, headers['Content-Type']) == (200, kind)
        assert body == (PROJECT_ROOT / 'digits' / 'web' / 'page' / name).read_bytes()
        for field, value in server_room.HEADERS.items():
            assert headers[field] == value
        assert 'Server' not in headers
        text = body.decode()
        assert not re.search(r'(https?:)?//(?!www\.w3\.org/2000/svg)[\w-]+\.\w', text)
        assert not re.search(r'<script(?! type="module" src="page.js")|<style|\sstyle=|\son\w+=',
                             text)
    policy = server_room.HEADERS['Content-Security-Policy']
    assert "default-src 'none'" in policy and 'unsafe' not in policy
    assert ask(server, 'GET', '/healthz')[2]['status'] == 'ok'


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


def test_mistakes_get_a_sentence(called, server, cnn_run, tmp_path):
    for flags, words in (
            (['--port', server.port], 'name another with --host or --port'),
            (['--host', '203.0.113.1'], 'cannot listen on 203.0.113.1'),
            (['--port', '99999'], 'is not a whole number from 0 to 65,535'),
            (['--port', '0', '--log', tmp_path / 'nowhere' / 'log'], 'No such file'),
            (['--port', '0', '--run-dir', tmp_path], 'run.json')):
        result = called('draw.py', '--run-dir', cnn_run, *flags)
        assert (result.returncode, result.stdout) == (2, '')
        assert words in result.stderr and 'Traceback' not in result.stderr


def test_another_host_is_warned_of(serving, cnn_run):
    with serving(cnn_run, '--host', '0.0.0.0') as server:
        assert 'anybody' in server.stderr[0] and len(server.stderr) == 2
        assert ask(server, 'GET', '/healthz', Host='192.168.0.7')[0] == 200
        assert ask(server, 'GET', '/healthz', Host='evil.example')[0] == 421
