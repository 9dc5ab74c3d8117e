"""How names and probabilities are written."""
import re

import pytest

from digits import paths, texts


@pytest.mark.parametrize(('probability', 'text'), [
    (0, '0.0%'), (0.0004, '0.0%'), (0.0006, '0.1%'), (0.412, '41.2%'), (0.4126, '41.3%'),
    (0.9, '90.0%'), (0.998, '99.8%'), (0.9994, '99.9%'), (0.9996, '99.9%'), (0.999999, '99.9%'),
    (1, '99.9%')])
def test_a_probability_is_never_certainty(probability, text):
    assert texts.percent(probability) == text


def test_no_module_has_a_rule_of_its_own():
    """A format of Python's with % in it, or Intl's percent, stands in the two rules alone."""
    own = re.compile(r'\{[^{}]*[Pp]robabilit[^{}]*:[^{}]*%\}')
    found = [path.name for path in sorted((paths.PROJECT_ROOT / 'digits').rglob('*.py'))
             if own.search(path.read_text(encoding='utf-8'))]
    assert found == ['texts.py']
    page = (paths.PROJECT_ROOT / 'digits/web/page/answer.js').read_text(encoding='utf-8')
    assert len(re.findall("'percent'", page)) == 1 and 'toFixed' not in page
    assert 'Math.min(share, 0.999)' in page and page.count('FractionDigits: 1') == 2


def test_korean_letters_are_two_columns_wide():
    assert [texts.columns(text) for text in ('abc', '손글씨', 'e\u0301', 'a손')] == [3, 6, 1, 3]
