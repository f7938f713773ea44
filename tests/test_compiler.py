"""What `compile` promises around the numbers: source, parameters, data, copies, and errors that name the sample.

That the numbers are right, from several threads and after calls that failed, too, is in test_compiled_graphs.py.
"""

import copy
import math
import pickle
import re
from struct import Struct

import numpy as np
import pytest

import microgradnet as m
from microgradnet import Value, dot, kernels, quadratic


def small():
    """A net 3-4-2, its compiled quadratic cost, and a batch that is large enough for arrays."""
    net = m.MLP(3, [4, 2], seed=1)
    rng = np.random.default_rng(0)
    fast = m.compile(lambda x, r: quadratic(net(x), r), 3, 2)
    return net, fast, (rng.normal(size=(100, 3)), rng.uniform(size=(100, 2)))


def results(fast, *batch, theta=None):
    """Values, mean and gradient, to be compared bit by bit."""
    mean, gradient = fast.value_and_grad(*batch, theta=theta)
    return fast(*batch, theta=theta).tolist(), mean, gradient.tolist()


# The source.


def test_source_is_what_runs():
    """Run by hand with the work arrays that it makes, the printed source gives the same bits."""
    _, fast, (X, R) = small()
    names = ("add", "empty", "matmul", "multiply", "square", "subtract", "vdot")
    namespace = {name: getattr(np, name) for name in names}
    namespace |= {name: getattr(kernels, name) for name in ("exp_minus", "logistic", "opposite")} | {"exp": math.exp}
    namespace |= {f"put{n}": Struct(f"{n}d").pack_into for n in (2, 24)}
    exec(fast.source, namespace)
    work = {name: namespace[f"{name}_work"](100, float) for name in ("values", "gradient")}
    out, gradient = np.empty((1, 100)), np.empty(26)
    namespace["values"](work["values"], fast.theta(), out, X, R)
    mean = namespace["gradient"](work["gradient"], fast.theta(), gradient, None, 1 / 100, X, R)
    assert (out[0].tolist(), mean, gradient.tolist()) == results(fast, X, R)
    value, _ = namespace["value_and_gradient"](gradient, fast.theta().tolist(), X[:1].tolist(), R[:1].tolist())
    assert ([value], value, gradient.tolist()) == results(fast, X[:1], R[:1])


@pytest.mark.parametrize("label", ['x"; import os #\n', "'''", "\\", "\n    raise SystemExit", "{0}", "A1", "σ\x00"])
def test_labels_never_become_code(label):
    """The source of labelled Values is that of unlabelled ones, up to comments."""

    def code(text):
        w, b = Value(0.5, label=text), Value(0.25, label=text)

        def function(x):
            y = dot([w], x, b).tanh()
            y.label = text
            return y * y

        source = m.compile(function, 1).source
        return [line.split("#")[0].rstrip() for line in source.splitlines()]

    assert code(label) == code("")


# Parameters.


def test_parameters_are_the_nets_in_order_after_those_that_are_given():
    """The same objects; those given in their order, used or not."""
    net, extra = m.MLP(3, [5, 1, 3, 2], seed=1), Value(7.0)
    P = net.parameters()
    fast = m.compile(lambda x, r: quadratic(net(x), r), 3, 2)
    for parameters in (m.compile(net, 3).parameters, fast.parameters):
        assert [*map(id, parameters)] == [*map(id, P)]
    given = [*P[::-1][:5], extra]
    other = m.compile(lambda x, r: quadratic(net(x), r), 3, 2, parameters=given)
    assert [*map(id, other.parameters)] == [*map(id, [*given, *[p for p in P if p not in set(given)]])]
    X, R = np.random.default_rng(0).normal(size=(5, 3)), np.ones((5, 2))
    expected = dict(zip(P, fast.value_and_grad(X, R)[1], strict=True)) | {extra: 0.0}
    assert other.value_and_grad(X, R)[1] == pytest.approx([expected[p] for p in other.parameters], rel=1e-13)


