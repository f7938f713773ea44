"""`demos/curve.py` runs, prints what it says it prints, and saves its picture."""

import re

import curve as demo
import numpy as np
import pytest
from demo_runs import changed_run, quick_run
from matplotlib.image import imread

from microgradnet import compile, formulas, quadratic

KINDS = ["tanh", "linear"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A quick run: what it printed, and where its picture is."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return quick_run("curve", out), out / "curve.png"


@pytest.fixture(scope="module")
def data():
    """The demo's samples."""
    return demo.samples(np.random.default_rng(demo.DATA_SEED))


@pytest.fixture(scope="module")
def at_the_minimum(data):
    """The net's cost, compiled, where Newton's method starts; and its descent."""
    net = demo.new_net()
    fast = compile(lambda x, r: quadratic(net(x), r), 1, 1)
    start = fast.theta()
    return fast, start, demo.newtons_method(net, fast, *data, demo.NEWTON_STEPS)


# The demo's cost once more, in NumPy alone.


def matrices(theta):
    """A and b of a 1-n-1 net, from its parameters neuron by neuron, each neuron's weights before its bias."""
    n = (len(theta) - 1) // 3
    hidden = theta[: 2 * n].reshape(n, 2)
    return [hidden[:, :1], theta[None, 2 * n : 3 * n]], [hidden[:, 1], theta[-1:]]


def cost_of(theta, X, R):
    A, b = matrices(theta)
    outputs = np.array([formulas.forward_pass(A, b, [x], KINDS).ys[-1][0] for x in X])
    return np.mean((outputs - R) ** 2) / 2


def gradient_of(theta, X, R):
    A, b = matrices(theta)
    _, dA, db = formulas.delta_recursion(A, b, X, R, KINDS)
    return np.concatenate([np.hstack([dA[0], db[0][:, None]]).ravel(), dA[1].ravel(), db[1]])


def hessian_of(theta, X, R, h=1e-5):
    rows = [gradient_of(theta + h * e, X, R) - gradient_of(theta - h * e, X, R) for e in np.eye(len(theta))]
    return np.array(rows) / (2 * h)


def table(text):
    """The rows of Newton's method: C, |∇C|, |θ − θ*| and, but for the last, λ."""
    rows = re.findall(r"^ +(\d+) +(0\.\d{14}) +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE)
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    return [[float(n) for n in row[1:] if n != "?"] for row in rows]  # a dash is no ASCII


def eigenvalues(text, where):
    (line,) = re.findall(rf"^  at the {where}  +(\S.*)$", text, re.MULTILINE)
    return np.array(line.split(), dtype=float)


def test_the_hessian_is_right_three_ways(quick):
    """Its transpose and the product with a vector agree to rounding, differences to half of the digits."""
    text, _ = quick
    found = [
        float(n) for n in re.findall(r"^  (?:from its own|H v from|from differences).* (\S+)$", text, re.MULTILINE)
    ]
    assert len(found) == 3
    assert max(found[:2]) < 1e-13
    assert 0.0 < found[2] < 1e-7


def test_newtons_method_starts_and_ends_where_the_formulas_say(quick, data, at_the_minimum):
    """C and |∇C| of the first and the last row are those of the lecture's formulas; at the end |∇C| is 0 to rounding."""
    text, _ = quick
    _, start, newton = at_the_minimum
    first, *_, last = table(text)
    assert first[0] == pytest.approx(cost_of(start, *data), abs=1e-13)
    assert first[1] == pytest.approx(np.linalg.norm(gradient_of(start, *data)), rel=0.06)
    assert last[0] == pytest.approx(cost_of(newton.path.theta, *data), abs=1e-13)
    assert last[1] < demo.ENOUGH
    assert np.linalg.norm(gradient_of(newton.path.theta, *data)) < 1e-11


def test_every_step_leads_downhill(quick):
    """C falls, or stands still to rounding at the end; λ damps the first step and none of the last three."""
    text, _ = quick
    rows = table(text)
    costs = np.array([row[0] for row in rows])
    assert (np.diff(costs) <= 1e-14).all()
    assert rows[0][3] > 0.0
    assert [row[3] for row in rows[-4:-1]] == [0.0, 0.0, 0.0]


def test_convergence_is_quadratic_at_the_end(quick):
    """The power printed is about 2; the distances printed give it, too."""
    text, _ = quick
    power = float(
        re.search(r"falls to its power (\S+)\. In theory that tends to 2: the correct digits double\.", text)[1]
    )
    assert 1.6 < power < 2.4
    assert demo.order([row[2] for row in table(text)]) == pytest.approx(power, abs=0.15)


def test_the_eigenvalues_are_those_of_differences_of_the_formulas(quick, data, at_the_minimum):
    """At the start some are negative; at the end all are positive: a minimum, and not a degenerate one."""
    text, _ = quick
    _, start, newton = at_the_minimum
    for where, theta in (("start", start), ("end", newton.path.theta)):
        wanted = np.linalg.eigvalsh(hessian_of(theta, *data))
        np.testing.assert_allclose(eigenvalues(text, where), wanted, rtol=0.06, atol=1e-8)
    assert eigenvalues(text, "start")[0] < 0.0
    assert eigenvalues(text, "end")[0] > 1e-5
    condition = float(re.search(r"/\?_min is ([\d,]+)\. For$", text, re.MULTILINE)[1].replace(",", ""))
    assert condition == pytest.approx(wanted[-1] / wanted[0], rel=1e-3)


def test_gradient_descent_crawls(quick, data, at_the_minimum):
    """With Δt just below 2/λ_max it takes all of its steps and is not yet where Newton's method is; so say the formulas."""
    text, _ = quick
    _, start, newton = at_the_minimum
    rows = re.findall(r"^  (Newton's method|gradient descent) +([\d,]+) +(\S+) +(\S+) +\S+ +\S+$", text, re.MULTILINE)
    (_, few, _, above), (_, many, norm, behind) = rows
    assert int(few) == len(newton.dampings)
    assert (int(many.replace(",", "")), float(above)) == (demo.QUICK_DESCENT_STEPS, 0.0)
    A, b = matrices(start)
    dt = demo.SHARE * 2.0 / np.linalg.eigvalsh(newton.last)[-1]
    assert f"?t = {dt:.3f} = 0.9" in text
    for _ in range(demo.QUICK_DESCENT_STEPS):
        A, b = formulas.gradient_step(A, b, formulas.delta_recursion(A, b, *data, KINDS), dt)
    theta = np.concatenate([np.hstack([A[0], b[0][:, None]]).ravel(), A[1].ravel(), b[1]])
    assert float(norm) == pytest.approx(np.linalg.norm(gradient_of(theta, *data)), rel=0.5)
    assert float(behind) == pytest.approx(cost_of(theta, *data) - newton.path.costs[-1], rel=0.5)
    assert float(norm) > 1e6 * demo.ENOUGH
    factor, steps = re.search(r"the slowest factor is (\S+): for every further digit, ([\d,]+) steps", text).groups()
    low = np.linalg.eigvalsh(newton.last)[0]
    assert float(factor) == pytest.approx(1.0 - dt * low, abs=1e-6)
    assert int(steps.replace(",", "")) == pytest.approx(np.log(10.0) / (dt * low), rel=1e-3)


def test_descent_stays_below_the_largest_stable_step_and_runs_away_above(quick, data, at_the_minimum):
    """Just below 2/λ_max the distance from the minimum shrinks, just above it grows, by |1 − Δt λ_max| a step; in NumPy, too."""
    text, _ = quick
    *_, newton = at_the_minimum
    rows = re.findall(r"^ +(\S+) . 2/\?_max +100 +(\S+) +(\S+) +(\S+) +it (.*)$", text, re.MULTILINE)
    assert [(row[0], row[4]) for row in rows] == [("0.98", "comes back"), ("1.02", "runs away")]
    curvatures, directions = np.linalg.eigh(newton.last)
    for factor, distance, found, foretold, _ in rows:
        assert float(foretold) == pytest.approx(abs(1.0 - 2.0 * float(factor)), abs=1e-4)
        assert float(found) == pytest.approx(float(foretold), abs=2e-3)
        theta = newton.path.theta + demo.NUDGE * directions[:, -1]
        for _ in range(demo.TRIAL_STEPS):
            theta = theta - float(factor) * 2.0 / curvatures[-1] * gradient_of(theta, *data)
        assert float(distance) == pytest.approx(np.linalg.norm(theta - newton.path.theta), rel=0.06)


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"K": 5}, "At the end H is not positive definite: λ_min is not above 1e-10 λ_max"),
        ({"HIDDEN": 3, "NEWTON_STEPS": 30}, "It has not arrived: |∇C| is not below 1e-12, so θ* is no minimum yet."),
    ],
)
def test_without_a_proper_minimum_the_theory_is_left_out(constants, words, monkeypatch, capsys, tmp_path):
    """Fewer samples than parameters, or a descent that stops short: it is said, and nothing is concluded."""
    text = changed(monkeypatch, capsys, tmp_path, **constants)
    assert words in text
    assert "No proper minimum was reached: condition number and largest stable step are left out." in text
    for conclusion in ("digits double", "a minimum. λ_max", "comes back", "runs away", "slowest factor", "in theory"):
        assert conclusion not in text


