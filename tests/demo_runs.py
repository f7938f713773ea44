"""How the tests run a demo: as a user does, or in this process with other constants."""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "demos"


def quick_run(name, out):
    """What a quick run prints, with warnings as errors and in a terminal without Greek letters; its pictures go to `out`."""
    command = [sys.executable, "-W", "error", FOLDER / f"{name}.py", "--quick", "--out", out]
    home = {**os.environ, "PYTHONPATH": str(FOLDER.parent), "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, capture_output=True, text=True, encoding="ascii", check=True, env=home)
    assert ran.stderr == ""
    return ran.stdout


def changed_run(demo, monkeypatch, capsys, out, **constants):
    """What a quick run prints when a reader has changed the constants at the top."""
    for name, value in constants.items():
        monkeypatch.setattr(demo, name, value)
    assert demo.main(["--quick", "--out", str(out)]) == 0
    return capsys.readouterr().out
