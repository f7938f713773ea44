"""Whole graphs, drawn at random with much sharing, beside a naive evaluation of the same expressions.

A `Recording` grows the engine's graph and, step by step, its own: numbers and local slopes from `oracles`, operands as
indices of its own. Derivatives it carries forward, one tangent after the other; the engine carries them backward. Nothing
of the engine is asked but `data` and `grad`.

What is compared is bounded, not guessed. A number is off by at most 8 units in the last place of the exact one at the
same operands. A gradient is a sum over paths of products of slopes: each factor is off by 24 U of its size (see
test_ops) and each of at most n sums by U more, on both sides, so that the whole is off by at most n (24 + 2) U times the
same sum taken over sizes, for n nodes.
"""

import copy
import math
import operator
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import oracles
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from oracles import U

from microgradnet import Value, dot, grad, maximum, minimum, nodes, ops
from microgradnet.graph import topological_order

REFUSED = (ValueError, ArithmeticError)
POWERS = {str(ops.power(n)): ops.power(n) for n in (2, 3, -1, 0.5, 0)}
ROWS = {name: op for name, op in (ops.TABLE | POWERS).items() if name in oracles.BOOK or name in POWERS}
BINARY = [name for name, op in ROWS.items() if oracles.arity(op) == 2 and name != "dot"]
UNARY = [name for name in ROWS if name not in BINARY and name != "dot"]
PUBLIC = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "neg": operator.neg,
    "abs": abs,
    "maximum": maximum,
    "minimum": minimum,
}


def apply(name, operands):
    """The operation as a user writes it, by operator, method or function; else as the row of the table."""
    if name in POWERS:
        return operands[0] ** float(name[2:])
    if name not in PUBLIC and hasattr(Value, name):
        return getattr(operands[0], name)()
    return PUBLIC.get(name, ROWS[name])(*operands)


class Recording:
    """The engine's graph and the plain one side by side; `step` adds a node to both, or sees both refuse it."""

    def __init__(self):
        self.nodes = []  # the engine's
        self.numbers = []
        self.operands = []  # indices of nodes; None for a plain number
        self.slopes = []  # (slope, size) per operand; None if there is none at these numbers

    def leaf(self, number):
        self._add(Value(number), number, [], [])

    def step(self, name, indices, constant=None, side=0):
        """Applies the operation to nodes, or to a node and a plain number on the given side."""
        values, where = [self.nodes[i] for i in indices], list(indices)
        if constant is not None and not (name == "**" and side):  # Value ** number is another operation
            values[side], where[side] = constant, None
        self._record(name, lambda: apply(name, values), [v.data if isinstance(v, Value) else v for v in values], where)

    def dot(self, weights, inputs, bias):
        where = [*weights, bias, *inputs, None]
        w, x = [self.nodes[i] for i in weights], [self.nodes[i] for i in inputs]
        data = [1.0 if i is None else self.nodes[i].data for i in where]
        self._record("dot", lambda: dot(w, x, self.nodes[bias]), data, where)

    def _record(self, name, record, data, where):
        point = tuple(data)
        exact = oracles.exactly(name, point)
        if not exact.is_finite():
            with pytest.raises(REFUSED):
                record()
            return
        number = float(exact)
        # Numbers and slopes far from 1 only make products that leave the floats: such steps are left out.
        if not (number == 0.0 or 1e-30 < abs(number) < 100.0):
            return
        try:
            slopes = [oracles.slope(name, point, i) for i in range(len(point))]
        except ZeroDivisionError:
            slopes = None
        if slopes and any(size > 1e4 for _, size in slopes):
            return
        node = record()
        unit = math.ulp(max(abs(number), oracles.value_size(name, point)))
        assert abs(node.data - number) <= 8 * unit, f"{name}{point} is {node.data}, not {number}"
        self._add(node, node.data, where, slopes)

    def _add(self, node, number, operands, slopes):
        self.nodes.append(node)
        self.numbers.append(number)
        self.operands.append(operands)
        self.slopes.append(slopes)

    def ancestors(self, root):
        """Everything that the root depends on, itself included, in order of making."""
        found = {root}
        for k in range(root, -1, -1):
            if k in found:
                found.update(i for i in self.operands[k] if i is not None)
        return sorted(found)

    def derivatives(self, root):
        """{k: (derivative of the root in node k, bound of error)}; None if a slope on the way does not exist."""
        graph = self.ancestors(root)
        if any(self.slopes[k] is None for k in graph):
            return None
        result = {}
        for k in graph:
            tangents = {k: (1.0, 1.0)}
            for node in graph[graph.index(k) + 1 :]:
                tangent = size = 0.0
                for i, slope in zip(self.operands[node], self.slopes[node], strict=True):
                    if i in tangents:
                        tangent += slope[0] * tangents[i][0]
                        size += slope[1] * tangents[i][1]
                tangents[node] = tangent, size
            tangent, size = tangents[root]
            result[k] = tangent, len(graph) * 26 * U * size + 1e-300
        return result


