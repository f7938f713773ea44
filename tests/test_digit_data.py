"""`demos/digit_data.py` gives the demo what it asks for: the digits shipped, MNIST's own files, strips in any picture."""

import gzip
import re

import digit_data as data
import numpy as np
import pytest
from demo_runs import as_idx, write_mnist
from PIL import Image, ImageOps

STRIP = [5, 0, 4, 1, 9, 2]


@pytest.fixture(scope="module")
def six():
    return data.load(each=10)[2].images


# The digits shipped.


@pytest.mark.parametrize("each", [10, 400])
def test_nothing_of_the_strip_or_the_report_was_trained_on(each):
    """So many of each are trained on; the rest is held out, and the strip, MNIST's 5 0 4 1 9 2, is of the rest."""
    images, labels = data.load_shipped()
    training, held_out, strip = data.split(labels, each)
    assert np.bincount(labels[training]).tolist() == [each] * 10
    assert sorted([*training, *held_out]) == list(range(5000))
    assert set(strip) <= set(held_out)
    assert [divmod(index, 500) for index in strip] == [(digit, 0) for digit in STRIP]  # the first of its kind
    for part, indices in zip(data.load(each), (training, held_out, strip), strict=True):
        assert np.array_equal(part.images, images[indices])
        assert np.array_equal(part.labels, labels[indices])


# MNIST's own files.

TRAIN, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.fixture
def mnist(tmp_path):
    return write_mnist(tmp_path / "mnist", *data.load_shipped())


@pytest.mark.parametrize(
    ("packed", "name"),
    [
        (False, "{}-idx{}-ubyte"),
        (True, "{}-idx{}-ubyte"),
        (True, "{}-idx{}-ubyte.gz"),
        (False, "{}-idx{}-ubyte.gz"),
        (False, "{}.idx{}-ubyte"),
    ],
)
def test_mnist_is_read_in_every_form_without_the_strip(packed, name, mnist):
    """The four files, gzipped or not and whatever they are called: images with their labels, the strip's six left out."""
    for path in list(mnist.iterdir()):
        content = path.read_bytes()
        path.unlink()
        renamed = name.format(*re.fullmatch("(.*)-idx(.)-ubyte", path.name).groups())
        path.with_name(renamed).write_bytes(gzip.compress(content) if packed else content)
    images, labels = data.load_shipped()
    training, held_out, _ = data.load(each=400, mnist=mnist)
    for part, shown in ((training, slice(5, None, 125)), (held_out, slice(100, None, 250))):
        assert np.array_equal(part.images, images[shown])
        assert np.array_equal(part.labels, labels[shown])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (TEST_LABELS, None, "is missing, and so is t10k-labels.*gz"),
        (TRAIN, lambda b: b"", "begins with nothing, where .* 00 00 08 03"),
        (TRAIN_LABELS, lambda b: b"5 0 4", "begins with 35 20 30 20, where"),
        (TRAIN, lambda b: b[:-1], "promises 46×28×28 bytes, 36,064, and"),
        (TEST_LABELS, lambda b: b + b"!", "promises 20 bytes, 20, and holds 21"),
        (TEST_LABELS, lambda b: b[:4] + b"\xff" * 4, "promises 4294967295 bytes"),
        (TEST_LABELS, lambda b: as_idx(np.ones(0)), "is an IDX file with nothing in it"),
        (TRAIN, lambda b: as_idx(np.ones((46, 20, 30))), "holds images of 30×20 pixels"),
        (TRAIN_LABELS, lambda b: as_idx(np.ones(45)), "holds 45 labels for the 46 images of"),
        (TRAIN_LABELS, lambda b: as_idx(np.full(46, 10)), "holds the label 10: labels from 0 to 9"),
        (TEST, lambda b: gzip.compress(b)[:-100], r"cannot be read \(.*\): get it again"),
    ],
)
def test_a_wrong_mnist_file_is_named(name, change, message, mnist):
    """Magic numbers, sizes, truncation: one line that names the file, what is wrong with it, and what was wanted."""
    path = mnist / name
    content = path.read_bytes()
    path.unlink()
    if change:
        path.write_bytes(change(content))
    with pytest.raises(data.InputError, match=f"{re.escape(str(path))} {message}"):
        data.load(each=400, mnist=mnist)


