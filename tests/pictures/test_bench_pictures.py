"""bench/pictures.py: the ways of reading a picture, and a table that predict.py agrees with."""
import csv
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'bench'))

import hard_pictures  # noqa: E402
import pictures  # noqa: E402
import test_hard_pictures  # noqa: E402
import turns  # noqa: E402

from digits import figures  # noqa: E402
from digits.datasets import strokes  # noqa: E402


@pytest.fixture
def drawn(tmp_path):
    """drawn(pixels, name) -> the name of a file with them, uint8 [h, w]."""
    def save(pixels, name='picture.png'):
        Image.fromarray(pixels).save(tmp_path / name)
        return str(tmp_path / name)
    return save


def test_ways(drawn):
    image = strokes.make(1, seed=1)[0][0]
    paper, canvas = drawn(255 - image, 'paper.png'), drawn(image, 'canvas.png')
    assert (pictures.squeezed(paper) == image).all()
    assert (pictures.squeezed(canvas) == 255 - image).all()
    assert (pictures.by_mean(paper) == image).all()
    assert (pictures.by_mean(canvas) == image).all()
    assert (pictures.padded(canvas) == image).all()
    wide = drawn(np.pad(255 - image, [(0, 0), (28, 28)], constant_values=255), 'wide.png')
    sides = [np.ptp(np.flatnonzero(pictures.padded(wide).max(axis) > 99)) + 1 for axis in (0, 1)]
    inked = [np.ptp(np.flatnonzero(image.max(axis) > 99)) + 1 for axis in (0, 1)]
    assert np.abs(np.subtract(sides, np.array(inked) / 3)).max() <= 1
    ink = hard_pictures.written(np.random.RandomState(0), 4)
    page = 255 - 200 * ink((300, 400), 200, 24, where=(0.4, 0.7))
    assert np.abs(pictures.otsu(drawn(np.uint8(page))).astype(int) -
                  test_hard_pictures.as_mnist(ink, 0.12)).mean() < 2


def test_what_cannot_be_read_is_missed(drawn):
    def classify(images):
        return np.eye(10)[[7] * len(images)], [''] * len(images)

    blank, digit = drawn(np.zeros([9, 9], np.uint8), 'blank.png'), drawn(strokes.make(1)[0][0])
    files = [digit, blank, 'missing.png', blank]
    for way, count in ((pictures.otsu, 1), (pictures.WAYS['ours'], 1), (pictures.squeezed, 3)):
        images, readable = pictures.read(way, files)
        assert readable.sum() == count
        assert pictures.score(classify, images, readable, [7] * 4) == (count / 4, 0, 0)
    nothing = pictures.read(pictures.otsu, [blank])
    assert pictures.score(classify, *nothing, [7]) == (0, 0, 0)


def test_the_plot_counts_every_picture_once(drawn, monkeypatch):
    def classify(images):
        return np.eye(10)[[7] * len(images)], [''] * len(images)

    images, labels = strokes.make(60)
    files = [drawn(image, f'{number}.png') for number, image in enumerate(images)]
    files[0] = drawn(np.zeros([9, 9], np.uint8), '0.png')
    rows = [('first', files[:20], labels[:20]), ('second', files[20:], labels[20:]),
            ('all of them', files, labels)]
    seen = {('ours', row): pictures.read(pictures.WAYS['ours'], names) for row, names, _ in rows}
    given = []
    monkeypatch.setattr(figures, 'confusion_matrix', lambda *args: given.extend(args))
    pictures.draw(classify, rows, seen, [], 'forty.png')
    confusion, unreadable, missed, path = given
    assert path == 'forty.png'
    assert (confusion[:, 7] == np.bincount(labels[1:], minlength=10)).all()
    assert (confusion.sum(), unreadable[labels[0]], unreadable.sum()) == (59, 1, 1)
    wrong = [f'label {label}\nread 7' for label in sorted(labels[1:].tolist()) if label != 7]
    shown = [text for _, text, _ in missed]
    assert len(shown) == 40 < len(wrong)
    assert (shown[0], shown[-1]) == (wrong[0], wrong[-1]) and shown == sorted(shown)
    assert {name for _, _, name in missed} == {'first', 'second'}


