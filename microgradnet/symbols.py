"""Formulas out of the table: a row's rule, run once on symbols, gives an expression that can be printed.

An expression prints in any spelling, for a spelling is a function that says how one operation is written. This module
knows neither Python's nor another language's, and nothing of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from . import ops
from ._validation import as_number
from .ops import Op

Spelling: TypeAlias = Callable[[Op, list[str]], str]
"""An operation and its operands as text, each of which can stand in any place, to the text of the whole."""


class Arithmetic:
    """Operators that apply the table's operations: for whatever a rule is run on besides numbers and Values."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return ops.sub(self, other)

    def __rsub__(self, other: Any) -> Any:
        return ops.sub(other, self)

    def __mul__(self, other: Any) -> Any:
        return ops.mul(self, other)

    def __rmul__(self, other: Any) -> Any:
        return ops.mul(other, self)

    def __truediv__(self, other: Any) -> Any:
        return ops.div(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return ops.div(other, self)

    def __pow__(self, exponent: Any) -> Any:
        return ops.pow_(self, exponent) if isinstance(exponent, Arithmetic) else ops.power(as_number(exponent))(self)

    def __rpow__(self, base: Any) -> Any:
        return ops.pow_(base, self)

    def __neg__(self) -> Any:
        return ops.neg(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return ops.abs_(self)


class Expression(Arithmetic):
    """A symbol (a str), a number, or an operation of the table with its operands, which are expressions."""

    __slots__ = ("head", "operands")

    def __init__(self, head: str | float, operands: tuple[Expression, ...] = ()) -> None:
        self.head, self.operands = head, operands

    @staticmethod
    def _record(op: Op, operands: tuple[Any, ...]) -> Expression:
        return Expression(op, tuple([_expression(operand) for operand in operands]))

    def text(self, spelling: Spelling, number: Callable[[float], str] = repr) -> str:
        """The expression as text; symbols print as themselves."""
        if isinstance(self.head, Op):
            return spelling(self.head, [operand.text(spelling, number) for operand in self.operands])
        return self.head if isinstance(self.head, str) else number(self.head)

    def at(self, numbers: dict[str, float]) -> float:
        """Its value where the symbols have these numbers."""
        if isinstance(self.head, Op):
            operands = [operand.at(numbers) for operand in self.operands]
            if self.head.exponent is not None:
                return operands[0] ** self.head.exponent  # type: ignore[no-any-return]
            return self.head.value(*operands)
        return numbers[self.head] if isinstance(self.head, str) else self.head

    def __bool__(self) -> bool:
        raise TypeError("a symbol has no value to branch on")

    def __eq__(self, other: object) -> bool:
        raise TypeError("a symbol has no number to compare")

    __hash__ = object.__hash__


def symbolic(op: Op, *operands: str, result: str = "y") -> tuple[Expression, ...] | None:
    """The partial derivatives of an operation in terms of these names; None for a rule that symbols cannot go through.

    Such a rule looks at numbers (an `if`), or calls functions that are not the table's, or tells numbers from symbols and
    gives other derivatives.

    >>> def spelling(op, operands):
    ...     return f"({operands[0]} {op} {operands[1]})" if len(operands) == 2 else f"{op}({operands[0]})"
    >>> [partial.text(spelling) for partial in symbolic(ops.div, "a", "b")]
    ['(1.0 / b)', '(neg(y) / b)']
    """
    try:
        partials = op.partials(*map(Expression, operands), Expression(result))
        expressions = tuple([_expression(partial) for partial in partials])
    except Exception:  # a user's rule can fail in any way
        return None
    if len(expressions) != len(operands) or not _is_faithful(op, expressions, operands, result):
        return None
    return expressions


_POINTS = ((0.5, 0.375), (1.5, 1.125), (-0.5, -0.375), (30.0, 22.5), (0.0, 0.0))


def _is_faithful(op: Op, rule: tuple[Expression, ...], operands: Sequence[str], result: str) -> bool:
    """Whether the rule gives the same numbers on floats as on symbols."""
    if ops.is_built_in(op):  # the table's own, which does
        return True
    for x in [point[: len(operands)] for point in _POINTS]:
        try:
            y = op.value(*x)
            called = [as_number(partial) for partial in op.partials(*x, y)]
        except (ValueError, ArithmeticError):
            continue
        try:
            written = [partial.at(dict(zip((*operands, result), (*x, y), strict=True))) for partial in rule]
        except (ValueError, ArithmeticError):
            return False
        if repr(called) != repr(written):
            return False
    return True


def _expression(x: Any) -> Expression:
    return x if isinstance(x, Expression) else Expression(as_number(x))
