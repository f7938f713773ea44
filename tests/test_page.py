"""The live page computes what the engine does: first what is written, then the page itself in Chromium.

The oracles are the engine, on the same graph recorded again at the page's leaves, and the table's rows. No page may
complain on the console or ask for another address: the fixture `opened` looks at that after every test.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import random
import re
from pathlib import Path

import browser as chromium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import Maker, random_graph

from microgradnet import MLP, Value, cross_entropy, dot, draw, grad, jvp, maximum, minimum, nodes, ops, quadratic, train
from microgradnet.drawing.text import short
from microgradnet.graph import rule_of, topological_order


def expression() -> Value:
    w, x = Value(-0.5, label="w"), Value(2.0, label="x")
    y = (w * x + x * x).tanh()
    y.label = "y"
    return y


def net_cost(sizes: tuple[int, ...] = (2, 3, 2, 1)) -> tuple[Value, MLP]:
    net = MLP(sizes[0], sizes[1:], seed=1)
    cost = quadratic(net([0.5, -1.0]), [1.0] * sizes[-1])
    cost.label = "C"
    return cost, net


# What is written.


@settings(max_examples=25)
@given(st.text(max_size=20), st.sampled_from(["{}", "</script><script>{}</script>", "<!--{}<script>"]))
def test_no_label_leaves_its_place_in_the_page(tmp_path_factory, text, around):
    """The page without its data is the same page, whatever the label; and the data hold the label."""
    path, label = tmp_path_factory.getbasetemp() / "steps.html", around.format(text)
    pages = [Path(draw(Value(1.0, name) * 2).steps(path)).read_text("utf-8") for name in (label, "plain")]
    (start, data, end), plain = [re.split(r'(?<=id="data">)(.*?)(?=</script>)', page, maxsplit=1) for page in pages]
    assert (start, end) == (plain[0], plain[2])
    if label.isprintable():
        assert json.loads(data)["nodes"][0]["label"] == label


def test_what_has_no_steps_says_so(tmp_path):
    """A net, several results, a folded graph."""
    net = MLP(2, [2])
    for picture in (draw(net), draw(net([1.0, 2.0])), draw(net_cost()[0], limit=3)):
        with pytest.raises(ValueError, match="only a graph that is drawn in full, with one result"):
            picture.steps(tmp_path / "none.html")


# In a browser.

NODES = """[...document.querySelectorAll("g.node")].map(group => ({
  classes: [...group.classList], title: group.querySelector("title").textContent,
  lines: [...group.querySelectorAll("text")].map(text => text.textContent)}))"""
EDGES = """[...document.querySelectorAll("g.edge:has(path)")].map(group => ({
  classes: [...group.classList], title: group.querySelector("title").textContent,
  ends: [...group.querySelectorAll("polygon")].filter(p => getComputedStyle(p).display !== "none").map(p => p.classList[0])}))"""
PHASE = 'document.getElementById("phase").textContent'


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if chromium.PATH is None:
        pytest.skip(chromium.WHY_NOT)
    browser = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of a graph, at a step if one is given, in a browser that it gives back."""

    def open_page(root: Value, step: int = 0, direction: str = "LR") -> chromium.Browser:
        browser.open(f"file://{draw(root, direction).steps(tmp_path / 'steps.html')}#{step}")
        return browser

    yield open_page
    assert browser.complaints() == []
    assert set(browser.requests()) <= {f"file://{tmp_path / 'steps.html'}"}


def text(browser, selector: str) -> str:
    return browser.ask(f"document.querySelector({json.dumps(selector)}).textContent")


def exact(thing: dict, what: str) -> float | None:
    """A number from what hovering shows, with all its digits."""
    found = re.search(rf"^{what}.* = (\S*)$", thing["title"], re.MULTILINE)
    return float(found[1].replace("∞", "inf")) if found else None


# The numbers.

