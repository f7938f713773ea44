"""Derivatives against differences, which know nothing of calculus: `gradcheck`, and the differences it trusts.

The step of a difference is not chosen beforehand. Steps from wide to narrow are tried, each a quarter of the one before,
and where the bound of the error is smallest they stop: the bound is the change from step to step, as the error of a
difference shrinks with the step, plus the rounding errors of the function's values over the step, which grow as it
shrinks. At a kink the slopes to the left and to the right do not approach each other, and both are given. At the end
of the function's domain there is only one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any, NamedTuple

from .._validation import as_number, describe
from ..compiler.record import ONE_AT_A_TIME, call
from ..derivatives import grad, jvp
from ..graph import reverse, topological_order
from ..value import Value

_EPS = 2.0**-52  # the last place of 1
_TINY = 2.0**-1074  # the last place of 0


# Differences, of any function on floats.


class Estimate(NamedTuple):
    """A number and a bound of its error."""

    number: float
    bound: float


class _Limit(NamedTuple):
    """Where two steps of differences lead: to number, after a last change, and with some noise."""

    number: float
    change: float
    noise: float


class _Look(NamedTuple):
    """(f(x) - f(x-h))/h, (f(x+h) - f(x))/h and (f(x+h) - f(x-h))/2h; None where f fails."""

    h: float
    left: Estimate | None
    right: Estimate | None
    both: Estimate | None


def slopes(f: Callable[[float], Estimate], x: float) -> list[Estimate]:
    """f′(x) in a list of one, or the slopes to the left and to the right of a kink; empty if nothing can be said.

    f: gives a value and a bound of its rounding error; around x it may raise ValueError or ArithmeticError, at x not.

    >>> kink = slopes(lambda x: Estimate(abs(x), 0.0), 0.0)
    >>> [side.number for side in kink]
    [-1.0, 1.0]
    """
    here = f(x)
    # Functions vary on the scale of x (the logarithm) or on that of 1 (the sine). 0.37, because a simple fraction of x
    # may be a whole number of periods, and the sine's differences over one and over four periods agree, on 0.
    scales = [
        [_look(f, x, here, scale * 4.0**-j) for j in range(number)]
        for scale, number in ((0.37 * abs(x), 14), (0.37, 24))
    ]
    if any(look.both for looks in scales for look in looks):  # x is inside the domain: do not look past its end
        scales = [[look for look in looks if look.both] for looks in scales]
    triples = [steps for looks in scales for steps in zip(looks, looks[1:], looks[2:], strict=False)]
    triples.sort(key=lambda steps: steps[-1].h, reverse=True)
    limits = [_limits(*steps) for steps in triples]
    left, right, both = (_best([m[side] for m in limits]) for side in range(3))
    if left and right and abs(left.number - right.number) > left.bound + right.bound:
        return [left, right]
    return sorted([found for found in (left, right, both) if found], key=lambda found: found.bound)[:1]


def _look(f: Callable[[float], Estimate], x: float, here: Estimate, h: float) -> _Look:
    points: list[tuple[float, Estimate] | None] = []
    for t in (x - h, x + h):
        try:
            y = f(t)
        except (ValueError, ArithmeticError):
            y = Estimate(math.nan, 0.0)
        points.append((t, y) if math.isfinite(t) and math.isfinite(y.number) and t != x else None)
    low, high = points
    left, right, both = _quotient(low, (x, here)), _quotient((x, here), high), _quotient(low, high)
    if left and right and both:  # x ± h are rounded: both is the slope off the centre by up to an ulp
        both = Estimate(both.number, both.bound + abs(right.number - left.number) / h * math.ulp(x))
    return _Look(h, left, right, both)


def _quotient(a: tuple[float, Estimate] | None, b: tuple[float, Estimate] | None) -> Estimate | None:
    if a is None or b is None:
        return None
    step = b[0] - a[0]
    slope = (b[1].number - a[1].number) / step
    return Estimate(slope, (a[1].bound + b[1].bound) / step + 2.0 * _EPS * abs(slope))


def _limits(*steps: _Look) -> list[_Limit | None]:
    """To the left, to the right and from both sides, as the step goes on from 4h to h to h/4 to 0."""
    left = _limit([look.left for look in steps], 4.0)  # errors go with h
    right = _limit([look.right for look in steps], 4.0)
    both = _limit([look.both for look in steps], 16.0)  # the error goes with h²
    gaps = [abs(look.right.number - look.left.number) for look in steps if look.right and look.left]
    # Unless there is a kink, right and left differ by h f″, of which a quarter should be left, or nothing but noise.
    if left and right and gaps[-1] > gaps[-2] / 2 + left.noise + right.noise:
        both = None
    return [left, right, both]


def _limit(steps: list[Estimate | None], order: float) -> _Limit | None:
    """Richardson's, for an error that falls by the factor `order` with each step; the larger of the last two changes."""
    wider, wide, narrow = steps
    if not (wider and wide and narrow):
        return None
    number = (order * narrow.number - wide.number) / (order - 1.0)
    noise = (order * narrow.bound + wide.bound) / (order - 1.0)
    change = max(abs(wider.number - wide.number), abs(wide.number - narrow.number))
    limit = _Limit(number, change, noise)
    return limit if all(map(math.isfinite, limit)) else None


