"""What perceptrons can do, what one alone cannot, and why the lecture replaces the step by a smooth σ.

    python demos/perceptrons.py            some five seconds
    python demos/perceptrons.py --quick    with a coarser picture, a second less

The threshold unit with w = (−2, −2) and b = 3 is a NAND. Every circuit can be made of NANDs; here an adder of two
numbers of four bits is, and all its sums are checked. Then the step becomes σ(c z), which approaches the step as c
grows, and what this buys is shown: a derivative, and with it learning by steepest
descent. The pictures are in out/ unless told otherwise.

To see another unit, change WEIGHTS and BIAS: what is said below is computed from what runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import command_line
import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.figure import Figure

from microgradnet import MLP, Perceptron, Value, compile, dot, train
from microgradnet.drawing.picture import Picture, picture

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
STEP_COLOUR = "#c1440e"  # the smoothed ones are blue, the steeper the darker

Bit: TypeAlias = Any  # 0 or 1: an int or, for a drawing, a Value
Gate: TypeAlias = Callable[[Bit, Bit], Bit]
Activation: TypeAlias = Callable[[Value], Value]
Slopes: TypeAlias = dict[str, list[float | None]]  # ∂y/∂b at the corners, by activation; None if too small for a float


class Findings(NamedTuple):
    """What the closing line is made of."""

    is_nand: bool
    right_sums: int
    used: int  # perceptrons in the adder
    impossible: set[tuple[int, ...]]  # truth tables that no perceptron tried has
    slopes: Slopes
    learned: dict[str, bool]  # whether gradient descent ended as a NAND


def main(argv: Sequence[str] | None = None) -> None:
    options = command_line.parse(
        argv, "Perceptrons: a NAND, an adder made of it, and the smoothed unit.", quick="a coarser picture"
    )
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
    """Prints circuits, what they take and whether they work; gives how many sums come out right, and the perceptrons."""
    print("\nCircuits of NANDs, with this unit for each: how many it takes, and for how many inputs it is right:\n")
    circuits: list[tuple[str, Callable[..., object], Callable[[int], object], int, str]] = [
        ("XOR", xor, lambda total: total % 2, 2, "1 if one bit is 1 and the other is not"),
        ("half adder", half_adder, lambda total: (total % 2, total // 2), 2, "two bits: last digit and carry"),
        ("full adder", full_adder, lambda total: (total % 2, total // 2), 3, "three bits: likewise"),
    ]
    for name, circuit, wanted, bits, words in circuits:
        inputs = list(itertools.product((0, 1), repeat=bits))
        right = sum(circuit(Counted(unit), *x) == wanted(sum(x)) for x in inputs)
        print(f"  {name:<12}{uses(unit, circuit, *inputs[0]):>4}{right:>7} of {len(inputs):<6}{words}")
    used, right = uses(unit, adder, to_bits(0), to_bits(0)), check_sums(Counted(unit))
    print(f"  {f'{BITS}-bit adder':<12}{used:>4}{right:>7} of {4**BITS:<6}a half adder, then {BITS - 1} full adders\n")
    for left, other in SHOWN:
        print(f"{on_paper(Counted(unit), left, other)}\n")
    print(f"All {4**BITS} sums from 0 + 0 to {2**BITS - 1} + {2**BITS - 1}: {right} come out right.")
    return right, used


def uses(unit: Perceptron, circuit: Callable[..., object], *inputs: object) -> int:
    gate = Counted(unit)
    circuit(gate, *inputs)
    return gate.uses


def on_paper(nand: Gate, left: int, right: int) -> str:
    digits, carries = adder(nand, to_bits(left), to_bits(right))
    rows: list[tuple[str, Sequence[object], object]] = [
        ("carry", [*reversed(carries), " "], ""),
        ("", [" ", *reversed(to_bits(left))], left),
        ("+", [" ", *reversed(to_bits(right))], right),
        ("=", digits[::-1], to_number(digits)),
    ]
    lines = [f"{sign:>9}   {' '.join(map(str, bits))}{number:>6}".rstrip() for sign, bits, number in rows]
    return "\n".join(lines) + ("" if to_number(digits) == left + right else "   WRONG")


def check_sums(nand: Gate) -> int:
    """How many of the sums come out as Python's own + says."""
    numbers = range(2**BITS)
    return sum(to_number(adder(nand, to_bits(p), to_bits(q))[0]) == p + q for p in numbers for q in numbers)


def table_name(table: tuple[int, ...]) -> str:
    return "XOR" if table == XOR else "XNOR" if table == XNOR else "outputs"


