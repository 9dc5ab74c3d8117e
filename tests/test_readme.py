"""The documentation says what is there, and README.ko.md says the same as README.md."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

import compare
import mnist_cnn
import mnist_cnn_deep
import mnist_cnn_long
import mnist_distributed
import mnist_numpy_sigmoid
import mnist_softmax
from digits.datasets import download
from digits.paths import PROJECT_ROOT
from digits.training import articles

READMES = [PROJECT_ROOT / name for name in ('README.md', 'README.ko.md')]
CHANGELOG = PROJECT_ROOT / 'CHANGELOG.md'
PAGES = sorted({*PROJECT_ROOT.glob('*.md'), *(PROJECT_ROOT / 'docs').glob('*.md'),
                *(PROJECT_ROOT / folder / 'README.md' for folder in ('bench', 'data'))})
TEXTS = {page: page.read_text(encoding='utf-8') for page in PAGES}
ENGLISH, KOREAN = (TEXTS[readme] for readme in READMES)
RESULTS = (PROJECT_ROOT / 'bench/RESULTS.md').read_text(encoding='utf-8')
PRESENT = [page for page in PAGES if page != CHANGELOG]  # it also names what is gone
CODE = [path for path in PROJECT_ROOT.rglob('*.py') if '.venv' not in str(path)]
SOURCES = [path.read_text(encoding='utf-8') for path in CODE if path.name != 'test_readme.py']
# What the project runs and does not define: argparse, TensorBoard, pytest, pip-audit.
OTHERS_FLAGS = {'--help', '--logdir', '--durations', '--strict', '--index-url', '--upgrade'}
# Named, and not in the repository: what runs, the reader, or other projects make.
NOT_HERE = {'mine.py', 'NAME.py', 'photos/labels.csv', 'mnist.png'}


def name(page: Path) -> str:
    return page.relative_to(PROJECT_ROOT).as_posix()


def blocks(text):
    """The code blocks of a page, with the line that opens them."""
    return re.findall(r'^```.*?^```$', text, re.MULTILINE | re.DOTALL)


def prose(text):
    """What is not in a code block."""
    return re.sub(r'^```.*?^```$', '', text, flags=re.MULTILINE | re.DOTALL)


def spans(text):
    """What stands between backticks: commands, flags, names of files."""
    return {' '.join(span.split()) for span in re.findall(r'`([^`]+)`', prose(text))}


def links(text):
    """The targets of links and images in the order in which they stand."""
    return re.findall(r'\]\(([^()\s]+)\)', prose(text))


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.*)$', prose(text), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def rows(text):
    """The rows of a page's tables as lists of cells."""
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in text.splitlines() if line.startswith('|')]


def test_the_korean_readme_has_the_commands_and_headings_of_the_english_one():
    assert blocks(KOREAN) == blocks(ENGLISH)
    assert spans(KOREAN) == spans(ENGLISH)
    levels = [re.findall(r'^#+(?= )', prose(text), re.MULTILINE) for text in (ENGLISH, KOREAN)]
    assert levels[0] == levels[1]
    assert [len(row) for row in rows(KOREAN)] == [len(row) for row in rows(ENGLISH)]


def test_the_korean_readme_has_the_links_and_measured_numbers_of_the_english_one():
    targets = [{target for target in links(text) if not target.startswith('#')}
               for text in (ENGLISH, KOREAN)]
    assert targets[0] - {'README.ko.md'} == targets[1] - {'README.md'}
    numbers = [set(re.findall(r'\d\.\d{4}|\d+,\d{3}(?:,\d{3})?', text))
               for text in (ENGLISH, KOREAN)]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize('text', [ENGLISH, KOREAN], ids=['en', 'ko'])
def test_a_readme_is_short_and_says_one_result(text):
    assert len(text.splitlines()) < 200
    (cells,) = (row for row in rows(text) if row[0] == '`mnist_cnn.py`')
    accuracy, seconds = cells[3].split(' ')[0], cells[4]
    (lead,) = re.findall(r'\*\*(.*?)\*\*', text, re.DOTALL)
    assert re.search(r'0\.\d{4}', lead).group() == accuracy
    assert re.search(r'\d+(?= seconds|초)', lead).group() == seconds


