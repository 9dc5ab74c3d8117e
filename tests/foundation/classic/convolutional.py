"""Convolutional: two convolutions and poolings, dropout, an InteractiveSession, run and eval."""
import tensorflow as tf
from tensorflow.examples.tutorials.mnist import input_data

mnist = input_data.read_data_sets('MNIST_data', one_hot=True, reshape=False, seed=7)
tf.set_random_seed(7)
sess = tf.InteractiveSession()


def weight_variable(shape, seed):
    initial = tf.truncated_normal(shape, stddev=0.1, seed=seed)
    return tf.Variable(initial)


def bias_variable(shape):
    initial = tf.constant(0.1, shape=shape)
    return tf.Variable(initial)


def conv2d(x, W):
    return tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME')


def max_pool_2x2(x):
    return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')


x = tf.placeholder(tf.float32, shape=[None, 28, 28, 1])
y_ = tf.placeholder(tf.float32, shape=[None, 10])
keep_prob = tf.placeholder(tf.float32)

h_pool1 = max_pool_2x2(tf.nn.relu(conv2d(x, weight_variable([5, 5, 1, 8], 1)) + bias_variable([8])))
h_conv2 = tf.nn.relu(conv2d(h_pool1, weight_variable([5, 5, 8, 16], 2)) + bias_variable([16]))
h_pool2_flat = tf.reshape(max_pool_2x2(h_conv2), [-1, 7 * 7 * 16])

W_fc1 = weight_variable([7 * 7 * 16, 128], 3)
h_fc1 = tf.nn.relu(tf.matmul(h_pool2_flat, W_fc1) + bias_variable([128]))
h_fc1_drop = tf.nn.dropout(h_fc1, keep_prob, seed=4)
y_conv = tf.matmul(h_fc1_drop, weight_variable([128, 10], 5)) + bias_variable([10])

cross_entropy = tf.reduce_mean(
    tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv))
train_step = tf.train.AdamOptimizer(1e-3).minimize(cross_entropy)
correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
sess.run(tf.global_variables_initializer())

for i in range(300):
    batch = mnist.train.next_batch(50)
    if i % 50 == 0:
        train_accuracy = accuracy.eval(feed_dict={x: batch[0], y_: batch[1], keep_prob: 1.0})
        print('step %d, training accuracy %.4f' % (i, train_accuracy))
    train_step.run(feed_dict={x: batch[0], y_: batch[1], keep_prob: 0.5})

print('test accuracy %.4f' % accuracy.eval(feed_dict={
    x: mnist.test.images, y_: mnist.test.labels, keep_prob: 1.0}))
