"""Checkpoints in a run's folder: TensorFlow's Saver files for graphs, weights.npz for NumPy.

Both record the step, are written atomically, and contain numbers only. A graph can run any code, so
none is ever read from a file: the lesson builds it again. Checksums are verified before anything is
used, without TensorFlow's own reader.
"""
import abc
import contextlib
import os
import re
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import numpy as np

from digits import files
from digits.errors import UserError
from digits.training import tensor_bundle
from digits.training.record import LESSON_NAME


def exist(folder: Path) -> bool:
    """Whether a run's folder has a checkpoint of either kind."""
    return bool(_npz_files(folder)) or any(folder.glob('model.ckpt-*.index'))


class Misfit(UserError):
    """A checkpoint is whole, but of another graph."""


class Checkpoints(abc.ABC):
    """The checkpoints in a run's folder. Selects the one to read, and reports damaged ones."""

    _all = ''  # the suffix that matches all files of one checkpoint

    def __init__(self, folder: Path):
        self._folder = folder

    def steps(self) -> List[int]:
        """The steps of the checkpoints that `remove` can delete, ascending; by default none."""
        return []

    @abc.abstractmethod
    def save(self, step: int) -> None:
        """Write a checkpoint; UserError (status 1) if that fails."""

    @abc.abstractmethod
    def _files(self) -> List[Path]:
        """All checkpoints, the newest first."""

    @abc.abstractmethod
    def _read(self, file: Path) -> Tuple[int, Dict[str, np.ndarray]]:
        """The step and the arrays of a checkpoint; UserError if it is damaged or does not fit."""

    @abc.abstractmethod
    def _assign(self, arrays: Dict[str, np.ndarray]) -> None:
        """Set the values of the model."""

    def remove(self, step: int) -> None:  # noqa: B027
        """Delete the checkpoint of a step."""

    def _pass_over(self, file: Path) -> None:  # noqa: B027
        """Ignore a checkpoint from now on: it cannot be restored."""

    def _remove_partial_files(self) -> None:  # noqa: B027
        """Delete the incomplete files of a writer that was killed or had no space left."""

    def restore(self) -> int:
        """Read the newest checkpoint; returns its step.

        Raises UserError if there is none, if it is damaged, or if it does not fit.
        """
        found = self._files()
        if not found:
            raise UserError(f'{self._folder}: no checkpoint in it yet')
        try:
            step, arrays = self._read(found[0])
        except UserError as error:
            raise UserError(f'{error}; name another run{self._older(error, found)}') from error
        self._assign(arrays)
        return step

    def _older(self, error, found):
        """The advice to use the checkpoint before the newest, if that may help."""
        for file in found[1:2]:
            if isinstance(error, Misfit):
                try:
                    self._read(file)
                except UserError:  # it fits as little: the lesson was changed
                    continue
            return f', or delete {found[0].name}{self._all} to use {file.name}'
        return ''

    def resume(self) -> int:
        """Read the newest intact checkpoint that fits; returns its step, 0 if there is none.

        Names on stderr the damaged ones that it skips. Raises UserError if there are checkpoints
        and none can be restored.
        """
        found = self._files()
        if not found:
            return 0
        newest = self._newest_whole(lambda error: print(
            f'{error}: going back to the checkpoint before it', file=sys.stderr))
        if not newest:
            raise UserError(f'{self._folder}: none of its checkpoints ({len(found)}) is intact and '
                            'of this script; train again in another folder')
        step, arrays = newest
        self._assign(arrays)
        self._remove_partial_files()
        return step

    def newest_whole(self) -> Optional[int]:
        """The step of the newest checkpoint that could be restored; None if there is none."""
        found = self._newest_whole(lambda error: None)
        return found[0] if found else None

    def _unwritten(self, error):
        return UserError(f'{self._folder}: no checkpoint could be written, is the disk full or the '
                         f'folder gone? ({_reason(error)})', 1)

    def _newest_whole(self, passed_over: Callable[[UserError], None]
                      ) -> Optional[Tuple[int, Dict[str, np.ndarray]]]:
        for file in self._files():
            try:
                return self._read(file)
            except UserError as error:
                passed_over(error)
                self._pass_over(file)
        return None


