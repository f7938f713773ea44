"""Neurons, layers and nets: what a call records, the parameters and how they start, copies, and what is refused.

Graphs are looked at node by node, arrays and copies compared bit for bit; a perceptron is held against the inequality
that it decides. That outputs and gradients are the lecture's, test_lecture says.
"""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgradnet import MLP, Layer, Neuron, Perceptron, Value, grad, quadratic
from microgradnet.graph import topological_order

KINDS = ["sigmoid", "tanh", "relu", "softplus", "linear", "step"]


# The graph of a net.


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_holds_just_z_and_y(kind):
    """One `dot` node and one activation a neuron, over its weights, its bias and the layer's inputs, with the lecture's letters."""
    net = MLP(2, [3, 1], kind)
    order = topological_order(net([0.5, -1.0]))
    below = None
    for q, layer in zip("¹²", net.layers, strict=True):
        ys = []
        for i, neuron in zip("₁₂₃", layer.neurons, strict=False):
            z = next(node for node in order if node.label == f"z⁽{q}⁾{i}")
            y = z if kind == "linear" else next(node for node in order if node.label == f"y⁽{q}⁾{i}")
            assert (z.op, y.op) == ("dot", "dot" if kind == "linear" else kind)
            assert list(map(id, z.parents[: neuron.nin + 1])) == list(map(id, neuron.parameters()))
            inputs = z.parents[neuron.nin + 1 :]
            assert list(map(id, inputs)) == list(map(id, below)) if below else [x.data for x in inputs] == [0.5, -1.0]
            ys += [z, y]
        below = ys[1::2]
    assert len(order) == (4 if kind == "linear" else 8)


def test_labels_are_the_lectures_letters():
    """a⁽q⁾ᵢⱼ and b⁽q⁾ᵢ, counted from 1; a comma where two digits meet."""
    first, second = (layer.neurons for layer in MLP(2, [12, 3]).layers)
    parameters = [*first[0].parameters(), *first[11].parameters(), second[2].w[11], second[2].b]
    assert " ".join(p.label for p in parameters) == "a⁽¹⁾₁₁ a⁽¹⁾₁₂ b⁽¹⁾₁ a⁽¹⁾₁₂,₁ a⁽¹⁾₁₂,₂ b⁽¹⁾₁₂ a⁽²⁾₃,₁₂ b⁽²⁾₃"


def values(x):
    return [Value(x_j) for x_j in x]


NUMBERS = [tuple, iter, np.array, np.float32, lambda x: np.array(x, int)]


@pytest.mark.parametrize("kind", [*NUMBERS, values, lambda x: np.array(values(x)), lambda x: [Value(x[0]), x[1]]])
def test_inputs_come_in_any_sequence_of_numbers_and_values(kind):
    net = MLP(2, [3, 1], seed=5)
    assert net(kind([1.0, 2.0])).data == net([1.0, 2.0]).data


@pytest.mark.parametrize("unit", [Neuron(3), Layer(3, 2), MLP(3, [2, 1])], ids=lambda unit: type(unit).__name__)
@pytest.mark.parametrize("x", [[], [1.0] * 2, np.ones(5), 1.0], ids=repr)
def test_a_wrong_number_of_inputs_is_a_value_error(unit, x):
    """Never a silent truncation; the message has both numbers and the unit."""
    with pytest.raises(ValueError, match=rf"\b{np.size(x)} .*{type(unit).__name__}.*\b3\b"):
        unit(x)


# Parameters.


def test_weights_and_biases_round_trip_bit_for_bit():
    """What set_weights writes, weights() and biases() read, as floats: -0.0, subnormals and all. All are copies."""
    numbers = [-0.0, 5e-324, -1.7e308, 0.1, 1.0]
    arrays = [np.resize(numbers[k:], shape) for k, shape in enumerate([(3, 2), (2, 3), (3,), (2,)])]
    net, before = MLP(2, [3, 2]), [a.copy() for a in arrays]
    net.set_weights(arrays[:2], arrays[2:])
    for _ in range(2):
        read = net.weights() + net.biases()
        assert [(a.shape, a.dtype, a.tobytes()) for a in read] == [(a.shape, a.dtype, a.tobytes()) for a in before]
        for array in arrays + read:
            array[:] = 7.0


A, B = [np.full((2, 2), 9.0), np.full((1, 2), 9.0)], [np.full(2, 9.0), np.full(1, 9.0)]
NET, NEURON, LAYER = MLP(2, [2, 1], seed=4), Neuron(2, seed=4), Layer(2, 3, seed=4)
UNFIT = {
    "a matrix too few": (NET, A[:1], B, ValueError),
    "a transposed matrix": (NET, [A[0], A[1].T], B, ValueError),
    "a number for a vector": (NET, A, [B[0], 0.0], ValueError),
    "rows of different lengths": (NET, [[[9.0, 9.0], [9.0]], A[1]], B, ValueError),
    "NaN": (NET, A, [B[0], [math.nan]], ValueError),
    "text": (NET, [A[0], [["9", "9"]]], B, TypeError),
    "a neuron's vector": (NEURON, [9.0, 9.0], [9.0], ValueError),
    "a layer's vector": (LAYER, [[9.0] * 2] * 3, [9.0] * 2, ValueError),
}


