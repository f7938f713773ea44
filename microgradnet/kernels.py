"""The table's values on arrays, element by element, where NumPy has no function for them.

All take `out` as NumPy's functions do; it may be one of the operands. The values on floats are in `ops`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
from numpy import add, exp, negative, reciprocal

_ONES = {np.dtype(name): np.ones((), name) for name in ("float64", "float32")}


def sigmoids(x: Any, out: Any = None) -> Any:
    """σ(x) = 1 / (1 + e⁻ˣ), and e^x / (1 + e^x) for x < 0: no exponential overflows."""
    e = np.exp(-np.abs(x))
    return np.divide(np.where(np.less(x, 0.0), e, 1.0), 1.0 + e, out=out)


def sigmoid_slopes(x: Any, out: Any = None) -> Any:
    """σ′(x) = σ(x) σ(-x) = e / (1 + e)², with e = e^-|x|."""
    e = np.exp(-np.abs(x))
    return np.divide(e, np.square(1.0 + e), out=out)


# A sigmoid and its slope share one exponential: e = e⁻ˣ, then σ(x) from e, then σ(-x) from both. Beyond x = -709 (-88 in
# float32) e overflows, a floating-point error; then a program runs again with the functions of `APART`. Small batches feel
# what these calls cost: `out` is passed by position, and a 1 of the dtype, as an array, is quicker than Python's.


def exp_minus(x: Any, out: Any = None) -> Any:
    """e⁻ˣ."""
    return exp(negative(x, out), out)


def logistic(e: Any, out: Any = None) -> Any:
    """σ(x) = 1 / (1 + e), from e = e⁻ˣ."""
    return reciprocal(add(e, _ONES[e.dtype], out), out)


opposite = np.multiply
"""σ(-x) = e y, from e = e⁻ˣ and y = σ(x)."""


def _opposite_apart(x: Any, y: Any, out: Any = None) -> Any:
    return sigmoids(np.negative(x), out=out)


HALVES = {"exp_minus": exp_minus, "logistic": logistic, "opposite": opposite}
APART = {"exp_minus": np.positive, "logistic": sigmoids, "opposite": _opposite_apart}
"""The same three without a common exponential: what they pass on as e is x itself."""


def softpluses(x: Any, out: Any = None) -> Any:
    """ln(1 + eˣ)."""
    return np.logaddexp(x, 0.0, out=out)


def relus(x: Any, out: Any = None) -> Any:
    """max(x, 0)."""
    return np.maximum(x, 0.0, out=out)


def steps(x: Any, out: Any = None) -> Any:
    """1 where x ≥ 0, else 0."""
    return np.heaviside(x, 1.0, out=out)


def pows(a: Any, b: Any, out: Any = None) -> Any:
    """aᵇ for positive a."""
    np.log(a)  # raises the floating-point error: `power` accepts some bases that are not positive
    return np.power(a, b, out=out)


def xlogys(x: Any, a: Any, out: Any = None) -> Any:
    """x ln a, 0 where both are 0."""
    return np.multiply(x, np.log(np.where((x == 0.0) & (a == 0.0), 1.0, a)), out=out)


def xlog1mys(x: Any, a: Any, out: Any = None) -> Any:
    """x ln(1 - a), 0 where x = 0 and a = 1."""
    return np.multiply(x, np.log1p(-np.where((x == 0.0) & (a == 1.0), 0.0, a)), out=out)


def cross_entropies(z: Any, r: Any, out: Any = None) -> Any:
    """-[r ln σ(z) + (1 - r) ln(1 - σ(z))]."""
    linear = (1.0 - r) * np.maximum(z, 0.0) + r * np.maximum(-z, 0.0)
    out = np.absolute(z, out=out)
    out = np.log1p(np.exp(np.negative(out, out=out), out=out), out=out)
    return np.add(out, linear, out=out)


def first_largest(a: Any, out: Any = None) -> Any:
    """1 at the first largest number of each column, 0 elsewhere."""
    return np.equal(np.arange(len(a))[:, None], a.argmax(axis=0), out=out)


def first_smallest(a: Any, out: Any = None) -> Any:
    """1 at the first smallest number of each column, 0 elsewhere."""
    return np.equal(np.arange(len(a))[:, None], a.argmin(axis=0), out=out)


def vdot(a: Any, b: Any) -> Any:
    """The sum of all products; unlike NumPy's, it raises a floating-point error where NumPy's other functions do."""
    total = np.vdot(a, b)
    return total if isfinite(total) else add.reduce(np.multiply(a, b), axis=None)


def each(value: Callable[..., float]) -> Callable[..., Any]:
    """The array form of a function on floats: number by number, with NumPy's floating-point error where that raises."""

    def number(*x: float) -> float:
        try:
            return value(*x)
        except (ValueError, ArithmeticError):
            return np.nan

    def array(*x: Any, out: Any = None) -> Any:
        y = np.vectorize(number, otypes=[np.float64])(*x)
        if np.isnan(y).any():
            np.subtract(np.inf, np.inf)  # invalid: raises, warns or does nothing, by the caller's errstate
        return y if out is None else np.positive(y, out=out, casting="same_kind")

    return array
