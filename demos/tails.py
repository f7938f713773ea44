"""How many digits of a derivative are right where a neuron is saturated: the signal is tiny, and it need not be wrong.

    python demos/tails.py            some ten seconds
    python demos/tails.py --quick    fewer points, a few seconds

A saturated neuron learns slowly because its slope is tiny; `saturation.py` shows that. Here is the other half of the
story: many programs get that tiny slope wrong, because they compute σ′ as a (1 − a), or tanh′ as 1 − y², from an output
that has been rounded to 1. All digits are lost then, though floats could hold the slope. First the slopes of tanh, σ and
softplus over x, then every ∂C/∂parameter of a saturated net, each compared with 60-digit arithmetic.

An error is counted in units in the last place (ulp) of the right number: below 1 all digits are right, at 4.5e15 none.
(In the net, rounding z to a float already costs σ′ about |z| ulp, here up to a hundred.)
Beside ours stand the usual formulas in NumPy: y (1 − y) for σ, 1 − y² for tanh and 1 / (1 + e⁻ˣ) for softplus, whose slope
this is; and PyTorch and JAX where they are installed: pip install -e '.[peers]'. The picture is in out/ unless told
otherwise.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import command_line
import mpmath
import numpy as np
from matplotlib.figure import Figure

from microgradnet import MLP, Value, grad, quadratic

DIGITS = 60
PEERS = {"PyTorch": "torch", "JAX": "jax"}
POINTS, QUICK_POINTS = 400, 60
USUAL = {"tanh": "1 − y²", "sigmoid": "y (1 − y)", "softplus": "1 / (1 + e⁻ˣ)"}
REACH = {"tanh": 20.0, "sigmoid": 700.0, "softplus": 40.0}
SHAPE, SPREAD = (6, [4, 3, 1]), 60.0  # of the net; its weights are SPREAD times as large as usual
STYLES: dict[str, dict[str, Any]] = {
    "usual": {"color": "0.55", "marker": "D", "markersize": 10, "fillstyle": "none"},
    "ours": {"color": "#1f6f8b", "marker": "o", "markersize": 3, "zorder": 3},
    "PyTorch": {"color": "#c1440e", "marker": "s", "markersize": 7, "fillstyle": "none"},
    "JAX": {"color": "#8a5a9e", "marker": "x", "markersize": 5},
}

Slopes: TypeAlias = Callable[[str, list[float]], list[float]]  # of a function by name, at all x
Layers: TypeAlias = list[tuple[Any, Any]]  # A and b of each
Gradient: TypeAlias = Callable[[Layers, list[float]], list[float]]  # of ½ f(x)², layer by layer, A and then b


def main(argv: Sequence[str] | None = None) -> None:
    options = command_line.parse(argv, "How many digits of a derivative are right.", quick="fewer points")
    mpmath.mp.dps = DIGITS
    points = QUICK_POINTS if options.quick else POINTS
    errors = {name: slope_errors(name, points) for name in REACH}
    show("The slope, over x", errors)
    of_net = {"∂C/∂parameter": net_errors()}
    show(f"A saturated net, {SHAPE[0]}-{'-'.join(map(str, SHAPE[1]))}, quadratic cost", of_net)
    print("\n(Usual: y (1 - y), 1 - y^2 and 1 / (1 + e^-x), by NumPy.)")
    missing = [who for who in PEERS if not installed(who)]
    if missing:
        print(f"({' and '.join(missing)} would stand beside them: pip install -e '.[peers]')")
    path = options.out / "tails.png"
    plot(errors | of_net).savefig(path, dpi=120)
    print(f"\nThe picture: {path}")
    print(f"\nSeen: {verdict(errors | of_net)}")


class Errors:
    """Of each contestant, in ulps, at the places x."""

    def __init__(self, places: Sequence[float], wanted: list[Any], found: dict[str, list[float]]) -> None:
        self.places, self.wanted = places, wanted
        self.ulps = {who: [ulps(a, b) for a, b in zip(row, wanted, strict=True)] for who, row in found.items()}


def ulps(found: float, wanted: Any) -> float:
    """The distance from the right number, in units in its last place."""
    return float(abs(mpmath.mpf(found) - wanted) / math.ulp(float(wanted)))


# Slopes.


def slope_errors(name: str, points: int) -> Errors:
    """Of everybody's slope of one function."""
    x = np.random.default_rng(0).uniform(-REACH[name], REACH[name], points)
    places: list[float] = np.sort(x).tolist()
    everyone: dict[str, Slopes] = {
        "ours": our_slopes,
        "usual": usual_slopes,
        "PyTorch": torch_slopes,
        "JAX": jax_slopes,
    }
    found = {who: slopes(name, places) for who, slopes in everyone.items() if installed(who)}
    return Errors(places, [right_slope(name, x) for x in places], found)


