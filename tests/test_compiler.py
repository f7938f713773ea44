"""What `compile` promises around the numbers: source, parameters, errors, threads, pickles."""

import copy
import math
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import microgradnet as m
from microgradnet import Value, dot, kernels, quadratic
from microgradnet.compiler import replay

ONE = Value(1.0)


def small():
    """A net 3-4-2, its compiled quadratic cost, and a batch that is large enough for arrays."""
    net = m.MLP(3, [4, 2], seed=1)
    rng = np.random.default_rng(0)
    return (
        net,
        m.compile(lambda x, r: quadratic(net(x), r), 3, 2),
        (rng.normal(size=(100, 3)), rng.uniform(size=(100, 2))),
    )


# The source.


def test_source_is_what_runs():
    """Run by hand with the work arrays that it makes, the printed source gives the same bits."""
    _, fast, (X, R) = small()
    names = ("add", "empty", "matmul", "multiply", "square", "subtract", "vdot")
    namespace = {name: getattr(np, name) for name in names}
    namespace |= {"exp_minus": kernels.exp_minus, "logistic": kernels.logistic, "exp": math.exp}
    exec(fast.source, namespace)
    work = {name: namespace[f"{name}_work"](100, float) for name in ("values", "gradient")}
    out, gradient = np.empty((1, 100)), np.empty(26)
    namespace["values"](work["values"], fast.theta(), out, X.T, R.T)
    mean = namespace["gradient"](work["gradient"], fast.theta(), gradient, None, 1 / 100, X.T, R.T)
    assert (out[0] == fast(X, R)).all()
    assert mean == fast.value_and_grad(X, R)[0]
    assert (gradient == fast.value_and_grad(X, R)[1]).all()
    value, slopes, _ = namespace["value_and_gradient"](fast.theta().tolist(), X[0].tolist(), R[0].tolist())
    assert value == fast.value_and_grad(X[:1], R[:1])[0]
    assert slopes == fast.value_and_grad(X[:1], R[:1])[1].tolist()


@pytest.mark.parametrize(
    "label", ['x"; import os #\n', "'''", "\\", "\n    raise SystemExit", "{0}", "%s", "A1", "σ\x00"]
)
def test_labels_never_become_code(label):
    """The source of labelled Values is that of unlabelled ones, up to comments."""

    def labelled(text):
        w, b = Value(0.5, label=text), Value(0.25, label=text)

        def function(x):
            z = dot([w], x, b)
            z.label = text
            y = z.tanh()
            y.label = text
            return y * y

        return m.compile(function, 1)

    def code(source):
        return [line.split("#")[0].rstrip() for line in source.splitlines()]

    fast = labelled(label)
    assert code(fast.source) == code(labelled("").source)
    assert fast([[1.0]]) == [np.tanh(0.75) ** 2]


SCRIPT = """
import hashlib, numpy as np, microgradnet as m
net = m.MLP(5, [7, 3], "tanh", seed=3)
w = m.Value(0.5)
def function(x, r):
    return m.quadratic(net(x), r) + 0.1 * sum(p * p for p in net.parameters()) + w.sin() * x[0] * m.maximum(x[1], w)
fast = m.compile(function, 5, 3)
rng = np.random.default_rng(0)
X, R = rng.normal(size=(1500, 5)), rng.normal(size=(1500, 3))
value, gradient = fast.value_and_grad(X, R)
print(hashlib.sha256(fast.source.encode() + fast(X, R).tobytes() + gradient.tobytes()).hexdigest(), value.hex())
"""


