"""Loops: equal steps in a row become one loop over the places where they read and write.

A program's lines name the arrays in work arrays, and the rows of inputs, by marks. Lines that differ in nothing but marks
and names are equal; where a group of lines repeats itself, as it does for every step of a recurrent net or of an Euler
scheme, the group is printed once. Each step finds its arrays in the loop's variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .work_arrays import Run

_LEAST, _SHORTEST, _LONGEST = 4, 2, 200  # steps of a loop; lines of a step
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
        self._numbers: dict[str, int] = {}  # by name

    def mark(self, place: Place) -> str:
        """The text that stands for a place."""
        number = self._numbers.setdefault(place.name, len(self.all))
        if number == len(self.all):
            self.all.append(place)
        elif self.all[number] != place:  # a name that stands for another array by now
            self._numbers[place.name] = number = len(self.all)
            self.all.append(place)
        return f"\x01{number}\x02"

    def plain(self, text: str) -> str:
        """The text with the names of its places."""
        return _MARK.sub(lambda mark: self.all[int(mark[1])].name, text)


class Sequences(NamedTuple):
    """The arrays of each variable of a loop, step by step, and the name of the list of all."""

    name: str
    runs: list[list[Run]]


class _Loop(NamedTuple):
    start: int
    period: int
    steps: int

    @property
    def stop(self) -> int:
        return self.start + self.period * self.steps


class _Body(NamedTuple):
    """variables: by the bytes of their runs' numbers. lines: the names in each, or places and runs to be named."""

    variables: dict[bytes, tuple[str, list[Run]]]
    lines: list[list[str | int | Run]]
    indexed: bool


class _NotALoopError(Exception):
    """A step finds its arrays in no regular way."""


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
        self._targets = [marks[0] if marks and texts[0] == "" and texts[1].startswith(" = ") else None
                         for texts, marks in zip(self._texts, self._marks, strict=True)]  # fmt: skip
        self.lines: list[str] = []
        self.used: dict[Run, None] = {}
        self.sequences: list[Sequences] = []
        numbers: dict[Run | None, int] = {}
        self._runs = np.array([numbers.setdefault(place.run, len(numbers)) for place in self._places])
        loops: list[tuple[_Loop, _Body]] = []
        for found in _loops(self._keys()):
            loop = self._from_its_comment(found)
            try:
                loops.append((loop, self._body(loop)))
            except _NotALoopError:
                continue
        self._in_loops = {target for loop, _ in loops for target in self._targets[loop.start : loop.stop]}
        at = 0
        for loop, body in loops:
            self.lines += map(self._line, range(at, loop.start))
            self._print(loop, body)
            at = loop.stop
        self.lines += map(self._line, range(at, len(lines)))

    def _keys(self) -> list[int]:
        """A number per line, the same for lines that differ in places and comments alone."""
        widths = {k: (p.rows[0], p.rows[2] - p.rows[1]) for k, p in enumerate(self._places) if p.rows}
        numbers: dict[tuple[Any, ...], int] = {}
        keys = []
        for texts, marks in zip(self._texts, self._marks, strict=True):
            key = ("#",) if texts[0].startswith("#") else (*texts, *[widths.get(k) for k in marks])
            keys.append(numbers.setdefault(key, len(numbers)))
        return keys

    def _from_its_comment(self, loop: _Loop) -> _Loop:
        """The loop, if it begins in the middle of a layer, from the next layer on."""
        comments = [j for j in range(loop.period) if self._texts[loop.start + j][0].startswith("#")]
        if not comments or comments[0] == 0 or loop.steps <= _LEAST:
            return loop
        return _Loop(loop.start + comments[0], loop.period, loop.steps - 1)

    def _line(self, k: int) -> str:
        return self._filled(k, [self._text(number) for number in self._marks[k]])

    def _filled(self, k: int, names: list[str]) -> str:
        """A line with these names for its places."""
        texts = self._texts[k]
        return texts[0] + "".join([name + text for name, text in zip(names, texts[1:], strict=True)])

    def _text(self, number: int) -> str:
        """A place outside loops: by its name, unless a loop gave it that."""
        place = self._places[number]
        if place.run is not None and (number in self._in_loops or place.name == self._views.get(place.run)):
            return self._view(place.run)
        return place.name

    def _view(self, run: Run) -> str:
        self.used[run] = None
        return self._views[run]

    def _body(self, loop: _Loop) -> _Body:
        """The loop's variables and, per line of a step, the names of its places."""
        body = _Body({}, [], False)
        targets: dict[int, npt.NDArray[Any]] = {}  # of earlier lines, step by step, by that of the first step
        for j in range(loop.start, loop.start + loop.period):
            marks = np.array(self._marks[j : loop.stop : loop.period])
            names: list[str | int | Run] = []
            for m, numbers in enumerate(marks.T):
                first = int(numbers[0])
                if (m == 0 and self._targets[j] is not None) or (
                    first in targets and np.array_equal(targets[first], numbers)
                ):
                    names.append(self._places[first].name)
                elif self._places[first].rows is not None:
                    text, moves = _rows([self._places[n].rows for n in numbers])
                    names.append(text)
                    body = body._replace(indexed=body.indexed or moves)
                elif (numbers == first).all():
                    names.append(first)
                else:
                    names.append(self._variable(body.variables, numbers))
            body.lines.append(names)
            if self._targets[j] is not None:
                targets[int(marks[0, 0])] = marks[:, 0]
        return body

    def _variable(self, variables: dict[bytes, tuple[str, list[Run]]], numbers: npt.NDArray[Any]) -> str | Run:
        """The loop's variable for these places, or the run in which all lie."""
        key = self._runs[numbers].tobytes()
        if key not in variables:
            runs: list[Run] = [run for n in numbers if (run := self._places[n].run)]
            if len(runs) < len(numbers) or len({run.shape for run in runs}) > 1:
                raise _NotALoopError
            if len({*runs}) == 1:
                return runs[0]
            variables[key] = self._new("v", len(variables) + 1), runs
        return variables[key][0]

    def _print(self, loop: _Loop, body: _Body) -> None:
        self.lines.append(f"# {loop.steps:,} equal steps, with the names of the first")
        self.lines.append(self._head(loop, body))
        for k, names in enumerate(body.lines, loop.start):
            texts = [self._text(n) if isinstance(n, int) else n if isinstance(n, str) else self._view(n) for n in names]
            self.lines.append(f"    {self._filled(k, texts)}")

    def _head(self, loop: _Loop, body: _Body) -> str:
        if not body.variables:
            return f"for {'i' if body.indexed else '_'} in range({loop.steps}):"
        name = self._new("steps", len(self.sequences) + 1)
        self.sequences.append(Sequences(name, [runs for _, runs in body.variables.values()]))
        variables = "".join([f"{variable}, " for variable, _ in body.variables.values()]).rstrip()
        return f"for i, ({variables}) in enumerate({name}):" if body.indexed else f"for {variables} in {name}:"

    def _new(self, letter: str, number: int) -> str:
        name = f"{letter}{number}"
        while name in self._taken:
            name += "_"
        return name


