"""What a test problem is."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


class Functions:
    """The jitted functions of a problem, compiled when they are first asked for, shared by all starts.

    ``make()`` gives a dict of jitted functions: ``value_grad(x, g) -> f``, where they exist ``residual(x)`` and
    ``jacobian(x)``, and ``python``, the plain Python twin of ``value_grad``.
    """

    def __init__(self, make):
        self._make = make

    @cached_property
    def parts(self):
        """What ``make`` gives."""
        return self._make()

    @cached_property
    def fun_and_grad(self):
        """Jitted ``x -> (f, g)``: the form of ``jac=True``."""
        from numba import njit

        value_grad = self.parts["value_grad"]

        @njit
        def fun_and_grad(x):
            g = np.empty(x.size)
            return value_grad(x, g), g

        return fun_and_grad

    @cached_property
    def fun(self):
        """Jitted ``x -> f``."""
        from numba import njit

        value_grad = self.parts["value_grad"]

        @njit
        def fun(x):
            return value_grad(x, np.empty(x.size))

        return fun

    @cached_property
    def grad(self):
        """Jitted ``x -> g``."""
        from numba import njit

        value_grad = self.parts["value_grad"]

        @njit
        def grad(x):
            g = np.empty(x.size)
            value_grad(x, g)
            return g

        return grad

    @property
    def value_grad(self):
        """Jitted ``(x, g) -> f``, writes the gradient to g: the form of ``jac='inplace'``."""
        return self.parts["value_grad"]

    @property
    def residual(self):
        """Jitted ``x -> r``, or None."""
        return self.parts.get("residual")

    @property
    def jacobian(self):
        """Jitted ``x -> J``, or None."""
        return self.parts.get("jacobian")

    @cached_property
    def python_fun_and_grad(self):
        """Plain Python ``x -> (f, g)``."""
        python = self.parts["python"]

        def fun_and_grad(x):
            g = np.empty(x.size)
            return python(x, g), g

        return fun_and_grad


_FORWARDED = ("fun_and_grad", "fun", "grad", "value_grad", "residual", "jacobian", "python_fun_and_grad")


@dataclass(frozen=True)
class TestProblem:
    """An objective with its start and its certified minima.

    The functions are compiled when they are first asked for: ``fun_and_grad(x) -> (f, g)``, the form of
    ``jac=True``; ``fun(x)``; ``grad(x)``; ``value_grad(x, g) -> f``, the form of ``jac='inplace'``; ``residual(x)`` and
    ``jacobian(x)``, or None; ``python_fun_and_grad(x)``, not compiled.

    Attributes
    ----------
    name : str
    n : int
        Number of variables.
    start : tuple
        The start, before scaling.
    minima : tuple of float
        Values of the known local minima, the global one first.
    functions : Functions
    m : int, optional
        Number of residuals; None if the problem is no sum of squares.
    scale : float
        Factor on the start.
    reference : str
        Where it comes from.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name

    name: str
    n: int
    start: Any
    minima: tuple[float, ...]
    functions: Functions
    m: int | None = None
    scale: float = 1.0
    reference: str = ""
    solution: Any = None

    @property
    def x0(self):
        """The start, a new array of shape (n,)."""
        start = self.start(self.n) if callable(self.start) else self.start
        return self.scale * np.array(start, dtype=float)

    def __getattr__(self, name):
        if name in _FORWARDED:
            return getattr(self.functions, name)
        raise AttributeError(f"TestProblem has no attribute {name!r}")

    def solved(self, f, gnorm):
        """Whether a run ended at a solution.

        Parameters
        ----------
        f : float
            The value reached.
        gnorm : float
            The largest component of the gradient there.

        Returns
        -------
        bool
            True if f is within 1e-8 (relative; absolute for a minimum of zero) of a known minimum, or below the
            lowest, or gnorm <= 1e-6.
        """
        if gnorm <= 1e-6:
            return True
        if self.minima and f <= min(self.minima):
            return True
        return any(abs(f - fmin) <= 1e-8 * (abs(fmin) if fmin != 0.0 else 1.0) for fmin in self.minima)
