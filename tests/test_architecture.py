"""The rooms of digits/, which of them may import which, and that nobody uses another's _name."""
import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(path.stem for path in ROOT.glob('*.py'))
FILES = sorted(path.relative_to(ROOT) for path in (
    *ROOT.glob('*.py'), *ROOT.glob('articles/*.py'), *ROOT.glob('digits/**/*.py')))

# room -> what it may import of ours, besides itself; the arrows of docs/architecture.md
BELOW_PREDICTION = {'training', 'pictures', 'datasets', 'foundation'}
MAY_IMPORT = {
    'scripts': {'web', 'prediction', 'cluster', *BELOW_PREDICTION},
    'web': {'prediction', *BELOW_PREDICTION},
    'prediction': BELOW_PREDICTION,
    'cluster': {'training', 'datasets', 'foundation'},
    'training': {'datasets', 'foundation'},
    'pictures': {'datasets', 'foundation'},
    'datasets': {'foundation'},
    'foundation': set(),
}
FOR_ARTICLES = {'digits.input_data', 'digits.tensorflow_v1'}

# Documented as public in spite of their names, by Python: os._exit, and a named tuple's.
PUBLIC = {'_exit', '_replace', '_asdict', '_fields', '_make', '_field_defaults'}
# The one private name that is used: where it is missing, Session.run is.
ALLOWED = {'_make_callable_from_options'}


# Arrows

def imported(path, tree):
    """Yield (line, module in full) of each import in the file, those in functions too.

    `from a import b` counts as a.b, whether that is a module or not.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.parts[:len(path.parent.parts) + 1 - node.level]
            start = [*(package if node.level else ()), *filter(None, [node.module])]
            yield from ((node.lineno, '.'.join([*start, alias.name])) for alias in node.names)


def room(module):
    """The room of a module, by its name in full; None if it is not ours."""
    top, _, rest = module.partition('.')
    if top != 'digits':
        return 'scripts' if module.split('.')[0] in SCRIPTS else None
    if rest.split('.')[0] == 'input_data':  # digits.datasets under its classic name
        return 'datasets'
    return rest.split('.')[0] if rest.split('.')[0] in MAY_IMPORT else 'foundation'


def wrong_imports(path, text):
    """['file:line: what it imports'] against the arrows, in the text of a file."""
    if path.parts[0] == 'articles':
        wrong = [(line, module) for line, module in imported(path, ast.parse(text))
                 if room(module) and not any(f'{module}.'.startswith(f'{allowed}.')
                                             for allowed in FOR_ARTICLES)]
    else:
        own = room('.'.join(path.with_suffix('').parts))
        wrong = [(line, module) for line, module in imported(path, ast.parse(text))
                 if room(module) not in {None, own, *MAY_IMPORT[own]}]
    return [f'{path.as_posix()}:{line}: {module}' for line, module in wrong]


def test_imports_go_down_only():
    wrong = [found for path in FILES
             for found in wrong_imports(path, (ROOT / path).read_text(encoding='utf-8'))]
    assert not wrong, '\n'.join(wrong)


def test_every_folder_with_code_is_a_room():
    folders = {path.parts[1] for path in FILES if path.parts[0] == 'digits' and len(path.parts) > 2}
    assert folders <= set(MAY_IMPORT) - {'scripts', 'foundation'}


@pytest.mark.parametrize(('path', 'text', 'module'), [
    ('digits/training/a.py', 'import numpy\nfrom digits import prediction', 'digits.prediction'),
    ('digits/training/a.py', '\nimport digits.prediction.b as c', 'digits.prediction.b'),
    ('digits/training/a.py', '\nfrom ..cluster import b', 'digits.cluster.b'),
    ('digits/training/a.py', '\nfrom .. import cluster', 'digits.cluster'),
    ('digits/training/a.py', 'def f():\n    from digits.web.b import c', 'digits.web.b.c'),
    ('digits/pictures/a.py', 'def f():\n    from digits.training import c', 'digits.training.c'),
    ('digits/cluster/a.py', 'import os\nimport digits.prediction', 'digits.prediction'),
    ('digits/prediction/a.py', '\nfrom digits.web import b', 'digits.web.b'),
    ('digits/prediction/a.py', '\nimport mnist_cnn', 'mnist_cnn'),
    ('digits/datasets/a.py', '\nfrom digits.training import b', 'digits.training.b'),
    ('digits/a.py', '\nfrom digits import input_data', 'digits.input_data'),
    ('digits/a.py', '\nfrom digits.datasets import idx', 'digits.datasets.idx'),
    ('articles/a.py', '\nfrom digits import command_line', 'digits.command_line'),
    ('articles/a.py', '\nfrom digits.input_data_b import c', 'digits.input_data_b.c')])
def test_an_import_that_goes_up_is_found(path, text, module):
    assert wrong_imports(Path(path), text) == [f'{path}:2: {module}']


@pytest.mark.parametrize(('path', 'text'), [
    ('predict.py', 'from digits.prediction import a\nfrom digits.web import b\nimport mnist_cnn'),
    ('digits/web/a.py', 'from digits.prediction import b\nfrom digits.pictures.c import d'),
    ('digits/prediction/a.py', 'from digits import input_data, errors\nfrom . import b'),
    ('digits/cluster/a.py', 'from digits.training import b\nfrom ..datasets import c'),
    ('digits/datasets/a.py', 'from digits.errors import UserError\nfrom digits import locks'),
    ('digits/input_data.py', 'from digits.datasets.mnist import read_data_sets'),
    ('articles/a.py', 'from digits import input_data\nfrom digits.tensorflow_v1 import tf')])
def test_an_import_that_goes_down_is_not(path, text):
    assert wrong_imports(Path(path), text) == []


# Private names

def private(name):
    return name.startswith('_') and name.strip('_') and not name.endswith('__') and (
        name not in PUBLIC | ALLOWED)


def private_names(path, text):
    """['file:line: name'] of what the text uses of another module's private names.

    That is a private name that is imported, one looked up in what was imported, and one looked up
    in anything (`self` too) without being defined in this text. getattr(x, '_y') counts as x._y.
    """
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    imports = {(alias.asname or alias.name).split('.')[0] for node in nodes
               if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}
    own = {node.name for node in nodes if isinstance(
        node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    own |= {node.id for node in nodes if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)}
    own |= {node.attr for node in nodes if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store) and root(node) in ('self', 'cls')}
    found = [(line, name) for line, module in imported(path, tree)
             for name in module.split('.') if private(name)]
    for node in nodes:
        if isinstance(node, ast.Attribute):
            name, owner = node.attr, node.value
        elif (isinstance(node, ast.Call) and getattr(node.func, 'id', '') in (
                'getattr', 'hasattr', 'setattr', 'delattr') and len(node.args) > 1):
            name, owner = text_of(node.args[1]), node.args[0]
        else:
            continue
        if private(name) and (name not in own or root(owner) in imports):
            found.append((node.lineno, name))
    return [f'{path.as_posix()}:{line}: {name}' for line, name in sorted(found)]


def root(node):
    """The first name of a.b().c[d]; '' if it begins with something else."""
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return getattr(node, 'id', '')


def text_of(node):
    """A literal's text; '' of anything else."""
    try:
        return str(ast.literal_eval(node))
    except ValueError:
        return ''


