"""A curve through noisy points, by Newton's method: what second derivatives know that first ones do not.

    python demos/curve.py            some five seconds
    python demos/curve.py --quick    a shorter gradient descent, three seconds

A 1-2-1 net, tanh inside and linear at the end, is fitted to 30 noisy samples of the bump e^(−x²): two neurons, one up and
one down, make a bump. The cost is the lecture's quadratic one, C = 1/(2K) Σ |f(x^k) − r^k|². Gradient descent knows the
slope of C and takes steps −Δt ∇C. Newton's method knows the curvature too, the Hessian H of all second derivatives,
and steps to the bottom of the parabola that fits C best: −H⁻¹ ∇C. Far from a minimum that parabola may have no bottom,
so the step is damped: −(H + λI)⁻¹ ∇C. The larger λ, the shorter the step, and the closer to the gradient's direction.

The Hessian costs P backward sweeps, P the number of parameters, and as much algebra as a P × P system takes; for that
reason nobody trains large nets like this. But its eigenvalues tell how gradient descent will fare: it flees from a minimum
when Δt exceeds 2/λ_max, and it crawls when λ_max/λ_min is large. Both are put to the test.

The net is that small on purpose: with a neuron more than the curve needs, H is singular and the parabola has no single
bottom, as the last part shows. The picture, in out/ unless told otherwise, shows the curves, the descents, the eigenvalues
and the test of 2/λ_max.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from microgradnet import MLP, Compiled, Value, compile, grad, hessian, jvp, quadratic

Array: TypeAlias = npt.NDArray[np.float64]

K, NOISE, REACH = 30, 0.1, 3.0  # samples on [−REACH, REACH]
HIDDEN = 2
DATA_SEED, NET_SEED = 0, 1  # Newton's method took 16 to 72 steps with others, more than 80 with some noise
ENOUGH = 1e-12  # a gradient as short as this is 0 but for rounding
NEWTON_STEPS = 100  # at most
DESCENT_STEPS, QUICK_DESCENT_STEPS = 30_000, 3_000
SHARE = 0.9  # of 2/λ_max, the largest stable Δt: about the fastest that descent can be
NUDGE, TRIAL_STEPS = 1e-6, 100  # away from the minimum, to see whether descent comes back
FACTORS = (0.98, 1.02)  # of 2/λ_max
NEWTON, DESCENT, GREY = "#1f6f8b", "#c1440e", "#888888"


class Way(NamedTuple):
    """A descent: cost and length of the gradient at the start and after every step, the last parameters, the time."""

    costs: list[float]
    norms: list[float]
    theta: Array
    seconds: float


class Newton(NamedTuple):
    """Newton's descent: besides, the distance to where it ended, the λ of every step, and H at the start and the end."""

    path: Way
    distances: list[float]
    dampings: list[float]
    first: Array
    last: Array


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A curve fitted by gradient descent and by Newton's method.")
    parser.add_argument("--quick", action="store_true", help="a shorter gradient descent")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture (out)")
    options = parser.parse_args(argv)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"curve.py: {options.out} is no folder to save in: {error.strerror}", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a λ shows a question mark

    X, R = samples(np.random.default_rng(DATA_SEED))
    net = new_net(HIDDEN)
    fast = compile(lambda x, r: quadratic(net(x), r), 1, 1)
    start = fast.theta()
    print(f"{net}\n{K} samples of exp(−x²) on [−{REACH:g}, {REACH:g}], with noise {NOISE}.\n")
    check_hessian(net, fast, X, R)

    newton = newtons_method(net, fast, X, R, NEWTON_STEPS)
    show_newton(newton)
    curvatures = np.linalg.eigvalsh(newton.last)
    dt = SHARE * 2.0 / curvatures[-1]
    descent = gradient_descent(fast, X, R, start, dt, QUICK_DESCENT_STEPS if options.quick else DESCENT_STEPS)
    show_race(newton, descent, dt)
    show_curvatures(newton, descent, dt)
    trials = [try_step_size(fast, X, R, newton, factor) for factor in FACTORS]
    show_trials(trials)
    show_wider(net, X, R)

    path = options.out / "curve.png"
    plot(fast, X, R, start, newton, descent, trials).savefig(path, dpi=130)
    print(f"\nThe picture: {path}\n\n{seen(newton, descent, trials)}")
    return 0


