"""Draws the pictures to try in data/: digits made of pen strokes, the same ones each time.

$ python bench/make_pictures.py
0-felt.png                   1.9 kB
1-pencil-shade.jpg          14.2 kB
...

No fonts, scans or data of others are used: a digit is a smooth curve through a few points, drawn
with a pen of uneven pressure on paper under uneven light.
"""
import argparse
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# x,y in a box 100 high, y down. A smooth curve goes through the points of a stroke;
# | is a corner, / lifts the pen.
SKELETONS = {
    '0': '44,6 26,10 10,34 8,64 20,92 42,96 60,74 62,40 50,12 36,5',
    '0 wide': '52,4 30,8 12,28 6,56 16,86 42,97 66,82 74,50 64,20 44,6 34,10',
    '1': '16,26 26,18 38,4 | 36,34 33,66 30,97',
    '1 plain': '40,3 37,34 32,66 29,98',
    '2': '8,26 18,8 38,3 54,16 52,38 36,62 18,82 6,95 | 26,92 46,93 68,90',
    '2 looped': '12,24 24,6 44,5 56,20 50,44 34,70 16,90 6,90 8,78 24,76 44,90 68,92',
    '3': '10,14 26,3 46,8 48,26 36,40 24,45 | 44,49 56,64 50,86 28,97 6,88',
    '4': '26,4 18,26 6,58 | 28,60 50,57 72,55 / 52,26 50,50 46,74 44,99',
    '5': '20,8 17,24 14,42 | 32,37 52,46 56,68 42,90 22,97 6,88 / 19,9 38,8 62,4',
    '6': '50,3 30,16 14,42 8,70 16,92 36,97 52,84 52,66 38,57 20,64 10,78',
    '7': '6,14 22,10 40,10 60,7 | 48,32 36,62 28,98',
    '7 crossed': '8,10 28,9 62,6 | 48,34 36,66 30,98 / 18,52 36,50 60,47',
    '8': '54,18 40,4 22,8 16,24 28,42 46,60 50,80 34,97 14,90 12,70 28,50 46,34 55,17',
    '9': '52,18 38,5 20,10 12,30 22,45 40,40 52,20 | 52,46 48,72 40,98',
}
NORTH = 0x0112  # the EXIF tag of the orientation


def curve(points, per_piece=40):
    """Points [n, 2] -> a Catmull-Rom curve through them [m, 2], knots by distance ** 0.5."""
    if len(points) == 2:
        return points[0] + np.linspace(0, 1, per_piece)[:, None] * (points[1] - points[0])
    ends = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    p = np.concatenate([ends[:1], points, ends[1:]])
    t = np.append(0, np.cumsum(np.hypot(*np.diff(p, axis=0).T) ** 0.5))
    pieces = []
    for i in range(1, len(p) - 2):
        u = np.linspace(t[i], t[i + 1], per_piece)[:, None]

        def mix(a, b, i, j, u=u):
            return ((t[j] - u) * a + (u - t[i]) * b) / (t[j] - t[i])

        a = [mix(p[k], p[k + 1], k, k + 1) for k in (i - 1, i, i + 1)]
        b = mix(a[0], a[1], i - 1, i + 1), mix(a[1], a[2], i, i + 2)
        pieces.append(mix(b[0], b[1], i, i + 1))
    return np.concatenate(pieces)


def pen(name, size, height, width, where=(0.5, 0.5), slant=0.1, seed=0):
    """Ink in 0..1, float [rows, columns]: the digit `height` and its pen `width` pixels large."""
    random = np.random.RandomState(seed)
    scale = 2  # drawn twice as large, so its edges are grey
    image = Image.new('L', (size[0] * scale, size[1] * scale))
    draw = ImageDraw.Draw(image)
    everything = np.array([[float(v) for v in word.split(',')]
                           for word in SKELETONS[name].split() if ',' in word])
    middle = (everything.min(0) + everything.max(0)) / 2
    for stroke in SKELETONS[name].split('/'):
        lines = [curve(points) for points in corners(stroke, random)]
        line = np.concatenate(lines) - middle
        line[:, 0] -= slant * line[:, 1]
        line = line * height / 100 + np.multiply(where, size)
        # A hand's pressure: slow waves, less where the pen lands and leaves.
        along = np.linspace(0, 1, len(line))
        press = 1 + 0.12 * np.sin(2 * np.pi * (along * random.uniform(1, 2.5) + random.rand()))
        press *= 1 - 0.35 * np.exp(-along * 20) - 0.35 * np.exp((along - 1) * 20)
        line, radius = line * scale, width * scale / 2 * press
        for (x0, y0), (x1, y1), r in zip(line, line[1:], radius):
            draw.line((x0, y0, x1, y1), 255, max(1, int(2 * r + 0.5)))
            draw.ellipse((x0 - r, y0 - r, x0 + r, y0 + r), 255)
    return np.asarray(image.resize(size, Image.BOX), np.float32) / 255


