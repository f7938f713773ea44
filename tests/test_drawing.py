"""`draw` shows what the engine recorded: all of it, exactly, and as text.

The oracles are the engine, on random graphs, the lecture's `formulas`, and NumPy. How a picture looks is held by the
gallery, which is drawn again byte for byte (test_gallery.py).
"""

from __future__ import annotations

import copy
import inspect
import math
import os
import pickle
import re
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from functools import reduce
from itertools import combinations
from pathlib import Path

import graphviz
import numpy as np
import pytest
from graphviz.backend import dot_command
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pictures import SVG, points_on, random_graph, read, texts, tooltips

from microgradnet import MLP, Layer, Neuron, Perceptron, Value, compile, draw, formulas, grad, nodes
from microgradnet.costs import cross_entropy, quadratic
from microgradnet.functions import dot, maximum


def labelled(label: str) -> tuple[MLP, Value]:
    """A net and its cost for a sample; the first weight and the cost have the label."""
    net = MLP(2, [2, 1], seed=1)
    cost = quadratic(net([1.0, 2.0]), [1.0])
    net.layers[0].neurons[0].w[0].label = cost.label = label
    return net, cost


PICTURES = {
    "expression": lambda label="x": draw(Value(1.0, label=label) * 2),
    "net": lambda label="x": draw(labelled(label)[1]),
    "folded": lambda label="x": draw(labelled(label)[1], limit=3),
    "architecture": lambda label="x": draw(labelled(label)[0]),
}


def overlap(boxes) -> bool:
    """Whether any two of the boxes share a place."""
    pairs = combinations(boxes.values(), 2)
    return any(a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3] for a, b in pairs)


# What a picture holds.


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_every_node_and_edge_is_there_once_with_the_engines_numbers(seed):
    """Nodes, edges with their order and multiplicity, data, gradients and local derivatives, on random graphs."""
    root, every = random_graph(seed)
    root.backward()
    before = [(node.data, node.grad, node.label) for node in every]
    source = draw(root).source
    assert source.count("peripheries") == 1, "the result"
    drawn = read(source)
    assert [(node.data, node.grad, node.label) for node in every] == before, "drawing only reads"
    by_label, by_name = {node.label: node for node in every}, {}
    for name, attributes in drawn.nodes:
        label, data, *gradient = attributes["tooltip"].split(r"\n")
        node = by_name[name] = by_label.pop(label.split(":")[0])
        assert data == f"data = {node.data!r}"
        assert gradient == ([] if node.op == "constant" else [f"grad = {node.grad!r}"]), "nobody asks a constant"
    assert not by_label
    for node in every:
        incoming = [(by_name[tail], a["tooltip"]) for tail, head, a in drawn.edges if by_name[head] is node]
        for (tail, tooltip), parent, slope in zip(incoming, node.parents, node.partials, strict=True):
            assert tail is parent
            assert tooltip == f"∂{node.label}/∂{tail.label} = {slope!r}"


@pytest.mark.parametrize("activation", ["tanh", "linear"])
def test_only_under_a_cost_is_a_gradient_called_delta(activation):
    """∂y/∂z of a net's own output is none, and beside a second result it could be meant of either."""
    y = MLP(2, [2, 1], activation, seed=1)([0.5, -1.0])
    cost = quadratic(y, 1.0)
    cost.backward()
    pictures = [draw(cost), draw(y), draw(y, limit=3), draw([cost, y])]
    assert ["δ" in picture.source for picture in pictures] == [True, False, False, False]


