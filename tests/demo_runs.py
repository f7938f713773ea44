"""How the tests run a demo: as a user does, or in this process with other constants."""

import os
import subprocess
import sys
from pathlib import Path

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
