"""Copies of Values: copy, deepcopy and pickle, as loops over the topological order.

Left to themselves, deepcopy and pickle would recurse through the graph, and fail on a deep one.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from .graph import topological_order

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
    """A node's copy, or a tuple of copies; at most one level deep, for operands come before their node."""
    if part is None:
        return None
    if id(part) in memo:
        return memo[id(part)]
    if type(part) is tuple:  # of inputs, perhaps, that the neurons of a layer share
        memo[id(part)] = tuple([_copied(node, memo) for node in part])
    else:
        new = copy(part)
        new.first, new.second = _copied(part.first, memo), _copied(part.second, memo)
        memo[id(part)] = new
    return memo[id(part)]


def reduce(root: Any) -> Any:
    """What pickle asks for.

    A root hands over its whole graph in topological order, as a `_Trail`. While that passes through the pickler, each
    node states itself alone, for its operands have passed already. Nodes keep their identity, whatever else is in the
    pickle.
    """
    passing = type(root.mark) is weakref.ref and root.mark() is not None
    if root.first is None or passing:
        root.mark = None  # it passes once; another pickler gets a trail of its own
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
