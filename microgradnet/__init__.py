"""microgradnet: a minimal scalar autodiff engine, and nets of scalars on top of it.

>>> from microgradnet import MLP, cross_entropy
>>> net = MLP(2, [3, 1], seed=1)
>>> cost = cross_entropy(net([0.5, -1.0]), 1)
>>> cost.backward()
>>> len([parameter.grad for parameter in net.parameters()])
13
"""

import importlib
import typing

from .costs import cross_entropy, quadratic, softmax_cross_entropy
from .derivatives import grad, hessian, hvp, jacobian, jvp, vjp
from .functions import dot, logsumexp, maximum, minimum, softmax
from .graph import nodes
from .nn import MLP, Layer, Neuron
from .value import Value

if typing.TYPE_CHECKING:
    from . import formulas
    from .compiler import Compiled
    from .compiler import compile as compile
    from .drawing import draw
    from .optimizers import Adam, Descent
    from .perceptron import Perceptron
    from .training import DivergenceError, Epoch, train
    from .verify import GradientError, compare, explain, gradcheck

# Imported when they are first used: with them, importing the package would take twice as long.
_LATER = {
    "compiler": ["Compiled", "compile"],
    "drawing": ["draw"],
    "optimizers": ["Adam", "Descent"],
    "perceptron": ["Perceptron"],
    "training": ["DivergenceError", "Epoch", "train"],
    "verify": ["GradientError", "compare", "explain", "gradcheck"],
}
_ROOM = {name: room for room, names in _LATER.items() for name in names}


def __getattr__(name: str) -> typing.Any:
    if name == "formulas":
        return importlib.import_module(".formulas", __name__)
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(importlib.import_module(f".{_ROOM[name]}", __name__), name))


def __dir__() -> list[str]:
    return [*globals(), *_ROOM, "formulas"]


__all__ = [
    "Value",
    "dot",
    "maximum",
    "minimum",
    "softmax",
    "logsumexp",
    "nodes",
    "grad",
    "vjp",
    "jvp",
    "jacobian",
    "hessian",
    "hvp",
    "Neuron",
    "Layer",
    "MLP",
    "Perceptron",
    "quadratic",
    "cross_entropy",
    "softmax_cross_entropy",
    "train",
    "Descent",
    "Adam",
    "Epoch",
    "DivergenceError",
    "Compiled",
    "draw",
    "compare",
    "explain",
    "gradcheck",
    "GradientError",
    "formulas",
]
__version__ = "0.1.0"