def corners(stroke, random):
    """The smooth pieces of a stroke, float [n, 2] each, moved by a hand's unsteadiness."""
    pieces = [[]]
    for word in stroke.split():
        if word == '|':
            pieces.append([pieces[-1][-1]])
        else:
            point = np.array([float(v) for v in word.split(',')])
            pieces[-1].append(point + random.normal(0, 1, 2))
    return [np.array(piece) for piece in pieces]


def grain(size, amount, spot, seed):
    """Noise around 0, float [rows, columns], in spots some pixels wide."""
    shape = size[1] // spot + 2, size[0] // spot + 2
    noise = np.random.RandomState(seed).normal(0, amount, shape).astype(np.float32)
    return np.asarray(Image.fromarray(noise).resize(size, Image.BICUBIC))


def light(size, dark, degrees, bend=0.2):
    """Brightness [rows, columns] from `dark` to 1 in a direction, less in the corners."""
    x, y = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]))
    slope = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    slope = (slope - slope.min()) / (slope.max() - slope.min())
    return (dark + (1 - dark) * slope) * (1 - bend * (x ** 2 + y ** 2) / 2)


def blend(paper, ink, share, shade):
    """A picture, RGB: colours `paper` and `ink` mixed by `share`, under the light `shade`."""
    paper, ink = np.array(paper), np.array(ink)
    mixed = paper + (ink - paper) * share[..., None]
    return Image.fromarray(np.uint8((mixed * np.asarray(shade)[..., None]).clip(0, 255)))


def squared(size, step, seed):
    """Thin printed lines, 0..1, a little turned as a page in front of a camera is."""
    image = Image.new('L', (size[0] * 2, size[1] * 2))
    draw = ImageDraw.Draw(image)
    first = np.random.RandomState(seed).randint(step)
    for at in range(first - 4 * step, 2 * max(size) + 4 * step, 2 * step):
        draw.line((at, 0, at + size[1] * 0.06, 2 * size[1]), 255, 2)
        draw.line((0, at, 2 * size[0], at - size[0] * 0.06), 255, 2)
    return np.asarray(image.resize(size, Image.BOX), np.float32) / 255


def pencil(name, size, height, seed, **place):
    """Grey ink that catches on the paper's grain."""
    ink = pen(name, size, height, height / 14, seed=seed, **place)
    return ink * (0.85 + grain(size, 0.18, 2, seed)).clip(0.3, 1)


