"""A transformer written number by number, in the manner of microgpt, and the same one in arrays by hand.

`Transformer` is plain Python on lists of Values: it knows no array. `ByNumpy` is what `compile` has to find by itself:
a matrix product for each linear map, whatever the number of positions, forward and backward by hand. `ByTorch` is the
same model as one writes it for PyTorch. `speed.py` checks that all agree and compares their times.

The model: one layer, 16 wide, 4 heads of size 4, 27 tokens, no biases. A string of T tokens is T one-hot vectors of 27
numbers in a row; so are its targets, the tokens that follow. The cost is the mean of −log p(target) over the positions.
All parameters are one flat array θ, matrix after matrix, row after row, as `Transformer.parameters()` has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from microgradnet import Value, dot, maximum

Array = npt.NDArray[np.float64]
Vector = Sequence[Any]  # of Values; of floats where a vector is known when the model is built
Matrix = list[list[Value]]

TOKENS, WIDTH, HEADS, HIDDEN = 27, 16, 4, 64
SIZE = WIDTH // HEADS  # of a head
EPSILON = 1e-5  # keeps rmsnorm away from 1/0


def shapes(positions: int) -> dict[str, tuple[int, int]]:
    """Rows and columns of every matrix, in the order of θ."""
    square = (WIDTH, WIDTH)
    return {
        "token": (WIDTH, TOKENS),
        "position": (WIDTH, positions),
        "query": square,
        "key": square,
        "value": square,
        "attention": square,
        "up": (HIDDEN, WIDTH),
        "down": (WIDTH, HIDDEN),
        "logits": (TOKENS, WIDTH),
    }


def made_up_theta(positions: int, seed: int = 0) -> Array:
    """Parameters from N(0, 0.3²), large enough for attention to differ from a mean."""
    count = sum(rows * columns for rows, columns in shapes(positions).values())
    return np.random.default_rng(seed).normal(0.0, 0.3, count)


def made_up_strings(positions: int, K: int, seed: int = 0) -> tuple[Array, Array]:
    """K strings and their targets, X and R, each of shape (K, positions · 27)."""
    tokens = np.random.default_rng(seed).integers(0, TOKENS, (K, positions + 1))
    one_hot = np.eye(TOKENS)
    return one_hot[tokens[:, :-1]].reshape(K, -1), one_hot[tokens[:, 1:]].reshape(K, -1)


# -- Number by number ----------------------------------------------------------------------------------------------------


def sum_of_products(weights: Vector, inputs: Vector, bias: Any = 0.0) -> Value:
    """Σ_j w_j x_j + b as code on scalars has it: a node for every product and every sum."""
    total: Value = sum([w * x for w, x in zip(weights, inputs, strict=True)], bias)
    return total


def rmsnorm(x: Vector) -> list[Value]:
    """x over its root mean square."""
    scale = (sum(x_j * x_j for x_j in x) / len(x) + EPSILON) ** -0.5
    return [x_j * scale for x_j in x]


def softmax(z: Vector) -> list[Value]:
    """eᶻ over its sum, from differences to the largest, which do not overflow."""
    largest = reduce(maximum, z)
    powers = [(z_j - largest).exp() for z_j in z]
    total = sum(powers)
    return [power / total for power in powers]


def logsumexp(z: Vector) -> Value:
    """log Σ_j exp z_j, likewise."""
    largest: Value = reduce(maximum, z)
    total: Value = sum((z_j - largest).exp() for z_j in z)
    return largest + total.log()


class Transformer:
    """The model; `inner` is how it writes Σ_j w_j x_j: `dot`, one node, or `sum_of_products`."""

    def __init__(self, positions: int, theta: Array, inner: Callable[[Vector, Vector], Value] = dot) -> None:
        self.positions, self.inner = positions, inner
        numbers = iter(theta.tolist())
        self.matrices: dict[str, Matrix] = {
            name: [[Value(next(numbers)) for _ in range(columns)] for _ in range(rows)]
            for name, (rows, columns) in shapes(positions).items()
        }

    def parameters(self) -> list[Value]:
        """Matrix after matrix, row after row."""
        return [value for matrix in self.matrices.values() for row in matrix for value in row]

    def linear(self, name: str, x: Vector) -> list[Value]:
        """A x for the matrix of that name."""
        return [self.inner(row, x) for row in self.matrices[name]]

    def logits(self, tokens: Sequence[Vector]) -> list[list[Value]]:
        """For each position the 27 logits of the token that comes next, of one-hot tokens."""
        keys: list[list[Value]] = []
        values: list[list[Value]] = []
        return [self.at_position(t, token, keys, values) for t, token in enumerate(tokens)]

    def at_position(self, t: int, token: Vector, keys: list[list[Value]], values: list[list[Value]]) -> list[Value]:
        """The logits there; the keys and values of the positions before it are at hand, and its own are added."""
        one_hot = [float(s == t) for s in range(self.positions)]
        x: Vector = rmsnorm(added(self.linear("token", token), self.linear("position", one_hot)))
        normal = rmsnorm(x)
        query = self.linear("query", normal)
        keys.append(self.linear("key", normal))
        values.append(self.linear("value", normal))
        x = added(x, self.linear("attention", self.attention(query, keys, values)))
        hidden = [z.relu() for z in self.linear("up", rmsnorm(x))]
        return self.linear("logits", added(x, self.linear("down", hidden)))

    def attention(self, query: Vector, keys: Sequence[Vector], values: Sequence[Vector]) -> list[Value]:
        """All heads' means of the values so far, weighted by how well their keys fit the query."""
        means = []
        for start in range(0, WIDTH, SIZE):
            head = slice(start, start + SIZE)
            weights = softmax([self.inner(query[head], key[head]) / SIZE**0.5 for key in keys])
            means += [self.inner(weights, column) for column in zip(*[value[head] for value in values], strict=True)]
        return means

    def cost(self, x: Vector, r: Vector) -> Value:
        """The mean of −log p(target) over the positions of a string x with targets r, each positions · 27 numbers."""
        logits = self.logits(in_tokens(x))
        costs = [logsumexp(z) - self.inner(r_t, z) for z, r_t in zip(logits, in_tokens(r), strict=True)]
        return reduce(add, costs) / self.positions


