"""Names in drawings: in any letters, never wider than their room; and the drawings in docs/."""
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from digits import figures, paths

DRAW = """
import sys
from digits import figures
figure = figures.new(4, 1, tight_layout=False)
figures.write(figure.text(0.1, 0.4, '', fontsize=20), sys.argv[1], 3.5)
figures.save(figure, sys.argv[2])
"""


def make_font(path, letters):
    """A font in which each letter is a black square, an em wide and high; none is Latin."""
    fontbuilder = pytest.importorskip('fontTools.fontBuilder')
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def square():
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for corner in ((0, 1000), (1000, 1000), (1000, 0)):
            pen.lineTo(corner)
        pen.closePath()
        return pen.glyph()

    names = ['.notdef', *(f'uni{ord(letter):04X}' for letter in letters)]
    builder = fontbuilder.FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, letters), names[1:])))
    builder.setupGlyf({name: square() for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({'familyName': 'Squares', 'styleName': 'Regular'})
    builder.setupOS2()
    builder.setupPost()
    builder.save(str(path))


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='fonts lie elsewhere')
def test_korean_names_are_drawn_in_a_font_that_came_after_the_cache(tmp_path):
    env = {**os.environ, 'XDG_DATA_HOME': str(tmp_path / 'share'),
           'MPLCONFIGDIR': str(tmp_path / 'config')}
    folder = tmp_path / 'share' / 'fonts'
    folder.mkdir(parents=True)

    def ink(text):
        subprocess.run([sys.executable, '-c', DRAW, text, str(tmp_path / 'name.png')], check=True,
                       env=env, cwd=str(paths.PROJECT_ROOT), stderr=subprocess.DEVNULL)
        with Image.open(str(tmp_path / 'name.png')) as image:
            return (np.asarray(image.convert('L')) < 100).sum()

    without = ink('\u3164글씨')  # writes matplotlib's list of fonts; the machine may have one
    assert list((tmp_path / 'config').glob('fontlist*'))
    (folder / 'broken.ttf').write_bytes(b'no font')
    make_font(folder / 'NanumGothic.ttf', '손글씨\U000f0001')
    # In a private letter, as no other font has it: three squares of 28 x 28 pixels, not hollow.
    squares = ink('글씨\U000f0001')
    assert squares == pytest.approx(3 * (20 / 72 * 100) ** 2, rel=0.15)
    assert without < squares / 2


@pytest.mark.parametrize(('text', 'end'), [
    ('short.png', 'short.png'), ('W' * 60 + '.png', 'W.png'), ('i' * 300, 'i'), ('$x$', r'\$x\$'),
    ('가' * 40, '가'), ('\udcff.png', r'\udcff.png'), ('', '')])
def test_a_text_is_as_wide_as_its_room_at_most(text, end):
    figure = figures.new(4, 1, tight_layout=False)
    artist = figure.text(0, 0, '', fontsize=9)
    figures.write(artist, text, 1.5, ':  2')
    assert figures.extent(artist)[0] <= 1.5
    assert artist.get_text().endswith(end + ':  2')
    if artist.get_text().startswith('…'):  # and not much narrower than it may be
        assert figures.extent(artist)[0] > 1.3
    else:
        assert artist.get_text() == end + ':  2'


def test_errors_are_graded_by_their_count(tmp_path):
    confusion = np.diag(np.full(10, 900))
    confusion[0, 1:6] = 1, 2, 3, 5, 8
    confusion[9, 0] = 8
    figures.confusion_matrix(confusion, np.zeros(10, int), [], tmp_path / 'matrix.png')
    with Image.open(str(tmp_path / 'matrix.png')) as opened:
        image = np.asarray(opened.convert('RGB'))
    reds = image[..., 0].astype(int) - image[..., 2]
    middle = 40 + 22  # of the first row of cells, in pixels
    found = [reds[middle - 15, 225 + 45 * column + 22] for column in range(1, 6)]
    assert (np.diff(found) > 8).all(), found
    assert found[-1] == reds[middle - 15 + 9 * 45, 225 + 22]  # 8 of 908 and of 908: alike


def test_drawings_of_missed_digits_in_docs_are_not_cropped():
    """Their last row is whole: below it is paper."""
    with Image.open(str(paths.PROJECT_ROOT / 'docs' / 'missed.png')) as opened:
        image = np.asarray(opened.convert('L'))
    assert (image[-8:] == 255).all()
    rows = (len(image) - 565) / 160
    assert rows == pytest.approx(round(rows), abs=0.02) and 1 <= rows <= 5
