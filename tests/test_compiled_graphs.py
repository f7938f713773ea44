"""Compiled graphs compute what the recorded graphs say: random programs, each operation of the table, irregular graphs.

The oracle is the eager engine, within bounds from running error analysis (`compiled_programs`).
"""

import itertools
import pickle
from functools import reduce

import numpy as np
import pytest
from compiled_programs import (
    KINKS,
    NAMES,
    ROUNDINGS,
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
from microgradnet.value import as_value as constant


@pytest.mark.usefixtures("own_rows")
@given(
    steps=programs(),
    inputs=st.integers(1, 3),
    parameters=st.integers(0, 4),
    seed=st.integers(0, 2**20),
    shape=st.sampled_from(["last", "sum", "all"]),
    has_domain=st.booleans(),
)
def test_random_graphs_compile(steps, inputs, parameters, seed, shape, has_domain):
    """Sharing, mixed leaves, constants, one output or several, whatever people write on scalars: values and gradients.

    With a domain, that of a logarithm of the first input, calls that fail come between others.
    """
    rng = np.random.default_rng(seed)
    p = [Value(number) for number in np.float32(rng.normal(size=parameters)).tolist()]
    X = np.float32(rng.normal(size=(2, inputs))).astype(float)
    X[:, 0] = abs(X[:, 0]) if has_domain else X[:, 0]
    refused = np.full((1, inputs), -1.0)

    def function(x):
        values = run(steps, [*x, *p])
        if has_domain:
            values.append(values[-1] + x[0].log())
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
    assert_as_eager(function, inputs, X=[X], single=not far, refused=[refused] if has_domain else None)


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_compiles(name):
    """A row of the table on parameters, inputs, constants, what is made of them, groups, and the same operand twice."""
    p = [Value(number) for number in np.random.default_rng(0).uniform(0.3, 0.8, 5).tolist()]

    def operands(x):
        single = [p[0], x[0], 0.7, p[1] * x[0], p[2].sin(), x[1] + 0.3, p[3] * p[4], 2.0]
        yield from itertools.product(single, repeat=arity(name))
        yield [p[0] * x[0]] * arity(name)

    def function(x):
        results = [apply(name, arguments) for arguments in operands(x)]
        return sum([0.1 * (k + 1) * result for k, result in enumerate(results)])

    kink = name in KINKS and arity(name) == 2  # equal operands: the tie is exact only if both are the same number
    assert_as_eager(function, 2, gradient=not kink)
    assert_as_eager(lambda x: apply(name, [p[0] * x[1], p[1] - x[0]][: arity(name)]), 2)


# Graphs in which something is irregular, one by one: of ten parameters and six inputs.


def vectors_that_several_layers_take(p, x):
    y = [dot(p[i : i + 2], x[:2], p[i + 4]).sigmoid() for i in range(3)]
    z = [dot(p[i : i + 5], [*y, *x[:2]]).sigmoid() for i in range(2)]
    return dot(p[:8], [*y, *z, *y]).sin() + sum(y_i.exp() for y_i in y[1:]) + dot(p[3:7], [*z, *z], p[9]).cos()


def sum_read_before_its_bias(p, x):
    z = dot(p[:2], x[:2])
    return (z + p[2]).sin() * (z + p[3]).cos() + z.exp()


def weights_made_of_parameters(p, x):
    norm = dot(p[:6], p[:6]).sqrt()
    return sum(dot([w / norm for w in p[2 * i : 2 * i + 2]], x[:2], p[6] * p[6]).sin() for i in range(3))


def negated_sigmoids(p, x):
    minus = -dot(p[:2], x[:2])
    return minus.sigmoid() + (-p[0]).sigmoid() * (-x[0]).tanh() + (-minus).sigmoid() + minus.softplus()


def autoencoder_with_tied_weights(p, x):
    code = [dot(p[3 * i : 3 * i + 3], x[:3], p[6 + i]).sigmoid() for i in range(2)]
    return m.cross_entropy([dot([p[j], p[3 + j]], code, p[7 + j]).sigmoid() for j in range(3)], [x[0], 0.25, x[1]])


def sums_used_by_sums_and_dots(p, x):
    weight, bias, seen = p[0] + p[1], p[2] + p[3] + x[0], x[1] + x[2]
    dots = dot([weight], [x[3]]).sin() * dot([p[4]], [seen]).cos() * dot([p[5]], [x[4]], bias).exp()
    return dots + (weight + x[5]).sin() + (seen + p[6]).cos() + (bias + p[7]).tanh()


def gradient_penalty(p, x):
    y = dot(p[:2], x[:2], p[2]).tanh() * p[3]
    return y * y + sum(slope * slope for slope in m.grad(y, x[:2], create_graph=True))


FUNCTIONS = (
    vectors_that_several_layers_take, sum_read_before_its_bias, weights_made_of_parameters, negated_sigmoids,
    autoencoder_with_tied_weights, sums_used_by_sums_and_dots, gradient_penalty,
)  # fmt: skip
IRREGULAR = {function.__name__: function for function in FUNCTIONS} | {
    "vectors with gaps": lambda p, x: sum(dot(p[:2], [x[i], x[i + 3]], p[2]).tanh() for i in range(3)),
    "one that many take": lambda p, x: sum(
        ((p[i] * x[0]).sin() * (p[j] * x[0]).sin()).exp() for i, j in [*[(0, k) for k in range(1, 10)], (1, 0)]
    ),
    "rows that lag": lambda p, x: sum(dot(p[i : i + 3], x[:3], p[6]).tanh() for i in range(3)),
    "tied in a layer": lambda p, x: dot([p[0], p[0]], x[:2], p[0]).tanh() * dot([p[1], p[0]], x[:2], p[1]),
    "permuted": lambda p, x: dot([x[2].sin(), x[0].sin()], [x[1].sin(), x[3].sin()]) * dot(p[4:7], [x[2], x[0], x[1]]),
    "numbers as weights": lambda p, x: sum(dot([p[i], 0.0, 2.0], x[:3], p[3]).sigmoid() for i in range(3)),
    "numbers as biases": lambda p, x: dot(p[:2], x[:2], 1.5).tanh() * dot(p[:2], x[:2], -0.5) * dot(p[:2], x[:2]),
    "weights made later": lambda p, x: dot(p[:2], x[:2]).sin() + dot([w.tanh().sin() for w in p[2:4]], x[:2]).cos(),
    "weights that vary": lambda p, x: (
        dot([x[0], p[0]], [p[1], x[1]], x[0] * p[2]) + dot(x, x) + dot(x[:2], p[:2], p[4])
    ),
    "inputs that do not": lambda p, x: dot(p[:2], [3.0, 0.0], x[0]) + dot(p[:3], p[1:4], p[0]) * x[1],
    "products of numbers": lambda p, x: dot([1.0, 2.0], [3.0, 0.5]) * p[5] * x[0],
    "sum of unlike terms": lambda p, x: ((p[0] * x[0]).sin() + (p[1] * x[1]).cos() + p[2].exp() + x[2]).exp(),
    "equal nodes": lambda p, x: (
        (p[0] * x[0]).sin() * (p[0] * x[0]).sin() + (p[0] + p[0]) * (x[1] + x[1]) + (x[0] - x[0])
    ),
    "number to a power": lambda p, x: 2.0 ** (p[0] * x[0]) + 3.0 ** p[1] + (x[0] * x[0] + 1.0) ** p[2],
    "powers of like names": lambda p, x: (x[0] ** 1e-22 + p[0]) * (x[1] ** 1e22 + p[1]) * x[0] ** -1.5 * x[0] ** 1.5,
    "weight decay": lambda p, x: quadratic(dot(p[:2], x[:2], p[2]), x[2]) + 0.1 * sum(w * w for w in p) + dot(p, p),
    "ragged": lambda p, x: sum(reduce(m.maximum, [*x[:n], p[n]]) * reduce(m.maximum, x[:n]) * p[n] for n in (2, 3, 6)),
    "leaves alone": lambda p, x: sum(x) + sum(p) + 1.5,
}


@pytest.mark.parametrize("function", IRREGULAR.values(), ids=IRREGULAR)
def test_irregular_graph_compiles(function):
    """In one of the samples the first input is the largest."""
    p = [Value(number) for number in np.random.default_rng(0).normal(size=10).tolist()]
    (X,) = batch([6], 2)
    X[0, 0] = 0.95
    assert_as_eager(lambda x: function(p, x), 6, X=[X])


# Outputs, leaves, and what lies at the edges.


OUTPUTS = {
    "parameter": lambda p, x: p,
    "constant": lambda p, x: constant(3.0),
    "made of a constant": lambda p, x: 0 * x[0] + 3,
    "inputs alone": lambda p, x: x[0] * x[1],
    "all kinds, repeated": lambda p, x: [p, x[0], x[0] * p, constant(3.0), p, x[1], p * p],
    "one in a list": lambda p, x: [x[0] * p],
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_any_node_can_be_an_output(output):
    """A leaf, an input, a constant, or what depends on inputs alone; several have a column each, in their order."""
    p = Value(0.7)
    fast = assert_as_eager(lambda x: output(p, x), 2)
    assert fast.parameters in ([], [p])


def test_function_without_inputs_compiles():
    """compile(f) of parameters alone, called with nothing, is one sample."""
    p, q = Value(0.3), Value(0.4)
    fast = assert_as_eager(lambda: p * q.sin() + p * p)
    assert fast().shape == (1,)
    assert set(fast.parameters) == {p, q}


KINKED = {
    "zeros": lambda p, x: (p[0] * x[0]).relu() + abs(p[1] * x[0]) + (p[2] * x[0]).step(),
    "pairs": lambda p, x: m.maximum(p[0] * x[0], p[1] * x[0]) + m.minimum(p[2] * x[0], p[3] * x[0]),
    "largest": lambda p, x: reduce(m.maximum, [p_i * x[0] for p_i in p]),
    "smallest": lambda p, x: reduce(m.minimum, [p_i * x[0] for p_i in p]),
}


@pytest.mark.parametrize("function", KINKED.values(), ids=KINKED)
def test_kinks_take_the_slope_of_the_table(function):
    """Exact ties and zeros: relu'(0) = |0|' = step' = 0, and a tie belongs to the first, in chains, too."""
    p = [Value(1.0) for _ in range(4)]
    assert_as_eager(lambda x: function(p, x), 1, X=[[[0.0], [2.0]]])


def test_graph_recorded_outside_is_part_of_the_program():
    """What the function finds already recorded is computed anew, with the parameters of the call."""
    w = Value(0.5)
    scale = w.exp()
    fast = assert_as_eager(lambda x: scale * x[0], 1)
    w.data = 0.0
    assert fast([[3.0]]).tolist() == [3.0]
    assert fast.value_and_grad([[3.0]])[1].tolist() == [3.0]


def test_deep_chain_compiles():
    """1,200 operations on top of each other, each parameter in two of them; it pickles without recursion."""
    depth = 1200
    p = [Value(1.0 + 1e-4 * (i % 7)) for i in range(depth // 4)]

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
