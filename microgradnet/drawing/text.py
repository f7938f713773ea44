"""How numbers and labels are written in a picture: numbers rounded to be read, labels as text and nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

_NARROW = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾₀₁₂₃₄₅₆₇₈₉,.:;|!'()[]ijl ")
_WIDE = frozenset("−+=×≈…%@MWmw")
_JOINERS = "\u200c\u200d"  # invisible, but many scripts and emoji are wrong without them


def short(x: float | None, digits: int = 4) -> str:
    """A number to be read. None is a derivative that does not exist.

    >>> short(-1 / 3), short(float("-inf")), short(None)
    ('−0.3333', '−∞', 'undefined')
    """
    return _written(x if x is None else x + 0.0, f"{{:.{digits}g}}").replace("-", "−")  # + 0.0: no sign on a 0


def exact(x: float | None) -> str:
    """The number as Python writes it, every digit."""
    return _written(x, "{!r}")


def spread(numbers: Iterable[float], form: Callable[[float], str] = short) -> str:
    """Smallest and largest of some numbers; NaNs are counted beside them.

    >>> spread([2.0, -1.0, float("nan")])
    '−1 … 2, 1 NaN'
    """
    numbers = list(numbers)
    real = [x for x in numbers if x == x]
    low, high = (form(min(real)), form(max(real))) if real else ("", "")
    parts = [low if low == high else f"{low} … {high}"] if real else []
    if len(real) < len(numbers):
        parts.append(f"{len(numbers) - len(real)} NaN")
    return ", ".join(parts)


def shown(label: str, longest: int | None = None) -> str:
    r"""A label as it is shown: what no font can show, and what would turn other text around, as Python writes it.

    longest: at most so many characters, the last of them an ellipsis.

    >>> shown("two\nlines"), shown("a rather long label", 9)
    ('two\\nlines', 'a rather…')
    """
    text = "".join([c if _visible(c) else ascii(c)[1:-1] for c in label])
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def dot_label(lines: Iterable[str]) -> str:
    r"""Lines of shown text for a label in DOT, where backslashes and entities mean something.

    >>> print(dot_label(["a & b", r"C:\new"]))
    a &amp; b\nC:\\new
    """
    return r"\n".join([line.replace("&", "&amp;").replace("\\", r"\\") for line in lines])


def dot_tooltip(lines: Iterable[str]) -> str:
    r"""The same for a tooltip, in which Graphviz resolves backslashes twice.

    >>> print(dot_tooltip(["a & b", r"C:\new"]))
    a &amp; b\nC:\\\\new
    """
    return r"\n".join([line.replace("&", "&amp;").replace("\\", r"\\\\") for line in lines])


def width(text: str, size: float) -> float:
    """About how wide a text is, in points, in any usual sans-serif of this size.

    Ours and not the renderer's: some renderers count the bytes of letters beyond ASCII.
    """
    return size * sum(
        0.0
        if unicodedata.combining(c)
        else 0.4
        if c in _NARROW
        else 0.9
        if c in _WIDE
        else 1.0
        if unicodedata.east_asian_width(c) in "WF"
        else 0.62
        for c in text
    )


def subscript(n: int) -> str:
    """The number as an index: 12 as ₁₂."""
    return str(n).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def superscript(n: int) -> str:
    """The number set high: 12 as ¹²."""
    return str(n).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def plural(n: int, noun: str) -> str:
    """A number of things: 1 node, 24,855 nodes."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _written(x: float | None, form: str) -> str:
    if x is None:
        return "undefined"
    if x != x:
        return "NaN"
    if abs(x) == float("inf"):
        return "∞" if x > 0 else "-∞"
    return form.format(x)


def _visible(c: str) -> bool:
    if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return c in _JOINERS
    return ord(c) & 0xFFFE != 0xFFFE  # the code points that XML refuses
