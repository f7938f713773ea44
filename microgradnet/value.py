"""`Value`: one number that remembers how it was computed.

An operator or a method on Values records a node: its operation, its operands, its number, and its local derivatives at
that number. This module decides what a Value accepts and which operators it has. What the operations compute is stated
in `ops`, how gradients travel in `graph`, and `recorders` writes the functions that make the nodes.
"""

# A recorder gives a Value.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast, final, overload

import numpy as np

from . import _pickling, graph, ops, recorders
from ._descriptors import KeptElsewhere, OnFirstUse
from ._readings import active, note
from ._validation import as_number, counted, describe, domain_error, flat
from .graph import Undefined, backpropagate, refuse_undefined, zeroed_order
from .ops import Op

Number: TypeAlias = float | int | np.floating[Any] | np.integer[Any]

OUTSIDE = (ValueError, ArithmeticError)  # raised by Python's functions on floats outside their domain


# The recorders use names of this module.


def _operator(op: Op) -> Callable[[Any, Operand], Value]:
    return OnFirstUse(recorders.operator, op, globals())  # type: ignore[return-value]


def _reflected(op: Op) -> Callable[[Any, Number], Value]:
    return OnFirstUse(recorders.reflected, op, globals())  # type: ignore[return-value]


def number(x: Any) -> float:
    """A plain number that meets a Value, as a float; NotImplemented for an array, so that NumPy takes its elements."""
    if hasattr(x, "__array_ufunc__") and not isinstance(x, np.number):
        return cast(float, NotImplemented)
    return as_number(x)


def undefined(op: Op, error: Exception, *operands: Any) -> tuple[tuple[Value, ...], tuple[()], Undefined, Undefined]:
    """The four slots of a node whose derivatives do not exist at its numbers."""
    missing = Undefined(domain_error(op, error, *operands, what="the derivative of "))
    return tuple(map(as_value, operands)), (), missing, missing


