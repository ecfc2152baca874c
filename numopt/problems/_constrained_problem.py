"""What a test problem with constraints is."""

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from numopt.problems._constrained_functions import RECIPES, ConstrainedFunctions

VERDICTS = MappingProxyType({
    "solution": "there are a solution and multipliers: the KKT conditions hold",
    "no multipliers": "there is a solution, at which the KKT conditions hold for no multipliers",
    "infeasible": "no point fulfils the constraints",
    "unbounded": "the objective falls without bound on the feasible set",
})  # fmt: skip


class Residuals(NamedTuple):
    """How far a point is from fulfilling the KKT conditions, with the multipliers that come closest.

    Attributes
    ----------
    violation : float
        By how much constraints and bounds are violated at most, relative for limits beyond 1.
    stationarity : float
        The largest component of ``grad f - J'y - z``, over the largest of 1 and ``grad f``.
    complementarity : float
        The largest product of a multiplier and the distance to its limit, over the same.
    y : ndarray of shape (m,)
        Multipliers of the constraints: positive at the lower limit, negative at the upper one.
    z : ndarray of shape (n,)
        Multipliers of the bounds, with the same signs.
    """

    violation: float
    stationarity: float
    complementarity: float
    y: Any
    z: Any


@dataclass(frozen=True)
class ConstrainedProblem:
    """An objective with constraints and bounds, its start, and its certified minima.

    Minimise ``f(x)`` subject to ``limits[:, 0] <= c(x) <= limits[:, 1]`` and ``bounds[:, 0] <= x <= bounds[:, 1]``.

    The functions are compiled when they are first asked for: ``fun(x)``, ``grad(x)``, ``hess(x)``;
    ``fun_and_grad(x) -> (f, g)``; ``value_grad(x, g) -> f``, which writes the gradient to g; ``con(x)``, of shape
    ``(m,)``; ``con_jac(x)``, of shape ``(m, n)``; ``con_hess(x, v)``, the Hessian of ``sum v_i c_i``.  The same names
    with ``python_`` before them are not compiled.  To be called by compiled code: ``fun_inplace(x, g, data) -> f``,
    ``con_inplace(x, c, data)``, ``con_jac_inplace(x, J, data)``, J flat, and ``lag_hess_inplace(x, v, H, data)``, which
    writes ``v[m] hess f - sum v[i] hess c_i`` to a flat H.

    Attributes
    ----------
    name : str
    n : int
        Number of variables.
    start : tuple
        The standard start.
    minima : tuple of float
        Values of the known local minima, the global one first; empty where there are none.
    functions : ConstrainedFunctions
    solution : ndarray of shape (n,), optional
        A point with the lowest of the values.
    bounds : ndarray of shape (n, 2), optional
        Lower and upper bounds, -inf and inf where there are none; None if the problem has no bounds.  Read-only.
    verdict : {'solution', 'no multipliers', 'infeasible', 'unbounded'}
        What an honest solver must say in the end.
    reference : str
        Where it comes from.
    scale : float
        Factor on the start.

    Examples
    --------
    >>> from numopt import problems
    >>> problem = problems.get('hs71')
    >>> problem.limits.tolist()
    [[25.0, inf], [40.0, 40.0]]
    >>> problem.python_con(problem.x0).tolist()
    [25.0, 52.0]
    >>> problem.violation(problem.solution), problem.solved(problem.solution)
    (0.0, True)
    """

    name: str
    n: int
    start: Any
    minima: tuple[float, ...]
    functions: ConstrainedFunctions
    solution: Any = field(default=None, compare=False)  # arrays don't compare to one truth value
    bounds: Any = field(default=None, compare=False)
    verdict: str = "solution"
    reference: str = ""
    scale: float = 1.0

    @property
    def x0(self):
        """The start, a new array of shape (n,); scaled, then moved to the nearest point within the bounds."""
        x = self.scale * np.array(self.start, dtype=float)
        return x if self.bounds is None else np.clip(x, self.bounds[:, 0], self.bounds[:, 1])

    @property
    def limits(self):
        """Lower and upper limits of the constraints, an array of shape (m, 2)."""
        return self.functions.limits

    @property
    def m(self):
        """Number of constraints."""
        return len(self.functions.limits)

    @property
    def linear(self):
        """Which constraints are linear, an array of m truth values."""
        return self.functions.linear

    def __getattr__(self, name):
        if name in RECIPES:
            return self.functions.get(name)
        if name.startswith("python_") and name.removeprefix("python_") in (*RECIPES, "constraints", "dictionaries"):
            return getattr(self.plain, name.removeprefix("python_"))
        raise AttributeError(f"ConstrainedProblem has no attribute {name!r}")

    @property
    def plain(self):
        """The same problem with functions that are not compiled."""
        return replace(self, functions=self.functions.plain)

    @property
    def constraints(self):
        """One of scipy's ``LinearConstraint``, where all rows are linear, or ``NonlinearConstraint``; () for none."""
        from scipy.optimize import LinearConstraint, NonlinearConstraint

        if not self.m:
            return ()
        lower, upper = self.limits.T
        if self.linear.all():
            origin = np.zeros(self.n)
            c = self.python_con(origin)
            return LinearConstraint(self.python_con_jac(origin), lower - c, upper - c)
        return NonlinearConstraint(self.con, lower, upper, self.con_jac, self.con_hess)

    @property
    def dictionaries(self):
        """The same as scipy's dictionaries of type ``'eq'`` and ``'ineq'``."""
        lower, upper = self.limits.T
        equal = lower == upper
        found = []
        for kind, sides in (("eq", [(1.0, lower, equal)]),
                            ("ineq", [(1.0, lower, ~equal & (lower > -np.inf)),
                                      (-1.0, -upper, ~equal & (upper < np.inf))])):  # fmt: skip
            rows, signs, shifts = [], [], []
            for sign, limit, chosen in sides:
                mine = np.flatnonzero(chosen).tolist()
                rows += mine
                signs += [sign] * len(mine)
                shifts += limit[mine].tolist()
            if rows:
                fun, jac = (self.functions.rows(rows, signs, shifts, slopes) for slopes in (False, True))
                found.append({"type": kind, "fun": fun, "jac": jac})
        return found

    @property
    def scipy_bounds(self):
        """scipy's ``Bounds``, or None."""
        from scipy.optimize import Bounds

        return None if self.bounds is None else Bounds(*self.bounds.T)

    @np.errstate(all="ignore")  # any point may be asked about
    def violation(self, x):
        """By how much a point violates constraints and bounds at most, relative for limits beyond 1.

        Parameters
        ----------
        x : array of shape (n,)

        Returns
        -------
        float
            NaN where a constraint is.
        """
        x = np.asarray(x, dtype=float)
        value, limits = self.python_con(x), self.limits
        if self.bounds is not None:
            value, limits = np.append(value, x), np.vstack([limits, self.bounds])
        size = np.maximum(1.0, np.where(np.isfinite(limits), np.abs(limits), 1.0))
        excess = np.column_stack([limits[:, 0] - value, value - limits[:, 1]]) / size
        return float(np.max(np.maximum(excess, 0.0), initial=0.0))

    @np.errstate(all="ignore")
    def residuals(self, x):
        """How far a point is from fulfilling the KKT conditions.

        The multipliers are those of least squares, with the right signs, over both stationarity and complementarity.

        Parameters
        ----------
        x : array of shape (n,)

        Returns
        -------
        Residuals

        Examples
        --------
        >>> from numopt import problems
        >>> problem = problems.get('hs35')
        >>> found = problem.residuals(problem.solution)
        >>> found.stationarity < 1e-12, found.y.round(6).tolist()        # x1 + x2 + 2 x3 <= 3
        (True, [-0.222222])
        """
        from scipy.optimize import nnls

        x = np.asarray(x, dtype=float)
        g, J, value, limits = self.python_grad(x), self.python_con_jac(x), self.python_con(x), self.limits
        violation, size = self.violation(x), max(1.0, float(np.max(np.abs(g))))
        multipliers = np.zeros(len(J) if self.bounds is None else len(J) + self.n)
        if self.bounds is not None:
            J, value, limits = np.vstack([J, np.eye(self.n)]), np.append(value, x), np.vstack([limits, self.bounds])
        if not (np.isfinite(g).all() and np.isfinite(J).all() and np.isfinite(value).all()):
            return Residuals(violation, np.nan, np.nan, multipliers[: self.m], np.zeros(self.n))
        # a column and a multiplier >= 0 for each limit that there is; an equality has two, and so both signs
        row, side = np.nonzero(np.isfinite(limits))
        sign = 1.0 - 2.0 * side
        gap = np.maximum(sign * (value[row] - limits[row, side]), 0.0)
        A = np.vstack([sign * J[row].T, np.diag(gap)])
        length = np.maximum(np.linalg.norm(A, axis=0), 1e-300)
        found = nnls(A / length, np.append(g, np.zeros(len(row))), maxiter=100 * len(g) + 100 * len(row))[0] / length
        np.add.at(multipliers, row, sign * found)
        stationarity = float(np.max(np.abs(g - multipliers @ J))) / size
        z = multipliers[self.m :] if self.bounds is not None else np.zeros(self.n)
        complementarity = float(np.max(gap * found, initial=0.0)) / size
        return Residuals(violation, stationarity, complementarity, multipliers[: self.m], z)

    def solved(self, x, f=None, tol=1e-6):
        """Whether a run ended at a solution.

        Parameters
        ----------
        x : array of shape (n,)
            The point reached.
        f : float, optional
            The value there; computed where it's left out.
        tol : float
            How near f must come to a listed minimum, relative for minima beyond 1.

        Returns
        -------
        bool
            True if no constraint and no bound is violated by more than 1e-8 (relative for limits beyond 1), and f is
            one of the minima.  Where there are no multipliers, a small violation may lower f by much: then f may be
            below, too.
        """
        if not self.violation(x) <= 1e-8:
            return False
        f = self.python_fun(np.asarray(x, dtype=float)) if f is None else f
        if self.verdict == "no multipliers" and f <= self.minima[0]:
            return True
        return any(abs(f - least) <= tol * max(1.0, abs(least)) for least in self.minima)
