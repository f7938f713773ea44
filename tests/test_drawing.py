"""`draw` shows what the engine recorded: all of it, exactly, and as text.

The golden files in tests/golden are small pictures as DOT source. If a picture changes for the better, write them
anew with `python tests/test_drawing.py` and look at the difference.
"""

from __future__ import annotations

import copy
import math
import os
import pickle
import re
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

import graphviz
import numpy as np
import pytest
from graphviz.backend import dot_command
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import SVG, points_on, random_graph, read, texts, tooltips

from microgradnet import MLP, Layer, Neuron, Perceptron, Value, cross_entropy, dot, draw, maximum, quadratic

GOLDEN = Path(__file__).parent / "golden"


def small_net() -> MLP:
    """Numbers that every machine computes to the last bit."""
    net = MLP(2, [2, 1], activation="relu", output_activation="linear")
    net.set_weights([[[0.5, -0.25], [1.0, 0.75]], [[2.0, -1.5]]], [[0.125, -0.5], [0.25]])
    return net


def small_cost() -> Value:
    cost = quadratic(small_net()([1.0, 2.0]), [1.0])
    cost.label = "C"
    return cost


def wide_net() -> MLP:
    net = MLP(12, [1])
    net.set_weights([[[(-0.5) ** j for j in range(12)]]], [[-2.0]])
    return net


def golden_pictures() -> dict[str, str]:
    x = Value(3.0, label="x")
    y = x * x + 2 * x
    y.label = "y"
    cost = small_cost()
    before = draw(y, "TB").source
    y.backward()
    cost.backward()
    return {
        "expression.dot": draw(y).source,
        "expression_before_backward_TB.dot": before,
        "net_cost.dot": draw(cost).source,
        "net_cost_folded.dot": draw(cost, limit=5).source,
        "architecture.dot": draw(small_net()).source,
        "architecture_wide_TB.dot": draw(wide_net(), "TB").source,
    }


@pytest.fixture(scope="module")
def large() -> tuple[MLP, Value]:
    """784-30-10 and its cost, differentiated."""
    net = MLP(784, [30, 10], seed=1)
    cost = quadratic(net(np.random.default_rng(1).uniform(0.0, 1.0, 784).tolist()), [0.0] * 9 + [1.0])
    cost.label = "C"
    cost.backward()
    return net, cost


# What a picture holds.


@pytest.mark.parametrize("name", sorted(golden_pictures()))
def test_a_small_picture_is_the_reviewed_one(name):
    """The DOT source of small graphs, byte for byte."""
    assert golden_pictures()[name] == (GOLDEN / name).read_text(encoding="utf-8"), f"{name}: see this file's docstring"


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_every_node_and_edge_is_there_once_with_the_engines_numbers(seed):
    """Nodes, edges with their order and multiplicity, data, gradients and local derivatives, on random graphs."""
    root, nodes = random_graph(seed)
    root.backward()
    drawn = read(draw(root).source)
    by_label = {node.label: node for node in nodes}
    by_name = {}
    for name, attributes in drawn.nodes:
        label, data, *grad = attributes["tooltip"].split(r"\n")
        node = by_name[name] = by_label.pop(label.split(":")[0])
        assert data == f"data = {node.data!r}"
        assert grad == ([] if node.op == "constant" else [f"grad = {node.grad!r}"]), "nobody asks a constant"
    assert not by_label
    edges: dict[Value, list[tuple[Value, str]]] = {node: [] for node in nodes}
    for tail, head, attributes in drawn.edges:
        edges[by_name[head]].append((by_name[tail], attributes["tooltip"]))
    for node, incoming in edges.items():
        assert [id(tail) for tail, _ in incoming] == [id(parent) for parent in node.parents]
        data = [parent.data for parent in node.parents]
        of_dot = [*data[3:], 1.0, *data[:2]]  # its operands are two weights, the bias, two inputs
        slopes = of_dot if node.op == "dot" else node.op.partials(*data, node.data) if data else []
        for (tail, tooltip), slope in zip(incoming, slopes, strict=True):
            assert tooltip == f"∂{node.label}/∂{tail.label} = {slope!r}"


