"""A recorded graph as pictures show it: its nodes, what each is to a reader, its name, and which numbers to show.

Structure comes from the graph (see `layers`), text from the labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from .. import ops
from ..functions import dot
from ..graph import dot_parts, nodes, topological_order
from ..value import Value
from .layers import LayerNodes, find_layers
from .text import short, shown, subscript, superscript

_LONGEST = 28  # characters of a label in a picture; the tooltip has them all
_SHORT = 12  # characters of a label in formulas
_MOST_NAMED = 5  # leaves named in a warning
STALE = "†"


class DrawnGraph:
    """A recorded graph under one root or several.

    nodes: all, operands first; order: those with operands; names: of the nodes in DOT, n0, n1 … gradients: those that there are to show, by default what
    `backward` left in `.grad`: none before it ran, and none of constants.
    """

    def __init__(self, roots: Sequence[Value], gradients: dict[Value, float] | None = None) -> None:
        self.roots = tuple(dict.fromkeys(roots))
        self.nodes: list[Value] = nodes(*self.roots)
        self.order: list[Value] = topological_order(*self.roots)
        self.names = {node: f"n{i}" for i, node in enumerate(self.nodes)}
        self.edge_count = sum(len(node.parents) for node in self.order)
        self.layers = find_layers(self.order)
        self.gradients = self._recorded_gradients() if gradients is None else gradients
        calls = [call for layer in self.layers for call in layer.calls]
        self._parameters = {p for layer in self.layers for p in layer.parameters}
        self._inputs = {x for call in calls for x in call.inputs if not x.parents}
        self._names = _input_names(self.layers)
        self._z = {z for call in calls for z in call.z}
        outputs = self._z.union(*[call.y.values() for call in calls])
        self._has_cost = len(self.roots) == 1 and bool(calls) and self.roots[0] not in outputs

    def name(self, node: Value) -> str:
        """Its label or, for the inputs of a net that have none, x₁ …; else nothing."""
        return shown(node.label, _LONGEST) or self._names.get(node, "")

    def kind(self, node: Value) -> str:
        """What it is to a reader: an operation, an input or a parameter of a layer, a constant, or a variable."""
        if node.parents:
            return "operation"
        if node in self._inputs:
            return "input"
        if node.op is ops.constant:
            return "constant"
        return "parameter" if node in self._parameters else "variable"

    def is_result(self, node: Value) -> bool:
        """Whether it is one of the roots: itself, not one that compares equal."""
        return any(node is root for root in self.roots)

    def gradient_name(self, node: Value) -> str:
        """δ for ∂C/∂z, as in the lecture. Of a net's own output, without a cost, it is a gradient like others."""
        return "δ" if self._has_cost and node in self._z else "grad"

    @property
    def result_name(self) -> str:
        """What formulas call the first root: its label if that is short, else C if it is a net's cost."""
        label = shown(self.roots[0].label)
        return label if 0 < len(label) <= _SHORT else "C" if self._has_cost else "result"

    def number(self, node: Value) -> str:
        """Its number to be read, marked if it is not what its operands' present numbers give."""
        return short(node.data) + (f" {STALE}" if node in self.stale else "")

    @cached_property
    def stale(self) -> set[Value]:
        """The nodes whose numbers or derivatives are those of leaves before they were assigned."""
        stale = set(self._outdated)
        for node in self.order if stale else []:
            if not stale.isdisjoint(node.parents):
                stale.add(node)
        return stale

    def warnings(self) -> list[str]:
        """What a reader must know: that a leaf shows another number than the one the graph was recorded with."""
        if not self._outdated:
            return []
        leaves = [p for node in self._outdated for p in node.parents if not p.parents and p.op is not ops.constant]
        names = list(dict.fromkeys(self.name(leaf) or short(leaf.data) for leaf in leaves))
        listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        return [
            f"{STALE} Computed before one of {listed} was assigned,",
            "as were the derivatives: compute it again.",
        ]

    @cached_property
    def _outdated(self) -> list[Value]:
        return [node for node in self.order if not _follows_from_operands(node)]

    def _recorded_gradients(self) -> dict[Value, float]:
        if all(root.grad == 0.0 for root in self.roots):  # `backward` leaves a 1 there
            return {}
        return {node: node.grad for node in self.nodes if node.op is not ops.constant}


def local_derivatives(node: Value) -> list[float | None]:
    """∂node/∂parent for each parent, as recorded; None where it does not exist."""
    return [None] * len(node.parents) if missing_derivative(node) else [*node.partials]


def missing_derivative(node: Value) -> Exception | None:
    """The engine's error, if the operation has no derivative at its number."""
    try:
        node.partials  # noqa: B018  # raises what is wanted here
    except (ValueError, ArithmeticError) as error:
        return error
    return None


def _follows_from_operands(node: Value) -> bool:
    """Whether recording it again, on its operands' present numbers, gives the numbers that it has."""
    if node.op is ops.custom:
        return True  # made by hand: nothing computes it
    try:
        if node.op is ops.dot:
            weights, inputs, bias = ([x.data for x in part] for part in (*dot_parts(node)[:2], [dot_parts(node)[2]]))
            again = dot([Value(w) for w in weights], inputs, bias[0])
        else:
            again = node.op(*[Value(parent.data) for parent in node.parents])
    except (ValueError, ArithmeticError):
        return False
    new, old = ([x.data, *local_derivatives(x)] for x in (again, node))
    return all(a == b or (a != a and b != b) for a, b in zip(new, old, strict=True))


def _input_names(layers: Iterable[LayerNodes]) -> dict[Value, str]:
    """x_j for the unlabelled inputs of a net, x_j^k if there are several samples k."""
    names: dict[Value, str] = {}
    for layer in layers:
        samples = [call for call in layer.calls if not all(x.parents for x in call.inputs)]
        for k, call in enumerate(samples if layer.number == 1 else [], 1):
            for j, x in enumerate(call.inputs, 1):
                if not x.parents and not x.label:
                    names.setdefault(x, f"x{superscript(k) if len(samples) > 1 else ''}{subscript(j)}")
    return names
