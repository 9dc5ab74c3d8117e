"""Read scanned forms that are turned, bent, in shadow, small or faint; write RESULTS.md.

$ python bench/altered_forms.py --run-dir runs/mnist_cnn/... --forms forms/forms.csv

The forms are those of bench/pictures.py: tables with the same digit in all cells.
"""
import argparse
import io
import sys
from pathlib import Path

import cv2
import numpy as np
import pictures
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from digits import command_line  # noqa: E402
from digits.prediction import classifier  # noqa: E402
from digits.training.record import Record  # noqa: E402


def margin(grey, shade=None):
    """On a larger sheet; or, with a brightness, on a desk."""
    sides = [length // 20 for length in grey.shape]
    return cv2.copyMakeBorder(grey, sides[0], sides[0], sides[1], sides[1], cv2.BORDER_CONSTANT,
                              value=float(np.median(grey)) if shade is None else shade)


def on_wood(grey):
    """With margins on a desk of dark wood, whose grain is seen."""
    sheet = margin(grey)
    desk = np.float32(margin(sheet, 90))
    y, x = np.indices(desk.shape)
    desk += 10 * (np.sin(y / 18 + 4 * np.sin(x / 300)) + 0.5 * np.sin(y / 7 + 13 * np.sin(x / 200)))
    top, left = (length // 20 for length in sheet.shape)
    desk[top:-top, left:-left] = sheet
    return np.uint8(desk)


def turned(degrees, shade=None):
    """On a sheet with margins that lies askew; or, with a brightness, on a desk."""
    return lambda grey: np.asarray(Image.fromarray(margin(grey)).rotate(
        degrees, Image.BICUBIC, expand=True,
        fillcolor=int(np.median(grey)) if shade is None else shade))


def bent(share):
    """Lines sag by so much of the height, as in a book."""
    def bend(grey):
        grey = margin(grey)
        height, width = grey.shape
        y, x = np.float32(np.indices(grey.shape))
        y = np.float32(y + share * height * np.sin(np.pi * x / width))
        return cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderValue=float(np.median(grey)))
    return bend


def from_the_side(grey):
    """Photographed from one side and a little from below: the far edge is 8 % shorter."""
    height, width = grey.shape
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    moved = corners + np.float32([[0, 0], [0, 0.05], [0, -0.03], [0, 0]]) * height
    return cv2.warpPerspective(grey, cv2.getPerspectiveTransform(corners, moved), (width, height),
                               borderValue=float(np.median(grey)))


def in_shadow(grey):
    """A shadow with hard edges over a third, and less light towards one corner."""
    y, x = np.mgrid[:1:grey.shape[0] * 1j, :1:grey.shape[1] * 1j]
    return np.uint8(grey * (1 - 0.45 * np.maximum(abs(x - 0.5) < 1 / 6, x * y)))


def mostly_in_shadow(grey):
    """With margins; half of the light is left, but for a corner."""
    grey = margin(grey)
    y, x = np.mgrid[:1:grey.shape[0] * 1j, :1:grey.shape[1] * 1j]
    return np.uint8(grey * np.where(x + y > 0.6, 0.5, 1))


def with_black_edges(grey):
    """With margins; a scanner's lid is seen at two sides."""
    grey = margin(grey).copy()
    grey[:, :grey.shape[1] // 50] = grey[:grey.shape[0] // 60] = 12
    return grey


def in_a_book(grey):
    """With margins; it grows dark towards the binding at the left."""
    grey = margin(grey)
    return np.uint8(grey * (1 - 0.7 * np.exp(-np.linspace(0, 25, grey.shape[1]))))


def with_a_logo(grey):
    """A black disc, as high as three rows, above the table."""
    height, width = grey.shape
    grey = cv2.copyMakeBorder(grey, height // 6, 0, 0, 0, cv2.BORDER_CONSTANT,
                              value=float(np.median(grey)))
    return cv2.circle(grey, (width // 8, height // 12), height // 14, 40, -1)


def folded(grey):
    """Once, down through a column, where a fifth of the light is missing."""
    x = np.linspace(-1, 1, grey.shape[1])
    return np.uint8(grey * (1 - 0.2 * np.exp(-((x - 0.04) / 0.015) ** 2)))


def smaller(share):
    """As scanned with fewer dots per inch."""
    return lambda grey: np.asarray(Image.fromarray(grey).resize(
        [round(side * share) for side in grey.shape[::-1]], Image.BOX))


def compressed(grey):
    """As a JPEG of quality 25."""
    file = io.BytesIO()
    Image.fromarray(grey).save(file, 'JPEG', quality=25)
    return np.asarray(Image.open(file))


def noisy(grey):
    """Noise of a standard deviation of 14 levels."""
    noise = np.random.RandomState(0).normal(0, 14, grey.shape)
    return np.uint8(np.clip(grey + noise, 0, 255))


WAYS = {
    'as scanned': lambda grey: grey,
    'with margins': margin,
    'turned by 3 degrees': turned(-3), 'by 5': turned(5), 'by 8': turned(8), 'by 14': turned(-14),
    'bent by 1 % of the height': bent(0.01), 'by 3 %': bent(0.03), 'by 4 %': bent(0.04),
    'from the side': from_the_side,
    'in shadow': in_shadow, 'most of it in shadow': mostly_in_shadow,
    'with black edges': with_black_edges, 'in a book': in_a_book, 'with a logo': with_a_logo,
    'folded': folded,
    'on a dark desk, with margins': lambda grey: margin(margin(grey), 60),
    'on a wooden desk, with margins': on_wood,
    'askew on a dark desk, by 7 degrees': turned(7, 60),
    'on a dark desk, cut at the table': lambda grey: margin(grey, 60),
    'half the resolution': smaller(0.5), 'a third': smaller(0.35),
    'JPEG of quality 25': compressed,
    'noisy': noisy,
    'blurred': lambda grey: np.asarray(
        Image.fromarray(grey).filter(ImageFilter.GaussianBlur(2))),
    'a third of the contrast': lambda grey: np.uint8(255 - 0.35 * (255.0 - grey)),
    'white on black': lambda grey: 255 - grey,
}


def main(argv=None):
    """Print a row for each way, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--run-dir', type=Path, required=True, metavar='RUN')
    parser.add_argument('--forms', required=True, metavar='CSV')
    args = parser.parse_args(argv)
    record, classify = Record.read(args.run_dir), classifier.restore(args.run_dir)
    lines = []
    for name, way in WAYS.items():
        def altered(image, way=way):
            return Image.fromarray(way(np.asarray(image.convert('L'))))
        heading, rule, *_, last = pictures.forms_table(
            classify, pictures.read_forms(args.forms, altered))
        lines += [] if lines else [heading, rule]
        lines.append(last.replace('all of them', name, 1))
        print(lines[-1], flush=True)
    pictures.write_altered('forms', record, (
        'whole forms, altered as bench/altered_forms.py does, with a digit in each cell.'), lines)


if __name__ == '__main__':
    command_line.run(main)