class SaverCheckpoints(Checkpoints):
    """model.ckpt-STEP files of all variables in the session's graph, restored by name.

    saver: the tf.train.Saver that writes them; without one they are only read.
    """

    _all = '.*'

    def __init__(self, folder: Path, session: Any, saver: Any = None):
        from digits.tensorflow_v1 import tf  # the NumPy script runs without it
        super().__init__(folder)
        self._session, self._saver, self._tf = session, saver, tf
        with session.graph.as_default():
            self._variables = {variable.op.name: variable for variable in tf.global_variables()}
            self._infinite = set(self._variables) - {
                variable.op.name for variable in tf.trainable_variables()}  # such as a lowest loss
        self._void: Set[int] = set()  # the steps of damaged checkpoints

    def steps(self) -> List[int]:
        """The steps of all checkpoints, ascending; complete ones have an index, written last."""
        found = (re.fullmatch(r'model\.ckpt-([0-9]{1,18})\.index', path.name)
                 for path in self._folder.glob('model.ckpt-*.index'))
        return sorted({int(match.group(1)) for match in found if match} - self._void)

    def save(self, step: int) -> None:
        """Write the variables; UserError (status 1) if that fails."""
        try:
            # The run deletes old checkpoints, not the Saver, which therefore must not list them.
            self._saver.set_last_checkpoints_with_time([])
            self._saver.save(self._session, str(self._folder / 'model.ckpt'), global_step=step,
                             write_meta_graph=False)
            self._void.discard(step)
            for path in self._folder.glob(f'model.ckpt-{step}.*'):
                files.fsync(path)
        except (self._tf.errors.OpError, ValueError, OSError) as error:
            self._remove_partial_files()
            raise self._unwritten(error) from error

    def _files(self):
        return [self._folder / f'model.ckpt-{step}' for step in reversed(self.steps())]

    def _read(self, prefix):
        wanted = {name: (variable.dtype.base_dtype.as_numpy_dtype, variable.shape.as_list())
                  for name, variable in self._variables.items()}
        try:
            return _step(prefix), tensor_bundle.read(prefix, wanted, self._infinite)
        except tensor_bundle.MismatchedCheckpoint as error:
            raise Misfit(f'{prefix}: does not fit the graph that inference builds now ({error}); '
                         f'either the lesson was changed, and {LESSON_NAME} beside it is the one '
                         'that fits, or its main builds more than inference, such as a scope'
                         ) from error
        except (tensor_bundle.CorruptCheckpoint, OSError) as error:
            raise UserError(f'{prefix}: damaged ({_reason(error)})') from error

    def _assign(self, arrays):
        waiting = dict(self._variables)
        while waiting:  # those with an initial tensor in common one after the other: it is fed
            chosen = {variable.initializer.inputs[1]: name for name, variable in waiting.items()}
            self._session.run([waiting.pop(name).initializer for name in chosen.values()],
                              {tensor: arrays[name] for tensor, name in chosen.items()})

    def _pass_over(self, prefix):
        self._void.add(_step(prefix))

    def remove(self, step: int) -> None:
        """Delete a checkpoint, its index first, so that a partial one never looks whole."""
        for path in sorted(self._folder.glob(f'model.ckpt-{step}.*'), reverse=True):
            path.unlink()

    def _remove_partial_files(self):
        for path in self._folder.glob('model.ckpt-*'):
            prefix, data, _ = path.name.partition('.data-')
            if '.tempstate' in path.name or (
                    data and not (self._folder / f'{prefix}.index').exists()):
                with contextlib.suppress(OSError):
                    path.unlink()


def _step(prefix):
    return int(prefix.name.split('-')[1])


