"""`demos/forward_vs_backward.py` runs, prints what it says it prints, and saves its picture."""

import re

import forward_vs_backward as demo
import numpy as np
import pytest
from demo_runs import quick_run
from matplotlib.image import imread


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A quick run: what it printed, and where its picture is."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    return quick_run("forward_vs_backward", out), out / "forward_vs_backward.png"


def test_the_lectures_net_comes_first(quick):
    """Its table, with the lecture's unknowns: 8 nodes, and 8 times 24 + 12 + 3 edges."""
    text, _ = quick
    unknowns = dict(re.findall(r"^(\S.*?) {2,}(\d+) +[\d,]+ +\d\S+ +\d\S* ulp$", text, re.MULTILINE))
    backward = {"backward, graph": "8", "compiled": "8", "?-recursion": "8"}
    assert f"One gradient, {['four', 'five', 'six'][len(unknowns) - 4]} ways:" in text
    assert unknowns == backward | {"forward, graph": "312", "naive formulas": "312"}


def test_the_exponents_are_about_one_and_about_two(quick):
    """Unknowns exactly so; multiplications within a third, as small nets have more of what does not grow."""
    text, _ = quick
    for method, power in (("backward", 1), ("forward", 2)):
        found = re.search(
            rf"^  {method}, graph: +unknowns ~ P\^(\S+), multiplications ~ P\^(\S+), seconds", text, re.MULTILINE
        )
        assert float(found[1]) == power
        assert abs(float(found[2]) - power) < 1 / 3


def test_the_picture_is_saved(quick):
    """In a folder that is made for it; not blank."""
    text, path = quick
    assert f"The picture: {path}\n" in text
    pixels = imread(path)
    assert pixels.shape[:2] == (675, 1500)
    assert np.ptp(pixels[..., 0]) > 0.5


def test_the_closing_line_says_how_much_each_direction_grew(quick):
    """Backward as the parameters do, forward as their square, within a third."""
    text, _ = quick
    line = text.rstrip().splitlines()[-1]
    number = r"([\d,.]+)"
    found = re.fullmatch(
        rf"Seen: with {number} times the parameters, the same gradient takes {number} multiplications backward "
        rf"\({number} times as many\), {number} multiplications forward \({number} times as many\)\.",
        line,
    )
    growth, least, backward, most, forward = (float(word.replace(",", "")) for word in found.groups())
    assert abs(np.log(backward) / np.log(growth) - 1) < 1 / 3
    assert abs(np.log(forward) / np.log(growth) - 2) < 1 / 3
    assert least < most


def test_a_fit_of_a_power_is_that_power():
    """y = 3 x² has the slope 2 and the height ln 3."""
    slope, height = demo.fit([1.0, 2.0, 5.0], [3.0, 12.0, 75.0])
    assert slope == pytest.approx(2.0)
    assert height == pytest.approx(np.log(3.0))
