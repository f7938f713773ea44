"""microgradnet: a minimal scalar autodiff engine, and nets of scalars on top of it."""

from . import formulas
from .comparison import compare
from .compiler import Compiled, compile
from .costs import cross_entropy, quadratic
from .derivatives import grad, hessian, jvp
from .differences import gradcheck
from .drawing import draw
from .explanation import explain
from .functions import dot, maximum, minimum
from .nn import MLP, Layer, Neuron, Perceptron
from .training import DivergenceError, Epoch, train
from .value import Value

__all__ = [
    "MLP",
    "Compiled",
    "DivergenceError",
    "Epoch",
    "Layer",
    "Neuron",
    "Perceptron",
    "Value",
    "compare",
    "compile",
    "cross_entropy",
    "dot",
    "draw",
    "explain",
    "formulas",
    "grad",
    "gradcheck",
    "hessian",
    "jvp",
    "maximum",
    "minimum",
    "quadratic",
    "train",
]
__version__ = "0.1.0"
