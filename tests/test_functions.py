"""softmax and logsumexp beside their definitions in mpmath: eager and compiled, derivatives of two orders.

`dot`, `maximum` and `minimum` are rows of the table: `test_ops.py` has them.
"""

import math

import numpy as np
import pytest
from oracles import TINY, Softmax, U

from microgradnet import Value, compile, grad, hessian, jacobian, logsumexp, softmax

POINTS = {
    "two": [0.3, -1.2],
    "alone": [3.25],
    "equal": [5.0] * 4,
    "two largest": [0.5, 0.5, -40.0],
    "one far ahead": [0.0, -3.0, 50.0],
    "beyond exp": [1000.0, 998.5, -1000.0],
    "ends of the floats": [1e308, -1e308, 0.0],
    "tiny beside 1": [-36.5, 0.0, -300.0],
    "subnormal": [0.0, -740.0],
    "below 0": [-750.0, -751.0, -749.5],
    "many": [math.sin(7.0 * j) for j in range(30)],
}
everywhere = pytest.mark.parametrize("z", POINTS.values(), ids=POINTS)


def check(found, wanted, z, scale=0.0):
    """Right to so many roundings, of scale where numbers of that size are subtracted, or to the smallest floats.

    How many roundings of U an entry may show: a sum of n, and of z_j − largest, each unit of which e^z counts in full.
    """
    roundings = 20 + 4 * len(z) + min(max(z) - min(z), 750.0)
    for a, b in zip(np.ravel(found).tolist(), np.ravel(wanted).tolist(), strict=True):
        assert math.isfinite(a)
        assert abs(a - b) <= roundings * U * max(abs(b), scale) + 4 * TINY, f"{a} for {float(b)} at {z}"


@everywhere
def test_they_are_right_to_the_last_digits_with_their_derivatives(z):
    """Whatever the size; small shares are not lost, nor is what logsumexp has beyond the largest number when that is 0.

    Where one share is nearly 1, the slope of p_j is p_j (1 − p_j), and not 0. The Hessian of logsumexp is the Jacobian of
    softmax; both second derivatives come from p − p², which rounds at 1.
    """
    exact, values, n = Softmax(z), [Value(z_j) for z_j in z], range(len(z))
    shares, log = softmax(values), logsumexp(values)
    check([p.data for p in shares], exact.p, z)
    check(log.data, exact.log, z, scale=abs(max(z)))
    check(grad(log, values), exact.p, z)
    check(jacobian(shares, values), exact.slopes, z)
    check(hessian(log, values), exact.slopes, z, scale=1.0)
    p, slopes = exact.p, exact.slopes
    curvatures = [[p[0] * (((i == 0) - p[i]) * ((j == 0) - p[j]) - slopes[i][j]) for j in n] for i in n]
    check(hessian(shares[0], values), curvatures, z, scale=1.0)


@everywhere
def test_compiled_they_are_as_right(z):
    """One by one and in a batch: values, and derivatives by compiling them."""
    exact, n = Softmax(z), len(z)
    compiled = [(compile(logsumexp, n), exact.log, abs(max(z)))]
    if n > 1:
        compiled.append((compile(softmax, n), exact.p, 0.0))
        compiled.append((compile(lambda z: grad(softmax(z)[1], z, create_graph=True), n), exact.slopes[1], 0.0))
    for K in (1, 300):
        for fast, wanted, scale in compiled:
            check(fast([z] * K)[-1], wanted, z, scale)


def test_infinite_numbers():
    """−∞ beside a finite number is a mask, with no derivative; +∞, or −∞ alone, gives NaN."""
    values = [Value(0.5), Value(-math.inf), Value(0.5)]
    assert [p.data for p in softmax(values)] == [0.5, 0.0, 0.5]
    assert (logsumexp(values).data, grad(logsumexp(values), values)) == (0.5 + math.log(2.0), [0.5, 0.0, 0.5])
    for z in ([0.0, math.inf], [-math.inf]):
        assert math.isnan(logsumexp(z).data)
        assert math.isnan(softmax(z)[-1].data)


@pytest.mark.parametrize("function", [softmax, logsumexp])
def test_they_take_a_sequence_of_numbers(function):
    """Plain numbers, Values, an array; what is none is refused by what arrived."""
    found = [np.ravel(function(z)).tolist() for z in ([0, 0.0], [Value(0.0), 0], np.zeros(2))]
    assert found[0] == found[1] == found[2]
    for wrong, arrived in (([], "no number"), (1.0, "float 1.0"), (["1"], "str")):
        with pytest.raises((ValueError, TypeError), match=arrived):
            function(wrong)
