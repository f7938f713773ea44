"""The programs that `speed.py` times, number by number and in arrays by hand, compute the same."""

import convolution
import numpy as np
import pytest
import transformer

from microgradnet import dot

PROGRAMS = {
    "transformer": (
        transformer.made_up_theta(3),
        transformer.made_up_strings(3, 2),
        lambda theta, inner: transformer.Transformer(3, theta, inner),
        lambda: transformer.ByNumpy(3),
        lambda theta: transformer.ByTorch(3, theta),
        transformer.in_a_row,
    ),
    "convolution": (
        convolution.made_up_theta(),
        convolution.made_up_images(2),
        convolution.Convolution,
        convolution.ByNumpy,
        convolution.ByTorch,
        convolution.in_a_row,
    ),
}
each_program = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


@each_program
@pytest.mark.parametrize("inner", [dot, transformer.sum_of_products])
def test_scalars_agree_with_arrays_by_hand(program, inner):
    """Value and gradient of two samples: the engine's backward against the formulas."""
    theta, (X, R), scalars, by_numpy, _, _ = program
    net = scalars(theta, inner)
    costs = [net.cost(x, r) for x, r in zip(X.tolist(), R.tolist(), strict=True)]
    for cost in costs:
        cost.backward()
    value, gradient = by_numpy().value_and_grad(X, R, theta)
    assert np.mean([cost.data for cost in costs]) == pytest.approx(value, rel=1e-13)
    summed = np.array([p.grad for p in net.parameters()])
    np.testing.assert_allclose(summed / len(X), gradient, rtol=1e-12, atol=1e-12 * abs(gradient).max())


@each_program
def test_pytorch_agrees_with_arrays_by_hand(program):
    """So it is worth comparing with."""
    pytest.importorskip("torch", reason="comes with the extra 'peers'")
    theta, (X, R), _, by_numpy, by_torch, in_a_row = program
    value, gradient = by_numpy().value_and_grad(X, R, theta)
    theirs = by_torch(theta).value_and_grad(X, R)
    assert theirs[0] == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(in_a_row(theirs[1]), gradient, rtol=1e-12, atol=1e-12 * abs(gradient).max())
