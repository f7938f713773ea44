"""Training, beside the lecture's update in plain NumPy."""

import dataclasses
import itertools
import math
import signal
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgradnet import MLP, DivergenceError, Epoch, Layer, Neuron, Value, cross_entropy, quadratic, train, training

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


@pytest.fixture(params=[False, True], ids=["eager", "compiled"])
def compiled(request):
    """Either way of computing gradients keeps every promise."""
    return request.param


@st.composite
def problems(draw):
    """A net, data with targets in [0, 1], and the settings of a descent."""
    nin, *sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    K = draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = MLP(nin, sizes, seed=rng)
    net.set_weights(net.weights(), [rng.normal(size=b.shape) for b in net.biases()])
    how = {
        "learning_rate": draw(st.sampled_from([0.01, 0.5, 3.0])),
        "epochs": draw(st.integers(1, 4)),
        "batch_size": draw(st.none() | st.integers(1, K)),
        "seed": draw(st.integers(0, 2**32)),
        "compiled": draw(st.booleans()),
    }
    return net, rng.normal(size=(K, nin)), rng.uniform(size=(K, sizes[-1])), how


# The update.


@given(problems(), st.booleans())
def test_training_is_the_lectures_descent(problem, miracle):
    """After every epoch the same matrices, biases and mean cost, for all of the samples or K₀ of them, either cost."""
    net, X, R, how = problem
    K, K0 = len(X), how["batch_size"] or len(X)
    oracle = iter([*lecture(net, X, R, how["learning_rate"], how["epochs"], K0, how["seed"], miracle)])
    numbers = []
    for epoch in train(net, X, R, cost=cross_entropy if miracle else quadratic, **how):
        steps = [next(oracle) for _ in range(math.ceil(K / K0))]
        A, b, _ = steps[-1]
        for actual, desired in zip(net.weights() + net.biases(), A + b, strict=True):
            close(actual, desired)
        close(epoch.cost, sum(cost for _, _, cost in steps) / K)
        numbers.append(epoch.number)
    assert numbers == list(range(1, how["epochs"] + 1))


def test_steepest_descent_takes_one_step_an_epoch_over_all_samples(compiled):
    """batch_size None is K₀ = K; the order of the sum changes nothing but the last digits."""
    one, two = MLP(2, [3, 1], seed=1), MLP(2, [3, 1], seed=1)
    list(train(one, XOR, ODD, epochs=20, seed=0, compiled=compiled))
    list(train(two, XOR, ODD, epochs=20, batch_size=4, seed=99, compiled=compiled))
    close(state(one), state(two))


@given(st.integers(1, 12), st.data())
def test_each_epoch_uses_each_sample_once(K, data):
    """Without replacement, in an order that changes from epoch to epoch; each target comes with its sample."""
    K0 = data.draw(st.integers(1, K))
    met = []

    def cost(y, r):
        met.append(round(r[0] * K))
        return quadratic(y, r)

    net = MLP(1, [1], seed=0)
    epochs = train(net, np.arange(K), np.arange(K) / K, cost=cost, epochs=6, batch_size=K0, seed=1, compiled=False)
    met.clear()  # whatever train() looked at beforehand
    list(epochs)
    orders = [met[k : k + K] for k in range(0, len(met), K)]
    assert len(orders) == 6
    assert all(sorted(order) == list(range(K)) for order in orders)
    if K > 4:
        assert len(set(map(tuple, orders))) > 1


@pytest.mark.parametrize("K0", [1, 2, 3, 5, 7])
def test_the_last_batch_may_be_smaller(K0, compiled):
    """⌈K/K₀⌉ steps an epoch; the mean is over the samples that the batch has."""
    X, R = np.linspace(-1, 1, 7), np.linspace(0, 1, 7)
    net = MLP(1, [2, 1], seed=3)
    steps = list(lecture(net, X[:, None], R[:, None], 0.5, 3, K0, 5))
    assert len(steps) == 3 * math.ceil(7 / K0)
    list(train(net, X, R, epochs=3, batch_size=K0, seed=5, compiled=compiled))
    close(state(net), flat(*steps[-1][:2]))


