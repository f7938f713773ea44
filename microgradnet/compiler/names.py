"""The lecture's letters for the arrays that deserve one: A1, b1, z1, y1, delta1, …; t1, t2, … for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from . import array_ops
from .array_graph import Array
from .rewrites import Rewriting


class Names:
    """The names of arrays, and comments that explain them.

    inputs: how many there are. `of`, `comments`: per array.
    """

    def __init__(self, inputs: int) -> None:
        letters = ["x", "r"] if inputs <= 2 else [f"x{j}" for j in range(1, inputs + 1)]
        self.inputs = letters[:inputs]
        self.of: dict[Array, str] = {}
        self.comments: dict[Array, str] = {}
        self.layers: list[Array] = []

    def name_layers(self, order: Sequence[Array]) -> None:
        """Name every product of the forward program as a layer, with what belongs to it."""
        biased = {
            node.parents[0]: node
            for node in order
            if node.op == ops.add and len(node.parents) == 2 and not node.parents[1].shape.varies
        }
        for node in order:
            if node.op == array_ops.matmul:
                self._layer(biased.get(node, node), node)
            self._activation(node)

    def _layer(self, z: Array, product: Array) -> None:
        self.layers.append(z)
        q = len(self.layers)
        matrix, y = product.args
        self.of |= {z: f"z{q}", product: f"z{q}"}
        self.of.setdefault(matrix, f"A{q}")
        comment = f"layer {q}"
        if y.op == array_ops.stack and y.args[-1].op == array_ops.constants:
            if not self.of[matrix].startswith("W"):  # weights that several layers share have the name of the first
                self.of[matrix] = f"W{q}"
            number = self.of[matrix][1:]
            comment = f"layer {q}: W{number} = [A{number} b{number}]"
            if len(y.args) == 2 and y.args[0] in self.of:
                self.of[y] = f"{self.of[y.args[0]]}_and_1"
        if product.shape.columns > 1:
            comment += f", for {product.shape.columns} vectors together"
        self.comments[product] = comment
        if z is not product:
            self.of.setdefault(z.parents[1], f"b{q}")

    def _activation(self, y: Array) -> None:
        if y.op in ops.TABLE and len(y.args) == 1 and y.parents[0] in self.layers and y not in self.of:
            q = self.layers.index(y.parents[0]) + 1
            self.of[y] = f"y{q}"
            (slope,) = y.op.partials(y.parents[0], y)
            if isinstance(slope, Array):
                self.of.setdefault(slope, f"slope{q}")

    def name_deltas(self, adjoints: dict[Array, Any]) -> None:
        """Name the adjoint of every layer's z."""
        for q, z in enumerate(self.layers, 1):
            adjoint = adjoints.get(z)
            if isinstance(adjoint, Array) and adjoint.op != array_ops.uniform and adjoint not in self.of:
                self.of[adjoint] = f"delta{q}"
                self.comments[adjoint] = f"backward through layer {q}: delta{q} = ∂C/∂z{q}"

    def rewritten(self, now: Rewriting) -> Names:
        """The same names for what stands for these arrays after rewriting."""
        names = Names(len(self.inputs))
        for array, name in self.of.items():
            names.of.setdefault(now[array], name)
            if now[array].op == array_ops.logistic and name.startswith("y"):
                names.of[now[array].args[0]] = f"e{name[1:]}"
        names.comments = {now[array]: text for array, text in self.comments.items()}
        names.layers = [now[z] for z in self.layers]
        return names
