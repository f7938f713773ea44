"""`demos/saturation.py` runs, and its numbers are those of the formulas on paper."""

import math
import re
from itertools import islice, pairwise

import numpy as np
import pytest
import saturation as demo
from demo_runs import changed_run, quick_run
from matplotlib.image import imread

QUADRATIC, CROSS_ENTROPY = demo.quadratic, demo.cross_entropy
NUMBER = r"(\S+)"


def by_hand(z):
    """σ(z), σ′(z) and, for r = 0 and x = 1, ∂C/∂w with either cost."""
    e = math.exp(-z)
    sigma, sigma_prime = 1 / (1 + e), e / (1 + e) ** 2
    return sigma, sigma_prime, sigma * sigma_prime, sigma


def descend(slope, z, rate):
    """Epochs until σ(z) < 0.2. With x = 1 and one sample, w and b take the same step, so z takes two."""
    epochs = 0
    while 1 / (1 + math.exp(-z)) >= 0.2:
        z -= 2 * rate * slope(z)
        epochs += 1
    return epochs


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A quick run: what it printed, and where its picture is."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return quick_run("saturation", out), out / "saturation.png"


@pytest.fixture(scope="module")
def runs():
    """Mild, bad and terrible; the quadratic cost's last would outlast the universe."""
    found = []
    for w, b in ((0.6, 0.9), (2.0, 2.0), (50.0, 50.0)):
        for cost in demo.NAMES:
            predicted = demo.time_needed(cost, w + b) / demo.RATES[cost]
            counted = demo.epochs_needed(cost, w, b) if predicted < 1e4 else None
            found.append(demo.Run(cost, w + b, demo.slope(cost, w, b), predicted, counted))
    return found


def test_the_gradients_are_the_formulas(quick):
    """Engine and formula, from z = 1.5 to the lecture's z = 100, where σ′ is 3.7e-44."""
    text, _ = quick
    rows = re.findall(rf"^ +(\d\S*) +{NUMBER} +{NUMBER} +{NUMBER} +{NUMBER} +{NUMBER}$", text, re.MULTILINE)
    table = [tuple(map(float, row)) for row in rows if "e" in row[1]][: len(demo.STARTS)]
    assert [row[0] for row in table] == [1.5, 4.0, 6.0, 8.0, 10.0, 100.0]
    for z, slope, engine, formula, engine_entropy, formula_entropy in table:
        _, sigma_prime, quadratic, entropy = by_hand(z)
        assert slope == pytest.approx(sigma_prime, rel=1e-6)
        assert engine == formula == pytest.approx(quadratic, rel=1e-6)
        assert engine_entropy == formula_entropy == pytest.approx(entropy, rel=1e-11)
    assert table[-1][1] == pytest.approx(math.exp(-100), rel=1e-6)


def test_the_naive_numbers_fail_and_the_engines_do_not(quick):
    """At z = 100: 1 − a = 0, C infinite, its derivative no number; the engine says 100 and 1."""
    text, _ = quick
    assert re.search(r"^ +100 +0 +inf +nan +100 +1$", text, re.MULTILINE)
    assert re.search(r"is refused:\n +cannot take 'log' of 0.0", text)


def test_naive_is_right_where_nothing_is_rounded_away():
    """At z = 4 it is the formula; the comparison is fair."""
    a = 1 / (1 + math.exp(-4))
    assert demo.naive(4.0) == pytest.approx((1 - a, math.log(1 + math.exp(4)), a))


