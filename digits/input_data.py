"""The classic module's name, `from digits import input_data`, for scripts of old: read_data_sets.

    mnist = input_data.read_data_sets('data', one_hot=True, seed=1)
    images, labels = mnist.train.next_batch(100)

The code is in digits/datasets/.
"""
from digits.datasets.dataset import DEFAULT_SOURCE_URL, DataSet, Datasets, load, read_data_sets

__all__ = ['DEFAULT_SOURCE_URL', 'DataSet', 'Datasets', 'load', 'read_data_sets']
