"""`demos/digits.py` does what it says: it learns, it finds the 4 in 504192, it reads a user's strip, it fails helpfully."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[1] / "demos" / "digits.py"
OUTPUT = re.compile(r"^  (?:the|digit) \d+ +(\d\.\d{4})(  a 4)?$", re.MULTILINE)


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("digits_demo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


digits = _script()


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
        try:
            code = digits.main(["--out", str(out), *map(str, arguments)])
        except SystemExit as stop:  # argparse's way to refuse an option
            code = stop.code
    return Ran(code, text.getvalue(), error.getvalue(), out)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The demo in this process, its picture going to a folder of the test's own."""
    return partial(_run, tmp_path / "out")


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The demo without options; once, for it takes its time."""
    return _run(tmp_path_factory.mktemp("digits") / "out")


@pytest.fixture(scope="module")
def strip() -> np.ndarray:
    """The demo's own strip, pixels from 0 to 255, shape (28, 168)."""
    images, labels = digits.load_digits()
    return np.hstack(list(images[digits.split(labels)[2]]))


def _outputs(text: str) -> list[float]:
    return [float(output) for output, _ in OUTPUT.findall(text)]


def _percent(line: str, text: str) -> tuple[float, int, int]:
    """The share that a line of the report states, with its numerator and denominator."""
    match = re.search(rf"{line} +([\d.]+)%, ([\d,]+) of ([\d,]+)", text)
    assert match, f"no line {line!r} in\n{text}"
    share, part, whole = (float(number.replace(",", "")) for number in match.groups())
    return share, int(part), int(whole)


# The job.


def test_finds_the_4_in_504192(default_run: Ran) -> None:
    """As run by default: all 100 training images learned, and of the strip's outputs only the third is near 1."""
    assert default_run.code == 0
    assert _percent("training images it tells", default_run.text) == (100.0, 100, 100)
    outputs = _outputs(default_run.text)
    assert len(outputs) == 6
    assert outputs[2] > 0.9
    assert max(outputs[:2] + outputs[3:]) < 0.1
    assert "only the third digit is called a 4" in default_run.text.splitlines()[-1]
    assert f"cut apart from {default_run.out / '504192.png'}" in default_run.text
    with Image.open(default_run.out / "504192.png") as picture:
        assert picture.size == (6 * 28, 28)


def test_the_progress_bar_shows_cost_and_accuracy(default_run: Ran) -> None:
    """30 epochs, at whose end the cost is near 0 and every training image told right."""
    assert re.search(r"30/30.*cost 0\.00\d\d, accuracy 100%", default_run.error)


def test_the_report_is_of_all_held_out_images_and_consistent(default_run: Ran) -> None:
    """Accuracy, precision and recall cover 4,900 images with 490 fours, belong together, and beat saying no."""
    accuracy, right, images = _percent("accuracy", default_run.text)
    precision, found, called = _percent("precision", default_run.text)
    recall, found_again, fours = _percent("recall", default_run.text)
    assert (images, fours, found) == (4900, 490, found_again)
    assert right == images - (called - found) - (fours - found)
    for share, part, whole in [(accuracy, right, images), (precision, found, called), (recall, found, fours)]:
        assert share == pytest.approx(100 * part / whole, abs=0.0501)
    assert accuracy > 92
    assert min(precision, recall) > 50


def test_quick_mode_learns_too(run: Run) -> None:
    """--quick trains 10 epochs, learns the training images and still finds the 4."""
    quick = run("--quick")
    assert quick.code == 0
    assert "10/10" in quick.error
    assert _percent("training images it tells", quick.text)[0] == 100.0
    assert int(np.argmax(_outputs(quick.text))) == 2


def test_an_untrained_net_is_reported_as_it_is(run: Run) -> None:
    """After one epoch nothing is called a 4: precision is undefined, and the closing line says what went wrong."""
    code, text, *_ = run("--epochs", 1)
    assert code == 0
    assert "precision  undefined, 0 of 0" in text
    assert "calls nothing a 4, where digit 3 alone is one" in text


def test_a_seed_repeats_itself_and_another_differs(run: Run) -> None:
    """--seed settles weights and batches: every line but the last, which tells the time, comes out the same."""
    first, second, other = (run("--epochs", 1, "--seed", seed).text for seed in (7, 7, 8))
    assert first.splitlines()[:-1] == second.splitlines()[:-1]
    assert _outputs(first) != _outputs(other)


