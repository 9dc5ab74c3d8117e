"""Figures drawn with matplotlib, from arrays into files, without a display."""
import os
import warnings
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from digits import command_line, files
from digits.errors import UserError

ENDINGS = ('.png', '.jpg', '.jpeg', '.svg', '.pdf')
MAX_MISSED = 40  # missed images in one figure
# Fonts with Korean letters on Windows, macOS and Linux; matplotlib's own font has none.
KOREAN = ('Malgun Gothic', 'Apple SD Gothic Neo', 'NanumGothic', 'Noto Sans CJK KR')
BLUE, ORANGE = '#0072b2', '#e69f00'  # also for colour-blind readers: Okabe and Ito, 2008
# A misclassified image, uint8 [28, 28], or None if unreadable; two lines of text; its name.
Missed = Tuple[Optional[np.ndarray], str, str]


def check(path: Union[str, Path], names: Sequence[str] = (),
          max_pictures: Optional[int] = None) -> None:
    """Raise UserError unless the pictures `names` can be drawn into the file `path`."""
    folder, name = os.path.split(str(path))
    if not name.lower().endswith(ENDINGS):
        raise UserError(f'{path}: unsupported file type; use one of {" ".join(ENDINGS)}')
    if not os.path.isdir(folder or os.curdir):
        raise UserError(f'{path}: there is no folder {folder}; make it first')
    if max_pictures and len(names) > max_pictures:
        raise UserError(f'{path}: no more than {max_pictures} picture{"s"[:max_pictures > 1]} '
                        f'can be drawn, but there are {len(names)}; name fewer')
    if os.path.realpath(path) in map(os.path.realpath, names):
        raise UserError(f'{path}: is one of the pictures to read; draw into another file')


def new(width: float, height: float, tight_layout: bool = True) -> Any:
    """A matplotlib Figure, width and height in inches, with installed Korean fonts."""
    from matplotlib import font_manager, rcParams  # takes half a second
    from matplotlib.figure import Figure
    installed = {font.name for font in font_manager.fontManager.ttflist}
    rcParams['font.family'] = ['DejaVu Sans', *(name for name in KOREAN if name in installed)]
    return Figure(figsize=(width, height), dpi=100, tight_layout=tight_layout)


def save(figure: Any, path: Union[str, Path]) -> None:
    """Write the file atomically."""
    check(path)
    with files.replacing(Path(path)) as unfinished, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # a name with letters that no font has
        figure.savefig(str(unfinished), format=os.path.splitext(path)[1][1:].lower())


def show(axes: Any, pixels: np.ndarray, **options: Any) -> None:
    """Show pixels in grey, without ticks."""
    axes.imshow(pixels, **{'cmap': 'gray', **options})
    axes.set(xticks=[], yticks=[])


def plain(text: str, max_columns: int) -> str:
    """The last max_columns columns of a text; $ is escaped, or matplotlib would draw a formula."""
    if command_line.columns(text) > max_columns:
        while command_line.columns(text) >= max_columns:
            text = text[1:]
        text = '…' + text
    return text.encode(errors='backslashreplace').decode().replace('$', r'\$')


