"""`Value`: how a node is recorded, copied, freed, refused, compared, and how it gets on with NumPy.

That numbers and gradients are right, whatever a user does to a graph, `test_ops` and `test_graphs` say.
"""

import copy
import gc
import itertools
import math
import operator
import os
import pickle
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import oracles
import pytest

from microgradnet import Value, dot, grad, hessian, jvp, maximum, minimum, ops

ROWS = [*ops.TABLE.values(), *map(ops.power, (2, -1, 0.5))]
UNARY_METHODS = ["exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "softplus", "step"]


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
    """data, grad, label, op, parents and partials, for leaves and for nodes; x*x has two parents."""
    x, w = Value(3, label="x"), Value(0.5)
    y = x * w
    assert (x.data, x.grad, x.label, x.op, x.parents, x.partials) == (3.0, 0.0, "x", "", (), ())
    assert (y.data, y.grad, y.label, y.op, y.partials) == (1.5, 0.0, "", "*", (0.5, 3.0))
    assert (-x).partials == (-1.0,)
    assert list(map(id, (y.parents + (x * x).parents))) == list(map(id, (x, w, x, x)))
    y.label = "y"
    assert repr(y) == "Value(data=1.5, grad=0.0, label='y')"
    assert repr(w) == "Value(data=0.5, grad=0.0)"


def test_a_dot_is_one_node_of_weights_bias_and_inputs():
    """Σ w x + b, and its partials in the order of its parents."""
    w, x, b = [Value(2.0), Value(3.0)], [Value(5.0), Value(7.0)], Value(0.5)
    z = dot(w, x, b)
    assert (z.data, z.op, z.partials) == (31.5, "dot", (5.0, 7.0, 1.0, 2.0, 3.0))
    assert list(map(id, z.parents)) == list(map(id, [*w, b, *x]))
    plain = dot([b, w[0]], [10.0, 2.0], b)
    assert plain.partials == (10.0, 2.0, 1.0, 0.5, 2.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x * 2.0,
        lambda x: 1 - x,
        lambda x: x / np.float32(4),
        lambda x: dot([x, 2.0], [3, x], 1.0),
        lambda x: dot([x, x], [3.0, 1.0], x),
    ],
)
def test_a_plain_number_is_the_same_constant_each_time(make):
    """Among the parents, in its place, with a partial of its own; whoever asks first, in several threads at once."""
    x = Value(0.5)
    y = make(x)
    with ThreadPoolExecutor(8) as threads:
        parents = list(threads.map(lambda _: y.parents, range(8)))
    assert len({tuple(map(id, seen)) for seen in parents}) == 1
    assert len(y.partials) == len(y.parents)
    for constant in y.parents:
        if constant is not x:
            assert (constant.op, type(constant.data), constant.grad, constant.parents) == ("constant", float, 0.0, ())


def test_a_node_made_by_hand_is_differentiated_by_its_partials():
    """Backward, forward and in copies; a parent may come twice, or be a plain number; without parents it is a leaf."""
    x, w = Value(2.0), Value(5.0)
    y = Value(7.0, [x, w, x, 3.0], [1.0, 2.0, 4.0, 8.0])
    z = y * x
    z.backward()
    assert (y.data, y.op, y.partials, y.parents[3].op) == (7.0, "custom", (1.0, 2.0, 4.0, 8.0), "constant")
    assert (x.grad, w.grad) == (17.0, 4.0)
    for copy_of in [lambda graph: graph, *COPIES]:
        u, v, out = copy_of([x, w, z])
        assert grad(out, [u, v]) == [jvp(out, {u: 1.0}), jvp(out, {v: 1.0})] == [17.0, 4.0]
    assert Value(7.0, [], []).op == ""


def test_a_node_made_by_hand_has_no_second_derivatives_and_refuses_what_does_not_fit():
    """With the remedy, a row of the table; and one partial per parent."""
    x = Value(2.0)
    with pytest.raises(TypeError, match=r"ops\.row"):
        hessian(Value(4.0, [x], [4.0]) * x, x)
    for partials, error in (([1.0, 2.0], ValueError), (["1"], TypeError), (1.0, TypeError)):
        with pytest.raises(error, match=r"partial|number"):
            Value(1.0, [x], partials)


def test_through_a_detached_value_no_derivative_flows():
    """To no order and in no mode; its number passes."""
    x = Value(3.0)
    y = x.detach() * x
    assert (y.data, grad(y, x), jvp(y, {x: 1.0}), hessian(y * x, x)) == (9.0, [3.0], 3.0, [[6.0]])


