"""Formulas printed from the table, the recorders written from them, and nodes that have no rule."""

import math
import pickle
import threading

import numpy as np
import pytest

from microgradnet import Value, compile, explain, grad, hessian, jvp, nodes, ops
from microgradnet.recorders import _write
from microgradnet.symbols import symbolic

ROWS = [op for op in ops.TABLE.values() if op != "dot"]
POINTS = [(0.3, 0.7), (1.5, 0.25), (0.875, 0.875), (30.0, 0.5), (1e-9, 0.125)]


def operands(op):
    return ["a", "b"][: op.partials.__code__.co_argcount - 1]


def python(op, texts):
    """Another spelling than the recorders': every operation as a call."""
    if op.exponent is not None:
        return f"({texts[0]} ** {op.exponent})"
    return f"TABLE[{str(op)!r}].value({', '.join(texts)})"


@pytest.mark.parametrize("op", ROWS, ids=str)
def test_every_rule_of_the_table_prints_and_the_print_gives_its_numbers(op):
    """Bit for bit what the rule gives when it is called."""
    names = operands(op)
    texts = [partial.text(python) for partial in symbolic(op, *names)]
    for point in POINTS:
        numbers = dict(zip(names, point, strict=False))
        y = op.value(*numbers.values())
        assert [eval(text, {"TABLE": ops.TABLE}, numbers | {"y": y}) for text in texts] == [
            *op.partials(*numbers.values(), y)
        ]


@pytest.mark.parametrize(
    "rule",
    [
        lambda x, y: (1.0 if x > 0.0 else 2.0,),
        lambda x, y: (1.0 if x == 0.5 else 2.0,),
        lambda x, y: (math.cos(x),),
        lambda x, y: (ops.cos(x) if isinstance(x, float) else 1.0,),
    ],
    ids=["less", "equal", "math", "type"],
)
def test_a_rule_that_cannot_be_printed_is_called(rule):
    """One that looks at numbers, calls other functions, or tells symbols from floats."""
    op = ops.Op("sine", math.sin, np.sin, rule)
    for x in (0.5, -0.5):
        assert op(Value(x)).partials == rule(x, math.sin(x))


def test_a_recorder_follows_its_row():
    """A new value and a new rule hold from the next node on, in rows whose rules use it as well."""
    inner = ops.Op("inner", lambda x: 2.0 * x, None, lambda x, y: (2.0,))
    outer = ops.Op("outer", lambda x: x * x, None, lambda x, y: (inner(x),))
    assert (inner(Value(3.0)).partials, outer(Value(3.0)).partials) == ((2.0,), (6.0,))
    inner.value, inner.partials = (lambda x: 5.0 * x), (lambda x, y: (5.0,))
    assert (inner(Value(3.0)).partials, outer(Value(3.0)).partials) == ((5.0,), (15.0,))


def test_all_powers_share_one_text():
    """Another exponent costs no compilation."""
    one, other = [_write(ops.power(n), {}, "left", left="") for n in (2.5, 7.25)]
    assert one.__code__ is other.__code__


def test_a_plain_number_becomes_a_constant_once():
    """Whoever asks first, and in several threads at once."""
    x = Value(3.0)
    for y in (x * 2.0, 2.0 - x, x / 4, np.float64(0.5) * x):
        seen = []
        threads = [threading.Thread(target=lambda y=y, seen=seen: seen.append(y.parents)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({tuple(map(id, parents)) for parents in seen}) == 1
        assert [(p.op, type(p.data)) for p in y.parents if p is not x] == [("constant", float)]


def test_nodes_are_all_once_and_after_their_operands():
    """With leaves and constants; of several outputs together."""
    x, w = Value(2.0), Value(3.0)
    y = (x * w + 1.0).tanh()
    z = y * x
    found = nodes(z, y)
    assert len(set(found)) == len(found) == 7
    place = {node: i for i, node in enumerate(found)}
    assert all(place[parent] < place[node] for node in found for parent in node.parents)
    with pytest.raises(TypeError, match="one by one"):
        nodes([z, y])


def test_a_node_made_by_hand():
    """Numbers for its derivatives: both modes, explain and pickle; no rule: no second derivative, no program."""
    x, w = Value(2.0), Value(3.0)
    y = Value(7.0, (x, w, x), (0.5, -1.0, 0.25))
    z = y * x
    z.backward()
    assert (y.op, y.parents, x.grad, w.grad) == ("custom", (x, w, x), 7.0 + 2.0 * 0.75, -2.0)
    assert jvp(z, {x: 1.0, w: 10.0}) == x.grad + 10.0 * w.grad
    assert explain(z, x).total == x.grad
    u, again = pickle.loads(pickle.dumps((x, z)))
    assert grad(again, u) == [x.grad]
    with pytest.raises(TypeError, match=r"ops\.row"):
        hessian(z, x)
    with pytest.raises(TypeError, match=r"ops\.row"):
        compile(lambda v: Value(0.5, (v[0],), (1.0,)) * 2.0, 1)([1.0])
    assert Value(1.0, (), ()).op == ""
    with pytest.raises(ValueError, match="1 partials met 2 parents"):
        Value(1.0, (x, w), (1.0,))
    with pytest.raises(TypeError, match="real number"):
        Value(1.0, (x,), ("1",))


def test_detach_passes_the_number_and_no_derivative():
    """In both modes, and in a program on other inputs."""
    x = Value(3.0)
    y = (x * 2.0).detach() * x
    assert (y.data, grad(y, x), jvp(y, {x: 1.0}), hessian(y, x)) == (18.0, [6.0], 6.0, [[0.0]])
    assert compile(lambda v: (v[0] * 2.0).detach() * v[0], 1)([[3.0], [4.0]]).tolist() == [18.0, 32.0]


@pytest.mark.parametrize(
    "array",
    [lambda x: np.sin(x), lambda x, out=None: np.sin(x), lambda x, out=None: np.cos(x, out=out)],
    ids=["without out", "out ignored", "other numbers"],
)
def test_an_array_form_that_does_not_fit_is_refused(array):
    """When the row is made, with its name."""
    with pytest.raises(TypeError, match="array form of 'a wrong sine'"):
        ops.row("a wrong sine", math.sin, array, lambda x, y: (ops.cos(x),))
    assert "a wrong sine" not in ops.TABLE


def test_the_slope_of_a_power_at_tiny_bases():
    """b aᵇ⁻¹ where aᵇ vanishes."""
    a = Value(1e-170)
    assert grad(a ** Value(2.0), a) == [2e-170]


def test_optimizers_keep_their_numbers_elsewhere():
    """And are told where."""
    x = Value(1.0)
    with pytest.raises(AttributeError, match="keep it in a list"):
        x.m = 0.0
    assert not hasattr(x, "m")