def test_layers_are_found_without_labels():
    """From the graph alone: also in neurons written by hand, which share Values and no list. Products of inputs, and of
    weights that are numbers or were computed, are none.
    """
    x = [Value(0.5), Value(-1.0)]
    hidden = [dot([Value(w), Value(0.25)], x, Value(0.0)).tanh() for w in (0.1, 0.2, 0.3)]
    cost = (dot([Value(0.5) for _ in hidden], hidden) - 1.0) ** 2
    assert [cluster["label"] for cluster in read(draw(cost).source).clusters] == ["layer 1", "layer 2"]
    assert "layer 1: 3 neurons, tanh" in draw(cost, limit=9).source
    layer = Layer(2, 3, "tanh")
    assert "layer 1: 3 neurons, tanh, 2 calls" in draw(layer(x) + layer(x), limit=9).source
    assert not read(draw(dot(x, x) + dot([1.0, 2.0], x) + dot([x[0] * 2, x[1]], x)).source).clusters


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from(["LR", "TB"]))
@example(98, "LR")  # rows of a later call
@example(3, "TB")  # a parameter that is used before its layer
@example(31, "LR")  # lanes that are shared
def test_in_a_graph_with_layers_nothing_is_in_the_way(seed, direction):
    """Every edge goes forward in time, no nodes overlap, no edge crosses a node, whatever lies around the layers."""
    a, b = MLP(2, [2, 2], seed=1)([random_graph(seed)[0], 0.5])
    drawn = read(draw(quadratic([a, maximum(a, b).exp() * a], [1.0, 0.0]), direction).source)
    boxes = drawn.boxes()
    assert not overlap(boxes)
    for tail, head, attributes in drawn.edges:
        assert boxes[tail][1] < boxes[head][0] if direction == "LR" else boxes[tail][2] > boxes[head][3]
        for x, y in points_on(attributes):
            for name, (left, right, low, high) in boxes.items():
                assert name in (tail, head) or not (left < x < right and low < y < high), (tail, head, name)


def test_numbers_are_rounded_and_exact_on_hover():
    """Four digits in the picture, all in the tooltip; NaN, infinities and missing derivatives by name; several results."""
    picture = draw([Value(1.0) / 3, Value(math.nan) + Value(math.inf) * Value(-math.inf), Value(0.0).sqrt()])
    assert picture.source.count("peripheries") == 3
    svg = picture.pipe(encoding="utf-8")
    assert {"0.3333", "NaN", "∞", "−∞", "undefined"} <= set(texts(svg))
    assert any("data = 0.3333333333333333" in tip for tip in tooltips(svg))
    assert "3" in texts(draw(Value(3.0)).pipe(encoding="utf-8"))


def test_numbers_of_a_graph_whose_leaf_was_assigned_are_marked():
    """It keeps the numbers that it was recorded with, beside the leaf's new one."""
    w, x, zero = Value(1.0, label="w"), Value(2.0, label="x"), Value(0.0, label="zero")
    y = (w * x + x).tanh() + x.exp()
    assert "†" not in draw(y).source
    w.data = 5.0
    source = draw(y).source
    marked = {a["tooltip"].split(r"\n")[0] for _, a in read(source).nodes if "†" in a["label"]}
    assert marked == {"*", "+", "tanh"}, "not exp"
    assert "† Computed before one of w, x was assigned" in source
    product = zero * w
    w.data = 6.0
    assert "†" in draw(product).source, "its number is the same, its derivative is not"
    assert "†" not in draw(Value(4.0, [w], [3.0])).source, "what is made by hand has no rule to break"
    assert "†" in draw(w * w + product * product, limit=2).source, "a box of many, too"


def sources() -> str:
    cost = quadratic(MLP(3, [4, 2], seed=1)([1, 2, 3]), [0, 1])
    return "\n".join(picture.source for picture in (draw(cost), draw(cost, limit=9), draw((cost * cost).tanh() + cost)))


def test_the_same_graph_gives_the_same_source_in_every_process():
    """Whatever the hash seed. And graphviz is imported only when something is drawn."""
    code = f"import sys; from microgradnet import *; assert 'graphviz' not in sys.modules\n{inspect.getsource(sources)}"
    command = [sys.executable, "-c", f"{code}\nprint(sources())"]
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONIOENCODING": "utf-8"}
    assert subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode() == sources() + "\n"


