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
import digit_pictures as pictures
import digits
import numpy as np
import pytest
from demo_runs import not_blank, write_mnist
from PIL import Image

from microgradnet import MLP, Epoch, quadratic, train

READ = re.compile(
    r"^  digit (\d+): (\d), certainty (\d\.\d{4}); runner-up: (\d), (\d\.\d{4})(?:; unsure)?$", re.MULTILINE
)


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


def trained(*options):
    """The fixture of a run whose net is saved as net.npz beside the pictures."""

    @pytest.fixture(scope="module")
    def ran(tmp_path_factory):
        out = tmp_path_factory.mktemp("digits")
        return run_in(out, *options, "--save", out / "net.npz")

    return ran


ten, fours = trained("--quick"), trained("--only-fours")


@pytest.fixture(scope="module")
def strip():
    """The demo's own strip, pixels from 0 to 255, shape (28, 168)."""
    return np.hstack(list(data.load(each=400)[2].images))


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    """A folder with a small MNIST: 100 training images, the strip's six before them, and 40 held out."""
    images, labels = data.load_shipped()
    strip = [5 * 500, 0, 4 * 500, 500, 9 * 500, 2 * 500]
    train, test = [*strip, *range(9, 5000, 50)], list(range(20, 5000, 125))
    folder = tmp_path_factory.mktemp("digits") / "mnist"
    return write_mnist(folder, images[train], labels[train], images[test], labels[test])


def judged(text):
    """What a run says after training, but for a user's picture and the last line, which tells the time."""
    text = re.sub(r"\nYour picture.*?\n(?=\nPictures)", "", text, flags=re.DOTALL)
    return text[text.index("The images held out") :].splitlines()[:-1]


def counts(line, text):
    """The numerator and the denominator that a line of the report states, whose share must be their quotient."""
    share, *numbers = re.search(rf"{line} +([\d.]+)%, ([\d,]+) of ([\d,]+)", text).groups()
    part, whole = (int(number.replace(",", "")) for number in numbers)
    assert float(share) == pytest.approx(100 * part / whole, abs=0.0501)
    return part, whole


def forward(ran, X):
    """The outputs of a run's net by the textbook, from its matrices."""
    net = MLP.load(ran.out / "net.npz")
    for A, b in zip(net.weights(), net.biases(), strict=True):
        X = 1 / (1 + np.exp(-(X @ A.T + b)))
    return X


def held_out(ran, each=400):
    """The textbook's outputs for the images held out, and the digits these show."""
    images, labels = data.load(each)[1]
    return forward(ran, images.reshape(-1, 784) / 255), labels


# The job.


def test_reads_504192(ten, strip):
    """Every digit of the strip, its certainty and its runner-up the two largest outputs of the textbook's net."""
    wanted = []
    for position, y in enumerate(forward(ten, np.array([d.ravel() for d in np.hsplit(strip / 255, 6)])), 1):
        first, second = np.argsort(-y)[:2]
        wanted.append((str(position), str(first), f"{y[first]:.4f}", str(second), f"{y[second]:.4f}"))
    found = READ.findall(ten.text)
    assert found == wanted
    assert "".join(digit for _, digit, *_ in found) == "504192"
    least = min(float(certainty) for _, _, certainty, *_ in found)
    assert least > 0.5
    closing = re.search(r"Seen: 504192 is read as 504192, each digit with certainty (0\.\d\d) or more; 9\d\.", ten.text)
    assert 0 <= least - float(closing[1]) < 0.0101


