"""`demos/digit_data.py` gives the demo what it asks for: the digits shipped, MNIST's own files, strips in any picture."""

from __future__ import annotations

import gzip
import importlib
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

DEMOS = Path(__file__).parents[1] / "demos"
if str(DEMOS) not in sys.path:  # as when a script in that folder runs
    sys.path.insert(0, str(DEMOS))
data: Any = importlib.import_module("digit_data")


@pytest.fixture(scope="module")
def six() -> np.ndarray:
    """The images of the demo's strip, shape (6, 28, 28)."""
    return data.load(each=10)[2].images


@pytest.fixture(scope="module")
def strip(six: np.ndarray) -> np.ndarray:
    """The demo's own strip, pixels from 0 to 255, shape (28, 168)."""
    return np.hstack(list(six))


# The digits shipped.


def test_data_are_5000_digits_500_of_each() -> None:
    """The file holds bytes of the promised shapes, and is at most 1.2 MB."""
    images, labels = data.load_shipped()
    assert (images.shape, images.dtype) == ((5000, 28, 28), np.uint8)
    assert np.bincount(labels).tolist() == [500] * 10
    assert (images.min(), images.max()) == (0, 255)
    assert data.SHIPPED.stat().st_size <= 1.2e6


@pytest.mark.parametrize("each", [10, 400])
def test_nothing_of_the_strip_or_the_report_was_trained_on(each: int) -> None:
    """So many training images of each digit; the rest is held out, and the strip, MNIST's 5 0 4 1 9 2, is of the rest."""
    _, labels = data.load_shipped()
    training, held_out, strip = data.split(labels, each)
    assert np.bincount(labels[training]).tolist() == [each] * 10
    assert sorted([*training, *held_out]) == list(range(5000))
    assert set(strip) <= set(held_out)
    assert labels[strip].tolist() == [5, 0, 4, 1, 9, 2]
    assert [index % 500 for index in strip] == [0] * 6  # the first of its kind


def test_load_gives_the_parts_of_the_split() -> None:
    """4,000 and 1,000 images with their own labels, and the six of the strip, none of whose pictures is trained on."""
    training, held_out, six = data.load(each=400)
    assert (len(training.images), len(held_out.images), six.labels.tolist()) == (4000, 1000, [5, 0, 4, 1, 9, 2])
    known = {image.tobytes(): label for image, label in zip(*data.load_shipped(), strict=True)}
    for part in (training, held_out):
        assert all(known[image.tobytes()] == label for image, label in zip(*part, strict=True))
    trained = {image.tobytes() for image in training.images}
    assert not any(image.tobytes() in trained for image in six.images)


def test_a_lost_or_damaged_data_file_is_named(tmp_path: Path) -> None:
    """Missing, cut short, or something else: the error names the data file and asks to restore it."""
    path = tmp_path / "mnist_5k.npz"
    for content in (None, data.SHIPPED.read_bytes()[:100_000], b"version https://git-lfs.github.com/spec/v1"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(data.InputError, match=r"mnist_5k\.npz cannot be read .* restore it"):
            data.load_shipped(path)


# MNIST's own files.

NAMES = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}


def _idx(array: np.ndarray) -> bytes:
    """An array as an IDX file, by its description: 0, 0, 8 for bytes, dimensions, sizes, bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(tmp_path: Path, six: np.ndarray) -> Path:
    """A folder with a small MNIST: 46 training images, the strip's six among them, and 20 held out."""
    images, labels = data.load_shipped()
    folder = tmp_path / "mnist"
    folder.mkdir()
    train, test = np.arange(5, 5000, 125), np.arange(100, 5000, 250)
    (folder / NAMES["train images"]).write_bytes(_idx(np.concatenate([images[train], six])))
    (folder / NAMES["train labels"]).write_bytes(_idx(np.concatenate([labels[train], [5, 0, 4, 1, 9, 2]])))
    (folder / NAMES["test images"]).write_bytes(_idx(images[test]))
    (folder / NAMES["test labels"]).write_bytes(_idx(labels[test]))
    return folder


def _pack(folder: Path, suffix: str) -> None:
    for name in NAMES.values():
        path = folder / name
        content = gzip.compress(path.read_bytes())
        path.unlink()
        path.with_name(name + suffix).write_bytes(content)


@pytest.mark.parametrize("form", ["plain", "gzipped", "gzipped without .gz", "plain with .gz"])
def test_mnist_is_read_in_every_form_without_the_strip(form: str, mnist: Path) -> None:
    """The four files, gzipped or not and whatever they are called: images with their labels, the strip's six left out."""
    if form.startswith("gzipped"):
        _pack(mnist, ".gz" if form == "gzipped" else "")
    elif form == "plain with .gz":
        for name in NAMES.values():
            (mnist / name).rename(mnist / f"{name}.gz")
    images, labels = data.load_shipped()
    training, held_out, six = data.load(each=400, mnist=mnist)
    assert np.array_equal(training.images, images[5::125])
    assert np.array_equal(training.labels, labels[5::125])
    assert np.array_equal(held_out.images, images[100::250])
    assert np.array_equal(held_out.labels, labels[100::250])
    assert six.labels.tolist() == [5, 0, 4, 1, 9, 2]


