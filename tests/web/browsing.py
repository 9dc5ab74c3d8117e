"""draw.py's page in a real browser, for tests: its window, strokes to draw, a server."""
import math
import re
import sys

import pytest
from conftest import NO_BROWSER

from digits.errors import UserError
from digits.prediction import classifier

sync_api = pytest.importorskip('playwright.sync_api', reason=NO_BROWSER)


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


def scaled(strokes, side, x=.5, y=.5):
    """The strokes with their box's longer side that long, and its middle there."""
    xs, ys = zip(*(point for points in strokes for point in points))
    scale = side / max(max(xs) - min(xs), max(ys) - min(ys))
    middle = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return [[(x + scale * (px - middle[0]), y + scale * (py - middle[1])) for px, py in points]
            for points in strokes]


@pytest.fixture(scope='module')
def server(request, serving, tmp_path_factory):
    """The page, by a run that was trained for a few seconds, or for screenshots by the newest ones.
    """
    runs = []
    if request.config.getoption('--screenshots'):
        try:
            runs = classifier.newest_runs()
        except UserError as error:
            print(error, file=sys.stderr)
    log = tmp_path_factory.mktemp('browser') / 'log'
    run, *others = runs or [request.getfixturevalue('cnn_run')]
    more = [word for other in others for word in ('--run-dir', other)]
    with serving(run, *more, '--log', log) as started:
        started.log = log
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

    def draw(self, strokes, milliseconds=0, after=lambda: None):
        """Press, move and release the mouse along the strokes, with a pause after each point.

        `after` is called after each point.
        """
        box = self.page.locator('#paper').bounding_box()
        for points in strokes:
            places = [(box['x'] + x * box['width'], box['y'] + y * box['height'])
                      for x, y in points]
            self.page.mouse.move(*places[0])
            self.page.mouse.down()
            for before, place in zip(places, places[1:]):
                self.page.mouse.move(*place, steps=1 + int(math.dist(before, place) / 30))
                self.page.wait_for_timeout(milliseconds)
                after()
            self.page.mouse.up()

    def shows(self, state, digit=None):
        """Wait until the page shows that; one of blank, sure, doubt, page, sorry."""
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
