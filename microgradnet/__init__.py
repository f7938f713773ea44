"""microgradnet: a minimal scalar autodiff engine, and nets of scalars on top of it.

>>> from microgradnet import MLP, cross_entropy
>>> net = MLP(2, [3, 1], seed=1)
>>> cost = cross_entropy(net([0.5, -1.0]), 1)
>>> cost.backward()
>>> len([parameter.grad for parameter in net.parameters()])
13
"""

from . import formulas
from .compiler import Compiled
from .compiler import compile as compile
from .costs import cross_entropy, quadratic, softmax_cross_entropy
from .derivatives import grad, hessian, hvp, jacobian, jvp, vjp
from .drawing import draw
from .functions import dot, logsumexp, maximum, minimum, softmax
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
