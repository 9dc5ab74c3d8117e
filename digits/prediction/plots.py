"""What predict.py draws of its results."""
from pathlib import Path
from typing import List, Sequence, Union

from digits import figures
from digits.figures import show, write
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
        show(left, batches.for_display(picture, 400)[0])
        write(left.set_title('', fontsize=9), picture.name, 2.2)
        show(middle, picture.images[0])
        if doubt == calibration.UNLIKE:  # its probabilities mean little
            right.axis('off')
        else:
            _bars(right, picture.probabilities[0])
        if doubt:
            write(right.set_title('', fontsize=9, loc='left'), f'not sure: {doubt}', 3.5)
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