def samples(rng: np.random.Generator) -> tuple[Array, Array]:
    X = np.linspace(-REACH, REACH, K)
    return X, np.exp(-(X**2)) + rng.normal(0.0, NOISE, K)


def new_net(hidden: int) -> MLP:
    return MLP(1, [hidden, 1], activation="tanh", output_activation="linear", seed=NET_SEED)


def mean_cost(net: MLP, X: Array, R: Array) -> Value:
    """C = 1/K Σ_k ½ |f(x^k) − r^k|², one recorded graph of all samples."""
    costs = [quadratic(net([x]), [r]) for x, r in zip(X, R, strict=True)]
    return sum(costs, Value(0.0)) / len(costs)


# The Hessian, and what can be done with it.


def check_hessian(net: MLP, fast: Compiled, X: Array, R: Array) -> None:
    """Three ways to the second derivatives at the start must agree."""
    parameters = net.parameters()
    C = mean_cost(net, X, R)
    H = np.array(hessian(C, parameters))
    differences = difference_hessian(fast, X, R, fast.theta())
    v = np.random.default_rng(1).normal(size=len(parameters))
    slopes = grad(C, parameters, create_graph=True)
    Hv = np.array(jvp(slopes, dict(zip(parameters, v, strict=True))))
    print("The Hessian H at the start, reverse over reverse: largest difference")
    print(f"  from its own transpose                              {np.max(np.abs(H - H.T)):.0e}")
    print(f"  H v from one forward sweep over the reverse one     {np.max(np.abs(H @ v - Hv)):.0e}")
    print(f"  from differences (∇C(θ+h) − ∇C(θ−h))/2h, h = 10⁻⁵    {np.max(np.abs(H - differences)):.0e}")


def difference_hessian(fast: Compiled, X: Array, R: Array, theta: Array, h: float = 1e-5) -> Array:
    """H row by row from the gradient on both sides; right to h² and to rounding over h, some nine digits."""

    def gradient(theta: Array) -> Array:
        return fast.value_and_grad(X, R, theta=theta)[1]

    return np.array([(gradient(theta + h * e) - gradient(theta - h * e)) / (2 * h) for e in np.eye(len(theta))])


def newtons_method(net: MLP, fast: Compiled, X: Array, R: Array, most: int) -> Newton:
    """From the net's parameters to a minimum, or as far as `most` steps lead. The net is left where it ends."""
    parameters = net.parameters()
    costs, norms, thetas, hessians = [], [], [], []
    dampings: list[float] = []
    start = time.perf_counter()
    while True:
        C = mean_cost(net, X, R)
        gradient, H = np.array(grad(C, parameters)), np.array(hessian(C, parameters))
        costs.append(C.data)
        norms.append(float(np.linalg.norm(gradient)))
        thetas.append(fast.theta())
        hessians.append(H)
        if norms[-1] < ENOUGH or len(dampings) == most:
            break
        step, damping = newton_step(lambda new: float(fast(X, R, theta=new).mean()), thetas[-1], C.data, gradient, H)
        dampings.append(damping)
        fast.assign(thetas[-1] + step)
    path = Way(costs, norms, thetas[-1], time.perf_counter() - start)
    distances = [float(np.linalg.norm(theta - thetas[-1])) for theta in thetas]
    return Newton(path, distances, dampings, hessians[0], hessians[-1])


def newton_step(
    cost: Callable[[Array], float], theta: Array, C: float, gradient: Array, H: Array
) -> tuple[Array, float]:
    """The step −(H + λI)⁻¹ ∇C with the smallest λ of a ladder for which it leads downhill; and that λ.

    H + λI must be positive definite, so the ladder begins at 0 or, where C bends down, at minus the lowest eigenvalue;
    and C must fall by a tenth at least of what its slope promises. Near a minimum λ = 0 will do: Newton's own step. A
    trial costs a compiled forward pass, which is nothing beside H.
    """
    curvatures, directions = np.linalg.eigh(H)
    along = directions.T @ gradient
    noise = 4.0 * np.finfo(float).eps * C  # at the very end C is flat to rounding
    for more in (0.0, *np.geomspace(1e-8, 1e8, 28)):
        damping = max(0.0, -curvatures[0]) + more
        if curvatures[0] + damping > 0.0:
            step = -directions @ (along / (curvatures + damping))
            if cost(theta + step) <= C + 0.1 * gradient @ step + noise:
                return step, float(damping)
    raise ArithmeticError("no step leads downhill: is this the gradient of that cost?")