def tiles(maps: np.ndarray, across: int = 16) -> np.ndarray:
    """float [h, w, n] -> n tiles in one picture, `across` per row, with NaN between and around."""
    height, width, count = maps.shape
    gap = max(1, height // 14)
    drawn = np.full([-(-count // across) * (height + gap) + gap, across * (width + gap) + gap],
                    np.nan)
    for number in range(count):
        row, column = divmod(number, across)
        top, left = row * (height + gap) + gap, column * (width + gap) + gap
        drawn[top:top + height, left:left + width] = maps[..., number]
    return drawn


def strongest(values: np.ndarray) -> float:
    """The magnitude to draw as white; the maximum itself is often an outlier, for a pale image."""
    return np.quantile(np.abs(values), 0.998) or np.abs(values).max() or 1


def ten_digits(images: np.ndarray, labels: np.ndarray, path: Union[str, Path]) -> None:
    """Draw the first image of each digit, 12 x 5 inches, two rows of five.

    images: [n, 784], any range; labels: [n], 0 to 9. A digit that has no image is left out.
    """
    figure = new(12, 5)
    for digit, axes in enumerate(figure.subplots(2, 5).flat):
        axes.axis('off')
        found = np.flatnonzero(labels == digit)
        if found.size:
            axes.imshow(images[found[0]].reshape(28, 28), cmap='gray_r')
            axes.set_title(digit, fontsize=16)
    save(figure, path)


def weights(layer: np.ndarray, path: Union[str, Path]) -> None:
    """Draw weights float [h, w, n] as n images: 16 per row, or all ten in one row."""
    largest = np.abs(layer).max() or 1.0
    drawn = tiles(layer, 10 if layer.shape[2] == 10 else 16)
    figure = new(9, 0.5 + 8.7 * len(drawn) / drawn.shape[1])
    axes = figure.subplots()
    show(axes, drawn, cmap='gray', vmin=-largest, vmax=largest)
    if layer.shape[2] == 10:  # a digit each
        step = (drawn.shape[1] - 1) / 10
        axes.set_xticks([step * (digit + 0.5) for digit in range(10)])
        axes.set_xticklabels(range(10))
    axes.set_facecolor('lightsteelblue')
    axes.set_title(f'grey is 0, black {-largest:.2g}, white {largest:.2g}', fontsize=9, loc='left')
    save(figure, path)


def feature_maps(maps: Sequence[Tuple[str, np.ndarray]], image: np.ndarray,
                 path: Union[str, Path]) -> None:
    """Draw feature maps [(title, float [h, w, n])] under their image uint8 [28, 28], 16 a row."""
    parts: List[Tuple[str, np.ndarray, str, float, float]] = [
        ('what the network sees', image[..., np.newaxis] / 255, 'gray', 0, 1)]
    for title, values in maps:
        most = strongest(values)
        below = values.min() < 0
        scale = f'{"grey" if below else "white"} is 0, black {most:.2f} and above'
        if below:
            scale += f', white {-most:.2f} and below'
        parts.append((f'{title}: {scale}', values, 'gray_r', -most if below else 0, most))
    tiled = [tiles(values) for _, values, *_ in parts]
    heights = [0.5 + 8.7 * len(drawn) / drawn.shape[1] for drawn in tiled]
    figure = new(9, sum(heights))
    rows = figure.subplots(len(parts), gridspec_kw={'height_ratios': heights})
    for axes, drawn, (title, _, cmap, least, most) in zip(rows, tiled, parts):
        show(axes, drawn, cmap=cmap, vmin=least, vmax=most)
        axes.set_title(title, fontsize=9, loc='left')
        axes.set_anchor('W')
        axes.set_facecolor('lightsteelblue')  # between the maps
    rows[0].set_facecolor('white')
    rows[0].spines[:].set_visible(False)
    save(figure, path)


def feature_maps_image(values: np.ndarray) -> Image.Image:
    """float [h, w, n] of a convolution -> a PIL image of n maps, 8 per row, transparent between.

    White is strong. Black is 0; if there are negative values, grey is 0 and black is negative.
    """
    most = strongest(values)
    least = -most if values.min() < 0 else 0
    drawn = tiles(values, 8)
    grey = np.clip((np.nan_to_num(drawn) - least) / (most - least), 0, 1) * 255
    return Image.fromarray(np.uint8(np.dstack([grey, 255 * ~np.isnan(drawn)])))


def confusion_matrix(confusion: np.ndarray, unreadable: np.ndarray, missed: Sequence[Missed],
                     path: Union[str, Path]) -> None:
    """Draw a confusion matrix and, below it, the first MAX_MISSED misclassified images.

    confusion: int [10, 10], rows are labels; unreadable: int [10], by label.
    """
    shown = missed[:MAX_MISSED]
    height = 5.65 + 1.6 * -(-len(shown) // 8)
    figure = new(9, height, tight_layout=False)
    # Positions are in inches from the left and the top; matplotlib takes fractions from the bottom.
    _matrix(figure.add_axes([0.5 / 9, 1 - 4.9 / height, 8 / 9, 4.5 / height]), confusion,
            unreadable)
    for number, (image, text, name) in enumerate(shown):
        left, top = 0.15 + 1.1 * (number % 8), 5.95 + 1.6 * (number // 8)
        axes = figure.add_axes([left / 9, 1 - (top + 1) / height, 1 / 9, 1 / height])
        show(axes, np.zeros([28, 28]) if image is None else image)
        axes.set_title(text, fontsize=9)
        axes.set_xlabel(plain(os.path.basename(name), 16), fontsize=7)
    save(figure, path)


def _matrix(axes, confusion, unreadable):
    """Draw counts on cells: blue if right, orange if wrong, darker for a larger part of the row."""
    from matplotlib import colors
    counts, heads = confusion, list(range(10))
    if unreadable.any():
        counts = np.column_stack([counts, unreadable])
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
    right, of = int(confusion.trace()), int(counts.sum())
    more = f' (below: the first {MAX_MISSED})' if of - right > MAX_MISSED else ''
    axes.set_title(f'accuracy: {right / of:.4f} ({right} of {of}), missed: {of - right}{more}',
                   fontsize=11)
