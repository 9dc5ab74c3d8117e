"""Count how often a run is sure of a digit in pictures that show none; write RESULTS.md.

$ python bench/no_digits.py --run-dir runs/mnist_cnn/... pillow-11.3.0/Tests/images

The pictures are not in the repository. Pillow's own test images, of all formats and many of them
damaged, are in its source distribution. Each file of the folder is read as a single digit.
"""
import argparse
import datetime
import sys
from pathlib import Path

import numpy as np
import turns

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from digits import command_line  # noqa: E402
from digits.errors import UserError  # noqa: E402
from digits.prediction import batches, classifier, results  # noqa: E402
from digits.training.record import Record  # noqa: E402


def count(pictures, classify):
    """([results that are sure of a digit], how many are not sure, how many cannot be read)."""
    sure, unsure, unreadable = [], 0, 0
    for part in pictures:
        readable = [each for each in part if not each.error]
        unreadable += len(part) - len(readable)
        if readable:
            results.classify(readable, classify)
        for each in readable:
            if each.doubts[0]:
                unsure += 1
            else:
                sure.append(each)
    return sure, unsure, unreadable


def main(argv=None):
    """Print what is a digit for sure, and the counts; write the section."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='pictures without digits')
    parser.add_argument('--run-dir', type=Path, required=True, metavar='RUN')
    args = parser.parse_args(argv)
    names = [str(path) for path in sorted(args.folder.rglob('*')) if path.is_file()]
    if not names:
        raise UserError(f'{args.folder}: no file in it; name a folder with pictures')
    record = Record.read(args.run_dir)
    sure, unsure, unreadable = count(batches.in_batches(names), classifier.restore(args.run_dir))
    found = np.bincount([each.digits()[0][0] for each in sure], minlength=10)
    lines = [
        f'{record.script}.py on {record.dataset}, seed {record.seed}: of {len(names):,} files in '
        f'`{"/".join(args.folder.resolve().parts[-3:])}` {unreadable:,} are refused with a '
        f'sentence, {unsure:,} are read as not sure, and {len(sure):,} '
        f'({len(sure) / len(names):.1%}) as a digit for sure: '
        + ', '.join(f'{times} as {digit}' for digit, times in enumerate(found) if times) + '.']
    for each in sure:
        print(each.line())
    print(lines[0])
    turns.write('no digits', '\n'.join([
        '## no digits', '', *lines, '',
        f'Python {sys.version.split()[0]}; {datetime.date.today()}.', '']))


if __name__ == '__main__':
    command_line.run(main)
