"""Neurons, layers and nets, beside the lecture's formulas in plain NumPy."""

import copy
import inspect
import io
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import microgradnet
from microgradnet import MLP, Layer, Neuron, Perceptron, Value, quadratic

ROOT = str(Path(inspect.getfile(microgradnet)).parents[1])

# The oracle: σ and σ′ by name, the forward pass and the δ-recursion, on arrays.

SIGMA = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    "relu": lambda z: np.where(z > 0, z, 0.0),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "linear": lambda z: z,
    "step": lambda z: np.where(z >= 0, 1.0, 0.0),
}
SIGMA_PRIME = {
    "sigmoid": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    "tanh": lambda z: 4 / (np.exp(z) + np.exp(-z)) ** 2,
    "relu": lambda z: np.where(z > 0, 1.0, 0.0),
    "softplus": lambda z: 1 / (1 + np.exp(-z)),
    "linear": lambda z: np.ones_like(z),
    "step": lambda z: np.zeros_like(z),
}
kinds = st.sampled_from(sorted(SIGMA))


def forward(A, b, kinds, x):
    """z⁽q⁾ = A⁽q⁾ y⁽q⁻¹⁾ + b⁽q⁾ and y⁽q⁾ = σ(z⁽q⁾); ys[0] is the input."""
    zs, ys = [], [np.array(x, dtype=float)]
    for A_q, b_q, kind in zip(A, b, kinds, strict=True):
        zs.append(A_q @ ys[-1] + b_q)
        ys.append(SIGMA[kind](zs[-1]))
    return zs, ys


def deltas(A, kinds, zs, ys, r):
    """δ⁽p⁾ = (y⁽p⁾ − r) σ′(z⁽p⁾), then δ⁽q⁻¹⁾ = A⁽q⁾ᵀ δ⁽q⁾ σ′(z⁽q⁻¹⁾)."""
    found = [(ys[-1] - r) * SIGMA_PRIME[kinds[-1]](zs[-1])]
    for q in range(len(A) - 1, 0, -1):
        found.insert(0, (A[q].T @ found[0]) * SIGMA_PRIME[kinds[q - 1]](zs[q - 1]))
    return found


@st.composite
def nets_and_data(draw):
    """A random net with random biases too, its activations, an input and a target."""
    nin, *sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    hidden, output = draw(kinds), draw(st.none() | kinds)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = MLP(nin, sizes, hidden, output_activation=output, seed=rng)
    net.set_weights(net.weights(), [rng.normal(size=b.shape) for b in net.biases()])
    return net, [hidden] * (len(sizes) - 1) + [output or hidden], rng.normal(size=nin), rng.normal(size=sizes[-1])


def outputs(net, x):
    y = net(x)
    return y if isinstance(y, list) else [y]


def graph(root):
    """All values below a root, each once."""
    seen, stack = {}, [root]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            stack.extend(node.parents)
    return list(seen.values())


def bits(net):
    return [a.tobytes() for a in net.weights() + net.biases()]


def close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=1e-12, atol=1e-13)


# The net as a function, and its graph.


@given(nets_and_data())
def test_a_net_computes_the_lectures_formula(case):
    """y⁽q⁾ = σ(A⁽q⁾ y⁽q⁻¹⁾ + b⁽q⁾), for every activation and shape."""
    net, kinds, x, _ = case
    _, ys = forward(net.weights(), net.biases(), kinds, x)
    close([y.data for y in outputs(net, x)], ys[-1])


