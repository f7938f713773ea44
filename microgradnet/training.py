"""`train`: mini-batch stochastic descent, as in the lecture, or with another optimizer.

Checks are made once per training or once per epoch; a batch pays for its gradient and its step. How a gradient is
computed is left to `_batch_gradients`; what a step does, to `optimizers`; what data and targets mean, to
`_samples`.

A step is finished when its parameters are known to be finite. The last finished step is written into the net, and into
the optimizer's attributes, at the end of each epoch, however it ends.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ._batch_gradients import CompiledCost, RecordedCost, numbers_of, run
from ._samples import Judge, as_samples, extremes, judge
from ._tables import html_table
from ._validation import Floats, counted, describe
from .costs import Cost, quadratic
from .nn import Module
from .optimizers import Adam, Descent, Optimizer, Rate
from .value import Value

_DEFAULT_RATE = 0.5


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
    """One pass through the training data; in a notebook, a table of one row.

    number: from 1. cost, accuracy: means over the epoch's samples, each measured just before the step that used it.
    seconds: spent on training so far, without validation and without what the caller does between epochs.
    validation_cost, validation_accuracy: measured on the validation data after the epoch; None without such data.

    Accuracy is the fraction of samples that come out right. With several outputs, the largest output must be where the
    largest target is; with one output and two different targets, the output must be on its target's side of the middle.
    It is None if the targets name no classes.

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

    def _repr_html_(self) -> str:
        cells = {
            "epoch": str(self.number),
            "cost": f"{self.cost:.4g}",
            "accuracy": _percent(self.accuracy),
            "validation cost": "" if self.validation_cost is None else f"{self.validation_cost:.4g}",
            "validation accuracy": _percent(self.validation_accuracy),
            "seconds": f"{self.seconds:.3g}",
        }
        known = {name: cell for name, cell in cells.items() if cell}
        return html_table([*known], [[*known.values()]])


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{fraction:.1%}"


def train(
    net: Module,
    X: npt.ArrayLike,
    R: npt.ArrayLike,
    cost: Cost = quadratic,
    learning_rate: Rate = _DEFAULT_RATE,
    epochs: int = 30,
    batch_size: int | None = None,
    seed: int | np.random.Generator | None = None,
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    compiled: bool = True,
    optimizer: Optimizer | None = None,
) -> Iterator[Epoch]:
    """Train a net in place; an iterator that yields an `Epoch` after each pass through the data.

    X: the samples x¹ … x^K, shape (K, inputs). R: the desired outputs, shape (K, outputs); shape (K,) for one output, or
    for class labels 0, 1, … of a net with several outputs, which become one-hot targets. Arrays of bools count as 0 and 1.

    cost: of one sample, such as `quadratic`: a function of two lists, the net's outputs y and the desired ones r, that
    gives a Value, as in lambda y, r: abs(y[0] - r[0]).

    batch_size: the lecture's K₀. Each epoch draws the samples in a new order without replacement, and takes a step for
    each K₀ of them; the last batch of an epoch may be smaller. None takes all K at once, which is steepest descent.
    seed: of that order, an int or a NumPy Generator.

    optimizer: what a step does with the gradient, `Descent`, `Adam` or the like. None is Descent(learning_rate), the
    lecture's a ← a − Δt ∂C₀/∂a. learning_rate: a number, or a function that gives it for the step's number, from 1.

    validation: a pair (X, R) of further data, to be measured after each epoch. compiled: run the cost through `compile`;
    False records each sample's graph and calls `backward` on it, which takes far longer and gives the same to rounding.

    Arguments are checked at once; training happens as the iterator is advanced, so the caller can stop after any epoch.
    To go on later with the same bits as if it had not stopped, call `train` again with the same optimizer and, as the
    seed, the same Generator; both can be pickled together with the net. Ctrl-C gives up the rest of its epoch.

    A ValueError or a TypeError for bad data. A `DivergenceError` names epoch and step when cost or parameters leave the
    finite numbers. Then, and after Ctrl-C, net and optimizer hold the last finished step. What the caller changes
    between epochs, such as a weight, an activation, or a number that the cost uses, counts from the next epoch on.

    >>> from microgradnet import MLP
    >>> net = MLP(2, [3, 1], seed=3)
    >>> X, R = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> for epoch in train(net, X, R, learning_rate=8.0, epochs=500):
    ...     pass
    >>> epoch.number, epoch.accuracy
    (500, 1.0)
    """
    if not isinstance(net, Module):
        raise TypeError(
            f"{describe(net)} arrived where a net was wanted: give an MLP, a Layer or a Neuron; for a model of your own, "
            "compile its cost and take steps with Adam, as in demos/your_own.ipynb"
        )
    if not callable(cost):
        raise TypeError(f"{describe(cost)} arrived where a cost was wanted: give a function such as quadratic")
    if validation is not None and not (isinstance(validation, (tuple, list)) and len(validation) == 2):
        raise TypeError(f"{describe(validation)} arrived where validation data were wanted: give a pair (X, R)")
    x, r = as_samples(net, X, R)
    held_out = None if validation is None else as_samples(net, *validation, prefix="validation ")
    optimizer = _optimizer(optimizer, learning_rate)
    _check_count(epochs, "epochs", None)
    if batch_size is not None:
        _check_count(batch_size, "batch_size", len(x))
    rng = np.random.default_rng(seed)
    _check_targets(net, cost, x, r, "")
    if held_out is not None:
        _check_targets(net, cost, *held_out, "validation ")
    method = (CompiledCost if compiled else RecordedCost)(net, cost, x[0], r[0])
    return _epochs(method, optimizer, (x, r), held_out, judge(r), epochs, batch_size or len(x), rng)