def test_gradients_are_shown_once_they_are_known():
    """None before `backward` in any kind of picture; then also a 0, which is an answer."""
    cost = small_cost()
    for picture in (draw(cost), draw(cost, limit=3), draw(Value(1.0, "x") * 2)):
        assert "grad" not in picture.source
        assert "δ" not in picture.source
    x = Value(-1.0, label="x")
    y = x.relu()
    y.backward()
    assert read(draw(y).source).lines("n0") == ["x = −1", "grad = 0"]


def test_inputs_parameters_constants_and_results_differ_in_shape():
    """Colour is never the only sign."""
    drawn = read(draw(small_cost()).source)
    forms = {}
    for _, attributes in drawn.nodes:
        what = attributes["tooltip"].split(r"\n")[0].split(": ")[-1]
        forms[what] = tuple(attributes.get(key) for key in ("shape", "style", "peripheries"))
    assert len({forms[what] for what in ("input", "parameter", "constant", "relu")}) == 4
    assert drawn.nodes[-1][1]["peripheries"] == "2"


def test_a_nets_graph_uses_the_lectures_names():
    """x_j, a_ij, b_i, z_i with δ, y_i: of themselves, one cluster per layer."""
    net = MLP(6, [4, 3, 1], seed=1)
    cost = quadratic(net([0.1, 0.9, 0.3, 0.5, 0.7, 0.2]), [1.0])
    cost.backward()
    drawn = read(draw(cost).source)
    labels = {attributes["label"] for _, attributes in drawn.nodes}
    starts = {line.split(" = ")[0] for label in labels for line in label.split(r"\n")}
    assert {"x₁", "x₆", "a⁽¹⁾₃₂", "b⁽¹⁾₃", "z⁽¹⁾₃", "y⁽¹⁾₃", "a⁽³⁾₁₃", "z⁽³⁾₁", "δ"} <= starts
    for label in labels:
        assert ("δ = " in label) == ("z⁽" in label)
    assert [cluster["label"] for cluster in drawn.clusters] == ["layer 1", "layer 2", "layer 3"]


@pytest.mark.parametrize("activation", ["tanh", "linear"])
def test_only_under_a_cost_is_a_gradient_called_delta(activation):
    """∂y/∂z of a net's own output is none."""
    y = MLP(2, [2, 1], activation, seed=1)([0.5, -1.0])
    y.backward()
    assert "δ" not in draw(y).source
    assert "δ" not in draw(y, limit=3).source


def test_layers_are_found_without_labels():
    """From the graph alone: also in neurons written by hand, which share Values and no list."""
    inputs = [Value(0.5), Value(-1.0)]
    hidden = [dot([Value(w), Value(0.25)], inputs, Value(0.0)).tanh() for w in (0.1, 0.2, 0.3)]
    cost = (dot([Value(0.5) for _ in hidden], hidden) - 1.0) ** 2
    drawn = read(draw(cost).source)
    assert [cluster["label"] for cluster in drawn.clusters] == ["layer 1", "layer 2"]
    folded = draw(cost, limit=9).source
    assert "layer 1: 3 neurons, tanh" in folded
    assert "A⁽²⁾" in folded