def test_operators_and_methods_record_the_rows_of_their_names():
    """With the very numbers of floats, reflected or not; maximum and minimum take two plain numbers, too."""
    for f in [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]:
        for a, b in [(2.5, 3.0), (0.1, -0.7), (7.0, 2.0)]:
            assert f(Value(a), Value(b)).data == f(Value(a), b).data == f(a, Value(b)).data == f(a, b)
    for name in UNARY_METHODS:
        y = getattr(Value(0.5), name)()
        assert (y.op, y.data) == (ops.TABLE[name], ops.TABLE[name](0.5))
    assert (maximum(2, 3), minimum(2, 3), +Value(2), -Value(2), abs(Value(-2))) == (3, 2, 2, -2, 2)


def test_what_would_be_a_slip_is_refused():
    """A subclass, an attribute that is none (an optimizer's, say), data for what was computed: each with what to do."""
    y = Value(2.0) * 3.0
    with pytest.raises(TypeError, match=r"ops\.row"):
        type("Number", (Value,), {})
    with pytest.raises(AttributeError, match=r"'\*'"):
        y.data = 7.0
    assert y.data == 6.0
    for node in (Value(2.0), y):
        with pytest.raises(AttributeError, match="keep it in a list"):
            node.m = 0.0


# A million nodes.


@pytest.mark.parametrize(
    ("link", "length"), [(lambda y, x: y + x, 1_000_000), (lambda y, x: dot([y, 0.0], [1.0, y], x), 50_000)]
)
def test_a_chain_of_a_million_nodes_builds_differentiates_and_is_freed(
    link, length, without_gc, default_recursion_limit
):
    """At Python's default recursion limit, and without the garbage collector's help."""
    y = x = Value(1.0)
    for _ in range(length):
        y = link(y, x)
    witnesses = [weakref.ref(y), weakref.ref(y.parents[0]), weakref.ref(y.parents[0].parents[0])]
    y.backward()
    assert (y.data, x.grad) == (length + 1.0, length + 1.0)
    del y
    assert [witness() for witness in witnesses] == [None] * 3
    assert sys.getrefcount(x) < 10


def differentiated(x):
    y = everything(x, x + 1.0)
    y.backward()
    return y


def copied_by(how):
    """The graph after something has copied it, and the copy itself."""
    return {
        f"after {how.__name__}": lambda x: (y := differentiated(x), how([y, x]))[0],
        f"made by {how.__name__}": lambda x: how(differentiated(x)),
    }


def pickled(graph, dumps=pickle.dumps, protocol=pickle.HIGHEST_PROTOCOL):
    return pickle.loads(dumps(graph, protocol))


def pickled_in_python(graph):
    return pickled(graph, pickle._dumps)


def refused(x):
    y = x - 1.0
    for wrong in (y.log, y.sqrt, lambda: y**0.5, lambda: y / 0.0, lambda: y + "1", lambda: maximum(y, None)):
        with pytest.raises((ValueError, ZeroDivisionError, TypeError)):
            wrong()
    return y


def without_derivative(x):
    y = (x - 0.5).sqrt()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            y.backward()
    return y


GRAPHS = {"recorded": lambda x: everything(x, x), "differentiated": differentiated, "refused": refused}
GRAPHS |= {"without derivative": without_derivative, "copied": lambda x: copy.copy(differentiated(x))}
GRAPHS |= copied_by(pickled) | copied_by(pickled_in_python) | copied_by(copy.deepcopy)


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_graph_is_freed_with_the_last_reference_to_it(graph, without_gc):
    """No reference cycles: it is gone at once, used or unused, copied, and after errors that were handled."""
    y = GRAPHS[graph](Value(0.5))
    witness = weakref.ref(y)
    del y
    assert witness() is None


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
    """Of graphs, and of nets made with a seed: two processes, two values of PYTHONHASHSEED, one output."""
    home = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = [sys.executable, "-W", "error", "-c", BITS]
    one, other = (subprocess.check_output(run, env=home | {"PYTHONHASHSEED": seed}) for seed in ("0", "4242"))
    assert one == other
    assert len(one) > 10_000


# Copies. That a copy can be used as the original, test_graphs says.


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
        assert a.op is b.op
        assert (a.data, a.grad, a.label, a.partials) == (b.data, b.grad, b.label, b.partials)
        stack += zip(a.parents, b.parents, strict=True)


