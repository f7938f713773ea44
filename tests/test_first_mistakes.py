"""What people write at first, on scalars and around them: each is refused with the remedy, or is right.

Refusals that belong to one function are tested with it; here are those of `compile`, of compiled functions, and of Python's own
functions on Values.
"""

import math

import numpy as np
import pytest

from microgradnet import MLP, Value, compile, cross_entropy, draw, ops, quadratic, train

NET, CLASSES = MLP(2, [3, 1], seed=1), MLP(2, [3, 3], seed=1)
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
R = np.array([0.0, 1.0, 1.0, 0.0])
OUTPUT = compile(NET, 2)
COST = compile(lambda x, r: quadratic(NET(x), r), 2, 1)
COST_OF_CLASSES = compile(lambda x, r: cross_entropy(CLASSES(x), r), 2, 3)
TABLE = [Value(1.0), Value(2.0)]


def node_by_hand(x):
    number = x[0].data
    return Value(math.log(number), (x[0],), (1.0 / number,))


COMPILED = {  # one number in
    "print": (lambda x: print(x[0]) or x[0], ValueError, r"print\(x\[0\]\).*Print outside"),
    "a format": (lambda x: x[0] * len(f"{x[0]:.3f}"), ValueError, "Print outside"),
    "an `if`": (lambda x: x[0] if x[0] > 0 else -x[0], ValueError, r"max\(\) there are maximum, .*; to use the number"),
    "backward": (lambda x: x[0] * ((x[0] * x[0]).backward() or 1.0), ValueError, "create_graph=True"),
    "a node made by hand": (node_by_hand, ValueError, r"ops\.row"),
    "int as an index": (lambda x: TABLE[int(x[0])] * 2.0, TypeError, "one-hot"),
    "an index": (lambda x: TABLE[x[0]] * 2.0, TypeError, "one-hot"),
    "a size too few": (lambda x, r: x[0] * r[0], TypeError, r"1 argument .*'r'.*compile\(cost, 2, 1\)"),
    "a result": (NET([1, 2]), TypeError, r"Value\(.*where a function.*compile\(net, 2\)"),
}


@pytest.mark.parametrize(("function", "error", "told"), COMPILED.values(), ids=COMPILED)
def test_what_cannot_be_compiled_is_refused_with_the_remedy(function, error, told):
    with pytest.raises(error, match=told):
        compile(function, 1)


MISTAKES = {
    "compile without sizes": (lambda: compile(NET), TypeError, r"0 arguments.*compile\(net, 2\)"),
    "a list as a sample": (lambda: OUTPUT([1.0, 2.0]), ValueError, r"single sample is \[x\]"),
    "an array as a sample": (lambda: OUTPUT(X[0]), ValueError, r"single sample is X\[None\]"),
    "Values as data": (lambda: OUTPUT([[Value(1.0), Value(2.0)]]), TypeError, r"input 1 holds .*Value\(.*\.data"),
    "complex data": (lambda: OUTPUT(1j * X), TypeError, r"holds complex128.*\.real"),
    "Values as theta": (lambda: OUTPUT(X, theta=NET.parameters()), TypeError, r"theta holds .*Value\(.*\.theta\(\)"),
    "no targets": (lambda: COST(X), TypeError, "1 array arrived where the function takes 2"),
    "labels": (lambda: COST_OF_CLASSES(X, [0, 1, 2, 1]), ValueError, r"input 2 .*np\.eye\(3\)\[labels\]"),
    "a label": (lambda: cross_entropy(CLASSES([1, 2]), 1), ValueError, r"np\.eye\(3\)\[labels\]"),
    "a word": (lambda: ops.tanh("1"), TypeError, "'1' arrived where 'tanh' takes plain numbers and Values"),
    "round": (lambda: round(Value(1.5), 1), TypeError, r"round\(x\.data\)"),
    "float": (lambda: float(Value(1.5)), TypeError, r"x\.exp\(\).*x\.data"),
    "math.exp": (lambda: math.exp(Value(1.5)), TypeError, r"x\.exp\(\).*x\.data"),
    "an array of floats": (lambda: np.array([Value(1.5)], dtype=float), TypeError, r"x\.exp\(\).*x\.data"),
}


@pytest.mark.parametrize(("mistake", "error", "told"), MISTAKES.values(), ids=MISTAKES)
def test_the_error_tells_the_remedy(mistake, error, told):
    with pytest.raises(error, match=told):
        mistake()


def test_a_cost_that_takes_lists_for_numbers():
    """The error, whatever it is, says what train calls the cost with."""
    with pytest.raises(TypeError) as refused:
        train(NET, X, R, lambda y, r: (y - r) ** 2)
    assert "y[0] and r[0]" in refused.value.__notes__[0]


def test_what_is_meant_without_doubt_is_no_mistake(tmp_path):
    """A comparison as data, a number in a format, a file's suffix."""
    above = X > 0
    assert np.array_equal(OUTPUT(above), OUTPUT(above.astype(float)))
    costs = [next(train(MLP(2, [3, 1], seed=1), X, given)).cost for given in (R > 0, R)]
    assert costs[0] == costs[1]
    assert f"{Value(1.25):.1f} {Value(1.0)}" == "1.2 Value(data=1.0, grad=0.0)"
    draw(Value(1.0)).render(tmp_path / "x.png")
    assert {file.name: file.read_bytes()[:4] for file in tmp_path.iterdir()} == {"x.png": b"\x89PNG"}
