"""The notebooks of the demos: what they show is what they give."""

import math
import re
from html import unescape

import notebooks
import pytest
from notebooks import NAMES, executed, kept, path, printed

from microgradnet import MLP, Epoch, Value, compare, draw, explain, gradcheck

NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")


def differing(ours, theirs):
    """The lines that differ by more than a unit in the last digit printed of a number: another CPU rounds otherwise."""
    pairs = zip(ours + [""] * len(theirs), theirs + [""] * len(ours), strict=True)
    return [(a, b) for a, b in pairs if not _alike(a, b)]


def _alike(a, b):
    words = [re.sub(r"\s+", " ", NUMBER.sub("#", text)) for text in (a, b)]
    numbers = [NUMBER.findall(text) for text in (a, b)]
    return words[0] == words[1] and all(
        math.isclose(float(m.replace(",", "")), float(n.replace(",", "")), rel_tol=1e-12, abs_tol=1.01 * _unit(m))
        for m, n in zip(*numbers, strict=True)
    )


def _unit(number):
    """Of the last digit printed: 0.01 for 3.14, 0 for the whole number 3."""
    digits, _, exponent = number.replace(",", "").partition("e")
    decimals = len(digits.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals) if decimals or exponent else 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_gives_what_it_shows(name, tmp_path):
    old = [printed(cell) for cell in kept(name).cells if cell.cell_type == "code"]
    new = [printed(cell) for cell in executed(name, tmp_path).cells if cell.cell_type == "code"]
    assert [differing(a, b) for a, b in zip(new, old, strict=True)] == [[]] * len(old), (
        "the outputs kept are old: look at the change, then run tests/notebooks.py"
    )


def test_a_change_of_outputs_is_seen():
    """Of a word, of a number beyond its last digit, and of the number of lines."""
    assert differing(["C = 0.123", "k 4,096"], ["C = 0.124", "k  4,096"]) == []
    assert len(differing(["C = 0.123", "k = 3", "x", "1e-20"], ["C = 0.125", "k = 4", "y", "1e-19", "more"])) == 5


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_outputs_are_a_clean_run(name):
    """From the first cell to the last, without an error or a remark; nothing of the machine that ran it."""
    cells = [cell for cell in kept(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    text = path(name).read_text(encoding="utf-8")
    assert not re.findall(r"0x[0-9a-f]{6,}|/home/|/root/|/tmp/|/usr/|site-packages|\d{4}-\d\d-\d\dT", text)


def test_the_notebooks_are_small():
    assert sum(path(name).stat().st_size for name in NAMES) < 300_000


def test_every_notebook_is_tested():
    assert sorted(notebooks.FOLDER.glob("*.ipynb")) == [path(name) for name in sorted(NAMES)]


# How results show themselves in one.


def test_results_are_tables_with_the_cells_of_their_text():
    """Every word of the str is in the HTML, but for the signs between the columns of `explain`."""
    x = Value(2.0, label="x")
    for result in (
        gradcheck(lambda x, y: abs(x) * y, [0.0, 3.0]),  # with a note on its kink
        explain(x * x + 2 * x, x),
        compare(MLP(2, [2, 1], seed=1), [0.5, -1.0], 1.0),
    ):
        shown = unescape(re.sub("<.*?>", " ", result._repr_html_())).split()
        assert set(str(result).split()) - {"=", "|"} <= set(shown)


def test_an_epoch_is_a_row_of_what_is_known():
    full = Epoch(3, 0.5, 0.875, 1.25, validation_cost=0.625, validation_accuracy=0.5)._repr_html_()
    assert re.findall("<th>(.*?)</th>", full)[-1] == "seconds"
    assert re.findall("<td>(.*?)</td>", full) == ["3", "0.5", "87.5%", "0.625", "50.0%", "1.25"]
    assert re.findall("<td>(.*?)</td>", Epoch(3, 0.5, None, 1.25)._repr_html_()) == ["3", "0.5", "1.25"]


def test_a_label_is_text_in_a_table():
    x = Value(2.0, label="<b>&")
    assert "* → &lt;b&gt;&amp;" in explain(x * x, x)._repr_html_()


def test_the_path_of_a_page_shows_the_page(tmp_path):
    """The whole page in a frame of its own; as a str it is the path."""
    x = Value(2.0, label="it's <b>&amp;")
    page = draw(x * x).steps(tmp_path / "steps.html")
    assert page == str(tmp_path / "steps.html")
    (quoted,) = re.findall("srcdoc='([^']*)'", page._repr_html_())
    written = (tmp_path / "steps.html").read_text(encoding="utf-8")
    assert quoted.replace("&#39;", "'").replace("&amp;", "&") == written
