"""The same gradient twice: the natural way, forward, and the smart way, backward. What does each cost?

    python demos/forward_vs_backward.py            some twenty seconds, a minute on a busy machine
    python demos/forward_vs_backward.py --quick    small nets only, a few seconds

First the lecture's net, 6-4-3-1: the derivatives of its cost, by five methods that must agree. Then nets that grow in
three ways: unknowns (the lecture's count), multiplications carried out, and seconds, against the number of parameters P.
The exponents printed are the slopes of straight lines fitted to the logarithms; the picture, in out/ unless told
otherwise, shows all of them.

Unknowns: backward, one for each node; forward, one for each node and each edge. In a deeper net of fixed width, nodes
and edges both grow like P: P¹ unknowns backward, P² forward. In a wider net n-n-n-1, or n-n-1, nodes grow like n and
edges like n², so P grows like n²: P^½ backward, n · n² = P^1.5 forward.

Multiplications: backward, about two for each edge, so P¹ in every net. Forward, each weight has a sweep of its own,
through what the weight moves. In a deeper net these are all later layers: P · P = P². In n-n-n-1, a weight of the first
layer moves one node there and n in the next: n² · n = P^1.5. But in n-n-1 it moves one hidden node and the output: a few
products for each weight, P¹. Nearly all the unknowns of that net are the lecture's zeros, and forward takes a constant
times as many products as backward. So it is depth that makes backward worth its trouble, not width alone. (The seconds
of the engine's forward sweeps grow faster, because each sweep also passes the nodes that its weight does not move.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import command_line
import numpy as np
from matplotlib.figure import Figure
from tqdm.auto import tqdm  # type: ignore[import-untyped]

from microgradnet import MLP, compare

DEPTHS, QUICK_DEPTHS = [6, 8, 12, 16, 24, 40], [6, 8, 12]  # layers of WIDTH neurons
WIDTHS, QUICK_WIDTHS = [8, 12, 16, 24, 32], [8, 12, 16]  # n in n-n-n-1 and n-n-1
WIDTH = 6
BACKWARD, FORWARD = "backward, graph", "forward, graph"
STYLES: dict[str, dict[str, Any]] = {
    BACKWARD: {"color": "#1f6f8b", "marker": "o"},
    FORWARD: {"color": "#c1440e", "marker": "s"},
    "δ-recursion": {"color": "#1f6f8b", "marker": "o", "fillstyle": "none", "markersize": 11},
    "naive formulas": {"color": "#c1440e", "marker": "s", "fillstyle": "none", "markersize": 11},
}
FIGURES = {  # what is plotted, and of which methods
    "unknowns": (BACKWARD, FORWARD),
    "multiplications": tuple(STYLES),
    "seconds": (BACKWARD, FORWARD),  # the formulas' would measure NumPy's calls, on nets this small
}


class Growth(NamedTuple):
    """Nets that grow: how, their parameters, and for every method a row of `compare` per net."""

    way: str
    parameters: list[int]
    rows: dict[str, list[Any]]

    def of(self, method: str, figure: str) -> list[float]:
        """One figure of a method, for all nets."""
        return [getattr(row, figure) for row in self.rows[method]]

    def exponent(self, method: str, figure: str) -> float:
        """p in figure ~ P^p."""
        return fit(self.parameters, self.of(method, figure))[0]


def main(argv: Sequence[str] | None = None) -> None:
    options = command_line.parse(
        argv, "Forward against backward differentiation, on nets of growing size.", quick="small nets only"
    )
    show_lectures_net()
    depths, widths = (QUICK_DEPTHS, QUICK_WIDTHS) if options.quick else (DEPTHS, WIDTHS)
    deeper = [(n, MLP(WIDTH, [WIDTH] * (n - 1) + [1], seed=n)) for n in depths]
    wider = [(n, MLP(n, [n, n, 1], seed=n)) for n in widths]
    shallow = [(n, MLP(n, [n, 1], seed=n)) for n in widths]
    growths = [grow("deeper", "layers", deeper), grow("wider", "n", wider), grow("shallow", "n", shallow)]
    path = options.out / "forward_vs_backward.png"
    plot(growths).savefig(path, dpi=120)
    print(f"\nThe picture: {path}")
    print(f"\nSeen: {' '.join(map(verdict, growths))}")


def show_lectures_net() -> None:
    rng = np.random.default_rng(1)
    print("The lecture's net. One gradient, five ways:\n")
    print(compare(MLP(6, [4, 3, 1], seed=1), rng.random(6), 1.0))
    print(
        "\nUnknowns: a δ for each of the 8 nodes, or a derivative of each of the 8 nodes for each of the 39 edges."
        "\nMultiplications: those carried out for the derivatives; the forward pass is left out. A product with 1 counts,"
        "\nbut nothing is multiplied by the lecture's zeros."
    )


def grow(way: str, letter: str, nets: Sequence[tuple[int, MLP]]) -> Growth:
    """Compare the methods on nets of growing size, and print what is seen."""
    rng = np.random.default_rng(1)
    shapes = {
        "deeper": f"More layers of {WIDTH} neurons",
        "wider": "Wider layers, n-n-n-1",
        "shallow": "A wider hidden layer, one alone, n-n-1",
    }
    print(f"\n{shapes[way]}:\n\n{'':>18}" + "".join(f"{figure:>21}" for figure in FIGURES))
    print(f"{letter:>6}{'parameters':>12}" + f"{'backward':>10}{'forward':>11}" * 3)
    growth = Growth(way, [], {method: [] for method in STYLES})
    for size, net in (bar := tqdm(nets, desc=way, unit="net", leave=False, disable=None)):
        growth.parameters.append(len(net.parameters()))
        for row in compare(net, rng.random(net.nin), 1.0).rows:
            growth.rows.setdefault(row.method, []).append(row)
        cells = [growth.of(method, figure)[-1] for figure in FIGURES for method in (BACKWARD, FORWARD)]
        numbers = [f"{n:,}" for n in cells[:4]] + [f"{t:.1e}" for t in cells[4:]]
        line = "".join(f"{number:>{10 + i % 2}}" for i, number in enumerate(numbers))
        bar.write(f"{size:>6}{growth.parameters[-1]:>12,}{line}")
    print("Fitted:")
    for method in (BACKWARD, FORWARD):
        fits = [f"{figure} ~ P^{growth.exponent(method, figure):.2f}" for figure in FIGURES]
        print(f"  {method + ':':<17}{', '.join(fits)}")
    return growth


def verdict(growth: Growth) -> str:
    """What the largest net took in each direction, and how much that grew since the smallest."""
    words = []
    for method in (BACKWARD, FORWARD):
        first, *_, last = growth.of(method, "multiplications")
        words.append(f"{last:,.0f} multiplications {method.split(',')[0]} ({last / first:.1f} times as many)")
    times = growth.parameters[-1] / growth.parameters[0]
    return f"With {times:.1f} times the parameters, the {growth.way} net's gradient takes {', '.join(words)}."


def fit(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Slope and height at 0 of the straight line through the logarithms, by least squares."""
    slope, height = np.polyfit(np.log(x), np.log(y), 1)
    return float(slope), float(height)


