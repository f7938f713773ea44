"""Data beyond one process: value and gradient of a compiled function over shards on a Dask cluster.

A batch's gradient is the mean of its shards', weighted by their samples, and a compiled function is pure and pickles.
So this module only says where data lie, asks for each shard's gradient, adds them in a fixed order, and gives an error the
number of its sample in all the data. Scheduling, and what happens when a worker dies, is left to `distributed` (extra
`cluster`), and what one process computes to the compiler.

    from dask.distributed import Client, LocalCluster
    from microgradnet import Adam
    from microgradnet.cluster import Sharded

    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        cost = Sharded(client, fast, [(X[:500], R[:500]), (X[500:], R[500:])])  # or functions that load such pairs
        value, gradient = cost.value_and_grad()
        for mean in cost.train(Adam(0.01), steps=100):
            print(mean)

Two relatives need no module of ours. SciPy minimizes what `value_and_grad` gives:

    from scipy.optimize import minimize

    result = minimize(
        lambda theta: fast.value_and_grad(X, R, theta=theta), fast.theta(), jac=True, method="L-BFGS-B"
    )
    fast.assign(result.x)

And threads share the work in one process, for NumPy computes outside of Python's lock:

    from concurrent.futures import ThreadPoolExecutor

    shards, theta = [(X[:500], R[:500]), (X[500:], R[500:])], fast.theta()
    with ThreadPoolExecutor() as pool:
        shares = list(pool.map(lambda shard: fast.value_and_grad(*shard, theta=theta), shards))
    counts = [len(x) for x, r in shards]
    value, gradient = (np.average(parts, axis=0, weights=counts) for parts in zip(*shares))
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._validation import describe
from .compiler import Compiled
from .compiler.batches import as_rows, as_theta
from .optimizers import Optimizer
from .training import DivergenceError

if TYPE_CHECKING:
    from distributed import Client

Numbers: TypeAlias = npt.NDArray[Any]
Shard: TypeAlias = Sequence[npt.ArrayLike] | Callable[[], Sequence[npt.ArrayLike]]

PATIENCE = 30.0  # seconds without an answer before asking whether there are workers
ATTEMPTS = 4  # at an answer, if workers keep dying


class Sharded:
    """A compiled function of data that lie, shard by shard, on the workers of a cluster.

    client: a `distributed.Client`. fast: what `compile` gave. shards: for each shard, an array per input, shape
    (samples, size), or a function without arguments that gives them; it is called on a worker, and again if that worker
    dies. The data move once; after that only theta, gradients and values travel. `counts`: the number of samples of each
    shard. Samples are numbered through all shards, in their order.

    The same shards give the same bits, on however many workers and whichever of them die. A ValueError or a TypeError for
    shards that do not fit the function, with a note that names the shard; a RuntimeError for a closed client or a cluster
    without workers. What a loader raises is raised here.
    """

    def __init__(self, client: Client, fast: Compiled, shards: Iterable[Shard]) -> None:
        if not isinstance(fast, Compiled):
            raise TypeError(
                f"{describe(fast)} arrived where a compiled function was wanted: give what compile(…) returns"
            )
        self.client, self.fast = client, fast
        self._given = list(shards)
        if not self._given:
            raise ValueError(
                "no shards arrived: give at least one, of an array per input or a function that loads them"
            )
        self._seen = self._workers()
        self._send_program()
        self._held = [self._place(i, self._seen[i % len(self._seen)]) for i in range(len(self._given))]
        self.counts: list[int] = self._ask(_count, range(len(self._given)))

    def value_and_grad(self, theta: npt.ArrayLike | None = None, rows: slice | None = None) -> tuple[float, Numbers]:
        """The mean of the function over all samples, and its gradient, as `Compiled.value_and_grad` gives them.

        theta: numbers for the parameters, theirs by default. rows: which rows of every shard to take, as a batch; all by
        default.
        """
        numbers, parts = self._theta(theta), self._parts(rows)
        total, value, gradient = sum(map(len, parts.values())), 0.0, np.zeros_like(numbers)
        shares = self._ask(_value_and_grad, parts, numbers, rows)
        for part, (mean, share) in zip(parts.values(), shares, strict=True):
            weight = len(part) / total
            value += weight * mean
            gradient += weight * share
        return value, gradient

    def values(self, theta: npt.ArrayLike | None = None, rows: slice | None = None) -> Numbers:
        """The function's values, as a call of `Compiled` gives them: a row per sample, through all shards."""
        numbers, parts = self._theta(theta), self._parts(rows)
        return np.concatenate(self._ask(_values, parts, numbers, rows))

    def train(self, optimizer: Optimizer, steps: int, rows_per_step: int | None = None) -> Iterator[float]:
        """Take steps with an optimizer, such as Descent(0.5), and write each into the parameters of `fast`.

        rows_per_step: how many rows of every shard a step takes, in their order and from the start again; all by default.
        Shuffle the samples before they are sharded. Gives the mean before each step. A DivergenceError when it or the
        parameters leave the finite numbers; the parameters then hold the last finished step.
        """
        size = max(self.counts) if rows_per_step is None else rows_per_step
        if size < 1:
            raise ValueError(f"rows_per_step is {size}: give a whole number from 1")
        starts = range(0, max(self.counts), size)
        for number in range(steps):
            start = starts[number % len(starts)]
            theta = self.fast.theta()
            try:
                value, gradient = self.value_and_grad(theta, slice(start, start + size))
                if not np.isfinite(value):
                    raise ArithmeticError(f"the mean is {value}")
                self.fast.assign(optimizer.step(theta, gradient))
            except (ArithmeticError, ValueError) as error:
                raise DivergenceError(
                    f"training diverged in step {number + 1} ({error}); the parameters hold the step before. Try a "
                    "smaller learning rate; if this is the very first step, look at the cost and the data"
                ) from error
            yield value

    def _theta(self, theta: npt.ArrayLike | None) -> Numbers:
        return self.fast.theta() if theta is None else as_theta(theta, len(self.fast.parameters), self.fast.dtype)

    def _parts(self, rows: slice | None) -> dict[int, range]:
        """Which samples, by their numbers in all the data, these rows of each shard are; shards without any are left out."""
        ends = accumulate(self.counts)
        parts = [range(end - count, end)[rows or slice(None)] for count, end in zip(self.counts, ends, strict=True)]
        if not any(parts):
            raise ValueError(f"{rows} takes no row of any shard: the longest has {max(self.counts)}")
        return {i: part for i, part in enumerate(parts) if part}

    # What lies where.

    def _workers(self) -> list[str]:
        if self.client.status != "running":
            raise RuntimeError(f"the client is {self.client.status}: make a new Client, and with it a new Sharded")
        workers = sorted(self.client.nthreads())
        if not workers:
            raise RuntimeError("the cluster has no workers: start some, and wait with client.wait_for_workers(1)")
        return workers

    def _send_program(self) -> None:
        self._program = self.client.submit(pickle.loads, pickle.dumps(self.fast), pure=False)

    def _place(self, i: int, worker: str) -> Any:
        """Shard i there; if that worker dies and the shard has a loader, the scheduler sees to it that it is loaded elsewhere."""
        shard = self._given[i]
        if not callable(shard):
            shard = self.client.scatter([tuple(shard)], workers=[worker], hash=False)[0]
        return self.client.submit(_hold, self._program, shard, workers=[worker], allow_other_workers=True, pure=False)

    def _spread(self) -> None:
        """Give workers that have come since, such as one restarted after it died, their part of the shards."""
        workers = self._workers()
        if workers == self._seen:
            return
        self._seen = workers
        places = self.client.who_has(self._held)
        held = {
            worker: [i for i, shard in enumerate(self._held) if worker in places[shard.key][:1]] for worker in workers
        }
        while True:
            most, least = (pick(workers, key=lambda worker: len(held[worker])) for pick in (max, min))
            if len(held[most]) <= len(held[least]) + 1:
                return
            i = held[most].pop()
            self._held[i] = self._place(i, least)
            held[least].append(i)

    # Questions and answers.

    def _ask(self, work: Callable[..., Any], shards: Iterable[int], *arguments: Any) -> list[Any]:
        """What `work` gives for each of these shards, in their order."""
        self._spread()
        answers = self._submit(work, shards, arguments)
        for _ in range(ATTEMPTS):
            self._wait(answers.values())
            for i, answer in answers.items():
                if answer.status == "error":
                    raise self._named(answer.exception(), i, arguments)
            try:
                found: list[Any] = self.client.gather(list(answers.values()))
                return found
            except CancelledError:  # data that were sent are gone with their worker
                if self._program.cancelled():
                    self._send_program()
                workers = self._workers()
                lost = [i for i, answer in answers.items() if answer.cancelled()]
                for i in lost:
                    self._held[i] = self._place(i, workers[i % len(workers)])
                answers |= self._submit(work, lost, arguments)
        raise RuntimeError(
            f"workers died in each of {ATTEMPTS} attempts: look into their logs, perhaps for lack of memory"
        )

    def _submit(self, work: Callable[..., Any], shards: Iterable[int], arguments: Sequence[Any]) -> dict[int, Any]:
        shards = list(shards)
        same = [[argument] * len(shards) for argument in arguments]
        futures = self.client.map(work, [self._held[i] for i in shards], *same, pure=False)
        return dict(zip(shards, futures, strict=True))

    def _wait(self, answers: Iterable[Any]) -> None:
        from distributed import wait

        while True:
            try:
                wait(list(answers), timeout=PATIENCE)
                return
            except CancelledError:
                return  # gathering tells which
            except TimeoutError:
                self._workers()  # none left is an error

    def _named(self, error: Exception, i: int, arguments: Sequence[Any]) -> Exception:
        """The error with the number that its sample has in all the data, or with a note about its shard."""
        sample = re.match(r"sample (\d+)", str(error))
        if arguments and sample:
            number = self._parts(arguments[-1])[i][int(sample[1])]
            return type(error)(f"sample {number}{str(error)[sample.end() :]}")
        error.add_note(f"(in shard {i}, counted from 0)")
        return error


