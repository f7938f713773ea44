"""Code written for micrograd, with `from microgradnet import …` in place of its own import.

The expressions are those that its users know: the worked example, the checks of its engine, the training loop for two
moons. What they must give is known from published results.
"""

import numpy as np

from microgradnet import MLP, Neuron, Value


def worked_example(a, b):
    """Every operator of micrograd, in place and reflected."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def engine_check(x):
    """A leaf that is used again and again, with two rectifiers."""
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    return h + q + q * x


def test_the_worked_example_gives_the_published_numbers():
    """To the four decimals that are published, formatted the way its users do."""
    a, b = Value(-4.0), Value(2.0)
    g = worked_example(a, b)
    assert f"{g.data:.4f}" == "24.7041"
    g.backward()
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"


def test_the_engine_check_gives_whole_numbers():
    """By hand: at x = -4 the first rectifier is shut, so y = z² + z x + z x² with z = 3 x + 2 = -10: -20, slope 46."""
    x = Value(-4.0)
    y = engine_check(x)
    y.backward()
    assert (y.data, x.grad) == (-20.0, 46.0)


def test_names_that_its_users_write_are_known():
    """_prev and _op of a node, nonlin of a neuron."""
    a, b = Value(2.0), Value(3.0)
    assert (set(map(id, (a * b)._prev)), (a * b)._op) == ({id(a), id(b)}, "*")
    assert [Neuron(2, nonlin=nonlin).activation for nonlin in (True, False)] == ["relu", "linear"]


# Two moons, with a margin loss.


def moons(count):
    """Two half circles that reach into each other, 2 * count points, labels -1 and 1."""
    t = np.linspace(0.0, np.pi, count)
    upper, lower = np.c_[np.cos(t), np.sin(t)], np.c_[1.0 - np.cos(t), 0.5 - np.sin(t)]
    return np.r_[upper, lower], np.repeat([-1, 1], count)


def loss(model, X, y):
    """The notebook's margin loss with a quadratic penalty, and the share of right answers."""
    inputs = [list(map(Value, xrow)) for xrow in X]
    scores = list(map(model, inputs))
    losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    alpha = 1e-4
    reg_loss = alpha * sum(p * p for p in model.parameters())
    accuracy = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(y, scores, strict=True)]
    return data_loss + reg_loss, sum(accuracy) / len(accuracy)


def test_the_moons_are_learnt_with_the_loop_of_the_notebook():
    """After a hundred steps both moons are told apart."""
    X, y = moons(12)
    model = MLP(2, [16, 16, 1], activation="relu", output_activation="linear", seed=1)
    assert len(model.parameters()) == 337
    for k in range(100):
        total_loss, accuracy = loss(model, X, y)
        model.zero_grad()
        total_loss.backward()
        learning_rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= learning_rate * p.grad
    assert accuracy == 1.0
