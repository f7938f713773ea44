"""Saving and loading nets: bit for bit, and safe against damage, foreign files, pickles, traps and failures."""

import io
import json
import math
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_nn import KINDS, ROOT, bits

from microgradnet import MLP

posix = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")
OLD, NEW = MLP(2, [3, 1], "tanh", seed=1), MLP(2, [3, 1], "tanh", seed=2)


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


# What save writes, and where.


@given(net=any_nets())
def test_save_and_load_round_trip_bit_for_bit(net, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any-name at all"
    net.save(path)
    assert description(MLP.load(str(path))) == description(net)


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda neuron: setattr(neuron.b, "data", math.nan), "NaN"), (lambda n: setattr(n, "activation", "relu"), "relu")],
)
def test_save_refuses_what_load_would_refuse_or_change(change, words, tmp_path):
    net = MLP(2, [2, 1], seed=1)
    change(net.layers[0].neurons[0])
    with pytest.raises(ValueError, match=words):
        net.save(tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


def test_save_replaces_an_existing_file_and_leaves_nothing_else(tmp_path):
    """One file under the very name given, whatever its ending, with the permissions of any new file."""
    for net, name in [(OLD, "net"), (NEW, "net"), (NEW, "net.npz"), (NEW, "net.tar.gz"), (NEW, "σ-Netz")]:
        net.save(tmp_path / name)
        assert bits(MLP.load(tmp_path / name)) == bits(net)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net", "net.npz", "net.tar.gz", "σ-Netz"]
    (tmp_path / "plain").touch()
    assert (tmp_path / "net").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_missing_file_or_folder_is_file_not_found(tmp_path):
    for use in (MLP.load, NEW.save):
        with pytest.raises(FileNotFoundError, match="missing"):
            use(tmp_path / "missing" / "net")
    assert list(tmp_path.iterdir()) == []


@posix
def test_save_writes_through_symlinks(tmp_path):
    """A chain of them still leads to the file, whether it was there or not."""
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "net"
    (tmp_path / "link").symlink_to("elsewhere/net")
    (tmp_path / "chain").symlink_to(tmp_path / "link")
    for net in (OLD, NEW):
        net.save(tmp_path / "chain")
        assert bits(MLP.load(target)) == bits(MLP.load(tmp_path / "chain")) == bits(net)
    assert (tmp_path / "chain").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert [p.name for p in target.parent.iterdir()] == ["net"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755], ids=oct)
def test_a_file_keeps_its_mode_also_while_it_is_written(mode, tmp_path, monkeypatch):
    """Nobody else can read a private net, and the umask, which belongs to the whole process, stays."""
    OLD.save(tmp_path / "net")
    (tmp_path / "net").chmod(mode)
    modes, write = [], np.savez

    def watched(file, **arrays):
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir())
        write(file, **arrays)

    monkeypatch.setattr(np, "savez", watched)
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was touched"))
    NEW.save(tmp_path / "net")
    assert len(modes) == 2
    assert all(seen | mode == mode for seen in modes)
    assert stat.S_IMODE((tmp_path / "net").stat().st_mode) == mode
    assert bits(MLP.load(tmp_path / "net")) == bits(NEW)


@posix
def test_what_is_no_regular_file_is_refused(tmp_path):
    """A pipe (or a device), a folder, a link in a circle: each is named and still there; load does not wait for a pipe."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to the pipe").symlink_to("pipe")
    (tmp_path / "circle").symlink_to("circle")
    refused = {"pipe": "no regular file", "to the pipe": "no regular file", "folder": "folder", "circle": "circle"}
    for name, words in refused.items():
        with pytest.raises(OSError, match=words):
            NEW.save(tmp_path / name)
    with pytest.raises(ValueError, match="no regular file"):
        MLP.load(tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(refused)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anything")
def test_save_refuses_a_read_only_file(tmp_path):
    OLD.save(tmp_path / "net")
    (tmp_path / "net").chmod(0o400)
    with pytest.raises(PermissionError, match="read-only"):
        NEW.save(tmp_path / "net")
    assert bits(MLP.load(tmp_path / "net")) == bits(OLD)


# When saving fails.


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
@pytest.mark.parametrize("place", [(np, "savez"), (os, "fsync"), (os, "replace")], ids=["write", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(place, error, tmp_path, monkeypatch):
    OLD.save(tmp_path / "net")

    def fail(file, *args, **kwds):
        if hasattr(file, "write"):
            file.write(b"half a net")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*place, fail)
        for name in ("net", "another"):
            with pytest.raises(type(error)):
                NEW.save(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert bits(MLP.load(tmp_path / "net")) == bits(OLD)


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


# What load refuses.


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def zipped(compression=zipfile.ZIP_STORED, **members):
    """An archive of arrays and of bytes, each as a member that ends in .npy."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content if isinstance(content, bytes) else npy(content, allow_pickle=True))
    return file.getvalue()


