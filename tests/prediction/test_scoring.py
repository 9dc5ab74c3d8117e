"""predict.py --labels: pictures with labels, scored."""
import json
import os
import re
import shutil

import numpy as np
import pytest
from helpers import PICTURES
from PIL import Image

import predict
from digits.datasets import idx
from digits.errors import UserError
from digits.prediction import results, scoring


@pytest.fixture
def labelled(tmp_path, small_dir):
    """A labels.csv of 40 pictures beside it, among them one that is none and one that is nowhere.
    """
    images, labels = idx.read_folder(small_dir)[2:]
    lines = ['kind,file,label']
    (tmp_path / 'some of them').mkdir()
    for number, (image, label) in enumerate(zip(images[:40, ..., 0], labels)):
        name = f'{"some of them/" * (number % 2)}{number}.png'
        Image.fromarray(image).save(str(tmp_path / name))
        lines.append(f'pen,{name},{label}')
    (tmp_path / '2.png').write_bytes(b'seven')
    (tmp_path / '4.png').unlink()
    (tmp_path / 'labels.csv').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return tmp_path / 'labels.csv', labels[:40].tolist()


def test_a_labelled_folder_is_scored(script, numpy_run, labelled, tmp_path):
    path, labels = labelled
    run = ('predict.py', '--run-dir', numpy_run)
    result = script(*run, '--json', '--labels', path)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 2
    *rows, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row['label'] for row in rows] == labels
    assert rows[3]['file'] == str(tmp_path / 'some of them' / '3.png')
    right = sum(row.get('digit') == row['label'] for row in rows)
    assert 15 < right < 38
    confusion = np.zeros([10, 10], int)
    for row in rows:
        if 'error' not in row:
            confusion[row['label'], row['digit']] += 1
    assert summary['confusion'] == confusion.tolist()
    assert (summary['accuracy'], summary['right'], summary['of']) == (right / 40, right, 40)
    unreadable = np.bincount([labels[2], labels[4]], minlength=10)
    assert summary['unreadable'] == unreadable.tolist()

    # The same as text; the pictures lie in a folder that is named, the table elsewhere.
    (tmp_path / 'elsewhere').mkdir()
    path.rename(tmp_path / 'elsewhere' / 'table.csv')
    plot = tmp_path / 'score.png'
    text = script(*run, '--labels', tmp_path / 'elsewhere' / 'table.csv', tmp_path, '--plot', plot)
    assert (text.returncode, text.stderr) == (1, result.stderr)
    missed, matrix = text.stdout.split('\n\n')
    wrong = [row for row in rows if row.get('digit') != row['label']]
    assert len(missed.splitlines()) == len(wrong)
    for line, row in zip(missed.splitlines(), wrong):
        said = 'unreadable$' if 'error' in row else f'prediction {row["digit"]} '
        assert re.match(rf'{re.escape(row["file"])}  +label {row["label"]}, {said}', line)
    head, *lines, last = matrix.splitlines()
    assert head.split() == ['label', *'0123456789', 'unreadable']
    counts = np.array([[int(cell.replace('.', '0')) for cell in line.split()] for line in lines])
    assert (counts[:, 0] == range(10)).all()
    assert (counts[:, 1:11] == confusion).all() and (counts[:, 11] == unreadable).all()
    assert len({len(line) for line in (head, *lines)}) == 1
    assert last == f'accuracy: {right / 40:.4f} ({right} of 40)'
    assert Image.open(str(plot)).size[0] == 900


def test_all_endand_nothing_wrong_is_status_0(script, numpy_run, tmp_path):
    shutil.copy(str(PICTURES[0]), str(tmp_path))
    run = ('predict.py', '--run-dir', numpy_run)
    digit = json.loads(script(*run, '--json', PICTURES[0]).stdout)['digit']
    (tmp_path / 'labels.csv').write_text(f'file,label\n{PICTURES[0].name},{digit}\n')
    result = script(*run, '--labels', tmp_path / 'labels.csv')
    assert (result.returncode, result.stderr) == (0, '')
    assert len(result.stdout.splitlines()) == 12
    assert result.stdout.endswith('accuracy: 1.0000 (1 of 1)\n')


