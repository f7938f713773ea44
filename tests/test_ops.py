"""The table of operations: values and derivatives of every row, over all floats, against mpmath and its differences.

All tests loop over `ops.TABLE`, so that a new row is tested with no edit here: one that `oracles` does not know by its
array form and its graph, and by `gradcheck` in test_differences.
"""

import itertools
import math
import sys

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import TINY, U, mp

from microgradnet import Value, ops

REFUSED = (ValueError, ArithmeticError)
POWERS = [ops.power(n) for n in (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 6.0)]
ROWS = [*ops.TABLE.values(), *POWERS]

# How many units in the last place a value may be off. An arithmetic operation is rounded once: half a unit. A function
# is a chain of at most four functions of the C library (each off by one unit, two on some platforms) and roundings.
ULPS = 8
ARITHMETIC = {"+": 0.5, "-": 0.5, "*": 0.5, "/": 0.5} | dict.fromkeys(["neg", *oracles.SIDES], 0.0)
RULE = 12 * U  # a rule of partials is a chain of at most six such steps

EDGES = [s * x for x in (0.0, TINY, 1 - 2 * U, 1.0, 1e308) for s in (1, -1)]
TAILS = [s * x for x in (36.9, 700.0) for s in (1, -1)]
EVERYWHERE = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.sampled_from(EDGES + TAILS) | st.floats(0, 1) | st.floats(-40, 40) | st.floats(-750, 750) | EVERYWHERE

