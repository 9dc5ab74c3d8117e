"""Article E: a CNN that is trained, watched, saved; --predict N restores it and looks into it."""
import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)  # where digits/ is
from digits import input_data  # isort: skip: it says what is missing
import numpy as np
from matplotlib.image import imsave

from digits.tensorflow_v1 import tf


def variables(name, shape, stddev=0.1):
    W = tf.Variable(tf.truncated_normal(shape, stddev=stddev), name=name + '/W')
    tf.summary.histogram(name + '/weights', W)
    return W, tf.Variable(tf.constant(0.1, shape=shape[-1:]), name=name + '/b')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-dir', default=os.environ.get('MNIST_DATA_DIR') or ROOT + '/data')
    parser.add_argument('--log-dir', default=ROOT + '/runs/articles/e_cnn_checkpoints')
    parser.add_argument('--steps', type=int, default=10000, help='of 50, one at least (10000)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--predict', type=int, metavar='N', help='restore, and read test image N')
    args = parser.parse_args()
    try:
        mnist = input_data.read_data_sets(args.data_dir, one_hot=True, seed=args.seed)
        image = mnist.test.images[[args.predict or 0]]
    except (ValueError, IndexError) as error:  # a sentence: what is missing, damaged, too large
        parser.error(str(error))
    tf.set_random_seed(args.seed)
    x, t = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
    keep_prob = tf.placeholder_with_default(1.0, [])
    (W1, b1), (W2, b2) = variables('conv1', [5, 5, 1, 32]), variables('conv2', [5, 5, 32, 64])
    h_conv1 = tf.nn.conv2d(tf.reshape(x, [-1, 28, 28, 1]), W1, [1, 1, 1, 1], 'SAME')
    h_relu1 = tf.nn.relu(h_conv1 + b1)
    h_conv2 = tf.nn.conv2d(tf.nn.max_pool2d(h_relu1, 2, 2, 'SAME'), W2, [1, 1, 1, 1], 'SAME')
    h_pool2 = tf.nn.max_pool2d(tf.nn.relu(h_conv2 + b2), 2, 2, 'SAME')
    W3, b3 = variables('fc1', [7 * 7 * 64, 1024], 1.0)  # the article names no stddev here
    h_fc1 = tf.nn.relu(tf.matmul(tf.reshape(h_pool2, [-1, 7 * 7 * 64]), W3) + b3)
    W4, b4 = variables('fc2', [1024, 10], 0.0)
    logits = tf.matmul(tf.nn.dropout(h_fc1, rate=1 - keep_prob), W4) + b4
    loss = tf.losses.softmax_cross_entropy(t, logits)
    train_step = tf.train.AdamOptimizer(0.0001).minimize(loss)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), tf.argmax(t, 1)), tf.float32))
    tf.summary.scalar('loss', loss)
    tf.summary.scalar('accuracy', accuracy)
    saver, merged, path = tf.train.Saver(), tf.summary.merge_all(), args.log_dir + '/cnn_session'
    with tf.Session() as sess:
        if args.predict is None:
            writer = tf.summary.FileWriter(args.log_dir, sess.graph)
            sess.run(tf.global_variables_initializer())
            for i in range(1, max(args.steps, 1) + 1):
                xs, ts = mnist.train.next_batch(50)
                sess.run(train_step, {x: xs, t: ts, keep_prob: 0.5})
                if i % 100 == 0:
                    writer.add_summary(sess.run(merged, {x: xs, t: ts}), i)
                if i % 500 == 0 or i >= args.steps:
                    X, T = mnist.test.images, mnist.test.labels  # at once they need gigabytes
                    loss_val, acc_val = np.mean([sess.run(
                        [loss, accuracy], {x: X[c::4], t: T[c::4]}) for c in range(4)], axis=0)
                    print('Step: %d, Loss: %f, Accuracy: %f' % (i, loss_val, acc_val))
                    saver.save(sess, path)
            writer.close()
            print('test accuracy: %.4f' % acc_val)
        elif os.path.exists(path + '.index'):
            saver.restore(sess, path)
            p, maps = sess.run([tf.nn.softmax(logits), [h_conv1, h_relu1]], {x: image})
            print('\n'.join('%d: %.6f' % (digit, p[0, digit]) for digit in range(10)))
            rows = np.reshape(maps, [2, 28, 28, 2, 16]).transpose(0, 3, 1, 4, 2).reshape(112, 448)
            imsave(args.log_dir + '/feature_maps.png', np.kron(rows, np.ones([3, 3])), cmap='gray')
        else:
            parser.error('no %s yet: train first, without --predict' % path)


if __name__ == '__main__':
    main()
