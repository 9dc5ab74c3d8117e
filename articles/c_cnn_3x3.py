"""A smaller convolutional network on MNIST: two 3x3 convolutions without biases, 50,090 numbers.

$ python mnist_cnn_3x3.py
epoch  loss
    1  0.339252
    2  0.095360
    3  0.073018
    4  0.059103
    5  0.049875
    6  0.043223
    7  0.037502
    8  0.033678
    9  0.028578
   10  0.027041
   11  0.021038
   12  0.020009
   13  0.018418
   14  0.014885
   15  0.013467
test image 2732: label 6, prediction 6
validation accuracy: 0.9898
test accuracy: 0.9892

--deep: three convolutions and a hidden layer with dropout, 1,379,333 numbers to learn.
"""
import numpy as np

from digits import command_line, input_data, runs
from digits.tensorflow_v1 import tf


def inference(x, drop_rate=0.0, deep=False):
    """Logits [batch, 10] of images x [batch, 784] in [0, 1].

    deep: with a third convolution, a layer of 625 hidden units, and dropout after all four;
    drop_rate: the share that it leaves out, in [0, 1).
    """
    def conv_pool(x, number, filters):
        with tf.variable_scope(f'conv{number}'):
            W = tf.get_variable('W', [3, 3, x.shape[3], filters],
                                initializer=tf.random_normal_initializer(stddev=0.01))
            h = tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME')
        # Max and ReLU commute: pooled first, ReLU has a quarter to do.
        with tf.name_scope(f'pool{number}'):
            return tf.nn.relu(tf.nn.max_pool2d(h, ksize=2, strides=2, padding='SAME'))

    def dense(x, units):
        # Glorot and Bengio (2010), Xavier: keeps a signal's size in linear layers.
        W = tf.get_variable('W', [x.shape[1], units], initializer=tf.glorot_uniform_initializer())
        b = tf.get_variable('b', [units], initializer=tf.random_normal_initializer())
        return tf.matmul(x, W) + b

    def dropout(h, layer):
        if not deep:
            return h
        with tf.name_scope(f'dropout{layer}'):
            # A function of seed, layer and step: a resumed run drops the same units.
            seed = [4 * (tf.get_default_graph().seed or 0) + layer - 1,
                    tf.train.get_or_create_global_step()]
            kept = tf.random.stateless_uniform(tf.shape(h), seed) >= drop_rate
            return h * tf.cast(kept, tf.float32) / (1.0 - drop_rate)

    with tf.name_scope('reshape'):
        x_image = tf.reshape(x, [-1, 28, 28, 1])
    h = dropout(conv_pool(x_image, 1, 32), 1)  # -> 14 x 14 x 32
    h = dropout(conv_pool(h, 2, 64), 2)  # -> 7 x 7 x 64
    if deep:
        h = dropout(conv_pool(h, 3, 128), 3)  # -> 4 x 4 x 128
    h = tf.reshape(h, [-1, int(np.prod(h.shape[1:]))])
    if deep:
        with tf.variable_scope('fc1'):
            h = tf.nn.relu(dense(h, 625))
        h = dropout(h, 4)
    with tf.variable_scope('fc'):
        return dense(h, 10)


def main(argv=None):
    """Train and score; returns the test accuracy."""
    parser = command_line.training_flags(__file__, __doc__, epochs=15, batch_size=100,
                                         learning_rate=1e-3, precision='auto', loss_every=1)
    parser.add_argument('--deep', action='store_true', help='three convolutions, a hidden layer')
    args = command_line.parse(parser, argv)
    mnist = input_data.load(args)

    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    with tf.name_scope('input'):
        x = tf.placeholder(tf.float32, [None, 784], name='x')  # an image a row
        y = tf.placeholder(tf.int64, [None], name='y')  # the digit in it
        drop_rate = tf.placeholder_with_default(0.0, [], name='drop_rate')
    logits = inference(x, drop_rate, args.deep)

    with tf.name_scope('loss'):
        loss = tf.losses.sparse_softmax_cross_entropy(labels=y, logits=logits)
    with tf.name_scope('train'):
        step = tf.train.get_or_create_global_step()
        # The tutorial's rate is constant. The deep network gains from one that falls to zero.
        done = tf.cast(step, tf.float32) / runs.total_steps(args, mnist.train.num_examples)
        learning_rate = args.learning_rate * ((1.0 - done) if args.deep else 1.0)
        train_step = tf.train.AdamOptimizer(learning_rate).minimize(loss, step)
    with tf.name_scope('accuracy'):
        prediction = tf.argmax(logits, 1)
        accuracy = tf.reduce_mean(tf.cast(tf.equal(prediction, y), tf.float32))

    def score(images, labels):
        return run.session.run([loss, accuracy], {x: images, y: labels})

    with runs.Run(args, mnist, score, learning_rate) as run:
        for images, labels in run.batches():
            _, run.loss = run.session.run([train_step, loss],
                                          {x: images, y: labels, drop_rate: 0.3})
        one = np.random.RandomState(args.seed).randint(mnist.test.num_examples)
        guess = run.session.run(prediction, {x: mnist.test.images[[one]]})[0]
        run.print(f'test image {one}: label {mnist.test.labels[one]}, prediction {guess}')
        return run.finish()


if __name__ == '__main__':
    command_line.run(main)
