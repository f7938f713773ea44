"""Training, beside the lecture's update in plain NumPy."""

import gc
import itertools
import math
import pickle
import random
import re
import signal
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgradnet import MLP, DivergenceError, Epoch, Layer, Neuron, Value, cross_entropy, quadratic, train, training
from microgradnet.optimizers import Adam, Descent

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
ODD = np.array([0.0, 1.0, 1.0, 0.0])


def sigma(z):
    return 1 / (1 + np.exp(-z))


def state(net):
    return [p.data for p in net.parameters()]


def lecture(net, X, R, rate, epochs, K0, seed, miracle=False):
    """The lecture's descent for a sigmoid net, whole batches at a time; yields A, b and the summed cost of every step.

    Every epoch goes through the K samples in a new order, K₀ at a time; δ⁽p⁾ carries the 1/K₀ of the mean. `miracle`:
    the cost is the cross-entropy, else it is quadratic.
    """
    A, b, rng = net.weights(), net.biases(), np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for first in range(0, len(X), K0):
            batch = order[first : first + K0]
            ys, r = [X[batch].T], R[batch].T
            for A_q, b_q in zip(A, b, strict=True):
                z = A_q @ ys[-1] + b_q[:, None]
                ys.append(sigma(z))
            y = ys[-1]  # below: ln a and ln(1 − a) written in z, as 1 − a would cancel
            cost = np.sum(r * np.log1p(np.exp(-z)) + (1 - r) * np.log1p(np.exp(z)) if miracle else (y - r) ** 2 / 2)
            delta = (y - r) * (1 if miracle else y * (1 - y)) / len(batch)
            for q in range(len(A) - 1, -1, -1):
                dA, db = delta @ ys[q].T, delta.sum(axis=1)
                delta = A[q].T @ delta * ys[q] * (1 - ys[q])
                A[q], b[q] = A[q] - rate * dA, b[q] - rate * db
            yield [*A], [*b], cost


def flat(A, b):
    """Matrices and biases in the order of `parameters()`."""
    return np.concatenate([np.column_stack(layer).ravel() for layer in zip(A, b, strict=True)])


def close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=1e-12, atol=1e-12)


def line(w, b=0.0):
    """A net that computes w x + b."""
    net = MLP(1, [1], "linear")
    net.set_weights([[[w]]], [[b]])
    return net


@pytest.fixture(params=[False, True], ids=["eager", "compiled"])
def compiled(request):
    return request.param


# The update.


