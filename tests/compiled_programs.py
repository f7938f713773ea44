"""The compiler's oracle: compiled values and gradients against those of the eager engine, in every way of running them.

Bounds come from running error analysis: to first order, a result is off by the sum over all operations of the rounding
error made there times the derivative of the result by it. And random scalar programs to try it on.
"""

import inspect
import math
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import strategies as st

import microgradnet as m
from microgradnet import Value, dot, maximum, minimum, ops
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


def batch(sizes, K, seed=0, low=0.2, high=0.9):
    rng = np.random.default_rng(seed)
    return [rng.uniform(low, high, (K, size)) for size in sizes]


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
    X = batch(sizes, 2) if X is None else [np.asarray(x, dtype=float) for x in X]
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
    with ThreadPoolExecutor(4) as pool, switching_often():
        assert list(pool.map(outcome, 2 * calls)) == 2 * alone


@contextmanager
def switching_often():
    """Threads take turns in the middle of a call, too."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


# Random programs over the whole table.

POWERS = ["**0", "**1", "**2", "**3", "**-1", "**-2", "**0.5", "**1.5", "**-0.5"]
NAMES = [name for name in ops.TABLE if name != "dot"] + POWERS
KINKS = ("relu", "step", "abs", "maximum", "minimum")
POSITIVE = {"/": [1], "**": [0], "log": [0], "sqrt": [0], "xlogy": [1]}


def arity(name):
    return len(inspect.signature(ops.named(name).partials).parameters) - 1


def apply(name, operands):
    """The operation on these operands, brought into its domain first."""
    positive = [0] if name in POWERS and float(name[2:]) not in (1, 2, 3) else POSITIVE.get(name, [])
    operands = [as_value(operand) for operand in operands]
    operands = [x * x + 0.5 if i in positive else x for i, x in enumerate(operands)]
    if name == "xlog1my":  # a pole at 1
        operands[-1] = 0.5 - operands[-1] * operands[-1]
    if name == "exp" or name == "**":
        operands[-1] = operands[-1].sin() * 2.0
    return ops.named(name)(*operands)


def softmax(z):
    largest = reduce(maximum, z)
    powers = [((z_j - largest).sin()).exp() for z_j in z]
    return [power / sum(powers) for power in powers]


WORDS = {  # what is written again and again in programs on scalars, of seven operands
    "dot": lambda v: [dot(v[:3], v[3:6], v[6])],
    "products": lambda v: [sum([a * b for a, b in zip(v[:3], v[3:6], strict=True)], v[6])],
    "layer": lambda v: [dot(v[i : i + 2], v[5:], v[i + 2]).sigmoid() for i in range(3)],
    "windows": lambda v: [dot(v[:2], v[i : i + 2], v[6]).tanh() for i in range(2, 5)],
    "scan": lambda v: [reduce(lambda h, x: (v[0] * h + v[1] * x).tanh(), v[3:], v[2])],
    "attention": lambda v: [dot(softmax([dot(v[:2], v[i : i + 2]) for i in range(1, n)]), v[8 - n :]) for n in (2, 4)],
    "softmax of some": lambda v: [y for n in (1, 2, 3) for y in softmax(v[:n])],
    "unequal sums": lambda v: [sum(x.sin() for x in v[:n]) * v[n] for n in (2, 3, 6)],
    "largest": lambda v: [reduce(maximum, v[:n]) * v[n] for n in (2, 3, 6)],
    "smallest": lambda v: [reduce(minimum, v[:n]) * v[n] for n in (2, 3, 6)],
    "detach": lambda v: [v[0].detach() * v[1], dot([v[2].detach(), v[3]], v[4:6])],
    "far factors": lambda v: [1e-200 * (1e200 * v[0]), (1e200 * (v[1] * v[2])) * 1e-200, v[3] * 1e-200 * 1e200 + v[4]],
    "far constants": lambda v: [maximum(v[0], -math.inf), minimum(math.inf, v[1]) * v[2], v[3] + -0.0, -0.0 * v[4]],
    "own": lambda v: [ops.TABLE["sin(x); y"](v[0] * v[1]), ops.TABLE["power_3"](v[2], v[3])],
}


def in_words(name, picked):
    picked = [as_value(x) for x in picked]
    return [as_value(y) for y in WORDS[name](picked)] if name in WORDS else [apply(name, picked[: arity(name)])]


@pytest.fixture(scope="module")
def own_rows():
    """Two rows of a user's own, one with NumPy's help, under names that the source must not use."""
    before = dict(ops.TABLE)
    ops.row(
        "sin(x); y",
        lambda x: x * abs(x),
        lambda x, out=None: np.multiply(x, abs(x), out=out),
        lambda x, y: (2.0 * abs(x),),
    )
    ops.row("power_3", lambda a, b: a * a - b, None, lambda a, b, y: (2.0 * a, -1.0))
    yield
    ops.TABLE.clear()
    ops.TABLE.update(before)


@st.composite
def programs(draw):
    """Steps (operation, operands), where an operand is a number or the index of something computed before."""
    operand = st.one_of(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -0.3]))
    names = st.one_of(st.sampled_from([*WORDS]), st.sampled_from(NAMES))
    return draw(st.lists(st.tuples(names, st.lists(operand, min_size=7, max_size=7)), min_size=1, max_size=10))


def run(steps, leaves):
    """Everything that a program computes."""
    values = list(leaves)
    for name, operands in steps:
        picked = [x if isinstance(x, float) else values[-1 - x % len(values)] for x in operands]
        values += in_words(name, picked)
    return values


def away_from_kinks(values):
    """Whether rounding cannot choose another branch."""
    for node in topological_order(*values):
        if node.op in KINKS:
            a, *b = node.parents
            if not (b and a is b[0]) and abs(a.data - (b[0].data if b else 0.0)) < 1e-6:
                return False
    return True
