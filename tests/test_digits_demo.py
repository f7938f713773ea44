"""`demos/digits.py` does what it says: it learns, it reads 504192 and a user's strip, it tells the truth about itself.

Every run takes place in this process; the longer ones are made once and looked at by several tests.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from microgradnet import MLP, quadratic, train

SCRIPT = Path(__file__).parents[1] / "demos" / "digits.py"
if str(SCRIPT.parent) not in sys.path:  # as when the script runs
    sys.path.insert(0, str(SCRIPT.parent))
digits: Any = importlib.import_module("digits")
data: Any = importlib.import_module("digit_data")

OUTPUT = re.compile(r"^  (?:the|digit) \d+ +(\d\.\d{4})(  a 4)?$", re.MULTILINE)
READ = re.compile(r"^  digit (\d+): (\d), certainty (\d\.\d{4}); runner-up: (\d), (\d\.\d{4})$", re.MULTILINE)


class Ran(NamedTuple):
    """What a run of the demo left behind."""

    code: int
    text: str
    error: str
    out: Path


Run = Callable[..., Ran]


def _run(out: Path, *arguments: object) -> Ran:
    text, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(error):
        code = digits.main(["--out", str(out), *map(str, arguments)])
    return Ran(code, text.getvalue(), error.getvalue(), out)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The demo in this process, its pictures going to a folder of the test's own."""
    return partial(_run, tmp_path / "out")


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The demo as by default, its net saved as net.npz beside the pictures."""
    out = tmp_path_factory.mktemp("digits") / "out"
    return _run(out, "--save", out / "net.npz")


@pytest.fixture(scope="module")
def fours_run(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The demo with --only-fours, its net saved as net.npz beside the picture."""
    out = tmp_path_factory.mktemp("fours") / "out"
    return _run(out, "--only-fours", "--save", out / "net.npz")


@pytest.fixture(scope="module")
def strip() -> np.ndarray:
    """The demo's own strip, pixels from 0 to 255, shape (28, 168)."""
    return np.hstack(list(data.load(each=400)[2].images))


def _outputs(text: str) -> list[float]:
    """The outputs printed with --only-fours."""
    return [float(output) for output, _ in OUTPUT.findall(text)]


def _judged(text: str) -> list[str]:
    """What a run says after training, but for its last line, which tells the time."""
    lines = text.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("The images held out")) : -1]


def _percent(line: str, text: str) -> tuple[float, int, int]:
    """The share that a line of the report states, with its numerator and denominator."""
    match = re.search(rf"{line} +([\d.]+)%, ([\d,]+) of ([\d,]+)", text)
    assert match, f"no line {line!r} in\n{text}"
    share, part, whole = (float(number.replace(",", "")) for number in match.groups())
    return share, int(part), int(whole)


def _forward(path: Path, X: np.ndarray) -> np.ndarray:
    """The outputs of a saved net by the textbook, from its matrices: what the compiled net is checked against."""
    net = MLP.load(path)
    Y = X
    for A, b in zip(net.weights(), net.biases(), strict=True):
        Y = 1 / (1 + np.exp(-(Y @ A.T + b)))
    return Y


