"""Pictures that are no ink on paper, textures, stripes, mazes: they are refused or read soon."""
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.pictures import page

SIDE = 2400  # pixels: what a page keeps of a larger picture


def textures(side):
    """Yield (name, bool or uint8 [side, side], light where True)."""
    y, x = np.indices((side, side))
    random = np.random.RandomState(0)
    for step in (2, 4, 16):
        yield f'diagonals {step}', (x + y) % step > 0
    for step in (2, 3, 16):
        yield f'stripes {step}', y % step > 0
    yield 'columns', x % 4 > 0
    yield 'wide diagonals', (2 * x + y) % 16 > 5
    yield 'chessboard', ((x // 8 + y // 8) % 2) > 0
    for step in (6, 16):
        yield f'dots {step}', ~((x % step < step // 2) & (y % step < step // 2))
    yield 'halftone', np.sin(x / 2.5) + np.sin(y / 2.5) > 2 * y / side - 1
    yield 'rings', np.sin(np.hypot(x - side / 2, y - side / 2) / 3) > 0
    yield 'noise', random.rand(side, side) > 0.5
    yield 'coarse noise', np.kron(random.rand(side // 8, side // 8), np.ones((8, 8))) > 0.5
    yield 'grid', (x % 20 > 1) & (y % 20 > 1)
    yield 'strokes', ~((x % 8 < 3) & (y % 24 < 18))
    walls = np.ones([side // 4] * 2, bool)
    walls[::2, ::2] = False
    walls[::2, 1::2] = random.rand(*walls[::2, 1::2].shape) > 0.5
    yield 'maze', np.kron(walls, np.ones((4, 4), bool))
    u, v = x % 74, y % 74
    boxes = (u < 54) & (v < 54) & ((u % 26 < 2) | (v % 52 < 2))
    yield 'pairs of cells', ~(boxes & ((x + y) % 4 < 2))
    yield 'spiral', spiral(side, int(0.7 * side), 13)
    text = Image.new('L', (side, side), 255)
    for line in range(0, side, 14):
        ImageDraw.Draw(text).text((3, line), 'lorem ipsum dolor sit amet 0123456789 ' * 12, fill=0)
    yield 'text', np.asarray(text) > 127


def spiral(side, length, pitch):
    """Each line of it holds the next one; beside it, 2,000 lines that nothing holds."""
    y, x = np.indices((side, side))
    beside = ((y > length + 40) & (y % 5 < 1) & (x % 110 < 64) |
              (x > length + 40) & (y > length / 2) & (x % 5 < 1) & (y % 110 < 64))
    image = Image.fromarray(np.uint8(255 * ~beside))
    draw, middle = ImageDraw.Draw(image), length // 2
    draw.line([(middle + (middle - pitch * ((k - 1) // 4)) * (1 if k % 4 in (1, 2) else -1),
                middle + (middle - pitch * (k // 4)) * (1 if k % 4 > 1 else -1))
               for k in range(1, 4 * (middle - 33) // pitch)], fill=0)
    draw.ellipse((length + 60, 60, side - 60, length // 2), outline=0, width=14)
    return np.asarray(image) > 0


CHILD = """
import json, sys, time
from digits.errors import UserError
from digits.pictures import one_digit, page
for read in (page.read, one_digit.read):
    start, said = time.thread_time(), ''
    try:
        read(sys.argv[1])
    except UserError as error:
        said = str(error)
    print(json.dumps([said, time.thread_time() - start]), flush=True)
try:
    with open('/proc/self/status') as file:
        print(1024 * int(file.read().split('VmHWM:')[1].split()[0]))
except OSError:
    print(0)
"""


def cost(path):
    """([what was said or '', seconds] as a page and as a digit, bytes of memory at most)."""
    child = subprocess.run([sys.executable, '-c', CHILD, str(path)], capture_output=True, text=True,
                           timeout=200, check=False, cwd=str(PROJECT_ROOT))
    assert (child.returncode, child.stderr) == (0, ''), path
    *rows, peak = map(json.loads, child.stdout.splitlines())
    return rows, peak


def check(folder, side, names=None):
    for name, light in textures(side):
        if names and name not in names:
            continue
        path = folder / f'{name}.png'
        Image.fromarray(np.uint8(255 * light)).save(str(path))
        assert os.path.getsize(str(path)) < 10 ** 7
        rows, peak = cost(path)
        for said, seconds in rows:
            assert seconds < 10, (name, said, seconds)  # under 6 on an idle core, at the full side
            assert not said or said.startswith(str(path)) and said.isprintable(), said
        assert peak < 10 ** 9, (name, peak)


@pytest.mark.slow
def test_textures_cost_seconds_and_little_memory(tmp_path):
    check(tmp_path, 640)


@pytest.mark.slow
def test_the_worst_of_large_ones_do_so_too(tmp_path):
    """A maze took 15 seconds while each pixel was compared with each of its 200 lines.

    Pairs of cells took two minutes and 8 GB while each of 700 tables was a mask of the page, the
    spiral 20 seconds while its lines were compared anew for each turn.
    """
    check(tmp_path, SIDE, ('maze', 'grid', 'pairs of cells', 'spiral'))


@pytest.mark.slow
@pytest.mark.rare
def test_large_textures_do_so_too(tmp_path):
    check(tmp_path, SIDE)


def stripes(step, slanted):
    """Lines of one pixel, each `step` pixels, over all of 1,000 x 1,000 pixels."""
    rows, columns = np.indices((1000, 1000))
    return Image.fromarray(np.uint8(255 * ((rows + slanted * columns) % step > 0)))


@pytest.mark.parametrize('image, sentence', [
    (stripes(4, 1), 'no digits found: this does not look like ink on paper'),
    (stripes(2, 0), 'more than 4000 digits found'),
], ids=['diagonals', 'stripes'])
def test_textures_are_refused_soon(image, sentence):
    """They are a thousand parts that all lie beside each other, and one that is cut forever."""
    start = time.thread_time()
    with pytest.raises(UserError, match=sentence):
        page.find(image)
    assert time.thread_time() - start < 5  # 0.3 s on an idle core; it was a minute and more
