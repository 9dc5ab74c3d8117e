"""Pictures drawn with matplotlib, straight into files: no display is needed."""
import contextlib
import os
import textwrap
import warnings

import numpy as np
from PIL import Image

from digits.errors import UserError
from digits.prediction.results import columns

ENDINGS = ('.png', '.jpg', '.jpeg', '.svg', '.pdf')
MOST = 20  # pictures in one drawing, a row each
MOST_MISSED = 40
# Fonts with Korean letters on Windows, macOS and Linux; matplotlib's own font has none.
KOREAN = ('Malgun Gothic', 'Apple SD Gothic Neo', 'NanumGothic', 'Noto Sans CJK KR')
BLUE, ORANGE = '#0072b2', '#e69f00'  # told apart by all eyes: Okabe and Ito, 2008


def ten_digits(images, labels, path) -> None:
    """Draw the first image of each digit, 12 x 5 inches, two rows of five.

    images: [n, 784], any range; labels: [n], 0 to 9. A digit that has no image is left out.
    """
    figure = _figure(12, 5)
    for digit, axes in enumerate(figure.subplots(2, 5).flat):
        axes.axis('off')
        found = np.flatnonzero(labels == digit)
        if found.size:
            axes.imshow(images[found[0]].reshape(28, 28), cmap='gray_r')
            axes.set_title(digit, fontsize=16)
    _save(figure, path)


def of_run(folder, looks, data, first) -> None:
    """Draw a run into its folder: digits.png, curves.png, missed.png, weights.png, maps.png.

    looks: as in run.json; data: its Datasets; first: the weights of its first layer, [784, 10] or
    [h, w, 1, filters]. missed.png is of the test set. A run without
    convolutions has no maps.png, one that never looked at validation images no curves.png.
    """
    from digits.prediction import classifier, scoring
    from digits.prediction.results import Picture, classify
    classifying = classifier.restore(folder)
    images, labels = next(data.train.in_order(1000))
    ten_digits(images, labels, folder / 'digits.png')
    if any('validation_loss' in look for look in looks.values()):
        curves(looks, folder / 'curves.png')
    labels = {f'test image {number}': label for number, label in enumerate(data.test.labels)}
    tested = [Picture(name, image[np.newaxis])
              for name, image in zip(labels, data.test.pixels.reshape(-1, 28, 28))]
    classify(tested, classifying)
    counted = scoring.Score(labels)
    counted.add(tested)
    score(counted, folder / 'missed.png')
    weights(first[:, :, 0] if first.ndim == 4 else first.reshape(28, 28, 10),
            folder / 'weights.png')
    with contextlib.suppress(UserError):  # no convolution
        feature_maps(classifying.feature_maps(tested[0].images[0]), tested[0], folder / 'maps.png')


def curves(looks, path) -> None:
    """Draw the loss of training and validation and the accuracy of the latter, by step."""
    figure = _figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    steps, looks = list(map(int, looks)), list(looks.values())
    left.plot(steps, [look.get('loss', np.nan) for look in looks], 'o--', color=ORANGE,
              label='training')
    left.plot(steps, [look['validation_loss'] for look in looks], 's-', color=BLUE,
              label='validation')
    left.set(title='loss (of training: the last minibatch)', xlabel='step', ylim=(0, None))
    left.legend(frameon=False)
    right.plot(steps, [look['validation_accuracy'] for look in looks], 's-', color=BLUE)
    right.set(title='accuracy on validation images', xlabel='step')
    for axes in (left, right):
        axes.title.set_fontsize(10)
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    _save(figure, path)


def weights(layer, path) -> None:
    """Draw weights float [h, w, n] as n images: ten in a row, or else 16."""
    most = np.abs(layer).max() or 1.0
    tiles = _tiles(layer, 10 if layer.shape[2] == 10 else 16)
    figure = _figure(9, 0.5 + 8.7 * len(tiles) / tiles.shape[1])
    axes = figure.subplots()
    _show(axes, tiles, cmap='gray', vmin=-most, vmax=most)
    axes.set_facecolor('lightsteelblue')
    axes.set_title(f'grey is 0, black {-most:.2g}, white {most:.2g}', fontsize=9, loc='left')
    _save(figure, path)


def accuracy_against_seconds(points, path) -> None:
    """Draw runs as numbered points, named below: [(seconds, accuracy in [0, 1], text)].

    Raises UserError if the file's ending names no kind of picture.
    """
    names = [textwrap.fill(f'{number}  {text}', 100, subsequent_indent='     ',
                           break_on_hyphens=False)
             for number, (_, _, text) in enumerate(points, 1)]
    below = '\n'.join(names)
    from matplotlib import ticker
    figure = _figure(9, 5 + 0.17 * len(below.splitlines()))
    axes = figure.subplots()
    for number, (seconds, accuracy, _) in enumerate(points, 1):
        axes.plot(seconds, accuracy, 'o', color='C0')
        axes.annotate(number, (seconds, accuracy), xytext=(5, 5), textcoords='offset points')
    axes.set(xscale='log', xlabel='seconds, whole process\n', ylabel='test accuracy')
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter('{x:g}')
    axes.xaxis.set_minor_formatter('')
    axes.margins(0.1)
    axes.grid(alpha=0.3)
    axes.set_title(below, loc='left', y=0, pad=-55, va='top', fontsize=9)
    _save(figure, path)


