"""Whole graphs, grown at random with much sharing, beside a plain evaluation of the same expressions.

`GrowingGraph` does to a graph what a user may do, in any order: it grows, is differentiated in every mode, copied, pickled,
assigned to. Beside the engine's nodes it keeps its own: numbers and local slopes from the rows of the table, which test_ops
holds to be right, and operands as indices, whose order needs no search. So it knows what each node should hold.

Numbers are equal to the last bit. A gradient is a sum over paths of products of slopes. Each term is rounded at most twice
an edge, on both sides, so that the gradient is off by at most 4 n U times the same sum taken over sizes, for n edges.
"""

import copy
import math
import operator
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import oracles
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from microgradnet import Value, dot, grad, jacobian, maximum, minimum, nodes, ops, vjp
from microgradnet.graph import topological_order

U = 2.0**-53  # the relative error of one rounding
REFUSED = (ValueError, ArithmeticError)
ROWS = {str(op): op for op in [*ops.TABLE.values(), *map(ops.power, (2, 3, -1, 0.5, 0)), ops.detach] if op != "dot"}
BINARY = [name for name, op in ROWS.items() if oracles.arity(op) == 2]
UNARY = [name for name in ROWS if name not in BINARY]
PUBLIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow}
PUBLIC |= {"neg": operator.neg, "abs": abs, "maximum": maximum, "minimum": minimum}


def apply(op, operands):
    """The operation as a user writes it, by operator, method or function; else as the row of the table."""
    if op == "dot":
        n = len(operands) // 2 - 1
        return dot(operands[:n], operands[n + 1 : -1], operands[n])
    if op.exponent is not None:
        return operands[0] ** op.exponent
    if op not in PUBLIC and hasattr(Value, op):
        return getattr(operands[0], op)()
    return PUBLIC.get(op, op)(*operands)


def by_the_book(node, found):
    """Depth first, first operand first, each once, a node after its operands; as a recursion."""
    if id(node) not in found:
        for parent in node.parents:
            by_the_book(parent, found)
        found[id(node)] = node


def in_python(graph):
    return pickle.loads(pickle._dumps(graph))


COPIES = [copy.deepcopy, in_python, *[lambda graph, p=p: pickle.loads(pickle.dumps(graph, p)) for p in (2, 4, 5)]]

# A node is drawn as its distance from the last one: one of the last four or any earlier one, so that graphs are deep and
# shared. Plain numbers are drawn so that ties and zeros happen.
node = st.integers(0, 3) | st.integers(0, 999)
plain = st.integers(-256, 256).map(lambda k: k / 64)
pair = st.tuples(node, node) | st.tuples(node, plain) | st.tuples(plain, node)
some_nodes = st.lists(node, max_size=3)
steps = {
    "dot": st.tuples(st.lists(pair, max_size=4), node).map(
        lambda t: ("dot", [*[w for w, _ in t[0]], t[1], *[x for _, x in t[0]], 1.0])
    ),
    "unary": st.tuples(st.sampled_from(UNARY), st.tuples(node)),
    "binary": st.tuples(st.sampled_from(BINARY), pair),
}


