"""Draws pictures of a digit that are hard to read, many of each kind, and lists what they are.

$ python bench/hard_pictures.py --out hard --count 20
$ python predict.py --labels hard/labels.csv

A digit is a path of digits/datasets/strokes.py, drawn at any size with a pen of any width, or with
--mnist an enlarged training image of MNIST. Light, grain and printed lines are as in
make_pictures.py.
The same seed gives the same pictures.
"""
import argparse
import csv
import io
import os
import sys
import zlib
from pathlib import Path

import numpy as np
from make_pictures import NORTH, blend, grain, light, squared
from PIL import Image, ImageDraw, ImageFilter

PROJECT_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT_ROOT))
from digits import command_line  # noqa: E402
from digits.datasets import idx, splines, strokes  # noqa: E402

WHITE = 250, 248, 240
PENS = ((30, 40, 140), (170, 20, 30), (20, 110, 50), (90, 30, 120), (20, 20, 24), (70, 70, 76),
        (200, 90, 20))
TABLES = (90, 60, 40), (60, 60, 64), (120, 90, 60)
BOARDS = (38, 58, 50), (40, 42, 46)
# EXIF orientation, and what turns an upright picture into the stored one.
HELD = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
        5: Image.TRANSPOSE, 6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270}

# kind(random, ink) -> (PIL image, ending of its file's name, options to save it with). `ink` draws
# the digit: see written().
KINDS = {}


def kind(function):
    """Enter a function in KINDS."""
    KINDS[function.__name__.replace('_', '-')] = function
    return function


def written(random, digit):
    """Return a function that draws a digit in random handwriting.

    ink(size, height, pen, where=(0.5, 0.5), smooth=True) -> float32 [rows, columns] in 0..1, of
    a picture of `size` (width, height): the longer side of the path is `height` pixels, the pen
    `pen` pixels wide; the path's middle is at `where`, in shares of the size. Not smooth: every
    pixel is 0 or 1.
    """
    ways = strokes.SKELETONS[digit]
    weights = np.array([way.weight for way in ways], float)
    skeleton = splines.compile_way(ways[random.choice(len(ways), p=weights / weights.sum())])
    points = strokes.bend(random, strokes.write(random, skeleton, 1), strokes.STYLES[digit])
    path = strokes.lay_path(random, skeleton, points)[0][0]
    path = (path - (path.min(0) + path.max(0)) / 2) / np.ptp(path, axis=0).max()
    stroke = skeleton.stroke[skeleton.position.argmax(axis=1)]
    lines = [path[stroke == number] for number in np.unique(stroke)]

    def ink(size, height, pen, where=(0.5, 0.5), smooth=True):
        # Drawn larger, for grey edges; predict.py shrinks large digits.
        scale = int(np.clip(600 / height, 1, 8)) if smooth else 1
        side = int(height + pen) + 4
        image = Image.new('L', (side * scale, side * scale))
        draw = ImageDraw.Draw(image)
        middle, radius = side * scale / 2, pen * scale / 2
        for line in lines:
            dots = [tuple(point) for point in line * height * scale + middle]
            draw.line(dots, 255, max(1, int(round(2 * radius))))
            if radius >= 1:
                for x, y in dots:
                    draw.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
        return _placed(image.resize((side, side), Image.BOX), size, where)
    return ink


def of_mnist(images, labels):
    """written()'s like, of a random one of the images uint8 [n, 28, 28] with that label, enlarged.

    The pen is the image's own, always smooth.
    """
    def hand(random, digit):
        image = Image.fromarray(images[random.choice(np.flatnonzero(labels == digit))])
        image = image.crop(image.getbbox())

        def ink(size, height, pen, where=(0.5, 0.5), smooth=True):
            scale = height / max(image.size)
            sides = [max(1, int(round(side * scale))) for side in image.size]
            values = np.asarray(image.resize(sides, Image.BICUBIC), np.float32) / 255
            steep = max(1, scale / 1.5)  # or an enlarged edge would be blurred
            values = np.clip((values - 0.5) * steep + 0.5, 0, 1)
            return _placed(Image.fromarray(np.uint8(255 * values)), size, where)
        return ink
    return hand


def _placed(image, size, where):
    """The image with its middle at `where` of a black picture, float32 [rows, columns] in 0..1."""
    page = Image.new('L', size)
    page.paste(image, tuple(int(round(share * side - own / 2))
                            for share, side, own in zip(where, size, image.size)))
    return np.asarray(page, np.float32) / 255


