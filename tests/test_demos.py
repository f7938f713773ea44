"""What the demos share: a folder that cannot be used is named before anything is computed, and a pipe may close."""

import signal
import subprocess
import sys

import command_line
import pytest
from demo_runs import FOLDER, environment


def refused(out, capsys):
    """What is said of a folder."""
    with pytest.raises(SystemExit) as stop:
        command_line.parse(["--out", str(out)], "A demo.", quick="less")
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_a_file_in_the_way_is_named(tmp_path, capsys):
    """With what to do."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert f"cannot save in {in_the_way}: File exists; name another folder" in refused(in_the_way, capsys)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys, monkeypatch):
    """It exists, but nothing can be saved in it."""

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert f"cannot save in {tmp_path}: Permission denied" in refused(tmp_path, capsys)


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="pipes break otherwise there")
def test_a_reader_that_stops_ends_a_demo_quietly(tmp_path):
    """As with `| head`: no traceback."""
    command = [sys.executable, "-u", FOLDER / "perceptrons.py", "--quick", "--out", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as ran:
        ran.stdout.readline()
        ran.stdout.close()
        assert ran.stderr.read() == b""
