"""The lecture's formulas against values worked out by hand, and what they refuse."""

import ast
from decimal import Decimal, localcontext
from math import log
from pathlib import Path

import numpy as np
import pytest

from microgradnet import formulas

# A 2-2-1 net made for pencil and paper: σ(ln 3) = 3/4, σ(0) = 1/2, σ(-ln 3) = 1/4, and σ′ = σ (1 - σ) there is 3/16, 1/4
# and 3/16.
#
#   x = (1, 2)       z⁽¹⁾ = (ln 3, 0)                                y⁽¹⁾ = (3/4, 1/2)
#                    z⁽²⁾ = 4 · 3/4 - 2 · 1/2 - 2 - ln 3 = -ln 3     y⁽²⁾ = 1/4
L = log(3.0)
A = [np.array([[L, 0.0], [1.0, -0.5]]), np.array([[4.0, -2.0]])]
b = [np.array([0.0, 0.0]), np.array([-2.0 - L])]
x = np.array([1.0, 2.0])

# ∂y⁽²⁾/∂a⁽²⁾_{1,j} = σ′(z⁽²⁾) y⁽¹⁾_j = 3/16 · (3/4, 1/2), ∂y⁽²⁾/∂b⁽²⁾ = 3/16
DY_DA2, DY_DB2 = [[9 / 64, 3 / 32]], [3 / 16]
# ∂y⁽²⁾/∂b⁽¹⁾_i = σ′(z⁽²⁾) a⁽²⁾_{1,i} σ′(z⁽¹⁾_i) = (3/16 · 4 · 3/16, 3/16 · -2 · 1/4), ∂y⁽²⁾/∂a⁽¹⁾_{i,j}: times x_j
DY_DB1 = [9 / 64, -3 / 32]
DY_DA1 = [[9 / 64, 9 / 32], [-3 / 32, -3 / 16]]

# Two samples, x twice, with r = 1 and r = 0: (f - r)/K = -3/8 and 1/8.
X, R = [x, x], [1.0, 0.0]
# δ⁽²⁾ = (f - r)/K · 3/16, and δ⁽¹⁾_i = δ⁽²⁾ a⁽²⁾_{1,i} σ′(z⁽¹⁾_i) = δ⁽²⁾ · (3/4, -1/2)
DELTA2 = [[-9 / 128], [3 / 128]]
DELTA1 = [[-27 / 512, 9 / 256], [9 / 512, -3 / 256]]
# ∂C/∂b = Σ_k δ; ∂C/∂a⁽²⁾ = Σ_k δ⁽²⁾ (3/4, 1/2); ∂C/∂a⁽¹⁾_{i,j} = Σ_k δ⁽¹⁾_i x_j
DC_DB2, DC_DA2 = [-6 / 128], [[-9 / 256, -6 / 256]]
DC_DB1, DC_DA1 = [-18 / 512, 6 / 256], [[-18 / 512, -36 / 512], [6 / 256, 12 / 256]]

# With cross-entropy δ⁽²⁾ lacks the σ′ = 3/16, so all of it is 16/3 of the above.
MIRACLE = 16 / 3

# The longest of these computations takes some thirty roundings of 1.1e-16 each.
ROUNDING = 5e-15


def close(arrays, desired):
    assert len(arrays) == len(desired)
    for array, wanted in zip(arrays, desired, strict=True):
        assert array.shape == np.shape(wanted)
        np.testing.assert_allclose(array, wanted, rtol=ROUNDING, atol=ROUNDING)


def test_forward_pass_by_hand():
    """z⁽q⁾ = A⁽q⁾ y⁽q⁻¹⁾ + b⁽q⁾ and y⁽q⁾ = σ(z⁽q⁾), beginning with y⁽⁰⁾ = x."""
    zs, ys = formulas.forward_pass(A, b, x)
    close(zs, [[L, 0.0], [-L]])
    close(ys, [[1.0, 2.0], [3 / 4, 1 / 2], [1 / 4]])


