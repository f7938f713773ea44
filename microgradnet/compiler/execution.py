"""Execution: runs the programs of a recording on data that have been checked, and explains floating-point errors.

Small batches run as plain floats, others in NumPy. A floating-point error is computed again with bounded exponentials; if it
remains, the replay raises the error of the operation that caused it, or the infinity is a result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..value import Value
from .batches import refuse_nan
from .one_sample import OneSample
from .programs import Passes
from .record import Recording
from .replay import first_failing, replay
from .workers import BOUNDED, OVERFLOW, SILENT, Programs

Numbers: TypeAlias = npt.NDArray[Any]

_ALIKE = 1e-3  # how far a result may be off, relatively, in spite of a floating-point error on the way


class Execution:
    """The programs of a recording, ready to run.

    recording, passes: what was recorded and what the passes made of it. parameters: in the order of theta. watched: how many
    outputs are computed together with the gradient of the first. `programs`: those for batches.

    Data are arrays of its dtype, one per input, of shape (K, size); theta is a list of floats or an array of that dtype.
    """

    def __init__(
        self, recording: Recording, passes: Passes, parameters: Sequence[Value], watched: int, dtype: np.dtype[Any]
    ) -> None:
        self.recording, self.parameters, self.watched, self.dtype = recording, parameters, watched, dtype
        single = dtype == np.float32  # plain floats would compute in double precision
        self.few_values, self.few = (0, 0) if single else (passes.few_values, passes.few)
        self._names = passes.names.inputs
        self._sources, self._tables, self._chunk = passes.sources, passes.tables, passes.chunk
        self._start()

    def _start(self) -> None:
        """Make what is not pickled."""
        self.one_sample: OneSample | None = None  # written when it is first needed
        self.programs = Programs(self._sources, self._tables.tables, self._tables.functions, self._chunk, self.dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {name: part for name, part in vars(self).items() if name not in ("programs", "one_sample")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    @property
    def source(self) -> str:
        """The source of all programs, and for which batches each is run."""
        source = "\n\n".join(self._sources.values())
        if not self.few and not self.few_values:
            return source
        few = f"values of up to {self.few_values} samples, gradients of up to {self.few}"
        return f"# as plain floats: {few}\n\n{self._by_sample().source}\n# in NumPy: larger batches\n\n{source}"

    def _by_sample(self) -> OneSample:
        if self.one_sample is None:
            self.one_sample = OneSample(self.recording, self.parameters, self._names, gradient=self.few > 0)
        return self.one_sample

    def values(self, rows: Sequence[Numbers], K: int, theta: Any) -> Numbers:
        """All recorded outputs, shape (outputs, K)."""
        if self.few_values >= K:
            found = self._by_sample().values(rows, theta)
            if found is not None:
                return found
        theta = np.ascontiguousarray(theta, self.dtype)
        out = np.empty((len(self.recording.outputs), K), self.dtype)
        try:
            self.programs.values(rows, K, theta, out)
        except FloatingPointError:
            self._again(lambda mode: self.programs.values(rows, K, theta, out, mode), rows, K, theta, False)
        if np.isnan(out).any():
            refuse_nan(rows)
        return out

    def value_and_grad(self, rows: Sequence[Numbers], K: int, theta: Any) -> tuple[float, Numbers]:
        """The mean of the first output, and its gradient, shape (parameters,)."""
        gradient = np.empty(len(self.parameters), self.dtype)
        return self._mean(gradient, rows, K, theta, None)[0], gradient

    def mean_into(self, gradient: Numbers, rows: Sequence[Numbers], theta: Numbers, watched: Numbers | None) -> float:
        """Like `value_and_grad`, into given arrays. Raises a FloatingPointError if the gradient is not finite."""
        mean, clean = self._mean(gradient, rows, len(rows[0]), theta, watched)
        if not clean and not np.isfinite(gradient).all():
            raise FloatingPointError("the gradient is not finite")
        return mean

    def _mean(
        self, gradient: Numbers, rows: Sequence[Numbers], K: int, theta: Any, watched: Numbers | None
    ) -> tuple[float, bool]:
        """The mean, and whether the gradient is known to be finite: no floating-point error was raised."""
        if self.few >= K:
            found = self._by_sample().mean_into(gradient, rows, K, theta, watched)
            if found is not None:
                return found, False
        theta = np.ascontiguousarray(theta, self.dtype)
        if watched is None and self.watched:
            watched = np.empty((self.watched, K), self.dtype)
        clean = True
        try:
            mean = self.programs.gradient(rows, K, theta, gradient, watched)
        except FloatingPointError:
            clean = False
            mean = self._again(
                lambda mode: self.programs.gradient(rows, K, theta, gradient, watched, mode), rows, K, theta, True
            )
        if math.isnan(mean):
            refuse_nan(rows)
        return mean, clean

    def _again(
        self, compute: Callable[[str], Any], rows: Sequence[Numbers], K: int, theta: Numbers, derivatives: bool
    ) -> Any:
        """Compute again after a floating-point error, with bounded exponentials; if that fails too, raise its cause.

        An infinity that eager evaluation also gives is a valid result.
        """
        try:
            return compute(BOUNDED)
        except FloatingPointError:
            self._blame(rows, K, theta, derivatives)
            return compute(SILENT)

    def _blame(self, rows: Sequence[Numbers], K: int, theta: Numbers, derivatives: bool) -> None:
        """Raise the error of the operation outside its domain, naming the sample; nothing where plain floats give the same.

        Where they give something else, a number left the range inside an operation (in a dot, or in the array form of a row),
        or rounding in a dot or a sum, whose order is open, left an operation's domain.
        """
        start = 0
        while start < K and self._fails(rows, slice(start, K), theta, derivatives):
            k = first_failing(lambda part: self._fails(rows, part, theta, derivatives), start, K)
            sample = [x[k].tolist() for x in rows]
            single = self.dtype == np.float32
            try:
                wanted = np.array(replay(self.recording, self.parameters, sample, theta.tolist(), derivatives, single))
            except (ArithmeticError, ValueError) as error:
                raise type(error)(f"sample {k}: {error}") from None
            found = self._numbers(rows, slice(k, k + 1), theta, derivatives, SILENT)
            known = np.isfinite(wanted) | (np.isnan(found) & ~np.isnan(wanted))
            if not np.allclose(found[known], wanted[known], _ALIKE, np.finfo(self.dtype).tiny):
                remedy = ", or compile with float64" if single else ""
                if self._fails(rows, slice(k, k + 1), theta, derivatives, OVERFLOW):
                    raise OverflowError(
                        f"sample {k}: numbers inside a dot, or in the array form of an operation, leave the range of "
                        f"{self.dtype}, and the result is lost: scale the data{remedy}"
                    )
                raise ValueError(
                    f"sample {k}: the operand of an operation lies on the edge of its domain, and rounding in a dot, whose "
                    f"order is open, takes it out: keep away from that edge{remedy}"
                )
            start = k + 1

    def _fails(
        self, rows: Sequence[Numbers], part: slice, theta: Numbers, derivatives: bool, mode: str = BOUNDED
    ) -> bool:
        try:
            self._numbers(rows, part, theta, derivatives, mode)
        except FloatingPointError:
            return True
        return False

    def _numbers(self, rows: Sequence[Numbers], part: slice, theta: Numbers, derivatives: bool, mode: str) -> Numbers:
        """The values of these samples or, with derivatives, their mean and its gradient, one after the other."""
        xs, K = [x[part] for x in rows], part.stop - part.start
        if not derivatives:
            out = np.empty((len(self.recording.outputs), K), self.dtype)
            self.programs.values(xs, K, theta, out, mode)
            return out.ravel()
        gradient, watched = np.empty_like(theta), np.empty((self.watched, K), self.dtype)
        mean = self.programs.gradient(xs, K, theta, gradient, watched, mode)
        return np.array([mean, *gradient])
