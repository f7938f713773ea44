"""The page that plays the passes: one node a step, forward in the engine's order and then backward against it.

The page only shows what `passes` computed; the layout is the picture's. What the page is told is JSON in which nothing
can end the script element, and its code makes text of it, never markup; a policy in the page forbids any other script
and any connection.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ..value import Value
from .columns import Edge, graph_edges
from .drawn_graph import DrawnGraph
from .expression import draw_graph
from .passes import Steps, backward_flows
from .text import exact, short, shown

_TEMPLATE = Path(__file__).with_name("stepping.html")


def page(root: Value, direction: str) -> str:
    """The page for the graph under a root, as HTML."""
    flows, gradients = backward_flows(root)
    graph = DrawnGraph([root], gradients)
    data = _scene(graph, direction) | {
        "title": shown(root.label) or "A computation",
        "steps": Steps(graph, flows).all(),
    }
    template = _TEMPLATE.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", template, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return template.replace("{{script}}", f"sha256-{digest}").replace("{{data}}", _json(data))


def _json(data: Any) -> str:
    """JSON that is ASCII and has no `<`, so that no text in it can end its element."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")


def _scene(graph: DrawnGraph, direction: str) -> dict[str, Any]:
    """What the page draws: the layout, from Graphviz, and the words."""
    picture = draw_graph(graph, direction, roomy=True)
    del picture.graph_attr["label"]  # the legend
    layout = json.loads(picture.pipe(format="json0", encoding="utf-8"))
    _, _, right, top = map(float, layout["bb"].split(","))
    objects = {thing["name"]: thing for thing in layout["objects"]}
    lines = {thing["id"]: thing for thing in layout.get("edges", [])}
    frames = []
    for thing in layout["objects"]:
        if "bb" in thing:
            left, low, far, high = map(float, thing["bb"].split(","))
            frames.append({"box": [left, top - high, far - left, high - low], "text": thing["label"]})
    return {
        "size": [right, top],
        "across": direction == "LR",
        "nodes": [_node(graph, node, objects[name], top) for node, name in graph.names.items()],
        "edges": [_edge(graph, edge, lines[f"edge{i}"], top) for i, edge in enumerate(graph_edges(graph))],
        "frames": frames,
    }


def _node(graph: DrawnGraph, node: Value, thing: dict[str, str], top: float) -> dict[str, Any]:
    return {
        "at": _point(thing["pos"].rstrip("!"), top),
        "size": [round(72 * float(thing["width"]), 1), round(72 * float(thing["height"]), 1)],
        "kind": graph.kind(node),
        "result": graph.is_result(node),
        "op": str(node.op) if node.parents else "",
        "name": graph.name(node),
        "label": shown(node.label),
        "data": [graph.number(node), exact(node.data)],
        "grad": graph.gradient_name(node) if node in graph.gradients else "",
    }


def _edge(graph: DrawnGraph, edge: Edge, thing: dict[str, str], top: float) -> dict[str, Any]:
    tip, *points = thing["pos"].split()
    return {
        "head": int(graph.names[edge.head][1:]),
        "path": [_point(point, top) for point in points],
        "tip": _point(tip.removeprefix("e,"), top),
        "label": _point(thing["lp"], top),
        "derivative": [short(edge.derivative), exact(edge.derivative)],
    }


def _point(text: str, top: float) -> tuple[float, float]:
    x, y = text.split(",")
    return round(float(x), 1), round(top - float(y), 1)
