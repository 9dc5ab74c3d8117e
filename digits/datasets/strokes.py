"""The embedded data set: digits made from pen strokes, with nothing to download.

    images, labels = make(60000)     # uint8 [60000, 28, 28] and [60000], white ink on black

No picture of a digit is stored here. What is stored is how people write: for each digit the
ways of writing it (`SKELETONS`), each a few lists of points the pen passes. To make an image,

1. mix the examples of one way at random, and let the hand miss every point a little;
2. bend the whole digit: proportions, waves, slant, width, rotation, none of it very far: people
   write to be read;
3. draw a natural cubic spline through the points, in centripetal parameterisation (Lee, "Choosing
   nodes in parametric curve interpolation", 1989): it keeps clear of loops nobody drew;
4. lay ink along it, with a pen of random width, pressure, softness and roughness, not so broad
   that it fills a loop;
5. frame it as MNIST is (LeCun et al., "Gradient-based learning applied to document recognition",
   1998): scaled to fit 20 x 20, in which a scanner leaves a speck of dust on some, then moved in
   28 x 28, by whole pixels, to put its centre of mass at index 14.

To add a way of writing 7, add a line to `SKELETONS[7]`:

    Way('wavy', 2, '0,12 14,4 28,12 46,6 | 34,50 24,98'),

that is, its name, how often people write it so compared with the other ways of that digit, and one
example or more, each on its own line. A point is x,y in per cent of the digit's height: x from
about its left edge to the right, y from its top down. The pen turns smoothly, except at a `|`,
which makes the point before it a corner; `/` lifts the pen. The examples of a way are mixed point
by point, so the n-th point must mean the same in each of them: where the topology (points between
corners and lifts) differs, write another way. Then look at it:

    import matplotlib.pyplot, numpy
    from digits.datasets import strokes
    sevens = strokes.draw_way(numpy.random.RandomState(0), strokes.STYLES[7],
                              strokes.SKELETONS[7][-1], 20)
    matplotlib.pyplot.imsave('sevens.png', numpy.hstack(sevens), cmap='gray')

tests/test_strokes.py checks every line, and holds a hash of the data set, to be renewed.

The same seed makes the same bytes, whatever the version of NumPy and the processor: the random
numbers come from RandomState, whose stream NumPy has frozen; the geometry is in float64 and then
rounded, far more coarsely than computers differ in it; from there on, every sum is exact.
"""
import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

# The frame, in pixels.
FRAME = 28                      # an image's side
BOX = 20                        # the longer side of the ink in it
BORDER = (FRAME - BOX) // 2     # from the frame to the box, before the move to the centre of mass
CENTRE = 14.0                   # index of the centre of mass, in x and in y

# The hand. Lengths are in heights of the digit; an sd is that of a normal distribution (Hand).
BLEND = 1.6             # how evenly a way's examples mix (sum of a Dirichlet distribution's alphas)
EXAGGERATION = 1.25     # the mix goes this far from the mean of the examples: over 1, beyond them
MISS = 0.030            # sd of a point's displacement, for a hand of average care
MISS_AT_ENDS = 1.6      # the same at both ends of a stroke, as a multiple
MISS_OF_STROKE = 0.03   # sd of the displacement of a whole stroke
PROPORTIONS = 0.3       # sd of taper, of the shift of the waist, and of bow, about Style's
WAVE = 0.05             # sd of the amplitude of one slow wave through the plane
WAVE_NUMBER = 4.4       # sd of that wave's number in x and in y, in radians per height
SLANT = 0.14, 0.24      # mean and sd: how far right the top leans, per height
ROTATION = 0.10         # sd, in radians
WIDTH = 0.17            # sd of the logarithm of the width; the height shrinks by 0.3 of it

# The pen. Lengths in pixels of the finished image.
PEN_WIDTH = 2.35, 0.29      # median, and sd of the logarithm
PEN_RADIUS = 0.65, 2.75     # thinner and thicker pens are brought to these radii
SOFTNESS = 0.81, 1.19       # least and greatest width of the ramp from black to white at an edge
ROUGHNESS = 0.16            # edges wander by 0 to this (sd), from pixel to pixel
PRESSURE = 0.18             # sd of the amplitude with which the ink's weight varies along a stroke
BLUR = 0.62                 # sd of the blots that lay the ink, in pen radii: see draw()
BLUR_LEAST = 0.5            # the same in pixels, or the blots would show one by one
SPECK_RADIUS = 0.3, 1.2     # of the scanner's dust: least and greatest, in pixels


class Style(NamedTuple):
    """How the hand differs from digit to digit.

    Chosen so that a digit's images, 1 apart, are spread as MNIST's training images of it are:
    bench/README.md.
    """

    width: float            # factor on x: the skeletons are narrow
    slant: float            # added to the mean of SLANT
    pen: float              # factor on PEN_WIDTH's median: digits with much ink are written finer
    taper: float = 0.0      # means of what PROPORTIONS spreads: how much wider the foot is,
    waist: float = 0.0      # how much lower the middle,
    bow: float = 0.0        # and how much further left than the ends
    freedom: float = 1.0    # factor on the sd of rotation, slant and pen: a 1 is read at any angle
    thickest: float = math.inf  # of a pen's radius: so much of the digit's spread across its length
    reach: float = 2.0      # no normal distribution of the hand goes further than so many sd
    specks: float = 0.04    # share of the images with a speck of dust


STYLES = (
    # width, slant, pen, taper, waist, bow, freedom
    Style(1.15, 0.13, 1.17, 0.20, 0.15, -0.50, thickest=0.5),  # 0
    Style(1.15, 0.09, 1.13, 0.00, 0.00, 0.00, 1.3),         # 1
    Style(1.20, -0.03, 1.02, 0.25, 0.15, -0.45),            # 2
    Style(1.28, -0.04, 0.98, 0.20, 0.00, 0.65),             # 3
    Style(1.02, 0.07, 0.94, -0.10, 0.00, 0.47),             # 4
    Style(1.42, 0.03, 0.95, -0.20, 0.30, 0.30),             # 5
    Style(1.13, -0.03, 0.98, 0.00, 0.07, -0.45, thickest=0.5),  # 6
    Style(1.22, -0.07, 1.07, 0.10, 0.07, -0.20),            # 7
    Style(1.10, 0.00, 0.94, -0.40, 0.15, 0.30, thickest=0.5),  # 8
    Style(1.02, 0.05, 0.90, -0.10, 0.07, 0.00, thickest=0.5),  # 9
)


