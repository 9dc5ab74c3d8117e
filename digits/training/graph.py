"""Find layers, their outputs and placeholders in any lesson's graph."""
from typing import Dict, Iterable, List, Sequence, Set, Tuple

import numpy as np

from digits.tensorflow_v1 import BRANCHES, tf

ACTIVATIONS = {'Relu', 'Relu6', 'LeakyRelu', 'Elu', 'Selu', 'Softplus', 'Softsign', 'Sigmoid',
               'Tanh', 'Erf'}
# Activations that are x times a gate, by the first of these operations that they have.
GATED = {'Softplus': 'mish', 'Sigmoid': 'swish', 'Relu6': 'hard swish', 'Tanh': 'GELU',
         'Erf': 'GELU'}
ELEMENTWISE = {*ACTIVATIONS, 'Mul', 'RealDiv', 'Add', 'AddV2', 'Sub', 'Pow', 'Square'}
POOLS = {'MaxPool', 'MaxPoolV2'}
STEPS = {**dict.fromkeys(['AvgPool', *POOLS], 'pooling'),
         **dict.fromkeys(['BiasAdd', 'Add', 'AddV2'], 'bias'),
         **dict.fromkeys(['Mul', 'FusedBatchNorm', 'FusedBatchNormV3', 'If'], 'normalisation')}
BARRIERS = {'Conv2D', 'DepthwiseConv2dNative', 'MatMul', 'Reshape'}  # another layer begins
# Operations with a hidden random state, which no checkpoint has.
STATEFUL_RANDOM = {'RandomUniform', 'RandomUniformInt', 'RandomStandardNormal', 'TruncatedNormal',
                   'RandomGamma', 'RandomShuffle', 'Multinomial', 'RandomPoissonV2',
                   'FractionalMaxPool', 'FractionalAvgPool'}
STATEFUL_DATA = {'IteratorGetNext', 'IteratorGetNextSync', 'QueueDequeueV2', 'QueueDequeueManyV2',
                 'QueueDequeueUpToV2'}
WITH_FUNCTIONS = {'PartitionedCall', 'StatefulPartitionedCall', *BRANCHES}


def activations(logits: tf.Tensor) -> Dict[str, tf.Tensor]:
    """{'conv1/activations': tensor} of each activation behind the logits, and of the logits."""
    found = [_whole(op)[-1].outputs[0] for op in _ancestors(logits) if op.type in ACTIVATIONS]
    names: Dict[str, tf.Tensor] = {}
    for tensor in dict.fromkeys([*found, logits]):
        name = layer = tensor.op.name.split('/')[0]
        while f'{name}/activations' in names:
            name = f'{layer}_{len(names)}'
        names[f'{name}/activations'] = tensor
    return names


def feature_maps(logits: tf.Tensor) -> List[Tuple[str, tf.Tensor]]:
    """[(title, tensor [n, h, w, filters])] of each convolution behind the logits, in order.

    First its output, then that of its activation. Convolutions of another layout are left out: of
    NCHW, and those that tf.nn.atrous_conv2d cuts into several. If a lesson pools before bias and
    ReLU, which is equivalent and faster, maps without pooling are returned; that adds operations to
    the graph.
    """
    found, ancestors = [], _ancestors(logits)
    behind = set(ancestors)
    for conv in ancestors:
        if not _is_of_images(conv):
            continue
        layer, output = conv.name.split('/')[0], conv.outputs[0]
        path, activation = _path_to_activation(conv, behind)
        if not activation:
            found.append((f'{layer}, output', output))
            continue
        steps = [*_steps(path), _name(activation)]
        after = activation[-1].outputs[0]
        kinds = {op.type for op in [*path, *activation]}
        if POOLS & kinds and kinds <= POOLS | {'BiasAdd', 'Relu', 'Identity'}:
            steps.remove('pooling')
            bias = [op.inputs[1] for op in path if op.type == 'BiasAdd']
            with output.graph.as_default(), tf.name_scope('feature_maps'):
                after = tf.nn.relu(tf.nn.bias_add(output, bias[0]) if bias else output)
        named = ' and '.join(steps)
        found += [(f'{layer}, before {named}', output), (f'{layer}, after {named}', after)]
    return found


