"""draw.py's page in a real browser: drawn on with real pointer events, and read off."""
import io
import json
import urllib.request

import browsing
import numpy as np
import pytest
from browsing import DIGITS, SCRIBBLE, scaled, sync_api
from PIL import Image

from digits.paths import PROJECT_ROOT

pytestmark = pytest.mark.slow
server, window = browsing.server, browsing.window  # fixtures


def test_all_ten_digits_are_drawn_and_read(window):
    page = window()
    page.shows('blank')
    assert page.text('#hint') == '0 to 9, with mouse, finger or pen'
    read = {}
    for digit, strokes in DIGITS.items():
        page.draw(strokes)
        page.settled()
        read[digit] = page.text('#digit')
        page.page.locator('#clear').click()
        page.shows('blank')
    assert read == {digit: str(digit) for digit in DIGITS}


def test_the_answer_comes_while_the_pen_is_down(window):
    page = window()
    box = page.page.locator('#paper').bounding_box()
    page.page.mouse.move(box['x'] + box['width'] / 2, box['y'] + box['height'] * .15)
    page.page.mouse.down()
    page.page.mouse.move(box['x'] + box['width'] / 2, box['y'] + box['height'] * .85, steps=20)
    page.shows('sure|doubt', 1)
    page.page.mouse.up()
    page.settled()
    assert page.page.locator('#bars .best .name').inner_text() == '1'
    shares = page.page.locator('#bars .share').all_inner_texts()
    assert sum(float(share.rstrip('%')) for share in shares) == pytest.approx(100, abs=0.7)
    seen = page.page.evaluate('[seen.naturalWidth, seen.naturalHeight]')
    assert seen == [28, 28]
    assert page.page.locator('#said').get_attribute('aria-live') == 'polite'
    sync_api.expect(page.page.locator('#said')).to_contain_text('1')


def test_undo_takes_back_strokes_and_clearing(window):
    page = window()
    page.draw(DIGITS[1])
    page.shows('sure|doubt', 1)
    page.draw([[(.1, .1), (.9, .1), (.9, .9), (.1, .9)]])
    page.page.keyboard.press('Control+z')
    page.settled()
    assert page.text('#digit') == '1'
    page.page.keyboard.press('Escape')
    page.shows('blank')
    page.page.locator('#undo').click()
    page.shows('sure|doubt', 1)
    page.page.locator('#undo').click()
    page.shows('blank')
    assert page.page.locator('#undo').is_disabled()


def test_a_digit_is_drawn_with_the_keyboard_alone(window):
    page = window()
    page.page.locator('#paper').focus()
    for key in ['ArrowUp'] * 15 + ['Space'] + ['ArrowDown'] * 32 + ['Space']:
        page.page.keyboard.press(key)
    page.settled()
    assert page.text('#digit') == '1'
    page.page.keyboard.press('Tab')
    assert page.page.evaluate('document.activeElement.id') == 'undo'
    page.page.keyboard.press('Enter')
    page.shows('blank')


def test_a_pasted_a_dropped_and_a_chosen_picture_are_read_as_predict_reads_them(window, server):
    page = window()
    data = (PROJECT_ROOT / 'data' / '8-dark-canvas.png').read_bytes()
    asked = urllib.request.Request(f'{server.url}predict', data, {'Content-Type': 'image/png'})
    with urllib.request.urlopen(asked) as response:
        answer = json.load(response)
    share = f'{100 * min(answer["probability"], 0.999):.1f}'
    page.context.grant_permissions(['clipboard-read', 'clipboard-write'])
    # The browser writes what is copied anew, so that its bytes differ; a file's stay.
    page.page.evaluate("""async (bytes) => navigator.clipboard.write([new ClipboardItem(
        {'image/png': new Blob([new Uint8Array(bytes)], {type: 'image/png'})})])""", list(data))
    page.page.keyboard.press('Control+v')
    page.shows('sure|doubt', answer['digit'])
    page.page.keyboard.press('Escape')
    page.shows('blank')
    page.page.locator('#file').set_input_files(str(PROJECT_ROOT / 'data' / '8-dark-canvas.png'))
    page.shows('sure|doubt', answer['digit'])
    assert page.text('#bars .best .share') == f'{share}%'
    page.page.keyboard.press('Escape')
    page.page.evaluate("""(bytes) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], 'a.png', {type: 'image/png'}));
        paper.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true}));
    }""", list(data))
    page.shows('sure|doubt', answer['digit'])
    assert page.text('#bars .best .share') == f'{share}%'
    page.draw(DIGITS[1])  # begins anew, on white paper
    page.settled()
    assert page.text('#digit') == '1'