EXACT: list[Maker] = [  # IEEE 754 leaves no choice of the last digit
    lambda a, b, c: a + b,
    lambda a, b, c: a - b * 0.5,
    lambda a, b, c: a * b,
    lambda a, b, c: a / (b * b + 0.5),
    lambda a, b, c: (a * a + 0.25).sqrt(),
    lambda a, b, c: -abs(a),
    lambda a, b, c: a.relu() + b.step(),
    lambda a, b, c: maximum(a, b) - minimum(b, c),
    lambda a, b, c: dot([a, b, c, a], [b, -0.25, 1.7, -b], bias=a),  # sums whose order shows, as do digits lost by it
    lambda a, b, c: dot([a, b, c], [0.3, 0.7, c / (c * c + 1.0)], bias=a + b),
]
ALL = [
    *EXACT,
    lambda a, b, c: (a * b).tanh(),
    lambda a, b, c: a.tanh().exp(),
    lambda a, b, c: a.tanh().sigmoid() ** b.sigmoid(),
    lambda a, b, c: (a * a + 0.1).log(),
    lambda a, b, c: a.softplus() * b.tanh() ** 3,
    lambda a, b, c: a.sin() + b.cos(),
    lambda a, b, c: cross_entropy(a.sigmoid(), 0.25) * b,
]
ROUNDED_ALIKE = {"", "constant", "+", "-", "*", "/", "neg", "sqrt", "relu", "step", "abs", "maximum", "minimum", "dot"}


def how_far_apart(results: list[Value]) -> dict[Value, float]:
    """How much the page and the engine may differ in each Value under the results.

    They compute the same operations in the same order. exp, tanh and their kin come from two libraries: 4 ulp. What
    IEEE 754 rounds is alike for equal operands; for others it adds an ulp. The local derivatives pass on a difference of
    the operands. So operations that round alike must agree bit for bit, and others to 4 ulp times the condition number.
    """
    apart: dict[Value, float] = {}
    for node in nodes(*results):
        passed_on = sum(abs(slope) * apart[p] for slope, p in zip(node.partials, node.parents, strict=True))
        ulps = 4 if node.op not in ROUNDED_ALIKE else 1 if passed_on else 0
        apart[node] = passed_on + ulps * math.ulp(node.data)
    return apart


@pytest.mark.parametrize("made", [EXACT, ALL], ids=["rounded alike", "all"])
def test_random_changes_of_random_graphs_give_the_engines_numbers(opened, made):
    """Data, partials, gradients and one leaf's tangents: exact on hover, within `how_far_apart`, and rounded in the picture."""
    rng = random.Random(1)
    for seed in range(6):
        root, every = random_graph(seed, made)
        asked = [i for i, node in enumerate(every) if node.op != "constant"]  # nobody asks a constant's gradient
        leaves = [i for i in asked if not every[i].parents]
        browser = opened(root)
        for _ in range(2):
            root, now = random_graph(seed, made, [rng.uniform(-3.0, 3.0) for _ in range(4)])
            chosen = rng.choice(leaves)
            browser.ask(f"{[[i, now[i].data] for i in leaves]}.forEach(([i, x]) => set(i, x)); choose({chosen})")
            browser.press("End")
            shown, edges = browser.ask(NODES), browser.ask(EDGES)
            browser.press("m", "End")
            moving = browser.ask(NODES)
            browser.press("m")

            gradients = grad(root, [now[i] for i in asked], create_graph=True)
            tangents = jvp(now, {now[chosen]: 1.0}, create_graph=True)
            slopes = [slope for node in topological_order(root) for slope in rule_of(node, node.parents, node)]
            found = [exact(node, "data") for node in shown] + [exact(shown[i], "grad") for i in asked]
            found += [exact(node, "tangent") for node in moving] + [exact(edge, "∂") for edge in edges]
            wanted = [x if isinstance(x, Value) else Value(x) for x in now + gradients + tangents + slopes]
            apart = how_far_apart(wanted)
            assert made is ALL or not any(apart.values()), "bit for bit"
            for mine, engines in zip(found, wanted, strict=True):
                assert abs(mine - engines.data) <= apart[engines]
            assert all(short(node.data) in drawn["lines"] for node, drawn in zip(now, shown, strict=True))
            assert [shown[i]["lines"][-1][2:] for i in asked] == [short(gradient.data) for gradient in gradients]


POINTS = [0.0, 1e-300, 1e-9, 0.3, 0.5, 1.0, 1.5, 2.0, 20.0, 36.8, 345.0, 700.0, 709.5, 710.0, 1e5, math.inf]


