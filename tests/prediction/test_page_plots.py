"""Drawings of pages: where boxes and answers are, by matplotlib's own measure."""
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from digits import figures
from digits.prediction import page_plots, results


def page(path, size, boxes, digits, doubts=None, colour='white'):
    """A Result of a blank page with digits in boxes."""
    Image.new('RGB', size, colour).save(str(path))
    found = results.Result(str(path), np.zeros([len(boxes), 28, 28], np.uint8), np.array(boxes))
    results.classify([found], lambda images: (
        np.eye(10)[digits], doubts or [''] * len(digits)))
    return found


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """draw(pages) -> (the drawing's pixels, its matplotlib Axes)."""
    figure = []
    save = figures.save
    monkeypatch.setattr(figures, 'save', lambda one, path: (figure.append(one), save(one, path)))

    def draw(pages):
        page_plots.draw(pages, tmp_path / 'plot.png')
        with Image.open(str(tmp_path / 'plot.png')) as image:
            return np.asarray(image.convert('RGB')), figure[-1].axes
    return draw


def extents(axes):
    """(answers, what they cover as float [n, 4], boxes [n, 4]) in pixels of a page's drawing."""
    renderer = axes.figure.canvas.get_renderer()
    covered = []
    for text in axes.texts:
        text.update_bbox_position_size(renderer)
        whole = text.get_bbox_patch().get_window_extent(renderer)
        letters = text.get_window_extent(renderer)
        assert whole.x0 <= letters.x0 and letters.x1 <= whole.x1  # in its own colour
        covered.append(whole.extents)
    paths = [axes.transData.transform_path(path) for lines in axes.collections
             for path in lines.get_paths()]
    return ([text.get_text() for text in axes.texts], np.array(covered),
            np.array([path.get_extents().extents for path in paths]))


def overlap(some, others):
    """How much each of some covers of each of the others, as a smallest side in pixels."""
    return (np.minimum(some[:, None, 2:], others[None, :, 2:]) -
            np.maximum(some[:, None, :2], others[None, :, :2])).min(axis=2)


def sheet(rows, columns, height, random):
    """Boxes of digits about as high as `height`, anywhere in cells of 2.1 x 1.6 of that."""
    heights = height * random.uniform(0.7, 1.3, rows * columns)
    widths = heights * random.uniform(0.25, 0.9, rows * columns)
    row, column = np.divmod(np.arange(rows * columns), columns)
    left = column * 2.1 * height + random.uniform(0.05, 0.95) * (2.1 * height - widths)
    top = row * 1.6 * height + random.uniform(0.05, 0.95) * (1.6 * height - heights)
    boxes = np.stack([left, top, left + widths, top + heights], axis=1).round().astype(int)
    return (int(columns * 2.1 * height), int(rows * 1.6 * height)), boxes


def test_answers_of_a_page_of_1150_digits_are_legible(tmp_path, drawn):
    random = np.random.RandomState(0)
    size, boxes = sheet(46, 25, 40, random)
    digits = random.randint(0, 10, len(boxes))
    doubts = ['faint' if random.rand() < 0.2 else '' for _ in boxes]
    pixels, (axes,) = drawn([page(tmp_path / 'sheet.png', size, boxes, digits, doubts)])
    answers, covered, outlines = extents(axes)
    assert answers == [f'{digit}{"?"[:bool(doubt)]}' for digit, doubt in zip(digits, doubts)]
    edges = axes.get_window_extent().extents
    assert (covered[:, :2] >= edges[:2]).all() and (covered[:, 2:] <= edges[2:]).all()
    others = overlap(covered, covered)
    np.fill_diagonal(others, -1)
    assert others.max() <= 0
    # Outlines come in two groups, the sure first: each answer is at one and covers no other.
    order = np.argsort(np.array([bool(doubt) for doubt in doubts]), kind='stable')
    at = overlap(covered[order], outlines)
    assert np.diagonal(at).min() > -1.5 and np.diagonal(at).max() < 1.5
    np.fill_diagonal(at, -1)
    assert at.max() <= 0
    assert (covered[:, 3] - covered[:, 1]).min() >= 10  # pixels, of which digits are most
    assert max(pixels.shape) <= 3700


