"""The step-through page plays what the engine did: first its data as written, then the page itself in a browser."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import browser as chromium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import random_graph

from microgradnet import MLP, Value, cross_entropy, draw, quadratic
from microgradnet.graph import topological_order


def scene(page: str) -> dict:
    """The data in a page."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


def page_of(value: Value, path, direction: str = "LR") -> str:
    return draw(value, direction).steps(path / "steps.html")


def written(value: Value, path, direction: str = "LR") -> str:
    return Path(page_of(value, path, direction)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("steps")


def expression() -> Value:
    w, x = Value(-3.0, label="w"), Value(2.0, label="x")
    y = (w * x + x * x).tanh()
    y.label = "y"
    return y


def net_cost() -> Value:
    cost = quadratic(MLP(2, [3, 2], seed=1)([0.5, -1.0]), [1.0, 0.0])
    cost.label = "C"
    return cost


# What is written.


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_the_passes_are_the_engines(folder, seed):
    """On random graphs: the order, each contribution, every gradient to the last bit; the values' own are left alone."""
    root, nodes = random_graph(seed)
    for node in nodes:
        node.grad = 7.0  # what another pass may have left
    data = scene(written(root, folder))
    assert all(node.grad == 7.0 for node in nodes)
    for node in nodes:
        node.grad = 0.0
    root.backward()
    by_label = {node.label: node for node in nodes}
    drawn = [by_label[node["label"]] for node in data["nodes"]]
    order = [id(node) for node in topological_order(root)]
    assert [id(drawn[step["node"]]) for step in data["steps"] if step["phase"].startswith("forward")] == order
    assert [id(drawn[step["node"]]) for step in data["steps"] if step["phase"].startswith("backward ")] == order[::-1]
    gradients: dict[int, float] = {}
    for step in data["steps"]:
        if not step.get("back"):
            gradients.update((number, float(exact)) for number, _, exact in step.get("grads", []))
            continue
        for edge, term, (operand, _, after) in zip(step["edges"], step["terms"], step["grads"], strict=True):
            flown = float(data["edges"][edge]["derivative"][1]) * gradients[step["node"]]
            assert f"{flown + 0.0:.4g}".replace("-", "−") == term
            gradients[operand] = gradients.get(operand, 0.0) + flown
            assert repr(gradients[operand]) == after
    for number, node in enumerate(drawn):
        assert data["nodes"][number]["data"][1] == repr(node.data)
        assert number not in gradients if node.op == "constant" else gradients[number] == node.grad


def test_sums_that_rounding_breaks_are_written_as_approximate(folder):
    """Every line: its rounded numbers give its rounded result, or it has ≈."""
    page = written(net_cost(), folder).replace(r"\u2212", "-")
    found = re.findall(r"([-\d.e]+) (\\u00d7|\+) ([-\d.e]+) (=|\\u2248) ([-\d.e]+)[,\"]", page)
    assert {(sign, equal) for _, sign, _, equal, _ in found} == {
        (s, e) for s in (r"\u00d7", "+") for e in ("=", r"\u2248")
    }
    for a, sign, b, equal, result in found:
        given = float(a) + float(b) if sign == "+" else float(a) * float(b)
        assert (equal == "=") == math.isclose(given, float(result), rel_tol=1e-12, abs_tol=1e-300)


def test_without_a_derivative_there_is_no_backward_pass(folder):
    """And the page says why, in the engine's words."""
    data = scene(written(Value(0.0, label="x").sqrt() + 1, folder))
    assert data["steps"][-1]["text"].startswith("There is no backward pass: cannot take the derivative of 'sqrt'")
    assert not any(step.get("back") for step in data["steps"])


@settings(max_examples=25)
@given(st.text(max_size=20))
@pytest.mark.parametrize("around", ["{}", "</script><script>{}</script>", "<!--{}<script>"])
def test_no_label_leaves_its_place_in_the_page(folder, around, label):
    """The page without its data is the same page, whatever the label; and the data hold the label."""
    page = written(Value(1.0, label=around.format(label)) * 2, folder)
    plain = written(Value(1.0, label="plain") * 2, folder)
    assert page.count("<") == plain.count("<")
    if label.isprintable():
        assert scene(page)["nodes"][0]["label"] == around.format(label)


def test_what_has_no_steps_says_so(folder):
    """A net, several results, a folded graph."""
    net = MLP(2, [2])
    for picture in (draw(net), draw(net([1.0, 2.0])), draw(net_cost(), limit=3)):
        with pytest.raises(ValueError, match="only a graph that is drawn in full, with one result"):
            picture.steps(folder / "none.html")
    assert not (folder / "none.html").exists()


def test_numbers_from_before_a_leaf_was_assigned_are_marked_in_the_page(folder):
    """As in the picture."""
    w = Value(1.0, label="w")
    y = w * 2
    w.data = 5.0
    data = scene(written(y, folder))
    assert "before one of w was assigned" in data["steps"][0]["text"]
    assert data["nodes"][-1]["data"][0] == "2 †"


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
EDGES = """[...document.querySelectorAll("g.edge:has(text)")].map(group => ({
  classes: [...group.classList], text: group.querySelector("text").textContent}))"""
ARROWS = """[...document.querySelectorAll("g.edge:has(path)")].map(group =>
  [...group.querySelectorAll("polygon")].filter(p => getComputedStyle(p).display !== "none").map(p => p.classList[0]))"""
PHASE = 'document.getElementById("phase").textContent'


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("make", [expression, net_cost])
def test_the_arrow_keys_play_the_passes(browser, folder, make, direction):
    """Data appear node by node, then gradients, each node lit in the engine's order; at the end all is as in the engine."""
    root = make()
    path = page_of(root, folder, direction)
    data = scene(Path(path).read_text(encoding="utf-8"))
    browser.open(f"file://{path}")
    root.backward()
    order = topological_order(root)
    shown = browser.ask(NODES)
    assert [("waiting" in node["classes"]) for node in shown] == [bool(node["op"]) for node in data["nodes"]]
    assert not any("grad" in node["title"] for node in shown)
    assert not any(edge["text"] for edge in browser.ask(EDGES)), "no local derivative before its node is computed"
    lit = []
    for step in range(1, len(data["steps"])):
        browser.press("ArrowRight")
        assert browser.ask("location.hash") == f"#{step}"
        shown, edges = browser.ask(NODES), browser.ask(EDGES)
        way = "forward" if step <= len(order) else "backward"
        (current,) = [i for i, node in enumerate(shown) if way in node["classes"]]
        lit.append((way, current))
        flowing = [i for i, edge in enumerate(edges) if way in edge["classes"]]
        assert flowing == sorted(data["steps"][step].get("edges", []))
        for i, ends in enumerate(browser.ask(ARROWS)):
            assert ends == (["tail"] if way == "backward" and i in flowing else ["head"]), "it points where it flows"
        if "terms" in data["steps"][step]:
            arrow = "←" if direction == "LR" else "↑"
            terms = dict(zip(data["steps"][step]["edges"], data["steps"][step]["terms"], strict=True))
            assert [edges[i]["text"] for i in flowing] == [f"{arrow} {terms[i]}" for i in flowing]
        assert sum("waiting" in node["classes"] for node in shown) == len(order) - min(step, len(order))
    ranks = [step["node"] for step in data["steps"] if step["phase"].startswith("forward")]
    assert lit == [("forward", i) for i in ranks] + [("backward", ranks[-1])] + [("backward", i) for i in ranks[::-1]]
    values = {id(value): value for node in order for value in (*node.parents, node)}
    assert sorted(node["title"].split("\n")[1:] for node in shown) == sorted(
        [f"data = {value.data!r}"] + ([] if value.op == "constant" else [f"grad = {value.grad!r}"])
        for value in values.values()
    )
    browser.press("ArrowRight")
    assert browser.ask("location.hash") == f"#{len(data['steps']) - 1}", "the end is the end"
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
        assert [browser.ask(PHASE), browser.ask('document.getElementById("play").textContent')] == [phase, word]
    browser.wait_for(f'{PHASE} === "forward 3 of 4"')


def test_a_label_is_text_in_the_page(browser, folder):
    """Markup in a label is shown, not obeyed, and nothing of it runs."""
    evil = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><!--"
    x = Value(2.0, label=evil)
    y = cross_entropy((x * x).sigmoid(), 1)
    y.label = "<svg onload=window.hacked=1>"
    path = page_of(y, folder)
    browser.open(f"file://{path}#2")
    assert browser.ask("window.hacked === undefined && document.images.length === 0")
    assert browser.ask("document.title") == y.label
    assert evil in browser.ask(NODES)[0]["title"]
    assert evil[:20] in browser.ask(NODES)[0]["lines"][0]
    assert browser.complaints() == []
    assert browser.requests() == [f"file://{path}"]
    browser.ask("document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked = 1'}))")
    assert browser.ask("window.hacked === undefined"), "the page's policy forbids every script but its own"


def test_text_stays_in_its_box(browser, folder):
    """At every step, also where a gradient on its way has more digits than the final one."""
    browser.open(f"file://{page_of(net_cost(), folder)}")
    for _ in range(browser.ask("scene.steps.length")):
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
