"""The network of mnist_cnn.py in PyTorch: training images a second after a warm-up.

$ python bench/peers/torch_cnn.py --precision bfloat16 --channels-last --fused

The data is one tensor in memory, batches are taken from it by index; max pooling goes before ReLU,
as in mnist_cnn.py (the same function, a quarter of the work).
"""
import argparse
import json
import time

import mnist
import torch
from torch import nn


def network():
    """He's initial weights, zeros in the output layer and in the biases."""
    net = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(7 * 7 * 64, 1024), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(1024, 10))
    for layer in (net[0], net[3], net[7]):
        nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
        nn.init.zeros_(layer.bias)
    nn.init.zeros_(net[-1].weight)
    nn.init.zeros_(net[-1].bias)
    return net


def main():
    """Train, time the steps after the warm-up, score the test set, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--precision', choices=['float32', 'bfloat16'], default='float32')
    parser.add_argument('--compile', action='store_true')
    parser.add_argument('--channels-last', action='store_true')
    parser.add_argument('--fused', action='store_true', help='Adam in one kernel')
    parser.add_argument('--threads', type=int, help="instead of PyTorch's own choice")
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--steps', type=int, default=1000)
    parser.add_argument('--warm-up', type=int, default=50)
    args = parser.parse_args()
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)

    (images, labels), (test_images, test_labels) = mnist.load()
    images, test_images = (torch.from_numpy(mnist.scaled(part)).reshape(-1, 1, 28, 28)
                           for part in (images, test_images))
    labels, test_labels = (torch.tensor(part, dtype=torch.int64) for part in (labels, test_labels))
    net = network()
    if args.channels_last:
        net = net.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=args.fused or None)
    autocast = torch.autocast('cpu', torch.bfloat16, enabled=args.precision == 'bfloat16')
    forward = torch.compile(net) if args.compile else net

    def train(batch):
        optimizer.zero_grad()
        with autocast:
            loss = nn.functional.cross_entropy(forward(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()

    def batches(count):
        per_epoch = len(images) // args.batch_size
        for step in range(count):
            if step % per_epoch == 0:
                order = torch.randperm(len(images))
            start = step % per_epoch * args.batch_size
            yield order[start:start + args.batch_size]

    for batch in batches(args.warm_up):
        train(batch)
    started = time.perf_counter()
    for batch in batches(args.steps):
        train(batch)
    seconds = time.perf_counter() - started

    net.eval()
    with torch.no_grad(), autocast:
        guesses = torch.cat([net(part).argmax(1) for part in test_images.split(1000)])
    print(json.dumps({'images_per_second': args.steps * args.batch_size / seconds,
                      'test_accuracy': (guesses == test_labels).double().mean().item(),
                      'threads': torch.get_num_threads()}))


if __name__ == '__main__':
    main()
