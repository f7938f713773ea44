"""Neurons, layers and nets of Values.

A neuron records one `dot` node z = w·x + b and one activation y = σ(z), so the graph holds exactly the lecture's z and
y, and after `backward` the `grad` of a z node is the lecture's δ. The matrix of the weights of layer q is A⁽q⁾, the
vector of its biases b⁽q⁾. Layers and neurons count from 1 in labels, as in the lecture, and from 0 in Python. How nodes
are recorded and files written is left to others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _net_file
from ._validation import counted, describe, flat
from .functions import dot_inputs, dot_node
from .value import Operand, Value

Array: TypeAlias = npt.NDArray[np.float64]
Seed: TypeAlias = "int | np.random.Generator | None"

ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "sigmoid": Value.sigmoid,
    "tanh": Value.tanh,
    "relu": Value.relu,
    "softplus": Value.softplus,
    "linear": Value.__pos__,
    "step": Value.step,
}
"""The activations by name. One that you add can be used, saved and loaded."""

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class Module:
    """Anything that has parameters."""

    def parameters(self) -> list[Value]:
        """All weights and biases, neuron by neuron: each neuron's weights, then its bias."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to 0."""
        for parameter in self.parameters():
            parameter.grad = 0.0


class Neuron(Module):
    """y = σ(w·x + b).

    nin: number of inputs. activation: "sigmoid", "tanh", "relu", "softplus", "linear" or "step". seed: an int or a
    NumPy Generator for the weights, which are drawn from N(0, 1/nin); the bias starts at 0. nonlin: micrograd's way to
    choose "relu" (True) or "linear" (False).

    Calling it takes nin numbers or Values and gives a Value. `.w` are the weights, `.b` is the bias. Raises a ValueError
    for another number of inputs or an unknown activation.

    >>> neuron = Neuron(2, seed=1)
    >>> y = neuron([0.5, -1.0])
    >>> y.backward()
    >>> (z,) = y.parents
    >>> z.label, neuron.b.grad == z.grad, neuron.w[1].grad == z.grad * -1.0  # ∂/∂b = δ, ∂/∂w_j = δ x_j
    ('z⁽¹⁾₁', True, True)
    """

    def __init__(self, nin: int, activation: str = "sigmoid", seed: Seed = None, *, nonlin: bool | None = None) -> None:
        self.nin = _count(nin, "inputs")
        self.nout = 1
        self.activation = _known(activation if nonlin is None else "relu" if nonlin else "linear")
        scale = 1.0 / np.sqrt(self.nin)
        self.w = [Value(w) for w in np.random.default_rng(seed).normal(0.0, scale, self.nin).tolist()]
        self.b = Value(0.0)
        self.name(1, 1)

    def name(self, q: int, i: int) -> None:
        """Label weights, bias, z and y as those of neuron i of layer q."""
        layer = f"⁽{q}⁾".translate(_SUPERSCRIPTS)
        for j, w in enumerate(self.w, 1):
            w.label = f"a{layer}{_index(i, j)}"
        self.b.label = f"b{layer}{_index(i)}"
        self.z_label = f"z{layer}{_index(i)}"
        self.y_label = f"y{layer}{_index(i)}"

    def __call__(self, x: Sequence[Operand]) -> Value:
        return _activate([self], _inputs(x, self.nin, self))[0]

    def parameters(self) -> list[Value]:
        """The weights, then the bias."""
        return [*self.w, self.b]

    def set_weights(self, weights: npt.ArrayLike, bias: float) -> None:
        """Write w, shape (nin,), and b: both or, on an error, neither. Errors as for `MLP.set_weights`."""
        (w,) = _arrays([weights], [np.array(self.w)], "weights")
        (b,) = _arrays([bias], [np.array(self.b)], "biases")
        self._write(w, b)

    def _write(self, w: Array, b: Array) -> None:
        for weight, number in zip(self.w, w.tolist(), strict=True):
            weight.data = number
        self.b.data = b.item()

    def __repr__(self) -> str:
        return f"Neuron({self.nin}, {self.activation!r})"


