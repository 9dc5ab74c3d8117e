"""Compare how well our and tutorials' methods read photographs and scans; write RESULTS.md.

$ python bench/pictures.py --run-dir runs/mnist_cnn/... --labels photos/labels.csv --npz scans.npz \
      --forms forms/forms.csv

These pictures are not in the repository: name your own. Each method converts each picture to
28 x 28, and each run reads the result; a picture that cannot be read counts as wrong.
"""
import argparse
import csv
import datetime
import io
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import turns
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from digits import command_line, figures  # noqa: E402
from digits.errors import UserError  # noqa: E402
from digits.pictures import decoding, normalisation, one_digit, page, tables  # noqa: E402
from digits.pictures.ink import ink_of, reduction  # noqa: E402
from digits.prediction import classifier, scoring  # noqa: E402
from digits.training import calibration  # noqa: E402
from digits.training.record import Record  # noqa: E402

# The methods: a file (its name, or an open one) -> uint8 [28, 28], white ink on black.


def squeezed(file):
    """Pillow's convert('L'), resize((28, 28)), and 255 - x.

    What most answers to "how do I read my own digit" say, for Keras as for PyTorch.
    """
    return 255 - np.asarray(Image.open(file).convert('L').resize((28, 28)))


def by_mean(file):
    """squeezed(), inverted only where the mean is over 127: light paper."""
    image = np.asarray(Image.open(file).convert('L').resize((28, 28)))
    return 255 - image if image.mean() > 127 else image


def padded(file):
    """by_mean() with its shape kept, as tf.image.resize_with_pad does: black at two sides."""
    return np.asarray(ImageOps.pad(_light_ink(file), (28, 28)))


def otsu(file):
    """MNIST's own steps after a global threshold (Otsu): crop, longer side 20, centre of mass.

    O. Kröger, "Tensorflow, MNIST and your own handwritten digits", opensourc.es/blog, 2016, at the
    picture's own resolution.
    """
    grey = np.asarray(_light_ink(file))
    ink = grey > cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)[0]
    if not ink.any():
        raise UserError('no ink')
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    ink = ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    return normalisation.centred(normalisation.fitted(ink))


def _light_ink(file):
    """Mode L, inverted where the mean is over 127."""
    image = Image.open(file).convert('L')
    return ImageOps.invert(image) if np.mean(image) > 127 else image


CELLS = 'cells'  # the row of those cut out of forms
WAYS = {'squeezed': squeezed, 'by mean': by_mean, 'padded': padded, 'Otsu': otsu,
        'ours': one_digit.read}


def labelled(path):
    """[(row of the table, files, labels)] of a labels.csv: its folders, and all in it."""
    labels = scoring.read_labels(path)
    groups = {}
    for name in labels:
        first = os.path.relpath(name, os.path.dirname(path)).split(os.sep)[0]
        groups.setdefault(first, []).append(name)
    rows = sorted(groups.items()) if len(groups) > 1 else []
    return [(row, names, [labels[name] for name in names])
            for row, names in [*rows, ('all of them', list(labels))]]


def packed(path):
    """The same of a .npz file: its images, uint8 [n, h, w] with white ink on black, on paper.

    They become PNG files with black ink on white, as the ways of tutorials expect.
    """
    try:
        with np.load(path) as file:
            images, labels = file['images'], file['labels'].tolist()
    except Exception as error:  # zipfile's, zlib's and NumPy's
        raise UserError(f'{path}: cannot be read ({error}); give an .npz file with the arrays '
                        'images and labels') from None
    if images.dtype != np.uint8 or images.ndim != 3 or len(images) != len(labels):
        raise UserError(f'{path}: images is {images.dtype} {list(images.shape)}, labels '
                        f'[{len(labels)}]; they must be uint8 [n, h, w] and [n]')
    files = [_png(Image.fromarray(255 - image)) for image in images]
    return [(Path(path).stem, files, labels)]


def _png(image):
    """The bytes of a PNG file of a PIL image."""
    file = io.BytesIO()
    image.save(file, 'PNG')
    return file.getvalue()


def read(way, files):
    """(images uint8 [n, 28, 28], bool [n]: which of the files could be read)."""
    images, readable = np.zeros([len(files), 28, 28], np.uint8), np.zeros(len(files), bool)
    for number, file in enumerate(files):
        try:
            images[number] = way(io.BytesIO(file) if isinstance(file, bytes) else file)
            readable[number] = True
        except (UserError, OSError):
            continue
    return images, readable