def show_limits() -> set[tuple[int, ...]]:
    """Prints what one perceptron cannot do; gives the truth tables that none of those tried has."""
    grid = [(w1, w2, b / 2) for w1 in range(-2, 3) for w2 in range(-2, 3) for b in range(-6, 7)]
    found = {tuple(Perceptron((w1, w2), b)(x) for x in CORNERS) for w1, w2, b in grid}
    missing = set(itertools.product((0, 1), repeat=4)) - found
    print(f"\nOne perceptron alone: {len(grid)} of them, with other w and b, have {len(found)} of the 16 truth tables.")
    missing_names = [f"{table_name(table)} {table}" for table in sorted(missing)]
    print(f"Missing: {', '.join(missing_names)}.\n")
    print("XOR is impossible for every w and b. Write z(x) = w·x + b: then z(0,0) + z(1,1) = z(0,1) + z(1,0), as both")
    print("are w1 + w2 + 2b; but XOR wants both terms on the left below 0, both on the right at least 0. (XNOR: the")
    print("other way round.)")
    return missing


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


def show_smoothing() -> Slopes:
    """Prints outputs and slopes for each activation; gives the slopes."""
    zs = [pre_activation(x).data for x in CORNERS]
    header = "".join(f"{f'x = ({p}, {q})':>14}" for p, q in CORNERS)
    print(f"\nThe same unit, smoothed. Its output y:\n\n{'':>10}{header}")
    print(f"{'z':>10}" + "".join(f"{z:>14g}" for z in zs))
    slopes: Slopes = {}
    for (name, f), c in zip(activations().items(), [*STEEPNESSES, 0.0], strict=True):
        pairs = [output_and_slope(f, x) for x in CORNERS]
        print(f"{name:>10}" + "".join(f"{y:>14.4f}" for y, _ in pairs))
        slopes[name] = [slope or (None if abs(c * z) > 700.0 else 0.0) for (_, slope), z in zip(pairs, zs, strict=True)]
    print(f"\nand the derivative ∂y/∂b, from which steepest descent learns:\n\n{'':>10}{header}")
    for name, row in slopes.items():
        print(f"{name:>10}" + "".join(f"{'< 1e-300' if slope is None else f'{slope:.3g}':>14}" for slope in row))
    print("\nAs c grows, y tends to the step's wherever w·x + b ≠ 0, and ∂y/∂b to 0 there: so not too steep, either.")
    here = f"(So at {zs.count(0.0)} inputs here.)" if 0.0 in zs else "(Not so at any input here.)"
    print(f"Where w·x + b = 0, y stays ½, while the step is 1, and ∂y/∂b = c/4 grows. {here}")
    return slopes


def show_learning() -> dict[str, bool]:
    """Gradient descent on the quadratic cost, from the opposite of a NAND; gives which activation ends as one."""
    (w1, w2), b = OPPOSITE
    print(f"\nGradient descent is to make a NAND of the unit w = ({w1:g}, {w2:g}), b = {b:g}, by the truth table alone")
    print(f"(quadratic cost, Δt = {LEARNING_RATE:g}, until all four outputs are right, at most {EPOCHS:,} epochs):\n")
    learned = {}
    for activation in ("sigmoid", "step"):
        net = MLP(2, [1], activation)
        net.set_weights([[[w1, w2]]], [[b]])
        epochs = 0
        for epoch in train(net, CORNERS, NAND, learning_rate=LEARNING_RATE, epochs=EPOCHS):
            epochs = epoch.number
            w, bias = net.weights()[0][0].tolist(), net.biases()[0].item()
            outputs = [Perceptron(w, bias)(x) for x in CORNERS]  # of what is learned so far, with the step again
            if outputs == NAND:
                break
        learned[activation] = outputs == NAND
        print(f"{activation:>10}: after {epochs:>5,} epochs w = ({w[0]:6.3f}, {w[1]:6.3f}), b = {bias:6.3f};", end=" ")
        print(f"as a perceptron {' '.join(map(str, outputs))}: {'a NAND' if learned[activation] else 'no NAND'}")
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
    limits = f"one alone was seen to lack {len(found.impossible)} truth tables, NOT just XOR and XNOR"
    if found.impossible == {XOR, XNOR}:
        limits = "one alone has every truth table but XOR and XNOR"
    smoothed = [slope for name, row in found.slopes.items() if name != "step(z)" for slope in row]
    if any(found.slopes["step(z)"]) or 0.0 in smoothed:
        slopes = "the derivatives are NOT as they should be: 0 for the step, and for no other"
    else:
        slopes = "the step's derivative is 0 at every input, the smoothed unit's at none"
        slopes += " (though too small for a float at some)" if None in smoothed else ""
    learning = f"gradient descent did NOT do what it should: a NAND was learned by {found.learned}"
    if found.learned == {"sigmoid": True, "step": False}:
        learning = "gradient descent made a NAND of the smoothed unit, and none of the one with the step"
    return f"{circuits};\n{limits};\n{slopes};\n{learning}."


