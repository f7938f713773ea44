"""`gradcheck`: the derivatives of a function of Values, against each other and against differences.

Reverse and forward mode must agree with each other and with differences of the whole function; each recorded operation
must agree with differences of its own value. How differences are taken, and how far they can be trusted, is the business
of `differences`; here a bound of the rounding error of each value is added to what they say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any

from .. import ops
from .._readings import Readings
from .._tables import html_table
from .._validation import as_number, check_call, describe, flat
from ..derivatives import grad, jvp
from ..graph import dot_parts, reverse, topological_order
from ..value import Value
from .differences import EPS, TINY, Estimate, slopes


class GradientError(ArithmeticError):
    """Derivatives disagree: a partial of an operation is wrong, or a sweep, or a number is hidden from the graph.

    >>> try:
    ...     gradcheck(lambda x: x * x.data, 3.0)
    ... except GradientError as error:
    ...     print(str(error).splitlines()[0][:57])
    every operation recorded is right, but the differences di
    """


@dataclass(frozen=True)
class GradCheck:
    """What `gradcheck` found, one entry per number of the point; as a str and in a notebook, a table.

    differences, bounds: central differences and bounds of their errors. kinks: operations that were at a kink, and
    "detach", whose derivative is 0 by decision. With these, differences of the whole function cannot tell what its
    derivative should be, so only the partials were checked.
    """

    point: list[float]
    reverse: list[float]
    forward: list[float]
    differences: list[float]
    bounds: list[float]
    kinks: list[str]

    def __str__(self) -> str:
        rows = [self._NAMES, *self._cells()]
        lines = [f"{x:>14}{a:>16}{b:>16}{c:>16}{bound:>9}" for x, a, b, c, bound in rows]
        return "\n".join(filter(None, [*lines, self._note()]))

    def _repr_html_(self) -> str:
        return html_table(self._NAMES, self._cells(), note=self._note())

    _NAMES = ("x", "reverse", "forward", "differences", "±")

    def _cells(self) -> list[tuple[str, ...]]:
        rows = zip(self.point, self.reverse, self.forward, self.differences, self.bounds, strict=True)
        return [(f"{x:.8g}", *[f"{d:.9g}" for d in derivatives], f"{bound:.1g}") for x, *derivatives, bound in rows]

    def _note(self) -> str:
        kinks = ", ".join(self.kinks)
        return f"at a kink of {kinks}: the differences of the whole are no judge" if kinks else ""


def gradcheck(function: Callable[..., Value], point: float | Sequence[float]) -> GradCheck:
    """Check the derivatives of a function: reverse mode, forward mode and central differences, side by side.

    function: takes as many Values as the point has numbers, and gives a Value. point: a sequence of numbers, or one
    number.

    The partials of each recorded operation are checked too, against differences of the operation's own value at the
    recorded numbers. So if something is wrong, the operation to blame is named. Differences come with a bound of their
    error, and nothing within it is called wrong. At a kink, the slope of either side is right. The partials of a node made
    by hand are checked as part of the whole.

    A `GradientError` (an ArithmeticError) says what disagrees and shows the table. A TypeError if the function gives no
    Value; a ValueError if it gives another number when it is called again; otherwise the errors of the function itself.

    >>> print(gradcheck(lambda x, y: x * y.sin(), [1.0, 2.0]))
                 x         reverse         forward     differences        ±
                 1     0.909297427     0.909297427     0.909297427    8e-14
                 2    -0.416146837    -0.416146837    -0.416146837    8e-10
    """
    given: Any = point
    point = [as_number(x) for x in (flat(given) if hasattr(given, "__iter__") else [given])]
    if not point:
        raise ValueError("the point is empty: give at least one number")
    check_call(
        function, len(point), "it takes one per number of the point; a function f of one list is lambda *x: f(x)"
    )
    inputs, output = _recorded(function, point)
    order = topological_order(output)
    by_reverse = grad(output, inputs)
    by_forward = [jvp(output, {x: 1.0}) for x in inputs]
    wrong, kinks = _check_partials(order)
    along = [_slopes_along(function, point, i, output.data) for i in range(len(point))]
    differences, bounds = zip(*map(_hull, along), strict=True)
    result = GradCheck(point, by_reverse, by_forward, list(differences), list(bounds), kinks)
    rounding = _rounding(order, inputs, output)
    if not wrong and not all(map(_agree, by_reverse, by_forward, rounding)):
        wrong = ["reverse and forward mode disagree although every partial is right: a sweep is wrong"]
    if not (wrong or kinks or all(map(_agree, by_reverse, differences, map(add, bounds, rounding)))):
        wrong = [
            "every operation recorded is right, but the differences disagree: the function depends on something that "
            "the graph does not see, such as a number taken with .data"
        ]
        if any(node.op is ops.custom for node in order):
            wrong += ["the partials of a node made by hand cannot be checked one by one: look there first"]
    if wrong:
        raise GradientError("\n".join([*wrong, str(result)]))
    return result


def _recorded(function: Callable[..., Value], point: Sequence[float]) -> tuple[list[Value], Value]:
    inputs = [Value(x) for x in point]
    output = function(*inputs)
    if not isinstance(output, Value):
        raise TypeError(f"the function gave {describe(output)} where a Value was wanted")
    return inputs, output


def _slopes_along(function: Callable[..., Value], point: list[float], i: int, at_point: float) -> list[Estimate]:
    """Of the whole function along its i-th number. at_point: what it gave at the point before."""

    def f(t: float) -> Estimate:
        _, output = _recorded(function, [*point[:i], t, *point[i + 1 :]])
        order = topological_order(output)
        # Every node rounds, and ∂output/∂node says what becomes of that.
        noise = sum(abs(d) * _noise(node) for node, d in zip(order, grad(output, order), strict=True))
        return Estimate(output.data, noise)

    def f_where_sharp(t: float) -> Estimate:
        if _is_blurred(found := f(t)):
            raise ArithmeticError("use no such step")
        return found

    here = f(point[i])
    value = here.number
    if value != at_point and (value == value or at_point == at_point):  # NaN again is no change
        raise ValueError(
            f"the function gave {at_point} at the point, and {value} when called again: draw random numbers, and keep "
            "what changes, outside of it"
        )
    return [] if _is_blurred(here) else slopes(f_where_sharp, point[i])


def _is_blurred(value: Estimate) -> bool:
    """Whether too few digits are right to see how the function changes."""
    return value.bound > 1e-6 * max(1.0, abs(value.number))


def _check_partials(order: list[Value]) -> tuple[list[str], list[str]]:
    """What is wrong with which operations, and the names of those at a kink."""
    wrong: dict[str, str] = {}
    kinks: dict[str, None] = {}
    for node in order:
        if node.op == ops.detach:
            kinks[str(node.op)] = None
        if node.op in (ops.detach, ops.custom):
            continue  # the one passes no derivative by decision, the other has no rule
        numbers = [parent.data for parent in node.parents]
        if node.op != ops.dot and node.op not in wrong:
            fault = _check_rule(node, numbers)
            if fault:
                wrong[node.op] = f"the partials of '{node.op}' {fault}"
        for i, partial in enumerate(node.partials):
            found = slopes(_along(node, numbers, i), numbers[i])
            if len(found) == 2:
                kinks[str(node.op)] = None
            slope, bound = _hull(found)
            if not _agree(partial, slope, bound):
                where = f"at {', '.join(f'{x:.9g}' for x in numbers[:4])}{', …' if len(numbers) > 4 else ''}"
                wrong.setdefault(
                    node.op,
                    f"the partial of '{node.op}' for operand {i + 1} is wrong: {where} its rule gives {partial:.9g}, "
                    f"differences of its value give {slope:.9g} ± {bound:.1g}",
                )
    return list(wrong.values()), list(kinks)


def _check_rule(node: Value, numbers: list[float]) -> str | None:
    """What is wrong with the operation's partials on Values; second derivatives and `compile` use them that way."""
    y = Value(node.data)
    try:
        with Readings() as readings:
            partials = node.op.partials(*[Value(x) for x in numbers], y)
    except (TypeError, AttributeError) as error:
        return f"do not take Values ({error}): write them in operators and operations of the table, as ops.cos(x)"
    except (ArithmeticError, ValueError):
        return None  # no second derivative here
    if readings.all():
        return "look at a number (a .data, an `if`), which no second derivative sees: use ops.step and the like"
    found = [p.data if isinstance(p, Value) else p for p in partials]
    same = all(a == b or (a != a and b != b) for a, b in zip(found, node.partials, strict=True))
    return None if same else f"are {found} of Values, and {[*node.partials]} of the numbers in them"


