"""Forward against backward on one net: what each costs, and whether they agree.

`compare` runs the two sweeps of `graph`, the compiled program, and the lecture's two sets of formulas, and puts their
costs and results side by side. It changes no `.grad`. How multiplications are counted is left to `counting`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import formulas, ops
from .._tables import html_table
from .._validation import as_table, describe
from ..compiler import Compiled, compile
from ..costs import cross_entropy, quadratic
from ..formulas import Floats
from ..graph import forward, reverse, topological_order
from ..nn import MLP
from ..value import Value
from .counting import CountedFloat, Tally, counted

_COSTS: dict[Any, tuple[str, Callable[..., formulas.Derivatives]]] = {
    quadratic: ("quadratic", formulas.quadratic_gradient_forward),
    cross_entropy: ("cross_entropy", formulas.cross_entropy_gradient_forward),
}
_SECONDS = 0.05  # run each method for this long, to measure its time


class Measurement(NamedTuple):
    """What one method of computing a gradient took, and how exact its result is.

    method: its name. unknowns: the lecture's count. multiplications: how many it performed, without those of the forward
    pass. seconds: for the whole gradient, with the forward pass. max_error: the largest difference from the δ-recursion,
    in units in the last place of the gradient's largest entry.
    """

    method: str
    unknowns: int
    multiplications: int
    seconds: float
    max_error: float


@dataclass(frozen=True)
class Comparison:
    """What `compare` found: `rows`, one per method; as a str and in a notebook, a table."""

    title: str
    rows: list[Measurement]

    def __str__(self) -> str:
        lines = [self._NAMES, *self._cells()]
        rows = [f"{a:<16}{b:>12}{c:>18}{d:>11}{e:>13}" for a, b, c, d, e in lines]
        return "\n".join([self.title, *rows, self._NOTE])

    def _repr_html_(self) -> str:
        return html_table(self._NAMES, self._cells(), title=self.title, note=self._NOTE)

    _NAMES = ("method", "unknowns", "multiplications", "seconds", "max error")
    _NOTE = "max error: from the δ-recursion, in units in the last place (ulp) of the gradient's largest entry"

    def _cells(self) -> list[tuple[str, ...]]:
        return [(m, f"{u:,}", f"{n:,}", f"{seconds:.1e}", f"{e:.3g} ulp") for m, u, n, seconds, e in self.rows]


def compare(net: MLP, x: npt.ArrayLike, r: npt.ArrayLike, cost: Callable[[Any, Any], Value] = quadratic) -> Comparison:
    """The gradient of C = 1/K Σ_k cost(f(xᵏ), rᵏ) for all weights and biases, computed forward and backward.

    net: an `MLP`; it is not changed. x: one sample, shape (n_0,), or a batch, shape (K, n_0). r: the desired outputs,
    shape (n_p,) or (K, n_p); for n_p = 1 also a number or shape (K,). cost: `quadratic` or `cross_entropy`.

    The rows: backward on the recorded graph (one reverse sweep), forward on it (one sweep per parameter), the compiled
    program (its seconds do not include compiling), the lecture's δ-recursion, and the lecture's naive formulas.

    Unknowns are counted as in the lecture, for one sample. Backward, there is one δ for each node of the network:
    n_1 + … + n_p. Forward, each node has a derivative for each edge, so there are nodes times edges; an edge is a
    weight, an entry of some A⁽q⁾.

    Multiplications are those carried out for this gradient after the forward pass, which every method needs. On the
    graph, a sweep multiplies once for each edge between a parameter that it serves and the cost, also where the local
    derivative is 1, and never for a constant; the sweep backward thus takes as many as the live page shows. The graph has
    recorded σ′ in its forward pass, while the formulas multiply to get it. Nothing is multiplied by the lecture's zeros:
    naively, a node's derivative with respect to a weight takes one product in the weight's own layer, two in the next, and
    n + 1 in each later layer of n inputs. The compiled program multiplies by 1 where that saves a call, as in [A b] times
    (y, 1).

    A ValueError for shapes that do not fit, for another cost, for cross-entropy without a sigmoid in the last layer, and
    for different activations within a layer; a TypeError for what is not an `MLP` or holds no numbers.

    >>> result = compare(MLP(6, [4, 3, 1], seed=1), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 1.0)
    >>> for row in result.rows:
    ...     print(row.method, row.unknowns, row.multiplications)
    backward, graph 8 73
    forward, graph 312 545
    compiled 8 91
    δ-recursion 8 70
    naive formulas 312 404
    """
    if not isinstance(net, MLP):
        raise TypeError(f"{describe(net)} arrived where an MLP was wanted: compare takes a whole net")
    if cost not in _COSTS:
        raise ValueError(f"{describe(cost)} is not one of the lecture's costs: choose quadratic or cross_entropy")
    task = _Gradient(net, *_samples(net, x, r), cost)
    nodes, edges = sum(map(len, task.A)), sum(a.size for a in task.A)
    forward_pass = Tally()
    task.forward_pass(forward_pass)
    reference = task.delta_recursion(Tally())
    rows = []
    for method, unknowns, left_out, gradient in (
        ("backward, graph", nodes, 0, task.backward),
        ("forward, graph", nodes * edges, 0, task.forward),
        ("compiled", nodes, forward_pass.count, task.compiled),
        ("δ-recursion", nodes, forward_pass.count, task.delta_recursion),
        ("naive formulas", nodes * edges, forward_pass.count, task.naive_formulas),
    ):
        tally = Tally()
        gradient(tally)
        result, seconds = _timed(gradient)
        error = np.abs(result - reference).max() / np.spacing(np.abs(reference).max())
        rows.append(Measurement(method, unknowns, tally.count - left_out, seconds, float(error)))
    samples = "1 sample" if len(task.X) == 1 else f"{len(task.X)} samples"
    return Comparison(f"{net!r}; {samples}, {task.name.replace('_', '-')} cost", rows)


class _Gradient:
    """One gradient, by every method; a method that is given a tally counts its multiplications in it."""

    def __init__(self, net: MLP, X: Floats, R: Floats, cost: Callable[[Any, Any], Value]) -> None:
        self.net, self.X, self.R, self.cost = net, X, R, cost
        self.A, self.b = net.weights(), net.biases()
        self.kinds = [_activation(q, layer.neurons) for q, layer in enumerate(net.layers, 1)]
        self.name, self.naive = _COSTS[cost]

    def backward(self, tally: Tally | None = None) -> Floats:
        costs, seed = self._record(tally)
        adjoints = dict.fromkeys(costs, seed)
        reverse(topological_order(*costs), adjoints, _needed_partials)
        return np.array([float(adjoints.get(p, 0.0)) for p in self.net.parameters()])

    def forward(self, tally: Tally | None = None) -> Floats:
        costs, seed = self._record(tally)
        order = topological_order(*costs)
        gradient = []
        for parameter in self.net.parameters():
            tangents = {parameter: seed}
            forward(order, tangents, _needed_partials)
            gradient.append(float(sum(tangents.get(c, 0.0) for c in costs)))
        return np.array(gradient)

    @cached_property
    def program(self) -> Compiled:
        return compile(lambda x, r: self.cost(self.net(x), r), self.net.nin, self.net.nout)

    def compiled(self, tally: Tally | None = None) -> Floats:
        if tally is None:
            return self.program.value_and_grad(self.X, self.R)[1]
        gradient, K = np.empty(len(self.program.parameters)), len(self.X)
        X, theta = counted(self.X, tally), counted(self.program.theta(), tally)
        batches = self.program.execution.programs  # even for one sample
        batches.gradient([X, self.R], K, theta, gradient, None)
        return gradient

    def delta_recursion(self, tally: Tally | None = None) -> Floats:
        return _flat(formulas.delta_recursion(*self._arrays(tally), self.R, self.kinds, self.name))

    def naive_formulas(self, tally: Tally | None = None) -> Floats:
        return _flat(self.naive(*self._arrays(tally), self.R, self.kinds))

    def forward_pass(self, tally: Tally) -> None:
        A, b, X = self._arrays(tally)
        for x in X:
            formulas.forward_pass(A, b, x, self.kinds)

    def _record(self, tally: Tally | None) -> tuple[list[Value], float]:
        costs = [self.cost(self.net(x), r) for x, r in zip(self.X.tolist(), self.R.tolist(), strict=True)]
        seed = 1.0 / len(costs)  # the mean over the samples; both sweeps start from it
        return costs, seed if tally is None else CountedFloat(seed, tally)

    def _arrays(self, tally: Tally | None) -> tuple[list[Floats], list[Floats], Floats]:
        if tally is None:
            return self.A, self.b, self.X
        return [counted(a, tally) for a in self.A], self.b, counted(self.X, tally)


def _needed_partials(node: Value) -> Sequence[Any]:
    """The recorded partials; None for a constant, whose derivative nobody asks for."""
    pairs = zip(node.parents, node.partials, strict=True)
    return [None if parent.op == ops.constant else partial for parent, partial in pairs]


def _flat(gradients: Any) -> Floats:
    """In the order of `parameters()`: each neuron's weights, then its bias."""
    layers = zip(gradients.dA, gradients.db, strict=True)
    return np.concatenate([np.column_stack((dA, db)).ravel() for dA, db in layers])


