"""`demos/perceptrons.py` runs, and what it says of circuits, limits and slopes is so."""

import itertools
import math
import re

import numpy as np
import perceptrons as demo
import pytest
from demo_runs import changed_run, quick_run
from matplotlib.image import imread


def nand(p, q):
    """Python's own, to test the circuits without the package."""
    return 1 - (p & q)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A quick run: what it printed, and where its pictures are."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return quick_run("perceptrons", out), out


def test_the_truth_table_is_pythons(quick):
    """w·x + b on every row, and the output beside not (x1 and x2)."""
    text, _ = quick
    rows = re.findall(r"^ +([01]) +([01]) +(-?\d) +([01]) +([01])$", text, re.MULTILINE)
    found = [tuple(map(int, row)) for row in rows]
    wanted = [(p, q, -2 * p - 2 * q + 3, nand(p, q), nand(p, q)) for p in (0, 1) for q in (0, 1)]
    assert found == wanted


def test_the_sums_on_paper_are_right(quick):
    """Digits, carries and numbers of each sum written out, by Python's own + and bits."""
    text, _ = quick
    pattern = r"^ +carry +([01 ]+)\n +([01 ]+?) {2,}(\d+)\n +\+ +([01 ]+?) {2,}(\d+)\n +=   ([01 ]+?) {2,}(\d+)$"
    sums = re.findall(pattern, text, re.MULTILINE)
    assert len(sums) == len(demo.SHOWN)
    for carries, p_bits, p, q_bits, q, digits, total in sums:
        numbers = [int(bits.replace(" ", ""), 2) for bits in (p_bits, q_bits, digits)]
        assert numbers == [int(p), int(q), int(total)]
        assert int(total) == int(p) + int(q)
        carried = [(int(p) % 2**i + int(q) % 2**i) >> i for i in range(4, 0, -1)]
        assert [int(c) for c in carries.split()] == carried


def test_the_closing_line_says_what_was_seen(quick):
    """All sums, the perceptrons, the two impossible tables, and who learned; nothing wrong."""
    text, _ = quick
    seen = text[text.index("\nSeen: ") :]
    assert "32 perceptrons add any two numbers of 4 bits (256 of 256 sums are right)" in seen
    assert "every truth table but XOR and XNOR" in seen
    assert "made a NAND of the smoothed unit, and none of the one with the step" in seen
    assert not re.search(r"\b(NO|NOT|WRONG)\b", seen)


def test_the_printed_slopes_are_the_formulas(quick):
    """∂y/∂b = c σ'(c z) at z = 3, 1, 1, −1, and exactly 0 for the step."""
    text, _ = quick
    rows = re.findall(r"^ *\?\(([\d ]*)z\)" + 4 * r" +(\S+)" + "$", text, re.MULTILINE)
    assert len(rows) == 8
    for (c, *outputs), (same_c, *slopes) in zip(rows[:4], rows[4:], strict=True):
        assert c == same_c
        c = float(c or 1)
        for z, output, slope in zip((3, 1, 1, -1), outputs, slopes, strict=True):
            sigma = 1 / (1 + math.exp(-c * z))
            assert float(output) == pytest.approx(sigma, abs=5e-5)
            assert float(slope) == pytest.approx(c * math.exp(-c * z) * sigma**2, rel=5e-3)
    assert re.findall(r"^ +step\(z\) +0 +0 +0 +0$", text, re.MULTILINE)


def test_it_fits_a_terminal(quick):
    """No line wider than 110 columns, but those that name a file."""
    text, out = quick
    assert max(len(line) for line in text.splitlines() if str(out) not in line) <= 110


def test_the_pictures_are_saved(quick):
    """In a folder that is made for them; not blank; the circuit has its nine perceptrons."""
    text, out = quick
    assert f"{out / 'perceptrons.png'}\n" in text
    pixels = imread(out / "perceptrons.png")
    assert pixels.shape[:2] == (864, 1440)
    assert np.ptp(pixels[..., 0]) > 0.5
    circuit = (out / "full_adder.svg").read_text(encoding="utf-8")
    assert f"{out / 'full_adder.svg'} " in text
    assert circuit.count(">dot<") == circuit.count(">step<") == 9


def test_gates_are_pythons():
    """XOR, half adder and full adder on all bits, against ^, & and +."""
    for p, q in itertools.product((0, 1), repeat=2):
        assert demo.xor(nand, p, q) == p ^ q
        assert demo.half_adder(nand, p, q) == (p ^ q, p & q)
        for carry in (0, 1):
            total = p + q + carry
            assert demo.full_adder(nand, p, q, carry) == (total & 1, total >> 1)


def test_the_adder_adds():
    """All 256 pairs, of the package's perceptron."""
    gate = demo.Counted(demo.Perceptron((-2, -2), 3))
    for p, q in itertools.product(range(16), repeat=2):
        bits = [[int(bit) for bit in reversed(f"{n:04b}")] for n in (p, q)]
        digits, _ = demo.adder(gate, *bits)
        assert int("".join(map(str, reversed(digits))), 2) == p + q
    assert gate.uses == 256 * 32


def test_wrong_sums_are_counted():
    """A gate that is always 1 says 1 + 2 + 4 + 8 + 16 = 31, which no sum is, and one that is always 0 says 0, which one is."""
    assert demo.check_sums(nand) == 256
    assert demo.check_sums(lambda p, q: 1) == 0
    assert demo.check_sums(lambda p, q: 0) == 1


