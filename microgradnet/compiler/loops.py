"""Loops: equal steps in a row become one loop over the places where they read and write.

A program's lines name the arrays in work arrays, and the rows of inputs, by marks. Lines that differ in marks and comments
alone are equal; where a group of lines repeats itself, as it does for every step of a recurrent net or of an Euler scheme,
the group is printed once, and the places that change from step to step are variables of the loop.

A loop binds the names of its first step, again and again. So what any step of it computes is read by its view elsewhere,
and by a variable in other steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .work_arrays import Run

_MIN_STEPS, _MIN_LINES, _MAX_LINES = 4, 2, 200  # of a loop; of a step
_MARK = re.compile("\x01(\\d+)\x02")


class Place(NamedTuple):
    """What a line names: an array in a work array (its run), or rows of an input (its name, the first and the end)."""

    name: str
    run: Run | None = None
    rows: tuple[str, int, int] | None = None


class Places:
    """The places that a program names, and the marks that stand for them in its lines."""

    def __init__(self) -> None:
        self.all: list[Place] = []
        self._latest: dict[str, int] = {}  # by name

    def mark(self, place: Place) -> str:
        """The text that stands for a place."""
        k = self._latest.get(place.name)
        if k is None or self.all[k] != place:  # a new name, or one that stands for another array by now
            self._latest[place.name] = k = len(self.all)
            self.all.append(place)
        return f"\x01{k}\x02"

    def plain(self, text: str) -> str:
        """The text with the names of its places."""
        return _MARK.sub(lambda mark: self.all[int(mark[1])].name, text)


class Sequences(NamedTuple):
    """What a loop runs over: the name of the list, and the runs of each variable, step by step."""

    name: str
    runs: list[list[Run]]


class _Loop(NamedTuple):
    start: int
    period: int
    steps: int

    @property
    def stop(self) -> int:
        return self.start + self.period * self.steps


@dataclass
class _Body:
    """variables: the name and the runs of each, by the bytes of the runs' numbers; `first`: what it is in the first step,
    where that has a name. lines: per place the name in the loop, or a place that is the same in all steps, or the run in
    which the places of all steps lie. indexed: whether the lines use the loop's i.
    """

    variables: dict[bytes, tuple[str, list[Run]]] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    lines: list[list[str | int | Run]] = field(default_factory=list)
    indexed: bool = False


class _IrregularError(Exception):
    """From this step on, the places lie differently."""

    def __init__(self, step: int) -> None:
        self.step = step


class Rolled:
    """The lines of a program with its loops.

    views: the names of runs. taken: names that a variable must not have. `lines`: the text; `used`: the runs that it
    names by their views; `sequences`: what its loops run over.
    """

    def __init__(self, lines: Sequence[str], places: Places, views: dict[Run, str], taken: Iterable[str]) -> None:
        self._places, self._views = places.all, views
        self._taken = {*taken, *[place.name for place in places.all]}
        split = list(map(_MARK.split, lines))  # text and numbers of places in turn
        self._texts = [parts[::2] for parts in split]
        self._marks = [[*map(int, parts[1::2])] for parts in split]
        self._targets: list[int | None] = [  # the place to which a line gives its name
            marks[0] if marks and texts[0] == "" and texts[1].startswith(" = ") else None
            for texts, marks in zip(self._texts, self._marks, strict=True)
        ]
        ids: dict[Run | None, int] = {}
        self._run_ids = np.array([ids.setdefault(place.run, len(ids)) for place in self._places])
        loops = self._found()
        self._bound = {target for loop, _ in loops for target in self._targets[loop.start : loop.stop]}
        self.lines: list[str] = []
        self.used: dict[Run, None] = {}
        self.sequences: list[Sequences] = []
        at = 0
        for loop, body in loops:
            self.lines += map(self._line, range(at, loop.start))
            self._print(loop, body)
            at = loop.stop
        self.lines += map(self._line, range(at, len(lines)))

    # Which lines are a loop.

    def _found(self) -> list[tuple[_Loop, _Body]]:
        """The loops in their order, each with what its steps do."""
        found = []
        waiting = [self._from_its_comment(loop) for loop in _repetitions(self._line_ids())]
        while waiting:
            loop = waiting.pop()
            try:
                found.append((loop, self._body(loop)))
            except _IrregularError as error:  # perhaps the steps before and after it are loops
                before = loop._replace(steps=error.step)
                after = _Loop(before.stop, loop.period, loop.steps - error.step)
                waiting += [part for part in (before, after) if part.steps >= _MIN_STEPS]
        return sorted(found, key=lambda pair: pair[0])

    def _line_ids(self) -> list[int]:
        """A number per line, the same for equal lines."""
        alike: dict[Any, int] = {}
        kinds = [
            alike.setdefault(p.run.shape if p.run else p.rows and (p.rows[0], p.rows[2] - p.rows[1]), len(alike))
            for p in self._places
        ]
        ids: dict[tuple[Any, ...], int] = {}
        found = []
        for texts, marks in zip(self._texts, self._marks, strict=True):
            key = ("#",) if texts[0].startswith("#") else (*texts, *[kinds[k] for k in marks])
            found.append(ids.setdefault(key, len(ids)))
        return found

    def _from_its_comment(self, loop: _Loop) -> _Loop:
        """A loop that would begin in the middle of a layer begins with the next layer, and has one step less."""
        comments = [j for j in range(loop.period) if self._texts[loop.start + j][0].startswith("#")]
        if not comments or comments[0] == 0 or loop.steps <= _MIN_STEPS:
            return loop
        return _Loop(loop.start + comments[0], loop.period, loop.steps - 1)

    def _body(self, loop: _Loop) -> _Body:
        body = _Body()
        targets: dict[int, npt.NDArray[Any]] = {}  # of earlier lines, step by step, by that of the first step
        for j in range(loop.start, loop.start + loop.period):
            marks = np.array(self._marks[j : loop.stop : loop.period])
            names: list[str | int | Run] = []
            for m, places in enumerate(marks.T):
                first = int(places[0])
                if (m == 0 and self._targets[j] is not None) or (
                    first in targets and np.array_equal(targets[first], places)
                ):
                    names.append(self._places[first].name)
                elif self._places[first].rows is not None:
                    names.append(_moving_rows([self._places[k].rows for k in places]))
                    body.indexed |= names[-1] != self._places[first].name
                elif (places == first).all():
                    names.append(first)
                else:
                    names.append(self._variable(body, places))
            body.lines.append(names)
            if self._targets[j] is not None:
                targets[int(marks[0, 0])] = marks[:, 0]
        return body

    def _variable(self, body: _Body, places: npt.NDArray[Any]) -> str | Run:
        """The loop's variable for these places, or the run in which all lie."""
        ids = self._run_ids[places]
        key = ids.tobytes()
        if key not in body.variables:
            runs: list[Run] = [run for k in places if (run := self._places[k].run)]
            if len(runs) < len(places):
                raise _IrregularError(1)
            if (ids == ids[0]).all():
                return runs[0]
            body.variables[key] = self._new("v", len(body.variables) + 1), runs
        name, runs = body.variables[key]
        first = self._places[places[0]].name
        if first != self._views.get(runs[0]):
            body.first.setdefault(name, first)
        return name

    # Text.

    def _line(self, k: int) -> str:
        return self._filled(k, [self._text(place) for place in self._marks[k]])

    def _filled(self, k: int, names: list[str]) -> str:
        """A line with these names for its places."""
        texts = self._texts[k]
        return texts[0] + "".join([name + text for name, text in zip(names, texts[1:], strict=True)])

    def _text(self, k: int) -> str:
        """A place by its name, or by its view if a loop binds that name."""
        place = self._places[k]
        if place.run is not None and (k in self._bound or place.name == self._views.get(place.run)):
            return self._view(place.run)
        return place.name

    def _view(self, run: Run) -> str:
        """The name of a view, which is used from now on."""
        self.used[run] = None
        return self._views[run]

    def _print(self, loop: _Loop, body: _Body) -> None:
        where = ", ".join([f"{variable} = {name}" for variable, name in body.first.items()])
        comment = f"# {loop.steps:,} equal steps, with the names of the first"
        self.lines += [f"{comment}, where {where}" if where else comment, self._head(loop, body)]
        for k, names in enumerate(body.lines, loop.start):
            texts = [self._text(n) if isinstance(n, int) else n if isinstance(n, str) else self._view(n) for n in names]
            self.lines.append(f"    {self._filled(k, texts)}")

    def _head(self, loop: _Loop, body: _Body) -> str:
        if not body.variables:
            return f"for {'i' if body.indexed else '_'} in range({loop.steps}):"
        name = self._new("steps", len(self.sequences) + 1)
        self.sequences.append(Sequences(name, [runs for _, runs in body.variables.values()]))
        variables = ", ".join([variable for variable, _ in body.variables.values()])
        if not body.indexed:
            return f"for {variables} in {name}:"
        return f"for i, {f'({variables})' if len(body.variables) > 1 else variables} in enumerate({name}):"

    def _new(self, letter: str, number: int) -> str:
        name = f"{letter}{number}"
        while name in self._taken:
            name += "_"
        return name


