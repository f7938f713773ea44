"""What a beginner gets wrong, and what the error tells: in each, the culprit and the remedy."""

import math
import subprocess
import sys

import numpy as np
import pytest

from microgradnet import (
    MLP,
    Adam,
    GradientError,
    Layer,
    Value,
    compile,
    cross_entropy,
    draw,
    gradcheck,
    ops,
    quadratic,
    train,
)

NET, CLASSES = MLP(2, [3, 1], seed=1), MLP(2, [3, 3], seed=1)
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
R = np.array([0.0, 1.0, 1.0, 0.0])
OUTPUT = compile(NET, 2)
COST = compile(lambda x, r: quadratic(NET(x), r), 2, 1)
COST_OF_CLASSES = compile(lambda x, r: cross_entropy(CLASSES(x), r), 2, 3)


class Model:
    """A net of the user's own."""

    def __call__(self, x):
        return x[0]

    def parameters(self):
        return []


def printing(x):
    print(x[0])
    return x[0]


def node_by_hand(x):
    number = x[0].data
    return Value(math.log(number), (x[0],), (1.0 / number,))


def backward_after_none():
    x = Value(1.0, label="x")
    x.grad = None
    (x * x).backward()


MISTAKES = {
    "a wrong partial in a node made by hand": (
        lambda: gradcheck(lambda x: Value(x.data**2, (x,), (3.0 * x.data,)), 2.0),
        GradientError,
        "made by hand .*look there first",
    ),
    "gradcheck of a function of one list": (lambda: gradcheck(NET, [1.0, 2.0]), TypeError, r"2 arguments.*lambda \*x"),
    "print in a compiled function": (lambda: compile(printing, 1), ValueError, r"print\(x\[0\]\).*Print outside"),
    "a format in a compiled function": (
        lambda: compile(lambda x: x[0] * len(f"{x[0]:.3f}"), 1),
        ValueError,
        "Print outside",
    ),
    "an `if` in a compiled function": (
        lambda: compile(lambda x: x[0] if x[0] > 0 else -x[0], 1),
        ValueError,
        r"max\(\) there are maximum, [^;]*; to use the number",
    ),
    "backward in a compiled function": (
        lambda: compile(lambda x: x[0] * ((x[0] * x[0]).backward() or 1.0), 1),
        ValueError,
        "create_graph=True",
    ),
    "a node made by hand in a compiled function": (lambda: compile(node_by_hand, 1), ValueError, r"ops\.row"),
    "compile without sizes": (lambda: compile(NET), TypeError, r"0 arguments.*compile\(net, 2\)"),
    "a size too few": (
        lambda: compile(lambda x, r: x[0] * r[0], 2),
        TypeError,
        r"1 argument .*'r'.*compile\(cost, 2, 1\)",
    ),
    "compile of a result": (
        lambda: compile(NET([1, 2]), 2),
        TypeError,
        r"Value\(.*where a function.*compile\(net, 2\)",
    ),
    "an optimizer as the learning rate": (
        lambda: train(NET, X, R, quadratic, Adam(0.01)),
        TypeError,
        r"Adam\(.*learning rate.*optimizer=",
    ),
    "a model of one's own in train": (lambda: train(Model(), X, R), TypeError, "model of your own, compile its cost"),
    "a list as a sample": (lambda: OUTPUT([1.0, 2.0]), ValueError, r"single sample is \[x\]"),
    "an array as a sample": (lambda: OUTPUT(X[0]), ValueError, r"single sample is X\[None\]"),
    "names as labels": (lambda: train(NET, X, ["a", "b", "b", "a"]), TypeError, "R holds .*number classes 0, 1"),
    "Values as data": (lambda: OUTPUT([[Value(1.0), Value(2.0)]]), TypeError, r"input 1 holds .*Value\(.*\.data"),
    "None as data": (lambda: OUTPUT([[1.0, None]]), TypeError, "input 1 holds .*None"),
    "parameters as theta": (
        lambda: OUTPUT(X, theta=NET.parameters()),
        TypeError,
        r"theta holds .*Value\(.*\.theta\(\)",
    ),
    "complex data": (lambda: OUTPUT(1j * X), TypeError, r"holds complex128.*\.real"),
    "a list of bools": (
        lambda: train(NET, X, [False, True, True, False]),
        TypeError,
        r"R holds bool.*np\.array\(…, float\)",
    ),
    "labels of a compiled cost": (
        lambda: COST_OF_CLASSES.value_and_grad(X, [0, 1, 2, 1]),
        ValueError,
        r"input 2 .*np\.eye\(3\)\[labels\]",
    ),
    "a label as target": (
        lambda: cross_entropy(CLASSES([1, 2]), 1),
        ValueError,
        r"3 outputs met 1 target: .*np\.eye\(3\)\[labels\]",
    ),
    "an array form without out": (
        lambda: ops.row("no out", math.tanh, lambda x: np.tanh(x), lambda x, y: (1.0 - y * y,)),
        TypeError,
        "out=None",
    ),
    "round of a Value": (lambda: round(Value(1.5), 1), TypeError, r"round\(x\.data\)"),
    "an output of 0 in cross-entropy": (lambda: cross_entropy(Value(0.0), 1.0), ValueError, "cross-entropy"),
    "an output beyond 1 in cross-entropy": (lambda: cross_entropy(Value(1.3), 1.0), ValueError, r"output 1\.3: "),
    "no targets": (lambda: COST(X), TypeError, "1 array arrived where the function takes 2"),
    "a number too few": (lambda: NET([1.0]), ValueError, "1 number arrived where this MLP takes 2 inputs"),
    "a partial too many": (lambda: Value(1.0, (Value(1.0),), (1.0, 2.0)), ValueError, "2 partials met 1 parent:"),
    "None as gradient": (backward_after_none, TypeError, r"'x'.*set it to 0\.0"),
}


@pytest.mark.parametrize(("mistake", "error", "told"), MISTAKES.values(), ids=MISTAKES)
def test_the_error_tells(mistake, error, told):
    with pytest.raises(error, match=told):
        mistake()


@pytest.mark.parametrize("cost", [lambda y, r: (y - r) ** 2, lambda y, r: (y - r[0]) ** 2])
def test_a_cost_that_takes_lists_for_numbers(cost):
    """The error, whatever it is, says what train calls the cost with."""
    with pytest.raises(TypeError) as refused:
        train(NET, X, R, cost)
    assert "y[0] and r[0]" in refused.value.__notes__[0]


def test_what_is_meant_without_doubt_is_no_mistake(tmp_path):
    """A comparison as data, a number in a format, micrograd's nonlin, a file's suffix."""
    above = X > 0
    assert np.array_equal(OUTPUT(above), OUTPUT(above.astype(float)))
    costs = [next(train(MLP(2, [3, 1], seed=1), X, given)).cost for given in (R > 0, R)]
    assert costs[0] == costs[1]
    assert f"{Value(1.25):.1f} {Value(1.0)}" == "1.2 Value(data=1.0, grad=0.0)"
    assert [Layer(2, 1, nonlin=nonlin).neurons[0].activation for nonlin in (True, False)] == ["relu", "linear"]
    draw(Value(1.0)).render(tmp_path / "x.png")
    assert {file.name: file.read_bytes()[:4] for file in tmp_path.iterdir()} == {"x.png": b"\x89PNG"}


def test_a_first_use_in_numpy_warns_of_nothing():
    """In a process of its own: an operation is prepared when it is first used."""
    code = "import numpy; from microgradnet import Value; print(numpy.sqrt(Value(4.0)).data)"
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("2.0\n", "")
