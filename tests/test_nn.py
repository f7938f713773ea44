"""Neurons, layers and nets: graph, labels, parameters, initialisation, copies, refusals; and the perceptron.

That outputs and gradients are the lecture's, test_lecture says.
"""

import copy
import inspect
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import microgradnet
from microgradnet import MLP, Layer, Neuron, Perceptron, Value, quadratic
from microgradnet.graph import topological_order

ROOT = str(Path(inspect.getfile(microgradnet)).parents[1])
KINDS = ["sigmoid", "tanh", "relu", "softplus", "linear", "step"]


def bits(net):
    return [a.tobytes() for a in net.weights() + net.biases()]


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
    """a⁽q⁾ᵢⱼ, b⁽q⁾ᵢ, z⁽q⁾ᵢ and y⁽q⁾ᵢ, counted from 1; a comma where two digits meet."""
    net = MLP(2, [12, 3])
    first, second = net.layers
    assert [w.label for w in first.neurons[0].w] == ["a⁽¹⁾₁₁", "a⁽¹⁾₁₂"]
    assert first.neurons[11].w[1].label == "a⁽¹⁾₁₂,₂"
    assert second.neurons[2].w[11].label == "a⁽²⁾₃,₁₂"
    assert second.neurons[2].b.label == "b⁽²⁾₃"
    ys = net([1.0, 2.0])
    assert [y.label for y in ys] == ["y⁽²⁾₁", "y⁽²⁾₂", "y⁽²⁾₃"]
    assert [y.parents[0].label for y in ys] == ["z⁽²⁾₁", "z⁽²⁾₂", "z⁽²⁾₃"]
    labels = [p.label for p in net.parameters()]
    assert len(set(labels)) == len(labels)


def test_a_net_of_values_differentiates_its_inputs():
    """Inputs may be Values, in a list, a tuple or an object array: ∂C/∂x_j = Σ_i δ⁽¹⁾_i a⁽¹⁾_ij."""
    net = MLP(3, [4, 2], "tanh", seed=0)
    for kind in (list, tuple, np.array):
        x = [Value(x_j) for x_j in (0.3, -1.2, 0.7)]
        cost = quadratic(net(kind(x)), [0.5, -0.5])
        cost.backward()
        delta = [node.grad for node in topological_order(cost) if node.label.startswith("z⁽¹⁾")]
        np.testing.assert_allclose([v.grad for v in x], net.weights()[0].T @ delta, rtol=1e-14)  # sums of 4 terms


@pytest.mark.parametrize(
    "kind", [tuple, np.array, np.float32, lambda x: np.array(x, int), lambda x: [Value(x[0]), x[1]], iter]
)
def test_inputs_come_in_any_sequence_of_numbers(kind):
    net = MLP(2, [3, 1], seed=5)
    assert net(kind([1.0, 2.0])).data == net([1.0, 2.0]).data


# Shapes and parts.


def test_one_output_is_a_lone_value():
    """A neuron, a layer of one and a net with one output give a Value; more outputs give a list."""
    for unit in (Neuron(2), Layer(2, 1), MLP(2, [3, 1])):
        assert type(unit([1, 2])) is Value
    for unit in (Layer(2, 3), MLP(2, [1, 3])):
        assert [type(y) for y in unit([1, 2])] == [Value] * 3
    assert type(Neuron(1)(Value(2.0))) is Value


@pytest.mark.parametrize("unit", [Neuron(3), Layer(3, 2), MLP(3, [2, 1])], ids=lambda unit: type(unit).__name__)
@pytest.mark.parametrize("x", [[], [1.0], [1.0, 2.0], [1.0] * 4, np.ones(5), 1.0], ids=repr)
def test_a_wrong_number_of_inputs_is_a_value_error(unit, x):
    """Never a silent truncation; the message has both numbers and the unit."""
    count = 1 if isinstance(x, float) else len(x)
    with pytest.raises(ValueError, match=rf"\b{count} .*{type(unit).__name__}.*\b3\b"):
        unit(x)


@pytest.mark.parametrize("x", [["1", "2"], [True, False], [1j, 2], [None, 1.0], [[1.0], [2.0]], np.ones((2, 2)), "ab"])
def test_inputs_that_are_no_numbers_are_type_errors(x):
    """Strings, bools, complex numbers, nested lists and matrices are refused, not interpreted."""
    with pytest.raises(TypeError, match="array|" + type(x[0]).__name__):
        MLP(2, [1])(x)


def test_parameters_are_each_neurons_weights_then_its_bias():
    """The order that makes [A | b] a reshape, of the very objects that the net computes with."""
    net = MLP(3, [4, 2], seed=2)
    net.set_weights(net.weights(), [np.arange(4.0), np.arange(2.0)])
    blocks = [np.column_stack(pair).ravel() for pair in zip(net.weights(), net.biases(), strict=True)]
    assert [p.data for p in net.parameters()] == np.concatenate(blocks).tolist()
    objects = [p for layer in net.layers for neuron in layer.neurons for p in (*neuron.w, neuron.b)]
    assert list(map(id, net.parameters())) == list(map(id, objects))
    assert list(map(id, net.layers[0].parameters())) == list(map(id, objects[:16]))


