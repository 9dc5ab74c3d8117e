"""Figures drawn with matplotlib, from arrays into files, without a display."""
import contextlib
import os
import warnings
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from digits import files, fonts
from digits.errors import UserError

ENDINGS = ('.png', '.jpg', '.jpeg', '.svg', '.pdf')
MAX_MISSED = 40  # missed images in one figure
DPI = 100
BLUE, ORANGE = '#0072b2', '#e69f00'  # also for colour-blind readers: Okabe and Ito, 2008
# A misclassified image, uint8 [28, 28], or None if unreadable; two lines of text; its name.
Missed = Tuple[Optional[np.ndarray], str, str]


def check(path: Union[str, Path], names: Sequence[str] = (),
          max_pictures: Optional[int] = None) -> None:
    """Raise UserError unless the pictures `names` can be drawn into the file `path`."""
    if not str(path).lower().endswith(ENDINGS):
        raise UserError(f'{path}: unsupported file type; use one of {" ".join(ENDINGS)}')
    files.check(path, names)
    if max_pictures and len(names) > max_pictures:
        raise UserError(f'{path}: no more than {max_pictures} picture{"s"[:max_pictures > 1]} '
                        f'can be drawn, but there are {len(names)}; name fewer')


def new(width: float, height: float, tight_layout: bool = True) -> Any:
    """A matplotlib Figure, width and height in inches, on an Agg canvas of DPI pixels an inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes half a second
    from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), dpi=DPI, tight_layout=tight_layout)
    FigureCanvasAgg(figure)
    return figure


@contextlib.contextmanager
def _without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of letters that no font here has: they are drawn as boxes
        yield


def extent(text: Any) -> Tuple[float, float]:
    """Width and height in inches of a matplotlib Text."""
    with _without_warnings():
        box = text.get_window_extent(text.figure.canvas.get_renderer())
    return box.width / DPI, box.height / DPI


def save(figure: Any, path: Union[str, Path]) -> None:
    """Write the file atomically."""
    check(path)
    with files.replacing(Path(path)) as unfinished, _without_warnings():
        figure.savefig(str(unfinished), format=os.path.splitext(path)[1][1:].lower())


def show(axes: Any, pixels: np.ndarray, **options: Any) -> None:
    """Show pixels in grey, without ticks."""
    axes.imshow(pixels, **{'cmap': 'gray', **options})
    axes.set(xticks=[], yticks=[])


def write(artist: Any, text: str, width: float, behind: str = '') -> None:
    """Give a matplotlib Text any text, such as a file's name, and `behind` after it.

    In a font that has its letters, whole or, in `width` inches, its end. Characters that cannot be
    drawn are escaped, and so is $: matplotlib would draw $...$ as a formula.
    """
    artist.set_family(fonts.families(text))
    kept, start = text, ''
    while True:
        plain = (start + kept).encode(errors='backslashreplace').decode().replace('$', r'\$')
        artist.set_text(plain + behind)
        wide = extent(artist)[0]
        if wide <= width or not kept:
            return
        # As many letters less as the mean width says, one at least: a few rounds.
        kept, start = kept[max(1, int(len(kept) * (1 - width / wide))):], '…'


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
    """Draw feature maps [(title, float [h, w, n])] under their image uint8 [28, 28], 16 a row.

    White is strong, as in `weights` and on draw.py's page. Black is 0 or, if any is below that,
    as far below; grey is then 0.
    """
    parts: List[Tuple[str, np.ndarray, float, float]] = [
        ('what the network sees', image[..., np.newaxis] / 255, 0, 1)]
    for title, values in maps:
        most = strongest(values)
        below = values.min() < 0
        scale = f'{"grey" if below else "black"} is 0, white {most:.2f} and above'
        if below:
            scale += f', black {-most:.2f} and below'
        parts.append((f'{title}: {scale}', values, -most if below else 0, most))
    tiled = [tiles(values) for _, values, *_ in parts]
    heights = [0.5 + 8.7 * len(drawn) / drawn.shape[1] for drawn in tiled]
    figure = new(9, sum(heights))
    rows = figure.subplots(len(parts), gridspec_kw={'height_ratios': heights})
    for axes, drawn, (title, _, least, most) in zip(rows, tiled, parts):
        show(axes, drawn, vmin=least, vmax=most)
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
        write(axes.set_xlabel('', fontsize=7), os.path.basename(name), 1)
    save(figure, path)


def _matrix(axes, confusion, unreadable):
    """Draw counts on cells: right in blue, by share of the row; wrong in orange, by count.

    As shares, one error and four of a thousand would look alike.
    """
    from matplotlib import colors
    counts, heads = confusion, list(range(10))
    if unreadable.any():
        counts = np.column_stack([counts, unreadable])
        heads.append('not\nread')
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    weights = 0.15 + 0.85 * wrong / max(wrong.max(), 1)
    np.fill_diagonal(weights, confusion.diagonal() / np.maximum(counts.sum(axis=1), 1))
    cells = np.ones([*counts.shape, 3])
    for row, column in np.argwhere(counts):
        colour = np.array(colors.to_rgb(BLUE if row == column else ORANGE))
        cells[row, column] += weights[row, column] * (colour - 1)
        axes.text(column, row, counts[row, column], ha='center', va='center', fontsize=10,
                  color='white' if cells[row, column] @ (0.3, 0.59, 0.11) < 0.5 else 'black')
    axes.imshow(cells)
    axes.set(xticks=range(len(heads)), xticklabels=heads, yticks=range(10), ylabel='label',
             xlabel='prediction')
    right, of = int(confusion.trace()), int(counts.sum())
    more = f' ({MAX_MISSED} of them below)' if of - right > MAX_MISSED else ''
    axes.set_title(f'accuracy: {right / of:.4f} ({right} of {of}), missed: {of - right}{more}',
                   fontsize=11)