def check_backward(recording, root):
    """One call of backward from the root, with all gradients at 0 before: each must be the plain derivative."""
    for node in recording.nodes:
        node.grad = 0.0
    expected = recording.derivatives(root)
    if expected is None:
        with pytest.raises(REFUSED):
            recording.nodes[root].backward()
        assert all(node.grad == 0.0 for node in recording.nodes)
        return
    recording.nodes[root].backward()
    for k, node in enumerate(recording.nodes):
        derivative, bound = expected.get(k, (0.0, 0.0))
        assert abs(node.grad - derivative) <= bound, f"node {k} of op '{node.op}': {node.grad}, not {derivative}"
        assert node.data == recording.numbers[k]


# Multiples of 1/64, so that ties and zeros happen.
plain_numbers = st.integers(-256, 256).map(lambda k: k / 64)


def some_node(recording):
    """One of the last four or any earlier node, so that graphs are deep and shared."""
    n = len(recording.nodes)
    return st.integers(max(0, n - 4), n - 1) | st.integers(0, n - 1)


def grow(recording, draw):
    """One step more, of any kind."""
    index, kind = some_node(recording), draw(st.integers(0, 6))
    if kind == 0:
        pairs = draw(st.lists(st.tuples(index, index), max_size=4))
        recording.dot([w for w, _ in pairs], [x for _, x in pairs], draw(index))
    elif kind <= 2:
        recording.step(draw(st.sampled_from(UNARY)), [draw(index)])
    elif kind <= 4:
        recording.step(draw(st.sampled_from(BINARY)), [draw(index), draw(index)])
    else:
        name, node = draw(st.sampled_from(BINARY)), draw(index)
        recording.step(name, [node, node], draw(plain_numbers), draw(st.integers(0, 1)))


@st.composite
def recordings(draw):
    """Up to 40 nodes."""
    recording = Recording()
    for number in draw(st.lists(plain_numbers, min_size=1, max_size=5)):
        recording.leaf(number)
    for _ in range(draw(st.integers(1, 35))):
        grow(recording, draw)
    return recording


@given(recordings(), st.data())
@settings(max_examples=2 * settings.default.max_examples)
def test_random_graphs_have_the_numbers_and_gradients_of_the_plain_expression(recording, data):
    """Every operation, every kind of sharing: from the deepest node and from any other, which reaches no more than its own."""
    check_backward(recording, max(range(len(recording.nodes)), key=lambda k: len(recording.ancestors(k))))
    check_backward(recording, data.draw(st.integers(0, len(recording.nodes) - 1)))


# A graph that grows, is differentiated, copied and grows on.