def test_table_has_what_predict_says(script, tmp_path, monkeypatch, capsys):
    run = tmp_path / 'run'
    assert script('mnist_numpy_sigmoid.py', '--epochs', 30, '--quiet', '--run-dir',
                  run).returncode == 0
    with (tmp_path / 'labels.csv').open('w', newline='') as file:
        rows = csv.writer(file)
        rows.writerow(['file', 'label'])
        for name in ('cropped', 'palette'):
            (tmp_path / name).mkdir()
            for number, (digit, *picture) in enumerate(hard_pictures.pictures(name, 20)):
                rows.writerow([f'{name}/{number}{picture[1]}', digit])
                (tmp_path / name / f'{number}{picture[1]}').write_bytes(
                    hard_pictures.encoded(*picture))
    images, labels = strokes.make(50)
    np.savez(str(tmp_path / 'fifty.npz'), images=images, labels=labels)
    monkeypatch.setattr(turns, 'RESULTS', tmp_path / 'RESULTS.md')
    pictures.main(['--run-dir', str(run), '--labels', str(tmp_path / 'labels.csv'),
                   '--npz', str(tmp_path / 'fifty.npz')])
    written = (tmp_path / 'RESULTS.md').read_text(encoding='utf-8')
    printed = capsys.readouterr().out
    assert printed in written and '## pictures' in written
    assert str(tmp_path) not in written
    table = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in printed.splitlines() if line.startswith('| ')]
    assert [row[:2] for row in table[2:]] == [
        ['cropped', '20'], ['palette', '20'], ['all of them', '40'], ['fifty', '50']]
    ours = table[0].index('ours')
    groups = [float(row[ours]) for row in table[2:5]]
    assert groups[2] == pytest.approx((groups[0] + groups[1]) / 2, abs=1e-4)
    said = script('predict.py', '--run-dir', run, '--labels', tmp_path / 'labels.csv').stdout
    assert table[4][ours] == re.search(r'accuracy: (\S+)', said).group(1)
    assert float(table[4][ours]) > 0.3


@pytest.mark.parametrize('arrays, sentence', [
    (None, 'cannot be read'), ({'images': np.zeros([2, 8, 8], np.uint8)}, 'cannot be read'),
    ({'images': np.zeros([2, 8, 8]), 'labels': np.zeros(2, int)}, 'images is float64'),
    ({'images': np.zeros([2, 8, 8], np.uint8), 'labels': np.zeros(3, int)}, 'they must be uint8'),
])
def test_wrong_npz(arrays, sentence, tmp_path):
    path = str(tmp_path / 'wrong.npz')
    if arrays is not None:
        np.savez(path, **arrays)
    with pytest.raises(pictures.UserError, match=sentence) as error:
        pictures.packed(path)
    assert str(error.value).startswith(f'{path}: ')


def test_forms_count_cells_digits_and_what_is_extra():
    """Of 2 x 2 cells: one right, one wrong, one with two digits, one empty; one digit beside."""
    boxes = np.zeros([5, 4], int)
    images = np.zeros([5, 28, 28], np.uint8)
    images[:, 0, 0] = [7, 4, 7, 7, 7]  # what the network below reads
    found = pictures.page.Page(boxes, images, np.array([0, 0, 1, 1, -1]),
                               np.array([0, 1, 0, 0, -1]))

    def classify(those):
        return np.eye(10)[those[:, 0, 0]], ['', 'faint', '', '', '']

    *_, line = pictures.forms_table(classify, [(7, 2, 2, 0.5, found)])
    assert [cell.strip() for cell in line.split('|')[1:-1]] == [
        'all of them', '4', '0.2500', '0.2500', '0.5000', '0.2000', '0.2000', '0.5']
