"""Where the nodes of a net's graph stand: time in columns, neurons in order.

A neuron is a strip: its parameters in a column, one row each, then z in the middle of the strip, then y. The edge of
an input runs between the rows, to where its product with the weight above it is summed. What belongs to no layer
finds its place beside its operands, and a long edge gets a lane of its own, so that it crosses no node. (Graphviz's
own layout orders the nodes of a cluster as it likes, even against invisible edges, and stacks the layers like stairs.)

Lengths are in points. A place is (along, across): along is the direction of time, across the order in a column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ..value import Value
from .drawn_graph import DrawnGraph, local_derivatives
from .layers import LayerCall

Size: TypeAlias = tuple[float, float]  # along and across

GAP = 10.0  # between nodes of a column
TITLE = 24.0  # of a frame
BEND = 56.0  # along an edge, to fan in
_LANE = 12.0


@dataclass(frozen=True)
class Edge:
    """From an operand to what was computed of it. place: which operand; derivative: None where there is none."""

    tail: Value
    head: Value
    place: int
    derivative: float | None


def graph_edges(graph: DrawnGraph) -> list[Edge]:
    """All edges, in the engine's order, each node's operands in theirs: x*x has two."""
    return [
        Edge(parent, node, place, derivative)
        for node in graph.order
        for place, (parent, derivative) in enumerate(zip(node.parents, local_derivatives(node), strict=True))
    ]


class Block(NamedTuple):
    """The nodes of one call of a layer, and the stretch across that they take."""

    call: LayerCall
    nodes: list[Value]
    low: float
    high: float


class _Space:
    """What is still free in each column, across."""

    def __init__(self) -> None:
        self._taken: dict[int, list[tuple[float, float]]] = {}

    def take(self, columns: Iterable[int], wanted: float, size: float) -> float:
        """The middle of the first stretch at or after the wanted one that is free in all these columns."""
        columns = list(columns)
        place = wanted
        for low, high in sorted(self._intervals(columns)):
            if low < place + size / 2 and place - size / 2 < high:
                place = high + size / 2
        return self._taking(columns, place, size)

    def take_nearest(self, columns: Iterable[int], wanted: float, size: float) -> float:
        """The same for the free stretch that is nearest, before or after the wanted one."""
        columns = list(columns)
        intervals = self._intervals(columns)
        reach = size / 2 + 1e-6  # rounding must not make neighbours overlap
        ends = [wanted, *(low - reach for low, _ in intervals), *(high + reach for _, high in intervals)]
        free = [x for x in ends if all(x + size / 2 <= low or high <= x - size / 2 for low, high in intervals)]
        return self._taking(columns, min(free, key=lambda x: abs(x - wanted)), size)

    def extent(self) -> tuple[float, float]:
        """The lowest and the highest place taken."""
        intervals = self._intervals(self._taken)
        return min(low for low, _ in intervals), max(high for _, high in intervals)

    def _intervals(self, columns: Iterable[int]) -> list[tuple[float, float]]:
        return [interval for c in columns for interval in self._taken.get(c, [])]

    def _taking(self, columns: list[int], place: float, size: float) -> float:
        for c in columns:
            self._taken.setdefault(c, []).append((place - size / 2, place + size / 2))
        return place


class Columns:
    """The places of nodes, of the rows into each z, and of the lanes of long edges.

    sizes: of each node; down: whether columns run down the page, as time runs from left to right; label: the length
    along an edge that its label takes; bend: that it takes to fan in.
    """

    def __init__(
        self,
        graph: DrawnGraph,
        sizes: dict[Value, Size],
        edges: list[Edge],
        down: bool,
        label: float,
        bend: float = BEND,
    ) -> None:
        self.graph, self.sizes, self.edges, self.down, self.label = graph, sizes, edges, down, label
        self._bend = bend
        self.calls = [call for layer in graph.layers for call in layer.calls]
        self.homes = {z: call for call in self.calls for z in call.z}
        self.inputs_from = {z: len(z.parents) - len(call.inputs) for z, call in self.homes.items()}
        self.column, self._beside = self._columns()
        self.across: dict[Value, float] = {}
        self.rows: dict[tuple[Value, int], float] = {}  # of z and the place of its operand
        self.lanes: dict[Edge, tuple[int, int, float]] = {}  # first column, last column, across
        self._space = _Space()
        self.blocks = [self._place_call(call) for call in self.calls]
        self._place_rest()
        self._place_lanes()
        self.centre, self.half = self._along()

    # Which column: z two after its inputs, its parameters between them; the rest one after its operands.

    def _columns(self) -> tuple[dict[Value, int], dict[Value, Value]]:
        """The column of each node, and the z beside which each parameter stands."""
        column: dict[Value, int] = {}
        for _ in range(2):  # where leaves stand depends on who uses them, and the other way round
            self._place_operations(column)
            column |= self._before_first_use(column, {edge.tail for edge in self.edges})
            beside: dict[Value, Value] = {}
            for z in sorted(self.homes, key=column.__getitem__):
                for parameter in z.parents[: self.inputs_from[z]]:
                    beside.setdefault(parameter, z)
            column.update((parameter, column[z] - 1) for parameter, z in beside.items())
        early = {edge.tail for edge in self.edges if edge.tail in beside and column[edge.head] <= column[edge.tail]}
        column |= self._before_first_use(column, early)
        return column, {parameter: z for parameter, z in beside.items() if parameter not in early}

    def _place_operations(self, column: dict[Value, int]) -> None:
        for node in self.graph.order:
            call = self.homes.get(node)
            before = [column.get(p, 0) for p in node.parents if call is None or p.parents]
            column[node] = 1 + max(before, default=0)
            if call is not None:
                column[node] = max(column[node], 2 + max(column[x] if x.parents else 0 for x in call.inputs))

    def _before_first_use(self, column: dict[Value, int], leaves: set[Value]) -> dict[Value, int]:
        wanted: dict[Value, int] = {}
        for edge in self.edges:
            if edge.tail in leaves and not edge.tail.parents:
                is_input = edge.head in self.homes and edge.place >= self.inputs_from[edge.head]
                place = column[edge.head] - (2 if is_input else 1)
                wanted[edge.tail] = min(place, wanted.get(edge.tail, place))
        return wanted

    # Where in the column.

    def _place_call(self, call: LayerCall) -> Block:
        lone_row = 30.0 if self.down else 40.0
        offsets: dict[Value, float] = {}
        rows: dict[tuple[Value, int], float] = {}
        top = 0.0
        for z in call.z:
            count = self.inputs_from[z]
            own = [p for p in z.parents[:count] if self._beside.get(p) is z]
            row = max([self.sizes[p][1] + 6.0 for p in own], default=lone_row)
            parts = [z, call.y[z]] if z in call.y else [z]
            strip = max(row * count, *[self.sizes[part][1] + GAP for part in parts])
            first = top + (strip - row * count) / 2
            for place, parameter in enumerate(z.parents[:count]):
                rows[z, place] = first + (place + 0.5) * row
                rows[z, place + count] = first + (place + 1.0) * row
                if parameter in own:
                    offsets.setdefault(parameter, rows[z, place])
            offsets.update(dict.fromkeys(parts, top + strip / 2))
            top += strip + GAP
        title = TITLE if self.down else 0.0
        height = top - GAP + title + 2 * GAP
        columns = {self.column[node] for node in offsets} | {self.column[z] - 1 for z in call.z}  # where rows run
        start = self._space.take(columns, 0.0, height) - height / 2
        self.across |= {node: start + title + GAP + offset for node, offset in offsets.items()}
        self.rows |= {key: start + title + GAP + offset for key, offset in rows.items()}
        inputs = [x for x in dict.fromkeys(call.inputs) if not x.parents and x not in self.across]
        pitch = max([self.sizes[x][1] + GAP for x in inputs] + [min(64.0, height / len(call.inputs))])
        for j, x in enumerate(inputs):
            self._put(x, start + height / 2 + (j - (len(inputs) - 1) / 2) * pitch)
        return Block(call, list(offsets), start, start + height)

    def _place_rest(self) -> None:
        uses: dict[Value, list[Value]] = {}
        for edge in self.edges:
            uses.setdefault(edge.tail, []).append(edge.head)
        waiting = [node for node in self.graph.nodes if node not in self.across]
        waiting.sort(key=lambda node: (self.column.setdefault(node, 0), not node.parents))  # leaves after the others
        for node in waiting:
            beside = node.parents or [p for use in uses.get(node, []) for p in use.parents]
            near = [self.across[p] for p in beside if p in self.across]
            self._put(node, sum(near) / len(near) + (0.0 if node.parents else 1.0) if near else 0.0)

    def _put(self, node: Value, wanted: float) -> None:
        self.across[node] = self._space.take({self.column[node]}, wanted, self.sizes[node][1] + GAP)

    def _place_lanes(self) -> None:
        """Long edges first: from the same node, a shorter one shares the lane of a longer one."""
        crossed: dict[Edge, range] = {}
        for edge in self.edges:
            last = self.column[edge.head] - (2 if (edge.head, edge.place) in self.rows else 1)
            crossed[edge] = range(self.column[edge.tail] + 1, last + 1)
        of_tail: dict[Value, float] = {}
        for edge in sorted(self.edges, key=lambda edge: -len(crossed[edge])):
            if columns := crossed[edge]:
                if edge.tail not in of_tail:
                    ends = self.across[edge.tail], self.rows.get((edge.head, edge.place), self.across[edge.head])
                    of_tail[edge.tail] = self._space.take_nearest(columns, sum(ends) / 2, _LANE)
                self.lanes[edge] = columns[0], columns[-1], of_tail[edge.tail]

    def _along(self) -> tuple[dict[int, float], dict[int, float]]:
        """The middle of each column, and half its width."""
        z_columns = {self.column[z] for z in self.homes}
        wires = 20.0 if any(call.number > 1 for call in self.calls) else 0.0  # where parameters go to later calls
        centre: dict[int, float] = {}
        half: dict[int, float] = {}
        edge = 0.0
        for c in range(max(self.column.values()) + 1):
            half[c] = max([self.sizes[node][0] for node, place in self.column.items() if place == c], default=0.0) / 2
            if c in z_columns:
                gap = self.label + wires + self._bend
            else:
                gap = 1.5 * self._bend if c + 1 in z_columns else self.label + 20.0
            centre[c] = edge + (gap if c else 0.0) + half[c]
            edge = centre[c] + half[c]
        return centre, half

    def extent(self) -> tuple[Size, Size]:
        """The lowest and the highest place."""
        last = max(self.centre)
        low, high = self._space.extent()
        return (0.0, low), (self.centre[last] + self.half[last], high)
