"""grad, vjp, jvp, jacobian, hessian and hvp: derivatives of every order, in both modes, and what they refuse."""

import itertools
import math
import sys
from functools import reduce
from operator import add

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import U

from microgradnet import (
    MLP,
    Value,
    compile,
    cross_entropy,
    dot,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    maximum,
    minimum,
    ops,
    quadratic,
    vjp,
)
from microgradnet.graph import reverse, topological_order


def path_sizes(output, wrt):
    """Σ over the paths of the sizes of their products, and the number of edges: what a sweep's rounding is a part of."""
    sizes = {output: 1.0}
    order = topological_order(output)
    reverse(order, sizes, lambda node: map(abs, node.partials))
    return [sizes.get(x, 0.0) for x in wrt], sum(len(node.parents) for node in order)


def example():
    """Sharing, a diamond, a dot, a kink: x and y, an inner node, and two outputs."""
    x, y = Value(0.7), Value(-1.3)
    inner = x * y
    first = dot([x, inner, 2.0], [inner, y, x], y).tanh() + maximum(x, y)
    return x, y, inner, first, (inner + x).exp() * y


# Every order.

ROWS = {name: (op, oracles.arity(op)) for name, op in ops.TABLE.items() if name in oracles.BOOK}
ROWS |= {str(ops.power(n)): (lambda x, n=n: x**n, 1) for n in (0, 1, 2, 3, -1, -2, 0.5, 1.5)}
ROWS["dot"] = (lambda *v: dot(v[:2], v[2:]), 4)


@pytest.mark.parametrize("name", ROWS)
def test_three_derivatives_of_every_row_are_differences_of_decimals(name):
    """By reverse over reverse over reverse, the last one by forward mode too, for every sequence of operands.

    A derivative is a sum over paths of products of partials. Each factor is right to some 8 roundings of U, and a path has
    fewer than 30 factors: the sum is right to 240 U of the sum of the sizes; the
    differences are, at numbers of size 1, right to 36 digits.
    """
    f, n = ROWS[name]
    checked = 0
    for point in itertools.product((-1.7, -0.3, 0.4, 0.9, 2.6), repeat=n) if n < 3 else [(0.4, -0.3, 2.6, 0.9)]:
        if not oracles.exactly(name, point).is_finite() or (n == 2 and point[0] == point[1] and name in oracles.SIDES):
            continue
        for wrt in itertools.product(range(n), repeat=3):
            inputs = [Value(x) for x in point]
            y = f(*inputs)
            for order in range(1, 4):
                (size,), _ = path_sizes(y, [inputs[wrt[order - 1]]])
                tangent = jvp(y, {inputs[wrt[order - 1]]: 1.0})
                (recorded,) = jvp([y], {inputs[wrt[order - 1]]: 1}, create_graph=True)
                (y,) = grad(y, [inputs[wrt[order - 1]]], create_graph=True)
                exact = oracles.derivative(name, point, *wrt[:order])
                for found in (y.data, tangent, recorded.data):
                    off = abs(found - exact)
                    assert off <= 240 * U * (size + abs(exact)) + 1e-35, f"∂{wrt[:order]} of '{name}' at {point}"
                checked += 1
    assert checked


@pytest.mark.parametrize(
    ("f", "wanted"),
    [
        (lambda x: x**5, [80.0, 160.0, 240.0, 240.0, 120.0, 0.0]),  # whole numbers, which round nothing
        (Value.sin, [math.cos(2), -math.sin(2), -math.cos(2), math.sin(2)] * 2),
    ],
)
def test_any_order_can_be_reached(f, wanted):
    """Six derivatives of x⁵, and eight of sin, which comes back to itself twice."""
    x = Value(2.0)
    y, found = f(x), []
    for _ in wanted:
        (y,) = grad(y, [x], create_graph=True)
        found.append(y.data)
    assert found == wanted


