"""Softmax regression on MNIST: one matrix and one bias, 7,850 parameters.

$ python mnist_softmax.py
validation accuracy: 0.9182
test accuracy: 0.9178

To try an idea, copy this file and change the copy: all other scripts work with it too.
"""
from digits import command_line, input_data, tensorflow_v1, training
from digits.tensorflow_v1 import tf


def inference(images):
    """Logits [batch, 10] of images [batch, 784] in [0, 1]."""
    zeros = tf.zeros_initializer()
    with tf.variable_scope('softmax'):
        W = tf.get_variable('W', [784, 10], initializer=zeros)
        b = tf.get_variable('b', [10], initializer=zeros)
        return tf.matmul(images, W) + b


def main(argv=None):
    """Train and score; returns the test accuracy."""
    parser = training.parser(__file__, __doc__, steps=1000, batch_size=100, learning_rate=0.5)
    args = training.parse_args(parser, argv)
    mnist = input_data.load(args)

    # The graph is a description: no arithmetic happens until a session runs it.
    tf.reset_default_graph()
    tf.set_random_seed(args.seed)
    with tf.name_scope('input'):
        images = tf.placeholder(tf.float32, [None, 784], name='images')  # a row for each image
        labels = tf.placeholder(tf.int64, [None], name='labels')
    logits = inference(images)

    # The loss takes logits, not probabilities: log(softmax(z)) written out can reach log(0).
    with tf.name_scope('loss'):
        loss = tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=logits)
    with tf.name_scope('train'):
        global_step = tf.train.get_or_create_global_step()
        optimizer = tf.train.GradientDescentOptimizer(args.learning_rate)
        train_step = optimizer.minimize(loss, global_step)
    with tf.name_scope('accuracy'):
        correct = tf.equal(tf.argmax(logits, 1), labels)
        accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    saver = tf.train.Saver(save_relative_paths=True)  # of all variables, in files that can be moved

    # The run saves, resumes, evaluates and shows progress (digits/training).
    with tensorflow_v1.session(args) as session, training.graph_run(
            args, mnist, session, saver, images, labels, logits, loss, accuracy) as run:
        session.run(tf.global_variables_initializer())
        for batch_images, batch_labels in run.batches():
            feed_dict = {images: batch_images, labels: batch_labels}
            _, run.loss = session.run([train_step, loss], feed_dict)
        return run.finish()


if __name__ == '__main__':
    command_line.run(main)
