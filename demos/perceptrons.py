"""What perceptrons can do, what one alone cannot, and why the lecture replaces the step by a smooth σ.

    python demos/perceptrons.py            some five seconds
    python demos/perceptrons.py --quick    with a coarser picture, a second less

The threshold unit with w = (−2, −2) and b = 3 is a NAND. Every circuit can be made of NANDs; here an adder of two
numbers of four bits is, and all its sums are checked. Then the step becomes σ(c z), which approaches the step as c
grows, and what this buys is shown: a derivative, and with it learning. The pictures are in out/ unless told otherwise.

To see another unit, change WEIGHTS and BIAS: what is said below is computed from what runs.
"""

from __future__ import annotations

import argparse
import io
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from microgradnet import MLP, Perceptron, Value, compile, dot, draw, train

WEIGHTS, BIAS = (-2.0, -2.0), 3.0
CORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]
NAND = [1, 1, 1, 0]  # desired outputs at the corners
XOR, XNOR = (0, 1, 1, 0), (1, 0, 0, 1)
BITS = 4
SHOWN = [(7, 9), (6, 5)]  # the sums that are written out
STEEPNESSES = [1.0, 2.0, 5.0, 20.0]
OPPOSITE = (2.0, 2.0), -3.0  # an AND: where learning begins
LEARNING_RATE = 5.0
EPOCHS = 1000
COLOURS = ["#9ccbd8", "#5fa8bd", "#1f6f8b", "#0d3b4d"]  # of the steepnesses; the step is orange
STEP_COLOUR = "#c1440e"

Bit: TypeAlias = Any  # 0 or 1: an int or, for a drawing, a Value
Gate: TypeAlias = Callable[[Bit, Bit], Bit]
Activation: TypeAlias = Callable[[Value], Value]


class Findings(NamedTuple):
    """What the closing line is made of."""

    is_nand: bool
    right_sums: int
    used: int  # perceptrons in the adder
    impossible: set[tuple[int, ...]]  # truth tables that no perceptron tried has
    slopes: dict[str, list[float]]  # ∂y/∂b at the corners, for each activation
    learned: dict[str, bool]  # whether gradient descent ended as a NAND


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Perceptrons: a NAND, an adder made of it, and the smoothed unit.")
    parser.add_argument("--quick", action="store_true", help="a coarser picture")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the pictures (out)")
    options = parser.parse_args(argv)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"perceptrons.py: {options.out} is no folder to save in: {error.strerror}", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a σ shows a question mark
    unit = Perceptron(WEIGHTS, BIAS)
    is_nand = show_truth_table(unit)
    right_sums, used = show_adder(unit)
    impossible = show_limits()
    slopes = show_smoothing()
    learned = show_learning()
    path = options.out / "perceptrons.png"
    plot(25 if options.quick else 97).savefig(path, dpi=120)
    print(f"\nThe picture of the smoothing: {path}")
    print(f"The circuit of the full adder: {draw_full_adder(unit, options.out / 'full_adder.svg')}")
    print(f"\nSeen: {verdict(Findings(is_nand, right_sums, used, impossible, slopes, learned))}")
    return 0


# One perceptron.


def show_truth_table(unit: Perceptron) -> bool:
    """Prints what the unit does at the corners; gives whether that is a NAND."""
    print(f"A perceptron with w = ({WEIGHTS[0]:g}, {WEIGHTS[1]:g}), b = {BIAS:g}: 1 if w·x + b ≥ 0, else 0.\n")
    print("  x1  x2   w·x + b   output   NAND(x1, x2)")
    for x, wanted in zip(CORNERS, NAND, strict=True):
        print(f"{x[0]:>4}{x[1]:>4}{pre_activation(x).data:>10g}{unit(x):>9}{wanted:>15}")
    return [unit(x) for x in CORNERS] == NAND


def pre_activation(x: Sequence[float | Value], b: Value | None = None) -> Value:
    """z = w·x + b; with a Value b, that one, to be differentiated for."""
    return dot(WEIGHTS, x, BIAS if b is None else b)


# Circuits. Each takes the gate it is made of, so that whoever calls it can count, or put in another one.


def xor(nand: Gate, p: Bit, q: Bit) -> Bit:
    n = nand(p, q)
    return nand(nand(p, n), nand(q, n))


def half_adder(nand: Gate, p: Bit, q: Bit) -> tuple[Bit, Bit]:
    """The sum of two bits, as its last digit and its carry. It shares XOR's first NAND, so the carry costs one more."""
    n = nand(p, q)
    return nand(nand(p, n), nand(q, n)), nand(n, n)


