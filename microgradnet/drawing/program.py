"""What the compiler found in a function: its program as a graph of arrays, beside the scalars that they stand for.

The array graph is the compiler's own, before it is printed; here it is only worded and drawn. What merely moves numbers
between shapes is small and grey, so that products of weights with vectors stand out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from html import escape
from operator import attrgetter
from typing import Any

from ..compiler import Compiled, array_ops
from ..compiler.array_graph import Array
from ..graph import depth_first, nodes, topological_order
from .picture import Picture, literal, picture
from .text import dot_label, dot_tooltip, plural, short, width

_LOOKS = {
    "input": {"shape": "ellipse", "fillcolor": "#e3eefb", "color": "#2b6cb0"},
    "parameters": {"style": "rounded,filled", "fillcolor": "#fdf1d3", "color": "#b7791f"},
    "numbers": {"style": "dashed,filled", "fillcolor": "#f4f4f4"},
    "product": {"fillcolor": "#e9e2f7", "color": "#5b3a9e", "penwidth": "1.6"},
    "move": {"fillcolor": "#f4f4f4", "color": "#bbbbbb", "fontcolor": "#555555"},
    "operation": {},
}
_LEGEND = ["violet: weights meet vectors · grey: numbers change places", "double frame: result · K: samples"]
_RESULT = {"peripheries": "2", "fillcolor": "#e3f6e5", "color": "#2f7d3b"}
_MOVES = {"take": "taken from", "stack": "stacked"}
_SIZE = 11.0
_MOST_OPERATIONS = 12  # in the table of scalars


def draw_program(fast: Compiled, direction: str, limit: int) -> Picture:
    """The picture of a compiled function. limit: more arrays are counted instead of drawn."""
    root, names, outputs = fast.array_graph()
    order = [a for a in depth_first([root], attrgetter("parents")) if _is_drawn(a) or a is root]
    computed = [a for a in order if _kind(a) in ("operation", "product")]
    scalars = topological_order(*outputs)
    caption = [
        f"{plural(len(scalars), 'scalar operation')} became {plural(len(computed), 'operation')} on arrays, for K samples at once."
    ]
    names = {a: name for a, name in names.items() if not _awaits_its_bias(a, names, order)}
    drawn = len(order) <= limit
    g = picture(direction, caption + (_LEGEND if drawn else []), nodesep="0.25", ranksep="0.35")
    leaves = Counter("parameter" if p in set(fast.parameters) else "" for p in nodes(*outputs) if not p.parents)
    counted = Counter([str(node.op) for node in scalars]).most_common()
    rows = [(op, f"{n:,}") for op, n in counted[:_MOST_OPERATIONS]]
    if len(counted) > _MOST_OPERATIONS:
        rows.append(("others", f"{sum(n for _, n in counted[_MOST_OPERATIONS:]):,}"))
    rows.append(("parameters", f"{leaves['parameter']:,}"))
    g.node("scalars", _table("The scalar graph", rows), shape="plain")
    if not drawn:
        of = Counter(str(a.op) for a in computed)
        slots = Counter({op: sum(a.shape.slots for a in computed if str(a.op) == op) for op in of})
        rows = [
            (op, f"{plural(n, 'array')}, {plural(slots[op], 'number')}") for op, n in of.most_common(_MOST_OPERATIONS)
        ]
        g.node("arrays", _table("Its arrays: too many to draw", rows), shape="plain")
        g.edge("scalars", "arrays")
        return g.drawn()
    number = {a: f"a{i}" for i, a in enumerate(order)}
    for a in order:
        _add(g, number[a], a, names, is_result=a is root)
    for a in order:
        for parent in map(_same_numbers, a.parents):
            if parent in number:
                g.edge(number[parent], number[a])
    return g.drawn()


def _awaits_its_bias(a: Array, names: dict[Array, str], order: Sequence[Array]) -> bool:
    """Whether it is the product A y of a z = A y + b, which has the same name."""
    return a.op is array_ops.matmul and any([a in z.parents and names.get(z) == names[a] for z in order])


def _same_numbers(a: Array) -> Array:
    """The array whose numbers it has, in other rows and columns or repeated."""
    while a.op in (array_ops.regroup, array_ops.stretch):
        (a,) = a.args
    return a


def _one_number(a: Any) -> float | None:
    """The number that an operand is, everywhere; None if it is none."""
    if isinstance(a, float):
        return a
    a = _same_numbers(a)
    if a.op is array_ops.constants and len(a.detail) == 1:
        return float(a.detail[0])
    return None


def _is_drawn(a: Array) -> bool:
    return a.op is not array_ops.flat and _same_numbers(a) is a and _one_number(a) is None


def _kind(a: Array) -> str:
    if a.op is array_ops.given:
        return "input"
    if a.op is array_ops.flat or (a.op is array_ops.take and a.args[0].op is array_ops.flat):
        return "parameters"
    if a.op in (array_ops.constants, array_ops.uniform):
        return "numbers"
    if a.op is array_ops.matmul:
        return "product"
    return "move" if array_ops.is_structural(a.op) and a.op in _MOVES else "operation"


def shape_of(a: Array) -> str:
    """Rows × columns, a 1 left out, and × K where there is a number per sample.

    >>> from ..compiler.array_graph import ArrayGraph
    >>> shape_of(ArrayGraph().input(0, 6))
    '6 × K'
    """
    sides = [f"{side:,}" for side in a.shape[:2] if side > 1]
    return " × ".join([*sides, *(["K"] if a.shape.varies else [])] or ["1"])


def lines_of(a: Array, names: dict[Array, str]) -> list[str]:
    """What is written in its box: name and shape, what computes it, and how many scalars it stands for."""
    kind, name = _kind(a), names.get(a, "").replace("_", " ")
    head = f"{name}: {shape_of(a)}" if name else shape_of(a)
    if kind == "input":
        return [f"input {a.detail + 1}: {head}"]
    if kind == "parameters":
        return [head, plural(a.shape.slots, "parameter")]
    if kind == "numbers":
        return [head, plural(a.shape.slots, "number")]
    if kind == "product":
        weights, vectors = a.args
        rows, terms, _ = weights.shape
        return [
            head,
            f"{rows} × {terms} weights meet {plural(vectors.shape.columns, 'vector')}",
            f"for {plural(rows * vectors.shape.columns, 'sum')} of {plural(terms, 'product')}",
        ]
    known = [short(number) for number in map(_one_number, a.args) if number is not None]
    if kind == "move":
        more = f" {shape_of(a.args[0])}" if a.op is array_ops.take else f" with {known[0]}" if known else ""
        return [head, _MOVES[str(a.op)] + more]
    what = f"{a.op} {' '.join(known)}" if known else str(a.op)
    return [head, what, f"for {plural(_scalars(a), 'scalar')}"]


def _scalars(a: Array) -> int:
    """How many scalar operations it stands for; a reduction of n rows takes n − 1 per column."""
    if a.op in (array_ops.sum_rows, array_ops.max_rows, array_ops.min_rows):
        return int(a.shape.columns * max(1, a.args[0].shape.rows - 1))
    return int(a.shape.slots)


def _add(g: Picture, name: str, a: Array, names: dict[Array, str], is_result: bool) -> None:
    kind = _kind(a)
    lines = lines_of(a, names)
    w, h = max(width(line, _SIZE) for line in lines) + 14.0, 14.0 * len(lines) + 6.0
    if kind == "input":
        w, h = 1.2 * w + 4.0, 1.35 * h + 4.0
    look: dict[str, Any] = _LOOKS[kind] | (_RESULT if is_result else {})
    g.node(
        name,
        literal(dot_label(lines)),
        **{"shape": "box", "fixedsize": "true", "width": f"{w / 72:.3f}", "height": f"{h / 72:.3f}"} | look,
        tooltip=literal(
            dot_tooltip([*lines, "a number per sample in each" if a.shape.varies else "the same for all samples"])
        ),
    )


def _table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """An HTML-like label of two columns, in our own widths."""
    widths = [max([width(row[i], _SIZE) for row in rows]) + 14.0 for i in (0, 1)]
    widths[1] = max(widths[1], width(title, _SIZE) * 1.1 + 16.0 - widths[0])
    lines = [
        "<tr>"
        + "".join(
            f'<td align="left" fixedsize="true" width="{math.ceil(w)}" height="16">&#160;{escape(cell)}</td>'
            for cell, w in zip(row, widths, strict=True)
        )
        + "</tr>"
        for row in rows
    ]
    return (
        '<<table border="1" cellborder="0" cellspacing="0" cellpadding="2" style="rounded" bgcolor="white" color="#777777">'
        f'<tr><td colspan="2" align="left"><b>{escape(title)}</b></td></tr>{"".join(lines)}'
        '<tr><td colspan="2" fixedsize="true" height="5"></td></tr></table>>'
    )