@pytest.mark.parametrize(("unit", "A", "b", "error"), UNFIT.values(), ids=UNFIT)
def test_set_weights_writes_all_or_nothing(unit, A, b, error):
    """A wrong shape, a missing matrix or what is no finite number leaves the unit as it was."""
    before = [p.data for p in unit.parameters()]
    with pytest.raises(error):
        unit.set_weights(A, b)
    assert [p.data for p in unit.parameters()] == before


def test_a_neuron_and_a_layer_take_their_weights_too():
    """w and b of the one, A and b of the other."""
    neuron, layer = Neuron(2), Layer(2, 3)
    neuron.set_weights([1, -2.0], 3)
    layer.set_weights([[0, 1], [2, 3], [4, 5]], (7, 8, 9))
    assert [p.data for p in neuron.parameters()] == [1, -2, 3]
    assert (layer.weights().tolist(), layer.biases().tolist()) == ([[0, 1], [2, 3], [4, 5]], [7, 8, 9])


def test_the_same_seed_gives_the_same_net_and_leaves_numpys_global_generator_alone():
    """An int or a Generator; one stream runs through all layers; without a seed, each net is another."""
    state = np.random.get_state()[1].tobytes()
    for make in (Neuron, lambda nin, seed: Layer(nin, 2, seed=seed), lambda nin, seed: MLP(nin, [3, 2], seed=seed)):
        nets = [make(3, seed=seed) for seed in (7, np.random.default_rng(7), 8, None, None)]
        same, again, *others = [tuple(p.data for p in net.parameters() if p.data) for net in nets]
        assert same == again
        assert len({same, *others}) == 4
        assert len(set(same)) == len(same)
    assert np.random.get_state()[1].tobytes() == state


@pytest.mark.parametrize("nin", [4, 100])
def test_weights_start_with_spread_one_over_root_of_the_inputs(nin):
    """Standard deviation 1/√nin, mean 0, each within five standard errors of 4,000 draws; biases start at 0."""
    layer = Layer(nin, 4000 // nin, seed=1)
    scaled = layer.weights().ravel() * math.sqrt(nin)
    assert abs(scaled.mean()) < 5 / math.sqrt(4000)
    assert abs(scaled.std() - 1) < 5 / math.sqrt(2 * 4000)
    assert (layer.biases() == 0).all()


# Names and counts.


@pytest.mark.parametrize("unit", [Neuron(3, "tanh"), Layer(3, 2), MLP(2, [3, 1], "relu", output_activation="linear")])
def test_repr_is_the_call_that_makes_such_a_net(unit):
    """A net's says how many parameters it has, too."""
    call, _, count = repr(unit).partition(": ")
    assert repr(eval(call)) == repr(unit)
    assert count == (f"{len(unit.parameters())} parameters" if type(unit) is MLP else "")


MAKE = {"inputs": Neuron, "neurons": lambda n: Layer(2, n), "a net's inputs": lambda n: MLP(n, [1])}
NO_NET = {
    **{
        f"{name} {n}": (make, n, f"{n}.*inputs|{n}.*neurons")
        for n in (0, 1.5, True, "2")
        for name, make in MAKE.items()
    },
    **{f"sizes {sizes}": (lambda n: MLP(2, n), sizes, r"sizes.*\[30, 10\]") for sizes in ([], 3, "31")},
    **{f"activation {a}": (lambda a: MLP(2, [2], "tanh", a), a, ", ".join(KINDS)) for a in ("ReLU", np.tanh, ["relu"])},
    "a neuron's activation": (lambda a: Neuron(2, a), "ReLU", ", ".join(KINDS)),
}


@pytest.mark.parametrize(("make", "wrong", "message"), NO_NET.values(), ids=NO_NET)
def test_what_makes_no_net_is_a_value_error(make, wrong, message):
    """Counts of inputs and neurons are whole numbers from 1 on; a message has what arrived, or the activations known."""
    with pytest.raises(ValueError, match=message):
        make(wrong)


# Copies.


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("unit", [Neuron(3, "tanh", seed=1), Layer(3, 2, "softplus", seed=1), MLP(3, [4, 2])], ids=repr)
def test_a_net_survives_copying_bit_for_bit(unit, copied):
    """On its own: test_value says the same of a cost's graph, and that both may be copied together."""
    twin = copied(unit)
    assert repr(twin) == repr(unit)
    assert [(p.data.hex(), p.label) for p in twin.parameters()] == [(p.data.hex(), p.label) for p in unit.parameters()]
    costs = [quadratic(net([0.1, -0.2, 0.3]), [0.5] * net.nout) for net in (unit, twin)]
    assert grad(costs[1], twin.parameters()) == grad(costs[0], unit.parameters())
    assert not any(grad(costs[1], unit.parameters()))


# The perceptron.


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=6), st.integers(-50, 50))
def test_a_perceptron_is_one_from_the_threshold_on(pairs, bias):
    """The int 1 if w·x + b ≥ 0, zero included, else 0; of Values a Value without slope."""
    w, x = zip(*pairs, strict=True)
    perceptron, wanted = Perceptron(w, bias), int(np.dot(w, x) + bias >= 0)
    found, y = perceptron(x), perceptron(x := values(x))
    assert (type(found), found) == (int, wanted)
    assert (type(y), y.data, grad(y, x)) == (Value, wanted, [0.0] * len(x))