def gradient_descent(fast: Compiled, X: Array, R: Array, theta: Array, dt: float, steps: int) -> Way:
    """The lecture's: θ ← θ − Δt ∇C, all samples at once."""
    C, gradient = fast.value_and_grad(X, R, theta=theta)
    costs, norms = [C], [math.sqrt(gradient @ gradient)]
    start = time.perf_counter()
    for _ in range(steps):
        theta = theta - dt * gradient
        C, gradient = fast.value_and_grad(X, R, theta=theta)
        costs.append(C)
        norms.append(math.sqrt(gradient @ gradient))
    return Way(costs, norms, theta, time.perf_counter() - start)


class Trial(NamedTuple):
    """Descent beside a minimum: Δt as a share of 2/λ_max, the distances, and the factor per step that λ_max foretells."""

    factor: float
    distances: list[float]
    foretold: float

    @property
    def found(self) -> float:
        """The factor per step."""
        return float((self.distances[-1] / self.distances[0]) ** (1.0 / (len(self.distances) - 1)))


def try_step_size(fast: Compiled, X: Array, R: Array, newton: Newton, factor: float) -> Trial:
    """Descent from a point beside the minimum, moved along the eigenvector of λ_max, with Δt = factor · 2/λ_max.

    There C is its parabola, and a step multiplies the distance by 1 − Δt λ_max.
    """
    curvatures, directions = np.linalg.eigh(newton.last)
    dt = factor * 2.0 / curvatures[-1]
    minimum = newton.path.theta
    theta = minimum + NUDGE * directions[:, -1]
    distances = [NUDGE]
    for _ in range(TRIAL_STEPS):
        theta = theta - dt * fast.value_and_grad(X, R, theta=theta)[1]
        distances.append(float(np.linalg.norm(theta - minimum)))
    return Trial(factor, distances, abs(1.0 - dt * float(curvatures[-1])))


def split(net: MLP) -> MLP:
    """The net with its first hidden neuron twice, each with half of the weight to the output: the same curve."""
    (A1, A2), (b1, b2) = net.weights(), net.biases()
    wider = new_net(len(b1) + 1)
    half = A2[:, :1] / 2.0
    wider.set_weights([np.vstack([A1[:1], A1]), np.hstack([half, half, A2[:, 1:]])], [np.hstack([b1[:1], b1]), b2])
    return wider


# What is printed.


def show_newton(newton: Newton) -> None:
    way = newton.path
    print(f"\nNewton's method, {len(newton.dampings)} steps −(H + λI)⁻¹ ∇C:\n")
    print(f"{'step':>6}{'C':>18}{'|∇C|':>11}{'|θ − θ*|':>11}{'λ':>11}   θ*: where it ended")
    for step, (C, norm, distance) in enumerate(zip(way.costs, way.norms, newton.distances, strict=True)):
        damping = f"{newton.dampings[step]:.1e}" if step < len(newton.dampings) else "—"
        damping = "0" if damping == "0.0e+00" else damping
        print(f"{step:>6}{C:>18.14f}{norm:>11.1e}{distance:>11.1e}{damping:>11}")
    power = order(newton.distances)
    print(
        f"Fitted to the last steps: |θ − θ*| falls to its power {power:.1f}. In theory that is 2: the right digits double."
    )


def order(distances: Sequence[float]) -> float:
    """The power p in |θ − θ*|_new ~ |θ − θ*|^p, fitted to the last steps: 1 for gradient descent, 2 for Newton's."""
    logs = np.log(distances[-6:-1])  # the last distance is 0
    return float(np.polyfit(logs[:-1], logs[1:], 1)[0])


