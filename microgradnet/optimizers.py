"""Optimizers: how a gradient moves the parameters, a step at a time.

An optimizer knows flat float64 arrays and nothing of nets: `theta = optimizer.step(theta, gradient)`. `train` calls it
with a net's parameters; a loop of your own calls it with what `compile` gives. What it remembers from step to step are
its attributes, so it can be pickled, and a training can go on with it later.

A step never writes into an array but makes a new one, and remembers its results last, by one assignment. So a step that
is interrupted has not happened, and a copy of `vars(optimizer)` is its whole state at that moment.

    >>> from microgradnet import Adam, Value, compile
    >>> x, y = Value(-1.0), Value(1.0)
    >>> valley = compile(lambda: (1 - x) ** 2 + 10 * (y - x**2) ** 2)
    >>> theta, adam = valley.theta(), Adam(0.05)
    >>> for _ in range(2000):
    ...     theta = adam.step(theta, valley.value_and_grad(theta=theta)[1])
    >>> theta.round(6).tolist(), adam.steps
    ([1.0, 1.0], 2000)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ._validation import Floats, as_array, as_number, describe

Rate: TypeAlias = float | Callable[[int], float]


class Optimizer(Protocol):
    """Anything with this method can train: `Descent`, `Adam`, or a class of your own.

    What it remembers must be its attributes, and a step must give them new arrays instead of writing into the old ones.
    """

    def step(self, theta: Floats, gradient: Floats) -> Floats:
        """The parameters after a step, as a new array of the same shape."""
        ...


class _Steps:
    """What Descent and Adam share: a step checks its arguments, then `step_into` does it."""

    _memory: tuple[Any, ...]  # the steps taken, then arrays or None

    @property
    def steps(self) -> int:
        """How many steps it has taken."""
        steps: int = self._memory[0]
        return steps

    def step(self, theta: npt.ArrayLike, gradient: npt.ArrayLike) -> Floats:
        """The parameters after a step.

        theta, gradient: flat arrays of one length. Gives a new array; theta stays as it is. A ValueError for other
        shapes or for a learning rate that is not positive and finite (a function may give 0), an ArithmeticError for an
        overflow.
        """
        theta, gradient = _flat(theta, gradient, self._memory[1])
        with np.errstate(over="raise", invalid="raise"):
            return self.step_into(theta, gradient, np.empty_like(theta))

    def step_into(self, theta: Floats, gradient: Floats, out: Floats) -> Floats:
        """The same without checks, for `train`; the result goes into `out`, which may be the gradient's array."""
        raise NotImplementedError


class Descent(_Steps):
    """Steepest descent, the lecture's a ← a − Δt ∂C/∂a; with momentum µ, Polyak's heavy ball.

        v ← µ v − Δt ∂C/∂θ,    θ ← θ + v,    v starting at 0

    learning_rate: Δt, a positive number, or a function that gives it for the step's number, which counts from 1.
    momentum: µ, at least 0 and below 1. A ValueError for other numbers.

    It pickles if the learning rate does: a number, or a function defined in a module.

    >>> halved = Descent(lambda step: 0.1 * 0.5 ** (step - 1))
    >>> [halved.step(np.zeros(1), np.ones(1)).item() for _ in range(3)]
    [-0.1, -0.05, -0.025]
    """

    def __init__(self, learning_rate: Rate, momentum: float = 0.0) -> None:
        self.learning_rate = _checked_rate(learning_rate)
        self.momentum = _below_one(momentum, "momentum")
        self._memory = 0, None  # steps, v

    def step_into(self, theta: Floats, gradient: Floats, out: Floats) -> Floats:
        steps, velocity = self._memory
        rate = _rate(self.learning_rate, steps + 1)
        move = np.multiply(gradient, -rate, out=None if self.momentum else out)
        if velocity is not None:
            move += self.momentum * velocity
        np.add(theta, move, out=out)
        self._memory = steps + 1, move if self.momentum else None
        return out

    def __repr__(self) -> str:
        return f"Descent({self.learning_rate!r}, momentum={self.momentum!r}): {self.steps} steps"