@given(nets_and_data())
def test_grad_of_z_is_delta_and_gradients_are_the_lectures(case):
    """z.grad = δ, ∂C/∂a_ij = δ_i y_j and ∂C/∂b_i = δ_i, layer by layer."""
    net, kinds, x, r = case
    A, b = net.weights(), net.biases()
    zs, ys = forward(A, b, kinds, x)
    delta = deltas(A, kinds, zs, ys, r)
    cost = quadratic(net(x), r)
    cost.backward()
    z_nodes = {node.label: node for node in graph(cost) if node.op == "dot"}
    for q, layer in enumerate(net.layers):
        z = [z_nodes[neuron.z_label] for neuron in layer.neurons]
        close([node.data for node in z], zs[q])
        close([node.grad for node in z], delta[q])
        close([[w.grad for w in neuron.w] for neuron in layer.neurons], np.outer(delta[q], ys[q]))
        close([neuron.b.grad for neuron in layer.neurons], delta[q])


@given(nets_and_data())
def test_the_graph_holds_just_z_and_y(case):
    """One `dot` node and one activation a neuron, over the weights, the bias and the layer's inputs."""
    net, kinds, x, _ = case
    nodes = graph(sum(outputs(net, x), Value(0.0)))
    neurons = {kind: sum(len(layer.neurons) for layer, k in zip(net.layers, kinds, strict=True) if k == kind)
               for kind in set(kinds)}  # fmt: skip
    total = sum(neurons.values())
    assert sum(node.op == "dot" for node in nodes) == total
    for kind in SIGMA.keys() - {"linear"}:
        assert sum(node.op == kind for node in nodes) == neurons.get(kind, 0)
    inner = [node for node in nodes if node.parents and node.op != "+"]
    assert len(inner) == 2 * total - neurons.get("linear", 0)
    by_label = {node.label: node for node in inner}
    for layer in net.layers:
        for neuron in layer.neurons:
            z = by_label[neuron.z_label]
            assert {id(p) for p in neuron.parameters()} <= {id(p) for p in z.parents}
            assert len(z.parents) == 2 * neuron.nin + 1


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
    """Inputs may be Values, in a list, a tuple or an object array, and get δ⁽¹⁾ through A⁽¹⁾."""
    net = MLP(3, [4, 2], "tanh", seed=0)
    A, b, r = net.weights(), net.biases(), np.array([0.5, -0.5])
    x = np.array([0.3, -1.2, 0.7])
    zs, ys = forward(A, b, ["tanh"] * 2, x)
    wanted = A[0].T @ deltas(A, ["tanh"] * 2, zs, ys, r)[0]
    for kind in (list, tuple, np.array):
        values = [Value(x_j) for x_j in x]
        quadratic(net(kind(values)), r).backward()
        close([v.grad for v in values], wanted)


@pytest.mark.parametrize("x", [[1, 2], (1.0, 2.0), np.array([1.0, 2.0]), np.array([1, 2]), np.float32([1, 2]),
                               [Value(1.0), 2], iter([1.0, 2.0])], ids=lambda x: type(x).__name__)  # fmt: skip
def test_inputs_come_in_any_sequence_of_numbers(x):
    """Lists, tuples, arrays of any real type, Values among numbers, iterators."""
    net = MLP(2, [3, 1], seed=5)
    _, ys = forward(net.weights(), net.biases(), ["sigmoid"] * 2, [1.0, 2.0])
    close(net(x).data, ys[-1][0])


# Shapes and parts.


def test_one_output_is_a_lone_value():
    """A neuron, a layer of one and a net with one output give a Value; more outputs give a list."""
    assert type(Neuron(2)([1, 2])) is Value
    assert type(Layer(2, 1)([1, 2])) is Value
    assert type(MLP(2, [3, 1])([1, 2])) is Value
    assert [type(y) for y in Layer(2, 3)([1, 2])] == [Value] * 3
    assert [type(y) for y in MLP(2, [1, 2])([1, 2])] == [Value] * 2
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
    with pytest.raises(TypeError, match=r"arrived where .* wanted"):
        MLP(2, [1])(x)


