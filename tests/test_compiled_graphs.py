"""Compiled graphs compute what the recorded graphs say: layered nets and graphs of every other shape.

Bounds come from running error analysis: to first order, a result is off by the sum over all operations of the
rounding error made there times the derivative of the result by it.
"""

import math
import pickle
from functools import reduce
from operator import attrgetter

import numpy as np
import pytest
from compiled_programs import (
    KINKS,
    NAMES,
    ROUNDINGS,
    SOME,
    U,
    apply,
    arity,
    assert_as_eager,
    away_from_kinks,
    batch,
    own_rows,  # noqa: F401  # a fixture
    programs,
    run,
)
from hypothesis import assume, given
from hypothesis import strategies as st

import microgradnet as m
from microgradnet import Value, dot, quadratic
from microgradnet.compiler import adjoints, derivative
from microgradnet.compiler import array_ops as arrays
from microgradnet.compiler.programs import Passes
from microgradnet.compiler.record import record
from microgradnet.graph import depth_first
from microgradnet.value import as_value

ACTIVATIONS = ["sigmoid", "tanh", "relu", "softplus", "linear", "step"]
constant = as_value


def for_batches(fast):
    """The NumPy part of the source."""
    return fast.source.split("# larger batches\n\n")[-1]


# Nets.


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", ACTIVATIONS)
def test_compiled_net_is_eager_net(activation, output):
    """Outputs of a net, and its quadratic cost with all derivatives, sample by sample."""
    net = m.MLP(2, [3, 2], activation, output, seed=3)
    assert_as_eager(lambda x: net(x), 2)
    X = [np.float32(x) for x in batch([2, 2], 3)]
    assert_as_eager(lambda x, r: quadratic(net(x), r), 2, 2, X=X, single=True)


# Graphs over the whole table.


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_compiles(name):
    """A row of the table on parameters, inputs, constants, what is made of them, groups, and the same operand twice."""
    p = [Value(number) for number in np.random.default_rng(0).uniform(0.3, 0.8, 5).tolist()]

    def operands(x):
        single = [p[0], x[0], 0.7, p[1] * x[0], p[2].sin(), x[1] + 0.3, p[3] * p[4], 2.0]
        for i in range(len(single)):
            for j in range(len(single)):
                yield [single[i], single[j]][: arity(name)]
        yield [p[0] * x[0]] * arity(name)

    def function(x):
        results = [apply(name, arguments) for arguments in operands(x)]
        return sum([0.1 * (k + 1) * result for k, result in enumerate(results)])

    kink = name in KINKS and arity(name) == 2  # equal operands: the tie is exact only if both are the same number
    assert_as_eager(function, 2, gradient=not kink)
    for pair in ([p[0], x_j] for x_j in (0, 1)):
        assert_as_eager(lambda x, pair=pair: apply(name, [pair[0] * x[pair[1]], p[1] - x[0]][: arity(name)]), 2)


@pytest.mark.usefixtures("own_rows")
@given(programs(), st.integers(1, 3), st.integers(0, 4), st.integers(0, 2**20), st.sampled_from(["last", "sum", "all"]))
def test_random_graphs_compile(steps, inputs, parameters, seed, shape):
    """Sharing, mixed leaves, constants, one output or several, whatever people write on scalars: values and gradients."""
    rng = np.random.default_rng(seed)
    p = [Value(number) for number in np.float32(rng.normal(size=parameters)).tolist()]
    X = np.float32(rng.normal(size=(2, inputs))).astype(float)

    def function(x):
        values = run(steps, [*x, *p])
        if shape == "all":
            return values[-4:]
        return values[-1] if shape == "last" else sum(values[1:], values[0])

    samples = [[Value(number) for number in row] for row in X.tolist()]
    try:
        everything = [value for sample in samples for value in run(steps, [*sample, *p])]
        slopes = [slope for value in everything for slope in m.grad(value, p)]
    except (ArithmeticError, ValueError):
        assume(False)
    assume(max(abs(number) for number in [*(value.data for value in everything), *slopes]) < 1e6)
    assume(away_from_kinks(everything))
    far = any(value.data and not 1e-10 < abs(value.data) < 1e10 for value in m.nodes(*everything))
    assert_as_eager(function, inputs, X=[X], single=not far)


# Graphs in which something is irregular, one by one.


