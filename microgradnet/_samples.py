"""Training data: samples and targets as arrays that fit a net, class labels as one-hot targets, and accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._validation import Floats, as_table, counted, one_hot

Judge: TypeAlias = Callable[[Floats, Floats], float]


def as_samples(net: Any, X: npt.ArrayLike, R: npt.ArrayLike, prefix: str = "") -> tuple[Floats, Floats]:
    """X and R as arrays with one row per sample: shapes (K, inputs) and (K, outputs), copies.

    R may hold class labels 0, 1, …, shape (K,), for a net with several outputs; they become one-hot targets. prefix:
    goes before X and R in error messages. A ValueError for shapes that do not fit the net or each other, or for labels
    without an output; a TypeError for what holds no numbers.
    """
    x_name, r_name = prefix + "X", prefix + "R"
    x, r = as_table(X, x_name), as_table(R, r_name)
    if len(x) != len(r):
        raise ValueError(f"{x_name} has {len(x)} samples and {r_name} has {len(r)}: give one target per sample")
    kind = type(net).__name__
    if x.shape[1] != net.nin:
        raise ValueError(f"{x_name} has {counted(x.shape[1], 'column')}, this {kind} takes {counted(net.nin, 'input')}")
    if np.ndim(R) == 1 and net.nout > 1:
        return x, _one_hot(r[:, 0], net, r_name)
    if r.shape[1] != net.nout:
        labels = f"; {one_hot(net.nout)}" if net.nout > 1 else ""
        raise ValueError(
            f"{r_name} has {counted(r.shape[1], 'column')}, this {kind} {counted(net.nout, 'output')}: give one column "
            f"per output{labels}"
        )
    return x, r


def _one_hot(labels: Floats, net: Any, name: str) -> Floats:
    understood = f"{name} has shape ({len(labels)},) and this {type(net).__name__} {net.nout} outputs, so {name} was read as class labels"
    wrong = np.flatnonzero((labels != np.floor(labels)) | (labels < 0) | (labels >= net.nout))
    if wrong.size:
        k = wrong[0]
        raise ValueError(
            f"{understood}, 0 to {net.nout - 1}; but {name}[{k}] is {labels[k]:g}. Give such labels, or one column per output"
        )
    hot: Floats = np.eye(net.nout)[labels.astype(np.intp)]
    return hot


def extremes(R: Floats) -> list[int]:
    """A few samples whose targets reach the least and the largest number of R, and of each column with others."""
    found = [int(np.argmin(R)) // R.shape[1], int(np.argmax(R)) // R.shape[1]]
    least, largest = R.min(axis=0), R.max(axis=0)
    found += R[:, least > R.min()].argmin(axis=0).tolist() + R[:, largest < R.max()].argmax(axis=0).tolist()
    return list(dict.fromkeys(found))


def judge(R: Floats) -> Judge | None:
    """The function that gives the accuracy for outputs, shape (outputs, K), and targets, shape (K, outputs).

    With several outputs, a sample is right if its largest output is where its largest target is; with one output, if the
    output is on its target's side of the middle of the two targets that occur in R. None if R does not define classes.
    """
    if R.shape[1] > 1:
        if not (np.sum(R.max(axis=1, keepdims=True) == R, axis=1) == 1).all():
            return None
        return lambda y, r: int(np.count_nonzero(y.argmax(axis=0) == r.argmax(axis=1))) / len(r)
    targets = np.unique(R)
    if len(targets) > 2:
        return None
    middle = 0.5 if len(targets) == 1 else float(targets.mean())
    return lambda y, r: int(np.count_nonzero((y[0] >= middle) == (r[:, 0] >= middle))) / len(r)