TENTH = settings(max_examples=settings.default.max_examples // 10)  # of four points each
each_row = pytest.mark.parametrize("op", ROWS, ids=str)
each_row_in_the_book = pytest.mark.parametrize("op", [op for op in ROWS if oracles.definition(op)], ids=str)


def arity(op):
    """The number of floats in a point of this row; a `dot` gets three weights and three inputs."""
    return 6 if op == "dot" else oracles.arity(op)


def operands(op, point):
    return (point[:3], point[3:]) if op == "dot" else point


def value(op, point):
    return op.value(*operands(op, point))


def partials(op, point):
    rule = op.partials(*operands(op, point), value(op, point))
    return [p for part in rule for p in part] if op == "dot" else list(rule)


def drawn(data, op, of=numbers):
    return data.draw(st.lists(st.tuples(*[of] * arity(op)), min_size=4, max_size=4))


def unit(op, point, y):
    """What an ulp is worth where the value is y: the one of the largest number on the way."""
    return math.ulp(max(abs(y), oracles.value_size(op, point)))


def lost(op, point, y):
    """The factor, in a partial, of what fell below the normal floats and is right to the smallest one alone."""
    if op == "/":  # -y / b
        return 1.0 / abs(point[1]) if abs(y) < sys.float_info.min else 0.0
    if op == "**":  # b a^(b - 1), and y ln a
        return abs(point[1]) + abs(math.log(point[0]))
    return abs(point[1]) if op == "cross_entropy" else 0.0  # r σ(-z)


# Against many digits.


def check(op, point):
    """The number and the domain are the book's; each partial is a difference of many digits, wherever all are finite."""
    exact = oracles.exactly(op, point)
    fits = abs(exact) < oracles.LARGEST  # which NaN is not
    try:
        y = value(op, point)
    except REFUSED:
        assert not fits, f"'{op}' refuses {point}, where it is {mp.nstr(exact)}"
        assert op.domain, f"'{op}' refuses {point} but does not say where it is defined"
        return
    if math.isnan(y) or not math.isfinite(oracles.value_size(op, point)):
        return  # an infinity met another on the way
    assert mp.isfinite(exact), f"'{op}' is not defined at {point}, yet gives {y}"
    if math.isinf(y):
        assert not fits, f"{op}{point} is {mp.nstr(exact)}, not {y}"
        return
    error = float(abs(y - exact) / mp.mpf(unit(op, point, y)))
    assert error <= ARITHMETIC.get(op, ULPS) + 1e-9, f"{op}{point} is off by {error:.3g} ulp"
    try:
        rule = partials(op, point)
    except REFUSED:
        return
    for i, p in enumerate(rule if all(map(math.isfinite, rule)) else []):
        estimate, size = oracles.slope(op, point, i)
        bound = 2 * RULE * size + 8 * TINY * (1.0 + lost(op, point, y))
        assert abs(p - estimate) <= bound, f"∂{i} of '{op}' at {point} is {p}, not {estimate}"


@each_row_in_the_book
@TENTH
@given(data=st.data())
def test_a_row_is_right_to_the_last_digits_for_every_float(op, data):
    """Saturated ends and kinks included; the row refuses what is not defined or too large, and is right everywhere else."""
    for point in drawn(data, op):
        check(op, point)


@each_row_in_the_book
def test_a_row_is_right_at_the_edges(op):
    """At all pairs of extreme numbers, ties and kinks, and a few floats beside; where a power vanishes and its slope does not."""
    points = {1: [(x,) for x in EDGES + TAILS], 2: itertools.product(EDGES, repeat=2)}.get(arity(op), [])
    for point in [*points, *[(1e-170, 2.0)] * (op == "**")]:
        check(op, point)


# One row, many uses.


@each_row
@TENTH
@given(data=st.data())
def test_a_row_says_the_same_on_arrays(op, data):
    """Element by element, the numbers of the float form; where that refuses, NumPy's floating-point error."""
    for point in drawn(data, op):
        columns = [np.array(column) for column in (operands(op, point) if op == "dot" else zip(point))]
        try:
            y = value(op, point)
        except REFUSED:
            with np.errstate(all="raise", under="ignore"), pytest.raises(FloatingPointError):
                op.array(*columns)
            continue
        with np.errstate(all="ignore"):
            z = float(op.array(*columns).item())
        if math.isfinite(y) and math.isfinite(oracles.value_size(op, point)):
            # Each of the two is within the units of its own; arrays need not resolve what is below the smallest normal.
            off = 2 * ULPS * unit(op, point, y) + sys.float_info.min
            assert abs(y - z) <= off, f"{op}{point} is {y} on floats and {z} on arrays"


@each_row
@TENTH
@given(data=st.data())
def test_on_values_a_row_gives_the_same_numbers_and_more_graph(op, data):
    """The one rule serves numbers and Values alike, to the bit. Infinities and NaN are refused or handed on.

    (x**0 alone is 1 for every x, as IEEE 754 has it.)
    """
    for point in drawn(data, op, st.floats() | numbers):
        try:
            y, rule = value(op, point), partials(op, point)
        except REFUSED:
            continue
        assert type(y) is float
        assert math.isnan(y) or not any(map(math.isnan, point)) or (op == "**0" and y == 1.0)
        if op == "dot" or any(map(math.isnan, [y, *rule])):
            continue
        leaves = [Value(x) for x in point]
        node = op(*leaves)
        assert (node.op, node.data, node.parents, list(node.partials)) == (op, y, tuple(leaves), rule)
        assert [p.data if isinstance(p, Value) else p for p in op.partials(*leaves, node)] == rule


# What is written from a row.


@pytest.mark.parametrize(
    "rule",
    [
        lambda x, y: (1.0 if x > 0.0 else 2.0,),
        lambda x, y: (1.0 if x == 0.5 else 2.0,),
        lambda x, y: (math.cos(x),),
        lambda x, y: (ops.cos(x) if isinstance(x, float) else 1.0,),
    ],
    ids=["less", "equal", "math", "type"],
)
def test_a_rule_that_cannot_be_printed_is_called(rule):
    """One that looks at numbers, calls other functions, or tells symbols from floats."""
    op = ops.Op("sine", math.sin, np.sin, rule)
    for x in (0.5, -0.5):
        assert op(Value(x)).partials == rule(x, math.sin(x))