def test_each_operation_is_the_tables_in_the_tails_and_at_the_edges(opened):
    """Value and partials to 4 ulp of the row's at each pair of points; outside the domain an error in both."""
    points = [sign * x for x in POINTS for sign in (1.0, -1.0)]
    rows = [ops.named(name) for name in [*sorted(set(ops.TABLE) - {"dot"}), "**3", "**0.5", "**-2", "detach"]]
    made = [op(*[Value(0.5)] * (op.partials.__code__.co_argcount - 1)) for op in rows]
    root = sum(made, Value(0.0))
    browser, number = opened(root), {node: i for i, node in enumerate(nodes(root))}

    def engines(op, place):
        found: list[float] = []
        with contextlib.suppress(ValueError, ArithmeticError):
            found.append(op.value(*place))
            found += op.partials(*place, *found)
        return found

    for op, node in zip(rows, made, strict=True):
        places = list(itertools.product(points, repeat=len(node.parents)))
        pages = browser.ask(
            f"(({{value, partials}}) => {json.dumps(places)}.map(x => {{ const found = []; "
            "try { found.push(value(...x)); found.push(...partials(...x, ...found)) } catch {} return found.map(String) }))"
            f"(operations[N[{number[node]}].operation])"
        )
        for place, found in zip(places, pages, strict=True):
            numbers, wanted = [float(x) for x in found], engines(op, place)
            assert len(numbers) == len(wanted), (op, place, numbers, wanted)
            assert all(map(within_4_ulp, numbers, wanted)), (op, place, numbers, wanted)


def within_4_ulp(a: float, b: float) -> bool:
    return a == b or (a != a and b != b) or abs(a - b) <= 4 * math.ulp(max(abs(a), abs(b), 1e-300))


def test_numbers_are_written_as_python_writes_them(opened):
    """Rounded, with ties to the even digit, and exact; a sum or product of rounded numbers that is not theirs with ≈."""
    browser, rng = opened(expression()), random.Random(2)
    numbers = [0.0, -0.0, 1.0, 0.5, 12345.0, 12355.0, 9999.5, 99995.0]
    numbers += [1e-5, 1e-4, 1e15, 1e16, 5e-324, 2.0**-14, 1.7e308]
    numbers += [rng.uniform(-1, 1) * 10 ** rng.uniform(-20, 20) for _ in range(500)]
    found = browser.ask(f"{json.dumps(numbers)}.map(x => [short(x), exact(x)])")
    assert found == [[short(x), repr(x)] for x in numbers]
    assert "=" in browser.ask("resultOf('×', 1e-7, 3, 3e-7)")
    assert "≈" in browser.ask("resultOf('+', 1 / 3, 1 / 3, 2 / 3)")


# The steps.


def test_the_arrow_keys_play_the_passes(opened):
    """Data appear node by node, then gradients, each node lit in the engine's order, edges pointing where numbers flow."""
    root, _ = net_cost((2, 2, 1))
    browser, order = opened(root, direction="TB"), topological_order(root)
    place = {node: i for i, node in enumerate(nodes(root))}
    shown = browser.ask(NODES)
    assert ["waiting" in node["classes"] for node in shown] == [bool(node.parents) for node in place]
    assert not any("grad" in node["title"] for node in shown)
    walk = [("forward", node) for node in order] + [("backward", root)] + [("backward", node) for node in order[::-1]]
    for step, (way, current) in enumerate(walk, 1):
        browser.press("ArrowRight")
        shown, edges = browser.ask(NODES), browser.ask(EDGES)
        assert [i for i, node in enumerate(shown) if way in node["classes"]] == [place[current]]
        flowing = [edge for edge in edges if way in edge["classes"]]
        if step != len(order) + 1:
            assert len(flowing) == len([p for p in current.parents if way == "forward" or p.op != "constant"])
        for edge in edges:
            assert edge["ends"] == (["tail"] if way == "backward" and edge in flowing else ["head"])
        assert sum("waiting" in node["classes"] for node in shown) == len(order) - min(step, len(order))
    browser.press("ArrowRight")
    assert browser.ask("location.hash") == f"#{len(walk)}", "the end is the end"


def hurry(browser) -> None:
    """Give the page a clock that is 20 times as fast."""
    browser.ask("(slow => { window.setInterval = (f, ms) => slow(f, ms / 20); })(setInterval)")