def test_source_and_bits_do_not_depend_on_the_hash_seed():
    """Two processes with different hash seeds generate the same source and compute the same bits."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    first, second = [process.communicate()[0] for process in runs]
    assert first == second != ""


def test_inputs_go_by_the_lectures_letters_or_by_number():
    """x and r for a net and its targets; x1, x2, x3 where there are more."""
    w = Value(1.0)
    assert "out, x, r):" in m.compile(lambda x, r: w * x[0] * r[0], 1, 1).source
    assert "out, x1, x2, x3):" in m.compile(lambda a, b, c: w * a[0] * b[0] * c[0], 1, 1, 1).source


def test_repr_counts_inputs_and_parameters():
    """What it is, in a line."""
    _, fast, _ = small()
    assert repr(fast) == "<compiled function of (3, 2) inputs and 26 parameters>"


# Parameters.


@pytest.mark.parametrize("sizes", [[1], [4, 2], [5, 1, 3, 2]])
def test_parameters_are_the_nets_in_order(sizes):
    """For a net and for a cost of it, `parameters` is `net.parameters()`, the same objects."""
    net = m.MLP(3, sizes, seed=1)
    for fast in (m.compile(net, 3), m.compile(lambda x, r: quadratic(net(x), r), 3, sizes[-1])):
        assert all(a is b for a, b in zip(fast.parameters, net.parameters(), strict=True))
        assert fast.theta().tolist() == [p.data for p in net.parameters()]


def test_parameters_given_come_first_and_in_their_order():
    """Used or not; those met besides follow."""
    net, extra = m.MLP(3, [2, 1], seed=1), Value(7.0)
    given = [*net.parameters()[::-1][:5], extra]
    fast = m.compile(lambda x, r: quadratic(net(x), r), 3, 1, parameters=given)
    rest = [p for p in net.parameters() if p not in set(given)]
    assert all(a is b for a, b in zip(fast.parameters, [*given, *rest], strict=True))
    X, R = np.random.default_rng(0).normal(size=(5, 3)), np.ones(5)
    value, gradient = fast.value_and_grad(X, R)
    usual = m.compile(lambda x, r: quadratic(net(x), r), 3, 1)
    expected = dict(zip(usual.parameters, usual.value_and_grad(X, R)[1], strict=True)) | {extra: 0.0}
    assert value == pytest.approx(usual.value_and_grad(X, R)[0], rel=1e-14)
    assert gradient == pytest.approx([expected[p] for p in fast.parameters], rel=1e-13)


def test_recorded_gradients_compile_to_gradients_of_each_sample_and_to_hessians():
    """Of what `grad` recorded, in the order of the parameters given: as the formulas' gradients, and as `hessian`."""
    net = m.MLP(2, [3, 1], activation="tanh", output_activation="linear", seed=1)
    P, rng = net.parameters(), np.random.default_rng(0)
    X, R = rng.normal(size=(6, 2)), rng.normal(size=6)

    def slopes(x, r):
        return m.grad(quadratic(net(x), r), P, create_graph=True)

    G = m.compile(slopes, 2, 1, parameters=P)(X, R)
    for x, r, g in zip(X, R, G, strict=True):
        assert g == pytest.approx(m.grad(quadratic(net(x), r), P), rel=1e-12, abs=1e-15)
    rows = [m.compile(lambda x, r, i=i: slopes(x, r)[i], 2, 1, parameters=P) for i in range(len(P))]
    H = np.array([row.value_and_grad(X, R)[1] for row in rows])
    C = sum([quadratic(net(x), r) for x, r in zip(X, R, strict=True)], start=Value(0.0)) / len(X)
    assert pytest.approx(np.array(m.hessian(C, P)), rel=1e-11, abs=1e-14) == H


@pytest.mark.parametrize(
    ("parameters", "error"),
    [([1.0], TypeError), ("w", TypeError), ([Value(1.0) * 2.0], TypeError), ([ONE, ONE], ValueError)],
    ids=["number", "str", "node", "twice"],
)
def test_what_is_no_parameter_is_refused(parameters, error):
    """A number, a name, a node, the same leaf twice."""
    with pytest.raises(error, match="parameters"):
        m.compile(lambda x: x[0] * ONE, 1, parameters=parameters)
    assert m.compile(lambda x: x[0] * ONE, 1, parameters=ONE).parameters == [ONE]


def test_theta_and_assign_are_inverse():
    """What `assign` writes, the net has and `theta` reads; `theta` is a copy."""
    net, fast, _ = small()
    new = np.random.default_rng(5).normal(size=26)
    fast.assign(new)
    assert fast.theta().tolist() == new.tolist() == [p.data for p in net.parameters()]
    fast.theta()[:] = 7.0
    assert fast.theta().tolist() == new.tolist()


@pytest.mark.parametrize(
    ("theta", "error", "words"),
    [
        (np.zeros(25), ValueError, "shape (25,)"),
        (np.zeros((26, 1)), ValueError, "shape (26, 1)"),
        (np.r_[np.zeros(25), np.nan], ValueError, "finite"),
        (np.r_[np.zeros(25), np.inf], ValueError, "finite"),
        (["1.0"] * 26, TypeError, "<U3"),
        ([1j] * 26, TypeError, "complex"),
        ([True] * 26, TypeError, "bool"),
        ([None] * 26, TypeError, "object"),
    ],
)
def test_assign_writes_all_or_nothing(theta, error, words):
    """Numbers that do not fit leave every parameter as it was."""
    _, fast, _ = small()
    before = fast.theta()
    with pytest.raises(error) as caught:
        fast.assign(theta)
    assert words in str(caught.value)
    assert (fast.theta() == before).all()