def test_parameters_are_each_neurons_weights_then_its_bias():
    """The order that makes [A | b] a reshape, and the very objects that the net computes with."""
    net = MLP(3, [4, 2], seed=2)
    net.set_weights(net.weights(), [np.arange(4.0), np.arange(2.0)])
    flat = np.array([p.data for p in net.parameters()])
    for A_q, b_q in zip(net.weights(), net.biases(), strict=True):
        block, flat = flat[: b_q.size * (A_q.shape[1] + 1)], flat[b_q.size * (A_q.shape[1] + 1) :]
        assert (block.reshape(b_q.size, -1) == np.column_stack([A_q, b_q])).all()
    assert flat.size == 0
    first = net.layers[0].neurons[0]
    assert [id(p) for p in net.parameters()[:4]] == [id(p) for p in [*first.w, first.b]]
    assert [id(p) for p in net.layers[0].parameters()] == [id(p) for p in net.parameters()[:16]]


def test_zero_grad_clears_every_parameter():
    """After zero_grad a backward pass starts anew; without it gradients add up."""
    net = MLP(2, [3, 1], seed=1)
    net([1, 2]).backward()
    once = [p.grad for p in net.parameters()]
    net([1, 2]).backward()
    assert [p.grad for p in net.parameters()] == [2 * g for g in once]
    net.zero_grad()
    assert all(p.grad == 0 for p in net.parameters())


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_weights_and_biases_round_trip_bit_for_bit(nin, nout, data):
    """What set_weights writes, weights() and biases() read: -0.0, subnormals and all."""
    finite = st.floats(allow_nan=False, allow_infinity=False)
    A = [
        data.draw(hnp.arrays(float, (3, nin), elements=finite)),
        data.draw(hnp.arrays(float, (nout, 3), elements=finite)),
    ]
    b = [data.draw(hnp.arrays(float, 3, elements=finite)), data.draw(hnp.arrays(float, nout, elements=finite))]
    net = MLP(nin, [3, nout])
    net.set_weights(A, b)
    assert bits(net) == [a.tobytes() for a in A + b]
    assert [a.shape for a in net.weights() + net.biases()] == [a.shape for a in A + b]
    assert all(a.dtype == np.float64 for a in net.weights() + net.biases())


def test_weights_and_biases_are_copies():
    """Writing into what weights() gave changes nothing, nor does writing into what set_weights took."""
    net = MLP(2, [2, 1], seed=3)
    before = bits(net)
    A, b = net.weights(), net.biases()
    net.set_weights(A, b)
    for array in A + b:
        array += 1.0
    assert bits(net) == before


def test_set_weights_takes_nested_lists_and_whole_numbers():
    """Plain Python numbers will do."""
    net = MLP(2, [1])
    net.set_weights([[[-2, -2]]], [[3]])
    assert net([1, 1]).parents[0].data == -1.0


NET = MLP(2, [2, 1], seed=4)
GOOD_A, GOOD_B = NET.weights(), NET.biases()


@pytest.mark.parametrize(
    ("weights", "biases", "error"),
    [
        ([GOOD_A[0]], GOOD_B, ValueError),
        ([*GOOD_A, GOOD_A[1]], GOOD_B, ValueError),
        (GOOD_A, [GOOD_B[0]], ValueError),
        ([GOOD_A[0] + 9, GOOD_A[1].T], GOOD_B, ValueError),
        ([GOOD_A[0] + 9, GOOD_A[1]], [GOOD_B[0], np.ones(2)], ValueError),
        ([GOOD_A[0] + 9, GOOD_A[1]], [GOOD_B[0], 0.0], ValueError),
        ([GOOD_A[0] + 9, GOOD_A[1]], [GOOD_B[0], [math.nan]], ValueError),
        ([GOOD_A[0] + 9, [[1.0, math.inf]]], GOOD_B, ValueError),
        ([[[9.0, 9.0], [9.0]], GOOD_A[1]], GOOD_B, ValueError),
        ([GOOD_A[0] + 9, [["a", "b"]]], GOOD_B, (ValueError, TypeError)),
        (GOOD_A[0], GOOD_B, ValueError),
    ],
)
def test_set_weights_writes_all_or_nothing(weights, biases, error):
    """A wrong shape, a missing matrix or a number that is not finite leaves the net as it was."""
    before = bits(NET)
    with pytest.raises(error):
        NET.set_weights(weights, biases)
    assert bits(NET) == before


