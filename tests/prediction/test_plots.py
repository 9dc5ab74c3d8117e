"""What is drawn, as Pillow opens it."""
import os

import numpy as np
import pytest
from PIL import Image

from digits import figures
from digits.errors import UserError
from digits.prediction import plots, results, scoring

BLUE, ORANGE = (0, 114, 178), (230, 159, 0)


def pixels(path):
    with Image.open(str(path)) as image:
        assert image.width == 900
        return np.asarray(image.convert('RGB'))


def where(drawn, colour):
    """Rows and columns of the pixels of one colour, or nearly."""
    return np.nonzero((np.abs(drawn - np.float64(colour)) < 16).all(axis=2))


def read(path, digit, doubt=''):
    """A Result of a red page, saved at `path`, read as `digit`."""
    Image.new('RGB', (60, 30), (255, 0, 0)).save(str(path))
    picture = results.Result(str(path), np.full([1, 28, 28], 255, np.uint8))
    row = np.full([1, 10], 0.01)
    row[0, digit] = 0.91
    results.classify([picture], lambda images: (row, [doubt]))
    return picture


def test_a_row_for_each_picture_with_a_bar_on_its_digit(tmp_path):
    heights, bars = [], []
    for count in (1, 2, 10):
        pictures = [read(tmp_path / f'{number}.png', number % 10) for number in range(count)]
        plots.results(pictures, tmp_path / 'plot.png')
        drawn = pixels(tmp_path / 'plot.png')
        heights.append(len(drawn))
        rows, columns = where(drawn, (255, 0, 0))  # the picture: twice as wide as high
        assert columns.max() < 300
        starts = np.flatnonzero(np.diff(np.unique(rows)) > 1)
        assert len(starts) == count - 1
        if count == 10:
            for part in np.array_split(drawn[:, 500:], count):
                dark = (part < 40).all(axis=2).sum(axis=0)
                bars.append(dark[30:].argmax())  # behind the axis
    assert np.diff(heights)[0] == pytest.approx(190, abs=2)
    assert (np.diff(bars) > 20).all()


@pytest.mark.parametrize('digit', [0, 9])
def test_a_probability_crosses_no_axis(tmp_path, monkeypatch, digit):
    figure = []
    monkeypatch.setattr(figures, 'save', lambda one, path: figure.append(one))
    picture = read(tmp_path / 'x.png', digit, doubt='as much like 8')
    picture.probabilities = np.eye(10)[[digit]]
    plots.results([picture], tmp_path / 'plot.png')
    renderer = figure[0].canvas.get_renderer()
    figure[0].draw(renderer)  # lays it out
    bars = figure[0].axes[2]
    text, axis = bars.texts[0].get_window_extent(renderer), bars.get_window_extent(renderer)
    assert bars.texts[0].get_text() == '99.9%'
    assert axis.x0 < text.x0 and text.x1 < axis.x1 and axis.y0 < text.y0 and text.y1 < axis.y1


def test_names_and_doubts_that_matplotlib_might_take_for_formulas(tmp_path, recwarn):
    names = ['a$b$.png', r'$\frac$.png', 'x' * 100 + '.png', '손글씨.png']
    pictures = [read(tmp_path / name, 3, doubt='$_$') for name in names]
    pictures[0].name = str(tmp_path / 'a$b$.png')
    plots.results(pictures, tmp_path / 'plot.svg')
    text = (tmp_path / 'plot.svg').read_text(encoding='utf-8')
    for said in ('a$b$.png', r'$\frac$.png', 'not sure: $_$', '…xxx', '손글씨.png'):
        assert said in text, said  # matplotlib's comments say what the shapes spell
    assert not recwarn.list


def test_pictures_are_upright_and_of_any_kind(tmp_path):
    page = Image.new('RGB', (40, 80), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # held a quarter turn to the right
    page.save(str(tmp_path / 'turned.jpg'), exif=exif, quality=95)
    Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(40, 30) * 50).save(
        str(tmp_path / 'deep.png'))
    Image.new('RGBA', (30, 30), (0, 0, 0, 0)).save(str(tmp_path / 'nothing.png'))
    Image.new('LAB', (30, 30)).save(str(tmp_path / 'lab.tif'))
    pictures = [read(tmp_path / 'plain.png', 1) for _ in range(4)]
    for picture, name in zip(pictures, ('turned.jpg', 'deep.png', 'nothing.png', 'lab.tif')):
        picture.name = str(tmp_path / name)
    plots.results(pictures, tmp_path / 'plot.png')
    drawn = pixels(tmp_path / 'plot.png')
    rows, columns = where(drawn, (254, 0, 0))
    assert np.ptp(columns) == pytest.approx(2 * np.ptp(rows), rel=0.05)
    second = drawn[220:340, 80:120].astype(int)  # levels from black to white
    assert second.max() - second.min() > 150
    assert len(where(drawn, (160, 160, 160))[0]) > 5000


