"""The compiler's passes, each alone: what it makes of small programs, and that it keeps their numbers.

The oracles: golden files that were reviewed, and the meaning of each operation on arrays (`value_of`). To renew the golden
files, run this file as a script and review the difference. That no two live arrays share a work array is shown by the
numbers of random programs, in test_compiled_graphs.py.
"""

from functools import reduce
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import microgradnet as m
from microgradnet import Value, dot, maximum, ops, quadratic
from microgradnet.compiler import array_ops, derivative, rewrites
from microgradnet.compiler.array_graph import ArrayGraph, Shape, describe
from microgradnet.compiler.programs import Passes
from microgradnet.compiler.record import record
from microgradnet.graph import depth_first

GOLDEN = Path(__file__).parent / "golden"


# One small program of each kind.


P = [Value(0.1 * (i + 1) * (-1) ** i) for i in range(12)]
NET = m.MLP(3, [4, 2], seed=1)


def number_by_number(x):
    y = [sum(w * x_j for w, x_j in zip(P[3 * i : 3 * i + 2], x, strict=True)) + P[3 * i + 2] for i in range(2)]
    return P[6] * y[0].tanh() + P[7] * y[1].tanh()


def convolution(x):
    maps = [dot(P[3 * i : 3 * i + 2], x[t : t + 2], P[3 * i + 2]).sigmoid() for i in range(2) for t in range(3)]
    return sum(P[6 + t % 3] * y for t, y in enumerate(maps))


def attention(x):
    q, k, v = [[[dot(P[s + 2 * i : s + 2 * i + 2], x[t : t + 2]) for i in range(2)] for t in (0, 2)] for s in (0, 4, 8)]
    outputs = []
    for t in range(2):
        scores = [dot(q[t], k[s]) for s in range(t + 1)]
        largest = reduce(maximum, scores)
        weights = [(score - largest).exp() for score in scores]
        outputs += [dot(weights, column) / sum(weights) for column in zip(*v[: t + 1], strict=True)]
    return quadratic(outputs, [0.0, 1.0, 0.5, 0.25])


def recurrent(x):
    h = reduce(lambda h, x_t: (P[0] * h + P[1] * x_t + P[2]).tanh(), x, Value(0.0))
    return h * h


def scalar_function(x):
    z = P[0] * x[0]
    products = z.sin() * x[1].exp() + x[1].cos() * z.tanh() + z.softplus() * (x[1] / x[0])
    return products + maximum(P[0], x[1]) / x[0] - 2.0 ** x[0] + z**2 * (2.0 * z)


def three_inputs(x, y, z):
    shared = x[0] + y[0] + z[0]
    chains = (shared + P[1]) * shared * reduce(maximum, [x[0], y[0], P[2], z[0]])
    return [chains, x[0].sigmoid() * (-x[0]).sigmoid(), dot(x, [P[3]]) * (x[0] * P[3]), P[0]]


KINDS = {
    "net": (lambda x, r: quadratic(NET(x), r), 3, 2),
    "net_number_by_number": (number_by_number, 2),
    "convolution": (convolution, 4),
    "attention": (attention, 4),
    "recurrent": (recurrent, 9),
    "scalar_function": (scalar_function, 2),
    "three_inputs": (three_inputs, 1, 1, 1),
}


def printed(kind):
    function, *sizes = KINDS[kind]
    passes = Passes(record(function, sizes))
    sections = {"normal form": passes.form, "likeness": passes.likeness, "array graph": describe(passes.forward)}
    if passes.derived:
        sections |= {"derivative": describe(*passes.derived), "rewrites": describe(*passes.rewritten)}
    fast = m.compile(function, *sizes)
    sections |= {"source": fast.source, "print": fast}
    return "\n\n".join([f"== {name}\n\n{content}" for name, content in sections.items()]).rstrip() + "\n"


def golden(kind):
    return GOLDEN / f"compiled_{kind}.txt"


