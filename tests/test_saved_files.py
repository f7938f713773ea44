"""Files of nets: what `save` leaves alone, and what `load` takes to refuse."""

import io
import json
import os
import stat
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from microgradnet import MLP

posix = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")


def bits(net):
    return [p.data.hex() for p in net.parameters()]


OLD, NEW = MLP(2, [3, 1], "tanh", seed=1), MLP(2, [3, 1], "tanh", seed=2)


# Save.


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
def test_save_keeps_the_mode_of_a_file(mode, tmp_path):
    """A private net stays private."""
    OLD.save(tmp_path / "net")
    (tmp_path / "net").chmod(mode)
    NEW.save(tmp_path / "net")
    assert stat.S_IMODE((tmp_path / "net").stat().st_mode) == mode
    assert bits(MLP.load(tmp_path / "net")) == bits(NEW)


@posix
def test_no_one_can_read_a_private_file_while_it_is_written(tmp_path, monkeypatch):
    """Nor does a save touch the umask, which belongs to the whole process."""
    OLD.save(tmp_path / "net")
    (tmp_path / "net").chmod(0o600)
    seen = []

    def watched(file, *arguments, **arrays):
        seen.append({stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()})

    monkeypatch.setattr(np, "savez", watched)
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was touched"))
    NEW.save(tmp_path / "net")
    assert seen == [{0o600}]


@posix
def test_save_refuses_what_is_no_regular_file(tmp_path):
    """A pipe (or a device), a folder, a link in a circle: each is named and still there."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to the pipe").symlink_to("pipe")
    (tmp_path / "circle").symlink_to("circle")
    for name, words in (
        ("pipe", "no regular file"),
        ("to the pipe", "no regular file"),
        ("folder", "folder"),
        ("circle", "circle"),
    ):
        with pytest.raises(OSError, match=words):
            NEW.save(tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["circle", "folder", "pipe", "to the pipe"]


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anything")
def test_save_refuses_a_read_only_file(tmp_path):
    """As open(path, "w") would."""
    OLD.save(tmp_path / "net")
    (tmp_path / "net").chmod(0o400)
    with pytest.raises(PermissionError, match="read-only"):
        NEW.save(tmp_path / "net")
    assert bits(MLP.load(tmp_path / "net")) == bits(OLD)


# Load.


def archive(compression=zipfile.ZIP_STORED, activations=("tanh", "tanh"), **arrays):
    """A file as `save` writes it, of any arrays or bytes."""
    header = np.array(json.dumps({"format": "microgradnet MLP, version 1", "activations": list(activations)}))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, array in {"header": header, **arrays}.items():
            member = io.BytesIO()
            np.save(member, array) if isinstance(array, np.ndarray) else member.write(array)
            file.writestr(f"{name}.npy", member.getvalue())
    return content.getvalue()


def promising(shape, descr, data=b""):
    """The bytes of an array whose header promises a shape and a type."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue() + data


def layers(*shapes):
    """Arrays of zeros, A1 and b1, A2 and b2, …"""
    return {f"{name}{q}": np.zeros(s) for q, pair in enumerate(shapes, 1) for name, s in zip("Ab", pair, strict=True)}


def test_load_reads_what_an_archive_of_arrays_holds(tmp_path):
    """The builder of the files below makes files that load."""
    (tmp_path / "net").write_bytes(archive(**layers(((3, 2), 3), ((1, 3), 1))))
    assert repr(MLP.load(tmp_path / "net")) == "MLP(2, [3, 1], 'tanh'): 13 parameters"


BOMBS = {
    "matrices that do not follow each other": archive(**layers(((2000, 1), 2000), ((2000, 1), 2000))),
    "a vector that does not fit": archive(**layers(((1, 500_000), 2), ((1, 1), 1))),
    "compressed zeros": archive(zipfile.ZIP_DEFLATED, **layers(((2000, 2000), 2000), ((1, 2000), 1))),
    "a promise without numbers": archive(**(layers(((2, 2), 2), ((1, 2), 1)) | {"A1": promising((10**6, 10**6), "<f8")})),
    "numbers of no size": archive(**{name: promising(shape, "|V0") for name, shape in
                                     {"A1": (10**6, 10**6), "b1": (10**6,), "A2": (1, 10**6), "b2": (1,)}.items()}),
    "a part that nothing asks for": archive(**layers(((2, 2), 2), ((1, 2), 1)), extra=np.zeros(500_000)),
    "a thousand layers and no parts": archive(activations=["tanh"] * 1000),
}  # fmt: skip


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


@posix
def test_load_refuses_a_pipe_instead_of_waiting(tmp_path):
    """A pipe without a writer would never end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular file"):
        MLP.load(tmp_path / "pipe")
