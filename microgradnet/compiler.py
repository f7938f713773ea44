"""`compile`: a scalar function, recorded once, as straight-line NumPy over a whole batch.

The recorded graph becomes an array graph (`grouping`, `arrays`), which the reverse sweep of `autodiff` differentiates
with the rules of the table; `emitter` writes both as source, and the source is what runs. This module puts the steps
together and looks after calls: data, batches, threads, errors.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from . import arrays, ops
from .arrays import Array, Graph, K
from .autodiff import reverse, topological_order
from .checks import describe
from .emitter import Emitter, Names, lattice
from .grouping import Grouping, signature
from .value import Value, assign, dots

Numbers = npt.NDArray[Any]

_CHUNK = 1000  # samples computed at a time: what is computed with stays in the cache


def compile(function: Callable[..., Any], *sizes: int, dtype: npt.DTypeLike = np.float64) -> Compiled:
    """Record a function of Values once and make it a NumPy program for batches.

    function: takes one list of Values per size, and gives a Value (a cost, say) or a sequence of them (a net's
    outputs). sizes: how many numbers a sample has in each input. dtype: numpy.float64 or numpy.float32.

    Leaves that are not inputs are the parameters. The recorded operations are what is run on every sample: a
    function whose graph depends on the numbers (an `if` on an input, a `.data` read from one) cannot be compiled. It
    is recorded at two points, and a ValueError says so if the graphs differ; a branch that both points take the same
    way cannot be seen.

    >>> w = Value(2.0)
    >>> fast = compile(lambda x: w * x[0] + x[1].sin(), 2)
    >>> fast([[1.0, 0.0], [3.0, 0.0]])
    array([2., 6.])
    >>> value, gradient = fast.value_and_grad([[1.0, 0.0], [3.0, 0.0]])
    >>> value, gradient
    (4.0, array([2.]))
    """
    return Compiled(*record(function, sizes), dtype=dtype)


class Compiled:
    """A compiled function; made by `compile`.

    `parameters`: the Values it depends on besides its inputs; for a net in the order of `net.parameters()`. `source`:
    the generated source. Calls may overlap in several threads, and it pickles.
    """

    def __init__(
        self,
        inputs: Sequence[Sequence[Value]],
        outputs: Sequence[Value],
        several: bool,
        dtype: npt.DTypeLike = np.float64,
        watched: int = 0,
    ) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float64, np.float32):
            raise TypeError(f"dtype {self.dtype} arrived where numpy.float64 or numpy.float32 was wanted")
        self._inputs, self._outputs, self._several, self._watched = inputs, outputs, several, watched
        grouping = Grouping(inputs, outputs)
        self.parameters = grouping.parameters
        self.source, self._tables, self._work, self._functions = _generate(grouping, watched)
        self._start()

    def _start(self) -> None:
        """Make the source run; what this sets is not pickled."""
        namespace: dict[str, Any] = {"add": np.add, "matmul": np.matmul, "broadcast_to": np.broadcast_to, "view": _view}
        namespace |= {"exp_minus": ops.exp_minus, "logistic": ops.logistic}
        namespace |= {name: ops.named(op).array for name, op in self._functions.items()}
        namespace |= {
            name: table.astype(self.dtype) if table.dtype.kind == "f" else table for name, table in self._tables.items()
        }
        exec(self.source, namespace)
        self._programs: dict[str, Any] = {name: namespace.get(name) for name in ("values", "gradient")}
        self._spare: dict[str, list[_Work]] = {"values": [], "gradient": []}

    def __getstate__(self) -> dict[str, Any]:
        return {name: part for name, part in vars(self).items() if name not in ("_programs", "_spare")}

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

        def run() -> None:
            for part in _parts(size):
                self._run("values", [x[:, part] for x in columns], numbers, out[:, part])

        self._guarded(run, size, columns, numbers, derivatives=False)
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

        def run() -> float:
            if size <= _CHUNK:
                return float(self._run("gradient", columns, numbers, gradient, watched, 1.0 / size))
            total, share = 0.0, np.empty_like(gradient)
            gradient[...] = 0.0
            for part in _parts(size):
                xs = [x[:, part] for x in columns]
                total += self._run("gradient", xs, numbers, share, watched[:, part], 1.0 / size)
                np.add(gradient, share, out=gradient)
            return total

        total: float = self._guarded(run, size, columns, numbers, derivatives=True)
        if math.isnan(total):
            _refuse_nan(columns)
        return total, gradient, watched

    def theta(self) -> Numbers:
        """The parameters' data as one flat array, in the order of `parameters`."""
        return np.array([p.data for p in self.parameters], self.dtype)

    def assign(self, theta: npt.ArrayLike) -> None:
        """Write numbers into the parameters: all or, on an error, none."""
        numbers = self._theta(theta)
        if not np.isfinite(numbers).all():
            raise ValueError("theta holds NaN or infinite numbers: parameters must be finite")
        assign(self.parameters, numbers.tolist())

    def __repr__(self) -> str:
        sizes = ", ".join(str(len(values)) for values in self._inputs)
        return f"<compiled function of ({sizes}) inputs and {len(self.parameters)} parameters>"

    # Calls.

    def _run(self, program: str, xs: list[Numbers], theta: Numbers, *results: Any) -> Any:
        """Call a program on some samples, with work arrays that no other call uses meanwhile."""
        spare = self._spare[program]
        work = spare.pop() if spare else _Work(self._work[program], self.dtype)
        try:
            return self._programs[program](theta, *results, work.arrays(xs[0].shape[1] if xs else 1), *xs)
        finally:
            spare.append(work)

    def _guarded(
        self, run: Callable[[], Any], size: int, columns: list[Numbers], theta: Numbers, derivatives: bool
    ) -> Any:
        try:
            with np.errstate(divide="raise", invalid="raise", over="raise", under="ignore"):
                return run()
        except FloatingPointError:
            self._replay(size, columns, theta, derivatives)
            with np.errstate(all="ignore"):  # an infinity that plain floats allow, too
                return run()

    def _batch(self, batch: Sequence[Any]) -> tuple[list[Numbers], int]:
        """The data as arrays with a sample per column, and the number of samples."""
        if len(batch) != len(self._inputs):
            raise TypeError(f"{len(batch)} arrays arrived where the function takes {len(self._inputs)}")
        columns = []
        for j, (data, values) in enumerate(zip(batch, self._inputs, strict=True), 1):
            array = np.asarray(data)
            if array.dtype.kind not in "fiu":
                raise TypeError(f"input {j} holds {array.dtype} where numbers were wanted")
            if array.ndim == 1 and len(values) == 1:
                array = array[:, None]
            if array.ndim != 2 or array.shape[1] != len(values):
                hint = "; a single sample is X[None]" if array.shape == (len(values),) else ""
                raise ValueError(f"input {j} has shape {array.shape}: wanted is (samples, {len(values)}){hint}")
            columns.append(array.astype(self.dtype, copy=False).T)
        counts = {x.shape[1] for x in columns} or {1}
        if len(counts) > 1:
            raise ValueError(f"the inputs have {', '.join(str(x.shape[1]) for x in columns)} samples: wanted as many")
        if counts == {0}:
            raise ValueError("an empty batch arrived: at least one sample is wanted")
        return columns, counts.pop()

    def _theta(self, theta: npt.ArrayLike | None) -> Numbers:
        if theta is None:
            return self.theta()
        numbers = np.ascontiguousarray(theta, self.dtype)
        if numbers.shape != (len(self.parameters),):
            raise ValueError(f"theta has shape {numbers.shape}: wanted is ({len(self.parameters)},)")
        return numbers

    def _replay(self, size: int, columns: list[Numbers], theta: Numbers, derivatives: bool) -> None:
        """Evaluate the samples one by one with Values, whose errors name operation and number."""
        parameters = {p: Value(t, p.label) for p, t in zip(self.parameters, theta.tolist(), strict=True)}
        order = topological_order(*self._outputs)
        for k in range(size):
            now = dict(parameters)
            for values, x in zip(self._inputs, columns, strict=True):
                now |= {
                    value: Value(number, value.label) for value, number in zip(values, x[:, k].tolist(), strict=True)
                }
            try:
                for node in order:
                    now[node] = _again(node, now)
                if derivatives and order:
                    now[self._outputs[0]].backward()
            except (ArithmeticError, ValueError) as error:
                raise type(error)(f"sample {k}: {error}") from None