@given(
    widths=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    K=st.integers(1, 8),
    K0=st.none() | st.integers(1, 8),
    rate=st.sampled_from([0.01, 0.5, 3.0]),
    epochs=st.integers(1, 4),
    miracle=st.booleans(),
    compiled=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_training_is_the_lectures_descent(widths, K, K0, rate, epochs, miracle, compiled, seed):
    """After every epoch the same matrices, biases and mean cost, for all of the samples or K₀ of them, either cost."""
    rng, K0 = np.random.default_rng(seed), K0 and min(K, K0)
    net = MLP(widths[0], widths[1:], seed=rng)
    net.set_weights(net.weights(), [rng.normal(size=b.shape) for b in net.biases()])
    X, R = rng.normal(size=(K, widths[0])), rng.uniform(size=(K, widths[-1]))
    oracle = iter([*lecture(net, X, R, rate, epochs, K0 or K, seed, miracle)])
    cost, numbers = cross_entropy if miracle else quadratic, []
    for epoch in train(net, X, R, cost, rate, epochs, K0, seed, compiled=compiled):
        steps = [next(oracle) for _ in range(math.ceil(K / (K0 or K)))]
        close(state(net), flat(*steps[-1][:2]))
        close(epoch.cost, sum(cost for _, _, cost in steps) / K)
        numbers.append(epoch.number)
    assert numbers == list(range(1, epochs + 1))


@pytest.mark.parametrize("K0", [1300, 2500])
def test_more_samples_than_are_computed_at_a_time(K0):
    rng = np.random.default_rng(0)
    X, R = rng.normal(size=(2500, 2)), rng.uniform(size=(2500, 1))
    net = MLP(2, [3, 1], seed=3)
    *_, (A, b, _) = lecture(net, X, R, 0.5, 2, K0, 5)
    list(train(net, X, R, epochs=2, batch_size=K0, seed=5))
    close(state(net), flat(A, b))


@given(st.integers(5, 12), st.data())
def test_each_epoch_uses_each_sample_once(K, data):
    """Without replacement, in an order that changes from epoch to epoch; each target comes with its sample."""
    met = []

    def cost(y, r):
        met.append(round(r[0] * K))
        return quadratic(y, r)

    how = {"epochs": 6, "batch_size": data.draw(st.integers(1, K)), "seed": 1, "compiled": False}
    epochs = train(MLP(1, [1], seed=0), np.arange(K), np.arange(K) / K, cost, **how)
    met.clear()  # whatever train() looked at beforehand
    list(epochs)
    orders = [met[k : k + K] for k in range(0, len(met), K)]
    assert [sorted(order) for order in orders] == [list(range(K))] * 6
    assert len(set(map(tuple, orders))) > 1


def test_the_same_seed_trains_the_same_bits(compiled):
    def trained(seed, gradient=0.0):
        net = MLP(2, [3, 1], seed=1)
        for p in net.parameters():
            p.grad = gradient
        list(train(net, XOR, ODD, epochs=5, batch_size=1, seed=seed, compiled=compiled))
        return tuple(state(net))

    assert trained(7) == trained(7, gradient=1e6)
    assert trained(7) != trained(8)
    assert len({trained(None) for _ in range(4)}) > 1


@pytest.mark.parametrize("make", [Neuron, lambda nin, seed: Layer(nin, 1, seed=seed), lambda nin, seed: MLP(nin, [1], seed=seed)],
                         ids=["Neuron", "Layer", "MLP"])  # fmt: skip
def test_anything_with_parameters_trains(make, compiled):
    how = {"cost": cross_entropy, "learning_rate": 5.0, "epochs": 100, "compiled": compiled}
    *_, last = train(make(2, seed=1), XOR, [0, 0, 0, 1], **how)
    assert last.accuracy == 1.0


# Optimizers.


@pytest.mark.parametrize("make", [lambda: Descent(0.5), lambda: Descent(2.0, momentum=0.9), lambda: Adam(0.1)])
def test_a_training_that_was_stopped_goes_on_with_the_same_bits(make, compiled):
    """With the same optimizer and the same Generator, both pickled with the net, after any epoch."""
    never_stopped, how = MLP(2, [3, 1], seed=1), {"batch_size": 3, "compiled": compiled}
    list(train(never_stopped, XOR, ODD, epochs=7, optimizer=make(), seed=np.random.default_rng(5), **how))
    net, optimizer, rng = MLP(2, [3, 1], seed=1), make(), np.random.default_rng(5)
    for epoch in train(net, XOR, ODD, epochs=7, optimizer=optimizer, seed=rng, **how):
        if epoch.number == 3:
            break
    net, optimizer, rng = pickle.loads(pickle.dumps((net, optimizer, rng)))
    list(train(net, XOR, ODD, epochs=4, optimizer=optimizer, seed=rng, **how))
    assert state(net) == state(never_stopped)
    assert optimizer.steps == 14


def test_a_learning_rate_may_be_a_function_of_the_step(compiled):
    """It counts from 1 and through all epochs: y = w x with x = 1, r = 0 shrinks by 1 − Δt in every step."""
    net, rates = line(1.0), {1: 0.5, 2: 0.25, 3: 0.125, 4: 0.5}
    list(train(net, [1.0, 1.0], [0.0, 0.0], lambda y, r: y[0] * y[0] / 2, rates.get, 2, 1, compiled=compiled))
    w, b = 1.0, 0.0
    for rate in rates.values():
        w, b = w - rate * (w + b), b - rate * (w + b)
    close(state(net), [w, b])


def test_an_optimizer_of_ones_own_trains(compiled):
    """Any object with a step: here the sign of the gradient."""

    class Signs:
        def step(self, theta, gradient):
            return theta - 0.25 * np.sign(gradient)

    net = line(2.0)
    list(train(net, [3.0], [1.0], epochs=2, optimizer=Signs(), compiled=compiled))
    assert state(net) == [1.5, -0.5]


# Costs of one's own.


def test_a_cost_may_look_at_some_of_the_outputs_only(compiled):
    """What it leaves out gets no gradient; the rest is trained, here by ∂C/∂a = 2 x = 2."""
    net = MLP(1, [3], "linear", seed=1)
    before = net.weights()[0]
    list(train(net, [1.0], [[0.0] * 3], lambda y, r: y[1] * 2.0, 0.5, epochs=3, compiled=compiled))
    close(net.weights()[0], before - [[0.0], [3.0], [0.0]])


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_penalty_on_the_weights_may_be_recorded_inside_the_cost_or_before(where, compiled):
    """C + λ/2 Σ a²: its gradient λ a comes on top in every step, with the weights as they are then."""
    net, plain = MLP(2, [2, 1], seed=1), MLP(2, [2, 1], seed=1)
    recorded = 0.05 * sum(p**2 for p in net.parameters())

    def cost(y, r):
        return quadratic(y, r) + (recorded if where == "outside" else 0.05 * sum(p**2 for p in net.parameters()))

    epochs = train(net, XOR, ODD, cost, validation=(XOR, ODD), epochs=5, compiled=compiled)
    for epoch in epochs:
        before = np.array(state(plain))
        list(train(plain, XOR, ODD, epochs=1, compiled=compiled))
        step = np.array(state(plain)) - 0.5 * 0.1 * before
        plain.set_weights([step[:6].reshape(2, 3)[:, :2], step[None, 6:8]], [step[[2, 5]], step[8:]])
        close(state(net), state(plain))
        y = np.array([net(x).data for x in XOR])
        close(epoch.validation_cost, np.mean((y - ODD) ** 2 / 2) + 0.05 * np.sum(np.square(state(net))))


def test_a_cost_that_asks_what_the_target_is_is_obeyed_or_refused(compiled):
    """An `if` on a target, as in a weight per class, is never silently taken one way for all samples."""
    net, weighted = MLP(2, [1], seed=1), MLP(2, [1], seed=1)
    list(train(weighted, XOR, ODD, lambda y, r: quadratic(y, r) * (1.0 + 9.0 * r[0]), compiled=compiled))
    try:
        list(train(net, XOR, ODD, lambda y, r: quadratic(y, r) * (10.0 if r[0] == 1 else 1.0), compiled=compiled))
    except ValueError:
        assert compiled
    else:
        close(state(net), state(weighted))


# What the caller does between epochs.


EDITS = {
    "numbers": lambda net, settings: net.set_weights([[[1, 2], [3, 4]], [[5, 6]]], [[0.5, 0.25], [0.125]]),
    "an activation": lambda net, settings: setattr(net.layers[0].neurons[1], "activation", "tanh"),
    "a weight": lambda net, settings: net.layers[0].neurons[0].w.__setitem__(1, Value(0.5)),
    "a shared weight": lambda net, settings: net.layers[0].neurons[0].w.__setitem__(1, net.layers[0].neurons[1].w[0]),
    "a layer": lambda net, settings: net.layers.append(Layer(1, 1, seed=3)),
    "the cost": lambda net, settings: settings.update(factor=3.0),
    "a Value of the cost's own": lambda net, settings: setattr(settings["own"], "data", 3.0),
    "the cost, by a node": lambda net, settings: settings.update(factor=1.0 + sum(p**2 for p in net.parameters())),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_what_is_edited_between_epochs_counts_from_the_next_one_on(edit, compiled):
    settings, net = {"factor": 1.0, "own": Value(2.0)}, MLP(2, [2, 1], seed=1)

    def cost(y, r):
        return quadratic(y, r) * settings["factor"] * settings["own"]

    epochs = train(net, XOR, ODD, cost, epochs=3, compiled=compiled)
    next(epochs)
    edit(net, settings)
    twin, settings_of_twin = pickle.loads(pickle.dumps((net, settings)))
    list(epochs)
    settings = settings_of_twin
    list(train(twin, XOR, ODD, cost, epochs=2, compiled=not compiled))
    close(state(net), state(twin))


def test_an_edit_that_makes_no_net_is_an_error(compiled):
    net = MLP(2, [2, 1], seed=1)
    epochs = train(net, XOR, ODD, compiled=compiled)
    next(epochs)
    net.layers.append(Layer(2, 1))
    with pytest.raises((ValueError, DivergenceError), match="1 input"):
        next(epochs)


def test_data_changed_while_training_changes_nothing(compiled):
    net, clean, X, R = MLP(2, [3, 1], seed=1), MLP(2, [3, 1], seed=1), XOR.copy(), ODD.copy()
    for _ in train(net, X, R, epochs=3, seed=0, compiled=compiled):
        X[:], R[:] = 9.0, 0.5
    list(train(clean, XOR, ODD, epochs=3, seed=0, compiled=compiled))
    assert state(net) == state(clean)


def test_an_epoch_happens_when_it_is_asked_for(compiled):
    net = MLP(2, [2, 1], seed=1)
    states = [state(net)]
    epochs = train(net, XOR, ODD, epochs=5, seed=0, compiled=compiled)
    assert state(net) == states[0]
    for epoch in itertools.islice(epochs, 3):
        states.append(state(net))
        assert epoch.number == len(states) - 1
    assert len({tuple(s) for s in states}) == 4


# The record of an epoch.


def test_seconds_are_those_of_training_alone(compiled, monkeypatch):
    """By a clock that only moves in a step, in validation, and while the caller is at work."""
    now, measured = 0.0, training._measured

    class Clock:
        perf_counter = staticmethod(lambda: now)

    class Slow(Descent):
        def step(self, theta, gradient):
            nonlocal now
            now += 1.0
            return super().step(theta, gradient)

    def validate(*arguments):
        nonlocal now
        now += 100.0
        return measured(*arguments)

    monkeypatch.setattr(training, "time", Clock)
    monkeypatch.setattr(training, "_measured", validate)
    seconds, how = [], {"optimizer": Slow(0.5), "validation": (XOR, ODD), "compiled": compiled}
    for epoch in train(MLP(2, [1], seed=1), XOR, ODD, epochs=3, batch_size=2, **how):
        seconds.append(epoch.seconds)
        now += 10_000.0
    assert seconds == [2.0, 4.0, 6.0]


def test_cost_and_accuracy_are_of_the_moment_before_the_step(compiled):
    net = MLP(2, [3, 1], seed=1)
    y = np.array([net(x).data for x in XOR])
    epoch = next(train(net, XOR, ODD, learning_rate=5.0, compiled=compiled))
    close(epoch.cost, np.mean((y - ODD) ** 2 / 2))
    assert epoch.accuracy == np.mean((y >= 0.5) == (ODD >= 0.5))
    assert (type(epoch), type(epoch.cost), type(epoch.accuracy)) == (Epoch, float, float)
    assert (epoch.number, epoch.validation_cost, epoch.validation_accuracy) == (1, None, None)


def test_validation_is_measured_after_the_epoch_and_trains_nothing(compiled):
    """Cost and accuracy on other data, with the parameters that the epoch left."""
    net, alone = MLP(2, [3, 1], seed=1), MLP(2, [3, 1], seed=1)
    X, R = np.array([[0.1, 0.9], [0.9, 0.8], [0.2, 0.1]]), [1, 0, 0]
    how = {"epochs": 5, "seed": 0, "batch_size": 1, "compiled": compiled}
    for epoch in train(net, XOR, ODD, validation=(X, R), **how):
        y = np.array([net(x).data for x in X])
        close(epoch.validation_cost, np.mean((y - R) ** 2 / 2))
        assert epoch.validation_accuracy == np.mean((y >= 0.5) == np.array(R))
    list(train(alone, XOR, ODD, **how))
    assert state(net) == state(alone)


LINE = np.array([-3.0, -1.0, 1.0, 3.0])
CORNERS = np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.3], [0.4, 0.3, 0.2], [0.1, 0.2, 0.3]])


