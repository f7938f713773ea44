"""compare counts what runs, and explain shows every path: against counts and paths by hand."""

import math

import numpy as np
import pytest
import rounding
from hypothesis import given
from hypothesis import strategies as st

from microgradnet import (
    MLP,
    Neuron,
    Value,
    compare,
    cross_entropy,
    dot,
    explain,
    formulas,
    grad,
    quadratic,
)
from microgradnet.graph import reverse, topological_order
from microgradnet.verify import comparison, explanation

METHODS = ["backward, graph", "forward, graph", "compiled", "δ-recursion", "naive formulas"]


def by_method(result):
    assert [row.method for row in result.rows] == METHODS
    return {row.method: row for row in result.rows}


@pytest.fixture(autouse=True, scope="module")
def hasty():
    """No time is spent on measuring it well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "_ENOUGH", 0.0)
        yield


# compare. The 2-2-1 net of sigmoids, one sample, quadratic cost, has 3 nodes and 6 edges.

SMALL = MLP(2, [2, 1], seed=3)


def test_unknowns_are_the_lectures():
    """Backward: nodes of the network; forward: nodes times edges; for one sample, however many there are."""
    for net, nodes, edges in (
        (SMALL, 3, 6),
        (MLP(6, [4, 3, 1], seed=1), 8, 24 + 12 + 3),
        (MLP(1, [5, 2], seed=1), 7, 5 + 10),
    ):
        X, R = np.full((3, net.nin), 0.5), np.full((3, net.nout), 0.5)
        rows = by_method(compare(net, X, R))
        assert [row.unknowns for row in rows.values()] == [nodes, nodes * edges, nodes, nodes, nodes * edges]


def test_multiplications_are_those_on_paper():
    """Counted by hand on the 2-2-1 net; * stands for the partials' own operations, as multiplying by 1 is one too.

    Backward, graph: 1/2 · 1, s · 1 (the two operands of 0.5 · s), 1 for (y-r)², 2 for y - r, 1 for σ′ of the last neuron, 3
    weights and bias and 2 inputs of its dot, 1 σ′ each for the first two, 3 weights and bias each; none for x, a constant.
    Forward, graph, for one of the last three parameters: z, y, y - r, square, half: 5; for one of the first six: z, y, and
    the same 5.
    Compiled: e σ σ for 3 slopes, δ⁽²⁾: 1 and its 1/K, then as the δ-recursion; and with b⁽²⁾ as a column beside A⁽²⁾ three
    products more, b⁽²⁾ · 1 in the forward pass, δ⁽²⁾ · 1, and the last row of [A⁽²⁾ b⁽²⁾]ᵀ δ⁽²⁾.
    δ-recursion: σ σ for 3 slopes, δ⁽²⁾: 1, δ A: 2 and σ′: 2, then 2 products δ⁽²⁾ y⁽¹⁾ and 4 δ⁽¹⁾ x.
    Naive: 3 slopes. Layer 1: σ′ x: 4. Layer 2: A ∂y for 4 weights: 8, and for 2 biases: 4, σ′ for these: 4 + 2; its own
    σ′ y: 2. At the end (f - r) ∂f: 9.
    """
    rows = by_method(compare(SMALL, [0.3, -0.2], 1.0))
    assert rows["backward, graph"].multiplications == 2 + 1 + 2 + 1 + (3 + 2) + 2 * (1 + 3)
    assert rows["forward, graph"].multiplications == 3 * 5 + 6 * 7
    assert rows["compiled"].multiplications == 2 * 3 + 2 + 2 + 2 + 2 + 4 + 3
    assert rows["δ-recursion"].multiplications == 3 + 1 + 2 + 2 + 2 + 4
    assert rows["naive formulas"].multiplications == 3 + 4 + (8 + 4 + 4 + 2 + 2) + 9


def test_a_batch_costs_as_many_multiplications_as_its_samples():
    """K samples, K times the work."""
    one = by_method(compare(SMALL, [0.3, -0.2], 1.0))
    five = by_method(compare(SMALL, [[0.3, -0.2]] * 5, [1.0] * 5))
    assert [five[m].multiplications for m in METHODS] == [5 * one[m].multiplications for m in METHODS]


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.integers(1, 3),
    st.sampled_from([quadratic, cross_entropy]),
    st.sampled_from(["sigmoid", "tanh", "relu", "softplus", "linear"]),
    st.integers(0, 2**32 - 1),
)
def test_all_methods_agree_to_some_last_places(widths, samples, cost, hidden, seed):
    """One output and several, one sample and a batch, both costs: within what rounding allows."""
    rng = np.random.default_rng(seed)
    net = MLP(widths[0], widths[1:], hidden, "sigmoid", seed=seed)
    X, R = rng.uniform(-1, 1, (samples, widths[0])), rng.uniform(0, 1, (samples, widths[-1]))
    rows = by_method(compare(net, X, R, cost))
    kinds = [hidden] * (len(widths) - 2) + ["sigmoid"]
    bound = rounding.gradient(net.weights(), net.biases(), X, R, kinds, cost.__name__)
    largest = max(np.abs(d.number).max() for d in bound.dA + bound.db)
    apart = max(d.apart.max() for d in bound.dA + bound.db)  # of each from the same numbers
    assert rows["δ-recursion"].max_error == 0.0
    assert all(0.0 <= row.max_error <= 2 * apart / np.spacing(largest / 2) for row in rows.values())


def test_the_error_is_in_units_in_the_last_place_of_the_largest_entry(monkeypatch):
    """A naive formula that is off by 2⁻²⁰ of the largest entry, 1/4, is off by 2³² of its units in the last place."""
    net = MLP(1, [1], "linear", seed=0)
    net.set_weights([[[0.0]]], [[0.0]])
    off = formulas.Derivatives([np.array([[0.25]])], [np.array([0.25 + 2.0**-22])])
    monkeypatch.setitem(comparison._COSTS, quadratic, ("quadratic", lambda *_: off))
    rows = by_method(compare(net, [1.0], [-0.25]))
    assert rows["naive formulas"].max_error == 2.0**32
    assert rows["backward, graph"].max_error == 0.0


def test_seconds_are_measured_and_the_net_is_left_alone():
    """Positive times; no data, no gradient changed."""
    before = [(p.data, p.grad) for p in SMALL.parameters()]
    assert all(0.0 < row.seconds < 10.0 for row in compare(SMALL, [0.3, -0.2], 1.0).rows)
    assert [(p.data, p.grad) for p in SMALL.parameters()] == before


def test_data_of_one_sample_and_of_a_batch():
    """A flat x is one sample, or for a net with one input a batch; r likewise; all of them are the same data."""
    wanted = [row.max_error for row in compare(SMALL, [[0.3, -0.2]], [[1.0]]).rows]
    for x, r in (
        ([0.3, -0.2], 1.0),
        ([0.3, -0.2], [1.0]),
        (np.array([0.3, -0.2]), np.float64(1.0)),
        ([[0.3, -0.2]], 1),
    ):
        result = compare(SMALL, x, r)
        assert "1 sample," in str(result)
        assert [row.max_error for row in result.rows] == wanted
    assert "3 samples," in str(compare(MLP(1, [2, 1], seed=0), [0.1, 0.2, 0.3], [0.0, 1.0, 0.0]))
    assert "1 sample," in str(compare(MLP(1, [2, 2], seed=0), 0.1, [0.0, 1.0]))
    assert "2 samples," in str(compare(MLP(1, [2, 2], seed=0), [0.1, 0.2], [[0.0, 1.0], [1.0, 0.0]]))


def test_the_table_is_one_to_read():
    """A title, a header, a line for each method, in columns."""
    lines = str(compare(MLP(6, [4, 3, 1], seed=1), [0.5] * 6, 1.0, cross_entropy)).splitlines()
    assert lines[0] == "MLP(6, [4, 3, 1], 'sigmoid'): 47 parameters; 1 sample, cross-entropy cost"
    assert lines[1].split() == ["method", "unknowns", "multiplications", "seconds", "max", "error"]
    assert [line[:16].strip() for line in lines[2:]] == METHODS
    assert len({len(line) for line in lines[1:]}) == 1
    assert lines[3].split()[2] == "312"
    assert all(line.endswith(" ulp") for line in lines[2:])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare(Neuron(2), [0.0, 0.0], 0.0), TypeError, r"Neuron\(2, 'sigmoid'\) arrived where an MLP"),
        (lambda: compare(SMALL, [0.0, 0.0], 0.0, max), ValueError, "is no cost of the lecture's"),
        (lambda: compare(SMALL, [0.0] * 3, 0.0), ValueError, r"x has shape \(3,\): wanted is \(2,\) or \(K, 2\)"),
        (lambda: compare(SMALL, [[0.0, 0.0]], [0.0, 1.0]), ValueError, r"r has shape \(2,\): wanted is \(1, 1\)"),
        (lambda: compare(SMALL, [[0.0], [0.0, 1.0]], 0.0), ValueError, "the rows of x differ in length"),
        (lambda: compare(SMALL, ["a", "b"], 0.0), TypeError, "x holds <U1 where numbers were wanted"),
        (lambda: compare(SMALL, [0.0, math.nan], 0.0), ValueError, r"x\[1, 0\] is nan"),
        (lambda: compare(MLP(2, [1], "tanh"), [0.0, 0.0], 0.0, cross_entropy), ValueError, "wants a sigmoid"),
        (lambda: compare(SMALL, [0.0, 0.0], 2.0, cross_entropy), ValueError, "between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    """With what arrived and what was wanted."""
    with pytest.raises(error, match=message):
        call()


def test_a_layer_of_mixed_activations_is_refused():
    """The formulas know one σ per layer."""
    net = MLP(2, [2, 1])
    net.layers[0].neurons[1].activation = "tanh"
    with pytest.raises(ValueError, match="layer 1 mixes sigmoid and tanh"):
        compare(net, [0.0, 0.0], 0.0)


# explain.


def test_every_path_is_there_with_its_numbers():
    """z = x y + y, w = z²: three edges, two paths from w to y, one from w to x."""
    x, y = Value(3.0, label="x"), Value(2.0, label="y")
    z = x * y + y
    z.label = "z"
    w = z**2
    assert explain(w, y).paths == [
        (["**2", "z", "*", "y"], [16.0, 1.0, 3.0], 48.0),
        (["**2", "z", "y"], [16.0, 1.0], 16.0),
    ]
    assert explain(w, y).total == grad(w, y)[0] == 64.0
    assert explain(w, x).paths == [(["**2", "z", "*", "x"], [16.0, 1.0, 2.0], 32.0)]
    assert str(explain(w, y)).splitlines() == [
        "            48 = 16 · 1 · 3                       **2 → z → * → y",
        "            16 = 16 · 1                           **2 → z → y",
        "          64.0 = the sum over 2 paths",
    ]


def test_two_edges_are_two_paths():
    """x · x has two; a dot has as many as it holds the value; constants have none."""
    x = Value(3.0)
    assert [p.product for p in explain(x * x, x).paths] == [3.0, 3.0]
    assert [p.product for p in explain(dot([x, 2.0, x], [x, x, 7.0], x), x).paths] == [3.0, 7.0, 1.0, 3.0, 2.0]
    assert explain(x * x, x).paths[0].names == ["*", "leaf"]


def test_the_ends_of_the_scale():
    """From a value to itself there is one empty path, with product 1; off the graph there is none, with sum 0."""
    x, off = Value(3.0, label="x"), Value(1.0)
    assert explain(x, x).paths == [(["x"], [], 1.0)]
    assert str(explain(x, x)).splitlines()[1] == "           1.0 = the sum over 1 path"
    y = x.sin()
    assert explain(y * y, y).total == 2 * y.data
    assert explain(y, off) == explanation.Explanation([], 0.0)
    assert str(explain(y, off)) == "           0.0 = the sum over 0 paths"


@given(st.integers(0, 2**32 - 1), st.sampled_from([quadratic, cross_entropy]))
def test_the_sum_over_paths_is_the_gradient(seed, cost):
    """For every parameter of a net, up to a rounding per factor and per sum: 2 an edge, and 1 for the sum."""
    rng = np.random.default_rng(seed)
    net = MLP(2, [3, 3, 2], "tanh", "sigmoid", seed=seed)
    C = cost(net(rng.normal(size=2)), rng.random(2))
    C.backward()
    order = topological_order(C)
    sizes = {C: 1.0}
    reverse(order, sizes, lambda node: map(abs, node.partials))
    edges = sum(len(node.partials) for node in order)
    for p in net.parameters():
        explanation = explain(C, p)
        assert abs(explanation.total - p.grad) <= (2 * edges + 1) * 2.0**-53 * sizes[p]
        assert explanation.total == math.fsum(path.product for path in explanation.paths)
        for path in explanation.paths:
            assert path.product == math.prod(path.factors)
            assert len(path.names) == len(path.factors) + 1
            assert path.names[-1] == p.label


def doubling(n):
    """A chain of n nodes with 2ⁿ paths."""
    x = y = Value(1.0, label="x")
    for _ in range(n):
        y = y + y
    return x, y


def test_paths_are_counted_before_they_are_walked():
    """4,096 are shown; 8,192 are refused with their number, and so are 2¹⁰⁰⁰ at once."""
    x, y = doubling(12)
    assert len(explain(y, x).paths) == explain(y, x).total == 4096
    x, y = doubling(13)
    with pytest.raises(ValueError, match=r"there are 8,192 paths, more than the 5,000 .* take the sum alone with grad"):
        explain(y, x)
    x, y = doubling(1000)
    with pytest.raises(ValueError, match=f"there are {2**1000:,} paths"):
        explain(y, x)


def test_a_long_path_is_a_loop():
    """Longer than the recursion limit."""
    x = y = Value(2.0)
    for _ in range(20_000):
        y = y * 1.0
    (path,) = explain(y, x).paths
    assert len(path.factors) == 20_000


def test_infinite_products_do_not_hide_the_sum():
    """math.fsum refuses inf - inf; the sum then is what the sweep gives, NaN."""
    x = Value(1.0)
    big = x * 1e308
    assert math.isnan(explain(big * 1e300 - big * 1e300, x).total)
    assert explain(big * 1e300 + x, x).total == math.inf


def test_explain_leaves_gradients_alone_and_refuses_what_is_no_value():
    """A TypeError for numbers and lists; a missing derivative is said."""
    x = Value(0.0)
    explain(x * x, x)
    assert x.grad == 0.0
    with pytest.raises(TypeError, match=r"float 1\.0 arrived as output, where one Value was wanted"):
        explain(1.0, x)
    with pytest.raises(TypeError, match="arrived as wrt, where one Value was wanted"):
        explain(x, [x])
    with pytest.raises(ArithmeticError, match="the derivative of 'sqrt'"):
        explain(x.sqrt(), x)
