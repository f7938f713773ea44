"""A `graphviz.Digraph` that finds a program to render it, and that can be stepped through."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import graphviz  # type: ignore[import-untyped]
from graphviz.backend import dot_command  # type: ignore[import-untyped]

from .text import width

_FONT = "Helvetica"
_PURE = "graphviz-pure"
_SUFFIXES = graphviz.FORMATS - {"gv", "dot"}  # these two are those of a source
_rendering = threading.RLock()
_NO_RENDERER = (
    "no program to render the picture with: `pip install microgradnet[dot]` brings one into this Python, or install "
    "Graphviz (https://graphviz.org/download/) so that `dot` is on the PATH. The picture's .source is there without either"
)
_NO_FORMAT = (
    "graphviz-pure makes no {!r}, but svg, png, jpg and json. For PDF and other formats install Graphviz "
    "(https://graphviz.org/download/) so that `dot` is on the PATH, or print the SVG from a browser"
)


class PathOfPage(str):
    """Where a page was written; in a notebook, the page itself. It is copied into the notebook, so the file may go."""

    def _repr_html_(self) -> str:
        page = pathlib.Path(self).read_text(encoding="utf-8")
        quoted = page.replace("&", "&amp;").replace("'", "&#39;")
        return f"<div><iframe srcdoc='{quoted}' style='width: 100%; height: 40em; border: 0'></iframe></div>"


class NoRendererError(graphviz.ExecutableNotFound):  # type: ignore[misc]
    """There is no Graphviz to render with, or none that makes the format. The picture's `.source` needs none."""

    def __init__(self, message: str) -> None:
        RuntimeError.__init__(self, message)


class Picture(graphviz.Digraph):  # type: ignore[misc]
    """What `draw` returns: a `graphviz.Digraph` with all its attributes and methods, and `steps`.

    It renders with the system's `dot` or, where there is none, with graphviz-pure (the extra `dot`, which makes SVG,
    PNG, JPEG and JSON, but no PDF); a NoRendererError, which is a graphviz.ExecutableNotFound, where neither makes the
    format. The format is SVG unless another is asked for.

    play: writes the step-through page of this picture.
    """

    def __init__(self, *args: Any, play: Callable[[], str] | None = None, **attributes: Any) -> None:
        attributes.setdefault("format", "svg")
        super().__init__(*args, **attributes)
        self._play = play
        self._ours: int | None = None

    def drawn(self) -> Picture:
        """Itself, complete: what is added from now on has no place in our own layout."""
        self._ours = len(self.body)
        return self

    def __iter__(self, *args: Any, **options: Any) -> Any:
        added = self._ours is not None and len(self.body) > self._ours
        if added and self.graph_attr.get("layout") == "nop2":  # which takes no node without a place
            self.graph_attr |= {"layout": "neato", "inputscale": "72"}
        return super().__iter__(*args, **options)

    def pipe(self, *args: Any, **options: Any) -> Any:
        """As in `graphviz.Digraph`, without the renderer's warnings about fonts; `quiet=False` lets them through."""
        with _renderer():
            return super().pipe(*args, **{"quiet": True} | options)

    def render(self, filename: Any = None, *args: Any, **options: Any) -> Any:
        """As in `graphviz.Digraph`, with the format of the name's suffix, and without the renderer's warnings about fonts.

        render("net.png") writes net.png, and render("net") writes net.svg. `cleanup=False` keeps the DOT source;
        `quiet=False` lets the remarks through.
        """
        suffix = pathlib.Path(filename or "").suffix[1:].lower()
        if suffix in _SUFFIXES and not args and options.get("format") in (None, suffix):
            options.setdefault("outfile", pathlib.Path(options.get("directory") or "", filename))
            filename = f"{filename}.gv"
        with _renderer():
            return super().render(filename, *args, **{"quiet": True, "cleanup": True} | options)

    def steps(self, path: str | os.PathLike[str] = "steps.html") -> str:
        """Write a page on which the graph computes, and return its path.

        One self-contained HTML file, for the mouse or the keyboard alone. It plays the forward and the backward pass, node
        by node or layer by layer, or forward mode with the tangent of one leaf; every leaf can be changed, and all
        numbers follow at once; gradient descent moves the parameters, or all leaves that are not held, once or running. The backward pass starts from
        gradients of 0, whatever the values hold. A fragment opens a step: steps.html#3. An operation of your own needs
        a value that is an expression of the table's operations or a function of `math`; else the page keeps the
        recorded numbers there, and says so.

        In a notebook, the path shows itself as the page.

        A ValueError for a net, for several results, and for a graph that was folded.
        """
        if self._play is None:
            raise ValueError(
                "only a graph that is drawn in full, with one result, can be stepped through, no net and no compiled "
                "function: draw(cost) for a cost of a small net, with a higher limit=... if it was folded"
            )
        page = self._play()
        pathlib.Path(path).write_text(page, encoding="utf-8", newline="\n")
        return PathOfPage(os.fspath(path))

    def copy(self) -> Any:
        """A copy, as of every `graphviz.Digraph`."""
        copy = super().copy()
        copy._play, copy._ours = self._play, self._ours
        return copy


def literal(escaped: str) -> Any:
    """A DOT string that is text, whatever it looks like: `<…>` would be taken for markup."""
    return graphviz.nohtml(escaped)


def picture(direction: str, caption: list[str], play: Callable[[], str] | None = None, **graph: str) -> Picture:
    """An empty picture in the house style. direction: "LR" or "TB"; caption: its lines; graph: more attributes."""
    style = {"rankdir": direction, "bgcolor": "white", "fontname": _FONT, "fontsize": "10", "fontcolor": "#555555"}
    style |= {"outputorder": "edgesfirst", "labelloc": "b", "labeljust": "l"} | graph
    return Picture(
        graph_attr=style | {"label": _caption(caption, float(style["fontsize"]))},
        node_attr={"fontname": _FONT, "fontsize": "11", "style": "filled", "fillcolor": "white", "color": "#444444"},
        edge_attr={"fontname": _FONT, "fontsize": "10", "arrowsize": "0.6", "color": "#888888"},
        play=play,
    )


def _caption(lines: list[str], size: float) -> str:
    """A table as wide as the lines are in a wide font: a renderer with a narrow one leaves no room for others."""
    wide = max(width(line, size) for line in lines) * 1.1
    rows = [
        f'<tr><td align="left" fixedsize="true" width="{wide:.0f}" height="{1.5 * size:.0f}">{escape(line)}</td></tr>'
        for line in lines
    ]
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="0">{"".join(rows)}</table>>'


@contextmanager
def _renderer() -> Iterator[None]:
    """Let the graphviz package find graphviz-pure where there is no `dot`; NoRendererError if neither can render."""
    with _rendering:
        usual = dot_command.DOT_BINARY
        if shutil.which(os.fspath(usual)) is not None:
            yield
            return
        pure = shutil.which(_PURE) or shutil.which(_PURE, path=sysconfig.get_path("scripts"))
        if pure is None:
            raise NoRendererError(_NO_RENDERER)
        dot_command.DOT_BINARY = pathlib.Path(pure)
        try:
            yield
        except graphviz.CalledProcessError as error:
            unknown = re.search('Format: "(.*?)" not recognized', str(error.stderr))
            if unknown is None:
                raise
            raise NoRendererError(_NO_FORMAT.format(unknown[1])) from None
        finally:
            dot_command.DOT_BINARY = usual