def test_what_is_no_layer_is_none():
    """Products of inputs, and weights that are numbers or were computed."""
    x = [Value(0.5), Value(-1.0)]
    assert not read(draw(dot(x, x) + dot([1.0, 2.0], x) + dot([x[0] * 2, x[1]], x)).source).clusters


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_nets_graph_is_in_order(direction):
    """Time goes one way, neurons are sorted, nothing overlaps, no edge crosses a node: also where much goes on."""
    net, square = MLP(2, [11, 2], seed=1), MLP(2, [2], seed=2)
    a, b = net([0.1, 0.9])
    cost = sum(quadratic(y, [1.0, 0.0]) for y in (square(square(net([0.3, -0.4]))), [a, b])) * maximum(a, b).exp()
    drawn = read((draw(cost + 0.01 * sum(p * p for p in net.layers[1].parameters()) + a, direction)).source)
    boxes = drawn.boxes()
    along, across = ((0, 1), (2, 3)) if direction == "LR" else ((3, 2), (0, 1))
    for i, (left, right, low, high) in enumerate(boxes.values()):
        for other in list(boxes.values())[:i]:
            assert left >= other[1] or other[0] >= right or low >= other[3] or other[2] >= high
    for tail, head, attributes in drawn.edges:
        forward = boxes[head][along[0]] - boxes[tail][along[1]]
        assert forward > 0.0 if direction == "LR" else forward < 0.0
        for x, y in points_on(attributes):
            for name, (left, right, low, high) in boxes.items():
                assert name in (tail, head) or not (left < x < right and low < y < high), (tail, head, name)
    found = {attributes["tooltip"].split(":")[0]: boxes[name][across[0]] for name, attributes in drawn.nodes}
    for family in (
        *([p.label for p in neuron.parameters()] for neuron in net.layers[0].neurons),
        [f"z⁽¹⁾{i}" for i in (*"₁₂₃₄₅₆₇₈₉", "₁₀", "₁₁")],
    ):
        places = [found[label] for label in family]
        assert places == sorted(places, reverse=direction == "LR")
    labels = [cluster["label"] for cluster in drawn.clusters]
    assert labels.count("layer 1, call 2") == 1
    assert any("x²₁" in attributes["label"] for _, attributes in drawn.nodes)


def test_equal_numbers_are_not_confused():
    """Values compare by data; a picture tells them apart all the same: weights all 0, a node as large as the result."""
    net = MLP(3, [2, 2])
    net.set_weights([np.zeros((2, 3)), np.zeros((2, 2))], [np.zeros(2), np.zeros(2)])
    source = draw(net([0.0, 0.0, 0.0])).source
    places = [attributes["pos"] for _, attributes in read(source).nodes]
    assert len(set(places)) == len(places) == 3 + 8 + 4 + 6 + 4
    assert source.count("peripheries") == 2
    inside = [line for line in source.splitlines() if line.startswith("\t\tn")]
    assert len(inside) == len(places) - 3, "all but the inputs are in the frame of a layer"


def test_numbers_are_rounded_and_exact_on_hover():
    """Four digits in the picture, all of them in the tooltip; NaN, infinities and missing derivatives by name."""
    svg = draw([Value(1.0) / 3, Value(math.nan) + Value(math.inf) * Value(-math.inf), Value(0.0).sqrt()]).pipe()
    assert {"0.3333", "NaN", "∞", "−∞", "undefined"} <= set(texts(svg.decode()))
    assert any("data = 0.3333333333333333" in tip for tip in tooltips(svg.decode()))


def test_numbers_of_a_graph_whose_leaf_was_assigned_are_marked():
    """It keeps the numbers that it was recorded with, beside the leaf's new one."""
    w, x, zero = Value(1.0, label="w"), Value(2.0, label="x"), Value(0.0, label="zero")
    z = w * x + x
    y = z.tanh() + x.exp()
    assert "†" not in draw(y).source
    w.data = 5.0
    drawn = draw(y)
    marked = {a["tooltip"].split(r"\n")[0] for _, a in read(drawn.source).nodes if "†" in a["label"]}
    assert marked == {"*", "+", "tanh"}, "not exp"
    assert "† Computed before one of w, x was assigned" in drawn.source
    product = zero * w
    w.data = 6.0
    assert "†" in draw(product).source, "its number is the same, its derivative is not"
    net = small_net()
    cost = quadratic(net([1.0, 2.0]), [1.0])
    net.layers[0].neurons[0].w[1].data = 8.0
    assert "1 … 2" in draw(cost, limit=2).source
    assert "†" in draw(cost, limit=2).source


def test_several_results_and_a_lone_leaf_can_be_drawn():
    """A list of Values, as a net with several outputs gives; and the smallest graph."""
    assert draw(MLP(2, [3], seed=1)([1.0, 2.0])).source.count("peripheries") == 3
    assert read(draw(Value(3.0)).source).lines("n0") == ["3"]