def _along(node: Value, numbers: list[float], i: int) -> Callable[[float], Estimate]:
    """The node's operation as a function of its i-th operand."""

    def f(t: float) -> Estimate:
        moved = [*numbers[:i], t, *numbers[i + 1 :]]
        y = _value(node, moved)
        return Estimate(y, _noise(node, moved, y))

    return f


def _value(node: Value, numbers: Sequence[float]) -> float:
    if node.op != ops.dot:
        return node.op.value(*numbers)
    with_bias = len(dot_parts(node)[0]) + 1  # the table takes the bias as a last weight, of the input 1
    return node.op.value(numbers[:with_bias], (*numbers[with_bias:], 1.0))


def _noise(node: Value, numbers: Sequence[float] | None = None, y: float | None = None) -> float:
    """A bound of the rounding error of the node's value; of the value y at other operands, if these are given.

    4 ulp for an operation of the table. A sum of n products is off by at most n half ulps of the sum of their sizes.
    """
    if node.op != ops.dot:
        return 4.0 * (EPS * abs(node.data if y is None else y) + TINY)
    sizes = [abs(x) for x in (numbers or [parent.data for parent in node.parents])]
    return (4.0 + 0.5 * len(sizes)) * (EPS * _value(node, sizes) + TINY)


def _hull(found: list[Estimate]) -> Estimate:
    """The slopes found, and at a kink all in between, as one number and a bound."""
    if not found:
        return Estimate(math.nan, math.inf)
    low, high = min(slope - bound for slope, bound in found), max(slope + bound for slope, bound in found)
    return Estimate((low + high) / 2, (high - low) / 2)


def _agree(derivative: float, number: float, bound: float) -> bool:
    """Whether they differ by no more than the bound and some last digits; without a finite bound, yes."""
    last_digits = 4.0 * (EPS * abs(number) + TINY)
    return not math.isfinite(bound) or abs(derivative - number) <= bound + last_digits


def _rounding(order: list[Value], inputs: list[Value], output: Value) -> list[float]:
    """How far two sweeps can differ: both sum, over paths, products of the same partials, with 2 roundings per edge."""
    sizes = {output: 1.0}
    reverse(order, sizes, lambda node: map(abs, node.partials))
    edges = sum(len(node.partials) for node in order)
    return [2.0 * edges * (EPS * sizes.get(x, 0.0) + TINY) for x in inputs]
