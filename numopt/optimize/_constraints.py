"""Constraints as the user gives them: scipy's objects and dictionaries, read and checked."""

import difflib
from typing import Any, NamedTuple

import numpy as np

from numopt.callbacks.bind import kind_of
from numopt.callbacks.constraints import as_python
from numopt.callbacks.pointers import address_of, check_signature
from numopt.optimize._bounds import read_bounds
from numopt.optimize._sets import Ball, Simplex

ACCEPTED = (
    "scipy.optimize.LinearConstraint or NonlinearConstraint objects, dictionaries {'type': 'eq' or 'ineq', 'fun': ...},"
    " numopt.Simplex or numopt.Ball, a sequence of them, or a mapping of names to them"
)
_KEYS = ("type", "fun", "jac", "hess", "args", "name")
_SCHEMES = ("2-point", "3-point", "cs")
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


def read_constraints(constraints, scheme="2-point"):
    """(list of :class:`Constraint`, whether they were given by name).

    ``scheme``: the differences for dictionaries without a Jacobian.
    """
    if _is_one(constraints):
        return [_read(constraints, "constraints", "constraint", scheme)], False
    if isinstance(constraints, dict):
        return [_read(con, f"constraints[{name!r}]", str(name), scheme) for name, con in constraints.items()], True
    try:
        given = list(constraints)
    except TypeError:
        raise TypeError(f"constraints must be {ACCEPTED}; got {type(constraints).__name__}") from None
    return [_read(con, f"constraints[{k}]", f"constraints[{k}]", scheme) for k, con in enumerate(given)], False


def is_empty(constraints):
    """Whether there are none."""
    return constraints is None or (isinstance(constraints, (list, tuple, dict)) and len(constraints) == 0)


def with_simplex(parts, bounds, n):
    """The bounds that a simplex among the constraints asks for besides those given."""
    if not any(part.simplex for part in parts):
        return bounds
    lower, upper = (np.zeros(n), np.full(n, _INF)) if bounds is None else read_bounds(bounds, n)
    return Bounds(np.maximum(lower, 0.0), upper)


class Bounds(NamedTuple):
    """Lower and upper bounds."""

    lb: Any
    ub: Any


def _is_one(constraints):
    """Whether this is one constraint, not several."""
    if isinstance(constraints, (Simplex, Ball)):
        return True
    if isinstance(constraints, dict):
        return "type" in constraints or "fun" in constraints
    return hasattr(constraints, "lb") and hasattr(constraints, "ub")


def _read(con, label, name, scheme):
    if isinstance(con, dict):
        return _read_dictionary(con, label, name, scheme)
    if isinstance(con, Simplex):
        part = Constraint(label, name)
        part.simplex, part.lower, part.upper = True, con.total, con.total
        return part
    if isinstance(con, Ball):
        return _read_ball(con, label, name)
    if hasattr(con, "lb") and hasattr(con, "ub"):
        if hasattr(con, "A"):
            return _read_linear(con, label, name)
        if hasattr(con, "fun"):
            return _read_nonlinear(con, label, name)
        raise TypeError(f"{label}: bounds of the variables are an argument of their own, bounds=")
    raise TypeError(f"{label} must be one of {ACCEPTED}; got {type(con).__name__}")


def _read_dictionary(con, label, name, scheme):
    for key in con:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"{label}: unknown key {key!r}{hint}; accepted are {', '.join(map(repr, _KEYS))}")
    for key in ("type", "fun"):
        if key not in con:
            raise ValueError(
                f"{label}: the key {key!r} is missing; a dictionary needs 'type' ('eq' or 'ineq') and 'fun'"
            )
    kind = con["type"]
    if not isinstance(kind, str) or kind.lower() not in ("eq", "ineq"):
        raise ValueError(f"{label}: 'type' must be 'eq' (fun = 0) or 'ineq' (fun >= 0); got {kind!r}")
    given = con.get("name")
    if given is not None and not isinstance(given, str):
        raise TypeError(f"{label}: 'name' must be a string; got {type(given).__name__}")
    part = Constraint(label, given or name)
    args = con.get("args", ())
    part.args = args if isinstance(args, tuple) else (args,)
    jac = con.get("jac")
    _set_functions(part, con["fun"], scheme if jac is None or jac is False else jac, con.get("hess"))
    part.lower, part.upper = 0.0, 0.0 if kind.lower() == "eq" else _INF
    return part


def _read_ball(con, label, name):
    """(x - center)'(x - center) <= radius squared."""
    part, center = Constraint(label, name), con.center

    def fun(x):
        if center.ndim and center.size != x.size:
            raise ValueError(f"{label}: center must have length {x.size}, as x0 has; got {center.size}")
        d = x - center
        return float(d @ d)

    part.fun, part.jac, part.ball = fun, lambda x: 2.0 * (x - center), True
    part.hess = lambda x, v: np.diag(np.full(x.size, 2.0 * v[0]))
    part.lower, part.upper = -_INF, con.radius**2
    return part


