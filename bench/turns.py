"""Compare the speed of our scripts with others, in alternating runs, and write RESULTS.md.

$ python bench/turns.py throughput-50 --python15 ~/old/bin/python
"""
import argparse
import collections
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from digits import processor

HERE = Path(__file__).resolve().parent
RESULTS = HERE / 'RESULTS.md'

TORCH_BEST = ['--channels-last', '--fused']  # of the flags of torch_cnn.py; README.md says how

# A Python, the module that it must have ('tensorflow 1.15': of this version), and what it runs.
Contestant = collections.namedtuple('Contestant', 'name python module command')


def comparisons(args):
    """{name: (what it is, what is measured, contestants, ours first)}.

    Measured is a key of the JSON line that a contestant prints last, or 'process': its seconds from
    start to end, or to the accuracy that it was asked for.
    """
    def count(full, quick):
        return str(quick if args.quick else full)

    def script(name, *flags):
        return [str(HERE.parent / name), '--dataset', 'mnist', '--quiet', '--run-dir', 'run',
                '--seed', '{round}', *flags]

    def ours(*command):
        return [str(HERE / 'ours.py'), *command]

    def peer(name, *flags):
        return [str(HERE / 'peers' / name), *flags]

    def throughput(size, steps):
        length = ['--steps', count(steps, 20), '--batch-size', str(size)]
        cnn = ours('mnist_cnn.py', *length, '--warm-up', count(100, 10), '--precision')
        torch, keras = peer('torch_cnn.py', *length), peer('keras_cnn.py', *length)
        return (
            f'Training the CNN of mnist_cnn.py (32 and 64 5x5 filters, 1,024 units, dropout) '
            f'with batches of {size}: images a second, without warm-up and evaluations.',
            'images_per_second', [
                Contestant('mnist_cnn.py', args.python, 'tensorflow', [*cnn, 'auto']),
                Contestant('mnist_cnn.py --precision float32', args.python, 'tensorflow',
                           [*cnn, 'float32']),
                Contestant('article E1 on TensorFlow 1.15', args.python15, 'tensorflow 1.15',
                           peer('article_e1.py', '--measure', *length)),
                Contestant('PyTorch, float32', args.python_torch, 'torch', torch),
                Contestant('PyTorch, float32, its best setting', args.python_torch, 'torch',
                           [*torch, *TORCH_BEST]),
                Contestant('PyTorch, bfloat16, its best setting', args.python_torch, 'torch',
                           [*torch, *TORCH_BEST, '--precision', 'bfloat16']),
                Contestant('Keras 3, float32', args.python, 'keras', keras),
                Contestant('Keras 3, mixed_bfloat16', args.python, 'keras',
                           [*keras, '--precision', 'mixed_bfloat16'])])

    return {
        'throughput-50': throughput(50, 600),
        'throughput-128': throughput(128, 300),
        'time-to-accuracy': (
            'The whole process of mnist_cnn.py --epochs 1 against the time in which article E1 '
            'first sees 0.9900 on the test set (evaluated every 500 steps, 10,000 at most).',
            'process', [
                Contestant('mnist_cnn.py --epochs 1', args.python, 'tensorflow',
                           script('mnist_cnn.py', *(['--steps', '20'] if args.quick
                                                    else ['--epochs', '1']))),
                Contestant('article E1 on TensorFlow 1.15', args.python15, 'tensorflow 1.15',
                           peer('article_e1.py', '--until', count(0.99, 0.5),
                                '--steps', count(10000, 20)))]),
        'softmax-process': (
            'Whole processes: mnist_softmax.py, a bare import of TensorFlow, and the same model by '
            'scikit-learn.', 'process', [
                Contestant('mnist_softmax.py', args.python, 'tensorflow',
                           script('mnist_softmax.py', '--steps', count(1000, 20))),
                Contestant("python -c 'import tensorflow'", args.python, 'tensorflow',
                           ['-c', 'import tensorflow']),
                Contestant('scikit-learn, LogisticRegression', args.python_torch, 'sklearn',
                           peer('sklearn_softmax.py', '--iterations', count(25, 2)))]),
        'softmax-step': (
            'A training step of softmax regression, batch 100: gathered, computed, applied.',
            'seconds_per_step', [
                Contestant('mnist_softmax.py', args.python, 'tensorflow',
                           ours('mnist_softmax.py', '--steps', count(20000, 200))),
                Contestant('NumPy', args.python, 'numpy',
                           peer('numpy_softmax.py', '--steps', count(20000, 200)))]),
        'numpy-epoch': (
            'An epoch of the sigmoid layer: 60,000 images, full batch.', 'seconds_per_step', [
                Contestant('mnist_numpy_sigmoid.py', args.python, 'numpy',
                           ours('mnist_numpy_sigmoid.py', '--warm-up', '5',
                                '--steps', count(50, 5))),
                Contestant('article B: float64 on uint8', args.python, 'numpy',
                           peer('article_b.py', '--epochs', count(10, 2)))]),
        'numpy-process': (
            'Whole processes from the same initial weights until they stop over 0.80.', 'process', [
                Contestant('mnist_numpy_sigmoid.py', args.python, 'numpy',
                           script('mnist_numpy_sigmoid.py', *(['--steps', '2'] if args.quick
                                                              else []))),
                Contestant('article B: float64 on uint8', args.python, 'numpy',
                           peer('article_b.py', '--seed', '{round}',
                                *(['--epochs', '2'] if args.quick else [])))])}


