"""bench/altered_pictures.py: what it makes of a picture, and a row for each way."""
import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'bench'))

import altered_pictures  # noqa: E402
import turns  # noqa: E402


def test_each_way_alters_what_it_says():
    grey = np.full([120, 160, 3], 200, np.uint8)
    grey[40:80, 70:80] = 30
    made = {name: np.asarray(way(Image.fromarray(grey)), int)
            for name, way in altered_pictures.WAYS.items()}
    assert (made.pop('as they are') == grey).all()
    assert all(values.shape[2] == 3 for values in made.values())
    assert all(values.shape != grey.shape or abs(values - grey).max() > 20
               for values in made.values())
    assert (made['white on black'] == 255 - grey).all()
    assert made['64 pixels'].shape == (48, 64, 3) and made['40 pixels'].shape == (30, 40, 3)
    assert made['on a dark desk'].shape == (248, 288, 3)
    assert (made['on a dark desk'][:64] == (70, 60, 50)).all()
    assert (made['by 8, with black corners'][0, 0] == 0).all()
    assert (made['turned by 8 degrees'][0, 0] == 200).all()
    assert made['half in shadow'][0, -1, 0] == 100 and made['half in shadow'][0, 0, 0] == 200
    lines = made['on grey lines'][:, 0, 0]
    assert np.count_nonzero(np.diff((lines < 150).astype(int)) == 1) == 8


def test_a_row_for_each_way(cnn_run, clean_strokes, tmp_path, monkeypatch, capsys):
    images, labels = clean_strokes(4, seed=3)
    with (tmp_path / 'labels.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['file', 'label'])
        for number, (image, label) in enumerate(zip(images, labels)):
            Image.fromarray(255 - image).resize((112, 112), Image.BICUBIC).save(
                str(tmp_path / f'{number}.png'))
            writer.writerow([f'{number}.png', label])
    monkeypatch.setattr(turns, 'RESULTS', tmp_path / 'RESULTS.md')
    altered_pictures.main(['--run-dir', str(cnn_run), '--labels', str(tmp_path / 'labels.csv')])
    _, rule, *rows = capsys.readouterr().out.splitlines()
    assert set(rule) <= set('| -')
    cells = [[cell.strip() for cell in row.strip('|').split('|')] for row in rows]
    assert [name for name, *_ in cells] == list(altered_pictures.WAYS)
    assert all(float(right) in (0, 0.25, 0.5, 0.75, 1) and right == of_large and int(missed) <= 4
               for _, right, missed, _, of_large in cells)
    assert rows[-1] in (tmp_path / 'RESULTS.md').read_text(encoding='utf-8')
