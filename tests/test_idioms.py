"""What people write on scalars: a GPT, an LSTM, a convolution, a clipped objective, checkpointing.

In the idioms of teaching scripts: lists of lists, indices, nodes made by hand, optimizers that keep their own lists. Each
runs eagerly, and is right by differences, by its closed form or by another way to write it; where it makes sense, it is
compiled as well, in the form that the error messages propose.
"""

import math
import random
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest

from microgradnet import (
    Adam,
    Value,
    compile,
    dot,
    grad,
    gradcheck,
    maximum,
    minimum,
    softmax_cross_entropy,
    vjp,
)


def matrix(rows, columns, rng):
    return [[Value(rng.gauss(0.0, 0.5)) for _ in range(columns)] for _ in range(rows)]


def linear(x, w):
    return [sum(w_i * x_i for w_i, x_i in zip(row, x, strict=True)) for row in w]


def rmsnorm(x):
    scale = (sum(x_i * x_i for x_i in x) / len(x) + 1e-5) ** -0.5
    return [x_i * scale for x_i in x]


def shares(logits):
    """Softmax with the largest number taken out of the graph, as scripts have it."""
    largest = max(value.data for value in logits)
    powers = [(value - largest).exp() for value in logits]
    total = sum(powers)
    return [power / total for power in powers]


class TinyGPT:
    """One head of attention over at most four tokens of a vocabulary of five."""

    vocabulary, width, block = 5, 4, 4

    def __init__(self, seed):
        rng = random.Random(seed)
        shapes = {"token": (self.vocabulary, self.width), "place": (self.block, self.width)}
        shapes |= dict.fromkeys(["query", "key", "value", "out"], (self.width, self.width))
        shapes["head"] = self.vocabulary, self.width
        self.state = {name: matrix(*shape, rng) for name, shape in shapes.items()}
        self.parameters = [p for m in self.state.values() for row in m for p in row]

    def embed(self, token):
        return self.state["token"][token]

    def step(self, embedding, place, keys, values):
        x = [a + b for a, b in zip(embedding, self.state["place"][place], strict=True)]
        x = rmsnorm(x)
        query = linear(x, self.state["query"])
        keys.append(linear(x, self.state["key"]))
        values.append(linear(x, self.state["value"]))
        scores = [sum(q * k for q, k in zip(query, key, strict=True)) / self.width**0.5 for key in keys]
        weights = self.normalize(scores)
        mean = [sum(w * v[j] for w, v in zip(weights, values, strict=True)) for j in range(self.width)]
        return linear([a + b for a, b in zip(x, linear(mean, self.state["out"]), strict=True)], self.state["head"])

    normalize = staticmethod(shares)

    def loss(self, tokens):
        keys, values, losses = [], [], []
        for place, (token, target) in enumerate(pairwise(tokens)):
            chances = self.normalize(self.step(self.embed(token), place, keys, values))
            losses.append(-chances[target].log())
        return sum(losses) / len(losses)


TOKENS = [0, 3, 1, 4, 2]


def test_a_gpt_learns_with_an_adam_of_its_own():
    """Lists m and v beside the parameters, .data and .grad as the scripts use them."""
    gpt = TinyGPT(seed=0)
    m, v = [0.0] * len(gpt.parameters), [0.0] * len(gpt.parameters)
    losses = []
    for step in range(1, 31):
        loss = gpt.loss(TOKENS)
        losses.append(loss.data)
        loss.backward()
        for i, p in enumerate(gpt.parameters):
            m[i] = 0.9 * m[i] + 0.1 * p.grad
            v[i] = 0.99 * v[i] + 0.01 * p.grad**2
            p.data -= 0.05 * (m[i] / (1 - 0.9**step)) / ((v[i] / (1 - 0.99**step)) ** 0.5 + 1e-8)
            p.grad = 0
    assert losses[-1] < 0.1 * losses[0]


