"""Without the environment every script ends with one sentence, and status 2."""
import subprocess
import sys

import pytest

from digits import command_line, environment, paths

SCRIPTS = sorted(path.relative_to(paths.PROJECT_ROOT).as_posix() for folder in ('', 'articles')
                 for path in (paths.PROJECT_ROOT / folder).glob('*.py'))


@pytest.mark.parametrize('name', SCRIPTS)
def test_a_script_says_what_is_missing_and_what_to_do(name):
    """-S -E: Python with its standard library only."""
    result = subprocess.run([sys.executable, '-S', '-E', str(paths.PROJECT_ROOT / name)],
                            capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, '')
    sentence, = result.stderr.splitlines()
    assert sentence.startswith(f'{name.split("/")[-1]}: ') and 'numpy' in sentence
    assert f'not installed for {sys.executable}' in sentence
    assert 'pip install -r ' in sentence and 'requirements.txt' in sentence


def test_all_that_requirements_name_is_known():
    lines = (paths.PROJECT_ROOT / 'requirements.txt').read_text().splitlines()
    named = {line.replace('<', '>').replace('=', '>').split('>')[0].strip() for line in lines
             if line and not line.startswith('#')}
    assert set(environment.PACKAGES.values()) == named - {'protobuf'}


def test_an_environment_in_the_project_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, 'PROJECT_ROOT', tmp_path)
    monkeypatch.chdir(tmp_path)
    assert 'python3 -m venv .venv' in environment.remedy()
    for name in ('bin', 'Scripts'):
        (tmp_path / '.venv' / name).mkdir(parents=True)
        (tmp_path / '.venv' / name / 'activate').touch()
    assert 'venv .venv' not in environment.remedy()
    assert 'activate' in environment.remedy()


@pytest.mark.parametrize(('name', 'known'), [('tornado.web', True), ('cv2', True), ('mine', False)])
def test_a_package_that_is_imported_late(capsys, name, known):
    def main():
        raise ModuleNotFoundError(f'No module named {name!r}', name=name)

    if not known:  # a mistake in a lesson
        with pytest.raises(ModuleNotFoundError):
            command_line.run(main)
        return
    with pytest.raises(SystemExit) as caught:
        command_line.run(main)
    assert caught.value.code == 2
    assert 'not installed for' in capsys.readouterr().err
