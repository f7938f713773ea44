"""The table of operations: values and derivatives of every row, over all floats, against decimals and their differences.

All tests loop over `ops.TABLE`, so that a new row is tested with no edit here: a row that `oracles` does not know is
held against `gradcheck`'s differences of its own value, and like all others against its array form and its graph.
"""

import itertools
import math
import pickle
import sys

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import TINY, U

from microgradnet import Value, gradcheck, ops

REFUSED = (ValueError, ArithmeticError)
POWERS = [ops.power(n) for n in (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 6.0)]
ROWS = [*ops.TABLE.values(), *POWERS]
IN_THE_BOOK = [op for op in ROWS if oracles.on_decimals(op)]

# How many units in the last place a value may be off. An arithmetic operation is rounded once: half a unit. A function
# is a chain of at most four functions of the C library (each off by one unit, two on some platforms) and roundings.
ULPS = 8
ARITHMETIC = {"+": 0.5, "-": 0.5, "*": 0.5, "/": 0.5} | dict.fromkeys(["neg", *oracles.SIDES], 0.0)
RULE = 12 * U  # a rule of partials is a chain of at most six such steps

EDGES = [s * x for x in (0.0, TINY, 1e-16, 1 - 2 * U, 1.0, 36.9, 700.0, 1e308) for s in (1, -1)]
EVERYWHERE = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.sampled_from(EDGES) | st.floats(0, 1) | st.floats(-40, 40) | st.floats(-750, 750) | EVERYWHERE

