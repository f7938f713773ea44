"""How the tests run a demo: in this process, also with other constants, and write files of MNIST for it."""

import contextlib
import importlib
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "demos"


def environment(**more):
    """That of a process which finds the package of this checkout."""
    return {**os.environ, "PYTHONPATH": str(FOLDER.parent), **more}


def quick_run(demo, out, **constants):
    """What a quick run prints, with some of the demo's names set to other things; its pictures go to `out`."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.MonkeyPatch.context() as patch:
        for name, value in constants.items():
            patch.setattr(demo, name, value)
        demo.main(["--quick", "--out", str(out)])
    return text.getvalue()


def changed_run(demo, out, **constants):
    """What a quick run prints when a reader has changed the constants at the top; its picture stays empty."""
    return quick_run(demo, out, plot=lambda *_: demo.Figure(), **constants)


def quick_fixture(name, **constants):
    """The fixture of a demo's module: what a quick run printed, and the new folder with its pictures, none of them blank."""

    @pytest.fixture(scope="module")
    def quick(tmp_path_factory):
        demo, out = importlib.import_module(name), tmp_path_factory.mktemp(name) / "new" / "folder"
        text = quick_run(demo, out, **constants)
        assert str(out / f"{name}.png") in text
        assert not_blank(out / f"{name}.png")
        return text, out

    return quick


def not_blank(path):
    """Whether a picture shows something: dark and bright."""
    with Image.open(path) as picture:
        darkest, brightest = picture.convert("L").getextrema()
    return brightest - darkest > 128


def as_idx(array):
    """An array as an IDX file, by its description: 0, 0, 8 for bytes, dimensions, sizes, bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_mnist(folder, images, labels):
    """A small MNIST's four files in a new folder, of the images shipped: 40 and the strip's six to train on, 20 held out."""
    folder.mkdir()
    strip = [2500, 0, 2000, 500, 4500, 1000]
    for name, shown in (("train", [*range(5, 5000, 125), *strip]), ("t10k", [*range(100, 5000, 250)])):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(as_idx(images[shown]))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(as_idx(labels[shown]))
    return folder
