"""Compiled graphs compute what the recorded graphs say: random programs, each operation of the table, irregular graphs.

The oracle is the eager engine, in every way of running a compiled function. Bounds come from running error analysis: to first
order, a result is off by the sum over all operations of the rounding error made there times the derivative of the result by it.
"""

import itertools
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_programs import KINKS, NAMES, apply, arity, away_from_kinks, own_rows, programs, run  # noqa: F401  # a fixture

import microgradnet as m
from microgradnet import Value, dot, quadratic
from microgradnet.graph import reverse, topological_order
from microgradnet.value import as_value

U = 2.0**-53  # the relative error of one rounding
SINGLE = 2.0**29  # so many times as large is that of float32
TINY = 2.0**-1074
ROUNDINGS = 8  # of an elementary function: NumPy's and libm's differ by a few units in the last place
SOME, CHUNK = 60, 1003  # samples: more than plain floats ever compute, and more than a chunk


def slack(node):
    """To first order, how far rounding moves the result of any summation order and any form of the rules."""
    order = topological_order(node)
    adjoints = {node: 1.0}
    reverse(order, adjoints, lambda inner: inner.partials)
    moved = sum(
        abs(adjoints[inner])
        * (abs(inner.data) + sum(abs(d * p.data) for d, p in zip(inner.partials, inner.parents, strict=True) if d))
        + abs(adjoints[inner]) * TINY / U
        for inner in order
        if adjoints.get(inner)
    )
    width = max((len(inner.parents) for inner in order), default=0)
    return (ROUNDINGS + width + len(order)) * U * moved


class Eager:
    """A function's eager results on some samples: numbers and bounds of outputs and, if it has one, of the gradient."""

    def __init__(self, function, X, parameters, gradient):
        K = len(X[0]) if X else 1
        results = [function(*[[Value(number) for number in x[k].tolist()] for x in X]) for k in range(K)]
        self.several = not isinstance(results[0], Value)
        self.runs = [[result] if isinstance(result, Value) else list(result) for result in results]
        self.values = numbers(self.runs)
        self.off = numbers(self.runs, slack)
        self.gradient = gradient and not self.several
        if self.gradient:
            slopes = [m.grad(run[0], parameters, create_graph=True) for run in self.runs]
            self.slopes = numbers(slopes).reshape(K, -1)
            self.slopes_off = numbers(slopes, slack).reshape(K, -1)


def numbers(rows, of=attrgetter("data")):
    return np.array([[of(value) for value in row] for row in rows])


