"""microgradnet: a minimal scalar autodiff engine, and nets of scalars on top of it."""

from .costs import cross_entropy, quadratic
from .derivatives import grad, hessian, jvp
from .nn import MLP, Layer, Neuron, Perceptron
from .training import DivergenceError, Epoch, train
from .value import Value, dot, maximum, minimum

__all__ = [
    "MLP",
    "DivergenceError",
    "Epoch",
    "Layer",
    "Neuron",
    "Perceptron",
    "Value",
    "cross_entropy",
    "dot",
    "grad",
    "hessian",
    "jvp",
    "maximum",
    "minimum",
    "quadratic",
    "train",
]
__version__ = "0.1.0"