def _best(limits: list[_Limit | None]) -> Estimate | None:
    """Of the limits that have settled, to a millionth or down to the noise, the one with the smallest bound.

    They come in the order of their steps. Where one contradicts those of wider steps, these looked past something, a kink
    perhaps, and are forgotten.
    """
    best: Estimate | None = None
    for number, change, noise in filter(None, limits):
        bound = change + noise
        if change <= noise or bound <= 1e-6 * abs(number):
            contradicts = best is not None and abs(number - best.number) > bound + best.bound
            if best is None or contradicts or bound < best.bound:
                best = Estimate(number, bound)
    return best


# A function of Values against differences.


class GradientError(ArithmeticError):
    """Derivatives disagree: an operation's partial is wrong, or a sweep is, or a number is hidden from the graph.

    >>> try:
    ...     gradcheck(lambda x: x * x.data, 3.0)
    ... except GradientError as error:
    ...     print(str(error).splitlines()[0][:57])
    every operation recorded is right, but the differences di
    """


@dataclass(frozen=True)
class GradCheck:
    """What `gradcheck` found, one entry per number of the point; as a str, a table.

    differences, bounds: central differences and bounds of their errors. kinks: operations met at a kink, where no
    difference of the whole function can say what the derivative should be; then only the partials were checked.
    """

    point: list[float]
    reverse: list[float]
    forward: list[float]
    differences: list[float]
    bounds: list[float]
    kinks: list[str]

    def __str__(self) -> str:
        lines = [f"{'x':>14}{'reverse':>16}{'forward':>16}{'differences':>16}{'±':>9}"]
        for x, *derivatives, bound in zip(
            self.point, self.reverse, self.forward, self.differences, self.bounds, strict=True
        ):
            lines.append(f"{x:>14.8g}" + "".join(f"{d:>16.9g}" for d in derivatives) + f"{bound:>9.1g}")
        if self.kinks:
            lines.append(f"at a kink of {', '.join(self.kinks)}: the differences of the whole are no judge")
        return "\n".join(lines)


def gradcheck(function: Callable[..., Value], point: float | Sequence[float]) -> GradCheck:
    """Check the derivatives of a function: reverse mode, forward mode and central differences side by side.

    function: takes as many Values as the point has numbers, and gives a Value. point: these numbers, or a lone one.

    The partials of every operation recorded are checked too, at the numbers recorded, against differences of the
    operation's own value; so when something is wrong, the operation to blame is named. Differences come with a bound of
    their error, and nothing closer than that is called wrong. At a kink, either side's slope is right.

    A `GradientError` (an ArithmeticError) says what disagrees and shows the table. A TypeError if the function gives no
    Value; otherwise the errors of the function itself.

    >>> print(gradcheck(lambda x, y: x * y.sin(), [1.0, 2.0]))
                 x         reverse         forward     differences        ±
                 1     0.909297427     0.909297427     0.909297427    8e-14
                 2    -0.416146837    -0.416146837    -0.416146837    8e-10
    """
    numbers: Any = point if hasattr(point, "__len__") else [point]
    point = [as_number(x) for x in numbers]
    if not point:
        raise ValueError("the point is empty: a derivative wants at least one number")
    inputs, output = _call(function, point)
    order = topological_order(output)
    by_reverse = grad(output, inputs)
    by_forward = [jvp(output, {x: 1.0}) for x in inputs]
    wrong, kinks = _check_partials(order)
    differences, bounds = zip(*[_hull(_slopes_of(function, point, i)) for i in range(len(point))], strict=True)
    result = GradCheck(point, by_reverse, by_forward, list(differences), list(bounds), kinks)
    rounding = _rounding(order, inputs, output)
    if not wrong and not all(map(_agree, by_reverse, by_forward, rounding)):
        wrong = ["reverse and forward mode disagree, although every partial is right: a sweep is wrong"]
    if not (wrong or kinks or all(map(_agree, by_reverse, differences, map(add, bounds, rounding)))):
        wrong = [
            "every operation recorded is right, but the differences disagree: the function depends on something the "
            "graph does not see (a number taken with .data, say), or changes from call to call"
        ]
    if wrong:
        raise GradientError("\n".join([*wrong, str(result)]))
    return result


