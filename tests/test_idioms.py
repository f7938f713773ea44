"""What people write on scalars that no other test writes: functions of plain floats, indices, checkpointing.

Each is refused with what to write instead, or right by another way to write it. Transformers and convolutions number by number:
test_benchmark_programs and test_compiler_structure; code for micrograd: test_micrograd_code.
"""

import math
from functools import reduce

import numpy as np
import pytest

from microgradnet import Value, compile, grad, vjp


@pytest.mark.parametrize("convert", [float, math.exp, complex, lambda v: np.array([v], dtype=float)])
def test_a_value_never_becomes_a_float_by_itself(convert):
    """The error says what to write instead."""
    with pytest.raises(TypeError, match=r"x\.exp\(\).*x\.data"):
        convert(Value(2.0))


@pytest.mark.parametrize("index", [int, lambda t: t], ids=["int(t)", "t"])
def test_an_index_in_a_compiled_function_says_one_hot(index):
    table = [Value(1.0), Value(2.0)]
    with pytest.raises(TypeError, match="one-hot"):
        compile(lambda t: table[index(t[0])] * 2.0, 1)


def test_checkpointing_gives_the_whole_graphs_gradient():
    """A segment's graph is thrown away and recorded again when its derivatives are wanted, with vjp at the seams."""
    w = [Value(0.9), Value(-0.4)]

    def segment(state):
        for _ in range(5):
            u, v = state
            state = [(w[0] * u + v).tanh(), (u + w[1] * v).sin()]
        return state

    start = [0.3, -0.8]
    states = [start]
    for _ in range(4):
        states.append([value.data for value in segment(states[-1])])
    cotangents = [1.0, 2.0]
    gradient = np.zeros(2)
    for numbers in reversed(states[:-1]):
        state = [Value(x) for x in numbers]
        *cotangents, d_w0, d_w1 = vjp(segment(state), cotangents, [*state, *w])
        gradient += [d_w0, d_w1]
    whole = reduce(lambda state, _: segment(state), range(4), start)
    assert [value.data for value in whole] == states[-1]
    assert gradient.tolist() == pytest.approx(grad(whole[0] + 2.0 * whole[1], w), rel=1e-13)