def test_the_same_graph_gives_the_same_source_in_every_process():
    """Under different hash seeds. And graphviz is imported only when something is drawn."""
    code = (
        "import sys; from microgradnet import MLP, draw, quadratic; assert 'graphviz' not in sys.modules\n"
        "c = quadratic(MLP(3, [4, 2], seed=1)([1, 2, 3]), [0, 1]); c.backward()\n"
        "print(draw(c).source, draw(c, limit=9).source, draw((c * c).tanh() + c, 'TB').source)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(runs) == 1


@pytest.mark.parametrize("thing", [3, "net", None, [], [1.0], np.zeros(3), {Value(1.0)}])
def test_other_things_are_refused(thing):
    """With what arrived and what was wanted."""
    with pytest.raises(TypeError, match="a Value, a list of them, or a net"):
        draw(thing)


@pytest.mark.parametrize(("option", "value"), [("direction", "RL"), ("limit", 0), ("limit", 2.5), ("limit", True)])
def test_unknown_options_are_refused(option, value):
    """With what they may be."""
    with pytest.raises(ValueError, match=f"{option}.*'LR'|at least 1"):
        draw(Value(1.0), **{option: value})


# Labels are text.


@settings(max_examples=60)
@given(st.text(max_size=30))
@pytest.mark.parametrize("place", ["expression", "net", "folded", "architecture"])
def test_any_label_is_drawn_as_text(place, label):
    """Whatever it holds, the SVG is well-formed, has no element or attribute of its making, and shows the label."""
    cost, net = small_cost(), small_net()
    cost.label = net.layers[0].neurons[0].w[0].label = label
    pictures = {
        "architecture": lambda: draw(net),
        "expression": lambda: draw(Value(1.0, label=label) * 2),
        "net": lambda: draw(cost),
        "folded": lambda: draw(cost, limit=3),
    }
    svg = pictures[place]().pipe(encoding="utf-8")
    tree = ET.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= {
        *("svg", "g", "title", "polygon", "polyline", "path", "text", "a", "ellipse")
    }
    assert not any(key.startswith("on") or "href" in key for element in tree.iter() for key in element.attrib)
    if label.isprintable() and len(label) <= 28 and label == label.strip() and "  " not in label:
        assert label in "\n".join(texts(svg) + tooltips(svg))


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ('say "hi"', 'say "hi"'),
        ("back\\slash\\", "back\\slash\\"),
        (r"\N \G \l", r"\N \G \l"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("<", "<"),
        ("{a|b}", "{a|b}"),
        ("&lt;&amp;&#65;", "&lt;&amp;&#65;"),
        ("two\nlines\ttab\r", r"two\nlines\ttab\r"),
        ("nul\x00bell\x07", r"nul\x00bell\x07"),
        ("\ud800 alone", r"\ud800 alone"),
        ("turned \u202e round", r"turned \u202e round"),
        ("naïve 日本 👩‍🔬", "naïve 日本 👩‍🔬"),
        ("\uffff", r"\uffff"),
        ("m" * 500, "m" * 27 + "…"),
    ],
)
def test_a_label_is_shown_as_it_is(label, written):
    """Quotes, markup, other scripts; what cannot be seen as in Python; what is too long cut, and whole on hover."""
    svg = draw(Value(1.0, label=label)).pipe(encoding="utf-8")
    assert f"{written} = 1" in texts(svg)
    assert tooltips(svg)[0].split("\n")[0] == f"{label if len(label) > 28 else written}: variable"


# Large graphs.


