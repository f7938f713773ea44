"""Where the digits of the demo come from: the 5,000 beside this file, MNIST's own IDX files, and pictures of
digits in a row.

All images are bytes, 28×28, 0 the paper and 255 the ink, until `inputs` makes them rows of 784 numbers. What is wrong
with a file of the user's becomes an `InputError`.
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, UnidentifiedImageError

Array: TypeAlias = npt.NDArray[np.float64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Indices: TypeAlias = npt.NDArray[np.intp]

SHIPPED = Path(__file__).resolve().parent / "data" / "mnist_5k.npz"
SIDE = 28  # pixels of a digit, each way
PIXELS = SIDE * SIDE
STRIP = "504192"
ENLARGED = 4  # how many times as high and wide its picture is, to be looked at
BOX = 20  # pixels of the box into which MNIST scales a digit
WORKING = 80  # pixels of height in which digits are looked for
FAINT = 0.2  # less ink is the paper's grain, or the edge of a stroke


class InputError(Exception):
    """A file or an option of the user's will not do: what arrived, what was wanted, what to do, in one line."""


class Digits(NamedTuple):
    """Images, shape (K, 28, 28), and the digits they show, shape (K,)."""

    images: Bytes
    labels: Bytes


def inputs(images: Bytes) -> Array:
    """One row of 784 numbers in [0, 1] per image."""
    return images.reshape(-1, PIXELS) / 255.0


def load(each: int, mnist: Path | None = None) -> tuple[Digits, Digits, Digits]:
    """The images to train on, those held out, and the six of the strip, which are never trained on.

    Of the digits shipped, train on so many of each; or take training and test set from a folder with MNIST.
    """
    shipped = load_shipped()
    training, held_out, six = (
        Digits(shipped.images[indices], shipped.labels[indices]) for indices in split(shipped.labels, each)
    )
    if mnist:
        training, held_out = load_mnist(mnist, but=six.images)
    return training, held_out, six


# The digits shipped.


def load_shipped(path: Path = SHIPPED) -> Digits:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return Digits(arrays["images"], arrays["labels"])
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"the data file {path} cannot be read ({error}): restore it from the repository") from error


def split(labels: Bytes, each: int) -> tuple[Indices, Indices, Indices]:
    """Which images to train on, which to hold out, and which of those to paste into the strip.

    The first image of each digit is kept for the strip, the next `each` are trained on, and the rest is held out, too.
    The data hold the first 500 of each digit in the order of MNIST, whose labels begin 5, 0, 4, 1, 9, 2: so the strip
    is MNIST's first six images.
    """
    of_digit = [np.flatnonzero(labels == digit) for digit in range(10)]
    training = np.concatenate([indices[1 : 1 + each] for indices in of_digit])
    held_out = np.setdiff1d(np.arange(len(labels)), training)
    strip = np.array([of_digit[int(digit)][0] for digit in STRIP])
    return training, held_out, strip


# MNIST as its authors published it.


