"""What is too little data to train on, or to make outliers from, is said in a sentence."""
import argparse

import numpy as np
import pytest

import mnist_cnn
import mnist_softmax
from digits import input_data
from digits.datasets import outliers
from digits.errors import UserError


def load(folder, size):
    return input_data.load(argparse.Namespace(
        data_dir=str(folder), dataset='mnist', seed=0, quiet=True, validation_size=size))


def test_the_permitted_range_of_validation_size_is_named_and_right(small_dir):
    with pytest.raises(UserError, match='from 0 to 5,9') as caught:
        load(small_dir, 6000)
    most = int(str(caught.value).split('from 0 to ')[1].split(', so')[0].replace(',', ''))
    assert set(load(small_dir, most).train.labels) == set(range(10))
    with pytest.raises(UserError, match=f'--validation-size {most + 1}: give'):
        load(small_dir, most + 1)
    made = load(small_dir, most).train
    outliers.add(made, 60)  # as few digits as that are enough
    assert made.num_examples == 6000 - most + 60


@pytest.mark.parametrize('lesson', [mnist_softmax, mnist_cnn])
@pytest.mark.parametrize('size', [5999, 6000, 6001, 1000000])
def test_every_script_says_it(small_dir, tmp_path, lesson, size):
    with pytest.raises(UserError, match='--validation-size .*from 0 to 5,9'):
        lesson.main(['--validation-size', str(size), '--batch-size', '1', '--data-dir',
                     str(small_dir), '--run-dir', str(tmp_path / 'run')])
    assert not (tmp_path / 'run').exists()


def test_digits_of_two_kinds_make_no_outliers():
    images, labels = np.zeros([4, 784], np.uint8), np.array([0, 1, 0, 1])
    with pytest.raises(UserError, match='set OUTLIERS to 0'):
        outliers.make(images, labels, 60)
    assert outliers.make(images, labels, 0).shape == (0, 28, 28)
