"""For the tests of pictures: random graphs to draw, and a reader of DOT source that knows nothing of the drawing code."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from microgradnet import Value, dot, maximum

_ATTRIBUTE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|<.*>(?= \w+=|\]$)|[^\s\]]+)')


def random_graph(seed: int) -> tuple[Value, list[Value]]:
    """A graph with much sharing, and all its nodes; each has a label of its own, v0, v1 …"""
    rng = random.Random(seed)
    values = [Value(rng.uniform(-2.0, 2.0)) for _ in range(rng.randint(1, 4))]
    for _ in range(rng.randint(1, 25)):
        a, b, c = (rng.choice(values) for _ in range(3))
        kind = rng.randrange(8)
        if kind == 0:
            values.append(a + b)
        elif kind == 1:
            values.append(a - b)
        elif kind == 2:
            values.append((a * b).tanh())
        elif kind == 3:
            values.append(a.sigmoid())
        elif kind == 4:
            values.append(maximum(a, b))
        elif kind == 5:
            values.append(dot([a, b], [b, c], bias=a))
        elif kind == 6:
            values.append(dot([a, b], [0.25, -1.0], bias=c))  # constant inputs, which the engine leaves out
        else:
            values.append(a * 0.5 + 1)
    root = values[-1]
    nodes: dict[Value, None] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes[node] = None
            stack += node.parents
    for i, node in enumerate(nodes):
        node.label = f"v{i}"
    return root, list(nodes)


@dataclass
class Source:
    """What a DOT source says: the attributes of each node, and of each edge with its two ends, in order."""

    nodes: list[tuple[str, dict[str, str]]]
    edges: list[tuple[str, str, dict[str, str]]]
    clusters: list[dict[str, str]]

    def lines(self, name: str) -> list[str]:
        """The lines of a node's label."""
        (attributes,) = [attributes for node, attributes in self.nodes if node == name]
        return attributes["label"].split(r"\n")


def read(source: str) -> Source:
    nodes, edges, clusters = [], [], []
    for line in source.splitlines():
        if match := re.match(r"\t+(\w+) -> (\w+)(?: \[(.*\])|$)", line):
            edges.append((match[1], match[2], _attributes(match[3] or "")))
        elif (match := re.match(r"\t+(\w+) \[(.*\])$", line)) and match[1] not in ("node", "edge", "graph"):
            nodes.append((match[1], _attributes(match[2])))
        elif "cluster" in line:
            clusters.append({})
        elif (match := re.match(r"\t+graph \[(.*\])$", line)) and clusters:
            clusters[-1] |= _attributes(match[1])
    return Source(nodes, edges, clusters)


def _attributes(text: str) -> dict[str, str]:
    return {key: value[1:-1] if value[0] == '"' else value for key, value in _ATTRIBUTE.findall(text)}
