"""The speed demo runs and compares what computes the same; how fast anything is, no test decides."""

import importlib.util
import re
import subprocess
import sys

import measuring
import numpy as np
import pytest
import speed
from demo_runs import FOLDER, environment

FIGURE = r"[\d,.]+ (?:µs|ms|s|B)"
RATIO = r"(?:1/[\d.]+|\d+\.\d\d)"


@pytest.mark.slow
def test_without_peers_every_section_runs(capsys, monkeypatch):
    """A figure for each contestant and a ratio for each peer that needs no installing; the others are left out."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("autograd", "torch", "jax") else find(name)
    )
    monkeypatch.setitem(sys.modules, "micrograd.engine", None)
    speed.main(["--quick", "--rounds", "1"])
    text = capsys.readouterr().out
    assert "medians of 1 round" in text
    rows = dict(re.findall(rf"^  (\S.*?)  +({FIGURE}.*)$", text, re.MULTILINE))
    for work in ("64-30-1, number by number", "chain of 1,000 + and ×", "6-4-3-1", "an epoch in batches of 10"):
        assert re.match(rf"{FIGURE} +{FIGURE} +{RATIO} ", rows[work])
    assert re.match(rf"({FIGURE} +){{3}}{RATIO} +{RATIO} ", rows["transformer, 2 positions, K = 2"])
    assert re.match(rf"{FIGURE} +- +{FIGURE} +- +{RATIO} ", rows["convolution, K = 2"])
    assert re.match(rf"{FIGURE} +{FIGURE} +{RATIO} +≤ 1\.25$", rows["import, in a fresh interpreter"])


def test_the_readme_gets_the_figures_and_keeps_the_rest(tmp_path):
    """Between the marks: our time, and each peer's as a multiple; who did not take part has no column."""
    figures = {
        "net: gradient + update": {"ours": 2e-3, "ours, naive": 1.0, "NumPy tuned": 1e-3, "PyTorch": 5e-3},
        "chain": {"ours": 1.0},
        "its memory": {"ours": 1.0},
    }
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{speed.BEGIN}\nold\n{speed.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        speed.write_readme(speed.readme_table(figures, "A machine."), readme)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n<!--")
    assert text.endswith("-->\nafter\n")
    head, _, net, chain = [line for line in text.splitlines() if line.startswith("|")]
    assert re.fullmatch(r"\| \S.* \| ours \| NumPy by hand \| PyTorch .*\|", head)
    assert (net, chain) == ("| net | 2.00 ms | 0.50 | 2.50 |", "| chain | 1.00 s | – | – |")
    readme.write_text("no marks")
    with pytest.raises(SystemExit, match="restore them"):
        speed.write_readme("", readme)


@pytest.mark.slow
def test_with_the_peers_it_runs_as_a_script():
    """Those that are installed have columns of their own, and compute the same."""
    command = [sys.executable, "-W", "error", FOLDER / "speed.py", "--quick", "batches", "programs"]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment(PYTHONIOENCODING="utf-8"), check=True)
    for module, name in (("autograd", "autograd"), ("torch", "PyTorch"), ("jax", "JAX")):
        assert (f"/ {name} " in ran.stdout) == bool(importlib.util.find_spec(module))


@pytest.mark.parametrize("wrong", [[1.0, 2.0 + 1e-11], [1.0], [1.0, np.nan]])
def test_who_computes_something_else_is_not_compared(wrong):
    """It stops the demo instead of getting a figure."""
    measuring.check_same("a peer", [1.0, 2.0 + 1e-13], [1.0, 2.0])
    with pytest.raises(SystemExit, match="a peer computes something else"):
        measuring.check_same("a peer", wrong, [1.0, 2.0])


def test_contestants_take_turns_and_the_median_counts():
    """Ours, theirs, theirs, ours, …: nobody is always first; the first round warms up, one slow round changes nothing."""
    turns, figures = [], {"ours": iter([99.0, 1.0, 50.0, 2.0]), "theirs": iter([99.0, 4.0, 8.0, 6.0])}

    def contestant(name):
        return lambda clock: turns.append(name) or next(figures[name])

    row = measuring.Row("work", {name: contestant(name) for name in figures})
    assert row.run(measuring.Measuring(3)) == {"ours": 2.0, "theirs": 6.0}
    assert turns == ["ours", "theirs", "theirs", "ours"] * 2


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["slow"], ["--readme", "--quick"]], ids=" ".join)
def test_arguments_that_make_no_sense_are_refused(arguments, capsys):
    """Before anything is measured."""
    with pytest.raises(SystemExit) as stop:
        speed.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().out == ""
