"""What several test files use: scripts in processes of their own, and what they leave behind."""
import json
import os
import subprocess
import sys
import time

import numpy as np

from digits.paths import PROJECT_ROOT
from digits.tensorflow_v1 import tf
from digits.training import checkpoints

PICTURES = sorted(path for path in (PROJECT_ROOT / 'data').iterdir()
                  if path.suffix in ('.png', '.jpg', '.gif'))


def start(name, small_dir, *flags, environment=None):
    """A script in a process of its own; it learns from the data in small_dir."""
    return subprocess.Popen(
        [sys.executable, str(PROJECT_ROOT / name), *map(str, flags)], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'MNIST_DATA_DIR': str(small_dir), **(environment or {})})


def wait_for_checkpoint(folder, process):
    """Return when the run's folder has its first checkpoint."""
    deadline = time.monotonic() + 120
    while not checkpoints.exist(folder):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def weights(folder):
    """Every array of a run's newest checkpoint, by name; read by TensorFlow's own reader."""
    if (folder / 'weights.npz').exists():
        with np.load(str(folder / 'weights.npz')) as file:
            return dict(file)
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder)))
    return {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}


def assert_same_weights(folder, other):
    """Assert that two runs' newest checkpoints have the same bits."""
    ours, theirs = weights(folder), weights(other)
    assert sorted(ours) == sorted(theirs)
    for key, array in ours.items():
        assert array.tobytes() == theirs[key].tobytes(), key


def change_record(folder, **changes):
    """Change fields of a run's run.json, to whatever value."""
    path = folder / 'run.json'
    path.write_text(json.dumps({**json.loads(path.read_text(encoding='utf-8')), **changes}))
