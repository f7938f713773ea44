"""What once went wrong without a word: right, or refused."""

import itertools
import math
import pickle
import random
import sys

import numpy as np
import oracles
import pytest

import microgradnet as m
from microgradnet import MLP, Value, compile, cross_entropy, ops, quadratic, train

W = Value(1.0, label="w")
BATCHES = [1, 40]  # plain floats, and arrays


# What a compiled program may reorder.


@pytest.mark.parametrize("K", BATCHES)
@pytest.mark.parametrize(
    ("function", "numbers"),
    [
        (lambda x: (1e-200 * x[0]) * x[1], [1e200, 1e200]),
        (lambda x: 1e200 * (1e200 * (W * x[0])), [1e-300, 0.0]),
        (lambda x: (x[0] / 1e200) / 1e200 * 1e300, [1e150, 1.0]),
    ],
)
def test_factors_stay_where_they_are(function, numbers, K):
    """Only together do they overflow or vanish: values and gradients are the eager ones."""
    fast = compile(function, 2)
    y = function([Value(number) for number in numbers])
    assert fast([numbers] * K) == pytest.approx([y.data] * K, rel=1e-15)
    if fast.parameters:
        assert fast.value_and_grad([numbers] * K)[1] == pytest.approx(m.grad(y, W), rel=1e-13)


@pytest.mark.parametrize("K", BATCHES)
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[1] * x[2] + (x[0] + -x[0]),  # brackets stay
        lambda x: x[0] * x[1] + -x[0] + x[1] * x[2],  # products do not come first
        lambda x: sum([W * x[1], W * x[2]], x[0] + -x[0]),
        lambda x: (x[1] + x[2]) + (x[0] + -x[0] + W),
        lambda x: -x[0] + W * x[0] + W,  # a bias is no part of a dot behind a term
        lambda x: x[1] + (W * x[0] + -x[0] * x[1]),
    ],
)
def test_sums_are_taken_in_the_order_in_which_they_are_written(function, K):
    """Where 1e20 and its opposite meet first, what comes after them is not lost."""
    numbers = [1e20, 1.0, 3.0]
    y = function([Value(number) for number in numbers]).data
    assert y != 0.0
    assert compile(function, 3)([numbers] * K).tolist() == [y] * K


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus"])
def test_derivatives_keep_their_digits_for_every_float(name, order):
    """Near 0, where σ(−x) − σ(x) would cancel, and in the tails: 8 ulp, eagerly, in forward mode and compiled."""
    w = Value(0.0)

    def derivative(x, order):
        y = ops.named(name)(w + x)
        for _ in range(order):
            (y,) = m.grad(y, [w], create_graph=True)
        return y

    fast = [compile(lambda x, n=n: derivative(x[0], n), 1) for n in (order - 1, order)]
    for x in [0.0, 5e-324, 1e-300, 1e-160, 1e-16, 1e-8, 1e-3, 0.5, 1.0, 2.0, 20.0, 36.0, 700.0, 720.0, 745.0, 1e150]:
        for point in (x, -x):
            exact = oracles.derivative(name, (point,), *[0] * order)
            allowed = 8 * math.ulp(exact) + 1e-50 * (x == 0.0)  # as the differences are not quite 0 there
            found = [derivative(point, order).data, m.jvp(derivative(point, order - 1), {w: 1.0})]
            for batch in [[[point]] * K for K in BATCHES]:
                found += [fast[1](batch)[-1], fast[0].value_and_grad(batch)[1][0]]
            assert max([abs(y - exact) for y in found]) <= allowed, f"{found} at {point}, not {exact}"


# Random programs with factors far apart. A sum in any order is off by at most n U Σ|terms|, and a function by a few last
# digits of its own; enclosures carry both through the graph, and through that of the gradient.

U, TINY, MOST = 2.0**-53, 2.0**-1074, sys.float_info.max
MONOTONE = ("+", "-", "*", "neg", "maximum", "minimum", "tanh", "sigmoid", "softplus", "relu", "detach", "step")