def _held_out(run: Ran, each: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """The outputs of a run's net on the images held out, and the digits these show."""
    held_out = data.load(each)[1]
    return _forward(run.out / "net.npz", held_out.images.reshape(-1, 784) / 255), held_out.labels


# The job.


def test_reads_504192_as_the_number_504192(default_run: Ran) -> None:
    """As run by default: every digit of the strip right, ahead of its runner-up, and the closing line says so."""
    assert default_run.code == 0
    read = READ.findall(default_run.text)
    assert "".join(digit for _, digit, *_ in read) == "504192"
    assert min(float(certainty) for *_, certainty, _, _ in read) > 0.5
    assert max(float(certainty) for *_, certainty in read) < 0.5
    closing = default_run.text.splitlines()[-1]
    match = re.match(
        r"Seen: 504192 is read as 504192, each digit with certainty (0\.\d\d) or more; 9\d\.\d% of ", closing
    )
    assert match
    assert 0 <= min(float(certainty) for *_, certainty, _, _ in read) - float(match[1]) < 0.0101
    with Image.open(default_run.out / "504192.png") as picture:
        assert picture.size == (6 * 28, 28)


def test_certainty_and_runner_up_are_the_two_largest_outputs(default_run: Ran, strip: np.ndarray) -> None:
    """For each digit of the strip, as the textbook's forward pass has them."""
    X = np.array([digit.ravel() for digit in np.hsplit(strip / 255, 6)])
    expected = []
    for y in _forward(default_run.out / "net.npz", X):
        (largest, first), (next_largest, second) = sorted(zip(y, range(10), strict=True), reverse=True)[:2]
        expected.append((str(first), f"{largest:.4f}", str(second), f"{next_largest:.4f}"))
    assert [found[1:] for found in READ.findall(default_run.text)] == expected


def test_the_progress_bar_shows_cost_and_accuracy(default_run: Ran) -> None:
    """30 epochs, at whose end the cost is small and nearly every training image told right."""
    assert re.search(r"30/30.*cost 0\.0\d{3}, accuracy (99\.\d|100\.0)%", default_run.error)
    assert "MLP(784, [30, 10], 'sigmoid'): 23860 parameters; seed 0" in default_run.text
    assert (
        "Trained on 4,000 images: cross-entropy cost, learning rate 0.5, batches of 10, epochs: 30." in default_run.text
    )


def test_the_report_is_of_the_thousand_held_out(default_run: Ran) -> None:
    """Accuracy above 90 %, as counted again; with what is certain and what is less so, it covers them all."""
    Y, labels = _held_out(default_run)
    hits = [max(range(10), key=y.__getitem__) == label for y, label in zip(Y.tolist(), labels, strict=True)]
    accuracy, right, images = _percent("accuracy", default_run.text)
    assert (right, images) == (sum(hits), 1000)
    assert accuracy == pytest.approx(100 * right / images, abs=0.0501)
    assert accuracy > 90
    certain = [hit for y, hit in zip(Y, hits, strict=True) if max(y) >= 0.9]
    assert _percent("certain", default_run.text)[1:] == (sum(certain), len(certain))
    assert f"{right - sum(certain)} of {1000 - len(certain)} where it is less" in default_run.text
    assert 3900 < _percent("training images it tells", default_run.text)[1] <= 4000


def test_the_confusion_matrix_is_an_independent_count(
    default_run: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every number in the picture, its title, and the mistake the report calls the most frequent."""
    Y, labels = _held_out(default_run)
    counted = Counter(zip(labels.tolist(), [y.index(max(y)) for y in Y.tolist()], strict=True))
    figures = []

    def remembered(**settings: Any) -> Figure:
        figures.append(Figure(**settings))
        return figures[-1]

    monkeypatch.setattr(digits, "Figure", remembered)
    assert _run(tmp_path, "--load", default_run.out / "net.npz").code == 0
    (axes,) = figures[0].axes
    shown = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts}
    assert len(shown) == 100
    for place, text in shown.items():
        assert text == (str(counted[place]) if counted[place] else "\u00b7")
    right = sum(counted[digit, digit] for digit in range(10))
    assert axes.get_title() == f"{right} of 1,000 held-out digits read right"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("is a", "read as")
    mistakes = {place: count for place, count in counted.items() if place[0] != place[1]}
    match = re.search(r"mistakes  all in (.*); most often, (\d+) times, a (\d) is read as a (\d)", default_run.text)
    assert match
    assert int(match[2]) == mistakes[int(match[3]), int(match[4])] == max(mistakes.values())
    assert match[1] == str(default_run.out / "confusion.png")


def test_the_confusion_picture_shows_something(default_run: Ran) -> None:
    """A PNG large enough to read, with a dark number on green in every cell of the diagonal."""
    with Image.open(default_run.out / "confusion.png") as picture:
        assert (picture.format, min(picture.size) >= 600) == ("PNG", True)
        red, green, blue = (channel.astype(int) for channel in np.moveaxis(np.asarray(picture.convert("RGB")), 2, 0))
    of_green = (green - np.maximum(red, blue) > 20).mean()
    assert 0.05 < of_green < 0.15  # ten cells of a hundred
    assert (red + green + blue < 100).mean() > 0.002


def test_random_strips_are_counted_one_by_one(default_run: Ran) -> None:
    """1,000 strips of six held-out images drawn by the seed: as many without a mistake as a plain count finds."""
    Y, labels = _held_out(default_run)
    hits = (Y.argmax(axis=1) == labels).tolist()
    draws = np.random.default_rng(0).integers(1000, size=(1000, 6)).tolist()
    flawless = sum(all(hits[index] for index in draw) for draw in draws)
    share, found, strips = _percent("strips", default_run.text)
    assert (found, strips) == (flawless, 1000)
    expected = (sum(hits) / 1000) ** 6
    assert f"which is {expected:.1%}" in default_run.text
    assert share / 100 == pytest.approx(expected, abs=0.08)  # five standard deviations


def test_a_saved_net_gives_the_same_report(default_run: Ran, run: Run) -> None:
    """--load takes what --save wrote: no training, and the same report, figure for figure and pixel for pixel."""
    loaded = run("--load", default_run.out / "net.npz")
    assert loaded.code == 0
    assert "training" not in loaded.error
    same = [line.replace(str(default_run.out), str(loaded.out)) for line in _judged(default_run.text)]
    assert _judged(loaded.text) == same
    assert "which does not tell what it was trained on" in loaded.text
    assert f"Saved to {default_run.out / 'net.npz'}." in default_run.text
    for name in ("504192.png", "confusion.png"):
        assert (loaded.out / name).read_bytes() == (default_run.out / name).read_bytes()


def test_the_settings_reach_the_training(run: Run, tmp_path: Path) -> None:
    """--hidden, --cost, --epochs, --batch-size, --learning-rate, --seed: the net is the one that `train` gives with them."""
    settings = "--hidden 3 --cost quadratic --epochs 2 --batch-size 50 --learning-rate 0.7 --seed 5"
    code, text, *_ = run(*settings.split(), "--save", tmp_path / "net.npz")
    assert code == 0
    assert "Trained on 4,000 images: quadratic cost, learning rate 0.7, batches of 50, epochs: 2." in text
    training = data.load(each=400)[0]
    net = MLP(784, [3, 10], seed=5)
    R = [[float(label == digit) for digit in range(10)] for label in training.labels]
    X = training.images.reshape(-1, 784) / 255
    list(train(net, X, R, cost=quadratic, learning_rate=0.7, epochs=2, batch_size=50, seed=5))
    for a, b in zip(net.weights(), MLP.load(tmp_path / "net.npz").weights(), strict=True):
        assert np.array_equal(a, b)


def test_the_learning_rate_depends_on_the_cost(run: Run) -> None:
    """Where none is named: 2 for the quadratic cost, whose gradients are smaller."""
    assert (
        "quadratic cost, learning rate 2, batches of 10, epochs: 1." in run("--cost", "quadratic", "--epochs", 1).text
    )


def test_quick_mode_learns_too(run: Run) -> None:
    """--quick trains 10 epochs and reads more than 90 % right, in either mode; --epochs wins over it."""
    quick = run("--quick")
    assert (quick.code, "10/10" in quick.error) == (0, True)
    assert _percent("accuracy", quick.text)[0] > 90
    fours = run("--quick", "--only-fours")
    assert ("10/10" in fours.error, int(np.argmax(_outputs(fours.text)))) == (True, 2)
    assert "2/2" in run("--quick", "--epochs", 2, "--only-fours").error


def test_a_seed_repeats_itself_and_another_differs(run: Run, mnist: Path) -> None:
    """--seed settles weights, batches and strips: every line but the last, which tells the time, comes out the same."""
    first, second, other = (
        run("--mnist", mnist, "--epochs", 1, "--hidden", 3, "--seed", seed).text for seed in (7, 7, 8)
    )
    assert first.splitlines()[:-1] == second.splitlines()[:-1]
    assert READ.findall(first) != READ.findall(other)


def test_a_strip_read_wrong_is_reported_as_it_is(run: Run) -> None:
    """A net of one hidden neuron cannot tell ten digits apart, and the closing line says what went wrong."""
    text = run("--hidden", 1, "--epochs", 1).text
    read = "".join(digit for _, digit, *_ in READ.findall(text))
    wrong = ", ".join(str(i) for i, (a, b) in enumerate(zip(read, "504192", strict=True), 1) if a != b)
    assert wrong
    assert f"Seen: 504192 is read as {read}, wrong at digit {wrong};" in text


def test_a_users_strip_is_read(default_run: Ran, run: Run, strip: np.ndarray, tmp_path: Path) -> None:
    """--image reads as many digits as the file has, here the demo's own strip dark on light, cut after the 4."""
    Image.fromarray(255 - strip[:, : 3 * 28]).save(tmp_path / "own.png")
    code, text, *_ = run("--load", default_run.out / "net.npz", "--image", tmp_path / "own.png")
    assert code == 0
    read = READ.findall(text)
    assert len(read) == 6 + 3
    assert read[6:] == read[:3]
    number = "".join(digit for _, digit, *_ in read[6:])
    assert f"Your strip, {tmp_path / 'own.png'}, is read as {number}:" in text


def test_help_tells_every_option_in_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """--help names all of them, in letters that every terminal has."""
    with pytest.raises(SystemExit) as stop:
        digits.main(["--help"])
    text = capsys.readouterr().out
    assert (stop.value.code, text.isascii()) == (0, True)
    options = "only-fours mnist hidden cost epochs batch-size learning-rate quick seed save load image out"
    assert all(f"  --{option} " in text for option in options.split())


def test_runs_as_a_script_from_any_folder(tmp_path: Path) -> None:
    """Its data lie beside it, its pictures go to `out` where it is run; warnings would be errors, and ASCII is enough."""
    command = [sys.executable, "-W", "error", str(SCRIPT), "--epochs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1]), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="ascii")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["504192.png", "confusion.png"]


# MNIST's own files; test_digit_data.py reads them in every form.


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A folder with a small MNIST: 100 training images, the strip's six before them, and 40 held out."""
    images, labels = data.load_shipped()
    strip = [5 * 500, 0, 4 * 500, 500, 9 * 500, 2 * 500]
    chosen = {"train": [*strip, *range(9, 5000, 50)], "t10k": list(range(20, 5000, 125))}
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, indices in chosen.items():
        count = len(indices)
        pixels, shown = images[indices].tobytes(), labels[indices].tobytes()
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + pixels)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, count) + shown)
    return folder