def test_the_same_gpt_compiles_with_one_hot_tokens():
    """Its embedding is a product then, its softmax keeps the largest number in the graph: the eager loss and gradient."""
    gpt = TinyGPT(seed=1)
    loss = gpt.loss(TOKENS)
    loss.backward()

    def one_hot_loss(x, r):
        keys, values, losses = [], [], []
        columns = list(zip(*gpt.state["token"], strict=True))
        for place in range(gpt.block):
            own = slice(place * gpt.vocabulary, (place + 1) * gpt.vocabulary)
            embedding = [dot(column, x[own]) for column in columns]
            losses.append(softmax_cross_entropy(gpt.step(embedding, place, keys, values), r[own]))
        return sum(losses) / len(losses)

    def stable(scores):
        largest = reduce(maximum, scores).detach()
        powers = [(score - largest).exp() for score in scores]
        return [power / sum(powers) for power in powers]

    gpt.normalize = stable
    size = gpt.block * gpt.vocabulary
    fast = compile(one_hot_loss, size, size, parameters=gpt.parameters)
    one_hot = np.eye(gpt.vocabulary)[TOKENS]
    value, gradient = fast.value_and_grad([one_hot[:-1].ravel()] * 50, [one_hot[1:].ravel()] * 50)
    assert value == pytest.approx(loss.data, rel=1e-13)
    np.testing.assert_allclose(gradient, [p.grad for p in gpt.parameters], rtol=0, atol=1e-13)


@pytest.mark.parametrize("index", [lambda t: int(t), lambda t: t], ids=["int(t)", "t"])
def test_an_index_in_a_compiled_function_says_one_hot(index):
    """Instead of Python's bare TypeError."""
    table = [Value(1.0), Value(2.0)]
    with pytest.raises(TypeError, match="one-hot"):
        compile(lambda t: table[index(t[0])] * 2.0, 1)


@pytest.mark.parametrize("convert", [float, math.exp, complex, lambda v: np.array([v], dtype=float)])
def test_a_value_never_becomes_a_float_by_itself(convert):
    """The error says what to write; as an object in an array a Value stays what it is."""
    v = Value(2.0)
    with pytest.raises(TypeError, match=r"x\.exp\(\).*x\.data"):
        convert(v)
    assert np.array([v]).dtype == object
    assert (np.float64(3.0) * v).data == (np.array([3.0]) * v)[0].data == 6.0
    assert v in [2.0]


# An LSTM whose first state is made inside, and whose loss has a logarithm that is clamped.


def clamped_log(p):
    """A node made by hand."""
    inside = max(p.data, 1e-10)
    return Value(math.log(inside), (p,), (1.0 / inside,))


def lstm_loss(weights, xs, log):
    h, c = Value(0.0), Value(0.0)
    for x in xs:
        forget, let_in, out, new = [w[0] * x + w[1] * h + w[2] for w in weights]
        c = forget.sigmoid() * c + let_in.sigmoid() * new.tanh()
        h = out.sigmoid() * c.tanh()
    return -log(h.sigmoid())


def test_an_lstm_with_a_clamped_logarithm():
    """By hand and by maximum: one gradient, that of differences, inside the clamp and beyond it."""
    weights, xs = matrix(4, 3, random.Random(3)), [0.5, -1.0, 0.25]
    parameters = [w for row in weights for w in row]
    by_hand = grad(lstm_loss(weights, xs, clamped_log), parameters)
    by_table = grad(lstm_loss(weights, xs, lambda p: maximum(p, 1e-10).log()), parameters)
    assert by_hand == pytest.approx(by_table, rel=1e-14)

    def at(*numbers):
        rows = [numbers[i : i + 3] for i in range(0, 12, 3)]
        return lstm_loss(rows, xs, lambda p: maximum(p, 1e-10).log())

    gradcheck(at, [p.data for p in parameters])
    p = Value(1e-12)
    assert (clamped_log(p).data, grad(clamped_log(p), p)) == (math.log(1e-10), [1e10])


def test_an_lstm_compiles_with_maximum_and_by_hand_is_refused():
    """The first state, made inside, is a constant; the refusal of the clamp says what to write."""
    weights, xs = matrix(4, 3, random.Random(4)), [0.5, -1.0, 0.25]
    parameters = [w for row in weights for w in row]

    fast = compile(lambda x: lstm_loss(weights, x, lambda p: maximum(p, 1e-10).log()), 3, parameters=parameters)
    loss = lstm_loss(weights, xs, clamped_log)
    value, gradient = fast.value_and_grad([xs])
    assert value == pytest.approx(loss.data, rel=1e-14)
    assert gradient.tolist() == pytest.approx(grad(loss, parameters), rel=1e-12)
    with pytest.raises(ValueError, match="maximum"):
        compile(lambda x: lstm_loss(weights, x, clamped_log), 3)
    with pytest.raises(TypeError, match=r"by hand.*ops\.row"):
        compile(lambda x: Value(2.0, (x[0],), (1.0,)), 1)


# A convolution with a maximum over windows.