def versions(contestant):
    """'Python 3.11.7, torch 2.13.0', or None if the Python lacks the module."""
    module, _, wanted = contestant.module.partition(' ')
    code = f'import platform, {module} as m; print(platform.python_version(), m.__version__)'
    try:
        done = subprocess.run([contestant.python, '-c', code], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    python, version = done.stdout.split()[-2:]
    return f'Python {python}, {module} {version}' if version.startswith(wanted) else None


def run(contestant, number):
    """The JSON line of one process (or the test accuracy it printed), with 'process': seconds."""
    command = [part.replace('{round}', str(number)) for part in contestant.command]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run([contestant.python, *command], cwd=folder, capture_output=True,
                              text=True, check=False)
        seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f'{contestant.name} ended with {done.returncode}:\n{done.stderr[-2000:]}')
    last = (done.stdout.splitlines() or [''])[-1]
    line = json.loads(last) if last.startswith('{') else {}
    printed = re.fullmatch(r'test accuracy: ([\d.]+)', last)
    if printed:
        line['test_accuracy'] = float(printed.group(1))
    line['process'] = (line.get('reached') or {}).get('seconds', seconds)
    return line


def measure(command, cwd=None, permitted=(0,)):
    """(seconds, peak memory of its largest process in MB, lines printed) of a command.

    SystemExit if it ends with a status that is not permitted.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=cwd)
    lines = sum(1 for _ in process.stdout)
    _, status, usage = os.wait4(process.pid, 0)  # of this child and those that it has waited for
    seconds = time.perf_counter() - started
    status = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    if status not in permitted:
        raise SystemExit(f'{" ".join(command)} ended with {status}')
    return seconds, usage.ru_maxrss / 1024, lines


def spread(values, form='{:.2f}'):
    """'median (smallest to largest)'."""
    return (f'{form} ({form} to {form})').format(
        statistics.median(values), min(values), max(values))


def notes(lines, measured):
    """What else a table should say of a contestant: how well it learned, if that is the point."""
    words = []
    if measured != 'process':
        return ''
    if 'test_accuracy' in lines[0]:
        accuracies = [line['test_accuracy'] for line in lines]
        words.append(f'test accuracy {spread(accuracies, "{:.4f}")}')
    if 'reached' in lines[0]:
        steps = [line['reached']['step'] for line in lines if line['reached']]
        if steps:
            words.append(f'at step {spread(steps, "{:,.0f}")}')
        if len(steps) < len(lines):
            words.append(f'not reached {len(lines) - len(steps)} times: then the whole run counts')
    if 'epochs' in lines[0]:
        words.append(f'epochs {spread([line["epochs"] for line in lines], "{:.0f}")}')
    return '; '.join(words)


def machine():
    """'AMD EPYC, 2 cores, avx512_bf16'."""
    return ', '.join([processor.name(), f'{os.cpu_count()} cores',
                      processor.bfloat16_feature() or 'no bfloat16 instructions'])


def compare(name, about, measured, contestants, rounds):
    """Run the contestants in turns; returns the section of RESULTS.md, None if ours is alone."""
    present = []
    for contestant in contestants:
        found = versions(contestant)
        if found:
            present.append((contestant, found))
        else:
            print(f'{contestant.name}: left out, {contestant.python} has no {contestant.module}')
    if len(present) < 2 or present[0][0] is not contestants[0]:
        print(f'{name}: nobody to compare')
        return None
    lines = [[] for _ in present]
    for number in range(rounds):
        for (contestant, _), results in zip(present, lines):
            results.append(run(contestant, number))
            print(f'{name}, round {number + 1}: {contestant.name}: {json.dumps(results[-1])}',
                  flush=True)

    rows, headlines = [], []
    for (contestant, found), results in zip(present, lines):
        values = [line[measured] for line in results]
        print(f'{contestant.name}: {measured} {spread(values, "{:.6g}")}')
        pairs = zip([line[measured] for line in lines[0]], values)
        ratios = [a / b if measured == 'images_per_second' else b / a for a, b in pairs]
        others = contestant is not contestants[0]
        if others:
            headlines.append(f'- {contestants[0].name} is {statistics.median(ratios):.2f} times as '
                             f'fast as {contestant.name} ({min(ratios):.2f} to {max(ratios):.2f})')
        rows.append(f'| {contestant.name} | {spread(ratios) if others else "1"} | '
                    f'{notes(results, measured)} | {found} |')
    return '\n'.join([
        f'## {name}', '', about, '', *headlines, '',
        f'{machine()}; {datetime.date.today()}; n = {rounds}, in turns.', '',
        '| | ours is so many times as fast: median (range) | | versions |', '|---|---|---|---|',
        *rows, ''])


def write(name, section):
    """Put a section into RESULTS.md, in place of the one of that name."""
    title = ('# Results\n\nWritten by `turns.py`, `scaling.py`, `distributed.py`, '
             '`step_profile.py`, `start_up.py`, `predict_folder.py`, `pictures.py`, '
             '`altered_pictures.py`, `altered_forms.py`, `no_digits.py`, `strokes.py` and '
             '`export.py`; README.md says what is compared and counted.\n\n')
    text = RESULTS.read_text(encoding='utf-8') if RESULTS.exists() else title
    parts = re.split(r'(?m)^(?=## )', text)
    old = [part for part in parts if part.startswith(f'## {name}\n')]
    if old:
        parts[parts.index(old[0])] = section + '\n'
    else:
        parts.append(section + '\n')
    RESULTS.write_text('\n\n'.join(part.strip() for part in parts) + '\n', encoding='utf-8')


def main():
    """Run the named comparisons, print every number, keep the ratios."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='+', metavar='COMPARISON')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--python', default=sys.executable, help='of ours, NumPy and Keras')
    parser.add_argument('--python15', default=sys.executable, help='of TensorFlow 1.15.5')
    parser.add_argument('--python-torch', default=sys.executable, help='of PyTorch, scikit-learn')
    parser.add_argument('--quick', action='store_true',
                        help='a few steps, to see that everything runs; writes nothing')
    args = parser.parse_args()
    if os.environ.get('MNIST_DATA_DIR'):  # every process gets a folder of its own to work in
        os.environ['MNIST_DATA_DIR'] = os.path.abspath(os.environ['MNIST_DATA_DIR'])
    known = comparisons(args)
    for name in args.names:
        if name not in known:
            parser.error(f'{name} is none of {", ".join(known)}')
    for name in args.names:
        section = compare(name, *known[name], args.rounds)
        if section and args.quick:
            print(section)
        elif section:
            write(name, section)


if __name__ == '__main__':
    main()
