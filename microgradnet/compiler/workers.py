"""Workers: from source to calls, in chunks of samples and in several threads.

A program keeps its work arrays from call to call. Calls may overlap in several threads: each takes a worker, which has work
arrays of its own, and puts it back afterwards. A worker has one of four modes:

    FAST      floating-point errors are raised
    BOUNDED   likewise, but no exponential in a sigmoid overflows, which takes longer
    OVERFLOW  like BOUNDED, but only overflow is raised
    SILENT    like BOUNDED, and infinities and NaN are results, as with plain floats
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from .. import kernels, ops

Numbers: TypeAlias = npt.NDArray[Any]

_NUMPY = ("add", "maximum", "minimum", "matmul", "broadcast_to", "empty")
_OURS = ("first_largest", "first_smallest", "vdot")
_SIZES = 4  # numbers of samples for which work arrays are kept
FAST, BOUNDED, OVERFLOW, SILENT = "fast", "bounded", "overflow", "silent"
_RAISING: Any = {"divide": "raise", "invalid": "raise", "over": "raise", "under": "ignore"}
_ERRORS: Any = {
    FAST: _RAISING,
    BOUNDED: _RAISING,
    OVERFLOW: {"all": "ignore", "over": "raise"},
    SILENT: {"all": "ignore"},
}


class Programs:
    """The functions that a source defines, ready to be called.

    sources: of `values` and perhaps `gradient`, as `numpy_source` writes them, each compiled when it is first called.
    tables, functions: what they refer to. chunk: samples that are computed at a time.
    """

    def __init__(
        self,
        sources: dict[str, str],
        tables: dict[str, Numbers],
        functions: dict[str, ops.Op],
        chunk: int,
        dtype: np.dtype[Any],
    ) -> None:
        self._dtype, self.chunk = dtype, chunk
        namespace: dict[str, Any] = {name: getattr(np, name) for name in _NUMPY} | {"view": _view}
        namespace |= {name: getattr(kernels, name) for name in _OURS}
        namespace |= {name: op.array for name, op in functions.items()}
        namespace |= {name: table.astype(dtype) if table.dtype.kind == "f" else table for name, table in tables.items()}
        fast, bounded = namespace | kernels.HALVES, namespace | kernels.APART
        self._sources, self._defined = sources, set[str]()
        self._namespaces = {FAST: fast, BOUNDED: bounded, OVERFLOW: bounded, SILENT: bounded}
        self._workers: dict[tuple[str, int, str], list[Callable[..., Any]]] = {}

    def values(self, rows: Sequence[Numbers], K: int, theta: Numbers, out: Numbers, mode: str = FAST) -> None:
        """Put all recorded outputs, one per row, into `out`. rows: the inputs, a sample per row."""
        for part in self._chunks(K):
            xs = _aligned([x[part] for x in rows])
            self._run("values", part.stop - part.start, mode, theta, out[:, part], *xs)

    def gradient(
        self,
        rows: Sequence[Numbers],
        K: int,
        theta: Numbers,
        gradient: Numbers,
        watched: Numbers | None,
        mode: str = FAST,
    ) -> float:
        """The mean of the first output over all samples; its gradient is put into `gradient`, other outputs into `watched`."""
        if self.chunk >= K:
            return self._run("gradient", K, mode, theta, gradient, watched, 1.0 / K, *_aligned(rows))  # type: ignore[no-any-return]
        total, share = 0.0, np.empty_like(gradient)
        gradient[...] = 0.0
        for part in self._chunks(K):
            xs = _aligned([x[part] for x in rows])
            noted = None if watched is None else watched[:, part]
            total += self._run("gradient", part.stop - part.start, mode, theta, share, noted, 1.0 / K, *xs)
            np.add(gradient, share, out=gradient)
        return total

    def _chunks(self, K: int) -> Iterator[slice]:
        for start in range(0, K, self.chunk):
            yield slice(start, min(start + self.chunk, K))

    def _run(self, program: str, K: int, mode: str, *arguments: Any) -> Any:
        workers = self._workers.get((program, K, mode))
        if workers is None:
            workers = self._new_size(program, K, mode)
        try:
            worker = workers.pop()
        except IndexError:  # checking first would race with other threads
            self._define(program)
            worker = _worker(self._namespaces[mode], program, K, self._dtype, _ERRORS[mode])
        try:
            return worker(*arguments)
        finally:
            workers.append(worker)

    def _define(self, program: str) -> None:
        if program not in self._defined:
            code = compile(self._sources[program], "<compiled by microgradnet>", "exec")
            exec(code, self._namespaces[FAST])
            exec(code, self._namespaces[BOUNDED])
            self._defined.add(program)

    def _new_size(self, program: str, K: int, mode: str) -> list[Callable[..., Any]]:
        while len(self._workers) >= 2 * _SIZES:  # the oldest goes
            self._workers.pop(next(iter(self._workers)), None)
        return self._workers.setdefault((program, K, mode), [])


def _worker(namespace: dict[str, Any], program: str, K: int, dtype: np.dtype[Any], errors: Any) -> Callable[..., Any]:
    """A program with one set of work arrays, run where floating-point errors are raised or ignored."""
    context = copy_context()
    context.run(np.seterr, **errors)
    return partial(context.run, namespace[program], namespace[f"{program}_work"](K, dtype))


def _aligned(rows: Sequence[Numbers]) -> Sequence[Numbers]:
    """The arrays, or copies at addresses where NumPy need not copy at every use: data from a wire may lie anywhere."""
    for x in rows:
        if not x.flags.aligned:
            return [np.require(x, requirements="A") for x in rows]
    return rows


def _view(flat: Numbers, shape: tuple[int, int], steps: tuple[int, int]) -> Numbers:
    return as_strided(flat, shape, [step * flat.itemsize for step in steps])
