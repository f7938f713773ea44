"""Data beyond one process: train on 600,000 digits that lie on the workers of a Dask cluster.

    pip install -e '.[cluster]' && python demos/cluster.py
    python demos/cluster.py --mnist my_folder         MNIST, repeated to as many, instead of the digits shipped
    python demos/cluster.py --scheduler tcp://…:8786  on a cluster that is there, instead of two processes on this machine

Each worker unpacks its part of the data, about 6 kB a digit: 4 GB in all, and as much again in this process, which computes the same
steps alone. Then it prints seconds a step, how much of that is communication, and from which batch size on workers pay. One process
and each worker use one thread.
"""

from __future__ import annotations

import os

for library in ("OMP", "OPENBLAS", "MKL"):  # before NumPy is imported; the workers inherit it
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse
import importlib.util
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

import digit_data as data
import numpy as np
from command_line import run
from digit_data import Array, Digits, InputError
from measuring import check_same, seconds
from tqdm import tqdm  # type: ignore[import-untyped]

from microgradnet import MLP, Adam, Compiled, compile, cross_entropy

if TYPE_CHECKING:
    from distributed import Client

Pair: TypeAlias = tuple[Array, Array]
Loader: TypeAlias = Callable[[], Pair]
Step: TypeAlias = Callable[[int], object]  # on a batch of so many samples

SAMPLES, QUICK_SAMPLES = 600_000, 8_000
BATCHES, QUICK_BATCHES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 600_000), (1_000, 8_000)
ROUNDS, QUICK_ROUNDS = 3, 2
STEPS, QUICK_STEPS = 300, 10
TRAINED_ON = 12_000  # samples a step
WORKERS = 2
COMMUNICATION = "communication"


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        print("cluster.py: Dask is missing: pip install -e '.[cluster]'", file=sys.stderr)
        return 2
    try:
        training, held_out, _ = data.load(400, options.mnist)
    except InputError as error:
        print(f"cluster.py: {error}", file=sys.stderr)
        return 2
    net = MLP(data.PIXELS, [30, 10], seed=0)
    fast = compile(lambda x, r: cross_entropy(net(x), r), data.PIXELS, 10)

    if options.scheduler:
        try:
            client = Client(options.scheduler, timeout=10)
        except (OSError, ValueError) as error:
            print(f"cluster.py: {options.scheduler} does not answer ({error}): is it a scheduler?", file=sys.stderr)
            return 2
        with client:
            workers = len(client.nthreads())
            if not workers:
                print(f"cluster.py: {options.scheduler} has no workers: start some with `dask worker`", file=sys.stderr)
                return 2
            demonstrate(client, fast, training, workers, options)
            judge(net, held_out)
        return 0
    local = LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=40
    )
    with local as cluster, Client(cluster) as client:

        def grow() -> None:
            cluster.scale(WORKERS)
            client.wait_for_workers(WORKERS)

        demonstrate(client, fast, training, WORKERS, options, grow)
        judge(net, held_out)
    return 0