def test_a_power_that_is_not_2_is_not_called_doubling(monkeypatch, capsys, tmp_path):
    """Without noise rounding spoils the last steps: it is not said that the digits double, unless they do."""
    text = changed(monkeypatch, capsys, tmp_path, NOISE=0.0)
    found = re.search(r"falls to its power (\S+)\. In theory that tends to 2: (.*)\.$", text, re.MULTILINE)
    if found:
        assert ("digits double" in found[2]) == (abs(float(found[1]) - 2.0) < 0.5)


def test_other_steps_follow_the_theory(monkeypatch, capsys, tmp_path):
    """Far below and far above 2/λ_max: the trial ends where the parabola does, so that both factors agree."""
    text = changed(monkeypatch, capsys, tmp_path, FACTORS=(0.7, 3.0, 0.9))
    rows = re.findall(r"2/λ_max +\d+ +\S+ +(\S+) +(\S+) +it (.*)$", text, re.MULTILINE)
    assert [row[2] for row in rows] == ["comes back", "runs away", "comes back"]
    for found, predicted, _ in rows:
        assert float(found) == pytest.approx(float(predicted), abs=2e-3)


@pytest.mark.parametrize("share", [1.1, 50.0])
def test_descent_that_runs_away_is_stopped(share, monkeypatch, capsys, tmp_path):
    """With Δt beyond 2/λ_max it does not end in an overflow, nor in a number of steps to the minimum."""
    text = changed(monkeypatch, capsys, tmp_path, SHARE=share)
    assert "it never takes steps enough" in text