def test_mnist_of_the_user_is_trained_on_and_judged_by(mnist: Path, run: Run) -> None:
    """--mnist takes training and held-out images from the folder, leaves the strip's six out, and says so."""
    code, text, *_ = run("--mnist", mnist, "--epochs", 20)
    assert code == 0
    assert f"MNIST from {mnist}: 100 images to train on, none of the strip's; 40 held out." in text
    assert "Trained on 100 images" in text
    assert _percent("accuracy", text)[2] == 40
    assert _percent("training images it tells", text)[0] > 90
    assert len(READ.findall(text)) == 6


def test_a_wrong_mnist_folder_gets_one_clear_line(mnist: Path, run: Run) -> None:
    """Exit code 2 before anything is printed or written, and a line that names the file."""
    file = mnist / "t10k-labels-idx1-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    code, text, error, out = run("--mnist", mnist)
    assert (code, text, out.exists()) == (2, "", False)
    assert re.fullmatch(
        rf"digits\.py: {re.escape(str(file))} promises 40 bytes, 40, and holds 39: get it again\n", error
    )


def test_a_batch_larger_than_the_data_is_refused(mnist: Path, run: Run) -> None:
    """It is the training images without those of the strip that count."""
    assert run("--mnist", mnist, "--epochs", 1, "--batch-size", 100).code == 0
    code, text, error, _ = run("--mnist", mnist, "--batch-size", 101)
    assert (code, text) == (2, "")
    assert error == "digits.py: --batch-size 101 exceeds the 100 training images: lower it\n"


