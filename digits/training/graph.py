"""Find layers, their outputs and placeholders in any lesson's graph."""
from typing import Dict, Iterable, List, Sequence, Set, Tuple

import numpy as np

from digits.tensorflow_v1 import BRANCHES, tf

ACTIVATIONS = {'Relu', 'Relu6', 'LeakyRelu', 'Elu', 'Selu', 'Softplus', 'Softsign', 'Sigmoid',
               'Tanh'}
WORDS = {'Relu': 'ReLU', 'Mul': 'swish', 'IdentityN': 'swish'}  # swish: the ends of _whole
POOLS = {'MaxPool', 'MaxPoolV2'}
NORMALISATION = {'Mul', 'FusedBatchNorm', 'FusedBatchNormV3', 'If'}
BARRIERS = {'Conv2D', 'DepthwiseConv2dNative', 'MatMul', 'Reshape'}  # another layer begins
# Operations with a hidden random state, which no checkpoint has.
STATEFUL_RANDOM = {'RandomUniform', 'RandomUniformInt', 'RandomStandardNormal', 'TruncatedNormal',
                   'RandomGamma', 'RandomShuffle', 'Multinomial', 'RandomPoissonV2',
                   'FractionalMaxPool', 'FractionalAvgPool'}
WITH_FUNCTIONS = {'PartitionedCall', 'StatefulPartitionedCall', *BRANCHES}


def activations(logits: tf.Tensor) -> Dict[str, tf.Tensor]:
    """{'conv1/activations': tensor} of each activation behind the logits, and of the logits."""
    found = [_whole(op)[-1].outputs[0] for op in _ancestors(logits)
             if op.type in ACTIVATIONS] + [logits]
    names: Dict[str, tf.Tensor] = {}
    for tensor in found:
        name = layer = tensor.op.name.split('/')[0]
        while f'{name}/activations' in names:
            name = f'{layer}_{len(names)}'
        names[f'{name}/activations'] = tensor
    return names


def feature_maps(logits: tf.Tensor) -> List[Tuple[str, tf.Tensor]]:
    """[(title, tensor [n, h, w, filters])] of each convolution behind the logits, in order.

    First its output, then that of its activation. If a lesson pools before bias and ReLU, which is
    equivalent and faster, maps without pooling are returned; that adds operations to the graph.
    """
    found = []
    behind = set(_ancestors(logits))
    for conv in _ancestors(logits):
        if conv.type != 'Conv2D':
            continue
        layer, output = conv.name.split('/')[0], conv.outputs[0]
        path = _path_to_activation(conv, behind)
        if not path:
            found.append((f'{layer}, output', output))
            continue
        kinds = [op.type for op in path]
        steps = [word for word, types in (
            ('normalisation', NORMALISATION), ('bias', {'BiasAdd', 'Add', 'AddV2'}),
            ('pooling', POOLS)) if types & set(kinds[:-1])]
        if steps[:2] == ['normalisation', 'bias']:  # the additions are part of the normalisation
            del steps[1]
        steps.append(WORDS.get(kinds[-1], kinds[-1]))
        after = path[-1].outputs[0]
        if POOLS & set(kinds) and set(kinds) <= POOLS | {'BiasAdd', 'Relu', 'Identity'}:
            steps.remove('pooling')
            bias = [op.inputs[1] for op in path if op.type == 'BiasAdd']
            with output.graph.as_default(), tf.name_scope('feature_maps'):
                after = tf.nn.relu(tf.nn.bias_add(output, bias[0]) if bias else output)
        named = ' and '.join(steps)
        found += [(f'{layer}, before {named}', output), (f'{layer}, after {named}', after)]
    return found


def unrepeatable(graph: tf.Graph) -> List[str]:
    """The names of operations that draw random numbers from a hidden state.

    Those that only give variables their initial values are not among them.
    """
    return _drawing(graph, STATEFUL_RANDOM.__contains__)


def is_random(graph: tf.Graph) -> bool:
    """Whether a graph draws random numbers, but for the initial values of variables."""
    return bool(_drawing(graph, lambda kind: (kind in STATEFUL_RANDOM
                                              or kind.startswith('StatelessRandom'))))