def enclosures(outputs):
    """Of each node, the smallest and the largest number that it may have."""
    found, sizes = {}, {}
    for node in m.nodes(*outputs):
        of, size = [found[parent] for parent in node.parents], None
        if not of:
            ends = [node.data]
        elif node.op == "dot":
            half = len(of) // 2
            pairs = zip(of[:half], of[half + 1 :], strict=True)
            terms = [[w * x for w, x in itertools.product(*pair)] for pair in pairs] + [of[half]]
            ends = [sum(map(min, terms)), sum(map(max, terms))]
            size = sum(map(largest, terms))
        else:
            if node.op == "sigmoid_slope":  # largest where x is nearest to 0
                of = [[*of[0], sorted([*of[0], 0.0])[1]]]
            else:
                assert node.op in MONOTONE
            ends = [node.op.value(*corner) for corner in itertools.product(*of)]
            if node.op in ("+", "-"):
                size = sum(sizes[parent] for parent in node.parents)
        error = 8 * U * largest(ends) + 4 * TINY if of else 0.0
        error += len(sizes) * (U * size + TINY) if size is not None else 0.0
        low, high = float(np.min(ends)) - error, float(np.max(ends)) + error
        # What reaches the largest float may be infinite, or have come back from there; infinity minus itself is anything.
        found[node] = low if low > -MOST else -math.inf, high if high < MOST else math.inf
        sizes[node] = largest(found[node]) if size is None else size
    return [found[output] for output in outputs]


def largest(ends):
    return max(map(abs, ends))


def far_apart(rng, parameters):
    """A program of 3 to 15 steps, as a function of three inputs."""
    count = rng.randint(3, 15)
    steps = [(rng.choice(STEPS), rng.choice(FACTORS), [rng.randrange(60) for _ in range(4)]) for _ in range(count)]

    def function(x):
        pool = [*x, *parameters]
        for step, c, picked in steps:
            pool.append(step(c, *[pool[-1 - i % len(pool)] for i in picked]))
        return sum(pool[-4:])

    return function


FACTORS = [1e-200, 1e200, 1e100, 1e-100, -1e150, 1e-300, 3.0, 0.0]
STEPS = [
    lambda c, x, y, v, w: c * x,
    lambda c, x, y, v, w: x + c,
    lambda c, x, y, v, w: c - x,
    lambda c, x, y, v, w: x * y,
    lambda c, x, y, v, w: x + y + -v,
    lambda c, x, y, v, w: x + (y - v),
    lambda c, x, y, v, w: x * y + v * w + y,
    lambda c, x, y, v, w: m.dot([x, y], [v, w], y),
    lambda c, x, y, v, w: m.maximum(x, y),
    lambda c, x, y, v, w: x.tanh(),
    lambda c, x, y, v, w: x.sigmoid() * y,
    lambda c, x, y, v, w: x.softplus(),
    lambda c, x, y, v, w: x.relu() + y,
    lambda c, x, y, v, w: x.detach() * y,
]


@pytest.mark.parametrize("seed", range(1770, 1830))
def test_no_order_and_no_factor_loses_more_than_its_sums_allow(seed):
    """Values and gradients, one sample by plain floats and many in arrays."""
    rng = random.Random(seed)
    parameters = [Value(rng.uniform(-1, 1)) for _ in range(3)]
    function = far_apart(rng, parameters)
    numbers = [rng.choice([1.0, 1e100, 1e-100, 1e150]) * rng.uniform(-2, 2) for _ in range(3)]
    y = function([Value(number) for number in numbers])
    slopes = m.grad(y, parameters, create_graph=True)
    fast = compile(function, 3, parameters=parameters)
    ((low, high),), bounds = enclosures([y]), enclosures(slopes)
    for K in BATCHES:
        if not math.isnan(y.data):
            assert low <= fast([numbers] * K)[-1] <= high
        _, gradient = fast.value_and_grad([numbers] * K)
        for found, slope, ends in zip(gradient, slopes, bounds, strict=True):
            more = (K + 2) * U * largest(ends)  # of the mean
            assert math.isnan(slope.data) or ends[0] - more <= found <= ends[1] + more


def test_a_force_law_keeps_its_digits_in_float32():
    """G m M / r² with masses and distances of planets: each intermediate result lies in float32's range."""

    def force(x):
        return (6.674e-11 * x[0]) * (x[1] / (x[2] * x[2]))

    numbers = [5.972e24, 7.348e22, 3.844e8]
    fast = compile(force, 3, dtype=np.float32)
    assert fast([numbers] * 40) == pytest.approx([force(numbers)] * 40, rel=1e-6)


def test_what_leaves_float32_is_named():
    """exp(100) fits a float, and no float32."""
    fast = compile(lambda x: x[0].exp() / (x[0].exp() + 1.0), 1, dtype=np.float32)
    with pytest.raises(OverflowError, match=r"sample 1: 'exp' of 100\.0 .*float32.*float64"):
        fast([[1.0], [100.0]])