class Way(NamedTuple):
    """One way of writing a digit; the notation of its examples is in the module's docstring."""

    name: str
    weight: float       # how often, compared with the other ways of the digit
    examples: str       # one a line


SKELETONS = {
    0: [
        Way('ends crossing at the top', 2, """
            46,22 30,6 10,22 3,55 12,88 32,97 56,84 64,50 50,14 24,12
            40,26 38,8 16,12 4,50 12,88 34,98 58,82 64,48 50,14 28,20
            24,14 44,4 18,14 4,54 14,90 36,97 60,82 66,46 52,12 26,4
        """),
        Way('oval', 10, """
            42,4 22,6 6,28 3,55 12,88 32,97 56,84 64,50 56,18 42,4
            40,6 26,4 14,22 10,52 14,84 28,96 42,86 50,52 46,18 32,5
            60,14 34,3 8,22 2,56 14,90 44,97 76,82 84,44 68,12 40,4
            46,10 24,8 8,34 4,62 14,92 34,98 54,80 62,46 54,14 36,10
        """),
        Way('open at the top', 2.5, """
            30,12 22,10 8,30 4,58 14,90 34,96 56,80 64,48 54,14 24,2
            52,2 26,14 8,36 6,60 16,92 36,97 56,82 62,52 52,26 28,14
            66,6 40,6 12,24 4,58 16,92 44,96 68,78 72,46 56,16 26,14
            24,6 16,14 6,34 4,60 14,90 34,97 58,80 66,48 62,22 48,2
            14,6 8,18 4,38 6,64 16,91 36,97 60,80 68,48 64,24 54,6
            46,2 30,6 14,22 5,52 14,90 36,97 60,84 68,56 68,36 62,16
            24,10 16,14 8,30 4,62 14,91 34,97 54,82 60,54 60,30 46,8
        """),
        Way('clockwise', 2, """
            40,3 56,10 66,34 66,60 54,90 32,98 12,84 4,52 12,20 40,3
            20,16 40,4 60,24 62,54 52,86 32,97 12,86 4,58 8,32 28,8
        """),
    ],
    1: [
        Way('bar', 14, """
            30,0 30,33 30,66 30,100
            28,0 31,33 32,66 30,100
            32,0 30,33 29,66 31,100
            30,0 27,33 31,66 35,100
        """),
        Way('flag', 4, """
            22,16 32,4 | 32,35 28,68 24,100
            4,30 32,2 | 30,35 28,68 26,100
            14,18 28,2 | 30,35 30,68 30,100
            8,26 34,0 | 33,35 32,68 32,100
            20,8 30,2 | 30,35 30,68 29,100
            0,36 30,2 | 30,35 28,68 26,100
            16,24 36,0 | 33,35 26,68 20,100
        """),
        Way('flag and base', 2, """
            2,30 34,2 | 32,50 30,97 / -8,98 30,97 72,95
            12,20 32,2 | 32,50 32,97 / 6,98 32,97 60,96
            20,12 34,2 | 33,50 32,97 / 12,97 34,98 56,97
        """),
    ],
    2: [
        Way('sharp foot', 8, """
            2,14 20,2 46,4 54,20 44,40 28,60 14,80 2,96 | 16,94 30,96 44,98
            0,10 24,8 46,5 58,8 46,28 32,50 16,72 0,92 | 24,92 46,92 66,94
            6,26 14,8 36,2 54,14 54,34 40,58 20,80 6,96 | 24,95 44,95 66,94
            2,20 22,4 46,6 58,24 50,46 34,66 18,82 4,98 | 28,92 50,94 78,98
            10,30 16,10 34,3 50,12 54,30 42,56 24,76 10,92 | 24,90 38,94 56,96
            2,14 20,4 40,8 46,24 42,44 32,64 18,82 6,96 | 26,95 50,94 86,88
        """),
        Way('wide loop at the foot', 8, """
            10,30 6,14 24,0 48,10 50,32 36,58 16,84 2,98 -2,88 12,80 28,84 44,92 64,90
            20,56 4,40 8,14 34,0 56,18 54,48 38,74 16,94 2,92 8,76 28,72 50,88 70,94
            26,40 10,46 6,20 30,0 54,12 54,40 40,66 22,88 6,94 4,82 26,64 48,76 62,98
            14,44 4,26 14,6 38,2 54,20 50,46 36,72 18,94 4,96 4,80 22,68 46,84 66,98
            4,20 20,2 46,4 56,26 46,52 26,78 8,90 0,80 10,68 28,72 46,86 52,91 58,98
            10,40 8,16 26,0 48,6 54,28 46,58 30,84 10,98 0,88 12,74 32,80 54,94 74,88
            20,6 30,0 44,6 50,22 48,46 38,72 20,92 4,92 2,76 14,64 32,66 48,82 56,98
            4,24 16,6 38,2 52,16 50,42 40,70 22,92 8,96 2,84 10,70 28,70 48,86 70,94
            30,30 14,30 10,14 28,2 50,10 54,36 42,66 20,92 4,92 4,78 20,72 44,88 76,94
            2,34 10,12 34,2 54,14 54,40 44,68 24,92 4,98 -6,86 6,72 28,76 52,92 80,84
            16,10 26,2 40,4 46,20 44,44 38,70 22,94 6,94 2,78 14,64 34,70 50,84 62,90
        """),
        Way('rising base', 4, """
            0,28 10,20 24,18 32,28 26,46 16,60 6,74 0,86 | 30,78 60,68 100,60
            10,30 20,16 34,14 40,26 34,44 24,60 12,74 2,84 | 34,86 64,82 104,76
            20,14 30,4 42,6 46,20 42,40 34,60 22,78 8,94 | 30,92 56,90 84,86
            26,22 30,8 40,2 46,14 44,36 36,58 24,78 14,92 | 30,94 44,94 60,96
            6,14 22,4 42,4 50,10 44,30 30,52 16,72 2,92 | 24,90 50,90 80,92
        """),
        Way('small loop at the foot', 5, """
            4,24 18,6 40,4 54,20 48,46 32,72 14,92 4,90 8,78 24,82 46,94 68,92
            8,20 24,6 46,8 56,28 48,54 32,78 16,94 4,88 12,76 30,82 52,92 80,82
            4,30 12,10 32,2 48,14 48,40 36,68 22,90 8,96 4,84 20,78 44,92 72,98
        """),
        Way('round foot', 3, """
            4,22 18,4 42,4 54,22 48,44 34,62 18,80 10,94 24,99 42,96 64,90
            6,16 26,4 48,12 54,30 46,50 30,68 14,84 8,94 20,96 42,92 68,94
        """),
        Way('large loop at the foot', 6, """
            2,26 10,8 30,0 50,8 50,30 38,56 18,82 0,97 -14,90 -4,72 18,64 44,78 66,90
            4,30 8,10 30,0 52,12 52,36 42,62 26,86 8,99 -6,88 2,66 24,60 46,76 72,84
            0,20 16,4 38,2 52,16 46,40 32,64 12,84 -8,97 -18,90 -6,76 20,70 46,84 80,86
            10,34 10,12 32,0 54,14 54,40 44,66 28,88 4,98 -6,84 8,64 30,62 48,78 62,96
        """),
        Way('foot curled in', 2, """
            4,14 24,2 48,10 58,36 52,66 32,90 12,97 0,86 8,70 28,66 46,74 58,88
            10,20 30,4 52,14 58,44 50,74 30,94 10,98 -2,84 10,66 30,62 44,70 52,84
            0,8 22,2 46,16 54,44 46,72 28,92 10,98 0,84 10,68 26,66 38,74 48,92
        """),
        Way('straight top', 1.5, """
            44,0 46,18 44,38 40,58 30,78 14,96 0,92 2,76 16,66 34,74 50,92
            36,4 46,16 46,36 40,56 28,78 12,96 2,88 6,72 20,64 36,74 56,90
        """),
    ],
    3: [
        Way('sharp waist', 8, """
            0,30 6,8 30,0 44,12 36,30 22,42 | 40,46 58,66 46,90 18,98 -6,88
            4,10 24,4 48,10 44,26 34,38 24,44 | 40,46 46,58 40,74 28,90 14,102
            20,30 10,14 28,0 48,12 40,34 22,46 | 42,48 58,66 50,90 24,98 14,74
            2,10 26,4 50,10 44,26 32,36 22,42 | 38,46 48,58 42,74 26,88 6,98
            16,28 12,6 34,0 46,16 36,36 18,46 | 40,48 56,64 48,88 22,98 10,78
            0,24 14,4 38,2 44,20 36,36 26,42 | 44,46 60,64 54,90 20,98 6,80
            6,14 24,2 46,8 48,28 36,42 20,48 | 40,50 56,66 50,88 28,98 4,88
            2,12 26,2 46,10 40,28 28,38 20,44 | 40,48 58,66 48,92 16,98 -14,88
            -4,14 24,0 54,14 52,36 34,50 22,54 | 38,58 48,74 40,92 22,98 8,92
            4,12 28,2 52,12 50,32 34,44 24,46 | 50,50 62,70 48,92 22,98 2,92
            10,8 30,3 46,14 42,32 30,44 16,50 | 36,52 46,66 40,86 20,96 0,90
            2,18 24,4 44,10 44,28 36,40 26,44 | 44,54 50,72 42,90 22,98 6,84
            4,10 26,2 48,14 44,30 30,42 14,48 | 34,48 54,62 52,86 26,98 -4,88
            2,16 24,2 46,10 44,28 28,42 12,46 | 36,46 58,60 54,86 24,99 -10,84
        """),
        Way('round waist', 2, """
            6,14 26,3 46,12 46,28 36,42 26,47 28,50 48,58 52,76 40,94 18,97 2,86
            2,10 28,2 50,12 48,30 34,42 22,44 24,50 46,56 56,74 44,92 20,98 0,94
        """),
        Way('loop at the waist', 2.5, """
            4,12 26,2 46,12 42,32 26,46 16,46 22,38 40,48 54,68 46,90 24,98 2,90
            4,16 28,4 52,14 46,34 32,48 20,50 22,42 42,48 50,66 40,90 20,98 4,92
        """),
        Way('flat top', 1, """
            0,6 30,4 60,2 | 46,24 30,40 | 40,44 48,62 44,82 30,94 10,98
            6,6 28,5 54,3 | 40,22 24,42 | 46,44 58,66 48,90 26,98 4,90
            2,8 26,6 48,8 | 38,24 26,38 | 46,46 52,68 42,90 22,97 0,88
        """),
        Way('flat foot', 1.5, """
            4,10 26,4 46,12 42,30 28,42 16,48 | 36,48 54,62 50,84 28,94 -4,92 -18,97
            2,16 24,2 46,10 44,28 32,40 20,44 | 38,48 52,64 46,82 22,92 -2,88 -18,96
        """),
    ],
    4: [
        Way('open', 9, """
            8,6 6,24 4,42 8,52 | 24,54 44,52 58,48 / 56,2 52,34 48,68 46,98
            14,4 8,26 2,50 4,58 | 26,58 50,54 66,50 / 52,8 50,36 48,70 46,100
            4,4 6,22 8,38 14,46 | 26,48 40,46 52,40 / 54,0 52,34 50,66 48,98
            18,6 12,22 4,40 4,52 | 20,58 46,56 74,52 / 52,20 50,44 44,72 42,98
        """),
        Way('closed', 0.8, """
            44,2 30,22 14,44 2,62 | 26,63 48,62 72,60 / 46,4 46,34 45,68 44,98
            50,4 34,24 16,42 4,56 | 30,58 52,56 76,54 / 50,6 48,36 46,68 44,100
        """),
        Way('open, one stroke', 1.5, """
            10,6 6,24 6,42 14,50 30,48 48,34 56,8 | 54,30 50,64 48,98
            6,10 4,28 8,44 22,48 38,42 50,28 56,6 | 54,32 52,66 48,98
            12,2 4,22 2,44 16,54 34,52 48,44 54,10 | 52,36 46,70 44,98
        """),
        Way('closed, one stroke', 0.4, """
            56,10 34,22 16,40 6,52 | 26,56 46,50 60,28 | 54,52 48,74 44,98
            52,4 34,20 14,38 4,50 | 24,50 44,46 56,16 | 50,46 44,72 40,98
        """),
    ],
    5: [
        Way('one stroke', 6, """
            60,4 36,5 16,6 | 12,24 10,42 | 32,38 54,54 54,78 36,96 4,90
            54,6 36,6 18,8 | 14,24 12,44 | 38,40 58,58 50,86 24,96 8,66
            54,6 36,6 18,8 | 14,24 12,42 | 38,36 58,56 52,86 26,98 2,78
            84,2 50,6 24,12 | 20,26 14,42 | 36,42 50,60 40,84 20,96 0,90
            46,2 32,4 20,6 | 16,24 12,42 | 28,44 40,60 36,82 20,97 4,96
            54,6 36,6 14,6 | 10,22 8,40 | 40,34 66,58 58,88 30,98 0,84
            66,2 40,6 22,8 | 16,24 12,40 | 34,40 48,56 44,80 24,97 2,92
            54,6 36,6 20,7 | 18,22 14,38 | 36,46 48,62 46,82 28,96 6,88
            50,6 34,6 18,8 | 14,26 10,46 | 36,40 54,60 42,88 18,90 10,62
        """),
        Way('bar last', 5, """
            18,8 14,24 10,40 | 34,40 54,58 50,82 30,97 4,90 / 18,8 40,6 66,3
            16,12 12,26 12,42 | 34,44 48,62 44,84 26,97 2,88 / 14,10 44,4 80,-4
            16,16 14,30 12,44 | 34,42 52,60 46,84 24,97 0,90 / 30,10 50,4 78,-6
            22,6 16,22 12,38 | 38,38 56,56 50,84 26,98 0,94 / 24,8 42,10 62,10
        """),
        Way('round, like an S', 3, """
            58,4 34,5 20,12 14,28 20,40 38,50 50,64 46,84 26,97 4,90
            62,2 38,8 24,18 18,32 26,44 40,54 46,68 38,88 20,96 2,94
        """),
        Way('foot curled in', 1.5, """
            60,4 36,5 16,6 | 12,24 10,42 | 32,38 54,54 52,78 32,96 10,90 8,76
            54,6 36,6 18,8 | 14,24 12,44 | 36,40 56,56 50,84 26,98 8,88 16,74
        """),
    ],
    6: [
        Way('loop left open', 3, """
            10,2 3,30 3,60 8,84 26,98 50,92 64,68 50,56 36,70 30,90
            24,4 8,30 2,60 12,90 36,98 60,86 60,66 44,60 30,74 32,92
            14,2 4,30 2,62 14,92 38,98 58,84 58,66 42,60 30,74 30,94
            40,2 18,26 6,58 12,88 34,98 54,84 54,64 40,60 28,74 28,92
            10,2 3,30 3,60 8,84 26,98 50,92 62,76 54,60 44,56 38,60
            30,2 14,28 4,58 8,86 28,98 52,90 60,70 50,58 40,58 34,64
            14,2 4,30 2,62 14,92 38,98 58,84 60,68 52,60 44,60 40,64
            20,0 8,28 2,58 8,86 24,97 40,90 46,74 40,62 34,60 28,64
        """),
        Way('loop closed', 12, """
            22,0 8,24 2,54 4,84 26,98 54,92 66,72 54,54 26,58 6,76
            46,2 26,22 10,50 6,74 18,95 40,94 50,74 38,58 20,62 8,76
            32,2 16,24 6,52 6,78 20,97 42,92 48,70 34,56 16,64 8,78
            56,2 30,18 10,46 4,72 20,96 46,94 60,72 46,56 22,62 8,76
            38,2 22,26 10,52 8,76 18,95 34,94 42,78 34,64 20,68 10,82
            30,2 16,26 6,54 6,80 22,97 42,90 48,74 40,64 22,72 12,88
            44,4 20,20 6,46 4,74 18,96 42,96 52,76 42,64 24,68 14,84
            26,0 20,26 12,54 10,80 24,97 38,90 42,78 34,70 22,76 14,90
            60,0 40,24 20,48 8,74 20,96 46,94 58,76 44,64 24,70 12,86
            48,0 32,24 16,50 10,76 24,96 52,92 62,74 48,62 26,68 12,84
            34,0 18,24 8,50 8,78 24,97 46,90 52,72 36,60 12,70 -8,84
        """),
        Way('hooked top', 2, """
            58,16 46,3 26,12 8,42 4,72 18,95 42,92 50,74 36,60 12,72
            66,14 52,2 28,10 8,40 6,74 24,97 48,90 52,70 34,58 10,72
            54,20 44,5 24,14 10,42 6,72 20,96 44,94 54,76 40,62 12,74
        """),
    ],
    7: [
        Way('serif', 8, """
            0,36 12,14 | 34,22 62,2 | 44,34 26,66 6,98
            4,40 4,12 | 30,10 58,8 | 54,36 50,66 46,98
            2,34 8,14 | 30,12 60,6 | 46,36 36,66 28,98
            6,30 8,10 | 28,6 50,10 | 50,38 48,68 46,98
            4,22 4,10 | 24,8 56,6 | 46,30 32,64 24,98
            8,24 6,8 | 28,8 54,10 | 48,34 38,66 34,100
        """),
        Way('round serif', 2, """
            4,36 8,14 14,8 34,10 50,12 52,34 42,66 32,98
            2,28 6,12 14,10 36,8 54,8 50,36 36,68 20,98
        """),
        Way('serif and crossed', 1.5, """
            4,26 6,12 | 28,10 58,6 | 46,34 34,66 26,98 / 12,54 36,50 66,46
            8,30 10,10 | 28,8 52,8 | 46,36 38,66 34,98 / 20,50 38,52 60,56
        """),
        Way('plain', 8, """
            14,10 28,8 44,4 | 40,34 34,66 28,98
            4,30 24,14 48,4 | 40,34 30,66 20,98
            2,20 24,14 58,2 | 42,34 24,68 4,98
            2,10 24,8 56,6 | 46,30 32,64 24,98
            4,14 26,6 58,8 | 48,34 36,66 30,100
            2,8 26,8 50,4 | 44,32 38,66 36,98
            2,16 30,12 60,4 | 50,24 34,56 20,98
        """),
        Way('round shoulder', 3, """
            2,14 18,6 40,6 52,12 48,34 34,66 24,98
            4,16 20,4 42,4 54,16 50,38 42,68 36,99
        """),
        Way('crossed', 3, """
            2,10 24,8 56,6 | 46,30 32,64 24,98 / 14,52 36,50 62,48
            4,14 26,6 58,8 | 48,34 36,66 30,100 / 18,56 38,54 60,50
            -4,14 24,9 58,4 | 46,30 32,64 24,98 / 2,56 36,50 76,44
        """),
        Way('high tick', 2, """
            0,50 12,14 | 34,32 66,2 | 44,34 24,66 4,98
            -6,44 8,10 | 30,26 72,0 | 44,40 18,72 -6,98
            2,54 10,16 | 38,34 62,4 | 48,36 40,66 28,98
            -4,40 4,12 | 30,22 60,0 | 46,34 34,66 20,98
        """),
    ],
    8: [
        Way('from below, bar last', 2, """
            8,96 22,70 40,42 48,16 32,2 14,14 18,36 36,62 54,96 | 30,97 12,94
            2,92 18,70 36,46 46,20 28,4 10,16 20,42 38,66 50,98 | 26,96 4,98
        """),
        Way('from below, open foot', 1, """
            8,96 22,70 40,42 48,16 32,2 14,14 18,36 36,62 54,96
            14,98 24,72 36,46 44,18 30,4 18,16 22,40 34,66 44,98
        """),
        Way('open top', 4, """
            14,6 6,20 16,38 32,52 42,70 36,90 22,98 10,86 14,68 30,50 48,28 60,4
            24,10 10,14 12,34 30,52 44,72 38,92 22,98 8,86 12,68 28,52 44,32 54,6
        """),
        Way('open to the right', 3, """
            60,14 40,2 16,8 12,26 32,44 46,62 42,86 22,98 6,86 10,66 26,52 40,44 52,34
            52,20 44,4 20,4 14,24 30,42 46,60 44,84 24,98 6,88 8,66 22,52 40,40 54,26
        """),
        Way('from the right, down first', 5, """
            62,8 44,30 28,52 12,76 14,94 30,96 40,82 32,56 20,32 18,12 34,2 50,8
            58,2 40,30 26,52 10,78 16,96 34,94 40,76 30,52 16,30 20,10 38,4 54,16
            66,14 44,34 28,50 10,74 12,92 32,98 46,82 36,58 18,40 10,20 28,4 50,10
        """),
        Way('like an S', 10, """
            54,8 32,2 8,14 10,34 30,50 42,68 36,88 24,98 14,86 18,66 32,50 54,34 58,12
            40,24 32,14 20,16 18,28 28,40 48,60 50,86 26,98 4,88 6,62 26,42 38,34 42,20
            48,14 30,2 12,12 12,30 30,46 48,64 46,88 26,98 8,86 10,64 28,46 46,32 50,14
            52,18 36,4 18,10 14,28 28,44 42,62 38,88 20,97 6,86 10,66 26,48 46,34 54,10
            46,10 30,3 16,14 18,32 32,46 44,66 42,90 26,98 12,88 14,66 28,48 42,34 46,8
            60,2 30,6 14,16 16,32 30,46 46,64 44,88 26,98 8,86 12,66 30,48 48,30 62,4
            54,12 32,2 16,12 18,30 32,46 44,64 38,90 22,98 8,88 12,68 30,46 48,24 60,8
        """),
        Way('from the top', 3, """
            30,3 14,10 12,30 28,46 48,64 48,86 28,98 8,88 8,66 26,48 48,32 46,10 28,3
            36,2 18,10 18,30 30,46 42,62 40,86 24,98 8,88 10,64 26,48 46,30 50,12 34,3
        """),
        Way('two rings', 2, """
            30,2 12,14 14,36 30,46 48,36 48,14 28,3 / 30,46 10,58 8,84 28,98 50,86 50,60 28,47
            32,2 16,14 16,34 32,46 46,34 46,14 28,4 / 30,48 12,62 12,86 30,98 46,86 46,62 30,47
        """),
    ],
    9: [
        Way('sharp neck', 13.5, """
            44,8 24,8 6,28 8,44 26,44 44,28 56,8 | 52,38 46,68 40,98
            56,12 36,2 12,14 8,34 24,44 42,38 54,30 | 50,50 44,72 38,98
            40,6 20,6 4,22 8,42 26,48 44,36 52,14 | 50,42 44,70 38,98
            42,10 26,8 8,20 4,42 20,54 42,44 56,8 | 52,42 48,70 46,98
            58,6 32,10 10,26 2,40 16,48 40,36 58,14 | 48,40 36,66 24,98
            40,4 18,10 6,28 10,44 28,42 42,26 46,4 | 46,36 44,68 42,98
            56,8 34,6 12,22 4,40 20,46 42,32 56,12 | 50,38 42,66 34,98
            34,14 24,8 14,16 14,28 24,32 34,24 38,14 | 38,40 36,66 32,99
            54,10 34,0 8,16 2,40 20,52 44,40 54,12 | 54,40 52,70 50,100
            52,16 34,4 10,14 2,40 16,58 40,52 54,20 | 56,44 56,72 56,98
            50,14 32,3 10,14 6,36 22,48 42,36 52,10 | 50,40 46,70 42,98
            48,12 28,4 8,20 6,40 22,50 42,34 50,10 | 48,40 42,70 34,98
            50,10 28,2 8,16 10,38 26,44 42,30 50,8 | 50,40 50,70 50,99
        """),
        Way('round neck', 5, """
            48,20 36,4 16,8 6,28 16,46 36,42 48,22 50,42 46,72 40,98
            50,22 38,4 16,10 8,32 20,48 40,40 50,20 50,44 44,70 28,97
            48,18 34,4 16,10 10,28 20,42 38,36 48,20 48,44 40,74 26,98
        """),
        Way('hooked foot', 3, """
            50,18 34,3 12,12 8,34 22,46 42,36 50,16 52,44 48,78 34,97 12,96 4,86
            48,16 30,4 10,16 8,38 22,48 42,34 50,14 52,48 46,82 30,98 14,94 6,88
        """),
        Way('open loop', 1.5, """
            40,8 22,14 8,30 12,46 28,50 46,38 58,14 | 54,40 48,70 44,98
            30,4 14,16 4,34 12,48 30,46 48,32 56,6 | 52,38 48,68 44,98
            44,2 20,10 6,28 10,44 28,48 46,36 60,16 | 54,42 46,70 38,98
        """),
    ],
}