class Adam(_Steps):
    """Adam (Kingma and Ba 2015, algorithm 1): each parameter has a step size of its own.

        m ← β₁ m + (1 − β₁) g,    v ← β₂ v + (1 − β₂) g²,    m and v starting at 0
        θ ← θ − α m̂ / (√v̂ + ε)    with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ) in step t

    learning_rate: α, a positive number, or a function that gives it for the step's number t, which counts from 1. beta1,
    beta2: β₁ and β₂, at least 0 and below 1. epsilon: ε, positive. A ValueError for other numbers.

    It pickles if the learning rate does: a number, or a function defined in a module.

    >>> adam = Adam(0.001)
    >>> adam.step(np.array([1.0, 1.0]), np.array([0.5, -2e5])).round(6).tolist()  # the first step is α at any scale
    [0.999, 1.001]
    """

    def __init__(self, learning_rate: Rate, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.learning_rate = _checked_rate(learning_rate)
        self.beta1, self.beta2 = _below_one(beta1, "beta1"), _below_one(beta2, "beta2")
        self.epsilon = as_number(epsilon)
        if not 0.0 < self.epsilon < math.inf:
            raise ValueError(f"epsilon is {self.epsilon}: it must be positive and finite")
        self._memory = 0, None, None  # steps, m, v

    def step_into(self, theta: Floats, gradient: Floats, out: Floats) -> Floats:
        steps, m, v = self._memory
        t = steps + 1
        rate = _rate(self.learning_rate, t)
        new_m, new_v = (1.0 - self.beta1) * gradient, (1.0 - self.beta2) * (gradient * gradient)
        if m is not None and v is not None:
            new_m += self.beta1 * m
            new_v += self.beta2 * v
        unbiased_m, unbiased_v = new_m / (1.0 - self.beta1**t), new_v / (1.0 - self.beta2**t)
        np.subtract(theta, rate * unbiased_m / (np.sqrt(unbiased_v) + self.epsilon), out=out)
        self._memory = t, new_m, new_v
        return out

    def __repr__(self) -> str:
        betas = f"beta1={self.beta1!r}, beta2={self.beta2!r}, epsilon={self.epsilon!r}"
        return f"Adam({self.learning_rate!r}, {betas}): {self.steps} steps"


def _flat(theta: npt.ArrayLike, gradient: npt.ArrayLike, remembered: Floats | None) -> tuple[Floats, Floats]:
    """theta and gradient as float64 arrays, of one length with what the optimizer remembers."""
    arrays = []
    for numbers, name in ((theta, "theta"), (gradient, "the gradient")):
        arrays.append(as_array(numbers, name).astype(np.float64, copy=False))
    theta, gradient = arrays
    if theta.ndim != 1 or theta.shape != gradient.shape:
        raise ValueError(f"theta has shape {theta.shape} and the gradient {gradient.shape}: give two flat arrays alike")
    if remembered is not None and remembered.shape != theta.shape:
        raise ValueError(
            f"the optimizer has been used for {len(remembered)} parameters, and here are {len(theta)}: make a new one "
            "for each net"
        )
    return theta, gradient


def _checked_rate(rate: Rate) -> Rate:
    if callable(rate):
        return rate
    rate = as_number(rate)
    if not 0.0 < rate < math.inf:
        raise ValueError(f"learning_rate is {rate}: it must be positive and finite")
    return rate


def _rate(rate: Rate, step: int) -> float:
    if not callable(rate):
        return rate
    number = as_number(rate(step))
    if not 0.0 <= number < math.inf:
        raise ValueError(f"the learning rate of step {step} is {number}: it must be finite and not negative")
    return number


def _below_one(number: float, name: str) -> float:
    number = as_number(number)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"{name} is {describe(number)}: it must be at least 0 and below 1")
    return number
