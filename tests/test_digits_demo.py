"""`demos/digits.py` learns, reads 504192 and a user's strip, and tells the truth about itself.

Every run takes place in this process; the longer ones are made once and looked at by several tests. The oracle is the
textbook's forward pass in NumPy with the matrices that the run saved, and counts of its outputs.
"""

import contextlib
import io
import re
from collections import Counter
from types import SimpleNamespace

import digit_data as data
import digits
import numpy as np
import pytest
from demo_runs import not_blank, write_mnist
from PIL import Image

from microgradnet import MLP, quadratic, train

READ = re.compile(r"^  digit (\d+): (\d), certainty (\d\.\d{4}); runner-up: (\d), (\d\.\d{4})", re.MULTILINE)


def run_in(out, *arguments):
    """What a run of the demo left behind; its pictures go to `out`."""
    text, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(error):
        code = digits.main(["--out", str(out), *map(str, arguments)])
    return SimpleNamespace(code=code, text=text.getvalue(), error=error.getvalue(), out=out)


@pytest.fixture
def run(tmp_path):
    """The demo, its pictures going to a folder of the test's own."""
    return lambda *arguments: run_in(tmp_path / "out", *arguments)


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    out = tmp_path_factory.mktemp("ten")
    return run_in(out, "--quick", "--save", out / "net.npz")


def counts(line, text):
    """The numerator and the denominator that a line of the report states, whose share must be their quotient."""
    share, *numbers = re.search(rf"{line} +([\d.]+)%, ([\d,]+) of ([\d,]+)", text).groups()
    part, whole = (int(number.replace(",", "")) for number in numbers)
    assert float(share) == pytest.approx(100 * part / whole, abs=0.0501)
    return part, whole


def forward(ran, images):
    """The outputs of a run's net by the textbook, from its matrices."""
    net, X = MLP.load(ran.out / "net.npz"), images.reshape(-1, 784) / 255
    for A, b in zip(net.weights(), net.biases(), strict=True):
        X = 1 / (1 + np.exp(-(X @ A.T + b)))
    return X


# The job.


def test_reads_504192(ten):
    """Every digit of the strip, its certainty and its runner-up the two largest outputs of the textbook's net."""
    wanted = []
    for position, y in enumerate(forward(ten, data.load(each=400)[2].images), 1):
        first, second = np.argsort(-y)[:2]
        wanted.append((str(position), str(first), f"{y[first]:.4f}", str(second), f"{y[second]:.4f}"))
    found = READ.findall(ten.text)
    assert found == wanted
    assert "".join(digit for _, digit, *_ in found) == "504192"
    least = min(float(certainty) for _, _, certainty, *_ in found)
    closing = re.search(r"Seen: 504192 is read as 504192, each digit with certainty (0\.\d\d) or more; 9\d\.", ten.text)
    assert 0 <= least - float(closing[1]) < 0.0101
    for name in ("read", "learning_curve", "confusion", "misread", "weights"):
        assert not_blank(ten.out / f"{name}.png")


def test_the_report_is_an_independent_count_of_the_thousand_held_out(ten):
    """What is right, certain and less so; the strips that the seed draws; the commonest mistake."""
    images, labels = data.load(each=400)[1]
    Y = forward(ten, images)
    called = Y.argmax(axis=1)
    hits, sure = called == labels, Y.max(axis=1) >= 0.9
    assert counts("training images it tells", ten.text)[0] > 3900
    assert counts("accuracy", ten.text) == (hits.sum(), 1000)
    assert hits.sum() > 900
    assert counts("certain", ten.text) == (hits[sure].sum(), sure.sum())
    assert f"{hits[~sure].sum()} of {(~sure).sum()} where it is less" in ten.text
    strips = np.random.default_rng(0).integers(1000, size=(1000, 6)).tolist()
    assert counts("strips", ten.text) == (sum(all(hits[index] for index in strip) for strip in strips), 1000)
    mistakes = Counter(zip(labels[~hits].tolist(), called[~hits].tolist(), strict=True))
    most = re.search(r"most often, (\d+) times, a (\d) is read as a (\d)", ten.text)
    assert int(most[1]) == mistakes[int(most[2]), int(most[3])] == max(mistakes.values())


