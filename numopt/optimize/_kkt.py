"""The KKT conditions at any point."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numopt.callbacks.bind import as_callable
from numopt.callbacks.constraints import as_jacobian, as_python, complex_jacobian
from numopt.callbacks.python import as_array, as_value, complex_step
from numopt.optimize._bounds import read_bounds
from numopt.optimize._constraints import as_list, is_empty, read_constraints, with_simplex
from numopt.optimize._options import check_callables, check_x0

_SCALE, _SCALE_MOST = 100.0, 10.0  # as in numopt.kernels.kkt
_FAR = 1e-3  # from its limit, relative to max(1, its size): without a multiplier
_EPS3 = 2.220446049250313e-16 ** (1.0 / 3.0)


def slackness(y, c, lower, upper):
    """The products of multipliers and distances from their limits."""
    with np.errstate(invalid="ignore"):
        to_lower = np.where(lower > -np.inf, np.abs(c - lower), 1.0)
        to_upper = np.where(upper < np.inf, np.abs(upper - c), 1.0)
        return np.where(lower == upper, 0.0, np.where(y > 0, y * to_lower, np.where(y < 0, -y * to_upper, np.abs(y))))


def residuals(x, g, J, c, y, z, lower, upper, x_lower, x_upper):
    """(stationarity, complementarity), as numopt.kernels.kkt has them."""
    total = np.abs(y).sum() + np.abs(z).sum()
    scale = min(max(1.0, total / ((x.size + c.size) * _SCALE)), _SCALE_MOST)
    slope = np.abs(g - J.T @ y - z).max()
    slack = max(slackness(y, c, lower, upper).max(initial=0.0), slackness(z, x, x_lower, x_upper).max())
    return float(slope / scale), float(slack / scale)


def relative_violation(c, lower, upper):
    """The largest violation, each relative to max(1, size of its limit); infinite for NaN."""
    with np.errstate(invalid="ignore"):
        below = np.where(c < lower, (lower - c) / np.maximum(1.0, np.abs(lower)), 0.0)
        above = np.where(c > upper, (c - upper) / np.maximum(1.0, np.abs(upper)), 0.0)
    return float(np.max(np.where(np.isnan(c), np.inf, np.maximum(below, above)), initial=0.0))


@dataclass(frozen=True)
class KKT:
    """What :func:`kkt` found.

    Attributes
    ----------
    x : ndarray, shape (n,)
    fun : float
    violation : float
        The largest violation of constraints and bounds, each relative to max(1, size of the limit).
    stationarity : float
        The largest component of grad f - J'y - z, divided by the scale of the multipliers.
    complementarity : float
        The largest product of a multiplier and the distance from the limit that it belongs to, divided alike; a
        multiplier of the wrong sign counts as it is.
    multipliers : list or dict of ndarray
        y by constraint, a dict where the constraints were given by name.
    bound_multipliers : ndarray, shape (n,)
        z.
    active : list or dict of ndarray of int
        By constraint: -1 for rows at the lower limit, 1 at the upper one, 2 for equalities, else 0.
    active_mask : ndarray of int, shape (n,)
        The same of the bounds.
    rank, n_active : int
        The rank of the gradients of the active constraints and bounds, and their number.
    licq : bool
        Whether these are linearly independent: then the multipliers are unique.
    """

    x: Any
    fun: float
    violation: float
    stationarity: float
    complementarity: float
    multipliers: Any
    bound_multipliers: Any
    active: Any
    active_mask: Any
    rank: int
    n_active: int

    @property
    def licq(self):
        """Whether the gradients of the active constraints and bounds are linearly independent."""
        return self.rank == self.n_active

    @property
    def optimality(self):
        """The larger of stationarity and complementarity."""
        return max(self.stationarity, self.complementarity)

    def holds(self, gtol=1e-6, ctol=1e-8):
        """Whether the KKT conditions hold: optimality within gtol, violation within ctol.

        Parameters
        ----------
        gtol, ctol : float

        Returns
        -------
        bool
        """
        return self.violation <= ctol and self.stationarity <= gtol and self.complementarity <= gtol

    def __str__(self):
        independent = "independent" if self.licq else f"of rank {self.rank}"
        return (
            f"violation {self.violation:.1e}, stationarity {self.stationarity:.1e}, complementarity "
            f"{self.complementarity:.1e}; {self.n_active} active gradients, {independent}"
        )


def kkt(fun, x=None, args=(), jac=None, bounds=None, constraints=(), multipliers=None, bound_multipliers=None,
        active_tol=1e-6, maximize=False):  # fmt: skip
    """The KKT conditions at a point, wherever it comes from.

    Parameters
    ----------
    fun : callable, or a problem of :mod:`numopt.problems`
        As for :func:`minimize`; or a test problem with constraints, which brings gradient, bounds and constraints.
    x : array_like, or OptimizeResult of numopt's or scipy's
        The point.
    args, jac, bounds, constraints
        As for :func:`minimize`; without ``jac`` the gradient is made of central differences.
    multipliers : sequence or mapping of arrays, or array (m,), optional
        y as in ``result.multipliers``: by constraint, or all of them one after the other.  Default: estimated together
        with ``bound_multipliers``, by least squares of stationarity and complementarity with the signs kept.
    bound_multipliers : array_like, shape (n,), optional
        z; default: estimated.
    active_tol : float
        A constraint or bound no farther than this from its limit, relative to max(1, size of the limit), is called
        active in the answer.
    maximize : bool
        Whether x is to be a maximum; multipliers then are those of :func:`maximize`.

    Returns
    -------
    KKT
        ``print`` shows it in a line; ``.holds(gtol, ctol)`` is the verdict.

    Notes
    -----
    One rule for the signs: grad f = J'y + z, so that a multiplier is the derivative of the least value with respect to
    its limit; y and z are >= 0 at a lower limit and <= 0 at an upper one.

    Examples
    --------
    >>> import numopt
    >>> from scipy.optimize import minimize
    >>> def f(x):
    ...     return (x[0] - 1)**2 + (x[1] - 2.5)**2
    >>> constraints = {'type': 'ineq', 'fun': lambda x: 2 - x[0] - x[1]}
    >>> theirs = minimize(f, [0.0, 0.0], constraints=constraints, method='SLSQP')
    >>> found = numopt.kkt(f, theirs, constraints=constraints)
    >>> found.holds(1e-5), found.multipliers[0].round(4).tolist()
    (True, [1.5])
    """
    if hasattr(fun, "limits") and hasattr(fun, "con_jac"):
        problem = fun
        fun, jac, constraints, bounds = problem.fun, problem.grad, problem.constraints, problem.scipy_bounds
    if x is None:
        raise TypeError("kkt needs a point x")
    x = check_x0(x["x"] if isinstance(x, dict) else x).copy()
    check_callables(fun, jac, None, None, None)
    args = args if isinstance(args, tuple) else (args,)
    n, constraints = x.size, as_list(constraints)
    bounds = with_simplex(constraints, bounds, n)
    x_lower, x_upper = (np.full(n, -np.inf), np.full(n, np.inf)) if bounds is None else read_bounds(bounds, n)
    parts, named = ([], False) if is_empty(constraints) else read_constraints(constraints, x, "3-point")
    f, g = _value_and_gradient(fun, jac, x, args, x_lower, x_upper)
    if maximize:
        g = -g
    c = np.concatenate([part.first if part.first is not None else part.evaluate(x) for part in parts] or [np.empty(0)])
    J = np.concatenate([_jacobian(part, x, x_lower, x_upper) for part in parts] or [np.empty((0, n))])
    lower, upper = (np.concatenate([p.filled(side) for p in parts] or [np.empty(0)]) for side in ("lower", "upper"))
    active, mask = _active(c, lower, upper, active_tol), _active(x, x_lower, x_upper, active_tol)
    sign = -1.0 if maximize else 1.0
    y = None if multipliers is None else sign * _given(multipliers, parts, c.size)
    z = None if bound_multipliers is None else sign * _given_bounds(bound_multipliers, n)
    y, z = _estimate(g, J, c, lower, upper, x, x_lower, x_upper, y, z)
    stationarity, complementarity = residuals(x, g, J, c, y, z, lower, upper, x_lower, x_upper)
    gradients = np.concatenate([J[active != 0], np.eye(n)[mask != 0]])
    sizes = np.abs(gradients).max(axis=1, initial=0.0)
    scaled = gradients / np.where(sizes > 0.0, sizes, 1.0)[:, None]
    rank = int(np.linalg.matrix_rank(scaled, tol=1e-9 * max(1.0, np.sqrt(n)))) if len(scaled) else 0
    ends = np.cumsum([part.rows for part in parts]).tolist()[:-1] if parts else []

    def split(rows):
        pieces = np.split(rows, ends) if parts else []
        return dict(zip((part.name for part in parts), pieces, strict=True)) if named else pieces

    violation = max(relative_violation(c, lower, upper), relative_violation(x, x_lower, x_upper))
    return KKT(x, f, violation, stationarity, complementarity, split(sign * y), sign * z, split(active), mask, rank,
               len(gradients))  # fmt: skip


def _active(c, lower, upper, tol):
    """-1 at the lower limit, 1 at the upper, 2 where they are equal, else 0."""
    with np.errstate(invalid="ignore"):
        at_lower = np.isfinite(lower) & (c - lower <= tol * np.maximum(1.0, np.abs(lower)))
        at_upper = np.isfinite(upper) & (upper - c <= tol * np.maximum(1.0, np.abs(upper)))
    return np.where(lower == upper, 2, np.where(at_lower, -1, np.where(at_upper, 1, 0)))


def _value_and_gradient(fun, jac, x, args, lower, upper):
    """(f, gradient) in Python."""
    if jac == "inplace":
        g = np.empty(x.size)
        return as_value(fun(x.copy(), g, *args)), g
    if jac is True:
        f, g = as_callable(fun, "pair")(x.copy(), *args)
        return as_value(f), as_array(g, (x.size,), "fun with jac=True").astype(float)
    value = as_callable(fun, "value")
    f = as_value(value(x.copy(), *args))
    if jac == "cs":
        return f, complex_step(value, x, args)
    if jac is None or jac is False or isinstance(jac, str):
        return f, _differences(lambda z: as_value(value(z, *args)), x, lower, upper)[0]
    return f, as_array(as_callable(jac, "jac")(x.copy(), *args), (x.size,), "jac").astype(float)


def _jacobian(part, x, lower, upper):
    """The Jacobian of a constraint in Python."""
    if part.A is not None:
        return part.A
    if isinstance(part.jac, str) and part.jac == "cs":
        return complex_jacobian(part.fun, x, part.args, part.rows, part.label)
    if isinstance(part.jac, str):
        return _differences(part.evaluate, x, lower, upper)
    return as_jacobian(as_python(part.jac, "jac", part.rows, part.args)(x.copy(), *part.args), part.rows, x.size,
                       part.label).astype(float)  # fmt: skip


def _differences(f, x, lower, upper):
    """The Jacobian by differences of second order within the bounds."""
    columns = []
    for j in range(x.size):
        h = _EPS3 * max(1.0, abs(x[j]))
        down, up = x[j] - lower[j], upper[j] - x[j]
        if h <= down and h <= up:
            points, weights = (h, -h), (0.5 / h, -0.5 / h)
        else:
            h = min(h, 0.5 * up) if up >= down else -min(h, 0.5 * down)
            points, weights = (0.0, h, 2 * h), (-1.5 / h, 2.0 / h, -0.5 / h) if h else (0.0, 0.0, 0.0)
        total = 0.0
        for step, weight in zip(points, weights, strict=True):
            z = x.copy()
            z[j] += step
            total = total + weight * np.atleast_1d(f(z))
        columns.append(total)
    return np.array(columns).T


def _given(multipliers, parts, m):
    """All multipliers in one vector."""
    if isinstance(multipliers, dict):
        missing = [part.name for part in parts if part.name not in multipliers]
        if missing:
            raise ValueError(f"multipliers: there are none for {', '.join(map(repr, missing))}")
        multipliers = [multipliers[part.name] for part in parts]
    try:
        y = np.concatenate([np.ravel(np.asarray(v, float)) for v in multipliers] or [np.empty(0)])
    except (TypeError, ValueError):
        raise TypeError(f"multipliers must be arrays by constraint, or one array; got {multipliers!r:.60}") from None
    if y.size != m:
        raise ValueError(f"multipliers must be {m} numbers, one for each row of the constraints; got {y.size}")
    return y


def _given_bounds(z, n):
    z = np.asarray(z, float)
    if z.shape != (n,):
        raise ValueError(f"bound_multipliers must have shape {(n,)}; got {z.shape}")
    return np.where(np.isnan(z), 0.0, z)


def _estimate(g, J, c, lower, upper, x, x_lower, x_upper, y, z):
    """(y, z): those given, and what is not given by least squares with the signs kept (Lawson & Hanson's nnls).

    The residuals are those of the KKT conditions: g - J'y - z, and the products of multipliers and distances from their
    limits, so that points of interior methods, which are at no limit, have their multipliers too.
    """
    n, m = g.size, c.size
    left, pieces = g.copy(), []
    if y is None:
        pieces.append((J, _sides(c, lower, upper)))
    else:
        left -= J.T @ y
    if z is None:
        pieces.append((np.eye(n), _sides(x, x_lower, x_upper)))
    else:
        left -= z
    gradients = [sign * rows[i] for rows, sides in pieces for i, sign, _ in sides]
    distances = np.array([distance for _, sides in pieces for _, _, distance in sides])
    found = _nonnegative(np.array(gradients).reshape(-1, n), distances, left)
    first = 0
    if y is None:
        y, first = _gathered(found, 0, pieces[0][1], m)
    if z is None:
        z, _ = _gathered(found, first, pieces[-1][1], n)
    return y, z


def _sides(c, lower, upper):
    """(row, sign of its multiplier, distance) of the limits that are not far; of an equality both signs, distance 0."""
    found = []
    for i in range(c.size):
        a, b, v = float(lower[i]), float(upper[i]), float(c[i])
        if a == b:
            found += [(i, 1.0, 0.0), (i, -1.0, 0.0)]
            continue
        for sign, limit in ((1.0, a), (-1.0, b)):
            if abs(limit) < np.inf and sign * (v - limit) <= _FAR * max(1.0, abs(limit)):
                found.append((i, sign, abs(v - limit)))
    return found


def _gathered(found, first, sides, count):
    """Multipliers of rows from those of their sides."""
    values = np.zeros(count)
    for (i, sign, _), v in zip(sides, found[first : first + len(sides)].tolist(), strict=True):
        values[i] += sign * v
    return values, first + len(sides)


def _nonnegative(gradients, distances, b):
    """The v >= 0 with the least sum of squares of b - gradients'v and distances * v; 0 where these are not finite."""
    if not len(distances) or not (np.isfinite(b).all() and np.isfinite(gradients).all()):
        return np.zeros(len(distances))
    from scipy.optimize import nnls

    sizes = np.linalg.norm(gradients, axis=1)
    sizes[sizes == 0.0] = 1.0
    near = distances > 0.0
    A = np.vstack([gradients.T, np.diag(distances)[near]]) / sizes
    return nnls(A, np.append(b, np.zeros(near.sum())))[0] / sizes
