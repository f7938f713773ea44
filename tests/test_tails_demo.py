"""`demos/tails.py`: its right numbers are right, its errors are counted, and ours are small."""

import re

import mpmath
import pytest
import tails as demo
from demo_runs import not_blank, quick_run

from microgradnet import formulas

FUNCTIONS = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
}


@pytest.mark.parametrize("name", demo.REACH)
def test_the_right_slopes_are_those_of_differences(name):
    """To 50 digits, on both sides and far out: in so many digits that nothing is lost where they cancel."""
    for x in (0.0, 0.3, -2.5, demo.REACH[name], -demo.REACH[name]):
        with mpmath.workdps(1000):
            wanted = mpmath.diff(FUNCTIONS[name], x)
        with mpmath.workdps(demo.DIGITS):
            assert abs(demo.right_slope(name, x) / wanted - 1) < mpmath.mpf(10) ** -50


def test_the_right_gradient_is_the_formulas_and_so_is_the_usual_one():
    """Where nothing is saturated, in floats."""
    mpmath.mp.dps = demo.DIGITS
    net, x = demo.MLP(*demo.SHAPE, seed=3), [0.1, 0.9, 0.3, 0.5, 0.7, 0.2]
    A, b = net.weights(), net.biases()
    _, dA, db = formulas.delta_recursion(A, b, [x], [[0.0]])
    wanted = [entry for q in range(len(A)) for entry in (*dA[q].ravel(), *db[q])]
    for gradient in (demo.right_gradient, demo.usual_gradient):
        assert [float(entry) for entry in gradient(list(zip(A, b, strict=True)), x)] == pytest.approx(wanted, rel=1e-12)


def test_errors_are_counted_in_the_last_place():
    """Two floats beyond the right one are 2 ulp; a 0 in the place of 1 is 2⁵² ulp, and no digit of it is right."""
    assert (demo.ulps(1.0 + 2**-51, mpmath.mpf(1)), demo.ulps(0.0, mpmath.mpf(1))) == (2.0, 2.0**52)
    assert [demo.digits(error) for error in (0.0, 1.0, 100.0, 2.0**52)] == [15, 15, 13, 0]


@pytest.mark.parametrize("peers", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_our_slopes_are_right_to_a_few_ulp_and_the_net_to_12_digits(peers, monkeypatch, tmp_path):
    """As printed, in the table and in the closing line; beside PyTorch and JAX, where they are installed, they are not."""
    if not peers:
        monkeypatch.setattr(demo, "installed", lambda who: who in ("ours", "usual"))
    text = quick_run(demo, tmp_path)
    rows = re.findall(r"^  (\S+) +(ours|usual|PyTorch|JAX) +(\S+) ulp +(\d+) +(\d+) of \d+$", text, re.MULTILINE)
    errors = {name: float(error) for name, who, error, *_ in rows if who == "ours"}
    assert max(errors[name] for name in demo.REACH) <= 4
    assert [(int(digits) >= 12, none) for _, who, _, digits, none in rows if who == "ours"] == [(True, "0")] * 4
    assert all(float(error) > 20 for name, who, error, *_ in rows if who in demo.PEERS and name != "softplus")
    wrong = {name for name, who, *_, none in rows if who == "usual" and none != "0"}
    assert wrong == {"tanh", "sigmoid", "∂C/∂parameter"}, "the slope of softplus is σ itself, which is right"
    largest = max(errors[name] for name in demo.REACH)
    assert f"our largest error is {largest:.2g} ulp in a slope and {errors['∂C/∂parameter']:.2g} ulp in" in text
    assert not_blank(tmp_path / "tails.png")
