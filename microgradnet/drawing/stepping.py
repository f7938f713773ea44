"""The live page: the picture of a graph that computes, forward, backward and in forward mode, on numbers to choose.

Here the page's data are written: the layout, which is the picture's; leaves with their numbers; what each operation
computes, printed from the table's rows by `javascript`; and which nodes make one step of a walk layer by layer, from
`layer_steps`. All sums are the business of `sweeps.js`, what is said of them that of `story.js`, and what is drawn and
which key does what that of `stepping.js`; the page has the three as one script. The data are JSON in which nothing can end the script element, the page's code makes
text of it, never markup, and a policy in the page forbids any other script and any connection.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from .. import ops
from ..value import Value
from .columns import Edge, graph_edges
from .drawn_graph import DrawnGraph, local_derivatives, missing_derivative
from .expression import draw_graph
from .javascript import LETTERS, Written, written
from .layer_steps import step_groups
from .text import short, shown

_HERE = Path(__file__).parent
_SCRIPTS = "sweeps.js", "story.js", "stepping.js"
_MOST_NAMED = 6  # leaves
_OTHER_LETTERS = "stpqghmnαβγκλμ①②③"  # for formulas, where a label is one of the usual ones


def page(root: Value, direction: str) -> str:
    """The page for the graph under a root, as HTML."""
    graph = DrawnGraph([root])
    graph.gradients = {node: 0.0 for node in graph.nodes if node.op is not ops.constant}  # each has its line
    operations = Operations(graph)
    data = _scene(graph, direction, operations) | {
        "title": shown(root.label) or "A computation",
        "groups": step_groups(graph),
        "notes": _notes(graph, operations),
    }
    script = "\n".join([(_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS])
    script = script.replace("/*operations*/", operations.code())
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = (_HERE / "stepping.html").read_text(encoding="utf-8").replace("{{policy}}", f"sha256-{digest}")
    before, between, after = template.replace("{{script}}", "{{data}}").split("{{data}}")
    return before + _json(data) + between + script + after


def _json(data: Any) -> str:
    """JSON that is ASCII and has no `<`, so that no text in it can end its element."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")


class Operations:
    """The operations of a graph, each once, as JavaScript and as formulas.

    locked: the nodes that no text computes, because of their own operation; fixed: the leaves under them, which keep their
    numbers, so that what the page shows stays true.
    """

    def __init__(self, graph: DrawnGraph) -> None:
        self._number: dict[tuple[int, int], int] = {}
        self._written: list[tuple[Value, Written]] = []
        self.locked: set[Value] = set()
        letters = _letters(graph)
        for node in graph.order:
            key = id(node.op), len(node.parents)
            if key not in self._number:
                text = written(node, letters)
                self._number[key] = len(self._written) if text else -1
                self._written += [(node, text)] if text else []
            if self._number[key] < 0:
                self.locked.add(node)
        below = set(self.locked)
        for node in reversed(graph.order):
            if node in below:
                below.update(node.parents)
        self.fixed = {node for node in below if not node.parents}

    def of(self, node: Value) -> int:
        """Its number in the code and in `words`; -1 for a leaf and for a locked node."""
        return self._number.get((id(node.op), len(node.parents)), -1)

    def code(self) -> str:
        """JavaScript: an element of an array per operation."""
        return ",\n".join([f"  {{value: {text.value}, partials: {text.partials}}}" for _, text in self._written])

    def words(self) -> list[dict[str, Any]]:
        """What is said about each operation."""
        return [
            {"domain": _domain(node), "derivatives": text.derivatives, "formulas": text.formulas}
            for node, text in self._written
        ]


def _domain(node: Value) -> str:
    """Where an operation is defined; the table's x would be taken for a leaf."""
    return re.sub(r"\bx\b", "its operand", node.op.domain) if len(node.parents) == 1 else node.op.domain


def _letters(graph: DrawnGraph) -> tuple[str, str, str]:
    """What the formulas call an operation's operands: letters that no label of the graph is."""
    labels = {node.label.rstrip("0123456789₀₁₂₃₄₅₆₇₈₉") for node in graph.nodes}
    free = [letter for letter in [*LETTERS, *_OTHER_LETTERS] if letter not in labels]
    u, v, c = free[:3] if len(free) > 2 else LETTERS
    return u, v, c


