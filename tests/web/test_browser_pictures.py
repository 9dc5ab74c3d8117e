"""The pictures of draw.py's page in the documentation: screenshots, and a drawing being read.

With --screenshots DIR they are written there; without, only that they can be made, and are small.
"""
import io

import browsing
import pytest
from browsing import DIGITS, STAR, sync_api
from PIL import Image

from digits.paths import PROJECT_ROOT

pytestmark = pytest.mark.slow
server, window = browsing.server, browsing.window  # fixtures
FRAME = 90  # milliseconds
READ = 1800  # milliseconds for which an answer is shown


def curve(start, middle, end, steps=9):
    """Points of a quadratic Bezier curve, as a hand moves."""
    shares = [step / steps for step in range(steps + 1)]
    return [tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t ** 2 * c
                  for a, b, c in zip(start, middle, end)) for t in shares]


CROSSED_SEVEN = [[*curve((.27, .21), (.5, .17), (.74, .2), 4),
                  *curve((.74, .2), (.5, .5), (.45, .86))],
                 curve((.37, .53), (.52, .52), (.68, .49), 5)]
OPEN_FOUR = [[*curve((.36, .16), (.33, .4), (.24, .58)),
              *curve((.24, .58), (.5, .56), (.77, .56))],
             curve((.62, .34), (.6, .6), (.58, .87))]


@pytest.fixture
def folder(request, tmp_path):
    """Where the pictures go."""
    asked = request.config.getoption('--screenshots')
    made = type(tmp_path)(asked) if asked else tmp_path
    made.mkdir(exist_ok=True)
    return made


def shot(page, folder, name):
    """Write a small PNG of the page; its colours are few."""
    page.settled()
    page.page.wait_for_timeout(300)  # the bars slide
    image = Image.open(io.BytesIO(page.page.screenshot()))
    image.convert('RGB').quantize(128, dither=Image.Dither.NONE).save(
        str(folder / f'draw-{name}.png'), optimize=True)


def test_screenshots(window, folder):
    wide, wider = ({'viewport': {'width': width, 'height': height}}
                   for width, height in ((1064, 760), (1400, 940)))
    phone = {'viewport': {'width': 412, 'height': 915}, 'device_scale_factor': 2}
    for name, strokes, how in (
            ('desktop', DIGITS[3], wider), ('maps', DIGITS[2], {**wider, 'color_scheme': 'dark'}),
            ('korean', DIGITS[5], {**wide, 'locale': 'ko-KR'}),
            ('not-sure', STAR, wide), ('phone', DIGITS[8], {**phone, 'color_scheme': 'dark'}),
            ('landscape', DIGITS[2], {'viewport': {'width': 844, 'height': 390}})):
        page = window(**how)
        page.draw(strokes)
        page.settled()
        if how['viewport'] == wider['viewport']:  # the sum behind a pixel
            page.page.locator('#layers canvas').nth(int(name == 'maps')).press('Home')
            sync_api.expect(page.page.locator('#pixel p')).to_contain_text('the sum is')
        shot(page, folder, name)
        assert (folder / f'draw-{name}.png').stat().st_size < 130_000
    page = window(**wide)
    page.page.locator('#file').set_input_files(str(PROJECT_ROOT / 'data/pages/numbers.jpg'))
    page.shows('page')
    shot(page, folder, 'several')


@pytest.mark.rare
def test_animation(window, folder):
    """Two digits while they are drawn, with the answers as they come.

    The page's clock moves by the duration of each frame, however long a screenshot takes: what it
    says, and when, is what a person sees.
    """
    page = window(viewport={'width': 1400, 'height': 860})
    page.shows('blank')
    clock = page.page.clock
    clock.install(time=0)
    clock.pause_at(1000)
    frames, times = [], []

    def take(milliseconds=FRAME):
        clock.run_for(milliseconds)
        page.page.wait_for_timeout(250)  # for the answer, and the bars slide
        image = Image.open(io.BytesIO(page.page.screenshot())).convert('RGB')
        frames.append(image.resize((1000, 1000 * image.height // image.width), Image.LANCZOS))
        times.append(milliseconds)

    for digit, strokes in ((7, CROSSED_SEVEN), (4, OPEN_FOUR)):
        page.shows('blank')
        take(600)
        page.draw(strokes, after=take)
        for _ in range(8):
            take()
        page.shows('sure|doubt', digit)
        page.settled()
        times[-1] = READ
        page.page.locator('#clear').click()
    frames, times = (each[-1:] + each[:-1] for each in (frames, times))  # first what is read
    path = folder / 'draw.webp'
    frames[0].save(str(path), save_all=True, append_images=frames[1:], duration=times, loop=0,
                   quality=60, method=6, minimize_size=True)
    assert path.stat().st_size < 600_000
    with Image.open(str(path)) as made:
        assert made.n_frames > 30
