"""Article D: softmax regression watched in TensorBoard, each run in a log folder with its date."""
import argparse
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)  # where digits/ is
from digits import input_data
from digits.tensorflow_v1 import tf

learning_rate = 0.01
batch_size = 128


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-dir', default=os.environ.get('MNIST_DATA_DIR') or ROOT + '/data')
    parser.add_argument('--log-dir', default=ROOT + '/runs/articles/d_softmax_tensorboard',
                        help='a folder run-YYYYMMDDHHMM is made here')
    parser.add_argument('--epochs', type=int, default=30, help='of minibatches of 128 (30)')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    try:
        mnist = input_data.read_data_sets(args.data_dir, one_hot=True, seed=args.seed)
    except ValueError as error:  # a sentence: which file is missing or damaged
        parser.error(str(error))

    tf.set_random_seed(args.seed)
    with tf.name_scope('input'):  # without scopes the graph in TensorBoard is hard to read
        X = tf.placeholder(tf.float32, [None, 784], name='X_placeholder')
        Y = tf.placeholder(tf.float32, [None, 10], name='Y_placeholder')
    with tf.name_scope('softmax'):
        w = tf.Variable(tf.random_normal([784, 10], stddev=0.01), name='weights')
        b = tf.Variable(tf.zeros([10]), name='bias')
        logits = tf.matmul(X, w) + b
    with tf.name_scope('loss'):
        entropy = tf.nn.softmax_cross_entropy_with_logits_v2(labels=Y, logits=logits)
        loss = tf.reduce_mean(entropy)
    with tf.name_scope('train'):
        optimizer = tf.train.GradientDescentOptimizer(learning_rate).minimize(loss)
    with tf.name_scope('accuracy'):
        correct_preds = tf.equal(tf.argmax(logits, 1), tf.argmax(Y, 1))
        accuracy = tf.reduce_mean(tf.cast(correct_preds, tf.float32))

    log_dir = os.path.join(args.log_dir, time.strftime('run-%Y%m%d%H%M'))
    writer = tf.summary.FileWriter(log_dir, tf.get_default_graph())
    with tf.Session() as sess:
        start_time = time.time()
        sess.run(tf.global_variables_initializer())
        n_batches = int(mnist.train.num_examples / batch_size)
        for epoch in range(args.epochs):
            total_loss = 0
            for _ in range(n_batches):
                X_batch, Y_batch = mnist.train.next_batch(batch_size)
                _, loss_batch = sess.run([optimizer, loss], {X: X_batch, Y: Y_batch})
                total_loss += loss_batch
            average_loss = total_loss / n_batches
            print('Average loss epoch %d: %.5f' % (epoch, average_loss))
            writer.add_summary(tf.Summary(value=[
                tf.Summary.Value(tag='average_loss', simple_value=average_loss)]), epoch)
        print('Total time: %.2f seconds' % (time.time() - start_time))
        test_accuracy = sess.run(accuracy, {X: mnist.test.images, Y: mnist.test.labels})
    writer.close()
    print('test accuracy: %.4f' % test_accuracy)


if __name__ == '__main__':
    main()
