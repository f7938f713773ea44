"""Scalar source: from the recorded graph to text, one statement per number, for one sample.

The graph is run once on symbols: forward and, with the reverse sweep and the table's rules, backward. The operations that
the symbols meet become statements. This module decides which statements are shared, omitted or nested. How an
operation is written is left to a spelling, so the same graph prints in several languages.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import ops
from ..graph import dot_parts, reverse, topological_order
from ..ops import Op
from ..recorders import PYTHON_OPERATORS
from ..symbols import Arithmetic
from ..value import Value
from .array_graph import in_range

_LONGEST = 40  # operations in one statement
MOST_PUT = 24  # numbers written by one call; for some more, Python would build a list of the arguments first


class Symbol(Arithmetic):
    """A number that a statement computes, or one that is given by name."""

    __slots__ = ("number", "statements")

    def __init__(self, statements: Statements, number: int) -> None:
        self.statements, self.number = statements, number

    def _record(self, op: Op, operands: tuple[Any, ...]) -> Any:
        return self.statements.add(op, *operands)

    def __bool__(self) -> bool:
        raise TypeError("a symbol has no value to branch on")


class Statements:
    """Operations on symbols and numbers. Equal operations are stated once, trivial ones not at all.

    σ(x) is written as y = 1 / (1 + e) with e = e⁻ˣ, σ′(x) as y times e y, and σ(−x), too, as e y if σ(x) is known. Below
    x = −709, e overflows, which Python's `exp` says, but not at x = −∞: then e y would be ∞ · 0.
    `operations`: per symbol, the operation and its operands (symbols or floats); a given symbol has None and its name.
    `must_be_finite`: the exponentials e in products e y, and x x, which stands for x² and does not say that it overflows.
    """

    def __init__(self) -> None:
        self.backward = False  # whether derivatives are being computed
        self.must_be_finite: dict[int, Symbol] = {}  # by number
        self.operations: list[tuple[Op | None, tuple[Any, ...]]] = []
        self._known: dict[Any, Symbol] = {}

    def given(self, name: str) -> Symbol:
        """A symbol that comes from outside."""
        self.operations.append((None, (name,)))
        return Symbol(self, len(self.operations) - 1)

    def add(self, op: Op, *operands: Any) -> Any:
        """The result of an operation: a symbol, or a float where all operands are."""
        if not any([type(operand) is Symbol for operand in operands]):
            return op.value(*operands)
        if op is ops.mul:
            return self._product(*operands)
        if op is ops.add or op is ops.sub:
            a, b = operands
            if _is(b, 0.0):
                return a
            if _is(a, 0.0):
                return b if op is ops.add else self.add(ops.neg, b)
        if op == "**1":
            return operands[0]
        if op == "**2":
            square = self.add(ops.mul, operands[0], operands[0])
            self.must_be_finite[square.number] = square
            return square
        if op is ops.sigmoid or op is ops.sigmoid_slope:
            (x,) = operands
            opposite = self._opposite_of_a_sigmoid(x)
            x = x if opposite is None else opposite
            e = self.add(ops.exp, self.add(ops.neg, x))
            y = self._known.setdefault((ops.sigmoid, x.number), self.add(ops.div, 1.0, self.add(ops.add, 1.0, e)))
            if op is ops.sigmoid and opposite is None:
                return y
            self.must_be_finite[e.number] = e
            other = self.add(ops.mul, e, y)
            return self.add(ops.mul, y, other) if op is ops.sigmoid_slope else other
        return self._statement(op, operands)

    def _opposite_of_a_sigmoid(self, x: Symbol) -> Symbol | None:
        """The symbol of which this one is the negative, if that is plain to see and its σ is known."""
        op, operands = self.operations[x.number]
        opposite = operands[0] if op is ops.neg else None
        if op is ops.mul and type(operands[0]) is float:
            opposite = self._known.get((op, repr(-operands[0]), operands[1].number))
        return opposite if opposite is not None and (ops.sigmoid, opposite.number) in self._known else None

    def _product(self, a: Any, b: Any) -> Any:
        for number, other in ((a, b), (b, a)):
            if _is(number, 1.0):
                return other
            if _is(number, 0.0) and self.backward:
                return 0.0  # 0 times an infinite derivative counts as 0
            if _is(number, -1.0):
                return self.add(ops.neg, other)
            if (
                type(number) is float and abs(math.frexp(number)[0]) == 0.5
            ):  # a power of two: it only moves the exponent
                inner, factors = self.operations[other.number]
                if inner is ops.mul and type(factors[0]) is float and in_range(number * factors[0]):
                    return self._product(number * factors[0], factors[1])
        return self._statement(ops.mul, (a, b))

    def _statement(self, op: Op, operands: tuple[Any, ...]) -> Symbol:
        key = (op, *[o.number if type(o) is Symbol else repr(o) for o in operands])
        if key not in self._known:
            self.operations.append((op, operands))
            self._known[key] = Symbol(self, len(self.operations) - 1)
        return self._known[key]


def _is(operand: Any, number: float) -> bool:
    return type(operand) is float and operand == number


def run(statements: Statements, outputs: Sequence[Value], leaves: dict[Value, Symbol]) -> dict[Value, Any]:
    """The graph of the outputs on symbols: each node's symbol or float. leaves: the symbols of parameters and inputs."""
    now: dict[Value, Any] = dict(leaves)

    def at(value: Value) -> Any:
        return now[value] if value in now else float(value._data)

    for node in topological_order(*outputs):
        if node.op == ops.dot:
            weights, inputs, bias = dot_parts(node)
            total = 0.0
            for w, x in zip(weights, inputs, strict=True):
                total = total + at(w) * at(x)
            now[node] = total + at(bias)
        else:
            now[node] = node.op(*map(at, node.parents))
    return now


