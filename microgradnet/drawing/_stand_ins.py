"""Until the engine has them: `nodes`, `dot_parts`, and `partials` with one number per parent."""

from __future__ import annotations

from typing import Any

from ..value import Value


def nodes(*outputs: Value) -> list[Value]:
    order: list[Value] = []
    seen: set[Value] = set()
    stack: list[Any] = [*reversed(outputs)]
    while stack:
        node = stack.pop()
        if node is None:
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            stack += reversed(node.parents)
    return order


def dot_parts(node: Value) -> tuple[tuple[Value, ...], tuple[Value, ...], Value]:
    return node.first[:-1], node.second, node.first[-1]


def partials(node: Value) -> tuple[Any, ...]:
    missing = len(node.parents) - len(node.partials)
    return node.partials + tuple(weight.data for weight in node.first[:missing]) if missing else node.partials