class GrowingGraph(RuleBasedStateMachine):
    """Anything a user does to a graph, in any order."""

    def __init__(self):
        super().__init__()
        self.nodes = []  # the engine's
        self.numbers = []
        self.edges = []  # (index of an operand that is a node, slope); NaN where there is no slope
        self.grads = []  # (gradient, bound of error)
        self.assigned = False

    def add(self, node, number, edges, grad=(0.0, 0.0)):
        self.nodes.append(node)
        self.numbers.append(number)
        self.edges.append(edges)
        self.grads.append(grad)

    def step(self, name, operands):
        """Each an index of a node, or a float. Those of a dot are weights, bias, inputs and a 1."""
        op = ops.named(name)
        if name == "**" and isinstance(operands[1], float):  # another operation
            op, operands = ops.power(operands[1]), operands[:1]
        values = [x if isinstance(x, float) else self.nodes[x] for x in operands]
        point = [x if isinstance(x, float) else x.data for x in values]
        half = len(point) // 2
        packed = (point[:half], point[half:]) if op == "dot" else point
        try:
            y = op.value(*packed)
        except REFUSED:
            with pytest.raises(REFUSED):
                apply(op, values)
            return
        try:
            slopes = op.partials(*packed, y)
        except REFUSED:
            slopes = [math.nan] * len(point)
        slopes = [*slopes[0], *slopes[1]] if op == "dot" else slopes
        # Numbers and slopes far from 1 only make products that leave the floats: such steps are left out.
        if (y == 0.0 or 1e-30 < abs(y) < 100.0) and not any(abs(slope) > 1e4 for slope in slopes):
            edges = [(i, slope) for i, slope in zip(operands, slopes, strict=True) if isinstance(i, int)]
            self.add(apply(op, values), y, edges)

    def derivatives(self, root):
        """{k: (derivative of the root in node k, bound of error)}; None if a slope on the way does not exist."""
        sums, edges = {root: (1.0, 1.0)}, 0  # over paths, of products of slopes and of their sizes
        for k in range(root, -1, -1):
            for i, slope in self.edges[k] if k in sums else []:
                if math.isnan(slope):
                    return None
                total, size = sums.get(i, (0.0, 0.0))
                sums[i] = total + sums[k][0] * slope, size + sums[k][1] * abs(slope)
                edges += 1
        return {k: (total, 4 * edges * U * size + 1e-300) for k, (total, size) in sums.items()}

    def places(self, drawn):
        """Indices of nodes; plain numbers stay."""
        n = len(self.nodes)
        return [x if isinstance(x, float) else n - 1 - x % n for x in drawn]

    @initialize(numbers=st.lists(plain, min_size=1, max_size=3))
    def begin(self, numbers):
        for number in numbers:
            self.add_leaf(number)

    @rule(number=plain)
    def add_leaf(self, number):
        self.add(Value(number, f"x{len(self.nodes)}"), number, [])

    @rule(steps=st.lists(st.one_of(*steps.values()), min_size=1, max_size=12))
    def grow(self, steps):
        for name, operands in steps:
            self.step(name, self.places(operands))
        self.backward(root=0)

    @rule(root=node)
    def backward(self, root):
        """Adds to the leaves, sets the inner nodes; where a slope is missing, nothing changes."""
        (root,) = self.places([root])
        expected = self.derivatives(root)
        if expected is None:
            with pytest.raises(REFUSED):
                self.nodes[root].backward()
            return
        self.nodes[root].backward()
        for k, (derivative, bound) in expected.items():
            old, old_bound = (0.0, 0.0) if self.edges[k] else self.grads[k]
            total = old + derivative
            self.grads[k] = total, old_bound + bound + 2 * U * abs(total)

    @rule(outputs=some_nodes, wrt=some_nodes)
    def derive(self, outputs, wrt):
        """Both modes of jacobian, vjp, and grad's graph of derivatives; the invariant says that no .grad has changed."""
        outputs, wrt = self.places(outputs), self.places(wrt)
        rows = list(map(self.derivatives, outputs))
        ys, xs = ([self.nodes[k] for k in places] for places in (outputs, wrt))
        cotangents = [1.0, -0.5, 2.0][: len(ys)]
        if None in rows:
            with pytest.raises(REFUSED):
                vjp(ys, cotangents, xs)
            return
        wanted = np.reshape([[row.get(k, (0.0, 0.0)) for k in wrt] for row in rows], (len(ys), len(xs), 2))
        slopes, bounds = wanted[..., 0], wanted[..., 1]
        assert_close(np.reshape(jacobian(ys, xs), slopes.shape), slopes, bounds)
        found = vjp(ys, cotangents, xs)
        assert_close(found, cotangents @ slopes, np.abs(cotangents) @ (bounds + 4 * U * np.abs(slopes)))
        try:
            recorded = vjp(ys, cotangents, xs, create_graph=True)
        except RuntimeError:  # leaves were assigned after their use
            assert self.assigned
        else:
            assert [slope.data for slope in recorded] == found

    @rule(outputs=some_nodes)
    def order(self, outputs):
        """Leaves and constants included, from one output or several; the topological order is the same without leaves."""
        outputs = [self.nodes[k] for k in self.places(outputs)]
        order = nodes(*outputs)
        found = {}
        for output in outputs:
            by_the_book(output, found)
        assert list(map(id, order)) == list(found)
        assert list(map(id, topological_order(*outputs))) == [id(node) for node in order if node.parents]

    @rule(node=node, number=plain)
    def assign_a_leaf(self, node, number):
        (k,) = self.places([node])
        if self.edges[k]:
            with pytest.raises(AttributeError):
                self.nodes[k].data = number
        else:
            self.nodes[k].data = self.numbers[k] = number
            self.assigned = True

    @rule(node=node)
    def copy_one(self, node):
        """Shallow: a node of its own, with the same operands, label and gradient."""
        (k,) = self.places([node])
        twin = copy.copy(self.nodes[k])
        assert (twin.op, twin.label) == (self.nodes[k].op, self.nodes[k].label)
        self.add(twin, self.numbers[k], self.edges[k], self.grads[k])

    @rule(copied=st.sampled_from(COPIES), random=st.randoms(use_true_random=False))
    def go_on_with_a_copy(self, copied, random):
        """Its nodes in any order: numbers, gradients, labels, operations and sharing come through bit for bit."""
        old = self.nodes
        order = random.sample(range(len(old)), len(old))
        copies = dict(zip([old[k] for k in order], copied([old[k] for k in order]), strict=True))
        self.nodes = [copies[node] for node in old]
        for a, b in zip(old, self.nodes, strict=True):
            assert (a.op, a.data.hex(), a.grad, a.label) == (b.op, b.data.hex(), b.grad, b.label)
            for p, q in zip(a.parents, b.parents, strict=True):
                assert q is copies[p] if p.op != "constant" else q.data == p.data
        for node in old:  # whoever still looks at the old one will see it
            node.grad = math.nan

    @invariant()
    def every_node_is_right(self):
        assert [node.data for node in self.nodes] == self.numbers
        assert_close([node.grad for node in self.nodes], *zip(*self.grads, strict=True))
        self.derive(outputs=[0], wrt=range(len(self.nodes)))
        self.derive(outputs=[0, 1, 2], wrt=[len(self.nodes) // 2])


def assert_close(found, wanted, bounds):
    off = np.abs(np.subtract(found, wanted))
    assert (off <= bounds).all(), f"{found}, not {wanted}"


TestGrowingGraph = GrowingGraph.TestCase
TestGrowingGraph.settings = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=30)


MISTAKES = ["overwrites", "forgets operands", "goes forward", "stops early", "keeps gradients", "is slightly off"]


@pytest.mark.parametrize("mistake", [None, *MISTAKES])
def test_the_machine_rejects_a_wrong_backward(mistake, monkeypatch):
    """`Value.backward` once more, with a mistake or without one."""

    def backward(self):
        sweep = [(node, node.parents, node.partials) for node in topological_order(self)]
        for node, *_ in sweep:
            node.grad *= mistake == "keeps gradients"
        self.grad += 1.0 + 1e-9 * (mistake == "is slightly off")
        for node, parents, partials in sweep[mistake == "stops early" :][:: 1 if mistake == "goes forward" else -1]:
            for k, (parent, partial) in enumerate(zip(parents, partials, strict=True)):
                if k == 0 or mistake != "forgets operands":
                    parent.grad = parent.grad * (mistake != "overwrites") + partial * node.grad

    monkeypatch.setattr(Value, "backward", backward)
    steady = settings(max_examples=200 if mistake else 5, phases=[Phase.generate], stateful_step_count=20)
    with pytest.raises(AssertionError) if mistake else nullcontext():
        run_state_machine_as_test(GrowingGraph, settings=settings(steady, database=None, report_multiple_bugs=False))


@pytest.mark.usefixtures("switching_often")
def test_threads_may_walk_one_graph_at_once():
    """Orders, gradients and copies are those of one thread, however often the threads take turns."""
    y = x = Value(1.0)
    for _ in range(200):
        y = (y * 0.999 + x * y).tanh() if y.data < 1.0 else y - x
    walks = [
        lambda: list(map(id, nodes(y))),
        lambda: list(map(id, topological_order(y))),
        lambda: grad(y, x),
        *[lambda copied=copied: copied(y).data for copied in COPIES[:3]],
    ]
    alone = [walk() for walk in walks]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda k: walks[k % len(walks)](), range(10 * len(walks)))) == alone * 10
