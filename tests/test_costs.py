"""The costs, beside the lecture's formulas in decimal arithmetic of 500 digits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgradnet import MLP, Neuron, Value, cross_entropy, quadratic

SATURATED = [-1000.0, -100.0, -36.8, -1.0, -1e-9, 0.0, 0.5, 36.8, 37.5, 100.0, 709.5, 745.2, 1000.0]
targets = st.sampled_from([0.0, 1.0, 0.3]) | st.floats(0, 1)
zs = st.sampled_from(SATURATED) | st.floats(-1000, 1000)
real = st.floats(-1e6, 1e6)
inside = st.floats(0, 1, exclude_min=True, exclude_max=True)


def precisely(formula, *floats):
    """A formula's value to 500 digits, rounded to a float: e⁻¹⁰⁰⁰ beside 1 needs 435 of them."""
    with localcontext() as context:
        context.prec = 500
        context.Emin, context.Emax = -(10**9), 10**9
        return float(formula(*map(Decimal, floats)))


def sigma(z):
    return 1 / (1 + (-z).exp())


def lectures_cross_entropy(a, r):
    return -((r * a.ln() if r else 0) + ((1 - r) * (1 - a).ln() if r != 1 else 0))


def close(actual, desired, scale=0.0):
    """Equal to a few units in the last place (of `scale`, where the formula subtracts numbers of that size)."""
    assert actual == pytest.approx(desired, rel=1e-15, abs=max(1e-15 * scale, 5e-324))


def slope(cost, x):
    cost.backward()
    return x.grad


# The quadratic cost.


@given(st.lists(st.tuples(real, real), min_size=1, max_size=6))
def test_quadratic_is_the_lectures_formula(pairs):
    """½ Σ_j (y_j − r_j)² per sample, and y_j − r_j its gradient."""
    y, r = [Value(a) for a, _ in pairs], [b for _, b in pairs]
    cost = quadratic(y, r)
    close(
        cost.data, precisely(lambda *d: sum((d[i] - d[i + 1]) ** 2 for i in range(0, len(d), 2)) / 2, *np.ravel(pairs))
    )
    cost.backward()
    for y_j, r_j in zip(y, r, strict=True):
        close(y_j.grad, precisely(lambda a, b: a - b, y_j.data, r_j))


@pytest.mark.parametrize(
    ("z", "r"), [(100.0, 0.0), (100.0, 0.3), (-100.0, 1.0), (-100.0, 0.3), (700.0, 0.0), (-700.0, 1.0)]
)
def test_quadratic_keeps_its_terribly_small_slope(z, r):
    """σ′(±100) ≈ 3.7e-44: ∂C/∂z = (σ(z) − r) σ′(z) is tiny, the lecture's point, but not lost."""
    value = Value(z)
    cost = quadratic(value.sigmoid(), r)
    close(cost.data, precisely(lambda z, r: (sigma(z) - r) ** 2 / 2, z, r))
    got = slope(cost, value)
    close(got, precisely(lambda z, r: (sigma(z) - r) * sigma(z) * (1 - sigma(z)), z, r))
    assert got != 0
    if abs(z) == 100:
        assert abs(got) < 4e-44


@pytest.mark.parametrize("z", [1000.0, -1000.0, 1e308, -1e308])
def test_quadratic_is_finite_where_its_slope_vanishes(z):
    """Beyond σ′ = 1e-308 the slope is 0, the cost still right."""
    value = Value(z)
    cost = quadratic(value.sigmoid(), float(z < 0))
    assert cost.data == 0.5
    assert slope(cost, value) == 0


def test_quadratic_takes_values_as_targets():
    """Then the target gets r − y."""
    y, r = Value(2.0), Value(5.0)
    quadratic(y, r).backward()
    assert (y.grad, r.grad) == (-3.0, 3.0)


# The cross-entropy cost of σ(z).


@pytest.mark.parametrize("z", SATURATED)
@pytest.mark.parametrize("r", [0.0, 1.0, 0.3])
def test_cross_entropy_is_exact_when_saturated(z, r):
    """−[r ln a + (1 − r) ln(1 − a)] at a = σ(z), and ∂C/∂z = σ(z) − r, to the last digits."""
    value = Value(z)
    cost = cross_entropy(value.sigmoid(), r)
    close(cost.data, precisely(lambda z, r: lectures_cross_entropy(sigma(z), r), z, r))
    close(slope(cost, value), precisely(lambda z, r: sigma(z) - r, z, r), scale=r if r == 0.3 else 0)