# The drawing.
BATCH = 64                  # images drawn together: what they need fits a processor's cache
SAMPLES_PER_HEIGHT = 36     # blots of ink along the path
SUBPIXELS = 16              # blots are placed to 1/16 pixel,
BLUR_LEVELS = 16            # their sd is a multiple of 1/16 pixel,
UNIT = 1024                 # their density, one of 1/1024,
DEPTHS = 4096               # and the ink they add up to, one of 1/4096: all of it from tables


class Skeleton(NamedTuple):
    """A way of writing, made ready: E examples of K points, S strokes, M samples of the path."""

    examples: np.ndarray    # float64 [E, K, 2]: the points, in heights
    position: np.ndarray    # float64 [M, K]: times points [K, 2], the samples of the path,
    step: np.ndarray        # float64 [M, K]: and the piece of path each sample stands for
    stroke: np.ndarray      # int [K]: the stroke a point belongs to
    is_end: np.ndarray      # bool [K]: whether it begins or ends one


def parse(example):
    """Points [K, 2] in heights, and the topology: for each stroke, the points of its pieces.

    '0,0 0,100 | 60,100 / 0,50 40,50' has strokes of two pieces and of one: ((2, 1), (2,)).
    """
    strokes = [[piece.split() for piece in stroke.split('|')] for stroke in example.split('/')]
    topology = tuple(tuple(len(piece) for piece in stroke) for stroke in strokes)
    if any(pieces[0] < 2 or min(pieces) < 1 for pieces in topology):
        raise ValueError('a stroke begins with two points or more, and a corner leads to another '
                         f'point: {example!r}')
    points = [word.split(',') for stroke in strokes for piece in stroke for word in piece]
    if any(len(point) != 2 for point in points):
        raise ValueError(f'a point is x,y: {example!r}')
    return np.array(points, dtype=np.float64) / 100, topology


