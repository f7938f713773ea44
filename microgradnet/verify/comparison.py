"""Forward against backward: what each costs, and whether they agree.

`compare` holds the two sweeps of `autodiff`, the compiled program and the lecture's two sets of formulas against each
other on one net. It changes no `.grad`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import formulas
from .._validation import as_table, describe
from ..compiler import Compiled, compile
from ..costs import cross_entropy, quadratic
from ..formulas import Array
from ..graph import forward, reverse, topological_order
from ..nn import MLP
from ..value import Value

_COSTS: dict[Any, tuple[str, Callable[..., formulas.Derivatives]]] = {
    quadratic: ("quadratic", formulas.quadratic_gradient_forward),
    cross_entropy: ("cross_entropy", formulas.cross_entropy_gradient_forward),
}
_ENOUGH = 0.05  # seconds of running tell how fast something is
_recorded = attrgetter("partials")  # a node's local derivatives, as numbers


# Forward against backward on one net.


class Row(NamedTuple):
    """One way to compute a gradient.

    method: its name. unknowns: the lecture's count. multiplications: those it performed, the forward pass left out.
    seconds: of the whole gradient, the forward pass included. max_error: the largest difference from the δ-recursion,
    in units in the last place of the gradient's largest entry.
    """

    method: str
    unknowns: int
    multiplications: int
    seconds: float
    max_error: float


@dataclass(frozen=True)
class Comparison:
    """What `compare` found: `rows`, one per method; as a str, a table."""

    title: str
    rows: list[Row]

    def __str__(self) -> str:
        lines = [self.title, f"{'method':<16}{'unknowns':>12}{'multiplications':>18}{'seconds':>11}{'max error':>13}"]
        for method, unknowns, multiplications, seconds, error in self.rows:
            lines.append(f"{method:<16}{unknowns:>12,}{multiplications:>18,}{seconds:>11.1e}{error:>9.3g} ulp")
        return "\n".join(lines)


def compare(net: MLP, x: npt.ArrayLike, r: npt.ArrayLike, cost: Callable[[Any, Any], Value] = quadratic) -> Comparison:
    """The gradient of C = 1/K Σ_k cost(f(xᵏ), rᵏ) for all weights and biases, forward and backward.

    net: an `MLP`, left as it is; x: one sample, shape (n_0,), or a batch, shape (K, n_0); r: the desired outputs, shape
    (n_p,) or (K, n_p), for n_p = 1 also a number or shape (K,); cost: `quadratic` or `cross_entropy`.

    The rows: backward on the recorded graph (one reverse sweep), forward on it (one sweep per parameter), the compiled
    program (the seconds do not include compiling), the lecture's δ-recursion, and its naive formulas. Unknowns are the
    lecture's, for one sample. Backward: the nodes of the network, n_1 + … + n_p, one δ each. Forward: nodes times edges,
    an edge being a weight, an entry of some A⁽q⁾: every node has a derivative for every edge. Multiplications are counted
    by numbers that notice when they are multiplied, while the method runs. The forward pass is left out, as all need it;
    on the graph it recorded the σ′ as well, which the formulas multiply to get. The compiled program multiplies by 1 where
    that spares a call, as with [A b] and (y, 1).

    A ValueError for shapes that do not fit, another cost, cross-entropy without a sigmoid in the last layer, or
    different activations within a layer; a TypeError for what is not an `MLP` or not numbers.

    >>> result = compare(MLP(6, [4, 3, 1], seed=1), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 1.0)
    >>> for row in result.rows:
    ...     print(row.method, row.unknowns, row.multiplications)
    backward, graph 8 75
    forward, graph 312 545
    compiled 8 91
    δ-recursion 8 70
    naive formulas 312 686
    """
    if not isinstance(net, MLP):
        raise TypeError(f"{describe(net)} arrived where an MLP was wanted")
    if cost not in _COSTS:
        raise ValueError(f"{describe(cost)} is no cost of the lecture's: choose quadratic or cross_entropy")
    task = _Gradient(net, *_samples(net, x, r), cost)
    nodes, edges = sum(map(len, task.A)), sum(a.size for a in task.A)
    passed = _Tally()
    task.forward_pass(passed)
    reference = task.delta_recursion(_Tally())
    rows = []
    for method, unknowns, left_out, gradient in (
        ("backward, graph", nodes, 0, task.backward),
        ("forward, graph", nodes * edges, 0, task.forward),
        ("compiled", nodes, passed.count, task.compiled),
        ("δ-recursion", nodes, passed.count, task.delta_recursion),
        ("naive formulas", nodes * edges, passed.count, task.naive_formulas),
    ):
        counted = _Tally()
        gradient(counted)
        result, seconds = _timed(gradient)
        error = np.abs(result - reference).max() / np.spacing(np.abs(reference).max())
        rows.append(Row(method, unknowns, counted.count - left_out, seconds, float(error)))
    samples = "1 sample" if len(task.X) == 1 else f"{len(task.X)} samples"
    return Comparison(f"{net!r}; {samples}, {task.name.replace('_', '-')} cost", rows)


class _Gradient:
    """One gradient by every method, each of which counts its multiplications if it gets a tally."""

    def __init__(self, net: MLP, X: Array, R: Array, cost: Callable[[Any, Any], Value]) -> None:
        self.net, self.X, self.R, self.cost = net, X, R, cost
        self.A, self.b = net.weights(), net.biases()
        self.kinds = [_activation(q, layer.neurons) for q, layer in enumerate(net.layers, 1)]
        self.name, self.naive = _COSTS[cost]

    def backward(self, tally: _Tally | None = None) -> Array:
        costs, seed = self._record(tally)
        adjoints = dict.fromkeys(costs, seed)
        reverse(topological_order(*costs), adjoints, _recorded)
        return np.array([float(adjoints.get(p, 0.0)) for p in self.net.parameters()])

    def forward(self, tally: _Tally | None = None) -> Array:
        costs, seed = self._record(tally)
        order = topological_order(*costs)
        gradient = []
        for parameter in self.net.parameters():
            tangents = {parameter: seed}
            forward(order, tangents, _recorded)
            gradient.append(float(sum(tangents.get(c, 0.0) for c in costs)))
        return np.array(gradient)

    @cached_property
    def program(self) -> Compiled:
        return compile(lambda x, r: self.cost(self.net(x), r), self.net.nin, self.net.nout)

    def compiled(self, tally: _Tally | None = None) -> Array:
        if tally is None:
            return self.program.value_and_grad(self.X, self.R)[1]
        gradient, K = np.empty(len(self.program.parameters)), len(self.X)
        x, theta = _counted(self.X.T, tally), _counted(self.program.theta(), tally)
        self.program.run("gradient", [x, self.R.T], theta, gradient, np.empty((0, K)), 1.0 / K)
        return gradient

    def delta_recursion(self, tally: _Tally | None = None) -> Array:
        return _flat(formulas.delta_recursion(*self._arrays(tally), self.R, self.kinds, self.name))

    def naive_formulas(self, tally: _Tally | None = None) -> Array:
        return _flat(self.naive(*self._arrays(tally), self.R, self.kinds))

    def forward_pass(self, tally: _Tally) -> None:
        A, b, X = self._arrays(tally)
        for x in X:
            formulas.forward_pass(A, b, x, self.kinds)

    def _record(self, tally: _Tally | None) -> tuple[list[Value], float]:
        costs = [self.cost(self.net(x), r) for x, r in zip(self.X.tolist(), self.R.tolist(), strict=True)]
        seed = 1.0 / len(costs)  # both sweeps start from it: the mean over the samples
        return costs, seed if tally is None else _CountedFloat(seed, tally)

    def _arrays(self, tally: _Tally | None) -> tuple[list[Array], list[Array], Array]:
        if tally is None:
            return self.A, self.b, self.X
        return [_counted(a, tally) for a in self.A], self.b, _counted(self.X, tally)


def _flat(gradients: Any) -> Array:
    """In the order of `parameters()`: each neuron's weights, then its bias."""
    layers = zip(gradients.dA, gradients.db, strict=True)
    return np.concatenate([np.column_stack((dA, db)).ravel() for dA, db in layers])