@pytest.mark.parametrize(
    ("X", "R", "accuracy"),
    [  # one output: the middle of the two targets that occur; x = -3 alone comes out below it
        *[(LINE + (low + high) / 2 + 2.0, [low, low, high, low], 0.5) for low, high in ((0, 1), (-1, 1), (2, 6))],
        (CORNERS, [0, 2, 1, 0], 0.5),  # several: one class a sample, the largest number wins
        (LINE, [0.1, 0.2, 0.3, 0.4], None),
        (CORNERS[:, :2], [[0, 1], [1, 1], [0, 0], [1, 0]], None),
    ],
    ids=["0 and 1", "-1 and 1", "2 and 6", "classes", "numbers", "multi-label"],
)
def test_accuracy_is_the_share_of_right_classes_or_none_where_targets_name_none(X, R, accuracy, compiled):
    """Of a net that gives back its inputs, before a step that changes next to nothing and after it."""
    n = X[:1].size
    net = MLP(n, [n], "linear")
    net.set_weights([np.eye(n)], [np.zeros(n)])
    epoch = next(train(net, X, R, learning_rate=1e-6, validation=(X, R), compiled=compiled))
    assert (epoch.accuracy, epoch.validation_accuracy) == (accuracy, accuracy)


# The data.


LABELS = [2, 0, 1, 2]


