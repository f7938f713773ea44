"""`train`, beside the lecture's update by its formulas: steps, records, edits, refusals, divergence, Ctrl-C.

What an optimizer's step is, test_optimizers says; here it is carried through epochs, stops and failures.
"""

import itertools
import math
import pickle
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import flat

from microgradnet import MLP, DivergenceError, Epoch, Layer, Neuron, Value, cross_entropy, formulas, quadratic, train
from microgradnet.optimizers import Adam, Descent

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
ODD = np.array([0.0, 1.0, 1.0, 0.0])


def state(net):
    return [p.data for p in net.parameters()]


def falling(step):
    return 2.0 / step


def lecture(net, X, R, rate, epochs, K0, seed, cost="quadratic"):
    """The lecture's descent for a sigmoid net, by its formulas; yields A, b and the summed cost of every step.

    Every epoch goes through the K samples in a new order, K₀ at a time.
    """
    A, b, rng, step = net.weights(), net.biases(), np.random.default_rng(seed), itertools.count(1)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for first in range(0, len(X), K0):
            x, r = X[order[first : first + K0]], R[order[first : first + K0]]
            passes = [formulas.forward_pass(A, b, x_k) for x_k in x]
            z, y = np.array([zs[-1] for zs, _ in passes]), np.array([ys[-1] for _, ys in passes])
            total = np.sum((y - r) ** 2 / 2 if cost == "quadratic" else np.logaddexp(0.0, z) - r * z)
            dt = rate(next(step)) if callable(rate) else rate
            A, b = formulas.gradient_step(A, b, formulas.delta_recursion(A, b, x, r, cost=cost), dt)
            yield A, b, total


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


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(
    widths=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    K=st.integers(1, 8),
    K0=st.none() | st.integers(1, 8),
    rate=st.sampled_from([0.01, 0.5, 3.0, falling]),
    epochs=st.integers(1, 4),
    cost=st.sampled_from([quadratic, cross_entropy]),
    compiled=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_training_is_the_lectures_descent(widths, K, K0, rate, epochs, cost, compiled, seed):
    """After every epoch the same matrices, biases and mean cost, for all of the samples or K₀ of them, either cost."""
    rng, K0 = np.random.default_rng(seed), K0 and min(K, K0)
    net = MLP(widths[0], widths[1:], seed=rng)
    net.set_weights(net.weights(), [rng.normal(size=b.shape) for b in net.biases()])
    X, R = rng.normal(size=(K, widths[0])), rng.uniform(size=(K, widths[-1]))
    oracle = iter([*lecture(net, X, R, rate, epochs, K0 or K, seed, cost.__name__)])
    numbers = []
    for p in net.parameters():
        p.grad = 1e6  # which must not matter
    for epoch in train(net, X, R, cost, rate, epochs, K0, seed, compiled=compiled):
        steps = [next(oracle) for _ in range(math.ceil(K / (K0 or K)))]
        close(state(net), flat(*steps[-1][:2]))
        close(epoch.cost, sum(total for _, _, total in steps) / K)
        numbers.append(epoch.number)
    assert numbers == list(range(1, epochs + 1))


def test_anything_with_parameters_trains_by_anything_with_a_step(compiled):
    """A neuron, a layer and a net that start alike take the same steps; here by the sign of the gradient."""
    signs = SimpleNamespace(step=lambda theta, gradient: theta - 0.25 * np.sign(gradient))
    units = [Neuron(1, "linear"), Layer(1, 1, "linear"), line(2.0)]
    for unit in units:
        unit.parameters()[0].data = 2.0
        list(train(unit, [3.0], [1.0], epochs=2, optimizer=signs, compiled=compiled))
        assert state(unit) == [1.5, -0.5]
    first = SimpleNamespace(step=lambda theta, gradient: theta[:1])
    with pytest.raises(TypeError, match=r"\(1,\) for \(2,\)"):
        next(train(line(2.0), [3.0], [1.0], optimizer=first, compiled=compiled))


@pytest.mark.parametrize("make", [lambda: Descent(falling), lambda: Descent(2.0, momentum=0.9), lambda: Adam(0.1)])
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
    assert (state(net), optimizer.steps) == (state(never_stopped), 14)


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_penalty_on_the_weights_may_be_recorded_inside_the_cost_or_before(where, compiled):
    """C + λ/2 Σ a²: its gradient λ a comes on top in every step, with the weights as they are then."""
    net, before = MLP(2, [2, 1], seed=1), MLP(2, [2, 1], seed=1)
    recorded = 0.05 * sum(p**2 for p in net.parameters())

    def cost(y, r):
        return quadratic(y, r) + (recorded if where == "outside" else 0.05 * sum(p**2 for p in net.parameters()))

    for epoch in train(net, XOR, ODD, cost, validation=(XOR, ODD), epochs=5, compiled=compiled):
        ((A, b, _),) = lecture(before, XOR, ODD[:, None], 0.5, 1, 4, 0)
        close(state(net), flat(A, b) - 0.5 * 0.1 * np.array(state(before)))
        before.set_weights(net.weights(), net.biases())
        close(epoch.validation_cost, measured(net, XOR, ODD)[0] + 0.05 * np.sum(np.square(state(net))))


# What the caller does between epochs.


EDITS = {
    "numbers": lambda net, settings: net.set_weights([[[1, 2], [3, 4]], [[5, 6]]], [[0.5, 0.25], [0.125]]),
    "an activation": lambda net, settings: setattr(net.layers[0].neurons[1], "activation", "tanh"),
    "a shared weight": lambda net, settings: net.layers[0].neurons[0].w.__setitem__(1, net.layers[0].neurons[1].w[0]),
    "a layer": lambda net, settings: net.layers.append(Layer(1, 1, seed=3)),
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


def test_an_epoch_happens_when_it_is_asked_for_on_the_data_as_they_were(compiled):
    net, clean, X, R = MLP(2, [3, 1], seed=1), MLP(2, [3, 1], seed=1), XOR.copy(), ODD.copy()
    wanted = [state(clean)] + [state(clean) for _ in train(clean, XOR, ODD, epochs=3, seed=0, compiled=compiled)]
    epochs = train(net, X, R, epochs=3, seed=0, compiled=compiled)
    X[:], R[:] = 9.0, 0.5
    assert [state(net)] + [state(net) for _ in epochs] == wanted
    assert len(set(map(tuple, wanted))) == 4


# The record of an epoch.


def measured(net, X, R):
    """Mean quadratic cost and accuracy of a net with one output, for targets 0 and 1."""
    y = np.array([net(x).data for x in X])
    return np.mean((y - R) ** 2 / 2), np.mean((y >= 0.5) == (np.array(R) >= 0.5))


def test_an_epoch_tells_cost_and_accuracy_before_its_step_and_on_validation_data_after_it(compiled):
    """Validation trains nothing, and without such data there is none of it."""
    net, alone = MLP(2, [3, 1], seed=3), MLP(2, [3, 1], seed=3)
    X, R, how = [[0.1, 0.9], [0.9, 0.8], [0.2, 0.1]], [1, 0, 0], {"learning_rate": 5.0, "seed": 0, "compiled": compiled}
    before, accuracies = measured(net, XOR, ODD), set()
    for epoch in train(net, XOR, ODD, epochs=12, validation=(X, R), **how):
        close((epoch.cost, epoch.accuracy), before)
        close((epoch.validation_cost, epoch.validation_accuracy), measured(net, X, R))
        before = measured(net, XOR, ODD)
        accuracies.add((epoch.accuracy, epoch.validation_accuracy))
    *_, last = train(alone, XOR, ODD, epochs=12, **how)
    assert state(net) == state(alone)
    assert last == Epoch(12, epoch.cost, epoch.accuracy, last.seconds, None, None)
    assert {type(number) for number in vars(epoch).values()} == {int, float}
    assert len(accuracies) > 2, "the check needs a net whose accuracies change"


LINE = np.array([-3.0, -1.0, 1.0, 3.0])
CORNERS = np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.3], [0.4, 0.3, 0.2], [0.1, 0.2, 0.3]])


