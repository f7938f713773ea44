"""The live page computes what the engine does: first what is written, then the page itself in a browser."""

from __future__ import annotations

import json
import math
import random
import re
from fractions import Fraction
from pathlib import Path

import browser as chromium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import random_graph

from microgradnet import MLP, Value, cross_entropy, dot, draw, grad, jvp, nodes, ops, quadratic
from microgradnet.drawing.text import short
from microgradnet.graph import topological_order, value_of


def scene(page: str) -> dict:
    """The data in a page."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


def page_of(value: Value, folder: Path, direction: str = "LR") -> str:
    return draw(value, direction).steps(folder / "steps.html")


def written(value: Value, folder: Path) -> str:
    return Path(page_of(value, folder)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("steps")


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
@given(st.text(max_size=20))
@pytest.mark.parametrize("around", ["{}", "</script><script>{}</script>", "<!--{}<script>"])
def test_no_label_leaves_its_place_in_the_page(folder, around, label):
    """The page without its data is the same page, whatever the label; and the data hold the label."""
    page = written(Value(1.0, label=around.format(label)) * 2, folder)
    plain = written(Value(1.0, label="plain") * 2, folder)
    start, end = page.index('id="data">'), page.index("</script>")
    assert page[:start] == plain[:start]
    assert page[end:] == plain[plain.index("</script>") :]
    if label.isprintable():
        assert scene(page)["nodes"][0]["label"] == around.format(label)


def test_what_has_no_steps_says_so(folder):
    """A net, several results, a folded graph."""
    net = MLP(2, [2])
    for picture in (draw(net), draw(net([1.0, 2.0])), draw(net_cost()[0], limit=3)):
        with pytest.raises(ValueError, match="only a graph that is drawn in full, with one result"):
            picture.steps(folder / "none.html")
    assert not (folder / "none.html").exists()


# In a browser.


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if chromium.PATH is None:
        pytest.skip(chromium.WHY_NOT)
    browser = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


NODES = """[...document.querySelectorAll("g.node")].map(group => ({
  classes: [...group.classList], title: group.querySelector("title").textContent,
  lines: [...group.querySelectorAll("text")].map(text => text.textContent)}))"""
LIT = """[...document.querySelectorAll("g.edge:has(path)")].map(group => ({
  classes: [...group.classList], title: group.querySelector("title").textContent,
  ends: [...group.querySelectorAll("polygon")].filter(p => getComputedStyle(p).display !== "none").map(p => p.classList[0])}))"""
PHASE = 'document.getElementById("phase").textContent'


def text(browser, selector: str) -> str:
    return browser.ask(f"document.querySelector({json.dumps(selector)}).textContent")


def close(a: float, b: float, ulps: int = 4) -> bool:
    return a == b or (a != a and b != b) or abs(a - b) <= ulps * math.ulp(max(abs(a), abs(b), 1e-300))


def exact(node: dict, what: str) -> float | None:
    """A number from what hovering shows."""
    found = re.search(rf"^{what} = (.*)$", node["title"], re.MULTILINE)
    return float(found[1].replace("∞", "inf")) if found else None


def recorded_again(order: list[Value], numbers: dict[Value, float]) -> dict[Value, Value]:
    """The same graph on other leaves, recorded by the engine."""
    now = {leaf: Value(number) for leaf, number in numbers.items()}
    for node in order:
        operands = [now[parent] for parent in node.parents]
        n = len(operands) // 2
        now[node] = dot(operands[:n], operands[n + 1 :], operands[n]) if node.op == "dot" else node.op(*operands)
    return now


def test_random_changes_of_random_graphs_give_the_engines_numbers(browser, folder):
    """What is shown: all digits of the engine's. On hover: each number is, to 4 ulp, what the row makes of its operands."""
    rng = random.Random(1)
    for seed in range(12):
        root, every = random_graph(seed)
        order = topological_order(root)
        place = {node: i for i, node in enumerate(every)}
        browser.open(f"file://{page_of(root, folder)}")
        browser.press("End")
        for _ in range(4):
            leaves = [node for node in every if not node.parents]
            for leaf in rng.sample(leaves, rng.randint(1, len(leaves))):
                browser.ask(f"set({place[leaf]}, {rng.uniform(-3.0, 3.0)!r})")
            shown = dict(zip(every, browser.ask(NODES), strict=True))
            numbers = {node: exact(shown[node], "data") for node in every}
            now = recorded_again(order, {leaf: numbers[leaf] for leaf in leaves})
            for node in order:
                assert close(numbers[node], value_of(node, [numbers[parent] for parent in node.parents]))
            gradients = dict(zip(every, grad(now[root], [now[node] for node in every]), strict=True))
            for node in every:
                assert short(now[node].data) in shown[node]["lines"]
                if node.op != "constant":
                    line = shown[node]["lines"][-1].split(" ", 1)
                    assert line == [line[0], short(gradients[node])]
                    assert line[0] in "∂δ"
                    assert math.isclose(exact(shown[node], "grad"), gradients[node], rel_tol=1e-12, abs_tol=1e-14)
    assert browser.complaints() == []


