"""As many outliers as one likes: memory for the images themselves, and a sign of life."""
import subprocess
import sys

import numpy as np
import pytest

from digits import paths
from digits.datasets import outliers, strokes
from digits.datasets.dataset import DataSet


@pytest.fixture(scope='module')
def digits():
    return strokes.make(300, seed=2)


def dataset(digits):
    return DataSet(digits[0][..., np.newaxis], digits[1])


def test_up_to_a_part_the_images_are_those_of_make(digits):
    train = dataset(digits)
    outliers.add(train, 60)
    np.testing.assert_array_equal(
        train._added.reshape(-1, 28, 28), outliers.make(*digits, 60))
    assert train.num_examples == 360


def test_more_are_made_in_parts_all_different(digits, monkeypatch):
    monkeypatch.setattr(outliers, 'PART', 60)
    train = dataset(digits)
    outliers.add(train, 150)
    made = train._added.reshape(-1, 28, 28)
    np.testing.assert_array_equal(made[:60], outliers.make(*digits, 60))
    assert (made[60:120] != made[:60]).any() and made[120:].any(axis=(1, 2)).all()
    assert (train.labels[300:] == outliers.NO_DIGIT).all() and train.num_examples == 450


MANY = """if True:
    import resource, sys
    import numpy as np
    from digits.datasets import outliers, strokes
    from digits.datasets.dataset import DataSet
    outliers.make = lambda images, labels, count, seed: np.full([count, 28, 28], seed, np.uint8)
    train = DataSet(np.zeros([100, 28, 28, 1], np.uint8), np.zeros(100, np.uint8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outliers.add(train, 500000)
    print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='ru_maxrss has other units')
def test_memory_is_that_of_the_images():
    """784 bytes each, and a label; not twice that."""
    result = subprocess.run([sys.executable, '-c', MANY], cwd=str(paths.PROJECT_ROOT), text=True,
                            capture_output=True, check=True)
    assert int(result.stdout) < 1.1 * 500000 * 784