@pytest.mark.parametrize(
    ("given", "meant"),
    [(R, ODD[:, None]) for R in (ODD, ODD.tolist(), ODD.astype(np.uint8))]
    + [(labels, np.eye(3)[LABELS]) for labels in (LABELS, np.array(LABELS, np.uint8), np.array(LABELS, float))],
)
def test_targets_come_as_a_column_flat_or_as_class_labels(given, meant):
    """Lists and arrays of any real type, in validation data too: the same bits."""
    net, reference = (MLP(2, [2, meant.shape[1]], seed=1) for _ in range(2))
    found = list(train(net, XOR.astype(np.float32), given, epochs=2, seed=0, validation=(XOR, given)))
    wanted = list(train(reference, XOR, meant, epochs=2, seed=0, validation=(XOR, meant)))
    assert state(net) == state(reference)
    assert [e.validation_accuracy for e in found] == [e.validation_accuracy for e in wanted]


@pytest.mark.parametrize("labels", [[0, 1, 3, 2], [0, -1, 1, 2], [0, 0.5, 1, 2]], ids=repr)
def test_labels_without_an_output_are_refused_with_what_was_understood(labels):
    with pytest.raises(
        ValueError, match=r"R has shape \(4,\).* read as class labels, 0 to 2; but R\[[12]\] is (3|-1|0.5)\b"
    ):
        train(MLP(2, [3]), XOR, labels)


