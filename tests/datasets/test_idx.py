"""IDX files in every form that is read, and files that are not what they say."""
import gzip
import zlib

import numpy as np
import pytest
from gzipped_idx import write_gzipped

from digits import input_data
from digits.datasets import idx
from digits.errors import UserError


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('gzipped')
    write_gzipped(folder)
    return folder


def test_plain_files_and_prefixed_names_read_the_same(folder, tmp_path):
    expected = idx.read_folder(folder)
    idx.write_folder(tmp_path, expected)
    for name in idx.NAMES:
        (tmp_path / name).rename(tmp_path / f'emnist-digits-{name}')
    for array, other in zip(expected, idx.read_folder(tmp_path)):
        np.testing.assert_array_equal(array, other)
    for name in idx.NAMES:
        (tmp_path / f'emnist-mnist-{name}').write_bytes(b'')
    with pytest.raises(UserError, match='several data sets'):
        idx.read_folder(tmp_path)


def test_an_unzipped_file_that_kept_its_gz_name_is_read(folder, tmp_path):
    """Some browsers unpack what they download and leave the name as it was."""
    write_gzipped(tmp_path)
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    path.write_bytes(gzip.decompress(path.read_bytes()))
    np.testing.assert_array_equal(idx.read_images(path), idx.read_folder(folder)[0])


def regzip(change):
    return lambda data: gzip.compress(change(gzip.decompress(data)))


def header(*numbers):
    return np.array(numbers, '>u4').tobytes()


DAMAGE = {
    'wrong magic': (regzip(lambda raw: header(2049) + raw[4:]), 'Invalid magic number 2049'),
    'short header': (regzip(lambda raw: raw[:9]), 'cut short in its header'),
    'empty': (lambda data: b'', 'cut short in its header'),
    'truncated inside': (regzip(lambda raw: raw[:-1]), r'cut short, 165423 of 165424 bytes'),
    'truncated gzip': (lambda data: data[:len(data) // 2], 'cut short'),
    'checksum missing': (lambda data: data[:-8], 'cut short'),
    'trailing bytes': (regzip(lambda raw: raw + b'x'), 'has data after'),
    'trailing after gzip': (lambda data: data + b'x', 'has data after'),
    'gzip damage': (lambda data: data[:5000] + b'\0\0\0\0' + data[5004:], 'gzip data are damaged'),
    'checksum wrong': (lambda data: data[:-8] + b'\0\0\0\0' + data[-4:], 'gzip data are damaged'),
    'promises too much': (regzip(lambda raw: header(2051, 2 ** 31, 28, 28) + raw[16:]),
                          'its header gives'),
    'web page': (lambda data: b'\n<!DOCTYPE html><title>404</title>', 'a web page was saved'),
    'plain, truncated': (lambda data: gzip.decompress(data)[:-1], 'cut short'),
    'plain, trailing': (lambda data: gzip.decompress(data) + b'x', 'has data after'),
    'other count': (regzip(lambda raw: header(2051, 210, 28, 28) + raw[16:-784]),
                    '210 training images but 211 labels'),
}


@pytest.mark.parametrize('damage', DAMAGE)
def test_a_damaged_file_is_named_in_one_sentence(tmp_path, damage):
    write_gzipped(tmp_path)
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    change, words = DAMAGE[damage]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=words) as caught:
        input_data.read_data_sets(str(tmp_path), validation_size=11)
    assert str(path if damage != 'other count' else tmp_path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_bomb_is_read_no_further_than_its_header_promises(tmp_path):
    """256 MB of zeros behind an honest header: more than the promised bytes are never unpacked."""
    write_gzipped(tmp_path)
    path = tmp_path / 'train-images-idx3-ubyte.gz'
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = [squeeze.compress(header(2051, 211, 28, 28))]
    megabytes = bytes(2 ** 24)
    bomb += [squeeze.compress(megabytes) for _ in range(16)]
    path.write_bytes(b''.join(bomb) + squeeze.flush())

    import tracemalloc
    tracemalloc.start()
    with pytest.raises(UserError, match='has data after the 165424 bytes'):
        idx.read_images(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 ** 21


def test_labels_out_of_range_and_missing_files(tmp_path):
    write_gzipped(tmp_path)
    path = tmp_path / 't10k-labels-idx1-ubyte.gz'
    path.write_bytes(gzip.compress(header(2049, 53) + b'\x0a' * 53))
    with pytest.raises(UserError, match='a label is 10, but digits are 0 to 9'):
        input_data.read_data_sets(str(tmp_path), validation_size=11)
    with pytest.raises(UserError, match='Validation size should be between 0 and 211'):
        path.write_bytes(gzip.compress(header(2049, 53) + bytes(53)))
        input_data.read_data_sets(str(tmp_path))
    with pytest.raises(UserError, match='has no file train-images-idx3-ubyte'):
        idx.read_folder(tmp_path / 'empty')


@pytest.mark.parametrize(('bytes_more', 'words'), [(-1, 'cut short'), (1, 'has data after')])
def test_images_on_disk_have_the_size_that_their_header_promises(tmp_path, monkeypatch,
                                                                bytes_more, words):
    path = tmp_path / 'train-images-idx3-ubyte'
    path.write_bytes(np.array([2051, 50, 28, 28], '>u4').tobytes()
                     + bytes(50 * 28 * 28 + bytes_more))
    monkeypatch.setattr(idx, 'MIN_BYTES_ON_DISK', 1000)
    with pytest.raises(UserError, match=words):
        idx.read_images(path)