def test_curvature_at_the_kinks():
    """Second derivatives there are those of the pieces, as the slopes are; a tie goes to the first."""
    for x, relu, size in ((-2.0, 0.0, -1.0), (0.0, 0.0, 0.0), (2.0, 1.0, 1.0)):
        v = Value(x)
        for output in (v.relu(), abs(v), v.step()):
            assert hessian(output, v) == [[0.0]]
        assert hessian(v.relu() * v, v) == [[2.0 * relu]]
        assert hessian(abs(v) * v, v) == [[2.0 * size]]
    a, b = Value(1.0), Value(1.0)
    for pick in (maximum, minimum):
        assert hessian(pick(a * a, b * b), [a, b]) == [[2.0, 0.0], [0.0, 0.0]]


def test_hessians_in_closed_form():
    """A quadratic form has W + Wᵀ; x² y + sin(xy) is worked out below; what is linear, or not there, has zeros."""
    rng = np.random.default_rng(0)
    W = rng.integers(-9, 10, (4, 4)).astype(float)
    x = [Value(t) for t in rng.normal(size=4)]
    form = reduce(add, [x_i * dot(row, x) for x_i, row in zip(x, W, strict=True)])
    assert hessian(form, x) == (W + W.T).tolist()

    a, b = Value(0.5), Value(3.0)
    c, d = math.cos(1.5), math.sin(1.5)
    wanted = [[6.0 - 9.0 * d, 1.0 + c - 1.5 * d], [1.0 + c - 1.5 * d, -0.25 * d]]
    # Some ten roundings of terms that are no larger than 9.
    np.testing.assert_allclose(hessian(a * a * b + (a * b).sin(), [a, b]), wanted, rtol=0.0, atol=10 * 9 * 2 * U)
    assert hessian(a**3, [a, b]) == [[3.0, 0.0], [0.0, 0.0]]
    assert hessian(a * 2 + b, [a, b]) == hessian(a, [a, b]) == [[0.0, 0.0], [0.0, 0.0]]
    assert hessian(a, []) == []


