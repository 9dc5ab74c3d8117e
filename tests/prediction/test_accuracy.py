"""What the documentation promises, on the official files: minutes of training, so --slow.

The numbers are read from its pages, and a run must be within four standard deviations of them.
"""
import os
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

import mnist_cnn
import mnist_numpy_sigmoid
import mnist_softmax
from digits.datasets import idx
from digits.errors import UserError
from digits.paths import PROJECT_ROOT
from digits.pictures import to_mnist
from digits.prediction import classifier
from digits.training import calibration
from digits.training.record import Record

pytestmark = [pytest.mark.slow, pytest.mark.mnist]


def published(page, pattern):
    """The numbers that a page of the documentation has where a pattern matches it, once."""
    text = (PROJECT_ROOT / page).read_text(encoding='utf-8')
    (match,) = re.finditer(pattern.replace(' ', r'\s+'), text)
    return [float(number) for number in match.groups()]


def counting_sd(share):
    """The standard deviation of a share that is counted in 10,000 images, the test set."""
    return (share * (1 - share) / 10000) ** 0.5


def assert_as_in_readme(script, accuracy):
    mean, sd = published('README.md', rf'\| `{script}\.py` .*? \| ([\d.]+) ± ([\d.]+) \|')
    assert accuracy == pytest.approx(mean, abs=4 * sd)


def train(lesson, mnist_dir, folder, *flags):
    return lesson.main(['--data-dir', str(mnist_dir), '--dataset', 'mnist', '--run-dir',
                        str(folder), *flags])


def test_softmax(mnist_dir, tmp_path, capfd):
    first, again = (train(mnist_softmax, mnist_dir, tmp_path / name) for name in ('a', 'b'))
    assert_as_in_readme('mnist_softmax', first)
    printed = re.findall(r'^test accuracy: (.*)$', capfd.readouterr().out, re.MULTILINE)
    assert printed[0] == printed[1] == f'{first:.4f}'
    assert first == again


@pytest.fixture(scope='module')
def cnn(mnist_dir, tmp_path_factory):
    """The folder of a run with all defaults."""
    folder = tmp_path_factory.mktemp('runs') / 'cnn'
    assert_as_in_readme('mnist_cnn', train(mnist_cnn, mnist_dir, folder))
    return folder


@pytest.fixture(scope='module')
def test_set(mnist_dir):
    images, labels = idx.read_folder(mnist_dir)[2:]
    return images[..., 0], labels


def test_cnn_and_the_shipped_pictures(script, cnn):
    result = script('predict.py', '--run-dir', cnn, 'data/*.png', 'data/*.jpg', 'data/*.gif')
    lines = result.stdout.splitlines()
    assert len(lines) >= 10 and result.returncode == 0
    wrong = [line for line in lines if not re.match(r'data.(\d)\S+ +\1 ', line)]
    assert not wrong


@pytest.mark.parametrize('change', [
    lambda image: image,
    ImageOps.invert,
    lambda image: ImageOps.expand(image, 30),
    lambda image: image.resize((280, 280), Image.NEAREST),
    lambda image: ImageOps.invert(image.resize((140, 140), Image.BICUBIC)),
    lambda image: ImageOps.expand(image, 8).point(lambda value: 210 - value * 3 // 5),
], ids=['as it is', 'inverted', 'padded', 'enlarged', 'enlarged, inverted', 'on grey'])
def test_mnist_as_pictures_reads_as_well(change, cnn, test_set):
    images, labels = (part[::2] for part in test_set)
    classify = classifier.restore(cnn)
    pictures = np.empty_like(images)
    for number, image in enumerate(images):
        try:
            pictures[number] = to_mnist(change(Image.fromarray(image)))
        except UserError:
            pictures[number] = 0
    before, after = (classify(these)[0].argmax(axis=1) == labels for these in (images, pictures))
    lost, won = (before & ~after).sum(), (after & ~before).sum()
    # McNemar's test: at most one in a thousand is lost, but for chance. Some must be: of images at
    # the edge of an answer more are right than wrong before any change.
    assert lost - won <= 0.001 * len(images) + 2 * (lost + won) ** 0.5


def test_doubt(cnn, test_set):
    """Few digits are not sure; probabilities are honest; most letters and noise are not digits."""
    images, labels = test_set
    classify = classifier.restore(cnn)
    probabilities, doubts = classify(images)
    unsure, error = (percent / 100 for percent in published(
        'docs/pictures.md', r'([\d.]+) % are marked as not sure, and the calibration error is '
                            r'([\d.]+) %'))
    assert np.mean([bool(why) for why in doubts]) == pytest.approx(
        unsure, abs=4 * counting_sd(unsure))
    wrong = np.mean(probabilities.argmax(axis=1) != labels)
    assert calibration.calibration_error(probabilities, labels) == pytest.approx(
        error, abs=4 * counting_sd(wrong))
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf'),
                              100)
    letters = []
    for letter in 'ABCEFHKMNPRTUVWXY?&@#%aefhkmrtwxy':  # not D, G, I, J, L, O, Q, S, Z ...
        image = Image.new('L', (160, 160), 'white')
        ImageDraw.Draw(image).text((30, 20), letter, 'black', font)
        letters.append(to_mnist(image))
    noise = np.random.RandomState(0).randint(0, 256, (100, 28, 28)).astype(np.uint8)
    for nothing in np.array(letters), noise:
        assert np.mean([bool(why) for why in classify(nothing)[1]]) > 0.5


