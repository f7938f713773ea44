"""`demos/forward_vs_backward.py`: unknowns and multiplications grow as the lecture says."""

import re

import forward_vs_backward as demo
import numpy as np
import pytest
from demo_runs import not_blank, quick_run


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """What a quick run printed, and where its picture is."""
    out = tmp_path_factory.mktemp("growth") / "new" / "folder"
    return quick_run("forward_vs_backward", out), out / "forward_vs_backward.png"


def test_the_lectures_net_comes_first(quick):
    """Its table, with the lecture's unknowns: 8 nodes, and 8 times 24 + 12 + 3 edges."""
    unknowns = dict(re.findall(r"^(\S.*?) {2,}(\d+) +[\d,]+ +\d\S+ +\d\S* ulp$", quick[0], re.MULTILINE))
    backward = {"backward, graph": "8", "compiled": "8", "?-recursion": "8"}
    assert unknowns == backward | {"forward, graph": "312", "naive formulas": "312"}


def test_the_exponents_are_about_one_and_about_two(quick):
    """Unknowns exactly so; multiplications within a third, as small nets have more of what does not grow."""
    for method, power in (("backward", 1), ("forward", 2)):
        fits = rf"^  {method}, graph: +unknowns ~ P\^(\S+), multiplications ~ P\^(\S+), seconds"
        found = re.search(fits, quick[0], re.MULTILINE)
        assert float(found[1]) == power
        assert abs(float(found[2]) - power) < 1 / 3


def test_the_closing_line_says_how_much_each_direction_grew(quick):
    """By the powers that were fitted: backward as the parameters do, forward as their square, within a third."""
    line = quick[0].rstrip().splitlines()[-1]
    numbers = [float(word.replace(",", "")) for word in re.findall(r"\d[\d,]*\.?\d*", line)]
    growth, least, backward, most, forward = numbers
    assert abs(np.log(backward) / np.log(growth) - 1) < 1 / 3
    assert abs(np.log(forward) / np.log(growth) - 2) < 1 / 3
    assert least < most


def test_a_fit_of_a_power_is_that_power():
    """y = 3 x² has the slope 2 and the height ln 3."""
    assert demo.fit([1.0, 2.0, 5.0], [3.0, 12.0, 75.0]) == pytest.approx((2.0, np.log(3.0)))


def test_the_picture_is_saved(quick):
    """In a folder that is made for it."""
    assert f"The picture: {quick[1]}\n" in quick[0]
    assert not_blank(quick[1])