COPIES = [copy.deepcopy, pickled, pickled_in_python, lambda graph: pickled(graph, protocol=2)]
each_copy = pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle", "pickle in Python", "protocol 2"])


@each_copy
def test_a_copied_graph_is_the_same_graph(copied):
    """Numbers, gradients, labels, operations and sharing come through bit for bit, of a leaf, too."""
    a, b = Value(0.1, label="a"), Value(-0.7, label="β")
    y = everything(a, b)
    y.label = "y"
    y.backward()
    for root in (y, a):
        assert_same_graph(root, copied(root))


@each_copy
def test_a_graph_far_deeper_than_the_recursion_limit_is_copied(copied, default_recursion_limit):
    x = Value(1.0, label="x")
    y = chain(x, 20_000)
    y.backward()
    new = copied([y, x])
    assert_same_graph(y, new[0])
    new[0].backward()
    assert new[1].grad == 2 * x.grad == 20_002.0


def test_a_graph_can_be_pickled_again_and_again(tmp_path, default_recursion_limit):
    """After a pickle, after a failed one, while another pickler still lives, and as part of a larger graph."""
    y = chain(Value(1.0), 10_000)
    first = pickle.dumps(y)
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps([y, lambda: 0])
    y.backward()
    pickle.loads(pickle.dumps([y * 2.0, y]))
    assert len(first) == len(pickle.dumps(y))
    with (tmp_path / "one").open("wb") as one, (tmp_path / "two").open("wb") as two:
        picklers = pickle.Pickler(one), pickle.Pickler(two)
        for pickler in picklers:
            pickler.dump(y)
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
    node.backward()
    assert (x.data, x.grad, y.grad, node.grad, leaf.grad) == (2.0, 4.0, 0.0, 1.0, 0.0)


# Domains.


def partials(op, point):
    return op.partials(*point, op.value(*point))


def refusals(op, f, numbers):
    """The points among these at which f of the row raises."""
    for point in itertools.product(numbers, repeat=oracles.arity(op)) if op != "dot" else []:
        try:
            f(op, point)
        except (ValueError, ArithmeticError) as error:
            yield point, type(error)


@pytest.mark.parametrize("op", ROWS, ids=str)
def test_leaving_the_domain_names_operation_number_and_label(op):
    """An error of Python's own kind at the operation itself, with all that one needs to find it in a graph."""
    found = list(refusals(op, lambda op, point: op.value(*point), (-2.0, 0.0, 1e300, math.inf)))
    assert op.domain or not found
    for point, error in found:
        operands = [Value(x, f"x{k}") for k, x in enumerate(point)]
        for plain in range(len(point)):  # how many of them are plain numbers
            mixed = [*point[:plain], *operands[plain:]]
            with pytest.raises(error) as caught:
                op(*mixed)
            for part in (f"'{op}'", *map(repr, point), *[f"'x{k}'" for k in range(plain, len(point))], op.domain):
                assert part in str(caught.value)


NO_SLOPE = [
    (op, point)
    for op in ROWS
    for point, _ in refusals(op, partials, (0.0, 1.0))
    if point not in dict(refusals(op, lambda op, point: op.value(*point), (0.0, 1.0)))
]
assert {op for op, _ in NO_SLOPE} >= {"sqrt", "**0.5", "xlogy", "xlog1my"}


@pytest.mark.parametrize(("op", "point"), NO_SLOPE, ids=str)
def test_a_value_without_derivative_is_said_by_every_mode(op, point):
    """As √0: backward through it, or through a copy, raises, naming it, and no gradient has changed by then."""
    x, w = [Value(number, f"x{k}") for k, number in enumerate(point)], Value(3.0)
    inner = w * 2.0
    y = inner + op(*x) * w
    assert y.data == 6.0 + 3.0 * op(*point)
    nodes = [*x, w, inner, y]
    for k, node in enumerate(nodes):
        node.grad = 10.0 + k
    modes = [y.backward, lambda: grad(y, x), lambda: jvp(y, dict.fromkeys(x, 1.0)), lambda: hessian(y, x)]
    for mode in [*modes, y.backward, *[copied(y).backward for copied in COPIES]]:
        with pytest.raises((ValueError, ArithmeticError)) as caught:
            mode()
        assert all(part in str(caught.value) for part in ("derivative", f"'{op}'", *[f"'{leaf.label}'" for leaf in x]))
    assert [node.grad for node in nodes] == [10.0 + k for k in range(len(nodes))]
    inner.backward()
    assert w.grad == 10.0 + len(x) + 2.0


