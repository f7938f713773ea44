"""A damped pendulum by Euler steps, number by number, and the same in arrays by hand: irregular code, unrolled.

The angle u and the velocity v obey u̇ = v, v̇ = −k sin u − c v. From u and v of a sample, `steps` Euler steps lead to
the angle at the end; the cost is ½ (u − r)², and k and c are the parameters. `speed.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from microgradnet import Value

Array = npt.NDArray[np.float64]
STEP = 0.01


class Pendulum:
    """The scheme on Values."""

    def __init__(self, steps: int) -> None:
        self.steps, self.k, self.c = steps, Value(9.81, label="k"), Value(0.3, label="c")

    def parameters(self) -> list[Value]:
        """k and c."""
        return [self.k, self.c]

    def cost(self, x: Sequence[Any], r: Sequence[Any]) -> Value:
        """½ (u − r)² for a sample x = (u, v) and its target."""
        u, v = x
        for _ in range(self.steps):
            u, v = u + STEP * v, v - STEP * (self.k * u.sin() + self.c * v)
        cost: Value = 0.5 * (u - r[0]) ** 2
        return cost


def value_and_grad_by_numpy(steps: int, X: Array, R: Array, theta: Array) -> tuple[float, Array]:
    """The mean cost of K samples and its derivatives with respect to k and c, forward and backward by hand."""
    k, c = theta.tolist()
    K = len(X)
    us, vs, sines = np.empty((steps + 1, K)), np.empty((steps + 1, K)), np.empty((steps, K))
    us[0], vs[0] = X.T
    work = np.empty(K)
    for t in range(steps):
        np.sin(us[t], out=sines[t])
        np.multiply(vs[t], STEP, out=us[t + 1])
        us[t + 1] += us[t]
        np.multiply(vs[t], 1.0 - STEP * c, out=vs[t + 1])
        np.multiply(sines[t], STEP * k, out=work)
        vs[t + 1] -= work
    error = us[-1] - R[:, 0]
    value = 0.5 / K * float(error @ error)
    d_u, d_v = error / K, np.zeros(K)
    d_vs = np.empty((steps, K))
    cosines = np.cos(us[:-1])
    cosines *= STEP * k
    for t in reversed(range(steps)):
        d_vs[t] = d_v
        np.multiply(cosines[t], d_v, out=work)
        d_v *= 1.0 - STEP * c
        d_v += STEP * d_u
        d_u -= work
    return value, -STEP * np.array([np.vdot(sines, d_vs), np.vdot(vs[:-1], d_vs)])


def made_up_samples(K: int) -> tuple[Array, Array]:
    """Angles, velocities and targets."""
    rng = np.random.default_rng(0)
    return rng.uniform(-1.0, 1.0, (K, 2)), rng.uniform(-1.0, 1.0, (K, 1))