def test_the_report_is_an_independent_count_of_the_thousand_held_out(ten):
    """What is right, certain and less so; the strips that the seed draws; every number of the confusion matrix."""
    Y, labels = held_out(ten)
    called = Y.argmax(axis=1)
    hits, sure = called == labels, Y.max(axis=1) >= 0.9
    assert counts("training images it tells", ten.text)[0] > 3900
    assert counts("accuracy", ten.text) == (hits.sum(), 1000)
    assert hits.sum() > 900
    assert counts("certain", ten.text) == (hits[sure].sum(), sure.sum())
    assert f"{hits[~sure].sum()} of {(~sure).sum()} where it is less" in ten.text
    strips = np.random.default_rng(0).integers(1000, size=(1000, 6)).tolist()
    assert counts("strips", ten.text) == (sum(all(hits[index] for index in strip) for strip in strips), 1000)
    assert f"which is {hits.mean() ** 6:.1%}" in ten.text

    counted = Counter(zip(labels.tolist(), called.tolist(), strict=True))
    (axes,) = pictures.confusion(digits.confusion(labels, called)).axes
    places = [(digit, called) for digit in range(10) for called in range(10)]
    shown = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    assert shown == {place: str(counted[place] or "\u00b7") for place in places}
    assert axes.get_title() == f"{hits.sum()} of 1,000 held-out digits read right"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("is a", "read as")
    most = re.search(r"most often, (\d+) times, a (\d) is read as a (\d)", ten.text)
    mistakes = [counted[place] for place in places if place[0] != place[1]]
    assert int(most[1]) == counted[int(most[2]), int(most[3])] == max(mistakes)


def test_the_pictures_show_what_they_say(ten):
    """The mistakes, each image by its digit, or none; a square per hidden neuron; the curve in per cent; none is blank."""
    Y, labels = held_out(ten)
    called, images = Y.argmax(axis=1), data.load(400)[1]
    wrong = [f"{a} as {b}" for a, b in zip(labels, called, strict=True) if a != b]
    shown = [text.get_text() for text in pictures.misread(images, called).axes[0].texts]
    assert len(shown) == min(len(wrong), 40)
    assert not Counter(shown) - Counter(wrong)
    assert pictures.misread(images, labels).axes[0].get_title() == "0 of the 0 held-out digits read wrong"
    A = MLP.load(ten.out / "net.npz").weights()[0]
    mosaic = pictures.first_weights(A).axes[0].images[0].get_array().reshape(3, 32, 10, 32).swapaxes(1, 2)
    squares = mosaic[:, :, :28, :28].reshape(30, 784)
    assert np.allclose(squares, A / np.abs(A).max(axis=1, keepdims=True))
    epochs = [Epoch(n, 1.0, accuracy, 0.0, 1.0, accuracy / 2) for n, accuracy in ((1, 0.5), (2, 0.75))]
    lines = [line.get_ydata() for line in pictures.learning_curve(epochs, "").axes[0].lines]
    assert np.array_equal(lines, [[50.0, 25.0], [75.0, 62.5]])
    for name in ("read", "learning_curve", "confusion", "misread", "weights"):
        assert not_blank(ten.out / f"{name}.png")


def test_a_saved_net_gives_the_same_report_and_reads_a_users_strip(ten, run, strip, tmp_path):
    """--load takes what --save wrote: no training, and the same figures and pixels. --image reads as many digits as the
    file shows, here the demo's own strip dark on light, cut after the 4.
    """
    Image.fromarray(255 - np.pad(strip[:, : 3 * 28], ((11, 2), (5, 0)))).save(tmp_path / "own.png")
    loaded = run("--load", ten.out / "net.npz", "--image", tmp_path / "own.png")
    assert "training" not in loaded.error
    trained = [line.replace(str(ten.out), str(loaded.out)) for line in judged(ten.text)]
    assert judged(loaded.text) == [line.replace("learning_curve.png, ", "") for line in trained]
    for name in ("504192.png", "read.png", "confusion.png", "misread.png", "weights.png"):
        assert (loaded.out / name).read_bytes() == (ten.out / name).read_bytes()
    assert len(READ.findall(loaded.text)) == 6 + 3
    assert f"Your picture, {tmp_path / 'own.png'}, is read as 504:" in loaded.text
    assert "; your picture is read as 504; 9" in loaded.text.splitlines()[-1]
    assert "unsure" not in loaded.text
    assert not_blank(loaded.out / "yours.png")


