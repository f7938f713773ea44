"""A net as on the lecture's slides: circles in columns, an edge for every weight, wide layers folded.

With a `Sample` its numbers stand in the circles, and edges can show ∂C/∂a. Where there is room for them,
each edge has its numbers, so that the slide can be computed again by hand.
"""

from __future__ import annotations

import math

from ..nn import Neuron
from .grid import GAP, NUMBER, Grid, Spot, bias_of
from .picture import Picture, literal, picture
from .sample import Net, Sample
from .text import dot_label, dot_tooltip, exact, short, shown, subscript, width

_BESIDE = 92.0  # from the outputs to the targets
_BLANK = "\u00a0"  # a line that a renderer does not leave out
_RIM = 2.0  # free inside a circle
_BELOW = 26.0  # from the last target to the cost


def draw_net(net: Net, direction: str, sample: Sample | None = None, by_gradient: bool = False) -> Picture:
    """The picture of a net's architecture. by_gradient: edges show ∂C/∂a of the sample instead of a."""
    return _NetPicture(net, direction, sample, by_gradient).draw()


class _NetPicture:
    def __init__(self, net: Net, direction: str, sample: Sample | None, by_gradient: bool) -> None:
        self._grid, self._sample, self._by_gradient = Grid(net, direction == "LR", sample), sample, by_gradient
        self._style = self._grid.style
        self._deltas = sample.deltas if sample else None
        self._biases = any(bias_of(unit) != 0.0 for column in self._grid.columns for unit in column.units)
        drawn = [spot for spot in self._grid.spots if GAP not in spot]
        self._fonts = [  # of inputs, of neurons
            min([self._style.font, *[self._largest_font(c, i) for c, i in drawn if (c > 0) is neurons]])
            for neurons in (False, True)
        ]
        self._g = picture(direction, self._caption(), layout="nop2", fontsize=f"{self._style.caption:g}")

    def draw(self) -> Picture:
        self._titles()
        self._targets()
        self._edges()
        for spot in self._grid.spots:  # last, and so above all texts
            self._circle(*spot)
        return self._g.drawn()

    def _caption(self) -> list[str]:
        what = "∂C/∂a, the gradient" if self._by_gradient else "the weights a"
        lines = [f"Edges show {what}: solid blue is positive, dashed orange negative, dotted grey 0;"]
        lines.append("the wider, the larger its absolute value (by the square root).")
        if self._grid.numbers and self._sample:
            lines.append("On the edges a, under it ∂C/∂a." if self._sample.gradients else "On the edges a.")
        inside = [
            *(["y"] if self._sample else []),
            *(["δ = ∂C/∂z"] if self._deltas else []),
            *(["the bias b"] if self._biases else []),
        ]
        told = [f"In the circles {', '.join(inside)}"] if inside else []
        return [*lines, ". ".join([*told, *([] if self._biases else ["All biases are 0"])]) + "."]

    def _circle(self, c: int, i: int) -> None:
        along, across = self._grid.spots[c, i]
        name = f"c{c}_{i + 1}" if i != GAP else f"c{c}_gap"
        if GAP in (c, i):
            self._text(name, ["…", self._grid.left_out(c)], along, across, self._style.font + 1.0)
            return
        lines, tooltip = self._words(c, i)
        look = {"fillcolor": "#e3eefb", "color": "#2b6cb0"} if c == 0 else {}
        size = {"width": f"{self._diameter(c) / 72:.3f}", "fontsize": f"{self._fonts[c > 0]:.3g}"}
        look |= {"shape": "circle", "tooltip": dot_tooltip(tooltip)} | size
        self._place(name, lines, *self._grid.point(along, across), look)

    def _diameter(self, c: int) -> float:
        return self._style.diameter if c else self._style.input_diameter

    def _largest_font(self, c: int, i: int) -> float:
        """In which the lines stay in their circle."""
        lines, _ = self._words(c, i)
        corners = [(width(line, 0.5), 1.2 * abs(k - (len(lines) - 1) / 2) + 0.3) for k, line in enumerate(lines)]
        return (self._diameter(c) / 2 - _RIM) / max(math.hypot(*corner) for corner in corners)

    def _place(self, name: str, lines: list[str], x: float, y: float, look: dict[str, str]) -> None:
        """A node, and over it those of its lines that are derivatives, in their colour."""
        plain, derivatives = _by_colour(lines)
        look |= {"pos": f"{x:.1f},{y:.1f}!", "fixedsize": "true"}
        self._g.node(name, dot_label(plain), **look)
        if derivatives != [_BLANK] * len(lines):
            self._g.node(
                f"{name}_", dot_label(derivatives), **look | {"style": "", "penwidth": "0", "fontcolor": "#a3380a"}
            )

    def _words(self, c: int, i: int) -> tuple[list[str], list[str]]:
        """What stands in a circle, and what hovering over it shows."""
        unit = self._grid.columns[c].units[i] if self._grid.columns[c].units else None
        name = f"x{subscript(i + 1)}" if unit is None else unit.y_label if isinstance(unit, Neuron) else "y"
        bias = None if unit is None else bias_of(unit)
        words = [name] if bias is None else [f"{name}, bias b = {exact(bias)}"]
        if self._sample is None:
            return [name, f"b {short(bias, 2)}"] if bias is not None and self._biases else [name], words
        number = self._sample.x[i] if unit is None else self._sample.y[c - 1][i]
        words.append(f"{'data' if unit is None else 'y'} = {exact(number)}")
        if unit is None or bias is None:
            return [name, short(number, 3)], words
        lines = [name, _digits(number)]
        if self._deltas:
            lines.append(f"δ {_digits(self._deltas[c - 1][i])}")  # where the circle is widest
            words.append(f"δ = {exact(self._deltas[c - 1][i])}")
        below = [f"b {short(bias, 3)}"] if self._biases else [_BLANK] if self._deltas else []
        return lines + below, words

    def _titles(self) -> None:
        edge = min(across for _, across in self._grid.spots.values()) - self._style.diameter / 2 - 24.0
        for c, along in {c: along for (c, _), (along, _) in self._grid.spots.items() if c != GAP}.items():
            self._title(f"c{c}", self._grid.columns[c].title, along, edge)

    def _title(self, name: str, lines: list[str], along: float, edge: float) -> None:
        aside = 0.0 if self._grid.down else max(width(line, self._style.title) for line in lines) / 2
        self._text(name, lines, along, edge - aside, self._style.title)

    def _targets(self) -> None:
        """The desired outputs beside the outputs, and the cost."""
        targets = (self._sample.targets if self._sample else None) or []
        last = len(self._grid.columns) - 1
        outputs = [(i, *place) for (c, i), place in self._grid.spots.items() if targets and c == last and i != GAP]
        for i, along, across in outputs:
            name = f"r{subscript(i + 1)}" if len(targets) > 1 else "r"
            self._text(f"r{i + 1}", [f"{name} = {short(targets[i], 3)}"], along + _BESIDE, across, self._style.font)
        if self._sample and self._sample.cost is not None:
            _, along, across = outputs[-1]
            aside = (0.0, _BELOW) if self._grid.down else (_BELOW, 0.0)
            words = [f"C = {short(self._sample.cost)}"]
            self._text("cost", words, along + _BESIDE + aside[0], across + aside[1], self._style.title)

    def _text(self, name: str, lines: list[str], along: float, across: float, size: float) -> None:
        self._text_at(name, lines, *self._grid.point(along, across), size)

    def _text_at(self, name: str, lines: list[str], x: float, y: float, size: float) -> None:
        """Text without a frame, above the edges."""
        wide = max(width(line, size) for line in lines) + 4.0
        look = {"width": f"{wide / 72:.3f}", "height": f"{(1.3 * size * len(lines) + 2.0) / 72:.3f}"}
        look |= {"shape": "box", "color": "white", "fontsize": f"{size:g}", "tooltip": dot_tooltip([lines[-1]])}
        self._place(name, lines, x, y, look)

    def _edges(self) -> None:
        weights = [(weight, *self._shown(*weight)) for weight in self._grid.weights()]
        largest = max([abs(number) for *_, number in weights if math.isfinite(number)], default=0.0) or 1.0
        for (tail, head, _, w), words, number in weights:
            (x0, y0), (x1, y1) = (self._grid.point(*self._grid.spots[spot]) for spot in (tail, head))
            along = [f"{x0 + (x1 - x0) * t:.1f},{y0 + (y1 - y0) * t:.1f}" for t in (0.0, 1 / 3, 2 / 3, 1.0)]
            if self._grid.numbers:
                t, gradient = self._grid.numbers[head[0]], self._gradient(tail, head)
                lines = [_digits(w) if self._sample else short(w)]
                lines += [] if gradient is None else [f"∂ {_digits(gradient)}"]
                name = f"w{head[0]}_{head[1] + 1}_{tail[1] + 1}"
                self._text_at(name, lines, x0 + (x1 - x0) * t, y0 + (y1 - y0) * t, NUMBER)
            self._g.edge(
                *(f"c{c}_{i + 1}" for c, i in (tail, head)),
                **_stroke(number, largest),
                pos=" ".join(along),
                tooltip=literal(dot_tooltip([words])),
            )

    def _gradient(self, tail: Spot, head: Spot) -> float | None:
        gradients = self._sample.gradients if self._sample else None
        return gradients[head[0] - 1][head[1]][tail[1]] if gradients else None

    def _shown(self, tail: Spot, head: Spot, label: str, w: float) -> tuple[str, float]:
        """What hovering over an edge shows, and the number that the edge shows."""
        words, gradient = f"{shown(label)} = {exact(w)}", self._gradient(tail, head)
        if gradient is None:
            return words, w
        return f"{words}, ∂C/∂a = {exact(gradient)}", gradient if self._by_gradient else w


def _by_colour(lines: list[str]) -> list[list[str]]:
    """The lines of derivatives apart from the others, each in its place: two texts to be laid over each other."""
    derivatives = [line.startswith(("δ", "∂")) for line in lines]
    return [
        [_BLANK if is_one == others else line for line, is_one in zip(lines, derivatives, strict=True)]
        for others in (True, False)
    ]


def _digits(number: float) -> str:
    """Three digits, zeros at the end too, so that neighbours look alike."""
    return (
        short(number, 3)
        if number == 0.0 or not math.isfinite(number)
        else f"{number:#.3g}".rstrip(".").replace("-", "−")
    )


def _stroke(number: float, largest: float) -> dict[str, str]:
    look = {"dir": "none"}
    if not math.isfinite(number) or number == 0.0:
        return look | {"style": "dotted", "color": "#777777", "penwidth": "0.5" if number == 0.0 else "3"}
    sign = {"color": "#2b6cb0"} if number > 0 else {"color": "#c05621", "style": "dashed"}
    return look | sign | {"penwidth": f"{0.5 + 3.0 * math.sqrt(abs(number) / largest):.2f}"}
