"""The page that plays the passes: one node a step, forward in the engine's order and then backward against it.

All numbers are computed here, by the engine's own sums in the engine's own order; the page only shows them. The
layout is the picture's. What the page is told is JSON in which nothing can end the script element, and its code
makes text of it, never markup; a policy in the page forbids any other script and any connection.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ..value import Undefined, Value
from .expression import draw_graph, graph_edges
from .reading import Recording
from .text import exact, short, shown

_TEMPLATE = Path(__file__).with_name("stepping.html")
_MOST_OPERANDS = 5  # named in the sentence about a step; the picture shows all


def page(root: Value, direction: str) -> str:
    """The page for the graph under a root, as HTML."""
    flows, gradients = _backward(root)
    recording = Recording([root], gradients)
    data = _scene(recording, direction) | {
        "title": shown(root.label) or "A computation",
        "steps": _steps(recording, root, flows),
    }
    template = _TEMPLATE.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", template, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return template.replace("{{script}}", f"sha256-{digest}").replace("{{data}}", _json(data))


def _json(data: Any) -> str:
    """JSON that is ASCII and has no `<`, so that no text in it can end its element."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")


# The passes.

_Flow = tuple[int, Value, float, float, float, float]  # place, parent, local derivative, contribution, before, after


def _backward(root: Value) -> tuple[list[tuple[Value, list[_Flow]]], dict[Value, float]]:
    """What flows along each edge, node by node, and the gradients: those of `backward` on gradients of 0."""
    recording = Recording([root], {})
    if any(type(node.d_first) is Undefined for node in recording.order):
        return [], {}
    gradients = {root: 1.0}
    flows = []
    for node in reversed(recording.order):
        here: list[_Flow] = []
        for place, (parent, partial) in enumerate(zip(node.parents, node.partials, strict=False)):
            term, before = partial * gradients[node], gradients.get(parent, 0.0)
            gradients[parent] = before + term
            here.append((place, parent, partial, term, before, before + term))
        flows.append((node, here))
    return flows, gradients


def _steps(recording: Recording, root: Value, flows: list[tuple[Value, list[_Flow]]]) -> list[dict[str, Any]]:
    number = {node: i for i, node in enumerate(recording.nodes)}
    first_edge: dict[Value, int] = {}
    edges = 0
    for node in recording.order:
        first_edge[node] = edges
        edges += len(node.parents)

    def named(node: Value) -> str:
        name = recording.name(node)
        return f"{name} = {short(node.data)}" if name else short(node.data)

    start = ["The leaves have their numbers. Nothing is computed yet.", *recording.warnings()]
    steps: list[dict[str, Any]] = [{"phase": "start", "text": " ".join(start)}]
    for i, node in enumerate(recording.order, 1):
        operands = [named(parent) for parent in node.parents]
        listed = ", ".join(operands[:_MOST_OPERANDS]) + (", …" if len(operands) > _MOST_OPERANDS else "")
        steps.append(
            {
                "phase": f"forward {i} of {len(recording.order)}",
                "text": f"‘{node.op}’ of {listed} gives {named(node)}.",
                "node": number[node],
                "edges": [first_edge[node] + place for place in range(len(operands))],
            }
        )
    undefined = next((node for node in recording.order if type(node.d_first) is Undefined), None)
    if undefined is not None:
        text = f"There is no backward pass: {undefined.d_first.error()}."
        return [*steps, {"phase": "backward", "text": shown(text), "node": number[undefined]}]
    seed = {"phase": "backward, start", "node": number[root], "grads": [_gradient(number[root], 1.0)]}
    steps.append(seed | {"text": f"The gradient of the result with respect to itself is 1: {named(root)}, grad = 1."})
    for i, (node, here) in enumerate(flows, 1):
        grad = recording.gradients[node]
        steps.append(
            {
                "phase": f"backward {i} of {len(flows)}",
                "text": f"{named(node)} hands its {recording.gradient_name(node)} = {short(grad)} to its operands, "
                "times the local derivative:",
                "node": number[node],
                "back": True,
                "edges": [first_edge[node] + place for place, *_ in here],
                "terms": [short(term) for *_, term, _, _ in here],
                "lines": [
                    f"to {named(parent)}: {short(partial)} × {short(grad)} = {short(term)}, so its "
                    f"{recording.gradient_name(parent)} becomes {short(before)} + {short(term)} = {short(after)}"
                    for _, parent, partial, term, before, after in here
                ],
                "grads": [_gradient(number[parent], after) for _, parent, *_, after in here],
            }
        )
    return steps


def _gradient(number: int, gradient: float) -> tuple[int, str, str]:
    return number, short(gradient), exact(gradient)


# The layout, from Graphviz.


def _scene(recording: Recording, direction: str) -> dict[str, Any]:
    picture = draw_graph(recording, direction, roomy=True)
    del picture.graph_attr["label"]  # the legend
    layout = json.loads(picture.pipe(format="json0", encoding="utf-8"))
    _, _, right, top = map(float, layout["bb"].split(","))
    places = {thing["name"]: thing for thing in layout["objects"]}

    def point(text: str) -> tuple[float, float]:
        x, y = text.split(",")
        return round(float(x), 1), round(top - float(y), 1)

    number = {node: i for i, node in enumerate(recording.nodes)}
    nodes = []
    for node, i in number.items():
        thing = places[f"n{i}"]
        nodes.append(
            {
                "at": point(thing["pos"].rstrip("!")),
                "size": [round(72 * float(thing["width"]), 1), round(72 * float(thing["height"]), 1)],
                "kind": recording.kind(node),
                "result": recording.is_result(node),
                "op": node.op if node.first is not None else "",
                "name": recording.name(node),
                "label": shown(node.label),
                "data": [short(node.data), exact(node.data)],
                "grad": recording.gradient_name(node),
            }
        )
    edges = []
    lines = {thing["id"]: thing for thing in layout.get("edges", [])}
    for i, edge in enumerate(graph_edges(recording)):
        thing = lines[f"edge{i}"]
        tip, *points = thing["pos"].split()
        edges.append(
            {
                "head": number[edge.head],
                "path": [point(p) for p in points],
                "tip": point(tip.removeprefix("e,")),
                "label": point(thing["lp"]),
                "derivative": [short(edge.derivative), exact(edge.derivative)],
            }
        )
    frames = []
    for thing in layout["objects"]:
        if "bb" in thing:
            left, low, far, high = map(float, thing["bb"].split(","))
            frames.append({"box": [left, top - high, far - left, high - low], "text": thing["label"]})
    return {"size": [right, top], "across": direction == "LR", "nodes": nodes, "edges": edges, "frames": frames}
