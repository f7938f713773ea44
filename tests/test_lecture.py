"""The lecture's claim, on random nets: forward or backward, by formula or on the graph, the gradient is the same.

How close "the same" is, nobody chose: `rounding` derives it from the arithmetic, net by net.
"""

import inspect
import types
from functools import partial, reduce
from operator import add

import numpy as np
import pytest
import rounding
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import mp
from rounding import U, flat

from microgradnet import MLP, Neuron, cross_entropy, formulas, grad, jvp, quadratic
from microgradnet.graph import topological_order

COSTS = {"quadratic": quadratic, "cross_entropy": cross_entropy}
SMOOTH = ["sigmoid", "tanh", "softplus", "linear", "relu"]


def task(
    widths,
    samples=2,
    hidden="sigmoid",
    output="sigmoid",
    cost="quadratic",
    scale=1.0,
    seed=0,
    saturated=0.0,
    exact=False,
):
    """A net of these widths with random weights, its activations, a batch and a cost.

    saturated: the largest |z| of every layer, if it is not 0. exact: small whole numbers instead, for activations that give
    such, so that nothing rounds.
    """
    rng = np.random.default_rng(seed)
    output = "sigmoid" if cost == "cross_entropy" else output
    net = MLP(widths[0], widths[1:], hidden, output)
    kinds = [hidden] * (len(widths) - 2) + [output]
    X, R = rng.uniform(-1, 1, (samples, widths[0])), rng.choice([0.0, 1.0, 0.5, 0.25], (samples, widths[-1]))
    if samples > 2:
        X[-1] = X[0]  # a repeated input
    A = [scale * rng.normal(size=shape) for shape in zip(widths[1:], widths, strict=False)]
    b = [scale * rng.normal(size=n) for n in widths[1:]]
    for q in range(len(A) if saturated else 0):
        z = [formulas.forward_pass(A[: q + 1], b[: q + 1], x, kinds[: q + 1]).zs[-1] for x in X]
        factor = saturated / np.abs(z).max()
        A[q], b[q] = A[q] * factor, b[q] * factor
    if exact:
        X, R, A, b = np.rint(X), np.rint(R), [np.rint(a) for a in A], [np.rint(v) for v in b]
    net.set_weights(A, b)
    return net, kinds, X, R, cost, exact


def tasks(kinds, samples=(1, 2, 3, 4), costs=tuple(COSTS), **more):
    return st.builds(
        task,
        widths=st.lists(st.integers(1, 8), min_size=2, max_size=6),
        samples=st.sampled_from(samples),
        hidden=st.sampled_from(kinds),
        output=st.sampled_from(kinds),
        cost=st.sampled_from(costs),
        seed=st.integers(0, 2**32 - 1),
        **more,
    )


ORDINARY_TASKS = tasks(SMOOTH, scale=st.sampled_from([0.0, 0.3, 1.0, 4.0]))
SATURATED_TASKS = tasks(["sigmoid", "tanh"], saturated=st.sampled_from([30.0, 100.0, 400.0, 700.0]))
EXACT_TASKS = tasks(["relu", "linear", "step"], (1, 2, 4), ("quadratic",), exact=st.just(True))


def outputs(net, x):
    y = net(x)
    return y if isinstance(y, list) else [y]


def within(allowed, got, spread, what):
    """Within so many times the bound, entry by entry."""
    got = np.asarray(got)
    assert got.shape == spread.number.shape, what
    off = np.abs(got - spread.number)
    assert (off <= allowed * spread.apart).all(), (
        f"{what} is off by {off.max()}, {spread.apart[off.argmax()]} are allowed"
    )


def check(task, lecture=formulas):
    """Engine backward = engine forward = δ-recursion = naive formulas, z.grad = δ, and both have the same outputs."""
    net, kinds, X, R, kind, exact = task
    A, b = net.weights(), net.biases()
    agree = partial(within, 0.0 if exact else 1.0)
    for (_, ys, _), x in zip([rounding.forward(A, b, x[None, :], kinds) for x in X], X, strict=True):
        f = rounding.Spread(*(part[0] for part in ys[-1]))
        agree(lecture.forward_pass(A, b, x, kinds).ys[-1], f, "the formulas' output")
        agree([y.data for y in outputs(net, x)], f, "the net's output")
    wanted_deltas, spread = rounding.gradient(A, b, X, R, kinds, kind)

    recursion = lecture.delta_recursion(A, b, X, R, kinds, kind)
    agree(flat(recursion.dA, recursion.db), spread, "the δ-recursion")
    naive = getattr(lecture, f"{kind}_gradient_forward")
    agree(flat(*naive(A, b, X, R, kinds)), spread, "the naive formulas")

    costs = [COSTS[kind](net(x), r) for x, r in zip(X, R, strict=True)]
    C = reduce(add, costs) / len(costs)
    parameters = net.parameters()
    net.zero_grad()
    C.backward()
    agree([p.grad for p in parameters], spread, "backward on the graph")
    agree(grad(C, parameters), spread, "grad")
    agree(jvp(C, dict(zip(parameters, np.eye(len(parameters)), strict=True))), spread, "forward on the graph")

    for k, cost in enumerate(costs):  # the order is that of the layers, and of the neurons in each
        z_grads = iter([node.grad for node in topological_order(cost) if node.op == "dot"])
        for q, deltas in enumerate(wanted_deltas):
            delta_k = rounding.Spread(deltas.number[k], deltas.apart[k])
            agree([next(z_grads) for _ in range(len(A[q]))], delta_k, f"z.grad of layer {q + 1}")
            agree(recursion.deltas[q][k], delta_k, f"δ of layer {q + 1}")