def test_zero_grad_clears_every_parameter():
    net = MLP(2, [3, 1], seed=1)
    net([1, 2]).backward()
    once = [p.grad for p in net.parameters()]
    net([1, 2]).backward()
    assert [p.grad for p in net.parameters()] == [2 * g for g in once]
    net.zero_grad()
    assert all(p.grad == 0 for p in net.parameters())


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_weights_and_biases_round_trip_bit_for_bit(nin, nout, data):
    """What set_weights writes, weights() and biases() read, as floats: -0.0, subnormals and all. All are copies."""
    finite = st.floats(allow_nan=False, allow_infinity=False)
    shapes = [(3, nin), (nout, 3), (3,), (nout,)]
    arrays = [data.draw(hnp.arrays(float, shape, elements=finite)) for shape in shapes]
    net, before = MLP(nin, [3, nout]), [a.copy() for a in arrays]
    net.set_weights(arrays[:2], arrays[2:])
    for _ in range(2):
        read = net.weights() + net.biases()
        assert [(a.shape, a.dtype, a.tobytes()) for a in read] == [(a.shape, a.dtype, a.tobytes()) for a in before]
        for array in arrays + read:
            array[:] = 7.0


A, B = [np.full((2, 2), 9.0), np.full((1, 2), 9.0)], [np.full(2, 9.0), np.full(1, 9.0)]
UNFIT = {
    "a matrix too few": (A[:1], B),
    "a matrix too many": ([*A, A[1]], B),
    "a vector too few": (A, B[:1]),
    "a transposed matrix": ([A[0], A[1].T], B),
    "a long vector": (A, [B[0], np.ones(2)]),
    "a number for a vector": (A, [B[0], 0.0]),
    "NaN": (A, [B[0], [math.nan]]),
    "infinity": ([A[0], [[1.0, math.inf]]], B),
    "rows of different lengths": ([[[9.0, 9.0], [9.0]], A[1]], B),
    "a matrix for a list": (A[0], B),
}
NO_NUMBERS = {
    f"{w!r} in {kind.__name__}": ([A[0], kind([[w, w]])], B) for w in ("a", True, 2j) for kind in (list, np.array)
}


@pytest.mark.parametrize("unfit", [*UNFIT, *NO_NUMBERS])
def test_set_weights_writes_all_or_nothing(unfit):
    """A wrong shape, a missing matrix or what is no finite number leaves the net as it was."""
    net = MLP(2, [2, 1], seed=4)
    before = bits(net)
    with pytest.raises(TypeError if unfit in NO_NUMBERS else ValueError):
        net.set_weights(*(UNFIT | NO_NUMBERS)[unfit])
    assert bits(net) == before


def test_a_neuron_and_a_layer_take_their_weights_too():
    """w and b of the one, A and b of the other; all or nothing, as for a net."""
    neuron, layer = Neuron(2), Layer(2, 3)
    neuron.set_weights([1, -2.0], 3)
    layer.set_weights([[0, 1], [2, 3], [4, 5]], (7, 8, 9))
    assert (layer.weights().tolist(), layer.biases().tolist()) == ([[0, 1], [2, 3], [4, 5]], [7, 8, 9])
    for w, b in (([1.0], 0.0), ([5.0, 5.0], [0.0]), ([5.0, 5.0], math.nan), ([5.0, 5.0], "3")):
        with pytest.raises((ValueError, TypeError)):
            neuron.set_weights(w, b)
    for A, b in (([[5.0] * 3] * 2, [0.0] * 3), ([[5.0] * 2] * 3, [0.0] * 2)):
        with pytest.raises(ValueError, match="shape"):
            layer.set_weights(A, b)
    assert [p.data for p in neuron.parameters()] == [1, -2, 3]
    assert [p.data for p in layer.parameters()] == [0, 1, 7, 2, 3, 8, 4, 5, 9]


# Initialisation.


def test_the_same_seed_gives_the_same_net():
    """Bit for bit; another seed or none gives another net. That no hash seed matters, test_value says."""
    assert bits(MLP(3, [4, 2], seed=7)) == bits(MLP(3, [4, 2], seed=np.random.default_rng(7)))
    assert bits(MLP(3, [4, 2], seed=7)) != bits(MLP(3, [4, 2], seed=8))
    assert bits(MLP(3, [4, 2])) != bits(MLP(3, [4, 2]))
    assert Neuron(5, seed=1)([1] * 5) == Neuron(5, seed=1)([1] * 5)
    assert (Layer(5, 2, seed=1).weights() == Layer(5, 2, seed=1).weights()).all()


def test_a_seed_leaves_numpys_global_generator_alone():
    """Making a net neither reads nor moves np.random's global state; one stream runs through all its layers."""
    state = np.random.get_state()[1].tobytes()
    weights = np.concatenate([a.ravel() for net in (MLP(4, [4, 4, 4], seed=0), MLP(3, [2])) for a in net.weights()])
    assert np.random.get_state()[1].tobytes() == state
    assert len(np.unique(weights)) == weights.size