@given(zs, targets)
def test_cross_entropy_of_a_sigmoid_is_the_lectures_formula(z, r):
    """For any z and any target in [0, 1]."""
    value = Value(z)
    cost = cross_entropy(value.sigmoid(), r)
    close(cost.data, precisely(lambda z, r: lectures_cross_entropy(sigma(z), r), z, r))
    close(slope(cost, value), precisely(lambda z, r: sigma(z) - r, z, r), scale=min(r, 1 - r))


def test_the_lectures_miracle():
    """z = 100, r = 0, terribly wrong: cost 100 and ∂C/∂z = 1 (and z = −100, r = 1 its mirror image)."""
    for z, r, wanted in [(100.0, 0, 1.0), (-100.0, 1, -1.0), (1000.0, 0, 1.0), (-1000.0, 1, -1.0)]:
        value = Value(z)
        cost = cross_entropy(value.sigmoid(), r)
        assert cost.data == abs(z)
        assert slope(cost, value) == wanted


@pytest.mark.parametrize(("z", "r", "cost", "gradient"), [(1e308, 0, 1e308, 1.0), (-1e308, 1, 1e308, -1.0),
                                                          (1e308, 1, 0.0, 0.0), (-1e308, 0, 0.0, 0.0)])  # fmt: skip
def test_cross_entropy_holds_to_the_ends_of_the_floats(z, r, cost, gradient):
    """No overflow, no NaN."""
    value = Value(z)
    c = cross_entropy(value.sigmoid(), r)
    assert (c.data, slope(c, value)) == (cost, gradient)


