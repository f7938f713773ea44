"""The passes in a row: from a recorded graph to the source of its two programs, values and gradient."""

from __future__ import annotations

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
from .numpy_programs import gradient_program, values_program
from .numpy_source import Program, Tables
from .one_sample import worthwhile
from .record import Recording, collection_paused
from .rewrites import LAYERS, PROGRAM, Rewriting

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
        return self._counted(values_program(self.names.rewritten(now), self.tables, now[self.forward]))

    def _gradient(self, gradient: Gradient, noted: list[Array], theta: Array) -> str:
        """The program that computes the mean, its gradient and the other outputs."""
        self.names.name_deltas(gradient.adjoints)
        self.derived = [gradient.mean, *noted, *[array for _, array in gradient.parts]]
        now = Rewriting(self.graph, self.derived, PROGRAM)
        self.rewritten = [now[array] for array in self.derived]
        parts = [(slots, now[array]) for slots, array in gradient.parts]
        names = self.names.rewritten(now)
        for matrix, name in list(names.of.items()):  # A1 in theta has its dA1 in the gradient
            for slots, array in parts:
                if matrix.op == array_ops.take and matrix.args[0] is theta and matrix.detail == slots:
                    names.of.setdefault(array, f"d{name}")
        noted = [now[output] for output in noted]
        return self._counted(gradient_program(names, self.tables, now[gradient.mean], noted, parts, theta.shape.rows))

    def _counted(self, program: Program) -> str:
        """Its source, once it is counted what it takes."""
        self.statements.append(len(program.lines))
        slots = sum([slots for slots, varies in program.work.sizes if varies])
        computed = [node.shape.slots for node in program.order if node.shape.varies]
        in_cache = _CACHE / (8 * max(1, slots))
        worth_a_call = _NUMBERS * len(computed) / max(1, sum(computed))
        self.slots = max(self.slots, slots)
        self.chunk = min(self.chunk, max(1, int(max(in_cache, worth_a_call))))
        return program.source()
