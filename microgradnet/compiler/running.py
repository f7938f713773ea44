"""`compile`: a scalar function, recorded once, as straight-line NumPy over a whole batch.

The recorded graph (`recording`) becomes an array graph (`grouping`, `arrays`), which the reverse sweep of `autodiff`
differentiates with the rules of the table; both become source (`programs`, `emitter`), and the source is what runs. This
module puts the steps together and looks after calls: data, batches, threads, errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from .. import kernels, ops
from ..graph import topological_order
from ..value import Value
from .programs import Passes
from .record import ONE_AT_A_TIME, again, leaves, record

Numbers: TypeAlias = npt.NDArray[Any]

_STRICT: Any = {"divide": "raise", "invalid": "raise", "over": "raise", "under": "ignore"}
_CHUNK = 1000  # samples computed at a time: what is computed with stays in the cache


def compile(
    function: Callable[..., Any],
    *sizes: int,
    dtype: npt.DTypeLike = np.float64,
    parameters: Value | Sequence[Value] = (),
) -> Compiled:
    """Record a function of Values once and make it a NumPy program for batches.

    function: takes one list of Values per size, and gives a Value (a cost, say) or a sequence of them (a net's
    outputs). sizes: how many numbers a sample has in each input. dtype: numpy.float64 or numpy.float32. parameters: the
    first ones, in this order, whether the function uses them or not; by default in the order in which it meets them,
    which for what a net computes is that of `net.parameters()`, but for what `grad` recorded may be any.

    Leaves that are not inputs are the parameters. The recorded operations are what is run on every sample: a
    function that looks at the numbers of its inputs (an `if`, a comparison, a `.data`) is refused with a ValueError,
    for its graph would depend on them. What a cost refuses by itself, as `cross_entropy` does targets outside [0, 1], it
    refuses when it is recorded, not on every batch; `train` has it look at the extreme targets first.

    >>> w = Value(2.0)
    >>> fast = compile(lambda x: w * x[0] + x[1].sin(), 2)
    >>> fast([[1.0, 0.0], [3.0, 0.0]])
    array([2., 6.])
    >>> value, gradient = fast.value_and_grad([[1.0, 0.0], [3.0, 0.0]])
    >>> value, gradient
    (4.0, array([2.]))
    """
    return Compiled(*record(function, sizes), dtype=dtype, parameters=parameters)


class Compiled:
    """A compiled function; made by `compile`. Called with an array per input, shape (K, size), it gives its values,
    shape (K,), or (K, outputs) for a function that gives a sequence.

    `parameters`: the Values it depends on besides its inputs, in the order of its flat arrays. `source`: the generated
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
        inputs: Sequence[Sequence[Value]],
        outputs: Sequence[Value],
        several: bool,
        dtype: npt.DTypeLike = np.float64,
        watched: int = 0,
        parameters: Value | Sequence[Value] = (),
    ) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float64, np.float32):
            raise TypeError(f"dtype {self.dtype} arrived where numpy.float64 or numpy.float32 was wanted")
        self._inputs, self._outputs, self._several, self._watched = inputs, outputs, several, watched
        passes = Passes(inputs, outputs, leaves(parameters), watched)
        self.parameters = passes.form.parameters
        self._shapes = [(len(values),) for values in inputs]  # of a sample
        self.source = passes.source
        self._tables, self._functions = passes.tables.tables, passes.tables.functions
        self._start()

    def _start(self) -> None:
        """Make the source run; what this sets is not pickled."""
        numpy_names = ("add", "maximum", "minimum", "matmul", "vdot", "broadcast_to", "empty")
        namespace: dict[str, Any] = {name: getattr(np, name) for name in numpy_names} | {"view": _view}
        ours = ("exp_minus", "logistic", "first_largest", "first_smallest")
        namespace |= {name: getattr(kernels, name) for name in ours}
        namespace |= {name: ops.named(op).array for name, op in self._functions.items()}
        namespace |= {
            name: table.astype(self.dtype) if table.dtype.kind == "f" else table for name, table in self._tables.items()
        }
        exec(self.source, namespace)
        self._programs: dict[str, Any] = {name: namespace.get(name) for name in ("values", "gradient")}
        self._make_work: dict[str, Any] = {name: namespace.get(f"{name}_work") for name in ("values", "gradient")}
        self._spare: dict[tuple[str, int], list[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: part for name, part in vars(self).items() if name not in ("_programs", "_make_work", "_spare")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def __call__(self, *batch: npt.ArrayLike, theta: npt.ArrayLike | None = None) -> Numbers:
        """The function's values on a batch.

        batch: one array per input, shape (K, size). theta: numbers for the parameters, theirs by default. Gives shape
        (K,) for a function with one output, (K, outputs) for one that gives a sequence.

        A ValueError or a TypeError for data of the wrong shape or kind. Outside an operation's domain, the error of
        that operation, naming the sample.
        """
        out = self.rows(batch, theta)
        return out.T.copy() if self._several else out[0]

    def rows(self, batch: Sequence[Any], theta: npt.ArrayLike | None) -> Numbers:
        """All recorded outputs, one row each, the watched ones among them."""
        columns, size = self._batch(batch)
        numbers = self._theta(theta)
        out = np.empty((len(self._outputs), size), self.dtype)
        self._guarded(self._values, columns, size, numbers, out)
        if np.isnan(out).any():
            _refuse_nan(columns)
        return out

    def value_and_grad(self, *batch: npt.ArrayLike, theta: npt.ArrayLike | None = None) -> tuple[float, Numbers]:
        """The mean of the function over a batch, and its gradient with respect to the parameters.

        Arguments and errors as for a call. Gives a float and an array of shape (parameters,). A TypeError for a
        function with several outputs.
        """
        value, gradient, _ = self.value_grad_and_watched(batch, theta)
        return value, gradient

    def value_grad_and_watched(
        self, batch: Sequence[Any], theta: npt.ArrayLike | None
    ) -> tuple[float, Numbers, Numbers]:
        """As `value_and_grad`; then the outputs recorded besides the first, one row each."""
        if self._several:
            raise TypeError(f"a gradient wants a function with one output; this one gives {len(self._outputs)}")
        columns, size = self._batch(batch)
        numbers = self._theta(theta)
        gradient = np.empty(len(self.parameters), self.dtype)
        watched = np.empty((self._watched, size), self.dtype)
        total: float = self._guarded(self._gradient, columns, size, numbers, gradient, watched)
        if math.isnan(total):
            _refuse_nan(columns)
        return total, gradient, watched

    def theta(self) -> Numbers:
        """The parameters' data as one flat array, in the order of `parameters`."""
        return np.array([p.data for p in self.parameters], self.dtype)

    def assign(self, theta: npt.ArrayLike) -> None:
        """Write numbers into the parameters: all or, on an error, none.

        theta: shape (parameters,), as `theta()` gives. A ValueError for another shape or numbers that are not finite.
        """
        numbers = self._theta(theta)
        if not np.isfinite(numbers).all():
            raise ValueError("theta holds NaN or infinite numbers: parameters must be finite")
        assign(self.parameters, numbers.tolist())

    def __repr__(self) -> str:
        sizes = ", ".join(str(len(values)) for values in self._inputs)
        return f"<compiled function of ({sizes}) inputs and {len(self.parameters)} parameters>"

    # Calls.

    def run(self, program: str, xs: list[Numbers], theta: Numbers, *results: Any) -> Any:
        """Call a program on some samples, with work arrays that no other call uses meanwhile."""
        K = xs[0].shape[1] if xs else 1
        spare = self._spare.setdefault((program, K), [])
        try:
            work = spare.pop()
        except IndexError:  # checking first would race with other threads
            work = self._make_work[program](K, self.dtype)
        try:
            return self._programs[program](theta, *results, work, *xs)
        finally:
            spare.append(work)

    def _guarded(self, compute: Any, columns: list[Numbers], size: int, theta: Numbers, *results: Numbers) -> Any:
        """Call `_values` or `_gradient`; for a floating-point error in it, find the sample and the operation."""
        try:
            with np.errstate(**_STRICT):
                return compute(columns, size, theta, *results)
        except FloatingPointError:
            self._replay(size, columns, theta, derivatives=compute == self._gradient)
            with np.errstate(all="ignore"):  # an infinity that plain floats allow, too
                return compute(columns, size, theta, *results)

    def _values(self, columns: list[Numbers], size: int, theta: Numbers, out: Numbers) -> None:
        for part in _parts(size):
            self.run("values", [x[:, part] for x in columns], theta, out[:, part])

    def _gradient(
        self, columns: list[Numbers], size: int, theta: Numbers, gradient: Numbers, watched: Numbers
    ) -> float:
        if size <= _CHUNK:
            return self.run("gradient", columns, theta, gradient, watched, 1.0 / size)  # type: ignore[no-any-return]
        total, share = 0.0, np.empty_like(gradient)
        gradient[...] = 0.0
        for part in _parts(size):
            xs = [x[:, part] for x in columns]
            total += self.run("gradient", xs, theta, share, watched[:, part], 1.0 / size)
            np.add(gradient, share, out=gradient)
        return total

    def _batch(self, batch: Sequence[Any]) -> tuple[list[Numbers], int]:
        """The data as arrays with a sample per column, and the number of samples."""
        if len(batch) != len(self._inputs):
            raise TypeError(f"{len(batch)} arrays arrived where the function takes {len(self._inputs)}")
        columns: list[Numbers] = []
        for j, data in enumerate(batch):
            if type(data) is not np.ndarray or data.dtype != self.dtype or data.shape[1:] != self._shapes[j]:
                data = self._converted(data, j)
            columns.append(data.T)
        size = columns[0].shape[1] if columns else 1
        for x in columns[1:]:
            if x.shape[1] != size:
                counts = ", ".join([str(x.shape[1]) for x in columns])
                raise ValueError(f"the inputs have {counts} samples: wanted as many")
        if size == 0:
            raise ValueError("an empty batch arrived: at least one sample is wanted")
        return columns, size

    def _converted(self, data: Any, j: int) -> Numbers:
        """The data of an input as an array of our dtype, one row per sample."""
        (width,) = self._shapes[j]
        j += 1  # as the messages count
        try:
            array = np.asarray(data)
        except ValueError:
            raise ValueError(f"input {j} has rows of different lengths: wanted is {width}") from None
        if array.dtype.kind not in "fiu":
            raise TypeError(f"input {j} holds {array.dtype} where numbers were wanted")
        if array.ndim == 1 and width == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != width:
            hint = "; a single sample is X[None]" if array.shape == (width,) else ""
            raise ValueError(f"input {j} has shape {array.shape}: wanted is (samples, {width}){hint}")
        return array.astype(self.dtype, copy=False)

    def _theta(self, theta: npt.ArrayLike | None) -> Numbers:
        if theta is None:
            return self.theta()
        numbers = np.asarray(theta)
        if numbers.dtype.kind not in "fiu" and numbers.size > 0:
            raise TypeError(f"theta holds {numbers.dtype} where numbers were wanted")
        numbers = np.ascontiguousarray(numbers, self.dtype)
        if numbers.shape != (len(self.parameters),):
            raise ValueError(f"theta has shape {numbers.shape}: wanted is ({len(self.parameters)},)")
        return numbers

    def _replay(self, size: int, columns: list[Numbers], theta: Numbers, derivatives: bool) -> None:
        """Evaluate the samples one by one with Values, whose errors name operation and number."""
        parameters = {p: Value(t, p.label) for p, t in zip(self.parameters, theta.tolist(), strict=True)}
        with ONE_AT_A_TIME:
            order = topological_order(*self._outputs)
        for k in range(size):
            if self._is_innocent([x[:, k : k + 1] for x in columns], theta, derivatives):
                continue
            now = dict(parameters)
            for values, x in zip(self._inputs, columns, strict=True):
                now |= {
                    value: Value(number, value.label) for value, number in zip(values, x[:, k].tolist(), strict=True)
                }
            try:
                for node in order:
                    now[node] = again(node, now)
                if derivatives and order:
                    now[self._outputs[0]].backward()
            except (ArithmeticError, ValueError) as error:
                raise type(error)(f"sample {k}: {error}") from None

    def _is_innocent(self, sample: list[Numbers], theta: Numbers, derivatives: bool) -> bool:
        """Whether one sample runs without a floating-point error: asked first, for Values take a hundred times longer."""
        try:
            with np.errstate(**_STRICT):
                if derivatives:
                    watched = np.empty((self._watched, 1), self.dtype)
                    self.run("gradient", sample, theta, np.empty_like(theta), watched, 1.0)
                else:
                    self.run("values", sample, theta, np.empty((len(self._outputs), 1), self.dtype))
        except FloatingPointError:
            return False
        return True


def assign(values: Sequence[Value], numbers: Sequence[float]) -> None:
    """Write numbers into leaves: all of them, even if Ctrl-C comes in between."""
    try:
        for value, number in zip(values, numbers, strict=True):
            value.data = number
    except KeyboardInterrupt:
        assign(values, numbers)
        raise


def _parts(size: int) -> Iterator[slice]:
    for start in range(0, size, _CHUNK):
        yield slice(start, min(start + _CHUNK, size))


def _refuse_nan(columns: list[Numbers]) -> None:
    for j, x in enumerate(columns, 1):
        if np.isnan(x).any():
            row, sample = np.argwhere(np.isnan(x))[0]
            raise ValueError(f"sample {sample} of input {j} is NaN in column {row}, and so is the result")


def _view(flat: Numbers, shape: tuple[int, int], steps: tuple[int, int]) -> Numbers:
    return as_strided(flat, shape, [step * flat.itemsize for step in steps])