BAD_DATA = {
    "X and R differ in length": (XOR, ODD[:3], ValueError, r"4.*3"),
    "too few columns": (XOR[:, :1], ODD, ValueError, r"1 column, .* 2 inputs"),
    "too many targets": (XOR, np.ones((4, 2)), ValueError, r"2 columns, .* 1 output: give one column per output"),
    "three dimensions": (np.ones((4, 2, 1)), ODD, ValueError, r"\(4, 2, 1\)"),
    "a number": (5, ODD, ValueError, r"X\b"),
    "no samples": (np.empty((0, 2)), np.empty(0), ValueError, "empty"),
    "samples without numbers": (np.empty((4, 0)), ODD, ValueError, "empty"),
    "ragged rows": ([[0, 1], [1], [1, 0], [0, 0]], ODD, ValueError, r"rows of .*X"),
    "NaN in X": ([[0, 1], [math.nan, 1], [1, 0], [0, 0]], ODD, ValueError, r"X\[1, 0\] is nan"),
    "infinite X": ([[0, 1], [1, -math.inf], [1, 0], [0, 0]], ODD, ValueError, r"X\[1, 1\] is -inf"),
    "NaN in R": (XOR, [0, 1, math.nan, 0], ValueError, r"R\[2, 0\] is nan"),
    "strings": ([["0", "1"]] * 4, ODD, TypeError, r"X\b"),
    "bools": (XOR.astype(bool), ODD, TypeError, "bool"),
    "complex numbers": (XOR * 1j, ODD, TypeError, "complex"),
    "Values": ([[Value(0.0), Value(1.0)]] * 4, ODD, TypeError, r"X\b"),
    "None": (None, ODD, TypeError, r"X\b"),
    "a dict": (XOR, {0: 1, 1: 0}, TypeError, r"R\b"),
}


