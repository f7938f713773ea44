"""What holds the engine against independent computations: differences, the lecture's formulas, paths."""

from .comparison import compare
from .differences import GradientError, gradcheck
from .explanation import explain

__all__ = ["GradientError", "compare", "explain", "gradcheck"]
