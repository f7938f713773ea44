"""`demos/saturation.py`: its numbers are those of the formulas on paper, here in plain floats without the package."""

import math
import re

import pytest
import saturation as demo
from demo_runs import changed_run, quick_fixture

QUADRATIC, CROSS_ENTROPY = demo.quadratic, demo.cross_entropy
STARTS = [1.5, 4.0, 6.0, 8.0, 10.0, 100.0]

quick = quick_fixture("saturation")


def sigma(z):
    return 1 / (1 + math.exp(-z))


def slope_of(cost, z):
    """∂C/∂w for r = 0 and x = 1: σ σ′ and σ, without the cancellation in 1 − σ."""
    return sigma(z) if cost is CROSS_ENTROPY else sigma(z) ** 3 * math.exp(-z)


def descend(cost, z, rate):
    """Epochs until σ(z) < 0.2. With x = 1 and one sample, w and b take the same step, so z takes two."""
    epochs = 0
    while sigma(z) >= 0.2:
        z -= 2 * rate * slope_of(cost, z)
        epochs += 1
    return epochs


def test_the_gradients_are_the_formulas(quick):
    """σ′ and both slopes, by the engine and by the formula, from z = 1.5 to the lecture's z = 100."""
    rows = re.findall(r"^ +(\d\S*) +(\S+e\S+) +(\S+) +(\S+) +(\S+) +(\S+)$", quick[0], re.MULTILINE)[: len(STARTS)]
    assert [float(row[0]) for row in rows] == STARTS
    for z, slope, *found in [map(float, row) for row in rows]:
        assert slope == pytest.approx(sigma(z) ** 2 * math.exp(-z), rel=1e-6)
        assert found[:2] == [pytest.approx(slope_of(QUADRATIC, z), rel=1e-6)] * 2
        assert found[2:] == [pytest.approx(slope_of(CROSS_ENTROPY, z), rel=1e-11)] * 2


def test_the_naive_numbers_fail_and_the_engines_do_not(quick):
    """At z = 100: 1 − a = 0, C infinite, its derivative no number; the engine says 100 and 1. At z = 4 naive is right."""
    assert re.search(r"^ +100 +0 +inf +nan +100 +1$", quick[0], re.MULTILINE)
    assert re.search(r"is refused:\n +cannot take 'log' of 0.0", quick[0])
    assert demo.naive(4.0) == pytest.approx((1 - sigma(4), math.log(1 + math.exp(4)), sigma(4)))


def test_the_epochs_are_those_of_plain_floats(quick):
    """The printed counts, by a descent in z without the package; the longest are left out."""
    pattern = r"^ +\S+ +\S+ +(\S+) +[01]\.\d{4} +\S+ +\S+ +(left out|[\d,]+) +\S+ +\S+ +([\d,]+)$"
    rows = re.findall(pattern, quick[0], re.MULTILINE)
    assert [float(row[0]) for row in rows] == STARTS
    counts = {cost: [f"{descend(cost, z, rate):,}" for z in STARTS if cost is CROSS_ENTROPY or z <= 6]
              for cost, rate in ((QUADRATIC, 0.15), (CROSS_ENTROPY, 0.031))}  # fmt: skip
    assert [row[1] for row in rows] == [*counts[QUADRATIC], *["left out"] * 3]
    assert [row[2] for row in rows] == counts[CROSS_ENTROPY]
    assert "NOT" not in quick[0]


@pytest.mark.parametrize("cost", [QUADRATIC, CROSS_ENTROPY])
def test_learning_obeys_the_differential_equation(cost):
    """d time / dz = 1 / (2 ∂C/∂z), by differences; none is needed where a is right already."""
    for z in (-1.0, 0.0, 1.5, 4.0, 10.0):
        h = 1e-5
        difference = (demo.time_needed(cost, z + h) - demo.time_needed(cost, z - h)) / (2 * h)
        assert difference == pytest.approx(1 / (2 * slope_of(cost, z)), rel=1e-7)
    assert demo.time_needed(cost, math.log(0.25)) == pytest.approx(0.0, abs=1e-12)


def test_what_is_said_follows_the_constants(tmp_path):
    """x = 2: z obeys dz/dt = −5 ∂C/∂z, as the counts confirm. Below ln 2 σ² (1 − σ) still grows. No start is right already."""
    text = changed_run(demo, tmp_path, X=2.0)
    assert "eᶻ / (5 Δt), the cross-entropy's like z / (5 Δt)" in text
    assert float(re.search(r"differ by at most (\S+) %", text)[1]) < 2.0
    text = changed_run(demo, tmp_path, STARTS=[(0.0, 0.0), (0.1, 0.1), (4.0, 4.0)])
    assert "now smaller, now larger: 0.125, 0.136, 0.000335" in text
    assert "This is NOT what the lecture says" in text
    with pytest.raises(SystemExit, match=r"STARTS begin at z = 1\.5, where a is right already"):
        changed_run(demo, tmp_path, RIGHT=0.9)
