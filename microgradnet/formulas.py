"""The lecture's formulas in plain NumPy: derivatives that one can check on paper.

This module imports nothing of the package, so that it can serve as a check of everything else.

The letters are the lecture's. Its layers count from 1 and Python's lists from 0, so A[q-1] is A⁽q⁾; b, zs, deltas, dA
and db are shifted in the same way. Only ys[q] is y⁽q⁾ itself, because ys begins with y⁽⁰⁾ = x. n_q is the number of
nodes of layer q, p the number of layers, K the number of samples.

`forward_derivatives` is the natural way, `delta_recursion` the smart one. All products are written with @ and *, and
subclasses of ndarray pass through, so that an array that counts its multiplications sees every one.

    >>> from microgradnet import formulas
    >>> zs, ys = formulas.forward_pass(A=[[[1.0, 2.0]]], b=[[-3.0]], x=[1.0, 1.0])
    >>> zs[0].tolist(), ys[-1].tolist()
    ([0.0], [0.5])
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Activations = str | Sequence[str]


class ForwardPass(NamedTuple):
    """zs: the pre-activations z⁽¹⁾ … z⁽p⁾; ys: the activations y⁽⁰⁾ = x, y⁽¹⁾ … y⁽p⁾ = f(x). Shapes (n_q,)."""

    zs: list[Floats]
    ys: list[Floats]


class Derivatives(NamedTuple):
    """dA, db: one array per layer, of derivatives with respect to A⁽q⁾ and b⁽q⁾."""

    dA: list[Floats]  # noqa: N815  # the promised name
    db: list[Floats]


class DeltaRecursion(NamedTuple):
    """deltas: the output errors δ⁽q⁾,ᵏ, shapes (K, n_q); dA, db: the cost's derivatives, shaped as A and b."""

    deltas: list[Floats]
    dA: list[Floats]  # noqa: N815  # the promised name
    db: list[Floats]


class Parameters(NamedTuple):
    """A, b: the matrices and vectors of a net."""

    A: list[Floats]
    b: list[Floats]


# Activations and their slopes, right to the last digits for every float. σ′ = σ (1 - σ) cancels where σ is near 1, so it
# is computed as σ(z) σ(-z); tanh′ follows from tanh z = 2 σ(2z) - 1.


def _sigmoid(z: Floats) -> Floats:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0.0, 1.0, e) / (1.0 + e)


def _sigmoid_slope(z: Floats) -> Floats:
    return _sigmoid(z) * _sigmoid(-z)


_ACTIVATIONS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "sigmoid": (_sigmoid, _sigmoid_slope),
    "tanh": (np.tanh, lambda z: 4.0 * _sigmoid_slope(2.0 * z)),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(np.float64)),
    "softplus": (lambda z: np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z))), _sigmoid),
    "linear": (lambda z: z, np.ones_like),
    "step": (lambda z: (z >= 0.0).astype(np.float64), np.zeros_like),
}


def _error(cost: str, z: Floats, y: Floats, r: Floats) -> Floats:
    """K ∂C/∂y = y - r for the quadratic cost, K ∂C/∂z = σ(z) - r for cross-entropy; the latter without cancellation."""
    return y - r if cost == "quadratic" else (1.0 - r) * _sigmoid(z) - r * _sigmoid(-z)


def forward_pass(
    A: Iterable[npt.ArrayLike], b: Iterable[npt.ArrayLike], x: npt.ArrayLike, activation: Activations = "sigmoid"
) -> ForwardPass:
    """All z⁽q⁾ = A⁽q⁾ y⁽q⁻¹⁾ + b⁽q⁾ and y⁽q⁾ = σ(z⁽q⁾), with y⁽⁰⁾ = x.

    A: p matrices of shapes (n_q, n_{q-1}); b: p vectors of shapes (n_q,); x: shape (n_0,). activation: "sigmoid",
    "tanh", "relu", "softplus", "linear" or "step", or a sequence with one of these for each layer.

    Like all functions here, it raises a ValueError for shapes that do not fit or an unknown activation, and a TypeError
    for what is not numbers.

    >>> zs, ys = forward_pass([[[1.0, -2.0]]], [[1.0]], [3.0, 2.0])
    >>> zs[0].tolist(), ys[1].tolist()
    ([0.0], [0.5])
    """
    A, b, kinds = _net(A, b, activation)
    return _forward(A, b, _array(x, "x", (A[0].shape[1],)), kinds)


