"""One constraint of the user's, and its numbers."""

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.constraints import as_python

_INF = float("inf")
_MANY = 1000  # numbers in a matrix that is part of a key


class Constraint:
    """One constraint: lower <= fun(x, *args) <= upper, or lower <= A x <= upper.

    Attributes
    ----------
    label : str
        How messages speak of it.
    name : str
        How reports do.
    fun : callable or None
        None of a linear one.
    jac : callable, '2-point', '3-point' or 'cs'
    hess : callable, '2-point', '3-point' or None
        ``hess(x, v)``; None where it is not to be asked for.
    args : tuple
    A : ndarray or None
    lower, upper, keep : array
        Limits, and whether no point evaluated may violate them; of length ``rows`` once that is known.
    rel_step : array or None
        Relative steps of differences.
    rows : int or None
        Its number of rows.
    first : ndarray or None
        The values at the start.
    equality : bool
        Of a dictionary, whose limits are no more than 0.
    """

    fun = jac = hess = A = rel_step = rows = first = None
    simplex = ball = False
    known_key = None
    args: tuple = ()
    keep = False

    def __init__(self, label, name):
        self.label, self.name = label, name

    def set_rows(self, rows):
        """Give limits and keep that length, where they are no plain numbers; look at them."""
        self.rows = rows
        lower, upper = self.lower, self.upper
        if type(lower) is float and type(upper) is float and self.keep is False:
            if lower <= upper and (lower > -_INF or upper < _INF) and lower < _INF and upper > -_INF:
                return
        for side in ("lower", "upper", "keep"):
            given = np.asarray(getattr(self, side))
            if given.shape not in ((), (1,), (rows,)):
                name = {"lower": "lb", "upper": "ub", "keep": "keep_feasible"}[side]
                raise ValueError(
                    f"{self.label}: {name} must be a number or have length {rows}, as the constraint; "
                    f"got shape {given.shape}"
                )
            setattr(self, side, np.array(np.broadcast_to(given, (rows,))))
        self._check_limits()

    def filled(self, side):
        """``lower``, ``upper`` or ``keep`` as a vector of floats."""
        given = getattr(self, side)
        return given if type(given) is np.ndarray and given.dtype == float else np.full(self.rows, given, float)

    def equalities(self):
        """Marks of the rows whose limits are equal."""
        return self.filled("lower") == self.filled("upper")

    def key(self):
        """What a run prepared for this constraint depends on; None where it serves no other."""
        if self.known_key is not None:
            return self.known_key
        if self.rel_step is not None:
            return None
        functions = []
        if self.A is not None:
            if self.A.size > _MANY:
                return None
            functions.append(self.A.tobytes())
        for function in (self.fun, self.jac, self.hess):
            if function is None or type(function) is str:
                functions.append(function)
                continue
            kind = kind_of(function)
            if kind == "pointer" or (kind == "jitted" and self.args):
                return None
            functions.append(id(function) if kind == "jitted" else "python")
        limits = (self.lower, self.upper, self.keep)
        limits = [a.tobytes() if isinstance(a, np.ndarray) else a for a in limits]
        return (self.rows, self.label, self.name, *functions, *limits)

    def _check_limits(self):
        """ValueError for limits that nothing can keep, or that say nothing."""
        lower, upper = self.lower, self.upper
        for name, values in (("lb", lower), ("ub", upper)):
            if np.isnan(values).any():
                raise ValueError(f"{self.label}: {name} is NaN{self._row(np.isnan(values))}")
        crossed = lower > upper
        if crossed.any():
            i = int(np.flatnonzero(crossed)[0])
            raise ValueError(
                f"{self.label}: the lower limit exceeds the upper one{self._row(crossed)}; "
                f"got {lower[i]:g} and {upper[i]:g}"
            )
        for name, values, wrong in (("lb", lower, _INF), ("ub", upper, -_INF)):
            if (values == wrong).any():
                where = self._row(values == wrong)
                raise ValueError(f"{self.label}: {name} is {wrong}{where}, which nothing satisfies")
        if ((lower == -_INF) & (upper == _INF)).all():
            raise ValueError(
                f"{self.label}: its limits are infinite on both sides{' in all rows' if self.rows > 1 else ''}; "
                "leave it out"
            )

    def _row(self, wrong):
        return f" in row {int(np.flatnonzero(wrong)[0])}" if wrong.size > 1 else ""

    def evaluate(self, x):
        """The values at x, over all variables, as a vector."""
        if self.fun is None:
            return self.A @ x
        c = as_python(self.fun, "fun", self.rows, self.args)(x.copy(), *self.args)
        if type(c) is np.ndarray and c.ndim == 1 and c.dtype == float and c.size:
            return c.copy()
        c = np.asarray(c)
        if c.ndim > 1 or c.size == 0:
            raise ValueError(
                f"{self.label}: fun must return a number or a vector of at least one; it returned shape {c.shape}"
            )
        if c.dtype.kind not in "fiub":
            raise TypeError(f"{self.label}: fun must return real numbers; it returned {c.dtype} data")
        return c.reshape(-1).astype(float)


def measure(part, x):
    """Set the number of rows; the values at x, where a Python function had to be asked for it, are kept."""
    if part.simplex:
        part.A = np.ones((1, x.size))
    if part.fun is None:
        rows, n = part.A.shape
        if n != x.size:
            raise ValueError(
                f"{part.label}: A must have {x.size} columns, one for each variable; got shape {part.A.shape}"
            )
    else:
        kind = kind_of(part.fun)
        if kind == "pointer":
            rows = max(np.size(part.lower), np.size(part.upper))
        else:
            values = part.evaluate(x)
            rows = values.size
            if kind == "python":
                part.first = values
    part.set_rows(rows)
