"""The table's rows as JavaScript and as formulas to read: what the page computes with, and what it shows beside the numbers.

A row's value and its rule of partials are run on symbols, and the expressions they give are printed. Here stands only how
JavaScript and a formula write the operations whose values are functions of Python: the names on the right are those of
`stepping.js`, where the same domains are checked. An operation whose value or rule symbols cannot go through has no text.
"""

from __future__ import annotations

import math
import operator
from typing import Any, NamedTuple

from .. import ops
from ..graph import rule_of
from ..ops import Op
from ..symbols import Expression
from ..value import Value
from .text import short, subscript, superscript

_VALUES: dict[Any, str] = {  # by the row's value on floats, so that a user's row may have it, too
    float: "{}",
    operator.add: "({} + {})",
    operator.sub: "({} - {})",
    operator.mul: "({} * {})",
    operator.truediv: "divided({}, {})",
    operator.neg: "(-{})",
    operator.abs: "Math.abs({})",
    abs: "Math.abs({})",
    math.fabs: "Math.abs({})",
    ops.pow_.value: "positivePower({}, {})",
    math.pow: "power({}, {})",
    ops.sigmoid.value: "sigmoid({})",
    ops.sigmoid_slope.value: "sigmoidSlope({})",
    ops.softplus.value: "softplus({})",
    ops.step.value: "step({})",
    ops.relu.value: "relu({})",
    ops.maximum.value: "maximum({}, {})",
    ops.minimum.value: "minimum({}, {})",
    ops.xlogy.value: "xlogy({}, {})",
    ops.xlog1my.value: "xlog1my({}, {})",
    ops.cross_entropy.value: "crossEntropy({}, {})",
} | {
    getattr(math, name): f"checked(Math.{name}, {{}})"
    for name in [
        "exp",
        "expm1",
        "log",
        "log1p",
        "log2",
        "log10",
        "sqrt",
        "cbrt",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
    ]
    if hasattr(math, name)
}
LETTERS = ("u", "v", "c")
_DOT = "exactDot" if hasattr(math, "sumprod") else "dot"  # as the table's own sum of products


class Written(NamedTuple):
    """An operation as text: JavaScript functions of its operands (and, for the partials, its result), and formulas.

    derivatives: "∂(u v)/∂u", one per operand; formulas: what each is, "v".
    """

    value: str
    partials: str
    derivatives: list[str]
    formulas: list[str]


def written(node: Value, letters: tuple[str, str, str] = LETTERS) -> Written | None:
    """The node's operation as text; None where its value or its rule is no expression, as of a node made by hand.

    letters: what the formulas call the operands. A dot of vectors u and v adds a number, the third.
    """
    names, formal = _operand_names(node, ("w", "x", "b")), _operand_names(node, letters)
    if len(names) != len(node.parents):
        return None
    try:
        partials = [expression(partial) for partial in rule_of(node, [*map(Expression, names)], Expression("y"))]
        value = _value(node, names, [*map(Expression, names)])
        texts = [partial.text(javascript, javascript_number) for partial in partials]
        whole, level, formulas = _formulas(node, [*map(Expression, formal)], letters)
    except Exception:  # a user's functions can fail in any way
        return None
    parameters = ", ".join(names)
    whole = whole if level >= _POWER else f"({whole})"
    return Written(
        f"({parameters}) => {value}",
        f"({parameters}, y) => [{', '.join(texts)}]",
        [f"∂{whole}/∂{formula(Expression(operand))}" for operand in formal],
        formulas,
    )


def _formulas(node: Value, symbols: list[Expression], letters: tuple[str, str, str]) -> tuple[str, int, list[str]]:
    """The operation, how tightly it binds, and its partials, in terms of the operands alone."""
    if node.op is ops.dot:
        u, v, c = letters
        whole, level, result = f"{u} · {v} + {c}", _SUM, symbols[0]
    else:
        result = expression(node.op(*symbols))
        whole, level = _formula(result)
    return whole, level, [formula(expression(partial)) for partial in rule_of(node, symbols, result)]


