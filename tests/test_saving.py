"""Saving and loading nets: bit for bit, and safe against damage, foreign files, pickles and failures."""

import io
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_nn import KINDS, ROOT, bits

from microgradnet import MLP

posix = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")


@st.composite
def any_nets(draw):
    nin, *sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    kinds = st.sampled_from(KINDS)
    net = MLP(nin, sizes, draw(kinds), output_activation=draw(kinds), seed=0)
    for p in net.parameters():
        p.data = draw(st.floats(allow_nan=False, allow_infinity=False))
    return net


def description(net):
    """All that a net is: bits of the parameters, labels, activations, architecture."""
    kinds = [neuron.activation for layer in net.layers for neuron in layer.neurons]
    return repr(net), bits(net), [p.label for p in net.parameters()], kinds


@given(net=any_nets())
def test_save_and_load_round_trip_bit_for_bit(net, tmp_path_factory):
    """Same architecture, same activations, same bits, same labels, for any finite weights."""
    path = tmp_path_factory.getbasetemp() / "any-name at all"
    net.save(path)
    assert description(MLP.load(str(path))) == description(net)


@pytest.mark.parametrize("change", ["NaN", "mixed activations"])
def test_save_refuses_what_load_would_refuse_or_change(change, tmp_path):
    """At once, and writes nothing."""
    net = MLP(2, [2, 1], seed=1)
    if change == "NaN":
        net.layers[0].neurons[0].b.data = math.nan
    else:
        net.layers[0].neurons[1].activation = "relu"
    with pytest.raises(ValueError, match=r"NaN|relu"):
        net.save(tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


def test_save_replaces_an_existing_file_and_leaves_nothing_else(tmp_path):
    """One file under the very name given, whatever its ending, with the permissions of any new file."""
    for seed, name in [(1, "net"), (2, "net"), (3, "net.npz"), (4, "net.tar.gz"), (5, "σ-Netz")]:
        net = MLP(2, [1], seed=seed)
        net.save(tmp_path / name)
        assert bits(MLP.load(tmp_path / name)) == bits(net)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net", "net.npz", "net.tar.gz", "σ-Netz"]
    (tmp_path / "plain").touch()
    assert (tmp_path / "net").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_missing_file_or_folder_is_file_not_found(tmp_path):
    """With the path in it, as Python's own open would say."""
    with pytest.raises(FileNotFoundError, match="missing"):
        MLP.load(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="missing"):
        MLP(2, [1]).save(tmp_path / "missing" / "net")
    assert list(tmp_path.iterdir()) == []


# What load refuses.


def assert_refused(path, content=None):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged or not a net") as refusal:
        MLP.load(path)
    assert str(path) in str(refusal.value)


def test_load_refuses_a_truncated_file(tmp_path):
    """However much of it is left."""
    MLP(2, [2, 1], seed=1).save(tmp_path / "net")
    whole = (tmp_path / "net").read_bytes()
    for length in range(0, len(whole), 7):
        assert_refused(tmp_path / "net", whole[:length])


@pytest.mark.slow
def test_load_refuses_a_flipped_bit_or_reads_the_same_net(tmp_path):
    """No damage to any byte gives another net, or any error but the clear one (some bytes, a date say, carry nothing)."""
    net, path = MLP(2, [2, 1], "tanh", output_activation="sigmoid", seed=1), tmp_path / "net"
    net.save(path)
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            loaded = MLP.load(path)
        except ValueError:
            refused += 1
        else:
            assert description(loaded) == description(net)
    assert refused > len(whole) / 2


class Burglar:
    """A pickle that breaks in when it is loaded."""

    def __init__(self, loot):
        self.loot = loot

    def __reduce__(self):
        return Path.touch, (self.loot,)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def zipped(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


FOREIGN = {
    "empty": b"",
    "zeros": b"\0" * 100,
    "text": b"not a net",
    "image": b"\x89PNG\r\n\x1a\n" + b"\0" * 50,
    "json": b'{"format": "net"}',
    "pickled list": pickle.dumps([1.0, 2.0]),
    "pickled net": pickle.dumps(MLP(2, [1])),
    "an array": npy(np.ones((2, 2))),
    "a pickled array": npy(np.array([{}], dtype=object), allow_pickle=True),
    "arrays": npz(A1=np.ones((1, 2)), b1=np.ones(1)),
    "no header": npz(header=np.array("no json")),
    "a list as header": npz(header=np.array("[]")),
    "another format": npz(header=np.array(json.dumps({"format": "something else"}))),
    "zipped text": zipped("hello.txt", "hello"),
    "zipped text as header": zipped("header.npy", "hello"),
    "an empty zip": b"PK\x05\x06" + b"\0" * 18,
}


@pytest.mark.parametrize("content", FOREIGN)
def test_load_refuses_a_foreign_file(content, tmp_path):
    """Clearly, with its name in the message."""
    assert_refused(tmp_path / "foreign", FOREIGN[content])


def test_load_never_runs_a_pickle(tmp_path):
    """Neither a bare one nor one inside an archive of arrays."""
    loot = tmp_path / "loot"
    burglar = np.array([Burglar(loot)], dtype=object)
    for content in (pickle.dumps(Burglar(loot)), npy(burglar, allow_pickle=True), npz(header=burglar)):
        assert_refused(tmp_path / "net", content)
        assert not loot.exists()


CHANGED_PARTS = {
    "A1": [np.ones((3, 2)), np.ones(2), np.ones((2, 2), dtype=complex), np.full((2, 2), np.nan), np.full((2, 2), "a")],
    "b1": [np.ones(3)],
    "A2": [np.ones((1, 3))],
    "activations": [["sigmoid", "sigmod"], ["sigmoid"] * 3, [], 2, [["relu"], "relu"], None],
    "format": ["microgradnet MLP, version 999", None],
}


@pytest.mark.parametrize(("name", "part"), [(name, part) for name, parts in CHANGED_PARTS.items() for part in parts])
def test_load_refuses_a_file_whose_parts_do_not_fit(name, part, tmp_path):
    """Shapes, activations and version are checked, not trusted."""
    MLP(2, [2, 1], seed=1).save(tmp_path / "net")
    with np.load(tmp_path / "net") as file:
        parts = dict(file)
    header = json.loads(str(parts.pop("header")))
    (header if name in header else parts)[name] = part
    assert_refused(tmp_path / "net", npz(header=np.array(json.dumps(header)), **parts))


# When saving fails.


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
@pytest.mark.parametrize("place", [(np, "savez"), (os, "fsync"), (os, "replace")], ids=["write", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(place, error, tmp_path, monkeypatch):
    """Wherever it fails: the error comes through, the file that was there is intact, no leftovers."""
    old, new = MLP(2, [1], seed=1), MLP(2, [1], seed=2)
    old.save(tmp_path / "net")

    def fail(file, *args, **kwds):
        if hasattr(file, "write"):
            file.write(b"half a net")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*place, fail)
        for name in ("net", "another"):
            with pytest.raises(type(error)):
                new.save(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert bits(MLP.load(tmp_path / "net")) == bits(old)


@posix
@pytest.mark.slow
def test_a_process_killed_while_saving_leaves_a_whole_file(tmp_path):
    """Killed at any moment, the file is the old net or the new one."""
    script = (
        "import sys; from microgradnet import MLP\n"
        "nets = [MLP(60, [50], seed=seed) for seed in (1, 2)]\n"
        "nets[0].save(sys.argv[1]); print('saving', flush=True)\n"
        "while True:\n"
        "    for net in nets: net.save(sys.argv[1])"
    )
    allowed = [bits(MLP(60, [50], seed=seed)) for seed in (1, 2)]
    for milliseconds in (11, 37):
        run = [sys.executable, "-c", script, str(tmp_path / "net")]
        with subprocess.Popen(run, env=os.environ | {"PYTHONPATH": ROOT}, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"saving\n"
            time.sleep(milliseconds / 1000)
            process.send_signal(signal.SIGKILL)
        assert bits(MLP.load(tmp_path / "net")) in allowed
