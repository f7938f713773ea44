"""`gradcheck` lets every right rule pass and names the operation of every wrong one; differences hold their bounds."""

import math
import random
import re

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import own_rows, programs, run  # noqa: F401  # a fixture

from microgradnet import MLP, GradientError, Value, dot, gradcheck, ops
from microgradnet.verify import gradient_check

ROWS = [op for op in ops.TABLE.values() if op is not ops.dot]
ordinary = st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, math.pi / 2, 16 * math.pi]) | st.floats(-4, 4)
reals = ordinary | st.floats(-300, 300).map(lambda e: math.copysign(10.0 ** (abs(e) / 2 - 75), e))  # ±1e-75 to ±1e75
few = settings(max_examples=settings.default.max_examples // 10)  # some hundred evaluations each


# Right functions pass.


def passes(function, point):
    """No complaint; a point outside the domain is no matter of gradcheck's."""
    try:
        gradcheck(function, point)
    except (ValueError, ArithmeticError) as error:
        if isinstance(error, GradientError):
            raise


@pytest.mark.parametrize("op", ROWS, ids=str)
@few
@given(a=reals, b=reals)
def test_every_row_passes_everywhere(op, a, b):
    """Large, small, at kinks, ties and the end of the domain; a new row is checked here without a change."""
    if op is ops.cross_entropy:  # beyond a target in [0, 1] its value cancels to less than rounding leaves of it
        passes(lambda z: op(z, min(abs(b), 1.0)), [a])
    else:
        for point in ([a, b], [a, a])[: oracles.arity(op)]:
            passes(op, point[: oracles.arity(op)])


@pytest.mark.usefixtures("own_rows")
@settings(max_examples=settings.default.max_examples * 3 // 10)
@given(programs(), st.lists(ordinary, min_size=1, max_size=3))
def test_random_functions_pass(steps, point):
    """Any operations on any of the values so far, with sharing, kinks, cancellation and cliffs."""
    passes(lambda *x: run(steps, x)[-1], point)


# Wrong ones do not.


MISTAKES = {
    "a sign": lambda d: -d,
    "a factor": lambda d: d * (1 + 1e-6),
    "a summand": lambda d: d + 1e-6,
    "no number": lambda d: math.nan,
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("op", ROWS, ids=str)
def test_a_wrong_partial_is_found_and_named(op, mistake):
    """For every row and every operand, in the midst of a function; a millionth is enough. It is named once."""
    count = oracles.arity(op)
    for i, right in enumerate(op.partials(*[0.7, 0.3][:count], op.value(*[0.7, 0.3][:count]))):

        def partials(*arguments, i=i):
            return tuple([mistake(d) if k == i else d for k, d in enumerate(op.partials(*arguments))])

        if mistake(right) != right:
            wrong = ops.Op(f"wrong {op} {i} {id(mistake)}", op.value, op.array, partials, op.domain)
            words = f"partial of '{wrong}' for operand {i + 1} is wrong: at 0.7"
            with pytest.raises(GradientError, match=re.escape(words)) as found:
                gradcheck(lambda x, y: wrong(x * 1.0, *[y] * (count - 1)).sin() * x, [0.7, 0.3])  # noqa: B023
            assert str(found.value).count("is wrong") == 1


@pytest.mark.parametrize("operand", [1, 3, 4], ids=["weight", "bias", "input"])
def test_a_wrong_partial_of_a_dot_is_found(operand, monkeypatch):
    """Of weights, bias and inputs, which are its operands in this order."""

    def wrong(w, x, y):
        partials = [d + 0.5 * (i == operand) for i, d in enumerate([*x, *w], 1)]
        return partials[: len(x)], partials[len(x) :]

    monkeypatch.setattr(ops.dot, "partials", wrong)
    with pytest.raises(GradientError, match=f"'dot' for operand {operand} is wrong: at 0.7, 2, 0.5, 3, … its"):
        gradcheck(lambda x, y: dot([x, 2.0], [3.0, y], 0.5), [0.7, 0.3])


@pytest.mark.parametrize(
    ("x", "slope", "right"),
    [*[(0.0, slope, True) for slope in (0.0, 1.0, 0.5)], *[(0.0, slope, False) for slope in (1.1, -0.1)]]
    + [(x, float(side == (x > 0)), side) for x in (1e-9, -1e-9, 1e-300, -1e-300, 1e-3) for side in (True, False)],
)
def test_at_a_kink_the_slopes_to_the_sides_and_between_are_right(x, slope, right, monkeypatch):
    """relu′(0) may be 0, 1 or 1/2; not 1.1 or -0.1. Beside the kink only the slope of that side is right."""
    monkeypatch.setattr(ops.relu, "partials", lambda x, y: (slope,))
    if right:
        result = gradcheck(lambda x: x.relu() * 3, x)
        assert (result.kinks, "relu" in str(result)) == (["relu"] * (x == 0.0), x == 0.0)
    else:
        with pytest.raises(GradientError, match="the partial of 'relu'"):
            gradcheck(lambda x: x.relu() * 3, x)


def by_hand(slope):
    """A function with a node that has no rule which could be tried."""
    return lambda x: Value(x.data**3, (x,), (slope * x.data**2,)) * 1.0


@pytest.mark.parametrize(
    ("function", "x", "slope", "kinks"),
    [
        (lambda x: x.relu() - (-x).relu(), 0.0, 0.0, ["relu"]),  # by differences 1
        (lambda x: x * x.detach(), 0.5, 0.5, ["detach"]),  # by differences 1
        (by_hand(3.0), 0.5, 0.75, []),
    ],
    ids=["two kinks that make a line", "detach", "by hand"],
)
def test_what_differs_by_decision_is_no_mistake(function, x, slope, kinks):
    """The convention at a kink, and that no derivative flows through detach, are no rule's fault."""
    result = gradcheck(function, x)
    assert (result.reverse, result.kinks) == ([slope], kinks)


@pytest.mark.parametrize(
    "function",
    [lambda x: x * x.data, lambda x: x if x.data < 0.5 else x * x.data, by_hand(2.0)],
    ids=["data", "if", "by hand"],
)
def test_a_number_hidden_from_the_graph_is_found(function):
    """Every operation is right, and still the derivative is not."""
    with pytest.raises(GradientError, match="every operation recorded is right, but the differences disagree"):
        gradcheck(function, 0.7)


def test_a_wrong_sweep_is_found(monkeypatch):
    monkeypatch.setattr(gradient_check, "jvp", lambda output, tangents: 1.0)
    with pytest.raises(GradientError, match="reverse and forward mode disagree"):
        gradcheck(Value.sin, 0.7)


# What it gives, and what it refuses.


def test_the_result_holds_three_gradients():
    """Differences that tell something; the output need not depend on the point, and may be one of the inputs."""
    result = gradcheck(lambda x, y: x * y + y, (3, np.float64(2.0)))
    assert (result.point, result.reverse, result.forward) == ([3.0, 2.0], [2.0, 4.0], [2.0, 4.0])
    assert result.differences == pytest.approx([2.0, 4.0])
    assert all(0.0 < bound < 1e-12 for bound in result.bounds)
    assert gradcheck(lambda x: Value(3.0), 1.0).reverse == [0.0]
    assert gradcheck(lambda x, y: y, [1.0, 2.0]).forward == [0.0, 1.0]


@pytest.mark.parametrize(
    ("function", "x"), [(Value.sin, 1e300), (lambda x: (x / 1e-75).sin(), 0.0), (lambda x: x**1.5, 0.0)]
)
def test_what_differences_cannot_tell_they_do_not_tell(function, x):
    """All periods between two floats, or a slope that keeps changing: no number, no bound, no complaint."""
    result = gradcheck(function, x)
    assert math.isnan(result.differences[0])
    assert result.bounds == [math.inf]


@pytest.mark.parametrize(
    ("function", "point", "error", "message"),
    [
        (lambda x: x.data, [1.0], TypeError, r"gave float 1\.0 where a Value was wanted"),
        (lambda x: x * random.random(), [0.7], ValueError, r"gave 0\.\d+ at the point, and 0\.\d+ when called again"),
        (MLP(2, [1]), [1.0, 2.0], TypeError, r"2 arguments.*lambda \*x"),
        (Value.sin, [], ValueError, "empty"),
        (Value.sin, ["1"], TypeError, "str '1'"),
        (Value.sqrt, [0.0], ZeroDivisionError, "derivative of 'sqrt' of 0.0"),
    ],
)
def test_what_cannot_be_checked_is_refused(function, point, error, message):
    with pytest.raises(error, match=message):
        gradcheck(function, point)