def _read_nonlinear(con, label, name):
    part = Constraint(label, name)
    _set_functions(part, con.fun, getattr(con, "jac", "2-point") or "2-point", getattr(con, "hess", None))
    _set_limits(part, con)
    step = getattr(con, "finite_diff_rel_step", None)
    if step is not None:
        step = np.asarray(step)
        if step.dtype.kind not in "fiu" or step.ndim > 1 or not (np.abs(step) > 0).all():
            raise ValueError(f"{label}: finite_diff_rel_step must be a number or one for each variable, not zero")
        part.rel_step = step.astype(float)
    return part


def _read_linear(con, label, name):
    part = Constraint(label, name)
    A = con.A
    A = A.toarray() if hasattr(A, "toarray") else np.asarray(A)
    if A.dtype.kind not in "fiub" or A.ndim > 2 or A.size == 0:
        raise ValueError(f"{label}: A must be a matrix of real numbers; got {A.dtype} data of shape {A.shape}")
    part.A = np.atleast_2d(A).astype(float)
    if not np.isfinite(part.A).all():
        i, j = np.argwhere(~np.isfinite(part.A))[0].tolist()
        raise ValueError(f"{label}: A must be finite; A[{i}, {j}] is {part.A[i, j]}")
    _set_limits(part, con)
    return part


def _set_limits(part, con):
    for side, given in (("lower", con.lb), ("upper", con.ub)):
        if type(given) is float or type(given) is int:
            setattr(part, side, float(given))
            continue
        try:
            a = np.asarray(given, float)
        except (TypeError, ValueError):
            a = None
        if a is None or a.ndim > 1:
            what = "lb" if side == "lower" else "ub"
            raise ValueError(f"{part.label}: {what} must be a number or a vector of numbers; got {given!r:.60}")
        setattr(part, side, a)
    keep = getattr(con, "keep_feasible", False)
    if keep is False:
        return
    part.keep = np.asarray(keep)
    if part.keep.dtype.kind not in "biu":
        raise TypeError(f"{part.label}: keep_feasible must be True or False, or one for each row; got {keep!r:.60}")


def _set_functions(part, fun, jac, hess):
    label = part.label
    if not (callable(fun) or address_of(fun) is not None):
        raise TypeError(f"{label}: fun must be callable or a C function pointer, not {type(fun).__name__}")
    if isinstance(jac, str):
        if jac not in _SCHEMES:
            raise ValueError(f"{label}: jac={jac!r} is not known; accepted are a callable, '2-point', '3-point', 'cs'")
    elif jac is True or not (callable(jac) or address_of(jac) is not None):
        raise TypeError(f"{label}: jac must be callable, '2-point', '3-point' or 'cs', not {jac!r:.60}")
    if isinstance(hess, str):
        if hess not in _SCHEMES:
            raise ValueError(
                f"{label}: hess={hess!r} is not known; accepted are a callable hess(x, v), '2-point', '3-point'"
            )
        hess = "3-point" if hess == "cs" else hess
    elif is_update(hess):
        hess = None
    elif hess is not None and not (callable(hess) or address_of(hess) is not None):
        raise TypeError(f"{label}: hess must be callable as hess(x, v), not {type(hess).__name__}")
    for name, function, words in (("fun", fun, 5), ("jac", jac, 5), ("hess", hess, 6)):
        if function is not None and not isinstance(function, str) and kind_of(function) == "pointer":
            check_signature(f"{label}: {name}", function, words)
    part.fun, part.jac, part.hess = fun, jac, hess


def is_update(hess):
    """Whether this is one of scipy's quasi-Newton strategies, ``BFGS()`` or ``SR1()``."""
    if hess is None or callable(hess):
        return False
    return any(kind.__name__ == "HessianUpdateStrategy" for kind in type(hess).__mro__)


def measure(parts, x):
    """Set the number of rows of each constraint, and the values at x of those that had to be asked for it."""
    for part in parts:
        if part.simplex:
            part.A = np.ones((1, x.size))
        if part.fun is None:
            rows, n = part.A.shape
            if n != x.size:
                raise ValueError(
                    f"{part.label}: A must have {x.size} columns, one for each variable; got shape {part.A.shape}"
                )
        elif kind_of(part.fun) == "pointer":
            rows = max(np.size(part.lower), np.size(part.upper))
        else:
            part.first = part.evaluate(x)
            rows = part.first.size
        part.set_rows(rows)