def test_forward_derivatives_by_hand():
    """∂y⁽p⁾ for every layer, with the chain rule through the later ones."""
    dA, db = formulas.forward_derivatives(A, b, x)
    close(dA, [[DY_DA1], [DY_DA2]])
    close(db, [[DY_DB1], [DY_DB2]])


def test_forward_derivatives_hold_the_lectures_zeros():
    """∂y_ℓ/∂a_{i,j} = 0 exactly for ℓ ≠ i within the last layer, and dA[q] has shape (n_p, n_q, n_{q-1})."""
    rng = np.random.default_rng(0)
    widths = [3, 4, 2, 5]
    A = [rng.normal(size=shape) for shape in zip(widths[1:], widths, strict=False)]
    dA, db = formulas.forward_derivatives(A, [rng.normal(size=n) for n in widths[1:]], rng.normal(size=3))
    assert [d.shape for d in dA] == [(5, 4, 3), (5, 2, 4), (5, 5, 2)]
    assert [d.shape for d in db] == [(5, 4), (5, 2), (5, 5)]
    same = np.eye(5, dtype=bool)
    assert (dA[2][~same] == 0.0).all()
    assert (dA[2][same] != 0.0).all()
    assert (db[2] == np.diag(db[2].diagonal())).all()


def test_delta_recursion_by_hand():
    """δ⁽p⁾ = 1/K (f - r) σ′, then δ⁽q⁻¹⁾ = Σ_j δ_j a_j σ′; the 1/K and both samples included."""
    deltas, dA, db = formulas.delta_recursion(A, b, X, R)
    close(deltas, [DELTA1, DELTA2])
    close(dA, [DC_DA1, DC_DA2])
    close(db, [DC_DB1, DC_DB2])


def test_cross_entropy_drops_the_last_slope():
    """The lecture's miracle: δ⁽p⁾ = 1/K (σ(z) - r), without σ′."""
    deltas, dA, db = formulas.delta_recursion(A, b, X, R, cost="cross_entropy")
    close(deltas, [MIRACLE * np.array(DELTA1), MIRACLE * np.array(DELTA2)])
    close(dA, [MIRACLE * np.array(DC_DA1), MIRACLE * np.array(DC_DA2)])
    close(db, [MIRACLE * np.array(DC_DB1), MIRACLE * np.array(DC_DB2)])


def test_gradients_forward_by_hand():
    """1/K Σ_k (f - r) ∂f is the gradient of the quadratic cost, 1/K Σ_k (σ(z) - r) ∂z that of cross-entropy."""
    dA, db = formulas.quadratic_gradient_forward(A, b, X, R)
    close(dA, [DC_DA1, DC_DA2])
    close(db, [DC_DB1, DC_DB2])
    dA, db = formulas.cross_entropy_gradient_forward(A, b, X, R)
    close(dA, [MIRACLE * np.array(DC_DA1), MIRACLE * np.array(DC_DA2)])
    close(db, [MIRACLE * np.array(DC_DB1), MIRACLE * np.array(DC_DB2)])


@pytest.mark.parametrize(
    "gradients",
    [
        formulas.delta_recursion(A, b, X, R),
        formulas.quadratic_gradient_forward(A, b, X, R),
        ([DC_DA1, DC_DA2], [DC_DB1, DC_DB2]),
    ],
)
def test_gradient_step_goes_downhill(gradients):
    """a_new = a_old - Δt ∂C/∂a, from any form of gradients, and leaves the old numbers alone."""
    before = [array.copy() for array in A + b]
    new = formulas.gradient_step(A, b, gradients, 256.0)
    close(new.A, [[[L + 9, 18.0], [-5.0, -12.5]], [[13.0, 4.0]]])
    close(new.b, [[9.0, -6.0], [-2.0 - L + 12.0]])
    for array, old in zip(A + b, before, strict=True):
        assert (array == old).all()


