"""Numbers that count how often they are multiplied: a float and an array that share a `Tally`.

`compare` puts them in place of a method's numbers and lets the method run. Results are of the same kind, so the count
covers everything that is computed from them; what is multiplied is not looked at, so a product with 1 counts too.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Tally:
    """The number of multiplications so far."""

    def __init__(self) -> None:
        self.count = 0


class CountedFloat(float):
    """A float; its products and sums are counted floats too."""

    tally: Tally

    def __new__(cls, number: float, tally: Tally) -> CountedFloat:
        self = super().__new__(cls, number)
        self.tally = tally
        return self

    def __mul__(self, other: float) -> CountedFloat:
        self.tally.count += 1
        return CountedFloat(float.__mul__(self, other), self.tally)

    def __add__(self, other: float) -> CountedFloat:
        return CountedFloat(float.__add__(self, other), self.tally)

    __rmul__, __radd__ = __mul__, __add__


class CountedArray(np.ndarray[Any, np.dtype[np.float64]]):
    """An array; what NumPy computes from it is a counted array too. A product of matrices counts each of its products."""

    tally: Tally

    def __array_finalize__(self, parent: Any) -> None:
        self.tally = getattr(parent, "tally", Tally())

    def __array_ufunc__(self, ufunc: np.ufunc, method: Any, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            options["out"] = tuple([_plain(x) for x in options["out"]])
        result = getattr(ufunc, method)(*[_plain(x) for x in inputs], **options)
        if ufunc is np.multiply:
            self.tally.count += result.size
        elif ufunc is np.matmul:
            self.tally.count += result.size * inputs[0].shape[-1]
        return counted(result, self.tally)


def counted(array: Any, tally: Tally) -> Any:
    """A view of the array that counts."""
    result = np.asarray(array).view(CountedArray)
    result.tally = tally
    return result


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, CountedArray) else x
