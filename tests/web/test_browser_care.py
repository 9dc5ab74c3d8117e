"""draw.py's page on small screens, for other eyes and hands, and when the server is away."""
import re

import browsing
import pytest
from browsing import DIGITS, STAR, sync_api

from digits.paths import PROJECT_ROOT

pytestmark = pytest.mark.slow
server, window = browsing.server, browsing.window  # fixtures
CANVAS = str(PROJECT_ROOT / 'data' / '8-dark-canvas.png')


@pytest.mark.parametrize(('width', 'height'), [
    (844, 390), (667, 375), (640, 360), (390, 844), (360, 640), (1280, 720), (1440, 900)])
def test_the_paper_and_the_answer_are_in_one_window(window, width, height):
    """Phones, on their side too, and a window of 1280 x 720 at 200 %."""
    page = window(viewport={'width': width, 'height': height})
    page.draw(DIGITS[2])
    page.shows('sure|doubt', 2)
    paper = page.page.locator('#paper').bounding_box()
    digit = page.page.locator('#digit').bounding_box()
    assert paper['height'] == pytest.approx(paper['width'], abs=1)
    assert 150 <= paper['height'] <= height - 60
    assert paper['y'] + paper['height'] <= height
    assert digit['y'] + digit['height'] <= height
    assert page.page.evaluate('document.documentElement.scrollWidth') == width


@pytest.mark.parametrize('locale', ['en-US', 'ko-KR'])
@pytest.mark.parametrize('width', [360, 1000, 1200, 1280])
def test_the_buttons_are_one_line_under_the_paper(window, locale, width):
    page = window(locale=locale, viewport={'width': width, 'height': 640})
    paper = page.page.locator('.paper').bounding_box()
    edge = paper['x'] + paper['width'] if width > 360 else 344
    tops = set()
    for name in ('#undo', '#redo', '#clear', '#choose'):
        box = page.page.locator(name).bounding_box()
        tops.add(box['y'])
        assert box['height'] == 44 and box['x'] >= 0 and box['x'] + box['width'] <= edge + 1
    assert len(tops) == 1
    assert page.page.evaluate('document.documentElement.scrollWidth') == width


@pytest.mark.parametrize('width', [1200, 1400, 1920])
def test_doubt_is_two_lines_beside_open_layers(window, width):
    page = window(viewport={'width': width, 'height': 900})
    page.draw(STAR)
    page.shows('doubt')
    page.settled()
    assert page.page.locator('#maps').get_attribute('open') is not None
    assert page.page.locator('#sentence').bounding_box()['height'] < 55


def test_nothing_moves_for_who_wants_no_motion(window):
    style = "getComputedStyle(document.querySelector('#bars .bar'), '::before')"
    still = window(reduced_motion='reduce').page.evaluate(f'{style}.transitionProperty')
    moving = window(reduced_motion='no-preference').page.evaluate(f'{style}.transitionProperty')
    assert (still, moving) == ('none', 'width')


def test_forced_colours_show_bars(window):
    page = window(forced_colors='active')
    page.draw(DIGITS[7])
    page.shows('sure|doubt', 7)
    bar, ground = page.page.evaluate("""[
        getComputedStyle(document.querySelector('#bars .best .bar'), '::before').backgroundColor,
        getComputedStyle(document.body).backgroundColor]""")
    assert bar not in (ground, 'rgba(0, 0, 0, 0)')


def test_the_keys_are_told_when_the_paper_has_the_focus(window):
    page = window()
    keys = page.page.locator('#keys')
    assert keys.is_hidden()
    page.page.keyboard.press('Tab')
    assert page.page.evaluate('document.activeElement.id') == 'paper'
    assert keys.is_visible() and 'Arrow keys' in keys.inner_text()
    paper = page.page.locator('#paper')
    assert paper.get_attribute('role') == 'application'  # so that screen readers pass arrow keys on
    assert paper.get_attribute('aria-describedby') == 'keys'
    page.page.keyboard.press('Tab')
    assert keys.is_hidden()


def test_redo(window):
    page = window()
    page.draw(DIGITS[1])
    page.shows('sure|doubt', 1)
    page.page.keyboard.press('Control+z')
    page.shows('blank')
    page.page.keyboard.press('Control+Shift+z')
    page.shows('sure|doubt', 1)
    page.page.locator('#undo').click()
    page.shows('blank')
    page.page.locator('#redo').click()
    page.shows('sure|doubt', 1)
    assert page.page.locator('#redo').is_disabled()
    page.page.locator('#undo').click()
    page.draw(DIGITS[7])  # what was undone is gone
    assert page.page.locator('#redo').is_disabled()


def test_the_paper_is_marked_while_a_file_is_dragged(window):
    page = window()
    assert page.page.locator('#drop').is_hidden()
    page.page.evaluate("""() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(['a'], 'a.png', {type: 'image/png'}));
        document.dispatchEvent(new DragEvent('dragover', {dataTransfer, cancelable: true}));
    }""")
    assert page.page.locator('#drop').is_visible()
    sync_api.expect(page.page.locator('#drop')).to_be_hidden()


def test_a_rejected_file_does_not_leave_the_old_picture(window):
    page = window()
    page.page.locator('#file').set_input_files(CANVAS)
    page.shows('sure|doubt')
    page.page.locator('#file').set_input_files(
        {'name': 'no.png', 'mimeType': 'image/png', 'buffer': b'no picture'})
    page.shows('sorry')
    assert page.text('#sentence') == 'This picture cannot be read'
    inked = """() => paper.getContext('2d').getImageData(0, 0, paper.width, paper.height).data
        .some((value) => value)"""
    assert not page.page.evaluate(inked)
    page.page.locator('#undo').click()
    page.shows('sure|doubt')
    assert page.page.evaluate(inked)


def test_before_anything_is_drawn_the_page_says_what_will_come(window):
    page = window()
    page.shows('blank')
    assert (page.text('#sentence'), page.text('#more')) == (
        'Nothing drawn yet', 'The digit and how sure the network is will appear here.')
    assert page.page.locator('#bars li').count() == 10


@pytest.mark.parametrize(('fault', 'sentence'), [
    (None, 'The server does not answer'), (500, 'Something went wrong in the server'),
    (503, 'Many are asking')])
def test_the_page_heals_when_the_server_is_back(window, fault, sentence):
    page = window()

    def fail(route):
        route.fulfill(status=fault, json={'error': ''}) if fault else route.abort()
    page.page.route('**/predict?*', fail)
    page.draw(DIGITS[6])
    page.shows('sorry')
    assert page.text('#sentence') == sentence
    page.page.unroute('**/predict?*')
    page.shows('sure|doubt', 6)  # by itself
    page.page.route('**/healthz', fail)
    page.page.reload()
    page.shows('sorry')
    away = 'The server does not answer' if fault is None else 'Something went wrong in the server'
    assert page.text('#sentence') == away
    page.page.unroute('**/healthz')
    page.shows('blank')
    page.page.wait_for_function("run.textContent.includes('/')")
    assert all(re.search('Failed to load resource', each) for each in page.wrong)
    page.wrong.clear()
