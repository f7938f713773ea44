"""A small GPT, number by number: it reads the names of cities and invents new ones.

    python demos/gpt.py            about a minute
    python demos/gpt.py --quick    a shorter training, some fifteen seconds

The model is a transformer as one would write it on a blackboard: no array, only lists of Values. Every letter of a name
looks back at those before it (attention) and says which may come next. `compile` records it once and finds the matrix
products, so that it trains as fast as a program on arrays.

A name of up to 11 letters has 12 positions. The input of each is the letter before, one-hot among 27 tokens (26 letters
and the boundary in front of a name and behind it), and its target the letter itself. What is behind the end is padding:
its targets are all 0, and so is its cost. The cost of a name is the mean of −ln p over its positions: ln 27 = 3.30
for one who knows nothing. A tenth of the names is held out. The picture shows where each letter of a name looks.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path

import command_line
import numpy as np
import numpy.typing as npt
import transformer
from matplotlib.figure import Figure
from measuring import check_same, seconds, timed
from tqdm import tqdm  # type: ignore[import-untyped]
from transformer import HEADS, SIZE, TOKENS, WIDTH, Vector, added, in_tokens, rmsnorm

from microgradnet import Adam, Compiled, Value, compile, dot, softmax, softmax_cross_entropy

Array = npt.NDArray[np.float64]

CITIES = Path(__file__).parent / "data" / "cities.txt"
BOUNDARY = "·"  # token 0
LETTERS = BOUNDARY + "abcdefghijklmnopqrstuvwxyz"
POSITIONS = 12
SEED = 1
BATCH, RATE = 32, 0.01  # names a step, and Adam's first learning rate, which falls to 0 along a line
PENALTY = 0.007  # times ½ |θ|², added to the cost: without it, the model learns the few names by heart
STEPS, QUICK_STEPS = 2_000, 150
SAMPLES = 20
SHOWN = "copenhagen"  # a name whose attention is drawn


class GPT:
    """One layer of attention and one of rectifiers, each added to what it reads; then a score for every token."""

    def __init__(self, theta: Array) -> None:
        numbers = iter(theta.tolist())
        self.matrices = {
            name: [[Value(next(numbers)) for _ in range(columns)] for _ in range(rows)]
            for name, (rows, columns) in transformer.shapes(POSITIONS).items()
        }

    def parameters(self) -> list[Value]:
        """Matrix after matrix, row after row."""
        return [value for matrix in self.matrices.values() for row in matrix for value in row]

    def linear(self, name: str, x: Vector) -> list[Value]:
        """A x."""
        return [dot(row, x) for row in self.matrices[name]]

    def read(self, tokens: Sequence[Vector]) -> tuple[list[list[Value]], list[list[list[Value]]]]:
        """For every position the 27 scores z of the token that comes next, and per head how it looks at those so far."""
        scores, looks = [], []
        keys: list[list[Value]] = []
        values: list[list[Value]] = []
        for token, place in zip(tokens, zip(*self.matrices["position"], strict=True), strict=True):
            x: Vector = rmsnorm(added(self.linear("token", token), place))
            normal = rmsnorm(x)
            keys.append(self.linear("key", normal))
            values.append(self.linear("value", normal))
            means, look = attend(self.linear("query", normal), keys, values)
            x = added(x, self.linear("attention", means))
            hidden = [z.relu() for z in self.linear("up", rmsnorm(x))]
            x = added(x, self.linear("down", hidden))
            scores.append(self.linear("logits", x))
            looks.append(look)
        return scores, looks

    def cost(self, x: Vector, r: Vector) -> Value:
        """Σ −r ln p over the positions and tokens of a name x; the sum of all its targets r is 1."""
        scores, _ = self.read(in_tokens(x))
        return reduce(add, map(softmax_cross_entropy, scores, in_tokens(r)))

    def chances(self, x: Vector) -> list[Value]:
        """p of every token at every position, one after the other."""
        return [p for z in self.read(in_tokens(x))[0] for p in softmax(z)]


def attend(query: Vector, keys: list[list[Value]], values: list[list[Value]]) -> tuple[list[Value], list[list[Value]]]:
    """Per head the mean of the values, weighted by how well their keys fit the query; and these weights."""
    means, looks = [], []
    for start in range(0, WIDTH, SIZE):
        head = slice(start, start + SIZE)
        weights = softmax([dot(query[head], key[head]) / math.sqrt(SIZE) for key in keys])
        means += [dot(weights, column) for column in zip(*[value[head] for value in values], strict=True)]
        looks.append(weights)
    return means, looks


def main(argv: Sequence[str] | None = None) -> None:
    options = command_line.parse(argv, "A GPT of scalars learns names of cities.", quick="a shorter training")
    rng = np.random.default_rng(SEED)
    names = CITIES.read_text(encoding="ascii").split()
    mixed = rng.permutation(names).tolist()
    held_out, learnt = mixed[: len(names) // 10], mixed[len(names) // 10 :]
    print(f"{len(learnt)} names to learn from, such as {', '.join(learnt[:4])}; {len(held_out)} are held out.")

    gpt = GPT(first_theta(rng))
    start = time.perf_counter()
    fast = compile(gpt.cost, POSITIONS * TOKENS, POSITIONS * TOKENS, parameters=gpt.parameters())
    chances = compile(gpt.chances, POSITIONS * TOKENS, parameters=gpt.parameters())
    X, R = as_data(learnt)
    fast.value_and_grad(X[:BATCH], R[:BATCH])
    print(f"{len(fast.parameters):,} parameters; recorded and compiled in {time.perf_counter() - start:.1f} s.\n")
    show_times(gpt, fast, X, R)
    show_state("before", fast, chances, learnt, held_out)
    train(fast, X, R, rng, QUICK_STEPS if options.quick else STEPS)
    show_state("after", fast, chances, learnt, held_out)
    path = options.out / "gpt.png"
    plot(gpt, SHOWN).savefig(path, dpi=120)
    print(f"\nWhere each letter of {SHOWN} looks, in a picture: {path}")


def first_theta(rng: np.random.Generator) -> Array:
    """Numbers from N(0, 0.1²): before training, all tokens are about as likely."""
    return rng.normal(0.0, 0.1, sum(rows * columns for rows, columns in transformer.shapes(POSITIONS).values()))


def as_data(names: Sequence[str]) -> tuple[Array, Array]:
    """One-hot tokens X and targets R of names, each of shape (K, positions · 27); the targets of a name add up to 1."""
    X, R = np.zeros((2, len(names), POSITIONS, TOKENS))
    for k, name in enumerate(names):
        tokens = [LETTERS.index(letter) for letter in BOUNDARY + name + BOUNDARY]
        for t, (token, following) in enumerate(pairwise(tokens)):
            X[k, t, token], R[k, t, following] = 1.0, 1.0 / (len(tokens) - 1)
    return X.reshape(len(names), -1), R.reshape(len(names), -1)


def train(fast: Compiled, X: Array, R: Array, rng: np.random.Generator, steps: int) -> None:
    """Adam on batches of names drawn at random."""
    adam = Adam(lambda step: RATE * (1.0 - (step - 1) / steps))
    theta, mean = fast.theta(), math.log(TOKENS)
    with tqdm(range(steps), desc="training", unit="step") as bar:
        for _ in bar:
            batch = rng.integers(0, len(X), BATCH)
            cost, gradient = fast.value_and_grad(X[batch], R[batch], theta=theta)
            theta = adam.step(theta, gradient + PENALTY * theta)
            mean += 0.02 * (cost - mean)
            bar.set_postfix_str(f"cost {mean:.2f}", refresh=False)
    fast.assign(theta)


def invent(chances: Compiled, count: int, rng: np.random.Generator) -> list[str]:
    """New names, all at once: letter by letter, drawn by the model's chances, until the boundary comes."""
    X = np.zeros((count, POSITIONS, TOKENS))
    X[:, 0, 0] = 1.0
    names = [""] * count
    done = np.zeros(count, bool)
    for t in range(POSITIONS):
        P = chances(X.reshape(count, -1)).reshape(count, POSITIONS, TOKENS)[:, t]
        tokens = (P.cumsum(axis=1) / P.sum(axis=1, keepdims=True) < rng.random((count, 1))).sum(axis=1)
        done |= tokens == 0
        for k in np.flatnonzero(~done):
            names[k] += LETTERS[tokens[k]]
        if t + 1 < POSITIONS:
            X[np.arange(count), t + 1, tokens] = 1.0
    return names