@pytest.mark.parametrize(
    ("X", "R", "accuracy"),
    [  # one output: the middle of the two targets that occur; x = -3 alone comes out below it
        *[(LINE + (low + high) / 2 + 2.0, [low, low, high, low], 0.5) for low, high in ((0, 1), (-1, 1), (2, 6))],
        (LINE + 2.0, [1, 1, 1, 1], 0.75),  # 1/2 where only one occurs
        (CORNERS, [0, 2, 1, 0], 0.5),  # several: one class a sample, the largest number wins
        (LINE, [0.1, 0.2, 0.3, 0.4], None),
        (CORNERS[:, :2], [[0, 1], [1, 1], [0, 0], [1, 0]], None),
    ],
)
def test_accuracy_is_the_share_of_right_classes_or_none_where_targets_name_none(X, R, accuracy, compiled):
    """Of a net that gives back its inputs, before a step that changes next to nothing and after it."""
    n, times = X[:1].size, 400 if compiled else 1  # more samples than are computed at a time
    X, R = np.concatenate([X] * times), np.concatenate([R] * times)
    net = MLP(n, [n], "linear")
    net.set_weights([np.eye(n)], [np.zeros(n)])
    epoch = next(train(net, X, R, learning_rate=1e-6, validation=(X, R), compiled=compiled))
    assert (epoch.accuracy, epoch.validation_accuracy) == (accuracy, accuracy)


