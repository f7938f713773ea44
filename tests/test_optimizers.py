"""Optimizers, beside the papers' formulas in exact arithmetic.

That one goes on with the same bits after a pickle, and forgets a step that diverged, test_training says.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgradnet.optimizers import Adam, Descent

numbers = st.floats(-100, 100)
rates = st.lists(st.floats(1e-3, 2.0), min_size=1, max_size=6)
below_one = st.sampled_from([0.0, 0.5, 0.9, 0.999])
some = settings(max_examples=settings.default.max_examples // 2)


def trace(optimizer, start, gradients):
    """The parameter after each step, for given gradients."""
    theta, found = np.array([start]), []
    for g in gradients:
        theta = optimizer.step(theta, np.array([g]))
        found.append(theta.item())
    return found


def weighted(powers_of, numbers):
    """Σ_s µ^(t−s) g_s, over the t numbers, and Σ_s µ^(t−s)."""
    weights = [powers_of**s for s in range(len(numbers))][::-1]
    return sum(w * g for w, g in zip(weights, numbers, strict=True)), sum(weights)


@some
@given(numbers, st.lists(numbers, min_size=1, max_size=6), rates, below_one)
def test_descent_is_the_sum_of_all_gradients_weighted_by_powers_of_the_momentum(start, gradients, schedule, momentum):
    """Unrolled: v_t = −Σ_s µ^(t−s) Δt_s g_s, and θ is what it was plus all v. The rate's step counts from 1."""
    rate = lambda step: schedule[(step - 1) % len(schedule)]  # noqa: E731
    moves = [Fraction(rate(s)) * Fraction(g) for s, g in enumerate(gradients, 1)]
    theta, size = Fraction(start), abs(start)
    for t, found in enumerate(trace(Descent(rate, momentum), start, gradients), 1):
        theta -= weighted(Fraction(momentum), moves[:t])[0]
        size += float(weighted(Fraction(momentum), [*map(abs, moves[:t])])[0])
        assert abs(found - theta) <= 1e-14 * size + 1e-300


@some
@given(numbers, st.lists(numbers.filter(lambda g: abs(g) > 1e-3), min_size=1, max_size=6), below_one, below_one)
def test_adam_steps_by_the_papers_averages(start, gradients, beta1, beta2):
    """Unrolled: m̂ and v̂ are the averages of g and g² with weights β^(t−s), whose sum is (1 − β^t) / (1 − β)."""
    theta, size = Fraction(start), abs(start)
    for t, found in enumerate(trace(Adam(0.5, beta1, beta2, 1e-8), start, gradients), 1):
        g = [Fraction(g) for g in gradients[:t]]
        m, v = (Fraction(*weighted(Fraction(beta), h)) for beta, h in ((beta1, g), (beta2, [x * x for x in g])))
        theta -= Fraction(0.5) * m / Fraction(math.sqrt(v) + 1e-8)
        size += 0.5 * float(max(map(abs, g))) / math.sqrt(v)
        assert abs(found - theta) <= 1e-12 * size


@pytest.mark.parametrize("optimizer", [Descent(0.25), Descent(0.25, 0.9), Adam(lambda step: 0.25 / step)])
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
        (lambda: Adam(0.1, epsilon=0.0), ValueError, "epsilon"),
        (lambda: Descent(lambda step: -1.0).step([1.0], [1.0]), ValueError, "step 1 is -1.0"),
        (lambda: Descent(0.1).step([1.0, 2.0], [1.0]), ValueError, r"\(2,\) and the gradient \(1,\)"),
        (lambda: Descent(0.1).step(["a"], [1.0]), TypeError, "theta holds <U1"),
        (lambda: Adam(0.1).step([1.0], [1e200]), ArithmeticError, "overflow"),
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