ROUND = np.linspace(0, 2 * np.pi, 60)
SHAPES = {  # points x, y, which straight lines join
    'heart': np.transpose([16 * np.sin(ROUND) ** 3, 5 * np.cos(2 * ROUND) + 2 * np.cos(3 * ROUND)
                           + np.cos(4 * ROUND) - 13 * np.cos(ROUND)]),
    'square': [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (1, 0)],
    'triangle': [(0, 1), (.5, 0), (1, 1), (0, 1), (.5, 0)],
    'trapezium': [(.2, 0), (.8, 0), (1, 1), (0, 1), (.2, 0), (.8, 0)],
    'check mark': [(0, .6), (.3, 1), (1, 0)],
}


@pytest.mark.parametrize('name', SHAPES)
def test_shapes_are_no_digits(name, cnn):
    """Drawn by Pillow, with four pens, turned and stretched a little: most are not sure."""
    random, images = np.random.RandomState(0), []
    for number in range(40):
        turn = random.normal(0, 0.12)
        points = np.matmul(SHAPES[name], [[np.cos(turn), np.sin(turn)],
                                          [-np.sin(turn), np.cos(turn)]])
        points = points * np.exp(random.normal(0, 0.15, 2))
        points = 40 + 200 * (points - points.min(axis=0)) / np.ptp(points, axis=0).max()
        image = Image.new('L', (280, 280), 'white')
        ImageDraw.Draw(image).line([tuple(point) for point in points], 'black',
                                   [8, 12, 18, 26][number % 4], 'curve')
        images.append(to_mnist(image))
    assert np.mean([bool(why) for why in classifier.restore(cnn)(np.array(images))[1]]) > 0.75


def test_numpy(mnist_dir, tmp_path, capfd):
    accuracy = train(mnist_numpy_sigmoid, mnist_dir, tmp_path / 'numpy')
    assert_as_in_readme('mnist_numpy_sigmoid', accuracy)
    rows = re.findall(r'^ +(\d+) +(0\.\d{4}) +[\d.]+$', capfd.readouterr().out, re.MULTILINE)
    assert [row[0] for row in rows[:3]] == ['0', '10', '20']
    assert float(rows[-1][1]) > 0.80  # of the training images: there article B stops


@pytest.mark.parametrize(('lesson', 'flags', 'name'), [
    (mnist_softmax, ['--steps', '5500', '--learning-rate', '0.1'], 'softmax regression'),
    (mnist_cnn, [], 'the CNN reads'),
])
def test_strokes_alone_teach_to_read_mnist(lesson, flags, name, test_set, tmp_path, capfd):
    """Trained on digits that a program draws, scored on all of MNIST's 10,000 test images.

    STROKES_RUN names a run of `mnist_cnn.py --dataset strokes` that is there, as it is in .ci/run.
    """
    run = tmp_path / 'run'
    if lesson is mnist_cnn and 'STROKES_RUN' in os.environ:
        run = Path(os.environ['STROKES_RUN'])
        assert Record.read(run).dataset == 'strokes'
    else:
        lesson.main(['--dataset', 'strokes', '--data-dir', str(tmp_path), '--run-dir', str(run),
                     *flags])
    images, labels = test_set
    accuracy = np.mean(classifier.restore(run)(images)[0].argmax(axis=1) == labels)
    with capfd.disabled():
        print(f'\n{lesson.__name__}.py, trained on strokes: {accuracy:.4f} on MNIST')
    mean, low, high = published(
        'docs/training.md',
        name + r' (0\.\d+) [^,]*?mean of \w+ seeds, (0\.\d+) to (0\.\d+)')
    sd = (high - low) / 2  # about: the range of three normal samples is 1.7 of them, of five 2.3
    assert accuracy == pytest.approx(mean, abs=4 * sd)