# The strip.


def test_the_strip_file_is_an_enlarged_picture_of_the_six_images(tmp_path, six):
    """The PNG holds the pasted images, each pixel as a square, and cut apart again it gives the net's inputs bit for bit."""
    path = data.write_strip(tmp_path, six)
    with Image.open(path) as picture:
        square = np.ones((data.ENLARGED, data.ENLARGED), np.uint8)
        assert np.array_equal(np.asarray(picture), np.kron(np.hstack(list(six)), square))
    assert np.array_equal(data.cut(data.read_ink(path)), data.inputs(six))


PICTURES = {
    "inverted": lambda pixels: Image.fromarray(255 - pixels),
    "black on transparent": lambda pixels: Image.fromarray(np.dstack([0 * pixels, pixels])),
    "white on transparent": lambda pixels: Image.fromarray(np.dstack([0 * pixels + 255, pixels])),
    "palette": lambda pixels: Image.fromarray(pixels).convert("P"),
    "1 bit": lambda pixels: Image.fromarray(pixels > 127),
    "16 bits": lambda pixels: Image.fromarray(65535 - pixels.astype(np.uint16) * 257),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_strip_reads_alike_in_every_form(kind, six, tmp_path):
    """Colours, depth and polarity of the picture do not matter: the inputs are those of the plain strip."""
    PICTURES[kind](np.hstack(list(six))).save(tmp_path / "strip.png")
    plain = (six > 127).astype(float) if kind == "1 bit" else six / 255.0
    found = data.cut(data.read_ink(tmp_path / "strip.png"))
    np.testing.assert_allclose(found, plain.reshape(6, 784), rtol=0, atol=1e-6)


def row_of(images, sizes, rng):
    """The images in a row, dark on light, each of its own size, at its own height, at some distance from the next."""
    row, left = Image.new("L", (sum(sizes) + 9 * len(sizes), max(sizes) + 10)), 3
    for image, size in zip(images, sizes, strict=True):
        top, gap = rng.integers(0, row.height - size), rng.integers(0, 9)
        row.paste(Image.fromarray(image).resize((size, size)), (left, top))
        left += size + gap
    return ImageOps.invert(row)


@pytest.mark.parametrize("span", [(28, 29), (20, 30), (60, 120)])
def test_digits_of_any_size_are_found(span, six, tmp_path):
    """Each resembles its original most."""
    rng = np.random.default_rng(0)
    row_of(six, rng.integers(*span, 6).tolist(), rng).save(tmp_path / "row.png")
    X = data.read_digits(tmp_path / "row.png")
    assert np.corrcoef(X, data.inputs(six))[:6, 6:].argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5]


def test_mnists_own_digits_are_centred_where_they_are():
    """They come out as they went in, but for a darkest pixel of 1: in a box of 20 pixels, by their centre of mass."""
    for image in data.load_shipped()[0][::50] / 255.0:
        np.testing.assert_allclose(data.centred(image), image / image.max(), rtol=0, atol=1e-6)


def test_a_bar_apart_belongs_to_its_digit_and_a_blot_to_none():
    """What stands above each other is one digit; what is small is none."""
    ink = np.zeros((60, 100))
    ink[10:14, 10:30] = ink[20:55, 10:14] = 1.0  # a bar, and a stem below it
    ink[10:55, 50:54] = 1.0
    ink[30:34, 80:84] = 1.0  # a blot
    assert [int(digit.sum()) for digit in data.find_digits(ink)] == [4 * 20 + 4 * 35, 4 * 45]
