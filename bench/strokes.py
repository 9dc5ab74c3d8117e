"""Measure how well softmax regression trained on strokes reads MNIST, and why.

$ python bench/strokes.py

Trains softmax regression on strokes alone, with all features of the generator and with one left out
at a time, and scores it on MNIST's first 10,000 training images, never on its test set:
digits/datasets/strokes.py was developed with these, so run this when you change it. Counts in how
many images of both data sets ink encloses paper. Writes the section `strokes` of RESULTS.md, and
strokes.png, 200 of the digits; with --mnist-sheet FILE also 200 of MNIST's for comparison, which
must not be redistributed. With --run-dir RUN also the confusion matrix of that run, of
`mnist_cnn.py --dataset strokes`.
"""
import argparse
import datetime
import math
import os
import sys
from pathlib import Path

import numpy as np
import turns
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from digits import command_line  # noqa: E402
from digits.datasets import idx, ink, strokes  # noqa: E402
from digits.prediction import classifier  # noqa: E402
from digits.training.record import Record  # noqa: E402

PROXY = 10000  # of MNIST's training images; the default validation set is the first 5,000 of them


def set_constants(**values):
    """A change: constants of strokes.py or ink.py of those names have those values."""
    return values


def set_styles(**values):
    """A change: every digit's Style has those values."""
    return {'STYLES': tuple(style._replace(**values) for style in strokes.STYLES)}


def set_ways(change):
    """A change: `change` is applied to every way of writing."""
    return {'SKELETONS': {digit: [change(way) for way in ways]
                          for digit, ways in strokes.SKELETONS.items()}}


def levers():
    """{feature: the constants of digits/datasets/strokes.py and ink.py that leave it out}."""
    return {
        'all of it': {},
        'one example of each way': set_ways(lambda way: way._replace(
            examples=way.examples.strip().split('\n')[0])),
        'every way as often as the others': set_ways(lambda way: way._replace(weight=1)),
        'no mix beyond the examples': set_constants(EXAGGERATION=1.0),
        'no taper, waist, bow of a digit': set_styles(taper=0, waist=0, bow=0),
        'no taper, waist, bow at all': {**set_styles(taper=0, waist=0, bow=0),
                                        **set_constants(PROPORTIONS=0)},
        'one width and slant for all digits': set_styles(width=1.15, slant=0.0),
        'one pen for all digits': set_styles(pen=1.0),
        'one freedom for all digits': set_styles(freedom=1.0),
        'no point missed': set_constants(MISS=0, MISS_OF_STROKE=0),
        'no wave': set_constants(WAVE=0),
        'no spread of slant': set_constants(SLANT=(strokes.SLANT[0], 0)),
        'no spread of width': set_constants(WIDTH=0),
        'no rotation': set_constants(ROTATION=0),
        'no spread of the pen': set_constants(PEN_WIDTH=(ink.PEN_WIDTH[0], 0)),
        'normal distributions not truncated': set_styles(max_sd=math.inf),
        'pens that fill loops': set_styles(max_radius=math.inf),
        'no specks': set_styles(specks=0),
        'no pressure, no rough edges': set_constants(PRESSURE=0, ROUGHNESS=0),
    }


def make(count, seed, constants):
    """strokes.make() with some constants of the modules that draw changed."""
    places = {name: strokes if hasattr(strokes, name) else ink for name in constants}
    before = {name: getattr(place, name) for name, place in places.items()}
    try:
        for name, value in constants.items():
            setattr(places[name], name, value)
        return strokes.make(count, seed)
    finally:
        for name, value in before.items():
            setattr(places[name], name, value)


def train(images, labels, epochs=18, batch=500, rate=0.5):
    """W [784, 10] and b [10] of softmax regression in NumPy, as long as 5,500 steps of 100 at 0.1.

    Means over the last third: from step to step the score swings by 0.002, that of the means by a
    quarter of that.
    """
    random = np.random.RandomState(0)
    x, y = images.reshape(len(images), 784), np.eye(10, dtype=np.float32)[labels]
    W, b = np.zeros([784, 10], np.float32), np.zeros(10, np.float32)
    sums, late = [np.zeros_like(W), np.zeros_like(b)], 0
    for epoch in range(epochs):
        order = random.permutation(len(x))
        for start in range(0, len(x), batch):
            rows = order[start:start + batch]
            inputs = np.multiply(x[rows], np.float32(1 / 255), dtype=np.float32)
            logits = inputs @ W + b
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            error = (p / p.sum(axis=1, keepdims=True) - y[rows]) / len(rows)
            W -= rate * (inputs.T @ error)
            b -= rate * error.sum(axis=0)
            if epoch >= epochs * 2 // 3:
                sums, late = [sums[0] + W, sums[1] + b], late + 1
    return sums[0] / late, sums[1] / late


