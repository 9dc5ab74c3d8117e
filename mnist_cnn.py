"""A convolutional network on MNIST: two 5x5 convolutions, dropout, 3,274,634 parameters.

$ python mnist_cnn.py
validation accuracy: 0.9954
test accuracy: 0.9962

To try an idea, copy this file and change the copy: all other scripts work with it too.
"""
from digits import command_line, input_data, tensorflow_v1, training
from digits.datasets import augmentation, outliers, strokes
from digits.layers import dropout
from digits.tensorflow_v1 import tf

DROP_RATE = 0.3  # fraction of hidden units left out in a step, so that none becomes essential
WARP = 0.1  # turn, slant, stretch, move each image: by up to 6 degrees, 10 %, 7 %, one pixel
STROKES = 0.12  # drawn digits for each one of MNIST, as others write them: flagged 1s, crossed 7s
OUTLIERS = 6000  # training images that are not digits: the network learns to be unsure of scribbles


def inference(images, drop_rate=0.0):
    """Logits [batch, 10] of images [batch, 784] in [0, 1]; drop_rate is 0 outside training."""
    he = tf.variance_scaling_initializer(scale=2.0)  # He et al. (2015): for layers with ReLUs
    zeros = tf.zeros_initializer()

    def conv_pool(x, number, filters):
        with tf.variable_scope(f'conv{number}'):
            W = tf.get_variable('W', [5, 5, x.shape[3], filters], initializer=he)
            b = tf.get_variable('b', [filters], initializer=zeros)
            h_conv = tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME')
        # Bias and ReLU do not change which value is the largest: pool first, a quarter is left.
        with tf.name_scope(f'pool{number}'):
            h_pool = tf.nn.max_pool2d(h_conv, ksize=2, strides=2, padding='SAME')
            return tf.nn.relu(tf.nn.bias_add(h_pool, b))

    h_pool1 = conv_pool(tf.reshape(images, [-1, 28, 28, 1]), 1, 32)  # -> 14 x 14 x 32
    h_pool2 = conv_pool(h_pool1, 2, 64)  # -> 7 x 7 x 64
    with tf.variable_scope('fc1'):
        W = tf.get_variable('W', [7 * 7 * 64, 1024], initializer=he)
        b = tf.get_variable('b', [1024], initializer=zeros)
        h_fc1 = tf.nn.relu(tf.matmul(tf.reshape(h_pool2, [-1, 7 * 7 * 64]), W) + b)
    with tf.variable_scope('fc2'):
        W = tf.get_variable('W', [1024, 10], initializer=zeros)
        b = tf.get_variable('b', [10], initializer=zeros)
        return tf.matmul(dropout(h_fc1, drop_rate), W) + b


def cross_entropy(logits, labels):
    """The mean, with label smoothing (Szegedy et al., 2016); labels [batch], 10 if not a digit."""
    targets = tf.one_hot(labels, 10)
    targets += (1.0 - tf.reduce_sum(targets, 1, keepdims=True)) / 10  # not a digit: 0.1 each
    return tf.losses.softmax_cross_entropy(targets, logits, label_smoothing=0.1)


def one_cycle(peak, step, total_steps):
    """The learning rate (Smith, 2018): up in the first quarter of the run, then down to zero."""
    done = tf.cast(step, tf.float32) / total_steps
    return peak * tf.minimum(done / 0.25, (1.0 - done) / 0.75)


def main(argv=None):
    """Train and score; returns the test accuracy."""
    parser = training.parser(__file__, __doc__, epochs=6, batch_size=128, learning_rate=3e-3,
                             precision='auto')
    args = training.parse_args(parser, argv)
    mnist = input_data.load(args)
    strokes.add(mnist.train, STROKES)
    outliers.add(mnist.train, OUTLIERS)

    # The graph is a description: no arithmetic happens until a session runs it.
    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    with tf.name_scope('input'):
        images = tf.placeholder(tf.float32, [None, 784], name='images')  # a row for each image
        labels = tf.placeholder(tf.int64, [None], name='labels')
        drop_rate = tf.placeholder_with_default(0.0, [], name='drop_rate')
    logits = inference(images, drop_rate)

    # The loss takes logits, not probabilities: log(softmax(z)) written out can reach log(0).
    with tf.name_scope('loss'):
        loss = cross_entropy(logits, labels)
    with tf.name_scope('train'):
        global_step = tf.train.get_or_create_global_step()
        total_steps = training.total_steps(args, mnist.train.num_examples)
        rate = one_cycle(args.learning_rate, global_step, total_steps)
        optimizer = tf.train.AdamOptimizer(rate)
        train_step = optimizer.minimize(loss, global_step)
    with tf.name_scope('accuracy'):
        correct = tf.equal(tf.argmax(logits, 1), labels)
        accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    saver = tf.train.Saver(save_relative_paths=True)  # of all variables, in files that can be moved

    # The run saves, resumes, evaluates and shows progress (digits/training).
    with tensorflow_v1.session(args) as session, training.graph_run(
            args, mnist, session, saver, images, labels, logits, loss, accuracy, rate) as run:
        session.run(tf.global_variables_initializer())
        for batch_images, batch_labels in run.batches():
            warped = augmentation.warped(batch_images, WARP, [args.seed, run.step])
            feed_dict = {images: warped, labels: batch_labels, drop_rate: DROP_RATE}
            _, run.loss = session.run([train_step, loss], feed_dict)
        return run.finish()


if __name__ == '__main__':
    command_line.run(main)
