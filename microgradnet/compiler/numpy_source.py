"""From the array graph to NumPy source: one statement an array.

The source is made of names and numbers that the compiler generates alone. A program is two functions: one makes its work
arrays, and all views of them, once for a number of samples; the other computes in them, so that a call allocates next to
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels, ops
from ..graph import depth_first
from . import array_ops
from .array_graph import Array, Shape
from .names import Names
from .work_arrays import Run, WorkArrays, is_computed, owner_of

_KERNELS = {
    array_ops.minus_exponential: "exp_minus",
    array_ops.logistic: "logistic",
    array_ops.first_largest: "first_largest",
    array_ops.first_smallest: "first_smallest",
}
_REDUCTIONS = {array_ops.sum_rows: "add", array_ops.max_rows: "maximum", array_ops.min_rows: "minimum"}


class Tables:
    """The numbers and index tables that programs refer to, and the functions that they call, by name."""

    def __init__(self) -> None:
        self.tables: dict[str, npt.NDArray[Any]] = {}
        self.functions: dict[str, ops.Op] = {}  # name in the source → operation
        self._known: dict[Any, str] = {}

    def table(self, numbers: Any, shape: tuple[int, ...]) -> str:
        """The name of an array with these numbers."""
        table = np.array(numbers).reshape(shape)
        key = table.shape, table.dtype.str, table.tobytes()
        if key not in self._known:
            self._known[key] = f"table{len(self.tables) + 1}"
            self.tables[self._known[key]] = table
        return self._known[key]

    def function(self, op: ops.Op) -> str:
        """The name of an operation's array form: NumPy's or ours for the table's own, a number for others."""
        name = getattr(op.array, "__name__", "")
        if not ops.is_built_in(op) or op.array not in (getattr(np, name, None), getattr(kernels, name, None)):
            known = [name for name, known in self.functions.items() if known is op]
            name = known[0] if known else f"op{len(self.functions) + 1}"
        self.functions[name] = op
        return name


