"""Tables as HTML: how results appear in a notebook. The caller formats the cells, for text and for HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(names: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", note: str = "") -> str:
    """A table of text, escaped, its columns named; a title above and a note below, where there are any.

    >>> print(html_table(["a", "b"], [["1", "<2"]], note="& so on"))
    <table><thead><tr><th>a</th><th>b</th></tr></thead>
    <tbody><tr><td>1</td><td>&lt;2</td></tr></tbody></table>
    <p>&amp; so on</p>
    """
    body = "\n".join(_row("td", row) for row in rows)
    table = f"<table><thead>{_row('th', names)}</thead>\n<tbody>{body}</tbody></table>"
    above, below = (f"<p>{escape(text)}</p>" if text else "" for text in (title, note))
    return "\n".join(filter(None, [above, table, below]))


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