def test_buttons_keys_slider_and_address_go_to_any_step(opened):
    """And back again: a step shows the same, wherever one comes from. Space plays and pauses."""
    browser = opened(expression(), step=3)
    third = browser.ask(NODES)
    slide = 'find("slider").value = 3; find("slider").dispatchEvent(new Event("input"))'
    for go, phase in (
        (lambda: browser.press(" ", " "), "forward 4 of 4"),  # one step at once
        (lambda: [hurry(browser), browser.press(" ")], "backward 4 of 4"),  # then one after the other
        (lambda: browser.click("#first"), "start"),
        (lambda: browser.click("#last"), "backward 4 of 4"),
        (lambda: browser.press("Home"), "start"),
        (lambda: browser.click("#on"), "forward 1 of 4"),
        (lambda: browser.ask(slide), "forward 3 of 4"),
        (lambda: browser.press("End", "ArrowLeft"), "backward 3 of 4"),
        (lambda: browser.click("#back"), "backward 2 of 4"),
        (lambda: browser.ask("location.hash = '#3'; undefined"), "forward 3 of 4"),
    ):
        go()
        browser.wait_for(f'{PHASE} === "{phase}" && find("play").textContent === "Play"')
        assert phase != "forward 3 of 4" or browser.ask(NODES) == third


def test_the_keyboard_alone_suffices(opened):
    """A leaf is chosen, typed with a point or a comma, moved by arrows and by its slider; focus found by Tab; an update."""
    browser = opened(expression())
    w, x = (f"scene.nodes.findIndex(n => n.name === '{name}')" for name in "wx")
    browser.press("End")
    assert True in (browser.press("n") or browser.ask(f"chosen === {x}") for _ in range(2))
    browser.press("ArrowUp", "ArrowUp", "ArrowDown")
    assert browser.ask(f"data[{x}]") == 2.1
    assert "number" in (browser.press("Tab") or browser.ask("document.activeElement.id") for _ in range(30))
    browser.type("-0,75")
    assert browser.ask(f"data[{x}]") == -0.75
    browser.type("no")
    assert browser.ask('document.activeElement.getAttribute("aria-invalid")') == "true"
    assert browser.ask(f"data[{x}]") == -0.75, "what is no number changes nothing"
    browser.press("Tab", "ArrowRight")
    assert browser.ask(f"document.activeElement.id === 'value' && data[{x}] > -0.75")
    browser.ask("document.activeElement.blur()")
    browser.press("0", "t")
    browser.type("0,25")
    browser.press("Enter", "u")
    slope_w = 2.0 / math.cosh(-0.5 * 2.0 + 4.0) ** 2
    assert math.isclose(browser.ask(f"data[{w}]"), -0.5 - 0.25 * slope_w, rel_tol=1e-12)
    browser.press("m")
    assert browser.ask(PHASE) == "forward mode 4 of 4"


def test_the_list_of_leaves_keeps_only_its_own_keys(opened):
    """The arrows choose in it; all others are the page's."""
    browser = opened(expression())
    browser.ask("find('leaf').focus()")
    browser.press("ArrowDown")
    assert browser.ask("[N[chosen].name, data[chosen]]") == ["x", 2.0]
    browser.press("u", "Home", "ArrowRight")
    assert browser.ask("[costs.length, current]") == [2, 1]
    browser.press("Escape")
    assert browser.ask("document.activeElement === document.body")


def deltas(root: Value, layer: str) -> str:
    return f"({', '.join(short(node.grad) for node in nodes(root) if node.label.startswith(f'z{layer}'))})"


def said_of_layers(browser) -> dict[str, str]:
    """What stands beside each step, by kind and number of the layer if it has one; and the same numbers as node by node at the end."""
    browser.press("End")
    node_by_node = [node["title"] for node in browser.ask(NODES)]
    browser.press("l")
    told = browser.ask(f"steps.map((_, k) => (show(k), [{PHASE}, find('story').innerText]))")
    assert [node["title"] for node in browser.ask(NODES)] == node_by_node
    found = [(re.sub(r" \d+ of \d+, layer", "", phase), words) for phase, words in told]
    assert len(dict(found)) == len(found), "a layer is one step"
    return dict(found)