@pytest.mark.parametrize("weight", [True, "0.5", 1 + 2j], ids=repr)
@pytest.mark.parametrize("make", [lambda w: [[[w]]], lambda w: [np.array([[w]])]], ids=["list", "array"])
def test_set_weights_refuses_what_a_value_refuses(weight, make):
    """Bools, strings and complex numbers are no weights."""
    net = MLP(1, [1])
    with pytest.raises(TypeError):
        net.set_weights(make(weight), [[0.0]])


def test_a_neuron_and_a_layer_take_their_weights_too():
    """w and b of the one, A and b of the other; all or nothing, as for a net."""
    neuron, layer = Neuron(2), Layer(2, 3)
    neuron.set_weights([1, -2.0], 3)
    assert [p.data for p in neuron.parameters()] == [1.0, -2.0, 3.0]
    A, b = np.arange(6.0).reshape(3, 2), np.array([7.0, 8.0, 9.0])
    layer.set_weights(A, b)
    assert (layer.weights().tolist(), layer.biases().tolist()) == (A.tolist(), b.tolist())
    for unit, weights, biases, error in (
        (neuron, [1.0], 0.0, ValueError),
        (neuron, [5.0, 5.0], [0.0], ValueError),
        (neuron, [5.0, 5.0], math.nan, ValueError),
        (neuron, [5.0, 5.0], "3", TypeError),
        (layer, A.T, b, ValueError),
        (layer, A + 5, b[:2], ValueError),
    ):
        before = [p.data for p in unit.parameters()]
        with pytest.raises(error):
            unit.set_weights(weights, biases)
        assert [p.data for p in unit.parameters()] == before


# Initialisation.


def test_the_same_seed_gives_the_same_net_in_every_process():
    """Bit for bit, under different hash seeds; another seed or none gives another net."""
    script = "from microgradnet import MLP; print(*[a.tobytes().hex() for a in MLP(3, [4, 2], seed=7).weights()])"
    here = " ".join(a.tobytes().hex() for a in MLP(3, [4, 2], seed=7).weights())
    for hash_seed in ("0", "1"):
        run = [sys.executable, "-c", script]
        there = subprocess.run(run, env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ROOT}, text=True,
                               capture_output=True, check=True).stdout  # fmt: skip
        assert there.strip() == here
    assert bits(MLP(3, [4, 2], seed=7)) == bits(MLP(3, [4, 2], seed=np.random.default_rng(7)))
    assert bits(MLP(3, [4, 2], seed=7)) != bits(MLP(3, [4, 2], seed=8))
    assert bits(MLP(3, [4, 2])) != bits(MLP(3, [4, 2]))
    assert (Neuron(5, seed=1)([1] * 5).data, Layer(5, 2, seed=1).weights().tobytes()) == (
        Neuron(5, seed=1)([1] * 5).data,
        Layer(5, 2, seed=1).weights().tobytes(),
    )


def test_a_seed_leaves_numpys_global_generator_alone():
    """Making a net neither reads nor moves np.random's global state."""
    state = np.random.get_state()[1].tobytes()
    MLP(3, [2], seed=0)
    MLP(3, [2])
    assert np.random.get_state()[1].tobytes() == state


