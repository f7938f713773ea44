"""microgradnet: a minimal scalar autodiff engine, and nets of scalars on top of it.

>>> from microgradnet import MLP, cross_entropy
>>> net = MLP(2, [3, 1], seed=1)
>>> cost = cross_entropy(net([0.5, -1.0]), 1)
>>> cost.backward()
>>> len([parameter.grad for parameter in net.parameters()])
13
"""

from . import formulas
from .compiler import Compiled, compile
from .costs import cross_entropy, quadratic
from .derivatives import grad, hessian, jvp
from .drawing import draw
from .functions import dot, maximum, minimum
from .graph import nodes
from .nn import MLP, Layer, Neuron
from .optimizers import Adam, Descent
from .perceptron import Perceptron
from .training import DivergenceError, Epoch, train
from .value import Value
from .verify import GradientError, compare, explain, gradcheck

__all__ = [
    "Value",
    "dot",
    "maximum",
    "minimum",
    "nodes",
    "grad",
    "jvp",
    "hessian",
    "Neuron",
    "Layer",
    "MLP",
    "Perceptron",
    "quadratic",
    "cross_entropy",
    "train",
    "Descent",
    "Adam",
    "Epoch",
    "DivergenceError",
    "compile",
    "Compiled",
    "draw",
    "compare",
    "explain",
    "gradcheck",
    "GradientError",
    "formulas",
]
__version__ = "0.1.0"