def full_adder(nand: Gate, p: Bit, q: Bit, carry: Bit) -> tuple[Bit, Bit]:
    """The sum of three bits: last digit and carry. Two XORs, one after the other; a carry if the first NAND of either is 0."""
    n = nand(p, q)
    s = nand(nand(p, n), nand(q, n))
    m = nand(s, carry)
    return nand(nand(s, m), nand(carry, m)), nand(n, m)


def adder(nand: Gate, p: Sequence[Bit], q: Sequence[Bit]) -> tuple[list[Bit], list[Bit]]:
    """Adds as one does on paper, last digits first: the digits of the sum, one more than came in, and all carries."""
    digit, carry = half_adder(nand, p[0], q[0])
    digits, carries = [digit], [carry]
    for p_i, q_i in zip(p[1:], q[1:], strict=True):
        digit, carry = full_adder(nand, p_i, q_i, carries[-1])
        digits.append(digit)
        carries.append(carry)
    return [*digits, carries[-1]], carries


class Counted:
    """A gate that counts its uses: in a circuit without loops, each is one more perceptron to be built."""

    def __init__(self, unit: Perceptron) -> None:
        self.unit, self.uses = unit, 0

    def __call__(self, p: Bit, q: Bit) -> Bit:
        self.uses += 1
        return self.unit([p, q])


def to_bits(number: int) -> list[int]:
    """Last digit first."""
    return [number >> i & 1 for i in range(BITS)]


def to_number(bits: Sequence[int]) -> int:
    return sum(bit << i for i, bit in enumerate(bits))


def show_adder(unit: Perceptron) -> tuple[int, int]:
    """Prints circuits and what they take; gives how many sums come out right, and the adder's perceptrons."""
    print("\nCircuits of nothing but this unit, and how many of it they take:\n")
    print(f"  XOR          {uses(unit, xor, 0, 0):>3}    1 if one bit is 1 and the other is not")
    print(f"  half adder   {uses(unit, half_adder, 0, 0):>3}    two bits: the last digit of their sum, and the carry")
    print(f"  full adder   {uses(unit, full_adder, 0, 0, 0):>3}    three bits: likewise; the third is the carry so far")
    used = uses(unit, adder, to_bits(0), to_bits(0))
    print(f"  {BITS}-bit adder  {used:>3}    a half adder for the last digits, then {BITS - 1} full adders\n")
    for left, right in SHOWN:
        print(f"{on_paper(Counted(unit), left, right)}\n")
    right_sums, all_sums = check_sums(Counted(unit)), 4**BITS
    print(f"All {all_sums} sums from 0 + 0 to {2**BITS - 1} + {2**BITS - 1}: {right_sums} come out right.")
    return right_sums, used


def uses(unit: Perceptron, circuit: Callable[..., object], *inputs: object) -> int:
    gate = Counted(unit)
    circuit(gate, *inputs)
    return gate.uses


def on_paper(nand: Gate, left: int, right: int) -> str:
    digits, carries = adder(nand, to_bits(left), to_bits(right))
    rows = [
        ("carry", [*reversed(carries), " "], ""),
        ("", [" ", *reversed(to_bits(left))], left),
        ("+", [" ", *reversed(to_bits(right))], right),
        ("=", list(reversed(digits)), to_number(digits)),
    ]
    return "\n".join(
        f"{sign:>9}   {' '.join(str(bit) for bit in bits)}{number:>6}".rstrip() for sign, bits, number in rows
    )


def check_sums(nand: Gate) -> int:
    """How many of the sums come out as Python's own + says."""
    numbers = range(2**BITS)
    return sum(to_number(adder(nand, to_bits(p), to_bits(q))[0]) == p + q for p in numbers for q in numbers)


def show_limits() -> set[tuple[int, ...]]:
    """Prints what one perceptron cannot do; gives the truth tables that none of those tried has."""
    grid = [(w1, w2, b / 2) for w1 in range(-2, 3) for w2 in range(-2, 3) for b in range(-6, 7)]
    found = {tuple(Perceptron((w1, w2), b)(x) for x in CORNERS) for w1, w2, b in grid}
    missing = set(itertools.product((0, 1), repeat=4)) - found
    print(f"\nOne perceptron alone: {len(grid)} of them, with other w and b, have {len(found)} of the 16 truth tables.")
    print(f"Missing: {', '.join(f'{table_name(table)} {table}' for table in sorted(missing))}.")
    print(
        "\nXOR is impossible for every w and b. Write z(x) = w·x + b: then z(0,0) + z(1,1) = z(0,1) + z(1,0), as both"
    )
    print(
        "are w1 + w2 + 2b; but XOR wants both terms on the left below 0, and both on the right at least 0. (XNOR: the"
    )
    print("other way round.)")
    return missing


