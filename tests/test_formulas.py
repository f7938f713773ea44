"""The lecture's formulas against values worked out by hand, and what they refuse.

That they agree with each other and with the engine on any net, test_lecture says.
"""

from math import log

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


# With cross-entropy δ⁽²⁾ lacks the σ′ = 3/16, so all of it is 16/3 of the above: the lecture's miracle.
costs = pytest.mark.parametrize(("cost", "miracle"), [("quadratic", 1.0), ("cross_entropy", 16 / 3)])


@costs
def test_both_ways_to_the_gradient_by_hand(cost, miracle):
    """δ⁽p⁾ = 1/K (f - r) σ′, or without the σ′, then δ⁽q⁻¹⁾ = Σ_j δ_j a_j σ′; and 1/K Σ_k (f - r) ∂f, or (σ(z) - r) ∂z."""
    deltas, *recursion = formulas.delta_recursion(A, b, X, R, cost=cost)
    close(deltas, [miracle * np.array(DELTA1), miracle * np.array(DELTA2)])
    for dA, db in (recursion, getattr(formulas, f"{cost}_gradient_forward")(A, b, X, R)):
        close(dA, [miracle * np.array(DC_DA1), miracle * np.array(DC_DA2)])
        close(db, [miracle * np.array(DC_DB1), miracle * np.array(DC_DB2)])


@pytest.mark.parametrize(
    "gradients", [formulas.delta_recursion(A, b, X, R), formulas.Derivatives([DC_DA1, DC_DA2], [DC_DB1, DC_DB2])]
)
def test_gradient_step_goes_downhill(gradients):
    """a_new = a_old - Δt ∂C/∂a, from any form of gradients, and leaves the old numbers alone."""
    before = [array.copy() for array in A + b]
    new = formulas.gradient_step(iter(A), b, gradients, 256.0)
    close(new.A, [[[L + 9, 18.0], [-5.0, -12.5]], [[13.0, 4.0]]])
    close(new.b, [[9.0, -6.0], [-2.0 - L + 12.0]])
    for array, old in zip(A + b, before, strict=True):
        assert (array == old).all()


def test_whatever_numpy_takes_for_an_array_is_one():
    """In any sequence; flat where samples have one number. Results share no memory with what was given."""
    wanted = formulas.delta_recursion(A, b, X, R)
    for got, arrays in zip(formulas.delta_recursion(iter(A), (v.tolist() for v in b), X, R), wanted, strict=True):
        close(got, arrays)
    assert not any(np.shares_memory(y, x) for y in formulas.forward_pass(A, b, x).ys)
    flat = formulas.delta_recursion([[[2.0]]], [[1.0]], [0.5, -0.5], [1.0, 0.0])
    column = formulas.delta_recursion([[[2.0]]], [[1.0]], [[0.5], [-0.5]], [[1.0], [0.0]])
    assert [d.tolist() for d in flat.deltas] == [d.tolist() for d in column.deltas]


# What is refused.

forward, forward_derivatives, delta = formulas.forward_pass, formulas.forward_derivatives, formulas.delta_recursion
quadratic, cross_entropy = formulas.quadratic_gradient_forward, formulas.cross_entropy_gradient_forward
DA, DB = [DC_DA1, DC_DA2], [DC_DB1, DC_DB2]
REFUSED = [  # the messages name the culprit, what it is, and what was wanted
    (forward, ([], [], x), "0 matrices.*0 vectors"),
    (forward, (A, b[:1], x), "2 matrices.*1 vectors"),
    (forward, ([A[0], [[1.0, 2.0, 3.0]]], b, x), r"A\[1\].*\(1, 3\).*\(n_2, 2\)"),
    (forward, ([x, A[1]], b, x), r"A\[0\].*\(2,\).*\(n_1, n_0\)"),
    (forward, ([np.zeros((0, 2))], [[]], x), r"A\[0\].*\(0, 2\)"),
    (forward, (A, [b[0], [1.0, 2.0]], x), r"b\[1\].*\(2,\).*\(1,\)"),
    (forward, (A, b, [1.0, 2.0, 3.0]), r"x .*\(3,\).*\(2,\)"),
    (forward_derivatives, (A, b, x, "gauss"), "gauss.*sigmoid"),
    (forward_derivatives, (A, b, x, ["tanh"]), "1 activations.*2 layers"),
    (delta, (A, b, x, R), r"X .*\(2,\).*\(K, 2\)"),
    (delta, (A, b, X, [1.0]), r"R .*\(1, 1\).*\(2, 1\)"),
    (delta, (A, b, X, R, "sigmoid", "cubic"), "cubic.*cross_entropy"),
    (delta, (A, b, X, R, ["sigmoid", "linear"], "cross_entropy"), "sigmoid.*linear"),
    (delta, (A, b, X, [0.5, 1.5], "sigmoid", "cross_entropy"), "between 0 and 1"),
    (quadratic, (A, b, X, [[1.0], [1.0, 2.0]]), "R .*length"),
    (cross_entropy, (A, b, X, R, "tanh"), "sigmoid.*tanh"),
    *[(formulas.gradient_step, (A, b, (DA, DB), dt), f"dt is {dt}") for dt in (0.0, np.inf, np.nan)],
    (formulas.gradient_step, (A, b, (DA, DB[:1]), 1.0), "2 matrices and 1 vectors.*2 layers"),
    (formulas.gradient_step, (A, b, (DA, [[0.0], [0.0]]), 1.0), r"db\[0\].*\(1,\)"),
]


@pytest.mark.parametrize(("formula", "arguments", "message"), REFUSED)
def test_what_does_not_fit_is_refused(formula, arguments, message):
    """Shapes, names, targets that a cross-entropy has no meaning for, steps that are not positive and finite."""
    with pytest.raises(ValueError, match=message):
        formula(*arguments)


@pytest.mark.parametrize("wrong", [["1", "2"], [True, False], [1j, 2.0]], ids=repr)
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(TypeError, match=f"x .*{np.asarray(wrong).dtype}"):
        formulas.forward_pass(A, b, wrong)
