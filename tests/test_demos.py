"""What all demos keep: a folder that cannot be used is named before anything is computed, and a pipe may close."""

import importlib
import os
import signal
import subprocess
import sys

import pytest
from demo_runs import FOLDER

DEMOS = ["curve", "forward_vs_backward", "moons", "perceptrons", "saturation"]
each_demo = pytest.mark.parametrize("name", DEMOS)


def refused(name, out, capsys):
    """What a demo says of a folder, which must be one line and all that is printed."""
    assert importlib.import_module(name).main(["--quick", "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{name}.py: {out} is no folder to save in: ")
    assert printed.err.count("\n") == 1
    return printed.err


@each_demo
def test_a_file_in_the_way_is_named(name, tmp_path, capsys):
    """One line on stderr, before anything is computed."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    refused(name, in_the_way, capsys)


@each_demo
def test_a_folder_that_cannot_be_written_is_named(name, tmp_path, capsys, monkeypatch):
    """Likewise: it exists, but nothing can be saved in it."""

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert "Permission denied" in refused(name, tmp_path, capsys)


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="pipes break otherwise there")
@each_demo
def test_a_reader_that_stops_ends_it_quietly(name, tmp_path):
    """As with `| head`: no traceback."""
    command = [sys.executable, "-u", FOLDER / f"{name}.py", "--quick", "--out", tmp_path]
    home = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home) as ran:
        ran.stdout.readline()
        ran.stdout.close()
        assert ran.stderr.read() == b""