def test_nets_may_be_wide_and_deep():
    """300 inputs, 300 linear layers: z = Σ_j x_j is handed on unchanged, and δ = (f - r)/K reaches the first layer."""
    A, b = [np.ones((1, 300)), *[[[1.0]]] * 299], [[0.0]] * 300
    X, R = np.ones((2, 300)), [300.0, 299.0]
    deltas, dA, db = formulas.delta_recursion(A, b, X, R, ["linear"] * 300)
    assert [delta.tolist() for delta in deltas] == [[[0.0], [0.5]]] * 300
    assert (dA[0] == np.full((1, 300), 0.5)).all()
    assert [d.tolist() for d in dA[1:]] == [[[150.0]]] * 299
    assert [d.tolist() for d in db] == [[0.5]] * 300


def test_results_share_no_memory_with_the_arguments():
    """y⁽⁰⁾ is a copy of x: whoever writes into a result changes no argument."""
    _, ys = formulas.forward_pass(A, b, x)
    assert not any(np.shares_memory(y, x) for y in ys)


SLOPES = {  # activation: its value and its slope, from the textbook
    "sigmoid": (lambda z: 1 / (1 + (-z).exp()), lambda z: (-z).exp() / (1 + (-z).exp()) ** 2),
    "tanh": (lambda z: 1 - 2 / ((2 * z).exp() + 1), lambda z: 4 * (2 * z).exp() / ((2 * z).exp() + 1) ** 2),
    "relu": (lambda z: max(z, Decimal(0)), lambda z: Decimal(z > 0)),
    "softplus": (lambda z: (1 + z.exp()).ln(), lambda z: 1 / (1 + (-z).exp())),
    "linear": (lambda z: z, lambda z: Decimal(1)),
    "step": (lambda z: Decimal(z >= 0), lambda z: Decimal(0)),
}


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize("z", [0.0, 1e-9, -1e-9, 0.3, -2.0, 17.0, -17.0, 37.0, -37.0, 340.0, -340.0, 700.0, -700.0])
def test_activations_and_slopes_keep_their_last_digits(name, z):
    """σ and σ′ of every activation, saturated ones included, against decimals of 700 digits.

    NumPy's exp, log1p and tanh are off by less than 4 ulp, 8 units of 1.1e-16; a sigmoid adds a sum and a quotient (10),
    a slope multiplies two sigmoids (21), softplus has a logarithm of an exponential (17): all below 24.
    """
    value, slope = SLOPES[name]
    with localcontext() as context:
        context.prec = 700
        y, dy = float(value(Decimal(z))), float(slope(Decimal(z)))
    _, ys = formulas.forward_pass([[[1.0]]], [[0.0]], [z], name)
    np.testing.assert_allclose(ys[1], [y], rtol=24 * 2.0**-53, atol=0.0)
    _, db = formulas.forward_derivatives([[[1.0]]], [[0.0]], [z], name)
    np.testing.assert_allclose(db[0], [[dy]], rtol=24 * 2.0**-53, atol=0.0)


def test_activations_can_differ_by_layer():
    """A name for every layer; the first two are linear, so one line of algebra gives everything."""
    zs, ys = formulas.forward_pass([[[2.0]], [[3.0]]], [[1.0], [-1.0]], [5.0], ["linear", "relu"])
    assert [z.tolist() for z in zs] == [[11.0], [32.0]]
    assert [y.tolist() for y in ys] == [[5.0], [11.0], [32.0]]
    dA, db = formulas.forward_derivatives([[[2.0]], [[3.0]]], [[1.0], [-1.0]], [5.0], ["linear", "relu"])
    assert [d.tolist() for d in dA] == [[[[15.0]]], [[[11.0]]]]
    assert [d.tolist() for d in db] == [[[3.0]], [[1.0]]]
    # And backward: z = 11, -21, 0, where the relu in the middle lets nothing through, and f - r = 1.
    deltas, _, _ = formulas.delta_recursion(
        [[[2.0]], [[-2.0]], [[3.0]]], [[1.0], [1.0], [0.0]], [5.0], [-1.0], ["linear", "relu", "linear"]
    )
    assert [d.tolist() for d in deltas] == [[[0.0]], [[0.0]], [[1.0]]]


