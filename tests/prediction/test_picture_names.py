"""What stands on the command line of predict.py: names of pictures, patterns, flags."""
import os
import re
import shutil

import pytest
from helpers import PICTURES

import predict
from digits.errors import UserError
from digits.prediction import batches


def test_nothing_to_read_is_a_usage_error(script):
    assert script('predict.py').returncode == 2
    assert script('predict.py', 'x.png', '--random').returncode == 2


@pytest.mark.parametrize(('flags', 'word'), [
    (['--random', '--page'], 'not allowed with'),
    (['--labels', 'x.csv', '--page'], 'not allowed with'),
    (['--labels', 'x.csv', '--random'], 'not allowed with'),
    (['--labels', 'x.csv', 'a', 'b'], '--labels names the pictures'),
    (['a', '--page', '--feature-maps', 'x.png'], 'for one digit'),
    (['--labels', 'x.csv', '--feature-maps', 'x.png'], 'for one digit'),
    (['a', '--plot', 'x.png', '--feature-maps', 'x.png'], 'need different files'),
    (['a', '--table', 'x.csv'], '--table is for --page'),
])
def test_flags_that_contradict_each_other_are_a_usage_error(flags, word, capsys):
    with pytest.raises(SystemExit) as left:
        predict.main(flags)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith('predict.py: ') and word in err and err.count('\n') == 1


@pytest.mark.parametrize(('flags', 'sentence'), [
    (['--plot', 'x.odd', 'a'], 'x.odd: unsupported file type'),
    (['--plot', 'x', 'a'], 'x: unsupported file type'),
    (['--feature-maps', 'nowhere/x.png', 'a'], 'there is no folder nowhere'),
    (['--feature-maps', 'x.png', 'a', 'b'], 'no more than 1 picture can be drawn'),
    (['--plot', 'x.png', *map(str, range(21))], 'no more than 20 pictures can be drawn, but'),
    (['--plot', './x.png', 'x.png'], 'is one of the pictures to read'),
])
def test_what_cannot_be_drawn_is_a_sentence_before_anything_is_read(flags, sentence, tmp_path,
                                                                    monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refused:
        predict.main(flags)
    assert sentence in str(refused.value) and refused.value.exit_status == 2
    assert not capsys.readouterr().out and not list(tmp_path.iterdir())


@pytest.fixture
def named_oddly(tmp_path, monkeypatch):
    """A folder to work in with a picture under each of many names."""
    names = ['-seven.png', 'a b.png', 'b[1].png', 'c.PNG', 'in/d.png', 'in/deep/e.png', 'in/.f.png',
             '.hidden/g.png', '숫자/손글씨 3.png', 'x-y/h.png', 'x/i.png']
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(PICTURES[0]), str(tmp_path / name))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(('words', 'recursive', 'names'), [
    (['*.png'], False, ['-seven.png', 'a b.png', 'b[1].png']),
    (['b[1].png', 'b[[]1].png', '?.PNG'], False, ['b[1].png', 'b[1].png', 'c.PNG']),
    (['z*.png'], False, ['z*.png']),
    (['in'], False, ['in/d.png']),
    (['in', 'a b.png', 'in/d.png'], True, ['in/d.png', 'in/deep/e.png', 'a b.png', 'in/d.png']),
    (['.'], False, ['./-seven.png', './a b.png', './b[1].png', './c.PNG']),
    (['.'], True, ['./-seven.png', './a b.png', './b[1].png', './c.PNG', './in/d.png',
                   './in/deep/e.png', './x-y/h.png', './x/i.png', './숫자/손글씨 3.png']),
    (['.hidden', 'in/.f.png'], True, ['.hidden/g.png', 'in/.f.png']),
])
def test_words_and_the_names_they_stand_for(named_oddly, words, recursive, names):
    assert [name.replace(os.sep, '/') for name in batches.named(words, recursive)] == names


@pytest.mark.skipif(os.name == 'nt', reason='links need rights on Windows')
def test_links_that_lead_in_circles_are_walked_once(named_oddly, tmp_path):
    (tmp_path / 'in' / 'up').symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / 'in' / 'self.png').symlink_to('self.png')
    assert batches.named(['in'], True) == ['in/d.png', 'in/deep/e.png', 'in/self.png']
    (tmp_path / 'linked').symlink_to(tmp_path / 'in', target_is_directory=True)
    assert batches.named(['linked']) == ['linked/d.png', 'linked/self.png']
    mistake, = batches.read_pictures(['in/self.png'])
    assert 'in/self.png: cannot be read' in mistake.error


def test_odd_names_are_read_wherever_flags_stand(named_oddly, numpy_run, capsys):
    run = ['--run-dir', str(numpy_run)]
    predict.main(['a b.png', *run, '숫자/손글씨 3.png', '--', '-seven.png', 'c.PNG'])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split('  ')[0] for line in lines] == [
        'a b.png', '숫자/손글씨 3.png', '-seven.png', 'c.PNG']
    answers_, = {line[-len('0   12.3%   (then 1: 10.0%)'):] for line in lines}
    assert re.match(r' *\d  ', answers_)
    # A Korean letter is two columns wide: behind it stand as many blanks less.
    assert len({len(line) + len(re.findall('[가-힣]', line)) for line in lines}) == 1


def test_a_name_that_is_no_text_is_shown_in_ascii(script, numpy_run, tmp_path):
    name = os.fsencode(str(tmp_path)) + b'/\xff.png'
    try:
        shutil.copy(str(PICTURES[0]).encode(), name)
    except OSError:
        pytest.skip('this file system has names in Unicode only')
    result = script('predict.py', '--run-dir', numpy_run, tmp_path)
    assert (result.returncode, result.stderr) == (0, '')
    assert re.match(r'.*/\\udcff.png +\d  ', result.stdout)


def test_standard_input(script, numpy_run, tmp_path):
    run = ('predict.py', '--run-dir', numpy_run)
    result = script(*run, PICTURES[1], '-', standard_input=PICTURES[0])
    first, second = result.stdout.splitlines()
    assert result.returncode == 0 and re.match(r'-  +\d  ', second)
    lines = script(*run, PICTURES[1], PICTURES[0]).stdout.splitlines()
    assert second.split()[1:] == lines[1].split()[1:]
    for data, sentence in (
            (b'', '-: nothing comes in on standard input; pipe a picture into it'),
            (b'seven', '-: not a picture of a kind read here'),
            (bytes(100 * 10 ** 6 + 1), '-: more than 100 MB on standard input')):
        (tmp_path / 'data').write_bytes(data)
        result = script(*run, '-', standard_input=tmp_path / 'data')
        assert (result.returncode, result.stdout) == (2, '')
        assert result.stderr.startswith(f'predict.py: {sentence}')