def test_boxes_are_where_they_should_be_and_the_unsure_ones_orange(tmp_path, drawn):
    boxes = [[300, 200, 600, 800], [1800, 300, 2100, 700]]
    found = page(tmp_path / 'page.png', (3000, 1000), boxes, [4, 2], ['', 'two digits'])
    pixels, (axes,) = drawn([found])
    assert pixels.shape[1] == pytest.approx(900, abs=1)
    dark = (pixels < 20).all(axis=2)  # the frame of the axes
    left, right = np.flatnonzero(dark.mean(axis=0) > 0.5)[[0, -1]]
    top, bottom = np.flatnonzero(dark.mean(axis=1) > 0.5)[[0, -1]]
    assert (right - left) / (bottom - top) == pytest.approx(3, rel=0.02)
    scale = 3000 / (right - left)
    blue = pixels[..., 2] > pixels[..., 0] + 60.0  # lines have pale edges
    orange = pixels[..., 0] > pixels[..., 2] + 60.0
    for mask, box in zip((blue, orange), found.boxes):
        rows, columns = np.nonzero(mask)
        columns, rows = (columns - left) * scale, (rows - top) * scale
        assert columns.min() == pytest.approx(box[0], abs=20)
        assert columns.max() == pytest.approx(box[2], abs=20)
        assert rows.max() == pytest.approx(box[3], abs=20)
        assert rows.min() < box[1] - 30  # the answer stands on the box
    # Along the foot of its box, a dashed line has gaps.
    foot = slice(top + int(690 / scale), top + int(715 / scale))
    across = slice(left + int(1850 / scale), left + int(2050 / scale))
    assert not orange[foot, across].any(axis=0).all()
    foot = slice(top + int(790 / scale), top + int(815 / scale))
    across = slice(left + int(350 / scale), left + int(550 / scale))
    assert blue[foot, across].any(axis=0).all()


@pytest.mark.parametrize('boxes', [
    [[0, 0, 100, 60]],  # all of the page
    [[0, 0, 50, 60], [50, 0, 100, 60]],
    [[i * 10, 0, i * 10 + 10, 60] for i in range(10)],
    [[i % 10 * 10, i // 10 * 10, i % 10 * 10 + 10, i // 10 * 10 + 10] for i in range(60)]])
def test_answers_without_room_beside_their_boxes_stay_apart_and_on_the_page(tmp_path, drawn, boxes):
    _, (axes,) = drawn([page(tmp_path / 'full.png', (100, 60), boxes, [3] * len(boxes))])
    _, covered, _ = extents(axes)
    others = overlap(covered, covered)
    np.fill_diagonal(others, -1)
    assert others.max() <= 0
    edges = axes.get_window_extent().extents
    assert (covered[:, :2] >= edges[:2] - 0.5).all() and (covered[:, 2:] <= edges[2:] + 0.5).all()


def test_pages_stand_one_below_the_other_in_bounds(tmp_path, drawn):
    pages = [page(tmp_path / f'page{doubt}.png', size, [[5, 5, 9, 11]], [7], [doubt])
             for size, doubt in (((30, 3000), ''), ((3000, 30), 'faint'))]
    pixels, axes = drawn(pages)
    assert max(pixels.shape) <= 4000
    boxes = [one.get_window_extent().extents for one in axes]
    assert boxes[0][1] > boxes[1][3]
    for one, box, digits in zip(axes, boxes, ('1 digit', '1 digit, 1 not sure (orange, with ?)')):
        title = next(text for text in one.get_children()
                     if isinstance(text, Text) and text.get_text().endswith(digits))
        extent = title.get_window_extent(one.figure.canvas.get_renderer()).extents
        assert extent[0] >= 0 and extent[2] <= pixels.shape[1] and extent[1] >= box[3]
        assert title.get_text().endswith(f':  {digits}')


def test_many_large_pages_are_drawn_smaller(tmp_path, monkeypatch):
    figure = []
    monkeypatch.setattr(figures, 'save', lambda one, path: figure.append(one))
    one = page(tmp_path / 'large.png', (2000, 2000), [[5, 5, 9, 11]], [7])
    inches = []
    for count in (1, 5):
        page_plots.draw([one] * count, tmp_path / 'plot.png')
        inches.append(figure[-1].get_size_inches())
    assert inches[0] == pytest.approx([36.2, 36.45])
    assert 2500 < inches[1].prod() < 3100
