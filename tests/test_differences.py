"""gradcheck lets every right rule pass, and names the operation of every wrong one."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgradnet import MLP, Value, cross_entropy, dot, gradcheck, maximum, minimum, ops, quadratic
from microgradnet.verify import differences
from microgradnet.verify.differences import Estimate, GradientError, slopes

U = 2.0**-53
UNARY = [op for op in ops.TABLE.values() if op is not ops.dot and len(inspect.signature(op.partials).parameters) == 2]
BINARY = [op for op in ops.TABLE.values() if op is not ops.dot and len(inspect.signature(op.partials).parameters) == 3]
reals = (
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, math.pi / 2, 16 * math.pi])
    | st.floats(-4, 4)
    | st.floats(-300, 300).map(lambda e: math.copysign(10.0 ** (abs(e) / 2 - 75), e))  # ±1e-75 to ±1e75
)
few = settings(max_examples=max(30, settings.default.max_examples // 3))  # some hundred evaluations each


# Right functions pass.


def passes(function, point):
    """No complaint; a point outside the domain is no matter of gradcheck's."""
    try:
        return gradcheck(function, point)
    except GradientError:
        raise
    except (ValueError, ArithmeticError):
        return None


@pytest.mark.parametrize("op", UNARY, ids=str)
@few
@given(x=reals)
def test_every_unary_row_passes_everywhere(op, x):
    """Large, small, at kinks and at the end of the domain; a new row is checked here without a change."""
    passes(op, x)


@pytest.mark.parametrize("op", [op for op in BINARY if op is not ops.cross_entropy], ids=str)
@few
@given(a=reals, b=reals)
def test_every_binary_row_passes_everywhere(op, a, b):
    """Ties included."""
    passes(op, [a, b])
    passes(op, [a, a])


@given(z=st.floats(-800, 800), r=st.sampled_from([0.0, 1.0, 0.5]) | st.floats(0, 1))
def test_cross_entropy_passes_for_targets_between_0_and_1(z, r):
    """Where its value is a sum, and nothing cancels to less than rounding leaves of it."""
    passes(lambda z: ops.cross_entropy(z, r), [z])


@given(
    st.lists(st.tuples(st.sampled_from("+-*/sctgrpaeMmd23w"), st.integers(0, 9), st.integers(0, 9)), max_size=9),
    st.data(),
)
def test_random_functions_pass(steps, data):
    """Any operations on any of the values so far, with sharing, kinks, cancellation and cliffs."""
    point = data.draw(st.lists(reals, min_size=1, max_size=3))

    def function(*values):
        values = list(values)
        for name, i, j in steps:
            values.append(STEPS[name](values[i % len(values)], values[j % len(values)]))
        return values[-1]

    passes(function, point)


STEPS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "s": lambda a, b: a.sin(),
    "c": lambda a, b: b.cos() * a,
    "t": lambda a, b: a.tanh(),
    "g": lambda a, b: b.sigmoid(),
    "r": lambda a, b: a.relu(),
    "p": lambda a, b: a.softplus(),
    "a": lambda a, b: abs(b),
    "e": lambda a, b: a.exp(),
    "M": maximum,
    "m": minimum,
    "d": lambda a, b: dot([a, b, a], [b, 2.0, a], b),
    "2": lambda a, b: a**2,
    "3": lambda a, b: b**-3,
    "w": lambda a, b: abs(a) ** 1.5,
}


@pytest.mark.parametrize("cost", [quadratic, cross_entropy])
def test_the_cost_of_a_net_passes(cost):
    """Dots of parameters with constants and with values, and the costs."""
    net = MLP(2, [3, 2], "tanh", "sigmoid", seed=0)
    start = [p.data for p in net.parameters()]

    def function(*numbers):
        values = iter(numbers)
        y = [0.4, -0.7]
        for layer in net.layers:
            y = [dot([next(values) for _ in n.w], y, next(values)) for n in layer.neurons]
            y = [z.sigmoid() if layer is net.layers[-1] else z.tanh() for z in y]
        return cost(y, [1.0, 0.25])

    result = gradcheck(function, start)
    output = cost(net([0.4, -0.7]), [1.0, 0.25])
    output.backward()
    assert result.reverse == [p.grad for p in net.parameters()]
    assert result.kinks == []
    assert all(abs(d - r) <= e for d, r, e in zip(result.differences, result.reverse, result.bounds, strict=True))
    assert max(result.bounds) < 1e-8  # the differences do tell something


# Wrong ones do not.


def planted(op, wrong):
    """A row with the same value, another name, and wrong partials."""
    return ops.Op(f"wrong {op} {id(wrong)}", op.value, op.array, wrong, op.domain)


