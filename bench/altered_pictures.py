"""Read photographs of one digit that are turned, cropped, in shadow, on lines; write RESULTS.md.

$ python bench/altered_pictures.py --run-dir runs/mnist_cnn/... --labels photos/labels.csv

The pictures are those of bench/pictures.py, in colour. What is outside of one is as its edges are.
"""
import argparse
import io
import sys
from pathlib import Path

import cv2
import numpy as np
import pictures
from PIL import Image, ImageFilter, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from digits import command_line  # noqa: E402
from digits.pictures import one_digit, parts, upright  # noqa: E402
from digits.prediction import classifier  # noqa: E402
from digits.training.record import Record  # noqa: E402


def edges(image):
    """The colour that most of its outermost pixels have."""
    ring = np.concatenate(parts.edges(np.asarray(image)))
    return tuple(int(level) for level in np.median(ring, axis=0))


def turned(degrees, corners=None):
    """By so many degrees; its corners as the edges are, or of that colour."""
    return lambda image: image.rotate(degrees, Image.BICUBIC, fillcolor=corners or edges(image))


def padded(share, colour=None):
    """With margins of that share of its longer side, as the edges are or of that colour."""
    return lambda image: ImageOps.expand(image, int(share * max(image.size)),
                                         colour or edges(image))


def smaller(side):
    """With so many pixels along its longer side, or fewer."""
    def shrink(image):
        image = image.copy()
        image.thumbnail((side, side), Image.BOX)
        return image
    return shrink


def lit(light):
    """With levels times what `light` gives: x and y [h, w] in 0..1 -> [h, w] or [h, w, 3]."""
    def light_up(image):
        values = np.asarray(image, float)
        y, x = np.mgrid[:1:values.shape[0] * 1j, :1:values.shape[1] * 1j]
        shade = np.asarray(light(x, y), float)
        return _image(values * (shade if shade.ndim == 3 else shade[..., None]))
    return light_up


def levels(change):
    """With other levels, float [h, w, 3] in 0..255."""
    return lambda image: _image(change(np.asarray(image, float)))


def _image(values):
    return Image.fromarray(np.uint8(np.clip(values, 0, 255)))


def compressed(image):
    """As a JPEG of quality 10."""
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=10)
    return Image.open(file)


def from_the_side(image):
    """Photographed from one side and a little from below."""
    width, height = image.size
    corners = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]) * np.float32(image.size)
    moved = np.float32([[0.1, 0], [0.9, 0.03], [1, 1], [0, 0.95]]) * np.float32(image.size)
    return Image.fromarray(cv2.warpPerspective(
        np.asarray(image), cv2.getPerspectiveTransform(corners, moved), (width, height),
        borderMode=cv2.BORDER_REPLICATE))


def lines(darkness, down=False):
    """Of a sheet, eight over its height (and squares), that take so much of the light."""
    def ruled(x, y):
        on_line = (y * 8 + 0.5) % 1 < 0.08
        return 1 - darkness * (on_line | ((x * 8 + 0.5) % 1 < 0.08) if down else on_line)
    return lit(ruled)


BLUE = (0.65, 0.75, 1)
WAYS = {
    'as they are': lambda image: image,
    'turned by 8 degrees': turned(8), 'by -8': turned(-8),
    'by 8, with black corners': turned(8, (0, 0, 0)),
    'with wide margins': padded(0.7), 'with a black edge': padded(0.04, (0, 0, 0)),
    'on a dark desk': padded(0.4, (70, 60, 50)),
    'from the side': from_the_side,
    '64 pixels': smaller(64), '40 pixels': smaller(40), 'JPEG of quality 10': compressed,
    'blurred': lambda image: image.filter(ImageFilter.GaussianBlur(0.015 * max(image.size))),
    'noisy': levels(lambda values: values + np.random.RandomState(0).normal(0, 20, values.shape)),
    'white on black': ImageOps.invert,
    'a third of the light': levels(lambda values: 0.33 * values),
    'too much light': levels(lambda values: 1.5 * values),
    'a third of the contrast': levels(lambda values: 128 + 0.33 * (values - 128)),
    'in yellow light': levels(lambda values: values * (1, 0.8, 0.5)),
    'light that falls to 0.3': lit(lambda x, y: 1 - 0.7 * x),
    'half in shadow': lit(lambda x, y: np.where(x + 0.3 * y > 0.6, 0.5, 1)),
    'the shadow of a pen': lit(lambda x, y: np.where(abs(x + 0.2 * y - 0.4) < 0.1, 0.6, 1)),
    'a fold': lit(lambda x, y: 1 - 0.4 * np.exp(-((x - 0.5) / 0.02) ** 2)),
    'a ring of coffee': lit(
        lambda x, y: np.where(abs(np.hypot(x - 0.5, y - 0.5) - 0.4) < 0.02, 0.6, 1)),
    'on blue squares': lit(lambda x, y: np.where(
        (((x * 12) % 1 < 0.08) | ((y * 12) % 1 < 0.08))[..., None], BLUE, 1)),
    'on grey lines': lines(0.4), 'on grey squares': lines(0.4, down=True),
}


def main(argv=None):
    """Print a row for each way, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--run-dir', type=Path, required=True, metavar='RUN')
    parser.add_argument('--labels', required=True, metavar='CSV')
    args = parser.parse_args(argv)
    record, classify = Record.read(args.run_dir), classifier.restore(args.run_dir)
    _, names, labels = pictures.labelled(args.labels)[-1]
    large = np.array([max(Image.open(name).size) > 28 for name in names])
    cells = [['', 'right', 'not read', 'not sure', 'right, of those over 28 pixels']]
    for name, way in WAYS.items():
        images, readable = pictures.read(
            lambda file, way=way: one_digit.to_mnist(way(opened(file))), names)
        right, _, unsure = pictures.score(classify, images, readable, labels)
        of_large, _, _ = pictures.score(classify, images[large], readable[large],
                                        np.array(labels)[large])
        cells.append([name, f'{right:.4f}', str(np.count_nonzero(~readable)), f'{unsure:.4f}',
                      f'{of_large:.4f}'])
    rows = pictures.aligned(cells)
    print('\n'.join(rows))
    pictures.write_altered('pictures', record, (
        f'{len(names)} pictures of one digit, {np.count_nonzero(large)} of them larger than 28 '
        'pixels, altered as bench/altered_pictures.py does.'), rows)


def opened(file):
    """A picture, upright, RGB; what is transparent is white."""
    image = upright(Image.open(file)).convert('RGBA')
    return Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image).convert('RGB')


if __name__ == '__main__':
    command_line.run(main)
