"""Which digit is in a picture? Restores the newest checkpoint and reads any picture file.

IMAGE may also be a folder, for all pictures in it, or - for standard input. --page reads several
digits in a picture, --table writes its tables as CSV, --labels scores labelled pictures, --plot and
--feature-maps draw figures.

$ python predict.py data/3-pencil-photo.jpg data/7-chalk.jpg data/8-dark-canvas.png
data/3-pencil-photo.jpg  3   99.9%   (then 9: 0.0%)
data/7-chalk.jpg         7   99.9%   (then 3: 0.0%)
data/8-dark-canvas.png   8   99.9%   (then 4: 0.0%)
"""
import contextlib
import json
import sys
from pathlib import Path

from digits import command_line, figures, files, texts  # isort: skip: it says what is missing
import numpy as np

from digits.errors import UserError
from digits.prediction import batches, classifier, page_plots, plots, results, scoring, tables


def parse(argv):
    """The flags; a usage error if they contradict each other."""
    parser = command_line.Parser('predict.py', __doc__)
    parser.add_argument('images', nargs='*', metavar='IMAGE',
                        help='picture files, folders with pictures in them, or -')
    parser.add_argument('-r', '--recursive', action='store_true',
                        help='also read the pictures in subfolders')
    how = parser.add_mutually_exclusive_group()
    how.add_argument('--page', action='store_true', help='read all digits in a picture')
    how.add_argument('--labels', metavar='CSV', help='score the pictures in this table with the '
                     'columns file and label; file is relative to its folder, or to IMAGE')
    how.add_argument('--random', action='store_true',
                     help='a random image of the test set, with its label')
    parser.add_argument('--table', metavar='CSV', help='with --page, write the cells of printed '
                        'tables: one line per row, one field per cell; for several pictures, each '
                        'line begins with the name')
    parser.add_argument('--plot', metavar='FILE', help='draw the results')
    parser.add_argument('--feature-maps', metavar='FILE',
                        help='draw the feature maps of the convolutions for one picture')
    parser.add_argument('--run-dir', metavar='DIR',
                        help='the run to restore (default: the newest in runs/, a CNN if any)')
    parser.add_argument('--json', action='store_true', help='print one JSON object per line')
    command_line.data_flags(parser)
    argv = sys.argv[1:] if argv is None else argv
    end = [*argv, '--'].index('--')  # parse_intermixed_args does not support it
    args = parser.parse_intermixed_args(argv[:end])  # flags before, between and after pictures
    args.images += argv[end + 1:]
    if bool(args.images) == args.random and not args.labels:
        parser.error('name pictures to read, for example data/3-pencil-photo.jpg, or --random')
    if args.labels and len(args.images) > 1:
        parser.error('--labels names the pictures; give at most their folder')
    if args.feature_maps and (args.labels or args.page):
        parser.error('--feature-maps is for one digit, not for --labels or --page')
    if args.table and not args.page:
        parser.error('--table is for --page')
    if args.plot and args.plot == args.feature_maps:
        parser.error('--plot and --feature-maps need different files')
    return args


def random_image(args):
    """Yield [a Result], a random image of the test set."""
    from digits import input_data  # only --random needs a data set
    args.seed, args.quiet, args.validation_size = 0, False, 0
    test = input_data.load(args, dtype=np.uint8).test
    index = np.random.RandomState().randint(test.num_examples)
    yield [results.Result(f'test image {index}', test.images[index].reshape(1, 28, 28),
                           label=int(test.labels[index]), file=False)]


def show(pictures, width, args):
    """Print a line or an object for each picture, and a message for each that cannot be read."""
    for picture in pictures:
        if args.json:
            print(json.dumps(picture.as_object()))
        elif args.labels or not picture.error:
            print(picture.line(width))
    sys.stdout.flush()
    for picture in pictures:
        if picture.error:
            print(f'predict.py: {picture.error}', file=sys.stderr)


def main(argv=None):
    """Print a line for each picture; SystemExit if some (1) or all (2) could not be read."""
    args = parse(argv)
    labels = scoring.read_labels(args.labels, *args.images) if args.labels else {}
    names = list(labels) or batches.named(args.images, args.recursive)
    for file, most in (args.plot, len(labels) or plots.MAX_RESULTS), (args.feature_maps, 1):
        if file:
            figures.check(file, names, most)
    if args.table:
        files.check(args.table, names)
    width = max(map(texts.columns, names), default=0)

    classify, failures, drawn, rows, score = None, 0, [], [], scoring.Score(labels)
    with contextlib.closing(random_image(args) if args.random else
                            batches.in_batches(names, args.page)) as parts:
        for pictures in parts:
            readable = [picture for picture in pictures if not picture.error]
            failures += len(pictures) - len(readable)
            if readable:
                classify = classify or classifier.restore(
                    Path(args.run_dir) if args.run_dir else classifier.newest_run())
                results.classify(readable, classify)
            if readable and args.feature_maps:
                image = readable[0].images[0]
                figures.feature_maps(classify.feature_maps(image), image, args.feature_maps)
            shown = pictures
            if labels:
                missed = score.add(pictures)
                shown = pictures if args.json else missed
            elif args.plot:
                drawn += readable
            show(shown, width, args)
            for picture in readable if args.table else []:
                try:
                    rows += [[picture.name] * (len(names) > 1) + row
                             for row in tables.cells(picture)]
                except UserError as error:
                    failures += 1
                    print(f'predict.py: {error}', file=sys.stderr)
    if labels:
        print(json.dumps(score.summary()) if args.json else '\n'.join(score.lines()))
        if args.plot:
            plots.score(score, args.plot)
    elif drawn:
        (page_plots.draw if args.page else plots.results)(drawn, args.plot)
    if rows:
        tables.write(args.table, rows)
    if failures:
        raise SystemExit(1 if classify or labels else 2)


if __name__ == '__main__':
    command_line.run(main)