def test_no_two_neurons_start_alike():
    """One stream of random numbers runs through all layers."""
    weights = np.concatenate([a.ravel() for a in MLP(4, [4, 4, 4], seed=0).weights()])
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
    """Inputs, layers, activations, and the count of weights and biases."""
    assert repr(MLP(784, [30, 10])) == "MLP(784, [30, 10], 'sigmoid'): 23860 parameters"
    assert repr(MLP(2, [16, 16, 1], "relu", output_activation="linear")) == (
        "MLP(2, [16, 16, 1], 'relu', output_activation='linear'): 337 parameters"
    )
    assert repr(Layer(3, 2, "tanh")) == "Layer(3, 2, 'tanh')"
    assert repr(Neuron(3)) == "Neuron(3, 'sigmoid')"


@pytest.mark.parametrize("make", [lambda a: Neuron(2, a), lambda a: Layer(2, 2, a), lambda a: MLP(2, [2], a),
                                  lambda a: MLP(2, [2], output_activation=a)])  # fmt: skip
@pytest.mark.parametrize("activation", ["sigmod", "ReLU", 5, np.tanh, ["relu"]], ids=repr)
def test_an_unknown_activation_is_an_error_that_lists_the_known(make, activation):
    """Whatever arrived, the answer names all six."""
    with pytest.raises((ValueError, TypeError), match=r"sigmoid, tanh, relu, softplus, linear, step"):
        make(activation)


@pytest.mark.parametrize(
    "make",
    [lambda: MLP(0, [1]), lambda: MLP(-1, [1]), lambda: MLP(2, []), lambda: MLP(2, [0]), lambda: MLP(2, [3, -1]),
     lambda: MLP(2, [1.5]), lambda: MLP(2, [True]), lambda: MLP(2, 3), lambda: MLP(2, np.int64(3)), lambda: MLP(2, "31"),
     lambda: MLP(2.0, [1]), lambda: Layer(2, 0), lambda: Layer(0, 2), lambda: Neuron(0), lambda: Neuron(True),
     lambda: Neuron("2")],
)  # fmt: skip
def test_sizes_that_make_no_net_are_value_errors(make):
    """Every layer has at least one input and one neuron, counted in whole numbers."""
    with pytest.raises(ValueError, match="wanted"):
        make()


# Save and load.


@st.composite
def any_nets(draw):
    nin, *sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    net = MLP(nin, sizes, draw(kinds), output_activation=draw(kinds), seed=0)
    finite = st.floats(allow_nan=False, allow_infinity=False)
    for p in net.parameters():
        p.data = draw(finite)
    return net


@given(net=any_nets())
def test_save_and_load_round_trip_bit_for_bit(net, tmp_path_factory):
    """Same architecture, same activations, same bits, same labels, for any finite weights."""
    path = tmp_path_factory.getbasetemp() / "any-name at all"
    net.save(path)
    loaded = MLP.load(str(path))
    assert bits(loaded) == bits(net)
    assert repr(loaded) == repr(net)
    assert [p.label for p in loaded.parameters()] == [p.label for p in net.parameters()]
    assert [n.activation for layer in loaded.layers for n in layer.neurons] == [
        n.activation for layer in net.layers for n in layer.neurons
    ]


def test_a_loaded_net_answers_as_the_saved_one(tmp_path):
    """Outputs and gradients are the same bits."""
    net = MLP(3, [5, 4, 2], "tanh", output_activation="sigmoid", seed=9)
    net.save(tmp_path / "net")
    loaded = MLP.load(tmp_path / "net")
    for n in (net, loaded):
        quadratic(n([0.1, 0.2, 0.3]), [0, 1]).backward()
    assert [y.data for y in loaded([1, 2, 3])] == [y.data for y in net([1, 2, 3])]
    assert [p.grad for p in loaded.parameters()] == [p.grad for p in net.parameters()]


def test_save_never_writes_what_load_refuses_or_changes(tmp_path):
    """A net with a NaN in it, or with neurons of different activations, survives or is refused at once."""
    broken, mixed = MLP(2, [2, 1], seed=1), MLP(2, [2, 1], seed=1)
    broken.layers[0].neurons[0].b.data = math.nan
    mixed.layers[0].neurons[1].activation = "relu"
    for net in (broken, mixed):
        try:
            net.save(tmp_path / "net")
        except ValueError:
            continue
        loaded = MLP.load(tmp_path / "net")
        assert bits(loaded) == bits(net)
        assert np.array_equal(loaded([1.0, 2.0]).data, net([1.0, 2.0]).data, equal_nan=True)


