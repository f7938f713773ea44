"""What is accepted as a number or as data, and how the rest is refused: what arrived, what was wanted, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_HINTS = {
    "Value": "a Value holds one number, not a Value: use it as it is, or take its .data",
    "str": "convert it with float(...)",
    "bool": "convert it with int(...) if 0 and 1 are meant",
    "bool_": "convert it with int(...) if 0 and 1 are meant",
    "complex": "only real numbers are differentiated: take its .real or .imag",
    "ndarray": "a Value holds one number: make one Value per element, or take one with .item()",
    "list": "a Value holds one number: make one Value per element",
    "tuple": "a Value holds one number: make one Value per element",
}


def as_number(x: Any) -> float:
    """A float from an int, a float or a NumPy real scalar; a TypeError for anything else."""
    if isinstance(x, (float, int, np.floating, np.integer)) and not isinstance(x, bool):
        try:
            return float(x)
        except OverflowError:
            raise OverflowError("an integer beyond 1.8e308 does not fit a float") from None
    hint = _HINTS.get(type(x).__name__, "convert it to a float")
    raise TypeError(f"{describe(x)} arrived where a real number was wanted: {hint}")


def describe(x: object) -> str:
    """Type and value in a few words, for an error message."""
    if isinstance(x, np.ndarray):
        return f"an array of shape {x.shape}"
    text = repr(x)
    if text.startswith(type(x).__name__):
        return text
    return f"{type(x).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def domain_error(op: Any, error: Exception, *operands: Any, what: str = "") -> Exception:
    """The error of an operation outside its domain: of the same type, naming the operation, its operands and the domain."""
    numbers = [x if isinstance(x, float) else x._data for x in operands]
    labels = ["" if isinstance(x, float) else x.label for x in operands]
    names = [f"{n!r} (labelled {label!r})" if label else repr(n) for n, label in zip(numbers, labels, strict=True)]
    where = f": it is defined where {op.domain}" if op.domain else ""
    return type(error)(f"cannot take {what}'{op}' of {' and '.join(names)}{where}")


def as_table(numbers: Any, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Data as a float array with one row per sample; a flat sequence is a single column.

    A TypeError for what is not numbers; a ValueError for rows of different lengths, for no rows at all, and for NaN
    or infinite entries (naming the first).
    """
    try:
        array = np.asarray(numbers)
    except ValueError:
        raise ValueError(f"the rows of {name} differ in length: every sample needs as many numbers") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} holds {array.dtype} where numbers were wanted: convert it with .astype(float)")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}: wanted is (samples, numbers per sample)")
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}): at least one sample with one number is wanted")
    with np.errstate(over="ignore"):  # of long doubles; the next line refuses what they become
        table = array.astype(np.float64)
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(
            f"{name}[{row}, {column}] is {table[row, column]}: the data must be finite; drop or mend that sample"
        )
    return table


def check_row(name: str, value: Callable[..., Any], partials: Callable[..., Any]) -> None:
    """A TypeError unless an operation has one or two operands, a float as its value, and a partial for each operand."""
    import inspect

    count = sum(p.default is p.empty for p in inspect.signature(partials).parameters.values()) - 1
    if count not in (1, 2):
        raise TypeError(
            f"the partials of {name!r} take {count + 1} arguments: wanted are one or two operands and the result"
        )
    for x in (0.5, 1.5, -0.5, 30.0):  # until one lies in the domain
        try:
            y = value(*[x, 0.75 * x][:count])
            slopes = partials(*[x, 0.75 * x][:count], y)
        except (ValueError, ArithmeticError):
            continue
        if not isinstance(y, float):
            raise TypeError(f"the value of {name!r} is {describe(y)} at {x}: wanted is a float")
        if not isinstance(slopes, tuple) or len(slopes) != count:
            raise TypeError(
                f"the partials of {name!r} are {slopes!r}: wanted is a tuple of {count}, as in `return (slope,)`"
            )
        return
