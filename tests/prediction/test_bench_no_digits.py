"""bench/no_digits.py: what is a digit for sure, not sure, or cannot be read."""
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'bench'))

import no_digits  # noqa: E402
import turns  # noqa: E402

from digits.errors import UserError  # noqa: E402


def test_each_file_is_counted_once(cnn_run, clean_strokes, tmp_path, monkeypatch, capsys):
    folder = tmp_path / 'images'
    (folder / 'inside').mkdir(parents=True)
    images, labels = clean_strokes(12, seed=3)
    for number, image in enumerate(images):
        Image.fromarray(255 - image).save(str(folder / 'inside' / f'{number:02}.png'))
    noise = np.random.RandomState(0).randint(0, 256, [40, 40], np.uint8)
    Image.fromarray(noise).save(str(folder / 'noise.png'))
    (folder / 'text.png').write_text('seven')
    monkeypatch.setattr(turns, 'RESULTS', tmp_path / 'RESULTS.md')
    no_digits.main(['--run-dir', str(cnn_run), str(folder)])
    *lines, last = capsys.readouterr().out.splitlines()
    right = [int(line.split()[1]) == labels[int(Path(line.split()[0]).stem)] for line in lines
             if 'inside' in line]
    assert len(right) >= 6 and np.mean(right) > 0.8
    assert f'of 14 files in `{"/".join(folder.parts[-3:])}`' in last
    refused, unsure, sure = map(int, re.search(
        r'(\d+) are refused .* (\d+) are read as not sure, and (\d+) ', last).groups())
    assert refused >= 1 and sure == len(lines) and refused + unsure + sure == 14
    assert last in (tmp_path / 'RESULTS.md').read_text(encoding='utf-8')


def test_an_empty_folder_is_a_sentence(cnn_run, tmp_path):
    with pytest.raises(UserError, match='no file in it'):
        no_digits.main(['--run-dir', str(cnn_run), str(tmp_path)])