@pytest.mark.parametrize("kind", KINDS)
def test_passes_print_what_was_reviewed(kind):
    assert printed(kind) == golden(kind).read_text(encoding="utf-8")


# Rewrites and derivatives keep what arrays mean.


def value_of(root, theta, X):
    """The array's numbers, straight from the meaning of each operation: rows × columns × K, or × 1 if it does not vary."""
    K = X.shape[1]
    meaning = {
        array_ops.flat: lambda node: theta[:, None, None],
        array_ops.given: lambda node: X[:, None, :],
        array_ops.constants: lambda node: np.array(node.detail, float).reshape(
            *(node.shape[:2] if len(node.detail) > 1 else (1, 1)), 1
        ),
        array_ops.uniform: lambda node: np.float64(node.detail[0] if node.detail[1] else node.detail[0] / K),
        array_ops.take: lambda node, a: a.reshape(-1, a.shape[2])[list(node.detail)].reshape(*node.shape[:2], -1),
        array_ops.regroup: lambda node, a: a.reshape(*node.shape[:2], -1),
        array_ops.stretch: lambda node, a: a,
        array_ops.transpose: lambda node, a: a.swapaxes(0, 1),
        array_ops.stack: lambda node, *parts: np.concatenate(
            [np.broadcast_to(a, (len(a), node.shape.columns, K if node.shape.varies else 1)) for a in parts]
        ),
        array_ops.matmul: lambda node, a, b: np.einsum("rjk,jck->rck", a, b),
        array_ops.outer: lambda node, a, b: np.einsum("rck,jck->rj", a, b)[:, :, None],
        array_ops.sum_rows: lambda node, a: a.sum(axis=0, keepdims=True),
        array_ops.sum_columns: lambda node, a: a.sum(axis=(1, 2), keepdims=True),
        array_ops.max_rows: lambda node, a: a.max(axis=0, keepdims=True),
        array_ops.min_rows: lambda node, a: a.min(axis=0, keepdims=True),
        array_ops.first_largest: lambda node, a: 1.0 * (np.arange(len(a))[:, None, None] == a.argmax(axis=0)),
        array_ops.first_smallest: lambda node, a: 1.0 * (np.arange(len(a))[:, None, None] == a.argmin(axis=0)),
        array_ops.total: lambda node, a: node.detail * a.sum(axis=(0, 1)).mean() * np.ones((1, 1, 1)),
        array_ops.squared_length: lambda node, a: node.detail * (a * a).sum(axis=(0, 1)).mean() * np.ones((1, 1, 1)),
        array_ops.minus_exponential: lambda node, a: np.exp(-a),
        array_ops.logistic: lambda node, e: 1.0 / (1.0 + e),
        ops.sigmoid: lambda node, a: 1.0 / (1.0 + np.exp(-a)),
    }
    now = {}
    for node in depth_first([root], attrgetter("parents")):
        args = [now.get(arg, arg) for arg in node.args]
        found = meaning[node.op](node, *args) if node.op in meaning else np.positive(node.op.array(*args))
        now[node] = np.broadcast_to(found, (*node.shape[:2], K if node.shape.varies else 1))
    return now[root]


@pytest.mark.parametrize("slots", [[0, 1, 2, 3, 4, 5], [5, 0], [2, 2, 2], [1, 3, 5, 1]], ids=str)
def test_a_take_has_its_slots_of_any_array(slots):
    graph, wide = ArrayGraph(), Shape(3, 2, False)
    theta, x = graph.theta(6), graph.input(0, 6)
    numbers = [graph.numbers(some, 3, 2) for some in ([0.5] * 6, [1.0, 2.0, 1.0, 3.0, 4.0, 2.0])]
    moved = [graph.take(theta, [5, 3, 3, 1, 0, 4], 3, 2), graph.regroup(x, 3, 2), graph.uniform(wide, 0.5, True)]
    stretched = [graph.stretch(graph.take(theta, [4, 2, 5][:n], *shape), wide) for n, *shape in ((2, 1, 2), (3, 3, 1))]
    data = np.arange(6.0), np.random.default_rng(0).normal(size=(6, 5))
    for array in [*numbers, *moved, *stretched]:
        wanted = value_of(array, *data).reshape(6, -1)[slots]
        assert (value_of(graph.take(array, slots, len(slots), 1), *data)[:, 0] == wanted).all()