def test_feature_maps_are_tiles_in_order(tmp_path):
    """Before ReLU zero is grey, after it black; what is largest is white."""
    maps = np.zeros([28, 28, 32])
    maps[..., 1], maps[..., 17] = 1, -1
    figures.feature_maps([('conv1, before ReLU', maps), ('conv1, after ReLU', np.maximum(maps, 0))],
                         np.full([28, 28], 255, np.uint8), tmp_path / 'maps.png')
    drawn = pixels(tmp_path / 'maps.png')
    edges = np.flatnonzero((drawn == (176, 196, 222)).all(axis=2).mean(axis=1) > 0.8)
    starts = edges[np.flatnonzero(np.diff(edges, prepend=-9) > 1)]  # of the lines around the rows
    assert len(starts) == 6  # above, between and below two rows, twice

    def tile(line, column):
        return drawn[(starts[line] + starts[line + 1]) // 2, 15 + int((column + 0.5) * 54)].mean()
    assert [tile(0, column) for column in (0, 1, 2)] == pytest.approx([127, 255, 127], abs=2)
    assert [tile(1, column) for column in (0, 1, 15)] == pytest.approx([127, 0, 127], abs=2)
    assert [tile(3, column) for column in (0, 1, 2)] == pytest.approx([0, 255, 0], abs=2)
    assert tile(4, 1) == 0


def test_a_score_is_a_matrix_and_the_missed(tmp_path):
    names = [f'{number}.png' for number in range(110)]
    labels = [*range(10), *[7] * 50, *range(50)]
    score = scoring.Score({name: label % 10 for name, label in zip(names, labels)})

    def add(name, digit):
        picture = read(tmp_path / 'x.png', digit)
        picture.name = name
        score.add([picture])

    for number in range(10):
        add(names[number], number)
    plots.score(score, tmp_path / 'plot.png')
    drawn = pixels(tmp_path / 'plot.png')
    assert len(where(drawn, BLUE)[0]) > 10 * 1000 and not len(where(drawn, ORANGE)[0])
    height = len(drawn)
    for name in names[10:60]:
        add(name, 3)
    score.add([results.Result(name, error=f'{name}: no such file') for name in names[60:]])
    plots.score(score, tmp_path / 'plot.png')
    drawn = pixels(tmp_path / 'plot.png')
    assert len(drawn) == pytest.approx(height + 5 * 160, abs=5)  # 40 of the missed, 8 a row
    assert len(where(drawn, BLUE)[0]) < 1000  # no row is all right now
    assert (drawn[height:] == 255).all(axis=2).sum() > 20 * 80 * 80


def test_a_drawing_is_a_whole_file_or_none(tmp_path):
    picture = read(tmp_path / 'x.png', 3)
    with pytest.raises(UserError, match='unsupported file type'):
        plots.results([picture], tmp_path / 'plot.odd')
    (tmp_path / 'taken.png').mkdir()
    with pytest.raises(UserError, match='is a folder'):
        plots.results([picture], tmp_path / 'taken.png')
    (tmp_path / 'plot.png').write_bytes(b'older')
    os.remove(picture.name)
    with pytest.raises(UserError, match='no such file'):
        plots.results([picture], tmp_path / 'plot.png')
    assert (tmp_path / 'plot.png').read_bytes() == b'older'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['plot.png', 'taken.png']
    for ending in figures.ENDINGS:
        read(tmp_path / 'x.png', 3)
        plots.results([picture], f'{tmp_path}/plot{ending.upper()}')
        data = (tmp_path / f'plot{ending.upper()}').read_bytes()
        assert data.startswith({'.png': b'\x89PNG', '.svg': b'<?xml', '.pdf': b'%PDF'}.get(
            ending, b'\xff\xd8'))


@pytest.mark.parametrize(('name', 'maps'), [
    ('mnist_softmax.py', False), pytest.param('mnist_cnn.py', True, marks=pytest.mark.slow)])
def test_a_run_is_drawn_into_its_folder(called, tmp_path, name, maps):
    result = called(name, '--steps', '50', '--validation-size', '500', '--plots', '--run-dir',
                    tmp_path)
    assert result.returncode == 0, result.stderr
    drawn = {path.name: pixels(path) for path in tmp_path.glob('*.png')
             if path.name != 'digits.png'}  # which test_numpy_article.py looks at
    assert set(drawn) == {'curves.png', 'missed.png', 'weights.png', *['maps.png'][:maps]}
    for colour in (BLUE, ORANGE):  # both lines
        assert len(where(drawn['curves.png'], colour)[0]) > 200
    red, _, blue = drawn['missed.png'].astype(int).transpose(2, 0, 1)
    assert (blue - red > 30).sum() > 1000 < (red - blue > 30).sum()  # what is right, what is not
    # Between ten matrices or 32 filters is the colour that has no grey; in them there is only grey.
    weights = drawn['weights.png'].astype(int)
    grey = (weights.max(axis=2) - weights.min(axis=2)) < 3
    gaps = ~grey[:, 100:-100].any(axis=1)
    assert gaps.any() and (weights[grey].std() > 10)