# Data and settings: what is taken, and what is refused, by train() itself and not by the first next().


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


BAD_DATA = {  # for a net of two inputs and one output; of labels, for three: what was understood, or could be meant
    "X and R differ in length": (XOR, ODD[:3], ValueError, r"4.*3"),
    "too few columns": (XOR[:, :1], ODD, ValueError, r"1 column, .* 2 inputs"),
    "too many targets": (XOR, np.ones((4, 2)), ValueError, r"2 columns, .* 1 output: give one column per output"),
    "three dimensions": (np.ones((4, 2, 1)), ODD, ValueError, r"\(4, 2, 1\)"),
    "no samples": (np.empty((0, 2)), np.empty(0), ValueError, "empty"),
    "NaN in X": ([[0, 1], [math.nan, 1], [1, 0], [0, 0]], ODD, ValueError, r"X\[1, 0\] is nan"),
    "bools": (XOR, [False, True, True, False], TypeError, r"R holds bool.*np\.array\(…, float\)"),
    "names": (XOR, ["a", "b", "b", "a"], TypeError, "R holds .*number classes 0, 1"),
    "Values": ([[Value(0.0), Value(1.0)]] * 4, ODD, TypeError, r"X\b"),
    "a label beyond": (XOR, [0, 1, 3, 2], ValueError, r"R has shape \(4,\).* labels, 0 to 2; but .*R\[2\] is 3\b"),
    "a label that is not whole": (XOR, [0, 0.5, 1, 2], ValueError, r"labels, 0 to 2; but .*R\[1\] is 0\.5\b"),
    "a column for labels": (XOR, ODD[:, None], ValueError, r"R has 1 column, .* 3 outputs: .*np\.eye\(3\)\[labels\]"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_refused_at_the_call(case):
    """With what is wrong; as validation data too, and called so."""
    X, R, error, words = BAD_DATA[case]
    net, right = (MLP(2, [3]), LABELS) if "label" in case else (MLP(2, [3, 1]), ODD)
    with pytest.raises(error, match=words):
        train(net, X, R)
    with pytest.raises(error, match=f"(?=.*validation).*{words}"):
        train(net, XOR, right, validation=(X, R))


@pytest.mark.parametrize("bad", [-3.0, 3.0])
def test_targets_that_a_cost_refuses_are_refused_at_the_call(bad):
    """A compiled cost would take them. Each column is tried with its own extremes: here only the second is bad beyond ±2."""

    def cost(y, r):
        if not isinstance(r[1], Value) and abs(r[1]) > 2:
            raise ValueError(f"target {r[1]}")
        return quadratic(y, r)

    right, wrong = [[9, 0], [0, 2], [-9, 0], [0, -2]], [[9, 0], [0, bad], [-9, 0], [0, 0]]
    for R, validation in ((wrong, None), (right, (XOR, wrong))):
        with pytest.raises(ValueError, match=f"target {bad}"):
            train(MLP(2, [2]), XOR, R, cost, validation=validation)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"batch_size": 5}, ValueError, r"batch_size.*5.*4"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"epochs": 2.5}, ValueError, "epochs"),
        ({"learning_rate": -0.1}, ValueError, r"learning_rate.*-0\.1"),
        ({"learning_rate": Adam(0.1)}, TypeError, r"Adam\(.*learning rate.*optimizer="),
        ({"optimizer": Adam}, TypeError, r"optimizer .*Adam\(0\.001\)"),
        ({"optimizer": Adam(0.1), "learning_rate": 0.1}, ValueError, "give the learning rate to the optimizer"),
        ({"seed": "a"}, TypeError, "int"),
        ({"cost": "quadratic"}, TypeError, "cost"),
        ({"net": lambda x: x}, TypeError, "net"),
        *[({"validation": v}, TypeError, "validation") for v in ((XOR,), "ab", XOR)],
    ],
)
def test_settings_that_make_no_sense_are_refused_at_the_call(how, error, words):
    with pytest.raises(error, match=words):
        train(**({"net": MLP(2, [3, 1]), "X": XOR, "R": ODD} | how))


