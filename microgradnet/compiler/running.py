"""`compile`: a scalar function becomes a NumPy program for whole batches.

This module runs the passes and handles calls: data, parameters, and errors that name the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import ops
from .._readings import active, note
from .._validation import counted
from ..value import Value
from .array_graph import Array
from .batches import as_rows, as_theta, cast, ranges
from .execution import Execution
from .programs import Passes
from .record import Recording, leaves, record

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

    Sums are taken in the order in which they are written. The order inside a dot (a sum of products) is open, and that of a
    gradient's sums over uses and samples: each may be off by n 2⁻⁵³ Σ|terms|, as any order may.

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

    `parameters`: the Values it depends on besides its inputs, in the order of its flat arrays. `source`: the generated
    source. `print` shows what the compiler found. Calls may overlap in several threads, and it pickles.

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
        passes = Passes(recording, leaves(parameters), watched, self.dtype)
        self.parameters = passes.form.parameters
        self.execution = Execution(recording, passes, self.parameters, watched, self.dtype)
        self._widths = [len(values) for values in recording.inputs]
        self._ranges = ranges(recording.inputs, recording.demands)
        self._summary = passes.summary()
        rows = [op for op in passes.form.operations.values() if not ops.is_built_in(op)]
        self._rows = {op: ops.sample(op) for op in rows}  # rows added by a user

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.dtype = np.dtype(self.dtype.type)  # the one that arrays have: checks of data compare by identity
        for op, found in self._rows.items():
            if ops.sample(op) != found:
                raise ValueError(f"the row {str(op)!r} has changed since this function was compiled: compile it again")

    @property
    def source(self) -> str:
        """The source of all programs, and for which batches each is run."""
        return self.execution.source

    def __call__(self, *batch: npt.ArrayLike, theta: npt.ArrayLike | None = None) -> Numbers:
        """The function's values on a batch.

        batch: one array per input, shape (K, size). theta: numbers for the parameters, theirs by default. Gives shape
        (K,) for a function with one output, (K, outputs) for one that gives a sequence.

        Raises a ValueError or a TypeError for data of the wrong shape or kind and, outside an operation's domain, the error
        of that operation, which names the sample.
        """
        out = self.rows(batch, theta)
        return out.T.copy() if self.execution.recording.several else out[0]

    def rows(self, batch: Sequence[Any], theta: npt.ArrayLike | None = None) -> Numbers:
        """All recorded outputs, one row each, the watched ones among them."""
        rows, K = as_rows(batch, self._widths, self.dtype, self._ranges)
        return self.execution.values(rows, K, self._theta(theta))

    def value_and_grad(self, *batch: npt.ArrayLike, theta: npt.ArrayLike | None = None) -> tuple[float, Numbers]:
        """The mean of the function over a batch, and its gradient with respect to the parameters.

        Arguments and errors as for a call. Gives a float and an array of shape (parameters,). A TypeError for a
        function with several outputs.
        """
        numbers = self._theta(None) if theta is None else as_theta(theta, len(self.parameters), self.dtype)
        one = self.execution.one_sample
        if one is not None and not self._ranges:
            found = one.value_and_grad(batch, numbers)
            if found is not None:
                return found
        if self.execution.recording.several:
            outputs = len(self.execution.recording.outputs)
            raise TypeError(
                f"the function gives {outputs} outputs, and only one has a gradient: compile a cost of them"
            )
        rows, K = as_rows(batch, self._widths, self.dtype, self._ranges)
        return self.execution.value_and_grad(rows, K, numbers)

    def mean_into(
        self, gradient: Numbers, rows: Sequence[Numbers], theta: Numbers, watched: Numbers | None = None
    ) -> float:
        """Like `value_and_grad`, for data that have been checked, into given arrays: for training loops.

        gradient: shape (parameters,). rows: an array of this dtype per input, shape (K, size). theta: an array like
        `theta()`. watched: shape (watched outputs, K), for the outputs beside the first. Raises a FloatingPointError if the
        gradient is not finite.
        """
        return self.execution.mean_into(gradient, rows, theta, watched)

    def array_graph(self) -> tuple[Array, dict[Array, str], list[Value], str]:
        """What the compiler found, for pictures: the array of the outputs, the arrays' names, the recorded outputs, and
        how much became how little.
        """
        passes = Passes(self.execution.recording, self.parameters, self.execution.watched)
        return passes.forward, passes.names.of, self.execution.recording.outputs, passes.found()

    def theta(self) -> Numbers:
        """The parameters' data as one flat array, in the order of `parameters`."""
        return cast(np.array(self._numbers()), self.dtype, "theta")

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
        return f"<compiled function of ({sizes}) inputs and {counted(len(self.parameters), 'parameter')}>"

    def _numbers(self) -> list[float]:
        if active:
            note(*self.parameters)
        return [p._data for p in self.parameters]

    def _theta(self, theta: npt.ArrayLike | None) -> Any:
        """The parameters' numbers as a list, or given ones as an array."""
        if theta is None:
            return self._numbers() if self.dtype == np.float64 else self.theta()
        return as_theta(theta, len(self.parameters), self.dtype)


def assign(values: Sequence[Value], numbers: Sequence[float]) -> None:
    """Write numbers into leaves: all of them, even if Ctrl-C comes in between."""
    try:
        for value, number in zip(values, numbers, strict=True):
            value.data = number
    except KeyboardInterrupt:
        assign(values, numbers)
        raise
