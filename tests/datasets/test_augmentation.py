"""What the CNN learns from beside its digits: warped images, and images of no digit."""
import numpy as np
import pytest
from PIL import Image

from digits.datasets import augmentation, outliers, strokes
from digits.datasets.dataset import DataSet


@pytest.fixture(scope='module')
def digits():
    return strokes.make(200, seed=3)


@pytest.mark.parametrize('seed', range(5))
def test_warped_as_pillow_warps(digits, seed):
    """Pillow's own affine transformations, with those that marked points went through."""
    # Pillow fades out ink at the frame's edge in its own way: one 7 in ten has some there.
    inked = digits[0].astype(bool)
    inside = ~(inked[:, [0, -1]].any(axis=(1, 2)) | inked[:, :, [0, -1]].any(axis=(1, 2)))
    images = digits[0][inside][:20].reshape(20, 784).astype(np.float32) / 255
    warped = augmentation.warped(images, 0.1, [0, seed]).reshape(20, 28, 28)
    # An image whose pixels are their own places tells where each of the new pixels comes from.
    rows, columns = np.indices([28, 28]).reshape(2, 784).astype(np.float32)
    x, y = (augmentation.warped(np.tile(ramp, [20, 1]), 0.1, [0, seed]).reshape(20, 28, 28)
            for ramp in (columns, rows))
    maps = []
    for number in range(20):
        across = [(z[number, 14, 20] - z[number, 14, 8]) / 12 for z in (x, y)]
        down = [(z[number, 20, 14] - z[number, 8, 14]) / 12 for z in (x, y)]
        start = [z[number, 14, 14] - 14 * (a + d) for z, a, d in zip((x, y), across, down)]
        # Pillow has a pixel's middle at a half.
        maps.append([value for a, d, s in zip(across, down, start)
                     for value in (a, d, s + 0.5 - (a + d) / 2)])
        pillows = Image.fromarray(images[number].reshape(28, 28)).transform(
            (28, 28), Image.AFFINE, maps[-1], Image.BILINEAR)
        # OpenCV places a pixel to 1/32 of one (4.11 a little worse than 5), across and down.
        np.testing.assert_allclose(warped[number], np.asarray(pillows), atol=2 / 32)
    assert np.std(maps, axis=0).min() > 0.01  # each image has a map of its own
    assert np.abs(warped - images.reshape(20, 28, 28)).mean() > 0.005


def test_the_seed_alone_decides_and_nothing_moves_at_zero(digits):
    images = digits[0].reshape(-1, 784).astype(np.float32) / 255
    assert (augmentation.warped(images, 0, 1) == images).all()
    once, again, other = (augmentation.warped(images, 0.1, seed) for seed in (1, 1, 2))
    assert (once == again).all() and (once != other).any()
    assert once.dtype == np.float32 and once.min() >= 0 and once.max() <= 1 + 1e-6


@pytest.mark.parametrize('count', [0, 1, 4, 99])
def test_as_many_outliers_as_asked_for(digits, count):
    made = outliers.make(*digits, count)
    assert made.shape == (count, 28, 28) and made.dtype == np.uint8
    assert (made == outliers.make(*digits, count)).all()
    known = {image.tobytes() for image in digits[0]}
    assert not any(image.tobytes() in known for image in made)
    assert all(image.max() > 100 for image in made)
    if count > 4:
        assert len({image.tobytes() for image in made}) > 0.9 * count
        assert (made != outliers.make(*digits, count, seed=1)).any()


def test_outliers_join_the_batches_with_a_label_that_no_digit_has(digits):
    pixels, labels = digits[0][..., None], digits[1]
    train = DataSet(pixels, labels, dtype=np.uint8, seed=np.random.RandomState(0))
    outliers.add(train, 30)
    images, given = train.next_batch(230)
    assert np.bincount(given).tolist() == [*np.bincount(labels), 30] and outliers.NO_DIGIT == 10
    expected = {image.tobytes() for image in outliers.make(*digits, 30)}
    assert {image.tobytes() for image in images[given == 10]} == expected
