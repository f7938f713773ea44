"""How the tests run a demo: as a user does, or in this process with other constants."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "demos"


def environment(**more):
    """That of a process which finds the package of this checkout."""
    return {**os.environ, "PYTHONPATH": str(FOLDER.parent), **more}


def quick_run(name, out):
    """What a quick run prints, with warnings as errors and in a terminal without Greek letters; its pictures go to `out`."""
    command = [sys.executable, "-W", "error", FOLDER / f"{name}.py", "--quick", "--out", out]
    home = environment(PYTHONIOENCODING="ascii")
    ran = subprocess.run(command, capture_output=True, text=True, encoding="ascii", check=True, env=home)
    assert ran.stderr == ""
    return ran.stdout


def quick_fixture(name):
    """The fixture of a demo's module: what a quick run printed, and the new folder with its pictures, none of them blank."""

    @pytest.fixture(scope="module")
    def quick(tmp_path_factory):
        out = tmp_path_factory.mktemp(name) / "new" / "folder"
        text = quick_run(name, out)
        assert str(out / f"{name}.png") in text
        assert not_blank(out / f"{name}.png")
        return text, out

    return quick


def changed_run(demo, monkeypatch, capsys, out, **constants):
    """What a quick run prints when a reader has changed the constants at the top; its picture stays empty."""
    for name, value in {"plot": lambda *_: demo.Figure(), **constants}.items():
        monkeypatch.setattr(demo, name, value)
    demo.main(["--quick", "--out", str(out)])
    return capsys.readouterr().out


def not_blank(path):
    """Whether a picture shows something: dark and bright."""
    with Image.open(path) as picture:
        darkest, brightest = picture.convert("L").getextrema()
    return brightest - darkest > 128


def as_idx(array):
    """An array as an IDX file, by its description: 0, 0, 8 for bytes, dimensions, sizes, bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_mnist(folder, train_images, train_labels, test_images, test_labels):
    """MNIST's four files, in a new folder."""
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(as_idx(train_images))
    (folder / "train-labels-idx1-ubyte").write_bytes(as_idx(train_labels))
    (folder / "t10k-images-idx3-ubyte").write_bytes(as_idx(test_images))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(as_idx(test_labels))
    return folder
