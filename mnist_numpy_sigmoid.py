"""One layer of ten sigmoids in NumPy alone: every gradient written out, 7,850 parameters.

$ python mnist_numpy_sigmoid.py
epoch  accuracy  loss
    0    0.0823  14.68
   10    0.4772  2.17
   20    0.7723  2.15
   30    0.7646  1.45
   40    0.7895  1.66
   44    0.8013  1.83
test accuracy: 0.8085

It stops once that accuracy exceeds 0.80, or after 100 epochs; --epochs 100 does not stop early.
"""
from digits import command_line, input_data, training  # isort: skip: it says what is missing

import numpy as np


def inference(images, W, b):
    """Logits [n, 10] of images [n, 784] with raw pixels, 0 to 255."""
    return np.asarray(images, np.float32) @ W + b


def sigmoid(z):
    """1 / (1 + exp(-z)), in float64: in float32 everything over z = 17 would be exactly 1."""
    with np.errstate(over='ignore'):  # below z = -709 exp is inf, and 1 / inf = 0 is right
        return 1 / (1 + np.exp(-z.astype(np.float64)))


def cross_entropy(h, y):
    """Binary cross-entropy of outputs h and one-hot y, both [n, 10], averaged over all of them."""
    h = np.clip(h, 1e-15, 1 - 1e-15)  # log(0) is minus infinity
    return -np.mean(np.log(np.where(y, h, 1 - h)))


def gradients(X, h, y):
    """Article B's steps: for W [784, 10] a sum over the n images, for b [10] a mean.

    That is 10 n and 10 times the gradient of cross_entropy: W learns n times as fast as b.
    """
    error = (h - y).astype(np.float32)  # the derivative by z: sigmoid and logarithm cancel out
    return X.T @ error, error.mean(axis=0)


def main(argv=None):
    """Train and score; returns the test accuracy."""
    parser = training.parser(__file__, __doc__, learning_rate=0.1, precision=None)
    parser.set_defaults(validation_size=0)  # all 60,000 images to train on
    args = training.parse_args(parser, argv)
    mnist = input_data.load(args, dtype=np.uint8)
    X, labels = mnist.train.images.astype(np.float32), mnist.train.labels
    y = np.eye(10)[labels]
    random = np.random.RandomState(args.seed)
    W = random.uniform(-1, 1, [784, 10]).astype(np.float32)
    b = random.uniform(-1, 1, 10).astype(np.float32)

    def loss(logits, labels):
        return cross_entropy(sigmoid(logits), np.eye(10)[labels])

    length = args.epochs or args.steps  # if given, it does not stop early
    with training.array_run(args, mnist, {'W': W, 'b': b}, inference, loss, length or 100) as run:
        run.print('epoch  accuracy  loss')
        for epoch in run.remaining_steps():
            h = sigmoid(inference(X, W, b))
            run.loss = cross_entropy(h, y)
            run.training_accuracy = np.mean(h.argmax(axis=1) == labels)  # the first of equals
            passed = run.training_accuracy > 0.80 and not length
            if epoch % 10 == 0 or passed or epoch + 1 == run.total_steps:
                run.print(f'{epoch:5}  {run.training_accuracy:8.4f}  {run.loss:.2f}')
            if passed:
                break
            dW, db = gradients(X, h, y)
            W -= args.learning_rate * dW
            b -= args.learning_rate * db
        return run.finish()


if __name__ == '__main__':
    command_line.run(main)
