"""The classic module's name, for old scripts; the code is in digits/datasets/.

    from digits import input_data
    mnist = input_data.read_data_sets('data', one_hot=True, seed=1)
    images, labels = mnist.train.next_batch(100)
"""
from digits.datasets.dataset import DEFAULT_SOURCE_URL, DataSet, Datasets, read_data_sets
from digits.datasets.loading import load

__all__ = ['DEFAULT_SOURCE_URL', 'DataSet', 'Datasets', 'load', 'read_data_sets']
