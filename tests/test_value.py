"""`Value`: what a node holds, how it is freed and copied, what it takes and refuses, and how it gets on with NumPy.

That numbers, gradients and copies are right, whatever a user does to a graph, test_ops and test_graphs say.
"""

import copy
import functools
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
from test_graphs import COPIES, REFUSED

from microgradnet import Value, dot, grad, hessian, jvp, maximum, minimum, ops

ROWS = [*[op for op in ops.TABLE.values() if op != "dot"], *map(ops.power, (2, -1, 0.5))]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@pytest.fixture
def bare_python():
    """Python's own recursion limit, which nobody may change, and nothing but reference counts to free memory."""
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    assert sys.getrecursionlimit() == 1000
    sys.setrecursionlimit(old)


# A node.


def test_a_value_tells_how_it_was_computed():
    """data, grad, label, op, parents and partials; x*x has two parents, a dot its weights, its bias and its inputs."""
    x, w, b = Value(3, label="x"), Value(0.5), Value(2.0)
    y, z = x * w, dot([w, x], [x, 7.0], b)
    assert (x.data, x.grad, x.label, x.op, x.parents, x.partials) == (3.0, 0.0, "x", "", (), ())
    assert (y.data, y.grad, y.label, y.op, y.partials) == (1.5, 0.0, "", "*", (0.5, 3.0))
    assert (z.data, z.grad, z.op, z.partials) == (24.5, 0.0, "dot", (3.0, 7.0, 1.0, 0.5, 3.0))
    assert list(map(id, (*y.parents, *(x * x).parents))) == list(map(id, (x, w, x, x)))
    assert list(map(id, z.parents[:4])) == list(map(id, (w, x, b, x)))
    y.label = "y"
    assert (repr(y), repr(w)) == ("Value(data=1.5, grad=0.0, label='y')", "Value(data=0.5, grad=0.0)")


