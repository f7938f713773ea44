"""`demos/digits.py` learns, reads 504192 and a user's strip, and tells the truth about itself.

Every run takes place in this process; the longer ones are made once and looked at by several tests.
"""

import contextlib
import io
import re
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import digit_data as data
import digit_pictures as pictures
import digits
import numpy as np
import pytest
from demo_runs import FOLDER, environment, not_blank, write_mnist
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


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    """A run as by default, its net saved as net.npz beside the pictures."""
    out = tmp_path_factory.mktemp("ten")
    return run_in(out, "--save", out / "net.npz")


@pytest.fixture(scope="module")
def fours(tmp_path_factory):
    """A run with --only-fours, its net saved as net.npz beside the picture."""
    out = tmp_path_factory.mktemp("fours")
    return run_in(out, "--only-fours", "--save", out / "net.npz")


@pytest.fixture(scope="module")
def strip():
    """The demo's own strip, pixels from 0 to 255, shape (28, 168)."""
    return np.hstack(list(data.load(each=400)[2].images))


@pytest.fixture
def mnist(tmp_path):
    """A folder with a small MNIST: 100 training images, the strip's six before them, and 40 held out."""
    images, labels = data.load_shipped()
    strip = [5 * 500, 0, 4 * 500, 500, 9 * 500, 2 * 500]
    train, test = [*strip, *range(9, 5000, 50)], list(range(20, 5000, 125))
    return write_mnist(tmp_path / "mnist", images[train], labels[train], images[test], labels[test])


def outputs(text):
    """The outputs printed with --only-fours."""
    return [float(y) for y in re.findall(r"^  (?:the|digit) \d+ +(\d\.\d{4})(?:  a 4)?$", text, re.MULTILINE)]


def judged(text):
    """What a run says after training, but for its last line, which tells the time."""
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


def test_the_run_says_what_it_trained(ten):
    """Net, settings, progress, and a training set that is nearly learned."""
    assert "MLP(784, [30, 10], 'sigmoid'): 23860 parameters; seed 0" in ten.text
    assert "4,000 images: cross-entropy cost, learning rate 0.5, batches of 10, epochs: 30." in ten.text
    assert re.search(r"30/30.*cost 0\.0\d{3}, accuracy (99\.\d|100\.0)%", ten.error)
    assert counts("training images it tells", ten.text)[0] > 3900


def test_the_report_is_an_independent_count_of_the_thousand_held_out(ten):
    """Accuracy, what is certain and what is less so, and the random strips that the seed draws."""
    Y, labels = held_out(ten)
    hits, sure = Y.argmax(axis=1) == labels, Y.max(axis=1) >= 0.9
    assert counts("accuracy", ten.text) == (hits.sum(), 1000)
    assert hits.sum() > 900
    assert counts("certain", ten.text) == (hits[sure].sum(), sure.sum())
    assert f"{hits[~sure].sum()} of {(~sure).sum()} where it is less" in ten.text
    strips = np.random.default_rng(0).integers(1000, size=(1000, 6)).tolist()
    assert counts("strips", ten.text) == (sum(all(hits[index] for index in strip) for strip in strips), 1000)
    assert f"which is {hits.mean() ** 6:.1%}" in ten.text


def test_the_confusion_matrix_is_an_independent_count(ten):
    """Every number in the picture, its title, and the mistake the report calls the most frequent."""
    Y, labels = held_out(ten)
    counted = Counter(zip(labels.tolist(), Y.argmax(axis=1).tolist(), strict=True))
    (axes,) = pictures.confusion(digits.confusion(labels, Y.argmax(axis=1))).axes
    shown = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    places = [(digit, called) for digit in range(10) for called in range(10)]
    assert shown == {place: str(counted[place] or "\u00b7") for place in places}
    right = sum(counted[digit, digit] for digit in range(10))
    assert axes.get_title() == f"{right} of 1,000 held-out digits read right"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("is a", "read as")
    most = re.search(r"most often, (\d+) times, a (\d) is read as a (\d)", ten.text)
    mistakes = [counted[place] for place in places if place[0] != place[1]]
    assert int(most[1]) == counted[int(most[2]), int(most[3])] == max(mistakes)


