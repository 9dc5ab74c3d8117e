"""What the tutorials printed: their commands, their kinds of output, their arithmetic."""
import decimal
import math
import re
import shlex

import numpy as np
import pytest

import compare
import mnist_numpy_sigmoid
import mnist_softmax
from digits.datasets import idx
from digits.prediction import classifier
from digits.training import calibration
from digits.training.record import Record


@pytest.mark.parametrize(('name', 'command'), [row[:2] for row in compare.ARTICLES])
def test_an_article_s_command_is_its_recipe(name, command, parsed):
    """Written with the flags that differ from the defaults, in --help's order: compare.py finds
    the runs of a row by this text.
    """
    script, *flags = shlex.split(command)
    assert parsed(__import__(script[:-len('.py')]), flags).recipe == ' '.join(flags)


def rows(stdout):
    """{epoch: loss} of the lines that --loss-every prints."""
    return {int(epoch): float(loss) for epoch, loss in
            re.findall(r'^ +(\d+)  (\d+\.\d{6})$', stdout, re.MULTILINE)}


def test_the_average_loss_of_an_epoch(small_dir, tmp_path, capsys):
    """Weights that hardly move: the average over an epoch is the loss over the training images."""
    mnist_softmax.main(['--data-dir', str(small_dir), '--run-dir', str(tmp_path), '--batch-size',
                        '40', '--epochs', '4', '--loss-every', '2', '--learning-rate', '1e-12',
                        '--initial-stddev', '0.1', '0.1'])
    printed = rows(capsys.readouterr().out)
    images, labels = (array[5000:] for array in idx.read_folder(small_dir)[:2])
    probabilities = calibration.probabilities(classifier.restore(tmp_path).logits(images[..., 0]))
    loss = -np.mean(np.log(probabilities[np.arange(len(labels)), labels]))
    assert printed == {2: pytest.approx(loss, abs=2e-6), 4: pytest.approx(loss, abs=2e-6)}


def test_average_losses_where_epochs_end_within_minibatches(small_dir, tmp_path, monkeypatch,
                                                           capsys):
    """Batches of 300 of 1,000 images: an epoch ends at steps 4, 7 and 10."""
    seen = []
    print_rows = mnist_softmax.runs.Run._print_rows

    def spy(run):
        seen.append(float(run.loss))
        print_rows(run)
    monkeypatch.setattr(mnist_softmax.runs.Run, '_print_rows', spy)
    mnist_softmax.main(['--data-dir', str(small_dir), '--run-dir', str(tmp_path), '--batch-size',
                        '300', '--epochs', '3', '--loss-every', '1'])
    assert rows(capsys.readouterr().out) == {
        epoch: pytest.approx(np.mean(losses), abs=1e-6) for epoch, losses in
        ((1, seen[:4]), (2, seen[4:7]), (3, seen[7:]))}
    assert len(seen) == 10


def test_scoring_the_test_set_on_the_way(script, small_dir, tmp_path):
    """Article E's line; the last one is the run's own score, and the loss that of its weights."""
    result = script('mnist_softmax.py', '--steps', '60', '--score-test-every', '20', '--run-dir',
                    tmp_path)
    lines = re.findall(r'^Step: (\d+), Loss: (\d\.\d{6}), Accuracy: (\d\.\d{6})$', result.stdout,
                       re.MULTILINE)
    assert [step for step, _, _ in lines] == ['20', '40', '60']
    assert float(lines[-1][2]) == Record.read(tmp_path).test_accuracy
    images, labels = idx.read_folder(small_dir)[2:]
    probabilities = calibration.probabilities(classifier.restore(tmp_path).logits(images[..., 0]))
    loss = -np.mean(np.log(probabilities[np.arange(len(labels)), labels]))
    assert float(lines[-1][1]) == pytest.approx(loss, abs=1e-5)