def installed(who: str) -> bool:
    return who not in PEERS or importlib.util.find_spec(PEERS[who]) is not None


def right_slope(name: str, x: float) -> Any:
    """To 60 digits, by formulas in which nothing cancels."""
    e = mpmath.exp(-abs(mpmath.mpf(x)))
    if name == "tanh":
        return 4 * e**2 / (1 + e**2) ** 2
    if name == "sigmoid":
        return e / (1 + e) ** 2
    return 1 / (1 + e) if x >= 0.0 else e / (1 + e)


def our_slopes(name: str, x: list[float]) -> list[float]:
    values = [Value(x_k) for x_k in x]
    slopes: list[float] = grad(sum((getattr(value, name)() for value in values), Value(0.0)), values)
    return slopes


def usual_slopes(name: str, x: list[float]) -> list[float]:
    """As they are taught: from the output where there is such a formula. In NumPy, like our own formulas."""
    z = np.array(x)
    y = np.tanh(z) if name == "tanh" else usual_sigmoid(z)
    slopes = {"tanh": 1.0 - y**2, "sigmoid": y * (1.0 - y), "softplus": y}[name]
    return list(slopes.tolist())


def usual_sigmoid(z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


def torch_slopes(name: str, x: list[float]) -> list[float]:
    import torch

    function = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "softplus": torch.nn.functional.softplus}[name]
    values = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(function(values).sum(), values)
    return list(slopes.tolist())