def gradients(statements: Statements, output: Value, now: dict[Value, Any], wrt: Iterable[Value]) -> list[Any]:
    """∂output/∂value for some leaves, as symbols or floats, by the reverse sweep on the symbols of `run`."""

    def at(value: Value) -> Any:
        return now[value] if value in now else float(value._data)

    def partials(node: Value) -> Sequence[Any]:
        if node.op == ops.dot:
            weights, inputs, _ = dot_parts(node)
            return [*map(at, inputs), 1.0, *map(at, weights)]
        return node.op.partials(*map(at, node.parents), now[node])

    adjoints: dict[Value, Any] = {output: 1.0}
    statements.backward = True
    reverse(topological_order(output), adjoints, partials)
    return [adjoints.get(value, 0.0) for value in wrt]


class Printer:
    """Prints the statements that some results need.

    spelling: an operation and its operands, as text, to the text of the whole, in parentheses where it needs them.
    number: a float to text. `lines`: the statements; `text(result)`: of a symbol or a float, once they are printed.
    """

    def __init__(
        self,
        statements: Statements,
        results: Sequence[Any],
        spelling: Callable[[Op, list[str]], str],
        number: Callable[[float], str] = repr,
        assignment: str = "{} = {}",
    ) -> None:
        self._number = number
        operations = statements.operations
        uses = [0] * len(operations)
        for result in results:
            if type(result) is Symbol:
                uses[result.number] += 1
        for i in range(len(operations) - 1, -1, -1):
            op, operands = operations[i]
            for operand in operands if uses[i] and op is not None else ():
                if type(operand) is Symbol:
                    uses[operand.number] += 1
        self.lines: list[str] = []
        self._texts: list[tuple[str, int]] = [("", 0)] * len(operations)
        for i, (op, operands) in enumerate(operations):
            if op is None:
                self._texts[i] = operands[0], 0
            elif uses[i]:
                size = 1 + sum([self._texts[o.number][1] for o in operands if type(o) is Symbol])
                text = spelling(op, [self.text(operand) for operand in operands])
                if uses[i] > 1 or size > _LONGEST:
                    name = f"t{len(self.lines) + 1}"
                    self.lines.append(assignment.format(name, _without_parentheses(text)))
                    text, size = name, 0
                self._texts[i] = text, size

    def text(self, result: Any) -> str:
        """A symbol or a float as an operand."""
        return self._texts[result.number][0] if type(result) is Symbol else self._number(float(result))


