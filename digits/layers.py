"""Layers whose random numbers are the same in a resumed run."""
from typing import Union

from digits.tensorflow_v1 import tf


def dropout(h: tf.Tensor, rate: Union[float, tf.Tensor]) -> tf.Tensor:
    """Set a random fraction `rate`, in [0, 1), of h [batch, ...] to zero, and scale up the rest.

    The choice is a function of the graph's seed, the global step and the number of dropouts that
    the graph has before this one. TensorFlow's own dropout draws from a hidden state, which no
    checkpoint has. Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", 2014.
    """
    if isinstance(rate, (int, float)) and rate == 0:  # outside training
        return h
    graph = tf.get_default_graph()
    number = len(graph.get_collection('dropouts'))
    # Outside all scopes, which would be in its name: checkpoints have it as global_step.
    with tf.variable_scope(tf.VariableScope(reuse=False, name=''), auxiliary_name_scope=False):
        step = tf.train.get_or_create_global_step()
    with tf.name_scope('dropout'):
        seed = [(graph.seed or 0) + number * 2 ** 31, step]
        kept = tf.random.stateless_uniform(tf.shape(h), seed) >= rate
        graph.add_to_collection('dropouts', kept)
        return h * (tf.cast(kept, tf.float32) / (1.0 - rate))