def test_settings_and_a_users_mnist_reach_the_training(run, mnist, tmp_path):
    """The net is the one that `train` gives with them, whose strip, read wrong, is told as it is."""
    settings = "--hidden 3 --cost quadratic --epochs 2 --batch-size 50 --learning-rate 0.7 --seed 5"
    text = run("--mnist", mnist, *settings.split(), "--save", tmp_path / "net.npz").text
    assert f"MNIST from {mnist}: 100 images to train on, none of the strip's; 40 held out." in text
    assert "MLP(784, [3, 10], 'sigmoid'): 2395 parameters; seed 5" in text
    assert "Trained on 100 images: quadratic cost, learning rate 0.7, batches of 50, epochs: 2." in text
    training = data.load(each=400, mnist=mnist)[0]
    net = MLP(784, [3, 10], seed=5)
    X, R = training.images.reshape(-1, 784) / 255, np.eye(10)[training.labels]
    list(train(net, X, R, cost=quadratic, learning_rate=0.7, epochs=2, batch_size=50, seed=5))
    for a, b in zip(net.weights(), MLP.load(tmp_path / "net.npz").weights(), strict=True):
        assert np.array_equal(a, b)
    read = "".join(digit for _, digit, *_ in READ.findall(text))
    wrong = ", ".join(str(i) for i, (a, b) in enumerate(zip(read, "504192", strict=True), 1) if a != b)
    assert f"Seen: 504192 is read as {read}, wrong at digit {wrong};" in text
    assert counts("accuracy", text)[1] == 40


