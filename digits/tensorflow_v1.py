"""The import of TensorFlow for all scripts: quiet, without Keras, in graph mode, 1.15 to 2.21.

    from digits.tensorflow_v1 import tf

Set TF_CPP_MIN_LOG_LEVEL=0 to see all of TensorFlow's messages.
"""
import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
import warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Tuple

import numpy as np

from digits import command_line, environment, legacy_layers
from digits.errors import UserError
from digits.processor import bfloat16_feature

_started = time.perf_counter()


@contextlib.contextmanager
def _hush():
    """Discard what the process writes to file descriptor 2.

    TensorFlow's C++ runtime does not write through sys.stderr, and its first messages come before
    it reads TF_CPP_MIN_LOG_LEVEL (github.com/tensorflow/tensorflow/issues/100442).
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _import_quietly():
    """Return TensorFlow's v1 interface; SystemExit(2) after a message if it cannot be imported."""
    talkative = os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3') < '3'
    # Keras 3 takes half of the import time, and nothing here uses it. This selects Keras 2, which
    # is only imported when tf.keras is first used.
    os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
    try:
        with command_line.waiting('starting TensorFlow', '--quiet' in sys.argv), \
                contextlib.nullcontext() if talkative else _hush(), warnings.catch_warnings(), \
                legacy_layers.keras_deferred():
            warnings.simplefilter('ignore')  # 1.15 with a newer NumPy
            import tensorflow.compat.v1 as tf
    except ModuleNotFoundError as error:
        if (error.name or '').split('.')[0] == 'tensorflow':
            environment.leave(['tensorflow'])
        _leave(f'a package that TensorFlow needs is missing ({error})')
    except Exception as error:  # a broken installation fails in many ways: ImportError, TypeError
        reason = ' '.join(str(error).split())[:200]
        _leave(f'TensorFlow is installed but broken ({reason})')
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_eager_execution()
    tf.enable_resource_variables()
    legacy_layers.complete(tf)
    return tf


def _leave(reason):
    print(f'{reason}: {environment.remedy()}', file=sys.stderr)
    raise SystemExit(2)


if TYPE_CHECKING:
    import tensorflow.compat.v1 as tf
else:
    tf = _import_quietly()
from tensorflow.core.protobuf.config_pb2 import CallableOptions  # noqa: E402

BRANCHES = {'If', 'StatelessIf', 'Case', 'StatelessCase', 'While', 'StatelessWhile'}  # of 2.x
# Operations that the executor for one operation at a time does not have: branches and loops, of
# which it does not finish several within each other in 2.x, and variables that are no resources.
NOT_ONE_BY_ONE = {'Switch', 'RefSwitch', 'Merge', 'RefMerge', 'Enter', 'RefEnter', 'VariableV2',
                  *BRANCHES}
IMPORT_SECONDS = time.perf_counter() - _started


@contextlib.contextmanager
def _signals_held():
    """Block SIGINT and SIGTERM until TensorFlow's C++ code has returned.

    A signal during oneDNN's float32 matrix product for AVX-512 (TensorFlow 2.21) corrupts the heap,
    probably since the generated code keeps data where the kernel puts the handler's stack frame.
    Threads that start in this context never receive these signals.
    """
    held = {signal.SIGINT, signal.SIGTERM} if hasattr(signal, 'pthread_sigmask') else None
    before = held and signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        if held:  # pending signals are handled here
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def explained_gpu_errors() -> Iterator[None]:
    """Around what opens a GPU: UserError (status 1) where TensorFlow cannot use it."""
    try:
        yield
    except tf.errors.InternalError as error:
        raise UserError(f'TensorFlow cannot use the GPU: {error.message}; free it, if another '
                        'program has its memory, or hide it: CUDA_VISIBLE_DEVICES=-1',
                        1) from error


