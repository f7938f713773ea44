"""The speed demo runs and prints what it says; how fast anything is, no test decides."""

import importlib.util
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "demos" / "speed.py"
ROWS = [
    "6-4-3-1, forward + backward of a sample",
    "64-30-1, forward + backward of a sample",
    "chain of 1,000 + and ×, build + backward",
    "the same chain as built, memory a node",
]
FIGURE = r"[\d,.]+ (?:µs|ms|s|bytes)"
RATIO = r"(?:1/[\d.]+|\d+\.\d\d)"


@pytest.fixture(scope="module")
def speed():
    """The demo as a module, found whatever the current directory."""
    spec = importlib.util.spec_from_file_location("speed_demo", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["speed_demo"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["speed_demo"]


def line(text, work):
    """What follows the name of a piece of work."""
    (found,) = re.findall(rf"^  {re.escape(work)}  +(.*)$", text, re.MULTILINE)
    return found


def test_each_row_shows_both_engines_and_their_ratio(speed, capsys):
    """Medians of ours and of micrograd, the ratio, and the targets beside them."""
    pytest.importorskip("micrograd", reason="comes with the extra 'peers'")
    limits = sys.getrecursionlimit(), threading.stack_size()
    assert speed.main(["--quick"]) == 0
    assert (sys.getrecursionlimit(), threading.stack_size()) == limits
    text = capsys.readouterr().out
    assert "medians of 2 rounds" in text
    for work in ROWS:
        assert re.fullmatch(rf"{FIGURE} +{FIGURE} +{RATIO}(?: +\S.*)?", line(text, work))
    assert line(text, ROWS[1]).endswith("≤ 1/50")
    assert line(text, ROWS[3]).endswith("ours ≤ 200 bytes")
    assert "pip install" not in text
    assert re.search(r"micrograd has no sigmoid", text)


def test_without_micrograd_it_prints_our_figures_and_how_to_get_it(speed, capsys, monkeypatch):
    """The extra is named, nothing is compared, nothing fails."""
    monkeypatch.setitem(sys.modules, "micrograd", None)
    monkeypatch.setitem(sys.modules, "micrograd.nn", None)
    assert speed.main(["--quick", "--rounds", "1"]) == 0
    text = capsys.readouterr().out
    assert "medians of 1 round" in text
    assert "pip install -e '.[peers]'" in text
    assert "ours / micrograd" not in text
    for work in ROWS:
        assert re.fullmatch(rf"{FIGURE}(?: +ours ≤ 200 bytes)?", line(text, work))


def test_the_import_row_compares_with_numpy(speed, capsys):
    """In fresh interpreters, with the target."""
    speed.imports(1)
    text = capsys.readouterr().out
    assert re.fullmatch(rf"{FIGURE} +{FIGURE} +{RATIO} +≤ 1\.3", line(text, "import, in a fresh interpreter"))
    assert "microgradnet / numpy" in text


def test_engines_that_disagree_are_not_compared(speed):
    """A peer that computes something else stops the demo instead of giving it a figure."""
    net, other = speed.MLP(2, [1], seed=1), speed.MLP(2, [1], seed=2)
    with pytest.raises(SystemExit, match="disagree"):
        speed.same_gradients(net, lambda: net([1, 2]).backward(), other, lambda: other([1, 2]).backward())


def test_engines_take_turns_and_the_median_counts(speed):
    """Ours, theirs, theirs, ours, …: nobody is always first; the first round warms up and is dropped, one slow round changes nothing."""
    turns, figures = [], {"ours": iter([99.0, 1.0, 50.0, 2.0]), "theirs": iter([99.0, 4.0, 8.0, 6.0])}

    def contestant(name):
        def take_turn():
            turns.append(name)
            return next(figures[name])

        return take_turn

    row = speed.Row("work", {name: contestant(name) for name in figures}, speed.seconds)
    assert row.run(3) == {"ours": 2.0, "theirs": 6.0}
    assert turns == ["ours", "theirs", "theirs", "ours"] * 2


def test_figures_have_the_unit_that_suits(speed):
    """µs, ms, s; a small ratio is a fraction, as the targets are."""
    assert [speed.seconds(t) for t in (2e-5, 0.0123, 1.5)] == ["20 µs", "12.3 ms", "1.50 s"]
    assert [speed.ratio(r) for r in (0.02, 0.6, 1.25)] == ["1/50.0", "0.60", "1.25"]


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--rounds", "many"], ["--fast"]], ids=" ".join)
def test_arguments_that_make_no_sense_are_refused(speed, arguments, capsys):
    """With the usage, before anything is measured."""
    with pytest.raises(SystemExit) as stop:
        speed.main(arguments)
    assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_it_runs_as_a_script():
    """From any directory, with an answer to --help."""
    done = subprocess.run([sys.executable, "-W", "error", str(FILE), "--help"], capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(FILE.parents[1]), "PYTHONIOENCODING": "utf-8"}, cwd="/")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
