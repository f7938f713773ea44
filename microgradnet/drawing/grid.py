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
_SPACE, _SPACE_PER_EDGE, _LONE_SPACE = 110.0, 3.0, 170.0  # from column to column
_UNDER = 22.0  # for what stands under a circle

Unit: TypeAlias = Neuron | Perceptron
Spot: TypeAlias = tuple[int, int]  # column and neuron
Place: TypeAlias = tuple[float, float]
GAP = -1  # instead of a column or a neuron: what is left out here


class Style(NamedTuple):
    """Sizes of circles and of fonts, and the most space from column to column."""

    diameter: float
    font: float
    title: float
    caption: float
    space: float


_PLAIN, _SLIDE = Style(48.0, 10.0, 11.0, 10.0, 260.0), Style(58.0, 13.0, 13.0, 12.0, 182.0)


@dataclass
class Column:
    """The inputs, which have no units, or a layer."""

    title: str
    size: int
    units: list[Unit]


class Grid:
    """The places of a net's circles.

    columns: all; spots: where the drawn circles and gaps stand; lone: whether it is one neuron, with room for numbers on
    its edges.
    """

    def __init__(self, net: Net, down: bool, sample: Sample | None) -> None:
        self.columns, self.down = _columns(net), down
        self.style = _PLAIN if sample is None else _SLIDE
        self.lone = len(self.columns) == 2 and self.columns[1].size == 1
        self.spots = self._places(_UNDER if sample and sample.deltas else 0.0)

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

    def _places(self, under: float) -> dict[Spot, Place]:
        kept = {c: [0] if c == GAP else _kept(self.columns[c].size) for c in _kept(len(self.columns))}
        edges = max(len(a) * len(b) for a, b in pairwise(kept.values()))
        space = _LONE_SPACE if self.lone else min(_SPACE + _SPACE_PER_EDGE * edges, self.style.space)
        spots: dict[Spot, Place] = {}
        for position, (c, rows) in enumerate(kept.items()):
            pitch = self.style.diameter + 12.0 + (under if c != 0 else 0.0)
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
    columns = [Column(plural(inputs, "input"), inputs, [])]
    for name, units in layers:
        kinds = dict.fromkeys(unit.activation if isinstance(unit, Neuron) else "step" for unit in units)
        columns.append(Column(f"{name}: {len(units):,} {', '.join(kinds)}", len(units), units))
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