def values(n, seed=0):
    return [
        Value(number, label=f"p{i}") for i, number in enumerate(np.random.default_rng(seed).normal(size=n).tolist())
    ]


def tied_in_a_layer(p, x):
    return dot([p[0], p[0]], x[:2], p[0]).tanh() * dot([p[1], p[0]], x[:2], p[1])


def convolution(p, x):
    return sum(dot(p[:3], x[i : i + 3], p[3]).tanh() for i in range(4))


def lagged_rows(p, x):
    return sum(dot(p[i : i + 3], x[:3], p[6]).tanh() for i in range(3))


def skip_connection(p, x):
    h = [dot(p[2 * i : 2 * i + 2], x[:2], p[6]).tanh() for i in range(2)]
    return dot(p[4:6], [h[0] + x[0], h[1] + x[1]], x[2]).sigmoid()


def concatenation(p, x):
    h = [dot(p[3 * i : 3 * i + 2], x[:2], p[3 * i + 2]).sigmoid() for i in range(2)]
    return dot(p[:5], [x[0], *h, x[3], h[0]], p[5]).sin()


def recurrent(p, x):
    h = [p[6], p[7]]
    for x_t in x:
        h = [dot(p[3 * i : 3 * i + 3], [*h, x_t], p[8 + i]).tanh() for i in range(2)]
    return h[0] * h[1]


def attention(p, x):
    scores = [[dot(p[:2], x[t : t + 2]) * x[s] for s in range(t + 1)] for t in range(3)]
    return sum(dot([z.exp() / sum(y.exp() for y in row) for z in row], p[2 : 2 + len(row)]) for row in scores)


def largest_with_ties(p, x):
    y = [p[0] * x[0], p[0] * x[0], x[1], p[1] * x[0]]
    return (
        reduce(m.maximum, [*y, *y]) * p[2] + reduce(m.minimum, [y[2], *y, p[3]]) + reduce(m.maximum, [p[4], 0.5, p[5]])
    )


def constant_weights(p, x):
    return sum(dot([p[i], 0.0, 2.0], x[:3], p[3]).sigmoid() for i in range(3))


def constant_bias(p, x):
    return dot(p[:2], x[:2], 1.5).tanh() * dot(p[2:4], x[:2], -0.5)


def one_product_three_biases(p, x):
    return dot(p[:2], x[:2], p[2]).tanh() * dot(p[:2], x[:2], 1.5).sigmoid() * dot(p[:2], x[:2])


def sum_read_before_its_bias(p, x):
    z = dot(p[:2], x[:2])
    return (z + p[2]).sin() * (z + p[3]).cos() + z.exp()


def weights_made_of_parameters(p, x):
    norm = dot(p[:6], p[:6]).sqrt()
    return sum(dot([w / norm for w in p[2 * i : 2 * i + 2]], x[:2], p[6] * p[6]).sin() for i in range(3))


def weights_made_later(p, x):
    return dot(p[:2], x[:2]).sin() + dot([w.tanh().sin() for w in p[2:4]], x[:2]).cos()


def one_weight_everywhere(p, x):
    w = p[0].tanh()
    return dot([w, w, w], x[:3], w).sin() + dot([w, w, w], x[:3], p[1]).sin()


def weights_that_vary(p, x):
    return dot([x[0], p[0]], [p[1], x[1]], x[0] * p[2]) + dot(x, x, p[3]) + dot(x[:2], p[:2], p[4])


def inputs_that_do_not_vary(p, x):
    return dot(p[:2], [3.0, 0.0], x[0]) + dot(p[:3], p[1:4], p[0]) * x[1] + dot([1.0, 2.0], [3.0, 0.5]) * p[5]


def sum_of_unlike_terms(p, x):
    return ((p[0] * x[0]).sin() + (p[1] * x[1]).cos() + p[2].exp() + x[2]).exp()


def equal_nodes(p, x):
    return (p[0] * x[0]).sin() * (p[0] * x[0]).sin() + (p[0] + p[0]) * (x[1] + x[1]) + (x[0] - x[0]) * p[1]


def negated_sigmoids(p, x):
    z = dot(p[:2], x[:2])
    minus = -z
    return minus.sigmoid() + (-p[0]).sigmoid() * (-x[0]).tanh() + (-minus).sigmoid() + minus.softplus()


