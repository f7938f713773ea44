"""Who reads the numbers of Values while a function is recorded.

A recorded function stands for all numbers only if it never reads one: a float that left the graph is frozen in what is
recorded. All that turns a Value into a float, here and in other modules, calls `note`; a `Readings` collects what was
noted while it was active. Readings nest and overlap in threads: each active one gets every reading, with the
thread that made it, and its owner decides which ones concern it.
"""

from __future__ import annotations

import os
import sys
import threading
from threading import get_ident
from types import TracebackType
from typing import Any, NamedTuple

_PACKAGE, _PYTHON = os.path.dirname(__file__), os.path.dirname(os.__file__)  # noqa: PTH120  # pathlib takes long to import

active: list[Readings] = []  # checked at every reading; usually empty


class Reading(NamedTuple):
    """That a Value's number was read: the Value, by which of our functions, where in the user's code, in which thread."""

    value: Any
    by: str
    file: str
    line: int
    thread: int


class Demand(NamedTuple):
    """That a Value's number must lie in a range, and why. A cost demands it of its targets, say."""

    value: Any
    low: float
    high: float
    why: str


class Readings:
    """Collects readings while it is active, as in `with Readings() as readings:`; the first one of each Value."""

    def __init__(self) -> None:
        self.thread = get_ident()
        self.others = {thread.ident for thread in threading.enumerate()} - {self.thread}  # that ran before
        self.demands: list[Demand] = []
        self._found: dict[tuple[int, int], Reading] = {}

    def __enter__(self) -> Readings:
        active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        active.remove(self)

    def add(self, value: Any) -> None:
        """Note that somebody reads this Value's number now."""
        key = id(value), get_ident()
        if key not in self._found:
            frame, by = sys._getframe(), ""
            while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
                by, frame = frame.f_code.co_name, frame.f_back
            while frame.f_back is not None and _is_library(frame.f_code.co_filename):
                frame = frame.f_back
            self._found[key] = Reading(value, by, frame.f_code.co_filename, frame.f_lineno, get_ident())

    def all(self) -> list[Reading]:
        """What was noted, in order."""
        return list(self._found.values())


def _is_library(file: str) -> bool:
    return (
        file.startswith((_PACKAGE, "<"))
        or f"{os.sep}numpy{os.sep}" in file
        or (file.startswith(_PYTHON) and "site-packages" not in file)
    )


def note(*values: Any) -> None:
    """Notify all active Readings that the numbers of these Values are read."""
    for readings in [*active]:
        for value in values:
            readings.add(value)


def demand(value: Any, low: float, high: float, why: str) -> None:
    """Notify all active Readings that this Value's number, which has been checked, must lie in a range whatever it is."""
    for readings in [*active]:
        readings.demands.append(Demand(value, low, high, why))


def _forget_other_threads() -> None:
    active[:] = [readings for readings in active if readings.thread == get_ident()]


if hasattr(os, "register_at_fork"):  # the child has this thread alone: what others recorded will never end there
    os.register_at_fork(after_in_child=_forget_other_threads)
