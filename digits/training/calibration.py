"""How sure a run may be: calibrated probabilities, and when to say "not sure".

Each takes one number, fitted to the logits of the validation images, which are not trained on:

- `scale` multiplies the logits before the softmax (temperature scaling, Guo et al., "On calibration
  of modern neural networks", 2017), so that of answers given at 90 %, nine in ten are right;
- `least` is how far the largest logit must stand above the mean of the ten (after Hendrycks et al.,
  "Scaling out-of-distribution detection", 2022). A letter or a scribble moves no logit that far.
"""
from typing import Dict, List

import numpy as np

# The reason not to be sure where no digit is likely. Probabilities are those of the ten digits,
# given that it is one of them: here they mean little, and are not shown.
UNLIKE = 'unlike any digit'
REFUSED = 0.005  # the share of validation images to be not sure of: half of what is acceptable


def fit(logits: np.ndarray, labels: np.ndarray) -> Dict[str, float]:
    """{'scale', 'least', 'error'} for logits float [n, 10] and the right digits [n], n at least 1.

    error: the expected calibration error of the scaled probabilities on these images, in [0, 1].
    """
    def loss(scale):
        right = probabilities(logits, scale)[np.arange(len(labels)), labels]
        return -np.log(np.maximum(right, 1e-12)).mean()

    scale = min(np.geomspace(0.05, 20, 241), key=loss)
    return {'scale': round(float(scale), 4),
            'least': round(float(np.quantile(_lead(logits), REFUSED)), 4),
            'error': round(calibration_error(probabilities(logits, scale), labels), 4)}


def probabilities(logits: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """The softmax [n, 10] of `scale` times the logits [n, 10]."""
    odds = np.exp(scale * (logits - logits.max(axis=1, keepdims=True)))
    return odds / odds.sum(axis=1, keepdims=True)


def reasons(logits: np.ndarray, least: float, scale: float = 1.0) -> List[str]:
    """For each row of logits [n, 10]: '' or, in few words, why its digit is not sure."""
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
    """The expected calibration error, in [0, 1], of probabilities [n, 10] for the digits [n].

    The mean distance between the largest probability and the share that is right, over images in
    `bins` equal ranges of that probability (Naeini, Cooper and Hauskrecht, 2015).
    """
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(place, right - sure, bins)).sum() / len(labels))


def _lead(logits):
    return logits.max(axis=1) - logits.mean(axis=1)
