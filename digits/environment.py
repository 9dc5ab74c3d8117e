"""One sentence, and status 2, if packages are missing: usually no environment is active.

Imports the standard library only. digits.command_line and digits.datasets call `check` when they
are imported, so scripts import one of them before any other package.
"""
import importlib.machinery
import importlib.util
import os
import sys
from typing import List

from digits.paths import PROJECT_ROOT

# What requirements.txt installs, by the name to import.
PACKAGES = {'numpy': 'numpy', 'tqdm': 'tqdm', 'PIL': 'pillow', 'google_crc32c': 'google-crc32c',
            'cv2': 'opencv-python-headless', 'tensorflow': 'tensorflow', 'matplotlib': 'matplotlib',
            'tensorboard': 'tensorboard', 'pooch': 'pooch', 'tornado': 'tornado'}
AT_START = ('numpy', 'tqdm', 'PIL', 'google_crc32c')  # what every script imports first


def remedy() -> str:
    """What to do, for this system and what there is in the project's folder."""
    bin_name, word = ('Scripts', '') if os.name == 'nt' else ('bin', 'source ')
    # The path as one types it from here.
    activate = word + os.path.join(_from_here('.venv'), bin_name, 'activate')
    if (PROJECT_ROOT / '.venv' / bin_name / 'activate').is_file():
        first = f'activate the environment ({activate}), or'
    else:
        first = f'make an environment (python3 -m venv {_from_here(".venv")}), activate it ' \
            f'({activate}), and'
    return f'{first} run  python -m pip install -r {_from_here("requirements.txt")}'


def leave(packages: List[str]) -> None:
    """Print which packages are missing and what to do; SystemExit(2)."""
    are = 'is' if len(packages) == 1 else 'are'
    print(f'{os.path.basename(sys.argv[0])}: {", ".join(packages)} {are} not installed for '
          f'{sys.executable}: {remedy()}', file=sys.stderr)
    raise SystemExit(2)


def check() -> None:
    """Leave with a sentence if a package is missing that every script imports first.

    Also if the script has the name of one of Python's modules, such as copy.py: they would import
    it in the place of theirs.
    """
    folder, name = os.path.split(os.path.abspath(sys.argv[0] or '.'))
    library = os.path.dirname(os.__file__)
    if folder == str(PROJECT_ROOT) and name not in ('', 'test.py') and (
            importlib.machinery.PathFinder.find_spec(
                name.partition('.')[0], [library, os.path.join(library, 'lib-dynload')])):
        print(f'{name}: Python has a module of this name: rename the script', file=sys.stderr)
        raise SystemExit(2)
    missing = [PACKAGES[name] for name in AT_START
               if name not in sys.modules and importlib.util.find_spec(name) is None]
    if missing:
        leave(missing)


def _from_here(name):
    path = os.path.join(str(PROJECT_ROOT), name)
    try:
        return min(os.path.relpath(path), path, key=len)
    except ValueError:  # on another drive of a Windows machine
        return path


