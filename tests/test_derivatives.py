"""grad, jvp and hessian: first and higher derivatives through every row of the table, forward, backward and mixed."""

import inspect
import math
from functools import cache, reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgradnet import MLP, Value, cross_entropy, dot, grad, hessian, jvp, maximum, minimum, ops, quadratic
from microgradnet.graph import reverse, topological_order
from microgradnet.verify.differences import Estimate, slopes

U = 2.0**-53

# The operations, as functions of Values: every row of the table, some powers, and both factors of a dot.


def recorded(op):
    """The row as a function of Values, whatever its name; a lambda or a float function tells how many it takes."""
    return lambda *operands: op(*operands)


def arity(op):
    return len(inspect.signature(op.partials).parameters) - 1


ROWS = {name: (recorded(op), arity(op)) for name, op in ops.TABLE.items() if op is not ops.dot}
ROWS |= {str(ops.power(n)): (lambda x, n=n: x**n, 1) for n in (0, 1, 2, 3, -1, -2, 0.5, 1.5)}
ROWS["dot"] = (lambda a, b, c: dot([a, b], [b, c], a), 3)
KINKS = [0.0, 1.0]  # a kink of every row that has one; for two operands, a tie
points = st.floats(-3, 3).map(lambda x: round(x, 3))


def at(f, numbers):
    """f at a point: its inputs and its output; None where it, or its derivative, is undefined."""
    inputs = [Value(x) for x in numbers]
    try:
        output = f(*inputs)
        grad(output, inputs)
    except (ValueError, ArithmeticError):
        return None
    return inputs, output


def higher(f, *order):
    """∂ⁿf by the n operands named, as a function of floats."""

    def derivative(*numbers):
        inputs = [Value(x) for x in numbers]
        output = f(*inputs)
        for i in order:
            (output,) = grad(output, [inputs[i]], create_graph=True)
        return output.data

    return derivative


def is_the_slope_of(derivative, f, numbers, i):
    """Does the derivative lie between the one-sided differences of f along its i-th operand, up to their bound?

    The rules take some ten functions, products and sums: 24 half ulps of their terms, which here are of the size of the
    result or of 1.
    """

    def along(t):
        y = f(*numbers[:i], t, *numbers[i + 1 :])
        return Estimate(y, 24 * U * (abs(y) + 1))

    found = slopes(along, numbers[i])
    low, high = min((s - e for s, e in found), default=-math.inf), max((s + e for s, e in found), default=math.inf)
    rounding = 24 * U * (abs(derivative) + 1)
    return low - rounding <= derivative <= high + rounding


