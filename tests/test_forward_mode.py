"""jvp beside grad: one sweep for several outputs, directions and inner values, and what all derivatives refuse."""

import math
import sys
from itertools import pairwise

import numpy as np
import pytest

from microgradnet import Value, dot, grad, hessian, jvp, maximum
from microgradnet.graph import reverse, topological_order

U = 2.0**-53


def path_sizes(output, wrt):
    """Σ over the paths of the sizes of their products, and the number of edges: what a sweep's rounding is a part of."""
    sizes = {output: 1.0}
    order = topological_order(output)
    reverse(order, sizes, lambda node: map(abs, node.partials))
    return [sizes.get(x, 0.0) for x in wrt], sum(len(node.partials) for node in order)


def graph():
    """Sharing, a diamond, a dot, a kink: x and y, an inner node, and two outputs."""
    x, y = Value(0.7), Value(-1.3)
    inner = x * y
    first = dot([x, inner, 2.0], [inner, y, x], y).tanh() + maximum(x, y)
    return x, y, inner, first, (inner + x).exp() * y


def test_jvp_takes_several_outputs_in_one_sweep():
    """A list for a sequence, bit for bit what a sweep for each gives."""
    x, y, _, first, second = graph()
    both = jvp([first, second, x], {x: 0.3, y: -2.0})
    assert both == [jvp(first, {x: 0.3, y: -2.0}), jvp(second, {x: 0.3, y: -2.0}), 0.3]
    assert jvp((first,), {x: 1.0}) == [jvp(first, {x: 1.0})]
    assert jvp([x, first], {x: 1.0}) == [1.0, jvp(first, {x: 1.0})]


def test_jvp_takes_several_directions_in_one_sweep():
    """Arrays of tangents give arrays, of any shape, bit for bit what each direction gives."""
    x, y, _, first, _ = graph()
    along_x, along_y = np.array([[1.0, 0.0], [0.3, 5.0]]), np.array([[0.0, 1.0], [-2.0, 0.0]])
    rates = jvp(first, {x: along_x, y: along_y})
    for i in np.ndindex(2, 2):
        assert rates[i] == jvp(first, {x: float(along_x[i]), y: float(along_y[i])})
    assert (jvp(Value(1.0), {x: along_x}) == np.zeros((2, 2))).all()
    assert jvp(x, {x: np.array([1, 2])}).tolist() == [1.0, 2.0]


def test_jvp_of_an_inner_value_moves_what_comes_after_it():
    """As grad gives ∂output/∂inner, jvp takes a tangent for it; both follow Σ ∂output/∂value · tangent."""
    x, _, inner, first, second = graph()
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
        assert jvp(z, {y: 1.0}) == 3.0


def test_a_reverse_sweep_reaches_what_its_outputs_depend_on_alone():
    """In an order of two outputs of which one has an adjoint, what only the other depends on gets none."""
    x, y = Value(2.0), Value(5.0)
    first, second = x * x, (y * y) * y
    adjoints = {first: 1.0}
    reverse(topological_order(first, second), adjoints, lambda node: node.partials)
    assert [adjoints.get(value) for value in (first, x, second, y)] == [1.0, 4.0, None, None]


def test_what_does_not_matter_has_derivative_zero():
    """No tangents, a value off the graph, a constant: 0, in forward and in reverse mode."""
    x, y, _, first, _ = graph()
    off = Value(5.0)
    assert jvp(first, {}) == 0.0
    assert jvp(first, {off: 1.0}) == 0.0
    assert jvp([first, off], {off: 2.0}) == [0.0, 2.0]
    assert grad(first, [off]) == [0.0]
    (zero,) = grad(first, [off], create_graph=True)
    assert (zero.data, zero.op) == (0.0, "constant")
    assert grad(x, [x, y, x]) == [1.0, 0.0, 1.0]
    assert grad(first, []) == []
    assert hessian(first, []) == []


def test_one_value_may_stand_alone_and_lists_may_be_any_sequence():
    """wrt takes a Value or a sequence; tangents take whole numbers and NumPy's."""
    x = Value(3.0)
    assert grad(x * x, x) == grad(x * x, [x]) == grad(x * x, (x,)) == [6.0]
    assert jvp(x * x, {x: 1}) == jvp(x * x, {x: np.float32(1)}) == 6.0


def test_gradients_already_there_are_left_alone():
    """grad, jvp and hessian touch no .grad, neither of leaves nor of inner nodes."""
    x, y, inner, first, _ = graph()
    first.backward()
    before = [v.grad for v in (x, y, inner, first)]
    grad(first, [x, y, inner], create_graph=True)
    jvp(first, {x: 1.0})
    hessian(first, [x, y])
    assert [v.grad for v in (x, y, inner, first)] == before