TENTH = settings(max_examples=settings.default.max_examples // 10)  # of as many points each
each_row = pytest.mark.parametrize("op", ROWS, ids=str)
each_row_in_the_book = pytest.mark.parametrize("op", IN_THE_BOOK, ids=str)


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
    return data.draw(st.lists(st.tuples(*[of] * arity(op)), min_size=10, max_size=10))


def at_the_edges(op):
    return itertools.product(EDGES, repeat=arity(op)) if arity(op) <= 2 else []


def unit(op, point, y):
    """What an ulp is worth where the value is y: the one of the largest number on the way."""
    return math.ulp(max(abs(y), oracles.value_size(op, point)))


# Values.


def check_value(op, point):
    """The number and the domain are the book's."""
    exact = oracles.exactly(op, point)
    fits = exact.is_finite() and exact.copy_abs() < oracles.LARGEST
    try:
        y = value(op, point)
    except REFUSED:
        assert not fits, f"'{op}' refuses {point}, where it is {exact:.9g}"
        assert op.domain, f"'{op}' refuses {point} but does not say where it is defined"
        return
    if math.isnan(y) or not math.isfinite(oracles.value_size(op, point)):
        return  # an infinity met another on the way
    assert exact.is_finite(), f"'{op}' is not defined at {point}, yet gives {y}"
    if math.isinf(y):
        assert not fits, f"{op}{point} is {exact:.9g}, not {y}"
        return
    with oracles.context(point):
        error = float(abs(oracles.Decimal(y) - exact) / oracles.Decimal(unit(op, point, y)))
    assert error <= ARITHMETIC.get(op, ULPS) + 1e-9, f"{op}{point} is off by {error:.3g} ulp"


@pytest.mark.parametrize("op", [op for op in IN_THE_BOOK if op != "step"], ids=str)
def test_the_check_of_values_rejects_a_value_that_is_slightly_off(op, monkeypatch):
    """The checker of the checker: a billionth is too much, and so is a domain too small."""
    point = (1.5, 0.75, 1.25, 0.5, 2.0, 3.0)[: arity(op)]
    check_value(op, point)
    for wrong in (value(op, point) * (1 + 1e-9), math.inf, None):
        monkeypatch.setitem(globals(), "value", lambda *_, y=wrong: y if y is not None else math.log(0.0))
        with pytest.raises(AssertionError):
            check_value(op, point)
        monkeypatch.undo()


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
def test_infinities_and_nan_give_a_float_or_an_arithmetic_error(op, data):
    """No other type and no other error; NaN is refused or handed on (x**0 alone is 1 for every x, as IEEE 754 has it)."""
    for point in drawn(data, op, st.floats() | numbers):
        try:
            y = value(op, point)
        except REFUSED:
            continue
        assert type(y) is float
        assert math.isnan(y) or not any(map(math.isnan, point)) or (op == "**0" and y == 1.0)


# Partials.


def check_partials(op, point):
    """Each partial is the difference of decimals, to the last digits, wherever all numbers are finite."""
    try:
        y, rule = value(op, point), partials(op, point)
    except REFUSED:
        return
    if not all(map(math.isfinite, [y, *rule, oracles.value_size(op, point)])):
        return
    for i, p in enumerate(rule):
        estimate, size = oracles.slope(op, point, i)
        assert abs(p - estimate) <= 2 * RULE * size + 8 * TINY, f"∂{i} of '{op}' at {point} is {p}, not {estimate}"


each_check = pytest.mark.parametrize("check", [check_value, check_partials], ids=["value", "partials"])


@each_check
@each_row_in_the_book
@TENTH
@given(data=st.data())
def test_a_row_is_right_to_the_last_digits_for_every_float(op, check, data):
    """Saturated ends and kinks included; the row refuses what is not defined or too large, and is right everywhere else."""
    for point in drawn(data, op):
        check(op, point)


@each_check
@each_row_in_the_book
def test_a_row_is_right_at_the_edges(op, check):
    """At all pairs of extreme numbers, ties and kinks, and a few floats beside; where a power vanishes and its slope does not."""
    for point in [*at_the_edges(op), *[(1e-170, 2.0)] * (op == "**")]:
        check(op, point)


ORDINARY = (1.3, 0.6, 1.25, 0.5, 2.0, 3.0)
WRONG = {
    "a wrong sign": lambda rule: [-p for p in rule],
    "a factor slightly off": lambda rule: [p * (1.0 + 1e-10) for p in rule],
    "a constant too many": lambda rule: [p + 1e-10 for p in rule],
    "swapped": lambda rule: rule[::-1],
    "a forgotten inner derivative": lambda rule: [1.0] * len(rule),
    "the last one wrong": lambda rule: [*rule[:-1], rule[-1] + 1e-10],
}


@each_row_in_the_book
def test_the_check_of_partials_rejects_a_wrong_rule(op, monkeypatch):
    """The checker of the checker: every way to be wrong that makes a difference is caught."""
    point = ORDINARY[: arity(op)]
    check_partials(op, point)
    right = partials(op, point)
    for wrong in WRONG.values():
        monkeypatch.setitem(globals(), "partials", lambda *_, wrong=wrong: wrong(right))
        if wrong(right) != right:
            with pytest.raises(AssertionError):
                check_partials(op, point)


@pytest.mark.parametrize("op", [op for op in ROWS if op not in ("dot", "detach")], ids=str)
def test_partials_agree_with_differences_of_the_rows_own_value(op):
    """All that is known of a row outside the book, and that its rule takes Values."""
    for point in itertools.product((-2.5, -0.75, 0.3, 1.9), repeat=arity(op)):
        try:
            value(op, point)
        except REFUSED:
            continue
        gradcheck(op, point)


# A row as a node.


@pytest.mark.parametrize("op", [op for op in ROWS if op != "dot"], ids=str)
@TENTH
@given(data=st.data())
def test_on_values_a_row_gives_the_same_numbers_and_more_graph(op, data):
    """The one rule serves numbers and Values alike, to the bit."""
    for point in drawn(data, op):
        try:
            y, rule = value(op, point), partials(op, point)
        except REFUSED:
            continue
        if any(map(math.isnan, [y, *rule])):
            continue
        leaves = [Value(x) for x in point]
        node = op(*leaves)
        assert (node.op, node.data, node.parents, list(node.partials)) == (op, y, tuple(leaves), rule)
        assert [p.data if isinstance(p, Value) else p for p in op.partials(*leaves, node)] == rule


@each_row
def test_a_row_is_known_by_its_name(op):
    """The name leads back to the row itself, also through a pickle."""
    assert ops.named(str(op)) is op
    assert all(pickle.loads(pickle.dumps(op, protocol)) is op for protocol in range(pickle.HIGHEST_PROTOCOL + 1))


def test_the_table_is_kept_by_name():
    """Each row under its own, a fixed power as one reads it; another name is refused with what to do."""
    assert all(name == op for name, op in ops.TABLE.items())
    assert [str(ops.power(n)) for n in (2, 3.0, -1, 0.5)] == ["**2", "**3", "**-1", "**0.5"]
    with pytest.raises(KeyError, match=r"mine.*import"):
        ops.named("mine")
