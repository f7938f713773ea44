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
from ..graph import depth_first, topological_order
from ..value import Value
from .picture import Picture, literal, picture
from .text import dot_label, dot_tooltip, plural, short, shown, width

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
_MOVES = {array_ops.take: "taken from", array_ops.stack: "stacked"}
_SIZE = 11.0
_MOST_ROWS = 12  # of a kind, in a table


def draw_program(fast: Compiled, direction: str, limit: int) -> Picture:
    """The picture of a compiled function. limit: more arrays are counted instead of drawn."""
    root, names, outputs, found = fast.array_graph()
    order = [a for a in depth_first([root], attrgetter("parents")) if _is_drawn(a) or a is root]
    computed = [a for a in order if _kind(a) in ("operation", "product")]
    scalars = topological_order(*outputs)
    caption = [
        f"{found}, for K samples at once",
        f"({len(scalars):,} were recorded, as the table counts; the compiler takes some apart, a dot into products and bias)",
    ]
    of_products = {a: names.get(a, "product") for a in computed}
    names = {a: name for a, name in names.items() if not _awaits_its_bias(a, names, order)}
    drawn = len(order) <= limit
    joined = min([name[1:] for a in order if (name := names.get(a, "")).startswith("W")], default="")
    legend = [*_LEGEND, *([f"W{joined} = [A{joined} b{joined}]: weights and bias in one array"] if joined else [])]
    g = picture(direction, caption + (legend if drawn else []), nodesep="0.25", ranksep="0.35")
    g.node("scalars", _table("The recorded graph", _scalar_rows(fast, scalars)), shape="plain")
    title = "What was found" if drawn else "What was found: too many arrays to draw"
    g.node("found", _table(title, _found_rows(computed, of_products)), shape="plain")
    g.edge("scalars", "found")
    if not drawn:
        return g.drawn()
    number = {a: f"a{i}" for i, a in enumerate(order)}
    for a in order:
        _add(g, number[a], a, names, is_result=a is root)
    for a in order:
        for parent in map(_same_numbers, a.parents):
            if parent in number:
                g.edge(number[parent], number[a])
    return g.drawn()


def _scalar_rows(fast: Compiled, scalars: Sequence[Value]) -> list[tuple[str, str]]:
    counted = Counter([str(node.op) for node in scalars]).most_common()
    rest = sum([n for _, n in counted[_MOST_ROWS:]])
    rows = [(shown(op), f"{n:,}") for op, n in counted[:_MOST_ROWS]] + ([("others", f"{rest:,}")] if rest else [])
    return [*rows, ("parameters", f"{len(fast.parameters):,}")]


def _found_rows(computed: Sequence[Array], names: dict[Array, str]) -> list[tuple[str, str]]:
    """Products one by one, of the same kind together where there are many; the other operations by name."""
    products = [a for a in computed if _kind(a) == "product"]
    rows = [(names[a], _meeting(a)) for a in products]
    if len(rows) > _MOST_ROWS:
        rows = [(f"{n:,} ×", text) for text, n in Counter([text for _, text in rows]).most_common(_MOST_ROWS)]
    arrays, scalars = Counter[str](), Counter[str]()
    for a in computed:
        if _kind(a) != "product":
            arrays[_name(a)] += 1
            scalars[_name(a)] += _scalars(a)
    return rows + [
        (shown(op), f"{plural(n, 'array')} for {plural(scalars[op], 'scalar')}")
        for op, n in arrays.most_common(_MOST_ROWS)
    ]


def _meeting(product: Array) -> str:
    weights, vectors = product.args
    return f"{weights.shape.rows:,} × {weights.shape.columns:,} weights meet {plural(vectors.shape.columns, 'vector')}"


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
            _meeting(a),
            f"for {plural(rows * vectors.shape.columns, 'sum')} of {plural(terms, 'product')}",
        ]
    known = [short(number) for number in map(_one_number, a.args) if number is not None]
    if kind == "move":
        more = f" {shape_of(a.args[0])}" if a.op is array_ops.take else f" with {known[0]}" if known else ""
        return [head, _MOVES[a.op] + more]
    what = f"{_name(a)} {' '.join(known)}" if known else _name(a)
    return [head, what, f"for {plural(_scalars(a), 'scalar')}"]


def _name(a: Array) -> str:
    """Of its operation; those of the compiler's own begin with a space, so that no row has their names."""
    return str(a.op).strip()


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
        f'<tr><td colspan="2" align="left"><b>&#160;{escape(title)}</b></td></tr>{"".join(lines)}'
        '<tr><td colspan="2" fixedsize="true" height="5"></td></tr></table>>'
    )