# Only the fours.


def test_finds_the_4_in_504192(fours_run: Ran) -> None:
    """With --only-fours: all 100 training images learned, and of the strip's outputs only the third is near 1."""
    assert fours_run.code == 0
    assert _percent("training images it tells", fours_run.text) == (100.0, 100, 100)
    outputs = _outputs(fours_run.text)
    assert len(outputs) == 6
    assert outputs[2] > 0.9
    assert max(outputs[:2] + outputs[3:]) < 0.1
    assert "only the third digit is called a 4" in fours_run.text.splitlines()[-1]
    assert f"cut apart from {fours_run.out / '504192.png'}" in fours_run.text
    assert re.search(r"30/30.*cost 0\.00\d\d, accuracy 100\.0%", fours_run.error)


def test_the_report_of_the_fours_is_of_all_held_out_images_and_consistent(fours_run: Ran) -> None:
    """Accuracy, precision and recall cover 4,900 images with 490 fours, belong together, and beat saying no."""
    accuracy, right, images = _percent("accuracy", fours_run.text)
    precision, found, called = _percent("precision", fours_run.text)
    recall, found_again, fours = _percent("recall", fours_run.text)
    assert (images, fours, found) == (4900, 490, found_again)
    assert right == images - (called - found) - (fours - found)
    for share, part, whole in [(accuracy, right, images), (precision, found, called), (recall, found, fours)]:
        assert share == pytest.approx(100 * part / whole, abs=0.0501)
    assert accuracy > 92
    assert min(precision, recall) > 50
    Y, labels = _held_out(fours_run, each=10)
    assert right == sum((y >= 0.5) == (label == 4) for y, label in zip(Y[:, 0], labels, strict=True))