class _Session(tf.Session):
    """A session that caches a prepared callable for each set of fetches and feeds.

    Session.run looks up its fetches and feeds in every call, which takes longer than the arithmetic
    of a small graph. TensorFlow's callables do not, but its public make_callable is only faster
    without feeds. Shapes of fed values are not checked against their placeholders.
    Signals are blocked during a run. `precision`: 'float32' or 'bfloat16'. Raises UserError
    (status 1) if the GPU cannot be used.
    """

    def __init__(self, config: Any, precision: str):
        with explained_gpu_errors(), _signals_held():
            super().__init__(config=config)
        self._callables: Dict[Tuple[tuple, tuple], Callable] = {}
        self.precision = precision

    def run(self, fetches: Any, feed_dict: Optional[dict] = None, options: Any = None,
            run_metadata: Any = None) -> Any:
        """As Session.run; with a list of tensors and operations, through a cached callable.

        Raises UserError (status 1) if memory cannot be allocated, and for the label of outliers.
        """
        try:
            with _signals_held():
                return self._run_prepared(fetches, feed_dict, options, run_metadata)
        except tf.errors.ResourceExhaustedError as error:
            if 'No space left' in error.message:  # a full disk
                raise
            raise UserError('TensorFlow cannot get enough memory for so many images at once; use '
                            'a smaller --batch-size', 1) from error
        except tf.errors.InvalidArgumentError as error:
            if 'label value of 10 ' not in error.message:
                raise
            raise UserError('the loss takes no label 10, that of images which are not digits: use '
                            'cross_entropy of mnist_cnn.py, or leave out outliers.add', 1
                            ) from error

    def _run_prepared(self, fetches, feed_dict, options, run_metadata):
        # The only private name of a library used in this project; without it, Session.run is used.
        make_callable = getattr(self, '_make_callable_from_options', None)
        feeds = list(feed_dict or ())
        if (not make_callable or options or run_metadata or not isinstance(fetches, list)
                or not all(isinstance(fetch, (tf.Tensor, tf.Operation)) for fetch in fetches)
                or not all(isinstance(feed, tf.Tensor) for feed in feeds)):
            return super().run(fetches, feed_dict, options, run_metadata)
        key = tuple(node.name for node in fetches), tuple(node.name for node in feeds)
        if not set(key[0]).isdisjoint(key[1]):  # a callable cannot fetch what it is fed
            return super().run(fetches, feed_dict)
        if key not in self._callables:
            operations = [node.name for node in fetches if isinstance(node, tf.Operation)]
            wanted = CallableOptions(feed=key[1], target=operations,
                                     fetch=[name for name in key[0] if name not in operations])
            self._callables[key] = make_callable(wanted)
        values = iter(self._callables[key](*(
            np.asarray(feed_dict[feed], feed.dtype.as_numpy_dtype) for feed in feeds)))
        return [None if isinstance(node, tf.Operation) else next(values) for node in fetches]


def open_session(device: str = 'auto', precision: str = 'auto') -> tf.Session:
    """A session on the default graph, which is complete; arguments and errors as in `configure`."""
    return _Session(*configure(device, precision))


def session(args: argparse.Namespace) -> tf.Session:
    """The session of a training script, for args.device and args.precision."""
    return open_session(args.device, args.precision)


def uses_gpu(device: str) -> bool:
    """Whether a session for this device, as in `configure`, computes on a GPU."""
    return _count_gpus(device) > 0


def _count_gpus(device):
    return 0 if device == 'cpu' else len(tf.config.experimental.list_physical_devices('GPU'))


def configure(device: str, precision: str) -> Tuple[Any, str]:
    """The configuration and the precision of a session on the default graph.

    device: 'auto', 'cpu', or 'gpu' ('gpu:1' for the second).
    precision: 'float32', 'bfloat16', or 'auto': bfloat16 if the processor has instructions for
    it. In bfloat16, matrix products and convolutions round their inputs and add up in float32;
    variables and checkpoints stay float32. On a GPU it is always float32.
    Returns (tf.ConfigProto, 'float32' or 'bfloat16'). Raises UserError if there is no such GPU.
    """
    config = tf.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    if device == 'cpu':
        config.device_count['GPU'] = 0
    elif device.startswith('gpu:'):
        config.gpu_options.visible_device_list = device[len('gpu:'):]
    count = _count_gpus(device)
    if device.startswith('gpu') and not count:
        raise UserError('--device gpu: TensorFlow finds no GPU; '
                        "pip install 'tensorflow[and-cuda]' on Linux, or leave --device out")
    if device.startswith('gpu:') and int(device[len('gpu:'):]) >= count:
        raise UserError(f'--device {device}: the last GPU that TensorFlow finds is '
                        f'gpu:{count - 1}')
    rewrites = config.graph_options.rewrite_options
    can = hasattr(rewrites, 'auto_mixed_precision_onednn_bfloat16')  # not in 1.15
    if count:  # the rewriting below is for processors
        precision = 'float32'
    elif precision == 'auto':
        precision = 'bfloat16' if can and bfloat16_feature() else 'float32'
    if precision == 'bfloat16':
        if not can:
            raise UserError(f'--precision bfloat16: TensorFlow {tf.__version__} does not '
                            'support it; use --precision float32')
        rewrites.auto_mixed_precision_onednn_bfloat16 = 1  # RewriterConfig.ON
    # One operation at a time, each on all cores.
    if not count and not any(op.type in NOT_ONE_BY_ONE
                             for op in tf.get_default_graph().get_operations()):
        config.experimental.executor_type = 'SINGLE_THREADED_EXECUTOR'
    return config, precision