def predictions(weights, images):
    """The digits that softmax regression predicts: int [n]."""
    W, b = weights
    return (images.reshape(len(images), 784).astype(np.float32) / 255 @ W + b).argmax(axis=1)


def confusion(read, labels):
    """How often each digit (row) is read as each (column): int [10, 10]."""
    counts = np.zeros([10, 10], int)
    np.add.at(counts, (labels, read), 1)
    return counts


def table(counts):
    """A confusion matrix as a Markdown table."""
    return ['| is, read as | ' + ' | '.join(map(str, range(10))) + ' | right |',
            '|---' * 12 + '|',
            *(f'| {digit} | ' + ' | '.join(map(str, row)) + f' | {row[digit] / row.sum():.4f} |'
              for digit, row in enumerate(counts))]


def have_holes(images):
    """Whether ink encloses paper in images uint8 [n, 28, 28]: bool [n]."""
    paper = np.pad(images < 128, [(0, 0), (1, 1), (1, 1)], mode='constant', constant_values=True)
    reached = np.zeros_like(paper)
    reached[:, 0] = True
    count = 0
    while reached.sum() > count:  # from the frame, a pixel further with every round
        count = reached.sum()
        for here, there in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:, :, 1:], np.s_[:, :, :-1])):
            reached[here] |= reached[there] & paper[here]
            reached[there] |= reached[here] & paper[there]
    return (paper & ~reached).any(axis=(1, 2))


def sheet(images, labels, path):
    """The first 20 images of each digit, dark on white, a row for each."""
    rows = [np.hstack(images[labels == digit][:20]) for digit in range(10)]
    Image.fromarray(255 - np.vstack(rows)).quantize(16).save(path, optimize=True)


def main(argv=None):
    """Print each figure, write the section and the picture."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data-dir', type=Path,
                        default=os.environ.get('MNIST_DATA_DIR') or HERE.parent / 'data',
                        help='with the files of MNIST')
    parser.add_argument('--run-dir', type=Path, metavar='RUN', help='a run trained on strokes')
    parser.add_argument('--count', type=int, default=30000, help='how many strokes to train on')
    parser.add_argument('--seeds', type=int, default=2, help='data sets per row')
    parser.add_argument('--mnist-sheet', type=Path, metavar='FILE',
                        help="draw 200 of MNIST's digits, not for redistribution")
    parser.add_argument('--sheets-only', action='store_true', help='measure nothing')
    args = parser.parse_args(argv)

    sheet(*strokes.make(1000), HERE / 'strokes.png')
    mnist = None
    if args.mnist_sheet or not args.sheets_only:
        mnist = [array[:PROXY] for array in idx.read_folder(args.data_dir)[:2]]
    if args.mnist_sheet:
        sheet(mnist[0][..., 0], mnist[1], args.mnist_sheet)
    if args.sheets_only:
        return
    images, labels = mnist
    rows, counts, whole = [], None, None
    for name, constants in levers().items():
        read = [predictions(train(*make(args.count, seed, constants)), images)
                for seed in range(args.seeds)]
        accuracy = np.mean([np.mean(r == labels) for r in read])
        if counts is None:
            whole, counts = accuracy, confusion(read[0], labels)
        rows.append(f'| {name} | {accuracy:.4f} | {accuracy - whole:+.4f} |')
        print(rows[-1], flush=True)
    print('\n'.join(table(counts)))
    ours, digits = strokes.make(PROXY)
    holes = [[have_holes(those)[of == digit].mean() for digit in range(10)]
             for those, of in ((images[..., 0], labels), (ours, digits))]
    lines = ['Share that encloses paper:', '', '| | ' + ' | '.join(map(str, range(10))) + ' |',
             '|---' * 11 + '|',
             *(f'| {whose} | ' + ' | '.join(f'{share:.3f}' for share in row) + ' |'
               for whose, row in zip(('MNIST', 'strokes'), holes)), '']
    if args.run_dir:
        read = classifier.restore(args.run_dir)(images[..., 0])[0].argmax(axis=1)
        lines += [f'{Record.read(args.run_dir).script}.py, trained on strokes: '
                  f'{np.mean(read == labels):.4f} of them.', '',
                  *table(confusion(read, labels)), '']
    print('\n'.join(lines))
    turns.write('strokes', '\n'.join([
        '## strokes', '',
        f'Softmax regression, trained on {args.count:,} strokes and on nothing else, on the first '
        f"{PROXY:,} of MNIST's training images: mean of {args.seeds} data sets, and how much a row "
        'differs from all of it. A difference of 0.001 may be chance.', '',
        '| left out | right | |', '|---|---|---|', *rows, '',
        'Of the first data set, all of it:', '', *table(counts), '', *lines,
        f'Python {sys.version.split()[0]}, numpy {np.__version__}; {datetime.date.today()}.', '']))


if __name__ == '__main__':
    command_line.run(main)
