"""What the README's table says of other libraries, where they are installed (the extra `peers`)."""

import math

import pytest

from microgradnet import Value, cross_entropy


def naive(z, r, exp, log):
    a = 1.0 / (1.0 + exp(-z))
    return -(r * log(a) + (1.0 - r) * log(1.0 - a))


def test_ours_is_right_where_the_neuron_is_saturated():
    """C = 100 and ∂C/∂z = 1 at z = 100, r = 0; typed with a logarithm it is refused, not infinite."""
    z = Value(100.0)
    cost = cross_entropy(z.sigmoid(), 0)
    cost.backward()
    assert (cost.data, z.grad) == (100.0, 1.0)
    with pytest.raises(ValueError, match="'log' of 0"):
        naive(z, 0.0, Value.exp, Value.log)


def test_micrograd_has_no_logarithm():
    """Nor exp, to make one of."""
    engine = pytest.importorskip("micrograd.engine", reason="comes with the extra 'peers'")
    assert not hasattr(engine.Value, "log")
    assert not hasattr(engine.Value, "exp")


@pytest.mark.filterwarnings("ignore")
def test_autograd_gives_infinities():
    """For cost and gradient."""
    autograd = pytest.importorskip("autograd", reason="comes with the extra 'peers'")
    anp = autograd.numpy

    def cost(z):
        return naive(z, 0.0, anp.exp, anp.log)

    assert (cost(100.0), autograd.grad(cost)(100.0)) == (math.inf, math.inf)


def test_jax_gives_an_infinity_and_nan():
    """By its own sigmoid, in single precision, its default."""
    jax = pytest.importorskip("jax", reason="comes with the extra 'peers'")

    def cost(z):
        a = jax.nn.sigmoid(z)
        return -(0.0 * jax.numpy.log(a) + 1.0 * jax.numpy.log(1.0 - a))

    assert float(cost(100.0)) == math.inf
    assert math.isnan(jax.grad(cost)(100.0))


def test_pytorch_cuts_the_logarithm_off():
    """So that the cost is 100, and the gradient 0; from z itself both are right."""
    torch = pytest.importorskip("torch", reason="comes with the extra 'peers'")
    functional, r = torch.nn.functional, torch.tensor(0.0)
    gradients = []
    for cost in (
        lambda z: functional.binary_cross_entropy(torch.sigmoid(z), r),
        lambda z: functional.binary_cross_entropy_with_logits(z, r),
    ):
        z = torch.tensor(100.0, requires_grad=True)
        c = cost(z)
        c.backward()
        assert c.item() == 100.0
        gradients.append(z.grad.item())
    assert gradients == [0.0, 1.0]
