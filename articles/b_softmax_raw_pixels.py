"""Article B's twin: softmax regression by full-batch gradient descent on raw pixels, 0 to 255."""
import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)  # where digits/ is
from digits import input_data
from digits.tensorflow_v1 import tf

ARTICLE = 0.9092  # its training accuracy: a matter of chance, for the loss wanders


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-dir', default=os.environ.get('MNIST_DATA_DIR') or ROOT + '/data')
    parser.add_argument('--epochs', type=int, default=1000, help='steps with all images (1000)')
    parser.add_argument('--learning-rate', type=float, default=0.01)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    try:
        mnist = input_data.read_data_sets(args.data_dir, one_hot=True, dtype=tf.uint8,
                                          validation_size=0, seed=args.seed)
    except ValueError as error:  # a sentence: which file is missing or damaged
        parser.error(str(error))
    train_images = mnist.train.images.astype('float32')  # [60000, 784], not scaled
    train_labels = mnist.train.labels.astype('float32')

    tf.set_random_seed(args.seed)
    X = tf.placeholder(tf.float32, [None, 784])
    Y = tf.placeholder(tf.float32, [None, 10])
    W = tf.Variable(tf.random_normal([784, 10]), name='W')
    b = tf.Variable(tf.random_normal([10]), name='b')
    logits = tf.matmul(X, W) + b
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=Y, logits=logits))
    train = tf.train.GradientDescentOptimizer(args.learning_rate).minimize(loss)
    accuracy = tf.reduce_mean(
        tf.cast(tf.equal(tf.argmax(logits, 1), tf.argmax(Y, 1)), tf.float32))

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        above = 0
        for epoch in range(args.epochs):
            # Loss and accuracy are those before the epoch's step.
            _, loss_val, acc_val = sess.run([train, loss, accuracy],
                                            {X: train_images, Y: train_labels})
            above += acc_val > ARTICLE
            if epoch % 10 == 0:
                print('Epoch: %d, Loss: %f, Accuracy: %.4f' % (epoch, loss_val, acc_val))
        print('epochs above %.4f: %d of %d' % (ARTICLE, above, args.epochs))
        print('training accuracy: %.4f' % sess.run(accuracy, {X: train_images, Y: train_labels}))
        test_accuracy = sess.run(accuracy, {X: mnist.test.images, Y: mnist.test.labels})
    print('test accuracy: %.4f' % test_accuracy)


if __name__ == '__main__':
    main()
