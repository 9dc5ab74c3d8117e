"""draw.py's page in a real browser: drawn on with real pointer events, and read off.

With --screenshots DIR the README's pictures of it are made, too.
"""
import io
import json
import math
import re
import sys
import urllib.request

import pytest
from conftest import NO_BROWSER
from PIL import Image

from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.prediction import classifier

sync_api = pytest.importorskip('playwright.sync_api', reason=NO_BROWSER)
pytestmark = pytest.mark.slow


def arc(x, y, across, down, start, end):
    """Points of an ellipse from one angle to another, in degrees, clockwise from the right."""
    turn = [math.radians(start + (end - start) * step / 24) for step in range(25)]
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in turn]


# Each digit as a person draws it: strokes of points, in shares of the paper's side.
DIGITS = {
    0: [arc(.5, .5, .2, .32, -90, 275)],
    1: [[(.38, .3), (.52, .16), (.52, .84)]],
    2: [[*arc(.5, .35, .18, .18, 190, 385), (.32, .82), (.72, .82)]],
    3: [[*arc(.48, .32, .17, .16, 200, 450), *arc(.48, .66, .2, .18, -90, 160)]],
    4: [[(.42, .16), (.27, .58), (.74, .58)], [(.6, .36), (.6, .86)]],
    5: [[(.68, .18), (.38, .18), (.35, .46), *arc(.48, .62, .2, .2, -120, 140)]],
    6: [[(.6, .15), (.42, .36), (.34, .56), *arc(.5, .65, .17, .18, 180, 545)]],
    7: [[(.28, .2), (.72, .2), (.46, .85)]],
    8: [[*arc(.5, .33, .15, .16, -45, -270), *arc(.5, .67, .18, .18, -90, 270),
         *arc(.5, .33, .15, .16, 90, -45)]],
    9: [[*arc(.5, .35, .17, .18, -30, -370), (.66, .4), (.6, .85)]],
}
STAR = [[(.5 + .36 * math.sin(math.radians(144 * corner)),
          .52 - .36 * math.cos(math.radians(144 * corner))) for corner in range(6)]]
SCRIBBLE = [[(.1 + .8 * (step % 2), .12 + .08 * step) for step in range(10)],
            [(.12 + .08 * step, .1 + .8 * (step % 2)) for step in range(10)]]


@pytest.fixture(scope='module')
def server(request, serving):
    """The page, by a run that was trained for a few seconds, or for screenshots by the newest."""
    run = None
    if request.config.getoption('--screenshots'):
        try:
            run = classifier.newest_run()
        except UserError as error:
            print(error, file=sys.stderr)
    with serving(run or request.getfixturevalue('cnn_run')) as started:
        yield started


class Page:
    """The page in a window of its own, and what it asked the network for."""

    def __init__(self, browser, server, **how):
        self.context = browser.new_context(**{'locale': 'en-US', **how})
        self.page = self.context.new_page()
        self.asked, self.wrong = [], []
        self.page.on('request', lambda request: self.asked.append(request.url))
        self.page.on('console', self.hear)
        self.page.on('pageerror', lambda error: self.wrong.append(str(error)))
        self.server = server
        self.page.goto(server.url)

    def hear(self, said):
        """Keep what goes wrong; the browser itself notes every answer of a status over 399."""
        if said.type == 'error' and 'status of 422' not in said.text:
            self.wrong.append(said.text)

    def draw(self, strokes):
        """Press, move and release the mouse along the strokes."""
        box = self.page.locator('#paper').bounding_box()
        for points in strokes:
            places = [(box['x'] + x * box['width'], box['y'] + y * box['height'])
                      for x, y in points]
            self.page.mouse.move(*places[0])
            self.page.mouse.down()
            for before, place in zip(places, places[1:]):
                self.page.mouse.move(*place, steps=1 + int(math.dist(before, place) / 30))
            self.page.mouse.up()

    def shows(self, state, digit=None):
        """Wait until the page shows that; one of blank, sure, doubt, sorry."""
        page = sync_api.expect(self.page.locator('body'))
        page.to_have_attribute('data-state', re.compile(state), timeout=15000)
        if digit is not None:
            sync_api.expect(self.page.locator('#digit')).to_have_text(str(digit), timeout=15000)

    def settled(self):
        """Wait until the last drawing has its answer."""
        sync_api.expect(self.page.locator('#answer')).to_have_attribute('aria-busy', 'false',
                                                                        timeout=15000)

    def text(self, name):
        return self.page.locator(name).inner_text()


