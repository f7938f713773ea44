"""The table of operations: the only home of values and of derivatives.

A row states an operation once: its name, its value on floats, its partial derivatives, and where it is defined.
Reverse mode, forward mode, second derivatives, the compiler and the picture all read the row, and none of them knows an
operation by name. A new operation needs only a new row, here or in a file of your own.

The rule of the partials reads like the calculus table. It takes the operands and the result `y`, and returns one
partial per operand. It is written with operators and with the table's own operations, which accept plain numbers and
anything that records them, such as Values: from numbers the rule makes numbers, from Values it makes more graph, which
can be differentiated again.

Kinks are decided here and nowhere else: relu'(0) = 0, |·|'(0) = 0, step' = 0 everywhere, and a tie in `maximum` or
`minimum` belongs to the first operand. A slope that jumps is written with `step`, never with an `if`: a graph that runs
again on other numbers would keep the branch of the numbers it was recorded with.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import lru_cache
from inspect import signature
from typing import Any

import numpy as np

from . import kernels
from ._validation import check_row, describe

Partials = Callable[..., tuple[Any, ...]]


class Op(str):
    """An operation, known by its name: `value.op == "tanh"`. A leaf's operation is the empty name.

    Calling it with numbers gives a number. Calling it with anything else, such as a Value, records it by that operand's
    own `_record`.
    """

    value: Callable[..., float]  # on floats; raises outside the domain
    array: Callable[..., Any]  # on arrays, element by element, with `out` as in NumPy
    partials: Partials
    domain: str  # where it is defined, in words
    exponent: float | None  # of a power with a fixed exponent
    recorder: Callable[..., Any]  # records it on Values; itself until one is written, and again when the row changes

    def __new__(
        cls,
        name: str,
        value: Callable[..., float],
        array: Callable[..., Any],
        partials: Partials,
        domain: str = "",
        exponent: float | None = None,
    ) -> Op:
        op = super().__new__(cls, name)
        op.value, op.array, op.partials, op.domain, op.exponent = value, array, partials, domain, exponent
        return op

    def __setattr__(self, name: str, content: Any) -> None:
        super().__setattr__(name, content)
        if name in ("value", "partials"):
            self.recorder = self

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


def _sigmoid_slope(x: float) -> float:
    try:
        return 0.5 / (1.0 + math.cosh(x))
    except OverflowError:  # beyond 710, where 1 + e^-|x| is 1
        return math.exp(-abs(x))


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


def _by_hand(*_: Any) -> Any:
    raise TypeError(
        "a node made by hand, Value(data, parents, partials), holds numbers and no rule, so that it can neither be "
        "differentiated twice nor compiled: make its operation with ops.row"
    )


# What is not in the table: how leaves are made, nothing or a plain number that met a Value; a node made by hand; and
# `detach`, whose partial is not its derivative: the number passes, no derivative does.
leaf = Op("", float, np.positive, lambda y: ())
constant = Op("constant", float, np.positive, lambda y: ())
custom = Op("custom", _by_hand, _by_hand, _by_hand)
detach = Op("detach", float, np.positive, lambda x, y: (0.0,))
_OUTSIDE_THE_TABLE = (leaf, constant, custom, detach)

TABLE: dict[str, Op] = {}


def _row(name: str, value: Callable[..., float], array: Callable[..., Any], partials: Partials, domain: str = "") -> Op:
    TABLE[name] = op = Op(name, value, array, partials, domain)
    return op


# fmt: off
#                        name             value on floats    value on arrays          partials                                                        defined where
add: Op           = _row("+",             operator.add,      np.add,                  lambda a, b, y: (1.0, 1.0))
sub: Op           = _row("-",             operator.sub,      np.subtract,             lambda a, b, y: (1.0, -1.0))
mul: Op           = _row("*",             operator.mul,      np.multiply,             lambda a, b, y: (b, a))
div: Op           = _row("/",             operator.truediv,  np.divide,               lambda a, b, y: (1.0 / b, -y / b),                              "the divisor is not 0")
neg: Op           = _row("neg",           operator.neg,      np.negative,             lambda x, y: (-1.0,))
pow_: Op          = _row("**",            _pow,              kernels.pows,            lambda a, b, y: (b * pow_(a, b - 1.0), y * log(a)),             "the base is positive (unless the exponent is a plain number), the result at most 1.8e308 and, for the derivative, base ** (exponent - 1) as well")
exp: Op           = _row("exp",           math.exp,          np.exp,                  lambda x, y: (y,),                                              "the result is at most 1.8e308, so x at most 709.78")
log: Op           = _row("log",           math.log,          np.log,                  lambda x, y: (1.0 / x,),                                        "x is positive")
sqrt: Op          = _row("sqrt",          math.sqrt,         np.sqrt,                 lambda x, y: (0.5 / y,),                                        "x is not negative and, for the derivative, not 0")
sin: Op           = _row("sin",           math.sin,          np.sin,                  lambda x, y: (cos(x),),                                         "x is finite")
cos: Op           = _row("cos",           math.cos,          np.cos,                  lambda x, y: (-sin(x),),                                        "x is finite")
tanh: Op          = _row("tanh",          math.tanh,         np.tanh,                 lambda x, y: (4.0 * sigmoid_slope(2.0 * x),))                   # 1 - y², but exact where y is near ±1
sigmoid: Op       = _row("sigmoid",       _sigmoid,          kernels.sigmoids,        lambda x, y: (sigmoid_slope(x),))
sigmoid_slope: Op = _row("sigmoid_slope", _sigmoid_slope,    kernels.sigmoid_slopes,  lambda x, y: (-y * tanh(0.5 * x),))                             # σ(x) σ(-x), so that σ″ is exact, too, where σ(-x) - σ(x) would cancel
softplus: Op      = _row("softplus",      _softplus,         kernels.softpluses,      lambda x, y: (sigmoid(x),))
relu: Op          = _row("relu",          _relu,             kernels.relus,           lambda x, y: (1.0 - step(-x),))
step: Op          = _row("step",          _step,             kernels.steps,           lambda x, y: (0.0,))
abs_: Op          = _row("abs",           math.fabs,         np.absolute,             lambda x, y: (step(x) - step(-x),))
maximum: Op       = _row("maximum",       _maximum,          np.maximum,              lambda a, b, y: (step(a - b), 1.0 - step(a - b)))
minimum: Op       = _row("minimum",       _minimum,          np.minimum,              lambda a, b, y: (step(b - a), 1.0 - step(b - a)))
xlogy: Op         = _row("xlogy",         _xlogy,            kernels.xlogys,          lambda x, a, y: (log(a), x / a),                                "a, in the x ln a of a cross-entropy, is positive")
xlog1my: Op       = _row("xlog1my",       _xlog1my,          kernels.xlog1mys,        lambda x, a, y: (xlog1my(1.0, a), -x / (1.0 - a)),                 "a, in the x ln(1 - a) of a cross-entropy, is less than 1")
# -[r ln σ(z) + (1 - r) ln(1 - σ(z))] and its ∂/∂z = σ(z) - r, the lecture's miracle, with nothing cancelled
cross_entropy: Op = _row("cross_entropy", _cross_entropy,    kernels.cross_entropies, lambda z, r, y: ((1.0 - r) * sigmoid(z) - r * sigmoid(-z), -z))
# on tuples: w holds the weights and then the bias, x the inputs and then a 1
dot: Op           = _row("dot",           _dot,              np.matmul,               lambda w, x, y: (x, w))
# fmt: on


_OWN = frozenset([*TABLE, *_OUTSIDE_THE_TABLE])


def row(name: str, value: Callable[..., float], array: Any, partials: Partials, domain: str = "") -> Op:
    """Add an operation to the table, and return it: a function of one or two Values.

    name: for pictures, messages and files; a row that you added under this name before is replaced. value: on floats;
    raises a ValueError or an ArithmeticError outside the domain. array: on arrays, element by element, with `out` as in
    NumPy; None takes them number by number, slowly. partials: takes the operands and the result, and gives a tuple with
    one partial derivative per operand, made with operators and operations of the table alone; it may be called only once,
    so it must not depend on anything that changes. domain: where all this is defined, in words.

    Graphs recorded before a row was replaced, and functions compiled from them, keep the original row. The
    row is tried at several points. Raises a ValueError for the name of a built-in operation or if no point lies in the
    domain, and a TypeError if the row is malformed. `gradcheck` tells whether its derivatives are right.

    >>> cbrt = row("cbrt", math.cbrt, np.cbrt, lambda x, y: (y / (3.0 * x),), "x is not 0")
    >>> cbrt(8.0)
    2.0
    """
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError(f"the name {name!r} does not print: give one without control characters or spaces around it")
    if name in _OWN or name.startswith("**"):
        raise ValueError(f"the table has an operation {name!r} of its own: choose another name")
    plain = check_row(name, value, array, partials, arity(partials))
    if not plain:  # NumPy's floats would not raise what Python's do
        value = _converted(value)
    array = array or kernels.each(value)
    TABLE[name] = op = Op(name, value, array, partials, domain)
    return op


def _converted(value: Callable[..., Any]) -> Callable[..., float]:
    return lambda *x: float(value(*x))


def arity(partials: Partials) -> int:
    """How many operands a row with this rule takes."""
    return sum(p.default is p.empty for p in signature(partials).parameters.values()) - 1


def is_built_in(op: Op) -> bool:
    """Whether it is an operation of the table's own, or a power."""
    return op.exponent is not None or (op in _OWN and named(op) is op)