POINTS = [0.0, 1e-300, 1e-9, 0.3, 0.5, 1.0, 1.5, 2.0, 20.0, 36.8, 345.0, 700.0, 709.5, 710.0, 1e5, math.inf]


@pytest.mark.parametrize("name", [*sorted(set(ops.TABLE) - {"dot"}), "**3", "**0.5", "**-2", "detach"])
def test_each_operation_is_the_tables_in_the_tails_and_at_the_edges(browser, folder, name):
    """Value and partials to 4 ulp of the row's at each pair of points; outside the domain an error in both."""
    op = ops.named(name)
    points = [sign * x for x in POINTS for sign in (1.0, -1.0)]
    for count in (1, 2):
        try:
            symbolic = op.partials(*[0.5] * count, 0.5)
        except TypeError:
            continue
        if len(symbolic) == count:
            break
    node = op(*[Value(0.5) for _ in range(count)])
    browser.open(f"file://{page_of(node, folder)}")
    places = [(a,) for a in points] if count == 1 else [(a, b) for a in points for b in points]
    tried = "f => { try { return f().map(String) } catch { return null } }"
    mine = browser.ask(
        f"{json.dumps(places)}.map(x => [() => [operations[0].value(...x)], "
        f"() => operations[0].partials(...x, operations[0].value(...x))].map({tried}))"
    )

    def engines(compute):
        try:
            return list(compute())
        except (ValueError, ArithmeticError):
            return None

    for place, ours in zip(places, mine, strict=True):
        y = engines(lambda place=place: [op.value(*place)])
        slopes = engines(lambda place=place, y=y: op.partials(*place, y[0])) if y else None
        for theirs, found in zip((y, slopes), ours, strict=True):
            assert (theirs is None) == (found is None), (place, theirs, found)
            numbers = [float(x.replace("Infinity", "inf")) for x in found or []]
            assert all(map(close, numbers, theirs or [])), (place, theirs, numbers)


def test_the_exact_sum_of_products_loses_nothing_to_cancellation(browser, folder):
    """As `math.sumprod`, which the table uses where there is one; against fractions."""
    browser.open(f"file://{page_of(expression(), folder)}")
    rng = random.Random(3)
    for _ in range(50):
        w = [rng.uniform(-1, 1) * 10.0 ** rng.randint(-3, 3) for _ in range(6)]
        x = [rng.uniform(-1, 1) for _ in range(6)]
        w, x = [*w, *w, 1e-3], [*x, *[-x_j * (1.0 + 2.0**-40) for x_j in x], 1.0]  # cancels to twelve digits
        exactly = float(sum(Fraction(a) * Fraction(b) for a, b in zip(w, x, strict=True)))
        assert close(browser.ask(f"exactDot({w}, {x})"), exactly, 1)


def test_numbers_are_written_as_python_writes_them(browser, folder):
    """Rounded, with ties to the even digit, and exact."""
    browser.open(f"file://{page_of(expression(), folder)}")
    rng = random.Random(2)
    numbers = [
        0.0,
        -0.0,
        1.0,
        12345.0,
        12355.0,
        0.5,
        2.0**-14,
        5e-324,
        1.7e308,
        1e16,
        1e15,
        1e-5,
        0.0001,
        9999.5,
        99995.0,
    ]
    numbers += [rng.uniform(-1, 1) * 10 ** rng.uniform(-20, 20) for _ in range(500)]
    found = browser.ask(f"{json.dumps(numbers)}.map(x => [short(x), exact(x)])")
    assert found == [[short(x), repr(x)] for x in numbers]