def test_the_seed_settles_the_batches_too() -> None:
    """From the same first weights, another seed trains on other batches and ends elsewhere."""
    X, fours = np.eye(20), np.arange(20) % 2 == 0
    ends = []
    for seed in (7, 7, 8):
        net = digits.MLP(20, [1], seed=0)
        digits.fit(net, X, fours, epochs=1, seed=seed)
        ends.append(net.weights()[0].tolist())
    assert ends[0] == ends[1] != ends[2]


def test_runs_as_a_script_from_any_folder(tmp_path: Path) -> None:
    """Its data lie beside it, its picture goes to `out` where it is run; warnings would be errors."""
    command = [sys.executable, "-W", "error", str(SCRIPT), "--epochs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "504192.png").is_file()


# Its parts.


def test_data_are_5000_digits_500_of_each() -> None:
    """The file holds bytes of the promised shapes, and is at most 1.2 MB."""
    images, labels = digits.load_digits()
    assert (images.shape, images.dtype) == ((5000, 28, 28), np.uint8)
    assert np.bincount(labels).tolist() == [500] * 10
    assert (images.min(), images.max()) == (0, 255)
    assert digits.DATA.stat().st_size <= 1.2e6


def test_nothing_of_the_strip_or_the_report_was_trained_on() -> None:
    """Ten training images of each digit; the rest is held out, and the strip comes from the rest."""
    _, labels = digits.load_digits()
    training, held_out, strip = digits.split(labels)
    assert np.bincount(labels[training]).tolist() == [10] * 10
    assert sorted([*training, *held_out]) == list(range(5000))
    assert set(strip) <= set(held_out)
    assert labels[strip].tolist() == [5, 0, 4, 1, 9, 2]


def test_the_matrices_read_what_the_graph_reads() -> None:
    """The NumPy forward pass of the report equals the net's own outputs."""
    net = digits.MLP(784, [3, 2], seed=5)
    X = np.random.default_rng(5).normal(0, 30, (4, 784))  # large z, too
    expected = [[y.data for y in net(x)] for x in X]
    np.testing.assert_allclose(digits.forward(net, X), expected, rtol=1e-12, atol=1e-15)


def test_the_strip_file_is_a_28_by_168_picture_of_the_six_images(tmp_path: Path, strip: np.ndarray) -> None:
    """The PNG holds the pasted images, and cut apart again it gives the net's inputs bit for bit."""
    images, labels = digits.load_digits()
    chosen = images[digits.split(labels)[2]]
    path = digits.write_strip(tmp_path / "new" / "folder", chosen)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (168, 28))
        assert np.array_equal(np.asarray(picture), strip)
    assert np.array_equal(digits.read_strip(path), digits.inputs(chosen))


# A strip of the user's own.


def _transparent(pixels: np.ndarray, ink: int) -> Image.Image:
    """Ink of one shade, opaque where the strip is bright, on nothing."""
    shade = np.full_like(pixels, ink)
    return Image.fromarray(np.dstack([shade, shade, shade, pixels]))