class ArrayCheckpoints(Checkpoints):
    """weights.npz: named arrays, which the lesson updates in place, and their step.

    The checkpoint before it is in weights.previous.npz.
    """

    def __init__(self, folder: Path, arrays: Dict[str, np.ndarray]):
        super().__init__(folder)
        self._arrays = arrays

    def save(self, step: int) -> None:
        """Write the arrays atomically; UserError (status 1) if that fails."""
        path, previous = (self._folder / name for name in NPZ)
        contents: Dict[str, Any] = {'step': np.int64(step), **{
            name: np.ascontiguousarray(array) for name, array in self._arrays.items()}}
        try:
            with files.replacing(path) as unfinished:
                with open(str(unfinished), 'wb') as file:
                    np.savez(file, **contents)
                with contextlib.suppress(UserError):  # a damaged file must not replace the other
                    if path.exists():
                        self._read(path)
                        os.replace(str(path), str(previous))
        except OSError as error:
            raise self._unwritten(error) from error

    def _files(self):
        return _npz_files(self._folder)

    def _read(self, path):
        try:
            wanted = {'step': (np.dtype(np.int64), ()),
                      **{name: (array.dtype, array.shape) for name, array in self._arrays.items()}}
            arrays = _npz_arrays(path, wanted)
        except tensor_bundle.MismatchedCheckpoint as error:
            raise UserError(f'{path}: of another script ({error})') from error
        except UNREADABLE as error:
            raise UserError(f'{path}: damaged ({_reason(error)})') from error
        return int(arrays.pop('step')), arrays

    def _assign(self, arrays):
        for name, array in self._arrays.items():
            array[...] = arrays[name]


NPZ = 'weights.npz', 'weights.previous.npz'
# Exceptions when reading a .npz file, most of them from zipfile.
UNREADABLE = (tensor_bundle.CorruptCheckpoint, OSError, ValueError, KeyError, EOFError,
              RuntimeError, OverflowError, struct.error, zipfile.BadZipFile, zlib.error)


def _npz_files(folder):
    """The .npz files in a run's folder, the newest first."""
    return [folder / name for name in NPZ if (folder / name).is_file()]


def _npz_arrays(path, wanted):
    """The arrays of an .npz file, by name: (dtype, shape) in `wanted`; the rest is not read."""
    sizes = {name: int(np.prod(shape)) * dtype.itemsize for name, (dtype, shape) in wanted.items()}
    if path.stat().st_size > sum(sizes.values()) + 10000:
        raise tensor_bundle.MismatchedCheckpoint(f'has {path.stat().st_size:,} bytes')
    with zipfile.ZipFile(str(path)) as archive:
        return {name: _npz_array(archive, name, dtype, tuple(shape), sizes[name])
                for name, (dtype, shape) in wanted.items()}


def _npz_array(archive, name, dtype, shape, size):
    """One array of an .npz file, if it has just this type, shape and size in bytes."""
    if f'{name}.npy' not in archive.namelist():
        raise tensor_bundle.MismatchedCheckpoint(f'holds no {name}')
    if archive.getinfo(f'{name}.npy').file_size > size + 1000:  # its numbers, and a header
        raise tensor_bundle.MismatchedCheckpoint(f'its {name} is not {dtype} {list(shape)}')
    with archive.open(f'{name}.npy') as file:
        start = file.read(10)  # the format's name and version, and the length of the header
        header = file.read(int.from_bytes(start[8:], 'little')).decode('latin-1').strip()
        # NumPy's reader would evaluate this as Python; here it must be an exact text.
        if start[:8] != b'\x93NUMPY\1\0' or header != (
                f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}"):
            raise tensor_bundle.MismatchedCheckpoint(f'its {name} is not {dtype} {list(shape)}')
        data = file.read(size + 1)  # to the end, where zipfile compares the checksum
    return tensor_bundle.finite(np.frombuffer(data, dtype).reshape(shape), name)


def _reason(error):
    """The reason, in one line; TensorFlow's message has it before the graph's node, [[...]]."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).split('\n\t [[')[0].strip().split('\n')[-1][:200]
