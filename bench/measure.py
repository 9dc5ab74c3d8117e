"""The README's table: every lesson, seeds 0 to 4, as whole processes.

$ python bench/measure.py
"""
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
SCRIPTS = ('mnist_numpy_sigmoid.py', 'mnist_softmax.py', 'mnist_cnn.py')
SEEDS = range(5)


def measure(script, seed):
    """(test accuracy, seconds from the process's start to its end, its run.json)."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([sys.executable, str(HOME / script), '--dataset', 'mnist', '--quiet',
                        '--seed', str(seed), '--run-dir', folder], check=True,
                       stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        record = json.loads(Path(folder, 'run.json').read_text(encoding='utf-8'))
    return record['test_accuracy'], seconds, record


def main():
    """Print a line for each script: mean, smallest and largest accuracy, median and all times."""
    for script in SCRIPTS:
        accuracies, seconds, records = zip(*(measure(script, seed) for seed in SEEDS))
        print(f'{script}: test accuracy {statistics.mean(accuracies):.4f} '
              f'({min(accuracies):.4f} to {max(accuracies):.4f}), '
              f'seconds {statistics.median(seconds):.1f} '
              f'({min(seconds):.1f} to {max(seconds):.1f}), n = {len(SEEDS)}', flush=True)
    record = records[-1]
    print(f'{record["processor"]}, {record["precision"]}, versions {record["versions"]}')


if __name__ == '__main__':
    main()
