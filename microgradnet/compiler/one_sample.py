"""Small batches as plain floats, sample by sample: faster than NumPy where a program has few numbers to compute.

The scalar program is made when it is first needed. Wherever it fails (outside a domain, or beyond the floats), the NumPy
program is asked, which finds out why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..value import Value
from .normal_form import DOT, ELEMENTWISE, NormalForm
from .record import Recording
from .scalar_source import python_programs

# Microseconds, measured: a call and an operation of a scalar program, a statement and a call of a NumPy program.
_CALL, _OPERATION = 1.5, 0.025
_NUMPY_CALL, _STATEMENT = 4.0, 0.9
_BACKWARD = 3  # a gradient takes so many times the operations of its value
_MOST = 100_000  # operations of a scalar program: compiling longer ones would take seconds


def worthwhile(form: NormalForm, statements: int, gradient: bool) -> int:
    """Up to which number of samples the scalar program is the faster one. statements: of the NumPy program."""
    operations = 0
    for term in form.terms:
        if term.kind >= ELEMENTWISE:
            operations += 2 * len(term.operands[0]) if term.kind == DOT else max(1, len(term.operands) - 1)
    operations *= _BACKWARD if gradient else 1
    if operations > _MOST:
        return 0
    return int((_NUMPY_CALL + _STATEMENT * statements) / (_CALL + _OPERATION * operations))


class OneSample:
    """The scalar programs of a recording. names: of its inputs."""

    def __init__(self, recording: Recording, parameters: Sequence[Value], names: Sequence[str]) -> None:
        self.source, functions = python_programs(recording.inputs, recording.outputs, parameters, names)
        namespace: dict[str, Any] = {name: op.value for name, op in functions.items()}
        exec(compile(self.source, "<compiled by microgradnet>", "exec"), namespace)
        self._value: Callable[..., list[float]] = namespace["value"]
        self._gradient: Callable[..., tuple[float, list[float], list[float]]] = namespace["value_and_gradient"]

    def values(self, samples: Sequence[list[list[float]]], theta: list[float], out: npt.NDArray[Any]) -> bool:
        """Put all outputs into `out`, one row each; False where an operation fails.

        samples: per input, its rows.
        """
        try:
            for k, xs in enumerate(zip(*samples, strict=True)):
                out[:, k] = self._value(theta, *xs)
        except (ValueError, ArithmeticError):
            return False
        return True

    def gradient(
        self,
        samples: Sequence[list[list[float]]],
        K: int,
        theta: list[float],
        gradient: npt.NDArray[Any],
        watched: npt.NDArray[Any] | None,
    ) -> float | None:
        """The mean of the first output, its gradient into `gradient`, the others into `watched`; None if one fails."""
        total = 0.0
        try:
            for k, xs in enumerate(zip(*samples, strict=True)):
                value, slopes, others = self._gradient(theta, *xs)
                total += value
                if k == 0:
                    gradient[...] = slopes
                else:
                    gradient += slopes
                if watched is not None:
                    watched[:, k] = others
        except (ValueError, ArithmeticError):
            return None
        if K > 1:
            gradient /= K
        return total / K
