"""`demos/gpt.py`: its data, its model beside PyTorch's or NumPy's, and what a quick run prints and draws."""

import re
import subprocess
import sys

import gpt as demo
import numpy as np
import pytest
import transformer
from demo_runs import FOLDER, environment, not_blank


def test_a_name_is_one_hot_tokens_and_the_letters_that_follow():
    """The boundary in front and behind; targets of a name add up to 1; padding is 0."""
    X, R = [data.reshape(demo.POSITIONS, demo.TOKENS) for data in demo.as_data(["rio"])]
    for data, letters, total in ((X, [demo.BOUNDARY, *"rio"], 1.0), (R, [*"rio", demo.BOUNDARY], 0.25)):
        assert [demo.LETTERS[row.argmax()] for row in data[:4]] == letters
        assert data.sum(axis=1).tolist() == [total] * 4 + [0.0] * 8


def test_the_model_is_the_one_in_arrays():
    """On names without padding, the eager cost and gradient are those of the transformer written in NumPy by hand."""
    theta = transformer.made_up_theta(demo.POSITIONS)
    gpt = demo.GPT(theta)
    X, R = demo.as_data(["a" * (demo.POSITIONS - 1)])
    cost = gpt.cost(X[0].tolist(), R[0].tolist())
    cost.backward()
    wanted, gradient = transformer.ByNumpy(demo.POSITIONS).value_and_grad(X, demo.POSITIONS * R, theta)
    assert cost.data == pytest.approx(wanted, rel=1e-13)
    np.testing.assert_allclose(
        [p.grad for p in gpt.parameters()], gradient, rtol=0, atol=1e-13 * np.abs(gradient).max()
    )


@pytest.mark.slow
def test_a_quick_run_learns(tmp_path):
    """From about ln 27 to well below; on names it has not seen, too."""
    command = [sys.executable, "-W", "error", FOLDER / "gpt.py", "--quick", "--out", tmp_path]
    home = environment(PYTHONIOENCODING="ascii")
    ran = subprocess.run(command, capture_output=True, text=True, encoding="ascii", check=True, env=home)
    costs = re.findall(r"^Cost (?:before|after): (\S+) on the names to learn from, (\S+) on", ran.stdout, re.MULTILINE)
    (before, before_others), (after, after_others) = [map(float, pair) for pair in costs]
    assert 3.2 < before < 3.6
    assert after < 2.6
    assert after_others < before_others - 0.5
    assert not_blank(tmp_path / "gpt.png")