def unrepeatable(graph: tf.Graph) -> List[str]:
    """The names of operations that draw random numbers, or data, from a hidden state.

    Those that only give variables their initial values are not among them.
    """
    return _drawing(graph, (STATEFUL_RANDOM | STATEFUL_DATA).__contains__)


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


def _is_of_images(op):
    """Whether an operation is a convolution of whole images [n, h, w, channels]."""
    return (op.type == 'Conv2D' and op.get_attr('data_format') == b'NHWC'
            and op.inputs[0].op.type != 'SpaceToBatchND')


def _path_to_activation(conv, behind):
    """(the operations between a convolution and its activation, those of the activation).

    The nearest; two empty lists if it has none.
    """
    paths = [[conv]]
    seen = {conv}
    for path in paths:  # the list grows: breadth first
        for op in path[-1].outputs[0].consumers() if path[-1].outputs else ():
            if op not in behind or op in seen or op.type in BARRIERS:
                continue
            seen.add(op)
            if op.type in ACTIVATIONS and op.outputs[0].shape.ndims == 4:
                whole = _whole(op)
                return [each for each in path[1:] if each not in whole], whole
            paths.append([*path, op])
    return [], []


def _steps(path):
    """What is done between a convolution and its activation: ['pooling', 'bias']."""
    steps = []
    for op in path:
        step = STEPS.get(op.type)
        if step == 'bias' and all(x.shape.ndims == 4 for x in op.inputs):
            step = 'sum'  # of a residual block
        # The additions of a normalisation are part of it.
        if step and step not in steps and not (step == 'bias' and 'normalisation' in steps):
            steps.append(step)
    return steps


def _name(activation):
    """'ReLU' or 'swish': the name of an activation, given as its operations."""
    kinds = [op.type for op in activation]
    if len(kinds) == 1:
        return 'ReLU' if kinds == ['Relu'] else kinds[0]
    return next((name for kind, name in GATED.items() if kind in kinds), kinds[-1])


def _whole(op):
    """The operations of an activation that an operation is in, in order.

    Several for x times a gate that is computed from x, number by number: swish, mish, GELU.
    """
    steps = [op]
    for step in steps:  # the list grows, as long as only numbers take part
        for after in step.outputs[0].consumers():
            others = [x for x in after.inputs if x.op is not step]
            if after.type in ELEMENTWISE and all(x.op.type == 'Const' for x in others):
                steps.append(after)
            elif after.type == 'Mul' and op not in _formula(others[0].op):
                shared = _read(step) & {others[0], *_read(others[0].op)}
                nearest = [x for x in shared if not any(x in _read(y.op) for y in shared)]
                if nearest:
                    return _in_order({*_formula(after) - _formula(nearest[0].op), *_scaled(after)})
    return [op]


def _scaled(product):
    """What comes after a product of x and a gate: a number, an identity with its own gradient."""
    return [op for op in product.outputs[0].consumers() if op.type == 'IdentityN' or (
        op.type in ('Mul', 'RealDiv') and any(x.op.type == 'Const' for x in op.inputs))]


def _formula(op):
    """The elementwise operations behind an operation, and itself if it is one."""
    found, waiting = set(), [op]
    while waiting:
        each = waiting.pop()
        if each.type in ELEMENTWISE and each not in found:
            found.add(each)
            waiting += [x.op for x in each.inputs]
    return found


def _read(op):
    """The tensors that the formula behind an operation reads, but for numbers and variables."""
    return {x for each in _formula(op) for x in each.inputs
            if x.op.type not in ('Const', 'ReadVariableOp')}


def _in_order(ops):
    """Operations of one graph in its order."""
    return [op for op in next(iter(ops)).graph.get_operations() if op in ops]


def _ancestors(tensor: tf.Tensor) -> List[tf.Operation]:
    """The operations that a tensor is computed from, in the graph's order."""
    return _in_order(_needed([tensor.op]))


def _needed(ops: Iterable[tf.Operation]) -> Set[tf.Operation]:
    """These operations, and all that their inputs are computed from."""
    found, waiting = set(), list(ops)
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [each.op for each in op.inputs]
    return found