def encoded(image, ending, options) -> bytes:
    """What a kind has drawn, as its file's bytes."""
    data = io.BytesIO()
    image.save(data, Image.registered_extensions()[ending], **options)
    return data.getvalue()


# Place of the digit, paper, and file format.

def sheet(random):
    """Random width and height of a picture."""
    return tuple(int(side) for side in random.randint(200, 500, 2))


def place(random, size, least=0.35, most=0.85):
    """The height of a digit and a place for its middle where all of it is inside."""
    height = min(size) * random.uniform(least, most)
    edge = [min(0.5, 0.6 * height / side + 0.01) for side in size]
    return height, [random.uniform(share, 1 - share) for share in edge]


def somewhere(random, ink, thinnest, thickest, size=None, **how):
    """(the digit somewhere on a sheet, its height); the pen is 1 / `thinnest` of it and more."""
    size = size or sheet(random)
    height, where = place(random, size, **how)
    return ink(size, height, height / random.uniform(thickest, thinnest), where), height


def drawing(levels, **options):
    """A grey PNG of `levels`, 0..255."""
    return Image.fromarray(np.uint8(levels)), '.png', options


def jpeg(random, image, quality=None):
    """A JPEG of random quality."""
    return image, '.jpg', {'quality': int(quality or random.randint(40, 95))}


def one_of(random, choices):
    return choices[random.randint(len(choices))]


def photo(random, share, paper=WHITE, pen=None, dark=(0.5, 0.9), noise=0.012, shadow=1):
    """A photograph, RGB, of `paper` inked by `share`, in light that falls to `dark` of itself."""
    size = share.shape[::-1]
    shade = light(size, random.uniform(*dark), random.uniform(0, 360)) * shadow
    shade = shade + grain(size, noise, 2, random.randint(999))
    return blend(paper, pen or one_of(random, PENS), share, shade)


def printed(random, lines, faint, strong):
    """White paper [rows, columns, 3] with `lines` in 0..1 of it, grey or blue."""
    tint = one_of(random, [(1, 0.7, 0.35), (1, 1, 1)])
    return np.array(WHITE) * (1 - random.uniform(faint, strong) * lines[..., None] * tint)


# The kinds.

@kind
def clean(random, ink):
    """Black on white, somewhere on the sheet."""
    return drawing(255 - 255 * somewhere(random, ink, 14, 7)[0])


@kind
def dark_canvas(random, ink):
    return drawing(random.randint(0, 40) + 200 * somewhere(random, ink, 14, 7)[0])


@kind
def dim_canvas(random, ink):
    """Dark grey on black, as large as an icon."""
    size = one_of(random, [(28, 28), (100, 100)])
    share, _ = somewhere(random, ink, 12, 8, size, least=0.6, most=0.8)
    image, ending, options = drawing(random.randint(0, 30) + random.randint(30, 90) * share)
    return jpeg(random, image) if random.rand() < 0.5 else (image, ending, options)


@kind
def squared_paper(random, ink):
    share, height = somewhere(random, ink, 25, 10)
    lines = squared(share.shape[::-1], int(height / random.uniform(1.2, 6)) + 4,
                    random.randint(999))
    return jpeg(random, photo(random, 0.9 * share, printed(random, lines, 0.1, 0.35)))


@kind
def lined_paper(random, ink):
    share, height = somewhere(random, ink, 25, 10)
    rows, columns = share.shape
    step, turn = max(8, int(height * random.uniform(0.4, 1.1))), random.uniform(-0.03, 0.03)
    image = Image.new('L', (columns, rows))
    for y in range(-step, rows + step, step):
        ImageDraw.Draw(image).line((0, y, columns, y + turn * columns), 255, 2)
    lines = np.asarray(image.filter(ImageFilter.GaussianBlur(0.6)), np.float32) / 255
    return jpeg(random, photo(random, 0.9 * share, printed(random, lines, 0.15, 0.45)))