MISTAKES = {
    "a sign": lambda d: -d,
    "a factor": lambda d: d * (1 + 1e-6),
    "a summand": lambda d: d + 1e-6,
    "nothing": lambda d: 0.0,
    "infinity": lambda d: math.inf,
    "no number": lambda d: math.nan,
}
POINT = [0.7, 0.3]


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("op", UNARY + BINARY, ids=str)
def test_a_wrong_partial_is_found_and_named(op, mistake):
    """For every row and every operand, in the midst of a function; a millionth is enough."""
    for i in range(2 if op in BINARY else 1):
        right = op.partials(*POINT[: 2 if op in BINARY else 1], op.value(*POINT[: 2 if op in BINARY else 1]))[i]
        if MISTAKES[mistake](right) == right:
            continue

        def partials(*operands, i=i):
            found = list(op.partials(*operands))
            found[i] = MISTAKES[mistake](found[i])
            return tuple(found)

        wrong = planted(op, partials)
        with pytest.raises(
            GradientError, match=f"partial of 'wrong .*' for operand {i + 1} is wrong: at 0.7"
        ) as caught:
            gradcheck(lambda x, y: wrong(x * 1.0, *[y] * (op in BINARY)).sin() * x, POINT)  # noqa: B023
        assert "reverse         forward     differences" in str(caught.value)
        assert str(caught.value).count("is wrong") == 1


def test_a_wrong_partial_of_a_dot_is_found(monkeypatch):
    """In either of its tuples: weights and bias, and inputs."""
    for wrong in (lambda w, x, y: (x[::-1], w), lambda w, x, y: (x, [2 * t for t in w])):
        monkeypatch.setattr(ops.dot, "partials", wrong)
        with pytest.raises(GradientError, match="the partial of 'dot' for operand"):
            gradcheck(lambda x, y: dot([x, 2.0], [3.0, y], 0.5), [0.7, 0.3])
    monkeypatch.setattr(ops.dot, "partials", lambda w, x, y: ([*x[:-1], 1.5], w))
    with pytest.raises(GradientError, match=r"operand 5 is wrong: at 1, 2, 3, 4, … its rule gives 1\.5, .* 1 ±"):
        gradcheck(lambda x: dot([x, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0], 0.5), 1.0)


def test_at_a_kink_the_slopes_to_the_sides_and_between_are_right_and_others_are_not(monkeypatch):
    """relu′(0) may be 0, 1 or 1/2; not 1.1 or -0.1."""
    for slope, right in ((0.0, True), (1.0, True), (0.5, True), (1.1, False), (-0.1, False)):
        monkeypatch.setattr(ops.relu, "partials", lambda x, y, slope=slope: (slope,))
        if right:
            result = gradcheck(lambda x: x.relu() * 3, 0.0)
            assert result.kinks == ["relu"]
            assert str(result).splitlines()[-1] == "at a kink of relu: the differences of the whole are no judge"
        else:
            with pytest.raises(GradientError, match="the partial of 'relu'"):
                gradcheck(lambda x: x.relu() * 3, 0.0)


@pytest.mark.parametrize("x", [1e-9, -1e-9, 1e-300, -1e-300, 1e-3])
def test_beside_a_kink_only_the_slope_of_that_side_is_right(monkeypatch, x):
    """However near it is."""
    assert gradcheck(Value.relu, x).kinks == []
    monkeypatch.setattr(ops.relu, "partials", lambda x, y: (1.0 - ops.step(x),))
    with pytest.raises(GradientError, match="the partial of 'relu'"):
        gradcheck(Value.relu, x)


def test_two_kinks_that_make_a_line_are_no_mistake():
    """relu(x) - relu(-x) = x has, by relu′(0) = 0, the derivative 0 at 0: the convention's fault, not a rule's."""
    result = gradcheck(lambda x: x.relu() - (-x).relu(), 0.0)
    assert result.reverse == [0.0]
    assert result.differences == pytest.approx([1.0])


def test_all_wrong_operations_are_named_once(monkeypatch):
    """One line each, however often they were used."""
    monkeypatch.setattr(ops.sin, "partials", lambda x, y: (2.0,))
    monkeypatch.setattr(ops.exp, "partials", lambda x, y: (3.0,))
    with pytest.raises(GradientError) as caught:
        gradcheck(lambda x: x.sin().exp().sin() + x.tanh(), 0.7)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("the partial of 'sin' for operand 1 is wrong: at 0.7 its rule gives 2, differences of")
    assert lines[0].split(" give ")[1].startswith("0.764842187 ± ")
    assert lines[1].startswith("the partial of 'exp' for operand 1 is wrong")
    assert lines[2].split() == ["x", "reverse", "forward", "differences", "±"]
    assert isinstance(caught.value, ArithmeticError)


@pytest.mark.parametrize("function", [lambda x: x * x.data, lambda x: x if x.data < 0.5 else x * x.data])
def test_a_number_hidden_from_the_graph_is_found(function):
    """Every operation is right, and still the derivative is not."""
    with pytest.raises(GradientError, match="every operation recorded is right, but the differences disagree"):
        gradcheck(function, 0.7)


def test_a_wrong_sweep_is_found(monkeypatch):
    """If forward and reverse mode disagree."""
    monkeypatch.setattr(differences, "jvp", lambda output, tangents: 1.0)
    with pytest.raises(GradientError, match="reverse and forward mode disagree"):
        gradcheck(Value.sin, 0.7)