def test_the_pictures_show_what_they_say(ten):
    """The mistakes, each image by its digit; one square per hidden neuron; the curve in per cent; none is blank."""
    Y, labels = held_out(ten)
    called, images = Y.argmax(axis=1), data.load(400)[1]
    wrong = [f"{a} as {b}" for a, b in zip(labels, called, strict=True) if a != b]
    shown = [text.get_text() for text in pictures.misread(images, called).axes[0].texts]
    assert len(shown) == min(len(wrong), 40)
    assert not Counter(shown) - Counter(wrong)
    A = MLP.load(ten.out / "net.npz").weights()[0]
    mosaic = pictures.first_weights(A).axes[0].images[0].get_array().reshape(3, 32, 10, 32).swapaxes(1, 2)
    squares = mosaic[:, :, :28, :28].reshape(30, 784)
    assert np.allclose(squares, A / np.abs(A).max(axis=1, keepdims=True))
    epochs = [Epoch(n, 1.0, accuracy, 0.0, 1.0, accuracy / 2) for n, accuracy in ((1, 0.5), (2, 0.75))]
    lines = [line.get_ydata() for line in pictures.learning_curve(epochs, "").axes[0].lines]
    assert np.array_equal(lines, [[50.0, 25.0], [75.0, 62.5]])
    for name in ("read", "learning_curve", "confusion", "misread", "weights"):
        assert not_blank(ten.out / f"{name}.png")


def test_a_net_without_mistakes_has_a_picture_of_none():
    """Which says so."""
    images = data.load(400)[1]
    figure = pictures.misread(images, images.labels)
    assert figure.axes[0].get_title() == "0 of the 0 held-out digits read wrong"


def test_a_saved_net_gives_the_same_report(ten, run):
    """--load takes what --save wrote: no training, and the same report, figure for figure and pixel for pixel."""
    loaded = run("--load", ten.out / "net.npz")
    assert "training" not in loaded.error
    trained = [line.replace(str(ten.out), str(loaded.out)) for line in judged(ten.text)]
    assert judged(loaded.text) == [line.replace("learning_curve.png, ", "") for line in trained]
    assert "which does not tell what it was trained on" in loaded.text
    for name in ("504192.png", "read.png", "confusion.png", "misread.png", "weights.png"):
        assert (loaded.out / name).read_bytes() == (ten.out / name).read_bytes()


def test_the_settings_reach_the_training(run, tmp_path):
    """The net is the one that `train` gives with them."""
    settings = "--hidden 3 --cost quadratic --epochs 2 --batch-size 50 --learning-rate 0.7 --seed 5"
    text = run(*settings.split(), "--save", tmp_path / "net.npz").text
    assert "Trained on 4,000 images: quadratic cost, learning rate 0.7, batches of 50, epochs: 2." in text
    training = data.load(each=400)[0]
    net = MLP(784, [3, 10], seed=5)
    X, R = training.images.reshape(-1, 784) / 255, np.eye(10)[training.labels]
    list(train(net, X, R, cost=quadratic, learning_rate=0.7, epochs=2, batch_size=50, seed=5))
    for a, b in zip(net.weights(), MLP.load(tmp_path / "net.npz").weights(), strict=True):
        assert np.array_equal(a, b)


def test_defaults_depend_on_the_task(run, mnist):
    """Longer steps for the quadratic cost, whose gradients are smaller; ten epochs with --quick, unless named."""
    text = run("--mnist", mnist, "--cost", "quadratic", "--epochs", 1).text
    assert "quadratic cost, learning rate 2, batches of 10, epochs: 1." in text
    assert "10/10" in run("--quick", "--only-fours").error
    assert "2/2" in run("--quick", "--epochs", 2, "--only-fours").error


def test_a_seed_repeats_itself_and_another_differs(run, mnist):
    """Every line but the last, which tells the time, comes out the same."""
    first, second, other = (run("--mnist", mnist, "--epochs", 1, "--hidden", 3, "--seed", n).text for n in (7, 7, 8))
    assert first.splitlines()[:-1] == second.splitlines()[:-1]
    assert READ.findall(first) != READ.findall(other)


def test_a_strip_read_wrong_is_reported_as_it_is(run):
    """A net of one hidden neuron cannot tell ten digits apart, and the closing line says what went wrong."""
    text = run("--hidden", 1, "--epochs", 1).text
    read = "".join(digit for _, digit, *_ in READ.findall(text))
    wrong = ", ".join(str(i) for i, (a, b) in enumerate(zip(read, "504192", strict=True), 1) if a != b)
    assert wrong
    assert f"Seen: 504192 is read as {read}, wrong at digit {wrong};" in text


def test_a_users_strip_is_read(ten, run, strip, tmp_path):
    """--image reads as many digits as the file shows, here the demo's own strip dark on light, cut after the 4."""
    Image.fromarray(255 - np.pad(strip[:, : 3 * 28], ((11, 2), (5, 0)))).save(tmp_path / "own.png")
    text = run("--load", ten.out / "net.npz", "--image", tmp_path / "own.png").text
    read = READ.findall(text)
    assert len(read) == 6 + 3
    assert f"Your picture, {tmp_path / 'own.png'}, is read as 504:" in text
    assert "; your picture is read as 504; 92.1%" in text
    assert "unsure" not in text
    assert not_blank(tmp_path / "out" / "yours.png")


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


