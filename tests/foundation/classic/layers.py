"""Layers: tf.layers with batch normalization, whose averages UPDATE_OPS move, and dropout."""
import tensorflow as tf
from tensorflow.examples.tutorials.mnist import input_data

mnist = input_data.read_data_sets('MNIST_data', one_hot=True, reshape=False, seed=13)
tf.set_random_seed(13)

X = tf.placeholder(tf.float32, [None, 28, 28, 1])
Y = tf.placeholder(tf.float32, [None, 10])
is_training = tf.placeholder(tf.bool)


def init(seed):
    return tf.contrib.layers.xavier_initializer(seed=seed)


def network(x, reuse):
    with tf.variable_scope('ConvNet', reuse=reuse):
        conv1 = tf.layers.conv2d(x, 8, 5, activation=tf.nn.relu, padding='same',
                                 kernel_initializer=init(1))
        pool1 = tf.layers.max_pooling2d(conv1, 2, 2)
        conv2 = tf.layers.conv2d(pool1, 16, [3, 3], use_bias=False, kernel_initializer=init(2))
        conv2 = tf.layers.batch_normalization(conv2, training=is_training, momentum=0.9)
        pool2 = tf.layers.max_pooling2d(inputs=tf.nn.relu(conv2), pool_size=[2, 2], strides=2)
        fc1 = tf.layers.dense(tf.layers.flatten(pool2), 64, activation=tf.nn.relu,
                              kernel_initializer=init(3))
        fc1 = tf.layers.dropout(fc1, rate=0.25, training=is_training, seed=4)
        return tf.layers.dense(fc1, 10, kernel_initializer=init(5))


logits = network(X, reuse=False)
same_logits = network(X, reuse=True)
loss_op = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=Y))
update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope='ConvNet/batch')
with tf.control_dependencies(update_ops):
    train_op = tf.train.AdamOptimizer(learning_rate=0.003).minimize(loss_op)
correct_pred = tf.equal(tf.argmax(logits, 1), tf.argmax(Y, 1))
accuracy = tf.reduce_mean(tf.cast(correct_pred, tf.float32))

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for step in range(1, 121):
        batch_x, batch_y = mnist.train.next_batch(64)
        sess.run(train_op, feed_dict={X: batch_x, Y: batch_y, is_training: True})
        if step % 40 == 0:
            loss = sess.run(loss_op, feed_dict={X: batch_x, Y: batch_y, is_training: False})
            print('Step %d, Minibatch Loss= %.4f' % (step, loss))
    test = {X: mnist.test.images, Y: mnist.test.labels, is_training: False}
    print('Variables:', len(tf.trainable_variables()), 'Update ops:', len(update_ops))
    print('Reused: %.4f' % abs(sess.run(logits - same_logits, feed_dict=test)).max())
    print('Testing Accuracy: %.4f' % sess.run(accuracy, feed_dict=test))