# Labels are text.

AS_IT_IS = ['say "hi"', "back\\slash\\", r"\N \G \l", "<b>bold</b>", "<", "{a|b}", "&lt;&amp;&#65;", "naïve 日本 👩‍🔬"]
SPELLED = ["two\nlines\ttab\r", "nul\x00bell\x07", "\ud800 alone", "turned \u202e round", "\uffff"]


@settings(max_examples=40)
@given(st.text(max_size=30), st.sampled_from(sorted(PICTURES)))
def test_any_label_is_drawn_as_text(label, kind):
    """Whatever it holds, the SVG is well-formed, has no element or attribute of its making, and shows the label."""
    svg = PICTURES[kind](label).pipe(encoding="utf-8")
    tree = ET.fromstring(svg)
    elements = {"svg", "g", "title", "polygon", "polyline", "path", "text", "a", "ellipse"}
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= elements
    assert not any(key.startswith("on") or "href" in key for element in tree.iter() for key in element.attrib)
    if label.isprintable() and len(label) <= 28 and label == label.strip() and "  " not in label:
        assert label in "\n".join(texts(svg) + tooltips(svg))


@pytest.mark.parametrize("label", [*AS_IT_IS, *SPELLED, "m" * 500])
def test_a_label_is_shown_as_it_is(label):
    """Quotes, markup, other scripts; what cannot be seen as in Python; what is too long cut, and whole on hover."""
    svg = draw(Value(1.0, label=label)).pipe(encoding="utf-8")
    whole = ascii(label)[1:-1] if label in SPELLED else label
    assert f"{whole if len(label) <= 28 else whole[:27] + '…'} = 1" in texts(svg)
    assert tooltips(svg)[0].split("\n")[0] == f"{whole}: variable"


# Large graphs.


def test_the_limit_decides_what_is_folded():
    """Nodes are counted, and edges; each node is in one box, with the ranges of its layer; calls of one layer are one."""
    net = MLP(2, [3, 1], seed=1)
    cost = sum(cross_entropy(net([k / 7, 0.5]), k % 2) for k in range(8)) / 8
    cost.backward()
    count = len(nodes(cost))
    assert len(read(draw(cost, limit=count).source).nodes) == count
    picture = draw(cost, limit=count - 1)
    labels = [attributes["label"] for _, attributes in read(picture.source).nodes]
    total = 0
    for label in labels:
        cells = re.findall(r"&#160;([^<]*)<", label)
        for _, size, data, _ in zip(cells[::4], cells[1::4], cells[2::4], cells[3::4], strict=True):
            if data != "data" and size:
                total += math.prod(int(number.replace(",", "")) for number in size.split(" × "))
    assert total == count
    assert sum("layer 1: 3 neurons, sigmoid, 8 calls" in label for label in labels) == 1
    data, grads = zip(*[(w.data, w.grad) for neuron in net.layers[0].neurons for w in neuron.w], strict=True)
    ranges = f"A⁽¹⁾: {min(data)!r} … {max(data)!r}, grad {min(grads)!r} … {max(grads)!r}"
    assert any(ranges in tip for tip in tooltips(picture.pipe(encoding="utf-8")))
    weights = [Value(0.5) for _ in range(40)]
    assert "one box" in draw(sum(dot(weights, weights) for _ in range(20))).source, "few nodes with many edges"


def test_a_loop_is_drawn_by_its_first_and_last_time():
    """A pendulum: what lies between is one box, and the caption says how often what repeats."""
    theta, omega, g = Value(1.0, "θ"), Value(0.0, "ω"), Value(9.81, "g")
    sins = []
    for _ in range(2_000):
        sins.append(theta.sin())
        omega = omega - g * sins[-1] * 0.05
        theta = theta + omega * 0.05
    source = draw(theta).source
    assert "the same 6 operations, 2,000 times" in source
    drawn = dict(read(source).nodes)
    between = [sin.data for sin in sins[1:-1]]
    assert f"sin: {min(between)!r} … {max(between)!r}" in drawn["between"]["tooltip"]
    counts = re.findall(r"&#160;([\d,]+)<", drawn["between"]["label"])
    assert sum(int(count.replace(",", "")) for count in counts) == 1998 * (6 + 2), "six operations and two constants"
    assert f"{theta.data:.4g}".replace("-", "−") in "".join(a["label"] for a in drawn.values())
    assert len(drawn) < 40