def test_a_saved_net_gives_the_same_report_and_reads_a_users_strip(ten, run, tmp_path):
    """--load takes what --save wrote: no training, and the same digits and pixels. --image reads as many digits as the
    file shows, here the demo's own strip dark on light, cut after the 4.
    """
    strip = np.hstack(list(data.load(each=400)[2].images[:3]))
    Image.fromarray(255 - np.pad(strip, ((11, 2), (5, 0)))).save(tmp_path / "own.png")
    loaded = run("--load", ten.out / "net.npz", "--image", tmp_path / "own.png")
    assert "training" not in loaded.error
    for name in ("504192.png", "read.png", "confusion.png", "misread.png", "weights.png"):
        assert (loaded.out / name).read_bytes() == (ten.out / name).read_bytes()
    assert READ.findall(loaded.text)[:6] == READ.findall(ten.text)
    assert len(READ.findall(loaded.text)) == 6 + 3
    assert f"Your picture, {tmp_path / 'own.png'}, is read as 504:" in loaded.text
    assert "; your picture is read as 504; 9" in loaded.text.splitlines()[-1]
    assert "unsure" not in loaded.text
    assert not_blank(loaded.out / "yours.png")


def test_what_cannot_be_read_is_not_read_with_certainty(ten, run, tmp_path):
    """Blots in a row are called unsure where no output reaches one half, and so many are worth a warning. So is a piece
    that is no digit: digits joined by a line, a shadow, but no digit shipped.
    """
    blots = np.pad(np.random.default_rng(1).integers(2, size=(12, 3, 3), dtype=np.uint8), ((0, 0), (0, 0), (0, 1)))
    Image.fromarray(255 * np.kron(np.hstack(list(blots)), np.ones((9, 9), np.uint8))).save(tmp_path / "own.png")
    text = run("--load", ten.out / "net.npz", "--image", tmp_path / "own.png").text
    own = [line for line in text[text.index("Your picture") :].splitlines() if line.startswith("  digit")]
    unsure = [line for line in own if float(READ.search(line)[3]) < 0.5]
    assert unsure == [line for line in own if line.endswith("; unsure")] != []
    assert f", {len(unsure)} of {len(own)} unsure;" in text.splitlines()[-1]
    assert f"{len(own)} pieces of ink were found" in text
    line, shadow = np.zeros((28, 28)), np.ones(784)
    line[10:15] = 1.0
    assert [digits.is_odd(piece) for piece in (line.ravel(), shadow)] == [True, True]
    assert not any(map(digits.is_odd, data.inputs(data.load_shipped().images)))


def test_settings_and_a_users_mnist_reach_the_training(run, tmp_path):
    """The net is the one that `train` gives with them, whose strip, read wrong, is told as it is."""
    mnist = write_mnist(tmp_path / "mnist", *data.load_shipped())
    settings = "--hidden 3 --cost quadratic --epochs 2 --batch-size 20 --learning-rate 0.7 --seed 5"
    text = run("--mnist", mnist, *settings.split(), "--save", tmp_path / "net.npz").text
    training = data.load(each=400, mnist=mnist)[0]
    net = MLP(784, [3, 10], seed=5)
    X, R = training.images.reshape(-1, 784) / 255, np.eye(10)[training.labels]
    list(train(net, X, R, cost=quadratic, learning_rate=0.7, epochs=2, batch_size=20, seed=5))
    for a, b in zip(net.weights(), MLP.load(tmp_path / "net.npz").weights(), strict=True):
        assert np.array_equal(a, b)
    read = "".join(digit for _, digit, *_ in READ.findall(text))
    wrong = ", ".join(str(i) for i, (a, b) in enumerate(zip(read, "504192", strict=True), 1) if a != b)
    assert f"Seen: 504192 is read as {read}, wrong at digit {wrong};" in text
    assert [counts(line, text)[1] for line in ("training images it tells", "accuracy")] == [40, 20]


@pytest.mark.slow
def test_a_convolution_learns_number_by_number(run):
    """Two epochs, and nine of ten that it has not seen are read right."""
    ran = run("--net", "conv", "--epochs", 2)
    right, held = counts("accuracy", ran.text)
    assert (right > 900, held) == (True, 1000)
    assert "8 × 25, for 144 vectors together" in ran.text


