"""The embedded data set: same bytes for ever, framed as MNIST is, and legible."""
import hashlib
import re

import numpy as np
import pytest

from digits.datasets import ink, outliers, skeletons, splines, strokes, world
from digits.datasets.dataset import DataSet
from digits.datasets.skeletons import Way

WAYS = [(digit, way) for table in (skeletons.SKELETONS, world.WORLD)
        for digit, ways in table.items() for way in ways]


@pytest.fixture(scope='module')
def data():
    return strokes.make(6000, seed=1)


def nearest_neighbours(images, labels, queries):
    """Labels of those of `images` that are nearest to each of `queries`, pixel by pixel."""
    x, q = (a.reshape(len(a), -1).astype(np.float32) / 255 for a in (images, queries))
    return labels[((x ** 2).sum(axis=1) - 2 * q @ x.T).argmin(axis=1)]


# The data set.

def test_shapes_and_types(data):
    images, labels = data
    assert images.shape == (6000, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (6000,) and labels.dtype == np.uint8


@pytest.mark.parametrize('count', [0, 1, 9, 23])
def test_small_counts(count):
    images, labels = strokes.make(count)
    assert images.shape == (count, 28, 28)
    assert images.reshape(count, 784).any(axis=1).all()
    occurrences = np.bincount(labels, minlength=10)
    assert occurrences.max() - occurrences.min() <= 1


def test_every_digit_equally_often_and_in_random_order(data):
    labels = data[1]
    assert (np.bincount(labels) == 600).all()
    # Two neighbours are of one digit in a tenth of the cases, 600 of 6,000, give or take 23 (sd).
    assert 500 < (labels[1:] == labels[:-1]).sum() < 700
    assert np.bincount(labels[:1000], minlength=10).min() > 60


def test_ways_are_in_random_order():
    """Ones with a base are much wider than the rest; they come early as often as late."""
    images, labels = strokes.make(4000, seed=3)
    ones = images[labels == 1]
    width = (ones.max(axis=1) > 127).sum(axis=1)
    wide = np.flatnonzero(width >= np.sort(width)[-80])
    assert 0.3 < (wide < len(ones) / 2).mean() < 0.7


@pytest.mark.parametrize('share, expected', [
    (0, 'c0bf11e2b4cef39f4e264ff020b94ebc2e0691ca464773f62657157117204cca'),
    (1, '1e3769ea0d9250a0eb78f1772506b29da1a241866c3a974cf3f579b738314795'),
])
def test_never_changes_unnoticed(share, expected):
    """Renew the hash if you have changed the data set on purpose.

    Under one and the same source, another hash here than elsewhere is a fault: the bytes are not
    to depend on NumPy's version or the processor.
    """
    images, labels = strokes.make(200, world=share)
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == expected


def test_seeds():
    images, labels = strokes.make(300, seed=5)
    again, labels_again = strokes.make(300, seed=5)
    assert (images == again).all() and (labels == labels_again).all()
    other, other_labels = strokes.make(300, seed=6)
    assert (labels != other_labels).mean() > 0.8
    assert not any((images == image).all(axis=(1, 2)).any() for image in other)


def test_no_two_images_are_alike(data):
    assert len({image.tobytes() for image in data[0]}) == 6000


def test_leaves_the_global_random_state_alone():
    np.random.seed(0)
    expected = np.random.random_sample(3)
    np.random.seed(0)
    strokes.make(20)
    assert (np.random.random_sample(3) == expected).all()


def test_progress_counts_every_image_once():
    steps = []
    strokes.make(1000, progress=steps.append)
    assert sum(steps) == 1000
    assert len(steps) > 20 and min(steps) > 0


# The frame.

def test_longer_side_is_20_pixels(data):
    images = data[0]
    sides = []
    for axis in (1, 2):
        profile = images.max(axis=axis)
        for least in (1, 64):       # any ink; a quarter of full ink, an edge by eye
            inked = profile >= least
            sides.append(28 - inked.argmax(axis=1) - inked[:, ::-1].argmax(axis=1))
    any_x, edge_x, any_y, edge_y = sides
    assert np.maximum(any_x, any_y).max() == 20
    assert np.maximum(edge_x, edge_y).min() >= 19


@pytest.mark.parametrize(('specks', 'most'), [(False, 1.5), (True, 4)])
def test_centre_of_mass_is_at_14(data, clean_strokes, specks, most):
    images = (data if specks else clean_strokes(6000, seed=1))[0].astype(np.float64)
    index = np.arange(28)
    mass = images.sum(axis=(1, 2))
    y = (images.sum(axis=2) * index).sum(axis=1) / mass
    x = (images.sum(axis=1) * index).sum(axis=1) / mass
    off = np.maximum(abs(x - 14), abs(y - 14))
    # Where there is no room to move further, a little more is allowed, rarely.
    at_edge = images[:, [0, -1]].any(axis=(1, 2)) | images[:, :, [0, -1]].any(axis=(1, 2))
    assert off[~at_edge].max() <= 0.5 + 1e-9
    assert off.max() < most and (off > 0.5 + 1e-9).mean() < 0.003
    assert np.sort(off)[-6] < 1.5  # of those 6,000


def test_centre_never_pushes_ink_out():
    """A bar with a heavy head, 20 pixels high, has room for four rows up and no more."""
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 4:24, 4] = 10
    image[0, 4:6, 4:20] = 255
    moved = ink.centre(image)
    rows = np.flatnonzero(moved[0].any(axis=1))
    assert moved.sum() == image.sum()
    assert (rows[0], rows[-1]) == (8, 27)


