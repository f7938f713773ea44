"""The lecture's first unit: it decides, and cannot learn by steepest descent, because its derivative is 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._validation import as_number, flat
from .functions import dot
from .value import Operand, Value


class Perceptron:
    """The lecture's threshold unit: 1 if w·x + b ≥ 0, else 0.

    weights: n numbers; bias: a number. Calling it with n numbers gives the int 0 or 1; if Values are among them, it gives
    a Value. Raises a ValueError for another number of inputs.

    >>> nand = Perceptron([-2, -2], 3)
    >>> [nand([p, q]) for p in (0, 1) for q in (0, 1)]
    [1, 1, 1, 0]
    """

    def __init__(self, weights: Sequence[float], bias: float) -> None:
        self.weights = [as_number(w) for w in weights]
        self.bias = as_number(bias)

    def __call__(self, x: Sequence[Operand]) -> Any:
        x = flat(x)
        z = dot(self.weights, x, self.bias)
        z.label = "z"
        y = z.step()
        y.label = "y"
        return y if any(isinstance(x_j, Value) for x_j in x) else int(y.data)

    def __repr__(self) -> str:
        return f"Perceptron({self.weights}, {self.bias})"