@pytest.mark.parametrize("kind", [list, tuple, iter, lambda arrays: [array.tolist() for array in arrays]])
def test_lists_tuples_iterators_and_nested_lists_are_arrays_too(kind):
    """Whatever NumPy takes for an array, in any sequence."""
    desired = formulas.delta_recursion(A, b, X, R)
    for got, wanted in zip(formulas.delta_recursion(kind(A), kind(b), X, R), desired, strict=True):
        close(got, wanted)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_numpy_matrix_is_an_array():
    """np.matrix multiplies in its own way; here it does as an array does."""
    desired = formulas.forward_pass(A, b, x)
    got = formulas.forward_pass([np.asmatrix(a) for a in A], b, x)
    assert [y.tolist() for y in got.ys] == [y.tolist() for y in desired.ys]


def test_flat_data_are_a_column_where_samples_have_one_number():
    """X of shape (K,) for n_0 = 1, R of shape (K,) for n_p = 1."""
    flat = formulas.delta_recursion([[[2.0]]], [[1.0]], [0.5, -0.5], [1.0, 0.0])
    column = formulas.delta_recursion([[[2.0]]], [[1.0]], [[0.5], [-0.5]], [[1.0], [0.0]])
    assert [d.tolist() for d in flat.deltas] == [d.tolist() for d in column.deltas]