def test_without_validation_images_the_training_accuracy_is_printed(script, small_dir, tmp_path):
    """Article B's twin: full batches of raw pixels."""
    result = script('mnist_softmax.py', '--epochs', '30', '--batch-size', '6000',
                    '--validation-size', '0', '--loss-every', '10', '--learning-rate', '0.01',
                    '--initial-stddev', '1', '1', '--raw-pixels', '--run-dir', tmp_path)
    assert sorted(rows(result.stdout)) == [10, 20, 30]
    printed = float(re.search(r'^training accuracy: (\d\.\d{4}) ', result.stdout,
                              re.MULTILINE).group(1))
    images, labels = idx.read_folder(small_dir)[:2]
    accuracy = np.mean(classifier.restore(tmp_path)(images[..., 0])[0].argmax(axis=1) == labels)
    assert printed == Record.read(tmp_path).training_accuracy
    assert printed == pytest.approx(accuracy, abs=2e-4)
    assert 'validation accuracy' not in result.stdout + result.stderr


def test_raw_pixels_are_the_graph_of_pixels_255_times_as_large(small_dir, tmp_path, capsys):
    """The same trajectory in NumPy, float64: three full-batch steps from the same weights."""
    mnist_softmax.main(['--data-dir', str(small_dir), '--run-dir', str(tmp_path), '--epochs', '3',
                        '--batch-size', '6000', '--validation-size', '0', '--loss-every', '1',
                        '--learning-rate', '1e-5', '--raw-pixels'])
    printed = rows(capsys.readouterr().out)
    images, labels = idx.read_folder(small_dir)[:2]
    X, y = images.reshape(6000, 784).astype(np.float64), np.eye(10)[labels]
    W, b, losses = np.zeros([784, 10]), np.zeros(10), []
    for _ in range(3):
        z = X @ W + b
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        losses.append(-np.mean(np.log(p[np.arange(6000), labels])))
        W -= 1e-5 * X.T @ (p - y) / 6000
        b -= 1e-5 * np.mean(p - y, axis=0)
    assert [printed[epoch] for epoch in (1, 2, 3)] == pytest.approx(losses, rel=1e-4)


def article_b(X, labels, epochs, seed):
    """Article B's arithmetic as written, in float64 on uint8 pixels: [(accuracy, loss)]."""
    y = np.eye(10)[labels]
    random = np.random.RandomState(seed)
    W, b = random.uniform(-1, 1, [784, 10]), random.uniform(-1, 1, 10)
    found = []
    for _ in range(epochs):
        with np.errstate(over='ignore'):
            h = 1 / (1 + np.exp(-(X @ W + b)))
        inside = np.clip(h, 1e-15, 1 - 1e-15)
        loss = -np.mean(y * np.log(inside) + (1 - y) * np.log(1 - inside))
        found.append((np.mean(h.argmax(axis=1) == labels), loss))
        W -= 0.1 * (X.T @ (h - y))
        b -= 0.1 * np.mean(h - y, axis=0)
    return found


def check_article_b(folder, epochs, tmp_path, monkeypatch, capfd):
    ours = []
    write = mnist_numpy_sigmoid.runs.Run._print_rows

    def spy(run):
        ours.append((run.training_accuracy, run.loss))
        write(run)
    monkeypatch.setattr(mnist_numpy_sigmoid.runs.Run, '_print_rows', spy)
    mnist_numpy_sigmoid.main(['--data-dir', str(folder), '--run-dir', str(tmp_path), '--quiet',
                              '--epochs', str(epochs)])
    images, labels = idx.read_folder(folder)[:2]
    theirs = article_b(images.reshape(-1, 784), labels, epochs, 0)
    # Rounding errors grow with the epochs, and each BLAS adds up in an order of its own.
    for epoch, (mine, article) in enumerate(zip(ours, theirs)):
        assert mine == pytest.approx(article, rel=1e-3)
        if epoch < 30:
            assert abs(mine[0] - article[0]) * len(labels) < 1.5    # images
    assert 'warning' not in capfd.readouterr().err.lower()


