"""`demos/tails.py`: its right numbers are right, its errors are counted, and ours are small."""

import re
from decimal import Decimal, localcontext

import mpmath
import numpy as np
import pytest
import tails as demo
from demo_runs import not_blank, quick_run

from microgradnet import formulas


def decimal_slope(name, x):
    """From the definitions, in so many digits that nothing is lost where they cancel."""
    with localcontext(prec=800):
        e = Decimal(x).exp()
        if name == "tanh":
            return 1 - ((e - 1 / e) / (e + 1 / e)) ** 2
        return e / (1 + e) ** 2 if name == "sigmoid" else e / (1 + e)


@pytest.mark.parametrize("name", demo.REACH)
def test_the_right_slopes_are_those_of_decimals(name):
    """To 50 digits, on both sides and far out."""
    mpmath.mp.dps = demo.DIGITS
    for x in (0.0, 0.3, -2.5, demo.REACH[name], -demo.REACH[name]):
        wanted = mpmath.mpf(str(decimal_slope(name, x)))
        assert abs(demo.right_slope(name, x) / wanted - 1) < mpmath.mpf(10) ** -50


def test_the_right_gradient_is_the_formulas():
    """Where nothing is saturated, in floats."""
    mpmath.mp.dps = demo.DIGITS
    net, x = demo.MLP(*demo.SHAPE, seed=3), [0.1, 0.9, 0.3, 0.5, 0.7, 0.2]
    A, b = net.weights(), net.biases()
    _, dA, db = formulas.delta_recursion(A, b, [x], [[0.0]])
    wanted = [entry for q in range(len(A)) for entry in (*dA[q].ravel(), *db[q])]
    found = [float(entry) for entry in demo.right_gradient(list(zip(A, b, strict=True)), x)]
    assert found == pytest.approx(wanted, rel=1e-12)


def test_errors_are_counted_in_the_last_place():
    """Two floats beyond the right one are 2 ulp; a 0 in the place of 1 is 2⁵² ulp, and no digit of it is right."""
    assert demo.ulps(1.0 + 2**-51, mpmath.mpf(1)) == 2.0
    assert demo.ulps(0.0, mpmath.mpf(1)) == 2.0**52
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
    assert all(
        float(error) > 20 for name, who, error, *_ in rows if who not in ("ours", "usual") and name != "softplus"
    )
    wrong = {name for name, who, *_, none in rows if who == "usual" and none != "0"}
    assert wrong == {"tanh", "sigmoid", "∂C/∂parameter"}, "the slope of softplus is σ itself, which is right"
    largest = max(errors[name] for name in demo.REACH)
    assert f"our largest error is {largest:.2g} ulp in a slope and {errors['∂C/∂parameter']:.2g} ulp in" in text
    assert not_blank(tmp_path / "tails.png")


def test_the_usual_gradient_is_right_where_nothing_is_saturated():
    """Its digits are lost in the tails alone, not by a mistake."""
    layers = [(np.array([[0.5, -1.0], [0.3, 0.2]]), np.array([0.1, 0.4])), (np.array([[1.0, -2.0]]), np.array([0.2]))]
    right = [float(entry) for entry in demo.right_gradient(layers, [0.3, 0.7])]
    assert demo.usual_gradient(layers, [0.3, 0.7]) == pytest.approx(right, rel=1e-12)
