"""Checkpoints in a run's folder: TensorFlow's Saver files for graphs, weights.npz for NumPy.

Both know their steps, appear whole or not at all, and hold numbers only. A model is a program, so
no graph is ever read from a file: the script that made a checkpoint builds its graph again in code.
"""
import os
import re
import zipfile
from pathlib import Path

import numpy as np

from digits.errors import UserError


def exist(folder: Path) -> bool:
    """Whether a run's folder holds a checkpoint of either kind."""
    return (folder / 'weights.npz').exists() or any(folder.glob('model.ckpt-*.index'))


class SaverCheckpoints:
    """model.ckpt-STEP files of all variables in the default graph, restored by name."""

    def __init__(self, folder: Path, session):
        from digits.tensorflow_v1 import tf  # the NumPy script runs without it
        self._folder, self._session, self._tf = folder, session, tf
        # Pruning is ours (last two and best), and the graph is not needed in the files.
        self._saver = tf.train.Saver(max_to_keep=None, save_relative_paths=True)

    def steps(self) -> list:
        """The steps of all checkpoints, ascending. An index is written last: it marks a whole one.
        """
        found = (re.fullmatch(r'model\.ckpt-(\d+)\.index', path.name)
                 for path in self._folder.glob('model.ckpt-*.index'))
        return sorted(int(match.group(1)) for match in found if match)

    def save(self, step: int) -> None:
        """Write the variables; UserError (status 1) if the disk does not take them."""
        try:
            self._saver.save(self._session, str(self._folder / 'model.ckpt'), global_step=step,
                             write_meta_graph=False)
        except (self._tf.errors.OpError, ValueError) as error:
            raise UserError(f'{self._folder}: no checkpoint could be written, is the disk full or '
                            f'the folder gone? ({_reason(error)})', 1) from error

    def restore(self) -> int:
        """Read the newest checkpoint into the graph's variables; returns its step.

        Raises UserError if there is none, or if it does not fit the graph.
        """
        steps = self.steps()
        if not steps:
            raise UserError(f'{self._folder}: no checkpoint in it yet')
        path = self._folder / f'model.ckpt-{steps[-1]}'
        try:
            self._saver.restore(self._session, str(path))
        except (self._tf.errors.OpError, ValueError) as error:
            raise UserError(f'{path}: damaged, or of another graph ({_reason(error)})'
                            ) from error
        return steps[-1]

    def remove(self, step: int) -> None:
        """Delete a checkpoint, its index first, so that no half of one looks whole."""
        for path in sorted(self._folder.glob(f'model.ckpt-{step}.*'), reverse=True):
            path.unlink()


class ArrayCheckpoints:
    """weights.npz: named arrays, updated in place by their owner, and the step they belong to."""

    def __init__(self, folder: Path, arrays: dict):
        self._path, self._arrays = folder / 'weights.npz', arrays

    def steps(self) -> list:
        """The step of the one checkpoint, in a list; empty if there is none yet."""
        return [int(_load_arrays(self._path)['step'])] if self._path.exists() else []

    def save(self, step: int) -> None:
        """Write the arrays under a temporary name, then give the file its own."""
        unfinished = self._path.with_suffix('.unfinished')
        with open(unfinished, 'wb') as file:
            np.savez(file, step=step, **self._arrays)
        os.replace(unfinished, self._path)

    def restore(self) -> int:
        """Read the file into the arrays; returns its step. UserError if it does not fit."""
        kept = _load_arrays(self._path)
        for name, array in self._arrays.items():
            if name not in kept or kept[name].shape != array.shape:
                raise UserError(f'{self._path}: holds no {name} of shape {array.shape}')
            array[...] = kept[name]
        return int(kept['step'])

    def remove(self, step: int) -> None:
        """Nothing: there is only ever one file, and it is the newest."""


def _load_arrays(path):
    """The arrays of an .npz file, by name; nothing in it is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise UserError(f'{path.parent}: no checkpoint in it yet') from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'{path}: damaged ({_reason(error)})') from error


def _reason(error):
    """What happened, in a line; TensorFlow says it just before it names the graph's node, [[...]].
    """
    return str(error).split('\n\t [[')[0].strip().split('\n')[-1][:200]
