"""A convolutional network on MNIST: two 5x5 convolutions, dropout, 3,274,634 numbers to learn.

$ python mnist_cnn.py
validation accuracy: 0.9960
test accuracy: 0.9955
"""
from digits import command_line, input_data, runs
from digits.datasets import augmentation, outliers, strokes
from digits.tensorflow_v1 import tf


def inference(x, drop_rate=0.0, stddev=None, bias=0.0):
    """Logits [batch, 10] of images x [batch, 784] in [0, 1].

    drop_rate: the share of the 1,024 hidden units left out, in [0, 1); 0 but in training.
    stddev: the spreads of the initial weights of the four layers, in place of He's; bias: the
    initial biases.
    """
    if stddev:
        initial = [tf.truncated_normal_initializer(stddev=spread) for spread in stddev]
    else:  # He et al. (2015): this spread keeps a signal's size from layer to layer through ReLUs
        initial = [tf.variance_scaling_initializer(scale=2.0)] * 3 + [tf.zeros_initializer()]
    biases = tf.constant_initializer(bias)

    def conv_pool(x, number, filters, weights):
        with tf.variable_scope(f'conv{number}'):
            W = tf.get_variable('W', [5, 5, x.shape[3], filters], initializer=weights)
            b = tf.get_variable('b', [filters], initializer=biases)
            h = tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME')
        # The largest stays the largest whatever b and ReLU do: pooled first, a quarter is left.
        with tf.name_scope(f'pool{number}'):
            h_pool = tf.nn.max_pool2d(h, ksize=2, strides=2, padding='SAME')
            return tf.nn.relu(tf.nn.bias_add(h_pool, b))

    with tf.name_scope('reshape'):
        x_image = tf.reshape(x, [-1, 28, 28, 1])
    h_pool1 = conv_pool(x_image, 1, 32, initial[0])  # -> 14 x 14 x 32
    h_pool2 = conv_pool(h_pool1, 2, 64, initial[1])  # -> 7 x 7 x 64
    with tf.variable_scope('fc1'):
        W = tf.get_variable('W', [7 * 7 * 64, 1024], initializer=initial[2])
        b = tf.get_variable('b', [1024], initializer=biases)
        h_fc1 = tf.nn.relu(tf.matmul(tf.reshape(h_pool2, [-1, 7 * 7 * 64]), W) + b)
    with tf.variable_scope('dropout'):
        # A function of seed and step, not of a hidden state: a resumed run drops the same units.
        seed = [tf.get_default_graph().seed or 0, tf.train.get_or_create_global_step()]
        kept = tf.random.stateless_uniform(tf.shape(h_fc1), seed) >= drop_rate
        h_drop = h_fc1 * (tf.cast(kept, tf.float32) / (1.0 - drop_rate))
    with tf.variable_scope('fc2'):
        W = tf.get_variable('W', [1024, 10], initializer=initial[3])
        b = tf.get_variable('b', [10], initializer=biases)
        return tf.matmul(h_drop, W) + b


def recipe_flags(parser):
    """Add the flags that shape what this network learns from and how fast."""
    parser.add_argument('--schedule', choices=['one-cycle', 'constant'], default='one-cycle',
                        help='of the learning rate (default %(default)s)')
    parser.add_argument('--label-smoothing', type=command_line.share, default=0.1, metavar='SHARE',
                        help='of certainty that is not asked for (default %(default)s)')
    parser.add_argument('--drop-rate', type=command_line.share, default=0.3, metavar='SHARE',
                        help='of hidden units left out in a step (default %(default)s)')
    parser.add_argument('--warp', type=command_line.share, default=0.1, metavar='SHARE',
                        help='turn, slant, stretch and move minibatches by so much at most '
                        '(default %(default)s: 6 degrees, 10 %%, 7 %%, a pixel)')
    parser.add_argument('--outliers', type=command_line.count, default=8000, metavar='N',
                        help='learn doubt from so many images of no digit (default %(default)s)')
    parser.add_argument('--strokes', type=command_line.count, default=0, metavar='N',
                        help='learn also from so many digits made from strokes (default 0)')
    parser.add_argument('--initial-stddev', type=command_line.spread, nargs=4,
                        metavar=('CONV1', 'CONV2', 'FC1', 'FC2'),
                        help="start from truncated normal weights (default: He's)")
    parser.add_argument('--initial-bias', type=command_line.spread, default=0.0, metavar='B',
                        help='start biases from this (default 0)')


def learning_data(args):
    """The Datasets to learn from: digits, and what teaches doubt."""
    mnist = input_data.load(args)
    nothing = outliers.make(mnist.train.pixels, mnist.train.labels, args.outliers)
    mnist.train.add(nothing, outliers.NO_DIGIT)
    mnist.train.add(*strokes.make(args.strokes, seed=1))
    return mnist


def cross_entropy(logits, y, label_smoothing):
    """The loss: a scalar, the mean over the minibatch of logits [batch, 10] and digits y [batch].
    """
    # Label smoothing of 0.1 (Szegedy et al., 2016): the goal is to be 91 % sure, not 100 %.
    target = tf.one_hot(y, 10)
    target += (1.0 - tf.reduce_sum(target, 1, keepdims=True)) / 10  # no digit: all ten alike
    return tf.losses.softmax_cross_entropy(target, logits, label_smoothing=label_smoothing)


def rate_at(args, step, steps):
    """The learning rate, a function of the global step, which ends at `steps`."""
    # One cycle (Smith, 2018): up to the learning rate in a quarter of the run, then down to zero.
    done = tf.cast(step, tf.float32) / steps
    cycle = tf.minimum(done / 0.25, (1.0 - done) / 0.75)
    return args.learning_rate * (cycle if args.schedule == 'one-cycle' else 1.0)


def main(argv=None):
    """Train and score; returns the test accuracy."""
    parser = command_line.training_flags(
        __file__, __doc__, epochs=5, batch_size=128, learning_rate=3e-3, precision='auto')
    recipe_flags(parser)
    args = command_line.parse(parser, argv)
    mnist = learning_data(args)

    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    with tf.name_scope('input'):
        x = tf.placeholder(tf.float32, [None, 784], name='x')  # an image a row
        y = tf.placeholder(tf.int64, [None], name='y')  # the digit in it
        drop_rate = tf.placeholder_with_default(0.0, [], name='drop_rate')
    logits = inference(x, drop_rate, args.initial_stddev, args.initial_bias)
    with tf.name_scope('loss'):
        loss = cross_entropy(logits, y, args.label_smoothing)
    with tf.name_scope('train'):
        step = tf.train.get_or_create_global_step()
        learning_rate = rate_at(args, step, runs.total_steps(args, mnist.train.num_examples))
        train_step = tf.train.AdamOptimizer(learning_rate).minimize(loss, step)
    with tf.name_scope('accuracy'):
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))

    def score(images, labels):
        return run.session.run([loss, accuracy], {x: images, y: labels})

    with runs.Run(args, mnist, score, learning_rate) as run:
        for images, labels in run.batches():
            warped = augmentation.warped(images, args.warp, [args.seed, run.step])
            _, run.loss = run.session.run([train_step, loss],
                                          {x: warped, y: labels, drop_rate: args.drop_rate})
        return run.finish()


if __name__ == '__main__':
    command_line.run(main)
