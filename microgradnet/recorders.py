"""The functions that record nodes, each written out from its operation's row of the table.

Recording a node by calling its row's functions takes longer than all the rest, so a recorder has the row's value and
partials written into it. A rule that cannot be written out is called. This module knows how Python spells the
operations and how a node packs its operands (see `graph`); what a Value accepts is left to `value`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from inspect import signature
from typing import Any

from . import ops
from .ops import Op
from .symbols import symbolic

# By identity, for a row outside the table may share a name with one in it.
PYTHON_OPERATORS = {
    id(ops.add): "({} + {})",
    id(ops.sub): "({} - {})",
    id(ops.mul): "({} * {})",
    id(ops.div): "({} / {})",
    id(ops.neg): "(-{})",
}

# What the text of a recorder takes from the scope it is given:
#     Value, empty_node     the class, and what makes an instance of it, with empty slots
#     number                makes a float of a plain number, or gives NotImplemented
#     OUTSIDE, domain_error the errors of operations outside their domain, and the one that says so
#     undefined             the four slots of a node without derivatives

_ANY_OPERAND = """
        if type({side}) is Value:
            {x} = {side}._data
        elif type({side}) is float:
            {x} = {side}
        else:
            {side} = {x} = number({side})
            if {x} is NotImplemented:
                return {x}"""
_VALUE = """
        {x} = {side}._data"""
_RECORDER = """
def make({bound}):
    def record({parameters}):{operands}
        try:
            y = {value}
        except OUTSIDE as error:
            raise domain_error(op, error, {sides}) from None
        node = empty_node()
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
    """record(x) of an operation, where x is a Value."""
    return _write(op, scope, "left", left=_VALUE)


def binary(op: Op, scope: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """record(left, right) of an operation, each a Value or a plain number."""
    return _write(op, scope, "left, right", left=_ANY_OPERAND, right=_ANY_OPERAND)


def operator(op: Op, scope: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """record(left, right) of an operation, where left is a Value: a method such as `__mul__`."""
    return _write(op, scope, "left, right", left=_VALUE, right=_ANY_OPERAND)


def reflected(op: Op, scope: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """record(right, left) of an operation, where right is a Value: a method such as `__rmul__`."""
    return _write(op, scope, "right, left", left=_ANY_OPERAND, right=_VALUE)


def _write(op: Op, scope: dict[str, Any], parameters: str, **sides: str) -> Callable[..., Any]:
    operands = ["a", "b"][: len(sides)]
    needed = [p for p in signature(op.partials).parameters.values() if p.default is p.empty]
    count = len(needed) - 1
    if count != len(operands) and all(p.kind is not p.VAR_POSITIONAL for p in needed):
        raise TypeError(f"'{op}' takes {count} operand{'s' * (count != 1)}, and {len(operands)} arrived")
    bound: list[Any] = []  # what the text names k1, k2, …: so one text, compiled once, serves all powers

    def name(thing: Any) -> str:
        bound.append(thing)
        return f"k{len(bound)}"

    def spelling(op: Op, texts: list[str]) -> str:
        if id(op) in PYTHON_OPERATORS:
            return PYTHON_OPERATORS[id(op)].format(*texts)
        if op.exponent is not None:
            return f"({texts[0]} ** {name(op.exponent)})"
        return f"{name(op)}.value({', '.join(texts)})"  # looked up at each call, for a row can be replaced

    rule = symbolic(op, *operands)
    slots = ["node.d_first", "node.d_second"][: len(operands)]
    if rule is None:
        partials = f"{', '.join(slots)}, = op.partials({', '.join(operands)}, y)"
    else:
        partials = "; ".join([f"{slot} = {p.text(spelling, name)}" for slot, p in zip(slots, rule, strict=True)])
    source = _RECORDER.format(
        bound=", ".join(["op", "value", *[f"k{i + 1}" for i in range(len(bound))]]),
        parameters=parameters,
        operands="".join(
            [text.format(side=side, x=x) for (side, text), x in zip(sides.items(), operands, strict=True)]
        ),
        value=PYTHON_OPERATORS.get(id(op), "value({}, {})" if len(operands) == 2 else "value({})").format(*operands),
        sides=", ".join(sides),
        second="right" if "right" in sides else "node.d_second = None",
        partials=partials,
    )
    found: dict[str, Any] = {}
    exec(_code(source), scope, found)
    return found["make"](op, op.value, *bound)  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def _code(source: str) -> Any:
    return compile(source, "<a recorder of microgradnet>", "exec")