def table_name(table: tuple[int, ...]) -> str:
    names: dict[tuple[int, ...], str] = {XOR: "XOR", XNOR: "XNOR"}
    return names.get(table, "outputs")


# The smoothed unit.


def activations() -> dict[str, Activation]:
    """By the names they are printed with: σ(c z) for growing c, and what it tends to."""

    def smooth(c: float) -> Activation:
        return lambda z: (c * z).sigmoid()

    return {f"σ({'' if c == 1.0 else f'{c:g} '}z)": smooth(c) for c in STEEPNESSES} | {"step(z)": Value.step}


def output_and_slope(activation: Activation, x: Sequence[float]) -> tuple[float, float]:
    """The unit's output y, and ∂y/∂b. (That with respect to w_j is x_j times as much.)"""
    b = Value(BIAS, label="b")
    y = activation(pre_activation(x, b))
    y.backward()
    return y.data, b.grad


def show_smoothing() -> dict[str, list[float]]:
    """Prints outputs and slopes for each activation; gives the slopes."""
    header = "".join(f"{f'x = ({p}, {q})':>14}" for p, q in CORNERS)
    print(f"\nThe same unit, smoothed. Its output y:\n\n{'':>10}{header}")
    print(f"{'z':>10}" + "".join(f"{pre_activation(x).data:>14g}" for x in CORNERS))
    both = {name: [output_and_slope(f, x) for x in CORNERS] for name, f in activations().items()}
    for name, pairs in both.items():
        print(f"{name:>10}" + "".join(f"{y:>14.4f}" for y, _ in pairs))
    print(f"\nand the derivative ∂y/∂b, by which it can learn:\n\n{'':>10}{header}")
    for name, pairs in both.items():
        print(f"{name:>10}" + "".join(f"{slope:>14.3g}" for _, slope in pairs))
    print("\nAs c grows, y tends to the step's, and ∂y/∂b, in the end, to 0: so not too steep, either. (Only where")
    print("w·x + b = 0 does it grow: it is c/4 there.)")
    return {name: [slope for _, slope in pairs] for name, pairs in both.items()}


def show_learning() -> dict[str, bool]:
    """Gradient descent on the quadratic cost, from the opposite of a NAND; gives which activation ends as one."""
    (w1, w2), b = OPPOSITE
    print(f"\nGradient descent is to make a NAND of its opposite, w = ({w1:g}, {w2:g}), b = {b:g}, by the truth table")
    print(
        f"alone (quadratic cost, Δt = {LEARNING_RATE:g}, until all four outputs are right, at most {EPOCHS:,} epochs):\n"
    )
    learned = {}
    for activation in ("sigmoid", "step"):
        net = MLP(2, [1], activation)
        net.set_weights([[[w1, w2]]], [[b]])
        for epoch in train(net, CORNERS, NAND, learning_rate=LEARNING_RATE, epochs=EPOCHS):
            if epoch.accuracy == 1.0:
                break
        w, bias = net.weights()[0][0].tolist(), net.biases()[0].item()
        outputs = [Perceptron(w, bias)(x) for x in CORNERS]  # what was learned, with the step again
        learned[activation] = outputs == NAND
        print(
            f"{activation:>10}: after {epoch.number:>5,} epochs w = ({w[0]:6.3f}, {w[1]:6.3f}), b = {bias:6.3f};"
            f" as a perceptron {' '.join(map(str, outputs))}: {'a NAND' if learned[activation] else 'no NAND'}"
        )
    return learned


