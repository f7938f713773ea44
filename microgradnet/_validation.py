"""What is accepted as a number, as data or as a row of the table.

Everything else is refused with an error that says what arrived, what was wanted, and what to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
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
_IN_A_LIST = "put its items in a list, as in list(…)"


def as_number(x: Any) -> float:
    """A float from an int, a float or a NumPy real scalar; a TypeError for anything else."""
    if type(x) in _USUAL or (isinstance(x, (float, int, np.floating, np.integer)) and not isinstance(x, bool)):
        try:
            return float(x)
        except OverflowError:
            raise OverflowError("an integer beyond 1.8e308 does not fit a float") from None
    hint = _IN_A_LIST if is_iterator(x) else _HINTS.get(type(x).__name__, "convert it to a float")
    raise TypeError(f"{describe(x)} arrived where a real number was wanted: {hint}")


def describe(x: object) -> str:
    """Type and value in a few words, for an error message."""
    if isinstance(x, np.ndarray):
        return f"an array of shape {x.shape}"
    if is_iterator(x):
        return f"a {type(x).__name__}, whose items can be taken only once,"
    text = repr(x)
    return text if text.startswith(type(x).__name__) else f"{type(x).__name__} {shortened(text)}"


def shortened(text: str) -> str:
    """At most 60 characters of a text."""
    return text if len(text) <= 60 else text[:57] + "..."


def counted(number: int, noun: str) -> str:
    """A number of things, as in "1 input" and "2 inputs"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def check_call(function: Any, count: int, remedy: str) -> None:
    """A TypeError that names the remedy, unless a function can be called with so many arguments."""
    if not callable(function):
        raise TypeError(f"{describe(function)} arrived where a function was wanted: {remedy}")
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError as error:
        raise TypeError(
            f"the function cannot be called with {counted(count, 'argument')} ({error}): {remedy}"
        ) from None
    except ValueError:
        pass  # a function in C, which does not tell


def domain_error(op: Any, error: Exception, *operands: Any, what: str = "") -> Exception:
    """The error of an operation outside its domain. It has the same type and names operation, operands and domain."""
    numbers = [x if isinstance(x, float) else x._data for x in operands]
    labels = ["" if isinstance(x, float) else x.label for x in operands]
    names = [f"{n!r} (labelled {label!r})" if label else repr(n) for n, label in zip(numbers, labels, strict=True)]
    where = f": it is defined where {op.domain}" if op.domain else ""
    return type(error)(f"cannot take {what}'{op}' of {' and '.join(names)}{where}")


def is_iterator(x: object) -> bool:
    """Whether its items can be taken only once, as those of a generator or a `map`."""
    return hasattr(x, "__next__")


_ITEM_HINTS = {
    "Value": "take the .data of each; the numbers of a compiled function's parameters are its .theta()",
    "str": "number classes 0, 1, …, and convert numbers with np.array(…, float)",
    "complex": "only real numbers are differentiated: take .real or .imag",
    "NoneType": "give numbers in its place",
}


def as_array(numbers: Any, name: str) -> npt.NDArray[Any]:
    """Data as an array of real numbers; an array of bools as 0 and 1.

    A TypeError for anything else: masked arrays, of which NumPy would use the hidden numbers, and iterators among them; a
    ValueError for rows of different lengths.
    """
    rows = numbers if isinstance(numbers, (list, tuple)) else ()
    if isinstance(numbers, np.ma.MaskedArray) or any(isinstance(row, np.ma.MaskedArray) for row in rows):
        raise TypeError(f"{name} is a masked array: fill in its masked numbers, or drop those samples")
    if is_iterator(numbers):
        raise TypeError(f"{describe(numbers)} arrived as {name}: {_IN_A_LIST}")
    try:
        array = np.asarray(numbers)
    except ValueError:
        raise ValueError(f"the rows of {name} have different lengths: every sample needs as many numbers") from None
    if array.dtype.kind == "b" and hasattr(numbers, "dtype"):  # of a comparison; a list of bools may be a mistake
        return array.astype(np.int8)
    if array.dtype.kind not in "fiu" and array.size > 0:
        items = array.ravel().tolist()
        item = next((x for x in items if type(x) not in (float, int)), items[0])
        hint = _ITEM_HINTS.get(type(item).__name__, "convert it with np.array(…, float)")
        such = f", such as {describe(item).rstrip(',')}," if array.dtype == object else ""
        raise TypeError(f"{name} holds {array.dtype}{such} where numbers were wanted: {hint}")
    return array


def flat(numbers: Sequence[Any]) -> Sequence[Any]:
    """A flat sequence of numbers and Values, as a list or tuple. Raises a TypeError for anything else."""
    if isinstance(numbers, (list, tuple)):
        return numbers
    if isinstance(numbers, np.ndarray):
        if isinstance(numbers, np.ma.MaskedArray):
            raise TypeError("a masked array arrived where numbers were wanted: fill it, or leave out what is masked")
        if numbers.ndim != 1:
            raise TypeError(
                f"an array of shape {numbers.shape} arrived where a flat sequence of numbers was wanted: use .ravel()"
            )
        return numbers.tolist()
    if isinstance(numbers, (str, bytes)) or not hasattr(numbers, "__iter__"):
        raise TypeError(
            f"{describe(numbers)} arrived where a sequence of numbers and Values was wanted: put a single one in a list"
        )
    return list(numbers)