def _again(node: Value, now: dict[Value, Value]) -> Value:
    def at(value: Value) -> Value:
        return now.get(value, value)  # a constant stays what it is

    if node.op == ops.dot:
        *weights, bias = map(at, node.first)
        new = dots([(weights, bias)], [*map(at, node.second)])[0]
    else:
        new = node.op(*map(at, node.parents))
    new.label = node.label
    return new


class _Work:
    """The work arrays of one running call."""

    def __init__(self, shapes: list[tuple[int, int]], dtype: np.dtype[Any]) -> None:
        self._shapes, self._dtype, self._columns = shapes, dtype, 0
        self._flat: list[Numbers] = []
        self._arrays: list[Numbers] = []

    def arrays(self, columns: int) -> list[Numbers]:
        if columns != self._columns:
            shapes = [(rows, columns if width == K else width) for rows, width in self._shapes]
            if not self._flat or columns > self._flat[0].size // max(1, self._shapes[0][0]):
                self._flat = [np.empty(rows * width, self._dtype) for rows, width in shapes]
            self._arrays = [
                flat[: rows * width].reshape(rows, width)
                if flat.size >= rows * width
                else np.empty((rows, width), self._dtype)
                for flat, (rows, width) in zip(self._flat, shapes, strict=True)
            ]
            self._columns = columns
        return self._arrays


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


