"""Profile a training step of mnist_cnn.py, and compare it with the maximum of the machine.

$ python bench/step_profile.py --batch-size 128

TensorFlow's own tracer times each operation; the ceiling is a large matrix product in the same
session. An operation's share of the ceiling is its arithmetic, by formula, over its time. Writes
the section `profile-BATCH` of RESULTS.md.
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
        product = tf.matmul(a, b)
        session = traced_session(precision)
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


def profile(batch, precision, steps):
    """{(operation, layer): (milliseconds, floating-point operations)} of a step, and its seconds.

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
                totals, work = collections.Counter(), collections.Counter()
                for device in trace.step_stats.dev_stats:
                    for node in device.node_stats:
                        op = re.search(r' = (\w+)\(', node.timeline_label)
                        layer = re.search(r'(conv1|conv2|fc1|fc2|dropout|Adam)', node.node_name)
                        key = (op.group(1) if op else node.node_name,
                               layer.group(1) if layer else '')
                        totals[key] += node.op_end_rel_micros - node.op_start_rel_micros
                        work[key] += arithmetic(key[1], key[0], batch)
                for key, micros in totals.items():
                    nodes[key].append(micros / 1000)
    times = {key: (statistics.median(values), work[key]) for key, values in nodes.items()}
    return times, statistics.median(seconds)


def main():
    """Print the operations that take the most, and write them: shares of a step and the ceiling."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--steps', type=int, default=30)
    args = parser.parse_args()
    lines = [f'## profile-{args.batch_size}', '',
             f'Where a training step of mnist_cnn.py spends its time, batch {args.batch_size}, one '
             'operation after the other. The ceiling is a matrix product of 2,048 x 2,048.', '',
             f'{turns.machine()}; TensorFlow {tf.__version__}; {datetime.date.today()}; medians of '
             f'{args.steps} steps.']
    for precision in ['float32', 'bfloat16'] if bfloat16_feature() else ['float32']:
        times, seconds = profile(args.batch_size, precision, args.steps)
        most = ceiling(precision)
        print(f'{precision}: a step of {seconds * 1000:.1f} ms')
        lines += ['', f'{precision}, ceiling {most / 1e9:.0f} GFLOP/s:', '',
                  '| operation | layer | share of the step | of the ceiling |', '|---|---|---|---|']
        for (op, layer), (ms, work) in sorted(times.items(), key=lambda item: -item[1][0])[:12]:
            of_most = f'{work / ms * 1000 / most:.0%}' if work else ''
            print(f'{op:38}  {layer:7}  {ms:9.2f} ms  {of_most:>5}')
            lines.append(f'| {op} | {layer} | {ms / seconds / 1000:.0%} | {of_most} |')
        rest = sum(ms for ms, _ in sorted(times.values(), reverse=True)[12:])
        lines.append(f'| all others | | {rest / seconds / 1000:.0%} | |')
    turns.write(f'profile-{args.batch_size}', '\n'.join([*lines, '']))


if __name__ == '__main__':
    main()
