"""The structural operations of the array graph: those that move numbers between slots instead of computing new ones.

They are declared here; how each is differentiated is known to `derivative`, how each is printed to `numpy_source`.
"""

from __future__ import annotations

from typing import Any

from .. import kernels
from ..ops import Op


def _structural(name: str, array: Any = None) -> Op:
    """An operation of ours: its name begins with a space, so that it is not the name of a row."""
    op = Op(f" {name}", float, array, _not_here)  # `numpy_source` prints each in its own way
    _STRUCTURAL.add(id(op))
    return op


def _not_here(*args_and_y: Any) -> tuple[Any, ...]:
    raise TypeError(f"'{args_and_y[-1].op}' has its partials in `derivative`")


_STRUCTURAL: set[int] = set()


def is_structural(op: Op) -> bool:
    """Whether an operation moves numbers; the others are rows of the table."""
    return id(op) in _STRUCTURAL


flat = _structural("parameters")
given = _structural("input")
constants = _structural("numbers")
uniform = _structural("uniform")  # detail (c, shared): c/K everywhere, or c times the samples' share of K
matmul = _structural("matmul")
sum_rows = _structural("sum of rows")
max_rows = _structural("largest of rows")
min_rows = _structural("smallest of rows")
take = _structural("take")
regroup = _structural("regroup")
stack = _structural("stack")
stretch = _structural("stretch")
# made by the reverse sweep or by rewrites, and never differentiated
outer = _structural("outer")
transpose = _structural("transpose")
sum_columns = _structural("sum of columns")
first_largest = _structural("first largest")
first_smallest = _structural("first smallest")
minus_exponential = _structural("minus exponential", kernels.exp_minus)
logistic = _structural("logistic", kernels.logistic)
opposite = _structural("opposite", kernels.opposite)
total = _structural("total")
squared_length = _structural("squared length")
