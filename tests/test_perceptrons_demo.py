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


def test_the_truth_table_is_pythons(quick):
    """w·x + b on every row, and the output beside not (x1 and x2)."""
    rows = re.findall(r"^ +([01]) +([01]) +(-?\d) +([01]) +([01])$", quick[0], re.MULTILINE)
    wanted = [(p, q, -2 * p - 2 * q + 3, nand(p, q), nand(p, q)) for p in (0, 1) for q in (0, 1)]
    assert [tuple(map(int, row)) for row in rows] == wanted


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


def test_the_sums_on_paper_are_right(quick):
    """Digits, carries and numbers of each sum written out, by Python's own + and bits."""
    pattern = r"^ +carry +([01 ]+)\n +([01 ]+?) {2,}(\d+)\n +\+ +([01 ]+?) {2,}(\d+)\n +=   ([01 ]+?) {2,}(\d+)$"
    sums = re.findall(pattern, quick[0], re.MULTILINE)
    assert len(sums) == len(demo.SHOWN)
    for carries, p_bits, p, q_bits, q, digits, total in sums:
        numbers = [int(bits.replace(" ", ""), 2) for bits in (p_bits, q_bits, digits)]
        assert numbers == [int(p), int(q), int(total)] == [int(p), int(q), int(p) + int(q)]
        carried = [(int(p) % 2**i + int(q) % 2**i) >> i for i in range(4, 0, -1)]
        assert [int(c) for c in carries.split()] == carried


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


def test_the_circuits_picture_has_nine_perceptrons(quick):
    circuit = (quick[1] / "full_adder.svg").read_text(encoding="utf-8")
    assert circuit.count(">NAND<") == 9
    assert all(f">{wire}<" in circuit for wire in ("p = 1", "q = 0", "carry in = 1", "digit = 0", "carry out = 1"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "every truth table but XOR and XNOR"),
        ({"impossible": {(0, 1, 1, 0)}}, "seen to lack 1 truth tables, NOT just XOR and XNOR"),
        ({"slopes": {"σ(z)": [0.1, 0.0], "step(z)": [0.0, 0.0]}}, "derivatives are NOT as they should be"),
        ({"slopes": {"σ(z)": [0.1, 0.2], "step(z)": [0.0, 0.3]}}, "derivatives are NOT as they should be"),
        ({"slopes": {"σ(z)": [0.1, None], "step(z)": [0.0, 0.0]}}, "at none (though too small for a float at some)"),
        ({"learned": {"sigmoid": False, "step": False}}, "did NOT do what it should"),
    ],
)
def test_the_closing_line_follows_the_findings(changed, words, quick):
    """Each finding turned into its opposite is told as such, and none is otherwise, as in the run."""
    impossible, slopes = {(0, 1, 1, 0), (1, 0, 0, 1)}, {"σ(z)": [0.1, 0.2], "step(z)": [0.0, 0.0]}
    good = demo.Findings(True, 256, 32, impossible, slopes, {"sigmoid": True, "step": False})
    assert words in demo.verdict(good._replace(**changed))
    assert f"Seen: {demo.verdict(good)}" in quick[0]
    assert not changed or words not in quick[0]


def test_another_unit_is_not_called_right(monkeypatch, tmp_path):
    """An AND: the table says for how many inputs each circuit is still right, and the closing line that it is no NAND."""
    text = changed_run(demo, monkeypatch, tmp_path, WEIGHTS=(2.0, 2.0), BIAS=-3.0)
    right = sum(demo.xor(int.__and__, p, q) == p ^ q for p, q in demo.CORNERS)
    sums = demo.check_sums(int.__and__)
    assert circuits(text)["XOR"] == (4, right, 4) != (4, 4, 4)
    assert circuits(text)["4-bit adder"][1] == sums
    assert text.count("   WRONG") == len(demo.SHOWN)
    assert f"Seen: the unit is NO NAND, and the adder is WRONG: {sums} of 256 sums are right;" in text


def test_where_z_is_0_the_smoothed_unit_does_not_tend_to_the_step(quick, monkeypatch, tmp_path):
    """b = 2 is still a NAND, but at two corners y stays ½; that is said, and only then. σ(1000 z) has no slope in floats."""
    assert "(Not so at any input here.)" in quick[0]
    text = changed_run(demo, monkeypatch, tmp_path, BIAS=2.0, STEEPNESSES=[1.0, 20.0, 1000.0])
    assert re.search(r"σ\(20 z\) +1\.0000 +0\.5000 +0\.5000 +0\.0000", text)
    assert "(So at 2 inputs here.)" in text
    assert re.search(r"σ\(1000 z\) +< 1e-300 +250 +250 +< 1e-300$", text, re.MULTILINE)
