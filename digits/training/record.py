"""run.json: flags, data set, progress and results of a run. Its schema is `Record`."""
import argparse
import dataclasses
import datetime
import json
import math
import os
import platform
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np

from digits import files, processor
from digits.errors import UserError

NAME = 'run.json'
LESSON_NAME = 'lesson.txt'  # the lesson's text, never executed
MAX_RECORD_BYTES = 2 ** 20  # a run.json has about a thousandth of that
STATUSES = ('running', 'interrupted', 'diverged', 'finished')  # a killed run stays 'running'
# An upright stroke, uint8 [28, 28]: what any classifier of a run has logits for.
PROBE = np.zeros([28, 28], np.uint8)
PROBE[4:24, 12:15] = 255
# Names that earlier versions gave to fields.
EARLIER_NAMES = {'of_steps': 'total_steps', 'looks': 'evaluations', 'doubt': 'calibration'}


def _is_text(value):
    """Whether it is a short, printable text, safe to show on a terminal."""
    return isinstance(value, str) and value.isprintable() and len(value) <= 1000


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2 ** 63


def _is_number(value):
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _is_flags(value):
    """Whether it maps names to possible flags: texts, numbers, None and lists of these."""
    def is_word(word):
        return (word is None or isinstance(word, bool) or _is_number(word)
                or isinstance(word, str) and len(word) <= 4096)

    return isinstance(value, dict) and all(
        all(map(is_word, word)) if isinstance(word, list) else is_word(word)
        for word in value.values())


def _is_shapes(value):
    return isinstance(value, dict) and all(
        name.isidentifier() and isinstance(shape, list) and len(shape) <= 8
        and all(_is_int(side) and 0 <= side <= 10 ** 8 for side in shape)
        for name, shape in value.items())


def _optional(check):
    return lambda value: value is None or check(value)


def _mapping(check):
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _struct(**checks):
    return lambda value: isinstance(value, dict) and all(
        name in value and check(value[name]) for name, check in checks.items())


_REQUIRED = object()


def _field(check: Callable[[Any], bool], default: Any = _REQUIRED,
           factory: Optional[Callable[[], Any]] = None, added: bool = False) -> Any:
    """A field of run.json. added: earlier versions did not write it, so it may be missing."""
    metadata = {'check': check, 'added': added}
    if factory:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    if default is _REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass
