"""`compare`: its counts against counts by hand, its errors against a planted one and the bound of `rounding`."""

import math

import numpy as np
import pytest
import rounding

from microgradnet import MLP, Neuron, compare, cross_entropy, formulas, quadratic
from microgradnet.verify import comparison

METHODS = ["backward, graph", "forward, graph", "compiled", "δ-recursion", "naive formulas"]


def by_method(result):
    assert [row.method for row in result.rows] == METHODS
    return {row.method: row for row in result.rows}


@pytest.fixture(autouse=True, scope="module")
def hasty():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "_SECONDS", 0.0)
        yield


SMALL = MLP(2, [2, 1], seed=3)  # 3 nodes, 6 edges


def test_unknowns_are_the_lectures():
    """Backward: nodes of the network; forward: nodes times edges; for one sample, however many there are."""
    for net, nodes, edges in ((SMALL, 3, 6), (MLP(6, [4, 3, 1]), 8, 24 + 12 + 3), (MLP(1, [5, 2]), 7, 5 + 10)):
        X, R = np.full((3, net.nin), 0.5), np.full((3, net.nout), 0.5)
        rows = by_method(compare(net, X, R))
        assert [row.unknowns for row in rows.values()] == [nodes, nodes * edges, nodes, nodes, nodes * edges]


def test_multiplications_are_those_on_paper():
    """Counted by hand on the 2-2-1 net, and K times as many for a batch; a product with 1 is one too.

    Backward, graph: 1 each for half of the square, the square, and y - r, 1 for σ′ of the last neuron, 3 weights and bias
    and 2 inputs of its dot, 1 σ′ each for the first two, 3 weights and bias each; none for the constants ½, r and x.
    Forward, graph, for one of the last three parameters: z, y, y - r, square, half: 5; for one of the first six: z, y, and
    the same 5.
    Compiled: e σ σ for 3 slopes, δ⁽²⁾: 1 and its 1/K, then as the δ-recursion; and with b⁽²⁾ as a column beside A⁽²⁾ three
    products more, b⁽²⁾ · 1 in the forward pass, δ⁽²⁾ · 1, and the last row of [A⁽²⁾ b⁽²⁾]ᵀ δ⁽²⁾.
    δ-recursion: σ σ for 3 slopes, δ⁽²⁾: 1, δ A: 2 and σ′: 2, then 2 products δ⁽²⁾ y⁽¹⁾ and 4 δ⁽¹⁾ x.
    Naive: 3 slopes. Layer 1: σ′ x: 4. Layer 2: σ′ a ∂y, one term, for 4 weights and 2 biases; its own σ′ y: 2. At the end
    (f - r) ∂f: 9.
    """
    on_paper = {
        "backward, graph": 3 + 1 + (3 + 2) + 2 * (1 + 3),
        "forward, graph": 3 * 5 + 6 * 7,
        "compiled": 2 * 3 + 2 + 2 + 2 + 2 + 4 + 3,
        "δ-recursion": 3 + 1 + 2 + 2 + 2 + 4,
        "naive formulas": 3 + 4 + 2 * (4 + 2) + 2 + 9,
    }
    for K in (1, 5):
        rows = compare(SMALL, [[0.3, -0.2]] * K, [1.0] * K).rows
        assert {row.method: row.multiplications for row in rows} == {m: K * count for m, count in on_paper.items()}


@pytest.mark.parametrize("cost", [quadratic, cross_entropy])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "softplus", "linear"])
def test_all_methods_agree_to_some_last_places(cost, hidden):
    """Several outputs and a batch: within what rounding allows."""
    rng, net = np.random.default_rng(0), MLP(3, [4, 2], hidden, "sigmoid", seed=0)
    X, R = rng.uniform(-1, 1, (3, 3)), rng.uniform(0, 1, (3, 2))
    _, bound = rounding.gradient(net.weights(), net.biases(), X, R, [hidden, "sigmoid"], cost.__name__)
    largest, apart = np.abs(bound.number).max(), bound.apart.max()  # of each from the same numbers
    rows = by_method(compare(net, X, R, cost))
    assert rows["δ-recursion"].max_error == 0.0
    assert all(0.0 <= row.max_error <= 2 * apart / np.spacing(largest / 2) for row in rows.values())


def test_the_error_is_in_units_in_the_last_place_of_the_largest_entry(monkeypatch):
    """A naive formula that is off by 2⁻²⁰ of the largest entry, 1/4, is off by 2³² of its units in the last place."""
    net = MLP(1, [1], "linear", seed=0)
    net.set_weights([[[0.0]]], [[0.0]])
    off = formulas.Derivatives([np.array([[0.25]])], [np.array([0.25 + 2.0**-22])])
    monkeypatch.setitem(comparison._COSTS, quadratic, ("quadratic", lambda *_: off))
    rows = by_method(compare(net, [1.0], [-0.25]))
    assert [rows[name].max_error for name in ("naive formulas", "backward, graph")] == [2.0**32, 0.0]


def test_data_of_one_sample_and_of_a_batch():
    """A flat x is one sample, or for a net with one input a batch; r likewise. The net is left alone."""
    before = [(p.data, p.grad) for p in SMALL.parameters()]
    wanted = [row.max_error for row in compare(SMALL, [[0.3, -0.2]], [[1.0]]).rows]
    flat = np.array([0.3, -0.2])
    for x, r in ((flat.tolist(), 1.0), (flat.tolist(), [1.0]), (flat, np.float64(1.0)), ([flat], 1)):
        result = compare(SMALL, x, r)
        assert [row.max_error for row in result.rows] == wanted
        assert all(fact in str(result) for fact in (repr(SMALL), "1 sample,", "largest entry", *METHODS))
    assert "3 samples," in str(compare(MLP(1, [2, 1], seed=0), [0.1, 0.2, 0.3], [0.0, 1.0, 0.0]))
    assert [(p.data, p.grad) for p in SMALL.parameters()] == before


MIXED = MLP(2, [2, 1])
MIXED.layers[0].neurons[1].activation = "tanh"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare(Neuron(2), [0.0, 0.0], 0.0), TypeError, "Neuron"),
        (lambda: compare(SMALL, [0.0, 0.0], 0.0, max), ValueError, "not one of the lecture's costs"),
        (lambda: compare(SMALL, [0.0] * 3, 0.0), ValueError, r"x has shape \(3,\): give \(2,\)"),
        (lambda: compare(SMALL, [[0.0, 0.0]], [0.0, 1.0]), ValueError, r"r has shape \(2,\): give \(1, 1\)"),
        (lambda: compare(SMALL, [0.0, math.nan], 0.0), ValueError, r"x\[1, 0\] is nan"),
        (lambda: compare(MLP(2, [1], "tanh"), [0.0, 0.0], 0.0, cross_entropy), ValueError, "wants a sigmoid"),
        (lambda: compare(SMALL, [0.0, 0.0], 2.0, cross_entropy), ValueError, "between 0 and 1"),
        (lambda: compare(MIXED, [0.0, 0.0], 0.0), ValueError, "layer 1 mixes sigmoid and tanh"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