def forward_derivatives(
    A: Iterable[npt.ArrayLike], b: Iterable[npt.ArrayLike], x: npt.ArrayLike, activation: Activations = "sigmoid"
) -> Derivatives:
    """All ∂y⁽p⁾_ℓ/∂a⁽q⁾_{i,j} and ∂y⁽p⁾_ℓ/∂b⁽q⁾_i, the natural way: forward, layer by layer.

    The parameters of a layer enter as ∂y⁽q⁾_ℓ/∂a⁽q⁾_{ℓ,j} = σ′(z⁽q⁾_ℓ) y⁽q⁻¹⁾_j and ∂y⁽q⁾_ℓ/∂b⁽q⁾_ℓ = σ′(z⁽q⁾_ℓ), zero
    for ℓ ≠ i. Because of these zeros, the next layer has one term: ∂y⁽q⁾_ℓ/∂a⁽q⁻¹⁾_{i,j} = σ′(z⁽q⁾_ℓ) a⁽q⁾_{ℓ,i}
    ∂y⁽q⁻¹⁾_i/∂a⁽q⁻¹⁾_{i,j}. Each later layer has a sum: ∂y⁽q⁾_ℓ = σ′(z⁽q⁾_ℓ) Σ_m a⁽q⁾_{ℓ,m} ∂y⁽q⁻¹⁾_m.

    Arguments as for `forward_pass`. dA[q-1] has shape (n_p, n_q, n_{q-1}), its indices are ℓ, i, j; db[q-1] has shape
    (n_p, n_q).

    >>> dA, db = forward_derivatives([[[1.0, -2.0]]], [[1.0]], [3.0, 2.0])
    >>> dA[0].tolist(), db[0].tolist()
    ([[[0.75, 0.5]]], [[0.25]])
    """
    A, b, kinds = _net(A, b, activation)
    zs, ys = _forward(A, b, _array(x, "x", (A[0].shape[1],)), kinds)
    (dA, db), (own_A, own_b) = _derivatives(A, zs, ys, kinds)
    n_p, i = len(own_b), np.arange(len(own_b))
    last_A, last_b = np.zeros((n_p, *own_A.shape)), np.zeros((n_p, n_p))
    last_A[i, i], last_b[i, i] = own_A, own_b
    return Derivatives([*dA, last_A], [*db, last_b])


def delta_recursion(
    A: Iterable[npt.ArrayLike],
    b: Iterable[npt.ArrayLike],
    X: npt.ArrayLike,
    R: npt.ArrayLike,
    activation: Activations = "sigmoid",
    cost: str = "quadratic",
) -> DeltaRecursion:
    """Backpropagation: all δ⁽q⁾_j = ∂C/∂z⁽q⁾_j, and from them ∂C/∂A and ∂C/∂b.

    In the last layer, δ⁽p⁾,ᵏ = 1/K (f(xᵏ) - rᵏ) σ′(z⁽p⁾). With cost="cross_entropy" a miracle cancels the σ′:
    δ⁽p⁾,ᵏ = 1/K (σ(z⁽p⁾) - rᵏ). Going back, δ⁽q⁻¹⁾_ℓ = Σ_j δ⁽q⁾_j a⁽q⁾_{j,ℓ} σ′(z⁽q⁻¹⁾_ℓ). Finally,
    ∂C/∂a⁽q⁾_{i,j} = Σ_k δ⁽q⁾,ᵏ_i y⁽q⁻¹⁾,ᵏ_j and ∂C/∂b⁽q⁾_i = Σ_k δ⁽q⁾,ᵏ_i.

    X: the samples, shape (K, n_0), or (K,) if n_0 = 1; R: the desired outputs, shape (K, n_p), or (K,) if n_p = 1; the
    rest as for `forward_pass`. Each δ contains the 1/K of C, as in the lecture. Cross-entropy needs a sigmoid in
    the last layer and desired outputs in [0, 1]; otherwise a ValueError.

    >>> deltas, dA, db = delta_recursion([[[1.0, -2.0]]], [[1.0]], X=[[3.0, 2.0]], R=[1.0])
    >>> deltas[0].tolist(), dA[0].tolist(), db[0].tolist()
    ([[-0.125]], [[-0.375, -0.25]], [-0.125])
    """
    A, b, kinds = _net(A, b, activation)
    X, R = _samples(A, X, R, kinds, cost)
    zs, ys = _forward(A, b, X, kinds)
    delta = _error(cost, zs[-1], ys[-1], R) / len(X)
    if cost == "quadratic":
        delta = delta * _slope(kinds[-1], zs[-1])
    deltas = [delta]
    for q in range(len(A) - 1, 0, -1):  # A[q] is layer q + 1: from that layer to layer q
        delta = (delta @ A[q]) * _slope(kinds[q - 1], zs[q - 1])
        deltas.insert(0, delta)
    dA = [delta.T @ y for delta, y in zip(deltas, ys[:-1], strict=True)]  # the last y has no δ
    return DeltaRecursion(deltas, dA, [delta.sum(axis=0) for delta in deltas])


