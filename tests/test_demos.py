"""What the demos share: each is a script, a folder that cannot be used is named at once, and a pipe may close."""

import signal
import subprocess
import sys

import command_line
import pytest
from demo_runs import FOLDER, environment


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["curve", "digits", "forward_vs_backward", "moons", "perceptrons", "saturation", "tails"]
)
def test_a_demo_is_a_script(name, tmp_path):
    """Which runs from any folder, with warnings as errors."""
    command = [sys.executable, "-W", "error", FOLDER / f"{name}.py", "--help"]
    assert subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, check=True).stdout


def test_a_folder_that_cannot_be_used_is_named(tmp_path, capsys):
    """With what to do: here a file is where the folder should be."""
    (tmp_path / "out").touch()
    with pytest.raises(SystemExit) as stop:
        command_line.parse(["--out", str(tmp_path / "out")], "A demo.", quick="less")
    assert stop.value.code == 2
    assert f"cannot save in {tmp_path / 'out'}: File exists; name another folder" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="pipes break otherwise there")
def test_a_reader_that_stops_ends_a_demo_quietly(tmp_path):
    """As with `| head`: no traceback; and in a terminal without Greek letters."""
    command = [sys.executable, "-W", "error", "-u", FOLDER / "perceptrons.py", "--quick", "--out", tmp_path]
    home = environment(PYTHONIOENCODING="ascii")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home) as ran:
        assert any(b"?(z)" in line for line in ran.stdout)  # σ(z)
        ran.stdout.close()
        assert ran.stderr.read() == b""
