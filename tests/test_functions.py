"""softmax and logsumexp beside their definitions on decimals: eager and compiled, derivatives of two orders.

`dot`, `maximum` and `minimum` are rows of the table: `test_ops.py` has them.
"""

import math
from decimal import Decimal, localcontext

import numpy as np
import oracles
import pytest
from oracles import U

from microgradnet import Value, compile, grad, hessian, jacobian, logsumexp, softmax

POINTS = {
    "two": [0.3, -1.2],
    "alone": [3.25],
    "equal": [5.0] * 4,
    "two largest": [0.5, 0.5, -40.0],
    "one far ahead": [0.0, -3.0, 50.0],
    "beyond exp": [1000.0, 998.5, -1000.0],
    "ends of the floats": [1e308, -1e308, 0.0],
    "tiny beside 1": [0.0, -36.5, -300.0],
    "subnormal": [0.0, -740.0],
    "below 0": [-750.0, -751.0, -749.5],
    "many": [math.sin(7.0 * j) for j in range(30)],
}
everywhere = pytest.mark.parametrize("z", POINTS.values(), ids=POINTS)


class Exactly:
    """Shares, their sum's logarithm and both derivatives, as Decimals, with nothing cancelled."""

    def __init__(self, z):
        digits = 60 + (660 if max(z) - min(z) < 1500 else 0)
        with localcontext(oracles.EXACT, prec=digits):
            largest = max(map(Decimal, z))
            powers = [(Decimal(z_j) - largest).exp() for z_j in z]
            total = sum(powers)
            self.shares = [power / total for power in powers]
            self.log = largest + total.ln()
            n = range(len(z))
            others = [sum((self.shares[k] for k in n if k != j), Decimal(0)) for j in n]
            self.slopes = [[self.shares[i] * (others[i] if i == j else -self.shares[j]) for j in n] for i in n]


def roundings(z):
    """How many roundings of U an entry may show: a sum of n, and of z_j − largest, each unit of which e^z counts in full."""
    return 20 + 4 * len(z) + min(max(z) - min(z), 750.0)


def check(found, wanted, z, scale=0.0):
    """Right to so many roundings, of scale where numbers of that size are subtracted, or to the smallest floats."""
    for a, b in zip(np.ravel(found).tolist(), np.ravel(wanted).tolist(), strict=True):
        assert math.isfinite(a)
        off = float(abs(Decimal(a) - b))
        assert off <= roundings(z) * U * max(float(abs(b)), scale) + 4 * oracles.TINY, f"{a} for {float(b)} at {z}"


@everywhere
def test_values_are_right_to_the_last_digits(z):
    """Whatever the size; small shares are not lost, nor is what logsumexp has beyond the largest number when that is 0."""
    exact = Exactly(z)
    check([p.data for p in softmax(z)], exact.shares, z)
    check(logsumexp(z).data, exact.log, z, scale=abs(max(z)))


@everywhere
def test_first_derivatives_are_right_entry_by_entry(z):
    """Where one share is nearly 1, that of p_j is p_j (1 − p_j), and not 0."""
    exact, values = Exactly(z), [Value(z_j) for z_j in z]
    check(grad(logsumexp(values), values), exact.shares, z)
    check(jacobian(softmax(values), values), exact.slopes, z)


@everywhere
def test_second_derivatives(z):
    """The Hessian of logsumexp is the Jacobian of softmax; its own comes from p − p², which rounds at 1."""
    exact, values = Exactly(z), [Value(z_j) for z_j in z]
    check(hessian(logsumexp(values), values), exact.slopes, z, scale=1.0)
    slope_of_first = grad(softmax(values)[0], values, create_graph=True)
    p = exact.shares
    n = range(len(z))
    with localcontext(oracles.EXACT):
        third = [[p[0] * (((i == 0) - p[i]) * ((j == 0) - p[j]) - p[i] * ((i == j) - p[j])) for j in n] for i in n]
    check([grad(slope, values) for slope in slope_of_first], third, z, scale=1.0)


@everywhere
@pytest.mark.parametrize("K", [1, 300])
def test_compiled_they_are_as_right(z, K):
    """One by one and in a batch: values, and derivatives by compiling them."""
    exact = Exactly(z)
    numbers = np.array([z] * K)
    if len(z) > 1:
        check(compile(softmax, len(z))(numbers)[-1], exact.shares, z)
    check(compile(logsumexp, len(z))(numbers)[-1], exact.log, z, scale=abs(max(z)))
    if len(z) > 1:
        slopes = compile(lambda z: grad(softmax(z)[1], z, create_graph=True), len(z))(numbers)[-1]
        check(slopes, exact.slopes[1], z)


def test_a_batch_of_them_is_a_reduction_and_no_chain():
    """The program on arrays has fewer lines than the hundred numbers."""
    for function in (softmax, logsumexp):
        assert compile(function, 100).source.split("# larger batches")[-1].count("\n") < 50


def test_infinite_numbers():
    """−∞ beside a finite number is a mask, with no derivative; +∞, or −∞ alone, gives NaN."""
    values = [Value(0.5), Value(-math.inf), Value(0.5)]
    assert [p.data for p in softmax(values)] == [0.5, 0.0, 0.5]
    assert logsumexp(values).data == 0.5 + math.log(2.0)
    assert grad(logsumexp(values), values) == [0.5, 0.0, 0.5]
    for z in ([0.0, math.inf], [-math.inf]):
        assert math.isnan(logsumexp(z).data)
        assert all(math.isnan(p.data) for p in softmax(z)[-1:])


@pytest.mark.parametrize("function", [softmax, logsumexp])
@pytest.mark.parametrize(
    ("wrong", "error", "arrived"),
    [
        ([], ValueError, "no number"),
        (1.0, TypeError, "float 1.0"),
        (["1"], TypeError, "str '1'"),
        ("12", TypeError, "str"),
    ],
)
def test_what_is_no_sequence_of_numbers_is_refused(function, wrong, error, arrived):
    """By what arrived."""
    with pytest.raises(error, match=arrived):
        function(wrong)


def test_numbers_and_arrays_are_taken():
    """As plain numbers, mixed with Values, or a NumPy array."""
    assert [p.data for p in softmax(np.zeros(4))] == [0.25] * 4
    assert logsumexp([0, Value(0.0)]).data == math.log(2.0)
