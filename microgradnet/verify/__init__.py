"""The engine against independent computations: differences, the lecture's formulas, sums over paths."""

from .comparison import compare
from .explanation import explain
from .gradient_check import GradientError, gradcheck

__all__ = ["GradientError", "compare", "explain", "gradcheck"]
