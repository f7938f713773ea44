"""The pictures in demos/gallery are what demos/gallery.py draws, and they are few and small."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

import browser as chromium
import pytest
from graphviz.backend import dot_command

DEMOS = Path(__file__).parents[1] / "demos"
GALLERY = DEMOS / "gallery"
DRAWN = "expression.svg", "net.svg", "gradients.svg", "folded.svg", "steps.html"
STILL = "steps.svg"


@pytest.fixture
def gallery(monkeypatch):
    """The demo as a module; what it tells graphviz is forgotten after the test."""
    monkeypatch.setattr(dot_command, "DOT_BINARY", dot_command.DOT_BINARY)
    spec = importlib.util.spec_from_file_location("gallery", DEMOS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    """What the demo writes now, run as a reader would."""
    out = tmp_path_factory.mktemp("gallery")
    command = [sys.executable, DEMOS / "gallery.py", "--out", out]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(DEMOS.parent)}, check=True, capture_output=True)
    return out


def version() -> str:
    pure = shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    run = subprocess.run([pure, "-V"], capture_output=True, text=True, check=True)
    return re.search(r"version (\S+)", run.stdout + run.stderr)[1]


@pytest.mark.parametrize("name", [*DRAWN, STILL])
def test_the_picture_in_the_repository_is_the_one_drawn_now(redrawn, name):
    """Byte for byte."""
    if name == STILL and chromium.PATH is None:
        pytest.skip(chromium.WHY_NOT)
    drawn_with = (GALLERY / "graphviz-pure.txt").read_text().strip()
    if version() != drawn_with:
        pytest.skip(
            f"drawn with graphviz-pure {drawn_with}, this is {version()}: other versions place things otherwise"
        )
    now, kept = ((folder / name).read_text(encoding="utf-8") for folder in (redrawn, GALLERY))
    assert now == kept, f"{name} is out of date: run demos/gallery.py"


def test_the_gallery_is_small():
    """Nothing in it but these, less than 300 kB together, each a whole file."""
    files = {path.name: path.stat().st_size for path in GALLERY.iterdir()}
    assert set(files) == {*DRAWN, STILL, "graphviz-pure.txt"}
    assert sum(files.values()) < 300_000
    for name in files:
        if name.endswith(".svg"):
            assert ET.parse(GALLERY / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_without_a_browser_the_still_is_left_alone(gallery, tmp_path, monkeypatch, capsys):
    """And the demo says so."""
    monkeypatch.setattr(gallery, "BROWSERS", ())
    (tmp_path / STILL).write_text("kept")
    assert gallery.main(["--out", str(tmp_path)]) == 0
    assert (tmp_path / STILL).read_text() == "kept"
    assert "left as it is: there is no Chromium" in capsys.readouterr().out


def test_without_graphviz_pure_the_demo_says_what_to_install(gallery, tmp_path, monkeypatch, capsys):
    """One line and a status, no traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert gallery.main(["--out", str(tmp_path)]) == 2
    assert "pip install microgradnet[dot]" in capsys.readouterr().err


def test_a_folder_that_is_none_is_refused(gallery, tmp_path, capsys):
    """Likewise."""
    (tmp_path / "file").write_text("")
    assert gallery.main(["--out", str(tmp_path / "file")]) == 2
    assert "is no folder to save in" in capsys.readouterr().err