def net_file(changes=None, compression=zipfile.ZIP_STORED, **arrays):
    """A file as `save` writes it, of a header with changes, and of any arrays or bytes."""
    header = {"format": "microgradnet MLP, version 1", "activations": ["tanh", "tanh"]} | (changes or {})
    return zipped(compression, header=np.array(json.dumps(header)), **arrays)


def layers(*shapes):
    """Arrays of zeros, A1 and b1, A2 and b2, …"""
    return {f"{name}{q}": np.zeros(s) for q, pair in enumerate(shapes, 1) for name, s in zip("Ab", pair, strict=True)}


SMALL = layers(((2, 2), 2), ((1, 2), 1))


def assert_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or not a net") as refusal:
        MLP.load(path)
    assert str(path) in str(refusal.value)


def test_load_reads_what_an_archive_of_arrays_holds(tmp_path):
    """The builder of the files below makes files that load."""
    (tmp_path / "net").write_bytes(net_file(**SMALL))
    assert repr(MLP.load(tmp_path / "net")) == "MLP(2, [2, 1], 'tanh'): 9 parameters"


def test_load_refuses_a_truncated_file(tmp_path):
    whole = net_file(**SMALL)
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


FOREIGN = {
    "empty": b"",
    "zeros": b"\0" * 100,
    "text": b"not a net",
    "image": b"\x89PNG\r\n\x1a\n" + b"\0" * 50,
    "json": b'{"format": "net"}',
    "pickled net": pickle.dumps(MLP(2, [1])),
    "an array": npy(np.ones((2, 2))),
    "a pickled array": npy(np.array([{}], dtype=object), allow_pickle=True),
    "no header": zipped(A1=np.ones((1, 2)), b1=np.ones(1)),
    "a header that is no JSON": zipped(header=np.array("no json")),
    "a list as header": zipped(header=np.array("[]")),
    "another format": zipped(header=np.array(json.dumps({"format": "something else"}))),
    "text as header": zipped(header=b"hello"),
    "an empty zip": b"PK\x05\x06" + b"\0" * 18,
}
CHANGED = {
    "A1": [
        np.ones((3, 2)),
        np.ones(2),
        np.full((2, 2), np.nan),
        *map(np.ones((2, 2)).astype, (complex, np.float16, str)),
    ],
    "b1": [np.ones(3)],
    "A2": [np.ones((1, 3))],
    "activations": [["sigmoid", "sigmod"], ["sigmoid"] * 3, [], 2, [["relu"], "relu"], None],
    "format": ["microgradnet MLP, version 999", None],
}
for name, parts in CHANGED.items():
    for k, part in enumerate(parts):
        arrays = {name: part} if isinstance(part, np.ndarray) else {}
        FOREIGN[f"{name}, changed {k}"] = net_file({} if arrays else {name: part}, **(SMALL | arrays))


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_load_refuses_a_foreign_file_and_one_whose_parts_do_not_fit(content, tmp_path):
    """Format, shapes, types and activations are checked, not trusted; the message has the file's name."""
    assert_refused(tmp_path / "foreign", content)


class Burglar:
    """A pickle that breaks in when it is loaded."""

    def __init__(self, loot):
        self.loot = loot

    def __reduce__(self):
        return Path.touch, (self.loot,)


def test_load_never_runs_a_pickle(tmp_path):
    """Neither a bare one nor one inside an archive of arrays."""
    loot = tmp_path / "loot"
    burglar = np.array([Burglar(loot)], dtype=object)
    for content in (pickle.dumps(Burglar(loot)), npy(burglar, allow_pickle=True), zipped(header=burglar)):
        assert_refused(tmp_path / "net", content)
        assert not loot.exists()


def promising(shape, descr):
    """The bytes of an array whose header promises a shape and a type, without the numbers."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue()


SIZELESS = {"A1": (10**6, 10**6), "b1": (10**6,), "A2": (1, 10**6), "b2": (1,)}
BOMBS = {
    "matrices that do not follow each other": net_file(**layers(((2000, 1), 2000), ((2000, 1), 2000))),
    "a vector that does not fit": net_file(**layers(((1, 500_000), 2), ((1, 1), 1))),
    "compressed zeros": net_file(None, zipfile.ZIP_DEFLATED, **layers(((2000, 2000), 2000), ((1, 2000), 1))),
    "a promise without numbers": net_file(**(SMALL | {"A1": promising((10**6, 10**6), "<f8")})),
    "numbers of no size": net_file(**{name: promising(shape, "|V0") for name, shape in SIZELESS.items()}),
    "a part that nothing asks for": net_file(**SMALL, extra=np.zeros(500_000)),
    "a thousand layers and no parts": net_file({"activations": ["tanh"] * 1000}),
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_load_takes_no_more_memory_than_a_file_deserves(content, tmp_path):
    """What does not make a net is refused by its names and sizes, before a large array or a Value is made."""
    (tmp_path / "net").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="damaged or not a net"):
            MLP.load(tmp_path / "net")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