def _call(function: Callable[..., Value], point: Sequence[float]) -> tuple[list[Value], Value]:
    inputs = [Value(x) for x in point]
    output = function(*inputs)
    if not isinstance(output, Value):
        raise TypeError(f"the function gave {describe(output)} where a Value was wanted")
    return inputs, output


def _slopes_of(function: Callable[..., Value], point: list[float], i: int) -> list[Estimate]:
    """Of the whole function along its i-th number."""

    def f(t: float) -> Estimate:
        _, output = _call(function, [*point[:i], t, *point[i + 1 :]])
        order = topological_order(output)
        # Every node rounds, and ∂output/∂node says what becomes of that.
        noise = sum(abs(d) * _noise(node) for node, d in zip(order, grad(output, order), strict=True))
        return Estimate(output.data, noise)

    value, noise = f(point[i])
    if noise > 1e-6 * max(1.0, abs(value)):  # too few digits are right to see how the function changes
        return []
    return slopes(f, point[i])


def _check_partials(order: list[Value]) -> tuple[list[str], list[str]]:
    """What is wrong with which operations, and the names of those met at a kink."""
    wrong: dict[str, str] = {}
    kinks: dict[str, None] = {}
    for node in order:
        numbers = [parent.data for parent in node.parents]
        if type(node.first) is not tuple and node.op not in wrong:
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
    """What is wrong with the operation's partials on Values, which second derivatives need and compiling does alike."""
    y = Value(node.data)
    try:
        with ONE_AT_A_TIME:
            partials, looked_at = call(lambda operands: node.op.partials(*operands, y), [[Value(x) for x in numbers]])
    except (TypeError, AttributeError) as error:
        return f"do not take Values ({error}): write them in operators and operations of the table, as ops.cos(x)"
    except (ArithmeticError, ValueError):
        return None  # no second derivative here
    if looked_at:
        return "look at a number (a .data, an `if`), which no second derivative sees: use ops.step and its like"
    found = [p.data if isinstance(p, Value) else p for p in partials]
    same = all(a == b or (a != a and b != b) for a, b in zip(found, node.partials, strict=True))
    return None if same else f"are {found} of Values, and {[*node.partials]} of the numbers in them"


def _along(node: Value, numbers: list[float], i: int) -> Callable[[float], Estimate]:
    """The node's own operation, as a function of its i-th operand."""

    def f(t: float) -> Estimate:
        moved = [*numbers[:i], t, *numbers[i + 1 :]]
        y = _value(node, moved)
        return Estimate(y, _noise(node, moved, y))

    return f


def _value(node: Value, numbers: Sequence[float]) -> float:
    if type(node.first) is tuple:  # a dot: weights and bias, inputs and the bias's 1
        n = len(node.first)
        return node.op.value(numbers[:n], (*numbers[n:], 1.0))
    return node.op.value(*numbers)


def _noise(node: Value, numbers: Sequence[float] | None = None, y: float | None = None) -> float:
    """A bound of the rounding error of the node's value, at other operands if given.

    The table promises the last digits, say 4 ulp. A sum of n products is off by n half ulps of the sum of their sizes.
    """
    if type(node.first) is not tuple:
        return 4.0 * (_EPS * abs(node.data if y is None else y) + _TINY)
    sizes = [abs(x) for x in (numbers or [parent.data for parent in node.parents])]
    return (4.0 + 0.5 * len(sizes)) * (_EPS * _value(node, sizes) + _TINY)


def _hull(found: list[Estimate]) -> Estimate:
    """All slopes found, and at a kink those in between, as one number and a bound."""
    if not found:
        return Estimate(math.nan, math.inf)
    low, high = min(slope - bound for slope, bound in found), max(slope + bound for slope, bound in found)
    return Estimate((low + high) / 2, (high - low) / 2)


def _agree(derivative: float, number: float, bound: float) -> bool:
    """Up to the bound and to last digits; beyond the floats, where there is no bound, whatever comes."""
    last_digits = 4.0 * (_EPS * abs(number) + _TINY)
    return not math.isfinite(bound) or abs(derivative - number) <= bound + last_digits


def _rounding(order: list[Value], inputs: list[Value], output: Value) -> list[float]:
    """How far two sweeps can be apart: both sum products of the same partials over paths, with 2 roundings an edge."""
    sizes = {output: 1.0}
    reverse(order, sizes, lambda node: map(abs, node.partials))
    edges = sum(len(node.partials) for node in order)
    return [2.0 * edges * (_EPS * sizes.get(x, 0.0) + _TINY) for x in inputs]
