"""Every operation once more, from its textbook definition, on decimals of 400 digits and on complex numbers.

Imports nothing of the package, and holds no derivative: slopes come from the complex step f'(x) = Im f(x + ih) / h,
which subtracts nothing and so is right to the last digits. At a kink the complex functions choose by the real part,
in the way the design decides: relu'(0) = |.|'(0) = step' = 0, and a tie belongs to the first operand.
"""

import cmath
import decimal
import math
from decimal import Decimal
from functools import cache

U = 2.0**-53  # the relative error of one rounding
TINY = math.ulp(0.0)

# 400 digits: e^-745 + 1 needs 324 of them and 1e308 mod 2 pi needs 308, before the first one counts.
EXACT = decimal.Context(
    prec=400, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, rounding=decimal.ROUND_HALF_EVEN, traps=[]
)


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
    with decimal.localcontext(EXACT, prec=100):
        total, k = Decimal(0), first
        term = x if first else Decimal(1)
        while total + term != total:
            total += term
            k += 2
            term *= -x * x / (k * (k - 1))
        return total


def _tanh(x):
    t = (-2 * abs(x)).exp()
    return ((1 - t) / (1 + t)).copy_sign(x)


def _softplus(x):
    return max(x, Decimal(0)) + (1 + (-abs(x)).exp()).ln()


def _power(x, n):
    if n == int(n):
        return x ** int(n) if n else Decimal(1)
    return (n * x.ln()).exp() if x else Decimal(0)


_ON_DECIMALS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "neg": lambda x: -x,
    "**": lambda a, b: (b * a.ln()).exp(),
    "exp": lambda x: x.exp(),
    "log": lambda x: x.ln(),
    "sqrt": lambda x: x.sqrt(),
    "sin": lambda x: _series(x, 1),
    "cos": lambda x: _series(x, 0),
    "tanh": _tanh,
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": _softplus,
    "relu": lambda x: max(x, Decimal(0)),
    "step": lambda x: Decimal(x >= 0),
    "abs": abs,
    "maximum": max,
    "minimum": min,
    "xlogy": lambda x, y: x * y.ln() if x else Decimal(0),
    "xlog1my": lambda x, y: x * (1 - y).ln() if x else Decimal(0),
    "cross_entropy": lambda z, r: _softplus(z) - r * z,  # -[r ln s + (1 - r) ln(1 - s)] with s = e^z / (1 + e^z)
}


def on_decimals(name):
    """The operation on decimals, in the EXACT context; None for a name that is not in the book."""
    if name.startswith("**") and name != "**":
        return lambda x: _power(x, Decimal(name[2:]))
    return _ON_DECIMALS.get(name)


def _complex_power(x, n):
    if x.real == 0.0 and n < 1.0 and n != 0.0:
        raise ZeroDivisionError("no slope at 0")
    if n != int(n):
        if x.real == 0.0:
            return 0j
        return cmath.exp(n * cmath.log(x))
    product = 1.0 + 0j
    for _ in range(abs(int(n))):
        product *= x
    return product if n >= 0 else 1.0 / product


def _complex_sigmoid(z):
    return 1.0 / (1.0 + cmath.exp(-z)) if z.real >= 0 else cmath.exp(z) / (1.0 + cmath.exp(z))


def _complex_softplus(z):
    return z + cmath.log(1.0 + cmath.exp(-z)) if z.real >= 0 else cmath.log(1.0 + cmath.exp(z))


def _complex_log1p(z):
    if z.real < -0.5:
        return cmath.log(1.0 + z)
    return complex(0.5 * math.log1p(z.real * (2.0 + z.real) + z.imag**2), math.atan2(z.imag, 1.0 + z.real))


def _complex_sqrt(z):
    if z.real == 0.0:
        raise ZeroDivisionError("no slope at 0")
    return cmath.sqrt(z)


