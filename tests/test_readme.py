"""README.md says what is there, and README.ko.md says the same."""
import re

import pytest

import mnist_cnn
import mnist_distributed
import mnist_numpy_sigmoid
import mnist_softmax
from digits.datasets import download
from digits.paths import PROJECT_ROOT as HOME
from digits.training import articles

ENGLISH, KOREAN = ((HOME / name).read_text(encoding='utf-8')
                   for name in ('README.md', 'README.ko.md'))


def blocks(text):
    return re.findall(r'^```(?:sh|console|python)\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)


def test_both_readmes_have_the_same_commands_outputs_and_shape():
    assert blocks(ENGLISH) == blocks(KOREAN)
    for pattern in (r'^#+ ', r'^\| ?`?', r'\d\.\d{4}', r'(?<=\()[\w/]+\.?\w+(?=\))'):
        english, korean = (re.findall(pattern, text, re.MULTILINE) for text in (ENGLISH, KOREAN))
        assert len(english) == len(korean), pattern
    numbers = [sorted(re.findall(r'\d\.\d{4}|\d+,\d{3}(?:,\d{3})?', text))
               for text in (ENGLISH, KOREAN)]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize('text', [ENGLISH, KOREAN], ids=['en', 'ko'])
def test_files_and_flags_that_are_named_exist(text):
    for name in set(re.findall(r'\b[\w/.-]+\.(?:py|md|txt|jpg|png|gif)\b', text)):
        places = [HOME / name, HOME / 'digits' / name, HOME / 'docs' / name]
        assert any(place.exists() for place in places), name
    known = ''.join(path.read_text(encoding='utf-8') for path in (
        *HOME.glob('*.py'), HOME / 'digits/command_line.py', HOME / 'digits/cluster.py',
        HOME / 'tests/conftest.py'))
    for flag in set(re.findall(r'(?<![\w-])--[a-z][a-z-]+', text)):
        assert flag in known + '--help --logdir', flag  # argparse's and TensorBoard's


def test_the_two_commands_are_one_line_each():
    commands = re.findall(r'^python3 -m venv .*$', ENGLISH, re.MULTILINE)
    assert [re.search(r'bin/python (.*)$', command).group(1) for command in commands] == [
        'mnist_cnn.py', '-m pytest']


@pytest.mark.parametrize('lesson', [mnist_softmax, mnist_cnn, mnist_numpy_sigmoid,
                                    mnist_distributed])
def test_a_lesson_shows_the_output_that_the_readme_shows(lesson):
    """Both are pasted from a run: they must be pasted from the same one."""
    shown = lesson.__doc__[lesson.__doc__.index('$ '):].split('\n\n')[0].strip()
    assert shown + '\n' in blocks(ENGLISH)


@pytest.mark.parametrize('text', [ENGLISH, KOREAN], ids=['en', 'ko'])
def test_every_article_has_its_row(text):
    """compare.py --articles prints the rows; each must be there, with numbers in it."""
    for name, command, figure, _, seeds, *_ in articles.ROWS:
        row, = re.findall(rf'^\| {name} \| (.*) \|$', text, re.MULTILINE)
        shown, theirs, ours, steps, seconds = row.split(' | ')
        assert (shown, theirs) == (f'`python {command}`', figure)
        assert re.match(rf'0\.\d{{4}} \(0\.\d{{4}} to 0\.\d{{4}}, n = {seeds}\)', ours)
        assert re.match(r'[\d,]+', steps) and float(seconds) > 0


def test_data_readme_has_the_checksums_that_downloads_are_held_to():
    text = (HOME / 'data' / 'README.md').read_text(encoding='utf-8')
    for name, (size, sha256) in download.FILES.items():
        assert f'| {name} | {size:,} | {sha256} |' in text
