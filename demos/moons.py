"""Two interleaved moons: a small net learns to tell them apart, and its decision boundary is watched as it moves.

    python demos/moons.py            some ten seconds
    python demos/moons.py --quick    fewer epochs and frames, five seconds

100 noisy points lie on two half circles, and no straight line parts them. A 2-16-16-1 net, tanh inside and a sigmoid at
the end, learns them by the lecture's mini-batch descent on the cross-entropy, twice from the same start: once recording
the graph of every sample anew (eager), once with the graph recorded once and compiled. Both take the same steps, so they
must end with the same net but for rounding (which training with too long a Δt magnifies: try 30); what differs is the
time. 1,000 other points show whether the net has learned the moons, and not just the points. (Larger batches than the
ten points here would put the compiled program further ahead.)

In out/, unless told otherwise: moons.png, the boundary at some epochs, and moons.gif, the boundary and the cost as they move.

The moons are those of micrograd's demo notebook. That one departs from the lecture, with relu, a max-margin cost with L2
regularisation, and a learning rate that falls; this one keeps the lecture's cost and a constant Δt.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import command_line
import numpy as np
import numpy.typing as npt
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from microgradnet import MLP, Compiled, compile, cross_entropy, train

Array: TypeAlias = npt.NDArray[np.float64]

SEED = 0  # of the points; the net's and the batches' are SEED + 1 and SEED + 2
POINTS, HELD_OUT, NOISE = 100, 1000, 0.1
HIDDEN = [16, 16]
LEARNING_RATE, BATCH_SIZE = 0.5, 10
EPOCHS, QUICK_EPOCHS = 100, 20
FRAMES, QUICK_FRAMES = 40, 8
GRID = 100  # the boundary is looked for on GRID × GRID points
VIEW = (-1.6, 2.6, -1.15, 1.65)  # left, right, bottom, top
ROUNDING = 1e-9  # between sums taken in another order, after some hundred steps

COLOURS = ("#c1440e", "#1f6f8b")  # r = 0, r = 1
LINE = "#333333"  # of the costs
SHADES = LinearSegmentedColormap.from_list("moons", ["#eda98b", "#ffffff", "#8dc0d1"])


class Run(NamedTuple):
    """A training run: the parameters at the start and after every epoch, the cost of every epoch, and two times."""

    path: Array  # (epochs + 1, parameters)
    costs: list[float]
    preparing: float  # seconds before the first step: compiling, where that is done
    training: float  # seconds for all steps


def main(argv: Sequence[str] | None = None) -> None:
    options = command_line.parse(
        argv, "Two moons told apart, and the moving boundary between them.", quick="fewer epochs and frames"
    )
    epochs, frames = (QUICK_EPOCHS, QUICK_FRAMES) if options.quick else (EPOCHS, FRAMES)

    rng = np.random.default_rng(SEED)
    X, R = moons(POINTS, NOISE, rng)
    held_out = moons(HELD_OUT, NOISE, rng)
    net = new_net()
    print(f"{net}\n{POINTS} points, batches of {BATCH_SIZE}, Δt = {LEARNING_RATE}, {epochs} epochs.\n")
    eager = learn(new_net(), X, R, epochs, compiled=False)
    fast = learn(net, X, R, epochs, compiled=True)
    show_times(eager, fast)

    f = compile(net, 2)  # the net itself; with theta=… it answers for any parameters on the way
    unlike = show_differences(eager, fast, f, held_out[0])
    print(f"\n{'epoch':>7}{'cost C':>11}{'of the points':>16}{'of those held out':>20}   classified correctly")
    for epoch in some_epochs(epochs, 6):
        cost = f"{fast.costs[epoch - 1]:.4f}" if epoch else "—"
        shares = [f"{accuracy(f, fast.path[epoch], *data):.1%}" for data in ((X, R), held_out)]
        print(f"{epoch:>7}{cost:>11}{shares[0]:>16}{shares[1]:>20}")
    print("A cost is the mean over the epoch's steps, each measured just before it.")

    still, moving = options.out / "moons.png", options.out / "moons.gif"
    plot(f, fast, X, R, held_out, some_epochs(epochs, 6)).savefig(still, dpi=120)
    animate(f, fast, X, R, held_out, some_epochs(epochs, frames), moving)
    print(f"\nThe pictures: {still} and {moving} ({moving.stat().st_size / 1000:.0f} kB)")
    print(seen(eager, fast, unlike, accuracy(f, fast.path[-1], *held_out)))


def moons(count: int, noise: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points on two half circles of radius 1, alternately, and moved by noise; and r, 0 for the upper one, 1 for the lower.

    The upper one's centre is (0, 0), the lower one's is (1, ½): each ends inside the other.
    """
    angle = rng.uniform(0.0, np.pi, count)
    R = (np.arange(count) % 2).astype(np.float64)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    X = np.where(R[:, None] == 0.0, upper, np.array([1.0, 0.5]) - upper)
    X += rng.normal(0.0, noise, X.shape)
    return X, R