def verdict(found: Findings) -> str:
    """What was seen, in words; if it is not what the lecture says, these say so."""
    sums = 4**BITS
    if found.right_sums == sums:
        circuits = f"{found.used} perceptrons add any two numbers of {BITS} bits ({sums} of {sums} sums are right)"
    else:
        circuits = f"the adder is WRONG: {found.right_sums} of {sums} sums are right"
    if not found.is_nand:
        circuits = f"the unit is NO NAND, and {circuits}"
    limits = (
        "one alone has every truth table but XOR and XNOR"
        if found.impossible == {XOR, XNOR}
        else f"one alone was seen to lack {len(found.impossible)} truth tables, NOT just XOR and XNOR"
    )
    flat = not any(found.slopes["step(z)"])
    sloped = all(all(slopes) for name, slopes in found.slopes.items() if name != "step(z)")
    slopes = (
        "the step's derivative is 0 at every input, the smoothed unit's at none"
        if flat and sloped
        else "the derivatives are NOT as they should be: 0 for the step, and for no other"
    )
    learning = (
        "gradient descent made a NAND of the smoothed unit, and none of the one with the step"
        if found.learned == {"sigmoid": True, "step": False}
        else f"gradient descent did NOT do what it should: a NAND was learned by {found.learned}"
    )
    return f"{circuits};\n{limits};\n{slopes};\n{learning}."


# Pictures.


def plot(points: int) -> Figure:
    """Output and derivative along z, then the output over the square of inputs; points: to a side of it."""
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=[1.4, 1.0])
    top, bottom = halves
    left, right = top.subplots(1, 2)
    zs = np.linspace(-4.0, 4.0, 801).tolist()
    for (name, activation), colour in zip(activations().items(), [*COLOURS, STEP_COLOUR], strict=True):
        values = [Value(z) for z in zs]
        outputs = [activation(z) for z in values]
        for output in outputs:
            output.backward()
        look: dict[str, Any] = {"color": colour, "label": name, "linestyle": "--" if colour == STEP_COLOUR else "-"}
        left.plot(zs, [y.data for y in outputs], **look)
        right.plot(zs, [z.grad for z in values], **look)
    for axes, title, label in (
        (left, "The smoothed step approaches the step …", "y"),
        (right, "… and its derivative goes to 0, but for a peak at 0", "∂y/∂z"),
    ):
        axes.set_title(title)
        axes.set_xlabel("z = w·x + b")
        axes.set_ylabel(label)
        axes.grid(alpha=0.25)
    for z in {pre_activation(x).data for x in CORNERS}:
        left.axvline(z, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    left.legend(title="dotted: z at the corners")
    right.legend()

    bottom.suptitle("The unit's output y over the square of inputs; dotted: w·x + b = 0; numbers: y at the corners")
    side = np.linspace(-0.3, 1.3, points).tolist()
    for axes, (name, activation) in zip(bottom.subplots(1, len(STEEPNESSES) + 1), activations().items(), strict=True):
        heights = over_square(activation, side)
        extent = (side[0], side[-1], side[0], side[-1])
        axes.imshow(heights, origin="lower", extent=extent, cmap="Blues", vmin=0.0, vmax=1.0)
        if any(WEIGHTS):
            w = np.array(WEIGHTS)
            nearest = -BIAS * w / (w @ w)  # the point of the line that is nearest to 0
            axes.axline(nearest, nearest + np.array([-w[1], w[0]]), color=STEP_COLOUR, linestyle=":")
        axes.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color="0.5", linewidth=0.8)
        for x in CORNERS:
            y = activation(pre_activation(x)).data
            box = {"facecolor": "white", "edgecolor": "0.4", "boxstyle": "round,pad=0.2"}
            axes.text(*x, f"{y:.2f}", ha="center", va="center", fontsize=8, bbox=box)
        axes.set(title=name, xlabel="$x_1$", ylabel="$x_2$", xlim=extent[:2], ylim=extent[2:])
        axes.set(xticks=[0, 1], yticks=[0, 1])
    return figure


def over_square(activation: Activation, side: list[float]) -> npt.NDArray[np.float64]:
    """The unit's output with x2 from row to row and x1 along them: thousands of inputs, so they run compiled."""
    fast = compile(lambda x: activation(pre_activation(x)), 2)
    return fast([(x1, x2) for x2 in side for x1 in side]).reshape(len(side), len(side))


def draw_full_adder(unit: Perceptron, path: Path) -> str:
    """The recorded graph of 1 + 0 + 1; says where it is, or why there is none."""
    digit, carry = full_adder(Counted(unit), Value(1, label="p"), Value(0, label="q"), Value(1, label="c"))
    digit.label, carry.label = "digit", "carry"
    try:
        path.write_text(draw([digit, carry]).pipe(format="svg", encoding="utf-8"), encoding="utf-8")
    except RuntimeError as error:  # no Graphviz
        return str(error)
    return f"{path}  (the 0 on every edge into a step is its derivative)"


if __name__ == "__main__":
    sys.exit(main())