@lru_cache(maxsize=None)
def compile_way(way):
    """The Skeleton of a Way; ValueError where its examples are malformed or cannot be mixed."""
    parsed = [parse(line) for line in way.examples.strip().split('\n')]
    examples, topologies = zip(*parsed)
    for line, topology in enumerate(topologies, 1):
        if topology != topologies[0]:
            raise ValueError(f'{way.name!r}: example {line} has the topology {topology}, '
                             f'the first one {topologies[0]}')

    mean = np.mean(examples, axis=0)
    begins, ends, stroke, is_end = [], [], [], []
    for number, pieces in enumerate(topologies[0]):
        first = len(stroke)
        corners = first - 1 + np.cumsum(pieces)
        for start, stop in zip(np.append(first, corners[:-1]), corners):
            spline = piece_of_path(mean, start, stop)
            begins.append(spline[:-1])
            ends.append(spline[1:])
        stroke += [number] * sum(pieces)
        is_end += [True] + [False] * (sum(pieces) - 2) + [True]
    begin, end = np.concatenate(begins), np.concatenate(ends)
    return Skeleton(np.array(examples), (begin + end) / 2, end - begin,
                    np.array(stroke), np.array(is_end))


def piece_of_path(points, start, stop):
    """Weights [samples + 1, K] that make a smooth curve of points `start` to `stop` of K."""
    chords = np.hypot(*np.diff(points[start:stop + 1], axis=0).T)
    if not chords.all():
        raise ValueError(f'points {start + 1} to {stop + 1}: two in a row are the same')
    knots = np.append(0, np.cumsum(np.sqrt(chords)))    # the centripetal parameter
    samples = max(6, int(round(SAMPLES_PER_HEIGHT * chords.sum())))
    weights = np.zeros((samples + 1, len(points)))
    weights[:, start:stop + 1] = natural_spline(knots, np.linspace(0, knots[-1], samples + 1))
    return weights