@final
class Value:
    """A number in a computation graph.

    data: an int, a float or a NumPy real scalar; kept as a float. label: a name for pictures and error messages.

    Value(data, parents, partials) is a node made by hand, with one local derivative per parent: its operation is
    "custom". It goes through backward, grad, jvp, explain and pickle; second derivatives and `compile`, which need a
    rule instead of numbers, refuse it. `ops.row` makes an operation with a rule.

    `.grad` is the derivative, with respect to this value, of the value on which `backward` was called. `.op` names the
    operation that made it ("" for a leaf), `.parents` are its operands. `.data` of a leaf can be assigned; a graph that
    was recorded before keeps its numbers. Do not go on computing with its nodes: what is recorded on them mixes old numbers
    and new ones. First derivatives do not notice that, because a check costs more than the sweep; second derivatives raise
    a RuntimeError.

    Values compare by their data and hash by their identity, so they can be the keys of a dict.

    >>> x = Value(3.0, label="x")
    >>> y = x * x + 2 * x
    >>> y.backward()
    >>> y.data, x.grad
    (15.0, 8.0)
    >>> Value(x.data**2, (x,), (2.0 * x.data,)).op
    'custom'
    >>> zero = Value(0.0)
    >>> [f(zero).data for f in (Value.exp, Value.sqrt, Value.sin, Value.cos, Value.tanh, Value.sigmoid, Value.step)]
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.5, 1.0]
    """

    # Slots instead of tuples of parents and partials: a third of the work for the garbage collector. See `graph`.
    __slots__ = ("_data", "grad", "label", "op", "first", "second", "d_first", "d_second", "__weakref__")

    _data: float
    grad: float
    """∂output/∂self, where `backward` has set it; 0 before."""
    label: str
    op: Op
    """The operation that made it, a str: "" for a leaf, "*", "dot", "sigmoid", …"""
    first: Any
    """@private"""
    second: Any
    """@private"""
    d_first: Any
    """@private"""
    d_second: Any
    """@private"""

    m = KeptElsewhere()
    """@private"""
    v = KeptElsewhere()
    """@private"""
    velocity = KeptElsewhere()
    """@private"""
    momentum = KeptElsewhere()
    """@private"""

    def __init_subclass__(cls) -> None:
        raise TypeError("Value takes no subclasses; a new operation is a row of the table: add it with `ops.row`")

    @overload
    def __init__(self, data: Number, label: str = "") -> None: ...
    @overload
    def __init__(self, data: Number, label: Sequence[Operand], partials: Sequence[Number], /) -> None: ...
    def __init__(self, data: Number, label: Any = "", partials: Any = None) -> None:
        self._data = data if type(data) is float else as_number(data)
        self.grad = 0.0
        self.op = ops.leaf
        self.first = self.second = self.d_first = self.d_second = None
        if partials is not None:
            self.label = ""
            self._link(as_values(label), partials)
        elif isinstance(label, str):
            self.label = label
        else:
            raise TypeError(
                f"{describe(label)} arrived where a label was wanted, a str; a node made by hand takes its local "
                "derivatives as well: Value(data, parents, partials)"
            )

    def _link(self, parents: tuple[Value, ...], partials: Sequence[Number]) -> None:
        """Fill the slots of a node made by hand; without parents it is a leaf."""
        if isinstance(partials, str) or not hasattr(partials, "__iter__"):
            raise TypeError(f"{describe(partials)} arrived where the partials were wanted: one number per parent")
        numbers = tuple(map(as_number, partials))
        if len(numbers) != len(parents):
            raise ValueError(
                f"{counted(len(numbers), 'partial')} met {counted(len(parents), 'parent')}: give one partial per parent"
            )
        if parents:
            self.op = ops.custom
            self.first, self.second, self.d_first, self.d_second = parents, (), numbers, ()

    @property
    def data(self) -> float:
        """The number."""
        if active:
            note(self)
        return self._data

    @data.setter
    def data(self, data: Number) -> None:
        if self.first is not None:
            raise AttributeError(
                f"the data of {self!r} was computed by '{self.op}' and cannot be assigned: assign to the leaves and "
                "compute it again"
            )
        self._data = data if type(data) is float else as_number(data)

    @property
    def parents(self) -> tuple[Value, ...]:
        """The operands, in order; x*x has two. A `dot` has its weights, its bias, then its inputs."""
        return graph.parents(self)

    @property
    def partials(self) -> tuple[float, ...]:
        """The local derivatives ∂self/∂parent, one per parent, as recorded."""
        if active:
            note(self)
        return graph.partials(self)

    @property
    def _prev(self) -> tuple[Value, ...]:
        """The parents, each once: what drawing code written for micrograd asks for."""
        return tuple(dict.fromkeys(self.parents))

    @property
    def _op(self) -> str:
        """The operation, nothing for leaves and constants: what drawing code written for micrograd asks for."""
        return "" if self.first is None else str(self.op)

    def backward(self) -> None:
        """Set `.grad` of every value this one depends on to ∂self/∂value.

        Gradients of leaves add up over calls: set them to 0 in between, or call a net's `zero_grad`. Gradients of other
        nodes start from 0 at every call. Two threads must not call it at the same time on graphs that share nodes; `grad`
        leaves the graph as it is.

        Raises the error of an operation whose derivative does not exist at its number, before any gradient changes. A
        TypeError for a leaf whose gradient is not a number; others may have been added to by then.
        """
        if active:
            note(self)
        refuse_undefined(self)
        order = zeroed_order(self)
        try:
            self.grad += 1.0
            backpropagate(order)
        except TypeError:
            for node in graph.nodes(self):
                if not isinstance(node.grad, (float, int)):
                    raise TypeError(
                        f"the gradient of {node!r} is not a number, and others may have been added to: set the gradients of "
                        "all leaves to 0.0, as `zero_grad` does"
                    ) from None
            raise

    __add__, __radd__ = _operator(ops.add), _reflected(ops.add)
    __sub__, __rsub__ = _operator(ops.sub), _reflected(ops.sub)
    __mul__, __rmul__ = _operator(ops.mul), _reflected(ops.mul)
    __truediv__, __rtruediv__ = _operator(ops.div), _reflected(ops.div)
    __rpow__ = _reflected(ops.pow_)

    def __pow__(self, exponent: Operand) -> Value:
        """A plain number as exponent takes every base with a real result; a Value as exponent needs a positive base."""
        if isinstance(exponent, (Value, np.ndarray)):
            return ops.pow_.recorder(self, exponent)
        return ops.power(as_number(exponent)).recorder(self)

    def __neg__(self) -> Value:
        return ops.neg.recorder(self)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return ops.abs_.recorder(self)

    def exp(self) -> Value:
        """eˣ. Raises an OverflowError beyond x = 709.78."""
        return ops.exp.recorder(self)

    def log(self) -> Value:
        """The natural logarithm. Raises a ValueError unless x > 0."""
        return ops.log.recorder(self)

    def sqrt(self) -> Value:
        """The square root. Raises a ValueError for x < 0, and has no derivative at 0."""
        return ops.sqrt.recorder(self)

    def sin(self) -> Value:
        """The sine of x in radians."""
        return ops.sin.recorder(self)

    def cos(self) -> Value:
        """The cosine of x in radians."""
        return ops.cos.recorder(self)

    def tanh(self) -> Value:
        """The hyperbolic tangent."""
        return ops.tanh.recorder(self)

    def sigmoid(self) -> Value:
        """σ(x) = 1 / (1 + e⁻ˣ), the lecture's smoothed step."""
        return ops.sigmoid.recorder(self)

    def relu(self) -> Value:
        """max(x, 0), with slope 0 at 0."""
        return ops.relu.recorder(self)

    def softplus(self) -> Value:
        """ln(1 + eˣ), whose slope is σ(x)."""
        return ops.softplus.recorder(self)

    def step(self) -> Value:
        """The perceptron's output: 1 if x ≥ 0, else 0; its slope is 0 everywhere."""
        return ops.step.recorder(self)

    def detach(self) -> Value:
        """The same number as an operation through which no derivative flows: derivatives take it as a constant."""
        return ops.detach.recorder(self)

    # Comparisons, by data.

    def __eq__(self, other: object) -> bool:
        return self.data.__eq__(_data(other))

    def __lt__(self, other: Operand) -> bool:
        return self.data.__lt__(_data(other))

    def __le__(self, other: Operand) -> bool:
        return self.data.__le__(_data(other))

    def __gt__(self, other: Operand) -> bool:
        return self.data.__gt__(_data(other))

    def __ge__(self, other: Operand) -> bool:
        return self.data.__ge__(_data(other))

    def __bool__(self) -> bool:
        return bool(self.data)

    __hash__ = object.__hash__

    if not TYPE_CHECKING:  # type checkers refuse both by themselves

        def __float__(self, *digits: int) -> float:
            raise TypeError(
                "a Value does not convert to a float, which would have no derivative: write x.exp() in the place of "
                "math.exp(x); the number alone is x.data, as in round(x.data)"
            )

        __round__ = __float__

        def __int__(self) -> int:
            raise TypeError(
                "a Value does not convert to an int, because no derivative flows through an index: give a one-hot input, whose "
                "dot with the numbers to choose from is the chosen one; where no function is compiled, int(x.data) will do"
            )

        __index__ = __int__

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data!r}, grad={self.grad!r}{label})"

    def __format__(self, spec: str) -> str:
        """Its number in this format, as in f"{loss:.3f}"."""
        return format(self.data, spec) if spec else repr(self)

    @staticmethod
    def _constant(number: float) -> Value:
        """What a plain number becomes when it is asked for as a parent."""
        return as_value(number)

    @staticmethod
    def _record(op: Op, operands: tuple[Any, ...]) -> Value:
        """Record an operation whose operands include a Value. Its recorder is written when it is first needed."""
        if op.recorder is op:
            op.recorder = (recorders.unary if len(operands) == 1 else recorders.binary)(op, globals())
        return op.recorder(*operands)

    def __copy__(self) -> Any:
        if active:
            note(self)
        return _pickling.copy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if active:
            note(self)
        return _pickling.deepcopy(self, memo)

    def __reduce__(self) -> Any:
        if active:
            note(self)
        return _pickling.reduce(self)


Operand: TypeAlias = Value | Number

empty_node: Callable[[], Value] = partial(object.__new__, Value)
"""Makes a node without `__init__`, which checks what users give. A partial is the fastest way to make it."""


def as_values(numbers: Sequence[Operand]) -> tuple[Value, ...]:
    """The sequence as a tuple of Values; plain numbers become constants."""
    return tuple([x if type(x) is Value else as_value(x) for x in flat(numbers)])


def as_value(x: Any) -> Value:
    """The Value itself, or a number as a constant."""
    if type(x) is Value:
        return x
    node = Value(x)
    node.op = ops.constant
    return node


def _data(x: Any) -> Any:
    return x.data if type(x) is Value else x
