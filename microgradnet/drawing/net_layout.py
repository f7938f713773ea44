"""The layout of a net's graph as DOT attributes: the nodes where `columns` puts them, edges as splines, frames.

An edge into a z runs along its row and bends in at the end; any other edge is one bend, or two with a lane between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

from ..value import Value
from .columns import BEND, GAP, TITLE, Block, Columns, Edge, Size
from .drawn_graph import DrawnGraph
from .text import short, width

Place: TypeAlias = tuple[float, float]

_LABEL = 46.0  # along an edge, for its label
_TIGHT = 26.0  # for one of four digits at most
_TIGHT_BEND = 18.0
_ARROW = 6.0


@dataclass(frozen=True)
class Frame:
    """A cluster around one call of a layer."""

    nodes: list[Value]
    attributes: dict[str, str]


class NetLayout:
    """Places of nodes, edges and frames, as attributes of the DOT source.

    sizes: width and height of each node; direction: "LR" or "TB"; tight: with room for the shortest labels alone, and none on edges into a z, as on the live page.
    """

    def __init__(
        self, graph: DrawnGraph, sizes: dict[Value, Size], edges: list[Edge], direction: str, tight: bool
    ) -> None:
        self.attributes = {"layout": "nop2"}
        self._down = direction == "LR"
        self._tight = tight
        self._label = _TIGHT if tight else _LABEL if self._down else 20.0
        self._bend = _TIGHT_BEND if tight else BEND
        turned = {node: size if self._down else size[::-1] for node, size in sizes.items()}
        self._columns = Columns(graph, turned, edges, self._down, self._label, self._bend)
        self._twins: set[tuple[Value, Value]] = set()  # a head and a tail with two edges between them
        self._ports = self._arrivals(edges)
        low, high = self._columns.extent()
        self._origin, self._far = low, (high[0] - low[0], high[1] - low[1])
        self.frames = [self._frame(block) for block in self._columns.blocks]

    def node(self, node: Value) -> dict[str, str]:
        """The node's place."""
        columns = self._columns
        return {"pos": self._xy((columns.centre[columns.column[node]], columns.across[node])) + "!"}

    def edge(self, edge: Edge) -> dict[str, str]:
        """The edge's spline, and where its label stands."""
        points, (along, across) = self._route(edge)
        tip = (points[-1][0] + _ARROW, points[-1][1])
        aside = -6.0  # above a level line; beside an upright one, on the left for the first of two operands
        if not self._down:
            aside = width(short(edge.derivative), 10.0) / 2 + 4.0
            aside *= -1.0 if len(edge.head.parents) == 2 and self._ports[edge.head, edge.place] < 0.0 else 1.0
        return {
            "pos": " ".join([f"e,{self._xy(tip)}", *map(self._xy, points)]),
            "lp": self._xy((along, across + aside)),
        }

    def _arrivals(self, edges: list[Edge]) -> dict[tuple[Value, int], float]:
        """How far from the middle of its head each edge ends, in the order in which the edges arrive."""
        columns = self._columns
        arriving: dict[Value, list[tuple[float, int]]] = {}
        for edge in edges:
            _, _, across = columns.lanes.get(edge, (0, 0, columns.across[edge.tail]))
            across = columns.rows.get((edge.head, edge.place), across)
            arriving.setdefault(edge.head, []).append((across, edge.place))
        ports: dict[tuple[Value, int], float] = {}
        for head, ends in arriving.items():
            self._twins.update((head, tail) for tail, n in Counter(head.parents).items() if n > 1)
            step = min(14.0, 0.7 * columns.sizes[head][1] / max(len(ends) - 1, 1))
            for i, (_, place) in enumerate(sorted(ends)):
                ports[head, place] = (i - (len(ends) - 1) / 2) * step
        return ports

    def _route(self, edge: Edge) -> tuple[list[Place], Place]:
        """The spline's points, and the middle of the line under the label."""
        columns, tail, head = self._columns, edge.tail, edge.head
        c = columns.column[head]
        twin = (head, tail) in self._twins
        port = self._ports[head, edge.place]
        start = (
            columns.centre[columns.column[tail]] + columns.sizes[tail][0] / 2 - 2.0,
            columns.across[tail] + (port if twin else 0.0),
        )
        end = (columns.centre[c] - columns.sizes[head][0] / 2 - _ARROW, columns.across[head] + port)
        row = columns.rows.get((head, edge.place))
        if row is None or columns.column[tail] >= c:
            arrive = (columns.centre[c] - columns.half[c] - _ARROW, end[1])
            points = [*self._through_lane(edge, start, arrive), *_line(arrive, end)[1:]]
            return points, self._beside(edge, start, arrive, twin)
        enter = (columns.centre[c - 1] - columns.half[c - 1] - 4.0, row)
        bend = (columns.centre[c] - columns.half[c] - self._bend, row)
        if start[0] > enter[0]:  # a parameter: beside its row, or above it if this is a later call
            enter = start if abs(start[1] - row) < 1.0 else (bend[0] - self._label, row)
        points = [*self._through_lane(edge, start, enter), *_line(enter, bend)[1:], *_bend(bend, end)[1:]]
        return points, (bend[0] - self._label / 2, row)

    def _through_lane(self, edge: Edge, start: Place, end: Place) -> list[Place]:
        """Out of the column of the tail, and through the edge's lane if it has one; bends lie between columns."""
        columns, c = self._columns, self._columns.column[edge.tail]
        leave = (min(max(start[0], columns.centre[c] + columns.half[c]), max(start[0], end[0])), start[1])
        points = _line(start, leave)
        if edge in columns.lanes:
            first, last, across = columns.lanes[edge]
            into = (columns.centre[first] - columns.half[first] - 4.0, across)
            leave = (columns.centre[last] + columns.half[last] + 4.0, across)
            points += [*_bend(points[-1], into)[1:], *_line(into, leave)[1:]]
        return [*points, *_bend(leave, end)[1:]]

    def _beside(self, edge: Edge, start: Place, end: Place, twin: bool) -> Place:
        """Where the label of an edge stands that follows no row: near its head if there is room between the edges."""
        parents, size = len(edge.head.parents), self._columns.sizes[edge.head][1]
        if self._tight and self._down:
            return (start[0] + end[0] + _ARROW) / 2, (start[1] + end[1]) / 2
        if parents <= 2 and not self._down:
            return end[0] - (3.0 if parents == 2 else 10.0), end[1]
        if parents <= 2 and size > 16.0:
            return end[0] - width(short(edge.derivative), 10.0) / 2, end[1]
        return start[0] + (0.9 if twin and edge.place else 0.4) * self._label, start[1]

    def _frame(self, block: Block) -> Frame:
        columns, call = self._columns, block.call
        where = [columns.column[node] for node in block.nodes]
        near = columns.centre[min(where)] - columns.half[min(where)] - (GAP if self._down else TITLE)
        far = columns.centre[max(where)] + columns.half[max(where)] + GAP
        a, b = self._point((near, block.low)), self._point((far, block.high))
        (left, right), (bottom, top) = sorted([a[0], b[0]]), sorted([a[1], b[1]])
        label = f"{call.layer}, k = {call.number}" if len(call.layer.calls) > 1 else str(call.layer)
        return Frame(
            block.nodes,
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

    def _point(self, place: Place) -> Place:
        along, across = place[0] - self._origin[0], place[1] - self._origin[1]
        return (along, self._far[1] - across) if self._down else (across, self._far[0] - along)

    def _xy(self, place: Place) -> str:
        x, y = self._point(place)
        return f"{x:.1f},{y:.1f}"


def _bend(start: Place, end: Place) -> list[Place]:
    half = (end[0] - start[0]) / 2
    return [start, (start[0] + half, start[1]), (end[0] - half, end[1]), end]


def _line(start: Place, end: Place) -> list[Place]:
    third = ((end[0] - start[0]) / 3, (end[1] - start[1]) / 3)
    return [start, (start[0] + third[0], start[1] + third[1]), (end[0] - third[0], end[1] - third[1]), end]
