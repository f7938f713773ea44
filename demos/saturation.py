"""One neuron that starts out badly wrong: why the cross-entropy replaces the quadratic cost.

    python demos/saturation.py            some ten seconds
    python demos/saturation.py --quick    without the longest runs, some four seconds

One weight w, one bias b, one sample: the input x = 1, for which r = 0 is desired. The neuron says a = σ(z) with
z = w x + b, and learns by gradient descent until a is below 0.2. From z = 1.5 it starts mildly wrong, from z = 4 badly
(the setting is Michael Nielsen's), from the lecture's z = 100 terribly. Change STARTS, X, RIGHT or the rates: what is
said follows, and constants that mean nothing here are refused.

With one sample, an epoch is one step. The number of steps can be known beforehand: gradient descent with the learning
rate Δt is Euler's method with the time step Δt for dw/dt = −∂C/∂w, db/dt = −∂C/∂b. So z obeys dz/dt = −(x² + 1) ∂C/∂z,
an equation with separated variables, which `time_needed` solves; divided by Δt, its time is a number of epochs.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple, TypeAlias

import command_line
import numpy as np
from matplotlib.figure import Figure

from microgradnet import Neuron, Value, cross_entropy, quadratic

X = 1.0
R = 0.0  # the predictions below are for this one
RIGHT = 0.2  # a below this is right
# w and b, ever more wrong, the last of them terribly: there z is the lecture's 100. The first two are plotted.
STARTS = [(0.6, 0.9), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0), (5.0, 5.0), (50.0, 50.0)]
PATIENCE, QUICK_PATIENCE = 100_000, 2_000  # runs that would take more epochs are left out
PLOTTED = 5_000  # epochs, at most

Cost: TypeAlias = Callable[[Any, Any], Value]
Curve: TypeAlias = list[tuple[float, float]]  # of every epoch: a, C

NAMES: dict[Cost, str] = {quadratic: "quadratic", cross_entropy: "cross-entropy"}
RATES: dict[Cost, float] = {quadratic: 0.15, cross_entropy: 0.031}
COLOURS: dict[Cost, str] = {quadratic: "#c1440e", cross_entropy: "#1f6f8b"}


class Run(NamedTuple):
    """One cost from one start."""

    cost: Cost
    z: float  # at the start
    slope: float  # ∂C/∂w there
    predicted: float  # epochs until a is right
    epochs: int | None  # counted; None if the run was left out


def main(argv: Sequence[str] | None = None) -> None:
    options = command_line.parse(
        argv, "How one neuron learns from a badly wrong start, with two costs.", quick="leave the longest runs out"
    )
    if wrong := meaningless():
        sys.exit(f"saturation.py: {wrong}")
    show_gradients()
    show_naive()
    runs = show_runs(QUICK_PATIENCE if options.quick else PATIENCE)
    path = options.out / "saturation.png"
    plot(runs).savefig(path, dpi=120)
    print(f"\nThe picture: {path}")
    print(f"\nSeen: {verdict(runs)}")


def meaningless() -> str | None:
    """What is wrong with the constants, if something is."""
    zs = [z_at(*start) for start in STARTS]
    if R != 0.0:
        return f"R = {R:g}, but the predictions here are for r = 0."
    if not 0.0 < RIGHT < 1.0:
        return f"RIGHT = {RIGHT:g}, but the output a is between 0 and 1."
    if X == 0.0 or not math.isfinite(X):
        return f"X = {X:g}: with such an input the weight learns nothing."
    if min(RATES.values()) <= 0.0:
        return "a learning rate is not above 0."
    if len(zs) < 3 or not all(map(math.isfinite, zs)) or not falls(zs[::-1]):
        return f"STARTS have z = {', '.join(f'{z:g}' for z in zs)}, but three or more are wanted, each above the last."
    if zs[0] <= math.log(RIGHT / (1.0 - RIGHT)):
        return f"STARTS begin at z = {zs[0]:g}, where a is right already."
    return None


# The neuron.


def z_at(w: float, b: float) -> float:
    return w * X + b


def neuron_at(w: float, b: float) -> Neuron:
    neuron = Neuron(1)
    neuron.set_weights([w], b)
    return neuron


def slope(cost: Cost, w: float, b: float) -> float:
    """∂C/∂w, by the engine."""
    neuron = neuron_at(w, b)
    cost(neuron([X]), R).backward()
    return neuron.w[0].grad


def learn(cost: Cost, w: float, b: float, learning_rate: float) -> Iterator[tuple[float, float]]:
    """Gradient descent: a and C before every epoch, without end."""
    neuron = neuron_at(w, b)
    while True:
        a = neuron([X])
        C = cost(a, R)
        yield a.data, C.data
        neuron.zero_grad()
        C.backward()
        for p in neuron.parameters():
            p.data -= learning_rate * p.grad


def epochs_needed(cost: Cost, w: float, b: float) -> int | None:
    """Counted, until a is right; None if that takes twice as long as the longest run that is begun."""
    epochs = enumerate(islice(learn(cost, w, b, RATES[cost]), 2 * PATIENCE))
    return next((n for n, (a, _) in epochs if a < RIGHT), None)


# The formulas, on plain numbers.


def sigma(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


def sigma_prime(z: float) -> float:
    """e⁻ᶻ / (1 + e⁻ᶻ)². The same as σ(z) (1 − σ(z)), but where z is large, nothing is left of 1 − σ(z) in floats."""
    return math.exp(-z) / (1.0 + math.exp(-z)) ** 2


def slope_by_formula(cost: Cost, z: float) -> float:
    """∂C/∂w: for the quadratic cost (σ(z) − r) σ′(z) x; for the cross-entropy (σ(z) − r) x, as σ′ cancels."""
    error = sigma(z) - R
    return error * sigma_prime(z) * X if cost is quadratic else error * X


def time_needed(cost: Cost, z: float) -> float:
    """The time in which z comes down to where a is right, by dz/dt = −(x² + 1) ∂C/∂z, for r = 0; inf beyond floats."""
    if cost is quadratic and z > 700.0:
        return math.inf

    def antiderivative(z: float) -> float:  # of 1 / (∂C/∂z)
        if cost is quadratic:  # of 1 / (σ² (1 − σ)) = (1 + e⁻ᶻ)³ eᶻ
            return math.exp(z) + 3.0 * z - 3.0 * math.exp(-z) - math.exp(-2.0 * z) / 2.0
        return z - math.exp(-z)  # of 1 / σ = 1 + e⁻ᶻ

    target = math.log(RIGHT / (1.0 - RIGHT))  # the z with σ(z) = RIGHT
    return (antiderivative(z) - antiderivative(target)) / (X**2 + 1.0)


# What is shown.


def show_gradients() -> None:
    print(
        f"One neuron, one sample: x = {X:g}, desired output r = {R:g}. The larger z, the more wrong: a = σ(z) nears 1."
    )
    print("∂C/∂w, by which it learns, by the engine and by the formula:\n")
    print(f"{'':>24}{'quadratic: (σ(z) - r) σ′(z) x':>38}{'cross-entropy: (σ(z) - r) x':>34}")
    print(f"{'z':>6}{'σ′(z)':>18}" + f"{'engine':>20}{'formula':>18}{'engine':>18}{'formula':>16}")
    for z in [z_at(*start) for start in STARTS]:
        print(
            f"{z:>6g}{sigma_prime(z):>18.6e}{slope(quadratic, 0.0, z):>20.6e}{slope_by_formula(quadratic, z):>18.6e}"
            f"{slope(cross_entropy, 0.0, z):>18.12f}{slope_by_formula(cross_entropy, z):>16.12f}"
        )
    print("\nThe quadratic cost has σ′ in its gradient σ² (1 - σ) x. It is largest at z = ln 2 = 0.69, where a = 2/3:")
    print("beyond, the more wrong, the less it learns. In the cross-entropy's gradient, σ′ is cancelled by the")
    print("1 / (σ (1 - σ)) of the logarithms: what remains is the error itself.")


def naive(z: float) -> tuple[float, float, float]:
    """What stands on the slides, in floats: 1 − a, C = −[r ln a + (1 − r) ln(1 − a)], ∂C/∂w = ∂C/∂a · ∂a/∂w."""
    with np.errstate(all="ignore"):  # the infinities are the point
        a = 1.0 / (1.0 + np.exp(np.float64(-z)))
        C = -((1.0 - R) * np.log(1.0 - a) + (R * np.log(a) if R else 0.0))
        return float(1.0 - a), float(C), float(-(R / a - (1.0 - R) / (1.0 - a)) * a * (1.0 - a) * X)


def show_naive() -> None:
    print("\nThe cancelling must be done on paper. Computed as it stands, it fails when a is rounded to 1:\n")
    print(f"{'':>6}{'as it stands':>36}{'the engine, looking through σ':>40}")
    print(f"{'z':>6}{'1 - a':>12}{'C':>12}{'∂C/∂w':>12}{'C':>28}{'∂C/∂w':>12}")
    terrible = z_at(*STARTS[-1])
    for z in (4.0, 36.0, 37.0, terrible):
        rest, C, dC_dw = naive(z)
        ours = cross_entropy(neuron_at(0.0, z)([X]), R)
        print(f"{z:>6g}{rest:>12.3g}{C:>12.6g}{dC_dw:>12.6g}{ours.data:>28.6g}{slope(cross_entropy, 0.0, z):>12.6g}")
    a = neuron_at(0.0, terrible)([X])
    try:
        print(f"\nThe same typed in by hand with the engine's numbers, -(1 - a).log(): {-(1.0 - a).log().data:g}")
    except ValueError as error:
        print(f"\nThe same typed in by hand with the engine's numbers, -(1 - a).log(), is refused:\n  {error}")


def show_runs(patience: int) -> list[Run]:
    """Prints how long it takes from every start; a run that would take more epochs than patience is left out."""
    print(f"\nLearning, until a < {RIGHT:g}. Epochs counted, and predicted by the differential equation.")
    print("Each cost has a learning rate Δt of its own, because the two gradients differ in size.\n")
    titles = [f"{name}, Δt = {RATES[cost]:g}" for cost, name in NAMES.items()]
    print(f"{'':>26}{titles[0]:>37}{titles[1]:>37}")
    print(f"{'w':>6}{'b':>6}{'z':>6}{'a':>8}" + f"{'∂C/∂w':>15}{'predicted':>11}{'counted':>11}" * 2)
    runs = []
    started, epochs = time.perf_counter(), 0
    for w, b in STARTS:
        z = z_at(w, b)
        print(f"{w:>6g}{b:>6g}{z:>6g}{sigma(z):>8.4f}", end="")
        for cost in NAMES:
            predicted = time_needed(cost, z) / RATES[cost]
            counted = epochs_needed(cost, w, b) if predicted <= patience else None
            epochs += counted or 0
            runs.append(Run(cost, z, slope(cost, w, b), predicted, counted))
            words = "left out" if counted is None else f"{counted:,}"
            print(f"{runs[-1].slope:>15.3g}{number(predicted):>11}{words:>11}", end="", flush=True)
        print()
    speed = epochs / (time.perf_counter() - started)
    longest = max(run.predicted for run in runs)
    years = "more years than floats can hold" if longest == math.inf else f"{longest / speed / YEAR:.0e} years"
    first = " and ".join(told(run) for run in runs[:2])
    print(f"\nAt the {speed:,.0f} epochs a second of these runs, {number(longest)} epochs take {years}.")
    print(f"So do not compare the costs row by row: from the first start, these Δt make them take {first} epochs.")
    factor = f"{X**2 + 1.0:g}"  # x² + 1
    print("Compare how the epochs grow down each column: for large z the quadratic cost's grow like")
    print(f"eᶻ / ({factor} Δt), the cross-entropy's like z / ({factor} Δt). No choice of Δt makes up for that.")
    return runs


YEAR = 365.25 * 24 * 3600.0


def number(n: float) -> str:
    return f"{n:,.0f}" if n < 1e7 else f"{n:.1e}" if n < math.inf else "> 1e300"


def verdict(runs: list[Run]) -> str:
    """What was seen, in words and numbers of the runs; if it is not what the lecture says, these say so."""
    lines = [f"from z = {', '.join(f'{run.z:g}' for run in picked(runs, quadratic))}, ever more wrong,"]
    expected = True
    for cost, name in NAMES.items():
        first, *others = picked(runs, cost)
        slopes = [abs(run.slope) for run in (first, *others)]
        trend = "ever smaller" if falls(slopes) else "ever larger" if falls(slopes[::-1]) else "now smaller, now larger"
        expected = expected and trend == ("ever smaller" if cost is quadratic else "ever larger")
        lines.append(
            f"  {name + ':':<15} the first ∂C/∂w is {trend}: {', '.join(f'{slope:.3g}' for slope in slopes)};"
            f"\n{'':>18}epochs to be right: {', '.join(told(run) for run in (first, *others))}."
        )
    errors = [abs(run.predicted / run.epochs - 1.0) for run in runs if run.epochs]
    if errors:
        lines.append(f"Counted and predicted epochs differ by at most {100.0 * max(errors):.1f} %.")
    lines.append(
        "With the quadratic cost, the worst mistakes teach least; with the cross-entropy, they teach most."
        if expected
        else "This is NOT what the lecture says: where z is worst, its quadratic cost learns least, its cross-entropy most."
    )
    if not expected and runs[0].z < math.log(2.0):
        lines.append("(For the quadratic cost the lecture is right from z = ln 2 on; the first start lies below.)")
    return "\n".join(lines)


def picked(runs: list[Run], cost: Cost) -> list[Run]:
    """The mild, the bad and the terrible start."""
    of_this = of_cost(runs, cost)
    return [*of_this[:2], of_this[-1]]


def falls(numbers: list[float]) -> bool:
    return all(later < earlier for earlier, later in pairwise(numbers))


def told(run: Run) -> str:
    return f"{number(run.predicted)} (predicted, not run)" if run.epochs is None else f"{run.epochs:,}"


def of_cost(runs: list[Run], cost: Cost) -> list[Run]:
    return [run for run in runs if run.cost is cost]


# The picture.


def plot(runs: list[Run]) -> Figure:
    """Outputs and costs over the epochs, from the first two starts; then what depends on z."""
    figure = Figure(figsize=(14, 7.5), layout="constrained")
    grid = figure.subplots(2, 3)
    for column, start in enumerate(STARTS[:2]):
        above, below = grid[0, column], grid[1, column]
        z = z_at(*start)
        epochs = round(min(PLOTTED, 1.3 * max(run.predicted for run in runs if run.z == z)))
        for cost, name in NAMES.items():
            curve: Curve = list(islice(learn(cost, *start, RATES[cost]), epochs))
            look: dict[str, Any] = {"color": COLOURS[cost], "label": f"{name}, Δt = {RATES[cost]:g}"}
            above.plot([a for a, _ in curve], **look)
            below.plot([C / curve[0][1] for _, C in curve], **look)
        above.axhline(RIGHT, color="0.5", linewidth=0.8, linestyle=":")
        above.set_title(f"From w = {start[0]:g}, b = {start[1]:g}, so z = {z:g}")
        above.set(xlabel="epoch", ylabel="output a (desired: r = 0; dotted: right)", ylim=(0.0, 1.03))
        below.set(xlabel="epoch", ylabel="cost C, as a part of C at the start", ylim=(0.0, 1.03))
    speeds, lengths = grid[0, 2], grid[1, 2]
    zs = np.linspace(-4.0, 10.0, 141).tolist()
    starts = np.linspace(0.0, 12.0, 121).tolist()
    for cost, name in NAMES.items():
        colour = COLOURS[cost]
        speeds.plot(zs, [slope(cost, 0.0, z) for z in zs], color=colour, label=name)
        lengths.semilogy(starts, [time_needed(cost, z) / RATES[cost] for z in starts], color=colour, label=name)
        counted = [(run.z, run.epochs) for run in of_cost(runs, cost) if run.epochs and run.z <= starts[-1]]
        lengths.semilogy([z for z, _ in counted], [n for _, n in counted], color=colour, marker="o", linestyle="none")
    speeds.set_title("How fast it learns, where it is at z")
    speeds.set(xlabel="z (the larger, the more wrong)", ylabel="∂C/∂w")
    lengths.set_title("How long it learns, from a start at z")
    lengths.set(xlabel="z at the start", ylabel="epochs (dots: counted; lines: predicted)")
    for axes in grid.flat:
        axes.grid(alpha=0.25)
    for axes in grid[:, ::2].flat:  # in the middle it would hide the curves, which are those on the left
        axes.legend()
    return figure


if __name__ == "__main__":
    command_line.run(main)
