"""`compile`: a scalar function becomes a NumPy program for whole batches.

This module runs the passes and handles calls: data, parameters, and errors that name the sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import ops
from .._readings import active, note
from ..value import Value
from .array_graph import Array
from .batches import as_rows, as_theta, ranges, refuse_nan, refuse_outside
from .one_sample import OneSample
from .programs import Passes
from .record import Recording, leaves, record
from .replay import first_failing, replay
from .workers import BOUNDED, SILENT, Programs

Numbers: TypeAlias = npt.NDArray[Any]


def compile(
    function: Callable[..., Any],
    *sizes: int,
    dtype: npt.DTypeLike = np.float64,
    parameters: Value | Sequence[Value] = (),
) -> Compiled:
    """Record a function of Values once, and make it a NumPy program for batches.

    function: takes one list of Values per size, and gives a Value (a cost, say) or a sequence of Values (a net's outputs).
    sizes: how many numbers a sample has in each input. dtype: numpy.float64 or numpy.float32. parameters: Values that come
    first among the parameters, in this order, even if the function does not use them. Without it, the parameters are in the
    order in which the recorded graph meets them; for a net that is the order of `net.parameters()`.

    All leaves that the function did not make itself are inputs or parameters. The recorded operations run on every sample,
    so a function that reads the number of an input or a parameter (with an `if`, a comparison, a `.data`) raises a
    ValueError that names the line: its graph would depend on that number. `.detach()` is the remedy where a number is meant
    without its derivative. A function that records another graph when it is called again raises a ValueError, too.

    >>> w = Value(2.0)
    >>> fast = compile(lambda x: w * x[0] + x[1].sin(), 2)
    >>> fast([[1.0, 0.0], [3.0, 0.0]])
    array([2., 6.])
    >>> value, gradient = fast.value_and_grad([[1.0, 0.0], [3.0, 0.0]])
    >>> value, gradient
    (4.0, array([2.]))
    """
    return Compiled(record(function, sizes), dtype, parameters)


class Compiled:
    """A compiled function; made by `compile`. Called with an array per input, shape (K, size), it gives its values,
    shape (K,), or (K, outputs) for a function that gives a sequence.

    `programs`: what runs on batches. `parameters`: the Values it depends on besides its inputs, in the order of its flat arrays. `source`: the generated
    source. Calls may overlap in several threads, and it pickles.

    >>> w, b = Value(2.0), Value(1.0)
    >>> fast: Compiled = compile(lambda x: w * x[0] + b, 1)
    >>> fast.theta().tolist(), fast([3.0, 4.0]), fast([3.0, 4.0], theta=[0.0, 5.0])
    ([2.0, 1.0], array([7., 9.]), array([5., 5.]))
    >>> fast.assign([1.0, 0.0])
    >>> w.data, b.data
    (1.0, 0.0)
    """

    def __init__(
        self,
        recording: Recording,
        dtype: npt.DTypeLike = np.float64,
        parameters: Value | Sequence[Value] = (),
        watched: int = 0,
    ) -> None:
        """watched: how many outputs there are beside the first, to be computed together with its gradient."""
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float64, np.float32):
            raise TypeError(f"dtype is {self.dtype}: give numpy.float64 or numpy.float32")
        self._recording, self._watched = recording, watched
        passes = Passes(recording, leaves(parameters), watched)
        self.parameters = passes.form.parameters
        self._sources, self._names = passes.sources, passes.names.inputs
        single = self.dtype == np.float32  # plain floats would compute in double precision
        self._few_values, self._few = (0, 0) if single else (passes.few_values, passes.few)
        self._tables, self._functions = passes.tables.tables, passes.tables.functions
        self._chunk, self._summary = passes.chunk, passes.summary()
        rows = [op for op in passes.form.operations.values() if not ops.is_built_in(op)]
        self._rows = {op: ops.sample(op, _operands(op)) for op in rows}  # rows added by a user
        self._start()

    def _start(self) -> None:
        """Make the source run; what this sets is not pickled."""
        self._widths = [len(values) for values in self._recording.inputs]
        self._one_sample: OneSample | None = None
        self._ranges = ranges(self._recording.inputs, self._recording.demands)
        self.programs = Programs(self._sources, self._tables, self._functions, self._chunk, self.dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: part
            for name, part in vars(self).items()
            if name not in ("programs", "_widths", "_one_sample", "_ranges")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for op, found in self._rows.items():
            if ops.sample(op, _operands(op)) != found:
                raise ValueError(f"the row {str(op)!r} has changed since this function was compiled: compile it again")
        self._start()

    @property
    def source(self) -> str:
        """The source of all programs, and for which batches each is run."""
        few = max(self._few, self._few_values)
        source = "\n\n".join(self._sources.values())
        if not few:
            return source
        batches = "one sample" if few == 1 else f"up to {few} samples, one by one"
        return f"# {batches}, as plain floats\n\n{self._by_sample().source}\n# larger batches\n\n{source}"

    def _by_sample(self) -> OneSample:
        if self._one_sample is None:
            self._one_sample = OneSample(self._recording, self.parameters, self._names)
        return self._one_sample

    def __call__(self, *batch: npt.ArrayLike, theta: npt.ArrayLike | None = None) -> Numbers:
        """The function's values on a batch.

        batch: one array per input, shape (K, size). theta: numbers for the parameters, theirs by default. Gives shape
        (K,) for a function with one output, (K, outputs) for one that gives a sequence.

        A ValueError or a TypeError for data of the wrong shape or kind. Outside an operation's domain, the error of
        that operation, naming the sample.
        """
        out = self.rows(batch, theta)
        return out.T.copy() if self._recording.several else out[0]

    def rows(self, batch: Sequence[Any], theta: npt.ArrayLike | None = None) -> Numbers:
        """All recorded outputs, one row each, the watched ones among them."""
        rows, K = as_rows(batch, self._widths, self.dtype)
        if self._ranges:
            refuse_outside(rows, self._ranges)
        if self._few_values >= K:
            out = self._by_sample().values(rows, self._theta_list(theta))
            if out is not None and not np.isnan(out).any():
                return out
        columns = [data.T for data in rows]
        numbers = self._theta(theta)
        out = np.empty((len(self._recording.outputs), K), self.dtype)
        try:
            self.programs.values(columns, K, numbers, out)
        except FloatingPointError:
            self._again(lambda mode: self.programs.values(columns, K, numbers, out, mode), columns, K, numbers, False)
        if np.isnan(out).any():
            refuse_nan(columns)
        return out

    def value_and_grad(self, *batch: npt.ArrayLike, theta: npt.ArrayLike | None = None) -> tuple[float, Numbers]:
        """The mean of the function over a batch, and its gradient with respect to the parameters.

        Arguments and errors as for a call. Gives a float and an array of shape (parameters,). A TypeError for a
        function with several outputs.
        """
        if self._recording.several:
            raise TypeError(
                f"the function gives {len(self._recording.outputs)} outputs, and only one has a gradient: compile a cost of them"
            )
        rows, K = as_rows(batch, self._widths, self.dtype)
        if self._ranges:
            refuse_outside(rows, self._ranges)
        if self._few >= K:
            found = self._by_sample().gradient(rows, self._theta_list(theta))
            if found is not None and math.isfinite(found[0]):
                return found[:2]
        gradient = np.empty(len(self.parameters), self.dtype)
        return self._mean_into(gradient, [data.T for data in rows], K, self._theta(theta), None), gradient

    def mean_into(
        self, gradient: Numbers, rows: Sequence[Numbers], theta: Numbers, watched: Numbers | None = None
    ) -> float:
        """Like `value_and_grad`, for data that have been checked, into given arrays: for training loops.

        gradient: shape (parameters,). rows: an array of this dtype per input, shape (K, size). theta: an array like
        `theta()`. watched: shape (watched outputs, K), for the outputs beside the first. Raises a FloatingPointError if the
        gradient is not finite.
        """
        K = len(rows[0])
        if self._few >= K:
            found = self._by_sample().gradient(rows, theta.tolist())
            if found is not None and math.isfinite(found[0]):
                mean, gradient[...], others = found
                if watched is not None:
                    watched[...] = others
                _refuse_infinite(gradient)
                return mean
        return self._mean_into(gradient, [data.T for data in rows], K, theta, watched, finite=True)

    def _mean_into(
        self,
        gradient: Numbers,
        columns: Sequence[Numbers],
        K: int,
        theta: Numbers,
        watched: Numbers | None,
        finite: bool = False,
    ) -> float:
        if watched is None and self._watched:
            watched = np.empty((self._watched, K), self.dtype)
        try:
            mean = self.programs.gradient(columns, K, theta, gradient, watched)
        except FloatingPointError:
            mean = self._again(
                lambda mode: self.programs.gradient(columns, K, theta, gradient, watched, mode), columns, K, theta, True
            )
            if finite:  # where nothing overflowed it is
                _refuse_infinite(gradient)
        if math.isnan(mean):
            refuse_nan(columns)
        return mean

    def array_graph(self) -> tuple[Array, dict[Array, str], list[Value]]:
        """What the compiler found, for pictures: the array of the outputs, the arrays' names, and the recorded outputs."""
        passes = Passes(self._recording, self.parameters, self._watched)
        return passes.forward, passes.names.of, self._recording.outputs

    def theta(self) -> Numbers:
        """The parameters' data as one flat array, in the order of `parameters`."""
        return np.array(self._numbers(), self.dtype)

    def assign(self, theta: npt.ArrayLike) -> None:
        """Write numbers into the parameters: all or, on an error, none.

        theta: shape (parameters,), as `theta()` gives. A ValueError for another shape or numbers that are not finite.
        """
        numbers = as_theta(theta, len(self.parameters), np.dtype(np.float64))
        if not np.isfinite(numbers).all():
            raise ValueError("theta holds NaN or infinite numbers: parameters must be finite")
        assign(self.parameters, numbers.tolist())

    def __str__(self) -> str:
        """What the compiler found: products, statements, which program serves which batches, work arrays."""
        return f"{self!r}\n{self._summary}"

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self._widths))
        return f"<compiled function of ({sizes}) inputs and {len(self.parameters)} parameters>"

    def _theta(self, theta: npt.ArrayLike | None) -> Numbers:
        return self.theta() if theta is None else as_theta(theta, len(self.parameters), self.dtype)

    def _numbers(self) -> list[float]:
        if active:
            note(*self.parameters)
        return [p._data for p in self.parameters]

    def _theta_list(self, theta: npt.ArrayLike | None) -> list[float]:
        if theta is None:
            return self._numbers()
        return as_theta(theta, len(self.parameters), self.dtype).tolist()  # type: ignore[no-any-return]

    def _again(
        self, compute: Callable[[str], Any], columns: Sequence[Numbers], K: int, theta: Numbers, derivatives: bool
    ) -> Any:
        """Compute again after a floating-point error, with bounded exponentials; if that fails too, raise its cause.

        An infinity that plain floats allow is a result.
        """
        try:
            return compute(BOUNDED)
        except FloatingPointError:
            self._blame(columns, K, theta, derivatives)
            return compute(SILENT)

    def _blame(self, columns: Sequence[Numbers], K: int, theta: Numbers, derivatives: bool) -> None:
        """Raise the error of the operation outside its domain, naming the sample; nothing where plain floats allow it."""
        start = 0
        while start < K and self._fails(columns, slice(start, K), theta, derivatives):
            k = first_failing(lambda part: self._fails(columns, part, theta, derivatives), start, K)
            sample = [x[:, k].tolist() for x in columns]
            single = self.dtype == np.float32
            try:
                replay(self._recording, self.parameters, sample, theta.tolist(), derivatives, single)
            except (ArithmeticError, ValueError) as error:
                raise type(error)(f"sample {k}: {error}") from None
            start = k + 1

    def _fails(self, columns: Sequence[Numbers], part: slice, theta: Numbers, derivatives: bool) -> bool:
        xs, K = [x[:, part] for x in columns], part.stop - part.start
        try:
            if derivatives:
                watched = np.empty((self._watched, K), self.dtype)
                self.programs.gradient(xs, K, theta, np.empty_like(theta), watched, BOUNDED)
            else:
                self.programs.values(xs, K, theta, np.empty((len(self._recording.outputs), K), self.dtype), BOUNDED)
        except FloatingPointError:
            return True
        return False


def _refuse_infinite(gradient: Numbers) -> None:
    if not np.isfinite(gradient).all():
        raise FloatingPointError("the gradient is not finite")


def _operands(op: ops.Op) -> int:
    return len(signature(op.partials).parameters) - 1


def assign(values: Sequence[Value], numbers: Sequence[float]) -> None:
    """Write numbers into leaves: all of them, even if Ctrl-C comes in between."""
    try:
        for value, number in zip(values, numbers, strict=True):
            value.data = number
    except KeyboardInterrupt:
        assign(values, numbers)
        raise