# What is printed.


def show_state(when: str, fast: Compiled, chances: Compiled, learnt: list[str], held_out: list[str]) -> None:
    """The costs, and names that the model invents."""
    on_learnt, on_others = [float(np.mean(fast(*as_data(names)))) for names in (learnt, held_out)]
    print(f"\nCost {when}: {on_learnt:.2f} on the names to learn from, {on_others:.2f} on those held out.")
    invented = invent(chances, SAMPLES, np.random.default_rng(SEED))
    marked = [name + "*" if name in (*learnt, *held_out) else name or BOUNDARY for name in invented]
    print(f"It invents (* where there is such a city): {', '.join(marked)}.")


def show_times(gpt: GPT, fast: Compiled, X: Array, R: Array) -> None:
    """The processor's time for a step's value and gradient: eager, compiled, by PyTorch's array code. All must agree."""
    K, x, r = BATCH, X[:BATCH], R[:BATCH]
    value, gradient = fast.value_and_grad(x, r)

    def eager() -> None:
        gpt.cost(x[0].tolist(), r[0].tolist()).backward()

    eager()
    mean, of_one = fast.value_and_grad(x[:1], r[:1])
    check_same("the eager engine", [parameter.grad for parameter in gpt.parameters()], of_one)
    rows = [
        ("eager, name by name", timed(eager)(time.process_time) * K),
        ("compiled", timed(lambda: fast.value_and_grad(x, r), 30)(time.process_time)),
    ]
    if importlib.util.find_spec("torch") is not None:
        torch = transformer.ByTorch(POSITIONS, fast.theta())
        mean, found = torch.value_and_grad(x, POSITIONS * r)  # its mean is over all positions, those of the padding too
        check_same("PyTorch", [mean, *transformer.in_a_row(found)], [value, *gradient])
        rows.append(
            ("PyTorch's array code", timed(lambda: torch.value_and_grad(x, POSITIONS * r), 30)(time.process_time))
        )
    print(f"Value and gradient of {K} names:")
    for who, t in rows:
        print(f"  {who:<22}{seconds(t):>12}")


def plot(gpt: GPT, name: str) -> Figure:
    """A square per head: how much each position, a row, looks at those up to itself."""
    count = len(name) + 1
    _, looks = gpt.read(in_tokens(as_data([name])[0][0].tolist()))
    figure = Figure(figsize=(10, 10), layout="constrained")
    marks = [BOUNDARY, *name]
    for head, axes in enumerate(figure.subplots(2, HEADS // 2).flat):
        shares = np.zeros((count, count))
        for t, look in enumerate(looks[:count]):
            shares[t, : t + 1] = [weight.data for weight in look[head]]
        axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        axes.set(title=f"head {head + 1}", xlabel="is looked at", ylabel="last letter read → next one")
        axes.set_xticks(range(count), marks)
        axes.set_yticks(range(count), [f"{a} → {b}" for a, b in zip(marks, [*name, BOUNDARY], strict=True)])
    return figure


if __name__ == "__main__":
    command_line.run(main)
