"""Training: steepest descent, and mini-batch stochastic descent as in the lecture."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._validation import as_number, as_table, describe
from .compiler.record import record
from .compiler.running import Compiled, assign
from .costs import quadratic
from .nn import Array, Module
from .value import Value

Cost = Callable[[Any, Any], Value]
Judge: TypeAlias = Callable[[Array, Array], int]


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the net holds its last finite parameters.

    >>> from microgradnet import MLP
    >>> net = MLP(1, [1], output_activation="linear", seed=1)
    >>> try:
    ...     for epoch in train(net, [1.0, -2.0], [2.0, 4.0], learning_rate=1e6, epochs=100):
    ...         pass
    ... except DivergenceError as error:
    ...     print(np.isfinite(net.weights()[0]).all())
    True
    """


@dataclass(frozen=True)
class Epoch:
    """One pass through the training data.

    number: from 1. cost, accuracy: means over the epoch's samples, each measured just before the step that used it.
    seconds: spent on training so far; not on validation, nor by the caller between epochs. validation_cost,
    validation_accuracy: measured on the validation data after the epoch, None without such data.

    Accuracy is the fraction of samples told right: with several outputs, the largest is where the largest target is;
    with one output and two different targets, the output is on its target's side of the middle. It is None where
    the targets name no classes.

    >>> epoch = Epoch(number=3, cost=0.5, accuracy=0.9, seconds=1.25)
    >>> f"{epoch.number}: {epoch.cost:.2f}, {epoch.accuracy:.0%}"
    '3: 0.50, 90%'
    """

    number: int
    cost: float
    accuracy: float | None
    seconds: float
    validation_cost: float | None = None
    validation_accuracy: float | None = None