def permuted(p, x):
    s = [(p_i * x[0]).sin() for p_i in p[:4]]
    return s[3] * s[0] + s[0] * s[2] + dot([s[2], s[0]], [s[1], s[3]]) + dot(p[4:7], [s[2], s[0], s[1]])


def number_to_a_power(p, x):
    return 2.0 ** (p[0] * x[0]) + 3.0 ** p[1] + (x[0] * x[0] + 1.0) ** p[2] + (1.0 + p[3] ** 2) ** (-0.5)


def powers_of_like_names(p, x):
    return (x[0] ** 1e-22 + p[0]) * (x[1] ** 1e22 + p[1]) * x[0] ** -1.5 * x[0] ** 1.5


def targets_that_share_an_output(p, x):
    a = dot(p[:2], x[:2]).sigmoid()
    return m.cross_entropy([a, a, a], [x[0], 0.25, x[1]])


def infinite_constants(p, x):
    return m.minimum(p[0] * x[0], math.inf) * m.maximum(x[1], -math.inf)


def weight_decay(p, x):
    return quadratic(dot(p[:2], x[:2], p[2]), x[2]) + 0.1 * sum(w * w for w in p) + 0.01 * dot(p, p)


def autoencoder_with_tied_weights(p, x):
    code = [dot(p[3 * i : 3 * i + 3], x[:3], p[6 + i]).sigmoid() for i in range(2)]
    return quadratic([dot([p[j], p[3 + j]], code, p[7 + j]).sigmoid() for j in range(3)], x[:3])


def sums_used_by_sums_and_dots(p, x):
    weight, bias, seen = p[0] + p[1], p[2] + p[3] + x[0], x[1] + x[2]
    dots = dot([weight], [x[3]]).sin() * dot([p[4]], [seen]).cos() * dot([p[5]], [x[4]], bias).exp()
    return dots + (weight + x[5]).sin() + (seen + p[6]).cos() + (bias + p[7]).tanh()


def ragged_reductions_of_inputs(p, x):
    largest = [reduce(m.maximum, [*x[:n], p[n]]) for n in (2, 3, 5)]
    return sum(largest) * p[0] + sum(reduce(m.maximum, x[:n]) * p[n] for n in (2, 3, 6))


def leaves_alone(p, x):
    return sum(x) + sum(p) + 1.5


IRREGULAR = [
    tied_in_a_layer, convolution, lagged_rows, skip_connection, concatenation, recurrent, constant_weights,
    attention, largest_with_ties,
    constant_bias, one_product_three_biases, sum_read_before_its_bias, weights_made_of_parameters, weights_made_later,
    one_weight_everywhere, weights_that_vary, inputs_that_do_not_vary, sum_of_unlike_terms, equal_nodes,
    negated_sigmoids, permuted, number_to_a_power, powers_of_like_names, targets_that_share_an_output,
    infinite_constants, weight_decay, autoencoder_with_tied_weights,
    sums_used_by_sums_and_dots, ragged_reductions_of_inputs, leaves_alone,
]  # fmt: skip


@pytest.mark.parametrize("function", IRREGULAR, ids=lambda function: function.__name__)
def test_irregular_graph_compiles(function):
    """Values and gradients of graphs that are no layered net, with each input the largest in turn."""
    p = values(10)
    (X,) = batch([6], 3)
    X[0, 0] += 1.0
    assert_as_eager(lambda x: function(p, x), 6, X=[X])


@pytest.mark.parametrize(
    "output",
    [
        lambda p, x: p,
        lambda p, x: x[1],
        lambda p, x: constant(3.0),
        lambda p, x: 0 * x[0] + 3,
        lambda p, x: x[0] * x[1],
    ],
    ids=["parameter", "input", "constant", "made of a constant", "inputs alone"],
)
def test_any_node_can_be_the_output(output):
    """A leaf, an input, a constant, or what depends on inputs alone."""
    p = Value(0.7)
    fast = assert_as_eager(lambda x: output(p, x), 2)
    assert fast.parameters in ([], [p])


def test_outputs_of_every_kind_stand_side_by_side():
    """Several outputs: one column each, in order, repeated ones too."""
    p = Value(0.7)
    fast = assert_as_eager(lambda x: [p, x[0], x[0] * p, constant(3.0), p, x[1], p * p], 2)
    assert fast([[1.0, 2.0], [3.0, 4.0]])[:, 5].tolist() == [2.0, 4.0]


