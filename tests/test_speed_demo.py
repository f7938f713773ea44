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
def test_every_section_runs():
    """As a script: a figure for each contestant; peers that are installed have columns, and compute the same."""
    command = [sys.executable, "-W", "error", FOLDER / "speed.py", "--quick", "--rounds", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment(PYTHONIOENCODING="utf-8"), check=True)
    for module, name in (("autograd", "autograd"), ("torch", "PyTorch"), ("jax", "JAX")):
        assert (f"/ {name} " in ran.stdout) == bool(importlib.util.find_spec(module))
    rows = dict(re.findall(rf"^  (\S.*?)  +({FIGURE}.*)$", ran.stdout, re.MULTILINE))
    for work in ("64-30-1, number by number", "chain of 1,000 + and ×", "6-4-3-1", "an epoch in batches of 10"):
        assert re.match(rf"{FIGURE} +{FIGURE} .*{RATIO} ", rows[work])
    assert re.match(rf"{FIGURE} +{FIGURE} +{RATIO} +≤ 1\.25$", rows["import, in a fresh interpreter"])


def test_the_readme_gets_the_figures_and_keeps_the_rest(tmp_path):
    """Between the marks: our time, and each peer's as a multiple; who did not take part has no column."""
    net = {"ours": 2e-3, "ours, naive": 1.0, "NumPy tuned": 1e-3, "PyTorch": 5e-3}
    table = speed.readme_table({"net: gradient + update": net, "chain": {"ours": 1.0}}, "A machine.")
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{speed.BEGIN}\nold\n{speed.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        speed.write_readme(table, readme)
    text = readme.read_text(encoding="utf-8")
    assert re.fullmatch(r"before\n<!--.*-->\nafter\n", text, re.DOTALL)
    head, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert re.fullmatch(r"\| \S.* \| ours \| NumPy by hand \| PyTorch .*\|", head)
    assert rows == ["| net: gradient + update | 2.00 ms | 0.50 | 2.50 |", "| chain | 1.00 s | – | – |"]


@pytest.mark.parametrize("wrong", [[1.0, 2.0 + 1e-11], [[1.0, 2.0]], [1.0, np.nan]])
def test_who_computes_something_else_is_not_compared(wrong):
    """It stops the demo instead of getting a figure."""
    measuring.check_same("a peer", [1.0, 2.0 + 1e-13], [1.0, 2.0])
    with pytest.raises(SystemExit, match="a peer computes something else"):
        measuring.check_same("a peer", wrong, [1.0, 2.0])


def test_contestants_take_turns_and_the_median_counts(monkeypatch):
    """In orders that change, so nobody is always first; the first round warms up, one slow round changes nothing."""
    turns, figures = [], {"ours": iter([99.0, 1.0, 50.0, 2.0]), "theirs": iter([99.0, 4.0, 8.0, 6.0])}

    def contestant(name):
        return lambda clock: turns.append(name) or next(figures[name])

    monkeypatch.setattr(measuring.gc, "collect", list)  # of all that other tests have left
    row = measuring.Row("work", {name: contestant(name) for name in figures})
    assert row.run(measuring.Measuring(3)) == {"ours": 2.0, "theirs": 6.0}
    assert {*zip(turns[::2], turns[1::2], strict=True)} == {("ours", "theirs"), ("theirs", "ours")}
