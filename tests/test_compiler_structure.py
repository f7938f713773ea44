"""Programs written number by number become the few products that one writes by hand, and give what NumPy gives."""

from functools import reduce
from operator import attrgetter

import convolution
import numpy as np
import pytest
import transformer

import microgradnet as m
from microgradnet import Value, dot
from microgradnet.compiler import array_ops
from microgradnet.compiler.programs import Passes
from microgradnet.compiler.record import record
from microgradnet.graph import depth_first

INNER = {"dot": dot, "sums": transformer.sum_of_products}
each_inner = pytest.mark.parametrize("inner", INNER.values(), ids=INNER)


def products(function, *sizes):
    """(rows, width, vectors) of every product in the program of the values."""
    passes = Passes(record(function, sizes))
    order = depth_first([passes.forward], attrgetter("parents"))
    return [(*node.args[0].shape[:2], node.shape.columns) for node in order if node.op == array_ops.matmul]


def assert_as_by_hand(fast, by_numpy, data, theta):
    """Value and gradient of one sample, some, and all, to 1e-12 of the largest number."""
    for K in (1, 3, len(data[0])):
        part = [x[:K] for x in data]
        value, gradient = by_numpy(*part, theta)
        mean, slopes = fast.value_and_grad(*part, theta=theta)
        assert mean == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(slopes, gradient, rtol=1e-12, atol=1e-12 * abs(gradient).max())


# The transformer of demos/transformer.py.


def compiled_transformer(T, inner=dot):
    theta = transformer.made_up_theta(T)
    model = transformer.Transformer(T, theta, inner)
    size = T * transformer.TOKENS
    return m.compile(model.cost, size, size, parameters=model.parameters()), model


@pytest.mark.parametrize(
    ("T", "inner"),
    [(3, dot), (3, transformer.sum_of_products), pytest.param(7, dot, marks=pytest.mark.slow)],
)
def test_transformer_is_numpy_by_hand(T, inner):
    fast, _ = compiled_transformer(T, inner)
    data = transformer.made_up_strings(T, 40, seed=1)
    assert_as_by_hand(fast, transformer.ByNumpy(T).value_and_grad, data, transformer.made_up_theta(T, seed=2))


@pytest.mark.parametrize("T", [3, pytest.param(7, marks=pytest.mark.slow), pytest.param(15, marks=pytest.mark.slow)])
def test_transformer_takes_all_positions_together(T):
    """A product for each linear map, queries, keys and values in one, however many positions there are."""
    model = transformer.Transformer(T, transformer.made_up_theta(T))
    size = T * transformer.TOKENS
    found = products(model.cost, size, size)
    tokens, width, hidden = transformer.TOKENS, transformer.WIDTH, transformer.HIDDEN
    embedded, mixed = [(width, tokens, T), (width, T, T)], [(width, width, T), (hidden, width, T), (width, hidden, T)]
    wanted = [*embedded, (3 * width, width, T), *mixed, (tokens, width, T)]
    linear = [(rows, columns, vectors) for rows, columns, vectors in found if rows >= width]
    assert [shape[::2] for shape in linear] == [shape[::2] for shape in wanted]
    assert {shape[0] for shape in found if shape not in linear} <= {1}


@pytest.mark.slow
def test_transformer_reads_on_a_few_pages():
    fast, _ = compiled_transformer(7)
    assert len(fast.source.splitlines()) < 400


# The convolution of demos/convolution.py, and a small one.


@pytest.mark.slow
@each_inner
def test_convolution_is_im2col_by_hand(inner):
    """One product of 8 maps with 144 windows."""
    theta = convolution.made_up_theta()
    model = convolution.Convolution(theta, inner)
    fast = m.compile(model.cost, convolution.PIXELS, convolution.OUTPUTS, parameters=model.parameters())
    assert_as_by_hand(fast, convolution.ByNumpy().value_and_grad, convolution.made_up_images(20), theta)
    found = products(model.cost, convolution.PIXELS, convolution.OUTPUTS)
    assert [shape[::2] for shape in found] == [(convolution.MAPS, convolution.WINDOWS), (convolution.OUTPUTS, 1)]