class Layer(Module):
    """Neurons that share their inputs: y = σ(A x + b).

    nin, nout: numbers of inputs and of neurons; the rest, with `nonlin`, and errors, as for `Neuron`. Calling it gives a list of nout
    Values, or the Value itself when nout is 1. `.neurons` are its neurons.

    >>> layer = Layer(2, 3, "tanh", seed=1)
    >>> len(layer([0.5, -1.0])), layer.weights().shape, layer.biases().shape
    (3, (3, 2), (3,))
    """

    def __init__(
        self, nin: int, nout: int, activation: str = "sigmoid", seed: Seed = None, *, nonlin: bool | None = None
    ) -> None:
        rng = np.random.default_rng(seed)
        self.nin, self.nout = _count(nin, "inputs"), _count(nout, "neurons")
        self.neurons = [Neuron(nin, activation, rng, nonlin=nonlin) for _ in range(self.nout)]
        self.name(1)

    def name(self, q: int) -> None:
        """Label everything in it as part of layer q."""
        for i, neuron in enumerate(self.neurons, 1):
            neuron.name(q, i)

    def __call__(self, x: Sequence[Operand]) -> Any:
        return _lone(_activate(self.neurons, _inputs(x, self.nin, self)))

    def parameters(self) -> list[Value]:
        """Those of each neuron in turn: its weights, then its bias."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    def weights(self) -> Array:
        """The matrix A, shape (nout, nin): a copy."""
        widths = {len(neuron.w) for neuron in self.neurons}
        if len(widths) != 1:
            raise ValueError(f"neurons with {sorted(widths)} weights form no matrix: read each neuron's .w instead")
        return np.array([[w.data for w in neuron.w] for neuron in self.neurons])

    def biases(self) -> Array:
        """The vector b, shape (nout,): a copy."""
        return np.array([neuron.b.data for neuron in self.neurons])

    def set_weights(self, weights: npt.ArrayLike, biases: npt.ArrayLike) -> None:
        """Write A, shape (nout, nin), and b, shape (nout,): both or, on an error, neither. Errors as for `MLP`."""
        (A,), (b,) = _arrays([weights], [self.weights()], "weights"), _arrays([biases], [self.biases()], "biases")
        self._write(A, b)

    def _write(self, A: Array, b: Array) -> None:
        for neuron, row, bias in zip(self.neurons, A, b, strict=True):
            neuron._write(row, bias)

    def __repr__(self) -> str:
        return f"Layer({self.nin}, {self.nout}, {self.neurons[0].activation!r})"


class MLP(Module):
    """A net of layers: y⁽⁰⁾ = x, y⁽q⁾ = σ(A⁽q⁾ y⁽q⁻¹⁾ + b⁽q⁾), f(x) = y⁽p⁾.

    nin: number of inputs. sizes: neurons per layer, [n1, …, np]. activation: of all layers; output_activation: of
    the last, if it differs. seed: an int or a NumPy Generator; the same seed gives the same net.

    Calling it with nin numbers or Values gives a list of n_p Values, or the Value itself when n_p is 1. Raises a
    ValueError for another number of inputs, an unknown activation, or sizes that are not positive whole numbers.

    >>> net = MLP(3, [4, 4, 1], seed=1)
    >>> net
    MLP(3, [4, 4, 1], 'sigmoid'): 41 parameters
    >>> [a.shape for a in net.weights()]
    [(4, 3), (4, 4), (1, 4)]
    """

    def __init__(
        self,
        nin: int,
        sizes: Sequence[int],
        activation: str = "sigmoid",
        output_activation: str | None = None,
        seed: Seed = None,
    ) -> None:
        if not isinstance(sizes, (Sequence, np.ndarray)) or isinstance(sizes, str) or len(sizes) == 0:
            raise ValueError(f"{describe(sizes)} arrived where the sizes of the layers were wanted, as in [30, 10]")
        rng = np.random.default_rng(seed)
        self.nin, self.nout = _count(nin, "inputs"), _count(sizes[-1], "neurons")
        widths = [nin, *sizes]
        kinds = [_known(activation)] * (len(sizes) - 1) + [_known(output_activation or activation)]
        self.layers = [Layer(n, m, kind, rng) for n, m, kind in zip(widths[:-1], sizes, kinds, strict=True)]
        for q, layer in enumerate(self.layers, 1):
            layer.name(q)

    def __call__(self, x: Sequence[Operand]) -> Any:
        y: Sequence[Operand] = _inputs(x, self.nin, self)
        for layer in self.layers:
            y = _activate(layer.neurons, y)
        return _lone(y)

    def parameters(self) -> list[Value]:
        """Those of each layer in turn, neuron by neuron: its weights, then its bias."""
        return [p for layer in self.layers for p in layer.parameters()]

    def weights(self) -> list[Array]:
        """The matrices A⁽¹⁾ … A⁽p⁾, shapes (n_q, n_{q-1}): copies."""
        return [layer.weights() for layer in self.layers]

    def biases(self) -> list[Array]:
        """The vectors b⁽¹⁾ … b⁽p⁾, shapes (n_q,): copies."""
        return [layer.biases() for layer in self.layers]

    def set_weights(self, weights: Iterable[npt.ArrayLike], biases: Iterable[npt.ArrayLike]) -> None:
        """Write the matrices A⁽q⁾ and the vectors b⁽q⁾ into the net: all of them or, on an error, none.

        weights: p arrays of shapes (n_q, n_{q-1}); biases: p arrays of shapes (n_q,). Raises a ValueError for other
        shapes or for numbers that are not finite, and a TypeError for anything but numbers.
        """
        A, b = _arrays(weights, self.weights(), "weights"), _arrays(biases, self.biases(), "biases")
        for layer, a_q, b_q in zip(self.layers, A, b, strict=True):
            layer._write(a_q, b_q)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write architecture, weights and biases to a file, bit for bit; `load` reads it.

        An existing file is replaced at the end, so that no half-written one is ever there; a symlink is followed, and the
        file keeps its mode. Raises a ValueError for a net whose parameters are not finite or whose layers mix
        activations, and an OSError for a path that is not a regular file.

        >>> import pathlib, tempfile
        >>> net = MLP(2, [3, 1], "tanh", seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.save(pathlib.Path(folder) / "net.npz")
        ...     MLP.load(pathlib.Path(folder) / "net.npz")
        MLP(2, [3, 1], 'tanh'): 13 parameters
        """
        for q, layer in enumerate(self.layers, 1):
            kinds = {neuron.activation for neuron in layer.neurons}
            if len(kinds) > 1:
                raise ValueError(
                    f"layer {q} mixes the activations {sorted(kinds)}: a file holds one per layer; pickle it"
                )
        A, b = self.weights(), self.biases()
        activations = [layer.neurons[0].activation for layer in self.layers]
        _net_file.write(path, activations, _arrays(A, A, "weights"), _arrays(b, b, "biases"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MLP:
        """The net that `save` wrote. Raises a ValueError for a file that is damaged or not a saved net."""
        try:
            names, A, b = _net_file.read(path)
            activations = [_known(name) for name in names]
            net = cls(A[0].shape[1], [len(a) for a in A])
            net.set_weights(A, b)
            for layer, activation in zip(net.layers, activations, strict=True):
                for neuron in layer.neurons:
                    neuron.activation = activation
        except OSError:
            raise
        except Exception as error:  # a damaged archive can fail in any way
            raise ValueError(
                f"{os.fspath(path)} is damaged or not a net saved by MLP.save, or its activations are not in "
                f"nn.ACTIVATIONS here: {error}"
            ) from error
        return net

    def __repr__(self) -> str:
        kinds = [layer.neurons[0].activation for layer in self.layers]
        output = "" if kinds[-1] == kinds[0] else f", output_activation={kinds[-1]!r}"
        sizes = [len(layer.neurons) for layer in self.layers]
        return f"MLP({self.nin}, {sizes}, {kinds[0]!r}{output}): {len(self.parameters())} parameters"


def _activate(neurons: list[Neuron], x: Sequence[Operand]) -> list[Value]:
    inputs, numbers = dot_inputs(x)
    outputs = []
    for neuron in neurons:
        z = dot_node(neuron.w, neuron.b, inputs, numbers)
        z.label = neuron.z_label
        y = ACTIVATIONS[neuron.activation](z)
        if y is not z:
            y.label = neuron.y_label
        outputs.append(y)
    return outputs


def _inputs(x: Any, nin: int, net: Module) -> Any:
    if not hasattr(x, "__iter__"):
        x = [x]  # one number for one input
    x = flat(x)
    if len(x) != nin:
        raise ValueError(
            f"{counted(len(x), 'number')} arrived where this {type(net).__name__} takes {counted(nin, 'input')}"
        )
    return x


def _lone(y: Any) -> Any:
    return y[0] if len(y) == 1 else y


def _index(*numbers: int) -> str:
    comma = "," if max(numbers) > 9 else ""
    return comma.join([str(n).translate(_SUBSCRIPTS) for n in numbers])


def _count(n: Any, what: str) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"{describe(n)} arrived where the number of {what} was wanted: a whole number, at least 1")
    return int(n)


def _known(activation: str) -> str:
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(f"{describe(activation)} is no activation: choose one of {', '.join(ACTIVATIONS)}")
    return activation


def _arrays(new: Iterable[npt.ArrayLike], old: list[Array], name: str) -> list[Array]:
    try:
        arrays = [np.asarray(a) for a in new]
    except ValueError:
        raise ValueError(f"an array of {name} has rows of different lengths") from None
    for a in arrays:
        if a.dtype.kind not in "fiu" and a.size > 0:
            raise TypeError(f"{name} hold {a.dtype} where numbers were wanted")
    shapes, wanted = [a.shape for a in arrays], [a.shape for a in old]
    if shapes != wanted:
        raise ValueError(f"{name} of shapes {shapes} arrived where {wanted} were wanted")
    if not all(np.isfinite(a).all() for a in arrays):
        raise ValueError(f"the {name} hold NaN or infinite numbers: a net's must be finite")
    return [a.astype(np.float64) for a in arrays]
