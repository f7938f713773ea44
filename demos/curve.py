"""A curve through noisy points, by Newton's method: what second derivatives know that first ones do not.

    python demos/curve.py            some five seconds
    python demos/curve.py --quick    a shorter gradient descent, three seconds

A 1-2-1 net, tanh inside and linear at the end, is fitted to 30 noisy samples of the bump e^(−x²), with the lecture's
quadratic cost C. Gradient descent knows the slope of C and takes steps −Δt ∇C. Newton's method knows the curvature too,
the Hessian H of all second derivatives, and steps to the bottom of the parabola that fits C best: −H⁻¹ ∇C. Far from a
minimum that parabola may have no bottom, so the step is damped: −(H + λI)⁻¹ ∇C, the shorter, the larger λ is.

The Hessian costs P backward sweeps, P the number of parameters, and then a P × P system is to be solved; for that reason
nobody trains large nets like this. But its eigenvalues tell how gradient descent will fare: near a minimum it runs away
when Δt exceeds 2/λ_max, and it crawls when λ_max/λ_min is large. Both are tested if Newton's method arrives at a minimum
where H is positive definite. With other constants it may not (try HIDDEN = 3, or K = 5); then the demo says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import command_line
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from microgradnet import MLP, Compiled, Value, compile, grad, hessian, jvp, quadratic

Array: TypeAlias = npt.NDArray[np.float64]
Cost: TypeAlias = Callable[[Array], float]

K, NOISE, REACH = 30, 0.1, 3.0  # samples on [−REACH, REACH]
HIDDEN = 2
DATA_SEED, NET_SEED = 0, 1  # Newton's method took 16 to 72 steps with others, more than 80 with some noise
ENOUGH = 1e-12  # a gradient as short as this is 0 but for rounding
SINGULAR = 1e-10  # so is an eigenvalue below this part of λ_max
NEWTON_STEPS = 100  # at most
DESCENT_STEPS, QUICK_DESCENT_STEPS = 30_000, 3_000
SHARE = 0.9  # of 2/λ_max, the largest stable Δt: about the fastest that descent can be
NUDGE, TRIAL_STEPS = 1e-6, 100  # away from the minimum, to see whether descent comes back
FACTORS = (0.98, 1.02)  # of 2/λ_max
NEWTON, DESCENT, RUNAWAY, GREY = "#1f6f8b", "#c1440e", "#eda98b", "#888888"


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

    @property
    def arrived(self) -> bool:
        """Whether it ended where the gradient is 0."""
        return self.path.norms[-1] < ENOUGH

    @property
    def definite(self) -> bool:
        """Whether H is positive definite there, by more than rounding. With a gradient of 0: a proper minimum."""
        low, *_, high = np.linalg.eigvalsh(self.last)
        return bool(low > SINGULAR * high)


def main(argv: Sequence[str] | None = None) -> None:
    options = command_line.parse(
        argv, "A curve fitted by gradient descent and by Newton's method.", quick="a shorter gradient descent"
    )

    X, R = samples(np.random.default_rng(DATA_SEED))
    net = new_net()
    fast = compile(lambda x, r: quadratic(net(x), r), 1, 1)
    start = fast.theta()
    print(f"{net}\n{K} samples of exp(−x²) on [−{REACH:g}, {REACH:g}], with noise {NOISE:g}.\n")
    check_hessian(net, fast, X, R)

    newton = newtons_method(net, fast, X, R, NEWTON_STEPS)
    show_newton(newton)
    dt = float(SHARE * 2.0 / np.linalg.eigvalsh(newton.last)[-1])
    descent = gradient_descent(fast, X, R, start, dt, QUICK_DESCENT_STEPS if options.quick else DESCENT_STEPS)
    show_race(newton, descent, dt)
    show_curvatures(newton, dt)
    proper = newton.arrived and newton.definite
    trials = [try_step_size(fast, X, R, newton, factor) for factor in FACTORS] if proper else []
    show_trials(trials)
    path = options.out / "curve.png"
    plot(X, R, start, newton, descent, trials).savefig(path, dpi=130)
    print(f"\nThe picture: {path}\n\n{seen(newton, descent, trials)}")


def samples(rng: np.random.Generator) -> tuple[Array, Array]:
    X = np.linspace(-REACH, REACH, K)
    return X, np.exp(-(X**2)) + rng.normal(0.0, NOISE, K)


def new_net() -> MLP:
    return MLP(1, [HIDDEN, 1], activation="tanh", output_activation="linear", seed=NET_SEED)


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
    costs, norms, thetas, hessians, dampings = [], [], [], [], list[float]()
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


def newton_step(cost: Cost, theta: Array, C: float, gradient: Array, H: Array) -> tuple[Array, float]:
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
    costs, norms = list[float](), list[float]()
    start = time.perf_counter()
    while True:
        C, gradient = fast.value_and_grad(X, R, theta=theta)
        costs.append(C)
        norms.append(math.sqrt(gradient @ gradient))
        if len(costs) > steps or norms[-1] > 1e50:  # with too long a Δt it runs away
            break
        theta = theta - dt * gradient
    return Way(costs, norms, theta, time.perf_counter() - start)


class Trial(NamedTuple):
    """Descent beside a minimum: Δt as a share of 2/λ_max, the distances, and the factor per step that theory predicts."""

    factor: float
    distances: list[float]
    predicted: float

    @property
    def found(self) -> float:
        """The factor per step."""
        return float((self.distances[-1] / self.distances[0]) ** (1.0 / (len(self.distances) - 1)))

    def __str__(self) -> str:
        return "comes back" if self.distances[-1] < self.distances[0] else "runs away"


def try_step_size(fast: Compiled, X: Array, R: Array, newton: Newton, factor: float) -> Trial:
    """Descent from a point beside the minimum, moved along the eigenvector of λ_max, with Δt = factor · 2/λ_max.

    There C is its parabola, and a step multiplies the distance by |1 − Δt λ_max|. It ends when the distance is a
    thousand times as large or as small: farther out C is no parabola, and closer in the other directions count.
    """
    curvatures, directions = np.linalg.eigh(newton.last)
    dt = factor * 2.0 / curvatures[-1]
    minimum = newton.path.theta
    theta = minimum + NUDGE * directions[:, -1]
    distances = [NUDGE]
    while len(distances) <= TRIAL_STEPS and 1e-3 < distances[-1] / NUDGE < 1e3:
        theta = theta - dt * fast.value_and_grad(X, R, theta=theta)[1]
        distances.append(float(np.linalg.norm(theta - minimum)))
    return Trial(factor, distances, abs(1.0 - dt * float(curvatures[-1])))


# What is printed.


def show_newton(newton: Newton) -> None:
    print(f"\nNewton's method, {len(newton.dampings)} steps −(H + λI)⁻¹ ∇C:\n")
    print(f"{'step':>6}{'C':>18}{'|∇C|':>11}{'|θ − θ*|':>11}{'λ':>11}   θ*: where it ended")
    dampings = [f"{damping:.1e}" if damping else "0" for damping in newton.dampings]
    rows = zip(newton.path.costs, newton.path.norms, newton.distances, [*dampings, "—"], strict=True)
    for step, (C, norm, distance, damping) in enumerate(rows):
        print(f"{step:>6}{C:>18.14f}{norm:>11.1e}{distance:>11.1e}{damping:>11}")
    if not newton.arrived:
        print(f"It has not arrived: |∇C| is not below {ENOUGH:.0e}, so θ* is no minimum yet.")
    elif newton.definite and len(newton.dampings) >= 5 and not any(newton.dampings[-5:]):
        power = order(newton.distances)
        why = "the correct digits double" if abs(power - 2.0) < 0.5 else "too few steps, or rounding, to see it here"
        print(f"Fitted to the last steps: |θ − θ*| falls to its power {power:.1f}. In theory that tends to 2: {why}.")


def order(distances: Sequence[float]) -> float:
    """The power p in |θ − θ*|_new ~ |θ − θ*|^p, fitted to the last steps: 1 for gradient descent, 2 for Newton's."""
    logs = np.log(distances[-6:-1])  # the last distance is 0
    return float(np.polyfit(logs[:-1], logs[1:], 1)[0])