def a_biased_product(graph, theta, x):
    matrix, bias = graph.take(theta, [0, 1, 3, 4], 2, 2), graph.take(theta, [2, 5], 2, 1)
    return graph.matmul(matrix, graph.elementwise(ops.tanh, x)) + bias


MADE_FOR = {
    rewrites.bias_in_the_product: a_biased_product,
    rewrites.sigmoid_in_halves: lambda graph, _, x: (
        graph.elementwise(ops.sigmoid, x) * graph.elementwise(ops.sigmoid, -x)
    ),
    rewrites.detached: lambda graph, _, x: graph.elementwise(ops.detach, x) * x,
    rewrites.difference: lambda graph, _, x: graph.elementwise(ops.sin, x) + -graph.elementwise(ops.cos, x),
    rewrites.sign_behind_the_sum: lambda graph, _, x: graph.reduce(ops.add, -graph.elementwise(ops.sin, x)),
    rewrites.total_of_the_parts: lambda graph, _, x: graph.node(
        array_ops.total, (0.5 * graph.reduce(ops.add, x**2.0),), Shape(1, 1, False), 1.0
    ),
}


@pytest.mark.parametrize("rule", [*rewrites.LAYERS, *rewrites.PROGRAM], ids=lambda rule: rule.__name__)
def test_rules_apply_and_keep_the_numbers(rule):
    graph = ArrayGraph()
    root = MADE_FOR[rule](graph, graph.theta(6), graph.input(0, 2))
    new = rewrites.Rewriting(graph, [root], [rule])[root]
    assert new is not root
    rng = np.random.default_rng(0)
    theta, X = rng.normal(size=6), rng.normal(size=(2, 5))
    assert value_of(new, theta, X) == pytest.approx(value_of(root, theta, X), rel=1e-14)


def test_derivatives_of_structural_operations_are_differences():
    """Stacks, takes with repeated slots, stretched rows and columns, products, sums and extremes, in one graph."""
    graph = ArrayGraph()
    theta, x = graph.theta(6), graph.input(0, 2)
    y = graph.elementwise(ops.sin, graph.matmul(graph.take(theta, [0, 1, 2, 3, 1, 0], 3, 2), x))
    z = graph.stack([y, graph.take(y, [2, 2], 2, 1), graph.stretch(graph.take(theta, [4], 1, 1), Shape(2, 1, False))])
    wide = graph.regroup(graph.take(z, [0, 1, 2, 3, 4, 5], 6, 1), 3, 2) * graph.take(theta, [5], 1, 1)
    root = graph.reduce(ops.add, graph.regroup(wide * wide, 6, 1))
    root = root + graph.reduce(ops.maximum, y) * graph.reduce(ops.minimum, z)
    rng = np.random.default_rng(0)
    numbers, X = rng.normal(size=6), rng.normal(size=(2, 4))
    gradient = np.zeros(6)
    for slots, array in derivative.differentiate(graph, root, theta).parts:
        np.add.at(gradient, list(slots), value_of(array, numbers, X).ravel())
    h = 1e-6
    for i, step in enumerate(h * np.eye(6)):
        difference = (value_of(root, numbers + step, X) - value_of(root, numbers - step, X)).mean() / (2 * h)
        assert gradient[i] == pytest.approx(difference, rel=1e-7, abs=1e-9)


if __name__ == "__main__":
    for kind in KINDS:
        golden(kind).write_text(printed(kind), encoding="utf-8")