def test_sums_that_rounding_breaks_are_written_as_approximate(browser, folder):
    """The rounded numbers give the rounded result, or there is a ≈."""
    browser.open(f"file://{page_of(expression(), folder)}")
    cases = [["+", 0.5, 0.25, 0.75], ["+", 1 / 3, 1 / 3, 2 / 3], ["×", 1e-7, 3.0, 3e-7], ["×", 1 / 3, 3.0, 1.0]]
    found = browser.ask(f"{json.dumps(cases)}.map(x => resultOf(...x))")
    assert [re.search("[=≈]", line)[0] for line in found] == ["=", "≈", "=", "≈"]


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("make", [expression, lambda: net_cost()[0]])
def test_the_arrow_keys_play_the_passes(browser, folder, make, direction):
    """Data appear node by node, then gradients, each node lit in the engine's order; at the end all is as in the engine."""
    root = make()
    path = page_of(root, folder, direction)
    browser.open(f"file://{path}")
    root.backward()
    every, order = nodes(root), topological_order(root)
    place = {node: i for i, node in enumerate(every)}
    shown = browser.ask(NODES)
    assert ["waiting" in node["classes"] for node in shown] == [bool(node.parents) for node in every]
    assert not any("grad" in node["title"] for node in shown)
    walk = [("forward", node) for node in order] + [("backward", root)] + [("backward", node) for node in order[::-1]]
    for step, (way, current) in enumerate(walk, 1):
        browser.press("ArrowRight")
        assert browser.ask("location.hash") == f"#{step}"
        shown, edges = browser.ask(NODES), browser.ask(LIT)
        assert [i for i, node in enumerate(shown) if way in node["classes"]] == [place[current]]
        flowing = [edge for edge in edges if way in edge["classes"]]
        if step != len(order) + 1:
            operands = [p for p in current.parents if way == "forward" or p.op != "constant"]
            assert len(flowing) == len(operands)
        for edge in edges:
            assert edge["ends"] == (["tail"] if way == "backward" and edge in flowing else ["head"])
        assert sum("waiting" in node["classes"] for node in shown) == len(order) - min(step, len(order))
    for node, found in zip(every, shown, strict=True):
        assert close(exact(found, "data"), node.data)
        assert exact(found, "grad") is None if node.op == "constant" else math.isclose(exact(found, "grad"), node.grad)
    browser.press("ArrowRight")
    assert browser.ask("location.hash") == f"#{len(walk)}", "the end is the end"
    assert browser.complaints() == []
    assert browser.requests() == [f"file://{path}"]


def test_buttons_keys_slider_and_address_go_to_any_step(browser, folder):
    """And back again: a step shows the same, wherever one comes from."""
    browser.open(f"file://{page_of(expression(), folder)}#3")
    third = browser.ask(NODES)
    assert browser.ask(PHASE) == "forward 3 of 4"
    slide = '(s => { s.value = 3; s.dispatchEvent(new Event("input")); })(document.getElementById("slider"))'
    for go, phase in (
        (lambda: browser.click("#last"), "backward 4 of 4"),
        (lambda: browser.press("Home"), "start"),
        (lambda: browser.click("#on"), "forward 1 of 4"),
        (lambda: browser.ask(slide), "forward 3 of 4"),
        (lambda: browser.press("End", "ArrowLeft"), "backward 3 of 4"),
        (lambda: browser.click("#back"), "backward 2 of 4"),
        (lambda: browser.ask("location.hash = '#3'; undefined"), "forward 3 of 4"),
        (lambda: browser.click("#first"), "start"),
    ):
        go()
        browser.wait_for(f'{PHASE} === "{phase}"')
        assert phase != "forward 3 of 4" or browser.ask(NODES) == third
    assert browser.complaints() == []


def test_space_plays_and_pauses(browser, folder):
    """One step at once, then one after the other until paused."""
    browser.open(f"file://{page_of(expression(), folder)}")
    for phase, word in (("forward 1 of 4", "Pause"), ("forward 1 of 4", "Play"), ("forward 2 of 4", "Pause")):
        browser.press(" ")
        assert [browser.ask(PHASE), text(browser, "#play")] == [phase, word]
    browser.wait_for(f'{PHASE} === "forward 3 of 4"')


