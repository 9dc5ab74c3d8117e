"""Recurrent: an LSTM, written out, reads an image's 28 rows one after the other."""
import tensorflow as tf
from tensorflow.examples.tutorials.mnist import input_data

tf.set_random_seed(2017)
mnist = input_data.read_data_sets('MNIST_data', one_hot=True, validation_size=500, seed=3)

# Training Parameters
learning_rate = 0.005
training_steps = 300
batch_size = 100
display_step = 50

# Network Parameters
num_input = 28  # MNIST data input (img shape: 28*28)
timesteps = 28  # timesteps
num_hidden = 64  # hidden layer num of features
num_classes = 10  # MNIST total classes (0-9 digits)

X = tf.placeholder('float', [None, timesteps, num_input])
Y = tf.placeholder('float', [None, num_classes])

W = tf.Variable(tf.truncated_normal([num_input + num_hidden, 4 * num_hidden], stddev=0.1, seed=1))
b = tf.Variable(tf.zeros([4 * num_hidden]))
W_out = tf.Variable(tf.truncated_normal([num_hidden, num_classes], stddev=0.1, seed=2))
b_out = tf.Variable(tf.zeros([num_classes]))


def RNN(x):
    h = c = tf.zeros([tf.shape(x)[0], num_hidden])
    for row in tf.unstack(x, timesteps, 1):
        i, j, f, o = tf.split(tf.matmul(tf.concat([row, h], 1), W) + b, 4, axis=1)
        c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
        h = tf.tanh(c) * tf.sigmoid(o)
    return tf.matmul(h, W_out) + b_out


logits = RNN(X)
prediction = tf.nn.softmax(logits)
loss_op = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=Y))
train_op = tf.train.AdamOptimizer(learning_rate).minimize(loss_op)
correct_pred = tf.equal(tf.argmax(prediction, 1), tf.argmax(Y, 1))
accuracy = tf.reduce_mean(tf.cast(correct_pred, tf.float32))

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for step in range(1, training_steps + 1):
        batch_x, batch_y = mnist.train.next_batch(batch_size)
        batch_x = batch_x.reshape((batch_size, timesteps, num_input))
        sess.run(train_op, feed_dict={X: batch_x, Y: batch_y})
        if step % display_step == 0 or step == 1:
            loss, acc = sess.run([loss_op, accuracy], feed_dict={X: batch_x, Y: batch_y})
            print('Step ' + str(step) + ', Minibatch Loss= ' + '{:.4f}'.format(loss) +
                  ', Training Accuracy= ' + '{:.3f}'.format(acc))
    print('Optimization Finished!')

    test_data = mnist.test.images.reshape((-1, timesteps, num_input))
    print('Testing Accuracy: %.4f' % sess.run(
        accuracy, feed_dict={X: test_data, Y: mnist.test.labels}))
