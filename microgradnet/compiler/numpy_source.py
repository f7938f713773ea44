"""From the array graph to NumPy source: one statement per array, in the lecture's letters.

The source is made of names and numbers that this module generates alone. Results are written into work arrays that
are handed over again as soon as nobody reads them any more, so that a call allocates next to nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import kernels, ops
from ..graph import topological_order
from . import array_graph as arrays
from .array_graph import Array, K

_LOGISTIC = {arrays.minus_exponential: "exp_minus", ops.sigmoid: "logistic"}  # the two halves of a sigmoid
_ALIASES = {arrays.take, arrays.transpose, arrays.stretch}  # views of their operand, without a statement


class Names:
    """The lecture's letters for the arrays that deserve one; t1, t2, … for the rest."""

    def __init__(self, inputs: int) -> None:
        letters = ["x", "r"] if inputs <= 2 else [f"x{j}" for j in range(1, inputs + 1)]
        self.inputs = letters[:inputs]
        self.of: dict[Array, str] = {}
        self.comments: dict[Array, str] = {}
        self.layers: list[Array] = []

    def layer(self, z: Array) -> None:
        """Name a group of dots as the next layer's z, with its matrix and biases."""
        product = z if z.op == arrays.matmul else z.args[0]
        if product.op != arrays.matmul or z in self.of or product in self.of:
            return
        self.layers.append(z)
        q = len(self.layers)
        matrix, inputs = product.args
        self.of.update({z: f"z{q}", product: f"z{q}", matrix: f"A{q}"})
        self.comments[product] = f"layer {q}"
        if inputs.op == arrays.stack and inputs.args[-1].detail == 1.0:
            self.of[matrix] = f"W{q}"
            self.comments[product] = f"layer {q}: W{q} = [A{q} b{q}]"
            if len(inputs.args) == 2 and inputs.args[0] in self.of:
                self.of[inputs] = f"{self.of[inputs.args[0]]}_and_1"
        if len(z.parents) == 2 and z is not product:
            self.of.setdefault(z.parents[1], f"b{q}")

    def activation(self, y: Array) -> None:
        """Name y after its z."""
        if y.op in ops.TABLE and len(y.args) == 1 and y.parents[0] in self.layers and y not in self.of:
            q = self.layers.index(y.parents[0]) + 1
            self.of[y] = f"y{q}"
            if y.op == ops.sigmoid:
                self.of[y.args[0]] = f"e{q}"
            (slope,) = y.op.partials(y.parents[0], y)
            if isinstance(slope, Array):
                self.of.setdefault(slope, f"slope{q}")

    def delta(self, z: Array, adjoint: Any) -> None:
        """Name the adjoint of a z."""
        if isinstance(adjoint, Array) and adjoint.op != arrays.uniform and adjoint not in self.of:
            q = self.layers.index(z) + 1
            self.of[adjoint] = f"delta{q}"
            self.comments[adjoint] = f"backward through layer {q}: delta{q} = ∂C/∂z{q}"


