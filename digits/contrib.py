"""tf.contrib on TensorFlow 2: those of its functions that have an exact successor.

The initializers give the numbers that they gave in TensorFlow 1.15, for the same seeds, and the
cells of tf.contrib.rnn are those of tf.nn.rnn_cell, as they were there.
"""
import math
import numbers
import types
from typing import Any, Callable, Optional

import numpy as np

from digits.tensorflow_v1 import tf


def _missing(name):
    return AttributeError(f'{name} does not exist in TensorFlow 2: '
                          'docs/classic-scripts.md says what to use instead')


def __getattr__(name):
    raise _missing(f'tf.contrib.{name}')


class _Namespace(types.ModuleType):
    """A module of functions and of aliases for names in `tf`: {name: 'nn.name'}."""

    def __init__(self, name, functions, names=None):
        super().__init__(name)
        self.__dict__.update(functions)
        self.names = names or {}

    def __getattr__(self, name):
        if name not in self.names:
            raise _missing(f'{self.__name__}.{name}')
        value = tf
        for part in self.names[name].split('.'):
            value = getattr(value, part)
        return value


def variance_scaling_initializer(factor: float = 2.0, mode: str = 'FAN_IN', uniform: bool = False,
                                 seed: Optional[int] = None, dtype: Any = tf.float32) -> Callable:
    """Return an initializer of variance factor / n, where n is the number that `mode` selects.

    mode: 'FAN_IN' (inputs of a unit), 'FAN_OUT' (its outputs) or 'FAN_AVG' (their mean).
    uniform: draw from a uniform distribution, else from a truncated normal one.
    Raises TypeError for another mode, or a dtype that is not floating.
    """
    if mode not in ('FAN_IN', 'FAN_OUT', 'FAN_AVG'):
        raise TypeError(f'mode {mode!r} is none of FAN_IN, FAN_OUT and FAN_AVG')
    if not tf.as_dtype(dtype).is_floating:
        raise TypeError(f'{dtype!r} is not a floating point type')

    def initializer(shape, dtype=dtype, partition_info=None):  # get_variable checks these names
        shape = tf.TensorShape(shape).as_list()
        fan_in, fan_out = (shape * 2 or [1, 1])[-2:]
        field = np.prod(shape[:-2])  # of a convolution; 1 otherwise
        n = field * {'FAN_IN': fan_in, 'FAN_OUT': fan_out, 'FAN_AVG': (fan_in + fan_out) / 2}[mode]
        if uniform:
            limit = math.sqrt(3 * factor / n)
            return tf.random_uniform(shape, -limit, limit, dtype, seed=seed)
        # Truncation at two standard deviations reduces the variance by a quarter.
        return tf.truncated_normal(shape, 0.0, math.sqrt(1.3 * factor / n), dtype, seed=seed)
    return initializer


def xavier_initializer(uniform: bool = True, seed: Optional[int] = None, dtype: Any = tf.float32
                       ) -> Callable:
    """Return the initializer of Glorot and Bengio (2010): variance 2 / (fan_in + fan_out)."""
    return variance_scaling_initializer(1.0, 'FAN_AVG', uniform, seed, dtype)


def l2_regularizer(scale: float, scope: Optional[str] = None) -> Callable:
    """Return a function of weights: scale * sum(weights ** 2) / 2, or None where scale is 0.0.

    tf.keras.regularizers.l2 does not halve. Raises ValueError for a negative scale or an integer.
    """
    if isinstance(scale, numbers.Integral) or isinstance(scale, numbers.Real) and scale < 0:
        raise ValueError(f'the scale {scale} is not a float of 0.0 or more')

    def l2(weights):
        with tf.name_scope(scope, 'l2_regularizer', [weights]) as name:
            return tf.multiply(tf.cast(scale, weights.dtype.base_dtype), tf.nn.l2_loss(weights),
                               name=name)
    return (lambda weights: None) if scale == 0 else l2


def flatten(inputs: Any, scope: Optional[str] = None) -> Any:
    """Reshape a tensor [n, ...] to [n, k]."""
    with tf.name_scope(scope, 'Flatten', [inputs]):
        flat = tf.reshape(inputs, [tf.shape(inputs)[0], -1])
        flat.set_shape([inputs.shape[0], inputs.shape[1:].num_elements()])
        return flat


layers = _Namespace('tf.contrib.layers', {
    'flatten': flatten, 'l2_regularizer': l2_regularizer,
    'variance_scaling_initializer': variance_scaling_initializer,
    'xavier_initializer': xavier_initializer, 'xavier_initializer_conv2d': xavier_initializer})
rnn = _Namespace('tf.contrib.rnn', {}, {
    **{name: 'nn.rnn_cell.' + name for name in (
        'BasicLSTMCell', 'BasicRNNCell', 'DropoutWrapper', 'GRUCell', 'LSTMCell',
        'LSTMStateTuple', 'MultiRNNCell', 'RNNCell')},
    **{name: 'nn.' + name for name in ('static_bidirectional_rnn', 'static_rnn')}})