# From function to source.


def record(function: Callable[..., Any], sizes: Sequence[int]) -> tuple[Any, list[Value], bool]:
    """The inputs and outputs of a function's graph, and whether it gave a sequence."""
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"{describe(size)} arrived where an input's size was wanted: a whole number, at least 1")
    inputs, outputs, several = _recorded(function, sizes, 0.0, 1.0)
    for low, high in ((-3.0, 3.0), (0.3, 0.9)):  # the second, if the first leaves a domain
        try:
            others = _recorded(function, sizes, low, high)
        except (ArithmeticError, ValueError):
            continue
        if signature(inputs, outputs) != signature(*others[:2]):
            raise ValueError(
                "the function records different graphs for different inputs, so one program cannot stand for it: "
                "replace an `if` on a Value by maximum, relu or step, and numbers read from .data by the Values"
            )
        break
    return inputs, outputs, several


def _recorded(function: Any, sizes: Sequence[int], low: float, high: float) -> tuple[Any, list[Value], bool]:
    golden = (math.sqrt(5.0) - 1.0) / 2.0  # fractions of its multiples are spread evenly
    inputs, i = [], 0
    for size in sizes:
        inputs.append([Value(low + (high - low) * ((i + n) * golden % 1.0)) for n in range(1, size + 1)])
        i += size
    result = function(*[list(values) for values in inputs])
    several = not isinstance(result, Value)
    outputs = [result] if isinstance(result, Value) else list(result) if hasattr(result, "__iter__") else []
    if not outputs or not all(isinstance(output, Value) for output in outputs):
        raise TypeError(f"the function gave {describe(result)} where a Value or a sequence of Values was wanted")
    return inputs, outputs, several