def _rows(rows: list[tuple[str, int, int] | None]) -> tuple[str, bool]:
    """Rows of an input, as text in the loop's i, and whether they move; refused if they lie at uneven distances."""
    (name, start, stop), (_, second, _) = rows[:2]  # type: ignore[misc]  # not None, as their lines are equal
    step = second - start
    if any([row != (name, start + i * step, stop + i * step) for i, row in enumerate(rows)]):
        raise _NotALoopError
    return (
        (f"{name}[{_linear(start, step)}:{_linear(stop, step)}]", True) if step else (f"{name}[{start}:{stop}]", False)
    )


def _linear(start: int, step: int) -> str:
    text = "i" if step == 1 else f"{step} * i"
    return text if start == 0 else f"{start} + {text}"


def _loops(keys: Sequence[int]) -> list[_Loop]:
    """The loops that leave out most lines, in their order; between them lie lines that repeat too little."""
    numbers = np.array(keys)
    ranges, found = [(0, len(keys))], []
    while ranges:
        low, high = ranges.pop()
        best, most = None, 0
        for period in range(_SHORTEST, min(_LONGEST, (high - low) // _LEAST) + 1):
            breaks = np.flatnonzero(numbers[low : high - period] != numbers[low + period : high])
            edges = np.concatenate(([-1], breaks, [high - low - period]))
            lengths = np.diff(edges) - 1
            k = int(lengths.argmax())
            steps = int(lengths[k]) // period + 1
            if steps >= _LEAST and (steps - 1) * period > most:
                best, most = _Loop(low + int(edges[k]) + 1, period, steps), (steps - 1) * period
        if best is not None:
            found.append(best)
            ranges += [(low, best.start), (best.stop, high)]
    return sorted(found)


def counting(numbers: Sequence[int]) -> str:
    """Whole numbers as source: a range if they lie evenly."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    if step and all(b - a == step for a, b in pairwise(numbers)):
        return f"range({numbers[0]}, {numbers[-1] + step}{f', {step}' if step != 1 else ''})"
    return str([*numbers])