def test_the_keyboard_alone_suffices(browser, folder):
    """A leaf is chosen, typed, moved by arrows and by its slider; an update; everything by keys, focus found by Tab."""
    browser.open(f"file://{page_of(expression(), folder)}")
    w, x = "scene.nodes.findIndex(n => n.name === 'w')", "scene.nodes.findIndex(n => n.name === 'x')"
    browser.press("End")
    while browser.ask(f"chosen !== {x}"):
        browser.press("n")
    browser.press("ArrowUp", "ArrowUp", "ArrowDown")
    assert browser.ask(f"data[{x}]") == 2.1
    for _ in range(30):
        if browser.ask("document.activeElement.id") == "number":
            break
        browser.press("Tab")
    browser.type("-0.75")
    assert browser.ask(f"data[{x}]") == -0.75
    browser.type("no")
    assert browser.ask('document.activeElement.getAttribute("aria-invalid")') == "true"
    assert browser.ask(f"data[{x}]") == -0.75, "what is no number changes nothing"
    browser.press("Tab", "ArrowRight")
    assert browser.ask(f"document.activeElement.id === 'value' && data[{x}] > -0.75")
    browser.ask("document.activeElement.blur()")
    browser.press("0", "t")
    browser.type("0.25")
    browser.press("Enter", "u")
    slope_w = 2.0 / math.cosh(-0.5 * 2.0 + 4.0) ** 2
    assert math.isclose(browser.ask(f"data[{w}]"), -0.5 - 0.25 * slope_w, rel_tol=1e-12)
    browser.press("m")
    assert browser.ask(PHASE) == "forward mode 4 of 4"
    assert browser.complaints() == []


def test_ten_updates_are_ten_steps_of_the_engine(browser, folder):
    """a ← a − Δt ∂C/∂a on all parameters, and the curve of C."""
    cost, net = net_cost()
    browser.open(f"file://{page_of(cost, folder)}")
    place = {node: i for i, node in enumerate(nodes(cost))}
    places = [place[p] for p in net.parameters()]
    browser.press(*"u" * 10)
    costs = [cost.data]
    for _ in range(10):
        cost = quadratic(net([0.5, -1.0]), [1.0])
        for p, slope in zip(net.parameters(), grad(cost, net.parameters()), strict=True):
            p.data -= 0.5 * slope
        costs.append(quadratic(net([0.5, -1.0]), [1.0]).data)
    for at, p in zip(places, net.parameters(), strict=True):
        assert math.isclose(browser.ask(f"data[{at}]"), p.data, rel_tol=1e-12)
    assert all(map(math.isclose, browser.ask("costs"), costs))
    assert browser.ask("document.querySelector('#curve polyline').points.length") == 11
    assert "10 updates" in text(browser, "#curve")


def test_a_step_that_is_too_large_diverges_and_says_so(browser, folder):
    """Running, on a parabola: it stops by itself."""
    w = Value(1.0, label="w")
    browser.open(f"file://{page_of(w * w, folder)}")
    browser.ask("find('delta').value = '1.5'")
    browser.press("r")
    browser.wait_for("runner === null")
    assert "diverge" in text(browser, "#message").lower()
    assert "Δt = 1.5 is too large" in text(browser, "#message")
    browser.press("0")
    assert text(browser, "#message") == ""
    assert browser.ask("data[0]") == 1.0