def test_more_samples_than_are_computed_at_a_time():
    """2,500 samples in one batch and in batches of 1,300: the mean is over all of them."""
    rng = np.random.default_rng(0)
    X, R = rng.normal(size=(2500, 2)), rng.uniform(size=(2500, 1))
    for K0 in (2500, 1300):
        net = MLP(2, [3, 1], seed=3)
        *_, (A, b, _) = lecture(net, X, R, 0.5, 2, K0, 5)
        list(train(net, X, R, epochs=2, batch_size=K0, seed=5))
        close(state(net), flat(A, b))


def test_the_same_seed_trains_the_same_bits(compiled):
    """And another seed others."""

    def trained(seed):
        net = MLP(2, [3, 1], seed=1)
        list(train(net, XOR, ODD, epochs=5, batch_size=1, seed=seed, compiled=compiled))
        return state(net)

    assert trained(7) == trained(7)
    assert trained(7) != trained(8)
    assert len({tuple(trained(None)) for _ in range(4)}) > 1


def test_gradients_left_by_the_caller_do_no_harm(compiled):
    """What was in `.grad` before training is not part of the first step."""
    net, clean = MLP(2, [3, 1], seed=1), MLP(2, [3, 1], seed=1)
    for p in net.parameters():
        p.grad = 1e6
    for n in (net, clean):
        list(train(n, XOR, ODD, epochs=2, batch_size=2, seed=0, compiled=compiled))
    assert state(net) == state(clean)


def test_data_changed_while_training_changes_nothing(compiled):
    """The data are those of the call."""
    net, clean, X, R = MLP(2, [3, 1], seed=1), MLP(2, [3, 1], seed=1), XOR.copy(), ODD.copy()
    for _ in train(net, X, R, epochs=3, seed=0, compiled=compiled):
        X[:], R[:] = 9.0, 0.5
    list(train(clean, XOR, ODD, epochs=3, seed=0, compiled=compiled))
    assert state(net) == state(clean)


def test_parameters_changed_between_epochs_are_trained_on(compiled):
    """A caller may load other weights at any epoch."""
    net, other = MLP(2, [3, 1], seed=1), MLP(2, [3, 1], seed=2)
    epochs = train(net, XOR, ODD, epochs=2, seed=0, compiled=compiled)
    next(epochs)
    net.set_weights(other.weights(), other.biases())
    next(epochs)
    *_, (A, b, _) = lecture(other, XOR, ODD[:, None], 0.5, 1, 4, 0)
    close(state(net), flat(A, b))


def test_a_net_learns_xor(compiled):
    """The classic that no single neuron can do, under both costs."""
    for cost, rate in [(quadratic, 5.0), (cross_entropy, 1.0)]:
        net = MLP(2, [4, 1], seed=1)
        *_, last = train(net, XOR, ODD, cost=cost, learning_rate=rate, epochs=1200, seed=1, compiled=compiled)
        assert [round(net(x).data) for x in XOR] == ODD.tolist()
        assert last.accuracy == 1.0
        assert last.cost < 0.05


@pytest.mark.parametrize("make", [Neuron, lambda nin, seed: Layer(nin, 1, seed=seed), lambda nin, seed: MLP(nin, [1], seed=seed)],
                         ids=["Neuron", "Layer", "MLP"])  # fmt: skip
def test_anything_with_parameters_trains(make, compiled):
    """A lone neuron learns AND as well as a net does."""
    unit = make(2, seed=1)
    *_, last = train(unit, XOR, [0, 0, 0, 1], cost=cross_entropy, learning_rate=5.0, epochs=100, compiled=compiled)
    assert last.accuracy == 1.0


# Costs of one's own.


def test_a_cost_of_ones_own_trains(compiled):
    """Any function of outputs and targets that gives a Value: here Σ|y − r|, checked by one step by hand."""
    net = MLP(1, [1], "linear")
    net.set_weights([[[2.0]]], [[0.5]])
    next(train(net, [3.0], [1.0], cost=lambda y, r: abs(y[0] - r[0]), learning_rate=0.25, compiled=compiled))
    assert state(net) == [2.0 - 0.25 * 3.0, 0.5 - 0.25]


