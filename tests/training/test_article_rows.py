"""compare.py --articles: what is run and kept, and what the table says; scripts are stubs."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from digits import paths
from digits.errors import UserError
from digits.training import articles, folders

SCRIPT = """import argparse, sys
parser = argparse.ArgumentParser()
parser.add_argument('--data-dir')
parser.add_argument('--seed', type=int)
parser.add_argument('--log-dir')
args = parser.parse_args()
assert args.data_dir == 'DATA'
open(args.log_dir + '.started', 'a').write('.')
print('test accuracy: 0.1000, of an epoch')
print('epochs above 0.9092: %d of 1000' % (40 * (args.seed == 1)))
print('training accuracy: 0.9%d00' % args.seed)
print('test accuracy: 0.8%d00' % args.seed)
"""
ROW = articles.Row('X', 'articles/x.py', '0.9092', 'training_accuracy', 3, 1000, writes=True)
LESSON = articles.Row('L', 'lesson.py', '0.9', 'test_accuracy', 2)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder with one script and one lesson; the data is not looked at."""
    monkeypatch.setattr(articles, 'require_mnist', lambda data_dir: None)
    monkeypatch.setattr(articles, 'ROWS', (ROW, LESSON))
    (tmp_path / 'articles').mkdir()
    (tmp_path / 'articles' / 'x.py').write_text(SCRIPT)
    (tmp_path / 'lesson.py').write_text('a lesson\n')
    return tmp_path


@pytest.fixture
def runs(project):
    return project / 'runs'


def run(project, *rows, train=None):
    articles.run_missing(project / 'runs', rows or [ROW], 'DATA', train, project)


def starts(runs):
    """How often the script was started with each seed."""
    return [path.stat().st_size for path in sorted(runs.glob('articles/X/seed*.started'))]


def test_a_finished_row_is_run_again_only_after_its_script_changed(project, runs):
    run(project)
    run(project)
    assert starts(runs) == [1, 1, 1]
    script = project / 'articles' / 'x.py'
    script.write_bytes(SCRIPT.replace('\n', '\r\n').encode())  # the same text on Windows
    run(project)
    assert starts(runs) == [1, 1, 1]
    script.write_text(SCRIPT + '# changed\n')
    assert '| not run yet |' in articles.table(runs, project)[2]
    run(project)
    assert starts(runs) == [2, 2, 2]
    (runs / 'articles' / 'X' / 'seed1.json').unlink()
    run(project)
    assert starts(runs) == [2, 3, 2]


def test_what_is_kept_of_a_run(project, runs, capfd):
    run(project)
    result = json.loads((runs / 'articles' / 'X' / 'seed2.json').read_text(encoding='utf-8'))
    assert (result['script'], result['flags'], result['seed']) == ('articles/x.py', [], 2)
    assert (result['training_accuracy'], result['test_accuracy']) == (0.92, 0.82)
    assert 0 < result['seconds'] < 60 and result['versions']['numpy'] == np.__version__
    printed = (runs / 'articles' / 'X' / 'seed2.txt').read_text(encoding='utf-8')
    assert printed.startswith('test accuracy: 0.1000, of an epoch\n')
    out, err = capfd.readouterr()
    assert out == '' and printed in err and '$ python articles/x.py --seed 2\n' in err
    assert sorted(path.suffix for path in (runs / 'articles' / 'X').glob('seed2.*')) == [
        '.json', '.started', '.txt']


def test_the_table(project, runs):
    assert articles.table(runs, project)[2:] == [
        '| X | `python articles/x.py` | 0.9092 | not run yet | - | - |',
        '| L | `python lesson.py` | 0.9 | not run yet | - | - |']
    run(project)
    row = re.fullmatch(
        r'\| X \| `python articles/x\.py` \| 0\.9092 \| (.*) \| 1,000 \| \d+\.\d \|',
        articles.table(runs, project)[2]).group(1)
    assert row == ('0.9100 (0.9000 to 0.9200, n = 3) on the training images; above 0.9092 in '
                   '0 to 40 of 1,000 epochs, with 1 of 3 seeds at all')


def add_lesson_run(runs, seed, sha256, **changes):
    folder = folders.timed_folder(runs, 'lesson', seed)
    (folder / 'run.json').write_text(json.dumps({
        'script': 'lesson', 'status': 'finished', 'recipe': '', 'flags': {}, 'dataset': 'MNIST',
        'seed': seed, 'steps': 20 + seed, 'of_steps': 20 + seed, 'parameters': 7850,
        'precision': 'float32', 'test_accuracy': 0.9 + seed / 100, 'training_accuracy': None,
        'validation_accuracy': None, 'images_per_second': None, 'best': None, 'epoch_losses': {},
        'looks': {}, 'processor': '', 'versions': {},
        'seconds': {'import': 1.0, 'data': 1.0, 'training': 1.0, 'whole': 3.0 + seed},
        'lesson_sha256': sha256,
        **changes}))


