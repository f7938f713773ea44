"""`Value`: every promise about recording, gradients, copies, refusals and company that the design makes."""

import copy
import gc
import math
import operator
import os
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest

from microgradnet import Value, dot, maximum, minimum, ops

PICKLERS = [pickle.dumps, pickle._dumps]
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


@pytest.fixture
def without_gc():
    """Nothing but reference counts frees memory while this lasts."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def default_recursion_limit():
    """Python's own, whatever the tools around have set; and nobody may change it."""
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    assert sys.getrecursionlimit() == 1000
    sys.setrecursionlimit(old)


def chain(x, length):
    """x + x + … and x * 1 in turn: a chain of nodes that all depend on the one before and on the leaf."""
    y = x
    for _ in range(length // 2):
        y = (y + x) * 1.0
    return y


def everything(a, b):
    """A small graph with every public operation in it."""
    c = (a + b) * (a - b) / (2.0 + a * a) - 3.0 + (-b)
    d = c.exp() + (a * a + 1.0).log() + (b * b + 1.0).sqrt() + c.sin() * c.cos() + abs(a)
    e = d.tanh() + d.sigmoid() + d.relu() + d.softplus() + d.step() + a**3 + (a * a + 1.0) ** b + 2.0**b
    return maximum(e, d) + minimum(e, a) + dot([a, b, 2.0], [d, 1.0, e], c) / 10.0


# A node.


def test_a_value_tells_how_it_was_computed():
    """data, grad, label, op and parents, for leaves and for nodes."""
    x, w = Value(3, label="x"), Value(0.5)
    y = x * w
    assert (x.data, x.grad, x.label, x.op, x.parents) == (3.0, 0.0, "x", "", ())
    assert (y.data, y.grad, y.label, y.op, y.parents) == (1.5, 0.0, "", "*", (x, w))
    assert type(x.data) is float
    y.label = "y"
    assert repr(y) == "Value(data=1.5, grad=0.0, label='y')"
    assert repr(w) == "Value(data=0.5, grad=0.0)"


def test_operators_give_the_numbers_of_floats():
    """Each operator and its reflected form is that of Python's floats, to the bit."""
    binary = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
    for f in binary:
        for a, b in [(2.5, 3.0), (0.1, -0.7), (7.0, 2.0)]:
            assert f(Value(a), Value(b)).data == f(Value(a), b).data == f(a, Value(b)).data == f(a, b)
    for f in [operator.neg, operator.pos, abs]:
        assert f(Value(-1.5)).data == f(-1.5)
    assert (maximum(2, Value(3)).data, minimum(2, Value(3)).data, maximum(2, 3).data) == (3.0, 2.0, 3.0)


def test_methods_are_the_functions_they_are_named_after():
    """exp, log, sqrt, sin, cos, tanh, sigmoid, relu, softplus and step at a number where they are known."""
    x = Value(0.5)
    for name in ("exp", "log", "sqrt", "sin", "cos", "tanh"):
        assert getattr(x, name)().data == getattr(math, name)(0.5)
    assert x.sigmoid().data == pytest.approx(1 / (1 + math.exp(-0.5)), rel=1e-15)
    assert x.softplus().data == pytest.approx(math.log(1 + math.exp(0.5)), rel=1e-15)
    assert [Value(t).relu().data for t in (-2.0, 0.0, 2.0)] == [0.0, 0.0, 2.0]
    assert [Value(t).step().data for t in (-2.0, -0.0, 0.0, 2.0)] == [0.0, 1.0, 1.0, 1.0]


def test_a_value_tells_its_local_derivatives():
    """One per parent, at the recorded numbers; a leaf has none."""
    x, w = Value(3.0), Value(0.5)
    assert (x.partials, (-x).partials, (x * w).partials) == ((), (-1.0,), (0.5, 3.0))
    assert dot([x, w], [w, 2.0], x).partials == (0.5, 2.0, 1.0, 3.0, 0.5)
    assert dot([x, w], [10.0, 2.0], x).partials == (10.0, 2.0, 1.0, 3.0, 0.5)


def test_a_new_value_has_gradient_zero():
    """Before any backward: leaves, constants, and nodes of one, two and many operands."""
    x, w = Value(3.0), Value(0.5)
    nodes = [x, x.exp(), -x, x**2, x * w, x + 1.0, 1.0 - x, maximum(x, w), dot([x, w], [w, 2.0], x)]
    nodes += [parent for node in nodes for parent in node.parents]
    assert [node.grad for node in nodes] == [0.0] * len(nodes)


def test_sum_works():
    """sum() of Values is a Value, starting from its plain 0 or from a bias."""
    values = [Value(1.0), Value(2.0), Value(4.0)]
    total = sum(values)
    total.backward()
    assert (total.data, [v.grad for v in values]) == (7.0, [1.0, 1.0, 1.0])
    assert sum((2 * v for v in values), Value(0.5)).data == 14.5


# Gradients.


def test_a_square_of_two_equal_factors_has_two_parents():
    """x * x has two edges to x, and both bring their share."""
    x = Value(3.0)
    y = x * x
    y.backward()
    assert y.parents == (x, x)
    assert x.grad == 6.0


def test_a_value_added_to_itself_counts_twice():
    """x + x, x - x, x / x and maximum(x, x)."""
    for f, expected in [(operator.add, 2.0), (operator.sub, 0.0), (operator.truediv, 0.0), (maximum, 1.0)]:
        x = Value(3.0)
        f(x, x).backward()
        assert x.grad == expected


def test_diamonds_add_up():
    """Two ways from x to the output, and ways that part and meet thirty times: every path counts."""
    x = Value(2.0)
    y = x * 3.0
    (y * y + y).backward()
    assert (y.grad, x.grad) == (13.0, 39.0)
    x = y = Value(1.0)
    for _ in range(30):
        y = y + y
    y.backward()
    assert x.grad == 2.0**30


def test_a_value_used_a_thousand_times_collects_a_thousand_shares():
    """One leaf, a thousand uses, in sums and in one dot node."""
    x = Value(2.0)
    sum([k * x for k in range(1000)]).backward()
    assert x.grad == 499500.0
    x = Value(2.0)
    dot([x] * 1000, [x] * 1000, x).backward()
    assert x.grad == 4001.0


def test_backward_from_a_leaf_reaches_the_leaf_alone():
    """The derivative of x in x is 1, once per call."""
    x = Value(5.0)
    x.backward()
    assert x.grad == 1.0
    x.backward()
    assert x.grad == 2.0


def test_leaves_that_are_not_used_keep_their_gradient():
    """Neither unused leaves nor nodes above the output are touched."""
    x, unused = Value(2.0), Value(3.0)
    y = x * x
    above = y * unused
    unused.grad, above.grad = 7.0, 8.0
    y.backward()
    assert (unused.grad, above.grad) == (7.0, 8.0)


def test_backward_twice_doubles_leaves_and_leaves_inner_nodes_right():
    """Leaves accumulate over calls, inner nodes start afresh, whatever the output of the call before was."""
    x = Value(2.0)
    y = x * x
    z = y * 3.0
    z.backward()
    z.backward()
    assert (x.grad, y.grad, z.grad) == (24.0, 3.0, 1.0)
    y.backward()
    assert (x.grad, y.grad) == (28.0, 1.0)


def test_a_graph_can_grow_after_backward():
    """A node recorded later is differentiated through the older ones."""
    x = Value(2.0)
    y = x * x
    y.backward()
    x.grad = 0.0
    (y * x).backward()
    assert x.grad == 12.0


def test_a_leaf_changed_after_recording_gives_the_gradient_at_the_recorded_numbers():
    """Never a mixture: x * w at the x and w of the recording, and the new ones in the next one."""
    x, w = Value(2.0), Value(3.0)
    y = (x * w).exp() + x**3 + dot([x, w], [w, x]) + x / w
    x.data, w.data = 100.0, -100.0
    y.backward()
    fresh = Value(2.0), Value(3.0)
    u, v = fresh
    ((u * v).exp() + u**3 + dot([u, v], [v, u]) + u / v).backward()
    assert (x.grad, w.grad) == (u.grad, v.grad)
    assert (x * w).data == -10000.0


def test_subclasses_are_refused():
    """At the class statement, not with riddles later."""
    with pytest.raises(TypeError, match=r"no subclasses.*ops\.row"):
        type("Number", (Value,), {})


def test_a_misspelt_attribute_is_refused():
    """`x.gradient = 0.0` is an AttributeError, not a gradient that is never reset; a node has no dict to hold it."""
    for node in (Value(2.0), Value(2.0) * 3.0):
        with pytest.raises(AttributeError):
            node.gradient = 0.0


def test_the_data_of_an_inner_node_cannot_be_assigned():
    """It was computed; the error says by what."""
    y = Value(2.0) * 3.0
    with pytest.raises(AttributeError, match=r"'\*'"):
        y.data = 7.0
    assert y.data == 6.0


def test_assigned_data_is_held_to_the_same_rules_as_new_data():
    """NumPy numbers become floats, what is no number is refused and changes nothing."""
    x = Value(1.0)
    x.data = np.float32(0.5)
    assert type(x.data) is float
    x.data -= 2
    assert x.data == -1.5
    for wrong in ("1", None, True, [1.0], 1j, Value(1.0)):
        with pytest.raises(TypeError):
            x.data = wrong
    assert x.data == -1.5


# A million nodes.


def test_a_chain_of_a_million_nodes_builds_differentiates_and_is_freed(without_gc, default_recursion_limit):
    """At Python's default recursion limit, and without the garbage collector's help."""
    x = Value(1.0)
    y = chain(x, 1_000_000)
    witnesses = [weakref.ref(y), weakref.ref(y.parents[0]), weakref.ref(y.parents[0].parents[0])]
    y.backward()
    assert (y.data, x.grad) == (500_001.0, 500_001.0)
    assert sys.getrefcount(x) > 500_000
    del y
    assert [witness() for witness in witnesses] == [None] * 3
    assert sys.getrefcount(x) < 10


def test_a_chain_of_dot_nodes_is_freed_too(without_gc, default_recursion_limit):
    """Operands in tuples are no deeper a matter than operands in slots."""
    y = x = Value(1.0)
    for _ in range(100_000):
        y = dot([y, 0.0], [1.0, y], x)
    witness = weakref.ref(y.parents[0])
    y.backward()
    assert x.grad == 100_001.0
    del y
    assert witness() is None


def freed(make):
    """Whether what `make` builds from a leaf is gone with the last reference to it."""
    x = Value(0.5)
    y = make(x)
    witness = weakref.ref(y)
    del y
    return witness() is None


def differentiated(x):
    y = everything(x, x + 1.0)
    y.backward()
    return y


def pickled(x):
    y = differentiated(x)
    for dumps in PICKLERS:
        dumps([y, x])
    return y


def deepcopied(x):
    y = differentiated(x)
    copy.deepcopy([y, x])
    return y


GRAPHS = {
    "recorded": lambda x: everything(x, x),
    "differentiated": differentiated,
    "pickled": pickled,
    "restored from a pickle": lambda x: pickle.loads(pickle.dumps(differentiated(x))),
    "deep-copied": deepcopied,
    "a deep copy": lambda x: copy.deepcopy(differentiated(x)),
    "a copy": lambda x: copy.copy(differentiated(x)),
}


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_graph_is_freed_with_the_last_reference_to_it(graph, without_gc):
    """No reference cycles: the graph of every operation is gone at once, used or unused, copied or pickled."""
    assert freed(GRAPHS[graph])


def test_a_refused_operation_leaves_no_cycle_behind(without_gc):
    """Nor does an error keep the graph alive once it is handled."""

    def refused(x):
        y = x - 1.0
        for wrong in (y.log, y.sqrt, lambda: y**0.5, lambda: y / 0.0, lambda: y + "1", lambda: maximum(y, None)):
            with pytest.raises((ValueError, ZeroDivisionError, TypeError)):
                wrong()
        return y

    assert freed(refused)


def test_a_backward_without_derivative_leaves_no_cycle_behind(without_gc):
    """A graph whose backward raised is freed with its last reference, like any other."""

    def failing(x):
        y = (x - 0.5).sqrt()
        for _ in range(2):
            try:
                y.backward()
            except ZeroDivisionError:
                pass
            else:
                pytest.fail("sqrt has no slope at 0")
        return y

    assert freed(failing)


# The same bits in every process.

BITS = """
from microgradnet import MLP, Value, cross_entropy, dot, maximum, quadratic
leaves = {f"x{k}": Value(0.1 * k - 1.3, label=f"x{k}") for k in range(40)}
nodes = list(leaves.values())
for k in range(600):
    a, b = nodes[(7 * k + 3) % len(nodes)], nodes[(13 * k + 5) % len(nodes)]
    nodes.append([a * b, a + b, (a - b).tanh(), dot([a, b, 0.3], [b, a, a], b), maximum(a, b), a.sin()][k % 6].tanh())
net = MLP(3, [5, 4, 2], seed=1)
outputs = net([nodes[-1], nodes[-2], 0.3])
(sum(nodes) + quadratic(outputs, [0.1, 0.9]) + cross_entropy(outputs, [0, 1])).backward()
print([v.grad.hex() for v in [*nodes, *net.parameters()]])
"""


def test_gradients_are_bit_identical_under_every_hash_seed():
    """Three processes, three values of PYTHONHASHSEED, one output."""
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", BITS],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 10_000


# Copies.


def assert_same_graph(old, new):
    """Equal in everything, node by node, and nothing shared."""
    seen = {}
    stack = [(old, new)]
    while stack:
        a, b = stack.pop()
        if id(a) in seen:
            assert seen[id(a)] is b, "shared in one graph and not in the other"
            continue
        seen[id(a)] = b
        assert a is not b
        assert (a.data, a.grad, a.label, a.op) == (b.data, b.grad, b.label, b.op)
        assert a.op is b.op
        assert len(a.parents) == len(b.parents)
        stack += zip(a.parents, b.parents, strict=True)


COPIES = [
    *(
        pytest.param(lambda x, d=d, p=p: pickle.loads(d(x, p)), id=f"{d.__name__}-{p}")
        for d in PICKLERS
        for p in PROTOCOLS
    ),
    pytest.param(copy.deepcopy, id="deepcopy"),
]


@pytest.mark.parametrize("copied", COPIES)
def test_a_copied_graph_is_the_same_graph(copied):
    """Numbers, gradients, labels, operations and sharing come through bit for bit, and it can be differentiated."""
    a, b = Value(0.1, label="a"), Value(-0.7, label="β")
    y = everything(a, b)
    y.label = "y"
    y.backward()
    new = copied(y)
    assert_same_graph(y, new)
    new.backward()
    y.backward()
    assert_same_graph(y, new)


@pytest.mark.parametrize("copied", COPIES)
def test_sharing_is_kept_across_a_copied_container(copied):
    """[z, y, x, u] with x in y, y in z and in u: one graph again, in whatever order they come."""
    x = Value(2.0)
    y = x * x
    z, u = y + x, y * 3.0
    for order in ([z, y, x, u], [x, u, y, z], [y, z, u, x], [u, z, x, y, z]):
        new = dict(zip(map(id, order), copied(order), strict=True))
        x_, y_, z_, u_ = (new[id(v)] for v in (x, y, z, u))
        assert y_.parents == (x_, x_)
        assert y_.parents[0] is x_
        assert z_.parents[0] is u_.parents[0] is y_
        assert z_.parents[1] is x_


@pytest.mark.parametrize("copied", COPIES)
def test_a_copied_leaf_is_a_leaf_of_its_own(copied):
    """Assigning to the copy or differentiating it leaves the original alone."""
    x = Value(0.1, label="x")
    x.grad = 3.0
    new = copied(x)
    assert_same_graph(x, new)
    new.data, new.grad = 5.0, 0.0
    assert (x.data, x.grad) == (0.1, 3.0)


@pytest.mark.parametrize(
    ("copied", "length"),
    [
        pytest.param(lambda x: pickle.loads(pickle.dumps(x)), 100_000, id="pickle"),
        pytest.param(lambda x: pickle.loads(pickle._dumps(x)), 20_000, id="pickle in Python"),
        pytest.param(copy.deepcopy, 100_000, id="deepcopy"),
    ],
)
def test_a_graph_a_hundred_thousand_deep_is_copied(copied, length, default_recursion_limit):
    """Pickle in C, pickle in Python (slow, so a fifth as deep) and deepcopy: none recurses through the graph."""
    x = Value(1.0, label="x")
    y = chain(x, length)
    y.backward()
    new = copied([y, x])
    assert_same_graph(y, new[0])
    new[0].backward()
    assert new[1].grad == 2 * x.grad == length + 2.0


def test_a_graph_can_be_pickled_again_and_again(default_recursion_limit):
    """After a pickle, after a failed one, after backward, and as part of a larger graph."""
    x = Value(1.0)
    y = chain(x, 10_000)
    first = pickle.dumps(y)
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps([y, lambda: 0])
    y.backward()
    z = y * 2.0
    for graph in (y, z, [z, y, x]):
        pickle.loads(pickle.dumps(graph))
    assert len(first) == len(pickle.dumps(y))


def test_a_deep_graph_is_pickled_while_another_pickler_still_lives(tmp_path, default_recursion_limit):
    """Two open pickle files do not get in each other's way."""
    y = chain(Value(1.0), 10_000)
    with (tmp_path / "one").open("wb") as one, (tmp_path / "two").open("wb") as two:
        first, second = pickle.Pickler(one), pickle.Pickler(two)
        first.dump(y)
        second.dump(y)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_shallow_copy_is_a_node_of_its_own_with_the_same_parents():
    """copy.copy of a leaf and of a node: gradients of the one are not those of the other."""
    x = Value(2.0, label="x")
    y = x * x
    leaf, node = copy.copy(x), copy.copy(y)
    assert (leaf.data, leaf.label, leaf.parents) == (2.0, "x", ())
    assert (node.data, node.op) == (4.0, "*")
    assert node.parents[0] is node.parents[1] is x
    leaf.data = 7.0
    assert x.data == 2.0
    node.backward()
    assert (x.grad, y.grad, node.grad, leaf.grad) == (4.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize("copied", COPIES)
def test_a_missing_derivative_is_still_missing_in_the_copy(copied):
    """A copy of sqrt(0) refuses to be differentiated just as the original does."""
    x = Value(0.0, label="x")
    new = copied(x.sqrt())
    with pytest.raises(ZeroDivisionError, match=r"(?s)sqrt.*0\.0.*'x'"):
        new.backward()


# Domains.

BIG = Value(1e4, label="big")
NULL = Value(0.0, label="null")
LESS = Value(-2.0, label="less")
OUTSIDE = {
    "log of zero": (lambda: NULL.log(), ValueError, "log", "0.0", "null"),
    "log of a negative": (lambda: LESS.log(), ValueError, "log", "-2.0", "less"),
    "root of a negative": (lambda: LESS.sqrt(), ValueError, "sqrt", "-2.0", "less"),
    "division by zero": (lambda: BIG / NULL, ZeroDivisionError, "/", "0.0", "null"),
    "division by plain zero": (lambda: BIG / 0, ZeroDivisionError, "/", "0.0", "big"),
    "a plain number by zero": (lambda: 1 / NULL, ZeroDivisionError, "/", "0.0", "null"),
    "overflowing exp": (lambda: BIG.exp(), OverflowError, "exp", "10000.0", "big"),
    "overflowing power": (lambda: BIG**100, OverflowError, "**100", "10000.0", "big"),
    "broken power of a negative": (lambda: LESS**0.5, ValueError, "**0.5", "-2.0", "less"),
    "negative power of zero": (lambda: NULL**-1, (ValueError, ZeroDivisionError), "**-1", "0.0", "null"),
    "Value power of a negative": (lambda: LESS ** Value(2.0), ValueError, "**", "-2.0", "less"),
    "Value power of zero": (lambda: NULL ** Value(2.0), ValueError, "**", "0.0", "null"),
    "Value power of a negative number": (lambda: (-3) ** LESS, ValueError, "**", "-3.0", "less"),
    "sine of infinity": (lambda: Value(math.inf, "far").sin(), ValueError, "sin", "inf", "far"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_leaving_the_domain_names_operation_number_and_label(case):
    """An error at the operation itself, with all that one needs to find it in a graph."""
    operation, error, op, number, label = OUTSIDE[case]
    with pytest.raises(error) as caught:
        operation()
    message = str(caught.value)
    assert f"'{op}'" in message
    assert number in message
    assert f"'{label}'" in message


def test_value_to_the_power_of_a_value_says_that_it_needs_a_positive_base():
    """And only that form: a plain number as exponent takes negative bases."""
    with pytest.raises(ValueError, match="positive"):
        Value(-2.0) ** Value(2.0)
    assert (Value(-2.0) ** 2).data == 4.0


@pytest.mark.parametrize("make", [lambda x: x.sqrt(), lambda x: x**0.5], ids=["sqrt", "power"])
def test_a_root_of_zero_has_a_value_but_no_derivative(make):
    """It can be computed; backward through it raises, naming it, and no gradient has changed by then."""
    x, w = Value(0.0, label="x"), Value(3.0)
    inner = w * 2.0
    y = inner + make(x) * w
    assert y.data == 6.0
    nodes = [x, w, inner, y]
    for k, node in enumerate(nodes):
        node.grad = 10.0 + k
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match=r"(?s)0\.0.*'x'"):
            y.backward()
    assert [node.grad for node in nodes] == [10.0, 11.0, 12.0, 13.0]
    inner.backward()
    assert w.grad == 13.0


def test_nought_times_the_logarithm_of_nought_has_a_value_but_no_derivative():
    """0 ln 0 is 0, its limit in x ln x; backward through it raises, naming both operands."""
    x, y = Value(0.0, label="x"), Value(0.0, label="y")
    z = ops.xlogy(x, y)
    assert z.data == 0.0
    with pytest.raises(ValueError, match=r"(?s)derivative.*'xlogy'.*'x'.*'y'"):
        z.backward()
    assert (x.grad, y.grad, z.grad) == (0.0, 0.0, 0.0)


def test_infinities_and_nan_are_numbers_like_others():
    """What floats do without an error, Values do: nothing is hidden and nothing is invented."""
    assert (Value(math.inf) + 1).data == math.inf
    assert (Value(1e308) * 10).data == math.inf
    assert math.isnan((Value(math.inf) - math.inf).data)
    x = Value(math.nan)
    for y in (
        x.relu(),
        x.step(),
        x.tanh(),
        x.sigmoid(),
        x.softplus(),
        abs(x),
        maximum(x, 1.0),
        minimum(1.0, x),
        x.exp(),
    ):
        assert math.isnan(y.data)


# Powers.


@pytest.mark.parametrize(
    ("base", "exponent", "value", "slope"),
    [
        (-2.0, 3, -8.0, 12.0),
        (-2.0, 2, 4.0, -4.0),
        (-2.0, -1, -0.5, -0.25),
        (-2.0, -2, 0.25, 0.25),
        (-2.0, 1, -2.0, 1.0),
        (-2.0, 0, 1.0, 0.0),
        (0.0, 0, 1.0, 0.0),
        (0.0, 1, 0.0, 1.0),
        (0.0, 2, 0.0, 0.0),
        (0.0, 1.5, 0.0, 0.0),
        (-0.0, 3, -0.0, 0.0),
        (4.0, 0.5, 2.0, 0.25),
        (4.0, -0.5, 0.5, -0.0625),
        (4.0, 2.5, 32.0, 20.0),
        (10.0, 15, 1e15, 1.5e15),
        (-1.0, 1001, -1.0, 1001.0),
    ],
)
def test_a_number_as_exponent_is_exact_for_every_base(base, exponent, value, slope):
    """Value and slope of xⁿ wherever the result is real, whatever kind of number n is."""
    for kind in (float, int, np.float64, np.float32, np.int64):
        if kind(exponent) == exponent:
            x = Value(base)
            y = x ** kind(exponent)
            y.backward()
            assert (y.data, x.grad) == (value, slope)


def test_a_value_as_exponent_has_a_gradient_of_its_own():
    """2³: the slope in the base is 12, in the exponent 8 ln 2; and 2 ** Value is the same with a plain base."""
    a, b, c = Value(2.0), Value(3.0), Value(3.0)
    (a**b).backward()
    (2**c).backward()
    assert (a.grad, b.grad) == (12.0, pytest.approx(8.0 * math.log(2.0), rel=1e-15))
    assert c.grad == b.grad


# What is taken for a number, and what is not.

ACCEPTED = [
    3,
    0.25,
    np.float64(0.1),
    np.float32(0.1),
    np.float16(0.1),
    np.longdouble(0.5),
    np.int8(-3),
    np.int64(2**40),
    np.uint8(200),
    -0.0,
    1e308,
    5e-324,
]


@pytest.mark.parametrize("number", ACCEPTED, ids=lambda n: f"{type(n).__name__}-{n}")
def test_real_numbers_of_python_and_numpy_are_taken(number):
    """As data, and as operand on either side of every operator; what is kept is a float of the same value."""
    assert type(Value(number).data) is float
    assert Value(number).data == number
    x = Value(2.0)
    for f in (operator.add, operator.sub, operator.mul, maximum, minimum):
        for y in (f(x, number), f(number, x)):
            assert type(y) is Value
            assert type(y.data) is float
        plain = {maximum: max, minimum: min}.get(f, f)
        assert f(x, number).data == plain(2.0, float(number))
        assert f(number, x).data == plain(float(number), 2.0)
    y = dot([number, x], [x, number], number)
    y.backward()
    assert x.grad == 2.0 * float(number)


REFUSED = [
    True,
    np.bool_(True),
    "1",
    np.str_("1"),
    b"1",
    1j,
    np.complex128(1),
    None,
    [1.0],
    (1.0,),
    {1.0},
    np.array(1.0),
    np.array([1.0, 2.0]),
    np.array([[Value(1.0)]], dtype=object),
    object(),
]


@pytest.mark.parametrize("thing", REFUSED, ids=lambda x: f"{type(x).__name__}{getattr(x, 'shape', '')}")
def test_what_is_no_number_is_refused_with_what_arrived(thing):
    """As data, as operand, as exponent, as element or bias of a dot, in maximum and minimum: a TypeError that says so."""
    x = Value(2.0)
    uses = [
        lambda: Value(thing),
        lambda: maximum(x, thing),
        lambda: minimum(thing, x),
        lambda: dot([x, thing], [1.0, 2.0]),
        lambda: dot([1.0, 2.0], [x, thing]),
        lambda: dot([x], [1.0], thing),
    ]
    if not isinstance(thing, np.ndarray):  # an array beside an operator is gone through element by element
        uses += [lambda: x + thing, lambda: thing - x, lambda: x * thing, lambda: thing / x, lambda: x**thing]
    for use in uses:
        with pytest.raises(TypeError) as caught:
            use()
        assert "wanted" in str(caught.value) or "arrived" in str(caught.value)


def test_a_value_in_a_value_is_refused():
    """It says what to do instead."""
    with pytest.raises(TypeError, match="Value"):
        Value(Value(1.0))


def test_a_whole_number_beyond_all_floats_is_refused():
    """10**400 is no float, as data or as operand."""
    for use in (lambda: Value(10**400), lambda: Value(1.0) + 10**400):
        with pytest.raises(OverflowError):
            use()


def test_a_label_is_text():
    """Any text, and nothing else."""
    assert Value(1.0, "θ₁").label == "θ₁"
    with pytest.raises(TypeError, match="label"):
        Value(1.0, label=1)


# dot.


def test_dot_is_one_node_with_weights_bias_and_inputs_as_parents():
    """Σ w x + b; everything in it that is a Value gets its gradient."""
    w, x, b = [Value(2.0), Value(3.0)], [Value(5.0), Value(7.0)], Value(0.5)
    z = dot(w, x, b)
    z.backward()
    assert (z.data, z.op) == (31.5, "dot")
    assert set(map(id, z.parents)) == set(map(id, [*w, *x, b]))
    assert ([v.grad for v in w], [v.grad for v in x], b.grad) == ([5.0, 7.0], [2.0, 3.0], 1.0)


def test_dot_takes_constants_on_either_side():
    """Plain numbers, arrays, tuples and generators, mixed with Values."""
    w = [Value(2.0), Value(3.0)]
    for inputs in ([10, 1], (10.0, 1.0), np.array([10.0, 1.0]), np.array([10, 1]), (x for x in (10, 1))):
        for v in w:
            v.grad = 0.0
        z = dot(w, inputs, 0.5)
        z.backward()
        assert (z.data, [v.grad for v in w]) == (23.5, [10.0, 1.0])
    x = Value(4.0)
    for weights in ([2.0, 1.0], np.array([2.0, 1.0]), (2, 1)):
        x.grad = 0.0
        z = dot(weights, [x, 1.0], 1)
        z.backward()
        assert (z.data, x.grad) == (10.0, 2.0)
    assert dot(np.array(w), np.array([x, x])).data == 20.0
    assert dot([], [], bias=Value(3.0)).data == 3.0


def test_dot_needs_one_weight_per_input():
    """A wrong number is a ValueError that tells both, never a truncation."""
    for w, x in [([1.0, 2.0], [Value(1.0)]), ([Value(1.0)], [1.0, 2.0, 3.0]), ([], [Value(1.0)])]:
        with pytest.raises(ValueError, match=rf"(?s){len(w)}.*{len(x)}"):
            dot(w, x)


@pytest.mark.parametrize(
    "thing",
    [3.0, Value(1.0), None, "12", b"12", np.array(1.0), np.ones((2, 2))],
    ids=lambda x: f"{type(x).__name__}{getattr(x, 'shape', '')}",
)
def test_dot_needs_sequences(thing):
    """What is no flat sequence of numbers is a TypeError on both sides, about the sequence and not its elements."""
    for use in (lambda: dot(thing, [1.0, 2.0]), lambda: dot([1.0, 2.0], thing)):
        with pytest.raises(TypeError, match=r"arrived where a (flat )?sequence"):
            use()


# Comparison and hash.


def test_values_compare_by_their_data():
    """With each other and with plain numbers on either side, all six comparisons."""
    comparisons = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
    for f in comparisons:
        for a, b in [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (0.0, -0.0), (math.nan, 1.0), (math.inf, 1.0)]:
            assert f(Value(a), Value(b)) is f(a, b)
            for number in (float, np.float64, np.float32):
                assert bool(f(Value(a), number(b))) is bool(f(number(a), Value(b))) is f(a, b)
    assert Value(2) == 2 == Value(2)
    assert Value(2) < np.int64(3)
    assert max(Value(1), Value(3), Value(2)).data == 3.0
    assert [v.data for v in sorted([Value(2), Value(1)])] == [1.0, 2.0]


def test_comparing_with_what_is_no_number_is_false_or_refused():
    """== is False and != is True, an order is a TypeError, as for floats."""
    for thing in ("1.0", None, [1.0], object(), 1j + 1):
        assert operator.eq(Value(1.0), thing) is operator.eq(thing, Value(1.0)) is False
        assert operator.ne(Value(1.0), thing) is operator.ne(thing, Value(1.0)) is True
        for f in (operator.lt, operator.le, operator.gt, operator.ge):
            with pytest.raises(TypeError):
                f(Value(1.0), thing)
            with pytest.raises(TypeError):
                f(thing, Value(1.0))


def test_a_value_is_true_unless_its_number_is_zero():
    """As floats are, so that `if x` and `not x` ask the number; NaN is true."""
    for number in (0.0, -0.0, 1e-300, -2.0, math.inf, math.nan):
        assert bool(Value(number)) is bool(number)
    assert not Value(1.0) - 1.0


def test_values_are_keys_by_identity():
    """Equal data does not make equal keys; a value stays its own key when its data changes."""
    a, b = Value(1.0), Value(1.0)
    keys = {a: "a", b: "b"}
    a.data = 5.0
    assert (keys[a], keys[b], len({a, b, a})) == ("a", "b", 2)


# NumPy.


def test_object_arrays_of_values_go_through_numpy():
    """A layer and a loss in NumPy's own notation: @, +, ufuncs, sum; gradients as in closed form."""
    rng = np.random.default_rng(1)
    w0, x0, b0 = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=3)
    w, b = np.vectorize(Value, otypes=[object])(w0), np.array([Value(v) for v in b0])
    z = w @ x0 + b
    y = np.exp(np.tanh(z))
    (y * y).sum().backward()
    z0 = w0 @ x0 + b0
    slope = 2 * np.exp(2 * np.tanh(z0)) * (1 - np.tanh(z0) ** 2)
    grad = np.vectorize(lambda v: v.grad, otypes=[float])
    # Sums of 4 and products of 5 numbers of size about 1: 1e-14 is 100 U.
    np.testing.assert_allclose(grad(b), slope, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(grad(w), np.outer(slope, x0), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "cos", "tanh", "absolute", "negative", "square"])
def test_a_ufunc_of_values_is_the_ufunc_of_their_data(name):
    """np.exp and the like on an object array and on a lone Value."""
    f = getattr(np, name)
    numbers = np.array([0.5, 1.5, 3.0])
    values = np.array([Value(v) for v in numbers])
    # NumPy's own loops may differ from the C library's by a unit or two in the last place.
    np.testing.assert_allclose([v.data for v in f(values)], f(numbers), rtol=1e-15)
    assert f(Value(0.5)).data == f(values)[0].data
    y = f(values).sum()
    y.backward()
    assert all(v.grad != 0.0 for v in values)


@pytest.mark.parametrize(
    "f", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul]
)
def test_a_value_beside_an_array_is_taken_with_each_element(f):
    """Value ∘ array and array ∘ Value, float and object arrays."""
    x, a = Value(2.0), np.array([1.0, 3.0])
    if f is operator.matmul:
        with pytest.raises((TypeError, ValueError)):
            f(x, a)
        return
    for array in (a, a.astype(object), np.array([Value(1.0), Value(3.0)])):
        assert [v.data for v in f(x, array)] == [f(2.0, 1.0), f(2.0, 3.0)]
        assert [v.data for v in f(array, x)] == [f(1.0, 2.0), f(3.0, 2.0)]


def test_np_maximum_picks_values():
    """np.maximum and np.minimum on object arrays go by data; the gradient goes to the one picked."""
    a, b = np.array([Value(1.0), Value(5.0)]), np.array([Value(2.0), Value(3.0)])
    (np.maximum(a, b).sum() + 10.0 * np.minimum(a, b).sum()).backward()
    assert [v.grad for v in a] == [10.0, 1.0]
    assert [v.grad for v in b] == [1.0, 10.0]


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.int64, np.int8, np.longdouble])
def test_a_numpy_number_on_the_left_gives_a_value(kind):
    """np.float64(2) * x is a node, not an array and not a number."""
    x = Value(4.0)
    for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        y = f(kind(2), x)
        assert type(y) is Value
        assert (y.data, y.parents[1] is x) == (f(2.0, 4.0), True)


def test_an_array_beside_maximum_or_minimum_is_refused():
    """They take two numbers; NotImplemented is no answer."""
    for f in (maximum, minimum):
        for a, b in [(Value(1.0), np.array([1.0, 2.0])), (np.array([1.0, 2.0]), Value(1.0))]:
            with pytest.raises(TypeError, match="array"):
                f(a, b)
