"""Copies of Values: copy, deepcopy and pickle, as loops over the topological order.

Left to themselves, deepcopy and pickle would recurse through the graph, and fail on a deep one.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

from .graph import Constants, topological_order

_SLOTS = ("_data", "grad", "label", "op", "first", "second", "d_first", "d_second")


def copy(node: Any) -> Any:
    """A node of its own with the same operands."""
    return _restore(*_state(node))


def deepcopy(root: Any, memo: dict[int, Any]) -> Any:
    """A copy of the whole graph under the root; what is in the memo already is shared."""
    for node in topological_order(root):
        _copied(node, memo)
    return _copied(root, memo)


def _copied(part: Any, memo: dict[int, Any]) -> Any:
    """A copy of what a slot of operands holds; at most one level deep, for operands come before their node."""
    if part is None or type(part) is float:
        return part
    if id(part) in memo:
        return memo[id(part)]
    if type(part) is tuple:  # of inputs, perhaps, that the neurons of a layer share
        new: Any = tuple([_copied(node, memo) for node in part])
    elif type(part) is Constants:
        new = Constants(part.numbers, _copied(part.made, memo))
    else:
        new = copy(part)
        new.first, new.second = _copied(part.first, memo), _copied(part.second, memo)
    memo[id(part)] = new
    return new


def reduce(root: Any) -> Any:
    """What pickle asks for.

    A root hands over its whole graph in topological order, as a `_Trail`. While that passes through the pickler, each
    node states itself alone, for its operands have passed already. Nodes keep their identity, whatever else is in the
    pickle.
    """
    trail = _passing.trails.pop(id(root), None)  # a node passes once; another pickler gets a trail of its own
    if root.first is None or (trail is not None and trail() is not None):
        return _restore, _state(root)
    return _last, (_Trail(topological_order(root)),)


def _state(node: Any) -> tuple[Any, ...]:
    return (type(node), *[getattr(node, slot) for slot in _SLOTS])


def _restore(kind: type, *state: Any) -> Any:
    node: Any = object.__new__(kind)
    for slot, content in zip(_SLOTS, state, strict=True):
        setattr(node, slot, content)
    return node


class _Passing(threading.local):
    """The nodes that pass through this thread's picklers, by id, and the trail that each is on."""

    def __init__(self) -> None:
        self.trails: dict[int, weakref.ref[_Trail]] = {}


_passing = _Passing()


class _Trail(list[Any]):
    """Nodes in topological order. A pickler's memo keeps the trail alive until the pickler itself goes."""

    def __init__(self, nodes: Sequence[Any] = ()) -> None:
        super().__init__(nodes)
        this = weakref.ref(self)
        self._trails = _passing.trails
        self._trails.update(dict.fromkeys(map(id, nodes), this))

    def __del__(self) -> None:
        for node in self:  # those that the pickler knew before
            self._trails.pop(id(node), None)

    def __reduce__(self) -> Any:
        return _Trail, (), None, iter(self)


def _last(trail: _Trail) -> Any:
    return trail[-1]