def load_mnist(folder: Path, but: Bytes) -> tuple[Digits, Digits]:
    """The training set without some images, those of the strip, and the test set, from the four files in a folder."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: name the one that holds MNIST's four IDX files")
    training, held_out = (_load_set(folder, name) for name in ("train", "t10k"))
    flat, unwanted = (images.reshape(-1, PIXELS) for images in (training.images, but))
    kept = ~np.any([(flat == image).all(axis=1) for image in unwanted], axis=0)
    if not kept.any():
        raise InputError(f"{folder} holds no training image besides those of the strip {STRIP}: get MNIST again")
    return Digits(training.images[kept], training.labels[kept]), held_out


def _load_set(folder: Path, name: str) -> Digits:
    images_file, images = _read_idx(folder / f"{name}-images-idx3-ubyte", dimensions=3)
    labels_file, labels = _read_idx(folder / f"{name}-labels-idx1-ubyte", dimensions=1)
    if images.shape[1:] != (SIDE, SIDE):
        height, width = images.shape[1:]
        raise InputError(f"{images_file} holds images of {width}×{height} pixels: {SIDE}×{SIDE} were wanted")
    if len(images) != len(labels):
        raise InputError(f"{labels_file} holds {len(labels):,} labels for the {len(images):,} images of {images_file}")
    if labels.max() > 9:
        raise InputError(f"{labels_file} holds the label {labels.max()}: labels from 0 to 9 were wanted")
    return Digits(images, labels)


def _read_idx(path: Path, dimensions: int) -> tuple[Path, Bytes]:
    """The file found, plain or with .gz, and its array. IDX: 0, 0, 8 for bytes, the number of dimensions; the sizes as
    big-endian 32-bit numbers; then the bytes."""
    dotted = path.name.replace("-idx", ".idx")  # as some copies have it
    found = [path.with_name(name + end) for name in (path.name, dotted) for end in ("", ".gz")]
    found = [file for file in found if file.is_file()]
    if not found:
        raise InputError(f"{path} is missing, and so is {path.name}.gz: --mnist wants a folder with MNIST's four files")
    file = found[0]
    try:
        content = file.read_bytes()
        if content[:2] == b"\x1f\x8b":  # whatever its name: some downloads unpack a file and leave it the name
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{file} cannot be read ({error}): get it again") from error
    magic, start = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic:
        wanted, arrived = magic.hex(" "), content[:4].hex(" ") or "nothing"
        raise InputError(f"{file} begins with {arrived}, where MNIST's file begins with {wanted}: get it again")
    if len(content) < start:
        raise InputError(f"{file} ends within its header, after {len(content)} of {start} bytes: get it again")
    sizes = [int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4)]
    promised, held = int(np.prod(sizes, dtype=object)), len(content) - start
    if held != promised:
        shape = "×".join(map(str, sizes))
        raise InputError(f"{file} promises {shape} bytes, {promised:,}, and holds {held:,}: get it again")
    if not promised:
        raise InputError(f"{file} is an IDX file with nothing in it: get it again")
    return file, np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


# The strip.


def write_strip(folder: Path, images: Bytes) -> Path:
    """The images side by side in one PNG picture, enlarged: each pixel is a square of 4 × 4."""
    png = io.BytesIO()
    Image.fromarray(np.hstack(list(images)).repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)).save(png, "PNG")
    return write_picture(folder / f"{STRIP}.png", png)


def write_picture(path: Path, png: io.BytesIO) -> Path:
    """Write a file as a whole or, on an error, not at all."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(png.getvalue())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error}): name another folder with --out") from error
    return path