def test_theta_argument_stands_for_the_parameters():
    """With theta=…, values and gradients are those at these numbers, and the parameters stay."""
    _, fast, (X, R) = small()
    before, new = fast.theta(), np.random.default_rng(5).normal(size=26)
    values, (mean, gradient) = fast(X, R, theta=new), fast.value_and_grad(X, R, theta=new.tolist())
    assert (fast.theta() == before).all()
    fast.assign(new)
    assert (fast(X, R) == values).all()
    assert fast.value_and_grad(X, R)[0] == mean
    assert (fast.value_and_grad(X, R)[1] == gradient).all()


# Data.


def test_data_may_come_in_any_layout():
    """Lists, integers, float32, column-major and strided arrays, one column as a flat sequence: the same numbers."""
    w = Value(2.0)
    fast = m.compile(lambda x, r: w * x[0] + x[1] * r[0], 2, 1)
    X, r = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([1.0, 2.0, 3.0])
    wanted = [4.0, 14.0, 28.0]
    strided = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]
    for data in (X, X.tolist(), X.astype(int), X.astype(np.uint8), X.astype(np.float32), np.asfortranarray(X), strided):
        for column in (r, r[:, None], r.tolist(), r.astype(np.int8)):
            assert fast(data, column).tolist() == wanted
    backwards = X[::-1]
    assert fast(backwards, r[::-1]).tolist() == wanted[::-1]
    X.flags.writeable = False
    assert fast(X, r).tolist() == wanted


def test_data_is_left_alone():
    """Neither a call nor a gradient writes into the arrays it is given."""
    _, fast, (X, R) = small()
    copies = X.copy(), R.copy()
    theta = fast.theta()
    fast(X, R, theta=theta)
    fast.value_and_grad(X, R, theta=theta)
    assert (copies[0] == X).all()
    assert (copies[1] == R).all()
    assert (theta == fast.theta()).all()


def test_results_are_the_callers_own():
    """Arrays that a call gave do not change in later calls, and writing into them changes no later result."""
    net, fast, (X, R) = small()
    outputs = m.compile(net, 3)
    for call in (lambda: fast(X, R), lambda: fast.value_and_grad(X, R)[1], lambda: outputs(X)):
        result = call()
        kept = result.copy()
        fast.value_and_grad(2 * X, R)
        fast(2 * X, R)
        outputs(2 * X)
        assert (result == kept).all()
        result[...] = np.nan
        assert (call() == kept).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_same_input_gives_same_bits_whatever_came_before(dtype):
    """Batches of all sizes in any order: every one gives what it gives alone."""
    net = m.MLP(3, [4, 2], seed=1)
    rng = np.random.default_rng(0)
    sizes = [1, 3, 1000, 1001, 999, 2500, 2, 1]
    batches = [(rng.normal(size=(K, 3)), rng.uniform(size=(K, 2))) for K in sizes]

    def bits(fast, batch):
        mean, gradient = fast.value_and_grad(*batch)
        return mean, gradient.tobytes(), fast(*batch).tobytes()

    def fresh():
        return m.compile(lambda x, r: quadratic(net(x), r), 3, 2, dtype=dtype)

    alone = [bits(fresh(), batch) for batch in batches]
    fast = fresh()
    for i in [*range(8), *reversed(range(8)), *rng.permutation(8).tolist()]:
        assert bits(fast, batches[i]) == alone[i]


# Threads and copies.


def test_overlapping_calls_give_what_serial_calls_give():
    """Eight threads, one compiled function, different batches: the bits of one call after the other."""
    net = m.MLP(3, [16, 8, 2], seed=1)
    fast = m.compile(lambda x, r: quadratic(net(x), r), 3, 2)
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(K, 3)), rng.uniform(size=(K, 2))) for K in rng.integers(1, 3000, 16).tolist()]

    def bits(i):
        mean, gradient = fast.value_and_grad(*batches[i % 16])
        return mean, gradient.tobytes(), fast(*batches[i % 16]).tobytes()

    serial = [bits(i) for i in range(16)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(bits, range(160))) == serial * 10
    finally:
        sys.setswitchinterval(interval)


