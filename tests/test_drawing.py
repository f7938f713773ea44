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
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import graphviz
import numpy as np
import pytest
from graphviz.backend import dot_command
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import random_graph, read

from microgradnet import MLP, Layer, Neuron, Perceptron, Value, cross_entropy, dot, draw, maximum, quadratic

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
TITLE = "{http://www.w3.org/1999/xlink}title"


def small_net() -> MLP:
    """Numbers that every machine computes to the last bit."""
    net = MLP(2, [2, 1], activation="relu", output_activation="linear")
    net.set_weights([[[0.5, -0.25], [1.0, 0.75]], [[2.0, -1.5]]], [[0.125, -0.5], [0.25]])
    return net


def small_cost() -> Value:
    cost = quadratic(small_net()([1.0, 2.0]), [1.0])
    cost.label = "C"
    return cost


def golden_pictures() -> dict[str, str]:
    x = Value(3.0, label="x")
    y = x * x + 2 * x
    y.label = "y"
    before = draw(y, "TB").source
    y.backward()
    cost = small_cost()
    cost.backward()
    return {
        "expression.dot": draw(y).source,
        "expression_before_backward_TB.dot": before,
        "net_cost.dot": draw(cost).source,
        "net_cost_folded.dot": draw(cost, limit=5).source,
        "architecture.dot": draw(small_net()).source,
        "architecture_wide_TB.dot": draw(wide_net(), "TB").source,
    }


def wide_net() -> MLP:
    net = MLP(12, [1])
    net.set_weights([[[(-0.5) ** j for j in range(12)]]], [[-2.0]])
    return net


@pytest.fixture(scope="module")
def large() -> tuple[MLP, Value]:
    """784-30-10 and its cost, differentiated."""
    net = MLP(784, [30, 10], seed=1)
    cost = quadratic(net(np.random.default_rng(1).uniform(0.0, 1.0, 784).tolist()), [0.0] * 9 + [1.0])
    cost.label = "C"
    cost.backward()
    return net, cost