def quadratic_gradient_forward(
    A: Iterable[npt.ArrayLike],
    b: Iterable[npt.ArrayLike],
    X: npt.ArrayLike,
    R: npt.ArrayLike,
    activation: Activations = "sigmoid",
) -> Derivatives:
    """The quadratic cost's gradient the natural way: ∂C/∂a = 1/K Σ_k Σ_ℓ (f_ℓ(xᵏ) - r_ℓᵏ) ∂y⁽p⁾_ℓ/∂a at x = xᵏ.

    Arguments as for `delta_recursion`; gives the same dA and db, computed by `forward_derivatives`.

    >>> quadratic_gradient_forward([[[1.0, -2.0]]], [[1.0]], X=[[3.0, 2.0]], R=[1.0]).dA[0].tolist()
    [[-0.375, -0.25]]
    """
    A, b, kinds = _net(A, b, activation)
    X, R = _samples(A, X, R, kinds, "quadratic")
    return _gradient_forward(A, b, X, R, kinds, "quadratic")


def cross_entropy_gradient_forward(
    A: Iterable[npt.ArrayLike],
    b: Iterable[npt.ArrayLike],
    X: npt.ArrayLike,
    R: npt.ArrayLike,
    activation: Activations = "sigmoid",
) -> Derivatives:
    """Cross-entropy's gradient the natural way: ∂C/∂a = 1/K Σ_k Σ_ℓ (σ(z_ℓ) - r_ℓᵏ) ∂z⁽p⁾_ℓ/∂a at x = xᵏ.

    This contains the lecture's miracle: -(r/y - (1-r)/(1-y)) ∂y = (y - r) ∂z, since y = σ(z). Arguments and errors as
    for `delta_recursion` with cost="cross_entropy".

    >>> cross_entropy_gradient_forward([[[1.0, -2.0]]], [[1.0]], X=[[3.0, 2.0]], R=[1.0]).dA[0].tolist()
    [[-1.5, -1.0]]
    """
    A, b, kinds = _net(A, b, activation)
    X, R = _samples(A, X, R, kinds, "cross_entropy")
    return _gradient_forward(A, b, X, R, kinds, "cross_entropy")


def gradient_step(A: Iterable[npt.ArrayLike], b: Iterable[npt.ArrayLike], gradients: Any, dt: float) -> Parameters:
    """One step of steepest descent: a_new = a_old - Δt ∂C/∂a, and b likewise.

    gradients: the result of `delta_recursion` or of a …_gradient_forward, or a pair (dA, db). dt: the learning rate Δt.
    The arrays you give are not changed. A ValueError if shapes differ or dt is not positive and finite.

    >>> A, b = [[[1.0, -2.0]]], [[1.0]]
    >>> new = gradient_step(A, b, delta_recursion(A, b, X=[[3.0, 2.0]], R=[1.0]), dt=8.0)
    >>> new.A[0].tolist(), new.b[0].tolist()
    ([[4.0, 0.0]], [2.0])
    """
    A, b, _ = _net(A, b, "linear")
    if not 0.0 < dt < np.inf:
        raise ValueError(f"dt is {dt}: the step Δt must be positive and finite")
    dA, db = [list(part) for part in gradients[-2:]]  # dA and db come last in a DeltaRecursion too
    if (len(dA), len(db)) != (len(A), len(A)):
        raise ValueError(f"gradients of {len(dA)} matrices and {len(db)} vectors arrived for a net of {len(A)} layers")
    return Parameters(
        [a - dt * _array(d, f"dA[{q}]", a.shape) for q, (a, d) in enumerate(zip(A, dA, strict=True))],
        [v - dt * _array(d, f"db[{q}]", v.shape) for q, (v, d) in enumerate(zip(b, db, strict=True))],
    )


def _slope(kind: str, z: Floats) -> Floats:
    return _ACTIVATIONS[kind][1](z)


def _forward(A: list[Floats], b: list[Floats], x: Floats, kinds: list[str]) -> ForwardPass:
    """For one sample, or for one sample per row of x; there A y becomes y Aᵀ."""
    zs, ys = [], [x]
    for a_q, b_q, kind in zip(A, b, kinds, strict=True):
        zs.append(ys[-1] @ a_q.T + b_q)
        ys.append(_ACTIVATIONS[kind][0](zs[-1]))
    return ForwardPass(zs, ys)