def test_errors_in_overlapping_calls_name_their_own_samples():
    """The replay that finds the guilty sample is safe in threads, too."""
    w = Value(0.5)
    fast = m.compile(lambda x: sum((w * x_j).exp().log() for x_j in x), 3)

    def message(k):
        X = np.ones((40, 3))
        X[k, k % 3] = 2000.0
        with pytest.raises(OverflowError) as caught:
            fast(X)
        return str(caught.value).split(":")[0]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(message, range(40))) == [f"sample {k}" for k in range(40)]
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize(
    "copied", [lambda both: pickle.loads(pickle.dumps(both)), copy.deepcopy], ids=["pickle", "copy"]
)
def test_compiled_functions_survive_copies(copied):
    """Same source and bits after pickle and deepcopy, and the parameters are those of the net copied with it."""
    net, fast, (X, R) = small()
    fast(X, R)  # work arrays in use do not travel
    new_net, new = copied((net, fast))
    assert new.source == fast.source
    assert (new(X, R) == fast(X, R)).all()
    assert new.value_and_grad(X, R)[0] == fast.value_and_grad(X, R)[0]
    assert (new.value_and_grad(X, R)[1] == fast.value_and_grad(X, R)[1]).all()
    assert all(a is b for a, b in zip(new.parameters, new_net.parameters(), strict=True))
    new_net.parameters()[0].data = 9.0
    assert new.theta()[0] == 9.0 != fast.theta()[0]
    with pytest.raises(ValueError, match="sample 3 of input 1 is NaN"):
        new(np.where(np.arange(100)[:, None] == 3, np.nan, X), R)


# Errors: data.


def one_input():
    w = Value(0.5, label="w")
    return m.compile(lambda x: w * x[0] + x[1], 2)


@pytest.mark.parametrize(
    ("batch", "error", "words"),
    [
        ((), TypeError, ["0 arrays", "takes 1"]),
        ((np.ones((2, 2)), np.ones((2, 2))), TypeError, ["2 arrays", "takes 1"]),
        ((np.ones((2, 3)),), ValueError, ["(2, 3)", "(samples, 2)"]),
        ((np.ones(2),), ValueError, ["(2,)", "X[None]"]),
        ((1.0,), ValueError, ["()", "(samples, 2)"]),
        ((np.ones((1, 1, 2)),), ValueError, ["(1, 1, 2)"]),
        ((np.ones((0, 2)),), ValueError, ["empty batch"]),
        (([[1.0, 2.0], [3.0]],), ValueError, ["input 1", "different lengths"]),
        (([["a", "b"]],), TypeError, ["input 1", "<U1"]),
        (([[1j, 0.0]],), TypeError, ["input 1", "complex"]),
        (([[True, False]],), TypeError, ["input 1", "bool"]),
        (([[None, 1.0]],), TypeError, ["input 1", "object"]),
        (([[Value(1.0), Value(2.0)]],), TypeError, ["input 1", "object"]),
        ((np.array([["2020-01-01", "2020-01-02"]], dtype="M8[D]"),), TypeError, ["input 1", "datetime"]),
    ],
)
def test_data_that_does_not_fit_is_refused(batch, error, words):
    """Wrong counts, shapes and kinds of data: what arrived, and what was wanted."""
    fast = one_input()
    for call in (fast, fast.value_and_grad):
        with pytest.raises(error) as caught:
            call(*batch)
        assert all(word in str(caught.value) for word in words)


def test_inputs_with_unequal_numbers_of_samples_are_refused():
    """Two inputs, 3 and 2 samples."""
    fast = m.compile(lambda x, r: x[0] * r[0], 1, 1)
    with pytest.raises(ValueError, match="3 and 2 samples"):
        fast(np.ones((3, 1)), np.ones((2, 1)))


def test_data_for_a_function_without_inputs_is_refused():
    """compile(f) takes no arrays."""
    w = Value(2.0)
    with pytest.raises(TypeError, match="takes 0"):
        m.compile(lambda: w * w)([[1.0]])


SOME = pytest.mark.parametrize("K", [5, 100], ids=["floats", "arrays"])


@SOME
def test_nan_that_reaches_the_result_is_refused(K):
    """NaN input: an error that names the sample, unless no output depends on it."""
    fast = one_input()
    X = np.ones((K, 2))
    X[3, 1] = np.nan
    for call in (fast, fast.value_and_grad):
        with pytest.raises(ValueError, match="sample 3 of input 1 is NaN in column 1"):
            call(X)
    w = Value(2.0)
    assert (m.compile(lambda x: w * x[0], 2)(X) == 2.0).all()


