"""Compare a gradient with differences."""

import math
from dataclasses import dataclass

import numpy as np

from numopt.callbacks.bind import as_callable
from numopt.callbacks.python import as_array, as_value
from numopt.optimize._bounds import read_bounds
from numopt.optimize._options import check_callables, check_x0


@dataclass(frozen=True)
class DerivativeCheck:
    """What :func:`check_derivatives` found.

    Attributes
    ----------
    ok : bool
        Whether every component agrees within the tolerance.
    index : int
        The worst component.
    given, difference : float
        The gradient's component as given, and by differences.
    error : float
        ``|given - difference| / max(|given|, |difference|)``, the largest of all components; 0 where given and
        difference differ by no more than the difference is accurate to.
    errors : ndarray, shape (n,)
        The errors of all components; NaN where no difference could be had, and where bounds fix the variable.
    """

    ok: bool
    index: int
    given: float
    difference: float
    error: float
    errors: np.ndarray

    def __str__(self):
        verdict = "agrees with differences" if self.ok else "DISAGREES with differences"
        return (
            f"gradient {verdict}; worst component {self.index}: given {self.given:.10g}, "
            f"difference {self.difference:.10g}, error {self.error:.2e}"
        )


def check_derivatives(fun, jac, x, args=(), tol=1e-5, bounds=None):
    """Compare a gradient with central differences of the objective.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``, or ``-> (float, gradient)`` with ``jac=True``, or ``fun(x, g, *args) -> float``
        with ``jac='inplace'``.
    jac : callable, True or 'inplace'
        ``jac(x, *args) -> array (n,)``.
    x : array_like, shape (n,)
        Where to compare; not a stationary point, where a wrong factor would not be seen.
    args : tuple, optional
    tol : float
        The error that is accepted.
    bounds : sequence of (lower, upper) pairs, or object with ``lb`` and ``ub``, optional
        No point outside of them is evaluated: at a bound the differences are one-sided.  x must lie within.  A variable
        whose bounds are equal is left out.

    Returns
    -------
    DerivativeCheck

    Notes
    -----
    Central differences over steps from 0.1 max(1, abs(x_j)) downwards, each a quarter of the one before, are
    extrapolated to h = 0 (Ridders); the value whose neighbours agree best is taken, and how well they agree is its
    accuracy.  Steps out of the domain of fun (NaN, inf) are left out.  It takes 20 evaluations for each variable.

    References
    ----------
    C. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Adv. Eng. Softw. 4 (1982), 75-76.

    Examples
    --------
    >>> import numopt
    >>> print(numopt.check_derivatives(lambda x: x[0]**2 + x[1]**3, lambda x: [2 * x[0], 2 * x[1]**2], [1.0, 2.0]))
    gradient DISAGREES with differences; worst component 1: given 8, difference 12, error 3.33e-01
    """
    check_callables(fun, jac, None, None, None)
    if jac is None or jac is False or (isinstance(jac, str) and jac != "inplace"):
        raise TypeError(f"jac must be callable, True or 'inplace': the gradient to check; got {jac!r}")
    x = check_x0(x)
    lower, upper = (
        (np.full(x.size, -np.inf), np.full(x.size, np.inf)) if bounds is None else read_bounds(bounds, x.size)
    )
    outside = np.flatnonzero((x < lower) | (x > upper))
    if outside.size:
        j = int(outside[0])
        raise ValueError(f"x must be within bounds; x[{j}] = {x[j]:g} is not in ({lower[j]:g}, {upper[j]:g})")
    fixed = lower == upper
    if fixed.all():
        raise ValueError("bounds fix all variables; there is no derivative to compare")
    args = args if isinstance(args, tuple) else (args,)
    fun, jac = as_callable(fun, "pair" if jac is True else "value"), as_callable(jac, "jac")
    if jac is True:
        given = fun(x.copy(), *args)[1]
        value = lambda z: as_value(fun(z, *args)[0])  # noqa: E731
    elif jac == "inplace":
        given = np.empty(x.size)
        fun(x.copy(), given, *args)
        value = lambda z: as_value(fun(z, np.empty(x.size), *args))  # noqa: E731
    else:
        given = jac(x.copy(), *args)
        value = lambda z: as_value(fun(z, *args))  # noqa: E731
    given = as_array(given, x.shape, "jac").astype(float)
    difference, accuracy = np.array([_ridders(value, x, j, x[j] - lower[j], upper[j] - x[j]) for j in range(x.size)]).T
    gap, size = np.abs(given - difference), np.maximum(np.abs(given), np.abs(difference))
    with np.errstate(invalid="ignore"):
        errors = np.where(gap <= 10.0 * accuracy, 0.0, gap / size)
    worst = int(np.argmax(np.where(fixed, -np.inf, np.where(np.isnan(errors), np.inf, errors))))
    return DerivativeCheck(
        bool(errors[worst] <= tol), worst, float(given[worst]), float(difference[worst]), float(errors[worst]), errors
    )


_STEPS, _RATIO, _EPS = 10, 4.0, 2.220446049250313e-16
_LEAST_ROOM = 1e-3  # of the first step, for central differences


def _ridders(value, x, j, down, up):
    """(derivative along x_j, accuracy) from a table of extrapolated differences; NaN if there is none.

    The differences are central, or one-sided where x_j is next to a bound; ``down`` and ``up`` are the rooms.
    """
    h = 0.1 * max(1.0, abs(x[j]))
    central = min(down, up) > _LEAST_ROOM * h
    # the error of a central difference is a series in h^2, that of a one-sided one in h
    order = 2 if central else 1
    h = min(h, down, up) if central else min(h, up) if up >= down else -min(h, down)
    best, accuracy = math.nan, math.inf
    row: list = []
    for _ in range(_STEPS if h != 0.0 else 0):
        there, here = x.copy(), x.copy()
        there[j] += h
        if central:
            here[j] -= h
        width = there[j] - here[j]
        above, below = value(there), value(here)
        slope = (above - below) / width
        if not math.isfinite(slope):
            row = []
        else:
            rounding = 4.0 * _EPS * max(abs(above), abs(below)) / abs(width)
            new = [slope]
            for k, old in enumerate(row):
                factor = _RATIO ** (order * (k + 1))
                new.append((factor * new[k] - old) / (factor - 1.0))
                error = max(abs(new[-1] - new[-2]), abs(new[-1] - old)) + rounding
                if error < accuracy:
                    best, accuracy = new[-1], error
            row = new
        h /= _RATIO
    return best, accuracy
