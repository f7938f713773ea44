"""How fast: microgradnet beside its peers, in one run.

    python demos/speed.py [--quick] [--rounds N]

Every row is one piece of work, done by each contestant in turn (ours, theirs, ours, …) for a number of rounds; printed
are the medians over the rounds and their ratios. One thread, float64. The eager engine meets micrograd 0.1.0, the
compiled one the same step written by hand in NumPy, autograd, PyTorch and JAX (`matrix_peers.py`). All but NumPy come with the
extra `peers`; whoever is not installed is left out.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata
import math
import os
import platform
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np
from matrix_peers import Ours, OursNaively, contestants

import microgradnet
from microgradnet import MLP, Value, quadratic

# A contestant does a piece of work once and says what it took: seconds, or bytes.
Contestant = Callable[[], float]

# -- Measuring and printing ---------------------------------------------------------------------------------------------


@dataclass
class Row:
    """One piece of work: its name, who does it (ours first), how a figure is shown, and what we promise of the ratio."""

    work: str
    contestants: dict[str, Contestant]
    shown: Callable[[float], str]
    target: str = ""

    def run(self, rounds: int) -> dict[str, float]:
        """Medians over the rounds, the contestants taking turns; the first round warms up and does not count."""
        taken: dict[str, list[float]] = {name: [] for name in self.contestants}
        turns = list(self.contestants.items())
        for _ in range(rounds + 1):
            for name, contestant in turns:
                gc.collect()  # nobody pays for another's garbage
                taken[name].append(contestant())
            turns = [*turns[1:], turns[0]]  # nor always for what the same one left in the caches
        return {name: median(figures[1:]) for name, figures in taken.items()}


def section(title: str, notes: Sequence[str], names: Sequence[str], rows: Sequence[Row], rounds: int) -> None:
    """Run the rows and print one line each, as soon as it is known: a column per name, the ratio to each peer, targets."""
    ours, *peers = names
    print(f"\n{title}")
    for note in notes:
        print(f"  {note}")
    heads = [*names, *(f"{ours} / {peer}" for peer in peers)]
    widths = [max(len(head), 12) for head in heads]
    line = f"  {{:<46}}{''.join(f'  {{:>{width}}}' for width in widths)}   {{}}"
    print(line.format("work", *heads, "target").rstrip())
    for row in rows:
        figures = row.run(rounds)
        cells = [row.shown(figures[name]) if name in figures else "-" for name in names]
        cells += [ratio(figures[ours] / figures[peer]) if peer in figures else "-" for peer in peers]
        print(line.format(row.work, *cells, row.target).rstrip(), flush=True)


def seconds(t: float) -> str:
    """With the unit that suits: µs, ms or s."""
    return f"{t * 1e6:,.0f} µs" if t < 1e-3 else f"{t * 1e3:,.1f} ms" if t < 1 else f"{t:,.2f} s"


def memory(n: float) -> str:
    """Bytes."""
    return f"{n:,.0f} bytes"


def ratio(r: float) -> str:
    """As a fraction where it is small, as the targets are stated."""
    return f"1/{1 / r:.1f}" if r < 0.5 else f"{r:.2f}"


def timed(work: Callable[[], object], repeats: int) -> Contestant:
    """A contestant that takes the mean of so many repetitions."""

    def contestant() -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        return (time.perf_counter() - start) / repeats

    return contestant


# -- The peer -----------------------------------------------------------------------------------------------------------


def find_micrograd() -> Any:
    """micrograd's modules `engine` and `nn`, or None where it is not installed."""
    try:
        importlib.import_module("micrograd.nn")
        return importlib.import_module("micrograd")
    except ImportError:
        return None


def micrograd_sigmoid(micrograd: Any, x: Any) -> Any:
    """One node in the very form of micrograd's relu: micrograd has neither exp nor a sigmoid to build one from."""
    out = micrograd.engine.Value(1.0 / (1.0 + math.exp(-x.data)), (x,), "sigmoid")

    def backward() -> None:
        x.grad += out.data * (1.0 - out.data) * out.grad

    out._backward = backward
    return out