@pytest.mark.parametrize(
    "make",
    [
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
    for copied in [lambda graph: graph, *COPIES]:
        u, v, out = copied([x, w, z])
        assert grad(out, [u, v]) == [jvp(out, {u: 1.0}), jvp(out, {v: 1.0})] == [17.0, 4.0]
    assert Value(7.0, [], []).op == ""
    with pytest.raises(TypeError, match=r"ops\.row"):
        hessian(z, x)
    for partials, error in (([1.0, 2.0], ValueError), (["1"], TypeError), (1.0, TypeError)):
        with pytest.raises(error, match=r"partial|number"):
            Value(1.0, [x], partials)


# Long chains, and memory.


def chain(x, length, link=lambda y, x: y + x):
    return functools.reduce(link, itertools.repeat(x, length), x)


@pytest.mark.parametrize(
    ("length", "link"), [(1_000_000, lambda y, x: y + x), (20_000, lambda y, x: dot([y, 0.0], [1.0, y], x))]
)
def test_a_chain_of_a_million_nodes_builds_differentiates_and_is_freed(link, length, bare_python):
    """At Python's default recursion limit, and without the garbage collector's help."""
    x = Value(1.0)
    y = chain(x, length, link)
    witnesses = [weakref.ref(y), weakref.ref(y.parents[0]), weakref.ref(y.parents[0].parents[0])]
    y.backward()
    assert (y.data, x.grad) == (length + 1.0, length + 1.0)
    del y
    assert [witness() for witness in witnesses] == [None] * 3
    assert sys.getrefcount(x) < 10


def test_a_graph_can_be_copied_again_and_again(tmp_path, bare_python):
    """However long; after a failed pickle, while another pickler still lives, and as part of a larger graph."""
    x = Value(1.0)
    y = chain(x, 3_000)
    for copied in COPIES:
        new_y, new_x = copied([y, x])
        new_y.backward()
        assert (new_x.grad, x.grad) == (3_001.0, 0.0)
    first = pickle.dumps(y)
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps([y, lambda: 0])
    pickle.loads(pickle.dumps([y * 2.0, y]))
    with (tmp_path / "one").open("wb") as one, (tmp_path / "two").open("wb") as two:
        picklers = pickle.Pickler(one), pickle.Pickler(two)
        for pickler in picklers:
            pickler.dump(y)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == first


USES = {"recorded": lambda y: None, "differentiated": Value.backward, "copied": copy.copy}
USES |= {f"copied by {k}": copied for k, copied in enumerate(COPIES)}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_graph_is_freed_with_the_last_reference_to_it(use, bare_python):
    """No reference cycles: it is gone at once, and what was made of it as well."""
    a = Value(0.5)
    y = -maximum(dot([a, a, 2.0], [a, 1.0, a.exp()], a), (a + 1.0) ** a).sigmoid() - 1.0 / a
    made = use(y)
    witnesses = [weakref.ref(node) for node in (y, y.parents[0], made) if node is not None]
    del y, made
    assert [witness() for witness in witnesses] == [None] * len(witnesses)


BITS = """
from microgradnet import MLP, Value, cross_entropy
x, net = [Value(k / 3) for k in range(3)], MLP(3, [9, 3], seed=1)
cross_entropy(net(net(x)), [0, 0.5, 1]).backward()
print([v.grad.hex() for v in [*x, *net.parameters()]])
"""


def test_gradients_are_bit_identical_under_every_hash_seed():
    """Of graphs, and of nets made with a seed."""
    home = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = [sys.executable, "-W", "error", "-c", BITS]
    one, other = (subprocess.check_output(run, env=home | {"PYTHONHASHSEED": seed}) for seed in ("0", "4242"))
    assert one == other
    assert len(one) > 1_000


# Domains.


def refusals(op, numbers):
    """{point: type of the error} for the points among these at which the row raises; points with a value and no slope."""
    found, without_slope = {}, []
    for point in itertools.product(numbers, repeat=oracles.arity(op)):
        try:
            y = op.value(*point)
        except REFUSED as error:
            found[point] = type(error)
            continue
        try:
            op.partials(*point, y)
        except REFUSED:
            without_slope.append(point)
    return found, without_slope


@pytest.mark.parametrize("op", ROWS, ids=str)
def test_leaving_the_domain_names_operation_number_and_label(op):
    """An error of Python's own kind at the operation itself, with all that one needs to find it in a graph."""
    found, _ = refusals(op, (-2.0, 0.0, 1e300, math.inf))
    assert op.domain or not found
    for point, error in found.items():
        operands = [Value(x, f"x{k}") for k, x in enumerate(point)]
        for plain in range(len(point)):  # how many of them are plain numbers
            with pytest.raises(error) as caught:
                op(*point[:plain], *operands[plain:])
            for part in (f"'{op}'", *map(repr, point), *[f"'x{k}'" for k in range(plain, len(point))], op.domain):
                assert part in str(caught.value)


NO_SLOPE = [(op, point) for op in ROWS for point in refusals(op, (0.0, 1.0))[1]]
assert {op for op, _ in NO_SLOPE} >= {"sqrt", "**0.5", "xlogy", "xlog1my"}


@pytest.mark.parametrize(("op", "point"), NO_SLOPE, ids=str)
def test_a_value_without_derivative_is_said_by_every_mode(op, point):
    """As √0: backward through it, or through a copy, raises, naming it, before any gradient changes."""
    x, w = [Value(number, f"x{k}") for k, number in enumerate(point)], Value(3.0)
    y = w * 2.0 + op(*x) * w
    assert jvp(y, {w: 1.0}) == 2.0 + op(*point)  # the others are held fixed
    modes = [y.backward, lambda: grad(y, x), lambda: jvp(y, dict.fromkeys(x, 1.0)), lambda: hessian(y, x)]
    for mode in [*modes, *[copied(y).backward for copied in COPIES]]:
        with pytest.raises(REFUSED) as caught:
            mode()
        assert all(part in str(caught.value) for part in ("derivative", f"'{op}'", *[f"'{leaf.label}'" for leaf in x]))
    assert not any(leaf.grad for leaf in (w, *x))


# What is taken for a number, and what is not.

ACCEPTED = [3, -0.0, 1e308, np.float64(0.1), np.float16(0.1), np.longdouble(0.5), np.int64(2**40), np.uint8(200)]


@pytest.mark.parametrize("number", ACCEPTED, ids=lambda n: f"{type(n).__name__}-{n}")
def test_real_numbers_of_python_and_numpy_are_taken(number):
    """As data, new or assigned, as operand and exponent; what is kept is a float of the same value."""
    x, v = Value(2.0), Value(1.0)
    v.data = number
    assert type(v.data) is type(Value(number).data) is float
    assert v.data == Value(number).data == number
    assert (Value(1.0) ** number).op == ops.power(float(number))
    for f, plain in [(f, f) for f in OPERATORS[:3]] + [(maximum, max), (minimum, min)]:
        for y, expected in ((f(x, number), plain(2.0, float(number))), (f(number, x), plain(float(number), 2.0))):
            assert (type(y), type(y.data), y.data) == (Value, float, expected)
    assert maximum(number, number).data == (+v).data == number
    assert grad(dot([number, x], [x, number], number), x) == [2.0 * float(number)]


THINGS = [True, np.bool_(True), "1", b"1", 1j, np.complex128(1), None, [1.0], object(), np.array(1.0), np.ones((1, 2))]


@pytest.mark.parametrize("thing", THINGS, ids=lambda x: f"{type(x).__name__}{getattr(x, 'shape', '')}")
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


@pytest.mark.parametrize(
    ("slip", "error", "words"),
    [
        (lambda: Value(Value(1.0)), TypeError, "Value"),
        (lambda: Value(1.0, label=1), TypeError, "label"),
        (lambda: Value(10**400), OverflowError, "integer"),
        (lambda: Value(1.0) + 10**400, OverflowError, "integer"),
        (lambda: type("Number", (Value,), {}), TypeError, r"ops\.row"),
        (lambda: setattr(-Value(2.0), "data", 7.0), AttributeError, "'neg'"),
        (lambda: setattr(-Value(2.0), "m", 0.0), AttributeError, "keep it in a list"),
        (lambda: setattr(Value(1.0), "v", 0.0), AttributeError, "keep it in a list"),
    ],
)
def test_a_slip_is_refused(slip, error, words):
    """With what arrived, or with what to do."""
    with pytest.raises(error, match=words):
        slip()


def test_dot_takes_two_sequences_of_one_length():
    """Of Values, plain numbers or both, on either side; none at all gives the bias. No truncation, no strings."""
    w, x = [Value(2.0), Value(3.0)], Value(4.0)
    for numbers in ([10, 1], (10.0, 1.0), np.array([10.0, 1.0]), np.array([10, 1])):
        assert [grad(z, w) for z in (dot(w, iter(numbers), 0.5), dot(numbers, w, 1))] == [[10.0, 1.0]] * 2
    assert (dot(np.array(w), [x, 2.0], x).data, dot([], [], bias=Value(3.0)).data) == (18.0, 3.0)
    for thing in (3.0, x, "12", np.array(1.0), np.ones((2, 2)), [1.0]):
        for pair in ((thing, [1.0, 2.0]), ([1.0, 2.0], thing)):
            with pytest.raises((TypeError, ValueError), match=r"sequence|1.*2|2.*1"):
                dot(*pair)


# Comparison.


def test_values_compare_by_their_data():
    """With each other and with plain numbers on either side, as floats do; so does truth. Their hash is identity."""
    numbers = [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (0.0, -0.0), (math.nan, 1.0), (math.inf, 1.0)]
    for f in [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]:
        for a, b in numbers:
            assert f(Value(a), Value(b)) is f(Value(a), b) is f(a, Value(b)) is f(a, b)
            assert bool(f(Value(a), np.float32(b))) is bool(f(np.float64(a), Value(b))) is f(a, b)
        for thing in ("1.0", None, [1.0]):
            if f in (operator.eq, operator.ne):
                assert f(Value(1.0), thing) is f(thing, Value(1.0)) is (f is operator.ne)
            else:
                with pytest.raises(TypeError):
                    f(Value(1.0), thing)
    for number in (0.0, -0.0, 1e-300, math.inf, math.nan):
        assert bool(Value(number)) is bool(number)
    a, b = Value(1.0), Value(1.0)
    keys = {a: "a", b: "b"}
    a.data = 5.0
    assert (keys[a], keys[b]) == ("a", "b")


# NumPy.


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "sin", "cos", "tanh", "absolute", "negative", "square"])
def test_a_ufunc_of_values_is_the_ufunc_of_their_data(name):
    """In an array, with the slopes that the same function gives alone."""
    f, numbers = getattr(np, name), np.array([[0.5, 1.5], [3.0, 0.25]])
    values = np.vectorize(Value, otypes=[object])(numbers)
    # NumPy's own loops may differ from the C library's by a unit or two in the last place.
    np.testing.assert_allclose(np.vectorize(lambda v: v.data)(f(values)), f(numbers), rtol=1e-15)
    f(values).sum().backward()
    assert [v.grad for v in values.flat] == [grad(f(v), v)[0] for v in values.flat]


@pytest.mark.parametrize("f", OPERATORS)
def test_a_value_beside_an_array_is_taken_with_each_element(f):
    """Value ∘ array and array ∘ Value, float and object arrays; a NumPy number on the left gives a Value."""
    x, a = Value(2.0), np.array([1.0, 3.0])
    for array in (a, a.astype(object), np.array([Value(1.0), Value(3.0)])):
        assert [v.data for v in f(x, array)] == [f(2.0, 1.0), f(2.0, 3.0)]
        assert [v.data for v in f(array, x)] == [f(1.0, 2.0), f(3.0, 2.0)]
    for kind in [np.float64, np.float16, np.int64, np.longdouble]:
        y = f(kind(4), x)
        assert (type(y), y.data) == (Value, f(4.0, 2.0))
        assert y.parents[1] is x
