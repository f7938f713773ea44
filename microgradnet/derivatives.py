"""Derivatives as results: `grad`, `jvp` and `hessian`, which leave every `.grad` alone.

Each is one sweep of `graph` over the recorded graph. The partials are either the recorded numbers or, from the same rows
of the table, Values that record a graph of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from . import graph, ops
from ._readings import active, note
from ._validation import as_number, describe
from .graph import forward, reverse, rule_of, topological_order, value_of
from .value import Value, as_value


@overload
def grad(output: Value, wrt: Value | Sequence[Value], create_graph: Literal[False] = ...) -> list[float]: ...
@overload
def grad(output: Value, wrt: Value | Sequence[Value], create_graph: Literal[True]) -> list[Value]: ...
def grad(output: Value, wrt: Value | Sequence[Value], create_graph: bool = False) -> list[Any]:
    """The derivatives ∂output/∂value for the values of `wrt`, in order; 0 for a value the output does not depend on.

    Gives a list of floats or, with create_graph, a list of Values, which can be differentiated again, to any order.
    Leaves every `.grad` alone.

    >>> x = Value(2.0)
    >>> (slope,) = grad(x**3, [x], create_graph=True)
    >>> slope.data, grad(slope, [x])
    (12.0, [12.0])
    """
    wrt = _values(wrt, "wrt")
    (output,) = _values([output], "output")
    if active and not create_graph:
        note(output)
    adjoints: dict[Value, Any] = {output: 1.0}
    reverse(topological_order(output), adjoints, _rules if create_graph else _numbers)
    derivatives = [adjoints.get(value, 0.0) for value in wrt]
    return [as_value(d) for d in derivatives] if create_graph else derivatives


@overload
def jvp(output: Value, tangents: Mapping[Value, float]) -> float: ...
@overload
def jvp(output: Value, tangents: Mapping[Value, npt.NDArray[Any]]) -> npt.NDArray[np.float64]: ...
@overload
def jvp(output: Sequence[Value], tangents: Mapping[Value, float]) -> list[float]: ...
@overload
def jvp(output: Sequence[Value], tangents: Mapping[Value, npt.NDArray[Any]]) -> list[npt.NDArray[np.float64]]: ...
def jvp(output: Value | Sequence[Value], tangents: Mapping[Value, Any]) -> Any:
    """Forward mode: the derivative of the output along a direction, Σ ∂output/∂value · tangent, in one sweep.

    output: a Value, which gives a float, or a sequence of Values, which gives a list. tangents: the direction, as one
    number per value; or as one array per value, all of one shape, for many directions in one sweep: then the results
    are arrays. Values without a tangent are held fixed. Applied to the Values of `grad(…, create_graph=True)` it gives
    the product of the Hessian with a vector.

    >>> x, y = Value(2.0), Value(3.0)
    >>> jvp(x * y, {x: 1.0, y: 10.0})
    23.0
    """
    outputs = _values(output, "output")
    _values(list(tangents), "tangents")
    moving: dict[Value, Any] = {value: _tangent(tangent) for value, tangent in tangents.items()}
    if len({np.shape(tangent) for tangent in moving.values()}) > 1:
        shapes = ", ".join([str(np.shape(tangent)) for tangent in moving.values()])
        raise ValueError(f"tangents of the shapes {shapes} arrived: give numbers alone, or arrays of one shape")
    if active:
        note(*outputs)
    forward(topological_order(*outputs), moving, _numbers)
    shape = np.shape(next(iter(moving.values()), 0.0))
    rates = [moving[value] if value in moving else np.zeros(shape) if shape else 0.0 for value in outputs]
    return rates[0] if isinstance(output, Value) else rates


def hessian(output: Value, wrt: Value | Sequence[Value]) -> list[list[float]]:
    """The second derivatives ∂²output/∂value_i∂value_j, row by row: reverse over reverse.

    >>> x, y = Value(2.0), Value(3.0)
    >>> hessian(x * x * y, [x, y])
    [[6.0, 4.0], [4.0, 0.0]]
    """
    wrt = _values(wrt, "wrt")
    return [grad(slope, wrt) for slope in grad(output, wrt, create_graph=True)]


def _tangent(tangent: Any) -> Any:
    if not isinstance(tangent, np.ndarray):
        return as_number(tangent)
    if isinstance(tangent, np.ma.MaskedArray):
        raise TypeError("a masked array arrived as a tangent: fill it, or leave the masked directions out")
    if tangent.dtype.kind not in "fiu":
        raise TypeError(f"an array of {tangent.dtype} arrived as a tangent, where real numbers were wanted")
    return tangent.astype(np.float64)


def _numbers(node: Value) -> tuple[float, ...]:
    """The local derivatives as recorded."""
    return graph.partials(node)


def _rules(node: Value) -> list[Any]:
    """The local derivatives as Values, from the same row of the table; None for constants, which need none."""
    if not _unchanged(node):
        raise RuntimeError(
            f"a leaf under {node!r} ('{node.op}') was assigned after it was used: second derivatives would mix old and "
            "new numbers; compute the output again"
        )
    parents = node.parents
    rule = rule_of(node, parents, node)
    return [None if p.op is ops.constant else partial for p, partial in zip(parents, rule, strict=True)]


def _unchanged(node: Value) -> bool:
    """Whether the operands still hold the numbers with which the node was recorded."""
    now, recorded = [parent._data for parent in node.parents], graph.partials(node)
    try:
        return _same([value_of(node, now), *rule_of(node, now, node._data)], [node._data, *recorded])
    except (ArithmeticError, ValueError):
        return False


def _same(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True))


def _values(values: Any, name: str) -> list[Value]:
    result: list[Value] = list(values) if hasattr(values, "__iter__") else [values]
    for value in result:
        if not isinstance(value, Value):
            raise TypeError(f"{describe(value)} arrived in {name}, where Values were wanted")
    return result
