"""A large graph without layers that repeats the same steps, as a simulation does: its first and its last repetition.

What repeats is read off the engine's order: a stretch in which the same operations on the same kinds of operands come
round with a period.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..value import Value
from .boxes import Box, add_box
from .columns import graph_edges
from .drawn_graph import DrawnGraph
from .expression import add_edge, add_node
from .picture import Picture, picture
from .text import plural

_FEWEST = 4  # times


class Repetition(NamedTuple):
    """`order[start : start + times * period]` of a graph is the same `period` operations, so many times."""

    start: int
    period: int
    times: int

    def between(self, graph: DrawnGraph) -> list[Value]:
        """All nodes that only the times between the first and the last need."""
        first, last = self.start + self.period, self.start + (self.times - 1) * self.period
        hidden = dict.fromkeys(graph.order[first:last])
        seen = [*graph.order[:first], *graph.order[last:]]
        needed = {leaf for node in seen for leaf in node.parents if not leaf.parents}.union(graph.roots)
        return [node for node in graph.nodes if node in hidden or (not node.parents and node not in needed)]


def find_repetition(graph: DrawnGraph, limit: int) -> Repetition | None:
    """The longest one, if without what lies between at most `limit` nodes are left, else None."""
    codes: dict[tuple[str, ...], int] = {}
    signs = np.array([codes.setdefault((n.op, *[p.op for p in n.parents]), len(codes)) for n in graph.order])
    best, covered = None, 0
    for period in range(1, min(limit, len(signs) // _FEWEST) + 1):
        low, high = _longest_run(signs[period:] == signs[:-period])
        length = high - low + period
        if length >= _FEWEST * period and length > covered:  # a multiple of a period covers no more than it
            times = length // period
            best, covered = Repetition(high + period - times * period, period, times), length
    if best is None or len(graph.nodes) - len(best.between(graph)) > limit:
        return None
    start, period, times = best
    ops = [node.op for node in graph.order]
    while start >= period and ops[start - period : start] == ops[start : start + period]:  # the first time, from leaves
        start, times = start - period, times + 1
    return Repetition(start, period, times)


def _longest_run(true: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[int, int]:
    """Where the longest stretch of True begins and ends."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]])))
    starts, ends = steps[::2], steps[1::2]
    if len(starts) == 0:
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def draw_repetition(graph: DrawnGraph, repetition: Repetition, direction: str, size: str, more: list[str]) -> Picture:
    """The picture: the first and the last time in full, a box for those between. size, more: for the caption."""
    start, period, times = repetition
    after = len(graph.order) - start - times * period
    others = "".join([f"; {plural(n, 'operation')} {where}" for n, where in ((start, "before"), (after, "after")) if n])
    caption = [
        f"{size}: the same {plural(period, 'operation')}, {times:,} times{others}.",
        f"The first and the last of the {times:,} are drawn, those between are one box.",
    ]
    g = picture(direction, [*caption, *more], nodesep="0.15", ranksep="0.3")
    hidden = set(between := repetition.between(graph))
    for node in graph.nodes:
        if node not in hidden:
            add_node(g, graph, node)
    add_box(g, "between", graph, Box(between), f"{times - 2:,} times {plural(period, 'operation')}")
    pad = "  " if direction == "TB" else ""  # beside an upright line
    into: dict[Value, int] = {}
    for edge in graph_edges(graph):
        if edge.head in hidden:
            if edge.tail not in hidden:
                into[edge.tail] = into.get(edge.tail, 0) + 1
        elif edge.tail in hidden:
            add_edge(g, graph, edge, pad, tail="between")
        else:
            add_edge(g, graph, edge, pad)
    for tail, uses in into.items():
        g.edge(graph.names[tail], "between", tooltip=f"used {plural(uses, 'time')}")
    return g.drawn()