def demonstrate(
    client: Client,
    fast: Compiled,
    training: Digits,
    workers: int,
    options: argparse.Namespace,
    grow: Callable[[], None] | None = None,
) -> None:
    """Measure and train. grow: makes one worker all of them; without it they are there already."""
    from microgradnet.cluster import Sharded

    plots = "" if importlib.util.find_spec("bokeh") else " (its plots need bokeh)"
    print(f"dashboard: {client.dashboard_link}{plots}")
    samples, batches, rounds, steps = (
        (QUICK_SAMPLES, QUICK_BATCHES, QUICK_ROUNDS, QUICK_STEPS)
        if options.quick
        else (SAMPLES, BATCHES, ROUNDS, STEPS)
    )
    loaders = split(training, workers, samples)
    start = time.perf_counter()
    cost = Sharded(client, fast, loaders)
    total = sum(cost.counts)
    print(
        f"{total:,} samples in {len(loaders)} shards, loaded on the workers in {seconds(time.perf_counter() - start)}"
    )

    shards = [load() for load in loaders]
    pool = ThreadPoolExecutor(workers)

    def rows(batch: int) -> slice:
        return slice(0, -(-batch // len(shards)))

    def alone(batch: int, run_all: Callable[..., object] = map) -> tuple[float, Array]:
        parts = [[array[rows(batch)] for array in shard] for shard in shards]
        theta = fast.theta()
        shares = list(run_all(lambda part: fast.value_and_grad(*part, theta=theta), parts))  # type: ignore[call-overload]
        counts = [len(part[0]) for part in parts]
        value, gradient = (np.average(each, axis=0, weights=counts) for each in zip(*shares, strict=True))
        return float(value), gradient

    check_same("one process", alone(total)[1], cost.value_and_grad()[1])
    contestants: dict[str, Step] = {"one process": alone, "threads": lambda batch: alone(batch, pool.map)}

    def on_cluster(batch: int) -> object:
        return cost.value_and_grad(rows=rows(batch))

    sizes = [batch for batch in batches if batch < total] + [total]
    table: dict[str, list[float]] = {}
    if grow:
        table |= measured({"1 worker": on_cluster}, sizes, rounds)
        grow()
        cost.value_and_grad()  # gives the new worker its part
    name = f"{workers} workers"
    contestants |= {name: on_cluster, COMMUNICATION: lambda _: on_cluster(1)}
    show(table | measured(contestants, sizes, rounds), sizes, name)

    size = -(-TRAINED_ON // len(shards))
    means = cost.train(Adam(0.01), steps, rows_per_step=size)
    with tqdm(means, total=steps, desc="training", unit="step") as bar:
        for mean in bar:
            bar.set_postfix_str(f"cost {mean:.4f}")
    print(f"Trained by {steps} steps of Adam(0.01) on {size * len(shards):,} samples each; the last cost: {mean:.4f}.")


def split(training: Digits, count: int, samples: int) -> list[Loader]:
    """So many loaders of the shuffled digits, repeated to some `samples` in all."""
    order = np.random.default_rng(0).permutation(len(training.labels))
    repeats = max(1, round(samples / len(order)))
    return [loader(training.images[part], training.labels[part], repeats) for part in np.array_split(order, count)]


def loader(images: data.Bytes, labels: data.Bytes, repeats: int) -> Loader:
    """What unpacks these digits on a worker, and repeats them; it needs nothing there but NumPy."""
    packed, targets = zlib.compress(images.tobytes(), 1), np.eye(10)[labels]

    def load() -> Pair:
        pixels = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(len(targets), -1) / 255.0
        return np.tile(pixels, (repeats, 1)), np.tile(targets, (repeats, 1))

    return load


def measured(contestants: dict[str, Step], batches: Sequence[int], rounds: int) -> dict[str, list[float]]:
    """Median seconds of a step for each batch size; the contestants take turns, and a first round does not count."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for batch in tqdm(batches, desc=f"measuring {', '.join(contestants)}", unit="size", leave=False):
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds + 1):
            for name, step in contestants.items():
                start = time.perf_counter()
                step(batch)
                taken[name].append(time.perf_counter() - start)
        for name, times in taken.items():
            found[name].append(median(times[1:]))
    return found


def show(table: dict[str, list[float]], batches: Sequence[int], ours: str) -> None:
    print(f"\nseconds a step, by samples in it; communication: a step of {ours} on one sample of each shard")
    print("".join(f"{head:>14}" for head in ("samples", *table, "its part", "speed-up")))
    gains = [one / many for one, many in zip(table["one process"], table[ours], strict=True)]
    for n, batch in enumerate(batches):
        times = "".join(f"{seconds(column[n]):>14}" for column in table.values())
        print(f"{batch:>14,}{times}{min(1.0, table[COMMUNICATION][n] / table[ours][n]):>14.0%}{gains[n]:>14.2f}")
    slower = [n for n, gain in enumerate(gains) if gain <= 1.0]
    first = slower[-1] + 1 if slower else 0
    if first < len(batches):
        print(f"{ours} pay from {batches[first]:,} samples a step on.\n")
    else:
        print(f"{ours} do not pay here: are there as many idle cores?\n")


def judge(net: MLP, held_out: Digits) -> None:
    outputs = compile(net, data.PIXELS)(data.inputs(held_out.images))
    print(
        f"Of {len(held_out.labels):,} digits held out, {np.mean(outputs.argmax(axis=1) == held_out.labels):.1%} are told right."
    )


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="cluster.py", description="Train on data that lie on the workers of a Dask cluster."
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SAMPLES:,} samples and few steps")
    parser.add_argument("--mnist", type=Path, metavar="DIR", help="the folder of MNIST's four IDX files, or .gz")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a cluster that is there, such as tcp://127.0.0.1:8786"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(lambda: sys.exit(main()))
