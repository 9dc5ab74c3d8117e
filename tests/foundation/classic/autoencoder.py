"""Autoencoder: 784 pixels to 64 numbers and back, labels unused, RMSProp."""
import tensorflow as tf
from tensorflow.examples.tutorials.mnist import input_data

tf.set_random_seed(42)  # read_data_sets shuffles by it, too
mnist = input_data.read_data_sets('MNIST_data')

learning_rate = 0.01
num_steps = 600
batch_size = 128
display_step = 100
num_hidden_1 = 128
num_hidden_2 = 64
num_input = 784

X = tf.placeholder('float', [None, num_input])

weights = {
    'encoder_h1': tf.Variable(tf.random_normal([num_input, num_hidden_1], stddev=.1, seed=1)),
    'encoder_h2': tf.Variable(tf.random_normal([num_hidden_1, num_hidden_2], stddev=.1, seed=2)),
    'decoder_h1': tf.Variable(tf.random_normal([num_hidden_2, num_hidden_1], stddev=.1, seed=3)),
    'decoder_h2': tf.Variable(tf.random_normal([num_hidden_1, num_input], stddev=.1, seed=4)),
}
biases = {
    'encoder_b1': tf.Variable(tf.zeros([num_hidden_1])),
    'encoder_b2': tf.Variable(tf.zeros([num_hidden_2])),
    'decoder_b1': tf.Variable(tf.zeros([num_hidden_1])),
    'decoder_b2': tf.Variable(tf.zeros([num_input])),
}


def encoder(x):
    layer_1 = tf.nn.sigmoid(tf.add(tf.matmul(x, weights['encoder_h1']), biases['encoder_b1']))
    return tf.nn.sigmoid(tf.add(tf.matmul(layer_1, weights['encoder_h2']), biases['encoder_b2']))


def decoder(x):
    layer_1 = tf.nn.sigmoid(tf.add(tf.matmul(x, weights['decoder_h1']), biases['decoder_b1']))
    return tf.nn.sigmoid(tf.add(tf.matmul(layer_1, weights['decoder_h2']), biases['decoder_b2']))


y_pred = decoder(encoder(X))
y_true = X  # targets are the input data
loss = tf.reduce_mean(tf.pow(y_true - y_pred, 2))
optimizer = tf.train.RMSPropOptimizer(learning_rate).minimize(loss)

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(1, num_steps + 1):
        batch_x, _ = mnist.train.next_batch(batch_size)
        _, l = sess.run([optimizer, loss], feed_dict={X: batch_x})
        if i % display_step == 0 or i == 1:
            print('Step %i: Minibatch Loss: %.4f' % (i, l))
    print('Epochs completed:', mnist.train.epochs_completed)

    batch_x, batch_y = mnist.test.next_batch(5)
    for label, image, g in zip(batch_y, batch_x, sess.run(y_pred, feed_dict={X: batch_x})):
        print('Digit %d: Error: %.4f' % (label, ((image - g) ** 2).mean()))
    print('Test Loss: %.4f' % sess.run(loss, feed_dict={X: mnist.test.images}))
