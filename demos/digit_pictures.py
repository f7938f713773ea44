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

from microgradnet import Epoch

MISREAD = 40  # images shown, at most


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


def learning_curve(epochs: Sequence[Epoch]) -> Figure:
    """The share of wrong answers after every epoch, of the images trained on and of those held out."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    numbers = [epoch.number for epoch in epochs]
    for name, accuracies in (
        ("images trained on, while they are learned", [epoch.accuracy for epoch in epochs]),
        ("images held out", [epoch.validation_accuracy for epoch in epochs]),
    ):
        axes.plot(numbers, [100 * (1 - (accuracy or 0.0)) for accuracy in accuracies], ".-", label=name)
    axes.set(xlabel="epoch", ylabel="read wrong, %", ylim=(0, None))
    axes.legend()
    return figure


def reading(strip: Array, Y: Array) -> Figure:
    """The digits of a strip, shape (n, 784), and under each what the net reads and how sure it is."""
    figure, grid = _grid(len(strip), columns=len(strip))
    for axes, x, y in zip(grid, strip, Y, strict=True):
        _image(axes, x.reshape(28, 28))
        axes.set_title(f"{y.argmax()}", y=-0.32, fontsize=22, fontweight="bold")
        axes.text(0.5, -0.42, f"{y.max():.0%} sure", transform=axes.transAxes, ha="center", color="grey")
    return figure


def misread(held_out: Digits, called: npt.NDArray[np.intp]) -> Figure:
    """The first of the images that are read wrong, each with what it is and what it is read as."""
    wrong = np.flatnonzero(called != held_out.labels)
    figure, grid = _grid(min(MISREAD, max(1, len(wrong))), columns=10)
    for axes, index in zip(grid, wrong[:MISREAD], strict=False):
        _image(axes, held_out.images[index])
        axes.set_title(f"{held_out.labels[index]} as {called[index]}", fontsize=10)
    figure.suptitle(f"{min(MISREAD, len(wrong))} of the {len(wrong)} held-out digits that are read wrong")
    return figure


def first_weights(A: Array) -> Figure:
    """Each neuron's weights, a row of the matrix, as a square picture: red for positive, blue for negative."""
    figure, grid = _grid(len(A), columns=min(10, len(A)))
    for axes, row in zip(grid, A, strict=False):
        side, most = round(len(row) ** 0.5), float(np.abs(row).max())
        axes.imshow(row.reshape(side, side), cmap="RdBu_r", vmin=-most, vmax=most)
    return figure


def _grid(n: int, columns: int) -> tuple[Figure, list[Any]]:
    rows = -(-n // columns)
    figure = Figure(figsize=(1.1 * max(4, columns), 1.5 * rows + 0.4), layout="constrained")
    grid = [figure.add_subplot(rows, columns, place + 1) for place in range(rows * columns)]
    for axes in grid:
        axes.set_axis_off()
    return figure, grid[:n]


def _image(axes: Any, image: Array | Bytes) -> None:
    axes.imshow(image, cmap="Greys")
