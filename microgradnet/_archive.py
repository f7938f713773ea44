"""A header and named arrays in one file, which is NumPy's archive: written whole or not at all, and read without pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

# The functions import what only they need: it would double the time of `import microgradnet`.


def write(path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write to a temporary file beside it, which takes the place of an existing one at the end."""
    import json
    import tempfile
    from pathlib import Path

    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{os.fspath(path)!r} is a folder: name a file in it")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]  # a stub without **kwds
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())  # a temporary file is its owner's alone, a saved net is not
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def content(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes."""
    from pathlib import Path

    return Path(path).read_bytes()


def read(content: bytes) -> tuple[Any, dict[str, npt.NDArray[Any]]]:
    """Header and arrays from the bytes that `write` wrote; of other bytes, any error."""
    import io
    import json
    import zipfile

    file = io.BytesIO(content)
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no archive of arrays")
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    return json.loads(str(arrays.pop("header"))), arrays


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