def test_a_cost_may_look_at_some_of_the_outputs_only(compiled):
    """What it leaves out gets no gradient; the rest is trained."""
    net = MLP(1, [3], "linear", seed=1)
    before = net.weights()[0]
    list(
        train(
            net, [1.0], [[0.0, 0.0, 0.0]], cost=lambda y, r: y[1] * 2.0, learning_rate=0.5, epochs=3, compiled=compiled
        )
    )
    close(net.weights()[0], before - [[0.0], [3.0], [0.0]])


def test_a_cost_may_have_a_penalty_on_the_weights(compiled):
    """C + λ/2 Σ a²: the net's own parameters in the cost, their gradient λ a on top."""
    net, plain = MLP(2, [2, 1], seed=1), MLP(2, [2, 1], seed=1)

    def cost(y, r):
        return quadratic(y, r) + 0.05 * sum(p**2 for p in net.parameters())

    before = np.array(state(net))
    list(train(plain, XOR, ODD, learning_rate=0.5, epochs=1, compiled=compiled))
    list(train(net, XOR, ODD, cost=cost, learning_rate=0.5, epochs=1, compiled=compiled))
    close(state(net), np.array(state(plain)) - 0.5 * 0.1 * before)


def test_a_cost_that_asks_what_the_target_is_is_obeyed_or_refused(compiled):
    """An `if` on a target, as in a weight per class, is never silently taken one way for all samples."""
    net, weighted = MLP(2, [1], seed=1), MLP(2, [1], seed=1)

    def cost(y, r):
        return quadratic(y, r) * (10.0 if r[0] == 1 else 1.0)

    list(train(weighted, XOR, ODD, cost=lambda y, r: quadratic(y, r) * (1.0 + 9.0 * r[0]), compiled=compiled))
    try:
        list(train(net, XOR, ODD, cost=cost, compiled=compiled))
    except (TypeError, ValueError):
        return
    close(state(net), state(weighted))


# The record of an epoch.


def test_a_record_tells_number_cost_accuracy_and_seconds(compiled):
    """Numbers count from 1, the clock runs on, nothing about validation without such data; records do not change."""
    epochs = list(train(MLP(2, [2, 1], seed=1), XOR, ODD, epochs=4, seed=0, compiled=compiled))
    assert [e.number for e in epochs] == [1, 2, 3, 4]
    assert [type(e) for e in epochs] == [Epoch] * 4
    assert all(type(e.cost) is float and type(e.accuracy) is float for e in epochs)
    assert 0 < epochs[0].seconds < epochs[1].seconds < epochs[2].seconds < epochs[3].seconds
    assert {(e.validation_cost, e.validation_accuracy) for e in epochs} == {(None, None)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        epochs[0].cost = 0.0


def test_seconds_are_those_of_training_alone(compiled, monkeypatch):
    """By a clock that only moves while the cost is computed, while validation runs, and while the caller is at work."""
    now = 0.0

    class Clock:
        perf_counter = staticmethod(lambda: now)

    monkeypatch.setattr(training, "time", Clock)
    measure, gradient = training._measure, training._Compiled.gradient if compiled else training._Eager.gradient

    def validate(*arguments):
        nonlocal now
        now += 100.0
        return measure(*arguments)

    def step(*arguments):
        nonlocal now
        now += 1.0
        return gradient(*arguments)

    monkeypatch.setattr(training, "_measure", validate)
    monkeypatch.setattr(training._Compiled if compiled else training._Eager, "gradient", step)
    seconds = []
    for epoch in train(MLP(2, [1], seed=1), XOR, ODD, epochs=3, batch_size=2, validation=(XOR, ODD), compiled=compiled):
        seconds.append(epoch.seconds)
        now += 10_000.0
    assert seconds == [2.0, 4.0, 6.0]


def test_an_epoch_happens_when_it_is_asked_for(compiled):
    """train() alone changes nothing, each next() is one epoch, and a caller can stop at any."""
    net = MLP(2, [2, 1], seed=1)
    states = [state(net)]
    epochs = train(net, XOR, ODD, epochs=5, seed=0, compiled=compiled)
    assert state(net) == states[0]
    for epoch in itertools.islice(epochs, 3):
        states.append(state(net))
        assert epoch.number == len(states) - 1
    assert state(net) == states[-1]
    assert len({tuple(s) for s in states}) == 4


def test_cost_and_accuracy_are_of_the_moment_before_the_step(compiled):
    """The first record tells how good the untrained net was."""
    net = MLP(2, [3, 1], seed=1)
    y = np.array([net(x).data for x in XOR])
    epoch = next(train(net, XOR, ODD, learning_rate=5.0, compiled=compiled))
    close(epoch.cost, np.mean((y - ODD) ** 2 / 2))
    assert epoch.accuracy == np.mean((y >= 0.5) == (ODD >= 0.5))


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


def test_accuracy_with_one_output_is_the_right_side_of_the_middle(compiled):
    """The middle of the two targets that occur: of 0 and 1, but also of −1 and 1; each sample before its step."""
    X = np.array([-3.0, -1.0, 1.0, 3.0])
    for low, high in [(0.0, 1.0), (-1.0, 1.0), (2.0, 6.0)]:
        net = MLP(1, [1], "linear")
        net.set_weights([[[1.0]]], [[(low + high) / 2 + 2.0]])  # so that x = −3 alone comes out below the middle
        epoch = next(train(net, X, [low, low, high, low], learning_rate=1e-6, compiled=compiled))
        assert epoch.accuracy == 0.5


def test_accuracy_with_several_outputs_is_the_largest_at_the_largest(compiled):
    """One class a sample, the output with the largest number wins."""
    net = MLP(3, [3], "linear")
    net.set_weights([np.eye(3)], [np.zeros(3)])
    X = np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.3], [0.4, 0.3, 0.2], [0.1, 0.2, 0.3]])
    R = np.eye(3)[[0, 2, 1, 0]]
    assert next(train(net, X, R, learning_rate=1e-6, compiled=compiled)).accuracy == 0.5


