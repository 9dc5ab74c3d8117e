"""Measure how time and memory of mnist_cnn.py grow with training images, minibatch size and cores.

$ python bench/scaling.py

One epoch on strokes for every row, each in a separate process; peak memory as reported by the
operating system. Writes the section `scaling` of RESULTS.md and scaling.png. The data are drawn
once, into --folder: 600,000 images need 500 MB there and half a minute.
"""
import argparse
import datetime
import json
import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import turns

from digits.datasets import idx, strokes

HERE = Path(__file__).resolve().parent


def draw_data(folder, images):
    """Make the folder of a data set of so many training images, whole or not at all."""
    unfinished = folder.with_name(f'unfinished-{os.getpid()}')
    unfinished.mkdir(parents=True)
    pixels, labels = strokes.make(images + 1000, seed=1)
    pixels = pixels[..., np.newaxis]
    idx.write_folder(unfinished, [pixels[:images], labels[:images], pixels[images:],
                                  labels[images:]])
    unfinished.rename(folder)


def measure(folder, batch, cores, run_dir):
    """(seconds of training, of the whole process, megabytes at most) of one epoch."""
    _, memory, _ = turns.measure(
        ['taskset', '-c', f'0-{cores - 1}', sys.executable, str(HERE.parent / 'mnist_cnn.py'),
         '--data-dir', str(folder), '--epochs', '1', '--batch-size', str(batch),
         '--validation-size', '1000', '--quiet', '--run-dir', str(run_dir)])
    record = json.loads(Path(run_dir, 'run.json').read_text(encoding='utf-8'))
    return record['seconds']['training'], record['seconds']['whole'], memory


def slope(values, seconds):
    """b of seconds = a * values ** b, by least squares: 1 is in proportion."""
    return float(np.polyfit(np.log(values), np.log(seconds), 1)[0])


def draw(rows, path):
    """Seconds of training, relative to the first row of each kind, on logarithmic axes."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(11, 3.6), dpi=100, tight_layout=True)
    for axes, (kind, points) in zip(figure.subplots(1, 3), rows.items()):
        values, results = zip(*points)
        times = [result[0] / results[0][0] for result in results]
        axes.plot(values, times, 'o-')
        for value, relative in zip(values, times):
            axes.annotate(f'{relative:.2f}', (value, relative), xytext=(0, 9),
                          textcoords='offset points', ha='center')
        axes.set(xscale='log', yscale='log', xlabel=kind, ylabel='training time, first = 1',
                 xticks=values, xticklabels=[f'{value // 1000} k' if value >= 10000 else str(value)
                                             for value in values], yticks=[])
        axes.minorticks_off()
        axes.margins(0.2)
        axes.grid(alpha=0.3)
    figure.savefig(str(path))


def main():
    """Measure every row, print it, write the section and the picture."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--folder', type=Path, default=HERE.parent / 'data' / 'strokes-scaling')
    parser.add_argument('--largest', type=int, default=600000, help='training images at most')
    args = parser.parse_args()
    cores = os.cpu_count()
    counts = [count for count in (10000, 30000, 60000, 600000) if count <= args.largest]
    cases = {
        'training images': [(count, 128, cores) for count in counts],
        'images a minibatch': [(60000, batch, cores) for batch in (50, 100, 200, 500, 1000)],
        'cores': [(60000, 128, number) for number in (1, 2) if number <= cores]}
    folders = {setting[0]: args.folder / f'strokes-{setting[0]}'
               for settings in cases.values() for setting in settings}
    for images, folder in folders.items():
        if not folder.is_dir():
            # In a separate process: a parent passes its own peak memory on to its children.
            drawing = multiprocessing.get_context('spawn').Process(target=draw_data,
                                                                   args=(folder, images))
            drawing.start()
            drawing.join()
    rows, lines = {}, ['| | | training time | peak memory, MB |', '|---|---|---|---|']
    for varied, (kind, settings) in enumerate(cases.items()):
        rows[kind] = []
        for setting in settings:
            run_dir = args.folder / f'run-{os.getpid()}-{len(lines)}'
            result = measure(folders[setting[0]], *setting[1:], run_dir)
            print(f'{setting[0]:,} images, batch {setting[1]}, {setting[2]} cores: '
                  f'{result[0]:.1f} s of training, {result[1]:.1f} s in all, {result[2]:.0f} MB',
                  flush=True)
            rows[kind].append((setting[varied], result))
            lines.append(f'| {kind} | {setting[varied]:,} | '
                         f'{result[0] / rows[kind][0][1][0]:.2f} | {result[2]:.0f} |')
        values, results = zip(*rows[kind])
        exponent = slope(values, [result[0] for result in results])
        lines.append(f'| | slope | {exponent:+.2f} | |')
    draw(rows, HERE / 'scaling.png')
    turns.write('scaling', '\n'.join([
        '## scaling', '',
        'One epoch of mnist_cnn.py; times are relative to the first row of each kind. The slope is '
        'the exponent b in time = a * value ** b: 1 is in proportion, 0 does not grow. Images of '
        'files over 128 MB stay on the disk.', '',
        '![Training time against images, minibatch size and cores](scaling.png)', '',
        f'{turns.machine()}; {datetime.date.today()}; n = 1.', '', *lines, '']))


if __name__ == '__main__':
    main()