class Program:
    """The source of one program.

    order: what is computed, operands first; roots: what is read at the end; elsewhere: what is not computed in work
    arrays, as text per array. Statements are added by `compute`; `lines` are those so far.
    """

    def __init__(
        self, names: Names, tables: Tables, roots: Sequence[Array], elsewhere: dict[Array, str] | None = None
    ) -> None:
        self.names, self.tables = names, tables
        self.elsewhere = elsewhere or {}
        self.order = [node for node in depth_first(roots, attrgetter("parents")) if is_computed(node)]
        self.work = WorkArrays(self.order, roots, self.elsewhere)
        self.lines: list[str] = []
        self._views: dict[Run, str] = {}
        self._taken_names: set[str] = set(names.inputs)
        self._text: dict[Array, str] = {}
        self._holder: dict[str, Array] = {}
        self._readers = self.work_readers(roots)
        self._temporaries = 0
        self._scalars: set[str] = set()  # of K and share, those that the statements use

    def work_readers(self, roots: Sequence[Array]) -> dict[Array, int]:
        """Until when a name is needed: the number of the last statement that reads the array."""
        last = {owner_of(parent): i for i, node in enumerate(self.order) for parent in node.parents}
        return last | {owner_of(root): len(self.order) for root in roots}

    # Statements.

    def compute(self, number: int, node: Array) -> None:
        """The statement for a node, the one with this number in the order."""
        if node in self.names.comments:
            self.lines.append(f"# {self.names.comments[node]}")
        if node.op == array_ops.stack:
            self._stack(number, node)
            return
        out = self.elsewhere.get(node) or self._view(node)
        statement = self._call(node, out)
        name = self._name(node, number)
        if node.op == array_ops.take and node.shape.columns > 1:  # it is written in another shape than it is read in
            self.lines.append(statement)
            statement = out
        self._bind(node, name, statement)

    def _call(self, node: Array, out: str) -> str:
        op = node.op
        if op == array_ops.matmul:
            a, b = map(self.full, node.args)
            return f"matmul({a}, {b}, out={out})"
        if op == array_ops.outer:
            a, b = map(self.full, node.args)
            return f"matmul({a}, {b}.T, out={out})"
        if op == array_ops.sum_columns:
            return f"add.reduce({self.full(node.args[0])}, axis=1, keepdims=True, out={out})"
        if op in _REDUCTIONS:
            return f"{_REDUCTIONS[op]}.reduce({self.full(node.args[0])}, axis=0, keepdims=True, out={out})"
        if op == array_ops.take:
            source, slots = node.args[0], node.detail
            out = self._view(node, Shape(len(slots), 1, node.shape.varies))
            source = source.graph.regroup(source, source.shape.slots, 1)
            table = self.tables.table(slots, (len(slots),))
            return f'{self.full(source)}.take({table}, 0, {out}, "clip")'
        name = _KERNELS.get(op) or self.tables.function(op)
        return f"{name}({', '.join([self.text(arg) for arg in node.args])}, out={out})"

    def _stack(self, number: int, node: Array) -> None:
        start = 0
        run = self.work.run(node)
        assert run is not None
        for part in node.args:
            if not self.work.is_in_place(node, part, start):
                shape = part.shape._replace(columns=node.shape.columns, varies=node.shape.varies)
                self.lines.append(f"{self._view_of(Run(run.work, run.start + start, shape))}[...] = {self.text(part)}")
            start += part.shape.rows * node.shape.columns
        self._bind(node, self._name(node, number), self._view(node))

    def _bind(self, node: Array, name: str, statement: str) -> None:
        """Have a node go by a name; what has none goes by that of the view it lies in."""
        if name:
            self.lines.append(f"{name} = {statement}")
        self._text[node] = name or statement

    # Expressions.

    def text(self, a: Any) -> str:
        """An array or a number as an operand; what is stretched is left to broadcasting."""
        if not isinstance(a, Array):
            return literal(a)
        known = self._text.get(a)
        if known is None:
            known = self._new_text(a)
            if a.op not in (array_ops.stretch, array_ops.uniform):
                self._text[a] = known
        return known

    def _new_text(self, a: Array) -> str:
        if a.op == array_ops.uniform:
            number, shared = a.detail
            return self.scaled(number, shared)
        if a.op == array_ops.given:
            return str(self.names.inputs[a.detail])
        if a.op == array_ops.constants:
            if len(a.detail) == 1:
                return literal(float(a.detail[0]))
            return self.tables.table([float(text) for text in a.detail], a.shape[:2])
        if a.op == array_ops.stretch:
            return self.text(a.args[0])
        if a.op == array_ops.transpose:
            return f"{self.full(a.args[0])}.T"
        if a.op == array_ops.take and a.args[0].op == array_ops.flat:
            return self._parameters(a)
        run = self.work.run(a)
        if run is not None:
            return self._view_of(run, self.text(owner_of(a)))
        if a.op == array_ops.regroup:
            return f"{self.full(a.args[0])}.reshape({self._numpy_shape(a.shape)})"
        source = a.args[0]
        columns = source.shape.columns
        rows = f"{self.text(source)}[{a.detail[0] // columns}:{a.detail[-1] // columns + 1}]"
        return rows if a.shape.columns == columns else f"{rows}.reshape({self._numpy_shape(a.shape)})"

    def full(self, a: Array) -> str:
        """As `text`, but of the array's own shape, for what does not broadcast."""
        inner = a
        while inner.op == array_ops.stretch:
            (inner,) = inner.args
        if inner is not a or a.op == array_ops.uniform or (a.op == array_ops.constants and len(a.detail) == 1):
            return f"broadcast_to({self.text(inner)}, ({self._numpy_shape(a.shape)}))"
        return self.text(a)

    def scaled(self, number: float, shared: bool) -> str:
        """number / K, or the number times the share that these samples have in all K."""
        self._scalars |= {"K", "share"} if shared else set()
        scale = "share" if shared else "inv_K"
        return scale if number == 1.0 else f"{number!r} * {scale}"

    def _parameters(self, a: Array) -> str:
        size = a.args[0].shape.rows
        view = lattice("theta", size, a.detail, a.shape[:2])
        if view is None:
            view = f"theta[{self.tables.table(a.detail, a.shape[:2])}]"
        elif a not in self.names.of:
            return view
        name = self._name(a, -1)
        self.lines.append(f"{name} = {view}")
        return name

    def _numpy_shape(self, shape: Shape) -> str:
        self._scalars |= {"K"} if shape.varies else set()
        return _numpy_shape(shape)

    # Names and views.

    def _name(self, node: Array, number: int) -> str:
        """A letter unless an array that is still read goes by it: a y still read, A y + b is no z yet."""
        name = self.names.of.get(node, "")
        holder = self._holder.get(name, node)
        if not name or (holder is not node and self._readers.get(holder, -1) > number):
            if number >= 0 and (node.op == array_ops.stack or (node.op == array_ops.take and node.shape.columns > 1)):
                return ""
            self._temporaries += 1
            return f"t{self._temporaries}"
        self._holder[name] = node
        return name

    def _view(self, node: Array, shape: Shape | None = None) -> str:
        run = self.work.run(node)
        assert run is not None
        return self._view_of(run if shape is None else run._replace(shape=shape))

    def _view_of(self, run: Run, owner: str = "") -> str:
        """The name of a view of a work array, made with it once and for all."""
        if run not in self._views:
            slots, _ = self.work.sizes[run.work]
            whole = run.start == 0 and run.shape.slots == slots
            name = f"w{run.work}"
            if not (whole and run.shape.columns == 1):
                name = owner or name
                name += "" if whole else f"_{run.start}_{run.start + run.shape.slots}"
                name += "" if run.shape.columns == 1 else f"_by_{run.shape.columns}"
            while name in self._taken_names:
                name += "_"
            self._taken_names.add(name)
            self._views[run] = name
        return self._views[run]

    def definition(self, name: str, arguments: str) -> str:
        """The source of both functions."""
        views = "".join([f"{view}, " for view in self._views.values()]).rstrip()
        body = [f"({views}) = work"] if views else []
        if "K" in self._scalars:
            body.append(f"K = {self.names.inputs[0]}.shape[1]" if self.names.inputs else "K = 1")
        if "share" in self._scalars:
            body.append("share = K * inv_K")
        work = [f"def {name}_work(K, dtype):", *_indented([*self._work_lines(), f"return ({views})"]), "", ""]
        code = [f"def {name}({', '.join([arguments, *self.names.inputs])}):", *_indented([*body, *self.lines]), ""]
        return "\n".join(work + code)

    def _work_lines(self) -> list[str]:
        """Statements that make the work arrays and the views of them."""
        lines = []
        for samples in ("K", "1"):
            sizes = {f"w{i}": n for i, (n, varies) in enumerate(self.work.sizes) if varies == (samples == "K")}
            if len(sizes) == 1:
                ((work, size),) = sizes.items()
                lines.append(f"{work} = empty(({size}, {samples}), dtype)")
            elif sizes:
                lines.append(f"{', '.join(sizes)} = [empty((n, {samples}), dtype) for n in {[*sizes.values()]}]")
        for run, text in self.work.fixed:
            lines.append(f"{self._rows(run)} = {literal(float(text))}")
        views: dict[int, list[tuple[str, str]]] = {}
        for run, view in self._views.items():
            if view != f"w{run.work}":
                columns = "" if run.shape.columns == 1 else f".reshape({_numpy_shape(run.shape)})"
                views.setdefault(run.work, []).append((view, f"{self._rows(run)}{columns}"))
        return lines + [" = ".join(map(", ".join, zip(*made, strict=True))) for made in views.values()]

    def _rows(self, run: Run) -> str:
        slots, _ = self.work.sizes[run.work]
        whole = run.start == 0 and run.shape.slots == slots
        return f"w{run.work}" if whole else f"w{run.work}[{run.start}:{run.start + run.shape.slots}]"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _numpy_shape(shape: Shape) -> str:
    columns = "K" if shape.columns == 1 else f"{shape.columns} * K"
    return f"{shape.rows}, {columns if shape.varies else shape.columns}"


def literal(number: float) -> str:
    """A number as source."""
    text = repr(float(number))
    return text if math.isfinite(number) else f'float("{text}")'


def lattice(name: str, size: int, slots: tuple[int, ...], shape: tuple[int, ...]) -> str | None:
    """The view of a flat array of this size that has these slots in this shape, if they lie regularly; its source."""
    rows, columns = shape
    start = slots[0]
    down = slots[columns] - start if rows > 1 else columns
    along = slots[1] - start if columns > 1 else 1
    if down < 1 or along < 1:
        return None
    table = np.array(slots).reshape(shape)
    expected = start + down * np.arange(rows)[:, None] + along * np.arange(columns)
    if not np.array_equal(table, expected):
        return None
    if columns == 1:
        return f"{name}[{start}:{slots[-1] + 1}{f':{down}' if down > 1 and rows > 1 else ''}, None]"
    if along == 1 and columns <= down and start + rows * down <= size:
        part = f"[:, :{columns}]" if columns < down else ""
        return f"{name}[{start}:{start + rows * down}].reshape({rows}, {down}){part}"
    return f"view({name}[{start}:], ({rows}, {columns}), ({down}, {along}))"
