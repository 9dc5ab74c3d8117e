"""predict.py --page --table, and rows and columns in --json."""
import csv
import json

import drawn_tables
import numpy as np
import pytest
from PIL import Image

import predict
from digits.datasets import strokes
from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.prediction import results, tables


def page(name, rows=(0, 0, 1, -1), columns=(0, 0, 2, -1), shapes=((2, 3),)):
    """A Result of a page with the digits 1, 2?, 3 and, beside the table, 4."""
    read = results.Result(name, np.zeros([4, 28, 28], np.uint8), np.arange(16).reshape(4, 4),
                          rows=np.array(rows), columns=np.array(columns), tables=shapes)
    results.classify([read], lambda images: (np.eye(10)[1:5], ['', 'faint', '', '']))
    return read


def test_cells_have_numbers_and_doubts_and_stay_empty():
    assert tables.cells(page('a.png')) == [['12?', '', ''], ['', '', '3']]
    two = page('a.png', rows=(0, 1, 2, 2), columns=(1, 0, 0, 1), shapes=((1, 2), (2, 3)))
    assert tables.cells(two) == [['', '1'], ['2?', '', ''], ['3', '4', '']]
    found = page('a.png').as_object()['digits']
    assert [(digit.get('row'), digit.get('column')) for digit in found] == [
        (0, 0), (0, 0), (1, 2), (None, None)]
    assert page('a.png').line() == 'a.png  4 digits: 1 2? / 3 / 4'


def test_a_page_without_a_table_is_a_sentence():
    with pytest.raises(UserError, match='^a.png: no table found'):
        tables.cells(results.Result('a.png', np.zeros([1, 28, 28], np.uint8), np.eye(1, 4)))


@pytest.mark.parametrize(('path', 'sentence'), [
    ('nowhere/x.csv', 'there is no folder nowhere'), ('.', 'is a folder'),
    ('x.png', 'is one of the pictures to read')])
def test_what_cannot_be_written_is_a_sentence_before_anything_is_read(path, sentence, tmp_path,
                                                                      monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence) as refused:
        predict.main(['--page', 'x.png', '--table', path])
    assert refused.value.exit_status == 2 and not capsys.readouterr().out


def test_a_drawn_table_becomes_csv(numpy_run, tmp_path, capsys):
    """A field holds as many digits as its cell; of several pictures, rows begin with the name."""
    drawn = drawn_tables.table(strokes.make(99, 3), 0, rows=4, columns=5, empty=0.4)
    paths = [tmp_path / name for name in ('one.png', 'two.png')]
    for path in paths:
        drawn.image.save(str(path))
    plain = tmp_path / 'plain.png'
    Image.open(str(PROJECT_ROOT / 'data' / 'pages' / 'numbers.jpg')).save(str(plain))
    target = tmp_path / 'table.csv'
    words = ['--page', '--run-dir', str(numpy_run), '--table', str(target)]

    predict.main([*words, '--json', str(paths[0])])
    found = json.loads(capsys.readouterr().out)['digits']
    expected = np.full([4, 5], '', object)
    for digit in found:
        expected[digit['row'], digit['column']] += str(digit['digit']) + '?' * (not digit['sure'])
    with open(str(target), newline='') as file:
        one = list(csv.reader(file))
    assert one == expected.tolist()
    written = np.zeros([4, 5], bool)
    written[drawn.rows, drawn.columns] = True
    assert (written == (expected != '')).all()

    with pytest.raises(SystemExit) as left:
        predict.main([*words, str(paths[0]), str(plain), str(paths[1])])
    assert left.value.code == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3 and err.startswith(f'predict.py: {plain}: no table found')
    with open(str(target), newline='') as file:
        assert list(csv.reader(file)) == [[str(path), *row] for path in paths for row in one]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'one.png', 'plain.png', 'table.csv', 'two.png']
