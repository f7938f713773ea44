"""Formulas out of the table's rules, and the recorders that are written from them.

That recorded numbers are those of the rule, test_ops says.
"""

import math

import numpy as np
import oracles
import pytest

from microgradnet import Value, ops
from microgradnet.symbols import symbolic

ROWS = [op for op in ops.TABLE.values() if op != "dot"]


def python(op, texts):
    """Another spelling than the recorders': every operation as a call."""
    if op.exponent is not None:
        return f"({texts[0]} ** {op.exponent})"
    return f"TABLE[{str(op)!r}].value({', '.join(texts)})"


@pytest.mark.parametrize("op", ROWS, ids=str)
def test_every_rule_of_the_table_prints_and_the_print_gives_its_numbers(op):
    """Bit for bit what the rule gives when it is called."""
    names = ["a", "b"][: oracles.arity(op)]
    texts = [partial.text(python) for partial in symbolic(op, *names)]
    for point in [(0.3, 0.7), (0.875, 0.875), (30.0, 0.5), (1e-9, 0.125)]:
        numbers = dict(zip(names, point, strict=False))
        y = op.value(*numbers.values())
        printed = [eval(text, {"TABLE": ops.TABLE}, numbers | {"y": y}) for text in texts]
        assert printed == [*op.partials(*numbers.values(), y)]


@pytest.mark.parametrize(
    "rule",
    [
        lambda x, y: (1.0 if x > 0.0 else 2.0,),
        lambda x, y: (1.0 if x == 0.5 else 2.0,),
        lambda x, y: (math.cos(x),),
        lambda x, y: (ops.cos(x) if isinstance(x, float) else 1.0,),
    ],
    ids=["less", "equal", "math", "type"],
)
def test_a_rule_that_cannot_be_printed_is_called(rule):
    """One that looks at numbers, calls other functions, or tells symbols from floats."""
    op = ops.Op("sine", math.sin, np.sin, rule)
    for x in (0.5, -0.5):
        assert op(Value(x)).partials == rule(x, math.sin(x))


def test_a_recorder_follows_its_row():
    """A new value and a new rule hold from the next node on, in rows whose rules use it as well."""
    inner = ops.Op("inner", lambda x: 2.0 * x, None, lambda x, y: (2.0,))
    outer = ops.Op("outer", lambda x: x * x, None, lambda x, y: (inner(x),))
    assert (inner(Value(3.0)).partials, outer(Value(3.0)).partials) == ((2.0,), (6.0,))
    inner.value, inner.partials = (lambda x: 5.0 * x), (lambda x, y: (5.0,))
    assert (inner(Value(3.0)).partials, outer(Value(3.0)).partials) == ((5.0,), (15.0,))