@pytest.mark.parametrize(
    "R", [[0.1, 0.2, 0.3, 0.4], [[0, 1], [1, 1], [0, 0], [1, 0]]], ids=["numbers", "several classes"]
)
def test_accuracy_is_none_where_targets_name_no_classes(R, compiled):
    """Regression and multi-label data have a cost, not an accuracy."""
    nout = np.array(R).reshape(4, -1).shape[1]
    epoch = next(train(MLP(2, [nout], seed=1), XOR, R, validation=(XOR, R), compiled=compiled))
    assert (epoch.accuracy, epoch.validation_accuracy) == (None, None)
    assert epoch.validation_cost > 0


# The data.


@pytest.mark.parametrize(
    "R", [ODD, ODD.tolist(), ODD.astype(int), ODD[:, None], ODD.astype(np.uint8)], ids=lambda r: str(type(r))
)
def test_targets_of_one_output_come_flat_or_in_a_column(R, compiled):
    """(K,) and (K, 1), lists and arrays of any real type: the same bits."""
    net, reference = MLP(2, [2, 1], seed=1), MLP(2, [2, 1], seed=1)
    list(train(net, XOR.astype(np.float32), R, epochs=2, seed=0, compiled=compiled))
    list(train(reference, XOR, ODD, epochs=2, seed=0, compiled=compiled))
    assert state(net) == state(reference)