def test_layer_by_layer_the_deltas_come_in_the_lectures_order(browser, folder):
    """One step each, with formula and numbers; the same gradients at the end."""
    cost, _ = net_cost()
    browser.open(f"file://{page_of(cost, folder)}")
    browser.press("End")
    node_by_node = browser.ask("sums => [...document.querySelectorAll('g.node title')].map(t => t.textContent)")
    browser.press("l", "Home")
    said = []
    for _ in range(browser.ask("steps.length")):
        said.append((browser.ask(PHASE), text(browser, "#story")))
        browser.press("ArrowRight")
    assert [phase for phase, _ in said if "layer" in phase] == [
        *[f"forward {q} of 4, layer {q}" for q in (1, 2, 3)],
        *[f"backward {5 - q} of 4, layer {q}" for q in (3, 2, 1)],
    ]
    cost.backward()
    every = nodes(cost)
    for q, up in ((3, "∂C/∂y⁽³⁾"), (2, "(A⁽³⁾)ᵀ δ⁽³⁾"), (1, "(A⁽²⁾)ᵀ δ⁽²⁾")):
        q_text = "⁽" + "⁰¹²³"[q] + "⁾"
        (step,) = [words for phase, words in said if phase.startswith("backward") and f"layer {q}" in phase]
        deltas = [short(node.grad) for node in every if node.label.startswith(f"z{q_text}")]
        assert f"δ{q_text} = σ′(z{q_text}) ∘ {up}" in step
        assert f"δ{q_text} = ({', '.join(deltas)})" in step
    assert node_by_node == browser.ask("sums => [...document.querySelectorAll('g.node title')].map(t => t.textContent)")


def test_forward_mode_takes_a_sweep_per_leaf(browser, folder):
    """The result's tangent is ∂C/∂leaf for every leaf in turn, and the counter counts one backward sweep against all."""
    cost, net = net_cost((2, 2, 1))
    every = nodes(cost)
    browser.open(f"file://{page_of(cost, folder)}")
    browser.press("End", "m", "End")
    for _ in range(len([node for node in every if not node.parents])):
        leaf = every[browser.ask("chosen")]
        tangent = exact(browser.ask(NODES)[-1], "tangent")
        assert math.isclose(tangent, jvp(cost, {leaf: 1.0}), rel_tol=1e-12, abs_tol=1e-15)
        browser.press("n")
    n = len(net.parameters())
    counted = text(browser, "#counter")
    edges = sum(parent.op != "constant" for node in every for parent in node.parents)
    assert f"Backward mode: 1 sweep, {edges} multiplications, {n} of {n} derivatives" in counted
    below = {node: set(nodes(node)) for node in every}
    moved = sum(leaf in below[p] for leaf in net.parameters() for node in every for p in node.parents)
    assert f"{n} sweeps, {moved} multiplications" in counted
    assert f"{n} of {n} derivatives" in counted


