"""Article C: "99 % MNIST CNN". Two 3x3 convolutions, no biases; with --deep three, and dropout."""
import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)  # where digits/ is
from digits import input_data  # isort: skip: it says what is missing
import numpy as np

from digits.tensorflow_v1 import tf


def inference(images, drop_rate=0.0, deep=False):
    """Logits [n, 10] of images [n, 784] in [0, 1]; only the deep network drops units out."""
    def conv(x, name, filters):
        with tf.variable_scope(name):
            W = tf.get_variable('W', [3, 3, x.shape[3], filters],
                                initializer=tf.random_normal_initializer(stddev=0.01))
            L = tf.nn.relu(tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME'))
            L = tf.nn.max_pool(L, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')
            return tf.nn.dropout(L, rate=drop_rate) if deep else L

    def dense(x, name, units):
        xavier = tf.glorot_uniform_initializer()  # Xavier Glorot's
        with tf.variable_scope(name):
            W = tf.get_variable('W', [x.shape[1], units], initializer=xavier)
            b = tf.get_variable('b', [units], initializer=tf.random_normal_initializer())
            return tf.matmul(x, W) + b

    L = conv(conv(tf.reshape(images, [-1, 28, 28, 1]), 'conv1', 32), 'conv2', 64)
    if not deep:
        return dense(tf.reshape(L, [-1, 7 * 7 * 64]), 'fc', 10)
    L = tf.reshape(conv(L, 'conv3', 128), [-1, 4 * 4 * 128])
    return dense(tf.nn.dropout(tf.nn.relu(dense(L, 'fc1', 625)), rate=drop_rate), 'fc', 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-dir', default=os.environ.get('MNIST_DATA_DIR') or ROOT + '/data')
    parser.add_argument('--deep', action='store_true', help='three convolutions, a hidden layer')
    parser.add_argument('--epochs', type=int, default=15, help='of minibatches of 100 (15)')
    parser.add_argument('--seed', type=int, default=777)
    args = parser.parse_args()
    if args.epochs < 1:
        parser.error('--epochs %d: one at least' % args.epochs)
    try:
        mnist = input_data.read_data_sets(args.data_dir, seed=args.seed)
    except ValueError as error:  # a sentence: which file is missing or damaged
        parser.error(str(error))
    tf.set_random_seed(args.seed)
    X, Y = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.int64, [None])
    drop_rate = tf.placeholder_with_default(0.0, [])
    logits = inference(X, drop_rate, args.deep)
    cost = tf.losses.sparse_softmax_cross_entropy(Y, logits)
    prediction = tf.argmax(logits, 1)
    step, total_batch = tf.train.get_or_create_global_step(), mnist.train.num_examples // 100
    # The article's rate is constant; the deep network gains from one that falls to zero.
    falling = tf.train.polynomial_decay(0.001, step, args.epochs * total_batch, 0.0)
    optimizer = tf.train.AdamOptimizer(falling if args.deep else 0.001).minimize(cost, step)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for epoch in range(args.epochs):
            avg_cost = 0
            for _ in range(total_batch):
                xs, ys = mnist.train.next_batch(100)
                avg_cost += sess.run([cost, optimizer], {X: xs, Y: ys, drop_rate: 0.3})[0]
            print('Epoch: %04d cost = %.9f' % (epoch + 1, avg_cost / total_batch))
        pieces = np.array_split(mnist.test.images, 10)  # all at once need gigabytes
        guesses = np.concatenate([sess.run(prediction, {X: piece}) for piece in pieces])
    labels, r = mnist.test.labels, np.random.RandomState(args.seed).randint(len(guesses))
    print('Test image: %d, Label: %d, Prediction: %d' % (r, labels[r], guesses[r]))
    print('test accuracy: %.4f' % np.mean(guesses == labels))


if __name__ == '__main__':
    main()
