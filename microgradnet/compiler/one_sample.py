"""Small batches, sample by sample on plain floats: faster than NumPy for programs that compute few numbers.

The scalar program is generated when it is first needed. If it fails (outside a domain, or beyond the floats), the NumPy
program runs instead and finds the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, isnan
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy import empty, ndarray

from ..value import Value
from .normal_form import DOT, ELEMENTWISE, NormalForm
from .record import Recording
from .scalar_source import MOST_PUT, python_programs

# The cost model, in microseconds (measured).
_CALL, _OPERATION = 1.5, 0.025
_NUMPY_CALL, _STATEMENT = 4.0, 0.9
_BACKWARD = 3  # operations of a gradient per operation of its value
_MOST = 100_000  # operations of a scalar program; longer ones take seconds to compile


def worthwhile(form: NormalForm, statements: int, gradient: bool) -> int:
    """The largest number of samples for which the scalar program is faster. statements: of the NumPy program."""
    operations = 0
    for term in form.terms:
        if term.kind >= ELEMENTWISE:
            operations += 2 * len(term.operands[0]) if term.kind == DOT else max(1, len(term.operands) - 1)
    operations *= _BACKWARD if gradient else 1
    if operations > _MOST:
        return 0
    return int((_NUMPY_CALL + _STATEMENT * statements) / (_CALL + _OPERATION * operations))


_FLOAT64 = np.dtype(np.float64)
_FAILURES = (ValueError, ArithmeticError)


class OneSample:
    """The scalar programs of a recording. names: of its inputs. gradient: whether that of the first output is wanted.

    Data are arrays of float64, one per input, of shape (K, size); theta is a list of floats or an array.
    """

    def __init__(self, recording: Recording, parameters: Sequence[Value], names: Sequence[str], gradient: bool) -> None:
        self.source, functions = python_programs(recording.inputs, recording.outputs, parameters, names, gradient)
        namespace: dict[str, Any] = {name: op.value for name, op in functions.items()}
        namespace |= {f"put{n}": Struct(f"{n}d").pack_into for n in range(1, MOST_PUT + 1)}
        exec(compile(self.source, "<compiled by microgradnet>", "exec"), namespace)
        self._value: Callable[..., list[float]] = namespace["value"]
        self._gradient: Any = namespace.get("value_and_gradient")  # None without gradient
        self._count, self._shapes = len(parameters), [(1, len(values)) for values in recording.inputs]

    def values(self, rows: Sequence[npt.NDArray[Any]], theta: Any) -> npt.NDArray[Any] | None:
        """All outputs, one row each; None where an operation fails, or an output is NaN."""
        theta = theta if type(theta) is list else theta.tolist()
        try:
            found = [self._value(theta, *xs) for xs in _samples(rows)]
        except _FAILURES:
            return None
        if isnan(sum(map(sum, found))):  # so is the sum of ∞ and −∞; then NumPy computes all again
            return None
        return np.array(found).T

    def value_and_grad(self, batch: Sequence[Any], theta: Any) -> tuple[float, npt.NDArray[Any]] | None:
        """The first output and its gradient, for data that have not been checked; None if they are not exactly one sample in
        arrays of float64, if an operation fails, or if the value is not finite.
        """
        if self._gradient is None or len(batch) != len(self._shapes):
            return None
        for x, shape in zip(batch, self._shapes):  # noqa: B905  # equally long
            if type(x) is not ndarray or x.dtype is not _FLOAT64 or x.shape != shape:
                return None
        gradient, theta = empty(self._count), theta if type(theta) is list else theta.tolist()
        try:
            value, _ = self._gradient(gradient, theta, *map(ndarray.tolist, batch))
        except _FAILURES:
            return None
        return (value, gradient) if isfinite(value) else None

    def mean_into(
        self,
        gradient: npt.NDArray[Any],
        rows: Sequence[npt.NDArray[Any]],
        K: int,
        theta: Any,
        watched: npt.NDArray[Any] | None = None,
    ) -> float | None:
        """The mean of the first output; None where an operation fails, or the mean is not finite.

        Its gradient is put into `gradient`, a contiguous array, and the other outputs, one row each, into `watched`.
        """
        theta = theta if type(theta) is list else theta.tolist()
        try:
            if K == 1:
                mean, others = self._gradient(gradient, theta, *map(ndarray.tolist, rows))
            else:
                each = empty((K, self._count))
                found = [self._gradient(row, theta, *xs) for row, xs in zip(each, _samples(rows), strict=True)]
                values, others = zip(*found, strict=True)
                mean = sum(values) / K
                np.multiply(each, 1.0 / K, out=each).sum(axis=0, out=gradient)  # in this order, the sum cannot overflow
        except _FAILURES:
            return None
        if watched is not None:
            watched.T[...] = others
        return mean if isfinite(mean) else None


def _samples(rows: Sequence[npt.NDArray[Any]]) -> Iterable[tuple[list[list[float]], ...]]:
    """The inputs of one sample after the other, as lists of one row."""
    return zip(*[data[:, None].tolist() for data in rows], strict=True) if rows else [()]