@pytest.mark.parametrize(
    ("hidden", "output", "cost", "y", "delta"),
    [
        ("relu", "sigmoid", quadratic, "σ(z⁽³⁾)", "σ′(z⁽³⁾) ⊙ ∂C/∂y⁽³⁾"),
        ("tanh", "linear", quadratic, "z⁽³⁾", "∂C/∂z⁽³⁾"),
        ("sigmoid", "tanh", quadratic, "tanh(z⁽³⁾)", "tanh′(z⁽³⁾) ⊙ ∂C/∂y⁽³⁾"),
        ("softplus", "sigmoid", cross_entropy, "σ(z⁽³⁾)", "y⁽³⁾ − r: σ′ cancels"),
        ("relu", "sigmoid", lambda y, r: cross_entropy(y, r) * 0.5, "σ(z⁽³⁾)", "∂C/∂c · (y⁽³⁾ − r)"),
    ],
)
def test_the_formulas_of_a_layer_are_those_of_its_operations(opened, hidden, output, cost, y, delta):
    """One step a layer, in the lecture's order, with dead neurons of relu too; σ stands for the sigmoid alone; the miracle
    where there is one.
    """
    net = MLP(2, [3, 2, 1], hidden, output, seed=1)
    outputs = net([0.5, -1.0])
    root = cost(outputs, [1.0])
    root.label = "C"
    root.backward()
    said = said_of_layers(opened(root))
    layers = [step for step in said if re.fullmatch(r"\w+ \d", step)]
    assert layers == ["forward 1", "forward 2", "forward 3", "backward 3", "backward 2", "backward 1"]
    name = {"sigmoid": "σ"}.get(hidden, hidden)
    for q, this, above, inputs in ((1, "⁽¹⁾", "⁽²⁾", "x"), (2, "⁽²⁾", "⁽³⁾", "y⁽¹⁾")):
        assert f"z{this} = A{this} {inputs} + b{this}, y{this} = {name}(z{this})" in said[f"forward {q}"]
        assert f"δ{this} = {name}′(z{this}) ⊙ (A{above})ᵀ δ{above}," in said[f"backward {q}"]
        assert f"δ{this} = {deltas(root, this)}" in said[f"backward {q}"]
    assert f"y⁽³⁾ = {y}\n" in said["forward 3"]
    assert f"δ⁽³⁾ = {delta}," in said["backward 3"]
    if output == "sigmoid":
        assert f"y⁽³⁾ = ({short(outputs.data)})" in said["forward 3"]


def test_a_batch_has_a_delta_for_each_sample(opened):
    """With its k, as ∂C/∂y and the frames have; operations between layers are counted by name."""
    net = MLP(2, [2, 1], seed=1)
    costs = [quadratic(net([0.5, k]), 1.0) for k in (1.0, 2.0, 3.0)]
    root = costs[0] + costs[1] + costs[2]
    root.backward()
    browser = opened(root)
    assert "layer 2, k = 3" in text(browser, "#graph svg")
    said = said_of_layers(browser)
    assert "3 × ‘**2’" in said["backward 1 of 3"]
    assert "∂C/∂A⁽¹⁾ = Σₖ δ⁽¹⁾ xᵀ" in said["backward 1"]
    for k, cost in enumerate(costs, 1):
        assert f"k = {k}: ∂C/∂y⁽²⁾₁" in said["backward 1 of 3"]
        assert f"k = {k}: δ⁽¹⁾ = {deltas(cost, '⁽¹⁾')}" in said["backward 1"]


def test_other_weights_or_inputs_change_the_formulas(opened):
    hidden, last = MLP(2, [2, 1], seed=1).layers
    y = hidden([0.5, 1.0])
    said = said_of_layers(opened(quadratic(last([y[0], y[1] * 2.0]), 1.0) + hidden.neurons[0].w[0] ** 2))
    assert "z⁽²⁾ = A⁽²⁾ inputs + b⁽²⁾" in said["forward 2"]
    assert "⊙ ∂C/∂y⁽¹⁾" in said["backward 1"]
    assert "∂C/∂A⁽¹⁾ gets δ⁽¹⁾ xᵀ" in said["backward 1"]


def test_formulas_stand_beside_the_numbers_and_speak_of_no_leaf_by_mistake(opened):
    """And on hover, over an edge or its number. Their letters are the operands'; none of them is a label."""
    browser, formula = opened(expression(), step=6), "∂tanh(u)/∂u = 4 σ(2 u) σ(−2 u)"
    assert formula in text(browser, "#story")
    assert any(formula in edge["title"] for edge in browser.ask(EDGES))
    numbers = "[...document.querySelectorAll('g.edge:not(:has(path)) title')].map(title => title.textContent)"
    assert browser.ask(numbers) == [edge["title"] for edge in browser.ask(EDGES)]
    opened(Value(2.0, label="u") * Value(-3.0, label="v")).press("End")
    assert "to u = 2: ∂(c s)/∂c = s = −3;" in text(browser, "#story")


