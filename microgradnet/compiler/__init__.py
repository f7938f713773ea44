"""The compiler: a recorded scalar graph as a program on arrays."""

from .running import Compiled, compile

__all__ = ["Compiled", "compile"]
