"""Where a training step of mnist_cnn.py spends its time, beside what the machine can do at most.

$ python bench/step_profile.py --batch-size 128

TensorFlow's own tracer times each operation; the ceiling is a large matrix product on the same
session. An operation's share of the ceiling is its arithmetic, by formula, over its time.
"""
import argparse
import collections
import re
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mnist_cnn
from digits.tensorflow_v1 import open_session, tf


def ceiling(precision, size=2048):
    """Floating-point operations a second of a square matrix product, the best of ten."""
    with tf.Graph().as_default():
        a, b = (tf.get_variable(name, [size, size]) for name in 'ab')
        product = tf.matmul(a, b)
        session, _ = open_session(precision=precision)
        with session:
            session.run(tf.global_variables_initializer())
            times = []
            for _ in range(10):
                started = time.perf_counter()
                session.run(product.op)
                times.append(time.perf_counter() - started)
    return 2 * size ** 3 / min(times)


def arithmetic(name, op, batch):
    """Floating-point operations of a node, by its place and kind; 0 for those that only move data.

    A convolution costs as much forward as in each direction backward, and so does a product.
    """
    if 'Conv2D' in op or 'MatMul' in op:
        for scope, multiplications in (('conv1', 28 * 28 * 25 * 32),
                                       ('conv2', 14 * 14 * 25 * 32 * 64),
                                       ('fc1', 7 * 7 * 64 * 1024), ('fc2', 1024 * 10)):
            if scope in name:
                return 2 * batch * multiplications
    return 0


def profile(batch, precision, steps):
    """{(operation, layer): [milliseconds in each step]}, the steps' own seconds, the precision."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 784])
        y = tf.placeholder(tf.int64, [None])
        logits = mnist_cnn.inference(x, 0.5)
        loss = tf.losses.softmax_cross_entropy(tf.one_hot(y, 10), logits, label_smoothing=0.1)
        train_step = tf.train.AdamOptimizer(1e-3).minimize(loss, tf.train.get_global_step())
        session, precision = open_session(precision=precision)
        random = np.random.RandomState(0)
        feed = {x: random.rand(batch, 784).astype(np.float32), y: random.randint(0, 10, batch)}
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
                totals = collections.Counter()
                for device in trace.step_stats.dev_stats:
                    for node in device.node_stats:
                        op = re.search(r' = (\w+)\(', node.timeline_label)
                        layer = re.search(r'(conv1|conv2|fc1|fc2|dropout|Adam)', node.node_name)
                        key = (op.group(1) if op else node.node_name,
                               layer.group(1) if layer else '')
                        totals[key] += node.op_end_rel_micros - node.op_start_rel_micros
                for key, micros in totals.items():
                    nodes[key].append(micros / 1000)
    return nodes, seconds, precision


def main():
    """Print the operations that take the most, their time, and their share of the ceiling."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--precision', choices=['auto', 'float32', 'bfloat16'], default='auto')
    parser.add_argument('--steps', type=int, default=30)
    args = parser.parse_args()
    nodes, seconds, precision = profile(args.batch_size, args.precision, args.steps)
    most = ceiling(precision)
    step = statistics.median(seconds) * 1000
    print(f'a step of {args.batch_size} in {precision}: {step:.1f} ms; a matrix product reaches '
          f'{most / 1e9:.0f} GFLOP/s')
    print('operation                               layer    ms a step   share  of the ceiling')
    medians = {key: statistics.median(values) for key, values in nodes.items()}
    for (op, layer), ms in sorted(medians.items(), key=lambda item: -item[1])[:15]:
        work = arithmetic(layer, op, args.batch_size)
        of_most = f'{work / ms * 1000 / most:15.0%}' if work else ''
        print(f'{op:38}  {layer:7}  {ms:9.2f}  {ms / step:6.0%} {of_most}')


if __name__ == '__main__':
    main()
