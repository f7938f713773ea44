"""The functions that record nodes, each written out from the table's row of its operation.

A node takes less time to record than to call functions for, so a recorder has its row's value and partials printed
into it. A row whose rule cannot be printed is called. This module knows Python's spelling of the operations, and the
slots of a node; which operators a `Value` has, and what it accepts, is the business of `value`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from . import ops
from .ops import Op
from .symbols import symbolic

_OPERATORS = {
    id(ops.add): "({} + {})",
    id(ops.sub): "({} - {})",
    id(ops.mul): "({} * {})",
    id(ops.div): "({} / {})",
    id(ops.neg): "(-{})",
}  # by identity: rows of other tables may share a name

_OPERAND = """\
        if type({side}) is Value:
            {x} = {side}._data
        elif type({side}) is float:
            {x} = {side}
        else:
            {side} = {x} = operand({side})
            if {x} is NotImplemented:
                return {x}
"""
_VALUE = """\
        {x} = {side}._data
"""
_RECORDER = """
def make({bound}):
    def record({parameters}):
{operands}
        try:
            y = {value}
        except OUTSIDE as error:
            raise domain_error(op, error, {sides}) from None
        node = new(Value)
        node._data = y
        node.grad = 0.0
        node.label = ""
        node.op = op
        node.first = left
        node.second = {second}
        try:
            {partials}
        except OUTSIDE as error:
            node.first, node.second, node.d_first, node.d_second = undefined(op, error, {sides})
        return node
    return record
"""


def unary(op: Op, scope: dict[str, Any]) -> Callable[[Any], Any]:
    """record(x) of an operation, x a Value. scope: the names that a recorder uses."""
    return _written(op, scope, "left", left=_VALUE)


def binary(op: Op, scope: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """record(left, right) of an operation; each a Value or a plain number."""
    return _written(op, scope, "left, right", left=_OPERAND, right=_OPERAND)


def operator(op: Op, scope: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """record(left, right) of an operation, where left is a Value."""
    return _written(op, scope, "left, right", left=_VALUE, right=_OPERAND)


def reflected(op: Op, scope: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """record(right, left) of an operation, where right is a Value."""
    return _written(op, scope, "right, left", left=_OPERAND, right=_VALUE)


def _written(op: Op, scope: dict[str, Any], parameters: str, **sides: str) -> Callable[..., Any]:
    operands = ["a", "b"][: len(sides)]
    bound: list[Any] = []  # what the text needs besides; as names, so that one text serves all powers

    def name(thing: Any) -> str:
        bound.append(thing)
        return f"k{len(bound)}"

    def spelling(op: Op, texts: list[str]) -> str:
        if id(op) in _OPERATORS:
            return _OPERATORS[id(op)].format(*texts)
        if op.exponent is not None:
            return f"({texts[0]} ** {name(op.exponent)})"
        return f"{name(op)}.value({', '.join(texts)})"  # not its function, for a row can be replaced

    value = _OPERATORS[id(op)].format(*operands) if id(op) in _OPERATORS else f"op.value({', '.join(operands)})"
    slots = ["node.d_first", "node.d_second"][: len(operands)]
    rule = symbolic(op, *operands)
    if rule is None:
        partials = f"{', '.join(slots)}, = op.partials({', '.join(operands)}, y)"
    else:
        partials = "; ".join([f"{slot} = {p.text(spelling, name)}" for slot, p in zip(slots, rule, strict=True)])
    source = _RECORDER.format(
        bound=", ".join(["op", *[f"k{i + 1}" for i in range(len(bound))]]),
        parameters=parameters,
        operands="".join([text.format(side=side, x=x) for (side, text), x in zip(sides.items(), operands, strict=True)]),
        value=value,
        sides=", ".join(sides),
        second="right" if "right" in sides else "node.d_second = None",
        partials=partials,
    )
    found: dict[str, Any] = {}
    exec(_code(source), scope, found)
    return found["make"](op, *bound)  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def _code(source: str) -> Any:
    return compile(source, "<a recorder of microgradnet>", "exec")
