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


def products(function, *sizes):
    """(rows of weights, vectors they meet) of every product in the program of the values."""
    order = depth_first([Passes(record(function, sizes)).forward], attrgetter("parents"))
    return [node.shape[:2] for node in order if node.op == array_ops.matmul]


def assert_as_by_hand(fast, by_numpy, data, theta):
    """Value and gradient of one sample, some, and all, to 1e-12 of the largest number."""
    for K in (1, 3, len(data[0])):
        part = [x[:K] for x in data]
        value, gradient = by_numpy(*part, theta)
        mean, slopes = fast.value_and_grad(*part, theta=theta)
        assert mean == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(slopes, gradient, rtol=1e-12, atol=1e-12 * abs(gradient).max())


@pytest.mark.parametrize(
    ("T", "inner"),
    [(2, dot), (2, transformer.sum_of_products), pytest.param(7, dot, marks=pytest.mark.slow)],
)
def test_transformer_is_numpy_by_hand(T, inner):
    """Within a few pages of source, however many positions there are."""
    theta, size = transformer.made_up_theta(T), T * transformer.TOKENS
    model = transformer.Transformer(T, theta, inner)
    fast = m.compile(model.cost, size, size, parameters=model.parameters())
    data = transformer.made_up_strings(T, 40, seed=1)
    assert_as_by_hand(fast, transformer.ByNumpy(T).value_and_grad, data, transformer.made_up_theta(T, seed=2))
    assert len(fast.source.splitlines()) < 400


@pytest.mark.parametrize("T", [3, pytest.param(15, marks=pytest.mark.slow)])
def test_transformer_takes_all_positions_together(T):
    """A product for each linear map, queries, keys and values in one."""
    model = transformer.Transformer(T, transformer.made_up_theta(T))
    tokens, width, hidden = transformer.TOKENS, transformer.WIDTH, transformer.HIDDEN
    found = products(model.cost, T * tokens, T * tokens)
    rows = [width, width, 3 * width, width, hidden, width, tokens]  # two embeddings, attention and MLP, logits
    assert [shape for shape in found if shape[0] >= width] == [(r, T) for r in rows]
    assert {r for r, _ in found if r < width} <= {1}


@pytest.mark.slow
@pytest.mark.parametrize("inner", [dot, transformer.sum_of_products])
def test_convolution_is_im2col_by_hand(inner):
    """One product of 8 maps with 144 windows."""
    theta = convolution.made_up_theta()
    model = convolution.Convolution(theta, inner)
    fast = m.compile(model.cost, convolution.PIXELS, convolution.OUTPUTS, parameters=model.parameters())
    assert_as_by_hand(fast, convolution.ByNumpy().value_and_grad, convolution.made_up_images(20), theta)
    found = products(model.cost, convolution.PIXELS, convolution.OUTPUTS)
    assert found == [(convolution.MAPS, convolution.WINDOWS), (convolution.OUTPUTS, 1)]


@pytest.mark.parametrize(("rows", "windows"), [(1, 7), (2, 4)])
def test_weights_that_meet_many_vectors_are_one_product(rows, windows):
    """Whatever is done with the results."""
    p = [Value(number) for number in np.random.default_rng(0).normal(size=6).tolist()]

    def function(x):
        dots = [dot(p[2 * i : 2 * i + 2], x[t : t + 2], p[4 + i]) for i in range(rows) for t in range(windows)]
        return reduce(lambda y, z: y + z.sin(), dots, 0.0)

    assert products(function, windows + 1) == [(rows, windows)]


def test_equal_steps_are_a_loop():
    """A recurrent net reads as one, forward and backward, however many its steps; its numbers are the engine's."""
    p = [Value(number) for number in np.random.default_rng(0).normal(size=8).tolist()]

    def run(x):
        h = [0.5, 0.5]
        for t in range(0, len(x), 2):
            h = [dot(p[4 * i : 4 * i + 4], [*h, *x[t : t + 2]]).tanh() for i in (0, 1)]
        return h[0] * h[1]

    fast, longer = [m.compile(run, 2 * T) for T in (9, 40)]
    programs = [f.source.partition("# in NumPy")[2] for f in (fast, longer)]
    assert [text.count("\n    for ") for text in programs] == [3, 3]
    assert len({text.count("\n") for text in programs}) == 1
    X = np.random.default_rng(1).normal(size=(60, 18))
    mean = sum([run(x) for x in X.tolist()]) / len(X)
    assert fast.value_and_grad(X) == (pytest.approx(mean.data, rel=1e-13), pytest.approx(m.grad(mean, p), rel=1e-12))


@pytest.mark.parametrize("bias_first", [True, False])
@pytest.mark.parametrize("sizes", [[6, 5, 4, 3], [1], [2, 1, 2]])
def test_a_net_number_by_number_is_the_same_program(bias_first, sizes):
    """Nets in micrograd's style compile to the parameters and, for batches, the source of nets made of dots."""
    net = m.MLP(3, sizes, seed=1)

    def naive(x):
        for layer in net.layers:
            sums = [[w * x_j for w, x_j in zip(n.w, x, strict=True)] for n in layer.neurons]
            pairs = zip(sums, [n.b for n in layer.neurons], strict=True)
            x = [(sum(terms, b) if bias_first else sum(terms) + b).sigmoid() for terms, b in pairs]
        return x

    dots, sums = [m.compile(lambda x, r, y=y: m.quadratic(y(x), r), 3, sizes[-1]) for y in (net, naive)]
    assert [*map(id, sums.parameters)] == [*map(id, dots.parameters)]
    batches = [fast.source.partition("# in NumPy")[2] for fast in (dots, sums)]
    assert batches[0] == batches[1] != ""
