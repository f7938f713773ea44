"""A convolution written as loops over windows of scalars, and the same one in arrays by hand.

`Convolution` is plain Python on lists of Values. `ByNumpy` is what `compile` has to find by itself: all windows of all
images as columns (im2col) and one matrix product for the maps, forward and backward by hand. `ByTorch` calls PyTorch's
`conv2d`. `speed.py` checks that all agree and compares their times.

The model: an image of 28×28 pixels, 8 maps of its 5×5 windows in steps of 2 (so 12×12 windows), σ, a dense layer of 10
neurons behind them, σ, the quadratic cost. All parameters are one flat array θ, neuron after neuron, each one's weights
and then its bias, as `Convolution.parameters()` has them; the dense layer sees map after map, row after row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from microgradnet import Layer, Neuron, Value, dot, quadratic

Array = npt.NDArray[np.float64]

SIDE, WINDOW, STEP = 28, 5, 2
MAPS, OUTPUTS = 8, 10
PIXELS, WEIGHTS = SIDE * SIDE, WINDOW * WINDOW
STARTS = range(0, SIDE - WINDOW + 1, STEP)  # of windows, in both directions
WINDOWS = len(STARTS) ** 2


def made_up_theta(seed: int = 0) -> Array:
    """Parameters from N(0, 1) over the root of a neuron's number of inputs."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(0.0, WEIGHTS**-0.5, MAPS * (WEIGHTS + 1))
    dense = rng.normal(0.0, (MAPS * WINDOWS) ** -0.5, OUTPUTS * (MAPS * WINDOWS + 1))
    return np.concatenate([maps, dense])


def made_up_images(K: int, seed: int = 0) -> tuple[Array, Array]:
    """K images and their targets, X of shape (K, 784) and R of shape (K, 10)."""
    rng = np.random.default_rng(seed)
    return rng.random((K, PIXELS)), np.eye(OUTPUTS)[rng.integers(0, OUTPUTS, K)]


# -- Number by number ----------------------------------------------------------------------------------------------------


def windows(x: Sequence[Value]) -> list[list[Value]]:
    """All windows of an image, each row after row."""
    return [
        [x[SIDE * (i + di) + j + dj] for di in range(WINDOW) for dj in range(WINDOW)] for i in STARTS for j in STARTS
    ]


class Convolution:
    """The model; `inner` is how it writes Σ_j w_j x_j + b: `dot`, one node, or `transformer.sum_of_products`.

    `activation`: of the maps; σ by default.
    """

    def __init__(
        self,
        theta: Array,
        inner: Callable[[Any, Any, Value], Value] = dot,
        activation: Callable[[Value], Value] = Value.sigmoid,
    ) -> None:
        self.inner, self.activation = inner, activation
        self.maps, self.dense = Layer(WEIGHTS, MAPS), Layer(MAPS * WINDOWS, OUTPUTS)
        for parameter, number in zip(self.parameters(), theta.tolist(), strict=True):
            parameter.data = number

    def parameters(self) -> list[Value]:
        """Those of the maps, then those of the dense layer."""
        return [*self.maps.parameters(), *self.dense.parameters()]

    def z(self, neuron: Neuron, x: Sequence[Value]) -> Value:
        """w·x + b."""
        return self.inner(neuron.w, x, neuron.b)

    def outputs(self, x: Sequence[Value]) -> list[Value]:
        """The ten outputs for an image of 784 numbers."""
        seen = windows(x)
        y = [self.activation(self.z(feature, window)) for feature in self.maps.neurons for window in seen]
        return [self.z(output, y).sigmoid() for output in self.dense.neurons]

    def cost(self, x: Sequence[Value], r: Sequence[Value]) -> Value:
        """½ |f(x) − r|²."""
        return quadratic(self.outputs(x), r)


# -- In arrays, by hand --------------------------------------------------------------------------------------------------


