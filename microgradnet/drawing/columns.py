"""Where everything goes in the graph of a net: time in columns, neurons in order, a frame around each layer.

A neuron is a strip: its parameters in a column, one row each, then z in the middle of the strip, then y. The edge of
an input runs between the rows, to where its product with the weight above it is summed. What belongs to no layer
finds its place beside its operands. (Graphviz's own layout orders the nodes of a cluster as it likes, even against
invisible edges, and stacks the layers like stairs.)

Lengths are in points. A place is (along, across): along is the direction of time, across the order in a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ..value import Value
from .reading import Call, Recording
from .text import short, width

Size: TypeAlias = tuple[float, float]  # width and height
Place: TypeAlias = tuple[float, float]

_GAP = 10.0  # between nodes of a column
_TITLE = 24.0  # of a frame
_LABEL = 46.0  # along an edge, for its label
_BEND = 56.0  # along an edge, to fan in


@dataclass(frozen=True)
class Edge:
    """From an operand to what was computed of it. place: which operand; derivative: None where there is none."""

    tail: Value
    head: Value
    place: int
    derivative: float | None


@dataclass(frozen=True)
class Frame:
    """A cluster around one call of a layer."""

    nodes: list[Value]
    attributes: dict[str, str]


class Columns:
    """Places of nodes, edges and frames, as attributes of the DOT source.

    sizes: of each node; direction: "LR" or "TB"; roomy: with edges for longer labels.
    """

    def __init__(
        self, recording: Recording, sizes: dict[Value, Size], edges: list[Edge], direction: str, roomy: bool
    ) -> None:
        self.across_is_down = direction == "LR"
        self.recording, self.edges = recording, edges
        self.sizes = {node: size if self.across_is_down else size[::-1] for node, size in sizes.items()}
        self.calls = [call for layer in recording.layers if layer.number for call in layer.calls]
        self.homes = {z: call for call in self.calls for z in call.z}
        self.column: dict[Value, int] = {}
        self.across: dict[Value, float] = {}
        self.rows: dict[tuple[Value, int], float] = {}  # of z and the place of its operand
        self.taken: dict[int, list[tuple[float, float]]] = {}
        self.blocks: list[tuple[Call, list[Value], float, float]] = []
        self.label = (_LABEL + 44.0 * roomy) if self.across_is_down else 20.0
        self.wires = 20.0 if any(call.number > 1 for call in self.calls) else 0.0  # where parameters go to later calls
        for _ in range(2):  # where leaves stand depends on who uses them, and the other way round
            self._columns()
        for call in self.calls:
            self._place_call(call)
        self._place_rest()
        self._along()
        self.twins: set[tuple[Value, Value]] = set()  # a head and a tail with two edges between them
        self.ports = self._ports()
        low, high = self._extent()
        self.origin, self.far = low, (high[0] - low[0], high[1] - low[1])
        self.graph = {"layout": "nop2"}
        self.frames = [self._frame(*block) for block in self.blocks]

    # Which column: z two after its inputs, its parameters between them; the rest one after its operands.

    def _columns(self) -> None:
        column = self.column
        for node in self.recording.order:
            call = self.homes.get(node)
            column[node] = 1 + max(
                [column.get(p, 0) for p in node.parents if call is None or p.first is not None] or [0]
            )
            if call is not None:
                column[node] = max(column[node], 2 + max(column[x] if x.first is not None else 0 for x in call.inputs))
        wanted: dict[Value, int] = {}
        for edge in self.edges:
            if edge.tail.first is None:
                is_input = edge.head in self.homes and edge.place >= len(edge.head.first)
                place = column[edge.head] - (2 if is_input else 1)
                wanted[edge.tail] = min(place, wanted.get(edge.tail, place))
        column.update(wanted)
        for call in self.calls:
            for z in call.z if call.number == 1 else []:
                column.update({p: column[z] - 1 for p in z.first if p in call.layer.parameters})

    # Where in the column.

    def _place_call(self, call: Call) -> None:
        lone_row = 30.0 if self.across_is_down else 40.0
        offsets: dict[Value, float] = {}
        top = 0.0
        for z in call.z:
            own = [p for p in z.first if call.number == 1 and p in call.layer.parameters]
            row = max([self.sizes[p][1] + 6.0 for p in own] or [lone_row])
            parts = [z, call.y[z]] if z in call.y else [z]
            strip = max(row * len(z.first), *[self.sizes[part][1] + _GAP for part in parts])
            first = top + (strip - row * len(z.first)) / 2
            for place, parameter in enumerate(z.first):
                self.rows[z, place] = first + (place + 0.5) * row
                self.rows[z, place + len(z.first)] = first + (place + 1.0) * row
                if call.number == 1 and parameter in call.layer.parameters:
                    offsets.setdefault(parameter, self.rows[z, place])
            offsets.update(dict.fromkeys(parts, top + strip / 2))
            top += strip + _GAP
        title, columns = _TITLE if self.across_is_down else 0.0, {self.column[node] for node in offsets}
        height = top - _GAP + title + 2 * _GAP
        start = self._free(columns, 0.0, height) - height / 2
        for node, offset in offsets.items():
            self.across[node] = start + title + _GAP + offset
        for z in call.z:
            for place in range(2 * len(z.first) - 1):
                self.rows[z, place] += start + title + _GAP
        self.blocks.append((call, list(offsets), start, start + height))
        inputs = [x for x in call.inputs if x.first is None and x not in self.across]
        pitch = max([self.sizes[x][1] + _GAP for x in inputs] + [min(64.0, height / len(call.inputs))])
        for j, x in enumerate(inputs):
            self._put(x, start + height / 2 + (j - (len(inputs) - 1) / 2) * pitch)

    def _place_rest(self) -> None:
        uses: dict[Value, list[Value]] = {}
        for edge in self.edges:
            uses.setdefault(edge.tail, []).append(edge.head)
        waiting = [node for node in self.recording.nodes if node not in self.across]
        waiting.sort(key=lambda node: (self.column.setdefault(node, 0), node.first is None))  # leaves after the others
        for node in waiting:
            beside = node.parents or [p for use in uses.get(node, []) for p in use.parents]
            near = [self.across[p] for p in beside if p in self.across]
            self._put(node, sum(near) / len(near) + (1.0 if node.first is None else 0.0) if near else 0.0)

    def _put(self, node: Value, wanted: float) -> None:
        self.across[node] = self._free({self.column[node]}, wanted, self.sizes[node][1] + _GAP)

    def _free(self, columns: Iterable[int], centre: float, size: float) -> float:
        """The first place at or after the wanted one that is free in all these columns; it is taken now."""
        intervals = sorted(interval for c in columns for interval in self.taken.get(c, []))
        for low, high in intervals:
            if low < centre + size / 2 and centre - size / 2 < high:
                centre = high + size / 2
        for c in columns:
            self.taken.setdefault(c, []).append((centre - size / 2, centre + size / 2))
        return centre

    def _along(self) -> None:
        z_columns = {self.column[z] for z in self.homes}
        self.centre: dict[int, float] = {}
        self.half: dict[int, float] = {}
        edge = 0.0
        for c in range(max(self.column.values()) + 1):
            nodes = [node for node, place in self.column.items() if place == c]
            self.half[c] = max([self.sizes[node][0] for node in nodes] or [0.0]) / 2
            if c in z_columns:
                gap = self.label + self.wires + _BEND
            else:
                gap = 1.5 * _BEND if c + 1 in z_columns else self.label + 20.0
            self.centre[c] = edge + (gap if c else 0.0) + self.half[c]
            edge = self.centre[c] + self.half[c]

    # Edges: along a row into z, in one bend elsewhere.

    def _ports(self) -> dict[tuple[Value, int], float]:
        """How far from the middle of its head each edge ends, in the order in which the edges arrive."""
        ports: dict[tuple[Value, int], float] = {}
        for head in self.recording.order:
            parents = head.parents
            across = [self.rows.get((head, k), self.across[parent]) for k, parent in enumerate(parents)]
            arriving = sorted(range(len(parents)), key=lambda k: (across[k], k))
            self.twins.update((head, tail) for tail, n in Counter(parents).items() if n > 1)
            step = min(14.0, 0.7 * self.sizes[head][1] / max(len(arriving) - 1, 1))
            for i, place in enumerate(arriving):
                ports[head, place] = (i - (len(arriving) - 1) / 2) * step
        return ports

    def _route(self, edge: Edge) -> tuple[list[Place], Place]:
        """The spline's points, and the middle of the line under the label."""
        tail, head = edge.tail, edge.head
        c, arrow = self.column[head], 6.0
        twin = (head, tail) in self.twins
        port = self.ports[head, edge.place]
        start = (
            self.centre[self.column[tail]] + self.sizes[tail][0] / 2 - 2.0,
            self.across[tail] + (port if twin else 0),
        )
        end = (self.centre[c] - self.sizes[head][0] / 2 - arrow, self.across[head] + port)
        row = self.rows.get((head, edge.place))
        if row is None or self.column[tail] >= c:
            between = 0.7 * self.sizes[head][1] / max(len(head.parents) - 1, 1) if self.across_is_down else 0.0
            if between > 11.0 or len(head.parents) == 1:
                return _bend(start, end), (end[0] - 0.5 * self.label, end[1])
            return _bend(start, end), (start[0] + (0.9 if twin and edge.place else 0.4) * self.label, start[1])
        enter = (self.centre[c - 1] - self.half[c - 1] - 4.0, row)
        bend = (self.centre[c] - self.half[c] - _BEND, row)
        if start[0] > enter[0]:  # a parameter: beside its row, or above it if this is a later call
            enter = start if abs(start[1] - row) < 1.0 else (bend[0] - self.label, row)
        points = _bend(start, enter)[:-1] + _straight(enter, bend)[:-1] + _bend(bend, end)
        return points, (bend[0] - self.label / 2, row)

    # As attributes.

    def node(self, node: Value) -> dict[str, str]:
        """The node's place."""
        return {"pos": self._xy((self.centre[self.column[node]], self.across[node])) + "!"}

    def edge(self, edge: Edge) -> dict[str, str]:
        """The edge's spline, and where its label stands."""
        points, (along, across) = self._route(edge)
        tip = (points[-1][0] + 6.0, points[-1][1])
        aside = 6.0 if self.across_is_down else -width(short(edge.derivative), 10.0) / 2 - 3.0
        return {
            "pos": " ".join([f"e,{self._xy(tip)}", *map(self._xy, points)]),
            "lp": self._xy((along, across - aside)),
        }

    def _frame(self, call: Call, members: list[Value], low: float, high: float) -> Frame:
        columns = [self.column[node] for node in members]
        near = self.centre[min(columns)] - self.half[min(columns)] - (_GAP if self.across_is_down else _TITLE)
        far = self.centre[max(columns)] + self.half[max(columns)] + _GAP
        a, b = self._point((near, low)), self._point((far, high))
        (left, right), (bottom, top) = sorted([a[0], b[0]]), sorted([a[1], b[1]])
        label = f"{call.layer}, call {call.number}" if len(call.layer.calls) > 1 else str(call.layer)
        return Frame(
            members,
            {
                "bb": f"{left:.1f},{bottom:.1f},{right:.1f},{top:.1f}",
                "lp": f"{left + 12.0 + width(label, 13.0) / 2:.1f},{top - 12.0:.1f}",
                "label": label,
                "fontsize": "13",
                "style": "filled,rounded",
                "fillcolor": "#f7f7fa",
                "color": "#c9c9d6",
            },
        )

    def _extent(self) -> tuple[Place, Place]:
        spans = [span for spans in self.taken.values() for span in spans]
        last = max(self.centre)
        return (0.0, min(low for low, _ in spans)), (
            self.centre[last] + self.half[last],
            max(high for _, high in spans),
        )

    def _point(self, place: Place) -> Place:
        along, across = place[0] - self.origin[0], place[1] - self.origin[1]
        return (along, self.far[1] - across) if self.across_is_down else (across, self.far[0] - along)

    def _xy(self, place: Place) -> str:
        x, y = self._point(place)
        return f"{x:.1f},{y:.1f}"


def _bend(start: Place, end: Place) -> list[Place]:
    half = (end[0] - start[0]) / 2
    return [start, (start[0] + half, start[1]), (end[0] - half, end[1]), end]


def _straight(start: Place, end: Place) -> list[Place]:
    third = ((end[0] - start[0]) / 3, (end[1] - start[1]) / 3)
    return [start, (start[0] + third[0], start[1] + third[1]), (end[0] - third[0], end[1] - third[1]), end]