def _without_parentheses(text: str) -> str:
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for i, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return text[1:-1] if i == len(text) - 1 else text
    return text


# Python


class Python:
    """How Python writes operations: `spelling`. `functions` are those that the text calls, by name."""

    def __init__(self) -> None:
        self.functions: dict[str, Op] = {}

    def spelling(self, op: Op, operands: list[str]) -> str:
        """An operation on float expressions, with the value and the errors that the table's row has."""
        if id(op) in PYTHON_OPERATORS:
            return PYTHON_OPERATORS[id(op)].format(*operands)
        operands = [_without_parentheses(text) if op.exponent is None else text for text in operands]
        if op.exponent is not None and op.exponent.is_integer():
            return f"({operands[0]} ** {python_number(op.exponent)})"
        name = next((name for name, known in self.functions.items() if known is op), f"f{len(self.functions) + 1}")
        if ops.is_built_in(op) and str(op).isidentifier():
            name = str(op)
        self.functions[name] = op
        return f"{name}({', '.join(operands)})"


def python_number(number: float) -> str:
    """A float as Python source."""
    text = repr(number) if math.isfinite(number) else f'float("{number!r}")'
    return f"({text})" if text.startswith("-") else text


def python_programs(
    inputs: Sequence[Sequence[Value]],
    outputs: Sequence[Value],
    parameters: Sequence[Value],
    names: Sequence[str],
    gradient: bool,
) -> tuple[str, dict[str, Op]]:
    """Python source of one or, with the gradient, two functions of lists of floats, and the functions that it calls.

    names: of the inputs. `value(theta, x, …)` takes the parameters and, per input, a nested list with one row, as `tolist()`
    of an array gives it, and returns a list of all outputs. `value_and_gradient(gradient, theta, x, …)` returns the first
    output and a tuple of the others, and puts the derivatives of the first by the parameters into an array:
    `put24(gradient, byte, …)` writes 24 doubles from that byte on.
    """
    python = Python()
    text = []
    for name in ("value", "value_and_gradient") if gradient else ("value",):
        statements = Statements()
        vectors = {"theta": parameters, **dict(zip(names, inputs, strict=True))}
        leaves = {
            value: statements.given(f"{vector}{i}")
            for vector, values in vectors.items()
            for i, value in enumerate(values)
        }
        now = run(statements, outputs, leaves)
        values = [now[output] if output in now else float(output._data) for output in outputs]
        slopes = gradients(statements, outputs[0], now, parameters) if name == "value_and_gradient" else []
        finite = [*statements.must_be_finite.values()]
        printer = Printer(statements, [*values, *slopes, *finite], python.spelling, python_number)
        lines = []
        for vector, numbers in vectors.items():
            if len(numbers) > 0:
                unpacked = "".join([f"{vector}{i}, " for i in range(len(numbers))])
                lines.append(f"({unpacked}) = theta" if vector == "theta" else f"[({unpacked})] = {vector}")
        lines += printer.lines
        for start in range(0, len(finite), _LONGEST):
            total = " + ".join([printer.text(number) for number in finite[start : start + _LONGEST]])
            lines += [f"if not {total} <= {sys.float_info.max}:", "    raise OverflowError"]
        texts, slopes = [[_without_parentheses(printer.text(a)) for a in part] for part in (values, slopes)]
        for start in range(0, len(slopes), MOST_PUT):
            part = slopes[start : start + MOST_PUT]
            lines.append(f"put{len(part)}(gradient, {8 * start}, {', '.join(part)})")
        if name == "value":
            arguments, result = [*vectors], f"[{', '.join(texts)}]"
        else:
            arguments, result = ["gradient", *vectors], f"{texts[0]}, ({''.join([f'{text}, ' for text in texts[1:]])})"
        lines.append(f"return {result}")
        text += [f"def {name}({', '.join(arguments)}):", *[f"    {line}" for line in lines], "", ""]
    return "\n".join(text), python.functions