def test_what_is_too_large_for_the_server_goes_smaller_and_what_is_no_picture_is_told(window):
    page = window()
    large = Image.new('L', (5000, 4000), 255)
    large.paste(0, (2400, 1000, 2650, 3000))
    file = io.BytesIO()
    large.save(file, 'PNG')
    page.page.locator('#file').set_input_files(
        {'name': 'large.png', 'mimeType': 'image/png', 'buffer': file.getvalue()})
    page.shows('sure|doubt', 1)
    page.page.locator('#file').set_input_files(
        {'name': 'no.png', 'mimeType': 'image/png', 'buffer': b'no picture'})
    page.shows('sorry')
    assert page.text('#sentence') == 'This picture cannot be read'


def test_no_digit_and_doubt_are_said(window):
    page = window()
    page.page.locator('#file').set_input_files(
        {'name': 'noise.png', 'mimeType': 'image/png', 'buffer': noise()})
    page.shows('sorry')
    assert page.text('#sentence') == 'No digit found'
    assert page.page.locator('#seen').is_hidden()
    page.page.keyboard.press('Escape')
    page.draw(SCRIBBLE)
    page.shows('doubt')
    assert page.text('#sentence').startswith('Not sure. ')


@pytest.mark.parametrize(('doubt', 'sentence', 'more', 'shares'), [
    ('unlike any digit', 'Not sure. It is unlike any digit', 'An\xa08 comes nearest.', [''] * 10),
    ('could also be 3', 'Not sure. An\xa08?', 'It could also be a\xa03.',
     ['0.0%', '0.0%', '0.0%', '34.0%', '0.0%', '0.0%', '0.0%', '0.0%', '66.0%', '0.0%'])])
def test_where_it_is_not_sure_no_bar_is_near_the_top(window, doubt, sentence, more, shares):
    page = window()
    probabilities = [0] * 8 + [.95, .05] if 'unlike' in doubt else [0, 0, 0, .34, *[0] * 4, .66, 0]

    def answer(route):  # the server's, in all but its digits
        found = route.fetch().json()
        found.update(digit=8, probability=max(probabilities), probabilities=probabilities,
                     sure=False, doubt=doubt)
        route.fulfill(json=found)
    page.page.route('**/predict?*', answer)
    page.draw(DIGITS[8])
    page.shows('doubt', 8)
    page.settled()
    page.page.wait_for_timeout(300)  # the bars slide
    assert (page.text('#sentence'), page.text('#more')) == (sentence, more)
    assert page.page.locator('#bars .share').all_inner_texts() == shares
    lengths = page.page.evaluate("""() => [...document.querySelectorAll('#bars .bar')].map((bar) =>
        parseFloat(getComputedStyle(bar, '::before').width) / bar.clientWidth)""")
    assert .3 < max(lengths) < .7


def noise():
    """A PNG of grey blotches."""
    grey = np.random.RandomState(0).randint(0, 256, [50, 50]).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).resize((400, 400), Image.BICUBIC).save(file, 'PNG')
    return file.getvalue()


def test_a_picture_of_several_digits_is_read_with_boxes(window):
    page = window()
    page.page.locator('#file').set_input_files(str(PROJECT_ROOT / 'data/pages/numbers.jpg'))
    page.shows('page')
    assert page.text('#sentence') == '10 digits'
    lines = page.text('#more').replace('?', '').split('\n')
    assert [len(line.split()) for line in lines] == [4, 6]
    # A box's sides are in the page's own colours; the photo has none of them.
    coloured = """() => {
        const style = getComputedStyle(paper), context = paper.getContext('2d');
        const wanted = ['--accent', '--doubt'].map((name) => style.getPropertyValue(name).trim());
        const data = context.getImageData(0, 0, paper.width, paper.height).data;
        let found = 0;
        for (let at = 0; at < data.length; at += 4) {
            const hex = '#' + [0, 1, 2].map(
                (k) => data[at + k].toString(16).padStart(2, '0')).join('');
            found += wanted.includes(hex);
        }
        return found;
    }"""
    assert page.page.evaluate(coloured) > 1000
    page.page.keyboard.press('Escape')
    page.shows('blank')
    assert page.page.evaluate(coloured) == 0


def test_several_digits_that_are_drawn_are_all_read(window):
    page = window()
    page.draw(scaled(DIGITS[4], .4, .25) + scaled(DIGITS[2], .4, .7))
    page.shows('page')
    page.settled()
    assert page.text('#more').replace('?', '') == '4 2'


@pytest.mark.parametrize('share', [.18, .3, .6, .98])
def test_digits_of_any_size_are_read(window, share):
    page = window()
    read = {}
    for digit, strokes in DIGITS.items():
        page.draw(scaled(strokes, share))
        page.shows('sure|doubt|sorry')
        page.settled()
        read[digit] = page.text('#digit')
        page.page.keyboard.press('Escape')
        page.shows('blank')
    assert read == {digit: str(digit) for digit in DIGITS}


