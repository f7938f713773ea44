"""How fast: microgradnet beside its peers, in one run.

    python demos/speed.py [--quick] [--rounds N] [--cpu-time] [--readme] [SECTION …]

Every row is one piece of work, done by each contestant in turn (ours, theirs, ours, …) for a number of rounds; printed
are the medians over the rounds, and our median over each peer's. One thread, float64; before times are compared, the
contestants are checked to compute the same. Peers that are not installed are skipped; the extra `peers` installs them
all. On a busy machine, `--cpu-time` counts the seconds of the processor instead (which flatters JAX: it waits for a
thread of its own). `--readme` runs what the README shows, and writes the figures into it.

Sections: `eager`, the engine beside other engines of scalars (`scalar_peers.py`); `sample`, one sample compiled beside
the same by the engine; `batches`, a step of training on a batch (`matrix_peers.py`); `programs`, what was written number
by number (`transformer.py`, `convolution.py`, `pendulum.py`) beside arrays by hand and PyTorch; `compile`, what it takes
to compile; `train`, an epoch of training; `import`.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import importlib.metadata
import importlib.util
import math
import os
import platform
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
os.environ["NPROC"] = "1"  # what JAX goes by
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import convolution
import numpy as np
import pendulum
import transformer
from matrix_peers import RATE, Ours, OursNaively, Tuned, contestants
from measuring import Clock, Contestant, Measuring, Row, check_same, seconds, section, timed
from scalar_peers import (
    MicrogptValue,
    find_micrograd,
    in_deep_thread,
    micrograd_sigmoid,
    net_by_numbers,
    sigmoid_of_parts,
)
from transformer import sum_of_products

import microgradnet
from microgradnet import MLP, Value, compile, dot, quadratic, train

Figures = dict[str, dict[str, float]]  # by row and contestant

# -- Eager: forward + backward of one sample, and a long chain -----------------------------------------------------------


def eager(quick: bool, how: Measuring) -> Figures:
    """The engine beside other engines of scalars."""
    micrograd = find_micrograd()
    notes = [
        "microgpt: an engine in the manner of microgpt's, restated here. Theirs is always written number by number, ours",
        "as the row says; the gradients agree. Timed: gradients to 0, forward, backward, with Python's collection of garbage.",
    ]
    if micrograd:
        notes.append(
            f"micrograd {importlib.metadata.version('micrograd')} has no sigmoid: it gets one here, as one node."
        )
    rows = [
        *net_rows([64, 30, 1], 2 if quick else 20, {"MLP": "≤ 1/20", "dot": "≤ 1/15", "number by number": "≤ 0.45"}),
        *net_rows([6, 4, 3, 1], 2 if quick else 200, {"MLP": "≤ 1/5"}),
        *chain_rows(1_000 if quick else 100_000),
    ]
    return section("Eager", notes, ["ours", "microgpt", *(["micrograd"] if micrograd else [])], rows, how)


def net_rows(sizes: Sequence[int], repeats: int, targets: dict[str, str]) -> list[Row]:
    """C = ½ (f(x) − r)² of one sample and all ∂C/∂parameter; the target of each way to write it for our engine."""
    x, r = np.random.default_rng(0).uniform(size=sizes[0]).tolist(), 1.0
    net = MLP(sizes[0], sizes[1:], seed=1)
    layers = [[(neuron.w, neuron.b) for neuron in layer.neurons] for layer in net.layers]

    def by_dot() -> Any:
        y = x
        for layer in layers:
            y = [dot(w, y, b).sigmoid() for w, b in layer]
        return y[0]

    def work(outputs: Callable[[], Any], leaves: Sequence[Any]) -> tuple[Callable[[], None], Sequence[Any]]:
        def run() -> None:
            for leaf in leaves:
                leaf.grad = 0.0
            (0.5 * (outputs() - r) ** 2).backward()

        return run, leaves

    ways: dict[str, Callable[[], Any]] = {
        "MLP": lambda: net(x),
        "dot": by_dot,
        "number by number": lambda: net_by_numbers(layers, [Value(x_j) for x_j in x], Value.sigmoid)[0],
    }
    ours = {way: work(ways[way], net.parameters()) for way in targets}
    peers: dict[str, tuple[Callable[[], None], Sequence[Any]]] = {}
    for name, value, sigmoid in engines():
        theirs = [[([value(w_j.data) for w_j in w], value(b.data)) for w, b in layer] for layer in layers]
        leaves = [leaf for layer in theirs for w, b in layer for leaf in (*w, b)]

        def by_numbers(theirs: Any = theirs, value: Any = value, sigmoid: Any = sigmoid) -> Any:
            return net_by_numbers(theirs, [value(x_j) for x_j in x], sigmoid)[0]

        peers[name] = work(by_numbers, leaves)
    wanted: list[float] = []
    for name, (run, parameters) in (ours | peers).items():
        run()
        found = [p.grad for p in parameters]
        check_same(name, found, wanted := wanted or found)
    # Few repeats: the cyclic garbage of many would slow whoever comes next in this process, us included.
    times = {name: timed(run, max(1, repeats // 10)) for name, (run, _) in peers.items()}
    shape = "-".join(map(str, sizes))
    return [
        Row(f"{shape}, {way}", {"ours": timed(ours[way][0], repeats)} | times, target)
        for way, target in targets.items()
    ]


def engines() -> list[tuple[str, Any, Callable[[Any], Any]]]:
    """Name, Value and sigmoid of each engine beside ours."""
    micrograd = find_micrograd()
    found: list[tuple[str, Any, Callable[[Any], Any]]] = [("microgpt", MicrogptValue, sigmoid_of_parts)]
    return [*found, ("micrograd", micrograd.Value, micrograd_sigmoid)] if micrograd else found


def chain_rows(length: int) -> list[Row]:
    """y ← y·w + b again and again: building and differentiating so many nodes over three leaves, and their memory."""

    def chain(value: Any) -> tuple[Any, Any]:
        y, w, b = value(1.0), value(0.999), value(0.001)
        for _ in range(length // 2):
            y = y * w + b
        return y, w

    def work(value: Any) -> None:
        y, w = chain(value)
        y.backward()
        if not math.isfinite(w.grad) or w.grad == 0.0:
            raise ArithmeticError("the chain has lost its gradient")

    def size(value: Any) -> float:
        gc.collect()
        tracemalloc.start()
        graph = chain(value)
        taken = tracemalloc.get_traced_memory()[0] / length
        tracemalloc.stop()
        del graph
        return taken

    times: dict[str, Contestant] = {"ours": timed(lambda: work(Value))}
    size = cache(size)  # once: it is the same in every round
    sizes: dict[str, Contestant] = {"ours": lambda clock: size(Value)}
    for name, value, _ in engines():
        times[name] = partial(deeply_timed, timed(partial(work, value)), 2 * length + 1_000)
        sizes[name] = partial(lambda value, clock: size(value), value)
    return [
        Row(f"chain of {length:,} + and ×", times, "≤ 0.5"),
        Row("the same chain as built, memory a node", sizes, "ours ≤ 200 bytes", lambda n: f"{n:,.0f} B"),
    ]


def deeply_timed(contestant: Contestant, depth: int, clock: Clock) -> float:
    """Time a contestant that needs this recursion depth."""
    return in_deep_thread(partial(contestant, clock), depth)


# -- One sample: the compiled program beside the engine ------------------------------------------------------------------


def sample(quick: bool, how: Measuring) -> Figures:
    """Value and gradient of a single sample."""
    net = MLP(6, [4, 3, 1], seed=1)
    X, R = np.random.default_rng(0).random((1, 6)), np.ones((1, 1))
    rows = [sample_row("6-4-3-1", lambda x, r: quadratic(net(x), r), net.parameters(), X, R, "≤ 1/6", quick)]
    for steps in (10, 20) if quick else (100, 1_000):
        model = pendulum.Pendulum(steps)
        name = f"pendulum, {steps:,} Euler steps"
        cost = partial(started_from_values, model)
        rows.append(sample_row(name, cost, model.parameters(), *pendulum.made_up_samples(1), "≤ 1/8", quick))
    return section("One sample: compiled beside the engine itself", [], ["compiled", "eager"], rows, how)


def started_from_values(model: pendulum.Pendulum, x: Sequence[Any], r: Sequence[Any]) -> Value:
    """The pendulum's cost, of floats, too: they have no sine."""
    return model.cost([x_j if isinstance(x_j, Value) else Value(x_j) for x_j in x], r)


