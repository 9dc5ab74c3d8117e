"""What predict.py draws of its results."""
from pathlib import Path
from typing import List, Sequence, Union

from digits import figures
from digits.figures import BLUE, plain, show
from digits.prediction import batches
from digits.prediction.results import Result
from digits.prediction.scoring import Score
from digits.texts import percent
from digits.training import calibration

MAX_RESULTS = 20  # in one drawing, a row each


def results(found: Sequence[Result], path: Union[str, Path]) -> None:
    """Draw a row for each Result of one digit: the picture, its 28 x 28, its ten probabilities."""
    figure = figures.new(9, 0.3 + 1.9 * len(found))
    rows = figure.subplots(len(found), 3, squeeze=False,
                           gridspec_kw={'width_ratios': [1.2, 1, 2.2]})
    for picture, (left, middle, right) in zip(found, rows):
        (digit, _, doubt), = picture.digits()
        show(left, batches.upright(picture, 400)[0])
        left.set_title(plain(picture.name, 30), fontsize=9)
        show(middle, picture.images[0])
        unsure = f'not sure: {doubt}' if doubt else ''
        if doubt == calibration.UNLIKE:  # its probabilities mean little
            right.axis('off')
        else:
            _bars(right, picture.probabilities[0])
        right.set_title(plain(unsure, 50), fontsize=9, loc='left')
    rows[0][1].set_title('what the network sees', fontsize=9)
    figures.save(figure, path)


def _bars(axes, probabilities):
    """Ten bars; that of the most probable digit differs by darkness, and has its number on it."""
    best = probabilities.argmax()
    axes.bar(range(10), probabilities, color=['black' if digit == best else '0.75'
                                              for digit in range(10)])
    axes.text(best, probabilities[best] + 0.02, percent(probabilities[best]), ha='center',
              va='bottom', fontsize=9)
    axes.set(ylim=(0, 1.15), yticks=[0, 0.5, 1], yticklabels=['0', '50 %', '100 %'],
             xlim=(-0.6, 9.6), xticks=range(10))
    axes.get_xticklabels()[best].set(weight='bold', size=13, family='DejaVu Sans')
    axes.spines[['top', 'right']].set_visible(False)


def pages(found: Sequence[Result], path: Union[str, Path]) -> None:
    """Draw each Result of a page, below the one before, with a box and the digit on each digit."""
    seen = [batches.upright(picture, 1600) for picture in found]
    heights = [0.4 + 8.6 * min(height / width, 2) for _, width, height in seen]
    figure = figures.new(9, sum(heights))
    rows = figure.subplots(len(seen), squeeze=False, gridspec_kw={'height_ratios': heights})
    for picture, (pixels, width, height), (axes,) in zip(found, seen, rows):
        assert picture.boxes is not None  # it is a page
        show(axes, pixels, extent=(0, width, height, 0))
        axes.set_title(plain(picture.name, 100), fontsize=9)
        for (left, top, right, bottom), (digit, _, doubt) in zip(picture.boxes, picture.digits()):
            axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top],
                      color=BLUE, linewidth=1.5, linestyle='--' if doubt else '-')
            axes.text(left, top, f'{digit}{"?"[:bool(doubt)]}', color='white', fontsize=10,
                      va='bottom', bbox={'facecolor': BLUE, 'edgecolor': 'none', 'pad': 1})
    figures.save(figure, path)


def score(counted: Score, path: Union[str, Path]) -> None:
    """Draw a Score: the confusion matrix, and what was missed."""
    missed: List[figures.Missed] = []
    for result in counted.missed:
        image, answer = None, 'unreadable'
        if not result.error:
            (digit, probability, doubt), = result.digits()
            how = f'?  {doubt}' if doubt else f'  {percent(probability)}'
            image, answer = result.images[0], f'read {digit}{how}'
        missed.append((image, f'label {result.label}\n{answer}', result.name))
    figures.confusion_matrix(counted.confusion, counted.unreadable, missed, path)
