"""Profile a training step of mnist_cnn.py, and compare it with the maximum of the machine.

$ python bench/step_profile.py --batch-size 128

TensorFlow's own tracer times each operation. What computes is compared with a large matrix product
in the same session, what moves numbers (Adam, casts) with a large sum: a roofline (Williams,
Waterman and Patterson, 2009). An operation's share of its ceiling is its floating-point operations,
or the bytes that it reads and writes, both by formula, over its time. Writes the section
`profile-BATCH` of RESULTS.md.
"""
import argparse
import collections
import datetime
import re
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import turns

import mnist_cnn
from digits.processor import bfloat16_feature
from digits.tensorflow_v1 import configure, tf

# In the order in which they are looked for in an operation's name.
LAYERS = 'Adam', 'dropout', 'pool1', 'pool2', 'conv1', 'conv2', 'fc1', 'fc2'


def traced_session(precision):
    """A session like the lessons', but with the executor that records a profile."""
    config, _ = configure('cpu', precision)
    config.experimental.executor_type = ''
    config.inter_op_parallelism_threads = 1  # one operation at a time, on all cores
    config.use_per_session_threads = True
    return tf.Session(config=config)


def ceiling(precision, size=2048):
    """Floating-point operations a second of a square matrix product, the best of ten."""
    with tf.Graph().as_default():
        dtype = tf.as_dtype(precision)  # nothing is left to convert
        a, b = (tf.get_variable(name, [size, size], dtype, tf.ones_initializer()) for name in 'ab')
        return 2 * size ** 3 / fastest(tf.matmul(a, b).op, precision)


def bandwidth(size=2 ** 26):
    """Bytes a second that a += b reads and writes, float32 [size] each, the best of ten."""
    with tf.Graph().as_default():
        a, b = (tf.get_variable(name, [size], initializer=tf.ones_initializer()) for name in 'ab')
        return 12 * size / fastest(a.assign_add(b, read_value=False), 'float32')


def fastest(op, precision):
    """Seconds of an operation, the best of ten."""
    times = []
    with traced_session(precision) as session:
        session.run(tf.global_variables_initializer())
        for _ in range(10):
            started = time.perf_counter()
            session.run(op)
            times.append(time.perf_counter() - started)
    return min(times)


def arithmetic(name, op, batch):
    """Floating-point operations of a node, by its place and kind; 0 for those that only move data.

    A convolution costs as much forward as in each direction backward, and so does a product. What
    a kernel saves because it leaves out the zeros of the padding counts as done.
    """
    if 'Conv2D' in op or 'MatMul' in op:
        for scope, multiplications in (('conv1', 28 * 28 * 25 * 32),
                                       ('conv2', 14 * 14 * 25 * 32 * 64),
                                       ('fc1', 7 * 7 * 64 * 1024), ('fc2', 1024 * 10)):
            if scope in name:
                return 2 * batch * multiplications
    return 0


def traffic(node, op, sizes):
    """Bytes that a node must read and write if it moves numbers: Adam, casts; 0 for all others.

    node: of the trace; sizes: the number of values of each variable
    """
    if op == 'ResourceApplyAdam':  # reads variable, averages, gradient; writes all but the last
        return 7 * 4 * sizes[re.search(r'update_(.*)/ResourceApplyAdam', node.node_name).group(1)]
    if op == 'Cast':  # of 4 bytes to 2 or of 2 to 4
        return 6 * np.prod([side.size for side in
                            node.output[0].tensor_description.shape.dim], dtype=int)
    return 0


