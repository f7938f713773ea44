"""A walk through a graph layer by layer: which nodes make one step, and the lecture's formulas of that step.

A formula is written only where it is what the graph computes: the activation is the one in the graph, (A⁽q⁺¹⁾)ᵀ δ⁽q⁺¹⁾
stands where the layer's outputs go to that layer alone, and ∂C/∂A has an equals sign where nothing else uses the weights.
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ..graph import dot_parts
from ..ops import Op
from ..symbols import Expression
from ..value import Value
from .drawn_graph import DrawnGraph
from .javascript import expression, formula
from .layers import LayerCall, LayerNodes
from .text import shown, superscript


def step_groups(graph: DrawnGraph) -> list[dict[str, Any]]:
    """The operations, operands first, in groups: a layer's z and y, and what lies between layers.

    `nodes`: their numbers in the picture; `layer`: the lecture's q, 0 between layers. Of a layer also `calls`, each with
    its name ("" if it is the only one) and the numbers of its z and y; `names` of these vectors and of δ; `forward` and
    `backward`, the formulas; and `outputs`, "sigmoid" where y = σ(z) is no node.
    """
    homes = {z: call for layer in graph.layers for call in layer.calls for z in call.z}
    homes_of_y = {y: call for call in homes.values() for y in call.y.values()}
    stage: dict[Value, int] = {}  # odd for layers
    groups: dict[tuple[int, int], list[Value]] = {}
    for node in graph.order:
        before = max([stage.get(parent, 0) for parent in node.parents])
        call = homes.get(node) or homes_of_y.get(node)
        if call is None:
            stage[node] = before + before % 2
        else:
            stage[node] = before if node in homes_of_y else before + 1 + before % 2
        groups.setdefault((stage[node], id(call.layer) if call else 0), []).append(node)
    number = {node: i for i, node in enumerate(graph.nodes)}
    lecture = _Lecture(graph, homes)
    made: list[dict[str, Any]] = []
    for level, layer in sorted(groups, key=lambda key: key[0]):
        members = groups[level, layer]
        group: dict[str, Any] = {"nodes": [number[node] for node in members], "layer": 0}
        if layer:
            calls = list({id(homes[z]): homes[z] for z in members if z in homes}.values())
            group |= lecture.words(calls)
            group["calls"] = [
                {
                    "name": _name(call),
                    "z": [number[z] for z in call.z],
                    "y": [number[call.y[z]] for z in call.z if z in call.y],
                }
                for call in calls
            ]
        made.append(group)
    return made


def _name(call: LayerCall) -> str:
    """Which of its layer's calls it is, as on its frame: a sample, or a step in time."""
    return "" if len(call.layer.calls) == 1 else f"k = {call.number}"