def _timed(gradient: Callable[[], Array]) -> tuple[Array, float]:
    """The gradient, and the seconds of the fastest of several runs, or of a single long one."""
    fastest, total = math.inf, 0.0
    while fastest == math.inf or total < _ENOUGH:
        start = time.perf_counter()
        result = gradient()
        seconds = time.perf_counter() - start
        fastest, total = min(fastest, seconds), total + seconds
    return result, fastest


def _activation(q: int, neurons: Sequence[Any]) -> str:
    kinds = {neuron.activation for neuron in neurons}
    if len(kinds) != 1:
        raise ValueError(f"layer {q} mixes {' and '.join(sorted(kinds))}: the formulas want one activation per layer")
    return str(kinds.pop())


def _samples(net: MLP, x: Any, r: Any) -> tuple[Array, Array]:
    """x and r as arrays with one row per sample."""
    X, R = (as_table(data if hasattr(data, "__len__") else [data], name) for data, name in ((x, "x"), (r, "r")))
    if np.ndim(x) < 2 and len(X) == net.nin:  # one sample, which as_table takes for a column
        X = X.T
    if np.ndim(r) < 2 and len(X) == 1:
        R = R.T
    if X.shape[1] != net.nin:
        raise ValueError(f"x has shape {np.shape(x)}: wanted is ({net.nin},) or (K, {net.nin})")
    if R.shape != (len(X), net.nout):
        raise ValueError(f"r has shape {np.shape(r)}: wanted is {(len(X), net.nout)}, a row for every sample in x")
    return X, R


# Numbers that notice when they are multiplied.


class _Tally:
    def __init__(self) -> None:
        self.count = 0


class _CountedFloat(float):
    tally: _Tally

    def __new__(cls, number: float, tally: _Tally) -> _CountedFloat:
        self = super().__new__(cls, number)
        self.tally = tally
        return self

    def __mul__(self, other: float) -> _CountedFloat:
        self.tally.count += 1
        return _CountedFloat(float.__mul__(self, other), self.tally)

    def __add__(self, other: float) -> _CountedFloat:
        return _CountedFloat(float.__add__(self, other), self.tally)

    __rmul__, __radd__ = __mul__, __add__


class _CountedArray(np.ndarray[Any, np.dtype[np.float64]]):
    tally: _Tally

    def __array_finalize__(self, parent: Any) -> None:
        self.tally = getattr(parent, "tally", _Tally())

    def __array_ufunc__(self, ufunc: np.ufunc, method: Any, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            options["out"] = tuple([_plain(x) for x in options["out"]])
        result = getattr(ufunc, method)(*[_plain(x) for x in inputs], **options)
        if ufunc is np.multiply:
            self.tally.count += result.size
        elif ufunc is np.matmul:
            self.tally.count += result.size * inputs[0].shape[-1]
        return _counted(result, self.tally)


def _counted(array: Any, tally: _Tally) -> Any:
    result = np.asarray(array).view(_CountedArray)
    result.tally = tally
    return result


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, _CountedArray) else x