def plot(growths: Sequence[Growth]) -> Figure:
    """A row for each way to grow; a column for each figure."""
    figure = Figure(figsize=(14, 12), layout="constrained")
    grid = figure.subplots(len(growths), len(FIGURES), squeeze=False)
    shapes = {"deeper": "deeper", "wider": "n-n-n-1", "shallow": "n-n-1"}
    for growth, panels in zip(growths, grid, strict=True):
        for axes, (name, methods) in zip(panels, FIGURES.items(), strict=True):
            for method in methods:
                y, label = growth.of(method, name), method
                if method in (BACKWARD, FORWARD):
                    slope, height = fit(growth.parameters, y)
                    line = np.exp(height) * np.asarray(growth.parameters) ** slope
                    axes.loglog(growth.parameters, line, color=STYLES[method]["color"], linewidth=1)
                    label = f"{method}: P$^{{{slope:.2f}}}$"
                axes.loglog(growth.parameters, y, **STYLES[method], linestyle="none", label=label)
            axes.set_title(f"{name}, {shapes[growth.way]}")
            axes.set_xlabel("parameters P")
            axes.set_xticks(growth.parameters, [f"{n:,}" for n in growth.parameters])
            axes.set_xticks([], minor=True)
            axes.grid(which="both", alpha=0.25)
            axes.legend()
    return figure


if __name__ == "__main__":
    command_line.run(main)
