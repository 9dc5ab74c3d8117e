"""A small data set in gzipped IDX files, written without digits.datasets.idx."""
import gzip

import numpy as np


def write_gzipped(folder):
    random = np.random.RandomState(0)
    for part, count in (('train', 211), ('t10k', 53)):
        images = random.randint(0, 256, (count, 28, 28)).astype('u1')
        labels = random.randint(0, 10, count).astype('u1')
        header = np.array([2051, count, 28, 28], '>u4').tobytes()
        (folder / f'{part}-images-idx3-ubyte.gz').write_bytes(
            gzip.compress(header + images.tobytes()))
        header = np.array([2049, count], '>u4').tobytes()
        (folder / f'{part}-labels-idx1-ubyte.gz').write_bytes(
            gzip.compress(header + labels.tobytes()))