def test_what_neither_repeats_nor_has_layers_is_cut_into_pieces():
    """A handful of boxes, their edges going forward; and the caption says so. Very many layers share boxes likewise.
    In full, a tangled graph gets straight edges: for curves, Graphviz would look for minutes.
    """
    x = y = Value(1.0, label="x")
    for k in np.random.default_rng(1).integers(4, size=3_000):
        y = (y * 0.5, y + x, y.tanh(), -y)[k]
    drawn = read(draw(y).source)
    assert 2 <= len(drawn.nodes) <= 20
    assert all(int(tail[3:]) < int(head[3:]) for tail, head, _ in drawn.edges)
    assert f"cut into {len(drawn.nodes)} pieces" in draw(y).source
    assert len(read(draw(MLP(2, [2] * 300, seed=1)([0.5, 0.5])).source).nodes) <= 20
    assert "splines=line" in draw(reduce(lambda y, _: (y * x).tanh(), range(140), x)).source


# A net: its architecture, and with a sample's numbers the slide.


@pytest.mark.parametrize(
    ("net", "written", "sample", "shown"),
    [
        (Neuron(1, seed=1), {"neuron", "1 sigmoid", "0.3456"}, {"x": [2.0], "r": 0.25}, "r = 0.25"),
        (Layer(2, 12, "tanh"), {"layer", "12 tanh", "3 more"}, {"x": [1, 2], "r": np.eye(12)[3]}, "r₁₂ = 0"),
        (Perceptron([-2, 0.5], 3), {"perceptron", "1 step", "−2", "0.5", "b 3"}, {"x": [2, Value(0)]}, "0"),
        (Perceptron([-math.inf, 0], math.inf), {"−∞", "b ∞"}, {"x": [-1, 1]}, "1"),
        (MLP(2, [3, 1]), {"layer 2", "1 sigmoid"}, {"x": [Value(1.5), Value(2.0)]}, "1.5"),
        (MLP(2, [2] * 40), {"32 layers"}, {"x": [1, 2], "r": [1, 2], "cost": lambda y, r: sum(y)}, "r₂ = 2"),
    ],
)
def test_every_kind_of_net_is_drawn(net, written, sample, shown):
    """With numbers on the edges of a lone neuron, also infinite ones; with a sample and without, also under a cost of one's own."""
    for direction in ("LR", "TB"):
        assert written <= set(texts(draw(net, direction).pipe(encoding="utf-8")))
        assert shown in texts(draw(net, direction, **sample).pipe(encoding="utf-8"))


