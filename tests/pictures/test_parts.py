"""digits.pictures.parts against Pillow, NumPy and loops over pixels."""
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from digits.pictures import parts


def test_parts_are_those_that_pillow_floods():
    random = np.random.RandomState(0)
    for _ in range(60):
        mask = random.rand(*random.randint(1, 30, 2)) < random.rand()
        labels = parts.label(mask)
        assert ((labels > 0) == mask).all()
        assert set(labels[mask]) == set(range(1, labels.max() + 1))
        # Spread out and grown by a pixel, neighbours touch along a side even if at a corner before.
        spread = np.zeros([2 * side for side in mask.shape], np.int32)
        spread[::2, ::2] = mask
        image = Image.fromarray(spread).filter(ImageFilter.MaxFilter(3))
        for label in range(1, labels.max() + 1):
            y, x = np.argwhere(labels == label)[0]
            ImageDraw.floodfill(image, (int(2 * x), int(2 * y)), 1 + label)
            flooded = np.asarray(image)[::2, ::2] == 1 + label
            assert ((flooded & mask) == (labels == label)).all()


@pytest.mark.parametrize('which, window', [(ImageFilter.MinFilter, parts.eroded),
                                           (ImageFilter.MaxFilter, parts.dilated)])
@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (7, 3), (20, 33)])
def test_extremes_in_a_window_are_those_of_pillow_step_by_step(which, window, shape):
    values = np.random.RandomState(0).rand(*shape).astype(np.float32)
    image = Image.fromarray(values)
    for radius in range(1, 12):
        image = image.filter(which(3))
        assert (window(values, radius) == np.asarray(image)).all()
        assert (window(values > 0.5, radius) == (np.asarray(image) > 0.5)).all()


@pytest.mark.parametrize('rows, columns', [(0, 0), (1, 2), (6, 0), (0, 2), (6, 2)])
def test_extended_as_by_numpy(rows, columns):
    values = np.random.RandomState(0).rand(7, 3)
    expected = np.pad(values, [(rows, rows), (columns, columns)], 'reflect', reflect_type='odd')
    assert np.allclose(parts.extended(values, rows, columns), expected, atol=1e-12)


@pytest.mark.parametrize('least', [1, 2, 3, 6, 40])
def test_long_runs(least):
    for seed in range(20):
        random = np.random.RandomState(seed)
        mask = random.rand(*random.randint(1, 30, 2)) < 0.8
        expected = [''.join(run if len(run) >= least else '0' * len(run)
                            for run in re.findall('1+|0+', ''.join(map(str, row))))
                    for row in mask.astype(int)]
        expected = np.array([[letter == '1' for letter in row] for row in expected])
        assert (parts.long_runs(mask, least) == expected).all()
        assert (parts.long_runs(np.ascontiguousarray(mask.T), least, down=True) == expected.T).all()


def as_sets(found):
    """The pixels of each part."""
    return [set(zip(*(at.tolist() for at in found.pixels_of(number))))
            for number in range(len(found))]


def test_what_is_known_of_parts():
    random = np.random.RandomState(1)
    labels = random.randint(0, 9, (40, 50))
    labels[labels == 4] = 3  # a number without a pixel
    found = parts.Parts.of(labels)
    expected = [np.argwhere(labels == label) for label in (1, 2, 3, 5, 6, 7, 8)]
    assert len(found) == 7
    assert found.counts.tolist() == [len(points) for points in expected]
    for number, points in enumerate(expected):
        assert as_sets(found)[number] == set(map(tuple, points.tolist()))
        (top, left), (bottom, right) = points.min(0), points.max(0) + 1
        assert found.boxes[number].tolist() == [left, top, right, bottom]
        assert (np.argwhere(found.mask_of(number)) + (top, left) == points).all()
        assert found.sizes[number].tolist() == [right - left, bottom - top]
    assert (found.labels(40) == labels - (labels > 4)).all()
    sets = as_sets(found)
    kept = found.renumbered(np.array([5, -1, 0, 5, 2, -1, 2]))
    assert as_sets(kept) == [sets[2], sets[4] | sets[6], sets[0] | sets[3]]
    assert as_sets(found.kept(found.counts > 0)) == sets
    assert as_sets(found.kept(np.arange(7) == 3)) == [sets[3]]
    rows, columns = found.sorted_pixels()
    assert as_sets(found.divided(columns)) == [
        {pixel for each in sets for pixel in each if pixel[1] == column} for column in range(50)]


def test_no_parts():
    found = parts.Parts.of(np.zeros([3, 5], np.int32))
    assert len(found) == 0 and found.boxes.shape == (0, 4) and found.digit_height() == np.inf
    assert not found.labels(3).any() and len(found.kept(np.zeros(0, bool))) == 0


def test_height_of_digits_is_that_of_the_ink_not_of_dots():
    mask = np.zeros([60, 200], bool)
    for left, height in ((0, 40), (20, 42), (40, 44)):
        mask[:height, left:left + 9] = True
    mask[50:53, ::10] = True
    assert parts.Parts.of(parts.label(mask)).digit_height() == 42