@pytest.mark.parametrize('page', PRESENT, ids=name)
def test_files_that_are_named_exist(page):
    pattern = r'(?<![\w./*-])[\w./-]+\.(?:py|md|txt|jpg|png|webp|csv)\b'
    for file in set(re.findall(pattern, re.sub(r'https?://\S+', '', TEXTS[page]))):
        places = [PROJECT_ROOT / file, page.parent / file, PROJECT_ROOT / 'docs' / file]
        if '/' not in file:  # a page may leave out the folder of a test or a module
            places += [path for path in CODE if path.name == file]
        made = not file.endswith(('.py', '.md')) and any(file in text for text in SOURCES)
        assert made or file in NOT_HERE or any(place.exists() for place in places), file


@pytest.mark.parametrize('page', PRESENT, ids=name)
def test_what_is_told_to_be_written_is_not_there(page):
    """`--out digits` cannot be: that is a folder of this project."""
    for file in re.findall(r'--out ([\w./-]+)', TEXTS[page]):
        assert not (PROJECT_ROOT / file).exists(), file


@pytest.mark.parametrize('page', PRESENT, ids=name)
def test_flags_that_are_named_exist(page):
    runs = (PROJECT_ROOT / '.ci/run').read_text(encoding='utf-8')
    for flag in set(re.findall(r'(?<![\w-])--[a-z][a-z0-9-]+', TEXTS[page])) - OTHERS_FLAGS:
        assert any(re.search(rf"['\"]{flag}['\"]", source) for source in SOURCES) \
            or flag in runs, flag


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_links_lead_somewhere(page):
    for target in links(TEXTS[page]):
        if re.match('https?:', target):
            continue
        file, _, anchor = target.partition('#')
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.read_text(encoding='utf-8')), target


def test_every_page_is_reached_from_the_readme():
    for page in (PROJECT_ROOT / 'docs').glob('*.md'):
        assert name(page) in links(ENGLISH), page
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(TEXTS[page])}
    pictures = [path for path in (PROJECT_ROOT / 'docs').iterdir() if path.suffix != '.md']
    assert len(pictures) > 10
    for picture in pictures:
        assert picture.resolve() in shown, picture


def test_the_two_commands_fit_the_column_and_ci_runs_them():
    """GitHub's column holds about 90 characters of code; what is longer is cut off."""
    commands = [block.splitlines()[1:-1] for block in blocks(ENGLISH) if '-m venv' in block]
    assert [lines[-1].split('bin/python ')[1] for lines in commands] == [
        'mnist_cnn.py', '-m pytest']
    for lines in commands:
        assert max(map(len, lines)) <= 90
        assert [line.endswith('&&') for line in lines] == [True, False]  # pasted, it is one command
    (extract,) = re.findall(r'^mapfile -t commands < <\((.*)\)$',
                            (PROJECT_ROOT / '.ci/run').read_text(encoding='utf-8'), re.MULTILINE)
    if shutil.which('sed') and shutil.which('bash'):
        found = subprocess.run(['bash', '-c', extract], cwd=str(PROJECT_ROOT), check=True,
                               stdout=subprocess.PIPE, text=True).stdout
        assert found.splitlines() == [' '.join(map(str.strip, lines)) for lines in commands]


@pytest.mark.parametrize('text', [ENGLISH, KOREAN], ids=['en', 'ko'])
def test_the_first_screen_has_contents_and_a_drawing_that_moves(text):
    first = text[:text.index('\n## ')]
    (picture,) = re.findall(r'!\[[^]]+\]\((.*)\)', first)
    path = PROJECT_ROOT / picture
    assert path.stat().st_size < 600_000
    with Image.open(str(path)) as image:
        assert image.is_animated and image.n_frames > 30
    contents = [target[1:] for target in links(first) if target.startswith('#')]
    headings = re.findall(r'^## (.*)$', prose(text), re.MULTILINE)
    assert contents == [heading.lower().replace(' ', '-') for heading in headings]
    assert contents[1] == ('draw' if text is ENGLISH else '직접-그려-보기')  # the page is second


@pytest.mark.parametrize('lesson', [mnist_softmax, mnist_cnn, mnist_cnn_deep,
                                    mnist_cnn_long, mnist_numpy_sigmoid, mnist_distributed])
def test_a_lesson_shows_the_output_that_the_documentation_shows(lesson):
    """Both are pasted from a run: they must be pasted from the same one."""
    shown = lesson.__doc__[lesson.__doc__.index('$ '):].split('\n\n')[0].strip()
    assert any(f'```console\n{shown}\n```' in text for text in TEXTS.values())