@pytest.mark.parametrize(("cost", "edges"), [(quadratic, "weights"), (cross_entropy, None)])
def test_a_slide_shows_the_lectures_numbers(cost, edges):
    """y and δ by neuron, ∂C/∂a or a by edge, as `formulas` computes them; the net's gradients are left alone."""
    x, r = [0.1, 0.9, 0.3, 0.5, 0.7, 0.2], [1.0]
    net = MLP(6, [4, 3, 1], "tanh", "sigmoid", seed=1)
    net.layers[1].neurons[2].b.data = 0.5
    parts, kinds = (net.weights(), net.biases()), ["tanh", "tanh", "sigmoid"]
    ys = formulas.forward_pass(*parts, x, kinds).ys
    deltas, dA, _ = formulas.delta_recursion(*parts, [x], [r], kinds, cost.__name__)
    drawn = read(draw(net, x=x, r=r, cost=cost, edges=edges).source)
    circles = "\n".join(attributes["tooltip"] for name, attributes in drawn.nodes if re.fullmatch(r"c\d+_\d+", name))
    lines = [attributes for *_, attributes in drawn.edges]
    for name, tips, wanted in (
        ("y|data", circles, ys),
        ("δ[^=]*", circles, [delta[0] for delta in deltas]),
        ("∂C/∂a", "\n".join(line["tooltip"] for line in lines), dA),
    ):
        found = [float(number) for number in re.findall(rf"(?:{name}) = ([^\\\n]+)", tips)]
        np.testing.assert_allclose(found, np.concatenate([array.ravel() for array in wanted]), rtol=1e-12)
    by = abs(np.concatenate([matrix.ravel() for matrix in (parts[0] if edges else dA)]))
    np.testing.assert_allclose([float(a["penwidth"]) for a in lines], 0.5 + 3.0 * np.sqrt(by / by.max()), atol=0.006)
    assert not any(parameter.grad for parameter in net.parameters())


@pytest.mark.parametrize(("sizes", "twice"), [([3, 2, 1], False), ([2, 1], True)])
def test_a_small_slide_can_be_computed_again_by_hand(sizes, twice):
    """a and ∂C/∂a on every edge, y, δ and b in every circle, all apart; each use of a layer has its own δ."""
    net = MLP(2, sizes, seed=1)
    if twice:
        net.layers.insert(0, net.layers[0])
    net.layers[0].neurons[0].b.data = -0.25
    cost = quadratic(net([0.5, -1.0]), [1.0])
    weights = [w for layer in net.layers for neuron in layer.neurons for w in neuron.w]
    picture = draw(net, x=[0.5, -1.0], r=[1.0])
    written = {text.replace("−", "-") for text in texts(picture.pipe(encoding="utf-8"))}
    assert {"b -0.25", *[f"{w.data:#.3g}" for w in weights]} <= written
    assert {f"∂ {slope:#.3g}" for slope in grad(cost, weights)} <= written
    assert {f"δ {delta:#.3g}" for delta in grad(cost, [z for z in nodes(cost) if z.op == "dot"])} <= written
    assert not overlap({name: box for name, box in read(picture.source).boxes().items() if not name.endswith("_")})


@pytest.mark.parametrize(
    ("thing", "options", "words"),
    [
        (MLP(2, [1]), {"x": [1.0]}, "2 inputs"),
        (MLP(2, [1]), {"x": [1.0, 2.0], "r": [1.0, 2.0]}, "one target per output|1 output"),
        (MLP(2, [1]), {"r": [1.0]}, "give the sample's inputs too"),
        (MLP(2, [1]), {"x": [1.0, 2.0], "edges": "gradients"}, "give desired outputs too"),
        (MLP(2, [1]), {"edges": "a"}, "'weights' or 'gradients'"),
        (Perceptron([1], 0), {"x": [1], "r": 1}, "leave out r"),
        (Value(1.0), {"x": [1]}, "draw it without them"),
        (Value(1.0), {"direction": "RL"}, "'LR' or 'TB'"),
        (Value(1.0), {"limit": 0}, "at least 1"),
        ([1.0], {}, "give a Value, a list of Values, a net, or a compiled"),
    ],
)
def test_what_does_not_fit_is_refused(thing, options, words):
    """With what to do."""
    with pytest.raises((ValueError, TypeError), match=words):
        draw(thing, **options)


# The program that `compile` made.


