"""The two NumPy programs of a function: its values, and its mean with the gradient.

What they compute is known to the passes before; here stands how the results leave a program: where each part of the
gradient is written, and what is returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

from ..graph import depth_first
from . import array_ops
from .array_graph import Array
from .names import Names
from .numpy_source import Program, Tables, lattice
from .work_arrays import is_computed

Part = tuple[tuple[int, ...], Array]  # slots of the gradient, and the array to be added there


def values_program(names: Names, tables: Tables, outputs: Array) -> Program:
    """`values(work, theta, out, x, …)` puts the outputs into `out`."""
    program = Program("values", "work, theta, out", names, tables, [outputs])
    program.compute_all()
    program.lines.append(f"out[...] = {program.text(outputs)}")
    return program


def gradient_program(
    names: Names, tables: Tables, mean: Array, noted: Sequence[Array], parts: Sequence[Part], size: int
) -> Program:
    """`gradient(work, theta, gradient, watched, inv_K, x, …)` returns the mean, and puts its gradient into an array of this
    size, and the noted outputs into `watched`.
    """
    roots = [*mean.args, *noted, *[array for _, array in parts]]
    elsewhere = _written_directly(parts, size, roots)
    arguments = "work, theta, gradient, watched, inv_K"
    program = Program("gradient", arguments, names, tables, roots, elsewhere)
    counted = Counter([slot for slots, _ in parts for slot in slots])
    if len(counted) < size or max(counted.values(), default=0) > 1:
        program.lines.append("gradient[...] = 0.0")
    program.compute_all()
    for slots, array in parts:
        if array not in elsewhere:
            _add_part(program, slots, array, size, alone=all([counted[slot] == 1 for slot in slots]))
    program.lines += [f"watched[...] = {program.text(output)}" for output in noted]
    total = program.full(mean.args[0])
    squared = mean.op == array_ops.squared_length
    total = f"vdot({total}, {total})" if squared else f"add.reduce({total}, axis=None)"
    scale = program.scaled(mean.detail, not mean.args[0].shape.varies)
    program.lines.append(f"return {scale} * float({total})")
    return program


def _add_part(program: Program, slots: tuple[int, ...], array: Array, size: int, alone: bool) -> None:
    """Add a part to the gradient. alone: no other part has any of its slots."""
    view = lattice("gradient", size, slots, array.shape[:2])
    text = program.text(array)
    if view and alone:
        program.lines.append(f"{view}[...] = {text}")
    elif view and len(set(slots)) == len(slots):
        program.lines.append(f"add({view}, {text}, out={view})")
    else:
        table = program.tables.table(slots, array.shape[:2])
        program.lines.append(f"gradient[{table}] = {text}" if alone else f"add.at(gradient, {table}, {text})")


def _written_directly(
    parts: Sequence[tuple[tuple[int, ...], Array]], size: int, roots: list[Array]
) -> dict[Array, str]:
    """Arrays that are computed directly in the gradient: their slots lie regularly and belong to no other part."""
    counted = Counter([slot for slots, _ in parts for slot in slots])
    read = Counter(roots)
    for node in depth_first(roots, attrgetter("parents")):
        read.update(node.parents)
    written = {}
    for slots, array in parts:
        view = lattice("gradient", size, slots, array.shape[:2])
        alone = all([counted[slot] == 1 for slot in slots])
        one_statement = is_computed(array) and array.op not in (array_ops.stack, array_ops.take)
        if view and alone and read[array] == 1 and one_statement:
            written[array] = view
    return written