def test_second_derivatives_of_a_chain_longer_than_the_recursion_limit():
    """Everything is a loop: x · 1 · 1 · …, squared."""
    assert sys.getrecursionlimit() < 20_000
    x = Value(3.0)
    y = x
    for _ in range(20_000):
        y = y * 1.0
    assert hessian(y * y, x) == [[2.0]]


# What is refused.


def test_a_leaf_assigned_after_its_use_gives_no_mixed_second_derivatives():
    """First derivatives are those at the recorded numbers; a graph of derivatives would mix old and new ones: refused."""
    for f in (lambda x: x * x, lambda x: dot([x], [x]), Value.sin):
        x = Value(2.0)
        y = f(x)
        right = grad(y, x)
        x.data = 3.0
        assert grad(y, x) == right
        with pytest.raises(RuntimeError, match=r"assigned after it was used.*compute the output again"):
            grad(y, x, create_graph=True)
        with pytest.raises(RuntimeError, match="assigned after it was used"):
            hessian(y, x)


def test_nan_is_no_reason_to_suspect_an_assignment():
    """A NaN differs from itself; its derivatives are NaN, not an error."""
    x = Value(math.nan)
    assert math.isnan(hessian(x * x * x, x)[0][0])


def test_a_missing_derivative_is_said_by_every_mode():
    """√0 has a value and no slope."""
    x = Value(0.0, label="x")
    y = x.sqrt() + 1
    for derive in (lambda: grad(y, x), lambda: jvp(y, {x: 1.0}), lambda: hessian(y, x)):
        with pytest.raises(ArithmeticError, match=r"the derivative of 'sqrt' of 0.0 \(labelled 'x'\)"):
            derive()


@pytest.mark.parametrize(
    ("derive", "message"),
    [
        (lambda x: grad(x, [1.0]), "float 1.0 arrived in wrt, where Values were wanted"),
        (lambda x: grad(2.0, x), "float 2.0 arrived in output"),
        (lambda x: jvp(x, {"x": 1.0}), "str 'x' arrived in tangents"),
        (lambda x: jvp([x, 1], {x: 1.0}), "int 1 arrived in output"),
        (lambda x: jvp(x, {x: "1"}), "str '1' arrived where a real number was wanted"),
        (lambda x: jvp(x, {x: True}), "bool True arrived where a real number was wanted"),
        (lambda x: hessian(x, ["x"]), "str 'x' arrived in wrt"),
    ],
)
def test_what_is_no_value_is_refused(derive, message):
    """A TypeError that says what arrived, and where."""
    with pytest.raises(TypeError, match=message):
        derive(Value(1.0))


def test_modes_agree_on_a_long_product_to_the_last_bit_of_each_factor():
    """A chain has one path: forward and reverse multiply the same partials, from either end."""
    x = Value(1.1)
    chain = [x]
    for step in range(30):
        chain.append(chain[-1].sin() if step % 2 else chain[-1] * 1.5)
    exact = math.prod(grad(b, a)[0] for a, b in pairwise(chain))
    for found in (grad(chain[-1], x)[0], jvp(chain[-1], {x: 1.0})):
        assert abs(found - exact) <= 60 * U * abs(exact)  # 30 roundings each


def test_what_is_held_fixed_needs_no_derivative():
    """A branch that nothing moves is not asked for its slope, even where it has none."""
    x, c = Value(1.0), Value(0.0)
    assert jvp(x * 2 + c.sqrt(), {x: 1.0}) == 2.0


@pytest.mark.parametrize(("f", "old", "new"), [(lambda x: x**3, 2.0, -2.0), (lambda x: x.sin(), 1.0, -1.0)])
def test_an_assignment_that_leaves_the_slope_alone_is_seen(f, old, new):
    """An even slope is the same at -x, the second derivative is not."""
    x = Value(old)
    y = f(x)
    x.data = new
    with pytest.raises(RuntimeError, match="was assigned after it was used"):
        hessian(y, [x])


@pytest.mark.parametrize("other", [1.0, np.ones(3), np.ones((2, 1))], ids=np.shape)
def test_tangents_of_different_shapes_are_refused(other):
    """By their shapes, and not by what NumPy would broadcast."""
    x, y = Value(2.0), Value(3.0)
    with pytest.raises(ValueError, match=r"shapes \(2,\), .* one shape"):
        jvp(x * y, {x: np.ones(2), y: other})
