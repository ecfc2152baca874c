"""Bounds of a batch: one box for all problems, or one for each."""

import numpy as np

from numopt.optimize._batch_input import Each, vectors
from numopt.optimize._bounds import read_bounds

FREE, BOUNDED, FIXED = range(3)  # kinds of problems: no finite bound, some, some that are equal
_ROWS = 65536  # looked at together


class Boxes:
    """Bounds, read and checked, of all problems.

    Attributes
    ----------
    lower, upper : array, shape (n_problems, n)
        Where one box is shared, a view of it that repeats it.
    kinds : ndarray of int8, shape (n_problems,)
    bounded : bool
        Whether any variable that is not fixed has a finite bound.
    moved : str or None
        What to tell the user of starts that were outside.
    """

    def __init__(self, bounds, X0):
        count, n = X0.shape
        sides = _sides(bounds)
        self.X0, self.shared = X0, sides is None
        if sides is None:
            self.lower, self.upper = (np.broadcast_to(side, (count, n)) for side in read_bounds(bounds, n))
        else:
            self.lower, self.upper = (
                _side(name, side, filler, count, n)
                for name, side, filler in zip(("lower", "upper"), sides, (-np.inf, np.inf), strict=True)
            )
        self.kinds, self.bounded, self.moved = np.empty(count, np.int8), False, None
        self._outside, first = 0, None
        for k in range(0, count, _ROWS):
            chunk = slice(k, min(k + _ROWS, count))
            lower, upper = self.of(chunk)
            if sides is not None:
                _check(lower, upper, k)
            self._sort(lower, upper, chunk)
            x = vectors(X0, chunk)
            outside = np.flatnonzero(((x < lower) | (x > upper)).any(axis=1) & np.isfinite(x).all(axis=1))
            if outside.size:
                first = k + int(outside[0]) if first is None else first
                self._outside += outside.size
        if first is not None:
            self.moved = (
                f"{self._outside} of {count} starts are outside of their bounds, X0[{first}] the first; moved onto them"
            )

    def _sort(self, lower, upper, chunk):
        """Sets the kinds."""
        if self.shared:
            lower, upper = lower[:1], upper[:1]
        fixed = lower == upper
        some = (((lower > -np.inf) | (upper < np.inf)) & ~fixed).any(axis=1)
        self.bounded = self.bounded or bool(some.any())
        self.kinds[chunk] = np.where(fixed.any(axis=1), FIXED, np.where(some, BOUNDED, FREE))

    def of(self, chunk):
        """(lower, upper) of a chunk, rows of doubles."""
        return vectors(self.lower, chunk), vectors(self.upper, chunk)

    def starts(self, chunk):
        """The starts within their bounds; those that are not finite are left alone."""
        x = vectors(self.X0, chunk)
        if not self._outside:
            return x
        return np.where(np.isfinite(x).all(axis=1)[:, None], np.clip(x, *self.of(chunk)), x)


def _sides(bounds):
    """(lower, upper) as given where they are those of each problem; None where one box is shared."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        sides = bounds.lb, bounds.ub
    elif isinstance(bounds, (tuple, list)) and len(bounds) == 2:
        sides = tuple(bounds)
    else:
        return None
    try:
        own = any(isinstance(side, Each) or np.ndim(side) == 2 for side in sides)
    except ValueError:  # rows of different lengths
        own = False
    return sides if own else None


def _side(name, side, filler, count, n):
    side = filler if side is None else side.array if isinstance(side, Each) else side
    a = side if isinstance(side, np.ndarray) else np.asarray(side)
    if a.dtype.kind not in "fiu":
        raise TypeError(f"bounds: the {name} bounds must be real numbers; got dtype {a.dtype}")
    if a.shape not in ((), (n,), (count, n)):
        raise ValueError(
            f"bounds: the {name} bounds must have shape {(count, n)}, one row for each problem, or {(n,)}; "
            f"got {a.shape}"
        )
    return np.broadcast_to(a, (count, n)) if a.shape != (count, n) else a


def _check(lower, upper, first):
    """ValueError for bounds of a chunk, which begins with problem ``first``, that are none."""
    for wrong, what in (
        (np.isnan(lower), "the lower bound of x[{j}] is NaN"),
        (np.isnan(upper), "the upper bound of x[{j}] is NaN"),
        (lower > upper, "the lower bound of x[{j}], {low:g}, exceeds its upper bound, {up:g}"),
        (lower == np.inf, "the lower bound of x[{j}] is inf"),
        (upper == -np.inf, "the upper bound of x[{j}] is -inf"),
    ):
        if wrong.any():
            i, j = (int(k[0]) for k in np.nonzero(wrong))
            raise ValueError(
                f"bounds of problem {first + i}: " + what.format(j=j, low=lower[i, j], up=upper[i, j])
            )  # fmt: skip
