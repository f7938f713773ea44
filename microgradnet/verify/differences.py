"""Slopes of a function on floats by differences, which know nothing of calculus.

The step is not chosen beforehand. Each slope is computed for steps from wide to narrow, each a quarter of the one before,
and the step with the smallest bound of its error wins. That bound is a sum: the change from one step to the next, since
the error of a difference shrinks with the step, and the rounding errors of the function's values over the step, which
grow as it shrinks. At a kink the slopes to the left and to the right do not meet, and both are given. At the end of the
function's domain there is only one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

EPS = 2.0**-52  # the last place of 1
TINY = 2.0**-1074  # the last place of 0


class Estimate(NamedTuple):
    """A number and a bound of its error."""

    number: float
    bound: float


class _Limit(NamedTuple):
    """What difference quotients tend to as h shrinks: the number, its last change, and the rounding errors in it."""

    number: float
    change: float
    noise: float


class _Quotients(NamedTuple):
    """(f(x) - f(x-h))/h, (f(x+h) - f(x))/h and (f(x+h) - f(x-h))/2h; None where f fails."""

    h: float
    left: Estimate | None
    right: Estimate | None
    both: Estimate | None


def slopes(f: Callable[[float], Estimate], x: float) -> list[Estimate]:
    """f′(x) in a list of one; at a kink, the slopes to the left and to the right; an empty list if nothing can be said.

    f: gives a value and a bound of its rounding error. It may raise a ValueError or an ArithmeticError around x, but not
    at x.

    >>> kink = slopes(lambda x: Estimate(abs(x), 0.0), 0.0)
    >>> [side.number for side in kink]
    [-1.0, 1.0]
    """
    here = f(x)
    # A function varies on the scale of x (the logarithm) or on the scale of 1 (the sine). The factor is 0.37 because a
    # simple fraction of x may be a whole number of periods, and then the sine's differences over one and over four
    # periods agree on 0.
    scales = [
        [_quotients(f, x, here, scale * 4.0**-j) for j in range(count)]
        for scale, count in ((0.37 * abs(x), 14), (0.37, 24))
    ]
    if any(step.both for steps in scales for step in steps):  # x is inside the domain: use no step that leaves it
        scales = [[step for step in steps if step.both] for steps in scales]
    triples = [steps for row in scales for steps in zip(row[:-2], row[1:-1], row[2:], strict=True)]
    triples.sort(key=lambda steps: steps[-1].h, reverse=True)
    limits = [_limits(*steps) for steps in triples]
    left, right, both = (_best([m[side] for m in limits]) for side in range(3))
    if left and right and abs(left.number - right.number) > left.bound + right.bound:
        return [left, right]
    return sorted([found for found in (left, right, both) if found], key=lambda found: found.bound)[:1]


def _quotients(f: Callable[[float], Estimate], x: float, here: Estimate, h: float) -> _Quotients:
    points: list[tuple[float, Estimate] | None] = []
    for t in (x - h, x + h):
        try:
            y = f(t)
        except (ValueError, ArithmeticError):
            y = Estimate(math.nan, 0.0)
        points.append((t, y) if math.isfinite(t) and math.isfinite(y.number) and t != x else None)
    low, high = points
    left, right, both = _quotient(low, (x, here)), _quotient((x, here), high), _quotient(low, high)
    if left and right and both:  # x ± h are rounded, so `both` belongs to a point up to an ulp beside x
        both = Estimate(both.number, both.bound + abs(right.number - left.number) / h * math.ulp(x))
    return _Quotients(h, left, right, both)


def _quotient(a: tuple[float, Estimate] | None, b: tuple[float, Estimate] | None) -> Estimate | None:
    if a is None or b is None:
        return None
    step = b[0] - a[0]
    slope = (b[1].number - a[1].number) / step
    return Estimate(slope, (a[1].bound + b[1].bound) / step + 2.0 * EPS * abs(slope))


def _limits(*steps: _Quotients) -> list[_Limit | None]:
    """The limits from the left, from the right, and from both sides; of steps 16h, 4h and h."""
    left = _limit([step.left for step in steps], 4.0)  # an error proportional to h
    right = _limit([step.right for step in steps], 4.0)
    both = _limit([step.both for step in steps], 16.0)  # to h²
    gaps = [abs(step.right.number - step.left.number) for step in steps if step.right and step.left]
    # Without a kink, right and left differ by h f″: a quarter of it should be left after a step, or noise alone.
    if left and right and gaps[-1] > gaps[-2] / 2 + left.noise + right.noise:
        both = None
    return [left, right, both]


def _limit(steps: list[Estimate | None], order: float) -> _Limit | None:
    """Richardson's extrapolation, for an error that falls by the factor `order` with each step."""
    wider, wide, narrow = steps
    if not (wider and wide and narrow):
        return None
    number = (order * narrow.number - wide.number) / (order - 1.0)
    noise = (order * narrow.bound + wide.bound) / (order - 1.0)
    change = max(abs(wider.number - wide.number), abs(wide.number - narrow.number))
    limit = _Limit(number, change, noise)
    return limit if all(map(math.isfinite, limit)) else None


def _best(limits: list[_Limit | None]) -> Estimate | None:
    """The limit with the smallest bound, of those that have settled to a millionth or down to the noise.

    The limits come in the order of their steps, widest first. A limit that contradicts the best one so far replaces it:
    the wider steps went across something, such as a kink.
    """
    best: Estimate | None = None
    for number, change, noise in filter(None, limits):
        bound = change + noise
        if change <= noise or bound <= 1e-6 * abs(number):
            contradicts = best is not None and abs(number - best.number) > bound + best.bound
            if best is None or contradicts or bound < best.bound:
                best = Estimate(number, bound)
    return best
