"""The costs and their gradients, beside the lecture's formulas on decimals, and what they refuse.

How they saturate in nets, test_lecture says.
"""

import math
from decimal import Decimal, localcontext
from functools import reduce
from operator import add

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgradnet import Value, compile, cross_entropy, grad, hessian, logsumexp, ops, quadratic, softmax_cross_entropy

targets = st.sampled_from([0.0, 1.0, 0.3]) | st.floats(0, 1)
real = st.floats(-1e6, 1e6)
inside = st.floats(0, 1, exclude_min=True, exclude_max=True)
some = settings(max_examples=settings.default.max_examples // 2)


def precisely(formula, *floats):
    """A formula's value on decimals, rounded to a float."""
    with oracles.context(floats):
        return float(formula(*map(Decimal, floats)))


def assert_close(actual, desired, scale=0.0):
    """Equal to a few units in the last place (of `scale`, where the formula subtracts numbers of that size)."""
    assert actual == pytest.approx(desired, rel=1e-15, abs=max(1e-15 * scale, 5e-324))


@some
@given(st.lists(st.tuples(real, real), min_size=1, max_size=6))
def test_quadratic_is_the_lectures_formula(pairs):
    """½ Σ_j (y_j − r_j)² per sample, and ±(y_j − r_j) its gradient, for Values as targets too."""
    y, r = [Value(a) for a, _ in pairs], [Value(b) for _, b in pairs]
    numbers = [precisely(lambda a, b: a - b, a, b) for a, b in pairs]
    cost = quadratic(y, r)
    assert_close(cost.data, precisely(lambda *d: sum(x * x for x in d) / 2, *numbers), scale=cost.data * 4)
    for slope, wanted in zip(grad(cost, [*y, *r]), [*numbers, *[-d for d in numbers]], strict=True):
        assert_close(slope, wanted)


@some
@given(st.lists(st.tuples(st.floats(-1000, 1000), targets), min_size=1, max_size=3))
def test_cross_entropy_of_sigmoids_is_its_row_at_z(pairs):
    """So it is right for every z, with the slope σ(z) − r, as test_ops says of the row; and a sum over outputs."""
    z, r = [Value(z_j) for z_j, _ in pairs], [Value(r_j) for _, r_j in pairs]
    cost, wanted = cross_entropy([z_j.sigmoid() for z_j in z], r), reduce(add, map(ops.cross_entropy, z, r))
    assert cost.data == wanted.data
    assert grad(cost, [*z, *r]) == grad(wanted, [*z, *r])


def lectures_cross_entropy(a, r):
    return -((r * a.ln() if r else 0) + ((1 - r) * (1 - a).ln() if r != 1 else 0))


@some
@given(inside, targets)
def test_cross_entropy_of_any_output_is_the_lectures_formula(a, r):
    """Outputs that no sigmoid made, down to the smallest float, with ∂C/∂a = (1 − r)/(1 − a) − r/a."""
    output = Value(a)
    cost = cross_entropy(output, r)
    assert_close(cost.data, precisely(lectures_cross_entropy, a, r))
    assert math.copysign(1, cost.data) == 1.0, "the cost is never negative"
    wanted = precisely(lambda a, r: (1 - r) / (1 - a) - r / a, a, r)
    if abs(wanted) < 1e308:
        assert_close(*grad(cost, output), wanted, scale=min((1 - r) / (1 - a), r / a if r else 0.0))


@pytest.mark.parametrize("r", [0.0, 1.0])
def test_cross_entropy_of_a_right_answer_is_zero(r):
    """+0, and the slope is that of the side, so that a descent which starts there stays finite."""
    output = Value(r)
    cost = cross_entropy(output, r)
    assert (cost.data, math.copysign(1, cost.data)) == (0.0, 1.0)
    assert grad(cost, output) == [1.0 if r == 0 else -1.0]


def test_costs_take_plain_numbers_and_arrays():
    """An evaluation without a graph: floats, ints, NumPy scalars and arrays."""
    assert quadratic(1.0, 0).data == 0.5
    assert quadratic((np.float32(1.0), 2), [0, np.int64(0)]).data == 2.5
    assert_close(cross_entropy(np.float64(0.5), 1).data, math.log(2))
    assert_close(cross_entropy(np.array([0.5, 0.5]), np.array([0, 1])).data, 2 * math.log(2))


# From scores.


def softmax_cross_entropy_exactly(z, r):
    """The cost, its gradient as pairs of terms that are subtracted, and its Hessian, to 500 digits."""
    with localcontext(oracles.EXACT, prec=500):
        r = [Decimal(r_j) for r_j in r]
        powers = [Decimal(z_j).exp() for z_j in z]
        p, R = [power / sum(powers) for power in powers], sum(r)
        cost = sum(-r_j * p_j.ln() for r_j, p_j in zip(r, p, strict=True) if r_j)
        slopes = [(p_j * (R - r_j), r_j * (1 - p_j)) for r_j, p_j in zip(r, p, strict=True)]
        return cost, slopes, [[R * p_i * ((i == j) - p_j) for j, p_j in enumerate(p)] for i, p_i in enumerate(p)]


SCORES = {
    "right": ([0.0, 50.0, -3.0], [0, 1, 0]),
    "wrong": ([0.0, 50.0, -3.0], [1, 0, 0]),
    "very right": ([0.0, -3.0, 700.0], [0, 0, 1]),
    "very wrong": ([0.0, -3.0, 700.0], [0, 1, 0]),
    "beside 2⁻⁵³": ([-36.5, 0.0, -37.1], [0, 1, 0]),
    "a tie": ([1.0, 1.0, -40.0], [1, 0, 0]),
    "shares": ([20.0, 3.0, -4.0], [0.05, 0.9, 0.05]),
    "shares that are met": ([0.0, 0.0, 0.0, 0.0], [0.25] * 4),
    "none": ([0.3, 2.0], [0, 0]),
    "more than one": ([0.3, 2.0, -1.0], [1, 1, 0.5]),
    "one alone": ([1.5], [1]),
    "many": ([math.sin(7.0 * j) for j in range(20)], np.eye(20)[7].tolist()),
}


@pytest.mark.parametrize(("z", "r"), SCORES.values(), ids=SCORES)
@pytest.mark.parametrize("K", [0, 1, 200], ids=["eager", "one by one", "compiled"])
def test_softmax_cross_entropy_is_right_entry_by_entry(z, r, K):
    """−Σ r ln p and the miracle p − r, however near 1 the right p is; eager, and compiled for one and for many.

    An entry is p_j (R − r_j) − r_j (1 − p_j). It is right to as many roundings of the larger term as a sum of n and the
    rounding of z_j − max z show: each unit of that counts in full in e^z. The one of the largest z is summed up from the
    others, with terms that can be n times as large.
    """
    exact, wanted_slopes, curvatures = softmax_cross_entropy_exactly(z, r)
    if K:
        cost = compile(softmax_cross_entropy, len(z), len(z))([z] * K, [r] * K)[-1]
        slope = compile(lambda z, r: grad(softmax_cross_entropy(z, r), z, create_graph=True), len(z), len(z))
        slopes = slope([z] * K, [r] * K)[-1:].ravel().tolist()
    else:
        values = [Value(z_j) for z_j in z]
        found = softmax_cross_entropy(values, r)
        cost, slopes = found.data, grad(found, values)
        for row, wanted in zip(hessian(found, values), curvatures, strict=True):
            assert row == pytest.approx([float(w) for w in wanted], rel=1e-14 * len(z), abs=1e-320)
    units = (20 + 4 * len(z) + min(max(z) - min(z), 750.0)) * oracles.U
    assert cost == pytest.approx(float(exact), rel=units, abs=1e-320)
    assert math.copysign(1.0, cost) == 1.0, "the cost is never negative"
    for j, (slope, (up, down)) in enumerate(zip(slopes, wanted_slopes, strict=True)):
        size = float(max(up, down)) * (len(z) if j == z.index(max(z)) else 1)
        assert slope == pytest.approx(float(up - down), rel=0.0, abs=units * size + 1e-320)


def test_softmax_cross_entropy_takes_targets_that_are_values():
    """Their slope is −ln p_j = logsumexp(z) − z_j."""
    z, r = [0.5, -1.0, 2.0], [Value(x) for x in (0.2, 0.5, 0.3)]
    wanted = [logsumexp(z).data - z_j for z_j in z]
    assert grad(softmax_cross_entropy(z, r), r) == pytest.approx(wanted, rel=1e-15)


# What is refused.

both = pytest.mark.parametrize("cost", [quadratic, cross_entropy, softmax_cross_entropy])


@both
@pytest.mark.parametrize(
    ("y", "r"), [([0.5], [0, 1]), ([0.5, 0.5], [1]), ([0.5, 0.5], 1), (0.5, [0, 1]), ([], []), ([], [1]), (0.5, [])]
)
def test_a_cost_wants_one_target_per_output(cost, y, r):
    """Anything else is a ValueError with both numbers."""
    with pytest.raises(ValueError, match=rf"{np.size(y)} outputs?.*{np.size(r)} targets?"):
        cost(y, r)


@both
@pytest.mark.parametrize("wrong", ["1", None, True, 1j, [[0.5]], np.ones((1, 1)), "x"], ids=repr)
def test_a_cost_wants_numbers(cost, wrong):
    """On either side; a TypeError says what arrived."""
    for arguments in ((wrong, [1]), ([0.5], wrong)):
        with pytest.raises(TypeError, match="array" if isinstance(wrong, np.ndarray) else type(wrong).__name__):
            cost(*arguments)


@pytest.mark.parametrize("number", [-0.1, 1.1, -1e-300, 1 + 2e-16, 4.0, math.nan, math.inf])
def test_cross_entropies_refuse_what_lies_beyond_0_and_1(number):
    """A target, as where a label stands in the place of one-hot targets; an output that no sigmoid made. By its number."""
    words = rf" {number}".replace("+", r"\+")
    for output in (Value(0.5), Value(0.0).sigmoid()):
        with pytest.raises(ValueError, match="target" + words):
            cross_entropy(output, number)
    with pytest.raises(ValueError, match="target" + words):
        softmax_cross_entropy([0.5, 1.0], [0, number])
    with pytest.raises(ValueError, match="output" + words):
        cross_entropy(Value(number), 0.5)


@pytest.mark.parametrize(("a", "r"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.3), (1.0, 0.3)])
def test_an_infinite_cross_entropy_is_a_domain_error(a, r):
    """A certain answer that is wrong costs infinitely much: the error has the output's number and its label."""
    with pytest.raises(ValueError, match=rf"{a}.*certain"):
        cross_entropy(Value(a, label="certain"), r)