def test_784_30_10_is_folded_by_layer(large):
    """A box per layer, with the shapes of the matrices and the ranges of their numbers, exact on hover."""
    net, cost = large
    svg = draw(cost).pipe(encoding="utf-8")
    written = set(texts(svg))
    assert {"784 inputs", "layer 1: 30 neurons, sigmoid", "layer 2: 10 neurons, sigmoid", "C: 30 operations"} <= written
    assert {"A⁽¹⁾", "30 × 784", "b⁽¹⁾", "z⁽¹⁾", "y⁽¹⁾", "A⁽²⁾", "10 × 30", "784 values", "30 values"} <= written
    assert any("24,765 nodes" in text and "folded by layer" in text for text in written)
    tips = "\n".join(tooltips(svg))
    for q, layer in enumerate(net.layers):
        weights = [w for neuron in layer.neurons for w in neuron.w]
        biases = [neuron.b.grad for neuron in layer.neurons]
        data, grads = ([getattr(w, name) for w in weights] for name in ("data", "grad"))
        name = f"A⁽{'¹²'[q]}⁾"
        assert f"{name}: {min(data)!r} … {max(data)!r}, grad {min(grads)!r} … {max(grads)!r}" in tips
        assert f"δ: {min(biases)!r} … {max(biases)!r}" in tips  # ∂C/∂b is δ


def test_the_limit_decides_what_is_folded():
    """Nodes are counted, and edges; each node is in one box, and calls of one layer are one."""
    net = MLP(2, [3, 1], seed=1)
    cost = sum(cross_entropy(net([k / 7, 0.5]), k % 2) for k in range(8)) / 8
    count = len(read(draw(cost, limit=10_000).source).nodes)
    assert len(read(draw(cost, limit=count).source).nodes) == count
    drawn = read(draw(cost, limit=count - 1).source)
    total = 0
    for _, attributes in drawn.nodes:
        cells = re.findall(r"&#160;([^<]*)<", attributes["label"])
        for _, size, data, _ in zip(cells[::4], cells[1::4], cells[2::4], cells[3::4], strict=True):
            if data != "data" and size:
                total += math.prod(int(number.replace(",", "")) for number in size.split(" × "))
    assert total == count
    assert sum("layer 1: 3 neurons, sigmoid, 8 calls" in attributes["label"] for _, attributes in drawn.nodes) == 1
    weights = [Value(0.5) for _ in range(40)]
    assert "one box" in draw(sum(dot(weights, weights) for _ in range(20))).source, "few nodes with many edges"


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_loop_is_drawn_by_its_first_and_last_time(direction):
    """A pendulum: what lies between is one box, and the caption says how often what repeats."""
    theta, omega, g = Value(1.0, "θ"), Value(0.0, "ω"), Value(9.81, "g")
    states = [(theta, omega)]
    for _ in range(20_000):
        omega = omega - g * theta.sin() * 0.05
        theta = theta + omega * 0.05
        states.append((theta, omega))
    theta.backward()
    picture = draw(theta, direction)
    drawn = read(picture.source)
    assert "the same 6 operations, 19,999 times" in picture.source
    written = [line for _, a in drawn.nodes for line in a["label"].split(r"\n")]
    assert {"θ = 1", f"{states[1][0].data:.4g}", f"{theta.data:.4g}"} <= {line.replace("−", "-") for line in written}
    (between,) = [attributes for name, attributes in drawn.nodes if name == "between"]
    sins = [t.data for t, _ in states[2:-2]]
    assert f"sin: {min(map(math.sin, sins))!r} … {max(map(math.sin, sins))!r}" in between["tooltip"]
    assert len(drawn.nodes) < 40
    assert len(ET.fromstring(picture.pipe(encoding="utf-8"))) == 1


def test_what_neither_repeats_nor_has_layers_is_cut_into_pieces():
    """A handful of boxes, their edges going forward; and the caption says so."""
    rng = np.random.default_rng(1)
    x = y = Value(1.0, label="x")
    for k in rng.integers(4, size=3_000):
        y = (y * 0.5, y + x, y.tanh(), -y)[k]
    drawn = read(draw(y).source)
    assert 2 <= len(drawn.nodes) <= 20
    assert all(int(tail[3:]) < int(head[3:]) for tail, head, _ in drawn.edges)
    assert f"cut into {len(drawn.nodes)} pieces" in draw(y).source


