"""Engines of scalars beside ours: micrograd 0.1.0, where installed, and one in the manner of microgpt.

Both record a node for every operation on two numbers, and find the order of the graph by recursion.
"""

from __future__ import annotations

import importlib
import math
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any


class MicrogptValue:
    """A number, its operands, and the derivative with respect to each: microgpt's `Value`, restated from its description."""

    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(
        self, data: float, children: tuple[MicrogptValue, ...] = (), local_grads: tuple[float, ...] = ()
    ) -> None:
        self.data = data
        self.grad = 0.0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other: Any) -> MicrogptValue:
        other = other if isinstance(other, MicrogptValue) else MicrogptValue(other)
        return MicrogptValue(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> MicrogptValue:
        other = other if isinstance(other, MicrogptValue) else MicrogptValue(other)
        return MicrogptValue(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, power: float) -> MicrogptValue:
        return MicrogptValue(self.data**power, (self,), (power * self.data ** (power - 1),))

    def exp(self) -> MicrogptValue:
        y = math.exp(self.data)
        return MicrogptValue(y, (self,), (y,))

    def __neg__(self) -> MicrogptValue:
        return self * -1

    def __sub__(self, other: Any) -> MicrogptValue:
        return self.__add__(-other)

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self) -> None:
        """∂self/∂ every number it depends on, added to their `grad`."""
        order: list[MicrogptValue] = []
        seen = set()

        def visit(value: MicrogptValue) -> None:
            if value not in seen:
                seen.add(value)
                for child in value._children:
                    visit(child)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            for child, local in zip(value._children, value._local_grads, strict=True):
                child.grad += local * value.grad


def sigmoid_of_parts(z: Any) -> Any:
    """σ(z) from the operations that microgpt has."""
    return ((-z).exp() + 1) ** -1


def find_micrograd() -> Any:
    """micrograd's engine, or None where it is not installed."""
    try:
        return importlib.import_module("micrograd.engine")
    except ImportError:
        return None


def micrograd_sigmoid(x: Any) -> Any:
    """One node in the very form of micrograd's relu: micrograd has neither exp nor a sigmoid."""
    out = type(x)(1.0 / (1.0 + math.exp(-x.data)), (x,), "sigmoid")

    def backward() -> None:
        x.grad += out.data * (1.0 - out.data) * out.grad

    out._backward = backward
    return out


def net_by_numbers(layers: Iterable[Any], x: list[Any], sigmoid: Callable[[Any], Any]) -> list[Any]:
    """f(x) product by product; a layer is a list of neurons (w, b)."""
    for layer in layers:
        x = [sigmoid(sum((w_j * x_j for w_j, x_j in zip(w, x, strict=True)), b)) for w, b in layer]
    return x


def in_deep_thread(work: Callable[[], float], depth: int) -> float:
    """Run it where a recursion of that depth fits: Python's limit lifted, in a thread with half a gigabyte of stack."""
    results: list[float] = []
    limit, stack = sys.getrecursionlimit(), threading.stack_size(512 * 1024 * 1024)
    sys.setrecursionlimit(max(limit, depth))
    try:
        thread = threading.Thread(target=lambda: results.append(work()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(stack)
        sys.setrecursionlimit(limit)
    return results[0]  # empty if the work failed; the thread has said why