def test_numpy_script_has_the_accuracies_of_the_article_s_arithmetic(
        small_dir, tmp_path, monkeypatch, capfd):
    check_article_b(small_dir, 40, tmp_path, monkeypatch, capfd)


@pytest.mark.slow
@pytest.mark.mnist
def test_numpy_script_has_them_on_mnist_too(mnist_dir, tmp_path, monkeypatch, capfd):
    check_article_b(mnist_dir, 20, tmp_path, monkeypatch, capfd)


def test_numpy_script_stops_over_0_80_unless_told_how_long(script, tmp_path):
    run = ['mnist_numpy_sigmoid.py', '--seed', '1']  # strokes are harder: 0 stays below for 100
    stopped = script(*run, '--run-dir', tmp_path / 'stopped')
    *_, before, last, _ = stopped.stdout.splitlines()
    epoch, accuracy, _ = last.split()
    assert float(accuracy) > 0.80 >= float(before.split()[1])
    assert Record.read(tmp_path / 'stopped').training_accuracy == float(accuracy)
    longer = str(int(epoch) + 5)
    gone_on = script(*run, '--epochs', longer, '--run-dir', tmp_path / 'on')
    assert gone_on.stdout.splitlines()[-2].split()[0] == str(int(longer) - 1)


def test_cross_entropy_with_fifty_digits():
    """Against Python's decimal: -log of a sigmoid, from sure and right to sure and wrong."""
    z = np.array([[-30.0, -3.3, -1e-3, 0.0, 0.7], [2.5, 12.0, 25.0, 18.0, -0.2]])
    y = np.array([[0, 1, 1, 0, 1], [0, 1, 1, 0, 0]], dtype=float)
    with decimal.localcontext() as context:
        context.prec = 50
        total = decimal.Decimal(0)
        for value, target in zip(z.flat, y.flat):
            signed = decimal.Decimal(value) if target else -decimal.Decimal(value)
            total += (1 + (-signed).exp()).ln()
        expected = float(total / z.size)
    found = mnist_numpy_sigmoid.cross_entropy(mnist_numpy_sigmoid.sigmoid(z), y)
    assert found == pytest.approx(expected, rel=1e-6)
    # Beyond what float64 tells from 0 and 1, the article's clip at 1e-15 decides.
    sure = mnist_numpy_sigmoid.cross_entropy(mnist_numpy_sigmoid.sigmoid(np.array([[-800.0]])),
                                             np.array([[1.0]]))
    assert sure == pytest.approx(-math.log(1e-15), rel=1e-12)


def test_ten_digits_are_drawn_into_the_run_s_folder(script, tmp_path):
    from PIL import Image  # 12 x 5 inches at 100 dots an inch
    script('mnist_numpy_sigmoid.py', '--epochs', '1', '--plots', '--run-dir', tmp_path)
    image = np.asarray(Image.open(str(tmp_path / 'digits.png')).convert('L'))
    assert image.shape == (500, 1200)
    cells = [cell for row in np.array_split(image, 2) for cell in np.array_split(row, 5, axis=1)]
    assert all((cell < 64).mean() > 0.01 for cell in cells)  # ink in every one


def test_3x3_shows_one_test_image_and_an_average_loss_for_each_epoch(script, small_dir, tmp_path):
    result = script('mnist_cnn_3x3.py', '--epochs', '3', '--run-dir', tmp_path)
    assert result.stdout.startswith('epoch  loss\n') and sorted(rows(result.stdout)) == [1, 2, 3]
    index, label, prediction = map(int, re.search(
        r'^test image (\d+): label (\d), prediction (\d)$', result.stdout, re.MULTILINE).groups())
    images, labels = idx.read_folder(small_dir)[2:]
    assert label == labels[index]
    assert prediction == classifier.restore(tmp_path)(images[[index], ..., 0])[0].argmax()
