"""Descriptors of class Value: methods that are written on first use, and attributes that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ops import Op


class OnFirstUse:
    """A method of Value whose recorder is written on first use: writing all of them would slow the import.

    write: of `recorders`, `operator` or `reflected`.
    """

    def __init__(self, write: Callable[..., Any], op: Op, scope: dict[str, Any]) -> None:
        self._write, self._op, self._scope = write, op, scope

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, value: Any, owner: type) -> Any:
        setattr(owner, self._name, self._write(self._op, self._scope))
        return getattr(owner if value is None else value, self._name)


class KeptElsewhere:
    """An attribute that other engines' optimizers set on their values. A `__setattr__` would slow every node down."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, value: Any, owner: type) -> Any:
        if value is None:
            return self
        raise AttributeError(f"'Value' object has no attribute {self._name!r}")

    def __set__(self, value: Any, content: Any) -> None:
        raise AttributeError(
            f"a Value takes no attribute {self._name!r}: keep it in a list beside the parameters, or in a dict whose keys "
            "are the Values"
        )
