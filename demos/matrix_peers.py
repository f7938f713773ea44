"""Who trains beside the compiled engine in `speed.py`: the same step, written by hand or by a framework.

A step takes a batch (X: K × n_0, R: K × n_2), computes the gradient of the mean quadratic cost of a sigmoid net
n_0-n_1-n_2 and moves the parameters against it. All contestants start from the same parameters, laid out as in
`MLP.parameters()`, and `theta()` tells them, so that equal steps can be checked to be equal.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy import add, exp, matmul, multiply, negative, reciprocal, subtract

from microgradnet import MLP, Value, compile, quadratic

Array = npt.NDArray[np.float64]
RATE = 0.1


class Ours:
    """The net as `MLP` records it, compiled."""

    def __init__(self, sizes: tuple[int, int, int], theta: Array) -> None:
        self.fast, self.theta = self.compiled(MLP(sizes[0], sizes[1:])), theta.copy()

    def compiled(self, net: MLP) -> Any:
        """Its quadratic cost."""
        return compile(lambda x, r: quadratic(self.outputs(net, x), r), net.nin, net.nout)

    def outputs(self, net: MLP, x: list[Value]) -> Any:
        """f(x)."""
        return net(x)

    def step(self, X: Array, R: Array) -> None:
        """One gradient and update."""
        _, gradient = self.fast.value_and_grad(X, R, theta=self.theta)
        gradient *= RATE
        self.theta -= gradient


class OursNaively(Ours):
    """The same net written product by product, as one writes for micrograd."""

    def outputs(self, net: MLP, x: list[Value]) -> Any:
        """f(x)."""
        for layer in net.layers:
            x = [sum((w * x_j for w, x_j in zip(n.w, x, strict=True)), n.b).sigmoid() for n in layer.neurons]
        return x


class Textbook:
    """The δ-recursion as one would write it down: samples in rows, a new array for every formula."""

    def __init__(self, sizes: tuple[int, int, int], theta: Array) -> None:
        self.sizes, self.parts = sizes, matrices(sizes, theta.copy())

    @property
    def theta(self) -> Array:
        """All parameters, flat."""
        A1, b1, A2, b2 = self.parts
        return np.concatenate([np.column_stack(part).ravel() for part in ((A1, b1), (A2, b2))])

    def step(self, X: Array, R: Array) -> None:
        """One gradient and update."""
        A1, b1, A2, b2 = self.parts
        y1 = 1.0 / (1.0 + np.exp(-(X @ A1.T + b1)))
        y2 = 1.0 / (1.0 + np.exp(-(y1 @ A2.T + b2)))
        delta2 = (y2 - R) * y2 * (1.0 - y2) / len(X)
        delta1 = delta2 @ A2 * y1 * (1.0 - y1)
        gradients = delta1.T @ X, delta1.sum(axis=0), delta2.T @ y1, delta2.sum(axis=0)
        self.parts = tuple([part - RATE * g for part, g in zip(self.parts, gradients, strict=True)])


class Tuned:
    """The best we can write by hand: samples in columns, one flat parameter array, everything in place.

    Work arrays are kept between steps; large batches go through in chunks of 1,000; the inputs are not copied, and the
    output layer's biases are folded into its matrix.
    """

    def __init__(self, sizes: tuple[int, int, int], theta: Array) -> None:
        self.sizes, self.theta = sizes, theta.copy()
        self.gradient, self.share = np.empty_like(theta), np.empty_like(theta)
        self.work: dict[int, tuple[Array, ...]] = {}

    def step(self, X: Array, R: Array) -> None:
        """One gradient and update."""
        self.chunk(X[:1000], R[:1000], len(X), self.gradient)
        for k in range(1000, len(X), 1000):
            self.chunk(X[k : k + 1000], R[k : k + 1000], len(X), self.share)
            self.gradient += self.share
        self.gradient *= RATE
        self.theta -= self.gradient

    def chunk(self, X: Array, R: Array, K: int, gradient: Array) -> None:
        """The share that these samples have in the gradient of the mean over K."""
        n0, n1, n2 = self.sizes
        n = n1 * (n0 + 1)
        W1, W2 = self.theta[:n].reshape(n1, n0 + 1), self.theta[n:].reshape(n2, n1 + 1)
        G1, G2 = gradient[:n].reshape(n1, n0 + 1), gradient[n:].reshape(n2, n1 + 1)
        if len(X) not in self.work:
            shapes = (n1 + 1, n1, n1, n2, n2, n2)
            self.work[len(X)] = tuple([np.ones((rows, len(X))) for rows in shapes])
        y1_and_1, s1, delta1, y2, s2, delta2 = self.work[len(X)]
        y1 = y1_and_1[:-1]
        matmul(W1[:, :-1], X.T, out=y1)
        add(y1, W1[:, -1:], out=y1)
        sigmoid(y1)
        sigmoid(matmul(W2, y1_and_1, out=y2))
        subtract(y2, R.T, out=delta2)
        multiply(delta2, 1.0 / K, out=delta2)
        multiply(delta2, slope(y2, s2), out=delta2)
        matmul(W2[:, :-1].T, delta2, out=delta1)
        multiply(delta1, slope(y1, s1), out=delta1)
        matmul(delta2, y1_and_1.T, out=G2)
        matmul(delta1, X, out=G1[:, :-1])
        add.reduce(delta1, axis=1, out=G1[:, -1])


def sigmoid(z: Array) -> None:
    """In place."""
    negative(z, out=z)
    exp(z, out=z)
    add(z, 1.0, out=z)
    reciprocal(z, out=z)


def slope(y: Array, out: Array) -> Array:
    """σ′ = y (1 − y)."""
    subtract(1.0, y, out=out)
    return multiply(out, y, out=out)


class Autograd:
    """HIPS autograd: reverse mode through NumPy calls."""

    def __init__(self, sizes: tuple[int, int, int], theta: Array) -> None:
        import autograd
        import autograd.numpy as anp

        self.parts = matrices(sizes, theta)

        def cost(parts: Any, X: Array, R: Array) -> Any:
            A1, b1, A2, b2 = parts
            y1 = 1.0 / (1.0 + anp.exp(-(anp.dot(X, A1.T) + b1)))
            y2 = 1.0 / (1.0 + anp.exp(-(anp.dot(y1, A2.T) + b2)))
            return 0.5 / len(X) * anp.sum((y2 - R) ** 2)

        self.gradient = autograd.grad(cost)

    @property
    def theta(self) -> Array:
        """All parameters, flat."""
        A1, b1, A2, b2 = self.parts
        return np.concatenate([np.column_stack(part).ravel() for part in ((A1, b1), (A2, b2))])

    def step(self, X: Array, R: Array) -> None:
        """One gradient and update."""
        self.parts = tuple([p - RATE * g for p, g in zip(self.parts, self.gradient(self.parts, X, R), strict=True)])


class Torch:
    """PyTorch on the CPU: autograd through two linear layers."""

    def __init__(self, sizes: tuple[int, int, int], theta: Array) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        self.parts = [torch.tensor(part).requires_grad_() for part in matrices(sizes, theta)]

    @property
    def theta(self) -> Array:
        """All parameters, flat."""
        A1, b1, A2, b2 = [part.detach().numpy() for part in self.parts]
        return np.concatenate([np.column_stack(part).ravel() for part in ((A1, b1), (A2, b2))])

    def step(self, X: Array, R: Array) -> None:
        """One gradient and update."""
        torch, (A1, b1, A2, b2) = self.torch, self.parts
        x, r = torch.from_numpy(X), torch.from_numpy(R)
        linear = torch.nn.functional.linear
        y = torch.sigmoid(linear(torch.sigmoid(linear(x, A1, b1)), A2, b2))
        (0.5 / len(X) * ((y - r) ** 2).sum()).backward()
        with torch.no_grad():
            for part in self.parts:
                part -= RATE * part.grad
                part.grad = None


class Jax:
    """JAX on the CPU: gradient and update in one jitted function."""

    def __init__(self, sizes: tuple[int, int, int], theta: Array) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.parts = tuple([jax.numpy.asarray(part) for part in matrices(sizes, theta)])
        self.data: tuple[Any, ...] = ()

        def cost(parts: Any, X: Any, R: Any) -> Any:
            A1, b1, A2, b2 = parts
            y = jax.nn.sigmoid(jax.nn.sigmoid(X @ A1.T + b1) @ A2.T + b2)
            return 0.5 / len(X) * ((y - R) ** 2).sum()

        def step(parts: Any, X: Any, R: Any) -> Any:
            return tuple([p - RATE * g for p, g in zip(parts, jax.grad(cost)(parts, X, R), strict=True)])

        self.jitted = jax.jit(step, donate_argnums=0)
        self.asarray = jax.numpy.asarray

    @property
    def theta(self) -> Array:
        """All parameters, flat."""
        A1, b1, A2, b2 = [np.asarray(part) for part in self.parts]
        return np.concatenate([np.column_stack(part).ravel() for part in ((A1, b1), (A2, b2))])

    def step(self, X: Array, R: Array) -> None:
        """One gradient and update; the data are JAX's own arrays from the second step on."""
        if not self.data or self.data[0] is not X:
            self.data = X, self.asarray(X), self.asarray(R)
        self.parts = self.jitted(self.parts, *self.data[1:])
        for part in self.parts:
            part.block_until_ready()


def matrices(sizes: tuple[int, int, int], theta: Array) -> tuple[Array, ...]:
    """A1, b1, A2, b2, each an array of its own, from parameters in the order of `MLP.parameters()`."""
    n0, n1, n2 = sizes
    W1, W2 = theta[: n1 * (n0 + 1)].reshape(n1, n0 + 1), theta[n1 * (n0 + 1) :].reshape(n2, n1 + 1)
    return tuple([np.ascontiguousarray(part) for part in (W1[:, :-1], W1[:, -1], W2[:, :-1], W2[:, -1])])


def contestants() -> dict[str, Callable[..., Any]]:
    """Name and maker of each that can run here, ours first."""
    everyone: dict[str, Callable[..., Any]] = {
        "ours": Ours,
        "ours, naive": OursNaively,
        "NumPy tuned": Tuned,
        "NumPy textbook": Textbook,
    }
    if importlib.util.find_spec("autograd"):
        everyone["autograd"] = Autograd
    if importlib.util.find_spec("torch"):
        everyone["PyTorch"] = Torch
    if importlib.util.find_spec("jax"):
        everyone["JAX"] = Jax
    return everyone
