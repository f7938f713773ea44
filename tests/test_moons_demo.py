"""`demos/moons.py`: its points are moons, its net is the one that the lecture's formulas give, its pictures show it."""

import re

import moons as demo
import numpy as np
import pytest
from demo_runs import quick_fixture
from PIL import Image

from microgradnet import formulas

KINDS = ["tanh", "tanh", "sigmoid"]

quick = quick_fixture("moons", QUICK_FRAMES=3, GRID=40)


def outputs(A, b, X):
    return np.array([formulas.forward_pass(A, b, x, KINDS).ys[-1][0] for x in X])


def shares(text):
    """Epoch → cost (None at the start), and the percentages classified correctly of the points and of those held out."""
    rows = re.findall(r"^ +(\d+) +(\S+) +(\S+)% +(\S+)%$", text, re.MULTILINE)
    return {int(n): (None if n == "0" else float(C), float(seen), float(held)) for n, C, seen, held in rows}


def test_without_noise_the_points_lie_on_two_half_circles():
    """Class 0 on the upper half of the unit circle, class 1 on the lower half of the one around (1, ½); as many of each."""
    X, R = demo.moons(50, 0.0, np.random.default_rng(1))
    assert R.tolist() == [0.0, 1.0] * 25
    for half, side in ((X[R == 0], 1.0), (X[R == 1] - [1.0, 0.5], -1.0)):
        np.testing.assert_allclose(np.hypot(*half.T), 1.0, rtol=1e-12)
        assert (side * half[:, 1] >= 0.0).all()
        assert np.ptp(half[:, 0]) > 1.5


def test_it_is_the_net_that_the_lectures_formulas_give(quick):
    """The quick run again in plain NumPy: the costs printed, and the shares classified correctly, of which 95 % held out.

    The eager and the compiled run differ by rounding, and the closing lines say what the tables show.
    """
    rng = np.random.default_rng(demo.SEED)
    data = [demo.moons(count, demo.NOISE, rng) for count in (demo.POINTS, demo.HELD_OUT)]
    X, R = data[0]
    net = demo.new_net()
    A, b = net.weights(), net.biases()
    rng = np.random.default_rng(demo.SEED + 2)
    costs = []
    for _ in range(demo.QUICK_EPOCHS):
        total = 0.0
        for batch in np.split(rng.permutation(len(X)), len(X) // demo.BATCH_SIZE):
            x, r, a = X[batch], R[batch], outputs(A, b, X[batch])
            total -= np.sum(r * np.log(a) + (1 - r) * np.log(1 - a))
            gradients = formulas.delta_recursion(A, b, x, r, KINDS, cost="cross_entropy")
            A, b = formulas.gradient_step(A, b, gradients, dt=demo.LEARNING_RATE)
        costs.append(total / len(X))
    printed = shares(quick[0])
    assert list(printed) == demo.some_epochs(demo.QUICK_EPOCHS, 6)
    assert [row[0] for row in printed.values()][1:] == pytest.approx([costs[n - 1] for n in printed if n], abs=5.1e-5)
    for percentage, (x, r) in zip(printed[demo.QUICK_EPOCHS][1:], data, strict=True):
        assert percentage == pytest.approx(100 * np.mean((outputs(A, b, x) >= 0.5) == (r == 1.0)), abs=0.051)
    held_out = printed[demo.QUICK_EPOCHS][2]
    assert held_out >= 95.0 > 90.0 > printed[0][2]
    assert f"{held_out}% are classified correctly, so the net learned the moons." in quick[0]
    differences = re.findall(r"^Largest difference of a (?:parameter|prediction).*: (\S+)$", quick[0], re.MULTILINE)
    assert len(differences) == 3
    assert max(map(float, differences)) < 1e-9
    assert "Seen: eager and compiled give the same net to rounding; compiled" in quick[0]


def test_the_animation_is_small(quick):
    """A frame for each epoch shown, under a megabyte."""
    assert (quick[1] / "moons.gif").stat().st_size < 1_000_000
    with Image.open(quick[1] / "moons.gif") as image:
        assert image.n_frames >= 3
