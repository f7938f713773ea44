"""Every operation once more, from its textbook definition, on decimals; and derivatives as differences of these.

Imports nothing of the package, and knows no rule of calculus: with enough digits, a central difference over a step of
1e-18 is right to 36 of them, to any order. At a kink, where a difference says nothing, `SIDES` decides as the design
does: relu'(0) = 0, |.|'(0) = 0, step' = 0, and a tie belongs to the first operand.

Operations are known by their names; the operands of a `dot` are one flat point: weights (and bias), inputs (and 1).
"""

import decimal
import inspect
import itertools
import math
from decimal import Decimal
from functools import cache

U = 2.0**-53  # the relative error of one rounding
TINY = math.ulp(0.0)
LARGEST = Decimal(2) ** 1024 * (1 - Decimal(2) ** -54)  # from here on, numbers round to infinity

NAN = Decimal("NaN")
EXACT = decimal.Context(prec=450, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[])


@cache
def two_pi():
    """2 pi by the arithmetic-geometric mean of Gauss and Legendre."""
    with decimal.localcontext(EXACT):
        a, b, t, p = Decimal(1), 1 / Decimal(2).sqrt(), Decimal("0.25"), 1
        for _ in range(10):
            a, b, old = (a + b) / 2, (a * b).sqrt(), a
            t, p = t - p * (old - a) ** 2, 2 * p
        return 2 * (a + b) ** 2 / (4 * t)


def _series(x, first):
    """x - x^3/3! + ... for first = 1, and 1 - x^2/2! + ... for first = 0, after a turn back into [-pi, pi]."""
    x = x.remainder_near(two_pi())
    total, k, term = Decimal(0), first, x if first else Decimal(1)
    while total + term != total:
        total += term
        k += 2
        term *= -x * x / (k * (k - 1))
    return total


def _tanh(x):
    t = (-2 * abs(x)).exp()
    return ((1 - t) / (1 + t)).copy_sign(x)


def softplus(x):
    return max(x, Decimal(0)) + (1 + (-abs(x)).exp()).ln()


def _dot(*p):
    half = len(p) // 2
    return sum((w * x for w, x in zip(p[:half], p[half:], strict=True)), Decimal(0))


BOOK = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "neg": lambda x: -x,
    "**": lambda a, b: (b * a.ln()).exp() if a > 0 else NAN,
    "exp": lambda x: x.exp(),
    "log": lambda x: x.ln(),
    "sqrt": lambda x: x.sqrt(),
    "sin": lambda x: _series(x, 1),
    "cos": lambda x: _series(x, 0),
    "tanh": _tanh,
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": softplus,
    "relu": lambda x: max(x, Decimal(0)),
    "step": lambda x: Decimal(x >= 0),
    "abs": abs,
    "detach": lambda x: x,
    "maximum": max,
    "minimum": min,
    "xlogy": lambda x, y: x * y.ln() if x or y else Decimal(0),
    "xlog1my": lambda x, y: x * (1 - y).ln() if x or y != 1 else Decimal(0),
    "cross_entropy": lambda z, r: softplus(z) - r * z,  # -[r ln s + (1 - r) ln(1 - s)] with s = e^z / (1 + e^z)
    "sigmoid_slope": lambda x: BOOK["sigmoid"](x) * BOOK["sigmoid"](-x),
    "dot": _dot,
}

SIDES = {  # the partials of what has a kink, or hides its operand
    "detach": lambda x: [0],
    "relu": lambda x: [x > 0],
    "step": lambda x: [0],
    "abs": lambda x: [(x > 0) - (x < 0)],
    "maximum": lambda a, b: [a >= b, a < b],
    "minimum": lambda a, b: [a <= b, a > b],
}


def _power(n):
    if n == int(n):
        return lambda x: x ** int(n) if n else Decimal(1)
    return lambda x: (n * x.ln()).exp() if x or n < 0 else Decimal(0)


def _is_a_power(name):
    return name.startswith("**") and name != "**"


def arity(op):
    """How many operands a row of the table takes: one less than its rule of partials; a `dot` takes two tuples."""
    return len(inspect.signature(op.partials).parameters) - 1


def on_decimals(name):
    """The operation; None for a name that is not in the book."""
    return _power(Decimal(name[2:])) if _is_a_power(name) else BOOK.get(name)


def context(point, order=0):
    """As many digits as the point needs: between its largest and smallest numbers, for 1 + e^-745, and for differences."""
    sizes = [abs(x) for x in point if x] + [1.0]
    extent = math.log10(max(sizes)) - math.log10(min(sizes)) + min(2.0 * max(sizes), 800.0) / 2.3
    return decimal.localcontext(EXACT, prec=50 + 20 * order + math.ceil(extent))


def exactly(name, point):
    """The value as a Decimal; not finite, or LARGEST or more, where no float can hold it."""
    with context(point):
        return on_decimals(name)(*map(Decimal, point))


BENDS_WITH_ITS_OPERAND = {("/", 1), ("log", 0), ("sqrt", 0), ("**", 0), ("xlogy", 1)}


def _scale(name, point, i):
    """How far the operand must move for the operation to bend."""
    x = abs(point[i])
    if name == "**" and i == 0:
        return x / (1.0 + abs(point[1])) or TINY
    if name == "xlog1my" and i == 1:
        return min(1.0, abs(1.0 - point[1]))
    return x or 1e-200 if (name, i) in BENDS_WITH_ITS_OPERAND or _is_a_power(name) else 1.0


@cache
def derivative(name, point, *order):
    """The derivative by operand order[0], then order[1], and so on, as a float; ZeroDivisionError where there is none."""
    if name in SIDES:
        return float(SIDES[name](*point)[order[0]]) if len(order) == 1 else 0.0
    if _is_a_power(name) and point[0] == 0.0 and float(name[2:]) % 1.0:  # which has only one side there
        if float(name[2:]) < len(order):
            raise ZeroDivisionError("no slope at 0")
        return 0.0
    f = on_decimals(name)
    scales = [_scale(name, point, i) for i in order]
    with context([*point, *scales], len(order)):
        steps = [Decimal(scale) * Decimal("1e-18") for scale in scales]
        total = Decimal(0)
        for signs in itertools.product((1, -1), repeat=len(order)):
            moved = list(map(Decimal, point))
            for i, sign, h in zip(order, signs, steps, strict=True):
                moved[i] += sign * h
            total += math.prod(signs) * f(*moved)
        total /= math.prod(2 * h for h in steps)
        if not total.is_finite():
            raise ZeroDivisionError("no slope here")
        return float(total)


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
