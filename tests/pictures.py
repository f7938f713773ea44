"""For the tests of pictures: random graphs to draw, and a reader of DOT source that knows nothing of the drawing code."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from microgradnet import Layer, Value, dot, maximum, nodes

SVG = "{http://www.w3.org/2000/svg}"
_TITLE = "{http://www.w3.org/1999/xlink}title"
_ATTRIBUTE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|<.*>(?= \w+=|\]$)|[^\s\]]+)')
Maker = Callable[[Value, Value, Value], Value | list[Value]]
Attributes = dict[str, str]


def random_graph(
    seed: int, made: list[Maker] | None = None, numbers: Sequence[float] = ()
) -> tuple[Value, list[Value]]:
    """A graph with much sharing, and all its nodes; each has a label of its own, v0, v1 …

    made: what makes new nodes, from three earlier ones each. numbers: of the leaves, at most four.
    """
    rng = random.Random(seed)
    values = [Value(rng.uniform(-2.0, 2.0)) for _ in range(rng.randint(1, 4))]
    for value, number in zip(values, numbers, strict=False):
        value.data = number
    made = made or _with_layers(rng)
    for _ in range(rng.randint(1, 25)):
        new = rng.choice(made)(*(rng.choice(values) for _ in range(3)))
        values += new if isinstance(new, list) else [new]
    root = values[-1]
    for i, node in enumerate(nodes(root)):
        node.label = f"v{i}"
    return root, nodes(root)


def _with_layers(rng: random.Random) -> list[Maker]:
    one, three = (Layer(2, n, "tanh", seed=rng.randrange(9)) for n in (1, 3))
    return [
        lambda a, b, c: a + b,
        lambda a, b, c: a - b,
        lambda a, b, c: (a * b).tanh(),
        lambda a, b, c: a.sigmoid(),
        lambda a, b, c: maximum(a, b),
        lambda a, b, c: dot([a, b], [b, c], bias=a),
        lambda a, b, c: dot([a, b], [0.25, -1.0], bias=c),  # inputs that want no gradient
        lambda a, b, c: dot([Value(0.5), Value(1.5)], [b, c]),
        lambda a, b, c: a * 0.5 + 1,
        lambda a, b, c: one([a, b]),
        lambda a, b, c: three([a, 0.5]),
        lambda a, b, c: one.neurons[0].w[1] * a,
    ]


class Source(NamedTuple):
    """What a DOT source says: the attributes of each node, and of each edge with its two ends, in order."""

    nodes: list[tuple[str, Attributes]]
    edges: list[tuple[str, str, Attributes]]
    clusters: list[Attributes]

    def boxes(self) -> dict[str, tuple[float, float, float, float]]:
        """Left, right, bottom and top of each node that has its place in the source."""
        boxes = {}
        for name, attributes in self.nodes:
            x, y = _place(attributes["pos"])
            w, h = (36 * float(attributes.get(side, attributes["width"])) for side in ("width", "height"))
            boxes[name] = x - w, x + w, y - h, y + h
        return boxes


def read(source: str) -> Source:
    found = Source([], [], [])
    for line in source.splitlines():
        if match := re.match(r"\t+(\w+) -> (\w+)(?: \[(.*\])|$)", line):
            found.edges.append((match[1], match[2], _attributes(match[3] or "")))
        elif (match := re.match(r"\t+(\w+) \[(.*\])$", line)) and match[1] not in ("node", "edge", "graph"):
            found.nodes.append((match[1], _attributes(match[2])))
        elif match and match[1] == "graph" and line.startswith("\t\t"):
            found.clusters.append(_attributes(match[2]))
    return found


def _attributes(text: str) -> Attributes:
    return {key: value[1:-1] if value[0] == '"' else value for key, value in _ATTRIBUTE.findall(text)}


def _place(text: str) -> tuple[float, float]:
    x, y = text.rstrip("!").split(",")
    return float(x), float(y)


def points_on(edge: Attributes) -> Iterator[np.ndarray]:
    """Eleven points on each part of an edge's spline."""
    points = np.array([_place(point) for point in edge["pos"].split() if not point.startswith("e,")])
    t = np.linspace(0.0, 1.0, 11)[:, None]
    for start in range(0, len(points) - 1, 3):
        a, b, c, d = points[start : start + 4]
        yield from (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d


def texts(svg: str) -> list[str]:
    """The text of an SVG, line by line."""
    return ["".join(element.itertext()).strip() for element in ET.fromstring(svg).iter(f"{SVG}text")]


def tooltips(svg: str) -> list[str]:
    """What hovering over an SVG shows."""
    return [element.get(_TITLE, "") for element in ET.fromstring(svg).iter(f"{SVG}a")]
