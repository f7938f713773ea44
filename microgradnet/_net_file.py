"""Files of nets: matrices, biases and the names of the activations in one archive of NumPy's.

A file is written whole or not at all, to where a symlink leads, and keeps its mode. It is read member by member: first
their names and sizes, then, if these make a net, the numbers. So a file that is damaged or foreign takes no more memory
than its own size, and no code from it is ever run. What the activations are, and how a net is made, is left to `nn`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._validation import Floats

if TYPE_CHECKING:
    import zipfile
    from pathlib import Path

# The functions import what only they need: it would double the time of `import microgradnet`.

_FORMAT = "microgradnet MLP, version 1"
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change the ends of lines


def write(path: str | os.PathLike[str], activations: Sequence[str], A: Sequence[Floats], b: Sequence[Floats]) -> None:
    """Write a net: for each layer an activation, the matrix A⁽q⁾ and the vector b⁽q⁾.

    The new file is written beside the old one, and takes its place at the end. An OSError for a path that is a folder or
    anything else that is not a regular file, or that may not be written.
    """
    import json

    header = np.array(json.dumps({"format": _FORMAT, "activations": list(activations)}))
    arrays = {f"{name}{q}": array for name, each in (("A", A), ("b", b)) for q, array in enumerate(each, 1)}

    def write_arrays(file: IO[bytes]) -> None:
        np.savez(file, header=header, **arrays)  # type: ignore[arg-type]  # a stub without **kwds

    _replace(path, write_arrays)


def read(path: str | os.PathLike[str]) -> tuple[list[str], list[Floats], list[Floats]]:
    """Activations, matrices and vectors of the layers, of shapes that fit together.

    An OSError for a missing file; any other error for a file that `write` has not written.
    """
    import stat
    from pathlib import Path

    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise ValueError("it is not a regular file")
    with Path(path).open("rb") as file:
        try:
            return _read(file)
        except OSError as error:  # of a damaged archive, which sends the reader to places that are not there
            raise ValueError(str(error)) from error


def _read(file: IO[bytes]) -> tuple[list[str], list[Floats], list[Floats]]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        total = sum(member.file_size for member in members.values())
        if total > os.fstat(file.fileno()).st_size or len(members) != len(archive.infolist()):
            raise ValueError("its parts are compressed, overlap, or share a name")
        header = _header(archive, members["header"])
        layers = range(1, len(header["activations"]) + 1)
        wanted = [f"{name}{q}" for name in "Ab" for q in layers]
        if set(members) != {"header", *wanted}:
            raise ValueError(f"it holds {', '.join(members)}, where header, {', '.join(wanted)} were expected")
        shapes = {name: _shape(archive, members[name], "f") for name in wanted}
        _check_shapes([shapes[f"A{q}"] for q in layers], [shapes[f"b{q}"] for q in layers])
        A, b = [[_array(archive, members[f"{name}{q}"], "f") for q in layers] for name in "Ab"]
    return header["activations"], A, b


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> dict[str, Any]:
    import json

    header: dict[str, Any] = json.loads(str(_array(archive, member, "U")))
    if header["format"] != _FORMAT:
        raise ValueError(f"its format is {header['format']!r}, not {_FORMAT!r}")
    activations = header["activations"]
    if not isinstance(activations, list) or not all(isinstance(name, str) for name in activations) or not activations:
        raise ValueError(f"its activations are {activations!r}, where a list of names was expected")
    return header


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, kind: str) -> npt.NDArray[Any]:
    _shape(archive, member, kind)
    with archive.open(member) as part:
        array: npt.NDArray[Any] = np.lib.format.read_array(part, allow_pickle=False)
        part.read(1)  # at its end, the archive checks its sum
    return array


def _shape(archive: zipfile.ZipFile, member: zipfile.ZipInfo, kind: str) -> tuple[int, ...]:
    """Of an array, by its own header, which must promise numbers of a kind and as many bytes as there are."""
    with archive.open(member) as part:
        version = np.lib.format.read_magic(part)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
            version
        ]
        shape, _, dtype = read_header(part)
        size = part.tell() + dtype.itemsize * math.prod(shape)
    if dtype.kind != kind or dtype.itemsize < 4 or size != member.file_size:
        raise ValueError(f"{member.filename} promises shape {shape} of {dtype}, and is {member.file_size} bytes long")
    return shape


def _check_shapes(A: list[tuple[int, ...]], b: list[tuple[int, ...]]) -> None:
    for q, (matrix, vector) in enumerate(zip(A, b, strict=True)):
        fits = len(matrix) == 2 and vector == matrix[:1] and (q == 0 or matrix[1] == A[q - 1][0])
        if not fits or 0 in matrix:
            raise ValueError(f"A{q + 1} of shape {matrix} and b{q + 1} of shape {vector} make no layer {q + 1}")


def _replace(path: str | os.PathLike[str], write_content: Callable[[IO[bytes]], None]) -> None:
    """Write a file beside the target, of the same mode and owner, and put it in the target's place."""
    import secrets
    from pathlib import Path

    target = Path(os.path.realpath(path))
    old = _replaceable(target, path)
    beside = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        # The mode of a new file is left to the umask, which need not be known. Until it gets the mode of an old one, a
        # file is private.
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600 if old else 0o666)
        with os.fdopen(handle, "wb") as file:
            if old:
                _make_alike(beside, old)
            write_content(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _replaceable(target: Path, path: str | os.PathLike[str]) -> os.stat_result | None:
    """The `stat` of an existing file; None if there is none. An OSError for what must not be replaced."""
    import stat

    try:
        old = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(f"{os.fspath(path)!r} is a folder: name a file in it")
    if not stat.S_ISREG(old.st_mode):
        raise OSError(f"{os.fspath(path)!r} is not a regular file, and would be replaced by one: name another")
    if not os.access(target, os.W_OK):
        raise PermissionError(f"{os.fspath(path)!r} is read-only: make it writable, or name another")
    return old


def _make_alike(file: Path, old: os.stat_result) -> None:
    import stat
    from contextlib import suppress

    if hasattr(os, "chown") and (os.geteuid(), os.getegid()) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):
            os.chown(file, old.st_uid, old.st_gid)
    file.chmod(stat.S_IMODE(old.st_mode))
