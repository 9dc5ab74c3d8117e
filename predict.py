"""Which digit is in a picture? Restores the newest checkpoint and reads any picture file.

$ python predict.py data/3-pencil-photo.jpg data/7-chalk.jpg data/8-dark-canvas.png
data/3-pencil-photo.jpg  3   90.57%   (then 9: 1.35%)
data/7-chalk.jpg         7   90.02%   (then 4: 1.36%)
data/8-dark-canvas.png   8   92.46%   (then 0: 1.01%)
"""
import argparse
import glob
import importlib
import inspect
import json
import sys
from pathlib import Path

import numpy as np

from digits import checkpoints, command_line, input_data, picture, records
from digits.errors import UserError

# That make checkpoints, best first.
SCRIPTS = ('mnist_cnn', 'mnist_cnn_3x3', 'mnist_softmax', 'mnist_numpy_sigmoid')


def newest_run() -> Path:
    """The folder of the newest run with a checkpoint, of the best script that has one."""
    for script in SCRIPTS:
        for folder in reversed(records.folders(script)):
            if checkpoints.exist(folder):
                return folder
    raise UserError(f'no checkpoint in {records.ROOT} yet: run  python mnist_cnn.py  first')


def restore(folder: Path):
    """The classifier that a run has trained: uint8 [n, 28, 28] -> probabilities [n, 10].

    The graph is built by the script that run.json names, one of SCRIPTS; the folder gives numbers
    only. Raises UserError if there is no such run, or no checkpoint that fits its graph.
    """
    record = records.read(folder)
    script = record['script']
    if script not in SCRIPTS:
        raise UserError(f'{folder}: its run.json names {script!r}, which is none of our scripts')
    lesson = importlib.import_module(script)
    if script == 'mnist_numpy_sigmoid':
        return _restore_numpy(folder, lesson)
    from digits.tensorflow_v1 import open_session, tf  # weights.npz is read without it
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 784], name='x')
        # Flags that change the graph, not only how it was trained.
        shape = {flag: bool(record['flags'].get(flag)) for flag in ('deep', 'raw_pixels')
                 if flag in inspect.signature(lesson.inference).parameters}
        probabilities = tf.nn.softmax(lesson.inference(x, **shape))
        session, _ = open_session(precision='float32')
        checkpoints.SaverCheckpoints(folder, session).restore()
    return lambda images: np.concatenate([
        session.run(probabilities, {x: chunk.reshape(-1, 784) / np.float32(255)})
        for chunk in np.array_split(images, -(-len(images) // 1000))])


def _restore_numpy(folder, lesson):
    W, b = np.empty([784, 10], np.float32), np.empty(10, np.float32)
    checkpoints.ArrayCheckpoints(folder, {'W': W, 'b': b}).restore()

    def probabilities(images):
        # That digit k is the one, if exactly one of ten sigmoids h is right, has odds h / (1 - h),
        # which is exp(z): the softmax of the logits.
        z = lesson.inference(images.reshape(-1, 784), W, b)
        odds = np.exp(z - z.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)
    return probabilities


def read_pictures(names) -> tuple:
    """(names that could be read, their images uint8 [n, 28, 28], sentences about the others)."""
    readable, images, mistakes = [], [], []
    for name in names:
        try:
            images.append(picture.read(name))
            readable.append(name)
        except UserError as error:
            mistakes.append(str(error))
    return readable, np.array(images, np.uint8).reshape(-1, 28, 28), mistakes


def describe(probabilities) -> str:
    """'3  99.87 %   (then 8: 0.05 %)' of ten probabilities."""
    digit, runner_up = np.argsort(-probabilities, kind='stable')[:2]  # of equals, argmax's first
    return (f'{digit}  {probabilities[digit]:7.2%}   '
            f'(then {runner_up}: {probabilities[runner_up]:.2%})')


def main(argv=None):
    """Print a line for each picture; returns nothing."""
    parser = argparse.ArgumentParser(prog='predict.py', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', nargs='*', metavar='IMAGE', help='picture files')
    parser.add_argument('--random', action='store_true',
                        help='a random image of the test set, with its label')
    parser.add_argument('--run-dir', metavar='DIR',
                        help='the run to restore (default: the newest in runs/, a CNN if any)')
    parser.add_argument('--json', action='store_true', help='print one JSON object a line')
    command_line.data_flags(parser)
    args = parser.parse_args(argv)
    if bool(args.images) == args.random:
        parser.error('name pictures to read, for example data/3-pencil-photo.jpg, or --random')

    labels, mistakes = None, []
    if args.random:
        args.seed, args.quiet, args.validation_size = 0, False, 0
        test = input_data.load(args, dtype=np.uint8).test
        index = np.random.RandomState().randint(test.num_examples)
        names, labels = [f'test image {index}'], [int(test.labels[index])]
        images = test.images[index].reshape(1, 28, 28)
    else:
        # Not every shell turns data/*.jpg into names.
        names = [name for pattern in args.images
                 for name in (sorted(glob.glob(pattern)) if '*' in pattern else []) or [pattern]]
        names, images, mistakes = read_pictures(names)

    if names:
        folder = Path(args.run_dir) if args.run_dir else newest_run()
        classify = restore(folder)
        width = max(map(len, names))
        for number, (name, row) in enumerate(zip(names, classify(images))):
            if args.json:
                result = {'file': name, 'digit': int(row.argmax()),
                          'probability': float(row.max()), 'probabilities': row.tolist()}
                print(json.dumps({**result, 'label': labels[number]} if labels else result))
            else:
                label = f'label {labels[number]}, prediction ' if labels else ''
                print(f'{name:{width}}  {label}{describe(row)}')
    for mistake in mistakes:
        print(f'predict.py: {mistake}', file=sys.stderr)
    if mistakes:
        raise SystemExit(1 if names else 2)


if __name__ == '__main__':
    command_line.run(main)
