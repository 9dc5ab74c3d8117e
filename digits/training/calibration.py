"""Calibrated probabilities, and when a prediction is not sure.

Both have one parameter, fitted to the logits of the validation images, which are not trained on:

- `scale` multiplies the logits before the softmax (temperature scaling, Guo et al., "On calibration
  of modern neural networks", 2017), so that nine in ten predictions made with 90 % are right;
- `least`: a prediction is sure if the largest logit is at least this much above the mean of the ten
  (after Hendrycks et al., "Scaling out-of-distribution detection", 2022). For letters and scribbles
  it usually is not.
"""
from typing import Dict, List

import numpy as np

# The reason not to be sure where no digit is likely. The probabilities are those of the ten digits
# if the image is one of them: here they mean little, and are not shown.
UNLIKE = 'unlike any digit'
REFUSED = 0.005  # the fraction of validation images to mark as not sure: half of what is acceptable


def fit(logits: np.ndarray, labels: np.ndarray) -> Dict[str, float]:
    """{'scale', 'least', 'error'} for logits float [n, 10] and labels [n], n at least 1.

    error: the expected calibration error of the scaled probabilities on these images, in [0, 1].
    """
    def loss(scale):
        right = probabilities(logits, scale)[np.arange(len(labels)), labels]
        return -np.log(np.maximum(right, 1e-12)).mean()

    scales = np.geomspace(0.05, 20, 241)
    # Cross-entropy is convex in the scale, so the best of all is beside the best of a few.
    few = min(range(0, len(scales), 12), key=lambda k: loss(scales[k]))
    scale = min(scales[max(0, few - 11):few + 12], key=loss)
    return {'scale': round(float(scale), 4),
            'least': round(float(np.quantile(_lead(logits), REFUSED)), 4),
            'error': round(calibration_error(probabilities(logits, scale), labels), 4)}


def probabilities(logits: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """The softmax [n, 10] of `scale` times the logits [n, 10]."""
    with np.errstate(over='ignore'):  # exp(-inf) = 0 is right
        odds = np.exp(scale * (logits - logits.max(axis=1, keepdims=True)))
    return odds / odds.sum(axis=1, keepdims=True)


def reasons(logits: np.ndarray, least: float, scale: float = 1.0) -> List[str]:
    """For each row of logits [n, 10]: '' or a short reason why the prediction is not sure."""
    found = []
    for lead, row in zip(_lead(logits), probabilities(logits, scale)):
        digit, runner_up = np.argsort(-row, kind='stable')[:2]
        if lead >= least:
            found.append('')
        elif row[runner_up] > row[digit] / 2 and row[digit] + row[runner_up] > 0.5:
            found.append(f'could also be {runner_up}')
        else:
            found.append(UNLIKE)
    return found


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """The expected calibration error, in [0, 1], of probabilities [n, 10] for labels [n].

    The mean difference between the largest probability and the accuracy, over images in `bins`
    equal ranges of that probability (Naeini, Cooper and Hauskrecht, 2015).
    """
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(place, right - sure, bins)).sum() / len(labels))


def _lead(logits):
    return logits.max(axis=1) - logits.mean(axis=1, dtype=np.float64)
