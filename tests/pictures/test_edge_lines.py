"""digits.pictures.edge_lines: what is cut out of a table is read as if it had no lines."""
import numpy as np
import pytest
from drawn_digits import difference
from PIL import Image, ImageDraw

from digits.pictures import edge_lines, one_digit

SIZE = 180, 140


@pytest.fixture(scope='module')
def hand(clean_strokes):
    return clean_strokes(60, seed=11)[0]


def cropped(image):
    """The digit [28, 28], its ink alone and four times as large, as a PIL image."""
    image = Image.fromarray(image)
    image = image.crop(image.point(lambda value: 255 * (value > 100)).getbbox())
    return image.resize((image.width * 4, image.height * 4), Image.BICUBIC)


def cell(digit, random, shade, sides, dark, light=(235, 235), down=0.0):
    """(picture, the same without lines) of a cell whose lines lie at those of its four `sides`.

    shade: of the lines, 1 is black; dark: of the digit; light: of the paper, at left and right;
    down: how far the digit is moved towards the lower line, 1 is across it.
    """
    ink = np.zeros(SIZE[::-1], np.float32)
    part = np.asarray(cropped(digit), np.float32) / 255
    left = (SIZE[0] - part.shape[1]) // 2
    top = int((SIZE[1] - part.shape[0]) / 2 * (1 + down))
    part = part[:SIZE[1] - top]
    ink[top:top + part.shape[0], left:left + part.shape[1]] = part
    form = Image.new('L', SIZE)
    for side in sides:
        far = random.uniform(0, 14, 2)  # at both ends: lines slant
        (x, y), width = SIZE, int(random.randint(2, 6))
        ends = [((-9, far[0]), (x + 9, far[1])), ((x - far[0], -9), (x - far[1], y + 9)),
                ((-9, y - far[0]), (x + 9, y - far[1])), ((far[0], -9), (far[1], y + 9))]
        ImageDraw.Draw(form).line(ends[side], 255, width)
    form = np.asarray(form, np.float32) / 255
    paper = np.linspace(*light, SIZE[0])
    noise = random.normal(0, 2, ink.shape)
    return [Image.fromarray(np.uint8((paper * (1 - dark * ink) * (1 - lines) + noise).clip(0, 255)))
            for lines in (shade * form, 0)]


@pytest.mark.parametrize('kind, wrong', [
    ({'shade': 0.9, 'sides': range(4), 'dark': 0.8}, 1),
    ({'shade': 0.9, 'sides': range(4), 'dark': 0.4}, 1),  # pencil in a printed table
    ({'shade': 0.5, 'sides': range(4), 'dark': 0.8}, 1),
    ({'shade': 0.9, 'sides': [2], 'dark': 0.5}, 1),
    ({'shade': 0.9, 'sides': [0, 3], 'dark': 0.5}, 1),
    ({'shade': 0.8, 'sides': range(4), 'dark': 0.5, 'light': (130, 240)}, 1),
    ({'shade': 0.9, 'sides': range(4), 'dark': 0.6, 'down': 0.5}, 3),  # some touch it
    ({'shade': 0.9, 'sides': range(4), 'dark': 0.6, 'down': 0.7}, 3),
    ({'shade': 0.9, 'sides': [0, 1, 2], 'dark': 0.8, 'down': 0.7}, 3),
], ids=str)
def test_a_cell_of_a_table_is_read_as_if_it_had_no_lines(hand, kind, wrong):
    random, mistakes = np.random.RandomState(0), 0
    for digit in hand:
        ruled, plain = cell(digit, random, **kind)
        mistakes += difference(one_digit.to_mnist(ruled), one_digit.to_mnist(plain)) > 12
    assert mistakes <= wrong


def test_light_lines_on_dark(hand):
    random, mistakes = np.random.RandomState(0), 0
    for digit in hand:
        ruled, plain = (image.point(lambda value: 255 - value) for image in cell(
            digit, random, 0.9, range(4), 0.6))
        mistakes += difference(one_digit.to_mnist(ruled), one_digit.to_mnist(plain)) > 12
    assert mistakes <= 1


