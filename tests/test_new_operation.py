"""One row is all that a new operation needs: erf, which NumPy does not have, and others, in every use of the table."""

import math
import pickle

import numpy as np
import pytest

from microgradnet import MLP, GradientError, Value, compile, draw, explain, grad, gradcheck, hessian, jvp, nn, ops


@pytest.fixture
def erf(table):
    """The row that the README shows."""
    return ops.row("erf", math.erf, None, lambda x, y: (2.0 / math.sqrt(math.pi) * ops.exp(-x * x),))


def test_it_is_differentiated_drawn_explained_and_checked(erf):
    """By its name everywhere; in both modes, to any order: erf′ = 2/√π e^(-x²), erf″ = -2x erf′, erf‴ = (4x² - 2) erf′."""
    at = 0.4
    slope = 2.0 / math.sqrt(math.pi) * math.exp(-at * at)
    x = Value(at)
    y = erf(x)
    assert (y.data, y.op) == (math.erf(at), "erf")
    assert "erf" in draw(y).source
    assert "erf" in str(explain(y, x))
    gradcheck(lambda x: erf(x) * x, [at])
    for factor in (1.0, -2.0 * at, 4.0 * at * at - 2.0):
        tangent = jvp(y, {x: 1.0})
        (y,) = grad(y, x, create_graph=True)
        assert [y.data, tangent] == pytest.approx([factor * slope] * 2, rel=1e-13)


def test_it_compiles_inside_a_net_and_travels_in_files(erf, monkeypatch, tmp_path):
    """As an activation it is called by layers, saved and loaded; a pickle without its row names it."""
    monkeypatch.setitem(nn.ACTIVATIONS, "erf", erf)
    net = MLP(2, [3, 1], activation="erf", seed=1)
    fast, wide = compile(net, 2), compile(MLP(2, [30, 1], activation="erf", seed=1), 2)
    statements = [len(f.source.split("# in NumPy")[-1].splitlines()) for f in (fast, wide)]
    assert statements[0] == statements[1]  # one for each layer, not for each neuron
    X = np.random.default_rng(1).normal(size=(50, 2))
    outputs = [net(x) for x in X]
    mean = sum(outputs) / len(X)
    value, gradient = fast.value_and_grad(X)
    assert value == pytest.approx(mean.data, rel=1e-12)
    assert gradient == pytest.approx(grad(mean, net.parameters()), rel=1e-9, abs=1e-14)
    assert pickle.loads(pickle.dumps(fast))(X).tolist() == fast(X).tolist()
    net.save(tmp_path / "net")
    assert MLP.load(tmp_path / "net")(X[0]).data == outputs[0].data
    pickled = pickle.dumps(erf(Value(0.5)))
    assert pickle.loads(pickled).op is erf
    del ops.TABLE["erf"]
    with pytest.raises(KeyError, match="erf"):
        pickle.loads(pickled)


def test_a_row_of_ones_own_is_replaced(erf):
    """As in a notebook whose cell runs again: the name stands for the new row, and old graphs keep theirs."""
    x = Value(0.5)
    before = erf(x)
    old = hessian(before, x)
    new = ops.row("erf", lambda x: 2.0 * x, None, lambda x, y: (2.0,), "everywhere")
    after = new(x)
    assert ops.named("erf") is new
    assert (after.data, grad(after, x), after.op.domain) == (1.0, [2.0], "everywhere")
    assert hessian(before, x) == old != [[0.0]]


# What the table refuses, and what it cannot see.


def cosine(x, y):
    return (ops.cos(x),)


REFUSED = {
    **{name: (name, math.erf, None, cosine, "of its own") for name in ("exp", "dot", "**3", "constant")},
    "no tuple": ("mine", math.sinh, None, lambda x, y: ops.exp(x), "tuple of 1"),
    "too many": ("mine", math.sinh, None, lambda x, y: (1.0, 2.0), "tuple of 1"),
    "text": ("mine", math.sinh, None, lambda x, y: ("1",), "real number"),
    "three operands": ("mine", lambda a, b, c: a, None, lambda a, b, c, y: (1.0, 0.0, 0.0), "4 arguments"),
    "an int": ("mine", math.floor, None, lambda x, y: (0.0,), "float"),
    "no out": ("mine", math.sin, lambda x: np.sin(x), cosine, "array form of 'mine'.*out=None"),
    "out ignored": ("mine", math.sin, lambda x, out=None: np.sin(x), cosine, "array form of 'mine'"),
    **{name: (name, math.sinh, None, cosine, "does not print") for name in ("", " take", "line\nbreak")},
    "nan": ("mine", math.sinh, None, lambda x, y: (math.nan,), r"a partial of 'mine' is float nan at 0\.5"),
    "bool": ("mine", math.sinh, None, lambda x, y: (True,), r"a partial of 'mine' is bool True at 0\.5"),
    "far": ("mine", lambda x: math.log(x - 1e4), None, cosine, r"'mine' raises an error at each point .*shift"),
    "fails": ("mine", lambda x: {}[x], None, cosine, r"the value of 'mine' failed at 0\.5 \(KeyError: 0\.5\)"),
    "-0": ("mine", lambda x: math.atan2(x, -1.0), None, cosine, r"at 0\.0 is 3\.14\d+, and at -0\.0 it is -3\.14"),
    "another array": ("mine", math.sin, lambda x, out=None: np.cos(x, out=out), cosine, "array form of 'mine'"),
}


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_a_name_in_use_or_a_row_of_another_form_is_refused(table, row):
    """When it is added, with what is wanted; the table stays as it was."""
    *row, words = row
    before = dict(table)
    with pytest.raises((ValueError, TypeError), match=words):
        ops.row(*row)
    assert before == table


@pytest.mark.parametrize(
    "partials",
    [
        lambda x, y: (math.cos(getattr(x, "data", x)),),
        lambda x, y: (ops.cos(x) if x > -9 else 1.0,),
        lambda x, y: (ops.cos(x) if isinstance(x, float) else 1.0,),
    ],
    ids=["data", "if", "another"],
)
def test_gradcheck_finds_partials_that_are_right_for_numbers_alone(table, partials):
    """A second derivative would fail, or be silently wrong: the operation is named."""
    sine = ops.row("sine", math.sin, np.sin, partials)
    with pytest.raises(GradientError, match="'sine'"):
        gradcheck(lambda x: 2.0 * sine(x), 0.5)