def test_the_counter_counts_one_backward_sweep_against_a_forward_sweep_per_leaf(opened):
    """In multiplications: backward one an edge, but for constants, and forward one an edge that the leaf moves."""
    cost, net = net_cost((2, 2, 1))
    browser, n = opened(cost), len(net.parameters())
    tails = [set(nodes(parent)) for node in nodes(cost) for parent in node.parents if parent.op != "constant"]
    moved = sum(leaf in below for leaf in net.parameters() for below in tails)
    browser.press("End", "m", "End", *"n" * len([node for node in nodes(cost) if not node.parents]))
    counted = text(browser, "#counter")
    assert f"Backward mode: 1 sweep, {len(tails)} multiplications, {n} of {n} derivatives" in counted
    assert f"Forward mode: {n} sweeps, {moved} multiplications, {n} of {n} derivatives" in counted


# Gradient descent.


def test_ten_updates_are_ten_steps_of_the_engine(opened):
    """a ← a − Δt ∂C/∂a on all parameters, and the curve of C."""
    cost, net = net_cost()
    browser, parameters = opened(cost), net.parameters()
    place = {node: i for i, node in enumerate(nodes(cost))}
    browser.press(*"u" * 10)
    found, costs = browser.ask("[data, costs]")
    epochs = list(train(net, [[0.5, -1.0]], [[1.0]], learning_rate=0.5, epochs=10, compiled=False))
    wanted = [p.data for p in parameters] + [epoch.cost for epoch in epochs]
    assert [found[place[p]] for p in parameters] + costs[:10] == pytest.approx(wanted, rel=1e-12)
    assert "10 updates" in text(browser, "#curve")


@pytest.mark.parametrize(
    ("make", "step", "updates", "said"),
    [
        (lambda w: w * w, "1.1", [10], "It diverges: .* in 10 updates running. Δt = 1.1 is too large"),
        (lambda w: w * w, "16.3", [3], "It diverges: .* in 3 updates running. Δt = 16.3 is too large"),
        (lambda w: w.log(), "1", [1], "Diverged in update 1: ‘log’ has no value at 0: .* Δt = 1 is too large"),
        (lambda w: w - w * w, "0.5", range(5, 40), "falls without bound, .* it is no cost"),
        (lambda w: (w * w - 2.0) ** 2, "0.225", range(50, 500), "not fallen below .* in 50 .* Δt = 0.225 is too large"),
        (lambda w: (w - 1.0) ** 2, "1", [1], "No progress: the gradients are 0"),
        (lambda w: (w * 400.0).sigmoid(), "1000", [1], "No progress: the gradients are too small"),
        (lambda w: w * 1.0, "50", range(5, 99), "falls without bound"),
        (lambda w: w * math.nan, "1", [0], "^The result is NaN: Reset, or change a leaf.$"),
    ],
)
def test_what_diverges_or_goes_nowhere_stops_and_says_why(opened, make, step, updates, said):
    """As soon as it is clear; a Δt is blamed only where a smaller one would help. Reset goes back to the start."""
    browser = opened(make(Value(1.0, label="w")))
    hurry(browser)
    browser.ask(f"find('delta').value = '{step}'")
    browser.press("r")
    browser.wait_for("runner === null")
    assert browser.ask("costs.length - 1") in updates
    assert re.search(said, text(browser, "#message"))
    browser.press("0")
    assert text(browser, "#message") == ""
    assert browser.ask("data[chosen]") == 1.0


def test_a_held_leaf_stays(opened):
    """The story says that all labelled leaves move; `h` holds the chosen one. Of a net the data are held from the start."""
    browser = opened(expression())
    assert "Update moves all of w, x: hold (h)" in text(browser, "#story")
    browser.press("n", "h", "u")
    assert "x (held)" in text(browser, "#leaf")
    assert browser.ask("leaves.map(i => N[i].name + (data[i] === recorded[i]))") == ["wfalse", "xtrue"]
    browser.press("h", "u")
    assert browser.ask("data[chosen]") != 2.0
    cost, net = net_cost()
    assert opened(cost).ask("trained.size") == len(net.parameters())