def test_a_picture_that_cannot_be_read_is_not_read_with_certainty(ten, run, tmp_path):
    """Blots in a row are called unsure where no output reaches one half, and so many are worth a warning."""
    blots = np.kron(np.random.default_rng(1).integers(2, size=(3, 12 * 4)), np.ones((9, 9))) * 255
    blots[:, (np.arange(blots.shape[1]) // 9) % 4 == 3] = 0  # a gap after each
    Image.fromarray(blots.astype(np.uint8)).save(tmp_path / "own.png")
    text = run("--load", ten.out / "net.npz", "--image", tmp_path / "own.png").text
    own = [line for line in text[text.index("Your picture") :].splitlines() if line.startswith("  digit")]
    assert len(own) > 10
    unsure = [line for line in own if float(READ.search(line)[3]) < 0.5]
    assert unsure
    assert unsure == [line for line in own if line.endswith("; unsure")]
    assert f", {len(unsure)} of {len(own)} unsure;" in text.splitlines()[-1]
    assert f"{len(own)} pieces of ink were found" in text


def test_a_piece_that_is_no_digit_is_told_from_digits():
    """Digits joined by a line, and a shadow; no digit shipped looks so."""
    assert not any(map(digits.is_odd, data.inputs(data.load_shipped()[0])))
    line, shadow = np.zeros((28, 28)), np.ones((28, 28))
    line[10:15] = 1.0
    assert digits.is_odd(line.ravel())
    assert digits.is_odd(shadow.ravel())


@pytest.mark.parametrize(
    ("options", "epochs", "rate"),
    [
        ("", 30, 0.5),
        ("--cost quadratic", 30, 2.0),
        ("--only-fours", 30, 1.0),
        ("--quick", 10, 0.5),
        ("--quick --epochs 2", 2, 0.5),
        ("--net conv --quick", 5, 0.5),
    ],
)
def test_defaults_depend_on_the_task(options, epochs, rate):
    """Longer steps for the quadratic cost, whose gradients are smaller; fewer epochs with --quick, unless named."""
    found = digits.parse(options.split())
    assert (found.epochs, found.learning_rate, found.batch_size) == (epochs, rate, 10)


# The convolution.


@pytest.mark.slow
def test_a_convolution_learns_number_by_number(run):
    """Two epochs, and nine of ten that it has not seen are read right; what was compiled and drawn is its own."""
    ran = run("--net", "conv", "--epochs", 2)
    right, held = counts("accuracy", ran.text)
    assert held == 1000
    assert right > 900
    assert "8 × 25, for 144 vectors together" in ran.text
    assert len(READ.findall(ran.text)) == 6
    assert not_blank(ran.out / "weights.png")


def test_images_are_shifted_by_up_to_a_pixel():
    """Each is one of its nine neighbours, and all nine occur."""
    images = np.pad(data.load_shipped()[0][:200, 4:-4, 4:-4], ((0, 0), (4, 4), (4, 4)))
    places = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    seen = Counter()
    for before, after in zip(images, digits.shifted(images, np.random.default_rng(0)), strict=True):
        seen.update([place for place in places if np.array_equal(np.roll(before, place, (0, 1)), after)])
    assert set(seen) == set(places)
    assert seen.total() == 200


# Only the fours.


def test_finds_the_4_in_504192(fours, run):
    """Of the strip's outputs only the third is near 1, and a loaded net says the same; the report is an independent count
    of 4,900 images with 490 fours, better than saying no to all.
    """
    Y, labels = held_out(fours, each=10)
    called, four = Y[:, 0] >= 0.5, labels == 4
    assert counts("training images it tells", fours.text) == (100, 100)
    assert counts("accuracy", fours.text) == ((called == four).sum(), 4900)
    assert counts("precision", fours.text) == ((called & four).sum(), called.sum())
    assert counts("recall", fours.text) == ((called & four).sum(), 490)
    assert (called == four).mean() > 0.92
    loaded = run("--only-fours", "--load", fours.out / "net.npz", "--image", fours.out / "504192.png").text
    outputs = re.compile(r"^  (?:the|digit) \d+ +(\d\.\d{4})(  a 4)?$", re.MULTILINE)
    found = outputs.findall(fours.text)
    y = [float(y) for y, _ in found]
    assert y[2] > 0.9 > 0.1 > max(y[:2] + y[3:])
    assert [bool(called) for _, called in found] == [False, False, True, False, False, False]
    assert "only the third digit is called a 4" in fours.text.splitlines()[-1]
    assert outputs.findall(loaded) == 2 * found
    assert "In your picture, 1 of 6 are called a 4." in loaded.splitlines()[-1]
    assert judged(loaded)[:4] == judged(fours.text)[:4]


def test_an_untrained_net_is_reported_as_it_is(run):
    """After one epoch nothing is called a 4: precision is undefined, and the closing line says what went wrong."""
    text = run("--only-fours", "--epochs", 1).text
    assert "precision  undefined, 0 of 0" in text
    assert "calls nothing a 4, where digit 3 alone is one" in text


# What it refuses: exit code 2 before any training, and one line that names what is wrong and what to do.


def written(content):
    return lambda path: path.write_bytes(content)


def picture(mode):
    return lambda path: Image.new(mode, (168, 28), "teal" if mode == "RGB" else None).save(path, "PNG")


def cut_short(path):
    noise = np.random.default_rng(0).integers(256, size=(28, 168), dtype=np.uint8)
    Image.fromarray(noise).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:2000])


def net(*shape):
    return lambda path: MLP(*shape).save(path)


def spoiled_net(path):
    """A version of zip that no one knows."""
    MLP(784, [1, 10], seed=1).save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 99
    path.write_bytes(content)


def nothing(path):
    """No file at all."""