def cut(ink: Array) -> Array:
    """The inputs (n, 784) for the n images side by side in a strip of shape (28, 28 n), such as `write_strip` enlarges."""
    return np.array([image.ravel() for image in np.hsplit(ink, ink.shape[1] // SIDE)])


def read_ink(path: Path) -> Array:
    """How much ink there is, from 0 to 1, in each pixel of a picture, whatever its colours, polarity and enlargement."""
    grey = read_grey(path)
    paper = np.median(grey)  # ink covers less than half of a picture
    ink = max(grey.min(), grey.max(), key=lambda level: abs(level - paper))
    if not abs(ink - paper) > 0:
        raise InputError(f"{path} is of one colour: digits in a row, dark on light or light on dark, were wanted")
    return unenlarged(np.clip((grey - paper) / (ink - paper), 0.0, 1.0))


def unenlarged(ink: Array) -> Array:
    """A pixel graphic whose pixels are squares of several, with one for each square; any other picture as it is."""
    common = math.gcd(*ink.shape)
    for times in range(common, 1, -1):
        small = ink[::times, ::times]
        if common % times == 0 and np.array_equal(small.repeat(times, axis=0).repeat(times, axis=1), ink):
            return small
    return ink


def read_digits(path: Path) -> Array:
    """The inputs (n, 784) for the n digits that stand in a row in a picture of any size, each centred as MNIST's are."""
    return np.array([centred(digit).ravel() for digit in find_digits(read_ink(path))])


def find_digits(ink: Array) -> list[Array]:
    """The digits in a picture, from left to right, each cut out with its own ink alone.

    A digit is connected ink. What stands above or below each other is one digit, such as a 5 whose bar is apart; what is
    less than a third as high as the highest digit is a blot.
    """
    shapes = connected(_of_working_size(ink))
    digits: list[Array] = []
    for shape in sorted(shapes, key=lambda shape: _extent(shape, axis=0)):
        if digits and _overlap(digits[-1], shape) > 0.5:
            digits[-1] = np.maximum(digits[-1], shape)
        else:
            digits.append(shape)
    heights = [np.ptp(_extent(digit, axis=1)) for digit in digits]
    return [digit for digit, height in zip(digits, heights, strict=True) if height >= max(heights) / 3]


def _of_working_size(ink: Array) -> Array:
    """The part with ink in it, at most 80 pixels high."""
    (top, bottom), (left, right) = _extent(ink, axis=1), _extent(ink, axis=0)
    ink = ink[top:bottom, left:right]
    height, width = ink.shape
    return ink if height <= WORKING else resized(ink, WORKING, max(1, round(width * WORKING / height)))


def connected(ink: Array) -> list[Array]:
    """The connected shapes of ink, diagonals included, each as a picture with that ink alone."""
    dark = ink > FAINT
    names = np.where(dark, np.arange(1, ink.size + 1).reshape(ink.shape), 0)
    while True:  # each pixel takes the largest name around it, until nothing changes
        around = sliding_window_view(np.pad(names, 1), (3, 3)).max(axis=(2, 3))
        spread = np.where(dark, around, 0)
        if np.array_equal(spread, names):
            break
        names = spread
    # A faint pixel at the edge of a shape is part of it.
    names = np.where(dark, names, sliding_window_view(np.pad(names, 1), (3, 3)).max(axis=(2, 3)))
    return [np.where(names == name, ink, 0.0) for name in np.unique(names[names > 0])]


def _extent(ink: Array, axis: int, least: float = FAINT) -> tuple[int, int]:
    """From where to where there is more ink than that, along the other axis."""
    (places,) = np.nonzero((ink > least).any(axis=axis))
    return int(places[0]), int(places[-1]) + 1


def _overlap(a: Array, b: Array) -> float:
    """How much of the narrower one's width two shapes have in common."""
    (a_left, a_right), (b_left, b_right) = _extent(a, axis=0), _extent(b, axis=0)
    return (min(a_right, b_right) - max(a_left, b_left)) / min(a_right - a_left, b_right - b_left)


def centred(digit: Array) -> Array:
    """A digit as MNIST has it, shape (28, 28): scaled into a box of 20×20, its centre of mass in pixel (14, 14)."""
    (top, bottom), (left, right) = _extent(digit, axis=1, least=0.0), _extent(digit, axis=0, least=0.0)
    digit = digit[top:bottom, left:right]
    scale = BOX / max(digit.shape)
    height, width = (max(1, round(scale * size)) for size in digit.shape)
    small = resized(digit, height, width)
    small = small / small.max()
    place = [
        SIDE // 2 - int(np.average(np.arange(size) + 0.5, weights=small.sum(axis=1 - axis)))
        for axis, size in enumerate(small.shape)
    ]
    top, left = (min(max(0, start), SIDE - size) for start, size in zip(place, small.shape, strict=True))
    image = np.zeros((SIDE, SIDE))
    image[top : top + height, left : left + width] = small
    return image


def resized(ink: Array, height: int, width: int) -> Array:
    """By the mean of what falls into a pixel, or between the nearest where it grows."""
    filtering = Image.Resampling.BOX if height < ink.shape[0] else Image.Resampling.BILINEAR
    small = Image.fromarray(ink.astype(np.float32)).resize((width, height), filtering)
    return np.asarray(small, dtype=np.float64)


def read_grey(path: Path) -> Array:
    """The picture in a file as shades of grey on whatever scale, shape (height, width)."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name the picture in it")
        if not path.stat().st_size:
            raise InputError(f"{path} is empty: a PNG picture of digits in a row was wanted")
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):  # 16 bits and more: converting would clip them to 8
                return np.asarray(image).astype(np.float64)
            colours = image.convert("RGBA")
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: name a PNG picture of digits in a row") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not a picture: a PNG picture of digits in a row was wanted") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as a picture ({error}): save it as PNG again") from error
    opacity = np.asarray(colours.getchannel("A")).astype(np.float64) / 255
    return on_paper(np.asarray(colours.convert("L")).astype(np.float64), opacity)


def on_paper(grey: Array, opacity: Array) -> Array:
    """Put what is behind the transparent parts of a picture: the paper it shows elsewhere or, if none, a contrast."""
    visible = grey[opacity > 0.5]
    if not len(visible):
        return np.zeros_like(grey)
    only_ink = 2 * len(visible) < grey.size
    paper = (0.0 if visible.mean() > 127 else 255.0) if only_ink else np.median(visible)
    return opacity * grey + (1.0 - opacity) * paper
