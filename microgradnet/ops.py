"""The table of operations: the only home of values and of derivatives.

A row states an operation once: its name, its value on floats, its partial derivatives, and where it is defined.
Reverse mode, forward mode, second derivatives, the compiler and the picture all read the row; none of them needs to know
an operation by name, so a new row, here or in a file of your own, is all that a new operation needs.

A rule of partials reads like the calculus table. It gets the operands and then the result `y`, and returns one
partial per operand. It is written in operators and in the table's own operations, which work on plain numbers and
on whatever records them (a `Value`, say): fed numbers it gives numbers, fed Values it gives more graph, and that
graph can be differentiated again.

Kinks are decided here and nowhere else: relu'(0) = 0, |·|'(0) = 0, step' = 0 everywhere, and a tie in `maximum` or
`minimum` belongs to the first operand. A slope that jumps is written with `step`, never with an `if`, so that a
replayed graph does not keep the branch of the numbers it was recorded with.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from . import kernels
from .checks import describe

Partials = Callable[..., tuple[Any, ...]]


class Op(str):
    """An operation, known by its name: `value.op == "tanh"`. A leaf's operation is the empty name.

    Calling it with numbers gives a number; with anything else (a `Value`) it is recorded by that operand's own
    `_record`.
    """

    value: Callable[..., float]  # on floats; raises outside the domain
    array: Callable[..., Any]  # on arrays, element by element, with `out` as in NumPy
    partials: Partials
    domain: str  # where it is defined, in words
    recorder: Callable[..., Any] | None  # what records it, for those that make it once and keep it here

    def __new__(
        cls, name: str, value: Callable[..., float], array: Callable[..., Any], partials: Partials, domain: str = ""
    ) -> Op:
        op = super().__new__(cls, name)
        op.value, op.array, op.partials, op.domain = value, array, partials, domain
        op.recorder = None
        return op

    def __call__(self, *operands: Any) -> Any:
        for operand in operands:
            if not isinstance(operand, (float, int)):
                if not hasattr(operand, "_record"):
                    raise TypeError(f"{describe(operand)} arrived where '{self}' takes plain numbers and Values")
                return operand._record(self, operands)
        return self.value(*operands)

    def __reduce__(self) -> Any:  # functions do not pickle; the name says which row it is
        return named, (str(self),)


# Values on floats that Python's `math` does not have. Each is right to the last digits for every float.


def _sigmoid(x: float) -> float:
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)  # x < 0: exp(-x) could overflow, exp(x) cannot
    return e / (1.0 + e)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _step(x: float) -> float:
    return x if x != x else float(x >= 0.0)  # NaN stays NaN, here and in the three below


def _relu(x: float) -> float:
    return x if x > 0.0 or x != x else 0.0


def _maximum(a: float, b: float) -> float:
    return a if a >= b or a != a else b


def _minimum(a: float, b: float) -> float:
    return a if a <= b or a != a else b


def _pow(a: float, b: float) -> float:
    if not a > 0.0:
        raise ValueError("a base that is not positive")
    return math.pow(a, b)


def _xlogy(x: float, y: float) -> float:
    return 0.0 if x == 0.0 and y == 0.0 else x * math.log(y)


def _xlog1my(x: float, y: float) -> float:
    return 0.0 if x == 0.0 and y == 1.0 else x * math.log1p(-y)


def _cross_entropy(z: float, r: float) -> float:
    return (1.0 - r) * max(z, 0.0) + r * max(-z, 0.0) + math.log1p(math.exp(-abs(z)))


_dot: Callable[..., float] = getattr(math, "sumprod", lambda w, x: sum(map(operator.mul, w, x)))  # from Python 3.12


# What a leaf is made by: nothing, or a plain number that met a Value.
leaf = Op("", float, np.positive, lambda y: ())
constant = Op("constant", float, np.positive, lambda y: ())

TABLE: dict[str, Op] = {}


def row(
    name: str,
    value: Callable[..., float],
    array: Callable[..., Any] | None,
    partials: Partials,
    domain: str = "",
) -> Op:
    """Add an operation to the table, and return it: a function of one or two Values.

    name: a new one, for pictures, messages and files. value: on floats; it raises a ValueError or an ArithmeticError
    outside the domain. array: on arrays, element by element, with `out` as in NumPy; None to go through them number by
    number, which is slow. partials: a function of the operands and the result that returns one partial derivative per
    operand, written in operators and in operations of the table. domain: where the operation and its derivatives are
    defined, in words.

    A ValueError if the table has the name already.

    >>> cbrt = row("cbrt", math.cbrt, np.cbrt, lambda x, y: (y / (3.0 * x),), "x is not 0")
    >>> cbrt(8.0)
    2.0
    """
    if name in TABLE or name in (leaf, constant) or name[:2] == "**" != name:
        raise ValueError(f"the table has an operation {name!r} already: choose another name")
    TABLE[name] = op = Op(name, value, array or kernels.each(value), partials, domain)
    return op


# fmt: off
#                       name             value on floats    value on arrays          partials                                                        defined where
add: Op           = row("+",             operator.add,      np.add,                  lambda a, b, y: (1.0, 1.0))
sub: Op           = row("-",             operator.sub,      np.subtract,             lambda a, b, y: (1.0, -1.0))
mul: Op           = row("*",             operator.mul,      np.multiply,             lambda a, b, y: (b, a))
div: Op           = row("/",             operator.truediv,  np.divide,               lambda a, b, y: (1.0 / b, -y / b),                              "the divisor is not 0")
neg: Op           = row("neg",           operator.neg,      np.negative,             lambda x, y: (-1.0,))
pow_: Op          = row("**",            _pow,              kernels.pows,            lambda a, b, y: (b * (y / a), y * log(a)),                      "the base is positive (unless the exponent is a plain number) and the result at most 1.8e308")
exp: Op           = row("exp",           math.exp,          np.exp,                  lambda x, y: (y,),                                              "the result is at most 1.8e308, so x at most 709.78")
log: Op           = row("log",           math.log,          np.log,                  lambda x, y: (1.0 / x,),                                        "x is positive")
sqrt: Op          = row("sqrt",          math.sqrt,         np.sqrt,                 lambda x, y: (0.5 / y,),                                        "x is not negative and, for the derivative, not 0")
sin: Op           = row("sin",           math.sin,          np.sin,                  lambda x, y: (cos(x),),                                         "x is finite")
cos: Op           = row("cos",           math.cos,          np.cos,                  lambda x, y: (-sin(x),),                                        "x is finite")
tanh: Op          = row("tanh",          math.tanh,         np.tanh,                 lambda x, y: (4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x),))     # 1 - y², but exact where y is near ±1
sigmoid: Op       = row("sigmoid",       _sigmoid,          kernels.sigmoids,        lambda x, y: (y * sigmoid(-x),))                                # y (1 - y), but exact where y is near 1
softplus: Op      = row("softplus",      _softplus,         kernels.softpluses,      lambda x, y: (sigmoid(x),))
relu: Op          = row("relu",          _relu,             kernels.relus,           lambda x, y: (1.0 - step(-x),))
step: Op          = row("step",          _step,             kernels.steps,           lambda x, y: (0.0,))
abs_: Op          = row("abs",           math.fabs,         np.absolute,             lambda x, y: (step(x) - step(-x),))
maximum: Op       = row("maximum",       _maximum,          np.maximum,              lambda a, b, y: (step(a - b), 1.0 - step(a - b)))
minimum: Op       = row("minimum",       _minimum,          np.minimum,              lambda a, b, y: (step(b - a), 1.0 - step(b - a)))
xlogy: Op         = row("xlogy",         _xlogy,            kernels.xlogys,          lambda x, a, y: (log(a), x / a),                                "the logarithm's argument is positive")
xlog1my: Op       = row("xlog1my",       _xlog1my,          kernels.xlog1mys,        lambda x, a, y: (xlog1my(1.0, a), -x / (1.0 - a)),                 "a, in x ln(1 - a), is less than 1")
# -[r ln σ(z) + (1 - r) ln(1 - σ(z))] and its ∂/∂z = σ(z) - r, the lecture's miracle, with nothing cancelled
cross_entropy: Op = row("cross_entropy", _cross_entropy,    kernels.cross_entropies, lambda z, r, y: ((1.0 - r) * sigmoid(z) - r * sigmoid(-z), -z))
# on tuples: w holds the weights and then the bias, x the inputs and then a 1
dot: Op           = row("dot",           _dot,              np.matmul,               lambda w, x, y: (x, w))
# fmt: on


_POWERS: dict[float, Callable[..., Any]] = {0.5: np.sqrt, 1.0: np.positive, 2.0: np.square, -1.0: np.reciprocal}


@lru_cache(maxsize=1024)
def power(n: float) -> Op:
    """The row of xⁿ for a fixed number n: exact for every base where the result is real."""
    return Op(
        f"**{repr(float(n)).removesuffix('.0')}",
        lambda x: math.pow(x, n),
        _POWERS.get(n) or (lambda x, out=None: np.power(x, n, out=out)),
        lambda x, y: (n * x ** (n - 1.0) if n != 0.0 else 0.0,),
        "the result is real and at most 1.8e308 (a negative base takes whole exponents, 0 takes none below 0)",
    )


def named(name: str) -> Op:
    """The row with this name; "**3" names a member of the family of powers."""
    for op in (leaf, constant):
        if name == op:
            return op
    if name.startswith("**") and name != pow_:
        return power(float(name.removeprefix("**")))
    if name not in TABLE:
        raise KeyError(f"the table has no operation {name!r}: import what adds its row first")
    return TABLE[name]
