"""Measuring side by side: contestants take turns at a piece of work, and the medians are printed with their ratios."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

Clock = Callable[[], float]  # time.perf_counter, or time.process_time, which leaves out what others do on the machine
# A contestant does a piece of work once and says what it took: seconds by the clock, or bytes.
Contestant = Callable[[Clock], float]
BUDGET = 60.0  # seconds for a row; a slow one gets fewer rounds, but three


@dataclass(frozen=True)
class Measuring:
    """How it is measured: how often each contestant takes its turn, and by which clock."""

    rounds: int
    clock: Clock = time.perf_counter


@dataclass
class Row:
    """One piece of work: its name, who does it (ours first), what we promise of the ratio, and how a figure is shown."""

    work: str
    contestants: dict[str, Contestant]
    target: str = ""
    shown: Callable[[float], str] = lambda t: seconds(t)

    def run(self, how: Measuring) -> dict[str, float]:
        """Medians over the rounds, the contestants taking turns; the first round warms up and does not count.

        Each round has its own order, so that nobody always follows the same one, whose threads may still be spinning.
        """
        taken: dict[str, list[float]] = {name: [] for name in self.contestants}
        turns, shuffle = list(self.contestants.items()), random.Random(0).shuffle
        start = time.perf_counter()
        for done in range(how.rounds + 1):
            if done > 3 and time.perf_counter() - start > BUDGET:
                break
            for name, contestant in turns:
                gc.collect()  # nobody pays for another's garbage
                taken[name].append(contestant(how.clock))
            shuffle(turns)
        return {name: median(figures[1:]) for name, figures in taken.items()}


def section(
    title: str, notes: Sequence[str], names: Sequence[str], rows: Sequence[Row], how: Measuring
) -> dict[str, dict[str, float]]:
    """Run the rows and print one line each, as soon as it is known: a column per name, ours over each peer, targets.

    Gives the figures, by row and contestant.
    """
    ours, *peers = names
    print(f"\n{title}")
    for note in notes:
        print(f"  {note}")
    heads = [*names, *(f"/ {peer}" for peer in peers)]
    widths = [max(len(head), 9) for head in heads]
    line = f"  {{:<50}}{''.join(f'  {{:>{width}}}' for width in widths)}   {{}}"
    print(line.format("work", *heads, "target").rstrip())
    all_figures = {}
    for row in rows:
        all_figures[row.work] = figures = row.run(how)
        cells = [row.shown(figures[name]) if name in figures else "-" for name in names]
        cells += [ratio(figures[ours] / figures[peer]) if peer in figures else "-" for peer in peers]
        print(line.format(row.work, *cells, row.target).rstrip(), flush=True)
    return all_figures


def timed(work: Callable[[], object], repeats: int = 1) -> Contestant:
    """A contestant that takes the mean of so many repetitions, after one that brings its data back into the caches."""

    def contestant(clock: Clock) -> float:
        if repeats > 1:
            work()
        start = clock()
        for _ in range(repeats):
            work()
        return (clock() - start) / repeats

    return contestant


def seconds(t: float) -> str:
    """With the unit that suits: µs, ms or s."""
    return f"{t * 1e6:,.1f} µs" if t < 1e-4 else f"{t * 1e3:,.2f} ms" if t < 1 else f"{t:,.2f} s"


def ratio(r: float) -> str:
    """As a fraction where it is small, as the targets are stated."""
    return f"1/{1 / r:.1f}" if r < 0.5 else f"{r:.2f}"


def check_same(who: str, found: npt.ArrayLike, wanted: npt.ArrayLike) -> None:
    """Stop unless the numbers agree to 1e-12 of the largest: contestants that compute something else are not compared."""
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    if found.shape != wanted.shape or not np.all(np.abs(found - wanted) <= 1e-12 * np.abs(wanted).max()):
        raise SystemExit(f"{who} computes something else than the others: there is nothing to compare")