def new_net() -> MLP:
    return MLP(2, [*HIDDEN, 1], activation="tanh", output_activation="sigmoid", seed=SEED + 1)


def learn(net: MLP, X: Array, R: Array, epochs: int, compiled: bool) -> Run:
    """Trains the net, and writes down its way (which the clock of `train` leaves out)."""

    def theta() -> list[float]:
        return [p.data for p in net.parameters()]

    start = time.perf_counter()
    steps = train(net, X, R, cross_entropy, LEARNING_RATE, epochs, BATCH_SIZE, seed=SEED + 2, compiled=compiled)
    preparing = time.perf_counter() - start
    path, costs = [theta()], []
    for epoch in steps:
        path.append(theta())
        costs.append(epoch.cost)
    return Run(np.array(path), costs, preparing, epoch.seconds)


def accuracy(f: Compiled, theta: Array, X: Array, R: Array) -> float:
    """The share of points on whose side of ½ the net's output lies."""
    return float(np.mean((f(X, theta=theta) >= 0.5) == (R == 1.0)))


def some_epochs(last: int, count: int) -> list[int]:
    """At most `count` epochs from 0 to the last; denser at the beginning, where the boundary moves most."""
    return [0, *np.unique(np.geomspace(1, last, count - 1).round().astype(int)).tolist()]


# What is printed.


def show_times(eager: Run, fast: Run) -> None:
    print(f"{'seconds on this machine':<27}{'eager':>10}{'compiled':>10}{'ratio':>8}")
    rows = [("preparing", eager.preparing, fast.preparing), ("all steps", eager.training, fast.training)]
    rows.append(("together", eager.preparing + eager.training, fast.preparing + fast.training))
    for name, slow, quick in rows:
        ratio = "" if name == "preparing" else f"{slow / quick:.0f}"
        print(f"  {name:<25}{slow:>10.4f}{quick:>10.4f}{ratio:>8}")


def show_differences(eager: Run, fast: Run, f: Compiled, X: Array) -> float:
    """Prints how far the two runs are apart, and gives the largest difference."""
    parameters = float(np.max(np.abs(eager.path - fast.path)))
    predictions = float(np.max(np.abs(f(X, theta=eager.path[-1]) - f(X, theta=fast.path[-1]))))
    print(f"\nLargest difference of a parameter, after the first epoch: {first_difference(eager, fast):.1e}")
    print(f"Largest difference of a parameter, after any epoch: {parameters:.1e}")
    print(f"Largest difference of a prediction, on the points held out: {predictions:.1e}")
    return max(parameters, predictions)


def first_difference(eager: Run, fast: Run) -> float:
    return float(np.max(np.abs(eager.path[1] - fast.path[1])))


def seen(eager: Run, fast: Run, unlike: float, right: float) -> str:
    first = first_difference(eager, fast)
    if unlike < ROUNDING:
        same = "give the same net to rounding"
    elif first < min(1e-6, unlike / 1000.0):
        same = (
            f"differ by rounding, {first:.1e}, after one epoch, which unstable training (Δt too long?) then magnified"
        )
        same += f"\nto {unlike:.1e}"
    else:
        same = f"give nets that differ by {unlike:.1e}, more than rounding, from the first epoch on"
    ratio = (eager.preparing + eager.training) / (fast.preparing + fast.training)
    pace = f"{ratio:.0f} times as fast" if ratio >= 1.5 else f"no faster (ratio {ratio:.1f})"
    learned = "so the net learned the moons" if right >= 0.95 else "so there was more to learn"
    return (
        f"\nSeen: eager and compiled {same}; compiled is {pace}, with compiling counted.\n"
        f"Of {HELD_OUT:,} points never trained on, {right:.1%} are classified correctly, {learned}."
    )