def test_very_many_layers_share_boxes():
    """A net of 300 layers is still a picture."""
    drawn = read(draw(MLP(2, [2] * 300, seed=1)([0.5, 0.5])).source)
    assert len(drawn.nodes) <= 20
    assert any("layers 1 to 1" in attributes["label"] for _, attributes in drawn.nodes)


def test_a_tangled_graph_gets_straight_edges():
    """Graphviz would look for curves between its 280 nodes for minutes."""
    y = v = Value(1.0, label="v")
    for _ in range(140):
        y = (y * v).tanh()
    assert "splines=line" in draw(y).source
    assert draw(y).pipe()


# The architecture.


def test_a_net_is_drawn_as_circles_and_weights():
    """One circle per neuron, one edge per weight, whose sign is in the line's style and size in its width."""
    net = small_net()
    drawn = read(draw(net).source)
    circles = {name: attributes for name, attributes in drawn.nodes if attributes.get("shape") == "circle"}
    assert [attributes["label"] for attributes in circles.values()] == [
        *("x₁", "x₂", r"y⁽¹⁾₁\nb 0.12", r"y⁽¹⁾₂\nb −0.5", r"y⁽²⁾₁\nb 0.25")
    ]
    weights = [w for a in net.weights() for w in a.ravel().tolist()]
    assert [attributes["tooltip"].split(" = ")[1] for *_, attributes in drawn.edges] == [repr(w) for w in weights]
    assert ["dashed" in attributes.get("style", "") for *_, attributes in drawn.edges] == [w < 0 for w in weights]
    widths = [float(attributes["penwidth"]) for *_, attributes in drawn.edges]
    assert sorted(range(6), key=widths.__getitem__) == sorted(range(6), key=lambda k: abs(weights[k]))
    titles = {attributes["label"] for _, attributes in drawn.nodes}
    assert {"layer 1: 2 relu", "layer 2: 1 linear", "2 inputs"} <= titles


def test_wide_and_deep_nets_are_folded(large):
    """784 inputs are not 784 circles, and 40 layers are not 40 columns."""
    written = texts(draw(large[0]).pipe(encoding="utf-8"))
    assert {"784 inputs", "775 more", "layer 1: 30 sigmoid", "21 more", "layer 2: 10 sigmoid", "x₇₈₄"} <= set(written)
    assert len(written) < 100
    deep = set(texts(draw(MLP(2, [2] * 40)).pipe(encoding="utf-8")))
    assert {"32 layers", "layer 4: 2 sigmoid", "layer 40: 2 sigmoid"} <= deep
    assert "layer 5: 2 sigmoid" not in deep


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize(
    ("net", "written"),
    [
        (Neuron(3), {"neuron: 1 sigmoid"}),
        (Layer(2, 3, "tanh"), {"layer: 3 tanh"}),
        (Perceptron([-2, 0.5], 3), {"perceptron: 1 step", "−2", "0.5", "b 3"}),
        (MLP(1, [1]), {"layer 1: 1 sigmoid"}),
    ],
)
def test_every_kind_of_net_is_drawn(net, written, direction):
    """A neuron, a layer and a perceptron too; with a lone neuron there is room for the weights themselves."""
    assert written <= set(texts(draw(net, direction).pipe(encoding="utf-8")))


def test_weights_that_are_no_numbers_are_drawn():
    """A net that diverged is what one wants to look at."""
    net = MLP(3, [2], seed=1)
    (first, second) = net.layers[0].neurons
    first.w[0].data, first.w[1].data, second.w[0].data, second.b.data = math.nan, -math.inf, 0.0, math.inf
    drawn = read(draw(net).source)
    assert [attributes.get("style") for *_, attributes in drawn.edges].count("dotted") == 3
    assert "b ∞" in texts(draw(net).pipe(encoding="utf-8"))


# A graphviz.Digraph.