def test_runs_as_a_script_from_any_folder(tmp_path):
    """Its data lie beside it, its pictures go to `out` where it is run; warnings would be errors, and ASCII is enough."""
    command = [sys.executable, "-W", "error", FOLDER / "digits.py", "--only-fours", "--epochs", "1"]
    subprocess.run(command, cwd=tmp_path, env=environment(PYTHONIOENCODING="ascii"), capture_output=True, check=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["504192.png"]


# The convolution.


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


# MNIST's own files; test_digit_data.py reads them in every form.


def test_mnist_of_the_user_is_trained_on_and_judged_by(mnist, run):
    """--mnist takes training and held-out images from the folder, leaves the strip's six out, and says so."""
    text = run("--mnist", mnist, "--epochs", 20).text
    assert f"MNIST from {mnist}: 100 images to train on, none of the strip's; 40 held out." in text
    assert "Trained on 100 images" in text
    assert counts("accuracy", text)[1] == 40
    assert counts("training images it tells", text)[0] > 90
    assert len(READ.findall(text)) == 6


# Only the fours.


def test_finds_the_4_in_504192(fours, run):
    """All 100 training images learned; of the strip's outputs only the third is near 1; a loaded net says the same."""
    assert counts("training images it tells", fours.text) == (100, 100)
    y = outputs(fours.text)
    assert len(y) == 6
    assert y[2] > 0.9 > 0.1 > max(y[:2] + y[3:])
    assert "only the third digit is called a 4" in fours.text.splitlines()[-1]
    strip = fours.out / "504192.png"
    ran = run("--only-fours", "--load", fours.out / "net.npz", "--image", strip)
    loaded = ran.text
    assert "In your picture, 1 of 6 are called a 4." in loaded.splitlines()[-1]
    assert not_blank(ran.out / "yours.png")
    assert outputs(loaded) == 2 * y
    assert judged(loaded)[:4] == judged(fours.text)[:4]


def test_the_report_of_the_fours_is_an_independent_count(fours):
    """Accuracy, precision and recall of 4,900 images with 490 fours, better than saying no to all."""
    Y, labels = held_out(fours, each=10)
    called, four = Y[:, 0] >= 0.5, labels == 4
    assert counts("accuracy", fours.text) == ((called == four).sum(), 4900)
    assert counts("precision", fours.text) == ((called & four).sum(), called.sum())
    assert counts("recall", fours.text) == ((called & four).sum(), 490)
    assert (called == four).mean() > 0.92


def test_an_untrained_net_is_reported_as_it_is(run):
    """After one epoch nothing is called a 4: precision is undefined, and the closing line says what went wrong."""
    text = run("--only-fours", "--epochs", 1).text
    assert "precision  undefined, 0 of 0" in text
    assert "calls nothing a 4, where digit 3 alone is one" in text


# What it refuses: exit code 2 before any training, and one line that names what is wrong and what to do.


def refusal(ran):
    """The line, where nothing else was printed or written."""
    assert (ran.code, ran.text, ran.out.exists(), ran.error.count("\n")) == (2, "", False, 1)
    return ran.error.removeprefix("digits.py: ")


def picture(width, height):
    return Image.fromarray(np.random.default_rng(0).integers(256, size=(height, width), dtype=np.uint8))


def cut_short(path):
    picture(168, 28).save(path)
    path.write_bytes(path.read_bytes()[:2000])


WRONG_PICTURES = {
    "missing": (lambda path: None, "does not exist: name a PNG"),
    "folder": (lambda path: path.mkdir(), "is a folder: name the picture in it"),
    "empty": (lambda path: path.touch(), "is empty: a PNG picture"),
    "text": (lambda path: path.write_text("504192"), "is not a picture: a PNG picture"),
    "cut short": (cut_short, "cannot be read as a picture"),
    "one colour": (lambda path: Image.new("RGB", (168, 28), "teal").save(path), "is of one colour"),
    "nothing to see": (lambda path: Image.new("RGBA", (168, 28)).save(path), "is of one colour"),
}


@pytest.mark.parametrize("kind", WRONG_PICTURES)
def test_a_wrong_picture_is_refused(kind, run, tmp_path):
    """By its name."""
    make, message = WRONG_PICTURES[kind]
    path = tmp_path / "mine.png"
    make(path)
    assert re.match(rf"{re.escape(str(path))} {message}", refusal(run("--image", path)))


WRONG_OPTIONS = {
    "--epochs 0": "argument --epochs: '0' arrived where a whole number from 1 was wanted",
    "--seed -1": "argument --seed: '-1' arrived where a whole number from 0 was wanted",
    "--batch-size 4001": "--batch-size 4001 exceeds the 4,000 training images: lower it",
    "--learning-rate 0": "argument --learning-rate: '0' arrived where a positive number was wanted",
    "--cost squared": "argument --cost: invalid choice: 'squared' (choose from ",
    "--mnist nowhere": "nowhere is not a folder: name the one that holds MNIST's four IDX files",
    "--only-fours --mnist .": "--only-fours learns from 100 of the images shipped: leave out --mnist or --only-fours",
    "--load a --learning-rate 3": "--learning-rate is about training, which --load skips: leave out one of them",
    "--net conv --hidden 5": "--hidden is about the net of layers: leave it out, or --net conv",
    "--fast": "unrecognized arguments: --fast",
}


@pytest.mark.parametrize("options", WRONG_OPTIONS)
def test_a_wrong_option_is_refused(options, run, tmp_path, monkeypatch):
    """With what arrived and what was wanted."""
    monkeypatch.chdir(tmp_path)
    assert refusal(run(*options.split())).startswith(WRONG_OPTIONS[options])


@pytest.mark.parametrize("path", ["nowhere/net.npz", "."])
def test_a_file_that_cannot_be_written_is_refused(path, run, tmp_path, monkeypatch):
    """Before the training whose net it is for."""
    monkeypatch.chdir(tmp_path)
    ran = run("--save", path)
    assert (ran.code, ran.text) == (2, "")
    assert ran.error == f"digits.py: {path} cannot be written: name a file in a folder that exists with --save\n"


NETS = {
    "other inputs": (lambda: MLP(5, [10]), "", "MLP(784, [..., 10], 'sigmoid')"),
    "one output": (lambda: MLP(784, [2, 1]), "", "MLP(784, [..., 10], 'sigmoid')"),
    "ten outputs for the fours": (lambda: MLP(784, [2, 10]), "--only-fours", "MLP(784, [..., 1], 'sigmoid')"),
    "other hidden neurons": (lambda: MLP(784, [2, 10]), "--hidden 3", "MLP(784, [3, 10], 'sigmoid')"),
    "linear outputs": (lambda: MLP(784, [2, 10], "sigmoid", "linear"), "", "MLP(784, [..., 10], 'sigmoid')"),
}


@pytest.mark.parametrize("kind", NETS)
def test_a_net_of_the_wrong_shape_is_refused(kind, run, tmp_path):
    """With the net that the file holds and the net that was wanted."""
    make, options, wanted = NETS[kind]
    path = tmp_path / "net.npz"
    make().save(path)
    line = refusal(run("--load", path, *options.split()))
    assert line.startswith(f"{path} holds MLP(")
    assert line.endswith(f", but {wanted} was wanted\n")


@pytest.mark.parametrize("damage", ["missing", "folder", "text", "cut short", "other zip version"])
def test_a_wrong_net_file_is_refused(damage, run, tmp_path):
    """With what to name instead."""
    path = tmp_path / "net.npz"
    if damage == "folder":
        path.mkdir()
    elif damage == "text":
        path.write_text("504192")
    elif damage != "missing":
        MLP(784, [1, 10], seed=1).save(path)
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\x01\x02") + 6] = 99
        path.write_bytes(content[:5000] if damage == "cut short" else content)
    line = refusal(run("--load", path))
    assert str(path) in line
    assert line.endswith(": name a file that --save wrote\n")


def test_an_out_that_is_a_file_is_refused(run, tmp_path):
    """With another folder as the remedy."""
    (tmp_path / "out").touch()
    ran = run()
    assert (ran.code, ran.text) == (2, "")
    assert "name another folder with --out" in ran.error


def test_a_training_that_diverges_says_so_and_saves_nothing(run, tmp_path):
    """A learning rate beyond reason: exit code 2, a line that names epoch and step, no file."""
    ran = run("--learning-rate", "1e308", "--save", tmp_path / "net.npz")
    assert ran.code == 2
    assert re.search(
        r"^digits\.py: training diverged in epoch 1, step \d+ .*Try a learning rate below", ran.error, re.M
    )
    assert not (tmp_path / "net.npz").exists()


def test_a_full_disk_is_reported(run, tmp_path, monkeypatch):
    """With the file's name."""

    def full(self, path):
        raise OSError("No space left on device")

    monkeypatch.setattr(MLP, "save", full)
    ran = run("--only-fours", "--epochs", 1, "--save", tmp_path / "net.npz")
    assert ran.code == 2
    assert "net.npz cannot be written (No space left on device): name another file with --save" in ran.error


def test_ctrl_c_ends_it_quietly(run, monkeypatch):
    """Exit code 130 and a word, no traceback."""

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(digits, "fit", interrupted)
    ran = run()
    assert (ran.code, ran.error) == (130, "digits.py: stopped\n")
