"""digits.training.calibration: plain definitions, and made-up logits whose truth is known."""
import numpy as np
import pytest

from digits.training import calibration


def drawn(scale, n=20000):
    """Logits [n, 10], and labels drawn from the softmax of `scale` times them."""
    random = np.random.RandomState(0)
    logits = random.normal(0, 2, [n, 10])
    odds = np.exp(scale * logits)
    chances = odds / odds.sum(axis=1, keepdims=True)
    return logits, (random.rand(n, 1) > chances.cumsum(axis=1)).sum(axis=1).clip(0, 9)


@pytest.mark.parametrize('scale', [0.3, 1, 2.5])
def test_scale_is_found(scale):
    logits, labels = drawn(scale)
    fitted = calibration.fit(logits, labels)
    assert fitted['scale'] == pytest.approx(scale, rel=0.06)
    assert fitted['error'] < 0.02  # of 20,000 in 15 bins, chance alone makes 0.01
    too_sure = calibration.probabilities(logits, 4 * scale)
    assert calibration.calibration_error(too_sure, labels) > 0.05


@pytest.mark.parametrize('seed', range(12))
def test_no_other_scale_is_better(seed):
    """Few images or many, hardly or widely apart, some all right: of a hundred scales, none."""
    random = np.random.RandomState(seed)
    n = (1, 5, 300)[seed % 3]
    labels = random.randint(0, 10, n)
    logits = random.normal(0, np.exp(random.uniform(-3, 3)), (n, 10))
    logits[np.arange(n), labels] += np.exp(random.uniform(-3, 3))

    def loss(scale):
        scaled = scale * logits
        return (np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(n), labels]).mean()
    found = calibration.fit(logits, labels)['scale']
    assert loss(found) <= 1.001 * min(map(loss, np.geomspace(0.05, 20, 100))) + 1e-9


def test_probabilities_are_the_softmax_and_never_overflow():
    logits = np.array([[0, 1, 2] + [0] * 7, [1e4] + [0] * 9], np.float32)
    rows = calibration.probabilities(logits, 2.0)
    np.testing.assert_allclose(rows[0], np.exp(2 * logits[0]) / np.exp(2 * logits[0]).sum(), 1e-6)
    assert rows[1, 0] == 1 and rows.sum(axis=1) == pytest.approx([1, 1])


def test_calibration_error_is_its_definition():
    random = np.random.RandomState(1)
    rows = random.dirichlet([0.2] * 10, 500)
    labels = random.randint(10, size=500)
    expected = 0
    for bin_ in range(15):
        inside = [i for i in range(500) if bin_ / 15 <= rows[i].max() < (bin_ + 1) / 15
                  or (bin_ == 14 and rows[i].max() == 1)]
        if inside:
            right = np.mean([rows[i].argmax() == labels[i] for i in inside])
            expected += len(inside) / 500 * abs(right - np.mean([rows[i].max() for i in inside]))
    assert calibration.calibration_error(rows, labels) == pytest.approx(expected)


def test_as_many_are_doubted_as_was_asked_for():
    logits, labels = drawn(1)
    fitted = calibration.fit(logits, labels)
    doubted = sum(map(bool, calibration.reasons(logits, fitted['least'])))
    assert doubted == pytest.approx(calibration.REFUSED * len(logits), abs=2)


def test_reasons():
    logits = np.zeros([4, 10])
    logits[0, 4] = 9
    logits[1, [4, 9]] = 3, 2.9
    logits[2, 4] = 3
    logits[3, [4, 9]] = 1, 0.9
    assert calibration.reasons(logits, least=4) == [
        '', 'could also be 9', 'unlike any digit', 'unlike any digit']
