"""Measure how fast predict.py reads one picture and whole folders, and in how much memory.

$ python bench/predict_folder.py

Trains a CNN for a few steps to have a run to restore. Reading one picture alternates with the bare
import of TensorFlow that it includes. Writes the section `predict` of RESULTS.md.
"""
import argparse
import datetime
import io
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import turns
from PIL import Image

PROJECT_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT_ROOT))
from digits import command_line  # noqa: E402
from digits.datasets import strokes  # noqa: E402

SIDES = ((28, 28), (80, 120), (200, 200))  # pixels, least and most, of the pictures in a folder


def pictures(count, seed=0, sides=(80, 120)):
    """Yield (file name, bytes) of `count` pictures, so many pixels wide and high.

    Digits of strokes.py, dark on light or light on dark, a quarter each: photographs (colours,
    uneven light, noise, JPEG), scans (colours, noise, JPEG), drawings (colours, PNG) and drawings
    on nothing (transparent PNG). At 28 pixels, MNIST's size, all are PNG in grey.
    """
    random = np.random.RandomState(seed)
    least, most = sides
    for number, image in enumerate(strokes.make(count, seed)[0]):
        if most == 28:
            file = io.BytesIO()
            Image.fromarray(image).save(file, 'PNG')
            yield f'{number:06}.png', file.getvalue()
            continue
        side = random.randint(least * 7 // 8, least * 5 // 4)
        side = min(side, most)
        height, width = random.randint(max(side, least), most + 1, 2)
        ink = np.zeros([height, width, 1])
        top, left = random.randint(height - side + 1), random.randint(width - side + 1)
        ink[top:top + side, left:left + side, 0] = np.asarray(
            Image.fromarray(image).resize((side, side), Image.BICUBIC)) / 255
        pen, paper = random.randint(0, 100, 3), random.randint(160, 256, 3)
        if random.rand() < 0.3:
            pen, paper = paper, pen
        kind = number % 4
        if kind == 3:
            pixels = np.concatenate([np.broadcast_to(pen, [height, width, 3]), 255 * ink], axis=2)
        else:
            pixels = paper + (pen - paper) * ink
        if kind == 0:
            pixels *= np.linspace(random.uniform(0.4, 1), 1, width)[:, None]
        if kind < 2:
            pixels += random.normal(0, 6, pixels.shape)
        file = io.BytesIO()
        Image.fromarray(np.uint8(pixels.clip(0, 255))).save(file, 'JPEG' if kind < 2 else 'PNG')
        yield f'{number:06}.{"jpg" if kind < 2 else "png"}', file.getvalue()


def measure(*command, **how):
    """turns.measure, of a Python process in the project's folder."""
    return turns.measure([sys.executable, *map(str, command)], cwd=str(PROJECT_ROOT), **how)


def main():
    """Print every figure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pictures', type=command_line.positive_int, default=10000, metavar='N',
                        help='how many (default %(default)s)')
    parser.add_argument('--rounds', type=command_line.positive_int, default=5)
    args = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, 'run')
        measure('mnist_cnn.py', '--dataset', 'strokes', '--steps', 20, '--quiet', '--run-dir', run)
        one, bare = [], []
        for _ in range(args.rounds):
            bare.append(measure('-c', 'from digits.tensorflow_v1 import tf')[0])
            one.append(measure('predict.py', '--run-dir', run, 'data/3-pencil-photo.jpg')[0])
        ratios = [a / b for a, b in zip(one, bare)]
        lines.append(f'- One picture, the whole process: {turns.spread(ratios)} times the import '
                     'of TensorFlow alone.')
        print(lines[-1], flush=True)
        for count, sides in [(args.pictures // 10, SIDES[1]),
                             *((args.pictures, sides) for sides in SIDES)]:
            part = Path(folder, f'{count} {sides}')
            part.mkdir()
            for name, data in pictures(count, sides=sides):
                (part / name).write_bytes(data)
            results = [measure('predict.py', '--run-dir', run, part, permitted=(0, 1))
                       for _ in range(args.rounds)]  # 1: it could not read all
            if min(printed for _, _, printed in results) < 0.999 * count:
                raise SystemExit(f'{count} pictures, and not so many lines')
            seconds, memory, _ = zip(*results)
            rates = [count / (each - statistics.median(one)) for each in seconds]
            lines.append(
                f'- {count:,} pictures of {" to ".join(map(str, sorted(set(sides))))} pixels in a '
                f'folder: {turns.spread(rates, "{:,.0f}")} a second '
                f'beyond the time of one, {turns.spread([count / s for s in seconds], "{:,.0f}")} '
                f'in all; the largest process took {max(memory):,.0f} MB.')
            print(lines[-1], flush=True)
    turns.write('predict', '\n'.join([
        '## predict', '', 'predict.py with the CNN, on pictures of which half are JPEG and half '
        'PNG; those of 28 pixels are PNG.', '', *lines, '',
        f'{turns.machine()}; Python {sys.version.split()[0]}; {datetime.date.today()}; '
        f'n = {args.rounds}, median (range).', '']))


if __name__ == '__main__':
    main()
