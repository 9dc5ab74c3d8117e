"""Any picture of handwritten digits -> 28 x 28 as MNIST made its own: white ink on black.

Public:

    read(path), to_mnist(image)      one digit: uint8 [28, 28]
    page.read(path), page.find(image)
                                     several digits, a Page: their boxes and images, in reading
                                     order, and rows and columns where a table is printed;
                                     `from digits.pictures import page` imports what only pages need
    open_picture(path), upright(image), naming_errors(path)
                                     a decoded PIL image, at a bounded cost, as it was held
    is_transparent(image)            whether an image has an alpha channel or a transparent colour
    FORMATS, ENDINGS                 how files of each format begin, and how their names end
    NO_INK, NO_DIGIT, SEVERAL        sentences of the UserErrors of read and to_mnist

A picture of one digit goes through decoding, edge_lines and ink, shades, one_digit, sheets,
normalisation. A page goes through decoding, ink, strips, skew, ruled_lines, table_lines and tables,
thresholds, cells or segmentation, normalisation; `page` calls them in this order. All need
connected parts, boxes and windows: `parts`, which imports none of them.
"""
from digits.pictures.decoding import (
    ENDINGS,
    FORMATS,
    is_transparent,
    naming_errors,
    open_picture,
    upright,
)
from digits.pictures.one_digit import NO_DIGIT, NO_INK, SEVERAL, read, to_mnist

__all__ = ['ENDINGS', 'FORMATS', 'NO_DIGIT', 'NO_INK', 'SEVERAL', 'is_transparent', 'naming_errors',
           'open_picture', 'read', 'to_mnist', 'upright']
