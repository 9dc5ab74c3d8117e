"""Made strokes are kept in the project's data/ or the platform's cache, and nowhere else."""
import argparse

import numpy as np
import pytest

from digits import input_data, paths
from digits.datasets import loading, strokes


@pytest.fixture
def load(tmp_path, monkeypatch):
    """load() -> the training images, of a data folder that the user named; drawn: how often."""
    mine = tmp_path / 'mine'
    mine.mkdir()
    (mine / 'strokes-00000000').mkdir()
    monkeypatch.setattr(paths, 'DATA', tmp_path / 'data')
    monkeypatch.setattr(loading, '_cache_folder', lambda: tmp_path / 'cache')

    def make(count, seed, progress):
        load.drawn += 1
        return np.zeros([count, 28, 28], np.uint8), (np.arange(count) % 10).astype(np.uint8)

    def load():
        found = input_data.load(argparse.Namespace(
            data_dir=str(mine), dataset='strokes', seed=0, quiet=True, validation_size=0))
        assert [path.name for path in mine.iterdir()] == ['strokes-00000000']
        return found.train.pixels
    load.drawn = 0
    monkeypatch.setattr(strokes, 'make', make)
    return load


def test_they_are_kept_in_data_and_those_of_other_versions_removed(load, tmp_path):
    for name in ('strokes-12345678', 'strokes-mine', 'strokes-scaling'):
        (tmp_path / 'data' / name).mkdir(parents=True)
    load()
    load()
    assert load.drawn == 1
    kept = sorted(path.name for path in (tmp_path / 'data').iterdir())
    assert len(kept) == 3 and kept[1:] == ['strokes-mine', 'strokes-scaling']
    assert kept[0] != 'strokes-12345678'
    assert not (tmp_path / 'cache').exists()


def test_where_data_cannot_be_written_they_are_kept_in_the_cache(load, tmp_path, capsys):
    (tmp_path / 'data').write_text('a file')
    load()
    load()
    assert load.drawn == 1 and len(list((tmp_path / 'cache').iterdir())) == 1
    assert capsys.readouterr().err == ''


def test_where_nothing_can_be_written_they_are_drawn_again(load, tmp_path, capsys):
    (tmp_path / 'data').write_text('a file')
    (tmp_path / 'cache').write_text('a file')
    load()
    load()
    assert load.drawn == 2
    assert 'cannot be saved for the next run' in capsys.readouterr().err
