"""Files of nets: what is saved is loaded bit for bit, a file is written whole or not at all, and load trusts no file."""

import io
import json
import math
import os
import pickle
import stat
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgradnet import MLP

posix = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")
KINDS = ["sigmoid", "tanh", "relu", "softplus", "linear", "step"]
OLD, NEW = MLP(2, [3, 1], "tanh", seed=1), MLP(2, [3, 1], "tanh", seed=2)


def description(net):
    """All that a net is: bits of the parameters, labels, activations, architecture."""
    bits = [array.tobytes() for array in net.weights() + net.biases()]
    kinds = [neuron.activation for layer in net.layers for neuron in layer.neurons]
    return repr(net), bits, [p.label for p in net.parameters()], kinds


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_holds(path, net):
    assert description(MLP.load(path)) == description(net)


# What save writes, and where.


@settings(max_examples=settings.default.max_examples // 4)
@given(sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4), data=st.data())
def test_save_and_load_round_trip_bit_for_bit(sizes, data, tmp_path_factory):
    kinds = st.sampled_from(KINDS)
    net = MLP(sizes[0], sizes[1:], data.draw(kinds), output_activation=data.draw(kinds), seed=0)
    for p in net.parameters():
        p.data = data.draw(st.floats(allow_nan=False, allow_infinity=False))
    path = tmp_path_factory.getbasetemp() / "any-name at all"
    net.save(path)
    assert_holds(str(path), net)


def test_save_replaces_an_existing_file_and_leaves_nothing_else(tmp_path):
    """One file under the very name given, whatever its ending, with the permissions of any new file."""
    for net, name in [(OLD, "net"), (NEW, "net"), (NEW, "net.npz"), (NEW, "σ-Netz.tar.gz")]:
        net.save(tmp_path / name)
        assert_holds(tmp_path / name, net)
    assert names(tmp_path) == ["net", "net.npz", "σ-Netz.tar.gz"]
    (tmp_path / "plain").touch()
    assert (tmp_path / "net").stat().st_mode == (tmp_path / "plain").stat().st_mode


@posix
def test_save_writes_through_symlinks(tmp_path):
    """A chain of them still leads to the file, whether it was there or not."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere/net")
    (tmp_path / "chain").symlink_to(tmp_path / "link")
    for net in (OLD, NEW):
        net.save(tmp_path / "chain")
        assert_holds(tmp_path / "elsewhere" / "net", net)
    assert (tmp_path / "chain").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "elsewhere") == ["net"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o755], ids=oct)
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
    modes.append(stat.S_IMODE((tmp_path / "net").stat().st_mode))
    assert (len(modes), modes[-1]) == (3, mode)
    assert all(seen | mode == mode for seen in modes)


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
    assert names(tmp_path) == ["net"]
    assert_holds(tmp_path / "net", OLD)


# What save and load refuse.


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda neuron: setattr(neuron.b, "data", math.nan), "NaN"), (lambda n: setattr(n, "activation", "relu"), "relu")],
)
def test_save_refuses_what_load_would_refuse_or_change(change, words, tmp_path):
    """A number that is none, and a layer of mixed activations."""
    net = MLP(2, [2, 1], seed=1)
    change(net.layers[0].neurons[0])
    with pytest.raises(ValueError, match=words):
        net.save(tmp_path / "net")
    assert names(tmp_path) == []


@posix
def test_what_is_no_file_is_refused(tmp_path):
    """A pipe (or a device), a folder, a link in a circle, nothing: each is named and as it was; load waits for no pipe."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "circle").symlink_to("circle")
    refused = {"pipe": "not a regular file", "link": "not a regular file", "folder": "folder", "circle": "circle"}
    for name, words in (refused | {"missing/net": "missing"}).items():
        with pytest.raises(OSError, match=words):
            NEW.save(tmp_path / name)
    with pytest.raises(ValueError, match="not a regular file"):
        MLP.load(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="missing"):
        MLP.load(tmp_path / "missing")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert names(tmp_path) == sorted(refused)


