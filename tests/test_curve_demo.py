"""`demos/curve.py`: what a quick run prints is what NumPy and the lecture's formulas find, without the package."""

import re
from types import SimpleNamespace

import curve as demo
import numpy as np
import pytest
from demo_runs import changed_run, not_blank, quick_run

from microgradnet import formulas

KINDS = ["tanh", "linear"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """What a run printed, the samples, the parameters at the start, and the way of Newton's method."""
    out, ways, descend = tmp_path_factory.mktemp("curve"), [], demo.newtons_method

    def newtons_method(net, fast, *rest):
        ways.append((fast.theta(), descend(net, fast, *rest)))
        return ways[-1][1]

    text = quick_run(demo, out, newtons_method=newtons_method, QUICK_DESCENT_STEPS=10)
    assert not_blank(out / "curve.png")
    ((start, newton),) = ways
    data = demo.samples(np.random.default_rng(demo.DATA_SEED))
    return SimpleNamespace(text=text, data=data, start=start, newton=newton)


# The demo's cost once more, in NumPy alone. θ has neuron after neuron, each neuron's weights before its bias.


def matrices(theta):
    n = (len(theta) - 1) // 3
    hidden = theta[: 2 * n].reshape(n, 2)
    return [hidden[:, :1], theta[None, 2 * n : 3 * n]], [hidden[:, 1], theta[-1:]]


def cost_of(theta, X, R):
    outputs = np.array([formulas.forward_pass(*matrices(theta), [x], KINDS).ys[-1][0] for x in X])
    return np.mean((outputs - R) ** 2) / 2


def gradient_of(theta, X, R):
    _, A, b = formulas.delta_recursion(*matrices(theta), X, R, KINDS)
    return np.concatenate([np.column_stack([A[0], b[0]]).ravel(), A[1].ravel(), b[1]])


def hessian_of(theta, X, R, h=1e-5):
    rows = [gradient_of(theta + h * e, X, R) - gradient_of(theta - h * e, X, R) for e in np.eye(len(theta))]
    return np.array(rows) / (2 * h)


def newtons_rows(text):
    """C, |∇C|, |θ − θ*| and λ of every step; the last has no λ."""
    rows = re.findall(r"^ +\d+ +(0\.\d{14}) +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE)
    return [[float(n) for n in row if n != "—"] for row in rows]


def test_newtons_method_goes_downhill_from_where_the_formulas_start_to_where_they_end(quick):
    """λ damps the first step and none of the last three; at the end the correct digits double."""
    rows, end = newtons_rows(quick.text), quick.newton.path.theta
    assert f" in {len(rows) - 1} steps, each as long as " in quick.text
    assert rows[0][0] == pytest.approx(cost_of(quick.start, *quick.data), abs=1e-13)
    assert rows[0][1] == pytest.approx(np.linalg.norm(gradient_of(quick.start, *quick.data)), rel=0.06)
    assert rows[-1][0] == pytest.approx(cost_of(end, *quick.data), abs=1e-13)
    assert np.linalg.norm(gradient_of(end, *quick.data)) < 1e-11
    assert (np.diff([row[0] for row in rows]) <= 1e-14).all()
    assert rows[0][3] > 0.0
    assert [row[3] for row in rows[-4:-1]] == [0.0, 0.0, 0.0]
    power = float(re.search(r"falls to its power (\S+)\. .*: the correct digits double\.", quick.text)[1])
    assert 1.6 < power < 2.4


def test_the_eigenvalues_are_those_of_differences_of_the_formulas(quick):
    """At the start some are negative; at the end all are positive, and so is the condition number printed."""
    for where, theta in (("start", quick.start), ("end", quick.newton.path.theta)):
        (line,) = re.findall(rf"^  at the {where}  +(\S.*)$", quick.text, re.MULTILINE)
        wanted = np.linalg.eigvalsh(hessian_of(theta, *quick.data))
        np.testing.assert_allclose(np.array(line.replace("−", "-").split(), float), wanted, rtol=0.06, atol=1e-8)
        assert (wanted[0] < 0.0) == (where == "start")
    condition = float(re.search(r"/λ_min is ([\d,]+)\. For$", quick.text, re.MULTILINE)[1].replace(",", ""))
    assert condition == pytest.approx(wanted[-1] / wanted[0], rel=1e-3)


def test_descent_comes_back_below_the_largest_stable_step_and_runs_away_above(quick):
    """By the factor |1 − Δt λ_max| a step, as in NumPy."""
    rows = re.findall(r"^ +(\S+) . 2/λ_max +100 +(\S+) +(\S+) +(\S+) +it (.*)$", quick.text, re.MULTILINE)
    assert [(row[0], row[4]) for row in rows] == [("0.98", "comes back"), ("1.02", "runs away")]
    curvatures, directions = np.linalg.eigh(quick.newton.last)
    for factor, distance, found, foretold, _ in rows:
        assert float(foretold) == pytest.approx(abs(1.0 - 2.0 * float(factor)), abs=1e-4)
        assert float(found) == pytest.approx(float(foretold), abs=2e-3)
        theta = quick.newton.path.theta + demo.NUDGE * directions[:, -1]
        for _ in range(demo.TRIAL_STEPS):
            theta = theta - float(factor) * 2.0 / curvatures[-1] * gradient_of(theta, *quick.data)
        assert float(distance) == pytest.approx(np.linalg.norm(theta - quick.newton.path.theta), rel=0.06)


def test_where_the_theory_does_not_hold_it_is_not_claimed(tmp_path):
    """Fewer samples than parameters, and a descent that stops short: it is said."""
    text = changed_run(demo, tmp_path, QUICK_DESCENT_STEPS=10, K=5, NEWTON_STEPS=5)
    assert "At the end H is not positive definite" in text
    assert "stopped short at |∇C| =" in text
    for conclusion in ("digits double", "a minimum. λ_max", "comes back", "runs away", "slowest factor"):
        assert conclusion not in text