def test_theta_argument_stands_for_the_parameters_that_assign_writes():
    """With theta=…, values and gradients are those at these numbers, and the parameters stay."""
    net, fast, (X, R) = small()
    before, new = fast.theta(), np.random.default_rng(5).normal(size=26)
    found = results(fast, X, R, theta=new.tolist())
    assert found == results(fast, X, R, theta=new) != results(fast, X, R)
    assert fast.theta().tolist() == before.tolist()
    fast.assign(new)
    assert fast.theta().tolist() == new.tolist() == [p.data for p in net.parameters()]
    assert results(fast, X, R) == found


@pytest.mark.parametrize(
    ("theta", "error", "words"),
    [
        (np.zeros(25), ValueError, r"shape \(25,\)"),
        (np.zeros((26, 1)), ValueError, r"shape \(26, 1\)"),
        (np.r_[np.zeros(25), np.inf], ValueError, "finite"),
        (["1.0"] * 26, TypeError, "<U3"),
        ([True] * 26, TypeError, "bool"),
    ],
)
def test_assign_writes_all_or_nothing(theta, error, words):
    """Numbers that do not fit leave every parameter as it was."""
    _, fast, _ = small()
    before = fast.theta()
    with pytest.raises(error, match=words):
        fast.assign(theta)
    assert (fast.theta() == before).all()


# Data and results.


def test_data_may_come_in_any_layout():
    """Lists, integers, float32, column-major and strided arrays, one column as a flat sequence: the same numbers."""
    w = Value(2.0)
    fast = m.compile(lambda x, r: w * x[0] + x[1] * r[0], 2, 1)
    X, r = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([1.0, 2.0, 3.0])
    wanted = [4.0, 14.0, 28.0]
    strided = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]
    X.flags.writeable = False
    for data in (X, X.tolist(), X.astype(int), X.astype(np.uint8), X.astype(np.float32), np.asfortranarray(X), strided):
        for column in (r, r[:, None], r.tolist(), r.astype(np.int8)):
            assert fast(data, column).tolist() == wanted
    assert fast(X[::-1], r[::-1]).tolist() == wanted[::-1]


def test_calls_change_neither_what_they_are_given_nor_what_others_got():
    """Data, theta, parameters and their gradients stay; results are the caller's own to write into."""
    net, fast, (X, R) = small()
    theta = fast.theta()
    for p in net.parameters():
        p.grad = 3.0

    def everything():
        return [array.tobytes() for array in (X, R, theta)], [(p.data, p.grad) for p in net.parameters()]

    before = everything()
    for call in (lambda: fast(X, R), lambda: fast.value_and_grad(X, R, theta=theta)[1]):
        result, kept = call(), call()
        results(fast, 2 * X, R)
        assert (result == kept).all()
        result[...] = np.nan
        assert (call() == kept).all()
    assert everything() == before


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy], ids=["pickle", "copy"])
def test_compiled_functions_survive_copies(copied):
    """Same source and bits after pickle and deepcopy, and the parameters are those of the net copied with it."""
    net, fast, (X, R) = small()
    found = results(fast, X, R)  # work arrays in use do not travel
    new_net, new = copied((net, fast))
    assert (new.source, results(new, X, R)) == (fast.source, found)
    assert [*map(id, new.parameters)] == [*map(id, new_net.parameters())]
    new_net.parameters()[0].data = 9.0
    assert new.theta()[0] == 9.0 != fast.theta()[0]


# Errors: data.

w, ONE = Value(1.0, label='w"\n'), np.ones((1, 1))


