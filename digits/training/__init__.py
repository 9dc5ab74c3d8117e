"""A training run: flags, record, folder, checkpoints, progress, evaluation, TensorBoard.

A lesson makes one object in one line, and writes its loop around run.batches():

    with training.graph_run(args, mnist, session, saver, images, labels, logits, loss,
                            accuracy) as run:
        session.run(tf.global_variables_initializer())
        for batch_images, batch_labels in run.batches():
            _, run.loss = session.run([train_step, loss], {...})
        return run.finish()
"""
import argparse
import math
from typing import Any, Callable, Dict

import numpy as np

from digits.datasets.dataset import Datasets
from digits.errors import UserError
from digits.training import memory
from digits.training.flags import parse_args, parser
from digits.training.models import ArrayModel, GraphModel
from digits.training.runs import Run

__all__ = ['parser', 'parse_args', 'total_steps', 'graph_run', 'array_run', 'Run']


def total_steps(args: argparse.Namespace, num_examples: int, workers: int = 1) -> int:
    """The number of steps, from --steps or --epochs; in each, every worker has a minibatch.

    Raises UserError if a step needs more images than num_examples.
    """
    if args.batch_size * workers > num_examples:
        many = f' with {workers} workers' if workers > 1 else ''
        raise UserError(f'--batch-size {args.batch_size}{many}: there are {num_examples:,} '
                        'training images; give a number from 1 to '
                        f'{num_examples // workers:,}')
    return args.steps or math.ceil(args.epochs * num_examples / (args.batch_size * workers))


def graph_run(args: argparse.Namespace, data: Datasets, *model: Any, **options: Any) -> Run:
    """The run of a TensorFlow graph; model and options are the arguments of GraphModel.

    Raises UserError if a step needs more images or more memory than there is.
    """
    steps = total_steps(args, data.train.num_examples)
    made = GraphModel(*model, **options)
    from digits import tensorflow_v1  # the NumPy script runs without it
    if not tensorflow_v1.uses_gpu(args.device):
        memory.check(made, args.batch_size)
    return Run(args, data, made, steps)


def array_run(args: argparse.Namespace, data: Datasets, arrays: Dict[str, np.ndarray],
              inference: Callable[..., np.ndarray],
              loss: Callable[[np.ndarray, np.ndarray], float], steps: int) -> Run:
    """The run of NumPy arrays, by name, for a number of steps; see ArrayModel."""
    return Run(args, data, ArrayModel(arrays, inference, loss), steps)
