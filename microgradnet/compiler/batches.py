"""Data for a compiled function: one array per input, of its dtype, with a sample per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy import ndarray

from .._readings import Demand
from .._validation import as_array, counted, one_hot

Numbers: TypeAlias = npt.NDArray[Any]


def as_rows(
    batch: Sequence[Any], widths: Sequence[int], dtype: np.dtype[Any], demanded: Sequence[Range] = ()
) -> tuple[list[Numbers], int]:
    """The data as arrays of shape (K, width), and the number of samples K.

    batch: an array per input, shape (K, width); for width 1 also (K,). Data of the dtype are not copied. A TypeError or
    ValueError for what does not fit, or lies outside a range that is demanded.
    """
    if len(batch) != len(widths):
        hint = ", and parameters as theta=…" if len(batch) == len(widths) + 1 else ""
        raise TypeError(
            f"{counted(len(batch), 'array')} arrived where the function takes {len(widths)}: give one per input{hint}"
        )
    rows: list[Numbers] = []
    K = -1
    for data in batch:
        width = widths[len(rows)]
        if type(data) is not ndarray or data.dtype is not dtype or len(shape := data.shape) != 2 or shape[1] != width:
            data = _converted(data, len(rows) + 1, width, dtype)
            shape = data.shape
        if shape[0] != K != -1:
            raise ValueError(f"the inputs have {K} and {shape[0]} samples: give each as many")
        K = shape[0]
        rows.append(data)
    if K == 0:
        raise ValueError("an empty batch arrived: give at least one sample")
    if demanded:
        _refuse_outside(rows, demanded)
    return rows, abs(K)  # 1 without inputs


def _converted(data: Any, j: int, width: int, dtype: np.dtype[Any]) -> Numbers:
    array = as_array(data, f"input {j}")
    if array.ndim == 1 and width == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != width:
        hint = ""
        if array.shape == (width,):
            hint = f"; a single sample is {'[x]' if isinstance(data, (list, tuple)) else 'X[None]'}"
        elif array.ndim == 1 and array.dtype.kind in "iu":
            hint = f"; {one_hot(width)}"
        raise ValueError(f"input {j} has shape {array.shape}: it must be (samples, {width}){hint}")
    return cast(array, dtype, f"input {j}")


def cast(numbers: Any, dtype: np.dtype[Any], what: str) -> Numbers:
    """Numbers as an array of this dtype; an OverflowError for a finite number that it cannot hold."""
    array = np.asarray(numbers)
    with np.errstate(over="ignore"):
        result = array.astype(dtype, copy=False)
    if result is not array and (lost := np.isinf(result) & np.isfinite(array)).any():
        raise OverflowError(
            f"{what} holds {array[lost][0]}, beyond {dtype}: compile the function with dtype=numpy.float64"
        )
    return result


def as_theta(theta: Any, count: int, dtype: np.dtype[Any]) -> Numbers:
    """Numbers for all parameters as one flat array; a TypeError or ValueError for what does not fit."""
    if type(theta) is ndarray and theta.dtype is dtype and theta.ndim == 1 and theta.size == count:
        return theta
    numbers = cast(as_array(theta, "theta"), dtype, "theta")
    if numbers.shape != (count,):
        raise ValueError(f"theta has shape {numbers.shape}: it must be ({count},), one number per parameter")
    return numbers


class Range(NamedTuple):
    """Columns of an input whose numbers must lie in a range, and why; None stands for all columns."""

    j: int
    columns: list[int] | None
    low: float
    high: float
    why: str


def ranges(inputs: Sequence[Sequence[Any]], demands: Sequence[Demand]) -> list[Range]:
    """What is demanded of the inputs, given the leaves of each."""
    at = {value: (j, column) for j, values in enumerate(inputs) for column, value in enumerate(values)}
    found: dict[tuple[int, float, float, str], list[int]] = {}
    for value, low, high, why in demands:
        j, column = at[value]
        found.setdefault((j, low, high, why), []).append(column)
    return [
        Range(j, None if sorted(set(columns)) == list(range(len(inputs[j]))) else sorted(set(columns)), low, high, why)
        for (j, low, high, why), columns in found.items()
    ]


def _refuse_outside(rows: Sequence[Numbers], demanded: Sequence[Range]) -> None:
    """A ValueError that names the first number outside a range that is demanded, judged by the extremes of the batch."""
    for j, columns, low, high, why in demanded:
        part = rows[j] if columns is None else rows[j][:, columns]
        if part.min() < low or part.max() > high:
            sample, column = np.argwhere((part < low) | (part > high))[0]
            place = column if columns is None else columns[column]
            raise ValueError(f"sample {sample}: input {j + 1} holds {part[sample, column]} in column {place}: {why}")


def refuse_nan(rows: Sequence[Numbers]) -> None:
    """A ValueError that names the first NaN among the data, if there is one."""
    for j, x in enumerate(rows, 1):
        if np.isnan(x).any():
            sample, column = np.argwhere(np.isnan(x))[0]
            raise ValueError(
                f"sample {sample} of input {j} is NaN in column {column}, and so is the result: drop or correct it"
            )
