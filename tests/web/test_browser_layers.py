"""draw.py's page between pixels and answer, and two networks side by side, in a real browser."""
import json
import re
import urllib.request

import browsing
import pytest
from browsing import DIGITS, sync_api

from digits.paths import PROJECT_ROOT

pytestmark = pytest.mark.slow
server, window = browsing.server, browsing.window  # fixtures


def test_layers_come_when_asked_for_and_say_how_a_pixel_came_about(window):
    page = window(viewport={'width': 1000, 'height': 1200})
    page.draw(DIGITS[5])
    page.shows('sure|doubt', 5)
    assert page.page.locator('#layers canvas').count() == 0
    page.page.locator('#maps summary').click()
    sync_api.expect(page.page.locator('#layers canvas')).to_have_count(3)
    captions = page.page.locator('#layers figcaption').all_inner_texts()
    assert [caption.split('.')[0] for caption in captions] == [
        'conv1: 32 maps of 28 × 28', 'conv2: 64 maps of 14 × 14', 'fc1: 1024 units']
    assert all(re.search(r'Contributed most to the 5: (maps|units) \d+', each) for each in captions)
    canvas = page.page.locator('#layers canvas').nth(1)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()  # 16 maps of 14 pixels and a gap in a row, 241 pixels in all
    pixel = box['width'] / 241
    page.page.mouse.move(box['x'] + (1 + 2 * 15 + 4.5) * pixel, box['y'] + (1 + 15 + 6.5) * pixel)
    said = page.page.locator('#pixel')
    sync_api.expect(said).to_contain_text('conv2, map 19, row 7, column 5: the sum is')
    assert 'after bias and ReLU' in said.inner_text() and 'of 64' in said.inner_text()
    assert page.page.locator('#pixel canvas').count() == 6  # three patches and three filters


def test_layers_are_reached_with_the_keyboard_and_said_in_words(window):
    page = window(viewport={'width': 1440, 'height': 900})  # beside the paper, and open
    page.draw(DIGITS[3])
    page.shows('sure|doubt', 3)
    sync_api.expect(page.page.locator('#layers canvas')).to_have_count(3)
    columns = [page.page.locator(name).bounding_box()['x']
               for name in ('#paper', '#maps', '#answer')]
    assert columns == sorted(columns) and columns[2] > columns[1] > columns[0] + 200
    page.page.locator('#maps summary').focus()
    page.page.keyboard.press('Tab')
    said = page.page.locator('#said')
    sync_api.expect(said).to_have_text(
        re.compile(r'conv1, map \d+, row \d+, column \d+: the sum is'))
    before = re.search(r'map (\d+), row (\d+), column (\d+)', said.inner_text()).groups()
    page.page.keyboard.press('ArrowRight')
    page.page.keyboard.press('ArrowDown')
    after = ' '.join(str(int(each) + (at > 0)) for at, each in enumerate(before))
    sync_api.expect(said).to_contain_text('map {}, row {}, column {}'.format(*after.split()))
    page.page.keyboard.press('Tab')
    page.page.keyboard.press('Tab')
    sync_api.expect(said).to_contain_text('fc1, unit')
    page.draw(DIGITS[3])  # live
    page.settled()
    assert page.page.locator('#layers canvas').count() == 3


def test_two_networks_are_seen_side_by_side(browser, serving, cnn_run, soft_run):
    with serving(cnn_run, '--run-dir', soft_run) as started:
        page = browsing.Page(browser, started, locale='en-US')
        sync_api.expect(page.page.locator('#networks li')).to_have_count(2)
        page.draw(DIGITS[3])
        page.shows('sure|doubt', 3)
        page.settled()
        asked = urllib.request.Request(
            f'{started.url}predict?with=others', (PROJECT_ROOT / 'data/8-dark-canvas.png')
            .read_bytes(), {'Content-Type': 'image/png'})
        page.page.locator('#file').set_input_files(str(PROJECT_ROOT / 'data/8-dark-canvas.png'))
        with urllib.request.urlopen(asked) as response:
            answer = json.load(response)
        other, = answer['others']
        page.shows('sure|doubt', answer['digit'])
        page.settled()
        said = [each['digit'] for each in (answer, other)]
        read = page.page.locator('#networks strong').all_inner_texts()
        assert [int(each.rstrip('?')) for each in read] == said
        assert page.text('#digit') == str(answer['digit'])
        page.page.wait_for_timeout(300)  # the bars slide
        lengths = page.page.evaluate("""() => [...document.querySelectorAll('#bars .bar + .bar')]
            .map((bar) => parseFloat(getComputedStyle(bar, '::before').width) / bar.clientWidth)""")
        scale = .4 if other.get('doubt') == 'unlike any digit' else 1
        assert lengths == pytest.approx([scale * each for each in other['probabilities']], abs=.02)
        page.page.keyboard.press('Escape')
        page.shows('blank')
        assert page.page.locator('#networks strong').all_inner_texts() == ['', '']
        page.context.close()
        assert page.wrong == []


@pytest.fixture(scope='module')
def soft_run(tmp_path_factory, small_dir):
    import mnist_softmax
    folder = tmp_path_factory.mktemp('softmax') / 'run'
    mnist_softmax.main(['--steps', '200', '--validation-size', '500', '--quiet',
                        '--data-dir', str(small_dir), '--run-dir', str(folder)])
    return folder
