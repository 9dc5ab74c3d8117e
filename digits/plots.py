"""Pictures drawn with matplotlib, straight into files: no display is needed."""
import textwrap

import numpy as np

from digits.errors import UserError


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


def _figure(width, height):
    from matplotlib.figure import Figure  # half a second that only those who draw wait for
    return Figure(figsize=(width, height), dpi=100, tight_layout=True)


def _save(figure, path):
    try:
        figure.savefig(str(path))
    except ValueError as error:  # not a kind of file that matplotlib writes
        raise UserError(f'{path}: {error}') from error
