"""grad, vjp, jvp, jacobian, hessian and hvp: derivatives of every order, in both modes, and what they refuse.

First derivatives on any graph, in both modes, are test_graphs' business.
"""

import itertools
import math

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import U

from microgradnet import MLP, Value, cross_entropy, dot, grad, hessian, hvp, jacobian, jvp, nodes, ops, quadratic, vjp
from microgradnet.graph import reverse, topological_order


def path_sizes(output, wrt):
    """Σ over the paths of the sizes of their products, and the number of edges: what a sweep's rounding is a part of."""
    sizes = {output: 1.0}
    order = topological_order(output)
    reverse(order, sizes, lambda node: map(abs, node.partials))
    return [sizes.get(x, 0.0) for x in wrt], sum(len(node.parents) for node in order)


# Every order.

ROWS = {name: (op, oracles.arity(op)) for name, op in ops.TABLE.items() if name in oracles.BOOK}
ROWS |= {str(ops.power(n)): (lambda x, n=n: x**n, 1) for n in (0, 1, 2, 3, -1, -2, 0.5, 1.5)}
ROWS["detach"] = (ops.detach, 1)
ROWS["dot"] = (lambda *v: dot(v[:2], v[2:]), 4)


@pytest.mark.parametrize("name", ROWS)
def test_three_derivatives_of_every_row_are_differences(name):
    """By reverse over reverse over reverse, the last one by forward mode too, for every sequence of operands.

    A derivative is a sum over paths of products of partials. Each factor is right to some 8 roundings of U, and a path has
    fewer than 30 factors: the sum is right to 240 U of the sum of the sizes; the differences are, at numbers of size 1,
    right to 36 digits. At kinks and ties, the pieces decide as they do for the slope.
    """
    f, n = ROWS[name]
    numbers = (-1.7, -0.3, 0.4, 0.9, 2.6) + (0.0,) * (name in oracles.SIDES)
    checked = 0
    for point in itertools.product(numbers, repeat=n) if n < 3 else [(0.4, -0.3, 2.6, 0.9)]:
        if not oracles.mp.isfinite(oracles.exactly(name, point)):
            continue
        for wrt in itertools.product(range(n), repeat=3):
            inputs = [Value(x) for x in point]
            y = f(*inputs)
            for order, x in enumerate([inputs[i] for i in wrt], 1):
                (size,), _ = path_sizes(y, [x])
                tangent = jvp(y, {x: 1.0})
                (recorded,) = jvp([y], {x: 1}, create_graph=True)
                (y,) = grad(y, [x], create_graph=True)
                exact = oracles.derivative(name, point, *wrt[:order])
                for found in (y.data, tangent, recorded.data):
                    off = abs(found - exact)
                    assert off <= 240 * U * (size + abs(exact)) + 1e-35, f"∂{wrt[:order]} of '{name}' at {point}"
                checked += 1
    assert checked


def test_any_order_can_be_reached():
    """Eight derivatives of sin, which comes back to itself twice; and two of a chain that no recursion would survive."""
    x = y = Value(2.0)
    for _ in range(20_000):
        y = y * 1.0
    assert hessian(y * y, x) == [[2.0]]
    y = x.sin()
    for k in range(1, 9):
        (y,) = grad(y, [x], create_graph=True)
        assert y.data == [math.sin(2), math.cos(2), -math.sin(2), -math.cos(2)][k % 4]