@pytest.mark.parametrize("nin", [1, 16, 400])
def test_weights_start_with_spread_one_over_root_of_the_inputs(nin):
    """Standard deviation 1/√nin, mean 0, each within five standard errors of 20,000 draws; biases start at 0."""
    layer = Layer(nin, 20_000 // nin, seed=1)
    scaled = layer.weights().ravel() * math.sqrt(nin)
    assert abs(scaled.mean()) < 5 / math.sqrt(scaled.size)
    assert abs(scaled.std() - 1) < 5 / math.sqrt(2 * scaled.size)
    assert (layer.biases() == 0).all()


# Names, counts and what is refused.


def test_repr_tells_architecture_and_number_of_parameters():
    assert repr(MLP(784, [30, 10])) == "MLP(784, [30, 10], 'sigmoid'): 23860 parameters"
    assert repr(MLP(2, [16, 16, 1], "relu", output_activation="linear")) == (
        "MLP(2, [16, 16, 1], 'relu', output_activation='linear'): 337 parameters"
    )
    assert repr(Layer(3, 2, "tanh")) == "Layer(3, 2, 'tanh')"
    assert repr(Neuron(3)) == "Neuron(3, 'sigmoid')"


@pytest.mark.parametrize(
    "make",
    [
        lambda a: Neuron(2, a),
        lambda a: Layer(2, 2, a),
        lambda a: MLP(2, [2], a),
        lambda a: MLP(2, [2], output_activation=a),
    ],
)
@pytest.mark.parametrize("activation", ["sigmod", "ReLU", 5, np.tanh, ["relu"]], ids=repr)
def test_an_unknown_activation_is_an_error_that_lists_the_known(make, activation):
    with pytest.raises((ValueError, TypeError), match=", ".join(KINDS)):
        make(activation)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2", None], ids=repr)
@pytest.mark.parametrize(
    "make", [Neuron, lambda n: Layer(n, 2), lambda n: Layer(2, n), lambda n: MLP(n, [1]), lambda n: MLP(2, [3, n])]
)
def test_counts_that_make_no_net_are_value_errors(make, n):
    """Every layer has at least one input and one neuron, counted in whole numbers; the message has what arrived."""
    with pytest.raises(ValueError, match=rf"{n}.*inputs|{n}.*neurons"):
        make(n)


@pytest.mark.parametrize("sizes", [[], 3, np.int64(3), "31", None], ids=repr)
def test_sizes_of_layers_are_a_sequence(sizes):
    with pytest.raises(ValueError, match=r"sizes.*\[30, 10\]"):
        MLP(2, sizes)


# Copies.


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("unit", [Neuron(3, "tanh", seed=1), Layer(3, 2, "softplus", seed=1), MLP(3, [4, 2])], ids=repr)
def test_a_net_and_its_cost_survive_copying(unit, copied):
    """Bit for bit, and together: the copied graph ends in the copied net's parameters, and the copy is on its own."""
    unit.zero_grad()
    cost = quadratic(unit([0.1, -0.2, 0.3]), [0.5] * unit.nout)
    cost.backward()
    twin, cost2 = copied((unit, cost))
    theirs, ours = twin.parameters(), unit.parameters()
    assert repr(twin) == repr(unit)
    assert [(p.data.hex(), p.grad, p.label) for p in theirs] == [(p.data.hex(), p.grad, p.label) for p in ours]
    before = [p.grad for p in ours]
    cost2.backward()
    assert [p.grad for p in theirs] == [2 * grad for grad in before]
    assert [p.grad for p in ours] == before
    assert any(before)


# The perceptron.


def test_the_lectures_perceptron_is_a_nand_of_which_every_gate_is_built():
    """w = (−2, −2), b = 3: 0 for (1, 1), the int 1 in any other case; five of them make a half adder."""
    nand = Perceptron([-2, -2], 3)
    for p, q in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        n = nand([p, q])
        assert type(n) is int
        assert n == 1 - p * q
        assert nand([nand([p, n]), nand([q, n])]) == (p + q) % 2
        assert nand([n, n]) == (p + q) // 2


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=6), st.integers(-50, 50))
def test_a_perceptron_is_one_from_the_threshold_on(pairs, bias):
    """1 if w·x + b ≥ 0, zero included, else 0."""
    w, x = zip(*pairs, strict=True)
    assert Perceptron(w, bias)(x) == int(np.dot(w, x) + bias >= 0)


def test_a_perceptron_of_values_gives_a_value_without_slope():
    x = [Value(1.0), Value(0.0)]
    y = Perceptron([-2, -2], 3)(x)
    assert type(y) is Value
    y.backward()
    assert (y.data, x[0].grad, x[1].grad) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("x", [[], [1], [1, 0, 1]], ids=repr)
def test_a_perceptron_refuses_a_wrong_number_of_inputs(x):
    with pytest.raises(ValueError, match=r"\b2\b"):
        Perceptron([-2, -2], 3)(x)