def test_a_lesson_s_row_is_made_from_run_folders(project, runs):
    sha256 = articles.text_sha256('lesson.py', project)
    add_lesson_run(runs, 0, sha256)
    add_lesson_run(runs, 1, '0' * 64)  # of another text, and five that do not count:
    for changes in ({'dataset': 'strokes'}, {'recipe': '--steps 5'}, {'status': 'interrupted'},
                    {'script': 'other'}, {'test_accuracy': None}):
        add_lesson_run(runs, 1, sha256, **changes)
    trained = []
    run(project, LESSON, train=lambda row, seed: trained.append((row, seed)))
    assert trained == [(LESSON, 1)]
    assert '0.9000 (0.9000 to 0.9000, n = 1) | 20 | 3.0 |' in articles.table(runs, project)[3]
    add_lesson_run(runs, 1, sha256)
    run(project, LESSON, train=lambda row, seed: trained.append((row, seed)))
    assert len(trained) == 1
    assert '0.9050 (0.9000 to 0.9100, n = 2) | 20 to 21 | 3.5 |' in articles.table(runs, project)[3]


def test_a_damaged_result_is_named_and_made_again(project, runs, capsys):
    run(project)
    for seed, text in enumerate(('{"sha', '[]', '{"sha256": 1}')):
        (runs / 'articles' / 'X' / f'seed{seed}.json').write_text(text)
    assert 'not run yet' in articles.table(runs, project)[2]
    error = capsys.readouterr().err
    assert all(re.search(rf'^skipped: .*seed{seed}\.json is damaged', error, re.MULTILINE)
               for seed in range(3))
    run(project)
    assert starts(runs) == [2, 2, 2]


@pytest.mark.parametrize(('line', 'said'), [
    ('raise ValueError("no such thing")', 'ended with status 1.*no such thing'),
    ('sys.exit(0)', 'printed no training accuracy')])
def test_a_script_that_fails_is_a_sentence_and_no_result(project, runs, line, said):
    (project / 'articles' / 'x.py').write_text(
        SCRIPT.replace("print('test", f"if args.seed == 1: {line}\nprint('test", 1))
    with pytest.raises(UserError, match=said) as caught:
        run(project)
    assert caught.value.exit_status == 1 and '\n' not in str(caught.value)
    assert str(caught.value).startswith('articles/x.py --seed 1 ')
    assert [path.name for path in sorted((runs / 'articles' / 'X').glob('*.json'))] == [
        'seed0.json']


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')
@pytest.mark.parametrize('end', [signal.SIGINT, signal.SIGTERM], ids=['Ctrl-C', 'SIGTERM'])
def test_ended_it_stops_the_script(project, runs, end):
    (project / 'articles' / 'x.py').write_text(SCRIPT + (
        'import os, time\nprint("process", os.getpid(), flush=True)\ntime.sleep(60)\n'))
    code = ('import pathlib, sys\n'
            'from digits import command_line\nfrom digits.training import articles\n'
            'project = pathlib.Path(sys.argv[1])\n'
            f'row = articles.Row{tuple(ROW)}\n'
            'command_line.run(lambda: articles.run_script(project / "runs", row, 0, "DATA", '
            'project))\n')
    process = subprocess.Popen([sys.executable, '-c', code, str(project)], stderr=subprocess.PIPE,
                               cwd=str(paths.PROJECT_ROOT), universal_newlines=True)
    for line in process.stderr:
        if line.startswith('process '):
            break
    process.send_signal(end)
    rest = process.stderr.read()
    assert process.wait(timeout=30) == 128 + end
    assert len(rest.splitlines()) == 1 and rest.startswith('-c: interrupted; finished runs are')
    deadline = time.monotonic() + 10
    while os.path.exists(f'/proc/{int(line.split()[1])}') and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(int(line.split()[1]), 0)
    assert not list(runs.glob('articles/X/*.json'))


def test_another_data_set_is_refused(small_dir, tmp_path):
    with pytest.raises(UserError, match='has small, but the articles use MNIST'):
        articles.run_missing(tmp_path, [articles.ROWS[1]], str(small_dir), None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('row', articles.ROWS, ids=[row.name for row in articles.ROWS])
def test_a_row_s_command_exists_with_its_flags_and_defaults(row):
    text = (paths.PROJECT_ROOT / row.script).read_text(encoding='utf-8')
    assert all(f"'{flag}'" in text for flag in row.flags)
    if not row.is_lesson:
        assert ("'--log-dir'" in text) == row.writes
        unit, number = re.search(r"'--(steps|epochs)', type=int, default=(\d+)", text).groups()
        epoch = {'C': 550, 'C-deep': 550, 'D': 429}.get(row.name, 1)  # 55,000 by 100, by 128
        assert row.steps == int(number) * (epoch if unit == 'epochs' else 1)