def _timed(gradient: Callable[[], Floats]) -> tuple[Floats, float]:
    """The gradient, and the seconds of the fastest of several runs; of a single one if that takes long."""
    fastest, total = math.inf, 0.0
    while fastest == math.inf or total < _SECONDS:
        start = time.perf_counter()
        result = gradient()
        seconds = time.perf_counter() - start
        fastest, total = min(fastest, seconds), total + seconds
    return result, fastest


def _activation(q: int, neurons: Sequence[Any]) -> str:
    kinds = {neuron.activation for neuron in neurons}
    if len(kinds) != 1:
        raise ValueError(f"layer {q} mixes {' and '.join(sorted(kinds))}: the formulas know one activation per layer")
    return str(kinds.pop())


def _samples(net: MLP, x: Any, r: Any) -> tuple[Floats, Floats]:
    """x and r as arrays with one row per sample."""
    X, R = (as_table(data if hasattr(data, "__len__") else [data], name) for data, name in ((x, "x"), (r, "r")))
    if np.ndim(x) < 2 and len(X) == net.nin:  # one sample, which as_table made a column
        X = X.T
    if np.ndim(r) < 2 and len(X) == 1:
        R = R.T
    if X.shape[1] != net.nin:
        raise ValueError(f"x has shape {np.shape(x)}: give ({net.nin},) for one sample, or (K, {net.nin})")
    if R.shape != (len(X), net.nout):
        raise ValueError(f"r has shape {np.shape(r)}: give {(len(X), net.nout)}, one row for each sample in x")
    return X, R