def _notes(graph: DrawnGraph, operations: Operations) -> list[str]:
    """What a reader must know from the start."""
    notes = []
    if graph.stale:
        notes.append(
            "A leaf was assigned after the graph was recorded: all is computed again from the leaves' present numbers."
        )
    if len(trained := _trained(graph)) > 1 and not graph.layers:
        moved = [graph.name(node) or short(node.data) for node in graph.nodes if node in trained]
        named = ", ".join([*moved[:_MOST_NAMED], *(["…"] if len(moved) > _MOST_NAMED else [])])
        notes.append(f"Update moves all of {named}: hold (h) those that are data.")
    if operations.locked:
        names = list(dict.fromkeys(str(node.op) for node in operations.locked))
        notes.append(
            f"The page has no formula for {', '.join(f'‘{shown(name, 28)}’' for name in names)}: there it shows the recorded "
            "numbers, and the leaves below keep theirs."
        )
        if not graph.stale.isdisjoint(operations.locked):
            notes.append("† These are from before a leaf was assigned.")
    return notes


def _scene(graph: DrawnGraph, direction: str, operations: Operations) -> dict[str, Any]:
    """What the page draws: the layout, from Graphviz, and what each node is."""
    picture = draw_graph(graph, direction, live=True)
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
    number = {node: i for i, node in enumerate(graph.nodes)}
    trained = _trained(graph)
    return {
        "size": [right, top],
        "across": direction == "LR",
        "nodes": [
            _node(graph, node, objects[name], top, operations)
            | {"parents": [number[parent] for parent in node.parents], "trained": node in trained}
            for node, name in graph.names.items()
        ],
        "order": [number[node] for node in graph.order],
        "edges": [_edge(graph, edge, lines[f"edge{i}"], top) for i, edge in enumerate(graph_edges(graph))],
        "frames": frames,
        "cost": graph.result_name,
        "operations": operations.words(),
    }


def _trained(graph: DrawnGraph) -> set[Value]:
    """The leaves that gradient descent moves: the parameters of layers or, where there are none, all variables."""
    kinds = {node: graph.kind(node) for node in graph.nodes}
    wanted = "parameter" if "parameter" in kinds.values() else "variable"
    return {node for node, kind in kinds.items() if kind == wanted}


def _node(graph: DrawnGraph, node: Value, thing: dict[str, str], top: float, operations: Operations) -> dict[str, Any]:
    told: dict[str, Any] = {
        "at": _point(thing["pos"].rstrip("!"), top),
        "size": [round(72 * float(thing["width"]), 1), round(72 * float(thing["height"]), 1)],
        "kind": graph.kind(node),
        "result": graph.is_result(node),
        "op": shown(str(node.op)) if node.parents else "",
        "name": graph.name(node),
        "label": shown(node.label),
        "grad": graph.gradient_name(node) if node in graph.gradients else "",
        "operation": operations.of(node),
    }
    if not node.parents:
        told |= {"data": _number(node.data), "fixed": node in operations.fixed}
    elif node in operations.locked:
        error = missing_derivative(node)
        recorded = [_number(slope) for slope in local_derivatives(node) if slope is not None]
        told |= {"data": _number(node.data), "partials": recorded, "stale": node in graph.stale}
        told |= {"undefined": shown(str(error))} if error else {}
    return told


def _number(x: float) -> float | str:
    """As JSON has it, every digit; what is not finite as JavaScript's Number reads it."""
    return x if x - x == 0.0 else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"


def _edge(graph: DrawnGraph, edge: Edge, thing: dict[str, str], top: float) -> dict[str, Any]:
    tip, *points = thing["pos"].split()
    return {
        "head": int(graph.names[edge.head][1:]),
        "place": edge.place,
        "path": [_point(point, top) for point in points],
        "tip": _point(tip.removeprefix("e,"), top),
        "label": None if graph.layers and edge.head.op is ops.dot else _point(thing["lp"], top),
    }


def _point(text: str, top: float) -> tuple[float, float]:
    x, y = text.split(",")
    return round(float(x), 1), round(top - float(y), 1)