# What is drawn.


def grid() -> tuple[Array, Array, Array]:
    """The coordinates of the grid's columns and rows, and its points, shape (GRID², 2)."""
    x1, x2 = np.linspace(*VIEW[:2], GRID), np.linspace(*VIEW[2:], GRID)
    return x1, x2, np.stack([a.ravel() for a in np.meshgrid(x1, x2)], axis=1)


def draw_boundary(axes: Axes, f: Compiled, theta: Array, X: Array, R: Array) -> Any:
    """The net's output as a shade, the line where it is ½, and the points. Gives the shades, for a colour bar."""
    x1, x2, points = grid()
    y = f(points, theta=theta).reshape(GRID, GRID)
    shades = axes.contourf(x1, x2, y, levels=np.linspace(0.0, 1.0, 11), cmap=SHADES)
    if y.min() < 0.5 < y.max():  # an untrained net may see one moon everywhere
        axes.contour(x1, x2, y, levels=[0.5], colors="black", linewidths=1.5)
    for r, colour in enumerate(COLOURS):
        mine = r == R
        axes.scatter(X[mine, 0], X[mine, 1], s=14, color=colour, edgecolors="white", linewidths=0.4, label=f"r = {r}")
    axes.set_aspect("equal")
    return shades


def plot(f: Compiled, run: Run, X: Array, R: Array, held_out: tuple[Array, Array], epochs: list[int]) -> Figure:
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True, sharey=True)
    for axes in panels.flat[len(epochs) :]:
        axes.set_visible(False)
    for axes, epoch in zip(panels.flat, epochs, strict=False):
        shades = draw_boundary(axes, f, run.path[epoch], X, R)
        right = accuracy(f, run.path[epoch], *held_out)
        axes.set_title(f"epoch {epoch}: {right:.1%} of held-out points right", fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("$x_1$")
    for axes in panels[:, 0]:
        axes.set_ylabel("$x_2$")
    panels[0, 0].legend(loc="upper right", fontsize=8)
    figure.colorbar(
        shades, ax=panels, label="f(x), the output; black line: f(x) = ½", ticks=[0.0, 0.5, 1.0], shrink=0.8
    )
    return figure


def animate(
    f: Compiled, run: Run, X: Array, R: Array, held_out: tuple[Array, Array], epochs: list[int], path: Path
) -> None:
    """The boundary beside the costs so far; above it the epoch, the cost, and the shares classified correctly."""
    figure = Figure(figsize=(9.0, 4.4))
    axes = figure.add_axes((0.07, 0.12, 0.55, 0.72))  # a layout made anew for every frame would let it jump
    curve = figure.add_axes((0.72, 0.12, 0.26, 0.72))
    title = figure.text(0.07, 0.92, "", fontsize=14)
    writer = PillowWriter(fps=6)
    with writer.saving(figure, str(path), dpi=100):
        for epoch in [*epochs, *epochs[-1:] * 6]:  # it rests at the end
            axes.clear()
            curve.clear()
            draw_boundary(axes, f, run.path[epoch], X, R)
            axes.set(xlabel="$x_1$", ylabel="$x_2$")
            curve.semilogy(range(1, epoch + 1), run.costs[:epoch], color=LINE)
            curve.plot(epoch, run.costs[epoch - 1] if epoch else np.nan, "o", color=LINE, clip_on=False)
            curve.set(xlim=(0, epochs[-1]), ylim=(min(run.costs) / 1.5, max(run.costs) * 1.5))
            curve.set(xlabel="epoch", title="cost C")
            curve.grid(alpha=0.25)
            cost = f"{run.costs[epoch - 1]:.4f}" if epoch else "—"
            shares = [f"{accuracy(f, run.path[epoch], *data):.1%}" for data in ((X, R), held_out)]
            title.set_text(f"epoch {epoch}    C = {cost}    right: {shares[0]} of the points, {shares[1]} held out")
            writer.grab_frame()


if __name__ == "__main__":
    command_line.run(main)
