"""Measure bytes and seconds per step of a cluster on this machine; model larger clusters.

$ python bench/distributed.py

Measures mnist_cnn.py alone and mnist_distributed.py --local 1, 2 and 4, each in a network namespace
whose loopback nothing else uses; every number is the difference of a long and a short run, over
the difference of their steps. Writes the section `distributed` of RESULTS.md. Needs Linux and the
right to make a network namespace (`unshare -rn true`).
"""
import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import turns

PROJECT_ROOT = Path(__file__).resolve().parent.parent
BATCH = 64
LENGTHS = 30, 130  # steps of the short and the long run
PARAMETERS = 3274634
GRADIENT = 4 * PARAMETERS  # bytes; the variables, which go the other way, are no more


def run(script, steps, flags):
    """(seconds of training, bytes over loopback) of a run in a network namespace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(PROJECT_ROOT / script), '--steps', str(steps),
                   '--batch-size', str(BATCH), '--quiet', '--validation-size', '500',
                   '--run-dir', f'{folder}/run', *flags]
        process = subprocess.Popen(
            ['unshare', '-rn', 'sh', '-c', 'ip link set lo up && "$@" > /dev/null && '
             'grep lo: /proc/net/dev', 'sh', *command], stdout=subprocess.PIPE, text=True)
        counters = process.communicate()[0]
        if process.returncode:
            raise SystemExit(f'{" ".join(command)} failed')
        record = json.loads(Path(folder, 'run', 'run.json').read_text(encoding='utf-8'))
        return record['seconds']['training'], int(counters.split(':')[1].split()[0])


def measure(script, flags):
    """(seconds, bytes) of a step."""
    short, long = (run(script, steps, flags) for steps in LENGTHS)
    return [(after - before) / (LENGTHS[1] - LENGTHS[0]) for before, after in zip(short, long)]


def fit(seconds):
    """(fixed, each) of seconds = fixed + each * workers, by least squares; {workers: seconds}."""
    each, fixed = np.polyfit(list(seconds), list(seconds.values()), 1)
    return max(0.0, float(fixed)), float(each)


def step_seconds(workers, servers, gigabits, alone, fixed, handling):
    """The model: seconds of a synchronous step, every process on a machine like this one.

    alone: seconds to work out a gradient; fixed: to apply it, divided among the servers; handling:
    a server's seconds for one worker's variables and gradient, beside those on the wire.
    """
    wire = 8 * GRADIENT / (gigabits * 1e9)  # in one direction; the other is used at the same time
    return alone + fixed / servers + workers / servers * (wire + handling)


def table(alone, fixed, handling):
    """Rows: times as many images a second as one process, for each cluster."""
    kinds = [(gigabits, servers) for gigabits in (10, 100) for servers in (1, 4, 16)]
    lines = ['| workers | ' + ' | '.join(f'{gigabits} Gbit/s, {servers} ps'
                                         for gigabits, servers in kinds) + ' |', '|---' * 7 + '|']
    for workers in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024):
        times = [step_seconds(workers, servers, gigabits, alone, fixed, handling)
                 for gigabits, servers in kinds]
        lines.append(f'| {workers:,} | ' + ' | '.join(
            f'{workers * alone / each:.1f}' for each in times) + ' |')
    return lines


def main():
    """Measure in turns, fit, write the section."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--beside', default='nothing else ran',
                        help='note on the state of the machine, for RESULTS.md')
    args = parser.parse_args()
    counts = 1, 2, 4
    alone, seconds, sizes = [], {count: [] for count in counts}, {count: [] for count in counts}
    started = time.perf_counter()
    for _ in range(args.rounds):
        alone.append(measure('mnist_cnn.py', [])[0])
        for count in counts:
            took, size = measure('mnist_distributed.py', [
                '--local', str(count), '--checkpoint-every', '9999'])
            seconds[count].append(took)
            sizes[count].append(size)
        print(f'{time.perf_counter() - started:.0f} s: alone {alone[-1] * 1000:.1f} ms, '
              + ', '.join(f'{count} workers {seconds[count][-1] * 1000:.1f} ms, '
                          f'{sizes[count][-1] / 1e6:.1f} MB' for count in counts), flush=True)
    # Other programs can only add time: the minimum is the best estimate.
    least = {count: min(found) for count, found in seconds.items()}
    one = min(alone)
    fixed, each = fit(least)
    handling = max(0.0, each - one)
    rows = [f'| {count} | {turns.spread([1000 * each for each in seconds[count]], "{:.0f}")} | '
            f'{1000 * (fixed + each * count):.0f} | '
            f'{turns.spread([size / 1e6 for size in sizes[count]], "{:.1f}")} | '
            f'{count * one / least[count]:.2f} |' for count in counts]
    ceiling = {gigabits: one / (8 * GRADIENT / (gigabits * 1e9) + handling)
               for gigabits in (10, 100)}
    turns.write('distributed', '\n'.join([
        '## distributed', '',
        f'mnist_distributed.py --local N, synchronous, one parameter server, batches of {BATCH} a '
        f'worker; all processes share the cores. A gradient is {GRADIENT / 1e6:.1f} MB; the '
        'variables, read for every step, are as much, or half of it in bfloat16. Milliseconds are '
        'the median and the range; model and ratios take the least, since what runs beside only '
        'adds.', '',
        f'{turns.machine()}; {datetime.date.today()}; n = {args.rounds}, in turns; {args.beside}.',
        '', f'A step of mnist_cnn.py alone, batch {BATCH}: '
        f'{turns.spread([1000 * each for each in alone], "{:.0f}")} ms.', '',
        '| workers | ms a step | model | MB a step on the wire | images a second, alone = 1 |',
        '|---|---|---|---|---|', *rows, '',
        f'Model: {1000 * fixed:.0f} ms + {1000 * each:.0f} ms a worker, of which '
        f'{1000 * one:.0f} ms is its arithmetic and {1000 * handling:.0f} ms what moving its '
        'numbers and adding them up costs the processors.', '',
        'With a machine like this for every process, a step takes: arithmetic + fixed / servers + '
        'workers / servers * (gradient / bandwidth + moving). Images a second, one process alone '
        '= 1:', '', *table(one, fixed, handling), '',
        f'However many the workers, a server lets through no more than {ceiling[10]:.1f} times one '
        f"process's images at 10 Gbit/s, {ceiling[100]:.1f} times at 100: each brings a whole "
        'gradient. These figures are a model, not a measurement.'
        + ' Moving could not be told from what else ran and counts nothing: they are upper bounds.'
        * (not handling), '']))


if __name__ == '__main__':
    main()