@kind
def exercise_book(random, ink):
    """Close to the page: its squares are half as large as the digit, their lines nearly as wide."""
    side = random.randint(230, 560)
    share, height = somewhere(random, ink, 24, 14, (side, side), least=0.55, most=0.75)
    image = Image.new('L', (side, side))
    draw = ImageDraw.Draw(image)
    step, turn = height / random.uniform(1.5, 2.5), random.uniform(-0.04, 0.04) * side
    first, width = random.uniform(0, step, 2), int(random.randint(2, 5))
    for number in range(-1, 6):
        x, y = first + number * step
        draw.line((x, 0, x + turn, side), 255, width)
        draw.line((0, y, side, y - turn), 255, width)
    lines = np.asarray(image.filter(ImageFilter.GaussianBlur(1)), np.float32) / 255
    paper = np.array((175, 170, 165)) * (1 - random.uniform(0.12, 0.3) * lines[..., None])
    return jpeg(random, photo(random, 0.95 * share, paper, (40, 38, 40), (0.8, 0.8), 0.02))


@kind
def steep_light(random, ink):
    """The paper on the dark side is darker than a pen on the light one."""
    share, _ = somewhere(random, ink, 20, 9)
    return jpeg(random, photo(random, 0.85 * share, dark=(0.15, 0.5)))


@kind
def hard_shadow(random, ink):
    """Of the hand or the telephone, its edge across the sheet."""
    share, _ = somewhere(random, ink, 18, 9)
    rows, columns = share.shape
    x, y = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    angle = random.uniform(0, 2 * np.pi)
    depth = x * np.cos(angle) + y * np.sin(angle) - random.uniform(-0.5, 0.5)
    edge = np.clip(depth * max(rows, columns) / 2 / random.uniform(1, 12) + 0.5, 0, 1)
    shadow = 1 - random.uniform(0.3, 0.65) * edge
    return jpeg(random, photo(random, 0.9 * share, dark=(0.8, 0.8), noise=0.01, shadow=shadow))


@kind
def pencil(random, ink):
    """Grey, and broken up by the paper's grain."""
    share, _ = somewhere(random, ink, 30, 14)
    share = share * (0.8 + grain(share.shape[::-1], 0.25, 2, random.randint(999))).clip(0.2, 1)
    return jpeg(random, photo(random, share, pen=(105, 105, 110), noise=0.015))


@kind
def faint_ink(random, ink):
    share, _ = somewhere(random, ink, 18, 9)
    return jpeg(random, photo(random, share, (225, 225, 225), (190, 190, 192), (0.85, 0.85),
                              0.008), 85)


@kind
def chalk(random, ink):
    """On a dusty board."""
    share, _ = somewhere(random, ink, 16, 9)
    size = share.shape[::-1]
    dust = grain(size, 0.06, 40, random.randint(999)) + grain(size, 0.035, 2, random.randint(999))
    share = share * (0.85 + grain(size, 0.35, 2, random.randint(999))).clip(0.1, 1)
    return jpeg(random, photo(random, np.maximum(share, dust.clip(0, 1)), one_of(random, BOARDS),
                              (230, 230, 222), (0.5, 0.8), 0))


@kind
def one_pixel_pen(random, ink):
    """Of a paint program, in a picture of 28 to 900 pixels."""
    side = one_of(random, [28, 50, 100, 200, 400, 900])
    height, where = place(random, (side, side), 0.6, 0.85)
    return drawing(255 - 255 * ink((side, side), height, 1, where, smooth=False))


@kind
def thick_pen(random, ink):
    return drawing(255 - 235 * somewhere(random, ink, 6, 3.5, least=0.4, most=0.7)[0])


@kind
def tiny_digit(random, ink):
    """A tenth as high as the photo."""
    size = tuple(int(side) for side in random.randint(600, 1000, 2))
    share, _ = somewhere(random, ink, 14, 8, size, least=0.07, most=0.15)
    return jpeg(random, photo(random, share, dark=(0.6, 0.6), noise=0.01), 85)


def _cropped(random, ink):
    """The digit [rows, columns] cropped to its ink or nearly, its longer side 16 to 200 pixels."""
    share = ink((500, 500), 300, 300 / random.uniform(4, 16))
    rows, columns = (np.flatnonzero(share.max(axis) > 0.5) for axis in (1, 0))
    margin = random.randint(0, 6)
    share = share[rows[0] - margin:rows[-1] + margin + 1,
                  columns[0] - margin:columns[-1] + margin + 1]
    image = Image.fromarray(np.uint8(255 * share))
    scale = one_of(random, [16, 20, 28, 32, 64, 200]) / max(image.size)
    sides = [max(3, int(round(side * scale))) for side in image.size]
    return np.asarray(image.resize(sides, Image.BOX))