# What is taken for a number, and what is not.

ACCEPTED = [3, 0.25, -0.0, 1e308, 5e-324, np.float64(0.1), np.float32(0.1), np.float16(0.1), np.longdouble(0.5)]
ACCEPTED += [np.int8(-3), np.int64(2**40), np.uint8(200)]


@pytest.mark.parametrize("number", ACCEPTED, ids=lambda n: f"{type(n).__name__}-{n}")
def test_real_numbers_of_python_and_numpy_are_taken(number):
    """As data, new or assigned, as operand and exponent; what is kept is a float of the same value."""
    x, v = Value(2.0), Value(number)
    assert (type(v.data), v.data) == (float, number)
    v.data = 1.0
    v.data = number
    assert (type(v.data), v.data) == (float, number)
    assert (Value(1.0) ** number).op == ops.power(float(number))
    for f, plain in [(f, f) for f in (operator.add, operator.sub, operator.mul)] + [(maximum, max)]:
        for y, expected in ((f(x, number), plain(2.0, float(number))), (f(number, x), plain(float(number), 2.0))):
            assert (type(y), type(y.data), y.data) == (Value, float, expected)
    y = dot([number, x], [x, number], number)
    y.backward()
    assert x.grad == 2.0 * float(number)


REFUSED = [True, np.bool_(True), "1", np.str_("1"), b"1", 1j, np.complex128(1), None, [1.0], (1.0,), {1.0}, object()]
REFUSED += [np.array(1.0), np.array([1.0, 2.0]), np.array([[Value(1.0)]], dtype=object)]


@pytest.mark.parametrize("thing", REFUSED, ids=lambda x: f"{type(x).__name__}{getattr(x, 'shape', '')}")
def test_what_is_no_number_is_refused_with_what_arrived(thing):
    """As data, as operand, as exponent, as element or bias of a dot, in maximum and minimum: a TypeError that says so."""
    x = Value(2.0)
    uses = [
        lambda: Value(thing),
        lambda: setattr(x, "data", thing),
        lambda: maximum(x, thing),
        lambda: minimum(thing, x),
        lambda: dot([x, thing], [1.0, 2.0]),
        lambda: dot([1.0, 2.0], [x, thing]),
        lambda: dot([x], [1.0], thing),
    ]
    if not isinstance(thing, np.ndarray):  # an array beside an operator is gone through element by element
        uses += [lambda: x + thing, lambda: thing - x, lambda: x * thing, lambda: thing / x, lambda: x**thing]
    for use in uses:
        with pytest.raises(TypeError, match=type(thing).__name__.removeprefix("nd").rstrip("128")):
            use()
    assert x.data == 2.0


def test_values_labels_and_whole_numbers_that_do_not_fit_are_refused():
    """A Value in a Value, a label that is no text, 10**400: each with what arrived."""
    with pytest.raises(TypeError, match="Value"):
        Value(Value(1.0))
    with pytest.raises(TypeError, match="label"):
        Value(1.0, label=1)
    for use in (lambda: Value(10**400), lambda: Value(1.0) + 10**400):
        with pytest.raises(OverflowError):
            use()


def test_dot_takes_constants_on_either_side():
    w, x = [Value(2.0), Value(3.0)], Value(4.0)
    for inputs in ([10, 1], (10.0, 1.0), np.array([10.0, 1.0]), np.array([10, 1]), (x for x in (10, 1))):
        z = dot(w, inputs, 0.5)
        assert (z.data, grad(z, w)) == (23.5, [10.0, 1.0])
    for weights in ([2.0, 1.0], np.array([2.0, 1.0]), (2, 1)):
        z = dot(weights, [x, 1.0], 1)
        assert (z.data, grad(z, x)) == (10.0, [2.0])
    assert dot(np.array(w), np.array([x, x])).data == 20.0
    assert dot([], [], bias=Value(3.0)).data == 3.0


@pytest.mark.parametrize(("w", "x"), [([1.0, 2.0], [Value(1.0)]), ([Value(1.0)], [1.0, 2.0, 3.0]), ([], [Value(1.0)])])
def test_dot_needs_one_weight_per_input(w, x):
    """A wrong number is a ValueError that tells both, never a truncation."""
    with pytest.raises(ValueError, match=rf"(?s){len(w)}.*{len(x)}"):
        dot(w, x)