def natural_spline(knots, at):
    """Matrix [len(at), len(knots)]: times values at the knots, the natural cubic spline at `at`."""
    n, gaps = len(knots), np.diff(knots)
    # Second derivatives: none at both ends; between, such that first derivatives are continuous.
    left, right = np.eye(n), np.zeros((n, n))
    for i in range(1, n - 1):
        before, after = gaps[i - 1], gaps[i]
        left[i, i - 1:i + 2] = before, 2 * (before + after), after
        right[i, i - 1:i + 2] = 6 / before, -6 / before - 6 / after, 6 / after
    curvature = np.linalg.solve(left, right)
    i = np.clip(np.searchsorted(knots, at, side='right') - 1, 0, n - 2)
    gap = gaps[i][:, None]
    b = (at - knots[i])[:, None] / gap
    a = 1 - b
    value = np.eye(n)
    return (a * value[i] + b * value[i + 1] +
            ((a ** 3 - a) * curvature[i] + (b ** 3 - b) * curvature[i + 1]) * gap ** 2 / 6)


class Hand:
    """Random numbers from a RandomState, none of them further off than a hand goes that is read.

    normal() cuts the distribution off `reach` standard deviations from the mean and widens what is
    left to the standard deviation asked for; gamma() gives no more than `reach`. The rest is
    RandomState's. With an infinite reach all of it is.
    """

    def __init__(self, rng, reach):
        self._rng, self._reach = rng, reach
        density = math.exp(-reach ** 2 / 2) * math.sqrt(2 / math.pi)
        within = math.erf(reach / math.sqrt(2))
        self._sd = math.sqrt(1 - (reach * density / within if density else 0.0))  # when cut off

    def normal(self, mean=0.0, sd=1.0, size=1):
        z = self._rng.normal(size=size)
        while True:
            beyond = abs(z) > self._reach
            if not beyond.any():
                return mean + z * (sd / self._sd)
            z[beyond] = self._rng.normal(size=beyond.sum())

    def gamma(self, shape, scale, size):
        return np.minimum(self._rng.gamma(shape, scale, size), self._reach)

    def __getattr__(self, name):
        return getattr(self._rng, name)