@pytest.mark.parametrize(("X", "R", "error", "words"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_is_refused_at_the_call(X, R, error, words):
    """By train() itself, not by the first next(), and with what is wrong; as validation data too, and called so."""
    with pytest.raises(error, match=words):
        train(MLP(2, [3, 1]), X, R)
    with pytest.raises(error, match=f"(?=.*validation).*{words}"):
        train(MLP(2, [3, 1]), XOR, ODD, validation=(X, R))


def test_a_column_for_several_outputs_is_refused_with_the_remedy():
    """It could be labels, or numbers whose other columns are missing."""
    with pytest.raises(ValueError, match=r"R has 1 column, .* 3 outputs: .*np\.eye\(3\)\[labels\]"):
        train(MLP(2, [3]), XOR, ODD[:, None])


@pytest.mark.parametrize("bad", [-1.0, 1.5])
@pytest.mark.parametrize("place", ["R", "validation R"])
def test_targets_that_a_cost_refuses_are_refused_at_the_call(bad, place, compiled):
    """Targets outside [0, 1] under cross-entropy, wherever they are; a lower learning rate is not the advice."""
    wrong = [[0.5, 0.5], [0.5, bad], [0.5, 0.5], [0.0, 1.0]]
    R, validation = (wrong, None) if place == "R" else (np.full((4, 2), 0.5), (XOR, wrong))
    with pytest.raises(ValueError, match=f"target {bad}") as caught:
        train(MLP(2, [2]), XOR, R, cross_entropy, validation=validation, compiled=compiled)
    assert any(f"sample 1 of {place.replace('R', 'X')}" in note for note in caught.value.__notes__)


def test_each_column_is_tried_with_its_own_extremes(compiled):
    """Here the second column is refused above 2, while the first goes up to 9."""

    def cost(y, r):
        if not isinstance(r[1], Value) and r[1] > 2:
            raise ValueError("above 2")
        return quadratic(y, r)

    with pytest.raises(ValueError, match="above 2"):
        train(MLP(2, [2]), XOR, [[9, 0], [0, 1], [0, 3], [0, 0]], cost, compiled=compiled)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"batch_size": 5}, ValueError, r"batch_size.*5.*4"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": 2.0}, ValueError, "batch_size"),
        ({"batch_size": True}, ValueError, "batch_size"),
        ({"learning_rate": -0.1}, ValueError, r"learning_rate.*-0\.1"),
        ({"learning_rate": math.nan}, ValueError, "learning_rate"),
        ({"learning_rate": "0.1"}, TypeError, r"'0\.1'"),
        ({"learning_rate": None}, TypeError, "None"),
        ({"optimizer": Adam}, TypeError, r"optimizer .*Adam\(0\.001\)"),
        ({"optimizer": 0.1}, TypeError, "optimizer"),
        ({"optimizer": Adam(0.1), "learning_rate": 0.1}, ValueError, "give the learning rate to the optimizer"),
        ({"epochs": 0}, ValueError, "epochs"),
        ({"epochs": 2.5}, ValueError, "epochs"),
        ({"seed": -1}, ValueError, "negative"),
        ({"seed": "a"}, TypeError, "int"),
        ({"cost": "quadratic"}, TypeError, "cost"),
        ({"net": lambda x: x}, TypeError, "net"),
        ({"net": MLP}, TypeError, "net"),
        *[({"validation": v}, TypeError, "validation") for v in ((XOR,), (XOR, ODD, ODD), 5, "ab", XOR)],
    ],
)
def test_settings_that_make_no_sense_are_refused_at_the_call(how, error, words):
    with pytest.raises(error, match=words):
        train(**({"net": MLP(2, [3, 1]), "X": XOR, "R": ODD} | how))


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_parameter_that_was_computed_is_refused(when, compiled):
    """It cannot be assigned, and what it was computed from would be left behind."""
    net = MLP(2, [1], seed=1)
    epochs = train(net, XOR, ODD, compiled=compiled) if when == "between" else None
    net.layers[0].neurons[0].w[0] = Value(2.0) * 3.0
    with pytest.raises(TypeError, match="parameter that was computed"):
        next(epochs or train(net, XOR, ODD, compiled=compiled))