@pytest.mark.parametrize(
    ("batch", "error", "words"),
    [
        ((np.ones((2, 2)),) * 3, TypeError, ["3 arrays", "takes 2", "theta=…"]),
        ((np.ones((3, 2)), np.ones(2)), ValueError, ["3 and 2 samples"]),
        ((np.ones((2, 3)), np.ones(2)), ValueError, ["input 1", "(2, 3)", "(samples, 2)"]),
        ((np.ones((2, 2)), np.ones((2, 2))), ValueError, ["input 2", "(2, 2)", "(samples, 1)"]),
        ((np.ones(2), np.ones(1)), ValueError, ["(2,)", "X[None]"]),
        ((np.ones((0, 2)), np.ones(0)), ValueError, ["empty batch"]),
        (([[1.0, 2.0], [3.0]], np.ones(2)), ValueError, ["input 1", "different lengths"]),
        ((np.ones((1, 2)), ["a"]), TypeError, ["input 2", "<U1"]),
        (([[True, False]], np.ones(1)), TypeError, ["input 1", "bool"]),
        (([[Value(1.0), Value(2.0)]], np.ones(1)), TypeError, ["input 1", "object"]),
        ((np.array([["2020-01-01", "2020-01-02"]], dtype="M8[D]"), np.ones(1)), TypeError, ["input 1", "datetime"]),
    ],
)
def test_data_that_does_not_fit_is_refused(batch, error, words):
    """Wrong counts, shapes and kinds of data: what arrived, and what was wanted."""
    fast = m.compile(lambda x, r: w * x[0] + x[1] * r[0], 2, 1)
    for call in (fast, fast.value_and_grad):
        with pytest.raises(error) as caught:
            call(*batch)
        assert all(word in str(caught.value) for word in words)


both_programs = pytest.mark.parametrize("K", [4, 100], ids=["floats", "arrays"])


@both_programs
def test_nan_that_reaches_the_result_is_refused(K):
    """NaN input: an error that names the sample, unless no output depends on it."""
    fast = m.compile(lambda x: w * x[0] + x[1], 2)
    X = np.ones((K, 2))
    X[3, 1] = np.nan
    for call in (fast, fast.value_and_grad):
        with pytest.raises(ValueError, match="sample 3 of input 1 is NaN in column 1"):
            call(X)
    assert (m.compile(lambda x: w * x[0], 2)(X) == 1.0).all()


@both_programs
def test_inf_that_floats_allow_is_a_result(K):
    """Where Values give an infinity, so does the compiled function."""
    v = Value(2.0)
    fast = m.compile(lambda x: v * x[0] * x[1], 2)
    X = [[1e308, 1.0], [1.0, np.inf], *[[3.0, 1.0]] * (K - 2)]
    assert fast(X).tolist() == [np.inf, np.inf, *[6.0] * (K - 2)]
    mean, gradient = fast.value_and_grad(X)
    assert (mean, gradient.tolist()) == (np.inf, [np.inf])


# Errors: domains.


@pytest.mark.parametrize(
    ("function", "bad", "error", "op"),
    [
        (lambda x: (w * x).log(), -1.0, ValueError, "'log' of -1.0"),
        (lambda x: 1.0 / (w * x), 0.0, ZeroDivisionError, "'/' of 1.0"),
        (lambda x: (w * x).exp(), 710.0, OverflowError, "'exp' of 710.0"),
        (lambda x: (w * x).sin(), np.inf, ValueError, "'sin' of inf"),
        (lambda x: (w * x) ** 1.5, -2.0, ValueError, "'**1.5' of -2.0"),
        (lambda x: (w * x) ** 3, 1e200, OverflowError, "'**3' of 1e+200"),
        (lambda x: (w * x) ** x, -2.0, ValueError, "'**' of -2.0"),
        (lambda x: quadratic(w * x, 0.5) * 1e-10, 1e155, OverflowError, "'**2' of 1e+155"),  # BLAS is silent
        (lambda x: m.cross_entropy(w * x, 1.0), -0.5, ValueError, "'xlogy' of 1.0 and -0.5"),
    ],
)
@pytest.mark.parametrize("k", [0, 4, 1003])
def test_domain_error_names_sample_and_operation(function, bad, error, op, k):
    """The error of the eager operation, at the first sample that has it, in values and in gradients."""
    fast = m.compile(lambda x: function(x[0]), 1)
    X = np.full((k + 2, 1), 0.5)
    X[k:, 0] = bad
    for call in (fast, fast.value_and_grad):
        with pytest.raises(error, match=f"^sample {k}: .*{re.escape(op)}"):
            call(X)


