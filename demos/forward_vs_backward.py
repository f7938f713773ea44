"""The same gradient twice: the natural way, forward, and the smart way, backward. What does each cost?

    python demos/forward_vs_backward.py            20 to 40 seconds
    python demos/forward_vs_backward.py --quick    small nets only, a few seconds

First the lecture's net, 6-4-3-1: the derivatives of its cost, by five methods that must agree. Then nets with more and
more layers of six neurons: how unknowns, multiplications and seconds grow with the number of parameters P. Backward is
one sweep over the net, so all should grow like P¹; forward is one such sweep for every parameter, so all should grow
like P². The exponents printed are the slopes of straight lines fitted to the logarithms; the picture, in out/ unless
told otherwise, shows both. (Wider layers instead of more of them would mix in that a node's own cost is shared by more
edges; the exponents would come out somewhat lower.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import command_line
import numpy as np
from matplotlib.figure import Figure

from microgradnet import MLP, compare
from microgradnet.verify.comparison import Row

DEPTHS = [8, 12, 16, 24, 32, 48, 64]
QUICK_DEPTHS = [6, 8, 12, 16]
WIDTH = 6
BACKWARD, FORWARD = "backward, graph", "forward, graph"
STYLES: dict[str, dict[str, Any]] = {
    BACKWARD: {"color": "#1f6f8b", "marker": "o"},
    FORWARD: {"color": "#c1440e", "marker": "s"},
    "δ-recursion": {"color": "#1f6f8b", "marker": "o", "fillstyle": "none", "markersize": 11},
    "naive formulas": {"color": "#c1440e", "marker": "s", "fillstyle": "none", "markersize": 11},
}

Series = dict[str, list[Row]]  # of every method, one row per net


def main(argv: Sequence[str] | None = None) -> None:
    options = command_line.parse(
        argv, "Forward against backward differentiation, on nets of growing size.", quick="small nets only"
    )
    show_lectures_net()
    parameters, series = grow(QUICK_DEPTHS if options.quick else DEPTHS)
    path = options.out / "forward_vs_backward.png"
    plot(parameters, series).savefig(path, dpi=150)
    print(f"\nThe picture: {path}")
    print(f"\nSeen: {verdict(parameters, series)}")


def show_lectures_net() -> None:
    rng = np.random.default_rng(1)
    print("The lecture's net. One gradient, five ways:\n")
    print(compare(MLP(6, [4, 3, 1], seed=1), rng.random(6), 1.0))
    print(
        "\nUnknowns: a δ for each of the 8 nodes, or a derivative of each of the 8 nodes for each of the 39 edges."
        "\nMultiplications: those that were carried out, the forward pass left out. Error: distance from the δ-recursion."
    )


def grow(depths: list[int]) -> tuple[list[int], Series]:
    """Compares the methods on nets of growing size, and prints what it sees; gives the sizes and the rows."""
    rng = np.random.default_rng(1)
    print(f"\nWith more layers:\n\n{'':>18}{'unknowns':>15}{'multiplications':>23}{'seconds':>21}")
    print(f"{'layers':>6}{'parameters':>12}" + f"{'backward':>10}{'forward':>11}" * 3)
    parameters: list[int] = []
    series: Series = {method: [] for method in STYLES}
    for depth in depths:
        net = MLP(WIDTH, [WIDTH] * (depth - 1) + [1], seed=depth)
        parameters.append(len(net.parameters()))
        for row in compare(net, rng.random(WIDTH), 1.0).rows:
            series.setdefault(row.method, []).append(row)
        last = [series[method][-1] for method in (BACKWARD, FORWARD)]
        print(
            f"{depth:>6}{parameters[-1]:>12,}"
            + "".join(f"{n:>{10 + i},}" for i, n in enumerate(row.unknowns for row in last))
            + "".join(f"{n:>{10 + i},}" for i, n in enumerate(row.multiplications for row in last))
            + "".join(f"{s:>{10 + i}.1e}" for i, s in enumerate(row.seconds for row in last)),
            flush=True,
        )
    print("\nFitted:")
    for method in (BACKWARD, FORWARD):
        fits = [
            f"{figures.__name__} ~ P^{fit(parameters, figures(series[method]))[0]:.2f}"
            for figures in (unknowns, multiplications, seconds)
        ]
        print(f"  {method + ':':<17}{', '.join(fits)}")
    return parameters, series


def unknowns(rows: list[Row]) -> list[float]:
    return [row.unknowns for row in rows]


def multiplications(rows: list[Row]) -> list[float]:
    return [row.multiplications for row in rows]


def seconds(rows: list[Row]) -> list[float]:
    return [row.seconds for row in rows]


def verdict(parameters: list[int], series: Series) -> str:
    """What the largest net took in each direction, and how much that grew since the smallest."""
    growth = parameters[-1] / parameters[0]
    words = []
    for method in (BACKWARD, FORWARD):
        first, *_, last = multiplications(series[method])
        words.append(f"{last:,.0f} multiplications {method.split(',')[0]} ({last / first:.1f} times as many)")
    return f"with {growth:.1f} times the parameters, the same gradient takes {', '.join(words)}."


def fit(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Slope and height at 0 of the straight line through the logarithms, by least squares."""
    slope, height = np.polyfit(np.log(x), np.log(y), 1)
    return float(slope), float(height)


def plot(parameters: list[int], series: Series) -> Figure:
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set_title("Multiplications")
    right.set_title("Seconds, forward pass included")
    # The formulas' seconds are left out: on nets this small they measure NumPy's calls, not its multiplications.
    for axes, figures, methods in ((left, multiplications, STYLES), (right, seconds, (BACKWARD, FORWARD))):
        for method in methods:
            y = figures(series[method])
            if method in (BACKWARD, FORWARD):
                slope, height = fit(parameters, y)
                line = np.exp(height) * np.asarray(parameters) ** slope
                axes.loglog(parameters, line, color=STYLES[method]["color"], linewidth=1)
                axes.loglog(parameters, y, **STYLES[method], linestyle="none", label=f"{method}: P$^{{{slope:.2f}}}$")
            else:
                axes.loglog(parameters, y, **STYLES[method], linestyle="none", label=method)
        axes.set_xlabel("parameters P")
        axes.set_xticks(parameters, [f"{n:,}" for n in parameters])
        axes.set_xticks([], minor=True)
        axes.grid(which="both", alpha=0.25)
        axes.legend()
    return figure


if __name__ == "__main__":
    command_line.run(main)