def _generate(grouping: Grouping, watched: int) -> tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]:
    """The source of both programs, and what it refers to: tables, work arrays, operations."""
    graph = Graph()
    made, outputs = grouping.arrays(graph)
    names = Names(len(grouping.inputs))
    for group, array in zip(grouping.groups, made, strict=True):
        if group.op == ops.dot:
            names.layer(array)
        elif len(group.rows) > 0:
            names.activation(array)
    tables: dict[str, Any] = {}
    work: dict[str, list[tuple[int, int]]] = {}
    functions: dict[str, str] = {}
    values = Emitter(names, [outputs], tables, grouping.constants)
    for node in values.order:
        values.emit(node)
    values.lines.append(f"out[...] = {values.text(outputs)}")
    programs = [("values", "theta, out, work", values)]
    if len(grouping.outputs) == 1 + watched:
        programs.append(
            ("gradient", "theta, gradient, watched, inv_K, work", _gradient(grouping, graph, made, names, tables))
        )
    text = []
    for name, arguments, emitter in programs:
        work[name] = emitter.work
        functions |= emitter.functions
        text.append(_definition(name, ", ".join([arguments, *names.inputs]), emitter, names))
    return "\n\n".join(text), tables, work, functions


def _definition(name: str, arguments: str, emitter: Emitter, names: Names) -> str:
    body = list(emitter.lines)
    used = "\n".join(body)
    if "share" in used or "columns" in used:
        first = names.inputs[0] + ".shape[1]" if names.inputs else "1"
        body.insert(0, f"columns = {first}")
        if "share" in used:
            body.insert(1, "share = columns * inv_K")
    if emitter.work:
        body.insert(0, f"({' '.join(f'w{i},' for i in range(len(emitter.work)))}) = work")
    return "\n".join([f"def {name}({arguments}):", *[f"    {line}" for line in body], ""])


def _gradient(grouping: Grouping, graph: Graph, made: list[Any], names: Names, tables: dict[str, Any]) -> Emitter:
    """The program that computes the mean of the first output and its gradient, and notes the other outputs."""
    cost = grouping.rows(graph, made, grouping.outputs[:1])
    names.of.setdefault(cost, "cost")
    seed = graph.node(arrays.uniform, (), cost.shape, (1.0, cost.shape[1] != K))
    adjoints: dict[Any, Any] = {cost: seed}
    reverse(topological_order(cost), adjoints, arrays.partials)
    for z in names.layers:
        names.delta(z, adjoints.get(z))
    theta = made[0]
    whole = adjoints.get(theta, 0.0)
    puts = [] if not isinstance(whole, Array) else list(whole.args) if whole.op == arrays.accumulated else [whole]
    puts.sort(key=lambda put: -max(put.detail))  # last layer first, as the sweep goes
    noted = [grouping.rows(graph, made, [place]) for place in grouping.outputs[1:]]
    emitter = Emitter(names, [cost, *noted, *[put.args[0] for put in puts]], tables, grouping.constants)

    def view(put: Array) -> str | None:
        return lattice("gradient", theta.shape[0], put.detail, put.args[0].shape)

    slots = Counter(slot for put in puts for slot in put.detail)
    direct: dict[Array, str] = {}
    for put in puts:
        target = view(put)
        if target and all(slots[slot] == 1 for slot in put.detail) and emitter.only_here(put.args[0]):
            direct[put.args[0]] = target
    for matrix, name in list(names.of.items()):  # A1 in theta has its dA1 in the gradient
        for put in puts:
            if matrix.op == arrays.take and matrix.detail == put.detail and put.args[0] in direct:
                names.of.setdefault(put.args[0], f"d{name}")
    if len(slots) < theta.shape[0] or any(put.args[0] not in direct for put in puts):
        emitter.lines.append("gradient[...] = 0.0")
    for node in emitter.order:
        emitter.emit(node, direct.get(node))
    for put in puts:
        if put.args[0] not in direct:
            emitter.add_to(view(put), "gradient", put.detail, put.args[0])
    for row, output in enumerate(noted):
        emitter.lines.append(f"watched[{row}:{row + 1}] = {emitter.text(output)}")
    total = "float(add.reduce({0}, axis=None)) * inv_K" if cost.shape[1] == K else "float({0}[0, 0]) * share"
    emitter.lines.append(f"return {total.format(emitter.full(cost))}")
    return emitter
