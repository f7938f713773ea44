"""The notebooks of the demos: what they show is what they give. And how results show themselves in one.

PYTHONPATH=. python tests/test_notebooks.py      runs all of them and keeps the new outputs
"""

import os
import re
import tempfile
from decimal import Decimal
from html import unescape
from itertools import zip_longest
from pathlib import Path

import nbformat
import pytest
from demo_runs import FOLDER, environment
from nbclient import NotebookClient

from microgradnet import MLP, Value, compare, draw, explain, gradcheck

NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")


def path(name):
    return FOLDER / f"{name}.ipynb"


def kept(name):
    """The notebook as it lies in the folder."""
    return nbformat.read(path(name), as_version=4)


def executed(name, folder):
    """The notebook, run anew in a folder. An error in a cell is raised. Nothing in it tells who ran it, or when."""
    notebook = kept(name)
    options = {"kernel_name": "python3", "record_timing": False, "coalesce_streams": True}
    client = NotebookClient(notebook, resources={"metadata": {"path": folder}}, **options)
    found = os.pathsep.join([str(FOLDER.parent), str(FOLDER)])
    client.execute(env=environment(PYTHONPATH=found, OMP_NUM_THREADS="1", IPYTHONDIR=str(folder)))
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if "data" in output:
                output.metadata = {}
                output.data["text/plain"] = re.sub(" at 0x[0-9a-f]+", "", output.data["text/plain"])
    return notebook


def printed(cell):
    """What a code cell printed and the tables it shows, as lines of text, without times and rounding errors."""
    lines = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "<table>" in data.get("text/html", ""):
            lines += _table(data["text/html"])
        else:
            lines += (output.get("text") or data["text/plain"]).splitlines()
    return [re.sub(r"[\d.]+ ms", "… ms", line) for line in lines]


def _table(html):
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]
    compared = [i for i, name in enumerate(rows[0]) if name not in ("seconds", "max error", "±")]
    return [" | ".join(row[i] for i in compared) for row in rows] + re.findall("<p>(.*?)</p>", html)


def alike(a, b):
    """Whether two lines differ by a unit in the last digit printed of a number at most: another CPU rounds otherwise."""
    words = [NUMBER.sub("#", line).split() for line in (a, b)]
    numbers = [[Decimal(number) for number in NUMBER.findall(line.replace(",", ""))] for line in (a, b)]
    return words[0] == words[1] and all(abs(m - n) <= _tolerance(m) for m, n in zip(*numbers, strict=True))


def _tolerance(number):
    """A unit of the last digit printed: 0.01 for 3.14, none for the whole number 3."""
    exponent = number.as_tuple().exponent
    return max(Decimal(10) ** exponent if exponent else 0, abs(number) * Decimal("1e-12"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_gives_what_it_shows(name, tmp_path):
    old, new = (
        [line for cell in notebook.cells if cell.cell_type == "code" for line in [*printed(cell), "end of the cell"]]
        for notebook in (kept(name), executed(name, tmp_path))
    )
    changed = [(a, b) for a, b in zip_longest(new, old, fillvalue="") if not alike(a, b)]
    assert not changed, "look, then run this file"


@pytest.mark.parametrize(("a", "b"), [("C = 0.123", "C = 0.125"), ("k = 3", "k = 4"), ("x", "y"), ("1e-20", "1e-19")])
def test_a_change_of_outputs_is_seen(a, b):
    """Of a word, and of a number beyond its last digit."""
    assert not alike(a, b)
    assert alike("C = 0.123, k 4,096", "C = 0.124, k  4,096")


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_outputs_are_a_clean_run(name):
    """From the first cell to the last, without an error or a remark; nothing of the machine that ran it; small."""
    cells = [cell for cell in kept(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    text = path(name).read_text(encoding="utf-8")
    assert not re.findall(r"0x[0-9a-f]{6,}|site-packages|\d{4}-\d\d-\d\dT", text)
    data = [{"text/": output.get("text", "")} | output.get("data", {}) for output in outputs]
    words = "\n".join(content for each in data for kind, content in each.items() if kind.startswith("text/"))
    words = re.sub(r"(?s)(<|&lt;)script.*?/script", "", words)  # of pages
    assert not re.findall(r"(?<![\w.<:/])/\w+/\S*", words), "a path"
    assert len(text) < 150_000


# How results show themselves.


def test_results_are_tables_with_the_cells_of_their_text():
    """Every word of the str is in the HTML, but for the signs between the columns of `explain`; a label is text in it."""
    x, named = Value(2.0, label="x"), Value(2.0, label="<b>&")
    for result in (
        gradcheck(lambda x, y: abs(x) * y, [0.0, 3.0]),  # with a note on its kink
        explain(x * x + 2 * x, x),
        explain(named * named, named),
        compare(MLP(2, [2, 1], seed=1), [0.5, -1.0], 1.0),
    ):
        html = result._repr_html_()
        assert set(str(result).split()) - {"=", "|"} <= set(unescape(re.sub("<.*?>", " ", html)).split())
        assert "<b>&" not in html


def test_the_path_of_a_page_shows_the_page(tmp_path):
    """The whole page in a frame of its own; as a str it is the path."""
    x = Value(2.0, label="it's <b>&amp;")
    page = draw(x * x).steps(tmp_path / "steps.html")
    assert page == str(tmp_path / "steps.html")
    (quoted,) = re.findall("srcdoc='([^']*)'", page._repr_html_())
    assert unescape(quoted) == (tmp_path / "steps.html").read_text(encoding="utf-8")


def keep_all():
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            text = nbformat.writes(executed(name, Path(folder)), indent=1, ensure_ascii=False)
        path(name).write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    keep_all()
