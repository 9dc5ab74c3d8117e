"""TensorBoard: softmax regression on labels that are numbers, scalars and histograms on file."""
import tensorflow as tf
from tensorflow.examples.tutorials.mnist import input_data

mnist = input_data.read_data_sets('MNIST_data', one_hot=False, seed=11)
tf.set_random_seed(11)

with tf.name_scope('input'):
    x = tf.placeholder(tf.float32, [None, 784], name='x-input')
    y_ = tf.placeholder(tf.int64, [None], name='y-input')
    tf.summary.image('digits', tf.reshape(x, [-1, 28, 28, 1]), 10)

with tf.name_scope('layer'):
    W = tf.Variable(tf.zeros([784, 10]), name='weights')
    b = tf.Variable(tf.zeros([10]), name='biases')
    y = tf.matmul(x, W) + b
    tf.summary.histogram('weights', W)
    tf.summary.histogram('pre_activations', y)

with tf.name_scope('train'):
    cross_entropy = tf.losses.sparse_softmax_cross_entropy(labels=y_, logits=y)
    train_step = tf.train.GradientDescentOptimizer(0.5).minimize(cross_entropy)

accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(y, 1), y_), tf.float32))
tf.summary.scalar('cross_entropy', cross_entropy)
tf.summary.scalar('accuracy', accuracy)
merged = tf.summary.merge_all()


def feed_dict(train):
    if train:
        xs, ys = mnist.train.next_batch(100, shuffle=False)
    else:
        xs, ys = mnist.validation.images, mnist.validation.labels
    return {x: xs, y_: ys}


with tf.Session() as sess:
    train_writer = tf.summary.FileWriter('logs/train', sess.graph)
    test_writer = tf.summary.FileWriter('logs/validation')
    tf.global_variables_initializer().run()
    for i in range(201):
        if i % 20 == 0:  # Record summaries and validation accuracy
            summary, loss, acc = sess.run([merged, cross_entropy, accuracy],
                                          feed_dict=feed_dict(False))
            test_writer.add_summary(summary, i)
            print('Loss at step %s: %.4f' % (i, loss))
            print('Accuracy at step %s: %.4f' % (i, acc))
        sess.run(train_step, feed_dict=feed_dict(True))
        if i % 20 == 10:
            summary = sess.run(merged, feed_dict=feed_dict(True))
            train_writer.add_summary(summary, i)
    train_writer.close()
    test_writer.close()
    print('Epochs completed: %d' % mnist.train.epochs_completed)
    print('Test accuracy: %.4f' % accuracy.eval(
        feed_dict={x: mnist.test.images, y_: mnist.test.labels}))
