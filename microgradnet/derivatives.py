"""Derivatives as results: `grad`, `vjp`, `jvp`, `jacobian`, `hessian` and `hvp`, which leave every `.grad` alone.

Each is made of sweeps of `graph` over the recorded graph. The partials are either the recorded numbers or, from the same
rows of the table, Values that record a graph of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from . import graph, ops
from ._readings import active, note
from ._validation import as_number, describe, flat
from .graph import forward, reverse, rule_of, topological_order, value_of
from .value import Operand, Value, as_value


@overload
def grad(output: Value, wrt: Value | Sequence[Value], create_graph: Literal[False] = ...) -> list[float]: ...
@overload
def grad(output: Value, wrt: Value | Sequence[Value], create_graph: Literal[True]) -> list[Value]: ...
def grad(output: Value, wrt: Value | Sequence[Value], create_graph: bool = False) -> list[Any]:
    """The derivatives ∂output/∂value for the values of `wrt`, in order; 0 for a value the output does not depend on.

    Gives a list of floats or, with create_graph, a list of Values, which can be differentiated again, to any order, and
    compiled. Leaves every `.grad` alone.

    >>> x = Value(2.0)
    >>> (slope,) = grad(x**3, [x], create_graph=True)
    >>> slope.data, grad(slope, [x])
    (12.0, [12.0])
    """
    return _backward(_values([output], "output"), [1.0], wrt, create_graph)


@overload
def vjp(
    outputs: Value | Sequence[Value],
    cotangents: Operand | Sequence[Operand],
    wrt: Value | Sequence[Value],
    create_graph: Literal[False] = ...,
) -> list[float]: ...
@overload
def vjp(
    outputs: Value | Sequence[Value],
    cotangents: Operand | Sequence[Operand],
    wrt: Value | Sequence[Value],
    create_graph: Literal[True],
) -> list[Value]: ...
def vjp(outputs: Any, cotangents: Any, wrt: Value | Sequence[Value], create_graph: bool = False) -> list[Any]:
    """Reverse mode for several outputs: Σ_i cotangent_i ∂output_i/∂value for the values of `wrt`, in one sweep.

    outputs: a Value or a sequence of Values. cotangents: one number per output; with create_graph they may be Values. Gives
    what `grad` gives. A ValueError unless there is one cotangent per output.

    >>> x, y = Value(2.0), Value(3.0)
    >>> vjp([x * y, x + y], [1.0, 10.0], [x, y])
    [13.0, 12.0]
    """
    outputs = _values(outputs, "outputs")
    return _backward(outputs, _direction(cotangents, "cotangents", outputs, "outputs", create_graph), wrt, create_graph)


@overload
def jvp(output: Value, tangents: Mapping[Value, float], create_graph: Literal[False] = ...) -> float: ...
@overload
def jvp(
    output: Value, tangents: Mapping[Value, npt.NDArray[Any]], create_graph: Literal[False] = ...
) -> npt.NDArray[np.float64]: ...
@overload
def jvp(
    output: Sequence[Value], tangents: Mapping[Value, float], create_graph: Literal[False] = ...
) -> list[float]: ...
@overload
def jvp(
    output: Sequence[Value], tangents: Mapping[Value, npt.NDArray[Any]], create_graph: Literal[False] = ...
) -> list[npt.NDArray[np.float64]]: ...
@overload
def jvp(output: Value, tangents: Mapping[Value, Operand], create_graph: Literal[True]) -> Value: ...
@overload
def jvp(output: Sequence[Value], tangents: Mapping[Value, Operand], create_graph: Literal[True]) -> list[Value]: ...
def jvp(output: Value | Sequence[Value], tangents: Mapping[Value, Any], create_graph: bool = False) -> Any:
    """Forward mode: the derivative of the output along a direction, Σ ∂output/∂value · tangent, in one sweep.

    output: a Value, which gives a float, or a sequence of Values, which gives a list. tangents: the direction, as one
    number per value; or as one array per value, all of one shape, for many directions in one sweep: then the results
    are arrays. Values without a tangent are held fixed.

    With create_graph, the results are Values, which can be differentiated again and compiled; the tangents are numbers or
    Values.

    >>> x, y = Value(2.0), Value(3.0)
    >>> jvp(x * y, {x: 1.0, y: 10.0})
    23.0
    >>> grad(jvp(x * x * y, {x: 1.0}, create_graph=True), [x, y])  # of 2xy
    [6.0, 4.0]
    """
    outputs = _values(output, "output")
    _values(list(tangents), "tangents")
    moving: dict[Value, Any] = {value: _tangent(tangent, create_graph) for value, tangent in tangents.items()}
    if len({np.shape(tangent) for tangent in moving.values()}) > 1:
        shapes = ", ".join([str(np.shape(tangent)) for tangent in moving.values()])
        raise ValueError(f"tangents of the shapes {shapes} arrived: give numbers alone, or arrays of one shape")
    if active and not create_graph:
        note(*outputs)
    shape = np.shape(next(iter(moving.values()), 0.0))
    forward(topological_order(*outputs), moving, _rules if create_graph else _numbers)
    rates = [moving[value] if value in moving else np.zeros(shape) if shape else 0.0 for value in outputs]
    if create_graph:
        rates = [as_value(rate) for rate in rates]
    return rates[0] if isinstance(output, Value) else rates


def jacobian(outputs: Value | Sequence[Value], wrt: Value | Sequence[Value]) -> list[list[float]]:
    """The derivatives ∂output_i/∂value_j, a row per output.

    Takes the mode that needs fewer sweeps: reverse, a sweep per output, for at most as many outputs as values; forward, a sweep
    per value, for more.

    >>> x, y = Value(2.0), Value(3.0)
    >>> jacobian([x * y, x + y, x], [x, y])
    [[3.0, 2.0], [1.0, 1.0], [1.0, 0.0]]
    """
    outputs, wrt = _values(outputs, "outputs"), _values(wrt, "wrt")
    if len(outputs) <= len(wrt):
        return [grad(output, wrt) for output in outputs]
    columns = [jvp(outputs, {value: 1.0}) for value in wrt]
    return [[column[i] for column in columns] for i in range(len(outputs))]


def hessian(output: Value, wrt: Value | Sequence[Value]) -> list[list[float]]:
    """The second derivatives ∂²output/∂value_i∂value_j, row by row: reverse over reverse.

    >>> x, y = Value(2.0), Value(3.0)
    >>> hessian(x * x * y, [x, y])
    [[6.0, 4.0], [4.0, 0.0]]
    """
    wrt = _values(wrt, "wrt")
    return [grad(slope, wrt) for slope in grad(output, wrt, create_graph=True)]


def hvp(output: Value, wrt: Value | Sequence[Value], direction: Operand | Sequence[Operand]) -> list[float]:
    """The product of the Hessian with a vector, forward over reverse: two sweeps, however many values there are.

    direction: one number per value of `wrt`; a ValueError for another length.

    >>> x, y = Value(2.0), Value(3.0)
    >>> hvp(x * x * y, [x, y], [1.0, 10.0])
    [46.0, 4.0]
    """
    wrt = _values(wrt, "wrt")
    moving: dict[Value, float] = {}
    for value, tangent in zip(wrt, _direction(direction, "direction", wrt, "values in wrt"), strict=True):
        moving[value] = moving.get(value, 0.0) + tangent
    return jvp(grad(output, wrt, create_graph=True), moving)


def _backward(outputs: list[Value], cotangents: list[Any], wrt: Any, create_graph: bool) -> list[Any]:
    wrt = _values(wrt, "wrt")
    if active and not create_graph:
        note(*outputs)
    adjoints: dict[Value, Any] = {}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        adjoints[output] = adjoints[output] + cotangent if output in adjoints else cotangent
    reverse(topological_order(*outputs), adjoints, _rules if create_graph else _numbers)
    derivatives = [adjoints.get(value, 0.0) for value in wrt]
    return [as_value(d) for d in derivatives] if create_graph else derivatives


def _direction(numbers: Any, name: str, values: list[Value], what: str, create_graph: bool = False) -> list[Any]:
    """One number per value; with create_graph also Values."""
    given = [numbers] if isinstance(numbers, Value) or not hasattr(numbers, "__iter__") else flat(numbers)
    if len(given) != len(values):
        raise ValueError(f"{len(given)} {name} met {len(values)} {what}: give one number for each")
    return [x if create_graph and isinstance(x, Value) else as_number(x) for x in given]


def _tangent(tangent: Any, create_graph: bool) -> Any:
    if create_graph and isinstance(tangent, Value):
        return tangent
    if create_graph or not isinstance(tangent, np.ndarray):
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
    """The local derivatives as Values, from the same row of the table; None where none is needed.

    That is for constants, and where the rule is the number 0, as that of `step` and of `detach` is.
    """
    if not _unchanged(node):
        what = "a leaf" if ops.is_built_in(node.op) else f"the row {str(node.op)!r} was changed, or a leaf"
        raise RuntimeError(
            f"{what} under {node!r} ('{node.op}') was assigned after it was used: second derivatives would mix old and "
            "new numbers; compute the output again"
        )
    parents = node.parents
    rule = rule_of(node, parents, node)
    return [
        None if p.op is ops.constant or (type(partial) is float and partial == 0.0) else partial
        for p, partial in zip(parents, rule, strict=True)
    ]


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