TWO = ([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]], [[0.0, 0.0], [0.0]])  # a 2-2-1 net
REFUSED = [
    (lambda: formulas.forward_pass([], [], x), ValueError, "0 matrices in A met 0 vectors in b"),
    (lambda: formulas.forward_pass(A, b[:1], x), ValueError, "2 matrices in A met 1 vectors in b"),
    (
        lambda: formulas.forward_pass([A[0], [[1.0, 2.0, 3.0]]], b, x),
        ValueError,
        r"A\[1\] has shape \(1, 3\).*\(n_2, 2\)",
    ),
    (lambda: formulas.forward_pass([x, A[1]], b, x), ValueError, r"A\[0\] has shape \(2,\).*\(n_1, n_0\)"),
    (lambda: formulas.forward_pass(A, [b[0], [1.0, 2.0]], x), ValueError, r"b\[1\] has shape \(2,\).*\(1,\)"),
    (lambda: formulas.forward_pass(A, b, [1.0, 2.0, 3.0]), ValueError, r"x has shape \(3,\): give \(2,\)"),
    (lambda: formulas.forward_pass(A, b, [[1.0, 2.0]]), ValueError, r"x has shape \(1, 2\): give \(2,\)"),
    (lambda: formulas.forward_pass(A, b, [[1.0], [2.0]]), ValueError, r"x has shape \(2, 1\): give \(2,\)"),
    (lambda: formulas.forward_pass([np.zeros((0, 2))], [[]], x), ValueError, r"A\[0\] has shape \(0, 2\)"),
    (lambda: formulas.forward_pass([[[1.0, 2.0], [3.0]]], b, x), ValueError, "must be one of each"),
    (lambda: formulas.forward_pass([[[1.0, 2.0], [3.0]]], [[0.0]], x), ValueError, r"rows of A\[0\] differ in length"),
    (lambda: formulas.forward_pass(A, b, ["1", "2"]), TypeError, "x holds <U1 where numbers were wanted"),
    (lambda: formulas.forward_pass(A, b, [True, False]), TypeError, "x holds bool"),
    (lambda: formulas.forward_pass(A, b, [1j, 2.0]), TypeError, "x holds complex128"),
    (
        lambda: formulas.forward_derivatives(A, b, x, "gauss"),
        ValueError,
        "'gauss' is no activation: choose one of sigmoid",
    ),
    (lambda: formulas.forward_derivatives(A, b, x, ["tanh"]), ValueError, "1 activations arrived for 2 layers"),
    (lambda: formulas.forward_derivatives(A, b, x, ["tanh"] * 3), ValueError, "3 activations arrived for 2 layers"),
    (lambda: formulas.forward_derivatives(A, b, [1.0]), ValueError, r"x has shape \(1,\): give \(2,\)"),
    (lambda: formulas.delta_recursion(A, b, x, R), ValueError, r"X has shape \(2,\): give \(K, 2\)"),
    (lambda: formulas.delta_recursion(A, b, X, [1.0]), ValueError, r"R has shape \(1, 1\): give \(2, 1\)"),
    (lambda: formulas.delta_recursion(A, b, X, 1.0), ValueError, r"R has shape \(\): give \(2, 1\)"),
    (lambda: formulas.delta_recursion(A, b, [[1.0], [1.0, 2.0]], R), ValueError, "the rows of X differ in length"),
    (lambda: formulas.delta_recursion(A, b, X, [[1.0], [1.0, 2.0]]), ValueError, "the rows of R differ in length"),
    (lambda: formulas.delta_recursion(A, b, X, R, cost="cubic"), ValueError, "'cubic' is no cost of the lecture's"),
    (
        lambda: formulas.delta_recursion(A, b, X, R, "tanh", "cross_entropy"),
        ValueError,
        "sigmoid in the last layer, not tanh",
    ),
    (
        lambda: formulas.cross_entropy_gradient_forward(
            [A[0], A[0], A[1]], [b[0], b[0], b[1]], X, R, ["tanh", "relu", "linear"]
        ),
        ValueError,
        "sigmoid in the last layer, not linear",
    ),
    (lambda: formulas.cross_entropy_gradient_forward(A, b, X, [0.5, 1.5]), ValueError, "outputs between 0 and 1"),
    (lambda: formulas.cross_entropy_gradient_forward(A, b, X, [-0.5, 0.5]), ValueError, "outputs between 0 and 1"),
    (lambda: formulas.quadratic_gradient_forward(A, b, [[1.0]], [1.0]), ValueError, r"X has shape \(1, 1\)"),
    (lambda: formulas.gradient_step(A, b, TWO, 0.0), ValueError, "dt is 0.0"),
    (lambda: formulas.gradient_step(A, b, TWO, -1.0), ValueError, "dt is -1.0"),
    (lambda: formulas.gradient_step(A, b, TWO, float("inf")), ValueError, "dt is inf"),
    (lambda: formulas.gradient_step(A, b, TWO, np.nan), ValueError, "dt is nan"),
    (lambda: formulas.gradient_step(A, b, (TWO[0][:1], TWO[1]), 1.0), ValueError, "1 matrices and 2 vectors.*2 layers"),
    (lambda: formulas.gradient_step(A, b, (TWO[0], TWO[1][:1]), 1.0), ValueError, "2 matrices and 1 vectors.*2 layers"),
    (
        lambda: formulas.gradient_step(A, b, (TWO[0] * 2, TWO[1] * 2), 1.0),
        ValueError,
        "4 matrices and 4 vectors.*2 layers",
    ),
    (lambda: formulas.gradient_step(A, b, (TWO[0], [[0.0], [0.0]]), 1.0), ValueError, r"db\[0\] has shape \(1,\)"),
    (lambda: formulas.gradient_step(A, b, (TWO[0][::-1], TWO[1]), 1.0), ValueError, r"dA\[0\] has shape \(1, 2\)"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(call, error, message):
    """Shapes, kinds of numbers, names, targets and steps: what arrived and what was wanted."""
    with pytest.raises(error, match=message):
        call()


def test_the_formulas_import_nothing_of_ours():
    """They are what the engine is held against, so they must not stand on it."""
    tree = ast.parse(Path(formulas.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    assert {module.partition(".")[0] for module in imported} <= {"__future__", "collections", "typing", "numpy"}