def test_a_saved_net_for_the_fours_gives_the_same_report(fours_run: Ran, run: Run) -> None:
    """--load with --only-fours, too; and --image reads a strip with it."""
    strip = fours_run.out / "504192.png"
    loaded = run("--only-fours", "--load", fours_run.out / "net.npz", "--image", strip)
    outputs = _outputs(loaded.text)
    assert outputs == 2 * _outputs(fours_run.text)
    assert _judged(loaded.text)[:4] == _judged(fours_run.text)[:4]
    assert f"Your strip, {strip}. Is this a 4?" in loaded.text


def test_an_untrained_net_is_reported_as_it_is(run: Run) -> None:
    """After one epoch nothing is called a 4: precision is undefined, and the closing line says what went wrong."""
    code, text, *_ = run("--only-fours", "--epochs", 1)
    assert code == 0
    assert "precision  undefined, 0 of 0" in text
    assert "calls nothing a 4, where digit 3 alone is one" in text


# What it refuses.


def _picture(width: int, height: int) -> Callable[[Path], object]:
    pixels = np.random.default_rng(0).integers(256, size=(height, width), dtype=np.uint8)
    return lambda path: Image.fromarray(pixels).save(path)


def _cut_short(path: Path) -> None:
    _picture(168, 28)(path)
    path.write_bytes(path.read_bytes()[:2000])


WRONG_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "does not exist: name a PNG"),
    "folder": (lambda path: path.mkdir(), "is a folder: name the picture in it"),
    "empty": (lambda path: path.touch(), "is empty: a PNG picture"),
    "text": (lambda path: path.write_text("504192"), "is not a picture: a PNG picture"),
    "cut short": (_cut_short, "cannot be read as a picture"),
    "one colour": (lambda path: Image.new("RGB", (168, 28), "teal").save(path), "is of one colour"),
    "nothing to see": (lambda path: Image.new("RGBA", (168, 28)).save(path), "is of one colour"),
    "between 5 and 6 digits": (_picture(320, 58), r"is 320×58 pixels.* to 348×58 for n = 6"),
    "tall": (_picture(30, 90), r"is 30×90 pixels.* to 90×90 for n = 1"),
    "a line": (_picture(1, 90), r"is 1×90 pixels, which is 0×28 when scaled.* to 90×90 for n = 1"),
}