# Divergence.


def linear_descent(w, b, X, R, rate, K0, seed):
    """y = w x + b under steepest descent, one feature: yields the parameters of every step that is finite."""
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore", invalid="ignore"):
        while True:
            for k in np.split(rng.permutation(len(X)), len(X) // K0):
                error = w * X[k] + b - R[k]
                cost = np.sum(error**2) / 2
                w, b = w - rate * np.mean(error * X[k]), b - rate * np.mean(error)
                if not np.isfinite([w, b, cost]).all():
                    return
                yield w, b


@pytest.mark.parametrize(("rate", "K0"), [(3.0, 3), (1e60, 3), (1e20, 1)])
def test_divergence_names_epoch_and_step_and_keeps_the_last_finite_step(rate, K0, compiled):
    """A linear net whose rate is too high: it grows until the cost leaves the floats, at a step we know."""
    X, R, net, optimizer = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0]), line(0.3), Descent(rate)
    steps, done = list(linear_descent(*state(net), X, R, rate, K0, 8)), []
    epoch, within = divmod(len(steps) * K0, 3)
    assert within or K0 == 3, "the seed should end it within an epoch"
    words = rf"epoch {epoch + 1}, step {len(steps) + 1}\b.*below {re.escape(str(rate))}"
    with pytest.raises(DivergenceError, match=words):
        done.extend(train(net, X, R, epochs=10_000, batch_size=K0, seed=8, optimizer=optimizer, compiled=compiled))
    assert (optimizer.steps, len(done)) == (len(steps), epoch)
    np.testing.assert_allclose(state(net), steps[-1], rtol=1e-6)


class Lost:
    """Takes a step that ends nowhere."""

    def step(self, theta, gradient):
        return np.full_like(theta, math.nan)


@pytest.mark.parametrize(
    ("X", "how"),
    [
        (1e3, {"learning_rate": 1.7e308}),
        (1.0, {"optimizer": Lost()}),
        *[(1.0, {"cost": lambda y, r, bad=bad: quadratic(y, r) + bad}) for bad in (math.nan, math.inf)],
    ],
)
def test_a_step_that_is_not_finite_does_not_reach_the_net(X, how, compiled):
    net = line(1e10)
    with pytest.raises(DivergenceError, match=r"epoch 1, step 1\b"):
        next(train(net, [X], [0.0], compiled=compiled, **how))
    assert state(net) == [1e10, 0.0]


def test_large_parameters_are_finite(compiled):
    """Though their squares are not."""
    net = line(1e200)
    list(train(net, [1.0], [0.0], lambda y, r: y[0] * 0.5, 1.0, epochs=2, compiled=compiled))
    assert state(net) == [1e200, -1.0]