def check(path, names=(), most=None) -> None:
    """Raise UserError unless a drawing of the pictures `names` can go into the file `path`."""
    folder, name = os.path.split(str(path))
    if not name.lower().endswith(ENDINGS):
        raise UserError(f'{path}: no kind of picture that is drawn here; let it end with one of '
                        f'{" ".join(ENDINGS)}')
    if not os.path.isdir(folder or os.curdir):
        raise UserError(f'{path}: there is no folder {folder}; make it first')
    if most and len(names) > most:
        raise UserError(f'{path}: no more than {most} picture{"s"[:most > 1]} can be drawn, and '
                        f'these are {len(names)}; name fewer')
    if os.path.realpath(path) in map(os.path.realpath, names):
        raise UserError(f'{path}: is one of the pictures to read; draw into another file')


def answers(pictures, path) -> None:
    """Draw a row for each Picture of one digit: as it is, the 28 x 28, its ten probabilities."""
    from digits.prediction import batches  # what draws no files needs no pool of processes
    figure = _figure(9, 0.3 + 1.9 * len(pictures))
    rows = figure.subplots(len(pictures), 3, squeeze=False,
                           gridspec_kw={'width_ratios': [1.2, 1, 2.2]})
    for picture, (left, middle, right) in zip(pictures, rows):
        (digit, _, doubt), = picture.digits()
        _show(left, batches.upright(picture, 400)[0])
        left.set_title(_plain(picture.name, 30), fontsize=9)
        _show(middle, picture.images[0])
        unsure = f'not sure: {doubt}' if doubt else ''
        _bars(right, picture.probabilities[0])
        right.set_title(_plain(unsure, 50), fontsize=9, loc='left')
    rows[0][1].set_title('what the network sees', fontsize=9)
    _save(figure, path)


def _bars(axes, probabilities):
    """Ten bars; that of the most probable digit differs by darkness, and has its number on it."""
    best = probabilities.argmax()
    axes.bar(range(10), probabilities, color=['black' if digit == best else '0.75'
                                              for digit in range(10)])
    axes.text(best, probabilities[best] + 0.02, f'{probabilities[best]:.2%}', ha='center',
              va='bottom', fontsize=9)
    axes.set(ylim=(0, 1.15), yticks=[0, 0.5, 1], yticklabels=['0', '50 %', '100 %'],
             xlim=(-0.6, 9.6), xticks=range(10))
    axes.get_xticklabels()[best].set(weight='bold', size=13, family='DejaVu Sans')
    axes.spines[['top', 'right']].set_visible(False)


def pages(pictures, path) -> None:
    """Draw each Picture of a page, below the one before, with a box and the digit on each digit."""
    from digits.prediction import batches
    seen = [batches.upright(picture, 1600) for picture in pictures]
    heights = [0.4 + 8.6 * min(height / width, 2) for _, width, height in seen]
    figure = _figure(9, sum(heights))
    rows = figure.subplots(len(seen), squeeze=False, gridspec_kw={'height_ratios': heights})
    for picture, (pixels, width, height), (axes,) in zip(pictures, seen, rows):
        _show(axes, pixels, extent=(0, width, height, 0))
        axes.set_title(_plain(picture.name, 100), fontsize=9)
        for (left, top, right, bottom), (digit, _, doubt) in zip(picture.boxes, picture.digits()):
            axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top],
                      color=BLUE, linewidth=1.5, linestyle='--' if doubt else '-')
            axes.text(left, top, f'{digit}{"?"[:bool(doubt)]}', color='white', fontsize=10,
                      va='bottom', bbox={'facecolor': BLUE, 'edgecolor': 'none', 'pad': 1})
    _save(figure, path)


def feature_maps(maps, picture, path) -> None:
    """Draw what Classifier.feature_maps gives of a Picture, under its 28 x 28, 16 maps a row."""
    parts = [('what the network sees', picture.images[0][..., np.newaxis] / 255, 'gray', 0, 1)]
    for title, values in maps:
        most = _strongest(values)
        below = values.min() < 0
        scale = f'{"grey" if below else "white"} is 0, black {most:.2f} and above'
        if below:
            scale += f', white {-most:.2f} and below'
        parts.append((f'{title}: {scale}', values, 'gray_r', -most if below else 0, most))
    tiled = [_tiles(values) for _, values, *_ in parts]
    heights = [0.5 + 8.7 * len(tiles) / tiles.shape[1] for tiles in tiled]
    figure = _figure(9, sum(heights))
    rows = figure.subplots(len(parts), gridspec_kw={'height_ratios': heights})
    for axes, tiles, (title, _, cmap, least, most) in zip(rows, tiled, parts):
        _show(axes, tiles, cmap=cmap, vmin=least, vmax=most)
        axes.set_title(title, fontsize=9, loc='left')
        axes.set_anchor('W')
        axes.set_facecolor('lightsteelblue')  # between the maps
    rows[0].set_facecolor('white')
    rows[0].spines[:].set_visible(False)
    _save(figure, path)