def write(rng, skeleton, n):
    """Points [n, K, 2] in heights: the skeleton's examples mixed, and missed a little."""
    e = len(skeleton.examples)
    mix = rng.dirichlet([BLEND / e] * e, n)
    mix = 1 / e + EXAGGERATION * (mix - 1 / e)
    points = np.einsum('ne,ekd->nkd', mix, skeleton.examples)
    carelessness = MISS * rng.gamma(3, 1 / 3, (n, 1, 1))
    carelessness = carelessness * np.where(skeleton.is_end, MISS_AT_ENDS, 1)[:, None]
    points += carelessness * rng.normal(size=points.shape)
    shift = rng.normal(0, MISS_OF_STROKE, (n, skeleton.stroke[-1] + 1, 2))
    return points + shift[:, skeleton.stroke]


def bend(rng, points, style):
    """Points [n, K, 2] as another hand would write them; centred at the origin, y still down."""
    n = len(points)
    usual = np.array([style.taper, style.waist, style.bow])[:, None, None]
    taper, waist, bow = usual + rng.normal(0, PROPORTIONS, (3, n, 1))
    x, y = points[:, :, 0] - 0.3, points[:, :, 1] - 0.5     # the middle of the skeleton
    points = np.stack([style.width * x * (1 + taper * y) + 0.25 * bow * (y ** 2 - 0.25),
                       y + waist * (0.25 - y ** 2)], axis=2)
    points -= points.mean(axis=1, keepdims=True)

    wave = rng.normal(0, WAVE_NUMBER, (n, 2, 2))
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 2))
    amplitude = rng.normal(0, WAVE, (n, 1, 2))
    points += amplitude * np.sin(np.einsum('nkd,nde->nke', points, wave) + phase)

    slant = style.slant + rng.normal(SLANT[0], SLANT[1] * style.freedom, n)
    turn = rng.normal(0, ROTATION * style.freedom, n)
    width = rng.normal(0, WIDTH, n)
    affine = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn) - slant, np.cos(turn)]])
    affine *= np.exp([width, -0.3 * width])[:, None]
    return np.einsum('nkd,den->nke', points, affine)