def test_the_digit_stands_still_while_the_bars_move(window):
    page = window()
    page.page.evaluate("""() => {
        window.times = {digit: [], bars: [], contradictions: 0};
        const shown = {};
        const keep = (name, what) => new MutationObserver(() => {
            if (what() !== shown[name]) times[name].push(performance.now());
            shown[name] = what();
            times.contradictions += bars.innerText.includes('%') &&
                sentence.textContent === 'Nothing drawn yet';
        });
        keep('digit', () => digit.textContent).observe(digit, {childList: true});
        keep('bars', () => bars.innerText).observe(bars, {subtree: true, attributes: true});
    }""")
    page.draw(DIGITS[8], milliseconds=30)  # about three seconds
    page.shows('sure|doubt', 8)
    assert page.text('#sentence') in ('This is an\xa08', 'Not sure. An\xa08?')
    times = page.page.evaluate('times')
    assert np.diff(times['digit']).min(initial=1000) > 390
    assert len(times['bars']) > 2 * len(times['digit'])
    assert times['contradictions'] == 0


def test_the_log_has_one_final_answer_for_each_drawing(window, server):
    """Of one at rest, one cleared before it was, a picture, and one on a page that is left."""
    page = window()
    page.page.wait_for_timeout(500)  # for what the page of the test before says when it is left
    before = len(server.log.read_text().splitlines())

    def finals():
        page.page.wait_for_timeout(400)
        entries = map(json.loads, server.log.read_text().splitlines()[before:])
        return [entry['digit'] for entry in entries if entry.get('final')]

    page.draw(DIGITS[7], milliseconds=10)
    page.shows('sure|doubt', 7)
    page.page.wait_for_timeout(2000)
    assert finals() == [7]
    page.page.keyboard.press('Escape')
    page.draw(DIGITS[1])
    page.settled()
    page.page.keyboard.press('Escape')
    assert finals() == [7, 1]
    page.page.locator('#file').set_input_files(str(PROJECT_ROOT / 'data/8-dark-canvas.png'))
    page.shows('sure|doubt')
    page.page.wait_for_timeout(2000)
    assert len(finals()) == 3
    page.page.keyboard.press('Escape')
    page.draw(DIGITS[3])
    page.settled()
    page.page.goto('about:blank')
    assert finals()[3:] == [3]


def test_a_phone_in_korean_draws_with_a_finger(window):
    page = window(locale='ko-KR', viewport={'width': 390, 'height': 844}, has_touch=True,
                  is_mobile=True, device_scale_factor=2)
    assert page.page.evaluate('document.documentElement.lang') == 'ko'
    assert page.text('h1') == '숫자를 그려 보세요'
    # A finger: what a mouse sends is not what a touch screen does.
    touch, box = page.context.new_cdp_session(page.page), page.page.locator('#paper').bounding_box()
    points = [{'x': box['x'] + x * box['width'], 'y': box['y'] + y * box['height']}
              for x, y in [(.28, .2), (.5, .2), (.72, .2), (.6, .5), (.46, .85)]]
    touch.send('Input.dispatchTouchEvent', {'type': 'touchStart', 'touchPoints': points[:1]})
    for point in points[1:]:
        touch.send('Input.dispatchTouchEvent', {'type': 'touchMove', 'touchPoints': [point]})
    touch.send('Input.dispatchTouchEvent', {'type': 'touchEnd', 'touchPoints': []})
    page.shows('sure|doubt', 7)
    assert page.text('#sentence') in ('7입니다', '7일 수 있지만 확신하지 못합니다')
    width = page.page.evaluate('document.documentElement.scrollWidth')
    assert width == 390
    for button in ('#undo', '#clear', '#choose'):
        box = page.page.locator(button).bounding_box()
        assert box['height'] >= 44 and box['x'] >= 0 and box['x'] + box['width'] <= 390


def test_both_languages_have_the_same_words_and_the_servers_bounds(window):
    from digits.web import predictions
    page = window()
    english, korean = page.page.evaluate("""async () => {
        const { TEXT } = await import('/text.js');
        return [Object.keys(TEXT.en), Object.keys(TEXT.ko)];
    }""")
    assert sorted(english) == sorted(korean)
    assert set(predictions.KINDS.values()) <= set(english)
    bounds = page.page.evaluate("""async () => {
        const { MAX_BODY_BYTES, MAX_PIXELS } = await import('/paper.js');
        return [MAX_BODY_BYTES, MAX_PIXELS];
    }""")
    assert bounds == [predictions.MAX_BODY_BYTES, predictions.MAX_PIXELS]