def feature_maps_image(values):
    """float [h, w, n] of a convolution -> a PIL image of the n maps, 8 a row, on nothing.

    White is strong. Black is 0 or, if any is below that, as far below; grey is then 0.
    """
    most = _strongest(values)
    least = -most if values.min() < 0 else 0
    tiles = _tiles(values, 8)
    grey = np.clip((np.nan_to_num(tiles) - least) / (most - least), 0, 1) * 255
    return Image.fromarray(np.uint8(np.dstack([grey, 255 * ~np.isnan(tiles)])))


def _strongest(values):
    """What stands for full strength: scaled to its one strongest pixel, a layer would be pale."""
    return np.quantile(np.abs(values), 0.998) or np.abs(values).max() or 1


def _tiles(maps, across=16):
    """float [h, w, n] -> one picture of n, `across` a row, with NaN between and around them."""
    height, width, count = maps.shape
    gap = max(1, height // 14)
    tiles = np.full([-(-count // across) * (height + gap) + gap, across * (width + gap) + gap],
                    np.nan)
    for number in range(count):
        row, column = divmod(number, across)
        top, left = row * (height + gap) + gap, column * (width + gap) + gap
        tiles[top:top + height, left:left + width] = maps[..., number]
    return tiles


def score(counted, path) -> None:
    """Draw a scoring.Score: the confusion matrix, and what was missed, the first MOST_MISSED."""
    missed = counted.missed[:MOST_MISSED]
    height = 5.65 + 1.6 * -(-len(missed) // 8)
    figure = _figure(9, height, tight_layout=False)
    # Where the axes are, in inches from the left and from the top: matplotlib knows only shares.
    _matrix(figure.add_axes([0.5 / 9, 1 - 4.9 / height, 8 / 9, 4.5 / height]), counted)
    for number, picture in enumerate(missed):
        left, top = 0.15 + 1.1 * (number % 8), 5.95 + 1.6 * (number // 8)
        axes = figure.add_axes([left / 9, 1 - (top + 1) / height, 1 / 9, 1 / height])
        if picture.error:
            _show(axes, np.zeros([28, 28]))
            answer = 'unreadable'
        else:
            _show(axes, picture.images[0])
            (digit, probability, doubt), = picture.digits()
            answer = f'read {digit}{"?"[:bool(doubt)]}  {probability:.1%}'
        axes.set_title(f'label {picture.label}\n{answer}', fontsize=9)
        axes.set_xlabel(_plain(os.path.basename(picture.name), 16), fontsize=7)
    _save(figure, path)


def _matrix(axes, counted):
    """Counts as text on cells: what is right in blue, what is not in orange, by share of row."""
    from matplotlib import colors
    counts, heads = counted.confusion, list(range(10))
    if counted.unreadable.any():
        counts = np.column_stack([counts, counted.unreadable])
        heads.append('not\nread')
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = np.ones([*counts.shape, 3])
    for row, column in np.argwhere(counts):
        colour = np.array(colors.to_rgb(BLUE if row == column else ORANGE))
        weight = shares[row, column] if row == column else 0.3 + 0.7 * shares[row, column]
        cells[row, column] += weight * (colour - 1)
        axes.text(column, row, counts[row, column], ha='center', va='center', fontsize=10,
                  color='white' if cells[row, column].mean() < 0.55 else 'black')
    axes.imshow(cells)
    axes.set(xticks=range(len(heads)), xticklabels=heads, yticks=range(10), ylabel='label',
             xlabel='prediction')
    found = counted.summary()
    missed = found['of'] - found['right']
    more = f' (below: the first {MOST_MISSED})' if missed > MOST_MISSED else ''
    axes.set_title(f'accuracy: {found["accuracy"]:.4f} ({found["right"]} of {found["of"]}), '
                   f'missed: {missed}{more}', fontsize=11)


def _show(axes, pixels, **options):
    axes.imshow(pixels, **{'cmap': 'gray', **options})
    axes.set(xticks=[], yticks=[])


def _plain(text, most):
    """The last `most` columns of `text`, as matplotlib shall draw it: not as a formula."""
    if columns(text) > most:
        while columns(text) >= most:
            text = text[1:]
        text = '…' + text
    return text.encode(errors='backslashreplace').decode().replace('$', r'\$')


def _figure(width, height, tight_layout=True):
    from matplotlib import font_manager, rcParams  # half a second only for those who draw
    from matplotlib.figure import Figure
    installed = {font.name for font in font_manager.fontManager.ttflist}
    rcParams['font.family'] = ['DejaVu Sans', *(name for name in KOREAN if name in installed)]
    return Figure(figsize=(width, height), dpi=100, tight_layout=tight_layout)


def _save(figure, path):
    """Write the file, whole or not at all."""
    check(path)
    unfinished = f'{path}.unfinished'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # a name in letters that the font does not have
            figure.savefig(unfinished, format=os.path.splitext(path)[1][1:].lower())
        os.replace(unfinished, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(unfinished)
