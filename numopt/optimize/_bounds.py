"""Bounds as the user gives them."""

import numpy as np


class Box:
    """Bounds, read and checked, with the fixed variables (lower = upper) taken out.

    Attributes
    ----------
    x : ndarray, shape (k,)
        The start in the free variables, within the bounds.
    lower, upper : ndarray, shape (k,)
        Bounds of the free variables.
    bounded : bool
        Whether any of them is finite.
    fixed : ndarray, shape (n,), or None
        NaN for the free variables, the value for fixed ones; None if there are none, or nothing but fixed ones.
    all_fixed : bool
        Whether nothing is left to vary.
    moved : str or None
        What to tell the user of an x0 that was outside.
    """

    def __init__(self, bounds, x):
        self.fixed, self.all_fixed, self.moved = None, False, None
        lower, upper = _quick(bounds, x.size)
        if lower is not None and ((lower < upper) & (lower <= x) & (x <= upper)).all():
            # nothing to say, nothing to change
            self.x, self.lower, self.upper = x, lower, upper
            self.bounded = bool((lower > -np.inf).any() or (upper < np.inf).any())
            return
        lower, upper = read_bounds(bounds, x.size)
        outside = np.flatnonzero((x < lower) | (x > upper))
        if outside.size:
            j = int(outside[0])
            others = outside.size - 1
            more = f"; so {'is' if others == 1 else 'are'} {others} more" if others else ""
            self.moved = (
                f"x0[{j}] = {x[j]:g} is outside of its bounds ({lower[j]:g}, {upper[j]:g}){more}; moved onto them"
            )
        x = np.clip(x, lower, upper)
        fixed = lower == upper
        self.all_fixed = bool(fixed.all())
        # where nothing is left to vary the run sees the bounds as they are, and ends at the start
        if fixed.any() and not self.all_fixed:
            self.fixed = np.where(fixed, lower, np.nan)
            x, lower, upper = x[~fixed], lower[~fixed], upper[~fixed]
        self.x, self.lower, self.upper = x, lower, upper
        self.bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())


def _quick(bounds, n):
    """(lower, upper) of what needs no closer look, or (None, None)."""
    if type(bounds) is list or type(bounds) is tuple or type(bounds) is np.ndarray:
        try:
            pairs = np.array(bounds)
        except (TypeError, ValueError):
            return None, None
        if pairs.shape == (n, 2) and pairs.dtype.kind in "fiu":
            return pairs.T.astype(float)
        return None, None
    lower, upper = getattr(bounds, "lb", None), getattr(bounds, "ub", None)
    if type(lower) is np.ndarray and type(upper) is np.ndarray and lower.shape == upper.shape == (n,):
        if lower.dtype == upper.dtype == np.float64:
            return lower.copy(), upper.copy()
    return None, None


def read_bounds(bounds, n):
    """(lower, upper), two float64 vectors of length n, from pairs or from an object with ``lb`` and ``ub``."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        try:
            lower, upper = (np.array(np.broadcast_to(np.asarray(b, float), (n,))) for b in (bounds.lb, bounds.ub))
        except ValueError:
            shapes = f"{np.shape(bounds.lb)} and {np.shape(bounds.ub)}"
            raise ValueError(f"bounds must have length {n}, as x0 has; got lb and ub of shapes {shapes}") from None
    else:
        lower, upper = _read_pairs(bounds, n)
    for name, values in (("lower", lower), ("upper", upper)):
        if np.isnan(values).any():
            raise ValueError(f"bounds: the {name} bound of x[{int(np.flatnonzero(np.isnan(values))[0])}] is NaN")
    crossed = np.flatnonzero(lower > upper)
    if crossed.size:
        j = int(crossed[0])
        raise ValueError(f"bounds: the lower bound of x[{j}], {lower[j]:g}, exceeds its upper bound, {upper[j]:g}")
    for name, values, wrong in (("lower", lower, np.inf), ("upper", upper, -np.inf)):
        if (values == wrong).any():
            raise ValueError(f"bounds: the {name} bound of x[{int(np.flatnonzero(values == wrong)[0])}] is {wrong}")
    return lower, upper


def _read_pairs(bounds, n):
    accepted = "a sequence of (lower, upper) pairs, None where there is no bound, or an object with lb and ub"
    try:
        pairs = list(bounds)
    except TypeError:
        raise TypeError(f"bounds must be {accepted}; got {type(bounds).__name__}") from None
    if len(pairs) != n:
        hint = ""
        if len(pairs) == 2 and all(np.shape(side) == (n,) for side in pairs):
            hint = " of one array each; for arrays of lower and upper bounds give scipy.optimize.Bounds(lower, upper)"
        raise ValueError(f"bounds must have length {n}, as x0 has; got {len(pairs)} pairs{hint}")
    found = np.empty((2, n))
    for j, pair in enumerate(pairs):
        try:
            low, high = (None, None) if pair is None else pair
            if isinstance(low, str) or isinstance(high, str):
                raise TypeError
            found[0, j] = -np.inf if low is None else low
            found[1, j] = np.inf if high is None else high
        except (TypeError, ValueError):
            raise ValueError(f"bounds must be {accepted}; bounds[{j}] is {pair!r:.60}") from None
    return found


def expand(values, fixed, filler):
    """A vector over all variables from one over the free ones; ``filler`` is a number, or a vector over all."""
    if fixed is None:
        return values
    whole = np.where(np.isnan(fixed), 0, filler).astype(np.asarray(values).dtype)
    whole[np.isnan(fixed)] = values
    return whole


def expand_matrix(H, fixed):
    """The same for a matrix: zero in the rows and columns of fixed variables."""
    if fixed is None:
        return H
    free = np.flatnonzero(np.isnan(fixed))
    whole = np.zeros((fixed.size, fixed.size))
    whole[np.ix_(free, free)] = H
    return whole


def active_bounds(x, lower, upper):
    """-1 at the lower bound, 1 at the upper, 2 where they are equal, else 0."""
    return np.where(lower == upper, 2, np.subtract(x >= upper, x <= lower, dtype=int))
