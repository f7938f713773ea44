"""A net as on the lecture's slides: circles in columns, an edge for every weight, wide layers folded.

With a `Sample` its numbers stand in and under the circles, and edges can show ∂C/∂a.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from ..nn import MLP, Layer, Neuron
from ..perceptron import Perceptron
from .picture import Picture, literal, picture
from .sample import Net, Sample
from .text import dot_label, dot_tooltip, exact, plural, short, shown, subscript, width

_MOST = 10  # circles of a column, columns of a picture: of more, the first and the last are drawn
_SPACE, _SPACE_PER_EDGE, _LONE_SPACE = 110.0, 3.0, 170.0  # from column to column
_UNDER = 22.0  # for what stands under a circle
_BESIDE = 92.0  # from the outputs to the targets

_Unit: TypeAlias = Neuron | Perceptron
_Spot: TypeAlias = tuple[int, int]  # column and neuron
_GAP = -1  # instead of a column or a neuron: what is left out here


class _Style(NamedTuple):
    diameter: float
    font: float  # sizes
    title: float
    caption: float
    space: float  # from column to column, at most


_PLAIN, _SLIDE = _Style(48.0, 10.0, 11.0, 10.0, 260.0), _Style(58.0, 13.0, 13.0, 12.0, 182.0)


@dataclass
class _Column:
    title: str
    size: int
    units: list[_Unit]  # none for the inputs


@dataclass(frozen=True)
class _Weight:
    """A weight between drawn neurons. shown: the number that its edge shows."""

    tail: _Spot
    head: _Spot
    words: str
    shown: float


def draw_net(net: Net, direction: str, sample: Sample | None = None, by_gradient: bool = False) -> Picture:
    """The picture of a net's architecture. by_gradient: edges show ∂C/∂a of the sample instead of a."""
    return _NetPicture(net, direction, sample, by_gradient).draw()


