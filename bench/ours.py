"""Measure the training speed of one of our scripts, without its first steps.

$ python bench/ours.py mnist_cnn.py --steps 600 --batch-size 50 --precision auto

Runs the script twice, for --warm-up steps and for --warm-up + --steps, and takes the difference of
the two run.json: the first steps, in which TensorFlow prepares the graph, cancel out, and
evaluations on the validation set are not counted. Flags that are not named here go to the script.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def training(script, steps, flags):
    """The run.json of so many steps."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(PROJECT_ROOT / script), '--dataset', 'mnist', '--quiet',
                        '--steps', str(steps), '--run-dir', folder, *flags], check=True,
                       stdout=subprocess.DEVNULL)
        return json.loads(Path(folder, 'run.json').read_text(encoding='utf-8'))


def main():
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('script')
    parser.add_argument('--steps', type=int, default=600)
    parser.add_argument('--warm-up', type=int, default=100)
    args, flags = parser.parse_known_args()
    short = training(args.script, args.warm_up, flags)
    long = training(args.script, args.warm_up + args.steps, flags)
    seconds = long['seconds']['training'] - short['seconds']['training']
    result = {'seconds_per_step': seconds / args.steps, 'precision': long['precision']}
    if 'batch_size' in long['flags']:
        result['images_per_second'] = args.steps * long['flags']['batch_size'] / seconds
    print(json.dumps(result))


if __name__ == '__main__':
    main()