def test_an_output_stands_on_one_page():
    """Numbers have one place; other pages link to it."""
    shown = [block for page in PAGES if page.name != 'README.ko.md'
             for block in blocks(TEXTS[page]) if block.startswith('```console')]
    assert len(shown) == len(set(shown)) > 8


def test_every_article_has_its_row():
    """compare.py --articles prints the rows; each must be there, with numbers in it."""
    shown = rows(TEXTS[PROJECT_ROOT / 'docs/articles.md'])
    for row in articles.ROWS:
        ((_, ours_is, theirs, ours, steps, seconds),) = (
            cells for cells in shown if cells[0] == row.name and len(cells) == 6)
        assert (ours_is, theirs) == (f'`python {row.command}`', row.figure)
        assert re.match(rf'0\.\d{{4}} \(0\.\d{{4}} to 0\.\d{{4}}, n = {row.seeds}\)', ours)
        assert re.match(r'[\d,]+', steps) and float(seconds) > 0


def test_ratios_of_speed_are_those_of_the_results():
    table = [row for row in rows(TEXTS[PROJECT_ROOT / 'docs/speed.md']) if len(row) == 3]
    quoted = [ratio for row in table[2:] for ratio in row[2].split('; ')]
    assert len(quoted) > 10
    for ratio in quoted:
        assert f' is {ratio} times as fast as ' in RESULTS, ratio


@pytest.mark.parametrize('page, cells', [('pictures', slice(2, 7)), ('clusters', slice(0, 7))])
def test_quoted_rows_are_those_of_the_results(page, cells):
    results = re.sub(r' +', ' ', RESULTS)
    table = [row[cells] for row in rows(TEXTS[PROJECT_ROOT / f'docs/{page}.md'])]
    quoted = [row for row in table if row and all(re.fullmatch(r'[\d.,]+', cell) for cell in row)]
    assert len(quoted) >= 4
    for row in quoted:
        assert f'| {" | ".join(row)} |' in results, row


def test_messages_of_the_troubleshooting_page_are_those_of_the_code():
    messages = {span for row in rows(TEXTS[PROJECT_ROOT / 'docs/troubleshooting.md'])
                for span in re.findall(r'`([^`]+)`', row[0])}
    assert len(messages) > 8
    for message in messages:
        assert any(message in source for source in SOURCES), message


def test_data_readme_has_the_checksums_that_downloads_are_held_to():
    text = TEXTS[PROJECT_ROOT / 'data/README.md']
    for file, (size, sha256) in download.FILES.items():
        assert f'| {file} | {size:,} | {sha256} |' in text


def test_figures_have_one_source():
    """README.md's table of the lessons; what repeats its figures has the same."""
    accuracy = r'(\d\.\d{4}) ± (\d\.\d{4})'
    in_table = rf'^\| `(mnist_\w+)\.py` \|.*\| ([\d,]+) \| {accuracy} \| ([\d.]+) \|$'
    rows = re.findall(in_table, ENGLISH, re.MULTILINE)
    assert len(rows) == 3
    assert rows == re.findall(in_table, KOREAN, re.MULTILINE)
    _, _, mean, _, seconds = next(row for row in rows if row[0] == 'mnist_cnn')
    for text in (ENGLISH, KOREAN):  # the first sentence
        assert f'{mean}' in text.split('\n\n')[4] and re.search(
            rf'\b{seconds}(초| seconds)', text.split('![')[0])
    shown = re.findall(rf'^(mnist_\w+) +MNIST +0 1 2 3 4  {accuracy} +([\d,]+) +([\d.]+)',
                       compare.__doc__, re.MULTILINE)
    assert {(script, parameters, mean, sd, f'{float(seconds):.3g}')  # 117.1 is 117 there
            for script, mean, sd, parameters, seconds in shown} == set(rows)


def test_one_run_prints_the_same_everywhere():
    """The lesson's docstring, README.md and README.ko.md show one run of mnist_cnn.py."""
    lines = re.findall(r'^(?:validation|test) accuracy: .*$', mnist_cnn.__doc__, re.MULTILINE)
    assert len(lines) == 2
    for text in (ENGLISH, KOREAN):
        assert '\n'.join(lines) in text
