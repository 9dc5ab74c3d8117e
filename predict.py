"""Which digit is in a picture? Restores the newest checkpoint and reads any picture file.

A folder stands for all pictures in it.

$ python predict.py data/3-pencil-photo.jpg data/7-chalk.jpg data/8-dark-canvas.png
data/3-pencil-photo.jpg  3   90.79%   (then 9: 1.21%)
data/7-chalk.jpg         7   90.11%   (then 3: 1.49%)
data/8-dark-canvas.png   8   92.83%   (then 0: 0.97%)
"""
import argparse
import contextlib
import itertools
import json
import sys
from pathlib import Path

import numpy as np

from digits import classifier, command_line, reading


def describe(probabilities) -> str:
    """'3  99.87 %   (then 8: 0.05 %)' of ten probabilities."""
    digit, runner_up = np.argsort(-probabilities, kind='stable')[:2]  # of equals, argmax's first
    return (f'{digit}  {probabilities[digit]:7.2%}   '
            f'(then {runner_up}: {probabilities[runner_up]:.2%})')


def random_image(args) -> tuple:
    """(its name, uint8 [1, 28, 28], its label) of a random image of the test set."""
    from digits import input_data  # who names pictures needs no data set
    args.seed, args.quiet, args.validation_size = 0, False, 0
    test = input_data.load(args, dtype=np.uint8).test
    index = np.random.RandomState().randint(test.num_examples)
    return f'test image {index}', test.images[index].reshape(1, 28, 28), int(test.labels[index])


def show(names, probabilities, width=1, label=None, as_json=False):
    """Print a line for each name, filled up to `width`, and its row of `probabilities` [n, 10]."""
    for name, row in zip(names, probabilities):
        if as_json:
            result = {'file': name, 'digit': int(row.argmax()),
                      'probability': float(row.max()), 'probabilities': row.tolist()}
            print(json.dumps(result if label is None else {**result, 'label': label}))
        else:
            known = '' if label is None else f'label {label}, prediction '
            print(f'{name:{width}}  {known}{describe(row)}')
    sys.stdout.flush()


def main(argv=None):
    """Print a line for each picture; returns nothing."""
    parser = argparse.ArgumentParser(prog='predict.py', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', nargs='*', metavar='IMAGE',
                        help='picture files, or folders with pictures in them')
    parser.add_argument('--random', action='store_true',
                        help='a random image of the test set, with its label')
    parser.add_argument('--run-dir', metavar='DIR',
                        help='the run to restore (default: the newest in runs/, a CNN if any)')
    parser.add_argument('--json', action='store_true', help='print one JSON object a line')
    command_line.data_flags(parser)
    args = parser.parse_args(argv)
    if bool(args.images) == args.random:
        parser.error('name pictures to read, for example data/3-pencil-photo.jpg, or --random')

    def restored():
        return classifier.restore(Path(args.run_dir) if args.run_dir else classifier.newest_run())

    if args.random:
        name, image, label = random_image(args)
        show([name], restored()(image), label=label, as_json=args.json)
        return
    names, mistakes = reading.named(args.images)
    width = max(map(len, names), default=0)
    classify, failures = None, 0
    with contextlib.closing(reading.in_batches(names)) as batches:
        for readable, images, sentences in itertools.chain([([], None, mistakes)], batches):
            if readable:
                classify = classify or restored()
                show(readable, classify(images), width, as_json=args.json)
            failures += len(sentences)
            for sentence in sentences:
                print(f'predict.py: {sentence}', file=sys.stderr)
    if failures:
        raise SystemExit(1 if classify else 2)


if __name__ == '__main__':
    command_line.run(main)