class _NetPicture:
    def __init__(self, net: Net, direction: str, sample: Sample | None, by_gradient: bool) -> None:
        self._columns, self._down, self._sample = _columns(net), direction == "LR", sample
        self._by_gradient = by_gradient
        self._style = _PLAIN if sample is None else _SLIDE
        self._biases = any(_bias(unit) != 0.0 for column in self._columns for unit in column.units)
        self._lone = len(self._columns) == 2 and self._columns[1].size == 1  # there is room for numbers on edges
        self._spots = self._places()
        self._g = picture(direction, self._caption(), layout="nop2", fontsize=f"{self._style.caption:g}")

    def draw(self) -> Picture:
        self._titles()
        self._targets()
        self._deltas()
        self._edges()
        for spot in self._spots:  # last, and so above all texts
            self._circle(*spot)
        return self._g.drawn()

    def _caption(self) -> list[str]:
        what = "∂C/∂a, the gradient" if self._by_gradient else "the weights"
        lines = [f"Edges show {what}: solid blue is positive,", "dashed orange negative, and the wider the larger."]
        biases = "In each circle its bias b." if self._biases else "All biases are 0."
        if self._sample is None:
            return [*lines, biases]
        under = "In the circles y, under them δ = ∂C/∂z." if self._sample.deltas else "In the circles y."
        return [*lines, under if self._biases else f"{under} {biases}"]

    # Where.

    def _places(self) -> dict[_Spot, tuple[float, float]]:
        """Where the drawn circles and gaps stand: along the direction of time, and across it."""
        kept = {c: [0] if c == _GAP else _kept(self._columns[c].size) for c in _kept(len(self._columns))}
        counts = [len(rows) for rows in kept.values()]
        edges = max(a * b for a, b in pairwise(counts))
        space = min(_SPACE + _SPACE_PER_EDGE * edges, self._style.space)
        if self._lone:
            space = _LONE_SPACE
        spots: dict[_Spot, tuple[float, float]] = {}
        for position, (c, rows) in enumerate(kept.items()):
            pitch = self._style.diameter + 12.0
            if self._sample and self._sample.deltas and c != 0:
                pitch += _UNDER
            for row, i in enumerate(rows):
                spots[c, i] = position * space, (row - (len(rows) - 1) / 2) * pitch
        return spots

    def _at(self, along: float, across: float) -> str:
        return "{:.1f},{:.1f}".format(*self._point(along, across))

    def _point(self, along: float, across: float) -> tuple[float, float]:
        return (along, -across) if self._down else (across, -along)

    # What.

    def _circle(self, c: int, i: int) -> None:
        along, across = self._spots[c, i]
        name = f"c{c}_{i + 1}" if i != _GAP else f"c{c}_gap"
        if _GAP in (c, i):
            left_out = len(self._columns) if c == _GAP else self._columns[c].size
            words = plural(left_out - _MOST + 1, "layer") if c == _GAP else f"{left_out - _MOST + 1:,} more"
            self._text(name, ["…", words], along, across, self._style.font + 1.0)
            return
        unit = self._columns[c].units[i] if self._columns[c].units else None
        label, tooltip = self._words(c, i, unit)
        look = {"fillcolor": "#e3eefb", "color": "#2b6cb0"} if unit is None else {}
        size = {"width": f"{self._style.diameter / 72:.3f}", "fontsize": f"{self._style.font:g}"}
        self._g.node(
            name,
            dot_label(label),
            pos=f"{self._at(along, across)}!",
            **{"shape": "circle", "fixedsize": "true"} | size | look,
            tooltip=dot_tooltip(tooltip),
        )

    def _deltas(self) -> None:
        """Under each circle its δ."""
        deltas = (self._sample.deltas if self._sample else None) or []
        for (c, i), place in self._spots.items():
            if deltas and c > 0 and i != _GAP:
                x, y = self._point(*place)
                words = [f"δ {short(deltas[c - 1][i], 3)}"]
                self._text_at(
                    f"delta{c}_{i + 1}", words, x, y - self._style.diameter / 2 - 9.0, self._style.font, "#a3380a"
                )

    def _words(self, c: int, i: int, unit: _Unit | None) -> tuple[list[str], list[str]]:
        """What stands in a circle, and what hovering over it shows."""
        name = f"x{subscript(i + 1)}" if unit is None else unit.y_label if isinstance(unit, Neuron) else "y"
        bias = None if unit is None else _bias(unit)
        words = [name] if bias is None else [f"{name}, bias b = {exact(bias)}"]
        if self._sample is None:
            return [name, f"b {short(bias, 2)}"] if bias is not None and self._biases else [name], words
        number = self._sample.x[i] if unit is None else self._sample.y[c - 1][i]
        words.append(f"{'data' if unit is None else 'y'} = {exact(number)}")
        if self._sample.deltas and unit is not None:
            words.append(f"δ = {exact(self._sample.deltas[c - 1][i])}")
        return [name, short(number, 3)], words

    def _titles(self) -> None:
        edge = min(across for _, across in self._spots.values()) - self._style.diameter / 2 - 18.0
        for c, along in {c: along for (c, _), (along, _) in self._spots.items() if c != _GAP}.items():
            self._title(f"c{c}", self._columns[c].title, along, edge)

    def _title(self, name: str, words: str, along: float, edge: float) -> None:
        aside = 0.0 if self._down else width(words, self._style.title) / 2
        self._text(name, [words], along, edge - aside, self._style.title)

    def _targets(self) -> None:
        """The desired outputs beside the outputs, and the cost."""
        targets = (self._sample.targets if self._sample else None) or []
        last = len(self._columns) - 1
        outputs = [(i, *place) for (c, i), place in self._spots.items() if targets and c == last and i != _GAP]
        for i, along, across in outputs:
            name = f"r{subscript(i + 1)}" if len(targets) > 1 else "r"
            self._text(f"r{i + 1}", [f"{name} = {short(targets[i], 3)}"], along + _BESIDE, across, self._style.font)
        if self._sample and self._sample.cost is not None:
            _, along, across = outputs[-1]
            aside = (0.0, 26.0) if self._down else (26.0, 0.0)
            words = [f"C = {short(self._sample.cost)}"]
            self._text("cost", words, along + _BESIDE + aside[0], across + aside[1], self._style.title)

    def _text(self, name: str, lines: list[str], along: float, across: float, size: float) -> None:
        self._text_at(name, lines, *self._point(along, across), size)

    def _text_at(self, name: str, lines: list[str], x: float, y: float, size: float, color: str = "black") -> None:
        """Text without a frame."""
        wide = max(width(line, size) for line in lines) + 8.0
        self._g.node(
            name,
            dot_label(lines),
            pos=f"{x:.1f},{y:.1f}!",
            **{"shape": "box", "style": "filled", "color": "white", "fixedsize": "true", "fontcolor": color},
            **{"width": f"{wide / 72:.3f}", "height": f"{(1.3 * size * len(lines) + 2.0) / 72:.3f}"},
            fontsize=f"{size:g}",
            tooltip=dot_tooltip([lines[-1]]),
        )

    def _edges(self) -> None:
        weights = [w for w in self._weights() if w.tail in self._spots and w.head in self._spots]
        largest = max([abs(w.shown) for w in weights if math.isfinite(w.shown)], default=0.0) or 1.0
        for weight in weights:
            (x0, y0), (x1, y1) = (self._point(*self._spots[spot]) for spot in (weight.tail, weight.head))
            along = [f"{x0 + (x1 - x0) * t:.1f},{y0 + (y1 - y0) * t:.1f}" for t in (0.0, 1 / 3, 2 / 3, 1.0)]
            if self._lone:
                middle = x0 + (x1 - x0) * 0.45, y0 + (y1 - y0) * 0.45
                self._text_at(f"w{weight.tail[1] + 1}", [short(weight.shown)], *middle, self._style.font)
            tooltip = literal(dot_tooltip([weight.words]))
            self._g.edge(
                *(f"c{c}_{i + 1}" for c, i in (weight.tail, weight.head)),
                **_stroke(weight.shown, largest),
                pos=" ".join(along),
                tooltip=tooltip,
            )

    def _weights(self) -> Iterator[_Weight]:
        """The weights between drawn neurons of neighbouring columns."""
        gradients = (self._sample.gradients if self._sample else None) or []
        for c in range(1, len(self._columns)):
            for i in _kept(self._columns[c].size):
                weights = _weights(self._columns[c].units[i]) if i != _GAP else []
                for j in _kept(len(weights)):
                    if j == _GAP:
                        continue
                    label, w = weights[j]
                    words, number = f"{shown(label)} = {exact(w)}", w
                    if gradients:
                        gradient = gradients[c - 1][i][j]
                        words += f", ∂C/∂a = {exact(gradient)}"
                        number = gradient if self._by_gradient else w
                    yield _Weight((c - 1, j), (c, i), words, number)


def _columns(net: Net) -> list[_Column]:
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


def _weights(unit: _Unit) -> list[tuple[str, float]]:
    if isinstance(unit, Perceptron):
        return [(f"w{subscript(j)}", w) for j, w in enumerate(unit.weights, 1)]
    return [(w.label, w.data) for w in unit.w]


def _bias(unit: _Unit) -> float:
    return unit.b.data if isinstance(unit, Neuron) else unit.bias


def _stroke(number: float, largest: float) -> dict[str, str]:
    look = {"dir": "none"}
    if not math.isfinite(number) or number == 0.0:
        return look | {"style": "dotted", "color": "#777777", "penwidth": "0.5" if number == 0.0 else "3"}
    sign = {"color": "#2b6cb0"} if number > 0 else {"color": "#c05621", "style": "dashed"}
    return look | sign | {"penwidth": f"{0.5 + 3.0 * abs(number) / largest:.2f}"}