nets = st.builds(
    lambda widths, activation, seed: MLP(widths[0], widths[1:], activation, "sigmoid", seed=seed),
    st.lists(st.integers(1, 3), min_size=2, max_size=4),
    st.sampled_from(["sigmoid", "tanh", "softplus"]),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=max(25, settings.default.max_examples // 4))
@given(nets, st.sampled_from([quadratic, cross_entropy]), st.integers(0, 2**32 - 1))
def test_hessians_of_nets(net, cost, seed):
    """Symmetric; hvp (forward over reverse) and the gradient of a recorded jvp (reverse over forward) are its product.

    All are the same sums over paths in other brackets: each term is rounded at most twice an edge, and partials that are
    computed in two ways are right to some 24 U, some four of them a layer.
    """
    rng = np.random.default_rng(seed)
    parameters = net.parameters()
    C = cost(net(rng.normal(size=net.nin)), rng.random(net.nout))
    gradient = grad(C, parameters, create_graph=True)
    assert [g.data for g in gradient] == grad(C, parameters)
    H, v = np.array(hessian(C, parameters)), rng.normal(size=len(parameters))
    found = [path_sizes(g, parameters) for g in gradient]
    sizes, edges = np.array([size for size, _ in found]), max(n for _, n in found)
    apart = (4 * edges + 24 * len(net.layers) * 4) * U
    assert (np.abs(H - H.T) <= apart * (sizes + sizes.T)).all()
    along = jvp(C, dict(zip(parameters, v.tolist(), strict=True)), create_graph=True)
    for product in (hvp(C, parameters, v), grad(along, parameters)):
        assert (np.abs(product - H @ v) <= apart * ((sizes + sizes.T) @ np.abs(v))).all()


def test_hvp_of_values_that_depend_on_each_other_or_come_twice():
    """It is the product with the rows that hessian gives, exactly in whole numbers."""
    x, y = Value(2.0), Value(3.0)
    inner = x * y
    output = inner * inner * x + dot([x, inner], [inner, 2.0], y)
    wrt, v = [x, inner, y, x], [1.0, -2.0, 5.0, 3.0]
    assert hvp(output, wrt, v) == (hessian(output, wrt) @ np.array(v)).tolist()


# What they take.


def test_many_outputs_and_many_directions_take_one_sweep():
    """A list for a sequence, arrays of any shape for arrays of tangents: bit for bit what each by itself gives."""
    x, y = Value(0.7), Value(-1.3)
    outputs = [dot([x, x * y, 2.0], [y, 3.0, x], y).tanh(), x / y, x, Value(1.0)]
    along_x, along_y = np.array([[1.0, 0.0], [0.3, 5.0]]), np.array([[0.0, 1.0], [-2.0, 0.0]])
    rates = jvp(tuple(outputs), {x: along_x, y: along_y})
    for i in np.ndindex(2, 2):
        along = {x: float(along_x[i]), y: float(along_y[i])}
        assert [rate[i] for rate in rates] == jvp(outputs, along) == [jvp(output, along) for output in outputs]
    assert jvp(x, {x: np.array([1, 2])}).tolist() == [1.0, 2.0]


def test_directions_that_are_values_are_differentiated_too():
    """The derivative of x³ along v is 3 x² v, in either mode; its slopes are 6 x v and 3 x²."""
    x, v = Value(2.0), Value(5.0)
    forward, (backward,) = jvp(x**3, {x: v}, create_graph=True), vjp(x**3, v, x, create_graph=True)
    for along in (forward, backward):
        assert (along.data, grad(along, [x, v])) == (60.0, [60.0, 12.0])


# What they refuse.


@pytest.mark.parametrize(
    ("f", "old", "new"),
    [
        (lambda x: dot([x], [x]), 2.0, 3.0),
        (lambda x: x**3, 2.0, -2.0),  # an even slope is the same at -x, the second derivative is not
        (Value.sin, 1.0, -1.0),
        (Value.log, 1.0, -1.0),  # where it is not even defined
    ],
)
def test_a_leaf_assigned_after_its_use_gives_no_mixed_second_derivatives(f, old, new):
    """First derivatives are those at the recorded numbers; a graph of derivatives would mix old and new ones: refused.

    NaN, which differs from itself, is no reason to suspect an assignment.
    """
    x, nan = Value(old), Value(math.nan)
    y = f(x)
    right = grad(y, x)
    x.data = new
    assert grad(y, x) == right
    for derive in (lambda: grad(y, x, create_graph=True), lambda: hessian(y, x)):
        with pytest.raises(RuntimeError, match="compute the output again"):
            derive()
    assert math.isnan(hessian(nan * nan * nan, nan)[0][0])


@pytest.mark.parametrize(
    ("derive", "error", "words"),
    [
        (lambda x: grad(x, [1.0]), TypeError, r"float 1\.0.*wrt"),
        (lambda x: grad(2.0, x), TypeError, r"float 2\.0.*output"),
        (lambda x: jvp(x, {"x": 1.0}), TypeError, "str 'x'.*tangents"),
        (lambda x: jvp(x, {x: True}), TypeError, "bool True.*number"),
        (lambda x: jvp(x, {x: np.ones(2)}, create_graph=True), TypeError, "array.*number"),
        (lambda x: jvp(x, {x: np.array(["1"])}), TypeError, "<U1.*numbers"),
        (lambda x: jvp(x, {x: np.ma.array([1.0], mask=[True])}), TypeError, "masked"),
        (lambda x: jvp(x, {x: np.ones(2), Value(3.0): np.ones((2, 1))}), ValueError, r"\(2,\), \(2, 1\)"),
        (lambda x: nodes([x]), TypeError, "list"),
        (lambda x: jacobian([x, 2.0], x), TypeError, r"float 2\.0.*outputs"),
        (lambda x: vjp([x], [x], x), TypeError, "Value.*number"),
        (lambda x: vjp([x], ["1"], x, create_graph=True), TypeError, "str '1'.*number"),
        (lambda x: vjp([x, x], [1.0], x), ValueError, "1 cotangents met 2"),
        (lambda x: hvp(x, x, [True]), TypeError, "bool True.*number"),
        (lambda x: hvp(x, [x, x], [1.0, 2.0, 3.0]), ValueError, "3 direction met 2"),
    ],
)
def test_what_does_not_fit_is_refused(derive, error, words):
    """By what arrived, and where."""
    with pytest.raises(error, match=words):
        derive(Value(1.0))