@SOME
def test_inf_that_floats_allow_is_a_result(K):
    """Where Values give an infinity, so does the compiled function."""
    w = Value(2.0, label="w")
    fast = m.compile(lambda x: w * x[0] * x[1], 2)
    X = [[1e308, 1.0], [1.0, np.inf], *[[3.0, 1.0]] * (K - 2)]
    assert fast(X).tolist() == [np.inf, np.inf, *[6.0] * (K - 2)]
    mean, gradient = fast.value_and_grad(X)
    assert mean == np.inf
    assert gradient.tolist() == [np.inf]


# Errors: domains.

w = Value(1.0, label='w"\n')


@pytest.mark.parametrize(
    ("function", "bad", "error", "op"),
    [
        (lambda x: (w * x[0]).log(), -1.0, ValueError, "'log' of -1.0"),
        (lambda x: (w * x[0]).log(), 0.0, ValueError, "'log' of 0.0"),
        (lambda x: 1.0 / (w * x[0]), 0.0, ZeroDivisionError, "'/' of 1.0"),
        (lambda x: (w * x[0]).sqrt(), -1.0, ValueError, "'sqrt' of -1.0"),
        (lambda x: (w * x[0]).exp(), 710.0, OverflowError, "'exp' of 710.0"),
        (lambda x: (w * x[0]).sin(), np.inf, ValueError, "'sin' of inf"),
        (lambda x: (w * x[0]).cos(), -np.inf, ValueError, "'cos' of -inf"),
        (lambda x: (w * x[0]) ** -1, 0.0, ValueError, "'**-1' of 0.0"),
        (lambda x: (w * x[0]) ** 1.5, -2.0, ValueError, "'**1.5' of -2.0"),
        (lambda x: (w * x[0]) ** 3, 1e200, OverflowError, "'**3' of 1e+200"),
        (lambda x: (w * x[0]) ** x[0], -2.0, ValueError, "'**' of -2.0"),
        (lambda x: m.cross_entropy(w * x[0], 1.0), -0.5, ValueError, "'xlogy' of 1.0 and -0.5"),
    ],
)
@pytest.mark.parametrize("k", [0, 4, 1003])
def test_domain_error_names_sample_operation_and_label(function, bad, error, op, k):
    """The error of the eager operation, at the first sample that has it, in values and in gradients."""

    def labelled(x):
        y = x[0] * 1.0
        y.label = "the culprit"
        return function([y])

    plain, named = m.compile(function, 1), m.compile(labelled, 1)
    X = np.full((1005, 1), 0.5)
    X[k:, 0] = bad
    for call in (plain, plain.value_and_grad):
        with pytest.raises(error) as caught:
            call(X)
        assert str(caught.value).startswith(f"sample {k}: ")
        assert op in str(caught.value)
    with pytest.raises(error, match=f"sample {k}: "):
        named(X)


def test_domain_error_shows_labels_of_values_and_parameters():
    """The label of the number that was refused is in the message."""
    v = Value(1.0, label="rate")

    def function(x):
        z = v * x[0]
        z.label = "z₁"
        return z.log() + v.log()

    fast = m.compile(function, 1)
    with pytest.raises(ValueError, match=r"sample 1: cannot take 'log' of -2.0 [(]labelled 'z₁'[)]"):
        fast([[1.0], [-2.0]])
    with pytest.raises(ValueError, match=r"sample 0: cannot take 'log' of -1.0 [(]labelled 'rate'[)]"):
        fast([[-1.0], [-2.0]], theta=[-1.0])


@SOME
@pytest.mark.parametrize(
    ("function", "op"),
    [(lambda x: (w * x[0]).sqrt(), "'sqrt' of 0.0"), (lambda x: (w * x[0]) ** 0.5, "'[*][*]0.5' of 0.0")],
)
def test_missing_derivative_is_an_error_of_the_gradient_alone(function, op, K):
    """√0 has a value and no slope."""
    fast = m.compile(function, 1)
    X = [*[[4.0]] * (K - 1), [0.0]]
    assert fast(X).tolist() == [*[2.0] * (K - 1), 0.0]
    with pytest.raises(ZeroDivisionError, match=f"sample {K - 1}: cannot take the derivative of {op}"):
        fast.value_and_grad(X)


