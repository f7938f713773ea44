"""The costs, beside the lecture's formulas on decimals. How they saturate in nets, test_lecture says."""

import math
from decimal import Decimal, localcontext

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgradnet import Value, cross_entropy, quadratic

SATURATED = [-1000.0, -100.0, -36.8, -1.0, -1e-9, 0.0, 0.5, 36.8, 37.5, 100.0, 709.5, 745.2, 1000.0]
targets = st.sampled_from([0.0, 1.0, 0.3]) | st.floats(0, 1)
zs = st.sampled_from(SATURATED) | st.floats(-1000, 1000)
real = st.floats(-1e6, 1e6)
inside = st.floats(0, 1, exclude_min=True, exclude_max=True)


def precisely(formula, *floats):
    """A formula's value to 500 digits, rounded to a float: e⁻¹⁰⁰⁰ beside 1 needs 435 of them."""
    with localcontext(oracles.EXACT, prec=500):
        return float(formula(*map(Decimal, floats)))


def lectures_cross_entropy(a, r):
    return -((r * a.ln() if r else 0) + ((1 - r) * (1 - a).ln() if r != 1 else 0))


def assert_close(actual, desired, scale=0.0):
    """Equal to a few units in the last place (of `scale`, where the formula subtracts numbers of that size)."""
    assert actual == pytest.approx(desired, rel=1e-15, abs=max(1e-15 * scale, 5e-324))


def slopes(cost, *values):
    cost.backward()
    return [value.grad for value in values]


@given(st.lists(st.tuples(real, real), min_size=1, max_size=6))
def test_quadratic_is_the_lectures_formula(pairs):
    """½ Σ_j (y_j − r_j)² per sample, and ±(y_j − r_j) its gradient, for Values as targets too."""
    y, r = [Value(a) for a, _ in pairs], [Value(b) for _, b in pairs]
    numbers = [precisely(lambda a, b: a - b, a, b) for a, b in pairs]
    cost = quadratic(y, r)
    assert_close(cost.data, precisely(lambda *d: sum(x * x for x in d) / 2, *numbers), scale=cost.data * 4)
    for found, sign in ((slopes(cost, *y), 1.0), ([r_j.grad for r_j in r], -1.0)):
        for slope, number in zip(found, numbers, strict=True):
            assert_close(slope, sign * number)
    assert quadratic([a for a, _ in pairs], np.array([b for _, b in pairs])).data == cost.data


@given(st.lists(st.tuples(zs, targets), min_size=1, max_size=3))
def test_cross_entropy_of_sigmoids_is_the_lectures_formula(pairs):
    """−Σ_j [r ln a + (1 − r) ln(1 − a)] at a = σ(z), with the slopes σ(z) − r in z and −z in a target that is a Value."""
    z, r = [Value(z_j) for z_j, _ in pairs], [Value(r_j) for _, r_j in pairs]
    cost = cross_entropy([z_j.sigmoid() for z_j in z], r)
    costs = [precisely(lambda z, r: oracles.softplus(z) - r * z, *pair) for pair in pairs]
    assert_close(cost.data, math.fsum(costs), scale=sum(costs))
    cost.backward()
    for z_j, r_j in zip(z, r, strict=True):
        wanted = precisely(lambda z, r: 1 / (1 + (-z).exp()) - r, z_j.data, r_j.data)
        assert_close(z_j.grad, wanted, scale=min(r_j.data, 1 - r_j.data))
        assert_close(r_j.grad, -z_j.data, scale=1.0)


@given(inside, targets)
def test_cross_entropy_of_any_output_is_the_lectures_formula(a, r):
    """Outputs that no sigmoid made, down to the smallest float, with ∂C/∂a = (1 − r)/(1 − a) − r/a."""
    output = Value(a)
    cost = cross_entropy(output, r)
    assert_close(cost.data, precisely(lectures_cross_entropy, a, r))
    assert math.copysign(1, cost.data) == 1.0, "the cost is never negative"
    wanted = precisely(lambda a, r: (1 - r) / (1 - a) - r / a, a, r)
    if abs(wanted) < 1e308:
        assert_close(*slopes(cost, output), wanted, scale=min((1 - r) / (1 - a), r / a if r else 0.0))


