"""Article A: the CNN "for experts". Two 5x5 convolutions and dropout, watched in TensorBoard."""
import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)  # where digits/ is
from digits import input_data
from digits.tensorflow_v1 import tf


def weight_variable(shape):
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1))


def bias_variable(shape):
    return tf.Variable(tf.constant(0.1, shape=shape))


def conv_pool(x, channels, filters):
    h = tf.nn.conv2d(x, weight_variable([5, 5, channels, filters]), [1, 1, 1, 1], 'SAME')
    h = tf.nn.relu(h + bias_variable([filters]))
    return tf.nn.max_pool(h, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-dir', default=os.environ.get('MNIST_DATA_DIR') or ROOT + '/data')
    parser.add_argument('--log-dir', default=ROOT + '/runs/articles/a_cnn', help='for TensorBoard')
    parser.add_argument('--steps', type=int, default=20000, help='minibatches of 50 (20000)')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    try:
        mnist = input_data.read_data_sets(args.data_dir, one_hot=True, seed=args.seed)
    except ValueError as error:  # a sentence: which file is missing or damaged
        parser.error(str(error))

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 784])
    y_ = tf.placeholder(tf.float32, [None, 10])
    keep_prob = tf.placeholder_with_default(1.0, [])

    x_image = tf.reshape(x, [-1, 28, 28, 1])
    h_pool1 = conv_pool(x_image, 1, 32)  # -> 14 x 14 x 32
    h_pool2 = conv_pool(h_pool1, 32, 64)  # -> 7 x 7 x 64
    h_pool2_flat = tf.reshape(h_pool2, [-1, 7 * 7 * 64])
    W_fc1, b_fc1 = weight_variable([7 * 7 * 64, 1024]), bias_variable([1024])
    h_fc1 = tf.nn.relu(tf.matmul(h_pool2_flat, W_fc1) + b_fc1)
    h_fc1_drop = tf.nn.dropout(h_fc1, rate=1 - keep_prob)
    W_fc2, b_fc2 = weight_variable([1024, 10]), bias_variable([10])
    y_conv = tf.matmul(h_fc1_drop, W_fc2) + b_fc2

    cross_entropy = tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y_conv))
    train_step = tf.train.AdamOptimizer(1e-4).minimize(cross_entropy)
    correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
    tf.summary.scalar('cross_entropy', cross_entropy)
    tf.summary.scalar('accuracy', accuracy)
    merged = tf.summary.merge_all()

    with tf.Session() as sess:
        writer = tf.summary.FileWriter(args.log_dir, sess.graph)
        sess.run(tf.global_variables_initializer())
        for i in range(args.steps):
            xs, ys = mnist.train.next_batch(50)
            if i % 100 == 0:
                summary, train_accuracy = sess.run([merged, accuracy], {x: xs, y_: ys})
                writer.add_summary(summary, i)
                print('step %d, training accuracy %g' % (i, train_accuracy))
            sess.run(train_step, {x: xs, y_: ys, keep_prob: 0.5})
        writer.close()
        images, labels = mnist.test.images, mnist.test.labels  # all at once need gigabytes
        tenths = [sess.run(accuracy, {x: images[i::10], y_: labels[i::10]}) for i in range(10)]
    print('test accuracy: %.4f' % (sum(tenths) / 10))


if __name__ == '__main__':
    main()