@pytest.mark.parametrize("name", ROWS)
@settings(max_examples=max(15, settings.default.max_examples // 5))  # some 3,000 evaluations each
@given(st.data())
def test_second_and_third_derivatives_are_differences_of_the_ones_before(name, data):
    """Through every row and by every pair of operands; at kinks, too, where a slope is one of those to the sides."""
    f, n = ROWS[name]
    numbers = data.draw(st.lists(points | st.sampled_from(KINKS), min_size=n, max_size=n))
    if at(f, numbers) is None:
        return
    try:
        H = hessian(*at(f, numbers)[::-1])
    except (ValueError, ArithmeticError):  # as 1.5 √x at 0 has no slope
        return
    for i in range(n):
        for j in range(n):
            assert is_the_slope_of(H[i][j], higher(f, i), numbers, j)
            assert is_the_slope_of(higher(f, i, j, j)(*numbers), higher(f, i, j), numbers, j)


@pytest.mark.parametrize("wrong", [lambda x, y: (ops.cos(x) * (1.0 + 1e-6 * x),), lambda x, y: (-ops.cos(x),)])
def test_the_check_by_differences_rejects_a_wrong_second_derivative(monkeypatch, wrong):
    """A rule whose own slope is off is seen by the check above, even if its number is nearly right."""
    right = higher(lambda x: x.sin(), 0)
    monkeypatch.setattr(ops.sin, "partials", wrong)
    (second,) = hessian(*at(lambda x: x.sin(), [0.7])[::-1])[0]
    monkeypatch.undo()
    assert not is_the_slope_of(second, right, [0.7], 0)


# Closed forms: f, and its first, second and third derivative from the book.

s = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
BOOK = {
    "exp": (Value.exp, [math.exp] * 3),
    "log": (Value.log, [lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3]),
    "sqrt": (Value.sqrt, [lambda x: 0.5 / x**0.5, lambda x: -0.25 / x**1.5, lambda x: 0.375 / x**2.5]),
    "sin": (Value.sin, [math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)]),
    "cos": (Value.cos, [lambda x: -math.sin(x), lambda x: -math.cos(x), math.sin]),
    "tanh": (
        Value.tanh,
        [
            lambda x: math.cosh(x) ** -2,
            lambda x: -2 * math.tanh(x) * math.cosh(x) ** -2,
            lambda x: (4 * math.sinh(x) ** 2 - 2) * math.cosh(x) ** -4,
        ],
    ),
    "sigmoid": (
        Value.sigmoid,
        [
            lambda x: s(x) * s(-x),
            lambda x: s(x) * s(-x) * (s(-x) - s(x)),
            lambda x: s(x) * s(-x) * (1 - 6 * s(x) * s(-x)),
        ],
    ),
    "softplus": (Value.softplus, [s, lambda x: s(x) * s(-x), lambda x: s(x) * s(-x) * (s(-x) - s(x))]),
    "cube": (lambda x: x**3, [lambda x: 3 * x * x, lambda x: 6 * x, lambda x: 6.0]),
    "product": (lambda x: x * x * x * x, [lambda x: 4 * x**3, lambda x: 12 * x * x, lambda x: 24 * x]),
    "reciprocal": (lambda x: 1 / x, [lambda x: -1 / x**2, lambda x: 2 / x**3, lambda x: -6 / x**4]),
    "power of e": (lambda x: math.e**x, [lambda x: math.e**x] * 3),
    "x to the x": (
        lambda x: x**x,
        [
            lambda x: x**x * (math.log(x) + 1),
            lambda x: x**x * ((math.log(x) + 1) ** 2 + 1 / x),
            lambda x: x**x * ((math.log(x) + 1) ** 3 + 3 * (math.log(x) + 1) / x - 1 / x**2),
        ],
    ),
}


@pytest.mark.parametrize("name", BOOK)
@given(st.floats(0.01, 5))
def test_three_derivatives_are_those_in_the_book(name, x):
    """By reverse over reverse over reverse, and the last one by forward mode too.

    A derivative is a sum over paths of products of partials. None of these rules cancels, so each factor is right to some
    8 roundings of U, and a path has fewer than 30 factors: the sum is right to 240 U of the sum of the sizes, and the
    book's own formula adds some more to its value.
    """
    f, book = BOOK[name]
    v = Value(x)
    y = f(v)
    for formula in book:
        sizes = {y: 1.0}
        reverse(topological_order(y), sizes, lambda node: map(abs, node.partials))
        tangent = jvp(y, {v: 1.0})
        (y,) = grad(y, [v], create_graph=True)
        bound = 250 * U * (sizes.get(v, 0.0) + abs(formula(x)))
        assert abs(y.data - formula(x)) <= bound
        assert abs(tangent - formula(x)) <= bound


def test_any_order_can_be_reached():
    """Six derivatives of x⁵ in whole numbers, which round nothing, and eight of sin, which comes back to itself twice."""
    x = Value(2.0)
    y, found = x**5, []
    for _ in range(6):
        (y,) = grad(y, [x], create_graph=True)
        found.append(y.data)
    assert found == [80.0, 160.0, 240.0, 240.0, 120.0, 0.0]
    y, found = x.sin(), []
    for _ in range(8):
        (y,) = grad(y, [x], create_graph=True)
        found.append(y.data)
    assert found == [math.cos(2), -math.sin(2), -math.cos(2), math.sin(2)] * 2


def test_slopes_and_curvature_at_the_kinks():
    """relu′(0) = 0, |·|′(0) = 0, step′ = 0, a tie goes to the first; all second derivatives are those of the pieces."""
    for x, relu, size in ((-2.0, 0.0, -1.0), (0.0, 0.0, 0.0), (2.0, 1.0, 1.0)):
        v = Value(x)
        assert grad(v.relu(), v) == [relu]
        assert grad(abs(v), v) == [size]
        assert grad(v.step(), v) == [0.0]
        for output in (v.relu(), abs(v), v.step()):
            assert hessian(output, v) == [[0.0]]
        assert hessian(v.relu() * v, v) == [[2.0 * relu]]
        assert hessian(abs(v) * v, v) == [[2.0 * size]]
    a, b = Value(1.0), Value(1.0)
    for pick in (maximum, minimum):
        assert grad(pick(a, b), [a, b]) == [1.0, 0.0]
        assert hessian(pick(a * a, b * b), [a, b]) == [[2.0, 0.0], [0.0, 0.0]]
    assert grad(maximum(a, b + 1) + minimum(a, b + 1), [a, b]) == [1.0, 1.0]


def test_hessians_in_closed_form():
    """A quadratic form has W + Wᵀ; x² y + sin(xy) is worked out below; a function of one variable alone has zeros."""
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
    assert hessian(a, [a, b]) == [[0.0, 0.0], [0.0, 0.0]]
    assert hessian(a * 2 + b, [a, b]) == [[0.0, 0.0], [0.0, 0.0]]


# Forward over reverse.

nets = st.builds(
    lambda widths, activation, seed: MLP(widths[0], widths[1:], activation, seed=seed),
    st.lists(st.integers(1, 3), min_size=2, max_size=4),
    st.sampled_from(["sigmoid", "tanh", "softplus"]),
    st.integers(0, 2**32 - 1),
)


def path_sizes(output, wrt):
    """Σ over the paths of the sizes of their products, and the number of edges: what a sweep's rounding is a part of."""
    sizes = {output: 1.0}
    order = topological_order(output)
    reverse(order, sizes, lambda node: map(abs, node.partials))
    return [sizes.get(x, 0.0) for x in wrt], sum(len(node.partials) for node in order)


@settings(max_examples=max(25, settings.default.max_examples // 4))
@given(nets, st.integers(0, 2**32 - 1))
def test_hessian_vector_products_by_forward_over_reverse(net, seed):
    """jvp of the gradient = Hessian times vector = differences of the gradient, for the cost of a net."""
    rng = np.random.default_rng(seed)
    parameters, x, r = net.parameters(), rng.normal(size=net.nin), rng.random(net.nout)
    cost = quadratic(net(x), r)
    direction = dict(zip(parameters, rng.normal(size=len(parameters)).tolist(), strict=True))
    gradient = grad(cost, parameters, create_graph=True)
    product = jvp(gradient, direction)
    assert [g.data for g in gradient] == grad(cost, parameters)

    # Both are the same sum over paths in other brackets: each term is rounded at most twice an edge.
    for row, g, rate in zip(hessian(cost, parameters), gradient, product, strict=True):
        sizes, edges = path_sizes(g, parameters)
        size = sum(a * abs(t) for a, t in zip(sizes, direction.values(), strict=True))
        assert (
            abs(rate - math.fsum(h * t for h, t in zip(row, direction.values(), strict=True))) <= 4 * edges * U * size
        )

    starts = [p.data for p in parameters]

    @cache
    def along(t):
        for p, start in zip(parameters, starts, strict=True):
            p.data = start + t * direction[p]
        return grad(quadratic(net(x), r), parameters)

    for i, rate in enumerate(product):
        # A gradient here takes less than a thousand roundings, of terms no larger than itself or 10.
        (found,) = slopes(lambda t: Estimate(along(t)[i], 1000 * U * (abs(along(t)[i]) + 10)), 0.0)  # noqa: B023
        assert abs(rate - found.number) <= found.bound


@given(nets, st.integers(0, 2**32 - 1))
def test_hessians_of_nets_are_symmetric(net, seed):
    """∂²C/∂a∂b = ∂²C/∂b∂a up to the rounding of sums over the same paths, for cross-entropy with its own rule too."""
    rng = np.random.default_rng(seed)
    net = MLP(net.nin, [len(layer.neurons) for layer in net.layers], seed=seed)
    cost = cross_entropy(net(rng.normal(size=net.nin)), rng.random(net.nout))
    parameters = net.parameters()
    H = np.array(hessian(cost, parameters))
    found = [path_sizes(g, parameters) for g in grad(cost, parameters, create_graph=True)]
    sizes, edges = np.array([size for size, _ in found]), max(n for _, n in found)
    # Both sums share the roundings of 2 an edge, and their partials are right to some 24 U.
    assert (np.abs(H - H.T) <= (2 * edges + 24 * len(net.layers) * 4) * U * (sizes + sizes.T)).all()