def test_finds_the_4_in_504192(run, tmp_path):
    """Of the strip's outputs only the third is near 1, and a loaded net says the same; the report is an independent count
    of 4,900 images with 490 fours, better than saying no to all.
    """
    ran = run("--only-fours", "--save", tmp_path / "out" / "net.npz")
    images, labels = data.load(each=10)[1]
    called, four = forward(ran, images)[:, 0] >= 0.5, labels == 4
    assert counts("training images it tells", ran.text) == (100, 100)
    assert counts("accuracy", ran.text) == ((called == four).sum(), 4900)
    assert counts("precision", ran.text) == ((called & four).sum(), called.sum())
    assert counts("recall", ran.text) == ((called & four).sum(), 490)
    assert (called == four).mean() > 0.92
    loaded = run("--only-fours", "--load", ran.out / "net.npz", "--image", ran.out / "504192.png").text
    outputs = re.compile(r"^  (?:the|digit) \d+ +(\d\.\d{4})(  a 4)?$", re.MULTILINE)
    found = outputs.findall(ran.text)
    y = [float(y) for y, _ in found]
    assert y[2] > 0.9 > 0.1 > max(y[:2] + y[3:])
    assert [bool(called) for _, called in found] == [False, False, True, False, False, False]
    assert "only the third digit is called a 4" in ran.text.splitlines()[-1]
    assert outputs.findall(loaded) == 2 * found
    assert "In your picture, 1 of 6 are called a 4." in loaded.splitlines()[-1]


# What it refuses: exit code 2 before any training, and one line that names what is wrong and what to do.


def written(content):
    return lambda path: path.write_bytes(content)


def net(*shape):
    return lambda path: MLP(*shape).save(path)


def nothing(path):
    """No file at all."""


REFUSED = [
    (nothing, "--image FILE", "FILE does not exist: name a PNG"),
    (written(b"504192"), "--image FILE", "FILE is not a picture: a PNG picture"),
    (lambda path: Image.new("RGBA", (168, 28)).save(path, "PNG"), "--image FILE", "FILE is of one colour"),
    (nothing, "--load FILE", ".*FILE.*: name a file that --save wrote$"),
    (written(b"504192"), "--load FILE", ".*FILE.*: name a file that --save wrote$"),
    (net(5, [10]), "--load FILE", r"FILE holds MLP\(.*, but MLP\(784, \[..., 10\], 'sigmoid'\) was wanted$"),
    (net(784, [2, 10]), "--load FILE --only-fours", r"FILE holds .*but MLP\(784, \[..., 1\], 'sigmoid'\) was wanted$"),
    (net(784, [2, 10]), "--load FILE --hidden 3", r"FILE holds .*but MLP\(784, \[3, 10\], 'sigmoid'\) was wanted$"),
    (net(784, [2, 10], "sigmoid", "linear"), "--load FILE", r"FILE holds .*but MLP\(784, \[..., 10\], 'sigmoid'\) was"),
    (nothing, "--epochs 0", "argument --epochs: '0' arrived where a whole number from 1 was wanted"),
    (nothing, "--learning-rate 0", "argument --learning-rate: '0' arrived where a positive number was wanted"),
    (nothing, "--batch-size 4001", "--batch-size 4001 exceeds the 4,000 training images: lower it"),
    (nothing, "--mnist FILE", "FILE is not a folder: name the one that holds MNIST's four IDX files"),
    (nothing, "--only-fours --mnist .", "--only-fours learns from 100 of the images shipped: leave out --mnist or"),
    (nothing, "--load a --learning-rate 3", "--learning-rate is about training, which --load skips: leave out one"),
    (nothing, "--net conv --hidden 5", "--hidden is about the net of layers: leave it out, or --net conv"),
    (nothing, "--save FILE/net.npz", "FILE/net.npz cannot be written: name a file in a folder that exists with"),
    (written(b""), "--out FILE", "FILE.* cannot be written .*: name another folder with --out"),
]


@pytest.mark.parametrize(("make", "options", "line"), REFUSED)
def test_what_it_cannot_use_is_refused(make, options, line, run, tmp_path):
    """Before any training; nothing else is printed."""
    make(tmp_path / "file")
    ran = run(*[option.replace("FILE", str(tmp_path / "file")) for option in options.split()])
    assert (ran.code, ran.text, ran.error.count("\n")) == (2, "", 1)
    assert re.match("digits.py: " + line.replace("FILE", re.escape(str(tmp_path / "file"))), ran.error)


def test_what_goes_wrong_in_training_is_told(run, monkeypatch):
    """A learning rate beyond reason, Ctrl-C: an exit code and a line, no traceback."""
    ran = run("--only-fours", "--epochs", 1, "--learning-rate", "1e308")
    assert ran.code == 2
    assert re.search(r"^digits\.py: training diverged in epoch 1, step \d+ .*Try a learning rate", ran.error, re.M)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(digits, "fit", interrupted)
    ran = run("--only-fours")
    assert (ran.code, ran.error) == (130, "digits.py: stopped\n")
