"""Layers that a resumed run computes as if it had never stopped."""
from typing import Union

from digits.tensorflow_v1 import tf


def dropout(h: tf.Tensor, rate: Union[float, tf.Tensor]) -> tf.Tensor:
    """h [batch, ...] without a random share `rate` of its units, in [0, 1), the others scaled up.

    Which units is a function of the graph's seed, of the global step and of how many dropouts the
    graph has before this one. TensorFlow's own dropout draws from a hidden state, which is in no
    checkpoint. Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", 2014.
    """
    if isinstance(rate, (int, float)) and rate == 0:  # outside training
        return h
    graph = tf.get_default_graph()
    number = len(graph.get_collection('dropouts'))
    with tf.name_scope('dropout'):
        seed = [(graph.seed or 0) + number * 2 ** 31, tf.train.get_or_create_global_step()]
        kept = tf.random.stateless_uniform(tf.shape(h), seed) >= rate
        graph.add_to_collection('dropouts', kept)
        return h * (tf.cast(kept, tf.float32) / (1.0 - rate))
