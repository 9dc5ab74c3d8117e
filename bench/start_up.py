"""Measure what a script waits for before it works: whole processes, and their time by part.

$ python bench/start_up.py

Every process alternates with a bare import of TensorFlow. Writes the section `start-up` of
RESULTS.md.
"""
import argparse
import collections
import datetime
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import turns

PROJECT_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT_ROOT))
from digits import command_line  # noqa: E402

BARE = ['-c', 'import tensorflow']
# The part of an imported package's name before its first dot; everything else is 'other imports'.
PACKAGES = {'tensorflow': 'TensorFlow', 'tensorboard': 'TensorBoard', 'numpy': 'NumPy',
            'matplotlib': 'matplotlib', 'cv2': 'OpenCV', 'PIL': 'Pillow', 'scipy': 'SciPy',
            'tornado': 'Tornado', 'digits': 'this project'}
PARTS = ['Python', *PACKAGES.values(), 'other imports', 'the rest']


def seconds(command, options=(), wait_for=None):
    """(seconds, stderr) of a Python process; with wait_for, killed at the first line with that."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *options, *map(str, command)], text=True,
                               cwd=str(PROJECT_ROOT), stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE,
                               env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '2'})
    lines, passed = [], None
    for line in process.stderr:
        lines.append(line)
        if wait_for and wait_for in line:
            passed = time.perf_counter() - started
            process.kill()
    status = process.wait()
    if wait_for and not passed or status and not wait_for:
        raise SystemExit(f'{" ".join(map(str, command))} ended with {status}:\n{"".join(lines)}')
    return passed or time.perf_counter() - started, ''.join(lines)


def imports(text):
    """{part: seconds} of what `python -X importtime` printed, without what each one imports."""
    sums = collections.Counter()
    for own, name in re.findall(r'(?m)^import time: +(\d+) \| +\d+ \| +(\S+)', text):
        sums[PACKAGES.get(name.partition('.')[0], 'other imports')] += int(own) / 1e6
    return sums


def main():
    """Print every figure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=command_line.positive_int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = (Path(folder, str(number)) for number in itertools.count())
        one_step = ['--steps', 1, '--quiet', '--run-dir']
        cnn = next(runs)
        seconds(['mnist_cnn.py', '--dataset', 'strokes', *one_step, cnn])
        commands = {
            'a step of mnist_numpy_sigmoid.py': ['mnist_numpy_sigmoid.py', *one_step],
            'a step of mnist_softmax.py': ['mnist_softmax.py', *one_step],
            'mnist_softmax.py': ['mnist_softmax.py', '--quiet', '--run-dir'],
            'a step of mnist_cnn.py': ['mnist_cnn.py', *one_step],
            'predict.py, one picture': ['predict.py', 'data/3-pencil-photo.jpg', '--run-dir', cnn],
            'draw.py, until it listens': ['draw.py', '--port', 0, '--run-dir', cnn]}

        def measure(name, *options):
            command = commands[name] + ([next(runs)] if commands[name][-1] == '--run-dir' else [])
            return seconds(command, options, 'http://' if name.startswith('draw.py') else None)

        ratios, shares = collections.defaultdict(list), collections.defaultdict(list)
        python = []
        for _ in range(args.rounds):
            python.append(seconds(['-c', ''])[0])
            for name in commands:
                bare = seconds(BARE)[0]
                ratios[name].append(measure(name)[0] / bare)
                whole, printed = measure(name, '-X', 'importtime')
                parts = imports(printed)
                parts['Python'] = python[-1]
                parts['the rest'] = whole - sum(parts.values())
                shares[name].append({part: parts[part] / bare for part in PARTS})
                print(name, f'{ratios[name][-1]:.3f}', flush=True)
    rows = [f'| {name} | {turns.spread(ratios[name])} | ' + ' | '.join(
        f'{statistics.median(each[part] for each in shares[name]):.2f}' for part in PARTS) + ' |'
        for name in commands]
    turns.write('start-up', '\n'.join([
        '## start-up', '', 'Whole processes, as multiples of a bare `import tensorflow` that ran '
        'just before. The parts are from a process of its own under `python -X importtime`, which '
        'takes a little longer; "the rest" is everything but imports: reading the data or the '
        'picture, building the graph, computing, writing the run.', '',
        f'| | whole process: median (range) | {" | ".join(PARTS)} |',
        '|---' * (len(PARTS) + 2) + '|', *rows, '',
        f'{turns.machine()}; Python {sys.version.split()[0]}; {datetime.date.today()}; '
        f'n = {args.rounds}, in turns.', '']))


if __name__ == '__main__':
    main()