@kind
def cropped(random, ink):
    return drawing(255 - _cropped(random, ink))


@kind
def cropped_dark(random, ink):
    return drawing(_cropped(random, ink))


@kind
def bilevel_scan(random, ink):
    """Cropped to its ink, 16 pixels, two levels: the input of early form readers."""
    share = ink((500, 500), 300, 300 / random.uniform(4, 9))
    image = Image.fromarray(np.uint8(255 * share))
    image = image.crop(image.getbbox())
    scale = 16 / max(image.size)
    image = image.resize([max(1, int(round(side * scale))) for side in image.size], Image.BOX)
    return drawing(np.where(np.asarray(image) > 127, 0, 255))


@kind
def frame(random, ink):
    """In a box that was drawn or printed around it."""
    size = sheet(random)
    height = min(size) * random.uniform(0.4, 0.55)
    share = ink(size, height, height / random.uniform(8, 16))
    image = Image.new('L', size)
    edge = int(min(size) * random.uniform(0.02, 0.12))
    ImageDraw.Draw(image).rectangle((edge, edge, size[0] - edge, size[1] - edge), outline=255,
                                    width=int(random.randint(1, 8)))
    share = np.maximum(share, np.asarray(image, np.float32) / 255 * 0.9)
    return jpeg(random, photo(random, share, dark=(0.7, 0.7), noise=0))


@kind
def sheet_on_table(random, ink):
    """The sheet's edges are in the photo, and the dark table around it."""
    size = sheet(random)
    height = min(size) * random.uniform(0.35, 0.55)
    share = ink(size, height, height / random.uniform(8, 16))
    image = Image.new('L', size)
    left, top, right, bottom = random.uniform(-0.05, 0.15, 4)
    corners = np.array([(left, top), (1 - right, 0.5 * top), (1 - 0.6 * right, 1 - bottom),
                        (0.4 * left, 1 - 0.8 * bottom)]) * size
    ImageDraw.Draw(image).polygon([tuple(corner) for corner in corners], 255)
    paper = np.asarray(image, np.float32)[..., None] / 255
    paper = paper * WHITE + (1 - paper) * one_of(random, TABLES)
    return jpeg(random, photo(random, share, paper, dark=(0.7, 0.7), noise=0.015))


@kind
def neighbours(random, ink):
    """Halves of two other digits at the left and the right edge."""
    rows = random.randint(200, 500)
    size = int(rows * random.uniform(1.1, 1.8)), int(rows)
    height = rows * random.uniform(0.4, 0.6)
    pen = height / random.uniform(9, 14)
    share = ink(size, height, pen)
    for x in (-0.02, 1.02):
        other = written(random, random.randint(10))
        share = np.maximum(share, other(size, height, pen, (x, 0.5)))
    return jpeg(random, photo(random, share, dark=(0.7, 0.7), noise=0))


@kind
def blurred(random, ink):
    share, height = somewhere(random, ink, 16, 8)
    image = photo(random, share, dark=(0.6, 0.6), noise=0)
    return jpeg(random, image.filter(
        ImageFilter.GaussianBlur(height * random.uniform(0.01, 0.035))))


@kind
def low_resolution(random, ink):
    """A photo of 20 to 40 pixels."""
    share, _ = somewhere(random, ink, 14, 6, (280, 280), least=0.6)
    side = one_of(random, [20, 24, 28, 32, 40])
    image = photo(random, share, dark=(0.7, 0.7), noise=0)
    return jpeg(random, image.resize((side, side), Image.BOX), 90)


@kind
def twenty_pixels(random, ink):
    """A drawing of 20 x 20, as light as MNIST's or as dark as on paper."""
    share, _ = somewhere(random, ink, 12, 6, (20, 20), least=0.7)
    return drawing(255 * share if random.rand() < 0.5 else 255 - 255 * share)


@kind
def twelve_megapixels(random, ink):
    """4,000 x 3,000 out of a camera."""
    share, _ = somewhere(random, ink, 20, 9, (500, 375), least=0.15, most=0.6)
    image = photo(random, share)  # enlarged: predict.py reads no more pixels than this
    return jpeg(random, image.resize((4000, 3000), Image.BILINEAR), 80)