@pytest.fixture
def no_dot(monkeypatch, tmp_path):
    """A machine without Graphviz; graphviz-pure is found beside this Python."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_renderer(no_dot, monkeypatch, tmp_path):
    """A machine without either."""
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))


PICTURES = {
    "expression": lambda: draw(Value(3.0, "x") * 2),
    "net": lambda: draw(small_cost()),
    "folded": lambda: draw(small_cost(), limit=3),
    "architecture": lambda: draw(small_net()),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_render_without_a_system_dot(kind, no_dot, tmp_path, capfd):
    """SVG and PNG, into a file, into bytes, and in a notebook; and the renderer's remarks are not passed on."""
    picture = PICTURES[kind]()
    assert isinstance(picture, graphviz.Digraph)
    assert picture.pipe(format="png").startswith(b"\x89PNG")
    assert picture.pipe().startswith(b"<?xml")
    assert list(picture._repr_mimebundle_()) == ["image/svg+xml"]
    assert picture._repr_mimebundle_(include=["image/png"])["image/png"].startswith(b"\x89PNG")
    path = picture.render(tmp_path / "net", format="png")
    assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert Path(picture.render("again", directory=tmp_path, cleanup=True)).name == "again.svg"
    assert Path(picture.render(outfile=tmp_path / "third.svg")).exists()
    assert capfd.readouterr() == ("", "")


def test_the_systems_dot_is_preferred(monkeypatch, tmp_path):
    """What is on the PATH renders, even beside graphviz-pure; and graphviz itself is left as it was."""
    program = tmp_path / ("dot.bat" if os.name == "nt" else "dot")
    program.write_text(
        "@echo the system's dot\n" if os.name == "nt" else f'#!{sys.executable}\nprint("the system\'s dot")\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    assert draw(Value(1.0)).pipe(encoding="utf-8").strip() == "the system's dot"
    assert str(dot_command.DOT_BINARY) == "dot"


def test_a_program_chosen_by_the_user_is_used(monkeypatch, no_renderer):
    """Who points the graphviz package at a program gets that one."""
    monkeypatch.setattr(dot_command, "DOT_BINARY", Path(sys.executable))
    with pytest.raises(graphviz.CalledProcessError):
        draw(Value(1.0)).pipe()


def test_without_any_renderer_the_error_names_the_two_ways(no_renderer, tmp_path):
    """And the source is still there."""
    picture = draw(Value(1.0, label="x"))
    assert "x = 1" in picture.source
    for render in (picture.pipe, picture._repr_mimebundle_, lambda: picture.render(tmp_path / "x")):
        with pytest.raises(graphviz.ExecutableNotFound, match=r"pip install microgradnet\[dot\].*install Graphviz"):
            render()
    assert str(dot_command.DOT_BINARY) == "dot"


def test_a_format_that_is_not_made_is_told_with_what_makes_it(no_dot, tmp_path):
    """graphviz-pure makes no PDF."""
    for render in (draw(Value(1.0)).pipe, lambda format: draw(Value(1.0)).render(tmp_path / "x", format=format)):
        with pytest.raises(graphviz.ExecutableNotFound, match=r"no 'pdf', but svg, png.*install Graphviz"):
            render(format="pdf")


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_can_be_added_to(kind):
    """As every Digraph; also where the layout was ours."""
    picture = PICTURES[kind]()
    name = read(picture.source).nodes[0][0]
    picture.node("note", "a note")
    picture.edge("note", name)
    assert "a note" in texts(picture.pipe(encoding="utf-8"))


def test_a_picture_can_be_copied_and_pickled():
    """With all it can do."""
    picture = draw(small_cost())
    for twin in (picture.copy(), copy.deepcopy(picture), pickle.loads(pickle.dumps(picture))):
        assert twin.source == picture.source
        assert type(twin) is type(picture)
        assert twin._play() == picture._play()


def test_values_are_left_as_they_were():
    """Drawing reads."""
    cost = small_cost()
    cost.backward()
    x = maximum(cost, 0.5)
    before = [(node.data, node.grad, node.label) for node in (cost, x)]
    draw(x).pipe()
    assert [(node.data, node.grad, node.label) for node in (cost, x)] == before


if __name__ == "__main__":
    for name, source in golden_pictures().items():
        (GOLDEN / name).write_text(source, encoding="utf-8", newline="\n")
        print(GOLDEN / name)
