"""The table of operations: values and derivatives of every row, over its whole domain, against independent ones.

All tests loop over `ops.TABLE`, so that a new row is tested with no edit here: operands are drawn over all floats and
those that the row refuses are discarded. A row that `oracles` knows is checked against 400 digits and a complex step
as well; any other only against NumPy's function of its name, if there is one, and against differences.
"""

import decimal
import inspect
import itertools
import math
import pickle
import sys
from decimal import Decimal

import numpy as np
import oracles
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import TINY, U

from microgradnet import Value, ops
from microgradnet.ops import Op

REFUSED = (ValueError, ArithmeticError)
POWERS = [ops.power(n) for n in (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 6.0)]
ROWS = [*ops.TABLE.values(), *POWERS]
IN_THE_BOOK = [op for op in ROWS if oracles.on_complex(op)]
KINKED = {"relu", "step", "abs", "maximum", "minimum"}
SMOOTH = [op for op in IN_THE_BOOK if op not in KINKED]

# How many units in the last place a value may be off. An arithmetic operation is rounded once: half a unit. A function
# is a chain of at most four functions of the C library (each off by one unit, two on some platforms) and roundings.
ULPS = 8
ARITHMETIC = {
    "+": 0.5,
    "-": 0.5,
    "*": 0.5,
    "/": 0.5,
    "neg": 0,
    "relu": 0,
    "step": 0,
    "abs": 0,
    "maximum": 0,
    "minimum": 0,
}
# A rule of partials is a chain of at most six such steps, and so is the complex step beside it: 2 * 6 * 2 * U.
RULE = 24 * U

