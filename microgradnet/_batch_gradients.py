"""Two ways to the gradient of a batch: the cost recorded anew for each sample, or compiled once.

Both give the same numbers up to rounding, and notice what the caller changes in the net between epochs. `training` takes
the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from operator import attrgetter, is_
from typing import Any

import numpy as np

from . import ops
from ._readings import active, note
from ._validation import Floats, describe
from .compiler.record import Recording, record, same_program
from .compiler.replay import recorded_again
from .compiler.running import Compiled
from .costs import Cost
from .graph import topological_order
from .value import Value


class RecordedCost:
    """The cost, recorded anew for each sample.

    Nodes that the cost uses and that were recorded outside of it, such as a penalty on the weights that was written down
    once, hold old numbers as soon as the weights have changed. Two recordings have them in common. From then on, each
    recording is computed again from its leaves.
    """

    def __init__(self, net: Any, cost: Cost, x: Floats, r: Floats) -> None:
        self.net, self.cost = net, cost
        self.has_old_nodes = False
        self.last_nodes: set[Value] = set()
        self.refresh()
        with suppress(ArithmeticError):  # of the net as it is now; training will tell
            for _ in range(2):
                self._recorded(x, r)

    def refresh(self) -> None:
        """Read the net again."""
        self.parameters = _parameters(self.net)
        self.to_compare = 2  # recordings, each with the one before

    def gradient(self, X: Floats, R: Floats, theta: Floats, gradient: Floats, outputs: Floats) -> float:
        """The mean cost; its gradient, and the outputs, shape (outputs, samples), are written into arrays."""
        for p, number in zip(self.parameters, theta.tolist(), strict=True):
            p.data = number
            p.grad = 0.0
        total = 0.0
        with np.errstate(over="ignore", invalid="ignore", divide="warn"):
            for k, (x, r) in enumerate(zip(X, R, strict=True)):
                c, *y = self._recorded(x, r)
                c.backward()
                total += c.data
                outputs[:, k] = [y_j.data for y_j in y]
            gradient[...] = [p.grad / len(X) for p in self.parameters]
        if not np.isfinite(gradient).all():
            raise ArithmeticError("the gradient is not finite")
        return total / len(X)

    def measure(self, X: Floats, R: Floats) -> tuple[float, Floats]:
        """Mean cost and the outputs, for the numbers that the parameters hold."""
        rows = [[v.data for v in self._recorded(x, r)] for x, r in zip(X, R, strict=True)]
        costs, *outputs = np.array(rows).T
        return float(costs.mean()), np.array(outputs)

    def _recorded(self, x: Floats, r: Floats) -> list[Value]:
        values = run(self.net, x, r, self.cost)
        if self.to_compare and not self.has_old_nodes:
            inner_nodes = set(topological_order(*values))
            self.has_old_nodes = not inner_nodes.isdisjoint(self.last_nodes)
            self.last_nodes = inner_nodes
            self.to_compare -= 1
        if not self.has_old_nodes:
            return values
        now: dict[Value, Value] = {}
        for node in topological_order(*values):
            now[node] = recorded_again(node, now)
        return [now.get(value, value) for value in values]


class CompiledCost:
    """The cost, compiled; the same methods. Compiled again when the net or the cost records another graph."""

    def __init__(self, net: Any, cost: Cost, x: Floats, r: Floats) -> None:
        self.net, self.cost = net, cost
        self.sample = x, r  # to record now and then
        self._compile()

    def _compile(self) -> None:
        self.listed = self.net.parameters()  # perhaps with one twice
        self.parameters = _parameters(self.net)
        recording = record(lambda x, r: run(self.net, x, r, self.cost), (self.net.nin, self.net.nout))
        self.recording = recording._replace(several=False)
        # the cost's own parameters, which are not trained, follow those of the net
        self.program = Compiled(self.recording, parameters=self.parameters, watched=self.net.nout)

    def refresh(self) -> None:
        """Take net and cost as they now are."""
        if not self._is_unchanged():
            self._compile()
        self.fixed = numbers_of(self.program.parameters[len(self.parameters) :])

    def _is_unchanged(self) -> bool:
        listed = self.net.parameters()
        if len(listed) != len(self.listed) or not all(map(is_, listed, self.listed)):
            return False
        x, r = ([Value(number) for number in numbers.tolist()] for numbers in self.sample)
        try:
            values = run(self.net, x, r, self.cost)
        except (ArithmeticError, ValueError):
            return True  # the sample is outside a domain; the program will tell which
        return same_program(self.recording, Recording([x, r], values, several=False))

    def gradient(self, X: Floats, R: Floats, theta: Floats, gradient: Floats, outputs: Floats) -> float:
        if not self.fixed.size:
            return self.program.mean_into(gradient, (X, R), theta, outputs)
        all_slopes = np.empty(len(self.program.parameters))
        cost = self.program.mean_into(all_slopes, (X, R), np.concatenate((theta, self.fixed)), outputs)
        gradient[...] = all_slopes[: len(gradient)]
        return cost

    def measure(self, X: Floats, R: Floats) -> tuple[float, Floats]:
        costs, *outputs = self.program.rows((X, R), None)
        return float(costs.mean()), np.array(outputs)


def run(net: Any, x: Any, r: Any, cost: Cost) -> list[Value]:
    """The cost of one sample, then the net's outputs."""
    y = net(x)
    outputs = y if isinstance(y, list) else [y]
    return [cost(outputs, list(r)), *outputs]


def _parameters(net: Any) -> list[Value]:
    """The net's parameters, each once, which must be leaves."""
    parameters: list[Value] = list(dict.fromkeys(net.parameters()))
    for p in parameters:
        if not isinstance(p, Value):
            raise TypeError(f"{describe(p)} is among the net's parameters: make it a Value, Value({p!r})")
        if p.op != ops.leaf:
            raise TypeError(f"{describe(p)} is a parameter that was computed: train takes parameters made by Value(…)")
    return parameters


_get_data = attrgetter("_data")


def numbers_of(parameters: Sequence[Value]) -> Floats:
    if active:
        note(*parameters)
    return np.fromiter(map(_get_data, parameters), np.float64, len(parameters))