def parts(flat: Array) -> tuple[Array, Array]:
    """The maps, shape (8, 25 + 1), and the dense layer, (10, 1152 + 1), in a flat array, as views of it."""
    end = MAPS * (WEIGHTS + 1)
    return flat[:end].reshape(MAPS, WEIGHTS + 1), flat[end:].reshape(OUTPUTS, MAPS * WINDOWS + 1)


class ByNumpy:
    """Value and gradient with NumPy alone: im2col, then products."""

    def value_and_grad(self, X: Array, R: Array, theta: Array) -> tuple[float, Array]:
        """The mean cost of the images and its gradient, flat."""
        K, gradient = len(X), np.empty_like(theta)
        (A1, A2), (d_A1, d_A2) = parts(theta), parts(gradient)
        every = sliding_window_view(X.reshape(K, SIDE, SIDE), (WINDOW, WINDOW), axis=(1, 2))
        columns = every[:, ::STEP, ::STEP].transpose(0, 3, 4, 1, 2).reshape(K, WEIGHTS, WINDOWS)

        y1 = sigmoid(A1[:, :-1] @ columns, A1[:, -1:]).reshape(K, MAPS * WINDOWS)
        y2 = sigmoid(y1 @ A2[:, :-1].T, A2[:, -1])
        error = y2 - R
        value = 0.5 / K * float(np.vdot(error, error))

        error *= 1.0 / K
        delta2 = slope(y2)
        delta2 *= error
        np.matmul(delta2.T, y1, out=d_A2[:, :-1])
        np.add.reduce(delta2, axis=0, out=d_A2[:, -1])
        delta1 = slope(y1)
        delta1 *= delta2 @ A2[:, :-1]
        delta1 = delta1.reshape(K, MAPS, WINDOWS)
        np.add.reduce(delta1 @ columns.transpose(0, 2, 1), axis=0, out=d_A1[:, :-1])
        np.add.reduce(delta1, axis=(0, 2), out=d_A1[:, -1])
        return value, gradient


def sigmoid(z: Array, b: Array) -> Array:
    """σ(z + b), in the place of z."""
    z += b
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1.0
    return np.reciprocal(z, out=z)


def slope(y: Array) -> Array:
    """σ′ = y (1 − y)."""
    result: Array = 1.0 - y
    result *= y
    return result


class ByTorch:
    """The model as one writes it for PyTorch, on the CPU, in float64, on one thread, with the parameters as its own."""

    def __init__(self, theta: Array) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        A1, A2 = parts(theta)
        arrays = A1[:, :-1].reshape(MAPS, 1, WINDOW, WINDOW), A1[:, -1], A2[:, :-1], A2[:, -1]
        self.arrays = [torch.tensor(array, requires_grad=True) for array in arrays]

    def value_and_grad(self, X: Array, R: Array) -> tuple[float, list[Any]]:
        """The mean cost of the images and its gradient: the maps' weights, their biases, likewise of the dense layer."""
        torch, K, (A1, b1, A2, b2) = self.torch, len(X), self.arrays
        F = torch.nn.functional
        images, targets = torch.from_numpy(X).view(K, 1, SIDE, SIDE), torch.from_numpy(R)
        y1 = F.conv2d(images, A1, b1, stride=STEP).sigmoid()
        y2 = F.linear(y1.view(K, -1), A2, b2).sigmoid()
        cost = 0.5 / K * (y2 - targets).square().sum()
        cost.backward()
        gradient = [part.grad for part in self.arrays]
        for part in self.arrays:
            part.grad = None
        return cost.item(), gradient


def in_a_row(gradient: list[Any]) -> Array:
    """PyTorch's gradient as a flat array like θ."""
    A1, b1, A2, b2 = [part.numpy() for part in gradient]
    return np.concatenate([np.column_stack(part).ravel() for part in ((A1.reshape(MAPS, -1), b1), (A2, b2))])
