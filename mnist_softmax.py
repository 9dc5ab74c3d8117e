"""Softmax regression on MNIST: one matrix and one bias, 7,850 numbers to learn.

$ python mnist_softmax.py
validation accuracy: 0.9182
test accuracy: 0.9178
"""
from digits import command_line, input_data, runs
from digits.tensorflow_v1 import tf


def inference(x, drop_rate=0.0):
    """Logits [batch, 10] of images x [batch, 784] in [0, 1]. Nothing here drops out."""
    with tf.variable_scope('softmax'):
        W = tf.get_variable('W', [784, 10], initializer=tf.zeros_initializer())
        b = tf.get_variable('b', [10], initializer=tf.zeros_initializer())
        return tf.matmul(x, W) + b


def main(argv=None):
    """Train and score; returns the test accuracy."""
    args = command_line.parse(command_line.training_flags(
        __file__, __doc__, steps=1000, batch_size=100, learning_rate=0.5), argv)
    mnist = input_data.load(args)

    # The graph is a description: no arithmetic happens until a session runs it.
    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 784], name='x')  # an image a row
    y = tf.placeholder(tf.int64, [None], name='y')  # the digit in it
    logits = inference(x)

    # The fused loss takes logits: log(softmax(z)) written out can reach log(0).
    loss = tf.losses.sparse_softmax_cross_entropy(labels=y, logits=logits)
    step = tf.train.get_or_create_global_step()
    train_step = tf.train.GradientDescentOptimizer(args.learning_rate).minimize(loss, step)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))

    def score(images, labels):
        return run.session.run(accuracy, {x: images, y: labels})

    with runs.Run(args, mnist, score) as run:
        for images, labels in run.batches():
            _, run.loss = run.session.run([train_step, loss], {x: images, y: labels})
        return run.finish()


if __name__ == '__main__':
    command_line.run(main)