def added(x: Vector, y: Vector) -> list[Value]:
    """x + y."""
    return [x_j + y_j for x_j, y_j in zip(x, y, strict=True)]


def in_tokens(x: Vector) -> list[Vector]:
    """A string's numbers, 27 at a time."""
    return [x[start : start + TOKENS] for start in range(0, len(x), TOKENS)]


# -- In arrays, by hand --------------------------------------------------------------------------------------------------


def parts(positions: int, flat: Array) -> dict[str, Array]:
    """The matrices in a flat array, as views of it."""
    views, start = {}, 0
    for name, (rows, columns) in shapes(positions).items():
        views[name] = flat[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
    return views


class ByNumpy:
    """Value and gradient with NumPy alone: N = K · T rows, one for every position of every string."""

    def __init__(self, positions: int) -> None:
        self.positions = T = positions
        self.later = np.where(np.tri(T, dtype=bool), 0.0, -np.inf)  # what comes later is not attended to

    def value_and_grad(self, X: Array, R: Array, theta: Array) -> tuple[float, Array]:
        """The mean cost of the strings and its gradient, flat."""
        K, T, N = len(X), self.positions, len(X) * self.positions
        A, gradient = parts(T, theta), np.empty_like(theta)
        d = parts(T, gradient)
        start = WIDTH * (TOKENS + T)  # queries, keys and values are one product: their matrices lie side by side
        A_qkv, d_qkv = [flat[start : start + 3 * WIDTH * WIDTH].reshape(-1, WIDTH) for flat in (theta, gradient)]
        tokens, targets = X.reshape(N, TOKENS), R.reshape(N, TOKENS)

        embedded = tokens @ A["token"].T
        embedded.reshape(K, T, WIDTH)[...] += A["position"].T
        x, scale0 = normalized(embedded)
        normal1, scale1 = normalized(x)
        qkv = (normal1 @ A_qkv.T).reshape(K, T, 3, HEADS, SIZE).transpose(2, 0, 3, 1, 4)
        q, k, v = qkv
        weights = q @ k.transpose(0, 1, 3, 2)
        weights *= SIZE**-0.5
        weights += self.later
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=-1, keepdims=True)
        means = (weights @ v).transpose(0, 2, 1, 3).reshape(N, WIDTH)
        y = means @ A["attention"].T
        y += x
        normal2, scale2 = normalized(y)
        hidden = normal2 @ A["up"].T
        np.maximum(hidden, 0.0, out=hidden)
        out = hidden @ A["down"].T
        out += y
        z = out @ A["logits"].T
        largest = z.max(axis=-1, keepdims=True)
        p = np.exp(z - largest)
        total = p.sum(axis=-1, keepdims=True)
        value = float(np.log(total).sum() + largest.sum() - np.vdot(z, targets)) / N

        p /= total
        p -= targets
        p /= N
        np.matmul(p.T, out, out=d["logits"])
        d_y = p @ A["logits"]
        np.matmul(d_y.T, hidden, out=d["down"])
        d_hidden = d_y @ A["down"]
        d_hidden *= hidden > 0.0
        np.matmul(d_hidden.T, normal2, out=d["up"])
        d_y += before_norm(d_hidden @ A["up"], normal2, scale2)
        np.matmul(d_y.T, means, out=d["attention"])
        d_means = (d_y @ A["attention"]).reshape(K, T, HEADS, SIZE).transpose(0, 2, 1, 3)
        d_weights = d_means @ v.transpose(0, 1, 3, 2)
        d_weights -= (d_weights * weights).sum(axis=-1, keepdims=True)
        d_weights *= weights
        d_weights *= SIZE**-0.5
        d_rows = np.empty((N, 3 * WIDTH))
        d_q, d_k, d_v = d_rows.reshape(K, T, 3, HEADS, SIZE).transpose(2, 0, 3, 1, 4)
        np.matmul(d_weights, k, out=d_q)
        np.matmul(d_weights.transpose(0, 1, 3, 2), q, out=d_k)
        np.matmul(weights.transpose(0, 1, 3, 2), d_means, out=d_v)
        np.matmul(d_rows.T, normal1, out=d_qkv)
        d_y += before_norm(d_rows @ A_qkv, normal1, scale1)
        d_embedded = before_norm(d_y, x, scale0)
        np.matmul(d_embedded.T, tokens, out=d["token"])
        np.add.reduce(d_embedded.reshape(K, T, WIDTH), axis=0, out=d["position"].T)
        return value, gradient