@kind
def held_sideways(random, ink):
    """And turned by its EXIF orientation, of which there are seven."""
    share, _ = somewhere(random, ink, 18, 9)
    exif = Image.Exif()
    exif[NORTH] = 2 + random.randint(7)
    image, ending, options = jpeg(random, photo(random, share).transpose(HELD[exif[NORTH]]))
    return image, ending, dict(options, exif=exif)


@kind
def coloured(random, ink):
    """Any colour of ink on any paper that differs from it in red, in green or in blue."""
    share, _ = somewhere(random, ink, 18, 9)
    paper = pen = np.zeros(3, int)
    while abs(paper - pen).max() < 100:
        paper, pen = random.randint(0, 256, (2, 3))
    return jpeg(random, photo(random, share, paper, tuple(pen), (0.8, 1), 0.008))


@kind
def sixteen_bits(random, ink):
    """Of a scanner, which uses a part of the range."""
    share, _ = somewhere(random, ink, 18, 9)
    low, high = random.randint(0, 20000), random.randint(30000, 65536)
    levels = high - (high - low) * share + 400 * grain(share.shape[::-1], 1, 2, random.randint(999))
    return Image.fromarray(np.uint16(levels.clip(0, 65535))), '.png', {'compress_level': 1}


@kind
def cmyk(random, ink):
    """Out of a printer's program."""
    image = photo(random, somewhere(random, ink, 18, 9)[0], dark=(0.8, 1))
    return jpeg(random, image.convert('CMYK'), 85)


@kind
def palette(random, ink):
    """A GIF of 4 to 16 colours."""
    share, _ = somewhere(random, ink, 18, 9)
    image = blend(random.randint(180, 256, 3), one_of(random, PENS), share, np.ones(share.shape))
    return image.quantize(int(random.randint(4, 17))), '.gif', {}


@kind
def transparent(random, ink):
    """Strokes of any colour on nothing, as drawing programs save them."""
    share, _ = somewhere(random, ink, 18, 7)
    image = Image.new('RGB', share.shape[::-1], tuple(int(v) for v in random.randint(0, 256, 3)))
    image.putalpha(Image.fromarray(np.uint8(255 * share)))
    return image, '.png', {}


PENS_MATTER = 'one-pixel-pen', 'thick-pen'  # an enlarged image of MNIST has a pen of its own


def pictures(name, count, seed=0, hand=written):
    """Yield (digit, image, ending, options) of `count` pictures of the kind `name`.

    Each digit as often as the others (to within one). `hand(random, digit)` gives the function that
    draws it, as written() does.
    """
    for number in range(count):
        random = np.random.RandomState([seed, zlib.crc32(name.encode()), number])
        digit = number % 10
        yield (digit, *KINDS[name](random, hand(random, digit)))


def main(argv=None):
    """Write the pictures and labels.csv (file,label,kind), a folder for each kind."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    parser.add_argument('--count', type=command_line.positive_int, default=20, metavar='N',
                        help='pictures of each kind (default %(default)s)')
    parser.add_argument('--seed', type=command_line.seed, default=0)
    parser.add_argument('--mnist', action='store_true',
                        help="enlarge MNIST's training images (in MNIST_DATA_DIR or data/); "
                             f'without {" and ".join(PENS_MATTER)}')
    args = parser.parse_args(argv)
    hand = written
    if args.mnist:
        images, labels = idx.read_folder(Path(os.environ.get('MNIST_DATA_DIR')
                                              or PROJECT_ROOT / 'data'))[:2]
        hand = of_mnist(images[..., 0], labels)
    names = [name for name in KINDS if not (args.mnist and name in PENS_MATTER)]
    rows = []
    for name in names:
        (args.out / name).mkdir(parents=True, exist_ok=True)
        for number, (digit, *picture) in enumerate(
                pictures(name, args.count, args.seed, hand)):
            file = args.out / name / f'{number:03}-{digit}{picture[1]}'
            file.write_bytes(encoded(*picture))
            rows.append((file.relative_to(args.out).as_posix(), digit, name))
    with (args.out / 'labels.csv').open('w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows([('file', 'label', 'kind'), *rows])
    print(f'{len(rows)} pictures of {len(names)} kinds: {args.out / "labels.csv"}')


if __name__ == '__main__':
    command_line.run(main)