def show_race(newton: Newton, descent: Way, dt: float) -> None:
    lowest = min(newton.path.costs[-1], descent.costs[-1])
    print(f"\nGradient descent from the same start, Δt = {dt:.3f} = {SHARE} · 2/λ_max. It runs compiled; Newton's")
    print("method records the graph of all samples at every step and differentiates it twice.\n")
    print(f"{'':<18}{'steps':>9}{'|∇C|':>10}{'C above lowest':>17}{'seconds':>10}{'ms a step':>11}   on this machine")
    for name, way in (("Newton's method", newton.path), ("gradient descent", descent)):
        steps = len(way.costs) - 1
        row = f"{steps:>9,}{way.norms[-1]:>10.0e}{way.costs[-1] - lowest:>17.0e}"
        print(f"  {name:<16}{row}{way.seconds:>10.2f}{1000 * way.seconds / steps:>11.3f}")


def show_curvatures(newton: Newton, dt: float) -> None:
    low, *_, high = curvatures = np.linalg.eigvalsh(newton.last)
    print("\nThe eigenvalues of H:")
    print(f"  at the start  {' '.join(f'{c:10.1e}' for c in np.linalg.eigvalsh(newton.first))}")
    print(f"  at the end    {' '.join(f'{c:10.1e}' for c in curvatures)}")
    if not newton.definite:
        print(f"At the end H is not positive definite: λ_min is not above {SINGULAR:.0e} λ_max, so 0 to rounding.")
    if not (newton.arrived and newton.definite):
        print("No proper minimum was reached: condition number and largest stable step are left out.")
        return
    print(f"The gradient is 0 to rounding and H is positive definite: a minimum. λ_max/λ_min is {high / low:,.0f}. For")
    print("that gradient descent crawls: near the minimum, a step multiplies the distance along each eigenvector by")
    print("1 − Δt λ. λ_max keeps Δt below 2/λ_max, and with such a Δt little happens along the eigenvector of λ_min.")
    slowest = float(np.max(np.abs(1.0 - dt * curvatures)))
    steps = f"{math.log(10.0) / -math.log(slowest):,.0f} steps" if slowest < 1.0 else "so it never takes steps enough"
    print(f"With Δt = {dt:.3f} the slowest factor is {slowest:.6f}: for every further digit, {steps}.")