BAD_DATA = {
    "X and R differ in length": (XOR, ODD[:3], ValueError, r"4.*3"),
    "too few columns": (XOR[:, :1], ODD, ValueError, r"\b1\b.*\b2\b"),
    "too many columns": (np.ones((4, 3)), ODD, ValueError, r"\b3\b.*\b2\b"),
    "too many targets": (XOR, np.ones((4, 2)), ValueError, r"\b2\b.*\b1\b"),
    "a flat X": ([0, 1, 0, 1], ODD, ValueError, r"X\b"),
    "three dimensions": (np.ones((4, 2, 1)), ODD, ValueError, r"\(4, 2, 1\)"),
    "a number": (5, ODD, ValueError, r"X\b"),
    "no samples": (np.empty((0, 2)), np.empty(0), ValueError, "empty"),
    "empty lists": ([], [], ValueError, "empty"),
    "samples without numbers": (np.empty((4, 0)), ODD, ValueError, "empty"),
    "ragged rows": ([[0, 1], [1], [1, 0], [0, 0]], ODD, ValueError, r"rows of X"),
    "NaN in X": ([[0, 1], [math.nan, 1], [1, 0], [0, 0]], ODD, ValueError, r"X\[1, 0\] is nan"),
    "infinite X": ([[0, 1], [1, -math.inf], [1, 0], [0, 0]], ODD, ValueError, r"X\[1, 1\] is -inf"),
    "NaN in R": (XOR, [0, 1, math.nan, 0], ValueError, r"R\[2, 0\] is nan"),
    "numbers beyond the floats": (np.full((4, 2), np.longdouble("1e400")), ODD, ValueError, r"X\[0, 0\] is inf"),
    "strings": ([["0", "1"]] * 4, ODD, TypeError, r"X\b"),
    "a string": ("xor", ODD, TypeError, r"X\b"),
    "bools": (XOR.astype(bool), ODD, TypeError, "bool"),
    "complex numbers": (XOR * 1j, ODD, TypeError, "complex"),
    "Values": ([[Value(0.0), Value(1.0)]] * 4, ODD, TypeError, r"X\b"),
    "None": (None, ODD, TypeError, r"X\b"),
    "a missing number": ([[0, None]] * 4, ODD, TypeError, r"X\b"),
    "a dict": (XOR, {0: 1, 1: 0}, TypeError, r"R\b"),
}


