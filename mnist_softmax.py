"""Softmax regression on MNIST: one matrix and one bias, 7,850 numbers to learn.

$ python mnist_softmax.py
validation accuracy: 0.9182
test accuracy: 0.9178
"""
from digits import command_line, input_data
from digits.tensorflow_v1 import tf
from digits.training import runs


def inference(x, drop_rate=0.0, raw_pixels=False, stddev=(0.0, 0.0)):
    """Logits [batch, 10] of images x [batch, 784] in [0, 1]. Nothing here drops out.

    raw_pixels: compute as if x had never been scaled down from 0..255.
    stddev: of the normal distributions that W and b start from; 0 starts from zeros.
    """
    with tf.variable_scope('softmax'):
        W = tf.get_variable('W', [784, 10], initializer=tf.random_normal_initializer(0, stddev[0]))
        b = tf.get_variable('b', [10], initializer=tf.random_normal_initializer(0, stddev[1]))
        return tf.matmul(x, 255 * W if raw_pixels else W) + b


def main(argv=None):
    """Train and score; returns the test accuracy."""
    parser = command_line.training_flags(
        __file__, __doc__, steps=1000, batch_size=100, learning_rate=0.5)
    parser.add_argument('--initial-stddev', type=command_line.spread, nargs=2, default=[0.0, 0.0],
                        metavar=('W', 'b'), help='start from normal noise (default 0 0: zeros)')
    parser.add_argument('--raw-pixels', action='store_true', help='learn from 0..255, not [0, 1]')
    args = command_line.parse(parser, argv)
    mnist = input_data.load(args)

    # The graph is a description: no arithmetic happens until a session runs it.
    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    with tf.name_scope('input'):
        x = tf.placeholder(tf.float32, [None, 784], name='x')  # an image a row
        y = tf.placeholder(tf.int64, [None], name='y')  # the digit in it
    logits = inference(x, raw_pixels=args.raw_pixels, stddev=args.initial_stddev)

    # The fused loss takes logits: log(softmax(z)) written out can reach log(0).
    with tf.name_scope('loss'):
        loss = tf.losses.sparse_softmax_cross_entropy(labels=y, logits=logits)
    with tf.name_scope('train'):
        step = tf.train.get_or_create_global_step()
        train_step = tf.train.GradientDescentOptimizer(args.learning_rate).minimize(loss, step)
    with tf.name_scope('accuracy'):
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))

    def score(images, labels):
        return run.session.run([loss, accuracy], {x: images, y: labels})

    with runs.Run(args, mnist, score) as run:
        for images, labels in run.batches():
            _, run.loss = run.session.run([train_step, loss], {x: images, y: labels})
        return run.finish()


if __name__ == '__main__':
    command_line.run(main)