def _optimizer(optimizer: Optimizer | None, learning_rate: Rate) -> Optimizer:
    if hasattr(learning_rate, "step"):
        raise TypeError(f"{describe(learning_rate)} arrived as the learning rate: pass an optimizer as optimizer=…")
    if optimizer is None:
        return Descent(learning_rate)
    if (
        isinstance(optimizer, type)
        or not callable(getattr(optimizer, "step", None))
        or not hasattr(optimizer, "__dict__")
    ):
        raise TypeError(f"{describe(optimizer)} arrived where an optimizer was wanted: give one such as Adam(0.001)")
    if learning_rate != _DEFAULT_RATE:
        raise ValueError("learning_rate and optimizer arrived: give the learning rate to the optimizer")
    return optimizer


def _check_count(n: object, name: str, most: int | None) -> None:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1 or (most is not None and n > most):
        bound = "" if most is None else f" to {most}, the number of samples"
        raise ValueError(f"{name} is {describe(n)}: give a whole number from 1{bound}")


def _check_targets(net: Any, cost: Cost, X: Floats, R: Floats, prefix: str) -> None:
    """Try the cost on the extreme targets, because a compiled cost no longer checks them."""
    for k in extremes(R):
        try:
            found = run(net, X[k], R[k], cost)[0]
            if not isinstance(found, Value):
                raise TypeError(f"the cost gave {describe(found)} where a Value was wanted")
        except ArithmeticError:
            pass  # of the outputs as they are now; training will tell
        except (TypeError, ValueError) as error:
            error.add_note(
                f"(in sample {k} of {prefix}X and {prefix}R; train calls the cost with two lists, of "
                f"{counted(R.shape[1], 'output')} and as many targets: the first of each are y[0] and r[0])"
            )
            raise


def _epochs(
    method: CompiledCost | RecordedCost,
    optimizer: Optimizer,
    data: tuple[Floats, Floats],
    held_out: tuple[Floats, Floats] | None,
    accuracy: Judge | None,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
) -> Iterator[Epoch]:
    X, R = data
    seconds = 0.0
    for number in range(1, epochs + 1):
        start = time.perf_counter()
        method.refresh()
        order = rng.permutation(len(X))
        steps_before = (number - 1) * math.ceil(len(X) / batch_size)
        cost, outputs = _pass(method, optimizer, X, R, order, batch_size, f"epoch {number}", steps_before)
        seconds += time.perf_counter() - start
        right = accuracy(outputs, R[order]) if accuracy else None
        yield Epoch(number, cost, right, seconds, *_measured(method, held_out, accuracy, optimizer, number))