def close(found, wanted, off):
    """Within the bound; what is infinite is the same."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted)
    finite = np.isfinite(wanted)
    assert (found[~finite] == wanted[~finite]).all()
    assert (abs(found - wanted)[finite] <= np.asarray(off)[finite]).all()


def assert_as_eager(function, *sizes, X=None, gradient=True, single=False, refused=None):
    """Compiled values, means and gradients are the eager ones: one sample (plain floats), all, some, over a chunk, after a
    pickle and, if asked for, in float32. Gives the compiled function.

    refused: samples outside the function's domain; if given, no call may notice another, either.
    """
    rng = np.random.default_rng(0)
    X = [rng.uniform(0.2, 0.9, (2, n)) for n in sizes] if X is None else [np.asarray(x, dtype=float) for x in X]
    fast = m.compile(function, *sizes)
    eager = Eager(function, X, fast.parameters, gradient)
    K = len(eager.runs)
    batches = [[k] for k in range(K)] + [np.resize(np.arange(K), n) for n in (K, SOME, CHUNK) if X]
    for rows in batches:
        assert_same(fast, X, eager, rows)
    assert_same(pickle.loads(pickle.dumps(fast)), X, eager, batches[-1])
    programs = [fast]
    if single:
        programs.append(m.compile(function, *sizes, dtype=np.float32))
        assert_same(programs[1], X, eager, batches[-1], SINGLE)
    if refused is not None:
        batches.append(K - 1 - batches[-1])
        for program in programs:
            assert_independent(program, [[x[rows] for x in X] for rows in batches], refused)
    return fast


def assert_same(fast, X, eager, rows, unit=1.0):
    K, data = len(rows), [x[rows] for x in X]
    wanted, off = eager.values[rows], unit * eager.off[rows]
    found = fast(*data)
    assert found.shape == (wanted.shape if eager.several else (K,))
    close(found.reshape(wanted.shape), wanted, off)
    if eager.gradient:
        mean, slopes = fast.value_and_grad(*data)
        close(mean, wanted.mean(), off.mean() + (K + 2) * unit * U * abs(wanted).mean())
        wanted, off = eager.slopes[rows], unit * eager.slopes_off[rows]
        close(slopes, wanted.mean(axis=0), off.mean(axis=0) + (K + 2 + ROUNDINGS) * unit * U * abs(wanted).mean(axis=0))


def assert_independent(fast, batches, refused):
    """Calls that succeed and calls that fail give the same bits and messages alone, after all others, and in four threads."""
    calls = [*batches, *[[np.concatenate(pair) for pair in zip(data, refused, strict=True)] for data in batches]]

    def outcome(data):
        try:
            values = fast(*data)
            mean, gradient = fast.value_and_grad(*data) if values.ndim == 1 else (0.0, values)
            return values.tobytes(), mean, gradient.tobytes()
        except (ArithmeticError, ValueError) as error:
            return str(error)

    alone = [outcome(data) for data in calls]
    for data, message in zip(batches, alone[len(batches) :], strict=True):
        assert message.startswith(f"sample {len(data[0])}: ")
    assert [outcome(data) for data in reversed(calls)] == alone[::-1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(outcome, 2 * calls)) == 2 * alone


# Random programs over the whole table.


@pytest.mark.usefixtures("own_rows", "switching_often")
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


def shared_vectors(p, x):
    y = [dot(p[i : i + 2], x[:2], p[i + 4]).sigmoid() for i in range(3)]
    z = [dot(p[i : i + 5], [*y, *x[:2]]).sigmoid() for i in range(2)]
    return dot(p[:8], [*y, *z, *y]).sin() + sum(y_i.exp() for y_i in y[1:]) + dot(p[3:7], [*z, *z], p[9]).cos()


def shared_sums(p, x):
    weight, bias, seen = p[0] + p[1], p[2] + p[3] + x[0], x[1] + x[2]
    dots = dot([weight], [x[3]]).sin() * dot([p[4]], [seen]).cos() * dot([p[5]], [x[4]], bias).exp()
    return dots + (weight + x[5]).sin() + (seen + p[6]).cos() + (bias + p[7]).tanh()


def tied_autoencoder(p, x):
    code = [dot(p[3 * i : 3 * i + 3], x[:3], p[6 + i]).sigmoid() for i in range(2)]
    return m.cross_entropy([dot([p[j], p[3 + j]], code, p[7 + j]).sigmoid() for j in range(3)], [x[0], 0.25, x[1]])


def gradient_penalty(p, x):
    y = dot(p[:2], x[:2], p[2]).tanh() * p[3]
    return y * y + sum(slope * slope for slope in m.grad(y, x[:2], create_graph=True))


def negated_sigmoids(p, x):
    minus = -dot(p[:2], x[:2])
    return minus.sigmoid() + (-p[0]).sigmoid() * (-x[0]).tanh() + (-minus).sigmoid() + minus.softplus()


FUNCTIONS = shared_vectors, shared_sums, tied_autoencoder, gradient_penalty, negated_sigmoids
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
    "weights made of parameters": lambda p, x: sum(
        dot([w / dot(p, p) for w in p[2 * i : 2 * i + 2]], x[:2], p[6] * p[6]).sin() for i in range(3)
    ),
    "weights made later": lambda p, x: dot(p[:2], x[:2]).sin() + dot([w.tanh().sin() for w in p[2:4]], x[:2]).cos(),
    "weights that vary": lambda p, x: (
        dot([x[0], p[0]], [p[1], x[1]], x[0] * p[2]) + dot(x, x) + dot(x[:2], p[:2], p[4])
    ),
    "sum of unlike terms": lambda p, x: ((p[0] * x[0]).sin() + (p[1] * x[1]).cos() + p[2].exp() + x[2]).exp(),
    "powers of like names": lambda p, x: (x[0] ** 1e-22 + p[0]) * (x[1] ** 1e22 + p[1]) * x[0] ** -1.5 * x[0] ** 1.5,
    "weight decay": lambda p, x: quadratic(dot(p[:2], x[:2], p[2]), x[2]) + 0.1 * sum(w * w for w in p) + dot(p, p),
}


@pytest.mark.parametrize("function", IRREGULAR.values(), ids=IRREGULAR)
def test_irregular_graph_compiles(function):
    p = [Value(number) for number in np.random.default_rng(0).normal(size=10).tolist()]
    assert_as_eager(lambda x: function(p, x), 6)


# Outputs, leaves, and what lies at the edges.


OUTPUTS = {
    "parameter": lambda p, x: p,
    "constant": lambda p, x: as_value(3.0),
    "made of a constant": lambda p, x: 0 * x[0] + 3,
    "inputs alone": lambda p, x: x[0] * x[1],
    "all kinds, repeated": lambda p, x: [p, x[0], x[0] * p, as_value(3.0), p, x[1], p * p],
    "one in a list": lambda p, x: [x[0] * p],
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_any_node_can_be_an_output(output):
    """A leaf, an input, a constant, or what depends on inputs alone; several have a column each, in their order."""
    p = Value(0.7)
    fast = assert_as_eager(lambda x: output(p, x), 2)
    assert fast.parameters in ([], [p])


def test_function_without_inputs_compiles():
    """Called with nothing, it is one sample."""
    p, q = Value(0.3), Value(0.4)
    fast = assert_as_eager(lambda: p * q.sin() + p * p)
    assert (fast().shape, {*fast.parameters}) == ((1,), {p, q})


def test_kinks_take_the_slope_of_the_table():
    """Exact ties and zeros: relu'(0) = |0|' = step' = 0, and a tie belongs to the first, in chains, too."""
    p = [Value(1.0) for _ in range(4)]

    def function(x):
        y = [p_i * x[0] for p_i in p]
        zeros, pairs = y[0].relu() + abs(y[1]) + y[2].step(), m.maximum(y[0], y[1]) + 2.0 * m.minimum(y[2], y[3])
        return zeros + 4.0 * pairs + 16.0 * reduce(m.maximum, y) + 32.0 * reduce(m.minimum, y)

    assert_as_eager(function, 1, X=[[[0.0], [2.0]]])


def test_deep_chain_compiles():
    """1,200 operations on top of each other: neither it nor its pickle recurses."""
    p = [Value(1.0), Value(1.01)]
    assert_as_eager(lambda x: reduce(lambda y, i: (y * p[i % 2]).sin(), range(600), x[0]), 1, X=[[[0.5]]])
