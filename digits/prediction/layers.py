"""What a network computes on the way from an image to its answer, and what contributed to it."""
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

from digits.errors import UserError
from digits.tensorflow_v1 import tf
from digits.training import graph

MAX_CHANNELS = 3  # of a pixel's input channels that are shown, those with the largest sums


class Values(NamedTuple):
    """A layer's activations for one image.

    values: float [h, w, maps] of a convolution, [units] of a dense layer;
    contribution: float [maps] or [units]: how far each moved the answer's logit above the mean of
    the ten, to first order (activation times gradient, summed over a map);
    stage: what was done to the sums, 'after bias and ReLU'.
    """

    name: str
    stage: str
    values: np.ndarray
    contribution: np.ndarray


class Layers:
    """The convolutions and hidden dense layers behind the logits [n, 10]; adds to their graph.

    feed: image uint8 [28, 28] -> feed_dict; maps: what graph.feature_maps found.
    """

    def __init__(self, session: Any, logits: tf.Tensor, feed: Callable[[np.ndarray], Dict],
                 maps: List[Tuple[str, tf.Tensor]]):
        self._session, self._feed = session, feed
        self._convolutions = [tensor.op for _, tensor in maps if tensor.op.type == 'Conv2D']
        shown = [(title, tensor) for number, (title, tensor) in enumerate(maps)
                 if number + 1 == len(maps) or maps[number + 1][1].op.type == 'Conv2D']
        self._after = [tensor for _, tensor in shown]
        dense = [(name.split('/')[0], tensor) for name, tensor in graph.activations(logits).items()
                 if tensor.shape.ndims == 2 and tensor is not logits]
        self._names = [*(title.split(', ') for title, _ in shown),
                       *([name, ''] for name, _ in dense)]
        with logits.graph.as_default(), tf.name_scope('layers'):
            self._digit = tf.placeholder(tf.int32, [], 'digit')
            lead = logits[0, self._digit] - tf.reduce_mean(logits[0])
            self._fetches = []
            tensors = [*self._after, *(tensor for _, tensor in dense)]
            # Pooled before its activation, this is another branch of the graph.
            outputs = [conv.outputs[0] for conv in self._convolutions]
            gradients = tf.gradients(lead, [*tensors, *outputs]) if tensors else []
            for number, tensor in enumerate(tensors):
                gradient = gradients[number]
                if gradient is None and number < len(outputs):
                    gradient = gradients[len(tensors) + number]
                if gradient is None:  # of tf.stop_gradient
                    gradient = tf.zeros_like(tensor)
                self._fetches.append((tensor[0], tf.reduce_sum(
                    (tensor * gradient)[0], axis=list(range(tensor.shape.ndims - 2)))))

    def __bool__(self) -> bool:
        return bool(self._fetches)

    def values(self, image: np.ndarray, digit: int) -> List[Values]:
        """The Values of each layer for an image uint8 [28, 28], in the graph's order."""
        found = self._session.run(self._fetches, {**self._feed(image), self._digit: digit})
        return [Values(name, stage, *pair) for (name, stage), pair in zip(self._names, found)]

    def pixel(self, image: np.ndarray, layer: int, number: int, row: int, column: int
              ) -> Dict[str, Any]:
        """How a pixel of a convolution's map came about: its patch times its filter, summed.

        Returns its 'sum' over all channels, its value 'after' bias and activation, and of the
        MAX_CHANNELS channels with the largest sums 'channel', 'filter', 'patch' and 'sum'.
        Raises UserError if there is no such pixel.
        """
        try:
            conv, after = self._convolutions[layer], self._after[layer]
            inputs, filters, sums, values = self._session.run(
                [conv.inputs[0][0], conv.inputs[1], conv.outputs[0][0], after[0]],
                self._feed(image))
            total = sums[row, column, number]
        except IndexError:
            raise UserError('there is no such pixel') from None
        patch = _patch(inputs, filters.shape, sums.shape, conv, row, column)
        by_channel = (patch * filters[..., number]).sum((0, 1))
        shown = np.argsort(-abs(by_channel), kind='stable')[:MAX_CHANNELS]
        # Pooling may leave fewer pixels than there are sums.
        value = values[row * len(values) // len(sums), column * len(values[0]) // len(sums[0])]
        return {'sum': round(float(total), 4), 'after': round(float(value[number]), 4),
                'channels': [{'channel': int(channel), 'of': len(by_channel),
                              'filter': filters[:, :, channel, number].round(4).tolist(),
                              'patch': patch[:, :, channel].round(4).tolist(),
                              'sum': round(float(by_channel[channel]), 4)} for channel in shown]}


def _patch(inputs, kernel, output, conv, row, column):
    """float [kh, kw, channels] of the inputs [h, w, channels] behind a pixel of the output."""
    corners, edges = [], []
    padding, given = conv.get_attr('padding'), conv.get_attr('explicit_paddings')
    for axis, place in enumerate((row, column)):
        stride, step = (conv.get_attr(name)[1 + axis] for name in ('strides', 'dilations'))
        reach = (kernel[axis] - 1) * step + 1
        edge = max((output[axis] - 1) * stride + reach - inputs.shape[axis], 0)
        edges.append(tuple(given[2 + 2 * axis:4 + 2 * axis]) if padding == b'EXPLICIT' else
                     (edge // 2, edge - edge // 2) if padding == b'SAME' else (0, 0))
        corners.append(slice(place * stride, place * stride + reach, step))
    return np.pad(inputs, [*edges, (0, 0)])[tuple(corners)]