def score(classify, images, readable, labels):
    """(share that is right, calibration error, share not sure); the last two of what is readable.
    """
    if not readable.any():
        return 0.0, 0.0, 0.0
    probabilities, doubts = classify(images[readable])
    labels = np.array(labels)[readable]
    right = probabilities.argmax(axis=1) == labels
    return (right.sum() / len(readable), calibration.calibration_error(probabilities, labels),
            np.mean([bool(reason) for reason in doubts]))


def read_forms(path, altered=None):
    """[(label, rows, columns, seconds, Page)] of a CSV with file, label, rows and columns.

    Each file is a scanned table with the digit `label` in each of its cells; altered: what is done
    to the PIL image before it is read, if anything; the seconds are then without decoding.
    """
    forms = []
    for line, file in _lines(path):
        image = altered(decoding.open_picture(file)) if altered else None
        started = time.perf_counter()
        found = page.find(image) if altered else page.read(file)
        forms.append((int(line['label']), int(line['rows']), int(line['columns']),
                      time.perf_counter() - started, found))
    return forms


def cut_cells(path):
    """[(row of the table, files, labels)] of each cell of the forms in a CSV, cut out.

    As PNG files, grey, with whatever of the lines is in the rectangle.
    """
    files, labels = [], []
    for line, file in _lines(path):
        image = decoding.upright(decoding.open_picture(file))
        found = tables.find(tables.may_be_lines(*ink_of(image, page.MAX_SIDE)))
        table = max(found, key=lambda table: table.cells.size)
        grey, times = image.convert('L'), reduction(image, page.MAX_SIDE)
        for row, column in np.ndindex(*table.cells.shape):
            files.append(_png(grey.crop(_corners(table, row, column, times))))
            labels.append(int(line['label']))
    return [(CELLS, files, labels)]


def _lines(path):
    """Yield (row, its picture's name) of a CSV whose column `file` is relative to its folder."""
    with open(path, encoding='utf-8', newline='') as file:
        for line in csv.DictReader(file):
            yield line, os.path.join(os.path.dirname(path), line['file'])


def _corners(table, row, column, times):
    """(left, top, right, bottom) along the lines around a cell, `times` as large."""
    middle = int(np.mean([at[0] for at in table.down.at[column:column + 2]]))
    top, bottom = table.across.at[row:row + 2, middle]
    left, right = table.down.at[column:column + 2, int((top + bottom) / 2)]
    return tuple(int(round(times * side)) for side in (left, top, right, bottom))


def forms_table(classify, forms):
    """Lines of a table with a row for each form.

    Right is a cell with one digit, read as what it is; extra are the digits beyond one a cell.
    """
    cells = [['form', 'cells', 'right', 'not found', 'extra', 'calibration error', 'not sure',
              'seconds']]
    totals = np.zeros(4, int)
    scored = []
    for label, rows, columns, seconds, found in forms:
        probabilities, doubts = classify(found.images)
        scored.append((label, probabilities, doubts))
        counts = np.zeros([rows, columns], int)
        right = np.zeros([rows, columns], bool)
        if found.rows is not None:
            inside = (found.rows >= 0) & (found.rows < rows) & (found.columns < columns)
            place = found.rows[inside], found.columns[inside]
            np.add.at(counts, place, 1)
            right[place] = probabilities[inside].argmax(axis=1) == label
        numbers = np.array([counts.size, (right & (counts == 1)).sum(), (counts == 0).sum(),
                            len(found.images) - (counts > 0).sum()])
        totals += numbers
        cells.append([f'all {label}', *_shares(numbers, [scored[-1]]), f'{seconds:.1f}'])
    seconds = sum(form[3] for form in forms)
    return aligned([*cells, ['all of them', *_shares(totals, scored), f'{seconds:.1f}']])


def _shares(numbers, scored):
    cells, *counts = numbers
    probabilities = np.concatenate([each for _, each, _ in scored])
    labels = np.concatenate([np.full(len(each), label) for label, each, _ in scored])
    doubts = [bool(doubt) for _, _, doubts in scored for doubt in doubts]
    return [f'{cells:,}', *(f'{count / cells:.4f}' for count in counts),
            f'{calibration.calibration_error(probabilities, labels):.4f}', f'{np.mean(doubts):.4f}']


def aligned(cells):
    """Rows of texts as a Markdown table that is a table of text as well."""
    widths = [max(map(len, column)) for column in zip(*cells)]
    cells = [cells[0], ['-' * width for width in widths], *cells[1:]]
    return ['| ' + ' | '.join([row[0].ljust(widths[0])] + [
        cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]) + ' |' for row in cells]


def write_altered(what, record, about, rows):
    """Write the section on how one run reads altered pictures or forms; rows: of its table."""
    turns.write(f'altered {what}', '\n'.join([
        f'## altered {what}', '',
        f'{record.script}.py on {record.dataset}, seed {record.seed}: {about}', '', *rows, '',
        f'Python {sys.version.split()[0]}; {datetime.date.today()}.', '']))