def _pass(
    method: CompiledCost | RecordedCost,
    optimizer: Optimizer,
    X: Floats,
    R: Floats,
    order: npt.NDArray[np.intp],
    batch_size: int,
    epoch: str,
    steps_before: int,
) -> tuple[float, Floats]:
    """One pass through the samples in this order: their mean cost, and their outputs, shape (outputs, K)."""
    theta = numbers_of(method.parameters)
    attributes = vars(optimizer)
    outputs = np.empty((R.shape[1], len(order)))
    total = 0.0
    finished = theta, attributes.copy()
    # Descent and Adam can do without a new array for each gradient and each result, which would take longer than the
    # arithmetic. Two arrays take turns: one holds the last finished step, the other the gradient and then the next step.
    in_place = cast("Descent | Adam | None", optimizer if type(optimizer) in (Descent, Adam) else None)
    spare = np.empty_like(theta)
    first = 0
    try:
        try:
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                for first in range(0, len(order), batch_size):
                    batch = order[first : first + batch_size]
                    x, r = X.take(batch, axis=0), R.take(batch, axis=0)
                    gradient = spare if in_place else np.empty_like(theta)
                    try:
                        cost = method.gradient(x, r, theta, gradient, outputs[:, first : first + batch_size])
                    except ValueError as error:  # a number left an operation's domain
                        raise ArithmeticError(error) from error
                    new = (
                        in_place.step_into(theta, gradient, gradient) if in_place else _step(optimizer, theta, gradient)
                    )
                    if not math.isfinite(cost):
                        raise ArithmeticError(f"the batch's cost is {cost}")
                    finished = new, attributes.copy()
                    theta, spare = new, theta
                    total += cost * len(batch)
        except ArithmeticError as error:
            step = steps_before + first // batch_size + 1
            raise _divergence(f"{epoch}, step {step}", error, optimizer) from error
        finally:
            _keep(method.parameters, optimizer, finished)
    except BaseException:
        _keep(method.parameters, optimizer, finished)  # once more: Ctrl-C may have come just before the first time
        raise
    return total / len(order), outputs


def _step(optimizer: Optimizer, theta: Floats, gradient: Floats) -> Floats:
    new = np.array(optimizer.step(theta, gradient), np.float64)
    if new.shape != theta.shape:
        raise TypeError(f"a step of {optimizer!r} gave shape {new.shape} for {theta.shape}: give parameters like theta")
    if not np.isfinite(new).all():
        raise ArithmeticError(f"a step of {optimizer!r} left the finite numbers")
    return new


_set_data = vars(Value)["_data"].__set__  # of the slot: C code


def _keep(parameters: Sequence[Value], optimizer: Optimizer, finished: tuple[Floats, dict[str, Any]]) -> None:
    """Write a finished step into the parameters and the optimizer's attributes.

    The writing is one call of `deque`, and all that it calls is C code, so Ctrl-C comes before or after it.
    """
    theta, attributes = finished
    writing: Iterator[Any] = chain(
        map(_set_data, parameters, theta.tolist()),
        map(dict.update, (vars(optimizer),), (attributes,)),
    )
    deque(writing, maxlen=0)


def _divergence(where: str, error: Exception, optimizer: Optimizer) -> DivergenceError:
    rate = getattr(optimizer, "learning_rate", None)
    advice = f"learning rate below {rate}" if isinstance(rate, float) else "smaller learning rate"
    return DivergenceError(
        f"training diverged in {where} ({error}); the net keeps the last finite parameters. Try a {advice}; if this is "
        "the very first step, look at the cost and the data"
    )


def _measured(
    method: CompiledCost | RecordedCost,
    data: tuple[Floats, Floats] | None,
    accuracy: Judge | None,
    optimizer: Optimizer,
    number: int,
) -> tuple[float | None, float | None]:
    """Cost and accuracy on the validation data."""
    if data is None:
        return None, None
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            cost, outputs = method.measure(*data)
    except (ArithmeticError, ValueError) as error:
        raise _divergence(f"epoch {number}, on the validation data", error, optimizer) from error
    return cost, accuracy(outputs, data[1]) if accuracy else None