def _derivatives(
    A: list[Floats], zs: list[Floats], ys: list[Floats], kinds: list[str]
) -> tuple[Derivatives, tuple[Floats, Floats]]:
    """Of the last y: with respect to the parameters of the earlier layers; and to those of the last, without the zeros.

    The second part has shapes (n_p, n_{p-1}) and (n_p,): entry i belongs to y_i, the only node that these parameters move.
    """
    dA: list[Floats] = []
    db: list[Floats] = []
    own: tuple[Floats, ...] = ()
    for a, z, y, kind in zip(A, zs, ys[:-1], kinds, strict=True):  # y is the layer's input; nothing follows the last y
        slope = _slope(kind, z)
        dA = [(a @ d.reshape(len(d), -1)).reshape(len(a), *d.shape[1:]) * slope[:, None, None] for d in dA]
        db = [(a @ d) * slope[:, None] for d in db]
        if own:
            dA.append(slope[:, None, None] * (a[:, :, None] * own[0]))
            db.append(slope[:, None] * (a * own[1]))
        own = slope[:, None] * y, slope
    return Derivatives(dA, db), (own[0], own[1])


def _gradient_forward(
    A: list[Floats], b: list[Floats], X: Floats, R: Floats, kinds: list[str], cost: str
) -> Derivatives:
    outer = kinds if cost == "quadratic" else [*kinds[:-1], "linear"]  # ∂y⁽p⁾, or ∂z⁽p⁾
    dA, db = [np.zeros(a.shape) for a in A], [np.zeros(v.shape) for v in b]
    for x, r in zip(X, R, strict=True):
        zs, ys = _forward(A, b, x, kinds)
        error = _error(cost, zs[-1], ys[-1], r) / len(X)
        earlier, (own_A, own_b) = _derivatives(A, zs, ys, outer)
        for total_A, total_b, dA_q, db_q in zip(dA[:-1], db[:-1], *earlier, strict=True):
            total_A += (error @ dA_q.reshape(len(error), -1)).reshape(total_A.shape)
            total_b += error @ db_q
        dA[-1] += error[:, None] * own_A
        db[-1] += error * own_b
    return Derivatives(dA, db)


# Arguments: what is accepted, and the errors for the rest.


def _array(numbers: Any, name: str, wanted: tuple[int | str, ...], column: bool = False) -> Floats:
    """The numbers as a float array of the wanted shape, in which a str stands for any length.

    column: whether a flat sequence is taken as a single column.
    """
    try:
        array = np.asarray(numbers) if isinstance(numbers, np.matrix) else np.asanyarray(numbers)
    except ValueError:
        raise ValueError(f"the rows of {name} differ in length: give each row as many numbers") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} holds {array.dtype} where numbers were wanted: convert it with .astype(float)")
    if column and array.ndim == 1 and wanted[-1] == 1:
        array = array[:, None]
    fits = len(wanted) == array.ndim and all(
        isinstance(n, str) or n == m for n, m in zip(wanted, array.shape, strict=True)
    )
    if not fits or array.size == 0:
        shape = str(wanted).replace("'", "")
        raise ValueError(f"{name} has shape {array.shape}: give {shape}")
    floats: Floats = array.astype(np.float64)
    return floats


def _net(
    A: Iterable[npt.ArrayLike], b: Iterable[npt.ArrayLike], activation: Activations
) -> tuple[list[Floats], list[Floats], list[str]]:
    A, b = list(A), list(b)
    if not A or len(A) != len(b):
        raise ValueError(f"{len(A)} matrices in A met {len(b)} vectors in b: there must be one of each per layer")
    matrices: list[Floats] = []
    for q, a in enumerate(A):
        width: int | str = matrices[-1].shape[0] if matrices else "n_0"
        matrices.append(_array(a, f"A[{q}]", (f"n_{q + 1}", width)))
    vectors = [_array(v, f"b[{q}]", (len(matrices[q]),)) for q, v in enumerate(b)]
    kinds = [activation] * len(A) if isinstance(activation, str) else list(activation)
    if len(kinds) != len(A):
        raise ValueError(
            f"{len(kinds)} activations arrived for {len(A)} layers: give one name for all layers, or one for each"
        )
    for kind in kinds:
        if kind not in _ACTIVATIONS:
            raise ValueError(f"{kind!r} is no activation: choose one of {', '.join(_ACTIVATIONS)}")
    return matrices, vectors, kinds


def _samples(A: list[Floats], X: Any, R: Any, kinds: list[str], cost: str) -> tuple[Floats, Floats]:
    if cost not in ("quadratic", "cross_entropy"):
        raise ValueError(f"{cost!r} is not one of the lecture's costs: choose quadratic or cross_entropy")
    X = _array(X, "X", ("K", A[0].shape[1]), column=True)
    R = _array(R, "R", (len(X), len(A[-1])), column=True)
    if cost == "cross_entropy":
        if kinds[-1] != "sigmoid":
            raise ValueError(
                f"cross-entropy wants a sigmoid in the last layer, not {kinds[-1]}: choose the quadratic cost, or a sigmoid"
            )
        if not ((R >= 0.0) & (R <= 1.0)).all():
            raise ValueError(
                "cross-entropy wants desired outputs between 0 and 1: scale R, or choose the quadratic cost"
            )
    return X, R
