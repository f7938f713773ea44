"""A net as on the lecture's slides: circles in columns, an edge for every weight, wide layers folded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ..nn import MLP, Layer, Neuron
from ..perceptron import Perceptron
from .picture import Picture, literal, picture
from .text import dot_label, dot_tooltip, exact, plural, short, shown, subscript, width

_MOST = 10  # circles of a column, columns of a picture: of more, the first and the last are drawn
_DIAMETER, _PITCH = 48.0, 60.0
_SPACE, _SPACE_PER_EDGE, _MOST_SPACE = 110.0, 3.0, 260.0  # from column to column
_CAPTION = (
    "Edges are weights: solid blue is positive, dashed orange negative,",
    "and the wider the larger. In each circle its bias b.",
)

_Unit: TypeAlias = Neuron | Perceptron
_Spot: TypeAlias = tuple[int, int]  # column and neuron
_GAP = -1  # instead of a column or a neuron: what is left out here


@dataclass
class _Column:
    title: str
    size: int
    units: list[_Unit]  # none for the inputs


def draw_net(net: MLP | Layer | Neuron | Perceptron, direction: str) -> Picture:
    """The picture of a net's architecture."""
    columns = _columns(net)
    spots = _places(columns)
    edges = [(tail, head, label, w) for tail, head, label, w in _edges(columns) if tail in spots and head in spots]
    largest = max([abs(w) for *_, w in edges if math.isfinite(w)], default=0.0) or 1.0
    g = picture(direction, [*_CAPTION], layout="nop2")

    def point(along: float, across: float) -> tuple[float, float]:
        return (along, -across) if direction == "LR" else (across, -along)

    for (c, i), place in spots.items():
        x, y = point(*place)
        g.node(f"c{c}_{i + 1}" if i != _GAP else f"c{c}_gap", pos=f"{x:.1f},{y:.1f}!", **_circle(columns, c, i))
    edge = min(across for _, across in spots.values()) - 0.7 * _PITCH
    for c, along in {c: along for (c, _), (along, _) in spots.items() if c != _GAP}.items():
        words = columns[c].title
        x, y = point(along, edge - (0.0 if direction == "LR" else width(words, 11.0) / 2))
        g.node(f"c{c}", dot_label([words]), pos=f"{x:.1f},{y:.1f}!", **_bare(words), tooltip=words)
    for tail, head, label, w in edges:
        (x0, y0), (x1, y1) = point(*spots[tail]), point(*spots[head])
        at = [f"{x0 + (x1 - x0) * t:.1f},{y0 + (y1 - y0) * t:.1f}" for t in (0.0, 1 / 3, 2 / 3, 1.0)]
        written = {}
        if len(edges) == len(spots) - 1:  # a lone neuron: there is room for numbers
            middle = f"{x0 + (x1 - x0) * 0.45:.1f},{y0 + (y1 - y0) * 0.45 + 8.0:.1f}"
            written = {"label": dot_label([short(w)]), "lp": middle}
        tooltip = literal(dot_tooltip([f"{shown(label)} = {exact(w)}"]))
        g.edge(
            f"c{tail[0]}_{tail[1] + 1}",
            f"c{head[0]}_{head[1] + 1}",
            **written | _stroke(w, largest),
            pos=" ".join(at),
            tooltip=tooltip,
            labeltooltip=tooltip,
        )
    return g.drawn()


def _columns(net: MLP | Layer | Neuron | Perceptron) -> list[_Column]:
    if isinstance(net, MLP):
        layers: list[tuple[str, list[_Unit]]] = [
            (f"layer {q}", [*layer.neurons]) for q, layer in enumerate(net.layers, 1)
        ]
    elif isinstance(net, Layer):
        layers = [("layer", [*net.neurons])]
    else:
        layers = [("neuron" if isinstance(net, Neuron) else "perceptron", [net])]
    inputs = len(_weights(layers[0][1][0]))
    columns = [_Column(plural(inputs, "input"), inputs, [])]
    for name, units in layers:
        kinds = dict.fromkeys(unit.activation if isinstance(unit, Neuron) else "step" for unit in units)
        columns.append(_Column(f"{name}: {len(units):,} {', '.join(kinds)}", len(units), units))
    return columns