def _operand_names(node: Value, letters: tuple[str, str, str]) -> list[str]:
    """The first letter; the first and the second; those of a dot u1 … un, c, v1 … vn."""
    if node.op is ops.dot:
        n = (len(node.parents) - 1) // 2
        u, v, c = letters
        return [*[f"{u}{j}" for j in range(1, n + 1)], c, *[f"{v}{j}" for j in range(1, n + 1)]]
    return [*letters[: min(len(node.parents), 2)]]


def _value(node: Value, names: list[str], symbols: list[Expression]) -> str:
    if node.op is ops.dot:
        n = len(names) // 2
        return f"{_DOT}([{', '.join(names[: n + 1])}], [{', '.join([*names[n + 1 :], '1'])}])"
    if node.op.exponent is not None or node.op.value in _VALUES:
        return javascript(node.op, names)
    return expression(node.op.value(*symbols)).text(javascript, javascript_number)


def expression(x: Any) -> Expression:
    """What a rule gives, a plain number too."""
    return x if isinstance(x, Expression) else Expression(float(x))


def javascript(op: Op, operands: list[str]) -> str:
    """An operation on JavaScript expressions, with the table's value, and an error outside its domain."""
    if op.exponent is not None:
        return f"power({operands[0]}, {javascript_number(op.exponent)})"
    if op.value in _VALUES:
        return _VALUES[op.value].format(*operands)
    return expression(op.value(*map(Expression, operands))).text(javascript, javascript_number)


def javascript_number(number: float) -> str:
    """A float as JavaScript, the same to the last bit."""
    if not math.isfinite(number):
        return "NaN" if number != number else "Infinity" if number > 0 else "(-Infinity)"
    return f"({number!r})" if math.copysign(1.0, number) < 0 else repr(number)


# Formulas. Each part comes with how tightly it binds.

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)
_LETTERS = {"sigmoid": "σ", "log": "ln"}


def formula(written: Expression) -> str:
    """An expression as a person writes it.

    >>> from ..symbols import symbolic
    >>> [formula(partial) for op in (ops.tanh, ops.div) for partial in symbolic(op, *"ab"[: 1 + (op == "/")])]
    ['4 σ(2 a) σ(−2 a)', '1 / b', '−y / b']
    """
    return _formula(written)[0]


def _formula(expression: Expression) -> tuple[str, int]:
    op = expression.head
    if isinstance(op, Op):
        return _applied(op, [_formula(operand) for operand in expression.operands])
    if isinstance(op, str):
        letters = op.rstrip("0123456789")
        return letters + (subscript(int(op[len(letters) :])) if letters != op else ""), _ATOM
    return short(op), _ATOM if math.copysign(1.0, op) > 0.0 else _SIGN


def _applied(op: Op, parts: list[tuple[str, int]]) -> tuple[str, int]:
    def part(place: int, level: int) -> str:
        text, own = parts[place]
        return text if own >= level else f"({text})"

    if op in (ops.add, ops.sub):
        sign = "+" if op is ops.add else "−"
        return f"{part(0, _SUM)} {sign} {part(1, _PRODUCT if op is ops.sub else _SUM)}", _SUM
    if op is ops.mul:
        between = " · " if parts[1][0][0].isdigit() or parts[1][1] == _SIGN else " "
        return f"{part(0, _PRODUCT)}{between}{part(1, _POWER)}", _PRODUCT
    if op is ops.div:
        return f"{part(0, _PRODUCT)} / {part(1, _POWER)}", _PRODUCT
    if op is ops.neg:
        return f"−{part(0, _PRODUCT)}", _SIGN
    if op is ops.pow_ or op.exponent is not None:
        exponent = parts[1][0] if op is ops.pow_ else short(op.exponent)
        if exponent.isdigit():
            return f"{part(0, _ATOM)}{superscript(int(exponent))}", _POWER
        return f"{part(0, _ATOM)}^{exponent if exponent.isalnum() else f'({exponent})'}", _POWER
    if op is ops.sigmoid_slope:
        return f"σ({part(0, _SUM)}) σ(−{part(0, _PRODUCT)})", _POWER
    return f"{_LETTERS.get(op, str(op))}({', '.join(text for text, _ in parts)})", _ATOM
