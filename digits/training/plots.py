"""The plots of a run, drawn into its folder, and those of many runs."""
import textwrap
from pathlib import Path
from typing import Dict, Sequence, Tuple, Union

import numpy as np

from digits import figures, texts
from digits.datasets.dataset import DataSet, Datasets
from digits.training import calibration
from digits.training.models import Model
from digits.training.record import Record


def of_run(folder: Path, record: Record, data: Datasets, model: Model) -> None:
    """Draw a run into its folder: digits.png, curves.png, missed.png, weights.png, maps.png.

    missed.png shows the test set. There is no maps.png without convolutions, and no curves.png
    without evaluations on validation images.
    """
    images, labels = next(data.train.in_order(1000))
    figures.ten_digits(images, labels, folder / 'digits.png')
    if any('validation_loss' in entry for entry in record.evaluations.values()):
        curves(record.evaluations, folder / 'curves.png')
    missed(record, data.test, model, folder / 'missed.png')
    first = next(iter(model.weights().values()))
    if first.ndim == 4:
        figures.weights(first[:, :, 0], folder / 'weights.png')
    elif first.ndim == 2 and len(first) == 784:
        figures.weights(first.reshape(28, 28, -1), folder / 'weights.png')
    one = next(data.test.in_order(1))[0]
    maps = model.feature_maps(one)
    if maps:
        figures.feature_maps(maps, data.test.pixels[0].reshape(28, 28), folder / 'maps.png')


def missed(record: Record, test: DataSet, model: Model, path: Path) -> None:
    """Draw the test set's confusion matrix and the misclassified images."""
    logits = np.concatenate([model.logits(images) for images, _ in test.in_order(1000)])
    found = record.calibration
    probabilities = calibration.probabilities(logits, found['scale'] if found else 1.0)
    predictions = probabilities.argmax(axis=1)
    confusion = np.zeros([10, 10], int)
    np.add.at(confusion, (test.labels, predictions), 1)
    wrong = np.flatnonzero(predictions != test.labels)
    doubts = calibration.reasons(logits[wrong], found['least'], found['scale']) if found else \
        [''] * len(wrong)
    images = test.pixels.reshape(-1, 28, 28)
    figures.confusion_matrix(confusion, np.zeros(10, int), [
        (images[index], f'label {test.labels[index]}\nread {predictions[index]}'
         f'{"?"[:bool(doubt)]}  {texts.percent(probabilities[index].max())}', f'test image {index}')
        for index, doubt in zip(wrong, doubts)], path)


def curves(evaluations: Dict[str, Dict[str, float]], path: Path) -> None:
    """Draw training and validation loss, and validation accuracy, by step."""
    figure = figures.new(9, 3.6)
    left, right = figure.subplots(1, 2)
    steps, entries = list(map(int, evaluations)), list(evaluations.values())
    left.plot(steps, [entry.get('loss', np.nan) for entry in entries], 'o--', color=figures.ORANGE,
              label='training: the last minibatch, with\ndropout and whatever makes it harder')
    left.plot(steps, [entry['validation_loss'] for entry in entries], 's-', color=figures.BLUE,
              label='validation: without, so it can be lower')
    left.set(title='loss', xlabel='step', ylim=(0, None))
    left.legend(frameon=False, fontsize=8)
    right.plot(steps, [entry['validation_accuracy'] for entry in entries], 's-', color=figures.BLUE)
    right.set(title='accuracy on validation images', xlabel='step')
    for axes in (left, right):
        axes.title.set_fontsize(10)
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figures.save(figure, path)


def accuracy_against_seconds(points: Sequence[Tuple[float, float, str]],
                             path: Union[str, Path]) -> None:
    """Draw runs as numbered points, with a legend below: [(seconds, accuracy in [0, 1], text)].

    Raises UserError if the file's type is not supported.
    """
    names = [textwrap.fill(f'{number}  {text}', 100, subsequent_indent='     ',
                           break_on_hyphens=False)
             for number, (_, _, text) in enumerate(points, 1)]
    below = '\n'.join(names)
    from matplotlib import ticker
    figure = figures.new(9, 5 + 0.17 * len(below.splitlines()))
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
    figures.save(figure, path)