ON_COMPLEX = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "neg": lambda x: -x,
    "**": lambda a, b: cmath.exp(b * cmath.log(a)),
    "exp": cmath.exp,
    "log": cmath.log,
    "sqrt": _complex_sqrt,
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tanh": cmath.tanh,
    "sigmoid": _complex_sigmoid,
    "softplus": _complex_softplus,
    "xlogy": lambda x, y: x * cmath.log(y),
    "xlog1my": lambda x, y: x * _complex_log1p(-y),
    "cross_entropy": lambda z, r: r * _complex_softplus(-z) + (1.0 - r) * _complex_softplus(z),
    "dot": lambda *p: sum(w * x for w, x in zip(p[: len(p) // 2], p[len(p) // 2 :], strict=True)),
    # the ones with a kink
    "relu": lambda z: z if z.real > 0 else 0j,
    "step": lambda z: complex(z.real >= 0),
    "abs": lambda z: z if z.real > 0 else -z if z.real < 0 else 0j,
    "maximum": lambda a, b: a if a.real >= b.real else b,
    "minimum": lambda a, b: a if a.real <= b.real else b,
}


def on_complex(name):
    """The operation on complex numbers; None for a name that is not in the book."""
    if name.startswith("**") and name != "**":
        return lambda x: _complex_power(x, float(name[2:]))
    return ON_COMPLEX.get(name)


def value_size(name, point):
    """What cancels inside the value: rounding errors are relative to this, where it is larger than the value."""
    if name == "dot":
        half = len(point) // 2
        return sum(abs(w * x) for w, x in zip(point[:half], point[half:], strict=True))
    if name == "cross_entropy":
        z, r = point
        return abs(r * z) + abs(z) + 1.0 if not 0.0 <= r <= 1.0 else 0.0  # two terms of one sign for r in [0, 1]
    return 0.0


BENDS_WITH_ITS_OPERAND = {("/", 1), ("log", 0), ("sqrt", 0), ("**", 0), ("xlogy", 1)}


def slope(name, point, i):
    """The partial derivative in operand i, the size that its rounding errors are relative to, and its grain.

    The complex step h is 1e-10 of the scale on which the operation bends, so what it leaves out is 1e-20 of the slope:
    of 1, or of the number itself if that is smaller or the operation has that scale. The grain is the smallest float
    over h: below that an imaginary part cannot say anything. ZeroDivisionError or ValueError where there is no slope,
    OverflowError where the way there leaves the floats.
    """
    x = point[i]
    scale = abs(x) if (name, i) in BENDS_WITH_ITS_OPERAND or name[:2] == "**" != name else min(abs(x), 1.0)
    if name == "**" and i == 0:
        scale /= 1.0 + abs(point[1])
    elif name == "xlog1my" and i == 1:
        scale = min(scale, abs(1.0 - x))
    h = 1e-10 * scale if x else 1e-150
    if h == 0.0 or any(0.0 < abs(p) < 1e-290 for j, p in enumerate(point) if j != i):
        raise OverflowError("there is no room for a step beside the smallest floats")
    moved = [complex(p, h if j == i else 0.0) for j, p in enumerate(point)]
    estimate = on_complex(name)(*moved).imag / h
    if not math.isfinite(estimate):
        raise OverflowError("the complex step leaves the floats")
    size = abs(estimate)
    if name == "**":  # exp(b ln a): an error of U in the exponent counts |b ln a| times
        a, b = point
        size *= min(1.0 + (1.0 + abs(b)) * abs(math.log(a)), 1e300)
    elif name.startswith("**") and x != 0.0:
        size *= 1.0 + abs(float(name[2:]) * math.log(abs(x)))
    elif name == "cross_entropy":  # (1 - r) sigma(z) - r sigma(-z), and softplus(-z) - softplus(z)
        z, r = point
        up, down = slope("softplus", (z,), 0)[0], slope("softplus", (-z,), 0)[0]
        size = abs(1.0 - r) * up + abs(r) * down if i == 0 else abs(z) + 2.0 * math.log(2.0)
    return estimate, size, 2.0 * TINY / h