@pytest.mark.parametrize("thing", [3.0, Value(1.0), None, "12", b"12", np.array(1.0), np.ones((2, 2))], ids=type)
def test_dot_needs_sequences(thing):
    """What is no flat sequence of numbers is a TypeError on both sides, about the sequence and not its elements."""
    for w, x in ((thing, [1.0, 2.0]), ([1.0, 2.0], thing)):
        with pytest.raises(TypeError, match="sequence"):
            dot(w, x)


# Comparison and hash.


def test_values_compare_by_their_data():
    """With each other and with plain numbers on either side, all six comparisons, and truth."""
    numbers = [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (0.0, -0.0), (math.nan, 1.0), (math.inf, 1.0)]
    for f in [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]:
        for a, b in numbers:
            assert f(Value(a), Value(b)) is f(a, b)
            for number in (float, np.float64, np.float32):
                assert bool(f(Value(a), number(b))) is bool(f(number(a), Value(b))) is f(a, b)
    assert max(Value(1), Value(3), Value(2)) == 3
    assert sorted([Value(2), Value(1)]) == [1, 2]
    for number in (0.0, -0.0, 1e-300, -2.0, math.inf, math.nan):
        assert bool(Value(number)) is bool(number)


@pytest.mark.parametrize("thing", ["1.0", None, [1.0], object(), 1j + 1], ids=type)
def test_comparing_with_what_is_no_number_is_false_or_refused(thing):
    """== is False and != is True, an order is a TypeError, as for floats."""
    assert operator.eq(Value(1.0), thing) is operator.eq(thing, Value(1.0)) is False
    assert operator.ne(Value(1.0), thing) is operator.ne(thing, Value(1.0)) is True
    for f in (operator.lt, operator.le, operator.gt, operator.ge):
        for a, b in ((Value(1.0), thing), (thing, Value(1.0))):
            with pytest.raises(TypeError):
                f(a, b)


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
    y = np.exp(np.tanh(w @ x0 + b))
    (y * y).sum().backward()
    z0 = w0 @ x0 + b0
    slope = 2 * np.exp(2 * np.tanh(z0)) * (1 - np.tanh(z0) ** 2)
    grads = np.vectorize(lambda v: v.grad, otypes=[float])
    # Sums of 4 and products of 5 numbers of size about 1: 1e-14 is 100 U.
    np.testing.assert_allclose(grads(b), slope, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(grads(w), np.outer(slope, x0), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "cos", "tanh", "absolute", "negative", "square"])
def test_a_ufunc_of_values_is_the_ufunc_of_their_data(name):
    f = getattr(np, name)
    numbers = np.array([0.5, 1.5, 3.0])
    values = np.array([Value(v) for v in numbers])
    # NumPy's own loops may differ from the C library's by a unit or two in the last place.
    np.testing.assert_allclose([v.data for v in f(values)], f(numbers), rtol=1e-15)
    assert f(Value(0.5)).data == f(values)[0].data
    f(values).sum().backward()
    assert all(v.grad != 0.0 for v in values)


def test_np_maximum_and_minimum_pick_values():
    a, b = np.array([Value(1.0), Value(5.0)]), np.array([Value(2.0), Value(3.0)])
    (np.maximum(a, b).sum() + 10.0 * np.minimum(a, b).sum()).backward()
    assert [v.grad for v in (*a, *b)] == [10.0, 1.0, 1.0, 10.0]


@pytest.mark.parametrize("f", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow])
def test_a_value_beside_an_array_is_taken_with_each_element(f):
    """Value ∘ array and array ∘ Value, float and object arrays; a NumPy number on the left gives a Value."""
    x, a = Value(2.0), np.array([1.0, 3.0])
    for array in (a, a.astype(object), np.array([Value(1.0), Value(3.0)])):
        assert [v.data for v in f(x, array)] == [f(2.0, 1.0), f(2.0, 3.0)]
        assert [v.data for v in f(array, x)] == [f(1.0, 2.0), f(3.0, 2.0)]
    for kind in [np.float64, np.float32, np.float16, np.int64, np.int8, np.longdouble]:
        y = f(kind(4), x)
        assert (type(y), y.data) == (Value, f(4.0, 2.0))
        assert y.parents[1] is x
