"""Softmax regression in scikit-learn, to about the test accuracy of mnist_softmax.py.

$ python bench/peers/sklearn_softmax.py
"""
import argparse
import json
import time
import warnings

import mnist
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression


def main():
    """Fit, score the test set, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--iterations', type=int, default=25)
    args = parser.parse_args()
    (images, labels), (test_images, test_labels) = mnist.load()
    images, test_images = mnist.scaled(images), mnist.scaled(test_images)
    model = LogisticRegression(max_iter=args.iterations)  # by L-BFGS, the usual solver
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)  # it stops where ours does
        model.fit(images, labels)
    seconds = time.perf_counter() - started
    accuracy = np.mean(model.predict(test_images) == test_labels)
    print(json.dumps({'fit_seconds': seconds, 'test_accuracy': accuracy}))


if __name__ == '__main__':
    main()
