"""`demos/moons.py` runs, prints what it says it prints, and saves its pictures."""

import re

import moons as demo
import numpy as np
import pytest
from demo_runs import quick_run
from matplotlib.image import imread
from PIL import Image, ImageSequence

from microgradnet import compile, formulas

KINDS = ["tanh", "tanh", "sigmoid"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A quick run: what it printed, and where its pictures are."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return quick_run("moons", out), out


@pytest.fixture(scope="module")
def data():
    """The demo's points: those to train on, and those held out."""
    rng = np.random.default_rng(demo.SEED)
    return [demo.moons(count, demo.NOISE, rng) for count in (demo.POINTS, demo.HELD_OUT)]


@pytest.fixture(scope="module")
def by_the_formulas(data):
    """The quick run done again with the lecture's formulas in NumPy alone: A and b at the end, and the mean costs."""
    (X, R), _ = data
    net = demo.new_net()
    A, b = net.weights(), net.biases()
    rng = np.random.default_rng(demo.SEED + 2)
    costs = []
    for _ in range(demo.QUICK_EPOCHS):
        order, total = rng.permutation(len(X)), 0.0
        for batch in np.split(order, len(X) // demo.BATCH_SIZE):
            total += np.sum([cross_entropy(A, b, x, r) for x, r in zip(X[batch], R[batch], strict=True)])
            gradients = formulas.delta_recursion(A, b, X[batch], R[batch], KINDS, cost="cross_entropy")
            A, b = formulas.gradient_step(A, b, gradients, dt=demo.LEARNING_RATE)
        costs.append(total / len(X))
    return A, b, costs


def outputs(A, b, X):
    return np.array([formulas.forward_pass(A, b, x, KINDS).ys[-1][0] for x in X])


def cross_entropy(A, b, x, r):
    a = formulas.forward_pass(A, b, x, KINDS).ys[-1][0]
    return -(r * np.log(a) + (1 - r) * np.log(1 - a))


def shares(text):
    """Epoch → cost (None at the start), and the percentages classified correctly of the points and of those held out."""
    rows = re.findall(r"^ +(\d+) +(\S+) +(\S+)% +(\S+)%$", text, re.MULTILINE)
    return {int(n): (None if n == "0" else float(C), float(seen), float(held)) for n, C, seen, held in rows}


def test_without_noise_the_points_lie_on_two_half_circles():
    """Class 0 on the upper half of the unit circle; class 1 on the lower half of the one around (1, ½); as many of each."""
    X, R = demo.moons(50, 0.0, np.random.default_rng(1))
    assert R.tolist() == [0.0, 1.0] * 25
    upper, lower = X[R == 0], X[R == 1] - [1.0, 0.5]
    for half, side in ((upper, 1.0), (lower, -1.0)):
        np.testing.assert_allclose(np.hypot(*half.T), 1.0, rtol=1e-12)
        assert (side * half[:, 1] >= 0.0).all()
        assert np.ptp(half[:, 0]) > 1.5


def test_noise_moves_the_points_by_as_much_as_it_says():
    """The same angles with and without noise: what lies between is normal, of the given width in both coordinates."""
    still, _ = demo.moons(4000, 0.0, np.random.default_rng(2))
    moved, _ = demo.moons(4000, 0.3, np.random.default_rng(2))
    np.testing.assert_allclose((moved - still).std(axis=0), 0.3, rtol=0.1)
    np.testing.assert_allclose((moved - still).mean(axis=0), 0.0, atol=0.03)


def test_no_straight_line_parts_the_demos_points(data):
    """The best of many lines is wrong somewhere: without a hidden layer there is nothing to be had here."""
    (X, R), _ = data
    angles = np.linspace(0.0, 2 * np.pi, 721)
    heights = X @ np.stack([np.cos(angles), np.sin(angles)])
    assert not (heights[R == 1].min(axis=0) > heights[R == 0].max(axis=0)).any()


def test_both_engines_give_the_same_net(quick):
    """The differences printed, of parameters and of predictions, are rounding; and the closing line says so."""
    text, _ = quick
    differences = re.findall(r"^Largest difference of a (parameter|prediction).*: (\S+)$", text, re.MULTILINE)
    assert [name for name, _ in differences] == ["parameter", "parameter", "prediction"]
    assert all(float(number) < 1e-9 for _, number in differences)
    assert "Seen: eager and compiled give the same net to rounding; compiled" in text


def test_it_is_the_net_that_the_lectures_formulas_give(quick, data, by_the_formulas):
    """The costs printed and the shares classified correctly at the end are those of a run in plain NumPy."""
    text, _ = quick
    A, b, costs = by_the_formulas
    printed = shares(text)
    assert list(printed) == demo.some_epochs(demo.QUICK_EPOCHS, 6)
    for epoch, (cost, *_) in printed.items():
        if epoch:
            assert cost == pytest.approx(costs[epoch - 1], abs=5.1e-5)
    for percentage, (X, R) in zip(printed[demo.QUICK_EPOCHS][1:], data, strict=True):
        assert percentage == pytest.approx(100 * np.mean((outputs(A, b, X) >= 0.5) == (R == 1.0)), abs=0.051)


def test_the_moons_are_learned(quick):
    """Of the points held out, at least 95 % in the end, from few at the start; the closing line repeats the number."""
    text, _ = quick
    printed = shares(text)
    (_, _, first), (_, _, last) = printed[0], printed[demo.QUICK_EPOCHS]
    assert first < 90.0
    assert last >= 95.0
    assert f"Of 1,000 points never trained on, {last}% are classified correctly, so the net learned the moons." in text


def test_the_ratios_are_those_of_the_seconds(quick):
    """Each ratio is the first number of its line over the second, to the digits printed."""
    text, _ = quick
    rows = re.findall(r"^  (all steps|together) +(\S+) +(\S+) +(\d+)$", text, re.MULTILINE)
    assert [row[0] for row in rows] == ["all steps", "together"]
    for _, eager, compiled, ratio in rows:
        assert float(ratio) == pytest.approx(float(eager) / float(compiled), rel=0.01, abs=0.51)


def test_a_run_holds_every_epochs_parameters():
    """The way begins with the net's own parameters and ends with those left in it; the costs are one an epoch."""
    X, R = demo.moons(20, 0.1, np.random.default_rng(3))
    for compiled in (True, False):
        net = demo.new_net()
        start = [p.data for p in net.parameters()]
        run = demo.learn(net, X, R, 3, compiled)
        assert run.path.shape == (4, len(start))
        assert run.path[0].tolist() == start
        assert run.path[-1].tolist() == [p.data for p in net.parameters()]
        assert len(run.costs) == 3


def test_the_closing_line_follows_the_results():
    """Nets that differ, a compiled run that is no faster, and too few classified correctly: each is said."""
    path = np.zeros((2, 1))
    slow = demo.Run(path, [], preparing=1.0, training=2.0)
    quick = demo.Run(path, [], preparing=0.5, training=0.5)
    wrong = quick._replace(path=path + 1e-3)
    good, bad = demo.seen(slow, quick, 1e-14, 0.99), demo.seen(wrong, slow, 1e-3, 0.8)
    assert "the same net to rounding; compiled is 3 times as fast" in good
    assert "99.0% are classified correctly, so the net learned the moons" in good
    assert "nets that differ by 1.0e-03, more than rounding, from the first epoch on" in bad
    assert "; compiled is no faster (ratio 0.3)" in bad
    assert "80.0% are classified correctly, so there was more to learn" in bad
    magnified = demo.seen(quick._replace(path=path + 1e-12), slow, 1e2, 0.8)
    assert "differ by rounding, 1.0e-12, after one epoch, which unstable training" in magnified
    assert "magnified\nto 1.0e+02" in magnified


def test_few_epochs_leave_panels_empty(monkeypatch, tmp_path, capsys):
    """With fewer epochs than panels it draws those there are."""
    monkeypatch.setattr(demo, "QUICK_EPOCHS", 2)
    monkeypatch.setattr(demo, "GRID", 20)
    assert demo.main(["--quick", "--out", str(tmp_path)]) == 0
    assert list(shares(capsys.readouterr().out)) == [0, 1, 2]
    assert imread(tmp_path / "moons.png").shape[:2] == (672, 1320)


def test_unstable_training_is_named(monkeypatch, tmp_path, capsys):
    """With Δt = 30 rounding grows into another net, and it does not blame an engine."""
    monkeypatch.setattr(demo, "LEARNING_RATE", 30.0)
    monkeypatch.setattr(demo, "plot", lambda *_: demo.Figure())
    monkeypatch.setattr(demo, "animate", lambda *arguments: arguments[-1].write_bytes(b""))
    assert demo.main(["--quick", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "unstable training" in text
    assert "more than rounding" not in text


def test_accuracy_counts_the_points_on_their_side():
    """Of an output that is σ(x₁): its side of ½ is the sign of x₁."""
    net = demo.MLP(2, [1], seed=1)
    f = compile(net, 2)
    theta = np.array([1.0, 0.0, 0.0])
    X = np.array([[1.0, 5.0], [2.0, -5.0], [-1.0, 0.0], [-2.0, 0.0]])
    assert demo.accuracy(f, theta, X, np.array([1.0, 1.0, 0.0, 1.0])) == 0.75


def test_some_epochs_are_the_first_and_the_last_and_more_at_the_beginning():
    """From 0 to the last, each once, no more than asked for, with gaps that never shrink."""
    for last, count in ((20, 6), (100, 6), (100, 40), (20, 8)):
        epochs = demo.some_epochs(last, count)
        assert epochs[0] == 0
        assert epochs[-1] == last
        assert len(epochs) <= count
        assert (np.diff(epochs) > 0).all()
    assert (np.diff(demo.some_epochs(100, 6), n=2) >= 0).all()


def test_the_picture_is_saved(quick):
    """In a folder that is made for it; not blank, and its six panels differ."""
    text, out = quick
    assert f"The pictures: {out / 'moons.png'} and {out / 'moons.gif'} (" in text
    pixels = imread(out / "moons.png")
    assert pixels.shape[:2] == (672, 1320)
    assert np.ptp(pixels[..., 0]) > 0.5


def test_the_animation_moves_and_is_small(quick):
    """One frame an epoch shown and a rest at the end, under a megabyte; the last frame is not the first."""
    _, out = quick
    path = out / "moons.gif"
    assert path.stat().st_size < 1_000_000
    with Image.open(path) as image:
        frames = [np.asarray(frame.convert("L"), dtype=float) for frame in ImageSequence.Iterator(image)]
    assert len(frames) >= len(demo.some_epochs(demo.QUICK_EPOCHS, demo.QUICK_FRAMES))
    assert np.ptp(frames[0]) > 100
    assert np.mean(np.abs(frames[-1] - frames[0]) > 10) > 0.05