def test_what_is_lost_inside_an_operation_is_refused(table):
    """The array form of a row passes through infinity, and its result, which would fit, is not made up."""
    length = ops.row(
        "length",
        lambda a, b: math.hypot(a, b) + 1.0,
        lambda a, b, out=None: np.add(np.sqrt(a * a + b * b), 1.0, out=out),
        lambda a, b, y: (a / (y - 1.0), b / (y - 1.0)),
    )
    fast = compile(lambda x: (1e-20 * length(W * x[0], x[0])).tanh(), 1, dtype=np.float32)
    assert np.isfinite(fast([[1.0]] * 3)).all()
    for call in (fast, fast.value_and_grad):
        with pytest.raises(OverflowError, match=r"sample 1: numbers inside.*array form.*float32.*float64"):
            call([[1.0], [1e20], [2.0]])
    below = ops.row("below", lambda x: x, lambda x, out=None: np.subtract(x, 1e-30, out=out), lambda x, y: (1.0,))
    with pytest.raises(ValueError, match=r"sample 2: .*edge of its domain"):  # as a dot in another order
        compile(lambda x: below(x[0]).sqrt(), 1)([[1.0], [4.0], [0.0]] * 30)


@pytest.mark.parametrize("K", [1, 2, 40])
def test_what_floats_lose_in_silence_is_computed_in_arrays(K, table):
    """A sum that is infinite below a sigmoid, gradients whose sum overflows, a row that gives NumPy's floats."""
    w, v, shift = Value(1e200), Value(1e-300), ops.row("shift", np.float64, np.positive, lambda x, y: (1.0,))
    cases = [
        (lambda x: (w * x[0]).tanh() + (w * x[0]).sigmoid(), [-1e200], -1.0, 0.0),
        (lambda x: v * x[0], [1.5e308], 1.5e8, 1.5e308),
        (lambda x: x[0].sqrt() + v / (1.0 + x[1] * x[1]), [0.0, 1e200], 0.0, 0.0),
    ]
    for function, x, value, slope in cases:
        found = compile(function, len(x)).value_and_grad(np.array([x] * K))
        assert found == (pytest.approx(value, rel=1e-14), pytest.approx([slope], rel=1e-14))
    with pytest.raises(ZeroDivisionError, match=r"sample 0: .*'/'"):
        compile(lambda x: 1.0 / shift(w * x[0]), 1)(np.zeros((K, 1)))


NAMES = ["power_3", "ﬁ", "fi", "class", "a b", "a-b", "a_b", "x", "theta", "multiply", "w0", "f1", "op1"]
NAMES += ["regroup", "logistic", "parameters", "matmul", "numbers", "first largest", "take"]  # ﬁ is fi under NFKC


@pytest.mark.parametrize("K", BATCHES)
def test_rows_go_by_numbers_in_the_source(K, table):
    """Names like ours, or no names at all, run their own functions."""
    rows = [
        ops.row(
            name,
            lambda x, k=k: k * math.sinh(x),
            lambda x, out=None, k=k: np.multiply(k, np.sinh(x), out=out),
            lambda x, y, k=k: (k * ops.sigmoid(x),),
        )
        for k, name in enumerate(NAMES, 2)
    ]
    fast = compile(lambda x: sum([row(x[0]) for row in rows], x[0] ** 3 * W), 1)
    expected = sum(k * math.sinh(0.7) for k in range(2, 2 + len(NAMES))) + 0.7**3
    assert fast([[0.7]] * K) == pytest.approx([expected] * K, rel=1e-14)
    assert fast.value_and_grad([[0.7]] * K) == (pytest.approx(expected, rel=1e-14), pytest.approx([0.7**3], rel=1e-14))


COSTS = [
    lambda x, r: cross_entropy([x[0].sigmoid(), x[1].sigmoid()], r),
    lambda x, r: cross_entropy([0.5 * x[0], 0.5 * x[1]], r),
    lambda x, r: m.softmax_cross_entropy(x, r),
    lambda x, r: cross_entropy(x[0].sigmoid(), r[1]),
]


@pytest.mark.parametrize("K", BATCHES)
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("bad", [1.5, -0.25])
def test_targets_beyond_0_and_1_do_not_reach_a_compiled_cost(cost, K, bad):
    """The sample is named; good targets at the ends of the range are none the worse."""
    fast = compile(cost, 2, 2)
    X, R = np.full((K, 2), 0.5), np.tile([0.0, 1.0], (K, 1))
    assert np.isfinite(fast(X, R)).all()
    R[-1, 1] = bad
    for call in (fast, fast.value_and_grad, pickle.loads(pickle.dumps(fast))):
        with pytest.raises(ValueError, match=rf"sample {K - 1}: input 2 holds {bad} in column 1: targets lie between"):
            call(X, R)


def test_numbers_beyond_float32_are_refused_wherever_they_come_from():
    """Inputs, given and present parameters, constants; the parameters themselves are floats."""
    w = Value(1.0)
    fast = compile(lambda x: w * x[0], 1, dtype=np.float32)
    fast.assign([1e300])
    assert w.data == 1e300
    for call, where in (
        (lambda: fast([[1e300]], theta=[1.0]), "input 1"),
        (lambda: fast.value_and_grad([[0.0]], theta=[1e300]), "theta"),
        (lambda: fast([[0.0]]), "theta"),
        (lambda: compile(lambda x: x[0] * 1e300, 1, dtype=np.float32), "the function"),
    ):
        with pytest.raises(OverflowError, match=rf"{where} holds 1e[+]300"):
            call()