class _Shard:
    """A compiled function and one shard, where it is computed.

    Arrays that have come through a wire may lie at addresses that are no multiple of 8. NumPy copies such an array at
    every use, so they are aligned once, wherever a shard arrives.
    """

    def __init__(self, fast: Compiled, rows: Sequence[Numbers]) -> None:
        self.fast, self.rows = fast, [_aligned(x) for x in rows]

    def __reduce__(self) -> Any:
        return _Shard, (self.fast, self.rows)

    def __sizeof__(self) -> int:  # for the scheduler, which moves what is small
        return sum(x.nbytes for x in self.rows)


def _aligned(array: Numbers) -> Numbers:
    return np.require(array, requirements="A")


# What workers do.


def _hold(fast: Compiled, shard: Shard) -> _Shard:
    batch = shard() if callable(shard) else shard
    return _Shard(fast, as_rows(batch, fast._widths, fast.dtype)[0])


def _count(shard: _Shard) -> int:
    return len(shard.rows[0])


def _value_and_grad(shard: _Shard, theta: Numbers, rows: slice | None) -> tuple[float, Numbers]:
    batch = shard.rows if rows is None else [x[rows] for x in shard.rows]
    return shard.fast.value_and_grad(*batch, theta=_aligned(theta))


def _values(shard: _Shard, theta: Numbers, rows: slice | None) -> Numbers:
    batch = shard.rows if rows is None else [x[rows] for x in shard.rows]
    return shard.fast(*batch, theta=_aligned(theta))