@pytest.mark.parametrize(
    ("f", "slope"),
    [(Value.tanh, lambda a: 1 - a * a), (lambda x: x.sigmoid() * 1.0, lambda a: a * (1 - a))],
    ids=["tanh", "a copy of a sigmoid"],
)
def test_the_gradient_of_cross_entropy_goes_on_below_its_outputs(f, slope):
    """What is not itself a sigmoid is taken at its number. Some twenty roundings: 1e-14."""
    x = Value(0.4)
    y = f(x)
    a = y.data
    wanted = (0.7 / (1 - a) - 0.3 / a) * slope(a)
    assert slopes(cross_entropy(y, 0.3), x) == pytest.approx([wanted], rel=1e-14)


@pytest.mark.parametrize("r", [0.0, 1.0])
def test_cross_entropy_of_a_right_answer_is_zero(r):
    """+0, and the slope is that of the side, so that a descent which starts there stays finite."""
    output = Value(r)
    cost = cross_entropy(output, r)
    assert (cost.data, math.copysign(1, cost.data)) == (0.0, 1.0)
    assert slopes(cost, output) == [1.0 if r == 0 else -1.0]


def test_costs_take_plain_numbers_and_arrays():
    """An evaluation without a graph: floats, ints, NumPy scalars and arrays."""
    assert quadratic(1.0, 0).data == 0.5
    assert quadratic((np.float32(1.0), 2), [0, np.int64(0)]).data == 2.5
    assert_close(cross_entropy(np.float64(0.5), 1).data, math.log(2))
    assert_close(cross_entropy(np.array([0.5, 0.5]), np.array([0, 1])).data, 2 * math.log(2))


# What is refused.

both = pytest.mark.parametrize("cost", [quadratic, cross_entropy])


@both
@pytest.mark.parametrize(
    ("y", "r"), [([0.5], [0, 1]), ([0.5, 0.5], [1]), ([0.5, 0.5], 1), (0.5, [0, 1]), ([], []), ([], [1]), (0.5, [])]
)
def test_a_cost_wants_one_target_per_output(cost, y, r):
    """Anything else is a ValueError with both numbers."""
    count = [len(x) if isinstance(x, list) else 1 for x in (y, r)]
    with pytest.raises(ValueError, match=rf"{count[0]} outputs.*{count[1]} targets"):
        cost(y, r)


@both
@pytest.mark.parametrize("wrong", ["1", None, True, 1j, [[0.5]], np.ones((1, 1)), "x"], ids=repr)
def test_a_cost_wants_numbers(cost, wrong):
    """On either side; a TypeError says what arrived."""
    for arguments in ((wrong, [1]), ([0.5], wrong)):
        with pytest.raises(TypeError, match="array" if isinstance(wrong, np.ndarray) else type(wrong).__name__):
            cost(*arguments)


@pytest.mark.parametrize("number", [-0.1, 1.1, -1e-300, 1 + 2e-16, 4.0, math.nan, math.inf])
def test_cross_entropy_refuses_what_lies_beyond_0_and_1(number):
    """The error names the number: an output, or a target, whether or not a sigmoid made the output."""
    for what, output, target in (
        ("output", Value(number), 0.5),
        ("target", Value(0.5), number),
        ("target", Value(0.0).sigmoid(), number),
    ):
        with pytest.raises(ValueError, match=rf"{what} {number}".replace("+", r"\+")):
            cross_entropy(output, target)


@pytest.mark.parametrize(("a", "r"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.3), (1.0, 0.3)])
def test_an_infinite_cross_entropy_is_a_domain_error(a, r):
    """A certain answer that is wrong costs infinitely much: the error has the output's number and its label."""
    with pytest.raises(ValueError, match=rf"{a}.*certain"):
        cross_entropy(Value(a, label="certain"), r)
