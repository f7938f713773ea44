"""Which neurons of a net are drawn, and where: circles in columns with even gaps, wide and deep nets cut short.

Lengths are in points. A place is (along, across): along is the direction of time, across the order in a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from ..nn import MLP, Layer, Neuron
from ..perceptron import Perceptron
from .sample import Net, Sample
from .text import plural, subscript

_MOST = 10  # circles of a column, columns of a picture: of more, the first and the last are drawn
_SPACE, _SPACE_PER_EDGE, _LONE_SPACE = 110.0, 3.0, 170.0  # from column to column, at the least
NUMBER, _WIDEST = 11.0, 72.0  # the size of such a number, and how wide it is at most

Unit: TypeAlias = Neuron | Perceptron
Spot: TypeAlias = tuple[int, int]  # column and neuron
Place: TypeAlias = tuple[float, float]
GAP = -1  # instead of a column or a neuron: what is left out here


class Style(NamedTuple):
    """Sizes of circles and of fonts, from circle to circle in a column, and the most space from column to column."""

    diameter: float
    pitch: float
    input_diameter: float
    input_pitch: float
    font: float
    title: float
    caption: float
    space: float


_PLAIN = Style(48.0, 60.0, 48.0, 60.0, 10.0, 11.0, 10.0, 260.0)
_SLIDE = Style(78.0, 88.0, 56.0, 66.0, 12.5, 13.0, 12.0, 182.0)
_NUMBERED = [  # on the edges
    _SLIDE._replace(pitch=100.0, input_pitch=100.0, space=240.0),
    _SLIDE._replace(pitch=120.0, input_pitch=120.0, space=310.0),
]


@dataclass
class Column:
    """The inputs, which have no units, or a layer. title: its lines."""

    title: list[str]
    size: int
    units: list[Unit]


class Grid:
    """The places of a net's circles.

    columns: all; spots: where the drawn circles and gaps stand; numbers: how far along the edges into each column their
    numbers stand, from 0 to 1; empty if some would have no room.
    """

    def __init__(self, net: Net, down: bool, sample: Sample | None) -> None:
        self.columns, self.down = _columns(net), down
        self.style = _PLAIN if sample is None else _SLIDE
        self._lone = len(self.columns) == 2 and self.columns[1].size == 1
        self.numbers: dict[int, float] = {1: 0.45} if self._lone else {}
        lines = 2 if sample and sample.deltas else 1
        for style in _NUMBERED if sample and not self._lone else []:
            self.spots = self._places(style)
            found = {c: t for c in range(1, len(self.columns)) if (t := self._numbers(c, lines)) is not None}
            if len(found) == len(self.columns) - 1:
                self.numbers = found
                return
        self.spots = self._places(self.style)

    def point(self, along: float, across: float) -> Place:
        """A place on the page, x and y."""
        return (along, -across) if self.down else (across, -along)

    def left_out(self, c: int) -> str:
        """What a gap stands for."""
        if c == GAP:
            return plural(len(self.columns) - _MOST + 1, "layer")
        return f"{self.columns[c].size - _MOST + 1:,} more"

    def weights(self) -> Iterator[tuple[Spot, Spot, str, float]]:
        """The weights between drawn neurons: from, to, name and number."""
        for c in range(1, len(self.columns)):
            for i in _kept(self.columns[c].size):
                weights = weights_of(self.columns[c].units[i]) if i != GAP else []
                for j in _kept(len(weights)):
                    if j != GAP and (c - 1, j) in self.spots and (c, i) in self.spots:
                        yield ((c - 1, j), (c, i), *weights[j])

    def _numbers(self, c: int, lines: int) -> float | None:
        """Where numbers on the edges into a column have room; None where they have not, or if a part is left out."""
        if len(self.columns) > _MOST or max(self.columns[c - 1].size, self.columns[c].size) > _MOST:
            return None
        ends = [(self.spots[tail][1], self.spots[head][1]) for tail, head, *_ in self.weights() if head[0] == c]
        needed = 1.3 * NUMBER * lines if self.down else _WIDEST
        for t in (0.45, 0.5, 0.4, 0.6, 1 / 3, 2 / 3, 0.25, 0.75):
            places = sorted([(1 - t) * start + t * end for start, end in ends])
            if all(b - a >= needed for a, b in pairwise(places)):
                return t
        return None

    def _places(self, style: Style) -> dict[Spot, Place]:
        kept = {c: [0] if c == GAP else _kept(self.columns[c].size) for c in _kept(len(self.columns))}
        edges = max(len(a) * len(b) for a, b in pairwise(kept.values()))
        space = _LONE_SPACE if self._lone else min(_SPACE + _SPACE_PER_EDGE * edges, style.space)
        if style in _NUMBERED:
            space = style.space
        spots: dict[Spot, Place] = {}
        for position, (c, rows) in enumerate(kept.items()):
            pitch = style.pitch if c else style.input_pitch
            for row, i in enumerate(rows):
                spots[c, i] = position * space, (row - (len(rows) - 1) / 2) * pitch
        return spots


def _columns(net: Net) -> list[Column]:
    if isinstance(net, MLP):
        layers: list[tuple[str, list[Unit]]] = [
            (f"layer {q}", [*layer.neurons]) for q, layer in enumerate(net.layers, 1)
        ]
    elif isinstance(net, Layer):
        layers = [("layer", [*net.neurons])]
    else:
        layers = [("neuron" if isinstance(net, Neuron) else "perceptron", [net])]
    inputs = len(weights_of(layers[0][1][0]))
    columns = [Column([plural(inputs, "input")], inputs, [])]
    for name, units in layers:
        kinds = dict.fromkeys(unit.activation if isinstance(unit, Neuron) else "step" for unit in units)
        columns.append(Column([name, f"{len(units):,} {', '.join(kinds)}"], len(units), units))
    return columns


def _kept(size: int) -> list[int]:
    """Which of so many are drawn."""
    return list(range(size)) if size <= _MOST else [*range(_MOST // 2), GAP, *range(size - _MOST // 2 + 1, size)]


def weights_of(unit: Unit) -> list[tuple[str, float]]:
    """Names and numbers."""
    if isinstance(unit, Perceptron):
        return [(f"w{subscript(j)}", w) for j, w in enumerate(unit.weights, 1)]
    return [(w.label, w.data) for w in unit.w]


def bias_of(unit: Unit) -> float:
    """The number."""
    return unit.b.data if isinstance(unit, Neuron) else unit.bias