class GrowingGraph(RuleBasedStateMachine):
    """Anything a user does to a graph, in any order; what every node should hold is known all the time."""

    def __init__(self):
        super().__init__()
        self.recording = Recording()
        self.grads = []  # (gradient, bound of error) per node

    @initialize(numbers=st.lists(plain_numbers, min_size=1, max_size=3))
    def begin(self, numbers):
        for number in numbers:
            self.add_leaf(number)

    def grown(self):
        self.grads += [(0.0, 0.0)] * (len(self.recording.nodes) - len(self.grads))

    @rule(number=plain_numbers)
    def add_leaf(self, number):
        self.recording.leaf(number)
        self.grown()

    @rule(data=st.data(), steps=st.integers(1, 4))
    def grow(self, data, steps):
        for _ in range(steps):
            grow(self.recording, data.draw)
        self.grown()

    @rule(data=st.data(), times=st.integers(1, 2))
    def backward(self, data, times):
        root = data.draw(some_node(self.recording))
        expected = self.recording.derivatives(root)
        for _ in range(times):
            if expected is None:
                with pytest.raises(REFUSED):
                    self.recording.nodes[root].backward()
                continue
            self.recording.nodes[root].backward()
            for k, (derivative, bound) in expected.items():
                old, old_bound = (0.0, 0.0) if self.recording.operands[k] else self.grads[k]
                total = old + derivative
                self.grads[k] = total, old_bound + bound + 2 * U * abs(total)

    @rule(data=st.data(), number=plain_numbers)
    def assign_a_leaf(self, data, number):
        k = data.draw(some_node(self.recording))
        if self.recording.operands[k]:
            with pytest.raises(AttributeError):
                self.recording.nodes[k].data = number
        else:
            self.recording.nodes[k].data = self.recording.numbers[k] = number

    @rule()
    def zero_the_leaves(self):
        for k, operands in enumerate(self.recording.operands):
            if not operands:
                self.recording.nodes[k].grad = 0.0
                self.grads[k] = 0.0, 0.0

    @precondition(lambda self: len(self.recording.nodes) > 3)
    @rule(
        how=st.sampled_from([copy.deepcopy, *(lambda x, p=p: pickle.loads(pickle.dumps(x, p)) for p in (2, 4, 5))]),
        random=st.randoms(use_true_random=False),
    )
    def go_on_with_a_copy(self, how, random):
        old = self.recording.nodes
        order = random.sample(range(len(old)), len(old))
        copies = dict(zip(order, how([old[k] for k in order]), strict=True))
        self.recording.nodes = [copies[k] for k in range(len(old))]
        for node in old:  # whoever still looks at the old one will see it
            node.grad = math.nan

    @invariant()
    def every_node_is_right(self):
        for k, node in enumerate(self.recording.nodes):
            assert node.data == self.recording.numbers[k]
            grad, bound = self.grads[k]
            assert abs(node.grad - grad) <= bound, f"node {k} of op '{node.op}': {node.grad}, not {grad}"


GrowingGraph.TestCase.settings = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=40)
TestGrowingGraph = GrowingGraph.TestCase


# The order of a graph.


def by_the_book(*outputs):
    """Depth first, first operand first, each once, a node after its operands; as a recursion."""
    found = {}

    def visit(node):
        if id(node) not in found:
            for parent in node.parents:
                visit(parent)
            found[id(node)] = node

    for output in outputs:
        visit(output)
    return list(map(id, found.values()))


@given(recordings(), st.data())
def test_nodes_come_depth_first_operands_first_each_once(recording, data):
    """Leaves and constants included, from one output or several; the topological order is the same without leaves."""
    outputs = data.draw(st.lists(st.sampled_from(recording.nodes), max_size=3))
    order = nodes(*outputs)
    assert list(map(id, order)) == by_the_book(*outputs)
    assert list(map(id, topological_order(*outputs))) == [id(node) for node in order if node.parents]


@pytest.mark.parametrize("wrong", [2.0, None, [Value(1.0)]], ids=repr)
def test_nodes_takes_values_one_by_one(wrong):
    """A TypeError says what arrived; a list is to be unpacked."""
    with pytest.raises(TypeError, match=type(wrong).__name__):
        nodes(wrong)


def test_threads_may_walk_one_graph_at_once():
    """Orders, gradients, copies and pickles are those of one thread, however often the threads take turns."""
    x = Value(1.0)
    y = x
    for _ in range(1000):
        y = (y * 0.999 + x * y).tanh() if y.data < 1.0 else y - x
    walks = [
        lambda: list(map(id, nodes(y))),
        lambda: list(map(id, topological_order(y))),
        lambda: grad(y, x),
        lambda: copy.deepcopy(y).data,
        lambda: pickle.loads(pickle.dumps(y)).data,
    ]
    alone = [walk() for walk in walks]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(lambda k: walks[k % 5](), range(100))) == alone * 20
    finally:
        sys.setswitchinterval(interval)