class Emitter:
    """Writes one function.

    roots: the arrays it is about. `work` afterwards lists the shapes of its work arrays, `tables` the constants and
    index tables that its source refers to, `functions` the names it calls.
    """

    def __init__(self, names: Names, roots: Sequence[Array], tables: dict[str, Any], constants: list[float]) -> None:
        self.names, self.tables, self.constants = names, tables, constants
        self.lines: list[str] = []
        self.work: list[tuple[int, int]] = []
        self.functions: dict[str, str] = {}
        self.order = [node for node in topological_order(*roots) if node.op not in _ALIASES]
        self._text: dict[Array, str] = {}
        self._holder: dict[str, Array] = {}
        self._buffer: dict[Array, int] = {}
        self._place: dict[Array, tuple[Array, int]] = {}  # of what is computed in its rows of a stack
        self._free: dict[tuple[int, int], list[int]] = {}
        self._temporaries = 0
        self._readers = Counter([owner for node in self.order for owner in _owners(node)])
        self._readers.update(map(_owner, roots))  # so that a root stays
        for node in self.order:
            if node.op == arrays.stack:
                self._place_parts(node)

    # Statements.

    def emit(self, node: Array, into: str | None = None) -> None:
        """The statement that computes a node, into a work array or into a view given by its source."""
        if node.op in (arrays.flat, arrays.given, arrays.uniform, arrays.put):
            return
        if node in self.names.comments:
            self.lines.append(f"# {self.names.comments[node]}")
        if node.op in (arrays.stack, arrays.accumulated):
            self._assemble(node)
            return
        call = self._call(node)
        owners = _owners(node)
        elementwise = node.op in ops.TABLE or node.op.startswith("**") or node.op == arrays.minus_exponential
        in_place = elementwise and node not in self._place  # may overwrite an operand that nobody reads afterwards
        if in_place:
            self._release(owners)
        out = into or self._work(node)
        name = self._name(node)
        self.lines.append(f"{name} = {call(out)}")
        self._text[node] = name
        if not in_place:
            self._release(owners)

    def _call(self, node: Array) -> Callable[[str], str]:
        op = node.op
        if op == arrays.matmul:
            a, b = map(self.full, node.args)
            return lambda out: f"matmul({a}, {b}, out={out})"
        if op == arrays.sum_columns:
            a = self.full(node.args[0])
            return lambda out: f"add.reduce({a}, axis=1, keepdims=True, out={out})"
        if op == arrays.sum_rows:
            a, blocks = self.full(node.args[0]), node.shape[0]
            if blocks == 1:
                return lambda out: f"add.reduce({a}, axis=0, keepdims=True, out={out})"
            return lambda out: f"add.reduce({a}.reshape({blocks}, -1, {a}.shape[1]), axis=1, out={out})"
        name = _LOGISTIC.get(op) or self._function(op)
        args = ", ".join(self.text(arg) for arg in node.args)
        return lambda out: f"{name}({args}, out={out})"

    def _function(self, op: ops.Op) -> str:
        name = getattr(op.array, "__name__", "")
        if op.array not in (getattr(np, name, None), getattr(kernels, name, None)):  # a name of ours, one for each op
            name = "op_" + re.sub(r"\W", lambda sign: f"_{ord(sign[0]):x}_", op.replace("**", "power_"))
        self.functions[name] = str(op)
        return name

    def _assemble(self, node: Array) -> None:
        """An array put together from parts: the parts of a stack, or the puts of adjoints."""
        out, name = self._work(node), self._name(node)
        self.lines.append(f"{name} = {out}")
        self._text[node] = name
        if node.op == arrays.stack:
            end = 0
            for part in node.args:
                if self._place.get(part) != (node, end):
                    self.lines.append(f"{name}[{end}:{end + part.shape[0]}] = {self.text(part)}")
                end += part.shape[0]
        else:
            first = node.args[0]
            whole = isinstance(first, Array) and first.op != arrays.put
            self.lines.append(f"{name}[...] = {self.text(first) if whole else '0.0'}")
            for part in node.args[1:] if whole else node.args:
                if part.op == arrays.put and part.args[0].shape[1] != node.shape[1]:  # a matrix made of rows
                    self.add_rows(name, part.detail, f"{self.full(part.args[0])}.reshape(-1, 1)")
                elif part.op == arrays.put:
                    self.add_rows(name, part.detail, self.text(part.args[0]))
                else:
                    self.lines.append(f"{name} += {self.text(part)}")
        self._release(_owners(node))

    def only_here(self, node: Array) -> bool:
        """Whether the node is computed by a statement and read as a root alone."""
        return _is_computed(node) and self._readers[node] == 1

    def add_to(self, view: str | None, target: str, slots: tuple[int, ...], node: Array) -> None:
        """Add an array to these slots of a flat one."""
        if view is not None and len(set(slots)) == len(slots):
            self.lines.append(f"add({view}, {self.text(node)}, out={view})")
        else:
            self.lines.append(f"add.at({target}, {self._table(slots, node.shape)}, {self.text(node)})")

    def add_rows(self, target: str, rows: tuple[int, ...], value: str) -> None:
        """Add to some rows of an array, of which some may be the same."""
        if len(set(rows)) < len(rows):
            self.lines.append(f"add.at({target}, {self._table(rows)}, {value})")
        else:
            self.lines.append(f"{target}{self._rows(rows)} += {value}")

    # Expressions.

    def text(self, a: Any) -> str:
        """An array or a number as an operand; what is stretched is left to broadcasting."""
        if not isinstance(a, Array):
            return _literal(a)
        if a.op == arrays.uniform:
            number, shared = a.detail
            scale = "share" if shared else "inv_K"
            return scale if number == 1.0 else f"{number!r} * {scale}"
        if a.op == arrays.given:
            return self._given(a)
        if a.op == arrays.stretch and a.args[0].shape[0] in (1, a.shape[0]):
            return self.text(a.args[0])
        if a.op == arrays.stretch:
            return f"{self.text(a.args[0])}.repeat({a.shape[0] // a.args[0].shape[0]}, axis=0)"
        if a.op == arrays.transpose:
            return f"{self.full(a.args[0])}.T"
        if a.op == arrays.take and a not in self._text:
            self._text[a] = self._take(a)
        return self._text[a]

    def full(self, a: Array) -> str:
        """As `text`, but of the array's own shape, for what does not broadcast."""
        inner = a.args[0] if a.op == arrays.stretch else a
        number = a.op == arrays.uniform or (a.op == arrays.given and isinstance(a.detail, float))
        if number or (a.op == arrays.stretch and inner.shape[0] in (1, a.shape[0])):
            columns = "columns" if a.shape[1] == K else a.shape[1]
            return f"broadcast_to({self.text(inner)}, ({a.shape[0]}, {columns}))"
        return self.text(a)

    def _given(self, a: Array) -> str:
        if isinstance(a.detail, int):
            return self.names.inputs[a.detail]
        if isinstance(a.detail, float):
            return _literal(a.detail)
        return self._table(np.array(self.constants)[:, None])

    def _take(self, a: Array) -> str:
        source = a.args[0]
        if source.op == arrays.flat:
            view = lattice("theta", source.shape[0], a.detail, a.shape) or f"theta[{self._table(a.detail, a.shape)}]"
        elif a.shape == (len(a.detail), source.shape[1]):
            view = f"{self.text(source)}{self._rows(a.detail)}"
        elif a.detail == tuple(range(source.shape[0])):
            view = f"{self.text(source)}.reshape{a.shape}"
        else:
            view = f"{self.text(source)}[{self._table(a.detail, a.shape)}, 0]"
        if a in self.names.of or "table" in view:  # a table makes a copy: once
            name = self._name(a)
            self.lines.append(f"{name} = {view}")
            return name
        return view

    def _rows(self, rows: tuple[int, ...]) -> str:
        step = rows[1] - rows[0] if len(rows) > 1 else 1
        if step > 0 and rows == tuple(range(rows[0], rows[-1] + 1, step)):
            return f"[{rows[0]}:{rows[-1] + 1}{f':{step}' if step > 1 else ''}]"
        return f"[{self._table(rows)}]"

    def _table(self, numbers: Any, shape: tuple[int, int] | None = None) -> str:
        table = np.array(numbers)
        if shape is not None:
            table = table.reshape(shape)
        for name, known in self.tables.items():
            if known.shape == table.shape and known.dtype == table.dtype and np.array_equal(known, table):
                return name
        name = f"table{len(self.tables) + 1}"
        self.tables[name] = table
        return name

    # Names and work arrays.

    def _name(self, node: Array) -> str:
        name = self.names.of.get(node, "")
        holder = self._holder.get(name, node)
        if not name or (holder is not node and self._readers[holder] > 0):  # A y is still read: A y + b is no z yet
            self._temporaries += 1
            return f"t{self._temporaries}"
        self._holder[name] = node
        return name

    def _place_parts(self, stack: Array) -> None:
        """Have the parts of a stack computed where they belong. The stack's array is kept as long as one of them is read."""
        end = 0
        for part in stack.args:
            if _is_computed(part) and part.shape[1] == stack.shape[1] and part not in self._place:
                self._place[part] = stack, end
                self._readers[stack] += 1
            end += part.shape[0]

    def _work(self, node: Array) -> str:
        if node in self._place:
            stack, start = self._place[node]
            return f"{self._work(stack)}[{start}:{start + node.shape[0]}]"
        if node in self._buffer:
            return f"w{self._buffer[node]}"
        free = self._free.setdefault(node.shape, [])
        if not free:
            free.append(len(self.work))
            self.work.append(node.shape)
        self._buffer[node] = free.pop()
        return f"w{self._buffer[node]}"

    def _release(self, owners: list[Array]) -> None:
        for owner in owners:
            self._readers[owner] -= 1
            if self._readers[owner] == 0 and owner in self._place:
                self._release([self._place[owner][0]])
            elif self._readers[owner] == 0 and owner in self._buffer:
                self._free[owner.shape].append(self._buffer.pop(owner))


