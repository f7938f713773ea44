"""`demos/perceptrons.py`: what it says of circuits, limits and slopes is so, by Python's own bits and by formulas."""

import itertools
import math
import re

import perceptrons as demo
import pytest
from demo_runs import changed_run, quick_fixture

quick = quick_fixture("perceptrons")


def nand(p, q):
    return 1 - (p & q)


def circuits(text):
    """Name → perceptrons, right, of how many."""
    rows = re.findall(r"^  (XOR|half adder|full adder|4-bit adder) +(\d+) +(\d+) of (\d+) ", text, re.MULTILINE)
    return {name: tuple(map(int, numbers)) for name, *numbers in rows}


def test_gates_are_pythons(quick):
    """XOR, half adder and full adder on all bits, against ^, & and +; all 256 sums; and so the run says."""
    for p, q, carry in itertools.product((0, 1), repeat=3):
        assert demo.xor(nand, p, q) == p ^ q
        assert demo.half_adder(nand, p, q) == (p ^ q, p & q)
        assert demo.full_adder(nand, p, q, carry) == ((p + q + carry) & 1, (p + q + carry) >> 1)
    gate = demo.Counted(demo.Perceptron((-2, -2), 3))
    assert (demo.check_sums(gate), gate.uses) == (256, 256 * 32)
    assert [demo.check_sums(lambda p, q, bit=bit: bit) for bit in (1, 0)] == [0, 1], "31 is no sum, 0 is one"
    adders = {"half adder": (5, 4, 4), "full adder": (9, 8, 8), "4-bit adder": (32, 256, 256)}
    assert circuits(quick[0]) == {"XOR": (4, 4, 4), **adders}


def test_the_printed_slopes_are_the_formulas(quick):
    """∂y/∂b = c σ'(c z) at z = 3, 1, 1, −1, and exactly 0 for the step."""
    rows = re.findall(r"^ *σ\(([\d ]*)z\)" + 4 * r" +(\S+)" + "$", quick[0], re.MULTILINE)
    assert len(rows) == 8
    for (c, *outputs), (same_c, *slopes) in zip(rows[:4], rows[4:], strict=True):
        assert c == same_c
        c = float(c or 1)
        for z, output, slope in zip((3, 1, 1, -1), outputs, slopes, strict=True):
            sigma = 1 / (1 + math.exp(-c * z))
            assert float(output) == pytest.approx(sigma, abs=5e-5)
            assert float(slope) == pytest.approx(c * math.exp(-c * z) * sigma**2, rel=5e-3)
    assert re.findall(r"^ +step\(z\) +0 +0 +0 +0$", quick[0], re.MULTILINE)


def test_another_unit_is_not_called_right(quick, tmp_path):
    """An AND: the table says for how many inputs each circuit is still right, and the closing line that it is no NAND."""
    text = changed_run(demo, tmp_path, WEIGHTS=(2.0, 2.0), BIAS=-3.0)
    right = sum(demo.xor(int.__and__, p, q) == p ^ q for p, q in demo.CORNERS)
    assert circuits(text)["XOR"] == (4, right, 4) != (4, 4, 4)
    assert text.count("   WRONG") == len(demo.SHOWN)
    assert f"Seen: the unit is NO NAND, and the adder is WRONG: {demo.check_sums(int.__and__)} of 256 sums" in text
    assert "Seen: 32 perceptrons add any two numbers of 4 bits (256 of 256 sums are right);" in quick[0]