# What is said.


def test_outside_a_domain_the_page_says_where_it_stops(opened):
    """The operation, its operand, and where it is defined; changing the leaf back is enough. No slope: no backward pass."""
    browser = opened(Value(2.0, label="x").log() + 1, step=9)
    browser.ask("set(chosen, -1)")
    assert browser.ask(PHASE) == "stopped"
    assert "‘log’ has no value at −1: it is defined where its operand is positive" in text(browser, "#story")
    browser.ask("set(chosen, 3)")
    browser.press("End")
    assert browser.ask(PHASE) == "backward 2 of 2"
    opened(Value(0.0, label="x").sqrt() + 1).press("End")
    assert "no backward pass: ‘sqrt’ has no derivative at 0" in text(browser, "#story")


def test_an_operation_of_a_users_own(opened, monkeypatch):
    """With an expression for its value it computes; without one it keeps the recorded numbers, its leaves too, and says so."""
    monkeypatch.setattr(ops, "TABLE", {**ops.TABLE})
    cube = ops.row("cube of mine", lambda x: x * x * x, None, lambda x, y: (3.0 * x * x,))
    erf = ops.row("<erf>", math.erf, None, lambda x, y: (2.0 / math.sqrt(math.pi) * ops.exp(-x * x),))
    y = erf(Value(0.5, label="a")) + cube(Value(2.0, label="b"))
    browser = opened(y)
    assert "no formula for ‘<erf>’" in text(browser, "#story")
    browser.ask("leaves.forEach(i => set(i, 9))")
    browser.press("End")
    shown = browser.ask(NODES)
    assert [exact(node, "data") for node in shown] == [0.5, math.erf(0.5), 9.0, 729.0, math.erf(0.5) + 729.0]
    assert [exact(shown[i], "grad") for i in (0, 2)] == [y.parents[0].partials[0], 243.0]
    assert "cannot be updated" in text(browser, "#message")


def test_what_was_assigned_after_recording_is_computed_again(opened):
    """The page shows the leaf's present number and what follows from it, and says so."""
    y = Value(1.0, label="w") * 2
    y.parents[0].data = 5.0
    assert "computed again" in text(opened(y), "#story")
    assert opened(y).ask("data[root]") == 10.0


def test_a_label_is_text_in_the_page(opened):
    """Markup in a label is shown, not obeyed, and nothing of it runs; nor does any script but the page's own."""
    evil = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><!--"
    x = Value(2.0, label=evil)
    y = cross_entropy((x * x).sigmoid(), 1)
    y.label = "<svg onload=window.hacked=1>"
    browser = opened(y)
    browser.press("n", "m", "End", "u", "m", "Home", "ArrowRight")
    assert evil in browser.ask(NODES)[0]["title"]
    assert browser.complaints() == []
    browser.ask("document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked = 1'}))")
    assert browser.ask("window.hacked === undefined")
    browser.events.clear()  # the browser has complained of that one


# The room there is.


def test_a_small_net_and_its_text_are_on_the_screen(opened):
    """2-3-2-1 at 1366 × 700: nothing scrolls at any step, and numbers are at least 11.5 pixels high."""
    browser = opened(net_cost()[0])
    for key in ("", "l", "m"):
        browser.press(*key)
        assert browser.ask(
            "steps.flatMap((_, k) => (show(k), ['graph', 'story'].map(find).concat(document.documentElement, "
            "document.querySelector('aside')).every(e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight)"
            " ? [] : [steps[k].phase]))"
        ) == []  # fmt: skip
    assert browser.ask("14 * svg.getScreenCTM().a") >= 11.5


def test_a_caption_fits_whatever_font_there_is(browser, tmp_path):
    """A picture of one small node, in a font as wide as any that may stand in for Helvetica."""
    browser.open(f"file://{draw(Value(1.0)).render(outfile=tmp_path / 'small.svg')}")
    right_ends = browser.ask(
        '[...document.querySelectorAll("text")].map(text => { text.style.fontFamily = "DejaVu Sans, Verdana, sans-serif";'
        "return text.getBBox().x + text.getBBox().width; })"
    )
    assert max(right_ends) < browser.ask("document.documentElement.viewBox.baseVal.width")