@pytest.mark.parametrize("kind", WRONG_FILES)
def test_a_wrong_file_gets_one_clear_line(kind: str, run: Run, tmp_path: Path) -> None:
    """Exit code 2 before any training, and one line that names the file, what is wrong and what to do."""
    make, message = WRONG_FILES[kind]
    path = tmp_path / "mine.png"
    make(path)
    code, text, error, _ = run("--image", path)
    assert (code, text) == (2, "")
    assert re.fullmatch(rf"digits\.py: {re.escape(str(path))} {message}.*\n", error)


@pytest.mark.parametrize("damage", range(8))
def test_a_damaged_picture_never_ends_in_a_traceback(damage: int, strip: np.ndarray, run: Run, tmp_path: Path) -> None:
    """Bytes of a PNG overwritten at random: either it still reads as a strip or there is one line of error."""
    path = tmp_path / "mine.png"
    Image.fromarray(strip).save(path)
    rng = np.random.default_rng(damage)
    data = bytearray(path.read_bytes())
    for place in rng.integers(8, len(data), 10):
        data[place] = rng.integers(256)
    path.write_bytes(data)
    code, _, error, _ = run("--only-fours", "--epochs", 1, "--image", path)
    assert code == 0 or (code == 2 and error.count("\n") == 1 and str(path) in error)


WRONG_OPTIONS = {
    "--epochs 0": "argument --epochs: '0' arrived where a whole number from 1 was wanted",
    "--epochs ten": "argument --epochs: 'ten' arrived where a whole number from 1 was wanted",
    "--epochs -3": "argument --epochs: '-3' arrived where a whole number from 1 was wanted",
    "--seed -1": "argument --seed: '-1' arrived where a whole number from 0 was wanted",
    "--seed 1.5": "argument --seed: '1.5' arrived where a whole number from 0 was wanted",
    "--hidden 0": "argument --hidden: '0' arrived where a whole number from 1 was wanted",
    "--batch-size 0": "argument --batch-size: '0' arrived where a whole number from 1 was wanted",
    "--batch-size 4001": "--batch-size 4001 exceeds the 4,000 training images: lower it",
    "--learning-rate 0": "argument --learning-rate: '0' arrived where a positive number was wanted",
    "--learning-rate inf": "argument --learning-rate: 'inf' arrived where a positive number was wanted",
    "--learning-rate nan": "argument --learning-rate: 'nan' arrived where a positive number was wanted",
    "--learning-rate fast": "argument --learning-rate: 'fast' arrived where a positive number was wanted",
    "--cost squared": "argument --cost: invalid choice: 'squared' (choose from ",
    "--mnist nowhere": "nowhere is not a folder: name the one that holds MNIST's four IDX files",
    "--only-fours --mnist .": "--only-fours learns from 100 of the images shipped: leave out --mnist or --only-fours",
    "--load a --epochs 3": "--epochs is about training, which --load skips: leave out one of them",
    "--load a --learning-rate 3": "--learning-rate is about training, which --load skips: leave out one of them",
    "--load a --quick": "--quick is about training, which --load skips: leave out one of them",
    "--save nowhere/net.npz": "nowhere/net.npz cannot be written: name a file in a folder that exists with --save",
    "--save .": ". cannot be written: name a file in a folder that exists with --save",
    "--fast": "unrecognized arguments: --fast",
}


