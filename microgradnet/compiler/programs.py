"""The two programs of a compiled function, as source: its values, and its mean with the gradient."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .. import ops
from ..graph import reverse, topological_order
from . import array_graph as arrays
from .array_graph import Array, Graph, K
from .likeness import Grouping
from .numpy_source import Emitter, Names, lattice


def generate(grouping: Grouping, watched: int) -> tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]:
    """The source of both programs, and what it refers to: tables, work arrays, operations."""
    graph = Graph()
    made, outputs = grouping.arrays(graph)
    names = Names(len(grouping.inputs))
    for group, array in zip(grouping.groups, made, strict=True):
        if group.op == ops.dot:
            names.layer(array)
        elif len(group.rows) > 0:
            names.activation(array)
    tables: dict[str, Any] = {}
    work: dict[str, list[tuple[int, int]]] = {}
    functions: dict[str, str] = {}
    values = Emitter(names, [outputs], tables, grouping.constants)
    for node in values.order:
        values.emit(node)
    values.lines.append(f"out[...] = {values.text(outputs)}")
    programs = [("values", "theta, out, work", values)]
    if len(grouping.outputs) == 1 + watched:
        programs.append(
            ("gradient", "theta, gradient, watched, inv_K, work", _gradient(grouping, graph, made, names, tables))
        )
    text = []
    for name, arguments, emitter in programs:
        work[name] = emitter.work
        functions |= emitter.functions
        text.append(_definition(name, ", ".join([arguments, *names.inputs]), emitter, names))
    return "\n\n".join(text), tables, work, functions


def _definition(name: str, arguments: str, emitter: Emitter, names: Names) -> str:
    body = list(emitter.lines)
    used = "\n".join(body)
    if "share" in used or "columns" in used:
        first = names.inputs[0] + ".shape[1]" if names.inputs else "1"
        body.insert(0, f"columns = {first}")
        if "share" in used:
            body.insert(1, "share = columns * inv_K")
    if emitter.work:
        body.insert(0, f"({' '.join(f'w{i},' for i in range(len(emitter.work)))}) = work")
    return "\n".join([f"def {name}({arguments}):", *[f"    {line}" for line in body], ""])


def _gradient(grouping: Grouping, graph: Graph, made: list[Any], names: Names, tables: dict[str, Any]) -> Emitter:
    """The program that computes the mean of the first output and its gradient, and notes the other outputs."""
    cost = grouping.rows(graph, made, grouping.outputs[:1])
    seed = graph.node(arrays.uniform, (), cost.shape, (1.0, cost.shape[1] != K))
    adjoints: dict[Any, Any] = {cost: seed}
    reverse(topological_order(cost), adjoints, arrays.partials)
    for z in names.layers:
        names.delta(z, adjoints.get(z))
    theta = made[0]
    whole = adjoints.get(theta, 0.0)
    puts = arrays.parts(whole)
    puts.sort(key=lambda put: -max(put.detail))  # last layer first, as the sweep goes
    factor, total = _total(cost)
    squared = total.op == "**2"  # the squared length of an array is one call
    if squared:
        (total,) = total.args
    noted = [grouping.rows(graph, made, [place]) for place in grouping.outputs[1:]]
    emitter = Emitter(names, [total, *noted, *[put.args[0] for put in puts]], tables, grouping.constants)

    def view(put: Array) -> str | None:
        return lattice("gradient", theta.shape[0], put.detail, put.args[0].shape)

    slots = Counter(slot for put in puts for slot in put.detail)
    direct: dict[Array, str] = {}
    for put in puts:
        target = view(put)
        if target and all(slots[slot] == 1 for slot in put.detail) and emitter.only_here(put.args[0]):
            direct[put.args[0]] = target
    for matrix, name in list(names.of.items()):  # A1 in theta has its dA1 in the gradient
        for put in puts:
            if matrix.op == arrays.take and matrix.detail == put.detail and put.args[0] in direct:
                names.of.setdefault(put.args[0], f"d{name}")
    if len(slots) < theta.shape[0] or any(put.args[0] not in direct for put in puts):
        emitter.lines.append("gradient[...] = 0.0")
    for node in emitter.order:
        emitter.emit(node, direct.get(node))
    for put in puts:
        if put.args[0] not in direct:
            emitter.add_to(view(put), "gradient", put.detail, put.args[0])
    for row, output in enumerate(noted):
        emitter.lines.append(f"watched[{row}:{row + 1}] = {emitter.text(output)}")
    mean = f"{factor!r} * inv_K" if cost.shape[1] == K else f"{factor!r} * share"
    if squared:
        emitter.lines.append(f"return {mean} * float(vdot({emitter.full(total)}, {emitter.full(total)}))")
    else:
        emitter.lines.append(f"return {mean} * float(add.reduce({emitter.full(total)}, axis=None))")
    return emitter


def _total(cost: Array) -> tuple[float, Array]:
    """A number and an array whose sum, times the number, is the sum of the costs: what is added up need not be before."""
    factor = 1.0
    while True:
        if cost.op == arrays.sum_rows and cost.shape[0] == 1:
            (cost,) = cost.args
        elif cost.op == ops.mul and isinstance(cost.args[0], float):
            factor, cost = factor * cost.args[0], cost.args[1]
        else:
            return factor, cost