def sample_row(
    name: str, cost: Callable[..., Value], parameters: list[Value], X: Any, R: Any, target: str, quick: bool
) -> Row:
    """Value and gradient of X and R, one row each."""
    fast = compile(cost, X.shape[1], R.shape[1], parameters=parameters)
    theta, x, r = fast.theta(), X[0].tolist(), R[0].tolist()

    def engine() -> list[float]:
        for p in parameters:
            p.grad = 0.0
        cost(x, r).backward()
        return [p.grad for p in parameters]

    check_same("the compiled program", fast.value_and_grad(X, R)[1], engine())
    repeats = 1 if quick else max(20, 400_000 // len(fast.source.splitlines()))
    compiled = timed(partial(fast.value_and_grad, X, R, theta=theta), repeats)
    return Row(name, {"compiled": compiled, "eager": timed(engine, repeats)}, target)


# -- Batches: one gradient and update ------------------------------------------------------------------------------------


def batches(quick: bool, how: Measuring) -> Figures:
    """One training step by each contestant."""
    notes = [
        "The same step by all: mean quadratic cost of a sigmoid net, its gradient, θ ← θ − Δt ∇C.",
        "'naive' is our net written with one node per product; ratios below 1 mean that ours takes less time.",
    ]
    small, large = (64, 30, 10), (784, 30, 10)
    work = [(small, 50)] if quick else [(small, 1_000), (large, 10), (large, 100), (large, 10_000)]
    rows = [batch_row(sizes, K, quick) for sizes, K in work]
    return section("Batches", notes, list(contestants()), rows, how)


def batch_row(sizes: tuple[int, int, int], K: int, quick: bool) -> Row:
    """One step of every contestant, all from the same parameters, on the same K samples."""
    rng = np.random.default_rng(0)
    X, R = rng.random((K, sizes[0])), np.eye(sizes[2])[rng.integers(0, sizes[2], K)]
    theta = np.array([p.data for p in MLP(sizes[0], sizes[1:], seed=1).parameters()])
    everyone = {name: make(sizes, theta) for name, make in contestants().items()}
    for name, peer in everyone.items():
        peer.step(X, R)
        check_same(name, peer.theta, everyone["ours"].theta)
    repeats = 1 if quick else max(3, 40_000 // (K + 60))
    steps = {name: timed(partial(peer.step, X, R), repeats) for name, peer in everyone.items()}
    return Row(f"{'-'.join(map(str, sizes))}, {K:,} samples: gradient + update", steps, "≤ 1.10 of tuned")


# -- Programs: written number by number ----------------------------------------------------------------------------------


def programs(quick: bool, how: Measuring) -> Figures:
    """The transformer, the convolution and the pendulum."""
    notes = [
        "Value and gradient of the mean cost of K samples. 'products': Σ_j w_j x_j as a sum of products instead of `dot`.",
    ]
    rows: list[Row] = []
    for positions, sizes in [(2, [2])] if quick else [(7, [1, 8, 64]), (15, [8])]:
        rows += transformer_rows(positions, sizes, 1 if quick else 30)
    ways = {"ours": dot} if quick else {"ours": dot, "products": sum_of_products}
    rows += convolution_rows([2] if quick else [10, 100], ways, 1 if quick else 10)
    steps, K = (10, 5) if quick else (100, 1_000)
    model = pendulum.Pendulum(steps)
    fast = compile(model.cost, 2, 1, parameters=model.parameters())
    X, R = pendulum.made_up_samples(K)
    hand = partial(pendulum.value_and_grad_by_numpy, steps)
    row = program_row(f"pendulum, {steps} steps, K = {K:,}", {"ours": fast.value_and_grad}, hand, X, R, fast.theta(), 5)
    names = ["ours", "products", "NumPy by hand", *(["PyTorch"] if importlib.util.find_spec("torch") else [])]
    return section("Programs", notes, names, [*rows, row], how)


def program_row(
    name: str,
    ours: dict[str, Any],
    hand: Callable[..., Any],
    X: Any,
    R: Any,
    theta: Any,
    repeats: int,
    target: str = "",
) -> Row:
    """Ours, each a function of (X, R, theta=…), beside one by hand."""
    wanted = hand(X, R, theta)
    for who, function in ours.items():
        found = function(X, R, theta=theta)
        check_same(who, found[0], wanted[0])
        check_same(who, found[1], wanted[1])
    times = {who: timed(partial(function, X, R, theta=theta), repeats) for who, function in ours.items()}
    return Row(name, times | {"NumPy by hand": timed(partial(hand, X, R, theta), repeats)}, target)


def add_torch(row: Row, peer: Any, in_a_row: Callable[[Any], Any], X: Any, R: Any, wanted: Any, repeats: int) -> None:
    """PyTorch's time, in a row it belongs to."""
    check_same("PyTorch", in_a_row(peer.value_and_grad(X, R)[1]), wanted)
    row.contestants["PyTorch"] = timed(partial(peer.value_and_grad, X, R), repeats)


def transformer_rows(positions: int, sizes: Sequence[int], repeats: int) -> list[Row]:
    """For every number of strings."""
    theta, hand = transformer.made_up_theta(positions), transformer.ByNumpy(positions).value_and_grad
    ours = {
        name: compiled_transformer(positions, inner).value_and_grad
        for name, inner in (("ours", dot), ("products", sum_of_products))
    }
    rows = []
    for K in sizes:
        X, R = transformer.made_up_strings(positions, K)
        name = f"transformer, {positions} positions, K = {K}"
        rows.append(program_row(name, ours, hand, X, R, theta, repeats, "ahead of PyTorch; 1.5 of NumPy"))
        if importlib.util.find_spec("torch"):
            peer = transformer.ByTorch(positions, theta)
            add_torch(rows[-1], peer, transformer.in_a_row, X, R, hand(X, R, theta)[1], repeats)
    return rows


def compiled_transformer(positions: int, inner: Callable[..., Value]) -> Any:
    """With the parameters in the order of θ."""
    model = transformer.Transformer(positions, transformer.made_up_theta(positions), inner)
    numbers = positions * transformer.TOKENS
    return compile(model.cost, numbers, numbers, parameters=model.parameters())


def convolution_rows(sizes: Sequence[int], ways: dict[str, Any], repeats: int) -> list[Row]:
    """For every number of images, written in these ways."""
    theta, hand = convolution.made_up_theta(), convolution.ByNumpy().value_and_grad
    ours = {name: compiled_convolution(inner).value_and_grad for name, inner in ways.items()}
    rows = []
    for K in sizes:
        X, R = convolution.made_up_images(K)
        rows.append(program_row(f"convolution, K = {K}", ours, hand, X, R, theta, repeats, "≤ 1.3 of NumPy"))
        if importlib.util.find_spec("torch"):
            peer = convolution.ByTorch(theta)
            add_torch(rows[-1], peer, convolution.in_a_row, X, R, hand(X, R, theta)[1], repeats)
    return rows


def compiled_convolution(inner: Callable[..., Value]) -> Any:
    """With the parameters in the order of θ."""
    model = convolution.Convolution(convolution.made_up_theta(), inner)
    return compile(model.cost, convolution.PIXELS, convolution.OUTPUTS, parameters=model.parameters())


# -- Compiling -----------------------------------------------------------------------------------------------------------


def compiling(quick: bool, how: Measuring) -> Figures:
    """Seconds to record and compile, and lines of source."""
    how = replace(how, rounds=min(how.rounds, 3))
    sizes = (64, 30, 10) if quick else (784, 30, 10)
    theta = np.zeros(sizes[1] * (sizes[0] + 1) + sizes[2] * (sizes[1] + 1))
    net, ways = MLP(sizes[0], sizes[1:]), {"ours": Ours(sizes, theta), "products": OursNaively(sizes, theta)}
    nets = {name: timed(partial(way.compiled, net)) for name, way in ways.items()}
    rows = [Row("-".join(map(str, sizes)), nets, "≤ 150 ms")]
    programs: dict[str, tuple[Callable[..., Any], str]] = {
        "transformer, 7 positions": (partial(compiled_transformer, 7), "≤ 400 lines"),
        "transformer, 15 positions": (partial(compiled_transformer, 15), "about a second"),
        "convolution": (compiled_convolution, ""),
    }
    for name, (make, target) in ({} if quick else programs).items():
        length = len(make(dot).source.splitlines())
        made = {"ours": timed(partial(make, dot)), "products": timed(partial(make, sum_of_products))}
        rows.append(Row(f"{name}: {length:,} lines", made, target))
    figures = section("Compiling", ["'products': every product and sum a node."], ["ours", "products"], rows, how)
    steps = 10 if quick else 1_000
    growing = {f"{n:,}": timed(partial(compiled_pendulum, n)) for n in (10 * steps, steps)}
    row = Row("pendulum, by Euler steps", growing, "≤ 12")
    return figures | section("Compiling ten times as much", [], list(growing), [row], how)


def compiled_pendulum(steps: int) -> Any:
    """With k and c as parameters."""
    model = pendulum.Pendulum(steps)
    return compile(model.cost, 2, 1, parameters=model.parameters())


# -- Training ------------------------------------------------------------------------------------------------------------


def training(quick: bool, how: Measuring) -> Figures:
    """An epoch of `train`."""
    K = 200 if quick else 60_000
    notes = [
        f"784-30-10, {K:,} samples, quadratic cost. By hand: the tuned step, its batches gathered by the same orders."
    ]
    rng = np.random.default_rng(0)
    X, R = rng.random((K, 784)), np.eye(10)[rng.integers(0, 10, K)]
    rows = [epoch_row(X, R, size) for size in (10, 100)]
    return section("Training", notes, ["train", "NumPy by hand"], rows, how)


def epoch_row(X: Any, R: Any, batch_size: int) -> Row:
    """Each contestant goes on from epoch to epoch; after the first they must be at the same place."""
    net = MLP(784, [30, 10], seed=1)
    theta = np.array([p.data for p in net.parameters()])
    epochs = train(net, X, R, learning_rate=RATE, epochs=10**6, batch_size=batch_size, seed=2)
    hand, orders = Tuned((784, 30, 10), theta), np.random.default_rng(2)

    def by_hand() -> None:
        order = orders.permutation(len(X))
        for start in range(0, len(X), batch_size):
            batch = order[start : start + batch_size]
            hand.step(X[batch], R[batch])

    next(epochs)
    by_hand()
    check_same("the loop by hand", hand.theta, [p.data for p in net.parameters()])
    contestants = {"train": timed(lambda: next(epochs)), "NumPy by hand": timed(by_hand)}
    return Row(f"an epoch in batches of {batch_size}", contestants, "≤ 1.15")


# -- Import --------------------------------------------------------------------------------------------------------------


def imports(quick: bool, how: Measuring) -> Figures:
    """`import microgradnet`, in a fresh interpreter."""
    row = Row(
        "import, in a fresh interpreter", {m: partial(import_time, m) for m in ("microgradnet", "numpy")}, "≤ 1.25"
    )
    return section("Import", [], list(row.contestants), [row], how)


def import_time(module: str, clock: Clock) -> float:
    """Seconds that a fresh interpreter takes for `import module`, its own start left out."""
    script = f"from time import {clock.__name__} as clock; start = clock(); import {module}; print(clock() - start)"
    folder = Path(microgradnet.__file__).parents[1]  # so that it finds what we found
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


# ------------------------------------------------------------------------------------------------------------------------

# -- The README's table ---------------------------------------------------------------------------------------------------

README = Path(__file__).resolve().parents[1] / "README.md"
IN_README = ["eager", "batches", "programs"]
NOT_IN_README = ("memory", ", dot")
BEGIN, END = "<!-- speed.py --readme writes from here -->", "<!-- to here -->"
# The columns behind our own, and how the sections call them.
PEERS = {
    "NumPy by hand": ("NumPy tuned", "NumPy by hand"),
    "PyTorch": ("PyTorch",),
    "JAX": ("JAX",),
    "autograd": ("autograd",),
    "micrograd": ("micrograd",),
}
DISTRIBUTIONS = {"PyTorch": "torch", "JAX": "jax", "autograd": "autograd", "micrograd": "micrograd"}


def readme_table(figures: Figures, setting: str) -> str:
    """Our time for each piece of work, and every peer's as a multiple of it; the columns of those that took part."""
    peers = {peer: names for peer, names in PEERS.items() if any(set(names) & set(row) for row in figures.values())}
    heads = [f"{peer} {version(peer)}" if peer in DISTRIBUTIONS else peer for peer in peers]
    lines = [f"| work | ours | {' | '.join(heads)} |", f"|---|{'---|' * (1 + len(peers))}"]
    for work, row in figures.items():
        if any(word in work for word in NOT_IN_README):
            continue
        cells = [seconds(row["ours"])]
        for names in peers.values():
            times = [row[name] / row["ours"] for name in names if name in row]
            cells.append(f"{times[0]:.{2 if times[0] < 10 else 0}f}" if times else "–")
        lines.append(f"| {work} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", setting])


def version(peer: str) -> str:
    """Of a peer that is installed: its first two numbers."""
    try:
        return ".".join(importlib.metadata.version(DISTRIBUTIONS[peer]).split(".")[:2])
    except importlib.metadata.PackageNotFoundError:
        return ""


def write_readme(table: str, readme: Path = README) -> None:
    """Put the table between the two marks in the README."""
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{readme} lacks the marks {BEGIN} and {END}: restore them")
    before, rest = text.split(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


# ------------------------------------------------------------------------------------------------------------------------

SECTIONS = {
    "eager": eager,
    "sample": sample,
    "batches": batches,
    "programs": programs,
    "compile": compiling,
    "train": training,
    "import": imports,
}


def processor() -> str:
    """The CPU's kind, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")]
    kind = names[0] if names else platform.machine()
    return f"{kind}, {'with' if 'avx512f' in text else 'without'} AVX-512"


def main(argv: Sequence[str] | None = None) -> None:
    """Print the sections."""
    parser = argparse.ArgumentParser(description="microgradnet beside its peers: medians and ratios, in one run")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)} (all)")
    parser.add_argument(
        "--quick", action="store_true", help="little work, two rounds: shows that it runs, not how fast"
    )
    parser.add_argument("--rounds", type=int, help="how often each takes its turn (9); fewer where a row takes minutes")
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's seconds: for a busy machine")
    parser.add_argument(
        "--readme", action="store_true", help="write the figures of eager, batches, programs into README.md"
    )
    options = parser.parse_args(argv)
    if options.readme:
        if options.quick or options.sections:
            parser.error("--readme takes its own sections, in full: leave out --quick and the sections")
        options.sections = IN_README
    rounds = options.rounds if options.rounds is not None else 2 if options.quick else 9
    if rounds < 1:
        parser.error(f"--rounds is {rounds}: name at least 1")
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}: there are {', '.join(SECTIONS)}")
    setting = (
        f"microgradnet {microgradnet.__version__}, Python {platform.python_version()}, NumPy {np.__version__}, one thread "
        f"of {processor()}; medians of {rounds} rounds, in turn"
    )
    print(setting)
    figures: Figures = {}
    how = Measuring(rounds, time.process_time if options.cpu_time else time.perf_counter)
    for name, show in SECTIONS.items():
        if name in options.sections or not options.sections:
            figures |= show(options.quick, how)
    if options.readme:
        command = f"`speed.py --readme{' --cpu-time' * options.cpu_time} --rounds {rounds}`"
        write_readme(readme_table(figures, f"{setting}, by {command}; {datetime.date.today():%B %Y}."))


if __name__ == "__main__":
    main()