def show_race(newton: Newton, descent: Way, dt: float) -> None:
    bottom = newton.path.costs[-1]
    print(
        f"\nGradient descent from the same start, Δt = {dt:.3f} = {SHARE} · 2/λ_max. It runs compiled; Newton's method"
    )
    print("records the graph of all samples at every step and differentiates it twice.\n")
    print(f"{'':<18}{'steps':>9}{'|∇C|':>10}{'C above lowest':>17}{'seconds':>10}{'ms a step':>11}   on this machine")
    for name, way in (("Newton's method", newton.path), ("gradient descent", descent)):
        steps = len(way.costs) - 1
        row = f"{steps:>9,}{way.norms[-1]:>10.0e}{max(0.0, way.costs[-1] - bottom):>17.0e}"
        print(f"  {name:<16}{row}{way.seconds:>10.2f}{1000 * way.seconds / steps:>11.3f}")
    meanwhile = round(newton.path.seconds / descent.seconds * (len(descent.costs) - 1))
    if meanwhile < len(descent.costs):
        reached = descent.norms[meanwhile]
        print(
            f"When Newton's method was done, gradient descent had taken {meanwhile:,} steps, to |∇C| = {reached:.0e}."
        )


def show_curvatures(newton: Newton, descent: Way, dt: float) -> None:
    low, *_, high = curvatures = np.linalg.eigvalsh(newton.last)
    print("\nThe eigenvalues of H:")
    print(f"  at the start  {' '.join(f'{c:10.1e}' for c in np.linalg.eigvalsh(newton.first))}")
    print(f"  at the end    {' '.join(f'{c:10.1e}' for c in curvatures)}")
    if low <= 0.0:
        print("There H is not positive definite: what was found is no proper minimum.")
        return
    window = len(descent.norms) // 10
    found = (descent.norms[-1] / descent.norms[-1 - window]) ** (1.0 / window)
    print(f"There H is positive definite, so it is a minimum; the condition number λ_max/λ_min is {high / low:,.0f}.")
    print(
        f"It makes gradient descent crawl: in the end a step shrinks what is left by 1 − Δt λ_min = {1 - dt * low:.6f},"
    )
    ahead = ""
    if descent.norms[-1] > ENOUGH:
        more = math.log(descent.norms[-1] / ENOUGH) / -math.log1p(-dt * low)
        ahead = f" To |∇C| < {ENOUGH:.0e} it would take some {float(f'{more:.1g}'):,.0f} steps more."
    print(f"and the last {window:,} steps shrank |∇C| by {found:.6f} each.{ahead}")


def show_trials(trials: list[Trial]) -> None:
    print(f"\nThe largest stable Δt, tried from a point {NUDGE:.0e} beside the minimum, for {TRIAL_STEPS} steps:")
    for t in trials:
        print(
            f"  Δt = {t.factor:.2f} · 2/λ_max: distance {t.distances[-1]:.1e}, by {t.found:.4f} a step"
            f" (in theory |1 − Δt λ_max| = {t.foretold:.4f}). It {verdict(t)}."
        )


def verdict(trial: Trial) -> str:
    return "comes back" if trial.distances[-1] < trial.distances[0] else "flees"


def show_wider(net: MLP, X: Array, R: Array) -> None:
    wider = split(net)
    C = mean_cost(wider, X, R)
    gradient, H = grad(C, wider.parameters()), np.array(hessian(C, wider.parameters()))
    curvatures = np.linalg.eigvalsh(H)
    print(
        "\nA neuron too many: the first one twice, each with half of its weight to the output. The curve is the same:"
    )
    print(f"  {len(curvatures)} parameters, C = {C.data:.14f}, |∇C| = {np.linalg.norm(gradient):.0e}, eigenvalues of H")
    print(f"  {' '.join(f'{c:9.1e}' for c in curvatures)}")
    print(
        f"The smallest in size is {np.min(np.abs(curvatures)):.0e}: weight may move from one twin to the other at no cost."
    )
    if curvatures[0] < -1e-9:
        print(f"One is {curvatures[0]:.1e}, below 0: for the wider net this is not even a minimum, but a saddle.")


def seen(newton: Newton, descent: Way, trials: list[Trial]) -> str:
    way = newton.path
    reached = "came down to" if way.norms[-1] < ENOUGH else "stopped short at"
    behind = "was still at" if descent.norms[-1] > way.norms[-1] else "was at"
    steps, many = len(way.costs) - 1, len(descent.costs) - 1
    dearer = way.seconds / steps / (descent.seconds / many)
    ends = [f"{verdict(t)} with Δt = {t.factor:.2f} · 2/λ_max" for t in trials]
    return (
        f"Seen: Newton's method {reached} |∇C| = {way.norms[-1]:.0e} in {steps} steps, each as long as {dearer:,.0f} of "
        f"gradient descent,\nwhich after {many:,} of its own {behind} {descent.norms[-1]:.0e}.\n"
        f"Beside the minimum it {' and '.join(ends)}."
    )


