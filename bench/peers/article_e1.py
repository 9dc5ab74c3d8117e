"""The CNN of a 2018 tutorial as its readers typed it. For TensorFlow 1.15.5 on Python 3.7.

$ python3.7 bench/peers/article_e1.py
Step: 500, Loss: ..., Accuracy: ...

The flags are the benchmark's: --until 0.99 stops at the first evaluation with this accuracy,
--measure times the steps alone, without evaluations and without the first 20 steps.
"""
import argparse
import json
import os
import time

STARTED = time.perf_counter()

import tensorflow as tf  # noqa: E402
from tensorflow.examples.tutorials.mnist import input_data  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument('--steps', type=int, default=10000)
parser.add_argument('--batch-size', type=int, default=50)
parser.add_argument('--until', type=float, default=2.0, metavar='ACCURACY')
parser.add_argument('--measure', action='store_true')
args = parser.parse_args()
home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

mnist = input_data.read_data_sets(
    os.environ.get('MNIST_DATA_DIR') or os.path.join(home, 'data'), one_hot=True)

X = tf.placeholder(tf.float32, [None, 784])
Y = tf.placeholder(tf.float32, [None, 10])
keep_prob = tf.placeholder(tf.float32)

x_image = tf.reshape(X, [-1, 28, 28, 1])
W_conv1 = tf.Variable(tf.truncated_normal([5, 5, 1, 32], stddev=0.1))
b_conv1 = tf.Variable(tf.constant(0.1, shape=[32]))
h_conv1 = tf.nn.relu(
    tf.nn.conv2d(x_image, W_conv1, strides=[1, 1, 1, 1], padding='SAME') + b_conv1)
h_pool1 = tf.nn.max_pool(h_conv1, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')

W_conv2 = tf.Variable(tf.truncated_normal([5, 5, 32, 64], stddev=0.1))
b_conv2 = tf.Variable(tf.constant(0.1, shape=[64]))
h_conv2 = tf.nn.relu(
    tf.nn.conv2d(h_pool1, W_conv2, strides=[1, 1, 1, 1], padding='SAME') + b_conv2)
h_pool2 = tf.nn.max_pool(h_conv2, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')

W_fc1 = tf.Variable(tf.truncated_normal([7 * 7 * 64, 1024]))
b_fc1 = tf.Variable(tf.constant(0.1, shape=[1024]))
h_fc1 = tf.nn.relu(tf.matmul(tf.reshape(h_pool2, [-1, 7 * 7 * 64]), W_fc1) + b_fc1)
h_drop = tf.nn.dropout(h_fc1, keep_prob)

W_fc2 = tf.Variable(tf.zeros([1024, 10]))
b_fc2 = tf.Variable(tf.zeros([10]))
logits = tf.matmul(h_drop, W_fc2) + b_fc2

cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=Y, logits=logits))
train_step = tf.train.AdamOptimizer(1e-4).minimize(cost)
correct = tf.equal(tf.argmax(logits, 1), tf.argmax(Y, 1))
accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))


def evaluate(sess):
    """Loss and accuracy on the test set, in four chunks so that memory suffices."""
    losses, accuracies = 0.0, 0.0
    for i in range(4):
        chunk = slice(2500 * i, 2500 * (i + 1))
        loss, acc = sess.run([cost, accuracy], feed_dict={
            X: mnist.test.images[chunk], Y: mnist.test.labels[chunk], keep_prob: 1.0})
        losses += loss / 4
        accuracies += acc / 4
    return losses, accuracies


def train(sess):
    batch_xs, batch_ys = mnist.train.next_batch(args.batch_size)
    sess.run(train_step, feed_dict={X: batch_xs, Y: batch_ys, keep_prob: 0.5})


result = {'steps': args.steps, 'reached': None}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    if args.measure:
        for _ in range(20):
            train(sess)
        started = time.perf_counter()
        for _ in range(args.steps):
            train(sess)
        seconds = time.perf_counter() - started
        result['images_per_second'] = args.steps * args.batch_size / seconds
    else:
        saver = tf.train.Saver()
        for step in range(1, args.steps + 1):
            train(sess)
            if step % 500 == 0 or step == args.steps:
                test_loss, test_accuracy = evaluate(sess)
                print('Step: %d, Loss: %f, Accuracy: %f' % (  # noqa: UP031
                    step, test_loss, test_accuracy))
                result['test_accuracy'] = round(test_accuracy, 4)
                if test_accuracy >= args.until:
                    result['reached'] = {'step': step, 'accuracy': result['test_accuracy'],
                                         'seconds': time.perf_counter() - STARTED}
                    break
        saver.save(sess, './cnn_session')
result['seconds'] = time.perf_counter() - STARTED
print(json.dumps(result))
