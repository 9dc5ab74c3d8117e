"""The network of mnist_cnn.py in Keras 3 on TensorFlow: training images a second in model.fit.

$ python bench/peers/keras_cnn.py --precision mixed_bfloat16

An epoch over the first images of the training set is timed after an epoch over the same ones.
"""
import argparse
import json
import os
import time

os.environ['KERAS_BACKEND'] = 'tensorflow'

import keras  # noqa: E402
import mnist  # noqa: E402
from keras import layers  # noqa: E402


class EpochTimer(keras.callbacks.Callback):
    """Times each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self._started


def main():
    """Train two epochs, time the second, score the test set, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--precision', choices=['float32', 'mixed_bfloat16'], default='float32')
    parser.add_argument('--xla', action='store_true', help='compile(jit_compile=True)')
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--steps', type=int, default=400, help='of an epoch (default 400)')
    args = parser.parse_args()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(args.precision)

    (images, labels), (test_images, test_labels) = mnist.load()
    images, test_images = (mnist.scaled(part).reshape(-1, 28, 28, 1)
                           for part in (images, test_images))
    count = args.steps * args.batch_size
    images, labels = images[:count], labels[:count]
    model = keras.Sequential([
        layers.Input([28, 28, 1]),
        layers.Conv2D(32, 5, padding='same', kernel_initializer='he_normal'),
        layers.MaxPooling2D(), layers.ReLU(),
        layers.Conv2D(64, 5, padding='same', kernel_initializer='he_normal'),
        layers.MaxPooling2D(), layers.ReLU(),
        layers.Flatten(), layers.Dense(1024, activation='relu', kernel_initializer='he_normal'),
        layers.Dropout(0.5), layers.Dense(10, kernel_initializer='zeros')])
    model.compile(keras.optimizers.Adam(1e-3),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=['accuracy'], jit_compile=args.xla or 'auto')
    watch = EpochTimer()
    model.fit(images, labels, args.batch_size, epochs=2, verbose=0, callbacks=[watch])
    _, accuracy = model.evaluate(test_images, test_labels, 1000, verbose=0)
    print(json.dumps({'images_per_second': len(images) / watch.seconds, 'xla': model.jit_compile,
                      'test_accuracy': accuracy}))


if __name__ == '__main__':
    main()