class _Lecture:
    """The formulas of the calls of one layer that make a step."""

    def __init__(self, graph: DrawnGraph, homes: dict[Value, LayerCall]) -> None:
        self._graph, self._homes = graph, homes
        self._uses: dict[Value, list[tuple[Value, int]]] = {}  # of each operand: by which node, in which place
        for node in graph.order:
            for place, parent in enumerate(node.parents):
                self._uses.setdefault(parent, []).append((node, place))
        self._outputs = {_outputs(call): call.layer for call in homes.values()}

    def words(self, calls: list[LayerCall]) -> dict[str, Any]:
        """The number of the layer, and the formulas."""
        layer = calls[0].layer
        q, inputs = f"⁽{superscript(layer.number)}⁾", self._inputs(calls)
        delta, error = self._delta(layer), f"∂{self._graph.result_name}/∂"
        miracle = self._miracle(calls, delta, f"y{q}")
        found = {call.y[z].op if z in call.y else None for call in calls for z in call.z}
        op = ops.sigmoid if miracle else found.pop() if len(found) == 1 else "f"
        y, slope = (f"z{q}", "") if op is None else _activation(op, f"z{q}")
        backward = miracle or f"{delta} = {slope}{self._above(calls, q)}"
        many = "Σₖ " if len(calls) > 1 else ""
        equal = "=" if self._nothing_else_uses_the_parameters(calls) else "gets"
        gradients = [f"{error}A{q} {equal} {many}{delta} {inputs if inputs == 'x' else f'({inputs})'}ᵀ"]
        if all(dot_parts(z)[2].op is not ops.constant for call in calls for z in call.z):
            gradients.append(f"{error}b{q} {equal} {many}{delta}")
        return {
            "layer": layer.number,
            "names": {"z": f"z{q}", "y": f"y{q}", "delta": delta},
            "forward": f"z{q} = A{q} {inputs} + b{q},  y{q} = {y}",
            "backward": ",  ".join([backward, *gradients]),
            "outputs": "sigmoid" if miracle else "",
        }

    def _delta(self, layer: LayerNodes) -> str:
        q = f"⁽{superscript(layer.number)}⁾"
        z = layer.calls[0].z[0]
        return f"δ{q}" if self._graph.gradient_name(z) == "δ" else f"∂{self._graph.result_name}/∂z{q}"

    def _inputs(self, calls: list[LayerCall]) -> str:
        """x, the y of another layer, or else "inputs"."""
        names = set()
        for call in calls:
            below = self._outputs.get(call.inputs)
            plain = not any(x.parents for x in call.inputs)
            names.add(f"y⁽{superscript(below.number)}⁾" if below else "x" if plain else "inputs")
        return names.pop() if len(names) == 1 else "inputs"

    def _above(self, calls: list[LayerCall], q: str) -> str:
        """The gradient of the outputs y: from the layer above, if that is all that uses them."""
        layers = []
        for call in calls:
            outputs = _outputs(call)
            uses = [use for y in outputs for use in self._uses.get(y, [])]
            above = list({id(self._homes[head]): self._homes[head] for head, _ in uses if head in self._homes}.values())
            alone = len(above) == 1 and above[0].inputs == outputs and len(uses) == len(outputs) * len(above[0].z)
            if not alone or any(self._graph.is_result(y) for y in outputs):
                return f"∂{self._graph.result_name}/∂{'y' if calls[0].y else 'z'}{q}"
            layers.append(above[0].layer)
        if any(layer is not layers[0] for layer in layers):
            return f"∂{self._graph.result_name}/∂{'y' if calls[0].y else 'z'}{q}"
        return f"(A⁽{superscript(layers[0].number)}⁾)ᵀ {self._delta(layers[0])}"

    def _miracle(self, calls: list[LayerCall], delta: str, y: str) -> str:
        """How δ follows from y under the cross-entropy of a sigmoid, whose graph goes straight on from z; else nothing."""
        uses = [use for call in calls for z in call.z for use in self._uses.get(z, [(z, 0)])]
        if any(head.op is not ops.cross_entropy or place != 0 for head, place in uses):
            return ""
        if all(self._is_summed(head) for head, _ in uses):
            return f"{delta} = {y} − r: σ′ cancels"
        return f"{delta} = ∂{self._graph.result_name}/∂c · ({y} − r), c the cross-entropy: σ′ cancels"

    def _is_summed(self, node: Value) -> bool:
        """Whether the result is this number plus others, so that its gradient is 1."""
        while not self._graph.is_result(node):
            uses = self._uses[node]
            if len(uses) != 1 or uses[0][0].op is not ops.add:
                return False
            node = uses[0][0]
        return True

    def _nothing_else_uses_the_parameters(self, calls: list[LayerCall]) -> bool:
        inside = {z for call in calls for z in call.z}
        own = {p for z in inside for p in z.parents[: 1 + len(z.parents) // 2] if p.op is not ops.constant}
        return all(len(self._uses[p]) == len(calls) and all(head in inside for head, _ in self._uses[p]) for p in own)


def _outputs(call: LayerCall) -> tuple[Value, ...]:
    return tuple([call.y.get(z, z) for z in call.z])


def _activation(op: Op | str, z: str) -> tuple[str, str]:
    """y, and what the gradient of y is multiplied by. op: a row, or the name of an operation that differs from neuron to neuron."""
    if not isinstance(op, Op):
        return f"{op}({z}), not the same {op} for all", f"{op}′({z}) ⊙ "
    y = formula(op(Expression(z)))
    if op.exponent is None:
        return y, f"{y.removesuffix(f'({z})') if y.endswith(f'({z})') else shown(str(op))}′({z}) ⊙ "
    return y, f"({formula(expression(op.partials(Expression(z), Expression('y'))[0]))}) ⊙ "