# The checkers are fed wrong rules and wrong sweeps.


def a_graph_of_everything():
    """Every operation once, with sharing, summed up in one output."""
    recording = Recording()
    for number in (0.75, 0.625, -0.5):
        recording.leaf(number)
    for name in UNARY:
        recording.step(name, [0])
    for name in BINARY:
        recording.step(name, [0, 1])
    recording.dot([0, 1], [1, 2], 0)
    total = 0
    for k in range(3, len(recording.nodes)):
        recording.step("*", [k, 2])
        recording.step("+", [len(recording.nodes) - 1, total])
        total = len(recording.nodes) - 1
    return recording, total


def test_the_graph_of_everything_is_right():
    """What the mistakes below are tried on passes without one, and holds every operation."""
    recording, root = a_graph_of_everything()
    check_backward(recording, root)
    assert recording.ancestors(root) == list(range(root + 1))
    assert {str(node.op) for node in recording.nodes} >= set(ROWS)


@pytest.mark.parametrize("name", [name for name in ROWS if name not in ("step", "**0", "detach")])
def test_the_check_of_graphs_rejects_a_wrong_slope(name, monkeypatch):
    """Wherever the rule and the book disagree, a factor of 1 + 1e-9 is found, and so is a wrong sign."""
    right = oracles.slope
    for factor in (1.0 + 1e-9, -1.0, 0.0):

        def wrong(op, point, i, factor=factor):
            estimate, size = right(op, point, i)
            return estimate * (factor if op == name else 1.0), size

        monkeypatch.setattr(oracles, "slope", wrong)
        with pytest.raises(AssertionError):
            check_backward(*a_graph_of_everything())


def sweep(order):
    for node in order:
        for parent, partial in zip(node.parents, node.partials, strict=True):
            parent.grad += partial * node.grad


def overwrites(order):
    for node in reversed(order):
        for parent, partial in zip(node.parents, node.partials, strict=True):
            parent.grad = partial * node.grad


def forgets_the_second_operand(order):
    for node in reversed(order):
        node.parents[0].grad += node.partials[0] * node.grad


SWEEPS = {
    "assigns where it should add": overwrites,
    "forgets the second operand": forgets_the_second_operand,
    "visits the output twice": lambda order: sweep([order[-1], *reversed(order)]),
    "goes from the operands to the output": sweep,
    "stops early": lambda order: sweep(reversed(order[1:])),
}


def backward_by(sweep, fresh=0.0):
    """`Value.backward` with another sweep, or with inner nodes that do not start from 0."""

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad *= fresh
        self.grad += 1.0
        sweep(order)

    return backward


def test_the_check_of_graphs_accepts_a_plain_sweep(monkeypatch):
    """Written once more, in five lines."""
    monkeypatch.setattr(Value, "backward", backward_by(lambda order: sweep(reversed(order))))
    check_backward(*a_graph_of_everything())


@pytest.mark.parametrize("wrong", SWEEPS)
def test_the_check_of_graphs_rejects_a_wrong_sweep(wrong, monkeypatch):
    """A sweep with a plain mistake is found."""
    monkeypatch.setattr(Value, "backward", backward_by(SWEEPS[wrong]))
    with pytest.raises(AssertionError):
        check_backward(*a_graph_of_everything())


ONE_COUNTEREXAMPLE = settings(max_examples=200, phases=[Phase.generate], report_multiple_bugs=False, database=None)


@pytest.mark.parametrize(
    "wrong",
    [backward_by(overwrites), backward_by(lambda order: sweep(reversed(order)), 1.0)],
    ids=["sweep", "no reset"],
)
def test_the_state_machine_rejects_a_wrong_backward(wrong, monkeypatch):
    """The machine finds the mistake by itself: a wrong sweep, and inner nodes that keep the gradient of the last call."""
    monkeypatch.setattr(Value, "backward", wrong)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(GrowingGraph, settings=ONE_COUNTEREXAMPLE)
