"""What is accepted as a number, as data or as a row of the table.

Everything else is refused with an error that says what arrived, what was wanted, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

_USUAL = {float, int}
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
    if type(x) in _USUAL or (isinstance(x, (float, int, np.floating, np.integer)) and not isinstance(x, bool)):
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
    """The error of an operation outside its domain. It has the same type and names operation, operands and domain."""
    numbers = [x if isinstance(x, float) else x._data for x in operands]
    labels = ["" if isinstance(x, float) else x.label for x in operands]
    names = [f"{n!r} (labelled {label!r})" if label else repr(n) for n, label in zip(numbers, labels, strict=True)]
    where = f": it is defined where {op.domain}" if op.domain else ""
    return type(error)(f"cannot take {what}'{op}' of {' and '.join(names)}{where}")


def is_masked(data: Any) -> bool:
    """Whether data are a masked array, or a sequence with one in it, whose hidden numbers NumPy would use."""
    rows = data if isinstance(data, (list, tuple)) else ()
    return isinstance(data, np.ma.MaskedArray) or any(isinstance(row, np.ma.MaskedArray) for row in rows)


def as_table(numbers: Any, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Data as a float array with one row per sample; a flat sequence is a single column.

    Raises a TypeError unless it holds numbers, and a ValueError for rows of different lengths, for no rows at all, and
    for NaN or infinite entries, of which it names the first.
    """
    if is_masked(numbers):
        raise TypeError(f"{name} is a masked array: fill in its masked numbers, or drop those samples")
    try:
        array = np.asarray(numbers)
    except ValueError:
        raise ValueError(f"the rows of {name} differ in length: every sample needs as many numbers") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} holds {array.dtype} where numbers were wanted: convert it with .astype(float)")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}: give it one row per sample and one column per number")
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}): give at least one sample with one number")
    with np.errstate(over="ignore"):  # of long doubles; the next line refuses what they become
        table = array.astype(np.float64)
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(
            f"{name}[{row}, {column}] is {table[row, column]}: the data must be finite; drop or correct that sample"
        )
    return table


_POINTS = (0.5, 1.5, -0.5, 30.0, -2.25, 0.015625, 700.0)


def check_row(
    name: str, value: Callable[..., Any], array: Callable[..., Any] | None, partials: Callable[..., Any]
) -> None:
    """A TypeError unless an operation has the form of a row, tried at those of several points that are in its domain.

    One or two operands; a float as its value; as its partials a tuple with a real number for each operand; an array form
    that gives the same values and writes them into `out`.
    """
    import inspect

    count = sum(p.default is p.empty for p in inspect.signature(partials).parameters.values()) - 1
    if count not in (1, 2):
        raise TypeError(
            f"the partials of {name!r} take {count + 1} arguments: let them take one or two operands and the result"
        )
    inside: list[list[float]] = []
    values = []
    for point in [[x, 0.75 * x][:count] for x in _POINTS]:
        at = " and ".join(map(repr, point))
        try:
            y = value(*point)
        except (ValueError, ArithmeticError):
            continue  # outside the domain
        if not isinstance(y, float) or y != y:
            raise TypeError(
                f"the value of {name!r} is {describe(y)} at {at}: give a float, or raise a ValueError outside the domain"
            )
        inside.append(point)
        values.append(y)
        try:
            slopes = partials(*point, y)
        except (ValueError, ArithmeticError):
            continue
        if not isinstance(slopes, tuple) or len(slopes) != count:
            raise TypeError(
                f"the partials of {name!r} are {slopes!r}: give a tuple of {count}, as in `return (slope,)`"
            )
        for slope in slopes:
            if not isinstance(slope, (float, int, np.floating, np.integer)):
                raise TypeError(f"a partial of {name!r} is {describe(slope)} at {at}: give a real number")
    if array is not None and inside:
        _check_array_form(name, array, np.array(inside).T[:, :, None], np.array(values)[:, None])


def _check_array_form(name: str, array: Callable[..., Any], operands: Any, values: Any) -> None:
    what = f"the array form of {name!r}"
    remedy = "give one like NumPy's functions, or None to go through the numbers one by one"
    out, aliased = np.full_like(values, np.nan), [operands.copy() for _ in operands]
    with np.errstate(all="ignore"):
        try:
            found = array(*operands)
            array(*operands, out=out)
            for i, copy in enumerate(aliased):
                array(*copy, out=copy[i])
        except Exception as error:  # a user's function can fail in any way
            raise TypeError(f"{what} failed on arrays with `out` ({error}): {remedy}") from error
    if np.shape(found) != values.shape or not np.allclose(found, values, rtol=1e-6, atol=1e-12):
        raise TypeError(f"{what} gives other numbers than its value at {operands[0].ravel().tolist()}: {remedy}")
    if not (np.array_equal(out, found) and all(np.array_equal(copy[i], found) for i, copy in enumerate(aliased))):
        raise TypeError(f"{what} does not write its numbers into `out`, which may be an operand: {remedy}")
