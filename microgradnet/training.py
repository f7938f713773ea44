"""Training: steepest descent, and mini-batch stochastic descent as in the lecture."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import as_number, as_table, describe
from .costs import quadratic
from .nn import Array, Module
from .value import Value, assign

Cost = Callable[[Any, Any], Value]


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the net holds its last finite parameters."""


@dataclass(frozen=True)
class Epoch:
    """One pass through the training data.

    number: from 1. cost, accuracy: means over the epoch's samples, each measured just before the step that used it.
    seconds: since training began. validation_cost, validation_accuracy: measured on the validation data after the
    epoch, None without such data.

    Accuracy is the fraction of samples told right: with several outputs, the largest is where the largest target is;
    with one output and two different targets, the output is on its target's side of the middle. It is None where
    the targets name no classes.
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
) -> Iterator[Epoch]:
    """Train a net in place; an iterator that yields an `Epoch` after each pass through the data.

    X: the samples x¹ … x^K, shape (K, inputs). R: the desired outputs, shape (K, outputs), or (K,) for one output.
    cost: of one sample, as `quadratic`. learning_rate: the lecture's Δt. batch_size: the lecture's K₀; every epoch
    draws the samples in a new order without replacement and takes a step
    a ← a − Δt ∂C₀/∂a for each K₀ of them (the last batch of an epoch may be smaller). None takes all K at once, which
    is steepest descent. seed: of that order.

    Arguments are checked at once; training happens as the iterator is advanced, so a caller can stop at any epoch.
    A ValueError or a TypeError for bad data. A `DivergenceError` names epoch and step when cost or parameters leave the
    finite numbers. Then, and after Ctrl-C, the net holds the parameters of its last finished step.
    """
    X, R = _samples(net, X, R, "X", "R")
    checked = None if validation is None else _samples(net, *validation, "validation X", "validation R")
    learning_rate = as_number(learning_rate)
    if not 0.0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate is {learning_rate}: it must be positive and finite")
    _whole(epochs, "epochs", None)
    if batch_size is not None:
        _whole(batch_size, "batch_size", len(X))
    return _epochs(net, X, R, cost, learning_rate, epochs, batch_size or len(X), np.random.default_rng(seed), checked)


def _epochs(
    net: Any,
    X: Array,
    R: Array,
    cost: Cost,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    validation: tuple[Array, Array] | None,
) -> Iterator[Epoch]:
    start = time.perf_counter()
    right = _judge(R)
    parameters = net.parameters()
    step = 0
    for number in range(1, epochs + 1):
        order = rng.permutation(len(X))
        total, hits = 0.0, 0
        for first in range(0, len(X), batch_size):
            batch = order[first : first + batch_size]
            step += 1
            try:
                for parameter in parameters:
                    parameter.grad = 0.0
                for k in batch:
                    outputs, c = _run(net, X[k], R[k], cost)
                    c.backward()
                    total += c.data
                    hits += right(outputs, R[k])
                new = [p.data - learning_rate * (p.grad / len(batch)) for p in parameters]
                if not math.isfinite(total) or not all(map(math.isfinite, new)):
                    raise ArithmeticError(f"the mean cost is {total / (first + len(batch))}")
            except (ArithmeticError, ValueError) as error:
                raise DivergenceError(
                    f"training diverged in epoch {number}, step {step} ({error}); the net keeps the last finite "
                    f"parameters. Try a learning rate below {learning_rate}"
                ) from error
            assign(parameters, new)
        seconds = time.perf_counter() - start
        accuracy = hits / len(X) if right is not _no_classes else None
        yield Epoch(number, total / len(X), accuracy, seconds, *_measure(net, cost, validation, right))


def _run(net: Any, x: Array, r: Array, cost: Cost) -> tuple[list[Value], Value]:
    y = net(x)
    outputs = y if isinstance(y, list) else [y]
    return outputs, cost(outputs, r)


def _measure(net: Any, cost: Cost, data: tuple[Array, Array] | None, right: Any) -> tuple[float | None, float | None]:
    if data is None:
        return None, None
    total, hits = 0.0, 0
    for x, r in zip(*data, strict=True):
        outputs, c = _run(net, x, r, cost)
        total += c.data
        hits += right(outputs, r)
    return total / len(data[0]), hits / len(data[0]) if right is not _no_classes else None


def _judge(R: Array) -> Callable[[list[Value], Array], bool]:
    """Tells, from outputs and targets, whether a sample came out right."""
    if R.shape[1] > 1:
        if not (np.sum(R.max(axis=1, keepdims=True) == R, axis=1) == 1).all():
            return _no_classes
        return lambda outputs, r: int(np.argmax([y.data for y in outputs])) == int(np.argmax(r))
    classes = np.unique(R)
    if len(classes) > 2:
        return _no_classes
    middle = 0.5 if len(classes) == 1 else float(classes.mean())
    return lambda outputs, r: (outputs[0].data >= middle) == bool(r[0] >= middle)


def _no_classes(outputs: list[Value], r: Array) -> bool:
    return False


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
