"""The sigmoid layer as its tutorial wrote it: float64 weights on uint8 pixels.

$ python bench/peers/article_b.py

It starts from the same weights as mnist_numpy_sigmoid.py with the same --seed.
"""
import argparse
import json
import time

STARTED = time.perf_counter()

import mnist  # noqa: E402
import numpy as np  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--seed', type=int, default=0)
parser.add_argument('--epochs', type=int, help='instead of stopping over 0.80')
args = parser.parse_args()

(X, labels), (test_X, test_labels) = mnist.load(skip=0)
y = np.eye(10)[labels]
random = np.random.RandomState(args.seed)
# To float32 and back, as mnist_numpy_sigmoid.py has them: the same start needs the same epochs.
W = random.uniform(-1, 1, [784, 10]).astype(np.float32).astype(np.float64)
b = random.uniform(-1, 1, 10).astype(np.float32).astype(np.float64)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


started = time.perf_counter()
np.seterr(over='ignore')
for epoch in range(args.epochs or 100):
    h = sigmoid(X @ W + b)
    clipped = np.clip(h, 1e-15, 1 - 1e-15)
    loss = -np.mean(y * np.log(clipped) + (1 - y) * np.log(1 - clipped))
    accuracy = np.mean(h.argmax(axis=1) == labels)
    if epoch % 10 == 0:
        print(epoch, accuracy, loss)
    if accuracy > 0.80 and not args.epochs:
        break
    W -= 0.1 * (X.T @ (h - y))
    b -= 0.1 * np.mean(h - y, axis=0)
seconds = time.perf_counter() - started
print(epoch, accuracy, loss)
test_accuracy = np.mean(sigmoid(test_X @ W + b).argmax(axis=1) == test_labels)
print(json.dumps({'seconds_per_step': seconds / (epoch + 1), 'epochs': epoch + 1,
                  'test_accuracy': test_accuracy, 'seconds': time.perf_counter() - STARTED}))