def test_nobody_uses_a_private_name_of_another_module():
    used = [found for path in FILES
            for found in private_names(path, (ROOT / path).read_text(encoding='utf-8'))]
    assert not used, '\n'.join(used)


@pytest.mark.parametrize('text', [
    'from digits.pictures.ink import _x', 'from digits._x import y', 'import numpy._x as y',
    'from digits.pictures import ink\nink._x(1)', 'import numpy as np\nnp.core._x',
    'from digits.pictures import ink\ndef _x(): ink._x(1)',  # its own _x is another one
    'from server import Server\nServer()._x', 'from server import Server\nServer.y._x = 1',
    'from server import Server\nclass A(Server):\n    def f(self): return self._x',
    'def f(parser): return parser._x', 'def f(parser): return parser.y[0]._x',
    'def f(parser): return getattr(parser, "_x", None)', 'def f(parser): parser._x = 1'])
def test_a_private_name_is_found(text):
    line = text.count('\n') + 1
    assert private_names(Path('a.py'), text) == [f'a.py:{line}: _x']


@pytest.mark.parametrize('text', [
    'def _x(): pass\n_x()', 'class A:\n    _x = 1\n    def f(self, other): return other._x',
    'class A:\n    def f(self): self._x = 1\n    def g(self): return self._x',
    'import os\nos._exit(1)', 'def f(style): return style._replace(a=1)',
    'def f(session): return getattr(session, "_make_callable_from_options", None)',
    'from __future__ import division\nimport tensorflow\ntensorflow.__version__'])
def test_a_name_of_ones_own_or_a_public_one_is_not(text):
    assert private_names(Path('a.py'), text) == []


# Size

LISTS = {'digits/datasets/skeletons.py', 'digits/datasets/world.py', 'bench/hard_pictures.py'}


def test_no_file_is_long_but_lists():
    """Of skeletons, and of kinds of pictures: docs/architecture.md."""
    paths = [*ROOT.glob('*.py'), *(path for folder in ('articles', 'bench', 'digits', 'tests')
                                   for path in (ROOT / folder).glob('**/*.py'))]
    assert {path.relative_to(ROOT).as_posix() for path in paths
            if len(path.read_text(encoding='utf-8').splitlines()) > 350} == LISTS