# What is stale.


def mine(n):
    """A row of that name: n times its operand."""
    return ops.row("mine", lambda x: n * x, lambda x, out=None: np.multiply(n, x, out=out), lambda x, y: (n,))


def test_a_row_that_is_replaced_is_not_mixed_with_the_new_one(table):
    """What was compiled keeps its row; its pickle, a new recording and a pickled graph's second derivatives are refused."""
    old = mine(2.0)
    fast, y = compile(lambda x: old(W * x[0]), 1), old(W)
    pickled, graph = pickle.dumps(fast), pickle.dumps(y)
    new = mine(3.0)
    for K in BATCHES:
        assert fast([[1.0]] * K).tolist() == [2.0] * K
        value, gradient = fast.value_and_grad([[1.0]] * K)
        assert (value, gradient.tolist()) == (2.0, [2.0])
    with pytest.raises(ValueError, match=r"'mine' has changed.*compile it again"):
        pickle.loads(pickled)
    with pytest.raises(ValueError, match="'mine' was replaced"):
        compile(lambda x: new(x[0]) + y, 1)
    loaded = pickle.loads(graph)
    assert m.grad(loaded, loaded.parents) == [2.0]
    with pytest.raises(RuntimeError, match="the row 'mine' was changed"):
        m.grad(loaded, loaded.parents, create_graph=True)
    mine(2.0)
    assert pickle.loads(pickled)([[1.0]]) == [2.0]


# What is accepted.


def of_another_kind(x, y):
    return (2.0 * x if isinstance(x, float) else 7.0,)


@pytest.mark.parametrize(
    "partials",
    [
        lambda x, y: (2.0 * x if x > 0.0 else 0.0,),
        lambda x, y: (2.0 * x if x else 0.0,),
        lambda x, y: (2.0 * math.fabs(x),),
        of_another_kind,
    ],
)
def test_partials_that_run_on_numbers_alone_are_not_compiled(partials, table):
    """They serve the eager engine, on numbers."""
    mine = ops.row("mine", lambda x: x * abs(x), None, partials)
    assert m.grad(mine(W), [W]) == [2.0]
    with pytest.raises(TypeError, match=r"the partials of 'mine' cannot be compiled.*ops\.step"):
        compile(lambda x: mine(W * x[0]), 1)


CALLS = {
    "quadratic": lambda some: quadratic(some([W, W]), some([1.0, 0.0])),
    "cross_entropy": lambda some: cross_entropy(some([W.sigmoid(), W.sigmoid()]), some([1.0, 0.0])),
    "softmax_cross_entropy": lambda some: m.softmax_cross_entropy(some([W, W]), some([1.0, 0.0])),
    "gradcheck": lambda some: m.gradcheck(lambda a, b: a * b, some([1.0, 2.0])).differences,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_generator_is_as_good_as_a_list(call):
    assert call(iter) == call(list)


ONCE = iter([1.0]), "a list_iterator, whose items can be taken only once"
MASKED = np.ma.array([1.0], mask=[True]), "masked array"


@pytest.mark.parametrize(("given", "words"), [ONCE, MASKED])
@pytest.mark.parametrize(
    "call",
    [
        lambda given: compile(lambda x: x[0] * W, 1)(given),
        lambda given: compile(lambda x: x[0] * W, 1).value_and_grad([[1.0]], theta=given),
        lambda given: train(MLP(1, [1]), given, [[1.0]]),
        lambda given: train(MLP(1, [1]), [[1.0]], [[1.0]], validation=(given, [1.0])),
    ],
)
def test_data_of_which_not_every_number_can_be_used_are_refused(call, given, words):
    with pytest.raises(TypeError, match=words):
        call(given)


def test_a_generator_is_no_pair_no_widths_and_no_number():
    for call in (lambda once: train(MLP(1, [1]), [[1.0]], [[1.0]], validation=once), lambda once: MLP(1, once), Value):
        with pytest.raises((TypeError, ValueError), match=ONCE[1]):
            call(iter([1.0, 2.0]))


@pytest.mark.parametrize("K", BATCHES)
def test_minus_zero_is_not_zero(K):
    """As a factor, as a leaf, and beside its opposite."""
    fast = compile(lambda x: [x[0] * -0.0, Value(-0.0) * x[0], x[0] * 0.0], 1)
    assert (np.signbit(fast([[2.0]] * K)) == [True, True, False]).all()
