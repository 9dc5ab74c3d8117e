"""Absurd values in a run's run.json and in flags: a sentence, never a traceback."""
import dataclasses
import json
import random

import pytest

import mnist_softmax
from digits import training
from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.prediction import classifier
from digits.training import comparison
from digits.training.record import Record

# run.json

HOSTILE = (None, True, -1, 0, 10 ** 30, 1e308, float('nan'), '', '../../x', '-1', 'NaN', [], [[]],
           {}, {'a': 1}, ['1', '2'], 'x' * 5000, '\x1b[2J')


def other_record(record, rng):
    """run.json with something else in one to three places, or without them."""
    record = json.loads(json.dumps(record))
    for _ in range(rng.randrange(1, 4)):
        place = record
        while True:
            key = rng.choice(sorted(place))
            if isinstance(place[key], dict) and place[key] and rng.random() < 0.7:
                place = place[key]
                continue
            break
        if rng.random() < 0.2:
            del place[key]
        else:
            place[key] = rng.choice(HOSTILE)
        if not record:
            break
    return record


def use(folder):
    """All that reads a run.json, but for the training."""
    parser = training.parser(
        str(PROJECT_ROOT / 'mnist_softmax.py'), '', steps=1000, batch_size=100, learning_rate=0.5)
    parser.add_argument('--decay', type=float, nargs=2, default=[0.0, 0.0])
    parser.add_argument('--wide', action='store_true')
    for reader in (lambda: training.parse_args(parser, ['--resume', '--run-dir', str(folder)]),
                   lambda: classifier.restore(folder)):
        try:
            reader()
        except UserError as error:
            assert str(error).isprintable() and len(str(error)) < 2000
    comparison.table(comparison.group(comparison.read_runs(folder.parent.parent)))


def test_no_run_json_gives_a_traceback(trained, tmp_path):
    rng = random.Random(0)
    record = dataclasses.asdict(Record.read(trained['mnist_softmax']))
    folder = tmp_path / 'runs' / 'mnist_softmax' / 'hostile'
    folder.mkdir(parents=True)
    for _ in range(1000):
        text = json.dumps(other_record(
            {**record, 'status': rng.choice(['interrupted', 'finished'])}, rng))
        if rng.random() < 0.1:
            text = text[:rng.randrange(len(text))] + rng.choice(['', '[' * 5000, '\0', '\ud800'])
        (folder / 'run.json').write_bytes(text.encode('utf-8', 'surrogatepass'))
        use(folder)


@pytest.mark.parametrize(('flags', 'words'), [
    (['--steps', '1000000001'], 'is not a whole number from 1 to 1,000,000,000'),
    (['--epochs', '0'], 'is not a whole number from 1 to 1,000,000,000'),
    (['--steps', '9' * 5000], 'is not a whole number from 1 to 1,000,000,000'),
    (['--validation-size', '2000000'], 'is not a whole number from 0 to 1,000,000'),
    (['--learning-rate', '1e39'], "'1e39' is not a number above 0 and up to 1e38"),
    (['--learning-rate', '0'], "'0' is not a number above 0 and up to 1e38"),
])
def test_an_absurd_flag_is_told_its_range(capsys, flags, words):
    with pytest.raises(SystemExit) as caught:
        mnist_softmax.main(flags)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(('flags', 'words'), [
    (['--batch-size', '5501', '--validation-size', '500'],
     '--batch-size 5501: there are 5,500 training images; give a number from 1 to 5,500'),
    (['--validation-size', '6001'], 'give a number from 0 to 5,976'),
])
def test_more_than_the_data_has_is_refused(small_dir, tmp_path, flags, words):
    with pytest.raises(UserError, match=words):
        mnist_softmax.main([*flags, '--data-dir', str(small_dir), '--run-dir', str(tmp_path)])
    assert list(tmp_path.iterdir()) == []
