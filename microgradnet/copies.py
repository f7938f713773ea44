"""Copies of Values: copy, deepcopy and pickle, as loops over the topological order.

Left to themselves, deepcopy and pickle would recurse through the graph, and fail on a deep one.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from .autodiff import topological_order

_SLOTS = ("_data", "grad", "label", "op", "first", "second", "d_first", "d_second")


def copy(node: Any) -> Any:
    """A node of its own with the same operands."""
    return _restore(*_state(node))


def deepcopy(root: Any, memo: dict[int, Any]) -> Any:
    """A copy of the whole graph under the root; what is in the memo already is shared."""

    def copied(part: Any) -> Any:
        if type(part) is tuple:
            return tuple([copied(node) for node in part])
        if part is None or id(part) in memo:
            return part and memo[id(part)]
        return remember(part)  # a leaf: every other operand came earlier in the order

    def remember(node: Any) -> Any:
        new = copy(node)
        new.first, new.second = copied(node.first), copied(node.second)
        memo[id(node)] = new
        return new

    for node in topological_order(root):
        if id(node) not in memo:
            remember(node)
    return copied(root)


def reduce(root: Any) -> Any:
    """What pickle asks for.

    A root hands over its whole graph in topological order, as a `_Trail`. While that passes through the pickler, each
    node states itself alone, for its operands have passed already. Nodes keep their identity, whatever else is in the
    pickle.
    """
    passing = type(root.mark) is weakref.ref and root.mark() is not None
    if root.first is None or passing:
        return _restore, _state(root)
    return _last, (_Trail(topological_order(root)),)


def _state(node: Any) -> tuple[Any, ...]:
    return (type(node), *[getattr(node, slot) for slot in _SLOTS])


def _restore(kind: type, *state: Any) -> Any:
    node: Any = object.__new__(kind)
    for slot, content in zip(_SLOTS, state, strict=True):
        setattr(node, slot, content)
    node.mark = None
    return node


class _Trail(list[Any]):
    def __init__(self, nodes: Sequence[Any] = ()) -> None:
        super().__init__(nodes)
        passing: object = weakref.ref(self)  # lives as long as the memo of the pickler that the trail passes through
        for node in nodes:
            node.mark = passing

    def __reduce__(self) -> Any:
        return _Trail, (), None, iter(self)


def _last(trail: _Trail) -> Any:
    return trail[-1]
