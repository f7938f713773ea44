"""A recorded graph too large to draw node by node: a box per layer, and a box for what lies between the layers.

What belongs to no layer is cut where a layer lies between; a very long run of operations is cut again on its way, and
where there are very many boxes, neighbours share one. So any graph becomes a picture of a readable size. A graph
without layers is first given to `repetition`.
"""

from __future__ import annotations

from ..value import Value
from .boxes import Box, add_box
from .drawn_graph import DrawnGraph
from .picture import Picture, picture
from .repetition import draw_repetition, find_repetition
from .text import plural

_MOST_BOXES = 20
_PIECES = 8  # of a very long run of operations

_Key = tuple[int, int, int]  # where in time, which layer, which piece


def draw_folded(graph: DrawnGraph, direction: str, limit: int) -> Picture:
    """The picture of a graph by layers, by what repeats, or in pieces."""
    size = f"{plural(len(graph.nodes), 'node')} and {plural(graph.edge_count, 'edge')}"
    more = [
        f"draw(..., limit={limit}) folds graphs of more nodes, or of over four times as many edges.",
        *graph.warnings(),
    ]
    repetition = None if graph.layers else find_repetition(graph, limit)
    if repetition is not None:
        return draw_repetition(graph, repetition, direction, size, more)
    boxes = _boxes(graph, limit)
    how = "folded by layer." if graph.layers else f"cut into {len(boxes)} pieces, in the order of computing."
    g = picture(direction, [f"{size}: {how}", *more], ranksep="0.6")
    for number, box in enumerate(boxes):
        add_box(g, f"box{number}", graph, box)
    home = {node: number for number, box in enumerate(boxes) for node in box.nodes}
    crossing: dict[tuple[int, int], set[Value]] = {}
    for node in graph.order:
        for parent in node.parents:
            if home[parent] != home[node]:
                crossing.setdefault((home[parent], home[node]), set()).add(parent)
    for (tail, head), values in sorted(crossing.items()):
        words, pad = plural(len(values), "value"), "  " if direction == "TB" else ""
        g.edge(f"box{tail}", f"box{head}", pad + words, tooltip=words, penwidth="1.5")
    return g.drawn()


def _boxes(graph: DrawnGraph, limit: int) -> list[Box]:
    """The boxes in the order of time."""
    member = {p: i for i, layer in enumerate(graph.layers) for p in layer.parameters}
    for i, layer in enumerate(graph.layers):
        member.update((node, i) for call in layer.calls for node in [*call.z, *call.y.values()])
    keys = _keys(graph, member, limit)
    boxes: dict[_Key, Box] = {}
    for node in graph.nodes:
        boxes.setdefault(keys.get(node, (0, -1, 0)), Box()).nodes.append(node)
    for layer in graph.layers:
        boxes[keys[layer.calls[0].z[0]]].layers.append(layer)
    ordered = [boxes[key] for key in sorted(boxes)]
    share = -(-len(ordered) // _MOST_BOXES)
    return [_merged(ordered[i : i + share]) for i in range(0, len(ordered), share)]


def _merged(boxes: list[Box]) -> Box:
    return Box([node for box in boxes for node in box.nodes], [layer for box in boxes for layer in box.layers])


def _keys(graph: DrawnGraph, member: dict[Value, int], limit: int) -> dict[Value, _Key]:
    """The box of every node. member: the layer of those that belong to one."""
    depth, run = _levels(graph, member)
    longest: dict[int, int] = {}
    count: dict[int, int] = {}
    for node, steps in run.items():
        longest[depth[node]] = max(longest.get(depth[node], 0), steps)
        count[depth[node]] = count.get(depth[node], 0) + 1
    keys: dict[Value, _Key] = {}
    for node in graph.order:
        d = depth[node]
        if node in member:
            keys[node] = 3 * graph.layers[member[node]].number, member[node], 0
        else:
            keys[node] = 3 * d + 1, -1, _PIECES * (run[node] - 1) // longest[d] if count[d] > limit else 0
        for parent in node.parents:
            if parent.parents or parent in keys:
                continue
            if parent in member:
                keys[parent] = 3 * graph.layers[member[parent]].number, member[parent], 0
            elif node in member:  # an input: before the layer
                keys[parent] = keys[node][0] - 1, keys[node][1], 0
            else:  # another leaf: with its first use
                keys[parent] = keys[node]
    return keys


def _levels(graph: DrawnGraph, member: dict[Value, int]) -> tuple[dict[Value, int], dict[Value, int]]:
    """How many layers lie before a node, and how many operations since the last of them."""
    depth: dict[Value, int] = {}
    run: dict[Value, int] = {}
    z = {z for layer in graph.layers for call in layer.calls for z in call.z}
    for node in graph.order:
        before = depth[node] = max([depth.get(parent, 0) for parent in node.parents]) + (node in z)
        if node not in member:
            run[node] = 1 + max([run.get(p, 0) if depth.get(p) == before else 0 for p in node.parents])
    return depth, run
