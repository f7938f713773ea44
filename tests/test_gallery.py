"""The pictures in demos/gallery are what demos/gallery.py draws, and they are few and small."""

from __future__ import annotations

import browser as chromium
import gallery
import pytest

PICTURES = "expression.svg", "net.svg", "slide.svg", "gradients.svg", "folded.svg", "loop.svg", "program.svg"
DRAWN = *PICTURES, "steps.html", "net_steps.html"
STILL = "steps.svg"


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    """What the demo writes now; where there is a browser, with the still."""
    out = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery.dot_command, "DOT_BINARY", gallery.dot_command.DOT_BINARY)  # which the demo changes
        assert gallery.main(["--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("name", [*DRAWN, STILL])
def test_the_picture_in_the_repository_is_the_one_drawn_now(redrawn, name):
    """Byte for byte, with the same version of graphviz-pure: others place things otherwise."""
    if name == STILL and chromium.PATH is None:
        pytest.skip(chromium.WHY_NOT)
    this, drawn_with = ((folder / "graphviz-pure.txt").read_text().strip() for folder in (redrawn, gallery.GALLERY))
    if this != drawn_with:
        pytest.skip(f"drawn with graphviz-pure {drawn_with}, this is {this}")
    now, kept = ((folder / name).read_text(encoding="utf-8") for folder in (redrawn, gallery.GALLERY))
    assert now == kept, f"{name} is out of date: run demos/gallery.py"


def test_the_gallery_is_small():
    """Nothing in it but these, less than 400 kB together."""
    files = {path.name: path.stat().st_size for path in gallery.GALLERY.iterdir()}
    assert set(files) == {*DRAWN, STILL, "graphviz-pure.txt"}
    assert sum(files.values()) < 400_000


def test_without_a_renderer_or_a_browser_that_is_told(tmp_path, monkeypatch, capsys):
    """Without Chromium the still is left alone; without graphviz-pure, one line and a status."""
    monkeypatch.setattr(gallery, "BROWSERS", ())
    monkeypatch.setattr(gallery, "pictures", dict)
    monkeypatch.setattr(gallery.dot_command, "DOT_BINARY", None)
    assert gallery.main(["--out", str(tmp_path)]) == 0
    assert "steps.svg is left as it is" in capsys.readouterr().out
    monkeypatch.setattr(gallery.shutil, "which", lambda *_, **__: None)
    assert gallery.main(["--out", str(tmp_path)]) == 2
    assert "pip install microgradnet[dot]" in capsys.readouterr().err