def test_function_without_inputs_compiles():
    """compile(f) of parameters alone, called with nothing, is one sample."""
    p, q = Value(0.3), Value(0.4)
    fast = assert_as_eager(lambda: p * q.sin() + p * p)
    assert fast().shape == (1,)
    assert {id(value) for value in fast.parameters} == {id(p), id(q)}


@pytest.mark.parametrize("K", [1, SOME], ids=["floats", "arrays"])
def test_kinks_take_the_slope_of_the_table(K):
    """Exact ties and zeros: relu'(0) = |0|' = step' = 0, and a tie belongs to the first, in chains, too."""
    p = [Value(1.0) for _ in range(4)]
    for function in (
        lambda x: (p[0] * x[0]).relu() + abs(p[1] * x[0]) + (p[2] * x[0]).step(),
        lambda x: m.maximum(p[0] * x[0], p[1] * x[0]) + m.minimum(p[2] * x[0], p[3] * x[0]),
        lambda x: reduce(m.maximum, [p_i * x[0] for p_i in p]),
        lambda x: reduce(m.minimum, [p_i * x[0] for p_i in p]),
    ):
        fast = m.compile(function, 1, parameters=p)
        for number in (0.0, 2.0):
            eager = m.grad(function([Value(number)]), p)
            assert fast.value_and_grad(np.full((K, 1), number))[1] == pytest.approx(eager, rel=1e-14)


def test_recorded_derivatives_compile():
    """The graph that `grad(…, create_graph=True)` records is a graph like any other: a gradient penalty."""
    p = values(4)

    def function(x):
        x = list(x)
        y = dot(p[:2], x, p[2]).tanh() * p[3]
        return y * y + sum(slope * slope for slope in m.grad(y, x, create_graph=True))

    assert_as_eager(function, 2)


def test_graph_recorded_outside_is_part_of_the_program():
    """What the function finds already recorded is computed anew, with the parameters of the call."""
    w = Value(0.5)
    scale = w.exp()
    fast = assert_as_eager(lambda x: scale * x[0], 1)
    w.data = 0.0
    assert fast([[3.0]]).tolist() == [3.0]
    assert fast.value_and_grad([[3.0]])[1].tolist() == [3.0]


def test_pruned_net_compiles():
    """Weights deleted by hand, each neuron with the inputs that it still has, and weights set to the constant 0."""
    net = m.MLP(4, [5, 3], seed=1)
    first, second = net.layers
    kept = [[0, 1, 2], [0, 1, 2, 3], [1], [0, 3], [0, 1, 2, 3]]
    for neuron, inputs in zip(first.neurons, kept, strict=True):
        neuron.w = [neuron.w[j] for j in inputs]
    second.neurons[1].w[2] = constant(0.0)
    del second.neurons[2].w[4]

    def pruned(x):
        pairs = zip(first.neurons, kept, strict=True)
        y = [dot(neuron.w, [x[j] for j in inputs], neuron.b).sigmoid() for neuron, inputs in pairs]
        return [dot(neuron.w, y[: len(neuron.w)], neuron.b).sigmoid() for neuron in second.neurons]

    assert_as_eager(pruned, 4)
    fast = assert_as_eager(lambda x, r: quadratic(pruned(x), r), 4, 3)
    wanted = {id(value) for value in net.parameters() if value.op != "constant"}
    assert {id(value) for value in fast.parameters} == wanted


def test_activations_used_in_several_places():
    """Skip connections, shared inputs and one vector twice: what is computed in place of a later stack stays readable."""
    first, second, third = m.Layer(3, 4), m.Layer(7, 3), m.Layer(11, 2)

    def skipping(x):
        y1 = first(x)
        y2 = second([*y1, *x])
        return third([*y1, *y2, *y1]) + [y.exp() for y in y1[1:]] + second([*y2, *y1])

    assert_as_eager(skipping, 3)
    assert_as_eager(lambda x, r: quadratic(skipping(x), r), 3, 8)


# It finds the matrices.


def naive(net, x, bias_first, activation):
    for layer in net.layers:
        products = [[w * x_j for w, x_j in zip(neuron.w, x, strict=True)] for neuron in layer.neurons]
        sums = [
            sum(terms, neuron.b) if bias_first else sum(terms) + neuron.b
            for terms, neuron in zip(products, layer.neurons, strict=True)
        ]
        x = [getattr(z, activation)() for z in sums]
    return x


