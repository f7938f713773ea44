"""Optimizers, beside the papers' formulas in exact arithmetic."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgradnet.optimizers import Adam, Descent

numbers = st.floats(-100, 100)
rates = st.lists(st.floats(1e-3, 2.0), min_size=1, max_size=6)
below_one = st.sampled_from([0.0, 0.5, 0.9, 0.999])


def trace(optimizer, start, gradients):
    """The parameter after each step, for given gradients."""
    theta, found = np.array([start]), []
    for g in gradients:
        theta = optimizer.step(theta, np.array([g]))
        found.append(theta.item())
    return found


def halved(step):
    return 0.25 / step


@given(numbers, st.lists(numbers, min_size=1, max_size=6), rates, below_one)
def test_descent_is_the_sum_of_all_gradients_weighted_by_powers_of_the_momentum(start, gradients, schedule, momentum):
    """Unrolled: v_t = −Σ_s µ^(t−s) Δt_s g_s, and θ is what it was plus all v."""
    rate = lambda step: schedule[(step - 1) % len(schedule)]  # noqa: E731
    mu, theta, size = Fraction(momentum), Fraction(start), abs(start)
    for t, found in enumerate(trace(Descent(rate, momentum), start, gradients), 1):
        terms = [mu ** (t - s) * Fraction(rate(s)) * Fraction(gradients[s - 1]) for s in range(1, t + 1)]
        theta -= sum(terms)
        size += float(sum(map(abs, terms)))
        assert abs(found - theta) <= 1e-14 * size + 1e-300


@given(numbers, st.lists(numbers.filter(lambda g: abs(g) > 1e-3), min_size=1, max_size=6), below_one, below_one)
def test_adam_steps_by_the_papers_averages(start, gradients, beta1, beta2):
    """Unrolled: m̂ and v̂ are the averages of g and g² with weights β^(t−s), whose sum is (1 − β^t) / (1 − β)."""
    b1, b2, theta = Fraction(beta1), Fraction(beta2), Fraction(start)
    size = abs(start)
    for t, found in enumerate(trace(Adam(0.5, beta1, beta2, 1e-8), start, gradients), 1):
        g = [Fraction(g) for g in gradients[:t]]
        weights1, weights2 = ([b ** (t - s) for s in range(1, t + 1)] for b in (b1, b2))
        m = sum(w * g_s for w, g_s in zip(weights1, g, strict=True)) / sum(weights1)
        v = sum(w * g_s**2 for w, g_s in zip(weights2, g, strict=True)) / sum(weights2)
        theta -= Fraction(0.5) * m / Fraction(math.sqrt(v) + 1e-8)
        size += 0.5 * float(max(map(abs, g))) / math.sqrt(v)
        assert abs(found - theta) <= 1e-12 * size


OPTIMIZERS = {"descent": Descent(0.25), "momentum": Descent(0.25, 0.9), "descending rate": Descent(halved, 0.9)}
OPTIMIZERS |= {"adam": Adam(0.25), "adam, descending rate": Adam(halved)}
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


@each_optimizer
def test_a_pickled_optimizer_goes_on_where_it_was(optimizer):
    """The same bits as one that was never stopped."""
    gradients = np.random.default_rng(0).normal(size=10)
    never_stopped = trace(pickle.loads(pickle.dumps(optimizer)), 1.0, gradients)
    before = trace(optimizer := pickle.loads(pickle.dumps(optimizer)), 1.0, gradients[:4])
    goes_on = pickle.loads(pickle.dumps(optimizer))
    assert before + trace(goes_on, before[-1], gradients[4:]) == never_stopped
    assert (optimizer.steps, goes_on.steps) == (4, 10)


@each_optimizer
def test_a_step_writes_into_no_array(optimizer):
    """So copies of arguments and attributes stay what they were, and a step can be taken back."""
    theta, gradient = np.ones(3), np.array([1.0, -2.0, 0.5])
    optimizer.step(theta, gradient)
    before = vars(optimizer).copy()
    once = optimizer.step(theta, gradient)
    optimizer.step(once, gradient)
    vars(optimizer).update(before)
    assert optimizer.step(theta, gradient).tolist() == once.tolist()
    assert (theta.tolist(), gradient.tolist()) == ([1.0] * 3, [1.0, -2.0, 0.5])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Descent(0.0), ValueError, "learning_rate is 0.0"),
        (lambda: Adam(math.inf), ValueError, "learning_rate is inf"),
        (lambda: Descent("0.1"), TypeError, "'0.1'"),
        (lambda: Descent(0.1, 1.0), ValueError, "momentum"),
        (lambda: Adam(0.1, beta1=-0.1), ValueError, "beta1"),
        (lambda: Adam(0.1, beta2=1.0), ValueError, "beta2"),
        (lambda: Adam(0.1, epsilon=0.0), ValueError, "epsilon"),
        (lambda: Descent(lambda step: -1.0).step([1.0], [1.0]), ValueError, "step 1 is -1.0"),
        (lambda: Descent(0.1).step([[1.0]], [[1.0]]), ValueError, r"\(1, 1\)"),
        (lambda: Descent(0.1).step([1.0, 2.0], [1.0]), ValueError, r"\(2,\) and the gradient \(1,\)"),
        (lambda: Descent(0.1).step(["a"], [1.0]), TypeError, "theta holds <U1"),
        (lambda: Adam(0.1).step([1.0], [1e200]), ArithmeticError, "overflow"),
        (lambda: Descent(1e308).step([1.0], [1e200]), ArithmeticError, "overflow"),
    ],
)
def test_what_makes_no_sense_is_refused(make, error, words):
    """Settings when they are made, arrays and rates by the step."""
    with pytest.raises(error, match=words):
        make()


def test_an_optimizer_belongs_to_one_net():
    """One that remembers three numbers refuses four; a step that fails has not happened."""
    for optimizer in (Descent(0.1, momentum=0.5), Adam(0.1)):
        optimizer.step(np.ones(3), np.ones(3))
        with pytest.raises(ValueError, match=r"3 parameters.* 4"):
            optimizer.step(np.ones(4), np.ones(4))
        assert optimizer.steps == 1