def pictures():
    """Name, image and how to save it, of every picture."""
    jpeg, small = {'quality': 70}, {'optimize': True}
    size = 480, 360
    shade = light(size, 0.5, 20) + grain(size, 0.012, 2, 1)
    yield '0-felt.png', Image.fromarray(np.uint8(
        255 - 235 * pen('0 wide', (280, 280), 190, 26, seed=1))), small
    yield '1-pencil-shade.jpg', blend((238, 234, 224), (96, 96, 100), pencil(
        '1', size, 210, 2, where=(0.42, 0.5)),
        light(size, 0.4, 160) + grain(size, 0.015, 2, 3)), jpeg
    yield '2-blue-ink.jpg', blend((246, 244, 236), (36, 52, 150), pen(
        '2 looped', size, 200, 10, where=(0.55, 0.5), seed=4), shade), jpeg
    yield '3-pencil-photo.jpg', blend((228, 224, 214), (84, 84, 90), pencil(
        '3', (520, 400), 190, 5, where=(0.6, 0.45)),
        light((520, 400), 0.38, 215, 0.35) + grain((520, 400), 0.018, 2, 6)), jpeg
    lines = squared(size, 36, 7)[..., None]
    page = np.array((240, 240, 234)) * (1 - 0.14 * lines * np.array((1, 0.7, 0.35)))
    yield '4-ballpoint-squared.jpg', blend(page, (40, 44, 80), pen(
        '4', size, 190, 6, where=(0.48, 0.52), seed=8), shade), jpeg
    strokes = Image.new('RGBA', (300, 300), (0, 0, 0, 0))
    strokes.putalpha(Image.fromarray(np.uint8(255 * pen('5', (300, 300), 200, 20, seed=9))))
    yield '5-transparent.png', strokes, small
    yield '6-corner.png', Image.fromarray(np.uint8(
        255 - 225 * pen('6', (400, 300), 70, 7, where=(0.83, 0.22), seed=10))), small
    size = 420, 420
    dust = (grain(size, 0.06, 40, 11) + grain(size, 0.035, 2, 12)).clip(0, 1)
    chalk = pen('7 crossed', size, 250, 17, seed=13) * (0.9 + grain(size, 0.3, 2, 14)).clip(0.15, 1)
    yield '7-chalk.jpg', blend((38, 58, 50), (236, 236, 228), np.maximum(chalk, dust),
                               light(size, 0.75, 60)), jpeg
    yield '8-dark-canvas.png', Image.fromarray(np.uint8(
        18 + 230 * pen('8', (280, 280), 190, 18, seed=15))), small
    yield '9-palette.gif', blend((255, 250, 200), (170, 30, 40), pen(
        '9', (260, 260), 170, 14, seed=16), np.ones([260, 260])).quantize(16), {}
    size = 400, 300
    exif = Image.Exif()
    exif[NORTH] = 6  # to be shown turned a quarter clockwise
    yield '2-turned-photo.jpg', blend((236, 230, 220), (50, 48, 56), pen(
        '2', (300, 400), 200, 14, seed=17), light((300, 400), 0.5, 300) + grain(
            (300, 400), 0.015, 2, 18)).transpose(Image.ROTATE_90), dict(jpeg, exif=exif)
    yield '1-thin-line.png', Image.fromarray(np.uint8(
        255 - 190 * pen('1 plain', (300, 300), 190, 4, seed=19))), small
    yield '0-yellow.png', blend((255, 255, 255), (255, 214, 0), pen(
        '0', (240, 240), 160, 16, seed=20), np.ones([240, 240])), small
    yield '7-highlighter.jpg', blend((244, 242, 236), (250, 120, 160), pen(
        '7', size, 180, 24, seed=21), light(size, 0.6, 100) + grain(size, 0.012, 2, 22)), jpeg
    yield '5-blurred.jpg', blend((230, 228, 220), (60, 60, 66), pen(
        '5', size, 170, 12, where=(0.4, 0.5), seed=23), light(size, 0.55, 45)).filter(
            ImageFilter.GaussianBlur(3)), jpeg
    yield '3-small-28x28.png', Image.fromarray(np.uint8(255 * pen(
        '3', (280, 280), 215, 28, seed=24))).resize((28, 28), Image.BOX), small
    size = 900, 480
    written = np.zeros(size[::-1], np.float32)
    for row, names in enumerate(('2 0 1-plain 7-crossed', '4 8 5 6 3 9')):
        for column, name in enumerate(names.split()):
            where = 0.12 + 0.13 * column + 0.02 * row, 0.28 + 0.44 * row + 0.01 * column
            written = np.maximum(written, pen(name.replace('-', ' '), size, 110, 9, where,
                                              seed=30 + 6 * row + column))
    lines = squared(size, 48, 25)[..., None]
    page = np.array((240, 240, 234)) * (1 - 0.14 * lines * np.array((1, 0.7, 0.35)))
    yield 'pages/numbers.jpg', blend(page, (40, 44, 80), written, light(size, 0.55, 200) + grain(
        size, 0.012, 2, 26)), jpeg


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=pathlib.Path, help='folder for the pictures (data/)',
                        default=pathlib.Path(__file__).resolve().parent.parent / 'data')
    out = parser.parse_args(argv).out
    for name, image, options in pictures():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(out / name, **options)
        print(f'{name:26s}{(out / name).stat().st_size / 1000:6.1f} kB')


if __name__ == '__main__':
    main()
