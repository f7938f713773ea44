"""Recording: the graph of a function on made-up inputs, and whether this graph can stand for all inputs.

A program compiled from one recording is right for all inputs if the function reads no number that depends on them, and if
it records the same graph when it is called again. Both are checked here.
"""

from __future__ import annotations

import gc
import linecache
import math
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from .._readings import Demand, Reading, Readings
from .._validation import check_call, describe, shortened
from ..graph import dot_parts, nodes, topological_order
from ..value import Value


class Recording(NamedTuple):
    """A recorded function: the leaves of each input, the outputs, and whether these came as a sequence.

    constants: leaves that the function made itself, with the same number at each call. demands: ranges in which numbers of
    the inputs must lie.
    """

    inputs: list[list[Value]]
    outputs: list[Value]
    several: bool
    constants: Sequence[Value] = ()
    demands: Sequence[Demand] = ()


class _Probe(NamedTuple):
    """One call of a function on made-up inputs, the numbers that it read, and the threads that ran before it."""

    recording: Recording
    readings: list[Reading]
    others: set[int | None]


_RANGES = ((0.0, 1.0), (3.0, -3.0), (9.0, 2.0), (0.9, 0.3), (0.0, -1.0), (100.0, 20.0), (1e-3, 1e-2), (-20.0, -9.0))
_NEAR = (1e-1, 1e-2, 1e-4, 1e-6, 1e-9)  # by such factors a second point is moved from the first


@contextmanager
def collection_paused() -> Iterator[None]:
    """Python's collector of cyclic garbage does not run: it would look at all nodes again and again, and they form no cycles.

    Compiling takes half the time without it.
    """
    if not gc.isenabled():  # by the user, or by another thread that compiles: it will not be left off
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@collection_paused()
def record(function: Callable[..., Any], sizes: Sequence[int]) -> Recording:
    """Record a function that takes one list of Values per size and gives a Value or a sequence of them.

    Raises a TypeError if it gives anything else, and a ValueError if its graph depends on the numbers of its inputs or
    parameters, or differs from one call to the next.
    """
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"an input's size is {describe(size)}: give a whole number, at least 1")
    check_call(
        function, len(sizes), "give one count of numbers per argument, as in compile(net, 2) or compile(cost, 2, 1)"
    )
    first, second = _two_probes(function, sizes)
    _refuse_readings(first, second)
    _refuse_nodes_made_by_hand(first.recording)
    made = _MadeInside(first.recording, second.recording)
    if not same_program(first.recording, second.recording, made):
        raise ValueError(
            "the function records another graph when it is called again: draw random numbers and make parameters outside "
            "of it"
        )
    return first.recording._replace(constants=list(made.leaves))


class _MadeInside:
    """The leaves that a function made itself: those of its first recording that are not in the second.

    They are found when somebody asks, for most functions make none.
    """

    def __init__(self, first: Recording, second: Recording) -> None:
        self._recordings = first, second
        self.leaves: set[Value] = set()

    def __contains__(self, leaf: object) -> bool:
        if not self.leaves:
            found, others = (
                {node for node in nodes(*recording.outputs) if node.op is ops.leaf} for recording in self._recordings
            )
            self.leaves = found - others - {x for xs in self._recordings[0].inputs for x in xs}
        return leaf in self.leaves


def _refuse_nodes_made_by_hand(recording: Recording) -> None:
    for node in topological_order(*recording.outputs):
        if node.op is ops.custom:
            label = f" (labelled {node.label!r})" if node.label else ""
            raise TypeError(
                f"a node made by hand{label} has derivatives at its own numbers alone: make it an operation with ops.row, "
                "or write it in operations of the table"
            )


def _two_probes(function: Callable[..., Any], sizes: Sequence[int]) -> list[_Probe]:
    """Two calls on different inputs in the function's domain: from the ranges, or else near the first one that lies in it."""
    probes: list[_Probe] = []
    errors: list[Exception] = []
    for low, high in _RANGES:
        inputs = _made_up(sizes, low, high)
        _try(function, inputs, probes, errors)
        if len(probes) == 2:
            return probes
    if not probes:
        errors[0].add_note(
            "(compile calls the function with numbers of its own between -20 and 100, and each call failed; this is the "
            "first error. Shift the inputs, as in lambda x: f(x[0] + 1000), or widen the domain with maximum)"
        )
        raise errors[0]
    numbers = [[x._data for x in xs] for xs in probes[0].recording.inputs]
    for step in (step * sign for step in _NEAR for sign in (1, -1)):
        moved = [[x + (abs(x) or 1.0) * step / (1 + i % 7) for i, x in enumerate(xs)] for xs in numbers]
        _try(function, [[Value(x) for x in xs] for xs in moved], probes, errors)
        if len(probes) == 2:
            return probes
    raise ValueError(
        "only one of the inputs tried lies in the function's domain, so its graph cannot be compared with a second recording "
        f"(the last error elsewhere: {errors[-1]}): give the function a domain that is more than a point"
    )


