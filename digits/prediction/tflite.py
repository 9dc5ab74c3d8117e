"""Convert a SavedModel to TFLite; a process of its own, as signatures survive in eager mode only.

$ python -m digits.prediction.tflite SAVED_MODEL OUT [IMAGES.npy]

With images, uint8 [n, 28, 28], weights and activations become 8-bit integers; where an operation
has no such kernel, it stays float32.
"""
import sys
from pathlib import Path
from typing import Sequence

import numpy as np


def main(argv: Sequence[str]) -> None:
    """Convert argv[0] to the file argv[1], with the images of argv[2] in 8 bits."""
    import tensorflow as tf
    converter = tf.lite.TFLiteConverter.from_saved_model(argv[0])
    if len(argv) > 2:
        images = np.load(argv[2], allow_pickle=False)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ({'images': image[None]} for image in images)
    Path(argv[1]).write_bytes(converter.convert())


if __name__ == '__main__':
    main(sys.argv[1:])