def lay_path(rng, skeleton, points):
    """Where the pen goes: samples [n, M, 2] in heights, and the ink [n, M] of each in heights."""
    path, step = (np.einsum('mk,nkd->nmd', weights, points, optimize=True)
                  for weights in (skeleton.position, skeleton.step))
    n, m, _ = path.shape
    swing = PRESSURE * rng.normal(size=(n, 1))
    turns = rng.uniform(0.5, 3, (n, 1))         # how often the pressure swings in one digit
    phase = rng.uniform(0, 1, (n, 1))
    pressure = 1 + swing * np.sin(2 * np.pi * (turns * np.linspace(0, 1, m) + phase))
    return path, np.sqrt((step ** 2).sum(axis=2)) * np.clip(pressure, 0.4, 1.6)


class Pen(NamedTuple):
    """n pens; lengths in pixels."""

    radius: np.ndarray      # float32 [n]
    softness: np.ndarray    # float32 [n]: width of the ramp from black to white
    edge: np.ndarray        # float32 [n, 28, 28]: by how much the ink's edge is further out here


def choose_pen(rng, n, style):
    """n random Pens for a digit of that style."""
    width = PEN_WIDTH[0] * style.pen * np.exp(rng.normal(0, PEN_WIDTH[1] * style.freedom, n))
    softness = rng.uniform(*SOFTNESS, size=n)
    roughness = rng.uniform(0, ROUGHNESS, (n, 1, 1)).astype(np.float32)
    grain = paper()
    y, x = rng.randint(0, len(grain), (2, n), dtype=np.int64)
    return Pen(np.clip(width / 2, *PEN_RADIUS).astype(np.float32), softness.astype(np.float32),
               roughness * grain[y, x])


def that_leaves_loops_open(pen, path, style):
    """The Pens, with the radius that a Style allows for a digit of the path [n, M, 2].

    The spread is the standard deviation of the path along the shorter of its two axes.
    """
    if style.thickest == math.inf:
        return pen
    x, y = (path - path.mean(axis=1, keepdims=True)).transpose(2, 0, 1)
    xx, yy, xy = (x * x).mean(axis=1), (y * y).mean(axis=1), (x * y).mean(axis=1)
    variance = (xx + yy) / 2 - np.sqrt((xx - yy) ** 2 / 4 + xy ** 2)
    spread = np.sqrt(np.maximum(variance, 0))  # a straight line's may come out below
    spread *= BOX / (path.max(axis=1) - path.min(axis=1)).max(axis=1)
    limit = np.rint(style.thickest * spread * SUBPIXELS) / SUBPIXELS
    limit = np.maximum(limit, PEN_RADIUS[0]).astype(np.float32)
    return pen._replace(radius=np.minimum(pen.radius, limit))


@lru_cache(maxsize=None)
def paper():
    """Noise [256, 256, 28, 28] of variance 1, correlated over 2 x 2 pixels: pieces of one sheet."""
    side = 256
    noise = np.random.RandomState(0).normal(size=(side + FRAME, side + FRAME))
    noise = (noise[1:, 1:] + noise[1:, :-1] + noise[:-1, 1:] + noise[:-1, :-1]) / 2
    noise = noise.astype(np.float32)
    return np.lib.stride_tricks.as_strided(noise, (side, side, FRAME, FRAME), noise.strides * 2,
                                           writeable=False)


@lru_cache(maxsize=None)
def gaussians():
    """Gaussians of several sd at each place of the frame: float32 [levels * places, 28].

    A row has the density relative to its peak, in whole UNITs, at the centres of 28 pixels. Places
    are SUBPIXELS to a pixel; levels BLUR_LEVELS, from sd 0, which stands for the least.
    """
    levels = int(BLUR_LEVELS * BLUR * PEN_RADIUS[1]) + 2
    sd = np.maximum(np.arange(levels), 1)[:, None, None] / BLUR_LEVELS
    place = np.arange(FRAME * SUBPIXELS)[:, None] / SUBPIXELS
    bell = np.exp(-((np.arange(FRAME) + 0.5 - place) / sd) ** 2 / 2)
    return np.rint(bell * UNIT).astype(np.float32).reshape(-1, FRAME)


@lru_cache(maxsize=None)
def distances():
    """Distance from a line, in sd, at which its ink has fallen to 0, 1 ... DEPTHS / DEPTHS."""
    ink = np.maximum(np.arange(DEPTHS + 1), 0.5) / DEPTHS
    return np.sqrt(-2 * np.log(ink)).astype(np.float32)