def first_half_then_too_far(step):
    return 0.5 if step == 1 else 1.7e308


@pytest.mark.parametrize("kind", [Descent, Adam, lambda rate: Descent(rate, momentum=0.5)])
def test_an_optimizer_forgets_the_step_that_diverged(kind, compiled):
    """It holds what belongs to the net: the moments of the first step."""
    net, twin, optimizer, other = line(1e3), line(1e3), kind(first_half_then_too_far), kind(0.5)
    with pytest.raises(DivergenceError, match=r"epoch 2, step 2\b"):
        list(train(net, [1e3], [0.0], optimizer=optimizer, compiled=compiled))
    next(train(twin, [1e3], [0.0], optimizer=other, compiled=compiled))
    assert state(net) == state(twin)
    gradient = np.array([1.0, -2.0])
    optimizer.learning_rate = 0.5
    assert optimizer.step(gradient, gradient).tolist() == other.step(gradient, gradient).tolist()


def test_divergence_seen_in_the_validation_data_is_divergence(compiled):
    net = line(0.5)
    with pytest.raises(DivergenceError, match=r"epoch 1, on the validation data"):
        next(train(net, [1.0], [0.0], learning_rate=1e50, validation=([1e200], [0.0]), compiled=compiled))
    assert np.isfinite(state(net)).all()


def test_an_error_in_a_cost_of_ones_own_comes_through():
    """It is not dressed up, and the net keeps its last finished step."""
    net, calls = MLP(2, [2, 1], seed=1), itertools.count(-1000)
    oracle = list(lecture(net, XOR, ODD[:, None], 0.5, 2, 2, 0))

    def cost(y, r):
        if next(calls) == 7:
            raise LookupError("mine")
        return quadratic(y, r)

    epochs = train(net, XOR, ODD, cost=cost, batch_size=2, seed=0, compiled=False)
    calls = itertools.count(1)  # whatever train() called beforehand
    with pytest.raises(LookupError, match="mine"):
        list(epochs)
    close(state(net), flat(*oracle[2][:2]))


# Ctrl-C.


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a POSIX timer")
@pytest.mark.parametrize("make", [lambda: Descent(0.5), lambda: Adam(0.01)], ids=["Descent", "Adam"])
def test_a_signal_at_any_moment_leaves_the_last_finished_step(make, compiled):
    """100 moments that nobody chose, in epochs so short that many signals meet their ends: net and optimizer agree.

    A step whose parameters have been computed but not yet taken over may be lost, an older one never.
    """
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals arrive in the main thread")

    def stop(signum, frame):
        raise KeyboardInterrupt

    def until_interrupted(epochs, seconds):
        signal.setitimer(signal.ITIMER_REAL, seconds, 2.0)  # and again, should Python swallow the first one
        for _ in epochs:
            pass

    class Watched(type(make())):
        def step(self, theta, gradient):
            new = super().step(theta, gradient)
            steps.append(new)
            return new

    moments, before = random.Random(0), signal.signal(signal.SIGALRM, stop)
    settings, optimizer = vars(make()), None
    gc.disable()  # Python swallows what a signal raises in a callback of the collector, as Hypothesis has one
    try:
        for _ in range(100):
            net, optimizer = MLP(2, [20, 1], seed=1), Watched(0.5)
            vars(optimizer).update(settings)
            steps = [np.array(state(net))]
            epochs = train(net, XOR, ODD, optimizer=optimizer, epochs=10**9, batch_size=2, seed=0, compiled=compiled)
            with pytest.raises(KeyboardInterrupt):
                until_interrupted(epochs, moments.uniform(0.0005, 0.003))
            signal.setitimer(signal.ITIMER_REAL, 0)
            held = len(steps) - 1 - [(state(net) == step).all() for step in steps[::-1]].index(True)
            assert held >= len(steps) - 2
            assert optimizer.steps == held
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
