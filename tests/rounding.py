"""How far apart may two computations of the same gradient be? A bound from the arithmetic, for nets of the lecture.

Every method that is compared (backward, forward, δ-recursion, naive formulas) evaluates one and the same polynomial: the
sum, over the paths from a parameter to the cost, of the products of what lies on the path: ∂C/∂f, slopes σ′, weights,
and an input of a layer. They differ in the brackets, and in the last digits of f, σ′ and y. So if M is the polynomial
with every number replaced by its size, and M^ the same with every size enlarged by what two computations of that number
can differ, then two results differ by at most

    (M^ - M) + 2 γ_m M^,      γ_m = m u / (1 - m u),  u = 2⁻⁵³,

where m counts the roundings one term passes through. What can differ is carried forward layer by layer: z by what the
inputs differ plus its own roundings, y and σ′ by the slope of σ and of σ′ times that, plus the last digits of σ and σ′.

The module computes that bound and, by the δ-recursion written out once more, the gradient itself. It imports nothing of
the package.
"""

from typing import NamedTuple

import numpy as np

U = 2.0**-53
TINY = 2.0**-1074  # what a product or a function can lose by underflow


def gamma(n):
    return n * U / (1 - n * U)


class Spread(NamedTuple):
    """Numbers, and how far two computations of them can be apart."""

    number: np.ndarray
    apart: np.ndarray


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


# An activation, its slope, what each may be off in units of U, and a bound of |d/dz ln slope|. NumPy's and Python's exp,
# log1p and tanh are off by less than 4 ulp = 8 U. A sigmoid adds a sum and a quotient; a slope of sigmoid or tanh multiplies
# two sigmoids; softplus is a logarithm of an exponential and a sum.
ACTIVATIONS = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z), 10, 21, 1),
    "tanh": (np.tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z), 8, 21, 2),
    "softplus": (lambda z: np.logaddexp(0.0, z), sigmoid, 18, 10, 1),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(float), 0, 0, 0),
    "linear": (lambda z: z, np.ones_like, 0, 0, 0),
    "step": (lambda z: (z >= 0.0).astype(float), np.zeros_like, 0, 0, 0),
}


def activation(kind, z):
    """y and σ′ as Spreads, from z as a Spread with z.apart much smaller than 1, and than |z| for relu and step.

    At a z that is d away, σ′ differs by a factor of e^{bend d} at most, and σ by d times such a σ′.
    """
    function, derivative, off, slope_off, bend = ACTIVATIONS[kind]
    y, slope, d = function(z.number), derivative(z.number), z.apart
    grown = slope * np.exp(bend * d)
    dslope = slope * np.expm1(bend * d) + 2 * slope_off * U * grown
    return Spread(y, d * grown + 2 * off * U * np.abs(y) + 2 * TINY), Spread(slope, dslope + 4 * TINY)


def forward(A, b, X, kinds):
    """zs, ys (from y⁽⁰⁾ = x) and slopes as Spreads, a row per sample."""
    zs, ys, slopes = [], [Spread(X, np.zeros_like(X))], []
    for a, v, kind in zip(A, b, kinds, strict=True):
        y, n = ys[-1], a.shape[1] + 1
        size = (np.abs(y.number) + y.apart) @ np.abs(a).T + np.abs(v)
        zs.append(Spread(y.number @ a.T + v, y.apart @ np.abs(a).T + 2 * gamma(n) * size + n * TINY))
        y, slope = activation(kind, zs[-1])
        ys.append(y)
        slopes.append(slope)
    return zs, ys, slopes


def errors(cost, z, y, R):
    """∂C/∂y = y - r or, for cross-entropy, ∂C/∂z = (1-r) σ(z) - r σ(-z), as a Spread; without 1/K."""
    if cost == "quadratic":
        number = y.number - R
        return Spread(number, y.apart + 2 * U * (np.abs(number) + y.apart))
    up, down = (1 - R) * sigmoid(z.number), R * sigmoid(-z.number)
    rounded = 2 * 13 * U * (up + down)  # two sigmoids, 1 - r, the product, and the difference
    return Spread(up - down, (z.apart * sigmoid(z.number) * sigmoid(-z.number) + rounded) * np.exp(z.apart) + TINY)


def flat(A, b):
    """Matrices and biases in the order of `parameters()`."""
    return np.concatenate([np.column_stack(layer).ravel() for layer in zip(A, b, strict=True)])


def gradient(A, b, X, R, kinds, cost):
    """δ of each layer, a row per sample, and ∂C/∂θ as Spreads: with what any of the methods may be off."""
    zs, ys, slopes = forward(A, b, X, kinds)
    error, K = errors(cost, zs[-1], ys[-1], R), len(X)
    # Roundings of one term: in each layer a product with a, a sum over nodes, a product with σ′; a product with y and the
    # sum over samples at one end; 1/K, the cost's own sum over outputs and a few factors at the other; and, so that this
    # computation, too, may round, as much again.
    m = 2 * (sum(len(a) + 2 for a in A) + K + len(A[-1]) + 8)
    # An underflow in one product is carried on by all that follow it.
    growth = np.prod([max(1.0, np.abs(a).sum(axis=0).max()) for a in A])
    tiny = 4 * m * K * TINY * growth * max(1.0, *[(np.abs(y.number) + y.apart).max() for y in ys])

    def spread(number, low, high):
        return Spread(number, (high - low) + 2 * gamma(m) * high + tiny)

    delta, low, high = error.number / K, np.abs(error.number) / K, (np.abs(error.number) + error.apart) / K
    deltas, dA, db = [], [], []
    for q in range(len(A) - 1, -1, -1):
        if q < len(A) - 1 or cost == "quadratic":
            s = slopes[q]
            delta, low, high = delta * s.number, low * np.abs(s.number), high * (np.abs(s.number) + s.apart)
        y, size = ys[q], np.abs(ys[q].number)
        deltas.insert(0, spread(delta, low, high))
        dA.insert(0, spread(delta.T @ y.number, low.T @ size, high.T @ (size + y.apart)))
        db.insert(0, spread(delta.sum(axis=0), low.sum(axis=0), high.sum(axis=0)))
        delta, low, high = delta @ A[q], low @ np.abs(A[q]), high @ np.abs(A[q])
    return deltas, Spread(*(flat([a[i] for a in dA], [v[i] for v in db]) for i in (0, 1)))