def table(folder, record, classify, rows, seen):
    """Lines on one run: its name, and a table with a line for each of the rows.

    `seen` has what read() gives, by way and row.
    """
    cells = [['', 'n', *WAYS, 'not read', 'calibration error', 'not sure']]
    for row, files, labels in rows:
        found = {way: score(classify, *seen[way, row], labels) for way in WAYS}
        _, error, unsure = found['ours']
        cells.append([row, str(len(files)), *(f'{found[way][0]:.4f}' for way in WAYS),
                      str(np.count_nonzero(~seen['ours', row][1])), f'{error:.4f}',
                      f'{unsure:.4f}' if record.calibration else '-'])
    return [f'{record.script}.py on {record.dataset}, seed {record.seed} '
            f'({folder.resolve().name}):', '', *aligned(cells), '']


def draw(classify, rows, seen, forms, path):
    """Draw the confusion matrix of all digits, and of what is missed MAX_MISSED, evenly chosen."""
    images, labels, names = [np.empty([0, 28, 28], np.uint8)], [], []
    unreadable = np.zeros(10, int)
    for row, _, expected in rows:
        if row == CELLS or row == 'all of them' and len(rows) > 1 and rows[0][0] != row:
            continue  # the same digits as in `forms`, or in the rows above
        made, readable = seen['ours', row]
        images.append(made[readable])
        labels += np.array(expected)[readable].tolist()
        names += [row] * readable.sum()
        unreadable += np.bincount(np.array(expected)[~readable], minlength=10)
    for label, *_, found in forms:
        images.append(found.images)
        labels += [label] * len(found.images)
        names += ['forms'] * len(found.images)
    images, labels = np.concatenate(images), np.array(labels, int)
    answers = classify(images)[0].argmax(axis=1)
    confusion = np.zeros([10, 10], int)
    np.add.at(confusion, (labels, answers), 1)
    missed = np.flatnonzero(answers != labels)
    missed = missed[np.argsort(labels[missed], kind='stable')]
    if len(missed) > figures.MAX_MISSED:
        missed = missed[np.linspace(0, len(missed) - 1, figures.MAX_MISSED).round().astype(int)]
    figures.confusion_matrix(confusion, unreadable, [
        (images[each], f'label {labels[each]}\nread {answers[each]}', names[each])
        for each in missed], path)


def main(argv=None):
    """Print a table for each run and write the section."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--run-dir', type=Path, nargs='+', required=True, metavar='RUN')
    parser.add_argument('--labels', metavar='CSV',
                        help='a table with the columns file and label, as for predict.py --labels')
    parser.add_argument('--forms', metavar='CSV',
                        help='scanned tables: the columns file, label, rows and columns')
    parser.add_argument('--npz', nargs='+', default=[], metavar='NPZ',
                        help='files with images, uint8 [n, h, w], white ink on black, and labels')
    parser.add_argument('--plot', metavar='PNG',
                        help='draw what the first run reads wrong, 40 digits of all that is named')
    args = parser.parse_args(argv)
    rows = labelled(args.labels) if args.labels else []
    for path in args.npz:
        rows += packed(path)
    if not rows and not args.forms:
        parser.error('name pictures: --labels, --npz, --forms')
    forms = []
    if args.forms:
        forms = read_forms(args.forms)
        rows += cut_cells(args.forms)
    runs = [(folder, Record.read(folder), classifier.restore(folder)) for folder in args.run_dir]
    seen = {(name, row): read(way, files)
            for name, way in WAYS.items() for row, files, _ in rows}
    lines = []
    for run in runs:
        lines += table(*run, rows, seen)
        print('\n'.join(lines[-len(rows) - 5:]), flush=True)
        if forms:
            lines += ['Whole forms, a digit in each cell, as `predict.py --page` finds them:', '',
                      *forms_table(run[2], forms), '']
            print('\n'.join(lines[-len(forms) - 6:]), flush=True)
    if args.plot:
        draw(runs[0][2], rows, seen, forms, args.plot)
    versions = [f'{name} {sys.modules[name].__version__}'  # no TensorFlow if no run needs it
                for name in ('tensorflow', 'numpy', 'PIL') if name in sys.modules]
    turns.write('pictures', '\n'.join([
        '## pictures', '',
        'Share of pictures read right, by how they were made 28 x 28: ours (`digits/pictures/`) '
        'and the ways of tutorials. docs/pictures.md says which. What cannot be read is not '
        'right.', '',
        *lines,
        f'Python {sys.version.split()[0]}, {", ".join(versions)}; {datetime.date.today()}.', '']))


if __name__ == '__main__':
    command_line.run(main)
