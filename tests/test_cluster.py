"""Data on a Dask cluster: the same numbers as one process, whatever happens to a worker; and the snippets beside it."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from demo_runs import FOLDER, environment

from microgradnet import MLP, Compiled, Descent, DivergenceError, Value, cluster, compile, cross_entropy
from microgradnet.cluster import Sharded

COUNTS = (3, 1, 8)
SEED = np.random.default_rng(5)
X, R = SEED.normal(size=(sum(COUNTS), 4)), SEED.integers(0, 2, (sum(COUNTS), 2)).astype(float)


def compiled():
    """A new net's cost, compiled."""
    net = MLP(4, [3, 2], seed=1)
    return compile(lambda x, r: cross_entropy(net(x), r), 4, 2)


def parts(*arrays, counts=COUNTS):
    """The arrays in shards of so many samples."""
    ends = np.cumsum(counts)
    return [tuple(array[end - count : end] for array in arrays) for count, end in zip(counts, ends, strict=True)]


def as_given(kind, shards):
    return shards if kind == "arrays" else [lambda shard=shard: shard for shard in shards]


@contextmanager
def started(**how):
    """A client of a cluster on the loopback, with two workers unless told otherwise."""
    distributed = pytest.importorskip("distributed", reason="comes with the extra 'cluster'")
    how = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "protocol": "tcp", "processes": False} | how
    with (
        distributed.LocalCluster(dashboard_address="127.0.0.1:0", silence_logs="CRITICAL", **how) as workers,
        distributed.Client(workers, timeout=30) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    """Its workers are threads of this process, to which everything goes through the wire nevertheless."""
    with started() as client:
        yield client


@pytest.mark.parametrize("kind", ["arrays", "loaders"])
def test_one_process_computes_the_same(client, kind):
    """Shards of different lengths weigh as many samples as they have; all data, a batch of rows, other parameters."""
    fast = compiled()
    cost = Sharded(client, fast, as_given(kind, parts(X, R)))
    theta = fast.theta() + 0.5
    rows = np.flatnonzero(np.concatenate([np.arange(count) < 2 for count in COUNTS]))
    for found, wanted in [
        (cost.value_and_grad(), fast.value_and_grad(X, R)),
        (cost.value_and_grad(theta), fast.value_and_grad(X, R, theta=theta)),
        (cost.value_and_grad(rows=slice(2)), fast.value_and_grad(X[rows], R[rows])),
        (cost.value_and_grad(rows=slice(5, 7)), fast.value_and_grad(X[9:11], R[9:11])),
    ]:
        np.testing.assert_allclose(found[0], wanted[0], rtol=1e-14)
        np.testing.assert_allclose(found[1], wanted[1], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(cost.values(), fast(X, R), rtol=1e-14)
    np.testing.assert_allclose(cost.values(theta, slice(2)), fast(X[rows], R[rows], theta=theta), rtol=1e-14)
    outputs = compile(MLP(4, [3, 2], seed=1), 4)  # a row per sample
    np.testing.assert_allclose(Sharded(client, outputs, as_given(kind, parts(X))).values(), outputs(X), rtol=1e-14)


def test_training_takes_the_steps_of_one_process(client):
    """By steepest descent on all samples, and on rows in turn; the parameters of the net change."""
    alone, shared = compiled(), compiled()
    cost = Sharded(client, shared, parts(X, R, counts=(6, 6)))
    for rows, batches in [(None, [slice(None)] * 3), (4, [[0, 1, 2, 3, 6, 7, 8, 9], [4, 5, 10, 11]] * 2)]:
        for mean, batch in zip(cost.train(Descent(0.5), len(batches), rows_per_step=rows), batches, strict=True):
            value, gradient = alone.value_and_grad(X[batch], R[batch])
            assert mean == pytest.approx(value, rel=1e-13)
            alone.assign(Descent(0.5).step(alone.theta(), gradient))
            np.testing.assert_allclose(shared.theta(), alone.theta(), rtol=1e-12)


def test_diverging_training_keeps_the_last_step(client):
    """As `train` does."""
    w = Value(1.0)
    fast = compile(lambda x: (w * x[0]) ** 4, 1)
    cost = Sharded(client, fast, [([[1.0], [2.0]],)])
    kept = [w.data]
    steps = (kept.append(w.data) for _ in cost.train(Descent(1.0), 100))
    with pytest.raises(DivergenceError, match=r"in step \d+ .*smaller learning rate"):
        list(steps)
    assert len(kept) > 2
    assert w.data == kept[-1]


class Deadly(Compiled):
    """A compiled function that kills its process while a step is computed, if a file is there, which goes first."""

    def value_and_grad(self, *batch, theta=None):
        if len(batch[0]) == COUNTS[2] and self.file.exists():
            self.file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().value_and_grad(*batch, theta=theta)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes die otherwise there")
def test_a_worker_that_dies_in_a_step_changes_no_bit(tmp_path):
    """Its shards go on elsewhere; the worker that takes its place gets its part of them."""
    with started(processes=True) as client:
        for kind in ("arrays", "loaders"):
            fast = compiled()
            fast.__class__, fast.file = Deadly, tmp_path / "file"
            cost = Sharded(client, fast, as_given(kind, parts(X, R)))
            value, gradient = cost.value_and_grad()
            before = set(client.nthreads())
            fast.file.touch()
            for _ in range(2):  # the step in which it dies, and one with the worker that is new
                again, same = cost.value_and_grad()
                assert again == value
                np.testing.assert_array_equal(same, gradient)
                assert not fast.file.exists()
                client.wait_for_workers(2, timeout=60)
            assert set(client.nthreads()) != before
            where = client.who_has(cost._held)
            assert {address for addresses in where.values() for address in addresses} == set(client.nthreads())


def test_an_error_names_the_sample_in_all_the_data(client):
    """Whether it is NaN or outside a domain, and in a batch, too."""
    logarithm = compile(lambda x: x[0].log(), 1)
    x = np.ones((12, 1))
    x[[7, 9]] = -1.0
    cost = Sharded(client, logarithm, parts(x))
    for ask in (cost.values, cost.value_and_grad, partial(cost.values, rows=slice(2, None))):
        with pytest.raises(ValueError, match=r"^sample 7: cannot take 'log' of -1\.0"):
            ask()
    x[7], x[9] = np.nan, 1.0
    with pytest.raises(ValueError, match=r"^sample 7 of input 1 is NaN"):
        Sharded(client, logarithm, parts(x)).value_and_grad()


def fail():
    raise FileNotFoundError(2, "No such file", "part-1.npy")


def sharded(shards):
    return lambda client: Sharded(client, compiled(), shards)


def asked(ask):
    return lambda client: ask(Sharded(client, compiled(), parts(X, R)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (sharded([]), ValueError, "no shards"),
        (sharded([(X, R), (X[:0], R[:0])]), ValueError, r"empty batch.*\n.*shard 1"),
        (sharded([(X, R), (X[:, :3], R)]), ValueError, r"shape \(12, 3\).*\n.*shard 1"),
        (sharded([lambda: (X, R), fail]), FileNotFoundError, r"part-1.npy.*\n.*shard 1"),
        (lambda client: Sharded(client, MLP(4, [1]), parts(X, R)), TypeError, "give what compile"),
        (asked(lambda cost: cost.values(rows=slice(8, None))), ValueError, "the longest has 8"),
        (asked(lambda cost: cost.value_and_grad([0.0, 0.0])), ValueError, r"theta has shape \(2,\)"),
        (asked(lambda cost: next(cost.train(Descent(1.0), 1, rows_per_step=0))), ValueError, "rows_per_step is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(client, call, error, message):
    """A shard that does not fit is named when it is placed."""
    with pytest.raises(error, match=message):
        call(client)


def test_a_cluster_without_workers_and_a_closed_client():
    """Both are said before a worker is waited for."""
    with started(n_workers=0) as client:
        for closed, message in ((False, "no workers"), (True, "client is closed")):
            if closed:
                client.close()
            with pytest.raises(RuntimeError, match=message):
                Sharded(client, compiled(), parts(X, R))


@pytest.mark.slow
def test_the_demo():
    """A quick run compares with one process, trains, and tells more digits right than by chance; nothing but progress goes to stderr."""
    pytest.importorskip("distributed", reason="comes with the extra 'cluster'")
    command = [sys.executable, "-W", "error", FOLDER / "cluster.py", "--quick"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(), timeout=120)
    assert float(re.search(r"([\d.]+)% are told right", ran.stdout)[1]) > 12.0
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_the_snippets_of_the_modules_first_paragraph(capsys):
    """A cluster trains; L-BFGS then ends where the gradient vanishes; and threads give the numbers of all data at once."""
    for extra in ("distributed", "scipy.optimize"):
        pytest.importorskip(extra)
    X = np.random.default_rng(2).normal(size=(1000, 4))
    R, fast = (X[:, :2] > 0.3).astype(float), compiled()
    names = {"np": np, "X": X, "R": R, "fast": fast}
    start = fast.value_and_grad(X, R)[0]
    for block in re.findall(r"(?:^(?: {4}.*)?\n)+", cluster.__doc__, re.MULTILINE):
        exec(textwrap.dedent(block), names)
    means = [float(line) for line in capsys.readouterr().out.split()]
    assert len(means) == 100
    assert means[-1] < means[0] == pytest.approx(start, rel=1e-13)
    value, gradient = fast.value_and_grad(X, R)
    assert value < 0.1 * start
    assert abs(gradient).max() < 1e-2
    np.testing.assert_allclose(names["value"], value, rtol=1e-14)
    np.testing.assert_allclose(names["gradient"], gradient, rtol=1e-12, atol=1e-15)