@given(st.integers(1, 4), st.integers(0, 2**32), targets)
def test_the_lectures_gradient_for_a_last_neuron(n, seed, r):
    """∂C/∂w_j = (σ(z) − r) x_j and ∂C/∂b = σ(z) − r, with a target of any kind."""
    rng = np.random.default_rng(seed)
    neuron, x = Neuron(n, seed=rng), rng.normal(size=n)
    a = 1 / (1 + math.exp(-sum(w.data * x_j for w, x_j in zip(neuron.w, x, strict=True))))
    cross_entropy(neuron(x), r).backward()
    np.testing.assert_allclose([w.grad for w in neuron.w], (a - r) * x, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(neuron.b.grad, a - r, rtol=1e-12, atol=1e-14)


def test_a_sigmoid_is_recognised_in_a_net_of_any_depth():
    """A saturated MLP learns under cross-entropy: δ⁽p⁾ = 1 where σ′ is 1e-44."""
    net = MLP(1, [2, 1], seed=1)
    net.set_weights([np.zeros((2, 1)), np.zeros((1, 2))], [np.zeros(2), np.array([100.0])])
    cost = cross_entropy(net([1.0]), [0])
    cost.backward()
    assert (cost.data, net.layers[1].neurons[0].b.grad) == (100.0, 1.0)


def test_costs_sum_over_the_outputs():
    """Each output with its own target."""
    z = [Value(z) for z in (-2.0, 0.5, 100.0)]
    r = [0.0, 0.3, 0.0]
    cost = cross_entropy([z_j.sigmoid() for z_j in z], r)
    close(cost.data, sum(precisely(lambda z, r: lectures_cross_entropy(sigma(z), r), z_j.data, r_j)
                         for z_j, r_j in zip(z, r, strict=True)))  # fmt: skip
    cost.backward()
    for z_j, r_j in zip(z, r, strict=True):
        close(z_j.grad, precisely(lambda z, r: sigma(z) - r, z_j.data, r_j))


@given(st.floats(-30, 30), targets)
def test_cross_entropy_takes_values_as_targets(z, r):
    """∂C/∂r = ln(1 − a) − ln a = −z."""
    target = Value(r)
    close(slope(cross_entropy(Value(z).sigmoid(), target), target), -z, scale=1)


# The cross-entropy of other outputs.


@given(inside, targets)
def test_cross_entropy_of_any_output_is_the_lectures_formula(a, r):
    """Outputs that no sigmoid made, down to the smallest float, with ∂C/∂a = (1 − r)/(1 − a) − r/a."""
    output = Value(a)
    cost = cross_entropy(output, r)
    wanted = precisely(lectures_cross_entropy, a, r)
    close(cost.data, wanted)
    assert math.copysign(1, cost.data) == 1.0, "the cost is always non-negative"
    wanted = precisely(lambda a, r: (1 - r) / (1 - a) - r / a, a, r)
    if abs(wanted) < 1e308:
        close(slope(cost, output), wanted, scale=min((1 - r) / (1 - a), r / a if r else 0.0))


def test_cross_entropy_of_a_tanh_or_a_copy_of_a_sigmoid():
    """What is not itself a sigmoid is taken at its number, and its gradient goes on below."""
    x = Value(0.4)
    cost = cross_entropy(x.tanh(), 0.3)
    a = math.tanh(0.4)
    assert cost.data == pytest.approx(-(0.3 * math.log(a) + 0.7 * math.log(1 - a)), rel=1e-14)
    assert slope(cost, x) == pytest.approx((0.7 / (1 - a) - 0.3 / a) * (1 - a * a), rel=1e-13)
    z = Value(0.4)
    assert slope(cross_entropy(z.sigmoid() * 1.0, 0.3), z) == pytest.approx(1 / (1 + math.exp(-0.4)) - 0.3, rel=1e-14)


@pytest.mark.parametrize("r", [0.0, 1.0])
def test_cross_entropy_of_a_right_answer_is_zero(r):
    """For r = 0 and r = 1 holds C = 0 for a = r: +0, and a descent that starts there stays finite."""
    output = Value(r)
    cost = cross_entropy(output, r)
    assert (cost.data, math.copysign(1, cost.data)) == (0.0, 1.0)
    assert slope(cost, output) == (1.0 if r == 0 else -1.0)


def test_costs_take_plain_numbers_and_arrays():
    """An evaluation without a graph: floats, ints, NumPy scalars and arrays."""
    assert quadratic(1.0, 0).data == 0.5
    assert quadratic(np.array([1.0, 2.0]), np.array([0, 0])).data == 2.5
    assert quadratic((np.float32(1.0), 2), [0, np.int64(0)]).data == 2.5
    assert cross_entropy(np.float64(0.5), 1).data == pytest.approx(math.log(2), rel=1e-15)
    assert cross_entropy(np.array([0.5, 0.5]), np.array([0, 1])).data == pytest.approx(2 * math.log(2), rel=1e-15)


# What is refused.


@pytest.mark.parametrize("cost", [quadratic, cross_entropy])
@pytest.mark.parametrize(("y", "r"), [([0.5], [0, 1]), ([0.5, 0.5], [1]), ([0.5, 0.5], 1), (0.5, [0, 1]), ([], []), ([], [1]),
                                      (0.5, [])])  # fmt: skip
def test_a_cost_wants_one_target_per_output(cost, y, r):
    """Anything else is a ValueError with both numbers."""
    count = [len(x) if isinstance(x, list) else 1 for x in (y, r)]
    with pytest.raises(ValueError, match=rf"{count[0]} outputs.*{count[1]} targets"):
        cost(y, r)


@pytest.mark.parametrize("cost", [quadratic, cross_entropy])
@pytest.mark.parametrize("wrong", ["1", None, True, 1j, [[0.5]], np.ones((1, 1)), "x"], ids=repr)
def test_a_cost_wants_numbers(cost, wrong):
    """On either side; a TypeError says what arrived."""
    for arguments in ((wrong, [1]), ([0.5], wrong)):
        with pytest.raises(TypeError, match="arrived where"):
            cost(*arguments)


@pytest.mark.parametrize("a", [-0.1, 1.1, -1e-300, 1 + 2e-16, math.nan, math.inf])
def test_cross_entropy_refuses_outputs_beyond_0_and_1(a):
    """The error names the number."""
    with pytest.raises(ValueError, match=rf"output {a}".replace("+", r"\+")):
        cross_entropy(Value(a), 0.5)


@pytest.mark.parametrize("r", [-0.1, 1.1, -1.0, 4, math.nan, math.inf])
def test_cross_entropy_refuses_targets_beyond_0_and_1(r):
    """Whether or not a sigmoid made the output."""
    for output in (Value(0.5), Value(0.0).sigmoid()):
        with pytest.raises(ValueError, match=rf"target {float(r)}"):
            cross_entropy(output, r)


@pytest.mark.parametrize(("a", "r"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.3), (1.0, 0.3)])
def test_an_infinite_cross_entropy_is_a_domain_error(a, r):
    """A certain answer that is wrong costs infinitely much: the error has the output's number and its label."""
    with pytest.raises(ValueError, match=rf"{a}.*certain"):
        cross_entropy(Value(a, label="certain"), r)
