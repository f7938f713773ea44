"""Work source: the statements that make the work arrays of a program and the views of them, once per number of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .array_graph import Shape
from .loops import Sequences, counting
from .work_arrays import Run, WorkArrays


def work_lines(work: WorkArrays, views: dict[Run, str], loops: Sequence[Sequences]) -> list[str]:
    """The statements. views: the names of runs. With loops, the work arrays are a list, so that a loop can count them."""
    lines = _arrays_in_a_list(work) if loops else _named_arrays(work)
    alike: dict[tuple[int, int, str], list[Run]] = {}  # constants that stay in their places
    for run, text in work.fixed:
        alike.setdefault((run.start, run.shape.slots, text) if loops else (run.work, run.start, text), []).append(run)
    for (*_, text), runs in alike.items():
        if len(runs) == 1:
            lines.append(f"{_rows(work, runs[0], loops)} = {literal(float(text))}")
        else:
            lines.append(f"for i in {counting([run.work for run in runs])}:")
            lines.append(f"    w[i]{_slice(runs[0])} = {literal(float(text))}")
    made: dict[int, list[tuple[str, str]]] = {}
    for run, view in views.items():
        if loops or view != f"w{run.work}":
            made.setdefault(run.work, []).append((view, f"{_rows(work, run, loops)}{_columns(run)}"))
    lines += [" = ".join(map(", ".join, zip(*pairs, strict=True))) for pairs in made.values()]
    for name, sequences in loops:
        each = ", ".join(map(_each, sequences))
        lines.append(f"{name} = {each if len(sequences) == 1 else f'[*zip({each})]'}")
    return lines


def _arrays_in_a_list(work: WorkArrays) -> list[str]:
    sizes = ", ".join([f"({slots}, {'K' if varies else 1})" for slots, varies in work.sizes])
    return [f"w = [empty(size, dtype) for size in [{sizes}]]"]


def _named_arrays(work: WorkArrays) -> list[str]:
    lines = []
    for samples in ("K", "1"):
        sizes = {f"w{i}": n for i, (n, varies) in enumerate(work.sizes) if varies == (samples == "K")}
        if len(sizes) == 1:
            ((name, size),) = sizes.items()
            lines.append(f"{name} = empty(({size}, {samples}), dtype)")
        elif sizes:
            lines.append(f"{', '.join(sizes)} = [empty((n, {samples}), dtype) for n in {[*sizes.values()]}]")
    return lines


def _rows(work: WorkArrays, run: Run, loops: Sequence[Sequences]) -> str:
    slots, _ = work.sizes[run.work]
    whole = run.start == 0 and run.shape.slots == slots
    return f"{f'w[{run.work}]' if loops else f'w{run.work}'}{'' if whole else _slice(run)}"


def _each(runs: Sequence[Run]) -> str:
    """The views of one variable of a loop, step by step."""
    numbers, starts = counting([run.work for run in runs]), [run.start for run in runs]
    if len({*starts}) == 1:
        return f"[w[i]{_slice(runs[0])}{_columns(runs[0])} for i in {numbers}]"
    rows = f"[a:a + {runs[0].shape.slots}]"
    return f"[w[i]{rows}{_columns(runs[0])} for i, a in zip({numbers}, {counting(starts)})]"


def _slice(run: Run) -> str:
    return f"[{run.start}:{run.start + run.shape.slots}]"


def _columns(run: Run) -> str:
    return "" if run.shape.columns == 1 else f".reshape({numpy_shape(run.shape)})"


def numpy_shape(shape: Shape) -> str:
    """A shape as source, K being the number of samples."""
    columns = "K" if shape.columns == 1 else f"{shape.columns} * K"
    return f"{shape.rows}, {columns if shape.varies else shape.columns}"


def literal(number: float) -> str:
    """A number as source."""
    text = repr(float(number))
    return text if math.isfinite(number) else f'float("{text}")'
