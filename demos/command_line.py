"""What the demos share: the options `--quick` and `--out`, a terminal without Greek letters, and a quiet end of a pipe."""

from __future__ import annotations

import argparse
import io
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path


def parse(argv: Sequence[str] | None, description: str, quick: str) -> argparse.Namespace:
    """The options of a demo, with a folder in `out` that exists and can be written; `quick` says what `--quick` does."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--out", type=_folder, default="out", metavar="DIR", help="folder for the pictures (out)")
    options = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a σ shows a question mark
    return options


def _folder(path: str) -> Path:
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # can it be written?
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot save in {folder}: {error.strerror}; name another folder") from error
    return folder


def run(main: Callable[[], None]) -> None:
    """Run a demo as a script: a reader that stops, as `| head` does, ends it without a traceback."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main()