# What it gives, and what it refuses.


def test_the_record_holds_three_gradients():
    """One entry per number of the point, and a table of the same."""
    result = gradcheck(lambda x, y: x * y + y, (3, np.float64(2.0)))
    assert result.point == [3.0, 2.0]
    assert result.reverse == result.forward == [2.0, 4.0]
    assert result.differences == pytest.approx([2.0, 4.0])
    assert all(0.0 < bound < 1e-12 for bound in result.bounds)
    lines = str(result).splitlines()
    assert lines[1].split()[:4] == ["3", "2", "2", "2"]
    assert lines[2].split()[:4] == ["2", "4", "4", "4"]
    assert len(lines) == 3


def test_what_differences_cannot_tell_they_do_not_tell():
    """sin(1e300) runs through all periods between two floats: no number, no bound, no complaint."""
    result = gradcheck(Value.sin, 1e300)
    assert math.isnan(result.differences[0])
    assert result.bounds == [math.inf]
    steep = gradcheck(lambda x: (x**-3 * 2).sin(), 4.8e-7)
    assert steep.bounds == [math.inf]


@pytest.mark.parametrize("x", [1.7e308, math.inf, -math.inf, math.nan, 5e-324])
def test_at_the_end_of_the_floats_nothing_wrong_is_said(x):
    """No step, or none to one side."""
    gradcheck(Value.tanh, x)
    gradcheck(lambda x: x * 1.0, x)


def test_the_end_of_a_domain_has_one_side():
    """x^2.5 + x at 0, and the logarithm just above 0. Of x^1.5 alone the slopes keep changing: nothing is said."""
    assert gradcheck(lambda x: x**2.5 + x, 0.0).differences == pytest.approx([1.0])
    assert gradcheck(lambda x: x**1.5, 0.0).bounds == [math.inf]
    assert gradcheck(Value.log, 1e-200).differences == pytest.approx([1e200])


def test_a_function_of_nothing_has_derivative_zero():
    """The output need not depend on the point, and may be one of the inputs."""
    assert gradcheck(lambda x: Value(3.0), 1.0).reverse == [0.0]
    assert gradcheck(lambda x, y: y, [1.0, 2.0]).forward == [0.0, 1.0]


@pytest.mark.parametrize(
    ("function", "point", "error", "message"),
    [
        (lambda x: x.data, [1.0], TypeError, r"the function gave float 1\.0 where a Value was wanted"),
        (lambda x: [x], [1.0], TypeError, "the function gave list"),
        (Value.sin, [], ValueError, "the point is empty"),
        (Value.sin, ["1"], TypeError, "str '1' arrived where a real number was wanted"),
        (Value.sin, True, TypeError, "bool True arrived"),
        (Value.log, [-1.0], ValueError, "cannot take 'log' of -1.0"),
        (Value.sqrt, [0.0], ZeroDivisionError, "cannot take the derivative of 'sqrt' of 0.0"),
    ],
)
def test_what_cannot_be_checked_is_refused(function, point, error, message):
    """Functions that give no Value, empty points, and points outside the domain with the operation's own error."""
    with pytest.raises(error, match=message):
        gradcheck(function, point)


# The differences themselves.


@given(st.floats(-2, 2))
def test_slopes_hold_their_bound(x):
    """Of functions with known derivatives; the bound is sharp enough to be of use."""
    for f, slope in ((math.exp, math.exp(x)), (math.sin, math.cos(x)), (math.atan, 1 / (1 + x * x)), (float, 1.0)):
        (found,) = slopes(lambda t: Estimate(f(t), 4 * U * abs(f(t))), x)  # noqa: B023
        assert abs(found.number - slope) <= found.bound + 4 * U * abs(slope)
        assert found.bound < 1e-7


def test_slopes_at_kinks_edges_and_jumps():
    """Two at a kink, one at an edge, none at a pole."""
    exact = lambda f: lambda t: Estimate(f(t), 0.0)  # noqa: E731
    assert [side.number for side in slopes(exact(abs), 0.0)] == [-1.0, 1.0]
    assert [round(side.number, 9) for side in slopes(exact(lambda t: max(2 * t, 3 * t - 1)), 1.0)] == [2.0, 3.0]
    (inside,) = slopes(lambda t: Estimate(math.sqrt(t), U * math.sqrt(t)), 1.0)
    assert inside.number == pytest.approx(0.5)
    (edge,) = slopes(lambda t: Estimate(math.sqrt(t) ** 5 - t, 4 * U * t), 0.0)
    assert abs(edge.number + 1) <= edge.bound < 1e-6
    (jump,) = slopes(exact(lambda t: float(t >= 0)), 0.0)
    assert jump.number == 0.0
    assert slopes(exact(lambda t: math.sqrt(abs(t))), 0.0) == []
    assert slopes(lambda t: Estimate(1 / t if t else 0.0, 0.0), 0.0) == []