@pytest.mark.parametrize(('text', 'sentence'), [
    ('', 'must have the columns file and label; it has none'),
    ('file,digit\na.png,1\n', 'must have the columns file and label; it has file, digit'),
    ('file;label\na.png;1\n', 'must have the columns file and label; it has file;label'),
    ('file,label\n', 'no pictures after its first line'),
    ('file,label\na.png,1\nb.png,10\n', "line 3: the label '10' is not a digit"),
    ('file,label\na.png,\n', "line 2: the label '' is not a digit"),
    ('label,file\n٣,a.png\n', "line 2: the label '٣' is not a digit"),
    ('file,label\na.png\n', "line 2: the label '' is not a digit"),
    ('label,file\n7\n', 'line 2: names no file'),
    ('file,label\na.png,1\na.png,2\n', 'line 3: a.png is listed twice'),
    ('file,label\n"' + 'a' * 200000 + '",1\n', 'not a CSV file (field larger than'),
    ('file,label\n세.png,3\n'.encode('cp949'), 'not in UTF-8; save it as CSV UTF-8'),
])
def test_a_table_of_labels_that_is_none_is_a_sentence(text, sentence, tmp_path):
    path = tmp_path / 'labels.csv'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as refused:
        predict.main(['--labels', str(path)])
    assert str(refused.value).startswith(f'{path}') and sentence in str(refused.value)


def test_labels_that_are_nowhere_or_a_folder_are_a_sentence(tmp_path):
    for path in (tmp_path, tmp_path / 'nowhere.csv'):
        with pytest.raises(UserError, match='cannot be read'):
            predict.main(['--labels', str(path)])
    (tmp_path / 'labels.csv').write_text('file,label\na.png,1\n')
    with pytest.raises(UserError, match='a.png: not a folder'):
        predict.main(['a.png', '--labels', str(tmp_path / 'labels.csv')])


def test_tables_as_spreadsheets_save_them_are_read(tmp_path):
    text = '\ufefffile, kind, label\r\n"숫자 3.png","a, b", 3 \r\n\r\nsub/d.png,c,0\r\n'
    (tmp_path / 'labels.csv').write_bytes(text.encode())
    assert scoring.read_labels(str(tmp_path / 'labels.csv')) == {
        str(tmp_path / '숫자 3.png'): 3, os.path.join(str(tmp_path), 'sub/d.png'): 0}
    (tmp_path / 'x').mkdir()
    assert list(scoring.read_labels(str(tmp_path / 'labels.csv'), str(tmp_path / 'x'))) == [
        str(tmp_path / 'x' / '숫자 3.png'), os.path.join(str(tmp_path / 'x'), 'sub/d.png')]


def test_doubts_are_counted_beside_the_matrix():
    """What is read right with a doubt is right; the doubts have a column of their own."""
    labels = {'a.png': 3, 'b.png': 4, 'c.png': 5, 'd.png': 5, 'e.png': 4}
    score = scoring.Score(labels)
    rows = 0.05 + 0.5 * np.eye(10)[[3, 3, 5, 5]]
    pictures = [results.Result(name, np.zeros([1, 28, 28], np.uint8))
                for name in list(labels)[:4]]
    results.classify(pictures, lambda images: (rows, ['', 'faint', 'faint', '']))
    pictures.append(results.Result('e.png', error='e.png: no such file'))
    assert score.add(pictures[:2]) == [pictures[1]] and score.add(pictures[2:]) == [pictures[4]]
    assert [picture.label for picture in pictures] == list(labels.values())
    assert score.missed == [pictures[1], pictures[4]]
    assert score.confusion.sum() + score.unreadable.sum() == 5 and score.confusion.trace() == 3
    lines = score.lines()
    assert lines[1].split('  ')[-2:] == ['unreadable', '(not sure)']
    assert [line.split()[-2:] for line in (lines[5], lines[6], lines[7])] == [
        ['.', '(.)'], ['1', '(1)'], ['.', '(1)']]
    assert lines[-2:] == ['sure: 2 of 5, of these right: 2', 'accuracy: 0.6000 (3 of 5)']
