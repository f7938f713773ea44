"""Code written for micrograd, with `from microgradnet import …` in place of its own import.

The expressions are those that its users know: the worked example, the checks of its engine, the training loop for two
moons. What they must give is known from published results.
"""

import numpy as np

from microgradnet import MLP, Neuron, Value


def test_the_worked_example_gives_the_published_numbers():
    """Every operator, in place and reflected; to the four decimals that are published, formatted as its users do."""
    a, b = Value(-4.0), Value(2.0)
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
    g.backward()
    assert [f"{number:.4f}" for number in (g.data, a.grad, b.grad)] == ["24.7041", "138.8338", "645.5773"]


def test_the_engine_check_gives_whole_numbers():
    """By hand: at x = -4 the first rectifier is shut, so y = z² + z x + z x² with z = 3 x + 2 = -10: -20, slope 46."""
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    assert (y.data, x.grad) == (-20.0, 46.0)


def test_names_that_its_users_write_are_known():
    """_prev and _op of a node, nonlin of a neuron."""
    a, b = Value(2.0), Value(3.0)
    assert (set(map(id, (a * b)._prev)), (a * b)._op, a._op) == ({id(a), id(b)}, "*", "")
    assert [Neuron(2, nonlin=nonlin).activation for nonlin in (True, False)] == ["relu", "linear"]


def test_the_moons_are_learnt_with_the_loop_of_the_notebook():
    """Its margin loss with a quadratic penalty: after a hundred steps two half circles are told apart."""
    t = np.linspace(0.0, np.pi, 8)
    X = np.r_[np.c_[np.cos(t), np.sin(t)], np.c_[1.0 - np.cos(t), 0.5 - np.sin(t)]]
    y = np.repeat([-1, 1], len(t))
    model = MLP(2, [16, 16, 1], activation="relu", output_activation="linear", seed=1)
    assert len(model.parameters()) == 337
    for k in range(100):
        inputs = [list(map(Value, xrow)) for xrow in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        total_loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        total_loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * p.grad
    assert all((yi > 0) == (scorei.data > 0) for yi, scorei in zip(y, scores, strict=True))