def _drawing(graph, is_drawing):
    """The names of operations of such types, but for those of variables' initial values."""
    with graph.as_default():
        initial = _needed(variable.initializer for variable in tf.global_variables())
    ops = [op for op in graph.get_operations() if op not in initial]
    functions = {}
    if any(op.type in WITH_FUNCTIONS for op in ops):
        functions = {each.signature.name: each.node_def
                     for each in graph.as_graph_def().library.function}
    return [op.name for op in ops if _draws(op, is_drawing, functions)]


def _draws(op, is_drawing, functions):
    """Whether an operation is of such a type, or calls one of the graph's functions with one."""
    if is_drawing(op.type) or op.type not in WITH_FUNCTIONS:
        return is_drawing(op.type)
    waiting, seen = [op.node_def], set()
    while waiting:
        node = waiting.pop()
        if is_drawing(node.op):
            return True
        for value in node.attr.values():
            for name in {each.name for each in (value.func, *value.list.func)} - seen:
                seen.add(name)
                waiting += functions.get(name, ())
    return False


def placeholders(logits: tf.Tensor) -> List[str]:
    """The names, without scopes, of the placeholders behind the logits."""
    return [op.name.split('/')[-1] for op in _ancestors(logits)
            if op.type in ('Placeholder', 'PlaceholderWithDefault')]


def unfed(tensors: Sequence[tf.Tensor], fed: Sequence[tf.Tensor]) -> List[str]:
    """The names of placeholders without a default that `tensors` need, but for those `fed`."""
    needed = {op for op in _needed(tensor.op for tensor in tensors) if op.type == 'Placeholder'}
    return sorted(op.name for op in needed - {tensor.op for tensor in fed})


def unsaved(saver: tf.train.Saver, graph: tf.Graph) -> List[str]:
    """The names of the graph's variables that a Saver does not save."""
    scope = saver.as_saver_def().save_tensor_name.split('/')[0] + '/'
    saved = {name.decode() for op in graph.get_operations()
             if op.type == 'SaveV2' and op.name.startswith(scope)
             for name in tf.get_static_value(op.inputs[1])}
    with graph.as_default():
        return [variable.op.name for variable in tf.global_variables()
                if variable.op.name not in saved]


def bytes_an_image(loss: tf.Tensor) -> int:
    """The bytes of all that is computed for one image of a minibatch on the way to the loss."""
    total = 0
    for op in _ancestors(loss):
        for output in op.outputs:
            sides = output.shape.as_list() if output.shape.ndims is not None else []
            if None in sides:  # of any length: the minibatch
                total += output.dtype.size * int(np.prod([side or 1 for side in sides]))
    return total


def count_convolutions(logits: tf.Tensor) -> int:
    """How many convolutions are behind the logits."""
    return sum(op.type == 'Conv2D' for op in _ancestors(logits))


def _path_to_activation(conv, behind):
    """The operations after a convolution up to its activation, the nearest; [] if it has none."""
    paths = [[conv]]
    seen = {conv}
    for path in paths:  # the list grows: breadth first
        for op in path[-1].outputs[0].consumers() if path[-1].outputs else ():
            if op not in behind or op in seen or op.type in BARRIERS:
                continue
            seen.add(op)
            if op.type in ACTIVATIONS and op.outputs[0].shape.ndims == 4:
                whole = _whole(op)
                return [each for each in path[1:] if each not in whole] + whole[-1:]
            paths.append([*path, op])
    return []


def _whole(op):
    """The operations of an activation that an operation is in: for a Sigmoid, those of swish."""
    if op.type != 'Sigmoid':
        return [op]
    x = op.inputs[0]
    for product in op.outputs[0].consumers():
        if product.type == 'Mul':
            # tf.nn.swish has a gradient of its own, for which an identity stands.
            found = [op, product, *(each for each in product.outputs[0].consumers()
                                    if each.type == 'IdentityN')]
            if x in set(product.inputs):
                return found
            if x.op.type == 'Mul' and set(x.op.inputs) & set(product.inputs):  # times beta
                return [x.op, *found]
    return [op]


def _ancestors(tensor: tf.Tensor) -> List[tf.Operation]:
    """The operations that a tensor is computed from, in the graph's order."""
    found = _needed([tensor.op])
    return [op for op in tensor.graph.get_operations() if op in found]


def _needed(ops: Iterable[tf.Operation]) -> Set[tf.Operation]:
    """These operations, and all that their inputs are computed from."""
    found, waiting = set(), list(ops)
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [each.op for each in op.inputs]
    return found