def one_hot(classes: int) -> str:
    """How class labels become targets, for an error message."""
    return f"class labels become targets with np.eye({classes})[labels]"


def as_table(numbers: Any, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Data as a float array with one row per sample; a flat sequence is a single column.

    Raises a TypeError unless it holds numbers, and a ValueError for rows of different lengths, for no rows at all, and
    for NaN or infinite entries, of which it names the first.
    """
    array = as_array(numbers, name)
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
    name: str, value: Callable[..., Any], array: Callable[..., Any] | None, partials: Callable[..., Any], count: int
) -> bool:
    """A TypeError unless an operation has the form of a row, tried at those of several points that are in its domain. Returns
    whether all its values were floats of Python's own.

    count: of its operands, one or two. A float as its value, the same one at 0.0 and -0.0; as its partials a tuple with a real number for
    each operand; an array form that gives the same values and writes them into `out`. A ValueError if no point is in its
    domain.
    """
    if count not in (1, 2):
        raise TypeError(
            f"the partials of {name!r} take {count + 1} arguments: let them take one or two operands and the result"
        )
    inside: list[list[float]] = []
    values = []
    points = [[x, *rest][:count] for x in _POINTS for rest in ([0.75 * x], [1.5 * abs(x)])[:count]]
    for point in points:
        y = _value(name, value, point)
        if y is not None:
            inside.append(point)
            values.append(y)
            _check_partials(name, partials, point, y)
    if not inside:
        raise ValueError(
            f"the value of {name!r} raises an error at each point tried ({'; '.join(map(_text, points))}), so nothing of the "
            "row can be checked: shift or widen its domain"
        )
    _check_zeros(name, value, count)
    if array is not None:
        _check_array_form(name, array, np.array(inside).T[:, :, None], np.array(values)[:, None])
    return {*map(type, values)} == {float}


def _value(name: str, value: Callable[..., Any], point: list[float]) -> float | None:
    """The value at a point; None outside the domain."""
    y = _tried(f"the value of {name!r}", "outside the domain", value, point)
    if y is not None and (not isinstance(y, float) or y != y):
        raise TypeError(
            f"the value of {name!r} is {describe(y)} at {_text(point)}: give a float, or raise a ValueError outside the domain"
        )
    return y


def _check_partials(name: str, partials: Callable[..., Any], point: list[float], y: float) -> None:
    slopes = _tried(f"the partials of {name!r}", "where there are none", partials, point, y)
    if slopes is None:
        return
    if not isinstance(slopes, tuple) or len(slopes) != len(point):
        raise TypeError(
            f"the partials of {name!r} are {slopes!r}: give a tuple of {len(point)}, as in `return (slope,)`"
        )
    for slope in slopes:
        if isinstance(slope, bool) or not isinstance(slope, (float, int, np.floating, np.integer)) or slope != slope:
            raise TypeError(
                f"a partial of {name!r} is {describe(slope)} at {_text(point)}: give a real number, or raise a ValueError "
                "where there is none"
            )


def _check_zeros(name: str, value: Callable[..., Any], count: int) -> None:
    """A row that tells 0.0 from -0.0 is refused: compiled sums leave out 0.0, and -0.0 + 0.0 is 0.0."""
    for point in ([0.0, 0.75], [0.75, 0.0], [0.0, 0.0]):
        plus = _value(name, value, point[:count])
        minus = _value(name, value, [x or -0.0 for x in point[:count]])
        if plus != minus:
            raise TypeError(
                f"the value of {name!r} at 0.0 is {plus}, and at -0.0 it is {minus}, but a compiled sum does not keep the "
                "sign of a zero: add 0.0 to the operand in the row"
            )


def _tried(what: str, where: str, function: Callable[..., Any], point: list[float], *y: float) -> Any:
    """What a function of a row gives at a point; None if it raises what it should, and a TypeError for any other failure."""
    try:
        return function(*point, *y)
    except (ValueError, ArithmeticError):
        return None
    except Exception as error:  # a user's function can fail in any way
        failure = f"{type(error).__name__}: {error}"
        raise TypeError(f"{what} failed at {_text(point)} ({failure}): raise a ValueError {where}") from error


def _text(point: Sequence[float]) -> str:
    return " and ".join(map(repr, point))


def _check_array_form(name: str, array: Callable[..., Any], operands: Any, values: Any) -> None:
    what = f"the array form of {name!r}"
    remedy = (
        "give one like NumPy's functions, as in lambda x, out=None: np.square(x, out=out), or None to go through the numbers "
        "one by one"
    )
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