# What is drawn.


def plot(fast: Compiled, X: Array, R: Array, start: Array, newton: Newton, descent: Way, trials: list[Trial]) -> Figure:
    figure = Figure(figsize=(11, 8), layout="constrained")
    (curves, race), (spectrum, stability) = figure.subplots(2, 2)
    plot_curves(curves, X, R, [start, descent.theta, newton.path.theta])
    plot_race(race, newton, descent)
    plot_spectrum(spectrum, newton)
    plot_trials(stability, trials)
    return figure


def plot_curves(axes: Axes, X: Array, R: Array, thetas: list[Array]) -> None:
    net = new_net(HIDDEN)
    f = compile(net, 1)
    x = np.linspace(-REACH, REACH, 300)
    styles = [("at the start", GREY, "-"), ("gradient descent", DESCENT, "-"), ("Newton's method", NEWTON, "--")]
    axes.plot(X, R, "o", color="black", markersize=4, label="samples $(x^k, r^k)$")
    axes.plot(x, np.exp(-(x**2)), color=GREY, linestyle=":", label="$e^{-x^2}$, without noise")
    for theta, (name, colour, style) in zip(thetas, styles, strict=True):
        axes.plot(x, f(x, theta=theta), color=colour, linestyle=style, linewidth=2, label=f"f, {name}")
    axes.set_title("Samples and fitted curves")
    axes.set_xlabel("x")
    axes.set_ylabel("f(x), r")
    axes.legend(fontsize=8)


def plot_race(axes: Axes, newton: Newton, descent: Way) -> None:
    bottom = newton.path.costs[-1]
    for name, way, colour in (("gradient descent", descent, DESCENT), ("Newton's method", newton.path, NEWTON)):
        above = np.array(way.costs) - bottom
        steps = 1 + np.arange(len(above))
        shown = above > 0.0  # a logarithm has no room for the lowest cost itself
        marker = "o" if len(above) < 200 else None
        axes.loglog(steps[shown], above[shown], color=colour, marker=marker, markersize=4, label=name)
    axes.set_title("Cost above the lowest")
    axes.set_xlabel("gradients computed (one more than steps taken)")
    axes.set_ylabel("C − min C")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)


def plot_spectrum(axes: Axes, newton: Newton) -> None:
    for name, H, colour, shift in (("start", newton.first, GREY, -0.1), ("minimum", newton.last, NEWTON, 0.1)):
        curvatures = np.linalg.eigvalsh(H)
        i = 1 + np.arange(len(curvatures)) + shift
        for below, fill in ((False, colour), (True, "white")):
            mine = (curvatures < 0.0) == below
            label = f"at the {name}" + (", negative" if below else "")
            if mine.any():
                axes.plot(
                    i[mine], abs(curvatures[mine]), "o", color=colour, markerfacecolor=fill, markersize=8, label=label
                )
    axes.set_yscale("log")
    axes.set_title("Eigenvalues of H, from lowest to highest")
    axes.set_xlabel("number i of the eigenvalue")
    axes.set_ylabel("$|λ_i|$")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)


def plot_trials(axes: Axes, trials: list[Trial]) -> None:
    for trial, colour in zip(trials, (NEWTON, DESCENT), strict=True):
        n = np.arange(len(trial.distances))
        axes.semilogy(n, trial.distances, color=colour, linewidth=2, label=f"Δt = {trial.factor:.2f} · 2/$λ_{{max}}$")
        axes.semilogy(n, NUDGE * trial.foretold**n, color="black", linestyle=":", linewidth=1)
    axes.plot([], [], color="black", linestyle=":", linewidth=1, label="foretold by $|1 − Δt\\,λ_{max}|$")
    axes.set_title("Gradient descent beside the minimum")
    axes.set_xlabel("steps")
    axes.set_ylabel("distance from the minimum")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)


if __name__ == "__main__":
    sys.exit(main())