def show_trials(trials: list[Trial]) -> None:
    if not trials:
        return
    print(f"\nThe largest stable Δt, tried from a point {NUDGE:.0e} beside the minimum:\n")
    print(f"{'Δt':>16}{'steps':>8}{'distance':>11}{'factor a step':>16}{'|1 − Δt λ_max|':>17}   in theory the same")
    for t in trials:
        row = f"{len(t.distances) - 1:>8}{t.distances[-1]:>11.1e}{t.found:>16.4f}{t.predicted:>17.4f}"
        print(f"{t.factor:>6g} · 2/λ_max{row}   it {t}")


def seen(newton: Newton, descent: Way, trials: list[Trial]) -> str:
    way = newton.path
    reached = "came down to" if newton.arrived else "stopped short at"
    steps, many = len(newton.dampings), len(descent.costs) - 1
    dearer = way.seconds / steps / (descent.seconds / many)
    lines = [
        f"Seen: Newton's method {reached} |∇C| = {way.norms[-1]:.0e} in {steps} steps, each as long as {dearer:,.0f}",
        f"of gradient descent, which after {many:,} of its own was at {descent.norms[-1]:.0e}.",
    ]
    lines += [f"Beside the minimum it {trial} with Δt = {trial.factor:g} · 2/λ_max." for trial in trials]
    return "\n".join(lines)


# What is drawn.


def plot(X: Array, R: Array, start: Array, newton: Newton, descent: Way, trials: list[Trial]) -> Figure:
    figure = Figure(figsize=(15, 4.5), layout="constrained")
    curves, race, stability = figure.subplots(1, 3)
    f, x = compile(new_net(), 1), np.linspace(-REACH, REACH, 300)
    curves.plot(X, R, "o", color="black", markersize=4, label="samples $(x^k, r^k)$")
    curves.plot(x, np.exp(-(x**2)), ":", color=GREY, label="$e^{-x^2}$, without noise")
    curves.plot(x, f(x, theta=start), color=GREY, linewidth=2, label="f, at the start")
    curves.plot(x, f(x, theta=descent.theta), color=DESCENT, linewidth=2, label="f, gradient descent")
    curves.plot(x, f(x, theta=newton.path.theta), "--", color=NEWTON, linewidth=2, label="f, Newton's method")
    curves.set(title="Samples and fitted curves", xlabel="x", ylabel="f(x), r")

    lowest = min(newton.path.costs[-1], descent.costs[-1])
    for name, way, look in (("gradient descent", descent, "-"), ("Newton's method", newton.path, "o-")):
        above = np.array(way.costs) - lowest
        above[above <= 0.0] = np.nan  # a logarithm has no room for the lowest itself
        colour = DESCENT if way is descent else NEWTON
        race.loglog(1 + np.arange(len(above)), above, look, color=colour, markersize=4, label=name)
    race.set(title="Cost above the lowest", xlabel="gradients computed: steps + 1", ylabel="C − the lowest C")

    stability.set_title("Gradient descent beside the minimum" if trials else "No proper minimum: no step was tried")
    for trial in trials:
        n = np.arange(len(trial.distances))
        colour = DESCENT if trial.distances[-1] < trial.distances[0] else RUNAWAY
        label = f"Δt = {trial.factor:g} · 2/$λ_{{max}}$: {trial}"
        stability.semilogy(n, trial.distances, color=colour, linewidth=2, label=label)
        stability.semilogy(n, NUDGE * trial.predicted**n, "k:", linewidth=1)
    stability.plot([], [], "k:", label="dotted: $|1 − Δt\\,λ_{max}|^n$, the theory")
    stability.set(xlabel="steps n", ylabel="distance from the minimum")
    for axes in (curves, race, stability):
        axes.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    command_line.run(main)