def draw(path, ink, pen):
    """Images float32 [n, 28, 28], 0 (black) to 1 (ink), of a path and its ink in pixels.

    A long line of Gaussian blots has the profile of one Gaussian across, so the ink at a pixel
    tells its distance from the line; it is white up to the pen's radius. Where lines meet, the
    Gaussians add up and corners fill, as they do with ink. The blots are separable: an image is
    the product of two matrices [28, samples] and [samples, 28].
    """
    sd = np.maximum(BLUR * pen.radius, BLUR_LEAST)[:, None, None]
    level = np.rint(sd * BLUR_LEVELS).astype(np.intp)
    sd = level.astype(np.float32) / BLUR_LEVELS
    places = FRAME * SUBPIXELS
    rows = np.clip(np.rint(path * SUBPIXELS), 0, places - 1).astype(np.intp) + level * places
    across = gaussians().take(rows[:, :, 0], axis=0)
    down = gaussians().take(rows[:, :, 1], axis=0)
    down *= ink[:, :, None].astype(np.float32) / (np.float32(np.sqrt(2 * np.pi)) * sd)
    np.rint(down, out=down)
    # Whole numbers below 2 ** 24 (one line makes 2 ** 20, and the most seen is four times that):
    # float32 adds them without error, in whatever order a BLAS likes.
    total = np.matmul(down.transpose(0, 2, 1), across)
    depth = np.minimum(total * np.float32(DEPTHS / UNIT ** 2), DEPTHS).astype(np.intp)
    outside = sd * distances().take(depth) - pen.radius[:, None, None] - pen.edge
    return np.clip(np.float32(0.5) - outside / pen.softness[:, None, None], 0, 1)


def frame(path, ink, pen):
    """Images float32 [n, 28, 28] of a path in heights, its ink's longer side filling the box."""
    low, high = path.min(axis=1), path.max(axis=1)          # of the line, [n, 2]

    def fitted(before, after):
        """The drawing, and the pen line's limits in it, if ink is `before` and `after` the line."""
        scale = ((BOX - before - after) / np.maximum(high - low, 1e-3)).min(axis=1, keepdims=True)
        start = BORDER + before
        in_pixels = (path - low[:, None]) * scale[:, None] + start[:, None]
        return draw(in_pixels, ink * scale, pen), start, start + (high - low) * scale

    # How far ink reaches beyond the line is seen on a first drawing: a stroke's end reaches less
    # far than its side.
    guess = np.repeat(0.55 * pen.radius[:, None].astype(np.float64), 2, axis=1)
    image, start, stop = fitted(guess, guess)
    first, last = ink_limits(image)
    image, _, _ = fitted(np.clip(start - first, 0, 3), np.clip(last - stop, 0, 3))
    image[:, :BORDER] = image[:, -BORDER:] = 0
    image[:, :, :BORDER] = image[:, :, -BORDER:] = 0
    return image


def ink_limits(image):
    """Where ink begins and ends in x and in y, in pixels: two arrays [n, 2]."""
    n = np.arange(len(image))
    limits = []
    for axis in (1, 2):
        profile = image.max(axis=axis)
        inked = profile > 0.25
        first, last = inked.argmax(axis=1), FRAME - 1 - inked[:, ::-1].argmax(axis=1)
        # A pixel three quarters white is taken for three quarters covered.
        limits.append((first + 1 - profile[n, first], last + profile[n, last]))
    return np.array(limits, dtype=np.float64).transpose(1, 2, 0)


def centre(images):
    """Images uint8 [n, 28, 28] moved by whole pixels to put their centres of mass at CENTRE.

    That is to within half a pixel, except that no ink leaves the frame: one in 1,000, a 7 with most
    of its ink at the top or a 1 with a speck far off, stays a pixel off, or up to four.
    """
    index = np.arange(FRAME)
    shifted = []
    for axis in (1, 2):
        profile = images.sum(axis=axis)     # exact: integers
        middle = (profile * index).sum(axis=1) / profile.sum(axis=1)
        before, after = (inked.argmax(axis=1) for inked in (profile > 0, profile[:, ::-1] > 0))
        move = np.clip(np.rint(CENTRE - middle), -before, after)
        shifted.append((index - move.astype(np.intp)[:, None]) % FRAME)
    x, y = shifted
    return images[np.arange(len(images))[:, None, None], y[:, :, None], x[:, None, :]]


def draw_way(rng, style, way, n):
    """n images uint8 [n, 28, 28] of a digit (or a letter) written in one way, in a Style."""
    skeleton, hand = compile_way(way), Hand(rng, style.reach)
    points = bend(hand, write(hand, skeleton, n), style)
    path, ink = lay_path(hand, skeleton, points)
    pen = that_leaves_loops_open(choose_pen(hand, n, style), path, style)
    images = np.rint(frame(path, ink, pen) * 255).astype(np.uint8)
    if style.specks:
        leave_specks(rng, images, style.specks)
    return centre(images)


def leave_specks(rng, images, share):
    """Draw a speck in the box of a share of the images uint8 [n, 28, 28], in place."""
    dusty = np.flatnonzero(rng.uniform(size=len(images)) < share)
    x, y = rng.uniform(0, BOX - 1, (2, len(dusty), 1, 1))
    radius = rng.uniform(*SPECK_RADIUS, size=(len(dusty), 1, 1))
    index = np.arange(BOX)
    distance = np.sqrt((index - x) ** 2 + (index[:, None] - y) ** 2)
    specks = np.rint(255 * np.clip(0.5 + radius - distance, 0, 1)).astype(np.uint8)
    box = slice(BORDER, BORDER + BOX)
    images[dusty, box, box] = np.maximum(images[dusty, box, box], specks)


def make(count, seed=0, progress=None):
    """`count` images uint8 [count, 28, 28] and their labels uint8 [count], in random order.

    White ink (255) on black (0), each digit as often as the others (to within one). The same
    `count` and `seed` (0 to 2 ** 32 - 1) give the same images. `progress`, if given, is called
    with the number of images newly done.
    """
    rng = np.random.RandomState(seed)
    labels = rng.permutation(np.arange(count) % 10).astype(np.uint8)
    images = np.empty((count, FRAME, FRAME), np.uint8)
    for digit, ways in SKELETONS.items():
        weights = np.array([way.weight for way in ways], dtype=np.float64)
        mine = np.flatnonzero(labels == digit)
        choice = rng.choice(len(ways), len(mine), p=weights / weights.sum())
        for number, way in enumerate(ways):
            chosen = mine[choice == number]
            for start in range(0, len(chosen), BATCH):
                batch = chosen[start:start + BATCH]
                images[batch] = draw_way(rng, STYLES[digit], way, len(batch))
                if progress is not None:
                    progress(len(batch))
    return images, labels