PICTURES: dict[str, Callable[[np.ndarray], Image.Image]] = {
    "inverted": lambda pixels: Image.fromarray(255 - pixels),
    "low contrast": lambda pixels: Image.fromarray(100 + pixels // 5 * 2),
    "low contrast, inverted": lambda pixels: Image.fromarray(220 - pixels // 5 * 2),
    "RGB": lambda pixels: Image.fromarray(pixels).convert("RGB"),
    "RGB, inverted": lambda pixels: Image.fromarray(255 - pixels).convert("RGB"),
    "RGBA": lambda pixels: Image.fromarray(pixels).convert("RGBA"),
    "black on transparent": lambda pixels: _transparent(pixels, 0),
    "white on transparent": lambda pixels: _transparent(pixels, 255),
    "grey with alpha": lambda pixels: Image.fromarray(255 - pixels).convert("LA"),
    "palette": lambda pixels: Image.fromarray(pixels).convert("P"),
    "1 bit": lambda pixels: Image.fromarray(pixels > 127),
    "1 bit, inverted": lambda pixels: Image.fromarray(pixels <= 127),
    "16 bits": lambda pixels: Image.fromarray(pixels.astype(np.uint16) * 257),
    "16 bits, inverted": lambda pixels: Image.fromarray(65535 - pixels.astype(np.uint16) * 257),
    "scaled by 3": lambda pixels: Image.fromarray(pixels.repeat(3, 0).repeat(3, 1)),
    "scaled by 3, inverted, RGBA": lambda pixels: Image.fromarray(255 - pixels.repeat(3, 0).repeat(3, 1)).convert(
        "RGBA"
    ),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_strip_reads_alike_in_every_form(kind: str, strip: np.ndarray, tmp_path: Path) -> None:
    """Colours, depth, polarity and size of the picture do not matter: the inputs are those of the plain strip."""
    PICTURES[kind](strip).save(tmp_path / "strip.png")
    plain = np.hsplit(strip / 255.0, 6)
    if "1 bit" in kind:
        plain = np.hsplit((strip > 127).astype(float), 6)
    step = 1 / 51 if "low contrast" in kind else 1e-6
    for x, digit in zip(digits.read_strip(tmp_path / "strip.png"), plain, strict=True):
        np.testing.assert_allclose(x, digit.ravel(), rtol=0, atol=step)


@pytest.mark.parametrize("size", [(6 * 20, 20), (6 * 45, 45), (601, 100)])
def test_a_strip_of_another_height_is_the_same_strip(size: tuple[int, int], strip: np.ndarray, tmp_path: Path) -> None:
    """Smaller, larger by no whole number, a pixel too wide: every digit still resembles itself most."""
    Image.fromarray(strip).resize(size, Image.Resampling.BICUBIC).save(tmp_path / "strip.png")
    x = digits.read_strip(tmp_path / "strip.png")
    plain = np.array([digit.ravel() for digit in np.hsplit(strip, 6)])
    likeness = np.corrcoef(x, plain)[:6, 6:]
    assert likeness.argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5]
    assert likeness.diagonal().min() > 0.9


def test_a_users_strip_is_read_aloud(run: Run, strip: np.ndarray, tmp_path: Path) -> None:
    """--image prints one output per digit of the file, here the demo's own strip dark on light, cut after the 4."""
    Image.fromarray(255 - strip[:, : 3 * 28]).save(tmp_path / "own.png")
    code, text, *_ = run("--epochs", 2, "--image", tmp_path / "own.png")
    assert code == 0
    outputs = _outputs(text)
    assert len(outputs) == 6 + 3
    assert outputs[6:] == outputs[:3]
    assert f"Your strip, {tmp_path / 'own.png'}." in text


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
    code, _, error, _ = run("--epochs", 1, "--image", path)
    assert code == 0 or (code == 2 and error.count("\n") == 1 and str(path) in error)


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [("--epochs", "0", 1), ("--epochs", "-3", 1), ("--epochs", "ten", 1), ("--seed", "-1", 0), ("--seed", "1.5", 0)],
)
def test_a_wrong_number_is_refused(option: str, value: str, least: int, run: Run) -> None:
    """Exit code 2, and the option, what arrived and what was wanted."""
    code, text, error, _ = run(option, value)
    assert (code, text) == (2, "")
    assert error.endswith(f"argument {option}: {value!r} arrived where a whole number from {least} was wanted\n")


def test_an_out_that_is_a_file_is_refused(run: Run, tmp_path: Path) -> None:
    """The picture needs a folder; where there is a file of that name, one line says so."""
    (tmp_path / "taken").touch()
    code, text, error, _ = run("--out", tmp_path / "taken")
    assert (code, text, error.count("\n")) == (2, "", 1)
    assert "name another folder with --out" in error


def test_a_lost_or_damaged_data_file_is_named(tmp_path: Path) -> None:
    """Missing, cut short, or something else: the error names the data file and asks to restore it."""
    path = tmp_path / "mnist_5k.npz"
    for content in (None, digits.DATA.read_bytes()[:100_000], b"version https://git-lfs.github.com/spec/v1"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(digits.InputError, match=r"mnist_5k\.npz cannot be read .* restore it"):
            digits.load_digits(path)


def test_ctrl_c_ends_it_quietly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in its training: exit code 130 and a word, no traceback."""

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(digits, "fit", interrupted)
    code, _, error, _ = run()
    assert (code, error) == (130, "digits.py: stopped\n")
