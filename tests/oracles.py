"""Every operation once more, from its textbook definition, with mpmath's many digits; and its derivatives by differences.

Imports nothing of the package, and knows no rule of calculus. At a kink, where a difference says nothing, `SIDES` decides
as the design does: relu'(0) = 0, |.|'(0) = 0, step' = 0, and a tie belongs to the first operand.

Operations are known by their names; the operands of a `dot` are one flat point: weights (and bias), inputs (and 1).
"""

import inspect
import math
from collections import Counter
from functools import cache

import mpmath

U = 2.0**-53  # the relative error of one rounding
TINY = math.ulp(0.0)
LARGEST = 2**1024 - 2**970  # from here on, numbers round to infinity

mp = mpmath.mp.clone()
mp.prec = 2400  # 1e308 + 5e-324 takes 2,100 bits, 1 + e^-745 takes 1,075


def softplus(x):
    return mp.log(1 + mp.exp(-abs(x))) + max(x, 0)


BOOK = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "neg": lambda x: -x,
    "**": lambda a, b: a**b if a > 0 else mp.nan,
    "exp": mp.exp,
    "log": mp.log,
    "sqrt": mp.sqrt,
    "sin": mp.sin,
    "cos": mp.cos,
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": softplus,
    "relu": lambda x: max(x, mp.zero),
    "step": lambda x: mp.mpf(x >= 0),
    "abs": abs,
    "detach": lambda x: x,
    "maximum": max,
    "minimum": min,
    "xlogy": lambda x, y: x * mp.log(y) if x or y else mp.zero,
    "xlog1my": lambda x, y: x * mp.log(1 - y) if x or y != 1 else mp.zero,
    "cross_entropy": lambda z, r: softplus(z) - r * z,  # -[r ln s + (1 - r) ln(1 - s)] with s = e^z / (1 + e^z)
    "sigmoid_slope": lambda x: BOOK["sigmoid"](x) * BOOK["sigmoid"](-x),
    "dot": lambda *p: mp.fdot(p[: len(p) // 2], p[len(p) // 2 :]),
}

SIDES = {  # the partials of what has a kink, or hides its operand
    "detach": lambda x: [0],
    "relu": lambda x: [x > 0],
    "step": lambda x: [0],
    "abs": lambda x: [(x > 0) - (x < 0)],
    "maximum": lambda a, b: [a >= b, a < b],
    "minimum": lambda a, b: [a <= b, a > b],
}


def _is_a_power(name):
    return name.startswith("**") and name != "**"


def arity(op):
    """How many operands a row of the table takes: one less than its rule of partials; a `dot` takes two tuples."""
    return len(inspect.signature(op.partials).parameters) - 1


def definition(name):
    """The operation; None for a name that is not in the book."""
    return (lambda x: x ** mp.mpf(name[2:])) if _is_a_power(name) else BOOK.get(name)


def exactly(name, point):
    """The value, NaN where there is none; not finite, or LARGEST or more, where no float can hold it."""
    try:
        y = definition(name)(*map(mp.mpf, point))
    except ZeroDivisionError:
        return mp.nan
    return y if isinstance(y, mp.mpf) else mp.nan  # and not a complex number


@cache
def derivative(name, point, *order):
    """The derivative by operand order[0], then order[1], and so on, as a float; ZeroDivisionError where there is none."""
    if name in SIDES:
        return float(SIDES[name](*point)[order[0]]) if len(order) == 1 else 0.0
    if _is_a_power(name) and point[0] == 0.0 and float(name[2:]) % 1.0:  # which has only one side there
        if float(name[2:]) < len(order):
            raise ZeroDivisionError("no slope at 0")
        return 0.0
    sizes = [abs(x) or 1e-150 for x in point] + [1.0]  # so that a step from 0 has a square that no float can hold
    extent = math.log2(max(sizes)) - math.log2(min(sizes)) + min(3.0 * max(sizes), 1200.0)
    count = Counter(order)
    with mp.workprec(100 + math.ceil(extent)):  # mpmath steps by as little as has so many bits
        found = mp.diff(definition(name), tuple(map(mp.mpf, point)), tuple(count[i] for i in range(len(point))))
    if not isinstance(found, mp.mpf) or not mp.isfinite(found):
        raise ZeroDivisionError("no slope here")
    return float(found)


class Softmax:
    """p_i = e^z_i / Σ e^z_j, the logarithm of that sum, and the slopes ∂p_i/∂z_j = p_i ((i = j) − p_j)."""

    def __init__(self, z):
        powers = [mp.exp(z_j) for z_j in map(mp.mpf, z)]
        self.log, self.p = mp.log(sum(powers)), [power / sum(powers) for power in powers]
        self.slopes = [[p_i * ((i == j) - p_j) for j, p_j in enumerate(self.p)] for i, p_i in enumerate(self.p)]


def value_size(name, point):
    """What cancels inside the value: rounding errors are relative to this, where it is larger than the value."""
    if name == "dot":
        half = len(point) // 2
        return sum(abs(w * x) for w, x in zip(point[:half], point[half:], strict=True))
    if name == "cross_entropy":
        z, r = point
        return abs(r * z) + abs(z) + 1.0 if not 0.0 <= r <= 1.0 else 0.0  # two terms of one sign for r in [0, 1]
    return 0.0


def slope(name, point, i):
    """The partial derivative in operand i, and the size that its rounding errors are relative to."""
    estimate = derivative(name, point, i)
    size = abs(estimate)
    if name == "**":  # exp(b ln a): an error of U in the exponent counts |b ln a| times
        a, b = point
        size *= min(1.0 + (1.0 + abs(b)) * abs(math.log(a)), 1e300)
    elif _is_a_power(name) and point[i] != 0.0:
        size *= 1.0 + abs(float(name[2:]) * math.log(abs(point[i])))
    elif name == "cross_entropy":  # (1 - r) sigma(z) - r sigma(-z), and softplus(-z) - softplus(z)
        z, r = point
        size = abs(z) + 2.0 * math.log(2.0)
        if i == 0:
            e = math.exp(-abs(z))
            up, down = (1.0, e) if z >= 0.0 else (e, 1.0)
            size = (abs(1.0 - r) * up + abs(r) * down) / (1.0 + e)
    return estimate, size
