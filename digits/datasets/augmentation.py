"""Images as another hand might have written them: a little turned, slanted, stretched, moved."""
import numpy as np

# Row and column of each of the 784 pixels, from the image's middle.
PIXELS = np.indices([28, 28]).reshape(2, 784) - 13.5


def warped(images, most, seed):
    """The images float32 [batch, 784], all changed alike at random; what is left empty is black.

    most: the bound for each change, at least 0: radians turned, pixels slanted per pixel, 0.7 of
    the logarithm stretched in either direction, tens of pixels moved. 0 changes nothing.
    A function of the seed alone (an int, or a list of them), so that a resumed run goes on alike.
    """
    if not most:
        return images
    random = np.random.RandomState(seed)
    turn, slant = random.uniform(-most, most, 2)
    stretch = np.exp(0.7 * random.uniform(-most, most, 2))
    move = 10 * random.uniform(-most, most, 2)
    there = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    there = there @ np.array([[stretch[0], 0], [slant, stretch[1]]])
    # Where each pixel comes from: between four others, which bilinear interpolation weighs.
    source = there @ PIXELS + move[:, None] + 13.5
    corner = np.floor(source).astype(int)
    part = source - corner
    changed = np.zeros_like(images)
    for down in (0, 1):
        for right in (0, 1):
            y, x = corner + [[down], [right]]
            inside = (np.minimum(y, x) >= 0) & (np.maximum(y, x) < 28)
            weight = inside * np.abs(1 - down - part[0]) * np.abs(1 - right - part[1])
            changed += images[:, (28 * y + x) * inside] * weight.astype(np.float32)
    return changed