@pytest.mark.parametrize("options", WRONG_OPTIONS)
def test_a_wrong_option_gets_one_clear_line(
    options: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2 before any training: the option, what arrived and what was wanted."""
    monkeypatch.chdir(tmp_path)
    code, text, error, _ = run(*options.split())
    assert (code, text, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"digits.py: {WRONG_OPTIONS[options]}")


NETS = {
    "other inputs": (lambda: MLP(5, [10]), "", r"MLP\(784, \[\.\.\., 10\], 'sigmoid'\)"),
    "one output": (lambda: MLP(784, [2, 1]), "", r"MLP\(784, \[\.\.\., 10\], 'sigmoid'\)"),
    "ten outputs for the fours": (lambda: MLP(784, [2, 10]), "--only-fours", r"MLP\(784, \[\.\.\., 1\], 'sigmoid'\)"),
    "other hidden neurons": (lambda: MLP(784, [2, 10]), "--hidden 3", r"MLP\(784, \[3, 10\], 'sigmoid'\)"),
    "more layers": (lambda: MLP(784, [3, 3, 10]), "--hidden 3", r"MLP\(784, \[3, 10\], 'sigmoid'\)"),
    "linear outputs": (lambda: MLP(784, [2, 10], "sigmoid", "linear"), "", r"MLP\(784, \[\.\.\., 10\], 'sigmoid'\)"),
}


@pytest.mark.parametrize("kind", NETS)
def test_a_net_of_the_wrong_shape_gets_one_clear_line(kind: str, run: Run, tmp_path: Path) -> None:
    """The file, the net it holds and the net that was wanted, before anything is printed or written."""
    make, options, wanted = NETS[kind]
    path = tmp_path / "net.npz"
    make().save(path)
    code, text, error, out = run("--load", path, *options.split())
    assert (code, text, out.exists()) == (2, "", False)
    assert re.fullmatch(rf"digits\.py: {re.escape(str(path))} holds MLP\(.*, but {wanted} was wanted\n", error)


def test_a_net_of_other_hidden_layers_is_taken_where_none_were_named(run: Run, tmp_path: Path) -> None:
    """Inputs and outputs must suit; what lies between is the net's own."""
    MLP(784, [3, 4, 10], "tanh", "sigmoid", seed=1).save(tmp_path / "net.npz")
    assert run("--load", tmp_path / "net.npz").code == 0


@pytest.mark.parametrize("damage", ["missing", "folder", "text", "cut short", "other zip version"])
def test_a_wrong_net_file_gets_one_clear_line(damage: str, run: Run, tmp_path: Path) -> None:
    """Exit code 2, the file, and what to name instead."""
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
    code, text, error, out = run("--load", path)
    assert (code, text, out.exists(), error.count("\n")) == (2, "", False, 1)
    assert str(path) in error
    assert error.endswith(": name a file that --save wrote\n")


def test_a_training_that_diverges_says_so_and_saves_nothing(run: Run, tmp_path: Path) -> None:
    """A learning rate beyond reason: exit code 2, one line that names epoch and step, no file."""
    code, _, error, _ = run("--learning-rate", "1e308", "--save", tmp_path / "net.npz")
    assert code == 2
    assert re.match(
        r"digits\.py: training diverged in epoch 1, step \d+ .*Try a learning rate below", error.splitlines()[-1]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_net_that_cannot_be_saved_is_reported(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, say: exit code 2 and the file's name."""

    def full(self: MLP, path: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(MLP, "save", full)
    code, _, error, _ = run("--only-fours", "--epochs", 1, "--save", tmp_path / "net.npz")
    assert code == 2
    assert error.splitlines()[-1].endswith(
        "net.npz cannot be written (No space left on device): name another file with --save"
    )


def test_an_out_that_is_a_file_is_refused(run: Run, tmp_path: Path) -> None:
    """The picture needs a folder; where there is a file of that name, one line says so."""
    (tmp_path / "taken").touch()
    code, text, error, _ = run("--out", tmp_path / "taken")
    assert (code, text, error.count("\n")) == (2, "", 1)
    assert "name another folder with --out" in error


def test_ctrl_c_ends_it_quietly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in its training: exit code 130 and a word, no traceback."""

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(digits, "fit", interrupted)
    code, _, error, _ = run()
    assert (code, error) == (130, "digits.py: stopped\n")