def _repetitions(line_ids: Sequence[int]) -> list[_Loop]:
    """Groups of equal lines that follow each other: first those that leave out most lines, then what is left beside them."""
    ids = np.array(line_ids)
    waiting: list[
        tuple[int, int, int, int]
    ] = []  # lines left out, as a negative number; lines of a step; start and end
    for period in range(_MIN_LINES, min(_MAX_LINES, len(ids) // _MIN_STEPS) + 1):
        breaks = np.flatnonzero(ids[:-period] != ids[period:])
        edges = np.concatenate(([-1], breaks, [len(ids) - period]))
        for k in np.flatnonzero(np.diff(edges) - 1 >= (_MIN_STEPS - 1) * period):
            waiting.append(_candidate(period, int(edges[k]) + 1, int(edges[k + 1]) + period))
    heapify(waiting)
    taken = np.zeros(len(ids) + 1, bool)
    found = []
    while waiting:
        _, period, start, stop = heappop(waiting)
        edges = np.flatnonzero(np.diff(taken[start:stop], prepend=True, append=True)) + start
        if len(edges) == 2 and (edges[0], edges[1]) == (start, stop):  # all of it is free
            loop = _Loop(start, period, (stop - start) // period)
            taken[start : loop.stop] = True
            found.append(loop)
            continue
        for low, high in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if high - low >= _MIN_STEPS * period:
                heappush(waiting, _candidate(period, low, high))
    return found


def _candidate(period: int, start: int, stop: int) -> tuple[int, int, int, int]:
    return period - (stop - start) // period * period, period, start, stop


def _moving_rows(rows: list[tuple[str, int, int] | None]) -> str:
    """Rows of an input as text, in the loop's i if they move."""
    (name, start, stop), (_, second, _) = rows[:2]  # type: ignore[misc]  # not None, as their lines are equal
    step = second - start
    for i, row in enumerate(rows):
        if row != (name, start + i * step, stop + i * step):
            raise _IrregularError(i)
    return f"{name}[{_linear(start, step)}:{_linear(stop, step)}]"


def _linear(start: int, step: int) -> str:
    if step == 0:
        return str(start)
    text = "i" if abs(step) == 1 else f"{abs(step)} * i"
    return f"{start} - {text}" if step < 0 else f"{start} + {text}" if start else text


def counting(indices: Sequence[int]) -> str:
    """Whole numbers as source: a range if they lie evenly."""
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    if step and all(b - a == step for a, b in pairwise(indices)):
        return f"range({indices[0]}, {indices[-1] + step}{f', {step}' if step != 1 else ''})"
    return str([*indices])