def test_save_replaces_an_existing_file_and_leaves_nothing_else(tmp_path):
    """One file under the very name given, whatever its ending."""
    for seed, name in [(1, "net"), (2, "net"), (3, "net.npz"), (4, "net.tar.gz"), (5, "σ-Netz")]:
        net = MLP(2, [1], seed=seed)
        net.save(tmp_path / name)
        assert bits(MLP.load(tmp_path / name)) == bits(net)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net", "net.npz", "net.tar.gz", "σ-Netz"]


def test_a_missing_file_or_folder_is_file_not_found(tmp_path):
    """With the path in it, as Python's own open would say."""
    with pytest.raises(FileNotFoundError, match="missing"):
        MLP.load(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="missing"):
        MLP(2, [1]).save(tmp_path / "missing" / "net")
    assert list(tmp_path.iterdir()) == []


def assert_refused(path):
    with pytest.raises(ValueError, match=r"damaged or not a net") as refusal:
        MLP.load(path)
    assert str(path) in str(refusal.value)


def test_load_refuses_a_truncated_file(tmp_path):
    """However much of it is left."""
    net, path = MLP(2, [2, 1], seed=1), tmp_path / "net"
    net.save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert_refused(path)


def test_load_refuses_a_flipped_byte_or_reads_the_same_net(tmp_path):
    """No damage to any byte gives another net, or any error but the clear one (some bytes, a date say, carry nothing)."""
    net, path = MLP(2, [2, 1], "tanh", output_activation="sigmoid", seed=1), tmp_path / "net"
    net.save(path)
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            loaded = MLP.load(path)
        except ValueError:
            refused += 1
        else:
            assert (repr(loaded), bits(loaded)) == (repr(net), bits(net))
    assert refused > len(whole) / 2


class Burglar:
    """A pickle that breaks in when it is loaded."""

    def __init__(self, loot):
        self.loot = loot

    def __reduce__(self):
        return Path.touch, (self.loot,)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def zipped(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"not a net", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b'{"format": "net"}', pickle.dumps([1.0, 2.0]),
     pickle.dumps(MLP(2, [1])), npy(np.ones((2, 2))), npy(np.array([{}], dtype=object), allow_pickle=True),
     npz(A1=np.ones((1, 2)), b1=np.ones(1)), npz(header=np.array("no json")), npz(header=np.array("[]")),
     npz(header=np.array(json.dumps({"format": "something else"}))), zipped("hello.txt", "hello"),
     zipped("header.npy", "hello"), b"PK\x05\x06" + b"\0" * 18],
    ids=["empty", "zeros", "text", "image", "json", "pickled list", "pickled net", "npy", "pickled array", "arrays",
         "no header", "list header", "other format", "zipped text", "zipped non-array", "empty zip"],
)  # fmt: skip
def test_load_refuses_a_foreign_file(content, tmp_path):
    """Clearly, with its name in the message."""
    (tmp_path / "foreign").write_bytes(content)
    assert_refused(tmp_path / "foreign")


def test_load_never_runs_a_pickle(tmp_path):
    """Neither a bare one nor one inside an archive of arrays."""
    loot, path = tmp_path / "loot", tmp_path / "net"
    burglar = np.array([Burglar(loot)], dtype=object)
    for content in (pickle.dumps(Burglar(loot)), npy(burglar, allow_pickle=True), npz(header=burglar)):
        path.write_bytes(content)
        assert_refused(path)
        assert not loot.exists()