class Record:
    """The record of a run. Accuracies are in [0, 1], None until they are known."""

    script: str = _field(lambda value: isinstance(value, str) and value.isidentifier()
                         and len(value) <= 100)
    flags: Dict[str, Any] = _field(_is_flags)
    dataset: str = _field(_is_text)
    seed: int = _field(_is_int)
    total_steps: int = _field(_is_int)
    # The flags that shape the run and differ from their defaults, as typed.
    recipe: str = _field(_is_text, '')
    # SHA-256 of the run's lesson.txt.
    lesson_sha256: Optional[str] = _field(_optional(_is_text), None, added=True)
    status: str = _field(lambda value: value in STATUSES, 'running')
    started: str = _field(_is_text, '', added=True)
    steps: int = _field(_is_int, 0)  # done so far
    parameters: Optional[int] = _field(_optional(_is_int), None)
    convolutions: Optional[int] = _field(_optional(_is_int), None, added=True)
    # The graph's placeholders. Flags of the same name are not passed to inference.
    placeholders: List[str] = _field(
        lambda value: isinstance(value, list) and all(map(_is_text, value)),
        factory=lambda: ['drop_rate'], added=True)
    # The shapes of the float32 arrays, if the run does not use TensorFlow.
    arrays: Dict[str, list] = _field(_is_shapes, factory=dict, added=True)
    # The largest pixel value in training: 1 or 255.
    pixel_max: int = _field(lambda value: value in (1, 255), 1, added=True)
    precision: str = _field(_is_text, 'float32')
    training_accuracy: Optional[float] = _field(_optional(_is_number), None)
    validation_accuracy: Optional[float] = _field(_optional(_is_number), None)
    test_accuracy: Optional[float] = _field(_optional(_is_number), None)
    # The evaluation with the best validation accuracy.
    best: Optional[Dict[str, float]] = _field(
        _optional(_struct(step=_is_int, validation_accuracy=_is_number)), None)
    # By step: loss and, where there are validation images, their loss and accuracy.
    evaluations: Dict[str, Dict[str, float]] = _field(_mapping(_mapping(_is_number)), factory=dict)
    # What calibration.fit found.
    calibration: Optional[Dict[str, float]] = _field(
        _optional(_struct(scale=_is_number, least=_is_number)), None, added=True)
    # The scored model's logits of PROBE.
    probe: Optional[List[float]] = _field(_optional(
        lambda value: isinstance(value, list) and all(map(_is_number, value))), None, added=True)
    # training and whole: of the run with all its resumptions; import and data: of the last one.
    seconds: Dict[str, float] = _field(
        _struct(**dict.fromkeys(('import', 'data', 'training', 'whole'), _is_number)),
        factory=lambda: {'import': 0.0, 'data': 0.0, 'training': 0.0, 'whole': 0.0})
    images_per_second: Optional[float] = _field(_optional(_is_number), None)  # of training alone
    versions: Dict[str, Optional[str]] = _field(
        _mapping(_optional(_is_text)), factory=lambda: {
            'tensorflow': None, 'numpy': np.__version__, 'python': platform.python_version()})
    processor: str = _field(_is_text, factory=processor.name)

    @classmethod
    def new(cls, args: argparse.Namespace, dataset: str, total_steps: int) -> 'Record':
        """The record of a run that begins with these flags."""
        flags = {name: list(value) if isinstance(value, tuple) else value
                 for name, value in vars(args).items()
                 if name not in ('script', 'recipe', 'repeated')}
        flags = {name: value if _is_flags({name: value}) else str(value)
                 for name, value in flags.items()}
        flags['data_dir'] = os.path.abspath(args.data_dir)  # for a resumed run, wherever it starts
        return cls(script=args.script, flags=flags, dataset=dataset, seed=args.seed,
                   total_steps=total_steps, recipe=args.recipe,
                   precision=getattr(args, 'precision', 'float32'),
                   started=datetime.datetime.now().isoformat(timespec='seconds'))

    @classmethod
    def read(cls, folder: Union[str, Path]) -> 'Record':
        """The record in a run's folder, every field validated, also one of an earlier version.

        Raises UserError if the folder holds none.
        """
        path = Path(folder, NAME)
        if not path.is_file():
            raise UserError(f'{folder} is not the folder of a run: it has no {NAME}')
        try:
            if path.stat().st_size > MAX_RECORD_BYTES:
                raise ValueError(f'{path.stat().st_size:,} bytes')
            found = json.loads(path.read_text(encoding='utf-8'))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f'{path}: damaged ({error})') from error
        found = found if isinstance(found, dict) else {}
        for earlier, name in EARLIER_NAMES.items():
            if earlier in found:
                found.setdefault(name, found[earlier])
        values = {}
        for field in dataclasses.fields(cls):
            if field.name in found and field.metadata['check'](found[field.name]):
                values[field.name] = found[field.name]
            elif field.name in found or not field.metadata['added']:
                raise UserError(
                    f'{path}: not the record of a run ({field.name} is missing or wrong)')
        return cls(**values)

    def write(self, folder: Path) -> None:
        """Write run.json atomically; UserError (status 1) if that fails."""
        try:
            files.write_whole(folder / NAME,
                              (json.dumps(dataclasses.asdict(self), indent=2) + '\n').encode())
        except OSError as error:
            raise UserError(f'{folder}: run.json could not be written, is the disk full or the '
                            f'folder gone? ({error.strerror})', 1) from error
