"""Copies of Values: copy, deepcopy and pickle, as loops over the topological order.

Without this, deepcopy and pickle would recurse through the graph and fail on a deep one. This module knows the slots of
a node, but not what they mean.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

from .graph import Constants, topological_order

_SLOTS = ("_data", "grad", "label", "op", "first", "second", "d_first", "d_second")


def copy(node: Any) -> Any:
    """A new node with the same operands."""
    return _restore(*_state(node))


def deepcopy(root: Any, memo: dict[int, Any]) -> Any:
    """A copy of the root and all it depends on, except what the memo already has."""
    for node in topological_order(root):
        _copied(node, memo)
    return _copied(root, memo)


def _copied(part: Any, memo: dict[int, Any]) -> Any:
    """A copy of what a slot of operands holds. It recurses one level at most: operands are copied before their node."""
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
    """What `__reduce__` gives to pickle.

    For a root this is a `_Trail`: its whole graph in topological order. While the pickler works through a trail, each
    node gives its slots alone, because the pickler has its operands already. The pickler sees every node, so nodes keep
    their identity, whatever else the pickle contains.
    """
    trail = _passing.trails.pop(id(root), None)  # each node is pickled once; another pickler makes its own trail
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
    """The nodes that are on their way through this thread's picklers: the trail of each, by its id."""

    def __init__(self) -> None:
        self.trails: dict[int, weakref.ref[_Trail]] = {}


_passing = _Passing()


class _Trail(list[Any]):
    """Nodes in topological order. It lives as long as its pickler, whose memo holds it."""

    def __init__(self, nodes: Sequence[Any] = ()) -> None:
        super().__init__(nodes)
        this = weakref.ref(self)
        self._trails = _passing.trails
        self._trails.update(dict.fromkeys(map(id, nodes), this))

    def __del__(self) -> None:
        for node in self:  # some never came: the pickler had them from an earlier trail
            self._trails.pop(id(node), None)

    def __reduce__(self) -> Any:
        return _Trail, (), None, iter(self)


def _last(trail: _Trail) -> Any:
    return trail[-1]
