"""A deeper network on MNIST: six 3x3 convolutions, batch normalization, 813,994 parameters.

$ python mnist_cnn_deep.py
validation accuracy: 0.9964
test accuracy: 0.9959

Data, loss and learning rate are those of mnist_cnn.py. New are the network, batch normalization,
and the second graph that this needs, for evaluation.
"""
from digits import command_line, input_data, tensorflow_v1, training
from digits.datasets import augmentation, outliers, strokes
from digits.layers import dropout
from digits.tensorflow_v1 import tf
from mnist_cnn import DROP_RATE, OUTLIERS, STROKES, WARP, cross_entropy, one_cycle

MOMENTUM = 0.01  # how much the running means and variances move towards those of each minibatch


def batch_norm(x, is_training):
    """x [..., channels], each channel with mean 0 and variance 1, then scaled and shifted.

    In training these are the mean and variance of the minibatch; otherwise their running averages,
    so that the answer for an image does not depend on others. Ioffe and Szegedy, 2015.
    """
    size = [x.shape[-1]]
    scale = tf.get_variable('scale', size, initializer=tf.ones_initializer())
    shift = tf.get_variable('shift', size, initializer=tf.zeros_initializer())
    mean = tf.get_variable('mean', size, initializer=tf.zeros_initializer(), trainable=False)
    variance = tf.get_variable('variance', size, initializer=tf.ones_initializer(), trainable=False)
    if not is_training:
        return tf.nn.fused_batch_norm(x, scale, shift, mean, variance, is_training=False)[0]
    normal, batch_mean, batch_variance = tf.nn.fused_batch_norm(x, scale, shift)
    for running, now in ((mean, batch_mean), (variance, batch_variance)):
        moved = tf.assign_add(running, MOMENTUM * (now - running))
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, moved)
    return normal


def inference(images, is_training=False):
    """Logits [batch, 10] of images [batch, 784] in [0, 1]."""
    he = tf.variance_scaling_initializer(scale=2.0)  # He et al. (2015): for layers with ReLUs
    zeros = tf.zeros_initializer()

    def conv(x, number, filters):
        with tf.variable_scope(f'conv{number}'):
            W = tf.get_variable('W', [3, 3, x.shape[3], filters], initializer=he)
            h_conv = tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME')
            return tf.nn.relu(batch_norm(h_conv, is_training))

    def pool(x, number):
        with tf.name_scope(f'pool{number}'):
            return tf.nn.max_pool2d(x, ksize=2, strides=2, padding='SAME')

    h = tf.reshape(images, [-1, 28, 28, 1])
    h = pool(conv(conv(h, 1, 32), 2, 32), 1)  # -> 14 x 14 x 32
    h = pool(conv(conv(h, 3, 64), 4, 64), 2)  # -> 7 x 7 x 64
    h = pool(conv(conv(h, 5, 128), 6, 128), 3)  # -> 4 x 4 x 128
    with tf.variable_scope('fc1'):
        W = tf.get_variable('W', [4 * 4 * 128, 256], initializer=he)
        b = tf.get_variable('b', [256], initializer=zeros)
        h_fc1 = tf.nn.relu(tf.matmul(tf.reshape(h, [-1, 4 * 4 * 128]), W) + b)
    with tf.variable_scope('fc2'):
        W = tf.get_variable('W', [256, 10], initializer=zeros)
        b = tf.get_variable('b', [10], initializer=zeros)
        return tf.matmul(dropout(h_fc1, DROP_RATE if is_training else 0.0), W) + b


def main(argv=None):
    """Train and score; returns the test accuracy."""
    parser = training.parser(__file__, __doc__, epochs=12, batch_size=128, learning_rate=3e-3,
                             precision='auto')
    args = training.parse_args(parser, argv)
    mnist = input_data.load(args)
    strokes.add(mnist.train, STROKES)
    outliers.add(mnist.train, OUTLIERS)

    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    with tf.name_scope('input'):
        images = tf.placeholder(tf.float32, [None, 784], name='images')  # a row for each image
        labels = tf.placeholder(tf.int64, [None], name='labels')
    # The network twice, with the same variables: with running averages, and as it is trained.
    logits = inference(images)
    with tf.variable_scope('', reuse=True):
        training_logits = inference(images, is_training=True)
    with tf.name_scope('loss'):
        loss = cross_entropy(logits, labels)
        training_loss = cross_entropy(training_logits, labels)
    with tf.name_scope('train'):
        global_step = tf.train.get_or_create_global_step()
        total_steps = training.total_steps(args, mnist.train.num_examples)
        rate = one_cycle(args.learning_rate, global_step, total_steps)
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train_step = tf.train.AdamOptimizer(rate).minimize(training_loss, global_step)
    with tf.name_scope('accuracy'):
        correct = tf.equal(tf.argmax(logits, 1), labels)
        accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    saver = tf.train.Saver(save_relative_paths=True)  # of all variables, in files that can be moved
    with tensorflow_v1.session(args) as session, training.graph_run(
            args, mnist, session, saver, images, labels, logits, loss, accuracy, rate) as run:
        session.run(tf.global_variables_initializer())
        for batch_images, batch_labels in run.batches():
            warped = augmentation.warped(batch_images, WARP, [args.seed, run.step])
            _, run.loss = session.run([train_step, training_loss],
                                      {images: warped, labels: batch_labels})
        return run.finish()


if __name__ == '__main__':
    command_line.run(main)