# Pictures.


def plot(points: int) -> Figure:
    """Output and derivative along z, then the output over the square of inputs; points: to a side of it."""
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=[1.4, 1.0])
    top, bottom = halves
    left, right = top.subplots(1, 2)
    zs = np.linspace(-4.0, 4.0, 801).tolist()
    blues = colormaps["Blues"](np.linspace(0.4, 1.0, len(STEEPNESSES)))
    for (name, activation), colour in zip(activations().items(), [*blues, STEP_COLOUR], strict=True):
        values = [Value(z) for z in zs]
        outputs = [activation(z) for z in values]
        for output in outputs:
            output.backward()
        look: dict[str, Any] = {"color": colour, "label": name, "linestyle": "--" if name == "step(z)" else "-"}
        left.plot(zs, [y.data for y in outputs], **look)
        right.plot(zs, [z.grad for z in values], **look)
    left.set(title="The smoothed step approaches the step …", xlabel="z = w·x + b", ylabel="y")
    right.set(title="… and its derivative goes to 0, but for a peak at 0", xlabel="z = w·x + b", ylabel="∂y/∂z")
    left.grid(alpha=0.25)
    right.grid(alpha=0.25)
    for z in {pre_activation(x).data for x in CORNERS}:
        left.axvline(z, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    left.legend(title="dotted: z at the corners")
    right.legend()

    bottom.suptitle("The unit's output y over the square of inputs; dotted: w·x + b = 0")
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
        axes.set(title=name, xlabel="$x_1$", ylabel="$x_2$", xlim=extent[:2], ylim=extent[2:])
        axes.set(xticks=[0, 1], yticks=[0, 1])
    return figure


def over_square(activation: Activation, side: list[float]) -> npt.NDArray[np.float64]:
    """The unit's output with x2 from row to row and x1 along them: thousands of inputs, so they run compiled."""
    fast = compile(lambda x: activation(pre_activation(x)), 2)
    return fast([(x1, x2) for x2 in side for x1 in side]).reshape(len(side), len(side))


class Wire(NamedTuple):
    """A bit in a picture: what carries it, and its value."""

    source: str
    bit: int


class Drawn:
    """A gate that adds itself to a picture, with the wires that lead into it."""

    def __init__(self, unit: Perceptron, name: str, circuit: Picture) -> None:
        self.unit, self.name, self.circuit, self.uses = unit, name, circuit, 0

    def __call__(self, p: Wire, q: Wire) -> Wire:
        self.uses += 1
        output = Wire(f"{self.name}{self.uses}", self.unit([p.bit, q.bit]))
        self.circuit.node(output.source, self.name, shape="box", style="rounded,filled", fillcolor="#e3eefb")
        for wire in (p, q):
            self.connect(wire, output.source)
        return output

    def connect(self, wire: Wire, target: str) -> None:
        self.circuit.edge(
            wire.source,
            target,
            headlabel=f" {wire.bit} ",
            labeldistance="2.2",
            labelangle="28",
            color=STEP_COLOUR if wire.bit else "#888888",
        )


def draw_full_adder(unit: Perceptron, path: Path) -> str:
    """The gates that add 1 + 0 + 1, with the bit on every wire; says where the picture is, or why there is none."""
    name = "NAND" if [unit(x) for x in CORNERS] == NAND else "unit"
    circuit = picture("LR", ["1 + 0 + 1 in a full adder; on every wire its bit"])
    inputs = [Wire(f"{source} = {bit}", bit) for source, bit in (("p", 1), ("q", 0), ("carry in", 1))]
    gate = Drawn(unit, name, circuit)
    for wire in inputs:
        circuit.node(wire.source, shape="plaintext", style="")
    for result, wire in zip(("digit", "carry out"), full_adder(gate, *inputs), strict=True):
        target = f"{result} = {wire.bit}"
        circuit.node(target, shape="plaintext", style="")
        gate.connect(wire, target)
    try:
        path.write_text(circuit.pipe(format="svg", encoding="utf-8"), encoding="utf-8")
    except RuntimeError as error:  # no Graphviz
        return str(error)
    return f"{path}  (on every wire its bit, where 1 + 0 + 1 is added)"


if __name__ == "__main__":
    command_line.run(main)