def test_strokes_of_a_digit_that_is_cropped_close_stay(hand):
    for digit in hand:
        grey = 1 - np.asarray(cropped(digit), np.float32) / 255
        assert edge_lines.erased(grey) is grey
    for shape in ([(0, 4, 99, 4), (95, 4, 40, 139)],                        # 7
                  [(4, 0, 4, 139), (4, 4, 95, 4), (4, 135, 95, 135), (95, 0, 95, 139)],  # 0
                  [(50, 0, 50, 139), (0, 135, 99, 135)]):                  # 1
        image = Image.new('L', (100, 140), 240)
        for stroke in shape:
            ImageDraw.Draw(image).line(stroke, 30, 8)
        grey = np.asarray(image, np.float32) / 255
        assert edge_lines.erased(grey) is grey


def test_a_line_cut_along_its_length_does_not_keep_the_others(hand):
    """Of the lower line a faint sliver is left, which meets those at the left and right."""
    random, mistakes = np.random.RandomState(0), 0
    for digit in hand:
        ruled, plain = cell(digit, random, 0.9, [0, 1, 3], 0.25)
        grey = np.array(ruled)
        grey[-1] = np.minimum(grey[-1], 235 * 0.8)
        mistakes += difference(one_digit.to_mnist(Image.fromarray(grey)),
                               one_digit.to_mnist(plain)) > 12
    assert mistakes <= 2


@pytest.mark.parametrize('turn', range(4))
def test_the_end_of_a_stroke_from_the_next_cell_is_left_out(hand, turn):
    random, mistakes = np.random.RandomState(0), 0
    for digit in hand:
        ruled, plain = (picture.rotate(90 * turn, expand=True) for picture in cell(
            digit, random, 0.8, range(4), 0.7))
        whole = difference(one_digit.to_mnist(ruled), one_digit.to_mnist(plain)) <= 12
        x = random.uniform(0.3, 0.7) * ruled.width
        ImageDraw.Draw(ruled).arc([x, -20, x + 20, 20], 20, 160, 80, 6)
        mistakes += whole and difference(one_digit.to_mnist(ruled),
                                         one_digit.to_mnist(plain)) > 12
    assert mistakes < len(hand) / 10


@pytest.mark.parametrize('shape, falloff', [((240, 110), (0, 0.1)), ((180, 180), (0.15, 0.15)),
                                            ((180, 180), (0.25, 0.25)), ((110, 240), (0.06, 0))])
def test_light_that_falls_off_is_no_line(hand, shape, falloff):
    """Beside a faint digit, the paper at the picture's sides is dark enough for one."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing='ij')
    random = np.random.RandomState(2)
    for digit in hand:
        part = np.asarray(cropped(digit), np.float32)[:shape[0], :shape[1]] / 255
        top, left = ((side - length) // 2 for side, length in zip(shape, part.shape))
        light = 0.83 * (1 - falloff[0] * y ** 2 - falloff[1] * x ** 2)
        light[top:top + part.shape[0], left:left + part.shape[1]] *= 1 - 0.15 * part
        grey = np.float32(light + random.normal(0, 0.004, shape))
        assert edge_lines.erased(grey) is grey


@pytest.mark.parametrize('degrees', [8, -8, 10])
def test_black_corners_of_a_turned_picture_are_erased(hand, degrees):
    """Their edges, too."""
    for digit in hand:
        picture = Image.new('L', (306, 286), 255)
        picture.paste(50, (70, 60), Image.fromarray(digit).resize((160, 160), Image.BICUBIC))
        white, black = (np.asarray(picture.rotate(degrees, Image.BICUBIC, fillcolor=fill),
                                   np.float32) / 255 for fill in (255, 0))
        assert np.count_nonzero(abs(edge_lines.erased(black) - white) > 0.3) <= 30


def test_an_empty_cell_has_no_ink():
    ruled, _ = cell(np.pad(np.full([4, 4], 255, np.uint8), 12, mode='constant'),
                    np.random.RandomState(0), 0.9, range(4), 0.0)
    grey = np.asarray(ruled, np.float32) / 255
    assert edge_lines.erased(grey).min() < 0.2  # lines alone may be a digit: they stay
