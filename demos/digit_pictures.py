"""The pictures of `digits.py`: the strip as it is read, the learning curve, mistakes, and what the first layer looks at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from digit_data import Array, Bytes, Digits, write_picture
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from microgradnet import Epoch

MISREAD = 40  # images shown, at most
TRAINED, HELD_OUT = "#1f6f8b", "#c1440e"


def save(figure: Figure, path: Path) -> Path:
    """As PNG, whole or not at all."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    return write_picture(path, png)


def confusion(counts: npt.NDArray[np.intp]) -> Figure:
    """How often each digit (row) is read as each (column): what is right in green, a mistake the redder, the more often."""
    figure = Figure(figsize=(7, 7))
    axes = figure.add_axes((0.08, 0.08, 0.87, 0.87))
    right = np.eye(10, dtype=bool)
    axes.imshow(np.ma.array(counts, mask=right), cmap="Reds", vmin=0, vmax=max(1, 1.5 * counts[~right].max()))
    axes.imshow(np.ma.array(counts, mask=~right), cmap="Greens", vmin=0, vmax=2 * max(1, counts.max()))
    for (digit, called), count in np.ndenumerate(counts):
        axes.text(called, digit, f"{count:,}" if count else "·", ha="center", va="center", fontsize=12)
    axes.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="is a")
    axes.set_title(f"{np.trace(counts):,} of {counts.sum():,} held-out digits read right")
    return figure


def learning_curve(epochs: Sequence[Epoch], counted: str) -> Figure:
    """The share of wrong answers in every epoch, of the images trained on and of those held out.

    counted: when the images trained on were read. Those held out are read after the epoch.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    numbers = [epoch.number for epoch in epochs]
    for name, colour, accuracies in (
        (f"images trained on, {counted}", TRAINED, [epoch.accuracy for epoch in epochs]),
        ("images held out, after the epoch", HELD_OUT, [epoch.validation_accuracy for epoch in epochs]),
    ):
        wrong = [100 * (1 - (accuracy or 0.0)) for accuracy in accuracies]
        axes.plot(numbers, wrong, ".-", color=colour, label=name)
    axes.set(xlabel="epoch", ylabel="read wrong, %", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend()
    return figure


def reading(strip: Array, answers: Sequence[str], remarks: Sequence[str]) -> Figure:
    """The digits of a strip, shape (n, 784), and under each what the net answers, with a remark."""
    figure, axes = _mosaic([x.reshape(28, 28) for x in strip], columns=len(strip), cmap="Greys", below=22)
    for place, (answer, remark) in enumerate(zip(answers, remarks, strict=True)):
        axes.text(place * 32 + 14, 30, answer, ha="center", va="top", fontsize=24, fontweight="bold")
        axes.text(place * 32 + 14, 43, remark, ha="center", va="top", fontsize=9, color="grey")
    return figure


def misread(held_out: Digits, called: npt.NDArray[np.intp]) -> Figure:
    """Images that are read wrong, of all digits, each with what it is and what it is read as."""
    wrong = np.flatnonzero(called != held_out.labels)
    shown = wrong[np.linspace(0, len(wrong) - 1, min(MISREAD, len(wrong))).astype(int)]
    title = f"{len(shown)} of the {len(wrong)} held-out digits read wrong"
    figure, axes = _mosaic(list(held_out.images[shown]), columns=10, title=title, cmap="Greys", below=12)
    for place, index in enumerate(shown):
        row, column = divmod(place, 10)
        text = f"{held_out.labels[index]} as {called[index]}"
        axes.text(column * 32 + 14, row * 44 + 28, text, ha="center", va="top", fontsize=9)
    return figure


def first_weights(A: Array) -> Figure:
    """Each neuron's weights, a row of the matrix, as a square picture: red for positive, blue for negative."""
    side = round(A.shape[1] ** 0.5)
    squares = [row.reshape(side, side) / np.abs(row).max() for row in A]
    title = "weights: red +, blue −"
    return _mosaic(squares, columns=min(10, len(A)), title=title, cmap="RdBu_r", vmin=-1.0, vmax=1.0)[0]


def _mosaic(
    images: Sequence[Array | Bytes], columns: int, title: str = "", below: int = 0, **look: Any
) -> tuple[Figure, Any]:
    """Images of one shape in rows, 4 pixels apart, with room for a text below each; the figure and its axes."""
    side = len(images[0]) if len(images) else 28
    gap = max(1, side // 7)
    rows = max(1, -(-len(images) // columns))
    height, width = side + gap + below, side + gap
    whole = np.full((rows * height, columns * width), np.nan)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        whole[row * height : row * height + side, column * width : column * width + side] = image
    above = 0.4 if title else 0.0  # inches
    figure = Figure(figsize=(1.1 * columns, 1.1 * rows * height / width + above))
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98 - above / figure.get_figheight()))
    axes.imshow(whole, **look)
    axes.set_title(title)
    axes.set_axis_off()
    return figure, axes