def test_a_compiled_function_shows_how_weights_meet_vectors():
    """A net: a vector a layer, with the lecture's names; shared weights: all their vectors in one product. Too many
    arrays are counted instead, as in a function without any structure.
    """
    net = MLP(6, [4, 3, 1], seed=1)
    boxes = [a["label"] for _, a in read(draw(compile(lambda x, r: quadratic(net(x), r), 6, 1)).source).nodes]
    assert {r"A1: 4 × 6\n24 parameters", r"y3: K\nsigmoid\nfor 1 scalar"} <= set(boxes)
    assert r"z2: 3 × K\n3 × 5 weights meet 1 vector\nfor 3 sums of 5 products" in boxes
    weights = [Value(0.1 * j) for j in range(3)]  # a convolution: 4 windows of 3 numbers
    fast = compile(lambda x: sum([dot(weights, x[i : i + 3]).tanh() for i in range(4)]), 6)
    picture = draw(fast)
    assert str(fast).splitlines()[1].split(",")[0] in picture.source, "one count, wherever it is told"
    boxes = [a["label"] for _, a in read(picture.source).nodes]
    product = r"z1: 4 × K\n1 × 3 weights meet 4 vectors\nfor 4 sums of 3 products"
    assert {r"3 × 4 × K\ntaken from 6 × K", product, r"y1: 4 × K\ntanh\nfor 4 scalars"} <= set(boxes)
    counted = draw(fast, limit=3).source
    assert "too many arrays to draw" in counted
    assert "1 × 3 weights meet 4 vectors" in counted


# A graphviz.Digraph.


@pytest.fixture
def no_dot(monkeypatch, tmp_path):
    """A machine without Graphviz; graphviz-pure is found beside this Python."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_render_without_a_system_dot(kind, no_dot, tmp_path, capfd):
    """SVG and PNG, into a file, into bytes, and in a notebook; and the renderer's remarks are not passed on."""
    picture = PICTURES[kind]()
    assert list(picture._repr_mimebundle_()) == ["image/svg+xml"]
    assert picture.pipe().startswith(b"<?xml")
    assert Path(picture.render(tmp_path / "net", format="png")).read_bytes().startswith(b"\x89PNG")
    assert Path(picture.render(outfile=tmp_path / "other.svg")).exists()
    assert capfd.readouterr() == ("", "")


def test_the_systems_dot_is_preferred(monkeypatch, tmp_path):
    """What is on the PATH renders, even beside graphviz-pure; and graphviz itself is left as it was."""
    program = tmp_path / ("dot.bat" if os.name == "nt" else "dot")
    program.write_text("@echo dot was here\n" if os.name == "nt" else f"#!{sys.executable}\nprint('dot was here')\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    assert draw(Value(1.0)).pipe(encoding="utf-8").strip() == "dot was here"
    monkeypatch.setattr(dot_command, "DOT_BINARY", Path(sys.executable))
    with pytest.raises(graphviz.CalledProcessError):  # a user's own choice is used
        draw(Value(1.0)).pipe()


def test_without_a_renderer_the_error_says_what_to_install(no_dot, monkeypatch, tmp_path):
    """For any format, or for one that graphviz-pure does not make. The source is still there."""
    picture = draw(Value(1.0, label="x"))
    for render in (picture.pipe, lambda format: picture.render(tmp_path / "x", format=format)):
        with pytest.raises(graphviz.ExecutableNotFound, match=r"no 'pdf', but svg, png.*install Graphviz"):
            render(format="pdf")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    for render in (picture.pipe, picture._repr_mimebundle_, lambda: picture.render(tmp_path / "x")):
        with pytest.raises(graphviz.ExecutableNotFound, match=r"pip install microgradnet\[dot\].*install Graphviz"):
            render()
    assert "x = 1" in picture.source
    assert str(dot_command.DOT_BINARY) == "dot"


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_can_be_copied_pickled_and_added_to(kind):
    """As every Digraph, with all it can do; also where the layout was ours."""
    picture = PICTURES[kind]()
    for twin in (picture.copy(), copy.deepcopy(picture), pickle.loads(pickle.dumps(picture))):
        assert (twin.source, type(twin)) == (picture.source, type(picture))
        assert twin._play is None or twin._play() == picture._play()
        twin.edge("a note", read(picture.source).nodes[0][0])
        assert "a note" in texts(twin.pipe(encoding="utf-8"))