nets = st.builds(
    lambda widths, activation, seed: MLP(widths[0], widths[1:], activation, "sigmoid", seed=seed),
    st.lists(st.integers(1, 3), min_size=2, max_size=4),
    st.sampled_from(["sigmoid", "tanh", "softplus"]),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=max(25, settings.default.max_examples // 4))
@given(nets, st.sampled_from([quadratic, cross_entropy]), st.integers(0, 2**32 - 1))
def test_hessians_of_nets(net, cost, seed):
    """Symmetric, and the product with a vector is jvp of the gradient: forward over reverse.

    Both are the same sums over paths in other brackets: each term is rounded at most twice an edge, and partials that are
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
    assert (np.abs(H - H.T) <= (2 * edges + 24 * len(net.layers) * 4) * U * (sizes + sizes.T)).all()
    product = jvp(gradient, dict(zip(parameters, v.tolist(), strict=True)))
    assert (np.abs(product - H @ v) <= 4 * edges * U * (sizes @ np.abs(v))).all()


def test_second_derivatives_of_a_chain_longer_than_the_recursion_limit():
    """Everything is a loop: x · 1 · 1 · …, squared."""
    assert sys.getrecursionlimit() < 20_000
    x = y = Value(3.0)
    for _ in range(20_000):
        y = y * 1.0
    assert hessian(y * y, x) == [[2.0]]


# Forward mode.


def test_jvp_takes_several_outputs_in_one_sweep():
    """A list for a sequence, bit for bit what a sweep for each gives."""
    x, y, _, first, second = example()
    along = {x: 0.3, y: -2.0}
    assert jvp([first, second, x], along) == [jvp(first, along), jvp(second, along), 0.3]
    assert jvp((first,), along) == [jvp(first, along)]


def test_jvp_takes_several_directions_in_one_sweep():
    """Arrays of tangents give arrays, of any shape, bit for bit what each direction gives."""
    x, y, _, first, _ = example()
    along_x, along_y = np.array([[1.0, 0.0], [0.3, 5.0]]), np.array([[0.0, 1.0], [-2.0, 0.0]])
    rates = jvp(first, {x: along_x, y: along_y})
    for i in np.ndindex(2, 2):
        assert rates[i] == jvp(first, {x: float(along_x[i]), y: float(along_y[i])})
    assert (jvp(Value(1.0), {x: along_x}) == np.zeros((2, 2))).all()
    assert jvp(x, {x: np.array([1, 2])}).tolist() == [1.0, 2.0]


def test_jvp_of_an_inner_value_moves_what_comes_after_it():
    """As grad gives ∂output/∂inner, jvp takes a tangent for it; both follow Σ ∂output/∂value · tangent."""
    x, _, inner, first, second = example()
    for output in (first, second, inner):
        by_x, by_inner = grad(output, [x, inner])
        sizes, edges = path_sizes(output, [x, inner])
        wanted = 2.0 * by_x + 3.0 * by_inner
        assert abs(jvp(output, {x: 2.0, inner: 3.0}) - wanted) <= 4 * edges * U * (2.0 * sizes[0] + 3.0 * sizes[1])


def test_jvp_goes_through_a_dot_of_constants():
    """z = 2x + 3y + x: plain inputs take no tangent, the weights and the bias all do, in either order of operands."""
    x, y = Value(0.7), Value(-1.3)
    for z in (dot([x, y], [2.0, 3.0], x), dot([2.0, 3.0], [x, y], x)):
        assert jvp(z, {x: 1.0}) == grad(z, x)[0] == 3.0
        assert jvp(z, {x: 1.0, y: 10.0}) == 33.0


def test_what_does_not_matter_has_derivative_zero():
    """No tangents, a value off the graph, a branch that is held fixed, even where it has no slope."""
    x, y, _, first, _ = example()
    off = Value(0.0)
    assert jvp(first, {}) == jvp(first, {off: 1.0}) == 0.0
    assert jvp([first, off], {off: 2.0}) == [0.0, 2.0]
    assert jvp(x * 2 + off.sqrt(), {x: 1.0}) == 2.0
    assert grad(first, [off]) == [0.0]
    (zero,) = grad(first, [off], create_graph=True)
    assert (zero.data, zero.op) == (0.0, "constant")
    assert grad(x, [x, y, x]) == [1.0, 0.0, 1.0]
    assert grad(first, []) == []


def test_a_reverse_sweep_reaches_what_its_outputs_depend_on_alone():
    """In an order of two outputs of which one has an adjoint, what only the other depends on gets none."""
    x, y = Value(2.0), Value(5.0)
    first, second = x * x, (y * y) * y
    adjoints = {first: 1.0}
    reverse(topological_order(first, second), adjoints, lambda node: node.partials)
    assert [adjoints.get(value) for value in (first, x, second, y)] == [1.0, 4.0, None, None]


# Several outputs, and products with matrices that are never made.


@pytest.mark.parametrize("name", ROWS)
def test_the_whole_family_agrees_on_every_row(name):
    """jacobian in both modes, vjp, hvp, and jvp's recorded derivatives differentiated once more, beside decimals."""
    f, n = ROWS[name]
    point = (0.4, 0.3, 2.6, 0.9)[:n]
    inputs = [Value(x) for x in point]
    y = f(*inputs)
    first = [oracles.derivative(name, point, i) for i in range(n)]
    second = [[oracles.derivative(name, point, i, j) for j in range(n)] for i in range(n)]
    v = [1.0, -0.5, 2.0, 0.25][:n]
    close = {"rel": 1e-13, "abs": 1e-13}  # numbers of size 1 and some hundred roundings
    assert jacobian(y, inputs) == [pytest.approx(first, **close)]
    assert jacobian([y] * (n + 1), inputs) == [pytest.approx(first, **close)] * (n + 1)  # forward mode
    assert vjp([y, y * 2.0], [3.0, -1.0], inputs) == pytest.approx(first, **close)
    product = [sum(h * v_j for h, v_j in zip(row, v, strict=True)) for row in second]
    assert hvp(y, inputs, v) == pytest.approx(product, **close)
    along = jvp(y, dict(zip(inputs, v, strict=True)), create_graph=True)
    assert grad(along, inputs) == pytest.approx(product, **close)  # forward, then reverse


def test_a_jacobian_has_a_row_per_output():
    """Of outputs that share much, an input among them and one off the graph; from either mode the same."""
    x, y, inner, first, second = example()
    off = Value(0.0)
    wanted = [grad(output, [x, y, off]) for output in (first, second)]
    assert jacobian([first, second], [x, y, off]) == wanted  # reverse
    tall = jacobian([first, second, x, inner], [x, y, off])  # forward
    assert tall[2:] == [[1.0, 0.0, 0.0], [y.data, x.data, 0.0]]
    for output, row, found in zip((first, second), wanted, tall, strict=False):
        sizes, edges = path_sizes(output, [x, y, off])
        assert (np.abs(np.subtract(row, found)) <= 4 * edges * U * np.array(sizes)).all()
    assert jacobian([], [x]) == []
    assert jacobian([first], []) == [[]]


def test_vjp_adds_up_what_several_outputs_need():
    """An output twice, an output below another, and one number for one output."""
    x = Value(3.0)
    y = x * x
    assert vjp([y, y, y * x, x], [1.0, 10.0, 2.0, 100.0], [x, y]) == [11.0 * 6.0 + 2.0 * 27.0 + 100.0, 17.0]
    assert vjp(y, 2.0, x) == vjp([y], np.array([2.0]), [x]) == [12.0]
    a = Value(5.0)
    (slope,) = vjp([y], [a], x, create_graph=True)  # 2 a x
    assert grad(slope, [x, a]) == [10.0, 6.0]


def test_a_direction_of_values_is_differentiated_too():
    """jvp of x³ along v is 3 x² v; its slopes are 6 x v and 3 x²."""
    x, v = Value(2.0), Value(5.0)
    along = jvp(x**3, {x: v}, create_graph=True)
    assert (along.data, grad(along, [x, v])) == (60.0, [60.0, 12.0])
    assert jvp([Value(1.0), x], {x: 3}, create_graph=True)[0].data == 0.0


def test_hvp_of_values_that_depend_on_each_other_or_come_twice():
    """It is the product with the rows that hessian gives."""
    x, y, inner, first, _ = example()
    wrt, v = [x, inner, y, x], [1.0, -2.0, 0.5, 3.0]
    wanted = np.array(hessian(first, wrt)) @ v
    np.testing.assert_allclose(hvp(first, wrt, v), wanted, rtol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_numbers_as_values(count):
    """Of a direction and of cotangents: a ValueError with both numbers."""
    x, y = Value(2.0), Value(3.0)
    for derive in (lambda v: hvp(x * y, [x, y], v), lambda v: vjp([x * y, x], v, [x])):
        with pytest.raises(ValueError, match=rf"{count} .* met 2"):
            derive([1.0] * count)


@pytest.mark.parametrize("function", [Value.sigmoid, Value.tanh, Value.softplus])
@pytest.mark.parametrize("x", [-700.0, -350.0, -50.0, -37.0, -5.0, 5.0, 37.0, 50.0, 350.0, 700.0])
def test_second_derivatives_are_right_in_the_tails(function, x):
    """Where σ is 1 in floats, σ″ = σ(x) σ(−x) (σ(−x) − σ(x)) is not 0; tanh″ and softplus″ likewise.

    (Near x = 0 the bracket cancels: there σ″ is right to 2⁻⁵³, as its terms are.)
    """
    value = Value(x)
    exact = oracles.derivative(function.__name__, (x,), 0, 0)
    assert hessian(function(value), value) == [[pytest.approx(exact, rel=1e-15, abs=1e-320)]]


def test_derivatives_with_respect_to_inputs_compile():
    """Each sample's ∂f/∂x, and the product of a Hessian with a direction that is an input itself, as eager ones are."""
    net = MLP(3, [4, 1], activation="tanh", seed=2)
    rng = np.random.default_rng(0)
    X, V = rng.normal(size=(2, 40, 3))
    slopes = compile(lambda x: grad(net(x), x, create_graph=True), 3)
    along = compile(
        lambda x, v: jvp(grad(net(x), x, create_graph=True), dict(zip(x, v, strict=True)), create_graph=True), 3, 3
    )
    for x, v, slope, product in zip(X.tolist(), V.tolist(), slopes(X), along(X, V), strict=True):
        inputs = [Value(x_j) for x_j in x]
        np.testing.assert_allclose(slope, grad(net(inputs), inputs), rtol=0, atol=1e-14)
        np.testing.assert_allclose(product, hvp(net(inputs), inputs, v), rtol=0, atol=1e-14)


# What they take, leave alone, and refuse.


def test_one_value_may_stand_alone_and_lists_may_be_any_sequence():
    """wrt takes a Value or a sequence; tangents take whole numbers and NumPy's."""
    x = Value(3.0)
    assert grad(x * x, x) == grad(x * x, [x]) == grad(x * x, (x,)) == [6.0]
    assert jvp(x * x, {x: 1}) == jvp(x * x, {x: np.float32(1)}) == 6.0


def test_gradients_already_there_are_left_alone():
    """None of them touches a .grad, neither of leaves nor of inner nodes."""
    x, y, inner, first, _ = example()
    first.backward()
    before = [v.grad for v in (x, y, inner, first)]
    grad(first, [x, y, inner], create_graph=True)
    jvp(first, {x: 1.0})
    hessian(first, [x, y])
    jacobian([first, inner], [x])
    hvp(first, [x, y], [1.0, 2.0])
    vjp([first], [1.0], [x])
    assert [v.grad for v in (x, y, inner, first)] == before


@pytest.mark.parametrize(
    ("f", "old", "new"),
    [
        (lambda x: x * x, 2.0, 3.0),
        (lambda x: dot([x], [x]), 2.0, 3.0),
        (lambda x: x**3, 2.0, -2.0),  # an even slope is the same at -x, the second derivative is not
        (Value.sin, 1.0, -1.0),
        (Value.log, 1.0, -1.0),  # where it is not even defined
    ],
)
def test_a_leaf_assigned_after_its_use_gives_no_mixed_second_derivatives(f, old, new):
    """First derivatives are those at the recorded numbers; a graph of derivatives would mix old and new ones: refused."""
    x = Value(old)
    y = f(x)
    right = grad(y, x)
    x.data = new
    assert grad(y, x) == right
    for derive in (lambda: grad(y, x, create_graph=True), lambda: hessian(y, x)):
        with pytest.raises(RuntimeError, match="compute the output again"):
            derive()


def test_nan_is_no_reason_to_suspect_an_assignment():
    """A NaN differs from itself; its derivatives are NaN, not an error."""
    x = Value(math.nan)
    assert math.isnan(hessian(x * x * x, x)[0][0])


@pytest.mark.parametrize(
    ("derive", "arrived", "where"),
    [
        (lambda x: grad(x, [1.0]), "float 1.0", "wrt"),
        (lambda x: grad(2.0, x), "float 2.0", "output"),
        (lambda x: jvp(x, {"x": 1.0}), "str 'x'", "tangents"),
        (lambda x: jvp([x, 1], {x: 1.0}), "int 1", "output"),
        (lambda x: jvp(x, {x: "1"}), "str '1'", "number"),
        (lambda x: jvp(x, {x: True}), "bool True", "number"),
        (lambda x: hessian(x, ["x"]), "str 'x'", "wrt"),
        (lambda x: jacobian([x, 2.0], x), "float 2.0", "outputs"),
        (lambda x: vjp([x], [x], x), "Value", "number"),
        (lambda x: vjp([x], ["1"], x, create_graph=True), "str '1'", "number"),
        (lambda x: hvp(x, x, [True]), "bool True", "number"),
        (lambda x: jvp(x, {x: np.ones(2)}, create_graph=True), "array", "number"),
    ],
)
def test_what_is_no_value_is_refused(derive, arrived, where):
    """A TypeError that says what arrived, and where."""
    with pytest.raises(TypeError, match=f"{arrived}.*{where}"):
        derive(Value(1.0))


@pytest.mark.parametrize("other", [1.0, np.ones(3), np.ones((2, 1))], ids=np.shape)
def test_tangents_of_different_shapes_are_refused(other):
    """By their shapes, and not by what NumPy would broadcast."""
    x, y = Value(2.0), Value(3.0)
    with pytest.raises(ValueError, match=r"\(2,\)"):
        jvp(x * y, {x: np.ones(2), y: other})