def changed(monkeypatch, capsys, tmp_path, **constants):
    """A quick run with other constants, and a short descent."""
    return changed_run(demo, monkeypatch, capsys, tmp_path, **{"QUICK_DESCENT_STEPS": 100, **constants})


def test_a_newton_step_finds_the_bottom_of_a_parabola():
    """Where C is a parabola with a bottom, one step with λ = 0 leads there."""
    H, bottom = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([3.0, -1.0])

    def cost(theta):
        return 0.5 * (theta - bottom) @ H @ (theta - bottom)

    theta = np.zeros(2)
    step, damping = demo.newton_step(cost, theta, cost(theta), H @ (theta - bottom), H)
    assert damping == 0.0
    np.testing.assert_allclose(step, bottom, rtol=1e-12)


def test_a_newton_step_is_damped_where_the_cost_bends_down():
    """Beside a saddle λ exceeds minus the lowest eigenvalue, solves (H + λI) step = −∇C, and leads downhill."""

    def cost(theta):
        return theta[0] ** 2 - theta[1] ** 2 + theta[1] ** 4

    x, y = theta = np.array([0.5, 0.1])
    gradient, H = np.array([2 * x, -2 * y + 4 * y**3]), np.diag([2.0, -2.0 + 12 * y**2])
    step, damping = demo.newton_step(cost, theta, cost(theta), gradient, H)
    assert damping > 2.0 - 12 * y**2
    np.testing.assert_allclose((H + damping * np.eye(2)) @ step, -gradient, rtol=1e-9)
    assert cost(theta + step) < cost(theta)


def test_a_newton_step_refuses_a_gradient_that_points_downhill():
    """With the wrong sign no λ helps, and it says so rather than to climb."""
    with pytest.raises(ArithmeticError, match="no step leads downhill"):
        demo.newton_step(lambda theta: float(theta @ theta), np.ones(1), 1.0, np.array([-2.0]), np.eye(1) * 2.0)


def test_the_order_of_a_sequence_is_its_power():
    """Distances that square have the order 2, distances that halve the order 1."""
    assert demo.order([0.5, 0.5**2, 0.5**4, 0.5**8, 0.5**16, 0.0]) == pytest.approx(2.0)
    assert demo.order([0.5**n for n in range(1, 9)] + [0.0]) == pytest.approx(1.0)


def test_differences_give_the_hessian(data, at_the_minimum):
    """Those of the compiled gradient are those of the formulas' gradient."""
    fast, start, _ = at_the_minimum
    np.testing.assert_allclose(
        demo.difference_hessian(fast, *data, start), hessian_of(start, *data), rtol=1e-8, atol=1e-9
    )


def test_the_closing_line_follows_the_results():
    """A Newton's method that stops short, and steps that all come back: each is said."""
    H = np.eye(1)
    short = demo.Newton(demo.Way([1.0, 0.5], [1.0, 1e-3], np.zeros(1), 2.0), [1.0, 0.0], [0.0], H, H)
    descent = demo.Way([1.0, 0.1, 0.0], [1.0, 0.1, 1e-5], np.zeros(1), 1.0)
    said = demo.seen(short, descent, [demo.Trial(0.5, [1.0, 0.1], 0.1), demo.Trial(0.6, [1.0, 0.2], 0.2)])
    assert "stopped short at |∇C| = 1e-03 in 1 steps, each as long as 4\nof gradient descent" in said
    assert "after 2 of its own was at 1e-05" in said
    assert "comes back with Δt = 0.5 · 2/λ_max.\nBeside the minimum it comes back with Δt = 0.6 · 2/λ_max." in said


def test_the_closing_line_says_what_the_run_printed(quick):
    """The steps, the last |∇C| and both verdicts."""
    text, _ = quick
    rows = table(text)
    last = text.split("Seen: ")[1]
    assert last.startswith("Newton's method came down to |?C| = ")
    assert f" in {len(rows) - 1} steps, each as long as " in last
    assert "it comes back with ?t = 0.98 ? 2/?_max." in last
    assert "it runs away with ?t = 1.02 ? 2/?_max." in last


def test_the_picture_is_saved(quick):
    """In a folder that is made for it; not blank."""
    text, path = quick
    assert f"The picture: {path}\n" in text
    pixels = imread(path)
    assert pixels.shape[:2] == (585, 1950)
    assert np.ptp(pixels[..., 0]) > 0.5