@settings(max_examples=2 * settings.default.max_examples)
@given(ORDINARY_TASKS | SATURATED_TASKS | EXACT_TASKS)
@example(task([1, 1]))
@example(task([1, 1, 1, 1, 1, 1], samples=1, cost="cross_entropy"))
@example(task([6, 4, 3, 1], samples=4, scale=0.0))
@example(task([3, 8, 2], hidden="relu", output="linear", scale=0.0))
@example(task([5, 8, 8, 2], samples=3, saturated=700.0))
@example(task([5, 8, 8, 2], samples=3, saturated=700.0, cost="cross_entropy"))
def test_forward_and_backward_agree_on_any_net(task):
    """All depths, activations and costs, zero weights and repeated inputs; the largest |z| up to 700, where σ′ is 1e-304.

    To the last bit where nothing rounds; there z = 0 is common: at the kink of relu everyone takes the slope 0, at the jump of step the 1.
    """
    check(task)


# The miracle.


@pytest.mark.parametrize(("sign", "r"), [(sign, r) for sign in (1.0, -1.0) for r in (0.0, 1.0, 0.25)])
def test_the_miracle(sign, r):
    """∂C/∂w_j = (σ(z) - r) x_j at z = ±100: a terribly wrong neuron learns at full speed, and a right one is exact.

    With the quadratic cost the gradient is terribly small there: σ′(±100) = 4e-44. The last bits: two sigmoids of 10 units
    of 1.1e-16 each, a slope of 21, products, a difference that cancels nothing.
    """
    x, w, b = [2.0, 1.5], [30.0 * sign, 20.0 * sign], 10.0 * sign  # z = ±(60 + 30 + 10), without rounding
    s = 1 / (1 + mp.exp(-100 * sign))
    miracle, small = float(s - r), (float(s) - r) * float(s * (1 - s))  # everyone takes y - r from floats
    assert abs(small) < 4e-44
    for cost, slope in (("cross_entropy", miracle), ("quadratic", small)):
        neuron = Neuron(2)
        neuron.set_weights(w, b)
        wanted = [slope * x[0], slope * x[1], slope]
        found = grad(COSTS[cost](neuron(x), r), neuron.parameters())
        np.testing.assert_allclose(found, wanted, rtol=40 * U, atol=0.0)
        _, dA, db = formulas.delta_recursion([[w]], [[b]], [x], [r], cost=cost)
        np.testing.assert_allclose([*dA[0][0], db[0][0]], wanted, rtol=40 * U, atol=0.0)


# Whoever checks must be checked: mistakes, planted in the formulas, and an ordinary net that finds them.

ORDINARY = [task([3, 3, 3, 3], samples=3, cost=cost, hidden="tanh") for cost in COSTS]
MISTAKES = {
    "a dropped σ′": ("(delta @ A[q]) * _slope(kinds[q - 1], zs[q - 1])", "delta @ A[q]"),
    "σ′ of the wrong layer": ("_slope(kinds[q - 1], zs[q - 1])", "_slope(kinds[q - 1], zs[q])"),
    "σ′ dropped at the output": ('if cost == "quadratic":\n        delta', 'if cost == "cubic":\n        delta'),
    "A transposed": ("delta @ A[q]", "delta @ A[q].T"),
    "an outer product transposed": ("delta.T @ y", "y.T @ delta"),
    "1/K forgotten": ("ys[-1], R) / len(X)", "ys[-1], R)"),
    "naive: a dropped σ′": (" * slope[:, None, None]", ""),
    "naive: a dropped σ′ in the next layer": ("slope[:, None, None] * (a", "(a"),
    "naive: the layer's own σ′ dropped": ("slope[:, None] * y", "y"),
    "a slope wrong in the tenth digit": ("_sigmoid(z) * _sigmoid(-z)", "1.0000000001 * _sigmoid(z) * _sigmoid(-z)"),
}


def check_ordinary(lecture=formulas):
    for ordinary in ORDINARY:
        check(ordinary, lecture)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_formula_is_found(mistake):
    """The formulas with one of them written wrongly do not pass the check above; right ones do."""
    check_ordinary()
    right, wrong = MISTAKES[mistake]
    source = inspect.getsource(formulas)
    assert source.count(right) == 1
    planted = types.ModuleType("planted")
    exec(source.replace(right, wrong), planted.__dict__)
    with pytest.raises(AssertionError, match="is off"):
        check_ordinary(planted)
