"""The passes in a row: from a recorded graph to the source of its two programs, values and gradient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from ..graph import depth_first
from ..value import Value
from . import array_ops
from .array_graph import Array, ArrayGraph
from .assembly import Assembly
from .batches import cast
from .derivative import Gradient, differentiate, refuse_rules_of_numbers
from .likeness import Likeness
from .names import Names
from .normal_form import CONSTANT, ELEMENTWISE, NormalForm
from .numpy_source import Program, Tables, lattice
from .one_sample import worthwhile
from .record import Recording, collection_paused
from .rewrites import LAYERS, PROGRAM, Rewriting
from .work_arrays import is_computed

_MOST_CLASSES = 100_000  # more are refused
_MOST = 1000  # samples per chunk, at most
_CACHE = 2e6  # bytes of work arrays per chunk that stay in the cache
_NUMBERS = 12000  # numbers per statement, on average, that make a NumPy call worthwhile


class Passes:
    """The results of all passes for one recording, to be run, printed and tested.

    form, likeness, forward: the scalar graph in normal form, its classes, the array graph of its outputs. derived,
    rewritten: the arrays of the mean and of its gradient, before and after the rewrites; empty for several outputs.

    `sources`: of the programs, by name, which refer to `tables`; `statements`: of each; `chunk`: how many samples are best
    computed at a time; `slots`: numbers per sample in the work arrays. few_values, few: up to which number of samples
    plain floats are faster.
    """

    @collection_paused()
    def __init__(
        self,
        recording: Recording,
        parameters: Sequence[Value] = (),
        watched: int = 0,
        dtype: np.dtype[Any] = np.dtype(np.float64),  # noqa: B008
    ) -> None:
        self.graph = ArrayGraph()
        self.form = NormalForm(recording, parameters)
        self.likeness = Likeness(self.form)
        if len(self.likeness.classes) > _MOST_CLASSES:
            raise ValueError(
                f"the function records {len(self.form.terms):,} operations, of which {len(self.likeness.classes):,} have "
                "nothing like them: a program that long would take minutes and gigabytes to compile. Record a smaller part "
                "(one step, say) and call it in a loop"
            )
        self._refuse_large_constants(dtype)
        self.tables = Tables()
        assembly = Assembly(self.likeness, self.graph)
        numbers = self.form.outputs
        roots = [assembly.rows(numbers), assembly.rows(numbers[:1])]
        roots += [assembly.rows(numbers[1:])] if watched else []
        layers = Rewriting(self.graph, roots, LAYERS)
        self.forward, cost, *noted = [layers[root] for root in roots]
        self.names = Names(len(recording.inputs))
        self.statements: list[int] = []
        self.derived: list[Array] = []
        self.rewritten: list[Array] = []
        self.chunk, self.slots = _MOST, 0
        self.names.name_layers(depth_first([self.forward], attrgetter("parents")))
        self.sources = {"values": self._values()}
        if len(recording.outputs) == 1 + watched:
            refuse_rules_of_numbers(self.form.operations.values())
            gradient = differentiate(self.graph, cost, assembly.theta)
            self.sources["gradient"] = self._gradient(gradient, noted, assembly.theta)
        self.few_values = worthwhile(self.form, self.statements[0], gradient=False)
        self.few = worthwhile(self.form, self.statements[1], gradient=True) if len(self.sources) > 1 else 0

    def _refuse_large_constants(self, dtype: np.dtype[Any]) -> None:
        numbers = [float(term.operands[0]) for term in self.form.terms if term.kind == CONSTANT]
        cast(np.array(numbers), dtype, "the function")

    def found(self) -> str:
        """Operation counts before and after compiling."""
        operations = sum([term.kind >= ELEMENTWISE for term in self.form.terms])
        return f"{operations:,} operations on numbers became {len(self.likeness.classes):,} arrays"

    def summary(self) -> str:
        """What was found, in a few lines."""
        products = [f"  {which}: {shape}" for which, shape in self._products()]
        statements = ", ".join([f"{name} {count}" for name, count in zip(self.sources, self.statements, strict=True)])
        limits = (
            {"values": self.few_values, "gradients": self.few} if len(self.sources) > 1 else {"values": self.few_values}
        )
        small = " and ".join([f"{which} of up to {few} samples" for which, few in limits.items() if few])
        return "\n".join(
            [
                f"{self.found()}, among them the products",
                *(products or ["  (none)"]),
                f"statements: {statements}",
                *([f"as plain floats: {small}"] if small else []),
                f"in NumPy: {'larger' if small else 'all'} batches, {self.chunk} samples at a time",
                f"work arrays: {8 * self.slots:,} bytes a sample",
            ]
        )

    def _products(self) -> Iterator[tuple[str, str]]:
        """Which layers are products of which shape; equal ones in a row together."""
        shapes = []
        for z in self.names.layers:
            product = z if z.op == array_ops.matmul else z.args[0]
            (rows, width, _), columns = product.args[0].shape, product.shape.columns
            shapes.append(f"{rows} × {width}{f', for {columns} vectors together' if columns > 1 else ''}")
        q = 1
        for shape, run in groupby(shapes):
            count = len(list(run))
            yield f"layer {q}" if count == 1 else f"layers {q} to {q + count - 1}, each", shape
            q += count

    def _values(self) -> str:
        now = Rewriting(self.graph, [self.forward], PROGRAM)
        program = Program(self.names.rewritten(now), self.tables, [now[self.forward]])
        for number, node in enumerate(program.order):
            program.compute(number, node)
        program.lines.append(f"out[...] = {program.text(now[self.forward])}")
        self._count(program)
        return program.definition("values", "work, theta, out")

    def _count(self, program: Program) -> None:
        self.statements.append(len(program.lines))
        slots = sum([slots for slots, varies in program.work.sizes if varies])
        computed = [node.shape.slots for node in program.order if node.shape.varies]
        in_cache = _CACHE / (8 * max(1, slots))
        worth_a_call = _NUMBERS * len(computed) / max(1, sum(computed))
        self.slots = max(self.slots, slots)
        self.chunk = min(self.chunk, max(1, int(max(in_cache, worth_a_call))))

    def _gradient(self, gradient: Gradient, noted: list[Array], theta: Array) -> str:
        """The program that computes the mean, its gradient and the other outputs."""
        self.names.name_deltas(gradient.adjoints)
        self.derived = [gradient.mean, *noted, *[array for _, array in gradient.parts]]
        now = Rewriting(self.graph, self.derived, PROGRAM)
        self.rewritten = [now[array] for array in self.derived]
        mean = now[gradient.mean]
        noted = [now[output] for output in noted]
        parts = [(slots, now[array]) for slots, array in gradient.parts]
        names = self.names.rewritten(now)
        for matrix, name in list(names.of.items()):  # A1 in theta has its dA1 in the gradient
            for slots, array in parts:
                if matrix.op == array_ops.take and matrix.args[0] is theta and matrix.detail == slots:
                    names.of.setdefault(array, f"d{name}")
        roots = [*mean.args, *noted, *[array for _, array in parts]]
        elsewhere = _written_directly(parts, theta.shape.rows, roots)
        program = Program(names, self.tables, roots, elsewhere)
        counted = Counter([slot for slots, _ in parts for slot in slots])
        if len(counted) < theta.shape.rows or max(counted.values(), default=0) > 1:
            program.lines.append("gradient[...] = 0.0")
        for number, node in enumerate(program.order):
            program.compute(number, node)
        for slots, array in parts:
            if array not in elsewhere:
                view = lattice("gradient", theta.shape.rows, slots, array.shape[:2])
                place = view or f"gradient[{self.tables.table(slots, array.shape[:2])}]"
                if all([counted[slot] == 1 for slot in slots]):
                    program.lines.append(f"{place}{'[...]' if view else ''} = {program.text(array)}")
                elif view is not None and len(set(slots)) == len(slots):
                    program.lines.append(f"add({view}, {program.text(array)}, out={view})")
                else:
                    table = self.tables.table(slots, array.shape[:2])
                    program.lines.append(f"add.at(gradient, {table}, {program.text(array)})")
        for output in noted:
            program.lines.append(f"watched[...] = {program.text(output)}")
        total = program.full(mean.args[0])
        squared = mean.op == array_ops.squared_length
        total = f"vdot({total}, {total})" if squared else f"add.reduce({total}, axis=None)"
        scale = program.scaled(mean.detail, not mean.args[0].shape.varies)
        program.lines.append(f"return {scale} * float({total})")
        self._count(program)
        return program.definition("gradient", "work, theta, gradient, watched, inv_K")


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
