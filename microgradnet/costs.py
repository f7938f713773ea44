"""The lecture's costs for one sample. The mean over samples is left to those who have all samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any, TypeAlias

from . import ops
from ._readings import active, demand
from ._validation import counted, one_hot
from .functions import dot, log_of_powers, maximum
from .value import Operand, Value, as_values

Several: TypeAlias = Operand | Sequence[Operand]

Cost: TypeAlias = Callable[[Any, Any], Value]
"""A cost of one sample: a function of the net's outputs and the desired ones."""


def quadratic(outputs: Several, targets: Several) -> Value:
    """½ |f(x) − r|² = ½ Σ_j (y_j − r_j)².

    outputs: what a net gives, a Value or a sequence of Values. targets: as many numbers r. Raises a ValueError if there
    are more of one than of the other.

    >>> quadratic([Value(1.0), Value(0.5)], [0.0, 0.5]).data
    0.5
    """
    y, r = _pairs(outputs, targets)
    return 0.5 * reduce(add, [(y_j - r_j) ** 2 for y_j, r_j in zip(y, r, strict=True)])


def cross_entropy(outputs: Several, targets: Several) -> Value:
    """−Σ_j [r_j ln a_j + (1 − r_j) ln(1 − a_j)].

    outputs: a Value or a sequence of Values, each in [0, 1]. targets: as many numbers r in [0, 1]. Raises a ValueError if
    there are more of one than of the other, or if one leaves that range.

    For an output a = σ(z) the cost is computed from z, which is exact for every float:
    r ln(1 + e⁻ᶻ) + (1 − r) ln(1 + eᶻ), with the derivative σ(z) − r (the lecture's miracle).

    >>> z = Value(100.0)
    >>> cost = cross_entropy(z.sigmoid(), 0)
    >>> cost.backward()
    >>> cost.data, z.grad
    (100.0, 1.0)
    """
    y, r = _pairs(outputs, targets)
    return reduce(add, [_cross_entropy(y_j, r_j) for y_j, r_j in zip(y, r, strict=True)])


def softmax_cross_entropy(outputs: Several, targets: Several) -> Value:
    """−Σ_j r_j ln p_j with p = softmax(z), for a net whose outputs z choose one class of several.

    outputs: the z, a sequence of Values of any size, as the "linear" activation gives them. targets: as many numbers r in
    [0, 1]: 1 for the right class and 0 for the others, or a share for each class. Raises a ValueError if there are more
    of one than of the other, or if a target leaves that range.

    The derivative is the lecture's miracle once more: ∂C/∂z = p − r for targets whose sum is 1. It is right entry by
    entry where one p_j is nearly 1, and so are the second derivatives.

    >>> z = [Value(0.0), Value(50.0)]
    >>> cost = softmax_cross_entropy(z, [0, 1])
    >>> cost.backward()
    >>> cost.data, z[0].grad, z[1].grad  # e⁻⁵⁰, e⁻⁵⁰, −e⁻⁵⁰
    (1.9287498479639178e-22, 1.9287498479639178e-22, -1.9287498479639178e-22)
    """
    z, r = _pairs(outputs, targets)
    for r_j in r:
        _refuse_target(r_j)
    largest = reduce(maximum, z)  # not detached: its p − 1 is then minus the sum of the others, with nothing cancelled
    d = [z_j - largest for z_j in z]
    log_total = log_of_powers(d)
    return dot(r, [log_total - d_j for d_j in d])


_TARGETS = "targets lie between 0 and 1; try the quadratic cost"


def _refuse_target(r: Value) -> None:
    if not 0.0 <= r._data <= 1.0:
        raise ValueError(f"cross-entropy met the target {r._data}: {_TARGETS}")
    if active:  # the numbers of a compiled cost come later
        demand(r, 0.0, 1.0, _TARGETS)


def _cross_entropy(a: Value, r: Value) -> Value:
    _refuse_target(r)
    if a.op is ops.sigmoid:
        return ops.cross_entropy(*a.parents, r)  # type: ignore[no-any-return]
    if not 0.0 <= a._data <= 1.0:
        made_by = f" of '{a.op}'" if a.op else ""
        raise ValueError(
            f"cross-entropy met the output {a._data}{made_by}: outputs must lie between 0 and 1, as those of a sigmoid do"
        )
    terms = []
    if not (r.op == ops.constant and r._data == 0.0):  # else a term that is always 0 would have no slope at its pole
        terms.append(ops.xlogy(r, a))
    if not (r.op == ops.constant and r._data == 1.0):
        terms.append(ops.xlog1my(1.0 - r, a))
    return 0.0 - reduce(add, terms)  # type: ignore[no-any-return]  # not −0 for a right answer


def _pairs(outputs: Several, targets: Several) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    y, r = _several(outputs), _several(targets)
    if len(y) != len(r) or not y:
        label = f"; {one_hot(len(y))}" if len(y) > len(r) == 1 else ""
        raise ValueError(
            f"{counted(len(y), 'output')} met {counted(len(r), 'target')}: give one target per output{label}"
        )
    return y, r


def _several(numbers: Several) -> tuple[Value, ...]:
    return as_values(numbers if hasattr(numbers, "__iter__") else [numbers])  # type: ignore[arg-type]