@pytest.mark.parametrize("when", ["before", "between"])
@pytest.mark.parametrize(
    ("weight", "words"), [(Value(2.0) * 3.0, "parameter that was computed"), (0.5, "make it a Value")]
)
def test_a_parameter_that_cannot_be_assigned_is_refused(weight, words, when, compiled):
    """What it was computed from would be left behind."""
    net = MLP(2, [1], seed=1)
    epochs = train(net, XOR, ODD, compiled=compiled) if when == "between" else None
    net.layers[0].neurons[0].w[0] = weight
    with pytest.raises(TypeError, match=words):
        next(epochs or train(net, XOR, ODD, compiled=compiled))


# Divergence.


@pytest.mark.parametrize(("rate", "K0"), [(3.0, 3), (1e60, 3), (1e20, 1)])
def test_divergence_names_epoch_and_step_and_keeps_the_last_finite_step(rate, K0, compiled):
    """y = w x + b at x = 1, r = 0: a step takes y to y (1 − 2 Δt), half of it by w and half by b, until y² is infinite."""
    net, optimizer, y, steps, done = line(0.3), Descent(rate), 0.3, 0, []
    while math.isfinite(y * y / 2):
        y, steps = y * (1 - 2 * rate), steps + 1
    words = rf"epoch {steps * K0 // 3 + 1}, step {steps + 1}\b.*below {re.escape(str(rate))}"
    with pytest.raises(DivergenceError, match=words):
        done.extend(train(net, [1.0] * 3, [0.0] * 3, epochs=999, batch_size=K0, optimizer=optimizer, compiled=compiled))
    assert (optimizer.steps, len(done)) == (steps, steps * K0 // 3)  # it has forgotten the step that diverged
    np.testing.assert_allclose(state(net), [0.3 + (y - 0.3) / 2, (y - 0.3) / 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("X", "how"),
    [
        (1e3, {"learning_rate": 1.7e308}),
        (1.0, {"optimizer": SimpleNamespace(step=lambda theta, gradient: theta * math.nan)}),
        (1.0, {"cost": lambda y, r: quadratic(y, r) + math.nan}),
    ],
    ids=["too far", "nowhere", "NaN"],
)
def test_what_is_not_finite_does_not_reach_the_net(X, how, compiled):
    """A step or a validation cost; large parameters are finite, though their squares are not."""
    net, large = line(1e10), line(1e200)
    with pytest.raises(DivergenceError, match=r"epoch 1, step 1\b"):
        next(train(net, [X], [0.0], compiled=compiled, **how))
    assert state(net) == [1e10, 0.0]
    list(train(large, [1.0], [0.0], lambda y, r: y[0] * 0.5, 1.0, epochs=2, compiled=compiled))
    assert state(large) == [1e200, -1.0]
    with pytest.raises(DivergenceError, match="epoch 1, on the validation data"):
        next(train(line(0.5), [1.0], [0.0], learning_rate=1e50, validation=([1e200], [0.0]), compiled=compiled))


# Ctrl-C.


def test_ctrl_c_at_any_moment_leaves_the_last_finished_step(monkeypatch, compiled):
    """In net and optimizer. A step that has been computed but not yet taken over may be lost, an older one never."""
    steps, step_into, profile = [], Adam.step_into, sys.getprofile()

    def watched(self, *arguments):
        new = step_into(self, *arguments)
        steps.append(new.tolist())
        return new

    def interrupt(frame, event, argument):
        """As a signal would, at the given moment: where these two modules call or return."""
        ours = frame.f_globals.get("__name__") in ("microgradnet.training", "microgradnet.optimizers")
        if ours and next(left, None) == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Adam, "step_into", watched)
    for moment in itertools.count(1):
        net, optimizer, left = MLP(2, [1], seed=1), Adam(0.01), iter(range(moment)[::-1])
        steps[:] = [state(net)]
        epochs = train(net, XOR, ODD, optimizer=optimizer, epochs=2, batch_size=3, seed=0, compiled=compiled)
        sys.setprofile(interrupt)
        try:
            list(epochs)
            break  # before that moment came
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(profile)
        held = steps.index(state(net))
        assert held >= len(steps) - 2
        assert optimizer.steps == held
    assert len(steps) == 5
    assert moment > 100, "nothing was interrupted"
