"""Random programs on scalars over the whole table, with words that people write, and two rows of a user's own."""

import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import strategies as st

from microgradnet import dot, maximum, minimum, ops
from microgradnet.graph import topological_order
from microgradnet.value import as_value

POWERS = ["**0", "**1", "**2", "**3", "**-1", "**-2", "**0.5", "**1.5", "**-0.5"]
NAMES = [name for name in ops.TABLE if name != "dot"] + POWERS
KINKS = ("relu", "step", "abs", "maximum", "minimum")
POSITIVE = {"/": [1], "**": [0], "log": [0], "sqrt": [0], "xlogy": [1]}


def arity(name):
    return ops.arity(ops.named(name).partials)


def apply(name, operands):
    """The operation on these operands, brought into its domain first."""
    positive = [0] if name in POWERS and float(name[2:]) not in (1, 2, 3) else POSITIVE.get(name, [])
    operands = [as_value(operand) for operand in operands]
    operands = [x * x + 0.5 if i in positive else x for i, x in enumerate(operands)]
    if name == "xlog1my":  # a pole at 1
        operands[-1] = 0.5 - operands[-1] * operands[-1]
    if name == "exp" or name == "**":
        operands[-1] = operands[-1].sin() * 2.0
    return ops.named(name)(*operands)


def softmax(z):
    largest = reduce(maximum, z)
    powers = [((z_j - largest).sin()).exp() for z_j in z]
    return [power / sum(powers) for power in powers]


WORDS = {  # what is written again and again in programs on scalars, of seven operands
    "dot": lambda v: [dot(v[:3], v[3:6], v[6])],
    "products": lambda v: [sum([a * b for a, b in zip(v[:3], v[3:6], strict=True)], v[6])],
    "layer": lambda v: [dot(v[i : i + 2], v[5:], v[i + 2]).sigmoid() for i in range(3)],
    "windows": lambda v: [dot(v[:2], v[i : i + 2], v[6]).tanh() for i in range(2, 5)],
    "scan": lambda v: [reduce(lambda h, x: (v[0] * h + v[1] * x).tanh(), v[3:], v[2])],
    "attention": lambda v: [dot(softmax([dot(v[:2], v[i : i + 2]) for i in range(1, n)]), v[8 - n :]) for n in (2, 4)],
    "softmax of some": lambda v: [y for n in (1, 2, 3) for y in softmax(v[:n])],
    "unequal sums": lambda v: [sum(x.sin() for x in v[:n]) * v[n] for n in (2, 3, 6)],
    "largest": lambda v: [reduce(maximum, v[:n]) * v[n] for n in (2, 3, 6)],
    "smallest": lambda v: [reduce(minimum, v[:n]) * v[n] for n in (2, 3, 6)],
    "detach": lambda v: [v[0].detach() * v[1], dot([v[2].detach(), v[3]], v[4:6])],
    "far factors": lambda v: [1e-200 * (1e200 * v[0]), (1e200 * (v[1] * v[2])) * 1e-200, v[3] * 1e-200 * 1e200 + v[4]],
    "far constants": lambda v: [maximum(v[0], -math.inf), minimum(math.inf, v[1]) * v[2], v[3] + -0.0, -0.0 * v[4]],
    "own": lambda v: [ops.TABLE["sin(x); y"](v[0] * v[1]), ops.TABLE["power_3"](v[2], v[3])],
}


def in_words(name, picked):
    picked = [as_value(x) for x in picked]
    return [as_value(y) for y in WORDS[name](picked)] if name in WORDS else [apply(name, picked[: arity(name)])]


@pytest.fixture(scope="module")
def own_rows():
    """Two rows of a user's own, one with NumPy's help, under names that the source must not use."""
    before = dict(ops.TABLE)
    ops.row(
        "sin(x); y",
        lambda x: x * abs(x),
        lambda x, out=None: np.multiply(x, abs(x), out=out),
        lambda x, y: (2.0 * abs(x),),
    )
    ops.row("power_3", lambda a, b: a * a - b, None, lambda a, b, y: (2.0 * a, -1.0))
    yield
    ops.TABLE.clear()
    ops.TABLE.update(before)


@st.composite
def programs(draw):
    """Steps (operation, operands), where an operand is a number or the index of something computed before."""
    operand = st.one_of(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -0.3]))
    names = st.one_of(st.sampled_from([*WORDS]), st.sampled_from(NAMES))
    return draw(st.lists(st.tuples(names, st.lists(operand, min_size=7, max_size=7)), min_size=1, max_size=10))


def run(steps, leaves):
    """Everything that a program computes."""
    values = list(leaves)
    for name, operands in steps:
        picked = [x if isinstance(x, float) else values[-1 - x % len(values)] for x in operands]
        values += in_words(name, picked)
    return values


def away_from_kinks(values):
    """Whether rounding cannot choose another branch."""
    for node in topological_order(*values):
        if node.op in KINKS:
            a, *b = node.parents
            if not (b and a is b[0]) and abs(a.data - (b[0].data if b else 0.0)) < 1e-6:
                return False
    return True