def normalized(x: Array) -> tuple[Array, Array]:
    """rmsnorm of every row, and the scales, one a row."""
    scale = np.einsum("nj,nj->n", x, x)[:, None]
    scale /= x.shape[1]
    scale += EPSILON
    np.sqrt(scale, out=scale)
    np.reciprocal(scale, out=scale)
    return x * scale, scale


def before_norm(d_y: Array, y: Array, scale: Array) -> Array:
    """∂C/∂x of y = rmsnorm(x) = x · scale: scale (∂C/∂y − y · the mean of ∂C/∂y y)."""
    mean = np.einsum("nj,nj->n", d_y, y)[:, None]
    mean /= y.shape[1]
    d_x: Array = y * mean
    np.subtract(d_y, d_x, out=d_x)
    d_x *= scale
    return d_x


class ByTorch:
    """The model as one writes it for PyTorch, on the CPU, in float64, on one thread, with the parameters as its own."""

    def __init__(self, positions: int, theta: Array) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch, self.positions = torch, positions
        self.matrices = {name: torch.tensor(part, requires_grad=True) for name, part in parts(positions, theta).items()}

    def value_and_grad(self, X: Array, R: Array) -> tuple[float, dict[str, Any]]:
        """The mean cost of the strings and its gradient, matrix by matrix."""
        torch, A, K, T = self.torch, self.matrices, len(X), self.positions
        F = torch.nn.functional

        def norm(x: Any) -> Any:
            return F.rms_norm(x, (WIDTH,), eps=EPSILON)

        def heads(x: Any) -> Any:
            return x.view(K, T, HEADS, SIZE).transpose(1, 2)

        tokens, targets = [torch.from_numpy(data) for data in (X, R)]
        x = norm(F.linear(tokens.view(K, T, TOKENS), A["token"]) + A["position"].T)
        normal = norm(x)
        q, k, v = [heads(F.linear(normal, A[name])) for name in ("query", "key", "value")]
        means = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = x + F.linear(means.transpose(1, 2).reshape(K, T, WIDTH), A["attention"])
        z = F.linear(y + F.linear(F.linear(norm(y), A["up"]).relu(), A["down"]), A["logits"])
        cost = F.cross_entropy(z.view(-1, TOKENS), targets.view(-1, TOKENS))
        cost.backward()
        gradient = {name: part.grad for name, part in A.items()}
        for part in A.values():
            part.grad = None
        return cost.item(), gradient


def in_a_row(gradient: dict[str, Any]) -> Array:
    """PyTorch's gradient as a flat array like θ."""
    return np.concatenate([part.numpy().ravel() for part in gradient.values()])
