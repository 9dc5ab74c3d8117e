"""Xavier: get_variable with tf.contrib's initializer and regularizer, a decayed learning rate."""
import tensorflow as tf
from tensorflow.examples.tutorials.mnist import input_data

tf.set_random_seed(777)  # reproducibility
mnist = input_data.read_data_sets('MNIST_data', one_hot=True, reshape=False, seed=17)

X = tf.placeholder(tf.float32, [None, 28, 28, 1])
Y = tf.placeholder(tf.float32, [None, 10])
keep_prob = tf.placeholder(tf.float32)

regularizer = tf.contrib.layers.l2_regularizer(scale=1e-4)
initializer = tf.contrib.layers.xavier_initializer(seed=1)
W1 = tf.get_variable('W1', shape=[784, 128], initializer=initializer, regularizer=regularizer)
b1 = tf.Variable(tf.random_normal([128], seed=2))
L1 = tf.nn.relu(tf.matmul(tf.contrib.layers.flatten(X), W1) + b1)
L1 = tf.nn.dropout(L1, keep_prob=keep_prob, seed=3)
W2 = tf.get_variable('W2', shape=[128, 10], regularizer=regularizer,
                     initializer=tf.contrib.layers.variance_scaling_initializer(seed=4))
b2 = tf.Variable(tf.random_normal([10], seed=5))
hypothesis = tf.matmul(L1, W2) + b2

cost = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=hypothesis, labels=Y))
cost += tf.add_n(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES))
global_step = tf.Variable(0, trainable=False)
learning_rate = tf.train.exponential_decay(0.003, global_step, 86, 0.8)
optimizer = tf.train.AdamOptimizer(learning_rate).minimize(cost, global_step=global_step)

sess = tf.Session()
sess.run(tf.global_variables_initializer())
for epoch in range(4):
    avg_cost = 0
    total_batch = int(mnist.train.num_examples / 64)
    for i in range(total_batch):
        batch_xs, batch_ys = mnist.train.next_batch(64)
        feed_dict = {X: batch_xs, Y: batch_ys, keep_prob: 0.7}
        c, _ = sess.run([cost, optimizer], feed_dict=feed_dict)
        avg_cost += c / total_batch
    print('Epoch:', '%04d' % (epoch + 1), 'cost =', '{:.6f}'.format(avg_cost))

correct_prediction = tf.equal(tf.argmax(hypothesis, 1), tf.argmax(Y, 1))
accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
print('Accuracy:', sess.run(accuracy, feed_dict={
    X: mnist.test.images, Y: mnist.test.labels, keep_prob: 1}))