def _literal(number: float) -> str:
    text = repr(float(number))
    return text if math.isfinite(number) else f'float("{text}")'


def lattice(name: str, size: int, slots: tuple[int, ...], shape: tuple[int, int]) -> str | None:
    """The view of a flat array of this size that has these slots in this shape, if they lie regularly; its source."""
    rows, columns = shape
    start = slots[0]
    table = np.array(slots).reshape(shape)
    down = int(table[1, 0]) - start if rows > 1 else columns
    along = int(table[0, 1]) - start if columns > 1 else 1
    expected = start + down * np.arange(rows)[:, None] + along * np.arange(columns)
    if down < 1 or along < 1 or not np.array_equal(table, expected):
        return None
    if columns == 1:
        return f"{name}[{start}:{slots[-1] + 1}{f':{down}' if down > 1 and rows > 1 else ''}, None]"
    if along == 1 and columns <= down and start + rows * down <= size:
        part = f"[:, :{columns}]" if columns < down else ""
        return f"{name}[{start}:{start + rows * down}].reshape({rows}, {down}){part}"
    return f"view({name}[{start}:], ({rows}, {columns}), ({down}, {along}))"


def _is_computed(node: Array) -> bool:
    """Whether one statement computes it."""
    return node.first is not None and node.op not in _ALIASES and node.op not in (arrays.stack, arrays.accumulated)


def _owner(node: Array) -> Array:
    while node.op in _ALIASES:
        node = node.args[0]
    return node


def _owners(node: Array) -> list[Array]:
    """The arrays whose numbers a node's statement reads, each once."""
    return list(dict.fromkeys(_owner(parent) for parent in (node.first or ())))