def promising(shape, descr):
    """The bytes of an array whose header promises a shape and a type, without the numbers."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue()


def zipped(save=np.savez, **members):
    """An archive of arrays and of bytes, each as a member that ends in .npy."""
    file = io.BytesIO()
    save(file, **{name: x for name, x in members.items() if not isinstance(x, bytes)})
    with zipfile.ZipFile(file, "a") as archive:
        for name in members:
            if isinstance(members[name], bytes):
                archive.writestr(f"{name}.npy", members[name])
    return file.getvalue()


def net_file(changes=None, save=np.savez, **arrays):
    """A file as `save` writes it, of a header with changes, and of any arrays or bytes."""
    header = {"format": "microgradnet MLP, version 1", "activations": ["tanh", "tanh"]} | (changes or {})
    return zipped(save, header=np.array(json.dumps(header)), **arrays)


def layers(*shapes):
    """Arrays of zeros, A1 and b1, A2 and b2, …"""
    return {f"{name}{q}": np.zeros(s) for q, pair in enumerate(shapes, 1) for name, s in zip("Ab", pair, strict=True)}


class Burglar:
    """A pickle that breaks in when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


SMALL = layers(((2, 2), 2), ((1, 2), 1))
SIZELESS = {"A1": (10**6, 10**6), "b1": (10**6,), "A2": (1, 10**6), "b2": (1,)}
FOREIGN = {
    "empty": b"",
    "a pickle": pickle.dumps(Burglar()),
    "a pickle in an archive": zipped(header=np.array([Burglar()], dtype=object)),
    "no header": zipped(A1=np.ones((1, 2)), b1=np.ones(1)),
    "a header that is no JSON": zipped(header=np.array("no json")),
    "a list as header": zipped(header=np.array("[]")),
    "text as header": zipped(header=b"hello"),
    # What would take more memory than the file deserves.
    "matrices that do not follow each other": net_file(**layers(((2000, 1), 2000), ((2000, 1), 2000))),
    "a vector that does not fit": net_file(**layers(((1, 500_000), 2), ((1, 1), 1))),
    "compressed zeros": net_file(save=np.savez_compressed, **layers(((2000, 2000), 2000), ((1, 2000), 1))),
    "a promise without numbers": net_file(**(SMALL | {"A1": promising((10**6, 10**6), "<f8")})),
    "numbers of no size": net_file(**{name: promising(shape, "|V0") for name, shape in SIZELESS.items()}),
    "a part that nothing asks for": net_file(**SMALL, extra=np.zeros(500_000)),
    "a thousand layers and no parts": net_file({"activations": ["tanh"] * 1000}),
}
CHANGED = {
    "A1": [np.ones((3, 2)), np.ones(2), np.full((2, 2), np.nan), np.ones((2, 2), complex), np.ones((2, 2), "f2")],
    "b1": [np.ones(3)],
    "A2": [np.ones((1, 3))],
    "activations": [["sigmoid", "sigmod"], ["sigmoid"] * 3, [], [["relu"], "relu"], None],
    "format": ["microgradnet MLP, version 999", None],
}
for name, parts in CHANGED.items():
    for k, part in enumerate(parts):
        arrays = {name: part} if isinstance(part, np.ndarray) else {}
        FOREIGN[f"{name}, changed {k}"] = net_file({} if arrays else {name: part}, **(SMALL | arrays))


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_load_refuses_a_foreign_file_and_one_whose_parts_do_not_fit(content, tmp_path):
    """By name, and by names and sizes of its parts, before a large array or a Value is made; no pickle is ever run."""
    path = tmp_path / "foreign"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="damaged or not a net") as refusal:
            MLP.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(path) in str(refusal.value)
    assert peak < 1_000_000


def test_load_refuses_a_damaged_file_or_reads_the_same_net(tmp_path):
    """Cut, or with a bit flipped: no other net, no other error (some bytes, a date say, carry nothing)."""
    net, path = MLP(2, [2, 1], "tanh", output_activation="sigmoid", seed=1), tmp_path / "net"
    net.save(path)
    whole = path.read_bytes()
    path.write_bytes(net_file(**SMALL))  # what the files above are made of is read
    assert repr(MLP.load(path)) == "MLP(2, [2, 1], 'tanh'): 9 parameters"
    refused = 0
    for position in range(0, len(whole), 23):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(whole[:position])
        with pytest.raises(ValueError, match="damaged or not a net"):
            MLP.load(path)
        path.write_bytes(flipped)
        try:
            assert_holds(path, net)
        except ValueError:
            refused += 1
    assert refused > len(whole) / 46