def _kept(size: int) -> list[int]:
    """Which of so many are drawn."""
    return list(range(size)) if size <= _MOST else [*range(_MOST // 2), _GAP, *range(size - _MOST // 2 + 1, size)]


def _places(columns: list[_Column]) -> dict[_Spot, tuple[float, float]]:
    """Where the drawn circles and gaps stand: along the direction of time, and across it."""
    spots: dict[_Spot, tuple[float, float]] = {}
    along, before = 0.0, 0
    for c in _kept(len(columns)):
        kept = [0] if c == _GAP else _kept(columns[c].size)
        if before:
            along += min(_SPACE + _SPACE_PER_EDGE * before * len(kept), _MOST_SPACE)
        before = len(kept)
        for row, i in enumerate(kept):
            spots[c, i if c != _GAP else _GAP] = along, (row - (len(kept) - 1) / 2) * _PITCH
    return spots


def _edges(columns: list[_Column]) -> Iterator[tuple[_Spot, _Spot, str, float]]:
    """The weights between drawn neurons: from, to, name and number."""
    for c in range(1, len(columns)):
        for i in _kept(columns[c].size):
            weights = _weights(columns[c].units[i]) if i != _GAP else []
            for j in _kept(len(weights)):
                if j != _GAP:
                    yield ((c - 1, j), (c, i), *weights[j])


def _weights(unit: _Unit) -> list[tuple[str, float]]:
    if isinstance(unit, Perceptron):
        return [(f"w{subscript(j)}", w) for j, w in enumerate(unit.weights, 1)]
    return [(w.label, w.data) for w in unit.w]


def _circle(columns: list[_Column], c: int, i: int) -> dict[str, str]:
    if c == _GAP:
        words = plural(len(columns) - _MOST + 1, "layer")
        return _bare(words) | {"label": dot_label(["…", words]), "tooltip": words}
    column = columns[c]
    if i == _GAP:
        words = f"{column.size - _MOST + 1:,} more"
        return _bare(words) | {"label": dot_label(["…", words]), "tooltip": words}
    unit = column.units[i] if column.units else None
    name = f"x{subscript(i + 1)}" if unit is None else unit.y_label if isinstance(unit, Neuron) else "y"
    look = {"shape": "circle", "fixedsize": "true", "width": f"{_DIAMETER / 72:.3f}", "fontsize": "10"}
    if unit is None:
        return look | {
            "label": dot_label([name]),
            "tooltip": dot_tooltip([name]),
            "fillcolor": "#e3eefb",
            "color": "#2b6cb0",
        }
    bias = unit.b.data if isinstance(unit, Neuron) else unit.bias
    return look | {
        "label": dot_label([name, f"b {short(bias, 2)}"]),
        "tooltip": dot_tooltip([f"{name}, bias b = {exact(bias)}"]),
    }


def _bare(words: str) -> dict[str, str]:
    """Text without a frame."""
    size = {"width": f"{(width(words, 11.0) + 8) / 72:.3f}", "height": "0.45", "fixedsize": "true"}
    return {"shape": "box", "style": "", "color": "transparent"} | size


def _stroke(w: float, largest: float) -> dict[str, str]:
    look = {"dir": "none"}
    if not math.isfinite(w) or w == 0.0:
        return look | {"style": "dotted", "color": "#777777", "penwidth": "0.5" if w == 0.0 else "3"}
    sign = {"color": "#2b6cb0"} if w > 0 else {"color": "#c05621", "style": "dashed"}
    return look | sign | {"penwidth": f"{0.3 + 3.2 * abs(w) / largest:.2f}"}