@pytest.mark.parametrize(("X", "R", "error", "words"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_is_refused_at_the_call(X, R, error, words):
    """By train() itself, not by the first next(), and with what is wrong; the net is as it was."""
    if isinstance(X, np.ndarray) and X.dtype == np.longdouble and np.finfo(np.longdouble).max <= sys.float_info.max:
        pytest.skip("long doubles are doubles here")
    net = MLP(2, [3, 1], seed=1)
    before = state(net)
    with pytest.raises(error, match=words):
        train(net, X, R)
    assert state(net) == before


@pytest.mark.parametrize(("X", "R", "error", "words"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_validation_data_is_refused_at_the_call(X, R, error, words):
    """Likewise, and called validation data."""
    if isinstance(X, np.ndarray) and X.dtype == np.longdouble and np.finfo(np.longdouble).max <= sys.float_info.max:
        pytest.skip("long doubles are doubles here")
    with pytest.raises(error, match="validation"):
        train(MLP(2, [3, 1]), XOR, ODD, validation=(X, R))


@pytest.mark.parametrize(
    "validation", [(XOR,), (XOR, ODD, ODD), 5, "ab", XOR], ids=["one", "three", "number", "string", "table"]
)
def test_validation_that_is_no_pair_is_refused_at_the_call(validation):
    """Wanted are X and R."""
    with pytest.raises((TypeError, ValueError), match="validation"):
        train(MLP(2, [3, 1]), XOR, ODD, validation=validation)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"batch_size": 5}, ValueError, r"batch_size.*5.*4"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": -1}, ValueError, "batch_size"),
        ({"batch_size": 2.0}, ValueError, "batch_size"),
        ({"batch_size": True}, ValueError, "batch_size"),
        ({"learning_rate": -0.1}, ValueError, r"learning_rate.*-0\.1"),
        ({"learning_rate": 0}, ValueError, "learning_rate"),
        ({"learning_rate": math.nan}, ValueError, "learning_rate"),
        ({"learning_rate": math.inf}, ValueError, "learning_rate"),
        ({"learning_rate": "0.1"}, TypeError, r"'0\.1'"),
        ({"learning_rate": None}, TypeError, "None"),
        ({"epochs": 0}, ValueError, "epochs"),
        ({"epochs": -3}, ValueError, "epochs"),
        ({"epochs": 2.5}, ValueError, "epochs"),
        ({"epochs": "2"}, ValueError, "epochs"),
        ({"seed": -1}, ValueError, "negative"),
        ({"seed": "a"}, TypeError, "int"),
        ({"cost": "quadratic"}, TypeError, "cost"),
        ({"cost": None}, TypeError, "cost"),
    ],
    ids=repr,
)
def test_settings_that_make_no_sense_are_refused_at_the_call(how, error, words):
    """By name, not by the first next()."""
    with pytest.raises(error, match=words):
        train(MLP(2, [3, 1]), XOR, ODD, **how)


@pytest.mark.parametrize("net", [lambda x: x, None, MLP, [MLP(2, [1])]], ids=["function", "None", "class", "list"])
def test_what_is_no_net_is_refused_at_the_call(net):
    """A TypeError that says so, not a missing attribute."""
    with pytest.raises(TypeError, match="net"):
        train(net, XOR, ODD)


# Divergence.


def linear_descent(w, b, X, R, rate):
    """y = w x + b under steepest descent, one feature: yields the parameters of every step that is finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        while True:
            error = w * X + b - R
            cost = np.sum(error**2) / 2
            w, b = w - rate * np.mean(error * X), b - rate * np.mean(error)
            if not np.isfinite([w, b, cost]).all():
                return
            yield w, b


@pytest.mark.parametrize("rate", [3.0, 1e3, 1e60])
@pytest.mark.parametrize("K0", [None, 3])
def test_divergence_names_epoch_and_step_and_keeps_the_last_finite_parameters(rate, K0, compiled):
    """A linear net whose rate is too high: it grows until the cost leaves the floats, at a step we know."""
    X, R = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0])
    net = MLP(1, [1], "linear", seed=1)
    steps = list(linear_descent(*state(net), X, R, rate))
    done = []
    with pytest.raises(DivergenceError, match=rf"epoch {len(steps) + 1}, step {len(steps) + 1}\b") as stop:
        done.extend(train(net, X, R, learning_rate=rate, epochs=10_000, batch_size=K0, seed=0, compiled=compiled))
    assert isinstance(stop.value, ArithmeticError)
    assert np.isfinite(state(net)).all()
    np.testing.assert_allclose(state(net), steps[-1], rtol=1e-6)


def test_divergence_counts_the_steps_of_all_epochs(compiled):
    """Three samples, one at a time: the net grows from step to step and is out of the floats within an epoch."""
    X, net = [1.0, 2.0, 3.0], MLP(1, [1], "linear", seed=1)
    (w, b), rng = state(net), np.random.default_rng(8)
    step = 0
    for k in [int(k) for _ in range(20) for k in rng.permutation(3)]:
        step += 1
        error = w * X[k] + b
        if not math.isfinite(error * error):
            break
        w, b = w - 1e20 * error * X[k], b - 1e20 * error
    assert step > 4
    assert step % 3 != 1, "the seed should end it within an epoch"
    with pytest.raises(DivergenceError, match=rf"epoch {(step + 2) // 3}, step {step}\b"):
        list(train(net, X, [0.0] * 3, learning_rate=1e20, batch_size=1, seed=8, compiled=compiled))
    np.testing.assert_allclose(state(net), [w, b], rtol=1e-12)


def test_a_rate_that_throws_the_parameters_out_is_divergence(compiled):
    """The cost is finite, the step is not: nothing of it reaches the net."""
    net = MLP(1, [1], "linear", seed=1)
    before = state(net)
    with pytest.raises(DivergenceError, match=r"epoch 1, step 1\b"):
        next(train(net, [1e3], [0.0], learning_rate=1.7e308, compiled=compiled))
    assert state(net) == before


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_cost_that_is_not_finite_is_divergence(bad, compiled):
    """Even where its gradient is."""
    net = MLP(2, [1], seed=1)
    before = state(net)
    with pytest.raises(DivergenceError, match=r"epoch 1, step 1\b"):
        next(train(net, XOR, ODD, cost=lambda y, r: quadratic(y, r) + bad, compiled=compiled))
    assert state(net) == before


def test_divergence_seen_in_the_validation_data_is_divergence(compiled):
    """Where the training data still pass and the validation data overflow, the error names the epoch just the same."""
    net = MLP(1, [1], "linear", seed=1)
    with pytest.raises(DivergenceError, match=r"epoch 1\b"):
        next(train(net, [1.0], [0.0], learning_rate=1e50, validation=([1e200], [0.0]), compiled=compiled))
    assert np.isfinite(state(net)).all()


def test_data_that_a_cost_refuses_are_no_divergence(compiled):
    """Targets of −1 and 1 under cross-entropy: a lower rate is not the advice."""
    with pytest.raises(ValueError, match=r"target -1\.0"):
        next(train(MLP(2, [1]), XOR, [-1, 1, 1, -1], cost=cross_entropy, compiled=compiled))


def test_an_error_in_a_cost_of_ones_own_comes_through():
    """It is not dressed up, and the net keeps its last finished step."""
    net, calls = MLP(2, [2, 1], seed=1), itertools.count(1)
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


@pytest.mark.parametrize("call", range(1, 13))
def test_ctrl_c_in_an_epoch_leaves_the_last_finished_step(call):
    """Wherever in a batch it comes: batches of 2, interrupted at each call of the cost in turn."""
    net, calls = MLP(2, [3, 1], seed=1), itertools.count(1)
    oracle = [state(net), *(flat(A, b) for A, b, _ in lecture(net, XOR, ODD[:, None], 0.5, 3, 2, 4))]

    def cost(y, r):
        if next(calls) == call:
            raise KeyboardInterrupt
        return quadratic(y, r)

    calls = itertools.count(1000)
    epochs = train(net, XOR, ODD, cost=cost, batch_size=2, epochs=3, seed=4, compiled=False)
    calls = itertools.count(1)
    with pytest.raises(KeyboardInterrupt):
        list(epochs)
    close(state(net), oracle[(call - 1) // 2])


@pytest.mark.parametrize("write", range(1, 27))
def test_ctrl_c_between_two_assignments_leaves_a_finished_step(write, compiled, monkeypatch):
    """A step is written whole or not at all, whichever assignment is interrupted, and no epoch's work is lost."""
    net, writes = MLP(2, [3, 1], seed=1), itertools.count(1)
    oracle = [state(net), *(flat(A, b) for A, b, _ in lecture(net, XOR, ODD[:, None], 0.5, 3, 2, 4))]
    plain = Value.data

    def set_data(self, data):
        plain.fset(self, data)
        if next(writes) == write:
            raise KeyboardInterrupt

    epochs, done = train(net, XOR, ODD, epochs=3, batch_size=2, seed=4, compiled=compiled), []
    monkeypatch.setattr(Value, "data", property(plain.fget, set_data))
    with pytest.raises(KeyboardInterrupt):
        done.extend(epochs)
    found = [k for k, step in enumerate(oracle) if np.allclose(state(net), step, rtol=1e-12, atol=1e-12)]
    assert len(found) == 1, "the net holds parts of two steps"
    written_at_the_end_of_an_epoch = compiled
    assert found[0] >= 2 * (len(done) + written_at_the_end_of_an_epoch)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a POSIX timer")
def test_a_real_signal_at_any_moment_leaves_a_finished_step(compiled):
    """The system interrupts at 50 moments that nobody chose: the net holds some step, not older than the last record."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals arrive in the main thread")

    def stop(signum, frame):
        raise KeyboardInterrupt

    X, R, start = np.array([[0.0, 1.0], [1.0, 0.5]]), np.array([[0.0], [1.0]]), MLP(2, [20, 1], seed=1)
    steps = np.array([state(start), *(flat(A, b) for A, b, _ in lecture(start, X, R, 0.5, 1500, 1, 0))])
    before = signal.signal(signal.SIGALRM, stop)
    interrupted = 0
    try:
        for moment in np.linspace(0.0005, 0.03, 50):
            net, records = MLP(2, [20, 1], seed=1), 0
            epochs = train(net, X, R, epochs=1500, batch_size=1, seed=0, compiled=compiled)
            try:
                signal.setitimer(signal.ITIMER_REAL, moment)
                for epoch in epochs:
                    records = epoch.number
                time.sleep(1.0)
            except KeyboardInterrupt:
                interrupted += 1
            (found,) = np.nonzero((abs(steps - state(net)) < 1e-9).all(axis=1))
            assert found.size
            assert found.max() >= 2 * records
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted == 50


def test_training_goes_on_after_an_interruption(compiled):
    """A new train() starts from where the net is."""
    net, twin = MLP(2, [3, 1], seed=1), MLP(2, [3, 1], seed=1)
    epochs = train(net, XOR, ODD, epochs=3, seed=0, compiled=compiled)
    next(epochs)
    epochs.close()
    twin.set_weights(net.weights(), net.biases())
    for n in (net, twin):
        list(train(n, XOR, ODD, epochs=2, seed=1, compiled=compiled))
    assert state(net) == state(twin)
