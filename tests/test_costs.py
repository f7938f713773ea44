"""The costs and their gradients, beside the lecture's formulas in mpmath, and what they refuse.

How they saturate behind a sigmoid, test_ops (of the row `cross_entropy`) and test_lecture say.
"""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import Softmax, U, mp

from microgradnet import Value, compile, cross_entropy, grad, hessian, logsumexp, quadratic, softmax_cross_entropy

targets = st.sampled_from([0.0, 1.0, 0.3]) | st.floats(0, 1)
real = st.floats(-1e6, 1e6)
inside = st.floats(0, 1, exclude_min=True, exclude_max=True)
some = settings(max_examples=settings.default.max_examples // 2)


def precisely(formula, *floats):
    """A formula's value with many digits, rounded to a float."""
    return float(formula(*map(mp.mpf, floats)))


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


def lectures_cross_entropy(a, r):
    return -(r * mp.log(a) + (1 - r) * mp.log(1 - a))


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


# From scores.


SCORES = {
    "right": ([0.0, 50.0, -3.0], [0, 1, 0]),
    "wrong": ([0.0, 50.0, -3.0], [1, 0, 0]),
    "very wrong": ([0.0, -3.0, 700.0], [0, 1, 0]),
    "beside 2⁻⁵³": ([-36.5, 0.0, -37.1], [0, 1, 0]),
    "a tie": ([1.0, 1.0, -40.0], [1, 0, 0]),
    "shares": ([20.0, 3.0, -4.0], [0.05, 0.9, 0.05]),
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
    exact, n, R = Softmax(z), len(z), sum(map(mp.mpf, r))
    if K:
        cost = compile(softmax_cross_entropy, n, n)([z] * K, [r] * K)[-1]
        slope = compile(lambda z, r: grad(softmax_cross_entropy(z, r), z, create_graph=True), n, n)
        slopes = slope([z] * K, [r] * K)[-1:].ravel().tolist()
    else:
        values = [Value(z_j) for z_j in z]
        found = softmax_cross_entropy(values, r)
        cost, slopes = found.data, grad(found, values)
        for row, wanted in zip(hessian(found, values), exact.slopes, strict=True):
            assert row == pytest.approx([float(R * w) for w in wanted], rel=1e-14 * n, abs=1e-320)
    units = (20 + 4 * n + min(max(z) - min(z), 750.0)) * U
    wanted_cost = sum(r_j * (exact.log - z_j) for z_j, r_j in zip(z, r, strict=True))
    assert cost == pytest.approx(float(wanted_cost), rel=units, abs=1e-320)
    assert math.copysign(1.0, cost) == 1.0, "the cost is never negative"
    for j, (slope, p_j, r_j) in enumerate(zip(slopes, exact.p, r, strict=True)):
        up, down = p_j * (R - r_j), r_j * (1 - p_j)
        size = max(up, down) * (n if j == z.index(max(z)) else 1)
        assert abs(slope - (up - down)) <= units * size + 1e-320


def test_softmax_cross_entropy_takes_targets_that_are_values():
    """Their slope is −ln p_j = logsumexp(z) − z_j."""
    z, r = [0.5, -1.0, 2.0], [Value(x) for x in (0.2, 0.5, 0.3)]
    wanted = [logsumexp(z).data - z_j for z_j in z]
    assert grad(softmax_cross_entropy(z, r), r) == pytest.approx(wanted, rel=1e-15)


# What is refused.

both = pytest.mark.parametrize("cost", [quadratic, cross_entropy, softmax_cross_entropy])


@both
@pytest.mark.parametrize(("y", "r"), [([0.5], [0, 1]), ([0.5, 0.5], 1), (0.5, [0, 1]), ([], []), (0.5, [])])
def test_a_cost_wants_one_target_per_output(cost, y, r):
    """Anything else is a ValueError with both numbers."""
    with pytest.raises(ValueError, match=rf"{np.size(y)} outputs?.*{np.size(r)} targets?"):
        cost(y, r)


@both
@pytest.mark.parametrize("wrong", ["1", None, True, [[0.5]], np.ones((1, 1))], ids=repr)
def test_a_cost_wants_numbers(cost, wrong):
    """On either side; a TypeError says what arrived."""
    for arguments in ((wrong, [1]), ([0.5], wrong)):
        with pytest.raises(TypeError, match="array" if isinstance(wrong, np.ndarray) else type(wrong).__name__):
            cost(*arguments)


@pytest.mark.parametrize("number", [-1e-300, 1 + 2e-16, 4.0, math.nan, math.inf])
def test_cross_entropies_refuse_what_lies_beyond_0_and_1(number):
    """A target, as where a label stands in the place of one-hot targets; an output that no sigmoid made. By its number."""
    for cost, y, r, what in (
        (cross_entropy, Value(0.5), number, "target"),
        (cross_entropy, Value(0.0).sigmoid(), number, "target"),
        (softmax_cross_entropy, [0.5, 1.0], [0, number], "target"),
        (cross_entropy, Value(number), 0.5, "output"),
    ):
        with pytest.raises(ValueError, match=re.escape(f"{what} {number}")):
            cost(y, r)


@pytest.mark.parametrize(("a", "r"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.3), (1.0, 0.3)])
def test_an_infinite_cross_entropy_is_a_domain_error(a, r):
    """A certain answer that is wrong costs infinitely much: the error has the output's number and its label."""
    with pytest.raises(ValueError, match=rf"{a}.*certain"):
        cross_entropy(Value(a, label="certain"), r)
