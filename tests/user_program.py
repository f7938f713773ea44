"""A user's program in which every public name occurs: strictly typed by mypy, and run by `test_public_names.py`."""

import tempfile
from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt

import microgradnet as m
from microgradnet import Value, formulas


def expressions() -> None:
    x, w = Value(3.0, label="x"), Value(-0.5, "w")
    y = (2 * x**2 - w / x + 1).tanh() + x.exp().log() * w.sin() - abs(w).sqrt() + (-x).relu().softplus() ** w.cos()
    y = m.maximum(y, 0.5) + m.minimum(w, x).step() + m.dot([w, 2.0], [x, 1], bias=w).sigmoid()
    y.backward()
    assert_type(y, Value)
    assert_type(y.data + x.grad, float)
    assert_type(x.parents, tuple[Value, ...])
    by_hand = Value(x.data**2, [x], [2.0 * x.data])
    assert_type(sum(m.softmax([x, w, 0.0]), start=by_hand), Value)
    assert m.logsumexp([x, w, 0.0]) > m.maximum(x, w)
    names: list[str] = [y.op, x.label]
    order: list[Value] = m.nodes(x, y)
    assert len(order) > len(names)


def derivatives() -> None:
    x, y = Value(2.0), Value(3.0)
    z = x * x * y
    assert_type(m.grad(z, [x, y]), list[float])
    slopes = m.grad(z, [x, y], create_graph=True)
    assert_type(slopes, list[Value])
    assert_type(m.jvp(z, {x: 1.0, y: 0.5}), float)
    assert_type(m.jvp(slopes, {x: 1.0}), list[float])
    assert_type(m.jvp(z, {x: np.array([1.0, 0.0])}), npt.NDArray[np.float64])
    assert_type(m.jvp(slopes, {x: 1, y: x}, create_graph=True), list[Value])
    assert_type(m.jvp(z, {x: 1.0}, create_graph=True), Value)
    assert_type(m.vjp(z, x, y, create_graph=True), list[Value])
    assert_type(m.jacobian([z, x], [x, y]), list[list[float]])
    assert_type(m.hessian(z, [x, y]), list[list[float]])
    assert_type(m.hvp(z, [x, y], [1.0, 2.0]), list[float])


def nets(folder: Path) -> None:
    assert_type(m.Neuron(2, seed=1)([1.0, Value(2.0)]), Value)
    hidden: list[Value] = m.Layer(2, 3, "tanh", seed=np.random.default_rng(1))([0.5, -1.0])
    assert m.Perceptron([-2, -2], 3)([1, 1]) == 0
    net = m.MLP(2, [3, 1], activation="tanh", output_activation="sigmoid", seed=1)
    net.set_weights([2.0 * a for a in net.weights()], net.biases())
    net.save(folder / "net.npz")
    assert_type(m.MLP.load(folder / "net.npz"), m.MLP)
    cost = m.cross_entropy(net([0.5, -1.0]), 1) + m.quadratic([hidden[0], 0.5], [1, 0])
    cost.backward()
    net.zero_grad()
    assert_type(m.softmax_cross_entropy(hidden, [1, 0, 0]), Value)


def training() -> None:
    X, r = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    net = m.MLP(2, [1], seed=1)
    try:
        records: list[m.Epoch] = [*m.train(net, X, r, m.cross_entropy, learning_rate=0.1, epochs=2, validation=(X, r))]
        assert_type(records[-1].accuracy, float | None)
    except m.DivergenceError as error:
        raise SystemExit(f"the learning rate is too large: {error}") from error
    adam = m.Adam(lambda step: 0.1 / step, beta1=0.8)
    next(m.train(net, X, r, optimizer=adam, seed=np.random.default_rng(0)))
    assert_type(m.Descent(0.5, momentum=0.9).step(np.ones(2), np.ones(2)), npt.NDArray[np.float64])


def compiling() -> None:
    net = m.MLP(2, [3, 1], seed=1)
    fast: m.Compiled = m.compile(lambda x, r: m.quadratic(net(x), r), 2, 1)
    value, gradient = fast.value_and_grad([[0.5, -1.0]], [[1.0]])
    assert_type(value, float)
    fast.assign(fast.theta() - 0.1 * gradient)
    assert len(fast.parameters) == 13
    assert fast(np.ones((4, 2)), np.ones(4)).shape == (4,)
    assert "delta1" in fast.source


def checking() -> None:
    net = m.MLP(2, [3, 1], seed=1)
    for row in m.compare(net, [0.5, -1.0], 1.0).rows:
        print(row.method, row.unknowns, row.multiplications, row.seconds, row.max_error)
    x = Value(2.0, label="x")
    y = x * x + x.sin()
    print(m.explain(y, x))
    print(m.draw(y, direction="TB").source)
    assert issubclass(m.GradientError, ArithmeticError)
    assert_type(m.gradcheck(lambda a, b: a * b.exp(), [1.0, 2.0]).reverse, list[float])
    A, b = net.weights(), net.biases()
    zs, ys = formulas.forward_pass(A, b, [0.5, -1.0])
    assert formulas.forward_derivatives(A, b, [0.5, -1.0]).dA[0].shape == (len(ys[-1]), len(zs[0]), 2)
    _, dA, db = formulas.delta_recursion(A, b, X=[[0.5, -1.0]], R=[1.0], cost="quadratic")
    natural = formulas.quadratic_gradient_forward(A, b, [[0.5, -1.0]], [1.0])
    entropy = formulas.cross_entropy_gradient_forward(A, b, [[0.5, -1.0]], [1.0])
    for gradients in (natural, entropy, (dA, db)):
        A, b = formulas.gradient_step(A, b, gradients, dt=0.1)


def main() -> None:
    expressions()
    derivatives()
    with tempfile.TemporaryDirectory() as folder:
        nets(Path(folder))
    training()
    compiling()
    checking()


if __name__ == "__main__":
    main()
