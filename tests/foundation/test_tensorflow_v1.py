"""The one import of TensorFlow: silent, light, in graph mode, and clear when there is none."""
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.processor import bfloat16_feature
from digits.tensorflow_v1 import configure, open_session, tf


def python(code, **environment):
    """Run code in an interpreter of its own, without this one's TensorFlow settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith('TF_')}
    return subprocess.run([sys.executable, '-c', code], cwd=str(PROJECT_ROOT), capture_output=True,
                          text=True, check=False, env={**kept, **environment})


def test_import_and_session_are_silent_and_without_keras():
    result = python('import sys\n'
                    'from digits.tensorflow_v1 import open_session, tf\n'
                    'session = open_session("cpu", "float32")\n'
                    'print(session.run(tf.constant(6) * 7), tf.executing_eagerly())\n'
                    'v = tf.get_variable("v", [])\n'
                    'print(type(v).__name__ == "ResourceVariable",'
                    '      {"keras", "tf_keras"} & set(sys.modules))')
    assert result.stdout == '42 False\nTrue set()\n'
    assert result.stderr == ''


@pytest.mark.skipif(tf.__version__.startswith('1.') or sys.platform == 'darwin',
                    reason='neither TensorFlow 1.15 nor one on macOS, without oneDNN, says it')
def test_who_asks_hears_all_that_tensorflow_says():
    result = python('import digits.tensorflow_v1', TF_CPP_MIN_LOG_LEVEL='0')
    assert 'oneDNN' in result.stderr


@pytest.mark.parametrize(('cause', 'words'), [
    ('sys.modules["tensorflow"] = None', '-c: tensorflow is not installed for'),
    ('sys.path.insert(0, {broken!r})', 'TensorFlow is installed but broken (libcudart is gone)'),
    ('sys.path.insert(0, {lacking!r})', 'a package that TensorFlow needs is missing'),
])
def test_no_tensorflow_is_one_sentence(tmp_path, cause, words):
    for name, line in (('broken', 'raise ImportError("libcudart is gone")'),
                       ('lacking', 'import no_such_package')):
        (tmp_path / name / 'tensorflow').mkdir(parents=True)
        (tmp_path / name / 'tensorflow' / '__init__.py').write_text(line)
    cause = cause.format(broken=str(tmp_path / 'broken'), lacking=str(tmp_path / 'lacking'))
    result = python(f'import sys; {cause}\nimport mnist_softmax')
    assert result.returncode == 2
    assert result.stderr.startswith(words)
    assert result.stderr.endswith('python -m pip install -r requirements.txt\n')
    assert result.stderr.count('\n') == 1


def test_precision_is_what_was_asked_for_and_auto_follows_the_processor():
    assert open_session('cpu', 'float32').precision == 'float32'
    if tf.__version__.startswith('1.'):
        assert open_session('cpu', 'auto').precision == 'float32'
        with pytest.raises(UserError, match='does not support it; use --precision float32'):
            open_session('cpu', 'bfloat16')
    else:
        expected = 'bfloat16' if bfloat16_feature() else 'float32'
        assert open_session('cpu', 'auto').precision == expected
        assert open_session('cpu', 'bfloat16').precision == 'bfloat16'


def test_where_there_are_gpus(monkeypatch):
    """What can be tested without one: TensorFlow only lists them, and opens no session."""
    monkeypatch.setattr(tf.config.experimental, 'list_physical_devices', lambda kind: ['0', '1'])
    for device, precision in (('auto', 'auto'), ('gpu', 'bfloat16'), ('gpu:1', 'auto')):
        config, found = configure(device, precision)
        assert found == 'float32'
        assert config.gpu_options.visible_device_list == ('1' if device == 'gpu:1' else '')
    with pytest.raises(UserError, match='--device gpu:2: the last GPU .* is gpu:1$'):
        configure('gpu:2', 'auto')


def test_a_gpu_that_cannot_be_used(monkeypatch):
    def fail(session, **kwargs):  # as an H100 whose memory another program had
        session._session = None  # which TensorFlow's own destructor looks at
        raise tf.errors.InternalError(
            None, None, 'cudaSetDevice() on GPU:0 failed. Status: out of memory')

    monkeypatch.setattr(tf.Session, '__init__', fail)
    with pytest.raises(UserError, match='out of memory; .*CUDA_VISIBLE_DEVICES=-1') as caught:
        open_session()
    assert caught.value.exit_status == 1


@pytest.fixture(params=['prepared', 'by Session.run'])
def sessions(request, monkeypatch):
    """open_session, with and without the private method that prepares runs."""
    if request.param == 'by Session.run':
        name = '_make_callable_from_options'
        owner, = (each for each in tf.Session.__mro__ if name in vars(each))
        monkeypatch.delattr(owner, name)
    return open_session


def test_prepared_runs_fetch_what_session_run_fetches(sessions):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3])
        twice = tf.placeholder_with_default(2.0, [])
        v = tf.get_variable('v', [3, 2], initializer=tf.constant_initializer([*range(6)]))
        times = twice * x
        loss = tf.reduce_mean(times)
        product = tf.matmul(x, v)
        add = v.assign_add(tf.ones([3, 2])).op
        session = sessions('cpu', 'float32')
        with session, tf.Session(graph=graph) as plain:
            for each in (session, plain):
                each.run(tf.global_variables_initializer())
            graph.finalize()  # preparing adds nothing
            for feed in ({x: np.eye(3, dtype=np.uint8)}, {x: [[1, 2, 3]], twice: 3},
                         {twice: np.float64(1.5), x: np.ones((2, 3))}):
                for _ in range(2):  # the second time it is prepared
                    (none, *got), (_, *expected) = (
                        each.run([add, times, loss], feed) for each in (session, plain))
                    assert none is None
                    for one, other in zip(got, expected):
                        np.testing.assert_array_equal(one, other)
            for fetches in ({'v': v, 'row': product}, [x, product], [v, [product]], product):
                for _ in range(2):  # no flat list of tensors, or one that is fed: as ever
                    got, expected = (tf.nest.flatten(each.run(fetches, {x: [[1, 0, 0]]}))
                                     for each in (session, plain))
                    for one, other in zip(got, expected):
                        np.testing.assert_array_equal(one, other)


def test_prepared_runs_refuse_what_session_run_refuses():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 3], name='x')
        product = tf.matmul(x, tf.ones([3, 2]))
        session = open_session('cpu', 'float32')
        with session:
            with pytest.raises(tf.errors.InvalidArgumentError, match="placeholder tensor 'x'"):
                session.run([product])
            with pytest.raises(tf.errors.InvalidArgumentError):
                session.run([product], {x: np.ones((1, 4))})
            with pytest.raises(ValueError):
                session.run([product], {x: 'abc'})
        with pytest.raises((RuntimeError, tf.errors.CancelledError)):
            session.run([product], {x: np.ones((1, 3))})


@pytest.mark.skipif(not hasattr(signal, 'pthread_sigmask'), reason='Windows has no such signals')
def test_signals_do_not_meet_arithmetic():
    """oneDNN's float32 matrix product did not survive them: "corrupted size vs. prev_size"."""
    code = """
import signal, sys
import numpy as np
from digits.tensorflow_v1 import open_session, tf
met = []
signal.signal(signal.SIGTERM, lambda number, frame: met.append(number))
x = tf.placeholder(tf.float32, [None, 784])
W = tf.get_variable('W', [784, 10])
loss = tf.reduce_mean(tf.square(tf.matmul(x, W)))
train_step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
session = open_session('cpu', 'float32')
session.run(tf.global_variables_initializer())
images = np.ones([70, 784], np.float32)
print('ready', flush=True)
while len(met) < 300:
    _, value = session.run([train_step, loss], {x: images})
print(value, flush=True)
"""
    process = subprocess.Popen([sys.executable, '-c', code], cwd=str(PROJECT_ROOT),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'ready\n'
    deadline = time.monotonic() + 60
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.005)
        assert time.monotonic() < deadline
    rest, said = process.communicate()
    assert process.returncode in (0, -signal.SIGTERM), said  # one more may come while Python ends
    assert np.isfinite(float(rest)), said