@each_inner
def test_windows_of_an_image_are_one_product(inner):
    """4 windows of 3 × 3 in steps of 2, 2 maps, tanh, the sum of all outputs squared."""
    theta = np.random.default_rng(0).normal(size=20)
    p = [Value(number) for number in theta.tolist()]
    seen = [[5 * (i + di) + j + dj for di in range(3) for dj in range(3)] for i in (0, 2) for j in (0, 2)]

    def cost(x):
        y = [inner(p[10 * r : 10 * r + 9], [x[i] for i in w], p[10 * r + 9]).tanh() for r in range(2) for w in seen]
        return sum(y_j * y_j for y_j in y)

    def by_numpy(X, theta):
        columns, A, b = X[:, seen], theta.reshape(2, 10)[:, :9], theta.reshape(2, 10)[:, 9]
        y = np.tanh(columns @ A.T + b)
        delta = 2 * y * (1 - y * y) / len(X)
        d_A = np.einsum("kwr,kwj->rj", delta, columns)
        return (y * y).sum() / len(X), np.c_[d_A, delta.sum(axis=(0, 1))].ravel()

    assert [shape[::2] for shape in products(cost, 25)] == [(2, 4)]
    fast = m.compile(cost, 25, parameters=p)
    assert_as_by_hand(fast, by_numpy, [np.random.default_rng(1).uniform(-1, 1, (50, 25))], theta)


# Steps in a row.


def test_unrolled_recurrent_net_is_backpropagation_through_time():
    """h ← tanh(A h + B x + b), the last h against targets: weights tied over five steps."""
    H, J, T = 3, 2, 5
    theta = np.random.default_rng(0).normal(0.0, 0.5, H * (H + J + 1))
    p = np.array([Value(number) for number in theta.tolist()]).reshape(H, -1).tolist()

    def cost(x, r):
        h = [0.0] * H
        for t in range(T):
            h = [dot(row[:-1], [*h, *x[J * t : J * t + J]], row[-1]).tanh() for row in p]
        return m.quadratic(h, r)

    def by_numpy(X, R, theta):
        W = theta.reshape(H, -1)
        vectors, hs = [], [np.zeros((len(X), H))]
        for t in range(T):
            vectors.append(np.c_[hs[-1], X[:, J * t : J * t + J], np.ones(len(X))])
            hs.append(np.tanh(vectors[-1] @ W.T))
        d_h, gradient = (hs[-1] - R) / len(X), np.zeros_like(W)
        for h, vector in zip(reversed(hs[1:]), reversed(vectors), strict=True):
            delta = d_h * (1 - h * h)
            gradient += delta.T @ vector
            d_h = delta @ W[:, :H]
        return ((hs[-1] - R) ** 2).sum() / 2 / len(X), gradient.ravel()

    data = [np.random.default_rng(1).normal(size=(50, n)) for n in (T * J, H)]
    fast = m.compile(cost, T * J, H, parameters=[value for row in p for value in row])
    assert_as_by_hand(fast, by_numpy, data, theta)


def test_scan_over_a_window_is_one_product():
    """The same two weights at every step of a row, then a running sum."""
    theta = np.array([0.3, -0.7, 0.2])
    w, v, b = [Value(number) for number in theta.tolist()]

    def cost(x):
        return reduce(lambda total, t: total + dot([w, v], x[t : t + 2], b).sin(), range(7), Value(0.0))

    def by_numpy(X, theta):
        windows = np.stack([X[:, :-1], X[:, 1:], np.ones((len(X), 7))])
        z = np.einsum("j,jkt->kt", theta, windows)
        return np.sin(z).sum() / len(X), np.einsum("kt,jkt->j", np.cos(z), windows) / len(X)

    assert products(cost, 8) == [(1, 2, 7)]
    fast = m.compile(cost, 8, parameters=[w, v, b])
    assert_as_by_hand(fast, by_numpy, [np.random.default_rng(1).normal(size=(50, 8))], theta)


def test_products_of_fixed_weights_meet_inputs():
    """LoRA: (W + B A) x with every entry of B A a dot of parameters."""
    n, rank = 4, 2
    theta = np.random.default_rng(0).normal(size=n * n + 2 * n * rank)
    p = [Value(number) for number in theta.tolist()]
    W, B = [p[n * i : n * i + n] for i in range(n)], [p[n * n + rank * i : n * n + rank * (i + 1)] for i in range(n)]
    A = [p[n * n + n * rank + n * i : n * n + n * rank + n * (i + 1)] for i in range(rank)]

    def cost(x, r):
        low = [[dot(B[i], [A[s][j] for s in range(rank)]) for j in range(n)] for i in range(n)]
        return m.quadratic([dot([w + change for w, change in zip(W[i], low[i], strict=True)], x) for i in range(n)], r)

    def by_numpy(X, R, theta):
        W, B = theta[: n * n].reshape(n, n), theta[n * n : n * n + n * rank].reshape(n, rank)
        A = theta[n * n + n * rank :].reshape(rank, n)
        error = (X @ (W + B @ A).T - R) / len(X)
        d = error.T @ X
        return (error**2).sum() * len(X) / 2, np.r_[d.ravel(), (d @ A.T).ravel(), (B.T @ d).ravel()]

    data = [np.random.default_rng(1).normal(size=(50, n)) for _ in range(2)]
    fast = m.compile(cost, n, n, parameters=p)
    assert_as_by_hand(fast, by_numpy, data, theta)