def test_formulas_stand_beside_the_numbers(browser, folder):
    """In the step's lines and on the edge's hover."""
    browser.open(f"file://{page_of(expression(), folder)}")
    browser.press("End", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    assert "of tanh = 4 σ(2 x) σ(−2 x)" in text(browser, "#story")
    assert any("of tanh = 4 σ(2 x) σ(−2 x)" in edge["title"] for edge in browser.ask(LIT))


def test_outside_a_domain_the_page_says_where_it_stops(browser, folder):
    """The operation, its operand, and where it is defined; changing the leaf back is enough."""
    x = Value(2.0, label="x")
    browser.open(f"file://{page_of(x.log() + 1, folder)}#9")
    browser.ask("set(chosen, -1)")
    assert browser.ask(PHASE) == "stopped"
    assert "‘log’ has no value at −1: it is defined where x is positive" in text(browser, "#story")
    browser.ask("set(chosen, 3)")
    browser.press("End")
    assert browser.ask(PHASE) == "backward 2 of 2"


def test_without_a_derivative_there_is_no_backward_pass(browser, folder):
    """And the page says why."""
    browser.open(f"file://{page_of(Value(0.0, label='x').sqrt() + 1, folder)}")
    browser.press("End")
    assert "no backward pass: ‘sqrt’ has no derivative at 0" in text(browser, "#story")


def test_an_operation_of_a_users_own(browser, folder):
    """With an expression for its value it computes; without one it keeps the recorded numbers, its leaves too, and says so."""
    try:
        cube = ops.row("cube of mine", lambda x: x * x * x, None, lambda x, y: (3.0 * x * x,))
        erf = ops.row("<erf>", math.erf, None, lambda x, y: (2.0 / math.sqrt(math.pi) * ops.exp(-x * x),))
        a, b = Value(0.5, label="a"), Value(2.0, label="b")
        browser.open(f"file://{page_of(erf(a) + cube(b), folder)}")
        assert "no formula for ‘<erf>’" in text(browser, "#story")
        browser.press("End")
        browser.ask("set(leaves[0], 9); set(leaves[1], 9)")
        numbers = {node["title"].split("\n")[0]: exact(node, "data") for node in browser.ask(NODES)}
        assert numbers == {
            "a": 0.5,
            "b": 9.0,
            "<erf>": math.erf(0.5),
            "cube of mine": 729.0,
            "+": math.erf(0.5) + 729.0,
        }
        gradients = {node["title"].split("\n")[0]: exact(node, "grad") for node in browser.ask(NODES)}
        assert gradients["b"] == 243.0
        assert math.isclose(gradients["a"], erf(a).partials[0])
        browser.press("u")
        assert "cannot be updated" in text(browser, "#message")
    finally:
        for name in ("cube of mine", "<erf>"):
            ops.TABLE.pop(name, None)


def test_what_was_assigned_after_recording_is_computed_again(browser, folder):
    """The page shows the leaf's present number and what follows from it, and says so."""
    w = Value(1.0, label="w")
    y = w * 2
    w.data = 5.0
    browser.open(f"file://{page_of(y, folder)}")
    assert "computed again" in text(browser, "#story")
    browser.press("End")
    assert exact(browser.ask(NODES)[-1], "data") == 10.0


def test_a_label_is_text_in_the_page(browser, folder):
    """Markup in a label is shown, not obeyed, and nothing of it runs."""
    evil = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><!--"
    x = Value(2.0, label=evil)
    y = cross_entropy((x * x).sigmoid(), 1)
    y.label = "<svg onload=window.hacked=1>"
    path = page_of(y, folder)
    browser.open(f"file://{path}#2")
    browser.press("n", "m", "End", "u", "m", "Home", "ArrowRight")
    assert browser.ask("window.hacked === undefined && document.images.length === 0")
    assert browser.ask("document.title") == y.label
    assert evil in browser.ask(NODES)[0]["title"]
    assert evil[:20] in browser.ask(NODES)[0]["lines"][0]
    assert browser.complaints() == []
    assert browser.requests() == [f"file://{path}"]
    browser.ask("document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked = 1'}))")
    assert browser.ask("window.hacked === undefined"), "the page's policy forbids every script but its own"


def test_a_small_net_and_its_text_are_on_the_screen(browser, folder):
    """2-3-2-1 at 1366 × 700: nothing scrolls at any step, and letters are at least 9 pixels high."""
    browser.open(f"file://{page_of(net_cost()[0], folder)}")
    for key in ("", "l", "m"):
        browser.press(*key, "Home")
        for _ in range(browser.ask("steps.length")):
            assert browser.ask(
                "['graph', 'story'].map(find).concat(document.documentElement, document.querySelector('aside'))"
                ".every(e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight)"
            ), browser.ask(PHASE)
            browser.press("ArrowRight")
    assert browser.ask("11 * svg.getScreenCTM().a") >= 9.0


def test_text_stays_in_its_box(browser, folder):
    """At every step, also where numbers have become long."""
    browser.open(f"file://{page_of(net_cost()[0], folder)}")
    browser.ask("leaves.forEach((i, k) => set(i, -1.234e-5 * (k + 1)))")
    for _ in range(browser.ask("steps.length")):
        margins = browser.ask(
            '[...document.querySelectorAll("g.node")].flatMap(group => { const box = group.querySelector(".shape")'
            ".getBBox(); return [...group.querySelectorAll('text')].map(text => text.getBBox()).filter(t => t.width > 0)"
            ".map(t => Math.min(t.x - box.x, box.x + box.width - t.x - t.width)); })"
        )
        assert min(margins) > -1.0
        browser.press("ArrowRight")


def test_a_caption_fits_whatever_font_there_is(browser, tmp_path):
    """A picture of one small node, in a font as wide as any that may stand in for Helvetica."""
    path = draw(Value(1.0)).render(outfile=tmp_path / "small.svg")
    browser.open(f"file://{path}")
    margins = browser.ask(
        '[...document.querySelectorAll("text")].map(text => { text.style.fontFamily = "DejaVu Sans, Verdana, sans-serif";'
        "return document.documentElement.viewBox.baseVal.width - text.getBBox().x - text.getBBox().width; })"
    )
    assert min(margins) > 0.0