@contextmanager
def deep_recursion(depth: int) -> Iterator[None]:
    """micrograd's backward recurses once per node of a chain: lift Python's limit while it runs."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, depth))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def in_thread(work: Callable[[], float], stack: int) -> float:
    """Run it in a thread with a stack of so many bytes: the system's own would not hold a recursion of 100,000."""
    results: list[float] = []
    before = threading.stack_size(stack)
    try:
        thread = threading.Thread(target=lambda: results.append(work()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    return results[0]  # empty if the work failed; the thread has said why


# -- Eager: forward + backward of one sample, and a long chain ----------------------------------------------------------


def net_row(sizes: Sequence[int], repeats: int, micrograd: Any, target: str) -> Row:
    """y = f(x), C = ½ |y − r|² and all ∂C/∂parameter, for one sample, each engine with its own MLP class."""
    nin, *widths = sizes
    x, r = np.random.default_rng(0).uniform(size=nin).tolist(), 1.0
    net = MLP(nin, widths, seed=1)

    def ours() -> None:
        quadratic(net(x), r).backward()

    contestants = {"ours": timed(ours, repeats)}
    if micrograd:
        peer = micrograd.nn.MLP(nin, widths)
        for p, q in zip(peer.parameters(), net.parameters(), strict=True):
            p.data = q.data
        for layer in peer.layers:
            for neuron in layer.neurons:
                neuron.nonlin = False  # z = w·x + b, as micrograd computes it; the sigmoid follows below

        def theirs() -> None:
            y = [micrograd.engine.Value(x_j) for x_j in x]  # once, instead of once for every weight
            for layer in peer.layers:
                y = [micrograd_sigmoid(micrograd, neuron(y)) for neuron in layer.neurons]
            (0.5 * (y[0] - r) ** 2).backward()

        contestants["micrograd"] = timed(theirs, max(1, repeats // 10))
        same_gradients(net, ours, peer, theirs)
    return Row(f"{'-'.join(map(str, sizes))}, forward + backward of a sample", contestants, seconds, target)


def same_gradients(net: Any, ours: Callable[[], None], peer: Any, theirs: Callable[[], None]) -> None:
    """Both engines must compute the same before their times are compared."""
    for module, work in ((net, ours), (peer, theirs)):
        module.zero_grad()
        work()
    gradients, others = [np.array([p.grad for p in module.parameters()]) for module in (net, peer)]
    if not np.allclose(gradients, others, rtol=1e-10, atol=1e-14):
        raise SystemExit("the engines disagree on the gradients: there is nothing to compare")


def chain(value: Any, length: int) -> tuple[Any, Any]:
    """y ← y·w + b, length/2 times: so many + and × nodes over three leaves. Returns y and w."""
    y, w, b = value(1.0), value(0.999), value(0.001)
    for _ in range(length // 2):
        y = y * w + b
    return y, w


def chain_rows(length: int, micrograd: Any) -> list[Row]:
    """Building and differentiating a chain, and what it holds in memory once built."""

    def work(value: Any) -> None:
        y, w = chain(value, length)
        y.backward()
        if not math.isfinite(w.grad) or w.grad == 0.0:
            raise ArithmeticError("the chain has lost its gradient")

    def size(value: Any) -> float:
        gc.collect()
        tracemalloc.start()
        graph = chain(value, length)
        taken = tracemalloc.get_traced_memory()[0] / length
        tracemalloc.stop()
        del graph
        return taken

    times: dict[str, Contestant] = {"ours": timed(lambda: work(Value), 1)}
    sizes: dict[str, Contestant] = {"ours": cache(lambda: size(Value))}  # once: it is the same in every round
    if micrograd:
        peer = micrograd.engine.Value

        def theirs() -> float:
            with deep_recursion(2 * length + 1_000):
                return in_thread(timed(lambda: work(peer), 1), stack=512 * 1024 * 1024)

        times["micrograd"], sizes["micrograd"] = theirs, cache(lambda: size(peer))
    return [
        Row(f"chain of {length:,} + and ×, build + backward", times, seconds),
        Row("the same chain as built, memory a node", sizes, memory, "ours ≤ 200 bytes"),
    ]


def eager(quick: bool, rounds: int) -> None:
    """The section on the scalar engine."""
    micrograd = find_micrograd()
    if micrograd:
        peers = ["micrograd"]
        notes = [
            f"Beside micrograd {importlib.metadata.version('micrograd')}; the gradients of both agree. micrograd has no sigmoid: here it",
            "gets one, a single node in the form of its relu. Its backward recurses: for the chain it runs in a thread",
            "with a deep stack. Python's collection of cyclic garbage is on, as in any training loop.",
        ]
    else:
        peers = []
        notes = ["micrograd is not installed. To see it beside ours: pip install -e '.[peers]'"]
    repeats = 2 if quick else 100
    rows = [
        net_row([6, 4, 3, 1], 10 * repeats, micrograd, ""),
        net_row([64, 30, 1], repeats, micrograd, "≤ 1/50" if micrograd else ""),
        *chain_rows(1_000 if quick else 100_000, micrograd),
    ]
    section("Eager engine", notes, ["ours", *peers], rows, rounds)


# -- Compiled: one gradient and update of a batch ------------------------------------------------------------------------


def batch_row(sizes: tuple[int, int, int], K: int, quick: bool) -> Row:
    """One step of every contestant, all from the same parameters, on the same K samples."""
    rng = np.random.default_rng(0)
    X, R = rng.random((K, sizes[0])), np.eye(sizes[2])[rng.integers(0, sizes[2], K)]
    theta = np.array([p.data for p in MLP(sizes[0], sizes[1:], seed=1).parameters()])
    everyone = {name: make(sizes, theta) for name, make in contestants().items()}
    for peer in everyone.values():
        peer.step(X, R)
    for name, peer in everyone.items():
        if not np.allclose(peer.theta, everyone["ours"].theta, rtol=1e-10, atol=1e-13):
            raise SystemExit(f"{name} makes another step than ours: there is nothing to compare")
    repeats = 1 if quick else max(1, 3_000 // (K + 15))
    steps = {name: timed(partial(peer.step, X, R), repeats) for name, peer in everyone.items()}
    return Row(f"{'-'.join(map(str, sizes))}, {K:,} samples: gradient + update", steps, seconds, "≤ 1.25 of tuned")


def compile_row(sizes: tuple[int, int, int]) -> Row:
    """Recording and compiling the net and its cost."""
    theta = np.zeros(sizes[1] * (sizes[0] + 1) + sizes[2] * (sizes[1] + 1))
    makers = {"ours": lambda: Ours(sizes, theta), "ours, naive": lambda: OursNaively(sizes, theta)}
    steps = {name: timed(make, 1) for name, make in makers.items()}
    return Row(f"{'-'.join(map(str, sizes))}: record + compile", steps, seconds, "≤ 150 ms")


def compiled(quick: bool, rounds: int) -> None:
    """The section on `compile`."""
    notes = [
        "The same step by all: mean quadratic cost of a sigmoid net, its gradient, θ ← θ − Δt ∇C; checked to be equal.",
        "'naive' is our net written with one node per product; ratios below 1 mean that ours takes less time.",
    ]
    small, large = (64, 30, 10), (784, 30, 10)
    work = [(small, 50)] if quick else [(small, 1_000), (large, 10), (large, 100), (large, 10_000)]
    rows = [batch_row(sizes, K, quick) for sizes, K in work] + [compile_row(small if quick else large)]
    section("Compiled", notes, list(contestants()), rows, rounds)


# -- Import -------------------------------------------------------------------------------------------------------------


def import_time(module: str) -> float:
    """Seconds that a fresh interpreter takes for `import module`, its own start left out."""
    script = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    folder = Path(microgradnet.__file__).parents[1]  # so that it finds what we found
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def imports(rounds: int) -> None:
    """The section on `import microgradnet`."""
    contestants = {"microgradnet": lambda: import_time("microgradnet"), "numpy": lambda: import_time("numpy")}
    row = Row("import, in a fresh interpreter", contestants, seconds, "≤ 1.3")
    section("Import", [], list(contestants), [row], rounds)


# -----------------------------------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Print all sections."""
    parser = argparse.ArgumentParser(description="microgradnet beside its peers: medians and ratios, in one run")
    parser.add_argument(
        "--quick", action="store_true", help="little work, two rounds: shows that it runs, not how fast"
    )
    parser.add_argument("--rounds", type=int, help="how often each engine takes its turn (default 9)")
    options = parser.parse_args(argv)
    rounds = options.rounds if options.rounds is not None else 2 if options.quick else 9
    if rounds < 1:
        parser.error(f"--rounds is {rounds}: at least 1 is wanted")
    print(
        f"microgradnet {microgradnet.__version__}, Python {platform.python_version()}, NumPy {np.__version__}, one "
        f"thread; medians of {rounds} rounds, in turn"
    )
    eager(options.quick, rounds)
    compiled(options.quick, rounds)
    imports(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
