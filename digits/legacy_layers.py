"""tf.layers, tf.keras, tf.nn.rnn_cell and tf.contrib for old scripts.

TensorFlow 2.16 and later have the first three only with the package tf-keras, which is optional
here, and do not have the fourth. Nothing is imported before a script uses one of them.
"""
import contextlib
import importlib.util
import os
import sys
import types
import warnings
from typing import Any, Iterator

from digits.errors import UserError

PACKAGE = 'tf_keras'


@contextlib.contextmanager
def keras_deferred() -> Iterator[None]:
    """Keep `import tensorflow` in this context from importing tf_keras, where that is installed.

    An empty module takes its place meanwhile. It has tf_keras's spec, in which TensorFlow finds
    the folders that make `from tensorflow.keras import layers` work, but no submodules.
    """
    spec = None if PACKAGE in sys.modules else importlib.util.find_spec(PACKAGE)
    if spec is None:
        yield
        return
    stand_in = types.ModuleType(PACKAGE)
    stand_in.__spec__ = spec
    sys.modules[PACKAGE] = stand_in
    try:
        yield
    finally:
        del sys.modules[PACKAGE]


def complete(tf: Any) -> None:
    """Add tf.contrib to `tf`, and to tf.layers and the like an error that says what to install.

    Sets attributes of the module `tf` itself, tensorflow.compat.v1, which other code also imports.
    Warnings that tf.layers is deprecated are silenced, as on 1.15.
    """
    if tf.__version__.startswith('1.'):
        import tensorflow

        tf.contrib = tensorflow.contrib  # a lazy loader of TensorFlow's own
        return
    tf.contrib = _Contrib('tf.contrib')
    if os.environ.get('TF_USE_LEGACY_KERAS') not in ('1', 'true', 'True'):
        return  # the user wants Keras 3
    warnings.filterwarnings('ignore', r'`tf\.(layers|nn\.rnn_cell)\.\w+` is deprecated')
    if importlib.util.find_spec(PACKAGE) is None:
        tf.layers = _Absent('tf.layers', tf.layers, tf.__version__)
        tf.keras = _Absent('tf.keras', tf.keras, tf.__version__)
        tf.nn.rnn_cell = _Absent('tf.nn.rnn_cell', tf.nn.rnn_cell, tf.__version__)


class _NoKeras(UserError, ModuleNotFoundError):
    """tf_keras is not installed; scripts of this project print the sentence."""

    def __init__(self, sentence: str):
        super().__init__(sentence)
        self.name = PACKAGE


class _Absent(types.ModuleType):
    """A module of tf_keras, which is not installed: using it raises ModuleNotFoundError."""

    def __init__(self, name, loader, version):
        super().__init__(name)
        self.loader = loader
        self.minor = '.'.join(version.split('.')[:2])

    def __getattr__(self, name):
        if name.startswith('__'):  # inspect and doctest look for these in every module
            raise AttributeError(name)
        importlib.invalidate_caches()
        if importlib.util.find_spec(PACKAGE) is None:
            # Without the version, pip would also install the TensorFlow of the newest tf-keras.
            raise _NoKeras(
                f'{self.__name__} needs the package tf-keras on TensorFlow {self.minor}: '
                f'run  python -m pip install tf-keras~={self.minor}.0')
        return getattr(self.loader, name)


class _Contrib(types.ModuleType):
    """tf.contrib on TensorFlow 2: imports digits.contrib when it is first used."""

    def __getattr__(self, name):
        from digits import contrib

        return getattr(contrib, name)