def test_white_ink_on_black(data):
    images = data[0]
    assert np.percentile(images.max(axis=(1, 2)), 1) == 255
    assert images.max(axis=(1, 2)).min() >= 220
    assert (images == 0).mean() > 0.7
    assert 0.12 < images.mean() / 255 < 0.14      # MNIST: 0.1307


def test_specks_are_small_rare_and_in_the_box():
    images = np.zeros((20000, 28, 28), np.uint8)
    ink.leave_specks(np.random.RandomState(0), images, 0.04)
    dusty = images.any(axis=(1, 2))
    assert dusty.mean() == pytest.approx(0.04, abs=0.005)
    inked = images.any(axis=0)
    assert inked[4:24, 4:24].all() and inked.sum() == 400
    area = (images[dusty] / 255).sum(axis=(1, 2))
    assert area.max() < 6 and 1 < area.mean() < 3


# Legibility.

def test_one_seed_reads_another(data):
    queries, labels = strokes.make(1000, seed=2)
    right = nearest_neighbours(data[0], data[1], queries) == labels
    assert min(right[labels == digit].mean() for digit in range(10)) > 0.5      # the majority


def test_mean_images_read_another_seed(data):
    """Each class has a place of its own: most of every digit are nearest to its mean."""
    means = np.array([data[0][data[1] == digit].mean(axis=0) for digit in range(10)])
    queries, labels = strokes.make(1000, seed=2)
    right = nearest_neighbours(means, np.arange(10), queries) == labels
    assert min(right[labels == digit].mean() for digit in range(10)) > 0.5


@pytest.mark.parametrize('digit', range(10))
def test_every_way_of_the_world_is_read_by_others_of_its_kind(digit):
    """Most of what a way draws are nearest to other digits of the same label."""
    images, labels = strokes.make(6000, seed=1, world=1.0)
    for way in world.WORLD[digit]:
        drawn = strokes.draw_way(np.random.RandomState(0), strokes.WORLD_STYLES[digit], way, 60)
        assert (nearest_neighbours(images, labels, drawn) == digit).mean() > 0.5, way.name


def test_share_of_the_world():
    """None of it unless asked for; then 1s get bases, so that their feet become broader."""
    def foot(share):
        images, labels = strokes.make(3000, seed=3, world=share)
        return (images[labels == 1][:, 20:25] > 127).any(axis=1).sum(axis=1).mean()

    assert foot(0.0) < foot(0.3) < foot(1.0)
    assert (strokes.make(100, seed=3)[0] == strokes.make(100, seed=3, world=0.0)[0]).all()


def test_digits_of_the_world_join_the_batches_with_their_labels(data):
    pixels, labels = data[0][:400, ..., None], data[1][:400]
    train = DataSet(pixels, labels, dtype=np.uint8, seed=np.random.RandomState(0))
    outliers.add(train, 30)
    strokes.add(train, 0.25)  # of the digits: no digit does not count
    images, given = train.next_batch(530)
    assert np.bincount(given).tolist() == [*(np.bincount(labels) + 10), 30]
    expected = {image.tobytes() for image in strokes.make(100, seed=1, world=1.0)[0]}
    assert expected <= {image.tobytes() for image in images}


# The skeletons.

def test_there_are_ways_and_a_style_for_every_digit():
    for table, styles in ((skeletons.SKELETONS, strokes.STYLES),
                          (world.WORLD, strokes.WORLD_STYLES)):
        assert sorted(table) == list(range(10)) and len(styles) == 10
        for ways in table.values():
            assert len({way.name for way in ways}) == len(ways) > 0


