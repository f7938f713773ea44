"""`explain` shows every path: against paths by hand, and against gradients."""

import math

import numpy as np
import pytest

from microgradnet import MLP, Value, cross_entropy, dot, explain, grad, quadratic
from microgradnet.graph import reverse, topological_order


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
    assert explain(x, x).paths == [(["leaf"], [], 1.0)]
    assert str(explain(x, x)).split()[:3] == ["1", "=", "1"]
    assert (explain(y, off).paths, explain(y, off).total) == ([], 0.0)


@pytest.mark.parametrize("cost", [quadratic, cross_entropy])
def test_the_sum_over_paths_is_the_gradient(cost):
    """For every parameter of a net, up to a rounding per factor and per sum: 2 an edge, and 1 for the sum."""
    rng = np.random.default_rng(0)
    net = MLP(2, [3, 3, 2], "tanh", "sigmoid", seed=0)
    C = cost(net(rng.normal(size=2)), rng.random(2))
    order = topological_order(C)
    sizes = {C: 1.0}
    reverse(order, sizes, lambda node: map(abs, node.partials))
    edges = sum(len(node.partials) for node in order)
    for p, wanted in zip(net.parameters(), grad(C, net.parameters()), strict=True):
        explanation = explain(C, p)
        assert abs(explanation.total - wanted) <= (2 * edges + 1) * 2.0**-53 * sizes[p]
        assert explanation.total == math.fsum(path.product for path in explanation.paths)
        for path in explanation.paths:
            assert path.product == math.prod(path.factors)
            assert len(path.names) == len(path.factors) + 1
            assert path.names[-1] == p.label


def test_paths_are_counted_before_they_are_walked():
    """y doubled n times has 2ⁿ of them: 4,096 are shown, 2¹⁰⁰⁰ are refused with their number at once."""
    x = y = Value(1.0)
    for n in range(1, 1001):
        y = y + y
        if n == 12:
            assert len(explain(y, x).paths) == explain(y, x).total == 4096
    with pytest.raises(ValueError, match=rf"{2**1000:,} paths.* 5,000 .* with grad"):
        explain(y, x)


def test_a_path_may_be_longer_than_the_recursion_limit():
    x = y = Value(2.0)
    for _ in range(5000):
        y = y * 1.0
    (path,) = explain(y, x).paths
    assert len(path.factors) == 5000


def test_infinite_products_do_not_hide_the_sum():
    """math.fsum refuses inf - inf; the sum then is what the sweep gives, NaN."""
    x = Value(1.0)
    big = x * 1e308
    assert math.isnan(explain(big * 1e300 - big * 1e300, x).total)
    assert explain(big * 1e300 + x, x).total == math.inf


def test_explain_leaves_gradients_alone_and_refuses_what_is_no_value():
    """A TypeError for numbers and lists; a missing derivative is said."""
    x = Value(0.0)
    explain(x * x, x)
    assert x.grad == 0.0
    for output, wrt, words in ((1.0, x, r"float 1\.0 arrived as output"), (x, [x], "arrived as wrt")):
        with pytest.raises(TypeError, match=words):
            explain(output, wrt)
    with pytest.raises(ArithmeticError, match="the derivative of 'sqrt'"):
        explain(x.sqrt(), x)