def test_the_epochs_are_those_of_plain_floats(quick):
    """The printed counts, by a descent in z without the package."""
    text, _ = quick
    rows = re.findall(
        r"^ +\S+ +\S+ +(\S+) +[01]\.\d{4} +\S+ +\S+ +(left out|[\d,]+) +\S+ +\S+ +([\d,]+)$", text, re.MULTILINE
    )
    assert [float(z) for z, _, _ in rows] == [1.5, 4.0, 6.0, 8.0, 10.0, 100.0]
    for start, quadratic, entropy in rows:
        z = float(start)
        assert int(entropy.replace(",", "")) == descend(lambda z: by_hand(z)[3], z, 0.031)
        if quadratic == "left out":
            assert z > 6
        else:
            assert int(quadratic.replace(",", "")) == descend(lambda z: by_hand(z)[2], z, 0.15)


@pytest.mark.parametrize("cost", [QUADRATIC, CROSS_ENTROPY])
def test_the_time_solves_the_differential_equation(cost):
    """d time / dz = 1 / (2 ∂C/∂z), by differences; no time is needed where a is right already."""
    for z in (-1.0, 0.0, 1.5, 4.0, 10.0):
        slope = by_hand(z)[2 if cost is QUADRATIC else 3]
        h = 1e-5
        difference = (demo.time_needed(cost, z + h) - demo.time_needed(cost, z - h)) / (2 * h)
        assert difference == pytest.approx(1 / (2 * slope), rel=1e-7)
    assert demo.time_needed(cost, math.log(0.25)) == pytest.approx(0.0, abs=1e-12)


def test_smaller_steps_come_nearer_to_the_prediction():
    """Euler's method: a tenth of the learning rate leaves about a tenth of the error in the time."""
    for cost, slope in ((QUADRATIC, lambda z: by_hand(z)[2]), (CROSS_ENTROPY, lambda z: by_hand(z)[3])):
        exact = demo.time_needed(cost, 4.0)
        for rate in (0.1, 0.01):
            assert rate * descend(slope, 4.0, rate) == pytest.approx(exact, abs=2 * rate)


def test_learning_curves_begin_at_the_start_and_go_down():
    """a and C of the first epoch by hand, then the first step by hand, then downhill."""
    for cost, rate in demo.RATES.items():
        curve = list(islice(demo.learn(cost, 2.0, 2.0, rate), 50))
        a = 1 / (1 + math.exp(-4))
        assert curve[0] == pytest.approx((a, a**2 / 2 if cost is QUADRATIC else math.log(1 + math.exp(4))))
        z = 4 - 2 * rate * by_hand(4.0)[2 if cost is QUADRATIC else 3]
        assert curve[1][0] == pytest.approx(1 / (1 + math.exp(-z)))
        assert all(later < earlier for (_, earlier), (_, later) in pairwise(curve))


def test_the_closing_line_says_what_was_seen(quick):
    """Trends, epochs and how near the predictions are."""
    text, _ = quick
    seen = text[text.index("\nSeen: ") :]
    for words in (
        r"quadratic: .*ever smaller: 0\.122, 0\.0173, 3\.72e-44;\n +epochs to be right: 107, 302, 9\.0e\+43 \(pred",
        r"cross-entropy: .*ever larger: 0\.818, 0\.982, 1;\n +epochs to be right: 107, 151, 1,699\.",
    ):
        assert re.search(words, seen)
    assert "differ by at most 0.4 %" in seen
    assert "the worst mistakes teach least" in seen
    assert "NOT" not in seen


def test_the_closing_line_follows_the_runs(runs):
    """The costs exchanged: the verdict says that this is not what the lecture says."""
    exchanged = {QUADRATIC: CROSS_ENTROPY, CROSS_ENTROPY: QUADRATIC}
    assert "NOT" not in demo.verdict(runs)
    assert "NOT what the lecture says" in demo.verdict([run._replace(cost=exchanged[run.cost]) for run in runs])
    flat = [run._replace(slope=0.1) for run in runs]
    assert "now smaller, now larger" in demo.verdict(flat)
    assert "NOT what the lecture says" in demo.verdict(flat)


def test_it_fits_a_terminal(quick):
    """No line wider than 110 columns, but those that name a file."""
    text, path = quick
    assert max(len(line) for line in text.splitlines() if str(path) not in line) <= 110