@pytest.mark.parametrize('digit, way', WAYS, ids=[f'{d}: {way.name}' for d, way in WAYS])
def test_skeleton_is_well_formed(digit, way):
    skeleton = splines.compile_way(way)
    examples, points, _ = skeleton.examples.shape
    assert way.weight > 0
    assert examples == len(way.examples.strip().splitlines())
    assert points == len(way.examples.split('\n')[1].replace('|', '').replace('/', '').split())
    low, high = skeleton.examples.min(axis=1), skeleton.examples.max(axis=1)
    assert (low[:, 1] > -0.1).all() and (high[:, 1] < 1.1).all()
    assert (high[:, 1] - low[:, 1] > 0.6).all()         # about a height high, every one
    assert (low[:, 0] > -0.35).all() and (high[:, 0] < 1.1).all()
    # Positions are affine combinations of the points, steps have none of them left over.
    np.testing.assert_allclose(skeleton.position.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(skeleton.step.sum(axis=1), 0, atol=1e-9)
    assert skeleton.is_end.sum() == 2 * (skeleton.stroke[-1] + 1)


@pytest.mark.parametrize('examples, complaint', [
    ('0,0 0,50 0,100\n0,0 0,100', r'example 2 has the topology \(\(2,\),\)'),
    ('0,0 0,50 | 0,100\n0,0 0,50 0,100', 'topology'),
    ('0,0 0,50 0,60 0,100\n0,0 0,50 / 0,60 0,100', 'topology'),
    ('', 'two points or more'),
    ('0,0', 'two points or more'),
    ('0,0 0,50 / 10,10', 'two points or more'),
    ('0,0 0,50 |', 'a corner leads to another point'),
    ('0,0 0,50 | | 0,60', 'a corner leads to another point'),
    ('0,0 0,50,10', 'a point is x,y'),
    ('0,0 50', 'a point is x,y'),
    ('0,0 0,5o', '0,5o|5o'),
    ('0,0 0,50 0,50', 'two in a row are the same'),
])
def test_malformed_examples_are_refused(examples, complaint):
    with pytest.raises(ValueError, match=complaint):
        splines.compile_way(Way('malformed', 1, examples))


def test_parse():
    points, topology = splines.parse('0,0 0,100 | 60,100 / 0,50 40,50')
    np.testing.assert_array_equal(points, [[0, 0], [0, 1], [.6, 1], [0, .5], [.4, .5]])
    assert topology == ((2, 1), (2,))


def test_the_way_in_the_docstring_reads_as_a_seven(data):
    line = re.search(r"Way\('(.+)', (\d+), '(.+)'\),", skeletons.__doc__)
    way = Way(line.group(1), float(line.group(2)), line.group(3))
    sevens = strokes.draw_way(np.random.RandomState(0), strokes.STYLES[7], way, 100)
    assert (nearest_neighbours(data[0], data[1], sevens) == 7).mean() > 0.5


# The hand.

def test_a_style_says_where_the_middle_and_the_foot_are():
    """Upright on average: a bar's middle moves down by waist and left by bow, its foot widens."""
    def bent(example, **usual):
        way = splines.compile_way(Way('bent', 1, example))
        style = strokes.Style(1, -strokes.SLANT[0], 1, **usual)
        points = np.repeat(way.examples, 6000, axis=0)
        return strokes.bend(np.random.RandomState(0), points, style).mean(axis=0)

    bar = '30,0 30,25 30,50 30,75 30,100'
    plain, low, left = bent(bar), bent(bar, waist=0.4), bent(bar, bow=0.4)

    def middle(points):     # against the ends
        return points[2] - (points[0] + points[4]) / 2

    np.testing.assert_allclose(middle(low) - middle(plain), [0, 0.1], atol=0.01)
    np.testing.assert_allclose(middle(left) - middle(plain), [-0.025, 0], atol=0.005)
    box = '0,0 60,0 | 60,100 | 0,100'
    width = [abs(points[1] - points[0])[0] for points in (bent(box), bent(box, taper=0.5))]
    foot = [abs(points[2] - points[3])[0] for points in (bent(box), bent(box, taper=0.5))]
    assert width[1] / width[0] == pytest.approx(0.75, abs=0.02)
    assert foot[1] / foot[0] == pytest.approx(1.25, abs=0.02)


@pytest.mark.parametrize('max_sd', [1.0, 2.0, np.inf])
def test_truncated_samples_have_the_standard_deviation_asked_for(max_sd):
    hand = strokes.TruncatedNormal(np.random.RandomState(0), max_sd)
    z = hand.normal(5.0, 0.1, (100, 2000))
    assert z.mean() == pytest.approx(5, abs=0.001) and z.std() == pytest.approx(0.1, abs=0.001)
    # The limits are max_sd standard deviations of the distribution before it is truncated.
    cut = np.clip(np.random.RandomState(1).normal(size=10 ** 6), -9, 9)
    cut = cut[abs(cut) <= max_sd]
    assert abs(z - 5).max() <= 0.1 * max_sd / cut.std() * 1.01
    assert hand.gamma(3, 1 / 3, 10000).max() <= max_sd
    assert hand.uniform(2, 3) > 2  # a RandomState's other distributions are its own


def test_what_is_not_truncated_is_a_randomstate():
    hand = strokes.TruncatedNormal(np.random.RandomState(0), np.inf)
    plain = np.random.RandomState(0)
    assert (hand.normal(1, 2, 1000) == plain.normal(1, 2, 1000)).all()
    assert (hand.gamma(3, 1 / 3, 1000) == plain.gamma(3, 1 / 3, 1000)).all()