@pytest.mark.parametrize(
    "change",
    [{"A1": np.ones((3, 2))}, {"A1": np.ones(2)}, {"A1": np.ones((2, 2), dtype=complex)}, {"b1": np.ones(3)},
     {"A1": np.full((2, 2), np.nan)}, {"A1": np.array([["a", "b"], ["c", "d"]])}, {"A2": np.ones((1, 3))},
     {"A1": np.ones((0, 2)), "b1": np.ones(0)}, {"activations": ["sigmoid", "sigmod"]}, {"activations": ["sigmoid"] * 3},
     {"activations": []}, {"activations": 2}, {"activations": [["relu"], "relu"]}, {"activations": None},
     {"format": "microgradnet MLP, version 999"}, {"format": None}],
    ids=str,
)  # fmt: skip
def test_load_refuses_a_file_whose_parts_do_not_fit(change, tmp_path):
    """Shapes, activations and version are checked, not trusted."""
    MLP(2, [2, 1], seed=1).save(tmp_path / "net")
    with np.load(tmp_path / "net") as file:
        parts = dict(file)
    header = json.loads(str(parts.pop("header")))
    for name, part in change.items():
        (header if name in header else parts)[name] = part
    with (tmp_path / "net").open("wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), **parts)
    assert_refused(tmp_path / "net")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
@pytest.mark.parametrize("place", [(np, "savez"), (os, "fsync"), (os, "replace")], ids=["write", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(place, error, tmp_path, monkeypatch):
    """Wherever it fails: the error comes through, the file that was there is intact, no leftovers."""
    old, new = MLP(2, [1], seed=1), MLP(2, [1], seed=2)
    old.save(tmp_path / "net")

    def fail(file, *args, **kwds):
        if hasattr(file, "write"):
            file.write(b"half a net")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*place, fail)
        with pytest.raises(type(error)):
            new.save(tmp_path / "net")
        with pytest.raises(type(error)):
            new.save(tmp_path / "another")
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert bits(MLP.load(tmp_path / "net")) == bits(old)


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file sizes is a matter of POSIX")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    """The real thing: the system refuses to write beyond 2,000 bytes of the new file."""
    MLP(2, [1], seed=1).save(tmp_path / "net")
    before = (tmp_path / "net").read_bytes()
    script = (
        "import resource, sys; from microgradnet import MLP\n"
        "net = MLP(100, [20])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try: net.save(sys.argv[1])\n"
        "except OSError as error: print('refused:', error)"
    )
    run = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "net")]
    done = subprocess.run(run, env=os.environ | {"PYTHONPATH": ROOT, "PYTHONDONTWRITEBYTECODE": "1"}, text=True,
                          capture_output=True, check=True)  # fmt: skip
    assert done.stdout.startswith("refused:")
    assert done.stderr == ""
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert (tmp_path / "net").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
def test_a_process_killed_while_saving_leaves_a_whole_file(tmp_path):
    """Killed at any moment, the file is the old net or the new one."""
    script = (
        "import sys; from microgradnet import MLP\n"
        "nets = [MLP(60, [50], seed=seed) for seed in (1, 2)]\n"
        "nets[0].save(sys.argv[1]); print('saving', flush=True)\n"
        "while True:\n"
        "    for net in nets: net.save(sys.argv[1])"
    )
    allowed = [bits(MLP(60, [50], seed=seed)) for seed in (1, 2)]
    for milliseconds in (11, 37):
        run = [sys.executable, "-c", script, str(tmp_path / "net")]
        with subprocess.Popen(run, env=os.environ | {"PYTHONPATH": ROOT}, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"saving\n"
            time.sleep(milliseconds / 1000)
            process.send_signal(signal.SIGKILL)
        assert bits(MLP.load(tmp_path / "net")) in allowed


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are a matter of POSIX")
def test_a_saved_net_has_the_permissions_of_any_new_file(tmp_path):
    """Not those of a private temporary file."""
    MLP(2, [1]).save(tmp_path / "net")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "net").stat().st_mode == (tmp_path / "plain").stat().st_mode


# Copies.


@pytest.mark.parametrize("copied", [copy.deepcopy, *(lambda net, p=p: pickle.loads(pickle.dumps(net, p)) for p in range(6))],
                         ids=["deepcopy", *(f"pickle {p}" for p in range(6))])  # fmt: skip
@pytest.mark.parametrize("unit", [Neuron(3, "tanh", seed=1), Layer(3, 2, "relu", seed=1), MLP(3, [4, 2], seed=1)],
                         ids=lambda unit: type(unit).__name__)  # fmt: skip
def test_a_net_survives_copying_bit_for_bit(unit, copied):
    """Numbers, gradients, labels and architecture are the same, and the copy is on its own."""
    unit.parameters()[0].grad = 0.125
    twin = copied(unit)
    assert type(twin) is type(unit)
    assert repr(twin) == repr(unit)
    assert [(p.data.hex(), p.grad, p.label) for p in twin.parameters()] == [
        (p.data.hex(), p.grad, p.label) for p in unit.parameters()
    ]
    x = [0.1, -0.2, 0.3]
    ours, theirs = unit(x), twin(x)
    assert repr(theirs) == repr(ours)
    assert not {id(p) for p in unit.parameters()} & {id(p) for p in twin.parameters()}
    before = [p.data for p in unit.parameters()]
    for p in twin.parameters():
        p.data += 1.0
        p.grad += 1.0
    assert [p.data for p in unit.parameters()] == before
    assert unit.parameters()[0].grad == 0.125


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"]
)
def test_a_net_and_its_cost_stay_connected_when_copied_together(copied):
    """The copied graph ends in the copied net's parameters, so that its backward fills their gradients."""
    net = MLP(2, [3, 1], seed=6)
    cost = quadratic(net([1.0, -1.0]), 0.5)
    net2, cost2 = copied((net, cost))
    cost.backward()
    cost2.backward()
    assert [p.grad for p in net2.parameters()] == [p.grad for p in net.parameters()]
    assert any(p.grad for p in net.parameters())


# The perceptron.


def test_the_lectures_perceptron_is_a_nand():
    """w = (−2, −2), b = 3: 0 for (1, 1), 1 in any other case."""
    nand = Perceptron([-2, -2], 3)
    assert {(p, q): nand([p, q]) for p in (0, 1) for q in (0, 1)} == {(0, 0): 1, (0, 1): 1, (1, 0): 1, (1, 1): 0}
    assert {type(nand([p, 1])) for p in (0, 1)} == {int}


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=6), st.integers(-50, 50))
def test_a_perceptron_is_one_from_the_threshold_on(pairs, bias):
    """1 if w·x + b ≥ 0, zero included, else 0."""
    w, x = zip(*pairs, strict=True)
    assert Perceptron(w, bias)(x) == int(np.dot(w, x) + bias >= 0)


def test_nands_build_every_gate():
    """Imagine what you can do with this: a half adder of five NANDs."""
    nand = Perceptron([-2, -2], 3)
    for p in (0, 1):
        for q in (0, 1):
            n = nand([p, q])
            assert nand([nand([p, n]), nand([q, n])]) == (p + q) % 2
            assert nand([n, n]) == (p + q) // 2


def test_a_perceptron_of_values_gives_a_value_without_slope():
    """Differentiable code runs through it; the gradient is 0."""
    x = [Value(1.0), Value(0.0)]
    y = Perceptron([-2, -2], 3)(x)
    assert type(y) is Value
    y.backward()
    assert (y.data, x[0].grad, x[1].grad) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("x", [[], [1], [1, 0, 1]], ids=repr)
def test_a_perceptron_refuses_a_wrong_number_of_inputs(x):
    """Like a neuron."""
    with pytest.raises(ValueError, match=r"\b2\b"):
        Perceptron([-2, -2], 3)(x)