def jax_slopes(name: str, x: list[float]) -> list[float]:
    import jax

    jax.config.update("jax_enable_x64", True)
    function = {"tanh": jax.numpy.tanh, "sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus}[name]
    return list(jax.vmap(jax.grad(function))(jax.numpy.asarray(x)).tolist())


# A saturated net.


def net_errors() -> Errors:
    """Of everybody's gradient of C = ½ f(x)², entry by entry; the places are the numbers of the parameters."""
    net = MLP(*SHAPE, seed=1)
    net.set_weights([SPREAD * A for A in net.weights()], net.biases())
    x = np.random.default_rng(1).uniform(0.5, 1.0, SHAPE[0]).tolist()
    layers = list(zip(net.weights(), net.biases(), strict=True))
    wanted = right_gradient(layers, x)
    quadratic(net(x), 0.0).backward()
    parameters = [[w for n in layer.neurons for w in n.w] + [n.b for n in layer.neurons] for layer in net.layers]
    ours = [p.grad for layer in parameters for p in layer]
    others: dict[str, Gradient] = {"usual": usual_gradient, "PyTorch": torch_gradient, "JAX": jax_gradient}
    found = {who: gradient(layers, x) for who, gradient in others.items() if installed(who)}
    return Errors(range(len(ours)), wanted, {"ours": ours} | found)


def right_gradient(layers: Layers, x: list[float]) -> list[Any]:
    """The δ-recursion in 60 digits."""
    ys, slopes = [[mpmath.mpf(x_j) for x_j in x]], []
    for A, b in layers:
        zs = [mpmath.fdot(row, ys[-1]) + b_i for row, b_i in zip(A.tolist(), b.tolist(), strict=True)]
        ys.append([1 / (1 + mpmath.exp(-z)) for z in zs])
        slopes.append([mpmath.exp(-z) / (1 + mpmath.exp(-z)) ** 2 for z in zs])
    delta = [y * slope for y, slope in zip(ys[-1], slopes[-1], strict=True)]
    gradients: list[list[Any]] = []
    for q in reversed(range(len(layers))):
        gradients.append([d * y for d in delta for y in ys[q]] + delta)
        columns = layers[q][0].T.tolist()
        if q:
            delta = [mpmath.fdot(a, delta) * s for a, s in zip(columns, slopes[q - 1], strict=True)]
    return [entry for gradient in reversed(gradients) for entry in gradient]


def usual_gradient(layers: Layers, x: list[float]) -> list[float]:
    """The δ-recursion with σ′ = y (1 − y)."""
    ys = [np.array(x)]
    for A, b in layers:
        ys.append(usual_sigmoid(A @ ys[-1] + b))
    delta = ys[-1] * ys[-1] * (1.0 - ys[-1])
    gradients: list[Any] = []
    for (A, _), y in zip(reversed(layers), reversed(ys[:-1]), strict=True):
        gradients[:0] = [np.outer(delta, y).ravel(), delta]
        delta = (A.T @ delta) * y * (1.0 - y)
    return list(np.concatenate(gradients).tolist())


def torch_gradient(layers: Layers, x: list[float]) -> list[float]:
    import torch

    parts = [torch.tensor(part, requires_grad=True) for layer in layers for part in layer]
    y = torch.tensor(x, dtype=torch.float64)
    for A, b in zip(parts[::2], parts[1::2], strict=True):
        y = torch.sigmoid(A @ y + b)
    (0.5 * (y**2).sum()).backward()
    return [entry for part in parts for entry in part.grad.flatten().tolist()]


def jax_gradient(layers: Layers, x: list[float]) -> list[float]:
    import jax

    jax.config.update("jax_enable_x64", True)

    def cost(layers: Any) -> Any:
        y = jax.numpy.asarray(x)
        for A, b in layers:
            y = jax.nn.sigmoid(A @ y + b)
        return 0.5 * (y**2).sum()

    gradient = jax.grad(cost)([(jax.numpy.asarray(A), jax.numpy.asarray(b)) for A, b in layers])
    return [entry for layer in gradient for part in layer for entry in part.ravel().tolist()]


# What is printed and drawn.


def show(title: str, found: dict[str, Errors]) -> None:
    print(f"\n{title}:\n\n{'':<16}{'':>10}{'largest error':>16}{'fewest digits right':>22}{'no digit right':>20}")
    for name, errors in found.items():
        for who, row in errors.ulps.items():
            none = sum(digits(error) == 0 for error in row)
            print(f"  {name:<14}{who:>10}{max(row):>12.2g} ulp{digits(max(row)):>22}{none:>10} of {len(row)}")


def digits(error: float) -> int:
    """How many decimal digits are right, of a number that is wrong by so many ulps; a float has 15."""
    return max(0, math.floor(52 * math.log10(2.0) - math.log10(max(error, 1.0))))


def verdict(found: dict[str, Errors]) -> str:
    slopes = [errors for name, errors in found.items() if name in REACH]
    (net,) = [errors for name, errors in found.items() if name not in REACH]
    smallest = min(float(abs(wanted)) for errors in found.values() for wanted in errors.wanted)

    def worst(who: str) -> tuple[float, float]:
        return max(max(errors.ulps[who]) for errors in slopes), max(net.ulps[who])

    slope, entry = worst("ours")
    others = [f"{who}: {worst(who)[0]:.0e} and {worst(who)[1]:.0e} ulp" for who in net.ulps if who != "ours"]
    return (
        f"down to {smallest:.0e}, our largest error is {slope:.2g} ulp in a slope and {entry:.2g} ulp in the net's gradient, "
        f"{digits(entry)} digits right. Of the others: {'; '.join(others)}."
    )


def plot(found: dict[str, Errors]) -> Figure:
    figure = Figure(figsize=(12, 8), layout="constrained")
    for axes, (name, errors) in zip(figure.subplots(2, 2).flat, found.items(), strict=True):
        for who, row in errors.ulps.items():
            label = f"usual, {USUAL.get(name, USUAL['sigmoid'])}" if who == "usual" else who
            heights = [max(error, 0.01) for error in row]  # an error of 0 has no logarithm
            axes.semilogy(errors.places, heights, linestyle="none", label=label, **STYLES[who])
        axes.axhline(2.0**52, color="0.5", linewidth=0.8, linestyle=":")
        axes.set(title=f"{name}: error", ylabel="ulp (dotted: no digit is right)")
        axes.set_xlabel("x" if name in REACH else "number of the parameter")
        axes.grid(alpha=0.25)
        axes.legend()
    return figure


if __name__ == "__main__":
    command_line.run(main)