def sample(op: Op) -> list[str]:
    """What an operation gives at some points, as text: rows that compute different things differ in it."""
    found = []
    for x in (0.5, 1.5, -0.5, 30.0, -2.25, 0.015625, 700.0):
        point = [x, 0.75 * x][: arity(op.partials)]
        try:
            y = op.value(*point)
            found.append(repr((y, op.partials(*point, y))))
        except (ValueError, ArithmeticError) as error:
            found.append(type(error).__name__)
    return found


_POWERS: dict[float, Callable[..., Any]] = {0.5: np.sqrt, 1.0: np.positive, 2.0: np.square, -1.0: np.reciprocal}


@lru_cache(maxsize=1024)
def power(n: float) -> Op:
    """The row of xⁿ for a fixed number n: exact for every base where the result is real."""
    return Op(
        f"**{repr(float(n)).removesuffix('.0')}",
        (lambda x: math.pow(x, n)) if float(n).is_integer() else (lambda x: math.pow(-1.0 if x == -math.inf else x, n)),
        _POWERS.get(n) or (lambda x, out=None: np.power(x, n, out=out)),
        lambda x, y: (n * x ** (n - 1.0) if n != 0.0 else 0.0,),
        "the result is real and at most 1.8e308 (a negative base takes whole exponents, 0 takes none below 0)",
        n,
    )


def named(name: str) -> Op:
    """The row with this name; "**3" names a member of the family of powers."""
    for op in _OUTSIDE_THE_TABLE:
        if name == op:
            return op
    if name.startswith("**") and name != pow_:
        return power(float(name.removeprefix("**")))
    if name not in TABLE:
        raise KeyError(f"the table has no operation {name!r}: import what adds its row first")
    return TABLE[name]