def text_of(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text")]


def tooltips_of(svg: str) -> list[str]:
    return [element.get(TITLE, "") for element in ET.fromstring(svg).iter(f"{SVG}a")]


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
    by_name = {}
    for name, attributes in drawn.nodes:
        label, data, *grad = attributes["tooltip"].split(r"\n")
        (node,) = [node for node in nodes if node.label == label.split(":")[0]]
        by_name[name] = node
        assert data == f"data = {node.data!r}"
        assert grad in ([f"grad = {node.grad!r}"], []), "the gradient, where there is one"
        assert grad or node.grad == 0.0
    assert sorted(node.label for node in by_name.values()) == sorted(node.label for node in nodes)
    edges: dict[Value, list[tuple[Value, str]]] = {}
    for tail, head, attributes in drawn.edges:
        edges.setdefault(by_name[head], []).append((by_name[tail], attributes["tooltip"]))
    assert all(node in edges or not node.parents for node in nodes)
    for node, incoming in edges.items():
        assert [id(tail) for tail, _ in incoming] == [id(parent) for parent in node.parents]
        if node.op == "dot":
            w, b, x = node.first[:-1], node.first[-1], node.second
            slopes = [*(value.data for value in x), 1.0, *(value.data for value in w)]
            assert b is node.parents[len(w)]
        else:
            slopes = node.op.partials(*[parent.data for parent in node.parents], node.data)
        for (tail, tooltip), slope in zip(incoming, slopes, strict=True):
            assert tooltip == f"∂{node.label}/∂{tail.label} = {slope!r}"


def test_a_square_has_two_edges():
    """x*x uses x twice."""
    x = Value(3.0, label="x")
    assert [edge[:2] for edge in read(draw(x * x).source).edges] == [("n0", "n1"), ("n0", "n1")]


def test_no_gradient_is_shown_before_backward():
    """Not even a 0, in no kind of picture."""
    cost = small_cost()
    for picture in (draw(cost), draw(cost, limit=3), draw(Value(1.0, "x") * 2)):
        assert "grad" not in picture.source
        assert "δ" not in picture.source


def test_a_gradient_of_0_is_shown_once_it_is_known():
    """relu at -1 hands nothing on, and that is an answer."""
    x = Value(-1.0, label="x")
    y = x.relu()
    y.backward()
    assert read(draw(y).source).lines("n0") == ["x = −1", "grad = 0"]


def test_constants_without_gradient_show_none():
    """The numbers a net was called with get no gradient from the engine."""
    cost = small_cost()
    cost.backward()
    lines = [attributes["label"] for _, attributes in read(draw(cost).source).nodes]
    assert "x₁ = 1" in lines
    assert "x₂ = 2" in lines


def test_inputs_parameters_constants_and_results_differ_in_shape():
    """Colour is never the only sign."""
    cost = small_cost()
    drawn = read(draw(cost).source)
    forms = {}
    for _, attributes in drawn.nodes:
        what = attributes["tooltip"].split(r"\n")[0].split(": ")[-1]
        forms[what] = tuple(attributes.get(key) for key in ("shape", "style", "peripheries"))
    assert len({forms[what] for what in ("input", "parameter", "constant", "relu")}) == 4
    root = read(draw(cost).source).nodes[-1][1]
    assert root["peripheries"] == "2"


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


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_time_runs_one_way_and_neurons_stand_in_order(direction):
    """Every edge of a net's graph goes forward; parameters, z and y of a layer are sorted across."""
    net = MLP(3, [11, 2], seed=1)
    drawn = read(draw(quadratic(net([0.5, -1.0, 2.0]), [1.0, 0.0]), direction).source)
    places = {name: [float(c) for c in attributes["pos"].rstrip("!").split(",")] for name, attributes in drawn.nodes}
    along, across = (0, 1) if direction == "LR" else (1, 0)
    for tail, head, _ in drawn.edges:
        before, after = places[tail][along], places[head][along]
        assert before < after if direction == "LR" else before > after
    found = {}
    for name, attributes in drawn.nodes:
        label = attributes["tooltip"].split(":")[0]
        found[label] = places[name][across] * (-1 if direction == "LR" else 1)
    for family in (
        [z.label for z in net.layers[0].neurons[0].w],
        [f"z⁽¹⁾{i}" for i in (*"₁₂₃₄₅₆₇₈₉", "₁₀", "₁₁")],
        [f"y⁽²⁾{i}" for i in "₁₂"],
        [p.label for p in net.layers[1].parameters()],
        ["x₁", "x₂", "x₃"],
    ):
        across_of = [found[label] for label in family]
        assert across_of == sorted(across_of)


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_nodes_of_a_nets_graph_do_not_overlap(direction):
    """Two samples, a shared penalty, a layer used twice: our own layout keeps all boxes apart."""
    net, square = MLP(2, [3, 2], seed=1), MLP(2, [2], seed=2)
    outputs = [net([0.1, 0.9]), square(square(net([0.3, -0.4])))]
    cost = sum(quadratic(y, [1.0, 0.0]) for y in outputs) + 0.01 * sum(p * p for p in net.layers[0].parameters())
    cost.backward()
    drawn = read(draw(cost, direction).source)
    boxes = []
    for _, attributes in drawn.nodes:
        x, y = (float(c) for c in attributes["pos"].rstrip("!").split(","))
        w, h = 36 * float(attributes["width"]), 36 * float(attributes["height"])
        boxes.append((x - w, x + w, y - h, y + h))
    for i, (left, right, low, high) in enumerate(boxes):
        for other in boxes[:i]:
            assert left >= other[1] or other[0] >= right or low >= other[3] or other[2] >= high
    assert [c["label"] for c in drawn.clusters].count("layer 1, call 2") == 2
    assert any("x²₁" in attributes["label"] for _, attributes in drawn.nodes)


def test_equal_numbers_are_not_confused():
    """Values compare by data; a picture tells them apart all the same: weights all 0, a node as large as the result."""
    net = MLP(3, [2, 2])
    net.set_weights([np.zeros((2, 3)), np.zeros((2, 2))], [np.zeros(2), np.zeros(2)])
    source = draw(net([0.0, 0.0, 0.0])).source
    drawn = read(source)
    places = [attributes["pos"] for _, attributes in drawn.nodes]
    assert len(set(places)) == len(places) == 3 + 8 + 4 + 6 + 4
    assert sum(attributes.get("peripheries") == "2" for _, attributes in drawn.nodes) == 2
    inside = [line for line in source.splitlines() if line.startswith("\t\tn")]
    assert len(inside) == len(places) - 3, "all but the inputs are in the frame of a layer"
    x = Value(2.0)
    assert draw(x * 1.0 + 0.0).source.count("peripheries") == 1


def test_numbers_are_rounded_and_exact_on_hover():
    """Four digits in the picture, all of them in the tooltip."""
    third = Value(1.0, "one") / 3
    svg = draw(third).pipe(encoding="utf-8")
    assert "0.3333" in text_of(svg)
    assert any("data = 0.3333333333333333" in tip for tip in tooltips_of(svg))


def test_nan_and_infinities_are_visible():
    """They are what a reader looks for."""
    x = Value(math.nan, "a") + Value(math.inf, "b") * Value(-math.inf, "c")
    texts = text_of(draw(x).pipe(encoding="utf-8"))
    assert {"a = NaN", "b = ∞", "c = −∞", "−∞", "NaN"} <= set(texts)


def test_a_derivative_that_does_not_exist_says_so():
    """The root of 0 has a value and no slope."""
    drawn = read(draw(Value(0.0, "x").sqrt()).source)
    assert drawn.edges[0][2]["label"] == "undefined"


def test_a_leaf_assigned_after_use_is_told():
    """The graph keeps the numbers it was recorded with; a picture that mixes old and new must say so."""
    w, x = Value(1.0, label="w"), Value(2.0, label="x")
    y = w * x
    assert "Assigned" not in draw(y).source
    w.data = 5.0
    assert "Assigned since this was recorded: one of w, x." in draw(y).source
    net = small_net()
    cost = quadratic(net([1.0, 2.0]), [1.0])
    net.layers[0].neurons[0].w[1].data = 8.0
    assert "Assigned since" in draw(cost).source
    assert "Assigned since" in draw(cost, limit=2).source


def test_several_results_are_one_picture():
    """A list of Values, as a net with several outputs gives."""
    drawn = read(draw(MLP(2, [3], seed=1)([1.0, 2.0])).source)
    assert sum(attributes.get("peripheries") == "2" for _, attributes in drawn.nodes) == 3


def test_a_lone_leaf_can_be_drawn():
    """The smallest graph."""
    assert read(draw(Value(3.0)).source).lines("n0") == ["3"]


def test_the_same_graph_gives_the_same_source_in_every_process():
    """Under different hash seeds."""
    code = (
        "from microgradnet import MLP, draw, quadratic\n"
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


def test_graphviz_is_imported_when_something_is_drawn():
    """Not at `import microgradnet`."""
    code = (
        "import sys, microgradnet as m; assert 'graphviz' not in sys.modules; m.draw(m.Value(1.0)); "
        "assert 'graphviz' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("thing", [3, "net", None, [], [1.0], np.zeros(3), {Value(1.0)}])
def test_other_things_are_refused(thing):
    """With what arrived and what was wanted."""
    with pytest.raises(TypeError, match="a Value, a list of them, or a net"):
        draw(thing)


@pytest.mark.parametrize(("option", "value"), [("direction", "RL"), ("limit", 0), ("limit", 2.5), ("limit", True)])
def test_unknown_options_are_refused(option, value):
    """With what they may be."""
    with pytest.raises(ValueError, match=r"arrived where the (direction|most nodes)"):
        draw(Value(1.0), **{option: value})


# Labels are text.


@settings(max_examples=60)
@given(st.text(max_size=30))
@pytest.mark.parametrize("place", ["expression", "net", "folded", "architecture"])
def test_any_label_is_drawn_as_text(place, label):
    """Whatever it holds, the SVG is well-formed and says what it says without the label, and the label."""
    if place == "architecture":
        net = small_net()
        net.layers[0].neurons[0].w[0].label = label
        picture = draw(net)
    elif place == "expression":
        picture = draw(Value(1.0, label=label) * 2)
    else:
        cost = small_cost()
        cost.label = label
        picture = draw(cost, limit=300 if place == "net" else 3)
    svg = picture.pipe(encoding="utf-8")
    tree = ET.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= {
        *("svg", "g", "title", "polygon", "polyline", "path", "text", "a", "ellipse")
    }
    assert not any(key.startswith("on") or "href" in key for element in tree.iter() for key in element.attrib)
    visible = "".join(c for c in label if c.isprintable())
    if visible == label and len(label) <= 28 and label == label.strip() and "  " not in label:
        everything = "\n".join(text_of(svg) + tooltips_of(svg))
        assert label in everything


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
    ],
)
def test_a_label_is_shown_as_it_is(label, written):
    """Quotes, escapes, markup, entities, controls and other scripts; what cannot be seen is spelled as in Python."""
    svg = draw(Value(1.0, label=label)).pipe(encoding="utf-8")
    assert f"{written} = 1" in text_of(svg)
    assert tooltips_of(svg)[0].split("\n")[0] == f"{written}: variable"


def test_a_long_label_is_cut_and_whole_on_hover():
    """So that it cannot push everything else out of sight."""
    svg = draw(Value(1.0, label="m" * 500)).pipe(encoding="utf-8")
    assert "m" * 27 + "… = 1" in text_of(svg)
    assert "m" * 500 in tooltips_of(svg)[0]


# Large graphs.


def test_784_30_10_is_drawn_in_two_seconds(large):
    """Folded to a box per layer, with the shapes of the matrices, and rendered."""
    start = time.perf_counter()
    svg = draw(large[1]).pipe(encoding="utf-8")
    assert time.perf_counter() - start < 2.0
    texts = {text.strip() for text in text_of(svg)}
    assert {"784 inputs", "layer 1: 30 neurons, sigmoid", "layer 2: 10 neurons, sigmoid", "C: 30 operations"} <= texts
    assert {"A⁽¹⁾", "30 × 784", "b⁽¹⁾", "z⁽¹⁾", "y⁽¹⁾", "A⁽²⁾", "10 × 30", "784 values", "30 values"} <= texts
    assert any("24,765 nodes" in text and "folded by layer" in text for text in texts)


def test_a_folded_layer_shows_the_ranges_of_its_numbers(large):
    """Values and gradients, exact on hover."""
    net, cost = large
    tips = "\n".join(tooltips_of(draw(cost).pipe(encoding="utf-8")))
    for q, layer in enumerate(net.layers):
        weights, biases = net.weights()[q].ravel().tolist(), net.biases()[q].tolist()
        of_weights = [w.grad for neuron in layer.neurons for w in neuron.w]
        of_biases = [neuron.b.grad for neuron in layer.neurons]
        number = "¹²"[q]
        assert (
            f"A⁽{number}⁾: {min(weights)!r} … {max(weights)!r}, grad {min(of_weights)!r} … {max(of_weights)!r}" in tips
        )
        assert f"b⁽{number}⁾: {biases[0]!r}, grad {min(of_biases)!r} … {max(of_biases)!r}" in tips
        assert f"δ: {min(of_biases)!r} … {max(of_biases)!r}" in tips  # ∂C/∂b is δ


def test_the_limit_decides_what_is_folded():
    """Nodes are counted, and edges."""
    cost = small_cost()
    count = len(read(draw(cost).source).nodes)
    assert len(read(draw(cost, limit=count).source).nodes) == count
    assert "folded" not in draw(cost, limit=count).source
    assert "folded by layer" in draw(cost, limit=count - 1).source
    weights = [Value(0.5) for _ in range(40)]
    crowded = sum(dot(weights, [Value(float(j)) for _ in weights]) for j in range(6))
    assert len(read(draw(crowded, limit=10_000).source).nodes) == 40 + 6 * 42 + 7
    assert "folded" not in draw(crowded).source
    many = sum(dot(weights, weights) for _ in range(20))
    assert "folded" in draw(many).source


def test_every_node_is_in_one_box():
    """The counts in the boxes add up to the nodes of the graph, calls of one layer being one box."""
    net = MLP(2, [3, 1], seed=1)
    cost = sum(cross_entropy(net([k / 7, 0.5]), k % 2) for k in range(8)) / 8
    drawn = read(draw(cost, limit=20).source)
    total = 0
    for _, attributes in drawn.nodes:
        cells = re.findall(r"&#160;([^<]*)<", attributes["label"])
        for _, size, data, _ in zip(cells[::4], cells[1::4], cells[2::4], cells[3::4], strict=True):
            if data != "data" and size:
                total += math.prod(int(number.replace(",", "")) for number in size.split(" × "))
    assert total == len(read(draw(cost, limit=10_000).source).nodes)
    assert sum("layer 1: 3 neurons, sigmoid, 8 calls" in attributes["label"] for _, attributes in drawn.nodes) == 1


def test_a_graph_without_layers_is_folded_too():
    """A hundred thousand operations in a row: no recursion, a handful of boxes, their edges going forward."""
    x = Value(1.0, label="x")
    y = x
    for _ in range(50_000):
        y = y * 0.5 + x
    y.backward()
    drawn = read(draw(y).source)
    assert 2 <= len(drawn.nodes) <= 20
    assert all(int(tail[3:]) < int(head[3:]) for tail, head, _ in drawn.edges)
    assert len(ET.fromstring(draw(y).pipe(encoding="utf-8"))) == 1


def test_very_many_layers_share_boxes():
    """A net of 300 layers is still a picture."""
    drawn = read(draw(MLP(2, [2] * 300, seed=1)([0.5, 0.5])).source)
    assert len(drawn.nodes) <= 20
    assert any("layers 1 to 1" in attributes["label"] for _, attributes in drawn.nodes)


def test_a_tangled_graph_is_drawn_in_time():
    """Many long edges: the curves between 280 nodes would take minutes."""
    v = Value(1.0, label="v")
    y = v
    for _ in range(140):
        y = (y * v).tanh()
    start = time.perf_counter()
    draw(y).pipe()
    assert time.perf_counter() - start < 10.0


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
    assert {"layer 1: 2 relu", "layer 2: 1 linear", "2 inputs"} <= {
        attributes["label"] for _, attributes in drawn.nodes
    }


def test_wide_and_deep_nets_are_folded(large):
    """784 inputs are not 784 circles, and 40 layers are not 40 columns."""
    texts = text_of(draw(large[0]).pipe(encoding="utf-8"))
    assert {"784 inputs", "775 more", "layer 1: 30 sigmoid", "21 more", "layer 2: 10 sigmoid", "x₇₈₄"} <= set(texts)
    assert len(texts) < 100
    deep = text_of(draw(MLP(2, [2] * 40)).pipe(encoding="utf-8"))
    assert "32 layers" in deep
    assert {"layer 4: 2 sigmoid", "layer 40: 2 sigmoid"} <= set(deep)
    assert "layer 5: 2 sigmoid" not in deep


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize(
    ("net", "title"),
    [
        (Neuron(3), "neuron: 1 sigmoid"),
        (Layer(2, 3, "tanh"), "layer: 3 tanh"),
        (Perceptron([-2, -2], 3), "perceptron: 1 step"),
        (MLP(1, [1]), "layer 1: 1 sigmoid"),
    ],
)
def test_every_kind_of_net_is_drawn(net, title, direction):
    """A neuron, a layer and a perceptron too."""
    assert title in text_of(draw(net, direction).pipe(encoding="utf-8"))


def test_a_perceptron_shows_its_numbers():
    """With a lone neuron there is room for the weights themselves."""
    texts = text_of(draw(Perceptron([-2, 0.5], 3)).pipe(encoding="utf-8"))
    assert {"−2", "0.5", "b 3"} <= set(texts)


def test_weights_that_are_no_numbers_are_drawn():
    """A net that diverged is what one wants to look at."""
    net = MLP(3, [2], seed=1)
    net.layers[0].neurons[0].w[0].data = math.nan
    net.layers[0].neurons[0].w[1].data = -math.inf
    net.layers[0].neurons[1].w[0].data = 0.0
    net.layers[0].neurons[1].b.data = math.inf
    drawn = read(draw(net).source)
    assert [attributes.get("style") for *_, attributes in drawn.edges].count("dotted") == 3
    assert "b ∞" in "".join(text_of(draw(net).pipe(encoding="utf-8")))


# A graphviz.Digraph.


@pytest.fixture
def no_dot(monkeypatch, tmp_path):
    """A machine without Graphviz; graphviz-pure is found beside this Python."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_renderer(no_dot, monkeypatch, tmp_path):
    """A machine without either."""
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))


PICTURES = {"expression": lambda: draw(Value(3.0, "x") * 2), "net": lambda: draw(small_cost()), "folded": lambda: draw(small_cost(), limit=3), "architecture": lambda: draw(small_net())}  # fmt: skip


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_render_without_a_system_dot(kind, no_dot, tmp_path):
    """SVG and PNG, into a file, into bytes, and in a notebook."""
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


def test_rendering_prints_nothing(no_dot, capfd):
    """The renderer's remarks about its fonts are no business of the reader."""
    draw(small_cost()).pipe()
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


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_can_be_added_to(kind):
    """As every Digraph; also where the layout was ours."""
    picture = PICTURES[kind]()
    name = read(picture.source).nodes[0][0]
    picture.node("note", "a note")
    picture.edge("note", name)
    assert "a note" in text_of(picture.pipe(encoding="utf-8"))


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