def profile(batch, precision, steps):
    """{(operation, layer): (milliseconds, floating-point operations, bytes)} and a step's seconds.

    All are medians; the seconds are those of steps that nobody traces.
    """
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 784])
        y = tf.placeholder(tf.int64, [None])
        logits = mnist_cnn.inference(x, 0.5)
        loss = tf.losses.softmax_cross_entropy(tf.one_hot(y, 10), logits, label_smoothing=0.1)
        train_step = tf.train.AdamOptimizer(1e-3).minimize(loss, tf.train.get_global_step())
        session = traced_session(precision)
        random = np.random.RandomState(0)
        feed = {x: random.rand(batch, 784).astype(np.float32), y: random.randint(0, 10, batch)}
        sizes = {variable.op.name: variable.shape.num_elements()
                 for variable in tf.trainable_variables()}
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        nodes, seconds = collections.defaultdict(list), []
        with session:
            session.run(tf.global_variables_initializer())
            for _ in range(10):  # graphs are rewritten, memory is found
                session.run(train_step, feed)
            for _ in range(steps):
                started = time.perf_counter()
                session.run(train_step, feed)
                seconds.append(time.perf_counter() - started)
            for _ in range(steps):
                trace = tf.RunMetadata()
                session.run(train_step, feed, options=options, run_metadata=trace)
                totals, work, moved = (collections.Counter() for _ in range(3))
                for device in trace.step_stats.dev_stats:
                    for node in device.node_stats:
                        op = re.search(r' = (\w+)\(', node.timeline_label)
                        key = (op.group(1) if op else node.node_name,
                               next((name for name in LAYERS if name in node.node_name), ''))
                        totals[key] += node.op_end_rel_micros - node.op_start_rel_micros
                        work[key] += arithmetic(key[1], key[0], batch)
                        moved[key] += traffic(node, key[0], sizes)
                for key, micros in totals.items():
                    nodes[key].append(micros / 1000)
    times = {key: (statistics.median(values), work[key], moved[key])
             for key, values in nodes.items()}
    return times, statistics.median(seconds)


def table(times, seconds, most, widest):
    """Lines of Markdown: the 12 operations of profile() that take longest, and the others.

    seconds: of a step; most, widest: the ceilings in operations and in bytes a second
    """
    lines = ['| operation | layer | share of the step | at least | of the ceiling |',
             '|---|---|---|---|---|']
    near, by_time = 0, sorted(times.items(), key=lambda item: -item[1][0])
    for number, ((op, layer), (ms, work, moved)) in enumerate(by_time):
        share = (work / most + moved / widest) * 1000 / max(ms, 1e-3)
        near += ms * (share > 0.75)
        if number < 12:
            amount = f'{work / 1e9:.1f} GFLOP' if work else f'{moved / 1e6:.0f} MB' if moved else ''
            lines.append(f'| {op} | {layer} | {ms / seconds / 1000:.0%} | {amount} | '
                         f'{f"{share:.0%}" if share else ""} |')
    rest = sum(ms for _, (ms, _, _) in by_time[12:])
    return [*lines, f'| all others | | {rest / seconds / 1000:.0%} | | |', '',
            f'{near / seconds / 1000:.0%} of the step is in operations over 75 % of their ceiling.']


def main():
    """Print the operations that take the most, and write them: shares of a step and the ceiling."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--steps', type=int, default=30)
    args = parser.parse_args()
    lines = [f'## profile-{args.batch_size}', '',
             f'Where a training step of mnist_cnn.py spends its time, batch {args.batch_size}, one '
             'operation after the other. The ceiling of what computes is a matrix product of 2,048 '
             'x 2,048, that of what moves numbers a sum of two vectors of 256 MB.', '',
             f'{turns.machine()}; TensorFlow {tf.__version__}; {datetime.date.today()}; medians of '
             f'{args.steps} steps.']
    widest = bandwidth()
    for precision in ['float32', 'bfloat16'] if bfloat16_feature() else ['float32']:
        times, seconds = profile(args.batch_size, precision, args.steps)
        most = ceiling(precision)
        limits = f'{most / 1e9:.0f} GFLOP/s and {widest / 1e9:.0f} GB/s'
        lines += ['', f'{precision}, ceilings {limits}:', '',
                  *table(times, seconds, most, widest)]
    print('\n'.join(lines[5:]))
    turns.write(f'profile-{args.batch_size}', '\n'.join([*lines, '']))


if __name__ == '__main__':
    main()