def test_domain_error_shows_labels_of_values_and_parameters():
    """Also where theta=… stands for a parameter's number."""
    v = Value(1.0, label="rate")

    def function(x):
        z = v * x[0]
        z.label = "z₁"
        return z.log() + v.log()

    fast = m.compile(function, 1)
    for theta, told in ((None, "sample 1: .* of -2.0 [(]labelled 'z₁'"), ([-1.0], "sample 0: .*labelled 'rate'")):
        with pytest.raises(ValueError, match=told):
            fast([[-1.0 if theta else 1.0], [-2.0]], theta=theta)


@both_programs
def test_missing_derivative_is_an_error_of_the_gradient_alone(K):
    """√0 has a value and no slope."""
    fast = m.compile(lambda x: (w * x[0]).sqrt(), 1)
    X = [*[[4.0]] * (K - 1), [0.0]]
    assert fast(X).tolist() == [*[2.0] * (K - 1), 0.0]
    with pytest.raises(ZeroDivisionError, match=f"sample {K - 1}: cannot take the derivative of 'sqrt' of 0.0"):
        fast.value_and_grad(X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sigmoids_far_out_are_no_error_and_hide_no_nan(dtype):
    """Where e⁻ˣ overflows, the sigmoid is 0, in any company."""
    fast = m.compile(lambda x: x[0].sigmoid(), 1, dtype=dtype)
    assert fast([-1e4, 0.0, 1e4]).tolist() == [0.0, 0.5, 1.0]
    for X in ([-1e4, np.nan], [np.nan, -1e4]):
        with pytest.raises(ValueError, match="of input 1 is NaN"):
            fast(X)


def test_function_of_a_far_domain_is_recorded_there():
    """log(x - 2) is undefined at most of the points where functions are recorded, and compiles."""
    assert m.compile(lambda x: (x[0] - 2.0).log(), 1)([[3.0]]).tolist() == [0.0]
    assert m.compile(lambda x: (-x[0]).sqrt(), 1)([[-4.0]]).tolist() == [2.0]


# Errors: functions and arguments.


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        *[(lambda size=size: m.compile(lambda x: w * x[0], size), ValueError, "at least 1")
          for size in (0, -1, 1.5, True, "3", None)],
        *[(lambda dtype=dtype: m.compile(lambda x: w * x[0], 1, dtype=dtype), TypeError, "numpy.float32")
          for dtype in (int, np.float16, complex, object, "U3")],
        *[(lambda given=given: m.compile(lambda x: w * x[0], 1, parameters=given), TypeError, "parameters")
          for given in ([1.0], "w", [w * 2.0])],
        *[(lambda result=result: m.compile(lambda x: result, 1), TypeError, "must give a Value, or a sequence of Values")
          for result in (3.0, None, "ab", [], [Value(1.0), 2.0], np.ones(2), lambda: 1)],
        (lambda: m.compile(lambda x: w * x[0], 1, parameters=[w, w]), ValueError, "twice"),
        (lambda: m.compile(m.MLP(3, [1]), 2), ValueError, "this MLP takes 3 inputs"),
        (lambda: m.compile(lambda: w * w)([[1.0]]), TypeError, "takes 0"),
        (lambda: [(f := m.compile(lambda x: [w, x[0]], 1))(ONE), f.value_and_grad(ONE)], TypeError, "2 outputs"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(make, error, words):
    """Sizes below 1, other dtypes, parameters that are no leaves, results that are no Values."""
    with pytest.raises(error, match=words):
        make()
    assert m.compile(lambda x: x[0] * w, 1, parameters=w).parameters == [w]
