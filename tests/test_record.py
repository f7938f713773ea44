"""What a compiled function may depend on: numbers that are read while it is recorded are noticed, whoever reads them."""

import copy
import gc
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import microgradnet as m
from microgradnet import Value, compile, dot, explain, grad, gradcheck, hessian, jvp, maximum

W = Value(2.0, label="w")
NET = m.MLP(2, [1], seed=1)


def in_a_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def after_backward(x):
    y = x[0] * x[0]
    y.backward()
    return x[0] * x[0].grad


def compiled_inside(x):
    inner = compile(lambda y: y[0] * x[0], 1)
    return x[0] * inner([[2.0]])[0]


def checked_inside(x):
    gradcheck(lambda y: y * y, 1.0)
    return x[0] * (1.0 if x[0].data > 0.5 else 2.0)


READERS = {
    "data": lambda x: x[0] * x[0].data,
    "comparison": lambda x: x[0] if x[0] > 0.5 else x[1],
    "max": lambda x: max(x),
    "truth": lambda x: x[0] if x[0] else x[1],
    "a compile inside": compiled_inside,
    "a gradcheck inside": checked_inside,
    "generator": lambda x: (x_j * x_j.data for x_j in x),
    "grad": lambda x: x[0] * grad(maximum(x[0], 5.0) * 1.0, [x[0]])[0],
    "jvp": lambda x: x[0] * jvp(x[0] * x[0], {x[0]: 1.0}),
    "hessian": lambda x: x[0] * hessian(x[0] ** 3, [x[0]])[0][0],
    "explain": lambda x: x[0] * explain(x[0] * x[0], x[0]).total,
    "partials": lambda x: x[0] * (x[0] * x[0]).partials[0],
    "backward": after_backward,
    "repr": lambda x: x[0] * float(repr(x[0])[11:14]),
    "a thread": lambda x: x[0] * in_a_thread(lambda: x[0].data),
    "a thread that reads a parameter": lambda x: x[0] * W * in_a_thread(lambda: W.data),
    "deepcopy": lambda x: x[0] * copy.deepcopy(x[1]),
    "a parameter's data": lambda x: x[0] * W if W.data > 0 else x[0],
    "a net's weights": lambda x: NET(x) + float(NET.weights()[0].sum()),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_number_that_is_read_is_refused(reader):
    """The refusal names the line, the Value's operation or label, and a remedy."""
    with pytest.raises(ValueError, match=r"reads a number .*test_record\.py, line \d+.*detach"):
        compile(reader, 2)


def test_the_refusal_names_value_and_code():
    def function(x):
        z = x[0] * x[1]
        z.label = "z"
        return z if z.data > 0 else -z

    with pytest.raises(
        ValueError, match=r"inputs: that of the Value 'z', the result of '\*'.*: return z if z\.data > 0"
    ):
        compile(function, 2)


ALLOWED = {
    "the number of a constant": lambda x: x[0] * Value(3.0).data,
    "a parameter's detached number": lambda x: x[0] * W.detach(),
    "derivatives as Values": lambda x: grad(x[0] ** 3, [x[0]], create_graph=True)[0],
    "a compile of something else": lambda x: x[0] * compile(lambda y: y[0] * 2.0, 1)([[1.0]])[0],
    "a generator": lambda x: (2.0 * x_j for x_j in x),
}


@pytest.mark.parametrize("function", ALLOWED.values(), ids=ALLOWED)
def test_numbers_of_nothing_that_varies_may_be_read(function):
    """Compiled values are the eager ones."""
    fast = compile(function, 2)
    for numbers in ([0.3, 0.7], [-2.0, 5.0]):
        result = function([Value(number) for number in numbers])
        eager = [result] if isinstance(result, Value) else list(result)
        assert fast([numbers]).ravel() == pytest.approx([y.data for y in eager], rel=1e-15)


def test_a_leaf_made_inside_is_a_constant():
    """A first state of 0, say; it is no parameter, and another number at another call is refused."""
    fast = compile(lambda x: (Value(0.5) + x[0]) * W, 1)
    assert (fast.parameters, fast([[1.0]]).tolist()) == ([W], [3.0])
    numbers = iter(range(10))
    with pytest.raises(ValueError, match="another graph"):
        compile(lambda x: Value(next(numbers)) + x[0], 1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x[0] - 4.5).sqrt() * random.random(),
        lambda x: (x[0] - 1e6).log() * random.random(),
        lambda x: (1.0 - x[0] * x[0]).sqrt() * random.random(),
        lambda x: (-abs(x[0] - x[1])).sqrt(),
    ],
    ids=["above 4.5", "above a million", "between -1 and 1", "at one point"],
)
def test_what_cannot_be_recorded_twice_is_refused_wherever_the_domain_lies(function):
    """Two calls in the domain are always compared."""
    with pytest.raises(ValueError, match=r"another graph|cannot take"):
        compile(function, 2)


def test_a_dot_that_meets_other_inputs_at_another_call_is_refused():
    """Dots are compared weight by weight and input by input, wherever they differ."""
    turns = iter(range(10))
    with pytest.raises(ValueError, match="another graph"):
        compile(lambda x: dot([W], [x[next(turns) % 2]]), 2)
    with pytest.raises(ValueError, match="another graph"):
        compile(lambda x: dot([x[next(turns) % 2]], [W]), 2)


def test_nodes_made_by_hand_are_refused():
    """Their derivatives are numbers."""

    def function(x):
        y = Value(1.0, (x[0],), (2.0,))
        y.label = "mine"
        return y

    with pytest.raises(TypeError, match=r"labelled 'mine'.*ops\.row"):
        compile(function, 1)


def test_readings_in_threads_that_ran_before_are_their_own():
    """Those of somebody who watches the parameters while another thread compiles."""
    with ThreadPoolExecutor(1) as watcher:
        watcher.submit(int).result()  # from now on its thread runs
        fast = compile(lambda x: x[0] * W if watcher.submit(lambda: W.data).result() else x[0], 1)
    assert fast([[3.0]]) == [6.0]


def test_threads_record_at_once():
    results = {}

    def work(i):
        if i % 2:
            results[i] = compile(lambda x: x[0] * float(i) + W, 1)([[1.0]])[0]
        else:
            with pytest.raises(ValueError, match="reads a number"):
                compile(lambda x: x[0] * x[0].data, 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert results == {i: i + 2.0 for i in (1, 3, 5, 7)}


@pytest.mark.parametrize("collecting", [True, False])
def test_the_garbage_collector_is_left_as_it_was(collecting):
    def fails(x):
        assert not gc.isenabled()
        raise KeyError("of the user's")

    try:
        (gc.enable if collecting else gc.disable)()
        compile(lambda x: x[0] * x[0], 1)
        assert gc.isenabled() == collecting
        with pytest.raises(KeyError):
            compile(fails, 1)
        assert gc.isenabled() == collecting
    finally:
        gc.enable()
