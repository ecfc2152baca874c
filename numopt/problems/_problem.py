"""What a test problem is."""

from dataclasses import dataclass, field
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
    solution : array_like of shape (n,), optional
        A minimiser with the lowest of the values, where it is listed.
    bounds : ndarray of shape (n, 2), optional
        Lower and upper bounds, -inf and inf where there are none; None if the problem has no bounds.  Read-only.
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
    solution: Any = field(default=None, compare=False)  # arrays don't compare to one truth value
    bounds: Any = field(default=None, compare=False)

    @property
    def x0(self):
        """The start, a new array of shape (n,); scaled, then moved to the nearest point within the bounds."""
        start = self.start(self.n) if callable(self.start) else self.start
        x = self.scale * np.array(start, dtype=float)
        return x if self.bounds is None else np.clip(x, self.bounds[:, 0], self.bounds[:, 1])

    def __getattr__(self, name):
        if name in _FORWARDED:
            return getattr(self.functions, name)
        raise AttributeError(f"TestProblem has no attribute {name!r}")

    def optimality(self, x, g):
        """How far x is from fulfilling the first-order conditions.

        Parameters
        ----------
        x, g : array of shape (n,)
            A point and the gradient there.

        Returns
        -------
        float
            The largest component of the gradient; with bounds, of the projected gradient x - P(x - g), where P moves
            each variable to the nearest value within its bounds.

        Examples
        --------
        >>> from numopt import problems
        >>> problem = problems.get('rosenbrock_bounded')      # x1 <= 0.5
        >>> f, g = problem.fun_and_grad(problem.solution)
        >>> g.tolist(), problem.optimality(problem.solution, g)
        ([-1.0, 0.0], 0.0)
        """
        x, g = np.asarray(x, dtype=float), np.asarray(g, dtype=float)
        if self.bounds is not None:
            # x - P(x - g) without the rounding of x - g; not zero either where x lies outside the bounds
            with np.errstate(invalid="ignore"):
                g = np.clip(g, x - self.bounds[:, 1], x - self.bounds[:, 0])
        return float(np.max(np.abs(g)))

    def feasible(self, x):
        """Whether x lies within the bounds, up to 1e-8 (relative, for bounds beyond 1).

        Parameters
        ----------
        x : array of shape (n,)

        Returns
        -------
        bool
        """
        if self.bounds is None:
            return True
        slack = 1e-8 * np.maximum(1.0, np.where(np.isfinite(self.bounds), np.abs(self.bounds), 0.0))
        x = np.asarray(x, dtype=float)
        return bool(np.all(x >= self.bounds[:, 0] - slack[:, 0]) and np.all(x <= self.bounds[:, 1] + slack[:, 1]))

    def solved(self, f, gnorm, x=None):
        """Whether a run ended at a solution.

        Parameters
        ----------
        f : float
            The value reached.
        gnorm : float
            The largest component of the gradient there, with bounds of the projected gradient: :meth:`optimality`.
        x : array of shape (n,), optional
            The point: one outside the bounds is no solution.

        Returns
        -------
        bool
            True if f is within 1e-8 (relative; absolute for a minimum of zero) of a known minimum, or below the
            lowest, or gnorm <= 1e-6.
        """
        if x is not None and not self.feasible(x):
            return False
        if gnorm <= 1e-6:
            return True
        if self.minima and f <= min(self.minima):
            return True
        return any(abs(f - fmin) <= 1e-8 * (abs(fmin) if fmin != 0.0 else 1.0) for fmin in self.minima)