def convolve(image, kernel, largest):
    """3 × 3 windows of a 6 × 6 image, rectified, then the largest of every 2 × 2."""
    side = len(image) - 2
    maps = [
        [sum(kernel[a][b] * image[i + a][j + b] for a in range(3) for b in range(3)).relu() for j in range(side)]
        for i in range(side)
    ]
    return [
        [largest(maps[i + a][j + b] for a in range(2) for b in range(2)) for j in range(0, side, 2)]
        for i in range(0, side, 2)
    ]


def test_a_convolution_with_max():
    """Python's max picks the Value itself: eager, it gives what maximum gives; compiled, it is refused and maximum is not."""
    rng = random.Random(5)
    kernel = matrix(3, 3, rng)
    parameters = [w for row in kernel for w in row]
    image = [[rng.random() for _ in range(6)] for _ in range(6)]

    def total(image, largest):
        return sum(y * y for row in convolve(image, kernel, largest) for y in row)

    def chained(values):
        return reduce(maximum, values)

    eager = grad(total(image, max), parameters)
    assert eager == pytest.approx(grad(total(image, chained), parameters), rel=1e-14)

    def on_pixels(largest):
        return lambda x: total([x[i : i + 6] for i in range(0, 36, 6)], largest)

    with pytest.raises(ValueError, match="maximum"):
        compile(on_pixels(max), 36)
    value, gradient = compile(on_pixels(chained), 36, parameters=parameters).value_and_grad([np.ravel(image)] * 20)
    assert value == pytest.approx(total(image, max).data, rel=1e-13)
    assert gradient.tolist() == pytest.approx(eager, rel=1e-12)


# A clipped objective.


def clipped(new, old, advantage):
    """PPO's: the smaller of ratio · advantage with the ratio as it is and clipped to 1 ± 0.2."""
    ratio = (new - old).exp()
    return minimum(ratio * advantage, maximum(minimum(ratio, 1.2), 0.8) * advantage)


@pytest.mark.parametrize(
    ("ratio", "advantage", "slope"),
    [(1.1, 2.0, 2.2), (1.5, 2.0, 0.0), (0.5, 2.0, 1.0), (1.5, -2.0, -3.0), (0.5, -2.0, 0.0)],
)
def test_a_clipped_objective(ratio, advantage, slope):
    """No slope where the clip holds it, ratio · advantage elsewhere: eager and compiled."""
    new, old = Value(math.log(ratio)), 0.0
    assert grad(clipped(new, old, advantage), new) == [pytest.approx(slope, rel=1e-14)]
    fast = compile(lambda x: grad(clipped(x[0], x[1], x[2]), x[:1], create_graph=True), 3)
    for K in (1, 40):
        assert fast([[new.data, old, advantage]] * K)[-1].tolist() == [pytest.approx(slope, rel=1e-14)]


# Checkpointing: a segment's graph is thrown away, and recorded again when its derivatives are wanted.


def test_checkpointing_gives_the_whole_graphs_gradient():
    """Forward on numbers, then backward from segment to segment, with vjp at the seams."""
    w = [Value(0.9), Value(-0.4)]

    def segment(state):
        for _ in range(5):
            u, v = state
            state = [(w[0] * u + v).tanh(), (u + w[1] * v).sin()]
        return state

    start = [0.3, -0.8]
    states = [start]
    for _ in range(4):
        states.append([value.data for value in segment(states[-1])])
    cotangents = [1.0, 2.0]
    gradient = np.zeros(2)
    for numbers in reversed(states[:-1]):
        state = [Value(x) for x in numbers]
        *cotangents, d_w0, d_w1 = vjp(segment(state), cotangents, [*state, *w])
        gradient += [d_w0, d_w1]
    whole = reduce(lambda state, _: segment(state), range(4), start)
    assert [value.data for value in whole] == states[-1]
    assert gradient.tolist() == pytest.approx(grad(whole[0] + 2.0 * whole[1], w), rel=1e-13)


def test_a_simulation_is_fitted_in_five_lines():
    """A function without data: compile with no inputs but the start, and an optimizer."""
    k = Value(1.0, label="k")

    def miss(x):
        for _ in range(20):
            x = [x[0] + 0.1 * x[1], x[1] - 0.1 * k * x[0]]
        return (x[0] - 0.5) ** 2

    fast, adam = compile(miss, 2, parameters=[k]), Adam(0.05)
    for _ in range(300):
        fast.assign(adam.step(fast.theta(), fast.value_and_grad([[1.0, 0.0]])[1]))
    assert fast([[1.0, 0.0]]).item() < 1e-12