def _rewrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        path = folder / NAMES[name]
        path.write_bytes(change(path.read_bytes()))

    return damage


def _replace(name: str, array: np.ndarray) -> Callable[[Path], object]:
    return _rewrite(name, lambda _: _idx(array))


def _cut_packed(folder: Path) -> None:
    _pack(folder, ".gz")
    path = folder / f"{NAMES['test images']}.gz"
    path.write_bytes(path.read_bytes()[:-100])


def _spoil_packed(folder: Path) -> None:
    _pack(folder, ".gz")
    path = folder / f"{NAMES['test images']}.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


WRONG_MNIST: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (lambda f: (f / NAMES["test labels"]).unlink(), "test labels", "is missing, and so is t10k-labels.*gz"),
    "empty": (_rewrite("train images", lambda b: b""), "train images", "begins with nothing, where .* 00 00 08 03"),
    "a text": (_rewrite("train labels", lambda b: b"5 0 4"), "train labels", "begins with 35 20 30 20, where"),
    "labels for images": (_replace("train images", np.ones(3)), "train images", "begins with 00 00 08 01, where"),
    "half a header": (_rewrite("test images", lambda b: b[:9]), "test images", "ends within its header, .* 9 of 16"),
    "cut short": (_rewrite("train images", lambda b: b[:-1]), "train images", "promises 46×28×28 bytes, 36,064, and"),
    "too long": (_rewrite("test labels", lambda b: b + b"!"), "test labels", "promises 20 bytes, 20, and holds 21"),
    "absurd sizes": (
        _rewrite("test labels", lambda b: b[:4] + b"\xff" * 4),
        "test labels",
        "promises 4294967295 bytes",
    ),
    "nothing in it": (_replace("test labels", np.ones(0)), "test labels", "is an IDX file with nothing in it"),
    "small images": (_replace("train images", np.ones((46, 20, 30))), "train images", "holds images of 30×20 pixels"),
    "too few labels": (_replace("train labels", np.ones(45)), "train labels", "holds 45 labels for the 46 images of"),
    "no digit": (_replace("train labels", np.full(46, 10)), "train labels", "holds the label 10: labels from 0 to 9"),
    "packed, cut short": (_cut_packed, "test images", r"cannot be read \(.*\): get it again"),
    "packed, spoiled": (_spoil_packed, "test images", r"cannot be read \(.*\): get it again"),
}


@pytest.mark.parametrize("kind", WRONG_MNIST)
def test_a_wrong_mnist_file_is_named(kind: str, mnist: Path) -> None:
    """Magic numbers, sizes, truncation: one line that names the file, what is wrong with it, and what was wanted."""
    damage, name, message = WRONG_MNIST[kind]
    damage(mnist)
    with pytest.raises(data.InputError) as caught:
        data.load(each=400, mnist=mnist)
    assert re.match(rf"{re.escape(str(mnist / NAMES[name]))}(\.gz)? {message}", str(caught.value))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_none_and_a_training_set_of_the_strip_alone_are_refused(mnist: Path, six: np.ndarray) -> None:
    """A file where the folder was wanted; and nothing left to train on without the strip's images."""
    with pytest.raises(data.InputError, match="is not a folder: name the one"):
        data.load(each=400, mnist=mnist / NAMES["test labels"])
    _replace("train images", six)(mnist)
    _replace("train labels", np.array([5, 0, 4, 1, 9, 2]))(mnist)
    with pytest.raises(data.InputError, match="holds no training image besides those of the strip"):
        data.load(each=400, mnist=mnist)


# The strip.


def test_the_strip_file_is_a_28_by_168_picture_of_the_six_images(
    tmp_path: Path, six: np.ndarray, strip: np.ndarray
) -> None:
    """The PNG holds the pasted images, and cut apart again it gives the net's inputs bit for bit."""
    path = data.write_strip(tmp_path / "new" / "folder", six)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (168, 28))
        assert np.array_equal(np.asarray(picture), strip)
    assert np.array_equal(data.read_strip(path), data.inputs(six))


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path, six: np.ndarray) -> None:
    """Where the file cannot be put, an error names it and no part of it stays behind."""
    (tmp_path / "504192.png").mkdir()
    with pytest.raises(data.InputError, match=r"504192\.png cannot be written .* --out"):
        data.write_strip(tmp_path, six)
    assert [path.name for path in tmp_path.iterdir()] == ["504192.png"]


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
    for x, digit in zip(data.read_strip(tmp_path / "strip.png"), plain, strict=True):
        np.testing.assert_allclose(x, digit.ravel(), rtol=0, atol=step)


@pytest.mark.parametrize("size", [(6 * 20, 20), (6 * 45, 45), (601, 100)])
def test_a_strip_of_another_height_is_the_same_strip(size: tuple[int, int], strip: np.ndarray, tmp_path: Path) -> None:
    """Smaller, larger by no whole number, a pixel too wide: every digit still resembles itself most."""
    Image.fromarray(strip).resize(size, Image.Resampling.BICUBIC).save(tmp_path / "strip.png")
    x = data.read_strip(tmp_path / "strip.png")
    plain = np.array([digit.ravel() for digit in np.hsplit(strip, 6)])
    likeness = np.corrcoef(x, plain)[:6, 6:]
    assert likeness.argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5]
    assert likeness.diagonal().min() > 0.9
