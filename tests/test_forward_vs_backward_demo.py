"""`demos/forward_vs_backward.py`: unknowns and multiplications grow as the lecture says."""

import re

import forward_vs_backward as demo
import numpy as np
import pytest
from demo_runs import quick_fixture

quick = quick_fixture("forward_vs_backward", QUICK_DEPTHS=[6, 12], QUICK_WIDTHS=[8, 16])


def test_the_lectures_net_comes_first(quick):
    """Its table, with the lecture's unknowns: 8 nodes, and 8 times 24 + 12 + 3 edges."""
    unknowns = dict(re.findall(r"^(\S.*?) {2,}(\d+) +[\d,]+ +\d\S+ +\d\S* ulp$", quick[0], re.MULTILINE))
    backward = {"backward, graph": "8", "compiled": "8", "δ-recursion": "8"}
    assert unknowns == backward | {"forward, graph": "312", "naive formulas": "312"}


def test_the_tables_have_the_lectures_unknowns(quick):
    """Nodes, and nodes times edges, of all families: the first net of each, by hand."""
    rows = re.findall(r"^ +(\d+) +([\d,]+) +(\d+) +([\d,]+) +[\d,]+ +[\d,]+ +\S+ +\S+$", quick[0], re.MULTILINE)
    numbers = [tuple(int(number.replace(",", "")) for number in row) for row in rows]
    six_layers, eight_wide, shallow = (5 * 6 + 1, 5 * 36 + 6), (2 * 8 + 1, 2 * 64 + 8), (8 + 1, 64 + 8)
    for n, (nodes, edges) in ((6, six_layers), (8, eight_wide), (8, shallow)):
        assert (n, edges + nodes, nodes, nodes * edges) in numbers


def test_the_exponents_are_those_of_nodes_and_of_nodes_times_edges(quick):
    """1 and 2 for deeper nets, about ½ and 1½ for wider ones; multiplications within a third of 1 and 2, 1 and 1½, and
    with one hidden layer 1 and 1: there the unknowns forward are mostly zeros.
    """
    pattern = r"^  (?:back|for)ward, graph: +unknowns ~ P\^(\S+), multiplications ~ P\^(\S+), seconds"
    found = [tuple(map(float, row)) for row in re.findall(pattern, quick[0], re.MULTILINE)]
    wanted = [(1, 1), (2, 2), (0.5, 1), (1.5, 1.5), (0.5, 1), (1.5, 1)]
    for (unknowns, multiplications), (nodes, products) in zip(found, wanted, strict=True):
        assert unknowns == pytest.approx(nodes, abs=0.06)
        assert multiplications == pytest.approx(products, abs=1 / 3)
    assert demo.fit([1.0, 2.0, 5.0], [3.0, 12.0, 75.0]) == pytest.approx((2.0, np.log(3.0))), "of y = 3 x²"
