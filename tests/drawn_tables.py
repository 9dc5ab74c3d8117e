"""Tables that are drawn here and filled with digits by a hand, so where each lies is known."""
import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw


class Drawn(NamedTuple):
    """A picture, and of its digits rows, columns, labels int [n] and boxes int [n, 4]."""

    image: Image.Image
    rows: np.ndarray
    columns: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray


def part_of(image, height):
    """Float [h, w] in 0..1: a digit [28, 28] cropped and enlarged, its longer side `height`."""
    image = Image.fromarray(image)
    image = image.crop(image.point(lambda value: 255 * (value > 100)).getbbox())
    scale = height / max(image.size)
    return np.asarray(image.resize([max(3, round(side * scale)) for side in image.size],
                                   Image.BICUBIC), np.float32) / 255


def table(hand, seed, rows=8, columns=10, cell=(90, 70), width=3, shade=0.9, border=True, skew=0.0,
          bow=0.0, dots=0, empty=0.1, faint=0.0, wander=0.5, size=(0.45, 0.7), margin=60,
          header=False, desk=0, grain=0, shadow=0.0, falloff=0.0, lengths=(1, 1), noise=3.0,
          quality=85):
    """A Drawn table filled with `hand`, (images, labels).

    cell: its size in pixels; width, shade: of the lines; skew: in degrees; bow: how far lines sag,
    in pixels; dots: pixels of a dot and of the gap behind it, 0 for none; empty, faint: shares of
    cells without a digit, and with one in pencil; wander: how far digits lie from the middle, 1
    touches the lines; size: in heights of a cell; header: a row of printed words above; desk:
    pixels of a dark desk around the sheet; grain: by how many levels its wood varies; shadow: the
    share of the light that a third of the sheet lacks, and its far corner; falloff: the share that
    the middles of the sheet's edges lack; lengths: how many digits are in a cell
    """
    random = np.random.RandomState(seed)
    images, labels = hand
    wide, tall = columns * cell[0], (rows + header) * cell[1]
    shape = tall + 2 * margin, wide + 2 * margin
    ink, form = np.zeros(shape, np.float32), Image.new('L', shape[::-1])
    draw = ImageDraw.Draw(form)
    for k in range(rows + header + 1):
        if border or 0 < k < rows + header:
            draw.line((margin, margin + k * cell[1], margin + wide, margin + k * cell[1]), 255,
                      width)
    for k in range(columns + 1):
        if border or 0 < k < columns:
            draw.line((margin + k * cell[0], margin, margin + k * cell[0], margin + tall), 255,
                      width)
    form = np.asarray(form, np.float32) / 255
    if dots:
        y, x = np.indices(shape)
        form = form * ((x + y) % (2 * dots) < dots)
    for k in range(columns if header else 0):
        word = Image.new('L', (40, 12))
        ImageDraw.Draw(word).text((0, 0), ('Name', 'Total', 'km/h', 'Nr.')[k % 4], fill=255)
        word = np.asarray(word.resize((60, 18)), np.float32) / 255
        top, left = margin + cell[1] // 3, margin + k * cell[0] + 12
        form[top:top + 18, left:left + 60] = np.maximum(form[top:top + 18, left:left + 60], word)
    truth = []
    for row in range(rows):
        for column in range(columns):
            if random.uniform() < empty:
                continue
            dark = random.uniform(0.25, 0.4) if random.uniform() < faint else random.uniform(0.6,
                                                                                            0.9)
            high = cell[1] * random.uniform(*size)
            count = random.randint(lengths[0], lengths[1] + 1)
            which = random.randint(len(images), size=count)
            parts = [part_of(images[k], high) for k in which]
            gap = int(0.15 * high) + 2
            long = sum(part.shape[1] for part in parts) + gap * (count - 1)
            room = cell[0] - long, cell[1] - max(map(len, parts))
            left, top = (int(start + space / 2 * (1 + random.uniform(-wander, wander)))
                         for start, space in zip((margin + column * cell[0],
                                                  margin + (row + header) * cell[1]), room))
            for k, part in zip(which, parts):
                h, w = part.shape
                area = ink[top:top + h, left:left + w]
                np.maximum(area, dark * part, out=area)
                truth.append((row + header, column, labels[k], left, top, left + w, top + h))
                left += w + gap
    share = 1 - (1 - ink) * (1 - shade * form)
    paper = random.uniform(225, 245)
    grey = paper * (1 - share)
    truth = np.array(truth)
    image = Image.fromarray(np.float32(grey))
    box = truth[:, 3:].astype(float)
    if bow:
        y, x = np.indices(shape).astype(np.float32)
        down = bow * (1 - (2 * x / shape[1] - 1) ** 2)
        at = np.clip((y - down).astype(int), 0, shape[0] - 1)
        image = Image.fromarray(np.asarray(image)[at, x.astype(int)])
        middle = (box[:, 0] + box[:, 2]) / 2
        box[:, 1::2] += (bow * (1 - (2 * middle / shape[1] - 1) ** 2))[:, None]
    if skew:
        image = image.rotate(skew, Image.BICUBIC, fillcolor=float(paper))
        turn = np.deg2rad(-skew)
        centre = np.array(shape[::-1]) / 2
        middle = np.stack([box[:, ::2].mean(1), box[:, 1::2].mean(1)], 1) - centre
        turned = middle @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        box += np.tile(turned - middle, 2)
    grey = np.asarray(image)
    if shadow:
        y, x = np.mgrid[:1:grey.shape[0] * 1j, :1:grey.shape[1] * 1j]
        grey = grey * (1 - shadow * np.maximum(abs(x - 0.5) < 0.16, x * y))
    if falloff:
        y, x = np.mgrid[-1:1:grey.shape[0] * 1j, -1:1:grey.shape[1] * 1j]
        grey = grey * (1 - falloff * np.minimum(x * x + y * y, 1))
    if desk:
        y, x = np.indices((grey.shape[0] + 2 * desk, grey.shape[1] + 2 * desk))
        waves = np.sin(y / 5 + 4 * np.sin(x / 90)) + 0.5 * np.sin(y / 2.3 + 13 * np.sin(x / 60))
        around = np.float32(60 + 4 * grain + grain * waves)  # lighter wood has more
        around[desk:-desk, desk:-desk] = grey
        grey, box = around, box + desk
    grey = grey + noise * random.normal(0, 1, grey.shape)
    image = Image.fromarray(np.uint8(grey.clip(0, 255)))
    if quality:
        file = io.BytesIO()
        image.save(file, 'JPEG', quality=quality)
        image = Image.open(file)
    return Drawn(image, *truth[:, :3].T, np.rint(box).astype(int))
