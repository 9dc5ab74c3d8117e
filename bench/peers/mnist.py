"""MNIST for the other frameworks, independent of this project.

    (images, labels), (test_images, test_labels) = mnist.load()
"""
import gzip
import os
from pathlib import Path

import numpy as np

FOLDER = os.environ.get('MNIST_DATA_DIR') or Path(__file__).resolve().parents[2] / 'data'


def load(skip=5000):
    """Training images without the first `skip`, and test images: uint8 [n, 784], labels [n]."""
    return ((_read('train-images-idx3', 16).reshape(-1, 784)[skip:],
             _read('train-labels-idx1', 8)[skip:]),
            (_read('t10k-images-idx3', 16).reshape(-1, 784), _read('t10k-labels-idx1', 8)))


def _read(name, header):
    with gzip.open(str(Path(FOLDER, name + '-ubyte.gz'))) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def scaled(images):
    """The same images as float32 in [0, 1]."""
    return images.astype(np.float32) / 255