def _try(
    function: Callable[..., Any], inputs: list[list[Value]], probes: list[_Probe], errors: list[Exception]
) -> None:
    try:
        with Readings() as readings:
            result = function(*[list(values) for values in inputs])
            several = not isinstance(result, Value)
            outputs = list(result) if several and hasattr(result, "__iter__") else [result]  # a generator computes now
    except (ArithmeticError, ValueError) as error:  # outside a domain, perhaps
        errors.append(error)
        return
    if not outputs or not all(isinstance(output, Value) for output in outputs):
        raise TypeError(f"the function gave {describe(result)}: it must give a Value, or a sequence of Values")
    own = {x for xs in inputs for x in xs}
    demands = [one for one in readings.demands if one.value in own]
    probes.append(_Probe(Recording(inputs, outputs, several, demands=demands), readings.all(), readings.others))


def _made_up(sizes: Sequence[int], low: float, high: float) -> list[list[Value]]:
    golden = (math.sqrt(5.0) - 1.0) / 2.0  # fractions of its multiples are spread evenly
    fractions = (n * golden % 1.0 for n in range(1, sum(sizes) + 1))
    return [[Value(low + (high - low) * next(fractions)) for _ in range(size)] for size in sizes]


def _refuse_readings(first: _Probe, second: _Probe) -> None:
    """Raise a ValueError for the first reading of a number that depends on an input or a parameter.

    A leaf that both calls met existed before them: it is a parameter. A leaf that a call made itself is a constant. In a
    thread that ran before the call, a reading of a parameter is that thread's own affair.
    """
    if not first.readings:
        return
    inputs = {x for xs in first.recording.inputs for x in xs}
    met = [nodes(*[r.value for r in probe.readings], *probe.recording.outputs) for probe in (first, second)]
    leaves_met = [{node for node in found if node.op is ops.leaf} for found in met]
    from_inputs, from_parameters = set(inputs), leaves_met[0] & leaves_met[1]
    for node in met[0]:  # operands first
        for varying in (from_inputs, from_parameters):
            if not varying.isdisjoint(node.parents):
                varying.add(node)
    for reading in first.readings:
        if reading.value in from_inputs:
            raise ValueError(_refusal(reading, "inputs"))
        if reading.value in from_parameters and reading.thread not in first.others:
            raise ValueError(_refusal(reading, "parameters"))


def _refusal(reading: Reading, what: str) -> str:
    value, by, file, line, _ = reading
    label = f" {value.label!r}" if value.label else ""
    kind = f"the result of '{value.op}'" if value.parents else "a leaf"
    code = shortened(linecache.getline(file, line).strip())
    return (
        f"the function reads a number that depends on its {what}: that of the Value{label}, {kind}, in {file}, line {line}"
        f"{f': {code}' if code else ''}. The compiled program would keep this number for every input. "
        f"{_REMEDIES.get(by, _ANY_REMEDY)}; to use the number without its derivative, .detach()"
    )


_COMPARISONS = "For an `if` or max() there are maximum, minimum, relu, step and abs"
_ANY_REMEDY = f"{_COMPARISONS}; for an index, a one-hot input; for a node made by hand, ops.row"
_REMEDIES = {  # by the function that read the number
    **dict.fromkeys(["__repr__", "__format__"], "Print outside of the function"),
    **dict.fromkeys(["__eq__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__"], _COMPARISONS),
    **dict.fromkeys(
        ["backward", "grad", "vjp", "jvp", "jacobian"], "For derivatives there is grad(…, create_graph=True)"
    ),
}


def same_program(one: Recording, other: Recording, constants: Container[Value] = ()) -> bool:
    """Whether two recordings of a function differ in the numbers alone.

    constants: leaves of the first that the function made itself. They need leaves with the same number in the other.
    """
    twins: dict[Value, Value] = {}
    for values, others in zip(one.inputs, other.inputs, strict=True):
        twins.update(zip(values, others, strict=True))
    vectors: set[tuple[int, int]] = set()  # inputs of dots that were compared already

    def alike(a: Value, b: Value) -> bool:
        if a is b or twins.get(a) is b:
            return True
        is_number = a.op == b.op == ops.constant or (a.op == b.op == ops.leaf and a in constants)
        return is_number and repr(a._data) == repr(b._data)  # NaN is alike, too

    def all_alike(a: Sequence[Value], b: Sequence[Value]) -> bool:
        return len(a) == len(b) and (all(map(is_, a, b)) or all(map(alike, a, b)))

    def same_operands(a: Value, b: Value) -> bool:
        if a.op != ops.dot:
            return all_alike(a.parents, b.parents)
        (a_weights, a_inputs, a_bias), (b_weights, b_inputs, b_bias) = dot_parts(a), dot_parts(b)
        vector = id(a_inputs), id(b_inputs)
        same = all_alike([*a_weights, a_bias], [*b_weights, b_bias]) and (
            vector in vectors or all_alike(a_inputs, b_inputs)
        )
        vectors.add(vector)
        return same

    orders = topological_order(*one.outputs), topological_order(*other.outputs)
    if len(orders[0]) != len(orders[1]):
        return False
    for a, b in zip(*orders, strict=True):
        if a.op != b.op or not same_operands(a, b):
            return False
        twins[a] = b
    return all_alike(one.outputs, other.outputs)


def leaves(parameters: Value | Sequence[Value]) -> list[Value]:
    """What was given as parameters, each a leaf and there once."""
    given = [parameters] if isinstance(parameters, Value) else list(parameters)
    for leaf in given:
        if not isinstance(leaf, Value) or leaf.op != ops.leaf:
            raise TypeError(f"{describe(leaf)} arrived in parameters: give Values made by Value(…)")
    if len(set(given)) < len(given):
        raise ValueError("a Value arrived in parameters twice: give each once")
    return given