@SOME
def test_compiled_function_works_after_an_error(K):
    """An error leaves nothing behind in the work arrays."""
    fast = m.compile(lambda x: (w * x[0]).log(), 1)
    X = np.linspace(1.0, 2.0, K)
    good = fast.value_and_grad(X)
    for _ in range(3):
        with pytest.raises(ValueError, match="sample 1"):
            fast.value_and_grad(np.where(np.arange(K) == 1, -2.0, X))
        assert fast.value_and_grad(X)[1].tolist() == good[1].tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sigmoids_far_out_are_no_error_and_hide_no_nan(dtype):
    """e⁻ˣ is cut off before it overflows, in any company."""
    fast = m.compile(lambda x: x[0].sigmoid(), 1, dtype=dtype)
    y = fast([-1e4, 0.0, 1e4])
    assert 0.0 < y[0] < 1e-37
    assert (y[1:] == [0.5, 1.0]).all()
    for X in ([-1e4, np.nan], [np.nan, -1e4]):
        with pytest.raises(ValueError, match="of input 1 is NaN"):
            fast(X)


def test_guilty_sample_is_found_fast_in_a_large_batch():
    """Only samples with a floating-point error are evaluated with Values."""
    calls = []
    net = m.MLP(20, [10, 1], output_activation="linear", seed=1)
    fast = m.compile(lambda x: net(x[:20]).tanh() + x[20].log(), 21)
    again = replay.recorded_again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "recorded_again", lambda node, now: calls.append(node) or again(node, now))
        X = np.ones((5000, 21))
        X[4321, 20] = -1.0
        with pytest.raises(ValueError, match=r"sample 4321: cannot take 'log' of -1[.]0"):
            fast.value_and_grad(X)
    assert len(calls) < 30  # the nodes of one sample


def test_function_of_a_far_domain_is_recorded_there():
    """log(x - 2) is undefined at most of the points where functions are recorded, and compiles."""
    assert m.compile(lambda x: (x[0] - 2.0).log(), 1)([[3.0]]).tolist() == [0.0]
    assert m.compile(lambda x: (-x[0]).sqrt(), 1)([[-4.0]]).tolist() == [2.0]
    with pytest.raises(ValueError, match="'log'"):
        m.compile(lambda x: (-1.0 - x[0] * x[0]).log(), 1)


# Errors: functions.


@pytest.mark.parametrize(
    "result", [3.0, None, "ab", [], [Value(1.0), 2.0], np.ones(2), lambda: 1], ids=lambda result: type(result).__name__
)
def test_function_that_gives_no_value_is_refused(result):
    """A Value, or a sequence of Values, is wanted."""
    with pytest.raises(TypeError, match="must give a Value, or a sequence of Values"):
        m.compile(lambda x: result, 1)


def test_several_outputs_have_no_gradient():
    """value_and_grad is for one output."""
    fast = m.compile(lambda x: [w * x[0], x[0]], 1)
    with pytest.raises(TypeError, match="2 outputs"):
        fast.value_and_grad([[1.0]])


def test_sequence_of_one_keeps_its_column():
    """A function that gives a list of one Value gives one column, as a list of several does."""
    assert m.compile(lambda x: [w * x[0]], 1)([[1.0], [2.0]]).tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("dtype", [int, np.float16, complex, object, "U3"])
def test_other_dtypes_are_refused(dtype):
    """float64 and float32."""
    with pytest.raises(TypeError, match=r"float64 or numpy[.]float32"):
        m.compile(lambda x: w * x[0], 1, dtype=dtype)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "3", None])
def test_other_sizes_are_refused(size):
    """A size is a whole number, at least 1."""
    with pytest.raises(ValueError, match="at least 1"):
        m.compile(lambda x: w * x[0], size)


def test_wrong_size_for_a_net_is_the_nets_error():
    """The function's own refusal comes through."""
    with pytest.raises(ValueError, match="this MLP takes 3 inputs"):
        m.compile(m.MLP(3, [1]), 2)


def test_eager_values_are_left_alone():
    """Compiling and calling changes no `.grad` and no `.data`."""
    net, fast, (X, R) = small()
    for p in net.parameters():
        p.grad = 3.0
    before = [p.data for p in net.parameters()]
    fast.value_and_grad(X, R)
    with pytest.raises(ValueError, match="NaN"):
        fast(X * np.nan, R)
    assert {p.grad for p in net.parameters()} == {3.0}
    assert [p.data for p in net.parameters()] == before