def test_the_picture_is_saved(quick):
    """In a folder that is made for it; not blank."""
    text, path = quick
    assert f"The picture: {path}\n" in text
    pixels = imread(path)
    assert pixels.shape[:2] == (900, 1680)
    assert np.ptp(pixels[..., 0]) > 0.5


def changed(monkeypatch, capsys, tmp_path, **constants):
    """A quick run with other constants, without its picture."""
    return changed_run(demo, monkeypatch, capsys, tmp_path, plot=lambda *_: demo.Figure(), **constants)


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"R": 1.0}, "R = 1, but the predictions here are for r = 0."),
        ({"RIGHT": 1.5}, "RIGHT = 1.5, but"),
        ({"RIGHT": 0.9}, "STARTS begin at z = 1.5, where a is right already."),
        ({"X": 0.0}, "X = 0: with such an input"),
        ({"RATES": {QUADRATIC: -0.1, CROSS_ENTROPY: 0.1}}, "a learning rate is not above 0."),
        ({"STARTS": [(0.0, 1.0), (0.0, 3.0), (0.0, 2.0)]}, "STARTS have z = 1, 3, 2, but"),
        ({"STARTS": [(0.0, 1.0), (0.0, 3.0)]}, "STARTS have z = 1, 3, but three or more"),
    ],
)
def test_meaningless_constants_are_refused(constants, words, monkeypatch, capsys, tmp_path):
    """One line on stderr, before anything is computed: no endless descent."""
    for name, value in constants.items():
        monkeypatch.setattr(demo, name, value)
    assert demo.main(["--quick", "--out", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"saturation.py: {words}")


def test_a_descent_that_does_not_arrive_is_given_up(monkeypatch):
    """After twice the epochs of the longest run that is begun."""
    monkeypatch.setattr(demo, "PATIENCE", 10)
    assert demo.epochs_needed(QUADRATIC, 2.0, 2.0) is None


def test_with_another_input_the_growth_is_another(monkeypatch, capsys, tmp_path):
    """x = 2: z obeys dz/dt = −5 ∂C/∂z, in the text as in the predictions, which the counts confirm."""
    text = changed(monkeypatch, capsys, tmp_path, X=2.0)
    assert "eᶻ / (5 Δt), the cross-entropy's like z / (5 Δt)" in text
    assert float(re.search(r"differ by at most (\S+) %", text)[1]) < 2.0


def test_starts_beyond_floats_are_told(monkeypatch, capsys, tmp_path):
    """z = 800: the quadratic cost's epochs are no float, and every table goes up to that z."""
    text = changed(monkeypatch, capsys, tmp_path, STARTS=[(0.6, 0.9), (2.0, 2.0), (400.0, 400.0)])
    assert len(re.findall(r"^ +(?:400 +400 +)?800 ", text, re.MULTILINE)) == 3
    assert "> 1e300 epochs take more years than floats can hold" in text
    assert demo.time_needed(QUADRATIC, 800.0) == math.inf


def test_below_ln_2_more_wrong_learns_more(monkeypatch, capsys, tmp_path):
    """There σ² (1 − σ) still grows, by the engine's slopes; the closing lines say where the lecture's claim begins."""
    text = changed(monkeypatch, capsys, tmp_path, STARTS=[(0.0, 0.0), (0.1, 0.1), (4.0, 4.0)])
    assert "largest at z = ln 2" in text
    assert "now smaller, now larger: 0.125, 0.136, 0.000335" in text
    assert "(For the quadratic cost the lecture is right from z = ln 2 on; the first start lies below.)" in text
    peak = demo.slope(QUADRATIC, 0.0, math.log(2.0))
    assert peak == pytest.approx(4 / 27)
    assert peak > max(demo.slope(QUADRATIC, 0.0, math.log(2.0) + h) for h in (-0.1, 0.1))