def train(
    net: Module,
    X: npt.ArrayLike,
    R: npt.ArrayLike,
    cost: Cost = quadratic,
    learning_rate: float = 0.5,
    epochs: int = 30,
    batch_size: int | None = None,
    seed: int | None = None,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    compiled: bool = True,
) -> Iterator[Epoch]:
    """Train a net in place; an iterator that yields an `Epoch` after each pass through the data.

    X: the samples x¹ … x^K, shape (K, inputs). R: the desired outputs, shape (K, outputs), or (K,) for one output.
    cost: of one sample, as `quadratic`: a function of two lists, the net's outputs y and the desired ones r, that gives a
    Value, as in lambda y, r: abs(y[0] - r[0]). learning_rate: the lecture's Δt. batch_size: the lecture's K₀; every epoch draws the samples in a new order without replacement and takes a step
    a ← a − Δt ∂C₀/∂a for each K₀ of them (the last batch of an epoch may be smaller). None takes all K at once, which
    is steepest descent. seed: of that order. compiled: run the cost through `compile`; False records every sample's
    graph and calls `backward` on it, which takes far longer and gives the same to rounding.

    Arguments are checked at once; training happens as the iterator is advanced, so a caller can stop at any epoch.
    A ValueError or a TypeError for bad data. A `DivergenceError` names epoch and step when cost or parameters leave the
    finite numbers. Then, and after Ctrl-C, the net holds the parameters of its last finished step.

    >>> from microgradnet import MLP
    >>> net = MLP(2, [3, 1], seed=3)
    >>> X, R = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> for epoch in train(net, X, R, learning_rate=8.0, epochs=500):
    ...     pass
    >>> epoch.number, epoch.accuracy
    (500, 1.0)
    """
    if not isinstance(net, Module):
        raise TypeError(f"{describe(net)} arrived where a net was wanted: an MLP, a Layer or a Neuron")
    if not callable(cost):
        raise TypeError(f"{describe(cost)} arrived where a cost was wanted: a function such as quadratic")
    if validation is not None and not (isinstance(validation, (tuple, list)) and len(validation) == 2):
        raise TypeError(f"{describe(validation)} arrived where validation data were wanted: a pair (X, R)")
    X, R = _samples(net, X, R, "X", "R")
    checked = None if validation is None else _samples(net, *validation, "validation X", "validation R")
    learning_rate = as_number(learning_rate)
    if not 0.0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate is {learning_rate}: it must be positive and finite")
    _whole(epochs, "epochs", None)
    if batch_size is not None:
        _whole(batch_size, "batch_size", len(X))
    for k in (np.argmin(R) // R.shape[1], np.argmax(R) // R.shape[1]):
        try:
            _run(net, X[k], R[k], cost)  # a cost that refuses some targets refuses the extreme ones
        except TypeError as error:
            error.add_note(f"(train calls the cost with two lists, of {R.shape[1]} outputs and as many targets)")
            raise
    method = _Compiled(net, cost) if compiled else _Eager(net, cost)
    return _epochs(method, X, R, learning_rate, epochs, batch_size or len(X), np.random.default_rng(seed), checked)


def _epochs(
    method: _Compiled | _Eager,
    X: Array,
    R: Array,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    validation: tuple[Array, Array] | None,
) -> Iterator[Epoch]:
    right = _judge(R)
    seconds = 0.0
    step = 0
    for number in range(1, epochs + 1):
        start = time.perf_counter()
        theta = np.array([p.data for p in method.parameters])
        order = rng.permutation(len(X))
        total, hits = 0.0, 0
        try:
            for first in range(0, len(X), batch_size):
                batch = order[first : first + batch_size]
                step += 1
                x, r = X[batch], R[batch]
                with _divergence(f"epoch {number}, step {step}", learning_rate):
                    cost, gradient, outputs = method.gradient(x, r, theta)
                    new = theta - learning_rate * gradient
                    if not (math.isfinite(cost) and np.isfinite(new).all()):
                        raise ArithmeticError(f"the batch's cost is {cost}")
                theta = new
                total += cost * len(batch)
                hits += right(outputs, r) if right else 0
        finally:  # however the epoch ends
            assign(method.parameters, theta.tolist())
        seconds += time.perf_counter() - start
        accuracy = hits / len(X) if right else None
        with _divergence(f"epoch {number}, on the validation data", learning_rate):
            measured = _measure(method, validation, theta, right)
        yield Epoch(number, total / len(X), accuracy, seconds, *measured)


@contextmanager
def _divergence(where: str, learning_rate: float) -> Iterator[None]:
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except (ArithmeticError, ValueError) as error:
        raise DivergenceError(
            f"training diverged in {where} ({error}); the net keeps the last finite parameters. Try a learning rate "
            f"below {learning_rate}; if this is the very first step, look at the cost and the data"
        ) from error


class _Eager:
    """Gradients by recording every sample's graph."""

    def __init__(self, net: Any, cost: Cost) -> None:
        self.net, self.cost, self.parameters = net, cost, net.parameters()

    def gradient(self, X: Array, R: Array, theta: Array) -> tuple[float, Array, Array]:
        """Mean cost, its gradient, and the outputs, one row per sample."""
        assign(self.parameters, theta.tolist())
        for p in self.parameters:
            p.grad = 0.0
        total, outputs = 0.0, []
        for x, r in zip(X, R, strict=True):
            c, *y = _run(self.net, x, r, self.cost)
            c.backward()
            total += c.data
            outputs.append([y_j.data for y_j in y])
        return total / len(X), np.array([p.grad for p in self.parameters]) / len(X), np.array(outputs)

    def values(self, X: Array, R: Array, theta: Array) -> tuple[float, Array]:
        """Mean cost, and the outputs; of the parameters that the net holds."""
        rows = [[v.data for v in _run(self.net, x, r, self.cost)] for x, r in zip(X, R, strict=True)]
        costs, *outputs = np.array(rows).T
        return float(costs.mean()), np.array(outputs).T


class _Compiled:
    """Gradients by the compiled cost; the same methods."""

    def __init__(self, net: Any, cost: Cost) -> None:
        recording = record(lambda x, r: _run(net, x, r, cost), (net.nin, net.nout))._replace(several=False)
        self.program = Compiled(recording, watched=net.nout)
        self.parameters = self.program.parameters
        trained = set(map(id, net.parameters()))
        self.fixed = [i for i, p in enumerate(self.parameters) if id(p) not in trained]  # the cost's own, if any

    def gradient(self, X: Array, R: Array, theta: Array) -> tuple[float, Array, Array]:
        gradient, outputs = np.empty_like(theta), np.empty((R.shape[1], len(X)))
        cost = self.program.mean_into(gradient, (X, R), theta, outputs)
        gradient[self.fixed] = 0.0
        return cost, gradient, outputs.T

    def values(self, X: Array, R: Array, theta: Array) -> tuple[float, Array]:
        costs, *outputs = self.program.rows((X, R), theta)
        return float(costs.mean()), np.array(outputs).T


def _run(net: Any, x: Any, r: Any, cost: Cost) -> list[Value]:
    """The cost of one sample, then the net's outputs."""
    y = net(x)
    outputs = y if isinstance(y, list) else [y]
    return [cost(outputs, list(r)), *outputs]


def _measure(
    method: _Compiled | _Eager, data: tuple[Array, Array] | None, theta: Array, right: Judge | None
) -> tuple[float | None, float | None]:
    if data is None:
        return None, None
    cost, outputs = method.values(*data, theta)
    return cost, right(outputs, data[1]) / len(outputs) if right else None


def _judge(R: Array) -> Judge | None:
    """Counts, from outputs and targets, the samples that came out right; None where the targets name no classes."""
    if R.shape[1] > 1:
        if not (np.sum(R.max(axis=1, keepdims=True) == R, axis=1) == 1).all():
            return None
        return lambda y, r: int(np.sum(y.argmax(axis=1) == r.argmax(axis=1)))
    classes = np.unique(R)
    if len(classes) > 2:
        return None
    middle = 0.5 if len(classes) == 1 else float(classes.mean())
    return lambda y, r: int(np.sum((y >= middle) == (r >= middle)))


def _samples(net: Any, X: npt.ArrayLike, R: npt.ArrayLike, x_name: str, r_name: str) -> tuple[Array, Array]:
    x, r = as_table(X, x_name), as_table(R, r_name)
    if len(x) != len(r):
        raise ValueError(f"{x_name} has {len(x)} samples and {r_name} has {len(r)}: there must be as many")
    for table, name, wanted in ((x, x_name, net.nin), (r, r_name, net.nout)):
        if table.shape[1] != wanted:
            raise ValueError(f"{name} has {table.shape[1]} columns where this {type(net).__name__} wants {wanted}")
    return x, r


def _whole(n: object, name: str, most: int | None) -> None:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1 or (most is not None and n > most):
        bound = "" if most is None else f" to {most}, the number of samples"
        raise ValueError(f"{name} is {describe(n)}: wanted is a whole number from 1{bound}")