FEWER = settings(max_examples=settings.default.max_examples // 3)

EDGES = [s * x for x in (0.0, TINY, 1e-300, 1e-16, 0.5, 1 - 2 * U, 1.0, 2.0, 36.9, 700.0, 1e16, 1e308) for s in (1, -1)]
EVERYWHERE = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.sampled_from(EDGES) | st.floats(0, 1) | st.floats(-40, 40) | st.floats(-750, 750) | EVERYWHERE


def arity(op):
    """The number of floats in a point of this row; a `dot` gets three weights and three inputs."""
    row = ops.named(str(op))
    return 6 if op == "dot" else len(inspect.signature(row.partials).parameters) - 1


def operands(op, point):
    half = len(point) // 2
    return (point[:half], point[half:]) if op == "dot" else point


def value(op, point):
    return op.value(*operands(op, point))


def partials(op, point):
    rule = op.partials(*operands(op, point), value(op, point))
    return [p for part in rule for p in part] if op == "dot" else list(rule)


def like(op, **changes):
    """Another row, with the same name as this one and the same columns but for the changes."""
    columns = list(inspect.signature(Op.__new__).parameters)[2:]
    return Op(str(op), **{column: changes.get(column, getattr(op, column)) for column in columns})


def points(op, of=numbers):
    return st.tuples(*[of] * arity(op))


def drawn(data, op, of=numbers):
    """A point in the domain of the row, its value and its partials, all of them finite."""
    point = data.draw(points(op, of))
    try:
        y, rule = value(op, point), partials(op, point)
    except REFUSED:
        assume(False)
    assume(all(map(math.isfinite, [y, *rule])))
    return point, y, rule


each_row = pytest.mark.parametrize("op", ROWS, ids=str)
each_row_in_the_book = pytest.mark.parametrize("op", IN_THE_BOOK, ids=str)


# Values.


def reference(op, point):
    """The value as a Decimal of 400 digits, or NumPy's extended one for a row that is not in the book."""
    function = oracles.on_decimals(op)
    if op == "dot":
        return sum(Decimal(w) * Decimal(x) for w, x in zip(*operands(op, point), strict=True))
    if function:
        return function(*map(Decimal, point))
    return Decimal(str(getattr(np, op)(*map(np.longdouble, point))))


def check_value(op, point, y):
    with decimal.localcontext(oracles.EXACT):
        exact = reference(op, point)
        if not math.isfinite(y):
            assert abs(exact) >= Decimal("1.797e308"), f"{op}{point} = {y}, not {exact:.20e}"
            return
        unit = Decimal(math.ulp(max(abs(y), oracles.value_size(op, point))))
        error = float(abs(Decimal(y) - exact) / unit)
    assert error <= ARITHMETIC.get(op, ULPS) + 1e-9, f"{op}{point} is off by {error:.3g} ulp"


@pytest.mark.parametrize("op", [op for op in ROWS if op in IN_THE_BOOK or hasattr(np, op)], ids=str)
@given(data=st.data())
def test_a_value_is_right_to_the_last_digits_for_every_float(op, data):
    """Whatever finite number arrives, the row refuses it or is within a few units of the 400-digit value."""
    point = data.draw(points(op))
    try:
        y = value(op, point)
    except REFUSED:
        assume(False)
    assume(not math.isnan(y))  # an infinity met another on the way
    assume(math.isfinite(oracles.value_size(op, point)))
    check_value(op, point, y)


@pytest.mark.parametrize("z", [-700.0, -36.9, -1.0, 0.5, 20.0, 36.9, 100.0, 700.0, 1e308])
def test_the_cross_entropy_is_right_beside_a_saturated_target(z):
    """Targets within a few floats of 0 and 1, where (1 - r) z must not be the difference of z and r z."""
    for r in (TINY, 1e-300, 1e-16, 1e-10, 0.01, 0.96875, 0.99, 1 - 1e-10, 1 - 4 * U, 1 - 2 * U, 1 - U):
        check_value(ops.cross_entropy, (z, r), value(ops.cross_entropy, (z, r)))
        check_value(ops.cross_entropy, (z, r), float(ops.cross_entropy.array(np.array([z]), np.array([r]))[0]))


@pytest.mark.parametrize("op", [op for op in IN_THE_BOOK if op != "step"], ids=str)
def test_the_check_of_values_rejects_a_value_that_is_slightly_off(op):
    """The checker of the checker: a billionth is too much."""
    point = (1.5, 0.75, 1.25, 0.5, 2.0, 3.0)[: arity(op)]
    check_value(op, point, value(op, point))
    with pytest.raises(AssertionError):
        check_value(op, point, value(op, point) * (1 + 1e-9))


@each_row
@FEWER
@given(data=st.data())
def test_a_row_says_the_same_on_arrays(op, data):
    """Element by element, the array form gives the numbers of the float form."""
    columns = data.draw(st.lists(points(op), min_size=1, max_size=5))
    kept, expected = [], []
    for point in columns:
        try:
            y = value(op, point)
        except REFUSED:
            continue
        if math.isfinite(y) and math.isfinite(oracles.value_size(op, point)):
            kept.append(point)
            expected.append(y)
    assume(kept)
    with np.errstate(all="ignore"):
        if op == "dot":
            found = [op.array(np.array(p[:3]), np.array(p[3:])) for p in kept]
        else:
            found = op.array(*np.array(kept).T)
    for point, y, z in zip(kept, expected, found, strict=True):
        unit = math.ulp(max(abs(y), oracles.value_size(op, point)))
        # Each of the two is within the units of its own; arrays need not resolve what is below the smallest normal.
        assert abs(y - z) <= 2 * ULPS * unit + sys.float_info.min, f"{op}{point} is {y} on floats and {z} on arrays"


@each_row
@FEWER
@given(data=st.data())
def test_a_row_gives_a_float_or_refuses_with_an_arithmetic_error(op, data):
    """Infinities and NaN included: nothing but a float comes out, nothing but ValueError and ArithmeticError is raised."""
    point = data.draw(points(op, st.floats() | numbers))
    try:
        y = value(op, point)
    except REFUSED:
        assert op.domain, f"'{op}' refuses {point} but does not say where it is defined"
    else:
        assert type(y) is float


@each_row
def test_nan_stays_nan(op):
    """A NaN is refused or handed on; only x**0 is 1 for every x, as IEEE 754 has it."""
    for i in range(arity(op)):
        point = [2.0] * arity(op)
        point[i] = math.nan
        try:
            y = value(op, tuple(point))
        except REFUSED:
            continue
        assert math.isnan(y) or (op == "**0" and y == 1.0)


@pytest.mark.parametrize(
    ("op", "zero", "outside", "far"), [(ops.xlogy, 0.0, -1.0, math.inf), (ops.xlog1my, 1.0, 2.0, -math.inf)], ids=str
)
def test_nought_times_a_logarithm_is_nought_at_the_limit_alone(op, zero, outside, far):
    """0 ln 0 is 0, as x ln x tends to it; ±1 ln 0, 0 ln(-1) and 0 ln ∞ are no less wrong for that, on floats and arrays."""
    assert value(op, (0.0, zero)) == 0.0
    for point in ((1.0, zero), (-1.0, zero), (0.0, outside)):
        with pytest.raises(REFUSED):
            value(op, point)
    assert math.isnan(value(op, (0.0, far)))
    with np.errstate(all="ignore"):
        found = op.array(np.array([0.0, 1.0, -1.0, 0.0, 0.0]), np.array([zero, zero, zero, outside, far]))
    np.testing.assert_array_equal(found, [0.0, -math.inf, math.inf, math.nan, math.nan])


@pytest.mark.parametrize("x", [1e308, -1e308])
def test_saturated_functions_do_not_overflow(x):
    """At ±1e308 sigmoid, tanh, softplus and the cross-entropy are exact and have finite, exact slopes."""
    up = x > 0
    saturated = {
        (ops.sigmoid, (x,)): (float(up), [0.0]),
        (ops.tanh, (x,)): (math.copysign(1.0, x), [0.0]),
        (ops.softplus, (x,)): (x if up else 0.0, [float(up)]),
        (ops.cross_entropy, (x, 0.0)): (x if up else 0.0, [float(up), -x]),
        (ops.cross_entropy, (x, 1.0)): (0.0 if up else -x, [0.0 if up else -1.0, -x]),
        (ops.cross_entropy, (x, 0.25)): (0.75 * x if up else -0.25 * x, [0.75 if up else -0.25, -x]),
    }
    for (op, point), (y, rule) in saturated.items():
        assert (value(op, point), partials(op, point)) == (y, rule), f"{op}{point}"


# Partials against differences: nothing but the row's own value is needed.


def slope_by_differences(f, point, i):
    """The partial derivative of f in operand i from central differences, and a bound of its error.

    f gives a number and the size of its rounding error. Steps h become a quarter again and again, in proportion to 1
    and to the operand. A central difference D(h) is off by
      - the difference of the two one-sided slopes, if the curvature or a kink within reach shows there;
      - h² f'''/6 otherwise, a fifteenth of |D(h) - D(4h)|;
      - the rounding errors of its two values, over 2h.
    The sum of the three is the bound. An estimate counts if the bound is below 1e-5 of it at h and at 4h: a step too
    large for the function (many waves of a sine, say) gives no two such in succession. If the function is constant at
    every step, that counts too. None if no step gives an estimate.
    """

    def at(t):
        try:
            y, rounding = f((*point[:i], t, *point[i + 1 :]))
        except REFUSED:
            return None
        return (y, rounding) if math.isfinite(y) and math.isfinite(rounding) and math.isfinite(t) else None

    x = point[i]
    middle = at(x)
    found, flat = [], []
    for unit in {1.0, abs(x) or 1.0}:
        wider = None  # the estimate at 4h, and whether it counts
        for h in [unit * 2.0**-k for k in range(4, 44, 2)]:
            low, high = at(x - h), at(x + h)
            if h < 256 * math.ulp(x) or not (low and high and middle):
                wider = None
                continue
            span, left, right = (x + h) - (x - h), x - (x - h), (x + h) - x
            estimate = (high[0] - low[0]) / span
            sides = abs((high[0] - middle[0]) / right - (middle[0] - low[0]) / left)
            rounding = (high[1] + low[1]) / span + 2 * U * abs(estimate)
            bound = sides + rounding + (abs(estimate - wider[0]) if wider else math.inf)
            counts = bound <= 1e-5 * abs(estimate)
            if wider and wider[1] and counts:
                found.append((bound, estimate))
            flat.append((sides + rounding, estimate))
            wider = (estimate, counts or not wider)
    if flat and all(estimate == 0.0 for _, estimate in flat):
        found = flat
    if not found:
        return None
    bound, estimate = min(found)
    return estimate, bound


def check_by_differences(op, point):
    """Whether each partial could be compared; an AssertionError for one that is wrong."""

    def with_rounding(p):
        y = value(op, p)
        return y, ULPS * math.ulp(max(abs(y), oracles.value_size(op, p)))

    compared = []
    for i, p in enumerate(partials(op, point)):
        found = slope_by_differences(with_rounding, point, i)
        if found:
            estimate, bound = found
            # The rule's own rounding: at most 745 (the largest logarithm of a float) times RULE, and among subnormal
            # numbers a unit in the last place before a power n <= 6 is multiplied in.
            assert abs(p - estimate) <= bound + 745 * RULE * abs(p) + 8 * TINY, (
                f"∂{i} of '{op}' at {point} is {p}, but differences give {estimate} ± {bound:.2g}"
            )
        compared.append(found is not None)
    return compared


@each_row
@FEWER
@given(data=st.data())
def test_partials_agree_with_central_differences(op, data):
    """The derivatives of a row are those of its value, wherever differences can tell."""
    point, _, _ = drawn(data, op)
    check_by_differences(op, point)


# Partials against the complex step: to the last digits, and everywhere.


def check_by_complex_step(op, point):
    for i, p in enumerate(partials(op, point)):
        try:
            estimate, size, grain = oracles.slope(op, point, i)
        except OverflowError:
            continue
        assert abs(p - estimate) <= RULE * size + grain + 8 * TINY, f"∂{i} of '{op}' at {point} is {p}, not {estimate}"


@pytest.mark.parametrize("op", SMOOTH, ids=str)
@given(data=st.data())
def test_partials_agree_with_the_complex_step(op, data):
    """Over the whole domain, saturated ends included, a derivative is right to the last digits."""
    point, _, _ = drawn(data, op)
    try:
        check_by_complex_step(op, point)
    except (ValueError, ZeroDivisionError) as error:
        pytest.fail(f"'{op}' has a derivative at {point}, where there is none: {error}")


# The checkers are fed wrong rules.

GRID = (-2.5, -0.75, 0.3, 1.9)
WRONG = {
    "a wrong sign": lambda rule, by: [-p for p in rule],
    "a factor slightly off": lambda rule, by: [p * (1.0 + by) for p in rule],
    "a constant too many": lambda rule, by: [p + by for p in rule],
    "swapped partials": lambda rule, by: rule[::-1],
    "a forgotten inner derivative": lambda rule, by: [1.0] * len(rule),
    "a slope of zero": lambda rule, by: [0.0] * len(rule),
    "the first partial only": lambda rule, by: [rule[0], *[0.0] * (len(rule) - 1)],
    "the last partial wrong": lambda rule, by: [*rule[:-1], rule[-1] + by],
}


def grid(op):
    """Points of the grid that the row takes."""
    for point in itertools.product(GRID, repeat=min(arity(op), 2)):
        point = point if arity(op) <= 2 else (*point, 0.5, -1.25, 1.5, 0.7)
        try:
            partials(op, point)
        except REFUSED:
            continue
        yield point


def assert_rejected(op, check, by):
    """Every wrong rule that differs from the right one somewhere on the grid is caught there."""
    right = list(grid(op))
    for point in right:
        check(op, point)
    for what, wrong in WRONG.items():

        def rule(*args, wrong=wrong):
            *given_operands, _ = args
            flat = tuple(given_operands[0]) + tuple(given_operands[1]) if op == "dot" else tuple(given_operands)
            bad = wrong(partials(op, flat), by)
            return (tuple(bad[:3]), tuple(bad[3:])) if op == "dot" else tuple(bad)

        bad_row = like(op, partials=rule)
        differs = [point for point in right if partials(bad_row, point) != partials(op, point)]
        if not differs:
            assert what not in ("a constant too many", "the last partial wrong")
            continue
        caught = 0
        for point in differs:
            try:
                check(bad_row, point)
            except AssertionError:
                caught += 1
        assert caught, f"{what} of '{op}' went through"


@each_row
def test_the_check_by_differences_rejects_a_wrong_rule(op):
    """A wrong sign, a factor of 1 + 1e-4, swapped partials, a missing inner derivative: all are caught."""
    assert_rejected(op, check_by_differences, 1e-4)


@pytest.mark.parametrize("op", SMOOTH, ids=str)
def test_the_check_by_complex_step_rejects_a_wrong_rule(op):
    """The same for the sharper check, which tells a factor of 1 + 1e-10."""
    assert_rejected(op, check_by_complex_step, 1e-10)


@each_row
def test_differences_can_tell_at_ordinary_points(op):
    """The check by differences is not empty: on the grid it has an opinion on almost every partial."""
    compared = [told for point in grid(op) for told in check_by_differences(op, point)]
    assert sum(compared) >= 0.75 * len(compared) > 0


# Kinks, by hand.


def test_kinks_are_decided_as_promised():
    """relu'(0) = 0, |.|'(0) = 0, step' = 0 everywhere, and a tie belongs to the first operand."""
    for zero in (0.0, -0.0):
        assert partials(ops.relu, (zero,)) == [0.0]
        assert partials(ops.abs_, (zero,)) == [0.0]
        assert value(ops.step, (zero,)) == 1.0
    for x in (-1e308, -1.0, -TINY, -0.0, 0.0, TINY, 1.0, 1e308):
        assert partials(ops.step, (x,)) == [0.0]
        assert partials(ops.maximum, (x, x)) == [1.0, 0.0]
        assert partials(ops.minimum, (x, x)) == [1.0, 0.0]


def test_slopes_beside_a_kink_are_those_of_their_side():
    """One float away from the kink, and 1e308 away, the slope is the plain one."""
    for x in (TINY, 1e-300, 1.0, 1e308):
        assert partials(ops.relu, (x,)) == [1.0]
        assert partials(ops.relu, (-x,)) == [0.0]
        assert partials(ops.abs_, (x,)) == [1.0]
        assert partials(ops.abs_, (-x,)) == [-1.0]
        assert partials(ops.maximum, (0.0, x)) == partials(ops.minimum, (x, 0.0)) == [0.0, 1.0]
        assert partials(ops.maximum, (x, 0.0)) == partials(ops.minimum, (0.0, x)) == [1.0, 0.0]
        assert partials(ops.maximum, (-x, x)) == [0.0, 1.0]
    above = math.nextafter(1.0, 2.0)
    assert partials(ops.maximum, (1.0, above)) == [0.0, 1.0]
    assert partials(ops.minimum, (1.0, above)) == [1.0, 0.0]


# A rule is more graph.


@pytest.mark.parametrize("op", [op for op in ROWS if op != "dot"], ids=str)
@FEWER
@given(data=st.data())
def test_a_rule_fed_with_values_gives_the_same_numbers_as_graph(op, data):
    """The one rule serves numbers and Values alike, to the bit."""
    point, y, rule = drawn(data, op)
    leaves = [Value(x) for x in point]
    node = op(*leaves)
    assert (node.op, node.data, node.parents) == (op, y, tuple(leaves))
    assert list(node.partials) == rule
    assert [p.data if isinstance(p, Value) else p for p in op.partials(*leaves, node)] == rule


@pytest.mark.parametrize("op", [op for op in ROWS if op != "dot"], ids=str)
@FEWER
@given(data=st.data())
def test_a_rule_can_be_differentiated_again(op, data):
    """The graph of a partial has the derivatives of the partial: second derivatives come for nothing."""
    point, _, _ = drawn(data, op, st.floats(-5, 5))
    assume(all(abs(x) > 1e-3 for x in point))
    leaves = [Value(x) for x in point]
    for i, p in enumerate(op.partials(*leaves, op(*leaves))):
        for leaf in leaves:
            leaf.grad = 0.0
        if isinstance(p, Value):
            p.backward()

        def partial(at, i=i):
            number = partials(op, at)[i]
            _, size, _ = oracles.slope(op, at, i) if op in SMOOTH else (0.0, abs(number), 0.0)
            return number, RULE * max(abs(number), size)

        for j, leaf in enumerate(leaves):
            found = slope_by_differences(partial, point, j)
            if found:
                estimate, bound = found
                # The second rule rounds like the first, in terms of at most size / x² each: 1 / (1e-3)² of U's.
                assert abs(leaf.grad - estimate) <= bound + 1e-9 * (1.0 + abs(leaf.grad)), f"∂{j}∂{i} of '{op}'"


# Names.


@each_row
def test_a_row_is_known_by_its_name(op):
    """The name leads back to the row itself, also through a pickle."""
    assert ops.named(str(op)) is op
    assert all(pickle.loads(pickle.dumps(op, protocol)) is op for protocol in range(pickle.HIGHEST_PROTOCOL + 1))


def test_a_name_that_is_not_in_the_table_says_what_to_do():
    """As when a pickle arrives before the file that adds its row."""
    with pytest.raises(KeyError, match=r"'mine'.*import what adds its row"):
        ops.named("mine")


def test_the_table_is_kept_by_name():
    """Each row stands under its own name, and a fixed power is called as one reads it."""
    assert all(name == op for name, op in ops.TABLE.items())
    assert [str(ops.power(n)) for n in (2, 3.0, -1, 0.5)] == ["**2", "**3", "**-1", "**0.5"]


def test_two_rows_of_one_name_do_not_get_mixed_up():
    """A row that shares its name with another is recorded by its own value and its own rule."""
    mine = like(ops.mul, value=lambda a, b: a * b + 1.0, partials=lambda a, b, y: (b, 7.0))
    node = mine(Value(2.0), Value(3.0))
    assert node.data == 7.0
    assert node.partials == (3.0, 7.0)
