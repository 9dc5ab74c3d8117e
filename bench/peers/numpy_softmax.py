"""Softmax regression in plain NumPy: seconds per step of 100 images, including indexing the batch.

$ python bench/peers/numpy_softmax.py
"""
import argparse
import json
import time

import mnist
import numpy as np


def main():
    """Train, time the steps after the warm-up, score the test set, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--steps', type=int, default=20000)
    parser.add_argument('--warm-up', type=int, default=1000)
    parser.add_argument('--batch-size', type=int, default=100)
    args = parser.parse_args()
    (images, labels), (test_images, test_labels) = mnist.load()
    X, y = mnist.scaled(images), np.eye(10, dtype=np.float32)[labels]
    W, b = np.zeros([784, 10], np.float32), np.zeros(10, np.float32)
    random = np.random.RandomState(0)
    per_epoch = len(X) // args.batch_size

    for step in range(-args.warm_up, args.steps):
        if step == 0:
            started = time.perf_counter()
        if (step + args.warm_up) % per_epoch == 0:
            order = random.permutation(len(X))
        start = (step + args.warm_up) % per_epoch * args.batch_size
        batch = order[start:start + args.batch_size]
        images = X[batch]
        z = images @ W + b
        h = np.exp(z - z.max(axis=1, keepdims=True))
        h /= h.sum(axis=1, keepdims=True)
        error = (h - y[batch]) / args.batch_size
        W -= 0.5 * (images.T @ error)
        b -= 0.5 * error.sum(axis=0)
    seconds = time.perf_counter() - started

    accuracy = np.mean((mnist.scaled(test_images) @ W + b).argmax(axis=1) == test_labels)
    print(json.dumps({'seconds_per_step': seconds / args.steps, 'test_accuracy': accuracy}))


if __name__ == '__main__':
    main()