@pytest.fixture
def window(browser, server):
    """window(locale='ko-KR') -> a Page; afterwards, that it asked no other host and went well."""
    opened = []

    def new(**how):
        opened.append(Page(browser, server, **how))
        return opened[-1]
    yield new
    for each in opened:
        wrong = each.wrong
        assert each.asked and all(url.startswith((server.url, 'data:', 'blob:'))
                                  for url in each.asked)
        each.context.close()
        assert wrong == []


def test_all_ten_digits_are_drawn_and_read(window):
    page = window()
    page.shows('blank')
    assert page.text('#hint') == '0 to 9, large, with mouse, finger or pen'
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


def test_no_digit_several_digits_and_doubt_are_said(window):
    page = window()
    page.draw([[(.15, .2), (.15, .8)], [(.5, .2), (.5, .8)], [(.85, .2), (.85, .8)]])
    page.shows('sorry')
    assert page.text('#sentence') == 'Several digits'
    assert page.page.locator('#seen').is_hidden()
    page.page.keyboard.press('Escape')
    page.draw(SCRIBBLE)
    page.shows('doubt')
    assert page.text('#sentence').startswith('Not sure. A')


def test_feature_maps_come_when_asked_for(window):
    page = window()
    page.draw(DIGITS[5])
    page.shows('sure|doubt', 5)
    assert page.page.locator('#layers img').count() == 0
    page.page.locator('#maps summary').click()
    sync_api.expect(page.page.locator('#layers img')).to_have_count(4)
    assert page.page.locator('#layers figcaption').all_inner_texts() == [
        'conv1, before bias and ReLU', 'conv1, after bias and ReLU',
        'conv2, before bias and ReLU', 'conv2, after bias and ReLU']


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
    assert page.text('#sentence') in ('7입니다', '7일까요? 확실하지 않습니다')
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


def shot(page, folder, name):
    """Write a small PNG of the page; its colours are few."""
    page.settled()
    page.page.wait_for_timeout(300)  # the bars slide
    image = Image.open(io.BytesIO(page.page.screenshot()))
    image.convert('RGB').quantize(128, dither=Image.Dither.NONE).save(
        str(folder / f'draw-{name}.png'), optimize=True)


def test_screenshots(window, request, tmp_path):
    """The README's pictures; without --screenshots only that they can be made, and are small."""
    asked = request.config.getoption('--screenshots')
    folder = type(tmp_path)(asked) if asked else tmp_path
    folder.mkdir(exist_ok=True)
    wide = {'viewport': {'width': 1064, 'height': 760}}
    phone = {'viewport': {'width': 390, 'height': 844}, 'device_scale_factor': 2}
    for name, strokes, how in (
            ('desktop', DIGITS[3], wide), ('korean', DIGITS[5], {**wide, 'locale': 'ko-KR'}),
            ('not-sure', STAR, wide), ('phone', DIGITS[8], {**phone, 'color_scheme': 'dark'})):
        page = window(**how)
        page.draw(strokes)
        shot(page, folder, name)
        assert (folder / f'draw-{name}.png').stat().st_size < 100_000
    page = window(viewport={'width': 1064, 'height': 1250}, color_scheme='dark')
    page.draw(DIGITS[2])
    page.page.locator('#maps summary').click()
    sync_api.expect(page.page.locator('#layers img')).to_have_count(4)
    shot(page, folder, 'maps')