@pytest.mark.parametrize("bias_first", [True, False])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("sizes", [[4, 2], [6, 5, 4, 3], [1], [2, 1, 2]])
def test_one_node_per_product_is_the_same_program(bias_first, activation, sizes):
    """Nets in micrograd's style compile to the matrix products, parameters and numbers of nets made of dots."""
    net = m.MLP(3, sizes, activation, seed=1)
    dots = m.compile(lambda x, r: quadratic(net(x), r), 3, sizes[-1])
    sums = m.compile(lambda x, r: quadratic(naive(net, x, bias_first, activation), r), 3, sizes[-1])
    assert all(a is b for a, b in zip(sums.parameters, net.parameters(), strict=True))
    assert all(a is b for a, b in zip(dots.parameters, net.parameters(), strict=True))
    forward, backward = len(sizes), 2 * len(sizes) - 1
    assert sums.source.count("matmul(") == dots.source.count("matmul(") == 2 * forward + backward
    X, R = batch([3, sizes[-1]], 50)
    assert (sums(X, R) == dots(X, R)).all()
    assert (sums.value_and_grad(X, R)[1] == dots.value_and_grad(X, R)[1]).all()


def test_sums_over_outputs_are_one_statement():
    """A cost over ten outputs costs no more statements than one over two."""
    lines = []
    for n in (2, 10):
        net = m.MLP(3, [4, n], seed=1)
        lines.append(len(for_batches(m.compile(lambda x, r, net=net: quadratic(net(x), r), 3, n)).splitlines()))
    assert lines[0] == lines[1]


def test_weight_decay_is_computed_once_not_once_a_sample():
    """What depends on parameters alone has one column: no work array of it grows with the batch."""
    p = values(50)
    passes = Passes(record(lambda x: dot(p, p) * x[0], [1]))
    computed = [node.shape for node in depth_first([passes.forward], attrgetter("parents")) if node.parents]
    assert all(shape.slots < 50 for shape in computed if shape.varies)
    assert any(shape.slots >= 50 for shape in computed)


@pytest.mark.parametrize("tied", [pytest.param(True, marks=pytest.mark.slow), False])
def test_deep_chain_compiles(tied):
    """3,000 operations on top of each other, with one parameter or with one for each; it pickles without recursion."""
    depth = 3000
    p = [Value(1.0 + 1e-4 * (i % 7)) for i in range(1 if tied else depth // 2)]

    def chain(x):
        y = x[0]
        for i in range(depth // 2):
            y = (y * p[i % len(p)]).sin()
        return y

    fast = pickle.loads(pickle.dumps(m.compile(chain, 1)))
    y = chain([Value(0.5)])
    slopes = m.grad(y, p)
    mean, gradient = fast.value_and_grad([[0.5]])
    bound = 2 * depth * ROUNDINGS * U  # each of the factors cos(…), p and y is off by a few roundings of its own kind
    assert abs(mean - y.data) <= bound
    assert (abs(gradient - slopes) <= depth * bound * np.abs(slopes).max()).all()


# The checks are checked.


def halved(partials):
    def wrong(*operands):
        first, *rest = partials(*operands)
        if isinstance(first, adjoints.Linear):
            return adjoints.Linear(lambda g: first * (0.5 * g)), *rest
        return 0.5 * first, *rest

    return wrong


def everything_that_moves(p, x):
    largest = reduce(m.maximum, [p_i * x[0] for p_i in p[:3]]) + reduce(m.minimum, [p_i * x[1] for p_i in p[:3]])
    return (
        largest + convolution(p, x) + one_weight_everywhere(p, x) + sum(q.sin() for q in p) * sum_of_unlike_terms(p, x)
    )


LEAVES = (arrays.flat, arrays.given, arrays.constants, arrays.uniform)


@pytest.mark.parametrize("op", [op for op in derivative.RULES if op not in LEAVES], ids=str)
def test_a_wrong_rule_is_caught(op, monkeypatch):
    """A planted mistake in how numbers move between shapes does not pass."""
    p = values(10)
    functions = [everything_that_moves, equal_nodes, recurrent, attention]
    monkeypatch.setitem(derivative.RULES, op, halved(derivative.RULES[op]))
    caught = 0
    for function in functions:
        try:
            assert_as_eager(lambda x, f=function: f(p, x), 6)
        except AssertionError:
            caught += 1
    assert caught > 0