REFUSED = [
    (nothing, "--image FILE", "FILE does not exist: name a PNG"),
    (lambda path: path.mkdir(), "--image FILE", "FILE is a folder: name the picture in it"),
    (written(b""), "--image FILE", "FILE is empty: a PNG picture"),
    (written(b"504192"), "--image FILE", "FILE is not a picture: a PNG picture"),
    (cut_short, "--image FILE", "FILE cannot be read as a picture"),
    (picture("RGB"), "--image FILE", "FILE is of one colour"),
    (picture("RGBA"), "--image FILE", "FILE is of one colour"),
    (nothing, "--load FILE", ".*FILE.*: name a file that --save wrote$"),
    (lambda path: path.mkdir(), "--load FILE", ".*FILE.*: name a file that --save wrote$"),
    (written(b"504192"), "--load FILE", ".*FILE.*: name a file that --save wrote$"),
    (spoiled_net, "--load FILE", ".*FILE.*: name a file that --save wrote$"),
    (net(5, [10]), "--load FILE", r"FILE holds MLP\(.*, but MLP\(784, \[..., 10\], 'sigmoid'\) was wanted$"),
    (net(784, [2, 1]), "--load FILE", r"FILE holds MLP\(.*, but MLP\(784, \[..., 10\], 'sigmoid'\) was wanted$"),
    (net(784, [2, 10]), "--load FILE --only-fours", r"FILE holds .*but MLP\(784, \[..., 1\], 'sigmoid'\) was wanted$"),
    (net(784, [2, 10]), "--load FILE --hidden 3", r"FILE holds .*but MLP\(784, \[3, 10\], 'sigmoid'\) was wanted$"),
    (net(784, [2, 10], "sigmoid", "linear"), "--load FILE", r"FILE holds .*but MLP\(784, \[..., 10\], 'sigmoid'\) was"),
    (nothing, "--epochs 0", "argument --epochs: '0' arrived where a whole number from 1 was wanted"),
    (nothing, "--seed -1", "argument --seed: '-1' arrived where a whole number from 0 was wanted"),
    (nothing, "--batch-size 4001", "--batch-size 4001 exceeds the 4,000 training images: lower it"),
    (nothing, "--learning-rate 0", "argument --learning-rate: '0' arrived where a positive number was wanted"),
    (nothing, "--cost squared", r"argument --cost: invalid choice: 'squared' \(choose from "),
    (nothing, "--mnist FILE", "FILE is not a folder: name the one that holds MNIST's four IDX files"),
    (nothing, "--only-fours --mnist .", "--only-fours learns from 100 of the images shipped: leave out --mnist or"),
    (nothing, "--load a --learning-rate 3", "--learning-rate is about training, which --load skips: leave out one"),
    (nothing, "--net conv --hidden 5", "--hidden is about the net of layers: leave it out, or --net conv"),
    (nothing, "--fast", "unrecognized arguments: --fast"),
]


@pytest.mark.parametrize(("make", "options", "line"), REFUSED)
def test_what_it_cannot_use_is_refused(make, options, line, run, tmp_path):
    """Nothing else is printed or written."""
    make(tmp_path / "file")
    ran = run(*[str(tmp_path / "file") if option == "FILE" else option for option in options.split()])
    assert (ran.code, ran.text, ran.out.exists(), ran.error.count("\n")) == (2, "", False, 1)
    assert re.match("digits.py: " + line.replace("FILE", re.escape(str(tmp_path / "file"))), ran.error)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--save", "nowhere/net.npz"], "nowhere/net.npz cannot be written: name a file in a folder that exists with"),
        (["--save", "."], r"\. cannot be written: name a file in a folder that exists with --save"),
        (["--out", "digits.py"], "digits.py.* cannot be written .*: name another folder with --out"),
    ],
)
def test_what_cannot_be_written_is_refused(options, line, run, tmp_path, monkeypatch):
    """Before the training whose net or pictures it is for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits.py").touch()
    ran = run(*options)
    assert (ran.code, ran.text) == (2, "")
    assert re.match(f"digits.py: {line}", ran.error)


def test_what_goes_wrong_in_training_is_told(run, mnist, tmp_path, monkeypatch):
    """A learning rate beyond reason, a full disk, Ctrl-C: an exit code and a line, no traceback, no file."""
    options = "--mnist", mnist, "--epochs", 1, "--hidden", 2, "--save", tmp_path / "net.npz"

    def full(self, path):
        raise OSError("No space left on device")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    ran = run(*options, "--learning-rate", "1e308")
    assert ran.code == 2
    assert re.search(
        r"^digits\.py: training diverged in epoch 1, step \d+ .*Try a learning rate below", ran.error, re.M
    )
    monkeypatch.setattr(MLP, "save", full)
    ran = run(*options)
    assert ran.code == 2
    assert "net.npz cannot be written (No space left on device): name another file with --save" in ran.error
    monkeypatch.setattr(digits, "fit", interrupted)
    ran = run(*options)
    assert (ran.code, ran.error) == (130, "digits.py: stopped\n")
    assert not (tmp_path / "net.npz").exists()
