"""`explain` shows every path: against paths by hand, and against gradients."""

import math

import numpy as np
import pytest
from oracles import U
from test_derivatives import path_sizes

from microgradnet import MLP, Value, cross_entropy, dot, explain, grad, quadratic


def test_every_path_is_there_with_its_numbers():
    """z = x y + y, w = z²: three edges, two paths from w to y, one from w to x."""
    x, y = Value(3.0, label="x"), Value(2.0, label="y")
    z = x * y + y
    z.label = "z"
    w = z**2
    found = explain(w, y)
    assert found.paths == [(["**2", "z", "*", "y"], [16.0, 1.0, 3.0], 48.0), (["**2", "z", "y"], [16.0, 1.0], 16.0)]
    assert found.total == grad(w, y)[0] == 64.0
    assert explain(w, x).paths == [(["**2", "z", "*", "x"], [16.0, 1.0, 2.0], 32.0)]


def test_two_edges_are_two_paths():
    """x · x has two; a dot has as many as it holds the value; constants have none. From a value to itself, one is empty."""
    x, off = Value(3.0), Value(1.0)
    assert [p.product for p in explain(x * x, x).paths] == [3.0, 3.0]
    assert explain(x * x, x).paths[0].names == ["*", "leaf"]
    assert [p.product for p in explain(dot([x, 2.0, x], [x, x, 7.0], x), x).paths] == [3.0, 7.0, 1.0, 3.0, 2.0]
    y = x * x
    assert explain(y * y, y).total == 2 * y.data
    assert (explain(x, x).paths, str(explain(x, x)).split()[:3]) == ([(["leaf"], [], 1.0)], ["1", "=", "1"])
    assert (explain(y, off).paths, explain(y, off).total) == ([], 0.0)


@pytest.mark.parametrize("cost", [quadratic, cross_entropy])
def test_the_sum_over_paths_is_the_gradient(cost):
    """For every parameter of a net, up to a rounding per factor and per sum: 2 an edge, and 1 for the sum."""
    rng, net = np.random.default_rng(0), MLP(2, [3, 3, 2], "tanh", "sigmoid", seed=0)
    C, parameters = cost(net(rng.normal(size=2)), rng.random(2)), net.parameters()
    sizes, edges = path_sizes(C, parameters)
    for p, size, wanted in zip(parameters, sizes, grad(C, parameters), strict=True):
        explanation = explain(C, p)
        assert abs(explanation.total - wanted) <= (2 * edges + 1) * U * size
        assert explanation.total == math.fsum(path.product for path in explanation.paths)
        for path in explanation.paths:
            assert path.product == math.prod(path.factors)
            assert (len(path.names), path.names[-1]) == (len(path.factors) + 1, p.label)


def test_paths_are_counted_before_they_are_walked():
    """y doubled n times has 2ⁿ of them: 4,096 are shown, 2¹⁰⁰⁰ are refused with their number at once; one may be long."""
    x = y = Value(1.0)
    for n in range(1, 1001):
        y = y + y
        if n == 12:
            assert len(explain(y, x).paths) == explain(y, x).total == 4096
    with pytest.raises(ValueError, match=rf"{2**1000:,} paths.* 5,000 .* with grad"):
        explain(y, x)
    y = x
    for _ in range(5000):
        y = y * 1.0
    assert len(explain(y, x).paths[0].factors) == 5000


def test_what_has_no_sum_or_no_slope():
    """math.fsum refuses inf − inf, and the sum is NaN; what is no Value, and a missing derivative, are refused."""
    x = Value(0.0)
    big = x * 1e308
    assert math.isnan(explain(big * 1e300 - big * 1e300, x).total)
    for output, wrt, words in ((1.0, x, r"float 1\.0 arrived as output"), (x, [x], "arrived as wrt")):
        with pytest.raises(TypeError, match=words):
            explain(output, wrt)
    with pytest.raises(ArithmeticError, match="the derivative of 'sqrt'"):
        explain(x.sqrt(), x)