def test_a_planted_wrong_unit_is_told(monkeypatch, tmp_path, capsys):
    """With b = 1 the unit is a NOR: the closing line says that it is no NAND and how many sums are right."""
    monkeypatch.setattr(demo, "BIAS", 1.0)
    monkeypatch.setattr(demo, "plot", lambda points: demo.Figure())  # this is about words
    assert demo.main(["--quick", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    right = demo.check_sums(lambda p, q: 1 - (p | q))
    assert re.findall(r"^ +[01] +[01] +(-?\d) +([01]) +[01]$", text, re.MULTILINE) == [
        ("1", "1"),
        ("-1", "0"),
        ("-1", "0"),
        ("-3", "0"),
    ]
    assert f"Seen: the unit is NO NAND, and the adder is WRONG: {right} of 256 sums are right;" in text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"impossible": {(0, 1, 1, 0)}}, "seen to lack 1 truth tables, NOT just XOR and XNOR"),
        ({"slopes": {"σ(z)": [0.1, 0.0], "step(z)": [0.0, 0.0]}}, "derivatives are NOT as they should be"),
        ({"slopes": {"σ(z)": [0.1, 0.2], "step(z)": [0.0, 0.3]}}, "derivatives are NOT as they should be"),
        ({"slopes": {"σ(z)": [0.1, None], "step(z)": [0.0, 0.0]}}, "at none (though too small for a float at some)"),
        ({"learned": {"sigmoid": False, "step": False}}, "did NOT do what it should"),
    ],
)
def test_the_closing_line_follows_the_findings(changed, words):
    """Each finding turned into its opposite is told as such, and none is otherwise."""
    good = demo.Findings(
        is_nand=True,
        right_sums=256,
        used=32,
        impossible={(0, 1, 1, 0), (1, 0, 0, 1)},
        slopes={"σ(z)": [0.1, 0.2], "step(z)": [0.0, 0.0]},
        learned={"sigmoid": True, "step": False},
    )
    assert words in demo.verdict(good._replace(**changed))
    assert words not in demo.verdict(good)


def changed(monkeypatch, capsys, tmp_path, **constants):
    """A quick run with other constants, without its picture."""
    return changed_run(demo, monkeypatch, capsys, tmp_path, plot=lambda *_: demo.Figure(), **constants)


def circuits(text):
    """Name → perceptrons, right, of how many."""
    rows = re.findall(r"^  (XOR|half adder|full adder|4-bit adder) +(\d+) +(\d+) of (\d+) ", text, re.MULTILINE)
    return {name: tuple(map(int, numbers)) for name, *numbers in rows}


def test_the_circuits_are_counted_and_right(quick):
    """Four, five, nine and 32 perceptrons, right for all inputs."""
    text, _ = quick
    assert circuits(text) == {
        "XOR": (4, 4, 4),
        "half adder": (5, 4, 4),
        "full adder": (9, 8, 8),
        "4-bit adder": (32, 256, 256),
    }


def test_circuits_of_another_unit_are_not_called_right(monkeypatch, capsys, tmp_path):
    """With an AND in the place of every NAND, the table says for how many inputs each circuit is still right."""
    text = changed(monkeypatch, capsys, tmp_path, WEIGHTS=(2.0, 2.0), BIAS=-3.0)

    def conjunction(p, q):
        return p & q

    right = sum(demo.xor(conjunction, p, q) == p ^ q for p, q in demo.CORNERS)
    assert circuits(text)["XOR"] == (4, right, 4)
    assert right < 4
    assert circuits(text)["4-bit adder"][1] == demo.check_sums(conjunction)
    assert text.count("   WRONG") == len(demo.SHOWN)
    assert "the unit is NO NAND" in text


def test_where_z_is_0_the_smoothed_unit_does_not_tend_to_the_step(quick, monkeypatch, capsys, tmp_path):
    """b = 2 is still a NAND, but at two corners y stays ½; that is said, and only then."""
    assert "(Not so at any input here.)" in quick[0]
    text = changed(monkeypatch, capsys, tmp_path, BIAS=2.0)
    assert re.search(r"σ\(20 z\) +1\.0000 +0\.5000 +0\.5000 +0\.0000", text)
    assert "tends to the step's wherever w·x + b ≠ 0" in text
    assert "(So at 2 inputs here.)" in text


def test_large_steps_stop_at_a_nand(monkeypatch, capsys, tmp_path):
    """With Δt = 50 the weights shown are those whose outputs were found right."""
    text = changed(monkeypatch, capsys, tmp_path, LEARNING_RATE=50.0)
    w1, w2, b = map(float, re.search(r"sigmoid: .*w = \( *(\S+), *(\S+)\), b = *(\S+);", text).groups())
    assert [int(w1 * p + w2 * q + b >= 0) for p, q in demo.CORNERS] == demo.NAND
    assert "as a perceptron 1 1 1 0: a NAND" in text


def test_more_and_steeper_units_may_be_shown(monkeypatch, capsys, tmp_path):
    """Five steepnesses, one beyond floats: its slope is called too small, not wrong; the picture is drawn."""
    draw = demo.plot
    text = changed(monkeypatch, capsys, tmp_path, STEEPNESSES=[1.0, 2.0, 5.0, 20.0, 1000.0])
    assert re.search(r"σ\(1000 z\)( +< 1e-300){4}$", text, re.MULTILINE)
    assert "the smoothed unit's at none (though too small for a float at some)" in text
    assert len(draw(3).axes) == 2 + 6
